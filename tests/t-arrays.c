/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-arrays.c: data files of arrays: every type, damage of every kind, rows and names. */
#include <check.h>
#include <hdf5.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "data/named_arrays.h"
#include "expect.h"
#include "temp_files.h"
#include "write_arrays.h"

/* Reading the file (or FILE:NAME) gives exactly these values. */
static void expect_matrix(const char *path, size_t rows, size_t cols, const double *values)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_matrix m;
    EXPECT_OK(stj_matrix_read(path, &m, &err), err);
    ck_assert_uint_eq(m.rows, rows);
    ck_assert_uint_eq(m.cols, cols);
    for (size_t i = 0; i < rows * cols; i++)
        ck_assert_msg(m.data[i] == values[i], "%s: value %zu is %.17g, not %.17g", path, i,
                      m.data[i], values[i]);
    stj_matrix_free(&m);
}

static void expect_failure(const char *path, enum stj_status status, const char *part)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_matrix m;
    enum stj_status st = stj_matrix_read(path, &m, &err);
    ck_assert_msg(st != STJ_OK, "%s was read; a message with '%s' was expected", path, part);
    EXPECT_FAIL(st, status, part, err);
    ck_assert_ptr_null(m.data);
}

/* ---- idx ---- */

static struct bytes idx_header(unsigned char type, size_t n_dims, const size_t *shape)
{
    struct bytes b = {0};
    bytes_add(&b, (const unsigned char[]){0, 0, type, (unsigned char)n_dims}, 4);
    for (size_t d = 0; d < n_dims; d++)
        bytes_add_big(&b, shape[d], 4);
    return b;
}

static const double few[] = {0, 1, 2, 100, 127, -3};
static const size_t two_by_three[] = {2, 3};

/* few as an IDX file of a type; unsigned ones without the -3. */
static struct bytes idx_of_few(unsigned char type)
{
    struct bytes b = idx_header(type, 2, two_by_three);
    for (size_t i = 0; i < 6; i++) {
        float single = (float)few[i];
        uint32_t bits4;
        uint64_t bits8;
        memcpy(&bits4, &single, sizeof bits4);
        memcpy(&bits8, &few[i], sizeof bits8);
        uint64_t integer = (uint64_t)(int64_t)few[i];
        switch (type) {
        case 0x08:
            bytes_add_big(&b, few[i] < 0 ? 253 : integer, 1);
            break;
        case 0x09:
            bytes_add_big(&b, integer, 1);
            break;
        case 0x0B:
            bytes_add_big(&b, integer, 2);
            break;
        case 0x0C:
            bytes_add_big(&b, integer, 4);
            break;
        case 0x0D:
            bytes_add_big(&b, bits4, 4);
            break;
        default:
            bytes_add_big(&b, bits8, 8);
        }
    }
    return b;
}

START_TEST(idx_reads_every_type)
{
    static const unsigned char types[] = {0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E};
    static const double unsigned_few[] = {0, 1, 2, 100, 127, 253};
    for (size_t t = 0; t < sizeof types; t++) {
        struct bytes b = idx_of_few(types[t]);
        const double *wanted = types[t] == 0x08 ? unsigned_few : few;
        expect_matrix(temp_write("x.bin", b.item, b.n), 2, 3, wanted); /* known by its bytes */
        expect_matrix(temp_write("x-idx2-ubyte", b.item, b.n), 2, 3, wanted);
        expect_matrix(temp_write_gz_bytes("x.gz", b.item, b.n), 2, 3, wanted);
        bytes_free(&b);
    }
}
END_TEST

/* A gzip file may have several members; they are one stream. */
START_TEST(idx_of_two_gzip_members_is_one_file)
{
    struct bytes b = idx_of_few(0x0C);
    unsigned char packed[1024];
    size_t n = temp_read(temp_write_gz_bytes("a.gz", b.item, 17), packed, sizeof packed);
    n += temp_read(temp_write_gz_bytes("b.gz", b.item + 17, b.n - 17), packed + n,
                   sizeof packed - n);
    expect_matrix(temp_write("x-idx2-ubyte.gz", packed, n), 2, 3, few);
    expect_failure(temp_write("x-idx2-ubyte.gz", packed, n - 1), STJ_EFORMAT,
                   "cut short near byte");
    packed[n] = 0;
    expect_failure(temp_write("x-idx2-ubyte.gz", packed, n + 1), STJ_EFORMAT, "damaged");
    bytes_free(&b);
}
END_TEST

