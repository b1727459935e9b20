/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench/flops.h: how much arithmetic a product with a Hessian cannot do without. */
#ifndef STJ_BENCH_FLOPS_H
#define STJ_BENCH_FLOPS_H

#include "net/network.h"

/* Additions and multiplications of the tangent pass for one vector and `batch` samples. */
double tangent_flops(const struct stj_network *net, size_t batch);

#endif
