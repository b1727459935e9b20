/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/initial.c: the initial parameters of a run: drawn, or read from a file. */
#include "base/error.h"
#include "run/import/imported.h"
#include "run/import/parameter_file.h"

enum stj_status stj_run_initial(const struct stj_run *run, double *theta, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const struct stj_init_config *init = &run->config.init;
    struct stj_parameter_file *file = NULL;
    if (run->config.trajectory.states)
        return stj_imported_initial(run, theta, err);
    if (!init->file)
        return stj_network_initialize(run->net, init->seed, theta, err);
    STJ_TRY(stj_parameter_file_open(run, "init.file", init->file, false, &file, err));
    st = stj_parameter_file_read(file, 0, theta, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "init.file");
out:
    stj_parameter_file_close(file);
    return st;
}
