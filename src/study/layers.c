/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/layers.c: where in the network the singular directions lie.
 *
 *     mass of a group of parameters G in x = sum over G of x_i^2,   |x| = 1
 *
 * for the left and the right vector of every known direction, G being a tensor or a head of an
 * attention; by region the mean over its directions, which does not depend on the basis, beside the
 * share of G among the parameters, what a random direction has on average.  Of single neurons (the
 * numbers along the last axis of a layer's tensors) there are the means by region alone.  And of
 * each vector the participation ratio
 *
 *     (sum x_i^2)^2 / sum x_i^4
 *
 * 1 where one parameter makes the vector, N where all do alike, N / 3 of a random one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/parameter_map.h"
#include "study/studies.h"

struct layers_config {
    double epsilon;
};

static const struct stj_option options[] = {
    STJ_STUDY_EPSILON(offsetof(struct layers_config, epsilon)),
    {.name = NULL},
};

enum { N_SIDES = 2, NO_GROUP = 0 };
static const char *const side_name[N_SIDES] = {"left", "right"}; /* as enum stj_side */

/* Parameters divided into groups 1 .. n; those of group 0 belong to none. */
struct division {
    size_t n;
    char (*name)[STJ_PARAMETER_NAME_MAX]; /* [n + 1] */
    size_t *size;                         /* [n + 1] */
    size_t *of;                           /* [N] */
    double *each[N_SIDES];                /* [n][known]; NULL: the means alone */
    double *sum[N_SIDES];                 /* [region][n + 1] */
};

/* A layer's neurons: groups first .. first + n - 1 of their division. */
struct neurons {
    char label[STJ_PARAMETER_NAME_MAX];
    size_t first, n;
};

struct measurement {
    const struct stj_directions *d;
    double epsilon;
    struct division tensors, heads, neurons;
    struct neurons *layer;
    size_t n_layers, next, count[STJ_N_REGIONS];
    double *participation[N_SIDES]; /* [known] */
    double mean[STJ_N_REGIONS][N_SIDES];
    long double *work; /* one for each group: sums of millions of squares */
};

static void division_free(struct division *v)
{
    free(v->name);
    free(v->size);
    free(v->of);
    for (size_t s = 0; s < N_SIDES; s++) {
        free(v->each[s]);
        free(v->sum[s]);
    }
}

static void measurement_free(struct measurement *m)
{
    division_free(&m->tensors);
    division_free(&m->heads);
    division_free(&m->neurons);
    free(m->layer);
    free(m->participation[STJ_LEFT]);
    free(m->participation[STJ_RIGHT]);
    free(m->work);
}

/* ---- the groups ---- */

/* The group of a name, the last ones first; a new one where there is none. */
static enum stj_status group_of(struct division *v, const char *name, size_t *group,
                                struct stj_error *err)
{
    for (*group = v->n; *group > NO_GROUP; --*group)
        if (strcmp(v->name[*group], name) == 0)
            return STJ_OK;
    STJ_MUST(stj_resize(&v->name, v->n + 1, v->n + 2, sizeof *v->name, err));
    *group = ++v->n;
    snprintf(v->name[*group], sizeof v->name[*group], "%s", name);
    return STJ_OK;
}

/* An attention's tensors come one after another: queries, keys and values, output. */
struct attention {
    char label[STJ_PARAMETER_NAME_MAX];
    size_t heads; /* of the queries; 0: not known */
};

/* name <- the head that row and column of a tensor are of; empty: of none.  Keys and values that
 * several heads share are a group of their own, "kv". */
static void name_head(const struct stj_parameter *p, const struct attention *a, size_t row,
                      size_t column, char name[STJ_PARAMETER_NAME_MAX])
{
    const size_t cols = p->shape[p->n_dims - 1], d = p->head;
    const bool out = strcmp(p->kind, "out") == 0, kv = strcmp(p->kind, "kv") == 0;
    size_t head = (out ? row : column) / d, shared = 0;
    name[0] = '\0';
    if (cols < d)
        return;
    if (kv)
        shared = cols / d / 2;
    else if (strcmp(p->kind, "qkv") == 0)
        shared = (cols / d - a->heads) / 2;
    const size_t behind = kv ? 0 : a->heads; /* columns of keys and values */
    const bool of_kv = shared > 0 && head >= behind;
    if (of_kv)
        head = (head - behind) % shared;
    snprintf(name, STJ_PARAMETER_NAME_MAX, "%.70s.%s%zu", a->label,
             of_kv && shared != a->heads ? "kv" : "head", head);
}

/* The attention that the tensor is of: its label without the part's name, and its heads. */
static void note_attention(const struct stj_parameter *p, struct attention *a)
{
    const size_t length = strlen(p->label) - strlen(p->kind) - 1; /* "attention0.qkv" */
    if (strncmp(a->label, p->label, length) != 0 || a->label[length]) {
        snprintf(a->label, sizeof a->label, "%.*s", (int)length, p->label);
        a->heads = 0;
    }
    if (strcmp(p->kind, "kv") != 0)
        a->heads = p->width / p->head;
}

static enum stj_status add_heads(struct measurement *m, const struct stj_parameter *p,
                                 struct attention *a, struct stj_error *err)
{
    char name[STJ_PARAMETER_NAME_MAX], before[STJ_PARAMETER_NAME_MAX] = "";
    const size_t cols = p->shape[p->n_dims - 1];
    size_t group = NO_GROUP;
    if (p->head == 0)
        return STJ_OK;
    note_attention(p, a);
    for (size_t i = 0; i < p->n; i++) {
        name_head(p, a, i / cols, i % cols, name);
        if (strcmp(name, before) != 0 && name[0])
            STJ_MUST(group_of(&m->heads, name, &group, err));
        memcpy(before, name, sizeof name);
        m->heads.of[p->offset + i] = name[0] ? group : NO_GROUP;
    }
    return STJ_OK;
}

/* Tensors of a layer that follow each other with equally many columns are of the same neurons. */
static enum stj_status add_neurons(struct measurement *m, const struct stj_parameter *p,
                                   struct stj_error *err)
{
    const size_t cols = p->shape[p->n_dims - 1];
    struct neurons *last = m->n_layers ? &m->layer[m->n_layers - 1] : NULL;
    if (!last || last->n != cols || strcmp(last->label, p->label) != 0) {
        STJ_MUST(stj_resize(&m->layer, m->n_layers, m->n_layers + 1, sizeof *m->layer, err));
        last = &m->layer[m->n_layers++];
        snprintf(last->label, sizeof last->label, "%s", p->label);
        last->first = m->neurons.n + 1;
        last->n = cols;
        m->neurons.n += cols;
    }
    for (size_t i = 0; i < p->n; i++)
        m->neurons.of[p->offset + i] = last->first + i % cols;
    return STJ_OK;
}

static enum stj_status make_room(const struct measurement *m, struct division *v, bool each,
                                 struct stj_error *err)
{
    const size_t known = stj_directions_n_known(m->d);
    size_t n_each = 0;
    STJ_MUST(stj_size_mul(v->n, known, &n_each, err));
    STJ_MUST(stj_new(&v->size, v->n + 1, sizeof *v->size, err));
    for (size_t i = 0; i < m->d->n; i++)
        v->size[v->of[i]]++;
    for (size_t s = 0; s < N_SIDES; s++) {
        STJ_MUST(stj_new(&v->sum[s], STJ_N_REGIONS * (v->n + 1), sizeof *v->sum[s], err));
        if (each)
            STJ_MUST(stj_new(&v->each[s], n_each, sizeof *v->each[s], err));
    }
    return STJ_OK;
}

static enum stj_status divide(const struct stj_network *net, struct measurement *m,
                              struct stj_error *err)
{
    static const struct stj_parameter_layout ours = {0};
    const size_t n = m->d->n;
    struct attention attention = {.heads = 0};
    struct stj_parameter p;
    size_t group = NO_GROUP;
    STJ_MUST(stj_new(&m->tensors.of, n, sizeof *m->tensors.of, err));
    STJ_MUST(stj_new(&m->heads.of, n, sizeof *m->heads.of, err));
    STJ_MUST(stj_new(&m->neurons.of, n, sizeof *m->neurons.of, err));
    for (size_t t = 0; t < stj_network_n_trained(net); t++) {
        STJ_MUST(stj_network_parameter(net, &ours, t, &p, err));
        STJ_MUST(group_of(&m->tensors, p.name, &group, err));
        for (size_t i = 0; i < p.n; i++)
            m->tensors.of[p.offset + i] = group;
        STJ_MUST(add_heads(m, &p, &attention, err));
        STJ_MUST(add_neurons(m, &p, err));
    }
    STJ_MUST(make_room(m, &m->tensors, true, err));
    STJ_MUST(make_room(m, &m->heads, true, err));
    STJ_MUST(make_room(m, &m->neurons, false, err));
    const size_t most = m->neurons.n + m->tensors.n + m->heads.n + 1;
    STJ_MUST(stj_new(&m->work, most, sizeof *m->work, err));
    for (size_t s = 0; s < N_SIDES; s++)
        STJ_MUST(stj_new(&m->participation[s], stj_directions_n_known(m->d),
                         sizeof *m->participation[s], err));
    return STJ_OK;
}

/* ---- the measurement ---- */

static void add_mass(struct measurement *m, struct division *v, enum stj_side s,
                     enum stj_region region, const double *x)
{
    const size_t known = stj_directions_n_known(m->d);
    for (size_t g = 0; g <= v->n; g++)
        m->work[g] = 0;
    for (size_t i = 0; i < m->d->n; i++)
        m->work[v->of[i]] += (long double)x[i] * (long double)x[i];
    for (size_t g = 1; g <= v->n; g++) {
        v->sum[s][region * (v->n + 1) + g] += (double)m->work[g];
        if (v->each[s])
            v->each[s][(g - 1) * known + m->next] = (double)m->work[g];
    }
}

static double participation(size_t n, const double *x)
{
    long double squares = 0, fourths = 0;
    for (size_t i = 0; i < n; i++) {
        const long double square = (long double)x[i] * (long double)x[i];
        squares += square;
        fourths += square * square;
    }
    return (double)(squares * squares / fourths);
}

static enum stj_status layers_measure(void *ctx, size_t i, const double *u, const double *v,
                                      struct stj_error *err)
{
    struct measurement *m = ctx;
    const double *const side[N_SIDES] = {[STJ_LEFT] = u, [STJ_RIGHT] = v};
    const enum stj_region g = stj_region_of(m->d->sigma[i], m->epsilon);
    (void)err;
    for (enum stj_side s = STJ_LEFT; s <= STJ_RIGHT; s++) {
        add_mass(m, &m->tensors, s, g, side[s]);
        add_mass(m, &m->heads, s, g, side[s]);
        add_mass(m, &m->neurons, s, g, side[s]);
        m->participation[s][m->next] = participation(m->d->n, side[s]);
        m->mean[g][s] += m->participation[s][m->next];
    }
    m->count[g]++;
    m->next++;
    return STJ_OK;
}

/* ---- the result ---- */

static double mean_of(const struct measurement *m, enum stj_region g, double sum)
{
    return m->count[g] ? sum / (double)m->count[g] : (double)NAN;
}

/* Group by group: what it is, its mass in every direction, and the means by region. */
static enum stj_status put_groups(const struct measurement *m, const struct division *v,
                                  const char *what, struct stj_study_result *r,
                                  struct stj_error *err)
{
    STJ_MUST(stj_study_put_count(r, v->n, err, "n_%s", what));
    for (size_t k = 0; k < v->n; k++) {
        const size_t size = v->size[k + 1];
        STJ_MUST(stj_study_put_text(r, v->name[k + 1], err, "%s[%zu].name", what, k));
        STJ_MUST(stj_study_put_count(r, size, err, "%s[%zu].parameters", what, k));
        STJ_MUST(
            stj_study_put_real(r, (double)size / (double)m->d->n, err, "%s[%zu].share", what, k));
        for (size_t s = 0; s < N_SIDES; s++)
            STJ_MUST(stj_study_put_reals(r, m->next, v->each[s] + k * m->next, err, "%s[%zu].%s",
                                         what, k, side_name[s]));
        for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
            for (size_t s = 0; s < N_SIDES; s++)
                STJ_MUST(stj_study_put_real(r, mean_of(m, g, v->sum[s][g * (v->n + 1) + k + 1]),
                                            err, "%s[%zu].regions.%s.%s", what, k,
                                            stj_region_name(g), side_name[s]));
    }
    return STJ_OK;
}

/* Layer by layer, the means of its neurons, and the share of each among the parameters. */
static enum stj_status put_neurons(const struct measurement *m, struct stj_study_result *r,
                                   struct stj_error *err)
{
    const struct division *v = &m->neurons;
    STJ_FREED double *work = NULL;
    STJ_MUST(stj_new(&work, v->n, sizeof *work, err));
    for (size_t k = 0; k < m->n_layers; k++) {
        const struct neurons *layer = &m->layer[k];
        STJ_MUST(stj_study_put_text(r, layer->label, err, "neurons[%zu].layer", k));
        for (size_t i = 0; i < layer->n; i++)
            work[i] = (double)v->size[layer->first + i] / (double)m->d->n;
        STJ_MUST(stj_study_put_reals(r, layer->n, work, err, "neurons[%zu].share", k));
        for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
            for (size_t s = 0; s < N_SIDES; s++) {
                for (size_t i = 0; i < layer->n; i++)
                    work[i] = mean_of(m, g, v->sum[s][g * (v->n + 1) + layer->first + i]);
                STJ_MUST(stj_study_put_reals(r, layer->n, work, err, "neurons[%zu].%s.%s", k,
                                             stj_region_name(g), side_name[s]));
            }
    }
    return STJ_OK;
}

static enum stj_status layers_put(const struct measurement *m, struct stj_study_result *r,
                                  struct stj_error *err)
{
    STJ_MUST(stj_directions_put(m->d, r, err));
    STJ_MUST(stj_study_put_real(r, m->epsilon, err, "epsilon"));
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++) {
        STJ_MUST(stj_study_put_count(r, m->count[g], err, "regions.%s.count", stj_region_name(g)));
        for (size_t s = 0; s < N_SIDES; s++)
            STJ_MUST(stj_study_put_real(r, mean_of(m, g, m->mean[g][s]), err,
                                        "participation.regions.%s.%s", stj_region_name(g),
                                        side_name[s]));
    }
    STJ_MUST(put_groups(m, &m->tensors, "tensors", r, err));
    STJ_MUST(put_groups(m, &m->heads, "heads", r, err));
    STJ_MUST(put_neurons(m, r, err));
    STJ_MUST(stj_directions_put_list(m->d, r, err));
    for (size_t s = 0; s < N_SIDES; s++)
        STJ_MUST(stj_study_put_reals(r, m->next, m->participation[s], err, "participation.%s",
                                     side_name[s]));
    return STJ_OK;
}

