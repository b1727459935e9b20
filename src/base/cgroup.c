/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/cgroup.c: what control groups leave of memory.
 *
 * A line of the list is NUMBER:CONTROLLERS:PATH; of version 2 with number 0 and no controllers.  A group is held to its own
 * limit and to those of the groups it lies in, whose folders are the parents of its own.  Within a container
 * the upper part of PATH may not be there: those folders are passed over, and the root is the container's.
 *
 *     free  =  min over the groups of   limit - (usage - pages of files)
 *
 * since pages of files are given up where memory is short, as /proc/meminfo has it.
 */
#include "base/cgroup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What the files are called. */
struct names {
    const char *folder, *limit, *usage, *cache[2]; /* cache: keys of memory.stat */
};
static const struct names version_1 = {"/memory",
                                       "memory.limit_in_bytes",
                                       "memory.usage_in_bytes",
                                       {"total_active_file", "total_inactive_file"}};
static const struct names version_2 = {
    "", "memory.max", "memory.current", {"active_file", "inactive_file"}};

/* *value <- the number in FOLDER/name, behind `key` where there is one; false: there is none ("max", no file). */
static bool read_number(const char *folder, const char *name, const char *key, uint64_t *value)
{
    char path[1024];
    char line[128];
    bool found = false;
    const size_t skip = strlen(key);
    const int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "r") : NULL;
    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, key, skip) == 0 && sscanf(line + skip, "%" SCNu64, value) == 1;
    fclose(file);
    return found;
}

static uint64_t free_in(const char *folder, const struct names *names)
{
    uint64_t limit = 0, usage = 0, active = 0, inactive = 0;
    if (!read_number(folder, names->limit, "", &limit) ||
        !read_number(folder, names->usage, "", &usage))
        return UINT64_MAX;
    (void)read_number(folder, "memory.stat", names->cache[0], &active);
    (void)read_number(folder, "memory.stat", names->cache[1], &inactive);
    const uint64_t files = active + inactive;
    const uint64_t used = usage > files ? usage - files : 0;
    return limit > used ? limit - used : 0;
}

/* The least that the group PATH and those around it leave. */
static uint64_t free_of(const char *root, const char *path, const struct names *names)
{
    char folder[900];
    uint64_t least = UINT64_MAX;
    const size_t top = strlen(root) + strlen(names->folder);
    const int length = snprintf(folder, sizeof folder, "%s%s%s", root, names->folder, path);
    if (length < 0 || (size_t)length >= sizeof folder)
        return least;
    for (;;) {
        const uint64_t here = free_in(folder, names);
        least = here < least ? here : least;
        char *slash = strrchr(folder + top, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Is "memory" among the words of the list? */
static bool has_memory(const char *controllers)
{
    static const char word[] = "memory";
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        const size_t n = strcspn(at, ",");
        if (n == sizeof word - 1 && strncmp(at, word, n) == 0)
            return true;
    }
    return false;
}

size_t stj_cgroup_free(const char *list, const char *root)
{
    char line[800];
    uint64_t least = UINT64_MAX;
    FILE *file = fopen(list, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        const bool second = strcmp(line, "0:") == 0;
        if (!second && !has_memory(controllers + 1))
            continue;
        const uint64_t here = free_of(root, path, second ? &version_2 : &version_1);
        least = here < least ? here : least;
    }
    if (file)
        fclose(file);
    return least < SIZE_MAX ? (size_t)least : SIZE_MAX;
}
