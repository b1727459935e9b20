/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks_division.c: ranks begin, are divided into groups, leave each other and end. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spectraj/progress.h>
#include <spectraj/version.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks_internal.h"

size_t stj_groups_for(size_t n_ranks, size_t n_columns)
{
    size_t n = n_columns < n_ranks ? n_columns : n_ranks;
    while (n > 1 && n_ranks % n != 0)
        n--;
    return n ? n : 1;
}

void stj_ranks_leave_others(void)
{
    stj_ranks.rank = 0;
    stj_ranks.size = stj_ranks.per_product = 1;
    stj_ranks.shares = false;
}

/* Do the ranks of every group lie on one machine, and may they share its memory? */
static bool may_share(void)
{
    const char *wish = getenv("SPECTRAJ_SHARED_MEMORY");
    const bool forbidden = wish && strcmp(wish, "no") == 0;
    const bool scattered = stj_ranks.transport->on_machine(STJ_COMM_GROUP) != stj_ranks.per_product;
    return !stj_ranks_allreduce_or(forbidden || scattered) &&
           !stj_ranks_allreduce_or(!stj_shared_memory_works());
}

static void divide_ranks(size_t per_product)
{
    assert(per_product > 0);
    if (stj_ranks.per_product == per_product)
        return;
    stj_ranks.per_product = per_product;
    stj_ranks.division++;
    stj_ranks.transport->split(stj_group(), stj_group_rank());
    stj_ranks.shares = per_product > 1 && may_share();
}

enum stj_status stj_ranks_divide(size_t per_product, struct stj_error *err)
{
    const size_t size = per_product ? per_product : stj_ranks.size;
    STJ_NEED(err, size <= stj_ranks.size && stj_ranks.size % size == 0, STJ_EINVAL,
             "%zu ranks for a product do not divide the %zu ranks: take a divisor of %zu", size,
             stj_ranks.size, stj_ranks.size);
    stj_ranks.divided = per_product != 0;
    divide_ranks(size);
    return STJ_OK;
}

void stj_ranks_divide_for(size_t n_columns)
{
    if (!stj_ranks.divided)
        divide_ranks(stj_ranks.size / stj_groups_for(stj_ranks.size, n_columns));
}

/* One processor's threads for each rank of a machine, unless somebody said otherwise; the same for
 * all. */
static void choose_threads(void)
{
    const size_t size = stj_ranks.on_machine;
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t mine = stj_threads();
    if (!getenv("OMP_NUM_THREADS") && processors > 0 && mine * size > (size_t)processors)
        mine = (size_t)processors > size ? (size_t)processors / size : 1;
    stj_set_threads(stj_ranks_allreduce_min(mine));
    stj_threads_fixed();
    stj_memory_agree(stj_ranks_allreduce_min(stj_memory_available() / size));
}

/* What decides the bits of a calculation on this rank. */
static uint64_t kind_of_rank(void)
{
    char text[1024] = "";
    (void)stj_runtime_summary(text, sizeof text);
    const uint32_t crc = stj_crc32(0, text, strlen(text));
    return stj_crc32(crc, stj_build_summary(), strlen(stj_build_summary()));
}

enum stj_status stj_ranks_begin(struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_transport *found = NULL;
    st = stj_transport_begin(&found, &stj_ranks.rank, &stj_ranks.size, err);
    if (found)
        stj_ranks.transport = found;
    if (st != STJ_OK || !found)
        goto out;
    stj_ranks.number = stj_ranks.rank;
    stj_ranks.n = stj_ranks.size;
    stj_ranks.per_product = stj_ranks.size == 1; /* else not divided yet */
    stj_ranks.on_machine = stj_ranks.transport->on_machine(STJ_COMM_WORLD);
    choose_threads();
    STJ_TRY(stj_ranks_divide(0, err));
    STJ_TRY(stj_ranks_same(kind_of_rank(), "this rank's build, BLAS kernel or library", err));
out:
    return st;
}

bool stj_ranks_speaks(enum stj_status st)
{
    size_t first = st == STJ_OK ? stj_ranks.n : stj_ranks.number;
    if (stj_ranks.n == 1 || stj_ranks.abandoned)
        return true;
    stj_ranks.abandoned = !stj_ranks.transport->meet(STJ_COMM_LAST, st != STJ_OK, &first);
    return stj_ranks.abandoned || stj_ranks.number == first % stj_ranks.n;
}

static void (*at_end)(void); /* NULL: nothing */

void stj_ranks_at_end(void (*fn)(void))
{
    at_end = fn;
}

void stj_ranks_end(int exit_status)
{
    if (at_end)
        at_end();
    if (stj_ranks.abandoned)
        stj_ranks.transport->abort(exit_status ? exit_status : 1);
    else if (stj_ranks.transport)
        stj_ranks.transport->finalize();
}
