/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/file.c: trajectory.h5, written and opened.
 *
 * The layout is in docs/trajectory-format.md.  States are 64-bit in the file whatever `real` is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "io/h5.h"
#include "base/memory.h"
#include "trajectory/state_reader.h"

static const struct stj_h5_format trajectory_format = {
    .name = "spectraj-trajectory",
    .version = 2,
    .remedy = "train the run again (--force)",
};

static enum stj_status put_about(struct stj_h5 *file, const struct stj_trajectory_about *about,
                                 struct stj_error *err)
{
    STJ_MUST(stj_h5_put_text(file, "@fingerprint", about->fingerprint, err));
    STJ_MUST(stj_h5_put_text(file, "@library_version", about->version, err));
    STJ_MUST(stj_h5_put_text(file, "@blas", about->blas, err));
    STJ_MUST(stj_h5_put_unsigned(file, "@batch_seed", about->seed, err));
    STJ_MUST(stj_h5_put_real(file, "@seconds", about->seconds, err));
    STJ_MUST(stj_h5_put_real(file, "@train_loss", about->train_loss, err));
    STJ_MUST(stj_h5_put_real(file, "@test_loss", about->test_loss, err));
    STJ_MUST(stj_h5_put_real(file, "@test_accuracy", about->test_accuracy, err));
    STJ_MUST(stj_h5_put_text(file, "identity", about->identity, err));
    if (about->earlier)
        STJ_MUST(stj_h5_put_text(file, "earlier", about->earlier, err));
    if (about->zero_start)
        STJ_MUST(stj_h5_put_text(file, "zero_start", about->zero_start, err));
    return stj_h5_put_text(file, "config", about->config, err);
}

static enum stj_status get_about(struct stj_h5 *file, struct stj_trajectory_about *about,
                                 struct stj_error *err)
{
    STJ_MUST(stj_h5_get_text(file, "@fingerprint", &about->fingerprint, err));
    STJ_MUST(stj_h5_get_text(file, "@library_version", &about->version, err));
    STJ_MUST(stj_h5_get_text(file, "@blas", &about->blas, err));
    STJ_MUST(stj_h5_get_unsigned(file, "@batch_seed", &about->seed, err));
    STJ_MUST(stj_h5_get_real(file, "@seconds", &about->seconds, err));
    STJ_MUST(stj_h5_get_real(file, "@train_loss", &about->train_loss, err));
    STJ_MUST(stj_h5_get_real(file, "@test_loss", &about->test_loss, err));
    STJ_MUST(stj_h5_get_real(file, "@test_accuracy", &about->test_accuracy, err));
    STJ_MUST(stj_h5_get_text(file, "identity", &about->identity, err));
    if (stj_h5_has(file, "earlier"))
        STJ_MUST(stj_h5_get_text(file, "earlier", &about->earlier, err));
    if (stj_h5_has(file, "zero_start"))
        STJ_MUST(stj_h5_get_text(file, "zero_start", &about->zero_start, err));
    return stj_h5_get_text(file, "config", &about->config, err);
}

/* The samples that the rows of the data were made of, where they are known. */
static enum stj_status put_examples(struct stj_h5 *file, const struct stj_trajectory_about *about,
                                    struct stj_error *err)
{
    if (!about->example)
        return STJ_OK;
    STJ_MUST(stj_h5_put_unsigned(file, "@n_rows", about->n_rows, err));
    return stj_h5_put_unsigneds(file, "example", about->n_rows, about->example, err);
}

static enum stj_status get_examples(struct stj_h5 *file, struct stj_trajectory_about *about,
                                    struct stj_error *err)
{
    if (!stj_h5_has(file, "example"))
        return STJ_OK;
    STJ_MUST(stj_h5_get_size(file, "@n_rows", &about->n_rows, err));
    STJ_MUST(stj_h5_expect(file, "example", about->n_rows, 1, err));
    STJ_MUST(stj_new(&about->example, about->n_rows, sizeof *about->example, err));
    return stj_h5_get_unsigneds(file, "example", about->n_rows, about->example, err);
}

