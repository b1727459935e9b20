/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/window.h: a window that slides over an image [height][width][channels].
 *
 * Output position (i, j) sees rows i stride_h - top .. + height - 1 and columns likewise; what lies
 * outside the image is zero.  With padding `valid` there is no outside and
 *
 *     out = floor((in - size) / stride) + 1.
 *
 * With `same`, as in TensorFlow and JAX, also for strides above 1:
 *
 *     out = ceil(in / stride),   zeros = max((out - 1) stride + size - in, 0),
 *
 * floor(zeros / 2) of them before the image and the rest behind it.
 */
#ifndef STJ_NET_LAYERS_WINDOW_H
#define STJ_NET_LAYERS_WINDOW_H

#include "net/layer.h"

enum stj_padding { STJ_PADDING_VALID, STJ_PADDING_SAME };

/* The part of a layer's config that describes its window; each list is one number or two. */
struct stj_window_config {
    struct stj_sizes size;
    struct stj_sizes stride; /* empty: the size */
    int padding;             /* enum stj_padding */
};

struct stj_window {
    size_t in_h, in_w, out_h, out_w, channels;
    size_t height, width, stride_h, stride_w;
    size_t top, left; /* zeros before the image */
};

/* The options of a pooling layer, whose config is a stj_window_config. */
extern const struct stj_option stj_pool_options[];

/* Does the window fit the layer's input?  `what` is the size's key in the config. */
enum stj_status stj_window_check(const struct stj_layer *layer,
                                 const struct stj_window_config *config, const char *what,
                                 struct stj_error *err);

/* The window of a config that was checked. */
struct stj_window stj_window_of(const struct stj_shape *in, const struct stj_window_config *config);

/* A random config within the image, as text: "window: [2, 3], stride: 1". */
void stj_window_sample(struct stj_rng *rng, size_t in_h, size_t in_w, const char *what, char *text,
                       size_t size);

#endif
