/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/log.h: the append-only record log: what long work has finished, safe at every moment.
 *
 *     file     header frame, then record frames
 *     frame    u32 magic | u32 tag | u64 bytes | u32 CRC-32 of (tag, bytes, payload) | payload
 *
 * `bytes` is the size of the payload.  All little-endian.  A frame that is torn or damaged ends
 * the log: it and all that follows are dropped when the log is opened.  Records are written as
 * they come, and synced about once a second (on a slow disk more rarely) and at the end, so a
 * crash of the process loses nothing and one of the machine about a second.
 *
 * Of several ranks the first has the file.  All call the same functions in the same order; what
 * is read, all get.
 */
#ifndef STJ_IO_LOG_H
#define STJ_IO_LOG_H

#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

struct stj_log;

/* *log <- the log at path.  One that was begun with the same header text is continued, with its
 * whole records; any other content is replaced by an empty log with this header.  Whoever opens
 * it has the lock (io/lock.h) that keeps others away. */
enum stj_status stj_log_open(const char *path, const char *header, struct stj_log **log,
                             struct stj_error *err);
void stj_log_close(struct stj_log *log); /* NULL is accepted; syncs */

/* *header <- the header text of the log at path (owned by the caller); NULL when there is no
 * file or no whole header in it. */
enum stj_status stj_log_read_header(const char *path, char **header, struct stj_error *err);

size_t stj_log_n_records(const struct stj_log *log);

/* Tag and size of record i. */
uint32_t stj_log_tag(const struct stj_log *log, size_t i);
size_t stj_log_bytes(const struct stj_log *log, size_t i);

/* Bytes first .. first + n - 1 of the payload of record i; the whole was checked when the log was
 * opened or written. */
enum stj_status stj_log_read(struct stj_log *log, size_t i, size_t first, size_t n, void *bytes,
                             struct stj_error *err);

/* A piece of a payload. */
struct stj_log_piece {
    const void *data;
    size_t bytes;
};

/* Append a record made of pieces.  On failure (a full disk) the log is as before. */
enum stj_status stj_log_append(struct stj_log *log, uint32_t tag, const struct stj_log_piece *piece,
                               size_t n_pieces, struct stj_error *err);

/* Drop records n, n + 1, ... */
enum stj_status stj_log_truncate(struct stj_log *log, size_t n, struct stj_error *err);

#endif
