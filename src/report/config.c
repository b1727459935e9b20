/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/config.c: the config of a run, with all defaults filled in, as a JSON object. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "io/file.h"
#include "options/yaml.h"
#include "report/json.h"

/* A word that is a number or a bool is one, unless it is in quotes. */
static json_t *json_of_scalar(const struct stj_yaml_node *node)
{
    char *end = NULL;
    const char *text = node->text;
    if (node->quoted || !*text)
        return stj_json_of_text(text);
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(*text == 't');
    errno = 0;
    const long long whole = strtoll(text, &end, 10);
    if (!*end && errno == 0)
        return json_integer(whole);
    const double x = strtod(text, &end);
    return !*end && isfinite(x) ? json_real(x) : stj_json_of_text(text);
}

static json_t *json_of_node(const struct stj_yaml_node *node)
{
    if (node->type == STJ_YAML_SCALAR)
        return json_of_scalar(node);
    const bool is_map = node->type == STJ_YAML_MAPPING;
    json_t *all = is_map ? json_object() : json_array();
    for (size_t i = 0; all && i < node->n; i++) {
        json_t *item = json_of_node(&node->item[i]);
        const int failed = is_map ? json_object_set_new(all, node->key[i].text, item)
                                  : json_array_append_new(all, item);
        if (failed) {
            json_decref(all);
            all = NULL;
        }
    }
    return all;
}

enum stj_status stj_run_config_json(const struct stj_run *run, char **text, struct stj_error *err)
{
    STJ_HELD(stj_yaml_destroy_at) struct stj_yaml_node *root = NULL;
    STJ_FREED char *path = NULL;
    struct stj_run_info info;
    STJ_NOT_NULL(err, run, text);
    *text = NULL;
    stj_run_get_info(run, &info);
    STJ_NEED(err, info.dir, STJ_EINVAL, "the run was only described from its config: train it");
    STJ_MUST(stj_path_join(info.dir, "config.yaml", &path, err));
    STJ_MUST(stj_yaml_read(path, &root, err));
    json_t *object = json_of_node(root);
    *text = object ? json_dumps(object, JSON_REAL_PRECISION(17)) : NULL;
    json_decref(object);
    STJ_NEED(err, *text, STJ_ENOMEM, "out of memory for the JSON of a config");
    return STJ_OK;
}
