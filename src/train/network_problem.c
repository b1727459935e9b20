/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/network_problem.c: a network, a data set and an order of batches as a problem.
 *
 * The linearisation of a step is the rows of its batch (size_t), their inputs, gathered, and the
 * network's own.
 *
 * Where a step has several micro-batches these are batches of their own, one behind the other in
 * the linearisation, and its loss is their mean:
 *
 *     L = sum_k a L_k,    g = sum_k a g_k,    H x = sum_k a H_k x        a = 1 / their number
 *
 * A slice goes through its pieces of them one by one.  Where the samples of a batch depend on each
 * other it is a number of whole ones, which need not meet others: a "row" is a micro-batch then.
 */
#include "train/network_problem.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/target_clones.h"
#include "parallel/parallel.h"
#include "train/single.h"

struct network_problem {
    const struct stj_network *net;
    const struct stj_dataset *data;
    struct stj_batch_order *order;
    size_t n_in;
    size_t max_rows;
    size_t accumulate; /* micro-batches of a step, at most; 1: it is one batch */
    size_t part_rows;  /* of one, at most */
    bool whole_parts;  /* slices are of whole micro-batches */
    enum stj_accumulate_mean mean;
    const double *weight; /* [samples], in the loss; NULL: all 1 */
    /* Of one that varies another: what it owns. */
    double *own_values;
    struct stj_dataset own_data;
    struct stj_network *own_net;
};

static size_t network_n_rows(const void *self, size_t step)
{
    const struct network_problem *p = self;
    return p->whole_parts ? stj_batch_order_parts(p->order, step)
                          : stj_batch_order_count(p->order, step);
}

/* Reals in the place of the rows of a batch. */
static size_t rows_reals(const struct network_problem *p)
{
    return p->max_rows * (sizeof(size_t) / sizeof(real));
}

/* Even: the rows of the next linearisation are aligned as these are. */
static size_t network_n_linear(const void *self)
{
    const struct network_problem *p = self;
    const size_t n =
        rows_reals(p) + p->max_rows * p->n_in + stj_network_n_linear(p->net, p->max_rows);
    return n + n % (sizeof(size_t) / sizeof(real));
}

/* The parts of a linearisation. */
static size_t *lin_rows(const real *lin)
{
    return (size_t *)(void *)lin;
}

static real *lin_inputs(const struct network_problem *p, const real *lin)
{
    return (real *)lin + rows_reals(p);
}

static real *lin_network(const struct network_problem *p, const real *lin)
{
    return lin_inputs(p, lin) + p->max_rows * p->n_in;
}

/* Numbers of a piece's share in what is accumulated, for nvec tangents: they lie before its own
 * scratch. */
static size_t share_size(const struct network_problem *p, size_t nvec)
{
    return p->accumulate > 1 ? stj_network_n_params(p->net) * (nvec ? nvec : 1) : 0;
}

static size_t network_n_scratch(const void *self, size_t n_rows, size_t nvec)
{
    const struct network_problem *p = self;
    if (p->accumulate > 1 && (p->whole_parts || n_rows > p->part_rows))
        n_rows = p->part_rows;
    return share_size(p, nvec) + stj_network_n_scratch(p->net, n_rows, nvec);
}

static size_t network_n_stages(const void *self)
{
    const struct network_problem *p = self;
    return p->whole_parts ? 1 : stj_network_n_stages(p->net);
}

static size_t network_n_record(const void *self, size_t nvec)
{
    const struct network_problem *p = self;
    return p->whole_parts ? 0 : stj_network_n_record(p->net, nvec);
}

/* b <- the batch of a step whose rows are all in one. */
static void whole_batch(const struct network_problem *p, size_t step, struct stj_slice slice,
                        const real *lin, struct stj_batch *b)
{
    *b = (struct stj_batch){
        .whole = network_n_rows(p, step),
        .first = slice.first,
        .batch = slice.n,
        .step = step,
        .meeting = slice.meeting,
        .x = lin_inputs(p, lin),
        .targets = {.row = lin_rows(lin), .label = p->data->labels, .value = p->data->targets},
        .sample_weight = p->weight,
        .given = slice.given,
        .curvature = slice.curvature,
    };
}

