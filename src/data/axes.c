/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/axes.c: images whose channels come first, to images whose channels come last.
 *
 * The number of values of a sample does not show in which order they are.  So the lengths of the
 * axes are compared, and what is not what the layout says is refused.
 */
#include "data/axes.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"

enum { AXES_TEXT_MAX = 192, KEY_MAX = 96 };

struct stj_axes stj_row_axes(size_t n_dims, const size_t *shape)
{
    struct stj_axes axes = {.n = n_dims > 1 ? n_dims - 1 : 0, .rows = n_dims ? shape[0] : 1};
    memcpy(axes.length, shape + 1, axes.n * sizeof *shape);
    return axes;
}

static size_t product(const struct stj_axes *axes)
{
    size_t size = 1;
    for (size_t d = 0; d < axes->n; d++)
        size *= axes->length[d];
    return size;
}

/* Axes but those of length 1 at the end. */
static size_t long_axes(const struct stj_axes *axes)
{
    size_t n = axes->n;
    while (n > 0 && axes->length[n - 1] == 1)
        n--;
    return n;
}

static bool is_flat(const struct stj_axes *axes)
{
    return long_axes(axes) < 2;
}

static bool same_axes(const struct stj_axes *a, const struct stj_axes *b)
{
    const size_t n = long_axes(a);
    return n == long_axes(b) && memcmp(a->length, b->length, n * sizeof a->length[0]) == 0;
}

/* The axes with the first one last. */
static struct stj_axes channels_to_end(const struct stj_axes *axes)
{
    struct stj_axes turned = {.n = axes->n};
    for (size_t d = 0; d < axes->n; d++)
        turned.length[d] = axes->length[(d + 1) % axes->n];
    return turned;
}

static bool turned_fits(const struct stj_axes *has, const struct stj_axes *wants)
{
    const struct stj_axes turned = channels_to_end(has);
    return has->n == wants->n && same_axes(&turned, wants);
}

/* text <- "48 x 3 x 8 x 8" of an array, "8 x 8 x 3" of what is wanted */
static void axes_text(const struct stj_axes *axes, char text[AXES_TEXT_MAX])
{
    text[0] = '\0';
    if (axes->rows)
        stj_text_add(text, AXES_TEXT_MAX, "%zu x ", axes->rows);
    for (size_t d = 0; d < axes->n; d++)
        stj_text_add(text, AXES_TEXT_MAX, "%s%zu", d ? " x " : "", axes->length[d]);
}

/* text <- the key of the config that says them */
static void key_text(const struct stj_axes *wants, char text[KEY_MAX])
{
    text[0] = '\0';
    stj_text_add(text, KEY_MAX, "network.input%s%s", wants->name ? "s." : "",
                 wants->name ? wants->name : "");
}

static enum stj_status refuse_axes(const char *path, enum stj_data_layout layout,
                                   const struct stj_axes *has, const struct stj_axes *wants,
                                   struct stj_error *err)
{
    char array[AXES_TEXT_MAX], input[AXES_TEXT_MAX], key[KEY_MAX];
    const char *first = wants->n == 2 ? "NCL" : "NCHW";
    const char *what = wants->n == 2 ? "sequences" : "images";
    const size_t last = has->length[has->n - 1];
    const bool turn = turned_fits(has, wants) && layout == STJ_DATA_NHWC;
    axes_text(has, array);
    axes_text(wants, input);
    key_text(wants, key);
    STJ_NEED(err, !turn, STJ_ECONFIG,
             "%s: the array is %s, %s says %s: channels last it has %s of %zu channels, "
             "`layout: %s` reads it as %s of %zu channels; say layout: %s, or change %s",
             path, array, key, input, what, last, first, what, has->length[0], first, key);
    STJ_NEED(err, layout == STJ_DATA_NHWC || !same_axes(has, wants), STJ_ECONFIG,
             "%s: the array is %s, as %s says: %s of %zu channels, where `layout: %s` "
             "reads %s of %zu channels; say layout: NHWC, or change %s",
             path, array, key, what, last, first, what, has->length[0], key);
    STJ_NEED(err, false, STJ_ECONFIG,
             "%s: the array is %s, %s says %s: channels last it has %s of %zu channels, "
             "channels first (layout: %s) of %zu; change %s or the shape of the array",
             path, array, key, input, what, last, first, has->length[0], key);
    return STJ_OK;
}

/* Each row [channels][positions] <- [positions][channels]. */
static enum stj_status turn_rows(size_t n_rows, size_t channels, size_t positions, double *values,
                                 struct stj_error *err)
{
    const size_t size = channels * positions;
    STJ_FREED double *row = NULL;
    STJ_MUST(stj_new(&row, size, sizeof *row, err));
    for (size_t i = 0; i < n_rows; i++) {
        double *to = values + i * size;
        memcpy(row, to, size * sizeof *row);
        for (size_t k = 0; k < size; k++)
            to[k] = row[k % channels * positions + k / channels];
    }
    return STJ_OK;
}

bool stj_layout_is_for(enum stj_data_layout layout, size_t n_axes)
{
    return layout == STJ_DATA_NHWC || n_axes == (layout == STJ_DATA_NCHW ? 3 : 2);
}

enum stj_status stj_inputs_arrange(const char *path, enum stj_data_layout layout,
                                   const struct stj_axes *has, const struct stj_axes *wants,
                                   size_t n_rows, double *values, struct stj_error *err)
{
    const bool first = layout != STJ_DATA_NHWC;
    const bool without_channels = has->n + 1 == wants->n && same_axes(has, wants);
    if (product(has) != product(wants) || is_flat(wants))
        return STJ_OK;
    STJ_NEED(err, stj_layout_is_for(layout, wants->n), STJ_ECONFIG,
             "%s: layout %s is for %s, network.input has %zu dimensions", path,
             layout == STJ_DATA_NCHW ? "NCHW" : "NCL",
             layout == STJ_DATA_NCHW ? "images [height, width, channels]"
                                     : "sequences [positions, channels]",
             wants->n);
    if (without_channels || (!first && (is_flat(has) || same_axes(has, wants))))
        return STJ_OK;
    if (!is_flat(has) && !(first && turned_fits(has, wants)))
        STJ_MUST(refuse_axes(path, layout, has, wants, err));
    const size_t channels = wants->length[wants->n - 1];
    return turn_rows(n_rows, channels, product(wants) / channels, values, err);
}
