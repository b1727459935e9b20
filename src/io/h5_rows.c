/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_rows.c: result files: matrices, written and read some rows at a time.
 *
 * A matrix lies in chunks of about a megabyte, whole rows where they are shorter than that.
 * They are allocated at once and without filters, so that they lie one after another and a row
 * is a run of bytes of the file: it can be read without HDF5.  Each row has a checksum; their
 * list is a data set of its own, guarded by the manifest.
 */
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/error.h"
#include "io/file.h"
#include "io/h5_file.h"
#include "io/h5_header.h"
#include "base/memory.h"

STJ_HOLDS(struct stj_h5_rows, stj_h5_rows_close)

enum { CHUNK_VALUES = 1 << 17 };

struct stj_item stj_h5_row_crc_item(const struct stj_item *matrix, char name[STJ_H5_NAME_MAX])
{
    snprintf(name, STJ_H5_NAME_MAX, "%s_crc32", matrix->name);
    return (struct stj_item){
        .name = name, .type = STJ_ITEM_UNSIGNED, .rows = matrix->rows, .cols = 1};
}

void stj_h5_close_matrix(struct stj_h5 *file)
{
    if (file->matrix >= 0)
        H5Dclose(file->matrix); /* a failing write is kept by the sink */
    file->matrix = -1;
}

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

static void chunk_extent(const struct stj_item *item, hsize_t chunk[2])
{
    chunk[1] = at_most(item->cols, CHUNK_VALUES);
    chunk[0] = at_most(item->rows, CHUNK_VALUES / (size_t)chunk[1]);
}

static hid_t create_matrix(hid_t file, const struct stj_item *item)
{
    hsize_t extent[2] = {item->rows, item->cols};
    hsize_t chunk[2];
    hid_t id = -1;
    chunk_extent(item, chunk);
    hid_t type = stj_h5_type(item, false);
    hid_t space = H5Screate_simple(2, extent, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (H5Pset_chunk(creation, 2, chunk) >= 0 &&
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_obj_track_times(creation, 0) >= 0 &&
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0)
        id = H5Dcreate2(file, item->name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
    return id;
}

enum stj_status stj_h5_put_matrix(struct stj_h5 *file, const char *name, size_t rows, size_t cols,
                                  struct stj_error *err)
{
    struct stj_item *item = NULL;
    STJ_NEED(err, rows > 0 && cols > 0, STJ_EINTERNAL, "%s: matrix \"%s\" is %zu x %zu", file->path,
             name, rows, cols);
    if (file->blind)
        return STJ_OK;
    STJ_MUST(stj_manifest_add(&file->manifest, name, STJ_ITEM_MATRIX, rows, cols, &item, err));
    STJ_MUST(stj_new(&item->row_crc, rows, sizeof *item->row_crc, err));
    STJ_MUST(stj_h5_reserve(err));
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    stj_h5_close_matrix(file);
    file->matrix = create_matrix(file->id, item);
    file->matrix_item = file->manifest.n - 1;
    stj_h5_quiet_end(quiet);
    if (file->matrix < 0 || file->sink.failure != 0)
        return stj_h5_write_failed(file, err);
    return STJ_OK;
}

/* Open matrix `item` unless it is open; with the extent that the manifest says. */
static bool open_matrix(struct stj_h5 *file, const struct stj_item *item)
{
    size_t number = (size_t)(item - file->manifest.item);
    if (file->matrix >= 0 && file->matrix_item == number)
        return true;
    stj_h5_close_matrix(file);
    file->matrix = stj_h5_open_set(file->id, item->name);
    file->matrix_item = number;
    if (file->matrix < 0)
        return false;
    hsize_t extent[2] = {0, 0};
    hid_t space = H5Dget_space(file->matrix);
    hid_t type = H5Dget_type(file->matrix);
    bool same = H5Sget_simple_extent_ndims(space) == 2 &&
                H5Sget_simple_extent_dims(space, extent, NULL) == 2 && extent[0] == item->rows &&
                extent[1] == item->cols && H5Tequal(type, H5T_IEEE_F64LE) > 0;
    H5Tclose(type);
    H5Sclose(space);
    if (!same)
        stj_h5_close_matrix(file);
    return same;
}

/* Rows of the file and of memory, as HDF5 sees them; negative on failure. */
static hid_t select_file_rows(hid_t matrix, size_t first, size_t count, size_t cols)
{
    hsize_t start[2] = {first, 0};
    hsize_t extent[2] = {count, cols};
    hid_t space = H5Dget_space(matrix);
    if (space >= 0)
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL);
    return space;
}

static hid_t select_memory_rows(size_t count, size_t cols, size_t ld)
{
    hsize_t start[2] = {0, 0};
    hsize_t whole[2] = {count, ld};
    hsize_t extent[2] = {count, cols};
    hid_t space = H5Screate_simple(2, whole, NULL);
    if (space >= 0)
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, extent, NULL);
    return space;
}

