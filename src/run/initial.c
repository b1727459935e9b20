/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/initial.c: the initial parameters of a run, trained and frozen: drawn, or read from a file. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/import/imported.h"
#include "run/import/parameter_file.h"

static enum stj_status read_initial(const struct stj_run *run, double *theta, double *frozen,
                                    struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_parameter_file *file = NULL;
    if (run->config.trajectory.states)
        return stj_imported_initial(run, theta, frozen, err);
    STJ_TRY(stj_parameter_file_open(run, "init.file", run->config.init.file, false, &file, err));
    st = stj_parameter_file_read(file, 0, theta, frozen, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "init.file");
out:
    stj_parameter_file_close(file);
    return st;
}

enum stj_status stj_run_initial(const struct stj_run *run, double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_init_config *init = &run->config.init;
    double *frozen = NULL;
    if (!run->config.trajectory.states && !init->file)
        return stj_network_initialize(run->net, init->seed, theta, err);
    STJ_TRY(stj_new(&frozen, stj_network_n_frozen(run->net), sizeof *frozen, err));
    STJ_TRY(read_initial(run, theta, frozen, err));
    stj_network_set_frozen(run->net, frozen);
out:
    free(frozen);
    return st;
}
