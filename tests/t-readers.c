/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-readers.c: every data file format, whole, odd and broken. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/matrix.h"
#include "data/reader.h"
#include "expect.h"
#include "temp_files.h"

/* The file reads as rows x cols with data[i][j] = values[i * cols + j]. */
static void expect_matrix(const char *path, size_t rows, size_t cols, const double *values)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_matrix m;
    EXPECT_OK(stj_matrix_read(path, &m, &err), err);
    ck_assert_uint_eq(m.rows, rows);
    ck_assert_uint_eq(m.cols, cols);
    for (size_t i = 0; i < rows * cols; i++)
        ck_assert_msg(m.data[i] == values[i], "%s: item %zu is %.17g, not %.17g", path, i,
                      m.data[i], values[i]);
    stj_matrix_free(&m);
    ck_assert_ptr_null(m.data);
}

static void expect_failure(const char *path, enum stj_status status, const char *message)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_matrix m;
    EXPECT_FAIL(stj_matrix_read(path, &m, &err), status, message, err);
    ck_assert_ptr_null(m.data);
}

/* ---- csv ---- */

static const double six[] = {1, -2.5, 3000, 0.125, 16, 1e-300};

static const char *const csv_spellings[] = {
    "1,-2.5,3000\n0.125,16,1e-300\n",
    "1,-2.5,3000\n0.125,16,1e-300", /* no newline at the end */
    "1,-2.5,3e3\r\n.125,16,1E-300\r\n",
    " 1 ,\t-2.5, 3000\n0.125 ,+16,1e-300 \n",
    "a,b c,\"d\"\n1,-2.5,3000\n0.125,16,1e-300\n", /* a header */
    ("\xEF\xBB\xBF"
     "1,-2.5,3000\n0.125,16,1e-300\n"), /* a byte order mark */
    "1,-2.50000000000000000000,3000\n125e-3,00016,1e-300\n",
    "\"1\",\"-2.5\" , \" 3000 \"\n\"0.125\",16,1e-300\r\n", /* quotes */
    "\"a, in mm\",\"the \"\"b\"\"\",c\n1,-2.5,3000\n0.125,16,1e-300\n",
    "0,1,label\n1,-2.5,3000\n0.125,16,1e-300\n", /* as pandas writes them */
    "\"0\",\"7\",\"label\"\n1,-2.5,3000\n0.125,16,1e-300\n",
    "label,0,1\r\n1,-2.5,3000\r\n0.125,16,1e-300\r\n",
    "label,1x1,1x2\n1,-2.5,3000\n0.125,16,1e-300\n", /* words that begin with digits */
    "1,-2.5,3000\n0.125,16,1e-300\n\n",              /* blank lines at the end */
    "\xEF\xBB\xBF\"a\",b,c\r\n1,-2.5,3000\r\n0.125,16,1e-300\r\n\r\n \t\r\n",
};

START_TEST(csv_reads_numbers)
{
    expect_matrix(temp_write_text("a.csv", csv_spellings[_i]), 2, 3, six);
    expect_matrix(temp_write_gz("a.csv.gz", csv_spellings[_i]), 2, 3, six);
    /* A file that is not compressed in spite of its name is read all the same. */
    expect_matrix(temp_write_text("b.csv.gz", csv_spellings[_i]), 2, 3, six);
}
END_TEST

