/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/density/density.c: stochastic Lanczos quadrature: probes, budgets, accuracy asked for.
 *
 * Ubaru, Chen, Saad 2017 and Chen, Trogdon, Ubaru 2021 on the method; the bidiagonalisation, the
 * intervals and the extrapolation are described where they are done.
 *
 *     1. take the known triplets out
 *     2. carry all probes to `steps` steps, as many at a time as the memory has bases for
 *     3. count; stop when the intervals are narrow enough, or nothing was asked
 *     4. more steps where their part of the widest interval is the larger one, else more probes;
 *        again 3
 *     5. the scale, the floor, and what the known triplets missed
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "parallel/ranks.h"
#include "io/scratch.h"
#include "op/operator.h"
#include "spectrum/density/bidiagonalize.h"
#include "spectrum/density/count.h"
#include "spectrum/rows.h"

static const double most_residual = 1e-3; /* of a deflated triplet: it moves sigma by no more */

static const char *const reorthogonalize_text[] = {
    [STJ_REORTHOGONALIZE_AUTO] = "auto",
    [STJ_REORTHOGONALIZE_FULL] = "full",
    [STJ_REORTHOGONALIZE_ONE_SIDED] = "one-sided",
    [STJ_REORTHOGONALIZE_NONE] = "none",
};

enum { N_REORTHOGONALIZE = sizeof reorthogonalize_text / sizeof reorthogonalize_text[0] };

const char *stj_reorthogonalize_text(enum stj_reorthogonalize how)
{
    return (size_t)how < N_REORTHOGONALIZE ? reorthogonalize_text[how] : "unknown";
}

bool stj_reorthogonalize_parse(const char *text, enum stj_reorthogonalize *how)
{
    for (size_t i = 0; text && how && i < N_REORTHOGONALIZE; i++)
        if (strcmp(text, reorthogonalize_text[i]) == 0) {
            *how = (enum stj_reorthogonalize)i;
            return true;
        }
    return false;
}

void stj_density_settings_init(struct stj_density_settings *settings, size_t size)
{
    const struct stj_density_settings defaults = {
        .epsilon = 0.1, .confidence = 0.95, .probes = 8, .steps = 100};
    stj_settings_fill(settings, size, &defaults, sizeof defaults);
}

/* A solve in progress. */
struct solve {
    struct stj_op *a;
    struct stj_density_settings s;
    struct stj_op_counts begin;
    double clock;
    struct stj_deflation deflation;
    struct stj_rows rows; /* of the deflated vectors */
    double *v;            /* of which this rank has its own */
    size_t memory;
    enum stj_reorthogonalize how;
    size_t steps;     /* that probes are carried to, at most n_left */
    size_t in_flight; /* probes of a block */
    size_t n_blocks, room;
    struct stj_bidiagonal **block;
    enum stj_stop stop;
    struct stj_density_result *r;
};

static void density_solve_free(struct solve *w)
{
    for (size_t i = 0; i < w->n_blocks; i++)
        stj_bidiagonal_destroy(w->block[i]);
    free(w->block);
    free(w->v);
    stj_density_result_destroy(w->r);
}

static enum stj_status density_check_settings(const struct stj_op *a,
                                              const struct stj_density_settings *s,
                                              struct stj_error *err)
{
    STJ_MUST(stj_density_check(s->epsilon, s->confidence, err));
    STJ_NEED(err, stj_op_n_cols(a) > 0 && stj_op_n_rows(a) > 0, STJ_EINVAL,
             "the operator of %zu x %zu has no singular values", stj_op_n_rows(a),
             stj_op_n_cols(a));
    STJ_NEED(err, s->probes >= 1, STJ_EINVAL, "probes is 0: take at least one");
    STJ_NEED(err, s->steps >= 1, STJ_EINVAL, "steps is 0: take at least one");
    STJ_NEED(err, (size_t)s->reorthogonalize < N_REORTHOGONALIZE, STJ_EINVAL,
             "reorthogonalize is %d, not one of the four ways", (int)s->reorthogonalize);
    STJ_NEED(err, s->tolerance >= 0 && s->tolerance < 1, STJ_EINVAL,
             "tolerance is %g, a fraction of the number of singular values: 0 (none) to 1",
             s->tolerance);
    STJ_NEED(err, s->max_applications >= 0 && s->max_seconds >= 0, STJ_EINVAL,
             "a budget is negative: max_applications %g, max_seconds %g", s->max_applications,
             s->max_seconds);
    return STJ_OK;
}