static enum stj_status layers_run(const struct stj_study_context *cx, const void *config,
                                  struct stj_study_result *r, struct stj_error *err)
{
    const struct layers_config *c = config;
    STJ_HELD(measurement_free)
    struct measurement m = {.d = cx->directions, .epsilon = c->epsilon};
    STJ_MUST(divide(cx->run->net, &m, err));
    STJ_MUST(stj_directions_visit(m.d, true, true, layers_measure, &m, err));
    return layers_put(&m, r, err);
}

/* ---- the table ---- */

static void print_cell(FILE *out, double x, double factor)
{
    if (isnan(x))
        fprintf(out, " %8s", "-");
    else
        fprintf(out, " %8.2f", factor * x);
}

/* A number for each region and side. */
static void layers_print_row(FILE *out, const struct stj_study_result *r, const char *item,
                             double factor)
{
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        for (size_t s = 0; s < N_SIDES; s++)
            print_cell(out, stj_study_number(r, "%s.%s.%s", item, stj_region_name(g), side_name[s]),
                       factor);
    fputc('\n', out);
}

static const char *group_name(const struct stj_study_result *r, const char *what, size_t k)
{
    char item[STJ_STUDY_NAME_MAX];
    snprintf(item, sizeof item, "%s[%zu].name", what, k);
    return stj_study_text(r, item);
}

