/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/single_error.c: how far products in single precision are from those in double.
 *
 * With E = J_single - J, and x Gaussian, |E x|^2 / |x|^2 has the mean |E|_F^2 / N.  So a few vectors
 * tell the size of E as the traces and the counts of an analysis meet it: |E|_F = sqrt(N) times the
 * root mean square of |E x| / |x|.  One direction of error that is much larger than the others would
 * hide from it; rounding has none, activations that switch are many small ones.
 */
#include <math.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/rng.h"
#include "op/operator.h"
#include "run/run_internal.h"

enum { VECTORS = 4 };

/* y[2][n][VECTORS] <- J x, J'x in one precision. */
static enum stj_status products(struct stj_run *run, struct stj_run_part part,
                                enum stj_precision precision, size_t memory_bytes, size_t n,
                                const double *x, double *y, struct stj_error *err)
{
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    struct stj_storage storage;
    /* Those in double are to take no more memory than those that come after them. */
    part.precision = STJ_PRECISION_SINGLE;
    STJ_MUST(stj_run_part_storage(run, &part, memory_bytes, VECTORS, &storage, err));
    memory_bytes = storage.state_bytes + storage.linear_bytes;
    part.precision = precision;
    (void)stj_run_part_storage(run, &part, memory_bytes, VECTORS, &storage, NULL);
    memory_bytes = memory_bytes > storage.minimum ? memory_bytes : storage.minimum;
    STJ_MUST(stj_run_part_jacobian(run, &part, memory_bytes, &op, err));
    STJ_MUST(stj_op_apply(op, STJ_NO_TRANS, VECTORS, x, n, y, n, err));
    return stj_op_apply(op, STJ_TRANS, VECTORS, x, n, y + VECTORS * n, n, err);
}

enum stj_status stj_run_single_error(struct stj_run *run, const struct stj_run_part *part,
                                     size_t memory_bytes, uint64_t seed,
                                     struct stj_single_error *error, struct stj_error *err)
{
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_FREED double *x = NULL, *y = NULL, *z = NULL;
    size_t n = 0;
    double sum = 0;
    STJ_MUST(stj_run_part_size(run, part, &n, NULL, err));
    STJ_MUST(stj_rng_create(seed, STJ_STREAM_CHECK, 0, &rng, err));
    STJ_MUST(stj_new(&x, n, VECTORS * sizeof *x, err));
    STJ_MUST(stj_new(&y, n, 2 * VECTORS * sizeof *y, err));
    STJ_MUST(stj_new(&z, n, 2 * VECTORS * sizeof *z, err));
    stj_rng_fill_normal(rng, n * VECTORS, x);
    STJ_MUST(products(run, *part, STJ_PRECISION_DOUBLE, memory_bytes, n, x, y, err));
    STJ_MUST(products(run, *part, STJ_PRECISION_SINGLE, memory_bytes, n, x, z, err));
    *error = (struct stj_single_error){.relative = 0};
    for (size_t j = 0; j < 2 * VECTORS; j++) {
        const double of_x = stj_nrm2(n, x + j % VECTORS * n);
        const double of_y = stj_nrm2(n, y + j * n);
        stj_axpy(n, -1, y + j * n, z + j * n);
        const double apart = stj_nrm2(n, z + j * n);
        sum += apart / of_x * (apart / of_x);
        error->relative = fmax(error->relative, apart / (of_y > 0 ? of_y : of_x));
    }
    error->absolute = sqrt(sum / (2 * VECTORS));
    return STJ_OK;
}
