/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/window.c: block Arnoldi on an early window of the steps, with the end of its basis.
 *
 *     B Q_m = Q_{m+b} H,   H = U diag(s) Z'
 *
 * Once m passes the numerical rank of B - I, the small values s fall sharply, and then stop to
 * fall.  With
 *
 *     f(m) = mean over i <= k of log10 max(s_i, 1e-7 s_1),    s_i from below, s_1 the largest
 *     slope = (f(m') - f(m)) / ln(m / m')                     m' and m: looks running
 *
 * the basis ends where the slope is below 0.11 at two looks, m / m' = 1.1: it is 0.4 to 2 before
 * that end and below 0.03 behind it.  Where f falls down a cliff, by 3 or more, looks are closer,
 * m / m' = 1.04, and the basis ends at the first slope below two thirds of the steepest: from there
 * on corrections gain more for their products (docs/bottom.md).  The basis does not grow with the
 * number of parameters.
 *
 * d is the value number DAMPING k from below: directions that the window contracts more are
 * inverted only as far as they are known.
 *
 * Memory: n (m + b) numbers, divided by rows among the ranks, and m^2 / 2 on each, 8 m^2 while H is
 * factored.
 */
#include "spectrum/svd/window.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"
#include "parallel/parallel.h"

enum {
    DAMPING = 2,
    FIRST = 256, /* vectors that there is room for at once */
};

static const double least_slope = 0.11, look_growth = 1.1;
static const double cliff = 3, cliff_growth = 1.04, foot = 0.67;

/* What a growing basis was like when it was last looked at. */
struct look {
    size_t m, next;
    double f;
    double steepest; /* fall per e-fold of m so far */
    int flat;        /* looks running at which it hardly fell; an end that is clear is two */
};

static void show_look(const struct stj_svd_budget *budget, const struct look *look)
{
    const struct stj_svd_monitor *monitor = &budget->settings->monitor;
    const struct stj_svd_view view = {.bottom = true,
                                      .applications = stj_svd_used(budget),
                                      .wanted = budget->settings->bottom,
                                      .basis = look->m,
                                      .level = look->f};
    if (monitor->fn)
        monitor->fn(monitor->ctx, &view);
}

/* Has the basis come to where more vectors do not help? */
static enum stj_status look_at_basis(const struct stj_krylov *krylov, size_t k, struct look *look,
                                     struct stj_error *err)
{
    const size_t m = krylov->m;
    STJ_FREED double *h = NULL;
    STJ_FREED double *sigma = NULL;
    double f = 0;
    STJ_MUST(stj_krylov_matrix(krylov, &h, err));
    STJ_MUST(stj_new(&sigma, m, sizeof *sigma, err));
    STJ_MUST(stj_gesdd(m + krylov->b, m, h, m + krylov->b, sigma, NULL, NULL, err));
    for (size_t i = 0; i < k; i++)
        f += log10(fmax(sigma[m - 1 - i], 1e-7 * sigma[0])) / (double)k;
    const double fall =
        look->m == 0 ? (double)INFINITY : (look->f - f) / log((double)m / (double)look->m);
    const bool ends = look->steepest >= cliff && fall < foot * look->steepest;
    look->flat = ends ? 2 : fall >= least_slope ? 0 : look->flat + 1;
    look->steepest = look->m == 0 ? 0 : fmax(look->steepest, fall);
    look->m = m;
    look->f = f;
    look->next = (size_t)ceil((look->steepest >= cliff ? cliff_growth : look_growth) * (double)m);
    return STJ_OK;
}

enum stj_status stj_window_build(struct stj_op *a, const struct stj_svd_budget *budget,
                                 const struct stj_window_limits *limits, struct stj_window *window,
                                 enum stj_stop *stop, struct stj_error *err)
{
    STJ_HELD(stj_op_destroy_at) struct stj_op *prefix = NULL;
    struct stj_op *b = a;
    struct stj_krylov *krylov = &window->krylov;
    struct look look = {.next = 2 * limits->k > 4 * STJ_WINDOW_BLOCK ? 2 * limits->k
                                                                     : 4 * STJ_WINDOW_BLOCK};
    const size_t first = limits->all || limits->m < FIRST ? limits->m : FIRST;
    *window = (struct stj_window){.fraction = limits->fraction};
    if (limits->fraction < 1) {
        STJ_MUST(stj_op_create_prefix(a, limits->fraction, &prefix, err));
        b = prefix;
    }
    window->cost = stj_op_cost(b);
    const double step = STJ_WINDOW_BLOCK * window->cost;
    STJ_MUST(stj_krylov_init(krylov, stj_op_n_cols(a), STJ_WINDOW_BLOCK, first, limits->m,
                             budget->settings->seed, STJ_STREAM_START, 2, err));
    while (krylov->m + STJ_WINDOW_BLOCK <= limits->m && look.flat < 2) {
        if (stj_svd_spent(budget, step + limits->rest, stop))
            break;
        STJ_MUST(stj_krylov_step(krylov, b, err));
        if (limits->all || krylov->m < look.next)
            continue;
        STJ_MUST(look_at_basis(krylov, limits->k, &look, err));
        show_look(budget, &look);
    }
    window->m = krylov->m;
    window->flat = look.flat >= 2;
    window->level = look.f;
    return STJ_OK;
}

enum stj_status stj_window_factor(struct stj_window *window, size_t k, struct stj_error *err)
{
    const size_t m = window->m;
    const size_t rows = m + window->krylov.b;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    STJ_FREED double *h = NULL;
    STJ_MUST(stj_krylov_matrix(&window->krylov, &h, err));
    STJ_MUST(stj_new(&window->sigma, m, sizeof *window->sigma, err));
    STJ_MUST(stj_new(&window->u, rows, m * sizeof *window->u, err));
    STJ_MUST(stj_new(&window->zt, m, m * sizeof *window->zt, err));
    STJ_MUST(stj_gesdd(rows, m, h, rows, window->sigma, window->u, window->zt, err));
    const size_t at = DAMPING * k < m ? DAMPING * k : m;
    window->damping = fmax(window->sigma[m - at], DBL_EPSILON * window->sigma[0]);
    if (window->damping == 0)
        window->damping = 1;
    return STJ_OK;
}

enum stj_status stj_window_smallest(const struct stj_window *window, size_t p, double *x,
                                    struct stj_error *err)
{
    const struct stj_rows *rows = &window->krylov.rows;
    const size_t m = window->m;
    STJ_FREED double *y = NULL;
    STJ_MUST(stj_new(&y, m, p * sizeof *y, err));
    for (size_t j = 0; j < p; j++)
        for (size_t i = 0; i < m; i++)
            y[j * m + i] = window->zt[i * m + m - 1 - j];
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, rows->count, p, m, 1, window->krylov.q,
              stj_rows_ld(rows), y, m, 0, x, stj_rows_ld(rows));
    return STJ_OK;
}

