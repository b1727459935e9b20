/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/plot.c: spectraj plot: figures of a run. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct plot_options {
    char *output, *tensor, *with, *tags;
    size_t index;
    int side; /* index into right, left */
    bool terminal, data, no_title, log_x, log_y, script;
    char *width, *height;
    double font;
};

enum { PATH_SIZE = 4096, PLOTTED_MAX = 32, LABEL_SIZE = 64 };

/* *figure <- the figure asked for; without one, the first of the list. */
static enum stj_status choose_figure(const struct cli *cli, const char **figure,
                                     struct stj_error *err)
{
    const char *name = NULL;
    const char *doc = NULL;
    for (size_t i = 0; stj_report_figure(i, &name, &doc); i++) {
        *figure = cli->args.n_positional > 1 ? cli->args.positional[1] : name;
        if (strcmp(*figure, name) == 0)
            return STJ_OK;
    }
    return args_no_such("figure", *figure, stj_report_figure, "spectraj plot RUN help", err);
}

/* path <- RUN/figures/FIGURE.svg; the folder is made. */
static enum stj_status default_path(const char *run, const char *figure, char path[PATH_SIZE],
                                    struct stj_error *err)
{
    int n = snprintf(path, PATH_SIZE, "%s/figures", run);
    if (n > 0 && n < PATH_SIZE && mkdir(path, 0777) != 0 && errno != EEXIST)
        return stj_error_set(err, STJ_EIO, __FILE__, __LINE__, "%s could not be created: %s", path,
                             strerror(errno));
    n = snprintf(path, PATH_SIZE, "%s/figures/%s.svg", run, figure);
    if (n < 0 || n >= PATH_SIZE)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "the path of the run is longer than %d bytes", PATH_SIZE);
    return STJ_OK;
}

static enum stj_status check_options(const struct cli *cli, const struct plot_options *o,
                                     struct stj_error *err)
{
    if (o->terminal && o->output)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--terminal and --output exclude each other");
    if (o->terminal && o->data)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--terminal and --data exclude each other");
    if (o->terminal && cli->args.shared.json)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--terminal and --json exclude each other");
    if (o->tags && cli->args.shared.tag)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--tag and --tags exclude each other");
    return STJ_OK;
}

/* What is drawn: the results of each tag, of each run. */
struct plotted {
    struct stj_run *run[2];
    size_t n;
    struct stj_plotted item[PLOTTED_MAX];
    char label[PLOTTED_MAX][LABEL_SIZE];
};

static const char *name_of(const char *dir)
{
    const char *slash = strrchr(dir, '/');
    return slash && slash[1] ? slash + 1 : dir;
}

/* The items of "a,b", where an empty one is the result without a tag; cut in place. */
static enum stj_status list_plotted(struct plotted *p, const char *const dir[2], char *tags,
                                    const char *tag, struct stj_error *err)
{
    const char *of_run[2] = {name_of(dir[0]), dir[1] ? name_of(dir[1]) : NULL};
    if (dir[1] && strcmp(of_run[0], of_run[1]) == 0) {
        of_run[0] = dir[0];
        of_run[1] = dir[1];
    }
    char *word = tags;
    do {
        char *comma = word ? strchr(word, ',') : NULL;
        if (comma)
            *comma = '\0';
        const char *one = !word ? tag : *word ? word : NULL;
        for (size_t r = 0; r < 2 && p->run[r]; r++, p->n++) {
            if (p->n == PLOTTED_MAX)
                return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                                     "more than %d results in one figure", PLOTTED_MAX);
            snprintf(p->label[p->n], LABEL_SIZE, "%.40s%s%.20s", dir[1] ? of_run[r] : "",
                     dir[1] && one ? ", " : "",
                     one      ? one
                     : dir[1] ? ""
                              : "untagged");
            p->item[p->n] = (struct stj_plotted){p->run[r], one, p->label[p->n]};
        }
        word = comma ? comma + 1 : NULL;
    } while (word);
    return STJ_OK;
}