START_TEST(idx_cut_or_padded_is_refused)
{
    struct bytes b = idx_of_few(0x0B);
    for (size_t cut = 1; cut < b.n; cut++) {
        expect_failure(temp_write("cut-idx2-ubyte", b.item, cut), STJ_EFORMAT, "cut short");
        expect_failure(temp_write_gz_bytes("cut-idx2-ubyte.gz", b.item, cut), STJ_EFORMAT,
                       "cut short");
    }
    expect_failure(temp_write("empty-idx2-ubyte", b.item, 0), STJ_EFORMAT, "the file is empty");
    bytes_add(&b, "", 1);
    expect_failure(temp_write("long-idx2-ubyte", b.item, b.n), STJ_EFORMAT,
                   "the header announces 6 items of 2 bytes, 12 in all, but at least 13 bytes");
    expect_failure(temp_write_gz_bytes("long-idx2-ubyte.gz", b.item, b.n), STJ_EFORMAT,
                   "the file is damaged");
    bytes_free(&b);
}
END_TEST

START_TEST(idx_gzip_cut_or_flipped_is_refused)
{
    struct bytes b = idx_of_few(0x0E);
    unsigned char packed[1024];
    size_t n = temp_read(temp_write_gz_bytes("x.gz", b.item, b.n), packed, sizeof packed);
    for (size_t cut = 1; cut < n; cut++)
        expect_failure(temp_write("cut-idx2.gz", packed, cut), STJ_EFORMAT, "cut-idx2.gz: ");
    for (size_t i = 10; i < n; i++) { /* behind gzip's header everything is guarded */
        packed[i] ^= 0x40;
        expect_failure(temp_write("flip-idx2.gz", packed, n), STJ_EFORMAT, "flip-idx2.gz: ");
        packed[i] ^= 0x40;
    }
    bytes_free(&b);
}
END_TEST

static const struct {
    unsigned char head[4];
    size_t n_dims;
    size_t shape[8];
    enum stj_status status;
    const char *message;
} bad_idx[] = {
    {{0, 0, 8, 2}, 2, {0, 3}, STJ_EFORMAT, "holds no values (0 rows, 3 columns)"},
    {{0, 0, 8, 2}, 2, {3, 0}, STJ_EFORMAT, "holds no values"},
    {{0, 0, 8, 0}, 0, {0}, STJ_EFORMAT, "byte 3 says that the array has 0 dimensions"},
    {{0, 0, 8, 9}, 0, {0}, STJ_EFORMAT, "byte 3 says that the array has 9 dimensions"},
    {{0, 0, 0x0A, 2}, 2, {1, 1}, STJ_EFORMAT, "begins with bytes 00 00 0a 02"},
    {{1, 0, 8, 2}, 2, {1, 1}, STJ_EFORMAT, "not an IDX file: it begins with bytes 01 00 08 02"},
    {{8, 2, 0, 0}, 2, {1, 1}, STJ_EFORMAT, "not an IDX file"},
    {{0, 0, 8, 2}, 2, {4000000000, 4000000000}, STJ_EFORMAT, "the file is cut short"},
    {{0, 0, 14, 3},
     3,
     {4000000000, 4000000000, 4000000000},
     STJ_ENOMEM,
     "does not fit the address space"},
    {{0, 0, 14, 2}, 2, {4000000000, 4000000000}, STJ_ENOMEM, "does not fit the address space"},
};

START_TEST(idx_errors_are_found_before_memory_is_spent)
{
    struct bytes b = idx_header(0, bad_idx[_i].n_dims, bad_idx[_i].shape);
    memcpy(b.item, bad_idx[_i].head, 4);
    expect_failure(temp_write("bad-idx2-ubyte", b.item, b.n), bad_idx[_i].status,
                   bad_idx[_i].message);
    expect_failure(temp_write_gz_bytes("bad-idx2-ubyte.gz", b.item, b.n), bad_idx[_i].status,
                   bad_idx[_i].message);
    bytes_free(&b);
}
END_TEST

START_TEST(idx_values_must_be_finite)
{
    struct bytes b = idx_header(0x0D, 2, two_by_three);
    for (size_t i = 0; i < 6; i++)
        bytes_add_big(&b, i == 4 ? 0x7FC00000 : 0, 4);
    expect_failure(temp_write("nan-idx2", b.item, b.n), STJ_ENONFINITE,
                   "nan-idx2: the value in row 1, column 1 (from 0) is nan");
    bytes_free(&b);
}
END_TEST

