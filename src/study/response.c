/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/response.c: what becomes of a perturbation of the start, or of a later step t, measured by
 * training again from there.
 *
 * For every step size s the run is trained from theta_0 + s v.  Of the change of the end, d =
 * theta_n(theta_0 + s v) - theta_n(theta_0),
 *
 *     projection = u . d         complement = |d - u (u . d)|         prediction = sigma s
 *
 * with J v = sigma u: the i-th singular direction, or a random unit vector of the span of a
 * region's known right singular vectors, which does not depend on their basis.  As s -> 0 the
 * projection tends to the prediction and the complement vanishes faster than s.  From step t on it
 * is J(t -> n), the optimizer's slots being left as they were; of a block, v moves its parameters
 * alone, u . d is their part of the change, and what the others do is of the complement.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "study/retrain.h"
#include "study/studies.h"

struct response_config {
    size_t index;
    bool has_index;
    int region; /* 0: none */
    double epsilon;
    struct stj_reals step;
    double least, most;
    size_t decade;
    struct stj_study_where where;
};

static const char *const regions[] = {"none", "chaotic", "bulk", "stable", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct response_config, __VA_ARGS__)

static const struct stj_option options[] = {
    OPTION("index", SIZE, index, "",
           "perturb along v_N, counted from 1 by descending singular value (default: 1)",
           .present_offset = offsetof(struct response_config, has_index), .min = 1),
    OPTION("region", CHOICE, region, "none",
           "perturb along a random direction of a region instead: chaotic, bulk or stable",
           .choices = regions),
    STJ_STUDY_EPSILON(offsetof(struct response_config, epsilon)),
    OPTION("step", REALS, step, "", "step sizes (default: a logarithmic grid)", .above_min = true),
    OPTION("least", REAL, least, "1e-5", "smallest step size of the grid", .above_min = true),
    OPTION("most", REAL, most, "10", "largest step size of the grid", .above_min = true),
    OPTION("decade", SIZE, decade, "4", "step sizes per power of ten", .min = 1, .max = 1000),
    STJ_STUDY_WHERE(struct response_config),
    {.name = NULL},
};

static const struct stj_study_where *where_of(const void *config)
{
    return &((const struct response_config *)config)->where;
}

static enum stj_status response_check(const void *config, struct stj_error *err)
{
    const struct response_config *c = config;
    STJ_NEED(err, !(c->has_index && c->region), STJ_EINVAL,
             "index and region exclude each other; give one of them");
    STJ_NEED(err, c->least <= c->most, STJ_EINVAL, "least is %g, above most, %g", c->least,
             c->most);
    return STJ_OK;
}

/* A direction: J v = sigma u. */
struct direction {
    double *u, *v, sigma;
    size_t members; /* of the region; 0: a single singular direction */
    bool dependent; /* shares its singular value: u and v depend on the basis */
};

/* The copies of the batch, from theta_0, or the theta of that step. */
struct perturbation {
    size_t n, at;
    const double *v;
    double *theta_0;
    struct stj_reals step;
};

/* ---- the direction ---- */

static enum stj_status take_index(const struct stj_directions *d, size_t index, struct direction *x,
                                  struct stj_error *err)
{
    STJ_FREED double *vector = NULL;
    STJ_MUST(stj_new(&vector, d->n, sizeof *vector, err));
    STJ_MUST(stj_directions_fetch(d, STJ_LEFT, index - 1, 1, vector, err));
    stj_directions_add(d, 1, vector, x->u);
    STJ_MUST(stj_directions_fetch(d, STJ_RIGHT, index - 1, 1, vector, err));
    stj_directions_add(d, 1, vector, x->v);
    x->sigma = d->sigma[index - 1];
    x->dependent = stj_directions_degenerate(d, index - 1);
    return STJ_OK;
}

/* The sums that make a random direction of a region. */
struct mixture {
    const struct stj_directions *d;
    enum stj_region region;
    double epsilon;
    struct stj_rng *rng;
    struct direction *x;
};

