/* SPDX-License-Identifier: GPL-3.0-or-later */
/* trajectory/file.c: trajectory.h5, written and read some states at a time.
 *
 * The layout is in docs/trajectory-format.md.  States are 64-bit in the file whatever `real` is.

 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/h5.h"
#include "base/memory.h"
#include "trajectory/policy.h"

static const struct stj_h5_format trajectory_format = {
    .name = "spectraj-trajectory",
    .version = 1,
    .remedy = "train the run again (--force)",
};

/* States that are moved at once: about 16 MiB. */
static size_t piece(const struct stj_trajectory_shape *shape)
{
    size_t rows = ((size_t)1 << 21) / shape->n_state;
    size_t n = shape->n_steps + 1;
    return rows < 1 ? 1 : rows > n ? n : rows;
}

static size_t at_most(size_t n, size_t limit)
{
    return n < limit ? n : limit;
}

static enum stj_status put_about(struct stj_h5 *file, const struct stj_trajectory_about *about,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_put_text(file, "@fingerprint", about->fingerprint, err));
    STJ_TRY(stj_h5_put_text(file, "@library_version", about->version, err));
    STJ_TRY(stj_h5_put_text(file, "@blas", about->blas, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@batch_seed", about->seed, err));
    STJ_TRY(stj_h5_put_real(file, "@seconds", about->seconds, err));
    STJ_TRY(stj_h5_put_real(file, "@train_loss", about->train_loss, err));
    STJ_TRY(stj_h5_put_real(file, "@test_loss", about->test_loss, err));
    STJ_TRY(stj_h5_put_real(file, "@test_accuracy", about->test_accuracy, err));
    STJ_TRY(stj_h5_put_text(file, "identity", about->identity, err));
    STJ_TRY(stj_h5_put_text(file, "config", about->config, err));
out:
    return st;
}

static enum stj_status get_about(struct stj_h5 *file, struct stj_trajectory_about *about,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_h5_get_text(file, "@fingerprint", &about->fingerprint, err));
    STJ_TRY(stj_h5_get_text(file, "@library_version", &about->version, err));
    STJ_TRY(stj_h5_get_text(file, "@blas", &about->blas, err));
    STJ_TRY(stj_h5_get_unsigned(file, "@batch_seed", &about->seed, err));
    STJ_TRY(stj_h5_get_real(file, "@seconds", &about->seconds, err));
    STJ_TRY(stj_h5_get_real(file, "@train_loss", &about->train_loss, err));
    STJ_TRY(stj_h5_get_real(file, "@test_loss", &about->test_loss, err));
    STJ_TRY(stj_h5_get_real(file, "@test_accuracy", &about->test_accuracy, err));
    STJ_TRY(stj_h5_get_text(file, "identity", &about->identity, err));
    STJ_TRY(stj_h5_get_text(file, "config", &about->config, err));
out:
    return st;
}

static enum stj_status put_states(struct stj_h5 *file, struct stj_trajectory *trajectory,
                                  const struct stj_trajectory_shape *shape, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *row = NULL;
    const size_t n = shape->n_steps + 1;
    const size_t rows = piece(shape);
    STJ_TRY(stj_new(&row, rows * shape->n_state, sizeof *row, err));
    STJ_TRY(stj_h5_put_matrix(file, "states", n, shape->n_state, err));
    for (size_t first = 0; first < n; first += rows) {
        struct stj_trajectory_view view;
        size_t count = at_most(rows, n - first);
        STJ_TRY(stj_trajectory_visit(trajectory, first, count, &view, err));
        for (size_t t = 0; t < count; t++)
            for (size_t i = 0; i < shape->n_state; i++)
                row[t * shape->n_state + i] = view.state[t * view.ld + i];
        STJ_TRY(stj_h5_put_rows(file, "states", first, count, row, shape->n_state, err));
    }
out:
    free(row);
    return st;
}

