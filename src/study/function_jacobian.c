/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/function_jacobian.c: the parameter-function Jacobian and the directions it does not see.
 *
 *     G = d outputs / d theta     at theta_n, for all outputs on a set of inputs
 *
 * A direction in the null space of G changes none of these outputs to first order.  With R the
 * right singular vectors of G above the tolerance, the share of a unit vector w in the null space
 * is 1 - |R'w|^2; over the vectors of a region it averages to the mean squared cosine between
 * region and null space, but for the ratio of their dimensions.
 *
 * All singular values, where they fit the memory: G' is built by products and decomposed; with more
 * rows than parameters its rows are folded block by block into a triangle of QR, which has the same
 * singular values and right vectors.  Where that does not fit, the largest pairs matrix-free.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "op/function_jacobian.h"
#include "study/samples.h"
#include "spectrum/svd/svd_method.h"
#include "study/studies.h"

struct jacobian_config {
    char *data;
    size_t rows, top;
    int side, at;
    double tol, epsilon;
};

static const char *const sides[] = {"left", "right", NULL}; /* in the order of the enum */
static const char *const points[] = {"end", "start", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct jacobian_config, __VA_ARGS__)

static const struct stj_option options[] = {
    OPTION("data", STRING, data, "",
           "one set of inputs: " STJ_SAMPLES_DOC " (default: test, else train)"),
    OPTION("rows", SIZE, rows, "0", "use the first N rows; 0: all"),
    OPTION("at", CHOICE, at, "end",
           "differentiate at the end of the training, theta_n, or at its start, theta_0",
           .choices = points),
    OPTION("side", CHOICE, side, "left",
           "compare with the left vectors u_i of the training Jacobian, which lie in the space of "
           "theta_n, or with the right ones v_i",
           .choices = sides),
    OPTION("top", SIZE, top, "20",
           "number of right singular vectors of G to store; if not all fit into memory, only these "
           "are "
           "computed",
           .min = 1),
    OPTION("tol", REAL, tol, "0",
           "singular values up to X times the largest form the null space; 0: eps times the "
           "larger dimension of G",
           .max = 1, .below_max = true),
    STJ_STUDY_EPSILON(offsetof(struct jacobian_config, epsilon)),
    {.name = NULL},
};

static enum stj_status function_jacobian_check(const void *config, struct stj_error *err)
{
    const struct jacobian_config *c = config;
    STJ_NEED(err, !c->data || !strchr(c->data, ','), STJ_EINVAL,
             "data is '%s': G is of one set of inputs", c->data);
    return STJ_OK;
}

/* Singular values of G, and its right singular vectors. */
struct spectrum {
    bool complete;  /* all of them */
    size_t n_sigma; /* values */
    size_t n_kept;  /* vectors */
    double *sigma, *v;
    size_t rank; /* values above the tolerance */
};

/* ---- the singular values ---- */

/* What G is made of. */
struct source {
    const struct stj_network *net;
    const struct stj_samples *samples;
    const double *theta;
    size_t n, m; /* parameters; outputs of all rows */
    const struct stj_progress *progress;
    struct stj_self_check *check;
    size_t *unchecked; /* gradients since a product with G was held against one of them */
};

enum { CHECK_EVERY = 200 };

/* columns (n x count) <- the gradients of `count` outputs from `first` on, of the rows first_row to
 * first_row + n_rows - 1 alone. */
static enum stj_status gradients_of_rows(const struct source *g, size_t first_row, size_t n_rows,
                                         size_t first, size_t count, double *columns,
                                         struct stj_error *err)
{
    const size_t n_in = stj_shape_size(stj_network_input(g->net));
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_FREED double *unit = NULL;
    STJ_MUST(stj_function_jacobian_create(g->net, n_rows, g->samples->x + first_row * n_in,
                                          g->theta, &op, err));
    const size_t m = stj_op_n_rows(op);
    STJ_MUST(stj_new(&unit, count * m, sizeof *unit, err));
    if (*g->unchecked + count > CHECK_EVERY) {
        *g->unchecked = 0;
        STJ_MUST(stj_op_watch(op, err)); /* theta is as good a vector as any */
        STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, 1, g->theta, g->n, unit, m, err));
        memset(unit, 0, m * sizeof *unit);
    }
    for (size_t j = 0; j < count; j++)
        unit[j * m + first + j] = 1;
    STJ_MUST(stj_op_apply(op, STJ_TRANS, count, unit, m, columns, g->n, err));
    *g->unchecked += count;
    stj_study_note_check(g->check, op);
    return STJ_OK;
}

