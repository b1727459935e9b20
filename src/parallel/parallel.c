/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/parallel.c: thread counts, the BLAS guard, and the ordered reduction. */
#include "parallel/parallel.h"

#include <cblas.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include <spectraj/progress.h>

#include "base/blas_library.h"
#include "base/error.h"
#include "base/memory.h"

static size_t wanted_threads; /* 0: OpenMP's choice */

void stj_set_threads(size_t n_threads)
{
    wanted_threads = n_threads;
}

size_t stj_processors(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_num_procs();
#else
    return 1;
#endif
}

size_t stj_threads(void)
{
#ifdef _OPENMP
    /* A wish for more threads than processors is one, up to what a batch can be cut into: beyond
     * that, threads do nothing but wait for each other. */
    enum { CROWD = 64 };
    const size_t at_hand = stj_processors();
    const size_t most = !wanted_threads || at_hand > CROWD ? at_hand : CROWD;
    const size_t asked = wanted_threads ? wanted_threads : (size_t)omp_get_max_threads();
    const size_t wish = asked < most ? asked : most;
    const size_t limit = (size_t)omp_get_thread_limit();
    if (omp_get_active_level() >= omp_get_max_active_levels())
        return 1; /* a region within another */
    return wish < limit ? wish : limit;
#else
    return 1; /* built with --disable-openmp */
#endif
}

/* Bytes of OpenBLAS's buffer for a thread, in its builds for processors of the last ten years, and
 * the order of matrices that it needs it for. */
enum { BLAS_BUFFER = 129 << 20, BLAS_ORDER = 128 };

/* Each thread multiplies a[BLAS_ORDER^2] by itself into its part of c. */
static void multiply_square(const double *a, double *c)
{
    const int n = BLAS_ORDER;
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, a, n, 0, c, n);
}

/* Are n buffers to be had?  One by one, as OpenBLAS asks: a system that lets memory be promised
 * more than once looks at each request alone. */
static bool can_have(size_t n)
{
    void **room = NULL;
    bool all = stj_new(&room, n, sizeof *room, NULL) == STJ_OK;
    for (size_t i = 0; all && i < n; i++) {
        room[i] = malloc(BLAS_BUFFER);
        all = room[i] != NULL;
    }
    for (size_t i = n; room && i-- > 0;)
        free(room[i]);
    free(room);
    return all;
}

/* Buffers for n threads, of which `before` have theirs. */
static enum stj_status prepare_buffers(size_t n, size_t before, struct stj_error *err)
{
    const size_t square = (size_t)BLAS_ORDER * BLAS_ORDER;
    STJ_FREED double *work = NULL;
    STJ_NEED(err, can_have(n - before), STJ_ENOMEM,
             "out of memory: OpenBLAS needs %zu MiB of address space for %zu threads; raise the "
             "limit (ulimit -v), or take fewer threads",
             (n - before) * (BLAS_BUFFER >> 20), n);
    STJ_MUST(stj_new(&work, (n + 1) * square, sizeof *work, err));
    struct stj_blas_guard guard = stj_blas_guard_take(1);
#pragma omp parallel num_threads((int)n)
    {
#pragma omp barrier
        multiply_square(work, work + (1 + stj_thread_number()) * square);
    }
    stj_blas_guard_give(guard);
    return STJ_OK;
}

enum stj_status stj_blas_prepare(struct stj_error *err)
{
    static atomic_size_t prepared; /* threads */
    static pthread_mutex_t preparing = PTHREAD_MUTEX_INITIALIZER;
    enum stj_status st = STJ_OK;
    const size_t n = stj_threads();
    if (n <= atomic_load(&prepared))
        return STJ_OK;
    pthread_mutex_lock(&preparing); /* a caller's threads may each have an operator */
    if (n > atomic_load(&prepared)) {
        st = prepare_buffers(n, atomic_load(&prepared), err);
        if (st == STJ_OK)
            atomic_store(&prepared, n);
    }
    pthread_mutex_unlock(&preparing);
    return st;
}

void stj_threads_fixed(void)
{
#ifdef _OPENMP
    omp_set_dynamic(0);
#endif
}

size_t stj_thread_number(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}

