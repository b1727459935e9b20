/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/temp_files.c: a folder of its own for a test, gone afterwards. */
#include "temp_files.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { N_PATHS = 16, MAX_PATH = 512 };

static char folder[MAX_PATH / 2];

void temp_setup(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/stj-test-XXXXXX", parent && *parent ? parent : "/tmp");
    ck_assert_msg(mkdtemp(folder) != NULL, "cannot make the folder %s", folder);
}

void temp_teardown(void)
{
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    for (struct dirent *e = readdir(entries); e; e = readdir(entries))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlink(temp_path(e->d_name));
    closedir(entries);
    ck_assert_msg(rmdir(folder) == 0, "cannot remove %s", folder);
}

const char *temp_folder(void)
{
    return folder;
}

const char *temp_path(const char *name)
{
    static char paths[N_PATHS][MAX_PATH];
    static size_t next;
    char *path = paths[next++ % N_PATHS];
    snprintf(path, MAX_PATH, "%s/%s", folder, name);
    return path;
}

const char *temp_write(const char *name, const void *bytes, size_t n)
{
    const char *path = temp_path(name);
    FILE *file = fopen(path, "wb");
    ck_assert_msg(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0, "cannot write %s",
                  path);
    return path;
}

const char *temp_write_text(const char *name, const char *text)
{
    return temp_write(name, text, strlen(text));
}

const char *temp_write_gz_bytes(const char *name, const void *bytes, size_t n)
{
    const char *path = temp_path(name);
    gzFile file = gzopen(path, "wb");
    ck_assert_msg(file && gzwrite(file, bytes, (unsigned)n) == (int)n && gzclose(file) == Z_OK,
                  "cannot write %s", path);
    return path;
}

const char *temp_write_gz(const char *name, const char *text)
{
    return temp_write_gz_bytes(name, text, strlen(text));
}

size_t temp_read(const char *path, void *bytes, size_t n)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file, "cannot open %s", path);
    size_t got = fread(bytes, 1, n, file);
    fclose(file);
    return got;
}
