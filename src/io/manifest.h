/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/manifest.h: the list of everything a result file holds, with shapes and checksums.
 *
 * As text, one item per line, "NAME TYPE ROWS COLS CRC", names of attributes with an '@' in front;
 * the last line, "end CRC", guards the lines before it.  docs/results-format.md has the details.

 */
#ifndef STJ_IO_MANIFEST_H
#define STJ_IO_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

enum stj_item_type {
    STJ_ITEM_REAL,     /* 64-bit floating point */
    STJ_ITEM_UNSIGNED, /* 64-bit unsigned */
    STJ_ITEM_TEXT,     /* UTF-8 of `rows` bytes */
    STJ_ITEM_MATRIX, /* 64-bit floating point, [rows][cols], each row with a checksum of its own */
};

struct stj_item {
    char *name; /* owned */
    enum stj_item_type type;
    size_t rows, cols; /* 1 and 1 for a number; n and 1 for a vector */
    uint32_t crc;      /* of the value's bytes; of the list of row checksums for a matrix */
    uint64_t *row_crc; /* [rows], MATRIX; owned, NULL until known */
    char *row_dim;     /* writing: its first dimension; owned, NULL until it is described */
};

/* Starts as all zeros. */
struct stj_manifest {
    size_t n;
    struct stj_item *item;
};

/* *item (borrowed until the next add) <- a new entry; a name that is there already is an error. */
enum stj_status stj_manifest_add(struct stj_manifest *manifest, const char *name,
                                 enum stj_item_type type, size_t rows, size_t cols,
                                 struct stj_item **item, struct stj_error *err);

/* The entry of a name, or NULL. */
struct stj_item *stj_manifest_find(const struct stj_manifest *manifest, const char *name);

/* *text <- the manifest as text (owned by the caller). */
enum stj_status stj_manifest_print(const struct stj_manifest *manifest, char **text,
                                   struct stj_error *err);

/* manifest (all zeros) <- the entries of a text of `bytes` bytes; anything that stj_manifest_print
 * does not write is STJ_EFORMAT. */
enum stj_status stj_manifest_parse(const char *text, size_t bytes, struct stj_manifest *manifest,
                                   struct stj_error *err);

void stj_manifest_clear(struct stj_manifest *manifest);

#endif
