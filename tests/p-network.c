/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-network.c: properties of gradients, Hessian-vector products and training Jacobians of
 * whole networks.  Each is checked on every network of the table, seeded; failures print the seed. */
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <spectraj/progress.h>

#include "base/blas.h"
#include "parallel/parallel.h"
#include "expect.h"
#include "op/difference.h"
#include "net/parameter_map.h"
#include "small_run.h"

static const struct small_spec specs[] = {
    /* clipped at every step, and at some */
    {.network = "{input: [7], layers: [{type: dense, units: 6}, tanh, {type: dense, units: 4}], "
                "loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.3}",
     .clip_norm = 0.05,
     .rows = 96,
     .batch = 32,
     .steps = 12,
     .seed = 11},
    {.network = "{input: [7], layers: [{type: dense, units: 6}, tanh, {type: dense, units: 4}], "
                "loss: softmax_cross_entropy}",
     .optimizer = "{type: adam, eps_root: 1e-8}",
     .schedule = "{schedule: constant, peak: 0.01}",
     .clip_norm = 0.6,
     .rows = 96,
     .batch = 32,
     .steps = 12,
     .seed = 12},
    {.network = "{input: [7], layers: [{type: dense, units: 6}, gelu, {type: dense, units: 4}], "
                "loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: cosine, peak: 0.1}",
     .rows = 96,
     .batch = 32,
     .steps = 12,
     .seed = 1},
    {.network =
         "{input: [5], layers: [{type: dense, units: 9, bias_init: {type: normal, stddev: "
         "0.5}}, gelu, {type: dense, units: 8, bias: false}, gelu, {type: dense, units: 3}], "
         "loss: softmax_cross_entropy}",
     .optimizer = "sgd",
     .schedule = "{schedule: constant, peak: 0.2}",
     .rows = 70,
     .batch = 35,
     .steps = 9,
     .seed = 2},
    {.network = "{input: [6], layers: [gelu, {type: dense, units: 5}, gelu, {type: dense, "
                "units: 2}], loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.5}",
     .schedule = "{schedule: constant, peak: 0.2}",
     .rows = 64,
     .batch = 32,
     .steps = 6,
     .seed = 3},
    {.network = "{input: [6], layers: [{type: dense, units: 7}, gelu, {type: dense, units: 3}], "
                "loss: {type: softmax_cross_entropy, label_smoothing: 0.1}, l2: 0.01}",
     .optimizer = "{type: sgd, momentum: 0.9, nesterov: true, weight_decay: 0.05}",
     .schedule = "{schedule: warmup, warmup_steps: 3, start: 0.1, then: {schedule: cosine, peak: "
                 "0.1}}",
     .rows = 80,
     .batch = 40,
     .steps = 10,
     .seed = 4},
    {.network = "{input: [6], layers: [{type: dense, units: 8}, gelu, {type: dense, units: 3}], "
                "loss: mean_squared_error}",
     .optimizer = "{type: adam, weight_decay: 0.01}",
     .schedule = "{schedule: one_cycle, peak: 0.02}",
     .rows = 80,
     .batch = 40,
     .steps = 10,
     .seed = 5},
    {.network = "{input: [5], layers: [{type: dense, units: 8}, gelu, {type: dense, units: 4}], "
                "loss: binary_cross_entropy}",
     .optimizer = "{type: adamw, eps_root: 1e-8}",
     .schedule = "{schedule: polynomial, peak: 0.01, power: 2}",
     .rows = 70,
     .batch = 35,
     .steps = 10,
     .seed = 6},
    {.network = "{input: [5], layers: [{type: dense, units: 6}, gelu, {type: dense, units: 3}], "
                "loss: softmax_cross_entropy}",
     .optimizer = "{type: rmsprop, alpha: 0.9, momentum: 0.5, centered: true, eps: 1e-3}",
     .schedule = "{schedule: step, peak: 0.01, every: 4}",
     .rows = 64,
     .batch = 32,
     .steps = 8,
     .seed = 7},
    /* A transformer of two blocks, one of them causal, with a label for every token. */
    {.network =
         "{input: [5], layers: [{type: embedding, vocabulary: 7, width: 4}, positions, "
         "{type: residual, layers: [layer_norm, {type: attention, heads: 2, causal: true}]}, "
         "{type: residual, layers: [layer_norm, {type: dense, units: 6}, gelu, {type: dense, "
         "units: 4}]}, "
         "{type: residual, layers: [layer_norm, {type: attention, heads: 2, bias: false}]}, "
         "{type: residual, layers: [layer_norm, {type: dense, units: 6}, gelu, {type: dense, "
         "units: 4}]}, layer_norm, {type: dense, units: 7}], loss: softmax_cross_entropy}",
     .optimizer = "{type: adamw, eps: 1e-3}",
     .schedule = "{schedule: warmup, warmup_steps: 3, start: 0.1, then: {schedule: cosine, peak: "
                 "0.02}}",
     .rows = 48,
     .batch = 16,
     .steps = 8,
     .seed = 8},
    {.network = "{input: [6], layers: [{type: dense, units: 5}, {type: residual, layers: [tanh, "
                "{type: dense, units: 5}, {type: residual, layers: [silu, {type: dense, units: 5}, "
                "softplus]}]}, {type: gelu, form: erf}, {type: dense, units: 4}, {type: residual, "
                "layers: [sigmoid]}], loss: mean_squared_error}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.02}",
     .rows = 64,
     .batch = 32,
     .steps = 10,
     .seed = 9},
    {.network =
         "{input: [3, 4], layers: [{type: dense, units: 5, bias: false}, batch_norm, silu, "
         "flatten, {type: dense, units: 6}, batch_norm, tanh, {type: dense, units: 3}], loss: "
         "softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.05}",
     .rows = 70,
     .batch = 35,
     .steps = 8,
     .seed = 10},
    {.network =
         "{input: [5], layers: [{type: dense, units: 9}, gelu, {type: dropout, rate: 0.3, "
         "seed: 5}, {type: dense, units: 7}, tanh, {type: dropout, rate: 0.5}, {type: dense, "
         "units: 4}], loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 64,
     .batch = 32,
     .steps = 10,
     .seed = 11},
    /* Branches that meet: a value read by three, a projection beside the body, a gate, values side by
     * side; one branch begins anew at the data and moves nothing before its first parameter. */
    {.network =
         "{input: [6], layers: [{type: dense, units: 5, name: a}, tanh, {type: dense, units: 4, "
         "name: b}, {type: residual, input: a, layers: [{type: dense, units: 4}, silu, {type: add, "
         "inputs: [silu4, b]}], shortcut: [{type: dense, units: 4, bias: false}]}, {type: tanh, "
         "input: data, name: c}, {type: slice, from: 2, name: d}, {type: multiply, inputs: "
         "[residual7, d]}, {type: concat, inputs: [multiply10, b, a, c]}, {type: dense, units: "
         "3}], "
         "loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 64,
     .batch = 32,
     .steps = 10,
     .seed = 13},
    /* Squeeze-excite over positions, and batch statistics on two branches. */
    {.network =
         "{input: [3, 4], layers: [{type: dense, units: 5, name: a}, {type: global_average_pool}, "
         "{type: dense, units: 3}, silu, {type: dense, units: 5}, {type: sigmoid, name: gate}, "
         "{type: multiply, inputs: [a, gate]}, {type: batch_norm, name: p}, {type: batch_norm, "
         "input: a, name: q}, {type: add, inputs: [p, q, a]}, {type: concat, inputs: [add9, q], "
         "axis: positions}, transpose, {type: dense, units: 2}, {type: reshape, shape: [10]}, "
         "{type: dense, units: 3}], loss: mean_squared_error}",
     .optimizer = "{type: adamw, eps: 1e-3}",
     .schedule = "{schedule: constant, peak: 0.02}",
     .rows = 70,
     .batch = 35,
     .steps = 8,
     .seed = 14},
    /* Matrix factorisation: two columns of numbers of two vocabularies; the product of their rows,
     * squared by itself, with a part that is used twice. */
    {.network =
         "{input: [2], layers: [{type: slice, to: 1}, {type: embedding, vocabulary: 5, width: "
         "3, name: user}, {type: slice, input: data, from: 1}, {type: embedding, vocabulary: "
         "7, width: 3, name: item}, {type: multiply, inputs: [user, item], name: m}, {type: "
         "multiply, inputs: [m, m]}, {type: add, inputs: [multiply5, m]}, {type: dense, "
         "units: 2}, {type: select, position: 0}], loss: mean_squared_error}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.05}",
     .rows = 64,
     .batch = 32,
     .steps = 10,
     .seed = 15},
    /* Output layer and embedding are one table, transposed; a normalisation in the middle is frozen,
     * a projection of attention is shared by two blocks. */
    {.network =
         "{input: [5], layers: [{type: embedding, vocabulary: 7, width: 4, name: wte}, positions, "
         "{type: residual, layers: [layer_norm, {type: attention, heads: 2, causal: true, name: "
         "one}]}, {type: residual, layers: [{type: layer_norm, trainable: false}, {type: "
         "attention, "
         "heads: 2, name: two, share: {out.kernel: one.out.kernel, qkv.bias: one.qkv.bias}}]}, "
         "layer_norm, {type: dense, units: 7, share: {kernel: wte.table}}], loss: "
         "softmax_cross_entropy, l2: 0.01}",
     .optimizer = "{type: adamw, eps: 1e-3}",
     .schedule = "{schedule: constant, peak: 0.02}",
     .rows = 48,
     .batch = 16,
     .steps = 8,
     .seed = 16},
    /* A siamese pair, whose layers are one; a square kernel and its transpose, and that of that. */
    {.network =
         "{input: [8], layers: [{type: slice, to: 4}, {type: dense, units: 4, name: a}, tanh, "
         "{type: "
         "dense, units: 4, bias: false, name: b, share: {kernel: a.kernel.T}}, {type: slice, "
         "input: "
         "data, from: 4}, {type: dense, units: 4, name: c, share: {kernel: a.kernel, bias: "
         "a.bias}}, "
         "tanh, {type: dense, units: 4, share: {kernel: b.kernel.T}, bias: true, name: d}, {type: "
         "multiply, inputs: [b, d]}, {type: dense, units: 3}], loss: softmax_cross_entropy}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 64,
     .batch = 32,
     .steps = 10,
     .seed = 17},
    /* Adapters of low rank beside a frozen base, of which biases are trained too, with a frozen
     * kernel that two share; batch statistics behind frozen parameters. */
    {.network =
         "{input: [3, 5], layers: [{type: dense, units: 6, name: base0}, {type: dense, units: 2, "
         "bias: false, name: lora_a0, input: data}, {type: dense, units: 6, bias: false, name: "
         "lora_b0}, {type: add, inputs: [base0, lora_b0]}, {type: batch_norm, name: bn}, tanh, "
         "{type: "
         "dense, units: 6, name: base1}, tanh, {type: dense, units: 6, name: base2, share: "
         "{kernel: "
         "base1.kernel}}, flatten, {type: dense, units: 3}], trainable: ['lora_*', '*.bias', "
         "'dense*', bn.scale], loss: mean_squared_error, l2: 0.01}",
     .optimizer = "{type: sgd, momentum: 0.9, weight_decay: 0.05}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 70,
     .batch = 35,
     .steps = 8,
     .seed = 18},
    /* All before the last layer is frozen: nothing of it has a tangent. */
    {.network =
         "{input: [6], layers: [{type: dense, units: 5, name: a, trainable: false}, tanh, {type: "
         "dense, units: 4}, {type: residual, input: tanh1, trainable: false, layers: [{type: "
         "dense, "
         "units: 4}], shortcut: [{type: dense, units: 4}]}, {type: multiply, inputs: [residual5, "
         "dense2]}, {type: dense, units: 3}], loss: softmax_cross_entropy}",
     .optimizer = "{type: adamw, eps: 1e-3}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 64,
     .batch = 32,
     .steps = 10,
     .seed = 19},
    /* Inputs by name: one read twice, one that multiplies, weights of samples; and of positions. */
    {.network =
         "{inputs: {mask: [5], x: [2, 3], w: [1]}, layers: [{type: dense, units: 5, input: x, "
         "name: "
         "a}, tanh, {type: flatten, name: flat}, {type: dense, units: 5}, {type: multiply, inputs: "
         "[dense6, mask]}, {type: concat, inputs: [multiply7, mask]}, {type: dense, units: 3}], "
         "loss: {type: softmax_cross_entropy, sample_weights: w}, l2: 0.01}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.1}",
     .rows = 70,
     .batch = 35,
     .steps = 8,
     .seed = 20},
    {.network = "{inputs: {w: [4], x: [4, 3]}, layers: [{type: dense, units: 5, input: x}, tanh, "
                "{type: dense, units: 2}], loss: {type: mean_squared_error, sample_weights: w, "
                "reduction: sum}}",
     .optimizer = "{type: sgd, momentum: 0.9}",
     .schedule = "{schedule: constant, peak: 0.01}",
     .rows = 64,
     .batch = 32,
     .steps = 8,
     .seed = 21},
};

