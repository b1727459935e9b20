/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/restrict.h: the block of a square operator at chosen rows and the same columns. */
#ifndef STJ_OP_RESTRICT_H
#define STJ_OP_RESTRICT_H

#include <spectraj/op.h>

/* Indices first .. first + count - 1. */
struct stj_range {
    size_t first, count;
};

/* Chosen indices: ranges that increase and do not overlap. */
struct stj_ranges {
    size_t n;
    struct stj_range *range; /* owned */
    size_t total;            /* indices in all of them */
};

/* Append a range, joined to the last one where it follows it. */
enum stj_status stj_ranges_add(struct stj_ranges *ranges, size_t first, size_t count,
                               struct stj_error *err);
void stj_ranges_free(struct stj_ranges *ranges); /* leaves it zeroed */

/* *op <- S A S' with S x = the chosen elements of x, for the square operator `inner`, which it
 * takes over, also on failure, as it does the ranges (then zeroed).  Costs one product with A, and
 * two blocks of its size. */
enum stj_status stj_op_create_restricted(struct stj_op *inner, struct stj_ranges *ranges,
                                         struct stj_op **op, struct stj_error *err);

/* The operator that `op` is a block of, borrowed; NULL for any other operator. */
struct stj_op *stj_op_restricted_inner(const struct stj_op *op);

/* Its indices; NULL for any other operator. */
const struct stj_ranges *stj_op_restricted_ranges(const struct stj_op *op);

#endif
