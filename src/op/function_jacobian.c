/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/function_jacobian.c: products with G = d outputs / d theta.
 *
 * Rows go in chunks, and vectors in tiles, of fixed sizes.  For each tile the chunks are
 * independent in G X; in G' Y their shares are added in the order of the chunks, whatever the
 * number of threads.  The forward pass of a chunk is done again for each tile: it costs one tangent
 * of many.
 */
#include "op/function_jacobian.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/parallel.h"

enum { CHUNK_ROWS = 64, TILE = 16 };

struct function_jacobian {
    const struct stj_network *net;
    size_t n_rows, n_in, n_out, n_params;
    real *x, *theta;
    real *zero; /* a tile */
    size_t chunk, n_chunks;
};

/* What one thread works with. */
struct desk {
    real *lin, *scratch, *z, *share;
};

static void function_jacobian_destroy(void *ctx)
{
    struct function_jacobian *self = ctx;
    if (!self)
        return;
    free(self->x);
    free(self->theta);
    free(self->zero);
    free(self);
}
STJ_HOLDS(struct function_jacobian, function_jacobian_destroy)

static void desks_free(size_t n, struct desk *desk)
{
    for (size_t i = 0; desk && i < n; i++) {
        free(desk[i].lin);
        free(desk[i].scratch);
        free(desk[i].z);
        free(desk[i].share);
    }
    free(desk);
}

static enum stj_status desks_create(const struct function_jacobian *self, bool trans, size_t n,
                                    struct desk **desk, struct stj_error *err)
{
    const size_t chunk = self->chunk;
    STJ_MUST(stj_new(desk, n, sizeof **desk, err));
    for (size_t i = 0; i < n; i++) {
        struct desk *d = &(*desk)[i];
        STJ_MUST(stj_new(&d->lin, stj_network_n_linear(self->net, chunk), sizeof *d->lin, err));
        STJ_MUST(stj_new(&d->scratch, stj_network_n_scratch(self->net, chunk, TILE),
                         sizeof *d->scratch, err));
        STJ_MUST(stj_new(&d->z, chunk * self->n_out * TILE, sizeof *d->z, err));
        if (trans)
            STJ_MUST(stj_new(&d->share, self->n_params * TILE, sizeof *d->share, err));
    }
    return STJ_OK;
}

/* The batch of a chunk; `z` is room for its outputs, which are not wanted. */
static struct stj_batch linearize_batch(const struct function_jacobian *self, size_t c,
                                        struct desk *d)
{
    const size_t first = c * self->chunk;
    const size_t n = self->n_rows - first < self->chunk ? self->n_rows - first : self->chunk;
    const struct stj_batch b = {
        .whole = n, .batch = n, .evaluate = true, .x = self->x + first * self->n_in};
    stj_network_predict(self->net, &b, self->theta, d->lin, d->z, d->scratch);
    return b;
}

/* Number i of the block [rows][nvec][cols] of a chunk is output *row of the chunk in vector *j. */
static void place_output(const struct function_jacobian *self, size_t nvec, size_t i, size_t *row,
                         size_t *j)
{
    const size_t cols = stj_shape_cols(stj_network_output(self->net));
    *row = i / (nvec * cols) * cols + i % cols;
    *j = i / cols % nvec;
}

/* The chunk's rows of the columns of y <- its block. */
static void give_outputs(const struct function_jacobian *self, size_t c, const struct stj_batch *b,
                         size_t nvec, const real *block, double *y, size_t ldy)
{
    size_t row = 0, j = 0;
    for (size_t i = 0; i < b->batch * self->n_out * nvec; i++) {
        place_output(self, nvec, i, &row, &j);
        y[j * ldy + c * self->chunk * self->n_out + row] = (double)block[i];
    }
}

/* The block of a chunk <- its rows of the columns of y. */
static void take_outputs(const struct function_jacobian *self, size_t c, const struct stj_batch *b,
                         size_t nvec, const double *y, size_t ldy, real *block)
{
    size_t row = 0, j = 0;
    for (size_t i = 0; i < b->batch * self->n_out * nvec; i++) {
        place_output(self, nvec, i, &row, &j);
        block[i] = (real)y[j * ldy + c * self->chunk * self->n_out + row];
    }
}

/* Y <- G X for a tile. */
static enum stj_status times_tile(const struct function_jacobian *self, size_t nvec,
                                  const real *tile, double *y, size_t ldy, size_t n_threads,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct desk *desk = NULL;
    STJ_TRY(desks_create(self, false, n_threads, &desk, err));
#pragma omp parallel for schedule(static, 1) num_threads((int)n_threads)
    for (size_t c = 0; c < self->n_chunks; c++) {
        struct desk *d = &desk[stj_thread_number()];
        const struct stj_batch b = linearize_batch(self, c, d);
        stj_network_jvp(self->net, &b, self->theta, d->lin, nvec, tile, d->z, d->scratch);
        give_outputs(self, c, &b, nvec, d->z, y, ldy);
    }
out:
    desks_free(n_threads, desk);
    return st;
}

