/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-import.c: initial parameters from other programs: names, layouts, and the same logits.
 *
 * The oracle is a LeNet written here in PyTorch's conventions: images [channels][height][width],
 * kernels [out][in][height][width], dense kernels [out][in], images flattened channels first.
 */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "expect.h"
#include "run/run_internal.h"
#include "temp_files.h"
#include "write_arrays.h"

enum { SAMPLES = 3, SIDE = 28, CLASSES = 10, N_TENSORS = 10, N_PARAMS = 61706 };

/* LeNet-5's parameters as PyTorch's state_dict has them. */
static const struct tensor {
    const char *name;
    size_t n_dims, shape[4];
} tensors[N_TENSORS] = {
    {"conv1.weight", 4, {6, 1, 5, 5}},  {"conv1.bias", 1, {6}},
    {"conv2.weight", 4, {16, 6, 5, 5}}, {"conv2.bias", 1, {16}},
    {"fc1.weight", 2, {120, 400}},      {"fc1.bias", 1, {120}},
    {"fc2.weight", 2, {84, 120}},       {"fc2.bias", 1, {84}},
    {"fc3.weight", 2, {10, 84}},        {"fc3.bias", 1, {10}},
};

static double parameter[N_PARAMS]; /* of all tensors, one after another */
static struct named_array state[N_TENSORS];
static double image[SAMPLES][SIDE * SIDE];

static void draw(void)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_rng *rng = NULL;
    size_t at = 0;
    EXPECT_OK(stj_rng_create(41, STJ_STREAM_INIT, 0, &rng, &err), err);
    for (size_t t = 0; t < N_TENSORS; t++) {
        size_t n = 1;
        for (size_t d = 0; d < tensors[t].n_dims; d++)
            n *= tensors[t].shape[d];
        state[t] = (struct named_array){
            .name = tensors[t].name, .n_dims = tensors[t].n_dims, .value = parameter + at};
        memcpy(state[t].shape, tensors[t].shape, sizeof state[t].shape);
        for (size_t i = 0; i < n; i++)
            parameter[at++] = 0.2 * stj_rng_normal(rng);
    }
    ck_assert_uint_eq(at, N_PARAMS);
    for (size_t s = 0; s < SAMPLES; s++)
        stj_rng_fill_normal(rng, SIDE * SIDE, image[s]);
    stj_rng_destroy(rng);
}

/* ---- the oracle ---- */

/* y [out][rows][rows] <- relu of the convolution of x [in][side][side] with zeros of width pad. */
static void convolve(size_t in, size_t side, size_t pad, const double *x, size_t out,
                     const double *weight, const double *bias, double *y)
{
    const size_t rows = side + 2 * pad - 4;
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < rows; j++) {
                double sum = bias[o];
                for (size_t c = 0; c < in; c++)
                    for (size_t a = 0; a < 5; a++)
                        for (size_t b = 0; b < 5; b++) {
                            const size_t r = i + a;
                            const size_t s = j + b;
                            if (r >= pad && s >= pad && r - pad < side && s - pad < side)
                                sum += weight[((o * in + c) * 5 + a) * 5 + b] *
                                       x[(c * side + r - pad) * side + s - pad];
                        }
                y[(o * rows + i) * rows + j] = sum > 0 ? sum : 0;
            }
}

static void pool(size_t channels, size_t side, const double *x, double *y)
{
    const size_t half = side / 2;
    for (size_t c = 0; c < channels; c++)
        for (size_t i = 0; i < half; i++)
            for (size_t j = 0; j < half; j++) {
                const double *p = x + (c * side + 2 * i) * side + 2 * j;
                y[(c * half + i) * half + j] = (p[0] + p[1] + p[side] + p[side + 1]) / 4;
            }
}

static void linear(size_t in, const double *x, size_t out, const double *weight, const double *bias,
                   bool relu, double *y)
{
    for (size_t o = 0; o < out; o++) {
        double sum = bias[o];
        for (size_t i = 0; i < in; i++)
            sum += weight[o * in + i] * x[i];
        y[o] = relu && sum < 0 ? 0 : sum;
    }
}

static void torch_logits(const double *x, double *z)
{
    static double a[6 * SIDE * SIDE];
    static double b[6 * SIDE * SIDE];
    convolve(1, 28, 2, x, 6, state[0].value, state[1].value, a);
    pool(6, 28, a, b);
    convolve(6, 14, 0, b, 16, state[2].value, state[3].value, a);
    pool(16, 10, a, b);
    linear(400, b, 120, state[4].value, state[5].value, true, a);
    linear(120, a, 84, state[6].value, state[7].value, true, b);
    linear(84, b, 10, state[8].value, state[9].value, false, z);
}

