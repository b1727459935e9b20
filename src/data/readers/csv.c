/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/csv.c: comma-separated numbers, plain or compressed with gzip.
 *
 * Every line has the same number of cells and every cell is a finite number; blanks around a cell
 * do not count, nor do the quotes of RFC 4180.  Blank lines may stand at the end.  The first line is
 * one of headings, and skipped, where no cell is a number, or where words stand beside ascending
 * whole numbers as pandas writes them (0,1,2,label).  Everything else that is no number is refused:
 * a first row with a spoilt cell must not be lost as a heading.
 */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "data/reader.h"
#include "data/text_lines.h"

static bool csv_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    (void)head;
    (void)n_head;
    return stj_path_ends_in(path, ".csv");
}

/* Where a cell ends: at a comma that is not in quotes, or at the end of the line. */
static char *cell_end(char *cell)
{
    char *p = cell + strspn(cell, " \t");
    if (*p == '"')
        for (p++; *p && !(*p == '"' && p[1] != '"'); p++)
            p += *p == '"'; /* two are one quote inside */
    return p + strcspn(p, ",");
}

/* The quotes around a trimmed cell are cut off, "" in it becomes ". */
static char *drop_quotes(char *cell)
{
    const size_t n = strlen(cell);
    if (n < 2 || cell[0] != '"' || cell[n - 1] != '"')
        return cell;
    cell[n - 1] = '\0';
    char *to = ++cell;
    for (const char *from = cell; *from; from += from[0] == '"' && from[1] == '"' ? 2 : 1)
        *to++ = *from;
    *to = '\0';
    return stj_text_trim(cell);
}

/* The cell at *rest, cut out; *rest moves behind its comma, to NULL after the last. */
static char *next_cell(char **rest)
{
    char *cell = *rest;
    assert(cell); /* the commas were counted */
    char *end = cell_end(cell);
    *rest = *end ? end + 1 : NULL;
    *end = '\0';
    return drop_quotes(stj_text_trim(cell));
}

static size_t count_cells(char *line)
{
    size_t n = 1;
    for (char *end = cell_end(line); *end; end = cell_end(end + 1))
        n++;
    return n;
}

static bool is_number(const char *cell)
{
    double value = 0;
    return stj_number_real(cell, &value);
}

/* "nan", "-inf" and numbers beyond the range of a double: meant as numbers, never as a heading. */
static bool is_nonfinite(const char *cell)
{
    static const char *const spelling[] = {"nan", "na", "inf", "infinity"};
    const char *bare = cell + (*cell == '-' || *cell == '+');
    size_t n = strlen(bare);
    for (size_t i = 0; i < sizeof spelling / sizeof spelling[0]; i++)
        if (n == strlen(spelling[i]) && stj_path_ends_in(bare, spelling[i]))
            return true;
    return *bare >= '0' && *bare <= '9' && bare[strspn(bare, "0123456789.eE+-")] == '\0';
}

static bool begins_word(const char *cell)
{
    const unsigned char c = (unsigned char)cell[0];
    return isalpha(c) || c == '_' || c >= 0x80;
}

/* Are these the cells of a line of headings?  The line is spoilt by the question. */
static bool is_heading(char *line)
{
    size_t n_numbers = 0;
    size_t n_words = 0;
    uint64_t last = 0;
    bool could_be_mixed = true;
    while (line) {
        const char *cell = next_cell(&line);
        uint64_t whole = 0;
        if (stj_number_unsigned(cell, &whole)) {
            could_be_mixed = could_be_mixed && (n_numbers == 0 || whole > last);
            last = whole;
            n_numbers++;
        } else if (is_number(cell) || is_nonfinite(cell)) {
            return false;
        } else {
            could_be_mixed = could_be_mixed && begins_word(cell);
            n_words++;
        }
    }
    return n_words > 0 && (n_numbers == 0 || could_be_mixed);
}

/* "; ..." where a line or cell looks as if something else than commas were between its cells. */
static const char *hint_separator(const char *text)
{
    if (strchr(text, ';'))
        return "; its cells are separated by semicolons, they must be by commas";
    if (strchr(text, '\t'))
        return "; its cells are separated by tabs, they must be by commas";
    return "";
}

