/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/muon.c: Muon (Jordan et al. 2024): matrices move by their momentum, made nearly orthogonal
 * by five steps of Newton and Schulz; everything else, and matrices of groups that say so, by
 * AdamW.
 *
 *     m <- mu m + a g,     a = 1 - mu where the momentum is a mean, or 1
 *     U = p m + q g        (p, q) = (mu, a) in Nesterov's form, or (1, 0)
 *     X_0 = U / (|U| + eps)
 *     X_(k+1) = f(X_k) = a X + (b A + c A^2) X,   A = X X',   (a, b, c) below
 *     theta <- (1 - eta lambda) theta - eta s X_5,   s = sqrt(max(1, rows / columns))
 *
 * Rows and columns are those of the matrix as PyTorch has it, [out][in]; a convolution's kernel is
 * [out][in * height * width].  f(X') = f(X)', so that the matrix may lie here as it does, and A is
 * made on its shorter side.
 *
 * f is the gradient of a function of the singular values, and so its differential
 *
 *     D_k(Z) = a Z + B Z + (b S + c (S A + A S)) X,    B = b A + c A^2,    S = Z X' + X Z'
 *
 * is symmetric, as is that of the division by the norm,
 *
 *     D(Z) = (Z - X_0 <X_0, Z> (|U| + eps) / |U|) / (|U| + eps):
 *
 *     tangent    m_dot <- mu m_dot + a g_dot;     U_dot = p m_dot + q g_dot
 *                theta_dot <- (1 - eta lambda) theta_dot - eta s D_4 ... D_0 D (U_dot)
 *     adjoint    U_bar = D D_0 ... D_4 (-eta s theta_bar)
 *                m_bar <- m_bar + p U_bar;     g_bar = a m_bar + q U_bar;     m_bar <- mu m_bar
 *                theta_bar <- (1 - eta lambda) theta_bar
 *
 * The coefficients are X_0 .. X_4 and |U|.  Where U = 0 it moves by s U_dot, and X_0 by
 * s U_dot / (eps + O(s)): the second term of D is then left out.  Without eps there is no
 * derivative: an error; the step then does not move the matrix.  PyTorch iterates in bfloat16, here
 * it is in the numbers of everything else.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "train/adam.h"
#include "train/optimizers.h"
#include "train/schedule.h"
#include "train/update_rows.h"

enum { N_ITERATIONS = 5, C_NORM = N_ITERATIONS, N_COEF };
enum { W_X, W_Y, W_A, W_B, W_S, W_M, N_WORK }; /* work */

static const double COEF_A = 3.4445, COEF_B = -4.7750, COEF_C = 2.0315;

struct muon_config {
    struct stj_adam_config adamw; /* weight_decay: of the matrices too */
    struct stj_by_step momentum;
    double eps, rate;
    bool nesterov, mean, orthogonal;
};

#define OPTION(...) STJ_OPTION_ROW(struct muon_config, __VA_ARGS__)
static const struct stj_option muon_options[] = {
    OPTION("momentum", BY_STEP, momentum, "0.95", "share of the previous direction that is kept",
           .kind = &stj_schedules, .max = 1, .below_max = true),
    OPTION("nesterov", BOOL, nesterov, "true", "Nesterov's form of momentum"),
    OPTION("mean", BOOL, mean, "true",
           "whether the momentum takes 1 - momentum of the gradient, or all of it"),
    OPTION("eps", REAL, eps, "1e-7", "added to the norm of the direction", .max = 1e300),
    OPTION("weight_decay", REAL, adamw.weight_decay, "0",
           "lambda: theta is multiplied by 1 - eta lambda", .max = 1e300),
    OPTION(
        "orthogonal", BOOL, orthogonal, "true",
        "whether matrices are made orthogonal; false, of a group: AdamW trains them as the rest"),
    OPTION("adamw_rate", REAL, rate, "0.015", "AdamW's learning rate, as a multiple of eta",
           .max = 1e300),
    OPTION("adamw_beta1", REAL, adamw.beta1.value, "0.9", "decay of AdamW's first moment", .max = 1,
           .below_max = true),
    OPTION("adamw_beta2", REAL, adamw.beta2, "0.95", "decay of AdamW's second moment", .max = 1,
           .below_max = true),
    OPTION("adamw_eps", REAL, adamw.eps, "1e-10", "added to the root of AdamW's second moment",
           .max = 1e300),
    {.name = NULL},
};

static void muon_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size,
             "{type: muon, momentum: %.3f, nesterov: %s, mean: %s, weight_decay: %.3f, "
             "adamw_rate: %.3f, adamw_beta2: %.3f, adamw_eps: %s}",
             0.95 * stj_rng_uniform(rng), stj_rng_index(rng, 2) ? "true" : "false",
             stj_rng_index(rng, 2) ? "true" : "false",
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0, stj_rng_uniform(rng),
             0.5 + 0.49 * stj_rng_uniform(rng), stj_rng_index(rng, 2) ? "1e-8" : "0.001");
}

