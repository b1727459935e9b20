/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5.c: result files: creating, opening, finishing and closing them.
 *
 * Files use the format of HDF5 1.10 behind a header of ours (io/h5_header.h).
 */
#include "io/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "io/file.h"
#include "io/h5_file.h"
#include "io/h5_header.h"
#include "base/memory.h"
#include "parallel/ranks.h"

#if defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "checksums are of little-endian numbers: this machine needs a conversion in io/h5_item.c"
#endif

/* RESERVE: what HDF5 takes for a file, its caches of metadata and of a chunk included, with
 * room. */
enum { MANIFEST_MAX_BYTES = 1 << 20, RESERVE = 8 << 20 };

/* At the end of the process HDF5 complains of what it forgot of a damaged file, where it prints
 * errors. */
static void silence_hdf5(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

struct stj_h5_quiet stj_h5_quiet_begin(void)
{
    stj_ranks_at_end(silence_hdf5);
    struct stj_h5_quiet quiet = {NULL, NULL};
    H5Eget_auto2(H5E_DEFAULT, &quiet.function, &quiet.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return quiet;
}

void stj_h5_quiet_end(struct stj_h5_quiet quiet)
{
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, quiet.function, quiet.data);
}

enum stj_status stj_h5_reserve(struct stj_error *err)
{
    void *volatile room = malloc(RESERVE); /* volatile: not to be optimised away */
    if (!room)
        return stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                             "out of memory: %d bytes for reading and writing HDF5 were not "
                             "available",
                             RESERVE);
    free(room);
    return STJ_OK;
}

