/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/attention_heads.c: scaled dot-product attention, head by head.
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

static enum stj_status heads_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                   struct stj_error *err)
{
    (void)in2;
    (void)err;
    const struct stj_attention_config *config = layer->config;
    const size_t t = stj_shape_positions(&layer->in);
    const size_t parts = config->heads + 2 * stj_attention_kv(config);
    layer->out = layer->in;
    layer->out.dim[layer->out.n_dims - 1] = stj_shape_cols(&layer->in) / parts * config->heads;
    layer->n_saved = config->heads * t * t;
    return STJ_OK;
}

/* Sizes of the layer, and where one head of one sample lies. */
struct head {
    size_t t, d;       /* positions, width of a head */
    size_t ld_u, ld_y; /* 3 C, C */
    real c;
    bool causal;
    size_t sample, column; /* of this head: its number and its first column of Y, and of Q */
    size_t k_column, v_column;
    bool shares;           /* its keys and values, with the head before it */
    const real *q, *k, *v; /* ld_u */
    real *p;               /* [t][t] */
    const real *y_bar;     /* ld_y */
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
    const size_t ld_u = stj_shape_cols(&layer->in);
    const size_t k_column = cols + i % config->heads / share * d;
    const size_t v_column = k_column + kv * d;
    const real *u = at->x + sample * t * ld_u;
    return (struct head){
        .t = t,
        .d = d,
        .ld_u = ld_u,
        .ld_y = cols,
        .c = 1 / (real)sqrt((double)d),
        .causal = config->causal,
        .sample = sample,
        .column = column,
        .k_column = k_column,
        .v_column = v_column,
        .shares = i % config->heads % share > 0,
        .q = u + column,
        .k = u + k_column,
        .v = u + v_column,
        .p = at->saved + i * t * t,
        .y_bar = at->y_bar ? at->y_bar + sample * t * cols + column : NULL,
    };
}

/* Work space of one head: s_bar [t][t]; s_dot and p_bar_dot [t][nvec][t]; two packed
 * tangents [t][nvec][d]; zeros [t][nvec][3 C], which stand for x_dot where there is none. */
struct work {
    real *s_bar;
    real *s_dot, *p_bar_dot;
    real *packed, *product;
    real *zeros;
};

static struct work work_of(const struct head *h, size_t nvec, real *scratch)
{
    const size_t tt = h->t * h->t;
    struct work w = {.s_bar = scratch, .s_dot = scratch + tt};
    w.p_bar_dot = w.s_dot + nvec * tt;
    w.packed = w.p_bar_dot + nvec * tt;
    w.product = w.packed + h->t * nvec * h->d;
    w.zeros = w.product + h->t * nvec * h->d;
    return w;
}

static size_t heads_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    (void)batch;
    const size_t t = stj_shape_positions(&layer->in);
    const size_t d = stj_shape_cols(&layer->out) / n_heads(layer);
    return t * t + 2 * nvec * t * t + 2 * t * nvec * d + t * nvec * stj_shape_cols(&layer->in);
}

/* Each row of p <- softmax of its first n entries, n = t or, causal, the row's number + 1; the
 * others <- 0. */
STJ_CLONES static void softmax_rows(size_t t, bool causal, real *restrict p)
{
    for (size_t i = 0; i < t; i++) {
        real *row = p + i * t;
        const size_t n = causal ? i + 1 : t;
        real top = row[0];
        for (size_t k = 1; k < n; k++)
            top = row[k] > top ? row[k] : top;
        for (size_t k = 0; k < n; k++)
            row[k] = (real)stj_exp((double)(row[k] - top));
        const real total = stj_row_sum(n, row);
        for (size_t k = 0; k < n; k++)
            row[k] /= total;
        for (size_t k = n; k < t; k++)
            row[k] = 0;
    }
}

static void heads_forward(const struct stj_layer *layer, real *y, const struct stj_layer_values *at,
                          real *scratch)
{
    (void)scratch;
    for (size_t i = 0; i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h.t, h.t, h.d, h.c, h.q, h.ld_u, h.k, h.ld_u, 0,
                 h.p, h.t);
        softmax_rows(h.t, h.causal, h.p);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t, h.d, h.t, 1, h.p, h.t, h.v, h.ld_u, 0,
                 y + h.sample * h.t * h.ld_y + h.column, h.ld_y);
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

