/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/hdf5.c: the data sets of an HDF5 file by their paths.
 *
 * All of a data set must be in the file: of a contiguous one the whole range, of a chunked one
 * every chunk.  That, and that its packed chunks can hold what they announce, is seen before
 * anything is allocated for its values.  HDF5 converts the items to doubles.
 *
 * Listed is each data set once; other names of it, by hard and soft links, are followed when asked
 * for.  Links to other files are not: a file of a stranger would choose what is read here.
 */
#define H5_USE_110_API 1

#include <errno.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/error.h"
#include "io/h5_quiet.h"
#include "base/memory.h"
#include "data/reader.h"

enum {
    DEFLATE_MOST = 1032, /* times that deflate can shrink something */
    PROBLEM_MAX = 256
};

struct hdf5 {
    hid_t file;
    size_t length;
};

static const unsigned char magic[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};

static bool hdf5_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    return (n_head >= sizeof magic && memcmp(head, magic, sizeof magic) == 0) ||
           stj_path_ends_in(path, ".h5") || stj_path_ends_in(path, ".hdf5") ||
           stj_path_ends_in(path, ".he5");
}

static void hdf5_close(void *self)
{
    struct hdf5 *h = self;
    if (!h)
        return;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    if (h->file >= 0)
        H5Fclose(h->file);
    stj_h5_quiet_end(quiet);
    free(h);
}

/* ---- one data set ---- */

/* What a data set is made of; every handle is closed by close_set. */
struct set {
    hid_t id, space, type, plist;
    H5D_layout_t layout;
    size_t n_items, item_bytes;
};

static void close_set(const struct set *s)
{
    if (s->plist >= 0)
        H5Pclose(s->plist);
    if (s->type >= 0)
        H5Tclose(s->type);
    if (s->space >= 0)
        H5Sclose(s->space);
    if (s->id >= 0)
        H5Dclose(s->id);
}

static bool open_set(hid_t file, const char *name, struct set *s)
{
    *s =
        (struct set){.id = H5Dopen2(file, name, H5P_DEFAULT), .space = -1, .type = -1, .plist = -1};
    if (s->id < 0)
        return false;
    s->space = H5Dget_space(s->id);
    s->type = H5Dget_type(s->id);
    s->plist = H5Dget_create_plist(s->id);
    if (s->space < 0 || s->type < 0 || s->plist < 0)
        return false;
    s->layout = H5Pget_layout(s->plist);
    s->item_bytes = H5Tget_size(s->type);
    return s->item_bytes > 0;
}

/* Why the items are no numbers for us, or NULL. */
static const char *bad_type(const struct set *s)
{
    const H5T_class_t class = H5Tget_class(s->type);
    if (class != H5T_INTEGER && class != H5T_FLOAT && class != H5T_ENUM)
        return "its items are not numbers";
    if (class == H5T_FLOAT && s->item_bytes > sizeof(double))
        return "its items are wider than double precision";
    return NULL;
}

/* Shape and number of items; a reason why not, or NULL. */
static const char *read_set_shape(struct set *s, struct stj_array *array)
{
    hsize_t dims[H5S_MAX_RANK];
    const H5S_class_t class = H5Sget_simple_extent_type(s->space);
    if (class != H5S_SCALAR && class != H5S_SIMPLE)
        return "it has no values";
    const int n_dims = H5Sget_simple_extent_ndims(s->space);
    if (n_dims < 0 || n_dims > STJ_MATRIX_MAX_DIMS)
        return "it has more than 8 dimensions";
    if (n_dims > 0 && H5Sget_simple_extent_dims(s->space, dims, NULL) < 0)
        return "its shape cannot be read";
    array->n_dims = (size_t)n_dims;
    for (size_t d = 0; d < array->n_dims; d++)
        array->shape[d] = (size_t)dims[d];
    if (stj_array_set_size(array, &s->n_items, NULL) != STJ_OK)
        return "its shape does not fit the address space";
    return NULL;
}

/* Only deflate and filters that keep or lengthen: what was packed bounds what comes out. */
static bool is_bounded(hid_t plist)
{
    const int n = H5Pget_nfilters(plist);
    for (int i = 0; i < n; i++) {
        unsigned flags = 0;
        unsigned config = 0;
        size_t n_values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(plist, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
        if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
            filter != H5Z_FILTER_FLETCHER32)
            return false;
    }
    return true;
}

