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
 * that end and below 0.03 behind it; or where it is below 0.2 at six: behind the end the values may
 * go on to fall slowly, as a power of m.  Where f falls down a cliff, by 3 or more, looks are
 * closer, m / m' = 1.04, and the basis ends at the first slope below two thirds of the steepest.
 * From these ends on corrections gain more for their products (docs/bottom.md).  The basis does not
 * grow with the number of parameters.
 *
 * d is the value number DAMPING k from below: directions that the window contracts more are
 * inverted only as far as they are known.
 *
 * A look at a large H takes its triangle R = Q'H and inverse iteration with R'R, in blocks: a fifth
 * of the time of all singular values at m = 4000, measured on a random H.  Of values as close as its
 * f came out 7e-4 too large there; a fall of 0.11 between two looks 4 % apart is 4e-3 of f.
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
    SLOW = 6,
    FIRST = 256, /* vectors that there is room for at once */
    LARGE = 1024,
};

static const double least_slope = 0.11, slow_slope = 0.2, look_growth = 1.1;
static const double cliff = 3, cliff_growth = 1.04, foot = 0.67;

/* What a growing basis was like when it was last looked at. */
struct look {
    size_t m, next;
    double f;
    double steepest; /* fall per e-fold of m so far */
    int flat;        /* looks running at which it hardly fell; an end that is clear is two, */
    int slow;        /* and at which it fell slowly */
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

/* The largest singular value of R by power iteration from x, of which the floor of f needs a digit;
 * work: of m numbers. */
static double largest_value(size_t m, const double *r, double *x, double *work)
{
    enum { ROUNDS = 30 };
    double top = 0;
    for (size_t round = 0; round < ROUNDS; round++) {
        stj_scal(m, 1 / stj_nrm2(m, x), x);
        stj_gemv(STJ_BLAS_NO_TRANS, m, m, 1, r, m, x, 0, work);
        top = stj_nrm2(m, work);
        stj_gemv(STJ_BLAS_TRANS, m, m, 1, r, m, work, 0, x);
    }
    return top;
}

enum stj_status stj_window_triangle(size_t m, double *r, size_t k, double *f, struct stj_error *err)
{
    enum { MOST_ROUNDS = 40 };
    static const double settled = 1e-5;
    const size_t p = 2 * k + 8 < m ? 2 * k + 8 : m;
    STJ_FREED double *x = NULL, *small = NULL;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_MUST(stj_new(&x, m, p * sizeof *x, err));
    STJ_MUST(stj_new(&small, p, (p + 1) * sizeof *small, err));
    STJ_MUST(stj_rng_create(0, STJ_STREAM_START, 3, &rng, err));
    stj_rng_fill_normal(rng, m * p, x);
    const double top = largest_value(m, r, x, x + m);
    for (size_t j = 0; j < m; j++) /* a direction that the window forgets whole */
        if (fabs(r[j * m + j]) < DBL_EPSILON * top)
            r[j * m + j] = DBL_EPSILON * top;
    for (size_t round = 0; round < MOST_ROUNDS; round++) {
        const double before = *f;
        STJ_MUST(stj_qr(m, p, x, m, NULL, err));
        stj_trsm(STJ_BLAS_TRANS, m, p, r, x);
        STJ_MUST(stj_qr(m, p, x, m, small, err));
        /* the largest singular values of R^-T on the block */
        STJ_MUST(stj_gesdd(p, p, small, p, small + p * p, NULL, NULL, err));
        *f = 0;
        for (size_t i = 0; i < k; i++)
            *f += log10(fmax(1 / small[p * p + i], 1e-7 * top)) / (double)k;
        if (round > 1 && fabs(*f - before) < settled)
            break;
        stj_trsm(STJ_BLAS_NO_TRANS, m, p, r, x);
    }
    return STJ_OK;
}

/* f of the singular values of H. */
static enum stj_status level_of(const struct stj_krylov *krylov, size_t k, double *f,
                                struct stj_error *err)
{
    const size_t m = krylov->m, rows = m + krylov->b;
    STJ_FREED double *h = NULL, *work = NULL;
    STJ_MUST(stj_krylov_matrix(krylov, &h, err));
    STJ_MUST(stj_new(&work, m, (m >= LARGE ? m : 1) * sizeof *work, err));
    *f = 0;
    if (m >= LARGE) {
        STJ_MUST(stj_qr_triangle(rows, m, h, rows, work, err));
        return stj_window_triangle(m, work, k, f, err);
    }
    STJ_MUST(stj_gesdd(rows, m, h, rows, work, NULL, NULL, err));
    for (size_t i = 0; i < k; i++)
        *f += log10(fmax(work[m - 1 - i], 1e-7 * work[0])) / (double)k;
    return STJ_OK;
}

/* Has the basis come to where more vectors do not help? */
static enum stj_status look_at_basis(const struct stj_krylov *krylov, size_t k, struct look *look,
                                     struct stj_error *err)
{
    const size_t m = krylov->m;
    double f = 0;
    STJ_MUST(level_of(krylov, k, &f, err));
    const double fall =
        look->m == 0 ? (double)INFINITY : (look->f - f) / log((double)m / (double)look->m);
    look->slow = fall < slow_slope ? look->slow + 1 : 0;
    const bool ends =
        look->slow == SLOW || (look->steepest >= cliff && fall < foot * look->steepest);
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
