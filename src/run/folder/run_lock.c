/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/folder/run_lock.c: the lock of a file of a run, which must still be the run that was
 * opened. */
#include "run/folder/run_lock.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"
#include "parallel/ranks.h"
#include "run/run_internal.h"

enum stj_status stj_run_check_unchanged(const struct stj_run *run, struct stj_error *err)
{
    STJ_HELD(stj_trajectory_about_free) struct stj_trajectory_about now = {0};
    STJ_FREED char *path = NULL;
    STJ_MUST(stj_path_join(run->dir, STJ_TRAJECTORY_NAME, &path, err));
    STJ_MUST(stj_trajectory_read_about(path, &now, err));
    STJ_NEED(err, strcmp(now.fingerprint, run->about.fingerprint) == 0, STJ_EMISMATCH,
             "%s: was replaced by another training meanwhile; ask again", run->dir);
    return STJ_OK;
}

enum stj_status stj_run_lock(const struct stj_run *run, const char *path,
                             const struct stj_progress *progress, struct stj_lock **lock,
                             struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *slash = strrchr(path, '/');
    STJ_TRY(stj_lock_take(run->dir, slash ? slash + 1 : path, progress, lock, err));
    STJ_TRY(stj_ranks_agree(stj_run_check_unchanged(run, err), err));
out:
    if (st != STJ_OK) {
        stj_lock_release(*lock);
        *lock = NULL;
    }
    return st;
}
