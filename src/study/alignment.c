/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/alignment.c: the cosine of u_i and v_i, direction by direction and by region.
 *
 *     cosine_i = u_i . v_i
 *
 * Near 1: training carries the direction through as it is; near 0: it leaves elsewhere.  Inside a
 * group of equal singular values u_i and v_i may be turned together by any rotation, which changes
 * single cosines but not their sum: the means by region are determined, the numbers of such indices
 * are marked as basis-dependent.
 */
#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "study/studies.h"

struct alignment_config {
    double epsilon;
};

static const struct stj_option options[] = {
    STJ_STUDY_EPSILON(offsetof(struct alignment_config, epsilon)),
    {.name = NULL},
};

struct measurement {
    const struct stj_directions *d;
    double *cosine; /* of the known directions, in their order */
    size_t next;
};

static enum stj_status alignment_measure(void *ctx, size_t i, const double *u, const double *v,
                                         struct stj_error *err)
{
    struct measurement *m = ctx;
    (void)i;
    (void)err;
    m->cosine[m->next++] = stj_dot(m->d->n, u, v);
    return STJ_OK;
}

static enum stj_status alignment_put_regions(const struct stj_directions *d, const double *cosine,
                                             double epsilon, struct stj_study_result *r,
                                             struct stj_error *err)
{
    size_t count[STJ_N_REGIONS] = {0};
    double sum[STJ_N_REGIONS] = {0}, sum_abs[STJ_N_REGIONS] = {0};
    for (size_t k = 0; k < stj_directions_n_known(d); k++) {
        const enum stj_region g = stj_region_of(d->sigma[stj_directions_item(d, k)], epsilon);
        count[g]++;
        sum[g] += cosine[k];
        sum_abs[g] += fabs(cosine[k]);
    }
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        const double n = count[g] ? (double)count[g] : (double)NAN;
        STJ_MUST(stj_study_put_count(r, count[g], err, "regions.%s.count", name));
        STJ_MUST(stj_study_put_real(r, sum[g] / n, err, "regions.%s.mean_cosine", name));
        STJ_MUST(stj_study_put_real(r, sum_abs[g] / n, err, "regions.%s.mean_abs_cosine", name));
    }
    return STJ_OK;
}

static enum stj_status alignment_run(const struct stj_study_context *cx, const void *config,
                                     struct stj_study_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct alignment_config *c = config;
    const struct stj_directions *d = cx->directions;
    struct measurement m = {.d = d};
    STJ_TRY(stj_new(&m.cosine, stj_directions_n_known(d), sizeof *m.cosine, err));
    STJ_TRY(stj_directions_visit(d, true, true, alignment_measure, &m, err));
    STJ_TRY(stj_directions_put(d, r, err));
    STJ_TRY(stj_study_put_real(r, c->epsilon, err, "epsilon"));
    STJ_TRY(alignment_put_regions(d, m.cosine, c->epsilon, r, err));
    STJ_TRY(stj_directions_put_list(d, r, err));
    STJ_TRY(stj_study_put_reals(r, m.next, m.cosine, err, "cosine"));
out:
    free(m.cosine);
    return st;
}

static void alignment_print(FILE *out, const struct stj_study_result *r)
{
    size_t n = 0, dependent = 0;
    const double *mark = stj_study_vector(r, &n, "basis_dependent");
    for (size_t i = 0; i < n; i++)
        dependent += mark[i] > 0;
    fprintf(out, "cosine of u_i and v_i, by region (epsilon %.6g)\n",
            stj_study_number(r, "epsilon"));
    fprintf(out, "%-8s %8s %12s %14s\n", "region", "known", "mean", "mean of |.|");
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        fprintf(out, "%-8s %8.0f", name, stj_study_number(r, "regions.%s.count", name));
        if (isnan(stj_study_number(r, "regions.%s.mean_cosine", name)))
            fprintf(out, " %12s %14s\n", "-", "-");
        else
            fprintf(out, " %12.5f %14.5f\n", stj_study_number(r, "regions.%s.mean_cosine", name),
                    stj_study_number(r, "regions.%s.mean_abs_cosine", name));
    }
    if (dependent > 0)
        fprintf(out,
                "%zu directions share their singular value with another: their own cosines depend "
                "on the basis\n",
                dependent);
    stj_directions_print(out, r);
}

static enum stj_status alignment_make(const struct stj_study_result *r, struct stj_chart *chart,
                                      struct stj_error *err)
{
    stj_chart_title(chart, "Cosine of left and right singular vectors");
    stj_axis_name(&chart->y, "cosine", "cosine of u_i and v_i");
    return stj_study_chart_directions(r, "cosine", chart, err);
}

static const struct stj_study_figure figures[] = {
    {"alignment", "cosine of u_i and v_i against i", alignment_make},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_alignment = {
    .info = {.name = "alignment",
             .doc = "cosine of left and right singular vectors",
             .options = options,
             .config_size = sizeof(struct alignment_config)},
    .description = "The cosine of u_i and v_i for every known direction i, and its mean by region.",
    .example = "  spectraj study alignment digits-run\n",
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .run = alignment_run,
    .print = alignment_print,
    .figures = figures,
};
