/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/retrain.c: a batch of trainings over the threads, with a log of what is finished.
 *
 * Copies with large bases come first, so that the threads end together.  The thread that called is
 * the one that reports progress and asks whether to stop, between the steps of its own copies and, when
 * there are none left for it, while it waits for the others.
 */
#include "study/retrain.h"

#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"

static const char what[] = "retraining";

struct stj_retrained {
    struct stj_log *log;
    size_t n_params, n_copies;
    size_t *record; /* of each copy in the log; SIZE_MAX: none yet */
};

/* What the threads share.  `lock` guards order's next, the log and the first error. */
struct batch {
    const struct stj_retraining *work;
    struct stj_retrained *done;
    size_t n_params;
    size_t *order; /* of the copies that are to be trained */
    size_t n_order, next;
    double *weight, total; /* of the steps of each copy; of everything */
    atomic_size_t *step;   /* [n_copies]: finished */
    atomic_bool stop;
    atomic_size_t active; /* threads that are not through */
    enum stj_status status;
    struct stj_error error;
};

struct worker {
    struct batch *batch;
    size_t copy;
    bool reports; /* the calling thread */
};

/* ---- the log: tag copy + 1, a flag of 64 bits, then theta ---- */

static enum stj_status find_records(struct stj_retrained *done, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t bytes = sizeof(uint64_t) + done->n_params * sizeof(double);
    for (size_t i = 0; i < stj_log_n_records(done->log); i++) {
        const uint32_t tag = stj_log_tag(done->log, i);
        STJ_CHECK(err, tag >= 1 && tag <= done->n_copies && stj_log_bytes(done->log, i) == bytes,
                  STJ_EFORMAT,
                  "the log of a study has a record that is no copy of it; --force "
                  "computes the study again");
        done->record[tag - 1] = i;
    }
out:
    return st;
}

static enum stj_status record(struct batch *b, size_t copy, bool finite, const double *theta,
                              struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const uint64_t flag = finite;
    const struct stj_log_piece piece[] = {{&flag, sizeof flag},
                                          {theta, b->n_params * sizeof *theta}};
    STJ_TRY(stj_log_append(b->done->log, (uint32_t)(copy + 1), piece, 2, err));
    b->done->record[copy] = stj_log_n_records(b->done->log) - 1;
out:
    return st;
}

/* ---- progress ---- */

/* Finished copies, the steps of unfinished ones as parts. */
static double finished(const struct batch *b)
{
    double sum = 0;
    for (size_t i = 0; i < b->work->n_copies; i++)
        sum += b->weight[i] * (double)atomic_load_explicit(&b->step[i], memory_order_relaxed);
    return sum / b->total * (double)b->work->n_copies;
}

/* Tell the user; true: stop. */
static bool report(struct batch *b)
{
    if (stj_progress_report(b->work->progress, what, finished(b), (double)b->work->n_copies,
                            NULL) != STJ_OK)
        atomic_store(&b->stop, true);
    return atomic_load(&b->stop);
}

static int on_step(void *ctx, const char *training, double done, double total)
{
    struct worker *w = ctx;
    (void)training;
    (void)total;
    atomic_store_explicit(&w->batch->step[w->copy], (size_t)done, memory_order_relaxed);
    return w->reports ? report(w->batch) : atomic_load(&w->batch->stop);
}

/* ---- one copy ---- */

/* theta <- the end of the training from `start`. */
static enum stj_status train_copy(struct worker *w, struct stj_copy *start, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_retraining *work = w->batch->work;
    const size_t n = w->batch->n_params, k = start->k ? start->k : n;
    const struct stj_progress progress = {.fn = on_step, .ctx = w};
    const struct stj_subspace subspace = {start->k, start->basis, start->theta};
    double *end = NULL;
    real *state = NULL;
    STJ_TRY(
        stj_new(&state, (1 + stj_recipe_optimizer(work->recipe)->n_slots) * k, sizeof *state, err));
    STJ_TRY(stj_new(&end, n, sizeof *end, err));
    for (size_t i = 0; !start->k && i < n; i++)
        state[i] = (real)start->theta[i];
    STJ_TRY(stj_train_within(work->problem, work->recipe, start->k ? &subspace : NULL, 0,
                             stj_problem_n_steps(work->problem), state, NULL, NULL, &progress,
                             err));
    if (start->k)
        stj_subspace_point(&subspace, n, state, end);
    for (size_t i = 0; i < n; i++)
        start->theta[i] = start->k ? end[i] : (double)state[i];
out:
    free(end);
    free(state);
    return st;
}

