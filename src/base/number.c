/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/number.c: strict, locale-independent conversions between numbers and text. */
#include "base/number.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool stj_number_unsigned(const char *text, uint64_t *value)
{
    uint64_t sum = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return false;
        uint64_t digit = (uint64_t)(*p - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = 10 * sum + digit;
    }
    *value = sum;
    return true;
}

/* The thread's locale becomes "C"; returns the one to hand back.  A decimal comma in the calling
 * program's locale must not change what a file means. */
static locale_t enter_c_locale(locale_t *c_locale)
{
    *c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return *c_locale ? uselocale(*c_locale) : (locale_t)0;
}

static void leave_c_locale(locale_t c_locale, locale_t old)
{
    if (!c_locale)
        return;
    uselocale(old);
    freelocale(c_locale);
}

/* Up to 15 digits: exact in a double without rounding, and much faster than strtod. */
static bool read_short_integer(const char *text, double *value)
{
    int64_t sum = 0;
    size_t n = 0;
    for (; text[n]; n++) {
        if (n == 15 || text[n] < '0' || text[n] > '9')
            return false;
        sum = 10 * sum + (text[n] - '0');
    }
    *value = (double)sum;
    return n > 0;
}

bool stj_number_real(const char *text, double *value)
{
    if (read_short_integer(text, value))
        return true;
    /* strtod also takes blanks, hexadecimal, nan and inf: none has only these characters. */
    if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
        return false;
    locale_t c_locale;
    locale_t old = enter_c_locale(&c_locale);
    char *end = NULL;
    double x = strtod(text, &end);
    leave_c_locale(c_locale, old);
    if (end == text || *end != '\0' || !isfinite(x))
        return false;
    *value = x;
    return true;
}

void stj_number_print_real(double value, char text[STJ_REAL_TEXT_MAX])
{
    locale_t c_locale;
    locale_t old = enter_c_locale(&c_locale);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, STJ_REAL_TEXT_MAX, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    leave_c_locale(c_locale, old);
}

void stj_number_print_bytes(size_t bytes, char text[STJ_REAL_TEXT_MAX])
{
    static const char power[][2] = {"", "K", "M", "G", "T"};
    size_t i = 0;
    for (; i < 4 && bytes > 0 && bytes % 1024 == 0; i++)
        bytes /= 1024;
    snprintf(text, STJ_REAL_TEXT_MAX, "%zu%s", bytes, power[i]);
}

void stj_number_print_need(double bytes, char text[STJ_REAL_TEXT_MAX])
{
    const double unit = bytes > 1024 * 1024 ? 1024 * 1024 : 1024;
    if (bytes < 1e18)
        stj_number_print_bytes((size_t)(ceil(bytes / unit) * unit), text);
    else
        snprintf(text, STJ_REAL_TEXT_MAX, "%.3g bytes", bytes);
}
