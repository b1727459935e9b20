/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/array_items.h: the values of an array whose items lie in a range of a file. */
#ifndef STJ_DATA_ARRAY_ITEMS_H
#define STJ_DATA_ARRAY_ITEMS_H

#include "data/reader.h"

/* What stays open between one reading of an array and the next; zeroed: nothing. */
struct stj_array_cursor {
    const struct stj_array_entry *entry;
    struct stj_byte_stream *stream;
};

/* Open the array's range, and see that it holds what the entry says: as many bytes, with its
 * checksum. */
enum stj_status stj_array_cursor_open(struct stj_array_cursor *cursor, const char *path,
                                      const struct stj_array_entry *entry, struct stj_error *err);
void stj_array_cursor_close(struct stj_array_cursor *cursor);

/* values <- rows first .. first + n - 1; the cursor is opened, or moved to this array. */
enum stj_status stj_array_cursor_read(struct stj_array_cursor *cursor, const char *path,
                                      const struct stj_array_entry *entry, size_t first, size_t n,
                                      double *values, struct stj_error *err);

#endif
