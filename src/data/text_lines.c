/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/text_lines.c: lines of a text file, without what editors and spreadsheets put around them. */
#include "data/text_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/byte_stream.h"

enum { CHUNK = 1 << 16, MAX_LINE = 64 << 20 };

struct stj_text_lines {
    struct stj_byte_stream *stream;
    char *path;
    char *chunk; /* [CHUNK]: what was read and not yet handed out is chunk[begin..end) */
    size_t begin, end;
    char *line; /* [capacity] */
    size_t capacity;
    size_t number;
};

enum stj_status stj_text_lines_open(const char *path, struct stj_text_lines **lines,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_text_lines *t = NULL;
    enum stj_packing packing = STJ_PACKING_NONE;
    *lines = NULL;
    STJ_TRY(stj_new(&t, 1, sizeof *t, err));
    STJ_TRY(stj_strdup(&t->path, path, err));
    STJ_TRY(stj_new(&t->chunk, CHUNK, 1, err));
    t->capacity = 256;
    STJ_TRY(stj_new(&t->line, t->capacity, 1, err));
    STJ_TRY(stj_byte_stream_open_file(path, &t->stream, &packing, err));
    *lines = t;
    t = NULL;
out:
    stj_text_lines_close(t);
    return st;
}

void stj_text_lines_close(struct stj_text_lines *lines)
{
    if (!lines)
        return;
    stj_byte_stream_close(lines->stream);
    free(lines->path);
    free(lines->chunk);
    free(lines->line);
    free(lines);
}

size_t stj_text_lines_number(const struct stj_text_lines *lines)
{
    return lines->number;
}

/* Read the next chunk; end == 0 at the end of the file.  Spreadsheets put a byte order mark in front
 * of UTF-8, which is no part of the first line. */
static enum stj_status fill_chunk(struct stj_text_lines *t, struct stj_error *err)
{
    const bool is_first = t->end == 0;
    STJ_MUST(stj_byte_stream_read_some(t->stream, t->chunk, CHUNK, &t->end, err));
    t->begin = 0;
    if (!is_first)
        return STJ_OK;
    if (t->end >= 3 && memcmp(t->chunk, "\xEF\xBB\xBF", 3) == 0)
        t->begin = 3;
    STJ_NEED(err,
             t->end < 2 ||
                 (memcmp(t->chunk, "\xFF\xFE", 2) != 0 && memcmp(t->chunk, "\xFE\xFF", 2) != 0),
             STJ_EFORMAT, "%s: the text is UTF-16; save it as UTF-8", t->path);
    return STJ_OK;
}

/* Append chunk[begin..begin + n) to the line of `length` characters. */
static enum stj_status append_chunk(struct stj_text_lines *t, size_t *length, size_t n,
                                    struct stj_error *err)
{
    STJ_NEED(err, *length + n <= MAX_LINE, STJ_EFORMAT,
             "%s:%zu: the line is longer than %d bytes; is this a text file?", t->path, t->number,
             (int)MAX_LINE);
    if (*length + n + 1 > t->capacity) {
        size_t larger = 2 * (*length + n + 1);
        STJ_MUST(stj_resize(&t->line, t->capacity, larger, 1, err));
        t->capacity = larger;
    }
    memcpy(t->line + *length, t->chunk + t->begin, n);
    *length += n;
    t->begin += n;
    t->line[*length] = '\0';
    return STJ_OK;
}

enum stj_status stj_text_lines_next(struct stj_text_lines *t, char **line, struct stj_error *err)
{
    size_t length = 0;
    bool complete = false;
    *line = NULL;
    t->number++;
    t->line[0] = '\0';
    while (!complete) {
        if (t->begin == t->end)
            STJ_MUST(fill_chunk(t, err));
        if (t->end == 0)
            break;
        const char *rest = t->chunk + t->begin;
        const char *newline = memchr(rest, '\n', t->end - t->begin);
        STJ_MUST(
            append_chunk(t, &length, newline ? (size_t)(newline - rest) : t->end - t->begin, err));
        complete = newline != NULL;
        t->begin += complete; /* step over the newline */
    }
    if (!complete && length == 0)
        return STJ_OK;
    STJ_NEED(err, strlen(t->line) == length, STJ_EFORMAT,
             "%s:%zu: the line holds a NUL byte; is this a text file?", t->path, t->number);
    if (length > 0 && t->line[length - 1] == '\r')
        t->line[length - 1] = '\0';
    STJ_NEED(err, !strchr(t->line, '\r'), STJ_EFORMAT,
             "%s:%zu: a carriage return stands inside of the line; save the text with lines that "
             "end in LF or CRLF",
             t->path, t->number);
    *line = t->line;
    return STJ_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

char *stj_text_trim(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && is_blank(text[n - 1]))
        n--;
    text[n] = '\0';
    while (is_blank(*text))
        text++;
    return text;
}

void stj_text_excerpt(const char *text, char excerpt[STJ_EXCERPT_MAX])
{
    const int room = STJ_EXCERPT_MAX - 4;
    snprintf(excerpt, STJ_EXCERPT_MAX, "%.*s%s", room, text,
             strlen(text) > (size_t)room ? "..." : "");
}
