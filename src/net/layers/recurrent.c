/* SPDX-License-Identifier: GPL-3.0-or-later */
/* net/layers/recurrent.c: recurrent layers over the positions of a sequence: rnn, lstm
 * (Hochreiter and Schmidhuber 1997) and gru (Cho et al. 2014), as in PyTorch.
 *
 * For x [positions][in], states h_t [units] with h_0 = c_0 = 0, A = X W_i + 1 b_i' of all positions
 * and b_t = W_h' h_(t-1) + b_h, in parts of `units` numbers, s the logistic function, products
 * elementwise:
 *
 *     rnn    h = f(a + b),   f tanh or relu
 *     lstm   i, f, g, o = s, s, tanh, s of the parts of a + b;   c = f c_(t-1) + i g,   h = o tanh c
 *     gru    r, z = s of the first two parts of a + b,   n = tanh(a_3 + r b_3),
 *            h = (1 - z) n + z h_(t-1)
 *
 * and y_t = h_t.  One layer and not a group of nodes: T steps of a node each would make a network of
 * T nodes, and its products with W_i could not be one for all positions, as here.
 *
 * Adjoints go backwards through the steps.  The cell's part of a step is written once, in numbers
 * (v, d) with d the derivative along a tangent: its adjoint in them is backward where d = 0, and
 * else backward_tangent.  This sees W_i and W_h through the matrices A_bar and B_bar [positions][.],
 * the adjoints of A and of the b_t: what is left is dense layers of X and of the h_(t-1), dense.c.
 * backward_tangent makes the tangents of forward again.
 *
 * Saved of each step, [n_kept][units]: rnn h; lstm i f g o c tanh c; gru r z n b_3.
 * Cost: two dense layers, of which the second is in as many products as there are positions.
 */
#include "net/layers/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/blas.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/target_clones.h"
#include "net/initializer.h"
#include "net/kernels.h"
#include "net/layers/dense.h"
#include "net/vector_math.h"

enum cell { RNN, LSTM, GRU };

struct recurrent_config {
    size_t units;
    int nonlinearity; /* of rnn: 0 tanh, 1 relu */
    bool bias, reverse;
    struct stj_plugin kernel_init, bias_init;
};

#define COMMON_OPTIONS                                                                             \
    {.name = "units",                                                                              \
     .type = STJ_OPTION_SIZE,                                                                      \
     .offset = offsetof(struct recurrent_config, units),                                           \
     .min = 1,                                                                                     \
     .max = 1e9,                                                                                   \
     .doc = "numbers of the state, and outputs at each position"},                                 \
        {.name = "bias",                                                                           \
         .type = STJ_OPTION_BOOL,                                                                  \
         .offset = offsetof(struct recurrent_config, bias),                                        \
         .fallback = "true",                                                                       \
         .doc = "whether there are two biases, beside each kernel one"},                           \
        {.name = "reverse",                                                                        \
         .type = STJ_OPTION_BOOL,                                                                  \
         .offset = offsetof(struct recurrent_config, reverse),                                     \
         .fallback = "false",                                                                      \
         .doc = "from the last position to the first, as the second half of a bidirectional one"}, \
        {.name = "kernel_init",                                                                    \
         .type = STJ_OPTION_PLUGIN,                                                                \
         .offset = offsetof(struct recurrent_config, kernel_init),                                 \
         .fallback = "lecun_normal",                                                               \
         .kind = &stj_initializers,                                                                \
         .doc = "initialiser of the kernels [in][gates units] and [units][gates units]"},          \
    {                                                                                              \
        .name = "bias_init", .type = STJ_OPTION_PLUGIN,                                            \
        .offset = offsetof(struct recurrent_config, bias_init), .fallback = "zeros",               \
        .kind = &stj_initializers, .doc = "initialiser of the biases [gates units]"                \
    }

static const char *const nonlinearities[] = {"tanh", "relu", NULL};

#define OPTION(...) STJ_OPTION_ROW(struct recurrent_config, __VA_ARGS__)
static const struct stj_option gated_options[] = {
    COMMON_OPTIONS,
    {.name = NULL},
};

static const struct stj_option rnn_options[] = {
    COMMON_OPTIONS,
    OPTION("nonlinearity", CHOICE, nonlinearity, "tanh", "what makes the state of the sum",
           .choices = nonlinearities),
    {.name = NULL},
};

static void sample(struct stj_rng *rng, const char *type, const char *more, char *text, size_t size)
{
    snprintf(
        text, size,
        "{input: [%zu, %zu], layers: [{type: %s, units: %zu, bias: %s, reverse: %s, bias_init: "
        "normal%s}]}",
        1 + stj_rng_index(rng, 4), 1 + stj_rng_index(rng, 3), type, 1 + stj_rng_index(rng, 4),
        stj_rng_index(rng, 2) ? "true" : "false", stj_rng_index(rng, 2) ? "true" : "false", more);
}

