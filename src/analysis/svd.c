/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/svd.c: singular pairs at the ends of the spectrum, matrix-free (spectrum/svd/).
 *
 * The two ends are separate questions in one file: what is asked of one leaves what is stored of
 * the other.  A larger number of pairs begins from the stored ones, which are taken out of the
 * iteration and finished with the new ones.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "analysis/charts.h"
#include "analysis/given.h"
#include "analysis/common_options.h"
#include "analysis/plan.h"
#include "analysis/print.h"
#include "analysis/request.h"
#include "analysis/store.h"
#include "base/blas.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"
#include "run/memory_budget.h"
#include "base/progress.h"
#include "spectrum/svd/svd_method.h"

enum { DEFAULT_PAIRS = 20 }; /* of either end */

static const char bottom_journal[] = "bottom";
static const double default_certify = 0.03; /* of a look that a budget ended, taken up again */

struct svd_config {
    struct stj_svd_settings s;
    bool monitor, has_top, has_bottom; /* what was given */
    char *of;
};

#define OPTION(...) STJ_OPTION_ROW(struct svd_config, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("top", SIZE, s.top, "",
           "number of largest singular values (default: 20 if no end is requested)", .letter = 'k',
           .role = STJ_ROLE_EXTENT, .present_offset = offsetof(struct svd_config, has_top),
           .max = 1e9, .value = "K"),
    OPTION(
        "bottom", SIZE, s.bottom, "",
        "number of smallest singular values, as certified upper bounds (default: 20 if no end is "
        "requested)",
        .letter = 'b', .role = STJ_ROLE_EXTENT,
        .present_offset = offsetof(struct svd_config, has_bottom), .max = 1e9, .value = "K"),
    OPTION("above", REAL, s.above, "", "all singular values above SIGMA, however many",
           .role = STJ_ROLE_EXTENT, .max = 1e300, .above_min = true, .value = "SIGMA"),
    OPTION("below", REAL, s.below, "",
           "directions with singular values below SIGMA, as many as the method finds",
           .role = STJ_ROLE_EXTENT, .max = 1e300, .above_min = true, .value = "SIGMA"),
    OPTION("ncv", SIZE, s.ncv, "",
           "number of basis vectors, more than K (default: about 2.4 K, of method lanczos 3 K; for "
           "the smallest values "
           "alone, "
           "as many as still help; fewer give larger bounds)",
           .min = 2, .max = 1e9, .value = "M"),
    STJ_FRACTION_OPTION("tol", 0, STJ_ROLE_QUESTION, offsetof(struct svd_config, s.tol), "1e-10",
                        "TOL", "a pair has converged when |J'u - sigma v| is at most TOL sigma_1"),
    OPTION(
        "certify", REAL, s.certify, "",
        "search for missing values until none can exceed the smallest one found by a factor of 1 + "
        "DELTA (default: spend 15 % more products, at least 24)",
        .role = STJ_ROLE_EXTENT, .max = 1, .above_min = true, .value = "DELTA"),
    STJ_SEED_OPTION(offsetof(struct svd_config, s.seed), "start vector"),
    OPTION("method", STRING, s.method, "", "solver; 'help' lists the methods (default: automatic)",
           .kind = &stj_svd_methods, .value = "NAME"),
    OPTION("block", SIZE, s.block, "",
           "vectors that method lanczos multiplies together, and copies of a value that it sees "
           "(default: 2)",
           .min = 2, .max = 8, .value = "B"),
    STJ_OF_OPTION(offsetof(struct svd_config, of)),
    STJ_MAX_APPLICATIONS_OPTION(offsetof(struct svd_config, s.max_applications), "about"),
    STJ_MAX_SECONDS_OPTION(offsetof(struct svd_config, s.max_seconds)),
    OPTION("monitor", BOOL, monitor, "false",
           "print a line on standard error at intervals: converged values, estimates of the "
           "others and their residuals; for the smallest values, the growth of the basis",
           .role = STJ_ROLE_VIEW),
    {.name = NULL},
};
#undef OPTION

static bool wants_top(const struct svd_config *c)
{
    return c->s.top > 0 || c->s.above > 0;
}

static bool wants_bottom(const struct svd_config *c)
{
    return c->s.bottom > 0 || c->s.below > 0;
}

static void complete_config(void *config)
{
    struct svd_config *c = config;
    if (!c->has_top && !c->has_bottom && !wants_top(c) && !wants_bottom(c))
        c->s.top = DEFAULT_PAIRS, c->s.bottom = c->of ? 0 : DEFAULT_PAIRS;
    c->has_top = c->s.top > 0;
    c->has_bottom = c->s.bottom > 0;
}

static enum stj_status check_config(const void *config, struct stj_error *err)
{
    const struct svd_config *c = config;
    const bool empty = (c->has_top || c->has_bottom) && !wants_top(c) && !wants_bottom(c);
    STJ_NEED(err, !empty, STJ_EINVAL,
             "top is 0 and bottom is 0: ask for at least one singular value");
    STJ_NEED(err, !(c->s.top && c->s.above > 0) && !(c->s.bottom && c->s.below > 0), STJ_EINVAL,
             "a number of pairs and a threshold are asked for at the same end: give one of them");
    STJ_NEED(err, !c->of || !wants_bottom(c), STJ_EINVAL,
             "the smallest singular values are J's: leave out --bottom and --below, or --of %s",
             c->of);
    return stj_given_check(c->of, err);
}

static struct stj_svd_settings settings_of(const struct svd_config *c)
{
    struct stj_svd_settings s = c->s;
    s.size = sizeof s;
    return s;
}

/* ---- the result ---- */

/* The methods, and what is one where stored pairs were all that was asked for. */
static bool method_name(size_t i, const char **name, const char **doc)
{
    if (i > 0)
        return stj_svd_get_method(i - 1, name, doc);
    *name = stj_svd_all_known;
    *doc = "pairs that were known";
    return true;
}

#define AT(member) .offset = offsetof(struct stj_svd_result, member)
#define REAL(name_, file_, member, doc_)                                                           \
    {                                                                                              \
        .name = (name_), .file = (file_), .kind = STJ_FIELD_REAL, AT(member), .doc = (doc_)        \
    }
#define COUNT(name_, file_, member, doc_)                                                          \
    {                                                                                              \
        .name = (name_), .file = (file_), .kind = STJ_FIELD_COUNT, AT(member), .doc = (doc_)       \
    }
