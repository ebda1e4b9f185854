/* SPDX-License-Identifier: Apache-2.0
 *
 * art_cpu.c: how many processor cores to use. Linux has the details; elsewhere the number of processors is all there is. */
#include "art.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>

static int read_line(const char *path, char *buf, size_t cap) {
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    int ok = fgets(buf, (int)cap, f) != NULL;
    fclose(f);
    return ok;
}

/* Hyper-threads of one core do not make decoding faster: count the cores that have a thread of their own in the set. */
static uint32_t cores_in(const cpu_set_t *set) {
    uint32_t n = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, set)) continue;
        char path[96], line[256];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
        int first = cpu;
        if (read_line(path, line, sizeof line)) first = atoi(line);
        int counted = first < cpu && first >= 0 && CPU_ISSET(first, set);
        n += !counted;
    }
    return n;
}

/* CPU time that the control group may use, in whole processors; 0: no limit is known. */
static uint32_t quota(void) {
    char line[128];
    if (read_line("/sys/fs/cgroup/cpu.max", line, sizeof line)) {
        double max = 0, period = 0;
        if (sscanf(line, "%lf %lf", &max, &period) == 2 && max > 0 && period > 0)
            return (uint32_t)((max + period - 1) / period);
        return 0;
    }
    char line2[128];
    if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line) &&
        read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line2, sizeof line2)) {
        double max = atof(line), period = atof(line2);
        if (max > 0 && period > 0) return (uint32_t)((max + period - 1) / period);
    }
    return 0;
}

/* Threads of others that want a processor now and did so over the last minute: what is idle at present, or was only just started,
 * does not count. */
static uint32_t load_of_others(void) {
    char line[128];
    double minute = 0;
    unsigned running = 0;
    if (!read_line("/proc/loadavg", line, sizeof line) || sscanf(line, "%lf %*f %*f %u/", &minute, &running) != 2)
        return 0;
    uint32_t now = running > 0 ? running - 1 : 0, lately = (uint32_t)(minute + 0.5);
    return now < lately ? now : lately;
}

uint32_t art_cpu_count(void) {
    cpu_set_t set;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online < 1) online = 1;
    uint32_t n = (uint32_t)online;
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = cores_in(&set);
    uint32_t q = quota();
    if (q && q < n) n = q;
    uint32_t load = load_of_others(), elsewhere = (uint32_t)online > n ? (uint32_t)online - n : 0;
    load = load > elsewhere ? load - elsewhere : 0;
    return n > load ? n - load : 1;
}

#else

uint32_t art_cpu_count(void) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 1 ? (uint32_t)(online / 2) : 1;
}

#endif
