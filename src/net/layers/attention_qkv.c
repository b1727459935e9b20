/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention_qkv.c: the projection of an attention's input to queries, keys and values.
 *
 * U = x W + 1 b' as a dense layer, and then, where that is asked for, to each head's part [d] of the
 * queries and of the keys:
 *
 *     norm    u <- s h,  h the part as a row of layer_norm.c or rms_norm, s [d] learned, one for the
 *             queries (q_scale) and one for the keys (k_scale)
 *     rope    pairs (a, b) of numbers are turned by position times w_k, w_k = base^(-k/n) for pair k
 *             of n (Su et al. 2021):  a <- a cos - b sin,  b <- b cos + a sin
 *
 * Rotations are linear and orthogonal: tangents are turned alike, adjoints back.  Saved of a sample:
 * h [positions][parts][d], then r [positions][parts], cos and sin [positions][n][2].  In the
 * tangent of backward the norm needs the tangent of its input, which is made again.
 */
#include "net/layers/attention.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/target_clones.h"
#include "net/layers/dense.h"
#include "net/layers/norm.h"

struct view {
    size_t rows, width; /* of a sample: positions; columns of U */
    size_t parts, d;    /* heads of the queries and of the keys, in the first parts * d columns */
    size_t n_queries;   /* of the parts */
    size_t n_pairs;     /* that turn, in each part */
    bool norm, centred, neighbours;
    double eps;
    size_t scale; /* offset of q_scale, after which k_scale comes */
};

static struct view view_of(const struct stj_layer *layer)
{
    const struct stj_attention_config *config = layer->config;
    const size_t width = stj_shape_cols(&layer->in);
    struct view v = {
        .rows = stj_shape_positions(&layer->in),
        .width = width + 2 * (width / config->heads) * stj_attention_kv(config),
        .parts = config->heads + stj_attention_kv(config),
        .d = width / config->heads,
        .n_queries = config->heads,
        .norm = config->qk_norm != STJ_QK_NONE,
        .centred = config->qk_norm == STJ_QK_LAYER,
        .neighbours = config->rope.pairs == 1,
        .eps = config->eps,
    };
    if (config->has_rope)
        v.n_pairs = (size_t)(config->rope.fraction * (double)v.d / 2 + 1e-9);
    v.scale = (width + (config->bias ? 1 : 0)) * v.width;
    return v;
}

static bool is_plain(const struct view *v)
{
    return !v->norm && v->n_pairs == 0;
}

static enum stj_status qkv_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                 struct stj_error *err)
{
    (void)in2;
    const struct stj_attention_config *config = layer->config;
    const size_t width = stj_shape_cols(&layer->in);
    const size_t kv = stj_attention_kv(config);
    char text[96];
    STJ_NEED(err, layer->in.n_dims >= 2, STJ_ECONFIG,
             "its input is %s, it needs [positions, width]", stj_shape_text(&layer->in, text));
    STJ_NEED(err, width % config->heads == 0, STJ_ECONFIG,
             "%zu heads do not divide the width %zu of its input", config->heads, width);
    STJ_NEED(err, config->heads % kv == 0, STJ_ECONFIG, "%zu kv_heads do not divide %zu heads", kv,
             config->heads);
    const struct view v = view_of(layer);
    const double turning = config->rope.fraction * (double)v.d;
    STJ_NEED(err, !config->has_rope || fabs(turning - 2 * (double)v.n_pairs) < 1e-6, STJ_ECONFIG,
             "rope turns pairs of numbers, but fraction %g of a head of %zu is %g",
             config->rope.fraction, v.d, turning);
    stj_dense_add(layer, v.width, &config->kernel_init, config->bias ? &config->bias_init : NULL);
    for (size_t t = 0; t < layer->n_tensors; t++)
        layer->tensor[t].head = v.d;
    layer->n_saved = v.rows * ((v.norm ? v.parts * (v.d + 1) : 0) + 2 * v.n_pairs);
    if (!v.norm)
        return STJ_OK;
    stj_layer_add_tensor(layer, "q_scale", 1, v.d, v.d, v.d, &config->scale_init);
    stj_layer_add_tensor(layer, "k_scale", 1, v.d, v.d, v.d, &config->scale_init);
    return STJ_OK;
}

