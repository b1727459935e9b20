/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/write_arrays.h: files of named arrays in the formats of other programs, for tests. */
#ifndef STJ_TESTS_WRITE_ARRAYS_H
#define STJ_TESTS_WRITE_ARRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that grow as they are added to. */
struct bytes {
    size_t n, capacity;
    unsigned char *item; /* to be freed */
};
void bytes_add(struct bytes *b, const void *item, size_t n);
void bytes_add_little(struct bytes *b, uint64_t value, size_t size); /* lowest byte first */
void bytes_add_big(struct bytes *b, uint64_t value, size_t size);
void bytes_free(struct bytes *b);

struct named_array {
    const char *name;
    size_t n_dims;
    size_t shape[4];
    const double *value; /* row-major */
};

/* Append the array as an NPY file of doubles. */
void bytes_add_npy(struct bytes *b, const struct named_array *array);

/* Where the interesting fields of a zip archive lie, so that tests can damage them. */
struct zip_places {
    size_t local[8], data[8], entry[8]; /* of each member */
    size_t end;
};

/* b <- a zip archive of the arrays as NPY files, deflated or stored; places may be NULL. */
void bytes_npz(struct bytes *b, const struct named_array *array, size_t n, bool deflate,
               struct zip_places *places);

/* b <- a safetensors file of the arrays as F64. */
void bytes_safetensors(struct bytes *b, const struct named_array *array, size_t n);

/* b <- a safetensors file with this header and these items. */
void bytes_safetensors_raw(struct bytes *b, const char *header, const void *items, size_t n);

/* Write the arrays as HDF5 data sets of doubles, in groups where their names have slashes;
 * chunk > 0: in chunks of so many rows, deflated. */
void write_hdf5(const char *path, const struct named_array *array, size_t n, size_t chunk);

#endif