static void rnn_sample(struct stj_rng *rng, char *text, size_t size)
{
    sample(rng, "rnn", stj_rng_index(rng, 2) ? ", nonlinearity: relu" : "", text, size);
}

static void lstm_sample(struct stj_rng *rng, char *text, size_t size)
{
    sample(rng, "lstm", "", text, size);
}

static void gru_sample(struct stj_rng *rng, char *text, size_t size)
{
    sample(rng, "gru", "", text, size);
}

static enum cell cell_of(const struct stj_layer *layer)
{
    return layer->ops == &stj_layer_lstm ? LSTM : layer->ops == &stj_layer_gru ? GRU : RNN;
}

static size_t n_gates(enum cell cell)
{
    return cell == LSTM ? 4 : cell == GRU ? 3 : 1;
}

static size_t n_kept(enum cell cell)
{
    return cell == LSTM ? 6 : cell == GRU ? 4 : 1;
}

static enum stj_status recurrent_setup(struct stj_layer *layer, const struct stj_shape *in2,
                                       struct stj_error *err)
{
    (void)in2;
    const struct recurrent_config *config = layer->config;
    const enum cell cell = cell_of(layer);
    char text[96];
    size_t n = 0;
    STJ_NEED(err, layer->in.n_dims == 2, STJ_ECONFIG,
             "its input is %s, it needs [positions, channels]", stj_shape_text(&layer->in, text));
    STJ_MUST(stj_size_mul(n_gates(cell), config->units, &n, err));
    STJ_MUST(stj_blas_fits(n, "the number of its gates", err));
    const size_t in[] = {stj_shape_cols(&layer->in), config->units};
    static const char *const bias[] = {"input_bias", "hidden_bias"};
    static const char *const kernel[] = {"input_kernel", "hidden_kernel"};
    for (size_t k = 0; k < 2; k++) {
        size_t size = 0;
        STJ_MUST(stj_size_mul(in[k], n, &size, err));
        STJ_MUST(stj_blas_fits(size, "the size of its kernel", err));
        if (config->bias)
            stj_layer_add_tensor(layer, bias[k], 1, n, in[k], n, &config->bias_init);
        stj_layer_add_tensor(layer, kernel[k], in[k], n, in[k], n, &config->kernel_init)->role =
            STJ_TENSOR_DENSE;
    }
    layer->out = (struct stj_shape){.n_dims = 2, .dim = {layer->in.dim[0], config->units}};
    layer->n_saved = layer->in.dim[0] * n_kept(cell) * config->units;
    return STJ_OK;
}

/* ---- the layer's sizes and work space ---- */

struct view {
    enum cell cell;
    bool relu, reverse;
    size_t batch, steps, n, gates,
        kept; /* n units; gates and kept: numbers of a step, not of parts */
    size_t nvec;
    struct stj_layer input, hidden; /* the two dense layers */
    size_t hidden_theta;            /* offset of the second one's parameters */
    /* Of all steps: [batch][steps][.], tangents [batch][steps][nvec][.] */
    real *a, *b, *prev; /* A, then A_bar; B_bar, which is A_bar but for gru; h_(t-1) */
    real *a_dot, *b_dot, *prev_dot, *kept_dot;
    /* Of one step: [batch][.], [batch][nvec][.] */
    real *part, *part_dot; /* b_t */
    real *h, *h_dot;       /* h_(t-1), or the adjoint of h_t from the steps after it */
    real *bar, *bar_dot;   /* the adjoint of h_t */
    real *c[2], *c_dot[2]; /* adjoints of c: before and after a step */
    real *zeros;           /* [n] */
};

/* A dense layer of this layer's tensors from number `first` on. */
static struct stj_layer dense_of(const struct stj_layer *layer, size_t first, size_t in)
{
    const bool bias = ((const struct recurrent_config *)layer->config)->bias;
    struct stj_layer dense = {.n_tensors = bias ? 2 : 1};
    for (size_t k = 0; k < dense.n_tensors; k++)
        dense.tensor[k] = layer->tensor[first + k];
    const struct stj_tensor *kernel = &dense.tensor[dense.n_tensors - 1];
    dense.in = (struct stj_shape){.n_dims = 2, .dim = {layer->in.dim[0], in}};
    dense.out = (struct stj_shape){.n_dims = 2, .dim = {layer->in.dim[0], kernel->cols}};
    return dense;
}

static real *take(real **next, size_t n)
{
    real *at = *next;
    *next += n;
    return at;
}

