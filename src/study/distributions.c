/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/distributions.c: the spectrum of the same training on shuffled labels and on white noise.
 *
 *     original    the run itself
 *     shuffled    the labels of the training rows in another order: nothing but memory can learn them
 *     noise       white noise in place of the inputs, uniform in their range
 *
 * Everything else is the run's: network, theta_0, recipe, order of the batches.  Spectra are
 * complete, from the dense Jacobian, where that fits; else densities by stochastic Lanczos
 * quadrature.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/density.h>

#include "analysis/charts.h"
#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"
#include "base/progress.h"
#include "base/rng.h"
#include "data/matrix.h"
#include "op/training_jacobian.h"
#include "spectrum/density/quadrature.h"
#include "study/studies.h"

enum { ORIGINAL, SHUFFLED, NOISE, N_RUNS };
static const char *const run_name[N_RUNS] = {"original", "shuffled", "noise"};
static const enum stj_chart_colour run_colour[N_RUNS] = {STJ_CHART_BLUE, STJ_CHART_VERMILLION,
                                                         STJ_CHART_GREEN};

enum method { AUTO, DENSE, DENSITY };
static const char *const methods[] = {"auto", "dense", "density", NULL};

struct distributions_config {
    char *labels, *noise;
    int method;
    double epsilon, width;
    size_t limit, probes, steps;
};

#define OPTION(...) STJ_OPTION_ROW(struct distributions_config, __VA_ARGS__)

static const struct stj_option options[] = {
    OPTION("labels", PATH, labels, "",
           "shuffled labels (or targets) of the training rows (default: the config's "
           "study.distributions.shuffled_labels, else drawn)"),
    OPTION("noise", PATH, noise, "",
           "inputs in place of the training inputs (default: the config's "
           "study.distributions.noise_inputs, else drawn)"),
    OPTION("method", CHOICE, method, "auto",
           "dense: all singular values; density: an estimate of their density; auto: dense if it "
           "fits",
           .choices = methods),
    OPTION("limit", SIZE, limit, "8000", "largest number of parameters for which auto is dense"),
    OPTION("probes", SIZE, probes, "8", "random start vectors of a density", .min = 1, .max = 1e9),
    OPTION("steps", SIZE, steps, "100", "Lanczos steps of each", .min = 1, .max = 1e9),
    OPTION("width", REAL, width, "0.03",
           "standard deviation, in log10 sigma, that densities are smoothed with",
           .above_min = true),
    STJ_STUDY_EPSILON(offsetof(struct distributions_config, epsilon)),
    {.name = NULL},
};

/* The points of a density: log10 sigma from -4 to 4. */
enum { GRID = 801 };
static const double grid_from = -4, grid_to = 4;
static const double confidence = 0.95; /* of intervals and bands */

static double grid_point(size_t i)
{
    return grid_from + (grid_to - grid_from) * (double)i / (GRID - 1);
}

/* What is kept of each run; also the record of the log. */
struct outcome {
    size_t n_sigma; /* n_params, or 0 for a density */
    double *sigma;
    struct numbers {
        double train_loss, test_loss, test_accuracy;
        double regions[STJ_N_REGIONS];                     /* counts */
        double low[STJ_N_REGIONS], high[STJ_N_REGIONS];    /* their intervals */
        double density[GRID];                              /* values per unit of log10 sigma */
        double band_low[GRID], band_high[GRID], res[GRID]; /* of a density: as density.h5 has */
    } is;
};

/* A training on other data. */
struct rerun {
    struct stj_dataset *data;
    struct stj_problem *problem;
    struct stj_trajectory *trajectory;
};

static void rerun_free(struct rerun *t)
{
    stj_trajectory_destroy(t->trajectory);
    stj_problem_destroy(t->problem);
    stj_dataset_destroy(t->data);
}

/* ---- the data ---- */

