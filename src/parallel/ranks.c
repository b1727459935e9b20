/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks.c: what the processes of a command say to each other, whatever carries it. */
#include "parallel/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spectraj/progress.h>
#include <spectraj/version.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks_internal.h"

enum { HOST_BYTES = 65 };

static struct {
    size_t rank, size;  /* of all */
    size_t number, n;   /* the same, also after this one left the others */
    size_t per_product; /* ranks of a group */
    bool shares;        /* groups work in one memory */
    size_t on_machine;  /* ranks of this one's machine */
    bool divided;       /* by the caller */
    bool apart;         /* each works by itself */
    bool abandoned;     /* the others do not come */
    size_t division;    /* which one it is */
    size_t measured;    /* ranks whose messages were timed, */
    double rate;        /* and bytes a second of each */
} ranks = {.size = 1, .n = 1, .per_product = 1};

static const struct stj_transport *transport; /* with more than one rank */

size_t stj_rank(void)
{
    return ranks.rank;
}

size_t stj_n_ranks(void)
{
    return ranks.size;
}

size_t stj_ranks_per_product(void)
{
    return ranks.per_product;
}

void stj_ranks_apart(void)
{
    ranks.apart = true;
}

void stj_ranks_together(void)
{
    ranks.apart = false;
}

/* Does this rank work by itself? */
static bool by_itself(void)
{
    return ranks.apart || ranks.abandoned;
}

/* Ranks that work with this one, itself included, and its number among them. */
static size_t n_together(void)
{
    return by_itself() ? 1 : ranks.size;
}

static size_t place(void)
{
    return by_itself() ? 0 : ranks.rank;
}

size_t stj_group_size(void)
{
    return by_itself() ? 1 : ranks.per_product;
}

size_t stj_n_groups(void)
{
    return n_together() / stj_group_size();
}

size_t stj_group(void)
{
    return place() / stj_group_size();
}

size_t stj_group_rank(void)
{
    return place() % stj_group_size();
}

bool stj_group_shares(void)
{
    return ranks.shares && !by_itself();
}

size_t stj_group_sharers(void)
{
    return stj_group_shares() ? stj_group_size() : 1;
}

bool stj_group_sends(void)
{
    return stj_group_size() > 1 && !stj_group_shares();
}

size_t stj_ranks_division(void)
{
    return ranks.division;
}

bool stj_ranks_crowded(void)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors > 0 && stj_threads() * ranks.on_machine > (size_t)processors;
}

void stj_ranks_leave_others(void)
{
    ranks.rank = 0;
    ranks.size = ranks.per_product = 1;
    ranks.shares = false;
}

/* ---- all ranks ---- */

void stj_ranks_bcast(void *data, size_t bytes)
{
    stj_ranks_bcast_from(0, data, bytes);
}

void stj_ranks_bcast_from(size_t rank, void *data, size_t bytes)
{
    if (n_together() > 1)
        transport->bcast(STJ_COMM_WORLD, rank, data, bytes);
}

void stj_ranks_bcast_group(size_t group, size_t n, double *y)
{
    if (stj_n_groups() > 1)
        transport->bcast(STJ_COMM_ACROSS, group, y, n * sizeof *y);
}

size_t stj_ranks_allreduce_min(size_t mine)
{
    return n_together() > 1 ? transport->allreduce_min(mine) : mine;
}

size_t stj_ranks_allreduce_max(size_t mine)
{
    return SIZE_MAX - stj_ranks_allreduce_min(SIZE_MAX - mine);
}

bool stj_ranks_allreduce_or(bool mine)
{
    return stj_ranks_allreduce_min(!mine) == 0;
}

void stj_ranks_allreduce_sum(size_t n, double *y)
{
    double all[STJ_MOST_RANKS];
    const size_t most = STJ_MOST_RANKS / ranks.size;
    for (size_t done = 0; n_together() > 1 && done < n; done += most) {
        const size_t now = n - done < most ? n - done : most;
        transport->allgather(now, y + done, all);
        stj_reduce(now, ranks.size, all, now, y + done);
    }
}

/* ---- rows ---- */

size_t stj_share_begin(size_t n, size_t i, size_t of)
{
    return n / of * i + n % of * i / of;
}

/* 400 vectors of so many numbers are 52 MB. */
static size_t divided_from = (size_t)1 << 14;

void stj_rows_divide_from(size_t n)
{
    divided_from = n;
}

bool stj_rows_divide(size_t n, size_t n_ranks)
{
    return n_ranks > 1 && n >= divided_from;
}

