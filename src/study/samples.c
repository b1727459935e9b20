/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/samples.c: sets of inputs, and the outputs of a network on them. */
#include "study/samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/matrix.h"

enum { CHUNK_ROWS = 256 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t limit(size_t n_rows, size_t max_rows)
{
    return max_rows ? least(n_rows, max_rows) : n_rows;
}

/* ---- the sets ---- */

static enum stj_status allocate(const struct stj_run *run, size_t n_rows, struct stj_samples *s,
                                struct stj_error *err)
{
    size_t size = 0;
    s->n_rows = n_rows;
    STJ_MUST(stj_size_mul(n_rows, stj_shape_size(stj_network_input(run->net)), &size, err));
    return stj_new(&s->x, size, sizeof *s->x, err);
}

static enum stj_status take_dataset(const struct stj_run *run, const struct stj_dataset *data,
                                    size_t max_rows, struct stj_samples *s, struct stj_error *err)
{
    STJ_MUST(allocate(run, limit(data->n_rows, max_rows), s, err));
    for (size_t i = 0; i < s->n_rows * data->n_features; i++)
        s->x[i] = (real)data->inputs[i];
    return STJ_OK;
}

/* lo + hi - x, with the range of all training inputs: white becomes black. */
static void invert(const struct stj_dataset *train, struct stj_samples *s)
{
    double low = train->inputs[0], high = train->inputs[0];
    for (size_t i = 0; i < train->n_rows * train->n_features; i++) {
        low = fmin(low, train->inputs[i]);
        high = fmax(high, train->inputs[i]);
    }
    for (size_t i = 0; i < s->n_rows * train->n_features; i++)
        s->x[i] = (real)(low + high) - s->x[i];
}

/* As many rows as the test set has, else the training set. */
static enum stj_status draw_noise(const struct stj_study_context *cx, size_t max_rows,
                                  struct stj_samples *s, struct stj_error *err)
{
    const struct stj_dataset *like = cx->run->test ? cx->run->test : cx->run->train;
    STJ_HELD(stj_rng_destroy_at) struct stj_rng *rng = NULL;
    STJ_MUST(allocate(cx->run, limit(like->n_rows, max_rows), s, err));
    STJ_MUST(stj_rng_create(cx->seed, STJ_STREAM_STUDY, 2, &rng, err));
    for (size_t i = 0; i < s->n_rows * like->n_features; i++)
        s->x[i] = (real)stj_rng_normal(rng);
    return STJ_OK;
}

static enum stj_status read_file(const struct stj_run *run, const char *path, size_t max_rows,
                                 struct stj_samples *s, struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix m = {0};
    char shape[96];
    const size_t n_in = stj_shape_size(stj_network_input(run->net));
    const char *slash = strrchr(path, '/');
    STJ_MUST(stj_matrix_read(path, &m, err));
    STJ_NEED(err, m.cols == n_in, STJ_EINVAL,
             "%s: has %zu numbers a row, the network's input %s needs %zu", path, m.cols,
             stj_shape_text(stj_network_input(run->net), shape), n_in);
    const struct stj_axes has = stj_row_axes(m.n_dims, m.shape);
    const struct stj_data_use use = stj_run_data_use(run);
    STJ_MUST(stj_inputs_arrange(path, run->config.data.train.layout, &has, &use.input, m.rows,
                                m.data, err));
    snprintf(s->name, sizeof s->name, "%s", slash ? slash + 1 : path);
    STJ_MUST(allocate(run, limit(m.rows, max_rows), s, err));
    for (size_t i = 0; i < s->n_rows * n_in; i++)
        s->x[i] = (real)m.data[i];
    if (stj_network_n_ids(run->net)) {
        const struct stj_dataset data = {.n_rows = s->n_rows, .n_features = n_in, .inputs = m.data};
        STJ_MUST(stj_dataset_check_ids(&data, stj_network_ids(run->net), err));
    }
    return STJ_OK;
}

static enum stj_status make_set(const struct stj_study_context *cx, const char *name,
                                size_t max_rows, struct stj_samples *s, struct stj_error *err)
{
    const struct stj_run *run = cx->run;
    const bool of_test = strcmp(name, "test") == 0 || strcmp(name, "inverted") == 0;
    const bool several = run->config.network.inputs.n > 0;
    const bool made_up = strcmp(name, "inverted") == 0 || strcmp(name, "noise") == 0;
    snprintf(s->name, sizeof s->name, "%s", name);
    STJ_NEED(err, !of_test || run->test, STJ_EINVAL,
             "the inputs '%s' need a test set, and %s has none: give data.test in the config, or "
             "other inputs",
             name, run->dir);
    STJ_NEED(err, !several || strcmp(name, "train") == 0 || strcmp(name, "test") == 0, STJ_EINVAL,
             "the inputs '%s' are of networks with one input, this one has several by name: take "
             "train or test",
             name);
    STJ_NEED(err, !made_up || !stj_network_n_ids(run->net), STJ_EINVAL,
             "the inputs '%s' are real numbers, and this network takes tokens: give a file", name);
    if (strcmp(name, "train") == 0)
        STJ_MUST(take_dataset(run, run->train, max_rows, s, err));
    else if (of_test)
        STJ_MUST(take_dataset(run, run->test, max_rows, s, err));
    else if (strcmp(name, "noise") == 0)
        STJ_MUST(draw_noise(cx, max_rows, s, err));
    else
        STJ_MUST(read_file(run, name, max_rows, s, err));
    if (strcmp(name, "inverted") == 0)
        invert(run->train, s);
    return STJ_OK;
}

/* The list of a run that is not asked for any. */
static const char *default_names(const struct stj_run *run)
{
    const bool numbers = !stj_network_n_ids(run->net) && run->config.network.inputs.n == 0;
    if (run->test)
        return numbers ? "train,test,inverted,noise" : "train,test";
    return numbers ? "train,noise" : "train";
}

enum stj_status stj_samples_make(const struct stj_study_context *cx, const char *names,
                                 size_t max_rows, struct stj_sample_sets *sets,
                                 struct stj_error *err)
{
    STJ_FREED char *copy = NULL;
    STJ_MUST(stj_strdup(&copy, names ? names : default_names(cx->run), err));
    for (char *name = copy, *end = NULL; name; name = end) {
        end = strchr(name, ',');
        if (end)
            *end++ = '\0';
        STJ_NEED(err, name[0], STJ_EINVAL, "the list of inputs '%s' has an empty name",
                 names ? names : "");
        STJ_MUST(stj_resize(&sets->set, sets->n, sets->n + 1, sizeof *sets->set, err));
        sets->n++;
        STJ_MUST(make_set(cx, name, max_rows, &sets->set[sets->n - 1], err));
    }
    return STJ_OK;
}

void stj_samples_free(struct stj_sample_sets *sets)
{
    for (size_t i = 0; i < sets->n; i++)
        free(sets->set[i].x);
    free(sets->set);
    *sets = (struct stj_sample_sets){0};
}

/* ---- outputs ---- */

struct stj_predictor {
    const struct stj_network *net;
    size_t chunk; /* rows that the work space is for */
    real *lin, *scratch;
};

enum stj_status stj_predictor_create(const struct stj_network *net, struct stj_predictor **p,
                                     struct stj_error *err)
{
    enum stj_status st = stj_new(p, 1, sizeof **p, err);
    if (st == STJ_OK)
        (*p)->net = net;
    return st;
}

void stj_predictor_destroy(struct stj_predictor *p)
{
    if (!p)
        return;
    free(p->lin);
    free(p->scratch);
    free(p);
}

size_t stj_predictor_chunk(const struct stj_network *net, size_t n_rows)
{
    return stj_network_couples_samples(net) ? n_rows : least(n_rows, CHUNK_ROWS);
}

static enum stj_status grow(struct stj_predictor *p, size_t chunk, struct stj_error *err)
{
    if (chunk <= p->chunk)
        return STJ_OK;
    free(p->lin);
    free(p->scratch);
    p->lin = p->scratch = NULL;
    p->chunk = 0;
    STJ_MUST(stj_new(&p->lin, stj_network_n_linear(p->net, chunk), sizeof *p->lin, err));
    STJ_MUST(
        stj_new(&p->scratch, stj_network_n_scratch(p->net, chunk, 0), sizeof *p->scratch, err));
    p->chunk = chunk;
    return STJ_OK;
}

enum stj_status stj_predict(struct stj_predictor *p, const struct stj_samples *samples,
                            const real *theta, real *z, struct stj_error *err)
{
    const size_t chunk = stj_predictor_chunk(p->net, samples->n_rows);
    const size_t n_in = stj_shape_size(stj_network_input(p->net));
    const size_t n_out = stj_shape_size(stj_network_output(p->net));
    STJ_MUST(grow(p, chunk, err));
    for (size_t first = 0; first < samples->n_rows; first += chunk) {
        const size_t n = least(chunk, samples->n_rows - first);
        const struct stj_batch b = {
            .whole = n, .batch = n, .evaluate = true, .x = samples->x + first * n_in};
        stj_network_predict(p->net, &b, theta, p->lin, z + first * n_out, p->scratch);
    }
    return STJ_OK;
}
