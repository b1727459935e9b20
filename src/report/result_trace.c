/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/result_trace.c: traces of the Jacobian, computed or read from trace-FUNCTION.h5. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "report/command.h"
#include "report/plan.h"
#include "report/result.h"
#include "run/run_internal.h"

static const struct stj_h5_format trace_format = {
    .name = "spectraj-trace", .version = 1, .remedy = "compute it again with --force"};

enum { REQUEST_BYTES = 256, NAME_BYTES = 32 };

static void describe(const struct stj_trace_settings *s, const struct stj_result_window *window,
                     char request[REQUEST_BYTES])
{
    char text[STJ_WINDOW_TEXT_MAX];
    snprintf(request, REQUEST_BYTES,
             "trace %s function %s method %s products %zu seed %ju confidence %.17g",
             stj_result_window_text(window, text), stj_trace_function_text(s->function),
             s->method ? s->method : "automatic", s->products, (uintmax_t)s->seed, s->confidence);
}

static enum stj_status put_command(struct stj_h5 *file, const struct stj_trace_settings *s,
                                   const struct stj_analysis_settings *settings,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_command c;
    STJ_TRY(stj_command_begin(&c, "trace RUN", err));
    stj_command_text(&c, "function", stj_trace_function_text(s->function));
    stj_command_text(&c, "method", s->method);
    stj_command_size(&c, "products", s->products);
    stj_command_real(&c, "confidence", s->confidence);
    stj_command_size(&c, "seed", (size_t)s->seed);
    STJ_TRY(stj_command_put(&c, true, settings, file, err));
out:
    return st;
}

static enum stj_status put(struct stj_h5 *file, const struct stj_trace_result *r,
                           const struct stj_result_window *window, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    STJ_TRY(stj_result_put_window(file, window, err));
    STJ_TRY(stj_h5_put_text(file, "@function", stj_trace_function_text(r->function), err));
    STJ_TRY(stj_h5_put_text(file, "@method", r->method, err));
    STJ_TRY(stj_h5_put_real(file, "@value", r->value, err));
    STJ_TRY(stj_h5_put_real(file, "@error", r->error, err));
    STJ_TRY(stj_h5_put_real(file, "@low", r->low, err));
    STJ_TRY(stj_h5_put_real(file, "@high", r->high, err));
    STJ_TRY(stj_h5_put_real(file, "@confidence", r->confidence, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@products", r->products, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@samples", r->samples, err));
    STJ_TRY(stj_h5_put_real(file, "@jvp", r->counts.jvp, err));
    STJ_TRY(stj_h5_put_real(file, "@vjp", r->counts.vjp, err));
    STJ_TRY(stj_h5_put_real(file, "@replayed", r->counts.replayed, err));
    STJ_TRY(stj_h5_put_real(file, "@seconds", r->seconds, err));
    STJ_TRY(stj_h5_put_unsigned(file, "@seed", r->seed, err));
out:
    return st;
}

/* The method's own name, which outlives the result. */
static enum stj_status get_method(struct stj_h5 *file, const char **method, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    const char *name = NULL;
    const char *doc = NULL;
    char *text = NULL;
    STJ_TRY(stj_h5_get_text(file, "@method", &text, err));
    *method = strcmp(text, "exact") == 0 ? "exact" : NULL;
    for (size_t i = 0; !*method && stj_trace_get_method(i, &name, &doc); i++)
        if (strcmp(name, text) == 0)
            *method = name;
    if (!*method)
        st = stj_h5_refuse(file, err, "its method \"%.40s\" is unknown", text);
out:
    free(text);
    return st;
}

/* Everything but the counts, which say what this request cost: nothing. */
static enum stj_status load(struct stj_h5 *file, struct stj_trace_result *r, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    char *function = NULL;
    STJ_TRY(stj_h5_get_size(file, "@n_params", &r->n_params, err));
    STJ_TRY(stj_h5_get_text(file, "@function", &function, err));
    if (!stj_trace_function_parse(function, &r->function))
        STJ_TRY(stj_h5_refuse(file, err, "its function \"%.40s\" is unknown", function));
    STJ_TRY(get_method(file, &r->method, err));
    STJ_TRY(stj_h5_get_real(file, "@value", &r->value, err));
    STJ_TRY(stj_h5_get_real(file, "@error", &r->error, err));
    STJ_TRY(stj_h5_get_real(file, "@low", &r->low, err));
    STJ_TRY(stj_h5_get_real(file, "@high", &r->high, err));
    STJ_TRY(stj_h5_get_real(file, "@confidence", &r->confidence, err));
    STJ_TRY(stj_h5_get_size(file, "@products", &r->products, err));
    STJ_TRY(stj_h5_get_size(file, "@samples", &r->samples, err));
    STJ_TRY(stj_h5_get_real(file, "@seconds", &r->seconds, err));
    STJ_TRY(stj_h5_get_unsigned(file, "@seed", &r->seed, err));
out:
    free(function);
    return st;
}

static enum stj_status compute(struct stj_run *run, const struct stj_trace_settings *trace,
                               const struct stj_result_window *window, const char *path,
                               const struct stj_analysis_settings *settings,
                               struct stj_trace_result *result, struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_result_op op = {0};
    const struct stj_plan_request request = {.from = window->from,
                                             .to = window->to,
                                             .memory_bytes = settings->memory_bytes,
                                             .n = window->n};
    struct stj_cost cost;
    stj_run_divide(run, trace->products, &trace->progress);
    stj_plan_trace(run, &request, trace, &cost);
    const size_t engine = stj_plan_trace_bytes(run, &request, trace);
    STJ_TRY(stj_result_op_open(run, window, path, settings->force, engine, &op, err));
    STJ_TRY(stj_trace_solve(op.op, trace, result, err));
    stj_cost_finish(&cost);
    result->cost = cost;
    stj_result_op_storage(&op, settings->memory_bytes, &result->storage);
    result->self_check = stj_op_self_check(op.op);
    stj_result_warn_of_check(&result->self_check, &trace->progress);
out:
    stj_result_op_close(&op);
    return st;
}

enum stj_status stj_analysis_trace(struct stj_run *run, const struct stj_trace_settings *trace,
                                   const struct stj_analysis_settings *settings,
                                   struct stj_trace_result *result, bool *stored,
                                   struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    struct stj_result_window window = {0};
    struct stj_h5 *file = NULL;
    char request[REQUEST_BYTES];
    char name[NAME_BYTES];
    struct stj_lock *lock = NULL;
    char *path = NULL;
    *stored = false;
    *result = (struct stj_trace_result){0};
    STJ_TRY(stj_result_window(run, settings, &info, &window, err));
    snprintf(name, sizeof name, "trace-%s", stj_trace_function_text(trace->function));
    STJ_TRY(stj_result_window_path(&info, name, settings->tag, &window, &path, err));
    describe(trace, &window, request);
    STJ_TRY(stj_result_begin(run, path, &trace_format, &info, request, settings->force,
                             &trace->progress, &lock, &file, err));
    if (!lock) {
        STJ_TRY(load(file, result, err));
        *stored = true;
        goto out;
    }
    STJ_TRY(compute(run, trace, &window, path, settings, result, err));
    STJ_TRY(put(file, result, &window, err));
    STJ_TRY(put_command(file, trace, settings, err));
    st = stj_h5_commit(file, err);
    file = NULL;
    STJ_TRY(st);
    stj_result_op_forget(path);
out:
    result->part = stj_result_part(&window);
    stj_h5_close(file);
    stj_result_window_free(&window);
    stj_lock_release(lock);
    free(path);
    return st;
}
