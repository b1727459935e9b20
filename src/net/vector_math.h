/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/vector_math.h: exp, tanh, the logistic function and their kin as straight-line code.
 *
 * Every function is a fixed sequence of IEEE operations and selections, without branches, tables or
 * calls, so that a loop over it becomes vector code, and an element has the same bits wherever it
 * stands in an array.  Double precision whatever `real` is.  All rest on one reduction:
 *
 *     x = k log 2 + r,  |r| <= (log 2)/2,     e^x = 2^k (a + r) / (a - r)
 *     a = r coth(r/2) = 2 + r^2/6 - r^4/360 + r^6/15120 - r^8/604800 + ...    (2 B_2n / (2n)!)
 *
 * The series is cut after r^12: the next term is below 4e-18.  Errors below are the largest seen
 * against extended precision over the whole range (tests/t-vector-math.c holds them to these).  NaN
 * gives NaN.
 */
#ifndef STJ_NET_VECTOR_MATH_H
#define STJ_NET_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/target_clones.h"

STJ_INLINE uint64_t stj_bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

STJ_INLINE double stj_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x = 2^k (a + r) / (a - r); `power` is k shifted to where a double has its exponent. */
struct stj_exp_parts {
    double a, r;
    uint64_t power;
};

/* The parts of e^x, |x| <= 1000. */
STJ_INLINE struct stj_exp_parts stj_exp_split(double x)
{
    const double round = 0x1.8p52;             /* adding it leaves an integer in the low bits */
    const double log2_high = 0x1.62e42fefap-1; /* 37 bits: a multiple by k is exact */
    const double log2_low = 0x1.cf79abc9e3b3ap-40;
    const double shifted = x * 0x1.71547652b82fep0 + round;
    const double k = shifted - round;
    const double r = (x - k * log2_high) - k * log2_low;
    const double z = r * r;
    const double series =
        1.0 / 6 + z * (-1.0 / 360 +
                       z * (1.0 / 15120 + z * (-1.0 / 604800 + z * (1.0 / 23950080 +
                                                                    z * (-691.0 / 653837184000)))));
    return (struct stj_exp_parts){2 + z * series, r, stj_bits_of(shifted) << 52};
}

/* 2^k as a number, |k| <= 1022. */
STJ_INLINE double stj_exp_scale(struct stj_exp_parts p)
{
    return stj_of_bits(p.power + ((uint64_t)1023 << 52));
}

/* e^x; 2 ulp.  Below -708 the result is 0: there are no subnormal values. */
STJ_INLINE double stj_exp(double x)
{
    const struct stj_exp_parts p = stj_exp_split(x);
    const double y = stj_of_bits(stj_bits_of(1 + 2 * p.r / (p.a - p.r)) + p.power);
    return x < -708 ? 0 : x > 0x1.62e42fefa39efp9 ? (double)INFINITY : y;
}

/* tanh x; 5 ulp.  With s = 2^k and e^(-2|x|) = s (a + r) / (a - r):
 *     tanh |x| = (1 - e^(-2|x|)) / (1 + e^(-2|x|))
 *              = ((1 - s) a - (1 + s) r) / ((1 + s) a - (1 - s) r) */
STJ_INLINE double stj_tanh(double x)
{
    const double y = fabs(x) > 350 ? 350 : fabs(x);
    const struct stj_exp_parts p = stj_exp_split(-2 * y);
    const double s = stj_exp_scale(p);
    const double t = ((1 - s) * p.a - (1 + s) * p.r) / ((1 + s) * p.a - (1 - s) * p.r);
    return copysign(t, x);
}

/* Logistic function 1 / (1 + e^-x) and its complement, the same of -x; 3 ulp each for |x| <= 700,
 * constant beyond it. */
struct stj_logistic {
    double value, complement;
};