/* ---- runs ---- */

static const char lenet[] =
    "network:\n"
    "  input: [28, 28, 1]\n"
    "  layers:\n"
    "    - {type: conv2d, name: conv1, filters: 6, kernel: 5, padding: same}\n"
    "    - relu\n"
    "    - {type: average_pool, window: 2}\n"
    "    - {type: conv2d, name: conv2, filters: 16, kernel: 5}\n"
    "    - relu\n"
    "    - {type: average_pool, window: 2}\n"
    "    - flatten\n"
    "    - {type: dense, name: fc1, units: 120}\n"
    "    - relu\n"
    "    - {type: dense, name: fc2, units: 84}\n"
    "    - relu\n"
    "    - {type: dense, units: 10}\n"
    "  loss: softmax_cross_entropy\n";
static const char torch_init[] = "names: {kernel: weight, dense11: fc3}, conv_kernel: OIHW, "
                                 "dense_kernel: out_in, flatten: CHW";

/* *run <- of a network with this `init`; theta (NULL: not wanted) <- its initial parameters. */
static enum stj_status make_run(const char *network, const char *init, struct stj_run **run,
                                double *theta, struct stj_error *err)
{
    char text[4096];
    struct bytes b = {0};
    const struct named_array data = {"data", 2, {SAMPLES, SIDE * SIDE}, image[0]};
    bytes_add_npy(&b, &data);
    temp_write("x.npy", b.item, b.n);
    bytes_free(&b);
    temp_write_text("y.csv", "1\n0\n1\n");
    snprintf(text, sizeof text,
             "data: {train: {file: x.npy, labels: y.csv}}\n%sinit: {%s}\n"
             "training: {optimizer: sgd, learning_rate: {schedule: constant, peak: 0.1}, "
             "batch_size: 3, steps: 1}\n",
             network, init);
    *run = NULL;
    enum stj_status st = stj_run_prepare(temp_write_text("c.yaml", text), NULL, true, run, err);
    if (st == STJ_OK && theta)
        st = stj_run_initial(*run, theta, err);
    return st;
}

/* The network's outputs for the images. */
static void native_logits(const struct stj_run *run, const double *theta, double *z)
{
    real *lin = calloc(stj_network_n_linear(run->net, SAMPLES), sizeof *lin);
    real *scratch = calloc(stj_network_n_scratch(run->net, SAMPLES, 0) + 1, sizeof *scratch);
    const size_t row[SAMPLES] = {0, 1, 2};
    const struct stj_batch b = {.whole = SAMPLES,
                                .batch = SAMPLES,
                                .evaluate = true,
                                .x = run->train->inputs,
                                .targets = {.row = row, .label = run->train->labels}};
    stj_network_evaluate(run->net, &b, theta, lin, z, NULL, scratch);
    free(lin);
    free(scratch);
}

/* Sums of at most 401 products in another order: their relative error stays below 401 eps = 1e-13
 * a layer. */
static void expect_torch_logits(const struct stj_run *run, const double *theta)
{
    double z[SAMPLES * CLASSES];
    double wanted[CLASSES];
    native_logits(run, theta, z);
    for (size_t s = 0; s < SAMPLES; s++) {
        double scale = 0;
        torch_logits(image[s], wanted);
        for (size_t k = 0; k < CLASSES; k++)
            scale = fmax(scale, fabs(wanted[k]));
        ck_assert_double_gt(scale, 0.1);
        for (size_t k = 0; k < CLASSES; k++)
            ck_assert_msg(fabs(z[s * CLASSES + k] - wanted[k]) <= 1e-12 * scale,
                          "sample %zu, class %zu: %.17g, not %.17g", s, k, z[s * CLASSES + k],
                          wanted[k]);
    }
}

static void write_state(const char *name)
{
    struct bytes b = {0};
    if (strstr(name, ".h5")) {
        write_hdf5(temp_path(name), state, N_TENSORS, 0);
        return;
    }
    if (strstr(name, ".npz"))
        bytes_npz(&b, state, 8, true, NULL);
    else
        bytes_safetensors(&b, state, N_TENSORS);
    temp_write(name, b.item, b.n);
    bytes_free(&b);
}