size_t stj_team_size(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_num_threads();
#else
    return 1;
#endif
}

void stj_barrier_init(struct stj_barrier *barrier, bool between_processes)
{
    const int shared = between_processes ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE;
    pthread_mutexattr_t mutex;
    pthread_condattr_t wake;
    enum { SPINS = 4000 }; /* 50 to 150 microseconds */
    *barrier = (struct stj_barrier){.n_threads = 1, .spins = SPINS};
    pthread_mutexattr_init(&mutex); /* none of these fails on Linux with such attributes */
    pthread_condattr_init(&wake);
    pthread_mutexattr_setpshared(&mutex, shared);
    pthread_condattr_setpshared(&wake, shared);
    pthread_mutex_init(&barrier->mutex, &mutex);
    pthread_cond_init(&barrier->wake, &wake);
    pthread_mutexattr_destroy(&mutex);
    pthread_condattr_destroy(&wake);
}

void stj_barrier_destroy(struct stj_barrier *barrier)
{
    pthread_cond_destroy(&barrier->wake);
    pthread_mutex_destroy(&barrier->mutex);
}

enum stj_status stj_turn_create(pthread_mutex_t **turn, struct stj_error *err)
{
    const enum stj_status st = stj_new(turn, 1, sizeof **turn, err);
    if (st == STJ_OK)
        pthread_mutex_init(*turn, NULL); /* never fails on Linux */
    return st;
}

void stj_turn_destroy(pthread_mutex_t *turn)
{
    if (turn)
        pthread_mutex_destroy(turn);
    free(turn);
}

void stj_turn_take(pthread_mutex_t *turn)
{
    if (turn)
        pthread_mutex_lock(turn);
}

void stj_turn_give(pthread_mutex_t *turn)
{
    if (turn)
        pthread_mutex_unlock(turn);
}

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#endif
}

/* Until the round is over.  A sleeper counts itself before it looks at the round, and who ends the
 * round looks at the count after: one of the two sees the other. */
static void sleep_through(struct stj_barrier *barrier, size_t round)
{
    pthread_mutex_lock(&barrier->mutex);
    atomic_fetch_add(&barrier->sleepers, 1);
    while (atomic_load(&barrier->round) == round)
        pthread_cond_wait(&barrier->wake, &barrier->mutex);
    atomic_fetch_sub(&barrier->sleepers, 1);
    pthread_mutex_unlock(&barrier->mutex);
}

void stj_barrier_wait(struct stj_barrier *barrier)
{
    const size_t round = atomic_load(&barrier->round);
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 == barrier->n_threads) {
        atomic_store(&barrier->arrived, 0);
        atomic_store(&barrier->round, round + 1);
        if (atomic_load(&barrier->sleepers) > 0) {
            pthread_mutex_lock(&barrier->mutex);
            pthread_cond_broadcast(&barrier->wake);
            pthread_mutex_unlock(&barrier->mutex);
        }
        return;
    }
    for (size_t i = 0; i < barrier->spins; i++) {
        if (atomic_load_explicit(&barrier->round, memory_order_acquire) != round)
            return;
        relax();
    }
    sleep_through(barrier, round);
}

struct stj_blas_guard stj_blas_guard_take(size_t n_threads)
{
    struct stj_blas_guard guard = {.threads_before = stj_blas_threads()};
    stj_blas_set_threads((int)n_threads);
    return guard;
}

void stj_blas_guard_give(struct stj_blas_guard guard)
{
    stj_blas_set_threads(guard.threads_before);
}

#define DEFINE_REDUCE(name, type)                                                                  \
    void name(size_t n, size_t n_parts, const type *part, size_t ld_part, type *y)                 \
    {                                                                                              \
        if (n_parts == 0)                                                                          \
            memset(y, 0, n * sizeof *y);                                                           \
        else if (y != part)                                                                        \
            memmove(y, part, n * sizeof *y);                                                       \
        for (size_t p = 1; p < n_parts; p++)                                                       \
            for (size_t i = 0; i < n; i++)                                                         \
                y[i] += part[p * ld_part + i];                                                     \
    }
DEFINE_REDUCE(stj_reduce_float, float)
DEFINE_REDUCE(stj_reduce_double, double)