enum stj_status stj_window_invert(const struct stj_window *window, size_t b, double *t,
                                  struct stj_error *err)
{
    const struct stj_krylov *krylov = &window->krylov;
    const size_t n = krylov->rows.count;
    const size_t ld = stj_rows_ld(&krylov->rows);
    const size_t m = window->m;
    const size_t rows = m + krylov->b;
    const double d2 = window->damping * window->damping;
    STJ_FREED double *c = NULL; /* Q't, then U'Q't, then Z diag() U'Q't */
    STJ_FREED double *e = NULL;
    STJ_MUST(stj_new(&c, rows, b * sizeof *c, err));
    STJ_MUST(stj_new(&e, m, b * sizeof *e, err));
    /* c = Q't, summed over the ranks. */
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, rows, b, n, 1, krylov->q, ld, t, ld, 0, c, rows);
    stj_rows_allreduce_sum(&krylov->rows, rows * b, c);
    /* t <- (I - Q Q') t / (1 + d^2) */
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, b, rows, -1 / (1 + d2), krylov->q, ld, c,
              rows, 1 / (1 + d2), t, ld);
    /* c <- Z diag(s / (s^2 + d^2)) U'c */
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, m, b, rows, 1, window->u, rows, c, rows, 0, e, m);
    for (size_t j = 0; j < b; j++)
        for (size_t i = 0; i < m; i++)
            e[j * m + i] *= window->sigma[i] / (window->sigma[i] * window->sigma[i] + d2);
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, m, b, m, 1, window->zt, m, e, m, 0, c, m);
    /* t += Q_m c */
    stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n, b, m, 1, krylov->q, ld, c, m, 1, t, ld);
    return STJ_OK;
}

void stj_window_free(struct stj_window *window)
{
    stj_krylov_free(&window->krylov);
    free(window->sigma);
    free(window->u);
    free(window->zt);
    *window = (struct stj_window){0};
}