START_TEST(torch_parameters_give_the_same_logits)
{
    static const char *const files[] = {"m.safetensors", "m.h5"};
    struct stj_error err = STJ_ERROR_INIT;
    static double theta[N_PARAMS];
    draw();
    for (size_t f = 0; f < 2; f++) {
        char init[512];
        struct stj_run *run = NULL;
        write_state(files[f]);
        snprintf(init, sizeof init, "file: %s, %s", files[f],
                 f ? "layout: pytorch, names: {dense11: fc3, dense99: fc4}" : torch_init);
        EXPECT_OK(make_run(lenet, init, &run, theta, &err), err);
        ck_assert_uint_eq(stj_network_n_params(run->net), N_PARAMS);
        for (size_t i = 0; i < N_TENSORS; i++) { /* what info tells is what the file had */
            struct stj_run_parameter p;
            ck_assert(stj_run_get_parameter(run, i, &p));
            ck_assert_str_eq(p.file_name, state[i ^ 1].name); /* a bias lies before its kernel */
        }
        expect_torch_logits(run, theta);
        stj_run_destroy(run);
    }
}
END_TEST

/* The layouts of our own, by name and as one vector: what was taken from a vector comes back bit by
 * bit from named arrays. */
START_TEST(our_own_layout_needs_no_keys)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    static double drawn[N_PARAMS];
    static double theta[N_PARAMS];
    struct named_array own[N_TENSORS];
    char name[N_TENSORS][STJ_PARAMETER_NAME_MAX];
    const struct stj_parameter_layout ours = {0};
    draw();
    EXPECT_OK(make_run(lenet, "seed: 5", &run, drawn, &err), err);
    for (size_t i = 0; i < N_TENSORS; i++) {
        struct stj_parameter p;
        EXPECT_OK(stj_network_parameter(run->net, &ours, i, &p, &err), err);
        snprintf(name[i], sizeof name[i], "%s", p.name);
        own[i] = (struct named_array){.name = name[i], .n_dims = p.n_dims};
        memcpy(own[i].shape, p.shape, sizeof p.shape);
        own[i].value = drawn + p.offset;
    }
    stj_run_destroy(run);
    ck_assert_str_eq(name[1], "conv1.kernel");
    ck_assert_uint_eq(own[1].shape[0] * 10000 + own[1].shape[3], 50006);
    write_hdf5(temp_path("own.h5"), own, N_TENSORS, 2);
    EXPECT_OK(make_run(lenet, "file: own.h5", &run, theta, &err), err);
    ck_assert_mem_eq(theta, drawn, sizeof drawn);
    stj_run_destroy(run);
    const struct named_array vector = {"theta", 1, {N_PARAMS}, drawn};
    write_hdf5(temp_path("v.h5"), &vector, 1, 0);
    EXPECT_OK(make_run(lenet, "file: 'v.h5:theta'", &run, theta, &err), err);
    ck_assert_mem_eq(theta, drawn, sizeof drawn);
    stj_run_destroy(run);
}
END_TEST

/* A normalisation of a flattened image: its vectors are reordered as the kernel behind it is. */
START_TEST(vectors_of_a_flattened_image_are_reordered)
{
    static const char network[] =
        "network: {input: [28, 28, 1], layers: [{type: conv2d, name: c, filters: 3, kernel: 27}, "
        "flatten, {type: layer_norm, name: n}, relu, {type: dense, name: d, units: 2}], "
        "loss: softmax_cross_entropy}\n";
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    const struct stj_parameter_layout torch = {STJ_CONV_OIHW, STJ_DENSE_OUT_IN, STJ_FLATTEN_CHW};
    struct stj_parameter p;
    double file[24];
    double theta[24];
    draw();
    EXPECT_OK(make_run(network, "seed: 1", &run, NULL, &err), err);
    for (size_t i = 0; i < 24; i++)
        file[i] = (double)i;
    EXPECT_OK(stj_network_parameter(run->net, &torch, 3, &p, &err), err);
    ck_assert_str_eq(p.name, "n.scale");
    ck_assert_uint_eq(p.n_dims, 1);
    ck_assert_uint_eq(p.shape[0], 12);
    stj_parameter_arrange(&p, file, theta); /* file [3][2][2], theta [2][2][3] */
    for (size_t h = 0; h < 2; h++)
        for (size_t w = 0; w < 2; w++)
            for (size_t c = 0; c < 3; c++)
                ck_assert_double_eq(theta[(h * 2 + w) * 3 + c], (double)((c * 2 + h) * 2 + w));
    EXPECT_OK(stj_network_parameter(run->net, &torch, 4, &p, &err), err);
    ck_assert_str_eq(p.name, "d.bias");
    stj_parameter_arrange(&p, file, theta); /* of the outputs: as it is */
    ck_assert_double_eq(theta[1], 1);
    EXPECT_OK(stj_network_parameter(run->net, &torch, 5, &p, &err), err);
    stj_parameter_arrange(&p, file, theta); /* file [2][3][2][2], theta [2][2][3][2] */
    for (size_t h = 0; h < 2; h++)
        for (size_t w = 0; w < 2; w++)
            for (size_t c = 0; c < 3; c++)
                for (size_t o = 0; o < 2; o++)
                    ck_assert_double_eq(theta[((h * 2 + w) * 3 + c) * 2 + o],
                                        (double)(((o * 3 + c) * 2 + h) * 2 + w));
    stj_run_destroy(run);
}
END_TEST

