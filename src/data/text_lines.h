/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/text_lines.h: a text file line by line, plain or compressed with gzip. */
#ifndef STJ_DATA_TEXT_LINES_H
#define STJ_DATA_TEXT_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

struct stj_text_lines;

enum stj_status stj_text_lines_open(const char *path, struct stj_text_lines **lines,
                                    struct stj_error *err);
void stj_text_lines_close(struct stj_text_lines *lines); /* NULL is accepted */

/* *line <- the next line without its end ("\n" or "\r\n") and the mark of UTF-8 before the first,
 * valid until the next call, to be changed freely; NULL after the last.  A line with a NUL byte, one
 * longer than 64 MiB, UTF-16 and a damaged compressed stream are errors. */
enum stj_status stj_text_lines_next(struct stj_text_lines *lines, char **line,
                                    struct stj_error *err);

/* The number of the line returned last, from 1. */
size_t stj_text_lines_number(const struct stj_text_lines *lines);

/* Cut blanks off both ends of a text, in place; returns its new beginning. */
char *stj_text_trim(char *text);

/* excerpt <- the beginning of a text for a message. */
enum { STJ_EXCERPT_MAX = 44 };
void stj_text_excerpt(const char *text, char excerpt[STJ_EXCERPT_MAX]);

#endif
