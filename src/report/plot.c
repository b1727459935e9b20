/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/plot.c: charts as gnuplot scripts and as CSV.
 *
 * Data go into the script as named blocks.  The legend stands below the axes, where no curve comes;
 * in a text canvas each series has a mark of its own.
 *
 * Colours: Okabe and Ito's hues; those of the regions differ in lightness too (L* 47, 60, 27), so that
 * they are told apart in grey print.
 */
#include "report/plot.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "report/sheet.h"

static const char *const colour[STJ_CHART_N_COLOURS] = {
    [STJ_CHART_VERMILLION] = "#C04A00", [STJ_CHART_GREEN] = "#3AA682",
    [STJ_CHART_BLUE] = "#00406B",       [STJ_CHART_SKY_BLUE] = "#56B4E9",
    [STJ_CHART_ORANGE] = "#E69F00",     [STJ_CHART_PURPLE] = "#CC79A7",
    [STJ_CHART_BLACK] = "#000000",      [STJ_CHART_GREY] = "#666666",
};

/* Up to so many values, each is shown as a point of its own. */
enum { POINTS_MAX = 120 };

/* Points of curves: filled disc, square, triangles, diamond, pentagon. */
static const int shape[] = {7, 5, 9, 13, 11, 15};
enum { N_SHAPES = sizeof shape / sizeof shape[0] };

/* The same in a text: of UTF-8 where the locale has it. */
static const char *const mark[][2] = {{"*", "●"}, {"o", "○"}, {"x", "×"}, {"+", "◆"},
                                      {"#", "■"}, {"=", "△"}, {"%", "▼"}, {"@", "◇"}};
enum { N_MARKS = sizeof mark / sizeof mark[0] };

/* Characters of the legend that fit one row. */
enum { LEGEND_CHARACTERS = 70, Y_LABEL_CHARACTERS = 42 };

void stj_plot_text(FILE *script, const char *text)
{
    size_t n = 0;
    for (const char *c = text; *c; c += n) {
        unsigned code = 0;
        if (*c == '\\' && c[1] && strchr("_^{}", c[1]))
            fputc(*c++, script);
        n = stj_text_decode(c, &code);
        if (stj_text_is_control(code) || strchr("'\\`@&~", *c))
            fputc(' ', script);
        else
            fwrite(c, 1, n, script);
    }
}

/* Title or label; characters on a terminal are neither raised nor lowered.  It goes on in a line
 * below where it would run over the margin, which gnuplot does not see to: a text, or y's label of
 * a file. */
static void write_markup(FILE *script, const struct stj_canvas *canvas, const char *text, bool of_y)
{
    enum { MARGIN = 10 };
    char plain[STJ_CHART_TEXT_MAX], *line = plain;
    size_t room = canvas->columns > MARGIN ? canvas->columns - MARGIN : 0;
    snprintf(plain, sizeof plain, "%s", text);
    if (canvas->path)
        room = of_y && strlen(text) > Y_LABEL_CHARACTERS && !strchr(text, '{')
                   ? strlen(text) / 2 + 6
                   : sizeof plain;
    else
        stj_chart_plain(text, plain);
    while (strlen(line) > room) {
        char *end = line + room;
        while (end > line && *end != ' ')
            end--;
        if (end == line)
            break;
        *end = '\0';
        stj_plot_text(script, line);
        fprintf(script, "'.\"\\n\".'");
        line = end + 1;
    }
    stj_plot_text(script, line);
}

static void write_head(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart)
{
    fprintf(script,
            "set terminal %s\n"
            "set encoding utf8\n"
            "set border 3 lc rgb '%s'\n"
            "set tics nomirror out\n"
            "set grid ytics lc rgb '#dddddd' lt 1\n",
            canvas->terminal, colour[STJ_CHART_GREY]);
    if (!canvas->path)
        fprintf(script, "unset grid\n");
    if (!chart->title[0])
        return;
    fprintf(script, "set title '");
    write_markup(script, canvas, chart->title, false);
    if (!canvas->path && chart->y.label[0]) { /* which a text does not turn on its side */
        fprintf(script, "'.\"\\n\".'up: ");
        write_markup(script, canvas, chart->y.label, true);
    }
    fprintf(script, "'\n");
}

