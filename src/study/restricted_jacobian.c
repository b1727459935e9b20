/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/restricted_jacobian.c: the Jacobian of a training within a subspace, k x k.
 *
 * The training is recorded in its coordinates, and differentiated as any other: a problem of k
 * parameters (train/subspace_problem.h).  All columns are products with unit vectors.
 */
#include "study/restricted_jacobian.h"

#include <math.h>
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/progress.h"
#include "op/training_jacobian.h"
#include "parallel/parallel.h"
#include "train/subspace_problem.h"

enum { COLUMNS = 32 }; /* of a product */

/* *trajectory <- the training. */
static enum stj_status record(const struct stj_study_context *cx,
                              const struct stj_subspace *subspace,
                              struct stj_trajectory **trajectory, struct stj_error *err)
{
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    const struct stj_recipe *recipe = &cx->run->recipe;
    const size_t n_slots = stj_recipe_n_slots(recipe), n_steps = cx->run->n_steps;
    STJ_FREED real *state = NULL;
    STJ_MUST(stj_new(&state, (1 + n_slots) * subspace->k, sizeof *state, err));
    STJ_MUST(stj_trajectory_create(subspace->k, n_slots, n_steps, trajectory, err));
    return stj_train_within(cx->run->problem, recipe, subspace, 0, n_steps, state,
                            stj_trajectory_record, *trajectory, cx->progress, err);
}

/* matrix[k][k] <- op, column by column. */
static enum stj_status multiply(const struct stj_study_context *cx, struct stj_op *op, size_t k,
                                double *matrix, struct stj_error *err)
{
    STJ_FREED double *unit = NULL;
    STJ_MUST(stj_new(&unit, COLUMNS * k, sizeof *unit, err));
    for (size_t first = 0; first < k; first += COLUMNS) {
        const size_t n = k - first < COLUMNS ? k - first : COLUMNS;
        STJ_MUST(stj_progress_report(cx->progress, "columns", (double)first, (double)k, err));
        for (size_t j = 0; j < n; j++)
            unit[j * k + first + j] = 1;
        STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, n, unit, k, matrix + first * k, k, err));
        for (size_t j = 0; j < n; j++)
            unit[j * k + first + j] = 0;
    }
    return STJ_OK;
}

enum stj_status stj_restricted_jacobian(const struct stj_study_context *cx,
                                        const struct stj_subspace *subspace, double *sigma,
                                        bool *finite, struct stj_error *err)
{
    const size_t k = subspace->k;
    const struct stj_training_jacobian_settings settings = {.memory_bytes = cx->memory_bytes};
    STJ_HELD(stj_trajectory_destroy_at) struct stj_trajectory *trajectory = NULL;
    STJ_HELD(stj_problem_destroy_at) struct stj_problem *problem = NULL;
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_FREED double *matrix = NULL;
    size_t size = 0;
    const enum stj_status st = record(cx, subspace, &trajectory, err);
    *finite = st != STJ_ENONFINITE;
    for (size_t j = 0; !*finite && j < k; j++)
        sigma[j] = (double)NAN;
    if (!*finite) {
        stj_error_clear(err);
        return STJ_OK;
    }
    STJ_MUST(st);
    STJ_MUST(stj_size_mul(k, k, &size, err));
    STJ_MUST(stj_new(&matrix, size, sizeof *matrix, err));
    STJ_MUST(stj_subspace_problem_create(cx->run->problem, subspace, &problem, err));
    STJ_MUST(
        stj_training_jacobian_create(problem, &cx->run->recipe, trajectory, &settings, &op, err));
    STJ_MUST(stj_op_watch(op, err));
    STJ_MUST(multiply(cx, op, k, matrix, err));
    stj_study_note_check(cx->check, op);
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(stj_threads());
    return stj_gesdd(k, k, matrix, k, sigma, NULL, NULL, err);
}
