/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/plan.c: what the analyses of a run will cost.
 *
 *     memory    the process with the run open  +  states  +  linearisations  +  a sweep's work space
 *               +  the solver's arrays, in the phase in which they and the work space are largest
 *     time      states and linearisations once  +  sweeps  +  the solver's own arithmetic
 *     sweep     n_steps (tangents of a block  +  linearisations that are not kept)
 *               +  reading or replaying states that are not in memory
 *
 * Sizes are those that the engine (stj_run_storage) and the solvers (spectrum/cost_model.h) compute
 * for themselves; speeds are measured (run/timing.h).
 */
#include "analysis/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/given.h"
#include "analysis/request.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "parallel/ranks.h"
#include "parallel/parallel.h"
#include "op/memory_split.h"
#include "op/operator.h"
#include "analysis/plan_ranks.h"
#include "run/memory_budget.h"
#include "run/timing.h"
#include "run/run_internal.h"
#include "train/train.h"
#include "trajectory/record.h"

static const double day = 86400;

/* ---- sizes ---- */

/* The vectors with which products are checked as they are made (stj_op_watch). */
enum { WATCH = 3 };

static void add_watch(size_t n, struct stj_prediction *p)
{
    for (size_t i = 0; i < STJ_PREDICTED_PHASES && p->phase[i].block > 0; i++)
        p->phase[i].bytes += (double)(WATCH * n) * sizeof(double);
}

size_t stj_plan_beside_checks(size_t memory_bytes, size_t n)
{
    const size_t watch = WATCH * n * sizeof(double);
    return memory_bytes > watch ? memory_bytes - watch : memory_bytes;
}

/* Rows and columns of J or, of an analysis with a given `of`, of D. */
static void set_shape(const struct stj_run *run, const char *of, struct stj_plan_request *r)
{
    struct stj_run_info info;
    size_t more = 0;
    stj_run_get_info(run, &info);
    r->part.to = r->part.to ? r->part.to : info.n_steps;
    r->n = r->rows = r->n ? r->n : info.n_params;
    if (of)
        (void)stj_given_predict(run, &r->part, of, r->memory_bytes, 1, &r->n, &more);
}

/* What the engine takes for D beyond J, in each phase. */
static void add_given(const struct stj_run *run, const char *of, const struct stj_plan_request *r,
                      struct stj_prediction *p)
{
    size_t n = 0, more = 0;
    for (size_t i = 0; of && i < STJ_PREDICTED_PHASES && p->phase[i].block > 0; i++)
        if (stj_given_predict(run, &r->part, of, r->memory_bytes, p->phase[i].block, &n, &more))
            p->phase[i].bytes += (double)more;
}

void stj_plan_predict(const struct stj_run *run, const struct stj_plan_request *request,
                      const struct stj_analysis *analysis, const void *config,
                      struct stj_prediction *p, size_t *engine)
{
    struct stj_plan_request r = *request;
    const char *of = stj_given_of(analysis, config);
    set_shape(run, of, &r);
    const size_t longest = r.n > r.rows ? r.n : r.rows;
    *p = (struct stj_prediction){.ranks = request->ranks.n,
                                 .shortest = 1 / (double)(r.part.to - r.part.from),
                                 .lone = stj_problem_lone(run->problem)};
    *engine = STJ_ENGINE_NOT_DIVIDED;
    r.memory_bytes = stj_plan_beside_checks(r.memory_bytes, longest);
    analysis->predict(run, &r, config, p, engine);
    r.memory_bytes = request->memory_bytes;
    add_watch(longest, p);
    add_given(run, of, &r, p);
    size_t left = 0;
    if (*engine == STJ_ENGINE_NOT_DIVIDED)
        *engine = stj_run_engine_bytes(run, &r.part, r.memory_bytes, p);
    else if (r.memory_bytes > 0 && stj_run_fit(run, &r.part, r.memory_bytes, p, &left) &&
             left < *engine)
        *engine = left;
}

enum stj_status stj_plan_check(const struct stj_run *run, const struct stj_plan_request *request,
                               const struct stj_analysis *analysis, const struct stj_prediction *p,
                               struct stj_error *err)
{
    enum stj_status st = STJ_OK;
    st = stj_run_check_limit(run, &request->part, request->memory_bytes, p, err);
    if (st != STJ_OK)
        stj_error_prefix(err, "%s%s%s", analysis->info.name, p->refused ? ": " : "",
                         p->refused ? p->method : "");
    STJ_TRY(st);
    STJ_CHECK(err, !p->refused, STJ_ENOMEM, "%s", p->method);
out:
    return st;
}

