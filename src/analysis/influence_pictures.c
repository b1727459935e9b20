/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/influence_pictures.c: images among the training samples, small enough to be stored with
 * a result. */
#include "analysis/influence_pictures.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Are the inputs images, grey or of three colours?  Their sizes. */
static bool are_images(const struct stj_run *run, struct stj_influence_pictures *p)
{
    size_t n_named = 0;
    (void)stj_network_named_inputs(run->net, &n_named);
    return !run->config.has_problem && n_named == 0 && stj_network_n_ids(run->net) == 0 &&
           run->train->inputs &&
           stj_shape_image(stj_network_input(run->net), &p->height, &p->width, &p->channels) &&
           p->height * p->width * p->channels == run->train->n_features &&
           (p->channels == 1 || p->channels == 3);
}

/* The mean of a square of pixels of an image whose rows have `row` numbers. */
static double mean_of(const double *corner, size_t row, size_t channels, size_t side)
{
    double sum = 0;
    for (size_t y = 0; y < side; y++)
        for (size_t x = 0; x < side; x++)
            sum += corner[y * row + x * channels];
    return sum / (double)(side * side);
}

/* to[n_pixels] <- an image, of each square of `side` pixels the mean. */
static void shrink(const struct stj_influence_pictures *p, const double *from, size_t row,
                   size_t side, double *to)
{
    for (size_t i = 0; i < p->n_pixels; i++) {
        const size_t k = i % p->channels, x = i / p->channels % p->width;
        const size_t y = i / p->channels / p->width;
        to[i] = mean_of(from + y * side * row + x * side * p->channels + k, row, p->channels, side);
    }
}

enum stj_status stj_influence_pictures_take(const struct stj_run *run, size_t n_first,
                                            const size_t *first, size_t n_second,
                                            const size_t *second, struct stj_influence_pictures *p,
                                            struct stj_error *err)
{
    if (!are_images(run, p)) {
        *p = (struct stj_influence_pictures){.n = 0};
        return STJ_OK;
    }
    const size_t row = p->width * p->channels, most = STJ_PICTURE_MOST;
    const size_t longest = p->width > p->height ? p->width : p->height;
    const size_t side = (longest + most - 1) / most;
    p->height = p->height < side ? 1 : p->height / side;
    p->width = p->width < side ? 1 : p->width / side;
    p->n = n_first + n_second;
    p->n_first = n_first;
    p->n_pixels = p->height * p->width * p->channels;
    STJ_MUST(stj_new(&p->sample, p->n, sizeof *p->sample, err));
    STJ_MUST(stj_new(&p->pixel, p->n * p->n_pixels, sizeof *p->pixel, err));
    for (size_t i = 0; i < p->n; i++) {
        p->sample[i] = i < n_first ? first[i] : second[i - n_first];
        shrink(p, run->train->inputs + p->sample[i] * run->train->n_features, row, side,
               p->pixel + i * p->n_pixels);
    }
    return STJ_OK;
}

enum stj_status stj_influence_pictures_put(const struct stj_influence_pictures *p,
                                           struct stj_chart *chart, struct stj_error *err)
{
    const size_t n = p->n * p->n_pixels, most = STJ_PICTURE_MOST;
    double low = HUGE_VAL, high = -HUGE_VAL;
    STJ_NEED(err,
             p->height > 0 && p->height <= most && p->width > 0 && p->width <= most &&
                 (p->channels == 1 || p->channels == 3) &&
                 p->n_pixels == p->height * p->width * p->channels,
             STJ_EFORMAT, "the result's pictures have no size: compute it again with --force");
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, p->pixel[i]);
        high = fmax(high, p->pixel[i]);
    }
    struct stj_pictures *to = &chart->pictures;
    to->height = p->height;
    to->width = p->width;
    to->channels = p->channels;
    STJ_MUST(stj_new(&to->caption, p->n, sizeof *to->caption, err));
    STJ_MUST(stj_new(&to->pixels, n, 1, err));
    for (size_t i = 0; i < n; i++)
        to->pixels[i] = (unsigned char)(high > low && isfinite(p->pixel[i])
                                            ? 255 * (p->pixel[i] - low) / (high - low) + 0.5
                                            : 0);
    return STJ_OK;
}
