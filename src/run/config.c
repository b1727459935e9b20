/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/config.c: the option tables of a run's config, and what its keys must be to each other. */
#include "run/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "options/option_value.h"
#include "options/yaml.h"
#include "train/optimizers.h"
#include "train/recipe.h"
#include "train/schedule.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define GIVEN(type, member) .present_offset = offsetof(struct type, member)

static const struct stj_option data_options[] = {
    STJ_OPTION_ROW(struct stj_data_config, "train", GROUP, train, NULL, "the training set",
                   .group = stj_dataset_options),
    STJ_OPTION_ROW(struct stj_data_config, "test", GROUP, test, "", "the test set; default: none",
                   GIVEN(stj_data_config, has_test), .group = stj_dataset_options),
    {.name = NULL},
};

static const char *const presets[] = {"spectraj", "pytorch", "flax", NULL};
static const char *const conv_layouts[] = {"HWIO", "OIHW", NULL};
static const char *const dense_layouts[] = {"in_out", "out_in", NULL};
static const char *const flatten_layouts[] = {"HWC", "CHW", NULL};

static const struct stj_option init_options[] = {
    STJ_OPTION_ROW(
        struct stj_init_config, "file", PATH, file, "",
        "file with the initial parameters, one vector in the network's order or an array for "
        "each tensor; excludes `seed`"),
    STJ_OPTION_ROW(
        struct stj_init_config, "layout", CHOICE, preset, "spectraj",
        "whose conventions the file has: pytorch stands for conv_kernel: OIHW, dense_kernel: "
        "out_in, flatten: CHW, images in the layout NCHW, and the names weight, bias, "
        "in_proj_weight, out_proj; flax for its names alone. Keys beside it come first",
        .choices = presets),
    STJ_OPTION_ROW(
        struct stj_init_config, "names", NAMES, names, "",
        "what the file calls a tensor (conv2d0.kernel: c1.weight), all tensors of a name "
        "(kernel: weight), or a layer (conv2d0: c1); other keys may stand there too"),
    STJ_OPTION_ROW(struct stj_init_config, "conv_kernel", CHOICE, layout.conv, "",
                   "axes of convolution kernels in the file: HWIO (default), or OIHW as PyTorch",
                   GIVEN(stj_init_config, has_conv), .choices = conv_layouts),
    STJ_OPTION_ROW(struct stj_init_config, "dense_kernel", CHOICE, layout.dense, "",
                   "axes of dense kernels in the file: in_out (default), or out_in as PyTorch",
                   GIVEN(stj_init_config, has_dense), .choices = dense_layouts),
    STJ_OPTION_ROW(
        struct stj_init_config, "flatten", CHOICE, layout.flatten, "",
        "order of a flattened image where the file was trained: HWC (default), or CHW as PyTorch",
        GIVEN(stj_init_config, has_flatten), .choices = flatten_layouts),
    STJ_OPTION_ROW(struct stj_init_config, "seed", SEED, seed, "",
                   "seed of the layers' initialisers; excludes `file`",
                   GIVEN(stj_init_config, has_seed)),
    STJ_OPTION_ROW(struct stj_init_config, "slots", PATH, slots, "",
                   "file with the initial state of the optimizer, an array TENSOR.SLOT for each "
                   "slot, with the names and layouts of `file` and the slot names of PyTorch: "
                   "momentum_buffer, exp_avg, ...; default: zero"),
    STJ_OPTION_ROW(struct stj_init_config, "step", SIZE, step, "0",
                   "number of earlier updates of the optimizer, with `slots`; the learning rate "
                   "and the batches still refer to the steps of this training",
                   .max = 1e15),
    {.name = NULL},
};

static const struct stj_option sam_options[] = {
    STJ_OPTION_ROW(struct stj_sam_config, "rho", REAL, rho, "0.05",
                   "how far a step climbs along its gradient before it takes the second gradient",
                   .max = 1e300, .above_min = true),
    STJ_OPTION_ROW(struct stj_sam_config, "adaptive", BOOL, adaptive, "false",
                   "whether it climbs by rho theta^2 g / |theta g| (ASAM)"),
    {.name = NULL},
};

