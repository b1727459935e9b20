/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/manual.c: manual pages in the language of man(7), from the tables that parse. */
#include "manual.h"

#include <stdlib.h>
#include <string.h>

#include <spectraj/config.h>
#include <spectraj/version.h>

/* One character of a page: what troff would take as its own is escaped. */
static void put_character(FILE *out, char c)
{
    static const struct {
        char c;
        const char *text;
    } escaped[] = {{'\\', "\\e"}, {'-', "\\-"}, {'\'', "\\(aq"}, {'^', "\\(ha"}, {'~', "\\(ti"}};
    for (size_t i = 0; i < sizeof escaped / sizeof escaped[0]; i++)
        if (c == escaped[i].c) {
            fputs(escaped[i].text, out);
            return;
        }
    fputc(c, out);
}

/* Text as it is, its lines kept. */
static void manual_put(FILE *out, const char *text)
{
    bool line_start = true;
    for (const char *p = text; *p; p++) {
        if (line_start && *p == '.')
            fputs("\\&", out);
        put_character(out, *p);
        line_start = *p == '\n';
    }
}

/* Text that flows: its words in lines of a width that every pager and reviewer likes, a new one for
 * each sentence; an empty line begins a paragraph. */
static void put_flowing(FILE *out, const char *text)
{
    enum { WIDTH = 66 };
    size_t column = 0;
    while (*text) {
        const bool sentence = column > 0 && text[-1] == '.';
        size_t newlines = 0;
        for (; *text == ' ' || *text == '\n'; text++)
            newlines += *text == '\n';
        const bool paragraph = newlines > 1;
        const size_t length = strcspn(text, " \n");
        if (length == 0)
            break;
        if (column > 0 && (paragraph || sentence || column + 1 + length > WIDTH)) {
            fputs(paragraph ? "\n.PP\n" : "\n", out);
            column = 0;
        } else if (column > 0) {
            fputc(' ', out);
        }
        if (column == 0 && *text == '.')
            fputs("\\&", out);
        for (size_t i = 0; i < length; i++)
            put_character(out, text[i]);
        column += length + 1;
        text += length;
    }
    fputc('\n', out);
}

