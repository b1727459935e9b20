/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-h5.c: result files: values come back bit by bit; damaged, foreign and newer files are
 * refused; a full disk leaves nothing. */
#include <check.h>
#include <fcntl.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/h5.h"
#include "io/h5_header.h"
#include "io/manifest.h"
#include "expect.h"
#include "scratch.h"

static const struct stj_h5_format format = {
    .name = "spectraj-test", .version = 2, .remedy = "make it again"};

enum { ROWS = 37, COLS = 11, LD = 13, LONG_TEXT = 3000 };

static double cell(size_t i, size_t j)
{
    return sin((double)(i * COLS + j)) * pow(10, (double)j - 5);
}

/* matrix[ROWS][LD]; the two columns beyond COLS are never to be touched. */
static void fill(double matrix[ROWS * LD])
{
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < LD; j++)
            matrix[i * LD + j] = j < COLS ? cell(i, j) : -1;
}

static char *long_text(void)
{
    char *text = calloc(LONG_TEXT + 1, 1);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < LONG_TEXT; i++)
        text[i] = (char)('a' + i % 26);
    return text;
}

static enum stj_status write_sample(const char *path, struct stj_error *err)
{
    struct stj_h5 *file = NULL;
    static double matrix[ROWS * LD];
    char *text = long_text();
    const double vector[3] = {1, -0.0, (double)INFINITY};
    fill(matrix);
    enum stj_status st = stj_h5_create(path, &format, &file, err);
    if (st == STJ_OK)
        st = stj_h5_put_unsigned(file, "@count", UINT64_MAX, err);
    if (st == STJ_OK)
        st = stj_h5_put_real(file, "@nan", (double)NAN, err);
    if (st == STJ_OK)
        st = stj_h5_put_text(file, "@label", "J \xe2\x88\x82", err);
    if (st == STJ_OK)
        st = stj_h5_put_text(file, "@empty", "", err);
    if (st == STJ_OK)
        st = stj_h5_put_text(file, "long", text, err);
    if (st == STJ_OK)
        st = stj_h5_put_vector(file, "vector", 3, vector, err);
    if (st == STJ_OK)
        st = stj_h5_put_vector(file, "none", 0, NULL, err);
    if (st == STJ_OK)
        st = stj_h5_put_matrix(file, "matrix", ROWS, COLS, err);
    for (size_t first = 0; first < ROWS && st == STJ_OK; first += 5) {
        size_t count = ROWS - first < 5 ? ROWS - first : 5;
        st = stj_h5_put_rows(file, "matrix", first, count, matrix + first * LD, LD, err);
    }
    free(text);
    if (st == STJ_OK)
        st = stj_h5_describe(file, "matrix", 2, (const char *[]){"row", "col"}, "m", "a matrix",
                             err);
    if (st == STJ_OK)
        return stj_h5_commit(file, err);
    stj_h5_close(file);
    return st;
}