/* Move rows to (`out` NULL) or from the open matrix. */
static bool move_rows(struct stj_h5 *file, const struct stj_item *item, size_t first, size_t count,
                      const double *in, double *out, size_t ld)
{
    herr_t done = -1;
    hid_t there = select_file_rows(file->matrix, first, count, item->cols);
    hid_t here = select_memory_rows(count, item->cols, ld);
    if (there >= 0 && here >= 0)
        done = out ? H5Dread(file->matrix, H5T_NATIVE_DOUBLE, here, there, H5P_DEFAULT, out)
                   : H5Dwrite(file->matrix, H5T_NATIVE_DOUBLE, here, there, H5P_DEFAULT, in);
    H5Sclose(here);
    H5Sclose(there);
    return done >= 0;
}

static enum stj_status check_row_range(const struct stj_h5 *file, const struct stj_item *item,
                                       size_t first, size_t count, size_t cols, size_t ld,
                                       struct stj_error *err)
{
    STJ_NEED(err,
             first <= item->rows && count <= item->rows - first && cols == item->cols && ld >= cols,
             STJ_EINVAL,
             "%s: rows %zu to %zu of %zu numbers (%zu apart) are not in \"%s\", which is %zu x %zu",
             file->path, first, first + count, cols, ld, item->name, item->rows, item->cols);
    return STJ_OK;
}

static uint32_t row_crc(const struct stj_item *item, const double *row)
{
    return stj_crc32(0, row, item->cols * sizeof *row);
}

enum stj_status stj_h5_put_rows(struct stj_h5 *file, const char *name, size_t first, size_t count,
                                const double *value, size_t ld, struct stj_error *err)
{
    struct stj_item *item = NULL;
    if (file->blind)
        return STJ_OK;
    STJ_MUST(stj_h5_find(file, name, STJ_ITEM_MATRIX, &item, err));
    STJ_MUST(check_row_range(file, item, first, count, item->cols, ld, err));
    if (count == 0)
        return STJ_OK;
    STJ_MUST(stj_h5_reserve(err));
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    bool done = open_matrix(file, item) && move_rows(file, item, first, count, value, NULL, ld);
    stj_h5_quiet_end(quiet);
    if (!done || file->sink.failure != 0)
        return stj_h5_write_failed(file, err);
    for (size_t i = 0; i < count; i++)
        item->row_crc[first + i] = row_crc(item, value + i * ld);
    return STJ_OK;
}

enum stj_status stj_h5_expect(struct stj_h5 *file, const char *name, size_t rows, size_t cols,
                              struct stj_error *err)
{
    size_t values = 0;
    const struct stj_item *item = stj_manifest_find(&file->manifest, name);
    if (!item)
        return stj_h5_refuse(file, err, "has no \"%s\"", name);
    if (item->rows != rows || item->cols != cols)
        return stj_h5_refuse(file, err, "its \"%s\" is %zu x %zu, not %zu x %zu", name, item->rows,
                             item->cols, rows, cols);
    STJ_MUST(stj_size_mul(rows, cols, &values, err));
    if (values > file->bytes / sizeof(double))
        return stj_h5_refuse(file, err, "its \"%s\" (%zu x %zu) would be larger than the file",
                             name, rows, cols);
    return STJ_OK;
}

/* The checksums of the rows, read once and verified. */
static enum stj_status load_row_crc(struct stj_h5 *file, struct stj_item *item,
                                    struct stj_error *err)
{
    char name[STJ_H5_NAME_MAX];
    STJ_FREED uint64_t *list = NULL;
    if (item->row_crc)
        return STJ_OK;
    STJ_MUST(stj_h5_expect(file, item->name, item->rows, item->cols, err));
    struct stj_item list_item = stj_h5_row_crc_item(item, name);
    STJ_MUST(stj_new(&list, item->rows, sizeof *list, err));
    STJ_MUST(stj_h5_read_item(file, &list_item, list, err));
    if (stj_crc32(0, list, item->rows * sizeof *list) != item->crc)
        return stj_h5_refuse(file, err, "is damaged: \"%s\" does not have its checksum", name);
    item->row_crc = list;
    list = NULL;
    return STJ_OK;
}

