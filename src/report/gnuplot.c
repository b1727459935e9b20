/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/gnuplot.c: run gnuplot on a script.
 *
 * No shell and no user text: gnuplot reads the script as its standard input and draws to its
 * standard output, a pipe, so that neither a file name nor a title can be mistaken for a command,
 * and a disk that is full is noticed here, where it can be told.
 */
#include "base/system.h"

#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "report/svg.h"

static enum stj_status not_found(struct stj_error *err)
{
    return stj_error_set(err, STJ_EUNSUPPORTED, __FILE__, __LINE__,
                         "gnuplot was not found, and figures need it: install the Debian package "
                         "gnuplot-nox");
}

/* What gnuplot drew. */
struct drawing {
    char *bytes;
    size_t size, capacity;
};

/* Files by their endings: gnuplot's terminal, the unit of sizes, how many of it are a pixel of an
 * SVG, how many points of letters are one of an SVG, and what is the same at any size. */
static const struct {
    const char *ending, *terminal, *unit;
    double scale, font;
    const char *other;
} file_kinds[] = {
    {".svg", "svg", "", 1, 1, "linewidth 1.5 background '#ffffff'"},
    {".pdf", "pdfcairo", "cm", 1. / 60, 2. / 3, "linewidth 1.5"},
    {".png", "pngcairo", "", 1.5, 4. / 3, "linewidth 2.5 background '#ffffff'"},
};

enum { N_FILE_KINDS = sizeof file_kinds / sizeof file_kinds[0] };

static size_t clamp(size_t x, size_t low, size_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Does the user's locale have UTF-8? */
static bool has_utf8(void)
{
    static const char *const variable[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof variable / sizeof variable[0]; i++) {
        const char *value = getenv(variable[i]);
        if (value && value[0])
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8");
    }
    return false;
}

static void text_canvas(FILE *out, struct stj_canvas *canvas)
{
    size_t width, height;
    canvas->unicode = has_utf8();
    if (stj_text_window(out, &width, &height)) {
        width = clamp(width, 51, 161);
        height = clamp(height, 17, 41);
    } else {
        width = 80;
        height = 25;
    }
    canvas->columns = width - 1;
    snprintf(canvas->terminal, sizeof canvas->terminal, "dumb size %zu,%zu noenhanced", width - 1,
             height - 1);
}

void stj_canvas_resize(struct stj_canvas *canvas, size_t width, size_t height, size_t font)
{
    const char *unit = file_kinds[canvas->kind].unit;
    const double scale = file_kinds[canvas->kind].scale;
    snprintf(canvas->terminal, sizeof canvas->terminal,
             "%s size %.6g%s,%.6g%s font 'Helvetica,%.3g' %s", file_kinds[canvas->kind].terminal,
             scale * (double)width, unit, scale * (double)height, unit,
             file_kinds[canvas->kind].font * (double)font, file_kinds[canvas->kind].other);
}

void stj_canvas_measure(struct stj_canvas *canvas, double width, double height, double font)
{
    /* Of an inch, and of a point: cairo takes one of these for 4/3 of its own. */
    const double dots[] = {96, 2.54, 300}, letter[] = {96. / 72, 0.75, 0.75 * 300 / 72};
    const size_t kind = canvas->kind;
    const char *unit = file_kinds[kind].unit;
    width = width > 0 ? width : height > 0 ? 1.6 * height : 16;
    height = height > 0 ? height : width / 1.6;
    font = font > 0 ? font : fmin(fmax(0.625 * width, 7), 12);
    snprintf(canvas->terminal, sizeof canvas->terminal,
             "%s enhanced size %.6g%s,%.6g%s font 'Helvetica,%.4g' fontscale 1 %s",
             file_kinds[kind].terminal, width * dots[kind] / 2.54, unit, height * dots[kind] / 2.54,
             unit, font * letter[kind], kind == 1 ? "linewidth 1" : file_kinds[kind].other);
    canvas->small = width < 12;
}

bool stj_canvas_is_print(const struct stj_canvas *canvas)
{
    return canvas->path && strcmp(file_kinds[canvas->kind].ending, ".pdf") == 0;
}

enum stj_status stj_canvas_of(const char *path, FILE *out, struct stj_canvas *canvas,
                              struct stj_error *err)
{
    *canvas = (struct stj_canvas){.path = path};
    if (!path) {
        text_canvas(out, canvas);
        return STJ_OK;
    }
    size_t length = strlen(path);
    for (size_t i = 0; i < N_FILE_KINDS; i++) {
        size_t n = strlen(file_kinds[i].ending);
        if (length > n && strcasecmp(path + length - n, file_kinds[i].ending) == 0) {
            canvas->kind = i;
            stj_canvas_resize(canvas, 960, 600, 18);
            return STJ_OK;
        }
    }
    return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                         "%s: a figure's name must end in .svg, .pdf or .png", path);
}

