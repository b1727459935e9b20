/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/scratch.h: growing room for large arrays, in memory or in a file without a name.
 *
 * With a folder, the room is a file there, mapped: what does not fit the memory is written out
 * by the system and read back as it is used.  The file has no name, so nothing is left behind
 * however the process ends.
 */
#ifndef STJ_IO_SCRATCH_H
#define STJ_IO_SCRATCH_H

#include <stddef.h>

#include <spectraj/status.h>

struct stj_scratch {
    void *at; /* NULL: empty */
    size_t bytes;
    int fd; /* of the file, or negative; zeroed is empty */
    int mapped;
};

/* Room for at least `bytes` bytes, keeping what is there; new bytes are zero.  dir NULL: in
 * memory.  A full disk is an error here, never a signal later. */
enum stj_status stj_scratch_grow(struct stj_scratch *s, const char *dir, size_t bytes,
                                 struct stj_error *err);
void stj_scratch_free(struct stj_scratch *s);

/* *bytes <- what the file system of the folder has free. */
enum stj_status stj_scratch_free_bytes(const char *dir, size_t *bytes, struct stj_error *err);

#endif
