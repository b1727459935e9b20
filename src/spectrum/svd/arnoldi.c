/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/arnoldi.c: the smallest singular vectors of a product of steps, by products with A
 * alone.
 *
 * Krylov methods on A'A see nothing below sqrt(eps) sigma_1 and converge to nothing at the small
 * end.  What works is that A = J(0 -> n) is the identity plus a term of low numerical rank, that
 * what early steps contract stays contracted, and that a window B = J(0 -> w) costs w/n of a
 * product:
 *
 *     1. A basis of the window, which ends by itself, with the damped inverse P of B
 *        (spectrum/svd/window.c):   B Q_m = Q_{m+b} H,   H = U diag(s) Z'.
 *     2. Seeds S = Q_m Z_p of the p smallest s; p products with A give A S = C R (QR), and
 *        |A S y| = |R y| for every y.
 *     3. Correction.  Of the k smallest pairs of R, v = S y and A v = C R y; the step that would
 *        cancel A v if A were B is t = P A v.  It is orthogonalised into S at the cost of one
 *        product, and R grows; no product with A' is needed.  Repeat while the budget lasts, or,
 *        without one, until the k-th bound falls by less than a tenth in a round.
 *
 * Which window?  With a budget of products, the longest that pays for a basis of 0.42 N vectors, as
 * small networks need it, but a tenth of the steps at least and four tenths at most.  Where its
 * basis ends far within its share, as on large networks, which need no larger one than small
 * networks do, a longer window is taken instead: the basis grows about in proportion to the window,
 * so that m_1 vectors on w_1 of the steps leave for a share of B products
 *
 *     w_2 = sqrt(B w_1 / m_1)
 *
 * at most three tenths of the steps, or half of them where the first contracts hardly anything.
 * Without a budget it is three tenths.
 *
 * The bounds are certified by Courant-Fischer: the i-th smallest singular value of A restricted to
 * any subspace is no less than the i-th smallest of A.
 *
 * Cost: m w/n + p + k per correction, in products with A.  Memory: n (m + 2 p') numbers for p'
 * vectors in S, divided by rows among the ranks, and the H and R of all on each.  It fails, with
 * honest but large bounds, where m cannot reach the rank of B - I.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "parallel/ranks.h"
#include "op/operator.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/svd/svd_method.h"
#include "spectrum/svd/window.h"

enum {
    BLOCK = STJ_WINDOW_BLOCK,
    SEEDS = 2,        /* seeds per wanted pair */
    CORRECTIONS = 50, /* rounds, without a budget; */
    ROUNDS = 10,      /* so many are likely */
    SQUARES = 8,      /* m x m: H, its two factors, two copies, and the 3 of work of dgesdd */
    LEAST = 100,      /* vectors of a basis: 100 to 1300 were seen on networks of 5e4 parameters */
    LIKELY = 1500,    /* and more, and 0.42 N on small ones (docs/bottom.md) */
};

static const double basis_share = 0.66; /* of a budget, for the window's basis */
static const double likely_rank = 0.42; /* of B - I, as a share of N, on small networks */
static const double shortest_window = 0.1, longest_window = 0.3; /* of the steps */
static const double longest_bought = 0.4; /* by a budget that pays for 0.42 N vectors of it */
/* A window whose small values have a mean above 10^-0.3 contracts hardly anything yet. */
static const double hardly_shrinks = -0.3, longest_weak = 0.5;
static const double worth_longer = 1.5; /* than the first window, to begin anew */
static const double least_gain = 0.9;   /* the k-th bound after a correction over that before */
/* Of the memory for vectors: while the basis grows by half, the old one is there beside it. */
static const double memory_of_basis = 0.6, memory_of_space = 0.2;

/* How a budget is spent; costs are in applications of A. */
struct arnoldi_plan {
    struct stj_window_limits window;
    size_t p;                /* seeds */
    size_t k;                /* wanted */
    double total;            /* applications, everything included; INFINITY without a budget */
    size_t room;             /* vectors in S at most */
    enum stj_basis_end most; /* what limits window.m */
};

/* Bytes for vectors: the same on all ranks. */
static double arnoldi_bytes(const struct stj_svd_settings *settings)
{
    return settings->memory_bytes > 0 ? (double)settings->memory_bytes
                                      : (double)stj_memory_available() / 2;
}

/* The basis that so many bytes hold, of which a rank has at most so many rows, with H. */
static double vectors_in(double bytes, size_t rows)
{
    const double row = (double)rows * sizeof(double), square = SQUARES * sizeof(double);
    return (sqrt(row * row + 4 * square * bytes) - row) / (2 * square);
}

/* A limit on the basis, if it is less than what there is. */
static void arnoldi_limit(struct arnoldi_plan *plan, double m, enum stj_basis_end why)
{
    m = fmax(m, 0);
    if (m >= (double)plan->window.m)
        return;
    plan->window.m = (size_t)m;
    plan->most = why;
}

/* The basis of a window that a share of so many products pays for. */
static double arnoldi_window(const struct stj_svd_settings *settings, double products, size_t n,
                             double shortest)
{
    const double m = settings->ncv > 0 ? (double)settings->ncv : likely_rank * (double)n;
    const double longest = isinf(products) ? longest_window : longest_bought;
    return fmax(shortest, fmin(longest, fmax(shortest_window, products / m)));
}

/* For n columns, of which a rank has at most so many rows, and products of this cost, whose
 * shortest prefix is that share of the steps; `used` applications of a budget are gone. */
static struct arnoldi_plan arnoldi_make_plan(const struct stj_svd_settings *given, size_t n,
                                             size_t rows, double cost, double shortest, double used)
{
    struct stj_svd_settings settings = *given;
    if (settings.top > 0 || settings.above > 0)
        settings.ncv = 0; /* it is of the largest */
    const size_t k = settings.bottom;
    const double memory = arnoldi_bytes(&settings);
    const double space = memory_of_space * memory / (double)(rows * sizeof(double));
    const double left =
        settings.max_applications > 0 ? fmax(0, settings.max_applications - used) : INFINITY;
    const double affordable = left / cost;
    struct arnoldi_plan plan = {.k = k,
                                .p = SEEDS * k,
                                .total = left,
                                .window = {.m = n - BLOCK, .all = settings.ncv > 0},
                                .most = STJ_BASIS_COLUMNS};
    /* A small budget has seeds for the wanted pairs alone, one smaller yet for some of them. */
    if (plan.p > n / 2)
        plan.p = n / 2 > k ? n / 2 : k;
    if (affordable < (double)(2 * plan.p + k) || space < (double)plan.p)
        plan.p = k;
    if (affordable < 3 * (double)k)
        plan.p = plan.k = affordable >= 2 ? (size_t)fmin((double)k, affordable / 2) : 0;
    /* A large one leaves a few rounds of corrections, a small one their share, and any of them
     * seeds and residuals. */
    const double beside = (double)(plan.p + plan.k);
    const double share =
        fmin(fmax(basis_share * affordable, affordable - beside - (double)(5 * plan.k + BLOCK)),
             affordable - beside);
    plan.window.k = plan.k;
    plan.window.rest = beside * cost;
    plan.window.fraction = arnoldi_window(&settings, basis_share * affordable, n, shortest);
    if (settings.ncv > 0)
        arnoldi_limit(&plan, (double)settings.ncv, STJ_BASIS_GIVEN);
    else
        /* Fewer than the seeds need are refused, not taken. */
        arnoldi_limit(&plan,
                      fmax((double)(plan.p + BLOCK), vectors_in(memory_of_basis * memory, rows)),
                      STJ_BASIS_MEMORY);
    if (settings.max_applications > 0)
        arnoldi_limit(&plan, share / plan.window.fraction, STJ_BASIS_BUDGET);
    plan.window.m -= plan.window.m % BLOCK;
    plan.room = plan.p + CORRECTIONS * plan.k;
    if ((double)plan.room > space)
        plan.room = (size_t)fmax((double)plan.p, space);
    return plan;
}

/* The growing subspace S with A S = C R. */
struct space {
    struct stj_rows rows;
    size_t p, room;
    double *s, *c;  /* rows.count x room, orthonormal columns */
    double *r;      /* room x room, upper triangular */
    double *sigma;  /* [p] of R, descending */
    double *u, *zt; /* R = U diag(sigma) Z', p x p */
    struct stj_rng *rng;
};

static void space_free(struct space *space)
{
    free(space->s);
    free(space->c);
    free(space->r);
    free(space->sigma);
    free(space->u);
    free(space->zt);
    stj_rng_destroy(space->rng);
}

static enum stj_status space_init(struct space *space, size_t n, size_t room, uint64_t seed,
                                  struct stj_error *err)
{
    *space = (struct space){.rows = stj_rows_of(n), .room = room};
    STJ_MUST(stj_new(&space->s, room, space->rows.count * sizeof *space->s, err));
    STJ_MUST(stj_new(&space->c, room, space->rows.count * sizeof *space->c, err));
    STJ_MUST(stj_new(&space->r, room, room * sizeof *space->r, err));
    STJ_MUST(stj_new(&space->sigma, room, sizeof *space->sigma, err));
    STJ_MUST(stj_new(&space->u, room, room * sizeof *space->u, err));
    STJ_MUST(stj_new(&space->zt, room, room * sizeof *space->zt, err));
    return stj_rng_create(seed, STJ_STREAM_START, 3, &space->rng, err);
}

/* Columns p .. p + b - 1 of s hold new vectors: orthonormalise, multiply, extend R and its SVD. */
static enum stj_status space_extend(struct space *space, struct stj_op *a, size_t b,
                                    struct stj_error *err)
{
    const size_t n = space->rows.count;
    const size_t p = space->p;
    double *s = space->s + p * n;
    double *c = space->c + p * n;
    STJ_FREED double *copy = NULL;
    STJ_MUST(stj_new(&copy, space->room, space->room * sizeof *copy, err));
    /* S grows by what is new of the vectors, */
    STJ_MUST(stj_orthogonalize(&space->rows, p, space->s, b, s, copy, p + b, space->rng, err));
    /* C and R by their products: A S = C R, */
    STJ_MUST(stj_rows_apply(a, STJ_NO_TRANS, b, s, c, err));
    STJ_MUST(stj_orthogonalize(&space->rows, p, space->c, b, c, space->r + p * space->room,
                               space->room, space->rng, err));
    space->p = p + b;
    /* and R = U diag(sigma) Z' has the bounds. */
    for (size_t j = 0; j < space->p; j++)
        memcpy(copy + j * space->p, space->r + j * space->room, space->p * sizeof *copy);
    return stj_gesdd(space->p, space->p, copy, space->p, space->sigma, space->u, space->zt, err);
}

/* The i-th smallest bound, i from 0. */
static double space_bound(const struct space *space, size_t i)
{
    return space->sigma[space->p - 1 - i];
}

/* out (a block of k) <- basis times the k last columns of w, smallest first, after the `skip` last
 * of all; w is p x p, transposed as stored when it is Z'. */
static void space_smallest(const struct space *space, const double *basis, const double *w,
                           bool transposed, size_t skip, size_t k, bool scale, double *coefficients,
                           double *out)
{
    const size_t p = space->p;
    const size_t ld = stj_rows_ld(&space->rows);
    for (size_t j = 0; j < k; j++)
        for (size_t i = 0; i < p; i++) {
            const size_t at = p - 1 - skip - j;
            const double x = transposed ? w[i * p + at] : w[at * p + i];
            coefficients[j * p + i] = scale ? space->sigma[at] * x : x;
        }
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, space->rows.count, k, p, 1, basis, ld,
              coefficients, p, 0, out, ld);
}