/* v less its part in the span of the known vectors; its length.  v has length 1. */
static double leftover_length(const struct solve *w, double *v, double *work)
{
    const size_t n = w->rows.count;
    const size_t ld = stj_rows_ld(&w->rows);
    const size_t k = w->r->n_known;
    for (int pass = 0; pass < 2 && k > 0; pass++) {
        memset(work, 0, k * sizeof *work); /* gemv leaves it where there are no rows */
        stj_gemv(STJ_BLAS_TRANS, n, k, 1, w->v, ld, v, 0, work);
        stj_rows_allreduce_sum(&w->rows, k, work);
        stj_gemv(STJ_BLAS_NO_TRANS, n, k, -1, w->v, ld, work, 1, v);
    }
    return stj_rows_nrm2(&w->rows, v);
}

/* Take over the triplets of a set that are good enough to be deflated and not there yet: vectors of
 * two sets are orthogonal up to their residuals, or the same. */
static enum stj_status take_known_set(struct solve *w, const struct stj_pairs *set, double *work,
                                      struct stj_error *err)
{
    struct stj_density_result *r = w->r;
    const size_t n = r->n_params;
    STJ_NEED(err, set->n_rows == stj_op_n_rows(w->a) && set->n_cols == n, STJ_EMISMATCH,
             "the known triplets are of an operator of %zu x %zu, this one is %zu x %zu",
             set->n_rows, set->n_cols, stj_op_n_rows(w->a), n);
    for (size_t i = 0; i < set->k && r->n_known < n; i++) {
        double *v = w->v + r->n_known * w->rows.count;
        if (!(set->residual[i] <= most_residual))
            continue;
        stj_rows_cut(&w->rows, 1, set->v + i * n, v);
        const double length = leftover_length(w, v, work);
        if (length < 0.5)
            continue;
        stj_scal(w->rows.count, 1 / length, v);
        r->known[r->n_known++] = set->sigma[i];
    }
    return STJ_OK;
}

static int compare_descending(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x < y) - (x > y);
}

static enum stj_status take_known(struct solve *w, struct stj_error *err)
{
    struct stj_density_result *r = w->r;
    const struct stj_pairs *const *set = w->s.known;
    STJ_FREED double *work = NULL;
    size_t most = 0;
    for (size_t i = 0; i < 2; i++)
        most += set[i] ? set[i]->k : 0;
    size_t room = 0;
    w->rows = stj_rows_of(r->n_params);
    STJ_MUST(stj_size_mul(w->rows.count, most, &room, err));
    STJ_MUST(stj_new(&r->known, most, sizeof *r->known, err));
    STJ_MUST(stj_new(&work, most, sizeof *work, err));
    STJ_MUST(stj_new(&w->v, room, sizeof *w->v, err));
    for (size_t i = 0; i < 2; i++)
        if (set[i])
            STJ_MUST(take_known_set(w, set[i], work, err));
    if (r->n_known > 1)
        qsort(r->known, r->n_known, sizeof *r->known, compare_descending);
    r->n_left = r->n_params - r->n_known;
    w->deflation = (struct stj_deflation){r->n_known, w->v};
    return STJ_OK;
}

/* Rows of u and of v that a rank holds, at most. */
static size_t most_rows(const struct solve *w)
{
    return stj_rows_share(stj_op_n_rows(w->a), stj_n_ranks());
}

static size_t most_cols(const struct solve *w)
{
    return stj_rows_share(stj_op_n_cols(w->a), stj_n_ranks());
}

/* Bytes of the bases of one probe, on the rank that holds most. */
static double probe_bytes(const struct solve *w, size_t steps)
{
    return stj_bidiagonal_bytes(most_rows(w), most_cols(w), steps, w->how);
}