/* b <- the slice's piece of micro-batch k; false: it has none. */
static bool piece_batch(const struct network_problem *p, size_t step, struct stj_slice slice,
                        size_t k, const real *lin, struct stj_batch *b)
{
    size_t origin = 0;
    const size_t n = stj_batch_order_part(p->order, step, k, &origin);
    size_t from = slice.first, to = slice.first + slice.n;
    if (p->whole_parts) {
        const bool within = k >= from && k < to;
        from = within ? origin : 0;
        to = within ? origin + n : 0;
    }
    from = from > origin ? from : origin;
    to = to < origin + n ? to : origin + n;
    if (from >= to)
        return false;
    slice =
        (struct stj_slice){.first = from - origin, .n = to - from, .curvature = slice.curvature};
    whole_batch(p, step, slice, lin, b);
    b->whole = n;
    b->origin = origin;
    b->x += origin * p->n_in;
    b->targets.row += origin;
    return true;
}

/* The linearisation of the batch that begins there. */
static real *batch_linear(const struct network_problem *p, const struct stj_batch *b,
                          const real *lin)
{
    return lin_network(p, lin) + stj_network_n_linear(p->net, b->origin);
}

static void gather_rows(const struct stj_dataset *data, size_t n_in, size_t n, const size_t *row,
                        real *x)
{
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < n_in; c++)
            x[i * n_in + c] = (real)data->inputs[row[i] * n_in + c];
}

/* b->weight <- that of a batch, or of all of a step's micro-batches, where the loss says other than
 * 1 / whole. */
static enum stj_status set_weight(const struct network_problem *p, size_t step, struct stj_batch *b,
                                  struct stj_error *err)
{
    enum { CHUNK = 64 };
    const bool of_step = p->accumulate > 1 && p->mean == STJ_MEAN_OF_TOKENS;
    const size_t whole = of_step ? stj_batch_order_count(p->order, step) : b->whole;
    const size_t origin = of_step ? 0 : b->origin;
    const struct stj_loss_ops *loss = stj_network_loss(p->net);
    const void *config = stj_network_loss_config(p->net);
    const struct stj_shape *out = stj_network_output(p->net);
    struct stj_targets targets = b->targets;
    size_t row[CHUNK];
    double mass = 0;
    targets.row = row;
    const bool weighted = stj_loss_has_mass(loss, config, &targets);
    for (size_t first = 0; weighted && first < whole; first += CHUNK) {
        const size_t n = whole - first < CHUNK ? whole - first : CHUNK;
        STJ_MUST(stj_batch_order_rows(p->order, step, origin + first, n, row, err));
        mass += loss->mass(config, out, n, &targets);
    }
    STJ_NEED(err, !weighted || mass > 0, STJ_ECONFIG,
             "no label of %s of step %zu counts (all are ignored, or of classes of weight "
             "0): its mean loss is 0 / 0; leave such rows out, or take reduction: sum%s",
             p->accumulate > 1 && !of_step ? "a micro-batch" : "the batch", step,
             p->accumulate > 1 && !of_step ? ", or accumulate_mean: tokens" : "");
    b->weight = stj_loss_weight(loss, config, out, whole, weighted ? mass : (double)whole);
    if (of_step)
        b->weight *= (real)stj_batch_order_parts(p->order, step);
    return STJ_OK;
}

/* What the losses of a step's micro-batches are multiplied by. */
static real part_factor(const struct network_problem *p, size_t step)
{
    const bool fixed = p->mean == STJ_MEAN_FIXED;
    return 1 / (real)(fixed ? p->accumulate : stj_batch_order_parts(p->order, step));
}

/* y[n] <- beta y + a x; beta 0 does not read y. */
STJ_CLONES static void add_share(size_t n, real a, const real *restrict x, real beta,
                                 real *restrict y)
{
    if (beta == 0)
        for (size_t i = 0; i < n; i++)
            y[i] = a * x[i];
    else
        for (size_t i = 0; i < n; i++)
            y[i] += a * x[i];
}