/* Take the next copy and its start; *found false: there is none. */
static enum stj_status take(struct worker *w, struct stj_copy *start, bool *found,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct batch *b = w->batch;
    *found = b->next < b->n_order && b->status == STJ_OK && !atomic_load(&b->stop);
    if (!*found)
        return STJ_OK;
    w->copy = b->order[b->next++];
    *start = (struct stj_copy){.theta = start->theta};
    memset(start->theta, 0, b->n_params * sizeof *start->theta);
    STJ_TRY(b->work->begin(b->work->ctx, w->copy, start, err));
out:
    return st;
}

/* Under the lock: the first error of all threads ends the batch. */
static void fail(struct batch *b, enum stj_status st, const struct stj_error *error)
{
    if (b->status == STJ_OK) {
        b->status = st;
        b->error = *error;
    }
    atomic_store(&b->stop, true);
}

/* Under the lock: keep the end of a copy; one that left the finite numbers is a result too. */
static enum stj_status settle(struct worker *w, enum stj_status st, double *theta,
                              struct stj_error *err)
{
    struct batch *b = w->batch;
    if (st == STJ_ENONFINITE) {
        stj_error_clear(err);
        memset(theta, 0, b->n_params * sizeof *theta);
        st = record(b, w->copy, false, theta, err);
    } else if (st == STJ_OK) {
        st = record(b, w->copy, true, theta, err);
    }
    if (st == STJ_OK)
        atomic_store(&b->step[w->copy], stj_problem_n_steps(b->work->problem));
    return st;
}

/* Copies, one after another, until none is left. */
static void work_through(struct worker *w)
{
    struct stj_copy start = {.k = 0};
    struct stj_error error = STJ_ERROR_INIT;
    bool found = false;
    enum stj_status st = stj_new(&start.theta, w->batch->n_params, sizeof *start.theta, &error);
    while (st == STJ_OK) {
#pragma omp critical(stj_retrain)
        st = take(w, &start, &found, &error);
        if (st == STJ_OK && !found)
            break;
        if (st == STJ_OK) {
            st = train_copy(w, &start, &error);
#pragma omp critical(stj_retrain)
            st = settle(w, st, start.theta, &error);
        }
        free(start.basis);
        start.basis = NULL;
    }
    if (st != STJ_OK) {
#pragma omp critical(stj_retrain)
        fail(w->batch, st, &error);
    }
    free(start.theta);
    atomic_fetch_sub(&w->batch->active, 1);
}

/* The caller has no copy left: it goes on reporting. */
static void wait_for_others(struct batch *b)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    while (atomic_load(&b->active) > 0) {
        (void)report(b);
        nanosleep(&pause, NULL);
    }
}

/* ---- the batch ---- */

static size_t columns_of(const struct stj_retraining *work, size_t copy)
{
    return work->columns ? work->columns[copy] : 0;
}

/* Threads whose bases fit the memory together. */
static size_t count_threads(const struct batch *b)
{
    const struct stj_retraining *work = b->work;
    const size_t limit = work->memory_bytes ? work->memory_bytes : stj_memory_available() / 2;
    size_t most = 0, threads = stj_threads();
    for (size_t i = 0; i < b->n_order; i++)
        most = columns_of(work, b->order[i]) > most ? columns_of(work, b->order[i]) : most;
    const double bytes = (double)most * (double)b->n_params * sizeof(double);
    while (threads > 1 && (double)threads * bytes > (double)limit)
        threads--;
    return threads < b->n_order ? threads : b->n_order;
}

