/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/influence.c: what training was given, and what that did to a number made of the trained
 * parameters.
 *
 *     d query / d u_i = q . d theta_to / d u_i,    q = d query / d theta at theta_to
 *
 * u_i being the weight w_i = 1 of sample i in the loss, a number of its inputs or targets, the
 * rate, momentum or decay of a step or a factor of rates (op/given_jacobian.h): D'q for all of them
 * at once, one sweep of adjoints.  Whether it says what leaving samples out does, w_i = 0, is a
 * property of the run, which some trainings without them measure.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/analyses.h"
#include "analysis/common_options.h"
#include "analysis/given.h"
#include "analysis/influence_pictures.h"
#include "analysis/influence_query.h"
#include "analysis/print.h"
#include "analysis/store.h"
#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/rng.h"
#include "op/operator.h"
#include "op/given_jacobian.h"

/* How what was given is spoken of: of_rest in the order of stj_given_words from rates on. */
struct words {
    const char *one, *all, *value, *more;
};
static const struct words of_samples = {"sample", "training sample", NULL, "more weight"};
static const struct words of_rest[] = {{"step", "training step", "rate", "a larger rate"},
                                       {"step", "training step", "momentum", "a larger momentum"},
                                       {"step", "training step", "decay", "more decay"},
                                       {"group", "tensor group", "scale", "a larger scale"}};
static bool is_of(int of, enum stj_given given)
{
    return stj_given_of_word((size_t)of) == given;
}

static bool is_of_steps(int of)
{
    return stj_given_is_of_steps(stj_given_of_word((size_t)of));
}

static const struct words *words_of(int of)
{
    const int past = (int)stj_given_of_word((size_t)of) - STJ_GIVEN_RATES;
    return past < 0 ? &of_samples : &of_rest[past];
}

enum { SMOOTH_TRAININGS = 8, PICTURES = 12 /* at each end */ };

struct influence_config {
    char *query;
    int of;
    size_t top, check;
    uint64_t seed;
};

#define OPTION(...) STJ_OPTION_ROW(struct influence_config, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("query", STRING, query, "test_loss", STJ_QUERY_DOC, .letter = 'q', .value = "QUERY"),
    OPTION("of", CHOICE, of, "weights",
           "weights: of the samples in the training loss; inputs, targets: of the training samples "
           "(labels as 1 for the class and 0 for the others); rates, momenta, decays: of the "
           "training's steps; scales: factors of the rates of the training and of its groups",
           .choices = stj_given_words, .value = "WHAT"),
    OPTION("top", SIZE, top, "20", "number of samples or steps shown at each end",
           .role = STJ_ROLE_VIEW, .letter = 'k', .max = 1e9, .value = "K"),
    OPTION("check", SIZE, check, "0",
           "retrain without each of K samples, and without each of K sets of 1 % of the samples",
           .role = STJ_ROLE_EXTENT, .max = 1e6, .value = "K"),
    STJ_SEED_OPTION(offsetof(struct influence_config, seed), "draw of what is left out"),
    {.name = NULL},
};

/* Trainings without some samples. */
struct left_out {
    size_t n, size;             /* sets, of so many samples */
    double *row;                /* [n][size] */
    double *predicted, *actual; /* [n]: changes of the first query */
    double rank_correlation;
    double by_gradients, by_chance; /* the same of grad l_i . grad query at theta_to, of noise */
};

struct influence_data {
    char *queries;
    int of;
    size_t n_queries, n_samples;
    size_t n_numbers, width;           /* in all, of a sample or a step */
    size_t n_labels, n_norms, n_rates; /* as samples, as numbers of the training; or 0 */
    size_t n_unseen;
    double *value;     /* [n_queries] */
    double *influence; /* [n_queries][n_numbers] */
    double *norm;      /* [n_queries][n_norms] */
    double *rate;
    size_t *label, *predicted;
    bool has_check;
    struct left_out one, set;
    uint64_t seed;
    double smooth_step, smooth_change;
    struct stj_influence_pictures pictures; /* of the first query: helpful, then harmful */
    size_t top;                             /* to be shown */
};