/* lin <- the rows of the slice of a batch, and their inputs. */
static enum stj_status network_problem_gather(const struct network_problem *p,
                                              const struct stj_batch *b, real *lin,
                                              struct stj_error *err)
{
    const size_t first = b->origin + b->first;
    size_t *row = lin_rows(lin) + first;
    STJ_NEED(err, p->data->inputs, STJ_EINTERNAL, "the data were not read");
    if (b->meeting.stage > 0)
        return STJ_OK;
    STJ_MUST(stj_batch_order_rows(p->order, b->step, first, b->batch, row, err));
    gather_rows(p->data, p->n_in, b->batch, row, lin_inputs(p, lin) + first * p->n_in);
    return STJ_OK;
}

/* The slice's pieces of micro-batches, one by one. */
static enum stj_status linearize_pieces(const struct network_problem *p, size_t step,
                                        struct stj_slice slice, const real *theta, real *lin,
                                        double *loss, real *g, real *scratch, struct stj_error *err)
{
    const size_t n = share_size(p, 0);
    const real a = part_factor(p, step);
    struct stj_batch b;
    real beta = 0;
    double sum = 0;
    for (size_t k = 0; k < stj_batch_order_parts(p->order, step); k++) {
        double own = 0;
        if (!piece_batch(p, step, slice, k, lin, &b))
            continue;
        STJ_MUST(network_problem_gather(p, &b, lin, err));
        STJ_MUST(set_weight(p, step, &b, err));
        stj_network_linearize(p->net, &b, theta, batch_linear(p, &b, lin), &own, g ? scratch : NULL,
                              scratch + n);
        sum += (double)a * own;
        if (g)
            add_share(n, a, scratch, beta, g);
        beta = 1;
    }
    if (loss)
        *loss = sum;
    return STJ_OK;
}

static enum stj_status hvp_pieces(const struct network_problem *p, size_t step,
                                  struct stj_slice slice, const real *theta, const real *lin,
                                  size_t nvec, const real *x, real *y, real *scratch,
                                  struct stj_error *err)
{
    const size_t n = share_size(p, nvec);
    const real a = part_factor(p, step);
    struct stj_batch b;
    real beta = 0;
    for (size_t k = 0; k < stj_batch_order_parts(p->order, step); k++) {
        if (!piece_batch(p, step, slice, k, lin, &b))
            continue;
        STJ_MUST(set_weight(p, step, &b, err));
        stj_network_hvp(p->net, &b, theta, batch_linear(p, &b, lin), nvec, x, scratch, scratch + n);
        add_share(n, a, scratch, beta, y);
        beta = 1;
    }
    return STJ_OK;
}

static enum stj_status network_linearize(const void *self, size_t step, struct stj_slice slice,
                                         const real *theta, real *lin, double *loss, real *g,
                                         real *scratch, struct stj_error *err)
{
    const struct network_problem *p = self;
    struct stj_batch b;
    if (p->accumulate > 1)
        return linearize_pieces(p, step, slice, theta, lin, loss, g, scratch, err);
    whole_batch(p, step, slice, lin, &b);
    STJ_MUST(network_problem_gather(p, &b, lin, err));
    STJ_MUST(set_weight(p, step, &b, err));
    stj_network_linearize(p->net, &b, theta, lin_network(p, lin), loss, g, scratch);
    return STJ_OK;
}

static enum stj_status network_hvp(const void *self, size_t step, struct stj_slice slice,
                                   const real *theta, const real *lin, size_t nvec, const real *x,
                                   real *y, real *scratch, struct stj_error *err)
{
    const struct network_problem *p = self;
    struct stj_batch b;
    if (p->accumulate > 1)
        return hvp_pieces(p, step, slice, theta, lin, nvec, x, y, scratch, err);
    whole_batch(p, step, slice, lin, &b);
    STJ_MUST(set_weight(p, step, &b, err));
    stj_network_hvp(p->net, &b, theta, lin_network(p, lin), nvec, x, y, scratch);
    return STJ_OK;
}

static const char *network_suspect(const void *self, struct stj_slice slice, const real *y,
                                   const real *scratch)
{
    const struct network_problem *p = self;
    /* Of several pieces the scratch has the last one's: only y tells. */
    const struct stj_batch b = {.batch = p->accumulate > 1 ? 0 : slice.n};
    return stj_network_suspect(p->net, &b, y, scratch);
}

static bool network_switches(const void *self)
{
    const struct network_problem *p = self;
    for (size_t i = 0; i < stj_network_n_layers(p->net); i++)
        if (stj_network_layer(p->net, i, NULL)->ops->switches)
            return true;
    return stj_network_loss(p->net)->switches;
}

