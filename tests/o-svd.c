/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/o-svd.c: singular pairs of operators whose singular values are known.
 *
 * A = U diag(sigma) V' with random orthogonal U, V, applied as a callback.  What is checked is
 * recomputed from the operator, never taken from the solver's report:
 *     orthonormal u and v, |A v - sigma u|, |A'u - sigma v| against the reported residual, and sigma
 *     against the truth.
 * Rounding: products with A have error at most 3 N eps sigma_1 (three N x N products), and singular
 * values move by no more than the norm of the perturbation (Weyl).
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/svd.h>

#include "base/blas.h"
#include "base/memory.h"
#include "expect.h"
#include "known_op.h"
#include "small_run.h"
#include "spectrum/svd/svd_method.h"
#include "spectrum/svd/window.h"

/* U diag(sigma) V', with m rows and n columns. */
struct known {
    size_t m, n, least;
    double *u, *v, *sigma; /* m x least, n x least; sigma descending */
    double *work;
    size_t poison; /* the product with this number gets a NaN; 0: none */
    size_t products;
};

static enum stj_status known_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                   size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)err;
    struct known *k = ctx;
    const bool straight = trans == STJ_NO_TRANS;
    const double *in = straight ? k->v : k->u;
    const double *out = straight ? k->u : k->v;
    const size_t n_in = straight ? k->n : k->m;
    const size_t n_out = straight ? k->m : k->n;
    for (size_t j = 0; j < nvec; j++) {
        stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k->least, 1, n_in, 1, in, n_in, x + j * ldx,
                  n_in, 0, k->work, k->least);
        for (size_t i = 0; i < k->least; i++)
            k->work[i] *= k->sigma[i];
        stj_dgemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, n_out, 1, k->least, 1, out, n_out, k->work,
                  k->least, 0, y + j * ldy, n_out);
        k->products++;
        if (k->products == k->poison)
            y[j * ldy] = NAN;
    }
    return STJ_OK;
}

static struct known *known_create(size_t m, size_t n, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct known *k = calloc(1, sizeof *k);
    *k = (struct known){.m = m, .n = n, .least = m < n ? m : n};
    k->u = normal_numbers(m * k->least, seed);
    k->v = normal_numbers(n * k->least, seed + 1);
    EXPECT_OK(stj_qr(m, k->least, k->u, m, NULL, &err), err);
    EXPECT_OK(stj_qr(n, k->least, k->v, n, NULL, &err), err);
    k->sigma = calloc(k->least, sizeof *k->sigma);
    k->work = calloc(k->least, sizeof *k->work);
    return k;
}

static void known_free(struct known *k)
{
    free(k->u);
    free(k->v);
    free(k->sigma);
    free(k->work);
    free(k);
}

static struct stj_op *known_op(struct known *k)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    EXPECT_OK(stj_op_create(k->m, k->n, known_apply, NULL, k, &op, &err), err);
    return op;
}

/* |x'x - I| of a block. */
static double loss_of_orthogonality(size_t n, size_t k, const double *x)
{
    double worst = 0;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j <= i; j++)
            worst = fmax(worst, fabs(stj_dot(n, x + i * n, x + j * n) - (i == j)));
    return worst;
}

/* Of sigma_i from the true one; where pairs between may lack, from the nearest. */
static double distance(const struct known *k, size_t i, double sigma, bool complete)
{
    double least = fabs(sigma - k->sigma[i]);
    for (size_t j = 0; !complete && j < k->least; j++)
        least = fmin(least, fabs(sigma - k->sigma[j]));
    return least;
}

static void check_pairs(const char *name, struct known *k, struct stj_op *op,
                        const struct stj_svd_result *r, double tol, bool complete)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_pairs *p = &r->top;
    const double rounding = 3 * (double)(k->m + k->n) * DBL_EPSILON * k->sigma[0];
    double *av = calloc(k->m + k->n, sizeof *av);
    double *atu = av + k->m;
    ck_assert_msg(loss_of_orthogonality(k->n, p->k, p->v) <= 1e-13, "%s: v not orthonormal", name);
    ck_assert_msg(loss_of_orthogonality(k->m, p->k, p->u) <= 1e-13, "%s: u not orthonormal", name);
    for (size_t i = 0; i < p->k; i++) {
        EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, p->v + i * k->n, k->n, av, k->m, &err), err);
        EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, p->u + i * k->m, k->m, atu, k->n, &err), err);
        stj_axpy(k->m, -p->sigma[i], p->u + i * k->m, av);
        stj_axpy(k->n, -p->sigma[i], p->v + i * k->n, atu);
        const double residual = stj_nrm2(k->n, atu);
        ck_assert_msg(stj_nrm2(k->m, av) <= rounding, "%s: |A v - sigma u| = %g", name,
                      stj_nrm2(k->m, av));
        ck_assert_msg(fabs(residual - p->residual[i]) <= rounding,
                      "%s: pair %zu: residual %g, reported %g", name, i, residual, p->residual[i]);
        ck_assert_msg(residual <= tol * k->sigma[0] + rounding, "%s: pair %zu: residual %g", name,
                      i, residual);
        ck_assert_msg(distance(k, i, p->sigma[i], complete) <= residual + rounding,
                      "%s: sigma_%zu = %.17g, true %.17g", name, i + 1, p->sigma[i], k->sigma[i]);
    }
    free(av);
}

/* Solve and check everything; the caller's budget must be enough. */
static void solve_and_check(const char *name, struct known *k, size_t top, const char *method,
                            uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_settings settings = stj_svd_settings_default();
    struct stj_svd_result *r = NULL;
    struct stj_op *op = known_op(k);
    char label[96];
    snprintf(label, sizeof label, "%s (%s, seed %zu)", name, method ? method : "auto",
             (size_t)seed);
    settings.top = top;
    settings.method = method;
    settings.seed = seed;
    settings.max_applications = 20000;
    EXPECT_OK(stj_svd_solve(op, &settings, &r, &err), err);
    const enum stj_stop want =
        k->sigma[0] > 0 || r->ncv == k->n ? STJ_STOP_CONVERGED : STJ_STOP_INVARIANT_SUBSPACE;
    ck_assert_msg(!(r->residual_excess > 1), "%s: excess %g", label, r->residual_excess);
    ck_assert_msg(r->stop == want && r->top.k == top && r->converged == top,
                  "%s: %zu of %zu pairs, %zu converged, stop %s", label, r->top.k, top,
                  r->converged, stj_stop_text(r->stop));
    const struct stj_op_counts counts = stj_op_get_counts(op);
    ck_assert_double_eq(counts.jvp, r->counts.jvp);
    ck_assert_double_eq(counts.vjp, r->counts.vjp);
    ck_assert_double_eq(counts.jvp + counts.vjp, (double)k->products);
    check_pairs(label, k, op, r, settings.tol, true);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
}