static const struct {
    const char *text;
    enum stj_status status;
    const char *message;
} bad_csv[] = {
    {"", STJ_EFORMAT, "bad.csv: the file is empty"},
    {"\n", STJ_EFORMAT, "bad.csv:1:1: the line is empty"},
    {"a,b\n", STJ_EFORMAT, "bad.csv: holds no values (0 rows"},
    {"1,2\n3\n", STJ_EFORMAT, "bad.csv:2:1: the line has 1 cells, line 1 has 2"},
    {"1,2\n3,4,5\n", STJ_EFORMAT, "bad.csv:2:3: the line has 3 cells, line 1 has 2"},
    {"a,b\n1,2,3\n", STJ_EFORMAT, "bad.csv:2:3: the line has 3 cells, line 1 has 2"},
    {"1,2\n\n3,4\n", STJ_EFORMAT, "bad.csv:2:1: the line is empty"},
    {"1,2\n3,\n", STJ_EFORMAT, "bad.csv:2:2: cell 2 of the line is empty"},
    {"1,,2\n", STJ_EFORMAT, "bad.csv:1:2: cell 2 of the line is empty"},
    {"1,2\n3,x\n", STJ_EFORMAT,
     "bad.csv:2:2: expected a finite number in cell 2 of the line, got 'x'"},
    {"1.5,b\n", STJ_EFORMAT,
     "bad.csv:1:2: expected a finite number in cell 2 of the line, got 'b'"},
    /* A spoilt first row is not taken for headings. */
    {"1,0,b\n2,3,4\n", STJ_EFORMAT, "bad.csv:1:3: expected a finite number in cell 3"},
    {"1,2,3O\n2,3,4\n", STJ_EFORMAT, "bad.csv:1:3: expected a finite number in cell 3"},
    {"1,nan,b\n2,3,4\n", STJ_ENONFINITE, "bad.csv:1:2: expected a finite number in cell 2"},
    {"1,2,\n2,3,4\n", STJ_EFORMAT, "bad.csv:1:3: cell 3 of the line is empty"},
    {",a,b\n0,1,2\n1,3,4\n", STJ_EFORMAT, "bad.csv:1:1: the first cell is empty"},
    {"\"\",\"a\"\n0,1\n", STJ_EFORMAT, "to_csv(index=False)"},
    {"1,2\n3,4\n\n5,6\n", STJ_EFORMAT, "bad.csv:3:1: the line is empty"},
    {"\n1,2\n", STJ_EFORMAT, "bad.csv:1:1: the line is empty"},
    {"1,2\n\"3\"x,4\n", STJ_EFORMAT, "got '\"3\"x'"},
    {"1,2\n\"3,4\n", STJ_EFORMAT, "bad.csv:2:1: the line has 1 cells, line 1 has 2"},
    {"a;b\n1,5;2\n", STJ_EFORMAT, "its cells are separated by semicolons, they must be by commas"},
    {"1;2\n3;4\n", STJ_EFORMAT, "its cells are separated by semicolons"},
    {"a\tb\n3\t4\n", STJ_EFORMAT, "its cells are separated by tabs"},
    {"1,2\r3,4\r", STJ_EFORMAT, "bad.csv:1: a carriage return stands inside of the line"},
    {"\xFF\xFE", STJ_EFORMAT, "bad.csv: the text is UTF-16; save it as UTF-8"},
    {"1,2\na,b\n", STJ_EFORMAT, "bad.csv:2:1: expected a finite number"},
    {"1,2 3\n", STJ_EFORMAT, "got '2 3'"},
    {"1;2\n3;4\n5;6\n", STJ_EFORMAT,
     "bad.csv:2:1: expected a finite number in cell 1 of the line, got '3;4'"},
    {"1,0x10\n", STJ_EFORMAT, "got '0x10'"},
    {"1,nan\n", STJ_ENONFINITE,
     "bad.csv:1:2: expected a finite number in cell 2 of the line, got 'nan'"},
    {"NaN,NaN\n", STJ_ENONFINITE,
     "bad.csv:1:1: expected a finite number in cell 1 of the line, got 'NaN'"},
    {"1,-Inf\n", STJ_ENONFINITE, "got '-Inf'"},
    {"1,1e999\n", STJ_ENONFINITE, "got '1e999'"},
    {"1,\x01\x02\n", STJ_EFORMAT, "got '\?\?'"},
    {"1,2222222222222222222222222222222222222222222222222222222222x\n", STJ_EFORMAT,
     "got '2222222222222222222222222222222222222222...'"},
};