#define FIELD(...) STJ_FIELD_ROW(struct influence_data, __VA_ARGS__)
#define DIM(...) STJ_FIELD_DIM(struct influence_data, __VA_ARGS__)
#define CHECK .present = offsetof(struct influence_data, has_check), .absent = STJ_ABSENT_OBJECT
static const struct stj_field schema[] = {
    FIELD("queries", TEXT, queries, "what was asked for, one after another", .list = true),
    FIELD("of", CHOICE, of, "with respect to what", .choices = stj_given_words),
    FIELD("n_queries", COUNT, n_queries, "how many", .place = STJ_FIELD_IN_FILE),
    FIELD("n_numbers", COUNT, n_numbers,
          "of samples times width, steps of the window, or 1 + groups", .place = STJ_FIELD_IN_FILE),
    FIELD("width", COUNT, width, "numbers of a sample: inputs, targets; else 1"),
    FIELD("n_norms", COUNT, n_norms, "samples, of inputs and targets, or 0",
          .place = STJ_FIELD_IN_FILE),
    FIELD("n_rates", COUNT, n_rates, "steps of the window, or 1 + groups, for `rate`; or 0",
          .place = STJ_FIELD_IN_FILE),
    FIELD("n_samples", COUNT, n_samples, "samples of the training set"),
    FIELD("n_labels", COUNT, n_labels, "of them, those with one class label",
          .place = STJ_FIELD_IN_FILE),
    FIELD("unseen", COUNT, n_unseen, "in no batch of the window: their influence is exactly 0"),
    FIELD("seed", SEED, seed, "of the draw of what is left out"),
    FIELD("value", REAL, value, "of each query, at the end of the window", .headline = 1,
          .dim = {DIM("query", n_queries)}),
    FIELD(
        "influence", REAL, influence,
        "d query / d w_i: row i of the training set; positive: more weight raises the query; of "
        "rates, momenta, decays: of step t, from the window's first on; of scales: of the rates of "
        "the training, then of each group; of inputs and targets: of each number of each sample",
        .dim = {DIM("query", n_queries), DIM("number", n_numbers)},
        .fold = offsetof(struct influence_data, width)),
    FIELD("norm", REAL, norm, "of the derivatives by the inputs or targets of each sample",
          .dim = {DIM("query", n_queries), DIM("normed", n_norms, .from_zero = true)}),
    FIELD("rate", REAL, rate, "rate, momentum or decay of each step of the window; 1 of scales",
          .dim = {DIM("step", n_rates)}),
    FIELD("label", COUNT, label, "class of each training sample",
          .dim = {DIM("sample", n_labels, .from_zero = true)}),
    FIELD("predicted_class", COUNT, predicted, "where its largest output is",
          .dim = {DIM("sample", n_labels, .from_zero = true)}),
    FIELD("check.count", COUNT, one.n, "samples left out, one in each training", CHECK),
    FIELD("check.size", COUNT, one.size, "1", .place = STJ_FIELD_IN_FILE, CHECK),
    FIELD("check.rank_correlation", REAL, one.rank_correlation,
          "Spearman's, of predicted and actual", CHECK),
    FIELD("check.gradient_rank_correlation", REAL, one.by_gradients,
          "of actual and grad l_i . grad query at the last parameters; null: samples have no "
          "gradients of their own",
          .later = true, CHECK),
    FIELD("check.random_rank_correlation", REAL, one.by_chance,
          "of actual and random numbers, of mean 0 and standard deviation 1 / sqrt(count - 1)",
          .later = true, CHECK),
    FIELD("check.smoothness.step", REAL, smooth_step,
          "by which all weights change, up or down at random", .later = true, CHECK),
    FIELD("check.smoothness.change", REAL, smooth_change,
          "of the influence along such steps, relative; small: the training is smooth in w",
          .later = true, CHECK),
    FIELD("check.left_out", WHOLE, one.row, "rows of the training set",
          .dim = {DIM("left_out", one.n), DIM("one", one.size)}, CHECK),
    FIELD("check.predicted", REAL, one.predicted, "change of the query: minus the influence",
          .dim = {DIM("left_out", one.n)}, CHECK),
    FIELD("check.actual", REAL, one.actual, "change by a training without it",
          .dim = {DIM("left_out", one.n)}, CHECK),
    FIELD("check.sets.count", COUNT, set.n, "sets of samples left out together", CHECK),
    FIELD("check.sets.size", COUNT, set.size, "samples of a set, 1 % of those in a batch", CHECK),
    FIELD("check.sets.rank_correlation", REAL, set.rank_correlation,
          "Spearman's, of predicted and actual", CHECK),
    FIELD("check.sets.gradient_rank_correlation", REAL, set.by_gradients,
          "of actual and the sums of the gradients' inner products", .later = true, CHECK),
    FIELD("check.sets.random_rank_correlation", REAL, set.by_chance,
          "of actual and sums of random numbers", .later = true, CHECK),
    FIELD("check.sets.left_out", WHOLE, set.row, "rows of the training set",
          .dim = {DIM("set", set.n), DIM("member", set.size)}, CHECK),
    FIELD("check.sets.predicted", REAL, set.predicted,
          "change of the query: minus the sum of the influences", .dim = {DIM("set", set.n)},
          CHECK),
    FIELD("check.sets.actual", REAL, set.actual, "change by a training without them",
          .dim = {DIM("set", set.n)}, CHECK),
#define PICTURE(...) FIELD(__VA_ARGS__, .place = STJ_FIELD_IN_FILE, .later = true)
    PICTURE("pictures.n", COUNT, pictures.n,
            "samples whose inputs are stored as images: the most helpful, then the most harmful"),
    PICTURE("pictures.n_first", COUNT, pictures.n_first, "of them, helpful ones"),
    PICTURE("pictures.height", COUNT, pictures.height, "pixels"),
    PICTURE("pictures.width", COUNT, pictures.width, "pixels"),
    PICTURE("pictures.channels", COUNT, pictures.channels, "1, grey, or 3"),
    PICTURE("pictures.n_pixels", COUNT, pictures.n_pixels, "numbers of an image"),
    PICTURE("pictures.sample", COUNT, pictures.sample, "which sample each is of",
            .dim = {DIM("picture", pictures.n)}),
    PICTURE("pictures.pixel", REAL, pictures.pixel, "its inputs, or means of squares of them",
            .dim = {DIM("picture", pictures.n), DIM("pixel", pictures.n_pixels)}),
    {.name = NULL},
};

