/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/scratch.h: a folder of its own for each test program, and the files in it. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Unchecked fixtures: make the folder, remove it with everything in it. */
void scratch_begin(void);
void scratch_end(void);

/* "FOLDER/name"; one of a few static buffers that take turns. */
const char *scratch_path(const char *name);

/* Whole files; they abort the test program when the file system fails. */
void scratch_write(const char *name, const void *data, size_t bytes);
void scratch_write_text(const char *name, const char *text);
unsigned char *scratch_read(const char *name, size_t *bytes); /* to be freed */

/* Number of files and folders in the folder `name` ("." for the whole), without . and .. */
size_t scratch_count(const char *name);

/* Remove the content of the folder, or one tree in it. */
void scratch_remove(const char *name);

#endif
