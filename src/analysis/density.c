/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/density.c: how many singular values lie where, by stochastic quadrature
 * (spectrum/density/).
 *
 * The result is the quadrature: alpha and beta of every probe, one probe after another, and the
 * deflated singular values.  Counts at any epsilon and confidence, curves, histograms and
 * functionals are made from it whenever it is read, so these options are views; but where steps and
 * probes are added until intervals are narrow enough, the tolerance is part of the question.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/density.h>

#include "analysis/analyses.h"
#include "analysis/charts.h"
#include "analysis/given.h"
#include "analysis/common_options.h"
#include "analysis/plan.h"
#include "analysis/print.h"
#include "base/error.h"
#include "base/memory.h"
#include "run/memory_budget.h"
#include "spectrum/density/bidiagonalize.h"
#include "spectrum/density/count.h"
#include "spectrum/svd/svd_method.h"

struct density_config {
    struct stj_density_settings s;
    size_t curve;
    char *edges;
    bool no_deflation, gap;
    char *of;
};

static const char *const reorthogonalize_words[] = {"auto", "full", "one-sided", "none", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct density_config, __VA_ARGS__)
static const struct stj_option options[] = {
    STJ_EPSILON_OPTION(offsetof(struct density_config, s.epsilon)),
    STJ_FRACTION_OPTION("confidence", 0, STJ_ROLE_VIEW,
                        offsetof(struct density_config, s.confidence), "0.95", "P",
                        "probability with which an interval contains the true count"),
    OPTION("probes", SIZE, s.probes, "8", "random start vectors", .letter = 'p', .min = 1,
           .max = 1e9, .value = "N"),
    OPTION("steps", SIZE, s.steps, "100", "Lanczos steps per probe, two products each",
           .letter = 'k', .min = 1, .max = 1e9, .value = "K"),
    STJ_SEED_OPTION(offsetof(struct density_config, s.seed), "probes"),
    STJ_FRACTION_OPTION("tolerance", 0, STJ_ROLE_QUESTION,
                        offsetof(struct density_config, s.tolerance), "", "TOL",
                        "add steps and probes until every interval is at most TOL times the "
                        "number of parameters wide"),
    OPTION("reorthogonalize", CHOICE, s.reorthogonalize, "auto",
           "full, one-sided or none: two, one or no vectors of memory per step and probe",
           .choices = reorthogonalize_words, .value = "HOW"),
    OPTION("scratch", PATH, s.scratch, "",
           "keep these vectors in unnamed files in DIR instead of memory", .role = STJ_ROLE_EFFORT,
           .value = "DIR"),
    OPTION("no_deflation", BOOL, no_deflation, "false",
           "do not remove the singular pairs of svd.h5 from the probes"),
    OPTION("edges", STRING, edges, "",
           "also count between these singular values; the last may be inf", .role = STJ_ROLE_VIEW,
           .value = "E1,E2,..."),
    OPTION("curve", SIZE, curve, "", "also count the bulk at N values of epsilon from 0.001 to 0.9",
           .role = STJ_ROLE_VIEW, .min = 1, .max = 10000, .value = "N"),
    OPTION("gap", BOOL, gap, "false", "look for an epsilon at which the spectrum has a gap",
           .role = STJ_ROLE_VIEW),
    STJ_OF_OPTION(offsetof(struct density_config, of)),
    STJ_MAX_APPLICATIONS_OPTION(offsetof(struct density_config, s.max_applications), "at most"),
    STJ_MAX_SECONDS_OPTION(offsetof(struct density_config, s.max_seconds)),
    {.name = NULL},
};

static struct stj_density_settings settings_of(const struct density_config *c)
{
    struct stj_density_settings s = c->s;
    s.size = sizeof s;
    return s;
}

/* ---- the result ---- */

/* The quadrature, what lies in the file of it, and what is made of it. */
struct density_data {
    struct stj_density_result r;
    size_t n_total; /* steps of all probes */
    size_t *probe_steps, *probe_exact;
    double *probe_mass, *alpha, *beta;

    size_t n_points; /* of the density as a function of sigma */
    struct stj_density_point *point;
    double width; /* of the smoothing, in log10 sigma */

    size_t n_curve; /* bulk as a function of epsilon */
    struct stj_density_counts *curve;
    size_t n_between; /* bins between edges */
    double *edge;
    struct stj_density_count *bin;
    bool has_functionals, has_gap, gap_found;
    struct stj_density_functionals functionals;
    struct stj_density_gap gap;
};

static const char *const region_words[] = {"chaotic", "bulk", "stable", NULL};

#define FIELD(...) STJ_FIELD_ROW(struct density_data, __VA_ARGS__)
#define DIM(...) STJ_FIELD_DIM(struct density_data, __VA_ARGS__)
#define WHERE(has) .present = offsetof(struct density_data, has), .absent = STJ_ABSENT_KEY

