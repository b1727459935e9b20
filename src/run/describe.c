/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/describe.c: the tables of the config as a reference: its groups, then their plug-ins. */
#include <spectraj/config.h>

#include <stdio.h>

#include "options/option_value.h"
#include "run/config.h"

enum { MOST_KINDS = 16, MOST_GROUPS = 32, TEXT_BYTES = 256, TITLE_BYTES = 128 };

struct description {
    const struct stj_config_visitor *visitor;
    const struct stj_kind *kind[MOST_KINDS]; /* mentioned so far, in order */
    size_t n_kinds;
    struct {
        const struct stj_option *table;
        char path[TITLE_BYTES];
    } group[MOST_GROUPS];
    size_t n_groups;
};

static void mention(struct description *d, const struct stj_kind *kind)
{
    for (size_t i = 0; i < d->n_kinds; i++)
        if (d->kind[i] == kind)
            return;
    if (d->n_kinds < MOST_KINDS)
        d->kind[d->n_kinds++] = kind;
}

static void describe_rows(struct description *d, const struct stj_option *table)
{
    for (const struct stj_option *row = table; row && row->name; row++) {
        d->visitor->key(d->visitor->ctx, row);
        if (row->kind)
            mention(d, row->kind);
    }
}

/* Where the keys of a group were described already; NULL: nowhere. */
static const char *known_group(const struct description *d, const struct stj_option *table)
{
    for (size_t i = 0; i < d->n_groups; i++)
        if (d->group[i].table == table)
            return d->group[i].path;
    return NULL;
}

static void describe_group(struct description *d, const char *path, const char *doc,
                           const struct stj_option *table)
{
    const char *before = known_group(d, table);
    if (before) {
        char same[TEXT_BYTES];
        snprintf(same, sizeof same, "%s; the keys of %s", doc, before);
        d->visitor->section(d->visitor->ctx, path, same);
        return;
    }
    if (d->n_groups < MOST_GROUPS) {
        d->group[d->n_groups].table = table;
        snprintf(d->group[d->n_groups++].path, TITLE_BYTES, "%s", path);
    }
    d->visitor->section(d->visitor->ctx, path, doc);
    describe_rows(d, table);
    for (const struct stj_option *row = table; row->name; row++)
        if (row->type == STJ_OPTION_GROUP) {
            char inner[TITLE_BYTES];
            snprintf(inner, sizeof inner, "%s%s%s", path, path[0] ? "." : "", row->name);
            describe_group(d, inner, row->doc, row->group);
        }
}

/* Were its plug-ins described already, as of another kind? */
static bool known_list(const struct description *d, const struct stj_kind *kind)
{
    size_t i = 0;
    while (d->kind[i] != kind && d->kind[i]->list != kind->list)
        i++;
    return d->kind[i] != kind;
}

static void describe_kind(struct description *d, const struct stj_kind *kind)
{
    if (kind->common) {
        char title[TITLE_BYTES];
        snprintf(title, sizeof title, "every %s", kind->what);
        char doc[TEXT_BYTES];
        snprintf(doc, sizeof doc, "keys of all, beside `%s` and `name`%s", stj_kind_key(kind),
                 known_list(d, kind) ? ", which it need not have, and its own" : "");
        d->visitor->section(d->visitor->ctx, title, doc);
        describe_rows(d, kind->common);
    }
    for (size_t i = 0; !known_list(d, kind) && kind->list[i]; i++) {
        char title[TITLE_BYTES];
        snprintf(title, sizeof title, "%s: %s", kind->what, kind->list[i]->name);
        d->visitor->section(d->visitor->ctx, title, kind->list[i]->doc);
        describe_rows(d, kind->list[i]->options);
    }
}

void stj_config_describe(const struct stj_config_visitor *visitor)
{
    if (!visitor || !visitor->section || !visitor->key)
        return;
    struct description d = {.visitor = visitor};
    for (const struct stj_option *row = stj_run_options; row->name; row++) {
        if (row->type == STJ_OPTION_GROUP)
            describe_group(&d, row->name, row->doc, row->group);
        else
            visitor->section(visitor->ctx, row->name, row->doc);
        if (row->kind)
            mention(&d, row->kind);
    }
    for (size_t i = 0; i < d.n_kinds; i++)
        describe_kind(&d, d.kind[i]);
}