/* ---- rows ---- */

/* Any rows in any order are those of the whole array. */
static void expect_rows(const char *path)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_arrays *arrays = NULL;
    struct stj_matrix whole;
    size_t i = 0;
    double rows[64];
    EXPECT_OK(stj_matrix_read(path, &whole, &err), err);
    EXPECT_OK(stj_arrays_open_one(path, &arrays, &i, &err), err);
    for (size_t first = whole.rows; first-- > 0;)
        for (size_t n = 0; n <= whole.rows - first; n++) {
            memset(rows, 0xFF, sizeof rows);
            EXPECT_OK(stj_arrays_read_rows(arrays, i, first, n, rows, &err), err);
            ck_assert_mem_eq(rows, whole.data + first * whole.cols, n * whole.cols * sizeof *rows);
        }
    EXPECT_FAIL(stj_arrays_read_rows(arrays, i, 1, whole.rows, rows, &err), STJ_EINVAL,
                "are wanted, it has", err);
    EXPECT_FAIL(stj_arrays_read_rows(arrays, i, SIZE_MAX, 2, rows, &err), STJ_EINVAL,
                "are wanted, it has", err);
    stj_arrays_close(arrays);
    stj_matrix_free(&whole);
}

START_TEST(rows_are_read_in_any_order)
{
    struct bytes b = idx_of_few(0x0B);
    expect_rows(temp_write("x-idx2", b.item, b.n));
    expect_rows(temp_write_gz_bytes("x-idx2.gz", b.item, b.n));
    expect_rows(temp_write_text("x.csv", "1,2,3\n4,5,6\n7,8,9\n"));
    bytes_free(&b);
}
END_TEST

/* ---- archives of named arrays ---- */

static const double some[24] = {0.5, -1, 2,  3.25, 4,  5,  6,  7,  8,  9,  10, 11,
                                12,  13, 14, 15,   16, 17, 18, 19, 20, 21, 22, -1e300};
static const struct named_array three[] = {
    {"conv/weight", 3, {2, 3, 4}, some},
    {"bias", 1, {5}, some + 3},
    {"one", 0, {0}, some + 7},
};

/* FILE:NAME */
static const char *at(const char *path, const char *name)
{
    static char text[4][600];
    static size_t next;
    char *to = text[next++ % 4];
    snprintf(to, sizeof text[0], "%s:%s", path, name);
    return to;
}

/* The file holds `three`. */
static void expect_three(const char *path)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    expect_matrix(at(path, "conv/weight"), 2, 12, some);
    expect_matrix(at(path, "/conv/weight"), 2, 12, some);
    expect_matrix(at(path, "bias"), 5, 1, some + 3);
    expect_matrix(at(path, "one"), 1, 1, some + 7);
    expect_rows(at(path, "conv/weight"));
    expect_failure(path, STJ_EINVAL, "holds 3 arrays; say which one is meant, as FILE:NAME: ");
    expect_failure(at(path, "bais"), STJ_EMISMATCH, "has no array 'bais' (did you mean 'bias'?)");
    EXPECT_OK(stj_arrays_open(path, &arrays, &err), err);
    ck_assert_uint_eq(stj_arrays_count(arrays), 3);
    EXPECT_OK(stj_arrays_find(arrays, "conv/weight", &i, &err), err);
    const struct stj_array *array = stj_arrays_get(arrays, i);
    ck_assert_uint_eq(array->n_dims, 3);
    ck_assert_uint_eq(array->shape[1], 3);
    ck_assert_uint_eq(array->cols, 12);
    ck_assert_ptr_null(array->problem);
    stj_arrays_close(arrays);
}

START_TEST(archives_are_read)
{
    for (int deflate = 0; deflate < 2; deflate++) {
        struct bytes b = {0};
        bytes_npz(&b, three, 3, deflate, NULL);
        expect_three(temp_write("x.npz", b.item, b.n));
        expect_three(temp_write("x.bin", b.item, b.n)); /* known by its bytes */
        bytes_free(&b);
    }
    struct bytes b = {0};
    bytes_safetensors(&b, three, 3);
    expect_three(temp_write("x.safetensors", b.item, b.n));
    expect_three(temp_write("x.bin", b.item, b.n));
    bytes_free(&b);
    for (size_t chunk = 0; chunk < 3; chunk++) {
        write_hdf5(temp_path("x.h5"), three, 3, chunk);
        expect_three(temp_path("x.h5"));
    }
}
END_TEST

