/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-layers.c: what every layer of the registry must satisfy, on random instances of it.
 *
 * With z = (x, x2, theta), a direction u of it, F(z) = y and B(z, y_bar) = (x_bar, x2_bar,
 * theta_bar):
 *
 *     differences   forward_tangent and backward_tangent against central differences of F and B
 *     remainder     |F(z + h u) - F(z) - h F'u| falls with slope 2 in h, or is rounding; so for B
 *     adjoint       <y_bar, F'u> = <B, u>
 *     symmetry      <w, B_z u> = <u, B_z w>, and B_y_bar applied to v is B at v
 *     block         the columns of a block of tangents agree with single ones
 *     null          absent tangents are zero, absent outputs change nothing, beta 1 accumulates
 *     slices        the slices of a batch agree with the whole
 *
 * Layers with kinks have the derivative that forward chose: a step across a kink spoils differences
 * and remainders, so these are drawn again, a few times; a wrong derivative fails every time.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "layer_subject.h"

enum { MOST_DRAWS = 4 };

static double dot(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static double norm(size_t n, const double *x)
{
    return sqrt(dot(n, x, x));
}

static double distance(size_t n, const double *x, const double *y)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sqrt(sum);
}

static double *zeros(size_t n)
{
    return calloc(n + 1, sizeof(double));
}

/* A point, an adjoint of the output, and directions of both. */
struct draw {
    double *z, *y_bar, *u, *y_bar_dot;
    struct pass at;
};

static struct draw draw_new(struct subject *s)
{
    struct draw d = {.z = subject_normal(s, s->n),
                     .y_bar = subject_normal(s, s->n_y),
                     .u = subject_normal(s, s->n),
                     .y_bar_dot = subject_normal(s, s->n_y)};
    d.at = subject_pass(s, d.z, d.y_bar);
    return d;
}

static void draw_free(struct draw *d)
{
    subject_pass_free(&d->at);
    free(d->z);
    free(d->y_bar);
    free(d->u);
    free(d->y_bar_dot);
}

/* F or B as one map of (z, y_bar) along the direction (u, y_bar_dot). */
enum stage { FORWARD, BACKWARD };
static const char *const stage_name[] = {"forward", "backward"};

static size_t n_values(const struct subject *s, enum stage stage)
{
    return stage == FORWARD ? s->n_y : s->n;
}

/* out <- the map at distance h. */
static void value_at(const struct subject *s, enum stage stage, const struct draw *d, double h,
                     double *out)
{
    double *z = zeros(s->n);
    double *y_bar = zeros(s->n_y);
    for (size_t i = 0; i < s->n; i++)
        z[i] = d->z[i] + h * d->u[i];
    for (size_t i = 0; i < s->n_y; i++)
        y_bar[i] = d->y_bar[i] + h * d->y_bar_dot[i];
    struct pass p = subject_pass(s, z, y_bar);
    if (stage == FORWARD)
        memcpy(out, p.y, s->n_y * sizeof *out);
    else
        subject_backward(s, subject_whole(s), &p, 0, PART_ALL, out);
    subject_pass_free(&p);
    free(z);
    free(y_bar);
}

static void slope_at(const struct subject *s, enum stage stage, const struct draw *d, double *out)
{
    const struct range whole = subject_whole(s);
    if (stage == FORWARD)
        subject_forward_tangent(s, whole, &d->at, 1, PART_ALL, d->u, out);
    else
        subject_backward_tangent(s, whole, &d->at, 1, PART_ALL, d->u, d->y_bar_dot, 0, PART_ALL,
                                 out);
}

/* Relative error of central differences, the best over h.  Their error is h^2 |F'''|/6 + eps |F|/h:
 * near h = 1e-5 of order 1e-10 for derivatives of order one; 1e-7 leaves room for larger ones. */