/* ---- time ---- */

/* The run as one window is worked on. */
struct pace {
    enum stj_precision precision;
    const struct stj_timing *meter;
    struct stj_storage storage;
    double steps, share; /* of the window; of them, those whose linearisations are not kept */
    double state_bytes;  /* of one state */
    struct stj_plan_division division;
};

static enum stj_status set_pace(struct stj_run *run, const struct stj_plan_request *request,
                                size_t engine, struct pace *pace, struct stj_error *err)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    pace->precision = request->part.precision;
    STJ_MUST(stj_run_time(run, pace->precision, &pace->meter, err));
    STJ_MUST(stj_run_part_storage(run, &request->part, engine, 1, &pace->storage, err));
    pace->steps =
        (double)((request->part.to ? request->part.to : info.n_steps) - request->part.from);
    pace->share = 1 - (double)pace->storage.kept_steps / pace->steps;
    pace->state_bytes = (double)(info.n_params * (1 + info.n_slots)) * sizeof(double);
    pace->division = stj_plan_divide(run, &request->ranks, 1);
    return STJ_OK;
}

/* Seconds for having every state at hand once, in one direction. */
static double pass_states(const struct pace *p, bool backward)
{
    const struct stj_storage *s = &p->storage;
    const size_t readers = stj_threads() * stj_group_sharers();
    const double reading = p->steps * p->state_bytes / (stj_timing_crc_rate() * (double)readers);
    switch (s->policy) {
    case STJ_STORAGE_DISK:
        return reading;
    case STJ_STORAGE_MEMORY_REPLAY:
    case STJ_STORAGE_DISK_REPLAY:
    case STJ_STORAGE_REVOLVE:
        return p->steps * p->meter->train * (backward ? s->extra_passes : 1);
    default:
        return 0;
    }
}

/* Before the first product is through: states that are kept are read or replayed, and
 * linearised. */
static double first_pass(const struct pace *p)
{
    const struct stj_storage *s = &p->storage;
    const double reading =
        p->steps * p->state_bytes / (stj_timing_crc_rate() * (double)stj_threads());
    const double replay = s->stored < s->states ? p->steps * p->meter->train : 0;
    return p->steps * (1 - p->share) * p->meter->linearize / p->division.speed +
           (s->policy == STJ_STORAGE_MEMORY ? reading + replay : 0);
}

/* States are not needed where linearisations are kept and the optimizer is linear in them; they are
 * passed all the same. */
static enum stj_status sweep(struct stj_run *run, const struct pace *p, bool backward, size_t block,
                             double *seconds, struct stj_error *err)
{
    const struct stj_plan_division *d = &p->division;
    double step = 0;
    STJ_MUST(
        stj_run_time_block(run, p->precision, stj_plan_columns(d, block), backward, &step, err));
    *seconds = p->meter->sweep + p->steps * (step + p->share * p->meter->linearize) / d->speed +
               pass_states(p, backward) + stj_plan_message_seconds(d, p->steps, block);
    return STJ_OK;
}

static enum stj_status predict_seconds(struct stj_run *run, const struct pace *pace,
                                       const struct stj_prediction *p, double *seconds,
                                       struct stj_error *err)
{
    *seconds = first_pass(pace);
    for (size_t i = 0; i < STJ_PREDICTED_KINDS && p->products[i].block > 0; i++) {
        const struct stj_predicted_products *kind = &p->products[i];
        double forward = 0;
        double backward = 0;
        if (kind->jvp > 0)
            STJ_MUST(sweep(run, pace, false, kind->block, &forward, err));
        if (kind->vjp > 0)
            STJ_MUST(sweep(run, pace, true, kind->block, &backward, err));
        *seconds += (kind->jvp * forward + kind->vjp * backward) / (double)kind->block;
    }
    *seconds += p->trainings * pace->steps * pace->meter->train / pace->division.speed;
    if (p->svd_flops > 0)
        *seconds += p->svd_flops / stj_timing_svd_rate();
    if (p->vector_bytes > 0)
        *seconds += p->vector_bytes / stj_timing_vector_rate() / (double)pace->division.n;
    return STJ_OK;
}

/* ---- one analysis ---- */

static size_t plan_columns(const struct stj_run *run, const struct stj_plan_request *request)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    return request->n ? request->n : info.n_params;
}

/* Of states that ranks share, a rank touches all parameters, and the slots of those that it reads
 * or prepares. */