enum stj_status stj_h5_get_rows(struct stj_h5 *file, const char *name, size_t first, size_t count,
                                size_t cols, double *value, size_t ld, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_item *item = NULL;
    STJ_TRY(stj_h5_find(file, name, STJ_ITEM_MATRIX, &item, err));
    STJ_TRY(check_row_range(file, item, first, count, cols, ld, err));
    STJ_TRY(load_row_crc(file, item, err));
    if (count == 0)
        goto out;
    STJ_TRY(stj_h5_reserve(err));
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    bool done = open_matrix(file, item) && move_rows(file, item, first, count, NULL, value, ld);
    stj_h5_quiet_end(quiet);
    if (!done) {
        st = stj_h5_refuse(file, err, "is damaged: rows %zu to %zu of \"%s\" cannot be read", first,
                           first + count - 1, name);
        goto out;
    }
    for (size_t i = 0; i < count && st == STJ_OK; i++)
        if (row_crc(item, value + i * ld) != item->row_crc[first + i])
            st =
                stj_h5_refuse(file, err, "is damaged: row %zu of \"%s\" does not have its checksum",
                              first + i, name);
out:
    return st;
}

enum stj_status stj_h5_get_row_crc(struct stj_h5 *file, const char *name, size_t rows,
                                   uint64_t *crc, struct stj_error *err)
{
    struct stj_item *item = NULL;
    STJ_MUST(stj_h5_find(file, name, STJ_ITEM_MATRIX, &item, err));
    STJ_MUST(stj_h5_expect(file, name, rows, item->cols, err));
    STJ_MUST(load_row_crc(file, item, err));
    memcpy(crc, item->row_crc, rows * sizeof *crc);
    return STJ_OK;
}

struct stj_h5_rows {
    const struct stj_h5_format *format;
    char *path, *name;
    int fd;
    size_t rows, cols;
    uint64_t *crc;  /* [rows] */
    uint64_t begin; /* of row 0 in the file, and the distance of rows, in bytes */
    size_t stride;
    struct stj_h5
        *file; /* NULL, or what to read through: a matrix of an older version, with filters */
};

/* Where the chunks lie: *begin <- the first, when all of them follow each other from there. */
static bool find_chunks(hid_t matrix, const struct stj_item *item, size_t *stride, uint64_t *begin)
{
    hsize_t want[2];
    hsize_t have[2] = {0, 0};
    hsize_t at[2] = {0, 0};
    haddr_t first = HADDR_UNDEF;
    haddr_t last = HADDR_UNDEF;
    hsize_t n = 0;
    hsize_t bytes = 0;
    unsigned mask = 0;
    chunk_extent(item, want);
    const size_t across = (item->cols + (size_t)want[1] - 1) / (size_t)want[1];
    const hsize_t chunk_bytes = want[0] * want[1] * sizeof(double);
    hid_t creation = H5Dget_create_plist(matrix);
    bool plain = H5Pget_layout(creation) == H5D_CHUNKED && H5Pget_nfilters(creation) == 0 &&
                 H5Pget_chunk(creation, 2, have) == 2 && have[0] == want[0] && have[1] == want[1];
    H5Pclose(creation);
    hid_t space = H5Dget_space(matrix);
    plain = plain && H5Dget_num_chunks(matrix, space, &n) >= 0 && n > 0 &&
            H5Dget_chunk_info(matrix, space, 0, at, &mask, &first, &bytes) >= 0 &&
            bytes == chunk_bytes &&
            H5Dget_chunk_info(matrix, space, n - 1, at, &mask, &last, &bytes) >= 0 &&
            last == first + (n - 1) * chunk_bytes;
    H5Sclose(space);
    *stride = across > 1 ? across * (size_t)chunk_bytes : item->cols * sizeof(double);
    *begin = first;
    return plain;
}

