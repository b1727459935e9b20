/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-honest.c: numbers that go wrong are found: a product that is not finite names step and layer, and
 * products with J and J' check each other, at the price that is promised. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/op.h>

#include "analysis/analyses.h"
#include "analysis/request.h"
#include "analysis/store.h"
#include "base/blas.h"
#include "expect.h"
#include "net/network.h"
#include "op/operator.h"
#include "op/training_jacobian.h"
#include "small_run.h"

static const struct small_spec spec = {
    .network = "{input: [9], layers: [{type: dense, units: 12}, gelu, {type: dense, units: 5}], "
               "loss: softmax_cross_entropy}",
    .optimizer = "{type: sgd, momentum: 0.9}",
    .schedule = "{schedule: constant, peak: 0.3}",
    .rows = 64,
    .batch = 32,
    .steps = 30,
    .seed = 5};

/* A tangent of one layer so large that its products overflow: the message names this layer and, for J x,
 * the first step; for a window, the window's. */
START_TEST(a_product_that_overflows_names_step_and_layer)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&spec);
    const size_t n = stj_network_n_params(run->net);
    const size_t from = _i % 2 ? 11 : 0;
    struct stj_op *op = small_run_jacobian(run, from, 0, 0, 0);
    size_t offset = 0;
    const struct stj_layer *layer = stj_network_layer(run->net, _i < 2 ? 0 : 2, &offset);
    double *x = calloc(3 * n, sizeof *x);
    double *y = calloc(3 * n, sizeof *y);
    char text[128];
    snprintf(text, sizeof text, "(J x) has a NaN or infinity, first in step %zu, layer %s", from,
             layer->label);
    for (size_t i = 0; i < layer->n_params; i++)
        x[n + offset + i] = 1.7e308;
    x[0] = x[2 * n] = 1; /* the columns beside it are fine */
    EXPECT_FAIL(stj_op_apply(op, STJ_NO_TRANS, 3, x, n, y, n, &err), STJ_ENONFINITE, text, err);
    EXPECT_FAIL(stj_op_apply(op, STJ_TRANS, 3, x, n, y, n, &err), STJ_ENONFINITE,
                "(J'y) has a NaN or infinity", err);
    x[n + offset] = (double)NAN;
    EXPECT_FAIL(stj_op_apply(op, STJ_NO_TRANS, 3, x, n, y, n, &err), STJ_ENONFINITE, text, err);
    free(y);
    free(x);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* Whatever the order and widths: at least a check for every 200 products, no more than 1 % more products
 * (of blocks of up to 100), and an error of rounding. */
START_TEST(products_check_each_other)
{
    static const size_t width[] = {1, 7, 16, 100};
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&spec);
    struct stj_op *op = small_run_jacobian(run, 0, 0, 0, 0);
    const size_t n = stj_op_n_cols(op);
    const size_t nvec = width[_i % 4];
    const bool both = _i >= 4;
    double *x = normal_numbers(n * nvec, 1 + (uint64_t)_i);
    double *y = calloc(n * nvec, sizeof *y);
    double wanted = 0;
    EXPECT_OK(stj_op_watch(op, &err), err);
    while (wanted < 1000) {
        EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, nvec, x, n, y, n, &err), err);
        wanted += (double)nvec;
        if (both) {
            EXPECT_OK(stj_op_apply(op, STJ_TRANS, nvec, y, n, x, n, &err), err);
            wanted += (double)nvec;
            const double norm = stj_nrm2(n * nvec, x); /* J'J x grows */
            for (size_t i = 0; i < n * nvec; i++)
                x[i] /= norm;
        }
    }
    const struct stj_op_counts counts = stj_op_get_counts(op);
    const struct stj_self_check check = stj_op_self_check(op);
    const double extra = counts.jvp + counts.vjp - wanted;
    ck_assert_msg((double)check.checks >= floor(wanted / 200), "%zu checks of %g products",
                  check.checks, wanted);
    ck_assert_msg(both ? extra == 0 : extra > 0 && extra <= 0.01 * wanted + 1,
                  "%g more products than the %g wanted", extra, wanted);
    /* Rounding of a sweep: about eps sqrt(steps), times the accumulation over the layers. */
    ck_assert_msg(check.adjoint_error < 1e3 * DBL_EPSILON, "adjoint error %g", check.adjoint_error);
    free(y);
    free(x);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* Of size 1e200, and A' times a factor: the square is out of range, the products and their check are not. */
static enum stj_status huge(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                            size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    const double factor = trans == STJ_TRANS ? *(const double *)ctx : 1;
    (void)err;
    for (size_t j = 0; j < nvec; j++)
        for (size_t i = 0; i < 40; i++)
            y[j * ldy + i] = factor * 1e200 * (double)(i + 1) * x[j * ldx + i];
    return STJ_OK;
}