/* In the order of enum stj_accumulate_mean. */
static const char *const accumulate_means[] = {"micro_batches", "tokens", "fixed", NULL};

const struct stj_option stj_training_options[] = {
    STJ_OPTION_ROW(struct stj_training_config, "optimizer", PLUGIN, optimizer, NULL,
                   "how a gradient changes the parameters", .kind = &stj_optimizers),
    STJ_OPTION_ROW(struct stj_training_config, "learning_rate", PLUGIN, schedule, NULL,
                   "the learning rate as a function of the step", .kind = &stj_schedules),
    STJ_OPTION_ROW(struct stj_training_config, "groups", PLUGINS, groups, "",
                   "tensors with their own options: each group has `match`, a learning_rate, "
                   "options of the optimizer; other options are those of the training",
                   .kind = &stj_groups),
    STJ_OPTION_ROW(
        struct stj_training_config, "clip_norm", REAL, clip_norm, "",
        "largest global norm of a gradient, as optax.clip_by_global_norm; not given: no limit",
        .above_min = true),
    STJ_OPTION_ROW(struct stj_training_config, "clip_eps", REAL, clip_eps, "",
                   "added to the norm that clip_norm or clip_tensor_norm divides by; 1e-6: as "
                   "torch's clip_grad_norm_; not given: 0, as optax",
                   .above_min = true),
    STJ_OPTION_ROW(struct stj_training_config, "clip_tensor_norm", REAL, clip_tensor_norm, "",
                   "largest norm of the gradient of each tensor; excludes the other limits",
                   .above_min = true),
    STJ_OPTION_ROW(struct stj_training_config, "clip_value", REAL, clip_value, "",
                   "largest size of a gradient's elements, as torch's clip_grad_value_; excludes "
                   "the other limits",
                   .above_min = true),
    STJ_OPTION_ROW(struct stj_training_config, "clip_factor", PLUGIN, clip_factor, "",
                   "factor on each step's gradient, as recorded during clipping; J is that of the "
                   "training with these factors; excludes the limits",
                   .kind = &stj_schedules),
    STJ_OPTION_ROW(struct stj_training_config, "sam", GROUP, sam, "",
                   "sharpness-aware minimisation: the optimizer uses the gradient at a point rho "
                   "further uphill; not given: the gradient itself",
                   GIVEN(stj_training_config, has_sam), .group = sam_options),
    STJ_OPTION_ROW(struct stj_training_config, "average", PLUGIN, average, "",
                   "the end point is an average of states, to which losses and Jacobians refer; "
                   "not given: the last state",
                   .kind = &stj_averages),
    STJ_OPTION_ROW(struct stj_training_config, "batch_size", SIZE, batch_size, "",
                   "samples per step; its loss is their mean; required, except with a `problem`",
                   GIVEN(stj_training_config, has_batch_size), .min = 1, .max = 1e15),
    STJ_OPTION_ROW(struct stj_training_config, "accumulate", SIZE, accumulate, "",
                   "micro-batches of batch_size samples per step: its gradient is the mean of "
                   "theirs; an epoch's last step has the remaining ones; default: 1",
                   .min = 1, .max = 1e9),
    STJ_OPTION_ROW(
        struct stj_training_config, "accumulate_mean", CHOICE, accumulate_mean, "",
        "loss of a step: the mean over its micro-batches (micro_batches, default), the mean over "
        "all samples or labels that count, as if they were one batch (tokens), or the sum divided "
        "by `accumulate` even if an epoch's last step has fewer (fixed)",
        GIVEN(stj_training_config, has_accumulate_mean), .choices = accumulate_means),
    STJ_OPTION_ROW(struct stj_training_config, "epochs", SIZE, epochs, "",
                   "passes over the training set; excludes `steps`",
                   GIVEN(stj_training_config, has_epochs), .min = 1, .max = 1e12),
    STJ_OPTION_ROW(struct stj_training_config, "steps", SIZE, steps, "",
                   "optimizer steps; excludes `epochs`", GIVEN(stj_training_config, has_steps),
                   .min = 1, .max = 1e12),
    STJ_OPTION_ROW(struct stj_training_config, "drop_last", BOOL, drop_last, "true",
                   "omit an epoch's last batch if it is smaller than batch_size"),
    STJ_OPTION_ROW(struct stj_training_config, "shuffle", BOOL, shuffle, "false",
                   "a new order of the samples for each epoch"),
    STJ_OPTION_ROW(
        struct stj_training_config, "batches", PATH, batches, "",
        "file with the rows of each step's batch, an array [steps][batch_size] of numbers from 0, "
        "in which a shorter batch ends with -1 (with `accumulate` [steps][accumulate * "
        "batch_size], one micro-batch after another); excludes `shuffle` and `epochs`"),
    STJ_OPTION_ROW(struct stj_training_config, "seed", SEED, seed, "0",
                   "seed of the order of the samples"),
    {.name = NULL},
};

