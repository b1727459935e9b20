/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/adagrad.c: Adagrad (Duchi, Hazan, Singer 2011), the update of torch.optim.Adagrad.  At step
 * t = 0, 1, ...:
 *
 *     h = g + lambda theta
 *     v <- v + h^2,                      v = v_0 before the first step
 *     theta <- theta - rho h / (r + eps),    r = sqrt(v),    rho = eta / (1 + t lr_decay)
 *
 * With the coefficients, at v after its update,
 *
 *     c_u = rho / (r + eps),   c_v = c_u h / (2 r (r + eps)),   c_g = 2 h:
 *
 *     tangent    h_dot = g_dot + lambda theta_dot
 *                v_dot <- v_dot + c_g h_dot
 *                theta_dot <- theta_dot - c_u h_dot + c_v v_dot
 *     adjoint    v_bar <- v_bar + c_v theta_bar
 *                h_bar = c_g v_bar - c_u theta_bar;    g_bar = h_bar
 *                theta_bar <- theta_bar + lambda h_bar
 *
 * Where r = 0 every h until now was zero; h_dot / (0 + eps) is the derivative, and c_v = 0 says so.
 * Without eps there is none: an error; the step itself then leaves the parameter alone (PyTorch:
 * 0/0).
 */
#include <math.h>
#include <stdio.h>

#include "base/target_clones.h"
#include "base/error.h"
#include "train/optimizers.h"
#include "train/update_rows.h"

enum { C_U, C_V, C_G, N_COEF };

struct adagrad_config {
    double lr_decay, initial, eps, weight_decay;
};

#define OPTION(...) STJ_OPTION_ROW(struct adagrad_config, __VA_ARGS__)
static const struct stj_option adagrad_options[] = {
    OPTION("lr_decay", REAL, lr_decay, "0", "the rate of step t is divided by 1 + t lr_decay",
           .max = 1e300),
    OPTION("initial_accumulator_value", REAL, initial, "0",
           "the sum of squares before the first step", .max = 1e300),
    OPTION("eps", REAL, eps, "1e-10", "added to the root of the sum of squares", .max = 1e300),
    OPTION("weight_decay", REAL, weight_decay, "0", "lambda: lambda theta is added to the gradient",
           .max = 1e300),
    {.name = NULL},
};

static void adagrad_sample(struct stj_rng *rng, char *text, size_t size)
{
    snprintf(text, size,
             "{type: adagrad, eps: %s, lr_decay: %.3f, initial_accumulator_value: %.3f, "
             "weight_decay: %.3f}",
             stj_rng_index(rng, 2) ? "0.001" : "0.1", stj_rng_uniform(rng),
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0,
             stj_rng_index(rng, 2) ? stj_rng_uniform(rng) : 0);
}

/* The numbers of one step. */
struct scalars {
    real rho, start, eps, lambda;
};

static struct scalars adagrad_scalars(const void *config, const struct stj_step *at)
{
    const struct adagrad_config *c = config;
    return (struct scalars){
        .rho = (real)(at->eta / (1 + (double)at->count * c->lr_decay)),
        .start = (real)(at->count == 0 ? c->initial : 0),
        .eps = (real)c->eps,
        .lambda = (real)(c->weight_decay + at->more_decay),
    };
}

STJ_CLONES static void update(size_t n, struct scalars s, const real *restrict g, real *restrict v,
                              real *restrict theta)
{
    for (size_t i = 0; i < n; i++) {
        const real h = g[i] + s.lambda * theta[i];
        v[i] = v[i] + s.start + h * h;
        const real d = (real)sqrt((double)v[i]) + s.eps;
        theta[i] -= d == 0 ? 0 : s.rho * (h / d);
    }
}

static void adagrad_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                         const real *g)
{
    update(u->n, adagrad_scalars(config, at), g, u->slot[0], u->theta);
}

static enum stj_status adagrad_linearize(const void *config, const struct stj_step *at,
                                         const struct stj_update *before, const real *g,
                                         size_t first, real *const *coef, struct stj_error *err)
{
    const struct scalars s = adagrad_scalars(config, at);
    for (size_t i = 0; i < before->n; i++) {
        const real h = g[i] + s.lambda * before->theta[i];
        const real r = (real)sqrt((double)(before->slot[0][i] + s.start + h * h));
        coef[C_U][i] = s.rho / (r + s.eps);
        coef[C_V][i] = r == 0 ? 0 : coef[C_U][i] * h / (2 * r * (r + s.eps));
        coef[C_G][i] = 2 * h;
        STJ_NEED(err, isfinite(coef[C_U][i]) && isfinite(coef[C_V][i]) && isfinite(coef[C_G][i]),
                 STJ_ENONFINITE,
                 "the adagrad update of parameter %zu at step %zu has no derivative: its gradient "
                 "is %g and its sum of squares before the step %g, with eps %g; train with eps "
                 "above 0",
                 first + i, at->index, (double)g[i], (double)(before->slot[0][i] + s.start),
                 (double)s.eps);
    }
    return STJ_OK;
}

/* One row of a tile: coefficient k belongs to the elements j * cols + k of all vectors j. */
STJ_CLONES static void tangent_row(const void *scalars, const struct stj_update_tile *t)
{
    const real lambda = ((const struct scalars *)scalars)->lambda;
    real *restrict v = t->slot[0], *restrict theta = t->theta;
    for (size_t j = 0; j < t->nvec; j++)
        for (size_t k = 0; k < t->cols; k++) {
            const size_t i = j * t->cols + k;
            const real h = t->g[i] + lambda * theta[i];
            v[i] += t->coef[C_G][k] * h;
            theta[i] += t->coef[C_V][k] * v[i] - t->coef[C_U][k] * h;
        }
}

STJ_CLONES static void adjoint_row(const void *scalars, const struct stj_update_tile *t)
{
    const real lambda = ((const struct scalars *)scalars)->lambda;
    real *restrict v = t->slot[0], *restrict theta = t->theta;
    for (size_t j = 0; j < t->nvec; j++)
        for (size_t k = 0; k < t->cols; k++) {
            const size_t i = j * t->cols + k;
            v[i] += t->coef[C_V][k] * theta[i];
            t->g[i] = t->coef[C_G][k] * v[i] - t->coef[C_U][k] * theta[i];
            theta[i] += lambda * t->g[i];
        }
}

static void adagrad_tangent(const void *config, const struct stj_step *at,
                            const struct stj_update_tile *tile)
{
    const struct scalars s = adagrad_scalars(config, at);
    stj_update_rows(tile, 1, N_COEF, tangent_row, &s);
}

static void adagrad_adjoint(const void *config, const struct stj_step *at,
                            const struct stj_update_tile *tile)
{
    const struct scalars s = adagrad_scalars(config, at);
    stj_update_rows(tile, 1, N_COEF, adjoint_row, &s);
}

const struct stj_optimizer_ops stj_optimizer_adagrad = {
    .info = {.name = "adagrad",
             .doc = "steps scaled by the root of the sum of squared gradients",
             .options = adagrad_options,
             .config_size = sizeof(struct adagrad_config)},
    .n_slots = 1,
    .slot = {"sum"},
    .squares = 1,
    .n_coef = N_COEF,
    .sample = adagrad_sample,
    .step = adagrad_step,
    .decay = STJ_DECAY_COUPLED,
    .linearize = adagrad_linearize,
    .tangent = adagrad_tangent,
    .adjoint = adagrad_adjoint,
};