START_TEST(a_check_stays_in_range)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    double *x = normal_numbers(40, 8);
    double y[40], aty[40], factor = 1;
    EXPECT_OK(stj_op_create(40, 40, huge, NULL, &factor, &op, &err), err);
    EXPECT_OK(stj_op_watch(op, &err), err);
    for (int i = 0; i < 200; i++)
        EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, x, 40, y, 40, &err), err);
    const struct stj_self_check check = stj_op_self_check(op);
    ck_assert(check.checks == 1 && check.adjoint_error < 100 * DBL_EPSILON);
    /* Nor is it blind there. */
    for (int i = 0; i < 40; i++)
        y[i] = 1e105;
    factor = 2;
    EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, x, 40, aty, 40, &err), err);
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, y, 40, aty, 40, &err), err);
    ck_assert(stj_op_self_check(op).checks == 2 && stj_op_self_check(op).adjoint_error > 1e-3);
    stj_op_destroy(op);
    free(x);
}
END_TEST

/* The sweep of tangents of the study growth: a number that is not finite names the step and the layer, and its
 * products are checked as any others. */
START_TEST(growth_is_checked)
{
    enum { NVEC = 450 };
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(&spec);
    const struct stj_training_jacobian_settings settings = {.full_state = true};
    struct stj_op *op = NULL;
    EXPECT_OK(stj_training_jacobian_create(run->problem, &run->recipe, run->trajectory, &settings,
                                           &op, &err),
              err);
    const size_t n = stj_network_n_params(run->net);
    double *x = normal_numbers(n * NVEC, 31);
    double *norm = calloc((spec.steps + 1) * NVEC, sizeof *norm);
    EXPECT_OK(stj_op_watch(op, &err), err);
    EXPECT_OK(stj_training_jacobian_growth(op, NVEC, x, norm, NULL, &err), err);
    const struct stj_self_check check = stj_op_self_check(op);
    const struct stj_op_counts counts = stj_op_get_counts(op);
    ck_assert_msg(check.checks >= NVEC / 200, "%zu checks", check.checks);
    ck_assert(check.adjoint_error > 0 && check.adjoint_error < 1e3 * DBL_EPSILON);
    ck_assert(counts.jvp == NVEC && counts.vjp == (double)check.checks);
    for (size_t i = 0; i < n; i++)
        x[n + i] = 1.7e308;
    EXPECT_FAIL(stj_training_jacobian_growth(op, 3, x, norm, NULL, &err), STJ_ENONFINITE,
                "has a NaN or infinity, first in step 0, layer", err);
    free(norm);
    free(x);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* diag(1, 2, ...), but for one element that A' has otherwise. */
static enum stj_status crooked(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                               size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    const size_t n = 40;
    (void)ctx, (void)err;
    for (size_t j = 0; j < nvec; j++)
        for (size_t i = 0; i < n; i++)
            y[j * ldy + i] = (double)(i + 1) * x[j * ldx + i];
    for (size_t j = 0; j < nvec && trans == STJ_TRANS; j++)
        y[j * ldy + 30] *= 1.001;
    return STJ_OK;
}

START_TEST(a_wrong_adjoint_is_found)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    double *x = normal_numbers(40, 3);
    double y[40];
    EXPECT_OK(stj_op_create(40, 40, crooked, NULL, NULL, &op, &err), err);
    EXPECT_OK(stj_op_watch(op, &err), err);
    for (int k = 0; k < 200; k++)
        EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, x, 40, y, 40, &err), err);
    const struct stj_self_check check = stj_op_self_check(op);
    ck_assert_uint_eq(check.checks, 1);
    /* 0.001 of one of 40 terms of size up to 40^2 x^2, of about 40^3 / 3 in all. */
    ck_assert_msg(check.adjoint_error > 1e-7, "adjoint error %g", check.adjoint_error);
    free(x);
    stj_op_destroy(op);
}
END_TEST

/* The same, but that A' gives a NaN. */
static enum stj_status broken_adjoint(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                      size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    enum stj_status st = crooked(ctx, trans, nvec, x, ldx, y, ldy, err);
    if (trans == STJ_TRANS)
        y[7] = (double)NAN;
    return st;
}

/* The product that is made only for the check is a product like any other. */
START_TEST(a_nan_in_the_check_itself_is_found)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_op *op = NULL;
    double *x = normal_numbers(40, 4);
    double y[40];
    enum stj_status st = STJ_OK;
    int products = 0;
    EXPECT_OK(stj_op_create(40, 40, broken_adjoint, NULL, NULL, &op, &err), err);
    EXPECT_OK(stj_op_watch(op, &err), err);
    while (st == STJ_OK && products < 300) {
        st = stj_op_apply(op, STJ_NO_TRANS, 1, x, 40, y, 40, &err);
        products++;
    }
    ck_assert_msg(st == STJ_ENONFINITE && products <= 200, "%d after %d products", (int)st,
                  products);
    stj_error_clear(&err);
    free(x);
    stj_op_destroy(op);
}
END_TEST

/* diag(n, .., 1) until so many products have been made; then one pair of elements beside the diagonal has come. */
struct drifting {
    double made, until;
};

