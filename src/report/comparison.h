/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/comparison.h: several runs beside each other: what differs in their configs, and the numbers
 * that they have in common. */
#ifndef STJ_REPORT_COMPARISON_H
#define STJ_REPORT_COMPARISON_H

#include <jansson.h>

#include <spectraj/run.h>

#include "base/memory.h"

/* A run, and what is stored of it. */
struct stj_compared_run {
    struct stj_run *run;
    struct stj_run_info info;
    char *label;    /* the last part of its folder's name, or all of it where two have the same */
    json_t *config; /* as in stj_run_config_json */
    size_t group;   /* of runs that differ in seeds alone */
};

/* A key in which configs differ. */
struct stj_compared_key {
    char *name;
    json_t **value; /* [n_runs], borrowed from the configs; NULL: the config does not have it */
    bool is_seed;
};

/* A number that several runs have; NaN where one lacks it. */
struct stj_quantity {
    char *name; /* "test_loss", "density.regions.chaotic" */
    char *
        request; /* that the result answers in the first run that has it; NULL: of the run itself */
    bool other_request;         /* another run's answers another one */
    bool headline;              /* the one that lists show */
    double *value, *low, *high; /* [n_runs]; low and high: as the result has them */
};

/* Runs that differ in seeds alone. */
struct stj_compared_group {
    size_t first, n; /* a run of it, and how many there are */
};

struct stj_comparison {
    size_t n, n_keys, n_quantities, n_groups, n_left_out;
    struct stj_compared_run *run;
    struct stj_compared_key *key;
    struct stj_quantity *quantity;
    struct stj_compared_group *group; /* as many as runs: no two differ in seeds alone */
    char **left_out;                  /* "DIR: reason": what was given and is not compared */
};

/* c (all zeros) <- the runs of these folders, each a run or a folder of runs.  STJ_EINVAL: they are
 * fewer than two. */
enum stj_status stj_compare_runs(size_t n, char *const *dir, struct stj_comparison *c,
                                 struct stj_error *err);
void stj_comparison_free(struct stj_comparison *c);

/* A mean over the runs of a group with the interval of 95 % that contains the mean of all such runs
 * (Student's t); of one run its number and the result's own interval.  NaN: a run lacks it. */
struct stj_group_mean {
    double mean, low, high;
};
struct stj_group_mean stj_compare_mean(const struct stj_comparison *c, const struct stj_quantity *q,
                                       size_t group);

/* *key <- that of the name; NULL: the one, if any, with the most different numbers, which are then to be drawn
 * against (seeds do not count).  STJ_EINVAL: it is not a key whose numbers differ. */
enum stj_status stj_compare_choose_key(const struct stj_comparison *c, const char *name,
                                       const struct stj_compared_key **key, struct stj_error *err);

/* Are two runs the same in all keys that differ, but for seeds and for `besides` (NULL: none)? */
bool stj_compare_same(const struct stj_comparison *c, size_t a, size_t b,
                      const struct stj_compared_key *besides);

#endif
