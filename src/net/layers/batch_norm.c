/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/batch_norm.c: normalisation of each channel over the batch (Ioffe and Szegedy 2015).
 *
 * The training-mode function: statistics are those of the batch, over its samples and positions,
 * and are differentiated.  There are no running averages: evaluation uses the statistics of the
 * data set that is evaluated.  With fixed statistics it is the layer of fixed_norm.c instead.  Per channel (column) of x [rows][cols], with <.> the mean over the
 * rows and the biased variance v = <(x - <x>)^2>, as in PyTorch:
 *
 *     h = r (x - <x>),   r = (v + eps)^(-1/2)           saved: <x> and r
 *
 *     forward            y         = s h + b
 *     forward_tangent    h_dot     = r (x_dot - <x_dot> - h <h x_dot>),   r_dot = -r^2 <h x_dot>
 *                        y_dot     = s h_dot + s_dot h + b_dot
 *     backward           s_bar     = sum y_bar h,   b_bar = sum y_bar
 *                        q         = y_bar - <y_bar> - h <h y_bar>,   x_bar += s r q
 *     backward_tangent   s_bar_dot = sum (y_bar_dot h + y_bar h_dot),   b_bar_dot = sum y_bar_dot
 *                        x_bar_dot += (s_dot r + s r_dot) q + s r (y_bar_dot - <y_bar_dot>
 *                                     - h_dot <h y_bar> - h (<h_dot y_bar> + <h y_bar_dot>))
 *
 * A sample's output depends on its batch.  All sums over the rows are sums of the slices' own,
 * which are their records; the means and squares of `forward` are joined slice by slice (Chan,
 * Golub and LeVeque 1983),
 *
 *     n = n_a + n_b,  d = <x>_b - <x>_a,  <x> = <x>_a + d n_b / n,
 *     m = m_a + m_b + d^2 n_a n_b / n,  v = m / n
 *
 * since a sum of squares that is not about the mean would cancel.  With a single row v = 0, h = 0
 * and y = b: eps keeps everything finite.
 */
#include "net/layers/norm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/target_clones.h"
#include "parallel/parallel.h"
#include "net/kernels.h"

struct batch_norm_config {
    struct stj_norm_config norm;
    int statistics;
    struct stj_plugin mean_init, variance_init;
};

enum { OF_BATCH, FIXED };
static const char *const statistics[] = {"batch", "fixed", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct batch_norm_config, __VA_ARGS__)
static const struct stj_option batch_norm_options[] = {
    STJ_NORM_OPTIONS,
    OPTION("statistics", CHOICE, statistics, "batch",
           "mean and variance of the batch; or fixed ones, tensors `mean` and `variance` that "
           "init.file gives and that are never trained, as in evaluation mode",
           .choices = statistics),
    OPTION("mean_init", PLUGIN, mean_init, "zeros", "initialiser of fixed means [channels]",
           .kind = &stj_initializers),
    OPTION("variance_init", PLUGIN, variance_init, "ones",
           "initialiser of fixed variances [channels]", .kind = &stj_initializers),
    {.name = NULL},
};

static void batch_norm_sample(struct stj_rng *rng, char *text, size_t size)
{
    static const char *const outer[] = {"", "3, ", "2, 2, "};
    /* Variances are drawn like all numbers, negative ones too. */
    static const char *const of[] = {"eps: 0.1", "eps: 0.1", "eps: 9, statistics: fixed"};
    snprintf(text, size,
             "{input: [%s%zu], layers: [{type: batch_norm, scale_init: {type: normal, mean: 1}, "
             "%s%s}]}",
             outer[stj_rng_index(rng, 3)], 1 + stj_rng_index(rng, 9), of[stj_rng_index(rng, 3)],
             stj_norm_sample(rng));
}

/* Saved with every sample, since a later slice may begin with any: <x> [cols], r [cols]. */
static enum stj_status batch_norm_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                        struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct batch_norm_config *config = layer->config;
    const size_t cols = stj_shape_cols(&layer->in);
    layer->out = layer->in;
    stj_norm_add_tensors(layer);
    if (config->statistics == OF_BATCH) {
        layer->n_saved = 2 * cols;
        return STJ_OK;
    }
    layer->ops = &stj_layer_fixed_norm;
    stj_layer_add_tensor(layer, "mean", 1, cols, cols, cols, &config->mean_init)->fixed = true;
    stj_layer_add_tensor(layer, "variance", 1, cols, cols, cols, &config->variance_init)->fixed =
        true;
    return STJ_OK;
}