static enum stj_status mix(void *ctx, size_t i, const double *u, const double *v,
                           struct stj_error *err)
{
    const struct mixture *m = ctx;
    (void)err;
    if (stj_region_of(m->d->sigma[i], m->epsilon) != m->region)
        return STJ_OK;
    const double c = stj_rng_normal(m->rng);
    stj_directions_add(m->d, c, v, m->x->v);
    stj_directions_add(m->d, c * m->d->sigma[i], u, m->x->u);
    m->x->members++;
    return STJ_OK;
}

static enum stj_status take_region(const struct stj_study_context *cx,
                                   const struct response_config *c, struct direction *x,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_directions *d = cx->directions;
    struct mixture m = {
        .d = d, .region = (enum stj_region)(c->region - 1), .epsilon = c->epsilon, .x = x};
    char known[STJ_DIRECTIONS_TEXT_MAX];
    stj_directions_text(d, known);
    STJ_TRY(stj_rng_create(cx->seed, STJ_STREAM_STUDY, 0, &m.rng, err));
    STJ_TRY(stj_directions_visit(d, true, true, mix, &m, err));
    STJ_CHECK(err, x->members > 0, STJ_EINVAL,
              "no direction of the region %s is known (epsilon %g; known are %s): 'spectraj dense' "
              "finds all directions",
              regions[c->region], c->epsilon, known);
    /* x->u is J x->v now; both become unit vectors. */
    const size_t n = stj_network_n_params(cx->run->net);
    const double length = stj_nrm2(n, x->v), image = stj_nrm2(n, x->u);
    x->sigma = image / length;
    stj_scal(n, 1 / length, x->v);
    if (image > 0)
        stj_scal(n, 1 / image, x->u);
out:
    stj_rng_destroy(m.rng);
    return st;
}

static enum stj_status choose(const struct stj_study_context *cx, const struct response_config *c,
                              struct direction *x, struct stj_error *err)
{
    const size_t n = stj_network_n_params(cx->run->net);
    STJ_MUST(stj_new(&x->u, n, sizeof *x->u, err));
    STJ_MUST(stj_new(&x->v, n, sizeof *x->v, err));
    return c->region ? take_region(cx, c, x, err)
                     : take_index(cx->directions, c->has_index ? c->index : 1, x, err);
}

/* ---- the trainings ---- */

/* step <- the list that was given, or 10^(j / decade) from `least` to `most`. */
static enum stj_status make_grid(const struct response_config *c, struct stj_reals *step,
                                 struct stj_error *err)
{
    const double decades = log10(c->most / c->least);
    const size_t n = c->step.n ? c->step.n : (size_t)floor(decades * (double)c->decade + 1e-9) + 1;
    STJ_MUST(stj_new(&step->item, n, sizeof *step->item, err));
    step->n = n;
    for (size_t i = 0; i < n; i++) {
        /* Whole powers of ten come out as such. */
        const double power = (double)(i / c->decade), part = (double)(i % c->decade);
        step->item[i] = c->step.n ? c->step.item[i]
                                  : c->least * pow(10, power) * pow(10, part / (double)c->decade);
    }
    return STJ_OK;
}

static enum stj_status begin(void *ctx, size_t copy, struct stj_copy *start, struct stj_error *err)
{
    const struct perturbation *p = ctx;
    (void)err;
    memcpy(start->theta, p->theta_0, p->n * sizeof *start->theta);
    stj_axpy(p->n, p->step.item[copy], p->v, start->theta);
    return STJ_OK;
}

/* What is measured of every copy. */
struct response {
    double *projection, *complement, *prediction, *test_loss, *test_accuracy;
};

static void response_free(struct response *m)
{
    free(m->projection);
    free(m->complement);
    free(m->prediction);
    free(m->test_loss);
    free(m->test_accuracy);
}

static enum stj_status response_init(struct response *m, size_t n, struct stj_error *err)
{
    STJ_MUST(stj_new(&m->projection, n, sizeof *m->projection, err));
    STJ_MUST(stj_new(&m->complement, n, sizeof *m->complement, err));
    STJ_MUST(stj_new(&m->prediction, n, sizeof *m->prediction, err));
    STJ_MUST(stj_new(&m->test_loss, n, sizeof *m->test_loss, err));
    return stj_new(&m->test_accuracy, n, sizeof *m->test_accuracy, err);
}