/* Versions of HDF5 differ in whether a chunk's address counts the header: whichever gives row 0. */
static enum stj_status find_first_row(struct stj_h5_rows *rows, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *row = NULL;
    struct stj_error inner = STJ_ERROR_INIT;
    STJ_TRY(stj_new(&row, rows->cols, sizeof *row, err));
    st = stj_h5_rows_read(rows, 0, row, &inner);
    if (st != STJ_OK) {
        rows->begin += STJ_H5_HEADER_BYTES;
        st = stj_h5_rows_read(rows, 0, row, err);
    }
out:
    free(row);
    return st;
}

static enum stj_status fill_rows(struct stj_h5 *file, const struct stj_item *item,
                                 struct stj_h5_rows *rows, struct stj_error *err)
{
    rows->format = file->format;
    rows->rows = item->rows;
    rows->cols = item->cols;
    STJ_MUST(stj_strdup(&rows->path, file->path, err));
    STJ_MUST(stj_strdup(&rows->name, item->name, err));
    STJ_MUST(stj_new(&rows->crc, rows->rows, sizeof *rows->crc, err));
    STJ_MUST(stj_h5_get_row_crc(file, item->name, rows->rows, rows->crc, err));
    STJ_MUST(stj_h5_reserve(err));
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    const bool plain =
        open_matrix(file, item) && find_chunks(file->matrix, item, &rows->stride, &rows->begin);
    stj_h5_quiet_end(quiet);
    if (!plain)
        return stj_h5_open(file->path, file->format, &rows->file, err);
    rows->fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (rows->fd < 0)
        return stj_file_failed(file->path, "read", errno, err);
    return find_first_row(rows, err);
}

enum stj_status stj_h5_rows_open(struct stj_h5 *file, const char *name, struct stj_h5_rows **rows,
                                 struct stj_error *err)
{
    struct stj_item *item = NULL;
    STJ_HELD(stj_h5_rows_close_at) struct stj_h5_rows *made = NULL;
    STJ_MUST(stj_h5_find(file, name, STJ_ITEM_MATRIX, &item, err));
    STJ_MUST(stj_h5_expect(file, name, item->rows, item->cols, err));
    STJ_MUST(stj_new(&made, 1, sizeof *made, err));
    made->fd = -1;
    STJ_MUST(fill_rows(file, item, made, err));
    *rows = made;
    made = NULL;
    return STJ_OK;
}

void stj_h5_rows_close(struct stj_h5_rows *rows)
{
    if (!rows)
        return;
    if (rows->fd >= 0)
        close(rows->fd);
    stj_h5_close(rows->file);
    free(rows->crc);
    free(rows->name);
    free(rows->path);
    free(rows);
}

/* HDF5 takes one thread at a time. */
static enum stj_status read_row_by_hdf5(const struct stj_h5_rows *rows, size_t row, double *value,
                                        struct stj_error *err)
{
    enum stj_status st = STJ_OK;
#pragma omp critical(stj_h5_rows)
    st = stj_h5_get_rows(rows->file, rows->name, row, 1, rows->cols, value, rows->cols, err);
    return st;
}

enum stj_status stj_h5_rows_read(const struct stj_h5_rows *rows, size_t row, double *value,
                                 struct stj_error *err)
{
    const size_t bytes = rows->cols * sizeof *value;
    STJ_NEED(err, row < rows->rows, STJ_EINVAL, "%s: \"%s\" has no row %zu, only %zu", rows->path,
             rows->name, row, rows->rows);
    if (rows->file)
        return read_row_by_hdf5(rows, row, value, err);
    const int number =
        stj_file_read_at(rows->fd, rows->begin + (uint64_t)row * rows->stride, value, bytes);
    if (number != 0)
        return stj_file_failed(rows->path, "read", number, err);
    STJ_NEED(err, stj_crc32(0, value, bytes) == rows->crc[row], STJ_EFORMAT,
             "%s: is damaged: row %zu of \"%s\" does not have its checksum; %s", rows->path, row,
             rows->name, rows->format->remedy);
    return STJ_OK;
}

void stj_h5_rows_ahead(const struct stj_h5_rows *rows, size_t first, size_t count)
{
    /* A hint: where it is not taken, the rows are read when they are asked for. */
#ifdef HAVE_POSIX_FADVISE
    if (rows->fd >= 0)
        (void)posix_fadvise(rows->fd, (off_t)(rows->begin + (uint64_t)first * rows->stride),
                            (off_t)(count * rows->stride), POSIX_FADV_WILLNEED);
#else
    (void)rows, (void)first, (void)count;
#endif
}
