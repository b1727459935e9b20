/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/svg.c: a chart as inline SVG.
 *
 * One path per series.  Points closer together than half a pixel are drawn once, so that thousands
 * of singular values make kilobytes.  Legend and title are HTML beside the drawing: they wrap on a
 * narrow screen.
 */
#include "report/svg.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "report/plot.h"
#include "report/sheet.h"

enum { WIDTH = 560, HEIGHT = 340, LEFT = 64, RIGHT = 12, TOP = 10, BOTTOM = 44, TICKS_MAX = 9 };

/* Where an axis lies on the drawing: value low at pixel `from`, high at `to`. */
struct scale {
    bool log;
    double low, high;
    double from, to;
};

void stj_html_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '"')
            fputs("&quot;", out);
        else /* HTML has no control characters */
            fputc((unsigned char)*text < ' ' && *text != '\n' && *text != '\t' ? '?' : *text, out);
    }
}

static double place(const struct scale *s, double value)
{
    const double x = s->log ? log10(value) : value;
    const double low = s->log ? log10(s->low) : s->low;
    const double high = s->log ? log10(s->high) : s->high;
    return s->from + (s->to - s->from) * (x - low) / (high - low);
}

static bool drawable(const struct stj_axis *axis, double value)
{
    return isfinite(value) && (!axis->log || (value > 0 && value >= axis->floor));
}

/* Low and high of the values of one axis, widened a little, or to powers of ten. */
static struct scale scale_of(const struct stj_chart *chart, bool vertical)
{
    const struct stj_axis *axis = vertical ? &chart->y : &chart->x;
    struct scale s = {.log = axis->log, .low = INFINITY, .high = -INFINITY};
    s.from = vertical ? HEIGHT - BOTTOM : LEFT;
    s.to = vertical ? TOP : WIDTH - RIGHT;
    for (size_t i = 0; i < chart->n_series; i++)
        for (size_t k = 0; k < chart->series[i].n; k++) {
            const struct stj_series *series = &chart->series[i];
            const double value = vertical ? series->y[k] : series->x[k];
            const double top = vertical && series->top ? series->top[k] : value;
            if (drawable(axis, value))
                s.low = fmin(s.low, value);
            if (drawable(axis, top))
                s.high = fmax(s.high, top);
        }
    for (size_t i = 0; vertical && i < chart->n_limits; i++) {
        s.low = fmin(s.low, chart->limit[i]);
        s.high = fmax(s.high, chart->limit[i]);
    }
    if (!(s.low <= s.high)) {
        s.low = axis->log ? 0.1 : 0;
        s.high = 1;
    }
    if (axis->low < axis->high) {
        s.low = axis->low;
        s.high = axis->high;
    } else if (axis->log) {
        s.low /= 1.2;
        s.high *= 1.2;
    } else {
        const double margin = s.high > s.low ? 0.04 * (s.high - s.low) : 0.5;
        s.low -= margin;
        s.high += margin;
    }
    if (axis->log && s.low <= 0)
        s.low = s.high / 1e6;
    return s;
}

/* Ticks whose texts would meet are left out; of n those that stay. */
static size_t spread(const struct scale *s, size_t n, double tick[TICKS_MAX])
{
    const double room = s->from > s->to ? 22 : 66; /* a vertical axis, a horizontal one */
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || fabs(place(s, tick[i]) - place(s, tick[kept - 1])) >= room)
            tick[kept++] = tick[i];
    return kept;
}

/* Round values inside the scale: powers of ten, or steps of 1, 2 or 5. */
static size_t ticks_of(const struct scale *s, double tick[TICKS_MAX])
{
    size_t n = 0;
    if (s->log) {
        const double first = ceil(log10(s->low) - 1e-9);
        const double last = floor(log10(s->high) + 1e-9);
        const double step = fmax(1, ceil((last - first + 1) / (TICKS_MAX - 2)));
        for (double e = first; e <= last && n < TICKS_MAX; e += step)
            tick[n++] = pow(10, e);
        if (n >= 2)
            return spread(s, n, tick);
        n = 0; /* less than two decades: tell it as a linear axis would */
    }
    const double raw = (s->high - s->low) / 6;
    const double power = pow(10, floor(log10(raw)));
    const double step = raw / power < 1.5   ? power
                        : raw / power < 3.5 ? 2 * power
                        : raw / power < 7.5 ? 5 * power
                                            : 10 * power;
    for (double t = ceil(s->low / step); t * step <= s->high && n < TICKS_MAX; t++)
        tick[n++] = t * step + 0.0; /* of -0 makes 0 */
    return spread(s, n, tick);
}

