/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/growth.c: how a perturbation of the start grows or dies as training proceeds.
 *
 *     norm(t) = |d theta_t / d theta_0 v|,   |v| = 1
 *
 * along one sweep of tangents, for right singular vectors v_i, where norm(n) = sigma_i, and for
 * random unit vectors, whose root mean square at t is about |d theta_t / d theta_0|_F / sqrt(N):
 * the mean square singular value of training so far.
 */
#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "op/training_jacobian.h"
#include "spectrum/trace/trace_method.h"
#include "study/studies.h"

static const double rms_confidence = 0.95;

struct growth_config {
    struct stj_sizes index;
    bool has_index;
    size_t random, every;
    int precision; /* enum stj_precision */
};

static const char *const precisions[] = {"double", "single", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct growth_config, __VA_ARGS__)

static const struct stj_option options[] = {
    OPTION(
        "index", SIZES, index, "",
        "right singular vectors, counted from 1 by descending singular value (default: the first "
        "and the last, where they are known)",
        .present_offset = offsetof(struct growth_config, has_index), .min = 1),
    OPTION("random", SIZE, random, "8", "number of additional random unit vectors", .max = 1e6),
    OPTION("every", SIZE, every, "1", "record every N-th step, and the last", .min = 1),
    OPTION("precision", CHOICE, precision, "double",
           "of the products that the tangents go through (its result is tagged single)",
           .choices = precisions),
    {.name = NULL},
};

/* The tangents that are followed: n_index singular vectors, then random ones. */
struct tangents {
    size_t n, n_index, n_all;
    size_t *index; /* [n_index], from 1 */
    double *x;     /* [n][n_all] */
    double *norm;  /* [n_steps + 1][n_all] */
};

static void tangents_free(struct tangents *t)
{
    free(t->index);
    free(t->x);
    free(t->norm);
}

/* The directions that were asked for, or the first and the last. */
static enum stj_status choose(const struct stj_study_context *cx, const struct growth_config *c,
                              struct tangents *t, struct stj_error *err)
{
    const struct stj_directions *d = cx->directions;
    STJ_NEED(
        err, !c->has_index || d, STJ_EINVAL,
        "no singular vectors are stored for index %zu: 'spectraj svd' finds the first and last, "
        "'spectraj dense' all",
        c->index.n ? c->index.item[0] : 1);
    STJ_MUST(stj_new(&t->index, c->index.n + 2, sizeof *t->index, err));
    for (size_t k = 0; k < c->index.n; k++)
        t->index[t->n_index++] = c->index.item[k];
    if (!c->has_index && d && stj_directions_known(d, 0))
        t->index[t->n_index++] = 1;
    if (!c->has_index && d && d->n > 1 && stj_directions_known(d, d->n - 1))
        t->index[t->n_index++] = d->n;
    t->n_all = t->n_index + c->random;
    STJ_NEED(err, t->n_all > 0, STJ_EINVAL, "there is nothing to follow: no index and no random");
    return STJ_OK;
}

static enum stj_status fill(const struct stj_study_context *cx, struct tangents *t,
                            struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_MUST(stj_new(&t->x, t->n_all, t->n * sizeof *t->x, err));
    for (size_t k = 0; k < t->n_index; k++)
        STJ_MUST(stj_directions_fetch(cx->directions, STJ_RIGHT, t->index[k] - 1, 1,
                                      t->x + k * t->n, err));
    STJ_MUST(stj_rng_create(cx->seed, STJ_STREAM_STUDY, 0, &rng, err));
    stj_rng_fill_normal(rng, (t->n_all - t->n_index) * t->n, t->x + t->n_index * t->n);
    return STJ_OK;
}

static enum stj_status follow(const struct stj_study_context *cx, enum stj_precision precision,
                              struct tangents *t, struct stj_error *err)
{
    const struct stj_run_part part = {.full_state = true, .precision = precision};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_MUST(stj_new(&t->norm, cx->run->n_steps + 1, t->n_all * sizeof *t->norm, err));
    STJ_MUST(stj_run_part_jacobian(cx->run, &part, cx->memory_bytes, &op, err));
    STJ_MUST(stj_op_watch(op, err));
    STJ_MUST(stj_training_jacobian_growth(op, t->n_all, t->x, t->norm, cx->progress, err));
    stj_study_note_check(cx->check, op);
    return STJ_OK;
}

/* The steps that are kept. */
static size_t kept_step(size_t k, size_t every, size_t n_steps)
{
    return k * every < n_steps ? k * every : n_steps;
}

/* One curve: norm, and where it is largest. */
static enum stj_status put_curve(const struct tangents *t, size_t j, size_t every, size_t n_steps,
                                 double *work, struct stj_study_result *r, const char *name,
                                 struct stj_error *err)
{
    const size_t n_kept = n_steps / every + (n_steps % every != 0) + 1;
    size_t peak = 0;
    for (size_t s = 0; s <= n_steps; s++)
        if (t->norm[s * t->n_all + j] > t->norm[peak * t->n_all + j])
            peak = s;
    for (size_t k = 0; k < n_kept; k++)
        work[k] = t->norm[kept_step(k, every, n_steps) * t->n_all + j];
    STJ_MUST(stj_study_put_reals(r, n_kept, work, err, "%s.norm", name));
    STJ_MUST(stj_study_put_real(r, t->norm[peak * t->n_all + j], err, "%s.peak", name));
    return stj_study_put_count(r, peak, err, "%s.peak_step", name);
}