static const struct {
    const char *init, *message;
    enum stj_status status;
} bad[] = {
    {"file: m.safetensors", "init.file: conv1.kernel of shape [5, 5, 1, 6]: ", STJ_EMISMATCH},
    {"file: m.safetensors, names: {kernel: weight, dense11: fc3}",
     "m.safetensors:conv1.weight has the shape [6, 1, 5, 5], expected [5, 5, 1, 6] for "
     "conv1.kernel",
     STJ_EMISMATCH},
    {"file: m.safetensors, names: {kernel: weight}, conv_kernel: OIHW, dense_kernel: out_in, "
     "flatten: CHW",
     "dense11.bias of shape [10]: ", STJ_EMISMATCH},
    {"file: m.safetensors, names: {kernle: weight}",
     "c.yaml:18:37: init.names: the network has no 'kernle' (did you mean 'kernel'?)",
     STJ_EMISMATCH},
    {"file: m.safetensors, layout: pytorch, names: {dense11: fc_3, conv2: conv2, dense12: fc4}",
     "dense11.bias of shape [10], named by ", STJ_EMISMATCH},
    {"file: m.safetensors, layout: pytorch, names: {dense11: fc_3}", "c.yaml:18:54: /",
     STJ_EMISMATCH},
    {"file: m.safetensors, layout: pytorch, names: {dense11: fc_3}",
     "m.safetensors: has no array 'fc_3.bias' (did you mean 'fc3.bias'?)", STJ_EMISMATCH},
    {"file: m.safetensors, names: {kernel: weight, dense11: fc3}, conv_kernel: OIHW",
     "init: the layout of fc1.kernel depends on dense_kernel, which is not given", STJ_ECONFIG},
    {"file: m.safetensors, names: {kernel: weight, dense11: fc3}, conv_kernel: OIHW, dense_kernel: "
     "out_in",
     "init: the layout of fc1.kernel depends on flatten, which is not given beside keys that say "
     "PyTorch's; add flatten: CHW",
     STJ_ECONFIG},
    {"file: m.safetensors, names: {kernel: weight, dense11: fc3}, dense_kernel: out_in, flatten: "
     "CHW",
     "init: the layout of conv1.kernel depends on conv_kernel", STJ_ECONFIG},
    {"file: m.pt, layout: pytorch", "write its tensors as safetensors: python3 -c",
     STJ_EUNSUPPORTED},
    {"file: archive.bin", "write its tensors as safetensors: python3 -c", STJ_EUNSUPPORTED},
    {"file: legacy.bin", "write its tensors as safetensors: python3 -c", STJ_EUNSUPPORTED},
    {"seed: 1, layout: pytorch", "are for a file (where data have the channels", STJ_ECONFIG},
    {"file: x.npy, layout: flax", "are for files of named tensors", STJ_ECONFIG},
    {"file: m.npz, names: {kernel: weight, dense11: fc3}, conv_kernel: OIHW, dense_kernel: out_in, "
     "flatten: CHW",
     "m.npz: has no array 'fc3.bias'", STJ_EMISMATCH},
    {"file: nan.h5, names: {kernel: weight, dense11: fc3}, conv_kernel: OIHW, dense_kernel: "
     "out_in, flatten: CHW",
     "nan.h5:fc1.weight: the value in row 7, column 200 (from 0) is nan", STJ_ENONFINITE},
    {"file: 'm.safetensors:fc3.bias'", "theta0 has 10 numbers, the network has 61706",
     STJ_EMISMATCH},
    {"file: x.npy, flatten: CHW", "are for files of named tensors", STJ_ECONFIG},
    {"file: 'm.h5:conv1.weihgt'", "(did you mean 'conv1.weight'?)", STJ_EMISMATCH},
    {"seed: 1, flatten: CHW", "are for a file", STJ_ECONFIG},
    {"file: m.h5, names: {kernel: [weight]}", "init.names.kernel: expected a name, got a list",
     STJ_ECONFIG},
    {"file: m.h5, names: weight", "init.names: expected a mapping of names to names", STJ_ECONFIG},
    {"file: m.h5, conv_kernel: OHWI", "expected one of HWIO, OIHW, got 'OHWI'", STJ_ECONFIG},
};