static enum stj_status copy_data(const struct stj_dataset *from, struct stj_dataset **copy,
                                 struct stj_error *err)
{
    return stj_dataset_from_arrays(from->n_rows, from->n_features, from->inputs, from->n_labels,
                                   from->labels, from->n_targets, from->targets, copy, err);
}

/* A file with one row for each training row. */
static enum stj_status read_rows(const char *path, const char *what, size_t rows, size_t cols,
                                 struct stj_matrix *m, struct stj_error *err)
{
    STJ_MUST(stj_matrix_read(path, m, err));
    STJ_NEED(err, m->rows == rows && m->cols == cols, STJ_EINVAL,
             "%s: has %zu x %zu numbers, but the %s of the training set are %zu x %zu", path,
             m->rows, m->cols, what, rows, cols);
    return STJ_OK;
}

static enum stj_status take_labels(const struct stj_run *run, const char *path,
                                   struct stj_dataset *data, struct stj_error *err)
{
    const struct stj_data_use use = stj_run_data_use(run);
    STJ_HELD(stj_matrix_free) struct stj_matrix m = {0};
    const size_t cols = data->labels ? data->n_labels : data->n_targets;
    STJ_MUST(read_rows(path, data->labels ? "labels" : "targets", data->n_rows, cols, &m, err));
    for (size_t i = 0; i < data->n_rows * cols; i++) {
        STJ_NEED(err, !data->labels || stj_label_from_number(&use, m.data[i], &data->labels[i]),
                 STJ_EINVAL, "%s: label %g in row %zu is not a class number", path, m.data[i],
                 i / cols);
        if (data->targets)
            data->targets[i] = m.data[i];
    }
    return STJ_OK;
}

/* The labels of all rows, or their targets, in a random order. */
static enum stj_status shuffle_labels(const struct stj_dataset *from, uint64_t seed,
                                      struct stj_dataset *data, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_FREED size_t *order = NULL;
    STJ_MUST(stj_rng_create(seed, STJ_STREAM_STUDY, 3, &rng, err));
    STJ_MUST(stj_new(&order, data->n_rows, sizeof *order, err));
    for (size_t i = 0; i < data->n_rows; i++)
        order[i] = i;
    stj_rng_shuffle(rng, order, data->n_rows);
    for (size_t i = 0; i < data->n_rows; i++) {
        for (size_t k = 0; k < data->n_labels; k++)
            data->labels[i * data->n_labels + k] = from->labels[order[i] * data->n_labels + k];
        for (size_t k = 0; k < data->n_targets; k++)
            data->targets[i * data->n_targets + k] = from->targets[order[i] * data->n_targets + k];
    }
    return STJ_OK;
}

static enum stj_status take_noise(const struct stj_run *run, const char *path,
                                  struct stj_dataset *data, struct stj_error *err)
{
    const struct stj_data_use use = stj_run_data_use(run);
    STJ_HELD(stj_matrix_free) struct stj_matrix m = {0};
    STJ_MUST(read_rows(path, "inputs", data->n_rows, data->n_features, &m, err));
    const struct stj_axes has = stj_row_axes(m.n_dims, m.shape);
    STJ_MUST(stj_inputs_arrange(path, run->config.data.train.layout, &has, &use.input, m.rows,
                                m.data, err));
    memcpy(data->inputs, m.data, data->n_rows * data->n_features * sizeof *data->inputs);
    return STJ_OK;
}

/* Uniform in the range of the inputs; tokens: uniform in the vocabulary. */
static enum stj_status draw_noise(const size_t *ids, uint64_t seed, struct stj_dataset *data,
                                  struct stj_error *err)
{
    const size_t n = data->n_rows * data->n_features;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    double low = data->inputs[0], high = data->inputs[0];
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, data->inputs[i]);
        high = fmax(high, data->inputs[i]);
    }
    STJ_MUST(stj_rng_create(seed, STJ_STREAM_STUDY, 4, &rng, err));
    for (size_t i = 0; i < n; i++) {
        const size_t n_ids = ids ? ids[i % data->n_features] : 0;
        data->inputs[i] =
            n_ids ? (double)stj_rng_index(rng, n_ids) : low + (high - low) * stj_rng_uniform(rng);
    }
    return STJ_OK;
}