/* Sums over the rows: primal [cols] first, then [nvec][cols] of each kind. */
enum { N_PRIMAL_SUMS = 2, N_SUMS = 5 };

static size_t n_sums(size_t nvec, size_t cols)
{
    return (N_PRIMAL_SUMS + N_SUMS * nvec) * cols;
}

static size_t batch_norm_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    return n_sums(nvec, stj_shape_cols(&layer->in)) + stj_norm_n_scratch(layer, nvec);
}

static struct stj_norm_theta theta_of(const struct stj_layer *layer, size_t nvec,
                                      const struct stj_layer_values *at, const real *theta_dot,
                                      real *theta_bar, real *scratch)
{
    return stj_norm_theta(layer, nvec, at->theta, theta_dot, theta_bar,
                          scratch + n_sums(nvec, stj_shape_cols(&layer->in)));
}

/* The sums; of `forward`: the number of rows, <x> [cols], m [cols]. */
static size_t batch_norm_n_record(const struct stj_layer *layer, size_t nvec)
{
    const size_t cols = stj_shape_cols(&layer->in);
    return nvec ? n_sums(nvec, cols) : 1 + 2 * cols;
}

struct batch_view {
    size_t rows, cols;    /* of the slice */
    real share;           /* of one row in a mean over the batch */
    const real *x;        /* [rows][cols] */
    const real *mean, *r; /* [cols] */
};

static inline real h_at(const struct batch_view *v, size_t i, size_t c)
{
    return v->r[c] * (v->x[i * v->cols + c] - v->mean[c]);
}

static struct batch_view batch_view(const struct stj_layer *layer,
                                    const struct stj_layer_values *at)
{
    const size_t cols = stj_shape_cols(&layer->in);
    const size_t positions = stj_shape_positions(&layer->in);
    const size_t rows = at->batch * positions;
    return (struct batch_view){.rows = rows,
                               .cols = cols,
                               .share = 1 / (real)(at->whole * positions),
                               .x = at->x,
                               .mean = at->saved,
                               .r = at->saved + cols};
}

/* y[n] <- the sum of the slices' records. */
static void add_records(const struct stj_layer_values *at, size_t n, real *y)
{
    const struct stj_slice_sync *m = &at->meeting;
    stj_reduce(n, stj_slice_sync_alone(m) ? 1 : m->n_slices, stj_slice_sync_all(m), m->size, y);
}

/* The record of this slice among those that all see. */
static const real *own_record(const struct stj_layer_values *at)
{
    return stj_slice_sync_all(&at->meeting) + at->meeting.slice * at->meeting.size;
}

/* ---- forward ---- */

/* mean <- <x>, m <- sum (x - <x>)^2 over the rows of a slice. */
STJ_CLONES static void moments(size_t rows, size_t cols, const real *restrict x,
                               real *restrict mean, real *restrict m)
{
    stj_rows_sum(rows, cols, x, mean);
    memset(m, 0, cols * sizeof *m);
    for (size_t c = 0; c < cols; c++)
        mean[c] /= (real)rows;
    for (size_t i = 0; i < rows; i++)
        for (size_t c = 0; c < cols; c++) {
            const real d = x[i * cols + c] - mean[c];
            m[c] += d * d;
        }
}

/* mean, m [cols] <- those of the batch, from the slices' records. */
static void join_moments(const struct stj_layer_values *at, size_t cols, real *mean, real *m)
{
    const size_t n_slices = stj_slice_sync_alone(&at->meeting) ? 1 : at->meeting.n_slices;
    const real *record = stj_slice_sync_all(&at->meeting);
    real n = record[0];
    memcpy(mean, record + 1, cols * sizeof *mean);
    memcpy(m, record + 1 + cols, cols * sizeof *m);
    for (size_t s = 1; s < n_slices; s++) {
        const real *b = record + s * at->meeting.size;
        const real share = b[0] / (n + b[0]);
        for (size_t c = 0; c < cols; c++) {
            const real d = b[1 + c] - mean[c];
            mean[c] += d * share;
            m[c] += b[1 + cols + c] + d * d * n * share;
        }
        n += b[0];
    }
}

