/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/build_info.h: what this library was built with, for results. */
#ifndef STJ_BASE_BUILD_INFO_H
#define STJ_BASE_BUILD_INFO_H

#include <stddef.h>

/* text <- compiler and BLAS in one line, cut off at `size`. */
void stj_build_line(size_t size, char *text);

#endif
