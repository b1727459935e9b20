/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/run_internal.h: inside a run, for the folders after run/ */
#ifndef STJ_RUN_RUN_INTERNAL_H
#define STJ_RUN_RUN_INTERNAL_H

#include <spectraj/run.h>

#include "data/batch_order.h"
#include "run/config.h"
#include "spectrum/cost_model.h"
#include "train/network_problem.h"
#include "trajectory/trajectory.h"

enum {
    STJ_SHAPE_TEXT_MAX = 96,
    STJ_INPUTS_TEXT_MAX = 160,
    STJ_FILE_NAME_MAX = 256,
    STJ_UNUSED_TEXT_MAX = 512
};

/* A tensor of the parameters, in words. */
struct stj_run_tensor {
    char name[STJ_PARAMETER_NAME_MAX], file_name[STJ_FILE_NAME_MAX], shape[STJ_SHAPE_TEXT_MAX];
    size_t offset, n;
};

struct stj_run_timing; /* run/timing.c */

STJ_HOLDS(struct stj_run, stj_run_destroy)

struct stj_run {
    char *dir;
    struct stj_run_config config;
    struct stj_dataset *train, *test; /* test: NULL without one; inputs NULL: sizes and crc alone */
    struct stj_network *net;
    struct stj_batch_order *order;
    uint32_t slots_crc;   /* of what the optimizer begins with, where init.slots says it */
    uint32_t batches_crc; /* of the rows, where the config lists them */
    struct {
        uint32_t crc; /* of the states that trajectory.states names */
        double eps;   /* of the precision that their numbers have; 0: they were not read */
    } given;
    bool chosen; /* the user asks for this config's training: its command may be started */
    struct stj_process *process; /* of a config with a problem; NULL: it was not started */
    struct stj_problem *problem;
    struct stj_recipe recipe;         /* of the plug-ins in `config` */
    struct stj_rule *rule;            /* [n_groups] */
    size_t *rule_of;                  /* [tensors that are trained] */
    char **rule_text;                 /* [n_groups + 1]: the rules in words; NULL: no groups */
    char *average_text;               /* what the end point is, in words; NULL: the last state */
    uint32_t rates_crc;               /* of values by step that files have */
    bool has_rates;                   /* there are such files */
    char unused[STJ_UNUSED_TEXT_MAX]; /* what files list beyond the last step; "": nothing */
    size_t n_steps;
    size_t n_examples;                   /* different ones in stj_run_get_examples */
    struct stj_run_timing *meter[2];     /* in double, in single; owned; NULL: not measured yet */
    char (*shape)[STJ_SHAPE_TEXT_MAX];   /* of each layer's output */
    char (*inputs)[STJ_INPUTS_TEXT_MAX]; /* that it reads */
    struct stj_run_tensor *tensor;       /* [stj_network_n_tensors(net)]: the trained first */
    struct stj_trajectory *trajectory;
    struct stj_trajectory_about about;
    char *part_names; /* of the last part that was validated; owned */
    size_t memory;    /* of operators that are not told otherwise; 0: a quarter of what is free */
};

/* *run <- a run of the config file, with changes (NULL: none), without its trajectory: data, network
 * and problem are made and checked.  chosen: see struct stj_run. */
enum stj_status stj_run_prepare(const char *config_path, const struct stj_run_changes *changes,
                                bool chosen, struct stj_run **run, struct stj_error *err);

/* The same of a config that is there already, which is taken over, with the values of the data.
 * name: for messages. */
enum stj_status stj_run_prepare_config(struct stj_run_config *config, const char *name,
                                       struct stj_run **run, struct stj_error *err);

/* Train the run into the directory run->dir.  before: the run there that it lengthens, the same for
 * its steps; NULL: none.  command: what goes on after an interruption. */
enum stj_status stj_run_train_into(struct stj_run *run, const struct stj_run *before,
                                   const char *command,
                                   const struct stj_run_train_settings *settings,
                                   struct stj_error *err);

/* The same for a run (all zeros) that has `about` of its training: the data are not read, their
 * sizes are those that were trained on. */
enum stj_status stj_run_recall(struct stj_run *run, const char *config_path, struct stj_error *err);

/* See that the values of the data are there: read them, once, and compare them with those that were
 * trained on.  What computes begins with it, before any operator of the run exists. */
enum stj_status stj_run_need_data(struct stj_run *run, struct stj_error *err);

/* Of a config with a problem (process.c).  start: *process <- its command, where it may be started.
 * meet: the same for run->process, whose tensors the config gets where it lists none.  sets: train and
 * test <- their sizes; NULL: there is none.  problem: run->problem and n_steps. */
enum stj_status stj_run_start_process(const struct stj_run *run, bool chosen,
                                      struct stj_process **process, struct stj_error *err);
