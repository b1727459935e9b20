/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/network_figure.c: the graph of a network as a drawing, by a gnuplot script or as SVG.
 *
 * A box for each node, one below the other in the order in which they are computed, with name, type,
 * shape of the output and parameters.  An arrow leads from the box above where that is read; what is
 * read from further up comes down a lane at the right, where a line goes around the boxes between.
 */
#include "report/network_figure.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "report/plot.h"
#include "report/svg.h"

/* Pixels of an SVG: rows and boxes, the width of a letter in columns that have room to spare and of
 * a line that has none, lanes. */
enum {
    TOP = 34,
    ROW = 34,
    BOX = 22,
    MARGIN = 12,
    LETTER = 8,
    TITLE_LETTER = 10,
    LANE = 9,
    GAP = 16,
    FONT = 12
};

/* A connection of two rows that are no neighbours. */
struct edge {
    size_t from, to, lane;
};

/* Row 0 is the network's input; node i is in row i + 1.  Without it (inputs have names) row 0 stays
 * empty. */
struct drawing {
    FILE *out;
    bool svg; /* for a page; false: a script of gnuplot */
    const struct stj_run *run;
    size_t n;          /* nodes */
    struct edge *edge; /* [n_edges] */
    size_t n_edges, lanes;
    bool *below;                     /* [n + 1]: the row reads the one above */
    bool has_data;                   /* row 0 is read */
    size_t name, type, shape, count; /* letters of the widest text of each column */
};

/* text <- "456, 12 frozen" */
static void count_text(const struct stj_run_layer *layer, char *text, size_t size)
{
    int n = snprintf(text, size, "%zu", layer->n_params);
    if (layer->n_frozen)
        n += snprintf(text + n, size - (size_t)n, ", %zu frozen", layer->n_frozen);
    if (layer->n_shared)
        snprintf(text + n, size - (size_t)n, ", %zu shared", layer->n_shared);
    if (layer->n_params + layer->n_frozen + layer->n_shared == 0)
        text[0] = '\0';
}

static void network_figure_widen(size_t *width, const char *text)
{
    const size_t n = strlen(text);
    *width = n > *width ? n : *width;
}

/* The row of a layer before node i by its name of n letters; 0: the data. */
static size_t row_of(const struct drawing *d, size_t i, const char *name, size_t n)
{
    struct stj_run_layer layer;
    for (size_t k = i; k-- > 0;)
        if (stj_run_get_layer(d->run, k, &layer) && strlen(layer.label) == n &&
            strncmp(layer.label, name, n) == 0)
            return k + 1;
    return 0;
}

static void connect(struct drawing *d, size_t from, size_t to)
{
    d->has_data = d->has_data || from == 0;
    if (from + 1 == to)
        d->below[to] = true;
    else
        d->edge[d->n_edges++] = (struct edge){.from = from, .to = to};
}

/* The connections of node i, as its list of inputs says. */
static void connect_node(struct drawing *d, size_t i, const struct stj_run_layer *layer)
{
    const char *name = layer->inputs;
    if (!*name && strcmp(layer->type, "input") != 0)
        connect(d, i, i + 1);
    while (*name) {
        const size_t n = strcspn(name, ",");
        connect(d, row_of(d, i, name, n), i + 1);
        name += n + strspn(name + n, ", ");
    }
}

/* Lines that are beside each other have lanes of their own; those of one row may share one. */
static void choose_lanes(struct drawing *d)
{
    for (size_t k = 0; k < d->n_edges; k++) {
        struct edge *e = &d->edge[k];
        for (size_t j = 0; j < k; j++) {
            const struct edge *o = &d->edge[j];
            const bool meet = e->from != o->from && e->from <= o->to && o->from <= e->to;
            if (meet && o->lane == e->lane) {
                e->lane++;
                j = (size_t)-1;
            }
        }
        d->lanes = e->lane + 1 > d->lanes ? e->lane + 1 : d->lanes;
    }
}