#define OF_PAIRS(name_, end)                                                                       \
    {                                                                                              \
        .name = (name_), .count = offsetof(struct stj_svd_result, end.k)                           \
    }
#define LOOK(name_, file_, kind_, member, doc_)                                                    \
    {                                                                                              \
        .name = (name_), .file = (file_), .kind = (kind_), AT(member), .later = true,              \
        .present = offsetof(struct stj_svd_result, outside.checked), .absent = STJ_ABSENT_OBJECT,  \
        .doc = (doc_)                                                                              \
    }
#define OF_ROWS(end)                                                                               \
    {                                                                                              \
        .name = "parameter", .count = offsetof(struct stj_svd_result, end.n_rows)                  \
    }
#define OF_PARAMETERS                                                                              \
    {                                                                                              \
        .name = "parameter", .count = offsetof(struct stj_svd_result, n_params), .other = "column" \
    }

static const struct stj_field schema[] = {
    {.name = "n_columns",
     .older = "@n_params",
     .kind = STJ_FIELD_COUNT,
     AT(n_params),
     .place = STJ_FIELD_IN_FILE,
     .doc = "columns of the operator"},
    {.name = "top.rows",
     .file = "n_params",
     .kind = STJ_FIELD_COUNT,
     AT(top.n_rows),
     .place = STJ_FIELD_READ_ALONE,
     .doc = "rows of the Jacobian"},
    {.name = "bottom.rows",
     .file = "n_params",
     .kind = STJ_FIELD_COUNT,
     AT(bottom.n_rows),
     .place = STJ_FIELD_READ_ALONE,
     .doc = "rows of the Jacobian"},
    COUNT("top.requested", "requested", requested, "pairs of the largest that were asked for"),
    COUNT("top.converged", "converged", converged, "of them, those with a small residual"),
    {.name = "top.products",
     .file = "products",
     .kind = STJ_FIELD_WHOLE,
     AT(products),
     .doc = "products with J'J that the iteration used"},
    {.name = "top.pairs",
     .file = "pairs",
     .kind = STJ_FIELD_COUNT,
     AT(top.k),
     .place = STJ_FIELD_IN_FILE,
     .doc = "pairs of the largest"},
    {.name = "top.sigma",
     .file = "sigma",
     .kind = STJ_FIELD_REAL,
     AT(top.sigma),
     .dim = {OF_PAIRS("pair", top)},
     .headline = 1,
     .doc = "the largest singular values, descending"},
    {.name = "top.residual",
     .file = "residual",
     .kind = STJ_FIELD_REAL,
     AT(top.residual),
     .dim = {OF_PAIRS("pair", top)},
     .doc = "|J'u - sigma v|, recomputed"},
    {.name = "top.cosine",
     .file = "cosine",
     .kind = STJ_FIELD_REAL,
     AT(top.cosine),
     .dim = {OF_PAIRS("pair", top)},
     .doc = "u . v"},
    {.name = "top.u",
     .file = "u",
     .kind = STJ_FIELD_REAL,
     AT(top.u),
     .dim = {OF_PAIRS("pair", top), OF_ROWS(top)},
     .place = STJ_FIELD_IN_FILE,
     .doc = "left singular vectors, in the space of theta_n"},
    {.name = "top.v",
     .file = "v",
     .kind = STJ_FIELD_REAL,
     AT(top.v),
     .dim = {OF_PAIRS("pair", top), OF_PARAMETERS},
     .place = STJ_FIELD_IN_FILE,
     .doc = "right singular vectors, in the space of theta_0"},
    {.name = "top.above",
     .file = "above",
     .kind = STJ_FIELD_REAL,
     AT(above),
     .zero_is_none = true,
     .doc = "the threshold of --above"},
    COUNT("top.straddling", "straddling", straddling,
          "pairs, the last ones, within their residual of that threshold"),
    REAL("top.sigma_1", "sigma_1", sigma_1, "largest value seen"),
    {.name = "top.floor",
     .kind = STJ_FIELD_REAL,
     AT(top_floor),
     .zero_is_none = true,
     .later = true,
     .doc = "what the largest values are known to; one that is not above it is rounding"},
    {.name = "top.residual_excess",
     .file = "residual_excess",
     .kind = STJ_FIELD_REAL,
     AT(residual_excess),
     .later = true,
     .doc = "the largest residual over what the method and rounding allow; above 1: do not trust"},
    {.name = "top.outside.checked",
     .file = "outside_checked",
     .kind = STJ_FIELD_FLAG,
     AT(outside.checked),
     .place = STJ_FIELD_IN_FILE,
     .doc = "something outside of the pairs was looked for"},
    LOOK("top.outside.sigma", "outside_sigma", STJ_FIELD_REAL, outside.sigma,
         "some direction outside of the pairs is stretched by so much"),
    LOOK("top.outside.missed", "outside_missed", STJ_FIELD_COUNT, outside.missed,
         "values above the smallest pair that are proved to be missing"),
    LOOK("top.outside.bound", "outside_bound", STJ_FIELD_REAL, outside.bound,
         "no direction outside is stretched by more, but for the probability that follows"),
    LOOK("top.outside.failure", "outside_failure", STJ_FIELD_REAL, outside.failure,
         "the probability that this bound does not hold"),
    LOOK("top.outside.steps", "outside_steps", STJ_FIELD_COUNT, outside.steps,
         "products with J'J of the look outside"),
    LOOK("top.outside.added", "outside_added", STJ_FIELD_COUNT, outside.added,
         "values that the looks outside found and the iteration had not"),
    LOOK("top.outside.undecided", "outside_undecided", STJ_FIELD_FLAG, outside.undecided,
         "the look ended before it was clear whether any are missing"),
    {.name = "top.density.low",
     .kind = STJ_FIELD_REAL,
     AT(counted.low),
     .place = STJ_FIELD_IN_JSON,
     .present = offsetof(struct stj_svd_result, counted.compared),
     .absent = STJ_ABSENT_OBJECT,
     .doc = "the stored density counts so many above the threshold, from"},
    {.name = "top.density.high",
     .kind = STJ_FIELD_REAL,
     AT(counted.high),
     .place = STJ_FIELD_IN_JSON,
     .present = offsetof(struct stj_svd_result, counted.compared),
     .absent = STJ_ABSENT_OBJECT,
     .doc = "to"},
    {.name = "top.density.agrees",
     .kind = STJ_FIELD_FLAG,
     AT(counted.agrees),
     .place = STJ_FIELD_IN_JSON,
     .present = offsetof(struct stj_svd_result, counted.compared),
     .absent = STJ_ABSENT_OBJECT,
     .doc = "the number of pairs lies between"},
    {.name = "bottom.density.low",
     .kind = STJ_FIELD_REAL,
     AT(bottom_counted.low),
     .place = STJ_FIELD_IN_JSON,
     .present = offsetof(struct stj_svd_result, bottom_counted.compared),
     .absent = STJ_ABSENT_OBJECT,
     .doc = "the stored density counts so many up to the largest bound, from"},
    {.name = "bottom.density.high",
     .kind = STJ_FIELD_REAL,
     AT(bottom_counted.high),
     .place = STJ_FIELD_IN_JSON,
     .present = offsetof(struct stj_svd_result, bottom_counted.compared),
     .absent = STJ_ABSENT_OBJECT,
     .doc = "to"},
    COUNT("bottom.requested", NULL, bottom_requested, "pairs of the smallest that were asked for"),
    COUNT("bottom.converged", NULL, bottom_converged,
          "of them, those with a small residual or a bound at the floor"),
    {.name = "bottom.products",
     .kind = STJ_FIELD_WHOLE,
     AT(bottom_products),
     .doc = "products with J that the iteration used, a window's by its share"},
    {.name = "bottom.pairs",
     .kind = STJ_FIELD_COUNT,
     AT(bottom.k),
     .place = STJ_FIELD_IN_FILE,
     .doc = "pairs of the smallest"},
    {.name = "bottom.sigma_bound",
     .file = "bottom_sigma",
     .kind = STJ_FIELD_REAL,
     AT(bottom.sigma),
     .dim = {OF_PAIRS("bottom_pair", bottom)},
     .headline = 2,
     .doc = "ascending; the i-th is no less than the i-th smallest singular value"},
    {.name = "bottom.residual",
     .kind = STJ_FIELD_REAL,
     AT(bottom.residual),
     .dim = {OF_PAIRS("bottom_pair", bottom)},
     .doc = "|J'u - sigma v|, recomputed"},
    {.name = "bottom.cosine",
     .kind = STJ_FIELD_REAL,
     AT(bottom.cosine),
     .dim = {OF_PAIRS("bottom_pair", bottom)},
     .doc = "u . v"},
    {.name = "bottom.u",
     .kind = STJ_FIELD_REAL,
     AT(bottom.u),
     .dim = {OF_PAIRS("bottom_pair", bottom), OF_ROWS(bottom)},
     .place = STJ_FIELD_IN_FILE,
     .doc = "left vectors"},
    {.name = "bottom.v",
     .kind = STJ_FIELD_REAL,
     AT(bottom.v),
     .dim = {OF_PAIRS("bottom_pair", bottom), OF_PARAMETERS},
     .place = STJ_FIELD_IN_FILE,
     .doc = "right vectors"},
    {.name = "bottom.below",
     .file = "below",
     .kind = STJ_FIELD_REAL,
     AT(below),
     .zero_is_none = true,
     .doc = "the threshold of --below"},
    {.name = "bottom.floor",
     .file = "floor",
     .kind = STJ_FIELD_REAL,
     AT(floor),
     .doc = "below it a value means nothing"},
    {.name = "bottom.method",
     .kind = STJ_FIELD_NAME,
     AT(bottom_method),
     .names = method_name,
     .doc = "what found the smallest"},
    COUNT("bottom.ncv", NULL, bottom_ncv, "basis vectors that it used"),
    {.name = "bottom.window",
     .kind = STJ_FIELD_REAL,
     AT(bottom_window),
     .zero_is_none = true,
     .later = true,
     .doc = "on this share of the steps"},
    {.name = "bottom.basis_end",
     .kind = STJ_FIELD_CHOICE,
     AT(bottom_end),
     .choices = stj_basis_words,
     .later = true,
     .doc = "why there were no more: `flat` (more would hardly help), `budget`, `memory`, `ncv`"},
    {.name = "stop",
     .kind = STJ_FIELD_CHOICE,
     AT(stop),
     .choices = stj_stop_words,
     .doc = "why it ended"},
    {.name = "method",
     .kind = STJ_FIELD_NAME,
     AT(method),
     .names = method_name,
     .doc = "what found the largest"},
    {.name = "seed", .kind = STJ_FIELD_SEED, AT(seed), .doc = "of the start vector"},
    COUNT("ncv", NULL, ncv, "basis vectors of the method for the largest"),
    REAL("tol", NULL, tol, "a residual of at most tol sigma_1 is small"),
    {.name = NULL},
};
#undef AT

