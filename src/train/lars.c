/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/lars.c: LARS (You, Gitman, Ginsburg 2017): SGD with momentum whose rate follows the norms
 * of each tensor.
 *
 *     h = g + lambda theta
 *     r = c |theta| / D,    D = |g| + lambda |theta| + eps;     1 where |theta| or |g| is zero
 *     m <- mu m + r h
 *     theta <- theta - eta d,    d = m,  or  r h + mu m in Nesterov's form
 *
 * With d = p m + q r h, (p, q) = (1, 0) or (mu, 1), and the norms' differentials
 * N_dot = <theta, theta_dot> / |theta|, G_dot = <g, g_dot> / |g|:
 *
 *     tangent    r_dot = r (N_dot / |theta| - (G_dot + lambda N_dot) / D)
 *                u_dot = r (g_dot + lambda theta_dot) + r_dot h;     m_dot <- mu m_dot + u_dot
 *                theta_dot <- theta_dot - eta (p m_dot + q u_dot)
 *     adjoint    m_bar <- m_bar - eta p theta_bar;     u_bar = m_bar - eta q theta_bar
 *                r_bar = <h, u_bar>
 *                g_bar = r u_bar - r_bar r / (D |g|) g
 *                theta_bar <- theta_bar + lambda r u_bar
 *                             + r_bar r (1 / |theta| - lambda / D) / |theta| theta
 *                m_bar <- mu m_bar
 *
 * The coefficient is g.  Where a norm is zero r jumps to 1, and its derivative is taken as 0: a
 * tensor that starts at zero has none in the first step.
 */
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "train/optimizers.h"
#include "train/schedule.h"
#include "train/update_rows.h"

struct lars_config {
    struct stj_by_step momentum;
    double trust, eps, weight_decay;
    bool nesterov, undecayed;
};

#define OPTION(...) STJ_OPTION_ROW(struct lars_config, __VA_ARGS__)
static const struct stj_option lars_options[] = {
    OPTION("momentum", BY_STEP, momentum, "0.9", "share of the previous direction that is kept",
           .kind = &stj_schedules, .max = 1, .below_max = true),
    OPTION("nesterov", BOOL, nesterov, "false", "Nesterov's form of momentum"),
    OPTION("trust_coefficient", REAL, trust, "0.001",
           "c: a tensor's rate is c |theta| / (|g| + lambda |theta| + eps) times the step's",
           .max = 1e300),
    OPTION("eps", REAL, eps, "1e-8", "added to the norms", .max = 1e300),
    OPTION("weight_decay", REAL, weight_decay, "0", "lambda: lambda theta is added to the gradient",
           .max = 1e300),
    OPTION("adapt_undecayed", BOOL, undecayed, "true",
           "whether tensors without weight decay are scaled too"),
    {.name = NULL},
};

static void lars_sample(struct stj_rng *rng, char *text, size_t size)
{
    const bool nesterov = stj_rng_index(rng, 2);
    snprintf(text, size,
             "{type: lars, momentum: %.3f, nesterov: %s, trust_coefficient: %.3f, eps: %s, "
             "weight_decay: %.3f, adapt_undecayed: %s}",
             nesterov || stj_rng_index(rng, 2) ? 0.95 * stj_rng_uniform(rng) : 0,
             nesterov ? "true" : "false", 0.1 + stj_rng_uniform(rng),
             stj_rng_index(rng, 2) ? "1e-8" : "0.1",
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0,
             stj_rng_index(rng, 4) ? "true" : "false");
}

/* The numbers of one step of one tensor. */
struct scalars {
    real mu, lambda, eta_p, eta_q;
    real r;
    /* r_dot = by_theta <theta, theta_dot> - by_g <g, g_dot> */
    real by_theta, by_g;
};

static double norm(size_t n, const real *x)
{
    return sqrt(stj_update_inner(n, x, x));
}

