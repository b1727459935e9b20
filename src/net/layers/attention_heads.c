/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention_heads.c: scaled dot-product attention, head by head.
 *
 * Keys and values may come from a second input, of another number of positions T': U is then [T][C]
 * and the second [T'][2 C], and where one is of other inputs the other's bars and tangents are its own.
 *
 * A sample's input is U [T][3 C], its output Y [T][C].  Head h takes columns h d .. h d + d - 1 of
 * each third of U as Q, K, V [T][d], and makes those columns of Y.  With fewer heads of keys and
 * values, several heads in a row take the same K and V, whose adjoints are the sums of theirs.  With c = 1 / sqrt(d), rows of P
 * summing to 1 and products of equal shapes elementwise, R(A) the row sums of A spread over its
 * rows:
 *
 *     forward            S = c Q K',   P = softmax of each row of S,   Y = P V          saved: P
 *     forward_tangent    S_dot = c (Q_dot K' + Q K_dot'),   P_dot = P (S_dot - R(P S_dot))
 *                        Y_dot = P_dot V + P V_dot
 *     backward           P_bar = Y_bar V',   S_bar = P (P_bar - R(P P_bar))
 *                        Q_bar = c S_bar K,   K_bar = c S_bar' Q,   V_bar = P' Y_bar
 *     backward_tangent   P_bar_dot = Y_bar_dot V' + Y_bar V_dot'
 *                        S_bar_dot = S_bar (S_dot - R(P S_dot))
 *                                  + P (P_bar_dot - R(S_bar S_dot + P P_bar_dot))
 *                        Q_bar_dot = c (S_bar_dot K + S_bar K_dot)
 *                        K_bar_dot = c (S_bar_dot' Q + S_bar' Q_dot)
 *                        V_bar_dot = P' Y_bar_dot + P_dot' Y_bar
 *
 * A causal head has P = 0 right of the diagonal: those scores are formed with the others and never
 * read by the softmax, and the factor P removes them everywhere else.
 *
 * Tangents of T x T matrices are [T][nvec][T].  A product of a primal matrix with tangents standing
 * on its right is one GEMM over all tangents, once these are packed to [T][nvec][d]; of tangents
 * with a primal matrix on their right, one GEMM as they lie; otherwise one GEMM a tangent.
 */
#include "net/layers/attention.h"

#include <math.h>
#include <string.h>

#include "base/blas.h"
#include "base/target_clones.h"
#include "net/row_sums.h"
#include "net/vector_math.h"

/* Positions of the keys and values. */
static size_t n_keys(const struct stj_layer *layer)
{
    return stj_shape_positions(layer->n_inputs == 2 ? &layer->in2 : &layer->in);
}

static enum stj_status heads_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                   struct stj_error *err)
{
    (void)err;
    const struct stj_attention_config *config = layer->config;
    const size_t parts = config->heads + 2 * stj_attention_kv(config);
    const size_t t = stj_shape_positions(&layer->in);
    layer->out = layer->in;
    if (in2)
        layer->in2 = *in2;
    else
        layer->out.dim[layer->out.n_dims - 1] = stj_shape_cols(&layer->in) / parts * config->heads;
    layer->n_saved = config->heads * t * n_keys(layer);
    layer->products = 2 * (double)(t * n_keys(layer)) * (double)stj_shape_cols(&layer->out);
    return STJ_OK;
}

/* Sizes of the layer, and where one head of one sample lies. */
struct head {
    size_t t, t_k, d;        /* positions of queries and of keys, width of a head */
    size_t ld_q, ld_k, ld_y; /* of the queries; of keys and values; C */
    real c;
    bool causal;
    size_t sample, column; /* of this head: its number and its first column of Y, and of Q */
    size_t k_column, v_column;
    bool shares; /* its keys and values, with the head before it */
    const real *q, *k, *v;
    real *p;           /* [t][t_k] */
    const real *y_bar; /* ld_y */
};

static size_t n_heads(const struct stj_layer *layer)
{
    return ((const struct stj_attention_config *)layer->config)->heads;
}