/* columns (n x count) <- rows first .. first + count - 1 of G.  An output's gradient concerns its
 * own row of inputs, unless the network couples them: a few rows at a time. */
static enum stj_status gradients(const struct source *g, size_t first, size_t count,
                                 double *columns, struct stj_error *err)
{
    enum { GROUP = 8, BLOCK = 64 };
    const bool coupled = stj_network_couples_samples(g->net);
    const size_t n_out = g->m / g->samples->n_rows;
    size_t k = 0;
    for (size_t i = first; i < first + count; i += k) {
        const size_t row = coupled ? 0 : i / n_out / GROUP * GROUP;
        const size_t left = g->samples->n_rows - row;
        const size_t rows = coupled || left < GROUP ? left : GROUP;
        k = row * n_out + rows * n_out - i;
        k = k < BLOCK ? k : BLOCK;
        k = k < first + count - i ? k : first + count - i;
        STJ_MUST(stj_progress_report(g->progress, "gradients", (double)i, (double)g->m, err));
        STJ_MUST(
            gradients_of_rows(g, row, rows, i - row * n_out, k, columns + (i - first) * g->n, err));
    }
    return STJ_OK;
}

/* No more rows than parameters: G' = U S W', and U has the right vectors. */
static enum stj_status solve_wide(const struct source *g, struct spectrum *s, struct stj_error *err)
{
    const size_t n = g->n, m = g->m;
    STJ_FREED double *a = NULL, *wt = NULL;
    s->n_sigma = s->n_kept = m;
    STJ_MUST(stj_new(&a, n * m, sizeof *a, err));
    STJ_MUST(stj_new(&wt, m * m, sizeof *wt, err));
    STJ_MUST(stj_new(&s->sigma, m, sizeof *s->sigma, err));
    STJ_MUST(stj_new(&s->v, n * m, sizeof *s->v, err));
    STJ_MUST(gradients(g, 0, m, a, err));
    STJ_MUST(stj_progress_report(g->progress, "decomposition", 0, 1, err));
    return stj_gesdd(n, m, a, n, s->sigma, s->v, wt, err);
}

/* r (n x n) <- the triangle of QR of G, whose rows come in blocks of at most n:
 * R <- qr([R; block]). */
static enum stj_status fold(const struct source *g, double *r, struct stj_error *err)
{
    const size_t n = g->n, m = g->m;
    STJ_FREED double *stack = NULL, *columns = NULL;
    STJ_MUST(stj_new(&stack, 2 * n * n, sizeof *stack, err));
    STJ_MUST(stj_new(&columns, n * n, sizeof *columns, err));
    for (size_t first = 0; first < m; first += n) {
        const size_t k = m - first < n ? m - first : n;
        STJ_MUST(gradients(g, first, k, columns, err));
        for (size_t j = 0; j < n; j++) {
            memcpy(stack + j * 2 * n, r + j * n, n * sizeof *r);
            for (size_t i = 0; i < n; i++)
                stack[j * 2 * n + n + i] = i < k ? columns[i * n + j] : 0;
        }
        STJ_MUST(stj_qr_triangle(2 * n, n, stack, 2 * n, r, err));
    }
    return STJ_OK;
}

static enum stj_status solve_tall(const struct source *g, struct spectrum *s, struct stj_error *err)
{
    const size_t n = g->n;
    STJ_FREED double *r = NULL, *u = NULL, *vt = NULL;
    s->n_sigma = s->n_kept = n;
    STJ_MUST(stj_new(&r, n * n, sizeof *r, err));
    STJ_MUST(stj_new(&u, n * n, sizeof *u, err));
    STJ_MUST(stj_new(&vt, n * n, sizeof *vt, err));
    STJ_MUST(stj_new(&s->v, n * n, sizeof *s->v, err));
    STJ_MUST(stj_new(&s->sigma, n, sizeof *s->sigma, err));
    STJ_MUST(fold(g, r, err));
    STJ_MUST(stj_progress_report(g->progress, "decomposition", 0, 1, err));
    STJ_MUST(stj_gesdd(n, n, r, n, s->sigma, u, vt, err));
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < n; i++)
            s->v[j * n + i] = vt[i * n + j];
    return STJ_OK;
}

