/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/sweep_phases.c: the work of a step on one tile, in phases; within a phase the items are
 * independent.
 *
 *   before    parts: the adjoint of the update, which makes g_bar       (STJ_TRANS only)
 *   clip      parts: the differential of clipping, of g_bar             (where clipped)
 *   product   slices: a share of H_t theta_dot, or of H_t g_bar; in stages, where slices meet
 *   after     parts: the sum of the shares; the tangent of the update, or theta_bar += H_t g_bar
 *   clip      parts: the same of g_dot, then the tangent of the update  (where clipped)
 *
 * With sam a step has two gradients, and these phases twice.  The first climbs, which is a step of
 * its own: theta_c = theta + f g, clipped to the norm rho however small g is, from where the update
 * goes back to theta:
 *
 *   forward   product, clip with H at theta;    theta_dot kept; theta_dot += f (g_dot - u (u . g_dot))
 *             product, clip with H at theta_c;  theta_dot <- the one kept; the tangent of the update
 *   backward  before, clip;                     theta_bar kept; theta_bar <- product with H at theta_c
 *             climb: g_bar <- theta_bar; theta_bar += the one kept; clip;  product with H at theta
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "op/sweep_internal.h"
#include "train/clip.h"

/* What the optimizer sees of one part of a tile. */
static struct stj_update_tile update_tile(const struct stj_sweep *sweep,
                                          const struct stj_sweep_tile *tile,
                                          const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec;
    struct stj_update_tile u = {.rows = part->rows,
                                .nvec = tile->nvec,
                                .cols = part->cols,
                                .theta = tile->theta + at,
                                .g = tile->g + at,
                                .tensor = part->tensor,
                                .point = step->point + part->offset,
                                .work = tile->work + sweep->optimizer->n_work * part->offset};
    for (size_t k = 0; k < sweep->optimizer->n_slots; k++)
        u.slot[k] = tile->slot[k] + at;
    for (size_t k = 0; k < sweep->optimizer->n_coef; k++)
        u.coef[k] = step->coef[k] + part->offset;
    return u;
}

/* The part of an adaptive climb. */
static struct stj_climb_tile climb_tile(const struct stj_sweep *sweep,
                                        const struct stj_sweep_tile *tile,
                                        const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec;
    return (struct stj_climb_tile){.rows = part->rows,
                                   .nvec = tile->nvec,
                                   .cols = part->cols,
                                   .forward = sweep->trans == STJ_NO_TRANS,
                                   .rho = sweep->recipe->sam_rho,
                                   .factor = *step->clip,
                                   .point = step->point + part->offset,
                                   .unit = step->unit + part->offset,
                                   .theta = tile->theta + at,
                                   .g = tile->g + at};
}

/* The part's share of e . g. */
static void clip_dot(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                     const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    if (step->climbs && sweep->recipe->sam_adaptive) {
        const struct stj_climb_tile c = climb_tile(sweep, tile, step, p);
        stj_climb_dot(&c, tile->dot + p * tile->nvec);
        return;
    }
    stj_clip_dot(part->rows, tile->nvec, part->cols, step->unit + part->offset,
                 tile->g + part->offset * tile->nvec, tile->dot + p * tile->nvec);
}

/* The average of a part of the tangents or adjoints, before and after the optimizer's update of state
 * t to t + 1. */
static void average_part(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                         const struct stj_linear_step *step, size_t p, bool after)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const struct stj_plugin *average = sweep->recipe->average;
    const size_t at = part->offset * tile->nvec, n = part->rows * tile->nvec * part->cols;
    const size_t t = step->at->index;
    if (!stj_recipe_averages(sweep->recipe))
        return;
    const double w = after ? stj_average_weight(average, t + 1) : stj_average_begin(average, t);
    real *a = stj_sweep_vector(tile, sweep->end) + at;
    if (sweep->trans == STJ_TRANS)
        stj_average_adjoint(n, w, tile->theta + at, a);
    else
        stj_average_update(n, w, tile->theta + at, a);
}