START_TEST(csv_errors_name_line_and_cell)
{
    const char *path = temp_write_text("bad.csv", bad_csv[_i].text);
    expect_failure(path, bad_csv[_i].status, bad_csv[_i].message);
}
END_TEST

START_TEST(csv_of_many_chunks)
{
    /* Lines of every length around the 64 KiB in which files are read. */
    enum { ROWS = 700, COLS = 300 };
    char *text = calloc(ROWS * COLS, 8);
    double *values = calloc(ROWS * COLS, sizeof *values);
    ck_assert(text && values);
    size_t used = 0;
    for (size_t i = 0; i < ROWS * COLS; i++) {
        values[i] = (double)(i * 7919 % 100003);
        used += (size_t)snprintf(text + used, ROWS * COLS * 8 - used, "%g%c", values[i],
                                 i % COLS == COLS - 1 ? '\n' : ',');
    }
    expect_matrix(temp_write_text("big.csv", text), ROWS, COLS, values);
    expect_matrix(temp_write_gz("big.csv.gz", text), ROWS, COLS, values);
    free(values);
    free(text);
}
END_TEST

START_TEST(damaged_gzip_is_refused)
{
    unsigned char bytes[4096];
    char text[2048] = "";
    for (int i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,%d\n", i * i, i % 7);
    size_t n = temp_read(temp_write_gz("good.csv.gz", text), bytes, sizeof bytes);
    ck_assert_uint_gt(n, 30);
    /* Cut short anywhere behind the 10-byte header: the checksum at the end is missing. */
    for (size_t cut = 11; cut < n; cut += 13)
        expect_failure(temp_write("cut.csv.gz", bytes, cut), STJ_EFORMAT, "damaged or cut short");
    bytes[n / 2] ^= 0x10;
    expect_failure(temp_write("flip.csv.gz", bytes, n), STJ_EFORMAT, "flip.csv.gz");
    expect_failure(temp_write("nul.csv", "1,2\n3,4\0\n", 9), STJ_EFORMAT,
                   "nul.csv:2: the line holds a NUL byte");
}
END_TEST

/* path <- two packed texts, one behind the other; returns its bytes, *first <- those of the first. */
static size_t join_members(const char *name, const char *one, const char *two, unsigned char *bytes,
                           size_t size, size_t *first)
{
    *first = temp_read(temp_write_gz("one.gz", one), bytes, size);
    const size_t n =
        *first + temp_read(temp_write_gz("two.gz", two), bytes + *first, size - *first);
    temp_write(name, bytes, n);
    return n;
}

START_TEST(gzip_members_are_one_text)
{
    unsigned char bytes[512];
    size_t first = 0;
    join_members("two.csv.gz", "1,-2.5,3000\n0.1", "25,16,1e-300\n", bytes, sizeof bytes, &first);
    expect_matrix(temp_path("two.csv.gz"), 2, 3, six);
}
END_TEST

/* What gzip(1) passes over with a warning would be rows that are silently missing. */
START_TEST(what_follows_a_gzip_member_is_not_ignored)
{
    static const char rest[] = "5,6\n7,8\n9,10\n11,12\n";
    unsigned char bytes[512];
    unsigned char wrong[512];
    size_t first = 0;
    char place[64];
    const size_t n = join_members("ok.csv.gz", "1,2\n3,4\n", rest, bytes, sizeof bytes, &first);
    for (size_t i = first; i < n; i++) {
        if (i - first >= 3 && i - first < 10)
            continue; /* flags, time and system of its header */
        memcpy(wrong, bytes, n);
        wrong[i] ^= 0x55;
        expect_failure(temp_write("flip.csv.gz", wrong, n), STJ_EFORMAT, "flip.csv.gz: ");
    }
    for (size_t cut = first + 1; cut < n; cut++)
        expect_failure(temp_write("cut.csv.gz", bytes, cut), STJ_EFORMAT, "in member 2");
    snprintf(place, sizeof place, "zeros follow the end of its packed data at byte %zu", first);
    for (size_t zeroed = 0; zeroed < 2; zeroed++) {
        memcpy(wrong, bytes, first);
        memset(wrong + first, 0, n - first);
        expect_failure(temp_write("zero.csv.gz", wrong, zeroed ? n : first + 1), STJ_EFORMAT,
                       place);
    }
    wrong[first + 3] = 1;
    snprintf(place, sizeof place, "bytes follow the end of its packed data at byte %zu", first);
    expect_failure(temp_write("zero.csv.gz", wrong, n), STJ_EFORMAT, place);
}
END_TEST

START_TEST(packed_files_that_are_not_read_say_so)
{
    static const struct {
        const char *name, *text, *message;
    } file[] = {
        {"a.npy.gz", "\x93NUMPY\x01", "a.npy.gz: a file of format npy that is packed with gzip"},
        {"a.gz", "\x93NUMPY\x01", "unpack it with gunzip"},
        {"a.npz.gz", "PK\x03\x04", "of format npz that is packed with gzip"},
        {"a.h5.gz", "\x89HDF\r\n\x1A\n", "of format hdf5 that is packed with gzip"},
        {"a.txt.gz", "1,2\n", "a.txt.gz: not a data file of a known format"},
    };
    for (size_t i = 0; i < sizeof file / sizeof file[0]; i++)
        expect_failure(temp_write_gz(file[i].name, file[i].text),
                       i == 4 ? STJ_EFORMAT : STJ_EUNSUPPORTED, file[i].message);
    expect_failure(temp_write("a.csv.xz",
                              "\xFD"
                              "7zXZ\0",
                              6),
                   STJ_EUNSUPPORTED,
                   "a.csv.xz: is packed in a way that is not read here; unpack it with unxz");
}
END_TEST

/* ---- npy ---- */

/* Write an NPY file of the given version with a header dict and n bytes of items. */
static const char *write_npy(const char *name, int version, const char *dict, const void *items,
                             size_t n)
{
    unsigned char bytes[4096] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0};
    size_t size_length = version == 1 ? 2 : 4;
    size_t length = strlen(dict);
    for (size_t i = 0; i < size_length; i++)
        bytes[8 + i] = (unsigned char)(length >> (8 * i));
    memcpy(bytes + 8 + size_length, dict, length);
    memcpy(bytes + 8 + size_length + length, items, n);
    return temp_write(name, bytes, 8 + size_length + length + n);
}

