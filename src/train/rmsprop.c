/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/rmsprop.c: RMSprop (Hinton 2012; centered: Graves 2013), the update of torch.optim.RMSprop.
 *
 *     h = g + lambda theta
 *     v <- alpha v + (1 - alpha) h^2
 *     a <- alpha a + (1 - alpha) h
 *     u = h / (r + eps),    r = sqrt(v),  or sqrt(v - a^2) where `centered`
 *     b <- mu b + u
 *     theta <- theta - eta b
 *
 * Without momentum and centering b = u, and neither a nor b is kept.  With the coefficients, at the
 * moments after their update,
 *
 *     c_u = 1 / (r + eps),   c_v = c_u^2 h / (2 r),   c_a = 2 a c_v (0 unless centered),
 *     c_g = 2 (1 - alpha) h:
 *
 *     tangent    h_dot = g_dot + lambda theta_dot
 *                v_dot <- alpha v_dot + c_g h_dot;     a_dot <- alpha a_dot + (1 - alpha) h_dot
 *                b_dot <- mu b_dot + c_u h_dot - c_v v_dot + c_a a_dot
 *                theta_dot <- theta_dot - eta b_dot
 *     adjoint    b_bar <- b_bar - eta theta_bar
 *                v_bar <- v_bar - c_v b_bar;     a_bar <- a_bar + c_a b_bar
 *                h_bar = c_u b_bar + c_g v_bar + (1 - alpha) a_bar;     g_bar = h_bar
 *                theta_bar <- theta_bar + lambda h_bar
 *                b_bar <- mu b_bar;   v_bar <- alpha v_bar;   a_bar <- alpha a_bar
 *
 * Where r = 0 every h until now was zero, u moves by h_dot / (0 + eps), and c_v = 0 says so.
 * Without eps there is no derivative: an error; the step itself then has u = 0 (PyTorch: 0/0).
 * Rounding can make v - a^2 negative for a gradient that hardly changes: it is taken as 0
 * (PyTorch: NaN).
 */
#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "train/optimizers.h"
#include "train/schedule.h"
#include "train/update_rows.h"

enum { V, B, A, N_SLOTS };           /* slots */
enum { C_U, C_V, C_G, C_A, N_COEF }; /* coefficients */

struct rmsprop_config {
    struct stj_by_step momentum;
    double alpha, eps, weight_decay;
    bool centered;
};

#define OPTION(...) STJ_OPTION_ROW(struct rmsprop_config, __VA_ARGS__)
static const struct stj_option rmsprop_options[] = {
    OPTION("alpha", REAL, alpha, "0.99", "decay of the second moment", .min = 0, .max = 1,
           .below_max = true),
    OPTION("eps", REAL, eps, "1e-8", "added to the root of the second moment", .min = 0,
           .max = 1e300),
    OPTION("momentum", BY_STEP, momentum, "0", "share of the previous direction that is kept",
           .kind = &stj_schedules, .min = 0, .max = 1, .below_max = true),
    OPTION("centered", BOOL, centered, "false",
           "whether the square of the gradient's mean is taken from the second moment"),
    OPTION("weight_decay", REAL, weight_decay, "0", "lambda: lambda theta is added to the gradient",
           .min = 0, .max = 1e300),
    {.name = NULL},
};

static void rmsprop_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(
        text, size,
        "{type: rmsprop, alpha: %.3f, eps: %s, momentum: %.3f, centered: %s, weight_decay: %.3f}",
        0.5 + 0.49 * stj_rng_uniform(rng), stj_rng_index(rng, 2) ? "0.001" : "0.1",
        stj_rng_index(rng, 2) ? 0.95 * stj_rng_uniform(rng) : 0,
        stj_rng_index(rng, 2) ? "true" : "false", stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0);
}

/* The numbers of one step. */
struct scalars {
    real alpha, eps, mu, lambda, eta;
    real centered; /* 1 or 0 */
    bool plain;    /* neither momentum nor centering */
};

static struct scalars rmsprop_scalars(const struct rmsprop_config *c, const struct stj_step *at)
{
    const double mu = stj_step_momentum(at, &c->momentum);
    return (struct scalars){
        .alpha = (real)c->alpha,
        .eps = (real)c->eps,
        .mu = (real)mu,
        .lambda = (real)(c->weight_decay + at->more_decay),
        .eta = (real)at->eta,
        .centered = c->centered ? 1 : 0,
        .plain = mu == 0 && !c->centered,
    };
}

