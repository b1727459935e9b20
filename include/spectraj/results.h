/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/results.h: the analyses of a run and their result files.
 *
 * Each analysis writes one HDF5 file into the run's directory.  The same request again returns what
 * is stored, at no cost; a request with other settings does not reuse it.
 */
#ifndef SPECTRAJ_RESULTS_H
#define SPECTRAJ_RESULTS_H

#include <spectraj/density.h>
#include <spectraj/run.h>
#include <spectraj/svd.h>
#include <spectraj/trace.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an analysis is kept, and what of the run it looks at.  All zero: the usual. */
struct stj_analysis_settings {
    bool force;          /* compute even when the result is stored */
    const char *tag;     /* svd-TAG.h5; NULL: svd.h5 */
    size_t from, to;     /* window of steps; to = 0: n_steps */
    const char *layers;  /* as in struct stj_run_part; a result of these has a name of its own */
    bool full_state;     /* the same */
    size_t memory_bytes; /* 0: what stj_run_set_memory said */
};

/* Singular pairs of the run's Jacobian, computed or read from svd.h5.  *stored says which; a stored
 * result has zero counts. */
enum stj_status stj_analysis_svd(struct stj_run *run, const struct stj_svd_settings *svd,
                                 const struct stj_analysis_settings *settings,
                                 struct stj_svd_result **result, bool *stored,
                                 struct stj_error *err);

/* The dense Jacobian's singular values and vectors. */
struct stj_dense_result {
    size_t n_params;                  /* rows and columns of J */
    double *sigma;                    /* [n], descending */
    double *cosine;                   /* [n]: u_i . v_i */
    struct stj_regions regions;       /* at epsilon */
    double epsilon;                   /* half width of the bulk */
    double seconds_build;             /* for the columns */
    double seconds_svd;               /* for the decomposition */
    struct stj_storage storage;       /* of the run's states while the columns were made */
    struct stj_part part;             /* of the run that this is about */
    struct stj_cost cost;             /* beside what was planned */
    struct stj_self_check self_check; /* of the products; zero for a stored result */
};

/* J column by column in blocks and its full SVD, computed or read from dense.h5 (which also holds u
 * and v).  Refuses with the numbers when the matrices do not fit `memory_bytes`. */
enum stj_status stj_analysis_dense(struct stj_run *run, double epsilon,
                                   const struct stj_analysis_settings *settings,
                                   const struct stj_progress *progress,
                                   struct stj_dense_result **result, bool *stored,
                                   struct stj_error *err);
void stj_dense_result_destroy(struct stj_dense_result *result); /* NULL is accepted */

/* Counts of the run's singular values, from density.h5 or computed.  The file keeps the quadrature:
 * other epsilon and confidence are answered from it without products (unless a tolerance was to be
 * met). deflate: take the triplets of the untagged svd.h5, where there is one of the same window,
 * out of the probes; settings->known is not looked at. */
enum stj_status stj_analysis_density(struct stj_run *run,
                                     const struct stj_density_settings *density, bool deflate,
                                     const struct stj_analysis_settings *settings,
                                     struct stj_density_result **result, bool *stored,
                                     struct stj_error *err);

/* A trace of the run's Jacobian, from trace-FUNCTION.h5 or computed. */
enum stj_status stj_analysis_trace(struct stj_run *run, const struct stj_trace_settings *trace,
                                   const struct stj_analysis_settings *settings,
                                   struct stj_trace_result *result, bool *stored,
                                   struct stj_error *err);

/* *result <- what is stored under the tag (NULL: the untagged file), or NULL when there is none.
 * No products. */
enum stj_status stj_result_read_svd(struct stj_run *run, const char *tag,
                                    struct stj_svd_result **result, struct stj_error *err);

/* As stj_result_read_svd, of density.h5; free with stj_density_result_destroy. */
enum stj_status stj_result_read_density(struct stj_run *run, const char *tag,
                                        struct stj_density_result **result, struct stj_error *err);

/* As stj_result_read_svd, of dense.h5; free with stj_dense_result_destroy. */
enum stj_status stj_result_read_dense(struct stj_run *run, const char *tag,
                                      struct stj_dense_result **result, struct stj_error *err);

#ifdef __cplusplus
}
#endif

#endif
