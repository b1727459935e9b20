/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/influence_regions.c: how much of what each training sample did to theta_n lies where J is
 * large, near 1, and small.
 *
 *     d_i = d theta_n / d w_i,    e_i(region) = sum over its known u_k of (u_k . d_i)^2
 *     rest                        e_i = |d_i - known part|^2, the mean of (z . d_i)^2 over Gaussian z
 *                                 without their known part: off by sqrt(2 / probes) for one sample
 *
 * u_k . d_i for all samples is one product with the adjoint of D = (d_1, d_2, ..).  Samples of a
 * region: (sum of e_i)^2 / (sum of e_i^2), from 1, where it is one sample's, to all of them alike.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"
#include "op/given_jacobian.h"
#include "op/operator.h"
#include "study/studies.h"

enum { REST = STJ_N_REGIONS, N_GROUPS, BLOCK = 32 };

struct influence_regions_config {
    double epsilon;
    size_t probes;
};

static const struct stj_option options[] = {
    STJ_STUDY_EPSILON(offsetof(struct influence_regions_config, epsilon)),
    STJ_OPTION_ROW(struct influence_regions_config, "probes", SIZE, probes, "64",
                   "random vectors for what lies in no known direction", .min = 2, .max = 10000),
    {.name = NULL},
};

struct measurement {
    const struct stj_study_context *cx;
    const struct influence_regions_config *config;
    struct stj_op *jacobian, *op;
    size_t n, m, count; /* parameters, samples; vectors in the block */
    size_t region[BLOCK];
    double *block, *out;      /* [BLOCK][n], [BLOCK][m] */
    double *probe;            /* [n_probes][n] */
    double *energy[N_GROUPS]; /* [m] */
    size_t n_probes, done;
};

static void measurement_free(struct measurement *w)
{
    stj_op_destroy(w->op);
    stj_op_destroy(w->jacobian);
    free(w->block);
    free(w->out);
    free(w->probe);
    for (size_t g = 0; g < N_GROUPS; g++)
        free(w->energy[g]);
}

/* energy += of `count` vectors, with a factor. */
static enum stj_status add_energy(struct measurement *w, size_t count, const double *x,
                                  const size_t *region, double factor, struct stj_error *err)
{
    STJ_MUST(stj_progress_report(w->cx->progress, "directions", (double)w->done,
                                 (double)(stj_directions_n_known(w->cx->directions) + w->n_probes),
                                 err));
    STJ_MUST(stj_op_apply(w->op, STJ_TRANS, count, x, w->n, w->out, w->m, err));
    for (size_t k = 0; k < count; k++)
        for (size_t i = 0; i < w->m; i++)
            w->energy[region ? region[k] : REST][i] += factor * pow(w->out[k * w->m + i], 2);
    w->done += count;
    return STJ_OK;
}

static enum stj_status add_block(struct measurement *w, struct stj_error *err)
{
    const size_t count = w->count;
    w->count = 0;
    return count > 0 ? add_energy(w, count, w->block, w->region, 1, err) : STJ_OK;
}

static enum stj_status take(void *ctx, size_t i, const double *u, const double *v,
                            struct stj_error *err)
{
    struct measurement *w = ctx;
    (void)v;
    for (size_t p = 0; p < w->n_probes; p++) {
        double *z = w->probe + p * w->n;
        stj_axpy(w->n, -stj_dot(w->n, u, z), u, z);
    }
    memcpy(w->block + w->count * w->n, u, w->n * sizeof *u);
    w->region[w->count++] = stj_region_of(w->cx->directions->sigma[i], w->config->epsilon);
    return w->count == BLOCK ? add_block(w, err) : STJ_OK;
}

