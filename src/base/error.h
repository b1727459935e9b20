/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/error.h: the two control-flow macros of the project.
 *
 * A function that uses them declares `enum stj_status st = STJ_OK;`, starts every resource at
 * NULL, ends in one label `out:` that frees what it holds, and returns st there.
 */
#ifndef STJ_BASE_ERROR_H
#define STJ_BASE_ERROR_H

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

/* Put "where: " in front of the text of a recorded error, so that the sentence names the place as
 * its reader knows it (a file, a config key). */
void stj_error_prefix(struct stj_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
