/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-arrays.c: data files of arrays: every type, damage of every kind, rows and names. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/named_arrays.h"
#include "expect.h"
#include "temp_files.h"

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

struct bytes {
    size_t n;
    unsigned char item[4096];
};

static void add(struct bytes *b, const void *item, size_t n)
{
    ck_assert_uint_le(b->n + n, sizeof b->item);
    memcpy(b->item + b->n, item, n);
    b->n += n;
}

/* The low `size` bytes of a number, highest first. */
static void add_big(struct bytes *b, uint64_t value, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        unsigned char byte = (unsigned char)(value >> (8 * i));
        add(b, &byte, 1);
    }
}

static struct bytes idx_header(unsigned char type, size_t n_dims, const size_t *shape)
{
    struct bytes b = {0};
    add(&b, (const unsigned char[]){0, 0, type, (unsigned char)n_dims}, 4);
    for (size_t d = 0; d < n_dims; d++)
        add_big(&b, shape[d], 4);
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
            add_big(&b, few[i] < 0 ? 253 : integer, 1);
            break;
        case 0x09:
            add_big(&b, integer, 1);
            break;
        case 0x0B:
            add_big(&b, integer, 2);
            break;
        case 0x0C:
            add_big(&b, integer, 4);
            break;
        case 0x0D:
            add_big(&b, bits4, 4);
            break;
        default:
            add_big(&b, bits8, 8);
        }
    }
    return b;
}

START_TEST(idx_reads_every_type)
{
    static const unsigned char types[] = {0x08, 0x09, 0x0B, 0x0C, 0x0D, 0x0E};
    static const double unsigned_few[] = {0, 1, 2, 100, 127, 253};
    for (size_t t = 0; t < sizeof types; t++) {
        const struct bytes b = idx_of_few(types[t]);
        const double *wanted = types[t] == 0x08 ? unsigned_few : few;
        expect_matrix(temp_write("x.bin", b.item, b.n), 2, 3, wanted); /* known by its bytes */
        expect_matrix(temp_write("x-idx2-ubyte", b.item, b.n), 2, 3, wanted);
        expect_matrix(temp_write_gz_bytes("x.gz", b.item, b.n), 2, 3, wanted);
    }
}
END_TEST

/* A gzip file may have several members; they are one stream. */
START_TEST(idx_of_two_gzip_members_is_one_file)
{
    const struct bytes b = idx_of_few(0x0C);
    unsigned char packed[1024];
    size_t n = temp_read(temp_write_gz_bytes("a.gz", b.item, 17), packed, sizeof packed);
    n += temp_read(temp_write_gz_bytes("b.gz", b.item + 17, b.n - 17), packed + n,
                   sizeof packed - n);
    expect_matrix(temp_write("x-idx2-ubyte.gz", packed, n), 2, 3, few);
    expect_failure(temp_write("x-idx2-ubyte.gz", packed, n - 1), STJ_EFORMAT,
                   "cut short near byte");
    packed[n] = 0;
    expect_failure(temp_write("x-idx2-ubyte.gz", packed, n + 1), STJ_EFORMAT, "damaged");
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
    b.item[b.n++] = 0;
    expect_failure(temp_write("long-idx2-ubyte", b.item, b.n), STJ_EFORMAT,
                   "the header announces 6 items of 2 bytes, 12 in all, but at least 13 bytes");
    expect_failure(temp_write_gz_bytes("long-idx2-ubyte.gz", b.item, b.n), STJ_EFORMAT,
                   "the file is damaged");
}
END_TEST

START_TEST(idx_gzip_cut_or_flipped_is_refused)
{
    const struct bytes b = idx_of_few(0x0E);
    unsigned char packed[1024];
    size_t n = temp_read(temp_write_gz_bytes("x.gz", b.item, b.n), packed, sizeof packed);
    for (size_t cut = 1; cut < n; cut++)
        expect_failure(temp_write("cut-idx2.gz", packed, cut), STJ_EFORMAT, "cut-idx2.gz: ");
    for (size_t i = 10; i < n; i++) { /* behind gzip's header everything is guarded */
        packed[i] ^= 0x40;
        expect_failure(temp_write("flip-idx2.gz", packed, n), STJ_EFORMAT, "flip-idx2.gz: ");
        packed[i] ^= 0x40;
    }
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
}
END_TEST

START_TEST(idx_values_must_be_finite)
{
    struct bytes b = idx_header(0x0D, 2, two_by_three);
    for (size_t i = 0; i < 6; i++)
        add_big(&b, i == 4 ? 0x7FC00000 : 0, 4);
    expect_failure(temp_write("nan-idx2", b.item, b.n), STJ_ENONFINITE,
                   "nan-idx2: the value in row 1, column 1 (from 0) is nan");
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
    double some[64];
    EXPECT_OK(stj_matrix_read(path, &whole, &err), err);
    EXPECT_OK(stj_arrays_open_one(path, &arrays, &i, &err), err);
    for (size_t first = whole.rows; first-- > 0;)
        for (size_t n = 0; n <= whole.rows - first; n++) {
            memset(some, 0xFF, sizeof some);
            EXPECT_OK(stj_arrays_read_rows(arrays, i, first, n, some, &err), err);
            ck_assert_mem_eq(some, whole.data + first * whole.cols, n * whole.cols * sizeof *some);
        }
    EXPECT_FAIL(stj_arrays_read_rows(arrays, i, 1, whole.rows, some, &err), STJ_EINVAL,
                "are wanted, it has", err);
    EXPECT_FAIL(stj_arrays_read_rows(arrays, i, SIZE_MAX, 2, some, &err), STJ_EINVAL,
                "are wanted, it has", err);
    stj_arrays_close(arrays);
    stj_matrix_free(&whole);
}

START_TEST(rows_are_read_in_any_order)
{
    const struct bytes b = idx_of_few(0x0B);
    expect_rows(temp_write("x-idx2", b.item, b.n));
    expect_rows(temp_write_gz_bytes("x-idx2.gz", b.item, b.n));
    expect_rows(temp_write_text("x.csv", "1,2,3\n4,5,6\n7,8,9\n"));
}
END_TEST

START_TEST(names_that_do_not_exist_are_explained)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    char text[600];
    const struct bytes b = idx_of_few(0x0B);
    snprintf(text, sizeof text, "%s:images", temp_write("x-idx2", b.item, b.n));
    EXPECT_FAIL(stj_arrays_open_one(text, &arrays, &i, &err), STJ_EMISMATCH,
                "x-idx2: has no array 'images'", err);
    ck_assert_ptr_null(arrays);
    EXPECT_FAIL(stj_arrays_open_one(temp_path("absent.h5:images"), &arrays, &i, &err), STJ_EIO,
                "absent.h5:images: cannot open", err);
    /* A name with a colon in it is a name first. */
    expect_matrix(temp_write("a:b-idx2", b.item, b.n), 2, 3, few);
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
