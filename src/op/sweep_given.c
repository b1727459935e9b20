/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_given.c: a sweep of what training was given in place of theta_from.
 *
 * Weights of samples, w = 1, l_i being their shares in the loss of the batch:
 *
 *     STJ_NO_TRANS, at every gradient    g_dot = H_t theta_dot + sum_i w_dot_i grad l_i
 *     STJ_TRANS,    at every gradient    w_bar_i += g_bar . grad l_i
 *
 * and with inputs or targets u_i of samples alike, of l_i(theta, u_i), u_i_bar += the derivative of
 * g_bar . grad l_i with respect to u_i.  All come with the product with H_t (net/hvp.c).  Adjoints are added by one thread, in the order
 * of the batch's rows, so that the bits do not depend on the threads, and a sample may be in a batch
 * twice.
 *
 * Rates, momenta and decays u_t of steps, e_t being the derivative of step t (train/given_step.h):
 *
 *     STJ_NO_TRANS, after the update     (theta_dot, slots_dot) += u_dot_t e_t
 *     STJ_TRANS,    before it            u_bar_t = e_t . (theta_bar, slots_bar)
 *
 * and of scales of the rates of groups, the same of the group's tensors, summed over the steps.
 *
 * Ranks that send messages have adjoints of their slices' rows or their parts, and add them at the
 * end.
 */
#include <string.h>

#include "op/sweep_internal.h"
#include "train/clip.h"

void stj_sweep_load_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                          const double *x, size_t ldx)
{
    for (size_t i = 0; i < sweep->n_given; i++)
        for (size_t j = 0; j < tile->nvec; j++)
            tile->given[i * tile->nvec + j] = sweep->trans == STJ_NO_TRANS ? x[i + j * ldx] : 0;
}

void stj_sweep_store_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                           double *y, size_t ldy)
{
    if (sweep->trans == STJ_TRANS && stj_group_sends())
        stj_sweep_exchange_given(sweep, tile);
    for (size_t i = 0; sweep->trans == STJ_TRANS && i < sweep->n_given; i++)
        for (size_t j = 0; j < tile->nvec; j++)
            y[i + j * ldy] = tile->given[i * tile->nvec + j];
}

/* Of n shares those that are added in this memory: *first up to the value. */
static size_t summed_here(size_t n, size_t *first)
{
    *first = 0;
    return stj_group_sends() ? stj_own_parts(n, first) : n;
}

/* ---- of samples ---- */

bool stj_sweep_is_of_samples(const struct stj_sweep *sweep)
{
    return sweep->n_given > 0 && stj_given_is_of_samples(sweep->given);
}

/* Which samples the rows of a step are; NULL: row i is sample i. */
static const size_t *rows_of(const struct stj_sweep *sweep, const struct stj_linear_step *step)
{
    const struct stj_problem *problem = sweep->problem;
    return problem->ops->rows ? problem->ops->rows(problem->self, step->lin) : NULL;
}

/* Row i of a batch, [positions][nvec][cols], <- what its sample has, [positions][cols][nvec]. */
static void take_row(const struct stj_sweep *sweep, size_t nvec, const double *given, real *row)
{
    const size_t cols = sweep->shape.cols, width = sweep->shape.width;
    for (size_t at = 0; at < width; at += cols)
        for (size_t j = 0; j < nvec; j++)
            for (size_t k = 0; k < cols; k++)
                row[at * nvec + j * cols + k] = (real)given[(at + k) * nvec + j];
}

/* The same back, added; of one vector both are alike. */
static void add_row(const struct stj_sweep *sweep, size_t nvec, const real *restrict row,
                    double *restrict given)
{
    const size_t cols = sweep->shape.cols, width = sweep->shape.width;
    for (size_t k = 0; nvec == 1 && k < width; k++)
        given[k] += (double)row[k];
    for (size_t at = 0; nvec > 1 && at < width; at += cols)
        for (size_t j = 0; j < nvec; j++)
            for (size_t k = 0; k < cols; k++)
                given[(at + k) * nvec + j] += (double)row[at * nvec + j * cols + k];
}

struct stj_given_tangents stj_sweep_take_given(const struct stj_sweep *sweep,
                                               const struct stj_sweep_tile *tile,
                                               const struct stj_linear_step *step,
                                               const struct stj_slice *slice)
{
    const size_t *row = rows_of(sweep, step);
    const size_t n = sweep->shape.width * tile->nvec, first = slice->first;
    const bool forward = sweep->trans == STJ_NO_TRANS, begins = slice->meeting.stage == 0;
    for (size_t i = first; begins && forward && i < first + slice->n; i++)
        take_row(sweep, tile->nvec, tile->given + (row ? row[i] : i) * n, tile->rows + i * n);
    if (begins && !forward)
        memset(tile->rows + first * n, 0, slice->n * n * sizeof *tile->rows);
    return (struct stj_given_tangents){.given = sweep->given,
                                       .dot = forward ? tile->rows : NULL,
                                       .bar = forward ? NULL : tile->rows};
}

void stj_sweep_give_back(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                         const struct stj_linear_step *step, const struct stj_sweep_slices *slices)
{
    const size_t *row = rows_of(sweep, step);
    const size_t n = sweep->shape.width * tile->nvec;
    size_t s = 0;
    const size_t last = summed_here(slices->n, &s);
    if (sweep->trans == STJ_NO_TRANS || s == last)
        return;
    const size_t end = slices->slice[last - 1].first + slices->slice[last - 1].n;
    for (size_t i = slices->slice[s].first; i < end; i++)
        add_row(sweep, tile->nvec, tile->rows + i * n, tile->given + (row ? row[i] : i) * n);
}

/* ---- of steps ---- */

/* The number that a step of a part has. */
static size_t number_of(const struct stj_sweep *sweep, const struct stj_linear_step *step, size_t p)
{
    return sweep->given == STJ_GIVEN_SCALES ? sweep->part[p].rule : step->at->index - sweep->from;
}

void stj_sweep_move_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                          const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const double *u_dot = tile->given + number_of(sweep, step, p) * tile->nvec;
    for (size_t k = 0; k <= STJ_MAX_SLOTS && step->moved[k]; k++) {
        const real *e = step->moved[k] + part->offset;
        real *x_dot = stj_sweep_vector(tile, k) + part->offset * tile->nvec;
        for (size_t r = 0; r < part->rows; r++)
            for (size_t j = 0; j < tile->nvec; j++)
                for (size_t c = 0; c < part->cols; c++)
                    x_dot[(r * tile->nvec + j) * part->cols + c] +=
                        (real)u_dot[j] * e[r * part->cols + c];
    }
}

void stj_sweep_dot_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                         const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    double *dot = tile->given_dot + p * tile->nvec, more[STJ_TILE_MOST];
    for (size_t k = 0; k <= STJ_MAX_SLOTS && step->moved[k]; k++) {
        stj_clip_dot(part->rows, tile->nvec, part->cols, step->moved[k] + part->offset,
                     stj_sweep_vector(tile, k) + part->offset * tile->nvec, k ? more : dot);
        for (size_t j = 0; k > 0 && j < tile->nvec; j++)
            dot[j] += more[j];
    }
}

void stj_sweep_sum_given(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                         const struct stj_linear_step *step)
{
    size_t p = 0;
    for (const size_t end = summed_here(sweep->n_parts, &p); p < end; p++)
        for (size_t j = 0; j < tile->nvec; j++)
            tile->given[number_of(sweep, step, p) * tile->nvec + j] +=
                tile->given_dot[p * tile->nvec + j];
}
