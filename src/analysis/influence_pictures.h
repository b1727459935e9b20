/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/influence_pictures.h: the inputs of some samples, where they are images. */
#ifndef STJ_ANALYSIS_INFLUENCE_PICTURES_H
#define STJ_ANALYSIS_INFLUENCE_PICTURES_H

#include "base/chart.h"
#include "run/run_internal.h"

struct stj_influence_pictures {
    size_t n, n_first; /* of them, those of the first end */
    size_t height, width, channels, n_pixels;
    size_t *sample; /* [n] */
    double *pixel;  /* [n][n_pixels]: inputs, or means of squares of them */
};

/* p <- of `first` and `second` samples of the run; n = 0: its inputs are no images. */
enum stj_status stj_influence_pictures_take(const struct stj_run *run, size_t n_first,
                                            const size_t *first, size_t n_second,
                                            const size_t *second, struct stj_influence_pictures *p,
                                            struct stj_error *err);

/* The chart's pictures <- these, the smallest number black and the largest white, with empty
 * captions. */
enum stj_status stj_influence_pictures_put(const struct stj_influence_pictures *p,
                                           struct stj_chart *chart, struct stj_error *err);

#endif