struct stj_rows stj_rows_of(size_t n)
{
    if (!stj_rows_divide(n, n_together()))
        return (struct stj_rows){n, 0, n, false};
    const size_t first = stj_share_begin(n, place(), n_together());
    return (struct stj_rows){n, first, stj_share_begin(n, place() + 1, n_together()) - first, true};
}

void stj_rows_allreduce_sum(const struct stj_rows *rows, size_t n, double *y)
{
    if (rows->divided)
        stj_ranks_allreduce_sum(n, y);
}

void stj_rows_allgatherv(const struct stj_rows *rows, size_t nvec, double *y, size_t ld)
{
    static size_t begin[STJ_MOST_RANKS + 1];
    if (!rows->divided)
        return;
    for (size_t r = 0; r <= ranks.size; r++)
        begin[r] = stj_share_begin(rows->n, r, ranks.size);
    for (size_t j = 0; j < nvec; j++)
        transport->allgatherv(STJ_COMM_WORLD, begin, sizeof *y, y + j * ld);
}

/* ---- what messages cost ---- */

void stj_ranks_measure(void)
{
    enum { N = 1 << 20, TIMES = 4 };
    const struct stj_rows rows = stj_rows_of(N);
    double *y = NULL;
    if (!rows.divided || stj_ranks_allreduce_or(stj_new(&y, N, sizeof *y, NULL) != STJ_OK))
        goto out;
    for (int i = 0; i < TIMES; i++) { /* the first one connects */
        const double start = stj_clock();
        stj_rows_allgatherv(&rows, 1, y, N);
        const double rate =
            (double)(rows.count * sizeof *y * (ranks.size - 1)) / (stj_clock() - start + 1e-9);
        ranks.rate = rate > ranks.rate ? rate : ranks.rate;
    }
    ranks.measured = ranks.size;
out:
    free(y);
}

size_t stj_ranks_measured(double *bytes_per_second)
{
    *bytes_per_second = ranks.rate;
    return ranks.measured;
}

/* ---- failures ---- */

struct message {
    int code, line;
    char text[STJ_ERROR_TEXT_MAX];
};

static const char echo[] = "another rank of the product failed";

static bool is_echo(const struct stj_error *err)
{
    return err && strcmp(err->text, echo) == 0;
}

/* How this rank failed when nobody came to hear of it. */
static struct stj_error unheard = STJ_ERROR_INIT;

/* *value <- the least of the ranks' of comm, unless they do not come. */
static void meet(enum stj_status st, const struct stj_error *err, size_t *value, enum stj_comm comm)
{
    ranks.abandoned = !transport->meet(comm, st != STJ_OK, value);
    if (ranks.abandoned)
        stj_error_set(&unheard, st, __FILE__, __LINE__, "%s",
                      err ? err->text : stj_status_text(st));
}

enum stj_status stj_group_agree(enum stj_status st, struct stj_error *err)
{
    size_t fine = st == STJ_OK;
    if (stj_group_size() == 1)
        return st;
    meet(st, err, &fine, STJ_COMM_GROUP);
    return st == STJ_OK && !fine ? stj_error_set(err, STJ_EINTERNAL, __FILE__, __LINE__, echo) : st;
}

/* The failure of this rank, as all are to hear of it; alone: with its number and host. */
static struct message message_of(enum stj_status st, const struct stj_error *err, bool alone)
{
    const char *text = err ? err->text : stj_status_text(st);
    struct message m = {.code = (int)st, .line = err ? err->line : 0};
    char host[HOST_BYTES] = "";
    (void)gethostname(host, sizeof host - 1);
    if (alone)
        snprintf(m.text, sizeof m.text, "rank %zu on %.40s: %.900s", ranks.rank, host, text);
    else
        snprintf(m.text, sizeof m.text, "%s", text);
    return m;
}

enum stj_status stj_ranks_agree(enum stj_status st, struct stj_error *err)
{
    const size_t none = 2 * ranks.size; /* who failed, before who heard of it */
    const size_t me = ranks.rank + (is_echo(err) ? ranks.size : 0);
    size_t first = st == STJ_OK ? none : me;
    struct message m = {.code = STJ_OK};
    if (ranks.abandoned && st == STJ_OK) /* somebody took no notice */
        return stj_error_set(err, unheard.code, unheard.file, unheard.line, "%s", unheard.text);
    if (n_together() == 1)
        return st;
    meet(st, err, &first, STJ_COMM_WORLD);
    if (first == none || ranks.abandoned)
        return st;
    const bool some_did_not = stj_ranks_allreduce_or(st == STJ_OK);
    if (first == me && st != STJ_OK)
        m = message_of(st, err, !err || (some_did_not && ranks.rank > 0));
    stj_ranks_bcast_from(first % ranks.size, &m, sizeof m);
    if (err) {
        *err = (struct stj_error)STJ_ERROR_INIT;
        stj_error_set(err, (enum stj_status)m.code, __FILE__, m.line, "%s", m.text);
    }
    return (enum stj_status)m.code;
}