/* The legend in as many rows as its words need. */
static void write_legend(FILE *script, const struct stj_canvas *canvas,
                         const struct stj_chart *chart)
{
    const size_t room = canvas->small ? LEGEND_CHARACTERS / 2 : LEGEND_CHARACTERS;
    size_t entries = 0, longest = 0; /* all columns are as wide as the widest */
    for (size_t i = 0; i < chart->n_series; i++) {
        size_t length = strlen(chart->series[i].name);
        entries += length > 0;
        longest = length > longest ? length : longest;
    }
    if (entries == 0) {
        fprintf(script, "unset key\n");
        return;
    }
    size_t columns = room / (longest + 6);
    columns = columns < 1 ? 1 : columns < entries ? columns : entries;
    fprintf(script, "set key below horizontal maxcols %zu samplen 3 height 1 noenhanced\n",
            columns);
}

/* The ranges of the axes. */
struct frame {
    double x_low, x_high, y_low, y_high;
};

static bool is_drawn(const struct stj_chart *chart, double low, double x, double y)
{
    return isfinite(x) && isfinite(y) && (!chart->x.log || x > 0) &&
           (!chart->y.log || (y > 0 && y >= low));
}

/* The smallest and largest value on an axis; on a log axis of the positive ones from the floor
 * on. */
static void interval(const struct stj_chart *chart, bool of_y, double floor, double *low,
                     double *high)
{
    const struct stj_axis *axis = of_y ? &chart->y : &chart->x;
    *low = HUGE_VAL;
    *high = -HUGE_VAL;
    for (size_t i = 0; i < chart->n_series; i++)
        for (size_t k = 0; k < chart->series[i].n; k++) {
            const struct stj_series *s = &chart->series[i];
            const double value = of_y ? s->y[k] : s->x[k];
            const double top = of_y && s->top ? s->top[k] : value;
            if (isfinite(value) && !(axis->log && (value <= 0 || value < floor)))
                *low = fmin(*low, value);
            if (isfinite(top) && !(axis->log && (top <= 0 || top < floor)))
                *high = fmax(*high, top);
        }
    for (size_t i = 0; of_y && i < chart->n_limits; i++) {
        *low = fmin(*low, chart->limit[i]);
        *high = fmax(*high, chart->limit[i]);
    }
}

/* The range of an axis, a little wider than its values but not below the floor: a few tiny values
 * would press all the others into one line.  Where there are many decades, a text has no room for
 * two of them. */
static void range_of(const struct stj_canvas *canvas, const struct stj_chart *chart, bool of_y,
                     double *low, double *high)
{
    const struct stj_axis *axis = of_y ? &chart->y : &chart->x;
    double floor = axis->log ? axis->floor : 0;
    interval(chart, of_y, floor, low, high);
    if (!canvas->path && *high > 1e8 * floor) {
        floor *= 100;
        interval(chart, of_y, floor, low, high);
    }
    if (axis->low < axis->high) {
        *low = axis->low;
        *high = axis->high;
    } else if (!(*low <= *high)) { /* nothing to draw */
        *low = axis->log ? 0.1 : 0;
        *high = 1;
    } else if (axis->log) {
        *low = fmax(*low / 1.3, floor);
        *high *= 1.3;
    } else {
        double room = *high > *low ? 0.04 * (*high - *low) : fmax(fabs(*high), 1) * 0.1;
        *low -= of_y ? room : 0;
        *high += of_y || *low == *high ? room : 0;
    }
}

/* Labels 1, 2, 5, 10, ... where whole powers of ten would be too few. */
static void write_log_tics(FILE *script, char letter, double low, double high)
{
    static const double mantissa[] = {1, 2, 5};
    const char *sep = "";
    fprintf(script, "set %ctics (", letter);
    for (int e = (int)floor(log10(low)); e <= (int)ceil(log10(high)); e++)
        for (size_t i = 0; i < sizeof mantissa / sizeof mantissa[0]; i++) {
            const double tic = mantissa[i] * pow(10, e);
            if (tic < low || tic > high)
                continue;
            fprintf(script, "%s%.6g", sep, tic);
            sep = ", ";
        }
    fprintf(script, ")\n");
}

