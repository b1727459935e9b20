/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/profile.h: where the time of a product goes, seen from outside of the library.
 *
 * While attached, the tables of operations of a run's problem, optimizer and layers are replaced by
 * ones that delegate to the real ones and time them, and the linker sends the library's calls of
 * stj_gemm through a timed one (-Wl,--wrap).  One profile at a time.
 */
#ifndef STJ_BENCH_PROFILE_H
#define STJ_BENCH_PROFILE_H

#include <stdio.h>
#include <time.h>

#include "make_run.h"

/* Before the operator is made; `run` must not be destroyed before profile_detach. With the clock that
 * tells the time. */
enum stj_status profile_attach(struct small_run *run, clockid_t clock, struct stj_error *err);
void profile_detach(void);

/* All counters <- 0.  Outside parallel regions, as all functions here. */
void profile_reset(void);

/* The counters since the last reset as members of a JSON object, in shares of thread_seconds, which
 * is the time that passed times the threads:
 *
 *     "linearize", "product", "update"   of the primal pass, Hessian products, optimizer
 *     "rest"                             sums of shares, packing, waiting for other threads
 *     "gemm", "gemm_gflops"              of matrix products within "product", and their rate
 *     "nodes"                            of "product": by layer, forward and backward; then the loss;
 *                                        "gbytes": 10^9 bytes a second of tangents, each read or
 *                                        written once, the least that a layer's passes can do */
void profile_print(FILE *file, double thread_seconds);

#endif
