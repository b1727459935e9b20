/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_file.h: inside a result file; for io/h5*.c only. */
#ifndef STJ_IO_H5_FILE_H
#define STJ_IO_H5_FILE_H

#include <stdbool.h>

#include "io/h5.h"
#include "io/h5_quiet.h"
#include "io/h5_sink.h"
#include "io/manifest.h"

struct stj_h5 {
    const struct stj_h5_format *format;
    char *path;
    char *temporary; /* NULL: the file is being read */
    bool blind;      /* another rank writes it: this one takes everything and keeps nothing */
    struct stj_h5_sink sink;
    hid_t id;
    size_t bytes; /* of a file being read */
    uint32_t crc; /* of its content */
    struct stj_manifest manifest;
    hid_t matrix; /* the matrix whose rows are being moved, or -1: kept open, so that chunks */
    size_t matrix_item; /* written in pieces stay in HDF5's cache; its number in the manifest */
};

/* The type in the file, or in memory, of one element of an item; to be closed with H5Tclose. */
hid_t stj_h5_type(const struct stj_item *item, bool in_memory);

/* Open a data set for reading; -1 unless its values lie in this file: from a stranger's, HDF5
 * would follow external links and storage to any other file, or to a pipe without end. */
hid_t stj_h5_open_set(hid_t file, const char *name);

/* Write an item's value: an attribute of the object `where`, or a data set in it. */
bool stj_h5_write_value(hid_t where, const struct stj_item *item, const void *buffer);

/* Dimensions of an item in the file: none of numbers by themselves and of texts. */
unsigned stj_h5_n_dims(const struct stj_item *item);

/* As stj_h5_describe, of an item that need not be in the manifest. */
struct stj_h5_notes {
    const char *unit, *doc; /* or NULL */
};
enum stj_status stj_h5_describe_item(struct stj_h5 *file, struct stj_item *item,
                                     const char *const *dim, const struct stj_h5_notes *notes,
                                     struct stj_error *err);

/* The failure of an HDF5 call on a file being written. */
enum stj_status stj_h5_write_failed(struct stj_h5 *file, struct stj_error *err);

/* Write and read the whole value of an item; `buffer` holds it as in memory. */
enum stj_status stj_h5_put_item(struct stj_h5 *file, struct stj_item *item, const void *buffer,
                                struct stj_error *err);
enum stj_status stj_h5_read_item(struct stj_h5 *file, const struct stj_item *item, void *buffer,
                                 struct stj_error *err);

/* *item <- the entry of `name`, which must have the type. */
enum stj_status stj_h5_find(struct stj_h5 *file, const char *name, enum stj_item_type type,
                            struct stj_item **item, struct stj_error *err);

/* The name of the data set with the row checksums of a matrix, and its item, which is not
 * listed. */
enum { STJ_H5_NAME_MAX = 96 };
struct stj_item stj_h5_row_crc_item(const struct stj_item *matrix, char name[STJ_H5_NAME_MAX]);

/* Close the matrix that is open, if any. */
void stj_h5_close_matrix(struct stj_h5 *file);

#endif