enum stj_status stj_gnuplot_script(FILE **script, struct stj_error *err)
{
    *script = tmpfile();
    if (*script)
        return STJ_OK;
    return stj_error_set(err, STJ_EIO, __FILE__, __LINE__,
                         "no temporary file for the figure's data: %s", strerror(errno));
}

static enum stj_status gnuplot_start(int script, int output, int messages, const int *to_close,
                                     pid_t *pid, struct stj_error *err)
{
    char program[] = "gnuplot";
    char defaults[] = "--default-settings"; /* the user's ~/.gnuplot is not ours to obey */
    char *const argv[] = {program, defaults, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
        error = error ? error : posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        error = error ? error : posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
        for (int i = 0; i < 2; i++)
            error = error ? error : posix_spawn_file_actions_addclose(&actions, to_close[i]);
        error = error ? error
                      : posix_spawnp(pid, program, &actions, NULL, argv, stj_system_environment());
        posix_spawn_file_actions_destroy(&actions);
    }
    if (error == ENOENT)
        return not_found(err);
    if (error)
        return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "gnuplot could not be started: %s",
                             strerror(error));
    return STJ_OK;
}

/* Everything that comes through the pipe. */
static enum stj_status collect(int fd, struct drawing *d, struct stj_error *err)
{
    for (;;) {
        if (d->size == d->capacity) {
            size_t larger = d->capacity ? 2 * d->capacity : 65536;
            enum stj_status st = stj_resize(&d->bytes, d->capacity, larger, 1, err);
            if (st != STJ_OK)
                return st;
            d->capacity = larger;
        }
        ssize_t n = read(fd, d->bytes + d->size, d->capacity - d->size);
        if (n == 0)
            return STJ_OK;
        if (n < 0 && errno != EINTR)
            return stj_error_set(err, STJ_EIO, __FILE__, __LINE__,
                                 "gnuplot's drawing could not be read: %s", strerror(errno));
        d->size += n > 0 ? (size_t)n : 0;
    }
}

/* The first line that tells something, without gnuplot's echo of the script. */
static void first_message(FILE *messages, char *text, int size)
{
    text[0] = '\0';
    rewind(messages);
    while (fgets(text, size, messages)) {
        text[strcspn(text, "\n")] = '\0';
        size_t blank = strspn(text, " \t^");
        if (text[blank] && !strstr(text, "gnuplot>"))
            return;
    }
    snprintf(text, (size_t)size, "no message");
}

static enum stj_status finish(pid_t pid, const struct drawing *d, FILE *messages,
                              struct stj_error *err)
{
    int status = 0;
    pid_t done = -1;
    char text[200];
    do {
        done = waitpid(pid, &status, 0);
    } while (done < 0 && errno == EINTR);
    if (done == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 && d->size > 0)
        return STJ_OK;
    if (done == pid && WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return not_found(err); /* posix_spawn may say it so */
    first_message(messages, text, sizeof text);
    return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "gnuplot failed: %s", text);
}