static enum stj_status lay_out(struct drawing *d, struct stj_error *err)
{
    struct stj_run_layer layer;
    char text[96];
    STJ_MUST(stj_new(&d->edge, 2 * d->n, sizeof *d->edge, err));
    STJ_MUST(stj_new(&d->below, d->n + 1, sizeof *d->below, err));
    for (size_t i = 0; stj_run_get_layer(d->run, i, &layer); i++) {
        connect_node(d, i, &layer);
        count_text(&layer, text, sizeof text);
        network_figure_widen(&d->name, layer.label);
        network_figure_widen(&d->type, layer.type);
        network_figure_widen(&d->shape, layer.shape);
        network_figure_widen(&d->count, text);
    }
    choose_lanes(d);
    return STJ_OK;
}

static size_t middle(size_t row)
{
    return TOP + row * ROW + ROW / 2;
}

static size_t right_edge(const struct drawing *d)
{
    return MARGIN + LETTER * (d->name + d->type + d->shape + d->count) + 5 * GAP;
}

/* ---- what is drawn with: commands of gnuplot, or elements of an SVG in a page ---- */

enum place { LEFT, SOFT, RIGHT }; /* how a text stands at its place; SOFT: as LEFT, less dark */
/* Boxes of parameters that are trained, of others, of data, and without any. */
enum fill { TRAINED, FIXED, SOURCE, PLAIN };

static void write_label(const struct drawing *d, const char *text, size_t x, size_t y,
                        enum place how)
{
    static const char *const attribute[] = {"", " class=\"soft\"", " class=\"end\""};
    static const char *const command[] = {"left", "left textcolor rgb '#444444'", "right"};
    if (d->svg) {
        fprintf(d->out, "<text x=\"%zu\" y=\"%zu\"%s>", x, y + 4, attribute[how]);
        stj_html_text(d->out, text);
        fputs("</text>\n", d->out);
        return;
    }
    fputs("set label '", d->out);
    stj_plot_text(d->out, text);
    fprintf(d->out, "' at %zu,%zu %s noenhanced front\n", x, y, command[how]);
}

/* Down or to the left, where it has a head. */
static void write_line(const struct drawing *d, size_t x0, size_t y0, size_t x1, size_t y1,
                       bool head)
{
    if (!d->svg) {
        fprintf(d->out, "set arrow from %zu,%zu to %zu,%zu %s lc rgb '#666666' back\n", x0, y0, x1,
                y1, head ? "head filled size first 6,20" : "nohead");
        return;
    }
    fprintf(d->out, "<path class=\"edge\" d=\"M%zu %zuL%zu %zu\"/>\n", x0, y0, x1, y1);
    if (head)
        fprintf(d->out, "<path class=\"head\" d=\"M%zu %zu%s\"/>\n", x1, y1,
                x0 == x1 ? "l-3 -6h6z" : "l6 -3v6z");
}

static void write_box(const struct drawing *d, size_t row, enum fill fill)
{
    static const char *const colour[] = {"#cfe6f5", "#e4e4e4", "#f7e6c4", "#ffffff"};
    const size_t top = middle(row) - BOX / 2, right = right_edge(d);
    if (d->svg)
        fprintf(d->out, "<rect class=\"n%d\" x=\"%d\" y=\"%zu\" width=\"%zu\" height=\"%d\"/>\n",
                (int)fill, MARGIN, top, right - MARGIN, BOX);
    else
        fprintf(d->out,
                "set object rectangle from %d,%zu to %zu,%zu fc rgb '%s' fs solid border lc rgb "
                "'#666666'\n",
                MARGIN, top, right, top + BOX, colour[fill]);
}

/* ---- the graph ---- */

static void write_node(const struct drawing *d, size_t i, const struct stj_run_layer *layer)
{
    const size_t row = i + 1, y = middle(row), x = MARGIN + GAP / 2;
    const size_t type = x + LETTER * d->name + GAP, shape = type + LETTER * d->type + GAP;
    char text[96];
    count_text(layer, text, sizeof text);
    write_box(d, row,
              layer->n_params                      ? TRAINED
              : layer->n_frozen || layer->n_shared ? FIXED
              : strcmp(layer->type, "input") == 0  ? SOURCE
                                                   : PLAIN);
    write_label(d, layer->label, x, y, LEFT);
    write_label(d, layer->type, type, y, SOFT);
    write_label(d, layer->shape, shape, y, LEFT);
    write_label(d, text, right_edge(d) - GAP / 2, y, RIGHT);
    if (d->below[row])
        write_line(d, MARGIN + 3 * GAP, middle(row - 1) + BOX / 2, MARGIN + 3 * GAP, y - BOX / 2,
                   true);
}