/* Read everything; whatever is read without an error must be what was written. */
static enum stj_status read_sample(const char *path, struct stj_error *err)
{
    struct stj_h5 *file = NULL;
    uint64_t count = 0;
    double number = 0;
    double vector[3] = {0};
    double matrix[3 * LD];
    char *text = NULL;
    char *whole = long_text();
    enum stj_status st = stj_h5_open(path, &format, &file, err);
    if (st == STJ_OK && (st = stj_h5_get_unsigned(file, "@count", &count, err)) == STJ_OK)
        ck_assert(count == UINT64_MAX);
    if (st == STJ_OK && (st = stj_h5_get_real(file, "@nan", &number, err)) == STJ_OK)
        ck_assert(isnan(number));
    if (st == STJ_OK && (st = stj_h5_get_text(file, "@label", &text, err)) == STJ_OK)
        ck_assert_str_eq(text, "J \xe2\x88\x82");
    free(text);
    text = NULL;
    if (st == STJ_OK && (st = stj_h5_get_text(file, "@empty", &text, err)) == STJ_OK)
        ck_assert_str_eq(text, "");
    free(text);
    text = NULL;
    if (st == STJ_OK && (st = stj_h5_get_text(file, "long", &text, err)) == STJ_OK)
        ck_assert_str_eq(text, whole);
    free(text);
    free(whole);
    if (st == STJ_OK && (st = stj_h5_get_vector(file, "vector", 3, vector, err)) == STJ_OK)
        ck_assert(vector[0] == 1 && vector[1] == 0 && signbit(vector[1]) && isinf(vector[2]));
    if (st == STJ_OK)
        st = stj_h5_get_vector(file, "none", 0, NULL, err);
    if (st == STJ_OK)
        st = stj_h5_expect(file, "matrix", ROWS, COLS, err);
    for (size_t first = 0; first < ROWS && st == STJ_OK; first += 3) {
        size_t n = ROWS - first < 3 ? ROWS - first : 3;
        memset(matrix, 0, sizeof matrix);
        st = stj_h5_get_rows(file, "matrix", first, n, COLS, matrix, LD, err);
        for (size_t k = 0; k < n * LD && st == STJ_OK; k++)
            ck_assert(matrix[k] == (k % LD < COLS ? cell(first + k / LD, k % LD) : 0));
    }
    stj_h5_close(file);
    return st;
}

START_TEST(round_trip)
{
    struct stj_error err = STJ_ERROR_INIT;
    ck_assert_msg(write_sample(scratch_path("a.h5"), &err) == STJ_OK, "%s", err.text);
    ck_assert_uint_eq(scratch_count("."), 1);
    ck_assert_msg(read_sample(scratch_path("a.h5"), &err) == STJ_OK, "%s", err.text);
}
END_TEST

START_TEST(same_content_same_bytes)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t n = 0;
    size_t m = 0;
    ck_assert_int_eq(write_sample(scratch_path("b.h5"), &err), STJ_OK);
    ck_assert_int_eq(write_sample(scratch_path("c.h5"), &err), STJ_OK);
    unsigned char *b = scratch_read("b.h5", &n);
    unsigned char *c = scratch_read("c.h5", &m);
    ck_assert_uint_eq(n, m);
    ck_assert_mem_eq(b, c, n);
    free(b);
    free(c);
}
END_TEST

static void expect_refused(const char *name, const char *phrase)
{
    struct stj_error err = STJ_ERROR_INIT;
    ck_assert_msg(read_sample(scratch_path(name), &err) == STJ_EFORMAT, "%s", err.text);
    ck_assert_msg(strstr(err.text, scratch_path(name)) && strstr(err.text, phrase), "\"%s\": %s",
                  phrase, err.text);
    ck_assert_msg(!strchr(err.text, '\n'), "%s", err.text);
}

/* Every byte of the file, all bits of it inverted, one at a time, is noticed when it is opened. */
START_TEST(every_byte_flipped)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t n = 0;
    ck_assert_int_eq(write_sample(scratch_path("flipped.h5"), &err), STJ_OK);
    unsigned char *data = scratch_read("flipped.h5", &n);
    int fd = open(scratch_path("flipped.h5"), O_WRONLY);
    for (size_t i = 0; i < n; i++) {
        unsigned char flipped = data[i] ^ 0xff;
        ck_assert_int_eq(pwrite(fd, &flipped, 1, (off_t)i), 1);
        stj_error_clear(&err);
        struct stj_h5 *file = NULL;
        enum stj_status st = stj_h5_open(scratch_path("flipped.h5"), &format, &file, &err);
        ck_assert_msg(st == STJ_EFORMAT && strstr(err.text, "flipped.h5"), "byte %zu of %zu: %s %s",
                      i, n, stj_status_name(st), err.text);
        ck_assert_int_eq(pwrite(fd, &data[i], 1, (off_t)i), 1);
    }
    close(fd);
    free(data);
}
END_TEST

