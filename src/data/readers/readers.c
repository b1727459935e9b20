/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/readers.c: the registry of data file readers. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "data/reader.h"
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