static struct view view_of(const struct stj_layer *layer, size_t batch, size_t nvec, real *scratch)
{
    const struct recurrent_config *config = layer->config;
    const enum cell cell = cell_of(layer);
    struct view v = {.cell = cell,
                     .relu = config->nonlinearity == 1,
                     .reverse = config->reverse,
                     .batch = batch,
                     .steps = layer->in.dim[0],
                     .n = config->units,
                     .gates = n_gates(cell) * config->units,
                     .kept = n_kept(cell) * config->units,
                     .nvec = nvec};
    real *next = scratch;
    const size_t all = batch * v.steps;
    v.input = dense_of(layer, 0, stj_shape_cols(&layer->in));
    v.hidden = dense_of(layer, v.input.n_tensors, v.n);
    v.hidden_theta = layer->tensor[v.input.n_tensors].offset;
    v.a = take(&next, all * v.gates);
    v.b = cell == GRU ? take(&next, all * v.gates) : v.a;
    v.prev = take(&next, all * v.n);
    v.a_dot = take(&next, all * nvec * v.gates);
    v.b_dot = cell == GRU ? take(&next, all * nvec * v.gates) : v.a_dot;
    v.prev_dot = take(&next, all * nvec * v.n);
    v.kept_dot = take(&next, all * nvec * v.kept);
    v.part = take(&next, batch * v.gates);
    v.part_dot = take(&next, batch * nvec * v.gates);
    v.h = take(&next, batch * v.n);
    v.h_dot = take(&next, batch * nvec * v.n);
    v.bar = take(&next, batch * v.n);
    v.bar_dot = take(&next, batch * nvec * v.n);
    for (size_t k = 0; k < 2; k++) {
        v.c[k] = take(&next, batch * v.n);
        v.c_dot[k] = take(&next, batch * nvec * v.n);
    }
    v.zeros = take(&next, v.n);
    memset(v.zeros, 0, v.n * sizeof *v.zeros);
    return v;
}

/* What view_of takes. */
static size_t recurrent_n_scratch(const struct stj_layer *layer, size_t batch, size_t nvec)
{
    const struct recurrent_config *config = layer->config;
    const enum cell cell = cell_of(layer);
    const size_t n = config->units;
    const size_t gates = n_gates(cell) * n;
    const size_t of_step = (cell == GRU ? 2 : 1) * gates + n;
    const size_t all = batch * layer->in.dim[0];
    const size_t values = all * of_step + batch * (gates + 4 * n);
    return values + nvec * (values + all * n_kept(cell) * n) + n;
}

/* Row of step t of sample s in an array of all steps. */
static size_t row_of(const struct view *v, size_t s, size_t t)
{
    return s * v->steps + (v->reverse ? v->steps - 1 - t : t);
}

/* ---- forward ---- */

STJ_CLONES static void rnn_forward(size_t n, bool relu, const real *restrict a,
                                   const real *restrict b, real *restrict kept, real *restrict y)
{
    for (size_t c = 0; c < n; c++) {
        const double z = (double)(a[c] + b[c]);
        y[c] = kept[c] = (real)(relu ? (z < 0 ? 0 : z) : stj_tanh(z));
    }
}

STJ_CLONES static void lstm_forward(size_t n, const real *restrict a, const real *restrict b,
                                    const real *c_prev, real *restrict kept, real *restrict y)
{
    for (size_t c = 0; c < n; c++) {
        const double i = stj_logistic((double)(a[c] + b[c])).value;
        const double f = stj_logistic((double)(a[n + c] + b[n + c])).value;
        const double g = stj_tanh((double)(a[2 * n + c] + b[2 * n + c]));
        const double o = stj_logistic((double)(a[3 * n + c] + b[3 * n + c])).value;
        const double state = f * (double)c_prev[c] + i * g;
        const double bounded = stj_tanh(state);
        kept[c] = (real)i;
        kept[n + c] = (real)f;
        kept[2 * n + c] = (real)g;
        kept[3 * n + c] = (real)o;
        kept[4 * n + c] = (real)state;
        kept[5 * n + c] = (real)bounded;
        y[c] = (real)(o * bounded);
    }
}

STJ_CLONES static void gru_forward(size_t n, const real *restrict a, const real *restrict b,
                                   const real *h_prev, real *restrict kept, real *restrict y)
{
    for (size_t c = 0; c < n; c++) {
        const double r = stj_logistic((double)(a[c] + b[c])).value;
        const double z = stj_logistic((double)(a[n + c] + b[n + c])).value;
        const double q = (double)b[2 * n + c];
        const double m = stj_tanh((double)a[2 * n + c] + r * q);
        kept[c] = (real)r;
        kept[n + c] = (real)z;
        kept[2 * n + c] = (real)m;
        kept[3 * n + c] = (real)q;
        y[c] = (real)((1 - z) * m + z * (double)h_prev[c]);
    }
}

