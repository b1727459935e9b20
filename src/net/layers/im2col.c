/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/im2col.c: patches of images, by way of a strip.
 *
 * The strip holds the rows of one sample's image that a band sees, with the zeros around it, one
 * tangent after another: [nvec][rows][columns][channels].  In it a row of a patch is one run of
 * width * channels reals, whatever nvec: patches are copied in long runs without a condition.
 */
#include "net/layers/im2col.h"

#include <assert.h>
#include <string.h>

#include "base/target_clones.h"

enum {
    PATCHES = 1 << 16, /* reals of a band's patches: half of a core's L2 */
    POSITIONS = 32,    /* at least: fewer make poor matrix products */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t stj_window_taps(const struct stj_window *w)
{
    return w->height * w->width * w->channels;
}

/* Rows and samples of a band: several samples only when all rows of one fit. */
static struct stj_band band_size(const struct stj_window *w, size_t batch, size_t nvec)
{
    const size_t wish = most(PATCHES / (nvec * stj_window_taps(w)), POSITIONS);
    assert(w->out_h > 0 && w->out_w > 0);
    const size_t rows = least(most(wish / w->out_w, 1), w->out_h);
    const size_t n_bands = (w->out_h + rows - 1) / rows;
    return (struct stj_band){
        .n_rows = (w->out_h + n_bands - 1) / n_bands,
        .n_samples = least(most(wish / (w->out_h * w->out_w), 1), batch),
    };
}

bool stj_band_next(const struct stj_window *w, size_t batch, size_t nvec, struct stj_band *band)
{
    const struct stj_band size = band_size(w, batch, nvec);
    band->row += band->n_rows;
    if (band->row >= w->out_h) {
        band->row = 0;
        band->sample += band->n_samples;
    }
    band->n_samples = least(size.n_samples, batch - band->sample);
    band->n_rows = least(size.n_rows, w->out_h - band->row);
    return band->n_samples > 0;
}

size_t stj_band_positions(const struct stj_window *w, const struct stj_band *band)
{
    return band->n_samples * band->n_rows * w->out_w;
}

size_t stj_band_first(const struct stj_window *w, const struct stj_band *band)
{
    return (band->sample * w->out_h + band->row) * w->out_w;
}

/* Rows and columns of a strip's image. */
static size_t strip_rows(const struct stj_window *w, size_t n_rows)
{
    return (n_rows - 1) * w->stride_h + (w->height - 1) * w->dilation_h + 1;
}

static size_t strip_cols(const struct stj_window *w)
{
    return (w->out_w - 1) * w->stride_w + (w->width - 1) * w->dilation_w + 1;
}

struct stj_band_sizes stj_band_sizes(const struct stj_window *w, size_t batch, size_t nvec)
{
    struct stj_band_sizes sizes = {0};
    const size_t taps = stj_window_taps(w);
    for (size_t k = 1; k <= nvec; k++) {
        const struct stj_band band = band_size(w, batch, k);
        const size_t positions = stj_band_positions(w, &band);
        sizes.positions = most(sizes.positions, positions);
        sizes.patches = most(sizes.patches, positions * k * taps);
        sizes.strip =
            most(sizes.strip, k * strip_rows(w, band.n_rows) * strip_cols(w) * w->channels);
    }
    return sizes;
}

struct strip {
    const struct stj_window *w;
    size_t nvec, rows, cols; /* rows and columns of the strip */
    size_t first_row;        /* of the strip, counted from the zeros above the image */
};

static struct strip strip_of(const struct stj_window *w, const struct stj_band *band, size_t nvec)
{
    return (struct strip){w, nvec, strip_rows(w, band->n_rows), strip_cols(w),
                          band->row * w->stride_h};
}

static size_t strip_size(const struct strip *s)
{
    return s->nvec * s->rows * s->cols * s->w->channels;
}

/* Columns of the image that a strip holds; false: row r of the strip lies outside the image. */
static bool inside(const struct strip *s, size_t r, size_t *image_row, size_t *n_cols)
{
    const size_t row = s->first_row + r;
    *n_cols = s->cols > s->w->left ? least(s->w->in_w, s->cols - s->w->left) : 0;
    *image_row = row - s->w->top;
    return row >= s->w->top && *image_row < s->w->in_h;
}

/* The strip's image of one sample <- x [in_h][in_w][nvec][pitch], zeros around. */
STJ_CLONES static void cut_strip(const struct strip *s, const real *restrict x, real *restrict to)
{
    const size_t channels = s->w->channels;
    memset(to, 0, strip_size(s) * sizeof *to);
    for (size_t r = 0; r < s->rows; r++) {
        size_t row;
        size_t n_cols;
        if (!inside(s, r, &row, &n_cols))
            continue;
        const real *from = x + row * s->w->in_w * s->nvec * s->w->pitch + s->w->channel;
        for (size_t i = 0; i < n_cols; i++)
            for (size_t j = 0; j < s->nvec; j++) {
                real *at = to + ((j * s->rows + r) * s->cols + s->w->left + i) * channels;
                for (size_t c = 0; c < channels; c++)
                    at[c] = from[(i * s->nvec + j) * s->w->pitch + c];
            }
    }
}

/* x <- x + the strip's image, what is around it left out. */
STJ_CLONES static void add_strip(const struct strip *s, const real *restrict from, real *restrict x)
{
    const size_t channels = s->w->channels;
    for (size_t r = 0; r < s->rows; r++) {
        size_t row;
        size_t n_cols;
        if (!inside(s, r, &row, &n_cols))
            continue;
        real *to = x + row * s->w->in_w * s->nvec * s->w->pitch + s->w->channel;
        for (size_t i = 0; i < n_cols; i++)
            for (size_t j = 0; j < s->nvec; j++) {
                const real *at = from + ((j * s->rows + r) * s->cols + s->w->left + i) * channels;
                for (size_t c = 0; c < channels; c++)
                    to[(i * s->nvec + j) * s->w->pitch + c] += at[c];
            }
    }
}

/* Where the patch at position (i, k), tangent j, begins row r in the strip. */
STJ_INLINE size_t patch_row(const struct strip *s, size_t i, size_t k, size_t j, size_t r)
{
    const struct stj_window *w = s->w;
    return ((j * s->rows + i * w->stride_h + r * w->dilation_h) * s->cols + k * w->stride_w) *
           w->channels;
}

/* Patches of n_rows rows of positions of one sample <- its strip. */
STJ_CLONES static void cut_patches(const struct strip *s, size_t n_rows, const real *restrict strip,
                                   real *restrict patches, size_t ld)
{
    const struct stj_window *w = s->w;
    const size_t run = w->width * w->channels;
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < w->out_w; k++)
            for (size_t j = 0; j < s->nvec; j++, patches += ld)
                for (size_t r = 0; r < w->height; r++) {
                    const real *from = strip + patch_row(s, i, k, j, r);
                    for (size_t c = 0; c < run; c++)
                        patches[r * run + c] = from[c];
                }
}

