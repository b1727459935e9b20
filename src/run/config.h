/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/config.h: the config of a run: what the YAML file says, checked. */
#ifndef STJ_RUN_CONFIG_H
#define STJ_RUN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "options/option.h"
#include "data/dataset.h"
#include "net/parameter_map.h"
#include "train/process_problem.h"

struct stj_data_config {
    struct stj_dataset_config train, test;
    bool has_test;
};

enum stj_import_preset { STJ_PRESET_OURS, STJ_PRESET_PYTORCH, STJ_PRESET_FLAX };

/* One of file and seed; neither where trajectory.states gives the first state with the others. */
struct stj_init_config {
    char *file;             /* theta_0; NULL: drawn from the layers' initialisers with `seed` */
    struct stj_names names; /* of tensors in `file`, where they are not ours */
    int preset;             /* whose layouts and names; enum stj_import_preset */
    struct stj_parameter_layout layout;    /* of the tensors in `file` */
    bool has_conv, has_dense, has_flatten; /* which of its keys were given */
    uint64_t seed;
    bool has_seed;
    char *slots; /* file with the slots that the optimizer begins with; NULL: zero */
    size_t step; /* updates that it has made before */
};

struct stj_training_config {
    struct stj_plugin optimizer, schedule;
    struct stj_plugins groups;                                /* of stj_groups */
    double clip_norm, clip_eps, clip_tensor_norm, clip_value; /* 0: gradients are not clipped */
    struct stj_plugin clip_factor;                            /* info NULL: neither by a factor */
    struct stj_sam_config {
        double rho;
        bool adaptive;
    } sam;
    bool has_sam;
    struct stj_plugin average; /* the end point; none: the last state */
    size_t batch_size;
    size_t accumulate;   /* micro-batches of batch_size rows that make a step; 0: 1 */
    int accumulate_mean; /* enum stj_accumulate_mean */
    bool has_accumulate_mean;
    size_t epochs, steps; /* exactly one was given */
    bool has_epochs, has_steps, has_batch_size;
    bool drop_last, shuffle;
    char *batches; /* file with the rows of each step's batch; NULL: they follow from the others */
    uint64_t seed; /* of the order of the batches and of masks */
};

static inline size_t stj_run_accumulate(const struct stj_training_config *training)
{
    return training->accumulate ? training->accumulate : 1;
}

/* At most one of every and max_bytes; neither: every state is kept.  With states, `every` is the
 * distance of those that are given, and all of them are kept. */
struct stj_keep_config {
    size_t every, max_bytes;
    bool has_every, has_max_bytes;
    char *states;     /* file or files with the states of a training elsewhere; NULL: train */
    double tolerance; /* of the deviation from them; 0: from the precision of their numbers */
};

/* What `spectraj study` begins with: files that take the place of random draws; NULL: drawn. */
struct stj_distributions_config {
    char *shuffled_labels; /* labels, or targets, of the training rows */
    char *noise_inputs;    /* inputs of the training rows */
};

struct stj_study_config {
    struct stj_distributions_config distributions;
};

struct stj_run_config {
    struct stj_data_config data;
    struct stj_network_config network;
    struct stj_process_config problem; /* in the place of data and network */
    struct stj_init_config init;
    struct stj_training_config training;
    struct stj_keep_config trajectory;
    struct stj_plugins analysis; /* that `spectraj run` does */
    struct stj_study_config study;
    bool has_analysis, has_trajectory, has_study, has_data, has_network, has_problem;
};

extern const struct stj_kind stj_analyses; /* the registry: analysis/analyses.c */

/* The tables; the groups' own are used where a group is written alone. */
extern const struct stj_option stj_run_options[];
extern const struct stj_option stj_training_options[];

/* What is to be otherwise than a config file says.  NULL, or all zero: nothing. */
struct stj_run_changes {
    size_t n;
    const struct stj_option_pair *set; /* [n]: keys of the config and their values as YAML */
    bool seed_given;                   /* init.seed and training.seed are `seed` */
    uint64_t seed;
};

/* config (all zeros) <- the file or text, with defaults filled in and every value checked on its
 * own and against the others; paths are absolute.  STJ_ECONFIG with file, line and column. */
enum stj_status stj_run_config_read(const char *path, const struct stj_run_changes *changes,
                                    struct stj_run_config *config, struct stj_error *err);
enum stj_status stj_run_config_parse(const char *text, const char *name,
                                     struct stj_run_config *config, struct stj_error *err);

/* What the keys of clipping must be to each other; map: where they stand. */
enum stj_status stj_run_config_check_clipping(const struct stj_yaml_node *map,
                                              const struct stj_training_config *training,
                                              struct stj_error *err);

/* *text <- YAML that reads back as the same config (owned by the caller). */
enum stj_status stj_run_config_print(const struct stj_run_config *config, char **text,
                                     struct stj_error *err);

/* *text <- only the groups that decide the bits of a training: network, or problem, and training,
 * without paths and the command. */
enum stj_status stj_run_config_print_recipe(const struct stj_run_config *config, char **text,
                                            struct stj_error *err);

void stj_run_config_free(struct stj_run_config *config);

#endif