static double touched_states(const struct stj_run *run, const struct stj_storage *storage)
{
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    const bool replays = storage->extra_passes > 0; /* in memory of its own */
    const double part = replays ? 1 : fmin(1, 2 / (double)stj_group_sharers());
    const double slots = (double)info.n_slots;
    return (double)storage->state_bytes * (1 + part * slots) / (1 + slots);
}

/* Every product lies in the journal until the result does. */
static size_t journal_bytes(const struct stj_prediction *p, size_t n)
{
    return (size_t)(stj_predicted_applications(p) * (double)n * sizeof(double));
}

/* Fill an item from the solver's prediction; `engine` as for the operator, `block` the columns of
 * its blocks. */
static enum stj_status fill(struct stj_run *run, const struct stj_plan_request *request,
                            size_t block, size_t engine, const struct stj_prediction *p,
                            struct stj_plan_item *item, struct stj_error *err)
{
    struct pace pace = {.share = 0};
    size_t work = 0;
    item->applications = stj_predicted_applications(p);
    snprintf(item->method, sizeof item->method, "%s", p->method);
    STJ_MUST(set_pace(run, request, engine, &pace, err));
    pace.division = stj_plan_divide(run, &request->ranks, block);
    item->ranks_per_product = pace.division.per_product;
    item->bytes_per_application =
        pace.steps * pace.division.bytes_per_step + pace.division.bytes_per_product;
    item->basis_bytes = stj_run_phase_bytes(run, &request->part, p, &work);
    STJ_MUST(predict_seconds(run, &pace, p, &item->seconds, err));
    item->trajectory_bytes = (size_t)touched_states(run, &pace.storage);
    item->engine_bytes = pace.storage.linear_bytes + work;
    item->memory_bytes =
        stj_memory_resident() + item->trajectory_bytes + item->engine_bytes + item->basis_bytes;
    if (p->alone_bytes > (double)(item->memory_bytes - stj_memory_resident())) {
        item->basis_bytes = (size_t)p->alone_bytes;
        item->memory_bytes = stj_memory_resident() + item->basis_bytes;
    }
    item->disk_bytes = (size_t)p->file_bytes + journal_bytes(p, plan_columns(run, request));
    const size_t before = stj_memory_peak();
    item->memory_bytes = item->memory_bytes > before ? item->memory_bytes : before;
    snprintf(item->reason, sizeof item->reason, "states: %s",
             stj_storage_text(pace.storage.policy));
    return STJ_OK;
}

static enum stj_status plan_analysis(struct stj_run *run, const struct stj_plan_request *request,
                                     const struct stj_analysis *analysis, const void *config,
                                     struct stj_plan_item *item, struct stj_error *err)
{
    struct stj_prediction p;
    size_t engine = 0;
    const size_t n = plan_columns(run, request);
    stj_plan_predict(run, request, analysis, config, &p, &engine);
    STJ_MUST(fill(run, request, analysis->columns ? analysis->columns(config, n) : 1, engine, &p,
                  item, err));
    return stj_plan_check(run, request, analysis, &p, err);
}

static enum stj_status plan_validate(struct stj_run *run, const struct stj_plan_request *request,
                                     struct stj_plan_item *item, struct stj_error *err)
{
    enum { DENSE_LIMIT = 1000 }; /* unless the command is told otherwise */
    struct stj_prediction p = {.svd_flops = 0};
    stj_validate_predict(run, plan_columns(run, request), DENSE_LIMIT, &p);
    const size_t engine = stj_run_engine_bytes(run, &request->part, request->memory_bytes, &p);
    const enum stj_status st = fill(run, request, 1, engine, &p, item, err);
    return st == STJ_OK ? stj_run_check_limit(run, &request->part, request->memory_bytes, &p, err)
                        : st;
}