START_TEST(what_does_not_fit_is_explained)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    static double theta[N_PARAMS];
    draw();
    write_state("m.safetensors");
    write_state("m.h5");
    write_state("m.npz"); /* without the last two */
    temp_write("m.pt", "PK\3\4 and so on", 14);
    temp_write("archive.bin", "PK\3\4..........................archive/data.pkl", 46);
    temp_write("legacy.bin", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.", 15);
    ((double *)(uintptr_t)state[4].value)[7 * 400 + 200] = (double)NAN;
    write_state("nan.h5");
    EXPECT_FAIL(make_run(lenet, bad[_i].init, &run, theta, &err), bad[_i].status, bad[_i].message,
                err);
    stj_run_destroy(run);
}
END_TEST

/* Where a flattened image meets something that is none, or is taken to pieces, or a vector becomes an
 * image, no order of channels is right for all. */
static const struct {
    const char *layers, *message;
} orders[] = {
    {"flatten, {type: residual, layers: [{type: dense, units: 12}]}",
     "adds a flattened image to something that is none"},
    {"{type: flatten, name: f}, {type: concat, inputs: [f, f]}",
     "takes parts of a flattened image"},
    {"flatten, {type: slice, to: 6}", "takes parts of a flattened image"},
    {"flatten, {type: dense, units: 12}, {type: reshape, shape: [2, 2, 3]}, flatten",
     "makes an image of a vector"},
    {"flatten, {type: dense, units: 12, name: d}, {type: dense, units: 12, share: {kernel: "
     "d.kernel}}",
     "shares kernel, which one of the two layers uses on a flattened image"},
};

START_TEST(orders_that_do_not_agree_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    double theta[4096];
    char network[512];
    snprintf(network, sizeof network,
             "network: {input: [28, 28, 1], layers: [{type: conv2d, filters: 3, kernel: 27}, %s, "
             "{type: dense, units: 2}], loss: softmax_cross_entropy}\n",
             orders[_i].layers);
    draw();
    write_state("m.h5");
    EXPECT_FAIL(make_run(network, "file: m.h5, flatten: CHW", &run, theta, &err), STJ_EUNSUPPORTED,
                orders[_i].message, err);
    stj_run_destroy(run);
    if (_i > 0) /* the file below is of the first network */
        return;
    static double zeros[2430];
    const struct named_array own[] = {
        {"conv2d0.kernel", 4, {27, 27, 1, 3}, zeros}, {"conv2d0.bias", 1, {3}, zeros},
        {"dense2.kernel", 2, {12, 12}, zeros},        {"dense2.bias", 1, {12}, zeros},
        {"dense4.kernel", 2, {12, 2}, zeros},         {"dense4.bias", 1, {2}, zeros}};
    write_hdf5(temp_path("own.h5"), own, 6, 0);
    EXPECT_OK(make_run(network, "file: own.h5", &run, theta, &err), err);
    stj_run_destroy(run);
    EXPECT_FAIL(make_run(network, "file: own.h5, dense_kernel: out_in, conv_kernel: HWIO", &run,
                         theta, &err),
                STJ_EUNSUPPORTED, "init.flatten is not given (HWC or CHW)", err);
    stj_run_destroy(run);
}
END_TEST