/* The bounds so far; their residuals need A'. */
static enum stj_status arnoldi_show(const struct space *space, size_t k, double floor,
                                    const struct stj_svd_budget *budget, struct stj_error *err)
{
    const struct stj_svd_monitor *monitor = &budget->settings->monitor;
    struct stj_svd_view view = {.bottom = true, .applications = stj_svd_used(budget), .wanted = k};
    STJ_FREED double *sigma = NULL;
    if (!monitor->fn)
        return STJ_OK;
    view.k = k < space->p ? k : space->p;
    STJ_MUST(stj_new(&sigma, view.k, sizeof *sigma, err));
    for (size_t i = 0; i < view.k; i++) {
        sigma[i] = space_bound(space, i);
        view.converged += sigma[i] <= floor;
    }
    view.sigma = sigma;
    monitor->fn(monitor->ctx, &view);
    return STJ_OK;
}

/* Known vectors are the first seeds: by Courant-Fischer no bound is larger than theirs.  How
 * many. */
static size_t plant_known(const struct stj_pairs *known, size_t p, struct space *space)
{
    const size_t k = !known ? 0 : known->k < p ? known->k : p;
    if (k > 0)
        stj_rows_cut(&space->rows, k, known->v, space->s);
    return k;
}

/* The seeds from number `first` on, and the products of all. */
static enum stj_status plant_seeds(struct stj_op *a, const struct stj_window *window, size_t first,
                                   size_t all, struct space *space, struct stj_error *err)
{
    STJ_MUST(stj_window_smallest(window, all - first, space->s + first * space->rows.count, err));
    return space_extend(space, a, all, err);
}

