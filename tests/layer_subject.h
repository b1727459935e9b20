/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/layer_subject.h: a layer under test: an instance of it, and its four functions behind
 * checks.
 *
 * The *point* of a subject is one vector z = (x, x2, theta) over the whole batch; whole numbers for
 * words, the input of an embedding, are not part of it.  Tangents of the point and of the
 * output are tiles (base/block.h) of the layouts `point` and `out`.
 *
 * Every call gives the function copies of its inputs and outputs of their exact sizes, outputs and
 * scratch filled with NaN, and fails the test when an input or a number beyond an output has
 * changed, or an output holds a NaN.  Of `saved`, numbers that nobody reads may stay unset.
 */
#ifndef STJ_TESTS_LAYER_SUBJECT_H
#define STJ_TESTS_LAYER_SUBJECT_H

#include "base/rng.h"
#include "net/network.h"

struct subject {
    const struct stj_layer *layer;
    const char *name; /* of the plug-in that the instance is a sample of */
    char text[1024];  /* the instance */
    uint64_t seed;
    size_t batch, step, nvec;
    size_t cut; /* samples of the first of two slices, where the batch is in two; 0: it is whole */
    size_t n_in, n_in2, n_y1;          /* a sample's reals */
    size_t n_x, n_x2, n_theta, n, n_y; /* of the whole batch; n = n_x + n_x2 + n_theta */
    struct stj_layout point, out;
    double *ids; /* the input, when it stands for words; n_x is 0 then */
    struct stj_rng *rng;
    struct stj_network_config config;
    struct stj_network *net;
};

/* Number of layers in the registry, and of instances per layer (STJ_TEST_MULTIPLIER times more). */
size_t subject_n_kinds(void);
size_t subject_n_seeds(void);

/* Run a property on the instances of registry entry `kind`, and on every node of each. */
void subject_each(size_t kind, void (*property)(struct subject *s));

/* n normal numbers of the subject's own stream; free them. */
double *subject_normal(struct subject *s, size_t n);

/* The primal pass at a point. */
struct pass {
    double *z, *y_bar, *y, *saved;
};

struct pass subject_pass(const struct subject *s, const double *z, const double *y_bar);
void subject_pass_free(struct pass *p);

/* The parts of a point: which are wanted of a backward, which are given to a forward_tangent. */
enum { PART_X = 1, PART_X2 = 2, PART_THETA = 4, PART_ALL = 7 };

/* Samples first .. first + n - 1 of the batch; tiles are always those of the whole batch. */
struct range {
    size_t first, n;
};
struct range subject_whole(const struct subject *s);
/* Slice k of the two that `cut` makes. */
struct range subject_slice(const struct subject *s, size_t k);

void subject_forward(const struct subject *s, struct range r, struct pass *p);
void subject_forward_tangent(const struct subject *s, struct range r, const struct pass *p,
                             size_t nvec, unsigned given, const double *u, double *y_dot);
void subject_backward(const struct subject *s, struct range r, const struct pass *p, double beta,
                      unsigned wanted, double *bar);
void subject_backward_tangent(const struct subject *s, struct range r, const struct pass *p,
                              size_t nvec, unsigned given, const double *u, const double *y_bar_dot,
                              double beta, unsigned wanted, double *bar_dot);

/* Fail the test unless error <= bound (a NaN fails). */
void subject_expect(const struct subject *s, const char *property, double error, double bound);

/* Rounding of sums of as many terms as the layer can form, of magnitude `scale`. */
double subject_rounding(const struct subject *s, double scale);

#endif