/* "1e-4", not "0.0001" or "1e-04". */
static const char *tick_text(double value, char text[32])
{
    const double size = fabs(value);
    if (size > 0 && (size < 1e-3 || size >= 1e5)) {
        const double power = floor(log10(size) + 1e-9);
        snprintf(text, 32, "%.3ge%.0f", value / pow(10, power), power);
    } else {
        snprintf(text, 32, "%.6g", value);
    }
    return text;
}

static void write_text(FILE *out, const char *text)
{
    char plain[STJ_CHART_TEXT_MAX];
    stj_chart_plain(text, plain);
    stj_html_text(out, plain);
}

/* Greek letters for their names before an index, or alone. */
static size_t write_letter(FILE *out, const char *text)
{
    static const char *const letter[][2] = {
        {"theta", "θ"}, {"sigma", "σ"}, {"epsilon", "ε"}, {NULL, NULL}};
    for (size_t i = 0; letter[i][0]; i++) {
        const size_t n = strlen(letter[i][0]);
        if (strncmp(text, letter[i][0], n) == 0 && !isalpha((unsigned char)text[n])) {
            fputs(letter[i][1], out);
            return n;
        }
    }
    return 0;
}

/* The markup of a chart as HTML, or as that of SVG, which moves what follows. */
static void write_markup(FILE *out, const char *text, bool svg)
{
    char one[2] = "";
    const char *end = "";
    bool whole = false; /* an index in braces is open */
    for (const char *c = text; *c;) {
        const size_t n = c == text || !isalpha((unsigned char)c[-1]) ? write_letter(out, c) : 0;
        c += n;
        if (n > 0)
            continue;
        if ((*c == '_' || *c == '^') && c[1]) {
            const bool up = *c == '^';
            whole = c[1] == '{';
            fputs(svg  ? up ? "<tspan dy=\"-4\" font-size=\"90%\">"
                            : "<tspan dy=\"3\" font-size=\"90%\">"
                  : up ? "<sup>"
                       : "<sub>",
                  out);
            end = svg  ? up ? "</tspan><tspan dy=\"4\">&#8203;</tspan>"
                            : "</tspan><tspan dy=\"-3\">&#8203;</tspan>"
                  : up ? "</sup>"
                       : "</sub>";
            c += whole ? 2 : 1;
            if (whole)
                continue;
        } else if (*c == '}' && whole) {
            whole = false;
            fputs(end, out);
            end = "";
            c++;
            continue;
        } else if (*c == '\\' && c[1]) {
            c++;
        }
        one[0] = *c++;
        stj_html_text(out, one);
        if (!whole) {
            fputs(end, out);
            end = "";
        }
    }
    fputs(end, out);
}

/* Numbers of what has a name: the notes say which (draw_notes). */
static size_t named_ticks(const struct stj_axis *axis, const struct scale *s,
                          double tick[TICKS_MAX])
{
    const size_t step = 1 + axis->n_ticks / TICKS_MAX;
    size_t n = 0;
    for (size_t i = 1; i <= axis->n_ticks; i += step)
        if ((double)i >= s->low && (double)i <= s->high)
            tick[n++] = (double)i;
    return spread(s, n, tick);
}

static void draw_axis(FILE *out, const struct stj_axis *axis, const struct scale *s, bool vertical)
{
    double tick[TICKS_MAX];
    char text[32];
    size_t n = ticks_of(s, tick);
    if (axis->tick)
        n = named_ticks(axis, s, tick);
    for (size_t i = 0; i < n; i++) {
        const double at = place(s, tick[i]);
        if (vertical)
            fprintf(out,
                    "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" "
                    "y=\"%.1f\">%s</text>",
                    LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, tick_text(tick[i], text));
        else
            fprintf(out,
                    "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"middle\" x=\"%.1f\" "
                    "y=\"%d\">%s</text>",
                    at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 16, tick_text(tick[i], text));
    }
    if (vertical)
        return;
    fprintf(out, "<text class=\"middle\" x=\"%d\" y=\"%d\">", (LEFT + WIDTH - RIGHT) / 2,
            HEIGHT - 6);
    write_markup(out, axis->label, true);
    fputs("</text>\n", out);
}

/* The area of a band: along its top, and back. */
static void draw_band(FILE *out, const struct stj_chart *chart, const struct stj_series *s,
                      const struct scale *x, const struct scale *y)
{
    const char *pen = "M";
    fprintf(out, "<path class=\"band f%d\" d=\"", s->colour);
    for (size_t i = 0; i < 2 * s->n; i++) {
        const size_t k = i < s->n ? i : 2 * s->n - 1 - i;
        const double value = fmax(i < s->n ? s->top[k] : s->y[k], y->low);
        if (!drawable(&chart->x, s->x[k]) || !isfinite(value))
            continue;
        fprintf(out, "%s%.1f %.1f", pen, place(x, s->x[k]), place(y, value));
        pen = "L";
    }
    fputs("\"/>\n", out);
}

