/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/real.h: the scalar of networks and training.
 *
 * src/net and src/train say `real` wherever a network's value is meant, so that a build in single
 * precision stays possible (define STJ_SINGLE); everything above them is double.
 */
#ifndef STJ_BASE_REAL_H
#define STJ_BASE_REAL_H

#ifdef STJ_SINGLE
typedef float real;
#else
typedef double real;
#endif

#endif
