/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/main.c: the command spectraj: a table of subcommands. */
#include "cli.h"
#include "manual.h"

#include <spectraj/ranks.h>
#include <spectraj/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The commands of their own; those of the library's analyses stand where the NULL is. */
static const struct command *const own[] = {
    &command_init,     &command_train,   &command_info,
    &command_list,     &command_plan,    NULL,
    &command_validate, &command_study,   &command_plot,
    &command_report,   &command_export,  &command_run,
    &command_sweep,    &command_compare,
};

enum { COMMANDS_MAX = 64 };
static const struct command *commands[COMMANDS_MAX];
static size_t n_commands;

static void list_commands(void)
{
    const struct command *analysis = NULL;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (own[i])
            commands[n_commands++] = own[i];
        for (size_t k = 0; !own[i] && (analysis = cli_analysis_command(k)); k++)
            commands[n_commands++] = analysis;
    }
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < n_commands; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

/* The commands, and behind them help. */
static bool get_command(size_t i, const char **name, const char **doc)
{
    const struct command *command = i < n_commands ? commands[i] : NULL;
    *name = command ? command->name : "help";
    *doc = command ? command->summary : "help on a command";
    return i <= n_commands;
}

/* What the command failed with, if it did; told at the end, by one rank. */
static struct stj_error failure;

/* What stands in the place of a command. */
static bool get_word(size_t i, const char **name, const char **doc)
{
    static const char *const words[] = {"--help", "--version"};
    *doc = "";
    *name = i < 2 ? words[i] : NULL;
    return i < 2;
}

static int unknown_command(const char *name)
{
    if (name[0] == '-') {
        args_no_such("option", name, get_word, "spectraj --help", &failure);
        return CLI_ERROR;
    }
    args_no_such("command", name, get_command, "spectraj --help", &failure);
    return CLI_ERROR;
}

static int print_overview(void)
{
    printf("Usage: spectraj COMMAND [OPTION]... [ARGUMENT]...\n\n"
           "The singular spectrum of neural-network training, J = d theta_n / d theta_0,\n"
           "without forming J.\n\nCommands:\n");
    args_print_names(stdout, get_command);
    printf("\n'spectraj COMMAND --help' describes a command, 'spectraj help config' the config\n"
           "file, 'spectraj --version' this build.\n"
           "Exit status: 0 done, 1 error, 2 ran but not converged or not validated,\n"
           "130 interrupted.\n");
    return CLI_DONE;
}

static int print_version(void)
{
    printf("spectraj %s\n%s", stj_version(), stj_build_summary());
    size_t length = stj_runtime_summary(NULL, 0);
    char *text = malloc(length + 1);
    if (text) {
        stj_runtime_summary(text, length + 1);
        fputs(text, stdout);
    }
    free(text);
    return CLI_DONE;
}

/* help --man [COMMAND | config]: the source of a manual page. */
static int print_manual(const char *name)
{
    const struct command *command = name ? find_command(name) : NULL;
    if (!name)
        manual_print_program(stdout, commands, n_commands);
    else if (strcmp(name, "config") == 0)
        manual_print_config(stdout);
    else if (command)
        manual_print_command(stdout, command);
    else
        return unknown_command(name);
    return CLI_DONE;
}

static int print_help_of_help(void)
{
    printf("Usage: spectraj help [COMMAND | study NAME | config]\n\n"
           "Print the commands, or the help of one of them, of one study, or of configs: what\n"
           "'spectraj COMMAND --help' prints too.\n\nOptions:\n"
           "  --man [COMMAND | config]  the source of a manual page\n"
           "  --completion [SHELL]      the completion of bash (the default), zsh or fish\n");
    return CLI_DONE;
}

static bool get_shell(size_t i, const char **name, const char **doc)
{
    static const char *const shells[] = {"bash", "zsh", "fish"};
    *doc = "";
    *name = i < 3 ? shells[i] : NULL;
    return i < 3;
}

static int print_completion(const char *shell)
{
    if (manual_print_completion(stdout, shell))
        return CLI_DONE;
    args_no_such("completion of", shell, get_shell, "spectraj help --help", &failure);
    return CLI_ERROR;
}

/* help --complete WORD...: of the first word the commands, else what the command offers. */
static int main_complete(size_t n, char **word)
{
    const char *name = NULL, *doc = NULL;
    const char *typed = word[n - 1];
    const bool of_help = n == 2 && strcmp(word[0], "help") == 0;
    const struct command *command = n > 1 ? find_command(word[0]) : NULL;
    if (command)
        complete_print(command, n - 1, word + 1);
    for (size_t i = 0; (n == 1 || of_help) && get_command(i, &name, &doc); i++)
        if (strncmp(name, typed, strlen(typed)) == 0)
            printf("%s\n", name);
    for (size_t i = 0; n == 1 && typed[0] == '-' && get_word(i, &name, &doc); i++)
        if (strncmp(name, typed, strlen(typed)) == 0)
            printf("%s\n", name);
    return CLI_DONE;
}

