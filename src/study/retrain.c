/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/retrain.c: a batch of trainings over the threads, with a log of what is finished.
 *
 * Copies with large bases come first, so that the threads end together.  The thread that called is
 * the one that reports progress and asks whether to stop, between the steps of its own copies and,
 * when there are none left for it, while it waits for the others.
 *
 * Several ranks go by rounds: each trains, apart from the others, as many copies as it has threads;
 * then they tell each other how these ended, and rank 0 writes the log.  One rank has a single
 * round, and writes each copy when it ends.
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
#include "parallel/parallel.h"
#include "base/progress.h"
#include "parallel/ranks.h"

static const char what[] = "retraining";

struct stj_retrained {
    struct stj_log *log;
    size_t n_params, n_copies;
    size_t *record; /* of each copy in the log; SIZE_MAX: none yet */
};

/* How a copy ended. */
struct end {
    enum { NOT_YET, LEFT_THE_FINITE, FINITE } kind;
    double *theta; /* [n_params]; before the end, the start */
};

/* What the threads share.  The critical section stj_retrain guards `next`, the log and the first
 * error. */
struct batch {
    const struct stj_retraining *work;
    struct stj_retrained *done;
    size_t n_params;
    size_t *order; /* of the copies that are to be trained */
    size_t n_order;
    size_t n_threads;
    size_t first, last, next; /* order[first .. last) is the round; this rank's next one */
    struct end *end; /* [n_ends]: of this rank's copies of the round, or each thread's last */
    size_t n_ends;
    double *weight, total; /* of the steps of each copy; of everything */
    double others;         /* what other ranks have to do in the round, relative to this one */
    atomic_size_t *step;   /* [n_copies]: finished */
    atomic_bool stop;
    atomic_size_t active; /* threads that are not through */
    enum stj_status status;
    struct stj_error error;
};

struct worker {
    struct batch *batch;
    size_t copy;
    struct end *end; /* its */
    bool reports;    /* the calling thread */
};

/* Steps of a copy. */
static size_t span(const struct stj_retraining *work)
{
    return stj_problem_n_steps(work->problem) - work->from;
}

/* ---- the log: tag copy + 1, a flag of 64 bits, then theta ---- */

static enum stj_status find_records(struct stj_retrained *done, struct stj_error *err)
{
    const size_t bytes = sizeof(uint64_t) + done->n_params * sizeof(double);
    for (size_t i = 0; i < stj_log_n_records(done->log); i++) {
        const uint32_t tag = stj_log_tag(done->log, i);
        STJ_NEED(err, tag >= 1 && tag <= done->n_copies && stj_log_bytes(done->log, i) == bytes,
                 STJ_EFORMAT,
                 "the log of a study has a record that is no copy of it; --force "
                 "computes the study again");
        done->record[tag - 1] = i;
    }
    return STJ_OK;
}

/* Keep a copy that ended. */
static enum stj_status record(struct batch *b, size_t copy, const struct end *end,
                              struct stj_error *err)
{
    const uint64_t flag = end->kind == FINITE;
    const struct stj_log_piece piece[] = {{&flag, sizeof flag},
                                          {end->theta, b->n_params * sizeof *end->theta}};
    STJ_MUST(stj_log_append(b->done->log, (uint32_t)(copy + 1), piece, 2, err));
    b->done->record[copy] = stj_log_n_records(b->done->log) - 1;
    atomic_store(&b->step[copy], span(b->work));
    return STJ_OK;
}

/* ---- progress ---- */

static double weight_done(const struct batch *b, size_t copy)
{
    return b->weight[copy] * (double)atomic_load_explicit(&b->step[copy], memory_order_relaxed);
}

/* Finished copies, the steps of unfinished ones as parts.  Other ranks are taken to be as far with
 * theirs as this one. */
static double finished(const struct batch *b)
{
    double sum = 0, own = 0;
    for (size_t i = 0; i < b->work->n_copies; i++)
        sum += weight_done(b, i);
    for (size_t i = b->first + stj_rank(); b->others > 0 && i < b->last; i += stj_n_ranks())
        own += weight_done(b, b->order[i]);
    return (sum + own * b->others) / b->total * (double)b->work->n_copies;
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
    const struct stj_retraining *work = w->batch->work;
    const size_t n = w->batch->n_params, k = start->k ? start->k : n;
    const struct stj_progress progress = {.fn = on_step, .ctx = w};
    const struct stj_subspace subspace = {start->k, start->basis, start->theta};
    STJ_FREED double *end = NULL;
    STJ_FREED real *state = NULL;
    STJ_MUST(stj_new(&state, (1 + stj_recipe_n_slots(work->recipe)) * k, sizeof *state, err));
    STJ_MUST(stj_new(&end, n, sizeof *end, err));
    for (size_t i = 0; !start->k && i < n; i++)
        state[i] = (real)start->theta[i];
    if (work->slots && !start->k)
        memcpy(state + n, work->slots, stj_recipe_n_slots(work->recipe) * n * sizeof *state);
    STJ_MUST(stj_train_within(work->problem, work->recipe, start->k ? &subspace : NULL, work->from,
                              stj_problem_n_steps(work->problem), state, NULL, NULL, &progress,
                              err));
    const real *last = state + stj_recipe_end(work->recipe) * k;
    if (start->k)
        stj_subspace_point(&subspace, n, last, end);
    for (size_t i = 0; i < n; i++)
        start->theta[i] = start->k ? end[i] : (double)last[i];
    return STJ_OK;
}