/* h [d] and *r of a part, within what is saved of its sample. */
static real *saved_h(const struct view *v, real *saved, size_t row, size_t part, real **r)
{
    *r = saved + v->rows * v->parts * v->d + row * v->parts + part;
    return saved + (row * v->parts + part) * v->d;
}

static real *saved_turns(const struct view *v, real *saved)
{
    return saved + (v->norm ? v->rows * v->parts * (v->d + 1) : 0);
}

/* turns [positions][n][2] <- cos and sin. */
static void make_turns(const struct view *v, double base, real *turns)
{
    for (size_t i = 0; i < v->rows; i++)
        for (size_t k = 0; k < v->n_pairs; k++) {
            const double angle = (double)i * (1 / pow(base, (double)k / (double)v->n_pairs));
            turns[(i * v->n_pairs + k) * 2] = (real)cos(angle);
            turns[(i * v->n_pairs + k) * 2 + 1] = (real)sin(angle);
        }
}

/* Turn the parts of n vectors [width] at a row; back: the other way. */
STJ_CLONES static void turn(const struct view *v, const real *restrict turns, bool back, size_t n,
                            real *restrict u)
{
    const size_t step = v->neighbours ? 2 : 1;
    const size_t other = v->neighbours ? 1 : v->n_pairs;
    for (size_t p = 0; p < n * v->parts; p++) {
        real *part = u + p / v->parts * v->width + p % v->parts * v->d;
        for (size_t k = 0; k < v->n_pairs; k++) {
            const real c = turns[2 * k];
            const real s = back ? -turns[2 * k + 1] : turns[2 * k + 1];
            const real a = part[k * step];
            const real b = part[k * step + other];
            part[k * step] = a * c - b * s;
            part[k * step + other] = b * c + a * s;
        }
    }
}

/* turn() of all rows of a slice, [batch][positions][n][width]. */
static void turn_all(const struct stj_layer *layer, const struct view *v,
                     const struct stj_layer_values *at, bool back, size_t n, real *u)
{
    for (size_t i = 0; v->n_pairs && i < at->batch * v->rows; i++) {
        const real *turns = saved_turns(v, at->saved + i / v->rows * layer->n_saved);
        turn(v, turns + i % v->rows * v->n_pairs * 2, back, n, u + i * n * v->width);
    }
}

/* Work space: adjoints of U and their tangents, which are overwritten; tangents of U before the
 * norm; numbers for one part. */
struct work {
    real *bar, *bar_dot, *u_dot;
    real *g, *q, *h_dot, *g_dot, *part, *zeros, *unseen;
};

enum { N_PARTS = 7 };

static size_t qkv_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const struct view v = view_of(layer);
    const size_t n = batch * v.rows * v.width;
    return is_plain(&v) ? 0 : n + 2 * (nvec ? nvec : 1) * n + N_PARTS * v.d;
}

static struct work work_of(const struct view *v, size_t batch, size_t nvec, real *scratch)
{
    const size_t n = batch * v->rows * v->width;
    struct work w = {.bar = scratch, .bar_dot = scratch + n, .u_dot = scratch + n + nvec * n};
    w.g = w.u_dot + nvec * n;
    w.q = w.g + v->d;
    w.h_dot = w.q + v->d;
    w.g_dot = w.h_dot + v->d;
    w.part = w.g_dot + v->d;
    w.zeros = w.part + v->d;
    w.unseen = w.zeros + v->d;
    memset(w.zeros, 0, 2 * v->d * sizeof *w.zeros);
    return w;
}

/* The scale of a part: its offset in units of n numbers a parameter. */
static size_t scale_of(const struct view *v, size_t part, size_t n)
{
    return n * (v->scale + (part < v->n_queries ? 0 : v->d));
}

