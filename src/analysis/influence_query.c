/* SPDX-License-Identifier: GPL-3.0-or-later */
/* analysis/influence_query.c: losses and outputs as queries.
 *
 * Nothing is dropped, and the L2 penalty is no part of a loss.  Where the samples of a batch depend
 * on each other, the batch is the whole data set, as for the losses that a run reports; a loss of
 * some of its rows would have other statistics, so there is none.
 *
 * A query that is an array is named with a checksum of its numbers, which a stored result is found by.
 */
#include "analysis/influence_query.h"

#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/crc.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/matrix.h"
#include "op/function_jacobian.h"
#include "op/operator.h"

size_t stj_queries_count(const char *text)
{
    size_t n = 1;
    for (const char *c = text; c && *c; c++)
        n += *c == '+';
    return n;
}

void stj_queries_free(size_t n, struct stj_query *query)
{
    for (size_t i = 0; query && i < n; i++) {
        free(query[i].row);
        free(query[i].vector);
    }
    free(query);
}

/* *value <- the number that *text begins with, which goes past it. */
static bool take_number(const char **text, size_t *value)
{
    char *end = NULL;
    if (**text < '0' || **text > '9')
        return false;
    const unsigned long long x = strtoull(*text, &end, 10);
    *value = (size_t)x;
    *text = end;
    return true;
}

static enum stj_status add_rows(struct stj_query *q, size_t first, size_t last,
                                struct stj_error *err)
{
    STJ_NEED(err, first <= last && last < q->data->n_rows, STJ_EINVAL,
             "rows %zu to %zu: the test data have rows 0 to %zu", first, last, q->data->n_rows - 1);
    for (size_t i = 0; i < q->n; i++)
        STJ_NEED(err, q->row[i] < first || q->row[i] > last, STJ_EINVAL,
                 "row %zu is named twice: leave it out once", q->row[i]);
    STJ_MUST(stj_resize(&q->row, q->n, q->n + last - first + 1, sizeof *q->row, err));
    for (size_t i = first; i <= last; i++)
        q->row[q->n++] = i;
    return STJ_OK;
}

/* "3,7,20-29" */
static enum stj_status take_rows(struct stj_query *q, const char *text, struct stj_error *err)
{
    size_t first = 0, last = 0;
    for (const char *c = text;; c++) {
        bool good = take_number(&c, &first);
        last = first;
        if (good && *c == '-') {
            c++;
            good = take_number(&c, &last);
        }
        STJ_NEED(err, good && (*c == ',' || !*c), STJ_EINVAL,
                 "'test:%s': rows are numbers from 0 and ranges of them, as test:3,7,20-29", text);
        STJ_MUST(add_rows(q, first, last, err));
        if (!*c)
            return STJ_OK;
    }
}

/* "3,7" */
static enum stj_status take_output(const struct stj_run *run, struct stj_query *q, const char *text,
                                   struct stj_error *err)
{
    const size_t n_out = stj_shape_size(stj_network_output(run->net));
    const char *c = text;
    size_t row = 0;
    const bool good = take_number(&c, &row) && *c++ == ',' && take_number(&c, &q->output) && !*c;
    STJ_NEED(err, good, STJ_EINVAL, "'logit:%s': give a test row and a class, as logit:3,7", text);
    STJ_NEED(err, q->output < n_out, STJ_EINVAL, "class %zu: the network has outputs 0 to %zu",
             q->output, n_out - 1);
    q->logit = true;
    return add_rows(q, row, row, err);
}

/* "parameters:FILE", "parameters FILE" or that with "#" and a checksum of 8 digits behind it. */
static const char vector_word[] = "parameters";
enum { VECTOR_WORD = sizeof vector_word - 1, PIN = 9 };

static bool is_vector(const char *word)
{
    return strncmp(word, vector_word, VECTOR_WORD) == 0 &&
           (word[VECTOR_WORD] == ':' || word[VECTOR_WORD] == ' ');
}

