/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/readers/safetensors.c: tensors by name in the safetensors format.
 *
 *   bytes 0-7   n, the header's length, little-endian
 *   n bytes     JSON: {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [first, end]},
 *               ..., "__metadata__": {...}}, offsets counted from behind the header
 *   rest        the items, little-endian, the last index fastest
 *
 * As the format demands, the tensors fill the rest of the file without gaps or overlaps, and each
 * range is as long as shape and type say; a file that says otherwise is refused before anything is
 * allocated for values.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/reader.h"

enum { LENGTH_BYTES = 8, MAX_HEADER = 100 << 20 };

static const struct {
    const char *name;
    struct stj_item_type type;
} types[] = {
    {"F64", {'f', 8, false}},  {"F32", {'f', 4, false}}, {"F16", {'f', 2, false}},
    {"BF16", {'B', 2, false}}, {"I64", {'i', 8, false}}, {"I32", {'i', 4, false}},
    {"I16", {'i', 2, false}},  {"I8", {'i', 1, false}},  {"U64", {'u', 8, false}},
    {"U32", {'u', 4, false}},  {"U16", {'u', 2, false}}, {"U8", {'u', 1, false}},
    {"BOOL", {'b', 1, false}},
};

static uint64_t header_length(const unsigned char *p)
{
    uint64_t n = 0;
    for (size_t i = LENGTH_BYTES; i-- > 0;)
        n = n << 8 | p[i];
    return n;
}

static bool safetensors_accepts(const char *path, const unsigned char *head, size_t n_head)
{
    return stj_path_ends_in(path, ".safetensors") ||
           (n_head > LENGTH_BYTES && head[LENGTH_BYTES] == '{' &&
            header_length(head) <= MAX_HEADER);
}

/* ---- the header ---- */

/* *header <- the JSON object, *begin <- where the items begin. */
static enum stj_status read_json_header(const char *path, size_t length, json_t **header,
                                        size_t *begin, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_byte_stream *stream = NULL;
    unsigned char p[LENGTH_BYTES];
    char *text = NULL;
    json_error_t trouble;
    STJ_TRY(stj_byte_stream_open(path, 0, STJ_TO_THE_END, STJ_PACKING_NONE, &stream, err));
    STJ_TRY(stj_byte_stream_read(stream, p, sizeof p, err));
    const uint64_t n = header_length(p);
    STJ_CHECK(err, n <= MAX_HEADER, STJ_EFORMAT,
              "%s: byte 0: the header claims %llu bytes, the limit is %d", path,
              (unsigned long long)n, (int)MAX_HEADER);
    STJ_CHECK(err, n <= length - LENGTH_BYTES, STJ_EFORMAT,
              "%s: byte 0: the header claims %llu bytes, %zu follow it; the file is cut short",
              path, (unsigned long long)n, length - LENGTH_BYTES);
    STJ_TRY(stj_new(&text, (size_t)n + 1, 1, err));
    STJ_TRY(stj_byte_stream_read(stream, text, (size_t)n, err));
    *header = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &trouble);
    STJ_CHECK(err, *header, STJ_EFORMAT, "%s: byte %zu: the header is not JSON: %s", path,
              LENGTH_BYTES + (size_t)(trouble.position > 0 ? trouble.position : 0), trouble.text);
    STJ_CHECK(err, json_is_object(*header), STJ_EFORMAT,
              "%s: byte %d: the header is not a JSON object", path, (int)LENGTH_BYTES);
    *begin = LENGTH_BYTES + (size_t)n;
out:
    stj_byte_stream_close(stream);
    free(text);
    return st;
}

/* *size <- a JSON integer that is a size. */
static bool get_size(const json_t *json, size_t *size)
{
    if (!json_is_integer(json) || json_integer_value(json) < 0)
        return false;
    *size = (size_t)json_integer_value(json);
    return true;
}

/* One tensor under construction, and who is asking. */
struct tensor {
    const char *path, *name;
    const json_t *json;
    struct stj_array_entry *entry;
};

static enum stj_status read_type(const struct tensor *t, struct stj_error *err)
{
    char text[96];
    const char *dtype = json_string_value(json_object_get(t->json, "dtype"));
    STJ_NEED(err, dtype, STJ_EFORMAT, "%s:%s: its dtype is not a text", t->path, t->name);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(types[i].name, dtype) == 0)
            t->entry->place.type = types[i].type;
    if (t->entry->place.type.size > 0)
        return STJ_OK;
    snprintf(text, sizeof text, "items of type %.12s are not supported; convert it to F64 or F32",
             dtype);
    return stj_array_refuse(t->entry, text, err);
}