/* What is kept of the step before, whose c is the state: `zeros` at the first step. */
static const real *c_before(const struct view *v, const real *kept, size_t s, size_t t, size_t j,
                            size_t nvec)
{
    return t == 0 || v->cell != LSTM ? v->zeros
                                     : kept + (row_of(v, s, t - 1) * nvec + j) * v->kept + 4 * v->n;
}

/* part <- b_t = W_h' h + b_h, from v->h; at the first step b_h alone. */
static void hidden_part(const struct view *v, const real *theta, size_t t)
{
    const real *kernel = theta + v->hidden_theta + (v->hidden.n_tensors == 2 ? v->gates : 0);
    if (v->hidden.n_tensors == 2)
        stj_rows_copy(v->batch, v->gates, theta + v->hidden_theta, v->part);
    else
        memset(v->part, 0, v->batch * v->gates * sizeof *v->part);
    if (t > 0)
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, v->batch, v->gates, v->n, 1, v->h, v->n,
                 kernel, v->gates, 1, v->part, v->gates);
}

static void recurrent_forward(const struct stj_layer *layer, real *y,
                              const struct stj_layer_values *at, real *scratch)
{
    const struct view v = view_of(layer, at->batch, 0, scratch);
    stj_dense_forward(&v.input, v.a, at, NULL);
    memset(v.h, 0, v.batch * v.n * sizeof *v.h);
    for (size_t t = 0; t < v.steps; t++) {
        hidden_part(&v, at->theta, t);
        for (size_t s = 0; s < v.batch; s++) {
            const size_t row = row_of(&v, s, t);
            const real *a = v.a + row * v.gates;
            const real *b = v.part + s * v.gates;
            real *kept = at->saved + row * v.kept;
            real *out = y + row * v.n;
            if (v.cell == LSTM)
                lstm_forward(v.n, a, b, c_before(&v, at->saved, s, t, 0, 1), kept, out);
            else if (v.cell == GRU)
                gru_forward(v.n, a, b, v.h + s * v.n, kept, out);
            else
                rnn_forward(v.n, v.relu, a, b, kept, out);
        }
        for (size_t s = 0; s < v.batch; s++)
            memcpy(v.h + s * v.n, y + row_of(&v, s, t) * v.n, v.n * sizeof *y);
    }
}

/* ---- tangents ---- */

/* Derivatives of what is kept, [kept], and of h, from those of a, b and of the step before. */
struct tangent {
    const real *kept, *c_prev, *h_prev; /* values */
    const real *a_dot, *b_dot, *c_dot, *h_prev_dot;
    real *kept_dot, *h_dot;
};

STJ_CLONES static void rnn_tangent(size_t n, bool relu, const struct tangent *w)
{
    real *restrict kept_dot = w->kept_dot;
    real *restrict h_dot = w->h_dot;
    for (size_t c = 0; c < n; c++) {
        const real h = w->kept[c];
        const real slope = relu ? (h > 0 ? 1 : 0) : (1 - h) * (1 + h);
        h_dot[c] = kept_dot[c] = slope * (w->a_dot[c] + w->b_dot[c]);
    }
}

STJ_CLONES static void lstm_tangent(size_t n, const struct tangent *w)
{
    real *restrict dot = w->kept_dot;
    real *restrict h_dot = w->h_dot;
    const real *kept = w->kept;
    for (size_t c = 0; c < n; c++) {
        const real i = kept[c];
        const real f = kept[n + c];
        const real g = kept[2 * n + c];
        const real o = kept[3 * n + c];
        const real bounded = kept[5 * n + c];
        const real i_dot = i * (1 - i) * (w->a_dot[c] + w->b_dot[c]);
        const real f_dot = f * (1 - f) * (w->a_dot[n + c] + w->b_dot[n + c]);
        const real g_dot = (1 - g) * (1 + g) * (w->a_dot[2 * n + c] + w->b_dot[2 * n + c]);
        const real o_dot = o * (1 - o) * (w->a_dot[3 * n + c] + w->b_dot[3 * n + c]);
        const real state = f_dot * w->c_prev[c] + f * w->c_dot[c] + i_dot * g + i * g_dot;
        const real bounded_dot = (1 - bounded) * (1 + bounded) * state;
        dot[c] = i_dot;
        dot[n + c] = f_dot;
        dot[2 * n + c] = g_dot;
        dot[3 * n + c] = o_dot;
        dot[4 * n + c] = state;
        dot[5 * n + c] = bounded_dot;
        h_dot[c] = o_dot * bounded + o * bounded_dot;
    }
}

