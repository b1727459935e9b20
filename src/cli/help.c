/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/help.c: the help of a command, from its table. */
#include "args.h"

#include <string.h>

enum { DOC_COLUMN = 29, RIGHT_MARGIN = 79 };

/* The words of `text`, separated by blanks and newlines, from column `column` on, wrapped at the
 * margin and indented. */
static void print_wrapped(FILE *out, size_t column, size_t indent, const char *text)
{
    const char *blanks = " \n";
    const bool below = column > 0 && column >= indent; /* no room beside what stands there */
    fprintf(out, "%s%*s", below ? "\n" : "", (int)(below ? indent : indent - column), "");
    column = indent;
    while (*text) {
        size_t word = strcspn(text, blanks);
        if (column > indent && column + 1 + word > RIGHT_MARGIN) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", (int)word, text);
        column += word;
        text += word;
        text += strspn(text, blanks);
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const struct stj_option *row)
{
    char head[96], name[ARGS_NAME_MAX], doc[STJ_OPTION_TEXT_MAX];
    char letter[8] = "    ";
    const char *value = stj_option_get_value(row);
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(head, sizeof head, "  %s--%s%s%s", letter, args_name(row, name), value ? " " : "",
             value ? value : "");
    stj_option_describe(row, false, doc, sizeof doc);
    fputs(head, out);
    print_wrapped(out, strlen(head), DOC_COLUMN, doc);
}

void args_print_help(FILE *out, const struct command *command)
{
    const struct stj_option *row = NULL;
    fprintf(out, "Usage: spectraj %s [OPTION]... %s\n\n", command->name, command->positional);
    print_wrapped(out, 0, 0, command->description);
    if (command->list_title) {
        fprintf(out, "\n%s:\n", command->list_title);
        args_print_names(out, command->list);
    }
    fprintf(out, "\nOptions:\n");
    for (size_t g = 0; g < ARGS_GROUPS; g++) {
        const char *title = args_group_title(command, g);
        if (title)
            fprintf(out, "%s %s:\n", g ? "\n" : "", title);
        for (size_t i = 0; (row = args_row(command, i)); i++)
            if (args_in_group(command, i, g))
                print_option(out, row);
    }
    fprintf(out, "\nExit status:\n"
                 "    0  done\n"
                 "    1  error: one line on standard error says what, where, and the remedy\n");
    if (command->unconverged)
        fprintf(out, "    2  %s\n", command->unconverged);
    fprintf(out,
            "  130  interrupted: one line says what is kept and which command goes on\n"
            "\nExample:\n%s",
            command->example);
}