/* y <- s h + b */
STJ_CLONES static void normalize(const struct batch_view *v, const struct stj_norm_theta *t,
                                 real *restrict y)
{
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < v->cols; c++)
            y[i * v->cols + c] = t->scale[c] * h_at(v, i, c) + t->bias[c];
}

static void batch_norm_forward(const struct stj_layer *layer, real *y,
                               const struct stj_layer_values *at, real *scratch)
{
    const struct stj_norm_config *config = layer->config;
    const struct stj_norm_theta t = theta_of(layer, 1, at, NULL, NULL, scratch);
    const struct batch_view v = batch_view(layer, at);
    real *mean = at->saved;
    real *r = mean + v.cols;
    join_moments(at, v.cols, mean, scratch);
    for (size_t c = 0; c < v.cols; c++)
        r[c] = 1 / (real)sqrt((double)(scratch[c] * v.share) + config->eps);
    stj_rows_copy(at->batch - 1, 2 * v.cols, mean, mean + 2 * v.cols);
    normalize(&v, &t, y);
}

/* ---- the sums of a slice ---- */

/* sum, dot [nvec][cols] <- sums over rows of a [rows][nvec][cols] and of h a. */
STJ_CLONES static void row_sums(const struct batch_view *v, size_t nvec, const real *restrict a,
                                real *restrict sum, real *restrict dot)
{
    const size_t cols = v->cols;
    memset(sum, 0, nvec * cols * sizeof *sum);
    memset(dot, 0, nvec * cols * sizeof *dot);
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++) {
                sum[j * cols + c] += a[(i * nvec + j) * cols + c];
                dot[j * cols + c] += h_at(v, i, c) * a[(i * nvec + j) * cols + c];
            }
}

/* Sums over rows that backward_tangent needs: of y_bar, h y_bar; per tangent of x_dot, h x_dot,
 * y_bar_dot, h y_bar_dot, and y_bar x_dot. */
struct batch_sums {
    real *y_bar, *h_y_bar;                                         /* [cols] */
    real *x_dot, *h_x_dot, *y_bar_dot, *h_y_bar_dot, *y_bar_x_dot; /* [nvec][cols] */
};

static struct batch_sums batch_sums(size_t nvec, size_t cols, const real *sums)
{
    real *primal = (real *)sums;
    real *tangent = primal + N_PRIMAL_SUMS * cols;
    const size_t n = nvec * cols;
    return (struct batch_sums){primal,          primal + cols,   tangent,        tangent + n,
                               tangent + 2 * n, tangent + 3 * n, tangent + 4 * n};
}

/* sum <- sum y_bar x_dot */
STJ_CLONES static void cross_sums(const struct batch_view *v, size_t nvec,
                                  const real *restrict y_bar, const real *restrict x_dot,
                                  real *restrict sum)
{
    const size_t cols = v->cols;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                sum[j * cols + c] += y_bar[i * cols + c] * x_dot[(i * nvec + j) * cols + c];
}

/* The sums of a slice; x_dot NULL: zero. */
static void make_sums(const struct batch_view *v, size_t nvec, const struct batch_sums *t,
                      const real *y_bar, const real *x_dot, const real *y_bar_dot)
{
    const size_t n = nvec * v->cols;
    row_sums(v, 1, y_bar, t->y_bar, t->h_y_bar);
    row_sums(v, nvec, y_bar_dot, t->y_bar_dot, t->h_y_bar_dot);
    memset(t->y_bar_x_dot, 0, n * sizeof(real));
    if (x_dot) {
        row_sums(v, nvec, x_dot, t->x_dot, t->h_x_dot);
        cross_sums(v, nvec, y_bar, x_dot, t->y_bar_x_dot);
    } else {
        memset(t->x_dot, 0, 2 * n * sizeof(real));
    }
}

