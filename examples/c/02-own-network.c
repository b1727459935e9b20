/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/02-own-network.c: the training Jacobian of a network that the library does not know.
 *
 *   cc 02-own-network.c $(pkg-config --cflags --libs spectraj) -lm -o 02-own-network
 *   ./02-own-network
 *
 * The network is a sum of K bumps on a line,
 *
 *     f(x) = sum_k a_k phi_k,     phi_k = exp(-(w_k (x - c_k))^2 / 2),
 *
 * with three parameters each, theta = (a, c, w), that learns a curve from points (x_i, y_i) by least
 * squares on batches: L_t is the mean over the batch of (f(x_i) - y_i)^2 / 2.  What the library asks
 * for is the gradient of L_t and its Hessian times a block of vectors v,
 *
 *     g   = mean of r grad f,                      r = f(x_i) - y_i
 *     H v = mean of (grad f . v) grad f + r (f'' v),
 *
 * here as shares of some rows of the batch, so that the library may divide it among threads.
 */
#include <math.h>
#include <spectraj.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUMPS = 16, PARAMS = 3 * BUMPS, POINTS = 96, BATCH = 24, STEPS = 120, PAIRS = 5 };

struct points {
    double x[POINTS], y[POINTS];
};

/* f(x); grad[PARAMS] (may be NULL) <- its gradient. */
static double network(const double *theta, double x, double *grad)
{
    const double *a = theta;
    const double *c = theta + BUMPS;
    const double *w = theta + 2 * BUMPS;
    double sum = 0;
    for (size_t k = 0; k < BUMPS; k++) {
        const double d = x - c[k];
        const double phi = exp(-w[k] * w[k] * d * d / 2);
        sum += a[k] * phi;
        if (grad) {
            grad[k] = phi;
            grad[BUMPS + k] = a[k] * phi * w[k] * w[k] * d;
            grad[2 * BUMPS + k] = -a[k] * phi * w[k] * d * d;
        }
    }
    return sum;
}

/* Second derivatives of f: the three parameters of a bump know each other, and no others. */
struct curvature {
    double ac, aw, cc, cw, ww;
};

static void curvature_at(const double *theta, double x, struct curvature second[BUMPS])
{
    for (size_t k = 0; k < BUMPS; k++) {
        const double a = theta[k];
        const double d = x - theta[BUMPS + k];
        const double w = theta[2 * BUMPS + k];
        const double phi = exp(-w * w * d * d / 2);
        second[k] = (struct curvature){
            .ac = phi * w * w * d,
            .aw = -phi * w * d * d,
            .cc = a * phi * (w * w * w * w * d * d - w * w),
            .cw = a * phi * (2 * w * d - w * w * w * d * d * d),
            .ww = a * phi * (w * w * d * d * d * d - d * d),
        };
    }
}

/* y += scale f'' v */
static void add_curvature(const struct curvature second[BUMPS], double scale, const double *v,
                          double *y)
{
    for (size_t k = 0; k < BUMPS; k++) {
        const struct curvature *s = &second[k];
        const double a = scale * v[k];
        const double c = scale * v[BUMPS + k];
        const double w = scale * v[2 * BUMPS + k];
        y[k] += s->ac * c + s->aw * w;
        y[BUMPS + k] += s->ac * a + s->cc * c + s->cw * w;
        y[2 * BUMPS + k] += s->aw * a + s->cw * c + s->ww * w;
    }
}

/* ---- what the library calls ---- */

static size_t n_rows(void *ctx, size_t step)
{
    (void)ctx;
    (void)step;
    return BATCH;
}

/* The point that row i of a step's batch is. */
static size_t point(size_t step, size_t i)
{
    return (step * BATCH + i) % POINTS;
}

static enum stj_status gradient(void *ctx, size_t step, size_t first, size_t n, const double *theta,
                                double *loss, double *g, struct stj_error *err)
{
    (void)err;
    const struct points *p = ctx;
    double grad[PARAMS];
    *loss = 0;
    for (size_t j = 0; j < PARAMS; j++)
        g[j] = 0;
    for (size_t i = first; i < first + n; i++) {
        const size_t q = point(step, i);
        const double r = network(theta, p->x[q], grad) - p->y[q];
        *loss += r * r / (2 * BATCH);
        for (size_t j = 0; j < PARAMS; j++)
            g[j] += r * grad[j] / BATCH;
    }
    return STJ_OK;
}