static void print_groups(FILE *out, const struct stj_study_result *r, const char *what)
{
    const size_t n = (size_t)stj_study_number(r, "n_%s", what);
    char item[STJ_STUDY_NAME_MAX];
    for (size_t k = 0; k < n; k++) {
        snprintf(item, sizeof item, "%s[%zu].regions", what, k);
        fprintf(out, "%-22.22s", group_name(r, what, k));
        print_cell(out, stj_study_number(r, "%s[%zu].share", what, k), 100);
        layers_print_row(out, r, item, 100);
    }
}

static void layers_print(FILE *out, const struct stj_study_result *r)
{
    fprintf(out,
            "squared mass of the singular vectors in each tensor, mean by region, in percent\n"
            "%-22s %8s %17s %17s %17s\n",
            "", "of all N", "chaotic", "bulk", "stable");
    fprintf(out, "%-22s %8s", "", "");
    for (size_t g = 0; g < STJ_N_REGIONS; g++)
        fprintf(out, " %8s %8s", side_name[STJ_LEFT], side_name[STJ_RIGHT]);
    fputc('\n', out);
    print_groups(out, r, "tensors");
    print_groups(out, r, "heads");
    fprintf(out, "%-22s %8s", "participation, % of N", "");
    layers_print_row(out, r, "participation.regions", 100 / stj_study_number(r, "n_params"));
    stj_directions_print(out, r);
}

