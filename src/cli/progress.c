/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/progress.c: how far the work is, on standard error, and whether it shall stop.
 *
 * On a terminal a bar with rate and time left, redrawn ten times a second and no wider than the
 * terminal.  Elsewhere dated lines for logs: every ten seconds where they are asked for, else, for
 * jobs of a batch system, after two minutes and then more and more seldom.
 */
#include "cli.h"

#include <spectraj/ranks.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum progress_style { PROGRESS_OFF, PROGRESS_BAR, PROGRESS_LINES };
enum progress_choice { CHOICE_AUTO, CHOICE_PLAIN, CHOICE_OFF }; /* of --progress */
enum { BAR_WIDTH = 24, BAR_LEAST = 6, WIDTH = 80, LINE_MAX_BYTES = 256 };

#define BAR_SECONDS 0.1
#define PLAIN_SECONDS 10.0
#define BATCH_SECONDS 120.0 /* doubled with each line, until */
#define BATCH_MOST 1920.0

static struct {
    enum progress_style style;
    char what[64];
    double start, last; /* seconds; start of this piece of work, last output */
    double wait, most;  /* between two outputs; grows up to there */
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

/* "312/625  45.2/s  0:07 left", as far as it is known; more done than was expected: both. */
static void describe(char *text, size_t size, double done, double total, double elapsed,
                     bool with_rate)
{
    const double rate = elapsed > 0 ? (done - state.first) / elapsed : 0;
    char duration[32] = "", speed[32] = "", left[48] = "";
    if (rate > 0 && with_rate)
        snprintf(speed, sizeof speed, "  %.3g/s", rate);
    if (rate > 0 && total > done) {
        print_duration(duration, sizeof duration, (total - done) / rate);
        snprintf(left, sizeof left, "  %s left", duration);
    }
    if (total > 0 && done <= total)
        snprintf(text, size, "%.0f/%.0f%s%s", done, total, speed, left);
    else if (total > 0)
        snprintf(text, size, "%.0f (%.0f expected)%s", done, total, speed);
    else
        snprintf(text, size, "%.0f%s", done, speed);
}

static size_t terminal_width(void)
{
    struct winsize size;
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : WIDTH;
}

/* Within `room` columns: the bar as wide as there is room, then without it, without the rate, and
 * without the name of the work. */
static void draw_bar(double done, double total, double elapsed, size_t room)
{
    char numbers[LINE_MAX_BYTES], line[2 * LINE_MAX_BYTES], bar[BAR_WIDTH + 1];
    const char *what = state.what;
    describe(numbers, sizeof numbers, done, total, elapsed, true);
    const size_t taken = strlen(what) + strlen(numbers) + 4; /* " [] " */
    const size_t wide = taken >= room ? 0 : room - taken < BAR_WIDTH ? room - taken : BAR_WIDTH;
    if (total > 0 && wide >= BAR_LEAST) {
        const size_t full = (size_t)((double)wide * fmin(1, fmax(0, done / total)));
        memset(bar, '.', sizeof bar);
        memset(bar, '#', full);
        snprintf(line, sizeof line, "%s [%.*s] %s", what, (int)wide, bar, numbers);
    } else {
        if (strlen(what) + 2 + strlen(numbers) > room)
            describe(numbers, sizeof numbers, done, total, elapsed, false);
        if (strlen(what) + 2 + strlen(numbers) > room)
            what = strchr(what, '(') ? strchr(what, '(') : "";
        snprintf(line, sizeof line, "%s%s%s", what, *what ? "  " : "", numbers);
    }
    /* \033[K wipes the rest of the line. */
    fprintf(stderr, "\r%.*s\033[K", (int)room, line);
    fflush(stderr);
    state.drawn = true;
}

/* A line of a log, which says when. */
static void print_line(double done, double total, double elapsed)
{
    char numbers[LINE_MAX_BYTES], date[32] = "";
    const time_t t = time(NULL);
    struct tm parts;
    if (localtime_r(&t, &parts))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S ", &parts);
    describe(numbers, sizeof numbers, done, total, elapsed, true);
    fprintf(stderr, "spectraj: %s%s %s\n", date, state.what, numbers);
}

/* Is `what` the piece of work that is under way?  What stands in brackets says how far it is. */
static bool is_same(const char *what)
{
    const size_t name = strcspn(state.what, "(");
    return name == strcspn(what, "(") && strncmp(state.what, what, name) == 0;
}

static void show(const char *what, double done, double total)
{
    const double t = now();
    if (!is_same(what) || done < state.first) {
        state.start = t;
        state.first = done;
        if (state.style == PROGRESS_BAR)
            state.last = t;
    }
    snprintf(state.what, sizeof state.what, "%s", what);
    if (t - state.last < state.wait)
        return;
    state.last = t;
    state.wait = fmin(2 * state.wait, state.most);
    if (state.style == PROGRESS_BAR)
        draw_bar(done, total, t - state.start, terminal_width() - 1);
    else
        print_line(done, total, t - state.start);
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
    const bool plain = shared->progress == CHOICE_PLAIN, bar = !plain && terminal;
    state.style = bar ? PROGRESS_BAR : PROGRESS_LINES;
    if (shared->quiet || shared->progress == CHOICE_OFF || stj_rank() != 0)
        state.style = PROGRESS_OFF;
    state.wait = bar ? BAR_SECONDS : plain ? PLAIN_SECONDS : BATCH_SECONDS;
    state.most = bar || plain ? state.wait : BATCH_MOST;
    state.last = plain ? now() - PLAIN_SECONDS : now(); /* the first plain line comes at once */
    return (struct stj_progress){
        .fn = on_progress, .ctx = cli, .warn = on_warning, .note = on_note};
}

void cli_progress_end(void)
{
    if (state.drawn)
        fputs("\r\033[K", stderr);
    state.drawn = false;
}
