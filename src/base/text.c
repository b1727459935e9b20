/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/text.c: text of others without control characters. */
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

size_t stj_text_decode(const char *p, unsigned *code)
{
    static const unsigned char mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)p;
    const size_t n = byte[0] >= 0xF0 ? 4 : byte[0] >= 0xE0 ? 3 : byte[0] >= 0xC0 ? 2 : 1;
    bool valid = byte[0] < 0x80 || n > 1;
    *code = byte[0] & mask[n];
    for (size_t i = 1; valid && i < n; i++) {
        valid = (byte[i] & 0xC0) == 0x80;
        *code = *code << 6 | (byte[i] & 0x3Fu);
    }
    if (valid && *code >= least[n] && *code <= 0x10FFFF)
        return n;
    *code = byte[0];
    return 1;
}

bool stj_text_is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) ||
           code == 0xFEFF;
}

void stj_text_clean(char *text, bool keep_lines)
{
    char *to = text;
    for (size_t n = 0; *text; text += n) {
        unsigned code = 0;
        n = stj_text_decode(text, &code);
        if (stj_text_is_control(code) && !(keep_lines && code == '\n')) {
            *to++ = '?';
            continue;
        }
        memmove(to, text, n);
        to += n;
    }
    *to = '\0';
}

FILE *stj_text_begin(struct stj_text_output *output)
{
    *output = (struct stj_text_output){0};
    output->file = open_memstream(&output->buffer, &output->size);
    return output->file;
}

enum stj_status stj_text_open(struct stj_text_output *output, struct stj_error *err)
{
    STJ_NEED(err, stj_text_begin(output), STJ_ENOMEM, "no memory for a text: %s", strerror(errno));
    return STJ_OK;
}

void stj_text_drop(struct stj_text_output *output)
{
    if (output->file)
        fclose(output->file);
    free(output->buffer);
    *output = (struct stj_text_output){0};
}

enum stj_status stj_text_take(struct stj_text_output *output, char **text, struct stj_error *err)
{
    bool lost = !output->file || ferror(output->file);
    lost = (output->file && fclose(output->file) != 0) || lost || !output->buffer;
    *text = lost ? NULL : output->buffer;
    output->file = NULL;
    if (!lost)
        output->buffer = NULL;
    stj_text_drop(output);
    STJ_NEED(err, !lost, STJ_ENOMEM, "no memory for a text");
    return STJ_OK;
}

enum stj_status stj_text_end(struct stj_text_output *output, FILE *out, struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    STJ_MUST(stj_text_take(output, &text, err));
    stj_text_clean(text, true);
    STJ_NEED(err, fputs(text, out) != EOF && !ferror(out), STJ_EIO,
             "the report could not be written");
    return STJ_OK;
}

bool stj_text_window(FILE *out, size_t *columns, size_t *rows)
{
    struct winsize window = {.ws_col = 0};
    const int fd = out ? fileno(out) : -1;
    const bool known = fd >= 0 && isatty(fd) && ioctl(fd, TIOCGWINSZ, &window) == 0;
    *columns = window.ws_col;
    *rows = window.ws_row;
    return known && *columns > 0 && *rows > 0;
}

enum { ROW = 80, LEAST_ROW = 40, LABEL = 16 };

/* Where the rest of a row is indented: below what follows its label where it has one. */
static size_t indent_of(const char *row)
{
    const char *gap = strstr(row, "  ");
    const size_t text = gap ? (size_t)(gap - row) + strspn(gap, " ") : LABEL;
    return text < LABEL && row[0] != ' ' ? text : strspn(row, " ") + 4;
}

/* The bytes of a row's first `width` characters up to a gap between columns, or up to a blank where
 * there is none behind a third of them; all n where nothing need or can be broken.  A command that
 * one may paste is not broken. */
static size_t break_of(const char *row, size_t n, size_t width)
{
    static const char command[] = ": spectraj ";
    size_t column = strspn(row, " "), word = 0, gap = 0;
    bool pasted = strncmp(row, command + 2, strlen(command) - 2) == 0;
    for (size_t i = column; i < n; i++) {
        const bool blank = row[i] == ' ' && row[i - 1] != ' ' && !pasted;
        column += ((unsigned char)row[i] & 0xC0) != 0x80;
        if (blank)
            word = i;
        if (blank && row[i + 1] == ' ' && column > width / 3)
            gap = i;
        if (column > width && word > 0)
            return gap > 0 ? gap : word;
        pasted = pasted || strncmp(row + i - (i > 0), command, strlen(command)) == 0;
    }
    return n;
}

static void text_print_row(FILE *out, const char *row, size_t n, size_t width)
{
    const size_t indent = indent_of(row);
    size_t broken = break_of(row, n, width);
    fprintf(out, "%.*s\n", (int)broken, row);
    while (broken < n) {
        row += broken + strspn(row + broken, " ");
        n = strcspn(row, "\n");
        broken = break_of(row, n, width - indent);
        fprintf(out, "%*s%.*s\n", (int)indent, "", (int)broken, row);
    }
}

enum stj_status stj_text_end_rows(struct stj_text_output *output, FILE *out, struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    size_t width = 0, height = 0;
    if (!stj_text_window(out, &width, &height) || width > ROW)
        width = ROW;
    width = width < LEAST_ROW ? LEAST_ROW : width;
    STJ_MUST(stj_text_take(output, &text, err));
    stj_text_clean(text, true);
    for (const char *row = text; *row; row += strspn(row, "\n") > 0) {
        const size_t n = strcspn(row, "\n");
        text_print_row(out, row, n, width);
        row += n;
    }
    STJ_NEED(err, !ferror(out), STJ_EIO, "the report could not be written");
    return STJ_OK;
}

void stj_text_word(FILE *out, const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./,:=%@";
    if (*value && strspn(value, plain) == strlen(value)) {
        fputs(value, out);
        return;
    }
    fputc('\'', out);
    for (const char *c = value; *c; c++)
        fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, out);
    fputc('\'', out);
}
