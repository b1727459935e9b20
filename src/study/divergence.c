/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/divergence.c: what a step of the trained parameters along each singular vector does to the
 * predictions, in and out of distribution.
 *
 *     KL( p(theta_n) | p(theta_n + s u_i) )      of every sample of several sets of inputs
 *
 * the u_i being those of J(0 -> n), or of J(t -> n): what perturbations at step t become.
 *
 * p is the law that the loss takes the outputs for: classes, coin tosses, normal numbers (the slot
 * `divergence` of a loss).  Of each direction and set the largest, the mean, and quantiles.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "study/samples.h"
#include "study/studies.h"

struct divergence_config {
    double step, epsilon;
    int side;
    char *data;
    size_t rows;
    struct stj_study_where where;
};

static const char *const sides[] = {"left", "right", NULL}; /* in the order of the enum */

#define OPTION(...) STJ_OPTION_ROW(struct divergence_config, __VA_ARGS__)

static const struct stj_option options[] = {
    OPTION("step", REAL, step, "1", "length of the step from theta_n", .above_min = true),
    OPTION("side", CHOICE, side, "left",
           "step along the left vectors u_i, which lie in the space of theta_n, or along the "
           "right ones v_i",
           .choices = sides),
    OPTION("data", STRING, data, "",
           "sets of inputs with commas between them: " STJ_SAMPLES_DOC
           " (default: the first four)"),
    OPTION("rows", SIZE, rows, "0", "use the first N rows of each set; 0: all"),
    STJ_STUDY_EPSILON(offsetof(struct divergence_config, epsilon)),
    STJ_STUDY_WHERE(struct divergence_config),
    {.name = NULL},
};

static const struct stj_study_where *where_of(const void *config)
{
    return &((const struct divergence_config *)config)->where;
}

enum statistic { MEAN, MAX, MEDIAN, Q90, Q99, N_STATISTICS };
static const char *const statistic_name[N_STATISTICS] = {"mean", "max", "median", "q90", "q99"};

/* A block of directions is read, then stepped along in parallel. */
enum { BLOCK = 64 };

/* Everything of a study. */
struct probe {
    const struct stj_study_context *cx;
    const struct divergence_config *c;
    struct stj_sample_sets sets;
    size_t most_rows, n, n_out;
    double *theta_n;
    real **base;                 /* of each set: the outputs at theta_n */
    double *value[N_STATISTICS]; /* [set][known direction] */
    size_t n_threads;
    struct desk *desk;
};

/* What each thread works with. */
struct desk {
    struct stj_predictor *predictor;
    real *theta, *z;
    double *kl;
    enum stj_status status;
    struct stj_error error;
};

static void probe_free(struct probe *p)
{
    for (size_t i = 0; p->desk && i < p->n_threads; i++) {
        stj_predictor_destroy(p->desk[i].predictor);
        free(p->desk[i].theta);
        free(p->desk[i].z);
        free(p->desk[i].kl);
    }
    for (size_t i = 0; p->base && i < p->sets.n; i++)
        free(p->base[i]);
    for (size_t i = 0; i < N_STATISTICS; i++)
        free(p->value[i]);
    free(p->desk);
    free(p->base);
    free(p->theta_n);
    stj_samples_free(&p->sets);
}

static enum stj_status make_desks(struct probe *p, struct stj_error *err)
{
    p->n_threads = stj_threads();
    STJ_MUST(stj_new(&p->desk, p->n_threads, sizeof *p->desk, err));
    for (size_t i = 0; i < p->n_threads; i++) {
        struct desk *d = &p->desk[i];
        STJ_MUST(stj_predictor_create(p->cx->run->net, &d->predictor, err));
        STJ_MUST(stj_new(&d->theta, p->n, sizeof *d->theta, err));
        STJ_MUST(stj_new(&d->z, p->most_rows * p->n_out, sizeof *d->z, err));
        STJ_MUST(stj_new(&d->kl, p->most_rows, sizeof *d->kl, err));
    }
    return STJ_OK;
}

/* The outputs at theta_n. */
static enum stj_status make_base(struct probe *p, struct stj_error *err)
{
    struct desk *d = &p->desk[0];
    STJ_MUST(stj_new(&p->base, p->sets.n, sizeof *p->base, err));
    for (size_t i = 0; i < p->n; i++)
        d->theta[i] = (real)p->theta_n[i];
    for (size_t s = 0; s < p->sets.n; s++) {
        STJ_MUST(stj_new(&p->base[s], p->sets.set[s].n_rows * p->n_out, sizeof *p->base[s], err));
        STJ_MUST(stj_predict(d->predictor, &p->sets.set[s], d->theta, p->base[s], err));
    }
    return STJ_OK;
}