/* A number of each region's count, of each value of epsilon, and of each bin. */
#define OF_REGIONS                                                                                 \
    {                                                                                              \
        .name = "region", .label = region_words, .stride = sizeof(struct stj_density_count)        \
    }
#define OF_CURVE DIM("curve", n_curve, .stride = sizeof(struct stj_density_counts))
#define OF_COUNT(member_) .member = offsetof(struct stj_density_count, member_)
#define REGION(member_, doc_)                                                                      \
    FIELD("regions.*." #member_, REAL, r.regions.chaotic, doc_, OF_COUNT(member_),                 \
          .dim = {OF_REGIONS})
#define GAP_REGION(member_)                                                                        \
    FIELD("gap.regions.*." #member_, REAL, gap.counts.chaotic, "the regions at that epsilon",      \
          .place = STJ_FIELD_IN_JSON, OF_COUNT(member_), .dim = {OF_REGIONS}, WHERE(gap_found))
#define CURVE(member_)                                                                             \
    FIELD("curve[].regions.*." #member_, REAL, curve, "the regions at that epsilon",               \
          .place = STJ_FIELD_IN_JSON,                                                              \
          .member = offsetof(struct stj_density_counts, chaotic) +                                 \
                    offsetof(struct stj_density_count, member_),                                   \
          .dim = {OF_CURVE, OF_REGIONS})
#define BIN(member_)                                                                               \
    FIELD("between[].count." #member_, REAL, bin, "values between the two edges",                  \
          .place = STJ_FIELD_IN_JSON, OF_COUNT(member_),                                           \
          .dim = {DIM("bin", n_between, .stride = sizeof(struct stj_density_count))})
#define OF_POINT(member_)                                                                          \
    .member = offsetof(struct stj_density_point, member_),                                         \
    .dim = {DIM("point", n_points, .stride = sizeof(struct stj_density_point))}
#define MEASURED(member_, doc_)                                                                    \
    FIELD("functionals." #member_ ".value", REAL, functionals.member_.value, doc_,                 \
          .place = STJ_FIELD_IN_JSON, WHERE(has_functionals)),                                     \
        FIELD("functionals." #member_ ".error", REAL, functionals.member_.error,                   \
              "its standard error", .place = STJ_FIELD_IN_JSON, WHERE(has_functionals))
