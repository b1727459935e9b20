/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-problem.c: problems of a program's own: callbacks for batches and for rows of them. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spectraj/density.h>
#include <spectraj/svd.h>
#include <spectraj/trace.h>
#include <spectraj/training.h>

#include "expect.h"
#include "op/curvature.h"
#include "scratch.h"

/* L_t(theta) = sum over rows i of  1/2 (x_i . theta)^2 + 1/24 (x_i . theta)^4, rows chosen by t. */
enum { N = 6, ROWS = 40, BATCH = 11, STEPS = 9 };

struct rows {
    double x[ROWS][N];
    bool slow; /* callbacks take so long that others come meanwhile */
    atomic_int inside;
    atomic_int made;     /* calls of linearize */
    atomic_bool crowded; /* two callbacks ran at once */
};

static void enter(struct rows *rows)
{
    if (atomic_fetch_add(&rows->inside, 1) > 0)
        atomic_store(&rows->crowded, true);
    if (rows->slow)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void leave(struct rows *rows)
{
    atomic_fetch_sub(&rows->inside, 1);
}

static void fill(struct rows *rows)
{
    *rows = (struct rows){.slow = false};
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < N; j++)
            rows->x[i][j] = sin(1 + 3.7 * (double)i + 1.3 * (double)j * (double)(i + 1)) / 3;
}

static size_t n_rows(void *ctx, size_t step)
{
    (void)ctx;
    return step == STEPS - 1 ? 1 : BATCH; /* the last batch is smaller */
}

static const double *row(const void *ctx, size_t step, size_t i)
{
    return ((const struct rows *)ctx)->x[(step * 7 + i) % ROWS];
}

static double dot(const double *x, const double *y)
{
    double sum = 0;
    for (size_t j = 0; j < N; j++)
        sum += x[j] * y[j];
    return sum;
}

static enum stj_status gradient_rows(void *ctx, size_t step, size_t first, size_t n,
                                     const double *theta, double *loss, double *g,
                                     struct stj_error *err)
{
    (void)err;
    *loss = 0;
    enter(ctx);
    memset(g, 0, N * sizeof *g);
    for (size_t i = first; i < first + n; i++) {
        const double *x = row(ctx, step, i);
        const double z = dot(x, theta);
        *loss += z * z / 2 + z * z * z * z / 24;
        for (size_t j = 0; j < N; j++)
            g[j] += (z + z * z * z / 6) * x[j];
    }
    leave(ctx);
    return STJ_OK;
}

static enum stj_status hvp_rows(void *ctx, size_t step, size_t first, size_t n, const double *theta,
                                size_t nvec, const double *x, size_t ldx, double *y, size_t ldy,
                                struct stj_error *err)
{
    (void)err;
    enter(ctx);
    for (size_t b = 0; b < nvec; b++) {
        memset(y + b * ldy, 0, N * sizeof *y);
        for (size_t i = first; i < first + n; i++) {
            const double *r = row(ctx, step, i);
            const double z = dot(r, theta);
            const double scale = (1 + z * z / 2) * dot(r, x + b * ldx);
            for (size_t j = 0; j < N; j++)
                y[b * ldy + j] += scale * r[j];
        }
    }
    leave(ctx);
    return STJ_OK;
}

static enum stj_status gradient(void *ctx, size_t step, const double *theta, double *loss,
                                double *g, struct stj_error *err)
{
    return gradient_rows(ctx, step, 0, n_rows(ctx, step), theta, loss, g, err);
}

static enum stj_status hvp(void *ctx, size_t step, const double *theta, size_t nvec,
                           const double *x, size_t ldx, double *y, size_t ldy,
                           struct stj_error *err)
{
    return hvp_rows(ctx, step, 0, n_rows(ctx, step), theta, nvec, x, ldx, y, ldy, err);
}

static const double theta0[N] = {0.3, -1, 0.7, 1.1, -0.2, 0.5};
static const char recipe[] = "{optimizer: {type: adam, eps_root: 1e-8}, "
                             "learning_rate: {schedule: constant, peak: 0.05}, clip_norm: 1.5}";