static void draw_series(FILE *out, const struct stj_chart *chart, const struct stj_series *series,
                        const struct scale *x, const struct scale *y)
{
    const bool joined = series->style != STJ_CHART_POINTS;
    const bool marked = series->style != STJ_CHART_LINE && series->style != STJ_CHART_DASHED;
    const bool dashed = series->style == STJ_CHART_DASHED || series->style == STJ_CHART_BROKEN;
    if (series->top) {
        draw_band(out, chart, series, x, y);
        return;
    }
    for (int pass = 0; pass < 2; pass++) {
        double before_x = -1e9, before_y = -1e9;
        bool pen_down = false;
        if (!(pass == 0 ? joined : marked))
            continue;
        fprintf(out, "<path class=\"%s c%d%s\" d=\"", pass == 0 ? "line" : "dots", series->colour,
                pass == 0 && dashed ? " dashed" : "");
        for (size_t k = 0; k < series->n; k++) {
            if (!drawable(&chart->x, series->x[k]) || !drawable(&chart->y, series->y[k])) {
                pen_down = false;
                continue;
            }
            const double px = place(x, series->x[k]);
            const double py = place(y, series->y[k]);
            if (fabs(px - before_x) < 0.5 && fabs(py - before_y) < 0.5)
                continue;
            if (pass == 1)
                fprintf(out, "M%.1f %.1fh0", px, py);
            else
                fprintf(out, "%c%.1f %.1f", pen_down ? 'L' : 'M', px, py);
            pen_down = true;
            before_x = px;
            before_y = py;
        }
        fputs("\"/>\n", out);
    }
}

/* How the legend shows a series: a band, a dashed or a drawn line, a dot. */
static const char *swatch_of(const struct stj_series *s)
{
    switch (s->style) {
    case STJ_CHART_BAND:
        return " area";
    case STJ_CHART_DASHED:
    case STJ_CHART_BROKEN:
        return " rule dash";
    case STJ_CHART_LINE:
    case STJ_CHART_BOTH:
        return " rule";
    case STJ_CHART_POINTS:
        return "";
    }
    return "";
}

static void draw_legend(FILE *out, const struct stj_chart *chart)
{
    fputs("<p class=\"legend\">", out);
    for (size_t i = 0; i < chart->n_series; i++) {
        const struct stj_series *s = &chart->series[i];
        if (!s->name[0] || s->n == 0)
            continue;
        fprintf(out, "<span><i class=\"b%d%s\"></i>", s->colour, swatch_of(s));
        stj_html_text(out, s->name);
        fputs("</span> ", out);
    }
    fputs("</p>\n", out);
}

/* What the drawing leaves out. */
static void draw_notes(FILE *out, const struct stj_chart *chart, double low)
{
    char hidden[STJ_PLOT_HIDDEN_MAX];
    if (stj_plot_hidden(chart, low, hidden))
        fprintf(out, "<p class=\"note\">%s.</p>\n", hidden);
    for (size_t i = 0; i < chart->x.n_ticks && chart->x.tick; i++) {
        fprintf(out, "%s%zu ", i ? ", " : "<p class=\"note\">", i + 1);
        stj_html_text(out, chart->x.tick[i]);
        fputs(i + 1 == chart->x.n_ticks ? ".</p>\n" : "", out);
    }
    if (chart->note[0]) {
        fputs("<p class=\"note\">", out);
        write_markup(out, chart->note, false);
        fputs(".</p>\n", out);
    }
}

/* What is seen, for who does not see it. */
static void write_seen(FILE *out, const struct stj_chart *chart, const struct scale *x,
                       const struct scale *y)
{
    const char *sep = ": ";
    write_text(out, chart->title);
    fputs(". ", out);
    write_text(out, chart->y.label);
    fprintf(out, " from %.3g to %.3g%s against ", y->low, y->high, y->log ? ", log scale," : "");
    write_text(out, chart->x.label);
    fprintf(out, " from %.3g to %.3g%s", x->low, x->high, x->log ? ", log scale" : "");
    for (size_t i = 0; i < chart->n_series; i++, sep = "; ") {
        const struct stj_series *s = &chart->series[i];
        if (s->n == 0 || s->top)
            continue;
        fputs(sep, out);
        stj_html_text(out, s->name);
        fprintf(out, " from %.3g to %.3g", s->y[0], s->y[s->n - 1]);
    }
}