static void influence_complete(void *config)
{
    stj_queries_pin(&((struct influence_config *)config)->query);
}

static size_t influence_columns(const void *config, size_t n)
{
    (void)n;
    return stj_queries_count(((const struct influence_config *)config)->query);
}

static void influence_predict(const struct stj_run *run, const struct stj_plan_request *request,
                              const void *config, struct stj_prediction *prediction, size_t *engine)
{
    const struct influence_config *c = config;
    const size_t n = influence_columns(config, request->n);
    size_t given = 0, more = 0;
    (void)engine;
    if (run) /* what there is not is refused when it is computed */
        (void)stj_run_given_bytes(run, &request->part, stj_given_of_word((size_t)c->of),
                                  request->memory_bytes, n, &given, &more, NULL);
    const double numbers = (double)n * (double)(request->n + 2 * given);
    stj_predict_products(prediction, 0, (double)n, n);
    stj_predict_phase(prediction, numbers * sizeof(double) + (double)more, n);
    const size_t trainings = c->check > 0 ? 2 * c->check + SMOOTH_TRAININGS : 0;
    prediction->trainings += (double)trainings;
    stj_predict_method(prediction, "one sweep of adjoints, %zu trainings", trainings);
}

/* ---- the influence ---- */

/* Everything of one computation. */
struct work {
    struct stj_analysis_context *cx;
    const struct influence_config *config;
    struct influence_data *data;
    struct stj_query *query;
    size_t n_queries;
    size_t *seen; /* [n_seen]: the samples that are in a batch */
    size_t n_seen;
    double *theta; /* the end of the window */
    double *gradient;
    double *score, *noise; /* [n_samples]: to compare the influence with */
    bool has_scores;
};

static void work_free(struct work *w)
{
    stj_queries_free(w->n_queries, w->query);
    free(w->seen);
    free(w->theta);
    free(w->gradient);
    free(w->score);
    free(w->noise);
}

/* All of them where the batches are those of another process. */
static enum stj_status find_seen(struct work *w, struct stj_error *err)
{
    const struct stj_run *run = w->cx->run;
    const size_t n = run->train->n_rows;
    STJ_FREED bool *seen = NULL;
    STJ_FREED size_t *row = NULL;
    STJ_MUST(stj_new(&seen, n, sizeof *seen, err));
    for (size_t i = 0; i < n; i++)
        seen[i] = !run->order;
    const size_t most = run->order ? stj_batch_order_most(run->order, w->cx->part->to) : 0;
    STJ_MUST(stj_new(&row, most, sizeof *row, err));
    for (size_t t = w->cx->part->from; run->order && t < w->cx->part->to; t++) {
        const size_t count = stj_batch_order_count(run->order, t);
        STJ_MUST(stj_batch_order_rows(run->order, t, 0, count, row, err));
        for (size_t i = 0; i < count; i++)
            seen[row[i]] = true;
    }
    STJ_MUST(stj_new(&w->seen, n, sizeof *w->seen, err));
    for (size_t i = 0; i < n; i++)
        if (seen[i])
            w->seen[w->n_seen++] = i;
    w->data->n_unseen = n - w->n_seen;
    return STJ_OK;
}

/* w->theta <- where the window ends. */
static enum stj_status find_end(struct work *w, struct stj_error *err)
{
    const struct stj_run *run = w->cx->run;
    const size_t n = stj_network_n_params(run->net);
    struct stj_trajectory_view view;
    STJ_MUST(stj_new(&w->theta, n, sizeof *w->theta, err));
    STJ_MUST(stj_trajectory_visit(run->trajectory, w->cx->part->to, 1, &view, err));
    for (size_t i = 0; i < n; i++)
        w->theta[i] = (double)view.state[stj_recipe_end(&run->recipe) * n + i];
    return STJ_OK;
}

static size_t largest(size_t n, const real *z)
{
    size_t best = 0;
    for (size_t k = 1; k < n; k++)
        best = z[k] > z[best] ? k : best;
    return best;
}

/* Classes of the training samples, where they have one each, and what the network makes of them. */
static enum stj_status note_labels(struct work *w, struct stj_error *err)
{
    const struct stj_run *run = w->cx->run;
    const struct stj_dataset *data = run->train;
    const size_t n = data->n_rows, n_in = data->n_features,
                 n_params = stj_network_n_params(run->net);
    const size_t n_out = stj_shape_size(stj_network_output(run->net));
    const size_t chunk = stj_network_couples_samples(run->net) || n < 256 ? n : 256;
    STJ_FREED real *x = NULL, *lin = NULL, *z = NULL, *scratch = NULL, *theta = NULL;
    if (!data->labels || data->n_labels != 1 || is_of_steps(w->config->of))
        return STJ_OK;
    STJ_MUST(stj_new(&w->data->label, n, sizeof *w->data->label, err));
    STJ_MUST(stj_new(&w->data->predicted, n, sizeof *w->data->predicted, err));
    STJ_MUST(stj_new(&x, chunk * n_in, sizeof *x, err));
    STJ_MUST(stj_new(&z, chunk * n_out, sizeof *z, err));
    STJ_MUST(stj_new(&theta, n_params, sizeof *theta, err));
    STJ_MUST(stj_new(&lin, stj_network_n_linear(run->net, chunk), sizeof *lin, err));
    STJ_MUST(stj_new(&scratch, stj_network_n_scratch(run->net, chunk, 0), sizeof *scratch, err));
    for (size_t i = 0; i < n_params; i++)
        theta[i] = (real)w->theta[i];
    for (size_t first = 0; first < n; first += chunk) {
        const size_t m = n - first < chunk ? n - first : chunk;
        const struct stj_batch b = {.whole = m, .batch = m, .evaluate = true, .x = x};
        for (size_t i = 0; i < m * n_in; i++)
            x[i] = (real)data->inputs[first * n_in + i];
        stj_network_predict(run->net, &b, theta, lin, z, scratch);
        for (size_t i = 0; i < m; i++)
            w->data->predicted[first + i] = largest(n_out, z + i * n_out);
    }
    memcpy(w->data->label, data->labels, n * sizeof *data->labels);
    w->data->n_labels = n;
    return STJ_OK;
}

