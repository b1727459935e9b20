/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/plot.c: figures as gnuplot scripts, from plain arrays.
 *
 * Data go into the script as named blocks.  Colours are Okabe and Ito's, which people with any kind
 * of colour vision tell apart; in a text canvas each curve has a letter.
 */
#include "report/plot.h"

#include <math.h>

#define VERMILLION "#D55E00"
#define GREEN "#009E73"
#define BLUE "#0072B2"
#define SKY_BLUE "#56B4E9"
#define GREY "#666666"

/* Up to so many values, each is shown as a point of its own. */
enum { POINTS_MAX = 120 };

enum region { CHAOTIC, BULK, STABLE, N_REGIONS };

static const char *const region_name[N_REGIONS] = {"chaotic", "bulk", "stable"};
static const char *const region_colour[N_REGIONS] = {VERMILLION, GREEN, BLUE};

static enum region region_of(double sigma, double epsilon)
{
    return sigma > 1 + epsilon ? CHAOTIC : sigma < 1 - epsilon ? STABLE : BULK;
}

static void write_head(FILE *script, const struct stj_canvas *canvas)
{
    fprintf(script,
            "set terminal %s\n"
            "set border 3 lc rgb '%s'\n"
            "set tics nomirror out\n"
            "set grid ytics lc rgb '#dddddd' lt 1\n"
            "set key top right samplen 2\n",
            canvas->terminal, GREY);
    if (!canvas->path)
        fprintf(script, "unset grid\n");
}

static void write_log_axis(FILE *script, const struct stj_canvas *canvas, double low, double high)
{
    fprintf(script, "set logscale y\nset format y '%s'\n", canvas->path ? "10^{%T}" : "%.0e");
    if (high / low < 1000)
        fprintf(script, "set format y '%%g'\n");
    fprintf(script, "set yrange [%.17g:%.17g]\n", low, high);
}

/* One named block per region: index, value.  Zeros have no place on a log axis. */
static void write_regions(FILE *script, size_t n, const double *sigma, double epsilon,
                          size_t count[N_REGIONS])
{
    for (int r = 0; r < N_REGIONS; r++) {
        count[r] = 0;
        fprintf(script, "$%s << EOD\n", region_name[r]);
        for (size_t i = 0; i < n; i++) {
            if ((int)region_of(sigma[i], epsilon) != r)
                continue;
            count[r]++;
            if (sigma[i] > 0)
                fprintf(script, "%zu %.9g\n", i + 1, sigma[i]);
        }
        fprintf(script, "EOD\n");
    }
}

/* Widen [low, high] to the positive values, but not below `floor`: a few tiny values would press all
 * the others into one line. */
static void log_interval(size_t n, const double *value, double floor, double *low, double *high)
{
    for (size_t i = 0; i < n; i++) {
        if (value[i] > 0) {
            *low = fmin(*low, value[i]);
            *high = fmax(*high, value[i]);
        }
    }
    *low = *low / 1.3 < floor ? floor : *low / 1.3;
    *high *= 1.3;
}

static void write_limit(FILE *script, double limit)
{
    fprintf(script, "%.17g with lines lc rgb '%s' dt 2 notitle, ", limit, GREY);
}

static void write_spectrum_labels(FILE *script, const struct stj_canvas *canvas, size_t n,
                                  const double *sigma, size_t n_params, double low)
{
    size_t below = 0;
    for (size_t i = 0; i < n; i++)
        below += sigma[i] < low;
    fprintf(script, "set title '%s singular values of the training Jacobian, N = %zu'\n",
            n == n_params ? "All" : "Largest", n_params);
    fprintf(script, "set xlabel 'index");
    if (below > 0)
        fprintf(script, " (%zu values below %.2g are not drawn)", below, low);
    fprintf(script,
            "'\nset ylabel '%s'\nset xrange [0:%zu]\nset key below vertical maxrows 1 height 1\n",
            canvas->path ? "singular value" : "sigma", n + 1);
}

void stj_plot_spectrum(FILE *script, const struct stj_canvas *canvas, size_t n, const double *sigma,
                       size_t n_params, double epsilon)
{
    size_t count[N_REGIONS];
    double low = 1 - epsilon, high = 1 + epsilon;
    const char *sep = "";
    log_interval(n, sigma, canvas->path ? 1e-4 : 1e-2, &low, &high);
    write_head(script, canvas);
    write_log_axis(script, canvas, low, high);
    write_regions(script, n, sigma, epsilon, count);
    write_spectrum_labels(script, canvas, n, sigma, n_params, low);
    fprintf(script, "plot ");
    write_limit(script, 1 + epsilon);
    write_limit(script, 1 - epsilon);
    for (int r = 0; r < N_REGIONS; r++) {
        if (count[r] == 0)
            continue;
        fprintf(script, "%s$%s using 1:2 with %s lc rgb '%s' title '%s: %zu", sep, region_name[r],
                n <= POINTS_MAX ? "points pt 7 ps 0.7" : "lines lw 3", region_colour[r],
                region_name[r], count[r]);
        if (n == n_params)
            fprintf(script, " (%.1f %%)", 100 * (double)count[r] / (double)n);
        fprintf(script, "'");
        sep = ", ";
    }
    fprintf(script, "\n");
}

/* Two columns: the step, and the mean of the last `window` losses up to it. */
static void write_mean(FILE *script, size_t n, const double *loss, size_t window)
{
    double sum = 0;
    fprintf(script, "$mean << EOD\n");
    for (size_t i = 0; i < n; i++) {
        sum += loss[i];
        if (i >= window)
            sum -= loss[i - window];
        if (i + 1 >= window)
            fprintf(script, "%zu %.9g\n", i + 1, sum / (double)window);
    }
    fprintf(script, "EOD\n");
}

void stj_plot_loss(FILE *script, const struct stj_canvas *canvas, size_t n, const double *loss,
                   size_t window)
{
    double low = HUGE_VAL, high = 0;
    bool positive = true;
    bool has_mean = window > 1 && n >= 2 * window;
    for (size_t i = 0; i < n; i++)
        positive = positive && loss[i] > 0;
    write_head(script, canvas);
    log_interval(n, loss, 0, &low, &high);
    if (positive && n > 0)
        write_log_axis(script, canvas, low, high);
    fprintf(script, "$loss << EOD\n");
    for (size_t i = 0; i < n; i++)
        fprintf(script, "%zu %.9g\n", i + 1, loss[i]);
    fprintf(script, "EOD\n");
    if (has_mean)
        write_mean(script, n, loss, window);
    fprintf(script,
            "set title 'Loss of each training step'\n"
            "set xlabel 'step'\nset ylabel 'loss'\nset xrange [0:%zu]\n"
            "plot $loss using 1:2 with lines lw 1 lc rgb '%s' title 'batch'",
            n + 1, SKY_BLUE);
    if (has_mean)
        fprintf(script, ", $mean using 1:2 with lines lw 3 lc rgb '%s' title 'mean of %zu steps'",
                BLUE, window);
    fprintf(script, "\n");
}