enum stj_status stj_run_meet_process(struct stj_run *run, struct stj_error *err);
enum stj_status stj_run_process_sets(const struct stj_process *process, struct stj_dataset **train,
                                     struct stj_dataset **test, struct stj_error *err);
enum stj_status stj_run_process_problem(struct stj_run *run, struct stj_error *err);

/* STJ_EUNSUPPORTED, with `what` needs it, for a run that has a process in the place of a network. */
enum stj_status stj_run_need_network(const struct stj_run *run, const char *what,
                                     struct stj_error *err);

/* result <- the loss at theta on a set of the run, or on other data for its network. */
enum stj_status stj_run_evaluate(const struct stj_run *run, const struct stj_dataset *data,
                                 const double *theta, struct stj_evaluation *result,
                                 struct stj_error *err);

/* *loss, and unless NULL its gradient, <- the same of a run's process, on its test or training set. */
enum stj_status stj_run_process_loss(const struct stj_run *run, const struct stj_dataset *data,
                                     const double *theta, double *loss, double *gradient,
                                     struct stj_error *err);

/* What the network makes of its data. */
struct stj_data_use stj_run_data_use(const struct stj_run *run);

/* STJ_EMISMATCH naming what differs unless the data of `with` are those of the run. */
enum stj_status stj_run_check_data(const struct stj_run *run, const struct stj_run *with,
                                   struct stj_error *err);

/* The recipe of a training group, without its groups of tensors. */
struct stj_recipe stj_training_recipe(const struct stj_training_config *training);

/* run->recipe, and the rules of its groups, from the config; then, once the number of steps is
 * known, the values by step that files have; and the rules in words. */
enum stj_status stj_run_make_recipe(struct stj_run *run, struct stj_error *err);
enum stj_status stj_run_read_rates(struct stj_run *run, struct stj_error *err);
enum stj_status stj_run_describe_rules(struct stj_run *run, struct stj_error *err);

/* Remark that a file has so many steps' worth of `what`, more than the training takes. */
void stj_run_note_unused(struct stj_run *run, const char *file, const char *what, size_t n);

void stj_run_free_rules(struct stj_run *run);

/* run->n_examples, once it is known what the rows were made of. */
enum stj_status stj_run_count_examples(struct stj_run *run, struct stj_error *err);

/* run->tensor <- the tensors of the network, and what init.file is to have of them. */
enum stj_status stj_run_describe_tensors(struct stj_run *run, struct stj_error *err);

/* The trajectory was opened: states that it lacks are replayed with the run's problem, and as few
 * as can be are in memory until an operator has them at hand its own way. */
enum stj_status stj_run_attach(struct stj_run *run, struct stj_error *err);

/* STJ_EINVAL for a run that was described from its config: it has no states. */
enum stj_status stj_run_check_trained(const struct stj_run *run, struct stj_error *err);

/* theta[n_params] and the network's frozen values <- the initial parameters that the config asks
 * for. */
enum stj_status stj_run_initial(const struct stj_run *run, double *theta, struct stj_error *err);

/* slots[n_slots * n_params], zero before, <- what the optimizer begins with (init.slots); and
 * run->slots_crc. */
enum stj_status stj_run_initial_slots(struct stj_run *run, real *slots, struct stj_error *err);

/* *identity <- the lines that say all that decides the bits of a training (owned by the caller),
 * for initial parameters theta[n]; the fingerprint is their hash. */
enum stj_status stj_run_identity(const struct stj_run *run, const double *theta, size_t n,
                                 char **identity, struct stj_error *err);

/* text <- its lines on the data. */
enum { STJ_DATA_LINES_BYTES = 512 };
void stj_run_data_lines(const struct stj_run *run, char text[STJ_DATA_LINES_BYTES]);

/* data <- rows, features and crc of the data set in an identity; false: it has none of the name. */
bool stj_run_recall_data(const char *identity, const char *name, struct stj_dataset *data);

/* *identity <- that of a recorded training as this library would write it: keys that have come
 * since, at their defaults, make no difference.  The fingerprint hashes about->identity itself. */
enum stj_status stj_run_recorded_identity(const struct stj_trajectory_about *about, char **identity,
                                          struct stj_error *err);
enum { STJ_FINGERPRINT_BYTES = 17 };
void stj_run_fingerprint(const char *identity, char fingerprint[STJ_FINGERPRINT_BYTES]);

/* text <- the first difference of two identities: "x where the run has y"; empty for none. */
void stj_run_difference(const char *now, const char *recorded, char *text, size_t size);

/* Is a result with this fingerprint one of the run, as it is or as it was before it was continued? */
bool stj_run_has_made(const struct stj_run_info *info, const char *fingerprint);

/* fingerprint <- that of the run when it was first long enough for step `to`. */
const char *stj_run_fingerprint_at(const struct stj_run *run, size_t to,
                                   char fingerprint[STJ_FINGERPRINT_BYTES]);

