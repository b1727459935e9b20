/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/run.h: a run: a directory with a resolved config and the trajectory of one training.
 *
 * Threads: functions that train, open, write or compute products must be called by one thread at a
 * time in a process, whatever the run, because HDF5 and OpenBLAS have one state per process
 * (spectraj/progress.h).  The stj_run_get_ functions and stj_run_loss_curve only read: several
 * threads may call them at once, while no other function is called on that run.
 */
#ifndef SPECTRAJ_RUN_H
#define SPECTRAJ_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <spectraj/op.h>
#include <spectraj/option.h>
#include <spectraj/progress.h>
#include <spectraj/storage.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stj_run;

/* May commands be started that this user has not trained with (a config's `problem`)?  An opened
 * run starts the command of its config only if stj_run_train has started the same command before in
 * the same directory, as recorded in the user's state folder; true lets this process start any. */
void stj_allow_problem_commands(bool allow);

/* How to train a run.  All zero but the size, {.size = sizeof settings}: as the config says. */
struct stj_run_train_settings {
    size_t size;                  /* of this struct in bytes, as the program was compiled */
    bool force;                   /* replace a complete run, start an unfinished one anew */
    bool seed_given;              /* `seed` overrides the config's init.seed and training.seed */
    uint64_t seed;                /* see above */
    bool accept_deviation;        /* accept trajectory.states however far their replay deviates */
    struct stj_progress progress; /* between steps */
    /* A complete run of this config is opened, not STJ_EEXIST; the analyses that the config asks for
     * are its own then. */
    bool keep;
    /* Values that take the place of those in the config: "training.learning_rate.peak", as the config
     * names it or would, and its value as YAML; paths are from here. */
    size_t n_set;
    const struct stj_option_pair *set; /* [n_set] */
};

/* Train as the config file says and record the training in the directory `dir` (created;
 * config.yaml and trajectory.h5).  *run (may be NULL) <- the open run.  STJ_EEXIST: dir holds a
 * complete run, and force is not set.  States are appended to train.journal as they are computed:
 * whatever ends the training (the progress callback, a full disk, a kill), repeating the call
 * continues from the last complete state and gives the same bits; with another config it is
 * STJ_EEXIST, naming the first key that differs.  A training that diverges leaves nothing behind. */
enum stj_status stj_run_train(const char *config_path, const char *dir,
                              const struct stj_run_train_settings *settings, struct stj_run **run,
                              struct stj_error *err);

/* How to lengthen a run.  All zero but the size, {.size = sizeof settings}, and `steps`. */
struct stj_run_continue_settings {
    size_t size;               /* of this struct in bytes, as the program was compiled */
    size_t steps;              /* how many come after the last; at least 1 */
    const char *learning_rate; /* of these steps, a number or a schedule as in a config; NULL: the
                                * schedule of the run goes on, where its length does not decide it */
    bool force;                /* begin an unfinished continuation anew */
    struct stj_progress progress; /* between steps */
};

/* Lengthen the run in the directory `dir` in place.  Its steps are not repeated, and its results
 * remain valid for them.  *run (may be NULL) <- the open run, with the further steps.
 * STJ_EINVAL: given states or listed batches, which cannot be continued, or a schedule that depends
 * on the length.  Whatever ends the call, the run is unchanged, and repeating the call continues
 * from the last complete state. */
enum stj_status stj_run_continue(const char *dir, const struct stj_run_continue_settings *settings,
                                 struct stj_run **run, struct stj_error *err);

/* *run <- a description of the config file, checked with its data, before any training: for
 * functions that need no trajectory (info, layers, parameters, plan). */
enum stj_status stj_run_describe(const char *config_path, struct stj_run **run,
                                 struct stj_error *err);

/* The same with values set, as in struct stj_run_train_settings. */
enum stj_status stj_run_describe_with(const char *config_path, size_t n,
                                      const struct stj_option_pair *set, struct stj_run **run,
                                      struct stj_error *err);

/* *run <- a complete run, after checking its config and its trajectory (checksums).  Computations
 * open the data files and compare them (CRC) with those of the training; stored results need no
 * data. */
enum stj_status stj_run_open(const char *dir, struct stj_run **run, struct stj_error *err);
void stj_run_destroy(struct stj_run *run); /* NULL is accepted */