/* Does not fit: the largest pairs. */
static enum stj_status solve_top(const struct source *g, size_t top, uint64_t seed,
                                 struct spectrum *s, struct stj_error *err)
{
    const size_t n = g->n, least = g->n < g->m ? g->n : g->m;
    struct stj_svd_settings settings = stj_svd_settings_default();
    STJ_HELD(stj_svd_result_destroy_at) struct stj_svd_result *result = NULL;
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    settings.top = top < least ? top : least;
    settings.seed = seed;
    if (g->progress)
        settings.progress = *g->progress;
    STJ_MUST(stj_function_jacobian_create(g->net, g->samples->n_rows, g->samples->x, g->theta, &op,
                                          err));
    STJ_MUST(stj_op_watch(op, err));
    STJ_MUST(stj_svd_solve(op, &settings, &result, err));
    stj_study_note_check(g->check, op);
    STJ_NEED(err, result->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED,
             "the singular pairs of the parameter-function Jacobian were interrupted");
    s->n_sigma = s->n_kept = result->top.k;
    STJ_MUST(stj_new(&s->sigma, s->n_sigma, sizeof *s->sigma, err));
    STJ_MUST(stj_new(&s->v, s->n_kept * n, sizeof *s->v, err));
    memcpy(s->sigma, result->top.sigma, s->n_sigma * sizeof *s->sigma);
    memcpy(s->v, result->top.v, s->n_kept * n * sizeof *s->v);
    return STJ_OK;
}

/* Numbers that a full decomposition needs at once. */
static double full_size(size_t n, size_t m)
{
    const double a = (double)n, b = (double)m;
    return m <= n ? 4 * a * b + 4 * b * b : 7 * a * a;
}

static enum stj_status function_jacobian_solve(const struct stj_study_context *cx,
                                               const struct jacobian_config *c,
                                               const struct source *g, struct spectrum *s,
                                               struct stj_error *err)
{
    const size_t n = g->n, m = g->m;
    const size_t limit = cx->memory_bytes ? cx->memory_bytes : stj_memory_available() / 2;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    s->complete =
        full_size(n, m) * sizeof(double) <= (double)limit && n <= INT32_MAX && m <= INT32_MAX;
    if (!s->complete)
        STJ_MUST(solve_top(g, c->top, cx->seed, s, err));
    else if (m <= n)
        STJ_MUST(solve_wide(g, s, err));
    else
        STJ_MUST(solve_tall(g, s, err));
    const double tol = c->tol > 0 ? c->tol : DBL_EPSILON * (double)(n > m ? n : m);
    while (s->rank < s->n_sigma && s->sigma[s->rank] > tol * s->sigma[0])
        s->rank++;
    return STJ_OK;
}

/* ---- the null space ---- */

/* share[known] <- 1 - |R'w|^2 of the known directions. */
static enum stj_status function_jacobian_measure(const struct stj_study_context *cx,
                                                 enum stj_side side, const struct spectrum *s,
                                                 double *share, struct stj_error *err)
{
    enum { BLOCK = 128 };
    const struct stj_directions *d = cx->directions;
    const size_t n = d->n, known = stj_directions_n_known(d);
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    size_t item[BLOCK];
    STJ_FREED double *product = NULL, *w = NULL;
    STJ_MUST(stj_new(&w, BLOCK * n, sizeof *w, err));
    STJ_MUST(stj_new(&product, BLOCK * s->rank, sizeof *product, err));
    for (size_t first = 0; first < known; first += BLOCK) {
        const size_t k = known - first < BLOCK ? known - first : BLOCK;
        for (size_t j = 0; j < k; j++)
            item[j] = stj_directions_item(d, first + j);
        STJ_MUST(stj_directions_gather(d, side, k, item, w, err));
        if (s->rank > 0)
            stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, s->rank, k, n, 1, s->v, n, w, n, 0,
                      product, s->rank);
        for (size_t j = 0; j < k; j++)
            share[first + j] =
                fmax(0, 1 - stj_dot(s->rank, product + j * s->rank, product + j * s->rank));
    }
    return STJ_OK;
}

static enum stj_status function_jacobian_put_regions(const struct stj_directions *d,
                                                     const struct spectrum *s, const double *share,
                                                     double epsilon, struct stj_study_result *r,
                                                     struct stj_error *err)
{
    const size_t null = d->n - s->rank;
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        double sum = 0;
        size_t count = 0;
        for (size_t k = 0; k < stj_directions_n_known(d); k++) {
            if (stj_region_of(d->sigma[stj_directions_item(d, k)], epsilon) != g)
                continue;
            sum += share[k];
            count++;
        }
        const size_t least = count < null ? count : null, most = count < null ? null : count;
        const double none = (double)NAN;
        STJ_MUST(stj_study_put_count(r, count, err, "regions.%s.count", name));
        STJ_MUST(stj_study_put_real(r, count ? sum / (double)count : none, err,
                                    "regions.%s.null_share", name));
        STJ_MUST(stj_study_put_real(r, s->complete && least ? sum / (double)least : none, err,
                                    "regions.%s.mean_squared_cosine", name));
        STJ_MUST(stj_study_put_real(r, s->complete && least ? (double)most / (double)d->n : none,
                                    err, "regions.%s.random_mean_squared_cosine", name));
    }
    return STJ_OK;
}

