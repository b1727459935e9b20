/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/axes.h: the axes of the arrays that inputs come in, against those that the network reads. */
#ifndef STJ_DATA_AXES_H
#define STJ_DATA_AXES_H

#include <stdbool.h>

#include "data/matrix.h"

/* Where an array has its channels: behind the positions as the network, or before them. */
enum stj_data_layout { STJ_DATA_NHWC, STJ_DATA_NCHW, STJ_DATA_NCL };

/* Of one sample, outermost first. */
struct stj_axes {
    size_t n;
    size_t length[STJ_MATRIX_MAX_DIMS];
    size_t rows;      /* of the whole array, for messages */
    const char *name; /* of one of several inputs, borrowed; NULL: network.input */
};

/* One of several inputs of a network: so many columns of a sample, from `first` on. */
struct stj_named_input {
    struct stj_axes axes; /* with its name */
    size_t first, size;
};

/* Those of the rows of an array, of its first dimension. */
struct stj_axes stj_row_axes(size_t n_dims, const size_t *shape);

/* Is the layout one of samples with as many axes?  Else their channels are last. */
bool stj_layout_is_for(enum stj_data_layout layout, size_t n_axes);

/* values[n_rows][size], samples of the axes `has` as a file has them, <- in the order of a network
 * that reads samples of the axes `wants`.  Plain rows of numbers are accepted for every shape, any
 * shape where the network reads plain rows, and axes of length 1 at the end make no difference; other
 * axes are refused, with what either layout would make of them.  Another number of values is left to
 * the network. */
enum stj_status stj_inputs_arrange(const char *path, enum stj_data_layout layout,
                                   const struct stj_axes *has, const struct stj_axes *wants,
                                   size_t n_rows, double *values, struct stj_error *err);

#endif