static double difference_error(struct subject *s, enum stage stage)
{
    const size_t n = n_values(s, stage);
    struct draw d = draw_new(s);
    double *slope = zeros(n);
    double *value[2] = {zeros(n), zeros(n)};
    double best = INFINITY;
    slope_at(s, stage, &d, slope);
    for (double h = 1e-3; h > 5e-9; h /= 10) {
        value_at(s, stage, &d, h, value[0]);
        value_at(s, stage, &d, -h, value[1]);
        const double scale = norm(n, slope) + norm(n, value[0]) + DBL_MIN;
        for (size_t i = 0; i < n; i++)
            value[0][i] = (value[0][i] - value[1][i]) / (2 * h);
        best = fmin(best, distance(n, value[0], slope) / scale);
    }
    free(slope);
    free(value[0]);
    free(value[1]);
    draw_free(&d);
    return best;
}

static void differences(struct subject *s)
{
    for (enum stage stage = FORWARD; stage <= BACKWARD; stage++) {
        double error = INFINITY;
        for (int i = 0; i < MOST_DRAWS && !(error <= 1e-7); i++)
            error = difference_error(s, stage);
        char property[64];
        snprintf(property, sizeof property, "differences of %s", stage_name[stage]);
        subject_expect(s, property, error, 1e-7);
    }
}

/* Largest distance of the remainder's slope from 2 over h = 2^-12 .. 2^-16.  Where the smaller of
 * two remainders is within 100 roundings, the larger must be within four times that. */
static double slope_error(struct subject *s, enum stage stage)
{
    enum { N_STEPS = 5 };
    const size_t n = n_values(s, stage);
    struct draw d = draw_new(s);
    double *slope = zeros(n);
    double *here = zeros(n);
    double *there = zeros(n);
    double remainder[N_STEPS];
    double worst = 0;
    slope_at(s, stage, &d, slope);
    value_at(s, stage, &d, 0, here);
    const double floor = 100 * subject_rounding(s, norm(n, here));
    for (int k = 0; k < N_STEPS; k++) {
        const double h = ldexp(1, -12 - k);
        value_at(s, stage, &d, h, there);
        for (size_t i = 0; i < n; i++)
            there[i] -= here[i] + h * slope[i];
        remainder[k] = norm(n, there);
    }
    for (int k = 0; k + 1 < N_STEPS; k++)
        if (remainder[k + 1] > floor || remainder[k] > 5 * floor)
            worst = fmax(worst, fabs(log2(remainder[k] / remainder[k + 1]) - 2));
    free(slope);
    free(here);
    free(there);
    draw_free(&d);
    return worst;
}

static void taylor(struct subject *s)
{
    for (enum stage stage = FORWARD; stage <= BACKWARD; stage++) {
        double error = INFINITY;
        for (int i = 0; i < MOST_DRAWS && !(error <= 0.1); i++)
            error = slope_error(s, stage);
        char property[64];
        snprintf(property, sizeof property, "slope of the remainder of %s", stage_name[stage]);
        subject_expect(s, property, error, 0.1);
    }
}

static void adjoint(struct subject *s)
{
    struct draw d = draw_new(s);
    double *y_dot = zeros(s->n_y);
    double *bar = zeros(s->n);
    subject_forward_tangent(s, subject_whole(s), &d.at, 1, PART_ALL, d.u, y_dot);
    subject_backward(s, subject_whole(s), &d.at, 0, PART_ALL, bar);
    const double defect = fabs(dot(s->n_y, d.y_bar, y_dot) - dot(s->n, bar, d.u));
    const double scale =
        norm(s->n_y, d.y_bar) * norm(s->n_y, y_dot) + norm(s->n, bar) * norm(s->n, d.u);
    subject_expect(s, "adjoint identity", defect, 1e-13 * scale);
    free(y_dot);
    free(bar);
    draw_free(&d);
}

