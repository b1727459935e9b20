/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/scratch.c: a folder of its own for each test program, and the files in it. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include "scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[512];

static void demand(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        abort();
    }
}

void scratch_begin(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/spectraj-test-XXXXXX", base && base[0] ? base : "/tmp");
    demand(mkdtemp(folder) != NULL, folder);
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *at)
{
    (void)about, (void)type, (void)at;
    return remove(path);
}

void scratch_remove(const char *name)
{
    nftw(scratch_path(name), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_end(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *name)
{
    enum { TURNS = 8, SIZE = 1024 };
    static char path[TURNS][SIZE];
    static int turn;
    turn = (turn + 1) % TURNS;
    snprintf(path[turn], SIZE, "%s/%s", folder, name);
    return path[turn];
}

void scratch_write(const char *name, const void *data, size_t bytes)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");
    demand(file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0, path);
}

void scratch_write_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

unsigned char *scratch_read(const char *name, size_t *bytes)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "rb");
    demand(file && fseek(file, 0, SEEK_END) == 0, path);
    *bytes = (size_t)ftell(file);
    rewind(file);
    unsigned char *data = calloc(*bytes + 1, 1);
    demand(data && fread(data, 1, *bytes, file) == *bytes, path);
    fclose(file);
    return data;
}

size_t scratch_count(const char *name)
{
    const char *path = scratch_path(name);
    DIR *entries = opendir(path);
    size_t n = 0;
    demand(entries != NULL, path);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return n;
}