/* a[N][N] <- the dense Jacobian of the training, theta[N] <- its end; validated on the way. */
static void train(const struct stj_problem_callbacks *callbacks, double *a, double *theta)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_problem *problem = NULL;
    struct stj_training *training = NULL;
    struct stj_op *op = NULL;
    struct stj_validation v;
    const struct stj_training_settings settings = {
        .size = sizeof settings, .recipe = recipe, .theta0 = theta0};
    EXPECT_OK(stj_problem_create(callbacks, &problem, &err), err);
    EXPECT_OK(stj_training_create(problem, &settings, &training, &err), err);
    EXPECT_OK(stj_training_validate(training, 3, N, NULL, &v, &err), err);
    ck_assert_msg(v.passed && v.replay_identical, "adjoint %g, differences %g, dense %g",
                  v.adjoint_error, v.finite_difference_error, v.dense_max_sigma_error);
    EXPECT_OK(stj_training_theta(training, 0, theta, &err), err);
    ck_assert_mem_eq(theta, theta0, sizeof theta0);
    EXPECT_FAIL(stj_training_theta(training, STEPS + 1, theta, &err), STJ_EINVAL,
                "state 10 is wanted, there are 0 to 9", err);
    EXPECT_OK(stj_training_theta(training, STEPS, theta, &err), err);
    ck_assert_double_gt(stj_training_loss_curve(training)[0], 0);
    EXPECT_OK(stj_training_jacobian(training, 0, 0, &op, &err), err);
    EXPECT_OK(stj_op_densify(op, 0, a, N, NULL, &err), err);
    stj_op_destroy(op);
    stj_training_destroy(training);
    stj_problem_destroy(problem);
}

/* Shares of rows add up to the batch: they differ by the rounding of STEPS steps of sums of BATCH
 * products, each below 100 eps, magnified by at most |J|. */
START_TEST(rows_and_whole_batches_train_the_same)
{
    struct rows rows;
    double a[2][N * N];
    double theta[2][N];
    const struct stj_problem_callbacks whole = {.size = sizeof whole,
                                                .n_params = N,
                                                .n_steps = STEPS,
                                                .ctx = &rows,
                                                .gradient = gradient,
                                                .hvp = hvp};
    const struct stj_problem_callbacks sliced = {.size = sizeof sliced,
                                                 .n_params = N,
                                                 .n_steps = STEPS,
                                                 .ctx = &rows,
                                                 .max_rows = BATCH,
                                                 .n_rows = n_rows,
                                                 .gradient_rows = gradient_rows,
                                                 .hvp_rows = hvp_rows};
    fill(&rows);
    train(&whole, a[0], theta[0]);
    train(&sliced, a[1], theta[1]);
    for (size_t j = 0; j < N; j++)
        ck_assert_double_le(fabs(theta[0][j] - theta[1][j]), 1e-12);
    for (size_t j = 0; j < N * N; j++)
        ck_assert_double_le(fabs(a[0][j] - a[1][j]), 1e-10);
}
END_TEST

/* With callbacks that may come together there is a crowd on four threads, or the other half of this
 * test says nothing; with those that must not there is none, and the bits are the same. */
START_TEST(callbacks_come_one_at_a_time)
{
    struct rows rows;
    double a[2][N * N];
    double theta[2][N];
    struct stj_problem_callbacks c = {.size = sizeof c,
                                      .n_params = N,
                                      .n_steps = STEPS,
                                      .ctx = &rows,
                                      .max_rows = BATCH,
                                      .n_rows = n_rows,
                                      .gradient_rows = gradient_rows,
                                      .hvp_rows = hvp_rows};
    stj_set_threads(4);
    for (int i = 0; i < 2; i++) {
        fill(&rows);
        rows.slow = true;
        c.one_at_a_time = i == 1;
        train(&c, a[i], theta[i]);
        ck_assert_int_eq(rows.crowded, i == 0);
    }
    stj_set_threads(0);
    ck_assert_mem_eq(a[0], a[1], sizeof a[0]);
    ck_assert_mem_eq(theta[0], theta[1], sizeof theta[0]);
}
END_TEST

/* L_t(theta) = 1/2 (v . tanh(w) - 1 - t/10)^2, theta = (v, w): with v = 0 the gradient of w is zero
 * at the start, and so are Adam's second moments, whose eps then is the scale on which a training
 * is smooth.  Products may be wrong in one term. */
enum { HALF = 4, LATER = 6 };
enum mistake { NONE, SIGN, PART, CURVATURE, N_MISTAKES }; /* all of them symmetric */

struct head {
    enum mistake mistake;
    double unit; /* of the loss */
};

