/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/exponents.c: finite-time Lyapunov exponents of a training, by QR of windows.
 *
 *     J(t_i -> t_{i+1}) Q_i = Q_{i+1} R_i,     exponent_k = sum_i ln |R_i(k, k)| / (t - from)
 *
 * of the full state (theta and slots), whose Jacobians of windows multiply.  From Q_0 = V_K, the
 * leading right singular vectors of J, the product of the R_i is diagonal but for signs, and the
 * exponents are ln(sigma_k) / n: a training is too short for a random start to turn to them.  With
 * as many vectors as the state has numbers they sum to the mean of ln |det| of the steps from any
 * start.  A direction that a window loses to rounding has no exponent from there on.
 *
 * Cost: K products through all steps, beside the singular vectors where these are not stored.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "analysis/common_options.h"
#include "analysis/print.h"
#include "analysis/store.h"
#include "base/blas.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"
#include "op/operator.h"
#include "spectrum/svd/svd_method.h"

static const char *const starts[] = {"svd", "random", NULL};
static const double lost = 1e-13; /* of the largest of a window: rounding */

struct exponents_config {
    size_t top, every;
    int start;
    uint64_t seed;
};

#define OPTION(...) STJ_OPTION_ROW(struct exponents_config, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("top", SIZE, top, "5", "how many of the largest exponents", .letter = 'k',
           .role = STJ_ROLE_EXTENT, .min = 1, .max = 1e6, .value = "K"),
    OPTION("every", SIZE, every, "25", "steps of a window", .min = 1, .max = 1e9, .value = "W"),
    OPTION("start", CHOICE, start, "svd",
           "svd: from the leading right singular vectors of J; random: vectors that one training "
           "does not turn to them",
           .choices = starts),
    STJ_SEED_OPTION(offsetof(struct exponents_config, seed), "random vectors"),
    {.name = NULL},
};
#undef OPTION

struct exponents_data {
    size_t n_top, every, n_windows, n_state;
    int start;
    double *top, *singular; /* [n_top] */
    size_t *step;           /* [n_windows]: where they end */
    double *running;        /* [n_windows][n_top] */
    size_t unconverged;     /* singular vectors */
    uint64_t seed;
};

#define FIELD(...) STJ_FIELD_ROW(struct exponents_data, __VA_ARGS__)
#define DIM(...) STJ_FIELD_DIM(struct exponents_data, __VA_ARGS__)
static const struct stj_field schema[] = {
    FIELD("start", CHOICE, start, "the first vectors", .choices = starts),
    FIELD("seed", SEED, seed, "of the random vectors"),
    FIELD("every", COUNT, every, "steps of a window"),
    FIELD("n_state", COUNT, n_state, "numbers of the full state"),
    FIELD("n_top", COUNT, n_top, "exponents", .place = STJ_FIELD_IN_FILE),
    FIELD("n_windows", COUNT, n_windows, "windows", .place = STJ_FIELD_IN_FILE),
    FIELD("unconverged", COUNT, unconverged,
          "singular vectors of the start that are not converged"),
    FIELD("top", REAL, top, "the exponents, natural logarithms per step", .headline = 1,
          .dim = {DIM("direction", n_top)}),
    FIELD("singular", REAL, singular, "ln(sigma_k) / n of the full state's Jacobian",
          .dim = {DIM("direction", n_top)}),
    FIELD("step", COUNT, step, "where each window ends", .dim = {DIM("window", n_windows)}),
    FIELD("running", REAL, running, "the exponents of the training up to there",
          .dim = {DIM("window", n_windows), DIM("direction", n_top)}),
    {.name = NULL},
};

/* ---- what is asked for ---- */

static size_t exponents_columns(const void *config, size_t n)
{
    (void)n;
    return ((const struct exponents_config *)config)->top;
}

static void exponents_predict(const struct stj_run *run, const struct stj_plan_request *request,
                              const void *config, struct stj_prediction *p, size_t *engine)
{
    const struct exponents_config *c = config;
    const size_t vectors =
        run && !request->part.full_state ? 1 + stj_recipe_n_slots(&run->recipe) : 1;
    const size_t n = request->n * vectors;
    struct stj_svd_settings s = stj_svd_settings_default();
    (void)engine;
    s.top = c->top;
    if (c->start == 0)
        stj_svd_predict(&s, n, n, p);
    stj_predict_products(p, (double)c->top, 0, c->top);
    stj_predict_phase(p, 2 * (double)c->top * (double)n * sizeof(double), c->top);
}

static void exponents_start(const void *stored, const void *wanted, struct stj_journal_start *start)
{
    const struct exponents_config *c = wanted;
    const size_t which[] = {c->top, c->every, (size_t)c->start, c->seed};
    (void)stored;
    start->known = stj_crc32(0, which, sizeof which);
    start->known += start->known == 0;
}