static void put_title(FILE *out, const char *name, int section, const char *summary)
{
    char upper[64];
    snprintf(upper, sizeof upper, "%s", name);
    for (char *p = upper; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    fprintf(out, ".\\\" SPDX-License-Identifier: GPL-3.0-or-later\n"
                 ".\\\" Made from the tables of the program; do not edit.\n.TH ");
    manual_put(out, upper);
    fprintf(out, " %d \"%s\" \"spectraj %s\" \"%s\"\n.SH NAME\n", section, stj_release_date(),
            stj_version(), section == 1 ? "User Commands" : "File Formats");
    manual_put(out, name);
    fputs(" \\- ", out);
    manual_put(out, summary);
    fputc('\n', out);
}

static void put_option(FILE *out, const struct stj_option *row)
{
    char name[ARGS_NAME_MAX], doc[STJ_OPTION_TEXT_MAX];
    const char *value = stj_option_get_value(row);
    fputs(".TP\n", out);
    if (row->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
    fputs("\\fB\\-\\-", out);
    manual_put(out, args_name(row, name));
    fputs("\\fR", out);
    if (value) {
        fputs(" \\fI", out);
        manual_put(out, value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    stj_option_describe(row, false, doc, sizeof doc);
    put_flowing(out, doc);
}

static void put_literal(FILE *out, const char *text)
{
    fputs(".nf\n", out);
    manual_put(out, text);
    fputs(".fi\n", out);
}

static void put_status(FILE *out, const char *status, const char *meaning)
{
    fprintf(out, ".TP\n\\fB%s\\fR\n", status);
    put_flowing(out, meaning);
}

static void put_exit_status(FILE *out, const char *unconverged)
{
    fputs(".SH EXIT STATUS\n", out);
    put_status(out, "0", "Done.");
    put_status(out, "1", "Error: one line on standard error says what, where, and the remedy.");
    if (unconverged)
        put_status(out, "2", unconverged);
    put_status(out, "130", "Interrupted: one line says what is kept and which command goes on.");
}

void manual_print_command(FILE *out, const struct command *command)
{
    char name[64];
    const struct stj_option *row = NULL;
    snprintf(name, sizeof name, "spectraj-%s", command->name);
    for (char *p = name; *p; p++)
        if (*p == ' ')
            *p = '-';
    put_title(out, name, 1, command->summary);
    fputs(".SH SYNOPSIS\n\\fBspectraj ", out);
    manual_put(out, command->name);
    fputs("\\fR [\\fIOPTION\\fR]... \\fI", out);
    manual_put(out, command->positional);
    fputs("\\fR\n.SH DESCRIPTION\n", out);
    put_flowing(out, command->description);
    if (command->list_title) {
        char *text = NULL;
        size_t size = 0;
        FILE *list = open_memstream(&text, &size);
        fputs(".SH ", out);
        manual_put(out, command->list_title);
        fputc('\n', out);
        if (list) {
            args_print_names(list, command->list);
            fclose(list);
            put_literal(out, text);
        }
        free(text);
    }
    fputs(".SH OPTIONS\n", out);
    for (size_t g = 0; g < ARGS_GROUPS; g++) {
        const char *title = args_group_title(command, g);
        if (title)
            fprintf(out, ".SS %s\n", title);
        for (size_t i = 0; (row = args_row(command, i)); i++)
            if (args_in_group(command, i, g))
                put_option(out, row);
    }
    put_exit_status(out, command->unconverged);
    fputs(".SH EXAMPLES\n", out);
    put_literal(out, command->example);
    fputs(".SH SEE ALSO\n.BR spectraj (1),\n.BR spectraj\\-config (5)\n", out);
}

void manual_print_program(FILE *out, const struct command *const *commands, size_t n)
{
    put_title(out, "spectraj", 1, "singular spectrum of neural-network training");
    fputs(
        ".SH SYNOPSIS\n\\fBspectraj\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
        ".SH DESCRIPTION\n",
        out);
    put_flowing(
        out, "spectraj finds the singular spectrum of the training Jacobian of a neural network, "
             "J = d theta_n / d theta_0,\nwithout ever forming it: how a change of the initial "
             "parameters is "
             "amplified (sigma > 1), carried through\nunchanged (sigma near 1) or forgotten (sigma "
             "< 1) by "
             "training.\n\nA network is trained once, from a config, into a run: a folder with the "
             "resolved "
             "config, the trajectory of\nall steps, and a file for each result. Every analysis "
             "reads the "
             "trajectory.\n");
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < n; i++) {
        fputs(".TP\n\\fBspectraj\\-", out);
        manual_put(out, commands[i]->name);
        fputs("\\fR(1)\n", out);
        put_flowing(out, commands[i]->summary);
    }
    put_exit_status(out, "Ran, but did not converge or was not validated.");
    fputs(".SH ENVIRONMENT\n", out);
    put_status(out, "OMP_NUM_THREADS",
               "Threads, where --threads is not given; no more than there are processors.");
    fputs(".SH EXAMPLES\n", out);
    put_literal(out, "  spectraj train digits.yaml -o digits-run\n"
                     "  spectraj svd digits-run --top 10\n"
                     "  spectraj density digits-run\n");
    fputs(".SH SEE ALSO\n.BR spectraj\\-config (5)\n", out);
}

static void page_section(void *ctx, const char *title, const char *doc)
{
    FILE *out = ctx;
    fputs(".SS ", out);
    manual_put(out, title);
    fputc('\n', out);
    put_flowing(out, doc);
}

static void page_key(void *ctx, const struct stj_option *key)
{
    FILE *out = ctx;
    char doc[STJ_OPTION_TEXT_MAX];
    fputs(".TP\n\\fB", out);
    manual_put(out, key->name);
    fputs("\\fR\n", out);
    stj_option_describe(key, true, doc, sizeof doc);
    put_flowing(out, doc);
}

void manual_print_config(FILE *out)
{
    const struct stj_config_visitor visitor = {out, page_section, page_key};
    put_title(out, "spectraj-config", 5, "the config file of a run");
    fputs(".SH DESCRIPTION\n", out);
    put_flowing(
        out,
        "A config is a YAML file: one mapping of the groups below. Unknown or repeated keys, "
        "wrong types, numbers outside of\ntheir range, aliases and a depth of more than 32 "
        "are errors, with file, line and column. Paths are relative to\nthe file's folder. A "
        "run keeps the config with all defaults filled in as config.yaml.\n\nWhere a layer, a "
        "loss or another plug-in is wanted, write its name, or a mapping {type: NAME, ...} with "
        "its keys;\na learning rate names its kind as schedule: NAME, "
        "and may be a list with the rate of each step.\n");
    fputs(".SH KEYS\n", out);
    stj_config_describe(&visitor);
    fputs(".SH SEE ALSO\n.BR spectraj (1)\n", out);
}

static void help_section(void *ctx, const char *title, const char *doc)
{
    fprintf(ctx, "\n%s: %s\n", title, doc);
}

static void help_key(void *ctx, const struct stj_option *key)
{
    char doc[STJ_OPTION_TEXT_MAX];
    stj_option_describe(key, true, doc, sizeof doc);
    fprintf(ctx, "  %-14s %s\n", key->name, doc);
}

void manual_print_config_help(FILE *out)
{
    const struct stj_config_visitor visitor = {out, help_section, help_key};
    fprintf(out, "The groups of a config file, their keys, and what plug-ins take (see also "
                 "spectraj-config(5)).\n");
    stj_config_describe(&visitor);
}

bool manual_print_completion(FILE *out, const char *shell)
{
    static const struct {
        const char *shell, *script;
    } scripts[] = {
        {"bash",
         "_spectraj()\n{\n"
         "    local IFS=$'\\n'\n"
         "    COMPREPLY=($(\"${COMP_WORDS[0]}\" help --complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
         "2> /dev/null))\n"
         "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "
         "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o filenames -F _spectraj spectraj\n"},
        {"zsh",
         "_spectraj()\n{\n"
         "    local -a offers\n"
         "    offers=(${(f)\"$($words[1] help --complete \"${(@)words[2,CURRENT]}\" "
         "2> /dev/null)\"})\n"
         "    if (( $#offers )); then compadd -a offers; else _files; fi\n"
         "}\n"
         "if [ \"$funcstack[1]\" = _spectraj ]; then _spectraj; else compdef _spectraj spectraj; "
         "fi\n"},
        {"fish", "function __spectraj\n"
                 "    set -l words (commandline -opc) (commandline -ct)\n"
                 "    set -l offers ($words[1] help --complete $words[2..-1] 2> /dev/null)\n"
                 "    if test (count $offers) -gt 0\n"
                 "        printf '%s\\n' $offers\n"
                 "    else\n"
                 "        __fish_complete_path (commandline -ct)\n"
                 "    end\n"
                 "end\n"
                 "complete -c spectraj -f -a '(__spectraj)'\n"},
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (strcmp(shell ? shell : "bash", scripts[i].shell) == 0) {
            fprintf(out, "%s# completion of %s for spectraj, whose tables say what there is.\n%s",
                    i == 1 ? "#compdef spectraj\n" : "", scripts[i].shell, scripts[i].script);
            return true;
        }
    return false;
}
