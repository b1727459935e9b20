/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/sheet.c: a contact sheet: under the name of each series its pictures in rows, each with a
 * caption of two lines.
 *
 * Units are those of the SVG.  Gnuplot draws the pixels themselves; in the SVG each picture is a PNG
 * in base64, with nothing but IHDR, IDAT (zlib's, rows without filters) and IEND.
 */
#include "report/sheet.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include "base/crc.h"
#include "report/plot.h"
#include "report/svg.h"

enum { IN_ROW = 6, CELL = 120, PICTURE = 104, LINE = 14, HEAD = 26, GAP = 10, TITLE = 34 };
enum { ROW_MOST = 1 + 3 * STJ_PICTURE_MOST, RAW_MOST = ROW_MOST * STJ_PICTURE_MOST };
enum { AREAS_MAX = 20000 }; /* in an SVG of gnuplot */
enum { PACKED_MOST = RAW_MOST + RAW_MOST / 1000 + 64 };

/* A picture of the sheet: its number, and where its left upper corner is. */
struct cell {
    size_t number;
    double x, y;
};

static double picture_height(const struct stj_chart *chart)
{
    return PICTURE * (double)chart->pictures.height / (double)chart->pictures.width;
}

static double series_height(const struct stj_chart *chart, size_t n)
{
    const size_t rows = (n + IN_ROW - 1) / IN_ROW;
    return n ? HEAD + (double)rows * (picture_height(chart) + 2 * LINE + GAP) : 0;
}

/* Where series i begins; past the last, where the sheet ends. */
static double series_top(const struct stj_chart *chart, size_t i)
{
    double top = 0;
    for (size_t k = 0; k < i; k++)
        top += series_height(chart, chart->series[k].n);
    return top;
}

/* Point k of series i. */
static struct cell cell_of(const struct stj_chart *chart, size_t i, size_t k)
{
    struct cell c = {.number = k};
    for (size_t j = 0; j < i; j++)
        c.number += chart->series[j].n;
    c.x = (double)(k % IN_ROW) * CELL + (CELL - PICTURE) / 2;
    c.y = series_top(chart, i) + HEAD +
          (double)(k / IN_ROW) * (picture_height(chart) + 2 * LINE + GAP);
    return c;
}

static const unsigned char *pixels_of(const struct stj_pictures *p, size_t number)
{
    return p->pixels + number * p->height * p->width * p->channels;
}

/* The lines of a caption, and the length of the first. */
static const char *second_line(const char *caption, size_t *first)
{
    *first = strcspn(caption, "\n");
    return caption + *first + (caption[*first] != '\0');
}

/* ---- gnuplot ---- */

void stj_sheet_resize(struct stj_canvas *canvas, const struct stj_chart *chart)
{
    const double height = TITLE + series_top(chart, chart->n_series);
    stj_canvas_resize(canvas, 960, (size_t)(960 * height / (IN_ROW * CELL)), 10);
}

static void plot_label(FILE *script, const char *text, double x, double y, const char *how)
{
    fputs("set label '", script);
    stj_plot_text(script, text);
    fprintf(script, "' at %.6g,%.6g %s\n", x, y, how);
}

static void plot_caption(FILE *script, const char *caption, struct cell c, double height)
{
    char line[STJ_CHART_NAME_MAX];
    size_t n = 0;
    const char *rest = second_line(caption, &n);
    snprintf(line, sizeof line, "%.*s", (int)n, caption);
    plot_label(script, line, c.x + PICTURE / 2, c.y + height + LINE * 0.6, "center noenhanced");
    plot_label(script, rest, c.x + PICTURE / 2, c.y + height + LINE * 1.6, "center noenhanced");
}

static void plot_pixels(FILE *script, const struct stj_chart *chart, struct cell c)
{
    const struct stj_pictures *p = &chart->pictures;
    const unsigned char *v = pixels_of(p, c.number);
    const double size = PICTURE / (double)p->width;
    fprintf(script, "$picture%zu << EOD\n", c.number);
    for (size_t i = 0; i < p->height * p->width; i++, v += p->channels)
        fprintf(script, "%.6g %.6g %d %d %d\n", c.x + ((double)(i % p->width) + 0.5) * size,
                c.y + ((double)(i / p->width) + 0.5) * size, v[0], v[p->channels / 2],
                v[p->channels - 1]);
    fputs("EOD\n", script);
}

void stj_sheet_plot(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart)
{
    const struct stj_pictures *p = &chart->pictures;
    size_t n = 0;
    for (size_t i = 0; i < chart->n_series; i++)
        n += chart->series[i].n;
    const bool pixels = strncmp(canvas->terminal, "svg", 3) == 0 &&
                        n * p->height * p->width <= AREAS_MAX; /* which are not smoothed */
    fprintf(script,
            "set terminal %s\nset encoding utf8\nunset border\nunset tics\nunset key\n"
            "set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\n"
            "set tmargin at screen 1\nset size ratio -1\nset xrange [0:%d]\nset yrange [%.6g:%d]\n",
            canvas->terminal, IN_ROW * CELL, series_top(chart, chart->n_series), -TITLE);
    plot_label(script, chart->title, IN_ROW * CELL / 2, -TITLE / 2, "center");
    for (size_t i = 0; i < chart->n_series; i++) {
        if (chart->series[i].n > 0)
            plot_label(script, chart->series[i].name, (CELL - PICTURE) / 2,
                       series_top(chart, i) + HEAD / 2, "left noenhanced");
        for (size_t k = 0; k < chart->series[i].n; k++) {
            const struct cell c = cell_of(chart, i, k);
            plot_caption(script, p->caption[c.number], c, picture_height(chart));
            plot_pixels(script, chart, c);
        }
    }
    for (size_t i = 0; i < n; i++)
        fprintf(script, "%s$picture%zu using 1:2:3:4:5 with rgbimage%s notitle", i ? ", " : "plot ",
                i, pixels ? " pixels" : "");
    fputc('\n', script);
}

/* ---- SVG ---- */

/* A stream of bytes as base64. */
struct base64 {
    FILE *out;
    unsigned bits, n; /* that wait */
};

static void put_digit(const struct base64 *b, unsigned six)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    fputc(digit[six & 63], b->out);
}

