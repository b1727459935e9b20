/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base/progress.h: calling the caller's progress callback. */
#ifndef STJ_BASE_PROGRESS_H
#define STJ_BASE_PROGRESS_H

#include <spectraj/progress.h>
#include <spectraj/status.h>

/* Report; STJ_EINTERRUPTED when the callback asks to stop.  progress may be NULL. */
enum stj_status stj_progress_report(const struct stj_progress *progress, const char *what,
                                    double done, double total, struct stj_error *err);

/* Does the caller of stj_set_interrupt want the work to end? */
bool stj_interrupt_asked(void);

/* Hand a warning to the caller.  progress may be NULL. */
void stj_progress_warn(const struct stj_progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