/* With sam: keep theta_dot or theta_bar of a part, whose place is then for that of where the step
 * climbs to; zero: nothing has come there. */
static void keep_part(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile, size_t p,
                      bool zero)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec, n = part->rows * tile->nvec * part->cols;
    memcpy(tile->kept + at, tile->theta + at, n * sizeof *tile->kept);
    if (zero)
        memset(tile->theta + at, 0, n * sizeof *tile->theta);
}

void stj_sweep_before(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                      const struct stj_linear_step *step, size_t p)
{
    const struct stj_update_tile u = update_tile(sweep, tile, step, p);
    const size_t rule = sweep->part[p].rule;
    average_part(sweep, tile, step, p, true);
    if (step->moved[0])
        stj_sweep_dot_given(sweep, tile, step, p);
    sweep->optimizer->adjoint(stj_recipe_rule(sweep->recipe, rule).optimizer->config,
                              &step->at[rule], &u);
    average_part(sweep, tile, step, p, false);
    if (sweep->n_gradients > 1)
        keep_part(sweep, tile, p, true);
    if (step->unit)
        clip_dot(sweep, tile, step, p);
}

/* With sam, backward: the bar of where the step climbs to has arrived. */
void stj_sweep_climb_before(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                            const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec, n = part->rows * tile->nvec * part->cols;
    memcpy(tile->g + at, tile->theta + at, n * sizeof *tile->g);
    for (size_t i = at; i < at + n; i++)
        tile->theta[i] += tile->kept[i];
    clip_dot(sweep, tile, step, p);
}

void stj_sweep_clip_before(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                           const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const bool by_tensor = !step->climbs && sweep->recipe->clip_tensor_norm > 0;
    const size_t group = by_tensor ? (size_t)(part->tensor - sweep->problem->layout->tensor) : 0;
    const real *unit = step->unit + part->offset;
    real *g = tile->g + part->offset * tile->nvec;
    double dot[STJ_TILE_MOST] = {0};
    if (!step->climbs && sweep->recipe->clip_value > 0) {
        stj_clip_mask(part->rows, tile->nvec, part->cols, unit, g);
        return;
    }
    for (size_t q = 0; q < sweep->n_parts; q++)
        for (size_t j = 0; (!by_tensor || sweep->part[q].tensor == part->tensor) && j < tile->nvec;
             j++)
            dot[j] += tile->dot[q * tile->nvec + j];
    if (step->climbs && sweep->recipe->sam_adaptive) {
        const struct stj_climb_tile c = climb_tile(sweep, tile, step, p);
        stj_climb_project(&c, dot);
        return;
    }
    stj_clip_project(part->rows, tile->nvec, part->cols, step->clip[group], unit, dot, g);
}

/* Is a product of one vector finite?  STJ_ENONFINITE naming step and layer. */
static enum stj_status check_product(const struct stj_sweep *sweep,
                                     const struct stj_linear_step *step, struct stj_slice slice,
                                     const real *y, const real *scratch, struct stj_error *err)
{
    const struct stj_problem *problem = sweep->problem;
    const char *layer = NULL;
    size_t i = 0;
    while (i < problem->layout->n_params && isfinite(y[i]))
        i++;
    if (i == problem->layout->n_params)
        return STJ_OK;
    if (problem->ops->suspect)
        layer = problem->ops->suspect(problem->self, slice, y, scratch);
    return stj_error_set(
        err, STJ_ENONFINITE, __FILE__, __LINE__,
        "a product with the training Jacobian (%s) has a NaN or infinity, first in "
        "step %zu%s%s",
        sweep->trans == STJ_NO_TRANS ? "J x" : "J'y", step->at->index, layer ? ", layer " : "",
        layer ? layer : "");
}

void stj_sweep_step_slices(const struct stj_sweep *sweep, size_t t, struct stj_sweep_slices *s)
{
    const struct stj_problem *problem = sweep->problem;
    s->n = stj_problem_slices(problem, problem->ops->n_rows(problem->self, t), sweep->slicing,
                              s->slice);
    s->n_stages = stj_problem_n_stages(problem, s->n);
}