/* Does the directory hold a complete run made from the config file as it is now? */
enum stj_status stj_run_matches(const char *config_path, const char *dir, bool *matches,
                                struct stj_error *err);

/* Imported states (trajectory.states), and the steps between them, which were replayed. */
struct stj_run_imported {
    bool is_imported; /* false: the run was trained here; the rest is zero */
    size_t n_states;  /* given */
    double deviation; /* the largest distance of where steps landed from the state that was given,
                       * relative to what they moved */
    size_t deviation_step; /* the state where it is */
    double tolerance;      /* of it */
};

/* A run in numbers.  Strings are borrowed from the run. */
struct stj_run_info {
    /* false: described alone; then NaN for losses and seconds, and NULL for dir, fingerprint,
     * version and blas. */
    bool trained;
    const char *dir;          /* its directory */
    const char *fingerprint;  /* 16 hexadecimal digits of config, data, theta0 and version */
    const char *optimizer;    /* its name in the config */
    const char *loss;         /* its name in the config */
    size_t n_params, n_steps; /* N and n */
    size_t n_slots;  /* state vectors beside the parameters: of the optimizer, and an average */
    size_t n_layers; /* nodes of the network */
    size_t batch_size, train_rows, test_rows; /* samples; of a step, with all its micro-batches */
    double train_loss;                        /* mean over the whole training set at the end */
    double test_loss;                         /* NaN without a test set */
    double test_accuracy;                     /* NaN without a test set or labels */
    double seconds;                           /* of the training */
    const char *version;                      /* of the library that trained */
    const char *blas;                         /* and its BLAS */
    struct stj_run_imported imported;         /* states of a training elsewhere */
    /* At the start: the median over the batches of the first 32 rows.  NaN: described alone. */
    double first_loss;
    bool diverged;       /* train_loss is more than 10 times that, or not finite */
    size_t first_steps;  /* of the training as it was first made; n_steps unless it was continued */
    const char *earlier; /* lines "STEPS FINGERPRINT" of its lengths before; NULL: there are none */
    const char
        *zero_start; /* which gradients are exactly zero at step 0, where the optimizer divides
                               by the root of their squares, and what that does; NULL: none */
    /* What files list by step beyond the training's last, in words; "": nothing, or they were not
     * read. */
    const char *unused;
    /* What the end point is an average of, in words: losses, accuracy and Jacobians are of that;
     * NULL: it is the last state. */
    const char *average;
    bool sam_adaptive; /* SAM climbs in proportion to the parameters */
    double sam_rho;    /* of sharpness-aware minimisation (training.sam); NaN: not that */
    size_t accumulate; /* micro-batches of a step, of batch_size rows in all */
    /* Different samples that the training rows were made of (stj_run_get_examples); 0: it was not
     * said, each is one. */
    size_t n_examples;
};

/* info <- what is known about the run. */
void stj_run_get_info(const struct stj_run *run, struct stj_run_info *info);

/* A layer of the network.  Strings are borrowed from the run. */
struct stj_run_layer {
    const char *label;  /* its name */
    const char *type;   /* "dense" */
    const char *shape;  /* of its output for one sample, "28x28x6" */
    size_t n_params;    /* of its own, trained */
    size_t offset;      /* where they start in theta */
    const char *inputs; /* the layers that it reads, "a, b", "data"; "": the layer before */
    size_t n_frozen;    /* parameters of its own that are not trained */
    size_t n_shared;    /* parameters that it has in common with layers before it, theirs */
    double flops;       /* of its forward pass for one sample: products and outputs */
    size_t bytes;       /* of a sample in a linearisation */
};

/* layer <- layer i; false past the last. */
bool stj_run_get_layer(const struct stj_run *run, size_t i, struct stj_run_layer *layer);

/* A tensor of the parameters.  Strings are borrowed from the run. */
struct stj_run_parameter {
    const char *name;  /* LABEL.TENSOR */
    const char *shape; /* "[5, 5, 1, 6]" as init.file has it, in the layout that the config says */
    const char *file_name; /* what init.file calls it, by the config's init.names */
    size_t n_params;       /* its numbers */
    size_t offset;         /* where they start in theta, or among the frozen values */
    bool frozen;           /* not trained: part of the network, no part of theta */
    const char *update; /* where training.groups are given: its group, and what applies to it; else
                           NULL */
};

/* parameter <- tensor i, in the order of theta; false past the last. */
bool stj_run_get_parameter(const struct stj_run *run, size_t i,
                           struct stj_run_parameter *parameter);

