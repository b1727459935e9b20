/* SPDX-License-Identifier: GPL-3.0-or-later */
/* examples/c/04-density.c: how many singular values lie where, without finding any, and with all.
 *
 *   cc 04-density.c $(pkg-config --cflags --libs spectraj) -lm -o 04-density
 *   ./04-density RUN                       a run of 03-train-and-top-values
 *
 * The density is solved once; regions of any width are then answered from its quadrature.  The
 * matrix of this small run is formed as well, to see that the truth is enclosed.
 */
#include <math.h>
#include <spectraj.h>
#include <stdio.h>

static const double epsilon[] = {0.05, 0.1, 0.2};
enum { N_EPSILON = sizeof epsilon / sizeof epsilon[0] };

/* Prints one region; is the true count between the rigorous bounds? */
static bool report(const char *name, const struct stj_density_count *count, size_t truth)
{
    printf("  %-8s %7.1f  %7.1f .. %7.1f   exactly %zu\n", name, count->estimate, count->low,
           count->high, truth);
    return (double)truth >= floor(count->enclosure_low) &&
           (double)truth <= ceil(count->enclosure_high);
}

static bool compare(const struct stj_density_counts *counts, size_t n, const double *sigma)
{
    const struct stj_regions truth = stj_regions_count(n, sigma, counts->epsilon);
    printf("epsilon %g\n", counts->epsilon);
    const bool chaotic = report("chaotic", &counts->chaotic, truth.chaotic);
    const bool bulk = report("bulk", &counts->bulk, truth.bulk);
    const bool stable = report("stable", &counts->stable, truth.stable);
    return chaotic && bulk && stable;
}

/* sigma[n] <- all singular values: RUN/dense.h5, computed where it is not there; NULL: it failed. */
static double *all_values(struct stj_run *run, size_t *n, struct stj_error *err)
{
    struct stj_request *request = NULL;
    struct stj_result *dense = NULL;
    double *sigma = NULL;
    if (stj_request_create("dense", &request, err) == STJ_OK &&
        stj_analyse(run, request, NULL, &dense, err) == STJ_OK)
        (void)stj_result_numbers(dense, "sigma", &sigma, n, err);
    stj_result_destroy(dense);
    stj_request_destroy(request);
    return sigma;
}

int main(int argc, char **argv)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    struct stj_run_info info = {.n_steps = 0};
    struct stj_density_result *density = NULL;
    struct stj_op *jacobian = NULL;
    double *sigma = NULL;
    size_t n = 0;
    struct stj_density_counts counts[N_EPSILON];
    struct stj_density_functionals functionals;
    struct stj_density_settings settings = stj_density_settings_default();
    bool enclosed = false;
    settings.probes = 4;
    settings.steps = 60;

    if (argc != 2) {
        fprintf(stderr, "usage: 04-density RUN\n");
        return 1;
    }
    if (stj_run_open(argv[1], &run, &err) == STJ_OK)
        stj_run_get_info(run, &info);
    if (err.code == STJ_OK && stj_run_jacobian(run, 0, 0, 0, &jacobian, &err) == STJ_OK &&
        stj_density_solve(jacobian, &settings, &density, &err) == STJ_OK &&
        (sigma = all_values(run, &n, &err)) != NULL &&
        stj_density_curve(density, N_EPSILON, epsilon, 0, counts, &err) == STJ_OK &&
        stj_density_find_functionals(density, (double)info.n_steps, 0, &functionals, &err) ==
            STJ_OK) {
        enclosed = true;
        for (size_t i = 0; i < N_EPSILON; i++)
            enclosed = compare(&counts[i], n, sigma) && enclosed;
        printf("mean of log sigma per step %.4f, sum of sigma^2 %.1f +- %.1f\n",
               functionals.lyapunov.value, functionals.frobenius_squared.value,
               functionals.frobenius_squared.error);
    }
    if (err.code != STJ_OK)
        fprintf(stderr, "04-density: %s\n", err.text);
    stj_free(sigma);
    stj_density_result_destroy(density);
    stj_op_destroy(jacobian);
    stj_run_destroy(run);
    return err.code == STJ_OK && enclosed ? 0 : 1;
}
