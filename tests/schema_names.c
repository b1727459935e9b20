/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/schema_names.c: the names in the schemas of all analyses.
 *
 *   schema_names --print     lines "ANALYSIS json NAME", labels spelled out, and "ANALYSIS file NAME", with
 *                            @ before attributes; "every" is what all results have
 *   schema_names             each name stands for one thing in the JSON object and in the file of its
 *                            analysis and has a meaning; there is one headline
 */
#include <stdio.h>
#include <string.h>

#include "analysis/analysis.h"

enum { NAME_BYTES = 160 };

/* What is done with each name of a schema. */
typedef int (*visit_fn)(void *ctx, const char *place, const char *name);

/* name <- a field's name in the JSON object, with label j of the dimension that it has instead of "*". */
static void spell_label(const struct stj_field *f, size_t j, char name[NAME_BYTES])
{
    const char *star = strchr(f->name, '*');
    const char *bracket = strchr(f->name, '[');
    const struct stj_field_dim *dim = &f->dim[star && bracket && bracket < star ? 1 : 0];
    if (star)
        snprintf(name, NAME_BYTES, "%.*s%s%s", (int)(star - f->name), f->name, dim->label[j],
                 star + 1);
    else
        snprintf(name, NAME_BYTES, "%s", f->name);
}

static size_t count_labels(const struct stj_field *f)
{
    size_t n = 0;
    for (size_t i = 0; strchr(f->name, '*') && i < STJ_FIELD_DIMS; i++)
        for (n = 0; f->dim[i].label && f->dim[i].label[n];)
            n++;
    return n ? n : 1;
}

static int visit_names(const struct stj_field *schema, visit_fn visit, void *ctx)
{
    int wrong = 0;
    char name[NAME_BYTES], text[STJ_FIELD_NAME_MAX];
    for (const struct stj_field *f = schema; f->name; f++) {
        for (size_t j = 0; stj_field_in(f, STJ_FIELD_IN_JSON) && j < count_labels(f); j++) {
            spell_label(f, j, name);
            wrong += visit(ctx, "json", name);
        }
        snprintf(name, sizeof name, "%s%s", f->dim[0].name ? "" : "@",
                 stj_field_file_name(f, text));
        if (stj_field_in(f, STJ_FIELD_IN_FILE))
            wrong += visit(ctx, "file", name);
    }
    return wrong;
}

static int print_name(void *ctx, const char *place, const char *name)
{
    printf("%s %s %s\n", (const char *)ctx, place, name);
    return 0;
}

/* How often a name is there. */
struct search {
    const char *place, *name;
    int found;
};

static int compare_name(void *ctx, const char *place, const char *name)
{
    struct search *s = ctx;
    s->found += strcmp(place, s->place) == 0 && strcmp(name, s->name) == 0;
    return 0;
}

static int check_name(void *ctx, const char *place, const char *name)
{
    const struct stj_analysis *a = ctx;
    struct search s = {place, name, 0};
    visit_names(a->schema, compare_name, &s);
    visit_names(stj_about_schema, compare_name, &s);
    if (s.found != 1)
        printf("%s: %s name '%s' is there %d times\n", a->info.name, place, name, s.found);
    return s.found != 1;
}

static int check_analysis(const struct stj_analysis *a)
{
    int headlines = 0;
    int wrong = visit_names(a->schema, check_name, (void *)(size_t)a);
    for (const struct stj_field *f = a->schema; f->name; f++) {
        headlines += f->headline == 1;
        if (!f->doc || !f->doc[0])
            wrong += printf("%s: '%s' has no meaning\n", a->info.name, f->name) > 0;
    }
    if (headlines != 1)
        wrong += printf("%s: %d items are the headline\n", a->info.name, headlines) > 0;
    return wrong;
}

int main(int argc, char **argv)
{
    static char every[] = "every";
    const int prints = argc == 2 && strcmp(argv[1], "--print") == 0;
    int wrong = argc > 2 || (argc == 2 && !prints);
    if (prints)
        visit_names(stj_about_schema, print_name, every);
    for (size_t i = 0; stj_analyses.list[i]; i++) {
        const struct stj_analysis *a = (const struct stj_analysis *)stj_analyses.list[i];
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s", a->info.name);
        wrong += prints ? visit_names(a->schema, print_name, name) : check_analysis(a);
    }
    return wrong != 0;
}