/* parameter <- tensor i of those that are not trained; false past the last. */
bool stj_run_get_frozen(const struct stj_run *run, size_t i, struct stj_run_parameter *parameter);

/* Sizes of the arrays below. */
enum {
    STJ_RUN_ARRAY_NAME_MAX = 256, /* of a name */
    STJ_RUN_ARRAY_DIMS = 4        /* of a shape */
};

/* A tensor as an array. */
struct stj_run_array {
    char name[STJ_RUN_ARRAY_NAME_MAX]; /* in its layout */
    size_t n_dims;                     /* of its shape */
    size_t shape[STJ_RUN_ARRAY_DIMS];  /* [n_dims] */
};

/* array <- tensor i, those of stj_run_get_parameter and then those of stj_run_get_frozen, in the
 * layout "network" (the order of theta: a dense kernel is [in, out]) or "pytorch" (its names, by
 * init.names where that says them, and axes); items <- its numbers in that layout, `numbers` being
 * those that theta, or a singular vector, has of it (either may be NULL).  STJ_EUNSUPPORTED: the
 * network adds a flattened image to something that is none. */
enum stj_status stj_run_get_array(const struct stj_run *run, const char *layout, size_t i,
                                  const double *numbers, double *items, struct stj_run_array *array,
                                  struct stj_error *err);

/* Check that a described run can start its training: that the files of init and of
 * trajectory.states exist and fit, by the criteria of training.  STJ_OK for a trained run. */
enum stj_status stj_run_check_start(struct stj_run *run, struct stj_error *err);

/* [train_rows]: the number of the sample from which each row of the training set was made, as
 * data.train.example says; borrowed.  NULL: each row is a separate sample. */
const uint64_t *stj_run_get_examples(const struct stj_run *run);

/* loss[n_steps]: the batch loss of each step; borrowed. */
const double *stj_run_loss_curve(const struct stj_run *run);

/* theta <- theta_t, n_params numbers; if the end point of the training is an average of states
 * (training.average), the average at step t. */
enum stj_status stj_run_theta(struct stj_run *run, size_t t, double *theta, struct stj_error *err);

/* *name <- analysis i that the config asks for (static), in order of execution; false past the
 * last. */
bool stj_run_get_analysis(const struct stj_run *run, size_t i, const char **name);

/* The arithmetic of products with a Jacobian; states, optimizer and everything above are double.
 * MIXED is for singular pairs alone: found with single products, finished with double ones. */
enum stj_precision { STJ_PRECISION_DOUBLE, STJ_PRECISION_SINGLE, STJ_PRECISION_MIXED };

/* Which Jacobian of a run. */
struct stj_run_part {
    size_t from, to;    /* window of steps; to = 0: n_steps */
    const char *layers; /* "NAME,NAME": rows and columns of these parameters alone, layers or single
                         * tensors as stj_run_get_layer and stj_run_get_parameter name them; NULL: all */
    bool full_state;    /* of (theta, slots) with respect to (theta, slots), which composes:
                         * J(s -> u) = J(t -> u) J(s -> t); with layers, theirs in each of them */
    enum stj_precision precision; /* of its products; MIXED is as DOUBLE here */
};

/* *op <- that Jacobian; its vectors are the chosen parameters in the order of theta, then those of
 * each slot.  The run is borrowed.  STJ_EINVAL: an unknown name; the message suggests the nearest. */
enum stj_status stj_run_part_jacobian(struct stj_run *run, const struct stj_run_part *part,
                                      size_t memory_bytes, struct stj_op **op,
                                      struct stj_error *err);

/* *n <- its rows and columns; names (may be NULL) <- the tensors that it is of, separated by commas
 * (to be freed with stj_free; empty for all of them). */
enum stj_status stj_run_part_size(const struct stj_run *run, const struct stj_run_part *part,
                                  size_t *n, char **names, struct stj_error *err);

/* *op <- the training Jacobian of the run, J(from -> to), to = 0 meaning n_steps; the run is
 * borrowed. memory_bytes: for states and linearisations (0: what stj_run_set_memory said). */
enum stj_status stj_run_jacobian(struct stj_run *run, size_t from, size_t to, size_t memory_bytes,
                                 struct stj_op **op, struct stj_error *err);