static int print_help(int argc, char **argv)
{
    if (argc < 3)
        return print_overview();
    if (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)
        return print_help_of_help();
    if (strcmp(argv[2], "--man") == 0)
        return print_manual(argv[3]);
    if (strcmp(argv[2], "--completion") == 0)
        return print_completion(argv[3]);
    if (strcmp(argv[2], "--complete") == 0 && argc > 3)
        return main_complete((size_t)argc - 3, argv + 3);
    if (strcmp(argv[2], "config") == 0) {
        manual_print_config_help(stdout);
        return CLI_DONE;
    }
    const struct command *command = find_command(argv[2]);
    if (!command)
        return unknown_command(argv[2]);
    if (argc > 3 && command->specialize && command->specialize(argv[3]))
        command = command->specialize(argv[3]);
    args_print_help(stdout, command);
    return CLI_DONE;
}

/* Several ranks do the same; what only reads or draws, the first does alone. */
static int run_on_ranks(struct cli *cli, const void *options)
{
    const struct command *command = cli->command;
    if (command->shared & ARGS_RANKS) {
        const size_t wish = cli->args.shared.ranks_per_product;
        return stj_ranks_divide(wish, &cli->err) == STJ_OK ? cli_execute(cli, options) : CLI_ERROR;
    }
    if (command->deals)
        return cli_execute(cli, options);
    if (command->measures)
        stj_ranks_measure();
    if (stj_rank() != 0)
        return CLI_DONE;
    stj_ranks_leave_others();
    return cli_execute(cli, options);
}

/* Parse the command line into the struct of the command's own options, and go. */
static int run_command(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command};
    void *options = calloc(1, command->options_size + 1);
    int status = CLI_ERROR;
    if (!options) {
        cli_complain("out of memory");
        return CLI_ERROR;
    }
    if (args_parse(command, argc, argv, &cli.args, options, &cli.err) != STJ_OK) {
        status = CLI_ERROR;
    } else if (cli.args.shared.help) {
        args_print_help(stdout, command);
        status = CLI_DONE;
    } else if (cli.args.listed) {
        status = CLI_DONE;
    } else {
        cli.format = cli.args.shared.json      ? STJ_REPORT_JSON
                     : cli.args.shared.verbose ? STJ_REPORT_VERBOSE
                                               : STJ_REPORT_TEXT;
        cli.progress = cli_progress(&cli);
        stj_allow_problem_commands(cli.args.shared.allow_problem_command);
        if (cli.args.shared.threads_given)
            stj_set_threads(cli.args.shared.threads);
        cli_catch_signals();
        status = run_on_ranks(&cli, options);
        cli_progress_end();
        if (cli.err.code == STJ_EINTERRUPTED)
            cli_tell_to_go_on(cli.err.text, sizeof cli.err.text, command->kept);
    }
    failure = cli.err;
    args_free(command, &cli.args, options);
    free(options);
    return status;
}

static int dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        cli_complain("no command was given (spectraj --help lists them)");
        return CLI_ERROR;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return print_overview();
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    if (strcmp(word, "help") == 0)
        return print_help(argc, argv);
    const struct command *command = find_command(word);
    if (!command)
        return unknown_command(word);
    argc--;
    argv++;
    const struct command *special =
        argc > 1 && command->specialize ? command->specialize(argv[1]) : NULL;
    if (special)
        return run_command(special, argc - 1, argv + 1);
    return run_command(command, argc, argv);
}

static bool finished;

/* HDF5 and libgomp end the process by themselves in places where they get no memory. */
static void on_exit_of_others(void)
{
    if (finished)
        return;
    cli_speak(true); /* the others do not know of it */
    cli_complain("a library ended the program, most likely for want of memory; what was finished "
                 "is kept: free some memory and ask again");
    _exit(CLI_ERROR);
}

int main(int argc, char **argv)
{
    cli_keep_standard_streams();
    cli_remember_command(argc, argv);
    list_commands();
    (void)atexit(on_exit_of_others); /* not to be had: then it is as before */
    int status = stj_ranks_begin(&failure) == STJ_OK ? CLI_DONE : CLI_ERROR;
    cli_speak(stj_rank() == 0);
    if (stj_rank() != 0 && !freopen("/dev/null", "w", stdout))
        status = CLI_ERROR;
    if (status == CLI_DONE)
        status = dispatch(argc, argv);
    cli_speak(stj_ranks_speaks(failure.code));
    if (failure.code != STJ_OK)
        cli_complain("%s", failure.text);
    finished = true;
    /* An error that was told already needs no second line. */
    if (status == CLI_ERROR)
        fflush(stdout);
    else if (!cli_close_output())
        status = CLI_ERROR;
    stj_ranks_end(status);
    return status;
}