/* Where steps or scales are asked for: what they are. */
static enum stj_status note_rates(struct work *w, struct stj_error *err)
{
    const struct stj_run *run = w->cx->run;
    const size_t n = w->data->n_numbers;
    if (!is_of_steps(w->config->of))
        return STJ_OK;
    STJ_MUST(stj_new(&w->data->rate, n, sizeof *w->data->rate, err));
    for (size_t t = 0; t < n; t++)
        (void)stj_recipe_value(&run->recipe, stj_given_of_word((size_t)w->config->of),
                               w->cx->part->from + t, run->n_steps, &w->data->rate[t]);
    w->data->n_rates = n;
    return STJ_OK;
}

/* The gradients of the queries, and one sweep. */
static enum stj_status sweep(struct work *w, struct stj_op *op, struct stj_error *err)
{
    struct influence_data *d = w->data;
    const size_t n = stj_op_n_rows(op);
    STJ_MUST(stj_new(&d->value, w->n_queries, sizeof *d->value, err));
    STJ_MUST(stj_new(&w->gradient, w->n_queries * n, sizeof *w->gradient, err));
    STJ_MUST(stj_new(&d->influence, w->n_queries * d->n_numbers, sizeof *d->influence, err));
    for (size_t i = 0; i < w->n_queries; i++)
        STJ_MUST(stj_query_evaluate(w->cx->run, &w->query[i], w->theta, &d->value[i],
                                    w->gradient + i * n, err));
    STJ_MUST(
        stj_op_apply(op, STJ_TRANS, w->n_queries, w->gradient, n, d->influence, d->n_numbers, err));
    d->n_norms =
        is_of(d->of, STJ_GIVEN_INPUTS) || is_of(d->of, STJ_GIVEN_TARGETS) ? d->n_samples : 0;
    STJ_MUST(stj_new(&d->norm, w->n_queries * d->n_norms, sizeof *d->norm, err));
    for (size_t i = 0; i < w->n_queries * d->n_norms; i++)
        d->norm[i] = stj_nrm2(d->width, d->influence + i * d->width);
    return STJ_OK;
}

/* The number whose influence follows that of `last` on the way down (sign 1) or up (-1) from the
 * end; n: there is none of that sign. */
static size_t next_number(size_t n, const double *x, double sign, size_t last)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        const double v = sign * x[i], before = last < n ? sign * x[last] : HUGE_VAL;
        const bool follows = v < before || (v == before && i > last);
        if (v > 0 && follows && (best == n || v > sign * x[best]))
            best = i;
    }
    return best;
}

/* Those of the first query, most helpful and most harmful, as pictures. */
static enum stj_status note_pictures(struct work *w, struct stj_error *err)
{
    struct influence_data *d = w->data;
    const double *x = d->n_norms ? d->norm : d->influence;
    size_t sample[2][PICTURES], n[2] = {0};
    if (is_of_steps(d->of))
        return STJ_OK;
    for (int end = d->n_norms ? 1 : 0; end < 2; end++)
        for (size_t i = d->n_samples; n[end] < PICTURES; n[end]++) {
            i = next_number(d->n_samples, x, end ? 1 : -1, i);
            if (i == d->n_samples)
                break;
            sample[end][n[end]] = i;
        }
    return stj_influence_pictures_take(w->cx->run, n[0], sample[0], n[1], sample[1], &d->pictures,
                                       err);
}

/* ---- the check ---- */

/* rank[n] <- from 1, equal numbers sharing theirs. */
static void rank(size_t n, const double *x, double *ranks)
{
    for (size_t i = 0; i < n; i++) {
        double below = 0, equal = 0;
        for (size_t j = 0; j < n; j++) {
            below += x[j] < x[i];
            equal += x[j] == x[i];
        }
        ranks[i] = below + (equal + 1) / 2;
    }
}

