/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/readers.c: the registry of data file readers. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/reader.h"
#include "options/option_value.h"

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
                                 bool *packed, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_byte_stream *stream = NULL;
    enum stj_packing packing = STJ_PACKING_NONE;
    STJ_TRY(stj_byte_stream_open_file(path, &stream, &packing, err));
    STJ_TRY(stj_byte_stream_read_some(stream, head, STJ_READER_HEAD, n, err));
    STJ_CHECK(err, *n > 0, STJ_EFORMAT, "%s: the file is empty", path);
    *packed = packing == STJ_PACKING_GZIP;
out:
    stj_byte_stream_close(stream);
    return st;
}

/* What unpacks a file that begins so, or NULL. */
static const char *find_unpacker(const unsigned char head[STJ_READER_HEAD])
{
    static const struct {
        const char *program;
        size_t n;
        unsigned char magic[6];
    } packers[] = {
        {"unxz", 6, {0xFD, '7', 'z', 'X', 'Z', 0}},
        {"bunzip2", 3, {'B', 'Z', 'h'}},
        {"unzstd", 4, {0x28, 0xB5, 0x2F, 0xFD}},
        {"gunzip", 2, {0x1F, 0x8B}}, /* packed twice */
    };
    for (size_t i = 0; i < sizeof packers / sizeof packers[0]; i++)
        if (memcmp(head, packers[i].magic, packers[i].n) == 0)
            return packers[i].program;
    return NULL;
}

/* Does a file hold pickled objects, of PyTorch or others?  PyTorch's are a zip archive whose first
 * member is NAME/data.pkl, or, of before 2020, pickles one after another. */
static bool is_pickle(const char *path, const unsigned char *head, size_t n)
{
    static const char member[] = "/data.pkl";
    const bool zip = n >= 4 && memcmp(head, "PK\3\4", 4) == 0;
    const bool named = stj_path_ends_in(path, ".pt") || stj_path_ends_in(path, ".pth");
    for (size_t i = 30; zip && i + strlen(member) <= n; i++)
        if (memcmp(head + i, member, strlen(member)) == 0)
            return true;
    return (zip && named) || (n >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5);
}

/* *bare <- the path without ".gz" (owned by the caller). */
static enum stj_status drop_ending(const char *path, char **bare, struct stj_error *err)
{
    STJ_MUST(stj_strdup(bare, path, err));
    if (stj_path_ends_in(*bare, ".gz"))
        (*bare)[strlen(*bare) - strlen(".gz")] = '\0';
    return STJ_OK;
}

enum stj_status stj_reader_find(const char *path, const struct stj_reader **reader,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned char head[STJ_READER_HEAD] = {0};
    size_t n = 0;
    bool packed = false;
    char *bare = NULL;
    char known[512] = "";
    *reader = NULL;
    STJ_TRY(read_head(path, head, &n, &packed, err));
    STJ_TRY(drop_ending(path, &bare, err));
    const char *unpacker = find_unpacker(head);
    STJ_CHECK(err, !unpacker, STJ_EUNSUPPORTED,
              "%s: is packed in a way that is not read here; unpack it with %s", path, unpacker);
    STJ_CHECK(
        err, !is_pickle(bare, head, n), STJ_EUNSUPPORTED,
        "%s: holds pickled objects of Python (torch.save), which are programs and are not read; "
        "write its tensors as safetensors: python3 -c \"import torch, safetensors.torch as s; "
        "s.save_file({k: v.contiguous() for k, v in torch.load('M.pt', "
        "map_location='cpu').items()}, 'M.safetensors')\"",
        path);
    for (size_t i = 0; readers[i] && !*reader; i++) {
        const struct stj_reader *candidate = (const struct stj_reader *)(const void *)readers[i];
        if (candidate->accepts(bare, head, n))
            *reader = candidate;
        stj_text_add(known, sizeof known, "%s%s", i ? ", " : "", readers[i]->doc);
    }
    STJ_CHECK(err, *reader, STJ_EFORMAT, "%s: not a data file of a known format (%s)", path, known);
    STJ_CHECK(err, !packed || (*reader)->unpacks, STJ_EUNSUPPORTED,
              "%s: a file of format %s that is packed with gzip, which is not read; unpack it with "
              "gunzip",
              path, (*reader)->info.name);
out:
    free(bare);
    if (st != STJ_OK)
        *reader = NULL;
    return st;
}
