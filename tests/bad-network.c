/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bad-network.c: networks and data that do not fit, and what is said about each. */
#include <stdlib.h>
#include <string.h>

#include "options/yaml.h"
#include "expect.h"
#include "train/network_problem.h"

/* Parse a network's text and build it; the caller destroys what came to be. */
static enum stj_status build(const char *text, struct stj_network_config *config,
                             struct stj_network **net, struct stj_error *err)
{
    struct stj_yaml_node *root = NULL;
    enum stj_status st = stj_yaml_parse(text, strlen(text), "test", &root, err);
    if (st == STJ_OK)
        st = stj_options_parse(stj_network_options, root, config, err);
    if (st == STJ_OK)
        st = stj_network_create(config, net, err);
    stj_yaml_destroy(root);
    return st;
}

static const struct {
    const char *layers;  /* "[input], layers: [...]" */
    const char *message; /* NULL: nothing is wrong with them */
} bad_layers[] = {
    {"[4], layers: []", "network.layers is empty"},
    {"[4], layers: [{type: dense, units: 0}]", "units: expected an integer of at least 1"},
    {"[4], layers: [{type: dens, units: 1}]", "unknown layer 'dens' (did you mean 'dense'?)"},
    {"[4], layers: [tanh]", "no parameters: nothing to train"},
    {"[4], layers: [{type: gelu, form: exact}]", "form: expected one of tanh, erf"},
    {"[4], layers: [{type: dropout, rate: 1}]", "rate: "},
    {"[4], layers: [{type: layer_norm, eps: 0}]", "eps: "},
    {"[3, 4], layers: [{type: attention, heads: 3}]",
     "layer 'attention0.qkv': 3 heads do not divide the width 4 of its input"},
    {"[3, 4], layers: [{type: attention, heads: 0}]", "heads: expected an integer of at least 1"},
    {"[4], layers: [{type: attention, heads: 2, name: mix}]",
     "layer 'mix.qkv': its input is 4, it needs [positions, width]"},
    {"[3, 4], layers: [{type: residual, layers: []}]", "layer 'residual0': `layers` is empty"},
    {"[3, 4], layers: [{type: residual, layers: [{type: dense, units: 5}, tanh]}]",
     "layer 'residual2': the layers of a residual group must keep its shape, these turn 3x4 into "
     "3x5"},
    {"[3, 4], layers: [{type: residual, layers: [{type: attention, heads: 5}]}]",
     "layer 'attention0.qkv': 5 heads do not divide"},
    {"[4], layers: [{type: dense, units: 3}, {type: embedding, vocabulary: 5, width: 2}]",
     "layer 'embedding1' reads token ids, but its input is the output of layer 'dense0'"},
/* Windows, groups and what else an option cannot say alone. */
#define CONV "{type: conv2d, filters: 4, kernel: 3, "
    {"[5, 5, 4], layers: [" CONV "padding: sane}]",
     "padding: expected a list of integers or one of"},
    {"[5, 5, 4], layers: [" CONV "padding: causal}]", "one of valid, same"},
    {"[5, 5, 4], layers: [" CONV "padding: -1}]", "padding: expected a list of integers or one of"},
    {"[5, 5, 4], layers: [" CONV "padding: [1, 2, 3]}]",
     "layer 'conv2d0': padding has 3 numbers, give N, [vertical, horizontal] or [top, bottom, "
     "left"},
    {"[5, 5, 4], layers: [" CONV "dilation: 3}]", "kernel 3x3 is larger than its input 5x5x4"},
    {"[5, 5, 4], layers: [" CONV "groups: 3}]", "3 groups do not divide the 4 channels"},
    {"[5, 5, 8], layers: [" CONV "groups: 8}]", "8 groups do not divide its 4 filters"},
    {"[5, 4], layers: [" CONV "bias: false}]", "conv2d slides over height x width x channels"},
#undef CONV
    {"[5, 5, 4], layers: [{type: conv1d, filters: 1, kernel: 1}]", "over positions x channels"},
    {"[5, 4], layers: [{type: conv1d, filters: 1, kernel: [1, 1]}]",
     "kernel has 2 numbers, give one"},
    {"[5, 4], layers: [{type: conv1d, filters: 1, kernel: 1, padding: [0, 1, 0, 1]}]",
     "padding has 4 numbers, give N or [before, behind]"},
    {"[5, 5, 4], layers: [{type: max_pool, window: 2, padding: 2}]",
     "some windows see nothing but padding"},
    {"[2, 3, 4], layers: [{type: pad, padding: 2, mode: reflect}]",
     "padding 2 of the mode reflect is more than the 1 numbers there are"},
    {"[5, 5, 4], layers: [{type: conv2d_transpose, filters: 1, kernel: 3, output_padding: 1}]",
     "output_padding 1 must be below the stride 1 or the dilation 1"},
    {"[1, 1, 4], layers: [{type: conv2d_transpose, filters: 1, kernel: 2, padding: 1}]",
     "padding cuts 2 off an output of 2"},
    {"[4], layers: [{type: adaptive_average_pool, output: 1}]", "takes means over positions"},
    {"[3, 4], layers: [{type: adaptive_average_pool, output: [1, 2]}]",
     "output has 2 numbers, give one"},
    {"[3, 4], layers: [{type: upsample, factor: [1, 2]}]", "factor has 2 numbers, give one"},
    {"[3, 4], layers: [{type: group_norm, groups: 3}]", "3 groups do not divide the 4 channels"},
    {"[4], layers: [{type: instance_norm}]", "a group of one number has no variance"},
    {"[3, 4], layers: [{type: attention, heads: 4, kv_heads: 3}]",
     "3 kv_heads do not divide 4 heads"},
    {"[3, 6], layers: [{type: attention, heads: 2, rope: {}}]", "rope turns pairs of numbers"},
    {"[3, 4], layers: [{type: attention, heads: 2, rope: {fraction: 0}}]", "fraction: "},
    {"[4], layers: [{type: lstm, units: 2}]", "its input is 4, it needs [positions, channels]"},
/* Names, one of which could mean two things, or would not stand in a list or table. */
#define DENSE(name) "{type: dense, units: 2, name: " name "}"
    {"[2], layers: [" DENSE("a") ", tanh, " DENSE("a") "]", "two layers are called 'a'"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, name: a}]", "two layers are called 'a'"},
    {"[2], layers: [{type: dense, units: 2}, " DENSE("dense0") "]", "are called 'dense0'"},
    {"[2], layers: [" DENSE("dense1") ", {type: dense, units: 2}]", "are called 'dense1'"},
    {"[2], layers: [{type: dense, units: 2}, " DENSE("dense0.kernel") "]",
     "'dense0.kernel' would be a tensor of the layer 'dense0'"},
    {"[2], layers: [" DENSE("a-b") ", " DENSE("a.b") ", " DENSE("a") "]",
     "'a.b' would be a tensor of the layer 'a', and is a layer too"},
    {"[3, 4], layers: [{type: attention, heads: 2, name: a}, {type: tanh, name: a.qkv}]",
     "two layers are called 'a.qkv'"},
    {"[2], layers: [" DENSE("kernel") "]", "a layer is called 'kernel', as a tensor of layer"},
    {"[2], layers: [" DENSE("'a,b'") "]", "name: expected a name without blanks, commas and"},
    {"[2], layers: [" DENSE("'a b'") "]", "and control characters, got the quoted text 'a b'"},
    {"[2], layers: [" DENSE("\"a\\nb\\e[31m\"") "]", "characters, got the quoted text 'a?b?[31m'"},
    {"[2], layers: [" DENSE("\"a\\u009b\"") "]", "control characters, got the quoted text 'a?'"},
    {"[2], layers: [" DENSE("\"a\\u202e\"") "]", "control characters, got the quoted text 'a?'"},
    {"[2], layers: [" DENSE("''") "]", "name: expected a name without blanks"},
    {"[2], layers: [" DENSE("a23456789012345678901234567890123456789012345678901234567890123") "]",
     NULL},
    {"[2], layers: [" DENSE("a234567890123456789012345678901234567890123456789012345678901234") "]",
     "its name has 64 bytes, the limit is 63"},
    {"[2], layers: [" DENSE("features.0") ", " DENSE("features.1") ", " DENSE("f") "]", NULL},
    {"[2], layers: [{type: residual, name: r, layers: [" DENSE("r.fc") "]}]", NULL},
    /* Inputs by name. */
    {"[2], layers: [" DENSE("a") ", {type: tanh, input: b}]",
     "layer 'tanh1': its input 'b' is no layer before it; `data` and layers before it can be "
     "named"},
    {"[2], layers: [" DENSE("first") ", {type: tanh, input: frist}]",
     "layer 'tanh1': its input 'frist' is no layer before it (did you mean 'first'?)"},
    {"[2], layers: [{type: tanh, input: a}, " DENSE("a") "]", "'a' is no layer before it"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, input: tanh1}]", "'tanh1' is no layer before it"},
    {"[2], layers: [" DENSE("data") ", {type: tanh, input: data}]",
     "layer 'tanh1': `data` names the network's input, and a layer too; rename the layer"},
    {"[2], layers: [" DENSE("data") "]", NULL},
    {"[2], layers: [" DENSE("a") ", " DENSE("b") ", {type: tanh, input: a}]",
     "layer 'b': no layer reads its output"},
    {"[2], layers: [" DENSE("a") ", {type: add, inputs: a}]",
     "layer 'add1': add reads two or more layers, the config names one; give inputs: [A, B]"},
    {"[2], layers: [" DENSE("a") ", add]", "layer 'add1': add reads two or more layers"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, inputs: [a, data]}]",
     "layer 'tanh1': tanh reads one layer, `inputs` names 2"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, inputs: [a], input: a}]",
     "layer 'tanh1': input and inputs exclude each other"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, inputs: []}]", "inputs: expected a list of names"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, input: }]", "input: expected a text, got nothing"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, inputs: [a, [b]]}]",
     "inputs[1]: expected a name, got a list"},
    {"[3], layers: [" DENSE("a") ", {type: add, inputs: [a, data]}]",
     "layer 'add1': its inputs have the shapes 2 and 3, a sum needs equal ones"},
    {"[3], layers: [" DENSE("a") ", {type: multiply, inputs: [a, data]}]",
     "layer 'multiply1': its inputs have the shapes 2 and 3; the second must have the positions"},
    {"[3, 2], layers: [" DENSE("a") ", global_average_pool, {type: multiply, inputs: "
                                    "[global_average_pool1, a]}]",
     "layer 'multiply2': its inputs have the shapes 2 and 3x2"},
    {"[3, 2], layers: [" DENSE(
         "a") ", {type: slice, axis: positions, to: 2}, {type: concat, inputs: "
              "[a, slice1]}]",
     "layer 'concat2': its inputs have the shapes 3x2 and 2x2, which differ beside dimension 1"},
    {"[3], layers: [" DENSE("a") ", {type: concat, inputs: [a, a], axis: positions}]",
     "its input is 2, it has no positions"},
    {"[3], layers: [" DENSE("a") ", {type: slice, from: 1, to: 3}]",
     "layer 'slice1': from 1 to 3 is no range of the 2 channels of its input 2"},
    {"[3, 2], layers: [" DENSE("a") ", {type: select, position: 3}]",
     "layer 'select1': position 3 (from 0) is none of the 3 of its input 3x2"},
    {"[3, 2], layers: [" DENSE("a") ", {type: reshape, shape: [5]}]",
     "layer 'reshape1': shape has 5 numbers, its input 3x2 has 6"},
    {"[3], layers: [" DENSE("a") ", transpose]", "layer 'transpose1': its input is 2, it needs"},
    {"[2], layers: [{type: residual, layers: [" DENSE(
         "a") "], shortcut: [{type: dense, units: 3}]}]",
     "end in one shape: `layers` in 2, `shortcut` in 3"},
    {"[2], layers: [{type: residual, layers: [" DENSE(
         "a") "], shortcut: [{type: tanh, input: a}]}]",
     NULL},
    /* Tensors that are shared, or not trained. */
    {"[2], layers: [" DENSE("a") ", {type: dense, units: 2, share: {kernel: b.kernel}}]",
     "layer 'dense1': share: no layer before it has a tensor 'b.kernel' (did you mean "
     "'a.kernel'?)"},
    {"[2], layers: [" DENSE("a") ", {type: dense, units: 2, share: {kern: a.kernel}}]",
     "layer 'dense1': share: it has no tensor 'kern'"},
    {"[2], layers: [" DENSE("a") ", {type: dense, units: 2, share: {kernel: dense1.kernel}}]",
     "share: no layer before it has a tensor 'dense1.kernel'"},
    {"[2], layers: [" DENSE("a") ", {type: dense, units: 3, share: {kernel: a.kernel}}]",
     "share: kernel [2][3] cannot be a.kernel [2][2]: shapes differ"},
    {"[2], layers: [{type: dense, units: 3, name: a}, {type: dense, units: 3, input: data, share: "
     "{kernel: a.kernel.T}}]",
     "share: kernel [2][3] cannot be a.kernel.T [2][3]"},
    {"[2], layers: [" DENSE("a") ", {type: dense, units: 2, trainable: false, share: {kernel: "
                                 "a.kernel}}]",
     "layer 'dense1': its kernel is shared: say trainable at the layer that it is of"},
    {"[2], layers: [" DENSE("a") ", {type: tanh, trainable: false}]",
     "layer 'tanh1': it has no parameters; leave trainable out"},
    {"[2], layers: [" DENSE("a") "], trainable: [b]",
     "network.trainable: 'b' is no tensor or layer with parameters of its own"},
    {"[2], layers: [" DENSE("a") ", {type: dense, units: 2, bias: false, share: {kernel: "
                                 "a.kernel}}], trainable: [a, dense1.kernel]",
     "network.trainable: 'dense1.kernel' is no tensor or layer with parameters of its own"},
    {"[2], layers: [{type: dense, units: 2, trainable: false}]",
     "the network has no parameters that are trained"},
