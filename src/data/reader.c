/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/reader.c: the registry of data file readers, and reading a file of any format. */
#include "data/reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"

extern const struct stj_reader stj_reader_csv;
extern const struct stj_reader stj_reader_hdf5;
extern const struct stj_reader stj_reader_idx;
extern const struct stj_reader stj_reader_npy;
extern const struct stj_reader stj_reader_npz;
extern const struct stj_reader stj_reader_safetensors;

/* All readers; the first that accepts a file reads it. */
static const struct stj_plugin_info *const readers[] = {
    &stj_reader_npy.info,
    &stj_reader_npz.info,
    &stj_reader_hdf5.info,
    &stj_reader_safetensors.info,
    &stj_reader_csv.info,
    &stj_reader_idx.info,
    NULL,
};

const struct stj_kind stj_reader_kind = {.what = "data file format", .list = readers};

bool stj_path_ends_in(const char *path, const char *suffix)
{
    size_t n = strlen(path);
    size_t n_suffix = strlen(suffix);
    if (n < n_suffix)
        return false;
    for (size_t i = 0; i < n_suffix; i++)
        if (tolower((unsigned char)path[n - n_suffix + i]) != tolower((unsigned char)suffix[i]))
            return false;
    return true;
}

static enum stj_status read_head(const char *path, unsigned char head[STJ_READER_HEAD], size_t *n,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    FILE *file = NULL;
    STJ_TRY(stj_file_check_plain(path, err));
    file = fopen(path, "rb");
    STJ_CHECK(err, file, STJ_EIO, "%s: cannot open: %s", path, strerror(errno));
    *n = fread(head, 1, STJ_READER_HEAD, file);
    STJ_CHECK(err, !ferror(file), STJ_EIO, "%s: cannot read: %s", path, strerror(errno));
    STJ_CHECK(err, *n > 0, STJ_EFORMAT, "%s: the file is empty", path);
out:
    if (file)
        fclose(file);
    return st;
}

enum stj_status stj_reader_find(const char *path, const struct stj_reader **reader,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned char head[STJ_READER_HEAD] = {0};
    size_t n = 0;
    char known[512] = "";
    *reader = NULL;
    STJ_TRY(read_head(path, head, &n, err));
    for (size_t i = 0; readers[i]; i++) {
        const struct stj_reader *candidate = (const struct stj_reader *)(const void *)readers[i];
        if (candidate->accepts(path, head, n)) {
            *reader = candidate;
            goto out;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", readers[i]->doc);
    }
    STJ_CHECK(err, false, STJ_EFORMAT, "%s: not a data file of a known format (%s)", path, known);
out:
    return st;
}

enum stj_status stj_matrix_read(const char *path, struct stj_matrix *matrix, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_arrays *arrays = NULL;
    size_t i = 0;
    *matrix = (struct stj_matrix){0};
    STJ_TRY(stj_arrays_open_one(path, &arrays, &i, err));
    STJ_TRY(stj_arrays_read(arrays, i, matrix, err));
out:
    stj_arrays_close(arrays);
    return st;
}

void stj_matrix_free(struct stj_matrix *matrix)
{
    free(matrix->data);
    *matrix = (struct stj_matrix){0};
}
