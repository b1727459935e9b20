/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/text.h: text of others, which may hold what a terminal takes as a command. */
#ifndef STJ_BASE_TEXT_H
#define STJ_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <spectraj/status.h>

/* *code <- the character at p; returns its bytes (1 for a byte that is not valid UTF-8, which is
 * then the code). */
size_t stj_text_decode(const char *p, unsigned *code);

/* Is it a control character, of ASCII (ESC), of its continuation (CSI) or of Unicode: line ends and
 * what turns the direction of text? */
bool stj_text_is_control(unsigned code);

/* Each control character of the text becomes '?', but for line feeds where they are kept. */
void stj_text_clean(char *text, bool keep_lines);

/* A text that is written as a file is, to be declared with STJ_HELD(stj_text_drop). */
struct stj_text_output {
    FILE *file;
    char *buffer;
    size_t size;
};
enum stj_status stj_text_open(struct stj_text_output *output, struct stj_error *err);
void stj_text_drop(struct stj_text_output *output);

/* *text <- what was written, to be released with free(). */
enum stj_status stj_text_take(struct stj_text_output *output, char **text, struct stj_error *err);

/* Write a word of a command that one may paste: between single quotes where a shell would not take it
 * as one word. */
void stj_text_word(FILE *out, const char *value);

/* The one way for tables and lists to a stream of the caller's, often a terminal: what is printed
 * between the two goes through stj_text_clean.  stj_text_begin: NULL when there is no memory, which
 * stj_text_end then says. */
FILE *stj_text_begin(struct stj_text_output *output);
enum stj_status stj_text_end(struct stj_text_output *output, FILE *out, struct stj_error *err);

/* The same where each line is a row of its own: one of more than 80 characters, or than the
 * terminal has columns, goes on in lines below it. */
enum stj_status stj_text_end_rows(struct stj_text_output *output, FILE *out, struct stj_error *err);

/* The size of the terminal that `out` goes to; false where it is none. */
bool stj_text_window(FILE *out, size_t *columns, size_t *rows);

#endif
