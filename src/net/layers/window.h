/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/window.h: a window that slides over an image [height][width][channels], or over a
 * sequence [positions][channels], which is an image of height 1.
 *
 * Output position (i, j) sees the rows i stride_h - top + r dilation_h, 0 <= r < height, and the
 * columns likewise.  With `zeros` around the image and reach = (size - 1) dilation + 1,
 *
 *     out = floor((in + zeros - reach) / stride) + 1,
 *
 * zeros = 0 for padding `valid`.  Rounded up instead (`ceil`), a window may hang over the zeros
 * behind, but begins within the image or the zeros before it, as in PyTorch.  With `same`, as in
 * TensorFlow and JAX, also for strides above 1:
 *
 *     out = ceil(in / stride),   zeros = max((out - 1) stride + reach - in, 0),
 *
 * floor(zeros / 2) of them before the image and the rest behind it; with `causal` all before it.
 */
#ifndef STJ_NET_LAYERS_WINDOW_H
#define STJ_NET_LAYERS_WINDOW_H

#include "net/layer.h"

/* The part of a layer's config that describes its window; each list is one number or two. */
struct stj_window_config {
    struct stj_sizes size;
    struct stj_sizes stride;   /* empty: the size */
    struct stj_sizes dilation; /* empty: 1 */
    struct stj_sizes padding;  /* a word of stj_paddings; or 1, 2 or 4 numbers; empty: valid */
    bool ceil;
};

/* The words that a padding may be; the last one is for sequences alone. */
extern const char *const stj_paddings[];
extern const char *const stj_sequence_paddings[];

struct stj_window {
    size_t in_h, in_w, out_h, out_w, channels;
    size_t height, width, stride_h, stride_w, dilation_h, dilation_w;
    size_t top, left;      /* zeros before the image */
    size_t bottom, right;  /* and behind it */
    size_t pitch, channel; /* channels in memory, and the first that the window sees */
};

/* A row `dilation` of an option table, and one `padding` that takes these words. */
#define STJ_WINDOW_DILATION(field)                                                                 \
    {                                                                                              \
        .name = "dilation", .type = STJ_OPTION_SIZES, .offset = field, .fallback = "1", .min = 1,  \
        .max = 1e9,                                                                                \
        .doc = "distance between neighbours that a window sees, down and across, or "              \
               "one number for both"                                                               \
    }
#define STJ_WINDOW_PADDING(field, words)                                                           \
    {                                                                                              \
        .name = "padding", .type = STJ_OPTION_SIZES, .offset = field, .fallback = "valid",         \
        .max = 1e9, .choices = words,                                                              \
        .doc = "valid: none; same: around the image as in TensorFlow and JAX, so that stride 1 "   \
               "keeps the size; or how much as in PyTorch: N on all sides, [vertical, "            \
               "horizontal] or [top, bottom, left, right]; of a sequence N or [before, behind]"    \
    }

/* The rows that pooling layers have alike, of a config with a stj_window_config at `offset`. */
#define STJ_POOL_OPTIONS(at)                                                                       \
    {.name = "window",                                                                             \
     .type = STJ_OPTION_SIZES,                                                                     \
     .offset = (at) + offsetof(struct stj_window_config, size),                                    \
     .min = 1,                                                                                     \
     .max = 1e9,                                                                                   \
     .doc = "height and width of the window, or one number for both"},                             \
        {.name = "stride",                                                                         \
         .type = STJ_OPTION_SIZES,                                                                 \
         .offset = (at) + offsetof(struct stj_window_config, stride),                              \
         .fallback = "",                                                                           \
         .min = 1,                                                                                 \
         .max = 1e9,                                                                               \
         .doc = "distance between windows, down and across, or one number; default: the window"},  \
        STJ_WINDOW_PADDING((at) + offsetof(struct stj_window_config, padding), stj_paddings),      \
    {                                                                                              \
        .name = "ceil", .type = STJ_OPTION_BOOL,                                                   \
        .offset = (at) + offsetof(struct stj_window_config, ceil), .fallback = "false",            \
        .doc = "whether the number of windows is rounded up, so that the last ones extend beyond " \
               "the image"                                                                         \
    }

/* Does the window fit the layer's input, of n_dims dimensions (0: an image or a sequence)?  `what`
 * is the size's key in the config. */
enum stj_status stj_window_check(const struct stj_layer *layer, size_t n_dims,
                                 const struct stj_window_config *config, const char *what,
                                 struct stj_error *err);

/* The window of a config that was checked. */
struct stj_window stj_window_of(const struct stj_shape *in, const struct stj_window_config *config);

/* The shape of outputs of that many channels, for an input of this shape. */
struct stj_shape stj_window_out(const struct stj_window *w, const struct stj_shape *in,
                                size_t channels);

/* side <- a padding's numbers, checked for how many they are, as top, bottom, left, right. */
enum stj_status stj_padding_check(const struct stj_shape *in, const struct stj_sizes *padding,
                                  struct stj_error *err);
void stj_padding_sides(const struct stj_shape *in, const struct stj_sizes *padding, size_t side[4]);

/* What a window sees along one axis: of its numbers those from `first` to before `end` lie within
 * the input, the first of them at `at`. */
struct stj_reach {
    size_t first, end, at;
};
struct stj_reach stj_window_reach(size_t in, size_t size, size_t dilation, size_t start,
                                  size_t before);

/* Of a pooling layer: check the window, each of which must see the image, and set `out`; and a
 * sample, "{input: ..., layers: [{type: ..., window: ...", to be ended by the caller. */
enum stj_status stj_pool_setup(struct stj_layer *layer, const struct stj_window_config *config,
                               struct stj_error *err);
void stj_pool_sample(struct stj_rng *rng, const char *type, char *text, size_t size);

/* A random config within the image, as text: "window: [2, 3], stride: 1". */
void stj_window_sample(struct stj_rng *rng, size_t in_h, size_t in_w, const char *what, char *text,
                       size_t size);

#endif
