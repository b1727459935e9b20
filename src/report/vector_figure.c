/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/vector_figure.c: a tensor of a singular vector as images or as a heat map.
 *
 * What reads images is drawn as images, side by side: the kernel of a convolution as one for each
 * pair of channels, inputs from above and outputs from the left; the dense kernel of the first layer
 * as one for each neuron, where the network's input is an image, or flat and a square of numbers.
 * Any other tensor is one heat map with its last axis from left to right.
 *
 * A picture that is too large is divided into square blocks of which each shows its number of the
 * largest size, and says so.
 */
#include "report/vector_figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/parameter_map.h"
#include "options/option_value.h"
#include "report/plot.h"
#include "run/run_internal.h"
#include "study/stored_directions.h"

enum { FILE_CELLS = 512, TEXT_CELLS = 78, PIXELS_MAX = 20000 };

struct stj_vector_figure {
    char title[STJ_CHART_TEXT_MAX];
    struct stj_parameter tensor;
    double *x; /* [tensor.n] */
    double most;
    /* Tile (a, b) has rows x cols numbers, number (r, c) being x[a sa + b sb + r sr + c sc]; there are
     * `down` x `across` of them, or, where they are one after another (down 1), as many in a row as
     * make a square. */
    size_t rows, cols, down, across, sr, sc, sa, sb;
};

void stj_vector_figure_destroy(struct stj_vector_figure *f)
{
    if (!f)
        return;
    free(f->x);
    free(f);
}

/* ---- which numbers ---- */

/* *i <- the tensor of a name; without one the first that is a table of numbers, or the first of all. */
static enum stj_status find_tensor(const struct stj_run *run, const char *name, size_t *i,
                                   struct stj_error *err)
{
    struct stj_run_parameter p;
    struct stj_suggest_search search = {.word = name};
    char hint[STJ_GOT_MAX];
    for (*i = 0; stj_run_get_parameter(run, *i, &p); ++*i) {
        if (name ? strcmp(name, p.name) == 0 : strchr(p.shape, ',') != NULL)
            return STJ_OK;
        if (name)
            stj_suggest_offer(&search, p.name);
    }
    *i = 0;
    if (!name)
        return STJ_OK;
    stj_suggest_hint(&search, hint);
    return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                         "the run has no trained tensor '%.60s'%s; spectraj info lists them", name,
                         hint);
}

static void lay_out(struct stj_vector_figure *f, const struct stj_shape *input, bool first_layer)
{
    const struct stj_parameter *p = &f->tensor;
    const size_t cols = p->shape[p->n_dims - 1];
    size_t height = 0, width = 0, channels = 1;
    f->rows = p->n / cols;
    f->cols = f->sr = cols;
    f->down = f->across = f->sc = 1;
    if (p->n_dims == 4) { /* [height][width][in][out] */
        f->down = p->shape[2];
        f->across = cols;
        f->rows = p->shape[0];
        f->cols = p->shape[1];
        f->sa = cols;
        f->sb = 1;
        f->sc = f->down * cols;
        f->sr = f->cols * f->sc;
    } else if (p->n_dims == 2 && first_layer && stj_shape_size(input) == p->shape[0] &&
               stj_shape_image(input, &height, &width, &channels)) {
        f->down = channels;
        f->across = cols;
        f->rows = height;
        f->cols = width;
        f->sa = cols;
        f->sb = 1;
        f->sc = channels * cols;
        f->sr = width * f->sc;
    }
}

static enum stj_status read_vector(struct stj_run *run, const struct stj_report_vector *which,
                                   struct stj_vector_figure *f, struct stj_error *err)
{
    STJ_HELD(stj_stored_directions_close) struct stj_stored_directions stored = {0};
    STJ_FREED double *vector = NULL;
    const size_t index = which->index ? which->index : 1;
    struct stj_chart words = {0};
    char tensor[STJ_PARAMETER_NAME_MAX];
    STJ_MUST(stj_stored_directions_open(run, NULL, true, &stored, err));
    STJ_MUST(stj_new(&vector, stored.d.n, sizeof *vector, err));
    STJ_MUST(stj_directions_fetch(&stored.d, which->left ? STJ_LEFT : STJ_RIGHT, index - 1, 1,
                                  vector, err));
    STJ_MUST(stj_new(&f->x, f->tensor.n, sizeof *f->x, err));
    memcpy(f->x, vector + f->tensor.offset, f->tensor.n * sizeof *f->x);
    for (size_t i = 0; i < f->tensor.n; i++)
        f->most = fmax(f->most, fabs(f->x[i]));
    stj_chart_quote(f->tensor.name, tensor, sizeof tensor);
    stj_chart_title(&words, "%s_{%zu} on %s, singular value %.4g%s", which->left ? "u" : "v", index,
                    tensor, stored.d.sigma[index - 1],
                    stj_directions_degenerate(&stored.d, index - 1) ? " (basis-dependent)" : "");
    memcpy(f->title, words.title, sizeof f->title);
    return STJ_OK;
}

STJ_HOLDS(struct stj_vector_figure, stj_vector_figure_destroy)

enum stj_status stj_vector_figure_create(struct stj_run *run, const struct stj_report_vector *which,
                                         struct stj_vector_figure **figure, struct stj_error *err)
{
    STJ_HELD(stj_vector_figure_destroy_at) struct stj_vector_figure *f = NULL;
    static const struct stj_parameter_layout ours = {0};
    struct stj_parameter first;
    size_t tensor = 0;
    STJ_MUST(stj_new(&f, 1, sizeof *f, err));
    STJ_MUST(find_tensor(run, which->tensor, &tensor, err));
    STJ_MUST(stj_network_parameter(run->net, &ours, 0, &first, err));
    STJ_MUST(stj_network_parameter(run->net, &ours, tensor, &f->tensor, err));
    lay_out(f, stj_network_input(run->net), f->tensor.label == first.label);
    STJ_MUST(read_vector(run, which, f, err));
    *figure = f;
    f = NULL;
    return STJ_OK;
}

