/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/layer_subject.c: instances of every layer, and checked calls of their functions. */
#include "layer_subject.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options/yaml.h"
#include "expect.h"
#include "net/network_internal.h"

/* Instances. */

size_t subject_n_kinds(void)
{
    size_t n = 0;
    while (stj_layers.list[n])
        n++;
    return n;
}

size_t subject_n_seeds(void)
{
    const char *text = getenv("STJ_TEST_MULTIPLIER");
    const double multiplier = text ? atof(text) : 1;
    return (size_t)fmax(1, 40 * multiplier);
}

/* An instance of a layer without a sample: the layer alone, without options. */
static void default_sample(const char *name, struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"", "2, ", "3, 2, "};
    snprintf(text, size, "{input: [%s%zu], layers: [{type: %s}]}", outer[stj_rng_index(rng, 3)],
             1 + stj_rng_index(rng, 7), name);
}

/* A network is never without parameters or loss: the sample gets a dense layer behind, which is not
 * tested, and a loss, which is not called. */
static void complete(char *text, size_t size)
{
    char *end = strrchr(text, ']');
    ck_assert_msg(end, "not a sample: %s", text);
    snprintf(end, size - (size_t)(end - text),
             ", {type: dense, units: 1}], loss: softmax_cross_entropy}");
}

static void make_network(struct subject *s, const struct stj_layer_ops *ops)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_yaml_node *root = NULL;
    char text[sizeof s->text + 96];
    if (ops->sample)
        ops->sample(s->rng, s->text, sizeof s->text);
    else
        default_sample(ops->info.name, s->rng, s->text, sizeof s->text);
    snprintf(text, sizeof text, "%s", s->text);
    complete(text, sizeof text);
    EXPECT_OK(stj_yaml_parse(text, strlen(text), s->text, &root, &err), err);
    EXPECT_OK(stj_options_parse(stj_network_options, root, &s->config, &err), err);
    stj_yaml_destroy(root);
    EXPECT_OK(stj_network_create(&s->config, &s->net, &err), err);
}

static void add_tensor(struct stj_layout *layout, size_t rows, size_t cols)
{
    layout->tensor[layout->n_tensors++] =
        (struct stj_tensor_shape){.offset = layout->n_params, .rows = rows, .cols = cols};
    layout->n_params += rows * cols;
}

static void make_layouts(struct subject *s, const struct stj_shape *in2)
{
    const struct stj_layer *layer = s->layer;
    s->point.tensor = calloc(layer->n_tensors + 2, sizeof *s->point.tensor);
    s->out.tensor = calloc(1, sizeof *s->out.tensor);
    if (!layer->n_ids)
        add_tensor(&s->point, s->batch * stj_shape_positions(&layer->in),
                   stj_shape_cols(&layer->in));
    if (in2)
        add_tensor(&s->point, s->batch * stj_shape_positions(in2), stj_shape_cols(in2));
    for (size_t t = 0; t < layer->n_tensors; t++)
        add_tensor(&s->point, layer->tensor[t].rows, layer->tensor[t].cols);
    add_tensor(&s->out, s->batch * stj_shape_positions(&layer->out), stj_shape_cols(&layer->out));
}

static const struct stj_shape *input_shape(const struct stj_network *net, size_t node)
{
    return node == STJ_NETWORK_INPUT ? &net->input : &net->node[node].layer.out;
}