const struct stj_svd_result *stj_analysis_svd_of(const struct stj_result *result)
{
    return result->data;
}

/* ---- stored and wanted ---- */

static bool join_end(size_t stored, double stored_threshold, size_t *wanted, double *threshold,
                     bool largest_threshold)
{
    if ((stored && *threshold > 0) || (stored_threshold > 0 && *wanted))
        return false; /* a number and a threshold at one end have files of their own */
    *wanted = stored > *wanted ? stored : *wanted;
    if (*threshold == 0 || stored_threshold == 0)
        *threshold = fmax(*threshold, stored_threshold);
    else
        *threshold = largest_threshold ? fmax(*threshold, stored_threshold)
                                       : fmin(*threshold, stored_threshold);
    return true;
}

static bool join(const void *stored, void *wanted)
{
    const struct svd_config *s = stored;
    struct svd_config *w = wanted;
    const bool joined = join_end(s->s.top, s->s.above, &w->s.top, &w->s.above, false) &&
                        join_end(s->s.bottom, s->s.below, &w->s.bottom, &w->s.below, true);
    if (w->s.certify == 0 || (s->s.certify > 0 && s->s.certify < w->s.certify))
        w->s.certify = s->s.certify;
    w->has_top = w->s.top > 0;
    w->has_bottom = w->s.bottom > 0;
    return joined;
}

/* Was what is stored ended by a budget that is less than this one? */
static bool was_cut_short(const struct svd_config *stored, const struct stj_svd_result *r,
                          const struct svd_config *wanted)
{
    if (r->stop == STJ_STOP_MAX_APPLICATIONS)
        return wanted->s.max_applications == 0 ||
               wanted->s.max_applications > stored->s.max_applications;
    if (r->stop == STJ_STOP_MAX_SECONDS)
        return wanted->s.max_seconds == 0 || wanted->s.max_seconds > stored->s.max_seconds;
    return false;
}

