/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/named_arrays.h: a data file of any format as a list of arrays with names.
 *
 * Opening reads the file's table of contents and compares the sizes that it states with the file's
 * length; values are read when asked for, all at once or some rows at a time, always as doubles in
 * row-major order, and every one is finite.  Formats without names (CSV, IDX, NPY) are one array
 * with the name "".  In a config an array is written FILE or FILE:NAME.
 */
#ifndef STJ_DATA_NAMED_ARRAYS_H
#define STJ_DATA_NAMED_ARRAYS_H

#include <stdbool.h>

#include "base/memory.h"
#include "data/matrix.h"

struct stj_array {
    const char *name; /* HDF5: the path without the leading slash; NPZ: without ".npy" */
    size_t n_dims;
    size_t shape[STJ_MATRIX_MAX_DIMS];
    size_t rows, cols;   /* the first dimension (1 without any) and the product of the others */
    const char *problem; /* why it cannot be read, or NULL */
};

struct stj_arrays;

/* *arrays <- the contents of a file. */
enum stj_status stj_arrays_open(const char *path, struct stj_arrays **arrays,
                                struct stj_error *err);
void stj_arrays_close(struct stj_arrays *arrays); /* NULL is accepted */
STJ_HOLDS(struct stj_arrays, stj_arrays_close)

const char *stj_arrays_path(const struct stj_arrays *arrays);
size_t stj_arrays_count(const struct stj_arrays *arrays);
const struct stj_array *stj_arrays_get(const struct stj_arrays *arrays, size_t i);

/* *i <- the number of an array; NULL or "": of the only one.  Errors name the nearest name, or
 * list the names.  A leading slash makes no difference.  A name that two arrays have (a zip archive
 * can hold them) is refused: readers differ in which they take.  Pointers to arrays that were got
 * before are not valid afterwards. */
enum stj_status stj_arrays_find(struct stj_arrays *arrays, const char *name, size_t *i,
                                struct stj_error *err);

/* See that the file really holds what it announces of array i, whole and undamaged, before memory
 * is allocated for its values; stj_arrays_read does so itself. */
enum stj_status stj_arrays_verify(struct stj_arrays *arrays, size_t i, struct stj_error *err);

/* values[n][cols] <- rows first .. first + n - 1 of array i.  Rows in ascending order cost one pass
 * over a packed file, each step back another; any rows of an array in Fortran order cost a pass. */
enum stj_status stj_arrays_read_rows(struct stj_arrays *arrays, size_t i, size_t first, size_t n,
                                     double *values, struct stj_error *err);

/* matrix <- the whole array i; one without values is refused. */
enum stj_status stj_arrays_read(struct stj_arrays *arrays, size_t i, struct stj_matrix *matrix,
                                struct stj_error *err);

/* *arrays <- the file that the text FILE or FILE:NAME means, *is_named tells which, and then
 * *i <- the array of that name.  A file whose whole name is the text comes first. */
enum stj_status stj_arrays_open_file(const char *text, struct stj_arrays **arrays, size_t *i,
                                     bool *is_named, struct stj_error *err);

/* Does the text FILE or FILE:NAME mean a file that is there? */
bool stj_arrays_exist(const char *text);

/* The same with *i <- the only array where the text is a FILE. */
enum stj_status stj_arrays_open_one(const char *text, struct stj_arrays **arrays, size_t *i,
                                    struct stj_error *err);

#endif
