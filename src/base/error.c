/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/error.c: the caller-owned error record; the first error wins. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} status_table[] = {
#define STJ_STATUS_ROW(code, text) {#code, text},
    STJ_STATUS_LIST(STJ_STATUS_ROW)
#undef STJ_STATUS_ROW
};

enum { N_STATUS = sizeof status_table / sizeof status_table[0] };

const char *stj_status_text(enum stj_status code)
{
    return (unsigned)code < N_STATUS ? status_table[code].text : "unknown status";
}

const char *stj_status_name(enum stj_status code)
{
    return (unsigned)code < N_STATUS ? status_table[code].name : "STJ_UNKNOWN";
}

enum stj_status stj_error_set(struct stj_error *err, enum stj_status code, const char *file,
                              int line, const char *format, ...)
{
    if (err && err->code == STJ_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        err->code = code;
        err->file = file;
        err->line = line;
    }
    return code;
}

void stj_error_clear(struct stj_error *err)
{
    if (err)
        *err = (struct stj_error)STJ_ERROR_INIT;
}

void stj_error_prefix(struct stj_error *err, const char *format, ...)
{
    if (!err || err->code == STJ_OK)
        return;
    char where[STJ_ERROR_TEXT_MAX];
    char whole[2 * STJ_ERROR_TEXT_MAX + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(where, sizeof where, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", where, err->text);
    memcpy(err->text, whole, sizeof err->text - 1);
    err->text[sizeof err->text - 1] = '\0';
}