/* Default memory for states and linearisations of every operator; 0: a quarter of the free
 * memory. */
void stj_run_set_memory(struct stj_run *run, size_t memory_bytes);

/* *storage <- how stj_run_jacobian with these arguments would use its memory, with work_bytes for
 * blocks of nvec vectors; nothing is allocated.  STJ_ENOMEM: less than the minimum, which the
 * message names. */
enum stj_status stj_run_storage(const struct stj_run *run, size_t from, size_t to,
                                size_t memory_bytes, size_t nvec, struct stj_storage *storage,
                                struct stj_error *err);

/* Has a replay of this run deviated from the record?  Fills that part of `storage`. */
void stj_run_get_divergence(const struct stj_run *run, struct stj_storage *storage);

/* *op <- the parameter-function Jacobian d outputs / d theta of the run's network at theta_step, a
 * rectangular operator: n_rows * outputs x n_params, the outputs of the first row first.  inputs
 * [n_rows][width of the network's input] is copied; NULL: the first n_rows (0: all) of the test
 * set, or of the training set where there is no test set.  The run is borrowed. */
enum stj_status stj_run_function_jacobian(struct stj_run *run, size_t step, size_t n_rows,
                                          const double *inputs, struct stj_op **op,
                                          struct stj_error *err);

/* Of the derivative D with respect to something that training was given.  NaN: not looked at
 * (blocks, full states, several ranks, problems without it). */
struct stj_given_validation {
    double adjoint_error;         /* of the identity y'(D x) = (D'y)'x */
    double difference_error;      /* of central differences of whole trainings, relative to |D x|,
                                   * the least over h */
    double difference_resolution; /* what that is good to, by the next h */
    size_t too_many;              /* not looked at for it is of so many numbers; else 0 */
};

/* What a validation found. */
struct stj_validation {
    double adjoint_error;   /* stj_op_adjoint_error over 5 pairs */
    double largest_product; /* of these, the largest |J x| / |x| and |J'y| / |y|.  At most 16 eps: J
                             * is zero or rounding, and all errors are relative to the vectors */
    double finite_difference_error; /* smallest over h of |central difference - Jx| / |Jx| */
    double finite_difference_step;  /* that h */
    /* What the difference is good to: by so much neighbours of that h differ.  J agrees within the
     * limit or a few times this; where this itself is a small part of the difference, and only
     * there, the difference is resolved and can contradict J. */
    double finite_difference_resolution;
    bool finite_difference_resolved; /* is that so? */
    bool finite_difference_agrees;   /* J is within that */
    size_t single_steps; /* steps differenced one at a time, where whole trainings do not come
                          * within the limit; the error is the worst of theirs then; 0: none */
    double finite_difference_whole_error, finite_difference_whole_resolution; /* of these */
    bool may_switch;              /* activations, max-pool or clipping may in shifted trainings */
    bool replay_identical;        /* training again gives the same bits at every step */
    double dense_max_sigma_error; /* top pairs against dense / sigma_1; NaN: not compared */
    /* How far a bound lies below the true smallest value / sigma_1. */
    double dense_bottom_violation;
    double dense_bottom_excess;                           /* how far above at most / sigma_1 */
    struct stj_given_validation weights, inputs, targets; /* of samples, */
    struct stj_given_validation rates, momenta, decays;   /* of steps, */
    struct stj_given_validation scales;                   /* and of the rates of groups */
    /* With part.precision SINGLE, of products in it against double: the largest |J_s x - J x| / |J x|
     * over 4 Gaussian x, J' too, and the root mean square of |J_s x - J x| / |x|.  NaN: not looked
     * at. */
    double single_error, single_error_rms;
    bool passed;                      /* every part that was looked at */
    struct stj_storage storage;       /* of the states */
    struct stj_run_part part;         /* of the run that this is about */
    struct stj_run_imported imported; /* whose deviation, above its tolerance, was accepted */
};

/* Check the run, or a part of its Jacobian (NULL: all of it): adjoint identity,
 * finite differences of whole trainings, replay, and matrix-free against dense (if there are at
 * most dense_limit columns). */
enum stj_status stj_run_validate(struct stj_run *run, const struct stj_run_part *part,
                                 uint64_t seed, size_t dense_limit,
                                 const struct stj_progress *progress, struct stj_validation *v,
                                 struct stj_error *err);

#ifdef __cplusplus
}
#endif

#endif