/* Names in the place of numbers, as many as there is room for. */
static void write_names(FILE *script, const struct stj_axis *axis, char letter)
{
    enum { NAMES_MAX = 48 };
    const size_t every = axis->n_ticks / NAMES_MAX + 1;
    fprintf(script, "set %ctics rotate by -40 noenhanced (", letter);
    for (size_t i = 0; i < axis->n_ticks; i += every) {
        fprintf(script, "%s'", i ? ", " : "");
        stj_plot_text(script, axis->tick[i]);
        fprintf(script, "' %zu", i + 1);
    }
    fprintf(script, ")\n");
}

/* 1, 2 or 5 times a power of ten, at most six times in the length: more labels would run into each
 * other in a text, and look like other numbers. */
static double wide_step(double length)
{
    const double ten = pow(10, floor(log10(length / 6)));
    return length <= 12 * ten ? 2 * ten : length <= 30 * ten ? 5 * ten : 10 * ten;
}

static void write_axis(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart,
                       bool of_y, double low, double high)
{
    const struct stj_axis *axis = of_y ? &chart->y : &chart->x;
    const char letter = of_y ? 'y' : 'x';
    if (axis->log && high / low > 3) {
        const bool short_range = high / low < 1000;
        /* Every so many decades a label; marks between them where there is room. */
        const double decades = log10(high / low), step = ceil(decades / 8);
        fprintf(script, "set logscale %c\nset m%ctics %d\nset %ctics %g\nset format %c '%s'\n",
                letter, letter, decades <= 5 && canvas->path ? 10 : 1, letter, pow(10, step),
                letter,
                short_range    ? "%g"
                : canvas->path ? "10^{%T}"
                               : "%.0e");
        if (short_range)
            write_log_tics(script, letter, low, high);
    } else if (!of_y && !canvas->path && !axis->tick)
        fprintf(script, "set xtics %.17g\n", wide_step(high - low));
    if (axis->tick && canvas->path)
        write_names(script, axis, letter);
    else if (axis->tick)
        fprintf(script, "set %ctics 1,%zu\n", letter, axis->n_ticks / 12 + 1);
    fprintf(script, "set %crange [%.17g:%.17g]\nset %clabel '", letter, low, high, letter);
    write_markup(script, canvas, axis->label, of_y);
}

bool stj_plot_hidden(const struct stj_chart *chart, double low, char text[STJ_PLOT_HIDDEN_MAX])
{
    size_t hidden = 0;
    for (size_t i = 0; chart->y.log && i < chart->n_series; i++)
        for (size_t k = 0; !chart->series[i].top && k < chart->series[i].n; k++)
            hidden += isfinite(chart->series[i].y[k]) && chart->series[i].y[k] < low;
    snprintf(text, STJ_PLOT_HIDDEN_MAX, "%zu value%s below %.3g %s not drawn", hidden,
             hidden == 1 ? "" : "s", low, hidden == 1 ? "is" : "are");
    return hidden > 0;
}

static void write_axes(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart,
                       struct frame *f)
{
    char hidden[STJ_PLOT_HIDDEN_MAX];
    range_of(canvas, chart, true, &f->y_low, &f->y_high);
    range_of(canvas, chart, false, &f->x_low, &f->x_high);
    write_axis(script, canvas, chart, true, f->y_low, f->y_high);
    const bool two_lines = strlen(chart->y.label) > Y_LABEL_CHARACTERS;
    fprintf(script, !canvas->path ? "'\nunset ylabel\n" : two_lines ? "' offset -1\n" : "'\n");
    write_axis(script, canvas, chart, false, f->x_low, f->x_high);
    if (stj_plot_hidden(chart, f->y_low, hidden)) /* behind the label it may be cut */
        fprintf(script, "'.\"\\n\".'%s", hidden);
    fprintf(script, "'");
    if (chart->note[0]) { /* a line of its own */
        fprintf(script, ".\"\\n\".'");
        write_markup(script, canvas, chart->note, false);
        fputc('\'', script);
    }
    fputc('\n', script);
    if (chart->shade != 0 && chart->shade > f->x_low && canvas->path)
        fprintf(script,
                "set object 1 rectangle from graph 0, graph 0 to first %.9g, graph 1 fc rgb "
                "'#e4e4e4' fs solid noborder behind\n",
                chart->shade);
}