/* Bounds of the smallest: no lower than the truth, consistent with the operator, counted
 * honestly. */
static void check_bottom(const char *name, struct known *k, struct stj_op *op,
                         const struct stj_svd_result *r)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_pairs *p = &r->bottom;
    const double rounding = 3 * (double)(k->m + k->n) * DBL_EPSILON * fmax(k->sigma[0], DBL_MIN);
    size_t converged = 0;
    double *av = calloc(k->m + k->n, sizeof *av);
    double *atu = av + k->m;
    ck_assert_msg(loss_of_orthogonality(k->n, p->k, p->v) <= 1e-12, "%s: v not orthonormal", name);
    for (size_t i = 0; i < p->k; i++) {
        const double truth = k->sigma[k->least - 1 - i];
        EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, p->v + i * k->n, k->n, av, k->m, &err), err);
        EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, p->u + i * k->m, k->m, atu, k->n, &err), err);
        ck_assert_msg(p->sigma[i] >= truth - rounding, "%s: bound %zu is %.17g, below %.17g", name,
                      i, p->sigma[i], truth);
        ck_assert_msg(i == 0 || p->sigma[i] >= p->sigma[i - 1], "%s: not ascending", name);
        stj_axpy(k->m, -p->sigma[i], p->u + i * k->m, av);
        stj_axpy(k->n, -p->sigma[i], p->v + i * k->n, atu);
        ck_assert_msg(stj_nrm2(k->m, av) <= rounding, "%s: |A v - sigma u| = %g", name,
                      stj_nrm2(k->m, av));
        ck_assert_msg(fabs(stj_nrm2(k->n, atu) - p->residual[i]) <= rounding,
                      "%s: residual %g, reported %g", name, stj_nrm2(k->n, atu), p->residual[i]);
        converged += p->residual[i] <= r->tol * r->sigma_1 || p->sigma[i] <= r->floor;
    }
    ck_assert_msg(converged == r->bottom_converged, "%s: %zu converged, reported %zu", name,
                  converged, r->bottom_converged);
    ck_assert_msg(r->floor <= 1e-12 * fmax(k->sigma[0], DBL_MIN), "%s: floor %g", name, r->floor);
    free(av);
}

/* Spectra of an operator of n columns. */
static double identity(size_t i, size_t n)
{
    (void)i;
    (void)n;
    return 1;
}
static double multiple(size_t i, size_t n)
{
    (void)i;
    (void)n;
    return 1e-7;
}
static double clusters(size_t i, size_t n)
{
    return 1 + (double)(n / 5 - i / 5);
}
static double deficient(size_t i, size_t n)
{
    return i < n / 3 ? 2 - (double)i / (double)n : 0;
}
static double graded(size_t i, size_t n)
{
    return pow(10, 6 - 22 * (double)i / (double)(n - 1));
}
static double bulk(size_t i, size_t n)
{
    return i < n / 8 ? 20 * pow(0.9, (double)i) + 1 : i < 6 * n / 8 ? 1 : 0.5;
}
static double zero(size_t i, size_t n)
{
    (void)i;
    (void)n;
    return 0;
}

static const struct {
    const char *name;
    double (*sigma)(size_t i, size_t n);
} spectra[] = {
    {"identity", identity},
    {"multiple of the identity", multiple},
    {"clusters of five", clusters},
    {"rank deficient", deficient},
    {"graded from 1e6 to 1e-16", graded},
    {"bulk", bulk},
    {"zero", zero},
};

enum { N_SPECTRA = sizeof spectra / sizeof spectra[0] };

/* Those that iterate for the largest. */
static const char *const iterative[] = {"arpack", "lanczos"};
enum { N_ITERATIVE = sizeof iterative / sizeof iterative[0] };

START_TEST(known_spectra_are_found)
{
    static const size_t shapes[][2] = {{100, 100}, {120, 80}, {80, 120}};
    for (size_t s = 0; s < 3; s++) {
        struct known *k = known_create(shapes[s][0], shapes[s][1], 40 + s);
        for (size_t i = 0; i < k->least; i++)
            k->sigma[i] = spectra[_i].sigma(i, k->least);
        solve_and_check(spectra[_i].name, k, 7, NULL, s);
        k->products = 0;
        solve_and_check(spectra[_i].name, k, 7, "dense", s);
        k->products = 0;
        solve_and_check(spectra[_i].name, k, 7, "lanczos", s);
        known_free(k);
    }
}
END_TEST

/* The dense method finds them all; the iterative one stays within its budget whatever the
 * spectrum. */
START_TEST(smallest_are_bounded)
{
    static const char *const methods[] = {"dense", "arnoldi"};
    struct stj_error err = STJ_ERROR_INIT;
    for (size_t m = 0; m < 2; m++)
        for (size_t seed = 0; seed < 3; seed++) {
            struct known *k = known_create(90, 90, 140 + seed);
            struct stj_op *op = known_op(k);
            struct stj_svd_settings s = stj_svd_settings_default();
            struct stj_svd_result *r = NULL;
            for (size_t i = 0; i < k->least; i++)
                k->sigma[i] = spectra[_i].sigma(i, k->least);
            s.top = 0;
            s.bottom = 6;
            s.method = methods[m];
            s.seed = seed;
            s.max_applications = 120;
            EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
            ck_assert_uint_eq(r->bottom.k, 6);
            ck_assert_msg(k->products <= 120, "%s (%s): %zu products", spectra[_i].name, methods[m],
                          k->products);
            check_bottom(spectra[_i].name, k, op, r);
            for (size_t i = 0; m == 0 && i < 6; i++)
                ck_assert_double_eq_tol(r->bottom.sigma[i], k->sigma[k->least - 1 - i],
                                        1000 * DBL_EPSILON * k->sigma[0] + DBL_MIN);
            stj_svd_result_destroy(r);
            stj_op_destroy(op);
            known_free(k);
        }
}
END_TEST

/* What the method is made for: the identity plus a term of low rank that contracts some
 * directions. */
START_TEST(contracted_directions_of_a_low_rank_change_are_found)
{
    struct stj_error err = STJ_ERROR_INIT;
    enum { NN = 300, RANK = 40, K = 8 };
    double *a = calloc((size_t)NN * NN, sizeof *a);
    double *v = normal_numbers((size_t)NN * RANK, 7);
    struct stj_op *op = NULL;
    struct stj_svd_result *r = NULL;
    struct stj_svd_settings s = stj_svd_settings_default();
    EXPECT_OK(stj_qr(NN, RANK, v, NN, NULL, &err), err);
    for (size_t i = 0; i < NN; i++)
        a[i * NN + i] = 1;
    for (size_t k = 0; k < RANK; k++) /* v_k contracted to 10^-(k/2), the last half grown */
        for (size_t j = 0; j < NN; j++)
            for (size_t i = 0; i < NN; i++)
                a[j * NN + i] += ((k < RANK / 2 ? pow(10, -(double)k / 2) : (double)k) - 1) *
                                 v[k * NN + i] * v[k * NN + j];
    EXPECT_OK(stj_op_create_dense(NN, NN, a, NN, &op, &err), err);
    s.top = 0;
    s.bottom = K;
    s.method = "arnoldi";
    s.max_applications = 150;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    /* u = A v / sigma is known to eps sigma_1 / sigma only, so residuals of the smallest stay
     * large; the bounds do not depend on u. */
    for (size_t i = 0; i < K; i++)
        ck_assert_double_eq_tol(r->bottom.sigma[i], pow(10, -(double)(RANK / 2 - 1 - i) / 2),
                                1e-10);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    free(a);
    free(v);
}
END_TEST