enum { N_TABLE = sizeof specs / sizeof specs[0], N_RANDOM = 4, N_SPECS = N_TABLE + N_RANDOM };

/* ---- random graphs ---- */

/* A network of layers of width 4, each of which reads any before it; what nobody has read in the end
 * is put side by side.  Dense layers have kernels and biases in common with earlier ones, as they are
 * or transposed, or are frozen. */
struct graph {
    char text[4096];
    size_t used, n, seed;
    bool read[24], dense[24], bias[24];
};

static size_t draw(struct graph *g, size_t n)
{
    g->seed = (16807 * g->seed) % 2147483647;
    return g->seed / 7 % n;
}

__attribute__((format(printf, 2, 3))) static void say(struct graph *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g->used += (size_t)vsnprintf(g->text + g->used, sizeof g->text - g->used, format, args);
    va_end(args);
    ck_assert_uint_lt(g->used, sizeof g->text);
}

/* A layer before, or the data. */
static void say_input(struct graph *g)
{
    const size_t i = draw(g, g->n + 1);
    if (i == g->n)
        say(g, "data");
    else
        say(g, "n%zu", i);
    if (i < g->n)
        g->read[i] = true;
}

static void say_dense(struct graph *g)
{
    const size_t other = draw(g, g->n + 1);
    const bool shares = other < g->n && g->dense[other] && draw(g, 3) > 0;
    const bool frozen = !shares && draw(g, 4) == 0;
    g->dense[g->n] = true;
    g->bias[g->n] = draw(g, 3) > 0;
    say(g, "type: dense, units: 4, bias: %s, input: ", g->bias[g->n] ? "true" : "false");
    say_input(g);
    if (shares && g->bias[g->n] && g->bias[other] && draw(g, 2))
        say(g, ", share: {kernel: n%zu.kernel, bias: n%zu.bias}", other, other);
    else if (shares)
        say(g, ", share: {kernel: n%zu.kernel%s}", other, draw(g, 2) ? ".T" : "");
    else if (frozen)
        say(g, ", trainable: false");
}

