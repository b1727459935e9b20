/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/scratch.c: growing room for large arrays, in memory or in a file without a name. */
#include "base/system.h"

#include "io/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* *fd <- a new file of the folder that has no name (any more). */
static enum stj_status open_nameless(const char *dir, int *fd, struct stj_error *err)
{
    STJ_FREED char *name = NULL;
    size_t size = strlen(dir) + sizeof "/spectraj-XXXXXX";
#ifdef O_TMPFILE
    *fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return STJ_OK;
#endif
    STJ_MUST(stj_new(&name, size, 1, err));
    snprintf(name, size, "%s/spectraj-XXXXXX", dir);
    *fd = mkstemp(name);
    STJ_NEED(err, *fd >= 0, STJ_EIO, "%s: cannot make a scratch file there: %s", dir,
             strerror(errno));
    unlink(name);
    return STJ_OK;
}

static enum stj_status grow_file(struct stj_scratch *s, const char *dir, size_t bytes,
                                 struct stj_error *err)
{
    void *at = MAP_FAILED;
    if (!s->mapped) {
        STJ_MUST(open_nameless(dir, &s->fd, err));
        s->mapped = 1;
    }
    const int code = stj_system_reserve(s->fd, bytes);
    STJ_NEED(err, code == 0, STJ_EIO, "%s: no room for a scratch file of %zu bytes: %s", dir, bytes,
             strerror(code));
    if (s->at)
        munmap(s->at, s->bytes);
    s->at = NULL;
    s->bytes = 0;
    at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
    STJ_NEED(err, at != MAP_FAILED, STJ_ENOMEM, "%s: cannot map a scratch file of %zu bytes: %s",
             dir, bytes, strerror(errno));
    s->at = at;
    s->bytes = bytes;
    return STJ_OK;
}

enum stj_status stj_scratch_grow(struct stj_scratch *s, const char *dir, size_t bytes,
                                 struct stj_error *err)
{
    if (bytes <= s->bytes)
        return STJ_OK;
    if (dir) {
        STJ_MUST(grow_file(s, dir, bytes, err));
    } else {
        STJ_MUST(stj_resize(&s->at, s->bytes, bytes, 1, err));
        s->bytes = bytes;
    }
    return STJ_OK;
}

void stj_scratch_free(struct stj_scratch *s)
{
    if (!s->mapped) {
        free(s->at);
    } else {
        if (s->at)
            munmap(s->at, s->bytes);
        close(s->fd);
    }
    *s = (struct stj_scratch){0};
}

enum stj_status stj_scratch_free_bytes(const char *dir, size_t *bytes, struct stj_error *err)
{
    struct statvfs fs;
    struct stat folder;
    STJ_NEED(err, stat(dir, &folder) == 0 && S_ISDIR(folder.st_mode), STJ_EIO,
             "%s: not a folder that scratch files can lie in", dir);
    STJ_NEED(err, statvfs(dir, &fs) == 0, STJ_EIO, "%s: cannot tell its free space: %s", dir,
             strerror(errno));
    *bytes = (size_t)fs.f_bavail * fs.f_frsize;
    return STJ_OK;
}
