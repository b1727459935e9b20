/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/trace/hutchpp.c: Hutch++ (Meyer, Musco, Musco, Woodruff 2021).
 *
 *     Q = an orthonormal basis of B S, S random          products / 3
 *     tr B = tr Q'B Q                                    products / 3, exact
 *          + tr (I - QQ') B (I - QQ'), by Hutchinson     products / 3
 *
 * The vectors of the last part are scaled to length sqrt(n - products / 3) after the projection:
 * their directions are uniform in what is left, and a varying length would only add variance.
 * The error of the second part is that of what the largest third of the spectrum leaves over.
 */
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/orthogonalize.h"
#include "spectrum/trace/trace_method.h"

static enum stj_status hutchpp_estimate(const struct stj_trace_target *target,
                                        struct stj_trace_samples *samples, struct stj_error *err)
{
    const size_t n = target->n;
    const size_t k = target->products / 3;
    STJ_FREED double *q = NULL;
    STJ_FREED double *x = NULL;
    STJ_FREED double *y = NULL;
    STJ_FREED double *work = NULL;
    STJ_MUST(stj_size_mul(n, k, &(size_t){0}, err));
    STJ_MUST(stj_new(&q, n * k, sizeof *q, err));
    STJ_MUST(stj_new(&x, n * k, sizeof *x, err));
    STJ_MUST(stj_new(&y, n * k, sizeof *y, err));
    STJ_MUST(stj_new(&work, k * k, sizeof *work, err));
    STJ_MUST(stj_new(&samples->sample, k, sizeof *samples->sample, err));
    STJ_MUST(stj_trace_probes(target, 0, k, x, err));
    STJ_MUST(stj_trace_apply(target, target->b, k, x, q, 0, err));
    STJ_MUST(stj_qr(n, k, q, n, NULL, err));
    STJ_MUST(stj_trace_apply(target, target->b, k, q, y, k, err));
    for (size_t j = 0; j < k; j++)
        samples->offset += stj_dot(n, q + j * n, y + j * n);
    STJ_MUST(stj_trace_probes(target, k, k, x, err));
    stj_project_out(n, k, q, k, x, n, work);
    STJ_MUST(stj_trace_apply(target, target->b, k, x, y, 2 * k, err));
    for (size_t j = 0; j < k; j++)
        samples->sample[j] =
            (double)(n - k) / stj_dot(n, x + j * n, x + j * n) * stj_dot(n, x + j * n, y + j * n);
    samples->n = k;
    samples->products = 3 * k;
    return STJ_OK;
}

const struct stj_trace_method stj_trace_hutchpp = {
    .info = {.name = "hutch++", .doc = "Hutchinson on what a random low-rank part leaves over"},
    .least = 6,
    .parts = 3,
    .held = 3,
    .estimate = hutchpp_estimate,
};