static enum stj_status distributions_complete(const struct stj_run *run, void *config,
                                              struct stj_error *err)
{
    struct distributions_config *c = config;
    const struct stj_distributions_config *files = &run->config.study.distributions;
    if (!c->labels && files->shuffled_labels)
        STJ_MUST(stj_strdup(&c->labels, files->shuffled_labels, err));
    if (!c->noise && files->noise_inputs)
        STJ_MUST(stj_strdup(&c->noise, files->noise_inputs, err));
    return STJ_OK;
}

static enum stj_status make_data(const struct stj_study_context *cx,
                                 const struct distributions_config *c, int which,
                                 struct stj_dataset **data, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_run *run = cx->run;
    STJ_TRY(copy_data(run->train, data, err));
    if (which == SHUFFLED)
        STJ_TRY(c->labels ? take_labels(run, c->labels, *data, err)
                          : shuffle_labels(run->train, cx->seed, *data, err));
    else
        STJ_TRY(c->noise ? take_noise(run, c->noise, *data, err)
                         : draw_noise(stj_network_ids(run->net), cx->seed, *data, err));
    STJ_TRY(stj_network_check_data(run->net, *data, err));
out:
    if (st != STJ_OK)
        stj_error_prefix(err, "the run '%s'", run_name[which]);
    return st;
}

/* What is wrong with a file is said before the first spectrum, which may take hours. */
static enum stj_status check_data(const struct stj_study_context *cx,
                                  const struct distributions_config *c, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_NEED(err, cx->run->config.network.inputs.n == 0, STJ_EINVAL,
             "noise in the place of the inputs is of networks with one input, this one has several "
             "by name");
    for (int which = SHUFFLED; which < N_RUNS && st == STJ_OK; which++) {
        struct stj_dataset *data = NULL;
        st = make_data(cx, c, which, &data, err);
        stj_dataset_destroy(data);
    }
    return st;
}

/* ---- the training ---- */

static enum stj_status train(const struct stj_run *run, struct rerun *t,
                             const struct stj_progress *progress, struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    const size_t n_slots = stj_recipe_n_slots(&run->recipe);
    struct stj_trajectory_view view;
    STJ_FREED real *state = NULL;
    STJ_MUST(stj_new(&state, (1 + n_slots) * n, sizeof *state, err));
    STJ_MUST(stj_trajectory_visit(run->trajectory, 0, 1, &view, err));
    memcpy(state, view.state, (1 + n_slots) * n * sizeof *state);
    STJ_MUST(stj_trajectory_create(n, n_slots, run->n_steps, &t->trajectory, err));
    STJ_MUST(stj_train(t->problem, &run->recipe, 0, run->n_steps, state, stj_trajectory_record,
                       t->trajectory, progress, err));
    stj_trajectory_set_training(t->trajectory, t->problem, &run->recipe);
    return STJ_OK;
}

static enum stj_status rerun_init(const struct stj_study_context *cx,
                                  const struct distributions_config *c, int which, struct rerun *t,
                                  struct stj_error *err)
{
    const struct stj_run *run = cx->run;
    STJ_MUST(make_data(cx, c, which, &t->data, err));
    STJ_MUST(
        stj_network_problem_create(run->net, t->data, run->order, run->n_steps, &t->problem, err));
    return train(run, t, cx->progress, err);
}

static enum stj_status evaluate(const struct stj_run *run, const struct stj_dataset *data,
                                struct stj_trajectory *trajectory, struct outcome *o,
                                struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    struct stj_trajectory_view view;
    double unused = 0;
    STJ_FREED double *theta = NULL;
    STJ_MUST(stj_new(&theta, n, sizeof *theta, err));
    STJ_MUST(stj_trajectory_visit(trajectory, run->n_steps, 1, &view, err));
    for (size_t i = 0; i < n; i++)
        theta[i] = (double)view.state[stj_recipe_end(&run->recipe) * n + i];
    STJ_MUST(stj_study_evaluate(run, data, theta, &o->is.train_loss, &unused, err));
    return stj_study_evaluate(run, run->test, theta, &o->is.test_loss, &o->is.test_accuracy, err);
}