static size_t n_small(const struct stj_pairs *p, size_t n, double limit)
{
    size_t small = 0;
    for (size_t i = 0; i < n && i < p->k; i++)
        small += p->residual[i] <= limit;
    return small;
}

/* What the look outside says of the k largest, or of those above a threshold: values that are known
 * beside them are not missing. */
static struct stj_svd_outside outside_of(const struct stj_svd_result *r, size_t k, double above,
                                         double *level)
{
    struct stj_svd_outside o = r->outside;
    const double tie = stj_svd_tie(r->tol, r->sigma_1);
    k = k < r->top.k ? k : r->top.k;
    *level = above > 0 ? above : k > 0 ? r->top.sigma[k - 1] : 0;
    if (o.sigma <= *level + tie)
        o.missed = 0;
    if (o.bound <= *level + tie)
        o.undecided = false;
    return o;
}

/* Is it as clear as is wanted that none is missing? */
static bool is_certain(const struct stj_svd_result *r, const struct svd_config *wanted)
{
    double level = 0;
    const struct stj_svd_outside o = outside_of(r, wanted->s.top, wanted->s.above, &level);
    const double enough =
        fmax((1 + wanted->s.certify) * level, level + stj_svd_tie(r->tol, r->sigma_1));
    return !o.missed && !o.undecided && (wanted->s.certify == 0 || !o.checked || o.bound <= enough);
}

static bool covers_top(const struct svd_config *stored, const struct stj_svd_result *r,
                       const struct svd_config *wanted)
{
    const bool tried = !was_cut_short(stored, r, wanted) &&
                       (wanted->s.certify == 0 ||
                        (stored->s.certify > 0 && stored->s.certify <= wanted->s.certify));
    if (wanted->s.above > 0)
        return stored->s.above > 0 && stored->s.above <= wanted->s.above &&
               ((r->top.k == r->requested && is_certain(r, wanted)) || tried);
    return (n_small(&r->top, wanted->s.top, r->tol * r->sigma_1) == wanted->s.top &&
            is_certain(r, wanted)) ||
           (r->requested >= wanted->s.top && tried);
}

static bool covers_bottom(const struct svd_config *stored, const struct stj_svd_result *r,
                          const struct svd_config *wanted)
{
    if (wanted->s.below > 0)
        return stored->s.below >= wanted->s.below && !was_cut_short(stored, r, wanted);
    return r->bottom_requested >= wanted->s.bottom &&
           (r->bottom_converged == r->bottom_requested || !was_cut_short(stored, r, wanted));
}

static bool svd_covers(const void *stored, const void *data, const void *wanted)
{
    return (!wants_top(wanted) || covers_top(stored, data, wanted)) &&
           (!wants_bottom(wanted) || covers_bottom(stored, data, wanted));
}

static bool split(size_t i, void *config)
{
    struct svd_config *c = config;
    const bool both = wants_top(c) && wants_bottom(c);
    if (i > 0 || !wants_top(c)) {
        c->s.top = 0;
        c->s.above = 0;
    }
    if (i == 0 && both) {
        c->s.bottom = 0;
        c->s.below = 0;
    }
    c->has_top = c->s.top > 0;
    c->has_bottom = c->s.bottom > 0;
    return both ? i < 2 : i == 0;
}

/* ---- computing ---- */

size_t stj_svd_stored_pairs(const struct stj_run *run, const struct stj_run_part *part)
{
    struct stj_h5 *file = NULL;
    struct stj_run_info info;
    size_t top = 0, bottom = 0;
    char slug[STJ_PART_TEXT_MAX], name[STJ_PART_TEXT_MAX + 8];
    stj_run_get_info(run, &info);
    snprintf(name, sizeof name, "svd%s", stj_part_slug(part, info.first_steps, slug));
    if (run->dir &&
        stj_result_open(run, &stj_analysis_svd.format, name, NULL, &file, NULL) == STJ_OK && file) {
        (void)stj_h5_get_size(file, "@pairs", &top, NULL);
        (void)stj_h5_get_size(file, "@bottom_pairs", &bottom, NULL);
    }
    stj_h5_close(file);
    return top + bottom;
}

/* How many values a density counts above a threshold. */
static enum stj_status count_above(const struct stj_density_result *density, double threshold,
                                   struct stj_density_count *count, struct stj_error *err)
{
    const double n = (double)density->n_params;
    const double edge[2] = {0, threshold};
    const double confidence = fmax(density->confidence, 0.999); /* few right counts disagree */
    struct stj_density_count rest;
    STJ_MUST(stj_density_histogram(density, 2, edge, confidence, &rest, err));
    *count = (struct stj_density_count){
        .estimate = n - rest.estimate, .low = n - rest.high, .high = n - rest.low};
    return STJ_OK;
}

/* Take the numbers of likely values beyond the thresholds from a stored density. */
static enum stj_status take_hints(struct stj_run *run, const struct stj_run_part *part,
                                  struct stj_svd_settings *s, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *density = NULL;
    struct stj_density_count count;
    if (s->above == 0 && s->below == 0)
        return STJ_OK;
    STJ_MUST(stj_result_of_part(run, "density", part, &density, err));
    if (!density)
        return STJ_OK;
    const struct stj_density_result *d = stj_analysis_density_of(density);
    if (s->above > 0) {
        STJ_MUST(count_above(d, s->above, &count, err));
        s->count_above = fmax(count.estimate, 1);
    }
    if (s->below > 0) {
        STJ_MUST(count_above(d, s->below, &count, err));
        s->count_below = fmax((double)d->n_params - count.estimate, 1);
    }
    return STJ_OK;
}

/* Of a limit, what states and linearisations need at least, and what there is in any case, comes
 * first; the vectors of the smallest may take the rest.  A limit that cannot be kept is one of
 * states, linearisations and vectors.  p: of the request's ranks, with nothing predicted yet. */