static enum stj_status influence_regions_prepare(struct measurement *w, struct stj_error *err)
{
    const struct stj_directions *d = w->cx->directions;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_NEED(err, !d->at, STJ_EUNSUPPORTED,
             "the directions of %s are of some layers alone: compute those of all parameters",
             d->source);
    STJ_MUST(stj_run_jacobian(w->cx->run, 0, 0, w->cx->memory_bytes, &w->jacobian, err));
    STJ_MUST(stj_given_jacobian_create(w->jacobian, STJ_GIVEN_WEIGHTS, &w->op, err));
    STJ_MUST(stj_op_watch(w->op, err));
    w->n = stj_op_n_rows(w->op);
    w->m = stj_op_n_cols(w->op);
    w->n_probes = stj_directions_n_known(d) < d->n ? w->config->probes : 0;
    STJ_MUST(stj_new(&w->block, BLOCK * w->n, sizeof *w->block, err));
    STJ_MUST(stj_new(&w->out, BLOCK * w->m, sizeof *w->out, err));
    STJ_MUST(stj_new(&w->probe, w->n_probes * w->n, sizeof *w->probe, err));
    for (size_t g = 0; g < N_GROUPS; g++)
        STJ_MUST(stj_new(&w->energy[g], w->m, sizeof *w->energy[g], err));
    STJ_MUST(stj_rng_create(w->cx->seed, STJ_STREAM_STUDY, 0, &rng, err));
    stj_rng_fill_normal(rng, w->n_probes * w->n, w->probe);
    return STJ_OK;
}

static enum stj_status influence_regions_measure(struct measurement *w, struct stj_error *err)
{
    STJ_MUST(stj_directions_visit(w->cx->directions, true, false, take, w, err));
    STJ_MUST(add_block(w, err));
    for (size_t p = 0; p < w->n_probes; p += BLOCK) {
        const size_t count = w->n_probes - p < BLOCK ? w->n_probes - p : BLOCK;
        STJ_MUST(add_energy(w, count, w->probe + p * w->n, NULL, 1 / (double)w->n_probes, err));
    }
    stj_study_note_check(w->cx->check, w->op);
    return STJ_OK;
}

static const char *group_name(size_t g)
{
    return g == REST ? "rest" : stj_region_name((enum stj_region)g);
}

/* Count of directions, share of the sum over all samples, samples. */
static enum stj_status put_groups(const struct measurement *w, struct stj_study_result *r,
                                  struct stj_error *err)
{
    const struct stj_directions *d = w->cx->directions;
    const size_t n_known = stj_directions_n_known(d);
    size_t count[N_GROUPS] = {[REST] = d->n - n_known};
    double sum[N_GROUPS] = {0}, squares[N_GROUPS] = {0}, all = 0;
    for (size_t k = 0; k < n_known; k++)
        count[stj_region_of(d->sigma[stj_directions_item(d, k)], w->config->epsilon)]++;
    for (size_t g = 0; g < N_GROUPS; g++)
        for (size_t i = 0; i < w->m; i++) {
            sum[g] += w->energy[g][i];
            squares[g] += w->energy[g][i] * w->energy[g][i];
            all += w->energy[g][i];
        }
    if (w->n_probes > 0) /* squares of estimates are larger by their variance */
        squares[REST] /= 1 + 2 / (double)w->n_probes;
    for (size_t g = 0; g < N_GROUPS; g++) {
        const char *name = group_name(g);
        STJ_MUST(stj_study_put_count(r, count[g], err, "regions.%s.count", name));
        STJ_MUST(stj_study_put_real(r, sum[g] / all, err, "regions.%s.share", name));
        STJ_MUST(
            stj_study_put_real(r, sum[g] * sum[g] / squares[g], err, "regions.%s.samples", name));
    }
    return STJ_OK;
}

