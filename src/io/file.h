/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/file.h: files that are whole or absent.
 *
 * Of several ranks the first writes: what commits, writes or removes a file is called by all,
 * and tells all how it went.
 */
#ifndef STJ_IO_FILE_H
#define STJ_IO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <spectraj/status.h>

/* *temporary <- a name in the folder of `path` for its content while it is written (owned by the
 * caller).  The same path gives the same name, so that what a killed process left is replaced.
 * A pipe or a device is refused, since a file would take its place. */
enum stj_status stj_file_temporary(const char *path, char **temporary, struct stj_error *err);

/* Create or empty the temporary file and open it for writing; -1 with errno.  What has its name
 * and is a link or a pipe, which a stranger may have left there, is not followed. */
int stj_file_create(const char *temporary);

/* The same as a stream; NULL with errno. */
FILE *stj_file_create_stream(const char *temporary);

/* Make what was written to `temporary` durable and give it the name `path`: fsync, rename, fsync of
 * the folder.  On failure the temporary file is removed. */
enum stj_status stj_file_commit(const char *temporary, const char *path, struct stj_error *err);

/* Write a whole text file that way. */
enum stj_status stj_file_write_text(const char *path, const char *text, struct stj_error *err);

/* Remove a file; one that is not there, or cannot be removed, is as good. */
void stj_file_remove(const char *path);

/* *text <- the content of a file of at most `limit` bytes (owned by the caller). */
enum stj_status stj_file_read_text(const char *path, size_t limit, char **text,
                                   struct stj_error *err);

/* Is something there?  What may not be looked at is: who opens it then hears why not. */
bool stj_file_exists(const char *path);

/* Refuse what is there and is neither a file nor a folder: a pipe may be waited for, a device
 * read, without end. */
enum stj_status stj_file_check_plain(const char *path, struct stj_error *err);

/* Its size; 0 for a file that is not there. */
size_t stj_file_bytes(const char *path);

/* STJ_EIO for a system call that failed with errno `number`: "PATH: cannot be VERB: reason",
 * with the remedy where there is one (a full disk). */
enum stj_status stj_file_failed(const char *path, const char *verb, int number,
                                struct stj_error *err);

/* Write all bytes to a file descriptor; returns 0 or an errno. */
int stj_file_write_all(int fd, const void *data, size_t bytes);

/* Read all bytes from an offset on; returns 0 or an errno (EIO: the file ends before). */
int stj_file_read_at(int fd, uint64_t offset, void *data, size_t bytes);

/* *joined <- "folder/name" (owned by the caller); an absolute name stays as it is. */
enum stj_status stj_path_join(const char *folder, const char *name, char **joined,
                              struct stj_error *err);

/* *folder <- everything before the last slash of path, or "." (owned by the caller). */
enum stj_status stj_path_folder(const char *path, char **folder, struct stj_error *err);

#endif