START_TEST(tiny_operators_and_all_pairs)
{
    for (size_t n = 1; n <= 4; n++)
        for (size_t top = 1; top <= n; top++) {
            struct known *k = known_create(n, n, 60 + n);
            for (size_t i = 0; i < n; i++)
                k->sigma[i] = (double)(n - i);
            solve_and_check("tiny", k, top, NULL, 3);
            known_free(k);
        }
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    struct known *k = known_create(5, 5, 70);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = stj_svd_settings_default();
    s.top = 6;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "top is 6", err);
    s.top = 0;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "top is 0", err);
    s.top = 2;
    s.tol = 1e-17;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "tol is 1e-17", err);
    s.tol = 1e-8;
    s.ncv = 2;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "ncv is 2", err);
    s.ncv = 0;
    for (s.block = 1; s.block <= 9; s.block += 8)
        EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "between 2 and 8", err);
    s.block = 2;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "only method lanczos", err);
    s.block = 0;
    s.method = "lanczos"; /* 5 columns have no room for two blocks beside the pairs */
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_EINVAL, "use method dense", err);
    s.method = "arpak";
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_ECONFIG, "arpack", err);
    ck_assert_ptr_null(r);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* Arrays that are larger than the free memory are refused before any product; a smaller basis is
 * let through, and the one for the smallest keeps within the memory where its size is not said. */
START_TEST(memory_is_asked_for_before)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    struct known *k = known_create(2000, 2000, 71);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = stj_svd_settings_default();
    for (size_t i = 0; i < 2000; i++)
        k->sigma[i] = bulk(i, 2000);
    stj_memory_agree(2000 * 8 * 300);
    s.top = 5;
    s.ncv = 400;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_ENOMEM, "largest", err);
    s.method = "dense";
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_ENOMEM, "--method", err);
    s = stj_svd_settings_default();
    s.top = 0;
    s.bottom = 2;
    s.method = "arnoldi";
    s.ncv = 400;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_ENOMEM, "smallest", err);
    ck_assert_double_eq(stj_op_get_counts(op).jvp + stj_op_get_counts(op).vjp, 0);
    s.ncv = 40;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_msg(r->bottom_ncv == 40 && r->bottom_end == STJ_BASIS_GIVEN, "%zu basis vectors",
                  r->bottom_ncv);
    stj_svd_result_destroy(r);
    r = NULL;
    s.ncv = 0;
    s.memory_bytes = (size_t)2000 * 8 * 24;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_msg(r->bottom_ncv <= 14 && r->bottom.k == 2 && r->bottom_end == STJ_BASIS_MEMORY,
                  "%zu basis vectors, end %d", r->bottom_ncv, (int)r->bottom_end);
    stj_svd_result_destroy(r);
    r = NULL;
    s.memory_bytes = 1; /* never fewer than the seeds are made of */
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_msg(r->bottom_ncv >= s.bottom, "%zu basis vectors", r->bottom_ncv);
    stj_memory_agree(0);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

START_TEST(a_product_with_nan_is_named)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    struct known *k = known_create(100, 100, 80);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = stj_svd_settings_default();
    for (size_t i = 0; i < 100; i++)
        k->sigma[i] = bulk(i, 100);
    k->poison = 9;
    s.top = 3;
    EXPECT_FAIL(stj_svd_solve(op, &s, &r, &err), STJ_ENONFINITE, "product 9", err);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* A budget ends the iteration, is kept, and is the stop reason. */
START_TEST(budgets_are_kept)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    struct known *k = known_create(200, 200, 90);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = stj_svd_settings_default();
    for (size_t i = 0; i < 200; i++)
        k->sigma[i] = 1 + 1e-3 * (double)(200 - i); /* hard: no gaps */
    s.top = 5;
    s.max_applications = 40;
    s.method = iterative[_i];
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_int_eq(r->stop, STJ_STOP_MAX_APPLICATIONS);
    ck_assert_msg(r->counts.jvp + r->counts.vjp <= 40, "%g applications",
                  r->counts.jvp + r->counts.vjp);
    ck_assert_uint_lt(r->converged, 5);
    check_pairs("budget", k, op, r, 1, false);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* What a monitor was shown. */
struct seen {
    size_t calls, converged;
    double applications;
    double sigma_1;
    bool ordered, bottom;
};

static void see(void *ctx, const struct stj_svd_view *view)
{
    struct seen *seen = ctx;
    seen->ordered = seen->ordered && view->applications >= seen->applications &&
                    view->k <= view->wanted && view->converged <= view->k;
    for (size_t i = 1; i < view->k; i++)
        seen->ordered = seen->ordered && (view->bottom ? view->sigma[i] >= view->sigma[i - 1]
                                                       : view->sigma[i] <= view->sigma[i - 1]);
    seen->calls++;
    seen->converged = view->converged;
    seen->applications = view->applications;
    seen->sigma_1 = view->k ? view->sigma[0] : 0;
    seen->bottom = view->bottom;
}

/* A monitor sees the values converge, and changes nothing. */
START_TEST(a_monitor_sees_the_values_converge)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct known *k = known_create(300, 300, 95);
    struct stj_op *op = known_op(k);
    for (size_t i = 0; i < 300; i++)
        k->sigma[i] = 1 + 20 * pow(0.9, (double)i);
    for (int end = 0; end < 2; end++) {
        struct stj_svd_result *r[2] = {NULL, NULL};
        struct seen seen = {.ordered = true};
        struct stj_svd_settings s = stj_svd_settings_default();
        s.top = end == 0 ? 10 : 0;
        s.bottom = end == 0 ? 0 : 10;
        s.method = end == 0 ? iterative[_i] : "arnoldi";
        s.max_applications = 400;
        for (int watched = 0; watched < 2; watched++) {
            s.monitor.fn = watched ? see : NULL;
            s.monitor.ctx = &seen;
            EXPECT_OK(stj_svd_solve(op, &s, &r[watched], &err), err);
        }
        const struct stj_pairs *a = end == 0 ? &r[0]->top : &r[0]->bottom;
        const struct stj_pairs *b = end == 0 ? &r[1]->top : &r[1]->bottom;
        ck_assert(seen.calls > 1 && seen.ordered && seen.bottom == (end == 1));
        ck_assert_uint_eq(a->k, b->k);
        ck_assert_int_eq(memcmp(a->sigma, b->sigma, a->k * sizeof *a->sigma), 0);
        /* The last look comes before the last product: an estimate from below, or a bound from
         * above. */
        if (end == 0)
            ck_assert_msg(seen.sigma_1 <= a->sigma[0] * (1 + 1e-12) &&
                              seen.sigma_1 > a->sigma[0] * (1 - 1e-9) && seen.converged > 0,
                          "sigma_1 %.17g shown, %.17g found; %zu converged", seen.sigma_1,
                          a->sigma[0], seen.converged);
        else
            ck_assert_msg(seen.sigma_1 >= a->sigma[0] * (1 - 1e-12), "%.17g shown, %.17g found",
                          seen.sigma_1, a->sigma[0]);
        stj_svd_result_destroy(r[0]);
        stj_svd_result_destroy(r[1]);
    }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* 43 values above 1.5, the least of them 1.6; a bulk at 1; 57 values below 0.5. */