static void limit_vectors(const struct stj_run *run, const struct stj_plan_request *request,
                          const struct stj_prediction *p, struct stj_svd_settings *s)
{
    static const double prudent = 0.97; /* a process is somewhat larger the next time */
    struct stj_storage storage = {.minimum = 0};
    struct stj_prediction trial = *p;
    const size_t memory = request->memory_bytes;
    s->memory_bytes = 0;
    if (memory == 0)
        return;
    s->memory_bytes = 1; /* what the solver takes at least */
    stj_svd_predict(s, request->rows, request->n, &trial);
    const size_t left = stj_run_room(run, &request->part, memory, &trial);
    (void)stj_run_part_storage(run, &request->part, left, 1, &storage, NULL);
    if (left > storage.minimum)
        s->memory_bytes = (size_t)(prudent * (double)(left - storage.minimum));
}

static void svd_predict(const struct stj_run *run, const struct stj_plan_request *request,
                        const void *config, struct stj_prediction *p, size_t *engine)
{
    struct stj_svd_settings s = settings_of(config);
    (void)engine;
    limit_vectors(run, request, p, &s);
    stj_svd_predict(&s, request->rows, request->n, p);
    p->file_bytes =
        (double)(s.top + s.bottom) * ((double)request->rows + (double)request->n) * sizeof(double);
}

/* One line: how many values have converged, and the first and the last of those that have not. */
static void show(void *ctx, const struct stj_svd_view *view)
{
    const struct stj_progress *progress = ctx;
    const size_t next = view->converged < view->k ? view->converged : view->k - 1;
    char text[320];
    if (view->basis > 0) {
        snprintf(text, sizeof text,
                 "%.0f products, basis of %zu vectors: mean log10 of the %zu "
                 "smallest values %.3f",
                 view->applications, view->basis, view->wanted, view->level);
        if (progress->note)
            progress->note(progress->ctx, text);
        return;
    }
    size_t used = (size_t)snprintf(text, sizeof text, "%.0f products, %zu of %zu %s",
                                   view->applications, view->converged, view->wanted,
                                   view->bottom ? "at the floor" : "converged");
    for (size_t i = 0; i < view->k; i++) {
        if (i != 0 && i != next && i + 1 != view->k)
            continue;
        used += (size_t)snprintf(text + used, sizeof text - used, "  %s %zu: %.6g",
                                 view->bottom ? "bound" : "sigma", i + 1, view->sigma[i]);
        if (view->residual)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, " +- %.1e", view->residual[i]);
    }
    if (progress->note)
        progress->note(progress->ctx, text);
}

/* What was not asked for stays as it is stored. */
static void keep_top(struct stj_svd_result *r, struct stj_svd_result *stored)
{
    r->requested = stored->requested;
    r->converged = stored->converged;
    r->products = stored->products;
    r->sigma_1 = stored->sigma_1;
    r->above = stored->above;
    r->straddling = stored->straddling;
    r->outside = stored->outside;
    r->residual_excess = stored->residual_excess;
    r->top = stored->top;
    r->method = stored->method;
    r->ncv = stored->ncv;
    stored->top = (struct stj_pairs){0};
}

static void keep_bottom(struct stj_svd_result *r, struct stj_svd_result *stored)
{
    r->bottom_requested = stored->bottom_requested;
    r->bottom_converged = stored->bottom_converged;
    r->bottom_products = stored->bottom_products;
    r->floor = stored->floor;
    r->below = stored->below;
    r->bottom = stored->bottom;
    r->bottom_method = stored->bottom_method;
    r->bottom_ncv = stored->bottom_ncv;
    r->bottom_window = stored->bottom_window;
    r->bottom_end = stored->bottom_end;
    stored->bottom = (struct stj_pairs){0};
}

static void keep_other_end(struct stj_svd_result *r, struct stj_svd_result *stored, bool top,
                           bool bottom)
{
    if (!top)
        keep_top(r, stored);
    else if (r->method == stj_svd_all_known) { /* they are still what found them says */
        r->method = stored->method;
        r->ncv = stored->ncv;
        r->products = stored->products;
        if (!r->outside.checked)
            r->outside = stored->outside;
    }
    if (!bottom)
        keep_bottom(r, stored);
    if (r->stop == STJ_STOP_CONVERGED && (!top || !bottom))
        r->stop = stored->stop;
}

/* *worst <- the largest |<v_i, v_j> - [i = j]| of the pairs, if it is worse. */
static enum stj_status check_vectors(const struct stj_pairs *p, double *worst,
                                     struct stj_error *err)
{
    const size_t k = p->k;
    STJ_FREED double *gram = NULL;
    if (k == 0)
        return STJ_OK;
    STJ_MUST(stj_new(&gram, k * k, sizeof *gram, err));
    stj_dgemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, k, k, p->n_cols, 1, p->v, p->n_cols, p->v,
              p->n_cols, 0, gram, k);
    for (size_t i = 0; i < k * k; i++)
        *worst = fmax(*worst, fabs(gram[i] - (i % (k + 1) == 0 ? 1 : 0))); /* NaN loses */
    return STJ_OK;
}

/* A file says its size once. */
static void set_shape(struct stj_svd_result *r)
{
    r->top.n_cols = r->bottom.n_cols = r->n_params;
}

/* What the largest values are known to. */
static double floor_of_top(const struct stj_analysis_context *cx, const struct stj_svd_result *r)
{
    const size_t steps = cx->part->to - cx->part->from;
    const double floor = stj_rounding_floor(steps, r->top.k, r->top.sigma);
    return cx->part->precision == STJ_PRECISION_SINGLE && r->top.k > 0
               ? fmax(floor, (double)FLT_EPSILON * sqrt((double)steps) * r->top.sigma[0])
               : floor;
}

/* The ends have no product in common; where both are asked for, the largest come first. */
static void svd_start(const void *stored, const void *wanted, struct stj_journal_start *start)
{
    const struct stj_svd_result *r = stored;
    const size_t top = r && wants_top(wanted) ? r->top.k : 0;
    const size_t bottom = r && wants_bottom(wanted) ? r->bottom.k : 0;
    if (wants_bottom(wanted) && wants_top(wanted))
        start->also = bottom_journal;
    else if (wants_bottom(wanted))
        start->word = bottom_journal;
    if (top > 0)
        start->known = stj_crc32(start->known, r->top.sigma, top * sizeof *r->top.sigma);
    if (bottom > 0)
        start->known = stj_crc32(start->known, r->bottom.sigma, bottom * sizeof *r->bottom.sigma);
}

/* Products with A_s of the largest in mixed precision, and the pairs that they found, finished. */
struct mixed {
    struct stj_pairs top;
    double products;
};

