/* SPDX-License-Identifier: Apache-2.0 */
#include "art_pool.h"

#include "art_bits.h"
#include "art_mem.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

typedef struct job { /* one call */
    art_matcher *const *matchers;
    size_t n;
    uint32_t *words;
    size_t stride, n_words;
    uint32_t *n_allowed;
    atomic_size_t next; /* the matcher that nobody has taken yet */
    pthread_mutex_t lock;
    size_t failed_at; /* SIZE_MAX: none; under lock */
    art_status status;
    art_error error;
} job;

struct art_mask_pool {
    arti_mem mem;
    int64_t pid;
    atomic_flag busy;
    uint32_t n_threads; /* of its own */
    pthread_mutex_t lock;
    pthread_cond_t start, done;
    job *now;          /* what the threads are to help with; under lock, as is all below */
    uint64_t round;    /* counts jobs, so that a thread takes part in each once */
    uint32_t n_wanted; /* threads that may still join */
    uint32_t n_inside;
    bool is_closing;
    pthread_t threads[ART_MASK_THREADS_MAX];
};

static void work(job *j) {
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
        if (i >= j->n) return;
        uint32_t *row = j->words + i * j->stride, n_allowed = 2;
        art_status st = ART_OK;
        art_error error = {0};
        if (j->matchers[i])
            st = art_matcher_fill_mask(j->matchers[i], row, j->n_words, &n_allowed, &error);
        else
            memset(row, 0xFF, j->n_words * sizeof *row);
        if (j->n_allowed) j->n_allowed[i] = n_allowed;
        if (st == ART_OK) continue;
        pthread_mutex_lock(&j->lock);
        if (i < j->failed_at) {
            j->failed_at = i;
            j->status = st;
            j->error = error;
        }
        pthread_mutex_unlock(&j->lock);
    }
}

static void *thread_main(void *arg) {
    art_mask_pool *p = arg;
    uint64_t seen = 0;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->is_closing && (p->round == seen || !p->n_wanted)) {
            if (p->round != seen && !p->n_wanted) seen = p->round;
            pthread_cond_wait(&p->start, &p->lock);
        }
        if (p->is_closing) break;
        seen = p->round;
        job *j = p->now;
        p->n_wanted--;
        p->n_inside++;
        pthread_mutex_unlock(&p->lock);
        work(j);
        pthread_mutex_lock(&p->lock);
        if (--p->n_inside == 0) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

art_status art_mask_pool_new(uint32_t n_threads, const art_alloc *alloc, art_mask_pool **out, art_error *err) {
    *out = NULL;
    if (!n_threads) n_threads = art_cpu_count();
    if (n_threads > ART_MASK_THREADS_MAX)
        return arti_fail(err, ART_E_LIMIT, 0, "%u threads; at most ART_MASK_THREADS_MAX", n_threads);
    arti_mem mem;
    arti_mem_init(&mem, alloc, 0);
    art_mask_pool *p = arti_calloc(&mem, sizeof *p);
    if (!p) return arti_mem_fail(&mem, err);
    p->mem = mem;
    p->pid = (int64_t)getpid();
    atomic_flag_clear(&p->busy);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->start, NULL);
    pthread_cond_init(&p->done, NULL);
    while (p->n_threads + 1 < n_threads) { /* the caller's thread is one of them */
        if (pthread_create(&p->threads[p->n_threads], NULL, thread_main, p) != 0) {
            art_mask_pool_free(p);
            return arti_fail(err, ART_E_NOMEM, 0, "the system has no room for another thread");
        }
        p->n_threads++;
    }
    *out = p;
    return ART_OK;
}

void art_mask_pool_free(art_mask_pool *p) {
    if (!p) return;
    if (p->pid == (int64_t)getpid()) { /* threads do not come along through a fork */
        pthread_mutex_lock(&p->lock);
        p->is_closing = true;
        pthread_cond_broadcast(&p->start);
        pthread_mutex_unlock(&p->lock);
        for (uint32_t i = 0; i < p->n_threads; i++) pthread_join(p->threads[i], NULL);
        pthread_cond_destroy(&p->done);
        pthread_cond_destroy(&p->start);
        pthread_mutex_destroy(&p->lock);
    }
    arti_mem mem = p->mem;
    arti_free(&mem, p, sizeof *p);
}

uint32_t art_mask_pool_threads(const art_mask_pool *p) {
    return p->n_threads + 1;
}

static void run(art_mask_pool *p, job *j) {
    uint32_t helpers = j->n - 1 < p->n_threads ? (uint32_t)(j->n - 1) : p->n_threads;
    if (helpers) {
        pthread_mutex_lock(&p->lock);
        p->now = j;
        p->round++;
        p->n_wanted = helpers;
        if (helpers == 1)
            pthread_cond_signal(&p->start);
        else
            pthread_cond_broadcast(&p->start);
        pthread_mutex_unlock(&p->lock);
    }
    work(j);
    if (helpers) { /* a thread that did not wake in time is not waited for */
        pthread_mutex_lock(&p->lock);
        p->n_wanted = 0;
        while (p->n_inside) pthread_cond_wait(&p->done, &p->lock);
        p->now = NULL;
        pthread_mutex_unlock(&p->lock);
    }
}

art_status art_mask_pool_fill(art_mask_pool *p, art_matcher *const *matchers, size_t n, uint32_t *words, size_t stride,
                              size_t n_words, uint32_t *n_allowed, size_t *failed_at, art_error *err) {
    if (failed_at) *failed_at = SIZE_MAX;
    if (!n) return ART_OK;
    if (stride < n_words) return arti_fail(err, ART_E_ARG, 0, "rows of masks overlap");
    if (p->pid != (int64_t)getpid()) return arti_fail(err, ART_E_FORKED, 0, "the pool was made by another process");
    if (atomic_flag_test_and_set_explicit(&p->busy, memory_order_acquire))
        return arti_fail(err, ART_E_BUSY, 0, "the pool is in use by another thread");
    job j = {.matchers = matchers,
             .n = n,
             .words = words,
             .stride = stride,
             .n_words = n_words,
             .n_allowed = n_allowed,
             .failed_at = SIZE_MAX};
    atomic_init(&j.next, 0);
    pthread_mutex_init(&j.lock, NULL);
    run(p, &j);
    pthread_mutex_destroy(&j.lock);
    atomic_flag_clear_explicit(&p->busy, memory_order_release);
    if (j.status == ART_OK) return ART_OK;
    if (failed_at) *failed_at = j.failed_at;
    if (err) *err = j.error;
    return j.status;
}
