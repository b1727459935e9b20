/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/lamb.c: LAMB (You et al. 2020): Adam's direction, at a rate by the norms of each tensor.
 *
 *     u = m_hat / (sqrt(v_hat) + eps) + lambda theta        (train/adam.c, h = g)
 *     r = |theta| / |u|;     1 where |theta| or |u| is zero
 *     theta <- theta - eta r u
 *
 * With Adam's coefficients of a step at rate 1, m and v after their update:
 *
 *     tangent    u_dot = c_m m_dot - c_v v_dot + lambda theta_dot
 *                r_dot = r (<theta, theta_dot> / |theta|^2 - <u, u_dot> / |u|^2)
 *                theta_dot <- theta_dot - eta (r_dot u + r u_dot)
 *     adjoint    r_bar = -eta <u, theta_bar>;     u_bar = -eta r theta_bar - r_bar r / |u|^2 u
 *                m_bar <- m_bar + c_m u_bar;     v_bar <- v_bar - c_v u_bar
 *                g_bar = (1 - beta1) m_bar + c_g v_bar
 *                theta_bar <- theta_bar + lambda u_bar + r_bar r / |theta|^2 theta
 *                m_bar <- beta1 m_bar;     v_bar <- beta2 v_bar
 *
 * Zero second moments are as Adam's.  Where a norm is zero r jumps to 1, and its derivative is
 * taken as 0: a tensor that starts at zero has none in the first step.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "train/adam.h"
#include "train/optimizers.h"
#include "train/schedule.h"
#include "train/update_rows.h"

enum { M = STJ_ADAM_M, V = STJ_ADAM_V };
enum { C_M = STJ_ADAM_CM, C_V = STJ_ADAM_CV, C_G = STJ_ADAM_CG, C_U = STJ_ADAM_COEFS, N_COEF };

struct lamb_config {
    struct stj_adam_config adam; /* of what has no decay, to Adam */
    double weight_decay;
    bool undecayed;
};

#define OPTION(...) STJ_OPTION_ROW(struct lamb_config, __VA_ARGS__)
static const struct stj_option lamb_options[] = {
    OPTION("beta1", BY_STEP, adam.beta1, "0.9", "decay of the first moment", .kind = &stj_schedules,
           .max = 1, .below_max = true),
    OPTION("beta2", REAL, adam.beta2, "0.999", "decay of the second moment", .max = 1,
           .below_max = true),
    OPTION("eps", REAL, adam.eps, "1e-6", "added to the root of the second moment", .max = 1e300),
    OPTION("weight_decay", REAL, weight_decay, "0.01",
           "lambda: lambda theta is added to Adam's direction", .max = 1e300),
    OPTION("adapt_undecayed", BOOL, undecayed, "true",
           "whether tensors without weight decay are scaled too"),
    {.name = NULL},
};

static void lamb_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size,
             "{type: lamb, beta1: %.3f, beta2: %.3f, weight_decay: %.3f, eps: %s, "
             "adapt_undecayed: %s}",
             0.95 * stj_rng_uniform(rng), 0.5 + 0.49 * stj_rng_uniform(rng),
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0,
             stj_rng_index(rng, 2) ? "1e-6" : "0.01", stj_rng_index(rng, 4) ? "true" : "false");
}

/* The numbers of one step of one tensor with direction u. */
struct scalars {
    real beta1, beta2, lambda, eta;
    real r;
    /* r_dot = by_theta <theta, theta_dot> - by_u <u, u_dot> */
    real by_theta, by_u;
};

static struct scalars lamb_scalars(const struct lamb_config *c, const struct stj_step *at, size_t n,
                                   const real *theta, const real *u)
{
    const double of_theta = stj_update_inner(n, theta, theta), of_u = stj_update_inner(n, u, u);
    const bool adapts = of_theta > 0 && of_u > 0 && (c->undecayed || c->weight_decay > 0);
    const double r = adapts ? sqrt(of_theta) / sqrt(of_u) : 1;
    return (struct scalars){
        .beta1 = (real)stj_step_momentum(at, &c->adam.beta1),
        .beta2 = (real)c->adam.beta2,
        .lambda = (real)c->weight_decay,
        .eta = (real)at->eta,
        .r = (real)r,
        .by_theta = (real)(adapts ? r / of_theta : 0),
        .by_u = (real)(adapts ? r / of_u : 0),
    };
}