enum stj_status stj_sweep_product(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                                  const struct stj_linear_step *step,
                                  const struct stj_sweep_slices *slices, size_t s, size_t stage,
                                  size_t share, struct stj_error *err)
{
    const real *x = sweep->trans == STJ_NO_TRANS ? tile->theta : tile->g;
    real *y = tile->share + share * sweep->tile_size;
    real *scratch = tile->scratch + s % stj_sweep_team_scratches(sweep) * sweep->n_scratch;
    struct stj_slice slice = slices->slice[s];
    struct stj_given_tangents given;
    slice.meeting = stj_sweep_meeting(sweep, tile, slices, s, stage);
    slice.transposed = sweep->trans == STJ_TRANS;
    if (stj_sweep_is_of_samples(sweep)) {
        given = stj_sweep_take_given(sweep, tile, step, &slice);
        slice.given = &given;
    }
    const enum stj_status st =
        sweep->problem->ops->hvp(sweep->problem->self, step->at->index, slice, step->theta,
                                 step->lin, tile->nvec, x, y, scratch, err);
    const bool whole = stage + 1 == slices->n_stages;
    return st == STJ_OK && whole && sweep->searching
               ? check_product(sweep, step, slice, y, scratch, err)
               : st;
}

static void update_tangent(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                           const struct stj_linear_step *step, size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec, n = part->rows * tile->nvec * part->cols;
    const struct stj_update_tile u = update_tile(sweep, tile, step, p);
    const size_t rule = part->rule;
    if (sweep->n_gradients > 1)
        memcpy(tile->theta + at, tile->kept + at, n * sizeof *tile->theta);
    average_part(sweep, tile, step, p, false);
    sweep->optimizer->tangent(stj_recipe_rule(sweep->recipe, rule).optimizer->config,
                              &step->at[rule], &u);
    if (step->moved[0])
        stj_sweep_move_given(sweep, tile, step, p);
    average_part(sweep, tile, step, p, true);
}

static void climb_tangent(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                          size_t p)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec, n = part->rows * tile->nvec * part->cols;
    keep_part(sweep, tile, p, false);
    for (size_t i = at; i < at + n; i++)
        tile->theta[i] += tile->g[i];
}

/* theta_bar += the sum of the shares, for n reals from `at`.  The sum is taken in pieces on the
 * stack: to add in place, in a share, would move that share's cache lines to this processor and
 * back. */
static void add_shares(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile, size_t at,
                       size_t n, size_t n_slices)
{
    enum { PIECE = 512 };
    real sum[PIECE];
    for (size_t i = 0; i < n; i += PIECE) {
        const size_t count = n - i < PIECE ? n - i : PIECE;
        size_t ld = 0;
        const real *share = stj_sweep_shares(sweep, tile, at + i, &ld);
        stj_reduce(count, n_slices, share, ld, sum);
        for (size_t k = 0; k < count; k++)
            tile->theta[at + i + k] += sum[k];
    }
}

void stj_sweep_after(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                     const struct stj_linear_step *step, size_t p, size_t n_slices)
{
    const struct stj_sweep_part *part = &sweep->part[p];
    const size_t at = part->offset * tile->nvec;
    const size_t n = part->rows * tile->nvec * part->cols;
    if (sweep->trans == STJ_TRANS) {
        add_shares(sweep, tile, at, n, n_slices);
        return;
    }
    size_t ld = 0;
    const real *share = stj_sweep_shares(sweep, tile, at, &ld);
    stj_reduce(n, n_slices, share, ld, tile->g + at);
    if (step->unit)
        clip_dot(sweep, tile, step, p);
    else
        update_tangent(sweep, tile, step, p);
}

void stj_sweep_clip_after(const struct stj_sweep *sweep, const struct stj_sweep_tile *tile,
                          const struct stj_linear_step *step, size_t p)
{
    stj_sweep_clip_before(sweep, tile, step, p);
    if (step->climbs)
        climb_tangent(sweep, tile, p);
    else
        update_tangent(sweep, tile, step, p);
}