/* ---- the spectrum ---- */

/* The density and the regions from all singular values. */
static void smooth(const struct distributions_config *c, struct outcome *o)
{
    const double norm = 1 / (c->width * sqrt(2 * acos(-1)));
    memset(o->is.density, 0, sizeof o->is.density);
    for (size_t i = 0; i < o->n_sigma; i++) {
        o->is.regions[stj_region_of(o->sigma[i], c->epsilon)]++;
        if (!(o->sigma[i] > 0))
            continue;
        const double at = log10(o->sigma[i]);
        for (size_t k = 0; k < GRID; k++) {
            const double distance = (grid_point(k) - at) / c->width;
            if (fabs(distance) < 8)
                o->is.density[k] += norm * exp(-distance * distance / 2);
        }
    }
    memcpy(o->is.low, o->is.regions, sizeof o->is.low);
    memcpy(o->is.high, o->is.regions, sizeof o->is.high);
}

static enum stj_status solve_dense(struct stj_op *op, const struct stj_progress *progress,
                                   struct outcome *o, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t n = stj_op_n_cols(op);
    double *a = NULL;
    size_t size = 0;
    STJ_TRY(stj_size_mul(n, n, &size, err));
    STJ_TRY(stj_new(&a, size, sizeof *a, err));
    STJ_TRY(stj_new(&o->sigma, n, sizeof *o->sigma, err));
    STJ_TRY(stj_op_densify(op, 0, a, n, progress, err));
    STJ_TRY(stj_progress_report(progress, "decomposition", 0, 1, err));
    struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    st = stj_gesdd(n, n, a, n, o->sigma, NULL, NULL, err);
    stj_blas_guard_give(guard);
    o->n_sigma = n;
out:
    free(a);
    return st;
}

/* The counts and the curve with what is known of them, as of the analysis `density`. */
static enum stj_status take_density(const struct stj_density_result *result, double width,
                                    struct numbers *is, struct stj_error *err)
{
    const struct stj_density_count *const count[STJ_N_REGIONS] = {
        &result->regions.chaotic, &result->regions.bulk, &result->regions.stable};
    STJ_FREED struct stj_density_point *point = NULL;
    double at[GRID];
    for (size_t i = 0; i < GRID; i++)
        at[i] = grid_point(i);
    STJ_MUST(stj_new(&point, GRID, sizeof *point, err));
    STJ_MUST(stj_density_smooth_band(result, GRID, at, width, 0, point, err));
    for (size_t i = 0; i < GRID; i++) {
        is->density[i] = point[i].density;
        is->band_low[i] = point[i].low;
        is->band_high[i] = point[i].high;
        is->res[i] = point[i].resolution;
    }
    for (size_t g = 0; g < STJ_N_REGIONS; g++) {
        is->regions[g] = count[g]->estimate;
        is->low[g] = count[g]->low;
        is->high[g] = count[g]->high;
    }
    return STJ_OK;
}

static enum stj_status solve_density(struct stj_op *op, const struct stj_study_context *cx,
                                     const struct distributions_config *c, struct outcome *o,
                                     struct stj_error *err)
{
    struct stj_density_settings settings = stj_density_settings_default();
    STJ_HELD(stj_density_result_destroy_at) struct stj_density_result *result = NULL;
    settings.epsilon = c->epsilon;
    settings.confidence = confidence;
    settings.probes = c->probes;
    settings.steps = c->steps;
    settings.seed = cx->seed;
    settings.memory_bytes = cx->memory_bytes;
    if (cx->progress)
        settings.progress = *cx->progress;
    STJ_MUST(stj_density_solve(op, &settings, &result, err));
    STJ_NEED(err, result->stop != STJ_STOP_INTERRUPTED, STJ_EINTERRUPTED,
             "the density of a spectrum was interrupted");
    return take_density(result, c->width, &o->is, err);
}