/* B_z is the Hessian of <y_bar, F>; B is linear in y_bar. */
static void symmetry(struct subject *s)
{
    const struct range whole = subject_whole(s);
    struct draw d = draw_new(s);
    double *w = subject_normal(s, s->n);
    double *zero = zeros(s->n + s->n_y);
    double *hu = zeros(s->n);
    double *hw = zeros(s->n);
    subject_backward_tangent(s, whole, &d.at, 1, PART_ALL, d.u, zero, 0, PART_ALL, hu);
    subject_backward_tangent(s, whole, &d.at, 1, PART_ALL, w, zero, 0, PART_ALL, hw);
    const double defect = fabs(dot(s->n, w, hu) - dot(s->n, d.u, hw));
    const double scale = norm(s->n, w) * norm(s->n, hu) + norm(s->n, d.u) * norm(s->n, hw);
    subject_expect(s, "symmetry", defect, 1e-13 * scale);
    struct pass other = subject_pass(s, d.z, d.y_bar_dot);
    subject_backward_tangent(s, whole, &d.at, 1, PART_ALL, zero, d.y_bar_dot, 0, PART_ALL, hu);
    subject_backward(s, whole, &other, 0, PART_ALL, hw);
    subject_expect(s, "linearity in y_bar", distance(s->n, hu, hw),
                   subject_rounding(s, norm(s->n, hw)));
    subject_pass_free(&other);
    free(w);
    free(zero);
    free(hu);
    free(hw);
    draw_free(&d);
}

/* Column by column: |block - single| to rounding of the norms that come in and go out. */
static void compare_columns(const struct subject *s, const char *property, size_t n, size_t nvec,
                            const double *block, const double *single, double scale)
{
    for (size_t j = 0; j < nvec; j++)
        subject_expect(s, property, distance(n, block + j * n, single + j * n),
                       subject_rounding(s, scale + norm(n, single + j * n)));
}

static void blocks(struct subject *s)
{
    const struct range whole = subject_whole(s);
    const size_t nvec = s->nvec;
    struct draw d = draw_new(s);
    double *u = subject_normal(s, s->n * nvec);
    double *v = subject_normal(s, s->n_y * nvec);
    double *u_tile = zeros(s->n * nvec);
    double *v_tile = zeros(s->n_y * nvec);
    double *y_tile = zeros(s->n_y * nvec);
    double *z_tile = zeros(s->n * nvec);
    double *block = zeros((s->n + s->n_y) * nvec);
    double *single = zeros((s->n + s->n_y) * nvec);
    stj_block_pack(&s->point, nvec, u, s->n, u_tile);
    stj_block_pack(&s->out, nvec, v, s->n_y, v_tile);
    subject_forward_tangent(s, whole, &d.at, nvec, PART_ALL, u_tile, y_tile);
    subject_backward_tangent(s, whole, &d.at, nvec, PART_ALL, u_tile, v_tile, 0, PART_ALL, z_tile);
    stj_block_unpack(&s->out, nvec, y_tile, block, s->n_y);
    stj_block_unpack(&s->point, nvec, z_tile, block + s->n_y * nvec, s->n);
    for (size_t j = 0; j < nvec; j++) {
        subject_forward_tangent(s, whole, &d.at, 1, PART_ALL, u + j * s->n, single + j * s->n_y);
        subject_backward_tangent(s, whole, &d.at, 1, PART_ALL, u + j * s->n, v + j * s->n_y, 0,
                                 PART_ALL, single + s->n_y * nvec + j * s->n);
    }
    const double scale = norm(s->n, u) + norm(s->n_y, v);
    compare_columns(s, "a block of forward_tangent", s->n_y, nvec, block, single, scale);
    compare_columns(s, "a block of backward_tangent", s->n, nvec, block + s->n_y * nvec,
                    single + s->n_y * nvec, scale);
    free(u);
    free(v);
    free(u_tile);
    free(v_tile);
    free(y_tile);
    free(z_tile);
    free(block);
    free(single);
    draw_free(&d);
}

