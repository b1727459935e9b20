/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/jsonkeys.c: check what a JSON file says, for the shell tests.
 *
 *   jsonkeys FILE CONDITION...          each must hold; those that do not are printed, exit 1
 *   jsonkeys --print FILE PATH          the value, numbers with 17 digits
 *   jsonkeys --compare A PATH B PATH TOL
 *       max |a_i - b_i| <= TOL max |a_i| over the length of the shorter array, which is not empty; of
 *       arrays of arrays so too, and of single numbers
 *   jsonkeys                            tests itself
 *
 * PATH is "top.sigma[0]"; a condition is PATH (it exists), PATH=VALUE (number, true, false, null or a
 * string), PATH<NUMBER, PATH>NUMBER, PATH#LENGTH (of an array), PATH:TYPE.  The file must be one JSON
 * object and nothing else.
 */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value at a path of `length` characters, or NULL. */
static const json_t *lookup(const json_t *value, const char *path, size_t length)
{
    const char *end = path + length;
    while (value && path < end) {
        char key[64];
        size_t n = strcspn(path, ".[<>=#:");
        if (path + n > end)
            n = (size_t)(end - path);
        if (*path == '[') {
            value = json_array_get(value, strtoul(path + 1, NULL, 10));
            n = strcspn(path, "]") + 1;
        } else {
            snprintf(key, sizeof key, "%.*s", (int)n, path);
            value = json_object_get(value, key);
        }
        path += n;
        path += path < end && *path == '.';
    }
    return value;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "object";
    case JSON_ARRAY:
        return "array";
    case JSON_STRING:
        return "string";
    case JSON_INTEGER:
        return "integer";
    case JSON_REAL:
        return "real";
    case JSON_NULL:
        return "null";
    default:
        return "boolean";
    }
}

static int equals(const json_t *value, const char *text)
{
    if (json_is_string(value))
        return strcmp(json_string_value(value), text) == 0;
    if (json_is_number(value)) {
        char *end = NULL;
        double wanted = strtod(text, &end);
        return end != text && *end == '\0' && json_number_value(value) == wanted;
    }
    return strcmp(text, json_is_true(value)    ? "true"
                        : json_is_false(value) ? "false"
                        : json_is_null(value)  ? "null"
                                               : "?") == 0;
}

static int holds(const json_t *root, const char *condition)
{
    size_t n = strcspn(condition, "<>=#:");
    const char *operand = condition + n + 1;
    const json_t *value = lookup(root, condition, n);
    if (!value)
        return 0;
    switch (condition[n]) {
    case '\0':
        return 1;
    case '=':
        return equals(value, operand);
    case '<':
        return json_is_number(value) && json_number_value(value) < strtod(operand, NULL);
    case '>':
        return json_is_number(value) && json_number_value(value) > strtod(operand, NULL);
    case '#':
        return json_is_array(value) && json_array_size(value) == strtoul(operand, NULL, 10);
    default:
        return strcmp(operand, type_name(value)) == 0 ||
               (strcmp(operand, "number") == 0 && json_is_number(value));
    }
}

static int fails(const json_t *root, const char *name, const char *condition)
{
    if (holds(root, condition))
        return 0;
    size_t n = strcspn(condition, "<>=#:");
    const json_t *value = lookup(root, condition, n);
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;
    printf("%s: '%s' does not hold: the value is %.200s\n", name, condition,
           text ? text : "missing");
    free(text);
    return 1;
}

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root || !json_is_object(root)) {
        printf("%s: not one JSON object: %s\n", path, root ? "another type" : error.text);
        exit(1);
    }
    return root;
}

static int print(const char *path, const char *where)
{
    json_t *root = load(path);
    const json_t *value = lookup(root, where, strlen(where));
    if (value && json_is_string(value))
        printf("%s\n", json_string_value(value));
    else if (value)
        json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    json_decref(root);
    return value ? 0 : 1;
}

/* Numbers, or arrays of what can be compared, down to their depth: false for others. */
static bool measure(const json_t *a, const json_t *b, double *difference, double *largest)
{
    const size_t n =
        json_array_size(a) < json_array_size(b) ? json_array_size(a) : json_array_size(b);
    if (json_is_number(a) && json_is_number(b)) {
        *difference = fmax(*difference, fabs(json_number_value(a) - json_number_value(b)));
        *largest = fmax(*largest, fabs(json_number_value(a)));
        return true;
    }
    for (size_t i = 0; i < n; i++)
        if (!measure(json_array_get(a, i), json_array_get(b, i), difference, largest))
            return false;
    return json_is_array(a) && json_is_array(b);
}

/* max |a_i - b_i| / max |a_i|, or infinity for what cannot be compared. */
static double distance(const json_t *a, const json_t *b)
{
    double difference = 0, largest = 0;
    return measure(a, b, &difference, &largest) && largest > 0 ? difference / largest : HUGE_VAL;
}

static int compare(char **argv)
{
    json_t *a = load(argv[0]), *b = load(argv[2]);
    double d = distance(lookup(a, argv[1], strlen(argv[1])), lookup(b, argv[3], strlen(argv[3])));
    double tolerance = strtod(argv[4], NULL);
    if (!(d <= tolerance))
        printf("%s of %s and %s of %s differ by %.3g of the largest, more than %.3g\n", argv[1],
               argv[0], argv[3], argv[2], d, tolerance);
    json_decref(a);
    json_decref(b);
    return d <= tolerance ? 0 : 1;
}

/* A checker that says yes to everything would make every test pass. */
static int self_test(void)
{
    static const char text[] =
        "{\"a\": {\"b\": [1, 2.5, null]}, \"s\": \"x\", \"t\": true, \"k\": 7}";
    static const char *const yes[] = {
        "a",   "a.b[1]", "a.b#3",       "a.b[1]=2.5", "a.b[1]<2.6", "k>6.9",    "k=7",
        "s=x", "t=true", "a.b[2]=null", "a.b:array",  "k:integer",  "k:number", "s:string"};
    static const char *const no[] = {
        "b",   "a.c",     "a.b[3]", "a.b#2", "a.b[1]=2.4", "a.b[1]<2.5",    "k>7",         "k=7x",
        "s=y", "t=false", "k=null", "s<1",   "k:real",     "a.b[2]:number", "missing=null"};
    json_t *root = json_loads(text, 0, NULL);
    int wrong = !root;
    for (size_t i = 0; root && i < sizeof yes / sizeof yes[0]; i++)
        wrong += fails(root, "self test", yes[i]);
    for (size_t i = 0; root && i < sizeof no / sizeof no[0]; i++) {
        if (holds(root, no[i])) {
            printf("self test: '%s' holds and should not\n", no[i]);
            wrong++;
        }
    }
    json_t *near = json_pack("[f,f]", 2.0, 1.0), *far = json_pack("[f,f]", 2.0, 1.5);
    wrong += distance(near, near) != 0 || distance(near, far) != 0.25;
    wrong += !isinf(distance(near, NULL));
    json_decref(near);
    json_decref(far);
    json_decref(root);
    return wrong ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 1)
        return self_test();
    if (argc == 4 && strcmp(argv[1], "--print") == 0)
        return print(argv[2], argv[3]);
    if (argc == 7 && strcmp(argv[1], "--compare") == 0)
        return compare(argv + 2);
    json_t *root = load(argv[1]);
    int wrong = 0;
    for (int i = 2; i < argc; i++)
        wrong += fails(root, argv[1], argv[i]);
    json_decref(root);
    return wrong ? 1 : 0;
}
