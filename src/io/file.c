/* SPDX-License-Identifier: GPL-3.0-or-later */
/* io/file.c: files that are whole or absent: temporary name, fsync, rename. */
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks.h"

static const char *find_remedy(const char *verb, int number)
{
    const bool reading = strcmp(verb, "read") == 0;
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return "; free some space or write to another disk";
    case EFBIG:
        return "; raise the limit on the size of files (ulimit -f) or write to another disk";
    case EACCES:
    case EPERM:
    case EROFS:
        return reading ? "; check its permissions"
                       : "; check the permissions or write to another folder";
    case ELOOP:
        return "; remove the symbolic link that has its name, or that of its temporary file (.tmp)";
    default:
        return "";
    }
}

enum stj_status stj_file_failed(const char *path, const char *verb, int number,
                                struct stj_error *err)
{
    return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "%s: cannot be %s: %s%s", path, verb,
                         strerror(number), find_remedy(verb, number));
}

enum stj_status stj_file_temporary(const char *path, char **temporary, struct stj_error *err)
{
    static const char ending[] = ".tmp";
    size_t n = strlen(path);
    *temporary = NULL;
    STJ_MUST(stj_file_check_plain(path, err)); /* renaming would put a file in its place */
    STJ_MUST(stj_new(temporary, n + sizeof ending, 1, err));
    memcpy(*temporary, path, n);
    memcpy(*temporary + n, ending, sizeof ending);
    return STJ_OK;
}

int stj_file_create(const char *temporary)
{
    /* O_NONBLOCK: a pipe that nobody reads is an error, not a reason to wait. */
    return open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                0666);
}

FILE *stj_file_create_stream(const char *temporary)
{
    const int fd = stj_file_create(temporary);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (fd >= 0 && !file) {
        const int number = errno;
        close(fd);
        unlink(temporary);
        errno = number;
    }
    return file;
}

/* fsync what a name stands for; 0 or an errno.  Some file systems cannot sync a folder and say
 * EINVAL: nothing more can be done there. */
static int sync_name(const char *name, int flags)
{
    int number = 0;
    int fd = open(name, flags | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fsync(fd) != 0 && errno != EINVAL)
        number = errno;
    if (close(fd) != 0 && number == 0)
        number = errno;
    return number;
}

static enum stj_status commit_file(const char *temporary, const char *path, struct stj_error *err)
{
    char *folder = NULL;
    enum stj_status st = stj_path_folder(path, &folder, err);
    int number = st == STJ_OK ? sync_name(temporary, O_RDONLY) : 0;
    if (st == STJ_OK && number == 0 && rename(temporary, path) != 0)
        number = errno;
    if (st != STJ_OK || number != 0)
        unlink(temporary);
    else
        number = sync_name(folder, O_RDONLY | O_DIRECTORY);
    if (number != 0)
        st = stj_file_failed(path, "written", number, err);
    free(folder);
    return st;
}

enum stj_status stj_file_commit(const char *temporary, const char *path, struct stj_error *err)
{
    const enum stj_status st = stj_rank() == 0 ? commit_file(temporary, path, err) : STJ_OK;
    return stj_ranks_agree(st, err);
}

void stj_file_remove(const char *path)
{
    if (stj_rank() == 0)
        (void)unlink(path);
}

int stj_file_write_all(int fd, const void *data, size_t bytes)
{
    const char *next = data;
    while (bytes > 0) {
        ssize_t n = write(fd, next, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        next += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int stj_file_read_at(int fd, uint64_t offset, void *data, size_t bytes)
{
    char *next = data;
    while (bytes > 0) {
        const ssize_t n = pread(fd, next, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : EIO;
        next += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

static enum stj_status write_whole_text(const char *path, const char *text, struct stj_error *err)
{
    STJ_FREED char *temporary = NULL;
    STJ_MUST(stj_file_temporary(path, &temporary, err));
    int fd = stj_file_create(temporary);
    int number = fd < 0 ? errno : stj_file_write_all(fd, text, strlen(text));
    if (fd >= 0 && close(fd) != 0 && number == 0)
        number = errno;
    if (number != 0) {
        if (fd >= 0)
            unlink(temporary);
        return stj_file_failed(path, "written", number, err);
    }
    return commit_file(temporary, path, err);
}

enum stj_status stj_file_write_text(const char *path, const char *text, struct stj_error *err)
{
    const enum stj_status st = stj_rank() == 0 ? write_whole_text(path, text, err) : STJ_OK;
    return stj_ranks_agree(st, err);
}

enum stj_status stj_file_read_text(const char *path, size_t limit, char **text,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stat about;
    FILE *file = NULL;
    *text = NULL;
    STJ_TRY(stj_file_check_plain(path, err));
    file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &about) != 0) {
        st = stj_file_failed(path, "read", errno, err);
        goto out;
    }
    STJ_CHECK(err, S_ISREG(about.st_mode), STJ_EIO, "%s: is not a file", path);
    STJ_CHECK(err, (size_t)about.st_size <= limit, STJ_EFORMAT,
              "%s: has %zu bytes, more than the %zu that such a file may have", path,
              (size_t)about.st_size, limit);
    STJ_TRY(stj_new(text, (size_t)about.st_size + 1, 1, err));
    size_t n = fread(*text, 1, (size_t)about.st_size, file);
    if (ferror(file) || n != (size_t)about.st_size)
        st = stj_file_failed(path, "read", ferror(file) ? errno : EIO, err);
out:
    if (file)
        fclose(file);
    if (st != STJ_OK) {
        free(*text);
        *text = NULL;
    }
    return st;
}

enum stj_status stj_file_check_plain(const char *path, struct stj_error *err)
{
    struct stat about;
    if (stat(path, &about) != 0 || S_ISREG(about.st_mode) || S_ISDIR(about.st_mode))
        return STJ_OK;
    return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "%s: is a pipe or a device, not a file",
                         path);
}

bool stj_file_exists(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

size_t stj_file_bytes(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 ? (size_t)about.st_size : 0;
}

enum stj_status stj_path_join(const char *folder, const char *name, char **joined,
                              struct stj_error *err)
{
    size_t n = strlen(folder);
    bool plain = name[0] == '/' || n == 0; /* nothing to put in front */
    bool slash = !plain && folder[n - 1] != '/';
    size_t bytes = (plain ? 0 : n) + (slash ? 1 : 0) + strlen(name) + 1;
    STJ_MUST(stj_new(joined, bytes, 1, err));
    snprintf(*joined, bytes, "%s%s%s", plain ? "" : folder, slash ? "/" : "", name);
    return STJ_OK;
}

enum stj_status stj_path_folder(const char *path, char **folder, struct stj_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return stj_strdup(folder, ".", err);
    size_t n = slash == path ? 1 : (size_t)(slash - path); /* "/name" lies in "/" */
    STJ_MUST(stj_new(folder, n + 1, 1, err));
    memcpy(*folder, path, n);
    return STJ_OK;
}
