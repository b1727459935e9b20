/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/row_sums.h: sums along a row, in an order that vector units can follow and that is the same
 * everywhere: element i goes to running sum i mod 16, what is left over to one more, and these are
 * added in a fixed order. */
#ifndef STJ_NET_ROW_SUMS_H
#define STJ_NET_ROW_SUMS_H

#include <stddef.h>

#include "base/target_clones.h"
#include "base/real.h"

typedef real stj_lanes
    __attribute__((vector_size(8 * sizeof(real)), aligned(sizeof(real)), may_alias));

STJ_INLINE real stj_lanes_total(const stj_lanes *even, const stj_lanes *odd, real rest)
{
    const stj_lanes v = *even + *odd;
    return (((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))) + rest;
}

/* sum_i a_i */
STJ_INLINE real stj_row_sum(size_t n, const real *a)
{
    stj_lanes even = {0};
    stj_lanes odd = {0};
    real rest = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        even += *(const stj_lanes *)(a + i);
        odd += *(const stj_lanes *)(a + i + 8);
    }
    for (; i < n; i++)
        rest += a[i];
    return stj_lanes_total(&even, &odd, rest);
}

/* sum_i a_i b_i */
STJ_INLINE real stj_row_dot(size_t n, const real *a, const real *b)
{
    stj_lanes even = {0};
    stj_lanes odd = {0};
    real rest = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        even += *(const stj_lanes *)(a + i) * *(const stj_lanes *)(b + i);
        odd += *(const stj_lanes *)(a + i + 8) * *(const stj_lanes *)(b + i + 8);
    }
    for (; i < n; i++)
        rest += a[i] * b[i];
    return stj_lanes_total(&even, &odd, rest);
}

#endif