static const struct stj_option keep_options[] = {
    STJ_OPTION_ROW(struct stj_keep_config, "every", SIZE, every, "",
                   "distance in steps between the states in trajectory.h5; the others are "
                   "replayed; default: 1; excludes `max_bytes`",
                   GIVEN(stj_keep_config, has_every), .min = 1, .max = 1e15),
    STJ_OPTION_ROW(struct stj_keep_config, "max_bytes", BYTES, max_bytes, "",
                   "size limit for the states in trajectory.h5: as many as fit, equally spaced; "
                   "excludes `every`",
                   GIVEN(stj_keep_config, has_max_bytes), .min = 1, .unit = "byte"),
    STJ_OPTION_ROW(struct stj_keep_config, "states", PATH, states, "",
                   "states to import, every `every`-th: a file with an axis for them, or a file "
                   "for each state, with the step in its name as %d or %06d; names and layouts as "
                   "in `init`, whose `file` and `seed` it excludes"),
    STJ_OPTION_ROW(
        struct stj_keep_config, "tolerance", REAL, tolerance, "",
        "how far the replay of the steps between two given states may land from the second, "
        "relative to the distance they move; default: `every` times the square root of the "
        "precision of the given numbers, 1.5e-8 or, in single precision, 3.5e-4",
        .above_min = true),
    {.name = NULL},
};

static const struct stj_option distributions_options[] = {
    STJ_OPTION_ROW(struct stj_distributions_config, "shuffled_labels", PATH, shuffled_labels, "",
                   "labels (or targets) of the training rows in another order; default: drawn"),
    STJ_OPTION_ROW(struct stj_distributions_config, "noise_inputs", PATH, noise_inputs, "",
                   "white noise in place of the training inputs; default: drawn"),
    {.name = NULL},
};

static const struct stj_option study_options[] = {
    STJ_OPTION_ROW(struct stj_study_config, "distributions", GROUP, distributions, "{}",
                   "data of `spectraj study distributions`", .group = distributions_options),
    {.name = NULL},
};

const struct stj_option stj_run_options[] = {
    STJ_OPTION_ROW(struct stj_run_config, "data", GROUP, data, "",
                   "training and test set; required, except with a `problem`",
                   GIVEN(stj_run_config, has_data), .group = data_options),
    STJ_OPTION_ROW(struct stj_run_config, "network", GROUP, network, "",
                   "layers and loss; required, except with a `problem`",
                   GIVEN(stj_run_config, has_network), .group = stj_network_options),
    STJ_OPTION_ROW(
        struct stj_run_config, "problem", GROUP, problem, "",
        "in place of data and network: a process that provides gradients and Hessian products",
        GIVEN(stj_run_config, has_problem), .group = stj_process_options),
    STJ_OPTION_ROW(struct stj_run_config, "init", GROUP, init, "{seed: 0}",
                   "the initial parameters", .group = init_options),
    STJ_OPTION_ROW(struct stj_run_config, "training", GROUP, training, NULL, "how to train",
                   .group = stj_training_options),
    STJ_OPTION_ROW(struct stj_run_config, "trajectory", GROUP, trajectory, "",
                   "which states of the training are kept", GIVEN(stj_run_config, has_trajectory),
                   .group = keep_options),
    STJ_OPTION_ROW(struct stj_run_config, "analysis", BY_NAME, analysis, "",
                   "what `spectraj run` computes", GIVEN(stj_run_config, has_analysis),
                   .kind = &stj_analyses),
    STJ_OPTION_ROW(struct stj_run_config, "study", GROUP, study, "",
                   "files that `spectraj study` uses", GIVEN(stj_run_config, has_study),
                   .group = study_options),
    {.name = NULL},
};

