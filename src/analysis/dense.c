/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/dense.c: the dense Jacobian, column by column, with all singular values and vectors.
 *
 * J is built from n products in blocks and decomposed by LAPACK's gesdd, 22 n^3 flops or so.
 * Memory: J, U and V' with n^2 numbers each, and 3 n^2 of work space.  Every value is known to the
 * same absolute error, a few eps sigma_1: where sigma_1 is 1e15 the bulk is rounding, and is said
 * to be.
 */
#include <stdio.h>
#include <stdlib.h>

#include <spectraj/svd.h>

#include "analysis/analyses.h"
#include "analysis/charts.h"
#include "analysis/common_options.h"
#include "analysis/print.h"
#include "base/blas.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/progress.h"
#include "parallel/parallel.h"
#include "spectrum/regions.h"

enum { SQUARES = 6, ENDS_SHOWN = 6 };

struct dense_config {
    double epsilon;
};

static const struct stj_option options[] = {
    STJ_EPSILON_OPTION(offsetof(struct dense_config, epsilon)),
    {.name = NULL},
};

struct dense_data {
    size_t n;
    double *sigma, *cosine; /* [n] */
    double *u, *v;          /* [n][n], a vector in each row */
    double epsilon;
    double floor;
    size_t below_floor;
    struct stj_regions regions, doubtful;
    double seconds_build, seconds_svd;
};

#define FIELD(...) STJ_FIELD_ROW(struct dense_data, __VA_ARGS__)
#define PAIRS STJ_FIELD_DIM(struct dense_data, "pair", n)
#define PARAMETERS STJ_FIELD_DIM(struct dense_data, "parameter", n)

static const struct stj_field schema[] = {
    FIELD("n", COUNT, n, "rows and columns of J", .file = "n_params",
          .place = STJ_FIELD_READ_ALONE),
    FIELD("sigma", REAL, sigma, "all singular values, descending", .dim = {PAIRS}),
    FIELD("cosine", REAL, cosine, "u_i . v_i", .dim = {PAIRS}),
    FIELD("u", REAL, u, "left singular vectors, in the space of theta_n",
          .dim = {PAIRS, PARAMETERS}, .place = STJ_FIELD_IN_FILE, .lazy = true),
    FIELD("v", REAL, v, "right singular vectors, in the space of theta_0",
          .dim = {PAIRS, PARAMETERS}, .place = STJ_FIELD_IN_FILE, .lazy = true),
    FIELD("epsilon", REAL, epsilon, "half width of the bulk"),
    FIELD("regions.chaotic", COUNT, regions.chaotic, "values above 1 + epsilon", .later = true,
          .headline = 1),
    FIELD("regions.bulk", COUNT, regions.bulk, "values within epsilon of 1", .later = true),
    FIELD("regions.stable", COUNT, regions.stable, "values below 1 - epsilon", .later = true),
    FIELD("floor", REAL, floor, "what a value is known to; below it a value is rounding",
          .later = true),
    FIELD("below_floor", COUNT, below_floor, "values at or below the floor", .later = true),
    FIELD("doubtful.chaotic", COUNT, doubtful.chaotic,
          "of the values above 1 + epsilon, those that are known too little to be counted there",
          .later = true),
    FIELD("doubtful.bulk", COUNT, doubtful.bulk, "of the values within epsilon of 1, the same",
          .later = true),
    FIELD("doubtful.stable", COUNT, doubtful.stable, "of the values below 1 - epsilon, the same",
          .later = true),
    FIELD("seconds_build", REAL, seconds_build, "for the columns", .unit = "s"),
    FIELD("seconds_svd", REAL, seconds_svd, "for the decomposition", .unit = "s"),
    {.name = NULL},
};