/* ---- what samples are given ---- */

static enum stj_status need_derivative(const struct network_problem *p, enum stj_given given,
                                       struct stj_error *err)
{
    const struct stj_loss_ops *loss = stj_network_loss(p->net);
    const struct stj_targets targets = {.label = p->data->labels};
    const struct stj_label_loss_config *labels = stj_network_loss_config(p->net);
    STJ_NEED(
        err, p->accumulate == 1, STJ_EUNSUPPORTED,
        "steps of several micro-batches (training.accumulate) have no derivatives with respect "
        "to %s: train with batches as large as theirs together",
        stj_given_name(given));
    STJ_NEED(err, given != STJ_GIVEN_INPUTS || stj_network_n_ids(p->net) == 0, STJ_EUNSUPPORTED,
             "inputs of this network are token numbers, which have no derivative: the rows of its "
             "embedding have, and they are parameters; ask for weights or targets");
    STJ_NEED(
        err, given != STJ_GIVEN_INPUTS || !stj_network_weighs(p->net), STJ_EUNSUPPORTED,
        "one of this network's inputs is its loss's sample_weights, and has no derivative as an "
        "input: ask for weights or targets");
    STJ_NEED(err, given != STJ_GIVEN_TARGETS || loss->by_target, STJ_EUNSUPPORTED,
             "the loss %s has no derivative with respect to targets: ask for weights or inputs",
             loss->info.name);
    STJ_NEED(err,
             given != STJ_GIVEN_TARGETS || !targets.label ||
                 (!labels->has_ignore &&
                  !stj_loss_has_mass(loss, stj_network_loss_config(p->net), &targets)),
             STJ_EUNSUPPORTED,
             "targets of a loss with ignore_index, or of a mean with class_weights, change what it "
             "divides by: take reduction: sum without ignore_index, or ask for weights or inputs");
    return STJ_OK;
}

/* Number i of the targets; of labels, 1 for the class. */
static double target_at(const struct network_problem *p, size_t i)
{
    const size_t cols = stj_shape_cols(stj_network_output(p->net));
    return p->data->targets ? p->data->targets[i] : p->data->labels[i / cols] == i % cols;
}

static enum stj_status network_given(const void *self, enum stj_given given,
                                     struct stj_given_shape *shape, struct stj_error *err)
{
    const struct network_problem *p = self;
    const struct stj_shape *in = stj_network_input(p->net), *out = stj_network_output(p->net);
    double sum = 0;
    STJ_MUST(need_derivative(p, given, err));
    *shape = (struct stj_given_shape){.n_samples = p->data->n_rows, .width = 1, .cols = 1};
    if (given == STJ_GIVEN_INPUTS || given == STJ_GIVEN_TARGETS) {
        shape->width = stj_shape_size(given == STJ_GIVEN_INPUTS ? in : out);
        shape->cols = stj_shape_cols(given == STJ_GIVEN_INPUTS ? in : out);
    }
    const size_t n = shape->n_samples * shape->width;
    for (size_t i = 0; p->data->inputs && i < n; i++) {
        const double x = given == STJ_GIVEN_INPUTS    ? p->data->inputs[i]
                         : given == STJ_GIVEN_TARGETS ? target_at(p, i)
                                                      : 1;
        sum += x * x;
    }
    shape->size = sqrt(sum / (double)n);
    return STJ_OK;
}

static const size_t *network_rows(const void *self, const real *lin)
{
    (void)self;
    return lin_rows(lin);
}

static void network_destroy(void *self)
{
    struct network_problem *p = self;
    if (!p)
        return;
    free(p->own_values);
    stj_network_destroy(p->own_net);
    free(p);
}
STJ_HOLDS(struct network_problem, network_destroy)