/* Where "#1a2b3c4d" is at the end of a word of so many characters; NULL: it is not. */
static const char *find_pin(const char *word, size_t length)
{
    const char *pin = length > PIN ? word + length - PIN : NULL;
    return pin && *pin == '#' && strspn(pin + 1, "0123456789abcdef") >= PIN - 1 ? pin : NULL;
}

static enum stj_status read_vector(const char *file, struct stj_matrix *matrix, uint32_t *crc,
                                   struct stj_error *err)
{
    STJ_MUST(stj_matrix_read(file, matrix, err));
    *crc = stj_crc32(0, matrix->data, matrix->rows * matrix->cols * sizeof *matrix->data);
    return STJ_OK;
}

static enum stj_status take_vector(const struct stj_run *run, struct stj_query *q, const char *word,
                                   struct stj_error *err)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    STJ_FREED char *file = NULL;
    const size_t n = stj_network_n_params(run->net);
    const char *pin = find_pin(word, strlen(word));
    uint32_t crc = 0;
    STJ_MUST(stj_strdup(&file, word + VECTOR_WORD + 1, err));
    if (pin)
        file[pin - word - VECTOR_WORD - 1] = '\0';
    STJ_NEED(err, *file && !strpbrk(file, " \t"), STJ_EINVAL,
             "'%s': give the name of an array's file, without blanks, as parameters:q.npy", word);
    STJ_MUST(read_vector(file, &matrix, &crc, err));
    STJ_NEED(err, matrix.rows * matrix.cols == n, STJ_EINVAL,
             "%s has %zu numbers, the network has %zu parameters: give one for each", file,
             matrix.rows * matrix.cols, n);
    STJ_NEED(err, !pin || strtoul(pin + 1, NULL, 16) == crc, STJ_EINVAL,
             "%s does not hold the numbers that the query '%s' was of: leave out %s", file, word,
             pin);
    q->vector = matrix.data;
    matrix.data = NULL;
    return STJ_OK;
}

/* A word <- the text's, pinned where it can be. */
static void write_pinned(FILE *out, const char *word)
{
    STJ_HELD(stj_matrix_free) struct stj_matrix matrix = {0};
    uint32_t crc = 0;
    const bool pins = is_vector(word) && !find_pin(word, strlen(word)) &&
                      read_vector(word + VECTOR_WORD + 1, &matrix, &crc, NULL) == STJ_OK;
    if (is_vector(word))
        fprintf(out, "%s:%s", vector_word, word + VECTOR_WORD + 1);
    else
        fputs(word, out);
    if (pins)
        fprintf(out, "#%08x", (unsigned)crc);
}

void stj_queries_pin(char **text)
{
    STJ_HELD(stj_text_drop) struct stj_text_output out = {0};
    STJ_FREED char *copy = NULL, *pinned = NULL;
    if (!*text || !strstr(*text, vector_word) || stj_strdup(&copy, *text, NULL) != STJ_OK ||
        stj_text_open(&out, NULL) != STJ_OK)
        return;
    for (char *word = copy, *end = copy; end; word = end + 1) {
        end = strchr(word, '+');
        if (end)
            *end = '\0';
        write_pinned(out.file, word);
        if (end)
            fputc('+', out.file);
    }
    if (stj_text_take(&out, &pinned, NULL) != STJ_OK)
        return;
    free(*text);
    *text = pinned;
    pinned = NULL;
}

static enum stj_status make_query(const struct stj_run *run, const char *word, struct stj_query *q,
                                  struct stj_error *err)
{
    const bool rows = strncmp(word, "test:", 5) == 0, logit = strncmp(word, "logit:", 6) == 0;
    const bool train = strcmp(word, "train_loss") == 0;
    if (is_vector(word))
        return take_vector(run, q, word, err);
    STJ_NEED(err, rows || logit || train || strcmp(word, "test_loss") == 0, STJ_EINVAL,
             "there is no query '%s': give " STJ_QUERY_DOC, word);
    if (rows || logit)
        STJ_MUST(stj_run_need_network(run, word, err));
    STJ_NEED(err, train || run->test, STJ_EINVAL,
             "the run has no test data, which '%s' is about: give --query train_loss", word);
    STJ_NEED(err, !rows || !stj_network_couples_samples(run->net), STJ_EUNSUPPORTED,
             "'%s': the samples of a batch depend on each other in this network (batch_norm), so "
             "some rows have no loss of their own: ask for test_loss or logit:ROW,CLASS",
             word);
    q->data = train ? run->train : run->test;
    if (rows)
        return take_rows(q, word + 5, err);
    return logit ? take_output(run, q, word + 6, err) : STJ_OK;
}