/* Chunks that cover the array, and items of one. */
static bool count_chunks(const struct set *s, const struct stj_array *array, size_t *n_chunks,
                         size_t *chunk_items)
{
    hsize_t chunk[STJ_MATRIX_MAX_DIMS];
    *n_chunks = *chunk_items = 1;
    if (H5Pget_chunk(s->plist, STJ_MATRIX_MAX_DIMS, chunk) != (int)array->n_dims)
        return false;
    for (size_t d = 0; d < array->n_dims; d++) {
        const size_t size = (size_t)chunk[d];
        if (size == 0 ||
            stj_size_mul(*n_chunks, array->shape[d] / size + (array->shape[d] % size > 0), n_chunks,
                         NULL) != STJ_OK ||
            stj_size_mul(*chunk_items, size, chunk_items, NULL) != STJ_OK)
            return false;
    }
    return true;
}

static const char *check_chunks(const struct set *s, const struct stj_array *array, size_t stored)
{
    size_t wanted = 0;
    size_t chunk_items = 0;
    size_t bytes = 0;
    hsize_t present = 0;
    if (!count_chunks(s, array, &wanted, &chunk_items) ||
        stj_size_mul(wanted, chunk_items, &bytes, NULL) != STJ_OK ||
        stj_size_mul(bytes, s->item_bytes, &bytes, NULL) != STJ_OK)
        return "its chunks do not fit the address space";
    if (H5Dget_num_chunks(s->id, s->space, &present) < 0 || (size_t)present != wanted)
        return "some of its chunks are not in the file";
    if (H5Pget_nfilters(s->plist) == 0 && stored != bytes)
        return "its chunks are not as long as they say; the file is damaged";
    if (is_bounded(s->plist) && bytes / DEFLATE_MOST > stored)
        return "its chunks announce more than they can hold; the file is damaged";
    return NULL;
}

/* Why the file does not hold all of the data set, or NULL. */
static const char *check_storage(const struct set *s, const struct stj_array *array,
                                 size_t file_length)
{
    const size_t stored = (size_t)H5Dget_storage_size(s->id);
    size_t bytes = 0;
    if (s->n_items == 0)
        return NULL;
    if (stj_size_mul(s->n_items, s->item_bytes, &bytes, NULL) != STJ_OK)
        return "its shape does not fit the address space";
    if (H5Pget_external_count(s->plist) > 0 || s->layout == H5D_VIRTUAL)
        return "its values lie in other files";
    if (stored > file_length)
        return "it announces more bytes than the file has; the file is damaged";
    if (s->layout == H5D_CHUNKED)
        return check_chunks(s, array, stored);
    if (stored == 0)
        return "no values were written to it";
    if (stored != bytes)
        return "its values are not as long as its shape says; the file is damaged";
    if (s->layout == H5D_CONTIGUOUS && H5Dget_offset(s->id) + stored > file_length)
        return "its values lie behind the end of the file; it is cut short";
    return NULL;
}

/* The filter that its chunks need and this HDF5 lacks, in text; NULL: it has them all. */
static const char *missing_filter(const struct set *s, char text[PROBLEM_MAX])
{
    const int n = H5Pget_nfilters(s->plist);
    for (int i = 0; i < n; i++) {
        char name[64] = "";
        unsigned flags = 0;
        unsigned config = 0;
        size_t n_values = 0;
        const H5Z_filter_t filter = H5Pget_filter2(s->plist, (unsigned)i, &flags, &n_values, NULL,
                                                   sizeof name, name, &config);
        if (filter < 0 || H5Zfilter_avail(filter) > 0)
            continue;
        name[sizeof name - 1] = '\0';
        snprintf(
            text, PROBLEM_MAX,
            "it is packed with the filter %s%s(HDF5 id %d), which the HDF5 library here lacks; "
            "where that is installed, h5repack -f GZIP=4 IN OUT makes a file that is read",
            name, name[0] ? " " : "", (int)filter);
        return text;
    }
    return NULL;
}

