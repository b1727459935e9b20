/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/03-train-and-top-values.c: from a config file to the largest singular values.
 *
 *   cc 03-train-and-top-values.c $(pkg-config --cflags --libs spectraj) -o 03-train-and-top-values
 *   ./03-train-and-top-values small.yaml RUN
 *
 * Training happens once: when RUN holds a complete run it is opened.
 */
#include <spectraj.h>
#include <stdio.h>

static enum stj_status train_or_open(const char *config, const char *dir, struct stj_run **run,
                                     struct stj_error *err)
{
    const struct stj_run_train_settings settings = {.size = sizeof settings, .force = false};
    enum stj_status st = stj_run_train(config, dir, &settings, run, err);
    if (st == STJ_EEXIST) {
        stj_error_clear(err);
        st = stj_run_open(dir, run, err);
    }
    return st;
}

static void print_run(const struct stj_run *run)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    printf("%zu parameters, %zu steps of %s: test loss %.4f, accuracy %.3f\n", info.n_params,
           info.n_steps, info.optimizer, info.test_loss, info.test_accuracy);
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    struct stj_op *jacobian = NULL;
    struct stj_svd_result *result = NULL;
    struct stj_svd_settings settings = stj_svd_settings_default();
    settings.top = 5;

    if (argc != 3) {
        fprintf(stderr, "usage: 03-train-and-top-values CONFIG RUN\n");
        return 1;
    }
    if (train_or_open(argv[1], argv[2], &run, &err) == STJ_OK &&
        stj_run_jacobian(run, 0, 0, 0, &jacobian, &err) == STJ_OK &&
        stj_svd_solve(jacobian, &settings, &result, &err) == STJ_OK) {
        print_run(run);
        for (size_t i = 0; i < result->top.k; i++)
            printf("%.12g  residual %.1e\n", result->top.sigma[i], result->top.residual[i]);
        printf("%s after %.0f products with J and %.0f with J'\n", stj_stop_text(result->stop),
               result->counts.jvp, result->counts.vjp);
    }
    if (err.code != STJ_OK)
        fprintf(stderr, "03-train-and-top-values: %s\n", err.text);
    const int complete = result && result->converged == result->requested;
    stj_svd_result_destroy(result);
    stj_op_destroy(jacobian);
    stj_run_destroy(run);
    return err.code != STJ_OK ? 1 : complete ? 0 : 2;
}
