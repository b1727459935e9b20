/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run/folder/identity.c: what makes two trainings the same: lines of text, and their hash as
 * fingerprint.
 *
 * The lines name the version of the numerics, the data and the initial parameters by checksum, and
 * the resolved network and training groups of the config.  Paths are not part of them.  Keeping the
 * text, not only its hash, lets a mismatch be explained.
 *
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "options/option_value.h"
#include "run/run_internal.h"

/* To be raised when the same config, data and theta_0 give another training than before. */
enum { NUMERICS_VERSION = 1 };

enum { HEAD_BYTES = 512 };

static void describe_set(const char *name, const struct stj_dataset *data, char *text, size_t size)
{
    if (data)
        stj_text_add(text, size, "data.%s: %zu x %zu, crc32 %08" PRIx32 "\n", name, data->n_rows,
                     data->n_features, data->crc);
    else
        stj_text_add(text, size, "data.%s: none\n", name);
}

static void describe_batches(const struct stj_run *run, char *text, size_t size)
{
    if (run->config.training.batches)
        stj_text_add(text, size, "batches: crc32 %08" PRIx32 "\n", run->batches_crc);
    if (run->has_rates)
        stj_text_add(text, size, "rates: crc32 %08" PRIx32 "\n", run->rates_crc);
}

void stj_run_data_lines(const struct stj_run *run, char text[STJ_DATA_LINES_BYTES])
{
    text[0] = '\0';
    describe_set("train", run->train, text, STJ_DATA_LINES_BYTES);
    describe_set("test", run->test, text, STJ_DATA_LINES_BYTES);
    describe_batches(run, text, STJ_DATA_LINES_BYTES);
}

bool stj_run_recall_data(const char *identity, const char *name, struct stj_dataset *data)
{
    char key[32];
    snprintf(key, sizeof key, "\ndata.%s: ", name);
    const char *line = strstr(identity, key);
    return line && sscanf(line + strlen(key), "%zu x %zu, crc32 %" SCNx32, &data->n_rows,
                          &data->n_features, &data->crc) == 3;
}

enum stj_status stj_run_identity(const struct stj_run *run, const double *theta, size_t n,
                                 char **identity, struct stj_error *err)
{
    char sets[HEAD_BYTES] = "";
    char extra[HEAD_BYTES] = "";
    STJ_FREED char *recipe = NULL;
    STJ_MUST(stj_run_config_print_recipe(&run->config, &recipe, err));
    describe_set("train", run->train, sets, sizeof sets);
    describe_set("test", run->test, sets, sizeof sets);
    describe_batches(run, extra, sizeof extra);
    if (run->config.init.slots)
        stj_text_add(extra, sizeof extra, "slots: of step %zu, crc32 %08" PRIx32 "\n",
                     run->config.init.step, run->slots_crc);
    if (stj_network_n_frozen(run->net) > 0)
        stj_text_add(extra, sizeof extra, "frozen: %zu, crc32 %08" PRIx32 "\n",
                     stj_network_n_frozen(run->net),
                     stj_crc32(0, stj_network_frozen(run->net),
                               stj_network_n_frozen(run->net) * sizeof(real)));
    if (run->config.trajectory.states) {
        const struct stj_keep_config *keep = &run->config.trajectory;
        stj_text_add(extra, sizeof extra, "states: one for every %zu, crc32 %08" PRIx32 "\n",
                     keep->has_every ? keep->every : 1, run->given.crc);
    }
    size_t bytes = strlen(recipe) + 4 * HEAD_BYTES;
    STJ_MUST(stj_new(identity, bytes, 1, err));
    snprintf(*identity, bytes, "numerics: %d, %zu bits\n%stheta0: %zu, crc32 %08" PRIx32 "\n%s%s",
             NUMERICS_VERSION, 8 * sizeof(real), sets, n, stj_crc32(0, theta, n * sizeof *theta),
             extra, recipe);
    return STJ_OK;
}

enum stj_status stj_run_recorded_identity(const struct stj_trajectory_about *about, char **identity,
                                          struct stj_error *err)
{
    STJ_HELD(stj_run_config_free) struct stj_run_config config = {0};
    STJ_FREED char *recipe = NULL;
    /* The lines before the recipe say what data and theta_0 were. */
    const char *network = strstr(about->identity, "\nnetwork:\n");
    const char *found = network ? network : strstr(about->identity, "\nproblem:\n");
    size_t head = found ? (size_t)(found - about->identity) + 1 : strlen(about->identity);
    STJ_MUST(
        stj_run_config_parse(about->config, "the config in " STJ_TRAJECTORY_NAME, &config, err));
    STJ_MUST(stj_run_config_print_recipe(&config, &recipe, err));
    size_t bytes = head + strlen(recipe) + 1;
    STJ_MUST(stj_new(identity, bytes, 1, err));
    memcpy(*identity, about->identity, head);
    memcpy(*identity + head, recipe, strlen(recipe));
    return STJ_OK;
}

/* 64-bit FNV-1a (Fowler, Noll and Vo): against mix-ups, not against forgers. */
void stj_run_fingerprint(const char *identity, char fingerprint[STJ_FINGERPRINT_BYTES])
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *c = identity; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    snprintf(fingerprint, STJ_FINGERPRINT_BYTES, "%016" PRIx64, hash);
}

bool stj_run_has_made(const struct stj_run_info *info, const char *fingerprint)
{
    return !info->fingerprint || strcmp(info->fingerprint, fingerprint) == 0 ||
           (info->earlier && strlen(fingerprint) == STJ_FINGERPRINT_BYTES - 1 &&
            strstr(info->earlier, fingerprint));
}

const char *stj_run_fingerprint_at(const struct stj_run *run, size_t to,
                                   char fingerprint[STJ_FINGERPRINT_BYTES])
{
    const char *line = run->about.earlier;
    size_t steps = 0;
    for (; line && *line; line = strchr(line, '\n') + 1)
        if (sscanf(line, "%zu %16s", &steps, fingerprint) == 2 && to <= steps)
            return fingerprint;
    snprintf(fingerprint, STJ_FINGERPRINT_BYTES, "%s", run->about.fingerprint);
    return fingerprint;
}

/* Length of the line that starts at `text`, without its newline. */
static int line_length(const char *text)
{
    return (int)strcspn(text, "\n");
}

void stj_run_difference(const char *now, const char *recorded, char *text, size_t size)
{
    text[0] = '\0';
    while (*now && *recorded) {
        int n = line_length(now);
        int m = line_length(recorded);
        if (n != m || memcmp(now, recorded, (size_t)n) != 0)
            break;
        now += n + (now[n] == '\n');
        recorded += m + (recorded[m] == '\n');
    }
    if (!*now && !*recorded)
        return;
    now += strspn(now, " ");
    recorded += strspn(recorded, " ");
    snprintf(text, size, "\"%.*s\" where the run has \"%.*s\"", line_length(now), now,
             line_length(recorded), recorded);
}