static void set_node(struct subject *s, const struct stj_node *node)
{
    const struct stj_layer *layer = s->layer = &node->layer;
    const struct stj_shape *in2 = layer->n_inputs == 2 ? input_shape(s->net, node->input[1]) : NULL;
    s->n_in = stj_shape_size(&layer->in);
    s->n_in2 = in2 ? stj_shape_size(in2) : 0;
    s->n_y1 = stj_shape_size(&layer->out);
    s->n_x = layer->n_ids ? 0 : s->batch * s->n_in;
    s->n_x2 = s->batch * s->n_in2;
    s->n_theta = layer->n_params;
    s->n = s->n_x + s->n_x2 + s->n_theta;
    s->n_y = s->batch * s->n_y1;
    make_layouts(s, in2);
    ck_assert_uint_eq(s->point.n_params, s->n);
    s->ids = layer->n_ids ? calloc(s->batch * s->n_in, sizeof *s->ids) : NULL;
    for (size_t i = 0; s->ids && i < s->batch * s->n_in; i++)
        s->ids[i] = (double)stj_rng_index(s->rng, layer->n_ids);
}

static void unset_node(struct subject *s)
{
    free(s->point.tensor);
    free(s->out.tensor);
    free(s->ids);
    s->point = s->out = (struct stj_layout){0};
    s->ids = NULL;
}

static void run_seed(size_t kind, uint64_t seed, void (*property)(struct subject *))
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_layer_ops *ops = (const struct stj_layer_ops *)stj_layers.list[kind];
    struct subject s = {.name = ops->info.name, .seed = seed, .batch = 1 + seed % 4};
    EXPECT_OK(stj_rng_create(seed, STJ_STREAM_DATA, kind, &s.rng, &err), err);
    s.nvec = 1 + stj_rng_index(s.rng, 5);
    s.step = stj_rng_index(s.rng, 100);
    make_network(&s, ops);
    ck_assert_uint_ge(s.net->n_nodes, 2);
    for (size_t i = 0; i + 1 < s.net->n_nodes; i++) {
        set_node(&s, &s.net->node[i]);
        property(&s);
        unset_node(&s);
    }
    stj_network_destroy(s.net);
    stj_options_free(stj_network_options, &s.config);
    stj_rng_destroy(s.rng);
}

void subject_each(size_t kind, void (*property)(struct subject *s))
{
    for (uint64_t seed = 0; seed < subject_n_seeds(); seed++)
        run_seed(kind, seed, property);
}

double *subject_normal(struct subject *s, size_t n)
{
    double *x = calloc(n + 1, sizeof *x);
    stj_rng_fill_normal(s->rng, n, x);
    return x;
}

void subject_expect(const struct subject *s, const char *property, double error, double bound)
{
    ck_assert_msg(error <= bound, "%s: %s: error %g > %g at %s, layer '%s', seed %llu, batch %zu",
                  s->name, property, error, bound, s->text, s->layer->label,
                  (unsigned long long)s->seed, s->batch);
}

double subject_rounding(const struct subject *s, double scale)
{
    return 4 * (double)(s->batch * s->n_in + s->n + s->n_y) * DBL_EPSILON * scale;
}

/* Checked calls. */

enum { MOST_BUFFERS = 16, GUARD = 8 };

struct buffer {
    double *p; /* n numbers and the guard */
    size_t n;
    const double *in; /* the original, which p must still equal; NULL: not an input */
    double *out;      /* where p goes; NULL: not an output */
    bool partial;     /* of the output some numbers may stay unset, if nobody reads them */
};

struct call {
    const struct subject *s;
    const char *what;
    size_t n;
    struct buffer buffer[MOST_BUFFERS];
};

static double *take(struct call *c, const double *in, double *out, size_t n, bool keep)
{
    struct buffer *b = &c->buffer[c->n++];
    ck_assert_uint_le(c->n, MOST_BUFFERS);
    *b = (struct buffer){malloc((n + GUARD) * sizeof *b->p), n, in, out, false};
    for (size_t i = 0; i < n + GUARD; i++)
        b->p[i] = NAN;
    const double *from = in ? in : keep ? out : NULL;
    if (from && n)
        memcpy(b->p, from, n * sizeof *from);
    return b->p;
}

static double *input(struct call *c, const double *in, size_t n)
{
    return in ? take(c, in, NULL, n, true) : NULL;
}

static double *output(struct call *c, double *out, size_t n, bool keep)
{
    return out ? take(c, NULL, out, n, keep) : NULL;
}

