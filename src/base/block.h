/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/block.h: how a block of parameter vectors lies in memory while it is swept through training.
 *
 * Outside, a block of nvec vectors is column-major, N x nvec, leading dimension ld.  Inside a sweep
 * it is a *tile*: every tensor [rows][cols] of the parameter vector becomes [rows][nvec][cols], one
 * tensor after another, so that the product of one matrix with all nvec tangents of a kernel is a
 * single wide GEMM.  For nvec = 1 the two are the same.  A tile has n_params * nvec numbers, and the
 * tensor at offset o of the vector starts at o * nvec.
 */
#ifndef STJ_BASE_BLOCK_H
#define STJ_BASE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/real.h"

/* What a tensor is to an optimizer that needs whole ones. */
enum stj_tensor_form {
    STJ_FORM_VECTOR,
    STJ_FORM_IN_OUT, /* a matrix of inputs times outputs, PyTorch's transposed */
    STJ_FORM_OUT_IN, /* a matrix as PyTorch has it */
};

struct stj_tensor_shape {
    size_t offset; /* of its first element in the parameter vector */
    size_t rows, cols;
    enum stj_tensor_form form;
};

/* The tensors of a parameter vector in order, without gaps.  Borrowed by whoever receives it. */
struct stj_layout {
    size_t n_params;
    size_t n_tensors;
    struct stj_tensor_shape *tensor; /* owned by the layout's owner */
};

/* tile <- the nvec columns of x (N x nvec, leading dimension ldx). */
void stj_block_pack(const struct stj_layout *layout, size_t nvec, const double *x, size_t ldx,
                    real *tile);

/* y (N x nvec, leading dimension ldy) <- the tile. */
void stj_block_unpack(const struct stj_layout *layout, size_t nvec, const real *tile, double *y,
                      size_t ldy);

/* What training was given: theta at its beginning, weights w_i = 1 of the samples in the loss
 * L = sum w_i l_i (l_i is a sample's share in that of its batch), the samples' inputs and targets;
 * the rates, momenta and weight decays of the steps, the factors 1 of the rates of groups. */
enum stj_given {
    STJ_GIVEN_START,
    STJ_GIVEN_WEIGHTS,
    STJ_GIVEN_INPUTS,
    STJ_GIVEN_TARGETS,
    STJ_GIVEN_RATES,
    STJ_GIVEN_MOMENTA,
    STJ_GIVEN_DECAYS,
    STJ_GIVEN_SCALES
};

/* Is it of samples, or of steps? */
static inline bool stj_given_is_of_samples(enum stj_given given)
{
    return given >= STJ_GIVEN_WEIGHTS && given <= STJ_GIVEN_TARGETS;
}

static inline bool stj_given_is_of_steps(enum stj_given given)
{
    return given >= STJ_GIVEN_RATES;
}

/* What a product with a Hessian, y = H x, has to do with u, weights, inputs or targets of the rows of
 * its batch: [n_rows][nvec], or [n_rows][positions][nvec][cols] as tangents of layers are; either may
 * be NULL. */
struct stj_given_tangents {
    enum stj_given given;
    const real *dot; /* y gets the derivative of grad L along dot, too */
    real *bar;       /* += that of x . grad L with respect to u */
};

/* A matrix in the place of the Hessian of a step's loss. */
struct stj_curvature {
    bool no_penalty; /* without the L2 penalty */
    const real
        *zero; /* a tile of zeros: the Gauss-Newton matrix G' H_loss G, G = d outputs / d theta,
                         without the penalty; NULL: the Hessian */
};

#endif
