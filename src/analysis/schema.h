/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/schema.h: what a result consists of, said once.
 *
 * A result is a plain struct, and a table says of each of its numbers, texts and arrays where it
 * lies, what it is called and what it means, as an option table does of a config.  From the table
 * come the HDF5 file, the JSON object, the exported arrays, the tables in the terminal and on the
 * page, and the names by which programs read a result.
 *
 * A name is the way to the item in the JSON object: "top.outside.sigma" is the key `sigma` of the
 * object `outside` of the object `top`.  Of an item with dimensions, "[]" stands for an array of
 * objects and "*" for an object with a key for each label of that dimension; dimensions that the
 * name does not spell make arrays:
 *
 *     "top.sigma"                     {"top": {"sigma": [20.4, 19.6, ...]}}
 *     "regions.*.low"                 {"regions": {"chaotic": {"low": 713.1}, "bulk": ...}}
 *     "curve[].epsilon"               {"curve": [{"epsilon": 0.001}, ...]}
 */
#ifndef STJ_ANALYSIS_SCHEMA_H
#define STJ_ANALYSIS_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spectraj/status.h>

enum stj_field_kind {
    STJ_FIELD_REAL,   /* double; not finite: not measured */
    STJ_FIELD_COUNT,  /* size_t */
    STJ_FIELD_WHOLE,  /* double: a count of products, whole unless windows were applied */
    STJ_FIELD_SEED,   /* uint64_t */
    STJ_FIELD_FLAG,   /* bool */
    STJ_FIELD_CHOICE, /* int: index into `choices` */
    STJ_FIELD_TEXT,   /* char *, owned; NULL: none */
    STJ_FIELD_NAME,   /* const char *, of `names`; NULL: none */
};

/* Where an item is shown. */
enum stj_field_place {
    STJ_FIELD_IN_FILE = 1,
    STJ_FIELD_IN_JSON = 2,
    STJ_FIELD_EVERYWHERE = 3, /* what 0 stands for, too */
    STJ_FIELD_READ_ALONE = 4, /* a length that another table writes */
};

/* What JSON has for a field that is not there. */
enum stj_field_absent {
    STJ_ABSENT_NULL,   /* null */
    STJ_ABSENT_OBJECT, /* null for the object that it is in */
    STJ_ABSENT_KEY,    /* nothing: the key is left out */
};

enum { STJ_FIELD_DIMS = 2, STJ_FIELD_NAME_MAX = 96 };

/* A dimension of an array. */
struct stj_field_dim {
    const char *name; /* "pair"; NULL: there is no such dimension */
    size_t count;     /* offsetof its length, a size_t; not looked at where there are labels */
    const char *const *label; /* NULL-terminated; NULL: the entries are numbered */
    bool from_zero;           /* and from 0: rows of a data set */
    size_t stride;            /* bytes from entry to entry; 0: they follow each other */
    const char *other; /* its name in a file whose dimension of that name has another length */
};

/* A table ends with a row whose name is NULL. */
struct stj_field {
    const char *name;
    const char
        *file; /* its name in the file; NULL: `name` with '_' for '.', without "[]" and "*" */
    enum stj_field_kind kind;
    enum stj_field_place place;
    size_t offset; /* of the value; of an array of numbered entries, of the pointer to it */
    size_t member; /* of the value in an entry of the array */
    struct stj_field_dim dim[STJ_FIELD_DIMS];
    size_t present; /* offsetof a bool: it was measured; 0: always */
    enum stj_field_absent absent;
    bool zero_is_none;          /* a value of 0 says that there is none */
    bool later;                 /* came after the first files of its version, which lack it */
    const char *older;          /* a single value's name in files that lack it; NULL: none */
    size_t fold;                /* offsetof a count: above 1, JSON has the second dimension of an
                                 * array in pieces of so many */
    bool list;                  /* a TEXT of words: in JSON a list of them */
    bool lazy;                  /* an array that is read only when somebody asks for it */
    int headline;               /* 1: the one number (of an array of reals the first) that lists
                                 * show; 2: that in its place where the file has none */
    const char *low, *high;     /* of a headline: the fields that bound it; NULL: none */
    const char *const *choices; /* CHOICE: NULL-terminated */
    bool (*names)(size_t i, const char **name, const char **doc); /* NAME: those that there are */
    const char *unit;                                             /* NULL: none */
    const char *doc;
};

/* A row of a struct's table: name, kind without STJ_FIELD_, member and doc, and then what else is
 * to be said:
 *
 *     STJ_FIELD_ROW(struct growth, "rate", REAL, rate, "of the largest", .headline = 1),
 */
#define STJ_FIELD_ROW(struct_, name_, kind_, member_, doc_, ...)                                   \
    {                                                                                              \
        .name = (name_), .kind = STJ_FIELD_##kind_, .offset = offsetof(struct_, member_),          \
        .doc = (doc_), __VA_ARGS__                                                                 \
    }

/* A dimension whose length is a member of that struct; a stride may follow. */
#define STJ_FIELD_DIM(struct_, name_, count_, ...)                                                 \
    {                                                                                              \
        .name = (name_), .count = offsetof(struct_, count_), __VA_ARGS__                           \
    }

/* A row and the struct that it is about. */
struct stj_field_view {
    const struct stj_field *item;
    size_t n_dims;
    size_t n[STJ_FIELD_DIMS]; /* lengths; 1 beyond n_dims */
};

/* view <- the sizes of an item in `data`. */
struct stj_field_view stj_field_view(const struct stj_field *item, const void *data);

/* Entry (i, j) of an item, as its kind says; NULL where the array is not there. */
const void *stj_field_at(const struct stj_field *item, const void *data, size_t i, size_t j);

/* The same as a number: NaN for texts and for what is not there. */
double stj_field_number(const struct stj_field *item, const void *data, size_t i, size_t j);

/* The text of a TEXT, NAME or CHOICE; NULL: none. */
const char *stj_field_text(const struct stj_field *item, const void *data);

/* Is it there at all?  An item that was not measured, or whose absence is meant by 0, is not. */
bool stj_field_is_there(const struct stj_field *item, const void *data);

bool stj_field_in(const struct stj_field *item, enum stj_field_place place);

/* Is it one of the columns of a table along a dimension, and the first of them in the schema? */
bool stj_field_is_column(const struct stj_field *field, const char *dim);
bool stj_field_is_first_column(const struct stj_field *schema, const struct stj_field *field);

/* What heads its column: the last word of its name. */
const char *stj_field_short_name(const struct stj_field *field);

/* The row of a name; NULL: there is none. */
const struct stj_field *stj_schema_find(const struct stj_field *schema, const char *name);

/* text <- the item's name in a file. */
const char *stj_field_file_name(const struct stj_field *item, char text[STJ_FIELD_NAME_MAX]);

/* Free the arrays and texts of a struct, leaving NULL. */
void stj_schema_free(const struct stj_field *schema, void *data);

#endif
