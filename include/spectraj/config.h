/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/config.h: what a config file may say, from the tables that read it.
 *
 * Threads: to be called from any, and from several at once; the visitor is called from the same
 * one.
 */
#ifndef SPECTRAJ_CONFIG_H
#define SPECTRAJ_CONFIG_H

#include <spectraj/option.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A section is a mapping of the file ("training"), or what one plug-in takes ("layer: dense"). */
struct stj_config_visitor {
    void *ctx; /* passed to the two; borrowed */

    /* A section begins. */
    void (*section)(void *ctx, const char *title, const char *doc);

    /* A key of the section that began last; stj_option_describe says what it is. */
    void (*key)(void *ctx, const struct stj_option *key);
};

/* Every section with its keys: the groups of the file from the top, then the plug-ins, kind by
 * kind, in the order in which the groups mention them. */
void stj_config_describe(const struct stj_config_visitor *visitor);

#ifdef __cplusplus
}
#endif

#endif
