/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/plan.h: the predicted cost of a run's analyses.
 *
 * Threads: plans of different runs may be made by different threads at once; one run is used by one
 * thread at a time.
 */
#ifndef SPECTRAJ_PLAN_H
#define SPECTRAJ_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/run.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stj_option_pair;

/* Sizes of the arrays below. */
enum {
    STJ_PLAN_TEXT_MAX = 160, /* of a text */
    STJ_PLAN_ITEMS = 24      /* of the list of analyses */
};

/* Several ranks (spectraj/ranks.h) on which the analyses are to be done. */
struct stj_plan_ranks {
    size_t n;                /* 0 or 1: one process */
    size_t per_product;      /* a divisor of n; 0: as each analysis would choose */
    double bytes_per_second; /* of messages, for each rank; 0: what memory is copied with here */
};

/* One analysis.  Bytes are of the whole process at its peak, and of its parts. */
struct stj_plan_item {
    const char *name;                 /* of the command: "train", "validate", "svd", ... */
    char settings[STJ_PLAN_TEXT_MAX]; /* as options of the command: "--top 20" */
    char method[STJ_PLAN_TEXT_MAX];   /* what it will choose: "arpack, ncv 48"; empty: nothing */
    double applications;              /* products with J and J' of single vectors */
    double seconds;                   /* of wall clock */
    size_t memory_bytes;      /* the peak: the parts, and what the process has now (its data) */
    size_t trajectory_bytes;  /* states */
    size_t engine_bytes;      /* linearisations and the work space of sweeps */
    size_t basis_bytes;       /* vectors and matrices of the solver */
    size_t disk_bytes;        /* the result, and the journal that it goes on from if interrupted */
    size_t ranks_per_product; /* of several ranks */
    double bytes_per_application;   /* that each rank sends where they do not share memory */
    bool affordable;                /* fits the free memory, and takes no longer than max_seconds */
    char reason[STJ_PLAN_TEXT_MAX]; /* why not, or how the states are kept */
};

/* All of them. */
struct stj_plan {
    struct stj_plan_ranks ranks;    /* of which memory and time are; all alike */
    size_t n_params, n_steps;       /* of the run */
    size_t resident_bytes;          /* of the process with the run open */
    size_t free_bytes;              /* what it could have in all */
    double max_seconds;             /* beyond this an analysis does not count as affordable */
    double seconds_per_application; /* of one vector; mean of J and J' */
    double seconds_per_step;        /* of the training */
    size_t n;                       /* analyses */
    struct stj_plan_item item[STJ_PLAN_ITEMS]; /* [n] */
};

/* What is to be planned.  All zero: every analysis as the run's config says, else with its
 * defaults. */
struct stj_plan_settings {
    size_t memory_bytes;                  /* as --memory of the analyses; 0: their default */
    double max_seconds;                   /* 0: a day */
    size_t n;                             /* options that were given */
    const struct stj_option_pair *option; /* [n]: each for the analyses that have one of its name */
    struct stj_plan_ranks
        ranks; /* 0: those that stj_ranks_measure found, else this process alone */
    enum stj_precision precision; /* of products, for the analyses that have it */
};

/* plan <- predictions, from sizes and from the time that a few steps take here and now (run: open,
 * or described from a config). */
enum stj_status stj_run_plan(struct stj_run *run, const struct stj_plan_settings *settings,
                             struct stj_plan *plan, struct stj_error *err);

#ifdef __cplusplus
}
#endif

#endif