/* *rho <- Spearman's, of a[n] and b[n]. */
static enum stj_status correlate(size_t n, const double *a, const double *b, double *rho,
                                 struct stj_error *err)
{
    STJ_FREED double *ranks = NULL;
    const double mean = ((double)n + 1) / 2;
    double xy = 0, xx = 0, yy = 0;
    STJ_MUST(stj_new(&ranks, 2 * n, sizeof *ranks, err));
    rank(n, a, ranks);
    rank(n, b, ranks + n);
    for (size_t i = 0; i < n; i++) {
        const double x = ranks[i] - mean, y = ranks[n + i] - mean;
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    *rho = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
    return STJ_OK;
}

/* What is left out <- with scores: the inner product of the gradients of its loss and of the query,
 * both at theta_to, where samples have losses of their own. */
static enum stj_status score_samples(struct work *w, const struct left_out *o,
                                     struct stj_error *err)
{
    const struct stj_run *run = w->cx->run;
    const size_t n = stj_network_n_params(run->net);
    STJ_FREED double *g = NULL;
    double loss = 0;
    w->has_scores = !run->config.has_problem && !stj_network_couples_samples(run->net);
    STJ_MUST(stj_new(&g, n, sizeof *g, err));
    for (size_t k = 0; w->has_scores && k < o->n * o->size; k++) {
        const size_t row = (size_t)o->row[k];
        if (w->score[row] != 0)
            continue;
        STJ_MUST(stj_evaluate_gradient(run->net, run->train, 1, &row, w->theta, &loss, g, err));
        w->score[row] = stj_dot(n, g, w->gradient);
    }
    return STJ_OK;
}

/* *rho <- of what was and the sums of the scores of what was left out. */
static enum stj_status compare_scores(const struct left_out *o, const double *score, double *rho,
                                      struct stj_error *err)
{
    STJ_FREED double *sum = NULL;
    STJ_MUST(stj_new(&sum, o->n, sizeof *sum, err));
    for (size_t i = 0; i < o->n; i++)
        for (size_t k = 0; k < o->size; k++)
            sum[i] += score[(size_t)o->row[i * o->size + k]];
    return correlate(o->n, sum, o->actual, rho, err);
}

static enum stj_status correlate_all(struct work *w, struct left_out *o, struct stj_error *err)
{
    STJ_MUST(correlate(o->n, o->predicted, o->actual, &o->rank_correlation, err));
    STJ_MUST(score_samples(w, o, err));
    STJ_MUST(compare_scores(o, w->score, &o->by_gradients, err));
    o->by_gradients = w->has_scores ? o->by_gradients : (double)NAN;
    return compare_scores(o, w->noise, &o->by_chance, err);
}

/* *value <- the first query of a training with weights 1 + shift. */
static enum stj_status train_shifted(struct work *w, const double *shift, double *end,
                                     double *value, struct stj_error *err)
{
    STJ_MUST(
        stj_given_jacobian_train(w->cx->kept->inner, STJ_GIVEN_WEIGHTS, shift, end, NULL, err));
    return stj_query_evaluate(w->cx->run, &w->query[0], end, value, NULL, err);
}

/* Set i of them: train without it. */
static enum stj_status leave_out(struct work *w, struct left_out *o, size_t i, double *shift,
                                 double *end, struct stj_error *err)
{
    double value = 0;
    memset(shift, 0, w->data->n_samples * sizeof *shift);
    for (size_t k = 0; k < o->size; k++) {
        const size_t row = (size_t)o->row[i * o->size + k];
        shift[row] = -1;
        o->predicted[i] -= w->data->influence[row];
    }
    STJ_MUST(train_shifted(w, shift, end, &value, err));
    o->actual[i] = value - w->data->value[0];
    return STJ_OK;
}

/* n sets of `size` samples, each the first of those that were seen, shuffled. */
static enum stj_status influence_check(struct work *w, struct left_out *o, size_t n, size_t size,
                                       bool distinct, struct stj_rng *rng, struct stj_error *err)
{
    STJ_FREED double *shift = NULL, *end = NULL;
    o->n = n;
    o->size = size;
    STJ_MUST(stj_new(&o->row, n * size, sizeof *o->row, err));
    STJ_MUST(stj_new(&o->predicted, n, sizeof *o->predicted, err));
    STJ_MUST(stj_new(&o->actual, n, sizeof *o->actual, err));
    STJ_MUST(stj_new(&shift, w->data->n_samples, sizeof *shift, err));
    STJ_MUST(stj_new(&end, stj_network_n_params(w->cx->run->net), sizeof *end, err));
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !distinct)
            stj_rng_shuffle(rng, w->seen, w->n_seen);
        for (size_t k = 0; k < size; k++)
            o->row[i * size + k] = (double)w->seen[(distinct ? i : 0) + k];
        STJ_MUST(stj_progress_report(w->cx->progress,
                                     distinct ? "trainings without a sample"
                                              : "trainings without 1 % of the samples",
                                     (double)i, (double)n, err));
        STJ_MUST(leave_out(w, o, i, shift, end, err));
    }
    return correlate_all(w, o, err);
}

/* How far the influence is that of other weights too.  Along x, +-1 at random, the query is q(h) for
 * weights 1 + h x; its slopes (q(h) - q(0)) / h on either side differ by the change of the influence
 * along x by a step h.  Relative: root mean squares over some x. */