/* p->own_values <- what was given and the shift, in its place. */
static enum stj_status shift_given(struct network_problem *p, enum stj_given given,
                                   const double *shift, struct stj_error *err)
{
    struct stj_given_shape shape;
    STJ_MUST(network_given(p, given, &shape, err));
    const size_t n = shape.n_samples * shape.width;
    STJ_MUST(stj_new(&p->own_values, n, sizeof *p->own_values, err));
    for (size_t i = 0; i < n; i++)
        p->own_values[i] = shift[i] + (given == STJ_GIVEN_INPUTS    ? p->data->inputs[i]
                                       : given == STJ_GIVEN_TARGETS ? target_at(p, i)
                                                                    : 1);
    if (given == STJ_GIVEN_WEIGHTS) {
        p->weight = p->own_values;
        return STJ_OK;
    }
    p->own_data = *p->data;
    if (given == STJ_GIVEN_INPUTS) {
        p->own_data.inputs = p->own_values;
    } else {
        p->own_data.targets = p->own_values;
        p->own_data.n_targets = shape.width;
        p->own_data.labels = NULL;
        p->own_data.n_labels = 0;
    }
    p->data = &p->own_data;
    return STJ_OK;
}

static enum stj_status network_vary(const void *self, enum stj_given given, const double *shift,
                                    void **varied, struct stj_error *err)
{
    STJ_HELD(network_destroy_at) struct network_problem *p = NULL;
    STJ_MUST(stj_new(&p, 1, sizeof *p, err));
    *p = *(const struct network_problem *)self;
    p->own_values = NULL;
    p->own_net = NULL;
    if (shift)
        STJ_MUST(shift_given(p, given, shift, err));
    if (!shift && given == STJ_GIVEN_INPUTS) {
        STJ_MUST(stj_network_create_moving(p->net, &p->own_net, err));
        p->net = p->own_net;
    }
    *varied = p;
    p = NULL;
    return STJ_OK;
}

#ifndef STJ_SINGLE
static enum stj_status network_single(const void *self, size_t n_steps, struct stj_single **single,
                                      struct stj_error *err)
{
    const struct network_problem *p = self;
    return stj_single_create(stj_network_config_of(p->net), stj_network_frozen(p->net), p->data,
                             p->order, n_steps, single, err);
}
#endif

static const struct stj_problem_ops network_ops = {
    .destroy = network_destroy,
    .n_rows = network_n_rows,
    .n_linear = network_n_linear,
    .n_scratch = network_n_scratch,
    .n_stages = network_n_stages,
    .n_record = network_n_record,
    .linearize = network_linearize,
    .hvp = network_hvp,
    .suspect = network_suspect,
    .switches = network_switches,
    .given = network_given,
    .rows = network_rows,
    .vary = network_vary,
#ifndef STJ_SINGLE
    .single = network_single,
#endif
};

/* Does each position have probabilities, as exact as half precision holds them? */
static enum stj_status check_probabilities(const struct stj_network *net,
                                           const struct stj_dataset *data, struct stj_error *err)
{
    const struct stj_loss_ops *loss = stj_network_loss(net);
    const size_t cols = stj_shape_cols(stj_network_output(net));
    const size_t positions = stj_shape_positions(stj_network_output(net));
    const struct stj_label_loss_config *config = stj_network_loss_config(net);
    STJ_NEED(err, !loss->wants_labels || !config->has_ignore, STJ_ECONFIG,
             "ignore_index is for class labels, the data have target probabilities: leave it out");
    for (size_t i = 0; i < data->n_rows * positions; i++) {
        double sum = 0;
        for (size_t k = 0; k < cols; k++)
            sum += data->targets[i * cols + k];
        STJ_NEED(
            err, fabs(sum - 1) <= 2e-3, STJ_ECONFIG,
            "the targets of sample %zu, position %zu (from 0), have the sum %g: the loss %s takes "
            "probabilities, of sum 1",
            i / positions, i % positions, sum, loss->info.name);
    }
    return STJ_OK;
}

