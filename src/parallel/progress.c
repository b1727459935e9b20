/* SPDX-License-Identifier: GPL-3.0-or-later */
/* parallel/progress.c: calling the caller's progress callback; who stops one rank stops all. */
#include "base/progress.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "parallel/ranks.h"

static bool (*_Atomic interrupt)(void);

void stj_set_interrupt(bool (*asked)(void))
{
    atomic_store(&interrupt, asked);
}

bool stj_interrupt_asked(void)
{
    bool (*asked)(void) = atomic_load(&interrupt);
    return asked && asked();
}

enum stj_status stj_progress_report(const struct stj_progress *progress, const char *what,
                                    double done, double total, struct stj_error *err)
{
    if (progress && progress->fn &&
        stj_ranks_allreduce_or(progress->fn(progress->ctx, what, done, total) != 0))
        return stj_error_set(err, STJ_EINTERRUPTED, __FILE__, __LINE__, "%s was interrupted", what);
    return STJ_OK;
}

void stj_progress_warn(const struct stj_progress *progress, const char *format, ...)
{
    char text[STJ_ERROR_TEXT_MAX];
    va_list args;
    if (!progress || !progress->warn)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    stj_text_clean(text, false);
    progress->warn(progress->ctx, text);
}
