/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/05-window-and-trace.c: Jacobians of windows of steps, and a trace with its error.
 *
 *   cc 05-window-and-trace.c $(pkg-config --cflags --libs spectraj) -lm -o 05-window-and-trace
 *   ./05-window-and-trace RUN              a run of 03-train-and-top-values
 *
 * J(0 -> w) x costs w / n of a product with J.  A window holds the optimizer's state at its beginning
 * fixed, so the Jacobians of two windows do not multiply to J where there is momentum; how far they
 * are from it says how much training remembers in its momentum.
 */
#include <math.h>
#include <spectraj.h>
#include <stdio.h>
#include <stdlib.h>

static double distance(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum);
}

/* |J2 J1 x - J x| / |x| for the two halves of a run. */
static enum stj_status compare_halves(struct stj_run *run, size_t n, size_t n_steps, double *change,
                                      struct stj_error *err)
{
    struct stj_op *first = NULL;
    struct stj_op *second = NULL;
    struct stj_op *whole = NULL;
    double *x = calloc(n, sizeof *x);
    double *y = calloc(n, sizeof *y); /* J1 x */
    double *z = calloc(n, sizeof *z); /* J2 J1 x */
    double *w = calloc(n, sizeof *w); /* J x */
    enum stj_status st = STJ_OK;
    if (!x || !y || !z || !w)
        st = stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__, "no memory for 4 vectors");
    for (size_t i = 0; st == STJ_OK && i < n; i++)
        x[i] = cos((double)(i * i)) / sqrt((double)n / 2);
    if (st == STJ_OK && (st = stj_run_jacobian(run, 0, n_steps / 2, 0, &first, err)) == STJ_OK &&
        (st = stj_run_jacobian(run, n_steps / 2, 0, 0, &second, err)) == STJ_OK &&
        (st = stj_run_jacobian(run, 0, 0, 0, &whole, err)) == STJ_OK &&
        (st = stj_op_apply(first, STJ_NO_TRANS, 1, x, n, y, n, err)) == STJ_OK &&
        (st = stj_op_apply(second, STJ_NO_TRANS, 1, y, n, z, n, err)) == STJ_OK &&
        (st = stj_op_apply(whole, STJ_NO_TRANS, 1, x, n, w, n, err)) == STJ_OK) {
        *change = distance(n, z, w);
        printf("one product each: %.2f + %.2f of a whole one\n", stj_op_get_counts(first).jvp,
               stj_op_get_counts(second).jvp);
    }
    free(x);
    free(y);
    free(z);
    free(w);
    stj_op_destroy(whole);
    stj_op_destroy(second);
    stj_op_destroy(first);
    return st;
}

static enum stj_status trace_of(struct stj_op *op, size_t products, struct stj_trace_result *trace,
                                struct stj_error *err)
{
    struct stj_trace_settings settings = stj_trace_settings_default();
    settings.function = STJ_TRACE_DEVIATION;
    settings.products = products;
    return stj_trace_solve(op, &settings, trace, err);
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    struct stj_op *jacobian = NULL;
    struct stj_run_info info;
    struct stj_trace_result some;
    struct stj_trace_result all;
    double change = NAN;
    bool agree = false;

    if (argc != 2) {
        fprintf(stderr, "usage: 05-window-and-trace RUN\n");
        return 1;
    }
    if (stj_run_open(argv[1], &run, &err) == STJ_OK) {
        stj_run_get_info(run, &info);
        if (compare_halves(run, info.n_params, info.n_steps, &change, &err) == STJ_OK)
            printf("|J2 J1 x - J x| = %.3f |x|\n", change);
    }
    if (err.code == STJ_OK && stj_run_jacobian(run, 0, 0, 0, &jacobian, &err) == STJ_OK &&
        trace_of(jacobian, 60, &some, &err) == STJ_OK &&
        trace_of(jacobian, info.n_params, &all, &err) == STJ_OK) {
        printf("|J - I|^2 = %.2f +- %.2f from %zu products, %.2f from all\n", some.value,
               some.error, some.products, all.value);
        /* six standard errors: one run in many millions would fail by chance */
        agree = fabs(some.value - all.value) <= 6 * some.error;
    }
    if (err.code != STJ_OK)
        fprintf(stderr, "05-window-and-trace: %s\n", err.text);
    stj_op_destroy(jacobian);
    stj_run_destroy(run);
    return err.code == STJ_OK && agree && change > 0 ? 0 : 1;
}