/* What only the figure of one vector has. */
static enum stj_status check_vector(const struct cli *cli, const struct plot_options *o,
                                    bool is_vector, struct stj_error *err)
{
    if (!is_vector && (o->index || o->tensor || o->side))
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--index, --tensor and --side are of the figure 'vector'");
    if (is_vector && (o->with || o->tags))
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "the figure 'vector' is of one run: leave out --with and --tags");
    if (is_vector && cli->args.shared.tag)
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "the figure 'vector' is of the untagged dense.h5, else svd.h5: leave "
                             "out --tag");
    return STJ_OK;
}

/* *cm <- "8.6cm", "86mm", "3.4in", "245pt". */
static enum stj_status read_length(const char *option, const char *text, double *cm,
                                   struct stj_error *err)
{
    static const struct {
        const char *name;
        double cm;
    } unit[] = {{"cm", 1}, {"mm", 0.1}, {"in", 2.54}, {"pt", 2.54 / 72}};
    char *end = NULL;
    *cm = text ? strtod(text, &end) : 0;
    if (!text)
        return STJ_OK;
    for (size_t i = 0; end != text && i < sizeof unit / sizeof unit[0]; i++)
        if (strcmp(end, unit[i].name) == 0) {
            *cm *= unit[i].cm;
            if (*cm >= 2 && *cm <= 100)
                return STJ_OK;
        }
    return stj_error_set(
        err, STJ_EINVAL, __FILE__, __LINE__,
        "--%s is '%s': give a length from 2cm to 100cm, in cm, mm, in or pt (8.6cm)", option, text);
}

/* how <- what the options say of it. */
static enum stj_status read_settings(const struct plot_options *o, const char *figure,
                                     struct stj_plot_settings *how, struct stj_error *err)
{
    *how = (struct stj_plot_settings){.size = sizeof *how,
                                      .font = o->font,
                                      .no_title = o->no_title,
                                      .log_x = o->log_x,
                                      .log_y = o->log_y,
                                      .data = o->data,
                                      .script = o->script};
    const bool own = strcmp(figure, "vector") == 0 || strcmp(figure, "network") == 0;
    const bool asks = o->width || o->height || o->font > 0;
    if (own && (asks || o->no_title || o->log_x || o->log_y || o->script))
        return stj_error_set(
            err, STJ_EINVAL, __FILE__, __LINE__,
            "the figure '%s' has a size and no axes of its own: leave out --width, "
            "--height, --font, --no-title, --log-x, --log-y and --script",
            figure);
    if ((asks || o->script) && (o->terminal || (o->data && o->script)))
        return stj_error_set(err, STJ_EINVAL, __FILE__, __LINE__,
                             "--width, --height, --font and --script are of files: leave out "
                             "--terminal and --data");
    enum stj_status st = read_length("width", o->width, &how->width, err);
    return st == STJ_OK ? read_length("height", o->height, &how->height, err) : st;
}

static enum stj_status plot_draw(const struct cli *cli, const struct plot_options *o,
                                 const struct plotted *p, const char *figure, const char *path,
                                 struct stj_error *err)
{
    const struct stj_report_vector which = {.size = sizeof which,
                                            .index = o->index,
                                            .tensor = o->tensor,
                                            .left = o->side == 1,
                                            .data = o->data};
    struct stj_plot_settings how;
    const enum stj_status st = read_settings(o, figure, &how, err);
    if (st != STJ_OK)
        return st;
    if (strcmp(figure, "vector") == 0)
        return stj_report_plot_vector(stdout, cli->format, p->run[0], &which, path, err);
    return stj_report_overlay(stdout, cli->format, p->n, p->item, figure, path, &how, err);
}

