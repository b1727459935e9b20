/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/shared_memory.c: memory of a group.
 *
 * What the ranks of a group share is not a window of MPI: a window is given back by all together,
 * and a rank that fails alone could not give it back and go.  It is a file without a name where the
 * system has such: no process that dies leaves one behind, and a small /dev/shm, as containers have,
 * does not limit it.  Its blocks are taken when it is made, so that too much is an error and not a
 * signal.
 */
#include "base/system.h"

#include "parallel/shared_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks_internal.h"

/* *fd <- a new piece of memory, all of it there. */
static enum stj_status make_shared(size_t bytes, long *number, int *fd, struct stj_error *err)
{
    const int code = stj_system_share(bytes, number, fd);
    STJ_NEED(err, code == 0, STJ_ENOMEM,
             "%zu bytes of shared memory are not to be had: %s; give the ranks of a machine less "
             "(--memory), or a product to fewer of them (--ranks-per-product)",
             bytes, strerror(code));
    return STJ_OK;
}

/* *fd <- the descriptor of another process of this user and machine. */
static enum stj_status open_shared(const long *where, int *fd, struct stj_error *err)
{
    STJ_NEED(err, where[1] >= 0, STJ_ENOMEM,
             "the shared memory of the product's ranks could not be made");
    const int code = stj_system_shared(where[0], where[1], fd);
    STJ_NEED(err, code == 0, STJ_EIO, "the shared memory of process %ld cannot be opened: %s",
             where[0], strerror(code));
    return STJ_OK;
}

/* The same for all of a group: its first rank makes it, the others find it among that one's open
 * files. */
static enum stj_status arena_map(struct stj_arena *arena, size_t bytes, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const bool first = stj_group_rank() == 0;
    long where[2] = {(long)getpid(), -1};
    int fd = -1;
    if (first)
        st = make_shared(bytes, &where[1], &fd, err);
    if (st != STJ_OK)
        where[1] = -1;
    stj_group_bcast(where, sizeof where);
    if (!first)
        st = open_shared(where, &fd, err);
    void *p =
        st == STJ_OK ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (st == STJ_OK && p == MAP_FAILED)
        st = stj_error_set(err, STJ_ENOMEM, __FILE__, __LINE__,
                           "cannot map %zu bytes of shared memory: %s", bytes, strerror(errno));
    stj_group_barrier();
    if (first)
        stj_system_forget(where[1]);
    if (fd >= 0)
        close(fd);
    if (st == STJ_OK)
        *arena = (struct stj_arena){.at = p, .bytes = bytes, .mapped = true};
    return st;
}

enum stj_status stj_arena_grow(struct stj_arena *arena, size_t bytes, struct stj_error *err)
{
    if (bytes <= arena->bytes)
        return STJ_OK;
    stj_arena_free(arena);
    if (stj_group_shares()) {
        STJ_MUST(arena_map(arena, bytes, err));
        return STJ_OK;
    }
    STJ_MUST(stj_new(&arena->at, bytes, 1, err));
    arena->bytes = bytes;
    return STJ_OK;
}

enum stj_status stj_arena_reals(struct stj_arena *arena, size_t n, size_t size,
                                struct stj_error *err)
{
    size_t wanted = 0;
    STJ_MUST(stj_size_mul(n, size, &wanted, err));
    STJ_MUST(stj_size_mul(wanted, sizeof(real), &wanted, err));
    return stj_arena_grow(arena, wanted, err);
}

void stj_arena_free(struct stj_arena *arena)
{
    if (arena->mapped)
        munmap(arena->at, arena->bytes);
    else
        free(arena->at);
    *arena = (struct stj_arena){.at = NULL};
}

bool stj_shared_memory_works(void)
{
    struct stj_arena trial = {.at = NULL};
    uint64_t mark = (uint64_t)getpid() ^ (uint64_t)(stj_clock() * 1e9);
    stj_group_bcast(&mark, sizeof mark);
    bool found = arena_map(&trial, sizeof mark, NULL) == STJ_OK;
    if (found && stj_group_rank() == 0)
        memcpy(trial.at, &mark, sizeof mark);
    stj_group_barrier();
    found = found && memcmp(trial.at, &mark, sizeof mark) == 0;
    stj_arena_free(&trial);
    return found;
}