/* Tangents of x and x2 left out in turn, against zeros. */
static void absent_tangents(struct subject *s)
{
    const struct range whole = subject_whole(s);
    struct draw d = draw_new(s);
    double *y[2] = {zeros(s->n_y), zeros(s->n_y)};
    double *bar[2] = {zeros(s->n), zeros(s->n)};
    double *u = zeros(s->n);
    for (unsigned given = PART_THETA; given < PART_ALL; given++) {
        memcpy(u, d.u, s->n * sizeof *u);
        if (!(given & PART_X))
            memset(u, 0, s->n_x * sizeof *u);
        if (!(given & PART_X2))
            memset(u + s->n_x, 0, s->n_x2 * sizeof *u);
        for (unsigned k = 0; k < 2; k++) {
            const unsigned parts = k ? PART_ALL : given;
            subject_forward_tangent(s, whole, &d.at, 1, parts, u, y[k]);
            subject_backward_tangent(s, whole, &d.at, 1, parts, u, d.y_bar_dot, 0, PART_ALL,
                                     bar[k]);
        }
        subject_expect(s, "absent x_dot in forward_tangent", distance(s->n_y, y[0], y[1]),
                       subject_rounding(s, norm(s->n_y, y[1]) + norm(s->n, u)));
        subject_expect(s, "absent x_dot in backward_tangent", distance(s->n, bar[0], bar[1]),
                       subject_rounding(s, norm(s->n, bar[1]) + norm(s->n, u)));
    }
    for (int k = 0; k < 2; k++) {
        free(y[k]);
        free(bar[k]);
    }
    free(u);
    draw_free(&d);
}

/* Every choice of wanted outputs, with beta 0 and 1: a part that is not wanted stays as it was. */
static void wanted_outputs(struct subject *s)
{
    const struct range whole = subject_whole(s);
    const size_t part[4] = {0, s->n_x, s->n_x + s->n_x2, s->n};
    struct draw d = draw_new(s);
    double *full[2] = {zeros(s->n), zeros(s->n)};
    double *before = subject_normal(s, s->n);
    double *got = zeros(s->n);
    double *want = zeros(s->n);
    subject_backward(s, whole, &d.at, 0, PART_ALL, full[0]);
    subject_backward_tangent(s, whole, &d.at, 1, PART_ALL, d.u, d.y_bar_dot, 0, PART_ALL, full[1]);
    for (unsigned wanted = 0; wanted <= PART_ALL; wanted++)
        for (int beta = 0; beta < 2; beta++)
            for (int tangent = 0; tangent < 2; tangent++) {
                memcpy(got, before, s->n * sizeof *got);
                if (tangent)
                    subject_backward_tangent(s, whole, &d.at, 1, PART_ALL, d.u, d.y_bar_dot, beta,
                                             wanted, got);
                else
                    subject_backward(s, whole, &d.at, beta, wanted, got);
                for (unsigned k = 0; k < 3; k++)
                    for (size_t i = part[k]; i < part[k + 1]; i++) {
                        const bool keeps = !(wanted & (1u << k)) || (beta && k < 2);
                        want[i] =
                            (wanted & (1u << k) ? full[tangent][i] : 0) + (keeps ? before[i] : 0);
                    }
                subject_expect(s, "wanted outputs and beta", distance(s->n, got, want),
                               subject_rounding(s, norm(s->n, full[tangent]) + norm(s->n, before)));
            }
    free(full[0]);
    free(full[1]);
    free(before);
    free(got);
    free(want);
    draw_free(&d);
}

/* y, y_dot, bar and bar_dot of the whole batch, made in one call or in two slices. */
struct outcome {
    double *y, *y_dot, *bar, *bar_dot;
};

/* Run the ranges one after another; shares of theta_bar are added. */
static struct outcome run_ranges(const struct subject *s, const struct draw *d, const double *u,
                                 const double *v, size_t n_ranges, const struct range *range,
                                 bool forward_whole)
{
    const size_t nvec = s->nvec;
    const size_t n_bar = s->n_x + s->n_x2;
    struct outcome o = {zeros(s->n_y), zeros(s->n_y * nvec), zeros(s->n), zeros(s->n * nvec)};
    double *share = zeros(s->n * nvec);
    struct pass p = subject_pass(s, d->z, d->y_bar);
    for (size_t k = 0; !forward_whole && k < n_ranges; k++)
        subject_forward(s, range[k], &p);
    for (size_t k = 0; k < n_ranges; k++) {
        double *theta_share = share + n_bar;
        subject_forward_tangent(s, range[k], &p, nvec, PART_ALL, u, o.y_dot);
        subject_backward(s, range[k], &p, 0, PART_X | PART_X2, o.bar);
        subject_backward(s, range[k], &p, 0, PART_THETA, share);
        for (size_t i = 0; i < s->n_theta; i++)
            o.bar[n_bar + i] += theta_share[i];
        theta_share = share + n_bar * nvec;
        subject_backward_tangent(s, range[k], &p, nvec, PART_ALL, u, v, 0, PART_X | PART_X2,
                                 o.bar_dot);
        subject_backward_tangent(s, range[k], &p, nvec, PART_ALL, u, v, 0, PART_THETA, share);
        for (size_t i = 0; i < s->n_theta * nvec; i++)
            o.bar_dot[n_bar * nvec + i] += theta_share[i];
    }
    memcpy(o.y, p.y, s->n_y * sizeof *o.y);
    subject_pass_free(&p);
    free(share);
    return o;
}