static enum stj_status response_measure(const struct stj_run *run, const struct direction *x,
                                        size_t n, const double *theta_n, double *theta, bool finite,
                                        size_t i, struct response *m, struct stj_error *err)
{
    m->projection[i] = m->complement[i] = m->test_loss[i] = m->test_accuracy[i] = (double)NAN;
    if (!finite)
        return STJ_OK;
    enum stj_status st =
        stj_study_evaluate(run, run->test, theta, &m->test_loss[i], &m->test_accuracy[i], err);
    stj_axpy(n, -1, theta_n, theta);
    m->projection[i] = stj_dot(n, x->u, theta);
    stj_axpy(n, -m->projection[i], x->u, theta);
    m->complement[i] = stj_nrm2(n, theta);
    return st;
}

/* theta and slots (owned by the caller) of the state that the copies begin with. */
static enum stj_status read_start(const struct stj_run *run, struct perturbation *p, real **slots,
                                  struct stj_error *err)
{
    const size_t n_slots = stj_recipe_n_slots(&run->recipe);
    struct stj_trajectory_view view;
    STJ_MUST(stj_new(slots, n_slots * p->n, sizeof **slots, err));
    STJ_MUST(stj_new(&p->theta_0, p->n, sizeof *p->theta_0, err));
    STJ_MUST(stj_trajectory_visit(run->trajectory, p->at, 1, &view, err));
    memcpy(*slots, view.state + p->n, n_slots * p->n * sizeof **slots);
    for (size_t i = 0; i < p->n; i++)
        p->theta_0[i] = view.state[i];
    return STJ_OK;
}

static enum stj_status measure_all(const struct stj_study_context *cx, const struct direction *x,
                                   const struct perturbation *p, const real *slots,
                                   const double *theta_n, struct response *m, struct stj_error *err)
{
    const struct stj_retraining work = {.problem = cx->run->problem,
                                        .recipe = &cx->run->recipe,
                                        .from = p->at,
                                        .slots = slots,
                                        .n_copies = p->step.n,
                                        .begin = begin,
                                        .ctx = (void *)(uintptr_t)p,
                                        .log = cx->log,
                                        .progress = cx->progress};
    STJ_HELD(stj_retrained_destroy_at) struct stj_retrained *done = NULL;
    STJ_FREED double *theta = NULL;
    bool finite = false;
    STJ_MUST(stj_new(&theta, p->n, sizeof *theta, err));
    STJ_MUST(stj_retrain(&work, &done, err));
    for (size_t i = 0; i < p->step.n; i++) {
        STJ_MUST(stj_retrained_theta(done, i, theta, &finite, err));
        STJ_MUST(response_measure(cx->run, x, p->n, theta_n, theta, finite, i, m, err));
        m->prediction[i] = p->step.item[i] * x->sigma;
    }
    return STJ_OK;
}

/* ---- the result ---- */

static enum stj_status response_put(const struct stj_study_context *cx,
                                    const struct response_config *c, const struct direction *x,
                                    const struct stj_reals *step, const struct response *m,
                                    struct stj_study_result *r, struct stj_error *err)
{
    const double index = c->region ? (double)NAN : (double)(c->has_index ? c->index : 1);
    STJ_MUST(stj_directions_put(cx->directions, r, err));
    STJ_MUST(stj_study_put_item(r, STJ_STUDY_COUNT, "index", 1, &index, NULL, err));
    STJ_MUST(stj_study_put_text(r, c->region ? regions[c->region] : NULL, err, "region"));
    STJ_MUST(stj_study_put_where(&c->where, r, err));
    STJ_MUST(stj_study_put_real(r, c->epsilon, err, "epsilon"));
    STJ_MUST(stj_study_put_count(r, x->members, err, "region_directions"));
    STJ_MUST(stj_study_put_count(r, x->dependent, err, "basis_dependent"));
    STJ_MUST(stj_study_put_real(r, x->sigma, err, "sigma"));
    STJ_MUST(stj_study_put_reals(r, step->n, step->item, err, "step"));
    STJ_MUST(stj_study_put_reals(r, step->n, m->prediction, err, "prediction"));
    STJ_MUST(stj_study_put_reals(r, step->n, m->projection, err, "projection"));
    STJ_MUST(stj_study_put_reals(r, step->n, m->complement, err, "complement"));
    STJ_MUST(stj_study_put_reals(r, step->n, m->test_loss, err, "test_loss"));
    return stj_study_put_reals(r, step->n, m->test_accuracy, err, "test_accuracy");
}