/* ---- the picture ---- */

/* Cells of the whole picture, tiles with a cell between them; how many make a block. */
struct picture {
    const struct stj_vector_figure *f;
    size_t in_row; /* tiles */
    size_t width, height, block;
};

static struct picture picture_of(const struct stj_vector_figure *f, size_t most)
{
    struct picture p = {.f = f, .in_row = f->across, .block = 1};
    const double wide = sqrt((double)f->across * (double)f->rows / (double)f->cols);
    if (f->down == 1 && (size_t)ceil(wide) < f->across)
        p.in_row = (size_t)ceil(wide);
    const size_t lines = f->down == 1 ? (f->across + p.in_row - 1) / p.in_row : f->down;
    p.width = p.in_row * (f->cols + 1) - 1;
    p.height = lines * (f->rows + 1) - 1;
    while (p.width > most * p.block || p.height > most * p.block)
        p.block++;
    return p;
}

/* A cell; NaN between the tiles. */
static double cell(const struct picture *p, size_t y, size_t x)
{
    const struct stj_vector_figure *f = p->f;
    size_t a = y / (f->rows + 1), b = x / (f->cols + 1);
    const size_t r = y % (f->rows + 1), c = x % (f->cols + 1);
    if (f->down == 1) {
        b += a * p->in_row;
        a = 0;
    }
    if (r == f->rows || c == f->cols || b >= f->across)
        return (double)NAN;
    return f->x[a * f->sa + b * f->sb + r * f->sr + c * f->sc];
}

/* The largest number of a block of cells; NaN: it has none. */
static double shown(const struct picture *p, size_t y, size_t x)
{
    double best = (double)NAN;
    for (size_t i = y * p->block; i < (y + 1) * p->block && i < p->height; i++)
        for (size_t k = x * p->block; k < (x + 1) * p->block && k < p->width; k++) {
            const double value = cell(p, i, k);
            if (isnan(best) || fabs(value) > fabs(best)) /* a NaN loses */
                best = value;
        }
    return best;
}

static size_t blocks(size_t cells, size_t block)
{
    return (cells + block - 1) / block;
}

void stj_vector_figure_plot(FILE *script, struct stj_canvas *canvas,
                            const struct stj_vector_figure *f)
{
    const struct picture p = picture_of(f, FILE_CELLS);
    const size_t width = blocks(p.width, p.block), height = blocks(p.height, p.block);
    const bool tiles = f->down * f->across > 1;
    stj_canvas_resize(canvas, 960, 720, 18);
    fprintf(script,
            "set terminal %s\nset encoding utf8\nset title '%s'\nunset key\nset border lc rgb "
            "'#666666'\nset palette defined (-1 '#0072B2', 0 '#ffffff', 1 '#D55E00')\n"
            "set cbrange [-%.6g:%.6g]\nset cblabel 'component of the vector'\n",
            canvas->terminal, f->title, f->most > 0 ? f->most : 1, f->most > 0 ? f->most : 1);
    fprintf(script, "set xrange [-0.5:%zu.5]\nset yrange [%zu.5:-0.5]\n", width - 1, height - 1);
    if (tiles)
        fprintf(script,
                "unset tics\nset cbtics\nset size ratio -1\nset xlabel '%zu images of %zu x %zu%s",
                f->down * f->across, f->rows, f->cols,
                f->down > 1 ? ", from left to right by output" : "");
    else
        fprintf(script, "set tics out nomirror\nset ylabel 'row'\nset xlabel 'column");
    if (p.block > 1)
        fprintf(script, " (each cell the largest of %zu x %zu)", p.block, p.block);
    fprintf(script, "'\n$cells << EOD\n");
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            fprintf(script, "%.6g%c", shown(&p, y, x), x + 1 < width ? ' ' : '\n');
    fprintf(script,
            "EOD\nset object rectangle from graph 0,0 to graph 1,1 fc rgb '#bbbbbb' fs "
            "solid behind\nplot $cells matrix with image%s notitle\n",
            width * height <= PIXELS_MAX ? " pixels" : "");
}

void stj_vector_figure_text(FILE *out, const struct stj_vector_figure *f)
{
    static const char positive[] = " .+*#", negative[] = " ,-=%";
    const struct picture p = picture_of(f, TEXT_CELLS);
    char title[STJ_CHART_TEXT_MAX];
    stj_chart_plain(f->title, title);
    fprintf(out, "%s\n", title);
    for (size_t y = 0; y < blocks(p.height, p.block); y++) {
        for (size_t x = 0; x < blocks(p.width, p.block); x++) {
            const double value = shown(&p, y, x);
            const double level = isnan(value) || f->most == 0 ? 0 : 4 * fabs(value) / f->most;
            fputc(isnan(value) ? ':' : (value > 0 ? positive : negative)[(size_t)round(level)],
                  out);
        }
        fputc('\n', out);
    }
    fprintf(out, "positive . + * #, negative , - = %%: a quarter of %.4g each, rounded", f->most);
    if (p.block > 1)
        fprintf(out, "; a character is the largest of %zu x %zu", p.block, p.block);
    fputc('\n', out);
}

void stj_vector_figure_csv(FILE *out, const struct stj_vector_figure *f)
{
    const size_t cols = f->tensor.shape[f->tensor.n_dims - 1];
    fprintf(out, "row,column,value\n");
    for (size_t i = 0; i < f->tensor.n; i++)
        fprintf(out, "%zu,%zu,%.17g\n", i / cols, i % cols, f->x[i]);
}