static enum stj_status head_gradient(void *ctx, size_t step, const double *theta, double *loss,
                                     double *g, struct stj_error *err)
{
    const struct head *head = ctx;
    const double *v = theta, *w = theta + HALF;
    double r = -1 - (double)step / 10;
    (void)err;
    for (size_t i = 0; i < HALF; i++)
        r += v[i] * tanh(w[i]);
    *loss = head->unit * r * r / 2;
    for (size_t i = 0; i < HALF; i++) {
        const double t = tanh(w[i]);
        g[i] = head->unit * r * t;
        g[HALF + i] = head->unit * r * v[i] * (1 - t * t);
    }
    return STJ_OK;
}

static enum stj_status head_hvp(void *ctx, size_t step, const double *theta, size_t nvec,
                                const double *x, size_t ldx, double *y, size_t ldy,
                                struct stj_error *err)
{
    const struct head *head = ctx;
    const enum mistake m = head->mistake;
    const double *v = theta, *w = theta + HALF;
    double r = -1 - (double)step / 10;
    (void)err;
    for (size_t i = 0; i < HALF; i++)
        r += v[i] * tanh(w[i]);
    for (size_t b = 0; b < nvec; b++) {
        const double *v_dot = x + b * ldx, *w_dot = x + b * ldx + HALF;
        double r_dot = 0;
        for (size_t i = 0; i < HALF; i++)
            r_dot += v_dot[i] * tanh(w[i]) + v[i] * (1 - pow(tanh(w[i]), 2)) * w_dot[i];
        for (size_t i = 0; i < HALF; i++) {
            const double t = tanh(w[i]), s = 1 - t * t;
            const double mixed = r * s * (m == SIGN ? -1 : m == PART ? 1.01 : 1);
            const double curved = m == CURVATURE ? 0 : 2 * r * v[i] * t * s * w_dot[i];
            y[b * ldy + i] = head->unit * (r_dot * t + mixed * w_dot[i]);
            y[b * ldy + HALF + i] = head->unit * (r_dot * v[i] * s + mixed * v_dot[i] - curved);
        }
    }
    return STJ_OK;
}

static void validate_head(struct head *head, const char *with, const double *start,
                          struct stj_validation *v)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_problem *problem = NULL;
    struct stj_training *training = NULL;
    const struct stj_problem_callbacks c = {.size = sizeof c,
                                            .n_params = 2 * HALF,
                                            .n_steps = LATER,
                                            .ctx = head,
                                            .gradient = head_gradient,
                                            .hvp = head_hvp};
    const struct stj_training_settings settings = {
        .size = sizeof settings, .recipe = with, .theta0 = start};
    EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
    EXPECT_OK(stj_training_create(problem, &settings, &training, &err), err);
    EXPECT_OK(stj_training_validate(training, 3, 0, NULL, v, &err), err);
    stj_training_destroy(training);
    stj_problem_destroy(problem);
}

static const char *const head_recipes[] = {
    "{optimizer: sgd, learning_rate: {schedule: constant, peak: 0.1}}",
    "{optimizer: {type: sgd, momentum: 0.9}, learning_rate: {schedule: constant, peak: 0.1}}",
    "{optimizer: adam, learning_rate: {schedule: constant, peak: 0.1}}",
    "{optimizer: {type: adam, eps: 1e-10}, learning_rate: {schedule: constant, peak: 0.01}}",
    "{optimizer: adamw, learning_rate: {schedule: constant, peak: 0.001}}",
    "{optimizer: rmsprop, learning_rate: {schedule: constant, peak: 0.01}}",
    "{optimizer: {type: rmsprop, momentum: 0.9}, learning_rate: {schedule: constant, peak: 0.1}}",
};
enum { N_RECIPES = sizeof head_recipes / sizeof *head_recipes };

/* A right J passes and a wrong one does not, from a head that is zero or that is not, whatever the
 * scale of the loss beside Adam's eps.  Where h |g'| is not below eps for any h that moves theta at
 * all, here 1e-16 1e3 / 1e-10, differences say nothing, and that is said. */
