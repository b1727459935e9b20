/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/byte_stream.h: a range of a file as a stream of bytes, as it lies there or unpacked. */
#ifndef STJ_DATA_BYTE_STREAM_H
#define STJ_DATA_BYTE_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

enum stj_packing {
    STJ_PACKING_NONE,
    STJ_PACKING_DEFLATE, /* RFC 1951, as in a zip archive */
    STJ_PACKING_GZIP,    /* RFC 1952; several members are one stream, nothing else may follow */
};

struct stj_byte_stream;

enum { STJ_TO_THE_END = 0 };

/* *stream <- bytes first .. first + bytes - 1 of a file (bytes STJ_TO_THE_END: all from first on).
 * STJ_EFORMAT when the file is shorter than that. */
enum stj_status stj_byte_stream_open(const char *path, size_t first, size_t bytes,
                                     enum stj_packing packing, struct stj_byte_stream **stream,
                                     struct stj_error *err);
/* The whole of a file, unpacked where it begins as gzip does; *packing <- which. */
enum stj_status stj_byte_stream_open_file(const char *path, struct stj_byte_stream **stream,
                                          enum stj_packing *packing, struct stj_error *err);
void stj_byte_stream_close(struct stj_byte_stream *stream); /* NULL is accepted */

/* *got <- how many of n bytes were read: fewer only at the end. */
enum stj_status stj_byte_stream_read_some(struct stj_byte_stream *stream, void *bytes, size_t n,
                                          size_t *got, struct stj_error *err);

/* Exactly n (unpacked) bytes; STJ_EFORMAT when the stream ends before that or is damaged. */
enum stj_status stj_byte_stream_read(struct stj_byte_stream *stream, void *bytes, size_t n,
                                     struct stj_error *err);

/* The next read begins `position` unpacked bytes from the beginning.  Going back in a packed stream
 * unpacks it again. */
enum stj_status stj_byte_stream_seek(struct stj_byte_stream *stream, size_t position,
                                     struct stj_error *err);

/* *length <- all unpacked bytes of the stream, *crc (may be NULL) <- their CRC-32; a packed stream
 * is unpacked for that, without being kept, and no further than `limit` bytes: more of them give
 * limit + 1.  The stream is then at its beginning. */
enum stj_status stj_byte_stream_measure(struct stj_byte_stream *stream, size_t limit,
                                        size_t *length, uint32_t *crc, struct stj_error *err);

/* *bytes <- the length of a regular file. */
enum stj_status stj_file_length(const char *path, size_t *bytes, struct stj_error *err);

#endif