static void batch_norm_record(const struct stj_layer *layer, enum stj_pass pass, size_t nvec,
                              real *record, const struct stj_layer_values *at, const real *x_dot,
                              const real *y_bar_dot)
{
    const struct batch_view v = batch_view(layer, at);
    const struct batch_sums sums = batch_sums(nvec, v.cols, record);
    switch (pass) {
    case STJ_FORWARD:
        record[0] = (real)v.rows;
        moments(v.rows, v.cols, at->x, record + 1, record + 1 + v.cols);
        break;
    case STJ_FORWARD_TANGENT:
        if (x_dot)
            row_sums(&v, nvec, x_dot, record, record + nvec * v.cols);
        break;
    case STJ_BACKWARD:
        row_sums(&v, 1, at->y_bar, record, record + v.cols);
        break;
    case STJ_BACKWARD_TANGENT:
        make_sums(&v, nvec, &sums, at->y_bar, x_dot, y_bar_dot);
        break;
    }
}

/* ---- tangents and adjoints ---- */

/* y_dot <- s_dot h + b_dot */
STJ_CLONES static void affine_tangent(const struct batch_view *v, const struct stj_norm_theta *t,
                                      size_t nvec, real *restrict y_dot)
{
    const size_t cols = v->cols;
    const real *restrict s_dot = t->scale_dot;
    const real *restrict b_dot = t->bias_dot;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                y_dot[(i * nvec + j) * cols + c] =
                    s_dot[j * cols + c] * h_at(v, i, c) + b_dot[j * cols + c];
}

/* y_dot += s h_dot */
STJ_CLONES static void add_h_dot(const struct batch_view *v, const real *restrict scale,
                                 size_t nvec, real *restrict y_dot, const real *restrict x_dot,
                                 const real *restrict sum, const real *restrict dot)
{
    const size_t cols = v->cols;
    const real share = v->share;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t j = 0; j < nvec; j++)
            for (size_t c = 0; c < cols; c++)
                y_dot[(i * nvec + j) * cols + c] +=
                    scale[c] * v->r[c] *
                    (x_dot[(i * nvec + j) * cols + c] - share * sum[j * cols + c] -
                     h_at(v, i, c) * share * dot[j * cols + c]);
}

static void batch_norm_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct batch_view v = batch_view(layer, at);
    const struct stj_norm_theta t = theta_of(layer, nvec, at, theta_dot, NULL, scratch);
    real *dot = scratch + nvec * v.cols;
    affine_tangent(&v, &t, nvec, y_dot);
    if (!x_dot)
        return;
    add_records(at, 2 * nvec * v.cols, scratch);
    add_h_dot(&v, t.scale, nvec, y_dot, x_dot, scratch, dot);
}

/* x_bar <- beta x_bar + s r q, with sum = sum y_bar and dot = sum h y_bar */
STJ_CLONES static void add_x_bar(const struct batch_view *v, const real *restrict scale, real beta,
                                 real *restrict x_bar, const real *restrict y_bar,
                                 const real *restrict sum, const real *restrict dot)
{
    const size_t cols = v->cols;
    const real share = v->share;
    for (size_t i = 0; i < v->rows; i++)
        for (size_t c = 0; c < cols; c++) {
            const size_t o = i * cols + c;
            const real q = y_bar[o] - share * sum[c] - h_at(v, i, c) * share * dot[c];
            x_bar[o] = (beta == 0 ? 0 : x_bar[o]) + scale[c] * v->r[c] * q;
        }
}

static void batch_norm_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                                real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                                real *scratch)
{
    (void)x2_bar;
    const struct batch_view v = batch_view(layer, at);
    real *sum = scratch;
    real *dot = scratch + v.cols;
    const struct stj_norm_theta t = theta_of(layer, 1, at, NULL, theta_bar, scratch);
    add_records(at, 2 * v.cols, sum);
    if (x_bar)
        add_x_bar(&v, t.scale, beta[0], x_bar, at->y_bar, sum, dot);
    if (!theta_bar)
        return;
    memcpy(t.bias_bar, own_record(at), v.cols * sizeof *theta_bar);
    memcpy(t.scale_bar, own_record(at) + v.cols, v.cols * sizeof *theta_bar);
}

/* s_bar_dot <- sum y_bar h_dot + sum h y_bar_dot over the rows of `own`, the means those of the
 * batch, where sum y_bar h_dot = r (sum y_bar x_dot - <x_dot> sum y_bar - <h x_dot> sum h y_bar);
 * in place of own->y_bar_x_dot if wanted. */