START_TEST(a_wrong_product_is_told_from_a_right_one)
{
    static const double starts[][2 * HALF] = {{0, 0, 0, 0, 0.3, -1, 0.7, 0.2},
                                              {0.5, -0.2, 0, 0.9, 0.3, -1, 0.7, 0.2}};
    static const double units[] = {1, 1e-4, 1e3};
    const bool is_sgd = strstr(head_recipes[_i], "sgd");
    const bool tiny_eps = strstr(head_recipes[_i], "1e-10");
    for (int i = 0; i < 6 * N_MISTAKES; i++) {
        const enum mistake m = (enum mistake)(i % N_MISTAKES);
        struct head head = {m, units[i / N_MISTAKES % 3]};
        const bool blind = tiny_eps && head.unit > 1;
        struct stj_validation v;
        /* SGD diverges with the large unit, and does not see a part of the small one. */
        if (is_sgd ? head.unit > 1 || (m > SIGN && head.unit < 1) : m == CURVATURE)
            continue;
        validate_head(&head, head_recipes[_i], starts[i / N_MISTAKES / 3], &v);
        ck_assert_msg(v.adjoint_error <= 1e-12 && v.passed == (m == NONE && !blind) &&
                          (m != NONE || v.finite_difference_resolved == !blind),
                      "%s, start %d, unit %g, mistake %d: passed %d, adjoint %g, %g known to %g",
                      head_recipes[_i], i / N_MISTAKES / 3, head.unit, m, v.passed, v.adjoint_error,
                      v.finite_difference_error, v.finite_difference_resolution);
    }
}
END_TEST

/* Twice x, slowly. */
static enum stj_status twice(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                             size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    (void)trans;
    (void)err;
    enter(ctx);
    for (size_t b = 0; b < nvec; b++)
        for (size_t j = 0; j < N; j++)
            y[b * ldy + j] = 2 * x[b * ldx + j];
    leave(ctx);
    return STJ_OK;
}

enum { PRODUCTS = 25, THREADS = 4 };

static void *multiply(void *op)
{
    double y[N];
    for (size_t i = 0; i < PRODUCTS; i++)
        if (stj_op_apply(op, STJ_NO_TRANS, 1, theta0, N, y, N, NULL) != STJ_OK)
            return op;
    return NULL;
}

START_TEST(products_come_one_at_a_time)
{
    struct stj_error err = STJ_ERROR_INIT;
    for (int i = 0; i < 2; i++) {
        struct rows rows = {.slow = true};
        struct stj_op *op = NULL;
        pthread_t thread[THREADS];
        void *failed = NULL;
        EXPECT_OK(stj_op_create(N, N, twice, NULL, &rows, &op, &err), err);
        if (i == 1)
            EXPECT_OK(stj_op_one_at_a_time(op, &err), err);
        for (size_t t = 0; t < THREADS; t++)
            ck_assert_int_eq(pthread_create(thread + t, NULL, multiply, op), 0);
        for (size_t t = 0; t < THREADS; t++) {
            pthread_join(thread[t], &failed);
            ck_assert_ptr_null(failed);
        }
        ck_assert_int_eq(rows.crowded, i == 0);
        if (i == 1)
            ck_assert_double_eq(stj_op_get_counts(op).jvp, THREADS * PRODUCTS);
        stj_op_destroy(op);
    }
}
END_TEST

/* Settings of a program that was compiled with other headers. */
START_TEST(settings_of_another_size_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    const double one = 1;
    struct stj_op *op = NULL;
    struct stj_svd_result *pairs = NULL;
    struct stj_density_result *density = NULL;
    struct stj_trace_result trace;
    struct stj_problem *problem = NULL;
    union {
        struct stj_svd_settings known;
        char byte[sizeof(struct stj_svd_settings) + 16];
    } larger;
    memset(&larger, 7, sizeof larger);
    stj_svd_settings_init(&larger.known, sizeof larger);
    ck_assert_uint_eq(larger.known.size, sizeof larger);
    ck_assert_uint_eq(larger.known.top, 20);
    ck_assert_int_eq(larger.byte[sizeof larger - 1], 0);
    EXPECT_OK(stj_op_create_dense(1, 1, &one, 1, &op, &err), err);
    EXPECT_FAIL(stj_svd_solve(op, &larger.known, &pairs, &err), STJ_EINVAL, "this library knows",
                err);
    memset(&larger, 7, sizeof larger);
    stj_svd_settings_init(&larger.known, sizeof(size_t)); /* smaller: nothing is written beyond */
    ck_assert_uint_eq(larger.known.size, sizeof(size_t));
    ck_assert_int_eq(larger.byte[sizeof(size_t)], 7);
    EXPECT_FAIL(stj_density_solve(op, &(struct stj_density_settings){.size = 8}, &density, &err),
                STJ_EINVAL, "settings of 8 bytes", err);
    EXPECT_FAIL(stj_trace_solve(op, &(struct stj_trace_settings){.products = 1}, &trace, &err),
                STJ_EINVAL, "settings of 0 bytes", err);
    EXPECT_FAIL(stj_problem_create(&(struct stj_problem_callbacks){.n_params = 1}, &problem, &err),
                STJ_EINVAL, "settings of 0 bytes", err);
    stj_op_destroy(op);
}
END_TEST