static void say_layer(struct graph *g)
{
    static const char *const plain[] = {"tanh", "silu", "layer_norm"};
    const size_t kind = g->n ? draw(g, 6) : 0;
    say(g, "%s{name: n%zu, ", g->n ? ", " : "", g->n);
    if (kind < 3) {
        say_dense(g);
    } else if (kind == 3) {
        say(g, "type: %s, input: ", plain[draw(g, 3)]);
        say_input(g);
    } else {
        say(g, "type: %s, inputs: [", kind == 4 ? "add" : "multiply");
        for (size_t i = 0, n = 2 + draw(g, 2); i < n; i++) {
            say(g, "%s", i ? ", " : "");
            say_input(g);
        }
        say(g, "]");
    }
    say(g, "}");
    g->n++;
}

static void draw_network(struct graph *g, size_t seed)
{
    size_t n_ends = 0;
    *g = (struct graph){.seed = 1000 + seed};
    say(g, "{input: [4], layers: [");
    while (g->n < 16)
        say_layer(g);
    say(g, ", {type: concat, inputs: [data");
    for (size_t i = 0; i < g->n; i++)
        if (!g->read[i]) {
            say(g, ", n%zu", i);
            n_ends++;
        }
    say(g, "]}, layer_norm, {type: dense, units: 3}], loss: softmax_cross_entropy, l2: 0.01}");
    ck_assert_uint_gt(n_ends, 0); /* the last of them at least */
}

