/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/trace/hutchinson.c: the mean of x'B x over random x with E x x' = I (Hutchinson 1990).
 *
 * x uniform on the sphere of radius sqrt(n): the variance is that of Gaussian x less what a varying
 * length adds.  Where B = C'C, x'B x = |C x|^2 costs one product with C and none with C'.
 * Standard deviation of a sample: about sqrt(2) |B - mean eigenvalue|_F.
 */
#include <stdlib.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "spectrum/trace/trace_method.h"

static enum stj_status hutchinson_estimate(const struct stj_trace_target *target,
                                           struct stj_trace_samples *samples, struct stj_error *err)
{
    const size_t n = target->n;
    const size_t k = target->products;
    struct stj_op *op = target->half ? target->half : target->b;
    const size_t m = stj_op_n_rows(op);
    STJ_FREED double *x = NULL;
    STJ_FREED double *y = NULL;
    STJ_MUST(stj_size_mul(n > m ? n : m, k, &(size_t){0}, err));
    STJ_MUST(stj_new(&x, n * k, sizeof *x, err));
    STJ_MUST(stj_new(&y, m * k, sizeof *y, err));
    STJ_MUST(stj_new(&samples->sample, k, sizeof *samples->sample, err));
    STJ_MUST(stj_trace_probes(target, 0, k, x, err));
    STJ_MUST(stj_trace_apply(target, op, k, x, y, 0, err));
    for (size_t j = 0; j < k; j++)
        samples->sample[j] =
            target->half ? stj_dot(m, y + j * m, y + j * m) : stj_dot(n, x + j * n, y + j * n);
    samples->n = samples->products = k;
    return STJ_OK;
}

const struct stj_trace_method stj_trace_hutchinson = {
    .info = {.name = "hutchinson", .doc = "mean of x'B x over random x"},
    .least = 2,
    .parts = 1,
    .held = 2,
    .halves = true,
    .estimate = hutchinson_estimate,
};
