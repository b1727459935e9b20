/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/cli.h: what the subcommands share: the parsed command line, progress, messages, exit
 * status. */
#ifndef STJ_CLI_CLI_H
#define STJ_CLI_CLI_H

#include <spectraj/progress.h>
#include <spectraj/report.h>
#include <spectraj/analysis.h>

#include "args.h"

enum cli_exit {
    CLI_DONE = 0,
    CLI_ERROR = 1,
    CLI_NOT_CONVERGED = 2, /* ran, but not converged or not validated */
    CLI_INTERRUPTED = 130, /* 128 + SIGINT, as a shell has it */
};

struct cli {
    const struct command *command;
    struct args args;
    struct stj_progress progress; /* for the library */
    enum stj_report_format format;
    struct stj_error err; /* of the command; printed by main */
};

/* The commands; main.c has the table. */
extern const struct command command_train;
extern const struct command command_info;
extern const struct command command_list;
extern const struct command command_study;
extern const struct command command_validate;
extern const struct command command_run;
extern const struct command command_plan;
extern const struct command command_plot;
extern const struct command command_report;
extern const struct command command_export;
extern const struct command command_compare;
extern const struct command command_init;
extern const struct command command_sweep;

/* Descriptors 0 to 2 are open from here on, so that no file of ours becomes standard output. */
void cli_keep_standard_streams(void);

/* The first SIGINT or SIGTERM asks the work to stop; the second ends the process. */
void cli_catch_signals(void);
bool cli_interrupted(void);

/* Progress and warnings on standard error as --progress and --quiet say, for as long as cli is
 * there; cli_progress_end wipes the bar away before anything else is printed. */
struct stj_progress cli_progress(struct cli *cli);
void cli_progress_end(void);

/* Of several ranks one speaks: from now on this one does, or prints nothing. */
void cli_speak(bool speaks);

/* One line "spectraj: ..." on standard error, whatever the text contains. */
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say it unless --quiet. */
void cli_warn(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The command line as a shell takes it, remembered before anything cuts argv. */
void cli_remember_command(int argc, char **argv);

/* The text of an interruption <- with what is kept, and the command line that goes on: the inner one
 * of a library call is not all of what was asked for.  kept NULL: nothing. */
void cli_tell_to_go_on(char *text, size_t size, const char *kept);

/* JSON's form of a text. */
void cli_put_json_text(FILE *out, const char *text);

/* Close standard output; false, with a message printed, when something written to it was lost. */
bool cli_close_output(void);

/* The exit status for a failed call: CLI_INTERRUPTED or CLI_ERROR. */
int cli_failed(enum stj_status status);

/* CLI_DONE, or why the result is not what was asked for. */
int cli_result_exit(const struct stj_result *result);

/* Run the command: by its `run`, or by its `work` on its run; returns the exit status. */
int cli_execute(struct cli *cli, const void *options);

/* What `train` and `run` are told of the training. */
struct cli_train_options {
    char *output;
    bool accept_deviation;
};
extern const struct stj_option cli_train_rows[];
struct stj_run_train_settings cli_train_settings(const struct cli *cli,
                                                 const struct cli_train_options *options);

/* What `spectraj run` does: train as the config and the settings say, or open the run that did, then
 * its analyses and the page.  tell: print each as it comes.  *run <- the run, NULL where there is none;
 * *exit_status is CLI_DONE before it. */
enum stj_status cli_run_into(struct cli *cli, const char *config, const char *dir,
                             struct stj_run_train_settings settings, bool tell,
                             struct stj_run **run, int *exit_status);

/* --seed, or 0. */
uint64_t cli_seed(const struct cli *cli);

/* The options that every study has. */
struct stj_analysis_settings cli_analysis_settings(const struct cli *cli);

/* The command of the analysis of that name; NULL: there is none. */
const struct command *cli_analysis_command(size_t i);

#endif
