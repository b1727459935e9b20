/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/temp_files.h: a folder of its own for a test, gone afterwards. */
#ifndef STJ_TESTS_TEMP_FILES_H
#define STJ_TESTS_TEMP_FILES_H

#include <stddef.h>

/* Checked fixture of a test case: tcase_add_checked_fixture(tc, temp_setup, temp_teardown).  The
 * teardown removes the plain files in the folder and the folder. */
void temp_setup(void);
void temp_teardown(void);

const char *temp_folder(void);

/* The absolute path of a name in the folder; valid for the next 15 calls. */
const char *temp_path(const char *name);

/* Write a file; return its path as temp_path does. */
const char *temp_write(const char *name, const void *bytes, size_t n);
const char *temp_write_text(const char *name, const char *text);
const char *temp_write_gz(const char *name, const char *text);
const char *temp_write_gz_bytes(const char *name, const void *bytes, size_t n);

/* The first n bytes of a file, or as many as there are; returns how many. */
size_t temp_read(const char *path, void *bytes, size_t n);

#endif