static enum stj_status measure_smoothness(struct work *w, struct stj_rng *rng,
                                          struct stj_error *err)
{
    const double h = 0.1, middle = w->data->value[0];
    const size_t n = w->data->n_samples;
    double change = 0, slope = 0;
    STJ_FREED double *shift = NULL, *end = NULL;
    STJ_MUST(stj_new(&shift, n, sizeof *shift, err));
    STJ_MUST(stj_new(&end, stj_network_n_params(w->cx->run->net), sizeof *end, err));
    for (size_t k = 0; k < SMOOTH_TRAININGS / 2; k++) {
        double value[2];
        STJ_MUST(stj_progress_report(w->cx->progress, "trainings with other weights", (double)k,
                                     (double)SMOOTH_TRAININGS / 2, err));
        stj_rng_fill_normal(rng, n, shift);
        for (int side = 0; side < 2; side++) {
            for (size_t i = 0; i < n; i++)
                shift[i] = copysign(h, side ? -shift[i] : shift[i]);
            STJ_MUST(train_shifted(w, shift, end, &value[side], err));
        }
        change += pow(value[0] - 2 * middle + value[1], 2);
        slope += pow((value[0] - value[1]) / 2, 2);
    }
    w->data->smooth_step = h;
    w->data->smooth_change = slope > 0 ? sqrt(change / slope) : (double)NAN;
    return STJ_OK;
}

static enum stj_status run_checks(struct work *w, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    const size_t k = w->config->check, percent = (w->n_seen + 50) / 100;
    const size_t size = percent > 1 ? percent : 1;
    if (k == 0)
        return STJ_OK;
    STJ_MUST(stj_rng_create(w->config->seed, STJ_STREAM_CHECK, 0, &rng, err));
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *other = NULL;
    STJ_MUST(stj_rng_create(w->config->seed, STJ_STREAM_CHECK, 1, &other, err));
    STJ_MUST(stj_new(&w->score, w->data->n_samples, sizeof *w->score, err));
    STJ_MUST(stj_new(&w->noise, w->data->n_samples, sizeof *w->noise, err));
    stj_rng_fill_normal(other, w->data->n_samples, w->noise);
    STJ_MUST(influence_check(w, &w->data->one, k < w->n_seen ? k : w->n_seen, 1, true, rng, err));
    STJ_MUST(influence_check(w, &w->data->set, k, size, false, rng, err));
    return measure_smoothness(w, other, err);
}

static enum stj_status influence_compute(struct stj_analysis_context *cx, const void *config,
                                         void *data, struct stj_error *err)
{
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_HELD(work_free) struct work w = {.cx = cx, .config = config, .data = data};
    struct influence_data *d = data;
    STJ_NEED(err, cx->run, STJ_EUNSUPPORTED,
             "influence is of the samples of a run: an operator by itself has none");
    STJ_NEED(err, w.config->check == 0 || is_of(w.config->of, STJ_GIVEN_WEIGHTS), STJ_EINVAL,
             "--check leaves samples out, which is of their weights: leave out --of %s",
             stj_given_words[w.config->of]);
    STJ_MUST(stj_given_jacobian_create(cx->kept->inner, stj_given_of_word((size_t)w.config->of),
                                       &op, err));
    stj_op_count_in(op, cx->op);
    STJ_MUST(stj_queries_make(cx->run, w.config->query, &w.query, &w.n_queries, err));
    STJ_NEED(err, w.config->check == 0 || w.n_queries == 1, STJ_EINVAL,
             "trainings without samples are compared for one query, there are %zu: leave out "
             "--check, or ask for one at a time",
             w.n_queries);
    STJ_MUST(stj_strdup(&d->queries, w.config->query, err));
    for (char *c = d->queries; *c; c++)
        *c = *c == '+' ? ' ' : *c;
    d->n_queries = w.n_queries;
    d->of = w.config->of;
    d->n_numbers = stj_op_n_cols(op);
    d->n_samples = cx->run->train->n_rows;
    d->width = is_of_steps(d->of) ? 1 : d->n_numbers / d->n_samples;
    d->seed = w.config->seed;
    STJ_MUST(find_seen(&w, err));
    STJ_MUST(find_end(&w, err));
    STJ_MUST(note_labels(&w, err));
    STJ_MUST(note_rates(&w, err));
    STJ_MUST(sweep(&w, op, err));
    STJ_MUST(note_pictures(&w, err));
    return run_checks(&w, err);
}

/* ---- what is asked for ---- */

static bool influence_covers(const void *stored, const void *data, const void *wanted)
{
    const struct influence_config *s = stored, *c = wanted;
    (void)data;
    return c->check <= s->check;
}

static enum stj_status influence_view(const struct stj_analysis_context *cx, const void *config,
                                      void *data, struct stj_error *err)
{
    struct influence_data *d = data;
    (void)cx;
    (void)err;
    d->has_check = d->one.n > 0;
    d->top = config ? ((const struct influence_config *)config)->top : 20;
    return STJ_OK;
}

/* ---- for people ---- */

static void print_end(FILE *out, const struct influence_data *d, size_t first, const double *x,
                      double sign)
{
    const char *value = words_of(d->of)->value;
    const size_t n = d->n_norms ? d->n_norms : d->n_numbers;
    size_t i = n;
    fprintf(out, "%8s  %13s", words_of(d->of)->one, "influence");
    fprintf(out, value ? "  %13s" : "%s", value ? value : "");
    fprintf(out, "%s\n", d->n_labels ? "  class  predicted" : "");
    for (size_t k = 0; k < d->top; k++) {
        i = next_number(n, x, sign, i);
        if (i == n)
            return;
        fprintf(out, "%8zu  %13.6g", first + i, x[i]);
        if (value)
            fprintf(out, "  %13.6g", d->rate[i]);
        if (d->n_labels && d->label[i] == STJ_IGNORED_LABEL)
            fprintf(out, "  %5s  %9zu", "none", d->predicted[i]);
        else if (d->n_labels)
            fprintf(out, "  %5zu  %9zu", d->label[i], d->predicted[i]);
        fputc('\n', out);
    }
}