START_TEST(a_product_is_with_a_or_its_transpose)
{
    struct stj_error err = STJ_ERROR_INIT;
    const double one = 1;
    double y = 0;
    struct stj_op *op = NULL;
    EXPECT_OK(stj_op_create_dense(1, 1, &one, 1, &op, &err), err);
    EXPECT_FAIL(stj_op_apply(op, (enum stj_trans)2, 1, &one, 1, &y, 1, &err), STJ_EINVAL,
                "trans is 2", err);
    EXPECT_FAIL(stj_op_apply(op, STJ_TRANS, 1, &one, 1, NULL, 1, &err), STJ_EINVAL,
                "stj_op_apply: y is NULL, it must be given", err);
    EXPECT_OK(stj_op_apply(op, STJ_TRANS, 0, NULL, 1, NULL, 1, &err), err);
    stj_op_destroy(op);
}
END_TEST

START_TEST(what_is_missing_is_named)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct rows rows;
    struct stj_problem *problem = NULL;
    struct stj_training *training = NULL;
    struct stj_problem_callbacks c = {
        .size = sizeof c, .n_params = N, .n_steps = STEPS, .ctx = &rows};
    fill(&rows);
    EXPECT_FAIL(stj_problem_create(&c, &problem, &err), STJ_EINVAL, "gradient and hvp, or", err);
    c.n_rows = n_rows;
    EXPECT_FAIL(stj_problem_create(&c, &problem, &err), STJ_EINVAL, "needs gradient_rows", err);
    c.gradient_rows = gradient_rows;
    c.hvp_rows = hvp_rows;
    EXPECT_FAIL(stj_problem_create(&c, &problem, &err), STJ_EINVAL,
                "n_rows of step 0 is 11, expected 1 to max_rows, 0", err);
    c.max_rows = BATCH;
    EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
    struct stj_training_settings settings = {
        .size = sizeof settings, .recipe = "{optimizer: sgd}", .theta0 = theta0};
    EXPECT_FAIL(stj_training_create(problem, &settings, &training, &err), STJ_ECONFIG,
                "missing key 'learning_rate'", err);
    settings.recipe = "{optimizer: sgd, learning_rate: {schedule: constant, peak: 1}, epochs: 3}";
    EXPECT_FAIL(stj_training_create(problem, &settings, &training, &err), STJ_ECONFIG,
                "unknown key 'epochs'", err);
    settings.theta0 = NULL;
    settings.recipe = recipe;
    EXPECT_FAIL(stj_training_create(problem, &settings, &training, &err), STJ_EINVAL,
                "needs theta0", err);
    ck_assert_ptr_null(training);
    stj_problem_destroy(problem);
}
END_TEST

/* z of every row of a step, which is all that products need of theta. */
static enum stj_status linearize(void *ctx, size_t step, size_t first, size_t n,
                                 const double *theta, void *linear, struct stj_error *err)
{
    (void)err;
    for (size_t i = first; i < first + n; i++)
        ((double *)linear)[i] = dot(row(ctx, step, i), theta);
    atomic_fetch_add(&((struct rows *)ctx)->made, 1);
    return STJ_OK;
}

static enum stj_status hvp_linear(void *ctx, size_t step, size_t first, size_t n,
                                  const double *theta, const void *linear, size_t nvec,
                                  const double *x, size_t ldx, double *y, size_t ldy,
                                  struct stj_error *err)
{
    (void)theta;
    (void)err;
    const double *z = linear;
    for (size_t b = 0; b < nvec; b++) {
        memset(y + b * ldy, 0, N * sizeof *y);
        for (size_t i = first; i < first + n; i++) {
            const double *r = row(ctx, step, i);
            const double scale = (1 + z[i] * z[i] / 2) * dot(r, x + b * ldx);
            for (size_t j = 0; j < N; j++)
                y[b * ldy + j] += scale * r[j];
        }
    }
    return STJ_OK;
}