static void outcome_free(struct outcome *o)
{
    free(o->y);
    free(o->y_dot);
    free(o->bar);
    free(o->bar_dot);
}

static void slices(struct subject *s)
{
    if (s->batch == 1)
        return;
    const size_t cut = 1 + stj_rng_index(s->rng, s->batch - 1);
    const struct range whole = subject_whole(s);
    const struct range part[2] = {{cut, s->batch - cut}, {0, cut}};
    struct draw d = draw_new(s);
    double *u = subject_normal(s, s->n * s->nvec);
    double *v = subject_normal(s, s->n_y * s->nvec);
    struct outcome want = run_ranges(s, &d, u, v, 1, &whole, true);
    const double in = norm(s->n * s->nvec, u) + norm(s->n_y * s->nvec, v) + norm(s->n, d.z);
    for (int forward_whole = 0; forward_whole < 2; forward_whole++) {
        s->cut = cut;
        struct outcome got = run_ranges(s, &d, u, v, 2, part, forward_whole);
        s->cut = 0;
        subject_expect(s, "slices of forward", distance(s->n_y, got.y, want.y),
                       subject_rounding(s, in + norm(s->n_y, want.y)));
        subject_expect(s, "slices of forward_tangent",
                       distance(s->n_y * s->nvec, got.y_dot, want.y_dot),
                       subject_rounding(s, in + norm(s->n_y * s->nvec, want.y_dot)));
        subject_expect(s, "slices of backward", distance(s->n, got.bar, want.bar),
                       subject_rounding(s, in + norm(s->n, want.bar)));
        subject_expect(s, "slices of backward_tangent",
                       distance(s->n * s->nvec, got.bar_dot, want.bar_dot),
                       subject_rounding(s, in + norm(s->n * s->nvec, want.bar_dot)));
        outcome_free(&got);
    }
    outcome_free(&want);
    free(u);
    free(v);
    draw_free(&d);
}

#define LAYER_TEST(property)                                                                       \
    START_TEST(every_layer_##property)                                                             \
    {                                                                                              \
        subject_each((size_t)_i, property);                                                        \
    }                                                                                              \
    END_TEST

LAYER_TEST(differences)
LAYER_TEST(taylor)
LAYER_TEST(adjoint)
LAYER_TEST(symmetry)
LAYER_TEST(blocks)
LAYER_TEST(absent_tangents)
LAYER_TEST(wanted_outputs)
LAYER_TEST(slices)

int main(void)
{
    const int n = (int)subject_n_kinds();
    Suite *suite = suite_create("layers");
    TCase *tc = tcase_create("conformance");
    tcase_set_timeout(tc, 60 * fmax(1, (double)subject_n_seeds() / 40));
    tcase_add_loop_test(tc, every_layer_differences, 0, n);
    tcase_add_loop_test(tc, every_layer_taylor, 0, n);
    tcase_add_loop_test(tc, every_layer_adjoint, 0, n);
    tcase_add_loop_test(tc, every_layer_symmetry, 0, n);
    tcase_add_loop_test(tc, every_layer_blocks, 0, n);
    tcase_add_loop_test(tc, every_layer_absent_tangents, 0, n);
    tcase_add_loop_test(tc, every_layer_wanted_outputs, 0, n);
    tcase_add_loop_test(tc, every_layer_slices, 0, n);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