static void print_correlation(FILE *out, double rho, const char *text)
{
    if (isfinite(rho))
        fprintf(out, "%.3f%s", rho, text);
    else
        fprintf(out, "not defined%s", text);
}

static void print_check(FILE *out, const struct left_out *o)
{
    fprintf(out, "left out %zu at a time, %zu trainings: rank correlation of predicted and actual ",
            o->size, o->n);
    print_correlation(out, o->rank_correlation, "\n    of gradients at the end and actual ");
    print_correlation(out, o->by_gradients, ", of random numbers and actual ");
    print_correlation(out, o->by_chance, "\n");
}

static void print_checks(FILE *out, const struct influence_data *d)
{
    print_check(out, &d->one);
    print_check(out, &d->set);
    if (d->smooth_step > 0)
        fprintf(out,
                "weights up or down by %g at random: the influence along that changes by %.2g %%\n",
                d->smooth_step, 100 * d->smooth_change);
}

/* d query / d log c, c being a factor of all rates, momenta or decays. */
static double all_rates(const struct influence_data *d, const double *x)
{
    double sum = 0;
    for (size_t t = 0; t < d->n_rates; t++)
        sum += d->rate[t] * x[t];
    return sum;
}

/* What an end of the list of a query is called, of which more weight lowers (end 0) or raises it:
 * of losses, and of outputs and vectors. */
static const char *end_name(const char *query, int end)
{
    const size_t length = strcspn(query, " ");
    if (strncmp(query, "logit:", 6) == 0 || memchr(query, '#', length))
        return end ? "for it" : "against it";
    return end ? "most harmful" : "most helpful";
}

static void influence_print(FILE *out, const struct stj_result *result)
{
    const struct influence_data *d = result->data;
    const char *word = d->queries;
    const struct words *words = words_of(d->of);
    const bool steps = is_of_steps(d->of) && !is_of(d->of, STJ_GIVEN_SCALES);
    const size_t first = steps ? result->about.part.from : 0;
    const size_t n = d->n_numbers / d->width;
    fprintf(out, "influence of the %s of %zu %s%s%s", stj_given_words[d->of], n, words->all,
            n == 1 ? "" : "s", is_of(d->of, STJ_GIVEN_SCALES) ? " (0: tensors in no group)" : "");
    stj_print_part(out, &result->about.part);
    fputc('\n', out);
    for (size_t q = 0; q < d->n_queries; q++, word += strspn(word, " ")) {
        const size_t length = strcspn(word, " ");
        const double *x = d->n_norms ? d->norm + q * d->n_norms : d->influence + q * d->n_numbers;
        fprintf(out, "%.*s = %.10g\n", (int)length, word, d->value[q]);
        if (steps)
            fprintf(out, "all %s larger by 1 %%: %+.6g\n", stj_given_words[d->of],
                    all_rates(d, x) / 100);
        if (!d->n_norms)
            fprintf(out, "%s: %s lowers it\n", end_name(word, 0), words->more);
        if (!d->n_norms)
            print_end(out, d, first, x, -1);
        if (d->n_norms)
            fprintf(out, "samples whose %s move it most: norms of the derivatives\n",
                    stj_given_words[d->of]);
        else
            fprintf(out, "%s: %s raises it\n", end_name(word, 1), words->more);
        print_end(out, d, first, x, 1);
        word += length;
    }
    if (d->n_unseen > 0 && !is_of_steps(d->of))
        fprintf(out, "%zu samples are in no batch of these steps: their influence is exactly 0\n",
                d->n_unseen);
    if (d->has_check)
        print_checks(out, d);
    stj_print_cost(out, &result->about);
}