/* Do the target values fit the outputs, and the range that the loss takes? */
static enum stj_status check_targets(const struct stj_network *net, const struct stj_dataset *data,
                                     struct stj_error *err)
{
    const struct stj_loss_ops *loss = stj_network_loss(net);
    const size_t n_out = stj_shape_size(stj_network_output(net));
    char text[96];
    STJ_NEED(err, data->targets, STJ_ECONFIG,
             "the loss %s needs target values, the data have class labels: give targets, or use a "
             "loss of labels",
             loss->info.name);
    STJ_NEED(err, data->n_targets == n_out, STJ_ECONFIG,
             "the data have %zu target values a sample, the network's output %s has %zu",
             data->n_targets, stj_shape_text(stj_network_output(net), text), n_out);
    if (loss->probabilities)
        STJ_MUST(check_probabilities(net, data, err));
    if (loss->min_target == 0 && loss->max_target == 0)
        return STJ_OK;
    for (size_t i = 0; i < data->n_rows * n_out; i++)
        STJ_NEED(err, data->targets[i] >= loss->min_target && data->targets[i] <= loss->max_target,
                 STJ_ECONFIG,
                 "target %zu of sample %zu is %g, the loss %s takes values from %g to %g",
                 i % n_out, i / n_out, data->targets[i], loss->info.name, loss->min_target,
                 loss->max_target);
    return STJ_OK;
}

/* Do the class numbers fit the outputs, one for each position? */
static enum stj_status check_labels(const struct stj_network *net, const struct stj_dataset *data,
                                    struct stj_error *err)
{
    const size_t positions = stj_shape_positions(stj_network_output(net));
    char text[96];
    const struct stj_label_loss_config *config = stj_network_loss_config(net);
    const size_t cols = stj_shape_cols(stj_network_output(net));
    STJ_NEED(err, !config->class_weights.n || config->class_weights.n == cols, STJ_ECONFIG,
             "class_weights has %zu numbers, the network's output %s has %zu classes",
             config->class_weights.n, stj_shape_text(stj_network_output(net), text), cols);
    if (data->targets && stj_network_loss(net)->probabilities) {
        STJ_MUST(check_targets(net, data, err));
        return STJ_OK;
    }
    STJ_NEED(err, data->labels, STJ_ECONFIG,
             "the loss %s needs class labels, the data have none: give label_column or labels",
             stj_network_loss(net)->info.name);
    STJ_NEED(
        err, data->n_labels == positions, STJ_ECONFIG,
        "the network's output %s has %zu positions a sample, the data %zu labels: give a label "
        "for each position, or flatten before the last layer",
        stj_shape_text(stj_network_output(net), text), positions, data->n_labels);
    return stj_dataset_check_classes(data, cols, err);
}

enum stj_status stj_network_check_data(const struct stj_network *net,
                                       const struct stj_dataset *data, struct stj_error *err)
{
    const size_t n_in = stj_shape_size(stj_network_input(net));
    char text[96];
    STJ_NEED(err, data->n_features == n_in, STJ_ECONFIG,
             "the data have %zu features a sample, the network's input %s needs %zu",
             data->n_features, stj_shape_text(stj_network_input(net), text), n_in);
    if (stj_network_n_ids(net))
        STJ_MUST(stj_dataset_check_ids(data, stj_network_ids(net), err));
    if (stj_network_loss(net)->wants_labels)
        STJ_MUST(check_labels(net, data, err));
    else
        STJ_MUST(check_targets(net, data, err));
    return STJ_OK;
}

/* A slice of fewer rows would make products too thin to be worth a thread; every position of a
 * sample is a row of them. */
static size_t least_rows(const struct stj_network *net)
{
    enum { LEAST_PRODUCT_ROWS = 32 };
    const size_t positions = stj_network_positions(net);
    return (LEAST_PRODUCT_ROWS + positions - 1) / positions;
}

enum stj_status stj_network_problem_create(const struct stj_network *net,
                                           const struct stj_dataset *data,
                                           struct stj_batch_order *order, size_t n_steps,
                                           struct stj_problem **problem, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_problem *p = NULL;
    struct network_problem *self = NULL;
    const struct stj_batch_order_settings *settings = stj_batch_order_settings(order);
    STJ_TRY(stj_new(&p, 1, sizeof *p, err));
    p->ops = &network_ops;
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    p->self = self;
    *self = (struct network_problem){.net = net,
                                     .data = data,
                                     .order = order,
                                     .n_in = data->n_features,
                                     .max_rows = stj_batch_order_most(order, n_steps),
                                     .accumulate = settings->accumulate,
                                     .mean = settings->mean};
    self->part_rows = settings->batch_size < self->max_rows ? settings->batch_size : self->max_rows;
    self->whole_parts = self->accumulate > 1 && stj_network_couples_samples(net);
    if (data->inputs)
        STJ_TRY(stj_network_check_data(net, data, err));
    p->n_steps = n_steps;
    p->max_rows = self->whole_parts ? stj_batch_order_most_parts(order, n_steps) : self->max_rows;
    p->layout = stj_network_layout(net);
    p->least_rows = self->whole_parts ? 1 : least_rows(net);
    *problem = p;
    p = NULL;
out:
    stj_problem_destroy(p);
    return st;
}