STJ_CLONES static void finish_sums(const struct batch_view *v, size_t nvec,
                                   const struct batch_sums *all, const struct batch_sums *own,
                                   real *s_bar_dot)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t c = 0; c < v->cols; c++) {
            const size_t o = j * v->cols + c;
            const real h_dot =
                v->r[c] * (own->y_bar_x_dot[o] - v->share * all->x_dot[o] * own->y_bar[c] -
                           v->share * all->h_x_dot[o] * own->h_y_bar[c]);
            s_bar_dot[o] = h_dot + own->h_y_bar_dot[o];
        }
}

/* One row of one tangent: x_bar_dot <- beta x_bar_dot + ...; x_dot NULL: zero. */
STJ_CLONES static void row_x_bar_dot(const struct batch_view *v, const struct batch_sums *t,
                                     const real *s_bar_dot, size_t i, size_t j,
                                     const real *restrict scale, const real *restrict s_dot,
                                     const real *restrict y_bar, const real *restrict x_dot,
                                     const real *restrict y_bar_dot, real beta,
                                     real *restrict x_bar_dot)
{
    const size_t o = j * v->cols;
    const real share = v->share;
    for (size_t c = 0; c < v->cols; c++) {
        const real r = v->r[c];
        const real s = scale[c];
        const real h = h_at(v, i, c);
        const real m1 = share * t->h_x_dot[o + c];
        const real q = y_bar[c] - share * t->y_bar[c] - h * share * t->h_y_bar[c];
        const real h_dot = r * ((x_dot ? x_dot[c] : 0) - share * t->x_dot[o + c] - h * m1);
        const real q_dot = y_bar_dot[c] - share * t->y_bar_dot[o + c] -
                           h_dot * share * t->h_y_bar[c] - h * share * s_bar_dot[o + c];
        x_bar_dot[c] =
            (beta == 0 ? 0 : x_bar_dot[c]) + (s_dot[c] * r - s * r * r * m1) * q + s * r * q_dot;
    }
}

static void batch_norm_backward_tangent(const struct stj_layer *layer, size_t nvec,
                                        const real *beta, real *x_bar_dot, real *x2_bar_dot,
                                        real *theta_bar_dot, const struct stj_layer_values *at,
                                        const real *x_dot, const real *x2_dot,
                                        const real *theta_dot, const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    const struct batch_view v = batch_view(layer, at);
    const size_t cols = v.cols;
    const struct stj_norm_theta t = theta_of(layer, nvec, at, theta_dot, theta_bar_dot, scratch);
    const struct batch_sums all = batch_sums(nvec, cols, scratch);
    const struct batch_sums own = batch_sums(nvec, cols, own_record(at));
    add_records(at, n_sums(nvec, cols), scratch);
    if (theta_bar_dot) {
        memcpy(t.bias_bar, own.y_bar_dot, nvec * cols * sizeof *theta_bar_dot);
        finish_sums(&v, nvec, &all, &own, t.scale_bar);
    }
    real *s_bar_dot = all.y_bar_x_dot;
    finish_sums(&v, nvec, &all, &all, s_bar_dot);
    for (size_t i = 0; x_bar_dot && i < v.rows; i++)
        for (size_t j = 0; j < nvec; j++) {
            const size_t o = (i * nvec + j) * cols;
            row_x_bar_dot(&v, &all, s_bar_dot, i, j, t.scale, t.scale_dot + j * cols,
                          at->y_bar + i * cols, x_dot ? x_dot + o : NULL, y_bar_dot + o, beta[0],
                          x_bar_dot + o);
        }
}

const struct stj_layer_ops stj_layer_batch_norm = {
    .info = {.name = "batch_norm",
             .doc = "normalisation of each channel by the statistics of the batch, scale and bias",
             .options = batch_norm_options,
             .config_size = sizeof(struct batch_norm_config)},
    .sample = batch_norm_sample,
    .forgets = STJ_FORGETS_Y,
    .setup = batch_norm_setup,
    .n_scratch = batch_norm_n_scratch,
    .n_record = batch_norm_n_record,
    .record = batch_norm_record,
    .forward = batch_norm_forward,
    .forward_tangent = batch_norm_forward_tangent,
    .backward = batch_norm_backward,
    .backward_tangent = batch_norm_backward_tangent,
};