static bool exponents_covers(const void *stored, const void *data, const void *wanted)
{
    const struct exponents_config *s = stored, *c = wanted;
    return ((const struct exponents_data *)data)->unconverged == 0 && c->top <= s->top;
}

static enum stj_status exponents_view(const struct stj_analysis_context *cx, const void *config,
                                      void *data, struct stj_error *err)
{
    const struct exponents_config *c = config;
    struct exponents_data *d = data;
    (void)cx;
    (void)err;
    if (!c || c->top >= d->n_top)
        return STJ_OK;
    for (size_t w = 0; w < d->n_windows; w++)
        memmove(d->running + w * c->top, d->running + w * d->n_top, c->top * sizeof *d->running);
    d->n_top = c->top;
    return STJ_OK;
}

static enum stj_verdict exponents_verdict(const void *data)
{
    return ((const struct exponents_data *)data)->unconverged ? STJ_VERDICT_NOT_CONVERGED
                                                              : STJ_VERDICT_DONE;
}

/* ---- computing ---- */

/* Everything of one computation: the operator is the Jacobian of one part of the training after
 * another, so that their products have one journal. */
struct work {
    struct stj_analysis_context *cx;
    const struct exponents_config *config;
    struct exponents_data *d;
    struct stj_op *now;
    double *q; /* [K][n_state] */
};

static void work_free(struct work *w)
{
    stj_op_destroy(w->now);
    free(w->q);
}

static enum stj_status apply_now(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                 size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    struct work *w = ctx;
    return stj_op_apply(w->now, trans, nvec, x, ldx, y, ldy, err);
}

/* The operator <- the full state's Jacobian of some steps. */
static enum stj_status go_to(struct work *w, size_t from, size_t to, struct stj_error *err)
{
    const struct stj_run_part part = {.from = from, .to = to, .full_state = true};
    stj_op_destroy(w->now);
    w->now = NULL;
    STJ_MUST(stj_run_part_jacobian(w->cx->run, &part, w->cx->memory_bytes, &w->now, err));
    stj_op_set_cost(w->cx->kept->inner, stj_op_cost(w->now));
    stj_op_set_cost(w->cx->op, stj_op_cost(w->now));
    stj_op_set_rounding(w->cx->op, stj_op_rounding(w->now));
    return STJ_OK;
}

/* w->q and the logarithms <- singular pairs, solved for or stored. */
static enum stj_status take_pairs(struct work *w, const struct stj_svd_result *r,
                                  struct stj_error *err)
{
    struct exponents_data *d = w->d;
    const double steps = (double)(w->cx->part->to - w->cx->part->from);
    STJ_NEED(err, r->top.k >= d->n_top, STJ_ENUMERIC, "%zu of %zu singular pairs were found",
             r->top.k, d->n_top);
    memcpy(w->q, r->top.v, d->n_top * d->n_state * sizeof *w->q);
    for (size_t i = 0; i < d->n_top; i++) {
        d->singular[i] = r->top.sigma[i] > 0 ? log(r->top.sigma[i]) / steps : (double)NAN;
        d->unconverged += r->top.residual[i] > r->tol * r->sigma_1;
    }
    return STJ_OK;
}

static enum stj_status take_stored(struct work *w, bool *taken, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *svd = NULL;
    struct stj_run_part part = *w->cx->part;
    part.full_state = true;
    *taken = false;
    STJ_MUST(stj_result_of_part(w->cx->run, "svd", &part, &svd, err));
    const struct stj_svd_result *r = svd ? stj_analysis_svd_of(svd) : NULL;
    if (!r || r->converged < w->d->n_top || r->outside.missed > 0)
        return STJ_OK;
    *taken = true;
    STJ_MUST(take_pairs(w, r, err));
    return stj_analysis_note_source(w->cx, svd, err);
}

static enum stj_status exponents_solve(struct work *w, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_svd_result *r = NULL;
    struct stj_svd_settings s = stj_svd_settings_default();
    s.top = w->d->n_top;
    s.seed = w->config->seed;
    s.progress = *w->cx->progress;
    s.memory_bytes = w->cx->memory_bytes;
    STJ_TRY(stj_svd_solve(w->cx->op, &s, &r, err));
    STJ_CHECK(err, r->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED, "interrupted");
    STJ_TRY(take_pairs(w, r, err));
    w->d->unconverged += r->outside.missed;
out:
    stj_svd_result_destroy(r);
    return st;
}