/* A window that a basis of the first, ended far within the budget's share, leaves products for; 0:
 * none that is worth it. */
static double longer_window(const struct arnoldi_plan *plan, const struct stj_window *window,
                            double shortest, double left)
{
    if (!window->flat || plan->window.all || isinf(left))
        return 0;
    const double w = window->fraction;
    const double most = window->level > hardly_shrinks ? longest_weak : longest_window;
    const double longer = fmin(most, sqrt(basis_share * left * w / (double)window->m));
    return longer >= worth_longer * w && longer >= w + shortest ? longer : 0;
}

/* Step 1, on the window of the plan or on a longer one. */
static enum stj_status arnoldi_basis(struct stj_op *a, const struct stj_svd_budget *budget,
                                     struct arnoldi_plan *plan, struct stj_window *window,
                                     struct stj_svd_basis *basis, struct stj_error *err)
{
    const double cost = stj_op_cost(a);
    STJ_MUST(stj_window_build(a, budget, &plan->window, window, &basis->stop, err));
    basis->products = (double)window->m * window->cost;
    const double left = (plan->total - basis->products) / cost;
    const double longer = longer_window(plan, window, stj_op_shortest_prefix(a), left);
    if (longer > 0 && basis->stop != STJ_STOP_INTERRUPTED) {
        plan->window.fraction = longer;
        arnoldi_limit(plan, basis_share * left / longer, STJ_BASIS_BUDGET);
        plan->window.m -= plan->window.m % BLOCK;
        stj_window_free(window);
        STJ_MUST(stj_window_build(a, budget, &plan->window, window, &basis->stop, err));
        basis->products += (double)window->m * window->cost;
    }
    basis->ncv = window->m;
    basis->window = window->fraction;
    basis->end = window->flat                          ? STJ_BASIS_FLAT
                 : window->m + BLOCK <= plan->window.m ? STJ_BASIS_BUDGET
                                                       : plan->most;
    return STJ_OK;
}

