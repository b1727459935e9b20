/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/svd/window.h: a basis for the window B = J(0 -> w) of a product of steps, which ends by
 * itself, and the damped inverse of B that it gives.
 *
 *     B Q_m = Q_{m+b} H,   H = U diag(s) Z'
 *     P = Q_m Z diag(s / (s^2 + d^2)) U' Q_{m+b}'  +  (I - Q Q') / (1 + d^2)
 */
#ifndef STJ_SPECTRUM_SVD_WINDOW_H
#define STJ_SPECTRUM_SVD_WINDOW_H

#include "spectrum/svd/krylov.h"
#include "spectrum/svd/svd_method.h"

enum { STJ_WINDOW_BLOCK = 4 }; /* vectors of a step; blocks of 16 to 64 need twice the basis */

/* How large a basis may become. */
struct stj_window_limits {
    double fraction; /* of the steps in the window */
    size_t k;        /* smallest values that are wanted */
    size_t m;        /* vectors at most */
    bool all;        /* take them all, without a look at the values */
    double rest;     /* applications that a budget has to leave */
};

struct stj_window {
    double fraction;
    double cost; /* of a product with B, in applications */
    struct stj_krylov krylov;
    size_t m;               /* vectors */
    bool flat;              /* more of them would hardly make the small values of H smaller */
    double level;           /* f(m), when it was last looked at */
    double *sigma, *u, *zt; /* H = U diag(sigma) Z': [m], (m + b) x m, m x m */
    double damping;
};

/* window (zeroed) <- the basis; *stop <- why it ended, where a budget or the caller did it.  Cost:
 * m fraction applications. */
enum stj_status stj_window_build(struct stj_op *a, const struct stj_svd_budget *budget,
                                 const struct stj_window_limits *limits, struct stj_window *window,
                                 enum stj_stop *stop, struct stj_error *err);

/* *f <- the mean of log10 max(s_i, 1e-7 s_1) of the k smallest singular values of R (m x m, upper
 * triangular; zeros of its diagonal are replaced), or a little more: by inverse iteration from a
 * random block of more than k vectors, until a round changes it by less than 1e-5.  What looks at
 * large bases take. */
enum stj_status stj_window_triangle(size_t m, double *r, size_t k, double *f,
                                    struct stj_error *err);

/* H = U diag(s) Z', and d. */
enum stj_status stj_window_factor(struct stj_window *window, size_t k, struct stj_error *err);

/* x (rows x p) <- Q_m z_i of the p smallest values, the smallest first. */
enum stj_status stj_window_smallest(const struct stj_window *window, size_t p, double *x,
                                    struct stj_error *err);

/* t (a block of b) <- P t. */
enum stj_status stj_window_invert(const struct stj_window *window, size_t b, double *t,
                                  struct stj_error *err);

void stj_window_free(struct stj_window *window);

#endif