static bool is_dense(const struct stj_study_context *cx, const struct distributions_config *c)
{
    const double n = (double)stj_network_n_params(cx->run->net);
    const size_t limit = cx->memory_bytes ? cx->memory_bytes : stj_memory_available() / 2;
    const bool fits = n <= (double)c->limit && 2 * n * n * sizeof(double) <= (double)limit;
    return c->method == DENSE || (c->method == AUTO && fits);
}

static enum stj_status distributions_solve(const struct stj_study_context *cx,
                                           const struct distributions_config *c,
                                           const struct stj_problem *problem,
                                           struct stj_trajectory *trajectory, struct outcome *o,
                                           struct stj_error *err)
{
    const struct stj_training_jacobian_settings settings = {.memory_bytes = cx->memory_bytes};
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_MUST(
        stj_training_jacobian_create(problem, &cx->run->recipe, trajectory, &settings, &op, err));
    STJ_MUST(stj_op_watch(op, err));
    if (!is_dense(cx, c)) {
        STJ_MUST(solve_density(op, cx, c, o, err));
    } else {
        STJ_MUST(solve_dense(op, cx->progress, o, err));
        smooth(c, o);
    }
    stj_study_note_check(cx->check, op);
    return STJ_OK;
}

/* The spectrum of the run itself: that of dense.h5 where there is one. */
static enum stj_status solve_original(const struct stj_study_context *cx,
                                      const struct distributions_config *c, struct outcome *o,
                                      struct stj_error *err)
{
    const struct stj_directions *d = cx->directions;
    const struct stj_run *run = cx->run;
    if (!d || stj_directions_n_known(d) < d->n || c->method == DENSITY) {
        STJ_MUST(distributions_solve(cx, c, run->problem, run->trajectory, o, err));
    } else {
        o->n_sigma = d->n;
        STJ_MUST(stj_new(&o->sigma, d->n, sizeof *o->sigma, err));
        memcpy(o->sigma, d->sigma, d->n * sizeof *o->sigma);
        smooth(c, o);
    }
    o->is.train_loss = run->about.train_loss;
    o->is.test_loss = run->about.test_loss;
    o->is.test_accuracy = run->about.test_accuracy;
    return STJ_OK;
}

static enum stj_status distributions_compute(const struct stj_study_context *cx,
                                             const struct distributions_config *c, int which,
                                             struct outcome *o, struct stj_error *err)
{
    STJ_HELD(rerun_free) struct rerun t = {.data = NULL};
    if (which == ORIGINAL)
        return solve_original(cx, c, o, err);
    STJ_MUST(rerun_init(cx, c, which, &t, err));
    STJ_MUST(evaluate(cx->run, t.data, t.trajectory, o, err));
    return distributions_solve(cx, c, t.problem, t.trajectory, o, err);
}

/* ---- the log: tag run + 1 + N_RUNS (those up to N_RUNS are of a version without intervals); the
 * numbers, then sigma ---- */

static uint32_t tag_of(int which)
{
    return (uint32_t)(which + 1 + N_RUNS);
}

static enum stj_status record(struct stj_log *log, int which, const struct outcome *o,
                              struct stj_error *err)
{
    const struct stj_log_piece piece[] = {{&o->is, sizeof o->is},
                                          {o->sigma, o->n_sigma * sizeof *o->sigma}};
    return stj_log_append(log, tag_of(which), piece, 2, err);
}