/* sqrt(v - centered a^2), 0 where rounding made that negative; NaN stays NaN. */
static inline real root(real v, real a, real centered)
{
    const real variance = v - centered * a * a;
    return (real)sqrt((double)(variance < 0 ? 0 : variance));
}

STJ_CLONES static void plain_update(size_t n, struct scalars s, const real *restrict g,
                                    real *restrict v, real *restrict theta)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        v[i] = s.alpha * v[i] + (1 - s.alpha) * h * h;
        const real d = root(v[i], 0, 0) + s.eps;
        theta[i] -= d == 0 ? 0 : s.eta * (h / d);
    }
}

STJ_CLONES static void full_update(size_t n, struct scalars s, const real *restrict g,
                                   real *restrict v, real *restrict b, real *restrict a,
                                   real *restrict theta)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        v[i] = s.alpha * v[i] + (1 - s.alpha) * h * h;
        a[i] = s.alpha * a[i] + (1 - s.alpha) * h;
        const real d = root(v[i], a[i], s.centered) + s.eps;
        b[i] = s.mu * b[i] + (d == 0 ? 0 : h / d);
        theta[i] -= s.eta * b[i];
    }
}

static void rmsprop_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                         const real *g)
{
    const struct scalars s = rmsprop_scalars(config, at);
    if (s.plain)
        plain_update(u->n, s, g, u->slot[V], u->theta);
    else
        full_update(u->n, s, g, u->slot[V], u->slot[B], u->slot[A], u->theta);
}

STJ_CLONES static void rmsprop_coefficients(size_t n, struct scalars s, const real *restrict g,
                                            const real *restrict v, const real *restrict a,
                                            const real *restrict theta, real *restrict c_u,
                                            real *restrict c_v, real *restrict c_g,
                                            real *restrict c_a)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        const real v1 = s.alpha * v[i] + (1 - s.alpha) * h * h;
        const real a1 = s.alpha * a[i] + (1 - s.alpha) * h;
        const real r = root(v1, a1, s.centered);
        c_u[i] = 1 / (r + s.eps);
        c_v[i] = r == 0 ? 0 : c_u[i] * h / (2 * r * (r + s.eps));
        c_g[i] = 2 * (1 - s.alpha) * h;
        c_a[i] = s.centered * 2 * a1 * c_v[i];
    }
}

static enum stj_status rmsprop_linearize(const void *config, const struct stj_step *at,
                                         const struct stj_update *before, const real *g,
                                         size_t first, real *const *coef, struct stj_error *err)
{
    const struct stj_update *u = before;
    rmsprop_coefficients(u->n, rmsprop_scalars(config, at), g, u->slot[V], u->slot[A], u->theta,
                         coef[C_U], coef[C_V], coef[C_G], coef[C_A]);
    for (size_t i = 0; i < u->n; i++)
        STJ_NEED(
            err,
            isfinite(coef[C_U][i]) && isfinite(coef[C_V][i]) && isfinite(coef[C_G][i]) &&
                isfinite(coef[C_A][i]),
            STJ_ENONFINITE,
            "the rmsprop update of parameter %zu at step %zu has no derivative: its gradient "
            "is %g and its second moment before the step %g, with eps %g; train with eps above "
            "0",
            first + i, at->index, (double)g[i], (double)u->slot[V][i],
            ((const struct rmsprop_config *)config)->eps);
    return STJ_OK;
}

STJ_CLONES static void plain_tangent(size_t nvec, size_t n, struct scalars s,
                                     const real *restrict c_u, const real *restrict c_v,
                                     const real *restrict c_g, const real *restrict g_dot,
                                     real *restrict v_dot, real *restrict theta_dot)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++) {
            const size_t i = j * n + k;
            const real h = g_dot[i] + s.lambda * theta_dot[i];
            v_dot[i] = s.alpha * v_dot[i] + c_g[k] * h;
            theta_dot[i] -= s.eta * (c_u[k] * h - c_v[k] * v_dot[i]);
        }
}

STJ_CLONES static void full_tangent(size_t nvec, size_t n, struct scalars s,
                                    const real *restrict c_u, const real *restrict c_v,
                                    const real *restrict c_g, const real *restrict c_a,
                                    const real *restrict g_dot, real *restrict v_dot,
                                    real *restrict b_dot, real *restrict a_dot,
                                    real *restrict theta_dot)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++) {
            const size_t i = j * n + k;
            const real h = g_dot[i] + s.lambda * theta_dot[i];
            v_dot[i] = s.alpha * v_dot[i] + c_g[k] * h;
            a_dot[i] = s.alpha * a_dot[i] + (1 - s.alpha) * h;
            b_dot[i] = s.mu * b_dot[i] + c_u[k] * h - c_v[k] * v_dot[i] + c_a[k] * a_dot[i];
            theta_dot[i] -= s.eta * b_dot[i];
        }
}