/* Y [t][nvec][.] += alpha op(A) X, A [t][t] primal, X [t][nvec][.] tangents: one GEMM, packed. */
static void multiply_left(const struct head *h, size_t nvec, enum stj_blas_trans trans, real alpha,
                          const real *a, const real *x, size_t ld_x, real *y, size_t ld_y,
                          const struct work *w)
{
    const size_t n = nvec * h->d;
    pack(h->t * nvec, h->d, x, ld_x, w->packed);
    stj_gemm(trans, STJ_BLAS_NO_TRANS, h->t, n, h->t, alpha, a, h->t, w->packed, n, 0, w->product,
             n);
    unpack_add(h->t * nvec, h->d, w->product, y, ld_y);
}

/* s_dot [t][nvec][t] <- alpha (X_dot B' + A Z_dot'), all of width d with their leading dimensions:
 * ld_x of X_dot and A, ld_z of B and Z_dot. */
static void product_tangent(const struct head *h, size_t nvec, real alpha, const real *x_dot,
                            const real *a, size_t ld_x, const real *b, const real *z_dot,
                            size_t ld_z, real *s_dot)
{
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h->t * nvec, h->t, h->d, alpha, x_dot, ld_x, b,
             ld_z, 0, s_dot, h->t);
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h->t, h->t, h->d, alpha, a, ld_x,
                 z_dot + j * ld_z, nvec * ld_z, 1, s_dot + j * h->t, nvec * h->t);
}

/* s_dot <- P (s_dot - R(P s_dot)) */
STJ_CLONES static void softmax_tangent(size_t t, size_t nvec, const real *restrict p,
                                       real *restrict s_dot)
{
    for (size_t i = 0; i < t * nvec; i++) {
        const real *row = p + i / nvec * t;
        real *s = s_dot + i * t;
        const real mean = stj_row_dot(t, row, s);
        for (size_t k = 0; k < t; k++)
            s[k] = row[k] * (s[k] - mean);
    }
}

static void heads_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                  const struct stj_layer_values *at, const real *x_dot,
                                  const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    (void)theta_dot;
    if (!x_dot) {
        memset(y_dot, 0, at->batch * nvec * stj_shape_size(&layer->out) * sizeof *y_dot);
        return;
    }
    for (size_t i = 0; i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        const struct work w = work_of(&h, nvec, scratch);
        const real *u_dot = x_dot + h.sample * h.t * nvec * h.ld_u;
        const real *q_dot = u_dot + h.column;
        const real *k_dot = u_dot + h.k_column;
        const real *v_dot = u_dot + h.v_column;
        real *out = y_dot + h.sample * h.t * nvec * h.ld_y + h.column;
        /* S_dot, P_dot, Y_dot = P_dot V + P V_dot */
        product_tangent(&h, nvec, h.c, q_dot, h.q, h.ld_u, h.k, k_dot, h.ld_u, w.s_dot);
        softmax_tangent(h.t, nvec, h.p, w.s_dot);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t * nvec, h.d, h.t, 1, w.s_dot, h.t, h.v,
                 h.ld_u, 0, out, h.ld_y);
        multiply_left(&h, nvec, STJ_BLAS_NO_TRANS, 1, h.p, v_dot, h.ld_u, out, h.ld_y, &w);
    }
}

/* s_bar <- P (P_bar - R(P P_bar)), with P_bar = Y_bar V' */
static void make_s_bar(const struct head *h, const struct work *w)
{
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, h->t, h->t, h->d, 1, h->y_bar, h->ld_y, h->v,
             h->ld_u, 0, w->s_bar, h->t);
    softmax_tangent(h->t, 1, h->p, w->s_bar); /* the Jacobian of softmax is symmetric */
}

static void heads_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                           real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                           real *scratch)
{
    (void)x2_bar;
    (void)theta_bar;
    for (size_t i = 0; x_bar && i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        const struct work w = work_of(&h, 1, scratch);
        real *u_bar = x_bar + h.sample * h.t * h.ld_u;
        const real kv_beta = h.shares ? 1 : beta[0];
        make_s_bar(&h, &w);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t, h.d, h.t, h.c, w.s_bar, h.t, h.k,
                 h.ld_u, beta[0], u_bar + h.column, h.ld_u);
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, h.t, h.d, h.t, h.c, w.s_bar, h.t, h.q, h.ld_u,
                 kv_beta, u_bar + h.k_column, h.ld_u);
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, h.t, h.d, h.t, 1, h.p, h.t, h.y_bar, h.ld_y,
                 kv_beta, u_bar + h.v_column, h.ld_u);
    }
}

