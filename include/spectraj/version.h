/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/version.h: what this library is, how it was built, and what it runs on. */
#ifndef SPECTRAJ_VERSION_H
#define SPECTRAJ_VERSION_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

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
