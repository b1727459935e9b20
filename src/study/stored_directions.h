/* SPDX-License-Identifier: GPL-3.0-or-later */
/* study/stored_directions.h: the singular directions that the result files of a run hold. */
#ifndef STJ_STUDY_STORED_DIRECTIONS_H
#define STJ_STUDY_STORED_DIRECTIONS_H

#include "io/h5.h"
#include "study/directions.h"

enum { STJ_SOURCE_NAME_BYTES = 160 };

/* The directions and the open file that their vectors are read from. */
struct stj_stored_directions {
    struct stj_directions d;
    struct stj_h5 *file;
    bool dense;
    struct stj_run_part part; /* of whose Jacobian they are; its layers are `tensors` */
    char *tensors;            /* owned */
    size_t *at;               /* d.at, owned */
    char source[STJ_SOURCE_NAME_BYTES];
    char *command; /* that made the file; NULL: it does not say; owned */
};

/* Those of the untagged dense.h5 of this part of the run's Jacobian (theta alone; NULL: of the whole
 * training), else of svd.h5.  With neither: STJ_EINVAL, naming the commands that make them, when they
 * are needed; else d.n is 0.  `stored` is to be closed whatever happens. */
enum stj_status stj_stored_directions_open(struct stj_run *run, const struct stj_run_part *part,
                                           bool needed, struct stj_stored_directions *stored,
                                           struct stj_error *err);
void stj_stored_directions_close(struct stj_stored_directions *stored);

#endif