/* ---- the figure: steps and groups in their order; samples from the smallest on ---- */

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static enum stj_status make_figure(const struct stj_result *result, struct stj_chart *chart,
                                   struct stj_error *err)
{
    const struct influence_data *d = result->data;
    const bool rates = is_of_steps(d->of);
    const size_t n = d->n_norms ? d->n_norms : d->n_numbers;
    const size_t first = is_of(d->of, STJ_GIVEN_SCALES) ? 0 : result->about.part.from;
    const struct words *words = words_of(d->of);
    const char *word = d->queries;
    STJ_FREED double *x = NULL, *y = NULL;
    STJ_MUST(stj_new(&x, n, sizeof *x, err));
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    stj_chart_title(chart, "Derivative of the query with respect to the %s of each %s",
                    stj_given_words[d->of], words->one);
    stj_axis_name(&chart->x, rates ? words->one : "rank",
                  rates ? words->one : "sample, in this order");
    stj_axis_name(&chart->y, "influence", d->n_norms ? "norm of the derivatives" : "influence");
    if (!d->n_norms)
        stj_chart_limit(chart, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = (double)(i + (rates ? first : 1));
    for (size_t q = 0; q < d->n_queries; q++, word += strspn(word, " ")) {
        const size_t length = strcspn(word, " ");
        memcpy(y, (d->n_norms ? d->norm : d->influence) + q * n, n * sizeof *y);
        if (!rates)
            qsort(y, n, sizeof *y, compare_numbers);
        STJ_MUST(stj_chart_add(chart, STJ_CHART_LINE,
                               (enum stj_chart_colour)(q % STJ_CHART_N_COLOURS), n, x, y, err,
                               "%.*s", (int)length, word));
        word += length;
    }
    return STJ_OK;
}

/* ---- the contact sheet ---- */

/* Sample, influence; true and predicted class. */
static void write_caption(const struct influence_data *d, size_t sample, double x,
                          char caption[STJ_CHART_NAME_MAX])
{
    int n = snprintf(caption, STJ_CHART_NAME_MAX, "sample %zu: %.2g", sample, x);
    if (sample < d->n_labels && d->label[sample] == STJ_IGNORED_LABEL)
        snprintf(caption + n, STJ_CHART_NAME_MAX - (size_t)n, "\nno class");
    else if (sample < d->n_labels)
        snprintf(caption + n, STJ_CHART_NAME_MAX - (size_t)n, "\nclass %zu, predicted %zu",
                 d->label[sample], d->predicted[sample]);
}

/* Pictures from..to as a series. */
static enum stj_status add_pictures(const struct influence_data *d, size_t from, size_t to,
                                    enum stj_chart_colour colour, const char *key, const char *name,
                                    struct stj_chart *chart, struct stj_error *err)
{
    const double *all = d->n_norms ? d->norm : d->influence;
    double x[PICTURES], y[PICTURES];
    for (size_t i = from; i < to; i++) {
        x[i - from] = (double)d->pictures.sample[i];
        y[i - from] = all[d->pictures.sample[i]];
        write_caption(d, d->pictures.sample[i], y[i - from], chart->pictures.caption[i]);
    }
    STJ_MUST(stj_chart_add(chart, STJ_CHART_POINTS, colour, to - from, x, y, err, "%s", name));
    stj_chart_key(chart, key);
    return STJ_OK;
}

static enum stj_status make_sheet(const struct stj_result *result, struct stj_chart *chart,
                                  struct stj_error *err)
{
    const struct influence_data *d = result->data;
    const struct stj_influence_pictures *p = &d->pictures;
    const size_t samples = d->n_norms ? d->n_norms : d->n_numbers;
    char query[STJ_CHART_NAME_MAX], of[STJ_CHART_NAME_MAX], end[2][STJ_CHART_NAME_MAX];
    STJ_NEED(err, p->n > 0, STJ_EINVAL,
             "a contact sheet is of inputs that are images, and this result has none%s",
             is_of_steps(d->of) ? ": it is of no samples" : "");
    bool good = p->n_first <= PICTURES && p->n >= p->n_first && p->n - p->n_first <= PICTURES;
    for (size_t i = 0; good && i < p->n; i++)
        good = p->sample[i] < samples;
    STJ_NEED(err, good, STJ_EFORMAT,
             "the result's pictures are of samples that it has not: compute it again with --force");
    snprintf(of, sizeof of, "%.*s", (int)strcspn(d->queries, " "), d->queries);
    stj_chart_quote(of, query, sizeof query);
    stj_chart_title(chart, "Training samples whose %s move %s most", stj_given_words[d->of], query);
    stj_axis_name(&chart->x, "sample", "sample of the training set");
    stj_axis_name(&chart->y, "influence", d->n_norms ? "norm of the derivatives" : "influence");
    STJ_MUST(stj_influence_pictures_put(p, chart, err));
    for (int i = 0; i < 2; i++)
        snprintf(end[i], sizeof end[i], "%s: more weight %s it", end_name(d->queries, i),
                 i ? "raises" : "lowers");
    if (!d->n_norms)
        STJ_MUST(add_pictures(d, 0, p->n_first, STJ_CHART_GREEN, "lowers", end[0], chart, err));
    return add_pictures(d, p->n_first, p->n, STJ_CHART_VERMILLION, d->n_norms ? "moves" : "raises",
                        d->n_norms ? "largest norms of the derivatives" : end[1], chart, err);
}

static const struct stj_analysis_figure figures[] = {
    {"influence", "derivative of a query with respect to each weight or rate", make_figure},
    {"influence-images", "the images of the samples with the largest influence", make_sheet},
    {.doc = NULL},
};

const struct stj_analysis stj_analysis_influence = {
    .info = {.name = "influence",
             .doc = "what each sample, or each step's rate, did to a loss",
             .options = options,
             .config_size = sizeof(struct influence_config)},
    .description =
        "Differentiate a function of the trained parameters, such as the loss on the test data,\n"
        "through all steps of the training, with respect to the weight of each training sample in\n"
        "the loss, its inputs or targets, or the learning rate of each step.  The result is "
        "stored\n"
        "in RUN/influence.h5.  --check K retrains without some samples, to test how well the\n"
        "derivative predicts the effect.\n",
    .example = "  spectraj influence digits-run --top 5\n"
               "  spectraj influence digits-run --query logit:0,3\n"
               "  spectraj influence digits-run --of rates\n",
    .schema = schema,
    .result_size = sizeof(struct influence_data),
    .format = {.name = "spectraj-influence",
               .version = 1,
               .remedy = "compute it again with --force"},
    .complete = influence_complete,
    .columns = influence_columns,
    .predict = influence_predict,
    .covers = influence_covers,
    .compute = influence_compute,
    .view = influence_view,
    .print = influence_print,
    .figures = figures,
};
