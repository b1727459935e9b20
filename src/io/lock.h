/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/lock.h: who may write into a folder: locks of the operating system, gone with their process.
 *
 * Whoever replaces a folder locks the whole of it; whoever writes one file of it locks that
 * part, and parts of different names exclude each other as little as readers, who need no lock.
 * The locks are on bytes of DIR/.lock, which is there only while somebody holds one:
 *
 *     byte 0                    the whole: held alone by its writer, shared by the writers of parts
 *     byte 1 + CRC-32 of NAME   the part of that name, held alone
 *
 * Of several ranks the first has the lock, for all of them.
 *
 * What the file says, a line "NAME PID HOST" for each who came, is for messages only.
 */
#ifndef STJ_IO_LOCK_H
#define STJ_IO_LOCK_H

#include <spectraj/status.h>

#include "base/memory.h"

#define STJ_LOCK_NAME ".lock"

struct stj_lock;
struct stj_progress;

/* *lock <- the lock of the part `name` of a folder, or of the whole (name NULL).  STJ_EEXIST
 * naming process and host while it is held, by whatever process or other lock of this one.  A
 * file system that cannot lock is reported through `progress` (may be NULL), and trusted. */
enum stj_status stj_lock_take(const char *dir, const char *name,
                              const struct stj_progress *progress, struct stj_lock **lock,
                              struct stj_error *err);
void stj_lock_release(struct stj_lock *lock); /* NULL is accepted */
STJ_HOLDS(struct stj_lock, stj_lock_release)

#endif
