/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_item.c: result files: numbers, texts and vectors, each with its checksum. */
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "io/h5_file.h"
#include "base/memory.h"

static bool is_attribute(const struct stj_item *item)
{
    return item->name[0] == '@';
}

static bool is_scalar(const struct stj_item *item)
{
    return item->type == STJ_ITEM_TEXT || is_attribute(item);
}

unsigned stj_h5_n_dims(const struct stj_item *item)
{
    return is_scalar(item) ? 0 : item->type == STJ_ITEM_MATRIX ? 2 : 1;
}

static size_t value_bytes(const struct stj_item *item)
{
    return item->type == STJ_ITEM_TEXT ? item->rows : item->rows * sizeof(double);
}

/* HDF5 has no empty text: that is one zero byte. */
static hid_t text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0) {
        H5Tset_size(type, bytes ? bytes : 1);
        H5Tset_strpad(type, H5T_STR_NULLPAD);
        H5Tset_cset(type, H5T_CSET_UTF8);
    }
    return type;
}

hid_t stj_h5_type(const struct stj_item *item, bool in_memory)
{
    switch (item->type) {
    case STJ_ITEM_TEXT:
        return text_type(item->rows);
    case STJ_ITEM_UNSIGNED:
        return H5Tcopy(in_memory ? H5T_NATIVE_UINT64 : H5T_STD_U64LE);
    case STJ_ITEM_REAL:
    case STJ_ITEM_MATRIX:
        break;
    }
    return H5Tcopy(in_memory ? H5T_NATIVE_DOUBLE : H5T_IEEE_F64LE);
}

static hid_t item_space(const struct stj_item *item)
{
    hsize_t n = item->rows;
    return is_scalar(item) ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, NULL);
}

/* No time stamps, and no fill values: everything is written. */
static hid_t plain_creation(void)
{
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (creation >= 0) {
        H5Pset_obj_track_times(creation, 0);
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER);
    }
    return creation;
}

bool stj_h5_write_value(hid_t where, const struct stj_item *item, const void *buffer)
{
    herr_t done = -1;
    hid_t type = stj_h5_type(item, false);
    hid_t memory = stj_h5_type(item, true);
    hid_t space = item_space(item);
    hid_t creation = plain_creation();
    if (is_attribute(item)) {
        hid_t id = H5Acreate2(where, item->name + 1, type, space, H5P_DEFAULT, H5P_DEFAULT);
        done = id < 0 ? -1 : H5Awrite(id, memory, buffer);
        if (id >= 0 && H5Aclose(id) < 0)
            done = -1;
    } else {
        hid_t id = H5Dcreate2(where, item->name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        done = id < 0 ? -1 : H5Dwrite(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer);
        if (id >= 0 && H5Dclose(id) < 0)
            done = -1;
    }
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(memory);
    H5Tclose(type);
    return done >= 0;
}

enum stj_status stj_h5_put_item(struct stj_h5 *file, struct stj_item *item, const void *buffer,
                                struct stj_error *err)
{
    static const double nothing = 0; /* an empty value still needs an address */
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    item->crc = stj_crc32(0, buffer, value_bytes(item));
    bool done = stj_h5_write_value(file->id, item, value_bytes(item) ? buffer : &nothing);
    stj_h5_quiet_end(quiet);
    return done && file->sink.failure == 0 ? STJ_OK : stj_h5_write_failed(file, err);
}

static enum stj_status put_value(struct stj_h5 *file, const char *name, enum stj_item_type type,
                                 size_t n, const void *buffer, struct stj_error *err)
{
    struct stj_item *item = NULL;
    if (file->blind)
        return STJ_OK;
    STJ_MUST(stj_manifest_add(&file->manifest, name, type, n, 1, &item, err));
    return stj_h5_put_item(file, item, buffer, err);
}

enum stj_status stj_h5_put_unsigned(struct stj_h5 *file, const char *name, uint64_t value,
                                    struct stj_error *err)
{
    return put_value(file, name, STJ_ITEM_UNSIGNED, 1, &value, err);
}

enum stj_status stj_h5_put_real(struct stj_h5 *file, const char *name, double value,
                                struct stj_error *err)
{
    return put_value(file, name, STJ_ITEM_REAL, 1, &value, err);
}

enum stj_status stj_h5_put_text(struct stj_h5 *file, const char *name, const char *text,
                                struct stj_error *err)
{
    return put_value(file, name, STJ_ITEM_TEXT, strlen(text), text, err);
}

enum stj_status stj_h5_put_vector(struct stj_h5 *file, const char *name, size_t n,
                                  const double *value, struct stj_error *err)
{
    return put_value(file, name, STJ_ITEM_REAL, n, value, err);
}

enum stj_status stj_h5_put_unsigneds(struct stj_h5 *file, const char *name, size_t n,
                                     const uint64_t *value, struct stj_error *err)
{
    return put_value(file, name, STJ_ITEM_UNSIGNED, n, value, err);
}

static herr_t refuse_link(const char *parent, const char *group, const char *file,
                          const char *object, unsigned *flags, hid_t access, void *ctx)
{
    (void)parent, (void)group, (void)file, (void)object, (void)flags, (void)access, (void)ctx;
    return -1;
}

hid_t stj_h5_open_set(hid_t file, const char *name)
{
    hid_t id = -1;
    const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    if (access >= 0 && H5Pset_elink_cb(access, refuse_link, NULL) >= 0)
        id = H5Dopen2(file, name, access);
    const hid_t creation = id < 0 ? -1 : H5Dget_create_plist(id);
    if (id >= 0 && (creation < 0 || H5Pget_layout(creation) == H5D_VIRTUAL ||
                    H5Pget_external_count(creation) != 0)) {
        H5Dclose(id);
        id = -1;
    }
    H5Pclose(creation);
    H5Pclose(access);
    return id;
}

/* Does an opened object have the type and shape that the item should have?  Takes over both ids. */
static bool has_shape(const struct stj_item *item, hid_t type, hid_t space)
{
    hid_t expected = stj_h5_type(item, false);
    hsize_t n = 0;
    bool same = type >= 0 && space >= 0 && expected >= 0 && H5Tequal(type, expected) > 0;
    if (same && is_scalar(item))
        same = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    else if (same)
        same = H5Sget_simple_extent_ndims(space) == 1 &&
               H5Sget_simple_extent_dims(space, &n, NULL) == 1 && n == item->rows;
    H5Tclose(expected);
    H5Sclose(space);
    H5Tclose(type);
    return same;
}

static bool read_value(hid_t file, const struct stj_item *item, void *buffer)
{
    bool done = false;
    hid_t memory = stj_h5_type(item, true);
    if (is_attribute(item)) {
        hid_t id = H5Aopen(file, item->name + 1, H5P_DEFAULT);
        done = id >= 0 && has_shape(item, H5Aget_type(id), H5Aget_space(id)) &&
               H5Aread(id, memory, buffer) >= 0;
        if (id >= 0)
            H5Aclose(id);
    } else {
        hid_t id = stj_h5_open_set(file, item->name);
        done = id >= 0 && has_shape(item, H5Dget_type(id), H5Dget_space(id)) &&
               H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) >= 0;
        if (id >= 0)
            H5Dclose(id);
    }
    H5Tclose(memory);
    return done;
}