static const double few[] = {0, 1, 2, 100, 127, -3};

START_TEST(npy_reads_every_type)
{
    static const uint16_t f2[] = {0, 0x3C00, 0x4000, 0x5640, 0x57F0, 0xC200};
    static const float f4[] = {0, 1, 2, 100, 127, -3};
    static const int8_t i1[] = {0, 1, 2, 100, 127, -3};
    static const int16_t i2[] = {0, 1, 2, 100, 127, -3};
    static const int32_t i4[] = {0, 1, 2, 100, 127, -3};
    static const int64_t i8[] = {0, 1, 2, 100, 127, -3};
    static const uint8_t u1[] = {0, 1, 2, 100, 127};
    static const uint16_t u2[] = {0, 1, 2, 100, 127};
    static const uint32_t u4[] = {0, 1, 2, 100, 127};
    static const uint64_t u8[] = {0, 1, 2, 100, 127};
    static const uint8_t b1[] = {0, 1};
    static const struct {
        const char *type;
        const void *items;
        size_t bytes, n;
    } types[] = {
        {"<f2", f2, sizeof f2, 6}, {"<f4", f4, sizeof f4, 6}, {"<f8", few, sizeof few, 6},
        {"|i1", i1, sizeof i1, 6}, {"<i2", i2, sizeof i2, 6}, {"<i4", i4, sizeof i4, 6},
        {"<i8", i8, sizeof i8, 6}, {"|u1", u1, sizeof u1, 5}, {"<u2", u2, sizeof u2, 5},
        {"<u4", u4, sizeof u4, 5}, {"<u8", u8, sizeof u8, 5}, {"|b1", b1, sizeof b1, 2},
    };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (int version = 1; version <= 3; version++) {
            char dict[128];
            snprintf(dict, sizeof dict,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (%zu,), }      \n",
                     types[t].type, types[t].n);
            expect_matrix(write_npy("a.npy", version, dict, types[t].items, types[t].bytes),
                          types[t].n, 1, few);
        }
}
END_TEST

