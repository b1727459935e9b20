/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/csv.c: comma-separated numbers, plain or compressed with gzip.
 *
 * Every line has the same number of cells and every cell is a finite number; blanks around a cell
 * do not count.  A first line without a single number in it is a header and is skipped.  There are
 * no quotes, comments or empty lines.
 */
#include <assert.h>
#include <stdint.h>
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
    return stj_path_ends_in(path, ".csv") || stj_path_ends_in(path, ".csv.gz");
}

/* The cell at *rest, cut out and trimmed; *rest moves behind its comma, to NULL after the last. */
static char *next_cell(char **rest)
{
    char *cell = *rest;
    assert(cell); /* the commas were counted */
    char *comma = strchr(cell, ',');
    if (comma)
        *comma = '\0';
    *rest = comma ? comma + 1 : NULL;
    return stj_text_trim(cell);
}

static size_t count_cells(const char *line)
{
    size_t n = 1;
    for (; *line; line++)
        n += *line == ',';
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

/* True when no cell of the line could be meant as a number; the line is left as it was. */
static bool is_header(const char *line)
{
    char cell[64];
    while (line) {
        const char *comma = strchr(line, ',');
        size_t n = comma ? (size_t)(comma - line) : strlen(line);
        if (n < sizeof cell) { /* a longer one is no number of ours; read_line will judge it */
            memcpy(cell, line, n);
            cell[n] = '\0';
            char *bare = stj_text_trim(cell);
            if (is_number(bare) || is_nonfinite(bare))
                return false;
        }
        line = comma ? comma + 1 : NULL;
    }
    return true;
}

/* row[cols] <- the cells of a line. */
static enum stj_status read_line(const char *path, size_t number, char *line, size_t cols,
                                 double *row, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char excerpt[STJ_EXCERPT_MAX];
    for (size_t j = 0; j < cols; j++) {
        char *cell = next_cell(&line);
        if (stj_number_real(cell, &row[j]))
            continue;
        STJ_CHECK(err, cell[0] != '\0', STJ_EFORMAT,
                  "%s:%zu:%zu: cell %zu of the line is empty; expected a number", path, number,
                  j + 1, j + 1);
        stj_text_excerpt(cell, excerpt);
        STJ_CHECK(err, false, is_nonfinite(cell) ? STJ_ENONFINITE : STJ_EFORMAT,
                  "%s:%zu:%zu: expected a finite number in cell %zu of the line, got '%s'", path,
                  number, j + 1, j + 1, excerpt);
    }
out:
    return st;
}

/* Make room for one more row. */
static enum stj_status grow_matrix(struct stj_matrix *matrix, size_t *capacity,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (matrix->rows < *capacity)
        goto out;
    size_t larger = *capacity ? 2 * *capacity : 64;
    size_t old_size = 0, size = 0;
    STJ_TRY(stj_size_mul(*capacity, matrix->cols, &old_size, err));
    STJ_TRY(stj_size_mul(larger, matrix->cols, &size, err));
    STJ_TRY(stj_resize(&matrix->data, old_size, size, sizeof *matrix->data, err));
    *capacity = larger;
out:
    return st;
}

/* Spreadsheets put a byte order mark in front of UTF-8 text. */
static char *skip_mark(char *line)
{
    return strncmp(line, "\xEF\xBB\xBF", 3) == 0 ? line + 3 : line;
}

/* Append a line to the matrix; the first one decides the number of columns. */
static enum stj_status add_line(const char *path, size_t number, char *line,
                                struct stj_matrix *matrix, size_t *capacity, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t cells = count_cells(line);
    if (number == 1) {
        line = skip_mark(line);
        matrix->cols = cells;
        if (line[0] != '\0' && is_header(line))
            goto out;
    }
    STJ_CHECK(err, line[0] != '\0', STJ_EFORMAT, "%s:%zu:1: the line is empty", path, number);
    STJ_CHECK(
        err, cells == matrix->cols, STJ_EFORMAT,
        "%s:%zu:%zu: the line has %zu cells, line 1 has %zu; every line needs the same number",
        path, number, cells, cells, matrix->cols);
    STJ_TRY(grow_matrix(matrix, capacity, err));
    STJ_TRY(read_line(path, number, line, cells, matrix->data + matrix->rows * cells, err));
    matrix->rows++;
out:
    return st;
}

static enum stj_status csv_read(const char *path, struct stj_matrix *matrix, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_text_lines *lines = NULL;
    char *line = NULL;
    size_t capacity = 0;
    STJ_TRY(stj_text_lines_open(path, &lines, err));
    for (;;) {
        STJ_TRY(stj_text_lines_next(lines, &line, err));
        if (!line)
            break;
        STJ_TRY(add_line(path, stj_text_lines_number(lines), line, matrix, &capacity, err));
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
    .accepts = csv_accepts,
    .read = csv_read,
};
