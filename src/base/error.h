/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/error.h: the control-flow macros of the project.
 *
 * A function that holds nothing, or memory alone that is declared STJ_FREED (base/memory.h), returns
 * from where it fails: STJ_MUST, STJ_NEED.  One that has more to give back uses STJ_TRY and
 * STJ_CHECK: it declares `enum stj_status st = STJ_OK;`, starts every resource at NULL, ends in one
 * label `out:` that gives back what it holds, and returns st there.  The others stand at the head
 * of a public function, which holds nothing yet.
 */
#ifndef STJ_BASE_ERROR_H
#define STJ_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include <spectraj/status.h>

/* Forward a failure. */
#define STJ_TRY(expr)                                                                              \
    do {                                                                                           \
        st = (expr);                                                                               \
        if (st != STJ_OK)                                                                          \
            goto out;                                                                              \
    } while (0)

/* Fail with `code` and a printf-style sentence unless `cond` holds. */
#define STJ_CHECK(err, cond, code, ...)                                                            \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            st = (code); /* where a compiler and an analyzer see that it is not STJ_OK */          \
            stj_error_set((err), st, __FILE__, __LINE__, __VA_ARGS__);                             \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

/* The same two where there is nothing to free. */
#define STJ_MUST(expr)                                                                             \
    do {                                                                                           \
        const enum stj_status must_ = (expr);                                                      \
        if (must_ != STJ_OK)                                                                       \
            return must_;                                                                          \
    } while (0)
#define STJ_NEED(err, cond, code, ...)                                                             \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            stj_error_set((err), (code), __FILE__, __LINE__, __VA_ARGS__);                         \
            return (code);                                                                         \
        }                                                                                          \
    } while (0)

/* STJ_EINVAL, naming the first of these pointers that is NULL, if any is. */
#define STJ_NOT_NULL(err, ...)                                                                     \
    do {                                                                                           \
        const void *const pointers_[] = {__VA_ARGS__};                                             \
        if (stj_find_null((err), __FILE__, __LINE__, __func__, #__VA_ARGS__, pointers_,            \
                          sizeof pointers_ / sizeof pointers_[0]))                                 \
            return STJ_EINVAL;                                                                     \
    } while (0)

/* The same for settings that begin with their size, which must be one that this library knows.  A
 * struct that grew is completed here. */
#define STJ_GOOD_SETTINGS(err, settings)                                                           \
    do {                                                                                           \
        STJ_NOT_NULL(err, settings);                                                               \
        if ((settings)->size != sizeof *(settings))                                                \
            return stj_error_set((err), STJ_EINVAL, __FILE__, __LINE__,                            \
                                 "%s: settings of %zu bytes, this library knows %zu: start from "  \
                                 "their default or {.size = sizeof settings}",                     \
                                 __func__, (settings)->size, sizeof *(settings));                  \
    } while (0)

/* settings[size] <- the defaults[known] as far as they go, the rest zero, and its size. */
void stj_settings_fill(void *settings, size_t size, const void *defaults, size_t known);

/* Is one of the n pointers NULL?  Records which; `names` are theirs, with commas between them. */
bool stj_find_null(struct stj_error *err, const char *file, int line, const char *function,
                   const char *names, const void *const *pointer, size_t n);

/* A failure that was kept elsewhere, of another thread perhaps; STJ_OK where there is none. */
enum stj_status stj_error_pass(const struct stj_error *kept, struct stj_error *err);

/* Put "where: " in front of the text of a recorded error, so that the sentence names the place as
 * its reader knows it (a file, a config key). */
void stj_error_prefix(struct stj_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
