/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/ranks.h: what the processes of a command say to each other (MPI).
 *
 * The flow of control is the same on all ranks: every decision is taken from numbers that all of
 * them have, bit for bit.  Four things are divided, and nothing else:
 *
 *     slices of a batch     over the ranks of a *group*, which make one product together
 *     columns of a block    over the groups
 *     rows of long bases    over all ranks: rank r of P holds rows n r / P .. n (r + 1) / P - 1
 *     trainings of a study, columns of a Hessian  over all ranks, which are apart meanwhile
 *
 * Sums are taken in the order of the ranks, or of the slices, whoever made them: the same bits for
 * the same number of ranks and groups.  What a rank finds out alone (a file, the clock, a signal, a
 * failure) is told to the others before anybody acts on it.  All functions are called by all ranks,
 * or by all of a group, in the same order and outside of parallel regions, but for those that say
 * otherwise; with one rank they do nothing.
 */
#ifndef STJ_PARALLEL_RANKS_H
#define STJ_PARALLEL_RANKS_H

#include <stdint.h>

#include <spectraj/ranks.h>

#include "parallel/parallel.h"
#include "base/real.h"

/* Of n things divided among `of`, number i has stj_share_begin(n, i, of) up to that of i + 1. */
size_t stj_share_begin(size_t n, size_t i, size_t of);

/* ---- all ranks ---- */

/* The rows of a basis that this rank holds: of long vectors its share, of short ones all of them,
 * which takes little memory and no messages, and gives the bits of one rank. */
struct stj_rows {
    size_t n;            /* of the whole */
    size_t first, count; /* this rank's */
    bool divided;        /* among the ranks */
};
struct stj_rows stj_rows_of(size_t n);

/* Do n_ranks ranks divide vectors of n numbers?  From how many on; for tests. */
bool stj_rows_divide(size_t n, size_t n_ranks);
void stj_rows_divide_from(size_t n);

/* y[n] <- the sum of what the ranks got from their rows. */
void stj_rows_allreduce_sum(const struct stj_rows *rows, size_t n, double *y);

/* y[n] <- the sum over all ranks, in their order; n numbers, few. */
void stj_ranks_allreduce_sum(size_t n, double *y);

/* y[rows.n] in nvec columns, ld apart, of which each rank has its rows: complete it. */
void stj_rows_allgatherv(const struct stj_rows *rows, size_t nvec, double *y, size_t ld);

/* data <- that of rank 0, or of another. */
void stj_ranks_bcast(void *data, size_t bytes);
void stj_ranks_bcast_from(size_t rank, void *data, size_t bytes);

/* Is it true on any rank? */
bool stj_ranks_allreduce_or(bool mine);

/* The smallest and the largest of the ranks' values. */
size_t stj_ranks_allreduce_min(size_t mine);
size_t stj_ranks_allreduce_max(size_t mine);

/* Did all succeed?  Else all get the failure of the first that did not, with number and host. */
enum stj_status stj_ranks_agree(enum stj_status st, struct stj_error *err);

/* STJ_EMISMATCH unless all ranks have the same value; `what` is the subject of that sentence. */
enum stj_status stj_ranks_same(uint64_t value, const char *what, struct stj_error *err);

/* What stj_ranks_measure saw: how many there were, 0 before, and bytes a second that each sent. */
size_t stj_ranks_measured(double *bytes_per_second);

/* What stj_ranks_end is to call before this process ends; NULL: nothing.  The last one counts. */
void stj_ranks_at_end(void (*fn)(void));

/* The communicator of all ranks as Fortran knows it; only with MPI. */
int stj_ranks_fortran(void);

/* Between the two each rank works by itself: what else stands here does nothing and may be called
 * by any thread, a group has one rank, and memory is a rank's own.  stj_rank and stj_n_ranks stay.
 * What was made for a group is not used there, and nothing is written. */
void stj_ranks_apart(void);
void stj_ranks_together(void);

/* ---- groups ---- */

/* The groups of n_ranks ranks for blocks of so many columns: as many as all have some for. */
size_t stj_groups_for(size_t n_ranks, size_t n_columns);

/* Divide the ranks for blocks of so many columns, unless the caller of the library did; while no
 * operator or training exists. */
void stj_ranks_divide_for(size_t n_columns);

/* How often they were divided: what was made for a group is of no use after another division. */
size_t stj_ranks_division(void);

size_t stj_n_groups(void);
size_t stj_group(void);      /* this rank's */
size_t stj_group_rank(void); /* its number in it */
size_t stj_group_size(void);

/* y[n] <- that of the ranks of a group: for what one group made and all want. */
void stj_ranks_bcast_group(size_t group, size_t n, double *y);

/* Do the ranks of a group, all on one machine, work in one memory?  Then they are to each other as
 * threads are; else they send messages.  The same for all groups. */
bool stj_group_shares(void);
size_t stj_group_sharers(void); /* how many they are; 1 where each has its own */
bool stj_group_sends(void);     /* are there several, and do they send messages? */

/* Have the ranks of a machine more threads than it has processors? */
bool stj_ranks_crowded(void);

/* Until all ranks of the group are here, and see what the others wrote before. */
void stj_group_barrier(void);

/* The same; did any of them fail?  STJ_EINTERNAL for those that did not themselves. */
enum stj_status stj_group_agree(enum stj_status st, struct stj_error *err);

/* Messages, for groups that do not share memory.  begin[size + 1] are the bounds of the ranks'
 * ranges of n items of `item` bytes.
 *
 *     allgatherv   y[n], of which each has its range: complete it
 *     alltoallv    of n_parts parts of n items each rank made its share (stj_share_begin), this one
 *                  part[own][ld]; incoming[n_parts][length of its range] <- its range of all parts
 */
void stj_group_allgatherv(const size_t *begin, size_t item, void *y);
void stj_group_alltoallv(size_t n_parts, const size_t *begin, size_t item, const void *part,
                         size_t ld, void *incoming);

#endif