STJ_CLONES static void gru_tangent(size_t n, const struct tangent *w)
{
    real *restrict dot = w->kept_dot;
    real *restrict h_dot = w->h_dot;
    const real *kept = w->kept;
    for (size_t c = 0; c < n; c++) {
        const real r = kept[c];
        const real z = kept[n + c];
        const real m = kept[2 * n + c];
        const real q = kept[3 * n + c];
        const real r_dot = r * (1 - r) * (w->a_dot[c] + w->b_dot[c]);
        const real z_dot = z * (1 - z) * (w->a_dot[n + c] + w->b_dot[n + c]);
        const real q_dot = w->b_dot[2 * n + c];
        const real m_dot = (1 - m) * (1 + m) * (w->a_dot[2 * n + c] + r_dot * q + r * q_dot);
        dot[c] = r_dot;
        dot[n + c] = z_dot;
        dot[2 * n + c] = m_dot;
        dot[3 * n + c] = q_dot;
        h_dot[c] = z_dot * (w->h_prev[c] - m) + (1 - z) * m_dot + z * w->h_prev_dot[c];
    }
}

/* part_dot <- the tangents of b_t, from h_(t-1) in v->prev and its tangents in v->h_dot. */
static void hidden_part_dot(const struct view *v, const real *theta, const real *theta_dot,
                            size_t t)
{
    const size_t bias = v->hidden.n_tensors == 2 ? v->gates : 0;
    const real *kernel = theta + v->hidden_theta + bias;
    const real *hidden_dot = theta_dot + v->nvec * v->hidden_theta;
    const size_t n = v->nvec * v->gates;
    if (bias)
        stj_rows_copy(v->batch, n, hidden_dot, v->part_dot);
    else
        memset(v->part_dot, 0, v->batch * n * sizeof *v->part_dot);
    if (t == 0)
        return;
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, v->batch, n, v->n, 1,
             v->prev + row_of(v, 0, t) * v->n, v->steps * v->n, hidden_dot + v->nvec * bias, n, 1,
             v->part_dot, n);
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_NO_TRANS, v->batch * v->nvec, v->gates, v->n, 1, v->h_dot,
             v->n, kernel, v->gates, 1, v->part_dot, v->gates);
}

static void step_tangent(const struct view *v, const struct stj_layer_values *at, size_t s,
                         size_t t, size_t j)
{
    const size_t row = row_of(v, s, t);
    const size_t row_dot = row * v->nvec + j;
    const struct tangent w = {
        .kept = at->saved + row * v->kept,
        .c_prev = c_before(v, at->saved, s, t, 0, 1),
        .h_prev = v->prev + row * v->n,
        .a_dot = v->a_dot + row_dot * v->gates,
        .b_dot = v->part_dot + (s * v->nvec + j) * v->gates,
        .c_dot = c_before(v, v->kept_dot, s, t, j, v->nvec),
        .h_prev_dot = v->prev_dot + row_dot * v->n,
        .kept_dot = v->kept_dot + row_dot * v->kept,
        .h_dot = v->h_dot + (s * v->nvec + j) * v->n,
    };
    memcpy(v->prev_dot + row_dot * v->n, w.h_dot, v->n * sizeof(real));
    if (v->cell == LSTM)
        lstm_tangent(v->n, &w);
    else if (v->cell == GRU)
        gru_tangent(v->n, &w);
    else
        rnn_tangent(v->n, v->relu, &w);
}

/* prev <- h_(t-1) at every step. */
static void make_prev(const struct view *v, const real *y)
{
    for (size_t s = 0; s < v->batch; s++)
        for (size_t t = 0; t < v->steps; t++)
            memcpy(v->prev + row_of(v, s, t) * v->n, t ? y + row_of(v, s, t - 1) * v->n : v->zeros,
                   v->n * sizeof *y);
}

/* kept_dot and prev_dot of all steps; y_dot, where it is not NULL. */
static void make_tangents(const struct view *v, const struct stj_layer_values *at,
                          const real *x_dot, const real *theta_dot, real *y_dot)
{
    make_prev(v, at->y);
    stj_dense_forward_tangent(&v->input, v->nvec, v->a_dot, at, x_dot, NULL, theta_dot, NULL);
    memset(v->h_dot, 0, v->batch * v->nvec * v->n * sizeof *v->h_dot);
    for (size_t t = 0; t < v->steps; t++) {
        hidden_part_dot(v, at->theta, theta_dot, t);
        for (size_t s = 0; s < v->batch; s++)
            for (size_t j = 0; j < v->nvec; j++)
                step_tangent(v, at, s, t, j);
        for (size_t s = 0; y_dot && s < v->batch; s++)
            memcpy(y_dot + row_of(v, s, t) * v->nvec * v->n, v->h_dot + s * v->nvec * v->n,
                   v->nvec * v->n * sizeof *y_dot);
    }
}