/* Cut anywhere, an archive is refused: as a whole, or where the wanted array is damaged. */
START_TEST(archives_cut_anywhere_are_refused)
{
    struct bytes b[4] = {0};
    unsigned char file[1 << 14];
    static const char *const names[] = {"cut.npz", "cut.npz", "cut.safetensors", "cut.h5"};
    bytes_npz(&b[0], three, 3, false, NULL);
    bytes_npz(&b[1], three, 3, true, NULL);
    bytes_safetensors(&b[2], three, 3);
    write_hdf5(temp_path("x.h5"), three, 1, 0);
    bytes_add(&b[3], file, temp_read(temp_path("x.h5"), file, sizeof file));
    for (size_t f = 0; f < 4; f++) {
        for (size_t cut = 1; cut < b[f].n; cut += 1 + cut / 100)
            expect_failure(at(temp_write(names[f], b[f].item, cut), "conv/weight"), STJ_EFORMAT,
                           names[f]);
        bytes_free(&b[f]);
    }
}
END_TEST

/* One field of a zip archive changed. */
static const struct {
    const char *message;
    enum stj_status status;
    enum { LOCAL, DATA, ENTRY, END } where;
    size_t offset, size;
    uint64_t value;
} bad_zip[] = {
    {"is stored, but announces", STJ_EFORMAT, ENTRY, 24, 4, 1000},
    {"not an entry of a zip directory", STJ_EFORMAT, ENTRY, 0, 4, 1},
    {"packed by a method other than deflate", STJ_EUNSUPPORTED, ENTRY, 10, 2, 12},
    {"is encrypted", STJ_EUNSUPPORTED, ENTRY, 8, 2, 1},
    {"the checksum of its bytes is", STJ_EFORMAT, ENTRY, 16, 4, 7},
    {"not the header of member conv/weight.npy", STJ_EFORMAT, LOCAL, 0, 4, 7},
    {"it is cut short or damaged", STJ_EFORMAT, ENTRY, 42, 4, 0xFFFFFFF0},
    {"the directory begins at", STJ_EFORMAT, LOCAL, 28, 2, 0xFFFF},
    {"would not lie before it", STJ_EFORMAT, END, 16, 4, 0x7FFFFFFF},
    {"would not lie before it", STJ_EFORMAT, END, 12, 4, 0x7FFFFFFF},
    {"the directory ends after 3 of 9 entries", STJ_EFORMAT, END, 10, 2, 9},
    {"not the locator of a 64-bit zip archive", STJ_EFORMAT, END, 16, 4, 0xFFFFFFFF},
    {"it has no end record", STJ_EFORMAT, END, 20, 2, 7},
    {"conv/weight.npy: not an NPY file", STJ_EFORMAT, DATA, 0, 1, 'x'},
    {"the header announces 24 items", STJ_EFORMAT, DATA, 8, 2, 60},
    {"items of type '<c8'", STJ_EUNSUPPORTED, DATA, 22, 1, 'c'},
    {"the checksum of its bytes is", STJ_EFORMAT, DATA, 120, 1, 0x55},
};

START_TEST(zip_fields_are_checked)
{
    struct bytes b = {0};
    struct zip_places places;
    bytes_npz(&b, three, 3, false, &places);
    const size_t base[] = {places.local[0], places.data[0], places.entry[0], places.end};
    for (size_t i = 0; i < bad_zip[_i].size; i++)
        b.item[base[bad_zip[_i].where] + bad_zip[_i].offset + i] =
            (unsigned char)(bad_zip[_i].value >> (8 * i));
    expect_failure(at(temp_write("bad.npz", b.item, b.n), "conv/weight"), bad_zip[_i].status,
                   bad_zip[_i].message);
    bytes_free(&b);
}
END_TEST

