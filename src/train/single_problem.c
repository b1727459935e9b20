/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train/single_problem.c: a problem whose linearisations and products are in single precision, beside
 * the one in double (train/single.h). */
#include "train/single.h"

#include <stdlib.h>

#include "base/error.h"

static const struct stj_problem_ops single_ops = {
    .destroy = stj_single_destroy,
    .n_rows = stj_single_n_rows,
    .n_linear = stj_single_n_linear,
    .n_scratch = stj_single_n_scratch,
    .n_stages = stj_single_n_stages,
    .n_record = stj_single_n_record,
    .linearize = stj_single_linearize,
    .hvp = stj_single_hvp,
    .suspect = stj_single_suspect,
    .switches = stj_single_switches,
};

enum stj_status stj_problem_single(const struct stj_problem *problem, struct stj_problem **single,
                                   struct stj_error *err)
{
    STJ_FREED struct stj_problem *p = NULL;
    struct stj_single *self = NULL;
    STJ_NEED(
        err, problem->ops->single, STJ_EUNSUPPORTED,
        "this problem has no single precision, which networks have that are trained as a whole: "
        "take precision double");
    STJ_MUST(stj_new(&p, 1, sizeof *p, err));
    STJ_MUST(problem->ops->single(problem->self, problem->n_steps, &self, err));
    *p = *problem;
    p->ops = &single_ops;
    p->self = self;
    *single = p;
    p = NULL;
    return STJ_OK;
}