/* Head i % heads of sample i / heads. */
static struct head head_at(const struct stj_layer *layer, const struct stj_layer_values *at,
                           size_t i)
{
    const struct stj_attention_config *config = layer->config;
    const size_t t = stj_shape_positions(&layer->in);
    const size_t cols = stj_shape_cols(&layer->out);
    const size_t d = cols / config->heads;
    const size_t sample = i / config->heads;
    const size_t column = i % config->heads * d;
    const size_t kv = stj_attention_kv(config);
    const size_t share = config->heads / kv;
    const bool cross = layer->n_inputs == 2;
    const size_t t_k = n_keys(layer);
    const size_t ld_q = stj_shape_cols(&layer->in);
    const size_t ld_k = cross ? stj_shape_cols(&layer->in2) : ld_q;
    const size_t k_column = (cross ? 0 : cols) + i % config->heads / share * d;
    const size_t v_column = k_column + kv * d;
    const real *u = at->x + sample * t * ld_q;
    const real *u_k = cross ? at->x2 + sample * t_k * ld_k : u;
    return (struct head){
        .t = t,
        .t_k = t_k,
        .d = d,
        .ld_q = ld_q,
        .ld_k = ld_k,
        .ld_y = cols,
        .c = 1 / (real)sqrt((double)d),
        .causal = config->causal,
        .sample = sample,
        .column = column,
        .k_column = k_column,
        .v_column = v_column,
        .shares = i % config->heads % share > 0,
        .q = u + column,
        .k = u_k + k_column,
        .v = u_k + v_column,
        .p = at->saved + i * t * t_k,
        .y_bar = at->y_bar ? at->y_bar + sample * t * cols + column : NULL,
    };
}

/* Work space of one head: s_bar [t][t_k]; s_dot and p_bar_dot [t][nvec][t_k]; two packed tangents
 * [positions][nvec][d]; zeros for the larger input, which stand for tangents where there are none. */
struct work {
    real *s_bar;
    real *s_dot, *p_bar_dot;
    real *packed, *product;
    real *zeros;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static struct work work_of(const struct head *h, size_t nvec, real *scratch)
{
    const size_t tt = h->t * h->t_k, most = larger(h->t, h->t_k);
    struct work w = {.s_bar = scratch, .s_dot = scratch + tt};
    w.p_bar_dot = w.s_dot + nvec * tt;
    w.packed = w.p_bar_dot + nvec * tt;
    w.product = w.packed + most * nvec * h->d;
    w.zeros = w.product + most * nvec * h->d;
    return w;
}

static size_t heads_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    const size_t t = stj_shape_positions(&layer->in), t_k = n_keys(layer);
    const size_t d = stj_shape_cols(&layer->out) / n_heads(layer);
    const size_t in2 = layer->n_inputs == 2 ? stj_shape_size(&layer->in2) : 0;
    return t * t_k + 2 * nvec * t * t_k + 2 * larger(t, t_k) * nvec * d +
           nvec * larger(stj_shape_size(&layer->in), in2);
}

/* Each of t rows of p <- softmax of its first n entries, n = t_k or, causal, the row's number + 1; the
 * others <- 0. */
STJ_CLONES static void softmax_rows(size_t t, size_t t_k, bool causal, real *restrict p)
{
    for (size_t i = 0; i < t; i++) {
        real *row = p + i * t_k;
        const size_t n = causal ? i + 1 : t_k;
        real top = row[0];
        for (size_t k = 1; k < n; k++)
            top = row[k] > top ? row[k] : top;
        for (size_t k = 0; k < n; k++)
            row[k] = (real)stj_exp((double)(row[k] - top));
        const real total = stj_row_sum(n, row);
        for (size_t k = 0; k < n; k++)
            row[k] /= total;
        for (size_t k = n; k < t_k; k++)
            row[k] = 0;
    }
}

static void heads_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                          real *scratch)
{
    (void)scratch;
    for (size_t i = 0; i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h.t, h.t_k, h.d, h.c, h.q, h.ld_q, h.k, h.ld_k,
                 0, h.p, h.t_k);
        softmax_rows(h.t, h.t_k, h.causal, h.p);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t, h.d, h.t_k, 1, h.p, h.t_k, h.v, h.ld_k,
                 0, y + h.sample * h.t * h.ld_y + h.column, h.ld_y);
    }
}