/* The node of a key that was given twice over (group.key), else that of the group. */
static const struct stj_yaml_node *node_of(const struct stj_yaml_node *root, const char *group,
                                           const char *key)
{
    const struct stj_yaml_node *map = stj_yaml_get(root, group);
    const struct stj_yaml_node *node = map ? stj_yaml_get(map, key) : NULL;
    return node ? node : map;
}

enum stj_status stj_run_config_check_clipping(const struct stj_yaml_node *map,
                                              const struct stj_training_config *t,
                                              struct stj_error *err)
{
    static const struct stj_place training = {.key = "training"};
    STJ_NEED_PLACE(&training, map, err,
                   (t->clip_norm > 0) + (t->clip_tensor_norm > 0) + (t->clip_value > 0) +
                           (t->clip_factor.info != NULL) <=
                       1,
                   "clip_norm, clip_tensor_norm, clip_value and clip_factor exclude each other; "
                   "leave all but one out");
    STJ_NEED_PLACE(&training, map, err,
                   t->clip_eps == 0 || t->clip_norm > 0 || t->clip_tensor_norm > 0,
                   "clip_eps is for clip_norm and clip_tensor_norm");
    return STJ_OK;
}

/* A set is rows of a file, or of inputs by name. */
static enum stj_status check_set(const struct stj_yaml_node *root, const char *name,
                                 const struct stj_dataset_config *set, struct stj_error *err)
{
    const struct stj_place data = {.key = "data"}, place = {.up = &data, .key = name};
    STJ_NEED_PLACE(&place, node_of(root, "data", name), err,
                   set->file || (set->inputs.n && set->inputs.item[0].key[0]),
                   "missing key 'file': expected a file name (or `inputs` by name)");
    STJ_NEED_PLACE(&place, node_of(root, "data", name), err,
                   !set->example || strcmp(name, "train") == 0,
                   "example is for data.train, what a training has seen; leave it out");
    return STJ_OK;
}

/* What a network has and a problem does not: its process has data, batches and layers. */
static enum stj_status check_problem(const struct stj_yaml_node *root,
                                     const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place problem = {.key = "problem"}, training = {.key = "training"};
    const struct stj_training_config *t = &config->training;
    STJ_NEED_PLACE(&problem, stj_yaml_get(root, "problem"), err,
                   !config->has_network && !config->has_data,
                   "its process has data and network: leave the keys data and network out, or "
                   "problem");
    STJ_NEED_PLACE(&problem, stj_yaml_get(root, "problem"), err,
                   config->problem.callbacks || config->problem.command.n > 0,
                   "missing key 'command': expected the program and its arguments, as [python3, "
                   "problem.py]");
    STJ_NEED_PLACE(&problem, node_of(root, "problem", "callbacks"), err,
                   !config->problem.callbacks || config->problem.command.n == 0,
                   "callbacks and command exclude each other; leave one of them out");
    STJ_NEED_PLACE(&training, stj_yaml_get(root, "training"), err,
                   !t->has_batch_size && !t->has_epochs && !t->shuffle && !t->batches &&
                       !t->accumulate && !t->has_accumulate_mean,
                   "the process of a problem has its batches: leave batch_size, accumulate, "
                   "epochs, shuffle and batches out and give steps");
    return STJ_OK;
}

