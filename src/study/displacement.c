/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/displacement.c: along which directions the parameters moved in training.
 *
 *     projection_i = |v_i . (theta_n - theta_0)|       share of a region = sum projection_i^2 / |.|^2
 *
 * Shares are determined by the regions alone; projections on single vectors of a group of equal
 * singular values depend on the basis and are marked.  What no known direction explains is the
 * share `unknown`.
 */
#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "study/studies.h"

struct displacement_config {
    double epsilon;
    int side;
};

static const char *const sides[] = {"left", "right", NULL}; /* in the order of the enum */

#define OPTION(...) STJ_OPTION_ROW(struct displacement_config, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("side", CHOICE, side, "right",
           "project on the right vectors v_i or the left vectors u_i", .choices = sides),
    STJ_STUDY_EPSILON(offsetof(struct displacement_config, epsilon)),
    {.name = NULL},
};

struct measurement {
    const struct stj_directions *d;
    const double *displacement;
    double *projection; /* of the known directions, in their order */
    size_t next;
};

static enum stj_status displacement_measure(void *ctx, size_t i, const double *u, const double *v,
                                            struct stj_error *err)
{
    struct measurement *m = ctx;
    (void)i;
    (void)err;
    m->projection[m->next++] = fabs(stj_dot(m->d->n, u ? u : v, m->displacement));
    return STJ_OK;
}

/* x <- theta_n - theta_0 */
static enum stj_status displace(struct stj_run *run, size_t n, double *x, struct stj_error *err)
{
    STJ_FREED double *start = NULL;
    STJ_MUST(stj_new(&start, n, sizeof *start, err));
    STJ_MUST(stj_run_theta(run, 0, start, err));
    STJ_MUST(stj_run_theta(run, run->n_steps, x, err));
    stj_axpy(n, -1, start, x);
    return STJ_OK;
}

static enum stj_status displacement_put_regions(const struct stj_directions *d,
                                                const double *projection, double norm,
                                                double epsilon, struct stj_study_result *r,
                                                struct stj_error *err)
{
    size_t count[STJ_N_REGIONS] = {0};
    double sum[STJ_N_REGIONS] = {0};
    double unknown = 1;
    for (size_t k = 0; k < stj_directions_n_known(d); k++) {
        const enum stj_region g = stj_region_of(d->sigma[stj_directions_item(d, k)], epsilon);
        count[g]++;
        sum[g] += projection[k] * projection[k] / (norm * norm);
    }
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        STJ_MUST(stj_study_put_count(r, count[g], err, "regions.%s.count", name));
        STJ_MUST(stj_study_put_real(r, sum[g], err, "regions.%s.share", name));
        unknown -= sum[g];
    }
    const bool complete = stj_directions_n_known(d) == d->n;
    return stj_study_put_real(r, complete ? 0 : fmax(unknown, 0), err, "unknown_share");
}

static enum stj_status displacement_run(const struct stj_study_context *cx, const void *config,
                                        struct stj_study_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct displacement_config *c = config;
    const struct stj_directions *d = cx->directions;
    const bool left = c->side == STJ_LEFT;
    struct measurement m = {.d = d};
    double *x = NULL;
    STJ_TRY(stj_new(&x, d->n, sizeof *x, err));
    STJ_TRY(stj_new(&m.projection, stj_directions_n_known(d), sizeof *m.projection, err));
    STJ_TRY(displace(cx->run, d->n, x, err));
    const double norm = stj_nrm2(d->n, x);
    STJ_CHECK(err, norm > 0, STJ_EINVAL,
              "the parameters did not move in training: theta_n is "
              "theta_0, and there is no displacement to divide up");
    m.displacement = x;
    STJ_TRY(stj_directions_visit(d, left, !left, displacement_measure, &m, err));
    STJ_TRY(stj_directions_put(d, r, err));
    STJ_TRY(stj_study_put_text(r, sides[c->side], err, "side"));
    STJ_TRY(stj_study_put_real(r, c->epsilon, err, "epsilon"));
    STJ_TRY(stj_study_put_real(r, norm, err, "displacement"));
    STJ_TRY(displacement_put_regions(d, m.projection, norm, c->epsilon, r, err));
    STJ_TRY(stj_directions_put_list(d, r, err));
    STJ_TRY(stj_study_put_reals(r, m.next, m.projection, err, "projection"));
out:
    free(x);
    free(m.projection);
    return st;
}

static void displacement_print(FILE *out, const struct stj_study_result *r)
{
    const double n = stj_study_number(r, "n_params");
    fprintf(out, "|theta_n - theta_0| = %.6g, divided up by the %s singular vectors\n",
            stj_study_number(r, "displacement"), stj_study_text(r, "side"));
    fprintf(out, "%-8s %8s %12s %12s\n", "region", "known", "share", "of all N");
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        const char *name = stj_region_name(g);
        const double count = stj_study_number(r, "regions.%s.count", name);
        fprintf(out, "%-8s %8.0f %10.3f %% %10.2f %%\n", name, count,
                100 * stj_study_number(r, "regions.%s.share", name), 100 * count / n);
    }
    fprintf(out, "%-8s %8.0f %10.3f %%\n", "unknown", stj_study_number(r, "directions.missing"),
            100 * stj_study_number(r, "unknown_share"));
    stj_directions_print(out, r);
}

static enum stj_status displacement_make(const struct stj_study_result *r, struct stj_chart *chart,
                                         struct stj_error *err)
{
    const bool left = stj_study_text(r, "side")[0] == 'l';
    stj_chart_title(chart, "Displacement in training along the singular vectors");
    stj_axis_name(&chart->y, "projection",
                  left ? "|u_i . (theta_n - theta_0)|" : "|v_i . (theta_n - theta_0)|");
    chart->y.log = true;
    chart->y.floor = 1e-8 * stj_study_number(r, "displacement");
    return stj_study_chart_directions(r, "projection", chart, err);
}

static const struct stj_study_figure figures[] = {
    {"displacement", "displacement in training along each direction", displacement_make},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_displacement = {
    .info = {.name = "displacement",
             .doc = "how far training moved along each direction",
             .options = options,
             .config_size = sizeof(struct displacement_config)},
    .description =
        "The length of theta_n - theta_0 along every known singular vector, and the share "
        "of each region in its square.",
    .example = "  spectraj study displacement digits-run\n",
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .run = displacement_run,
    .print = displacement_print,
    .figures = figures,
};
