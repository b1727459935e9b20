/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/p-whole-runs.c: the training Jacobian of networks that people train, with each of the common
 * optimizers: the adjoint identity, and differences of trainings. */
#include <stdlib.h>

#include "expect.h"
#include "op/difference.h"
#include "small_run.h"

#define LENET                                                                                      \
    "{input: [28, 28, 1], layers: [{type: conv2d, filters: 6, kernel: 5, padding: same}, relu, "   \
    "{type: average_pool, window: 2}, {type: conv2d, filters: 16, kernel: 5}, relu, "              \
    "{type: average_pool, window: 2}, flatten, {type: dense, units: 120}, relu, {type: dense, "    \
    "units: 84}, relu, {type: dense, units: 10}], loss: softmax_cross_entropy}"
#define CONV_BLOCK                                                                                 \
    "{type: residual, layers: [{type: conv2d, filters: 8, kernel: 3, padding: same}, batch_norm, " \
    "relu, {type: conv2d, filters: 8, kernel: 3, padding: same}, batch_norm]}, relu, "
#define ATTENTION_BLOCK                                                                            \
    "{type: residual, layers: [layer_norm, {type: attention, heads: 4, causal: true}]}, "          \
    "{type: residual, layers: [layer_norm, {type: dense, units: 64}, gelu, {type: dense, units: "  \
    "32}]}, "

static const struct {
    const char *name, *network;
    size_t batch;
} networks[] = {
    {"mlp",
     "{input: [64], layers: [{type: dense, units: 256}, gelu, {type: dense, units: 256}, gelu, "
     "{type: dense, units: 10}], loss: softmax_cross_entropy}",
     64},
    {"lenet-5", LENET, 20},
    {"residual conv net",
     "{input: [12, 12, 3], layers: [{type: conv2d, filters: 8, kernel: 3, padding: same}, "
     "batch_norm, relu, " CONV_BLOCK CONV_BLOCK "global_average_pool, {type: dense, units: 10}], "
     "loss: softmax_cross_entropy}",
     16},
    {"transformer",
     "{input: [16], layers: [{type: embedding, vocabulary: 32, width: 32}, "
     "positions, " ATTENTION_BLOCK ATTENTION_BLOCK "layer_norm, {type: dense, units: 32}], "
     "loss: softmax_cross_entropy}",
     12},
};
static const struct {
    const char *optimizer, *schedule;
} methods[] = {
    {"{type: sgd, momentum: 0.9}", "{schedule: cosine, peak: 0.05}"},
    {"{type: adam, eps_root: 1e-6}", "{schedule: cosine, peak: 0.001}"},
    {"{type: adamw, weight_decay: 0.05, eps_root: 1e-6}", "{schedule: cosine, peak: 0.001}"},
};

enum {
    N_METHODS = sizeof methods / sizeof methods[0],
    N_RUNS = N_METHODS * sizeof networks / sizeof networks[0]
};

/* Rounding: a product is a sum of n_steps Hessian products, each of them sums of at most some thousands of
 * terms whose errors add like a random walk: sqrt(1e4) eps = 2e-14 of the norms, and 1e-11 leaves room for
 * what one step amplifies. Differences: h^2 + eps / h of a map whose curvature grows with each step. */
START_TEST(jacobian_of_a_whole_run)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t network = (size_t)_i / N_METHODS;
    const size_t method = (size_t)_i % N_METHODS;
    const struct small_spec spec = {.network = networks[network].network,
                                    .optimizer = methods[method].optimizer,
                                    .schedule = methods[method].schedule,
                                    .rows = 3 * networks[network].batch,
                                    .batch = networks[network].batch,
                                    .steps = 6,
                                    .seed = 40 + (uint64_t)_i};
    struct small_run *run = small_run_create(&spec);
    struct stj_op *op = small_run_jacobian(run, 0, 0, 0, 0);
    struct stj_difference difference = {.error = 1};
    double adjoint = 1;
    EXPECT_OK(stj_op_adjoint_error(op, 2, spec.seed, &adjoint, &err), err);
    EXPECT_OK(stj_difference_check(op, spec.seed, 1e-5, &difference, NULL, &err), err);
    ck_assert_msg(adjoint <= 1e-11, "%s, %s, seed %zu: adjoint error %g", networks[network].name,
                  spec.optimizer, (size_t)spec.seed, adjoint);
    ck_assert_msg(difference.error <= 1e-5, "%s, %s, seed %zu: difference %g at h = %g, %zu single",
                  networks[network].name, spec.optimizer, (size_t)spec.seed, difference.error,
                  difference.step, difference.n_steps);
    printf("%s, %s: N %zu, adjoint %.1e, difference %.1e at h = %.0e%s\n", networks[network].name,
           spec.optimizer, run->n, adjoint, difference.error, difference.step,
           difference.n_steps ? ", single steps" : "");
    stj_op_destroy(op);
    small_run_destroy(run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("whole runs");
    TCase *tc = tcase_create("training Jacobian");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, jacobian_of_a_whole_run, 0, N_RUNS);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