STJ_INLINE struct stj_logistic stj_logistic(double x)
{
    const double y = fabs(x) > 700 ? 700 : fabs(x);
    const struct stj_exp_parts p = stj_exp_split(-y);
    const double numerator = stj_exp_scale(p) * (p.a + p.r);
    const double small = numerator / (p.a - p.r + numerator);
    const double large = 1 - small;
    return (struct stj_logistic){x > 0 ? large : small, x > 0 ? small : large};
}

/* log(1 + y), 0 <= y <= 1; 3 ulp.  With 1 + y = 2^k (1 + f), k 0 or 1, |f| < 0.42, and
 * z = f / (2 + f), |z| < 0.18:  log(1 + f) = 2 atanh z = 2 z (1 + z^2/3 + z^4/5 + ...). */
STJ_INLINE double stj_log1p_unit(double y)
{
    const double f = y > 0.41421356237309503 ? (y - 1) / 2 : y;
    const double shift = y > 0.41421356237309503 ? 0x1.62e42fefa39efp-1 : 0;
    const double z = f / (2 + f);
    const double w = z * z;
    const double series =
        1.0 / 3 +
        w * (1.0 / 5 +
             w * (1.0 / 7 +
                  w * (1.0 / 9 +
                       w * (1.0 / 11 +
                            w * (1.0 / 13 +
                                 w * (1.0 / 15 +
                                      w * (1.0 / 17 + w * (1.0 / 19 + w * (1.0 / 21)))))))));
    return shift + (2 * z + 2 * z * (w * series));
}

/* log(1 + e^x); 4 ulp for x >= -700. */
STJ_INLINE double stj_softplus(double x)
{
    const double tail = stj_log1p_unit(stj_exp(-fabs(x)));
    return x > 0 ? x + tail : tail;
}

/* The next four coefficients of a polynomial: (((p t + a) t + b) t + c) t + d. */
STJ_INLINE double stj_horner(double p, double t, double a, double b, double c, double d)
{
    return (((p * t + a) * t + b) * t + c) * t + d;
}

/* The complementary error function of z >= 0; 8 ulp for z <= 26.
 *     erfc z = e^(-z^2) p(t) / (1 + 2 z),   t = (z - 3.75) / (z + 3.75)
 * p is the expansion of (1 + 2 z) e^(z^2) erfc z in Chebyshev polynomials of t (Shepherd and
 * Laframboise 1981), to degree 24, error 4e-18, written in powers, whose sum of moduli is 1.8.  The
 * square is split, z = h + (z - h) with h of 24 bits:  e^(-z^2) = e^(-h^2) e^-d,
 * d = (z - h)(z + h) < 1e-4. */
STJ_INLINE double stj_erfc(double z)
{
    const double y = z > 27 ? 27 : z;
    const double t = (y - 3.75) / (y + 3.75);
    double p = 4.2514714447963897761e-10;
    p = stj_horner(p, t, 3.1114333809799251993e-10, -5.1739902140113096269e-9,
                   -3.7442100809620186444e-9, 3.8675334242222356816e-8);
    p = stj_horner(p, t, 2.3263508708859123732e-8, -2.5866850716155885443e-7,
                   -5.7218230603224087501e-8, 1.7516376488490621431e-6);
    p = stj_horner(p, t, -9.7355989673677493407e-7, -1.1444146237700523373e-5,
                   2.238423915508222982e-5, 5.1649098892682403449e-5);
    p = stj_horner(p, t, -0.00029015408054084171105, 0.00029371366559134481992,
                   0.0017556258528952953569, -0.0097465795580292755337);
    p = stj_horner(p, t, 0.028362277418956404286, -0.058693398589636774061, 0.09230432116037747776,
                   -0.10880393014174885723);
    p = stj_horner(p, t, 0.082276738490145207683, 0.003585415485464429369, -0.14024059858554696245,
                   1.2375126308378275796);
    const double h = (double)(float)y;
    const double d = (y - h) * (y + h);
    const double correction = 1 - d * (1 - d * (0.5 - d * (1.0 / 6)));
    return stj_exp(-h * h) * correction * p / (1 + 2 * y);
}

#endif
