/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/config.c: the option tables of a run's config, and what its keys must be to each other. */
#include "run/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"
#include "options/yaml.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define GIVEN(type, member) .present_offset = offsetof(struct type, member)

static const struct stj_option data_options[] = {
    {.name = "train",
     .type = STJ_OPTION_GROUP,
     AT(stj_data_config, train),
     .group = stj_dataset_options,
     .doc = "the training set"},
    {.name = "test",
     .type = STJ_OPTION_GROUP,
     AT(stj_data_config, test),
     GIVEN(stj_data_config, has_test),
     .fallback = "",
     .group = stj_dataset_options,
     .doc = "the test set; default: none"},
    {.name = NULL},
};

static const char *const presets[] = {"spectraj", "pytorch", "flax", NULL};
static const char *const conv_layouts[] = {"HWIO", "OIHW", NULL};
static const char *const dense_layouts[] = {"in_out", "out_in", NULL};
static const char *const flatten_layouts[] = {"HWC", "CHW", NULL};

static const struct stj_option init_options[] = {
    {.name = "file",
     .type = STJ_OPTION_PATH,
     AT(stj_init_config, file),
     .fallback = "",
     .doc = "file with the initial parameters, one vector in the network's order or an array for "
            "each tensor; excludes `seed`"},
    {.name = "layout",
     .type = STJ_OPTION_CHOICE,
     AT(stj_init_config, preset),
     .fallback = "spectraj",
     .choices = presets,
     .doc = "whose conventions the file has: pytorch stands for conv_kernel: OIHW, dense_kernel: "
            "out_in, flatten: CHW, images in the layout NCHW, and the names weight, bias, "
            "in_proj_weight, out_proj; flax for its names alone. Keys beside it come first"},
    {.name = "names",
     .type = STJ_OPTION_NAMES,
     AT(stj_init_config, names),
     .fallback = "",
     .doc = "what the file calls a tensor (conv2d0.kernel: c1.weight), all tensors of a name "
            "(kernel: weight), or a layer (conv2d0: c1); other keys may stand there too"},
    {.name = "conv_kernel",
     .type = STJ_OPTION_CHOICE,
     AT(stj_init_config, layout.conv),
     GIVEN(stj_init_config, has_conv),
     .fallback = "",
     .choices = conv_layouts,
     .doc = "axes of convolution kernels in the file: HWIO (default), or OIHW as PyTorch"},
    {.name = "dense_kernel",
     .type = STJ_OPTION_CHOICE,
     AT(stj_init_config, layout.dense),
     GIVEN(stj_init_config, has_dense),
     .fallback = "",
     .choices = dense_layouts,
     .doc = "axes of dense kernels in the file: in_out (default), or out_in as PyTorch"},
    {.name = "flatten",
     .type = STJ_OPTION_CHOICE,
     AT(stj_init_config, layout.flatten),
     GIVEN(stj_init_config, has_flatten),
     .fallback = "",
     .choices = flatten_layouts,
     .doc =
         "order of a flattened image where the file was trained: HWC (default), or CHW as PyTorch"},
    {.name = "seed",
     .type = STJ_OPTION_SEED,
     AT(stj_init_config, seed),
     GIVEN(stj_init_config, has_seed),
     .fallback = "",
     .doc = "seed of the layers' initialisers; excludes `file`"},
    {.name = NULL},
};

const struct stj_option stj_training_options[] = {
    {.name = "optimizer",
     .type = STJ_OPTION_PLUGIN,
     AT(stj_training_config, optimizer),
     .kind = &stj_optimizers,
     .doc = "how a gradient changes the parameters"},
    {.name = "learning_rate",
     .type = STJ_OPTION_PLUGIN,
     AT(stj_training_config, schedule),
     .kind = &stj_schedules,
     .doc = "the learning rate as a function of the step"},
    {.name = "clip_norm",
     .type = STJ_OPTION_REAL,
     AT(stj_training_config, clip_norm),
     .fallback = "",
     .above_min = true,
     .doc = "largest global norm of a gradient, as optax.clip_by_global_norm; not given: no limit"},
    {.name = "batch_size",
     .type = STJ_OPTION_SIZE,
     AT(stj_training_config, batch_size),
     .min = 1,
     .max = 1e15,
     .doc = "samples of a step; its loss is their mean"},
    {.name = "epochs",
     .type = STJ_OPTION_SIZE,
     AT(stj_training_config, epochs),
     GIVEN(stj_training_config, has_epochs),
     .fallback = "",
     .min = 1,
     .max = 1e12,
     .doc = "passes over the training set; excludes `steps`"},
    {.name = "steps",
     .type = STJ_OPTION_SIZE,
     AT(stj_training_config, steps),
     GIVEN(stj_training_config, has_steps),
     .fallback = "",
     .min = 1,
     .max = 1e12,
     .doc = "optimizer steps; excludes `epochs`"},
    {.name = "drop_last",
     .type = STJ_OPTION_BOOL,
     AT(stj_training_config, drop_last),
     .fallback = "true",
     .doc = "leave out an epoch's last batch when it is smaller than batch_size"},
    {.name = "shuffle",
     .type = STJ_OPTION_BOOL,
     AT(stj_training_config, shuffle),
     .fallback = "false",
     .doc = "a new order of the samples for each epoch"},
    {.name = "batches",
     .type = STJ_OPTION_PATH,
     AT(stj_training_config, batches),
     .fallback = "",
     .doc = "file with the rows of each step's batch, an array [steps][batch_size] of numbers from "
            "0, where a shorter batch ends with -1; excludes `shuffle` and `epochs`"},
    {.name = "seed",
     .type = STJ_OPTION_SEED,
     AT(stj_training_config, seed),
     .fallback = "0",
     .doc = "seed of the order of the samples"},
    {.name = NULL},
};