static double *scratch(struct call *c, size_t batch, size_t nvec)
{
    const struct stj_layer *layer = c->s->layer;
    const size_t n = layer->ops->n_scratch ? layer->ops->n_scratch(layer, batch, nvec) : 0;
    return take(c, NULL, NULL, n, false);
}

/* What the function may not have done; then outputs go home. */
static void finish(struct call *c)
{
    for (size_t k = 0; k < c->n; k++) {
        struct buffer *b = &c->buffer[k];
        size_t bad = 0;
        for (size_t i = b->n; i < b->n + GUARD; i++)
            bad += isnan(b->p[i]) ? 0 : 1;
        ck_assert_msg(bad == 0, "%s: %s writes beyond buffer %zu at %s, seed %llu", c->s->name,
                      c->what, k, c->s->text, (unsigned long long)c->s->seed);
        if (b->in && b->n)
            bad = memcmp(b->p, b->in, b->n * sizeof *b->p) != 0;
        ck_assert_msg(bad == 0, "%s: %s changes its input %zu at %s, seed %llu", c->s->name,
                      c->what, k, c->s->text, (unsigned long long)c->s->seed);
        for (size_t i = 0; b->out && !b->partial && i < b->n; i++)
            bad += isfinite(b->p[i]) ? 0 : 1;
        ck_assert_msg(bad == 0, "%s: %s leaves %zu of %zu outputs unset at %s, seed %llu",
                      c->s->name, c->what, bad, b->n, c->s->text, (unsigned long long)c->s->seed);
        if (b->out && b->n)
            memcpy(b->out, b->p, b->n * sizeof *b->p);
        free(b->p);
    }
}

struct range subject_whole(const struct subject *s)
{
    return (struct range){0, s->batch};
}

struct range subject_slice(const struct subject *s, size_t k)
{
    return k ? (struct range){s->cut, s->batch - s->cut} : (struct range){0, s->cut};
}

struct parts {
    double *x, *x2, *theta;
};

/* The parts of a tile of the point, x and x2 from the range's first sample on. */
static struct parts parts_of(const struct subject *s, struct range r, size_t nvec, unsigned wanted,
                             const double *tile)
{
    double *t = (double *)tile;
    return (struct parts){
        .x = t && s->n_x && (wanted & PART_X) ? t + r.first * s->n_in * nvec : NULL,
        .x2 = t && s->n_x2 && (wanted & PART_X2) ? t + (s->n_x + r.first * s->n_in2) * nvec : NULL,
        .theta = t && (wanted & PART_THETA) ? t + (s->n_x + s->n_x2) * nvec : NULL,
    };
}

/* The primal values of a range, as copies; outputs of forward are left to it. */
static struct stj_layer_values values(struct call *c, struct range r, const struct pass *p)
{
    const struct subject *s = c->s;
    const struct parts z = parts_of(s, r, 1, PART_ALL, p->z);
    return (struct stj_layer_values){
        .whole = s->batch,
        .batch = r.n,
        .first = r.first,
        .step = s->step,
        .theta = input(c, z.theta, s->n_theta),
        .x = input(c, s->ids ? s->ids + r.first * s->n_in : z.x, r.n * s->n_in),
        .x2 = input(c, z.x2, r.n * s->n_in2),
    };
}

/* The same with all that forward made, less what the layer forgets before `pass`; y_bar only for the
 * backward directions. */
static struct stj_layer_values all_values(struct call *c, struct range r, const struct pass *p,
                                          enum stj_pass pass)
{
    const struct subject *s = c->s;
    const size_t n_saved = s->layer->n_saved;
    const unsigned forgets = s->layer->forgets;
    const bool has_bar =
        pass == STJ_BACKWARD || (pass == STJ_BACKWARD_TANGENT && !(forgets & STJ_FORGETS_Y_BAR));
    struct stj_layer_values at = values(c, r, p);
    at.saved = input(c, p->saved + r.first * n_saved, r.n * n_saved);
    if (!(forgets & STJ_FORGETS_Y))
        at.y = input(c, p->y + r.first * s->n_y1, r.n * s->n_y1);
    if (has_bar)
        at.y_bar = input(c, p->y_bar + r.first * s->n_y1, r.n * s->n_y1);
    if (forgets & STJ_FORGETS_X)
        at.x = at.x2 = NULL;
    return at;
}