static enum stj_status plan_train(struct stj_run *run, struct stj_plan_item *item,
                                  struct stj_error *err)
{
    enum { STATES = 2, FORWARD = 3 }; /* at once; a forward pass is a third of a training step */
    const double written_per_second = 5e8; /* by a disk of today: nothing is written to see */
    struct stj_run_info info;
    const struct stj_timing *meter = NULL;
    size_t every = 1;
    stj_run_get_info(run, &info);
    STJ_MUST(stj_run_every(run, &every, err));
    STJ_MUST(stj_run_time(run, STJ_PRECISION_DOUBLE, &meter, err));
    const size_t state = info.n_params * (1 + info.n_slots) * sizeof(double);
    const double stored = 2 + (double)info.n_steps / (double)every;
    const size_t gradients = stj_train_work_bytes(run->problem, &run->recipe);
    const bool network = !run->config.has_problem;
    const size_t of_train = network ? stj_evaluation_bytes(run->net, run->train) : 0;
    const size_t of_test = network && run->test ? stj_evaluation_bytes(run->net, run->test) : 0;
    const size_t losses = of_train > of_test ? of_train : of_test;
    /* Of states and losses, and in the end of the rows of all steps, as the file has them. */
    const double lists = stj_record_bytes(info.n_steps, (size_t)stored) +
                         (double)info.n_steps * (double)sizeof(uint64_t) *
                             (network ? 1 + (double)run->problem->max_rows : 1);
    const double batches =
        network ? (double)(info.train_rows + info.test_rows) / (double)info.batch_size / FORWARD
                : 2;
    /* Every state goes into the log, and from there into the trajectory. */
    item->seconds = ((double)info.n_steps + batches) * meter->train +
                    2 * stored * (double)state / written_per_second;
    item->trajectory_bytes = STATES * state;
    item->engine_bytes = gradients > losses ? gradients : losses; /* one after the other */
    item->basis_bytes = (size_t)lists;
    item->memory_bytes =
        stj_memory_resident() + item->trajectory_bytes + item->engine_bytes + item->basis_bytes;
    item->disk_bytes =
        (size_t)(2 * stored * (double)state); /* the log, and the trajectory made of it */
    return STJ_OK;
}

/* An analysis that cannot be planned is one without a plan; but steps were made together for it,
 * and a rank that failed there alone must not go on. */
static void to_cost(enum stj_status st, struct stj_error *trouble, const struct stj_plan_item *item,
                    struct stj_cost *cost)
{
    *cost = (struct stj_cost){.planned = stj_ranks_agree(st, trouble) == STJ_OK,
                              .planned_seconds = item->seconds,
                              .planned_bytes = item->memory_bytes};
}

void stj_plan_analysis(struct stj_run *run, const struct stj_plan_request *request,
                       const struct stj_analysis *analysis, const void *config,
                       struct stj_cost *cost)
{
    struct stj_plan_item item = {.name = analysis->info.name};
    struct stj_error trouble = STJ_ERROR_INIT;
    to_cost(plan_analysis(run, request, analysis, config, &item, &trouble), &trouble, &item, cost);
}

void stj_cost_finish(struct stj_cost *cost)
{
    cost->peak_bytes = stj_ranks_allreduce_max(stj_memory_peak());
}

/* ---- all of them ---- */

static struct stj_plan_item *add_item(struct stj_plan *plan, const char *name)
{
    struct stj_plan_item *item = &plan->item[plan->n++];
    *item = (struct stj_plan_item){.name = name};
    return item;
}

/* An analysis that the engine refuses is not affordable, for the reason that it gives. */
static void judge(const struct stj_plan *plan, size_t limit, enum stj_status st,
                  const struct stj_error *trouble, struct stj_plan_item *item)
{
    char take[STJ_REAL_TEXT_MAX];
    item->affordable = false;
    if (st != STJ_OK)
        snprintf(item->reason, sizeof item->reason, "%.150s", trouble->text);
    else if (item->memory_bytes > plan->free_bytes)
        snprintf(item->reason, sizeof item->reason, "more memory than the %.3g GB that are free",
                 (double)plan->free_bytes / 1e9);
    else if (limit > 0 && item->memory_bytes > limit) {
        /* The analysis takes a limit below the size of the process for vectors alone. */
        stj_number_print_need((double)item->memory_bytes, take);
        snprintf(item->reason, sizeof item->reason, "%s with the program, more than --memory",
                 take);
    } else if (item->seconds > plan->max_seconds)
        snprintf(item->reason, sizeof item->reason, "longer than the limit of %.3g hours",
                 plan->max_seconds / 3600);
    else
        item->affordable = true;
}

static void add_analysis(struct stj_run *run, const struct stj_plan_request *request,
                         const struct stj_analysis *analysis, const void *config,
                         struct stj_plan *plan)
{
    struct stj_error trouble = STJ_ERROR_INIT;
    if (plan->n == STJ_PLAN_ITEMS)
        return;
    struct stj_plan_item *item = add_item(plan, analysis->info.name);
    stj_request_summary(analysis, config, item->settings, sizeof item->settings);
    enum stj_status st = stj_analysis_check_precision(analysis, request->part.precision, &trouble);
    if (st == STJ_OK)
        st = plan_analysis(run, request, analysis, config, item, &trouble);
    judge(plan, request->memory_bytes, st, &trouble, item);
}

/* Every analysis, with the options that it has among those that were given; parts that cost apart
 * are apart. */
