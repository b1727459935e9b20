/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/folder/train_log_header.c: what train.journal says of the training that it is of, and whether
 * that is this one.
 *
 * The header of the log is text:
 *
 *     spectraj-training 1
 *     every 1                   kept states
 *     bits 64                   of a number
 *     blas OpenBLAS ...
 *     identity 612              bytes of the text that follows
 *     ...
 *     config 1034
 *     ...
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/run_internal.h"

enum { HEADER_VERSION = 1, HEAD_BYTES = 512 };

enum stj_status stj_train_log_header_print(const struct stj_trajectory_about *about, size_t every,
                                           char **header, struct stj_error *err)
{
    const size_t bytes =
        strlen(about->identity) + strlen(about->config) + strlen(about->blas) + HEAD_BYTES;
    STJ_MUST(stj_new(header, bytes, 1, err));
    snprintf(*header, bytes,
             "spectraj-training %d\nevery %zu\nbits %zu\nblas %s\nidentity %zu\n%sconfig %zu\n%s",
             HEADER_VERSION, every, 8 * sizeof(real), about->blas, strlen(about->identity),
             about->identity, strlen(about->config), about->config);
    return STJ_OK;
}

/* *text <- the rest of the line after "NAME " at *at, which moves behind it. */
static bool take_line(const char **at, const char *name, char **text)
{
    const size_t n = strlen(name);
    const size_t length = strcspn(*at, "\n");
    if (strncmp(*at, name, n) != 0 || (*at)[n] != ' ' || (*at)[length] != '\n' ||
        stj_new(text, length - n, 1, NULL) != STJ_OK)
        return false;
    memcpy(*text, *at + n + 1, length - n - 1);
    *at += length + 1;
    return true;
}

static bool take_size(const char **at, const char *name, size_t *value)
{
    char *text = NULL;
    char *end = NULL;
    bool good = take_line(at, name, &text) && text[0] >= '0' && text[0] <= '9';
    *value = good ? strtoull(text, &end, 10) : 0;
    good = good && *end == '\0';
    free(text);
    return good;
}

/* A text of so many bytes behind the line that says how many. */
static bool take_text(const char **at, const char *name, char **text)
{
    size_t bytes = 0;
    if (!take_size(at, name, &bytes) || bytes > strlen(*at) ||
        stj_new(text, bytes + 1, 1, NULL) != STJ_OK)
        return false;
    memcpy(*text, *at, bytes);
    *at += bytes;
    return true;
}

static bool parse(const char *header, struct stj_trajectory_about *about, size_t *every,
                  size_t *bits)
{
    size_t version = 0;
    return take_size(&header, "spectraj-training", &version) && version == HEADER_VERSION &&
           take_size(&header, "every", every) && *every > 0 && take_size(&header, "bits", bits) &&
           take_line(&header, "blas", &about->blas) &&
           take_text(&header, "identity", &about->identity) &&
           take_text(&header, "config", &about->config);
}

enum stj_status stj_train_log_header_check(const struct stj_run *run, const char *header,
                                           size_t *every, struct stj_error *err)
{
    STJ_HELD(stj_trajectory_about_free) struct stj_trajectory_about about = {0};
    STJ_FREED char *recorded = NULL;
    char difference[STJ_ERROR_TEXT_MAX / 2];
    size_t bits = 0;
    STJ_NEED(err, parse(header, &about, every, &bits), STJ_EFORMAT,
             "%s: " STJ_TRAINING_JOURNAL
             " is of another version of spectraj; go on with that one, or "
             "start again (--force)",
             run->dir);
    STJ_MUST(stj_run_recorded_identity(&about, &recorded, err));
    stj_run_difference(run->about.identity, recorded, difference, sizeof difference);
    STJ_NEED(err, !difference[0], STJ_EEXIST,
             "%s: holds an unfinished training of another config: now %s; --force starts anew",
             run->dir, difference);
    STJ_NEED(err, bits == 8 * sizeof(real) && strcmp(about.blas, run->about.blas) == 0,
             STJ_EMISMATCH,
             "%s: its unfinished training was begun with \"%.150s\", here is \"%.150s\": it would "
             "not end with the same bits; go on there, or start again (--force)",
             run->dir, about.blas, run->about.blas);
    return STJ_OK;
}