/* stj_run_storage of a part of the Jacobian, in its precision. */
enum stj_status stj_run_part_storage(const struct stj_run *run, const struct stj_run_part *part,
                                     size_t memory_bytes, size_t nvec, struct stj_storage *storage,
                                     struct stj_error *err);

/* stj_given_jacobian_predict of a part. */
enum stj_status stj_run_given_bytes(const struct stj_run *run, const struct stj_run_part *part,
                                    enum stj_given given, size_t memory_bytes, size_t nvec,
                                    size_t *n_given, size_t *more, struct stj_error *err);

/* Of products in single precision, against double. */
struct stj_single_error {
    double relative; /* the largest |E x| / |J x| or |E'x| / |J'x| of a few vectors, */
    double absolute; /* and the root mean square of |E x| / |x|: |E|_F = sqrt(N) times that */
};

/* *error <- of a part of the Jacobian, for Gaussian vectors of the seed. */
enum stj_status stj_run_single_error(struct stj_run *run, const struct stj_run_part *part,
                                     size_t memory_bytes, uint64_t seed,
                                     struct stj_single_error *error, struct stj_error *err);

/* Numbers of a state: theta, and the optimizer's slots. */
static inline size_t stj_run_state_size(const struct stj_run *run)
{
    return (1 + stj_recipe_n_slots(&run->recipe)) * stj_network_n_params(run->net);
}

/* *every <- the distance of the states that a training keeps, as the config says. */
enum stj_status stj_run_every(const struct stj_run *run, size_t *every, struct stj_error *err);

/* Divide the ranks for an analysis with blocks of so many columns, or a training (1); ranks that
 * have no slice of a batch are named in a warning.  While no operator of the run exists. */
void stj_run_divide(const struct stj_run *run, size_t n_columns,
                    const struct stj_progress *progress);

/* v <- the checks of stj_run_validate of a training Jacobian. */
enum stj_status stj_validate_jacobian(struct stj_op *op, uint64_t seed, size_t dense_limit,
                                      const struct stj_progress *progress, struct stj_validation *v,
                                      struct stj_error *err);

/* prediction <- what stj_run_validate costs, for an operator with n columns in the window. */
void stj_validate_predict(const struct stj_run *run, size_t n, size_t dense_limit,
                          struct stj_prediction *prediction);

/* The folder of a run. */
enum stj_folder_state {
    STJ_FOLDER_ABSENT,
    STJ_FOLDER_FREE,       /* empty, or only with scraps of a run */
    STJ_FOLDER_UNFINISHED, /* holds a training on its way, perhaps beside the run it will replace */
    STJ_FOLDER_COMPLETE,   /* holds a trajectory, and nothing unfinished */
};

/* *state <- what `dir` is; STJ_EEXIST when it is something that no run made. */
enum stj_status stj_folder_look(const char *dir, enum stj_folder_state *state,
                                struct stj_error *err);

/* Make the folder; *made <- it was not there. */
enum stj_status stj_folder_make(const char *dir, bool *made, struct stj_error *err);

/* See that a file of `bytes` bytes can be written there. */
enum stj_status stj_folder_check_room(const char *dir, size_t bytes, struct stj_error *err);

/* Remove the results, their logs and the temporary files of a run; its config and trajectory stay,
 * and so does a training on its way. */
void stj_folder_clear_results(const char *dir);

/* *header <- the header of a training's log (owned by the caller): what it is of, and which states
 * it keeps. */
enum stj_status stj_train_log_header_print(const struct stj_trajectory_about *about, size_t every,
                                           char **header, struct stj_error *err);

/* Is a log with this header of the training that `run` (with its identity) describes, here and now?
 * *every <- which states it keeps.  STJ_EEXIST naming the first difference. */
enum stj_status stj_train_log_header_check(const struct stj_run *run, const char *header,
                                           size_t *every, struct stj_error *err);

/* Files in it. */
#define STJ_CONFIG_NAME "config.yaml"
#define STJ_TRAJECTORY_NAME "trajectory.h5"
#define STJ_TRAINING_JOURNAL "train.journal"

/* What a result of a run is not to be read without: a training that ran away, and given states off
 * which replay lands by more than the tolerance.  NaN: there is no such number. */
struct stj_training_remarks {
    bool diverged;
    double first_loss, train_loss; /* see struct stj_run_info */
    double deviation, tolerance;   /* of given states */
    const char *zero_start;        /* see struct stj_run_info */
};
struct stj_training_remarks stj_run_remarks(const struct stj_run_info *info);

/* run->about.zero_start <- what is to be said of the gradients at theta, step 0 (zero_start.c). */
enum stj_status stj_run_find_zero_start(struct stj_run *run, const double *theta,
                                        struct stj_error *err);

#endif