static struct scalars lars_scalars(const struct lars_config *c, const struct stj_step *at, size_t n,
                                   const real *theta, const real *g)
{
    const double N = norm(n, theta), G = norm(n, g), D = G + c->weight_decay * N + c->eps;
    const double mu = stj_step_momentum(at, &c->momentum);
    const bool adapts = N > 0 && G > 0 && (c->undecayed || c->weight_decay > 0);
    const double r = adapts ? c->trust * N / D : 1;
    return (struct scalars){
        .mu = (real)mu,
        .lambda = (real)c->weight_decay,
        .eta_p = (real)(c->nesterov ? at->eta * mu : at->eta),
        .eta_q = (real)(c->nesterov ? at->eta : 0),
        .r = (real)r,
        .by_theta = (real)(adapts ? r * (1 / N - c->weight_decay / D) / N : 0),
        .by_g = (real)(adapts ? r / (D * G) : 0),
    };
}

static void lars_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                      const real *g)
{
    const struct scalars s = lars_scalars(config, at, u->n, u->theta, g);
    for (size_t i = 0; i < u->n; i++) {
        const real scaled = s.r * (g[i] + s.lambda * u->theta[i]);
        u->slot[0][i] = s.mu * u->slot[0][i] + scaled;
        u->theta[i] -= s.eta_p * u->slot[0][i] + s.eta_q * scaled;
    }
}

static enum stj_status lars_linearize(const void *config, const struct stj_step *at,
                                      const struct stj_update *before, const real *g, size_t first,
                                      real *const *coef, struct stj_error *err)
{
    const struct scalars s = lars_scalars(config, at, before->n, before->theta, g);
    for (size_t i = 0; i < before->n; i++)
        coef[0][i] = g[i];
    STJ_NEED(err, isfinite(s.r) && isfinite(s.by_theta) && isfinite(s.by_g), STJ_ENONFINITE,
             "the lars update of the tensor from parameter %zu on at step %zu has no derivative: "
             "its norm is %g and that of its gradient %g; train with eps above 0, or by sgd",
             first, at->index, norm(before->n, before->theta), norm(before->n, g));
    return STJ_OK;
}

static void lars_tangent(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *t)
{
    const real *theta = t->point, *g = t->coef[0];
    const size_t n = t->rows * t->cols;
    const struct scalars s = lars_scalars(config, at, n, theta, g);
    for (size_t j = 0; j < t->nvec; j++) {
        double r_dot = 0;
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            r_dot += (double)(s.by_theta * theta[k] * t->theta[i] - s.by_g * g[k] * t->g[i]);
        }
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            const real u = s.r * (t->g[i] + s.lambda * t->theta[i]) +
                           (real)r_dot * (g[k] + s.lambda * theta[k]);
            t->slot[0][i] = s.mu * t->slot[0][i] + u;
            t->theta[i] -= s.eta_p * t->slot[0][i] + s.eta_q * u;
        }
    }
}

static void lars_adjoint(const void *config, const struct stj_step *at,
                         const struct stj_update_tile *t)
{
    const real *theta = t->point, *g = t->coef[0];
    const size_t n = t->rows * t->cols;
    const struct scalars s = lars_scalars(config, at, n, theta, g);
    for (size_t j = 0; j < t->nvec; j++) {
        double r_bar = 0;
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            t->slot[0][i] -= s.eta_p * t->theta[i];
            t->g[i] = t->slot[0][i] - s.eta_q * t->theta[i];
            r_bar += (double)((g[k] + s.lambda * theta[k]) * t->g[i]);
        }
        for (size_t k = 0; k < n; k++) {
            const size_t i = stj_update_place(t, j, k);
            const real h_bar = s.r * t->g[i];
            t->g[i] = h_bar - (real)r_bar * s.by_g * g[k];
            t->theta[i] += s.lambda * h_bar + (real)r_bar * s.by_theta * theta[k];
            t->slot[0][i] *= s.mu;
        }
    }
}

const struct stj_optimizer_ops stj_optimizer_lars = {
    .info = {.name = "lars",
             .doc = "SGD with momentum, at a rate by the norms of each tensor",
             .options = lars_options,
             .config_size = sizeof(struct lars_config)},
    .n_slots = 1,
    .slot = {"momentum_buffer"},
    .whole = true,
    .n_coef = 1,
    .sample = lars_sample,
    .step = lars_step,
    .linearize = lars_linearize,
    .tangent = lars_tangent,
    .adjoint = lars_adjoint,
};