static void set_regions(struct known *k)
{
    for (size_t i = 0; i < k->least; i++)
        k->sigma[i] = i < 43              ? 6 - 0.1 * (double)(i + 1)
                      : i < k->least - 57 ? 1 + 1e-3 * ((double)i / (double)k->least - 0.5)
                                          : 0.4 * (double)(k->least - i) / 57;
}

/* All above a threshold, however many: from an estimate, from a hint that is far too low, and
 * densely. */
START_TEST(everything_above_a_threshold_is_found)
{
    static const char *const methods[] = {NULL, "arpack", "lanczos", "dense"};
    struct stj_error err = STJ_ERROR_INIT;
    struct known *k = known_create(600, 600, 120);
    struct stj_op *op = known_op(k);
    set_regions(k);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        for (double hint = 0; hint <= 3; hint += 3) {
            struct stj_svd_result *r = NULL;
            struct stj_svd_settings s = stj_svd_settings_default();
            s.top = 0;
            s.above = 1.5;
            s.count_above = hint;
            s.method = methods[i];
            s.seed = 5 + i;
            EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
            ck_assert_msg(r->top.k == 43 && r->requested == 43 && r->converged == 43 &&
                              r->straddling == 0 && r->stop == STJ_STOP_CONVERGED,
                          "%s: %zu pairs, %zu converged, %zu straddling", r->method, r->top.k,
                          r->converged, r->straddling);
            check_pairs("above", k, op, r, s.tol, true);
            stj_svd_result_destroy(r);
        }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* An estimate from the count, or from a guess that says so. */
START_TEST(a_threshold_has_a_prediction)
{
    struct stj_svd_settings s = stj_svd_settings_default();
    struct stj_prediction twenty = {.shortest = 0.01};
    struct stj_prediction guess = twenty;
    struct stj_prediction counted = twenty;
    stj_svd_predict(&s, 5000, 5000, &twenty);
    s.top = 0;
    s.above = 1.5;
    stj_svd_predict(&s, 5000, 5000, &guess);
    ck_assert_str_eq(guess.method, "arpack, ncv 48, count unknown: assumes 20");
    /* 2 probes of 30 steps count first */
    ck_assert_double_eq_tol(stj_predicted_applications(&guess),
                            stj_predicted_applications(&twenty) + 120, 1e-9);
    s.count_above = 95;
    stj_svd_predict(&s, 5000, 5000, &counted);
    ck_assert_str_eq(counted.method, "arpack, ncv 276"); /* of 115: a tenth and ten more */
    s.above = 0;
    s.below = 0.5;
    guess = (struct stj_prediction){.shortest = 0.01};
    stj_svd_predict(&s, 5000, 5000, &guess);
    ck_assert_msg(strstr(guess.method, "arnoldi") && strstr(guess.method, "assumes 20"), "%s",
                  guess.method);
    /* Few columns: that many products, and not those of as many as there are rows. */
    s = stj_svd_settings_default();
    guess = (struct stj_prediction){.shortest = 0.01};
    stj_svd_predict(&s, 5000, 30, &guess);
    ck_assert_double_le(stj_predicted_applications(&guess), 2 * 30);
    ck_assert_double_lt(stj_predict_peak(&guess), 5000. * 100 * sizeof(double));
}
END_TEST

/* A threshold that is a singular value: whether it lies above cannot be told, and that is said. */
START_TEST(pairs_at_the_threshold_are_told)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    struct known *k = known_create(600, 600, 121);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = stj_svd_settings_default();
    set_regions(k);
    s.top = 0;
    s.above = k->sigma[20];
    s.tol = 1e-7;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    /* 20 values are above for certain; the one at the threshold is listed if its interval reaches
     * above */
    ck_assert_msg(r->top.k - r->straddling == 20 && r->straddling <= 1, "%zu pairs, %zu straddling",
                  r->top.k, r->straddling);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

START_TEST(everything_below_a_threshold_is_found)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    struct known *k = known_create(600, 600, 122);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = stj_svd_settings_default();
    set_regions(k);
    s.top = 0;
    s.below = 0.5;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_uint_eq(r->bottom.k, 57);
    ck_assert_uint_eq(r->bottom_requested, 57);
    for (size_t i = 0; i < 57; i++)
        ck_assert_double_eq_tol(r->bottom.sigma[i], k->sigma[599 - i], 1e-12);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* A solve cut short gives what it has: Ritz pairs, lower bounds of the true values, true residuals,
 * and no more applications than were allowed. */
START_TEST(a_solve_cut_short_gives_certified_pairs)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct known *k = known_create(400, 400, 123);
    struct stj_op *op = known_op(k);
    for (size_t i = 0; i < 400; i++)
        k->sigma[i] = 20 * pow(0.97, (double)i);
    for (double budget = 3; budget <= 243; budget += 24) {
        struct stj_svd_result *r = NULL;
        struct stj_svd_settings s = stj_svd_settings_default();
        s.top = 30;
        s.max_applications = budget;
        EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
        ck_assert_msg(r->counts.jvp + r->counts.vjp <= budget, "budget %g: %g applications", budget,
                      r->counts.jvp + r->counts.vjp);
        ck_assert_msg(r->top.k > 0 || budget < 8, "budget %g: no pair", budget);
        check_pairs("cut short", k, op, r, 1, false);
        for (size_t i = 0; i < r->top.k; i++)
            ck_assert_msg(r->top.sigma[i] <= k->sigma[i] * (1 + 1e-13),
                          "budget %g: sigma_%zu = %.17g, true %.17g", budget, i + 1,
                          r->top.sigma[i], k->sigma[i]);
        if (r->stop == STJ_STOP_MAX_APPLICATIONS && budget > 200)
            ck_assert_uint_ge(r->converged, 1);
        stj_svd_result_destroy(r);
    }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

static struct stj_svd_result *solve_once(struct stj_op *op, struct stj_svd_settings s)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    return r;
}