/* The network of a test's number: one of the table, or a random one. */
static const struct small_spec *spec_of(int i)
{
    static struct graph g;
    static struct small_spec made;
    if (i < N_TABLE)
        return &specs[i];
    draw_network(&g, (size_t)i);
    made = (struct small_spec){.network = g.text,
                               .optimizer = "{type: sgd, momentum: 0.9}",
                               .schedule = "{schedule: constant, peak: 0.02}",
                               .rows = 64,
                               .batch = 32,
                               .steps = 6,
                               .seed = (uint64_t)i};
    return &made;
}

/* A problem at one point of its trajectory. */
struct point {
    struct small_run *run;
    struct stj_gradient_work *work;
    double *theta;
    double *lin, *scratch;
    struct stj_slice whole;
};

static void point_linearize(struct point *p)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_problem *problem = p->run->problem;
    EXPECT_OK(problem->ops->linearize(problem->self, 0, p->whole, p->theta, p->lin, NULL, NULL,
                                      p->scratch, &err),
              err);
}

static void point_init(struct point *p, const struct small_spec *spec, size_t nvec)
{
    struct stj_error err = STJ_ERROR_INIT;
    p->run = small_run_create(spec);
    const struct stj_problem *problem = p->run->problem;
    p->whole = (struct stj_slice){.n = problem->max_rows};
    p->theta = p->run->state;
    EXPECT_OK(stj_gradient_work_create(problem, &p->work, &err), err);
    p->lin = calloc(problem->ops->n_linear(problem->self), sizeof *p->lin);
    p->scratch = calloc(problem->ops->n_scratch(problem->self, problem->max_rows, nvec) + 1,
                        sizeof *p->scratch);
    point_linearize(p);
}

static void point_free(struct point *p)
{
    stj_gradient_work_destroy(p->work);
    free(p->lin);
    free(p->scratch);
    small_run_destroy(p->run);
}

static double gradient_at(struct point *p, const double *theta, double *g)
{
    struct stj_error err = STJ_ERROR_INIT;
    double loss = 0;
    EXPECT_OK(stj_problem_gradient(p->run->problem, 0, theta, &loss, g, p->work, &err), err);
    return loss;
}

/* y (N x nvec) <- H x at the point, through tiles. */
static void hvp(struct point *p, size_t nvec, const double *x, double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_problem *problem = p->run->problem;
    const size_t n = p->run->n;
    double *tile = calloc(2 * n * nvec, sizeof *tile);
    stj_block_pack(problem->layout, nvec, x, n, tile);
    EXPECT_OK(problem->ops->hvp(problem->self, 0, p->whole, p->theta, p->lin, nvec, tile,
                                tile + n * nvec, p->scratch, &err),
              err);
    stj_block_unpack(problem->layout, nvec, tile + n * nvec, y, n);
    free(tile);
}

/* Central differences of the loss have error h^2 L'''/6 + eps L/h: with h = eps^(1/3) of order
 * eps^(2/3) = 4e-11; 1e-8 leaves room for the third derivative. */