static void rmsprop_tangent_row(const void *scalars, const struct stj_update_tile *t)
{
    const struct scalars s = *(const struct scalars *)scalars;
    if (s.plain)
        plain_tangent(t->nvec, t->cols, s, t->coef[C_U], t->coef[C_V], t->coef[C_G], t->g,
                      t->slot[V], t->theta);
    else
        full_tangent(t->nvec, t->cols, s, t->coef[C_U], t->coef[C_V], t->coef[C_G], t->coef[C_A],
                     t->g, t->slot[V], t->slot[B], t->slot[A], t->theta);
}

static void rmsprop_tangent(const void *config, const struct stj_step *at,
                            const struct stj_update_tile *tile)
{
    const struct scalars s = rmsprop_scalars(config, at);
    stj_update_rows(tile, N_SLOTS, N_COEF, rmsprop_tangent_row, &s);
}

STJ_CLONES static void plain_adjoint(size_t nvec, size_t n, struct scalars s,
                                     const real *restrict c_u, const real *restrict c_v,
                                     const real *restrict c_g, real *restrict g_bar,
                                     real *restrict v_bar, real *restrict theta_bar)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++) {
            const size_t i = j * n + k;
            const real b = -s.eta * theta_bar[i];
            const real v = v_bar[i] - c_v[k] * b;
            const real h = c_u[k] * b + c_g[k] * v;
            g_bar[i] = h;
            theta_bar[i] += s.lambda * h;
            v_bar[i] = s.alpha * v;
        }
}

STJ_CLONES static void full_adjoint(size_t nvec, size_t n, struct scalars s,
                                    const real *restrict c_u, const real *restrict c_v,
                                    const real *restrict c_g, const real *restrict c_a,
                                    real *restrict g_bar, real *restrict v_bar,
                                    real *restrict b_bar, real *restrict a_bar,
                                    real *restrict theta_bar)
{
    for (size_t j = 0; j < nvec; j++)
        for (size_t k = 0; k < n; k++) {
            const size_t i = j * n + k;
            const real b = b_bar[i] - s.eta * theta_bar[i];
            const real v = v_bar[i] - c_v[k] * b;
            const real a = a_bar[i] + c_a[k] * b;
            const real h = c_u[k] * b + c_g[k] * v + (1 - s.alpha) * a;
            g_bar[i] = h;
            theta_bar[i] += s.lambda * h;
            b_bar[i] = s.mu * b;
            v_bar[i] = s.alpha * v;
            a_bar[i] = s.alpha * a;
        }
}

static void rmsprop_adjoint_row(const void *scalars, const struct stj_update_tile *t)
{
    const struct scalars s = *(const struct scalars *)scalars;
    if (s.plain)
        plain_adjoint(t->nvec, t->cols, s, t->coef[C_U], t->coef[C_V], t->coef[C_G], t->g,
                      t->slot[V], t->theta);
    else
        full_adjoint(t->nvec, t->cols, s, t->coef[C_U], t->coef[C_V], t->coef[C_G], t->coef[C_A],
                     t->g, t->slot[V], t->slot[B], t->slot[A], t->theta);
}

static void rmsprop_adjoint(const void *config, const struct stj_step *at,
                            const struct stj_update_tile *tile)
{
    const struct scalars s = rmsprop_scalars(config, at);
    stj_update_rows(tile, N_SLOTS, N_COEF, rmsprop_adjoint_row, &s);
}

static bool rmsprop_uses(const void *config, size_t slot)
{
    const struct rmsprop_config *c = config;
    const bool moves = c->momentum.value > 0 || c->momentum.schedule.info;
    return slot == V || (slot == B ? moves : c->centered);
}

const struct stj_optimizer_ops stj_optimizer_rmsprop = {
    .info = {.name = "rmsprop",
             .doc = "RMSprop, optionally centered and with momentum",
             .options = rmsprop_options,
             .config_size = sizeof(struct rmsprop_config)},
    .n_slots = N_SLOTS,
    .slot = {"square_avg", "momentum_buffer", "grad_avg"},
    .uses = rmsprop_uses,
    .squares = 1u << V,
    .n_coef = N_COEF,
    .sample = rmsprop_sample,
    .step = rmsprop_step,
    .decay = STJ_DECAY_COUPLED,
    .linearize = rmsprop_linearize,
    .tangent = rmsprop_tangent,
    .adjoint = rmsprop_adjoint,
};
