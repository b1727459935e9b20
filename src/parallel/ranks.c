/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks.c: what the processes of a command say to each other, whatever carries it. */
#include "parallel/ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "parallel/ranks_internal.h"

enum { HOST_BYTES = 65 };

struct stj_ranks stj_ranks = {.size = 1, .n = 1, .per_product = 1};

size_t stj_rank(void)
{
    return stj_ranks.rank;
}

size_t stj_n_ranks(void)
{
    return stj_ranks.size;
}

size_t stj_ranks_per_product(void)
{
    return stj_ranks.per_product;
}

void stj_ranks_apart(void)
{
    stj_ranks.apart = true;
}

void stj_ranks_together(void)
{
    stj_ranks.apart = false;
}

/* Does this rank work by itself? */
static bool by_itself(void)
{
    return stj_ranks.apart || stj_ranks.abandoned;
}

/* Ranks that work with this one, itself included, and its number among them. */
static size_t n_together(void)
{
    return by_itself() ? 1 : stj_ranks.size;
}

static size_t own_place(void)
{
    return by_itself() ? 0 : stj_ranks.rank;
}

size_t stj_group_size(void)
{
    return by_itself() ? 1 : stj_ranks.per_product;
}

size_t stj_n_groups(void)
{
    return n_together() / stj_group_size();
}

size_t stj_group(void)
{
    return own_place() / stj_group_size();
}

size_t stj_group_rank(void)
{
    return own_place() % stj_group_size();
}

bool stj_group_shares(void)
{
    return stj_ranks.shares && !by_itself();
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
    return stj_ranks.division;
}

bool stj_ranks_crowded(void)
{
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    const size_t n = stj_threads();
    return n > stj_processors() ||
           (processors > 0 && n * stj_ranks.on_machine > (size_t)processors);
}

/* ---- all ranks ---- */

void stj_ranks_bcast(void *data, size_t bytes)
{
    stj_ranks_bcast_from(0, data, bytes);
}

void stj_ranks_bcast_from(size_t rank, void *data, size_t bytes)
{
    if (n_together() > 1)
        stj_ranks.transport->bcast(STJ_COMM_WORLD, rank, data, bytes);
}

void stj_ranks_bcast_group(size_t group, size_t n, double *y)
{
    if (stj_n_groups() > 1)
        stj_ranks.transport->bcast(STJ_COMM_ACROSS, group, y, n * sizeof *y);
}

size_t stj_ranks_allreduce_min(size_t mine)
{
    return n_together() > 1 ? stj_ranks.transport->allreduce_min(mine) : mine;
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
    const size_t most = STJ_MOST_RANKS / stj_ranks.size;
    for (size_t done = 0; n_together() > 1 && done < n; done += most) {
        const size_t now = n - done < most ? n - done : most;
        stj_ranks.transport->allgather(now, y + done, all);
        stj_reduce(now, stj_ranks.size, all, now, y + done);
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
    const size_t first = stj_share_begin(n, own_place(), n_together());
    return (struct stj_rows){n, first, stj_share_begin(n, own_place() + 1, n_together()) - first,
                             true};
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
    for (size_t r = 0; r <= stj_ranks.size; r++)
        begin[r] = stj_share_begin(rows->n, r, stj_ranks.size);
    for (size_t j = 0; j < nvec; j++)
        stj_ranks.transport->allgatherv(STJ_COMM_WORLD, begin, sizeof *y, y + j * ld);
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
            (double)(rows.count * sizeof *y * (stj_ranks.size - 1)) / (stj_clock() - start + 1e-9);
        stj_ranks.rate = rate > stj_ranks.rate ? rate : stj_ranks.rate;
    }
    stj_ranks.measured = stj_ranks.size;
out:
    free(y);
}

size_t stj_ranks_measured(double *bytes_per_second)
{
    *bytes_per_second = stj_ranks.rate;
    return stj_ranks.measured;
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
    stj_ranks.abandoned = !stj_ranks.transport->meet(comm, st != STJ_OK, value);
    if (stj_ranks.abandoned)
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
        snprintf(m.text, sizeof m.text, "rank %zu on %.40s: %.900s", stj_ranks.rank, host, text);
    else
        snprintf(m.text, sizeof m.text, "%s", text);
    return m;
}

enum stj_status stj_ranks_agree(enum stj_status st, struct stj_error *err)
{
    const size_t none = 2 * stj_ranks.size; /* who failed, before who heard of it */
    const size_t me = stj_ranks.rank + (is_echo(err) ? stj_ranks.size : 0);
    size_t first = st == STJ_OK ? none : me;
    struct message m = {.code = STJ_OK};
    if (stj_ranks.abandoned && st == STJ_OK) /* somebody took no notice */
        return stj_error_pass(&unheard, err);
    if (n_together() == 1)
        return st;
    meet(st, err, &first, STJ_COMM_WORLD);
    if (first == none || stj_ranks.abandoned)
        return st;
    const bool some_did_not = stj_ranks_allreduce_or(st == STJ_OK);
    if (first == me && st != STJ_OK)
        m = message_of(st, err, !err || (some_did_not && stj_ranks.rank > 0));
    stj_ranks_bcast_from(first % stj_ranks.size, &m, sizeof m);
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
        stj_ranks.transport->bcast(STJ_COMM_GROUP, 0, data, bytes);
}

void stj_group_barrier(void)
{
    if (stj_group_size() > 1)
        stj_ranks.transport->group_barrier();
}

void stj_group_allgatherv(const size_t *begin, size_t item, void *y)
{
    if (stj_group_size() > 1)
        stj_ranks.transport->allgatherv(STJ_COMM_GROUP, begin, item, y);
}

void stj_group_alltoallv(size_t n_parts, const size_t *begin, size_t item, const void *part,
                         size_t ld, void *incoming)
{
    stj_ranks.transport->alltoallv(n_parts, begin, item, part, ld, incoming);
}