START_TEST(gradient_is_the_slope_of_the_loss)
{
    struct point p = {0};
    point_init(&p, spec_of(_i), 1);
    const size_t n = p.run->n;
    const double h = cbrt(DBL_EPSILON);
    double *x = normal_numbers(n, spec_of(_i)->seed + 100);
    double *g = calloc(n, sizeof *g);
    double *theta = calloc(n, sizeof *theta);
    double side[2];
    gradient_at(&p, p.theta, g);
    const double slope = stj_dot(n, g, x);
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < n; i++)
            theta[i] = p.theta[i] + (s ? -h : h) * x[i];
        side[s] = gradient_at(&p, theta, NULL);
    }
    const double difference = (side[0] - side[1]) / (2 * h);
    ck_assert_msg(fabs(difference - slope) <= 1e-8 * stj_nrm2(n, x),
                  "network %d, seed %zu: slope %.17g, difference %.17g", _i,
                  (size_t)spec_of(_i)->seed, slope, difference);
    free(x);
    free(g);
    free(theta);
    point_free(&p);
}
END_TEST

/* |g(theta + h x) - g(theta) - h H x| = O(h^2): halving h must divide it by 4. */
START_TEST(hvp_has_a_taylor_remainder_of_slope_two)
{
    struct point p = {0};
    point_init(&p, spec_of(_i), 1);
    const size_t n = p.run->n;
    double *x = normal_numbers(n, spec_of(_i)->seed + 200);
    double *g = calloc(4 * n, sizeof *g); /* g, Hx, g(theta + h x), theta + h x */
    double remainder[5];
    gradient_at(&p, p.theta, g);
    hvp(&p, 1, x, g + n);
    for (int k = 0; k < 5; k++) {
        const double h = 1e-4 / pow(2, k);
        for (size_t i = 0; i < n; i++)
            g[3 * n + i] = p.theta[i] + h * x[i];
        gradient_at(&p, g + 3 * n, g + 2 * n);
        for (size_t i = 0; i < n; i++)
            g[2 * n + i] -= g[i] + h * g[n + i];
        remainder[k] = stj_nrm2(n, g + 2 * n);
    }
    for (int k = 0; k + 1 < 5; k++) {
        const double slope = log2(remainder[k] / remainder[k + 1]);
        ck_assert_msg(fabs(slope - 2) < 0.05, "network %d, seed %zu: slope %g at h = %g", _i,
                      (size_t)spec_of(_i)->seed, slope, 1e-4 / pow(2, k));
    }
    free(x);
    free(g);
    point_free(&p);
}
END_TEST

/* <x, H y> = <H x, y> and columns of a block equal single products, to the rounding of sums of at
 * most N + batch terms: 4 (N + batch) eps of the norms. */
START_TEST(hvp_is_symmetric_and_blocks_agree_with_columns)
{
    enum { K = 5 };
    struct point p = {0};
    point_init(&p, spec_of(_i), K);
    const size_t n = p.run->n;
    const double eps = 4 * (double)(n + p.whole.n) * DBL_EPSILON;
    double *x = normal_numbers(n * K, spec_of(_i)->seed + 300);
    double *y = calloc(n * K, sizeof *y);
    double *one = calloc(n, sizeof *one);
    hvp(&p, K, x, y);
    for (size_t j = 0; j < K; j++) {
        const double norm = stj_nrm2(n, y + j * n);
        hvp(&p, 1, x + j * n, one);
        ck_assert_msg(largest_difference(n, y + j * n, one) <= eps * norm,
                      "network %d: column %zu differs by %g", _i, j,
                      largest_difference(n, y + j * n, one));
        const double left = stj_dot(n, x, y + j * n);
        const double right = stj_dot(n, y, x + j * n);
        ck_assert_msg(fabs(left - right) <= eps * stj_nrm2(n, x) * norm * 2,
                      "network %d: asymmetry %g", _i, left - right);
    }
    free(x);
    free(y);
    free(one);
    point_free(&p);
}
END_TEST

/* g <- the gradient of the first step and y[n] <- H x, as sums over n_slices slices, made stage by stage in an order
 * that changes from stage to stage, into a linearisation of their own.  The product finds nothing of the first pass in
 * the scratch. */
static void in_slices(struct point *p, size_t n_slices, double *x, double *g, double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_problem *problem = p->run->problem;
    const struct stj_problem_ops *ops = problem->ops;
    const size_t n = p->run->n, rows = problem->max_rows;
    const size_t n_stages = stj_problem_n_stages(problem, n_slices);
    const size_t n_scratch = ops->n_scratch(problem->self, rows, 1);
    double *lin = calloc(ops->n_linear(problem->self), sizeof *lin);
    double *scratch = calloc(n_slices * n_scratch + 1, sizeof *scratch);
    double *record = calloc(stj_problem_n_records(problem, n_slices, 1) + 1, sizeof *record);
    double *share = calloc(n_slices * n, sizeof *share);
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; pass && i < n_slices * n_scratch; i++)
            scratch[i] = NAN;
        for (size_t i = 0; i < n_stages * n_slices; i++) {
            const size_t stage = i / n_slices, s = (i + 3 * stage) % n_slices;
            const size_t first = rows * s / n_slices;
            const struct stj_slice slice = {
                .first = first,
                .n = rows * (s + 1) / n_slices - first,
                .meeting = {n_slices, s, stage, stj_problem_n_record(problem, pass), record}};
            double loss = 0, *own = scratch + s * n_scratch;
            EXPECT_OK(pass ? ops->hvp(problem->self, 0, slice, p->theta, lin, 1, x, share + s * n,
                                      own, &err)
                           : ops->linearize(problem->self, 0, slice, p->theta, lin, &loss,
                                            share + s * n, own, &err),
                      err);
        }
        stj_reduce(n, n_slices, share, n, pass ? y : g);
    }
    free(lin);
    free(scratch);
    free(record);
    free(share);
}