/* How far from a to b, as a share of the axis. */
static double share(bool log, double low, double high, double a, double b)
{
    return log ? fabs(log10(b / a)) / log10(high / low) : fabs(b - a) / (high - low);
}

/* A line of thousands of values: points that would fall into the same pixel as the one written last
 * can be left out.  Neighbours of gaps never are. */
static bool is_needless(const struct stj_chart *chart, const struct frame *f,
                        const struct stj_series *s, size_t last, size_t k)
{
    const double pixel = 1e-3;
    if (s->style != STJ_CHART_LINE || s->n <= POINTS_MAX || k + 1 == s->n ||
        !is_drawn(chart, f->y_low, s->x[k + 1], s->y[k + 1]))
        return false;
    return share(chart->x.log, f->x_low, f->x_high, s->x[last], s->x[k]) < pixel &&
           share(chart->y.log, f->y_low, f->y_high, s->y[last], s->y[k]) < pixel;
}

/* A named block: x, y; an empty line where the curve has a gap. */
static void write_block(FILE *script, const struct stj_chart *chart, size_t i,
                        const struct frame *f)
{
    const struct stj_series *s = &chart->series[i];
    bool joined = false; /* the point before was drawn */
    size_t last = 0;     /* written */
    fprintf(script, "$series%zu << EOD\n", i);
    for (size_t k = 0; k < s->n; k++) {
        /* What a band reaches below the axis is left out. */
        const double y = s->top ? fmax(s->y[k], f->y_low) : s->y[k];
        const bool drawn = is_drawn(chart, f->y_low, s->x[k], y);
        if (drawn && s->top)
            fprintf(script, "%.9g %.9g %.9g\n", s->x[k], y, fmax(s->top[k], y));
        else if (drawn && joined && is_needless(chart, f, s, last, k))
            continue;
        else if (drawn)
            fprintf(script, "%.9g %.9g\n", s->x[k], s->y[k]);
        else if (joined)
            fputc('\n', script);
        joined = drawn;
        last = k;
    }
    fprintf(script, "EOD\n");
}

static void write_title(FILE *script, const struct stj_series *s)
{
    if (s->name[0]) {
        fprintf(script, " title '");
        stj_plot_text(script, s->name);
        fprintf(script, "'");
    } else {
        fprintf(script, " notitle");
    }
}

/* With its mark; of a band the two borders. */
static void write_marks(FILE *script, const struct stj_canvas *canvas, const struct stj_series *s,
                        size_t i)
{
    const char *sign = s->top ? "." : mark[i % N_MARKS][canvas->unicode];
    fprintf(script, "$series%zu using 1:2 with points pt '%s'", i, sign);
    write_title(script, s);
    if (s->top)
        fprintf(script, ", $series%zu using 1:3 with points pt '%s' notitle", i, sign);
}

static void write_curve(FILE *script, const struct stj_series *s, size_t i)
{
    if (s->top) {
        fprintf(script,
                "$series%zu using 1:2:3 with filledcurves fc rgb '%s' fs transparent solid 0.25 "
                "noborder",
                i, colour[s->colour]);
        write_title(script, s);
        return;
    }
    fprintf(script, "$series%zu using 1:2 with ", i);
    switch (s->style) {
    case STJ_CHART_BAND:
    case STJ_CHART_LINE:
        fprintf(script, "lines lw %g", s->n > POINTS_MAX ? 1.5 : 3.0);
        break;
    case STJ_CHART_DASHED:
        fprintf(script, "lines lw 2 dt (8,5)");
        break;
    case STJ_CHART_POINTS:
        fprintf(script, "points pt %d ps %g", shape[i % N_SHAPES], s->n > POINTS_MAX ? 0.25 : 0.7);
        break;
    case STJ_CHART_BOTH:
        fprintf(script, "linespoints pt %d ps 0.8 lw 2", shape[i % N_SHAPES]);
        break;
    case STJ_CHART_BROKEN:
        fprintf(script, "linespoints pt %d ps 0.8 lw 2 dt (8,5)", shape[i % N_SHAPES]);
        break;
    }
    fprintf(script, " lc rgb '%s'", colour[s->colour]);
    if (s->name[0] && s->style == STJ_CHART_POINTS) /* of a size that shows its colour */
        fprintf(script, " notitle, keyentry with points pt %d ps 0.9 lc rgb '%s'",
                shape[i % N_SHAPES], colour[s->colour]);
    write_title(script, s);
}

