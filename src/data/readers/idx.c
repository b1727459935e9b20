/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/idx.c: arrays in the IDX format of the MNIST files, plain or compressed with gzip.
 *
 *   bytes 0-1   zero
 *   byte 2      type of the items: 08 unsigned byte, 09 signed byte, 0B, 0C integers of 2 and 4
 *               bytes, 0D, 0E floats of 4 and 8 bytes
 *   byte 3      number of dimensions
 *   then        each dimension, 4 bytes; then the items, the last index fastest
 *
 * All numbers are big-endian.  The (unpacked) file must be exactly as long as its header says.  For
 * a compressed file that is known only when it was unpacked: it is unpacked once without being
 * kept, before anything of the announced size is allocated.
 */
#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/reader.h"

static const struct {
    unsigned char code;
    struct stj_item_type type;
} types[] = {
    {0x08, {'u', 1, true}}, {0x09, {'i', 1, true}}, {0x0B, {'i', 2, true}},
    {0x0C, {'i', 4, true}}, {0x0D, {'f', 4, true}}, {0x0E, {'f', 8, true}},
};

static const struct stj_item_type *find_type(unsigned char code)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].code == code)
            return &types[i].type;
    return NULL;
}

/* "train-images-idx3-ubyte", "labels.idx", ".idx1-ubyte" */
static bool is_named_idx(const char *path)
{
    const char *slash = strrchr(path, '/');
    for (const char *p = strstr(slash ? slash : path, "idx"); p; p = strstr(p + 1, "idx"))
        if (isdigit((unsigned char)p[3]))
            return true;
    return stj_path_ends_in(path, ".idx");
}

static bool idx_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    bool begins = n_head >= 4 && head[0] == 0 && head[1] == 0 && find_type(head[2]) &&
                  head[3] >= 1 && head[3] <= STJ_MATRIX_MAX_DIMS;
    return begins || is_named_idx(path);
}

/* Type and number of dimensions. */
static enum stj_status read_magic(const char *path, struct stj_byte_stream *stream,
                                  struct stj_array_entry *entry, struct stj_error *err)
{
    unsigned char p[4];
    STJ_MUST(stj_byte_stream_read(stream, p, sizeof p, err));
    const struct stj_item_type *type = find_type(p[2]);
    STJ_NEED(err, p[0] == 0 && p[1] == 0 && type, STJ_EFORMAT,
             "%s: not an IDX file: it begins with bytes %02x %02x %02x %02x, expected 00 00 and a "
             "type, 08, 09 or 0b to 0e",
             path, p[0], p[1], p[2], p[3]);
    STJ_NEED(err, p[3] >= 1 && p[3] <= STJ_MATRIX_MAX_DIMS, STJ_EFORMAT,
             "%s: byte 3 says that the array has %d dimensions, expected 1 to %d", path, p[3],
             (int)STJ_MATRIX_MAX_DIMS);
    entry->place.type = *type;
    entry->array.n_dims = p[3];
    return STJ_OK;
}

static enum stj_status read_idx_shape(struct stj_byte_stream *stream, struct stj_array_entry *entry,
                                      size_t *n_items, struct stj_error *err)
{
    for (size_t d = 0; d < entry->array.n_dims; d++) {
        unsigned char p[4];
        STJ_MUST(stj_byte_stream_read(stream, p, sizeof p, err));
        entry->array.shape[d] = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    }
    entry->place.skip = 4 + 4 * entry->array.n_dims;
    return stj_array_set_size(&entry->array, n_items, err);
}

static enum stj_status check_idx_length(const char *path, struct stj_byte_stream *stream,
                                        struct stj_array_entry *entry, size_t n_items,
                                        struct stj_error *err)
{
    struct stj_array_place *place = &entry->place;
    size_t claimed = 0;
    size_t length = 0;
    STJ_MUST(stj_size_mul(n_items, place->type.size, &claimed, err));
    STJ_NEED(err, claimed < SIZE_MAX / 2, STJ_EFORMAT,
             "%s: the header announces %zu items of %zu bytes; the file is cut short", path,
             n_items, place->type.size);
    place->unpacked = place->skip + claimed;
    STJ_MUST(stj_byte_stream_measure(stream, place->unpacked, &length, NULL, err));
    STJ_NEED(err, length == place->unpacked, STJ_EFORMAT,
             "%s: the header announces %zu items of %zu bytes, %zu in all, but %s%zu bytes follow "
             "it; the file is %s",
             path, n_items, place->type.size, claimed, length > place->unpacked ? "at least " : "",
             length - place->skip, length > place->unpacked ? "damaged" : "cut short");
    return STJ_OK;
}

static enum stj_status idx_list(struct stj_array_list *list, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *path = list->path;
    struct stj_byte_stream *stream = NULL;
    struct stj_array_entry *entry = NULL;
    size_t n_items = 0;
    STJ_TRY(stj_array_list_add(list, "", &entry, err));
    STJ_TRY(stj_byte_stream_open_file(path, &stream, &entry->place.packing, err));
    STJ_TRY(read_magic(path, stream, entry, err));
    STJ_TRY(read_idx_shape(stream, entry, &n_items, err));
    STJ_TRY(check_idx_length(path, stream, entry, n_items, err));
out:
    if (st == STJ_ENOMEM)
        stj_error_prefix(err, "%s", path);
    stj_byte_stream_close(stream);
    return st;
}

extern const struct stj_reader stj_reader_idx;
const struct stj_reader stj_reader_idx = {
    .info = {.name = "idx", .doc = "IDX as of the MNIST files, plain or .gz"},
    .unpacks = true,
    .accepts = idx_accepts,
    .list = idx_list,
};