static struct stj_problem_callbacks linear_callbacks(struct rows *rows)
{
    return (struct stj_problem_callbacks){.size = sizeof(struct stj_problem_callbacks),
                                          .n_params = N,
                                          .n_steps = STEPS,
                                          .ctx = rows,
                                          .max_rows = BATCH,
                                          .n_rows = n_rows,
                                          .gradient_rows = gradient_rows,
                                          .linear_bytes = BATCH * sizeof(double),
                                          .linearize = linearize,
                                          .hvp_linear = hvp_linear};
}

/* The same operations in the same order: the same bits, and what is kept is not made for each of the
 * N products again. */
START_TEST(what_products_have_in_common_is_kept)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct rows rows;
    double a[2][N * N], theta[N];
    struct stj_problem *problem = NULL;
    struct stj_problem_callbacks c = linear_callbacks(&rows);
    fill(&rows);
    train(&c, a[0], theta);
    ck_assert_int_gt(atomic_load(&rows.made), 0);
    c.linear_bytes = 0;
    EXPECT_FAIL(stj_problem_create(&c, &problem, &err), STJ_EINVAL, "go together", err);
    c.linearize = NULL;
    c.hvp_linear = NULL;
    c.hvp_rows = hvp_rows;
    train(&c, a[1], theta);
    ck_assert_mem_eq(a[0], a[1], sizeof a[0]);
    struct stj_training *training = NULL;
    struct stj_op *op = NULL;
    const struct stj_training_settings settings = {
        .size = sizeof settings, .recipe = recipe, .theta0 = theta0};
    c = linear_callbacks(&rows);
    EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
    atomic_store(&rows.made, 0);
    EXPECT_OK(stj_training_create(problem, &settings, &training, &err), err);
    ck_assert_int_eq(atomic_load(&rows.made), 0);
    EXPECT_OK(stj_training_jacobian(training, 0, 0, &op, &err), err);
    for (int i = 0; i < 5; i++)
        EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, 1, theta0, N, theta, N, &err), err);
    ck_assert_int_le(atomic_load(&rows.made), STEPS * BATCH);
    stj_op_destroy(op);
    stj_training_destroy(training);
    stj_problem_destroy(problem);
}
END_TEST

/* The states of a training, given, are the training; one that no step lands on is named. */
START_TEST(states_of_a_training_elsewhere_are_followed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct rows rows;
    double states[(STEPS + 1) * N], theta[N], product[2][N];
    struct stj_problem *problem = NULL;
    struct stj_training *training = NULL;
    struct stj_op *op = NULL;
    const struct stj_problem_callbacks c = linear_callbacks(&rows);
    struct stj_training_settings settings = {
        .size = sizeof settings, .recipe = recipe, .theta0 = theta0};
    fill(&rows);
    EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
    for (int given = 0; given < 2; given++) {
        EXPECT_OK(stj_training_create(problem, &settings, &training, &err), err);
        for (size_t t = 0; t <= STEPS; t++)
            EXPECT_OK(stj_training_theta(training, t, given ? theta : states + t * N, &err), err);
        EXPECT_OK(stj_training_jacobian(training, 0, 0, &op, &err), err);
        EXPECT_OK(stj_op_apply(op, STJ_TRANS, 1, theta0, N, product[given], N, &err), err);
        stj_op_destroy(op);
        stj_training_destroy(training);
        training = NULL;
        settings.states = states;
        settings.theta0 = NULL;
    }
    settings.theta0 = theta0;
    EXPECT_FAIL(stj_training_create(problem, &settings, &training, &err), STJ_EINVAL,
                "theta0 is the first of the states", err);
    settings.theta0 = NULL;
    ck_assert_mem_eq(product[0], product[1], sizeof product[0]);
    states[3 * N + 1] += 0.01;
    EXPECT_FAIL(stj_training_create(problem, &settings, &training, &err), STJ_EMISMATCH,
                "step 2 lands", err);
    settings.tolerance = 0.9; /* taken as they are */
    EXPECT_OK(stj_training_create(problem, &settings, &training, &err), err);
    EXPECT_OK(stj_training_theta(training, 3, theta, &err), err);
    ck_assert_mem_eq(theta, states + 3 * N, sizeof theta);
    stj_training_destroy(training);
    training = NULL;
    states[5 * N] = (double)NAN;
    EXPECT_FAIL(stj_training_create(problem, &settings, &training, &err), STJ_EINVAL,
                "given state 5 has nan at parameter 0", err);
    stj_problem_destroy(problem);
}
END_TEST

