/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/cgroup.h: the limit of memory that Linux holds a group of processes to: of a container, or of a batch job. */
#ifndef STJ_BASE_CGROUP_H
#define STJ_BASE_CGROUP_H

#include <stddef.h>

/* Bytes that this process's groups leave it; SIZE_MAX where nothing limits it.  `list` is the file that names the groups
 * (/proc/self/cgroup), `root` where their files are (/sys/fs/cgroup). */
size_t stj_cgroup_free(const char *list, const char *root);

#endif