/* The same items with their bytes turned round. */
START_TEST(npy_of_big_endian_machines)
{
    static const char *const types[] = {"f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8"};
    static const unsigned char two[][8] = {
        {0x40, 0}, {0x40, 0, 0, 0}, {0x40, 0, 0, 0, 0, 0, 0, 0},
        {0, 2},    {0, 0, 0, 2},    {0, 0, 0, 0, 0, 0, 0, 2},
        {0, 2},    {0, 0, 0, 2},    {0, 0, 0, 0, 0, 0, 0, 2},
    };
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        char dict[128];
        snprintf(dict, sizeof dict, "{'descr': '>%s', 'fortran_order': False, 'shape': (1,), }",
                 types[t]);
        expect_matrix(write_npy("a.npy", 1, dict, two[t], (size_t)(types[t][1] - '0')), 1, 1,
                      &few[2]);
    }
}
END_TEST

START_TEST(npy_keeps_extreme_values)
{
    static const int64_t i8[] = {INT64_C(9007199254740992), -INT64_C(9007199254740992)};
    static const double exact[] = {9007199254740992.0, -9007199254740992.0};
    static const int8_t i1[] = {-128, 127};
    static const double bytes[] = {-128, 127};
    expect_matrix(write_npy("a.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}",
                            i8, sizeof i8),
                  2, 1, exact);
    expect_matrix(write_npy("a.npy", 1, "{'descr': '|i1', 'fortran_order': False, 'shape': (2,)}",
                            i1, sizeof i1),
                  2, 1, bytes);
    static const int64_t beyond[] = {0, INT64_MIN};
    expect_failure(write_npy("b.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}",
                             beyond, sizeof beyond),
                   STJ_EUNSUPPORTED, "item 1 is an integer beyond 2^53");
    static const uint64_t large[] = {UINT64_C(9007199254740993), 0};
    expect_failure(write_npy("b.npy", 1, "{'descr': '<u8', 'fortran_order': False, 'shape': (2,)}",
                             large, sizeof large),
                   STJ_EUNSUPPORTED, "item 0 is an integer beyond 2^53");
}
END_TEST

/* a[i][j][k] = 100 i + 10 j + k of shape 2 x 3 x 4 from both orders. */
START_TEST(npy_of_both_orders_reads_row_major)
{
    double c[24];
    double f[24];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 3; j++)
            for (size_t k = 0; k < 4; k++) {
                double value = (double)(100 * i + 10 * j + k);
                c[(i * 3 + j) * 4 + k] = value;
                f[i + 2 * (j + 3 * k)] = value;
            }
    const char *path = write_npy(
        "c.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3, 4), }", c, sizeof c);
    expect_matrix(path, 2, 12, c);
    path = write_npy("f.npy", 1, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3, 4), }", f,
                     sizeof f);
    expect_matrix(path, 2, 12, c);

    struct stj_error err = STJ_ERROR_INIT;
    struct stj_matrix m;
    EXPECT_OK(stj_matrix_read(path, &m, &err), err);
    ck_assert_uint_eq(m.n_dims, 3);
    ck_assert_uint_eq(m.shape[0], 2);
    ck_assert_uint_eq(m.shape[1], 3);
    ck_assert_uint_eq(m.shape[2], 4);
    stj_matrix_free(&m);
    expect_matrix(
        write_npy("s.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': ()}", &c[23], 8),
        1, 1, &c[23]);
}
END_TEST