/* Tangents that a function gets. */
struct given {
    size_t nvec;
    unsigned parts;
    const double *u, *y_bar_dot;
};

/* record <- what a range leaves for the others before a pass. */
static void make_record(const struct subject *s, struct range r, const struct pass *p,
                        enum stj_pass pass, const struct given *given, size_t size, double *record)
{
    struct call c = {.s = s, .what = "record"};
    const struct stj_layer_values at =
        pass == STJ_FORWARD ? values(&c, r, p) : all_values(&c, r, p, pass);
    const size_t nvec = given->nvec;
    const struct parts dot = parts_of(s, r, nvec, given->parts, given->u);
    const double *x_dot = input(&c, dot.x, r.n * s->n_in * nvec);
    const double *ybd = given->y_bar_dot ? given->y_bar_dot + r.first * s->n_y1 * nvec : NULL;
    double *out = output(&c, record, size, false);
    c.buffer[c.n - 1].partial = true;
    s->layer->ops->record(s->layer, pass, nvec, out, &at, x_dot,
                          input(&c, ybd, r.n * s->n_y1 * nvec));
    finish(&c);
}

/* The slices of the batch meet before a pass of range r. */
static void meet(struct call *c, struct range r, const struct pass *p, enum stj_pass pass,
                 const struct given *given, struct stj_layer_values *at)
{
    const struct subject *s = c->s;
    const struct stj_layer *layer = s->layer;
    const size_t n = s->cut ? 2 : 1;
    if (!layer->ops->record)
        return;
    const size_t size = layer->ops->n_record(layer, given->nvec);
    double *record = calloc(n * size + 1, sizeof *record);
    for (size_t k = 0; k < n; k++)
        make_record(s, s->cut ? subject_slice(s, k) : r, p, pass, given, size, record + k * size);
    at->meeting = (struct stj_slice_sync){.n_slices = n,
                                          .slice = s->cut && r.first > 0,
                                          .stage = 1,
                                          .size = size,
                                          .record = take(c, record, NULL, n * size, true)};
    c->buffer[c->n - 1].in = NULL; /* its numbers go away here */
    free(record);
}

void subject_forward(const struct subject *s, struct range r, struct pass *p)
{
    struct call c = {.s = s, .what = "forward"};
    struct stj_layer_values at = values(&c, r, p);
    double *y = output(&c, p->y + r.first * s->n_y1, r.n * s->n_y1, false);
    at.y = y;
    at.saved = output(&c, p->saved + r.first * s->layer->n_saved, r.n * s->layer->n_saved, false);
    c.buffer[c.n - 1].partial = true;
    meet(&c, r, p, STJ_FORWARD, &(struct given){0}, &at);
    s->layer->ops->forward(s->layer, y, &at, scratch(&c, r.n, 1));
    finish(&c);
}

void subject_forward_tangent(const struct subject *s, struct range r, const struct pass *p,
                             size_t nvec, unsigned given, const double *u, double *y_dot)
{
    struct call c = {.s = s, .what = "forward_tangent"};
    struct stj_layer_values at = all_values(&c, r, p, STJ_FORWARD_TANGENT);
    const struct parts dot = parts_of(s, r, nvec, given | PART_THETA, u);
    meet(&c, r, p, STJ_FORWARD_TANGENT, &(struct given){nvec, given, u, NULL}, &at);
    const double *x_dot = input(&c, dot.x, r.n * s->n_in * nvec);
    const double *x2_dot = input(&c, dot.x2, r.n * s->n_in2 * nvec);
    const double *theta_dot = input(&c, dot.theta, s->n_theta * nvec);
    double *out = output(&c, y_dot + r.first * s->n_y1 * nvec, r.n * s->n_y1 * nvec, false);
    s->layer->ops->forward_tangent(s->layer, nvec, out, &at, x_dot, x2_dot, theta_dot,
                                   scratch(&c, r.n, nvec));
    finish(&c);
}