static enum stj_status add_set(struct stj_array_list *list, const char *name, struct stj_error *err)
{
    const struct hdf5 *h = list->self;
    struct stj_array_entry *entry = NULL;
    struct set s;
    char text[PROBLEM_MAX];
    const char *problem = "it cannot be opened; the file is damaged";
    STJ_MUST(stj_array_list_add(list, name, &entry, err));
    if (open_set(h->file, name, &s)) {
        problem = bad_type(&s);
        const char *shape = read_set_shape(&s, &entry->array);
        problem = problem ? problem : shape;
        if (!problem)
            problem = missing_filter(&s, text);
        if (!problem)
            problem = check_storage(&s, &entry->array, h->length);
    }
    close_set(&s);
    if (problem)
        STJ_MUST(stj_array_refuse(entry, problem, err));
    return STJ_OK;
}

/* ---- the file ---- */

struct visit {
    struct stj_array_list *list;
    struct stj_error *err;
    enum stj_status st;
};

static herr_t visit_object(hid_t file, const char *name, const H5O_info_t *info, void *data)
{
    (void)file;
    struct visit *v = data;
    if (info->type == H5O_TYPE_DATASET)
        v->st = add_set(v->list, name, v->err);
    return v->st == STJ_OK ? 0 : -1;
}