/* p_bar_dot <- S_bar_dot, s_dot <- P_dot */
STJ_CLONES static void scores_tangent(size_t t, size_t nvec, const real *restrict p,
                                      const real *restrict s_bar, real *restrict s_dot,
                                      real *restrict p_bar_dot)
{
    for (size_t i = 0; i < t * nvec; i++) {
        const real *prob = p + i / nvec * t;
        const real *bar = s_bar + i / nvec * t;
        real *dot = s_dot + i * t;
        real *bar_dot = p_bar_dot + i * t;
        const real mean = stj_row_dot(t, prob, dot);
        const real bar_mean = stj_row_dot(t, bar, dot) + stj_row_dot(t, prob, bar_dot);
        for (size_t k = 0; k < t; k++) {
            const real centred = dot[k] - mean;
            bar_dot[k] = bar[k] * centred + prob[k] * (bar_dot[k] - bar_mean);
            dot[k] = prob[k] * centred;
        }
    }
}

/* out [t][nvec][.] <- beta out + alpha A_dot_j' X for each tangent, A_dot [t][nvec][t]. */
static void multiply_transposed(const struct head *h, size_t nvec, real alpha, const real *a_dot,
                                const real *x, size_t ld_x, real beta, real *out)
{
    for (size_t j = 0; j < nvec; j++)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, h->t, h->d, h->t, alpha, a_dot + j * h->t,
                 nvec * h->t, x, ld_x, beta, out + j * h->ld_u, nvec * h->ld_u);
}

static void heads_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                   real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                   const struct stj_layer_values *at, const real *x_dot,
                                   const real *x2_dot, const real *theta_dot, const real *y_bar_dot,
                                   real *scratch)
{
    (void)x2_bar_dot;
    (void)theta_bar_dot;
    (void)x2_dot;
    (void)theta_dot;
    if (!x_bar_dot)
        return;
    for (size_t i = 0; i < at->batch * n_heads(layer); i++) {
        const struct head h = head_at(layer, at, i);
        const struct work w = work_of(&h, nvec, scratch);
        const size_t u = h.sample * h.t * nvec * h.ld_u;
        const real *u_dot = x_dot ? x_dot + u : w.zeros;
        const real *q_dot = u_dot + h.column;
        const real *k_dot = u_dot + h.k_column;
        const real *v_dot = u_dot + h.v_column;
        const real *out_bar_dot = y_bar_dot + h.sample * h.t * nvec * h.ld_y + h.column;
        real *q_bar_dot = x_bar_dot + u + h.column;
        real *k_bar_dot = x_bar_dot + u + h.k_column;
        real *v_bar_dot = x_bar_dot + u + h.v_column;
        const real kv_beta = h.shares ? 1 : beta[0];
        if (!x_dot && i == 0)
            memset(w.zeros, 0, h.t * nvec * h.ld_u * sizeof *w.zeros);
        /* S_bar, S_dot, P_bar_dot; then S_bar_dot and P_dot in the places of the last two */
        make_s_bar(&h, &w);
        product_tangent(&h, nvec, h.c, q_dot, h.q, h.ld_u, h.k, k_dot, h.ld_u, w.s_dot);
        product_tangent(&h, nvec, 1, out_bar_dot, h.y_bar, h.ld_y, h.v, v_dot, h.ld_u, w.p_bar_dot);
        scores_tangent(h.t, nvec, h.p, w.s_bar, w.s_dot, w.p_bar_dot);
        /* Q_bar_dot = c (S_bar_dot K + S_bar K_dot) */
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, h.t * nvec, h.d, h.t, h.c, w.p_bar_dot, h.t,
                 h.k, h.ld_u, beta[0], q_bar_dot, h.ld_u);
        multiply_left(&h, nvec, STJ_BLAS_NO_TRANS, h.c, w.s_bar, k_dot, h.ld_u, q_bar_dot, h.ld_u,
                      &w);
        /* K_bar_dot = c (S_bar_dot' Q + S_bar' Q_dot) */
        multiply_transposed(&h, nvec, h.c, w.p_bar_dot, h.q, h.ld_u, kv_beta, k_bar_dot);
        multiply_left(&h, nvec, STJ_BLAS_TRANS, h.c, w.s_bar, q_dot, h.ld_u, k_bar_dot, h.ld_u, &w);
        /* V_bar_dot = P_dot' Y_bar + P' Y_bar_dot */
        multiply_transposed(&h, nvec, 1, w.s_dot, h.y_bar, h.ld_y, kv_beta, v_bar_dot);
        multiply_left(&h, nvec, STJ_BLAS_TRANS, 1, h.p, out_bar_dot, h.ld_y, v_bar_dot, h.ld_u, &w);
    }
}

const struct stj_layer_ops stj_layer_attention_heads = {
    .info = {.name = "heads"},
    .setup = heads_setup,
    .n_scratch = heads_n_scratch,
    .forward = heads_forward,
    .forward_tangent = heads_forward_tangent,
    .backward = heads_backward,
    .backward_tangent = heads_backward_tangent,
};