/* Change one value through HDF5 and renew the header, so that only the manifest can notice. */
static void tamper(const char *item, size_t offset)
{
    struct stj_error err = STJ_ERROR_INIT;
    char buffer[ROWS * COLS * sizeof(double)] = {0};
    ck_assert_int_eq(write_sample(scratch_path("tampered.h5"), &err), STJ_OK);
    hid_t file = H5Fopen(scratch_path("tampered.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    if (item[0] == '@') {
        hid_t id = H5Aopen(file, item + 1, H5P_DEFAULT);
        hid_t type = H5Aget_type(id);
        ck_assert(H5Tget_size(type) <= sizeof buffer && H5Aread(id, type, buffer) >= 0);
        buffer[offset] ^= 1;
        ck_assert(H5Awrite(id, type, buffer) >= 0);
        H5Tclose(type);
        H5Aclose(id);
    } else {
        hid_t id = H5Dopen2(file, item, H5P_DEFAULT);
        hid_t type = H5Dget_type(id);
        ck_assert(H5Tget_size(type) <= sizeof buffer);
        ck_assert(H5Dread(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) >= 0);
        buffer[offset] ^= 1;
        ck_assert(H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) >= 0);
        H5Tclose(type);
        H5Dclose(id);
    }
    ck_assert(H5Fclose(file) >= 0);
    int fd = open(scratch_path("tampered.h5"), O_RDWR);
    ck_assert_int_eq(stj_h5_header_seal(fd, &format), 0);
    close(fd);
}

START_TEST(every_value_has_a_checksum)
{
    static const struct {
        const char *item;
        size_t offset;
        const char *phrase;
    } cases[] = {
        {"@count", 0, "\"@count\" does not have its checksum"},
        {"@nan", 0, "\"@nan\" does not have its checksum"},
        {"@label", 3, "\"@label\" does not have its checksum"},
        {"@version", 0, "\"@version\" does not have its checksum"},
        {"@format", 0, "\"@format\" does not have its checksum"},
        {"long", LONG_TEXT - 1, "\"long\" does not have its checksum"},
        {"vector", 17, "\"vector\" does not have its checksum"},
        {"matrix", (4 * COLS + 3) * sizeof(double), "row 4 of \"matrix\" does not have"},
        {"matrix_crc32", 0, "\"matrix_crc32\" does not have its checksum"},
        {"manifest", 0, "its manifest is damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tamper(cases[i].item, cases[i].offset);
        expect_refused("tampered.h5", cases[i].phrase);
    }
}
END_TEST

START_TEST(truncated_anywhere)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t n = 0;
    ck_assert_int_eq(write_sample(scratch_path("e.h5"), &err), STJ_OK);
    unsigned char *data = scratch_read("e.h5", &n);
    for (size_t length = 0; length < n; length += length < 600 ? 1 : 97) {
        scratch_write("short.h5", data, length);
        expect_refused("short.h5", length < 1 ? "not an HDF5 file" : "is truncated");
    }
    free(data);
}
END_TEST

START_TEST(not_hdf5)
{
    scratch_write_text("text.h5", "theta,loss\n1,2\n");
    expect_refused("text.h5", "is not an HDF5 file");
}
END_TEST

START_TEST(missing)
{
    struct stj_error err = STJ_ERROR_INIT;
    ck_assert_int_eq(read_sample(scratch_path("nowhere.h5"), &err), STJ_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "nowhere.h5: cannot be read: No such file"));
}
END_TEST

/* A vector is the coordinates of the dimension of its name; of a dimension of no vector's name there is
 * a data set without values; and every data set has names for its dimensions. */
