/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/07-run-of-callbacks.c: a problem of one's own as a RUN: stored, resumed, read by the command.
 *
 *   cc 07-run-of-callbacks.c $(pkg-config --cflags --libs spectraj) -lm -o 07-run-of-callbacks
 *   ./07-run-of-callbacks bumps-run; spectraj info bumps-run
 *
 *     L_t(theta) = sum_i (1 + (i + t) mod 5)/8 (theta_i - 1)^2 + theta_i^4/40  +  (u . theta)^2 / 2
 *
 * What its products have in common, the second derivatives of the sum, is made once for a step and
 * kept (`linearize`).  Called again the program opens what is there.
 */
#include <math.h>
#include <spectraj.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 24, STEPS = 40, PAIRS = 3 };

static double slope(size_t i, size_t step)
{
    return (double)(1 + (i + step) % 5) / 4;
}

static double mean(const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < N; i++)
        sum += x[i] / sqrt(N);
    return sum;
}

static enum stj_status gradient(void *ctx, size_t step, const double *theta, double *loss,
                                double *g, struct stj_error *err)
{
    (void)ctx;
    (void)err;
    const double dot = mean(theta);
    *loss = dot * dot / 2;
    for (size_t i = 0; i < N; i++) {
        const double x = theta[i], d = slope(i, step);
        *loss += d / 2 * (x - 1) * (x - 1) + x * x * x * x / 40;
        g[i] = d * (x - 1) + x * x * x / 10 + dot / sqrt(N);
    }
    return STJ_OK;
}

static enum stj_status linearize(void *ctx, size_t step, size_t first, size_t n,
                                 const double *theta, void *linear, struct stj_error *err)
{
    (void)ctx;
    (void)first;
    (void)n;
    (void)err;
    double *second = linear;
    for (size_t i = 0; i < N; i++)
        second[i] = slope(i, step) + 3 * theta[i] * theta[i] / 10;
    return STJ_OK;
}

static enum stj_status hvp_linear(void *ctx, size_t step, size_t first, size_t n,
                                  const double *theta, const void *linear, size_t nvec,
                                  const double *x, size_t ldx, double *y, size_t ldy,
                                  struct stj_error *err)
{
    (void)ctx;
    (void)step;
    (void)first;
    (void)n;
    (void)theta;
    (void)err;
    const double *second = linear;
    for (size_t k = 0; k < nvec; k++) {
        const double dot = mean(x + k * ldx);
        for (size_t i = 0; i < N; i++)
            y[k * ldy + i] = second[i] * x[k * ldx + i] + dot / sqrt(N);
    }
    return STJ_OK;
}

/* ---- what is done with it ---- */

static enum stj_status analyse(struct stj_run *run, struct stj_error *err)
{
    struct stj_op *jacobian = NULL;
    struct stj_svd_result *result = NULL;
    struct stj_svd_settings settings = stj_svd_settings_default();
    enum stj_status st = stj_run_jacobian(run, 0, 0, 0, &jacobian, err);
    settings.top = PAIRS;
    if (st == STJ_OK)
        st = stj_svd_solve(jacobian, &settings, &result, err);
    for (size_t k = 0; st == STJ_OK && k < PAIRS; k++)
        printf("sigma_%zu %.9g\n", k + 1, result->top.sigma[k]);
    stj_svd_result_destroy(result);
    stj_op_destroy(jacobian);
    return st;
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_problem *problem = NULL;
    struct stj_run *run = NULL;
    struct stj_run_info info;
    double theta0[N];
    const struct stj_problem_callbacks callbacks = {.size = sizeof callbacks,
                                                    .n_params = N,
                                                    .n_steps = STEPS,
                                                    .gradient = gradient,
                                                    .linear_bytes = N * sizeof(double),
                                                    .linearize = linearize,
                                                    .hvp_linear = hvp_linear};
    const struct stj_run_problem_settings settings = {
        .size = sizeof settings,
        .config = "problem: {callbacks: true, tensors: {a.weight: [4, 5], a.bias: [4]}}\n"
                  "training:\n"
                  "  optimizer: {type: sgd, momentum: 0.9}\n"
                  "  learning_rate: {schedule: constant, peak: 0.02}\n"
                  "  steps: 40\n",
        .theta0 = theta0,
        .fingerprint = 1}; /* another one where the functions or their data change */

    for (size_t i = 0; i < N; i++)
        theta0[i] = sin((double)i);
    if (stj_problem_create(&callbacks, &problem, &err) == STJ_OK &&
        stj_run_create_problem(problem, argc > 1 ? argv[1] : "bumps-run", &settings, &run, &err) ==
            STJ_OK) {
        stj_run_get_info(run, &info);
        printf("%s: %zu steps, loss %.6f\n", info.dir, info.n_steps, info.train_loss);
        (void)analyse(run, &err);
    }
    if (err.code != STJ_OK)
        fprintf(stderr, "07-run-of-callbacks: %s\n", err.text);
    stj_run_destroy(run);
    stj_problem_destroy(problem);
    return err.code == STJ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