/* t <- P A v of the k smallest v after `skip`, each A v of length 1: the directions matter, not the
 * lengths. */
static enum stj_status correct(const struct space *space, const struct stj_window *window,
                               size_t skip, size_t k, double *coefficients, double *length,
                               double *t, struct stj_error *err)
{
    const size_t n = space->rows.count;
    space_smallest(space, space->c, space->u, false, skip, k, true, coefficients, t);
    stj_rows_norms(&space->rows, k, t, n, length);
    for (size_t j = 0; j < k; j++)
        if (length[j] > 0)
            stj_scal(n, 1 / length[j], t + j * n);
    return stj_window_invert(window, k, t, err);
}

/* Corrections of k pairs that there are room and products for, beside k residuals and a check of
 * the adjoint. */
static size_t next_round(const struct space *space, const struct stj_svd_budget *budget, size_t k)
{
    const double most = budget->settings->max_applications;
    const double left = (most - stj_svd_used(budget)) / stj_op_cost(budget->a) - (double)k - 1;
    const size_t room = space->room - space->p < k ? space->room - space->p : k;
    return most > 0 ? (size_t)fmin((double)room, fmax(left, 0)) : room;
}

static enum stj_status arnoldi_correct(struct stj_op *a, const struct stj_svd_budget *budget,
                                       const struct arnoldi_plan *plan,
                                       const struct stj_window *window, struct space *space,
                                       struct stj_svd_basis *basis, struct stj_error *err)
{
    const size_t k = plan->k;
    const double round = (double)k * stj_op_cost(a);
    const double floor = stj_op_rounding(a) * window->sigma[0];
    const bool by_itself = isinf(plan->total);
    STJ_FREED double *coefficients = NULL;
    STJ_FREED double *length = NULL;
    STJ_MUST(stj_new(&coefficients, space->room, k * sizeof *coefficients, err));
    STJ_MUST(stj_new(&length, k, sizeof *length, err));
    basis->stop = by_itself ? STJ_STOP_INCOMPLETE : STJ_STOP_MAX_APPLICATIONS;
    STJ_MUST(arnoldi_show(space, k, floor, budget, err));
    for (;;) {
        /* The last round fills S, and all of a small space has the values themselves; or it takes
         * what residuals leave of a budget, for the largest of the wanted. */
        const size_t more = next_round(space, budget, k);
        const double before = space_bound(space, k - 1);
        if (before <= floor) {
            basis->stop = STJ_STOP_FLOOR;
            break;
        }
        if (more == 0 || stj_svd_spent(budget, round + (double)more * stj_op_cost(a), &basis->stop))
            break;
        STJ_MUST(correct(space, window, k - more, more, coefficients, length,
                         space->s + space->p * space->rows.count, err));
        STJ_MUST(space_extend(space, a, more, err));
        basis->products += (double)more * stj_op_cost(a);
        STJ_MUST(arnoldi_show(space, k, floor, budget, err));
        if (by_itself && space_bound(space, k - 1) > least_gain * before)
            break;
    }
    return STJ_OK;
}