static enum stj_status put_states(struct stj_h5 *file, const struct stj_record *record,
                                  stj_row_fn next, void *ctx, struct stj_error *err)
{
    const size_t n = record->shape.n_state;
    STJ_FREED double *row = NULL;
    STJ_MUST(stj_new(&row, n, sizeof *row, err));
    STJ_MUST(stj_h5_put_matrix(file, "states", record->n_stored, n, err));
    for (size_t k = 0; k < record->n_stored; k++) {
        STJ_MUST(next(ctx, k, row, err));
        STJ_NEED(err, stj_crc32(0, row, n * sizeof *row) == record->crc[record->step[k]],
                 STJ_EFORMAT, "the state at step %ju does not have its checksum",
                 (uintmax_t)record->step[k]);
        STJ_MUST(stj_h5_put_rows(file, "states", k, 1, row, n, err));
    }
    return STJ_OK;
}

/* The rows of the batches, where they are known. */
static enum stj_status put_batches(struct stj_h5 *file, const struct stj_trajectory_about *about,
                                   size_t n_steps, struct stj_error *err)
{
    if (!about->batch_start)
        return STJ_OK;
    STJ_MUST(stj_h5_put_unsigneds(file, "batch_start", n_steps + 1, about->batch_start, err));
    return stj_h5_put_unsigneds(file, "batch_row", about->batch_start[n_steps], about->batch_row,
                                err);
}

