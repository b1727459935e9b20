/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/runbars.c: what a run's Jacobian and files do under budgets and damage, measured: for trajectory-bars.sh.
 *
 *   runbars products RUN MEMORY       J x and J'y of a seeded pair with so much memory: one JSON object with the
 *                                     policy, checksums of both products, times and the peak of the process
 *   runbars states RUN                the least MEMORY that holds every state, for the same, and the least of all
 *   runbars flips RUN COUNT SEED      COUNT random bytes of trajectory.h5, one flipped at a time: opening and
 *                                     reading it must fail and name it, or give what it gave before
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <spectraj.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/rng.h"

static struct stj_error err = STJ_ERROR_INIT;

static void must(enum stj_status st)
{
    if (st == STJ_OK)
        return;
    fprintf(stderr, "runbars: %s\n", err.text);
    exit(1);
}

static void *room(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        exit(99);
    return p;
}

static size_t peak_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (size_t)usage.ru_maxrss * 1024;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static struct stj_run *open_run(const char *dir)
{
    struct stj_run *run = NULL;
    must(stj_run_open(dir, &run, &err));
    return run;
}

static struct stj_storage storage_of(const struct stj_run *run, size_t memory)
{
    struct stj_storage storage;
    must(stj_run_storage(run, 0, 0, memory, 1, &storage, &err));
    return storage;
}

/* ---- products ---- */

/* The best of three, after one that fills what is kept. */
static double time_of(struct stj_op *op, enum stj_trans trans, const double *x, double *y,
                      double *cpu)
{
    const size_t n = stj_op_n_rows(op);
    double best = 0;
    for (int again = 0; again < 4; again++) {
        const double began = stj_clock();
        const double began_cpu = cpu_seconds();
        must(stj_op_apply(op, trans, 1, x, n, y, n, &err));
        const double seconds = stj_clock() - began;
        const double used = cpu_seconds() - began_cpu;
        best = again <= 1 || seconds < best ? seconds : best;
        *cpu = again <= 1 || used < *cpu ? used : *cpu;
    }
    return best;
}

static int products(const char *dir, size_t memory)
{
    struct stj_run *run = open_run(dir);
    const size_t resident = peak_bytes();
    const struct stj_storage s = storage_of(run, memory);
    struct stj_op *op = NULL;
    struct stj_rng *rng = NULL;
    double cpu_jvp, cpu_vjp;
    must(stj_run_jacobian(run, 0, 0, memory, &op, &err));
    const size_t n = stj_op_n_rows(op);
    double *x = room(4 * n, sizeof *x);
    must(stj_rng_create(1, STJ_STREAM_CHECK, 0, &rng, &err));
    stj_rng_fill_normal(rng, 2 * n, x);
    stj_rng_destroy(rng);
    const double jvp = time_of(op, STJ_NO_TRANS, x, x + 2 * n, &cpu_jvp);
    const double vjp = time_of(op, STJ_TRANS, x + n, x + 3 * n, &cpu_vjp);
    struct stj_storage after;
    stj_run_get_divergence(run, &after);
    printf("{\"policy\": \"%s\", \"states\": %zu, \"stored\": %zu, \"held\": %zu, "
           "\"kept_steps\": %zu, \"jvp\": \"%08" PRIx32 "\", \"vjp\": \"%08" PRIx32 "\", "
           "\"jvp_seconds\": %.4f, \"vjp_seconds\": %.4f, \"jvp_cpu\": %.4f, \"vjp_cpu\": %.4f, "
           "\"peak\": %zu, \"resident\": %zu, \"budget\": %zu, \"state_bytes\": %zu, "
           "\"linear_bytes\": %zu, \"work_bytes\": %zu, \"diverged\": %s}\n",
           stj_storage_text(s.policy), s.states, s.stored, s.held, s.kept_steps,
           stj_crc32(0, x + 2 * n, n * sizeof *x), stj_crc32(0, x + 3 * n, n * sizeof *x), jvp, vjp,
           cpu_jvp, cpu_vjp, peak_bytes(), resident, s.budget, s.state_bytes, s.linear_bytes,
           s.work_bytes, after.diverged ? "true" : "false");
    free(x);
    stj_op_destroy(op);
    stj_run_destroy(run);
    return 0;
}