enum stj_status stj_h5_refuse(const struct stj_h5 *file, struct stj_error *err, const char *format,
                              ...)
{
    char what[STJ_ERROR_TEXT_MAX / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return stj_error_set(err, STJ_EFORMAT, __FILE__, __LINE__, "%s: %s; %s", file->path, what,
                         file->format->remedy);
}

enum stj_status stj_h5_write_failed(struct stj_h5 *file, struct stj_error *err)
{
    if (file->sink.failure != 0)
        return stj_file_failed(file->path, "written", file->sink.failure, err);
    file->sink.failure = EIO; /* nothing more of it goes to the disk */
    return stj_error_set(err, STJ_EIO, __FILE__, __LINE__,
                         "%s: cannot be written: HDF5 failed, most likely for want of memory",
                         file->path);
}

static enum stj_status create_handle(const char *path, const struct stj_h5_format *format,
                                     struct stj_h5 **file, struct stj_error *err)
{
    STJ_MUST(stj_new(file, 1, sizeof **file, err));
    (*file)->format = format;
    (*file)->sink.fd = -1;
    (*file)->id = -1;
    (*file)->matrix = -1;
    return stj_strdup(&(*file)->path, path, err);
}

/* Close the HDF5 file; what it could not write is in sink.failure. */
static void close_hdf5(struct stj_h5 *file)
{
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    stj_h5_close_matrix(file);
    if (file->id >= 0 && H5Fclose(file->id) < 0 && file->sink.failure == 0)
        file->sink.failure = EIO;
    stj_h5_sink_release(&file->sink);
    file->id = -1;
    stj_h5_quiet_end(quiet);
}

static void free_handle(struct stj_h5 *file)
{
    stj_manifest_clear(&file->manifest);
    free(file->temporary);
    free(file->path);
    free(file);
}

void stj_h5_close(struct stj_h5 *file)
{
    if (!file)
        return;
    if (file->temporary && file->sink.failure == 0)
        file->sink.failure = ECANCELED; /* given up: write no more */
    close_hdf5(file);
    if (file->sink.fd >= 0) {
        close(file->sink.fd);
        unlink(file->temporary);
    }
    free_handle(file);
}

/* The HDF5 file over the sink. */
static enum stj_status create_hdf5(struct stj_h5 *file, struct stj_error *err)
{
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    hid_t access = stj_h5_sink_access(&file->sink);
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    /* No time stamps: the same content makes the same bytes. */
    if (access >= 0 && creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0 &&
        H5Pset_userblock(creation, STJ_H5_HEADER_BYTES) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0)
        file->id = H5Fcreate(file->temporary, H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
    stj_h5_quiet_end(quiet);
    return file->id < 0 ? stj_h5_write_failed(file, err) : STJ_OK;
}

enum stj_status stj_h5_create(const char *path, const struct stj_h5_format *format,
                              struct stj_h5 **file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *made = NULL;
    STJ_TRY(create_handle(path, format, &made, err));
    STJ_TRY(stj_file_temporary(path, &made->temporary, err));
    made->blind = stj_rank() != 0;
    if (made->blind)
        goto out;
    made->sink.fd =
        open(made->temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (made->sink.fd < 0) {
        st = stj_file_failed(path, "written", errno, err);
        goto out;
    }
    STJ_TRY(create_hdf5(made, err));
    STJ_TRY(stj_h5_put_text(made, "@format", format->name, err));
    STJ_TRY(stj_h5_put_unsigned(made, "@version", format->version, err));
out:
    st = stj_ranks_agree(st, err);
    if (st != STJ_OK) {
        stj_h5_close(made);
        made = NULL;
    }
    *file = made;
    return st;
}

/* The checksums of the rows of a matrix, along the same dimension. */
static enum stj_status put_row_crc(struct stj_h5 *file, struct stj_item *matrix,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_h5_notes notes = {NULL, "CRC-32 of each row"};
    const char *const dim[] = {matrix->row_dim};
    char name[STJ_H5_NAME_MAX];
    struct stj_item list = stj_h5_row_crc_item(matrix, name);
    STJ_TRY(stj_h5_put_item(file, &list, matrix->row_crc, err));
    STJ_TRY(stj_h5_describe_item(file, &list, dim, &notes, err));
    matrix->crc = list.crc;
out:
    free(list.row_dim);
    return st;
}

/* Dimensions of its own for a data set that nobody described: readers of netCDF want names for
 * all. */
static enum stj_status name_own_dimensions(struct stj_h5 *file, struct stj_item *item,
                                           struct stj_error *err)
{
    const struct stj_h5_notes notes = {NULL, NULL};
    char rows[STJ_H5_NAME_MAX], cols[STJ_H5_NAME_MAX];
    const char *const dim[] = {rows, cols};
    snprintf(rows, sizeof rows, "%s_rows", item->name);
    snprintf(cols, sizeof cols, "%s_cols", item->name);
    return stj_h5_describe_item(file, item, dim, &notes, err);
}

/* What guards and names the items, then the manifest itself, which does not list itself. */
static enum stj_status put_manifest(struct stj_h5 *file, struct stj_error *err)
{
    STJ_FREED char *text = NULL;
    char name[] = "manifest";
    stj_h5_close_matrix(file);
    for (size_t i = 0; i < file->manifest.n; i++) {
        struct stj_item *item = &file->manifest.item[i];
        if (stj_h5_n_dims(item) > 0 && !item->row_dim)
            STJ_MUST(name_own_dimensions(file, item, err));
        if (item->type == STJ_ITEM_MATRIX)
            STJ_MUST(put_row_crc(file, item, err));
    }
    STJ_MUST(stj_manifest_print(&file->manifest, &text, err));
    struct stj_item whole = {.name = name, .type = STJ_ITEM_TEXT, .rows = strlen(text), .cols = 1};
    return stj_h5_put_item(file, &whole, text, err);
}

/* Everything is in the temporary file, and it is closed. */
static enum stj_status seal_file(struct stj_h5 *file, struct stj_error *err)
{
    if (file->blind)
        return STJ_OK;
    enum stj_status st = put_manifest(file, err);
    if (st == STJ_OK) {
        close_hdf5(file);
        if (file->sink.failure == 0)
            file->sink.failure = stj_h5_header_seal(file->sink.fd, file->format);
        if (file->sink.failure != 0)
            st = stj_h5_write_failed(file, err);
    }
    if (st == STJ_OK) {
        int closed = close(file->sink.fd);
        file->sink.fd = -1; /* the temporary file is stj_file_commit's now */
        if (closed != 0) {
            st = stj_file_failed(file->path, "written", errno, err);
            unlink(file->temporary);
        }
    }
    return st;
}

enum stj_status stj_h5_commit(struct stj_h5 *file, struct stj_error *err)
{
    enum stj_status st = stj_ranks_agree(seal_file(file, err), err);
    if (st == STJ_OK)
        st = stj_file_commit(file->temporary, file->path, err);
    stj_h5_close(file);
    return st;
}

static enum stj_status open_hdf5(struct stj_h5 *file, struct stj_error *err)
{
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0) {
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
#if H5_VERSION_GE(1, 10, 7)
        H5Pset_file_locking(access, 0, 1); /* files are replaced, never changed */
#endif
        file->id = H5Fopen(file->path, H5F_ACC_RDONLY, access);
        H5Pclose(access);
    }
    stj_h5_quiet_end(quiet);
    if (file->id < 0)
        return stj_h5_refuse(file, err, "is damaged: HDF5 cannot open it");
    return STJ_OK;
}

/* Size of the text that is the data set `name`; 0 when it is not a fixed-length text. */
static size_t text_bytes(struct stj_h5 *file, const char *name)
{
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    hid_t id = stj_h5_open_set(file->id, name);
    hid_t type = id < 0 ? -1 : H5Dget_type(id);
    size_t bytes = 0;
    if (type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0)
        bytes = H5Tget_size(type);
    H5Tclose(type);
    H5Dclose(id);
    stj_h5_quiet_end(quiet);
    return bytes;
}

static enum stj_status read_manifest(struct stj_h5 *file, struct stj_error *err)
{
    char name[] = "manifest";
    STJ_FREED char *text = NULL;
    STJ_FREED char *format = NULL;
    uint64_t version;
    struct stj_error inner = STJ_ERROR_INIT;
    struct stj_item item = {.name = name, .type = STJ_ITEM_TEXT, .cols = 1};
    item.rows = text_bytes(file, name);
    if (item.rows == 0 || item.rows > file->bytes || item.rows > MANIFEST_MAX_BYTES)
        return stj_h5_refuse(file, err, "is damaged: its manifest cannot be read");
    STJ_MUST(stj_new(&text, item.rows + 1, 1, err));
    STJ_MUST(stj_h5_read_item(file, &item, text, err));
    if (stj_manifest_parse(text, item.rows, &file->manifest, &inner) != STJ_OK)
        return stj_h5_refuse(file, err, "is damaged: %s", inner.text);
    STJ_MUST(stj_h5_get_text(file, "@format", &format, err));
    return stj_h5_get_unsigned(file, "@version", &version, err);
}

enum stj_status stj_h5_open(const char *path, const struct stj_h5_format *format,
                            struct stj_h5 **file, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *made = NULL;
    STJ_TRY(create_handle(path, format, &made, err));
    STJ_TRY(stj_h5_header_check(path, format, &made->bytes, &made->crc, err));
    STJ_TRY(open_hdf5(made, err));
    STJ_TRY(read_manifest(made, err));
out:
    if (st != STJ_OK) {
        stj_h5_close(made);
        made = NULL;
    }
    *file = made;
    return st;
}

bool stj_h5_item_at(const struct stj_h5 *file, size_t i, struct stj_h5_item_info *info)
{
    static const enum stj_h5_item_kind kind[] = {[STJ_ITEM_REAL] = STJ_H5_REAL,
                                                 [STJ_ITEM_UNSIGNED] = STJ_H5_UNSIGNED,
                                                 [STJ_ITEM_TEXT] = STJ_H5_TEXT,
                                                 [STJ_ITEM_MATRIX] = STJ_H5_MATRIX};
    if (i >= file->manifest.n)
        return false;
    const struct stj_item *item = &file->manifest.item[i];
    *info = (struct stj_h5_item_info){item->name, kind[item->type], item->rows, item->cols};
    return true;
}

bool stj_h5_has(const struct stj_h5 *file, const char *name)
{
    return stj_manifest_find(&file->manifest, name) != NULL;
}

uint32_t stj_h5_get_crc(const struct stj_h5 *file)
{
    return file->crc;
}
