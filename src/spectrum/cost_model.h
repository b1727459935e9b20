/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/cost_model.h: what a solver is likely to cost, before it is paid for.
 *
 * Solvers, and the methods of svd/ and trace/, add what they will take to a prediction.
 */
#ifndef STJ_SPECTRUM_COST_MODEL_H
#define STJ_SPECTRUM_COST_MODEL_H

#include <stdbool.h>
#include <stddef.h>

/* Products of one kind: how many, and how many vectors go together. */
struct stj_predicted_products {
    double jvp, vjp;
    size_t block;
};

/* A time of a solve in which its own arrays are largest beside those of a block of vectors. */
struct stj_predicted_phase {
    double bytes;
    size_t block;
};

enum { STJ_PREDICTED_KINDS = 6, STJ_PREDICTED_PHASES = 8, STJ_PREDICTED_TEXT_MAX = 96 };

/* Zeroed but for `ranks`, `shortest` and `used`, then added to.  All of it is about one rank, that
 * which holds most. */
struct stj_prediction {
    size_t ranks;    /* that rows are divided among; 0: those at hand */
    double shortest; /* prefix of the operator, of all steps; 0: not known */
    double used;     /* applications that are gone of the request's budget */
    double lone;     /* a product with one vector, in those of a block's; 0: 1 */
    struct stj_predicted_products products[STJ_PREDICTED_KINDS];
    struct stj_predicted_phase phase[STJ_PREDICTED_PHASES];
    double alone_bytes;                  /* of a phase in which the operator is gone */
    double file_bytes;                   /* of the result */
    double svd_flops;                    /* of dense decompositions */
    double trainings;                    /* through all steps of the window */
    char method[STJ_PREDICTED_TEXT_MAX]; /* what will be chosen, in words */
    bool refused;                        /* the memory or the budget is too little for the method */
    double vector_bytes; /* that pass through memory beside products: orthogonalisation */
};

/* Add products of one kind, or a phase; more than there is room for are left out. */
void stj_predict_products(struct stj_prediction *prediction, double jvp, double vjp, size_t block);
void stj_predict_phase(struct stj_prediction *prediction, double bytes, size_t block);

/* The same of a phase in which the operator is gone. */
void stj_predict_phase_alone(struct stj_prediction *prediction, double bytes);

/* Add the decomposition of an n x n matrix. */
void stj_predict_svd(struct stj_prediction *prediction, double n);

/* The words for the method that will be used. */
void stj_predict_method(struct stj_prediction *prediction, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How many ranks there will be, whether they divide vectors of length n, and the rows of one that
 * each has. */
size_t stj_predict_ranks(const struct stj_prediction *prediction);
bool stj_predict_divides(const struct stj_prediction *prediction, size_t n);
size_t stj_predict_rows(const struct stj_prediction *prediction, size_t n);

/* The matrix and its whole decomposition with vectors; `matrices` of its size at the peak. */
void stj_dense_predict(size_t n, double matrices, struct stj_prediction *prediction);

/* Products in all, of single vectors; bytes of the largest phase. */
double stj_predict_peak(const struct stj_prediction *prediction);
double stj_predicted_applications(const struct stj_prediction *prediction);

/* The same weighed by their time: a unit is that of a vector in a block. */
double stj_predicted_cost(const struct stj_prediction *prediction);

#endif
