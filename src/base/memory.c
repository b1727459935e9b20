/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/memory.c: allocation with overflow checks; 64-byte alignment suits every vector unit. */
#include "base/system.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/error.h"

enum { ALIGNMENT = 64 };

enum stj_status stj_size_mul(size_t a, size_t b, size_t *product, struct stj_error *err)
{
    STJ_NEED(err, b == 0 || a <= SIZE_MAX / b, STJ_ENOMEM,
             "a size of %zu x %zu does not fit the address space", a, b);
    *product = a * b;
    return STJ_OK;
}

static enum stj_status allocate(void **p, size_t n, size_t size, struct stj_error *err)
{
    size_t bytes = 0;
    *p = NULL;
    STJ_MUST(stj_size_mul(n, size, &bytes, err));
    if (bytes == 0)
        return STJ_OK;
    STJ_NEED(err, bytes <= SIZE_MAX - ALIGNMENT, STJ_ENOMEM,
             "an allocation of %zu bytes does not fit the address space", bytes);
    size_t padded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *p = aligned_alloc(ALIGNMENT, padded);
    STJ_NEED(err, *p, STJ_ENOMEM, "out of memory: %zu bytes were not available", bytes);
    memset(*p, 0, padded);
    return STJ_OK;
}

enum stj_status stj_new(void *pp, size_t n, size_t size, struct stj_error *err)
{
    void *p = NULL;
    enum stj_status st = allocate(&p, n, size, err);
    memcpy(pp, &p, sizeof p);
    return st;
}

enum stj_status stj_resize(void *pp, size_t old_n, size_t n, size_t size, struct stj_error *err)
{
    void *old = NULL;
    void *p = NULL;
    memcpy(&old, pp, sizeof old);
    STJ_MUST(allocate(&p, n, size, err));
    if (old && p)
        memcpy(p, old, (old_n < n ? old_n : n) * size);
    free(old);
    memcpy(pp, &p, sizeof p);
    return STJ_OK;
}

void stj_free_at(void *pp)
{
    void *held;
    memcpy(&held, pp, sizeof held); /* of whatever type the pointer is */
    free(held);
}

enum stj_status stj_strdup(char **copy, const char *text, struct stj_error *err)
{
    size_t bytes = strlen(text) + 1;
    STJ_MUST(stj_new(copy, bytes, 1, err));
    memcpy(*copy, text, bytes);
    return STJ_OK;
}

size_t stj_memory_resident(void)
{
    size_t total = 0;
    size_t resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%zu %zu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    const long bytes = sysconf(_SC_PAGESIZE);
    return resident && bytes > 0 ? resident * (size_t)bytes : stj_memory_peak();
}

size_t stj_memory_peak(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (size_t)usage.ru_maxrss * STJ_MAXRSS_UNIT : 0;
}

static size_t agreed_available; /* 0: what the system says */

void stj_memory_agree(size_t bytes)
{
    agreed_available = bytes;
}

/* What the system says; half of what is installed where it says nothing. */
static size_t machine_available(void)
{
    size_t kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    if (kib)
        return kib * 1024;
    long pages = 0;
#ifdef _SC_PHYS_PAGES /* more than POSIX asks for */
    pages = sysconf(_SC_PHYS_PAGES);
#endif
    const long bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && bytes > 0 ? (size_t)pages / 2 * (size_t)bytes : (size_t)1 << 30;
}

size_t stj_memory_available(void)
{
    if (agreed_available)
        return agreed_available;
    const size_t machine = machine_available();
    const size_t group = stj_cgroup_free("/proc/self/cgroup", "/sys/fs/cgroup");
    const size_t least = group < machine ? group : machine;
    return least ? least : 1; /* 0 has another meaning where it is given */
}
