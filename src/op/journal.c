/* SPDX-License-Identifier: GPL-3.0-or-later */
/* op/journal.c: products recorded and replayed.
 *
 * Record: tag PRODUCT; u32 direction, u32 CRC-32 of the input columns, u64 width, f64 cost of one
 * product, then the output columns one after another.
 */
#include "op/journal.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "op/operator.h"

enum { PRODUCT = 1 };

struct head {
    uint32_t trans, input_crc;
    uint64_t nvec;
    double cost;
};

/* Where the computation is in the log: shared by an operator and its prefixes. */
struct position {
    struct stj_log *log; /* borrowed; NULL: nothing is recorded */
    size_t next;
    size_t users;
    bool verify; /* the next product that is found is made again and compared */
};

struct journal {
    struct stj_op *inner;
    bool owns_inner; /* a prefix does */
    struct stj_op *op;
    struct position *position;
};

static void journal_destroy(void *ctx)
{
    struct journal *self = ctx;
    if (!self)
        return;
    if (self->owns_inner)
        stj_op_destroy(self->inner);
    if (self->position && --self->position->users == 0)
        free(self->position);
    free(self);
}

static uint32_t columns_crc(size_t n, size_t nvec, const double *x, size_t ldx)
{
    uint32_t crc = 0;
    for (size_t j = 0; j < nvec; j++)
        crc = stj_crc32(crc, x + j * ldx, n * sizeof *x);
    return crc;
}

/* *found <- the next record is this product; y is then read from it. */
static enum stj_status replay_product(struct journal *self, const struct head *want, size_t n_out,
                                      double *y, size_t ldy, bool *found, struct stj_error *err)
{
    struct position *at = self->position;
    struct head have;
    const size_t bytes = sizeof have + want->nvec * n_out * sizeof *y;
    *found = false;
    if (!at->log || at->next >= stj_log_n_records(at->log))
        return STJ_OK;
    /* 1. is it this one? */
    if (stj_log_tag(at->log, at->next) == PRODUCT && stj_log_bytes(at->log, at->next) == bytes) {
        STJ_MUST(stj_log_read(at->log, at->next, 0, sizeof have, &have, err));
        *found = have.trans == want->trans && have.input_crc == want->input_crc &&
                 have.nvec == want->nvec && have.cost == want->cost;
    }
    /* 2. if not, what follows belongs to another computation */
    if (!*found) {
        STJ_MUST(stj_log_truncate(at->log, at->next, err));
        return STJ_OK;
    }
    /* 3. its columns */
    for (size_t j = 0; j < want->nvec; j++)
        STJ_MUST(stj_log_read(at->log, at->next, sizeof have + j * n_out * sizeof *y,
                              n_out * sizeof *y, y + j * ldy, err));
    at->next++;
    return STJ_OK;
}

/* Column by column from where they lie: a copy would be as large as the solver's own blocks. */
static enum stj_status record_product(struct journal *self, const struct head *head, size_t n_out,
                                      const double *y, size_t ldy, struct stj_error *err)
{
    STJ_FREED struct stj_log_piece *piece = NULL;
    if (!self->position->log)
        return STJ_OK;
    STJ_MUST(stj_new(&piece, 1 + head->nvec, sizeof *piece, err));
    piece[0] = (struct stj_log_piece){head, sizeof *head};
    for (size_t j = 0; j < head->nvec; j++)
        piece[1 + j] = (struct stj_log_piece){y + j * ldy, n_out * sizeof *y};
    STJ_MUST(stj_log_append(self->position->log, PRODUCT, piece, 1 + head->nvec, err));
    self->position->next++;
    return STJ_OK;
}