/* However a batch is sliced, gradient and product are those of the whole, to the rounding of sums of at most
 * N + batch terms, of which statistics of the batch are some. */
START_TEST(slices_add_up_to_the_whole)
{
    struct point p = {0};
    point_init(&p, spec_of(_i), 1);
    const size_t n = p.run->n;
    double *x = normal_numbers(n, spec_of(_i)->seed + 600);
    double *want = calloc(4 * n, sizeof *want); /* gradient, Hx, and both in slices */
    in_slices(&p, 1, x, want, want + n);
    for (size_t n_slices = 2; n_slices <= 5; n_slices++) {
        in_slices(&p, n_slices, x, want + 2 * n, want + 3 * n);
        for (size_t k = 0; k < 2; k++) {
            const double eps = 16 * (double)(n + p.whole.n) * DBL_EPSILON;
            const double error = largest_difference(n, want + k * n, want + (2 + k) * n);
            ck_assert_msg(error <= eps * stj_nrm2(n, want + k * n),
                          "network %d, seed %zu, %zu slices: %s differs by %g", _i,
                          (size_t)spec_of(_i)->seed, n_slices, k ? "H x" : "the gradient", error);
        }
    }
    free(x);
    free(want);
    point_free(&p);
}
END_TEST

static void apply(struct stj_op *op, enum stj_trans trans, size_t nvec, const double *x, double *y)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_op_n_rows(op);
    EXPECT_OK(stj_op_apply(op, trans, nvec, x, n, y, n, &err), err);
}

/* The same bits with one thread and with three, and with memory for all steps, for some or the least
 * that will do; the columns of other tile widths agree to rounding. */
START_TEST(jacobian_products_have_the_same_bits)
{
    enum { K = 11 };
    struct small_run *run = small_run_create(spec_of(_i));
    const size_t n = run->n;
    double *x = normal_numbers(n * K, spec_of(_i)->seed + 400);
    double *want = calloc(n * K, sizeof *want);
    double *got = calloc(n * K, sizeof *got);
    const size_t least = small_run_least_memory(run, 0, 0);
    for (int trans = 0; trans < 2; trans++)
        for (size_t nvec = 1; nvec <= K; nvec += K - 1) {
            stj_set_threads(1);
            struct stj_op *reference = small_run_jacobian(run, 0, 0, (size_t)1 << 30, 0);
            apply(reference, (enum stj_trans)trans, nvec, x, want);
            for (size_t threads = 1; threads <= 3; threads++)
                for (size_t memory = least; memory <= 16 * least; memory *= 4) {
                    stj_set_threads(threads);
                    struct stj_op *op = small_run_jacobian(run, 0, 0, memory, 0);
                    for (int again = 0; again < 2; again++) {
                        apply(op, (enum stj_trans)trans, nvec, x, got);
                        ck_assert_msg(memcmp(want, got, n * nvec * sizeof *got) == 0,
                                      "network %d, trans %d, %zu vectors, %zu threads, memory %zu",
                                      _i, trans, nvec, threads, memory);
                    }
                    stj_op_destroy(op);
                }
            stj_op_destroy(reference);
        }
    free(x);
    free(want);
    free(got);
    small_run_destroy(run);
}
END_TEST

/* J(0 -> n) x from the window, against J' and against whole trainings. */
START_TEST(jacobian_is_the_derivative_of_training)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(spec_of(_i));
    for (size_t from = 0; from <= run->n_steps / 2; from += run->n_steps / 2) {
        struct stj_op *op = small_run_jacobian(run, from, 0, 0, 0);
        double adjoint = 1;
        struct stj_difference difference = {.error = 1};
        EXPECT_OK(stj_op_adjoint_error(op, 5, 17, &adjoint, &err), err);
        EXPECT_OK(stj_difference_check(op, 17, 1e-7, &difference, NULL, &err), err);
        ck_assert_msg(adjoint <= 1e-13, "network %d: adjoint error %g", _i, adjoint);
        ck_assert_msg(difference.error <= 1e-7 && difference.n_steps == 0,
                      "network %d: difference %g at h = %g, %zu single steps", _i, difference.error,
                      difference.step, difference.n_steps);
        stj_op_destroy(op);
    }
    small_run_destroy(run);
}
END_TEST