/* A run of callbacks has the numbers of the training in memory, whatever its tensors are called, is
 * opened again, and is nobody else's. */
START_TEST(callbacks_are_a_run)
{
    static const char text[] =
        "problem: {callbacks: true, tensors: {a.weight: [2, 2], a.bias: [2]}}\n"
        "training: {optimizer: {type: adam, eps_root: 1e-8}, learning_rate: {schedule: constant, "
        "peak: 0.05}, clip_norm: 1.5, steps: 9}\n";
    struct stj_error err = STJ_ERROR_INIT;
    struct rows rows;
    double a[2][N * N], theta[2][N];
    struct stj_problem *problem = NULL;
    struct stj_run *run = NULL;
    struct stj_op *op = NULL;
    struct stj_run_info info;
    struct stj_validation v;
    const struct stj_problem_callbacks c = linear_callbacks(&rows);
    struct stj_run_problem_settings settings = {
        .size = sizeof settings, .config = text, .theta0 = theta0, .fingerprint = 5};
    fill(&rows);
    train(&c, a[0], theta[0]);
    EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
    for (int i = 0; i < 2; i++) { /* trained, then opened */
        EXPECT_OK(stj_run_create_problem(problem, scratch_path("run"), &settings, &run, &err), err);
        EXPECT_OK(stj_run_jacobian(run, 0, 0, 0, &op, &err), err);
        EXPECT_OK(stj_op_densify(op, 0, a[1], N, NULL, &err), err);
        stj_op_destroy(op);
        EXPECT_OK(stj_run_theta(run, STEPS, theta[1], &err), err);
        EXPECT_OK(stj_run_validate(run, NULL, 1, N, NULL, &v, &err), err);
        ck_assert(v.passed && v.replay_identical);
        ck_assert_mem_eq(theta[0], theta[1], sizeof theta[0]);
        for (size_t k = 0; k < N * N; k++) /* blocks are divided otherwise */
            ck_assert_double_le(fabs(a[0][k] - a[1][k]), 1e-13);
        stj_run_get_info(run, &info);
        ck_assert_double_gt(info.train_loss, 0);
        stj_run_destroy(run);
    }
    EXPECT_OK(stj_run_open(scratch_path("run"), &run, &err), err); /* as another program does */
    EXPECT_FAIL(stj_run_jacobian(run, 0, 0, 0, &op, &err), STJ_EUNSUPPORTED,
                "come from functions of a program", err);
    stj_run_destroy(run);
    settings.fingerprint = 6;
    EXPECT_FAIL(stj_run_create_problem(problem, scratch_path("run"), &settings, &run, &err),
                STJ_EEXIST, "holds a complete run of another config", err);
    settings.config = "problem: {callbacks: true, tensors: {a: [7]}}\n"
                      "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 1}, "
                      "steps: 9}\n";
    EXPECT_FAIL(stj_run_create_problem(problem, scratch_path("other"), &settings, &run, &err),
                STJ_EMISMATCH, "have 7 numbers, the program's problem has 6 parameters", err);
    settings.config = "problem: {callbacks: true}\n"
                      "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 1}, "
                      "steps: 10}\n";
    EXPECT_FAIL(stj_run_create_problem(problem, scratch_path("other"), &settings, &run, &err),
                STJ_EMISMATCH, "steps is 10", err);
    settings.config = text;
    settings.theta0 = NULL;
    EXPECT_FAIL(stj_run_create_problem(problem, scratch_path("other"), &settings, &run, &err),
                STJ_EINVAL, "needs theta0, or a config with", err);
    stj_problem_destroy(problem);
}
END_TEST