static void mixed_free(struct mixed *m)
{
    stj_pairs_free(&m->top);
}

/* In mixed precision: the largest pairs of products in single, with guards, refined with those in
 * double.  They are what the solve knows; what of them did not become good it finds itself.  Of a
 * small operator there is nothing to gain. */
static enum stj_status find_mixed(const struct stj_analysis_context *cx,
                                  const struct stj_svd_settings *s, struct mixed *m,
                                  struct stj_error *err)
{
    enum { LEAST_GUARDS = 8, SMALL = 4, BEYOND_ROUNDING = 10 };
    STJ_HELD(stj_op_destroy_at) struct stj_op *single = NULL;
    STJ_HELD(stj_svd_result_destroy_at) struct stj_svd_result *found = NULL;
    struct stj_svd_settings search = *s;
    struct stj_run_part part = *cx->part;
    STJ_NEED(err, s->above == 0, STJ_EUNSUPPORTED,
             "svd in mixed precision finds a number of pairs: give --top K, or take double");
    search.bottom = 0;
    search.below = 0;
    search.top = s->top + (s->top / 4 > LEAST_GUARDS ? s->top / 4 : LEAST_GUARDS);
    if (s->top == 0 || SMALL * search.top > cx->n)
        return STJ_OK;
    STJ_NEED(err, s->max_applications == 0 && s->max_seconds == 0, STJ_EUNSUPPORTED,
             "svd in mixed precision ends when its pairs are finished: leave out "
             "--max-applications and --max-seconds, or take double");
    part.precision = STJ_PRECISION_SINGLE;
    STJ_MUST(stj_run_part_jacobian(cx->run, &part, cx->engine_bytes, &single, err));
    search.tol = fmax(s->tol, BEYOND_ROUNDING * stj_op_rounding(single));
    search.known_top = search.known_bottom = NULL;
    STJ_MUST(stj_svd_solve(single, &search, &found, err));
    if (found->stop != STJ_STOP_INTERRUPTED && found->top.k >= s->top)
        STJ_MUST(stj_svd_refine(cx->op, single, s->top, s->tol, found->top.k, &found->top.v,
                                &m->top, err));
    const struct stj_op_counts counts = stj_op_get_counts(single);
    m->products = counts.jvp + counts.vjp;
    return STJ_OK;
}

/* The ends that are asked for, from what is known of them: a journal knows more of what was
 * interrupted. */
static void begin_from_stored(const struct stj_analysis_context *cx, bool top, bool bottom,
                              struct stj_svd_settings *s)
{
    struct stj_svd_result *stored = cx->stored;
    if (!top)
        s->top = 0, s->above = 0;
    if (!bottom)
        s->bottom = 0, s->below = 0;
    if (!stored)
        return;
    set_shape(stored);
    if (cx->resumes)
        return;
    s->known_top = stored->top.k ? &stored->top : NULL;
    s->known_bottom = stored->bottom.k ? &stored->bottom : NULL;
    if (s->certify == 0 && stored->outside.undecided) /* a look that was cut short is taken up */
        s->certify = default_certify;
}

/* What memory, the run and the precision allow. */
static enum stj_status fit_settings(const struct stj_analysis_context *cx,
                                    const struct svd_config *c, struct stj_svd_settings *s,
                                    struct stj_error *err)
{
    enum { BEYOND_ROUNDING = 10 };
    const struct stj_plan_request request = {.part = *cx->part,
                                             .memory_bytes =
                                                 stj_plan_beside_checks(cx->memory_bytes, cx->n),
                                             .n = cx->n,
                                             .rows = stj_op_n_rows(cx->op)};
    const struct stj_prediction p = {.shortest = 1 / (double)(cx->part->to - cx->part->from)};
    s->memory_bytes = cx->memory_bytes; /* of an operator that has no states */
    if (cx->run) {
        limit_vectors(cx->run, &request, &p, s);
        if (!c->of)
            STJ_MUST(take_hints(cx->run, cx->part, s, err));
    }
    if (cx->part->precision == STJ_PRECISION_SINGLE) /* residuals are no smaller */
        s->tol = fmax(s->tol, BEYOND_ROUNDING * stj_op_rounding(cx->op));
    return STJ_OK;
}

/* r <- what was made, with what is stored of the other end. */
static enum stj_status finish(struct stj_analysis_context *cx, const struct svd_config *c, bool top,
                              bool bottom, struct stj_svd_result *r, struct stj_error *err)
{
    if (!wants_bottom(c))
        r->floor = (double)NAN;
    if (cx->stored)
        keep_other_end(r, cx->stored, top, bottom);
    r->top_floor = floor_of_top(cx, r);
    STJ_MUST(check_vectors(&r->top, &cx->about->self_check.orthogonality, err));
    return check_vectors(&r->bottom, &cx->about->self_check.orthogonality, err);
}

static enum stj_status svd_compute(struct stj_analysis_context *cx, const void *config, void *data,
                                   struct stj_error *err)
{
    const struct svd_config *c = config;
    struct stj_svd_result *r = data, *made = NULL;
    struct stj_svd_settings s = settings_of(c);
    const bool top = wants_top(cx->wanted) || !cx->stored;
    const bool bottom = wants_bottom(cx->wanted) || !cx->stored;
    STJ_HELD(mixed_free) struct mixed mixed = {.products = 0};
    STJ_MUST(stj_analysis_use_given(cx, c->of, false, err));
    /* 1. what to look for, and within what */
    s.progress = *cx->progress;
    if (c->monitor)
        s.monitor = (struct stj_svd_monitor){show, &s.progress};
    begin_from_stored(cx, top, bottom, &s);
    STJ_MUST(fit_settings(cx, c, &s, err));
    /* 2. in single precision first */
    if (cx->part->precision == STJ_PRECISION_MIXED && top)
        STJ_MUST(find_mixed(cx, &s, &mixed, err));
    if (mixed.top.k > 0) {
        s.known_top = &mixed.top;
        s.known_alone = true;
    }
    /* 3. the pairs */
    STJ_MUST(stj_svd_solve(cx->op, &s, &made, err));
    cx->about->single_products = mixed.products;
    *r = *made;
    free(made);
    return finish(cx, c, top, bottom, r, err);
}

/* ---- the answer to one request ---- */