/* ---- figures ---- */

/* The tensors, and behind a gap the heads where there are any. */
static const char *const group_kind[] = {"tensors", "heads"};
enum { N_KINDS = 2 };

static size_t count_places(const struct stj_study_result *r)
{
    const double heads = stj_study_number(r, "n_heads");
    return (size_t)(stj_study_number(r, "n_tensors") + (heads > 0 ? 1 + heads : 0));
}

/* y[count_places] <- an item of every group. */
static void layers_gather(const struct stj_study_result *r, const char *item, double *y)
{
    size_t at = 0;
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        const size_t n = (size_t)stj_study_number(r, "n_%s", group_kind[kind]);
        if (kind > 0 && n > 0)
            y[at++] = (double)NAN;
        for (size_t k = 0; k < n; k++)
            y[at++] = stj_study_number(r, "%s[%zu].%s", group_kind[kind], k, item);
    }
}

static enum stj_status name_places(const struct stj_study_result *r, struct stj_axis *axis,
                                   struct stj_error *err)
{
    for (size_t kind = 0; kind < N_KINDS; kind++) {
        const size_t n = (size_t)stj_study_number(r, "n_%s", group_kind[kind]);
        if (kind > 0 && n > 0)
            STJ_MUST(stj_axis_add_tick(axis, "", err));
        for (size_t k = 0; k < n; k++)
            STJ_MUST(stj_axis_add_tick(axis, group_name(r, group_kind[kind], k), err));
    }
    return STJ_OK;
}