static enum stj_status choose_bases(struct solve *w, struct stj_error *err)
{
    w->memory = stj_density_memory(&w->s);
    if (w->s.scratch) { /* the ranks may well all write to one disk */
        STJ_MUST(stj_scratch_free_bytes(w->s.scratch, &w->memory, err));
        w->memory = stj_ranks_allreduce_min(w->memory) / stj_n_ranks();
    }
    w->in_flight =
        stj_density_in_flight(&w->s, most_rows(w), most_cols(w), w->steps, w->memory, &w->how);
    STJ_NEED(
        err, w->in_flight >= 1, STJ_ENOMEM,
        "the basis of one probe of %zu steps needs %.0f MiB, the limit is %zu MiB %s: raise the "
        "memory, keep the bases in scratch files, take fewer steps, or reorthogonalize none",
        w->steps, probe_bytes(w, w->steps) / 1048576, w->memory >> 20,
        w->s.scratch ? "free on the disk" : "of memory");
    return STJ_OK;
}

static size_t count_probes(const struct solve *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_blocks; i++)
        n += stj_bidiagonal_probes(w->block[i]);
    return n;
}

/* Bytes of bases that are kept. */
static double kept_bytes(const struct solve *w, size_t steps)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_blocks; i++)
        if (!stj_bidiagonal_frozen(w->block[i]))
            n += stj_bidiagonal_probes(w->block[i]);
    return (double)n * probe_bytes(w, steps);
}

static bool density_spent(void *ctx, double more)
{
    struct solve *w = ctx;
    const struct stj_op_counts since = stj_op_counts_since(w->a, &w->begin);
    const double used = since.jvp + since.vjp;
    const double total = w->s.tolerance > 0
                             ? w->s.max_applications
                             : 2 * (double)w->s.probes * (double)w->steps * stj_op_cost(w->a);
    if (stj_op_report(w->a, &w->s.progress, "spectral density", used, total, NULL) != STJ_OK)
        w->stop = STJ_STOP_INTERRUPTED;
    else if (w->s.max_applications > 0 && used + more > w->s.max_applications)
        w->stop = STJ_STOP_MAX_APPLICATIONS;
    else if (w->s.max_seconds > 0 && used > 0 &&
             stj_ranks_allreduce_or(stj_clock() - w->clock > w->s.max_seconds))
        w->stop = STJ_STOP_MAX_SECONDS;
    else
        return false;
    return true;
}

/* A block that has not taken its first step is of no use. */
static void drop_empty_block(struct solve *w)
{
    if (w->n_blocks == 0 || stj_bidiagonal_probe(w->block[w->n_blocks - 1], 0)->k > 0)
        return;
    stj_bidiagonal_destroy(w->block[--w->n_blocks]);
}

/* New probes until there are n, block by block. */
static enum stj_status add_probes(struct solve *w, size_t n, bool *stopped, struct stj_error *err)
{
    *stopped = false;
    for (size_t have = count_probes(w); have < n && !*stopped; have = count_probes(w)) {
        const size_t wanted = n - have < w->in_flight ? n - have : w->in_flight;
        const double bytes = (double)wanted * probe_bytes(w, w->steps);
        /* Bases that stand in the way of new ones are given back. */
        if (kept_bytes(w, w->steps) + bytes > (double)w->memory)
            for (size_t i = 0; i < w->n_blocks; i++)
                stj_bidiagonal_freeze(w->block[i]);
        if (w->n_blocks == w->room) {
            STJ_MUST(stj_resize(&w->block, w->room, 2 * w->room + 1, sizeof *w->block, err));
            w->room = 2 * w->room + 1;
        }
        STJ_MUST(stj_bidiagonal_create(w->a, &w->deflation, have, wanted, w->s.seed, w->steps,
                                       w->how, w->s.scratch, &w->block[w->n_blocks], err));
        w->n_blocks++;
        STJ_MUST(stj_bidiagonal_advance(w->block[w->n_blocks - 1], w->steps, density_spent, w,
                                        stopped, err));
        drop_empty_block(w);
    }
    return STJ_OK;
}

static bool can_add_steps(const struct solve *w, size_t steps)
{
    for (size_t i = 0; i < w->n_blocks; i++)
        if (stj_bidiagonal_frozen(w->block[i]))
            return false;
    return steps > w->steps && kept_bytes(w, steps) <= (double)w->memory;
}