/* Why HDF5 does not open a file that is there. */
static const char *why_closed(const char *path, char text[PROBLEM_MAX])
{
    unsigned char head[24] = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return strerror(errno);
    const size_t n = fread(head, 1, sizeof head, file);
    const bool locked = flock(fileno(file), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    fclose(file);
    /* The flags of a superblock of version 3: opened to write, and not closed since. */
    if (locked)
        return "another process has it open for writing: wait until it is closed there";
    if (n == sizeof head && memcmp(head, magic, sizeof magic) == 0 && head[8] == 3 && head[11]) {
        snprintf(text, PROBLEM_MAX,
                 "it is marked as open for writing (flags %02x): close it where it is written, or, "
                 "if that program ended before its time, clear the mark with h5clear -s FILE",
                 head[11]);
        return text;
    }
    return "it is cut short, damaged or no HDF5 file";
}

static enum stj_status hdf5_list(struct stj_array_list *list, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct hdf5 *h = NULL;
    struct visit v = {.list = list, .err = err};
    char text[PROBLEM_MAX];
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    STJ_TRY(stj_new(&h, 1, sizeof *h, err));
    list->self = h;
    STJ_TRY(stj_file_length(list->path, &h->length, err));
    h->file = H5Fopen(list->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    STJ_CHECK(err, h->file >= 0, STJ_EFORMAT, "%s: HDF5 cannot open it: %s (%zu bytes)", list->path,
              why_closed(list->path, text), h->length);
    const herr_t code = H5Ovisit(h->file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &v);
    STJ_TRY(v.st);
    STJ_CHECK(err, code >= 0, STJ_EFORMAT, "%s: its groups cannot be read; the file is damaged",
              list->path);
out:
    stj_h5_quiet_end(quiet);
    return st;
}

/* ---- links ---- */

static herr_t refuse_external(const char *parent_file, const char *parent_group,
                              const char *child_file, const char *child_name, unsigned *flags,
                              hid_t access, void *data)
{
    (void)parent_file, (void)parent_group, (void)child_file, (void)child_name;
    (void)flags, (void)access, (void)data;
    return -1;
}

/* The link of that name leads nowhere in this file. */
static enum stj_status fail_link(const char *path, hid_t file, const char *name,
                                 struct stj_error *err)
{
    H5L_info_t info = {.type = H5L_TYPE_ERROR};
    char target[512] = "";
    const char *in_file = NULL;
    const char *object = target;
    if (H5Lget_info(file, name, &info, H5P_DEFAULT) >= 0 && info.u.val_size < sizeof target)
        H5Lget_val(file, name, target, sizeof target, H5P_DEFAULT);
    if (info.type == H5L_TYPE_EXTERNAL)
        H5Lunpack_elink_val(target, info.u.val_size, NULL, &in_file, &object);
    STJ_NEED(
        err, info.type != H5L_TYPE_EXTERNAL, STJ_EUNSUPPORTED,
        "%s: '%s' is a link to '%.200s' of another file, '%.200s', which is not followed; name "
        "that file instead",
        path, name, object ? object : "", in_file ? in_file : "");
    STJ_NEED(err, false, STJ_EMISMATCH, "%s: '%s' is a link to '%.400s', which is not in this file",
             path, name, target);
    return STJ_OK;
}

/* Follow the links of a name, which is cut into its groups for that; *found <- it is a data set. */
static enum stj_status follow_links(const char *path, hid_t file, char *name, hid_t access,
                                    bool *found, struct stj_error *err)
{
    H5O_info_t info;
    char *slash = name;
    *found = false;
    while (slash) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (H5Lexists(file, name, access) <= 0)
            return STJ_OK;
        if (H5Oexists_by_name(file, name, access) <= 0)
            STJ_MUST(fail_link(path, file, name, err));
        if (slash)
            *slash = '/';
    }
    *found = H5Oget_info_by_name(file, name, &info, access) >= 0 && info.type == H5O_TYPE_DATASET;
    STJ_NEED(err, *found, STJ_EMISMATCH, "%s: has no array '%s', which is a group", path, name);
    return STJ_OK;
}

static enum stj_status hdf5_look_up(struct stj_array_list *list, const char *name, bool *found,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct hdf5 *h = list->self;
    hid_t access = -1;
    char *copy = NULL;
    *found = false;
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    STJ_TRY(stj_strdup(&copy, name, err));
    access = H5Pcreate(H5P_LINK_ACCESS);
    if (access >= 0 && H5Pset_elink_cb(access, refuse_external, NULL) >= 0)
        STJ_TRY(follow_links(list->path, h->file, copy, access, found, err));
    if (*found)
        STJ_TRY(add_set(list, name, err));
out:
    if (access >= 0)
        H5Pclose(access);
    free(copy);
    stj_h5_quiet_end(quiet);
    return st;
}

/* ---- values ---- */

/* Select rows of the data set in its space; *memory <- a flat space of as many values. */
static bool select_set_rows(const struct set *s, const struct stj_array *array, size_t first,
                            size_t n, hid_t *memory)
{
    hsize_t start[STJ_MATRIX_MAX_DIMS] = {(hsize_t)first};
    hsize_t count[STJ_MATRIX_MAX_DIMS] = {(hsize_t)n};
    const hsize_t flat = (hsize_t)n * (hsize_t)array->cols;
    for (size_t d = 1; d < array->n_dims; d++)
        count[d] = (hsize_t)array->shape[d];
    *memory = H5Screate_simple(1, &flat, NULL);
    if (*memory < 0)
        return false;
    return array->n_dims == 0 ||
           H5Sselect_hyperslab(s->space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
}

static enum stj_status hdf5_read_rows(const struct stj_array_list *list,
                                      const struct stj_array_entry *entry, size_t first, size_t n,
                                      double *values, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct hdf5 *h = list->self;
    const struct stj_array *array = &entry->array;
    struct set s;
    hid_t memory = -1;
    if (stj_h5_reserve(err) != STJ_OK)
        return STJ_ENOMEM;
    struct stj_h5_quiet quiet = stj_h5_quiet_begin();
    bool read = open_set(h->file, array->name, &s) &&
                select_set_rows(&s, array, first, n, &memory) &&
                H5Dread(s.id, H5T_NATIVE_DOUBLE, memory, s.space, H5P_DEFAULT, values) >= 0;
    const bool whole = read && H5Tget_class(s.type) == H5T_INTEGER && s.item_bytes == 8;
    STJ_CHECK(err, read, STJ_EFORMAT, "%s:%s: rows %zu to %zu cannot be read; the file is damaged",
              list->path, array->name, first, first + n - 1);
    for (size_t i = 0; whole && i < n * array->cols; i++)
        STJ_CHECK(err, fabs(values[i]) < 9007199254740992.0, STJ_EUNSUPPORTED,
                  "%s:%s: item %zu is an integer beyond 2^53, which no double holds exactly",
                  list->path, array->name, first * array->cols + i);
out:
    if (memory >= 0)
        H5Sclose(memory);
    close_set(&s);
    stj_h5_quiet_end(quiet);
    return st;
}

extern const struct stj_reader stj_reader_hdf5;
const struct stj_reader stj_reader_hdf5 = {
    .info = {.name = "hdf5", .doc = "HDF5 data sets by path, .h5"},
    .accepts = hdf5_accepts,
    .list = hdf5_list,
    .look_up = hdf5_look_up,
    .read_rows = hdf5_read_rows,
    .close = hdf5_close,
};