/* packed [rows][d] <- x with leading dimension ld. */
static void pack(size_t rows, size_t d, const real *x, size_t ld, real *packed)
{
    for (size_t i = 0; i < rows; i++)
        memcpy(packed + i * d, x + i * ld, d * sizeof *packed);
}

/* x with leading dimension ld += packed [rows][d] */
STJ_CLONES static void unpack_add(size_t rows, size_t d, const real *restrict packed,
                                  real *restrict x, size_t ld)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < d; k++)
            x[i * ld + k] += packed[i * d + k];
}

/* Y [.][nvec][.] += alpha op(A) X, A [t][t_k] primal, X [.][nvec][.] tangents: one GEMM, packed. */
static void multiply_left(const struct head *h, size_t nvec, enum stj_blas_trans trans, real alpha,
                          const real *a, const real *x, size_t ld_x, real *y, size_t ld_y,
                          const struct work *w)
{
    const size_t n = nvec * h->d;
    const bool of_keys = trans == STJ_BLAS_TRANS;
    const size_t rows = of_keys ? h->t_k : h->t, inner = of_keys ? h->t : h->t_k;
    pack(inner * nvec, h->d, x, ld_x, w->packed);
    stj_gemm(trans, STJ_BLAS_NO_TRANS, rows, n, inner, alpha, a, h->t_k, w->packed, n, 0,
             w->product, n);
    unpack_add(rows * nvec, h->d, w->product, y, ld_y);
}

/* s_dot [t][nvec][t_k] <- alpha (X_dot B' + A Z_dot'), all of width d with their leading dimensions:
 * ld_x of X_dot and A, ld_z of B and Z_dot. */
static void product_tangent(const struct head *h, size_t nvec, real alpha, const real *x_dot,
                            const real *a, size_t ld_x, const real *b, const real *z_dot,
                            size_t ld_z, real *s_dot)
{
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h->t * nvec, h->t_k, h->d, alpha, x_dot, ld_x, b,
             ld_z, 0, s_dot, h->t_k);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h->t, h->t_k, h->d, alpha, a, ld_x,
                 z_dot + j * ld_z, nvec * ld_z, 1, s_dot + j * h->t_k, nvec * h->t_k);
}

/* s_dot <- P (s_dot - R(P s_dot)) */
STJ_CLONES static void softmax_tangent(size_t t, size_t t_k, size_t nvec, const real *restrict p,
                                       real *restrict s_dot)
{
    for (size_t i = 0; i < t * nvec; i++) {
        const real *row = p + i / nvec * t_k;
        real *s = s_dot + i * t_k;
        const real mean = stj_row_dot(t_k, row, s);
        for (size_t k = 0; k < t_k; k++)
            s[k] = row[k] * (s[k] - mean);
    }
}

/* The tangents of a head's inputs: x_dot and x2_dot, or where that is NULL zeros; without a second
 * input its keys and values are those of the first. */
struct head_tangents {
    const real *q, *k, *v;
};

static struct head_tangents tangents_of(const struct stj_layer *layer, const struct head *h,
                                        size_t nvec, const real *x_dot, const real *x2_dot,
                                        const real *zeros)
{
    const real *second = layer->n_inputs == 2 ? x2_dot : x_dot;
    const real *u = x_dot ? x_dot + h->sample * h->t * nvec * h->ld_q : zeros;
    const real *u_k = second ? second + h->sample * h->t_k * nvec * h->ld_k : zeros;
    return (struct head_tangents){u + h->column, u_k + h->k_column, u_k + h->v_column};
}

/* The zeros of the work space, once for all heads. */
static void clear_zeros(const struct head *h, size_t nvec, const struct work *w)
{
    const size_t n = larger(h->t * h->ld_q, h->t_k * h->ld_k);
    memset(w->zeros, 0, n * nvec * sizeof *w->zeros);
}