static enum stj_status layers_make(const struct stj_study_result *r, struct stj_chart *chart,
                                   struct stj_error *err)
{
    const size_t n = count_places(r);
    char item[STJ_STUDY_NAME_MAX];
    STJ_FREED double *y = NULL;
    STJ_MUST(stj_new(&y, n, sizeof *y, err));
    stj_chart_title(chart, "Squared mass of singular vectors by tensor, mean by region");
    stj_axis_name(&chart->x, "tensor", "tensor");
    stj_axis_name(&chart->y, "mass", "mean squared mass");
    chart->x.low = 0.5;
    chart->x.high = (double)n + 0.5;
    STJ_MUST(name_places(r, &chart->x, err));
    for (enum stj_region g = STJ_CHAOTIC; g < STJ_N_REGIONS; g++)
        for (size_t s = 0; s < N_SIDES; s++) {
            if (stj_study_number(r, "regions.%s.count", stj_region_name(g)) == 0)
                continue;
            snprintf(item, sizeof item, "regions.%s.%s", stj_region_name(g), side_name[s]);
            layers_gather(r, item, y);
            STJ_MUST(stj_chart_add(chart, s == STJ_LEFT ? STJ_CHART_BOTH : STJ_CHART_BROKEN,
                                   stj_region_colour(g), n, NULL, y, err, "%s, %s",
                                   stj_region_name(g), side_name[s]));
        }
    layers_gather(r, "share", y);
    return stj_chart_add(chart, STJ_CHART_DASHED, STJ_CHART_BLACK, n, NULL, y, err,
                         "share of the parameters");
}

static enum stj_status make_participation(const struct stj_study_result *r, struct stj_chart *chart,
                                          struct stj_error *err)
{
    stj_chart_title(chart, "Participation ratio of right singular vectors, N = %.0f",
                    stj_study_number(r, "n_params"));
    stj_axis_name(&chart->y, "participation", "parameters that take part, 1 / sum v^4");
    chart->y.log = true;
    return stj_study_chart_directions(r, "participation.right", chart, err);
}

static const struct stj_study_figure figures[] = {
    {"layers", "squared mass of singular vectors in each tensor and head, by region", layers_make},
    {"layers-participation", "parameters that take part in each right singular vector",
     make_participation},
    {.doc = NULL},
};

const struct stj_study_ops stj_study_layers = {
    .info = {.name = "layers",
             .doc = "where in the network the singular directions lie",
             .options = options,
             .config_size = sizeof(struct layers_config)},
    .description = "The squared mass of every known left and right singular vector in each tensor "
                   "and each head of attention, its mean by region beside the share of the "
                   "parameters, the same of single neurons, and the participation ratio of each "
                   "vector.",
    .example = "  spectraj study layers digits-run\n"
               "  spectraj plot digits-run layers\n",
    .needs = STJ_STUDY_NEEDS_DIRECTIONS,
    .run = layers_run,
    .print = layers_print,
    .figures = figures,
};