/* What the files of others call the tensors of a transformer; keys of names come first. */
static const struct {
    const char *init, *name;
    const char *called;
} conventions[] = {
    {"layout: pytorch", "tok.table", "tok.weight"},
    {"layout: pytorch", "positions1.table", "positions1.weight"},
    {"layout: pytorch", "ln.scale", "ln.weight"},
    {"layout: pytorch", "ln.bias", "ln.bias"},
    {"layout: pytorch", "bn.mean", "bn.running_mean"},
    {"layout: pytorch", "bn.variance", "bn.running_var"},
    {"layout: flax", "bn.mean", "bn.mean"},
    {"layout: flax", "bn.variance", "bn.var"},
    {"layout: pytorch", "attn.qkv.kernel", "attn.in_proj_weight"},
    {"layout: pytorch", "attn.qkv.bias", "attn.in_proj_bias"},
    {"layout: pytorch", "attn.out.kernel", "attn.out_proj.weight"},
    {"layout: pytorch", "attn.out.bias", "attn.out_proj.bias"},
    {"layout: pytorch", "head.kernel", "head.weight"},
    {"layout: pytorch, names: {attn: h.0.attn}", "attn.qkv.kernel", "h.0.attn.in_proj_weight"},
    {"layout: pytorch, names: {attn: h.0.attn}", "attn.out.bias", "h.0.attn.out_proj.bias"},
    {"layout: pytorch, names: {attn.qkv: c_attn}", "attn.qkv.kernel", "c_attn.weight"},
    {"layout: pytorch, names: {attn.qkv: c_attn}", "attn.qkv.bias", "c_attn.bias"},
    {"layout: pytorch, names: {attn.qkv.bias: b}", "attn.qkv.bias", "b"},
    {"layout: pytorch, names: {kernel: w}", "attn.qkv.kernel", "attn.qkv.w"},
    {"layout: flax", "tok.table", "tok.embedding"},
    {"layout: flax", "ln.scale", "ln.scale"},
    {"layout: flax", "head.kernel", "head.kernel"},
    {"names: {kernel: w}, dense_kernel: out_in", "attn.qkv.kernel", "attn.qkv.w"},
};

START_TEST(a_preset_knows_the_names_of_others)
{
    static const char network[] =
        "network: {input: [784], layers: [{type: embedding, name: tok, vocabulary: 9, width: 4}, "
        "positions, {type: layer_norm, name: ln}, {type: batch_norm, name: bn, statistics: fixed}, "
        "{type: attention, name: attn, heads: 2}, "
        "{type: dense, name: head, units: 2}, global_average_pool], "
        "loss: softmax_cross_entropy}\n";
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    struct stj_run_parameter p;
    char init[256];
    size_t i = 0;
    memset(image, 0, sizeof image);
    snprintf(init, sizeof init, "file: m.h5, %s", conventions[_i].init);
    EXPECT_OK(make_run(network, init, &run, NULL, &err), err);
    while (stj_run_get_parameter(run, i, &p) && strcmp(p.name, conventions[_i].name) != 0)
        i++;
    if (strcmp(p.name, conventions[_i].name) != 0)
        ck_assert(stj_run_get_frozen(run, strstr(conventions[_i].name, "variance") != NULL, &p));
    ck_assert_str_eq(p.name, conventions[_i].name);
    ck_assert_str_eq(p.file_name, conventions[_i].called);
    stj_run_destroy(run);
}
END_TEST

/* A square kernel that is called as PyTorch calls it has no layout of its own. */
START_TEST(a_square_weight_needs_a_layout)
{
    static const char network[] =
        "network: {input: [784], layers: [{type: dense, name: a, units: 2}, {type: dense, name: b, "
        "units: 2}], loss: softmax_cross_entropy}\n";
    static double value[1568];
    const struct named_array arrays[] = {{"a.weight", 2, {784, 2}, value},
                                         {"a.bias", 1, {2}, value},
                                         {"b.weight", 2, {2, 2}, value},
                                         {"b.bias", 1, {2}, value}};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    double theta[1600];
    write_hdf5(temp_path("m.h5"), arrays, 4, 0);
    EXPECT_FAIL(make_run(network, "file: m.h5, names: {kernel: weight}", &run, theta, &err),
                STJ_ECONFIG, "its shape is the same in both layouts; add dense_kernel: out_in",
                err);
    stj_run_destroy(run);
    EXPECT_OK(make_run(network, "file: m.h5, names: {kernel: weight}, dense_kernel: in_out", &run,
                       theta, &err),
              err);
    stj_run_destroy(run);
}
END_TEST