static enum stj_status drift(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                             size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    struct drifting *d = ctx;
    const size_t n = 90;
    (void)trans, (void)err;
    for (size_t j = 0; j < nvec; j++, d->made++) {
        for (size_t i = 0; i < n; i++)
            y[j * ldy + i] = (double)(n - i) * x[j * ldx + i];
        if (d->made >= d->until) {
            y[j * ldy] += 1e-6 * x[j * ldx + 40];
            y[j * ldy + 40] += 1e-6 * x[j * ldx];
        }
    }
    return STJ_OK;
}

static void remember_warning(void *ctx, const char *text)
{
    snprintf(ctx, 256, "%s", text);
}

/* What whoever asks for three pairs and gets this result is told. */
static void look_at(struct stj_svd_result *r, const struct stj_progress *progress)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_analysis *svd = stj_analysis_find("svd");
    const struct stj_run_part part = {.to = 1};
    const struct stj_analysis_context cx = {.n = r->n_params, .part = &part, .progress = progress};
    void *config = NULL;
    EXPECT_OK(stj_request_parse(svd, "svd from 0 to 1 top 3", &config, &err), err);
    EXPECT_OK(svd->view(&cx, config, r, &err), err);
    stj_analysis_free_config(svd, config);
}

/* It is symmetric all the time, so the products agree with each other: only the residuals show it, and they are
 * far beyond the tolerance that the iteration met. */
START_TEST(an_operator_that_drifts_is_seen_by_its_residuals)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct drifting d = {0, HUGE_VAL};
    struct stj_svd_settings s = stj_svd_settings_default();
    struct stj_svd_result *r = NULL;
    char warned[256] = "";
    const struct stj_progress progress = {.ctx = warned, .warn = remember_warning};
    struct stj_op *op = NULL;
    s.top = 3;
    s.tol = 1e-12;
    s.method = _i % 2 == 0 ? "arpack" : "lanczos";
    s.seed = 17 + (uint64_t)_i;
    EXPECT_OK(stj_op_create(90, 90, drift, NULL, &d, &op, &err), err);
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_msg(r->stop == STJ_STOP_CONVERGED && r->residual_excess <= 1, "stop %s, excess %g",
                  stj_stop_text(r->stop), r->residual_excess);
    look_at(r, &progress);
    ck_assert_str_eq(warned, "");
    d = (struct drifting){0, 2 * r->products}; /* once the iteration is over */
    stj_svd_result_destroy(r);
    EXPECT_OK(stj_op_watch(op, &err), err);
    EXPECT_OK(stj_svd_solve(op, &s, &r, &err), err);
    ck_assert_msg(r->stop == STJ_STOP_INCOMPLETE && r->residual_excess > 1 && r->converged < 3,
                  "seed %d: stop %s, excess %g, %zu converged", (int)s.seed, stj_stop_text(r->stop),
                  r->residual_excess, r->converged);
    if (_i % 2 == 0) /* lanczos compares u from before with products of after */
        ck_assert_msg(stj_op_self_check(op).adjoint_error < 1e-12, "adjoint error %g",
                      stj_op_self_check(op).adjoint_error);
    look_at(r, &progress);
    ck_assert_msg(strstr(warned, "do not trust the result") != NULL, "warned: '%s'", warned);
    stj_svd_result_destroy(r);
    stj_op_destroy(op);
}
END_TEST

/* What a result says of its own checks reaches whoever computes: not a word below rounding's share, a warning
 * for each that is above. */
START_TEST(a_check_that_failed_is_a_warning)
{
    char warned[256] = "";
    const struct stj_progress progress = {.ctx = warned, .warn = remember_warning};
    struct stj_self_check check = {.checks = 3, .adjoint_error = 1e-13, .orthogonality = 1e-13};
    stj_warn_of_check(&check, (double)NAN, &progress);
    ck_assert_str_eq(warned, "");
    check.adjoint_error = 1e-6;
    stj_warn_of_check(&check, (double)NAN, &progress);
    ck_assert_msg(strstr(warned, "1e-06") && strstr(warned, "do not trust"), "'%s'", warned);
    check.adjoint_error = 0;
    check.orthogonality = 1e-3;
    stj_warn_of_check(&check, (double)NAN, &progress);
    ck_assert_msg(strstr(warned, "orthogonality (0.001)"), "'%s'", warned);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("honest numbers");
    TCase *tc = tcase_create("honest");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_product_that_overflows_names_step_and_layer, 0, 4);
    tcase_add_loop_test(tc, products_check_each_other, 0, 8);
    tcase_add_test(tc, a_check_stays_in_range);
    tcase_add_test(tc, growth_is_checked);
    tcase_add_test(tc, a_wrong_adjoint_is_found);
    tcase_add_test(tc, a_nan_in_the_check_itself_is_found);
    tcase_add_loop_test(tc, an_operator_that_drifts_is_seen_by_its_residuals, 0, 5);
    tcase_add_test(tc, a_check_that_failed_is_a_warning);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