static void qkv_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                        real *scratch)
{
    const struct stj_attention_config *config = layer->config;
    const struct view v = view_of(layer);
    stj_dense_forward(layer, y, at, scratch);
    if (is_plain(&v))
        return;
    const struct work w = work_of(&v, at->batch, 1, scratch);
    for (size_t s = 0; v.n_pairs && s < at->batch; s++) {
        real *turns = saved_turns(&v, at->saved + s * layer->n_saved);
        if (s == 0)
            make_turns(&v, config->rope.base, turns);
        else
            memcpy(turns, saved_turns(&v, at->saved), v.rows * v.n_pairs * 2 * sizeof *turns);
    }
    for (size_t i = 0; v.norm && i < at->batch * v.rows * v.parts; i++) {
        const size_t row = i / v.parts;
        const size_t part = i % v.parts;
        real *u = y + row * v.width + part * v.d;
        real *r = NULL;
        real *h = saved_h(&v, at->saved + row / v.rows * layer->n_saved, row % v.rows, part, &r);
        *r = stj_row_normalize(v.d, v.centred, v.eps, u, h);
        stj_row_affine(v.d, at->theta + scale_of(&v, part, 1), h, w.zeros, u);
    }
    turn_all(layer, &v, at, false, 1, y);
}

/* One part of all tangents of a row. */
static void part_tangent(const struct view *v, const struct work *w, size_t nvec, size_t part,
                         const real *theta, const real *theta_dot, const real *h, real r, real *u)
{
    const real *s = theta + scale_of(v, part, 1);
    const real *s_dot = theta_dot + scale_of(v, part, nvec);
    for (size_t j = 0; j < nvec; j++) {
        memcpy(w->part, u + j * v->width, v->d * sizeof *u);
        stj_row_tangent(v->d, v->centred, 1, u + j * v->width, w->part, w->zeros, s_dot + j * v->d,
                        s, h, r);
    }
}

static void qkv_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                const struct stj_layer_values *at, const real *x_dot,
                                const real *x2_dot, const real *theta_dot, real *scratch)
{
    const struct view v = view_of(layer);
    stj_dense_forward_tangent(layer, nvec, y_dot, at, x_dot, x2_dot, theta_dot, scratch);
    if (is_plain(&v))
        return;
    const struct work w = work_of(&v, at->batch, nvec, scratch);
    for (size_t i = 0; v.norm && i < at->batch * v.rows * v.parts; i++) {
        const size_t row = i / v.parts;
        const size_t part = i % v.parts;
        real *r = NULL;
        const real *h =
            saved_h(&v, at->saved + row / v.rows * layer->n_saved, row % v.rows, part, &r);
        part_tangent(&v, &w, nvec, part, at->theta, theta_dot, h, *r,
                     y_dot + row * nvec * v.width + part * v.d);
    }
    turn_all(layer, &v, at, false, nvec, y_dot);
}

/* w->bar <- the adjoint of U before rotation and norm; s_bar += its part, where theta_bar. */
static void undo(const struct stj_layer *layer, const struct view *v, const struct work *w,
                 const struct stj_layer_values *at, real *theta_bar)
{
    for (size_t i = 0; v->norm && i < at->batch * v->rows * v->parts; i++) {
        const size_t row = i / v->parts;
        const size_t part = i % v->parts;
        real *bar = w->bar + row * v->width + part * v->d;
        real *r = NULL;
        const real *h =
            saved_h(v, at->saved + row / v->rows * layer->n_saved, row % v->rows, part, &r);
        if (theta_bar)
            stj_row_theta_bar(v->d, w->unseen, theta_bar + scale_of(v, part, 1), bar, h);
        memcpy(w->part, bar, v->d * sizeof *bar);
        stj_row_backward(v->d, v->centred, 0, bar, at->theta + scale_of(v, part, 1), w->part, h, *r,
                         w->g, w->q);
    }
}

static void qkv_backward(const struct stj_layer *layer, const real *beta, real *x_bar, real *x2_bar,
                         real *theta_bar, const struct stj_layer_values *at, real *scratch)
{
    const struct view v = view_of(layer);
    struct stj_layer_values dense = *at;
    if (!is_plain(&v)) {
        const struct work w = work_of(&v, at->batch, 1, scratch);
        memcpy(w.bar, at->y_bar, at->batch * v.rows * v.width * sizeof *w.bar);
        turn_all(layer, &v, at, true, 1, w.bar);
        if (theta_bar && v.norm)
            memset(theta_bar + v.scale, 0, 2 * v.d * sizeof *theta_bar);
        undo(layer, &v, &w, at, theta_bar);
        dense.y_bar = w.bar;
    }
    stj_dense_backward(layer, beta, x_bar, x2_bar, theta_bar, &dense, scratch);
}