/* Does any point of the series have a place? */
static bool has_point(const struct stj_chart *chart, const struct stj_series *s, double low)
{
    for (size_t k = 0; k < s->n; k++)
        if (is_drawn(chart, low, s->x[k], s->top ? s->top[k] : s->y[k]))
            return true;
    return false;
}

void stj_plot_chart(FILE *script, const struct stj_canvas *canvas, const struct stj_chart *chart)
{
    struct frame f;
    const char *sep = "";
    if (chart->pictures.pixels && canvas->path) {
        stj_sheet_plot(script, canvas, chart);
        return;
    }
    write_head(script, canvas, chart);
    write_legend(script, canvas, chart);
    write_axes(script, canvas, chart, &f);
    for (size_t i = 0; i < chart->n_series; i++)
        write_block(script, chart, i, &f);
    fprintf(script, "plot ");
    for (size_t i = 0; i < chart->n_limits; i++, sep = ", ")
        fprintf(script, "%s%.17g with lines lc rgb '%s' dt 2 notitle", sep, chart->limit[i],
                colour[STJ_CHART_GREY]);
    for (size_t i = 0; i < chart->n_series; i++) {
        if (!has_point(chart, &chart->series[i], f.y_low))
            continue;
        fprintf(script, "%s", sep);
        if (canvas->path)
            write_curve(script, &chart->series[i], i);
        else
            write_marks(script, canvas, &chart->series[i], i);
        sep = ", ";
    }
    if (sep[0] == '\0')
        fprintf(script, "1/0 notitle"); /* axes alone */
    fprintf(script, "\n");
}

/* A field of CSV that every reader takes as it is: numpy's knows no quotes, and # begins a comment. */
static void write_field(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++)
        if (!(*c == ' ' && c > text && c[-1] == ','))
            fputc(strchr(",\"#\n\r", *c) ? '_' : *c, out);
}

static void write_key(FILE *out, const struct stj_series *s, const char *end)
{
    char key[STJ_CHART_NAME_MAX];
    stj_series_key(s, key);
    write_field(out, key);
    fputs(end, out);
}

static void write_number(FILE *out, double x)
{
    if (isfinite(x))
        fprintf(out, ",%.17g", x);
    else
        fputs(",nan", out);
}

/* Of an axis with names, the name. */
static void write_place(FILE *out, const struct stj_axis *axis, double x)
{
    if (!axis->tick || !(x >= 1 && x <= (double)axis->n_ticks)) {
        write_number(out, x);
        return;
    }
    fputc(',', out);
    write_field(out, axis->tick[(size_t)x - 1]);
}

void stj_plot_csv(FILE *out, const struct stj_chart *chart)
{
    fprintf(out, "series,");
    write_field(out, chart->x.name);
    fputc(',', out);
    write_field(out, chart->y.name);
    fputc('\n', out);
    for (size_t i = 0; i < chart->n_series; i++) {
        const struct stj_series *s = &chart->series[i];
        for (int top = 0; top <= (s->top ? 1 : 0); top++)
            for (size_t k = 0; k < s->n; k++) {
                write_key(out, s, !s->top ? "" : top ? "_high" : "_low");
                write_place(out, &chart->x, s->x[k]);
                write_number(out, top ? s->top[k] : s->y[k]);
                fputc('\n', out);
            }
    }
}
