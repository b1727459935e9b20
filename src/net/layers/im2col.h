/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/im2col.h: the patches of images that a window sees, as the rows of a matrix.
 *
 * A *band* is what is made into patches at a time, so that they stay in cache: some rows of output
 * positions of one sample, or all of several samples.  Its patches are [position][nvec][taps], with
 * taps = height * width * channels of the window in this order.
 */
#ifndef STJ_NET_LAYERS_IM2COL_H
#define STJ_NET_LAYERS_IM2COL_H

#include "net/layers/window.h"

struct stj_band {
    size_t sample, n_samples; /* within the slice */
    size_t row, n_rows;       /* of output positions */
};

/* Turn a zeroed band into the first of a slice, or one into the next; false: there is none. */
bool stj_band_next(const struct stj_window *w, size_t batch, size_t nvec, struct stj_band *band);

/* Its positions, and the number of the first one within the slice's out_h * out_w a sample. */
size_t stj_band_positions(const struct stj_window *w, const struct stj_band *band);
size_t stj_band_first(const struct stj_window *w, const struct stj_band *band);

size_t stj_window_taps(const struct stj_window *w);

/* Reals of the largest of every buffer that a block of 1 to nvec tangents needs. */
struct stj_band_sizes {
    size_t positions; /* of a band: rows of the patches' matrix for one value or tangent */
    size_t patches;   /* [positions][nvec][taps] */
    size_t strip;     /* work of the two functions below */
};
struct stj_band_sizes stj_band_sizes(const struct stj_window *w, size_t batch, size_t nvec);

/* patches (rows of `taps` reals, ld apart) <- those of a slice's images x [batch][in_h][in_w][nvec]
 * [pitch], of the window's channels. */
void stj_im2col(const struct stj_window *w, const struct stj_band *band, size_t nvec, const real *x,
                real *strip, real *patches, size_t ld);

/* The adjoint: x <- x + the patches, each where it came from. */
void stj_col2im(const struct stj_window *w, const struct stj_band *band, size_t nvec,
                const real *patches, size_t ld, real *strip, real *x);

#endif
