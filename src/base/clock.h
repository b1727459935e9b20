/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/clock.h: seconds on a clock that only goes forward. */
#ifndef STJ_BASE_CLOCK_H
#define STJ_BASE_CLOCK_H

double stj_clock(void);

#endif