/* One part of all tangents of a row: bar_dot <- that of U before the norm. */
static void part_backward_tangent(const struct view *v, const struct work *w,
                                  struct stj_norm_row *n, size_t nvec, size_t part,
                                  const real *theta_dot, const real *u_dot, real *bar_dot,
                                  real *theta_bar_dot)
{
    const real *s_dot = theta_dot + scale_of(v, part, nvec);
    stj_row_primal(n);
    for (size_t j = 0; j < nvec; j++) {
        const size_t o = j * v->width;
        memcpy(w->part, bar_dot + o, v->d * sizeof *bar_dot);
        stj_row_backward_tangent(n, 0, bar_dot + o, u_dot + o, s_dot + j * v->d, w->part);
        if (theta_bar_dot)
            stj_row_theta_bar_dot(n, w->unseen, theta_bar_dot + scale_of(v, part, nvec) + j * v->d,
                                  w->part);
    }
}

/* w->bar and w->bar_dot <- those of U before rotation and norm. */
static void undo_tangent(const struct stj_layer *layer, const struct view *v, const struct work *w,
                         size_t nvec, const struct stj_layer_values *at, const real *theta_dot,
                         real *theta_bar_dot)
{
    struct stj_norm_row n = {.n = v->d,
                             .centred = v->centred,
                             .g = w->g,
                             .q = w->q,
                             .h_dot = w->h_dot,
                             .g_dot = w->g_dot};
    memset(w->h_dot, 0, v->d * sizeof *w->h_dot);
    for (size_t i = 0; i < at->batch * v->rows * v->parts; i++) {
        const size_t row = i / v->parts;
        const size_t part = i % v->parts;
        const size_t o = row * nvec * v->width + part * v->d;
        real *r = NULL;
        n.h = saved_h(v, at->saved + row / v->rows * layer->n_saved, row % v->rows, part, &r);
        n.r = *r;
        n.s = at->theta + scale_of(v, part, 1);
        n.y_bar = w->bar + row * v->width + part * v->d;
        part_backward_tangent(v, w, &n, nvec, part, theta_dot, w->u_dot + o, w->bar_dot + o,
                              theta_bar_dot);
    }
    undo(layer, v, w, at, NULL);
}

static void qkv_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                 real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                 const struct stj_layer_values *at, const real *x_dot,
                                 const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                 real *scratch)
{
    const struct view v = view_of(layer);
    struct stj_layer_values dense = *at;
    if (!is_plain(&v)) {
        const struct work w = work_of(&v, at->batch, nvec, scratch);
        const size_t n = at->batch * v.rows * v.width;
        memcpy(w.bar, at->y_bar, n * sizeof *w.bar);
        memcpy(w.bar_dot, y_bar_dot, nvec * n * sizeof *w.bar_dot);
        turn_all(layer, &v, at, true, 1, w.bar);
        turn_all(layer, &v, at, true, nvec, w.bar_dot);
        if (theta_bar_dot && v.norm)
            memset(theta_bar_dot + nvec * v.scale, 0, 2 * nvec * v.d * sizeof *theta_bar_dot);
        if (v.norm) {
            stj_dense_forward_tangent(layer, nvec, w.u_dot, at, x_dot, x2_dot, theta_dot, NULL);
            undo_tangent(layer, &v, &w, nvec, at, theta_dot, theta_bar_dot);
        }
        dense.y_bar = w.bar;
        y_bar_dot = w.bar_dot;
    }
    stj_dense_backward_tangent(layer, nvec, beta, x_bar_dot, x2_bar_dot, theta_bar_dot, &dense,
                               x_dot, x2_dot, theta_dot, y_bar_dot, scratch);
}

const struct stj_layer_ops stj_layer_attention_qkv = {
    .info = {.name = "qkv"},
    .forgets = STJ_FORGETS_Y,
    .setup = qkv_setup,
    .n_scratch = qkv_n_scratch,
    .forward = qkv_forward,
    .forward_tangent = qkv_forward_tangent,
    .backward = qkv_backward,
    .backward_tangent = qkv_backward_tangent,
};
