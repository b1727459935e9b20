/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/array_items.c: decoding rows of an array from the bytes of a file.
 *
 * In row-major order rows are a range of the items.  In Fortran order all items pass by, and those
 * of the wanted rows are put where they belong.
 */
#include "data/array_items.h"

#include "base/error.h"
#include "base/memory.h"

enum { CHUNK_ITEMS = 4096 };

void stj_array_cursor_close(struct stj_array_cursor *cursor)
{
    stj_byte_stream_close(cursor->stream);
    *cursor = (struct stj_array_cursor){0};
}

/* Is all there that the entry says?  A plain range was compared with the file's length before. */
static enum stj_status check_content(struct stj_byte_stream *stream, const char *path,
                                     const struct stj_array_entry *entry, struct stj_error *err)
{
    const struct stj_array_place *place = &entry->place;
    const char *name = entry->array.name;
    const char *colon = name[0] ? ":" : "";
    size_t length = 0;
    uint32_t crc = 0;
    if (place->packing == STJ_PACKING_NONE && !place->has_crc)
        return STJ_OK;
    STJ_MUST(stj_byte_stream_measure(stream, place->unpacked, &length, place->has_crc ? &crc : NULL,
                                     err));
    STJ_NEED(err, length == place->unpacked, STJ_EFORMAT,
             "%s%s%s: %zu bytes are announced, %s%zu are there; the file is %s", path, colon, name,
             place->unpacked, length > place->unpacked ? "more than " : "",
             length > place->unpacked ? place->unpacked : length,
             length > place->unpacked ? "damaged" : "cut short");
    STJ_NEED(err, !place->has_crc || crc == place->crc, STJ_EFORMAT,
             "%s%s%s: the checksum of its bytes is %08x, the file says %08x; it is damaged", path,
             colon, name, (unsigned)crc, (unsigned)place->crc);
    return STJ_OK;
}

enum stj_status stj_array_cursor_open(struct stj_array_cursor *cursor, const char *path,
                                      const struct stj_array_entry *entry, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (cursor->stream && cursor->entry == entry)
        goto out;
    stj_array_cursor_close(cursor);
    STJ_TRY(stj_byte_stream_open(path, entry->place.first, entry->place.bytes, entry->place.packing,
                                 &cursor->stream, err));
    STJ_TRY(check_content(cursor->stream, path, entry, err));
    cursor->entry = entry;
out:
    if (st != STJ_OK)
        stj_array_cursor_close(cursor);
    return st;
}

/* Where the items of an array go, in the order in which they pass by. */
struct destination {
    const struct stj_array *array;
    bool fortran_order;
    size_t first, n;                    /* the wanted rows */
    size_t index[STJ_MATRIX_MAX_DIMS];  /* of the next item, in Fortran order */
    size_t stride[STJ_MATRIX_MAX_DIMS]; /* of the values */
    size_t position;                    /* of the next item among all, row-major */
};

static struct destination start_destination(const struct stj_array_entry *entry, size_t first,
                                            size_t n)
{
    struct destination d = {
        .array = &entry->array,
        .fortran_order = entry->place.fortran_order && entry->array.n_dims > 1,
        .first = first,
        .n = n,
    };
    size_t stride = 1;
    for (size_t i = entry->array.n_dims; i-- > 0;) {
        d.stride[i] = stride;
        stride *= entry->array.shape[i];
    }
    d.position = d.fortran_order ? 0 : first * entry->array.cols;
    return d;
}

/* The place of the next item among the wanted values, or SIZE_MAX: in another row.  Step on: to the
 * next position or, in Fortran order, count up the first index and carry to the right. */
static size_t advance_destination(struct destination *d)
{
    const size_t wanted = d->position - d->first * d->array->cols;
    if (!d->fortran_order) { /* only wanted rows pass by */
        d->position++;
        return wanted;
    }
    const size_t row = d->index[0];
    const size_t place = row >= d->first && row - d->first < d->n ? wanted : SIZE_MAX;
    for (size_t i = 0; i < d->array->n_dims; i++) {
        d->position += d->stride[i];
        if (++d->index[i] < d->array->shape[i])
            break;
        d->position -= d->stride[i] * d->index[i];
        d->index[i] = 0;
    }
    return place;
}

static enum stj_status decode(const char *path, const struct stj_array_entry *entry,
                              const unsigned char *bytes, size_t first_item, size_t n,
                              struct destination *to, double *values, struct stj_error *err)
{
    const struct stj_item_type type = entry->place.type;
    for (size_t i = 0; i < n; i++) {
        double value = 0;
        const bool exact = stj_item_decode(type, bytes + i * type.size, &value);
        const size_t place = advance_destination(to);
        if (place == SIZE_MAX)
            continue;
        STJ_NEED(err, exact, STJ_EUNSUPPORTED,
                 "%s%s%s: item %zu is an integer beyond 2^53, which no double holds exactly", path,
                 entry->array.name[0] ? ":" : "", entry->array.name, first_item + i);
        values[place] = value;
    }
    return STJ_OK;
}

enum stj_status stj_array_cursor_read(struct stj_array_cursor *cursor, const char *path,
                                      const struct stj_array_entry *entry, size_t first, size_t n,
                                      double *values, struct stj_error *err)
{
    unsigned char chunk[CHUNK_ITEMS * STJ_ITEM_MAX];
    struct destination to = start_destination(entry, first, n);
    const size_t cols = entry->array.cols;
    size_t item = to.fortran_order ? 0 : first * cols;
    const size_t end = to.fortran_order ? entry->array.rows * cols : (first + n) * cols;
    STJ_MUST(stj_array_cursor_open(cursor, path, entry, err));
    STJ_MUST(stj_byte_stream_seek(cursor->stream, entry->place.skip + item * entry->place.type.size,
                                  err));
    while (item < end) {
        const size_t count = end - item < CHUNK_ITEMS ? end - item : CHUNK_ITEMS;
        STJ_MUST(stj_byte_stream_read(cursor->stream, chunk, count * entry->place.type.size, err));
        STJ_MUST(decode(path, entry, chunk, item, count, &to, values, err));
        item += count;
    }
    return STJ_OK;
}