/* A process that takes its own steps leaves nothing to do with a gradient. */
static enum stj_status check_own_step(const struct stj_yaml_node *root,
                                      const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place training = {.key = "training"};
    const struct stj_training_config *t = &config->training;
    const struct stj_yaml_node *node = node_of(root, "training", "optimizer");
    if (strcmp(t->optimizer.info->name, STJ_OWN_STEP) != 0)
        return STJ_OK;
    STJ_NEED_PLACE(&training, node, err, config->has_problem && !config->problem.callbacks,
                   STJ_OWN_STEP " is for a `problem` whose process takes its own steps: give an "
                                "optimizer");
    STJ_NEED_PLACE(&training, node_of(root, "training", "learning_rate"), err,
                   strcmp(t->schedule.info->name, "constant") == 0 &&
                       stj_schedule_eta(&t->schedule, 0, 1) == 1,
                   "the rate of " STJ_OWN_STEP " is the process's own: leave learning_rate out");
    STJ_NEED_PLACE(&training, node, err,
                   t->groups.n == 0 && t->clip_norm == 0 && t->clip_tensor_norm == 0 &&
                       t->clip_value == 0 && !t->clip_factor.info && !t->has_sam,
                   STJ_OWN_STEP " has no gradient that groups, clipping or sam could change: leave "
                                "them out, the process does what it does");
    return STJ_OK;
}

/* Its learning rate, which has no meaning. */
static enum stj_status fill_own_step(const struct stj_yaml_node *root, struct stj_error *err)
{
    static const char rate[] = "{schedule: constant, peak: 1}";
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *node = NULL;
    const struct stj_yaml_node *training = stj_yaml_get(root, "training");
    const struct stj_yaml_node *type = training ? stj_yaml_get(training, "optimizer") : NULL;
    if (type && type->type == STJ_YAML_MAPPING)
        type = stj_yaml_get(type, "type");
    if (!type || type->type != STJ_YAML_SCALAR || strcmp(type->text, STJ_OWN_STEP) != 0 ||
        stj_yaml_get(training, "learning_rate"))
        return STJ_OK;
    STJ_MUST(stj_yaml_parse(rate, strlen(rate), "learning_rate", &node, err));
    return stj_yaml_add((struct stj_yaml_node *)(uintptr_t)training, "learning_rate", node, err);
}

/* What a network needs. */
static enum stj_status check_network(const struct stj_yaml_node *root,
                                     const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place whole = {.key = NULL}, network = {.key = "network"};
    const struct stj_place training = {.key = "training"};
    STJ_NEED_PLACE(&whole, root, err, config->has_data,
                   "missing key 'data': expected a mapping (training and test set)");
    STJ_NEED_PLACE(&whole, root, err, config->has_network,
                   "missing key 'network': expected a mapping (layers and loss), or `problem`");
    STJ_MUST(check_set(root, "train", &config->data.train, err));
    if (config->data.has_test)
        STJ_MUST(check_set(root, "test", &config->data.test, err));
    STJ_NEED_PLACE(&network, stj_yaml_get(root, "network"), err,
                   config->network.input.n || config->network.inputs.n,
                   "missing key 'input': expected the shape of a sample (or `inputs` by name)");
    STJ_NEED_PLACE(&training, stj_yaml_get(root, "training"), err, config->training.has_batch_size,
                   "missing key 'batch_size': expected an integer of at least 1 (samples of a "
                   "step)");
    return STJ_OK;
}

static enum stj_status check_init(const struct stj_yaml_node *root,
                                  const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place init = {.key = "init"};
    const struct stj_keep_config *keep = &config->trajectory;
    const struct stj_parameter_layout *layout = &config->init.layout;
    STJ_NEED_PLACE(&init, node_of(root, "init", "seed"), err,
                   !(config->init.file && config->init.has_seed),
                   "file and seed exclude each other; leave one of them out");
    STJ_NEED_PLACE(&init, node_of(root, "init", ""), err,
                   config->init.file || config->init.has_seed || keep->states,
                   "missing key: expected file or seed");
    STJ_NEED_PLACE(&init, stj_yaml_get(root, "init"), err,
                   !keep->states || !(config->init.file || config->init.has_seed),
                   "the first of trajectory.states is theta_0; leave file and seed out");
    STJ_NEED_PLACE(&init, node_of(root, "init", "names"), err,
                   config->init.file || keep->states || config->init.slots ||
                       (config->init.names.n == 0 && layout->conv == 0 && layout->dense == 0 &&
                        layout->flatten == 0 && config->init.preset == STJ_PRESET_OURS),
                   "layout, names, conv_kernel, dense_kernel and flatten are for a file (where "
                   "data have the channels, data.train.layout says)");
    STJ_NEED_PLACE(&init, node_of(root, "init", "step"), err,
                   (config->init.slots != NULL) == (config->init.step > 0),
                   "slots are those after a step, at least 1, and a step has slots: give both of "
                   "them, or none");
    return STJ_OK;
}