static enum stj_status add_analyses(struct stj_run *run, const struct stj_plan_request *request,
                                    const struct stj_pairs_given *given, struct stj_plan *plan,
                                    struct stj_error *err)
{
    STJ_HELD(stj_pairs_given_free) struct stj_pairs_given own = {0};
    void *config = NULL;
    enum stj_status st = STJ_OK;
    struct stj_run_info info;
    stj_run_get_info(run, &info);
    for (size_t a = 0; stj_analyses.list[a]; a++) {
        const struct stj_analysis *analysis = (const struct stj_analysis *)stj_analyses.list[a];
        bool more = true;
        stj_pairs_given_free(&own);
        STJ_MUST(stj_pairs_known(given, analysis, &own, err));
        for (size_t part = 0; more; part++) {
            STJ_MUST(stj_analysis_config(run, analysis, &own, &config, err));
            for (size_t i = 0; i < own.n; i++)
                if (strcmp(own.item[i].name, "top") == 0 || strcmp(own.item[i].name, "bottom") == 0)
                    st = stj_check_extent(analysis, config, &request->part, info.n_params, err);
            more = analysis->split ? analysis->split(part, config) : part == 0;
            if (more && st == STJ_OK)
                add_analysis(run, request, analysis, config, plan);
            stj_analysis_free_config(analysis, config);
            config = NULL;
            STJ_MUST(st);
        }
    }
    return STJ_OK;
}

/* The time of one product, J and J' in turn, in the way that an analysis would use; with the
 * default memory where that which is given is too little for any. */
static enum stj_status time_application(struct stj_run *run, const struct stj_plan_request *request,
                                        struct stj_plan *plan, struct stj_error *err)
{
    struct pace pace = {.share = 0};
    if (set_pace(run, request, request->memory_bytes, &pace, NULL) != STJ_OK)
        STJ_MUST(set_pace(run, request, stj_memory_default(), &pace, err));
    double forward = 0;
    double backward = 0;
    STJ_MUST(sweep(run, &pace, false, 1, &forward, err));
    STJ_MUST(sweep(run, &pace, true, 1, &backward, err));
    plan->seconds_per_application = (forward + backward) / 2;
    plan->seconds_per_step = pace.meter->train;
    return STJ_OK;
}

enum stj_status stj_run_plan(struct stj_run *run, const struct stj_plan_settings *settings,
                             struct stj_plan *plan, struct stj_error *err)
{
    STJ_NOT_NULL(err, run, settings, plan);
    struct stj_plan_request request = {.memory_bytes = settings->memory_bytes,
                                       .ranks = settings->ranks,
                                       .part.precision = settings->precision};
    STJ_HELD(stj_pairs_given_free) struct stj_pairs_given given = {0};
    struct stj_error trouble = STJ_ERROR_INIT;
    struct stj_run_info info;
    const struct stj_timing *meter = NULL;
    const size_t per_product = settings->ranks.per_product;
    stj_run_get_info(run, &info);
    const size_t n_ranks = settings->ranks.n ? settings->ranks.n : 1;
    STJ_NEED(err, per_product == 0 || n_ranks % per_product == 0, STJ_EINVAL,
             "%zu ranks for a product do not divide the %zu ranks: take a divisor of %zu",
             per_product, n_ranks, n_ranks);
    if (request.ranks.n == 0)
        request.ranks.n = stj_ranks_measured(&request.ranks.bytes_per_second);
    if (request.ranks.n > 1 && request.ranks.bytes_per_second <= 0)
        request.ranks.bytes_per_second = stj_timing_vector_rate();
    STJ_MUST(stj_run_time(run, STJ_PRECISION_DOUBLE, &meter, err));
    *plan =
        (struct stj_plan){.ranks = request.ranks,
                          .n_params = info.n_params,
                          .n_steps = info.n_steps,
                          .resident_bytes = stj_memory_resident(),
                          .max_seconds = settings->max_seconds > 0 ? settings->max_seconds : day};
    plan->free_bytes = stj_memory_available() + plan->resident_bytes;
    STJ_MUST(time_application(run, &request, plan, err));
    if (!info.trained) {
        struct stj_plan_item *item = add_item(plan, "train");
        judge(plan, 0, plan_train(run, item, &trouble), &trouble, item);
    }
    struct stj_plan_item *item = add_item(plan, "validate");
    judge(plan, request.memory_bytes, plan_validate(run, &request, item, &trouble), &trouble, item);
    for (size_t i = 0; i < settings->n; i++)
        STJ_MUST(stj_pairs_add(&given, settings->option[i].name, settings->option[i].text, err));
    return add_analyses(run, &request, &given, plan, err);
}