#define DICT(descr, order, shape)                                                                  \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

static const struct {
    const char *dict;
    size_t bytes; /* of zeros that follow */
    enum stj_status status;
    const char *message;
} bad_npy[] = {
    {DICT("'<f8'", "False", "(2,)"), 15, STJ_EFORMAT,
     "but 15 bytes follow it; the file is cut short"},
    {DICT("'<f8'", "False", "(2,)"), 17, STJ_EFORMAT,
     "but 17 bytes follow it; the file is damaged"},
    {DICT("'<f8'", "False", "(1000000, 1000000)"), 8, STJ_EFORMAT, "cut short"},
    {DICT("'<f8'", "False", "(4294967296, 4294967296)"), 0, STJ_ENOMEM, "bad.npy"},
    {DICT("'<f8'", "False", "(99999999999999999999,)"), 0, STJ_EFORMAT, "not a list of sizes"},
    {DICT("'<f8'", "False", "(0,)"), 0, STJ_EFORMAT, "holds no values"},
    {DICT("'<f8'", "False", "(3, 0)"), 0, STJ_EFORMAT, "holds no values"},
    {DICT("'<f8'", "False", "(-1,)"), 8, STJ_EFORMAT, "not a list of sizes"},
    {DICT("'<f8'", "False", "(1 1)"), 8, STJ_EFORMAT, "not a list of sizes"},
    {DICT("'<f8'", "False", "(1"), 8, STJ_EFORMAT, "not a list of sizes"},
    {DICT("'<f8'", "False", "[1]"), 8, STJ_EFORMAT, "does not say 'shape'"},
    {DICT("'<f8'", "False", "(1,1,1,1,1,1,1,1,1)"), 8, STJ_EUNSUPPORTED, "more than 8 dimensions"},
    {DICT("'<f8'", "Maybe", "(1,)"), 8, STJ_EFORMAT, "does not say 'fortran_order'"},
    {DICT("'=f8'", "False", "(1,)"), 8, STJ_EUNSUPPORTED, "items of type '=f8', 'fort"},
    {DICT("'>c8'", "False", "(1,)"), 8, STJ_EUNSUPPORTED, "items of type '>c8', 'fort"},
    {DICT("'<c8'", "False", "(1,)"), 8, STJ_EUNSUPPORTED, "save the array as one of <f4 <f8"},
    {DICT("'<f9'", "False", "(4,)"), 8, STJ_EUNSUPPORTED, "are not supported"},
    {DICT("'|O'", "False", "(1,)"), 8, STJ_EUNSUPPORTED, "are not supported"},
    {DICT("[('x', '<f8')]", "False", "(1,)"), 8, STJ_EUNSUPPORTED, "are not supported"},
    {"{'fortran_order': False, 'shape': (1,)}", 8, STJ_EFORMAT, "does not say 'descr'"},
    {"", 8, STJ_EFORMAT, "does not say 'descr'"},
};

START_TEST(npy_errors_are_found_before_memory_is_spent)
{
    static const unsigned char zeros[32];
    for (int version = 1; version <= 3; version++)
        expect_failure(write_npy("bad.npy", version, bad_npy[_i].dict, zeros, bad_npy[_i].bytes),
                       bad_npy[_i].status, bad_npy[_i].message);
}
END_TEST