static enum stj_status add_steps(struct solve *w, size_t steps, bool *stopped,
                                 struct stj_error *err)
{
    w->steps = steps;
    *stopped = false;
    for (size_t i = 0; i < w->n_blocks && !*stopped; i++)
        STJ_MUST(stj_bidiagonal_advance(w->block[i], steps, density_spent, w, stopped, err));
    return STJ_OK;
}

static void free_probes(struct stj_density_result *r)
{
    for (size_t i = 0; r->probe && i < r->n_probes; i++) {
        free(r->probe[i].alpha);
        free(r->probe[i].beta);
    }
    free(r->probe);
    r->probe = NULL;
    r->n_probes = 0;
}

/* r->probe <- copies of what the blocks have. */
static enum stj_status collect_probes(struct solve *w, struct stj_error *err)
{
    struct stj_density_result *r = w->r;
    free_probes(r);
    r->steps = 0;
    STJ_MUST(stj_new(&r->probe, count_probes(w), sizeof *r->probe, err));
    for (size_t i = 0; i < w->n_blocks; i++)
        for (size_t j = 0; j < stj_bidiagonal_probes(w->block[i]); j++) {
            const struct stj_density_probe *from = stj_bidiagonal_probe(w->block[i], j);
            struct stj_density_probe *to = r->probe + r->n_probes++;
            *to =
                (struct stj_density_probe){.k = from->k, .mass = from->mass, .exact = from->exact};
            STJ_MUST(stj_new(&to->alpha, from->k, sizeof *to->alpha, err));
            STJ_MUST(stj_new(&to->beta, from->k, sizeof *to->beta, err));
            memcpy(to->alpha, from->alpha, from->k * sizeof *to->alpha);
            memcpy(to->beta, from->beta, from->k * sizeof *to->beta);
            r->steps = from->k > r->steps ? from->k : r->steps;
        }
    return STJ_OK;
}

/* sigma_1 and the floor, from the known values and the bidiagonal matrices. */
static enum stj_status measure_scale(struct solve *w, struct stj_error *err)
{
    struct stj_density_result *r = w->r;
    STJ_FREED double *sigma = NULL;
    STJ_MUST(stj_new(&sigma, 2 * r->steps, sizeof *sigma, err));
    r->sigma_1 = 0;
    for (size_t i = 0; i < r->n_known; i++)
        r->sigma_1 = fmax(r->sigma_1, r->known[i]);
    for (size_t i = 0; i < r->n_probes; i++) {
        STJ_MUST(stj_gauss_rule(r->probe + i, r->probe[i].k, sigma, sigma + r->steps, err));
        r->sigma_1 = fmax(r->sigma_1, sigma[0]);
    }
    r->floor = stj_op_rounding(w->a) * r->sigma_1;
    for (size_t i = 0; i < r->n_probes; i++)
        if (r->probe[i].exact)
            r->floor = fmax(r->floor, r->sigma_1 * stj_bidiagonal_tau((double)r->n_params,
                                                                      stj_op_rounding(w->a)));
    return STJ_OK;
}

static enum stj_status density_measure(struct solve *w, struct stj_error *err)
{
    STJ_MUST(collect_probes(w, err));
    STJ_MUST(measure_scale(w, err));
    return stj_density_count_regions(w->r, w->s.epsilon, 0, &w->r->regions, err);
}

/* The region with the widest interval. */
static const struct stj_density_count *widest_count(const struct stj_density_counts *counts)
{
    const struct stj_density_count *c[] = {&counts->chaotic, &counts->bulk, &counts->stable};
    const struct stj_density_count *most = c[0];
    for (size_t i = 1; i < 3; i++)
        if (c[i]->high - c[i]->low > most->high - most->low)
            most = c[i];
    return most;
}

/* As many probes as would make their part of the interval `share` of what is allowed, at least a
 * quarter more and at most twice as many. */
static size_t more_probes(const struct solve *w, const struct stj_density_count *c)
{
    const double have = (double)w->r->n_probes;
    const double allowed = w->s.tolerance * (double)w->r->n_params / 2;
    const double room = allowed * allowed - c->finite_steps * c->finite_steps;
    const double wanted = room > 0 ? have * 1.05 * c->sampling * c->sampling / room : 2 * have;
    return (size_t)ceil(fmin(fmax(wanted, 1.25 * have), 2 * have));
}

