/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/06-perturb-training.c: training again from a perturbed start, along v_1.
 *
 *   cc 06-perturb-training.c $(pkg-config --cflags --libs spectraj) -lm -o 06-perturb-training
 *   ./06-perturb-training RUN              a run of 03-train-and-top-values
 *
 * The definition of a singular pair, seen from outside: from theta_0 + s v_1 training ends s sigma_1
 * away along u_1, as long as s is small.  The study `response` retrains for each s; results and
 * retrained copies are kept in RUN.
 */
#include <math.h>
#include <spectraj.h>
#include <stdio.h>

/* Does the smallest step do as the Jacobian says? */
static bool report(const struct stj_study_result *study)
{
    size_t n = 0;
    const double *step = stj_study_numbers(study, "step", &n);
    const double *projection = stj_study_numbers(study, "projection", NULL);
    const double *complement = stj_study_numbers(study, "complement", NULL);
    const double *sigma = stj_study_numbers(study, "sigma", NULL);
    if (!step || !projection || !complement || !sigma || n == 0)
        return false;
    printf("%10s %14s %14s %14s\n", "s", "sigma_1 s", "along u_1", "the rest");
    for (size_t i = 0; i < n; i++)
        printf("%10.1e %14.6e %14.6e %14.6e\n", step[i], *sigma * step[i], projection[i],
               complement[i]);
    /* the change of the derivative over s is of the order of s */
    return fabs(projection[0] / (*sigma * step[0]) - 1) < 1e-2;
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    struct stj_request *request = NULL;
    struct stj_result *pairs = NULL;
    struct stj_study_result *study = NULL;
    const struct stj_analysis_settings where = {.tag = NULL};
    const struct stj_option_pair setting[] = {{"index", "1"}, {"step", "1e-5,1e-3,1e-1"}};
    const struct stj_study_settings asked = {.n = 2, .setting = setting};
    bool stored = false;
    bool as_predicted = false;

    if (argc != 2) {
        fprintf(stderr, "usage: 06-perturb-training RUN\n");
        return 1;
    }
    if (stj_run_open(argv[1], &run, &err) == STJ_OK &&
        stj_request_create("svd", &request, &err) == STJ_OK &&
        stj_request_set(request, "top", "5", &err) == STJ_OK &&
        stj_analyse(run, request, NULL, &pairs, &err) == STJ_OK &&
        stj_analysis_study(run, NULL, "response", &asked, &where, &study, &stored, &err) == STJ_OK)
        as_predicted = report(study);
    if (err.code != STJ_OK)
        fprintf(stderr, "06-perturb-training: %s\n", err.text);
    stj_study_result_destroy(study);
    stj_result_destroy(pairs);
    stj_request_destroy(request);
    stj_run_destroy(run);
    return err.code == STJ_OK && as_predicted ? 0 : 1;
}