/* A class token and positions as PyTorch's modules hold them, ready to be added to a batch. */
START_TEST(axes_of_length_one_of_tables_do_not_count)
{
    static const char network[] =
        "network: {input: [784], layers: [{type: reshape, shape: [98, 8]}, {type: vector, name: "
        "t}, "
        "{type: positions, name: p}, select, {type: dense, name: d, units: 2}], "
        "loss: softmax_cross_entropy}\n";
    static double value[99 * 8];
    struct named_array arrays[] = {{"t.vector", 3, {1, 1, 8}, value},
                                   {"pos", 3, {1, 99, 8}, value},
                                   {"d.weight", 2, {2, 8}, value},
                                   {"d.bias", 1, {2}, value}};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    double theta[1024];
    for (size_t i = 0; i < 99 * 8; i++)
        value[i] = (double)i;
    write_hdf5(temp_path("m.h5"), arrays, 4, 0);
    const char *init = "file: m.h5, layout: pytorch, names: {p.table: pos}";
    EXPECT_OK(make_run(network, init, &run, theta, &err), err);
    ck_assert_mem_eq(theta, value, 8 * sizeof *theta);
    ck_assert_mem_eq(theta + 8, value, sizeof value);
    stj_run_destroy(run);
    arrays[1] = (struct named_array){"pos", 3, {1, 8, 99}, value};
    write_hdf5(temp_path("m.h5"), arrays, 4, 0);
    EXPECT_FAIL(make_run(network, init, &run, theta, &err), STJ_EMISMATCH,
                "pos has the shape [1, 8, 99], expected [99, 8] for p.table", err);
    stj_run_destroy(run);
}
END_TEST

/* Projections in one array of a file, or in three as others keep them, are the same parameters. */
static const struct {
    const char *layout;
    struct named_array array[8]; /* values: see below */
} projections[] = {
    {"pytorch",
     {{"a.in_proj_weight", 2, {16, 8}, NULL},
      {"a.in_proj_bias", 1, {16}, NULL},
      {"a.out_proj.weight", 2, {8, 8}, NULL},
      {"a.out_proj.bias", 1, {8}, NULL}}},
    {"pytorch",
     {{"a.q_proj.weight", 2, {8, 8}, NULL},
      {"a.q_proj.bias", 1, {8}, NULL},
      {"a.o_proj.weight", 2, {8, 8}, NULL},
      {"a.o_proj.bias", 1, {8}, NULL},
      {"a.k_proj.weight", 2, {4, 8}, NULL},
      {"a.k_proj.bias", 1, {4}, NULL},
      {"a.v_proj.weight", 2, {4, 8}, NULL},
      {"a.v_proj.bias", 1, {4}, NULL}}},
    {"flax",
     {{"a.query.kernel", 3, {8, 2, 4}, NULL},
      {"a.query.bias", 2, {2, 4}, NULL},
      {"a.out.kernel", 3, {2, 4, 8}, NULL},
      {"a.out.bias", 1, {8}, NULL},
      {"a.key.kernel", 3, {8, 1, 4}, NULL},
      {"a.key.bias", 2, {1, 4}, NULL},
      {"a.value.kernel", 3, {8, 1, 4}, NULL},
      {"a.value.bias", 2, {1, 4}, NULL}}},
};

static const char attending[] =
    "network: {input: [784], layers: [{type: reshape, shape: [98, 8]}, {type: attention, name: a, "
    "heads: 2, kv_heads: 1}, select, {type: dense, name: d, units: 2, bias: false}], "
    "loss: softmax_cross_entropy}\n";

/* The number that weight [out][in] of queries, keys and values (o = 0 to 15), or of the output's
 * projection (16 to 23), has; and the bias in = 8. */
static double projection_value(size_t o, size_t in)
{
    return (double)(o * 9 + in + 1);
}

/* value <- of array i of a layout: o runs over its outputs from `first` on. */
static void fill_projection(const struct named_array *array, bool in_first, size_t first,
                            size_t n_out, double *value)
{
    if (strstr(array->name, "bias")) {
        for (size_t o = 0; o < n_out; o++)
            value[o] = projection_value(first + o, 8);
        return;
    }
    for (size_t o = 0; o < n_out; o++)
        for (size_t in = 0; in < 8; in++)
            value[in_first ? in * n_out + o : o * 8 + in] = projection_value(first + o, in);
}

