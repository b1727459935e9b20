/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/restricted_jacobian.h: the Jacobian of a training within a subspace. */
#ifndef STJ_STUDY_RESTRICTED_JACOBIAN_H
#define STJ_STUDY_RESTRICTED_JACOBIAN_H

#include "study/study.h"

/* sigma[k] <- the singular values, descending, of d z_n / d z_0, the training in the coordinates of
 * theta = origin + B z from z_0 = 0, trained again.  *finite <- false where it leaves the finite
 * numbers, and sigma is NaN then. */
enum stj_status stj_restricted_jacobian(const struct stj_study_context *cx,
                                        const struct stj_subspace *subspace, double *sigma,
                                        bool *finite, struct stj_error *err);

#endif