static void expect_dimension(hid_t file, const char *set, unsigned axis, const char *dim)
{
    hid_t id = H5Dopen2(file, set, H5P_DEFAULT);
    hid_t scale = H5Dopen2(file, dim, H5P_DEFAULT);
    ck_assert_msg(id >= 0 && scale >= 0 && H5DSis_scale(scale) > 0, "%s of %s", dim, set);
    ck_assert_msg(H5DSis_attached(id, scale, axis) > 0, "%s of %s", dim, set);
    ck_assert_int_eq(H5Dclose(scale) | H5Dclose(id), 0);
}

START_TEST(dimensions)
{
    static const char *const step[] = {"step"}, *const cell_names[] = {"step", "col"},
                             *const swapped[] = {"col", "step"};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_h5 *file = NULL;
    const uint64_t steps[] = {0, 5, 9};
    const double loss[] = {3, 2, 1}, matrix[6] = {0};
    EXPECT_OK(stj_h5_create(scratch_path("dims.h5"), &format, &file, &err), err);
    EXPECT_OK(stj_h5_put_unsigneds(file, "step", 3, steps, &err), err);
    EXPECT_OK(stj_h5_put_vector(file, "loss", 3, loss, &err), err);
    EXPECT_OK(stj_h5_put_vector(file, "own", 3, loss, &err), err);
    EXPECT_OK(stj_h5_put_matrix(file, "matrix", 3, 2, &err), err);
    EXPECT_OK(stj_h5_put_rows(file, "matrix", 0, 3, matrix, 2, &err), err);
    EXPECT_OK(stj_h5_put_real(file, "@number", 1, &err), err);
    EXPECT_FAIL(stj_h5_describe(file, "matrix", 1, step, NULL, NULL, &err), STJ_EINTERNAL,
                "\"matrix\" does not have 1 dimensions", err);
    EXPECT_FAIL(stj_h5_describe(file, "nothing", 1, step, NULL, NULL, &err), STJ_EINTERNAL,
                "\"nothing\" does not have", err);
    EXPECT_OK(stj_h5_describe(file, "loss", 1, step, "nat", "mean", &err), err);
    EXPECT_OK(stj_h5_describe(file, "step", 1, step, NULL, "optimizer steps", &err), err);
    EXPECT_OK(stj_h5_describe(file, "@number", 0, NULL, NULL, "not kept", &err), err);
    EXPECT_OK(stj_h5_describe(file, "matrix", 2, cell_names, NULL, NULL, &err), err);
    EXPECT_FAIL(stj_h5_describe(file, "matrix", 2, cell_names, NULL, NULL, &err), STJ_EINTERNAL,
                "described twice", err);
    EXPECT_OK(stj_h5_commit(file, &err), err);
    hid_t id = H5Fopen(scratch_path("dims.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    expect_dimension(id, "loss", 0, "step");
    expect_dimension(id, "matrix", 0, "step");
    expect_dimension(id, "matrix_crc32", 0, "step");
    expect_dimension(id, "matrix", 1, "col");
    expect_dimension(id, "own", 0, "own_rows");
    ck_assert_int_eq(H5Fclose(id), 0);
    EXPECT_OK(stj_h5_create(scratch_path("dims.h5"), &format, &file, &err), err);
    EXPECT_OK(stj_h5_put_matrix(file, "a", 3, 2, &err), err);
    EXPECT_OK(stj_h5_put_matrix(file, "b", 3, 2, &err), err);
    EXPECT_OK(stj_h5_describe(file, "a", 2, cell_names, NULL, NULL, &err), err);
    EXPECT_FAIL(stj_h5_describe(file, "b", 2, swapped, NULL, NULL, &err), STJ_EINTERNAL,
                "\"col\" is no dimension of length 3", err);
    stj_h5_close(file);
}
END_TEST

START_TEST(foreign_hdf5)
{
    hid_t id = H5Fcreate(scratch_path("foreign.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(id >= 0 && H5Fclose(id) >= 0);
    expect_refused("foreign.h5", "is an HDF5 file but not a spectraj-test");
}
END_TEST

enum { BY_LINK, BY_STORAGE, BY_MAPPING, N_ELSEWHERE };

/* Put "vector" of a result file into another file, with the same values, and seal the result again. */
static void move_vector(const char *path, const char *other, const char *raw, int how)
{
    const hsize_t n = 3;
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    ck_assert(file >= 0 && H5Ldelete(file, "vector", H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (how == BY_STORAGE)
        ck_assert(H5Pset_external(creation, raw, 0, n * sizeof(double)) >= 0);
    if (how == BY_MAPPING)
        ck_assert(H5Pset_virtual(creation, space, other, "vector", space) >= 0);
    if (how == BY_LINK) {
        ck_assert(H5Lcreate_external(other, "vector", file, "vector", H5P_DEFAULT, H5P_DEFAULT) >=
                  0);
    } else {
        hid_t id =
            H5Dcreate2(file, "vector", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        ck_assert(id >= 0 && H5Dclose(id) >= 0);
    }
    ck_assert(H5Pclose(creation) >= 0 && H5Sclose(space) >= 0 && H5Fclose(file) >= 0);
    const int fd = open(path, O_RDWR);
    ck_assert(fd >= 0 && stj_h5_header_seal(fd, &format) == 0 && close(fd) == 0);
}

/* A stranger's file does not make us read, or wait for, another one. */
START_TEST(values_in_other_files)
{
    const double vector[3] = {1, -0.0, (double)INFINITY};
    struct stj_error err = STJ_ERROR_INIT;
    char other[4096], raw[4096], path[4096];
    snprintf(path, sizeof path, "%s", scratch_path("links.h5"));
    snprintf(other, sizeof other, "%s", scratch_path("whole.h5"));
    snprintf(raw, sizeof raw, "%s", scratch_path("raw"));
    const int fd = open(raw, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert(fd >= 0 && write(fd, vector, sizeof vector) == sizeof vector && close(fd) == 0);
    ck_assert_int_eq(write_sample(path, &err), STJ_OK);
    ck_assert_int_eq(write_sample(other, &err), STJ_OK);
    move_vector(path, other, raw, _i);
    expect_refused("links.h5", "\"vector\" cannot be read");
}
END_TEST

START_TEST(other_format_and_newer_version)
{
    static const struct stj_h5_format other = {"spectraj-other", 1, "remedy"};
    static const struct stj_h5_format newer = {"spectraj-test", 3, "remedy"};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_h5 *file = NULL;
    ck_assert_int_eq(stj_h5_create(scratch_path("other.h5"), &other, &file, &err), STJ_OK);
    ck_assert_int_eq(stj_h5_commit(file, &err), STJ_OK);
    expect_refused("other.h5", "is a spectraj-other, not a spectraj-test");
    ck_assert_int_eq(stj_h5_create(scratch_path("newer.h5"), &newer, &file, &err), STJ_OK);
    ck_assert_int_eq(stj_h5_commit(file, &err), STJ_OK);
    expect_refused("newer.h5", "has version 3 of its format, this library reads up to 2");
}
END_TEST

START_TEST(wrong_expectations)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_h5 *file = NULL;
    uint64_t number;
    double vector[4];
    ck_assert_int_eq(write_sample(scratch_path("f.h5"), &err), STJ_OK);
    ck_assert_int_eq(stj_h5_open(scratch_path("f.h5"), &format, &file, &err), STJ_OK);
    ck_assert_int_eq(stj_h5_get_unsigned(file, "@nothing", &number, &err), STJ_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "has no \"@nothing\""));
    stj_error_clear(&err);
    ck_assert_int_eq(stj_h5_get_unsigned(file, "@nan", &number, &err), STJ_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "another type"));
    stj_error_clear(&err);
    ck_assert_int_eq(stj_h5_get_vector(file, "vector", 4, vector, &err), STJ_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "3 x 1 values, not 4"));
    stj_error_clear(&err);
    ck_assert_int_eq(stj_h5_expect(file, "matrix", ROWS + 1, COLS, &err), STJ_EFORMAT);
    stj_error_clear(&err);
    ck_assert_int_eq(stj_h5_get_rows(file, "matrix", ROWS, 1, COLS, vector, COLS, &err),
                     STJ_EINVAL);
    stj_h5_close(file);
}
END_TEST

START_TEST(given_up)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_h5 *file = NULL;
    size_t before = scratch_count(".");
    ck_assert_int_eq(stj_h5_create(scratch_path("g.h5"), &format, &file, &err), STJ_OK);
    ck_assert_int_eq(stj_h5_put_real(file, "@x", 1, &err), STJ_OK);
    stj_h5_close(file);
    ck_assert_uint_eq(scratch_count("."), before);
    stj_h5_close(NULL);
}
END_TEST

/* write_sample while no file can grow beyond `bytes`.  The limit also holds for the file through
 * which Check reports, so nothing is asserted under it. */
static enum stj_status write_limited(size_t bytes, const char *path, struct stj_error *err)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    int set = setrlimit(RLIMIT_FSIZE, &limit);
    enum stj_status st = write_sample(path, err);
    limit.rlim_cur = RLIM_INFINITY;
    set |= setrlimit(RLIMIT_FSIZE, &limit);
    ck_assert_int_eq(set, 0);
    return st;
}

/* Whatever the size at which the disk is full: one line with the reason, and no file. */
START_TEST(full_disk)
{
    struct stj_error err = STJ_ERROR_INIT;
    size_t n = 0;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(write_sample(scratch_path("h.h5"), &err), STJ_OK);
    free(scratch_read("h.h5", &n));
    size_t before = scratch_count(".");
    for (size_t size = 0; size < n; size += 61) {
        stj_error_clear(&err);
        ck_assert_msg(write_limited(size, scratch_path("i.h5"), &err) == STJ_EIO, "at %zu bytes",
                      size);
        ck_assert_msg(strstr(err.text, "i.h5: cannot be written: File too large"), "%zu: %s", size,
                      err.text);
        ck_assert_uint_eq(scratch_count("."), before);
    }
    stj_error_clear(&err);
    ck_assert_msg(write_limited(n, scratch_path("i.h5"), &err) == STJ_OK, "%s", err.text);
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    ck_assert_int_eq(H5close(), 0);
}
END_TEST

START_TEST(manifest_text)
{
    static const char *const bad[] = {
        "",
        "end 00000000",
        "end 00000001\n",
        "x real 1 1 00000000\nend 00000000\n",
    };
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_manifest manifest = {0};
    struct stj_item *item = NULL;
    char *text = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stj_error_clear(&err);
        ck_assert_msg(stj_manifest_parse(bad[i], strlen(bad[i]), &manifest, &err) == STJ_EFORMAT,
                      "%s", bad[i]);
        ck_assert_uint_eq(manifest.n, 0);
    }
    stj_error_clear(&err);
    ck_assert_int_eq(stj_manifest_add(&manifest, "@n", STJ_ITEM_UNSIGNED, 1, 1, &item, &err),
                     STJ_OK);
    item->crc = 0x0badcafe;
    ck_assert_int_eq(stj_manifest_print(&manifest, &text, &err), STJ_OK);
    ck_assert_ptr_eq(strstr(text, "@n unsigned 1 1 0badcafe\nend "), text);
    ck_assert_int_eq(stj_manifest_add(&manifest, "@n", STJ_ITEM_REAL, 1, 1, &item, &err),
                     STJ_EINTERNAL);
    stj_manifest_clear(&manifest);
    stj_error_clear(&err);
    ck_assert_int_eq(stj_manifest_parse(text, strlen(text), &manifest, &err), STJ_OK);
    ck_assert_uint_eq(manifest.n, 1);
    ck_assert_uint_eq(stj_manifest_find(&manifest, "@n")->crc, 0x0badcafe);
    stj_manifest_clear(&manifest);
    free(text);
}
END_TEST

/* Rows come without HDF5 as they come through it, in chunks of many rows and of less than one, after
 * the file was closed, and a damaged one is named. */
START_TEST(rows_without_hdf5)
{
    static const size_t shapes[][2] = {{1, 1}, {7, 5}, {40000, 9}, {300, 1000}, {3, 300000}};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_h5 *file = NULL;
    struct stj_h5_rows *rows = NULL;
    const size_t m = shapes[_i][0];
    const size_t n = shapes[_i][1];
    double *x = malloc(m * n * sizeof *x);
    double *row = malloc(n * sizeof *row);
    for (size_t i = 0; i < m * n; i++)
        x[i] = sin((double)i + 1);
    EXPECT_OK(stj_h5_create(scratch_path("rows.h5"), &format, &file, &err), err);
    EXPECT_OK(stj_h5_put_text(file, "text", "something in front", &err), err);
    EXPECT_OK(stj_h5_put_matrix(file, "x", m, n, &err), err);
    for (size_t i = m; i-- > 0;) /* in any order */
        EXPECT_OK(stj_h5_put_rows(file, "x", i, 1, x + i * n, n, &err), err);
    EXPECT_OK(stj_h5_commit(file, &err), err);
    EXPECT_OK(stj_h5_open(scratch_path("rows.h5"), &format, &file, &err), err);
    EXPECT_FAIL(stj_h5_rows_open(file, "text", &rows, &err), STJ_EFORMAT, "another type", err);
    EXPECT_OK(stj_h5_rows_open(file, "x", &rows, &err), err);
    stj_h5_close(file);
    stj_h5_rows_ahead(rows, 0, m);
    for (size_t i = 0; i < m; i++) {
        EXPECT_OK(stj_h5_rows_read(rows, i, row, &err), err);
        ck_assert_mem_eq(row, x + i * n, n * sizeof *row);
    }
    EXPECT_FAIL(stj_h5_rows_read(rows, m, row, &err), STJ_EINVAL, "has no row", err);
    /* The last number, somewhere in the file. */
    size_t bytes = 0;
    unsigned char *data = scratch_read("rows.h5", &bytes);
    size_t at = 0;
    while (at + sizeof *x <= bytes && memcmp(data + at, &x[m * n - 1], sizeof *x) != 0)
        at++;
    ck_assert_uint_lt(at, bytes - sizeof *x);
    int fd = open(scratch_path("rows.h5"), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "\0", 1, (off_t)at), 1);
    close(fd);
    EXPECT_FAIL(stj_h5_rows_read(rows, m - 1, row, &err), STJ_EFORMAT, "rows.h5: is damaged: row",
                err);
    stj_h5_rows_close(rows);
    free(data);
    free(row);
    free(x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("h5");
    TCase *tests = tcase_create("h5");
    tcase_set_timeout(tests, 60);
    tcase_add_unchecked_fixture(tests, scratch_begin, scratch_end);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, same_content_same_bytes);
    tcase_add_test(tests, every_byte_flipped);
    tcase_add_test(tests, every_value_has_a_checksum);
    tcase_add_test(tests, truncated_anywhere);
    tcase_add_test(tests, not_hdf5);
    tcase_add_test(tests, missing);
    tcase_add_test(tests, dimensions);
    tcase_add_test(tests, foreign_hdf5);
    tcase_add_loop_test(tests, values_in_other_files, 0, N_ELSEWHERE);
    tcase_add_test(tests, other_format_and_newer_version);
    tcase_add_test(tests, wrong_expectations);
    tcase_add_test(tests, given_up);
    tcase_add_test(tests, full_disk);
    tcase_add_test(tests, manifest_text);
    tcase_add_loop_test(tests, rows_without_hdf5, 0, 5);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
