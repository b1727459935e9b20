/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/real.h: the scalar of networks and training.
 *
 * src/net and src/train say `real` wherever a network's value is meant.  The library has src/net and
 * train/network_problem.c twice: in double, and with STJ_SINGLE in float, as what train/single.h makes
 * products with; the names that their headers declare end in _single there (src/local.mk).
 * Everything else is double.
 */
#ifndef STJ_BASE_REAL_H
#define STJ_BASE_REAL_H

#ifdef STJ_SINGLE
typedef float real;
#else
typedef double real;
#endif

#endif
