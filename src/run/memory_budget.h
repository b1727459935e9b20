/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/memory_budget.h: how much of a process's memory states and linearisations may have. */
#ifndef STJ_RUN_MEMORY_BUDGET_H
#define STJ_RUN_MEMORY_BUDGET_H

#include <spectraj/run.h>

#include "spectrum/cost_model.h"

/* The largest of a solver's phases for the part, in bytes; *work <- the engine's
 * work space in it. */
size_t stj_run_phase_bytes(const struct stj_run *run, const struct stj_run_part *part,
                           const struct stj_prediction *prediction, size_t *work);

/* *engine <- what is left for states and linearisations of the window when the whole process is to
 * stay within memory_bytes (not 0) while a solver takes what is predicted.  False, and nothing set:
 * too little for that. */
bool stj_run_fit(const struct stj_run *run, const struct stj_run_part *part, size_t memory_bytes,
                 const struct stj_prediction *prediction, size_t *engine);

/* What memory_bytes (not 0) leave for states, linearisations and more vectors beside what is
 * predicted, as stj_run_check_limit counts: a limit below the process is one of these alone, and
 * one that it just keeps leaves nothing. */
size_t stj_run_room(const struct stj_run *run, const struct stj_run_part *part, size_t memory_bytes,
                    const struct stj_prediction *prediction);

/* What stj_run_fit sets, and all of memory_bytes where the process cannot stay within them; for 0
 * what is left of the free memory where that is less than the default, else 0. */
size_t stj_run_engine_bytes(const struct stj_run *run, const struct stj_run_part *part,
                            size_t memory_bytes, const struct stj_prediction *prediction);

/* STJ_ENOMEM, naming need, limit and remedy, unless the process can stay within memory_bytes (0: no
 * limit) while a solver takes what is predicted. */
enum stj_status stj_run_check_limit(const struct stj_run *run, const struct stj_run_part *part,
                                    size_t memory_bytes, const struct stj_prediction *prediction,
                                    struct stj_error *err);

#endif
