/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/sgd.c: stochastic gradient descent with momentum, dampening, Nesterov's form and coupled
 * weight decay: the update of torch.optim.SGD (without dampening optax.sgd's too).
 *
 *     h = g + lambda theta
 *     m <- mu m + a h,     a = 1 - dampening; 1 at the first step, and where mu = 0
 *     d = m,  or  h + mu m in Nesterov's form
 *     theta <- theta - eta d
 *
 * With d = p m + q h, (p, q) = (1, 0) or (mu, 1):
 *
 *     tangent    the same with theta_dot, m_dot, g_dot: the update is linear, without coefficients
 *     adjoint    m_bar <- m_bar - eta p theta_bar;     h_bar = a m_bar - eta q theta_bar
 *                g_bar = h_bar;     theta_bar <- theta_bar + lambda h_bar;     m_bar <- mu m_bar
 *
 * The first step's rule is PyTorch's, whose momentum starts as h itself.
 */
#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "train/optimizers.h"
#include "train/schedule.h"

struct sgd_config {
    struct stj_by_step momentum;
    double dampening, weight_decay;
    bool nesterov;
};

#define OPTION(...) STJ_OPTION_ROW(struct sgd_config, __VA_ARGS__)
static const struct stj_option sgd_options[] = {
    OPTION("momentum", BY_STEP, momentum, "0", "share of the previous direction that is kept",
           .kind = &stj_schedules, .min = 0, .max = 1, .below_max = true),
    OPTION("dampening", REAL, dampening, "0",
           "share of the gradient that does not enter the direction, from the second step on",
           .min = 0, .max = 1),
    OPTION("nesterov", BOOL, nesterov, "false", "Nesterov's form of momentum"),
    OPTION("weight_decay", REAL, weight_decay, "0", "lambda: lambda theta is added to the gradient",
           .min = 0, .max = 1e300),
    {.name = NULL},
};

static bool sgd_uses(const void *config, size_t slot)
{
    const struct sgd_config *c = config;
    (void)slot;
    return c->momentum.value > 0 || c->momentum.schedule.info;
}

static enum stj_status sgd_check(const void *config, struct stj_error *err)
{
    const struct sgd_config *c = config;
    const bool moves = sgd_uses(config, 0);
    STJ_NEED(err, !c->nesterov || (moves && c->dampening == 0), STJ_ECONFIG,
             "nesterov needs a momentum above 0 and no dampening, got momentum %g and dampening %g",
             c->momentum.value, c->dampening);
    return STJ_OK;
}

static void sgd_sample(struct stj_rng *rng, char *text, size_t size)
{
    const double decay = stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0;
    const double mu = 0.05 + 0.9 * stj_rng_uniform(rng);
    switch (stj_rng_index(rng, 3)) {
    case 0:
        snprintf(text, size, "{type: sgd, weight_decay: %.3f, dampening: 0.5}", decay);
        break;
    case 1:
        snprintf(text, size, "{type: sgd, momentum: %.3f, dampening: %.3f, weight_decay: %.3f}", mu,
                 stj_rng_uniform(rng), decay);
        break;
    default:
        snprintf(text, size, "{type: sgd, momentum: %.3f, nesterov: true, weight_decay: %.3f}", mu,
                 decay);
    }
}

struct sgd_scalars {
    real mu, a, eta_p, eta_q, lambda;
};

static struct sgd_scalars sgd_scalars(const void *config, const struct stj_step *at)
{
    const struct sgd_config *c = config;
    const double mu = stj_step_momentum(at, &c->momentum);
    const bool damped = at->count > 0 && mu > 0;
    return (struct sgd_scalars){
        .mu = (real)mu,
        .a = (real)(damped ? 1 - c->dampening : 1),
        .eta_p = (real)(c->nesterov ? at->eta * mu : at->eta),
        .eta_q = (real)(c->nesterov ? at->eta : 0),
        .lambda = (real)(c->weight_decay + at->more_decay),
    };
}

STJ_CLONES static void sgd_update(size_t n, struct sgd_scalars s, const real *restrict g,
                                  real *restrict m, real *restrict theta)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        m[i] = s.mu * m[i] + s.a * h;
        theta[i] -= s.eta_p * m[i] + s.eta_q * h;
    }
}

static void sgd_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                     const real *g)
{
    sgd_update(u->n, sgd_scalars(config, at), g, u->slot[0], u->theta);
}

static void sgd_tangent(const void *config, const struct stj_step *at,
                        const struct stj_update_tile *t)
{
    sgd_update(t->rows * t->nvec * t->cols, sgd_scalars(config, at), t->g, t->slot[0], t->theta);
}

/* d m = m_before; d (p m + q h) = p m_before, and m more in Nesterov's form. */
static void sgd_by_momentum(const void *config, const struct stj_step *at,
                            const struct stj_update *before, const real *g,
                            const struct stj_update *moved)
{
    const struct sgd_scalars s = sgd_scalars(config, at);
    for (size_t i = 0; i < before->n; i++) {
        const real m = before->slot[0][i], h = g[i] + s.lambda * before->theta[i];
        moved->slot[0][i] = m;
        moved->theta[i] = -s.eta_p * m - s.eta_q * (s.mu * m + s.a * h);
    }
}

/* The adjoint without weight decay leaves theta_bar as it is: one stream less to write. */
STJ_CLONES static void sgd_adjoint_plain(size_t n, struct sgd_scalars s,
                                         const real *restrict theta_bar, real *restrict m_bar,
                                         real *restrict g_bar)
{
    for (size_t i = 0; i < n; i++) {
        const real m = m_bar[i] - s.eta_p * theta_bar[i];
        g_bar[i] = s.a * m - s.eta_q * theta_bar[i];
        m_bar[i] = s.mu * m;
    }
}

STJ_CLONES static void sgd_adjoint_decay(size_t n, struct sgd_scalars s, real *restrict theta_bar,
                                         real *restrict m_bar, real *restrict g_bar)
{
    for (size_t i = 0; i < n; i++) {
        const real m = m_bar[i] - s.eta_p * theta_bar[i];
        const real h = s.a * m - s.eta_q * theta_bar[i];
        g_bar[i] = h;
        theta_bar[i] += s.lambda * h;
        m_bar[i] = s.mu * m;
    }
}

static void sgd_adjoint(const void *config, const struct stj_step *at,
                        const struct stj_update_tile *t)
{
    const struct sgd_scalars s = sgd_scalars(config, at);
    const size_t n = t->rows * t->nvec * t->cols;
    if (s.lambda == 0)
        sgd_adjoint_plain(n, s, t->theta, t->slot[0], t->g);
    else
        sgd_adjoint_decay(n, s, t->theta, t->slot[0], t->g);
}

const struct stj_optimizer_ops stj_optimizer_sgd = {
    .info = {.name = "sgd",
             .doc = "stochastic gradient descent with momentum",
             .options = sgd_options,
             .config_size = sizeof(struct sgd_config),
             .check = sgd_check},
    .n_slots = 1,
    .slot = {"momentum_buffer"},
    .uses = sgd_uses,
    .sample = sgd_sample,
    .step = sgd_step,
    .by_momentum = sgd_by_momentum,
    .decay = STJ_DECAY_COUPLED,
    .tangent = sgd_tangent,
    .adjoint = sgd_adjoint,
};
