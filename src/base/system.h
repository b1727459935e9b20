/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/system.h: what Unix systems have each in its own way, or not at all.
 *
 * Included first by a file that uses an extension of POSIX.  configure says which there are
 * (HAVE_...), and each has a portable way beside it; with STJ_PORTABLE all count as absent and
 * nothing but POSIX is seen, by which tests/portable.sh keeps that way alive.
 */
#ifndef STJ_BASE_SYSTEM_H
#define STJ_BASE_SYSTEM_H

#include <config.h>

#ifdef STJ_PORTABLE
#undef HAVE__NSGETENVIRON
#undef HAVE_DLADDR
#undef HAVE_MEMFD_CREATE
#undef HAVE_PIPE2
#undef HAVE_POSIX_FADVISE
#undef HAVE_POSIX_FALLOCATE
#undef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCHDIR_NP
#undef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
#undef HAVE_OPENBLAS
#undef HAVE_BLIS
#undef HAVE_MKL
#else
#define _GNU_SOURCE        /* glibc, musl */
#define _DARWIN_C_SOURCE 1 /* macOS */
#ifndef __linux__
#undef _POSIX_C_SOURCE /* the BSDs show their extensions where nothing is asked for */
#endif
#endif

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The environment, which a shared library does not find under its name everywhere. */
char **stj_system_environment(void);

/* Blocks of the disk for the first `bytes` of a file, whose content stays: a write to a mapping
 * that the disk has no room for would be a signal.  0 or an errno. */
int stj_system_reserve(int fd, size_t bytes);

/* Memory that processes can map: *fd <- a new one, with room for so many bytes, -1 with an errno.
 * Others of this machine and user find it by (pid, number), until its maker forgets the name. */
int stj_system_share(size_t bytes, long *number, int *fd);
int stj_system_shared(long pid, long number, int *fd);
void stj_system_forget(long number);

#endif