/* States of a training elsewhere in a file, of a run of callbacks. */
START_TEST(a_run_of_callbacks_follows_given_states)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct rows rows;
    char csv[4096] = "", config[1024];
    double theta[N];
    struct stj_problem *problem = NULL;
    struct stj_training *training = NULL;
    struct stj_run *run = NULL;
    struct stj_run_info info;
    const struct stj_problem_callbacks c = linear_callbacks(&rows);
    const struct stj_training_settings in_memory = {
        .size = sizeof in_memory, .recipe = recipe, .theta0 = theta0};
    const struct stj_run_problem_settings settings = {.size = sizeof settings, .config = config};
    fill(&rows);
    EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
    EXPECT_OK(stj_training_create(problem, &in_memory, &training, &err), err);
    for (size_t t = 0, at = 0; t <= STEPS; t++) {
        EXPECT_OK(stj_training_theta(training, t, theta, &err), err);
        for (size_t j = 0; j < N; j++)
            at += (size_t)snprintf(csv + at, sizeof csv - at, "%.17g%c", theta[j],
                                   j + 1 < N ? ',' : '\n');
    }
    scratch_write_text("states.csv", csv);
    snprintf(config, sizeof config,
             "problem: {callbacks: true, tensors: {a: [1, 3, 2]}}\ntrajectory: {states: %s}\n"
             "training: {optimizer: {type: adam, eps_root: 1e-8}, learning_rate: {schedule: "
             "constant, peak: 0.05}, clip_norm: 1.5, steps: 9}\n",
             scratch_path("states.csv"));
    EXPECT_OK(stj_run_create_problem(problem, scratch_path("given"), &settings, &run, &err), err);
    stj_run_get_info(run, &info);
    ck_assert(info.imported.is_imported && info.imported.deviation == 0);
    struct stj_run_parameter parameter;
    ck_assert(stj_run_get_parameter(run, 0, &parameter));
    ck_assert_str_eq(parameter.shape, "[1, 3, 2]"); /* as it was said */
    stj_run_destroy(run);
    stj_training_destroy(training);
    stj_problem_destroy(problem);
}
END_TEST

/* The Hessian of a step's loss is what the callbacks say of it, kept or not, with the rounding of sums
 * of BATCH products; what they cannot say is refused. */
START_TEST(curvature_of_callbacks_is_their_hessian_alone)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct rows rows;
    double unit[N * N] = {0}, h[N * N], right[N * N];
    fill(&rows);
    for (size_t j = 0; j < N; j++)
        unit[j * N + j] = 1;
    EXPECT_OK(hvp(&rows, 4, theta0, N, unit, N, right, N, &err), err);
    for (int i = 0; i < 3; i++) {
        struct stj_problem *problem = NULL;
        struct stj_op *op = NULL;
        struct stj_problem_callbacks c = linear_callbacks(&rows);
        if (i == 1) {
            c.linear_bytes = 0;
            c.linearize = NULL;
            c.hvp_linear = NULL;
            c.hvp_rows = hvp_rows;
        }
        EXPECT_OK(stj_problem_create(&c, &problem, &err), err);
        const struct stj_curvature_settings s = {.problem = problem, .gauss_newton = i == 2};
        EXPECT_OK(stj_curvature_create(&s, &op, &err), err);
        EXPECT_OK(stj_curvature_move(op, 4, theta0, &err), err);
        if (i == 2)
            EXPECT_FAIL(stj_op_apply(op, STJ_NO_TRANS, N, unit, N, h, N, &err), STJ_EUNSUPPORTED,
                        "Gauss-Newton", err);
        else
            EXPECT_OK(stj_op_apply(op, STJ_NO_TRANS, N, unit, N, h, N, &err), err);
        for (size_t k = 0; i < 2 && k < N * N; k++)
            ck_assert_double_le(fabs(h[k] - right[k]), 1e-13);
        stj_op_destroy(op);
        stj_problem_destroy(problem);
    }
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("problem");
    tcase_add_loop_test(tc, a_wrong_product_is_told_from_a_right_one, 0, N_RECIPES);
    tcase_add_test(tc, rows_and_whole_batches_train_the_same);
    tcase_add_test(tc, callbacks_come_one_at_a_time);
    tcase_add_test(tc, products_come_one_at_a_time);
    tcase_add_test(tc, settings_of_another_size_are_refused);
    tcase_add_test(tc, a_product_is_with_a_or_its_transpose);
    tcase_add_test(tc, what_is_missing_is_named);
    tcase_add_test(tc, what_products_have_in_common_is_kept);
    tcase_add_test(tc, states_of_a_training_elsewhere_are_followed);
    tcase_add_test(tc, callbacks_are_a_run);
    tcase_add_test(tc, a_run_of_callbacks_follows_given_states);
    tcase_add_test(tc, curvature_of_callbacks_is_their_hessian_alone);
    tcase_add_unchecked_fixture(tc, scratch_begin, scratch_end);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("problem");
    suite_add_tcase(suite, make_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