/* Adam's step at rate 1 from zero is its direction with the sign turned. */
static void lamb_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                      const real *g)
{
    const struct lamb_config *c = config;
    struct stj_step unit = *at;
    struct stj_update moments = *u;
    real *direction = u->work;
    unit.eta = 1;
    moments.theta = direction;
    memset(direction, 0, u->n * sizeof *direction);
    stj_optimizer_adam.step(&c->adam, &unit, &moments, g);
    for (size_t i = 0; i < u->n; i++)
        direction[i] = (real)c->weight_decay * u->theta[i] - direction[i];
    const struct scalars s = lamb_scalars(c, at, u->n, u->theta, direction);
    for (size_t i = 0; i < u->n; i++)
        u->theta[i] -= s.eta * (s.r * direction[i]);
}

static enum stj_status lamb_linearize(const void *config, const struct stj_step *at,
                                      const struct stj_update *before, const real *g, size_t first,
                                      real *const *coef, struct stj_error *err)
{
    const struct lamb_config *c = config;
    const real beta1 = (real)stj_step_momentum(at, &c->adam.beta1);
    struct stj_step unit = *at;
    unit.eta = 1;
    STJ_MUST(stj_optimizer_adam.linearize(&c->adam, &unit, before, g, first, coef, err));
    for (size_t i = 0; i < before->n; i++)
        coef[C_U][i] = coef[C_M][i] * (beta1 * before->slot[M][i] + (1 - beta1) * g[i]) +
                       (real)c->weight_decay * before->theta[i];
    const struct scalars s = lamb_scalars(c, at, before->n, before->theta, coef[C_U]);
    STJ_NEED(err, isfinite(s.r) && isfinite(s.by_theta) && isfinite(s.by_u), STJ_ENONFINITE,
             "the lamb update of the tensor from parameter %zu on at step %zu has no derivative: "
             "the norm of its direction is %g; train with a larger eps than %g",
             first, at->index, sqrt(stj_update_inner(before->n, coef[C_U], coef[C_U])),
             c->adam.eps);
    return STJ_OK;
}

static void lamb_tangent(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *t)
{
    const real *theta = t->point, *u = t->coef[C_U];
    const size_t n = t->rows * t->cols;
    const struct scalars s = lamb_scalars(config, at, n, theta, u);
    for (size_t j = 0; j < t->nvec; j++) {
        real *u_dot = t->work;
        double r_dot = 0;
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            t->slot[M][i] = s.beta1 * t->slot[M][i] + (1 - s.beta1) * t->g[i];
            t->slot[V][i] = s.beta2 * t->slot[V][i] + t->coef[C_G][k] * t->g[i];
            u_dot[k] = t->coef[C_M][k] * t->slot[M][i] - t->coef[C_V][k] * t->slot[V][i] +
                       s.lambda * t->theta[i];
            r_dot += (double)(s.by_theta * theta[k] * t->theta[i] - s.by_u * u[k] * u_dot[k]);
        }
        for (size_t k = 0; k < n; k++)
            t->theta[stj_update_place(t, j, k)] -= s.eta * ((real)r_dot * u[k] + s.r * u_dot[k]);
    }
}

static void lamb_adjoint(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *t)
{
    const real *theta = t->point, *u = t->coef[C_U];
    const size_t n = t->rows * t->cols;
    const struct scalars s = lamb_scalars(config, at, n, theta, u);
    for (size_t j = 0; j < t->nvec; j++) {
        double r_bar = 0;
        for (size_t k = 0; k < n; k++)
            r_bar -= (double)(s.eta * u[k] * t->theta[stj_update_place(t, j, k)]);
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            const real u_bar = -s.eta * s.r * t->theta[i] - (real)r_bar * s.by_u * u[k];
            const real m = t->slot[M][i] + t->coef[C_M][k] * u_bar;
            const real v = t->slot[V][i] - t->coef[C_V][k] * u_bar;
            t->g[i] = (1 - s.beta1) * m + t->coef[C_G][k] * v;
            t->theta[i] += s.lambda * u_bar + (real)r_bar * s.by_theta * theta[k];
            t->slot[M][i] = s.beta1 * m;
            t->slot[V][i] = s.beta2 * v;
        }
    }
}

const struct stj_optimizer_ops stj_optimizer_lamb = {
    .info = {.name = "lamb",
             .doc = "Adam's direction with decay, at a rate by the norms of each tensor",
             .options = lamb_options,
             .config_size = sizeof(struct lamb_config)},
    .n_slots = STJ_ADAM_SLOTS,
    .slot = {"exp_avg", "exp_avg_sq"},
    .squares = 1u << V,
    .whole = true,
    .n_work = 1,
    .n_coef = N_COEF,
    .sample = lamb_sample,
    .step = lamb_step,
    .linearize = lamb_linearize,
    .tangent = lamb_tangent,
    .adjoint = lamb_adjoint,
};