static void write_edge(const struct drawing *d, const struct edge *e)
{
    const size_t x = right_edge(d) + GAP + e->lane * LANE;
    const size_t from = middle(e->from) + BOX / 5, to = middle(e->to) - BOX / 5;
    write_line(d, right_edge(d), from, x, from, false);
    write_line(d, x, from, x, to, false);
    write_line(d, x, to, right_edge(d), to, true);
}

static void write_graph(const struct drawing *d)
{
    struct stj_run_layer layer;
    if (d->has_data) {
        write_box(d, 0, SOURCE);
        write_label(d, "data", MARGIN + GAP / 2, middle(0), LEFT);
    }
    for (size_t i = 0; stj_run_get_layer(d->run, i, &layer); i++)
        write_node(d, i, &layer);
    for (size_t k = 0; k < d->n_edges; k++)
        write_edge(d, &d->edge[k]);
}

static void drawing_free(struct drawing *d)
{
    free(d->edge);
    free(d->below);
}

static size_t width_of(const struct drawing *d)
{
    return right_edge(d) + (d->lanes ? GAP + d->lanes * LANE : 0) + MARGIN;
}

enum stj_status stj_network_figure(FILE *script, const struct stj_run *run,
                                   struct stj_canvas *canvas, struct stj_error *err)
{
    struct stj_run_info info;
    char title[128];
    stj_run_get_info(run, &info);
    STJ_HELD(drawing_free) struct drawing d = {.out = script, .run = run, .n = info.n_layers};
    STJ_MUST(lay_out(&d, err));
    snprintf(title, sizeof title, "%zu parameters, %.60s", info.n_params, info.loss);
    const size_t drawn = width_of(&d), height = middle(d.n) + ROW;
    const size_t written = 2 * MARGIN + TITLE_LETTER * strlen(title);
    const size_t width = drawn > written ? drawn : written;
    stj_canvas_resize(canvas, width, height, FONT);
    fprintf(script,
            "set terminal %s\nset encoding utf8\nunset border\nunset tics\nunset key\n"
            "set lmargin 0\nset rmargin 0\nset tmargin 0\nset bmargin 0\n"
            "set xrange [0:%zu]\nset yrange [%zu:0]\n",
            canvas->terminal, width, height);
    write_label(&d, title, MARGIN, TOP / 2, LEFT);
    write_graph(&d);
    fprintf(script, "plot 1/0 notitle\n");
    return STJ_OK;
}

/* The row of the title, and that of the data where nothing reads it, stay outside the view. */
enum stj_status stj_network_svg(FILE *out, const struct stj_run *run, struct stj_error *err)
{
    struct stj_run_info info;
    struct stj_run_layer layer;
    stj_run_get_info(run, &info);
    STJ_HELD(drawing_free)
    struct drawing d = {.out = out, .svg = true, .run = run, .n = info.n_layers};
    STJ_MUST(lay_out(&d, err));
    const size_t top = middle(d.has_data ? 0 : 1) - ROW / 2, width = width_of(&d);
    const size_t height = middle(d.n) + ROW / 2 - top;
    fprintf(out,
            "<svg viewBox=\"0 %zu %zu %zu\" width=\"%zu\" height=\"%zu\" role=\"img\" "
            "aria-label=\"The network, one layer per row:",
            top, width, height, width, height);
    for (size_t i = 0; stj_run_get_layer(run, i, &layer); i++) {
        fprintf(out, "%s ", i ? ";" : "");
        stj_html_text(out, layer.label);
        fputs(", ", out);
        stj_html_text(out, layer.shape);
    }
    fputs("\">\n", out);
    write_graph(&d);
    fputs("</svg>\n", out);
    return STJ_OK;
}