enum stj_status stj_queries_make(const struct stj_run *run, const char *text,
                                 struct stj_query **query, size_t *n, struct stj_error *err)
{
    STJ_FREED char *copy = NULL;
    *n = stj_queries_count(text);
    STJ_MUST(stj_new(query, *n, sizeof **query, err));
    STJ_MUST(stj_strdup(&copy, text, err));
    char *word = copy;
    for (size_t i = 0; i < *n; i++) {
        char *end = word + strcspn(word, "+");
        *end = '\0';
        STJ_MUST(make_query(run, word, &(*query)[i], err));
        word = end + 1;
    }
    return STJ_OK;
}

/* The output of a row, and its gradient: a row of the function's Jacobian. */
static enum stj_status evaluate_logit(const struct stj_run *run, const struct stj_query *q,
                                      const double *theta, double *value, double *gradient,
                                      struct stj_error *err)
{
    STJ_HELD(stj_op_destroy_at) struct stj_op *op = NULL;
    STJ_FREED real *x = NULL, *lin = NULL, *z = NULL, *scratch = NULL, *point = NULL;
    STJ_FREED double *unit = NULL;
    const bool all = stj_network_couples_samples(run->net);
    const size_t n = all ? q->data->n_rows : 1, n_in = q->data->n_features;
    const size_t n_out = stj_shape_size(stj_network_output(run->net));
    const size_t n_params = stj_network_n_params(run->net);
    const size_t at = (all ? q->row[0] * n_out : 0) + q->output;
    const double *from = q->data->inputs + (all ? 0 : q->row[0] * n_in);
    STJ_MUST(stj_new(&x, n * n_in, sizeof *x, err));
    STJ_MUST(stj_new(&z, n * n_out, sizeof *z, err));
    STJ_MUST(stj_new(&unit, n * n_out, sizeof *unit, err));
    STJ_MUST(stj_new(&point, n_params, sizeof *point, err));
    STJ_MUST(stj_new(&lin, stj_network_n_linear(run->net, n), sizeof *lin, err));
    STJ_MUST(stj_new(&scratch, stj_network_n_scratch(run->net, n, 0), sizeof *scratch, err));
    for (size_t i = 0; i < n * n_in; i++)
        x[i] = (real)from[i];
    for (size_t i = 0; i < n_params; i++)
        point[i] = (real)theta[i];
    const struct stj_batch b = {.whole = n, .batch = n, .evaluate = true, .x = x};
    stj_network_predict(run->net, &b, point, lin, z, scratch);
    *value = (double)z[at];
    if (!gradient)
        return STJ_OK;
    unit[at] = 1;
    STJ_MUST(stj_function_jacobian_create(run->net, n, x, theta, &op, err));
    return stj_op_apply(op, STJ_TRANS, 1, unit, n * n_out, gradient, n_params, err);
}

enum stj_status stj_query_evaluate(const struct stj_run *run, const struct stj_query *query,
                                   const double *theta, double *value, double *gradient,
                                   struct stj_error *err)
{
    const size_t n = stj_network_n_params(run->net);
    if (query->vector) {
        *value = stj_dot(n, query->vector, theta);
        if (gradient)
            memcpy(gradient, query->vector, n * sizeof *gradient);
        return STJ_OK;
    }
    if (query->logit)
        return evaluate_logit(run, query, theta, value, gradient, err);
    if (run->config.has_problem)
        return stj_run_process_loss(run, query->data, theta, value, gradient, err);
    return stj_evaluate_gradient(run->net, query->data, query->n, query->row, theta, value,
                                 gradient, err);
}
