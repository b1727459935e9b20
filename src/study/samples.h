/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/samples.h: the inputs on which a study looks at a network's outputs. */
#ifndef STJ_STUDY_SAMPLES_H
#define STJ_STUDY_SAMPLES_H

#include "study/study.h"

struct stj_samples {
    char name[STJ_STUDY_NAME_MAX]; /* "test", or the name of a file without its folder */
    size_t n_rows;
    real *x; /* [n_rows][in]; owned */
};

struct stj_sample_sets {
    size_t n;
    struct stj_samples *set;
};

/* What `names` may be, for the help. */
#define STJ_SAMPLES_DOC                                                                            \
    "train, test, inverted (the test inputs upside down in the range of the training inputs), "    \
    "noise (normal numbers), or files of inputs"

/* sets <- the inputs of "train,test,FILE", at most max_rows of each (0: all).  NULL: train, test,
 * inverted and noise, as far as the run has and its inputs can be such.  A file of another width
 * than the network's input is an error that names both. */
enum stj_status stj_samples_make(const struct stj_study_context *cx, const char *names,
                                 size_t max_rows, struct stj_sample_sets *sets,
                                 struct stj_error *err);
void stj_samples_free(struct stj_sample_sets *sets);

/* Work space of predictions, one for each thread. */
struct stj_predictor;
enum stj_status stj_predictor_create(const struct stj_network *net, struct stj_predictor **p,
                                     struct stj_error *err);
void stj_predictor_destroy(struct stj_predictor *p); /* NULL is accepted */

/* Rows that are predicted at a time: all of them where the network couples samples. */
size_t stj_predictor_chunk(const struct stj_network *net, size_t n_rows);

/* z[n_rows][out] <- the outputs at theta; allocates work space when it must grow. */
enum stj_status stj_predict(struct stj_predictor *p, const struct stj_samples *samples,
                            const real *theta, real *z, struct stj_error *err);

#endif