enum stj_status stj_ranks_same(uint64_t value, const char *what, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    unsigned long long first = value;
    stj_ranks_bcast(&first, sizeof first);
    if (first != value)
        st = stj_error_set(err, STJ_EMISMATCH, __FILE__, __LINE__,
                           "%s is not the same as on rank 0: all ranks must see the same files and "
                           "run the same program with the same libraries on the same kind of "
                           "processor",
                           what);
    return stj_ranks_agree(st, err);
}

/* ---- groups ---- */

void stj_group_bcast(void *data, size_t bytes)
{
    if (stj_group_size() > 1)
        transport->bcast(STJ_COMM_GROUP, 0, data, bytes);
}

void stj_group_barrier(void)
{
    if (stj_group_size() > 1)
        transport->group_barrier();
}

void stj_group_allgatherv(const size_t *begin, size_t item, void *y)
{
    if (stj_group_size() > 1)
        transport->allgatherv(STJ_COMM_GROUP, begin, item, y);
}

void stj_group_alltoallv(size_t n_parts, const size_t *begin, size_t item, const void *part,
                         size_t ld, void *incoming)
{
    transport->alltoallv(n_parts, begin, item, part, ld, incoming);
}

size_t stj_groups_for(size_t n_ranks, size_t n_columns)
{
    size_t n = n_columns < n_ranks ? n_columns : n_ranks;
    while (n > 1 && n_ranks % n != 0)
        n--;
    return n ? n : 1;
}

/* Do the ranks of every group lie on one machine, and may they share its memory? */
static bool may_share(void)
{
    const char *wish = getenv("SPECTRAJ_SHARED_MEMORY");
    const bool forbidden = wish && strcmp(wish, "no") == 0;
    const bool scattered = transport->on_machine(STJ_COMM_GROUP) != ranks.per_product;
    return !stj_ranks_allreduce_or(forbidden || scattered) &&
           !stj_ranks_allreduce_or(!stj_shared_memory_works());
}

static void divide_ranks(size_t per_product)
{
    if (ranks.per_product == per_product)
        return;
    ranks.per_product = per_product;
    ranks.division++;
    transport->split(stj_group(), stj_group_rank());
    ranks.shares = per_product > 1 && may_share();
}

enum stj_status stj_ranks_divide(size_t per_product, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const size_t size = per_product ? per_product : ranks.size;
    STJ_CHECK(err, size <= ranks.size && ranks.size % size == 0, STJ_EINVAL,
              "%zu ranks for a product do not divide the %zu ranks: take a divisor of %zu", size,
              ranks.size, ranks.size);
    ranks.divided = per_product != 0;
    divide_ranks(size);
out:
    return st;
}

void stj_ranks_divide_for(size_t n_columns)
{
    if (!ranks.divided)
        divide_ranks(ranks.size / stj_groups_for(ranks.size, n_columns));
}

/* ---- begin and end ---- */

/* One processor's threads for each rank of a machine, unless somebody said otherwise; the same for all. */
static void choose_threads(void)
{
    const size_t size = ranks.on_machine;
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
    st = stj_transport_begin(&found, &ranks.rank, &ranks.size, err);
    transport = found ? found : transport;
    if (st != STJ_OK || !found)
        goto out;
    ranks.number = ranks.rank;
    ranks.n = ranks.size;
    ranks.per_product = ranks.size == 1; /* else not divided yet */
    ranks.on_machine = transport->on_machine(STJ_COMM_WORLD);
    choose_threads();
    STJ_TRY(stj_ranks_divide(0, err));
    STJ_TRY(stj_ranks_same(kind_of_rank(), "this rank's build, BLAS kernel or library", err));
out:
    return st;
}

bool stj_ranks_speaks(enum stj_status st)
{
    size_t first = st == STJ_OK ? ranks.n : ranks.number;
    if (ranks.n == 1 || ranks.abandoned)
        return true;
    ranks.abandoned = !transport->meet(STJ_COMM_LAST, st != STJ_OK, &first);
    return ranks.abandoned || ranks.number == first % ranks.n;
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
    if (ranks.abandoned)
        transport->abort(exit_status ? exit_status : 1);
    else if (transport)
        transport->finalize();
}