/* Test loss at a point of the trajectory. */
static enum stj_status put_loss(const struct stj_run *run, const double *theta, const char *name,
                                struct stj_study_result *r, struct stj_error *err)
{
    double loss = 0, accuracy = 0;
    STJ_MUST(stj_study_evaluate(run, run->test, theta, &loss, &accuracy, err));
    return stj_study_put_real(r, loss, err, "%s", name);
}

static enum stj_status response_run(const struct stj_study_context *cx, const void *config,
                                    struct stj_study_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_network_n_params(cx->run->net);
    struct direction x = {.sigma = 0};
    struct perturbation p = {.n = n, .at = where_of(config)->at};
    struct response m = {.projection = NULL};
    double *theta_n = NULL;
    real *slots = NULL;
    STJ_TRY(choose(cx, config, &x, err));
    STJ_TRY(make_grid(config, &p.step, err));
    STJ_TRY(response_init(&m, p.step.n, err));
    STJ_TRY(stj_new(&theta_n, n, sizeof *theta_n, err));
    STJ_TRY(read_start(cx->run, &p, &slots, err));
    STJ_TRY(stj_run_theta(cx->run, cx->run->n_steps, theta_n, err));
    p.v = x.v;
    STJ_TRY(measure_all(cx, &x, &p, slots, theta_n, &m, err));
    STJ_TRY(response_put(cx, config, &x, &p.step, &m, r, err));
    STJ_TRY(put_loss(cx->run, p.theta_0, "initial_test_loss", r, err));
    STJ_TRY(put_loss(cx->run, theta_n, "trained_test_loss", r, err));
out:
    free(p.theta_0);
    free(slots);
    free(theta_n);
    free(x.u);
    free(x.v);
    free(p.step.item);
    response_free(&m);
    return st;
}

/* The step that was perturbed; results of older versions do not say it. */
static double start_of(const struct stj_study_result *r)
{
    return stj_study_find(r, "at") ? stj_study_number(r, "at") : 0;
}

static void print_number(FILE *out, int width, double x)
{
    if (isnan(x))
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.6g", width, x);
}

static void response_print(FILE *out, const struct stj_study_result *r)
{
    static const char *const column[] = {"prediction", "projection", "complement", "test_loss",
                                         "test_accuracy"};
    size_t n = 0;
    const double *step = stj_study_vector(r, &n, "step");
    const char *region = stj_study_text(r, "region"), *layers = stj_study_text(r, "layers");
    const double at = start_of(r);
    if (region)
        fprintf(out,
                "trained again from theta_%.0f + s v, v random in the span of %.0f %s directions",
                at, stj_study_number(r, "region_directions"), region);
    else
        fprintf(out, "trained again from theta_%.0f + s v_%.0f", at, stj_study_number(r, "index"));
    if (layers)
        fprintf(out, " of %s", layers);
    fprintf(out, "; sigma = %.6g%s\n", stj_study_number(r, "sigma"),
            stj_study_number(r, "basis_dependent") > 0 ? " (basis-dependent)" : "");
    fprintf(out, "%10s %13s %13s %13s %12s %9s\n", "s", "sigma s", "projection", "complement",
            "test loss", "accuracy");
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "%10.4g", step[i]);
        for (size_t k = 0; k < 5; k++)
            print_number(out,
                         k < 3    ? 13
                         : k == 3 ? 12
                                  : 9,
                         stj_study_vector(r, &n, "%s", column[k])[i]);
        fputc('\n', out);
    }
    fprintf(out, "test loss at theta_%.0f %.6g, at theta_n %.6g\n", at,
            stj_study_number(r, "initial_test_loss"), stj_study_number(r, "trained_test_loss"));
    stj_directions_print(out, r);
}

