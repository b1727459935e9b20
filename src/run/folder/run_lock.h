/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/folder/run_lock.h: the right to write a file of a run. */
#ifndef STJ_RUN_FOLDER_RUN_LOCK_H
#define STJ_RUN_FOLDER_RUN_LOCK_H

#include <spectraj/run.h>

#include "io/lock.h"

/* *lock <- the lock of the file `path` in the run's folder (io/lock.h): nobody else writes this
 * file, and nobody trains the run, until it is released.  STJ_EMISMATCH when the run was trained
 * again, as something else, since it was opened. */
enum stj_status stj_run_lock(const struct stj_run *run, const char *path,
                             const struct stj_progress *progress, struct stj_lock **lock,
                             struct stj_error *err);

/* STJ_EMISMATCH unless the folder holds the run still as it was opened. */
enum stj_status stj_run_check_unchanged(const struct stj_run *run, struct stj_error *err);

#endif