/* A limit that no difference can meet sends the check to single steps, which must then agree. */
START_TEST(single_steps_are_differenced_where_whole_trainings_disagree)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(spec_of(_i));
    struct stj_op *op = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_difference difference = {.error = 1};
    EXPECT_OK(stj_difference_check(op, 18, 0, &difference, NULL, &err), err);
    ck_assert_msg(difference.agrees && difference.resolution > 0,
                  "network %d: difference %g at h = %g, known to %g", _i, difference.error,
                  difference.step, difference.resolution);
    ck_assert_msg(difference.error > 0 && difference.error <= 1e-6 &&
                      difference.n_steps == (run->n_steps < 8 ? run->n_steps : 8),
                  "network %d: difference %g at h = %g, %zu single steps", _i, difference.error,
                  difference.step, difference.n_steps);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

START_TEST(blocks_of_the_jacobian_agree_with_the_dense_matrix)
{
    enum { K = 3 };
    struct stj_error err = STJ_ERROR_INIT;
    struct small_run *run = small_run_create(spec_of(_i));
    struct stj_op *op = small_run_jacobian(run, 0, 0, 0, 2);
    struct stj_op *dense = NULL;
    const size_t n = run->n;
    double *a = calloc(n * n, sizeof *a);
    double *x = normal_numbers(n * K, spec_of(_i)->seed + 500);
    double *y = calloc(n * K, sizeof *y);
    double *z = calloc(n * K, sizeof *z);
    EXPECT_OK(stj_op_densify(op, 7, a, n, NULL, &err), err);
    EXPECT_OK(stj_op_create_dense(n, n, a, n, &dense, &err), err);
    for (int trans = 0; trans < 2; trans++) {
        apply(op, (enum stj_trans)trans, K, x, y);
        apply(dense, (enum stj_trans)trans, K, x, z);
        /* sums of N terms of a matrix whose norm is at most its Frobenius norm */
        const double bound = (double)n * DBL_EPSILON * stj_nrm2(n * n, a) * stj_nrm2(n * K, x);
        ck_assert_msg(largest_difference(n * K, y, z) <= bound, "network %d, trans %d: %g > %g", _i,
                      trans, largest_difference(n * K, y, z), bound);
    }
    ck_assert_double_eq(stj_op_get_counts(op).jvp, (double)(n + K));
    free(a);
    free(x);
    free(y);
    free(z);
    stj_op_destroy(dense);
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

/* One network in three ways: tensors in common; each with its own, equal ones; and those of which
 * some are frozen. */
#define WITH(b, h, rest)                                                                           \
    {                                                                                              \
        .network =                                                                                 \
            "{input: [5], layers: [{type: embedding, vocabulary: 7, width: 4, name: e}, {type: "   \
            "dense, units: 4, name: a}, tanh, {type: dense, units: 4, name: b" b "}, {type: "      \
            "dense, units: 7, name: h" h "}], loss: softmax_cross_entropy" rest "}",               \
        .optimizer = "sgd", .schedule = "{schedule: constant, peak: 0.1}", .rows = 32,             \
        .batch = 32, .steps = 1, .seed = 21                                                        \
    }
static const struct small_spec tied =
    WITH(", share: {kernel: a.kernel.T, bias: a.bias}", ", share: {kernel: e.table}", "");
static const struct small_spec untied = WITH("", "", "");
static const struct small_spec partly =
    WITH("", ", trainable: false", ", trainable: [a, b.kernel]");
#undef WITH

static struct stj_parameter parameter_of(const struct stj_network *net, const char *name)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_parameter_layout ours = {0};
    struct stj_parameter p;
    for (size_t i = 0; i < stj_network_n_tensors(net); i++) {
        EXPECT_OK(stj_network_parameter(net, &ours, i, &p, &err), err);
        if (strcmp(p.name, name) == 0)
            return p;
    }
    ck_abort_msg("no tensor %s", name);
}

/* to[k] <- where number k of the parameters of `untied` is among those of `tied`. */
static void match(const struct stj_network *with, const struct stj_network *without, size_t *to)
{
    static const struct {
        const char *own, *place;
        size_t rows; /* 0: not transposed */
    } pairs[] = {{"e.table", "e.table", 0}, {"a.kernel", "a.kernel", 0},
                 {"a.bias", "a.bias", 0},   {"b.kernel", "a.kernel", 4},
                 {"b.bias", "a.bias", 0},   {"h.kernel", "e.table", 4},
                 {"h.bias", "h.bias", 0}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const struct stj_parameter own = parameter_of(without, pairs[i].own);
        const struct stj_parameter place = parameter_of(with, pairs[i].place);
        const size_t rows = pairs[i].rows, cols = rows ? own.n / rows : 0;
        ck_assert_uint_eq(own.n, place.n);
        for (size_t k = 0; k < own.n; k++)
            to[own.offset + k] = place.offset + (rows ? k % cols * rows + k / cols : k);
    }
}

