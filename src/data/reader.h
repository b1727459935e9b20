/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/reader.h: the contract of a data file reader.
 *
 * A reader is one file, src/data/readers/NAME.c, that defines one struct stj_reader, and one line
 * in the registry, src/data/readers/readers.c.
 */
#ifndef STJ_DATA_READER_H
#define STJ_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "options/option.h"
#include "data/byte_stream.h"
#include "data/items.h"
#include "data/named_arrays.h"

enum { STJ_READER_HEAD = 64 }; /* bytes of a file that `accepts` sees */

/* Where the items of an array lie: in a range of the file's bytes, perhaps packed, behind `skip`
 * unpacked bytes of something else. */
struct stj_array_place {
    struct stj_item_type type;
    bool fortran_order; /* the first index varies fastest */
    enum stj_packing packing;
    size_t first, bytes; /* the range, as for stj_byte_stream_open */
    size_t skip;
    size_t unpacked; /* bytes of the unpacked range: all of skip and the items */
    bool has_crc;
    uint32_t crc; /* of the unpacked range */
};

/* An array of a file: what everybody may know, and what its reader needs. */
struct stj_array_entry {
    struct stj_array array; /* name and problem are owned */
    struct stj_array_place place;
};

struct stj_array_list {
    char *path;
    size_t n;
    struct stj_array_entry *item;
    void *self; /* the reader's */
};

struct stj_reader {
    struct stj_plugin_info info;
    bool unpacks; /* also files that are packed with gzip */

    /* True for a file of this format, judged by its name and its first n_head bytes; false must be
     * the answer wherever another format could be meant.  Of a packed file the name is without
     * ".gz", and the bytes are unpacked. */
    bool (*accepts)(const char *path, const unsigned char *head, size_t n_head);

    /* A reader has one of `read` and `list`.  Messages name the file and the place in it.
     *
     * read: matrix (zeroed) <- a file whose size shows only as it is read, to which memory grows.
     * On failure the caller frees the matrix.  Values need not be finite. */
    enum stj_status (*read)(const char *path, struct stj_matrix *matrix, struct stj_error *err);

    /* list (with its path) <- the arrays of a file, through stj_array_list_add.  Sizes stated in it
     * are checked against its length, so that none makes a caller allocate what is not there. */
    enum stj_status (*list)(struct stj_array_list *list, struct stj_error *err);

    /* *found <- an array has this other name too, and was added to the list under it; NULL: arrays
     * have one name. */
    enum stj_status (*look_up)(struct stj_array_list *list, const char *name, bool *found,
                               struct stj_error *err);

    /* values <- rows of an array that `list` has found; NULL: its place says where they are. */
    enum stj_status (*read_rows)(const struct stj_array_list *list,
                                 const struct stj_array_entry *entry, size_t first, size_t n,
                                 double *values, struct stj_error *err);
    void (*close)(void *self); /* NULL: list->self is not used */
};

extern const struct stj_kind stj_reader_kind;

/* *reader <- the one for a file; an unknown format is an error that lists the known ones. */
enum stj_status stj_reader_find(const char *path, const struct stj_reader **reader,
                                struct stj_error *err);

/* Append an entry, zeroed but for the name (copied). */
enum stj_status stj_array_list_add(struct stj_array_list *list, const char *name,
                                   struct stj_array_entry **entry, struct stj_error *err);

/* The entry cannot be read because of `problem`, a sentence (copied). */
enum stj_status stj_array_refuse(struct stj_array_entry *entry, const char *problem,
                                 struct stj_error *err);

/* Set rows and cols from the shape, *n_items <- rows * cols. */
enum stj_status stj_array_set_size(struct stj_array *array, size_t *n_items, struct stj_error *err);

/* True when path ends in `suffix`, letter case ignored. */
bool stj_path_ends_in(const char *path, const char *suffix);

#endif
