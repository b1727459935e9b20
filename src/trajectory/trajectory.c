/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/trajectory.c: what all storage policies share: sizes, ranges, the loss curve. */
#include "trajectory/trajectory.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "trajectory/policy.h"

struct stj_trajectory {
    struct stj_trajectory_shape shape;
    const struct stj_trajectory_policy *policy;
    void *self;
    double *loss; /* [n_steps] */
};

enum stj_status stj_trajectory_shape_set(size_t n_params, size_t n_slots, size_t n_steps,
                                         struct stj_trajectory_shape *shape, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t total = 0;
    STJ_CHECK(err, n_params > 0 && n_slots <= STJ_MAX_SLOTS && n_steps < SIZE_MAX, STJ_EINVAL,
              "a trajectory of %zu parameters, %zu slots (at most %d) and %zu steps is impossible",
              n_params, n_slots, STJ_MAX_SLOTS, n_steps);
    *shape = (struct stj_trajectory_shape){n_params, n_slots, n_steps, 0};
    STJ_TRY(stj_size_mul(1 + n_slots, n_params, &shape->n_state, err));
    STJ_TRY(stj_size_mul(shape->n_state, n_steps + 1, &total, err));
    STJ_TRY(stj_size_mul(total, sizeof(real), &total, err));
out:
    return st;
}

enum stj_status stj_trajectory_wrap(const struct stj_trajectory_shape *shape,
                                    const struct stj_trajectory_policy *policy, void *self,
                                    struct stj_trajectory **trajectory, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory *made = NULL;
    st = stj_new(&made, 1, sizeof *made, err);
    if (st != STJ_OK) {
        policy->destroy(self);
        goto out;
    }
    made->shape = *shape;
    made->policy = policy;
    made->self = self;
    STJ_TRY(stj_new(&made->loss, shape->n_steps, sizeof *made->loss, err));
out:
    if (st != STJ_OK) {
        stj_trajectory_destroy(made);
        made = NULL;
    }
    *trajectory = made;
    return st;
}

void stj_trajectory_destroy(struct stj_trajectory *trajectory)
{
    if (!trajectory)
        return;
    trajectory->policy->destroy(trajectory->self);
    free(trajectory->loss);
    free(trajectory);
}

enum stj_status stj_trajectory_record(void *trajectory, size_t t, const real *state, double loss,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_trajectory *self = trajectory;
    STJ_CHECK(err, t <= self->shape.n_steps, STJ_EINVAL,
              "state %zu is outside a trajectory of %zu steps", t, self->shape.n_steps);
    STJ_TRY(self->policy->record(self->self, &self->shape, t, state, err));
    if (t < self->shape.n_steps)
        self->loss[t] = loss;
out:
    return st;
}

enum stj_status stj_trajectory_visit(struct stj_trajectory *trajectory, size_t first, size_t count,
                                     struct stj_trajectory_view *view, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t n = trajectory->shape.n_steps + 1;
    STJ_CHECK(err, first <= n && count <= n - first, STJ_EINVAL,
              "states %zu to %zu are outside a trajectory of %zu steps", first, first + count,
              trajectory->shape.n_steps);
    STJ_TRY(
        trajectory->policy->visit(trajectory->self, &trajectory->shape, first, count, view, err));
out:
    return st;
}

size_t stj_trajectory_n_params(const struct stj_trajectory *trajectory)
{
    return trajectory->shape.n_params;
}

size_t stj_trajectory_n_slots(const struct stj_trajectory *trajectory)
{
    return trajectory->shape.n_slots;
}

size_t stj_trajectory_n_steps(const struct stj_trajectory *trajectory)
{
    return trajectory->shape.n_steps;
}

const double *stj_trajectory_loss(const struct stj_trajectory *trajectory)
{
    return trajectory->loss;
}
