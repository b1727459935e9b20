/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/network_figure.c: the graph of a network as a drawing, by a gnuplot script.
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

static void widen(size_t *width, const char *text)
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
        widen(&d->name, layer.label);
        widen(&d->type, layer.type);
        widen(&d->shape, layer.shape);
        widen(&d->count, text);
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

static void write_label(FILE *script, const char *text, size_t x, size_t y, const char *how)
{
    fprintf(script, "set label '");
    stj_plot_text(script, text);
    fprintf(script, "' at %zu,%zu %s noenhanced front\n", x, y, how);
}

static void write_line(FILE *script, size_t x0, size_t y0, size_t x1, size_t y1, bool head)
{
    fprintf(script, "set arrow from %zu,%zu to %zu,%zu %s lc rgb '#666666' back\n", x0, y0, x1, y1,
            head ? "head filled size first 6,20" : "nohead");
}

/* Boxes of parameters that are trained, of others, and without any, differ in colour. */
static void write_box(FILE *script, const struct drawing *d, size_t row, const char *colour)
{
    fprintf(script,
            "set object rectangle from %d,%zu to %zu,%zu fc rgb '%s' fs solid border lc rgb "
            "'#666666'\n",
            MARGIN, middle(row) - BOX / 2, right_edge(d), middle(row) + BOX / 2, colour);
}

static void write_node(FILE *script, const struct drawing *d, size_t i,
                       const struct stj_run_layer *layer)
{
    const size_t row = i + 1, y = middle(row), x = MARGIN + GAP / 2;
    const size_t type = x + LETTER * d->name + GAP, shape = type + LETTER * d->type + GAP;
    char text[96];
    count_text(layer, text, sizeof text);
    write_box(script, d, row,
              layer->n_params                      ? "#cfe6f5"
              : layer->n_frozen || layer->n_shared ? "#e4e4e4"
              : strcmp(layer->type, "input") == 0  ? "#f7e6c4"
                                                   : "#ffffff");
    write_label(script, layer->label, x, y, "left");
    write_label(script, layer->type, type, y, "left textcolor rgb '#444444'");
    write_label(script, layer->shape, shape, y, "left");
    write_label(script, text, right_edge(d) - GAP / 2, y, "right");
    if (d->below[row])
        write_line(script, MARGIN + 3 * GAP, middle(row - 1) + BOX / 2, MARGIN + 3 * GAP,
                   y - BOX / 2, true);
}

static void write_edge(FILE *script, const struct drawing *d, const struct edge *e)
{
    const size_t x = right_edge(d) + GAP + e->lane * LANE;
    const size_t from = middle(e->from) + BOX / 5, to = middle(e->to) - BOX / 5;
    write_line(script, right_edge(d), from, x, from, false);
    write_line(script, x, from, x, to, false);
    write_line(script, x, to, right_edge(d), to, true);
}

static void write_script(FILE *script, const struct drawing *d, const struct stj_canvas *canvas,
                         const char *title, size_t width, size_t height)
{
    struct stj_run_layer layer;
    fprintf(script,
            "set terminal %s\nset encoding utf8\nunset border\nunset tics\nunset key\n"
            "set lmargin 0\nset rmargin 0\nset tmargin 0\nset bmargin 0\n"
            "set xrange [0:%zu]\nset yrange [%zu:0]\n",
            canvas->terminal, width, height);
    write_label(script, title, MARGIN, TOP / 2, "left");
    if (d->has_data) {
        write_box(script, d, 0, "#f7e6c4");
        write_label(script, "data", MARGIN + GAP / 2, middle(0), "left");
    }
    for (size_t i = 0; stj_run_get_layer(d->run, i, &layer); i++)
        write_node(script, d, i, &layer);
    for (size_t k = 0; k < d->n_edges; k++)
        write_edge(script, d, &d->edge[k]);
    fprintf(script, "plot 1/0 notitle\n");
}

enum stj_status stj_network_figure(FILE *script, const struct stj_run *run,
                                   struct stj_canvas *canvas, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    struct drawing d = {.run = run, .n = info.n_layers};
    STJ_TRY(lay_out(&d, err));
    const size_t lanes = d.lanes ? GAP + d.lanes * LANE : 0;
    char title[128];
    snprintf(title, sizeof title, "%zu parameters, %.60s", info.n_params, info.loss);
    const size_t drawn = right_edge(&d) + lanes + MARGIN, height = middle(d.n) + ROW;
    const size_t written = 2 * MARGIN + TITLE_LETTER * strlen(title);
    const size_t width = drawn > written ? drawn : written;
    stj_canvas_resize(canvas, width, height, FONT);
    write_script(script, &d, canvas, title, width, height);
out:
    free(d.edge);
    free(d.below);
    return st;
}
