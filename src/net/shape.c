/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/shape.c: sizes and names of sample shapes. */
#include <math.h>
#include <stdio.h>

#include "net/layer.h"

size_t stj_shape_size(const struct stj_shape *shape)
{
    return stj_shape_positions(shape) * stj_shape_cols(shape);
}

size_t stj_shape_cols(const struct stj_shape *shape)
{
    return shape->dim[shape->n_dims - 1];
}

size_t stj_shape_positions(const struct stj_shape *shape)
{
    size_t positions = 1;
    for (size_t i = 0; i + 1 < shape->n_dims; i++)
        positions *= shape->dim[i];
    return positions;
}

bool stj_shape_image(const struct stj_shape *shape, size_t *height, size_t *width, size_t *channels)
{
    const bool flat = shape->n_dims == 1;
    const size_t n = stj_shape_size(shape), side = (size_t)lround(sqrt((double)n));
    *height = flat ? side : shape->dim[0];
    *width = flat ? side : shape->dim[1];
    *channels = flat ? 1 : shape->dim[2];
    return shape->n_dims == 3 || (flat && side * side == n && side >= 4);
}

const char *stj_shape_text(const struct stj_shape *shape, char *text)
{
    int at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < shape->n_dims; i++)
        at += sprintf(text + at, i ? "x%zu" : "%zu", shape->dim[i]);
    return text;
}