static enum stj_status get_states(struct stj_h5 *file, struct stj_trajectory *trajectory,
                                  const struct stj_trajectory_shape *shape, const double *loss,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    double *row = NULL;
    real *state = NULL;
    const size_t n = shape->n_steps + 1;
    const size_t rows = piece(shape);
    STJ_TRY(stj_new(&row, rows * shape->n_state, sizeof *row, err));
    STJ_TRY(stj_new(&state, shape->n_state, sizeof *state, err));
    for (size_t first = 0; first < n; first += rows) {
        size_t count = at_most(rows, n - first);
        STJ_TRY(stj_h5_get_rows(file, "states", first, count, shape->n_state, row, shape->n_state,
                                err));
        for (size_t t = 0; t < count; t++) {
            for (size_t i = 0; i < shape->n_state; i++)
                state[i] = (real)row[t * shape->n_state + i];
            double loss_t = first + t < shape->n_steps ? loss[first + t] : 0;
            STJ_TRY(stj_trajectory_record(trajectory, first + t, state, loss_t, err));
        }
    }
out:
    free(state);
    free(row);
    return st;
}

enum stj_status stj_trajectory_write(struct stj_trajectory *trajectory, const char *path,
                                     const struct stj_trajectory_about *about,
                                     struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    struct stj_trajectory_shape shape;
    STJ_TRY(stj_trajectory_shape_set(stj_trajectory_n_params(trajectory),
                                     stj_trajectory_n_slots(trajectory),
                                     stj_trajectory_n_steps(trajectory), &shape, err));
    STJ_TRY(stj_h5_create(path, &trajectory_format, &file, err));
    STJ_TRY(put_about(file, about, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_params", shape.n_params, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_slots", shape.n_slots, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@n_steps", shape.n_steps, err));
    STJ_TRY(stj_h5_put_vector(file, "loss", shape.n_steps, stj_trajectory_loss(trajectory), err));
    STJ_TRY(put_states(file, trajectory, &shape, err));
    st = stj_h5_commit(file, err);
    file = NULL;
out:
    stj_h5_close(file);
    return st;
}

/* shape <- the sizes that the file states, which must agree with what it holds. */
static enum stj_status get_shape(struct stj_h5 *file, struct stj_trajectory_shape *shape,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    size_t n_params, n_slots, n_steps;
    STJ_TRY(stj_h5_get_size(file, "@n_params", &n_params, err));
    STJ_TRY(stj_h5_get_size(file, "@n_slots", &n_slots, err));
    STJ_TRY(stj_h5_get_size(file, "@n_steps", &n_steps, err));
    STJ_TRY(stj_trajectory_shape_set(n_params, n_slots, n_steps, shape, err));
    STJ_TRY(stj_h5_expect(file, "states", n_steps + 1, shape->n_state, err));
    STJ_TRY(stj_h5_expect(file, "loss", n_steps, 1, err));
out:
    return st;
}

static enum stj_status check_fingerprint(const char *path, const char *found, const char *expected,
                                         struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_CHECK(err, !expected || strcmp(found, expected) == 0, STJ_EMISMATCH,
              "%s: belongs to a run with fingerprint %s, not %s; put the run's own file back or "
              "train again (--force)",
              path, found, expected ? expected : "");
out:
    return st;
}

enum stj_status stj_trajectory_read(const char *path, const char *fingerprint,
                                    struct stj_trajectory **trajectory,
                                    struct stj_trajectory_about *about, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    struct stj_trajectory *made = NULL;
    struct stj_trajectory_about own = {0};
    struct stj_trajectory_shape shape;
    double *loss = NULL;
    *trajectory = NULL;
    STJ_TRY(stj_h5_open(path, &trajectory_format, &file, err));
    STJ_TRY(get_about(file, &own, err));
    STJ_TRY(check_fingerprint(path, own.fingerprint, fingerprint, err));
    STJ_TRY(get_shape(file, &shape, err));
    STJ_TRY(stj_new(&loss, shape.n_steps, sizeof *loss, err));
    STJ_TRY(stj_h5_get_vector(file, "loss", shape.n_steps, loss, err));
    STJ_TRY(stj_trajectory_create(shape.n_params, shape.n_slots, shape.n_steps, &made, err));
    STJ_TRY(get_states(file, made, &shape, loss, err));
    *trajectory = made;
    made = NULL;
    if (about) {
        *about = own;
        own = (struct stj_trajectory_about){0};
    }
out:
    stj_trajectory_destroy(made);
    stj_trajectory_about_free(&own);
    stj_h5_close(file);
    free(loss);
    return st;
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
    free(about->identity);
    free(about->config);
    free(about->version);
    free(about->blas);
    *about = (struct stj_trajectory_about){0};
}