static enum stj_status put_overlap(const struct stj_study_context *cx,
                                   const struct jacobian_config *c, const struct spectrum *s,
                                   struct stj_study_result *r, struct stj_error *err)
{
    const struct stj_directions *d = cx->directions;
    STJ_FREED double *share = NULL;
    STJ_MUST(stj_new(&share, stj_directions_n_known(d), sizeof *share, err));
    STJ_MUST(function_jacobian_measure(cx, (enum stj_side)c->side, s, share, err));
    STJ_MUST(stj_directions_put(d, r, err));
    STJ_MUST(stj_study_put_text(r, sides[c->side], err, "side"));
    STJ_MUST(stj_study_put_real(r, c->epsilon, err, "epsilon"));
    STJ_MUST(function_jacobian_put_regions(d, s, share, c->epsilon, r, err));
    STJ_MUST(stj_directions_put_list(d, r, err));
    return stj_study_put_reals(r, stj_directions_n_known(d), share, err, "null_share");
}

static enum stj_status function_jacobian_put(const struct jacobian_config *c,
                                             const struct source *g, const struct spectrum *s,
                                             struct stj_study_result *r, struct stj_error *err)
{
    const size_t n = g->n, kept = c->top < s->n_kept ? c->top : s->n_kept;
    const double null = s->complete ? (double)(n - s->rank) : (double)NAN;
    STJ_MUST(stj_study_put_text(r, g->samples->name, err, "data"));
    STJ_MUST(stj_study_put_count(r, g->samples->n_rows, err, "rows"));
    STJ_MUST(stj_study_put_text(r, points[c->at], err, "at"));
    STJ_MUST(stj_study_put_count(r, g->m, err, "outputs"));
    STJ_MUST(stj_study_put_count(r, s->complete, err, "complete"));
    STJ_MUST(stj_study_put_count(r, s->rank, err, "rank"));
    STJ_MUST(stj_study_put_item(r, STJ_STUDY_COUNT, "null_dimension", 1, &null, NULL, err));
    STJ_MUST(stj_study_put_reals(r, s->n_sigma, s->sigma, err, "function_sigma"));
    STJ_MUST(stj_study_put_count(r, kept, err, "vectors"));
    return stj_study_put_item(r, STJ_STUDY_VECTORS, "v", kept * n, s->v, NULL, err);
}

static enum stj_status function_jacobian_run(const struct stj_study_context *cx, const void *config,
                                             struct stj_study_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct jacobian_config *c = config;
    const char *data = c->data ? c->data : cx->run->test ? "test" : "train";
    struct stj_sample_sets sets = {0};
    struct spectrum s = {.sigma = NULL};
    size_t unchecked = CHECK_EVERY; /* the first block is checked */
    struct source g = {
        .net = cx->run->net, .progress = cx->progress, .check = cx->check, .unchecked = &unchecked};
    double *theta = NULL;
    STJ_TRY(stj_samples_make(cx, data, c->rows, &sets, err));
    STJ_TRY(stj_new(&theta, stj_network_n_params(cx->run->net), sizeof *theta, err));
    STJ_TRY(stj_run_theta(cx->run, c->at ? 0 : cx->run->n_steps, theta, err));
    g.samples = &sets.set[0];
    g.theta = theta;
    g.n = stj_network_n_params(g.net);
    STJ_TRY(stj_size_mul(g.samples->n_rows, stj_shape_size(stj_network_output(g.net)), &g.m, err));
    STJ_TRY(function_jacobian_solve(cx, c, &g, &s, err));
    STJ_TRY(function_jacobian_put(c, &g, &s, r, err));
    if (cx->directions)
        STJ_TRY(put_overlap(cx, c, &s, r, err));
out:
    stj_samples_free(&sets);
    free(theta);
    free(s.sigma);
    free(s.v);
    return st;
}

