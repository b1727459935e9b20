/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectrum/regions.c: chaotic, bulk and stable singular values. */
#include <spectraj/svd.h>

struct stj_regions stj_regions_count(size_t n, const double *sigma, double epsilon)
{
    struct stj_regions regions = {0};
    for (size_t i = 0; i < n; i++)
        if (sigma[i] > 1 + epsilon)
            regions.chaotic++;
        else if (sigma[i] < 1 - epsilon)
            regions.stable++;
        else
            regions.bulk++;
    return regions;
}