void stj_svg_chart(FILE *out, const struct stj_chart *chart)
{
    const struct scale x = scale_of(chart, false);
    const struct scale y = scale_of(chart, true);
    fputs("<figure><figcaption>", out);
    write_markup(out, chart->title, false);
    fputs("</figcaption>\n", out);
    if (chart->pictures.pixels) {
        stj_sheet_svg(out, chart);
        return;
    }
    fputs("<p class=\"axis\">", out);
    write_markup(out, chart->y.label, false);
    fprintf(out, "</p>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    write_seen(out, chart, &x, &y);
    fputs("\">\n", out);
    draw_axis(out, &chart->x, &x, false);
    draw_axis(out, &chart->y, &y, true);
    fprintf(out, "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", LEFT,
            TOP, WIDTH - RIGHT - LEFT, HEIGHT - BOTTOM - TOP);
    if (chart->shade != 0 && chart->shade > x.low)
        fprintf(out, "<rect class=\"shade\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
                LEFT, TOP, place(&x, chart->shade) - LEFT, HEIGHT - BOTTOM - TOP);
    for (size_t i = 0; i < chart->n_limits; i++)
        fprintf(out, "<path class=\"limit\" d=\"M%d %.1fH%d\"/>\n", LEFT,
                place(&y, chart->limit[i]), WIDTH - RIGHT);
    for (size_t i = 0; i < chart->n_series; i++)
        draw_series(out, chart, &chart->series[i], &x, &y);
    fputs("</svg>\n", out);
    draw_legend(out, chart);
    draw_notes(out, chart, y.log ? y.low : 0);
}

void stj_svg_style(FILE *out)
{
    /* Okabe and Ito's colours; on a dark page, lighter ones of the same hues. */
    static const char *const light[STJ_CHART_N_COLOURS] = {
        "#c04a00", "#2f9c78", "#00406b", "#4595c6", "#b87f00", "#b5608f", "#222222", "#767676"};
    static const char *const dark[STJ_CHART_N_COLOURS] = {
        "#ff8a3d", "#8fe3c4", "#4a96e0", "#6f97b2", "#f2b93b", "#e39cc4", "#e8e8e8", "#9a9a9a"};
    fputs(":root{", out);
    for (int i = 0; i < STJ_CHART_N_COLOURS; i++)
        fprintf(out, "--c%d:%s;", i, light[i]);
    fputs("}\n@media (prefers-color-scheme:dark){:root{", out);
    for (int i = 0; i < STJ_CHART_N_COLOURS; i++)
        fprintf(out, "--c%d:%s;", i, dark[i]);
    fputs("}}\n", out);
    for (int i = 0; i < STJ_CHART_N_COLOURS; i++)
        fprintf(out, ".c%d{stroke:var(--c%d)}.b%d{color:var(--c%d)}.f%d{fill:var(--c%d)}\n", i, i,
                i, i, i, i);
    fputs("svg{width:100%;height:auto;display:block}svg text{font:12px "
          "system-ui,sans-serif;fill:var(--ink)}\n"
          ".end{text-anchor:end}.middle{text-anchor:middle}.grid{stroke:var(--rule);stroke-width:."
          "6}\n"
          ".frame{fill:none;stroke:var(--soft);stroke-width:.8}.limit{stroke:var(--soft);"
          "stroke-dasharray:5 4}\n"
          ".line{fill:none;stroke-width:1.6;stroke-linejoin:round}.dashed{stroke-dasharray:6 4}\n"
          ".band{opacity:.3}.legend i.area{border-radius:0;opacity:.4}.shade{fill:var(--rule)}\n"
          ".note{color:var(--soft);font-size:.9em;margin:.2em 0 0}\n"
          "@media (max-width:600px){svg text{font-size:19px}}\n"
          ".graph svg{width:auto;max-width:none}.graph svg text{font-size:12px}.graph "
          ".soft{fill:var(--soft)}\n"
          ".edge{fill:none;stroke:var(--soft)}.head{fill:var(--soft)}.graph "
          "rect{stroke:var(--soft);fill:var(--band)}\n"
          ".graph .n0{fill:var(--trained)}.graph .n2{fill:var(--source)}.graph "
          ".n3{fill:var(--paper)}\n"
          ".dots{fill:none;stroke-width:4;stroke-linecap:round}\n"
          "figure svg{overflow:visible}.legend{display:flex;flex-wrap:wrap;gap:.2em "
          "1.2em;margin:.3em 0 0;font-size:.9em}\n"
          ".legend "
          "i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.4em;"
          "background:currentColor;print-color-adjust:exact}\n"
          ".legend i.rule{background:none;border-top:.2em solid;height:.2em;width:1.7em;"
          "border-radius:0}.legend i.dash{border-top-style:dashed}"
          ".axis{font-size:.85em;margin:0}\n",
          out);
}