/* A member that unpacks to more or fewer bytes than announced, or announces what cannot be. */
START_TEST(deflated_sizes_are_checked)
{
    static const struct {
        size_t size; /* announced */
        const char *message;
    } lies[] = {
        {1 << 30, "more than they can hold"},
        {20000, "bytes follow it; the file is damaged"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct bytes b = {0};
        struct zip_places places;
        bytes_npz(&b, three, 3, true, &places);
        for (size_t k = 0; k < 4; k++)
            b.item[places.entry[0] + 24 + k] = (unsigned char)(lies[i].size >> (8 * k));
        expect_failure(at(temp_write("bad.npz", b.item, b.n), "conv/weight"), STJ_EFORMAT,
                       lies[i].message);
        bytes_free(&b);
    }
}
END_TEST

/* 64-bit sizes as NumPy writes them when it does not know a size beforehand. */
START_TEST(zip64_is_read)
{
    struct bytes b = {0};
    struct zip_places places;
    bytes_npz(&b, three, 1, false, &places);
    struct bytes c = {0};
    const uint64_t plain =
        (uint64_t)b.item[places.entry[0] + 24] | (uint64_t)b.item[places.entry[0] + 25] << 8;
    bytes_add(&c, b.item, places.end);
    for (size_t k = 20; k < 28; k++) /* both sizes stand in an extra field */
        c.item[places.entry[0] + k] = 0xFF;
    c.item[places.entry[0] + 30] = 20;
    bytes_add_little(&c, 1, 2);
    bytes_add_little(&c, 16, 2);
    bytes_add_little(&c, plain, 8);
    bytes_add_little(&c, plain, 8);
    const size_t end = c.n;
    bytes_add_little(&c, 0x06064b50, 4);
    bytes_add_little(&c, 44, 8);
    bytes_add_little(&c, 45 | 45 << 16, 4);
    bytes_add_little(&c, 0, 8);
    bytes_add_little(&c, 1, 8);
    bytes_add_little(&c, 1, 8);
    bytes_add_little(&c, end - places.entry[0], 8);
    bytes_add_little(&c, places.entry[0], 8);
    bytes_add_little(&c, 0x07064b50, 4);
    bytes_add_little(&c, 0, 4);
    bytes_add_little(&c, end, 8);
    bytes_add_little(&c, 1, 4);
    bytes_add_little(&c, 0x06054b50, 4);
    bytes_add_little(&c, 0, 4);
    bytes_add_little(&c, UINT64_MAX, 8);
    bytes_add_little(&c, UINT64_MAX, 4);
    bytes_add_little(&c, 0, 2);
    expect_matrix(temp_write("x.npz", c.item, c.n), 2, 12, some);
    c.item[end + 20 + 28] = 0x7F; /* the directory would begin far away */
    expect_failure(temp_write("x.npz", c.item, c.n), STJ_EFORMAT, "x.npz: ");
    bytes_free(&b);
    bytes_free(&c);
}
END_TEST

#define TENSOR(dtype, shape, offsets)                                                              \
    "{\"a\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct {
    const char *header;
    size_t bytes; /* of items behind it */
    enum stj_status status;
    const char *message;
} bad_safetensors[] = {
    {TENSOR("\"F64\"", "[2]", "[0,16]"), 15, STJ_EFORMAT, "outside the 15 bytes that follow"},
    {TENSOR("\"F64\"", "[2]", "[0,16]"), 17, STJ_EFORMAT, "the tensors end here, but the file has"},
    {TENSOR("\"F64\"", "[3]", "[0,16]"), 16, STJ_EFORMAT, "its shape needs 24 bytes"},
    {TENSOR("\"F64\"", "[1000000,1000000]", "[0,16]"), 16, STJ_EFORMAT, "its shape needs"},
    {TENSOR("\"F64\"", "[4294967296,4294967296]", "[0,16]"), 16, STJ_ENOMEM, "bad.safetensors:a"},
    {TENSOR("\"F64\"", "[2]", "[0,8000000000000]"), 16, STJ_EFORMAT, "lie outside the 16 bytes"},
    {TENSOR("\"F64\"", "[2]", "[16,0]"), 16, STJ_EFORMAT, "are not [first, end]"},
    {TENSOR("\"F64\"", "[2]", "[8,24]"), 24, STJ_EFORMAT, "leave a gap or overlap"},
    {TENSOR("\"F64\"", "[-2]", "[0,16]"), 16, STJ_EFORMAT, "dimension 0 of its shape"},
    {TENSOR("\"F64\"", "[2.0]", "[0,16]"), 16, STJ_EFORMAT, "dimension 0 of its shape"},
    {TENSOR("\"F64\"", "2", "[0,16]"), 16, STJ_EFORMAT, "its shape is not a list"},
    {TENSOR("\"F64\"", "[1,1,1,1,1,1,1,1,2]", "[0,16]"), 16, STJ_EUNSUPPORTED, "the limit is 8"},
    {TENSOR("8", "[2]", "[0,16]"), 16, STJ_EFORMAT, "its dtype is not a text"},
    {TENSOR("\"F8_E4M3\"", "[2]", "[0,16]"), 16, STJ_EUNSUPPORTED, "items of type F8_E4M3"},
    {TENSOR("\"F64\"", "[0]", "[0,0]"), 0, STJ_EFORMAT, "holds no values"},
    {"[1]", 0, STJ_EFORMAT, "the header is not a JSON object"},
    {"{", 0, STJ_EFORMAT, "the header is not JSON"},
    {"{\"a\":1,\"a\":2}", 0, STJ_EFORMAT, "the header is not JSON"},
    {"{}", 0, STJ_EFORMAT, "holds no arrays"},
};