static void recurrent_forward_tangent(const struct stj_layer *layer, size_t nvec, real *y_dot,
                                      const struct stj_layer_values *at, const real *x_dot,
                                      const real *x2_dot, const real *theta_dot, real *scratch)
{
    (void)x2_dot;
    const struct view v = view_of(layer, at->batch, nvec, scratch);
    make_tangents(&v, at, x_dot, theta_dot, y_dot);
}

/* ---- adjoints, in numbers with a derivative ---- */

struct dual {
    real v, d;
};

STJ_INLINE struct dual times(struct dual a, struct dual b)
{
    return (struct dual){a.v * b.v, a.v * b.d + a.d * b.v};
}

STJ_INLINE struct dual plus(struct dual a, struct dual b)
{
    return (struct dual){a.v + b.v, a.d + b.d};
}

STJ_INLINE struct dual minus(struct dual a, struct dual b)
{
    return (struct dual){a.v - b.v, a.d - b.d};
}

/* a (1 - a), the slope of the logistic function, and 1 - a^2, that of tanh, from their values. */
STJ_INLINE struct dual logistic_slope(struct dual a)
{
    return (struct dual){a.v * (1 - a.v), (1 - 2 * a.v) * a.d};
}

STJ_INLINE struct dual tanh_slope(struct dual a)
{
    return (struct dual){(1 - a.v) * (1 + a.v), -2 * a.v * a.d};
}

/* Values and derivatives, the latter of one tangent; not with derivatives: they are zero, and are
 * not stored. */
struct pair {
    real *v, *d;
};

STJ_INLINE struct dual load(struct pair p, bool derivatives, size_t c)
{
    return (struct dual){p.v[c], derivatives ? p.d[c] : 0};
}

STJ_INLINE void store(struct pair p, bool derivatives, size_t c, struct dual x)
{
    p.v[c] = x.v;
    if (derivatives)
        p.d[c] = x.d;
}

/* The adjoints of a and b, of h_(t-1) beside what comes through b, and of c_(t-1), from those of
 * h_t and c_t. */
struct adjoint {
    struct pair kept, h_prev, c_prev;
    struct pair h_bar, c_bar;
    struct pair a_bar, b_bar, h_prev_bar, c_prev_bar;
};

STJ_INLINE void rnn_adjoint(size_t n, bool relu, const struct adjoint *w, bool derivatives)
{
    for (size_t c = 0; c < n; c++) {
        const struct dual h = load(w->kept, derivatives, c);
        const struct dual slope = relu ? (struct dual){h.v > 0 ? 1 : 0, 0} : tanh_slope(h);
        store(w->a_bar, derivatives, c, times(slope, load(w->h_bar, derivatives, c)));
        store(w->h_prev_bar, derivatives, c, (struct dual){0, 0});
    }
}

STJ_INLINE void lstm_adjoint(size_t n, const struct adjoint *w, bool derivatives)
{
    for (size_t c = 0; c < n; c++) {
        const struct dual i = load(w->kept, derivatives, c);
        const struct dual f = load(w->kept, derivatives, n + c);
        const struct dual g = load(w->kept, derivatives, 2 * n + c);
        const struct dual o = load(w->kept, derivatives, 3 * n + c);
        const struct dual bounded = load(w->kept, derivatives, 5 * n + c);
        const struct dual h_bar = load(w->h_bar, derivatives, c);
        const struct dual c_bar =
            plus(load(w->c_bar, derivatives, c), times(times(h_bar, o), tanh_slope(bounded)));
        const struct dual f_bar = times(c_bar, load(w->c_prev, derivatives, c));
        store(w->a_bar, derivatives, c, times(times(c_bar, g), logistic_slope(i)));
        store(w->a_bar, derivatives, n + c, times(f_bar, logistic_slope(f)));
        store(w->a_bar, derivatives, 2 * n + c, times(times(c_bar, i), tanh_slope(g)));
        store(w->a_bar, derivatives, 3 * n + c, times(times(h_bar, bounded), logistic_slope(o)));
        store(w->c_prev_bar, derivatives, c, times(c_bar, f));
        store(w->h_prev_bar, derivatives, c, (struct dual){0, 0});
    }
}

STJ_INLINE void gru_adjoint(size_t n, const struct adjoint *w, bool derivatives)
{
    for (size_t c = 0; c < n; c++) {
        const struct dual r = load(w->kept, derivatives, c);
        const struct dual z = load(w->kept, derivatives, n + c);
        const struct dual m = load(w->kept, derivatives, 2 * n + c);
        const struct dual q = load(w->kept, derivatives, 3 * n + c);
        const struct dual h_bar = load(w->h_bar, derivatives, c);
        const struct dual m_bar = times(h_bar, (struct dual){1 - z.v, -z.d});
        const struct dual sum_bar = times(m_bar, tanh_slope(m));
        const struct dual r_bar = times(times(sum_bar, q), logistic_slope(r));
        const struct dual z_bar =
            times(times(h_bar, minus(load(w->h_prev, derivatives, c), m)), logistic_slope(z));
        store(w->a_bar, derivatives, c, r_bar);
        store(w->a_bar, derivatives, n + c, z_bar);
        store(w->a_bar, derivatives, 2 * n + c, sum_bar);
        store(w->b_bar, derivatives, c, r_bar);
        store(w->b_bar, derivatives, n + c, z_bar);
        store(w->b_bar, derivatives, 2 * n + c, times(sum_bar, r));
        store(w->h_prev_bar, derivatives, c, times(h_bar, z));
    }
}