#define MISSED(side, member_, doc_)                                                                \
    FIELD("known.missed_" #side "." #member_, REAL, r.missed_##side.member_, doc_,                 \
          .place = STJ_FIELD_IN_JSON,                                                              \
          .present = offsetof(struct density_data, r.missed_##side.compared))

static const struct stj_field schema[] = {
    FIELD("n_values", COUNT, r.n_params, "singular values", .place = STJ_FIELD_IN_FILE,
          .older = "@n_params"),
    FIELD("epsilon", REAL, r.epsilon, "half width of the bulk"),
    FIELD("confidence", REAL, r.confidence, "how often low .. high contains the true count"),
    FIELD("probes", COUNT, r.n_probes, "random start vectors that are complete"),
    FIELD("steps", COUNT, r.steps, "of the longest of them"),
    FIELD("regions.*.estimate", REAL, r.regions.chaotic.estimate,
          "singular values above 1 + epsilon, within epsilon of 1, below 1 - epsilon",
          .file = "region_count", .dim = {OF_REGIONS}, .headline = 1, .low = "regions.*.low",
          .high = "regions.*.high"),
    REGION(low, "confidence interval, from"),
    REGION(high, "to"),
    REGION(enclosure_low, "rigorous for the measure of each probe, from"),
    REGION(enclosure_high, "to"),
    REGION(sampling, "half width of the interval's part that is sampling"),
    REGION(finite_steps, "and of that which is the finite number of steps"),
    FIELD("stop", CHOICE, r.stop, "why it ended", .choices = stj_stop_words),
    FIELD("seed", SEED, r.seed, "of the probes"),
    FIELD("reorthogonalize", CHOICE, r.reorthogonalize, "what the vectors were kept orthogonal to",
          .choices = reorthogonalize_words),
    FIELD("in_flight", COUNT, r.in_flight, "probes that went together"),
    FIELD("sigma_1", REAL, r.sigma_1, "largest value seen"),
    FIELD("floor", REAL, r.floor, "below it a value means nothing"),
    FIELD("known.deflated", COUNT, r.n_known,
          "singular pairs that were taken out and counted exactly", .file = "known"),
    FIELD("known.sigma", REAL, r.known, "their values, descending", .file = "known_sigma",
          .place = STJ_FIELD_IN_FILE, .dim = {DIM("known", r.n_known)}),
    MISSED(above, sigma, "the known value nearest to 1, above"),
    MISSED(above, estimate, "values above it that are not known"),
    MISSED(above, low, "at least so many; 1 or more: some are missing"),
    MISSED(below, sigma, "the known value nearest to 1, below"),
    MISSED(below, estimate, "values below it that are not known"),
    MISSED(below, low, "at least so many; 1 or more: some are missing"),
    /* The quadrature itself. */
    FIELD("probe_steps", COUNT, probe_steps, "steps of each probe", .place = STJ_FIELD_IN_FILE,
          .dim = {DIM("probe", r.n_probes)}),
    FIELD("probe_mass", REAL, probe_mass,
          "squared length of its Gaussian vector: its share in means", .place = STJ_FIELD_IN_FILE,
          .dim = {DIM("probe", r.n_probes)}),
    FIELD("probe_exact", COUNT, probe_exact,
          "1: an invariant subspace was reached, and the quadrature has no error",
          .place = STJ_FIELD_IN_FILE, .dim = {DIM("probe", r.n_probes)}),
    FIELD("n_total", COUNT, n_total, "steps of all probes", .file = "total_steps",
          .place = STJ_FIELD_IN_FILE, .later = true),
    FIELD("alpha", REAL, alpha, "diagonal of the bidiagonal matrices, one probe after another",
          .place = STJ_FIELD_IN_FILE, .dim = {DIM("step", n_total)}),
    FIELD("beta", REAL, beta,
          "beside it; the last of a probe: the coupling to what was not explored",
          .place = STJ_FIELD_IN_FILE, .dim = {DIM("step", n_total)}),
    /* The density as it is drawn. */
    FIELD("density.sigma", REAL, point, "singular values, equally spaced in their logarithm",
          .file = "density_sigma", OF_POINT(sigma)),
    FIELD("density.density", REAL, point,
          "singular values per unit of log10 sigma in a window around it", .file = "density",
          OF_POINT(density)),
    FIELD("density.low", REAL, point, "band at the confidence, from", OF_POINT(low)),
    FIELD("density.high", REAL, point, "to", OF_POINT(high)),
    FIELD("density.resolution", REAL, point,
          "half of the distance of the steps' nodes there, in log10 sigma: density is the mean "
          "over so much to either side",
          OF_POINT(resolution)),
    FIELD("density.width", REAL, width, "of these windows, in log10 sigma", .file = "density_width",
          .later = true),
    /* What a request asks for beside. */
    FIELD("curve[].epsilon", REAL, curve, "half widths of the bulk (--curve)",
          .place = STJ_FIELD_IN_JSON, .member = offsetof(struct stj_density_counts, epsilon),
          .dim = {OF_CURVE}),
    CURVE(estimate),
    CURVE(low),
    CURVE(high),
    CURVE(enclosure_low),
    CURVE(enclosure_high),
    CURVE(sampling),
    CURVE(finite_steps),
    FIELD("between[].from", REAL, edge, "edges (--edges)", .place = STJ_FIELD_IN_JSON,
          .dim = {DIM("bin", n_between)}),
    FIELD("between[].to", REAL, edge, "the next edge; null: infinity", .place = STJ_FIELD_IN_JSON,
          .member = sizeof(double), .dim = {DIM("bin", n_between)}),
    BIN(estimate),
    BIN(low),
    BIN(high),
    BIN(enclosure_low),
    BIN(enclosure_high),
    BIN(sampling),
    BIN(finite_steps),
    FIELD("functionals.floor", REAL, functionals.floor, "of the logarithms",
          .place = STJ_FIELD_IN_JSON, WHERE(has_functionals)),
    MEASURED(below_floor, "values at or below the floor"),
    MEASURED(log_volume, "sum of log sigma above it"),
    MEASURED(mean_log, "log_volume over the number above it"),
    MEASURED(lyapunov, "mean_log per step: finite-time average"),
    MEASURED(participation_ratio, "(sum sigma^2)^2 / sum sigma^4"),
    MEASURED(effective_rank, "exp of the entropy of sigma / sum sigma"),
    MEASURED(frobenius_squared, "sum sigma^2"),
    FIELD("gap.found", FLAG, gap.found,
          "is there a place around 1 where the spectrum is thin? (--gap)",
          .place = STJ_FIELD_IN_JSON, WHERE(has_gap)),
    FIELD("gap.epsilon", REAL, gap.epsilon, "suggested half width of the bulk",
          .place = STJ_FIELD_IN_JSON, WHERE(gap_found)),
    FIELD("gap.depth", REAL, gap.depth,
          "density there over that at the densest smaller epsilon; 0: empty",
          .place = STJ_FIELD_IN_JSON, WHERE(gap_found)),
    GAP_REGION(estimate),
    GAP_REGION(low),
    GAP_REGION(high),
    GAP_REGION(enclosure_low),
    GAP_REGION(enclosure_high),
    GAP_REGION(sampling),
    GAP_REGION(finite_steps),
    {.name = NULL},
};

/* ---- memory ---- */

/* Half of `left` for the engine and half for bases, but the engine gets what it needs, and no more
 * where otherwise no probe's basis would fit.  False: it does not fit in any case. */
static bool split_memory(const struct stj_run *run, const struct stj_plan_request *request,
                         const struct stj_density_settings *settings, size_t left, size_t *engine)
{
    struct stj_storage storage = {.minimum = 0};
    const size_t m = request->rows, n = request->n;
    const size_t steps = settings->steps < n ? settings->steps : n;
    enum stj_reorthogonalize how = settings->reorthogonalize;
    *engine = left / 2;
    const bool runs =
        stj_run_part_storage(run, &request->part, *engine, 1, &storage, NULL) == STJ_OK;
    if (!runs || stj_density_in_flight(settings, m, n, steps, left - *engine, &how) == 0)
        *engine = storage.minimum < left ? storage.minimum : left;
    return stj_density_in_flight(settings, m, n, steps, left - *engine, &how) > 0;
}

/* What is there in any case comes first, then the engine and the bases share, then the engine gets
 * what bases do not take.  p: of the request's ranks. */
static void divide_memory(const struct stj_run *run, const struct stj_plan_request *request,
                          const struct stj_density_settings *settings,
                          const struct stj_prediction *p, size_t *engine, size_t *bases)
{
    const size_t memory = request->memory_bytes;
    struct stj_density_settings s = *settings;
    struct stj_prediction trial = *p;
    size_t left = memory;
    *engine = *bases = 0;
    if (memory == 0)
        return;
    s.scratch = "."; /* bases elsewhere */
    s.memory_bytes = 1;
    stj_density_predict(&s, request->rows, request->n, &trial);
    (void)stj_run_fit(run, &request->part, memory, &trial, &left);
    if (!split_memory(run, request, settings, left, engine)) {
        left = memory; /* a limit that cannot be kept is one of states, linearisations and bases */
        (void)split_memory(run, request, settings, left, engine);
    }
    *bases = left - *engine;
    s = *settings;
    s.memory_bytes = *bases;
    trial = *p;
    stj_density_predict(&s, request->rows, request->n, &trial);
    (void)stj_run_fit(run, &request->part, memory, &trial, engine);
}

static size_t density_columns(const void *config, size_t n)
{
    const struct density_config *c = config;
    (void)n;
    return c->s.probes;
}

static void density_predict(const struct stj_run *run, const struct stj_plan_request *request,
                            const void *config, struct stj_prediction *p, size_t *engine)
{
    const struct density_config *c = config;
    struct stj_density_settings s = settings_of(c);
    struct stj_plan_request narrow = *request; /* of D' where that has fewer columns */
    narrow.n = request->n < request->rows ? request->n : request->rows;
    narrow.rows = request->n < request->rows ? request->rows : request->n;
    const struct stj_pairs known = {
        .k = c->no_deflation || c->of ? 0 : stj_svd_stored_pairs(run, &request->part)};
    size_t divided = 0;
    s.known[0] = &known;
    divide_memory(run, &narrow, &s, p, &divided, &s.memory_bytes);
    if (request->memory_bytes > 0)
        *engine = divided;
    const struct stj_prediction before = *p;
    stj_density_predict(&s, narrow.rows, narrow.n, p);
    if (p->refused) { /* what one of them takes is said with it */
        *p = before;
        s.probes = 1;
        s.memory_bytes = SIZE_MAX;
        if (s.reorthogonalize == STJ_REORTHOGONALIZE_AUTO)
            s.reorthogonalize = STJ_REORTHOGONALIZE_ONE_SIDED;
        stj_density_predict(&s, narrow.rows, narrow.n, p);
        p->refused = true;
        stj_predict_method(p, "the basis of one probe does not fit: more memory (--memory), "
                              "fewer steps, or --scratch");
    }
}

/* ---- computing ---- */

/* data <- the probes' numbers one after another, as the file has them. */
static enum stj_status pack_probes(struct density_data *d, struct stj_error *err)
{
    const size_t n = d->r.n_probes;
    size_t at = 0;
    for (size_t i = 0; i < n; i++)
        d->n_total += d->r.probe[i].k;
    STJ_MUST(stj_new(&d->probe_steps, n, sizeof *d->probe_steps, err));
    STJ_MUST(stj_new(&d->probe_exact, n, sizeof *d->probe_exact, err));
    STJ_MUST(stj_new(&d->probe_mass, n, sizeof *d->probe_mass, err));
    STJ_MUST(stj_new(&d->alpha, d->n_total, sizeof *d->alpha, err));
    STJ_MUST(stj_new(&d->beta, d->n_total, sizeof *d->beta, err));
    for (size_t i = 0; i < n; at += d->r.probe[i++].k) {
        const struct stj_density_probe *p = d->r.probe + i;
        d->probe_steps[i] = p->k;
        d->probe_exact[i] = p->exact;
        d->probe_mass[i] = p->mass;
        memcpy(d->alpha + at, p->alpha, p->k * sizeof *p->alpha);
        memcpy(d->beta + at, p->beta, p->k * sizeof *p->beta);
    }
    return STJ_OK;
}

/* The other way. */
static enum stj_status unpack_probes(struct density_data *d, struct stj_error *err)
{
    const size_t n = d->r.n_probes;
    size_t total = 0, at = 0;
    d->r.n_left = d->r.n_params - d->r.n_known;
    STJ_NEED(err, d->r.n_known <= d->r.n_params && (d->r.n_left == 0 || n > 0), STJ_EFORMAT,
             "density: %zu known of %zu values and %zu probes do not go together; compute it "
             "again with --force",
             d->r.n_known, d->r.n_params, n);
    for (size_t i = 0; i < n; i++) {
        STJ_NEED(err, d->probe_steps[i] >= 1 && d->probe_steps[i] <= d->r.steps, STJ_EFORMAT,
                 "density: probe %zu has %zu of at most %zu steps; compute it again with --force",
                 i, d->probe_steps[i], d->r.steps);
        total += d->probe_steps[i];
    }
    STJ_NEED(err, total == d->n_total, STJ_EFORMAT,
             "density: the probes have %zu steps and alpha %zu; compute it again with --force",
             total, d->n_total);
    STJ_MUST(stj_new(&d->r.probe, n, sizeof *d->r.probe, err));
    for (size_t i = 0; i < n; at += d->r.probe[i++].k) {
        struct stj_density_probe *p = d->r.probe + i;
        STJ_MUST(stj_new(&p->alpha, d->probe_steps[i], sizeof *p->alpha, err));
        STJ_MUST(stj_new(&p->beta, d->probe_steps[i], sizeof *p->beta, err));
        p->k = d->probe_steps[i];
        p->mass = d->probe_mass[i];
        p->exact = d->probe_exact[i] != 0;
        memcpy(p->alpha, d->alpha + at, p->k * sizeof *p->alpha);
        memcpy(p->beta, d->beta + at, p->k * sizeof *p->beta);
    }
    return STJ_OK;
}

/* The density as a figure shows it, at the epsilon and the confidence of the result. */
static enum stj_status draw_density(struct density_data *d, struct stj_error *err)
{
    struct stj_density_point point[STJ_DENSITY_POINTS];
    STJ_MUST(stj_density_draw(&d->r, &d->width, &d->n_points, point, err));
    free(d->point);
    STJ_MUST(stj_new(&d->point, d->n_points, sizeof *d->point, err));
    memcpy(d->point, point, d->n_points * sizeof *point);
    return STJ_OK;
}

static enum stj_status density_compute(struct stj_analysis_context *cx, const void *config,
                                       void *data, struct stj_error *err)
{
    const struct density_config *c = config;
    struct density_data *d = data;
    struct stj_density_settings s = settings_of(c);
    struct stj_density_result *made = NULL;
    STJ_HELD(stj_result_destroy_at) struct stj_result *pairs = NULL;
    struct stj_prediction p = {.ranks = 0};
    STJ_MUST(stj_analysis_use_given(cx, c->of, true, err));
    const struct stj_plan_request request = {.part = *cx->part,
                                             .memory_bytes =
                                                 stj_plan_beside_checks(cx->memory_bytes, cx->n),
                                             .n = cx->n,
                                             .rows = stj_op_n_rows(cx->op)};
    size_t engine = 0;
    s.progress = *cx->progress;
    if (cx->run && !c->no_deflation && !c->of)
        STJ_MUST(stj_result_of_part(cx->run, "svd", cx->part, &pairs, err));
    if (pairs) {
        const struct stj_svd_result *svd = stj_analysis_svd_of(pairs);
        s.known[0] = &svd->top;
        s.known[1] = &svd->bottom;
        STJ_MUST(stj_analysis_note_source(cx, pairs, err));
    }
    s.memory_bytes = cx->memory_bytes;
    if (cx->run)
        divide_memory(cx->run, &request, &s, &p, &engine, &s.memory_bytes);
    STJ_MUST(stj_density_solve(cx->op, &s, &made, err));
    d->r = *made;
    free(made);
    STJ_MUST(pack_probes(d, err));
    if (d->r.stop != STJ_STOP_INTERRUPTED)
        STJ_MUST(draw_density(d, err));
    return STJ_OK;
}

/* ---- views ---- */

/* The curve begins at LEAST and ends at MOST. */
static const double least_epsilon = 1e-3;
static const double most_epsilon = 0.9;

/* "0.5,0.9,inf": numbers with commas between them; "inf" may be the last. */
static enum stj_status parse_edges(const char *text, double **edge, size_t *n,
                                   struct stj_error *err)
{
    *n = 1;
    for (const char *p = text; *p; p++)
        *n += *p == ',';
    STJ_MUST(stj_new(edge, *n, sizeof **edge, err));
    const char *p = text;
    for (size_t i = 0; i < *n; i++) {
        char *end = NULL;
        (*edge)[i] = strtod(p, &end);
        STJ_NEED(err, end != p && (!*end || *end == ',') && !isnan((*edge)[i]), STJ_EINVAL,
                 "edges is '%s': '%.*s' is not a number", text, (int)strcspn(p, ","), p);
        p = *end ? end + 1 : end;
    }
    return stj_density_check_edges(*n, *edge, err);
}

/* What products in single precision may have done to counts.  With E = J_single - J the sum over all
 * i of (sigma_i(J_single) - sigma_i(J))^2 is at most |E|_F^2 (Mirsky): so at most |E|_F^2 / d^2 values
 * are more than d off, and a count between a and b is at least that between a + d and b - d less
 * these, and at most that between a - d and b + d and these.  |E|_F is measured. */
struct doubt {
    double d, beyond; /* 0: none */
};

static struct doubt doubt_of(const struct stj_analysis_context *cx)
{
    enum { WIDTH = 10 }; /* in |E|_F: 0.01 of a value is beyond */
    const double e = sqrt((double)cx->n) * cx->about->product_error;
    return e > 0 ? (struct doubt){WIDTH * e, 1.0 / (WIDTH * WIDTH)} : (struct doubt){.d = 0};
}

/* A count of values between a and b <- with intervals that hold for J. */
static enum stj_status density_widen(const struct stj_density_result *r, struct doubt doubt,
                                     double a, double b, struct stj_density_count *c,
                                     struct stj_error *err)
{
    const double inner[] = {a > 0 ? a + doubt.d : 0, b - doubt.d};
    const double outer[] = {fmax(a - doubt.d, 0), b + doubt.d};
    const double n = (double)r->n_params;
    struct stj_density_count less = {.low = 0}, more;
    if (doubt.d == 0)
        return STJ_OK;
    if (inner[0] < inner[1])
        STJ_MUST(stj_density_histogram(r, 2, inner, r->confidence, &less, err));
    STJ_MUST(stj_density_histogram(r, 2, outer, r->confidence, &more, err));
    c->low = fmin(c->low, fmax(0, less.low - doubt.beyond));
    c->high = fmax(c->high, fmin(n, more.high + doubt.beyond));
    c->enclosure_low = fmin(c->enclosure_low, fmax(0, less.enclosure_low - doubt.beyond));
    c->enclosure_high = fmax(c->enclosure_high, fmin(n, more.enclosure_high + doubt.beyond));
    return STJ_OK;
}

static enum stj_status widen_regions(const struct stj_density_result *r, struct doubt doubt,
                                     struct stj_density_counts *c, struct stj_error *err)
{
    const double below = fmax(0, 1 - c->epsilon), above = 1 + c->epsilon;
    if (below > 0)
        STJ_MUST(density_widen(r, doubt, 0, below, &c->stable, err));
    STJ_MUST(density_widen(r, doubt, below, above, &c->bulk, err));
    return density_widen(r, doubt, above, (double)INFINITY, &c->chaotic, err);
}

static enum stj_status count_between(struct density_data *d, const char *text, struct doubt doubt,
                                     struct stj_error *err)
{
    size_t n = 0;
    STJ_MUST(parse_edges(text, &d->edge, &n, err));
    STJ_MUST(stj_new(&d->bin, n, sizeof *d->bin, err));
    STJ_MUST(stj_density_histogram(&d->r, n, d->edge, 0, d->bin, err));
    for (size_t i = 0; i + 1 < n; i++)
        STJ_MUST(density_widen(&d->r, doubt, d->edge[i], d->edge[i + 1], &d->bin[i], err));
    d->n_between = n - 1;
    return STJ_OK;
}

static enum stj_status make_curve(struct density_data *d, size_t n, struct doubt doubt,
                                  struct stj_error *err)
{
    STJ_FREED double *epsilon = NULL;
    STJ_MUST(stj_new(&epsilon, n, sizeof *epsilon, err));
    STJ_MUST(stj_new(&d->curve, n, sizeof *d->curve, err));
    for (size_t i = 0; i < n; i++)
        epsilon[i] = least_epsilon *
                     pow(most_epsilon / least_epsilon, n > 1 ? (double)i / (double)(n - 1) : 1);
    STJ_MUST(stj_density_curve(&d->r, n, epsilon, 0, d->curve, err));
    for (size_t i = 0; i < n; i++)
        STJ_MUST(widen_regions(&d->r, doubt, &d->curve[i], err));
    d->n_curve = n;
    return STJ_OK;
}

static enum stj_status density_view(const struct stj_analysis_context *cx, const void *config,
                                    void *data, struct stj_error *err)
{
    const struct density_config *c = config;
    struct density_data *d = data;
    if (!d->r.probe)
        STJ_MUST(unpack_probes(d, err));
    if (c) {
        d->r.epsilon = c->s.epsilon;
        d->r.confidence = c->s.confidence;
    }
    const struct doubt doubt = doubt_of(cx);
    STJ_MUST(stj_density_count_regions(&d->r, d->r.epsilon, d->r.confidence, &d->r.regions, err));
    STJ_MUST(widen_regions(&d->r, doubt, &d->r.regions, err));
    STJ_MUST(stj_density_find_missed(&d->r, err));
    STJ_MUST(draw_density(d, err));
    if (!c)
        return STJ_OK;
    const double steps = (double)(cx->part->to - cx->part->from);
    STJ_MUST(stj_density_find_functionals(&d->r, steps, 0, &d->functionals, err));
    d->has_functionals = true;
    if (c->edges)
        STJ_MUST(count_between(d, c->edges, doubt, err));
    if (c->curve)
        STJ_MUST(make_curve(d, c->curve, doubt, err));
    if (c->gap)
        STJ_MUST(stj_density_find_gap(&d->r, &d->gap, err));
    d->has_gap = c->gap;
    d->gap_found = c->gap && d->gap.found;
    return STJ_OK;
}

static void destroy(void *data)
{
    struct density_data *d = data;
    for (size_t i = 0; d->r.probe && i < d->r.n_probes; i++) {
        free(d->r.probe[i].alpha);
        free(d->r.probe[i].beta);
    }
    free(d->r.probe);
    stj_schema_free(schema, d);
}

static enum stj_verdict density_verdict(const void *data)
{
    const struct density_data *d = data;
    if (d->r.stop == STJ_STOP_INTERRUPTED)
        return STJ_VERDICT_INTERRUPTED;
    return d->r.stop == STJ_STOP_CONVERGED || d->r.stop == STJ_STOP_INVARIANT_SUBSPACE
               ? STJ_VERDICT_DONE
               : STJ_VERDICT_NOT_CONVERGED;
}

/* What a budget ended serves a request whose budget is no larger. */
static bool density_covers(const void *stored, const void *data, const void *wanted)
{
    const struct density_config *s = stored, *w = wanted;
    const struct density_data *d = data;
    if (d->r.stop == STJ_STOP_MAX_APPLICATIONS)
        return w->s.max_applications > 0 && w->s.max_applications <= s->s.max_applications;
    if (d->r.stop == STJ_STOP_MAX_SECONDS)
        return w->s.max_seconds > 0 && w->s.max_seconds <= s->s.max_seconds;
    return true;
}

static enum stj_status density_check(const void *config, struct stj_error *err)
{
    const struct density_config *c = config;
    STJ_FREED double *edge = NULL;
    size_t n = 0;
    if (c->edges)
        STJ_MUST(parse_edges(c->edges, &edge, &n, err));
    return stj_given_check(c->of, err);
}

/* ---- for people ---- */

/* One row of a table of counts. */
static void print_count(FILE *out, const char *name, const struct stj_density_count *c, size_t n)
{
    fprintf(out, "%-22s %9.1f %9.1f ..%9.1f %9.1f ..%9.1f %8.2f %%\n", name, c->estimate, c->low,
            c->high, c->enclosure_low, c->enclosure_high,
            n > 0 ? 100 * c->estimate / (double)n : 0);
}

static void print_missed(FILE *out, const char *side, const struct stj_density_missed *m)
{
    if (m->compared && m->low >= 1)
        fprintf(
            out,
            "missing: about %.1f singular values %s %.6g, at least %.0f, are not among the pairs "
            "that are known there\n",
            m->estimate, side, m->sigma, m->low);
}

static void print_measured(FILE *out, const char *name, const struct stj_measured *m)
{
    fprintf(out, "%-22s %15.8g", name, m->value);
    if (isfinite(m->error))
        fprintf(out, " +- %.2g", m->error);
    fputc('\n', out);
}

static void print_functionals(FILE *out, const struct stj_density_functionals *f)
{
    fprintf(out, "\nfrom the quadrature, with standard errors; floor %.2e\n", f->floor);
    print_measured(out, "values below the floor", &f->below_floor);
    print_measured(out, "sum of log sigma", &f->log_volume);
    print_measured(out, "mean of log sigma", &f->mean_log);
    print_measured(out, "mean per step", &f->lyapunov);
    print_measured(out, "participation ratio", &f->participation_ratio);
    print_measured(out, "effective rank", &f->effective_rank);
    print_measured(out, "sum of sigma^2", &f->frobenius_squared);
}

static void print_gap(FILE *out, const struct stj_density_gap *gap)
{
    if (gap->found)
        fprintf(out,
                "gap: the spectrum around 1 is thinnest at epsilon = %.3g (%.1f %% of the density "
                "beside it), with %.1f values in the bulk (%.1f to %.1f)\n",
                gap->epsilon, 100 * gap->depth, gap->counts.bulk.estimate, gap->counts.bulk.low,
                gap->counts.bulk.high);
    else
        fprintf(out, "gap: none that these steps resolve\n");
}

static void print_views(FILE *out, const struct density_data *d)
{
    char name[48];
    if (d->n_between > 0)
        fputc('\n', out);
    for (size_t i = 0; i < d->n_between; i++) {
        snprintf(name, sizeof name, "%.5g to %.5g", d->edge[i], d->edge[i + 1]);
        print_count(out, name, &d->bin[i], d->r.n_params);
    }
    if (d->n_curve > 0)
        fprintf(out, "\n%-22s %9s\n", "bulk within epsilon of", "count");
    for (size_t i = 0; i < d->n_curve; i++) {
        snprintf(name, sizeof name, "%.5g", d->curve[i].epsilon);
        print_count(out, name, &d->curve[i].bulk, d->r.n_params);
    }
    if (d->has_functionals)
        print_functionals(out, &d->functionals);
    if (d->has_gap)
        print_gap(out, &d->gap);
}

static void density_print(FILE *out, const struct stj_result *result)
{
    const struct density_data *d = result->data;
    const struct stj_density_result *r = &d->r;
    char name[48], head[48];
    stj_print_given(out, &result->about);
    fprintf(out, "%zu singular values%s, counted with %zu probes of up to %zu steps", r->n_params,
            result->about.of ? "" : " of J", r->n_probes, r->steps);
    fprintf(out, r->n_known ? "; %zu known\n" : "\n", r->n_known);
    snprintf(head, sizeof head, "%.4g %% interval", 100 * r->confidence);
    fprintf(out, "%-22s %9s %20s  %20s %10s\n", "region", "count", head, "enclosure", "share");
    snprintf(name, sizeof name, "chaotic  above %.5g", 1 + r->epsilon);
    print_count(out, name, &r->regions.chaotic, r->n_params);
    snprintf(name, sizeof name, "bulk     1 +-  %.5g", r->epsilon);
    print_count(out, name, &r->regions.bulk, r->n_params);
    snprintf(name, sizeof name, "stable   below %.5g", 1 - r->epsilon);
    print_count(out, name, &r->regions.stable, r->n_params);
    if (r->floor >= 1 - r->epsilon)
        fprintf(out,
                "ROUNDING: values below %.2g are rounding, and limits of the regions lie there: "
                "the counts do not tell where such values belong\n",
                r->floor);
    print_missed(out, "above", &r->missed_above);
    print_missed(out, "below", &r->missed_below);
    print_views(out, d);
    fprintf(out, "reorthogonalization %s, %zu probes at a time, seed %llu; stop: %s\n",
            stj_reorthogonalize_text(r->reorthogonalize), r->in_flight, (unsigned long long)r->seed,
            stj_stop_text(r->stop));
    stj_print_cost(out, &result->about);
}

static enum stj_status make_density(const struct stj_result *result, struct stj_chart *chart,
                                    struct stj_error *err)
{
    const struct density_data *d = result->data;
    return stj_chart_density(chart, &d->r, d->width, d->n_points, d->point, err);
}

static const struct stj_analysis_figure figures[] = {
    {"density", "density of the singular values on a log axis, from quadrature", make_density},
    {.doc = NULL},
};

const struct stj_density_result *stj_analysis_density_of(const struct stj_result *result)
{
    return &((const struct density_data *)result->data)->r;
}

const struct stj_analysis stj_analysis_density = {
    .info = {.name = "density",
             .doc = "how many singular values are chaotic, bulk and stable",
             .options = options,
             .config_size = sizeof(struct density_config),
             .check = density_check},
    .description =
        "Count the singular values of J = d theta_n / d theta_0 above, around and below 1 without\n"
        "finding any of them, by stochastic Lanczos quadrature, and store the quadrature in\n"
        "RUN/density.h5.  Each count has an interval that contains the true count with "
        "probability\n"
        "--confidence, and an enclosure that almost always does.  Other values of --epsilon,\n"
        "--confidence, --edges and --curve are answered from the stored quadrature.  Running out\n"
        "of a budget is not an error: the result so far is printed and stored, and the exit "
        "status\n"
        "is 2.\n",
    .example = "  spectraj density digits-run --probes 8 --steps 200\n"
               "  spectraj density digits-run --probes 8 --steps 200 --epsilon 0.05 --curve 20\n"
               "  spectraj density digits-run --tolerance 0.02 --max-seconds 600 --json\n",
    .unconverged = "a budget was spent before all steps, or the tolerance was not reached",
    .schema = schema,
    .result_size = sizeof(struct density_data),
    .format = {.name = "spectraj-density", .version = 1, .remedy = "compute it again with --force"},
    .columns = density_columns,
    .single = true,
    .predict = density_predict,
    .covers = density_covers,
    .compute = density_compute,
    .view = density_view,
    .destroy = destroy,
    .verdict = density_verdict,
    .print = density_print,
    .figures = figures,
};