static enum stj_status divergence_prepare(struct probe *p, struct stj_error *err)
{
    struct stj_run *run = p->cx->run;
    const size_t known = stj_directions_n_known(p->cx->directions);
    p->n = stj_network_n_params(run->net);
    p->n_out = stj_shape_size(stj_network_output(run->net));
    STJ_MUST(stj_samples_make(p->cx, p->c->data, p->c->rows, &p->sets, err));
    for (size_t s = 0; s < p->sets.n; s++)
        p->most_rows = p->sets.set[s].n_rows > p->most_rows ? p->sets.set[s].n_rows : p->most_rows;
    for (size_t i = 0; i < N_STATISTICS; i++)
        STJ_MUST(stj_new(&p->value[i], p->sets.n * known, sizeof *p->value[i], err));
    STJ_MUST(stj_new(&p->theta_n, p->n, sizeof *p->theta_n, err));
    STJ_MUST(stj_run_theta(run, run->n_steps, p->theta_n, err));
    STJ_MUST(make_desks(p, err));
    return make_base(p, err);
}

/* ---- one direction ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of n sorted values: between the two nearest ranks, as most statistics programs do. */
static double quantile(size_t n, const double *sorted, double q)
{
    const double rank = q * (double)(n - 1);
    const size_t below = (size_t)rank;
    const size_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (rank - (double)below) * (sorted[above] - sorted[below]);
}

static void summarise(size_t n, double *kl, double value[N_STATISTICS])
{
    double sum = 0;
    qsort(kl, n, sizeof *kl, ascending);
    for (size_t i = 0; i < n; i++)
        sum += kl[i];
    value[MEAN] = sum / (double)n;
    value[MAX] = kl[n - 1];
    value[MEDIAN] = quantile(n, kl, 0.5);
    value[Q90] = quantile(n, kl, 0.9);
    value[Q99] = quantile(n, kl, 0.99);
}

/* Step along x, the known direction number k. */
static enum stj_status step_along(struct probe *p, struct desk *d, const double *x, size_t k,
                                  struct stj_error *err)
{
    const struct stj_network *net = p->cx->run->net;
    const size_t known = stj_directions_n_known(p->cx->directions);
    const struct stj_loss_ops *loss = stj_network_loss(net);
    double value[N_STATISTICS];
    STJ_NEED(err, loss->divergence, STJ_EUNSUPPORTED,
             "the loss %s is of no law of targets whose divergence could be taken",
             loss->info.name);
    const struct stj_directions *directions = p->cx->directions;
    for (size_t i = 0; directions->at && i < p->n; i++)
        d->theta[i] = (real)p->theta_n[i];
    for (size_t i = 0; i < directions->n; i++) {
        const size_t at = directions->at ? directions->at[i] : i;
        d->theta[at] = (real)(p->theta_n[at] + p->c->step * x[i]);
    }
    for (size_t s = 0; s < p->sets.n; s++) {
        const size_t n_rows = p->sets.set[s].n_rows;
        STJ_MUST(stj_predict(d->predictor, &p->sets.set[s], d->theta, d->z, err));
        loss->divergence(stj_network_output(net), n_rows, p->base[s], d->z, d->kl);
        summarise(n_rows, d->kl, value);
        for (size_t i = 0; i < N_STATISTICS; i++)
            p->value[i][s * known + k] = value[i];
    }
    return STJ_OK;
}

/* Known directions first .. first + count - 1, whose vectors are x. */
static enum stj_status step_block(struct probe *p, const double *x, size_t first, size_t count,
                                  struct stj_error *err)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)p->n_threads)
    for (size_t k = 0; k < count; k++) {
        struct desk *d = &p->desk[stj_thread_number()];
        if (d->status == STJ_OK)
            d->status = step_along(p, d, x + k * p->cx->directions->n, first + k, &d->error);
    }
    for (size_t i = 0; i < p->n_threads; i++)
        STJ_NEED(err, p->desk[i].status == STJ_OK, p->desk[i].status, "%s", p->desk[i].error.text);
    return STJ_OK;
}

static enum stj_status step_all(struct probe *p, struct stj_error *err)
{
    const struct stj_directions *d = p->cx->directions;
    const size_t known = stj_directions_n_known(d);
    size_t item[BLOCK];
    STJ_FREED double *x = NULL;
    STJ_MUST(stj_new(&x, BLOCK * d->n, sizeof *x, err));
    for (size_t first = 0; first < known; first += BLOCK) {
        const size_t count = known - first < BLOCK ? known - first : BLOCK;
        STJ_MUST(
            stj_progress_report(p->cx->progress, "directions", (double)first, (double)known, err));
        for (size_t k = 0; k < count; k++)
            item[k] = stj_directions_item(d, first + k);
        STJ_MUST(stj_directions_gather(d, (enum stj_side)p->c->side, count, item, x, err));
        STJ_MUST(step_block(p, x, first, count, err));
    }
    return STJ_OK;
}