static int plot(struct cli *cli, const void *options)
{
    const struct plot_options *o = options;
    const char *figure = NULL;
    const char *path = o->output;
    char path_text[PATH_SIZE];
    struct plotted plotted = {.n = 0};
    const char *const dir[2] = {cli->args.positional[0], o->with};

    if (cli->args.n_positional > 1 && strcmp(cli->args.positional[1], "help") == 0) {
        args_print_names(stdout, stj_report_figure);
        return CLI_DONE;
    }
    enum stj_status st = check_options(cli, o, &cli->err);
    if (st == STJ_OK)
        st = choose_figure(cli, &figure, &cli->err);
    if (st == STJ_OK)
        st = check_vector(cli, o, strcmp(figure, "vector") == 0, &cli->err);
    for (size_t i = 0; st == STJ_OK && i < 2 && dir[i]; i++)
        st = stj_run_open(dir[i], &plotted.run[i], &cli->err);
    if (st == STJ_OK)
        st = list_plotted(&plotted, dir, o->tags, cli->args.shared.tag, &cli->err);
    if (st == STJ_OK && !o->terminal && !o->data && !o->script && !path) {
        st = default_path(dir[0], figure, path_text, &cli->err);
        path = path_text;
    }
    if (st == STJ_OK)
        st = plot_draw(cli, o, &plotted, figure, path, &cli->err);
    for (size_t i = 0; i < 2; i++)
        stj_run_destroy(plotted.run[i]);
    return st == STJ_OK ? CLI_DONE : cli_failed(st);
}

static const char *const sides[] = {"right", "left", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct plot_options, __VA_ARGS__)
static const struct stj_option options[] = {
    OPTION("output", STRING, output, "",
           "draw into FILE, as its suffix says: .svg, .pdf or .png (default: "
           "RUN/figures/FIGURE.svg)",
           .letter = 'o', .value = "FILE"),
    OPTION("with", STRING, with, "", "draw the same result of this run into the figure",
           .value = "RUN2"),
    OPTION(
        "tags", STRING, tags, "",
        "draw the results under each of these tags into one figure; an empty tag is the untagged "
        "result",
        .value = "TAG,..."),
    OPTION("terminal", BOOL, terminal, "", "draw with characters on standard output",
           .letter = 't'),
    OPTION("data", BOOL, data, "",
           "write the numbers of the figure as CSV instead: to FILE, or to standard output",
           .letter = 'd'),
    OPTION("width", STRING, width, "",
           "of the file, as a paper wants it: 8.6cm, 86mm, 3.4in (default of the height: in "
           "proportion)",
           .value = "LENGTH"),
    OPTION("height", STRING, height, "", "of the file", .value = "LENGTH"),
    OPTION("font", REAL, font, "", "of its letters in points", .min = 4, .max = 72,
           .value = "POINTS"),
    OPTION("no_title", BOOL, no_title, "", "without the title above the axes"),
    OPTION("log_x", BOOL, log_x, "",
           "a log axis across; values that are not positive are left out"),
    OPTION("log_y", BOOL, log_y, "", "a log axis upwards"),
    OPTION("script", BOOL, script, "",
           "write the gnuplot script with its data, which draws FIGURE.pdf: into FILE, else on "
           "standard output"),
    OPTION("index", SIZE, index, "",
           "for the figure 'vector': the singular vector, counted from 1 (default: 1)", .min = 1,
           .value = "I"),
    OPTION("tensor", STRING, tensor, "",
           "for the figure 'vector': the tensor, named as in info (default: the first matrix)",
           .value = "NAME"),
    OPTION("side", CHOICE, side, "right",
           "for the figure 'vector': the right vector v or the left vector u", .choices = sides),
    {.name = NULL},
};

const struct command command_plot = {
    .name = "plot",
    .summary = "draw a figure of a run with gnuplot",
    .positional = "RUN [FIGURE]",
    .min_positional = 1,
    .max_positional = 2,
    .description =
        "Draw stored results.  FIGURE is 'spectrum' (the default: singular values against their\n"
        "index, from dense.h5, else svd.h5), 'loss' (the batch losses of the training), 'network'\n"
        "(its graph), 'vector' (one singular vector on one tensor, as images of the first layer's\n"
        "weights or as a heat map), or another figure; 'help' as FIGURE lists them.  Needs\n"
        "gnuplot, except for --data.\n",
    .shared = ARGS_READ_TAG,
    .options = options,
    .options_size = sizeof(struct plot_options),
    .example = "  spectraj plot digits-run --terminal\n"
               "  spectraj plot digits-run loss -o loss.pdf\n"
               "  spectraj plot digits-run density -o density.pdf --width 8.6cm --no-title\n"
               "  spectraj plot digits-run loss --data > loss.csv\n"
               "  spectraj plot digits-run vector --index 1 --tensor dense0.kernel -t\n"
               "  spectraj plot digits-run loss --with digits-run --terminal\n",
    .run = plot,
};
