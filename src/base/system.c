/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/system.c: the environment, blocks of a file, memory with or without a name. */
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef HAVE__NSGETENVIRON
#include <crt_externs.h>

char **stj_system_environment(void)
{
    return *_NSGetEnviron();
}
#else
extern char **environ;

char **stj_system_environment(void)
{
    return environ;
}
#endif

/* Zeros behind its end take blocks on every file system but those that compress. */
static int write_zeros(int fd, size_t bytes)
{
    static const char zeros[1 << 16];
    struct stat file;
    if (fstat(fd, &file) != 0)
        return errno;
    for (off_t at = file.st_size; at < (off_t)bytes;) {
        const off_t left = (off_t)bytes - at;
        const size_t piece = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
        const ssize_t n = pwrite(fd, zeros, piece, at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? n : 0;
    }
    return 0;
}

int stj_system_reserve(int fd, size_t bytes)
{
#ifdef HAVE_POSIX_FALLOCATE
    const int code = posix_fallocate(fd, 0, (off_t)bytes);
    if (code != EINVAL && code != EOPNOTSUPP) /* which ZFS answers */
        return code;
#endif
    return write_zeros(fd, bytes);
}

#ifdef HAVE_MEMFD_CREATE

/* A file without a name, which others find among the open files of its maker. */
int stj_system_share(size_t bytes, long *number, int *fd)
{
    *fd = memfd_create("spectraj", MFD_CLOEXEC);
    *number = *fd;
    return *fd < 0 ? errno : stj_system_reserve(*fd, bytes);
}

int stj_system_shared(long pid, long number, int *fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%ld", pid, number);
    *fd = open(path, O_RDWR | O_CLOEXEC);
    return *fd < 0 ? errno : 0;
}

void stj_system_forget(long number)
{
    (void)number;
}

#else

enum { NAME_BYTES = 32 }; /* macOS takes 31 characters */

static void name_of(long pid, long number, char *name)
{
    snprintf(name, NAME_BYTES, "/spectraj-%.10ld-%.8ld", pid, number);
}

int stj_system_share(size_t bytes, long *number, int *fd)
{
    static atomic_long made;
    char name[NAME_BYTES];
    *number = atomic_fetch_add(&made, 1);
    name_of((long)getpid(), *number, name);
    (void)shm_unlink(name); /* of a process that had this number before */
    *fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (*fd < 0)
        return errno;
    const int code = stj_system_reserve(*fd, bytes); /* macOS cannot, and has the size alone */
    return code == 0 || code == ENOSPC ? code : ftruncate(*fd, (off_t)bytes) == 0 ? 0 : errno;
}

int stj_system_shared(long pid, long number, int *fd)
{
    char name[NAME_BYTES];
    name_of(pid, number, name);
    *fd = shm_open(name, O_RDWR, 0600);
    return *fd < 0 ? errno : 0;
}

void stj_system_forget(long number)
{
    char name[NAME_BYTES];
    name_of((long)getpid(), number, name);
    (void)shm_unlink(name);
}

#endif