/* ---- the result ---- */

/* The mean over the directions of a region of a statistic. */
static enum stj_status divergence_put_regions(const struct probe *p, size_t s,
                                              struct stj_study_result *r, struct stj_error *err)
{
    const struct stj_directions *d = p->cx->directions;
    const size_t known = stj_directions_n_known(d);
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        for (enum statistic i = MEAN; i <= MAX; i++) {
            double sum = 0;
            size_t count = 0;
            for (size_t k = 0; k < known; k++) {
                if (stj_region_of(d->sigma[stj_directions_item(d, k)], p->c->epsilon) != g)
                    continue;
                sum += p->value[i][s * known + k];
                count++;
            }
            STJ_MUST(stj_study_put_real(r, count ? sum / (double)count : (double)NAN, err,
                                        "datasets[%zu].regions.%s.%s", s, stj_region_name(g),
                                        statistic_name[i]));
        }
    return STJ_OK;
}

static enum stj_status divergence_put(const struct probe *p, struct stj_study_result *r,
                                      struct stj_error *err)
{
    const size_t known = stj_directions_n_known(p->cx->directions);
    STJ_MUST(stj_directions_put(p->cx->directions, r, err));
    STJ_MUST(stj_study_put_where(&p->c->where, r, err));
    STJ_MUST(stj_study_put_real(r, p->c->step, err, "step"));
    STJ_MUST(stj_study_put_text(r, sides[p->c->side], err, "side"));
    STJ_MUST(stj_study_put_real(r, p->c->epsilon, err, "epsilon"));
    STJ_MUST(stj_study_put_count(r, p->sets.n, err, "n_datasets"));
    STJ_MUST(stj_directions_put_list(p->cx->directions, r, err));
    for (size_t s = 0; s < p->sets.n; s++) {
        STJ_MUST(stj_study_put_text(r, p->sets.set[s].name, err, "datasets[%zu].name", s));
        STJ_MUST(stj_study_put_count(r, p->sets.set[s].n_rows, err, "datasets[%zu].rows", s));
        STJ_MUST(divergence_put_regions(p, s, r, err));
        for (enum statistic i = MEAN; i < N_STATISTICS; i++)
            STJ_MUST(stj_study_put_reals(r, known, p->value[i] + s * known, err, "datasets[%zu].%s",
                                         s, statistic_name[i]));
    }
    return STJ_OK;
}

static enum stj_status divergence_run(const struct stj_study_context *cx, const void *config,
                                      struct stj_study_result *r, struct stj_error *err)
{
    STJ_HELD(probe_free) struct probe p = {.cx = cx, .c = config};
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_MUST(divergence_prepare(&p, err));
    STJ_MUST(step_all(&p, err));
    return divergence_put(&p, r, err);
}

static const char *set_name(const struct stj_study_result *r, size_t s)
{
    char item[STJ_STUDY_NAME_MAX];
    snprintf(item, sizeof item, "datasets[%zu].name", s);
    const char *name = stj_study_text(r, item);
    return name ? name : "";
}

static void print_mean(FILE *out, double x)
{
    if (isnan(x))
        fprintf(out, " %12s", "-");
    else
        fprintf(out, " %12.4e", x);
}

static void divergence_print(FILE *out, const struct stj_study_result *r)
{
    const size_t n = (size_t)stj_study_number(r, "n_datasets");
    fprintf(out,
            "KL divergence of the predictions after a step of %g along each %s singular vector\n",
            stj_study_number(r, "step"), stj_study_text(r, "side"));
    fprintf(out, "%-24s %8s %12s %12s %12s\n", "mean over directions of", "rows", "chaotic", "bulk",
            "stable");
    for (enum statistic i = MEAN; i <= MAX; i++)
        for (size_t s = 0; s < n; s++) {
            fprintf(out, "%-4s %-19.19s %8.0f", i == MEAN ? "mean" : "max", set_name(r, s),
                    stj_study_number(r, "datasets[%zu].rows", s));
            for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
                print_mean(out, stj_study_number(r, "datasets[%zu].regions.%s.%s", s,
                                                 stj_region_name(g), statistic_name[i]));
            fputc('\n', out);
        }
    stj_directions_print(out, r);
}

/* ---- figures ---- */

static const enum stj_chart_colour set_colour[] = {STJ_CHART_BLUE,   STJ_CHART_SKY_BLUE,
                                                   STJ_CHART_ORANGE, STJ_CHART_VERMILLION,
                                                   STJ_CHART_GREEN,  STJ_CHART_PURPLE};
enum { N_SET_COLOURS = sizeof set_colour / sizeof set_colour[0] };