/* The root mean square and Student's interval for the mean square, which is an estimate of
 * |d theta_t / d theta_0|_F^2 / N as Hutchinson's is. */
static enum stj_status put_rms(const struct tangents *t, size_t every, size_t n_steps, double *work,
                               struct stj_study_result *r, struct stj_error *err)
{
    const size_t n_kept = n_steps / every + (n_steps % every != 0) + 1;
    const size_t n_random = t->n_all - t->n_index;
    STJ_FREED double *square = NULL, *low = NULL;
    STJ_MUST(stj_new(&square, n_random, sizeof *square, err));
    STJ_MUST(stj_new(&low, 2 * n_kept, sizeof *low, err));
    for (size_t k = 0; k < n_kept; k++) {
        const double *norm = t->norm + kept_step(k, every, n_steps) * t->n_all + t->n_index;
        double mean = 0, error = 0;
        for (size_t j = 0; j < n_random; j++)
            square[j] = norm[j] * norm[j];
        const double half = stj_student_interval(n_random, square, rms_confidence, &mean, &error);
        work[k] = n_random ? stj_nrm2(n_random, norm) / sqrt((double)n_random) : (double)NAN;
        low[k] = n_random ? sqrt(fmax(mean - half, 0)) : (double)NAN;
        low[n_kept + k] = n_random ? sqrt(mean + half) : (double)NAN;
    }
    STJ_MUST(stj_study_put_reals(r, n_kept, work, err, "random_rms"));
    STJ_MUST(stj_study_put_reals(r, n_kept, low, err, "random_rms_low"));
    STJ_MUST(stj_study_put_reals(r, n_kept, low + n_kept, err, "random_rms_high"));
    return stj_study_put_real(r, rms_confidence, err, "confidence");
}

static enum stj_status growth_put(const struct stj_study_context *cx, const struct growth_config *c,
                                  const struct tangents *t, struct stj_study_result *r,
                                  struct stj_error *err)
{
    const size_t n_steps = cx->run->n_steps;
    const size_t n_kept = n_steps / c->every + (n_steps % c->every != 0) + 1;
    char name[48];
    STJ_FREED size_t *step = NULL;
    STJ_FREED double *work = NULL;
    STJ_MUST(stj_new(&step, n_kept, sizeof *step, err));
    STJ_MUST(stj_new(&work, n_kept, sizeof *work, err));
    for (size_t k = 0; k < n_kept; k++)
        step[k] = kept_step(k, c->every, n_steps);
    if (cx->directions)
        STJ_MUST(stj_directions_put(cx->directions, r, err));
    STJ_MUST(stj_study_put_counts(r, n_kept, step, err, "step"));
    STJ_MUST(stj_study_put_count(r, t->n_index, err, "n_singular"));
    STJ_MUST(stj_study_put_count(r, t->n_all - t->n_index, err, "n_random"));
    STJ_MUST(put_rms(t, c->every, n_steps, work, r, err));
    for (size_t j = 0; j < t->n_all; j++) {
        const bool singular = j < t->n_index;
        snprintf(name, sizeof name, "%s[%zu]", singular ? "singular" : "random",
                 singular ? j : j - t->n_index);
        if (singular) {
            STJ_MUST(stj_study_put_count(r, t->index[j], err, "%s.index", name));
            STJ_MUST(stj_study_put_real(r, cx->directions->sigma[t->index[j] - 1], err, "%s.sigma",
                                        name));
        }
        STJ_MUST(put_curve(t, j, c->every, n_steps, work, r, name, err));
    }
    return STJ_OK;
}

static enum stj_status growth_run(const struct stj_study_context *cx, const void *config,
                                  struct stj_study_result *r, struct stj_error *err)
{
    STJ_HELD(tangents_free) struct tangents t = {.n = stj_network_n_params(cx->run->net)};
    STJ_MUST(choose(cx, config, &t, err));
    STJ_MUST(fill(cx, &t, err));
    const enum stj_precision precision =
        (enum stj_precision)((const struct growth_config *)config)->precision;
    STJ_MUST(follow(cx, precision, &t, err));
    STJ_MUST(stj_study_put_text(r, precisions[precision], err, "tangents.precision"));
    return growth_put(cx, config, &t, r, err);
}

enum { QUARTERS = 4 };

/* A row of the table: the norm after each quarter of the steps, and the peak. */
static void growth_print_row(FILE *out, const struct stj_study_result *r, const char *name,
                             const char *curve)
{
    size_t n = 0;
    const double *norm = stj_study_vector(r, &n, "%s", curve);
    fprintf(out, "%-24s", name);
    for (size_t q = 1; n && q <= QUARTERS; q++)
        fprintf(out, " %11.5g", norm[(n - 1) * q / QUARTERS]);
}

