/* SPDX-License-Identifier: Apache-2.0
 *
 * fake_nvrtc.c: a stand-in for libnvrtc, for fake_cuda.c. "Compiles" whatever has no line that begins with "#error", to the part of the
 * kernels that -DART_CUDA_PART says. FAKE_NVRTC_VERSION (12080), FAKE_NVRTC_FAIL (when set, compiling fails). fake_nvrtc_compiles() counts. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMPILATION = 6 };

typedef struct program {
    char *source;
    char log[512];
    char image[256];
    size_t len;
    int part;
} program;

static atomic_int compiles;

int fake_nvrtc_compiles(void) {
    return atomic_load(&compiles);
}

static int version(void) {
    const char *s = getenv("FAKE_NVRTC_VERSION");
    return s && *s ? atoi(s) : 12080;
}

int nvrtcVersion(int *major, int *minor) {
    *major = version() / 1000;
    *minor = version() % 1000 / 10;
    return 0;
}

const char *nvrtcGetErrorString(int result) {
    return result == COMPILATION ? "NVRTC_ERROR_COMPILATION" : result ? "NVRTC_ERROR_OTHER" : "NVRTC_SUCCESS";
}

int nvrtcGetNumSupportedArchs(int *n) {
    *n = 3;
    return 0;
}

int nvrtcGetSupportedArchs(int *archs) {
    memcpy(archs, (int[]){75, 80, 90}, 3 * sizeof(int));
    return 0;
}

int nvrtcCreateProgram(void **out, const char *source, const char *name, int n_headers, const char *const *headers,
                       const char *const *names) {
    (void)name, (void)headers;
    for (int i = 0; i < n_headers; i++)
        if (!names[i] || !headers[i]) return 3;
    program *p = calloc(1, sizeof *p);
    if (!p) return 1;
    p->source = strdup(source);
    p->part = -1;
    *out = p;
    return 0;
}

int nvrtcDestroyProgram(void **out) {
    program *p = *out;
    free(p->source);
    free(p);
    *out = NULL;
    return 0;
}

int nvrtcCompileProgram(void *program_, int n_options, const char *const *options) {
    program *p = program_;
    int sm = 0;
    atomic_fetch_add(&compiles, 1);
    for (int i = 0; i < n_options; i++) {
        sscanf(options[i], "--gpu-architecture=sm_%d", &sm);
        sscanf(options[i], "--gpu-architecture=compute_%d", &sm);
        sscanf(options[i], "-DART_CUDA_PART=%d", &p->part);
    }
    if (!sm || getenv("FAKE_NVRTC_FAIL") || strstr(p->source, "\n#error")) {
        snprintf(p->log, sizeof p->log, "kernels.cu(1): error: this does not compile for sm_%d", sm);
        return COMPILATION;
    }
    p->len =
        (size_t)snprintf(p->image, sizeof p->image, "FAKECUBIN sm_%d part %d\nby NVRTC %d", sm, p->part, version());
    return 0;
}

int nvrtcGetProgramLogSize(void *p, size_t *n) {
    *n = strlen(((program *)p)->log) + 1;
    return 0;
}

int nvrtcGetProgramLog(void *p, char *log) {
    strcpy(log, ((program *)p)->log);
    return 0;
}

int nvrtcGetCUBINSize(void *p, size_t *n) {
    *n = ((program *)p)->len;
    return *n ? 0 : 3;
}

int nvrtcGetCUBIN(void *p, char *image) {
    memcpy(image, ((program *)p)->image, ((program *)p)->len);
    return 0;
}

static int write_ptx(const program *p, char *out, size_t cap) {
    return snprintf(out, cap, "// PTX part %d\n.version", p->part) + 1;
}

int nvrtcGetPTXSize(void *p, size_t *n) {
    *n = (size_t)write_ptx(p, NULL, 0);
    return 0;
}

int nvrtcGetPTX(void *p, char *image) {
    write_ptx(p, image, 64);
    return 0;
}
