/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/write_arrays.c: files of named arrays in the formats of other programs, for tests. */
#include "write_arrays.h"

#include <check.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void bytes_add(struct bytes *b, const void *item, size_t n)
{
    if (b->n + n > b->capacity) {
        b->capacity = 2 * (b->n + n) + 64;
        b->item = realloc(b->item, b->capacity);
        ck_assert_ptr_nonnull(b->item);
    }
    if (n > 0)
        memcpy(b->item + b->n, item, n);
    b->n += n;
}

void bytes_add_little(struct bytes *b, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = 0;
        if (i < sizeof value)
            byte = (unsigned char)(value >> (8 * i));
        bytes_add(b, &byte, 1);
    }
}

void bytes_add_big(struct bytes *b, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        unsigned char byte = (unsigned char)(value >> (8 * i));
        bytes_add(b, &byte, 1);
    }
}

void bytes_free(struct bytes *b)
{
    free(b->item);
    *b = (struct bytes){0};
}

static size_t n_items(const struct named_array *array)
{
    size_t n = 1;
    for (size_t d = 0; d < array->n_dims; d++)
        n *= array->shape[d];
    return n;
}

void bytes_add_npy(struct bytes *b, const struct named_array *array)
{
    char dict[256] = "{'descr': '<f8', 'fortran_order': False, 'shape': (";
    for (size_t d = 0; d < array->n_dims; d++)
        snprintf(dict + strlen(dict), sizeof dict - strlen(dict), "%zu,%s", array->shape[d],
                 d + 1 < array->n_dims ? " " : "");
    snprintf(dict + strlen(dict), sizeof dict - strlen(dict), "), }\n");
    bytes_add(b, "\x93NUMPY\x01\x00", 8);
    bytes_add_little(b, strlen(dict), 2);
    bytes_add(b, dict, strlen(dict));
    bytes_add(b, array->value, n_items(array) * sizeof *array->value);
}