static bool is_orthogonalized(const struct muon_config *c, const struct stj_tensor_shape *tensor)
{
    return c->orthogonal && tensor->form != STJ_FORM_VECTOR;
}

/* AdamW's step beside this one. */
static struct stj_step beside(const struct muon_config *c, const struct stj_step *at)
{
    struct stj_step its = *at;
    its.eta *= c->rate;
    its.has_momentum = false; /* it is of the matrices */
    return its;
}

/* The numbers of one step of a matrix. */
struct scalars {
    real mu, a, p, q, delta, eta;
};

static struct scalars muon_scalars(const struct muon_config *c, const struct stj_step *at,
                                   const struct stj_tensor_shape *tensor)
{
    const bool out_first = tensor->form == STJ_FORM_OUT_IN;
    const double out = (double)(out_first ? tensor->rows : tensor->cols);
    const double in = (double)(out_first ? tensor->cols : tensor->rows);
    const double mu = stj_step_momentum(at, &c->momentum);
    const double a = c->mean ? 1 - mu : 1;
    return (struct scalars){
        .mu = (real)mu,
        .a = (real)a,
        .p = (real)(c->nesterov ? mu : 1),
        .q = (real)(c->nesterov ? a : 0),
        .delta = (real)(1 - at->eta * c->adamw.weight_decay),
        .eta = (real)(at->eta * sqrt(fmax(1, out / in))),
    };
}

/* ---- Newton and Schulz ---- */

/* Matrices [rows][cols], and square ones of their shorter side. */
struct sides {
    size_t rows, cols, n, m;
    bool tall;
};

static struct sides sides_of(size_t rows, size_t cols)
{
    const bool tall = rows > cols;
    return (struct sides){rows, cols, rows * cols, tall ? cols : rows, tall};
}

/* C <- X Y', or X'Y of tall ones. */
static void gram(struct sides d, const real *x, const real *y, real *c)
{
    if (d.tall)
        stj_gemm(STJ_BLAS_TRANS, STJ_BLAS_NO_TRANS, d.m, d.m, d.rows, 1, x, d.m, y, d.m, 0, c, d.m);
    else
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, d.m, d.m, d.cols, 1, x, d.cols, y, d.cols, 0, c,
                 d.m);
}

/* Y <- C X + beta Y, or X C of tall ones. */
static void multiply(struct sides d, const real *c, const real *x, real beta, real *y)
{
    const real *left = d.tall ? x : c, *right = d.tall ? c : x;
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, d.rows, d.cols, d.m, 1, left, d.m, right, d.cols,
             beta, y, d.cols);
}

/* A <- X X', B <- b A + c A^2. */
static void polynomial(struct sides d, const real *x, real *a, real *b)
{
    gram(d, x, x, a);
    memcpy(b, a, d.m * d.m * sizeof *b);
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, d.m, d.m, d.m, (real)COEF_C, a, d.m, a, d.m,
             (real)COEF_B, b, d.m);
}

