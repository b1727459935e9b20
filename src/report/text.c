/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/text.c: results as tables for people. */
#include "report/text.h"

#include <math.h>

/* How many of the largest and of the smallest values of a full spectrum are printed. */
enum { ENDS_SHOWN = 6 };

static void print_seconds(FILE *out, const char *before, double seconds, const char *after)
{
    if (seconds < 100)
        fprintf(out, "%s%.3g s%s", before, seconds, after);
    else if (seconds < 6000)
        fprintf(out, "%s%.1f min%s", before, seconds / 60, after);
    else
        fprintf(out, "%s%.1f h%s", before, seconds / 3600, after);
}

static void print_losses(FILE *out, const struct stj_run_info *info)
{
    fprintf(out, "train loss     %.6g\n", info->train_loss);
    if (!isnan(info->test_loss))
        fprintf(out, "test loss      %.6g\n", info->test_loss);
    if (!isnan(info->test_accuracy))
        fprintf(out, "test accuracy  %.4f\n", info->test_accuracy);
}

void stj_text_train(FILE *out, const struct stj_run_info *info)
{
    fprintf(out, "%zu parameters, %zu steps of %zu rows", info->n_params, info->n_steps,
            info->batch_size);
    print_seconds(out, ", ", info->seconds, "\n");
    print_losses(out, info);
    fprintf(out, "run            %s\n", info->dir);
}

void stj_text_info(FILE *out, const struct stj_run_info *info, const struct stj_run_layer *layers,
                   size_t n_layers, char *const *results, size_t n_results)
{
    fprintf(out, "run            %s\nfingerprint    %s\n", info->dir, info->fingerprint);
    fprintf(out, "made by        spectraj %s, %s\n", info->version, info->blas);
    fprintf(out, "data           %zu rows to train, %zu to test\n", info->train_rows,
            info->test_rows);
    fprintf(out, "network        %zu parameters, %s\n", info->n_params, info->loss);
    for (size_t i = 0; i < n_layers; i++)
        fprintf(out, "  %-16s %-12s %8zu parameters at %zu\n",
                layers[i].label ? layers[i].label : layers[i].type, layers[i].shape,
                layers[i].n_params, layers[i].offset);
    fprintf(out, "training       %s, %zu steps of %zu rows", info->optimizer, info->n_steps,
            info->batch_size);
    print_seconds(out, ", ", info->seconds, "\n");
    print_losses(out, info);
    fprintf(out, "results       ");
    for (size_t i = 0; i < n_results; i++)
        fprintf(out, " %s", results[i]);
    fprintf(out, "%s\n", n_results == 0 ? " none yet" : "");
}

static void print_cost(FILE *out, const struct stj_svd_result *r)
{
    const struct stj_op_counts *c = &r->counts;
    if (c->jvp + c->vjp > 0) {
        fprintf(out, "cost: %.6g products with J, %.6g with J'", c->jvp, c->vjp);
        if (c->replayed > 0)
            fprintf(out, ", %.6g of them from the record of an earlier start", c->replayed);
        print_seconds(out, "; ", r->seconds, "\n");
    } else {
        fprintf(out, "cost: none, this is the stored result\n");
    }
}

static void print_pairs(FILE *out, const char *sigma, const struct stj_pairs *p)
{
    fprintf(out, "%6s %15s %12s %10s\n", "i", sigma, "residual", "cosine");
    for (size_t i = 0; i < p->k; i++) {
        fprintf(out, "%6zu %15.9g %12.2e", i + 1, p->sigma[i], p->residual[i]);
        if (isnan(p->cosine[i]))
            fprintf(out, " %10s\n", "-");
        else
            fprintf(out, " %10.5f\n", p->cosine[i]);
    }
}

static void print_top(FILE *out, const struct stj_svd_result *r)
{
    fprintf(out, "largest singular values of J, %zu parameters: %zu of %zu converged\n",
            r->n_params, r->converged, r->requested);
    print_pairs(out, "sigma", &r->top);
    fprintf(out, "method: %s, ncv %zu; %.6g products with J'J\n",
            r->method ? r->method : "automatic", r->ncv, r->products);
}

static void print_bottom(FILE *out, const struct stj_svd_result *r)
{
    fprintf(out, "smallest singular values of J, as upper bounds: %zu of %zu converged\n",
            r->bottom_converged, r->bottom_requested);
    print_pairs(out, "sigma bound", &r->bottom);
    fprintf(out, "method: %s, %zu vectors; %.6g products; floor %.2e\n",
            r->bottom_method ? r->bottom_method : "automatic", r->bottom_ncv, r->bottom_products,
            r->floor);
}

void stj_text_svd(FILE *out, const struct stj_svd_result *r)
{
    if (r->requested)
        print_top(out, r);
    if (r->bottom_requested)
        print_bottom(out, r);
    fprintf(out, "tol %.3g, seed %llu; stop: %s\n", r->tol, (unsigned long long)r->seed,
            stj_stop_text(r->stop));
    print_cost(out, r);
}

static void print_region(FILE *out, const char *name, const char *condition, double limit,
                         size_t count, size_t n)
{
    fprintf(out, "%-8s %s %-8.6g %8zu %8.2f %%\n", name, condition, limit, count,
            n > 0 ? 100 * (double)count / (double)n : 0);
}

static void print_ends(FILE *out, const struct stj_dense_result *r)
{
    size_t n = r->n_params;
    size_t shown = n < ENDS_SHOWN ? n : ENDS_SHOWN;
    fprintf(out, "\nlargest  ");
    for (size_t i = 0; i < shown; i++)
        fprintf(out, " %11.6g", r->sigma[i]);
    fprintf(out, "\nsmallest ");
    for (size_t i = n - shown; i < n; i++)
        fprintf(out, " %11.4g", r->sigma[i]);
    fputc('\n', out);
}

void stj_text_dense(FILE *out, const struct stj_dense_result *r)
{
    const struct stj_regions *g = &r->regions;
    fprintf(out, "all %zu singular values of J\n", r->n_params);
    fprintf(out, "%-8s %-15s %8s %10s\n", "region", "sigma", "count", "share");
    print_region(out, "chaotic", "above ", 1 + r->epsilon, g->chaotic, r->n_params);
    print_region(out, "bulk", "1 +-  ", r->epsilon, g->bulk, r->n_params);
    print_region(out, "stable", "below ", 1 - r->epsilon, g->stable, r->n_params);
    print_ends(out, r);
    print_seconds(out, "matrix built in ", r->seconds_build, "");
    print_seconds(out, ", decomposed in ", r->seconds_svd, "\n");
}

void stj_text_validate(FILE *out, const struct stj_validation *v)
{
    fprintf(out, "adjoint identity     %.2e relative\n", v->adjoint_error);
    fprintf(out, "finite differences   %.2e relative, at step %.0e\n", v->finite_difference_error,
            v->finite_difference_step);
    fprintf(out, "replay               %s\n",
            v->replay_identical ? "the same bits at every step" : "DIFFERENT");
    if (isnan(v->dense_max_sigma_error))
        fprintf(out, "against dense        not compared (too many parameters)\n");
    else
        fprintf(out, "against dense        %.2e of sigma_1\n", v->dense_max_sigma_error);
    fprintf(out, "%s\n", v->passed ? "passed" : "NOT PASSED");
}