/* Steps and probes until the tolerance is met or a budget is spent. */
static enum stj_status density_refine(struct solve *w, struct stj_error *err)
{
    bool stopped = false;
    while (!stopped) {
        const struct stj_density_count *c = widest_count(&w->r->regions);
        if (c->high - c->low <= w->s.tolerance * (double)w->r->n_params)
            break;
        const size_t wish = w->steps + (w->steps + 1) / 2;
        const size_t steps = wish < w->r->n_left ? wish : w->r->n_left;
        const bool hopeless = 2 * c->finite_steps >= w->s.tolerance * (double)w->r->n_params;
        /* Step 4: the larger part of the widest interval decides. */
        if (c->finite_steps > c->sampling && can_add_steps(w, steps)) {
            STJ_MUST(add_steps(w, steps, &stopped, err));
        } else if (hopeless && c->finite_steps > c->sampling) {
            w->stop = STJ_STOP_FLOOR;
            break;
        } else {
            STJ_MUST(add_probes(w, more_probes(w, c), &stopped, err));
        }
        STJ_MUST(density_measure(w, err));
    }
    return STJ_OK;
}

static enum stj_status density_run(struct solve *w, struct stj_error *err)
{
    struct stj_density_result *r = w->r;
    bool stopped = false;
    w->stop = STJ_STOP_CONVERGED;
    w->steps = w->s.steps < r->n_left ? w->s.steps : r->n_left;
    /* Step 2. */
    if (r->n_left > 0) {
        STJ_MUST(choose_bases(w, err));
        STJ_MUST(add_probes(w, w->s.probes, &stopped, err));
        STJ_NEED(err, w->n_blocks > 0 || w->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED,
                 "interrupted before the first step of any probe");
        STJ_NEED(err, w->n_blocks > 0, STJ_EINVAL,
                 "max_applications is %g, one step of %zu probes takes %g: raise it or take fewer "
                 "probes",
                 w->s.max_applications, w->in_flight, 2 * (double)w->in_flight * stj_op_cost(w->a));
    }
    /* Steps 3 and 4. */
    STJ_MUST(density_measure(w, err));
    if (!stopped && w->s.tolerance > 0 && r->n_left > 0)
        STJ_MUST(density_refine(w, err));
    /* Step 5; where all probes ended in invariant subspaces there is no error to speak of. */
    bool exact = true;
    for (size_t i = 0; i < r->n_probes; i++)
        exact = exact && r->probe[i].exact;
    if (w->stop == STJ_STOP_CONVERGED && exact)
        w->stop = STJ_STOP_INVARIANT_SUBSPACE;
    return stj_density_find_missed(r, err);
}

static void density_fill_result(struct solve *w)
{
    struct stj_density_result *r = w->r;
    r->counts = stj_op_counts_since(w->a, &w->begin);
    r->seconds = stj_clock() - w->clock;
    r->stop = w->stop;
    r->seed = w->s.seed;
    r->reorthogonalize = w->how;
    r->in_flight = w->in_flight;
}

enum stj_status stj_density_solve(struct stj_op *a, const struct stj_density_settings *settings,
                                  struct stj_density_result **result, struct stj_error *err)
{
    STJ_GOOD_SETTINGS(err, settings);
    STJ_NOT_NULL(err, a, result);
    STJ_HELD(density_solve_free)
    struct solve w = {.a = a, .s = *settings, .begin = stj_op_get_counts(a), .clock = stj_clock()};
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_MUST(density_check_settings(a, &w.s, err));
    STJ_MUST(stj_new(&w.r, 1, sizeof *w.r, err));
    w.r->n_params = stj_op_n_cols(a);
    w.r->epsilon = w.s.epsilon;
    w.r->confidence = w.s.confidence;
    /* Step 1. */
    STJ_MUST(take_known(&w, err));
    STJ_MUST(density_run(&w, err));
    density_fill_result(&w);
    *result = w.r;
    w.r = NULL;
    return STJ_OK;
}

void stj_density_result_destroy(struct stj_density_result *result)
{
    if (!result)
        return;
    free_probes(result);
    free(result->known);
    free(result);
}
