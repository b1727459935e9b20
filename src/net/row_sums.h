/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/row_sums.h: sums along a row, in an order that vector units can follow and that is the same
 * everywhere: element i goes to running sum i mod 8, what is left over to a ninth, and the nine are
 * added in a fixed order. */
#ifndef STJ_NET_ROW_SUMS_H
#define STJ_NET_ROW_SUMS_H

#include <stddef.h>

#include "base/clones.h"
#include "base/real.h"

enum { STJ_LANES = 8 };

typedef real stj_lanes
    __attribute__((vector_size(8 * sizeof(real)), aligned(sizeof(real)), may_alias));

STJ_INLINE real stj_lanes_total(const stj_lanes *lane, real rest)
{
    const stj_lanes v = *lane;
    return (((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))) + rest;
}

/* sum_i a_i */
STJ_INLINE real stj_row_sum(size_t n, const real *a)
{
    stj_lanes lane = {0};
    real rest = 0;
    size_t i = 0;
    for (; i + STJ_LANES <= n; i += STJ_LANES)
        lane += *(const stj_lanes *)(a + i);
    for (; i < n; i++)
        rest += a[i];
    return stj_lanes_total(&lane, rest);
}

/* sum_i a_i b_i */
STJ_INLINE real stj_row_dot(size_t n, const real *a, const real *b)
{
    stj_lanes lane = {0};
    real rest = 0;
    size_t i = 0;
    for (; i + STJ_LANES <= n; i += STJ_LANES)
        lane += *(const stj_lanes *)(a + i) * *(const stj_lanes *)(b + i);
    for (; i < n; i++)
        rest += a[i] * b[i];
    return stj_lanes_total(&lane, rest);
}

#endif
