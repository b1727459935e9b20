/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/overlap.c: do two runs have the same chaotic, bulk and stable subspaces?
 *
 * For each region the subspaces A and B spanned by the two runs' singular vectors, of dimensions a
 * and b: the cosines of the principal angles are the singular values of A'B, and
 *
 *     mean squared cosine = |A'B|^2 / min(a, b),     for random subspaces max(a, b) / N on average.
 *
 * Subspaces do not depend on the choice of vectors inside a group of equal singular values.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "study/studies.h"
#include "study/subspace.h"

struct overlap_config {
    double epsilon;
    int side;
    size_t k;
};

static const char *const sides[] = {"left", "right", NULL}; /* in the order of the enum */

#define OPTION(...) STJ_OPTION_ROW(struct overlap_config, __VA_ARGS__)

static const struct stj_option options[] = {
    OPTION("side", CHOICE, side, "right",
           "compare right subspaces, of directions at theta_0, or left ones, at theta_n",
           .choices = sides),
    OPTION("k", SIZE, k, "0",
           "only the N most typical directions of a region: the largest, the nearest to 1, the "
           "smallest; 0: all"),
    STJ_STUDY_EPSILON(offsetof(struct overlap_config, epsilon)),
    {.name = NULL},
};

/* The vectors of a region of a run; n 0: none is known. */
struct subspace {
    size_t n;
    double *basis;
};

static enum stj_status load(const struct stj_directions *d, const struct overlap_config *c,
                            enum stj_region region, struct subspace *s, struct stj_error *err)
{
    STJ_FREED size_t *item = NULL;
    size_t size = 0;
    STJ_MUST(stj_subspace_list(d, region, c->epsilon, c->k, &item, &s->n, err));
    STJ_MUST(stj_size_mul(s->n, d->n, &size, err));
    STJ_MUST(stj_new(&s->basis, size, sizeof *s->basis, err));
    return stj_directions_gather(d, (enum stj_side)c->side, s->n, item, s->basis, err);
}

static enum stj_status overlap_put(const char *region, size_t n, const struct subspace *a,
                                   const struct subspace *b, const double *cosine,
                                   double mean_squared, struct stj_study_result *r,
                                   struct stj_error *err)
{
    const size_t least = a->n < b->n ? a->n : b->n, most = a->n < b->n ? b->n : a->n;
    STJ_FREED double *angle = NULL;
    STJ_MUST(stj_new(&angle, least, sizeof *angle, err));
    for (size_t i = 0; i < least; i++)
        angle[i] = acos(cosine[i]);
    STJ_MUST(stj_study_put_count(r, a->n, err, "regions.%s.dimension", region));
    STJ_MUST(stj_study_put_count(r, b->n, err, "regions.%s.other_dimension", region));
    STJ_MUST(stj_study_put_real(r, mean_squared, err, "regions.%s.mean_squared_cosine", region));
    STJ_MUST(stj_study_put_real(r, least ? (double)most / (double)n : (double)NAN, err,
                                "regions.%s.random_mean_squared_cosine", region));
    STJ_MUST(stj_study_put_reals(r, least, cosine, err, "regions.%s.cosine", region));
    return stj_study_put_reals(r, least, angle, err, "regions.%s.angle", region);
}

static enum stj_status compare(const struct stj_study_context *cx, const struct overlap_config *c,
                               enum stj_region region, struct stj_study_result *r,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = cx->directions->n;
    struct subspace a = {.n = 0}, b = {.n = 0};
    double *cosine = NULL;
    double mean_squared = 0;
    STJ_TRY(load(cx->directions, c, region, &a, err));
    STJ_TRY(load(cx->other_directions, c, region, &b, err));
    STJ_TRY(stj_new(&cosine, a.n < b.n ? a.n : b.n, sizeof *cosine, err));
    STJ_TRY(stj_subspace_compare(n, a.n, a.basis, b.n, b.basis, cosine, &mean_squared, err));
    STJ_TRY(overlap_put(stj_region_name(region), n, &a, &b, cosine, mean_squared, r, err));
out:
    free(a.basis);
    free(b.basis);
    free(cosine);
    return st;
}