/* basis->v and ->u, whole, <- the k smallest directions of the space, smallest first; s and c are
 * given back. */
static enum stj_status space_take_smallest(struct space *space, size_t k,
                                           struct stj_svd_basis *basis, struct stj_error *err)
{
    const size_t n = space->rows.count;
    STJ_FREED double *coefficients = NULL;
    STJ_MUST(stj_new(&coefficients, space->p, k * sizeof *coefficients, err));
    STJ_MUST(stj_new(&basis->v, n, k * sizeof *basis->v, err));
    STJ_MUST(stj_new(&basis->u, n, k * sizeof *basis->u, err));
    STJ_MUST(stj_new(&basis->sigma, k, sizeof *basis->sigma, err));
    space_smallest(space, space->s, space->zt, true, 0, k, false, coefficients, basis->v);
    space_smallest(space, space->c, space->u, false, 0, k, false, coefficients, basis->u);
    free(space->s);
    free(space->c);
    space->s = space->c = NULL;
    STJ_MUST(stj_rows_complete(&space->rows, k, &basis->v, err));
    STJ_MUST(stj_rows_complete(&space->rows, k, &basis->u, err));
    for (size_t i = 0; i < k; i++)
        basis->sigma[i] = space_bound(space, i);
    basis->k = k;
    return STJ_OK;
}

static enum stj_status arnoldi_bottom(struct stj_op *a, const struct stj_svd_budget *budget,
                                      struct stj_svd_basis *basis, struct stj_error *err)
{
    const size_t n = stj_op_n_cols(a);
    struct arnoldi_plan plan =
        arnoldi_make_plan(budget->settings, n, stj_rows_share(n, stj_n_ranks()), stj_op_cost(a),
                          stj_op_shortest_prefix(a), stj_svd_used(budget));
    STJ_HELD(stj_window_free) struct stj_window window = {0};
    STJ_HELD(space_free) struct space space = {0};
    basis->stop = STJ_STOP_MAX_APPLICATIONS;
    if (plan.k == 0)
        return STJ_OK;
    /* Step 1: B Q_m = Q_{m+b} H on the window. */
    STJ_MUST(arnoldi_basis(a, budget, &plan, &window, basis, err));
    if (basis->stop == STJ_STOP_INTERRUPTED)
        return STJ_OK;
    const double left = fmax(0, plan.total - basis->products) / stj_op_cost(a);
    const size_t room = (size_t)fmin(fmin((double)n, (double)plan.room), (double)plan.p + left);
    STJ_MUST(space_init(&space, n, room, budget->settings->seed, err));
    basis->products += (double)plan.p * stj_op_cost(a);
    const size_t known = plant_known(budget->settings->known_bottom, plan.p, &space);
    if (window.m < plan.p) { /* too short for seeds: any directions, which are bounds too */
        stj_rows_fill_normal(&space.rows, space.rng, plan.p - known,
                             space.s + known * space.rows.count);
        STJ_MUST(space_extend(&space, a, plan.p, err));
        basis->sigma_1 = space.sigma[0];
    } else {
        /* Step 2: H = U diag(s) Z', the seeds Q_m Z_p, and A S = C R. */
        STJ_MUST(stj_window_factor(&window, plan.k, err));
        STJ_MUST(plant_seeds(a, &window, known, plan.p, &space, err));
        /* Step 3, while the budget lasts. */
        STJ_MUST(arnoldi_correct(a, budget, &plan, &window, &space, basis, err));
        basis->sigma_1 = window.sigma[0];
    }
    stj_window_free(&window);
    /* The bounds: S and C with the smallest pairs of R. */
    return space_take_smallest(&space, plan.k, basis, err);
}