/* *d <- what gnuplot draws. */
static enum stj_status run_gnuplot(FILE *script, struct drawing *d, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    FILE *messages = NULL;
    int ends[2] = {-1, -1};
    pid_t pid = -1;

    STJ_CHECK(err, fflush(script) == 0 && !ferror(script), STJ_EIO,
              "the figure's data could not be written to a temporary file: %s", strerror(errno));
    rewind(script);
    STJ_TRY(stj_gnuplot_script(&messages, err));
    STJ_CHECK(err, pipe(ends) == 0, STJ_EIO, "no pipe for gnuplot: %s", strerror(errno));
    STJ_TRY(gnuplot_start(fileno(script), ends[1], fileno(messages), ends, &pid, err));
    close(ends[1]);
    ends[1] = -1;
    st = collect(ends[0], d, err);
    close(ends[0]); /* after a failure gnuplot must not wait for a reader */
    ends[0] = -1;
    if (st == STJ_OK)
        st = finish(pid, d, messages, err);
    else
        waitpid(pid, NULL, 0);
out:
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
    }
    if (messages)
        fclose(messages);
    return st;
}

/* Where n bytes of a text first stand in a drawing, which may hold zeros; or NULL. */
static const char *find_bytes(const char *bytes, size_t size, const char *text, size_t n)
{
    for (size_t i = 0; i + n <= size; i++)
        if (memcmp(bytes + i, text, n) == 0)
            return bytes + i;
    return NULL;
}

/* d <- with the figure's title where gnuplot has its own name. */
static enum stj_status set_title(struct drawing *d, const char *title, struct stj_error *err)
{
    static const char own[] = "<title>Gnuplot</title>";
    const size_t length = sizeof own - 1;
    const char *at = find_bytes(d->bytes, d->size, own, length);
    STJ_HELD(stj_text_drop) struct stj_text_output text = {0};
    STJ_FREED char *escaped = NULL;
    if (!at || !title[0])
        return STJ_OK;
    STJ_MUST(stj_text_open(&text, err));
    fputs("<title>", text.file);
    stj_html_text(text.file, title);
    fputs("</title>", text.file);
    STJ_MUST(stj_text_take(&text, &escaped, err));
    const size_t head = (size_t)(at - d->bytes), n = strlen(escaped);
    STJ_MUST(stj_resize(&d->bytes, d->capacity, d->size + n, 1, err));
    d->capacity = d->size + n;
    memmove(d->bytes + head + n, d->bytes + head + length, d->size - head - length);
    memcpy(d->bytes + head, escaped, n);
    d->size += n - length;
    return STJ_OK;
}

static enum stj_status write_file(const struct drawing *d, const char *path, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *temporary = NULL;
    FILE *file = NULL;
    STJ_TRY(stj_file_temporary(path, &temporary, err));
    file = stj_file_create_stream(temporary);
    int number = file ? 0 : errno;
    if (file && fwrite(d->bytes, 1, d->size, file) != d->size)
        number = errno ? errno : EIO;
    if (file && fclose(file) != 0 && number == 0)
        number = errno;
    if (number == 0) {
        st = stj_file_commit(temporary, path, err);
    } else {
        if (file)
            remove(temporary);
        st = stj_file_failed(path, "written", number, err);
    }
out:
    free(temporary);
    return st;
}

enum stj_status stj_gnuplot_draw(FILE *script, const struct stj_canvas *canvas, FILE *out,
                                 struct stj_error *err)
{
    struct drawing d = {.bytes = NULL};
    enum stj_status st = run_gnuplot(script, &d, err);
    if (st == STJ_OK && canvas->path)
        st = set_title(&d, canvas->title, err);
    if (st == STJ_OK && canvas->path)
        st = write_file(&d, canvas->path, err);
    else if (st == STJ_OK && fwrite(d.bytes, 1, d.size, out) != d.size)
        st = stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "the figure could not be written");
    free(d.bytes);
    return st;
}