static void heads_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)theta_dot;
    if (!x_dot && !x2_dot) {
        memset(y_dot, 0, at->batch * nvec * stj_shape_size(&layer->out) * sizeof *y_dot);
        return;
    }
    for (size_t i = 0; i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        const struct work w = work_of(&h, nvec, scratch);
        const struct head_tangents dot = tangents_of(layer, &h, nvec, x_dot, x2_dot, w.zeros);
        real *out = y_dot + h.sample * h.t * nvec * h.ld_y + h.column;
        if (i == 0 && layer->n_inputs == 2 && (!x_dot || !x2_dot))
            clear_zeros(&h, nvec, &w);
        /* S_dot, P_dot, Y_dot = P_dot V + P V_dot */
        product_tangent(&h, nvec, h.c, dot.q, h.q, h.ld_q, h.k, dot.k, h.ld_k, w.s_dot);
        softmax_tangent(h.t, h.t_k, nvec, h.p, w.s_dot);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t * nvec, h.d, h.t_k, 1, w.s_dot, h.t_k,
                 h.v, h.ld_k, 0, out, h.ld_y);
        multiply_left(&h, nvec, STJ_BLAS_NO_TRANS, 1, h.p, dot.v, h.ld_k, out, h.ld_y, &w);
    }
}

/* s_bar <- P (P_bar - R(P P_bar)), with P_bar = Y_bar V' */
static void make_s_bar(const struct head *h, const struct work *w)
{
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h->t, h->t_k, h->d, 1, h->y_bar, h->ld_y, h->v,
             h->ld_k, 0, w->s_bar, h->t_k);
    softmax_tangent(h->t, h->t_k, 1, h->p, w->s_bar); /* the Jacobian of softmax is symmetric */
}

/* Where the bars of a head's queries, keys and values go, of nvec tangents or values (1), and the
 * beta of each; NULL: not wanted. */
struct head_bars {
    real *q, *k, *v;
    real beta, kv_beta;
};

static struct head_bars bars_of(const struct stj_layer *layer, const struct head *h, size_t nvec,
                                const real *beta, real *x_bar, real *x2_bar)
{
    const bool cross = layer->n_inputs == 2;
    real *second = cross ? x2_bar : x_bar;
    real *u = x_bar ? x_bar + h->sample * h->t * nvec * h->ld_q : NULL;
    real *u_k = second ? second + h->sample * h->t_k * nvec * h->ld_k : NULL;
    return (struct head_bars){
        .q = u ? u + h->column : NULL,
        .k = u_k ? u_k + h->k_column : NULL,
        .v = u_k ? u_k + h->v_column : NULL,
        .beta = beta[0],
        .kv_beta = h->shares ? 1 : beta[cross ? 1 : 0],
    };
}

static void heads_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                           real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                           real *scratch)
{
    (void)theta_bar;
    for (size_t i = 0; (x_bar || x2_bar) && i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        const struct work w = work_of(&h, 1, scratch);
        const struct head_bars bar = bars_of(layer, &h, 1, beta, x_bar, x2_bar);
        make_s_bar(&h, &w);
        if (bar.q)
            stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t, h.d, h.t_k, h.c, w.s_bar, h.t_k,
                     h.k, h.ld_k, bar.beta, bar.q, h.ld_q);
        if (!bar.k)
            continue;
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, h.t_k, h.d, h.t, h.c, w.s_bar, h.t_k, h.q,
                 h.ld_q, bar.kv_beta, bar.k, h.ld_k);
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, h.t_k, h.d, h.t, 1, h.p, h.t_k, h.y_bar, h.ld_y,
                 bar.kv_beta, bar.v, h.ld_k);
    }
}

/* p_bar_dot <- S_bar_dot, s_dot <- P_dot */
STJ_CLONES static void scores_tangent(size_t t, size_t t_k, size_t nvec, const real *restrict p,
                                      const real *restrict s_bar, real *restrict s_dot,
                                      real *restrict p_bar_dot)
{
    for (size_t i = 0; i < t * nvec; i++) {
        const real *prob = p + i / nvec * t_k;
        const real *bar = s_bar + i / nvec * t_k;
        real *dot = s_dot + i * t_k;
        real *bar_dot = p_bar_dot + i * t_k;
        const real mean = stj_row_dot(t_k, prob, dot);
        const real bar_mean = stj_row_dot(t_k, bar, dot) + stj_row_dot(t_k, prob, bar_dot);
        for (size_t k = 0; k < t_k; k++) {
            const real centred = dot[k] - mean;
            bar_dot[k] = bar[k] * centred + prob[k] * (bar_dot[k] - bar_mean);
            dot[k] = prob[k] * centred;
        }
    }
}