/* tile <- G' Y.  Chunks are done n_threads at a time, and added in their order. */
static enum stj_status times_transposed(const struct function_jacobian *self, size_t nvec,
                                        const double *y, size_t ldy, real *tile, size_t n_threads,
                                        struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct desk *desk = NULL;
    const size_t size = nvec * self->n_params;
    STJ_TRY(desks_create(self, true, n_threads, &desk, err));
    for (size_t i = 0; i < size; i++)
        tile[i] = 0;
    for (size_t first = 0; first < self->n_chunks; first += n_threads) {
        const size_t n = self->n_chunks - first < n_threads ? self->n_chunks - first : n_threads;
        /* 1. each thread its chunk, into a share */
#pragma omp parallel for schedule(static, 1) num_threads((int)n_threads)
        for (size_t i = 0; i < n; i++) {
            struct desk *d = &desk[i];
            const struct stj_batch b = linearize_batch(self, first + i, d);
            take_outputs(self, first + i, &b, nvec, y, ldy, d->z);
            stj_network_vjp(self->net, &b, self->theta, d->lin, nvec, self->zero, d->z, d->share,
                            d->scratch);
        }
        /* 2. the shares, in order */
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < size; k++)
                tile[k] += desk[i].share[k];
    }
out:
    desks_free(n_threads, desk);
    return st;
}

static enum stj_status function_jacobian_apply(void *ctx, enum stj_trans trans, size_t nvec,
                                               const double *x, size_t ldx, double *y, size_t ldy,
                                               struct stj_error *err)
{
    const struct function_jacobian *self = ctx;
    const struct stj_layout *layout = stj_network_layout(self->net);
    const size_t threads = stj_threads();
    const size_t n_threads = threads < self->n_chunks ? threads : self->n_chunks;
    STJ_HELD(stj_blas_guard_drop) struct stj_blas_guard guard = stj_blas_guard_take(1);
    STJ_FREED real *tile = NULL;
    STJ_MUST(stj_new(&tile, TILE * self->n_params, sizeof *tile, err));
    for (size_t j = 0; j < nvec; j += TILE) {
        const size_t n = nvec - j < TILE ? nvec - j : TILE;
        if (trans == STJ_NO_TRANS) {
            stj_block_pack(layout, n, x + j * ldx, ldx, tile);
            STJ_MUST(times_tile(self, n, tile, y + j * ldy, ldy, n_threads, err));
        } else {
            STJ_MUST(times_transposed(self, n, x + j * ldx, ldx, tile, n_threads, err));
            stj_block_unpack(layout, n, tile, y + j * ldy, ldy);
        }
    }
    return STJ_OK;
}

enum stj_status stj_function_jacobian_create(const struct stj_network *net, size_t n_rows,
                                             const real *x, const double *theta, struct stj_op **op,
                                             struct stj_error *err)
{
    STJ_HELD(function_jacobian_destroy_at) struct function_jacobian *self = NULL;
    size_t outputs = 0, inputs = 0;
    STJ_NEED(err, n_rows > 0, STJ_EINVAL, "the Jacobian of a network's outputs needs inputs");
    STJ_MUST(stj_new(&self, 1, sizeof *self, err));
    *self = (struct function_jacobian){.net = net,
                                       .n_rows = n_rows,
                                       .n_in = stj_shape_size(stj_network_input(net)),
                                       .n_out = stj_shape_size(stj_network_output(net)),
                                       .n_params = stj_network_n_params(net)};
    /* 1. chunks of rows: one where the outputs depend on the whole batch */
    self->chunk = stj_network_couples_samples(net) || n_rows < CHUNK_ROWS ? n_rows : CHUNK_ROWS;
    self->n_chunks = (n_rows + self->chunk - 1) / self->chunk;
    /* 2. inputs and parameters of its own */
    STJ_MUST(stj_size_mul(n_rows, self->n_out, &outputs, err));
    STJ_MUST(stj_size_mul(n_rows, self->n_in, &inputs, err));
    STJ_MUST(stj_new(&self->x, inputs, sizeof *self->x, err));
    memcpy(self->x, x, inputs * sizeof *x);
    STJ_MUST(stj_new(&self->theta, self->n_params, sizeof *self->theta, err));
    STJ_MUST(stj_new(&self->zero, TILE * self->n_params, sizeof *self->zero, err));
    for (size_t i = 0; i < self->n_params; i++)
        self->theta[i] = (real)theta[i];
    STJ_MUST(stj_op_create(outputs, self->n_params, function_jacobian_apply,
                           function_jacobian_destroy, self, op, err));
    self = NULL;
    return STJ_OK;
}