/* What was seen on large networks, and the share of small ones; within a limit of memory all that
 * it allows. */
static double likely_vectors(const struct stj_svd_settings *s, const struct arnoldi_plan *plan,
                             size_t n)
{
    const double likely = fmin(LIKELY, likely_rank * (double)n);
    const double most = (double)plan->window.m;
    return plan->window.all || s->memory_bytes > 0 ? most : fmin(most, likely);
}

/* The range of vectors, what ends it at the latest, and the share of the steps. */
static void say_method(const struct arnoldi_plan *plan, double likely, struct stj_prediction *p)
{
    const double most = (double)plan->window.m;
    const double share = 100 * plan->window.fraction;
    char steps[32] = "";
    if (!plan->window.all && !isinf(plan->total) && plan->window.fraction < longest_window)
        snprintf(steps, sizeof steps, " to %.0f", 100 * longest_window);
    if (plan->window.all || most <= LEAST)
        stj_predict_method(p, "arnoldi, %.0f vectors on %.0f%s %% of the steps", most, share,
                           steps);
    else
        stj_predict_method(p, "arnoldi, %.0f to %.0f vectors (limit: %s) on %.0f%s %% of the steps",
                           fmin(LEAST, likely), most, stj_basis_words[plan->most], share, steps);
}

/* With P ranks n (m + 2 p') / P + 2 n p numbers, the last term where they divide rows, and 8
 * m^2. */
static enum stj_status arnoldi_predict(const struct stj_svd_settings *s, size_t m, size_t n,
                                       bool bottom, struct stj_prediction *p, struct stj_error *err)
{
    (void)bottom;
    STJ_NEED(
        err, m == n && n >= 2 * s->bottom + BLOCK, STJ_EINVAL,
        "arnoldi needs a square operator with at least 2 bottom + 4 = %zu columns, this one is "
        "%zu x %zu: use method dense",
        2 * s->bottom + BLOCK, m, n);
    const struct arnoldi_plan plan =
        arnoldi_make_plan(s, n, stj_predict_rows(p, n), 1, p->shortest, p->used);
    const double rows = (double)stj_predict_rows(p, n) * sizeof(double);
    const double vectors = likely_vectors(s, &plan, n);
    const double seeds = (double)plan.p;
    const double left =
        fmin(plan.total - vectors * plan.window.fraction - (double)plan.k, (double)plan.room);
    const double space =
        fmax(seeds, isinf(plan.total) ? fmin(left, seeds + ROUNDS * (double)plan.k) : left);
    const double whole = stj_predict_divides(p, n) ? 2 * seeds * (double)n * sizeof(double) : 0;
    stj_predict_products(p, vectors * plan.window.fraction, 0, BLOCK);
    stj_predict_products(p, space, 0, s->bottom);
    stj_predict_phase(
        p, (vectors + 2 * space) * rows + whole + SQUARES * sizeof(double) * vectors * vectors,
        SEEDS * plan.k);  /* at most: with more memory there are more seeds */
    if (!plan.window.all) /* as it grows by half, what was there before is still there */
        stj_predict_phase(p, 1.7 * vectors * rows, BLOCK);
    p->vector_bytes += vectors * vectors * rows;
    stj_predict_svd(p, vectors);
    say_method(&plan, vectors, p);
    return STJ_OK;
}

const struct stj_svd_method stj_svd_arnoldi = {
    .info = {.name = "arnoldi",
             .doc =
                 "smallest only: block Arnoldi on an early window of the steps, corrected on all"},
    .bottom = arnoldi_bottom,
    .predict = arnoldi_predict,
};