/* Outputs of one item whose largest is the label's, among the items of a slice; *n_items += those
 * with a label that counts. */
static size_t count_correct(const struct stj_network *net, const struct stj_dataset *data,
                            size_t batch, const size_t *row, const real *z, size_t *n_items)
{
    const size_t cols = stj_shape_cols(stj_network_output(net));
    const size_t positions = stj_shape_positions(stj_network_output(net));
    size_t correct = 0;
    for (size_t r = 0; r < batch * positions; r++) {
        const size_t label = data->labels[row[r / positions] * positions + r % positions];
        size_t best = 0;
        for (size_t k = 1; k < cols; k++)
            if (z[r * cols + k] > z[r * cols + best])
                best = k;
        correct += best == label;
        *n_items += label != STJ_IGNORED_LABEL;
    }
    return correct;
}

/* Work space of an evaluation in chunks of at most `chunk` samples. */
struct evaluation_work {
    size_t chunk;
    size_t *row;
    real *x, *theta, *lin, *z, *scratch;
};

static void evaluation_work_free(struct evaluation_work *w)
{
    free(w->row);
    free(w->x);
    free(w->theta);
    free(w->lin);
    free(w->z);
    free(w->scratch);
}

/* Samples that are evaluated at once. */
static size_t evaluation_chunk(const struct stj_network *net, const struct stj_dataset *data)
{
    enum { MOST_SAMPLES = 256, MOST_REALS = 1 << 24 };
    const size_t of_one = stj_network_n_linear(net, 1);
    const size_t chunk =
        of_one < MOST_REALS / MOST_SAMPLES ? MOST_SAMPLES : MOST_REALS / of_one + 1;
    const bool all = stj_network_couples_samples(net) || data->n_rows < chunk;
    return all ? data->n_rows : chunk;
}

size_t stj_evaluation_bytes(const struct stj_network *net, const struct stj_dataset *data)
{
    const size_t chunk = evaluation_chunk(net, data);
    const size_t of_one = data->n_features + stj_shape_size(stj_network_output(net));
    return sizeof(real) * (chunk * of_one + stj_network_n_linear(net, chunk) +
                           stj_network_n_scratch(net, chunk, 0) + stj_network_n_params(net));
}

static enum stj_status evaluation_work_init(struct evaluation_work *w,
                                            const struct stj_network *net,
                                            const struct stj_dataset *data, struct stj_error *err)
{
    const size_t chunk = evaluation_chunk(net, data);
    w->chunk = chunk;
    STJ_MUST(stj_new(&w->row, chunk, sizeof *w->row, err));
    STJ_MUST(stj_new(&w->x, chunk * data->n_features, sizeof *w->x, err));
    STJ_MUST(stj_new(&w->theta, stj_network_n_params(net), sizeof *w->theta, err));
    STJ_MUST(stj_new(&w->lin, stj_network_n_linear(net, chunk), sizeof *w->lin, err));
    STJ_MUST(stj_new(&w->z, chunk * stj_shape_size(stj_network_output(net)), sizeof *w->z, err));
    return stj_new(&w->scratch, stj_network_n_scratch(net, chunk, 0), sizeof *w->scratch, err);
}

/* b->weight <- of a chunk of an evaluation; returns what its mean loss counts among those of
 * others: samples, or their mass. */
static double set_chunk_weight(const struct stj_network *net, struct stj_batch *b)
{
    const struct stj_loss_ops *loss = stj_network_loss(net);
    const void *config = stj_network_loss_config(net);
    const struct stj_shape *out = stj_network_output(net);
    const bool weighted = stj_loss_has_mass(loss, config, &b->targets);
    const double mass =
        weighted ? loss->mass(config, out, b->batch, &b->targets) : (double)b->batch;
    b->weight = stj_loss_weight(loss, config, out, b->whole, mass > 0 ? mass : 1);
    return mass;
}

