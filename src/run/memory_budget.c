/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/memory_budget.c: how much of a process's memory states and linearisations may have.
 *
 *     limit  =  the process with the run open  +  the solver's arrays and the work space of sweeps
 *               +  what is left: states and linearisations
 *
 * Without a limit states and linearisations have a quarter of what is free, or what a large solver
 * leaves of it.
 *
 * What needs more than the limit is refused before its first product.  A limit below what the
 * program takes with its data cannot be kept by anything; it then is one of states and
 * linearisations alone, so that any limit down to their minimum works, unless the solver's arrays
 * are larger than it and than the libraries' own.
 */
#include "run/memory_budget.h"

#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "parallel/ranks.h"
#include "run/run_internal.h"

/* Of the memory that is free, what may be taken when nothing was said. */
static const double prudent = 0.95;

/* Code and buffers of the libraries that an analysis is the first to touch. */
enum { UNTOUCHED = 16 << 20 };

static size_t work_bytes(const struct stj_run *run, const struct stj_run_part *part, size_t block)
{
    struct stj_storage storage = {.work_bytes = 0};
    return stj_run_part_storage(run, part, SIZE_MAX / 4, block, &storage, NULL) == STJ_OK
               ? storage.work_bytes
               : 0;
}

size_t stj_run_phase_bytes(const struct stj_run *run, const struct stj_run_part *part,
                           const struct stj_prediction *p, size_t *work)
{
    double most = 0;
    *work = 0;
    for (size_t i = 0; i < STJ_PREDICTED_PHASES && p->phase[i].block > 0; i++) {
        const size_t mine = work_bytes(run, part, p->phase[i].block);
        if (p->phase[i].bytes + (double)mine > most + (double)*work) {
            most = p->phase[i].bytes;
            *work = mine;
        }
    }
    return (size_t)most;
}

/* Of the process with the run open, whatever is done. */
static size_t process_bytes(void)
{
    return stj_ranks_allreduce_max(stj_memory_resident()) + UNTOUCHED;
}

bool stj_run_fit(const struct stj_run *run, const struct stj_run_part *part, size_t memory_bytes,
                 const struct stj_prediction *p, size_t *engine)
{
    struct stj_storage storage = {.minimum = 0};
    size_t work = 0;
    const size_t phase = stj_run_phase_bytes(run, part, p, &work);
    const size_t beside = process_bytes() + phase + work;
    (void)stj_run_part_storage(run, part, memory_bytes, 1, &storage,
                               NULL); /* the minimum is told */
    if (memory_bytes < beside || memory_bytes - beside < storage.minimum)
        return false;
    *engine = memory_bytes - beside;
    return true;
}

/* Of a limit, what is left by the process, of which one below it does not count. */
static double room_in(size_t limit)
{
    const size_t process = process_bytes();
    return limit < process ? fmax((double)limit, UNTOUCHED) : (double)(limit - process);
}

size_t stj_run_room(const struct stj_run *run, const struct stj_run_part *part, size_t memory_bytes,
                    const struct stj_prediction *p)
{
    size_t work = 0;
    const double phase = (double)stj_run_phase_bytes(run, part, p, &work);
    const size_t process = process_bytes();
    /* One that the process may keep, if it touches nothing more, is not given away beside it. */
    const bool close = memory_bytes < process && memory_bytes + UNTOUCHED >= process;
    return close ? 0 : (size_t)fmax(room_in(memory_bytes) - phase - (double)work, 0);
}

/* 0, for the default, unless the solver's arrays leave less than that. */
static size_t left_by_solver(const struct stj_run *run, const struct stj_run_part *part,
                             const struct stj_prediction *p)
{
    size_t work = 0;
    const double phase = (double)stj_run_phase_bytes(run, part, p, &work);
    const double available = (double)stj_memory_available();
    const double left = prudent * available - phase - (double)work;
    if (left <= 0 || left >= available / 4) /* the solver refuses what is too large */
        return 0;
    return (size_t)(left * (double)stj_group_sharers());
}

size_t stj_run_engine_bytes(const struct stj_run *run, const struct stj_run_part *part,
                            size_t memory_bytes, const struct stj_prediction *p)
{
    size_t engine = memory_bytes;
    if (memory_bytes == 0)
        return left_by_solver(run, part, p);
    (void)stj_run_fit(run, part, memory_bytes, p, &engine);
    return engine;
}

enum stj_status stj_run_check_limit(const struct stj_run *run, const struct stj_run_part *part,
                                    size_t memory_bytes, const struct stj_prediction *p,
                                    struct stj_error *err)
{
    struct stj_storage storage = {.minimum = 0};
    size_t work = 0;
    if (memory_bytes == 0)
        return STJ_OK;
    const double process = (double)process_bytes();
    const double arrays = (double)stj_run_phase_bytes(run, part, p, &work) + (double)work;
    (void)stj_run_part_storage(run, part, memory_bytes, 1, &storage,
                               NULL); /* the minimum is told */
    const double own = fmax(arrays + (double)storage.minimum, p->alone_bytes);
    const double room = room_in(memory_bytes);
    /* A process is a few megabytes larger or smaller the next time. */
    char needs[STJ_REAL_TEXT_MAX], vectors[STJ_REAL_TEXT_MAX];
    char may_have[STJ_REAL_TEXT_MAX], take[STJ_REAL_TEXT_MAX];
    stj_number_print_need(process + own, needs);
    stj_number_print_need(arrays, vectors);
    stj_number_print_bytes(memory_bytes, may_have);
    stj_number_print_need((process + own) * 1.01 + 10 * 1048576, take);
    STJ_NEED(err, own <= room, STJ_ENOMEM,
             "needs %s of memory, %s of them vectors, and may have %s: take --memory %s, or ask "
             "for less",
             needs, vectors, may_have, take);
    return STJ_OK;
}