START_TEST(npy_cut_anywhere_is_refused)
{
    unsigned char bytes[256];
    const char *path = write_npy("a.npy", 2, DICT("'<f8'", "False", "(2, 3)"), few, sizeof few);
    size_t n = temp_read(path, bytes, sizeof bytes);
    expect_matrix(temp_write("whole.npy", bytes, n), 2, 3, few);
    for (size_t cut = 0; cut < n; cut++)
        expect_failure(temp_write("cut.npy", bytes, cut), STJ_EFORMAT, "cut.npy: ");
    unsigned char wrong[256];
    memcpy(wrong, bytes, n);
    wrong[1] = 'M';
    expect_failure(temp_write("magic.npy", wrong, n), STJ_EFORMAT, "not an NPY file");
    memcpy(wrong, bytes, n);
    wrong[6] = 4;
    expect_failure(temp_write("version.npy", wrong, n), STJ_EUNSUPPORTED, "NPY version 4.0");
    memcpy(wrong, bytes, n);
    wrong[11] = 0x7F; /* a header of 2 GiB */
    expect_failure(temp_write("header.npy", wrong, n), STJ_EFORMAT, "the header claims");
}
END_TEST

START_TEST(npy_values_must_be_finite)
{
    static const uint64_t bits[] = {0, UINT64_C(0x7FF8000000000000), 0, 0};
    static const uint32_t inf[] = {0, 0, 0, 0xFF800000u};
    expect_failure(write_npy("nan.npy", 1, DICT("'<f8'", "False", "(2, 2)"), bits, sizeof bits),
                   STJ_ENONFINITE, "nan.npy: the value in row 0, column 1 (from 0) is nan");
    expect_failure(write_npy("inf.npy", 1, DICT("'<f4'", "False", "(2, 2)"), inf, sizeof inf),
                   STJ_ENONFINITE, "inf.npy: the value in row 1, column 1 (from 0) is -inf");
}
END_TEST

/* ---- the registry ---- */

START_TEST(formats_are_recognised)
{
    struct stj_error err = STJ_ERROR_INIT;
    const struct stj_reader *reader = NULL;
    EXPECT_OK(stj_reader_find(temp_write_text("A.CSV", "1\n"), &reader, &err), err);
    ck_assert_str_eq(reader->info.name, "csv");
    /* An NPY file is known by its first bytes too. */
    const char *path = write_npy("x.dat", 1, DICT("'<f8'", "False", "(2, 3)"), few, sizeof few);
    EXPECT_OK(stj_reader_find(path, &reader, &err), err);
    ck_assert_str_eq(reader->info.name, "npy");
    expect_failure(
        temp_write_text("a.txt", "1,2\n"), STJ_EFORMAT,
        "a.txt: not a data file of a known format (NumPy array, .npy, NumPy arrays by name");
    expect_failure(temp_path("absent.csv"), STJ_EIO, "absent.csv: cannot open: No such file");
    expect_failure(temp_folder(), STJ_EIO, "cannot read");
    for (size_t i = 0; stj_reader_kind.list[i]; i++)
        ck_assert(stj_reader_kind.list[i]->name && stj_reader_kind.list[i]->doc);
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("readers");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_loop_test(tc, csv_reads_numbers, 0, sizeof csv_spellings / sizeof csv_spellings[0]);
    tcase_add_loop_test(tc, csv_errors_name_line_and_cell, 0, sizeof bad_csv / sizeof bad_csv[0]);
    tcase_add_test(tc, csv_of_many_chunks);
    tcase_add_test(tc, damaged_gzip_is_refused);
    tcase_add_test(tc, gzip_members_are_one_text);
    tcase_add_test(tc, what_follows_a_gzip_member_is_not_ignored);
    tcase_add_test(tc, packed_files_that_are_not_read_say_so);
    tcase_add_test(tc, npy_reads_every_type);
    tcase_add_test(tc, npy_of_big_endian_machines);
    tcase_add_test(tc, npy_keeps_extreme_values);
    tcase_add_test(tc, npy_of_both_orders_reads_row_major);
    tcase_add_loop_test(tc, npy_errors_are_found_before_memory_is_spent, 0,
                        sizeof bad_npy / sizeof bad_npy[0]);
    tcase_add_test(tc, npy_cut_anywhere_is_refused);
    tcase_add_test(tc, npy_values_must_be_finite);
    tcase_add_test(tc, formats_are_recognised);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("readers");
    suite_add_tcase(suite, make_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