/* An end of the interval of the random ones; a result of an older version has none. */
static void print_interval(FILE *out, const struct stj_study_result *r, const char *what,
                           const char *item)
{
    char name[48];
    if (!stj_study_find(r, item))
        return;
    snprintf(name, sizeof name, "%s, %.4g %%", what, 100 * stj_study_number(r, "confidence"));
    growth_print_row(out, r, name, item);
    fputc('\n', out);
}

static void growth_print(FILE *out, const struct stj_study_result *r)
{
    const size_t n_singular = (size_t)stj_study_number(r, "n_singular");
    char name[48], curve[48];
    size_t n = 0;
    const double *step = stj_study_vector(r, &n, "step");
    fprintf(out, "growth of perturbations of the start, |theta_dot_t| / |theta_dot_0|\n%-24s",
            "after step");
    for (size_t q = 1; q <= QUARTERS; q++)
        fprintf(out, " %11.0f", step[(n - 1) * q / QUARTERS]);
    fprintf(out, " %11s %8s\n", "peak", "at step");
    for (size_t j = 0; j < n_singular; j++) {
        snprintf(name, sizeof name, "v_%.0f, sigma %.5g",
                 stj_study_number(r, "singular[%zu].index", j),
                 stj_study_number(r, "singular[%zu].sigma", j));
        snprintf(curve, sizeof curve, "singular[%zu].norm", j);
        growth_print_row(out, r, name, curve);
        fprintf(out, " %11.5g %8.0f\n", stj_study_number(r, "singular[%zu].peak", j),
                stj_study_number(r, "singular[%zu].peak_step", j));
    }
    if (stj_study_number(r, "n_random") > 0) {
        snprintf(name, sizeof name, "%.0f random, rms", stj_study_number(r, "n_random"));
        growth_print_row(out, r, name, "random_rms");
        fputc('\n', out);
        print_interval(out, r, "  interval from", "random_rms_low");
        print_interval(out, r, "  to", "random_rms_high");
    }
    if (stj_study_find(r, "directions.source"))
        stj_directions_print(out, r);
}

/* An end of the interval of the random ones. */
static enum stj_status add_end(const struct stj_study_result *r, const char *item, const char *name,
                               size_t n, const double *step, struct stj_chart *chart,
                               struct stj_error *err)
{
    size_t n_end = 0;
    const double *end = stj_study_vector(r, &n_end, "%s", item);
    if (n_end == n && n > 0 && stj_study_number(r, "n_random") > 0)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_GREY, n, step, end, err,
                               "random, %.4g %% interval, %s",
                               100 * stj_study_number(r, "confidence"), name));
    return STJ_OK;
}

static enum stj_status growth_make(const struct stj_study_result *r, struct stj_chart *chart,
                                   struct stj_error *err)
{
    static const enum stj_chart_colour colours[] = {STJ_CHART_VERMILLION, STJ_CHART_BLUE,
                                                    STJ_CHART_GREEN,      STJ_CHART_ORANGE,
                                                    STJ_CHART_PURPLE,     STJ_CHART_SKY_BLUE};
    const size_t n_singular = (size_t)stj_study_number(r, "n_singular");
    size_t n = 0;
    const double *step = stj_study_vector(r, &n, "step");
    stj_chart_title(chart, "Growth of perturbations of the initial parameters");
    stj_axis_name(&chart->x, "step", "step t");
    stj_axis_name(&chart->y, "norm", "|d theta_t / d theta_0 v|");
    chart->y.log = true;
    for (size_t j = 0; j < n_singular; j++)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE,
                               colours[j % (sizeof colours / sizeof colours[0])], n, step,
                               stj_study_vector(r, &n, "singular[%zu].norm", j), err, "v_%.0f",
                               stj_study_number(r, "singular[%zu].index", j)));
    if (stj_study_number(r, "n_random") > 0)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_BLACK, n, step,
                               stj_study_vector(r, &n, "random_rms"), err, "random, rms"));
    STJ_MUST(add_end(r, "random_rms_low", "from", n, step, chart, err));
    STJ_MUST(add_end(r, "random_rms_high", "to", n, step, chart, err));
    stj_chart_limit(chart, 1);
    return STJ_OK;
}

static const struct stj_study_figure figures[] = {
    {"growth", "size of perturbations of the start against the step", growth_make},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_growth = {
    .info = {.name = "growth",
             .doc = "how perturbations of the start grow or die in training",
             .options = options,
             .config_size = sizeof(struct growth_config)},
    .description =
        "Follow unit perturbations of theta_0 along one sweep of tangents and report "
        "|d theta_t / d theta_0 v| at every step: for right singular vectors, which end at "
        "their singular value, and for random vectors, whose root mean square is that of "
        "the singular values of the training so far.",
    .example = "  spectraj study growth digits-run\n"
               "  spectraj study growth digits-run --index 1,2,3,4810 --every 5 --json\n",
    .needs = STJ_STUDY_LIKES_DIRECTIONS,
    .multiplies = true,
    .run = growth_run,
    .print = growth_print,
    .figures = figures,
};
