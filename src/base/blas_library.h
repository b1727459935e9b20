/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/blas_library.h: what each BLAS library says of itself, and its threads. */
#ifndef STJ_BASE_BLAS_LIBRARY_H
#define STJ_BASE_BLAS_LIBRARY_H

/* Its version and build; the code for this processor, "unknown" where it does not say. */
const char *stj_blas_config(void);
const char *stj_blas_kernel(void);

/* The threads of a call; a library that has no such setting has one, or keeps its own. */
int stj_blas_threads(void);
void stj_blas_set_threads(int n);

#endif
