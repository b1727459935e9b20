/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/top-values.c: the largest singular values of a run's training Jacobian, from C.
 *
 *   cc top-values.c $(pkg-config --cflags --libs spectraj) -o top-values
 *   ./top-values RUN
 */
#include <spectraj.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    struct stj_op *jacobian = NULL;
    struct stj_svd_result *result = NULL;
    struct stj_svd_settings settings = stj_svd_settings_default();
    settings.top = 5;

    if (argc != 2) {
        fprintf(stderr, "usage: top-values RUN\n");
        return 1;
    }
    if (stj_run_open(argv[1], &run, &err) == STJ_OK &&
        stj_run_jacobian(run, 0, 0, 0, &jacobian, &err) == STJ_OK &&
        stj_svd_solve(jacobian, &settings, &result, &err) == STJ_OK) {
        for (size_t i = 0; i < result->top.k; i++)
            printf("%.12g  residual %.1e\n", result->top.sigma[i], result->top.residual[i]);
    }
    if (err.code != STJ_OK)
        fprintf(stderr, "top-values: %s\n", err.text);
    stj_svd_result_destroy(result);
    stj_op_destroy(jacobian);
    stj_run_destroy(run);
    return err.code == STJ_OK ? 0 : 1;
}