/* row[cols] <- the cells of a line. */
static enum stj_status read_line(const char *path, size_t number, char *line, size_t cols,
                                 double *row, struct stj_error *err)
{
    char excerpt[STJ_EXCERPT_MAX];
    for (size_t j = 0; j < cols; j++) {
        char *cell = next_cell(&line);
        if (stj_number_real(cell, &row[j]))
            continue;
        STJ_NEED(err, cell[0] != '\0', STJ_EFORMAT,
                 "%s:%zu:%zu: cell %zu of the line is empty; expected a number", path, number,
                 j + 1, j + 1);
        stj_text_excerpt(cell, excerpt);
        STJ_NEED(err, false, is_nonfinite(cell) ? STJ_ENONFINITE : STJ_EFORMAT,
                 "%s:%zu:%zu: expected a finite number in cell %zu of the line, got '%s'%s", path,
                 number, j + 1, j + 1, excerpt, hint_separator(cell));
    }
    return STJ_OK;
}

/* Make room for one more row. */
static enum stj_status grow_matrix(struct stj_matrix *matrix, size_t *capacity,
                                   struct stj_error *err)
{
    if (matrix->rows < *capacity)
        return STJ_OK;
    size_t larger = *capacity ? 2 * *capacity : 64;
    size_t old_size = 0, size = 0;
    STJ_MUST(stj_size_mul(*capacity, matrix->cols, &old_size, err));
    STJ_MUST(stj_size_mul(larger, matrix->cols, &size, err));
    STJ_MUST(stj_resize(&matrix->data, old_size, size, sizeof *matrix->data, err));
    *capacity = larger;
    return STJ_OK;
}

/* The first line decides the number of columns; *heading <- it holds no row. */
static enum stj_status look_at_first(const char *path, const char *line, struct stj_matrix *matrix,
                                     bool *heading, struct stj_error *err)
{
    STJ_FREED char *copy = NULL;
    STJ_MUST(stj_strdup(&copy, line, err));
    matrix->cols = count_cells(copy);
    const bool empty = copy + strspn(copy, " \t\"") == cell_end(copy);
    *heading = is_heading(copy);
    STJ_NEED(err, matrix->cols == 1 || !empty, STJ_EFORMAT,
             "%s:1:1: the first cell is empty: a number is missing, or it is the heading of an "
             "index, which is no data (pandas leaves it out with to_csv(index=False))",
             path);
    return STJ_OK;
}

/* Append a line to the matrix. */
static enum stj_status add_line(const char *path, size_t number, char *line,
                                struct stj_matrix *matrix, size_t *capacity, struct stj_error *err)
{
    const size_t cells = count_cells(line);
    bool heading = false;
    if (number == 1)
        STJ_MUST(look_at_first(path, line, matrix, &heading, err));
    if (heading)
        return STJ_OK;
    STJ_NEED(
        err, cells == matrix->cols, STJ_EFORMAT,
        "%s:%zu:%zu: the line has %zu cells, line 1 has %zu; every line needs the same number%s",
        path, number, cells, cells, matrix->cols, hint_separator(line));
    STJ_MUST(grow_matrix(matrix, capacity, err));
    STJ_MUST(read_line(path, number, line, cells, matrix->data + matrix->rows * cells, err));
    matrix->rows++;
    return STJ_OK;
}

/* Blank lines may stand at the end alone: between rows one may be a value that was left out. */
static enum stj_status csv_read(const char *path, struct stj_matrix *matrix, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_text_lines *lines = NULL;
    char *line = NULL;
    size_t capacity = 0;
    size_t blank = 0; /* the first of the blank lines before this one; 0: none */
    STJ_TRY(stj_text_lines_open(path, &lines, err));
    for (;;) {
        STJ_TRY(stj_text_lines_next(lines, &line, err));
        const size_t number = stj_text_lines_number(lines);
        const bool is_blank = line && line[strspn(line, " \t")] == '\0';
        STJ_CHECK(err, blank == 0 || is_blank || (!line && blank > 1), STJ_EFORMAT,
                  "%s:%zu:1: the line is empty", path, blank);
        if (!line)
            break;
        if (!is_blank)
            STJ_TRY(add_line(path, number, line, matrix, &capacity, err));
        else if (blank == 0)
            blank = number;
    }
    matrix->n_dims = 2;
    matrix->shape[0] = matrix->rows;
    matrix->shape[1] = matrix->cols;
out:
    stj_text_lines_close(lines);
    return st;
}

extern const struct stj_reader stj_reader_csv;
const struct stj_reader stj_reader_csv = {
    .info = {.name = "csv", .doc = "comma-separated numbers, .csv or .csv.gz"},
    .unpacks = true,
    .accepts = csv_accepts,
    .read = csv_read,
};
