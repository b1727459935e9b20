/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report/result.h: what the result files of all analyses have in common. */
#ifndef STJ_REPORT_RESULT_H
#define STJ_REPORT_RESULT_H

#include <spectraj/results.h>

#include "io/h5.h"
#include "io/lock.h"

/* The files whose vectors other analyses read. */
extern const struct stj_h5_format stj_dense_format, stj_svd_format;

/* Any of them. */
extern const struct stj_h5_format stj_any_result_format;

/* The part of the run's Jacobian that is asked for, with `to` and names resolved. */
struct stj_result_window {
    size_t from, to;
    bool full_state;
    char *layers; /* tensors separated by commas; empty: all; owned */
    size_t n;     /* its rows and columns */
};

/* window <- the settings', checked against the run, to be freed; info <- that of the run, but its n_params
 * is the window's n. */
enum stj_status stj_result_window(const struct stj_run *run,
                                  const struct stj_analysis_settings *settings,
                                  struct stj_run_info *info, struct stj_result_window *window,
                                  struct stj_error *err);
void stj_result_window_free(struct stj_result_window *window);

/* "from 0 to 625", and what else the window is: for a request.  Then for a report. */
enum { STJ_WINDOW_TEXT_MAX = 96 };
const char *stj_result_window_text(const struct stj_result_window *window,
                                   char text[STJ_WINDOW_TEXT_MAX]);
struct stj_part stj_result_part(const struct stj_result_window *window);

/* The same for the operator; its layers are the window's. */
struct stj_run_part stj_result_run_part(const struct stj_result_window *window);

/* The attributes of a window. */
enum stj_status stj_result_put_window(struct stj_h5 *file, const struct stj_result_window *window,
                                      struct stj_error *err);

/* *path <- "DIR/NAME.h5" or "DIR/NAME-TAG.h5" (owned by the caller). */
enum stj_status stj_result_path(const struct stj_run_info *info, const char *name, const char *tag,
                                char **path, struct stj_error *err);

/* The same; without a tag, a block of layers and the full state have tags of their own. */
enum stj_status stj_result_window_path(const struct stj_run_info *info, const char *name,
                                       const char *tag, const struct stj_result_window *window,
                                       char **path, struct stj_error *err);

/* *log <- the path of the journal beside a result file: "DIR/NAME.journal" (owned by the caller). */
enum stj_status stj_result_log_path(const char *path, char **log, struct stj_error *err);

/* *file <- the stored result when there is one that answers the same request (NULL: any), else
 * NULL: there is no file, `force` is set, or the file answers another request.  STJ_EMISMATCH
 * for a file of another run. */
enum stj_status stj_result_open(const char *path, const struct stj_h5_format *format,
                                const struct stj_run_info *info, const char *request, bool force,
                                struct stj_h5 **file, struct stj_error *err);

/* The same, and where there is none: *file <- a new result file with the run's fingerprint and the request,
 * before any work, so that a folder that cannot be written says so at once; *lock <- the right to write
 * it and the log beside it (else NULL), to be held until all is done. */
enum stj_status stj_result_begin(const struct stj_run *run, const char *path,
                                 const struct stj_h5_format *format,
                                 const struct stj_run_info *info, const char *request, bool force,
                                 const struct stj_progress *progress, struct stj_lock **lock,
                                 struct stj_h5 **file, struct stj_error *err);

/* The Jacobian of a window with the journal that lies beside a result file. */
struct stj_result_op {
    struct stj_op *inner, *op; /* op: to be computed with */
    struct stj_log *log;
    char *log_path;
};

/* Open it.  again: products are computed anew where there is a result at `path` already. */
enum stj_status stj_result_op_open(struct stj_run *run, const struct stj_result_window *window,
                                   const char *path, bool again, size_t memory_bytes,
                                   struct stj_result_op *op, struct stj_error *err);
/* *storage <- where its states are; the budget is that of the process, where one was given. */
void stj_result_op_storage(const struct stj_result_op *op, size_t memory_bytes,
                           struct stj_storage *storage);

/* Close it; a journal without a product is removed. */
void stj_result_op_close(struct stj_result_op *op);

/* check->orthogonality <- of v[k][n], if it is worse than what is there. */
enum stj_status stj_result_check_vectors(size_t n, size_t k, const double *v,
                                         struct stj_self_check *check, struct stj_error *err);

/* Warn when a check found more than rounding. */
void stj_result_warn_of_check(const struct stj_self_check *check,
                              const struct stj_progress *progress);

/* Warn when the residuals are not what the method claimed. */
void stj_result_warn_of_residuals(const struct stj_svd_result *r,
                                  const struct stj_progress *progress);

/* Remove the journal beside a result file that needs it no more. */
void stj_result_op_forget(const char *path);

/* *file <- the stored, untagged result NAME.h5 of the window; NULL when there is none. */
enum stj_status stj_result_open_window(struct stj_run *run, const char *name,
                                       const struct stj_h5_format *format,
                                       const struct stj_result_window *window, struct stj_h5 **file,
                                       struct stj_error *err);

/* *result <- the stored singular pairs of the window, untagged; NULL when there are none. */
enum stj_status stj_result_read_svd_window(struct stj_run *run,
                                           const struct stj_result_window *window,
                                           struct stj_svd_result **result, struct stj_error *err);

/* The same of the stored density. */
enum stj_status stj_result_read_density_window(struct stj_run *run,
                                               const struct stj_result_window *window,
                                               struct stj_density_result **result,
                                               struct stj_error *err);

/* *stop <- the attribute @stop. */
enum stj_status stj_result_get_stop(struct stj_h5 *file, enum stj_stop *stop,
                                    struct stj_error *err);

/* Vectors as rows: matrix `name` [k][n] from and to k columns of length n, one after another;
 * nothing for k = 0. */
enum stj_status stj_result_put_columns(struct stj_h5 *file, const char *name, size_t k, size_t n,
                                       const double *columns, struct stj_error *err);
enum stj_status stj_result_get_columns(struct stj_h5 *file, const char *name, size_t k, size_t n,
                                       double **columns, struct stj_error *err);

/* *value <- a vector of n numbers (owned by the caller). */
enum stj_status stj_result_get_vector(struct stj_h5 *file, const char *name, size_t n,
                                      double **value, struct stj_error *err);

#endif