static enum stj_status read_tensor_shape(const struct tensor *t, size_t *n_items,
                                         struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_array *array = &t->entry->array;
    const json_t *shape = json_object_get(t->json, "shape");
    STJ_CHECK(err, json_is_array(shape), STJ_EFORMAT, "%s:%s: its shape is not a list", t->path,
              t->name);
    const size_t n_dims = json_array_size(shape);
    STJ_CHECK(err, n_dims <= STJ_MATRIX_MAX_DIMS, STJ_EUNSUPPORTED,
              "%s:%s: has %zu dimensions, the limit is %d", t->path, t->name, n_dims,
              (int)STJ_MATRIX_MAX_DIMS);
    array->n_dims = n_dims;
    for (size_t d = 0; d < n_dims; d++)
        STJ_CHECK(err, get_size(json_array_get(shape, d), &array->shape[d]), STJ_EFORMAT,
                  "%s:%s: dimension %zu of its shape is not a size", t->path, t->name, d);
    st = stj_array_set_size(array, n_items, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "%s:%s", t->path, t->name);
out:
    return st;
}

/* The range, compared with the file's `held` bytes of items and with shape and type. */
static enum stj_status read_range(const struct tensor *t, size_t begin, size_t held, size_t n_items,
                                  struct stj_error *err)
{
    struct stj_array_place *place = &t->entry->place;
    const json_t *offsets = json_object_get(t->json, "data_offsets");
    size_t first = 0;
    size_t end = 0;
    size_t bytes = 0;
    STJ_NEED(err,
             json_array_size(offsets) == 2 && get_size(json_array_get(offsets, 0), &first) &&
                 get_size(json_array_get(offsets, 1), &end) && first <= end,
             STJ_EFORMAT, "%s:%s: its data_offsets are not [first, end]", t->path, t->name);
    STJ_NEED(err, end <= held, STJ_EFORMAT,
             "%s:%s: its data_offsets [%zu, %zu] lie outside the %zu bytes that follow the header; "
             "the file is cut short or damaged",
             t->path, t->name, first, end, held);
    const bool fits = stj_size_mul(n_items, place->type.size, &bytes, NULL) == STJ_OK;
    STJ_NEED(err, place->type.size == 0 || (fits && bytes == end - first), STJ_EFORMAT,
             "%s:%s: its shape needs %zu bytes, but its data_offsets [%zu, %zu] are %zu apart",
             t->path, t->name, bytes, first, end, end - first);
    place->first = begin + first;
    place->bytes = place->unpacked = end - first;
    return STJ_OK;
}

/* ---- the whole ---- */

static int by_place(const void *a, const void *b)
{
    const struct stj_array_place *const *p = a;
    const struct stj_array_place *const *q = b;
    if ((*p)->first != (*q)->first)
        return (*p)->first < (*q)->first ? -1 : 1;
    return (*p)->bytes < (*q)->bytes ? -1 : (*p)->bytes > (*q)->bytes;
}

/* Do the tensors fill the file from `begin` to `length`, one behind the other? */
static enum stj_status check_cover(const struct stj_array_list *list, size_t begin, size_t length,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_array_place **sorted = NULL;
    size_t at = begin;
    STJ_TRY(stj_new(&sorted, list->n, sizeof(struct stj_array_place *), err));
    for (size_t i = 0; i < list->n; i++)
        sorted[i] = &list->item[i].place;
    if (list->n > 0)
        qsort(sorted, list->n, sizeof *sorted, by_place);
    for (size_t i = 0; i < list->n; i++) {
        STJ_CHECK(
            err, sorted[i]->first == at, STJ_EFORMAT,
            "%s: byte %zu: the data_offsets leave a gap or overlap (the next tensor begins at "
            "%zu)",
            list->path, at, sorted[i]->first);
        at += sorted[i]->bytes;
    }
    STJ_CHECK(err, at == length, STJ_EFORMAT,
              "%s: byte %zu: the tensors end here, but the file has %zu bytes; it is damaged",
              list->path, at, length);
out:
    free(sorted);
    return st;
}

static enum stj_status safetensors_list(struct stj_array_list *list, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    json_t *header = NULL;
    size_t length = 0;
    size_t begin = 0;
    STJ_TRY(stj_file_length(list->path, &length, err));
    STJ_CHECK(err, length >= LENGTH_BYTES, STJ_EFORMAT,
              "%s: the file is cut short: %zu bytes are too few", list->path, length);
    STJ_TRY(read_json_header(list->path, length, &header, &begin, err));
    for (void *at = json_object_iter(header); at; at = json_object_iter_next(header, at)) {
        struct tensor t = {.path = list->path,
                           .name = json_object_iter_key(at),
                           .json = json_object_iter_value(at)};
        size_t n_items = 0;
        if (strcmp(t.name, "__metadata__") == 0)
            continue;
        STJ_TRY(stj_array_list_add(list, t.name, &t.entry, err));
        STJ_TRY(read_type(&t, err));
        STJ_TRY(read_tensor_shape(&t, &n_items, err));
        STJ_TRY(read_range(&t, begin, length - begin, n_items, err));
    }
    STJ_TRY(check_cover(list, begin, length, err));
out:
    json_decref(header);
    return st;
}

extern const struct stj_reader stj_reader_safetensors;
const struct stj_reader stj_reader_safetensors = {
    .info = {.name = "safetensors", .doc = "tensors by name, .safetensors"},
    .accepts = safetensors_accepts,
    .list = safetensors_list,
};
