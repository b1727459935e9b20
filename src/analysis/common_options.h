/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/common_options.h: rows of options that analyses have in common.
 *
 * `where` is the offset of the value in the analysis' own struct.
 */
#ifndef STJ_ANALYSIS_COMMON_OPTIONS_H
#define STJ_ANALYSIS_COMMON_OPTIONS_H

#include "options/option.h"

#define STJ_SEED_OPTION(where, what)                                                               \
    {                                                                                              \
        .name = "seed", .type = STJ_OPTION_SEED, .offset = (where), .fallback = "0", .value = "S", \
        .doc = "seed of the " what                                                                 \
    }

/* A number between 0 and 1, without either. */
#define STJ_FRACTION_OPTION(name_, letter_, role_, where, fallback_, value_, doc_)                 \
    {                                                                                              \
        .name = (name_), .letter = (letter_), .type = STJ_OPTION_REAL, .role = (role_),            \
        .offset = (where), .fallback = (fallback_), .max = 1, .above_min = true,                   \
        .below_max = true, .value = (value_), .doc = (doc_)                                        \
    }

#define STJ_EPSILON_OPTION(where)                                                                  \
    STJ_FRACTION_OPTION("epsilon", 'e', STJ_ROLE_VIEW, where, "0.1", "EPS",                        \
                        "half width of the bulk: chaotic above 1 + EPS, stable below 1 - EPS")

/* word: "about", or "at most". */
#define STJ_MAX_APPLICATIONS_OPTION(where, word)                                                   \
    {                                                                                              \
        .name = "max_applications", .type = STJ_OPTION_REAL, .role = STJ_ROLE_EFFORT,              \
        .offset = (where), .fallback = "", .min = 1, .max = 1e15, .value = "N",                    \
        .doc = "stop after " word " N products with J and J' together (default: no limit)"         \
    }

#define STJ_MAX_SECONDS_OPTION(where)                                                              \
    {                                                                                              \
        .name = "max_seconds", .type = STJ_OPTION_REAL, .role = STJ_ROLE_EFFORT,                   \
        .offset = (where), .fallback = "", .max = 1e9, .above_min = true, .value = "T",            \
        .doc = "stop after about T seconds (default: no limit)"                                    \
    }

#endif