static enum stj_status check_training(const struct stj_yaml_node *root,
                                      const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place training = {.key = "training"};
    const struct stj_training_config *t = &config->training;
    STJ_NEED_PLACE(&training, node_of(root, "training", "steps"), err,
                   !(t->has_epochs && t->has_steps),
                   "epochs and steps exclude each other; leave one of them out");
    STJ_NEED_PLACE(&training, node_of(root, "training", "batches"), err,
                   !t->batches || (!t->has_epochs && !t->shuffle),
                   "batches are those of so many steps: it excludes epochs and shuffle");
    STJ_NEED_PLACE(&training, node_of(root, "training", "batches"), err,
                   !t->batches || t->has_steps,
                   "missing key: batches needs steps, how many of those in the file are taken");
    STJ_MUST(stj_run_config_check_clipping(stj_yaml_get(root, "training"), t, err));
    STJ_NEED_PLACE(&training, node_of(root, "training", "accumulate_mean"), err,
                   !t->has_accumulate_mean || t->accumulate > 1,
                   "accumulate_mean is for steps of several micro-batches: accumulate, 2 or more");
    STJ_NEED_PLACE(&training, node_of(root, "training", ""), err, t->has_epochs || t->has_steps,
                   "missing key: expected epochs or steps");
    return STJ_OK;
}

static enum stj_status check_trajectory(const struct stj_yaml_node *root,
                                        const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place trajectory = {.key = "trajectory"};
    const struct stj_keep_config *keep = &config->trajectory;
    STJ_NEED_PLACE(&trajectory, node_of(root, "trajectory", "max_bytes"), err,
                   !(keep->has_every && keep->has_max_bytes),
                   "every and max_bytes exclude each other; leave one of them out");
    STJ_NEED_PLACE(&trajectory, node_of(root, "trajectory", "states"), err,
                   !(keep->states && keep->has_max_bytes),
                   "states that are given are all kept; leave max_bytes out");
    STJ_NEED_PLACE(&trajectory, node_of(root, "trajectory", "tolerance"), err,
                   keep->states || keep->tolerance == 0, "tolerance is for states");
    return STJ_OK;
}

static enum stj_status check_keys(const struct stj_yaml_node *root,
                                  const struct stj_run_config *config, struct stj_error *err)
{
    STJ_MUST(config->has_problem ? check_problem(root, config, err)
                                 : check_network(root, config, err));
    STJ_MUST(check_own_step(root, config, err));
    STJ_MUST(check_init(root, config, err));
    STJ_MUST(check_training(root, config, err));
    return check_trajectory(root, config, err);
}

/* Set what a preset stands for and no key says. */
static void apply_preset(struct stj_run_config *config)
{
    struct stj_init_config *init = &config->init;
    struct stj_dataset_config *set[] = {&config->data.train, &config->data.test};
    if (init->preset != STJ_PRESET_PYTORCH)
        return;
    init->layout.conv = init->has_conv ? init->layout.conv : STJ_CONV_OIHW;
    init->layout.dense = init->has_dense ? init->layout.dense : STJ_DENSE_OUT_IN;
    init->layout.flatten = init->has_flatten ? init->layout.flatten : STJ_FLATTEN_CHW;
    bool images = config->network.input.n == 3;
    for (size_t i = 0; i < config->network.inputs.n; i++)
        images = images || config->network.inputs.item[i].sizes.n == 3;
    for (size_t i = 0; i < 2; i++)
        if (!set[i]->has_layout && images)
            set[i]->layout = STJ_DATA_NCHW;
}

/* The folder itself, not "folder/.". */
static void trim_directory(char *directory)
{
    const size_t n = directory ? strlen(directory) : 0;
    if (n > 2 && strcmp(directory + n - 2, "/.") == 0)
        directory[n - 2] = '\0';
}