enum stj_status stj_h5_read_item(struct stj_h5 *file, const struct stj_item *item, void *buffer,
                                 struct stj_error *err)
{
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    bool done = read_value(file->id, item, buffer);
    stj_h5_quiet_end(quiet);
    return done ? STJ_OK
                : stj_h5_refuse(file, err, "is damaged: \"%s\" cannot be read", item->name);
}

enum stj_status stj_h5_find(struct stj_h5 *file, const char *name, enum stj_item_type type,
                            struct stj_item **item, struct stj_error *err)
{
    *item = stj_manifest_find(&file->manifest, name);
    if (!*item)
        return stj_h5_refuse(file, err, "has no \"%s\"", name);
    if ((*item)->type != type)
        return stj_h5_refuse(file, err, "its \"%s\" is of another type than expected", name);
    return STJ_OK;
}

/* buffer <- the value of an item of n elements (bytes of a text), verified. */
static enum stj_status get_value(struct stj_h5 *file, const char *name, enum stj_item_type type,
                                 size_t n, void *buffer, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_item *item = NULL;
    STJ_TRY(stj_h5_find(file, name, type, &item, err));
    if (item->rows != n || item->cols != 1)
        st = stj_h5_refuse(file, err, "its \"%s\" has %zu x %zu values, not %zu", name, item->rows,
                           item->cols, n);
    else if (n > 0)
        STJ_TRY(stj_h5_read_item(file, item, buffer, err));
    if (st == STJ_OK && stj_crc32(0, buffer, value_bytes(item)) != item->crc)
        st = stj_h5_refuse(file, err, "is damaged: \"%s\" does not have its checksum", name);
out:
    return st;
}

enum stj_status stj_h5_get_unsigned(struct stj_h5 *file, const char *name, uint64_t *value,
                                    struct stj_error *err)
{
    return get_value(file, name, STJ_ITEM_UNSIGNED, 1, value, err);
}

enum stj_status stj_h5_get_size(struct stj_h5 *file, const char *name, size_t *value,
                                struct stj_error *err)
{
    uint64_t read = 0;
    enum stj_status st = stj_h5_get_unsigned(file, name, &read, err);
    if (st == STJ_OK && read > SIZE_MAX)
        st = stj_h5_refuse(file, err, "its \"%s\" is too large", name);
    *value = (size_t)read;
    return st;
}

enum stj_status stj_h5_get_real(struct stj_h5 *file, const char *name, double *value,
                                struct stj_error *err)
{
    return get_value(file, name, STJ_ITEM_REAL, 1, value, err);
}

enum stj_status stj_h5_get_text(struct stj_h5 *file, const char *name, char **text,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_item *item = NULL;
    *text = NULL;
    STJ_TRY(stj_h5_find(file, name, STJ_ITEM_TEXT, &item, err));
    if (item->rows > file->bytes) {
        st = stj_h5_refuse(file, err, "its \"%s\" would be longer than the file", name);
        goto out;
    }
    STJ_TRY(stj_new(text, item->rows + 1, 1, err));
    STJ_TRY(get_value(file, name, STJ_ITEM_TEXT, item->rows, *text, err));
out:
    if (st != STJ_OK) {
        free(*text);
        *text = NULL;
    }
    return st;
}

enum stj_status stj_h5_get_vector(struct stj_h5 *file, const char *name, size_t n, double *value,
                                  struct stj_error *err)
{
    return get_value(file, name, STJ_ITEM_REAL, n, value, err);
}

enum stj_status stj_h5_get_unsigneds(struct stj_h5 *file, const char *name, size_t n,
                                     uint64_t *value, struct stj_error *err)
{
    return get_value(file, name, STJ_ITEM_UNSIGNED, n, value, err);
}