/* Y <- f(X). */
static void iterate(struct sides d, const real *x, real *y, real *a, real *b)
{
    polynomial(d, x, a, b);
    memcpy(y, x, d.n * sizeof *y);
    multiply(d, b, x, (real)COEF_A, y);
}

/* S <- S + S'. */
static void add_transposed(size_t m, real *s)
{
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k <= i; k++)
            s[i * m + k] = s[k * m + i] = s[i * m + k] + s[k * m + i];
}

/* Y <- D_k(Z) at X; a, b, s and t are square. */
static void differentiate(struct sides d, const real *x, const real *z, real *y, real *a, real *b,
                          real *s, real *t)
{
    polynomial(d, x, a, b);
    gram(d, z, x, s);
    add_transposed(d.m, s);
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, d.m, d.m, d.m, (real)COEF_C, s, d.m, a, d.m, 0,
             t, d.m);
    add_transposed(d.m, t);
    for (size_t i = 0; i < d.m * d.m; i++)
        t[i] += (real)COEF_B * s[i];
    memcpy(y, z, d.n * sizeof *y);
    multiply(d, b, z, (real)COEF_A, y);
    multiply(d, t, x, 1, y);
}

/* Z <- D(Z). */
static void differentiate_norm(size_t n, const real *x, double norm, double eps, real *z)
{
    const double along = norm > 0 ? stj_update_inner(n, x, z) * (norm + eps) / norm : 0;
    for (size_t i = 0; i < n; i++)
        z[i] = (real)(((double)z[i] - (double)x[i] * along) / (norm + eps));
}

/* One part of the room to work in. */
static real *work_of(real *work, size_t n, int which)
{
    return work + (size_t)which * n;
}

/* z <- D_4 ... D_0 D (z), or in the other order, its transpose; z is work W_X. */
static void through(const struct muon_config *c, const struct stj_update_tile *t, bool trans)
{
    const struct sides d = sides_of(t->rows, t->cols);
    const double norm = (double)t->coef[C_NORM][0];
    real *w[N_WORK];
    for (int i = 0; i < N_WORK; i++)
        w[i] = work_of(t->work, d.n, i);
    if (!trans)
        differentiate_norm(d.n, t->coef[0], norm, c->eps, w[W_X]);
    for (size_t k = 0; k < N_ITERATIONS; k++) {
        const real *x = t->coef[trans ? N_ITERATIONS - 1 - k : k];
        differentiate(d, x, w[W_X], w[W_Y], w[W_A], w[W_B], w[W_S], w[W_M]);
        memcpy(w[W_X], w[W_Y], d.n * sizeof(real));
    }
    if (trans)
        differentiate_norm(d.n, t->coef[0], norm, c->eps, w[W_X]);
}

/* ---- the optimizer ---- */

/* x <- the direction over its norm, which is returned; m <- the momentum after the step, where it
 * is not NULL. */
static double direction(const struct muon_config *c, struct scalars s, const struct stj_update *u,
                        const real *g, real *m, real *x)
{
    for (size_t i = 0; i < u->n; i++) {
        const real momentum = s.mu * u->slot[0][i] + s.a * g[i];
        x[i] = s.p * momentum + s.q * g[i];
        if (m)
            m[i] = momentum;
    }
    const double norm = sqrt(stj_update_inner(u->n, x, x));
    for (size_t i = 0; i < u->n && norm > 0; i++)
        x[i] = (real)((double)x[i] / (norm + c->eps));
    return norm;
}

static void muon_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                      const real *g)
{
    const struct muon_config *c = config;
    const struct stj_step its = beside(c, at);
    if (!is_orthogonalized(c, u->tensor)) {
        stj_optimizer_adamw.step(&c->adamw, &its, u, g);
        return;
    }
    const struct scalars s = muon_scalars(c, at, u->tensor);
    const struct sides d = sides_of(u->tensor->rows, u->tensor->cols);
    real *x = work_of(u->work, d.n, W_X), *y = work_of(u->work, d.n, W_Y);
    (void)direction(c, s, u, g, u->slot[0], x);
    for (size_t k = 0; k < N_ITERATIONS; k++) {
        iterate(d, x, y, work_of(u->work, d.n, W_A), work_of(u->work, d.n, W_B));
        memcpy(x, y, d.n * sizeof *x);
    }
    for (size_t i = 0; i < d.n; i++)
        u->theta[i] = s.delta * u->theta[i] - s.eta * x[i];
}

