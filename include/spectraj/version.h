/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/version.h: what this library is, how it was built, and what it runs on.
 *
 * Threads: to be called from any, and from several at once.
 */
#ifndef SPECTRAJ_VERSION_H
#define SPECTRAJ_VERSION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers: its first number. */
#define SPECTRAJ_VERSION_MAJOR 0

/* Its second number. */
#define SPECTRAJ_VERSION_MINOR 1

/* Its third number. */
#define SPECTRAJ_VERSION_PATCH 0

/* The version of these headers as one number: #if SPECTRAJ_VERSION >= SPECTRAJ_VERSION_AT(0, 2,
 * 0). */
#define SPECTRAJ_VERSION                                                                           \
    SPECTRAJ_VERSION_AT(SPECTRAJ_VERSION_MAJOR, SPECTRAJ_VERSION_MINOR, SPECTRAJ_VERSION_PATCH)

/* A version as a number to compare with. */
#define SPECTRAJ_VERSION_AT(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))

/* The version of the library, such as "0.1.0"; static, never NULL. */
const char *stj_version(void);

/* The day of its release, such as "2026-11-22"; static, never NULL. */
const char *stj_release_date(void);

/* What configure found: compiler, libraries with their versions, where BLAS and LAPACK were
 * resolved, integer widths, OpenMP.  Lines "  name   value\n"; static, never NULL. */
const char *stj_build_summary(void);

/* What this process runs on, in the same form of lines: the BLAS that answers now, its kernel for
 * this processor, its file.  Written like snprintf: at most `size` bytes with the final zero, and
 * the length of the whole text is returned, so (NULL, 0) asks for the length. */
size_t stj_runtime_summary(char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