/* The same of a window that is dilated across: a run is one number of the window. */
STJ_CLONES static void cut_dilated(const struct strip *s, size_t n_rows, const real *restrict strip,
                                   real *restrict patches, size_t ld)
{
    const struct stj_window *w = s->w;
    const size_t step = w->dilation_w * w->channels;
    for (size_t p = 0; p < n_rows * w->out_w * s->nvec; p++, patches += ld)
        for (size_t q = 0; q < w->height * w->width; q++) {
            const size_t position = p / s->nvec;
            const real *from =
                strip +
                patch_row(s, position / w->out_w, position % w->out_w, p % s->nvec, q / w->width) +
                q % w->width * step;
            for (size_t c = 0; c < w->channels; c++)
                patches[q * w->channels + c] = from[c];
        }
}

/* The strip <- itself + the patches.  Neighbouring patches overlap: with tangents innermost one
 * sum is stored before the next that reads it is due. */
STJ_CLONES static void add_patches(const struct strip *s, size_t n_rows,
                                   const real *restrict patches, size_t ld, real *restrict strip)
{
    const struct stj_window *w = s->w;
    const size_t run = w->width * w->channels;
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < w->out_w; k++)
            for (size_t j = 0; j < s->nvec; j++, patches += ld)
                for (size_t r = 0; r < w->height; r++) {
                    real *to = strip + patch_row(s, i, k, j, r);
                    for (size_t c = 0; c < run; c++)
                        to[c] += patches[r * run + c];
                }
}

STJ_CLONES static void add_dilated(const struct strip *s, size_t n_rows,
                                   const real *restrict patches, size_t ld, real *restrict strip)
{
    const struct stj_window *w = s->w;
    const size_t step = w->dilation_w * w->channels;
    for (size_t p = 0; p < n_rows * w->out_w * s->nvec; p++, patches += ld)
        for (size_t q = 0; q < w->height * w->width; q++) {
            const size_t position = p / s->nvec;
            real *to =
                strip +
                patch_row(s, position / w->out_w, position % w->out_w, p % s->nvec, q / w->width) +
                q % w->width * step;
            for (size_t c = 0; c < w->channels; c++)
                to[c] += patches[q * w->channels + c];
        }
}

void stj_im2col(const struct stj_window *w, const struct stj_band *band, size_t nvec, const real *x,
                real *strip, real *patches, size_t ld)
{
    const struct strip s = strip_of(w, band, nvec);
    const size_t n_in = w->in_h * w->in_w * nvec * w->pitch;
    for (size_t k = 0; k < band->n_samples; k++) {
        cut_strip(&s, x + (band->sample + k) * n_in, strip);
        (w->dilation_w == 1 ? cut_patches : cut_dilated)(
            &s, band->n_rows, strip, patches + k * band->n_rows * w->out_w * nvec * ld, ld);
    }
}

void stj_col2im(const struct stj_window *w, const struct stj_band *band, size_t nvec,
                const real *patches, size_t ld, real *strip, real *x)
{
    const struct strip s = strip_of(w, band, nvec);
    const size_t n_in = w->in_h * w->in_w * nvec * w->pitch;
    for (size_t k = 0; k < band->n_samples; k++) {
        memset(strip, 0, strip_size(&s) * sizeof *strip);
        (w->dilation_w == 1 ? add_patches : add_dilated)(
            &s, band->n_rows, patches + k * band->n_rows * w->out_w * nvec * ld, ld, strip);
        add_strip(&s, strip, x + (band->sample + k) * n_in);
    }
}
