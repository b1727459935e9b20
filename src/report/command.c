/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/command.c: the command line that makes a result again. */
#include "report/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "io/file.h"
#include "base/memory.h"
#include "report/result.h"

enum stj_status stj_command_begin(struct stj_command *command, const char *what,
                                  struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    *command = (struct stj_command){.out = NULL};
    command->out = open_memstream(&command->text, &command->size);
    STJ_CHECK(err, command->out, STJ_ENOMEM, "no memory for a command line");
    fprintf(command->out, "spectraj %s", what);
out:
    return st;
}

void stj_command_free(struct stj_command *command)
{
    if (command->out)
        fclose(command->out);
    free(command->text);
    *command = (struct stj_command){.out = NULL};
}

void stj_command_real(struct stj_command *command, const char *name, double value)
{
    char text[32];
    if (value == 0)
        return;
    /* as few digits as tell the number */
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fprintf(command->out, " --%s %s", name, text);
}

void stj_command_size(struct stj_command *command, const char *name, size_t value)
{
    if (value != 0)
        fprintf(command->out, " --%s %zu", name, value);
}

void stj_command_text(struct stj_command *command, const char *name, const char *value)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./,:=%@";
    if (!value)
        return;
    fprintf(command->out, " --%s ", name);
    if (*value && strspn(value, plain) == strlen(value)) {
        fputs(value, command->out);
        return;
    }
    fputc('\'', command->out);
    for (const char *c = value; *c; c++)
        fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, command->out);
    fputc('\'', command->out);
}

enum stj_status stj_command_put(struct stj_command *command, bool window,
                                const struct stj_analysis_settings *settings, struct stj_h5 *file,
                                struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    if (window) {
        stj_command_size(command, "from", settings->from);
        stj_command_size(command, "to", settings->to);
        stj_command_text(command, "layers", settings->layers);
        stj_command_text(command, "state", settings->full_state ? "full" : NULL);
    }
    stj_command_text(command, "tag", settings->tag);
    const bool failed = ferror(command->out) || fflush(command->out) != 0;
    STJ_CHECK(err, !failed && command->text, STJ_ENOMEM, "no memory for a command line");
    STJ_TRY(stj_h5_put_text(file, "@command", command->text, err));
out:
    stj_command_free(command);
    return st;
}

enum stj_status stj_command_read(const struct stj_run_info *info, const char *file_name,
                                 char **text, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_h5 *file = NULL;
    char *path = NULL;
    *text = NULL;
    STJ_TRY(stj_path_join(info->dir, file_name, &path, err));
    STJ_TRY(stj_h5_open(path, &stj_any_result_format, &file, err));
    if (stj_h5_has(file, "@command"))
        STJ_TRY(stj_h5_get_text(file, "@command", text, err));
out:
    stj_h5_close(file);
    free(path);
    return st;
}
