/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/progress.c: how far the work is, on standard error, and whether it shall stop.
 *
 * A bar with rate and time left, redrawn ten times a second, when standard error is a terminal; or
 * a plain line every ten seconds for logs; or nothing.
 */
#include "cli.h"

#include <spectraj/ranks.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum progress_style { PROGRESS_OFF, PROGRESS_BAR, PROGRESS_PLAIN };
enum progress_choice { CHOICE_AUTO, CHOICE_PLAIN, CHOICE_OFF }; /* of --progress */
enum { BAR_WIDTH = 24 };

static struct {
    enum progress_style style;
    char what[64];
    double start, last; /* seconds; start of this piece of work, last output */
    double first;       /* `done` at its start */
    bool drawn;         /* a bar stands on the terminal's last line */
} state;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* "1:02:03", "4:05" */
static void print_duration(char *text, size_t size, double seconds)
{
    if (!(seconds < 1e7)) {
        snprintf(text, size, "--:--");
        return;
    }
    unsigned long s = (unsigned long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(text, size, "%lu:%02lu", s / 60, s % 60);
}

/* "312/625  45.2/s  0:07 left", as far as it is known. */
static void describe(char *text, size_t size, double done, double total, double elapsed)
{
    double rate = elapsed > 0 ? (done - state.first) / elapsed : 0;
    char left[32] = "";
    int n = snprintf(text, size, total > 0 ? "%.0f/%.0f" : "%.0f", done, total);
    if (rate > 0 && n > 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, "  %.3g/s", rate);
    if (rate > 0 && total > done && n > 0 && (size_t)n < size) {
        print_duration(left, sizeof left, (total - done) / rate);
        snprintf(text + n, size - (size_t)n, "  %s left", left);
    }
}

static void draw_bar(double done, double total, const char *numbers)
{
    char bar[BAR_WIDTH + 1];
    int full = total > 0 ? (int)(BAR_WIDTH * fmin(1, fmax(0, done / total))) : 0;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)full);
    bar[BAR_WIDTH] = '\0';
    /* \033[K wipes the rest of the line. */
    fprintf(stderr, total > 0 ? "\r%-.20s [%s] %s\033[K" : "\r%-.20s%.0s  %s\033[K", state.what,
            bar, numbers);
    fflush(stderr);
    state.drawn = true;
}

static void show(const char *what, double done, double total)
{
    char numbers[96];
    double t = now();
    if (strncmp(state.what, what, sizeof state.what - 1) != 0 || done < state.first) {
        snprintf(state.what, sizeof state.what, "%s", what);
        state.start = state.last = t;
        state.first = done;
        return;
    }
    if (t - state.last < (state.style == PROGRESS_BAR ? 0.1 : 10.0))
        return;
    state.last = t;
    describe(numbers, sizeof numbers, done, total, t - state.start);
    if (state.style == PROGRESS_BAR)
        draw_bar(done, total, numbers);
    else
        fprintf(stderr, "spectraj: %s %s\n", state.what, numbers);
}

static int on_progress(void *ctx, const char *what, double done, double total)
{
    (void)ctx;
    if (state.style != PROGRESS_OFF)
        show(what ? what : "", done, total);
    return cli_interrupted() ? 1 : 0;
}

/* The same is said once, by however many parts of a command. */
static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    cli_progress_end();
    cli_complain("%s", text);
}

static void on_warning(void *ctx, const char *text)
{
    static char last[STJ_ERROR_TEXT_MAX];
    if (strcmp(last, text) != 0)
        cli_warn(ctx, "%s", text);
    snprintf(last, sizeof last, "%s", text);
}

struct stj_progress cli_progress(struct cli *cli)
{
    const struct args_shared *shared = &cli->args.shared;
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    if (shared->quiet || shared->progress == CHOICE_OFF || stj_rank() != 0)
        state.style = PROGRESS_OFF;
    else if (shared->progress == CHOICE_PLAIN)
        state.style = PROGRESS_PLAIN;
    else
        state.style = terminal ? PROGRESS_BAR : PROGRESS_OFF;
    return (struct stj_progress){
        .fn = on_progress, .ctx = cli, .warn = on_warning, .note = on_note};
}

void cli_progress_end(void)
{
    if (state.drawn)
        fputs("\r\033[K", stderr);
    state.drawn = false;
}
