/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/command.h: the command line that makes a result again, kept in the result's file as @command. */
#ifndef STJ_REPORT_COMMAND_H
#define STJ_REPORT_COMMAND_H

#include <stdio.h>

#include <spectraj/results.h>

#include "io/h5.h"

/* A command line as it is being written: to `out`, with arguments that hold no white space. */
struct stj_command {
    FILE *out;
    char *text;
    size_t size;
};

/* Begin with "spectraj WHAT"; to be closed by stj_command_put, or by stj_command_free where that is not reached. */
enum stj_status stj_command_begin(struct stj_command *command, const char *what,
                                  struct stj_error *err);
void stj_command_free(struct stj_command *command);

/* " --name value" where the value is not 0; a text where it is not NULL, quoted for a shell where it needs to be. */
void stj_command_real(struct stj_command *command, const char *name, double value);
void stj_command_size(struct stj_command *command, const char *name, size_t value);
void stj_command_text(struct stj_command *command, const char *name, const char *value);

/* The options that all analyses have (a study has no window), then @command of the file. */
enum stj_status stj_command_put(struct stj_command *command, bool window,
                                const struct stj_analysis_settings *settings, struct stj_h5 *file,
                                struct stj_error *err);

/* *text <- the command that a result file of the run names, owned by the caller; NULL: it names none. */
enum stj_status stj_command_read(const struct stj_run_info *info, const char *file_name,
                                 char **text, struct stj_error *err);

#endif
