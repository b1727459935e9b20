/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/own_step.c: the step of a problem in another process, whatever it is.
 *
 * What stands for the gradient is the next state itself, g = F_t(theta), and what stands for the
 * Hessian is F_t', which need not be symmetric (`transposed` of struct stj_slice):
 *
 *     step       theta <- g
 *     tangent    theta_dot <- g_dot
 *     adjoint    g_bar <- theta_bar;     theta_bar <- 0
 */
#include <stdio.h>
#include <string.h>

#include "train/optimizers.h"

static void own_sample(struct stj_rng *rng, char *text, size_t size)
{
    (void)rng;
    snprintf(text, size, STJ_OWN_STEP);
}

static void own_step(const void *config, const struct stj_step *at, const struct stj_update *u,
                     const real *g)
{
    (void)config;
    (void)at;
    memcpy(u->theta, g, u->n * sizeof *g);
}

static void own_tangent(const void *config, const struct stj_step *at,
                        const struct stj_update_tile *t)
{
    (void)config;
    (void)at;
    memcpy(t->theta, t->g, t->rows * t->nvec * t->cols * sizeof *t->g);
}

static void own_adjoint(const void *config, const struct stj_step *at,
                        const struct stj_update_tile *t)
{
    const size_t bytes = t->rows * t->nvec * t->cols * sizeof *t->g;
    (void)config;
    (void)at;
    memcpy(t->g, t->theta, bytes);
    memset(t->theta, 0, bytes);
}

const struct stj_optimizer_ops stj_optimizer_own_step = {
    .info = {.name = STJ_OWN_STEP,
             .doc = "the step of a `problem` whose process takes its own; without learning_rate"},
    .sample = own_sample,
    .step = own_step,
    .tangent = own_tangent,
    .adjoint = own_adjoint,
};