/* Take the next copy and its start; *found false: there is none. */
static enum stj_status take(struct worker *w, struct stj_copy *start, bool *found,
                            struct stj_error *err)
{
    struct batch *b = w->batch;
    const size_t at = b->next;
    *found = at < b->last && b->status == STJ_OK && !atomic_load(&b->stop);
    if (!*found)
        return STJ_OK;
    b->next += stj_n_ranks();
    w->copy = b->order[at];
    w->end = &b->end[stj_n_ranks() > 1 ? (at - b->first) / stj_n_ranks() : stj_thread_number()];
    *start = (struct stj_copy){.theta = w->end->theta};
    memset(start->theta, 0, b->n_params * sizeof *start->theta);
    return b->work->begin(b->work->ctx, w->copy, start, err);
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

/* Under the lock: the end of a copy; one that left the finite numbers is a result too. */
static enum stj_status settle(struct worker *w, enum stj_status st, struct stj_error *err)
{
    struct batch *b = w->batch;
    if (st != STJ_OK && st != STJ_ENONFINITE)
        return st;
    w->end->kind = st == STJ_OK ? FINITE : LEFT_THE_FINITE;
    if (st == STJ_ENONFINITE) {
        stj_error_clear(err);
        memset(w->end->theta, 0, b->n_params * sizeof *w->end->theta);
    }
    return stj_n_ranks() > 1 ? STJ_OK : record(b, w->copy, w->end, err);
}

/* Copies, one after another, until none is left. */
static void work_through(struct worker *w)
{
    struct stj_copy start = {.k = 0};
    struct stj_error error = STJ_ERROR_INIT;
    bool found = false;
    enum stj_status st = STJ_OK;
    while (st == STJ_OK) {
#pragma omp critical(stj_retrain)
        st = take(w, &start, &found, &error);
        if (st == STJ_OK && !found)
            break;
        if (st == STJ_OK) {
            st = train_copy(w, &start, &error);
#pragma omp critical(stj_retrain)
            st = settle(w, st, &error);
        }
        free(start.basis);
        start.basis = NULL;
    }
    if (st != STJ_OK) {
#pragma omp critical(stj_retrain)
        fail(w->batch, st, &error);
    }
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

/* Threads whose bases fit the memory together; the same on all ranks. */
static size_t count_threads(const struct batch *b)
{
    const struct stj_retraining *work = b->work;
    const size_t limit = work->memory_bytes ? work->memory_bytes : stj_memory_available() / 2;
    const size_t share = (b->n_order + stj_n_ranks() - 1) / stj_n_ranks();
    size_t most = 0, threads = stj_threads();
    for (size_t i = 0; i < b->n_order; i++)
        most = columns_of(work, b->order[i]) > most ? columns_of(work, b->order[i]) : most;
    const double bytes = (double)most * (double)b->n_params * sizeof(double);
    while (threads > 1 && (double)threads * bytes > (double)limit)
        threads--;
    return stj_ranks_allreduce_min(threads < share ? threads : share);
}

/* The copies that are not in the log, those with many columns first. */
static enum stj_status list_copies(struct batch *b, struct stj_error *err)
{
    const struct stj_retraining *work = b->work;
    const size_t n = work->n_copies, steps = span(work);
    STJ_MUST(stj_new(&b->order, n, sizeof *b->order, err));
    STJ_MUST(stj_new(&b->weight, n, sizeof *b->weight, err));
    STJ_MUST(stj_new(&b->step, n, sizeof *b->step, err));
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
    return STJ_OK;
}

static enum stj_status make_ends(struct batch *b, struct stj_error *err)
{
    const size_t n = b->n_threads + (stj_n_ranks() > 1); /* the last: of another rank's copy */
    STJ_MUST(stj_new(&b->end, n, sizeof *b->end, err));
    b->n_ends = n;
    for (size_t i = 0; i < n; i++)
        STJ_MUST(stj_new(&b->end[i].theta, b->n_params, sizeof *b->end[i].theta, err));
    return STJ_OK;
}

/* The copies from order[first] on that come next. */
static void begin_round(struct batch *b, size_t first)
{
    const size_t n_ranks = stj_n_ranks(), left = b->n_order - first;
    const size_t most = n_ranks > 1 ? n_ranks * b->n_threads : left;
    double own = 0, all = 0;
    b->first = first;
    b->last = first + (most < left ? most : left);
    b->next = first + stj_rank();
    for (size_t i = first; i < b->last; i++) {
        all += b->weight[b->order[i]];
        own += (i - first) % n_ranks == stj_rank() ? b->weight[b->order[i]] : 0;
    }
    b->others = own > 0 ? (all - own) / own : 0;
    for (size_t i = 0; i < b->n_threads; i++)
        b->end[i].kind = NOT_YET;
}

static void train_round(struct batch *b)
{
    struct stj_blas_guard guard = stj_blas_guard_take(1);
    atomic_init(&b->active, b->n_threads);
    stj_ranks_apart();
#pragma omp parallel num_threads((int)b->n_threads)
    {
        struct worker w = {.batch = b, .reports = stj_thread_number() == 0};
        if (w.reports)
            atomic_fetch_sub(&b->active, b->n_threads - stj_team_size());
        work_through(&w);
        if (w.reports)
            wait_for_others(b);
    }
    stj_ranks_together();
    stj_blas_guard_give(guard);
}

/* Of several ranks: every copy of the round that ended, from the rank that trained it. */
static enum stj_status exchange(struct batch *b, struct stj_error *err)
{
    const size_t n_ranks = stj_n_ranks();
    b->others = 0;
    for (size_t i = b->first; n_ranks > 1 && i < b->last; i++) {
        const size_t at = i - b->first, owner = at % n_ranks;
        struct end *end = &b->end[owner == stj_rank() ? at / n_ranks : b->n_threads];
        stj_ranks_bcast_from(owner, &end->kind, sizeof end->kind);
        if (end->kind == NOT_YET)
            continue;
        stj_ranks_bcast_from(owner, end->theta, b->n_params * sizeof *end->theta);
        STJ_MUST(record(b, b->order[i], end, err));
    }
    return STJ_OK;
}

/* All that is in no log; what ended is kept whatever becomes of the rest. */
static enum stj_status run_batch(struct batch *b, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    atomic_init(&b->stop, false);
    b->n_threads = count_threads(b);
    STJ_TRY(stj_ranks_agree(make_ends(b, err), err));
    for (size_t first = 0; first < b->n_order && !report(b); first = b->last) {
        begin_round(b, first);
        train_round(b);
        STJ_TRY(exchange(b, err));
        if (b->status != STJ_OK && b->status != STJ_EINTERRUPTED)
            st = stj_error_set(err, b->status, b->error.file, b->error.line, "%s", b->error.text);
        STJ_TRY(stj_ranks_agree(st, err));
        atomic_store(&b->stop, stj_ranks_allreduce_or(atomic_load(&b->stop)));
    }
    STJ_CHECK(err, !atomic_load(&b->stop), STJ_EINTERRUPTED,
              "%s was interrupted: the same command goes on from the %zu of %zu copies that are "
              "finished",
              what, stj_log_n_records(b->work->log), b->work->n_copies);
out:
    return st;
}

static void batch_free(struct batch *b)
{
    for (size_t i = 0; i < b->n_ends; i++)
        free(b->end[i].theta);
    free(b->end);
    free(b->order);
    free(b->weight);
    free(b->step);
}

static enum stj_status create_done(const struct stj_retraining *work, struct stj_retrained **done,
                                   struct stj_error *err)
{
    struct stj_retrained *d = NULL;
    STJ_MUST(stj_new(&d, 1, sizeof *d, err));
    *done = d;
    d->log = work->log;
    d->n_params = stj_problem_n_params(work->problem);
    d->n_copies = work->n_copies;
    STJ_MUST(stj_new(&d->record, d->n_copies, sizeof *d->record, err));
    for (size_t i = 0; i < d->n_copies; i++)
        d->record[i] = SIZE_MAX;
    return find_records(d, err);
}

enum stj_status stj_retrain(const struct stj_retraining *work, struct stj_retrained **done,
                            struct stj_error *err)
{
    STJ_HELD(batch_free)
    struct batch b = {.work = work, .n_params = stj_problem_n_params(work->problem)};
    STJ_HELD(stj_retrained_destroy_at) struct stj_retrained *d = NULL;
    *done = NULL;
    STJ_NEED(err, work->n_copies < UINT32_MAX, STJ_EINVAL, "%zu copies are too many",
             work->n_copies);
    STJ_MUST(stj_blas_fits(b.n_params, "the number of parameters", err));
    STJ_MUST(create_done(work, &d, err));
    b.done = d;
    STJ_MUST(list_copies(&b, err));
    if (b.n_order > 0)
        STJ_MUST(run_batch(&b, err));
    *done = d;
    d = NULL;
    return STJ_OK;
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
    uint64_t flag = 0;
    const size_t bytes = done->n_params * sizeof *theta;
    STJ_MUST(stj_log_read(done->log, done->record[copy], 0, sizeof flag, &flag, err));
    STJ_MUST(stj_log_read(done->log, done->record[copy], sizeof flag, bytes, theta, err));
    *finite = flag != 0;
    return STJ_OK;
}
