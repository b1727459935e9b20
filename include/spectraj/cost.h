/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/cost.h: what an analysis came to, beside what was planned.
 *
 * Threads: there are no functions here; the rest is data.
 */
#ifndef SPECTRAJ_COST_H
#define SPECTRAJ_COST_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Planned and real. */
struct stj_cost {
    bool planned;           /* false: of the caller's own operator, or a stored result */
    double planned_seconds; /* of wall clock, as predicted at the beginning */
    size_t planned_bytes;   /* of the process at its peak, as predicted */
    size_t peak_bytes;      /* the most that the process ever had in memory; 0: a stored result */
};

#ifdef __cplusplus
}
#endif

#endif