/* *found <- the log has the run, and *o what it says. */
static enum stj_status replay(struct stj_log *log, int which, struct outcome *o, bool *found,
                              struct stj_error *err)
{
    const size_t before = sizeof o->is;
    *found = false;
    for (size_t i = 0; i < stj_log_n_records(log); i++) {
        if (stj_log_tag(log, i) != tag_of(which) || stj_log_bytes(log, i) < before)
            continue;
        o->n_sigma = (stj_log_bytes(log, i) - before) / sizeof *o->sigma;
        STJ_MUST(stj_log_read(log, i, 0, before, &o->is, err));
        STJ_MUST(stj_new(&o->sigma, o->n_sigma, sizeof *o->sigma, err));
        STJ_MUST(stj_log_read(log, i, before, o->n_sigma * sizeof *o->sigma, o->sigma, err));
        *found = true;
        break;
    }
    return STJ_OK;
}

/* ---- the result ---- */

static enum stj_status distributions_put_regions(int which, const char *name, const double *count,
                                                 struct stj_study_result *r, struct stj_error *err)
{
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        STJ_MUST(stj_study_put_real(r, count[g], err, "runs[%d].%s.%s", which, name,
                                    stj_region_name(g)));
    return STJ_OK;
}

static enum stj_status distributions_put(const struct stj_run *run, int which,
                                         const struct outcome *o, const double *grid,
                                         struct stj_study_result *r, struct stj_error *err)
{
    STJ_MUST(stj_study_put_text(r, run_name[which], err, "runs[%d].name", which));
    STJ_MUST(
        stj_study_put_count(r, stj_network_n_params(run->net), err, "runs[%d].n_params", which));
    STJ_MUST(
        stj_study_put_text(r, o->n_sigma ? "dense" : "density", err, "runs[%d].method", which));
    STJ_MUST(stj_study_put_reals(r, o->n_sigma, o->sigma, err, "runs[%d].sigma", which));
    STJ_MUST(distributions_put_regions(which, "regions", o->is.regions, r, err));
    STJ_MUST(distributions_put_regions(which, "regions_low", o->is.low, r, err));
    STJ_MUST(distributions_put_regions(which, "regions_high", o->is.high, r, err));
    STJ_MUST(stj_study_put_real(r, o->is.train_loss, err, "runs[%d].train_loss", which));
    STJ_MUST(stj_study_put_real(r, o->is.test_loss, err, "runs[%d].test_loss", which));
    STJ_MUST(stj_study_put_real(r, o->is.test_accuracy, err, "runs[%d].test_accuracy", which));
    STJ_MUST(stj_study_put_reals(r, GRID, grid, err, "runs[%d].density.log10_sigma", which));
    const size_t n = o->n_sigma ? 0 : GRID;
    STJ_MUST(stj_study_put_reals(r, GRID, o->is.density, err, "runs[%d].density.value", which));
    STJ_MUST(stj_study_put_reals(r, n, o->is.band_low, err, "runs[%d].density.low", which));
    STJ_MUST(stj_study_put_reals(r, n, o->is.band_high, err, "runs[%d].density.high", which));
    return stj_study_put_reals(r, n, o->is.res, err, "runs[%d].density.resolution", which);
}

static enum stj_status distributions_run(const struct stj_study_context *cx, const void *config,
                                         struct stj_study_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct distributions_config *c = config;
    struct outcome *o = NULL;
    double grid[GRID];
    bool found = false;
    for (size_t i = 0; i < GRID; i++)
        grid[i] = grid_point(i);
    STJ_TRY(check_data(cx, c, err));
    STJ_TRY(stj_new(&o, 1, sizeof *o, err));
    STJ_TRY(stj_study_put_real(r, c->epsilon, err, "epsilon"));
    STJ_TRY(stj_study_put_real(r, c->width, err, "width"));
    STJ_TRY(stj_study_put_real(r, confidence, err, "confidence"));
    for (int which = ORIGINAL; which < N_RUNS; which++) {
        *o = (struct outcome){.sigma = NULL};
        STJ_TRY(replay(cx->log, which, o, &found, err));
        if (!found) {
            STJ_TRY(distributions_compute(cx, c, which, o, err));
            STJ_TRY(record(cx->log, which, o, err));
        }
        STJ_TRY(distributions_put(cx->run, which, o, grid, r, err));
        free(o->sigma);
        o->sigma = NULL;
    }
out:
    free(o ? o->sigma : NULL);
    free(o);
    return st;
}