/* What is smaller is rounding. */
static const double kl_floor = 1e-12;

static enum stj_status divergence_make(const struct stj_study_result *r, struct stj_chart *chart,
                                       struct stj_error *err)
{
    size_t known = 0;
    const size_t n = (size_t)stj_study_number(r, "n_datasets");
    const double *index = stj_study_vector(r, &known, "index");
    stj_chart_title(chart, "Predictions after a step of %g along each %s singular vector",
                    stj_study_number(r, "step"), stj_study_text(r, "side"));
    stj_study_index_axis(&chart->x, known, index);
    stj_axis_name(&chart->y, "mean_kl", "mean KL divergence (nats)");
    chart->y.log = true;
    chart->y.floor = kl_floor;
    for (size_t s = n; s-- > 0;)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_POINTS, set_colour[s % N_SET_COLOURS], known, index,
                               stj_study_vector(r, &known, "datasets[%zu].mean", s), err, "%s",
                               set_name(r, s)));
    return STJ_OK;
}

/* The sets that stand for what is in and what is far out of distribution: test, else the first;
 * noise, else the last. */
static void choose_sets(const struct stj_study_result *r, size_t *in, size_t *out)
{
    const size_t n = (size_t)stj_study_number(r, "n_datasets");
    *in = 0;
    *out = n - 1;
    for (size_t s = 0; s < n; s++) {
        const char *name = set_name(r, s);
        if (name[0] == 't' && name[1] == 'e' && name[2] == 's' && name[3] == 't' && !name[4])
            *in = s;
    }
}

static enum stj_status add_region(const struct stj_study_result *r, enum stj_region g,
                                  const double *x, const double *y, struct stj_chart *chart,
                                  struct stj_error *err)
{
    size_t known = 0, count = 0;
    const double *sigma = stj_study_vector(r, &known, "sigma");
    STJ_FREED double *at = NULL, *value = NULL;
    STJ_MUST(stj_new(&at, known, sizeof *at, err));
    STJ_MUST(stj_new(&value, known, sizeof *value, err));
    for (size_t k = 0; k < known; k++) {
        if (stj_region_of(sigma[k], stj_study_number(r, "epsilon")) != g)
            continue;
        at[count] = x[k];
        value[count++] = y[k];
    }
    if (count > 0)
        STJ_MUST(stj_chart_add(chart, STJ_CHART_POINTS, stj_region_colour(g), count, at, value, err,
                               "%s", stj_region_name(g)));
    return STJ_OK;
}

static void name_axis(const struct stj_study_result *r, size_t set, const char *column,
                      struct stj_axis *axis)
{
    char label[STJ_CHART_TEXT_MAX], name[STJ_CHART_TEXT_MAX / 2];
    stj_chart_quote(set_name(r, set), name, sizeof name);
    snprintf(label, sizeof label, "mean KL divergence on %s (nats)", name);
    stj_axis_name(axis, column, label);
}

static enum stj_status make_shift(const struct stj_study_result *r, struct stj_chart *chart,
                                  struct stj_error *err)
{
    size_t in = 0, far = 0, known = 0;
    choose_sets(r, &in, &far);
    const double *x = stj_study_vector(r, &known, "datasets[%zu].mean", in);
    const double *y = stj_study_vector(r, &known, "datasets[%zu].mean", far);
    stj_chart_title(chart, "Steps of %g along singular vectors: in and out of distribution",
                    stj_study_number(r, "step"));
    name_axis(r, in, "mean_kl_in", &chart->x);
    name_axis(r, far, "mean_kl_out", &chart->y);
    chart->x.log = chart->y.log = true;
    chart->x.floor = chart->y.floor = kl_floor;
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        STJ_MUST(add_region(r, g, x, y, chart, err));
    return STJ_OK;
}

static const struct stj_study_figure figures[] = {
    {"divergence", "change of the predictions after a step along each direction", divergence_make},
    {"divergence-shift", "the same, in distribution against far out of it", make_shift},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_divergence = {
    .info = {.name = "divergence",
             .doc = "change of predictions, in and out of distribution",
             .options = options,
             .config_size = sizeof(struct divergence_config)},
    .description =
        "Step from the trained parameters along every known singular vector, and measure the "
        "Kullback-Leibler divergence of the predictions from those before, on several sets of "
        "inputs: "
        "the largest, the mean and quantiles over the rows, for each direction.  With --at T the "
        "vectors are those of J(T -> n): what perturbations at step T become.",
    .example = "  spectraj study divergence digits-run\n"
               "  spectraj study divergence digits-run --data test,other-inputs.npy --tag other\n"
               "  spectraj study divergence digits-run --at 300\n",
    .needs_network = true,
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .where = where_of,
    .run = divergence_run,
    .print = divergence_print,
    .figures = figures,
};
