/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/losses/losses.c: the registry of losses, and what they have in common: reductions, weights of
 * labels, losses of one output and its target each.
 *
 * A mean over a batch is over its samples and, in each, over their terms.  With class weights w or
 * ignored labels it is PyTorch's: sum_i w_i loss_i / sum_i w_i over all positions i of the batch,
 * w_i being the weight of the label of i, or 0.  The divisor is of the whole batch, so whoever has
 * that computes it (`mass`), whatever slices the batch is cut into.
 */
#include "net/losses/losses.h"

#include <math.h>

#include "base/error.h"

static const struct stj_plugin_info *const loss_list[] = {
    &stj_loss_softmax_cross_entropy.info,
    &stj_loss_mean_squared_error.info,
    &stj_loss_binary_cross_entropy.info,
    &stj_loss_negative_log_likelihood.info,
    &stj_loss_hinge.info,
    &stj_loss_l1.info,
    &stj_loss_huber.info,
    &stj_loss_smooth_l1.info,
    &stj_loss_kullback_leibler.info,
    NULL,
};

const struct stj_kind stj_losses = {.what = "loss", .list = loss_list};

/* ---- reductions ---- */

const char *const stj_loss_reductions[] = {"mean", "sum", NULL};

const struct stj_option stj_reduction_options[] = {
    STJ_REDUCTION_OPTION,
    {.name = NULL},
};

size_t stj_loss_saves_nothing(const struct stj_shape *out)
{
    (void)out;
    return 0;
}

bool stj_loss_has_mass(const struct stj_loss_ops *loss, const void *config,
                       const struct stj_targets *targets)
{
    const struct stj_label_loss_config *c = config;
    return loss->mass && targets->label && c->common.reduction == STJ_REDUCE_MEAN &&
           (c->class_weights.n || c->has_ignore);
}

real stj_loss_weight(const struct stj_loss_ops *loss, const void *config,
                     const struct stj_shape *out, size_t n, double mass)
{
    const struct stj_loss_config *c = config;
    const real terms = (real)(loss->wants_labels ? stj_shape_positions(out) : stj_shape_size(out));
    if (c->reduction == STJ_REDUCE_SUM)
        return terms;
    if (c->reduction == STJ_REDUCE_BATCH_MEAN)
        return terms / (real)n;
    return 1 / (real)mass;
}

/* ---- labels ---- */

double stj_label_mass(const void *config, const struct stj_shape *out, size_t n,
                      const struct stj_targets *targets)
{
    const size_t positions = stj_shape_positions(out);
    double sum = 0;
    for (size_t r = 0; r < n * positions; r++)
        sum += stj_label_weight(config, stj_item_label(targets, positions, r));
    return sum / (double)positions;
}

enum stj_status stj_label_loss_check(const void *config, struct stj_error *err)
{
    const struct stj_label_loss_config *c = config;
    STJ_NEED(err, !c->has_ignore || (c->ignore_index == floor(c->ignore_index)), STJ_ECONFIG,
             "ignore_index is %g, a label is a whole number", c->ignore_index);
    return STJ_OK;
}

/* ---- terms ---- */

double stj_terms_value(stj_loss_term *term, const void *config, const struct stj_shape *out,
                       size_t batch, real weight, const real *z, const struct stj_targets *targets)
{
    const size_t n = stj_shape_size(out);
    double sum = 0;
    for (size_t i = 0; i < batch * n; i++)
        sum += term(config, 0, (double)z[i], targets->value[targets->row[i / n] * n + i % n]);
    return (double)weight * sum / (double)n;
}

void stj_terms_backward(stj_loss_term *term, const void *config, const struct stj_shape *out,
                        size_t batch, real weight, real *z_bar, const real *z,
                        const struct stj_targets *targets)
{
    const size_t n = stj_shape_size(out);
    const real w = weight / (real)n;
    for (size_t i = 0; i < batch * n; i++)
        z_bar[i] = w * (real)term(config, 1, (double)z[i],
                                  targets->value[targets->row[i / n] * n + i % n]);
}

void stj_terms_backward_tangent(stj_loss_term *term, const void *config,
                                const struct stj_shape *out, size_t batch, real weight, size_t nvec,
                                real *z_bar_dot, const real *z, const struct stj_targets *targets,
                                const real *z_dot)
{
    const size_t n = stj_shape_size(out), cols = stj_shape_cols(out);
    const real w = weight / (real)n;
    for (size_t i = 0; i < batch * n; i++) {
        const double t = targets->value[targets->row[i / n] * n + i % n];
        const real curvature = w * (real)term(config, 2, (double)z[i], t);
        for (size_t j = 0; j < nvec; j++) {
            const size_t at = (i / cols * nvec + j) * cols + i % cols;
            z_bar_dot[at] = curvature * z_dot[at];
        }
    }
}

void stj_terms_by_target(stj_loss_term *term, const void *config, const struct stj_shape *out,
                         size_t batch, real weight, size_t nvec, real *to, const real *z,
                         const struct stj_targets *targets, const real *from)
{
    const size_t n = stj_shape_size(out), cols = stj_shape_cols(out);
    for (size_t i = 0; i < batch * n; i++) {
        const double t = targets->value[targets->row[i / n] * n + i % n];
        const real m = weight / (real)n * (real)term(config, STJ_TERM_BY_TARGET, (double)z[i], t);
        for (size_t j = 0; j < nvec; j++) {
            const size_t at = (i / cols * nvec + j) * cols + i % cols;
            to[at] += m * from[at];
        }
    }
}