static void expect_close(const char *what, size_t n, const double *x, const double *y)
{
    /* sums of at most 32 x 5 x 7 terms, in two orders */
    const double bound = 2000 * DBL_EPSILON * stj_nrm2(n, y);
    ck_assert_msg(largest_difference(n, x, y) <= bound, "%s differs by %g", what,
                  largest_difference(n, x, y));
}

START_TEST(shared_tensors_sum_the_derivatives_of_equal_ones)
{
    struct point p = {0}, q = {0};
    point_init(&p, &tied, 1);
    point_init(&q, &untied, 1);
    const size_t n = p.run->n, m = q.run->n;
    size_t *to = calloc(m, sizeof *to);
    double *x = normal_numbers(n, 77);
    double *big = calloc(3 * m, sizeof *big), *got = calloc(2 * n, sizeof *got);
    match(p.run->net, q.run->net, to);
    ck_assert_uint_eq(m, n + 16 + 4 + 28);
    for (size_t k = 0; k < m; k++) {
        q.theta[k] = p.theta[to[k]];
        big[k] = x[to[k]];
    }
    point_linearize(&q);
    const double loss = gradient_at(&q, q.theta, big + m);
    hvp(&q, 1, big, big + 2 * m);
    double *want = calloc(2 * n, sizeof *want);
    for (size_t k = 0; k < m; k++) {
        want[to[k]] += big[m + k];
        want[n + to[k]] += big[2 * m + k];
    }
    ck_assert_double_eq_tol(gradient_at(&p, p.theta, got), loss, 1e-13);
    hvp(&p, 1, x, got + n);
    expect_close("the gradient", n, got, want);
    expect_close("H x", n, got + n, want + n);
    free(to);
    free(x);
    free(big);
    free(got);
    free(want);
    point_free(&p);
    point_free(&q);
}
END_TEST

/* The gradient and H of trained tensors are parts of those of all, at the same frozen values; which
 * are drawn as they are where they are trained. */
START_TEST(frozen_tensors_leave_a_part_of_the_derivatives)
{
    static const char *const trained[] = {"a.bias", "a.kernel", "b.kernel"};
    struct point p = {0}, q = {0};
    point_init(&p, &partly, 1);
    point_init(&q, &untied, 1);
    const size_t n = p.run->n, m = q.run->n;
    double *x = calloc(m, sizeof *x), *y = calloc(2 * m, sizeof *y);
    double *some = calloc(3 * n, sizeof *some), *drawn = normal_numbers(n, 78);
    ck_assert_uint_eq(stj_network_n_trained(p.run->net), 3);
    ck_assert_uint_eq(n, 16 + 4 + 16);
    ck_assert_uint_eq(stj_network_n_frozen(p.run->net), m - n);
    memcpy(some, drawn, n * sizeof *some);
    for (int i = 0; i < 3; i++) {
        const struct stj_parameter of_all = parameter_of(q.run->net, trained[i]);
        const struct stj_parameter own = parameter_of(p.run->net, trained[i]);
        ck_assert(!own.frozen);
        memcpy(x + of_all.offset, some + own.offset, own.n * sizeof *x);
        ck_assert(memcmp(p.theta + own.offset, q.theta + of_all.offset, own.n * sizeof *x) == 0);
    }
    ck_assert(gradient_at(&p, p.theta, some + n) == gradient_at(&q, q.theta, y));
    hvp(&p, 1, some, some + 2 * n);
    hvp(&q, 1, x, y + m);
    for (int i = 0; i < 3; i++) {
        const struct stj_parameter of_all = parameter_of(q.run->net, trained[i]);
        const struct stj_parameter own = parameter_of(p.run->net, trained[i]);
        expect_close(own.name, own.n, some + n + own.offset, y + of_all.offset);
        expect_close(own.name, own.n, some + 2 * n + own.offset, y + m + of_all.offset);
    }
    free(x);
    free(y);
    free(some);
    free(drawn);
    point_free(&p);
    point_free(&q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("networks");
    TCase *tc = tcase_create("properties");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, gradient_is_the_slope_of_the_loss, 0, N_SPECS);
    tcase_add_loop_test(tc, hvp_has_a_taylor_remainder_of_slope_two, 0, N_SPECS);
    tcase_add_loop_test(tc, hvp_is_symmetric_and_blocks_agree_with_columns, 0, N_SPECS);
    tcase_add_loop_test(tc, slices_add_up_to_the_whole, 0, N_SPECS);
    tcase_add_loop_test(tc, jacobian_products_have_the_same_bits, 0, N_SPECS);
    tcase_add_loop_test(tc, jacobian_is_the_derivative_of_training, 0, N_SPECS);
    tcase_add_loop_test(tc, single_steps_are_differenced_where_whole_trainings_disagree, 0,
                        N_SPECS);
    tcase_add_loop_test(tc, blocks_of_the_jacobian_agree_with_the_dense_matrix, 0, N_SPECS);
    tcase_add_test(tc, shared_tensors_sum_the_derivatives_of_equal_ones);
    tcase_add_test(tc, frozen_tensors_leave_a_part_of_the_derivatives);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
