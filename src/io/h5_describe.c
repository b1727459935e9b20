/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/h5_describe.c: result files: names of dimensions, units and meanings of data sets.
 *
 * As netCDF-4 stores them, so that its readers find them: a dimension is an HDF5 dimension
 * scale.  One without coordinates is a data set without values, whose NAME says so.  None of it
 * is in the manifest, for no number depends on it; the header's checksum guards it like every
 * other byte.
 */
#include <hdf5_hl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/h5_file.h"

/* Nothing is written, so nothing is allocated: it reads as the fill value. */
static hid_t create_dimension(hid_t file, const char *name, hsize_t n)
{
    char title[80];
    snprintf(title, sizeof title,
             "This is a netCDF dimension but not a netCDF variable.%10" PRIuMAX, (uintmax_t)n);
    hid_t space = H5Screate_simple(1, &n, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t id = -1;
    if (H5Pset_obj_track_times(creation, 0) >= 0)
        id = H5Dcreate2(file, name, H5T_IEEE_F32BE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (id >= 0 && H5DSset_scale(id, title) < 0) {
        H5Dclose(id);
        id = -1;
    }
    H5Pclose(creation);
    H5Sclose(space);
    return id;
}

/* Is the data set a scale of n elements, or a vector that becomes one? */
static bool is_dimension(hid_t id, const char *name, hsize_t n)
{
    hsize_t extent = 0;
    hid_t space = H5Dget_space(id);
    const bool fits = H5Sget_simple_extent_ndims(space) == 1 &&
                      H5Sget_simple_extent_dims(space, &extent, NULL) == 1 && extent == n;
    H5Sclose(space);
    return fits && (H5DSis_scale(id) > 0 || H5DSset_scale(id, name) >= 0);
}

bool stj_h5_dimension_differs(struct stj_h5 *file, const char *name, size_t n)
{
    if (file->blind || H5Lexists(file->id, name, H5P_DEFAULT) <= 0)
        return false;
    const hid_t id = H5Dopen2(file->id, name, H5P_DEFAULT);
    const bool same = id >= 0 && is_dimension(id, name, n);
    if (id >= 0)
        H5Dclose(id);
    return !same;
}

/* *id <- the scale of dimension `name`. */
static enum stj_status open_dimension(struct stj_h5 *file, const char *name, size_t n, hid_t *id,
                                      struct stj_error *err)
{
    if (H5Lexists(file->id, name, H5P_DEFAULT) <= 0) {
        *id = create_dimension(file->id, name, n);
        return *id < 0 ? stj_h5_write_failed(file, err) : STJ_OK;
    }
    *id = H5Dopen2(file->id, name, H5P_DEFAULT);
    STJ_NEED(err, *id >= 0 && is_dimension(*id, name, n), STJ_EINTERNAL,
             "%s: \"%s\" is no dimension of length %zu", file->path, name, n);
    return STJ_OK;
}

static enum stj_status name_axis(struct stj_h5 *file, hid_t set, unsigned axis, const char *name,
                                 size_t n, struct stj_error *err)
{
    hid_t scale = -1;
    enum stj_status st = open_dimension(file, name, n, &scale, err);
    if (st == STJ_OK &&
        (H5DSattach_scale(set, scale, axis) < 0 || H5DSset_label(set, axis, name) < 0))
        st = stj_h5_write_failed(file, err);
    if (scale >= 0)
        H5Dclose(scale);
    return st;
}

/* Readers take a text of one byte for a character: it gets its final zero too. */
static bool put_note(hid_t set, char *name, const char *text)
{
    const size_t n = text ? strlen(text) : 0;
    const struct stj_item item = {.name = name, .type = STJ_ITEM_TEXT, .rows = n < 2 ? 2 : n};
    return n == 0 || stj_h5_write_value(set, &item, text);
}

static enum stj_status describe_set(struct stj_h5 *file, const struct stj_item *item, hid_t set,
                                    const char *const *dim, const struct stj_h5_notes *notes,
                                    struct stj_error *err)
{
    char units[] = "@units";
    char long_name[] = "@long_name";
    const size_t n[2] = {item->rows, item->cols};
    if (set < 0 || !put_note(set, units, notes->unit) || !put_note(set, long_name, notes->doc))
        return stj_h5_write_failed(file, err);
    if (stj_h5_n_dims(item) == 1 && strcmp(dim[0], item->name) == 0) /* its own coordinates */
        return is_dimension(set, dim[0], n[0]) ? STJ_OK : stj_h5_write_failed(file, err);
    for (unsigned axis = 0; axis < stj_h5_n_dims(item); axis++)
        STJ_MUST(name_axis(file, set, axis, dim[axis], n[axis], err));
    return STJ_OK;
}

enum stj_status stj_h5_describe_item(struct stj_h5 *file, struct stj_item *item,
                                     const char *const *dim, const struct stj_h5_notes *notes,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, !item->row_dim, STJ_EINTERNAL, "%s: \"%s\" is described twice", file->path,
              item->name);
    STJ_TRY(stj_strdup(&item->row_dim, stj_h5_n_dims(item) ? dim[0] : "", err));
    STJ_TRY(stj_h5_reserve(err));
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    hid_t set = H5Dopen2(file->id, item->name, H5P_DEFAULT);
    st = describe_set(file, item, set, dim, notes, err);
    if (set >= 0)
        H5Dclose(set);
    stj_h5_quiet_end(quiet);
    if (st == STJ_OK && file->sink.failure != 0)
        st = stj_h5_write_failed(file, err);
out:
    return st;
}

enum stj_status stj_h5_describe(struct stj_h5 *file, const char *name, size_t n_dims,
                                const char *const *dim, const char *unit, const char *doc,
                                struct stj_error *err)
{
    const struct stj_h5_notes notes = {unit, doc};
    if (file->blind || name[0] == '@')
        return STJ_OK;
    struct stj_item *item = stj_manifest_find(&file->manifest, name);
    STJ_NEED(err, item && n_dims == stj_h5_n_dims(item), STJ_EINTERNAL,
             "%s: \"%s\" does not have %zu dimensions", file->path, name, n_dims);
    return stj_h5_describe_item(file, item, dim, &notes, err);
}