/* ---- figures ---- */

static void title(const struct stj_study_result *r, const char *before, struct stj_chart *chart)
{
    const char *region = stj_study_text(r, "region");
    if (region)
        stj_chart_title(chart, "%s w, w random in the region %s", before, region);
    else
        stj_chart_title(chart, "%s v_{%.0f}, singular value %.4g%s", before,
                        stj_study_number(r, "index"), stj_study_number(r, "sigma"),
                        stj_study_number(r, "basis_dependent") > 0 ? " (basis-dependent)" : "");
    stj_axis_name(&chart->x, "step", "step size s in the space of parameters");
    chart->x.log = true;
}

static enum stj_status response_make(const struct stj_study_result *r, struct stj_chart *chart,
                                     struct stj_error *err)
{
    size_t n = 0;
    const double *step = stj_study_vector(r, &n, "step");
    const double *projection = stj_study_vector(r, &n, "projection");
    const double *complement = stj_study_vector(r, &n, "complement");
    const double *prediction = stj_study_vector(r, &n, "prediction");
    STJ_FREED double *size = NULL;
    STJ_MUST(stj_new(&size, n, sizeof *size, err));
    for (size_t i = 0; i < n; i++)
        size[i] = fabs(projection[i]);
    char before[64];
    snprintf(before, sizeof before, "Training from theta_{%.0f} + s", start_of(r));
    title(r, before, chart);
    stj_axis_name(&chart->y, "change", "change of the trained parameters");
    chart->y.log = true;
    STJ_MUST(stj_chart_add(chart, STJ_CHART_BOTH, STJ_CHART_VERMILLION, n, step, size, err,
                           "|projection on u|"));
    STJ_MUST(stj_chart_add(chart, STJ_CHART_BOTH, STJ_CHART_BLUE, n, step, complement, err,
                           "complement"));
    return stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_BLACK, n, step, prediction, err,
                         "prediction sigma s");
}

static enum stj_status make_loss(const struct stj_study_result *r, struct stj_chart *chart,
                                 struct stj_error *err)
{
    size_t n = 0;
    const double *step = stj_study_vector(r, &n, "step");
    const double *loss = stj_study_vector(r, &n, "test_loss");
    STJ_FREED double *level = NULL;
    STJ_MUST(stj_new(&level, n, sizeof *level, err));
    char before[64];
    snprintf(before, sizeof before, "Test loss after training from theta_{%.0f} + s", start_of(r));
    title(r, before, chart);
    stj_axis_name(&chart->y, "test_loss", "test loss");
    STJ_MUST(stj_chart_add(chart, STJ_CHART_BOTH, STJ_CHART_VERMILLION, n, step, loss, err,
                           "perturbed"));
    for (size_t i = 0; i < n; i++)
        level[i] = stj_study_number(r, "trained_test_loss");
    return stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_BLACK, n, step, level, err,
                         "not perturbed");
}

static const struct stj_study_figure figures[] = {
    {"response", "change of the trained parameters against the size of a perturbation",
     response_make},
    {"response-loss", "test loss against the size of a perturbation", make_loss},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_response = {
    .info = {.name = "response",
             .doc = "train again from perturbed starts, against the prediction",
             .options = options,
             .config_size = sizeof(struct response_config),
             .check = response_check},
    .description =
        "Train the run again from theta_0 + s v for step sizes s, v being the right "
        "singular vector of "
        "an index or a random direction of a region.  The change of the trained "
        "parameters is split "
        "into its projection on u and the rest, beside the prediction sigma s.  With --at T "
        "the parameters of step T are perturbed, along vectors of J(T -> n), with "
        "--layers a block of them alone.  A "
        "training that leaves "
        "the finite numbers has no values.",
    .example = "  spectraj study response digits-run --index 1\n"
               "  spectraj study response digits-run --index 1 --step 1e-3,1e-2 --json\n"
               "  spectraj study response digits-run --region bulk --tag bulk\n"
               "  spectraj study response digits-run --at 300 --layers dense0.kernel\n",
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .where = where_of,
    .keeps_log = true,
    .run = response_run,
    .print = response_print,
    .figures = figures,
};
