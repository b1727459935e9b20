/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/cli.c: messages, standard streams, signals, exit status, common settings.
 *
 * SIGPIPE keeps its default action: a reader that has gone ends the command quietly, as in any
 * other pipeline.  Every other failure to write is an error.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cli_keep_standard_streams(void)
{
    /* The wrong direction on purpose: reading or writing a stream that its caller closed fails. */
    static const int mode[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)!open("/dev/null", mode[fd]);
    }
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
    sigemptyset(&action.sa_mask);
    const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction old;
        /* What the parent ignores (nohup, a background job) stays ignored. */
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
    stj_set_interrupt(cli_interrupted);
    /* A full disk or a file size limit is an error of write(), not the end of the process. */
    signal(SIGXFSZ, SIG_IGN);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

static void complain(const char *kind, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static bool silent;

void cli_speak(bool speaks)
{
    silent = !speaks;
}

static void complain(const char *kind, const char *format, va_list args)
{
    char text[2 * STJ_ERROR_TEXT_MAX];
    if (silent)
        return;
    cli_progress_end();
    vsnprintf(text, sizeof text, format, args);
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ')
            *p = ' ';
    }
    fprintf(stderr, "spectraj: %s%s\n", kind, text);
}

void cli_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain("", format, args);
    va_end(args);
}

void cli_warn(const struct cli *cli, const char *format, ...)
{
    va_list args;
    if (cli->args.shared.quiet)
        return;
    va_start(args, format);
    complain("warning: ", format, args);
    va_end(args);
}

/* "spectraj svd 'a run' --top 10"; cut at its end where it is longer. */
static char command_line[STJ_ERROR_TEXT_MAX];

static void put_character(char c)
{
    const size_t used = strlen(command_line);
    if (used + 1 < sizeof command_line)
        command_line[used] = c;
}

static void put_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=,+@%";
    const bool quoted = !word[0] || word[strspn(word, plain)];
    const char *quote = quoted ? "'" : "";
    for (const char *q = quote; *q; q++)
        put_character(*q);
    for (; *word; word++)
        if (*word == '\'')
            for (const char *q = "'\\''"; *q; q++)
                put_character(*q);
        else
            put_character(*word);
    for (const char *q = quote; *q; q++)
        put_character(*q);
}

void cli_remember_command(int argc, char **argv)
{
    snprintf(command_line, sizeof command_line, "spectraj");
    for (int i = 1; i < argc; i++) {
        put_character(' ');
        put_word(argv[i]);
    }
}

void cli_tell_to_go_on(char *text, size_t size, const char *kept)
{
    static const char *const verbs[] = {"to go on: ", "to begin again: "};
    for (size_t i = 0; i < 2; i++) {
        char *inner = strstr(text, verbs[i]);
        if (inner) {
            inner += strlen(verbs[i]);
            snprintf(inner, size - (size_t)(inner - text), "%s", command_line);
            return;
        }
    }
    const size_t used = strlen(text);
    snprintf(text + used, size - used, "; %s, %s%s", kept ? kept : "nothing is kept",
             verbs[kept ? 0 : 1], command_line);
}

void cli_put_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            fputc(*text, out);
    fputc('"', out);
}

bool cli_close_output(void)
{
    bool lost = ferror(stdout) != 0;
    errno = 0;
    lost = fclose(stdout) != 0 || lost;
    if (lost)
        cli_complain("standard output could not be written: %s",
                     errno ? strerror(errno) : "input/output error");
    return !lost;
}

int cli_failed(enum stj_status status)
{
    return status == STJ_EINTERRUPTED ? CLI_INTERRUPTED : CLI_ERROR;
}

static void warn_of_replay(const struct cli *cli, const struct stj_run *run)
{
    struct stj_storage storage = {.diverged = false};
    stj_run_get_divergence(run, &storage);
    if (storage.diverged)
        cli_warn(
            cli,
            "replay left the recorded training at step %zu (another BLAS or processor?); at step "
            "%zu, where the next state is stored, the relative difference is %.2g; every replay "
            "began at a stored state",
            storage.diverged_at, storage.compared_at, storage.difference);
}

int cli_execute(struct cli *cli, const void *options)
{
    const struct command *command = cli->command;
    const char *path = cli->args.positional[0];
    struct stat info;
    struct stj_run *run = NULL;
    int exit_status = CLI_DONE;
    if (command->run)
        return command->run(cli, options);
    const bool is_config = command->takes_config && stat(path, &info) == 0 && S_ISREG(info.st_mode);
    enum stj_status st = STJ_OK;
    if (!is_config && cli->args.n_set > 0)
        st = stj_error_set(&cli->err, STJ_EINVAL, __FILE__, __LINE__,
                           "--set is for a config, and %s is not a file; spectraj sweep and run "
                           "make other runs",
                           path);
    else
        st = is_config
                 ? stj_run_describe_with(path, cli->args.n_set, cli->args.set, &run, &cli->err)
                 : stj_run_open(path, &run, &cli->err);
    if (st == STJ_OK) {
        stj_run_set_memory(run, cli->args.shared.memory);
        st = command->work(cli, run, options, &exit_status);
    }
    cli_progress_end();
    if (st == STJ_OK)
        warn_of_replay(cli, run);
    stj_run_destroy(run);
    return st == STJ_OK ? exit_status : cli_failed(st);
}

uint64_t cli_seed(const struct cli *cli)
{
    return cli->args.shared.seed_given ? cli->args.shared.seed : 0;
}

struct stj_analysis_settings cli_analysis_settings(const struct cli *cli)
{
    const struct args_shared *shared = &cli->args.shared;
    return (struct stj_analysis_settings){
        .force = shared->force, .tag = shared->tag, .memory_bytes = shared->memory};
}
