/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_weights.c: a sweep of the weights of samples, w = 1, in place of theta_from.
 *
 *     STJ_NO_TRANS, at every gradient    g_dot = H_t theta_dot + sum_i w_dot_i grad l_i
 *     STJ_TRANS,    at every gradient    w_bar_i += g_bar . grad l_i
 *
 * for the samples i of the batch, l_i being their shares in its loss.  Both come with the product
 * with H_t (net/hvp.c).  Adjoints are added by one thread, in the order of the batch's rows, so that
 * the bits do not depend on the threads, and a sample may be in a batch twice.
 */
#include <string.h>

#include "op/sweep_internal.h"

void stj_sweep_load_weights(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                            const double *x, size_t ldx)
{
    for (size_t i = 0; i < sweep->n_samples; i++)
        for (size_t j = 0; j < tile->nvec; j++)
            tile->weight[i * tile->nvec + j] = sweep->trans == STJ_NO_TRANS ? x[i + j * ldx] : 0;
}

void stj_sweep_store_weights(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                             double *y, size_t ldy)
{
    for (size_t i = 0; sweep->trans == STJ_TRANS && i < sweep->n_samples; i++)
        for (size_t j = 0; j < tile->nvec; j++)
            y[i + j * ldy] = tile->weight[i * tile->nvec + j];
}

struct stj_weight_tangents stj_sweep_take_weights(const struct stj_sweep *sweep,
                                                  const struct stj_sweep_tile *tile,
                                                  const struct stj_linear_step *step,
                                                  const struct stj_slice *slice)
{
    const size_t *row = sweep->problem->ops->rows(sweep->problem->self, step->lin);
    if (sweep->trans == STJ_TRANS)
        return (struct stj_weight_tangents){.bar = tile->rows};
    for (size_t i = slice->first; i < slice->first + slice->n; i++)
        for (size_t j = 0; j < tile->nvec; j++)
            tile->rows[i * tile->nvec + j] = (real)tile->weight[row[i] * tile->nvec + j];
    return (struct stj_weight_tangents){.dot = tile->rows};
}

void stj_sweep_give_weights(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                            const struct stj_linear_step *step)
{
    const struct stj_problem *problem = sweep->problem;
    const size_t *row = problem->ops->rows(problem->self, step->lin);
    const size_t n = problem->ops->n_rows(problem->self, step->at->index);
    for (size_t i = 0; sweep->trans == STJ_TRANS && i < n; i++)
        for (size_t j = 0; j < tile->nvec; j++)
            tile->weight[row[i] * tile->nvec + j] += (double)tile->rows[i * tile->nvec + j];
}