static const struct stj_option keep_options[] = {
    {.name = "every",
     .type = STJ_OPTION_SIZE,
     AT(stj_keep_config, every),
     GIVEN(stj_keep_config, has_every),
     .fallback = "",
     .min = 1,
     .max = 1e15,
     .doc = "distance in steps of the states that trajectory.h5 holds, replay makes the others; "
            "default: 1; excludes `max_bytes`"},
    {.name = "max_bytes",
     .type = STJ_OPTION_BYTES,
     AT(stj_keep_config, max_bytes),
     GIVEN(stj_keep_config, has_max_bytes),
     .fallback = "",
     .min = 1,
     .unit = "byte",
     .doc = "what the states in trajectory.h5 may take: as many, equally spaced, as that allows; "
            "excludes `every`"},
    {.name = "states",
     .type = STJ_OPTION_PATH,
     AT(stj_keep_config, states),
     .fallback = "",
     .doc = "states of a training elsewhere, every `every`-th: a file with an axis for them, or a "
            "file for each, the step in its name as %d or %06d; names and layouts as in `init`, "
            "whose `file` and `seed` it excludes"},
    {.name = "tolerance",
     .type = STJ_OPTION_REAL,
     AT(stj_keep_config, tolerance),
     .fallback = "",
     .above_min = true,
     .doc = "how far the steps between two given states may land from the second, relative to what "
            "they move; default: `every` times the square root of the precision of the numbers "
            "given, 1.5e-8 or, in single precision, 3.5e-4"},
    {.name = NULL},
};

static const struct stj_option distributions_options[] = {
    {.name = "shuffled_labels",
     .type = STJ_OPTION_PATH,
     AT(stj_distributions_config, shuffled_labels),
     .fallback = "",
     .doc = "labels (or targets) of the training rows in another order; default: drawn"},
    {.name = "noise_inputs",
     .type = STJ_OPTION_PATH,
     AT(stj_distributions_config, noise_inputs),
     .fallback = "",
     .doc = "white noise in place of the training inputs; default: drawn"},
    {.name = NULL},
};

static const struct stj_option study_options[] = {
    {.name = "distributions",
     .type = STJ_OPTION_GROUP,
     AT(stj_study_config, distributions),
     .fallback = "{}",
     .group = distributions_options,
     .doc = "data of `spectraj study distributions`"},
    {.name = NULL},
};

