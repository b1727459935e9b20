/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/penalty.c: the L2 penalty on all parameters, part of the loss of a training step.
 *
 *     value  lambda/2 |theta|^2,    gradient  lambda theta,    Hessian  lambda I
 *
 * A slice adds the share of the batch's samples that it has, so that slices sum to the whole.
 */
#include "base/target_clones.h"
#include "net/network_internal.h"

static real share(const struct stj_network *net, const struct stj_batch *b)
{
    return (real)(net->config->l2 * (double)b->batch / (double)b->whole);
}

double stj_penalty_value(const struct stj_network *net, const struct stj_batch *b,
                         const real *theta)
{
    double sum = 0;
    if (net->config->l2 == 0)
        return 0;
    for (size_t i = 0; i < net->layout.n_params; i++)
        sum += (double)theta[i] * (double)theta[i];
    return (double)share(net, b) / 2 * sum;
}

STJ_CLONES static void add(size_t n, real a, const real *restrict x, real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

void stj_penalty_add(const struct stj_network *net, const struct stj_batch *b, size_t nvec,
                     const real *x, real *y)
{
    if (net->config->l2 > 0)
        add(net->layout.n_params * nvec, share(net, b), x, y);
}