/* Of a density, below its counts: their intervals.  A result of an older version has none. */
static void print_intervals(FILE *out, const struct stj_study_result *r, int which)
{
    if (isnan(stj_study_number(r, "runs[%d].regions_low.bulk", which)))
        return;
    fprintf(out, "%7.4g %%", 100 * stj_study_number(r, "confidence"));
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        char text[48];
        const char *name = stj_region_name(g);
        snprintf(text, sizeof text, "%.0f .. %.0f",
                 stj_study_number(r, "runs[%d].regions_low.%s", which, name),
                 stj_study_number(r, "runs[%d].regions_high.%s", which, name));
        fprintf(out, " %16s", text);
    }
    fputc('\n', out);
}

static void distributions_print(FILE *out, const struct stj_study_result *r)
{
    char item[STJ_STUDY_NAME_MAX];
    fprintf(out, "the same training on other data (epsilon %.6g)\n",
            stj_study_number(r, "epsilon"));
    fprintf(out, "%-9s %16s %16s %16s %11s %11s %11s %9s  %s\n", "run", "chaotic", "bulk", "stable",
            "sigma_1", "train loss", "test loss", "accuracy", "spectrum");
    for (int i = 0; i < N_RUNS; i++) {
        size_t n = 0;
        const double *sigma = stj_study_vector(r, &n, "runs[%d].sigma", i);
        fprintf(out, "%-9s", run_name[i]);
        for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
            fprintf(out, n ? " %16.0f" : " %16.1f",
                    stj_study_number(r, "runs[%d].regions.%s", i, stj_region_name(g)));
        if (n > 0)
            fprintf(out, " %11.6g", sigma[0]);
        else
            fprintf(out, " %11s", "-");
        snprintf(item, sizeof item, "runs[%d].method", i);
        fprintf(out, " %11.5g %11.5g %9.4f  %s\n", stj_study_number(r, "runs[%d].train_loss", i),
                stj_study_number(r, "runs[%d].test_loss", i),
                stj_study_number(r, "runs[%d].test_accuracy", i), stj_study_text(r, item));
        if (n == 0)
            print_intervals(out, r, i);
    }
}

/* ---- figures ---- */

/* One curve of each run that has all singular values: fn of each against the index. */
static enum stj_status add_values(const struct stj_study_result *r, double (*fn)(double sigma),
                                  struct stj_chart *chart, struct stj_error *err)
{
    STJ_FREED double *y = NULL;
    bool any = false;
    stj_axis_name(&chart->x, "index", "index i of the singular value, descending");
    chart->x.high = stj_study_number(r, "n_params") + 1;
    chart->y.log = true;
    for (int i = 0; i < N_RUNS; i++) {
        size_t n = 0;
        const double *sigma = stj_study_vector(r, &n, "runs[%d].sigma", i);
        if (n == 0)
            continue;
        any = true;
        STJ_MUST(stj_new(&y, n, sizeof *y, err));
        for (size_t k = 0; k < n; k++)
            y[k] = fn(sigma[k]);
        STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE, run_colour[i], n, NULL, y, err, "%s",
                               run_name[i]));
        free(y);
        y = NULL;
    }
    STJ_NEED(err, any, STJ_EINVAL,
             "the stored study distributions has densities and no singular values: draw the "
             "figure distributions-density, or do the study with --method dense");
    return STJ_OK;
}

static double from_one(double sigma)
{
    return fabs(sigma - 1);
}

static double itself(double sigma)
{
    return sigma;
}