START_TEST(safetensors_headers_are_checked)
{
    static const unsigned char zeros[64];
    struct bytes b = {0};
    bytes_safetensors_raw(&b, bad_safetensors[_i].header, zeros, bad_safetensors[_i].bytes);
    expect_failure(temp_write("bad.safetensors", b.item, b.n), bad_safetensors[_i].status,
                   bad_safetensors[_i].message);
    bytes_free(&b);
}
END_TEST

START_TEST(safetensors_header_length_is_checked)
{
    struct bytes b = {0};
    bytes_safetensors(&b, three, 3);
    b.item[3] = 1; /* 16 MiB */
    expect_failure(temp_write("bad.safetensors", b.item, b.n), STJ_EFORMAT,
                   "byte 0: the header claims");
    b.item[7] = 0x7F;
    expect_failure(temp_write("bad.safetensors", b.item, b.n), STJ_EFORMAT, "the limit is");
    bytes_free(&b);
}
END_TEST

START_TEST(safetensors_types_are_decoded)
{
    static const struct {
        const char *dtype;
        size_t bytes;
        unsigned char item[8];
        double value;
    } types[] = {
        {"F32", 4, {0, 0, 0x20, 0xC1}, -10},
        {"F16", 2, {0x01, 0x00}, 0x1p-24},
        {"F16", 2, {0xFF, 0x7B}, 65504},
        {"BF16", 2, {0x20, 0xC1}, -10},
        {"I16", 2, {0xFE, 0xFF}, -2},
        {"U16", 2, {0xFE, 0xFF}, 65534},
        {"I8", 1, {0x80}, -128},
        {"U8", 1, {0x80}, 128},
        {"BOOL", 1, {1}, 1},
        {"I32", 4, {0xFF, 0xFF, 0xFF, 0xFF}, -1},
        {"U32", 4, {0xFF, 0xFF, 0xFF, 0xFF}, 4294967295.0},
        {"I64", 8, {0, 0, 0, 0, 0, 0, 0xE0, 0xFF}, -9007199254740992.0},
        {"U64", 8, {0, 0, 0, 0, 1, 0, 0, 0}, 4294967296.0},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct bytes b = {0};
        char header[128];
        snprintf(header, sizeof header, TENSOR("\"%s\"", "[1]", "[0,%zu]"), types[i].dtype,
                 types[i].bytes);
        bytes_safetensors_raw(&b, header, types[i].item, types[i].bytes);
        expect_matrix(temp_write("x.safetensors", b.item, b.n), 1, 1, &types[i].value);
        bytes_free(&b);
    }
}
END_TEST

START_TEST(archives_with_a_nan_are_refused)
{
    double values[24];
    struct named_array bad = three[0];
    memcpy(values, some, sizeof values);
    values[17] = (double)NAN;
    bad.value = values;
    for (int f = 0; f < 4; f++) {
        struct bytes b = {0};
        static const char *const names[] = {"x.npz", "y.npz", "x.safetensors", "x.h5"};
        if (f < 2)
            bytes_npz(&b, &bad, 1, f == 1, NULL);
        else if (f == 2)
            bytes_safetensors(&b, &bad, 1);
        if (f < 3)
            temp_write(names[f], b.item, b.n);
        else
            write_hdf5(temp_path(names[f]), &bad, 1, 0);
        expect_failure(temp_path(names[f]), STJ_ENONFINITE,
                       ":conv/weight: the value in row 1, column 5 (from 0) is nan");
        bytes_free(&b);
    }
}
END_TEST

