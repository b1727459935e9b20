/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/journal.h: an operator that remembers its products in a record log.
 *
 * The k-th product of a computation is stored with its direction, width, the checksum of its input,
 * and its output.  The same computation, begun again, asks for the same products with the same
 * bits, and gets them from the log at no cost until it reaches what was not finished.  At the first
 * product that differs, the rest of the log is dropped and computed anew, so a larger request that
 * begins as an earlier one did goes on where that ended.
 */
#ifndef STJ_OP_JOURNAL_H
#define STJ_OP_JOURNAL_H

#include <stdbool.h>

#include <spectraj/op.h>

#include "io/log.h"

/* *op <- `inner` with a journal; both are borrowed and must outlive it.  The first product is
 * compared with the first record.  Products from the log count as products and as replayed.  A
 * prefix of op writes into the same log.  log NULL: nothing is recorded. */
enum stj_status stj_op_create_journal(struct stj_op *inner, struct stj_log *log, struct stj_op **op,
                                      struct stj_error *err);

/* The first product that the log supplies is made again, and one that is not the same to 1e-6 of its
 * size is STJ_EMISMATCH: of an operator that nothing but its size is known of. */
void stj_op_journal_verify(struct stj_op *op);

/* Are there records left that no product has asked for, nor dropped? */
bool stj_op_journal_has_more(const struct stj_op *op);

#endif