/* packed <- the bytes deflated without a header, as zip has them. */
static void pack(const struct bytes *plain, struct bytes *packed)
{
    z_stream z = {0};
    size_t most = plain->n + plain->n / 1000 + 128;
    unsigned char *out = malloc(most);
    ck_assert(out && deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = plain->item;
    z.avail_in = (uInt)plain->n;
    z.next_out = out;
    z.avail_out = (uInt)most;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    bytes_add(packed, out, most - z.avail_out);
    deflateEnd(&z);
    free(out);
}

/* What the local header and the directory entry of a member have in common. */
static void add_member_fields(struct bytes *b, bool deflated, uint32_t crc, size_t packed,
                              size_t plain, size_t n_name)
{
    bytes_add_little(b, 20, 2);               /* version needed */
    bytes_add_little(b, 0, 2);                /* flags */
    bytes_add_little(b, deflated ? 8 : 0, 2); /* method */
    bytes_add_little(b, 0, 4);                /* time and date */
    bytes_add_little(b, crc, 4);
    bytes_add_little(b, packed, 4);
    bytes_add_little(b, plain, 4);
    bytes_add_little(b, n_name, 2);
    bytes_add_little(b, 0, 2); /* extra */
}

static void add_member(struct bytes *b, struct bytes *directory, const struct named_array *array,
                       bool deflated, size_t i, struct zip_places *places)
{
    char name[128];
    struct bytes plain = {0};
    struct bytes packed = {0};
    const size_t local = b->n;
    snprintf(name, sizeof name, "%s.npy", array->name);
    bytes_add_npy(&plain, array);
    if (deflated)
        pack(&plain, &packed);
    else
        bytes_add(&packed, plain.item, plain.n);
    const uint32_t crc = (uint32_t)crc32(0, plain.item, (uInt)plain.n);
    bytes_add_little(b, 0x04034b50, 4);
    add_member_fields(b, deflated, crc, packed.n, plain.n, strlen(name));
    bytes_add(b, name, strlen(name));
    places->local[i] = local;
    places->data[i] = b->n;
    bytes_add(b, packed.item, packed.n);
    places->entry[i] = directory->n; /* from the directory's beginning, for now */
    bytes_add_little(directory, 0x02014b50, 4);
    bytes_add_little(directory, 20, 2); /* made by */
    add_member_fields(directory, deflated, crc, packed.n, plain.n, strlen(name));
    bytes_add_little(directory, 0, 2 + 2 + 2 + 4); /* comment, disk, attributes */
    bytes_add_little(directory, local, 4);
    bytes_add(directory, name, strlen(name));
    bytes_free(&plain);
    bytes_free(&packed);
}

void bytes_npz(struct bytes *b, const struct named_array *array, size_t n, bool deflate,
               struct zip_places *places)
{
    struct zip_places own;
    struct bytes directory = {0};
    places = places ? places : &own;
    for (size_t i = 0; i < n; i++)
        add_member(b, &directory, &array[i], deflate, i, places);
    const size_t begin = b->n;
    for (size_t i = 0; i < n; i++)
        places->entry[i] += begin;
    bytes_add(b, directory.item, directory.n);
    places->end = b->n;
    bytes_add_little(b, 0x06054b50, 4);
    bytes_add_little(b, 0, 4); /* disks */
    bytes_add_little(b, n, 2);
    bytes_add_little(b, n, 2);
    bytes_add_little(b, directory.n, 4);
    bytes_add_little(b, begin, 4);
    bytes_add_little(b, 0, 2); /* comment */
    bytes_free(&directory);
}

void bytes_safetensors_raw(struct bytes *b, const char *header, const void *items, size_t n)
{
    bytes_add_little(b, strlen(header), 8);
    bytes_add(b, header, strlen(header));
    bytes_add(b, items, n);
}

void bytes_safetensors(struct bytes *b, const struct named_array *array, size_t n)
{
    struct bytes header = {0};
    struct bytes items = {0};
    char text[256];
    bytes_add(&header, "{", 1);
    for (size_t i = 0; i < n; i++) {
        const size_t first = items.n;
        bytes_add(&items, array[i].value, n_items(&array[i]) * sizeof(double));
        snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"F64\",\"shape\":[", i ? "," : "",
                 array[i].name);
        for (size_t d = 0; d < array[i].n_dims; d++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%zu", d ? "," : "",
                     array[i].shape[d]);
        snprintf(text + strlen(text), sizeof text - strlen(text), "],\"data_offsets\":[%zu,%zu]}",
                 first, items.n);
        bytes_add(&header, text, strlen(text));
    }
    bytes_add(&header, "}", 2); /* with its NUL */
    bytes_safetensors_raw(b, (const char *)header.item, items.item, items.n);
    bytes_free(&header);
    bytes_free(&items);
}

void write_hdf5(const char *path, const struct named_array *array, size_t n, size_t chunk)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    ck_assert(file >= 0 && links >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0);
    for (size_t i = 0; i < n; i++) {
        hsize_t dims[4];
        for (size_t d = 0; d < array[i].n_dims; d++)
            dims[d] = array[i].shape[d];
        hid_t space = array[i].n_dims ? H5Screate_simple((int)array[i].n_dims, dims, NULL)
                                      : H5Screate(H5S_SCALAR);
        hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
        if (chunk && array[i].n_dims) {
            dims[0] = chunk;
            ck_assert(H5Pset_chunk(plist, (int)array[i].n_dims, dims) >= 0 &&
                      H5Pset_deflate(plist, 6) >= 0);
        }
        hid_t set =
            H5Dcreate2(file, array[i].name, H5T_IEEE_F64LE, space, links, plist, H5P_DEFAULT);
        ck_assert(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, array[i].value) >=
                  0);
        H5Dclose(set);
        H5Pclose(plist);
        H5Sclose(space);
    }
    H5Pclose(links);
    ck_assert_int_ge(H5Fclose(file), 0);
}