/* What HDF5 alone can hold. */
START_TEST(hdf5_sets_that_are_not_there_are_refused)
{
    const char *path = temp_path("x.h5");
    const hsize_t large[2] = {100000, 100000};
    const hsize_t chunk[2] = {10, 10};
    write_hdf5(path, three, 3, 0);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t space = H5Screate_simple(2, large, NULL);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    H5Dclose(H5Dcreate2(file, "unwritten", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT,
                        H5P_DEFAULT));
    ck_assert_int_ge(H5Pset_chunk(plist, 2, chunk), 0);
    H5Dclose(H5Dcreate2(file, "sparse", H5T_IEEE_F64LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "text", H5T_C_S1, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
    expect_failure(at(path, "unwritten"), STJ_EUNSUPPORTED, "no values were written to it");
    expect_failure(at(path, "sparse"), STJ_EUNSUPPORTED, "some of its chunks are not in the file");
    expect_failure(at(path, "text"), STJ_EUNSUPPORTED, "its items are not numbers");
    expect_failure(at(path, "conv"), STJ_EMISMATCH, "has no array 'conv'");
    expect_matrix(at(path, "bias"), 5, 1, some + 3); /* the others are as good as ever */
    expect_failure(temp_write_text("y.h5", "not HDF5"), STJ_EFORMAT, "HDF5 cannot open it");
}
END_TEST

/* Of two members of one name numpy takes the last, others the first. */
START_TEST(zip_members_of_one_name_are_refused)
{
    struct named_array twice[3] = {three[0], three[1], three[2]};
    for (int deflate = 0; deflate < 2; deflate++) {
        struct bytes b = {0};
        twice[2].name = three[0].name;
        bytes_npz(&b, twice, 3, deflate, NULL);
        const char *path = temp_write("twice.npz", b.item, b.n);
        expect_failure(at(path, three[0].name), STJ_EMISMATCH, "twice.npz: holds 2 arrays 'conv/w");
        expect_failure(path, STJ_EINVAL, "holds 3 arrays; say which one");
        expect_matrix(at(path, three[1].name), three[1].shape[0], 1, three[1].value);
        bytes_free(&b);
    }
}
END_TEST

START_TEST(hdf5_links_are_followed_in_the_file)
{
    const char *path = temp_path("links.h5");
    write_hdf5(path, three, 1, 0);
    write_hdf5(temp_path("other.h5"), three, 1, 0);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert_int_ge(H5Lcreate_soft("/conv/weight", file, "soft", H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_soft("/conv", file, "group", H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_hard(file, "/conv/weight", file, "hard", H5P_DEFAULT, H5P_DEFAULT),
                     0);
    ck_assert_int_ge(H5Lcreate_hard(file, "/", file, "conv/up", H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_soft("/gone", file, "dangling", H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Lcreate_soft("loop", file, "loop", H5P_DEFAULT, H5P_DEFAULT), 0);
    ck_assert_int_ge(
        H5Lcreate_external("other.h5", "/conv/weight", file, "external", H5P_DEFAULT, H5P_DEFAULT),
        0);
    ck_assert_int_ge(H5Lcreate_soft("/external", file, "through", H5P_DEFAULT, H5P_DEFAULT), 0);
    H5Fclose(file);
    static const char *const good[] = {"soft", "/soft", "hard", "group/weight",
                                       "conv/up/group/up/conv/weight"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_matrix(at(path, good[i]), 2, 12, some);
    expect_matrix(path, 2, 12, some); /* of one array, whatever its names */
    expect_failure(at(path, "dangling"), STJ_EMISMATCH,
                   "'dangling' is a link to '/gone', which is not in this file");
    expect_failure(at(path, "loop"), STJ_EMISMATCH, "'loop' is a link to 'loop'");
    expect_failure(at(path, "external"), STJ_EUNSUPPORTED,
                   "'external' is a link to '/conv/weight' of another file, 'other.h5'");
    expect_failure(at(path, "through"), STJ_EMISMATCH, "'through' is a link to '/external'");
    expect_failure(at(path, "group"), STJ_EMISMATCH, "has no array 'group', which is a group");
    expect_failure(at(path, "group/bias"), STJ_EMISMATCH, "has no array 'group/bias'");
}
END_TEST

static size_t keep_bytes(unsigned flags, size_t n_values, const unsigned *values, size_t n,
                         size_t *size, void **bytes)
{
    (void)flags, (void)n_values, (void)values, (void)size, (void)bytes;
    return n;
}

/* A filter that was there when the file was written. */
START_TEST(hdf5_names_the_filter_that_is_missing)
{
    static const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 32000, 1, 1, "lzf", NULL, NULL,
                                        keep_bytes};
    const hsize_t dims[2] = {2, 12};
    const char *path = temp_path("x.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, dims, NULL);
    ck_assert(H5Zregister(&filter) >= 0 && H5Pset_chunk(plist, 2, dims) >= 0 &&
              H5Pset_filter(plist, 32000, 0, 0, NULL) >= 0);
    hid_t set = H5Dcreate2(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    ck_assert_int_ge(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, some), 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(plist);
    H5Fclose(file);
    expect_matrix(at(path, "x"), 2, 12, some);
    ck_assert_int_ge(H5Zunregister(32000), 0);
    expect_failure(at(path, "x"), STJ_EUNSUPPORTED,
                   "x.h5:x: it is packed with the filter lzf (HDF5 id 32000), which the HDF5");
}
END_TEST

START_TEST(hdf5_says_that_a_file_is_being_written)
{
    static unsigned char bytes[1 << 16];
    const char *path = temp_path("open.h5");
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    ck_assert_int_ge(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), 0);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    ck_assert_int_ge(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
    const size_t n = temp_read(path, bytes, sizeof bytes);
    H5Fclose(file);
    H5Pclose(access);
    /* As the process that writes it would leave it, killed now. */
    expect_failure(temp_write("left.h5", bytes, n), STJ_EFORMAT,
                   "it is marked as open for writing (flags ");
    path = temp_path("locked.h5");
    write_hdf5(path, three, 1, 0);
    FILE *writer = fopen(path, "r+b");
    ck_assert(writer && flock(fileno(writer), LOCK_EX | LOCK_NB) == 0);
    expect_failure(path, STJ_EFORMAT, "another process has it open for writing");
    fclose(writer);
    expect_matrix(path, 2, 12, some);
}
END_TEST

START_TEST(names_that_do_not_exist_are_explained)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    char text[600];
    struct bytes b = idx_of_few(0x0B);
    snprintf(text, sizeof text, "%s:images", temp_write("x-idx2", b.item, b.n));
    EXPECT_FAIL(stj_arrays_open_one(text, &arrays, &i, &err), STJ_EMISMATCH,
                "x-idx2: has no array 'images'", err);
    ck_assert_ptr_null(arrays);
    EXPECT_FAIL(stj_arrays_open_one(temp_path("absent.h5:images"), &arrays, &i, &err), STJ_EIO,
                "absent.h5:images: cannot open", err);
    /* A name with a colon in it is a name first. */
    expect_matrix(temp_write("a:b-idx2", b.item, b.n), 2, 3, few);
    bytes_free(&b);
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("arrays");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_test(tc, idx_reads_every_type);
    tcase_add_test(tc, idx_of_two_gzip_members_is_one_file);
    tcase_add_test(tc, idx_cut_or_padded_is_refused);
    tcase_add_test(tc, idx_gzip_cut_or_flipped_is_refused);
    tcase_add_loop_test(tc, idx_errors_are_found_before_memory_is_spent, 0,
                        sizeof bad_idx / sizeof bad_idx[0]);
    tcase_add_test(tc, idx_values_must_be_finite);
    tcase_add_test(tc, rows_are_read_in_any_order);
    tcase_add_test(tc, archives_are_read);
    tcase_add_test(tc, archives_cut_anywhere_are_refused);
    tcase_add_loop_test(tc, zip_fields_are_checked, 0, sizeof bad_zip / sizeof bad_zip[0]);
    tcase_add_test(tc, deflated_sizes_are_checked);
    tcase_add_test(tc, zip64_is_read);
    tcase_add_loop_test(tc, safetensors_headers_are_checked, 0,
                        sizeof bad_safetensors / sizeof bad_safetensors[0]);
    tcase_add_test(tc, safetensors_header_length_is_checked);
    tcase_add_test(tc, safetensors_types_are_decoded);
    tcase_add_test(tc, archives_with_a_nan_are_refused);
    tcase_add_test(tc, zip_members_of_one_name_are_refused);
    tcase_add_test(tc, hdf5_sets_that_are_not_there_are_refused);
    tcase_add_test(tc, hdf5_links_are_followed_in_the_file);
    tcase_add_test(tc, hdf5_names_the_filter_that_is_missing);
    tcase_add_test(tc, hdf5_says_that_a_file_is_being_written);
    tcase_add_test(tc, names_that_do_not_exist_are_explained);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("arrays");
    suite_add_tcase(suite, make_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