#undef DENSE
    {"[4], layers: [{type: embedding, vocabulary: 5, width: 2}, {type: reshape, shape: [8]}, "
     "{type: "
     "embedding, vocabulary: 5, width: 2}]",
     "layer 'embedding2' reads token ids, but its input is the output of layer 'reshape1'"},
    {"[3, 4], layers: [{type: embedding, vocabulary: 5, width: 2}]",
     "layer 'embedding0': its input is 3x4, it needs [positions]"},
};

START_TEST(bad_layers_are_explained)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_network_config config = {0};
    struct stj_network *net = NULL;
    char text[600];
    snprintf(text, sizeof text, "{input: %s, loss: mean_squared_error}", bad_layers[_i].layers);
    if (bad_layers[_i].message)
        EXPECT_FAIL(build(text, &config, &net, &err), STJ_ECONFIG, bad_layers[_i].message, err);
    else
        EXPECT_OK(build(text, &config, &net, &err), err);
    ck_assert(!net == (bad_layers[_i].message != NULL));
    stj_network_destroy(net);
    stj_options_free(stj_network_options, &config);
}
END_TEST

static const struct {
    const char *network;
    size_t n_features, n_labels, label; /* labels are all the same */
    double last;                        /* the very last input; the others are 0 */
    enum stj_status status;
    const char *message; /* NULL: the data fit */
} data_sets[] = {
    {"{input: [4], layers: [{type: embedding, vocabulary: 256, width: 2}], loss: "
     "softmax_cross_entropy}",
     4, 4, 1, 255, STJ_OK, NULL},
    {"{input: [4], layers: [{type: embedding, vocabulary: 256, width: 2}], loss: "
     "softmax_cross_entropy}",
     4, 4, 1, 300, STJ_EFORMAT,
     "token id 300 at row 7, position 3 is outside the vocabulary of 256"},
    {"{input: [4], layers: [{type: embedding, vocabulary: 256, width: 2}], loss: "
     "softmax_cross_entropy}",
     4, 4, 1, 0.5, STJ_EFORMAT, "input 0.5 at row 7, position 3 (from 0) is not a token id"},
    {"{input: [4], layers: [{type: embedding, vocabulary: 256, width: 2}], loss: "
     "softmax_cross_entropy}",
     4, 4, 2, 0, STJ_EFORMAT, "label 2 in row 0 of the data (from 0) is outside the 2 classes"},
    {"{input: [4], layers: [{type: embedding, vocabulary: 256, width: 2}], loss: "
     "softmax_cross_entropy}",
     4, 1, 1, 0, STJ_ECONFIG, "output 4x2 has 4 positions a sample, the data 1 labels"},
    {"{input: [4], layers: [{type: dense, units: 2}], loss: softmax_cross_entropy}", 4, 2, 1, 0,
     STJ_ECONFIG, "output 2 has 1 positions a sample, the data 2 labels"},
    {"{input: [2, 4], layers: [{type: dense, units: 2}], loss: softmax_cross_entropy}", 4, 2, 1, 0,
     STJ_ECONFIG, "the data have 4 features a sample, the network's input 2x4 needs 8"},
};

