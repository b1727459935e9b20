/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/ranks.h: several processes, started by mpirun or srun, that work as one.
 *
 * Every process (a rank) calls the same functions with the same arguments in the same order, and
 * each gets the whole result: vectors are whole on every rank, while the slices of a batch, the
 * columns of a block, the rows of large bases and the trainings of a study are divided among them.
 * Rank 0 alone writes files.  Without MPI, or started by itself, a process is one rank of one, and
 * nothing here does anything.
 *
 * Threads: all functions here, and those that work on several ranks, are called from the thread
 * that called stj_ranks_begin; stj_rank, stj_n_ranks and stj_ranks_per_product from any.
 */
#ifndef SPECTRAJ_RANKS_H
#define SPECTRAJ_RANKS_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Join the other processes that the launcher started.  To be called before any other function of
 * the library, once; it initialises MPI where that was not done.  STJ_EUNSUPPORTED: there are
 * others, and this library was built without MPI.  STJ_EMISMATCH: another rank calculates with
 * another library or BLAS kernel. */
enum stj_status stj_ranks_begin(struct stj_error *err);

/* The number of this process, from 0, and how many there are. */
size_t stj_rank(void);
size_t stj_n_ranks(void); /* see stj_rank */

/* Divide the ranks into groups of `per_product`, each of which makes the products of its share of a
 * block's columns; 0 (the default): each analysis of a run takes as many groups as its blocks have
 * columns for. To be called by all ranks while no operator or training exists.  STJ_EINVAL: it does
 * not divide the number of ranks. */
enum stj_status stj_ranks_divide(size_t per_product, struct stj_error *err);

/* How the ranks are divided. */
size_t stj_ranks_per_product(void);

/* Have all ranks exchange vectors, and see what each sends in a second: what stj_plan_settings_of
 * then says of ranks and messages, also after stj_ranks_leave_others.  8 MiB, a few times; nothing
 * with one rank. */
void stj_ranks_measure(void);

/* From now on this rank is one of one: for what one does while the others wait in
 * stj_ranks_speaks. */
void stj_ranks_leave_others(void);

/* The work is over on this rank, and ended so.  True on one rank only, which is to say how: the
 * first that failed, else rank 0.  A rank that failed does not wait for ever for others that do not
 * know it yet. */
bool stj_ranks_speaks(enum stj_status st);

/* Part; the last call of the process: HDF5 prints no errors after it.  Where a rank failed alone,
 * this ends all of them with `exit_status`. */
void stj_ranks_end(int exit_status);

#ifdef __cplusplus
}
#endif

#endif