static enum stj_status exponents_draw(struct work *w, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    const struct exponents_data *d = w->d;
    STJ_MUST(stj_rng_create(w->config->seed, STJ_STREAM_PROBES, 0, &rng, err));
    stj_rng_fill_normal(rng, d->n_top * d->n_state, w->q);
    for (size_t i = 0; i < d->n_top; i++)
        d->singular[i] = (double)NAN;
    return stj_qr(d->n_state, d->n_top, w->q, d->n_state, NULL, err);
}

/* sum[K] += of a window, whose end w->q <- is at. */
static enum stj_status pass_window(struct work *w, double *sum, double *r, double **next,
                                   struct stj_error *err)
{
    const size_t n = w->d->n_state, k = w->d->n_top;
    double largest = 0;
    STJ_MUST(stj_op_apply(w->cx->op, STJ_NO_TRANS, k, w->q, n, *next, n, err));
    STJ_MUST(stj_qr(n, k, *next, n, r, err));
    for (size_t i = 0; i < k; i++)
        largest = fmax(largest, fabs(r[i * k + i]));
    for (size_t i = 0; i < k; i++) {
        const double stretch = fabs(r[i * k + i]);
        sum[i] += stretch > lost * largest ? log(stretch) : (double)NAN;
    }
    double *kept = w->q;
    w->q = *next;
    *next = kept;
    return STJ_OK;
}

static enum stj_status pass_windows(struct work *w, struct stj_error *err)
{
    struct exponents_data *d = w->d;
    const struct stj_run_part *part = w->cx->part;
    const size_t k = d->n_top;
    STJ_FREED double *next = NULL, *sum = NULL, *r = NULL;
    STJ_MUST(stj_new(&next, k, d->n_state * sizeof *next, err));
    STJ_MUST(stj_new(&sum, k, sizeof *sum, err));
    STJ_MUST(stj_new(&r, k, k * sizeof *r, err));
    for (size_t i = 0; i < d->n_windows; i++) {
        const size_t from = part->from + i * d->every, rest = part->to - from;
        d->step[i] = from + (rest < d->every ? rest : d->every);
        STJ_MUST(
            stj_progress_report(w->cx->progress, "windows", (double)i, (double)d->n_windows, err));
        STJ_MUST(go_to(w, from, d->step[i], err));
        STJ_MUST(pass_window(w, sum, r, &next, err));
        for (size_t j = 0; j < k; j++)
            d->running[i * k + j] = sum[j] / (double)(d->step[i] - part->from);
    }
    memcpy(d->top, d->running + (d->n_windows - 1) * k, k * sizeof *d->top);
    return STJ_OK;
}

static enum stj_status exponents_prepare(struct work *w, struct stj_error *err)
{
    struct exponents_data *d = w->d;
    const struct exponents_config *c = w->config;
    const struct stj_run *run = w->cx->run;
    STJ_NEED(err, run, STJ_EUNSUPPORTED,
             "exponents are of windows of a run: an operator by itself has none");
    STJ_NEED(err, !w->cx->part->layers, STJ_EUNSUPPORTED,
             "exponents are of the full state, whose windows multiply: leave out the choice of "
             "layers");
    const size_t steps = w->cx->part->to - w->cx->part->from;
    d->n_state = stj_run_state_size(run);
    STJ_NEED(err, c->top <= d->n_state, STJ_EINVAL,
             "--top is %zu, but the full state has %zu numbers", c->top, d->n_state);
    d->n_top = c->top;
    d->every = c->every;
    d->start = c->start;
    d->seed = c->seed;
    d->n_windows = (steps - 1) / c->every + 1;
    STJ_MUST(stj_new(&d->top, d->n_top, sizeof(double), err));
    STJ_MUST(stj_new(&d->singular, d->n_top, sizeof(double), err));
    STJ_MUST(stj_new(&d->step, d->n_windows, sizeof *d->step, err));
    STJ_MUST(stj_new(&d->running, d->n_windows, d->n_top * sizeof(double), err));
    return stj_new(&w->q, d->n_top, d->n_state * sizeof(double), err);
}

static enum stj_status exponents_compute(struct stj_analysis_context *cx, const void *config,
                                         void *data, struct stj_error *err)
{
    STJ_HELD(work_free) struct work w = {.cx = cx, .config = config, .d = data};
    struct stj_op *op = NULL;
    bool taken = false;
    STJ_MUST(exponents_prepare(&w, err));
    STJ_MUST(stj_op_create(w.d->n_state, w.d->n_state, apply_now, NULL, &w, &op, err));
    STJ_MUST(stj_analysis_use_op(cx, op, err));
    if (w.config->start == 1)
        STJ_MUST(exponents_draw(&w, err));
    else
        STJ_MUST(take_stored(&w, &taken, err));
    if (w.config->start == 0 && !taken) {
        STJ_MUST(go_to(&w, cx->part->from, cx->part->to, err));
        STJ_MUST(exponents_solve(&w, err));
    }
    return pass_windows(&w, err);
}