static size_t write_projections(size_t k, double value[9][128], struct named_array array[9])
{
    const bool one = k == 0;
    static const size_t first[] = {0, 0, 16, 16, 8, 8, 12, 12};
    static const size_t n_out[] = {8, 8, 8, 8, 4, 4, 4, 4};
    size_t n = 0;
    for (; n < 8 && projections[k].array[n].name; n++) {
        array[n] = projections[k].array[n];
        array[n].value = value[n];
        fill_projection(&array[n], k == 2, first[n], one && n < 2 ? 16 : n_out[n], value[n]);
    }
    array[n] = (struct named_array){k == 2 ? "d.kernel" : "d.weight", 2, {2, 8}, value[n]};
    if (k == 2)
        array[n] = (struct named_array){"d.kernel", 2, {8, 2}, value[n]};
    memset(value[n], 0, sizeof value[n]);
    write_hdf5(temp_path("m.h5"), array, n + 1, 0);
    return n + 1;
}

START_TEST(separate_projections_are_packed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    static double value[9][128];
    struct named_array array[9];
    double theta[256];
    char init[128];
    write_projections((size_t)_i, value, array);
    snprintf(init, sizeof init, "file: m.h5, layout: %s", projections[_i].layout);
    EXPECT_OK(make_run(attending, init, &run, theta, &err), err);
    for (size_t i = 0; i < 4; i++) {
        struct stj_run_parameter p;
        ck_assert(stj_run_get_parameter(run, i, &p));
        const size_t first = strstr(p.name, "a.out") ? 16 : 0;
        const size_t n_out = first ? 8 : 16;
        const bool is_bias = strstr(p.name, "bias");
        for (size_t o = 0; o < n_out; o++)
            for (size_t in = is_bias ? 8 : 0; in < (is_bias ? 9U : 8U); in++)
                ck_assert_double_eq(theta[p.offset + (is_bias ? o : in * n_out + o)],
                                    projection_value(first + o, in));
    }
    stj_run_destroy(run);
}
END_TEST

START_TEST(separate_projections_that_do_not_fit_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_run *run = NULL;
    static double value[9][128];
    struct named_array array[9];
    double theta[256];
    size_t n = write_projections(1, value, array);
    array[4].name = "a.kproj.weight";
    write_hdf5(temp_path("m.h5"), array, n, 0);
    EXPECT_FAIL(make_run(attending, "file: m.h5, layout: pytorch", &run, theta, &err),
                STJ_EMISMATCH, "a.qkv.kernel, of k_proj: ", err);
    stj_run_destroy(run);
    n = write_projections(1, value, array);
    array[6].shape[0] = 8;
    write_hdf5(temp_path("m.h5"), array, n, 0);
    EXPECT_FAIL(make_run(attending, "file: m.h5, layout: pytorch", &run, theta, &err),
                STJ_EMISMATCH, "a.v_proj.weight has the shape [8, 8], expected [4, 8]", err);
    stj_run_destroy(run);
    n = write_projections(2, value, array);
    array[0].shape[1] = 4; /* other heads */
    array[0].shape[2] = 2;
    write_hdf5(temp_path("m.h5"), array, n, 0);
    EXPECT_FAIL(make_run(attending, "file: m.h5, layout: flax", &run, theta, &err), STJ_EMISMATCH,
                "has the shape [8, 4, 2], expected [8, 8] for a.qkv.kernel, in heads of 4", err);
    stj_run_destroy(run);
}
END_TEST

static TCase *make_case(void)
{
    TCase *tc = tcase_create("import");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_test(tc, torch_parameters_give_the_same_logits);
    tcase_add_test(tc, our_own_layout_needs_no_keys);
    tcase_add_test(tc, vectors_of_a_flattened_image_are_reordered);
    tcase_add_loop_test(tc, what_does_not_fit_is_explained, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(tc, orders_that_do_not_agree_are_refused, 0,
                        sizeof orders / sizeof orders[0]);
    tcase_add_loop_test(tc, a_preset_knows_the_names_of_others, 0,
                        sizeof conventions / sizeof conventions[0]);
    tcase_add_test(tc, a_square_weight_needs_a_layout);
    tcase_add_test(tc, axes_of_length_one_of_tables_do_not_count);
    tcase_add_loop_test(tc, separate_projections_are_packed, 0,
                        sizeof projections / sizeof projections[0]);
    tcase_add_test(tc, separate_projections_that_do_not_fit_are_refused);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("import");
    suite_add_tcase(suite, make_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
