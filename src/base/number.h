/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/number.h: numbers from and to text, strictly, and the same in every locale.
 *
 * The whole text must be the number: no blanks around it, no hexadecimal, no "nan" or "inf".
 */
#ifndef STJ_BASE_NUMBER_H
#define STJ_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STJ_REAL_TEXT_MAX = 32 };

/* Decimal digits only, without superfluous leading zeros; false when it is anything else or does
 * not fit 64 bits. */
bool stj_number_unsigned(const char *text, uint64_t *value);

/* A finite decimal number, "-1.5e-3"; false when it is anything else or overflows. */
bool stj_number_real(const char *text, double *value);

/* text <- the shortest of 15 to 17 significant digits that reads back as the same value. */
void stj_number_print_real(double value, char text[STJ_REAL_TEXT_MAX]);

/* text <- bytes as an option takes them, "100M": exactly, and so as the user may have given them. */
void stj_number_print_bytes(size_t bytes, char text[STJ_REAL_TEXT_MAX]);

/* The same, rounded up to what is easily read: of a need. */
void stj_number_print_need(double bytes, char text[STJ_REAL_TEXT_MAX]);

#endif
