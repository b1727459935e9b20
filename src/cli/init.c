/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/init.c: spectraj init: a commented config to start from.
 *
 * The configs are the examples, installed with their data; a path in one is relative to its folder,
 * and is made absolute where that file exists.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, PATH_BYTES = 1024 };

static const struct example {
    const char *name, *file, *doc;
} examples[] = {
    {"digits", "digits/digits.yaml", "a dense network on 8 x 8 digits: 4810 parameters, 625 steps"},
    {"lenet", "lenet/lenet-short.yaml", "LeNet-5 on Fashion-MNIST: 61 706 parameters, 60 steps"},
    {"mlp", "mlp-wide/mlp-wide.yaml", "784-1024-1024-10 on Fashion-MNIST: 1 863 690 parameters"},
    {"transformer", "transformer/transformer.yaml", "a character model of two blocks, Adam"},
};

enum { N_EXAMPLES = sizeof examples / sizeof examples[0] };

struct init_options {
    char *output;
};

static bool get_example(size_t i, const char **name, const char **doc)
{
    *name = i < N_EXAMPLES ? examples[i].name : NULL;
    *doc = i < N_EXAMPLES ? examples[i].doc : NULL;
    return *name != NULL;
}

static const struct example *find_example(const char *name)
{
    for (size_t i = 0; i < N_EXAMPLES; i++)
        if (strcmp(examples[i].name, name) == 0)
            return &examples[i];
    return NULL;
}

static const char *examples_folder(void)
{
    const char *own = getenv("SPECTRAJ_EXAMPLES");
    return own && own[0] ? own : SPECTRAJ_EXAMPLES_DIR;
}

/* A line with the values of "key: value" that name files of the folder made absolute. */
static void copy_line(FILE *out, const char *line, const char *folder)
{
    const char *comment = strstr(line, " #");
    while (*line) {
        char path[PATH_BYTES + LINE_BYTES];
        const size_t word = strcspn(line, " ,{}[]\n");
        snprintf(path, sizeof path, "%s/%.*s", folder, (int)word, line);
        const bool in_comment = line[0] == '#' || (comment && line > comment);
        if (word > 0 && line[0] != '/' && !in_comment && line[word - 1] != ':' &&
            memchr(line, '.', word) && access(path, R_OK) == 0)
            fputs(path, out);
        else
            fwrite(line, 1, word, out);
        line += word;
        if (*line)
            fputc(*line++, out);
    }
}

static int copy_example(struct cli *cli, const struct example *example, FILE *out)
{
    char path[PATH_BYTES], folder[PATH_BYTES], line[LINE_BYTES];
    snprintf(path, sizeof path, "%s/%s", examples_folder(), example->file);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    FILE *in = fopen(path, "r");
    if (!in) {
        stj_error_set(&cli->err, STJ_EIO, __FILE__, __LINE__,
                      "%s: cannot be read: %s; set SPECTRAJ_EXAMPLES to the folder of the examples",
                      path, strerror(errno));
        return CLI_ERROR;
    }
    while (fgets(line, sizeof line, in)) {
        if (line[0] == '#')
            fputs(line, out);
        else
            copy_line(out, line, folder);
    }
    fclose(in);
    return CLI_DONE;
}

static int write_to(struct cli *cli, const struct example *example, const char *path)
{
    FILE *out = fopen(path, cli->args.shared.force ? "w" : "wx");
    if (!out) {
        stj_error_set(&cli->err, STJ_EIO, __FILE__, __LINE__, "%s: cannot be written: %s%s", path,
                      strerror(errno), errno == EEXIST ? " (--force replaces it)" : "");
        return CLI_ERROR;
    }
    int status = copy_example(cli, example, out);
    if (fclose(out) != 0 && status == CLI_DONE) {
        stj_error_set(&cli->err, STJ_EIO, __FILE__, __LINE__, "%s: cannot be written: %s", path,
                      strerror(errno));
        status = CLI_ERROR;
    }
    return status;
}

/* What was written, and into which file. */
static int print_json(struct cli *cli, const struct example *example, const char *path)
{
    char *config = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&config, &size);
    int status = text ? copy_example(cli, example, text) : CLI_ERROR;
    if (!text || fclose(text) != 0)
        stj_error_set(&cli->err, STJ_ENOMEM, __FILE__, __LINE__, "out of memory");
    if (status == CLI_DONE && path)
        status = write_to(cli, example, path);
    if (status == CLI_DONE) {
        printf("{\"schema\": 1, \"example\": \"%s\", \"file\": ", example->name);
        if (path)
            cli_put_json_text(stdout, path);
        else
            printf("null");
        printf(", \"config\": ");
        cli_put_json_text(stdout, config);
        printf("}\n");
    }
    free(config);
    return status;
}

static int init(struct cli *cli, const void *options)
{
    const struct init_options *o = options;
    const char *name = cli->args.n_positional ? cli->args.positional[0] : "digits";
    const struct example *example = find_example(name);
    if (!example) {
        args_no_such("example", name, get_example, "spectraj init --help", &cli->err);
        return CLI_ERROR;
    }
    if (cli->format == STJ_REPORT_JSON)
        return print_json(cli, example, o->output);
    return o->output ? write_to(cli, example, o->output) : copy_example(cli, example, stdout);
}

#define OPTION(...) STJ_OPTION_ROW(struct init_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("output", STRING, output, "", "write the config to FILE (default: to standard output)",
           .letter = 'o', .value = "FILE"),
    {.name = NULL},
};

const struct command command_init = {
    .name = "init",
    .summary = "write a commented config to start from",
    .positional = "[NAME]",
    .min_positional = 0,
    .max_positional = 1,
    .description =
        "Write one of the example configs, with absolute paths to its data, for you to edit.\n"
        "'spectraj help config' or spectraj-config(5) lists the keys of a config.  The default\n"
        "NAME is digits.\n",
    .shared = ARGS_FORCE_FILE,
    .options = options,
    .options_size = sizeof(struct init_options),
    .list_title = "Configs to start from",
    .list = get_example,
    .example = "  spectraj init digits -o mine.yaml\n",
    .run = init,
};