const struct stj_option stj_run_options[] = {
    {.name = "data",
     .type = STJ_OPTION_GROUP,
     AT(stj_run_config, data),
     .group = data_options,
     .doc = "training and test set"},
    {.name = "network",
     .type = STJ_OPTION_GROUP,
     AT(stj_run_config, network),
     .group = stj_network_options,
     .doc = "layers and loss"},
    {.name = "init",
     .type = STJ_OPTION_GROUP,
     AT(stj_run_config, init),
     .fallback = "{seed: 0}",
     .group = init_options,
     .doc = "the initial parameters"},
    {.name = "training",
     .type = STJ_OPTION_GROUP,
     AT(stj_run_config, training),
     .group = stj_training_options,
     .doc = "how to train"},
    {.name = "trajectory",
     .type = STJ_OPTION_GROUP,
     AT(stj_run_config, trajectory),
     GIVEN(stj_run_config, has_trajectory),
     .fallback = "",
     .group = keep_options,
     .doc = "which states of the training are kept"},
    {.name = "analysis",
     .type = STJ_OPTION_BY_NAME,
     AT(stj_run_config, analysis),
     GIVEN(stj_run_config, has_analysis),
     .fallback = "",
     .kind = &stj_analyses,
     .doc = "what `spectraj run` computes"},
    {.name = "study",
     .type = STJ_OPTION_GROUP,
     AT(stj_run_config, study),
     GIVEN(stj_run_config, has_study),
     .fallback = "",
     .group = study_options,
     .doc = "files that `spectraj study` uses"},
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

static enum stj_status check_keys(const struct stj_yaml_node *root,
                                  const struct stj_run_config *config, struct stj_error *err)
{
    const struct stj_place init = {.key = "init"};
    const struct stj_place training = {.key = "training"};
    const struct stj_place trajectory = {.key = "trajectory"};
    const struct stj_training_config *t = &config->training;
    const struct stj_keep_config *keep = &config->trajectory;
    STJ_NEED_PLACE(&init, node_of(root, "init", "seed"), err,
                   !(config->init.file && config->init.has_seed),
                   "file and seed exclude each other; leave one of them out");
    STJ_NEED_PLACE(&init, node_of(root, "init", ""), err,
                   config->init.file || config->init.has_seed || keep->states,
                   "missing key: expected file or seed");
    STJ_NEED_PLACE(&init, stj_yaml_get(root, "init"), err,
                   !keep->states || !(config->init.file || config->init.has_seed),
                   "the first of trajectory.states is theta_0; leave file and seed out");
    const struct stj_parameter_layout *layout = &config->init.layout;
    STJ_NEED_PLACE(&init, node_of(root, "init", "names"), err,
                   config->init.file || keep->states ||
                       (config->init.names.n == 0 && layout->conv == 0 && layout->dense == 0 &&
                        layout->flatten == 0 && config->init.preset == STJ_PRESET_OURS),
                   "layout, names, conv_kernel, dense_kernel and flatten are for a file (where "
                   "data have the channels, data.train.layout says)");
    STJ_NEED_PLACE(&training, node_of(root, "training", "steps"), err,
                   !(t->has_epochs && t->has_steps),
                   "epochs and steps exclude each other; leave one of them out");
    STJ_NEED_PLACE(&training, node_of(root, "training", "batches"), err,
                   !t->batches || (t->has_steps && !t->shuffle),
                   "batches are those of so many steps: it excludes epochs and shuffle");
    STJ_NEED_PLACE(&trajectory, node_of(root, "trajectory", "max_bytes"), err,
                   !(keep->has_every && keep->has_max_bytes),
                   "every and max_bytes exclude each other; leave one of them out");
    STJ_NEED_PLACE(&trajectory, node_of(root, "trajectory", "states"), err,
                   !(keep->states && keep->has_max_bytes),
                   "states that are given are all kept; leave max_bytes out");
    STJ_NEED_PLACE(&trajectory, node_of(root, "trajectory", "tolerance"), err,
                   keep->states || keep->tolerance == 0, "tolerance is for states");
    STJ_NEED_PLACE(&training, node_of(root, "training", ""), err, t->has_epochs || t->has_steps,
                   "missing key: expected epochs or steps");
    return STJ_OK;
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
    for (size_t i = 0; i < 2; i++)
        if (!set[i]->has_layout && config->network.input.n == 3)
            set[i]->layout = STJ_DATA_NCHW;
}

static enum stj_status from_tree(const struct stj_yaml_node *root, struct stj_run_config *config,
                                 struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_options_parse(stj_run_options, root, config, err));
    if (config->trajectory.states && !stj_yaml_get(root, "init"))
        config->init.has_seed = false; /* the default of a group that was not given */
    STJ_TRY(check_keys(root, config, err));
    apply_preset(config);
out:
    if (st != STJ_OK)
        stj_run_config_free(config);
    return st;
}

enum stj_status stj_run_config_read(const char *path, struct stj_run_config *config,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_yaml_node *root = NULL;
    STJ_TRY(stj_yaml_read(path, &root, err));
    STJ_TRY(from_tree(root, config, err));
out:
    stj_yaml_destroy(root);
    return st;
}

enum stj_status stj_run_config_parse(const char *text, const char *name,
                                     struct stj_run_config *config, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_yaml_node *root = NULL;
    STJ_TRY(stj_yaml_parse(text, strlen(text), name, &root, err));
    STJ_TRY(from_tree(root, config, err));
out:
    stj_yaml_destroy(root);
    return st;
}

void stj_run_config_free(struct stj_run_config *config)
{
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
    enum stj_status st = STJ_OK;
    char *buffer = NULL;
    size_t size = 0;
    *text = NULL;
    FILE *file = open_memstream(&buffer, &size);
    STJ_CHECK(err, file, STJ_ENOMEM, "no memory for the text of a config: %s", strerror(errno));
    for (size_t i = 0; i < n; i++) {
        if (section[i].name)
            fprintf(file, "%s:\n", section[i].name);
        stj_options_write(file, section[i].name ? 2 : 0, section[i].table, section[i].config);
    }
    int failed = ferror(file);
    failed |= fclose(file);
    STJ_CHECK(err, !failed && buffer, STJ_ENOMEM, "no memory for the text of a config");
    STJ_TRY(stj_strdup(text, buffer, err));
out:
    free(buffer);
    return st;
}

enum stj_status stj_run_config_print(const struct stj_run_config *config, char **text,
                                     struct stj_error *err)
{
    const struct section all = {NULL, stj_run_options, config};
    return print_sections(&all, 1, text, err);
}

enum stj_status stj_run_config_print_recipe(const struct stj_run_config *config, char **text,
                                            struct stj_error *err)
{
    struct stj_training_config training = config->training;
    const struct section recipe[] = {
        {"network", stj_network_options, &config->network},
        {"training", stj_training_options, &training},
    };
    training.batches = NULL; /* it is the rows that count, not where the file is */
    return print_sections(recipe, 2, text, err);
}
