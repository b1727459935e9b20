/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/losses.h: every loss. */
#ifndef STJ_NET_LOSSES_LOSSES_H
#define STJ_NET_LOSSES_LOSSES_H

#include <stdint.h>

#include "data/dataset.h"
#include "net/loss.h"

extern const struct stj_loss_ops stj_loss_softmax_cross_entropy;
extern const struct stj_loss_ops stj_loss_mean_squared_error;
extern const struct stj_loss_ops stj_loss_binary_cross_entropy;
extern const struct stj_loss_ops stj_loss_negative_log_likelihood;
extern const struct stj_loss_ops stj_loss_hinge;
extern const struct stj_loss_ops stj_loss_l1;
extern const struct stj_loss_ops stj_loss_huber;
extern const struct stj_loss_ops stj_loss_smooth_l1;
extern const struct stj_loss_ops stj_loss_kullback_leibler;

/* Rows of option tables: the reduction of a loss, and what losses of labels have in common. */
extern const char *const stj_loss_reductions[]; /* mean, sum */

#define STJ_REDUCTION_OPTION                                                                       \
    {                                                                                              \
        .name = "reduction",                                                                       \
        .type = STJ_OPTION_CHOICE,                                                                 \
        .offset = offsetof(struct stj_loss_config, reduction),                                     \
        .fallback = "",                                                                            \
        .choices = stj_loss_reductions,                                                            \
        .doc = "mean over the batch and its terms (default), or their sum",                        \
    },                                                                                             \
        STJ_SAMPLE_WEIGHTS_OPTION
#define STJ_SAMPLE_WEIGHTS_OPTION                                                                  \
    {                                                                                              \
        .name = "sample_weights", .type = STJ_OPTION_STRING,                                       \
        .offset = offsetof(struct stj_loss_config, sample_weights), .fallback = "",                \
        .doc = "one of network.inputs: a factor for the loss of each sample, or of each position " \
               "of its output; a mean divides by the number of samples all the same",              \
    }
#define STJ_CLASS_WEIGHTS_OPTION                                                                   \
    {                                                                                              \
        .name = "class_weights", .type = STJ_OPTION_REALS,                                         \
        .offset = offsetof(struct stj_label_loss_config, class_weights), .fallback = "", .min = 0, \
        .max = INFINITY, .doc = "a factor for each class; default: 1",                             \
    }
#define STJ_IGNORE_INDEX_OPTION                                                                    \
    {                                                                                              \
        .name = "ignore_index", .type = STJ_OPTION_REAL,                                           \
        .offset = offsetof(struct stj_label_loss_config, ignore_index), .fallback = "",            \
        .present_offset = offsetof(struct stj_label_loss_config, has_ignore),                      \
        .doc = "a label whose position does not count, as -100 in PyTorch; default: none",         \
    }

/* For losses that have nothing but a reduction. */
extern const struct stj_option stj_reduction_options[];
size_t stj_loss_saves_nothing(const struct stj_shape *out);

/* The class of item r of a slice: of position r % positions of its sample. */
static inline size_t stj_item_label(const struct stj_targets *targets, size_t positions, size_t r)
{
    return targets->label[targets->row[r / positions] * positions + r % positions];
}

/* The factor of a label: of its class, 0 of one that is ignored. */
static inline double stj_label_weight(const struct stj_label_loss_config *config, size_t label)
{
    if (label == STJ_IGNORED_LABEL)
        return 0;
    return config->class_weights.n ? config->class_weights.item[label] : 1;
}

/* The sum of the factors over a sample's positions, per position. */
double stj_label_mass(const void *config, const struct stj_shape *out, size_t n,
                      const struct stj_targets *targets);

/* ignore_index is a whole number. */
enum stj_status stj_label_loss_check(const void *config, struct stj_error *err);

/* A loss of each output z and its target t: `term` gives its value (order 0), its first or second
 * derivative by z, or that by z and t.  Over a sample it is the mean of the outputs' terms. */
enum { STJ_TERM_BY_TARGET = 3 };
typedef double stj_loss_term(const void *config, int order, double z, double t);
double stj_terms_value(stj_loss_term *term, const void *config, const struct stj_shape *out,
                       size_t batch, real weight, const real *z, const struct stj_targets *targets);
void stj_terms_backward(stj_loss_term *term, const void *config, const struct stj_shape *out,
                        size_t batch, real weight, real *z_bar, const real *z,
                        const struct stj_targets *targets);
void stj_terms_backward_tangent(stj_loss_term *term, const void *config,
                                const struct stj_shape *out, size_t batch, real weight, size_t nvec,
                                real *z_bar_dot, const real *z, const struct stj_targets *targets,
                                const real *z_dot);

void stj_terms_by_target(stj_loss_term *term, const void *config, const struct stj_shape *out,
                         size_t batch, real weight, size_t nvec, real *to, const real *z,
                         const struct stj_targets *targets, const real *from);

/* The last of these as an operation. */
#define STJ_TERM_TARGETS(term)                                                                     \
    static void term##_by_target(const void *config, const struct stj_shape *out, size_t batch,    \
                                 real weight, size_t nvec, bool adjoint, real *to, const real *z,  \
                                 const struct stj_targets *targets, const real *saved,             \
                                 const real *from)                                                 \
    {                                                                                              \
        (void)adjoint; /* it is diagonal */                                                        \
        (void)saved;                                                                               \
        stj_terms_by_target(term, config, out, batch, weight, nvec, to, z, targets, from);         \
    }

/* The operations of such a loss, by its term. */
#define STJ_TERMS_OPERATIONS(term)                                                                 \
    static double term##_value(const void *config, const struct stj_shape *out, size_t batch,      \
                               real weight, const real *z, const struct stj_targets *targets,      \
                               real *saved)                                                        \
    {                                                                                              \
        (void)saved;                                                                               \
        return stj_terms_value(term, config, out, batch, weight, z, targets);                      \
    }                                                                                              \
    static void term##_backward(const void *config, const struct stj_shape *out, size_t batch,     \
                                real weight, real *z_bar, const real *z,                           \
                                const struct stj_targets *targets, const real *saved)              \
    {                                                                                              \
        (void)saved;                                                                               \
        stj_terms_backward(term, config, out, batch, weight, z_bar, z, targets);                   \
    }                                                                                              \
    static void term##_backward_tangent(const void *config, const struct stj_shape *out,           \
                                        size_t batch, real weight, size_t nvec, real *z_bar_dot,   \
                                        const real *z, const struct stj_targets *targets,          \
                                        const real *saved, const real *z_dot)                      \
    {                                                                                              \
        (void)saved;                                                                               \
        stj_terms_backward_tangent(term, config, out, batch, weight, nvec, z_bar_dot, z, targets,  \
                                   z_dot);                                                         \
    }                                                                                              \
    STJ_TERM_TARGETS(term)
#define STJ_TERMS_SLOTS(term)                                                                      \
    .n_saved = stj_loss_saves_nothing, .value = term##_value, .backward = term##_backward,         \
    .backward_tangent = term##_backward_tangent, .by_target = term##_by_target

#endif
