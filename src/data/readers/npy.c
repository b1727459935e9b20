/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/npy.c: an array in NumPy's NPY format.
 *
 * The file must be exactly as long as its header says, which is checked before anything is
 * allocated.
 */
#include "base/error.h"
#include "data/npy_header.h"

static bool npy_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    return stj_path_ends_in(path, ".npy") || stj_npy_is(head, n_head);
}

static enum stj_status npy_list(struct stj_array_list *list, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_byte_stream *stream = NULL;
    struct stj_array_entry *entry = NULL;
    STJ_TRY(stj_array_list_add(list, "", &entry, err));
    STJ_TRY(stj_file_length(list->path, &entry->place.unpacked, err));
    STJ_TRY(stj_byte_stream_open(list->path, 0, STJ_TO_THE_END, STJ_PACKING_NONE, &stream, err));
    STJ_TRY(stj_npy_read_header(list->path, stream, entry, err));
out:
    if (st == STJ_ENOMEM)
        stj_error_prefix(err, "%s", list->path);
    stj_byte_stream_close(stream);
    return st;
}

extern const struct stj_reader stj_reader_npy;
const struct stj_reader stj_reader_npy = {
    .info = {.name = "npy", .doc = "NumPy array, .npy"},
    .accepts = npy_accepts,
    .list = npy_list,
};
