/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/error.c: the caller-owned error record; the first error wins. */
#include "base/error.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
        vsnprintf(err->text, sizeof err->text, format ? format : stj_status_text(code), args);
        va_end(args);
        stj_text_clean(err->text, false); /* one line, whatever names and files say */
        err->code = code;
        err->file = file;
        err->line = line;
    }
    return code;
}

void stj_free(void *memory)
{
    free(memory);
}

void stj_error_clear(struct stj_error *err)
{
    if (err)
        *err = (struct stj_error)STJ_ERROR_INIT;
}

void stj_settings_fill(void *settings, size_t size, const void *defaults, size_t known)
{
    if (!settings || size < sizeof size)
        return;
    memset(settings, 0, size);
    memcpy(settings, defaults, size < known ? size : known);
    memcpy(settings, &size, sizeof size); /* its first field */
}

bool stj_find_null(struct stj_error *err, const char *file, int line, const char *function,
                   const char *names, const void *const *pointer, size_t n)
{
    size_t length = strcspn(names, ",");
    for (size_t i = 0; i < n; i++) {
        if (!pointer[i]) {
            stj_error_set(err, STJ_EINVAL, file, line, "%s: %.*s is NULL, it must be given",
                          function, (int)length, names);
            return true;
        }
        names += length + strspn(names + length, ", ");
        length = strcspn(names, ",");
    }
    return false;
}

enum stj_status stj_error_pass(const struct stj_error *kept, struct stj_error *err)
{
    return kept->code == STJ_OK
               ? STJ_OK
               : stj_error_set(err, kept->code, kept->file, kept->line, "%s", kept->text);
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
    stj_text_clean(err->text, false);
}