static enum stj_status overlap_run(const struct stj_study_context *cx, const void *config,
                                   struct stj_study_result *r, struct stj_error *err)
{
    const struct overlap_config *c = config;
    const struct stj_directions *other = cx->other_directions;
    STJ_NEED(err, c->k <= cx->directions->n, STJ_EINVAL,
             "study overlap: k: %zu directions, but there are %zu, as many as parameters", c->k,
             cx->directions->n);
    STJ_MUST(stj_directions_put(cx->directions, r, err));
    STJ_MUST(stj_study_put_text(r, other->source, err, "other_directions.source"));
    STJ_MUST(stj_study_put_count(r, other->top, err, "other_directions.top"));
    STJ_MUST(stj_study_put_count(r, other->bottom, err, "other_directions.bottom"));
    STJ_MUST(stj_study_put_text(r, sides[c->side], err, "side"));
    STJ_MUST(stj_study_put_real(r, c->epsilon, err, "epsilon"));
    STJ_MUST(stj_study_put_count(r, c->k, err, "k"));
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        STJ_MUST(stj_progress_report(cx->progress, "regions", (double)g, STJ_N_REGIONS, err));
        STJ_MUST(compare(cx, c, g, r, err));
    }
    return STJ_OK;
}

static void overlap_print(FILE *out, const struct stj_study_result *r)
{
    fprintf(out, "overlap of the %s singular subspaces of two runs\n", stj_study_text(r, "side"));
    fprintf(out, "%-8s %10s %10s %20s %12s %16s\n", "region", "dimension", "other",
            "mean squared cosine", "if random", "largest angle");
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        size_t n = 0;
        const double *angle = stj_study_vector(r, &n, "regions.%s.angle", name);
        fprintf(out, "%-8s %10.0f %10.0f", name, stj_study_number(r, "regions.%s.dimension", name),
                stj_study_number(r, "regions.%s.other_dimension", name));
        if (n == 0)
            fprintf(out, " %20s %12s %16s\n", "-", "-", "-");
        else
            fprintf(out, " %20.5f %12.5f %12.2f deg\n",
                    stj_study_number(r, "regions.%s.mean_squared_cosine", name),
                    stj_study_number(r, "regions.%s.random_mean_squared_cosine", name),
                    angle[n - 1] * 180 / acos(-1));
    }
    stj_directions_print(out, r);
    fprintf(out, "of the other run: %.0f largest and %.0f smallest, from %s\n",
            stj_study_number(r, "other_directions.top"),
            stj_study_number(r, "other_directions.bottom"),
            stj_study_text(r, "other_directions.source"));
}

/* cosine against the share of the angles, so that regions of any dimension fill the figure. */
static enum stj_status add_region(const struct stj_study_result *r, enum stj_region g,
                                  struct stj_chart *chart, struct stj_error *err)
{
    size_t n = 0;
    const char *name = stj_region_name(g);
    const double *cosine = stj_study_vector(r, &n, "regions.%s.cosine", name);
    STJ_FREED double *share = NULL;
    STJ_MUST(stj_new(&share, n, sizeof *share, err));
    for (size_t i = 0; i < n; i++)
        share[i] = ((double)i + 0.5) / (double)n;
    if (n > 0)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE, stj_region_colour(g), n, share, cosine, err,
                               "%s: mean square %.3f, if random %.3f", name,
                               stj_study_number(r, "regions.%s.mean_squared_cosine", name),
                               stj_study_number(r, "regions.%s.random_mean_squared_cosine", name)));
    return STJ_OK;
}

static enum stj_status overlap_make(const struct stj_study_result *r, struct stj_chart *chart,
                                    struct stj_error *err)
{
    stj_chart_title(chart, "Principal angles between two runs: %s singular vectors",
                    stj_study_text(r, "side"));
    stj_axis_name(&chart->x, "share", "share of the principal angles, smallest angles first");
    stj_axis_name(&chart->y, "cosine", "cosine of the principal angle");
    chart->x.high = 1;
    chart->y.high = 1.02;
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        STJ_MUST(add_region(r, g, chart, err));
    return STJ_OK;
}

static const struct stj_study_figure figures[] = {
    {"overlap", "principal angles between the regions of two runs", overlap_make},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_overlap = {
    .info = {.name = "overlap",
             .doc = "principal angles between the subspaces of two runs",
             .options = options,
             .config_size = sizeof(struct overlap_config)},
    .description =
        "Compare the chaotic, bulk and stable subspaces of two runs of the same number of "
        "parameters "
        "(another seed, other labels, white noise, another optimizer): principal angles and mean "
        "squared cosine, beside what random subspaces of the same dimensions have on average.  The "
        "result is kept in RUN.",
    .example = "  spectraj study overlap digits-run other-run\n",
    .two_runs = true,
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .run = overlap_run,
    .print = overlap_print,
    .figures = figures,
};
