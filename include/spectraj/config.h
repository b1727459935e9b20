/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spectraj/config.h: what a config file may say, from the tables that read it.
 *
 * Threads: to be called from any, and from several at once; the visitor is called from the same one.
 */
#ifndef SPECTRAJ_CONFIG_H
#define SPECTRAJ_CONFIG_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One key.  The strings are valid during the call. */
struct stj_config_key {
    const char *name;     /* within its section */
    const char *type;     /* "integer", "number", "one of a, b", "a layer", ... */
    const char *range;    /* "above 0, at most 1", or "" */
    const char *unit;     /* or "" */
    const char *fallback; /* the default as YAML; "": none */
    bool required;        /* it has no default and must be given */
    const char *doc;      /* sentences */
};

/* A section is a mapping of the file ("training"), or what one plug-in takes ("layer: dense"). */
struct stj_config_visitor {
    void *ctx; /* passed to the two; borrowed */

    /* A section begins. */
    void (*section)(void *ctx, const char *title, const char *doc);

    /* A key of the section that began last. */
    void (*key)(void *ctx, const struct stj_config_key *key);
};

/* Every section with its keys: the groups of the file from the top, then the plug-ins, kind by kind, in the order
 * in which the groups mention them. */
void stj_config_describe(const struct stj_config_visitor *visitor);

#ifdef __cplusplus
}
#endif

#endif