/* Its data sets, where they are there: the steps of the states are coordinates of these. */
static enum stj_status describe_sets(struct stj_h5 *file, struct stj_error *err)
{
    static const struct {
        const char *name, *dim[2], *doc;
    } sets[] = {
        {"state_step", {"state_step"}, "step that comes after a stored state"},
        {"states", {"state_step", "state_number"}, "parameters, then slots, before that step"},
        {"deviation", {"state_step"}, "distance of the replay from a given state"},
        {"loss", {"step"}, "loss of a step on its batch, before it"},
        {"state_crc32", {"state"}, "CRC-32 of the state before each step, and of the last"},
        {"frozen", {"frozen_number"}, "parameters that are not trained"},
        {"batch_start", {"state"}, "where the rows of a step begin in batch_row"},
        {"batch_row", {"batch_position"}, "rows of the data that steps were trained on"},
        {"example", {"row"}, "sample that a row of the data was made of"},
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (stj_h5_has(file, sets[i].name))
            STJ_MUST(stj_h5_describe(file, sets[i].name, sets[i].dim[1] ? 2 : 1, sets[i].dim, NULL,
                                     sets[i].doc, err));
    return STJ_OK;
}

enum stj_status stj_record_write(const struct stj_record *record, stj_row_fn row, void *ctx,
                                 const char *path, const struct stj_trajectory_about *about,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_trajectory_shape *shape = &record->shape;
    struct stj_h5 *file = NULL;
    STJ_TRY(stj_h5_create(path, &trajectory_format, &file, err));
    STJ_TRY(put_about(file, about, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_params", shape->n_params, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_slots", shape->n_slots, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_steps", shape->n_steps, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_stored", record->n_stored, err));
    STJ_TRY(stj_h5_put_vector(file, "loss", shape->n_steps, record->loss, err));
    STJ_TRY(stj_h5_put_unsigneds(file, "state_step", record->n_stored, record->step, err));
    STJ_TRY(stj_h5_put_unsigneds(file, "state_crc32", shape->n_steps + 1, record->crc, err));
    if (record->deviation) {
        STJ_TRY(stj_h5_put_vector(file, "deviation", record->n_stored, record->deviation, err));
        STJ_TRY(stj_h5_put_real(file, "@tolerance", about->tolerance, err));
    }
    STJ_TRY(put_batches(file, about, shape->n_steps, err));
    STJ_TRY(put_examples(file, about, err));
    if (about->n_frozen) {
        STJ_TRY(stj_h5_put_unsigned(file, "@n_frozen", about->n_frozen, err));
        STJ_TRY(stj_h5_put_vector(file, "frozen", about->n_frozen, about->frozen, err));
    }
    STJ_TRY(put_states(file, record, row, ctx, err));
    STJ_TRY(describe_sets(file, err));
    st = stj_h5_commit(file, err);
    file = NULL;
out:
    stj_h5_close(file);
    return st;
}

/* The steps of the stored states must begin with 0, end with n_steps and increase. */
static enum stj_status check_steps(struct stj_h5 *file, const struct stj_record *record,
                                   struct stj_error *err)
{
    const size_t n = record->n_stored;
    bool good = record->step[0] == 0 && record->step[n - 1] == record->shape.n_steps;
    for (size_t k = 1; k < n; k++)
        good = good && record->step[k] > record->step[k - 1];
    return good ? STJ_OK
                : stj_h5_refuse(file, err,
                                "its \"state_step\" does not increase from 0 to %zu, or is cut off",
                                record->shape.n_steps);
}

/* The checksums of the stored states are also those of the rows. */
static enum stj_status check_crc(struct stj_h5 *file, const struct stj_record *record,
                                 struct stj_error *err)
{
    STJ_FREED uint64_t *row = NULL;
    STJ_MUST(stj_new(&row, record->n_stored, sizeof *row, err));
    STJ_MUST(stj_h5_get_row_crc(file, "states", record->n_stored, row, err));
    for (size_t k = 0; k < record->n_stored; k++)
        if (row[k] != record->crc[record->step[k]])
            STJ_MUST(stj_h5_refuse(file, err,
                                   "row %zu of its \"states\" is not the state of step %ju", k,
                                   (uintmax_t)record->step[k]));
    return STJ_OK;
}

/* Version 1 has every state, and its checksums only as those of the rows. */
static enum stj_status get_list(struct stj_h5 *file, uint64_t version, struct stj_record *record,
                                struct stj_error *err)
{
    const size_t n_steps = record->shape.n_steps;
    STJ_MUST(stj_h5_get_vector(file, "loss", n_steps, record->loss, err));
    if (version == 1) {
        for (size_t t = 0; t <= n_steps; t++)
            record->step[t] = t;
        STJ_MUST(stj_h5_get_row_crc(file, "states", n_steps + 1, record->crc, err));
        return STJ_OK;
    }
    STJ_MUST(stj_h5_expect(file, "state_step", record->n_stored, 1, err));
    STJ_MUST(stj_h5_expect(file, "state_crc32", n_steps + 1, 1, err));
    STJ_MUST(stj_h5_get_unsigneds(file, "state_step", record->n_stored, record->step, err));
    STJ_MUST(stj_h5_get_unsigneds(file, "state_crc32", n_steps + 1, record->crc, err));
    STJ_MUST(check_steps(file, record, err));
    return check_crc(file, record, err);
}

/* Where states were given from elsewhere: how far from them the training was. */
static enum stj_status get_deviation(struct stj_h5 *file, struct stj_record *record,
                                     struct stj_trajectory_about *about, struct stj_error *err)
{
    if (!stj_h5_has(file, "deviation"))
        return STJ_OK;
    STJ_MUST(stj_h5_expect(file, "deviation", record->n_stored, 1, err));
    STJ_MUST(stj_record_deviates(record, err));
    STJ_MUST(stj_h5_get_vector(file, "deviation", record->n_stored, record->deviation, err));
    return stj_h5_get_real(file, "@tolerance", &about->tolerance, err);
}

static enum stj_status get_frozen(struct stj_h5 *file, struct stj_trajectory_about *about,
                                  struct stj_error *err)
{
    if (!stj_h5_has(file, "frozen"))
        return STJ_OK;
    STJ_MUST(stj_h5_get_size(file, "@n_frozen", &about->n_frozen, err));
    STJ_MUST(stj_h5_expect(file, "frozen", about->n_frozen, 1, err));
    STJ_MUST(stj_new(&about->frozen, about->n_frozen, sizeof *about->frozen, err));
    return stj_h5_get_vector(file, "frozen", about->n_frozen, about->frozen, err);
}

/* record <- the sizes that the file states, which must agree with what it holds, and its lists. */
static enum stj_status get_record(struct stj_h5 *file, struct stj_record *record,
                                  struct stj_error *err)
{
    struct stj_trajectory_shape shape;
    size_t n_params, n_slots, n_steps, n_stored;
    uint64_t version;
    STJ_MUST(stj_h5_get_unsigned(file, "@version", &version, err));
    STJ_MUST(stj_h5_get_size(file, "@n_params", &n_params, err));
    STJ_MUST(stj_h5_get_size(file, "@n_slots", &n_slots, err));
    STJ_MUST(stj_h5_get_size(file, "@n_steps", &n_steps, err));
    STJ_MUST(stj_trajectory_shape_set(n_params, n_slots, n_steps, &shape, err));
    n_stored = n_steps + 1;
    if (version > 1)
        STJ_MUST(stj_h5_get_size(file, "@n_stored", &n_stored, err));
    if (n_stored < 2 || n_stored > n_steps + 1)
        STJ_MUST(stj_h5_refuse(file, err, "%zu stored states of %zu are impossible", n_stored,
                               n_steps + 1));
    STJ_MUST(stj_h5_expect(file, "states", n_stored, shape.n_state, err));
    STJ_MUST(stj_h5_expect(file, "loss", n_steps, 1, err));
    STJ_MUST(stj_record_init(&shape, n_stored, record, err));
    return get_list(file, version, record, err);
}

static enum stj_status check_run_fingerprint(const char *path, const char *found,
                                             const char *expected, struct stj_error *err)
{
    STJ_NEED(err, !expected || strcmp(found, expected) == 0, STJ_EMISMATCH,
             "%s: belongs to a run with fingerprint %s, not %s; put the run's own file back or "
             "train again (--force)",
             path, found, expected ? expected : "");
    return STJ_OK;
}

enum stj_status stj_trajectory_read(const char *path, const char *fingerprint,
                                    struct stj_trajectory **trajectory,
                                    struct stj_trajectory_about *about, struct stj_error *err)
{
    STJ_HELD(stj_h5_close_at) struct stj_h5 *file = NULL;
    STJ_HELD(stj_state_reader_close) struct stj_state_reader source = {0};
    STJ_HELD(stj_trajectory_about_free) struct stj_trajectory_about own = {0};
    *trajectory = NULL;
    STJ_MUST(stj_h5_open(path, &trajectory_format, &file, err));
    STJ_MUST(get_about(file, &own, err));
    STJ_MUST(check_run_fingerprint(path, own.fingerprint, fingerprint, err));
    STJ_MUST(get_record(file, &source.record, err));
    STJ_MUST(get_deviation(file, &source.record, &own, err));
    STJ_MUST(get_frozen(file, &own, err));
    STJ_MUST(get_examples(file, &own, err));
    STJ_MUST(stj_h5_rows_open(file, "states", &source.rows, err));
    STJ_MUST(stj_trajectory_of_source(&source, trajectory, err));
    if (about) {
        *about = own;
        own = (struct stj_trajectory_about){0};
    }
    return STJ_OK;
}

enum stj_status stj_trajectory_read_about(const char *path, struct stj_trajectory_about *about,
                                          struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    STJ_TRY(stj_h5_open(path, &trajectory_format, &file, err));
    STJ_TRY(get_about(file, about, err));
out:
    if (st != STJ_OK)
        stj_trajectory_about_free(about);
    stj_h5_close(file);
    return st;
}

void stj_trajectory_about_free(struct stj_trajectory_about *about)
{
    free(about->fingerprint);
    free(about->earlier);
    free(about->zero_start);
    free(about->identity);
    free(about->config);
    free(about->version);
    free(about->blas);
    free(about->batch_start);
    free(about->batch_row);
    free(about->example);
    free(about->frozen);
    *about = (struct stj_trajectory_about){0};
}