/* out [t_k][nvec][.] <- beta out + alpha A_dot_j' X for each tangent, A_dot [t][nvec][t_k]. */
static void multiply_transposed(const struct head *h, size_t nvec, real alpha, const real *a_dot,
                                const real *x, size_t ld_x, real beta, real *out)
{
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, h->t_k, h->d, h->t, alpha, a_dot + j * h->t_k,
                 nvec * h->t_k, x, ld_x, beta, out + j * h->ld_k, nvec * h->ld_k);
}

/* The three adjoints' tangents, of P_bar_dot's and P_dot's places as scores_tangent left them. */
static void bars_tangent(const struct head *h, size_t nvec, const struct work *w,
                         const struct head_tangents *dot, const real *out_bar_dot,
                         const struct head_bars *bar_dot)
{
    /* Q_bar_dot = c (S_bar_dot K + S_bar K_dot) */
    if (bar_dot->q) {
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h->t * nvec, h->d, h->t_k, h->c,
                 w->p_bar_dot, h->t_k, h->k, h->ld_k, bar_dot->beta, bar_dot->q, h->ld_q);
        multiply_left(h, nvec, STJ_BLAS_NO_TRANS, h->c, w->s_bar, dot->k, h->ld_k, bar_dot->q,
                      h->ld_q, w);
    }
    if (!bar_dot->k)
        return;
    /* K_bar_dot = c (S_bar_dot' Q + S_bar' Q_dot) */
    multiply_transposed(h, nvec, h->c, w->p_bar_dot, h->q, h->ld_q, bar_dot->kv_beta, bar_dot->k);
    multiply_left(h, nvec, STJ_BLAS_TRANS, h->c, w->s_bar, dot->q, h->ld_q, bar_dot->k, h->ld_k, w);
    /* V_bar_dot = P_dot' Y_bar + P' Y_bar_dot */
    multiply_transposed(h, nvec, 1, w->s_dot, h->y_bar, h->ld_y, bar_dot->kv_beta, bar_dot->v);
    multiply_left(h, nvec, STJ_BLAS_TRANS, 1, h->p, out_bar_dot, h->ld_y, bar_dot->v, h->ld_k, w);
}

static void heads_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                   real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                   real *scratch)
{
    (void)theta_bar_dot;
    (void)theta_dot;
    if (!x_bar_dot && !x2_bar_dot)
        return;
    for (size_t i = 0; i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        const struct work w = work_of(&h, nvec, scratch);
        const struct head_tangents dot = tangents_of(layer, &h, nvec, x_dot, x2_dot, w.zeros);
        const struct head_bars bar_dot = bars_of(layer, &h, nvec, beta, x_bar_dot, x2_bar_dot);
        const real *out_bar_dot = y_bar_dot + h.sample * h.t * nvec * h.ld_y + h.column;
        if (i == 0 && (!x_dot || (layer->n_inputs == 2 && !x2_dot)))
            clear_zeros(&h, nvec, &w);
        /* S_bar, S_dot, P_bar_dot; then S_bar_dot and P_dot in the places of the last two */
        make_s_bar(&h, &w);
        product_tangent(&h, nvec, h.c, dot.q, h.q, h.ld_q, h.k, dot.k, h.ld_k, w.s_dot);
        product_tangent(&h, nvec, 1, out_bar_dot, h.y_bar, h.ld_y, h.v, dot.v, h.ld_k, w.p_bar_dot);
        scores_tangent(h.t, h.t_k, nvec, h.p, w.s_bar, w.s_dot, w.p_bar_dot);
        bars_tangent(&h, nvec, &w, &dot, out_bar_dot, &bar_dot);
    }
}

#define HEADS_SLOTS                                                                                \
    .forgets = STJ_FORGETS_Y, .setup = heads_setup, .n_scratch = heads_n_scratch,                  \
    .forward = heads_forward, .forward_tangent = heads_forward_tangent,                            \
    .backward = heads_backward, .backward_tangent = heads_backward_tangent

const struct stj_layer_ops stj_layer_attention_heads = {
    .info = {.name = "heads"},
    HEADS_SLOTS,
};

const struct stj_layer_ops stj_layer_cross_heads = {
    .info = {.name = "heads"},
    .n_inputs = 2,
    HEADS_SLOTS,
};