static enum stj_status distributions_make(const struct stj_study_result *r, struct stj_chart *chart,
                                          struct stj_error *err)
{
    stj_chart_title(chart, "Distance of the singular values from 1, on other data");
    stj_axis_name(&chart->y, "distance", "|sigma_i - 1|");
    chart->y.floor = 1e-8;
    return add_values(r, from_one, chart, err);
}

static enum stj_status distributions_make_spectrum(const struct stj_study_result *r,
                                                   struct stj_chart *chart, struct stj_error *err)
{
    stj_chart_title(chart, "Singular values of the same training on other data");
    stj_axis_name(&chart->y, "sigma", "singular value sigma_i");
    chart->y.floor = 1e-4;
    return add_values(r, itself, chart, err);
}

/* Less than one value per unit of log10 sigma is the foot of a Gaussian, and no density. */
static const double least_density = 1;

/* The band of a density. */
static enum stj_status add_band(const struct stj_study_result *r, int which, size_t n,
                                struct stj_chart *chart, struct stj_error *err)
{
    size_t n_low = 0, n_high = 0;
    const double *low = stj_study_vector(r, &n_low, "runs[%d].density.low", which);
    const double *high = stj_study_vector(r, &n_high, "runs[%d].density.high", which);
    STJ_FREED double *sigma = NULL;
    if (n_low != n || n_high != n || n == 0)
        return STJ_OK;
    STJ_MUST(stj_new(&sigma, n, sizeof *sigma, err));
    for (size_t i = 0; i < n; i++)
        sigma[i] = pow(10, grid_point(i));
    return stj_chart_band(chart, run_colour[which], n, sigma, low, high,
                          stj_study_number(r, "confidence"), run_name[which], err);
}

/* The curve of a run: only the points where there are values. */
static enum stj_status add_density(const struct stj_study_result *r, int which,
                                   struct stj_chart *chart, struct stj_error *err)
{
    size_t n = 0;
    const double *value = stj_study_vector(r, &n, "runs[%d].density.value", which);
    STJ_FREED double *sigma = NULL, *y = NULL;
    STJ_MUST(stj_new(&sigma, n, sizeof *sigma, err));
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    for (size_t i = 0; i < n; i++) {
        sigma[i] = pow(10, grid_point(i));
        y[i] = value[i];
    }
    const size_t left = stj_chart_drop_below(n, sigma, y, least_density);
    STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE, run_colour[which], left, sigma, y, err, "%s",
                           run_name[which]));
    return add_band(r, which, n, chart, err);
}

static enum stj_status make_density(const struct stj_study_result *r, struct stj_chart *chart,
                                    struct stj_error *err)
{
    stj_chart_title(chart, "Density of the spectrum of the same training on other data");
    stj_axis_name(&chart->x, "sigma", "singular value");
    stj_axis_name(&chart->y, "density", "singular values per decade");
    chart->x.log = chart->y.log = true;
    for (int i = 0; i < N_RUNS; i++)
        STJ_MUST(add_density(r, i, chart, err));
    return STJ_OK;
}

static const struct stj_study_figure figures[] = {
    {"distributions", "distance of the singular values from 1, on other data", distributions_make},
    {"distributions-spectrum", "singular values on other data", distributions_make_spectrum},
    {"distributions-density", "density of the spectrum on other data", make_density},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_distributions = {
    .info = {.name = "distributions",
             .doc = "the spectrum on shuffled labels and on white noise",
             .options = options,
             .config_size = sizeof(struct distributions_config)},
    .description =
        "Train the run again on shuffled labels and on white noise, and compare the spectra of the "
        "training Jacobian: all singular values where the dense matrix fits, else their density.  "
        "The "
        "data are drawn from --seed, or given as files, here or in the config's "
        "study.distributions.",
    .example = "  spectraj study distributions digits-run\n",
    .needs_network = true,
    .needs = STJ_STUDY_LIKES_DIRECTIONS,
    .multiplies = true,
    .keeps_log = true,
    .complete = distributions_complete,
    .run = distributions_run,
    .print = distributions_print,
    .figures = figures,
};