/* The copies that are not in the log, those with many columns first. */
static enum stj_status list_copies(struct batch *b, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_retraining *work = b->work;
    const size_t n = work->n_copies, steps = stj_problem_n_steps(work->problem);
    STJ_TRY(stj_new(&b->order, n, sizeof *b->order, err));
    STJ_TRY(stj_new(&b->weight, n, sizeof *b->weight, err));
    STJ_TRY(stj_new(&b->step, n, sizeof *b->step, err));
    for (size_t i = 0; i < n; i++) {
        /* A step costs about as much as that many columns of a basis. */
        const double own = 500;
        b->weight[i] = (own + (double)columns_of(work, i)) / (double)steps;
        b->total += b->weight[i] * (double)steps;
        if (b->done->record[i] != SIZE_MAX) {
            atomic_init(&b->step[i], steps);
            continue;
        }
        atomic_init(&b->step[i], 0);
        size_t at = b->n_order++;
        for (; at > 0 && columns_of(work, b->order[at - 1]) < columns_of(work, i); at--)
            b->order[at] = b->order[at - 1];
        b->order[at] = i;
    }
out:
    return st;
}

static void run_batch(struct batch *b)
{
    const size_t n_threads = count_threads(b);
    struct stj_blas_guard guard = stj_blas_guard_take(1);
    atomic_init(&b->stop, false);
    atomic_init(&b->active, n_threads);
    if (!report(b)) {
#pragma omp parallel num_threads((int)n_threads)
        {
            struct worker w = {.batch = b, .reports = stj_thread_number() == 0};
            if (w.reports)
                atomic_fetch_sub(&b->active, n_threads - stj_team_size());
            work_through(&w);
            if (w.reports)
                wait_for_others(b);
        }
    }
    stj_blas_guard_give(guard);
}

static enum stj_status create_done(const struct stj_retraining *work, struct stj_retrained **done,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_retrained *d = NULL;
    STJ_TRY(stj_new(&d, 1, sizeof *d, err));
    *done = d;
    d->log = work->log;
    d->n_params = stj_problem_n_params(work->problem);
    d->n_copies = work->n_copies;
    STJ_TRY(stj_new(&d->record, d->n_copies, sizeof *d->record, err));
    for (size_t i = 0; i < d->n_copies; i++)
        d->record[i] = SIZE_MAX;
    STJ_TRY(find_records(d, err));
out:
    return st;
}

enum stj_status stj_retrain(const struct stj_retraining *work, struct stj_retrained **done,
                            struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct batch b = {.work = work, .n_params = stj_problem_n_params(work->problem)};
    struct stj_retrained *d = NULL;
    *done = NULL;
    STJ_CHECK(err, work->n_copies < UINT32_MAX, STJ_EINVAL, "%zu copies are too many",
              work->n_copies);
    STJ_TRY(stj_blas_fits(b.n_params, "the number of parameters", err));
    STJ_TRY(create_done(work, &d, err));
    b.done = d;
    STJ_TRY(list_copies(&b, err));
    if (b.n_order > 0)
        run_batch(&b);
    STJ_CHECK(err, b.status == STJ_OK || b.status == STJ_EINTERRUPTED, b.status, "%s",
              b.error.text);
    STJ_CHECK(err, b.n_order == 0 || !atomic_load(&b.stop), STJ_EINTERRUPTED,
              "%s was interrupted: the same command goes on from the %zu of %zu copies that are "
              "finished",
              what, stj_log_n_records(work->log), work->n_copies);
    *done = d;
    d = NULL;
out:
    stj_retrained_destroy(d);
    free(b.order);
    free(b.weight);
    free(b.step);
    return st;
}

void stj_retrained_destroy(struct stj_retrained *done)
{
    if (!done)
        return;
    free(done->record);
    free(done);
}

enum stj_status stj_retrained_theta(struct stj_retrained *done, size_t copy, double *theta,
                                    bool *finite, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    uint64_t flag = 0;
    const size_t bytes = done->n_params * sizeof *theta;
    STJ_TRY(stj_log_read(done->log, done->record[copy], 0, sizeof flag, &flag, err));
    STJ_TRY(stj_log_read(done->log, done->record[copy], sizeof flag, bytes, theta, err));
    *finite = flag != 0;
out:
    return st;
}