static enum stj_status influence_regions_run(const struct stj_study_context *cx, const void *config,
                                             struct stj_study_result *r, struct stj_error *err)
{
    STJ_HELD(measurement_free) struct measurement w = {.cx = cx, .config = config};
    STJ_MUST(influence_regions_prepare(&w, err));
    STJ_MUST(influence_regions_measure(&w, err));
    STJ_MUST(stj_directions_put(cx->directions, r, err));
    STJ_MUST(stj_study_put_real(r, w.config->epsilon, err, "epsilon"));
    STJ_MUST(stj_study_put_count(r, w.m, err, "n_samples"));
    STJ_MUST(stj_study_put_count(r, w.n_probes, err, "probes"));
    STJ_MUST(
        stj_study_put_real(r, w.n_probes ? sqrt(2 / (double)w.n_probes) : 0, err, "rest_error"));
    STJ_MUST(put_groups(&w, r, err));
    for (size_t g = 0; g < N_GROUPS; g++)
        STJ_MUST(stj_study_put_reals(r, w.m, w.energy[g], err, "energy.%s", group_name(g)));
    return STJ_OK;
}

static void influence_regions_print(FILE *out, const struct stj_study_result *r)
{
    fprintf(out, "|d theta_n / d w_i|^2 of %.0f training samples, by region (epsilon %.6g)\n",
            stj_study_number(r, "n_samples"), stj_study_number(r, "epsilon"));
    fprintf(out, "%-16s %10s %12s %12s\n", "left directions", "known", "share", "samples");
    for (size_t g = 0; g < N_GROUPS; g++) {
        const char *name = group_name(g);
        const double share = stj_study_number(r, "regions.%s.share", name);
        const double samples = stj_study_number(r, "regions.%s.samples", name);
        fprintf(out, "%-16s %10.0f", g == REST ? "not known" : name,
                stj_study_number(r, "regions.%s.count", name));
        if (share > 0)
            fprintf(out, " %12.5g %12.1f\n", share, samples);
        else
            fprintf(out, " %12s %12s\n", isnan(share) ? "-" : "0", "-");
    }
    fprintf(out, "samples: as many would have the sum between them if all had as much\n");
    if (stj_study_number(r, "probes") > 0)
        fprintf(out,
                "not known: from %.0f random vectors, good to %.0f %% for one sample, and better "
                "for all\n",
                stj_study_number(r, "probes"), 100 * stj_study_number(r, "rest_error"));
    stj_directions_print(out, r);
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static enum stj_status influence_regions_make(const struct stj_study_result *r,
                                              struct stj_chart *chart, struct stj_error *err)
{
    STJ_FREED double *x = NULL, *y = NULL;
    size_t n = (size_t)stj_study_number(r, "n_samples");
    STJ_MUST(stj_new(&x, n, sizeof *x, err));
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    stj_chart_title(chart, "What training samples did to the parameters, by left directions");
    stj_axis_name(&chart->x, "rank", "sample, in the order of each line");
    stj_axis_name(&chart->y, "energy", "|d theta_n / d w_i|^2 within the region");
    chart->y.log = true;
    for (size_t g = 0; g < N_GROUPS; g++) {
        const double *energy = stj_study_vector(r, &n, "energy.%s", group_name(g));
        const enum stj_chart_colour colour =
            g == REST ? STJ_CHART_GREY : stj_region_colour((enum stj_region)g);
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            if (energy[i] > 0) {
                x[count] = (double)(count + 1);
                y[count++] = energy[i];
            }
        qsort(y, count, sizeof *y, descending);
        if (count > 0)
            STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE, colour, count, x, y, err, "%s",
                                   g == REST ? "not known" : group_name(g)));
    }
    return STJ_OK;
}

static const struct stj_study_figure figures[] = {
    {"influence-regions", "squared derivatives by weights of samples, by region",
     influence_regions_make},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_influence_regions = {
    .info = {.name = "influence-regions",
             .doc = "where what each training sample did to the parameters lies",
             .options = options,
             .config_size = sizeof(struct influence_regions_config)},
    .description =
        "How much of the derivative of the last parameters with respect to the weight of each\n"
        "training sample lies in the left singular directions of the Jacobian that are known: the\n"
        "chaotic, the bulk, the stable ones, and what is in none of them.",
    .example = "  spectraj study influence-regions digits-run\n",
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .multiplies = true,
    .run = influence_regions_run,
    .print = influence_regions_print,
    .figures = figures,
};