void subject_backward(const struct subject *s, struct range r, const struct pass *p, double beta,
                      unsigned wanted, double *bar)
{
    struct call c = {.s = s, .what = "backward"};
    const real betas[STJ_MAX_INPUTS] = {beta, beta};
    struct stj_layer_values at = all_values(&c, r, p, STJ_BACKWARD);
    const struct parts b = parts_of(s, r, 1, wanted, bar);
    meet(&c, r, p, STJ_BACKWARD, &(struct given){0}, &at);
    double *x_bar = output(&c, b.x, r.n * s->n_in, beta != 0);
    double *x2_bar = output(&c, b.x2, r.n * s->n_in2, beta != 0);
    double *theta_bar = output(&c, b.theta, s->n_theta, false);
    s->layer->ops->backward(s->layer, betas, x_bar, x2_bar, theta_bar, &at, scratch(&c, r.n, 1));
    finish(&c);
}

void subject_backward_tangent(const struct subject *s, struct range r, const struct pass *p,
                              size_t nvec, unsigned given, const double *u, const double *y_bar_dot,
                              double beta, unsigned wanted, double *bar_dot)
{
    struct call c = {.s = s, .what = "backward_tangent"};
    const real betas[STJ_MAX_INPUTS] = {beta, beta};
    struct stj_layer_values at = all_values(&c, r, p, STJ_BACKWARD_TANGENT);
    meet(&c, r, p, STJ_BACKWARD_TANGENT, &(struct given){nvec, given, u, y_bar_dot}, &at);
    const struct parts dot = parts_of(s, r, nvec, given | PART_THETA, u);
    const struct parts b = parts_of(s, r, nvec, wanted, bar_dot);
    const double *x_dot = input(&c, dot.x, r.n * s->n_in * nvec);
    const double *x2_dot = input(&c, dot.x2, r.n * s->n_in2 * nvec);
    const double *theta_dot = input(&c, dot.theta, s->n_theta * nvec);
    const double *ybd = input(&c, y_bar_dot + r.first * s->n_y1 * nvec, r.n * s->n_y1 * nvec);
    double *x_bar_dot = output(&c, b.x, r.n * s->n_in * nvec, beta != 0);
    double *x2_bar_dot = output(&c, b.x2, r.n * s->n_in2 * nvec, beta != 0);
    double *theta_bar_dot = output(&c, b.theta, s->n_theta * nvec, false);
    s->layer->ops->backward_tangent(s->layer, nvec, betas, x_bar_dot, x2_bar_dot, theta_bar_dot,
                                    &at, x_dot, x2_dot, theta_dot, ybd, scratch(&c, r.n, nvec));
    finish(&c);
}

struct pass subject_pass(const struct subject *s, const double *z, const double *y_bar)
{
    struct pass p = {
        .z = calloc(s->n + 1, sizeof(double)),
        .y_bar = calloc(s->n_y + 1, sizeof(double)),
        .y = calloc(s->n_y + 1, sizeof(double)),
        .saved = calloc(s->batch * s->layer->n_saved + 1, sizeof(double)),
    };
    memcpy(p.z, z, s->n * sizeof *z);
    memcpy(p.y_bar, y_bar, s->n_y * sizeof *y_bar);
    subject_forward(s, subject_whole(s), &p);
    return p;
}

void subject_pass_free(struct pass *p)
{
    free(p->z);
    free(p->y_bar);
    free(p->y);
    free(p->saved);
}