/* The learning rate of a group: whatever it lacks is the training's. */
static enum stj_status fill_rate(const struct stj_yaml_node *training, struct stj_yaml_node *group,
                                 struct stj_error *err)
{
    const struct stj_yaml_node *rate = stj_yaml_get(training, "learning_rate");
    struct stj_yaml_node *own =
        (struct stj_yaml_node *)(uintptr_t)stj_yaml_get(group, "learning_rate");
    if (!rate || !own)
        return rate ? stj_yaml_add(group, "learning_rate", rate, err) : STJ_OK;
    if (own->type != STJ_YAML_MAPPING || stj_yaml_get(own, stj_schedules.key))
        return STJ_OK;
    if (rate->type == STJ_YAML_MAPPING)
        return stj_yaml_inherit(own, rate, err);
    struct stj_yaml_node list = *rate;
    list.type = STJ_YAML_SCALAR;
    list.text = (char *)(uintptr_t)stj_schedules.sequence;
    const bool bare = rate->type == STJ_YAML_SCALAR;
    STJ_MUST(stj_yaml_add(own, stj_schedules.key, bare ? rate : &list, err));
    return bare ? STJ_OK : stj_yaml_add(own, stj_schedules.items, rate, err);
}

/* A group is the training's optimizer with other values: it gets what it does not say itself. */
static enum stj_status fill_group(const struct stj_yaml_node *training, size_t i,
                                  struct stj_yaml_node *group, struct stj_error *err)
{
    static const struct stj_place up[] = {{.key = "training"}, {.up = &up[0], .key = "groups"}};
    const struct stj_place item = {.up = &up[1], .index = i}, place = {.up = &item, .key = "type"};
    const struct stj_yaml_node *optimizer = stj_yaml_get(training, "optimizer");
    const struct stj_yaml_node *type =
        optimizer->type == STJ_YAML_MAPPING ? stj_yaml_get(optimizer, "type") : optimizer;
    const struct stj_yaml_node *own = stj_yaml_get(group, "type");
    if (!type || type->type != STJ_YAML_SCALAR)
        return STJ_OK;
    STJ_NEED_PLACE(&place, own, err,
                   !own || (own->type == STJ_YAML_SCALAR && strcmp(own->text, type->text) == 0),
                   "one optimizer updates all tensors, and that is %.60s; leave the key out",
                   type->text);
    if (!own)
        STJ_MUST(stj_yaml_add(group, "type", type, err));
    if (optimizer->type == STJ_YAML_MAPPING)
        STJ_MUST(stj_yaml_inherit(group, optimizer, err));
    return fill_rate(training, group, err);
}

static enum stj_status fill_groups(const struct stj_yaml_node *root, struct stj_error *err)
{
    const struct stj_yaml_node *training = stj_yaml_get(root, "training");
    const struct stj_yaml_node *groups = training ? stj_yaml_get(training, "groups") : NULL;
    if (!groups || groups->type != STJ_YAML_SEQUENCE || !stj_yaml_get(training, "optimizer"))
        return STJ_OK;
    for (size_t i = 0; i < groups->n; i++)
        if (groups->item[i].type == STJ_YAML_MAPPING)
            STJ_MUST(fill_group(training, i, &groups->item[i], err));
    return STJ_OK;
}

static enum stj_status from_tree(const struct stj_yaml_node *root, struct stj_run_config *config,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(fill_own_step(root, err));
    STJ_TRY(fill_groups(root, err));
    STJ_TRY(stj_options_parse(stj_run_options, root, config, err));
    if (config->trajectory.states && !stj_yaml_get(root, "init"))
        config->init.has_seed = false; /* the default of a group that was not given */
    STJ_TRY(check_keys(root, config, err));
    apply_preset(config);
    trim_directory(config->problem.directory);
out:
    if (st != STJ_OK)
        stj_run_config_free(config);
    return st;
}