/* Any budget gives bounds, no lower than the truth, and is kept. */
START_TEST(small_budgets_give_bounds)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct known *k = known_create(300, 300, 130);
    struct stj_op *op = known_op(k);
    for (size_t i = 0; i < 300; i++)
        k->sigma[i] = i < 250 ? 1 + 1e-3 * (double)(250 - i) : pow(10, -0.2 * (double)(i - 249));
    for (double budget = 1; budget < 200; budget = 1 + 1.5 * budget) {
        struct stj_svd_result *r = NULL;
        struct stj_svd_settings s = stj_svd_settings_default();
        s.top = 0;
        s.bottom = 10;
        s.method = "arnoldi";
        s.max_applications = budget;
        EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
        ck_assert_msg(r->counts.jvp + r->counts.vjp <= budget, "budget %g: %g applications", budget,
                      r->counts.jvp + r->counts.vjp);
        ck_assert_msg(r->bottom.k == (budget < 20 ? (size_t)(budget / 2) : 10),
                      "budget %g: %zu pairs", budget, r->bottom.k);
        ck_assert_int_eq(r->stop, STJ_STOP_MAX_APPLICATIONS);
        for (size_t i = 0; i < r->bottom.k; i++)
            ck_assert_msg(r->bottom.sigma[i] >= k->sigma[299 - i] * (1 - 1e-10) - 1e-14,
                          "budget %g: bound %zu is %g, the truth %g", budget, i, r->bottom.sigma[i],
                          k->sigma[299 - i]);
        stj_svd_result_destroy(r);
    }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* Looks at large bases take inverse iteration: to what all singular values of R give, of spectra that
 * fall slowly, that have a gap, and that reach the floor. */
START_TEST(the_smallest_values_of_a_triangle_are_what_all_say)
{
    enum { M = 240, K = 5 };
    static const double fall[] = {0.3, 2, 12};
    struct stj_error err = STJ_ERROR_INIT;
    double *a = normal_numbers((size_t)M * M, 31 + (uint64_t)_i), *r = calloc(M * M, sizeof *r);
    double *sigma = calloc(M, sizeof *sigma);
    double truth = 0, f = 0;
    /* the rows of a random matrix, ever smaller */
    for (size_t j = 0; j < M; j++)
        for (size_t i = 0; i < M; i++)
            a[i + j * M] *= pow(10, -fall[_i] * (double)i / M) * (i >= M - 3 ? 1e-2 : 1);
    EXPECT_OK(stj_qr_triangle(M, M, a, M, r, &err), err);
    memcpy(a, r, (size_t)M * M * sizeof *a);
    EXPECT_OK(stj_gesdd(M, M, a, M, sigma, NULL, NULL, &err), err);
    for (size_t i = 0; i < K; i++)
        truth += log10(fmax(sigma[M - 1 - i], 1e-7 * sigma[0])) / K;
    EXPECT_OK(stj_window_triangle(M, r, K, &f, &err), err);
    /* the floor is of sigma_1 by power iteration */
    ck_assert_msg(fabs(f - truth) < 1e-4 + (_i == 2 ? 1e-2 : 0), "%d: %.9g instead of %.9g", _i, f,
                  truth);
    free(a);
    free(r);
    free(sigma);
}
END_TEST

/* A budget that pays for a share of N on a few steps only: the bounds are bounds, and lie well below
 * 1, which those of a window of a few steps do not.  Without one the basis ends by itself. */
START_TEST(a_basis_that_ends_by_itself_gives_bounds)
{
    enum { K = 4 };
    static const struct small_spec spec = {
        .network = "{input: [30], layers: [{type: dense, units: 40}, relu, {type: dense, units: "
                   "8}], loss: softmax_cross_entropy}",
        .optimizer = "{type: sgd}",
        .schedule = "{schedule: constant, peak: 0.5}",
        .rows = 40,
        .batch = 20,
        .steps = 24,
        .seed = 3};
    struct small_run *run = small_run_create(&spec);
    struct stj_op *op = small_run_jacobian(run, 0, 24, 0, 0);
    struct stj_svd_settings s = stj_svd_settings_default();
    s.top = 0;
    s.bottom = K;
    s.method = "dense";
    struct stj_svd_result *truth = solve_once(op, s);
    s.method = "arnoldi";
    s.max_applications = 96;
    struct stj_svd_result *r = solve_once(op, s);
    ck_assert_msg(r->bottom_ncv < run->n / 5 && r->counts.jvp + r->counts.vjp <= 96,
                  "%zu vectors, %g products", r->bottom_ncv, r->counts.jvp + r->counts.vjp);
    for (size_t i = 0; i < K; i++)
        ck_assert_msg(r->bottom.sigma[i] >= truth->bottom.sigma[i] - 1e-13 &&
                          r->bottom.sigma[i] <= 0.1,
                      "bound %zu: %g, truth %g", i, r->bottom.sigma[i], truth->bottom.sigma[i]);
    stj_svd_result_destroy(r);
    /* A budget is spent but for a check of the adjoint, though rounds of corrections take K. */
    for (double budget = 93; budget < 93 + K; budget++) {
        s.max_applications = budget;
        r = solve_once(op, s);
        const double used = r->counts.jvp + r->counts.vjp;
        ck_assert_msg(used <= budget && used > budget - 2, "budget %g: %g products", budget, used);
        stj_svd_result_destroy(r);
    }
    s.max_applications = 0;
    r = solve_once(op, s);
    ck_assert_msg(r->bottom_end == STJ_BASIS_FLAT && r->bottom_ncv < run->n / 2 &&
                      r->bottom_window == 0.3,
                  "end %d, %zu vectors on %g of the steps", (int)r->bottom_end, r->bottom_ncv,
                  r->bottom_window);
    stj_svd_result_destroy(truth);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* A pair that the list lacks is proved to be missing; of a complete list nothing is said. */
START_TEST(a_missing_pair_is_noticed)
{
    enum { K = 12 };
    struct stj_error err = STJ_ERROR_INIT;
    struct known *k = known_create(500, 500, 124);
    struct stj_op *op = known_op(k);
    for (size_t i = 0; i < 500; i++)
        k->sigma[i] = i < 3 ? 9 : i < K ? 9 - 0.5 * (double)i : 1; /* sigma_1 three times */
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct stj_svd_settings s = stj_svd_settings_default();
        struct stj_svd_outside outside = {0};
        struct stj_svd_look look = {
            .k = K, .v = k->v, .level = k->sigma[K - 1], .sigma_1 = 9, .products = 50};
        s.seed = seed;
        const struct stj_svd_budget budget = {
            .settings = &s, .a = op, .begin = stj_op_get_counts(op)};
        EXPECT_OK(stj_svd_look_outside(op, &budget, &look, &outside, &err), err);
        ck_assert_msg(outside.checked && outside.missed == 0 && outside.sigma <= 1 + 1e-12,
                      "seed %zu: %zu missed, sigma %.17g", (size_t)seed, outside.missed,
                      outside.sigma);
        look.k = K - 1; /* lacks the first */
        look.v = k->v + 500;
        EXPECT_OK(stj_svd_look_outside(op, &budget, &look, &outside, &err), err);
        ck_assert_msg(outside.missed == 1 && outside.sigma > k->sigma[K - 1],
                      "seed %zu: %zu missed, sigma %g", (size_t)seed, outside.missed,
                      outside.sigma);
    }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* r <- the `top` largest, or all above, from known ones. */
static struct stj_svd_result *solve_from(struct stj_op *op, const struct stj_svd_result *known,
                                         struct stj_svd_settings s)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *r = NULL;
    s.size = sizeof s;
    s.known_top = known ? &known->top : NULL;
    s.known_bottom = known ? &known->bottom : NULL;
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    return r;
}