static enum stj_status check_memory(size_t n, size_t memory_bytes, struct stj_error *err)
{
    const size_t available = stj_memory_available();
    const size_t limit = memory_bytes ? memory_bytes : available - available / 4;
    const double needed = SQUARES * (double)n * (double)n * sizeof(double);
    char needs[STJ_REAL_TEXT_MAX], allowed[STJ_REAL_TEXT_MAX];
    stj_number_print_need(needed, needs);
    stj_number_print_bytes(memory_bytes ? limit : limit >> 20 << 20, allowed);
    STJ_NEED(err, needed <= (double)limit, STJ_ENOMEM,
             "a dense Jacobian of %zu parameters needs %s (%d matrices of %zu x %zu), allowed are "
             "%s; raise --memory, or use spectraj svd, which needs no matrix",
             n, needs, SQUARES, n, n, allowed);
    return STJ_OK;
}

/* a <- a', square. */
static void transpose(size_t n, double *a)
{
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < j; i++) {
            double swap = a[i + j * n];
            a[i + j * n] = a[j + i * n];
            a[j + i * n] = swap;
        }
}

static size_t dense_columns(const void *config, size_t n)
{
    (void)config;
    return n;
}

/* The operator is gone before the decomposition, which needs the most. */
static void dense_predict(const struct stj_run *run, const struct stj_plan_request *request,
                          const void *config, struct stj_prediction *p, size_t *engine)
{
    const double square = (double)request->n * (double)request->n * sizeof(double);
    (void)run;
    (void)config;
    (void)engine;
    stj_dense_predict(request->n, 1, p);
    stj_predict_phase_alone(p, SQUARES * square);
    p->file_bytes = 2 * square;
}

static enum stj_status decompose(size_t n, double *a, struct dense_data *d, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_new(&d->sigma, n, sizeof *d->sigma, err));
    STJ_TRY(stj_new(&d->cosine, n, sizeof *d->cosine, err));
    STJ_TRY(stj_new(&d->u, n * n, sizeof *d->u, err));
    STJ_TRY(stj_new(&d->v, n * n, sizeof *d->v, err));
    const struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    st = stj_gesdd(n, n, a, n, d->sigma, d->u, d->v, err);
    stj_blas_guard_give(guard);
    STJ_TRY(st);
    transpose(n, d->v);
    for (size_t i = 0; i < n; i++)
        d->cosine[i] = stj_dot(n, d->u + i * n, d->v + i * n);
out:
    return st;
}

/* What follows from the values: the regions, the floor of rounding, and how many values may lie in
 * another region by that much. */
static void count(const struct stj_run_part *part, struct dense_data *d)
{
    size_t doubtful[STJ_N_REGIONS] = {0};
    d->regions = stj_regions_count(d->n, d->sigma, d->epsilon);
    d->floor = stj_rounding_floor(part->to - part->from, d->n, d->sigma);
    d->below_floor = 0;
    for (size_t i = 0; i < d->n; i++) {
        const double sigma = d->sigma[i];
        d->below_floor += sigma <= d->floor;
        doubtful[stj_region_of(sigma, d->epsilon)] += stj_region_of(sigma + d->floor, d->epsilon) !=
                                                      stj_region_of(sigma - d->floor, d->epsilon);
    }
    d->doubtful =
        (struct stj_regions){doubtful[STJ_CHAOTIC], doubtful[STJ_BULK], doubtful[STJ_STABLE]};
}

static enum stj_status dense_compute(struct stj_analysis_context *cx, const void *config,
                                     void *data, struct stj_error *err)
{
    const struct dense_config *c = config;
    struct dense_data *d = data;
    STJ_FREED double *a = NULL;
    d->n = cx->n;
    d->epsilon = c->epsilon;
    /* 1. The columns. */
    STJ_MUST(stj_new(&a, d->n * d->n, sizeof *a, err));
    double start = stj_clock();
    STJ_MUST(stj_op_densify(cx->op, 0, a, d->n, cx->progress, err));
    d->seconds_build = stj_clock() - start;
    stj_analysis_release_op(cx); /* what it kept between sweeps makes room for the decomposition */
    /* 2. The decomposition. */
    STJ_MUST(stj_progress_report(cx->progress, "decomposition", 0, 1, err));
    start = stj_clock();
    STJ_MUST(decompose(d->n, a, d, err));
    d->seconds_svd = stj_clock() - start;
    STJ_MUST(stj_progress_report(cx->progress, "decomposition", 1, 1, err));
    count(cx->part, d);
    return STJ_OK;
}