/* The smallest budget with the policy `memory`: no linearisations are kept then but what a sweep needs. */
static int states(const char *dir)
{
    struct stj_run *run = open_run(dir);
    const size_t least = storage_of(run, (size_t)1 << 40).minimum;
    size_t low = least;
    size_t high = (size_t)1 << 40;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (storage_of(run, middle).policy == STJ_STORAGE_MEMORY)
            high = middle;
        else
            low = middle;
    }
    printf("%zu %zu\n", high, least);
    stj_run_destroy(run);
    return 0;
}

/* ---- flips ---- */

/* Everything that a run says of its training. */
struct content {
    struct stj_run_info info;
    uint32_t crc; /* of states and losses */
};

static enum stj_status read_content(const char *dir, struct content *c)
{
    struct stj_run *run = NULL;
    enum stj_status st = stj_run_open(dir, &run, &err);
    double *theta = NULL;
    if (st != STJ_OK)
        return st;
    stj_run_get_info(run, &c->info);
    theta = room(c->info.n_params, sizeof *theta);
    c->crc = stj_crc32(0, stj_run_loss_curve(run), c->info.n_steps * sizeof(double));
    for (size_t t = 0; st == STJ_OK && t <= c->info.n_steps; t++) {
        st = stj_run_theta(run, t, theta, &err);
        c->crc = stj_crc32(c->crc, theta, c->info.n_params * sizeof *theta);
    }
    c->crc = stj_crc32(c->crc, c->info.fingerprint, strlen(c->info.fingerprint));
    c->crc = stj_crc32(c->crc, c->info.version, strlen(c->info.version));
    c->crc = stj_crc32(c->crc, c->info.blas, strlen(c->info.blas));
    stj_run_destroy(run);
    free(theta);
    return st;
}

static bool same(const struct content *a, const struct content *b)
{
    return a->crc == b->crc && a->info.n_params == b->info.n_params &&
           a->info.n_steps == b->info.n_steps &&
           memcmp(&a->info.train_loss, &b->info.train_loss, sizeof a->info.train_loss) == 0 &&
           memcmp(&a->info.test_loss, &b->info.test_loss, sizeof a->info.test_loss) == 0 &&
           memcmp(&a->info.seconds, &b->info.seconds, sizeof a->info.seconds) == 0 &&
           a->info.imported.n_states == b->info.imported.n_states &&
           a->info.imported.deviation == b->info.imported.deviation &&
           a->info.imported.tolerance == b->info.imported.tolerance;
}

static int flips(const char *dir, size_t count, uint64_t seed)
{
    char path[4096];
    struct content before = {0};
    struct stj_rng *rng = NULL;
    size_t refused = 0, unchanged = 0;
    snprintf(path, sizeof path, "%s/trajectory.h5", dir);
    must(read_content(dir, &before));
    const int fd = open(path, O_RDWR);
    const off_t size = lseek(fd, 0, SEEK_END);
    must(stj_rng_create(seed, STJ_STREAM_CHECK, 0, &rng, &err));
    for (size_t k = 0; k < count; k++) {
        const off_t i = (off_t)stj_rng_index(rng, (size_t)size);
        unsigned char byte = 0;
        struct content now = {0};
        if (pread(fd, &byte, 1, i) != 1)
            return 99;
        const unsigned char other = (unsigned char)(byte ^ (1 + stj_rng_index(rng, 255)));
        if (pwrite(fd, &other, 1, i) != 1)
            return 99;
        const enum stj_status st = read_content(dir, &now);
        const bool named =
            st != STJ_OK && strstr(err.text, "trajectory.h5") && !strchr(err.text, '\n');
        if (!(st == STJ_OK ? same(&before, &now) : named)) {
            fprintf(stderr, "runbars: seed %" PRIu64 ", byte %jd of %jd: %s %s\n", seed,
                    (intmax_t)i, (intmax_t)size, stj_status_name(st), err.text);
            return 1;
        }
        refused += st != STJ_OK;
        unchanged += st == STJ_OK;
        stj_error_clear(&err);
        if (pwrite(fd, &byte, 1, i) != 1)
            return 99;
    }
    stj_rng_destroy(rng);
    close(fd);
    printf("%zu flips of %jd bytes: %zu refused by name, %zu without effect on any value\n", count,
           (intmax_t)size, refused, unchanged);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "products") == 0)
        return products(argv[2], strtoull(argv[3], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "states") == 0)
        return states(argv[2]);
    if (argc == 5 && strcmp(argv[1], "flips") == 0)
        return flips(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    fprintf(stderr, "usage: see the head of tests/runbars.c\n");
    return 99;
}