static double used(const struct stj_svd_result *r)
{
    return r->counts.jvp + r->counts.vjp;
}

/* 30 from 20 known cost less than anew, and are as good: orthonormal, with residuals within the
 * tolerance, and so (Weyl) within that of the truth and of what the dense method finds. */
START_TEST(known_pairs_are_not_looked_for_again)
{
    static const size_t shapes[][2] = {{400, 400}, {500, 400}, {400, 500}};
    const size_t *shape = shapes[_i / N_ITERATIVE];
    struct known *k = known_create(shape[0], shape[1], 400 + (uint64_t)_i);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = {
        .top = 20, .tol = 1e-10, .method = iterative[_i % N_ITERATIVE], .seed = 3};
    for (size_t i = 0; i < k->least; i++)
        k->sigma[i] = 20 * pow(0.97, (double)i);
    struct stj_svd_result *twenty = solve_from(op, NULL, s);
    s.top = 30;
    struct stj_svd_result *anew = solve_from(op, NULL, s);
    k->products = 0;
    struct stj_svd_result *grown = solve_from(op, twenty, s);
    ck_assert_double_eq((double)k->products, used(grown));
    s.method = "dense";
    struct stj_svd_result *dense = solve_from(op, twenty, s);
    /* Lanczos anew comes with u and sigma, which saves products to finish; beyond known pairs not. */
    ck_assert_msg(used(grown) <= (_i % N_ITERATIVE == 0 ? 0.85 : 0.97) * used(anew),
                  "%g products from known pairs, %g anew", used(grown), used(anew));
    ck_assert_msg(grown->top.k == 30 && grown->converged == 30 && grown->requested == 30 &&
                      grown->outside.checked && grown->outside.missed == 0 &&
                      grown->residual_excess <= 1 && grown->stop == STJ_STOP_CONVERGED,
                  "%zu pairs, %zu converged, excess %g", grown->top.k, grown->converged,
                  grown->residual_excess);
    check_pairs("grown", k, op, grown, s.tol, true);
    ck_assert_uint_eq(dense->top.k, 30);
    for (size_t i = 0; i < 30; i++)
        ck_assert_double_eq_tol(grown->top.sigma[i], dense->top.sigma[i],
                                (s.tol + 6 * (double)(k->m + k->n) * DBL_EPSILON) * k->sigma[0]);
    stj_svd_result_destroy(twenty);
    stj_svd_result_destroy(anew);
    stj_svd_result_destroy(grown);
    stj_svd_result_destroy(dense);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* What is asked for is known: the same bits, and no product; by a number or by a threshold. */
START_TEST(known_pairs_that_are_enough_are_cut)
{
    struct known *k = known_create(300, 300, 410);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = {.top = 20, .tol = 1e-10};
    for (size_t i = 0; i < k->least; i++)
        k->sigma[i] = 20 * pow(0.9, (double)i);
    struct stj_svd_result *twenty = solve_from(op, NULL, s);
    k->products = 0;
    for (size_t by_count = 0; by_count < 2; by_count++) {
        s.top = by_count ? 12 : 0;
        s.above = by_count ? 0 : 20 * pow(0.9, 11.5);
        struct stj_svd_result *r = solve_from(op, twenty, s);
        ck_assert_msg(r->top.k == 12 && r->requested == 12 && r->converged == 12 &&
                          r->stop == STJ_STOP_CONVERGED,
                      "%zu of %zu pairs", r->top.k, r->requested);
        ck_assert_str_eq(r->method, "known");
        ck_assert_uint_eq(k->products, 0);
        ck_assert_int_eq(memcmp(r->top.sigma, twenty->top.sigma, 12 * sizeof(double)), 0);
        ck_assert_int_eq(memcmp(r->top.u, twenty->top.u, 12 * k->m * sizeof(double)), 0);
        ck_assert_int_eq(memcmp(r->top.v, twenty->top.v, 12 * k->n * sizeof(double)), 0);
        stj_svd_result_destroy(r);
    }
    stj_svd_result_destroy(twenty);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* Any spectrum, repeated values and rank deficiency included; and where the known pairs lack one of
 * the largest. */
START_TEST(known_pairs_of_any_spectrum_are_completed)
{
    for (uint64_t seed = 0; seed < 3 * N_ITERATIVE; seed++) {
        struct known *k = known_create(200, 200, 420 + seed);
        struct stj_op *op = known_op(k);
        struct stj_svd_settings s = {.top = 7,
                                     .tol = 1e-10,
                                     .method = iterative[seed % N_ITERATIVE],
                                     .seed = seed,
                                     .max_applications = 20000};
        for (size_t i = 0; i < k->least; i++)
            k->sigma[i] = spectra[_i].sigma(i, k->least);
        struct stj_svd_result *seven = solve_from(op, NULL, s);
        for (size_t lacking = 0; lacking < 2; lacking++) {
            struct stj_svd_result part = {.top = seven->top};
            part.top.k -= lacking;
            part.top.sigma += lacking;
            part.top.residual += lacking;
            part.top.cosine += lacking;
            part.top.u += lacking * k->m;
            part.top.v += lacking * k->n;
            s.top = 12;
            struct stj_svd_result *r = solve_from(op, &part, s);
            ck_assert_msg(r->top.k == 12 && r->converged == 12, "%s, seed %zu: %zu of %zu",
                          spectra[_i].name, (size_t)seed, r->converged, r->top.k);
            check_pairs(spectra[_i].name, k, op, r, s.tol, true);
            stj_svd_result_destroy(r);
        }
        stj_svd_result_destroy(seven);
        stj_op_destroy(op);
        known_free(k);
    }
}
END_TEST

START_TEST(everything_above_a_lower_threshold_is_found_from_known_pairs)
{
    struct known *k = known_create(600, 600, 430);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = {.above = 3.05, .tol = 1e-10, .method = iterative[_i]};
    set_regions(k);
    for (size_t i = 0; i < 3; i++) { /* likely counts: right, too low, unknown */
        s.above = 3.05;
        s.count_above = 29;
        struct stj_svd_result *some = solve_from(op, NULL, s);
        ck_assert_uint_eq(some->top.k, 29);
        s.above = 1.5;
        s.count_above = i == 0 ? 43 : i == 1 ? 3 : 0;
        struct stj_svd_result *anew = solve_from(op, NULL, s);
        struct stj_svd_result *all = solve_from(op, some, s);
        ck_assert_msg(all->top.k == 43 && all->requested == 43 && all->converged == 43 &&
                          all->straddling == 0 && all->stop == STJ_STOP_CONVERGED,
                      "%zu pairs, %zu converged", all->top.k, all->converged);
        ck_assert_msg(used(all) < used(anew), "%g products, %g anew", used(all), used(anew));
        check_pairs("above", k, op, all, s.tol, true);
        stj_svd_result_destroy(some);
        stj_svd_result_destroy(anew);
        stj_svd_result_destroy(all);
    }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* Budgets are kept, down to one that is too small to finish anything: then the known pairs are what
 * there is.  Pairs that are not good enough are found anew, and pairs of another operator are
 * refused. */
START_TEST(known_pairs_do_not_excuse)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_result *none = NULL;
    struct known *k = known_create(400, 400, 440);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = {.top = 20, .tol = 1e-10, .method = iterative[_i]};
    for (size_t i = 0; i < 400; i++)
        k->sigma[i] = 20 * pow(0.97, (double)i);
    struct stj_svd_result *twenty = solve_from(op, NULL, s);
    s.tol = 1e-3;
    struct stj_svd_result *coarse = solve_from(op, NULL, s);
    s.tol = 1e-10;
    s.top = 30;
    for (double budget = 1; budget <= 161; budget += 16) {
        s.max_applications = budget;
        struct stj_svd_result *r = solve_from(op, twenty, s);
        ck_assert_msg(used(r) <= budget, "budget %g: %g applications", budget, used(r));
        ck_assert_msg(r->top.k >= 20 && r->converged >= 20, "budget %g: %zu of %zu converged",
                      budget, r->converged, r->top.k);
        check_pairs("budget", k, op, r, 1, false);
        stj_svd_result_destroy(r);
    }
    s.max_applications = 0;
    struct stj_svd_result *r = solve_from(op, coarse, s);
    ck_assert_uint_eq(r->converged, 30);
    check_pairs("anew", k, op, r, s.tol, true);
    stj_svd_result_destroy(r);
    s.size = sizeof s;
    s.known_top = &twenty->top;
    twenty->top.n_rows = 7;
    EXPECT_FAIL(stj_svd_solve(op, &s, &none, &err), STJ_EMISMATCH, "7 x 400", err);
    twenty->top.n_rows = 400;
    double *v = twenty->top.v;
    twenty->top.v = NULL;
    EXPECT_FAIL(stj_svd_solve(op, &s, &none, &err), STJ_EINVAL, "lack", err);
    twenty->top.v = v;
    stj_svd_result_destroy(twenty);
    stj_svd_result_destroy(coarse);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* What is left of 20 known pairs costs less, in a plan too. */
START_TEST(known_pairs_are_planned_with)
{
    const struct stj_pairs known = {.k = 20};
    struct stj_svd_settings s = {.top = 30};
    struct stj_prediction anew = {.ranks = 1};
    struct stj_prediction grown = {.ranks = 1};
    stj_svd_predict(&s, 5000, 5000, &anew);
    s.known_top = &known;
    stj_svd_predict(&s, 5000, 5000, &grown);
    ck_assert_str_eq(anew.method, "arpack, ncv 72");
    ck_assert_str_eq(grown.method, "arpack, ncv 30");
    ck_assert(stj_predicted_applications(&grown) < stj_predicted_applications(&anew));
    s.top = 12;
    grown = (struct stj_prediction){.ranks = 1};
    stj_svd_predict(&s, 5000, 5000, &grown);
    ck_assert_double_eq(stj_predicted_applications(&grown), 0);
}
END_TEST

/* From known vectors no bound is larger than theirs, however small the budget, and it is kept. */
START_TEST(known_bounds_of_the_smallest_are_not_lost)
{
    struct known *k = known_create(300, 300, 450);
    struct stj_op *op = known_op(k);
    struct stj_svd_settings s = {
        .bottom = 5, .tol = 1e-10, .method = "arnoldi", .max_applications = 250};
    for (size_t i = 0; i < 300; i++)
        k->sigma[i] = i < 250 ? 1 + 1e-3 * (double)(250 - i) : pow(10, -0.2 * (double)(i - 249));
    struct stj_svd_result *five = solve_from(op, NULL, s);
    s.bottom = 8;
    for (double budget = 16; budget <= 200; budget *= 2) {
        s.max_applications = budget;
        struct stj_svd_result *eight = solve_from(op, five, s);
        ck_assert_msg(used(eight) <= budget && eight->bottom.k == 8, "budget %g: %g, %zu bounds",
                      budget, used(eight), eight->bottom.k);
        check_bottom("from known", k, op, eight);
        for (size_t i = 0; i < 5; i++)
            ck_assert_msg(
                eight->bottom.sigma[i] <= five->bottom.sigma[i] + 600 * DBL_EPSILON * k->sigma[0],
                "budget %g: bound %zu is %g, known was %g", budget, i, eight->bottom.sigma[i],
                five->bottom.sigma[i]);
        stj_svd_result_destroy(eight);
    }
    stj_svd_result_destroy(five);
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* Every method predicts in its own name what it serves, some products and some memory. */
static void check_prediction(const struct stj_svd_method *method, bool bottom)
{
    struct stj_svd_settings s = stj_svd_settings_default();
    struct stj_prediction p = {.shortest = 0.01};
    s.top = bottom ? 0 : 5;
    s.bottom = bottom ? 5 : 0;
    s.method = method->info.name;
    stj_svd_predict(&s, 1000, 1000, &p);
    ck_assert_msg(strncmp(p.method, s.method, strlen(s.method)) == 0, "%s predicts for %s",
                  s.method, p.method);
    ck_assert_msg(stj_predicted_applications(&p) > 10 && stj_predict_peak(&p) >= 5 * 1000 * 8,
                  "%s predicts %g products, %g bytes", s.method, stj_predicted_applications(&p),
                  stj_predict_peak(&p));
}

/* Whoever is in the registry finds what it says it finds, or stays within its budget with what it
 * has. */
START_TEST(every_method_of_the_registry_is_honest)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_svd_method *method = (const struct stj_svd_method *)stj_svd_methods.list[_i];
    if (method->top)
        check_prediction(method, false);
    if (method->bottom)
        check_prediction(method, true);
    for (size_t seed = 0; method->top && seed < 3; seed++) {
        struct known *k = known_create(70, 60, 300 + seed);
        for (size_t i = 0; i < k->least; i++)
            k->sigma[i] = 1 + 20 * pow(0.8, (double)i);
        solve_and_check("decay to a bulk", k, 5, method->info.name, seed);
        known_free(k);
    }
    for (size_t i = 0; method->bottom && i < N_SPECTRA; i++) {
        struct known *k = known_create(60, 60, 320 + i);
        struct stj_op *op = known_op(k);
        struct stj_svd_result *r = NULL;
        struct stj_svd_settings s = stj_svd_settings_default();
        for (size_t j = 0; j < k->least; j++)
            k->sigma[j] = spectra[i].sigma(j, k->least);
        s.top = 0;
        s.bottom = 4;
        s.method = method->info.name;
        s.max_applications = 80;
        EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
        ck_assert_uint_le(k->products, 80);
        check_bottom(spectra[i].name, k, op, r);
        stj_svd_result_destroy(r);
        stj_op_destroy(op);
        known_free(k);
    }
}
END_TEST

/* As many copies of a value as a block has columns are found by the iteration, in every block size
 * and through restarts; one vector leaves them to the looks outside. */
START_TEST(a_block_sees_repeated_values)
{
    enum { COPIES = 4, K = 12 };
    struct stj_svd_settings s = {.top = K, .tol = 1e-5, .max_applications = 20000};
    struct known *k = known_create(400, 300, 460);
    struct stj_op *op = known_op(k);
    for (size_t i = 0; i < k->least; i++)
        k->sigma[i] = 1 + 20 * pow(0.8, (double)(i / COPIES));
    for (size_t block = 2; block <= 8; block++)
        for (size_t i = 0; i < N_ITERATIVE; i++) {
            s.method = iterative[i];
            s.block = i > 0 ? block : 0;
            s.ncv = i > 0 ? K + 3 * block : 0;
            struct stj_svd_result *r = solve_from(op, NULL, s);
            ck_assert_msg(r->converged == K && r->stop == STJ_STOP_CONVERGED,
                          "%s, blocks of %zu: %zu pairs", s.method, block, r->converged);
            ck_assert_msg(i > 0 ? r->outside.added == 0 || block < COPIES : r->outside.added > 0,
                          "%s, blocks of %zu: %zu added", s.method, block, r->outside.added);
            check_pairs("repeated", k, op, r, s.tol, true);
            stj_svd_result_destroy(r);
        }
    stj_op_destroy(op);
    known_free(k);
}
END_TEST

/* A'A leaves the range of doubles where sigma is beyond 1e154, or below 1e-162; J does not. */
START_TEST(values_whose_squares_are_no_doubles_are_found)
{
    enum { N = 60, K = 6 };
    static const double scales[] = {1e160, 1e-160, 1e200, 1e-140, 1};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_svd_settings s = stj_svd_settings_default();
    struct stj_svd_result *r = NULL;
    double sigma[N];
    for (size_t i = 0; i < N; i++)
        sigma[i] = scales[_i] * pow(0.8, (double)i);
    struct known_matrix *matrix = known_matrix_create(N, N, sigma, 7);
    struct stj_op *op = known_matrix_op(matrix);
    for (int i = 0; i < 2 * N_ITERATIVE; i++) {
        const bool above = i >= N_ITERATIVE;
        s.method = iterative[i % N_ITERATIVE];
        s.top = above ? 0 : K;
        s.above = above ? scales[_i] * pow(0.8, K - 0.5) : 0;
        EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
        ck_assert_msg(r->stop == STJ_STOP_CONVERGED && r->top.k == K && r->converged == K &&
                          r->outside.missed == 0,
                      "scale %g: %zu pairs, %zu converged, %zu missed", scales[_i], r->top.k,
                      r->converged, r->outside.missed);
        for (size_t j = 0; j < K; j++)
            ck_assert_double_le(fabs(r->top.sigma[j] / sigma[j] - 1), 1e-12);
        stj_svd_result_destroy(r);
        r = NULL;
    }
    stj_op_destroy(op);
    known_matrix_free(matrix);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("singular pairs of known operators");
    TCase *tc = tcase_create("svd");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, known_spectra_are_found, 0, N_SPECTRA);
    tcase_add_loop_test(tc, smallest_are_bounded, 0, N_SPECTRA);
    tcase_add_loop_test(tc, values_whose_squares_are_no_doubles_are_found, 0, 5);
    tcase_add_test(tc, contracted_directions_of_a_low_rank_change_are_found);
    tcase_add_test(tc, tiny_operators_and_all_pairs);
    tcase_add_test(tc, requests_that_make_no_sense_are_refused);
    tcase_add_test(tc, memory_is_asked_for_before);
    tcase_add_test(tc, a_product_with_nan_is_named);
    tcase_add_loop_test(tc, budgets_are_kept, 0, N_ITERATIVE);
    tcase_add_loop_test(tc, a_monitor_sees_the_values_converge, 0, N_ITERATIVE);
    tcase_add_test(tc, everything_above_a_threshold_is_found);
    tcase_add_test(tc, a_threshold_has_a_prediction);
    tcase_add_test(tc, pairs_at_the_threshold_are_told);
    tcase_add_test(tc, everything_below_a_threshold_is_found);
    tcase_add_test(tc, a_solve_cut_short_gives_certified_pairs);
    tcase_add_test(tc, a_basis_that_ends_by_itself_gives_bounds);
    tcase_add_loop_test(tc, the_smallest_values_of_a_triangle_are_what_all_say, 0, 3);
    tcase_add_test(tc, a_missing_pair_is_noticed);
    tcase_add_test(tc, small_budgets_give_bounds);
    tcase_add_loop_test(tc, known_pairs_are_not_looked_for_again, 0, 3 * N_ITERATIVE);
    tcase_add_test(tc, known_pairs_that_are_enough_are_cut);
    tcase_add_loop_test(tc, known_pairs_of_any_spectrum_are_completed, 0, N_SPECTRA);
    tcase_add_loop_test(tc, everything_above_a_lower_threshold_is_found_from_known_pairs, 0,
                        N_ITERATIVE);
    tcase_add_loop_test(tc, known_pairs_do_not_excuse, 0, N_ITERATIVE);
    tcase_add_test(tc, a_block_sees_repeated_values);
    tcase_add_test(tc, known_pairs_are_planned_with);
    tcase_add_test(tc, known_bounds_of_the_smallest_are_not_lost);
    suite_add_tcase(suite, tc);
    TCase *registry = tcase_create("registry");
    int n_methods = 0;
    while (stj_svd_methods.list[n_methods])
        n_methods++;
    tcase_set_timeout(registry, 60);
    tcase_add_loop_test(registry, every_method_of_the_registry_is_honest, 0, n_methods);
    suite_add_tcase(suite, registry);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