/* Is the product y of the log, of its first column, what the operator makes now? */
static enum stj_status verify_product(struct journal *self, enum stj_trans trans, size_t n_out,
                                      const double *x, size_t n_in, const double *y,
                                      struct stj_error *err)
{
    static const double most = 1e-6; /* single precision with sums in any order comes closer */
    STJ_FREED double *now = NULL;
    double difference = 0, size = 0;
    self->position->verify = false;
    STJ_MUST(stj_new(&now, n_out, sizeof *now, err));
    STJ_MUST(stj_op_apply(self->inner, trans, 1, x, n_in, now, n_out, err));
    for (size_t i = 0; i < n_out; i++) {
        difference = fmax(difference, fabs(now[i] - y[i]));
        size = fmax(size, fmax(fabs(now[i]), fabs(y[i])));
    }
    STJ_NEED(err, difference <= most * size, STJ_EMISMATCH,
             "the journal is of another operator: its first product differs by %.2g of its size "
             "from what the operator makes now, more than %g; name another file, or remove it",
             difference / size, most);
    return STJ_OK;
}

static enum stj_status journal_apply(void *ctx, enum stj_trans trans, size_t nvec, const double *x,
                                     size_t ldx, double *y, size_t ldy, struct stj_error *err)
{
    struct journal *self = ctx;
    const bool straight = trans == STJ_NO_TRANS;
    const size_t n_in = straight ? stj_op_n_cols(self->inner) : stj_op_n_rows(self->inner);
    const size_t n_out = straight ? stj_op_n_rows(self->inner) : stj_op_n_cols(self->inner);
    const struct head head = {.trans = (uint32_t)trans,
                              .input_crc = columns_crc(n_in, nvec, x, ldx),
                              .nvec = nvec,
                              .cost = stj_op_cost(self->inner)};
    bool found = false;
    STJ_MUST(replay_product(self, &head, n_out, y, ldy, &found, err));
    if (found && self->position->verify)
        STJ_MUST(verify_product(self, trans, n_out, x, n_in, y, err));
    if (found) {
        stj_op_count_replayed(self->op, (double)nvec * head.cost);
        return STJ_OK;
    }
    STJ_MUST(stj_op_apply(self->inner, trans, nvec, x, ldx, y, ldy, err));
    return record_product(self, &head, n_out, y, ldy, err);
}

static enum stj_status journal_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                      struct stj_error *err);

/* The operator of a journal that is filled but for its op; takes self over, also on failure. */
static enum stj_status make_journal(struct journal *self, struct stj_op **op, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_op_create(stj_op_n_rows(self->inner), stj_op_n_cols(self->inner), journal_apply,
                          journal_destroy, self, op, err));
    self->op = *op;
    stj_op_cost_as(*op, self->inner);
    if (stj_op_shortest_prefix(self->inner) < 1)
        stj_op_set_prefix(*op, journal_prefix, stj_op_shortest_prefix(self->inner));
    self = NULL;
out:
    journal_destroy(self);
    return st;
}

static enum stj_status journal_prefix(void *ctx, double fraction, struct stj_op **prefix,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct journal *whole = ctx;
    struct journal *self = NULL;
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    self->position = whole->position;
    self->position->users++;
    self->owns_inner = true;
    STJ_TRY(stj_op_create_prefix(whole->inner, fraction, &self->inner, err));
    st = make_journal(self, prefix, err);
    self = NULL;
out:
    journal_destroy(self);
    return st;
}

enum stj_status stj_op_create_journal(struct stj_op *inner, struct stj_log *log, struct stj_op **op,
                                      struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct journal *self = NULL;
    STJ_TRY(stj_new(&self, 1, sizeof *self, err));
    self->inner = inner;
    STJ_TRY(stj_new(&self->position, 1, sizeof *self->position, err));
    *self->position = (struct position){.log = log, .users = 1};
    st = make_journal(self, op, err);
    self = NULL;
out:
    journal_destroy(self);
    return st;
}

void stj_op_journal_verify(struct stj_op *op)
{
    struct journal *self = stj_op_ctx(op, journal_apply);
    self->position->verify = true;
}

bool stj_op_journal_has_more(const struct stj_op *op)
{
    const struct journal *self = op ? stj_op_ctx(op, journal_apply) : NULL;
    return self && self->position->log &&
           self->position->next < stj_log_n_records(self->position->log);
}