STJ_CLONES static void cell_adjoint(const struct view *v, const struct adjoint *w)
{
    const size_t n = v->n;
    if (v->cell == LSTM)
        lstm_adjoint(n, w, false);
    else if (v->cell == GRU)
        gru_adjoint(n, w, false);
    else
        rnn_adjoint(n, v->relu, w, false);
}

STJ_CLONES static void cell_adjoint_tangent(const struct view *v, const struct adjoint *w)
{
    const size_t n = v->n;
    if (v->cell == LSTM)
        lstm_adjoint(n, w, true);
    else if (v->cell == GRU)
        gru_adjoint(n, w, true);
    else
        rnn_adjoint(n, v->relu, w, true);
}

/* The adjoint of step t of sample s, with that of tangent j where `tangents`.  v->c[0] holds the
 * adjoint of c_t, v->c[1] gets that of c_(t-1). */
static void step_adjoint(const struct view *v, const struct stj_layer_values *at, size_t s,
                         size_t t, size_t j, bool tangents)
{
    const size_t row = row_of(v, s, t);
    const size_t row_dot = row * v->nvec + j;
    const size_t o = s * v->n;
    const size_t o_dot = (s * v->nvec + j) * v->n;
    const struct adjoint w = {
        .kept = {at->saved + row * v->kept, v->kept_dot + row_dot * v->kept},
        .h_prev = {v->prev + row * v->n, v->prev_dot + row_dot * v->n},
        .c_prev = {(real *)c_before(v, at->saved, s, t, 0, 1),
                   (real *)c_before(v, v->kept_dot, s, t, j, v->nvec)},
        .h_bar = {v->bar + o, v->bar_dot + o_dot},
        .c_bar = {v->c[0] + o, v->c_dot[0] + o_dot},
        .a_bar = {v->a + row * v->gates, v->a_dot + row_dot * v->gates},
        .b_bar = {v->b + row * v->gates, v->b_dot + row_dot * v->gates},
        .h_prev_bar = {v->h + o, v->h_dot + o_dot},
        .c_prev_bar = {v->c[1] + o, v->c_dot[1] + o_dot},
    };
    if (tangents)
        cell_adjoint_tangent(v, &w);
    else
        cell_adjoint(v, &w);
}

/* h += B_bar_t W_h', and its tangents: the adjoint of h_(t-1). */
static void through_hidden(const struct view *v, const real *theta, const real *theta_dot, size_t t)
{
    const size_t bias = v->hidden.n_tensors == 2 ? v->gates : 0;
    const real *kernel = theta + v->hidden_theta + bias;
    const size_t row = row_of(v, 0, t);
    const real *b = v->b + row * v->gates;
    const size_t ld = v->steps * v->gates;
    if (t == 0)
        return;
    stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, v->batch, v->n, v->gates, 1, b, ld, kernel,
             v->gates, 1, v->h, v->n);
    for (size_t j = 0; theta_dot && j < v->nvec; j++) {
        const real *kernel_dot = theta_dot + v->nvec * (v->hidden_theta + bias) + j * v->gates;
        real *h_dot = v->h_dot + j * v->n;
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, v->batch, v->n, v->gates, 1,
                 v->b_dot + (row * v->nvec + j) * v->gates, ld * v->nvec, kernel, v->gates, 1,
                 h_dot, v->nvec * v->n);
        stj_gemm(STJ_BLAS_NO_TRANS, STJ_BLAS_TRANS, v->batch, v->n, v->gates, 1, b, ld, kernel_dot,
                 v->nvec * v->gates, 1, h_dot, v->nvec * v->n);
    }
}

