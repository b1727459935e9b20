/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5.h: result files: HDF5 files that are whole or absent, and verified as they are read.
 *
 * A result file is flat: numbers and short texts are attributes of the root group, named here
 * with an '@' in front ("@n_params"); vectors, matrices and long texts are its data sets.  The
 * data set `manifest` lists all of them with shapes and checksums (io/manifest.h);
 * `NAME_crc32` holds the checksums of the rows of matrix NAME, so that some rows can be read
 * without the others.  Every value that a function here returns was compared with its checksum.
 *
 * HDF5 is never allowed to print.  One thread at a time.
 */
#ifndef STJ_IO_H5_H
#define STJ_IO_H5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

#include "base/memory.h"

/* One kind of result file; static. */
struct stj_h5_format {
    const char
        *name; /* "spectraj-trajectory": the attribute `format`; NULL, reading: any of ours */
    unsigned version; /* newest that this library reads, and what it writes: attribute `version` */
    const char *remedy; /* "train again with --force": ends the messages about damaged files */
};

struct stj_h5;

/* *file <- a new file, written under a temporary name until stj_h5_commit gives it `path`. */
enum stj_status stj_h5_create(const char *path, const struct stj_h5_format *format,
                              struct stj_h5 **file, struct stj_error *err);

/* *file <- an existing file, to be read.  STJ_EIO when it cannot be opened; STJ_EFORMAT when it
 * is truncated, damaged, foreign or of a newer version.  Every byte was compared with the
 * header's checksum then, a piece at a time and before HDF5 sees the file: whoever only asks
 * whether a file is undamaged opens it, and need not read its items. */
enum stj_status stj_h5_open(const char *path, const struct stj_h5_format *format,
                            struct stj_h5 **file, struct stj_error *err);

/* Finish a new file: manifest, sync, rename.  The handle is destroyed whatever happens; on failure
 * nothing is left behind. */
enum stj_status stj_h5_commit(struct stj_h5 *file, struct stj_error *err);

/* Close a file that was opened, or give up one that was created; NULL is accepted. */
void stj_h5_close(struct stj_h5 *file);
STJ_HOLDS(struct stj_h5, stj_h5_close)

/* Writing.  A failure names the path and the reason (a full disk); after it only stj_h5_close makes
 * sense. */
enum stj_status stj_h5_put_unsigned(struct stj_h5 *file, const char *name, uint64_t value,
                                    struct stj_error *err);
enum stj_status stj_h5_put_real(struct stj_h5 *file, const char *name, double value,
                                struct stj_error *err);
enum stj_status stj_h5_put_text(struct stj_h5 *file, const char *name, const char *text,
                                struct stj_error *err);
enum stj_status stj_h5_put_vector(struct stj_h5 *file, const char *name, size_t n,
                                  const double *value, struct stj_error *err);
enum stj_status stj_h5_put_unsigneds(struct stj_h5 *file, const char *name, size_t n,
                                     const uint64_t *value, struct stj_error *err);
/* A matrix [rows][cols]; its rows are to be written once each, in any pieces; rows of `value` are
 * `ld` apart. */
enum stj_status stj_h5_put_matrix(struct stj_h5 *file, const char *name, size_t rows, size_t cols,
                                  struct stj_error *err);
enum stj_status stj_h5_put_rows(struct stj_h5 *file, const char *name, size_t first, size_t count,
                                const double *value, size_t ld, struct stj_error *err);

/* Name the dimensions of a data set that was put, and say what it is: the netCDF attributes
 * `units` and `long_name` (NULL: none).  Dimensions of one name are one HDF5 dimension scale,
 * which all data sets with that dimension share; a vector of that name that was put before holds
 * its coordinates.  A name used with two lengths is STJ_EINTERNAL.  Data sets that are not
 * described get dimensions of their own; texts have none, and of an attribute nothing is
 * written. */
enum stj_status stj_h5_describe(struct stj_h5 *file, const char *name, size_t n_dims,
                                const char *const *dim, const char *unit, const char *doc,
                                struct stj_error *err);

/* Is there a dimension of that name, of another length? */
bool stj_h5_dimension_differs(struct stj_h5 *file, const char *name, size_t n);

/* STJ_EFORMAT unless `name` is a vector of `rows` (cols 1) or a matrix [rows][cols] and the file is
 * large enough to hold it: to be asked before memory is allocated for sizes that a file claims. */
enum stj_status stj_h5_expect(struct stj_h5 *file, const char *name, size_t rows, size_t cols,
                              struct stj_error *err);

/* The checksum of all that a file which was opened holds: what tells two of one name apart. */
uint32_t stj_h5_get_crc(const struct stj_h5 *file);

/* What an open file holds: item i, false past the last.  A number has 1 row and column, a vector
 * 1 column. */
enum stj_h5_item_kind { STJ_H5_REAL, STJ_H5_UNSIGNED, STJ_H5_TEXT, STJ_H5_MATRIX };
struct stj_h5_item_info {
    const char *name; /* borrowed */
    enum stj_h5_item_kind kind;
    size_t rows, cols;
};
bool stj_h5_item_at(const struct stj_h5 *file, size_t i, struct stj_h5_item_info *info);
bool stj_h5_has(const struct stj_h5 *file, const char *name);

/* Reading.  STJ_EFORMAT when an item is missing, of another type or shape than expected, or does
 * not have its checksum. */
enum stj_status stj_h5_get_unsigned(struct stj_h5 *file, const char *name, uint64_t *value,
                                    struct stj_error *err);
enum stj_status stj_h5_get_size(struct stj_h5 *file, const char *name, size_t *value,
                                struct stj_error *err);
enum stj_status stj_h5_get_real(struct stj_h5 *file, const char *name, double *value,
                                struct stj_error *err);
/* *text is owned by the caller. */
enum stj_status stj_h5_get_text(struct stj_h5 *file, const char *name, char **text,
                                struct stj_error *err);
enum stj_status stj_h5_get_vector(struct stj_h5 *file, const char *name, size_t n, double *value,
                                  struct stj_error *err);
enum stj_status stj_h5_get_unsigneds(struct stj_h5 *file, const char *name, size_t n,
                                     uint64_t *value, struct stj_error *err);
enum stj_status stj_h5_get_rows(struct stj_h5 *file, const char *name, size_t first, size_t count,
                                size_t cols, double *value, size_t ld, struct stj_error *err);

/* crc[rows] <- the checksums of the rows of a matrix, verified. */
enum stj_status stj_h5_get_row_crc(struct stj_h5 *file, const char *name, size_t rows,
                                   uint64_t *crc, struct stj_error *err);

/* Rows of a matrix, read without HDF5 where its layout allows: the file may be closed meanwhile,
 * and several threads may read at once. */
struct stj_h5_rows;
enum stj_status stj_h5_rows_open(struct stj_h5 *file, const char *name, struct stj_h5_rows **rows,
                                 struct stj_error *err);
void stj_h5_rows_close(struct stj_h5_rows *rows); /* NULL is accepted */

/* value[cols] <- a row, verified. */
enum stj_status stj_h5_rows_read(const struct stj_h5_rows *rows, size_t row, double *value,
                                 struct stj_error *err);

/* Rows that will be wanted soon: the system may begin to read them. */
void stj_h5_rows_ahead(const struct stj_h5_rows *rows, size_t first, size_t count);

/* Whatever the caller finds inconsistent in a file: STJ_EFORMAT "PATH: what; remedy". */
enum stj_status stj_h5_refuse(const struct stj_h5 *file, struct stj_error *err, const char *format,
                              ...) __attribute__((format(printf, 3, 4)));

#endif