static enum stj_status muon_linearize(const void *config, const struct stj_step *at,
                                      const struct stj_update *before, const real *g, size_t first,
                                      real *const *coef, struct stj_error *err)
{
    const struct muon_config *c = config;
    const struct stj_update *u = before;
    const struct stj_step its = beside(c, at);
    if (!is_orthogonalized(c, u->tensor))
        return stj_optimizer_adamw.linearize(&c->adamw, &its, u, g, first, coef, err);
    const struct sides d = sides_of(u->tensor->rows, u->tensor->cols);
    const double norm = direction(c, muon_scalars(c, at, u->tensor), u, g, NULL, coef[0]);
    STJ_NEED(err, isfinite(norm) && norm + c->eps > 0, STJ_ENONFINITE,
             "the muon update of the matrix from parameter %zu on at step %zu has no derivative: "
             "the norm of its direction is %g with eps %g; train with eps above 0",
             first, at->index, norm, c->eps);
    coef[C_NORM][0] = (real)norm;
    for (size_t k = 0; k + 1 < N_ITERATIONS; k++)
        iterate(d, coef[k], coef[k + 1], work_of(u->work, d.n, W_A), work_of(u->work, d.n, W_B));
    return STJ_OK;
}

static void muon_tangent(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *t)
{
    const struct muon_config *c = config;
    const struct stj_step its = beside(c, at);
    const size_t n = t->rows * t->cols;
    if (!is_orthogonalized(c, t->tensor)) {
        stj_optimizer_adamw.tangent(&c->adamw, &its, t);
        return;
    }
    const struct scalars s = muon_scalars(c, at, t->tensor);
    real *z = work_of(t->work, n, W_X);
    for (size_t j = 0; j < t->nvec; j++) {
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            t->slot[0][i] = s.mu * t->slot[0][i] + s.a * t->g[i];
            z[k] = s.p * t->slot[0][i] + s.q * t->g[i];
        }
        through(c, t, false);
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            t->theta[i] = s.delta * t->theta[i] - s.eta * z[k];
        }
    }
}

static void muon_adjoint(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *t)
{
    const struct muon_config *c = config;
    const struct stj_step its = beside(c, at);
    const size_t n = t->rows * t->cols;
    if (!is_orthogonalized(c, t->tensor)) {
        stj_optimizer_adamw.adjoint(&c->adamw, &its, t);
        return;
    }
    const struct scalars s = muon_scalars(c, at, t->tensor);
    real *z = work_of(t->work, n, W_X);
    for (size_t j = 0; j < t->nvec; j++) {
        for (size_t k = 0; k < n; k++)
            z[k] = -s.eta * t->theta[stj_update_place(t, j, k)];
        through(c, t, true);
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            const real m_bar = t->slot[0][i] + s.p * z[k];
            t->g[i] = s.a * m_bar + s.q * z[k];
            t->slot[0][i] = s.mu * m_bar;
            t->theta[i] *= s.delta;
        }
    }
}

const struct stj_optimizer_ops stj_optimizer_muon = {
    .info = {.name = "muon",
             .doc = "momentum of matrices made orthogonal by Newton and Schulz, AdamW for the rest",
             .options = muon_options,
             .config_size = sizeof(struct muon_config)},
    .n_slots = STJ_ADAM_SLOTS,
    .squares = 1u << STJ_ADAM_V,
    .whole = true,
    .n_work = N_WORK,
    .n_coef = N_COEF,
    .sample = muon_sample,
    .step = muon_step,
    .linearize = muon_linearize,
    .tangent = muon_tangent,
    .adjoint = muon_adjoint,
};