/* A_bar and B_bar of all steps; theta_dot not NULL: and their tangents. */
static void make_adjoints(struct view *v, const struct stj_layer_values *at, const real *theta_dot,
                          const real *y_bar_dot)
{
    const size_t n = v->batch * v->n;
    const size_t nvec = theta_dot ? v->nvec : 0;
    memset(v->h, 0, n * sizeof *v->h);
    memset(v->c[0], 0, n * sizeof *v->h);
    memset(v->h_dot, 0, nvec * n * sizeof *v->h);
    memset(v->c_dot[0], 0, nvec * n * sizeof *v->h);
    for (size_t t = v->steps; t-- > 0;) {
        for (size_t s = 0; s < v->batch; s++) {
            const size_t row = row_of(v, s, t);
            stj_sum(v->n, at->y_bar + row * v->n, v->h + s * v->n, v->bar + s * v->n);
            if (nvec)
                stj_sum(nvec * v->n, y_bar_dot + row * nvec * v->n, v->h_dot + s * nvec * v->n,
                        v->bar_dot + s * nvec * v->n);
            for (size_t j = 0; j < nvec; j++)
                step_adjoint(v, at, s, t, j, true);
            if (!nvec)
                step_adjoint(v, at, s, t, 0, false);
        }
        through_hidden(v, at->theta, theta_dot, t);
        real *c = v->c[0];
        real *c_dot = v->c_dot[0];
        v->c[0] = v->c[1];
        v->c_dot[0] = v->c_dot[1];
        v->c[1] = c;
        v->c_dot[1] = c_dot;
    }
}

/* What the second dense layer sees. */
static struct stj_layer_values hidden_values(const struct view *v,
                                             const struct stj_layer_values *at)
{
    struct stj_layer_values hidden = *at;
    hidden.theta = at->theta + v->hidden_theta;
    hidden.x = v->prev;
    hidden.y_bar = v->b;
    return hidden;
}

static void recurrent_backward(const struct stj_layer *layer, const real *beta, real *x_bar,
                               real *x2_bar, real *theta_bar, const struct stj_layer_values *at,
                               real *scratch)
{
    (void)x2_bar;
    struct view v = view_of(layer, at->batch, 0, scratch);
    struct stj_layer_values input = *at;
    make_prev(&v, at->y);
    make_adjoints(&v, at, NULL, NULL);
    const struct stj_layer_values hidden = hidden_values(&v, at);
    input.y_bar = v.a;
    stj_dense_backward(&v.input, beta, x_bar, NULL, theta_bar, &input, NULL);
    if (theta_bar)
        stj_dense_backward(&v.hidden, beta, NULL, NULL, theta_bar + v.hidden_theta, &hidden, NULL);
}

static void recurrent_backward_tangent(const struct stj_layer *layer, size_t nvec, const real *beta,
                                       real *x_bar_dot, real *x2_bar_dot, real *theta_bar_dot,
                                       const struct stj_layer_values *at, const real *x_dot,
                                       const real *x2_dot, const real *theta_dot,
                                       const real *y_bar_dot, real *scratch)
{
    (void)x2_bar_dot;
    (void)x2_dot;
    struct view v = view_of(layer, at->batch, nvec, scratch);
    struct stj_layer_values input = *at;
    make_tangents(&v, at, x_dot, theta_dot, NULL);
    make_adjoints(&v, at, theta_dot, y_bar_dot);
    const struct stj_layer_values hidden = hidden_values(&v, at);
    input.y_bar = v.a;
    stj_dense_backward_tangent(&v.input, nvec, beta, x_bar_dot, NULL, theta_bar_dot, &input, x_dot,
                               NULL, theta_dot, v.a_dot, NULL);
    if (theta_bar_dot)
        stj_dense_backward_tangent(&v.hidden, nvec, beta, NULL, NULL,
                                   theta_bar_dot + nvec * v.hidden_theta, &hidden, v.prev_dot, NULL,
                                   theta_dot + nvec * v.hidden_theta, v.b_dot, NULL);
}

#define RECURRENT_SLOTS                                                                            \
    .setup = recurrent_setup, .n_scratch = recurrent_n_scratch, .forward = recurrent_forward,      \
    .forward_tangent = recurrent_forward_tangent, .backward = recurrent_backward,                  \
    .backward_tangent = recurrent_backward_tangent

const struct stj_layer_ops stj_layer_rnn = {
    .info = {.name = "rnn",
             .doc = "recurrent layer over the positions of a sequence",
             .options = rnn_options,
             .config_size = sizeof(struct recurrent_config)},
    .switches = true, /* with relu */
    .sample = rnn_sample,
    RECURRENT_SLOTS,
};

const struct stj_layer_ops stj_layer_lstm = {
    .info = {.name = "lstm",
             .doc = "long short-term memory over the positions of a sequence, gates in the order "
                    "input, forget, cell, output",
             .options = gated_options,
             .config_size = sizeof(struct recurrent_config)},
    .sample = lstm_sample,
    RECURRENT_SLOTS,
};

const struct stj_layer_ops stj_layer_gru = {
    .info = {.name = "gru",
             .doc = "gated recurrent unit over the positions of a sequence, gates in the order "
                    "reset, update, new",
             .options = gated_options,
             .config_size = sizeof(struct recurrent_config)},
    .sample = gru_sample,
    RECURRENT_SLOTS,
};