static void print_overlap(FILE *out, const struct stj_study_result *r)
{
    fprintf(out, "share of the %s singular vectors of the training Jacobian in the null space\n",
            stj_study_text(r, "side"));
    fprintf(out, "%-8s %8s %12s %20s %12s\n", "region", "known", "mean share",
            "mean squared cosine", "if random");
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        const double number[] = {
            stj_study_number(r, "regions.%s.null_share", name),
            stj_study_number(r, "regions.%s.mean_squared_cosine", name),
            stj_study_number(r, "regions.%s.random_mean_squared_cosine", name)};
        static const int width[] = {12, 20, 12};
        fprintf(out, "%-8s %8.0f", name, stj_study_number(r, "regions.%s.count", name));
        for (size_t i = 0; i < 3; i++)
            if (isnan(number[i]))
                fprintf(out, " %*s", width[i], "-");
            else
                fprintf(out, " %*.5f", width[i], number[i]);
        fputc('\n', out);
    }
    stj_directions_print(out, r);
}

static void function_jacobian_print(FILE *out, const struct stj_study_result *r)
{
    size_t n = 0;
    const double *sigma = stj_study_vector(r, &n, "function_sigma");
    const bool complete = stj_study_number(r, "complete") > 0;
    fprintf(out, "parameter-function Jacobian at the %s of the training, on %.0f rows of %s\n",
            stj_study_text(r, "at"), stj_study_number(r, "rows"), stj_study_text(r, "data"));
    fprintf(out, "%.0f outputs x %.0f parameters", stj_study_number(r, "outputs"),
            stj_study_number(r, "n_params"));
    if (complete)
        fprintf(out, ": rank %.0f, null space of %.0f dimensions\n", stj_study_number(r, "rank"),
                stj_study_number(r, "null_dimension"));
    else
        fprintf(out,
                ": the %zu largest singular values; all of them do not fit the memory, and what is "
                "called null space here is the complement of their vectors\n",
                n);
    fprintf(out, "largest  ");
    for (size_t i = 0; i < n && i < 6; i++)
        fprintf(out, " %11.6g", sigma[i]);
    fputc('\n', out);
    if (stj_study_text(r, "side"))
        print_overlap(out, r);
    else
        fprintf(out, "no singular vectors of the training Jacobian are stored to compare with\n");
}

static enum stj_status function_jacobian_make(const struct stj_study_result *r,
                                              struct stj_chart *chart, struct stj_error *err)
{
    size_t n = 0;
    const double *sigma = stj_study_vector(r, &n, "function_sigma");
    stj_chart_title(chart, "Singular values of the parameter-function Jacobian on %.0f rows",
                    stj_study_number(r, "rows"));
    stj_axis_name(&chart->x, "index", "index");
    stj_axis_name(&chart->y, "sigma", "singular value of d outputs / d theta");
    chart->x.high = (double)n + 1;
    chart->y.log = true;
    chart->y.floor = n > 0 ? 1e-10 * sigma[0] : 0;
    return stj_chart_add(chart, STJ_CHART_LINE, STJ_CHART_BLUE, n, NULL, sigma, err,
                         "rank %.0f of %.0f parameters", stj_study_number(r, "rank"),
                         stj_study_number(r, "n_params"));
}

static enum stj_status make_null(const struct stj_study_result *r, struct stj_chart *chart,
                                 struct stj_error *err)
{
    STJ_NEED(err, stj_study_text(r, "side"), STJ_EINVAL,
             "the stored study function-jacobian had no singular vectors to compare with: run "
             "'spectraj dense' or 'spectraj svd', and the study again");
    stj_chart_title(chart, "Singular vectors in the null space of the parameter-function Jacobian");
    stj_axis_name(&chart->y, "null_share", "share of the squared length in the null space");
    chart->y.low = -0.02;
    chart->y.high = 1.02;
    return stj_study_chart_directions(r, "null_share", chart, err);
}

static const struct stj_study_figure figures[] = {
    {"function-jacobian", "singular values of the parameter-function Jacobian",
     function_jacobian_make},
    {"function-jacobian-null", "share of each direction in its null space", make_null},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_function_jacobian = {
    .info = {.name = "function-jacobian",
             .doc = "d outputs / d theta, and what it does not see",
             .options = options,
             .config_size = sizeof(struct jacobian_config),
             .check = function_jacobian_check},
    .description =
        "The singular values of the parameter-function Jacobian, d outputs / d theta on a set of "
        "inputs, and the share of each singular vector of the training Jacobian in its null space: "
        "directions that change no output to first order.",
    .example = "  spectraj study function-jacobian digits-run\n"
               "  spectraj study function-jacobian digits-run --data noise --tag noise\n",
    .needs_network = true,
    .needs = STJ_STUDY_LIKES_DIRECTIONS,
    .run = function_jacobian_run,
    .print = function_jacobian_print,
    .figures = figures,
};