/* Another epsilon is answered from the values. */
static enum stj_status dense_view(const struct stj_analysis_context *cx, const void *config,
                                  void *data, struct stj_error *err)
{
    const struct dense_config *c = config;
    struct dense_data *d = data;
    (void)err;
    if (c)
        d->epsilon = c->epsilon;
    count(cx->part, d);
    return STJ_OK;
}

static void print_region(FILE *out, const char *name, const char *condition, double limit,
                         size_t count, size_t doubtful, size_t n)
{
    fprintf(out, "%-8s %s %-8.6g %8zu %8.2f %%", name, condition, limit, count,
            n > 0 ? 100 * (double)count / (double)n : 0);
    if (doubtful > 0)
        fprintf(out, "   %zu of them NOT KNOWN: rounding", doubtful);
    fputc('\n', out);
}

static void print_ends(FILE *out, const struct dense_data *d)
{
    const size_t shown = d->n < ENDS_SHOWN ? d->n : ENDS_SHOWN;
    fprintf(out, "\nlargest  ");
    for (size_t i = 0; i < shown; i++)
        fprintf(out, " %11.6g", d->sigma[i]);
    fprintf(out, "\nsmallest ");
    for (size_t i = d->n - shown; i < d->n; i++)
        fprintf(out, " %11.4g", d->sigma[i]);
    fprintf(out, "\nvalues are known to %.2g; %zu below that are rounding\n", d->floor,
            d->below_floor);
}

static void dense_print(FILE *out, const struct stj_result *result)
{
    const struct dense_data *d = result->data;
    const struct stj_regions *g = &d->regions;
    fprintf(out, "all %zu singular values of J\n", d->n);
    fprintf(out, "%-8s %-15s %8s %10s\n", "region", "sigma", "count", "share");
    print_region(out, "chaotic", "above ", 1 + d->epsilon, g->chaotic, d->doubtful.chaotic, d->n);
    print_region(out, "bulk", "1 +-  ", d->epsilon, g->bulk, d->doubtful.bulk, d->n);
    print_region(out, "stable", "below ", 1 - d->epsilon, g->stable, d->doubtful.stable, d->n);
    print_ends(out, d);
    stj_print_seconds(out,
                      result->about.stored ? "stored result: matrix built in " : "matrix built in ",
                      d->seconds_build, "");
    stj_print_seconds(out, ", decomposed in ", d->seconds_svd, "\n");
    stj_print_cost(out, &result->about);
}

static enum stj_status dense_make_spectrum(const struct stj_result *result, struct stj_chart *chart,
                                           struct stj_error *err)
{
    const struct dense_data *d = result->data;
    return stj_chart_spectrum(chart, d->n, d->sigma, d->n, NULL, d->epsilon, d->floor, err);
}

static const struct stj_analysis_figure figures[] = {
    {"spectrum", "singular values against their index, with the limits of the regions",
     dense_make_spectrum},
    {.doc = NULL},
};

const struct stj_analysis stj_analysis_dense = {
    .info = {.name = "dense",
             .doc = "all singular values, from the dense Jacobian",
             .options = options,
             .config_size = sizeof(struct dense_config)},
    .description =
        "Build J = d theta_n / d theta_0 column by column, decompose it with LAPACK, and store\n"
        "the result in RUN/dense.h5.  For networks of a few thousand parameters.  If the matrices\n"
        "do not fit into memory, the command refuses and prints the sizes.\n",
    .example = "  spectraj dense digits-run --json\n",
    .schema = schema,
    .result_size = sizeof(struct dense_data),
    .format = {.name = "spectraj-dense", .version = 1, .remedy = "compute it again with --force"},
    .columns = dense_columns,
    .predict = dense_predict,
    .fits = check_memory,
    .compute = dense_compute,
    .view = dense_view,
    .print = dense_print,
    .figures = figures,
};