static void put_bytes(struct base64 *b, const unsigned char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        b->bits = (b->bits << 8 | bytes[i]) & 0xFFFF;
        for (b->n += 8; b->n >= 6;) {
            b->n -= 6;
            put_digit(b, b->bits >> b->n);
        }
    }
}

static void end_base64(const struct base64 *b)
{
    if (b->n > 0)
        put_digit(b, b->bits << (6 - b->n));
    for (unsigned n = b->n; n > 0 && n < 6; n += 2)
        fputc('=', b->out);
}

static void put_number(unsigned char at[4], uint32_t x)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(x >> (24 - 8 * i));
}

/* chunk[8 + n + 4]: its content stands from byte 8 on. */
static void put_chunk(struct base64 *b, const char *type, unsigned char *chunk, size_t n)
{
    put_number(chunk, (uint32_t)n);
    memcpy(chunk + 4, type, 4);
    put_number(chunk + 8 + n, stj_crc32(0, chunk + 4, n + 4));
    put_bytes(b, chunk, n + 12);
}

static void write_png(FILE *out, const struct stj_pictures *p, size_t number)
{
    static const unsigned char head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    unsigned char raw[RAW_MOST], chunk[PACKED_MOST + 12];
    const size_t row = p->width * p->channels;
    uLongf packed = PACKED_MOST;
    struct base64 b = {.out = out};
    for (size_t i = 0; i < p->height; i++) {
        raw[i * (row + 1)] = 0; /* no filter */
        memcpy(raw + i * (row + 1) + 1, pixels_of(p, number) + i * row, row);
    }
    put_bytes(&b, head, sizeof head);
    put_number(chunk + 8, (uint32_t)p->width);
    put_number(chunk + 12, (uint32_t)p->height);
    memcpy(chunk + 16, p->channels == 1 ? "\10\0\0\0" : "\10\2\0\0", 5); /* 8 bits, grey or RGB */
    put_chunk(&b, "IHDR", chunk, 13);
    if (compress2(chunk + 8, &packed, raw, (row + 1) * p->height, Z_BEST_COMPRESSION) == Z_OK)
        put_chunk(&b, "IDAT", chunk, packed);
    put_chunk(&b, "IEND", chunk, 0);
    end_base64(&b);
}

static void write_caption(FILE *out, const char *caption, const char *sep)
{
    for (const char *c = caption; *c; c++)
        if (*c == '\n')
            fputs(sep, out);
        else
            stj_html_text(out, (const char[]){*c, '\0'});
}

static void write_cell(FILE *out, const struct stj_chart *chart, struct cell c)
{
    const double height = picture_height(chart);
    char next[96];
    fprintf(out,
            "<image x=\"%.6g\" y=\"%.6g\" width=\"%d\" height=\"%.6g\" "
            "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,",
            c.x, c.y, PICTURE, height);
    write_png(out, &chart->pictures, c.number);
    fprintf(out, "\"/><text class=\"middle\" style=\"font-size:10px\" x=\"%.6g\" y=\"%.6g\">",
            c.x + PICTURE / 2, c.y + height + LINE);
    snprintf(next, sizeof next, "<tspan x=\"%.6g\" dy=\"%d\">", c.x + PICTURE / 2, LINE);
    write_caption(out, chart->pictures.caption[c.number], next);
    fputs(strchr(chart->pictures.caption[c.number], '\n') ? "</tspan></text>\n" : "</text>\n", out);
}

void stj_sheet_svg(FILE *out, const struct stj_chart *chart)
{
    fprintf(out, "<svg viewBox=\"0 0 %d %.6g\" role=\"img\" aria-label=\"", IN_ROW * CELL,
            series_top(chart, chart->n_series));
    for (size_t i = 0; i < chart->n_series; i++) {
        stj_html_text(out, chart->series[i].name);
        for (size_t k = 0; k < chart->series[i].n; k++) {
            fputs(k ? "; " : ": ", out);
            write_caption(out, chart->pictures.caption[cell_of(chart, i, k).number], ", ");
        }
        fputs(". ", out);
    }
    fputs("\">\n", out);
    for (size_t i = 0; i < chart->n_series; i++) {
        if (chart->series[i].n == 0)
            continue;
        fprintf(out, "<text style=\"font-size:13px\" x=\"%d\" y=\"%.6g\">", (CELL - PICTURE) / 2,
                series_top(chart, i) + 17);
        stj_html_text(out, chart->series[i].name);
        fputs("</text>\n", out);
        for (size_t k = 0; k < chart->series[i].n; k++)
            write_cell(out, chart, cell_of(chart, i, k));
    }
    fputs("</svg>\n", out);
}