START_TEST(data_are_checked_against_the_network)
{
    enum { ROWS = 8 };
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_network_config config = {0};
    struct stj_network *net = NULL;
    struct stj_dataset *data = NULL;
    const size_t n_in = data_sets[_i].n_features;
    double inputs[ROWS * 8] = {0};
    size_t labels[ROWS * 8];
    inputs[ROWS * n_in - 1] = data_sets[_i].last;
    for (size_t i = 0; i < ROWS * 8; i++)
        labels[i] = data_sets[_i].label;
    EXPECT_OK(build(data_sets[_i].network, &config, &net, &err), err);
    EXPECT_OK(stj_dataset_from_arrays(ROWS, n_in, inputs, data_sets[_i].n_labels, labels, 0, NULL,
                                      &data, &err),
              err);
    if (data_sets[_i].message)
        EXPECT_FAIL(stj_network_check_data(net, data, &err), data_sets[_i].status,
                    data_sets[_i].message, err);
    else
        EXPECT_OK(stj_network_check_data(net, data, &err), err);
    stj_dataset_destroy(data);
    stj_network_destroy(net);
    stj_options_free(stj_network_options, &config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad networks");
    TCase *tc = tcase_create("messages");
    tcase_add_loop_test(tc, bad_layers_are_explained, 0,
                        (int)(sizeof bad_layers / sizeof bad_layers[0]));
    tcase_add_loop_test(tc, data_are_checked_against_the_network, 0,
                        (int)(sizeof data_sets / sizeof data_sets[0]));
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