/* Of pairs above a smaller threshold, those above this one, and those that may be. */
static void cut_at_threshold(struct stj_svd_result *r, double above)
{
    const bool passed = r->top.k == r->requested;
    if (above == r->above)
        return;
    stj_pairs_cut(&r->top, above, 8 * DBL_EPSILON * r->sigma_1, &r->straddling);
    r->above = above;
    r->requested = passed ? r->top.k : r->requested;
}

static void narrow_top(struct stj_svd_result *r, const struct svd_config *c)
{
    if (!wants_top(c)) {
        r->top.k = r->requested = r->converged = r->straddling = r->ncv = 0;
        r->above = r->products = r->sigma_1 = 0;
        r->outside = (struct stj_svd_outside){0};
        r->residual_excess = (double)NAN;
        r->method = NULL;
        return;
    }
    double level = 0;
    r->outside = outside_of(r, c->s.top, c->s.above, &level);
    if (c->s.above > 0)
        cut_at_threshold(r, c->s.above);
    else
        r->requested = c->s.top;
    if (c->s.above == 0 && r->top.k > c->s.top)
        r->top.k = c->s.top;
    r->converged = n_small(&r->top, r->top.k, r->tol * r->sigma_1);
}

static void narrow_bottom(struct stj_svd_result *r, const struct svd_config *c)
{
    if (!wants_bottom(c)) {
        r->bottom.k = r->bottom_requested = r->bottom_converged = r->bottom_ncv = 0;
        r->below = r->bottom_products = 0;
        r->floor = (double)NAN;
        r->bottom_method = NULL;
        r->bottom_window = 0;
        r->bottom_end = STJ_BASIS_NONE;
        return;
    }
    if (c->s.below > 0 || c->s.bottom >= r->bottom_requested)
        return;
    r->bottom_requested = c->s.bottom;
    r->bottom.k = r->bottom.k < c->s.bottom ? r->bottom.k : c->s.bottom;
    r->bottom_converged = r->bottom_converged < c->s.bottom ? r->bottom_converged : c->s.bottom;
}

/* Beside the counts of a density: above the threshold, where the search has passed it, and up to the
 * largest bound. */
static enum stj_status compare_counts(const struct stj_analysis_context *cx,
                                      struct stj_svd_result *r, struct stj_error *err)
{
    STJ_HELD(stj_result_destroy_at) struct stj_result *density = NULL;
    const struct stj_density_result *d = NULL;
    const bool top = r->above > 0 && r->top.k == r->requested;
    struct stj_density_count count;
    if (!cx->run || cx->about->of || (!top && r->bottom.k == 0))
        return STJ_OK;
    STJ_MUST(stj_result_of_part(cx->run, "density", cx->part, &density, err));
    if (!density)
        return STJ_OK;
    d = stj_analysis_density_of(density);
    if (r->bottom.k > 0 && r->bottom.sigma[r->bottom.k - 1] > 0) {
        const double n = (double)d->n_params;
        STJ_MUST(count_above(d, r->bottom.sigma[r->bottom.k - 1], &count, err));
        r->bottom_counted = (struct stj_svd_counted){true, n - count.high, n - count.low, true};
    }
    if (!top)
        return STJ_OK;
    STJ_MUST(count_above(d, r->above, &count, err));
    r->counted = (struct stj_svd_counted){true, count.low, count.high, false};
    r->counted.agrees = stj_svd_count_agrees(r);
    return STJ_OK;
}

static enum stj_status svd_view(const struct stj_analysis_context *cx, const void *config,
                                void *data, struct stj_error *err)
{
    struct stj_svd_result *r = data;
    set_shape(r);
    if (config)
        narrow_top(r, config);
    r->top_floor = floor_of_top(cx, r);
    if (!config)
        return STJ_OK;
    narrow_bottom(r, config);
    if (r->stop != STJ_STOP_INTERRUPTED && r->converged == r->requested && !r->outside.missed &&
        !r->outside.undecided && r->bottom_converged == r->bottom_requested)
        r->stop = STJ_STOP_CONVERGED; /* whatever became of what is not asked for */
    STJ_MUST(compare_counts(cx, r, err));
    if (r->residual_excess > 1)
        stj_progress_warn(cx->progress,
                          "the residuals of the largest pairs are up to %.2g times what %s and "
                          "rounding allow: they disagree with the iteration that found them; do "
                          "not trust the result; run spectraj validate",
                          r->residual_excess, r->method ? r->method : "the method");
    return STJ_OK;
}

static enum stj_verdict svd_verdict(const void *data)
{
    const struct stj_svd_result *r = data;
    if (r->stop == STJ_STOP_INTERRUPTED)
        return STJ_VERDICT_INTERRUPTED;
    const bool good = r->residual_excess <= 1 || isnan(r->residual_excess);
    return r->converged >= r->requested && r->bottom_converged >= r->bottom_requested &&
                   r->outside.missed == 0 && !r->outside.undecided && good &&
                   stj_svd_count_agrees(r)
               ? STJ_VERDICT_DONE
               : STJ_VERDICT_NOT_CONVERGED;
}

/* ---- for people ---- */

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

/* What is known of values that the pairs lack; files of earlier versions have no bound. */
static void print_outside(FILE *out, const struct stj_svd_result *r)
{
    double level = 0;
    const struct stj_svd_outside o = outside_of(r, r->top.k, r->above, &level);
    if (o.added)
        fprintf(out, "repeated values: %zu were found by looking outside of the first pairs\n",
                o.added);
    if (o.missed)
        fprintf(out,
                "MISSED: at least %zu values above %.10g; outside of the pairs some direction is "
                "stretched by %.10g: use a larger budget, or --method dense\n",
                o.missed, level, o.sigma);
    else if (o.undecided)
        fprintf(out, "AT LEAST THESE: the look outside ended after %zu products", o.steps);
    if (!o.missed && o.undecided && o.steps > 0)
        fprintf(out, "; values between %.10g and %.10g are not excluded", level, o.bound);
    if (!o.missed && o.undecided)
        fputs(": use a larger budget\n", out);
    else if (!o.missed && o.checked && o.bound <= level + stj_svd_tie(r->tol, r->sigma_1))
        fprintf(out, "complete: no value above %.10g is missing, with probability %.6g\n", level,
                1 - o.failure);
    else if (!o.missed && o.checked && isfinite(o.bound))
        fprintf(out,
                "nothing missing was seen: values above %.10g are excluded with probability %.6g, "
                "up to it they are not (--certify)\n",
                o.bound, 1 - o.failure);
}