/* ---- for people ---- */

enum { SHOWN = 5 }; /* columns of the table */

static void exponents_print(FILE *out, const struct stj_result *result)
{
    const struct exponents_data *d = result->data;
    fprintf(out,
            "finite-time Lyapunov exponents of the full state, %zu numbers, by windows of %zu\n",
            d->n_state, d->every);
    if (d->start == 1)
        fprintf(out,
                "from a RANDOM START, seed %llu: one training does not turn it to the leading "
                "directions; these are growth rates of these vectors\n",
                (unsigned long long)d->seed);
    fprintf(out, "%4s %14s %14s\n", "k", "exponent", d->start ? "" : "ln(sigma)/n");
    for (size_t i = 0; i < d->n_top; i++) {
        fprintf(out, "%4zu %14.9f", i + 1, d->top[i]);
        fprintf(out, d->start ? "\n" : " %14.9f\n", d->singular[i]);
    }
    const size_t k = d->n_top < SHOWN ? d->n_top : SHOWN;
    fprintf(out, "up to\n");
    for (size_t w = 0; w<d->n_windows; w += d->n_windows> 12 ? (d->n_windows - 1) / 12 + 1 : 1) {
        fprintf(out, "%6zu", d->step[w]);
        for (size_t i = 0; i < k; i++)
            fprintf(out, " %12.8f", d->running[w * d->n_top + i]);
        fputc('\n', out);
    }
    if (d->unconverged > 0)
        fprintf(out, "NOT CONVERGED: %zu singular vectors of the start\n", d->unconverged);
    stj_print_cost(out, &result->about);
}

static enum stj_status exponents_make(const struct stj_result *result, struct stj_chart *chart,
                                      struct stj_error *err)
{
    enum { LINES = 8 };
    static const enum stj_chart_colour colours[] = {
        STJ_CHART_VERMILLION, STJ_CHART_ORANGE, STJ_CHART_GREEN, STJ_CHART_BLUE,
        STJ_CHART_SKY_BLUE,   STJ_CHART_PURPLE, STJ_CHART_BLACK, STJ_CHART_GREY};
    const struct exponents_data *d = result->data;
    STJ_FREED double *x = NULL, *y = NULL;
    STJ_MUST(stj_new(&x, d->n_windows, sizeof *x, err));
    STJ_MUST(stj_new(&y, d->n_windows, sizeof *y, err));
    stj_chart_title(chart, "Finite-time Lyapunov exponents of the full state%s",
                    d->start ? ", from a random start" : "");
    stj_axis_name(&chart->x, "step", "step t");
    stj_axis_name(&chart->y, "exponent", "sum of ln R_{kk} up to t, per step");
    for (size_t i = 0; i < d->n_top && i < LINES; i++) {
        for (size_t w = 0; w < d->n_windows; w++) {
            x[w] = (double)d->step[w];
            y[w] = d->running[w * d->n_top + i];
        }
        STJ_MUST(stj_chart_add(chart, STJ_CHART_BOTH, colours[i], d->n_windows, x, y, err,
                               "%zu: %.6f", i + 1, d->top[i]));
    }
    stj_chart_limit(chart, 0);
    return STJ_OK;
}

static const struct stj_analysis_figure figures[] = {
    {"exponents", "Lyapunov exponents of the training so far against the step", exponents_make},
    {.doc = NULL},
};

const struct stj_analysis stj_analysis_exponents = {
    .info = {.name = "exponents",
             .doc = "finite-time Lyapunov exponents of the full state",
             .options = options,
             .config_size = sizeof(struct exponents_config)},
    .description =
        "Follow the leading right singular vectors of the Jacobian of theta and the optimizer's\n"
        "slots through windows of the training, orthogonalised after each: the sums of the\n"
        "logarithms of their lengths, per step, are ln(sigma)/n at the end, and are kept for all\n"
        "windows in RUN/exponents.h5.  The vectors are those of 'svd --state full' where it has\n"
        "been stored, or are found first.\n",
    .example = "  spectraj exponents digits-run --top 5 --every 25\n"
               "  spectraj exponents digits-run --top 3 --start random --seed 1\n",
    .unconverged = "singular vectors of the start did not converge",
    .schema = schema,
    .result_size = sizeof(struct exponents_data),
    .format = {.name = "spectraj-exponents",
               .version = 1,
               .remedy = "compute it again with --force"},
    .columns = exponents_columns,
    .predict = exponents_predict,
    .covers = exponents_covers,
    .start = exponents_start,
    .compute = exponents_compute,
    .view = exponents_view,
    .verdict = exponents_verdict,
    .print = exponents_print,
    .figures = figures,
};