enum stj_status stj_evaluate(const struct stj_network *net, const struct stj_dataset *data,
                             const double *theta, struct stj_evaluation *result,
                             struct stj_error *err)
{
    STJ_HELD(evaluation_work_free) struct evaluation_work w = {0};
    const struct stj_loss_config *config = stj_network_loss_config(net);
    const bool sum = config->reduction == STJ_REDUCE_SUM;
    double loss = 0, mass = 0;
    size_t correct = 0, items = 0;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_MUST(stj_blas_prepare(err));
    STJ_MUST(stj_network_check_data(net, data, err));
    STJ_MUST(evaluation_work_init(&w, net, data, err));
    for (size_t i = 0; i < stj_network_n_params(net); i++)
        w.theta[i] = (real)theta[i];
    for (size_t first = 0; first < data->n_rows; first += w.chunk) {
        const size_t n = data->n_rows - first < w.chunk ? data->n_rows - first : w.chunk;
        struct stj_batch b = {
            .whole = n,
            .batch = n,
            .evaluate = true,
            .x = w.x,
            .targets = {.row = w.row, .label = data->labels, .value = data->targets}};
        double mean = 0;
        for (size_t i = 0; i < n; i++)
            w.row[i] = first + i;
        const double share = set_chunk_weight(net, &b);
        gather_rows(data, data->n_features, n, w.row, w.x);
        stj_network_evaluate(net, &b, w.theta, w.lin, w.z, &mean, w.scratch);
        loss += sum ? mean : mean * share;
        mass += share;
        if (data->labels)
            correct += count_correct(net, data, n, w.row, w.z, &items);
    }
    result->loss = sum ? loss : loss / mass;
    result->accuracy = data->labels && items ? (double)correct / (double)items : NAN;
    return STJ_OK;
}

/* g += share * the gradient of a chunk, and *loss so. */
static void add_chunk(const struct stj_network *net, const struct evaluation_work *w,
                      const struct stj_batch *b, double share, real *g, double *loss, double *sum)
{
    double mean = 0;
    stj_network_linearize(net, b, w->theta, w->lin, &mean, g, w->scratch);
    *loss += share * mean;
    for (size_t i = 0; sum && i < stj_network_n_params(net); i++)
        sum[i] += share * (double)g[i];
}

enum stj_status stj_evaluate_gradient(const struct stj_network *net, const struct stj_dataset *data,
                                      size_t n, const size_t *row, const double *theta,
                                      double *loss, double *gradient, struct stj_error *err)
{
    STJ_HELD(evaluation_work_free) struct evaluation_work w = {0};
    STJ_FREED real *g = NULL;
    const size_t n_params = stj_network_n_params(net), count = row ? n : data->n_rows;
    const struct stj_loss_config *config = stj_network_loss_config(net);
    const bool sum = config->reduction == STJ_REDUCE_SUM;
    double mass = 0;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_MUST(stj_blas_prepare(err));
    STJ_MUST(evaluation_work_init(&w, net, data, err));
    STJ_MUST(stj_new(&g, n_params, sizeof *g, err));
    for (size_t i = 0; i < n_params; i++)
        w.theta[i] = (real)theta[i];
    for (size_t i = 0; gradient && i < n_params; i++)
        gradient[i] = 0;
    *loss = 0;
    for (size_t first = 0; first < count; first += w.chunk) {
        const size_t m = count - first < w.chunk ? count - first : w.chunk;
        struct stj_batch b = {
            .whole = m,
            .batch = m,
            .evaluate = true,
            .x = w.x,
            .targets = {.row = w.row, .label = data->labels, .value = data->targets}};
        for (size_t i = 0; i < m; i++)
            w.row[i] = row ? row[first + i] : first + i;
        const double share = set_chunk_weight(net, &b);
        gather_rows(data, data->n_features, m, w.row, w.x);
        add_chunk(net, &w, &b, sum ? 1 : share, g, loss, gradient);
        mass += share;
    }
    STJ_NEED(err, sum || mass > 0, STJ_EINVAL,
             "no label of these rows counts: their mean loss is 0 / 0");
    for (size_t i = 0; !sum && gradient && i < n_params; i++)
        gradient[i] /= mass;
    *loss /= sum ? 1 : mass;
    return STJ_OK;
}