static enum stj_status hvp(void *ctx, size_t step, size_t first, size_t n, const double *theta,
                           size_t nvec, const double *x, size_t ldx, double *y, size_t ldy,
                           struct stj_error *err)
{
    (void)err;
    const struct points *p = ctx;
    double grad[PARAMS];
    struct curvature second[BUMPS];
    for (size_t b = 0; b < nvec; b++)
        for (size_t j = 0; j < PARAMS; j++)
            y[b * ldy + j] = 0;
    for (size_t i = first; i < first + n; i++) {
        const size_t q = point(step, i);
        const double r = network(theta, p->x[q], grad) - p->y[q];
        curvature_at(theta, p->x[q], second);
        for (size_t b = 0; b < nvec; b++) {
            const double *v = x + b * ldx;
            double dot = 0;
            for (size_t j = 0; j < PARAMS; j++)
                dot += grad[j] * v[j];
            for (size_t j = 0; j < PARAMS; j++)
                y[b * ldy + j] += dot * grad[j] / BATCH;
            add_curvature(second, r / BATCH, v, y + b * ldy);
        }
    }
    return STJ_OK;
}

/* ---- what is done with it ---- */

static void fill(struct points *p, double *theta)
{
    for (size_t i = 0; i < POINTS; i++) {
        p->x[i] = -1 + 2 * (double)(i * 37 % POINTS) / (POINTS - 1); /* every batch is spread out */
        p->y[i] = sin(5 * p->x[i]) + 0.3 * cos(17 * p->x[i]);
    }
    for (size_t k = 0; k < BUMPS; k++) {
        theta[k] = 0.5 * cos(7.0 * (double)k);
        theta[BUMPS + k] = -1 + 2 * (double)k / (BUMPS - 1);
        theta[2 * BUMPS + k] = 6;
    }
}

static enum stj_status analyse(struct stj_op *jacobian, struct stj_error *err)
{
    struct stj_svd_settings svd = stj_svd_settings_default();
    struct stj_density_settings density = stj_density_settings_default();
    struct stj_svd_result *pairs = NULL;
    struct stj_density_result *counts = NULL;
    svd.top = PAIRS;
    enum stj_status st = stj_svd_solve(jacobian, &svd, &pairs, err);
    if (st == STJ_OK)
        st = stj_density_solve(jacobian, &density, &counts, err);
    if (st == STJ_OK) {
        for (size_t i = 0; i < pairs->top.k; i++)
            printf("sigma_%zu %.9g  residual %.1e\n", i + 1, pairs->top.sigma[i],
                   pairs->top.residual[i]);
        printf("above 1.1: %.1f of %d singular values, below 0.9: %.1f\n",
               counts->regions.chaotic.estimate, PARAMS, counts->regions.stable.estimate);
    }
    stj_density_result_destroy(counts);
    stj_svd_result_destroy(pairs);
    return st;
}

int main(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct points points;
    double theta0[PARAMS];
    struct stj_problem *problem = NULL;
    struct stj_training *training = NULL;
    struct stj_op *jacobian = NULL;
    struct stj_validation v = {.passed = false};
    const struct stj_problem_callbacks callbacks = {.size = sizeof callbacks,
                                                    .n_params = PARAMS,
                                                    .n_steps = STEPS,
                                                    .ctx = &points,
                                                    .max_rows = BATCH,
                                                    .n_rows = n_rows,
                                                    .gradient_rows = gradient,
                                                    .hvp_rows = hvp};
    const struct stj_training_settings settings = {
        .size = sizeof settings,
        .recipe = "{optimizer: {type: sgd, momentum: 0.9}, "
                  "learning_rate: {schedule: cosine, peak: 0.05}}",
        .theta0 = theta0};

    stj_set_threads(1); /* steps as small as these are not worth a second one */
    fill(&points, theta0);
    if (stj_problem_create(&callbacks, &problem, &err) == STJ_OK &&
        stj_training_create(problem, &settings, &training, &err) == STJ_OK) {
        const double *loss = stj_training_loss_curve(training);
        printf("%d parameters, %d steps: loss %.4f to %.4f\n", PARAMS, STEPS, loss[0],
               loss[STEPS - 1]);
    }
    /* Is hvp the derivative of gradient?  Whole trainings are differenced, and all singular values
     * of the dense J compared. */
    if (err.code == STJ_OK && stj_training_validate(training, 0, PARAMS, NULL, &v, &err) == STJ_OK)
        printf("%s: adjoint %.1e, finite differences %.1e, dense %.1e\n",
               v.passed ? "valid" : "NOT VALID", v.adjoint_error, v.finite_difference_error,
               v.dense_max_sigma_error);
    if (err.code == STJ_OK && stj_training_jacobian(training, 0, 0, &jacobian, &err) == STJ_OK)
        analyse(jacobian, &err);
    if (err.code != STJ_OK)
        fprintf(stderr, "02-own-network: %s\n", err.text);
    stj_op_destroy(jacobian);
    stj_training_destroy(training);
    stj_problem_destroy(problem);
    return v.passed && err.code == STJ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
