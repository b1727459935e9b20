/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/manual.h: manual pages, the reference of the config, and the shell's completion, from the
 * tables that parse. */
#ifndef STJ_CLI_MANUAL_H
#define STJ_CLI_MANUAL_H

#include "args.h"

/* The manual page of a command, spectraj-NAME(1), in the language of man(7). */
void manual_print_command(FILE *out, const struct command *command);

/* spectraj(1), with the list of commands; spectraj-config(5). */
void manual_print_program(FILE *out, const struct command *const *commands, size_t n);
void manual_print_config(FILE *out);

/* The keys of a config as plain text. */
void manual_print_config_help(FILE *out);

/* The completion script of a shell (NULL: bash), which asks `spectraj help --complete`; false: it is
 * not one of bash, zsh and fish. */
bool manual_print_completion(FILE *out, const char *shell);

/* What may stand in the place of the last of n words behind the command, one a line. */
void complete_print(const struct command *command, size_t n, char **word);

#endif
