/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/policies/memory.c: the policy that keeps every state in memory, in one block. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "trajectory/policies/policy.h"

static enum stj_status memory_record(void *self, const struct stj_trajectory_shape *shape, size_t t,
                                     const real *state, struct stj_error *err)
{
    (void)err;
    real *states = self;
    memcpy(states + t * shape->n_state, state, shape->n_state * sizeof *state);
    return STJ_OK;
}

static enum stj_status memory_visit(void *self, const struct stj_trajectory_shape *shape,
                                    size_t first, size_t count, struct stj_trajectory_view *view,
                                    struct stj_error *err)
{
    (void)count, (void)err;
    const real *states = self;
    view->state = states + first * shape->n_state;
    view->ld = shape->n_state;
    return STJ_OK;
}

static void memory_destroy(void *self)
{
    free(self);
}

static const struct stj_trajectory_policy memory_policy = {
    .name = "memory",
    .whole = true,
    .record = memory_record,
    .visit = memory_visit,
    .destroy = memory_destroy,
};

enum stj_status stj_trajectory_create(size_t n_params, size_t n_slots, size_t n_steps,
                                      struct stj_trajectory **trajectory, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory_shape shape;
    real *states = NULL;
    *trajectory = NULL;
    STJ_TRY(stj_trajectory_shape_set(n_params, n_slots, n_steps, &shape, err));
    st = stj_new(&states, (n_steps + 1) * shape.n_state, sizeof *states, err);
    if (st != STJ_OK) {
        stj_error_prefix(err, "the trajectory (%zu states of %zu numbers)", n_steps + 1,
                         shape.n_state);
        goto out;
    }
    STJ_TRY(stj_trajectory_wrap(&shape, &memory_policy, states, trajectory, err));
out:
    return st;
}