/* Those that are known to no digit. */
static void print_floor(FILE *out, const struct stj_svd_result *r)
{
    const double floor = r->top_floor;
    size_t below = 0;
    for (size_t i = 0; i < r->top.k; i++)
        below += r->top.sigma[i] <= floor;
    if (below > 0)
        fprintf(out, "ROUNDING: values are known to %.2g, the last %zu are below that\n", floor,
                below);
}

static void print_top(FILE *out, const struct stj_svd_result *r, bool of_given)
{
    fprintf(out, "largest singular values of %s, %zu %s: %zu of %zu converged\n",
            of_given ? "that" : "J", r->n_params, of_given ? "columns" : "parameters", r->converged,
            r->requested);
    print_pairs(out, "sigma", &r->top);
    fprintf(out, "method: %s, ncv %zu; %.6g products with J'J\n",
            r->method ? r->method : "automatic", r->ncv, r->products);
    if (r->method && strcmp(r->method, stj_svd_lapack.info.name) == 0 &&
        r->products > (double)r->ncv)
        fprintf(out,
                "values repeat: after %.6g products the whole matrix was cheaper than to go on\n",
                r->products - (double)r->ncv);
    if (r->above > 0)
        fprintf(out, "above %.6g: %zu, and %zu within their residual or rounding of it\n", r->above,
                r->top.k - r->straddling, r->straddling);
    if (r->residual_excess > 1)
        fprintf(out,
                "DISAGREES: residuals are up to %.2g times what the method's own test and rounding "
                "allow\n",
                r->residual_excess);
    print_outside(out, r);
    if (!stj_svd_count_agrees(r))
        fprintf(out, "DISAGREES: the stored density counts %.6g to %.6g above %.6g\n",
                r->counted.low, r->counted.high, r->above);
}

static const char *const basis_end[] = {
    [STJ_BASIS_NONE] = "nothing",
    [STJ_BASIS_FLAT] = "its own rule: more vectors would hardly help",
    [STJ_BASIS_BUDGET] = "the budget while its values still fell: the bounds may be loose",
    [STJ_BASIS_MEMORY] = "the memory while its values still fell: the bounds may be loose",
    [STJ_BASIS_GIVEN] = "--ncv",
    [STJ_BASIS_COLUMNS] = "the number of parameters",
};

static void print_bottom(FILE *out, const struct stj_svd_result *r)
{
    fprintf(out, "smallest singular values of J, as upper bounds: %zu of %zu converged\n",
            r->bottom_converged, r->bottom_requested);
    if (r->below > 0)
        fprintf(out, "below %.6g: at least %zu\n", r->below, r->bottom.k);
    print_pairs(out, "sigma bound", &r->bottom);
    fprintf(out, "method: %s, %zu vectors; %.6g products; floor %.2e\n",
            r->bottom_method ? r->bottom_method : "automatic", r->bottom_ncv, r->bottom_products,
            r->floor);
    if (r->bottom_counted.compared)
        fprintf(out, "the stored density counts %.0f to %.0f up to %.6g, of which these are %zu\n",
                fmax(r->bottom_counted.low, 0), r->bottom_counted.high,
                r->bottom.sigma[r->bottom.k - 1], r->bottom.k);
    if (r->bottom_window > 0)
        fprintf(out, "basis: on %.3g %% of the steps, ended by %s\n", 100 * r->bottom_window,
                basis_end[r->bottom_end]);
}

static void svd_print(FILE *out, const struct stj_result *result)
{
    const struct stj_svd_result *r = result->data;
    stj_print_given(out, &result->about);
    if (r->requested || r->above > 0)
        print_top(out, r, result->about.of);
    print_floor(out, r);
    if (r->bottom_requested || r->below > 0)
        print_bottom(out, r);
    fprintf(out, "tol %.3g, seed %llu; stop: %s\n", r->tol, (unsigned long long)r->seed,
            stj_stop_text(r->stop));
    stj_print_cost(out, &result->about);
}

static enum stj_status svd_make_spectrum(const struct stj_result *result, struct stj_chart *chart,
                                         struct stj_error *err)
{
    static const double default_epsilon = 0.1;
    const struct stj_svd_result *r = result->data;
    STJ_NEED(err, r->top.k > 0, STJ_EINVAL,
             "%s holds no largest singular values: run 'spectraj svd' with --top first",
             result->about.file);
    return stj_chart_spectrum(chart, r->top.k, r->top.sigma, r->n_params, result->about.of,
                              default_epsilon, r->top_floor, err);
}

static const struct stj_analysis_figure figures[] = {
    {"spectrum", "singular values against their index, with the limits of the regions",
     svd_make_spectrum},
    {.doc = NULL},
};

const struct stj_analysis stj_analysis_svd = {
    .info = {.name = "svd",
             .doc = "largest and smallest singular values of the training Jacobian",
             .options = options,
             .config_size = sizeof(struct svd_config),
             .check = check_config},
    .description =
        "Find singular pairs of J = d theta_n / d theta_0 without forming J, and store them in\n"
        "RUN/svd.h5.  If only one of --top and --bottom is given, the other end is left out.  The\n"
        "smallest values are upper bounds, each with its residual.  Repeating a request, or a "
        "part\n"
        "of it, prints the stored result; a larger request continues from it.  Running out of a\n"
        "budget is not an error: converged pairs are printed and stored, and the exit status is\n"
        "2.\n",
    .example = "  spectraj svd digits-run --top 50\n"
               "  spectraj svd digits-run --above 1.1\n"
               "  spectraj svd digits-run --of weights --top 20\n"
               "  spectraj svd digits-run --top 50 --monitor\n"
               "  spectraj svd digits-run --bottom 20 --max-applications 800\n"
               "  spectraj svd digits-run --top 10 --from 0 --to 100 --tag early --json\n",
    .unconverged = "pairs did not converge, some may be missing, or checks disagree",
    .schema = schema,
    .result_size = sizeof(struct stj_svd_result),
    .format = {.name = "spectraj-svd", .version = 3, .remedy = "compute it again with --force"},
    .complete = complete_config,
    .single = true,
    .mixed = true,
    .counts_pairs = true,
    .predict = svd_predict,
    .split = split,
    .join = join,
    .covers = svd_covers,
    .start = svd_start,
    .compute = svd_compute,
    .view = svd_view,
    .verdict = svd_verdict,
    .print = svd_print,
    .figures = figures,
};