/* Put the values into the tree, which borrows from value[n], their trees. */
static enum stj_status set_values(const struct stj_run_changes *changes,
                                  struct stj_yaml_node **value, struct stj_yaml_node *root,
                                  struct stj_error *err)
{
    for (size_t i = 0; i < changes->n; i++) {
        const struct stj_option_pair *set = &changes->set[i];
        STJ_NEED(err, set->name && set->text && set->text[strspn(set->text, " \t\n")], STJ_ECONFIG,
                 "--set %s: expected KEY=VALUE, and there is no value", set->name ? set->name : "");
        STJ_NEED(err,
                 !changes->seed_given || (strcmp(set->name, "init.seed") != 0 &&
                                          strcmp(set->name, "training.seed") != 0),
                 STJ_ECONFIG, "--set %s and --seed exclude each other", set->name);
        STJ_MUST(stj_yaml_parse(set->text, strlen(set->text), "--set", &value[i], err));
        STJ_MUST(stj_options_set(stj_run_options, root, set->name, value[i], err));
    }
    return STJ_OK;
}

enum stj_status stj_run_config_read(const char *path, const struct stj_run_changes *changes,
                                    struct stj_run_config *config, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    static const struct stj_run_changes none;
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *root = NULL;
    struct stj_yaml_node **value = NULL;
    changes = changes ? changes : &none;
    STJ_TRY(stj_yaml_read(path, &root, err));
    STJ_TRY(stj_new(&value, changes->n, sizeof *value, err));
    STJ_TRY(set_values(changes, value, root, err));
    STJ_TRY(from_tree(root, config, err));
    if (changes->seed_given)
        config->training.seed = changes->seed;
    if (changes->seed_given && config->init.has_seed)
        config->init.seed = changes->seed;
out:
    for (size_t i = 0; value && i < changes->n; i++)
        stj_yaml_destroy(value[i]);
    free(value);
    return st;
}

enum stj_status stj_run_config_parse(const char *text, const char *name,
                                     struct stj_run_config *config, struct stj_error *err)
{
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *root = NULL;
    STJ_MUST(stj_yaml_parse(text, strlen(text), name, &root, err));
    return from_tree(root, config, err);
}

void stj_run_config_free(struct stj_run_config *config)
{
    free(config->problem.program);
    config->problem.program = NULL;
    stj_options_free(stj_run_options, config);
}

/* *text <- what `table` says of `config`, or of two groups under their names. */
struct section {
    const char *name; /* NULL: at the left margin */
    const struct stj_option *table;
    const void *config;
};

static enum stj_status print_sections(const struct section *section, size_t n, char **text,
                                      struct stj_error *err)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    *text = NULL;
    STJ_MUST(stj_text_open(&out, err));
    for (size_t i = 0; i < n; i++) {
        if (section[i].name)
            fprintf(out.file, "%s:\n", section[i].name);
        stj_options_write(out.file, section[i].name ? 2 : 0, section[i].table, section[i].config);
    }
    return stj_text_take(&out, text, err);
}

enum stj_status stj_run_config_print(const struct stj_run_config *config, char **text,
                                     struct stj_error *err)
{
    const struct section all = {NULL, stj_run_options, config};
    return print_sections(&all, 1, text, err);
}

/* Take the lines of a key out of YAML. */
static void drop_lines(char *text, const char *key)
{
    char *to = text;
    for (char *line = text; *line;) {
        const size_t n = strcspn(line, "\n") + (strchr(line, '\n') != NULL);
        const bool drop = strncmp(line + strspn(line, " "), key, strlen(key)) == 0;
        memmove(to, line, n);
        to += drop ? 0 : n;
        line += n;
    }
    *to = '\0';
}

enum stj_status stj_run_config_print_recipe(const struct stj_run_config *config, char **text,
                                            struct stj_error *err)
{
    static const char *const place[] = {"command: ", "callbacks: ", "directory: ", "timeout: "};
    struct stj_training_config training = config->training;
    const struct section recipe[] = {
        config->has_problem ? (struct section){"problem", stj_process_options, &config->problem}
                            : (struct section){"network", stj_network_options, &config->network},
        {"training", stj_training_options, &training},
    };
    training.batches = NULL; /* it is the rows that count, not where the file is */
    STJ_MUST(print_sections(recipe, 2, text, err));
    for (size_t i = 0; config->has_problem && i < sizeof place / sizeof place[0]; i++)
        drop_lines(*text, place[i]);
    drop_lines(strstr(*text, "\ntraining:"), "file: "); /* of schedules: their values count */
    return STJ_OK;
}
