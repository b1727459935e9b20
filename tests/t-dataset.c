/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/t-dataset.c: row lists, datasets from config sections, batch order, checksums. */
#include <check.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc.h"
#include "options/yaml.h"
#include "data/batch_order.h"
#include "data/dataset.h"
#include "data/rows.h"
#include "expect.h"
#include "temp_files.h"
#include "write_arrays.h"

/* ---- checksum ---- */

START_TEST(crc_has_the_standard_value)
{
    ck_assert_uint_eq(stj_crc32(0, "123456789", 9), 0xCBF43926u); /* the check value of CRC-32 */
    ck_assert_uint_eq(stj_crc32(stj_crc32(0, "1234", 4), "56789", 5), 0xCBF43926u);
    ck_assert_uint_eq(stj_crc32(7, NULL, 0), 7);
}
END_TEST

/* ---- row lists ---- */

START_TEST(rows_are_read_in_order)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_row_list list;
    const char *path = temp_write_text("r.txt", "# the training rows\n3\n\n 0  # again\r\n3\n4");
    static const size_t wanted[] = {3, 0, 3, 4};
    for (int i = 0; i < 3; i++) {
        EXPECT_OK(stj_rows_read(path, "d.csv", 5, &list, &err), err);
        ck_assert_uint_eq(list.n, 4);
        ck_assert_mem_eq(list.item, wanted, sizeof wanted);
        stj_rows_free(&list);
        static const char marked[] = "\xEF\xBB\xBF"
                                     "3\r\n0\r\n3\r\n4\r\n\r\n";
        path = i ? temp_write_gz("r.txt.gz", marked) : temp_write_text("r.txt", marked);
    }
    EXPECT_OK(stj_rows_all(1000, &list, &err), err);
    ck_assert_uint_eq(list.n, 1000);
    ck_assert_uint_eq(list.item[999], 999);
    stj_rows_free(&list);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
} bad_rows[] = {
    {"0\n1801\n", "row index 1801 at "},
    {"0\n1801\n", "r.txt:2 is outside d.csv (1797 rows, 0 to 1796)"},
    {"1797\n", "row index 1797 at "},
    {"-1\n", "r.txt:1: expected one row index, a non-negative integer, got '-1'"},
    {"0\n1.0\n", "r.txt:2: expected one row index"},
    {"1 2\n", "got '1 2'"},
    {"0,1\n", "got '0,1'"},
    {"99999999999999999999999\n", "r.txt:1: expected one row index"},
    {"# nothing\n\n", "r.txt: the row list is empty"},
};

START_TEST(bad_rows_are_named)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_row_list list;
    const char *path = temp_write_text("r.txt", bad_rows[_i].text);
    EXPECT_FAIL(stj_rows_read(path, "d.csv", 1797, &list, &err), STJ_EFORMAT, bad_rows[_i].message,
                err);
    ck_assert_ptr_null(list.item);
}
END_TEST

/* ---- datasets ---- */

/* dataset <- the config section `text`, standing in the test's folder, which has the files that
 * write_files makes. */
static const struct stj_axes *input; /* that a network reads; NULL: whatever comes */
static double ignored;               /* a label; 0: none */

static enum stj_status create(const char *text, struct stj_dataset **dataset, struct stj_error *err)
{
    struct stj_yaml_node *root = NULL;
    struct stj_dataset_config config = {0};
    struct stj_data_use use = {.ignores = ignored != 0, .ignored = ignored};
    if (input)
        use.input = *input;
    *dataset = NULL;
    enum stj_status st = stj_yaml_parse(text, strlen(text), temp_path("t.yaml"), &root, err);
    if (st == STJ_OK)
        st = stj_options_parse(stj_dataset_options, root, &config, err);
    if (st == STJ_OK)
        st = stj_dataset_create(&config, &use, dataset, err);
    stj_options_free(stj_dataset_options, &config);
    stj_yaml_destroy(root);
    return st;
}

/* ---- the axes of inputs ---- */

enum { H = 3, W = 4, C = 2, IMAGE = H * W * C };

/* The number of pixel (h, w, c) of image i. */
static double pixel(size_t i, size_t h, size_t w, size_t c)
{
    return (double)(1000 * i + 100 * h + 10 * w + c);
}

/* Two images in every order, as arrays and as plain rows; a sequence; what goes with them. */
static void write_images(void)
{
    double hwc[2 * IMAGE], chw[2 * IMAGE];
    char flat[2048] = "", labelled[2048] = "";
    for (size_t k = 0; k < 2 * IMAGE; k++)
        hwc[k] = pixel(k / IMAGE, k % IMAGE / (W * C), k / C % W, k % C);
    for (size_t k = 0; k < 2 * IMAGE; k++)
        chw[k] = pixel(k / IMAGE, k / W % H, k % W, k % IMAGE / (H * W));
    const struct named_array arrays[] = {
        {"nhwc", 4, {2, H, W, C}, hwc}, {"nchw", 4, {2, C, H, W}, chw},
        {"ncl", 3, {2, C, H * W}, chw}, {"nlc", 3, {2, H * W, C}, hwc},
        {"grey", 3, {4, H, W}, hwc},    {"grey_first", 4, {4, 1, H, W}, hwc},
        {"flat", 2, {2, IMAGE}, hwc},   {"column", 3, {2, IMAGE, 1}, hwc},
    };
    struct bytes b = {0};
    bytes_npz(&b, arrays, sizeof arrays / sizeof arrays[0], false, NULL);
    temp_write("i.npz", b.item, b.n);
    bytes_free(&b);
    write_hdf5(temp_path("i.h5"), arrays, sizeof arrays / sizeof arrays[0], 1);
    for (size_t k = 0; k < 2 * IMAGE; k++) {
        const char *end = k % IMAGE == IMAGE - 1 ? "" : ",";
        sprintf(flat + strlen(flat), "%g%s%s", chw[k], end, *end ? "" : "\n");
        sprintf(labelled + strlen(labelled), "%s%g%s%s", k % IMAGE ? "" : "7,", chw[k], end,
                *end ? "" : "\n");
    }
    temp_write_text("chw.csv", flat);
    temp_write_text("labelled.csv", labelled);
    temp_write_text("two.csv", "0\n1\n");
    temp_write_text("four.csv", "0\n1\n2\n3\n");
    temp_write_text("last.txt", "1\n");
}

static const struct stj_axes colour = {3, {H, W, C}, 0, NULL}, one_colour = {3, {H, W, 1}, 0, NULL},
                             sequence = {2, {H * W, C}, 0, NULL}, plain = {1, {IMAGE}, 0, NULL},
                             chw_net = {3, {C, H, W}, 0, NULL};

static const struct {
    const char *text;
    const struct stj_axes *input;
    bool turned; /* the file's numbers, channels first, come out with channels last; else: as they
                    are */
    size_t first_row;
} good_axes[] = {
    {"{file: i.npz:nhwc, labels: two.csv}", &colour, true, 0},
    {"{file: i.npz:nchw, labels: two.csv, layout: NCHW}", &colour, true, 0},
    {"{file: i.h5:nchw, labels: two.csv, layout: NCHW}", &colour, true, 0},
    {"{file: i.h5:nchw, label_file: two.csv, layout: NCHW, first: 1}", &colour, true, 1},
    {"{file: i.npz:nchw, label_file: two.csv, layout: NCHW, rows: last.txt}", &colour, true, 1},
    {"{file: four.csv, rows: rows2.txt, label_file: four.csv, inputs: 'i.npz:nchw', layout: NCHW}",
     &colour, true, 0},
    {"{file: chw.csv, labels: two.csv, layout: NCHW}", &colour, true, 0},
    {"{file: labelled.csv, label_column: 0, layout: NCHW}", &colour, true, 0},
    {"{file: i.npz:flat, labels: two.csv}", &colour, true, 0},
    {"{file: i.npz:column, labels: two.csv}", &colour, true, 0},
    {"{file: i.npz:ncl, labels: two.csv, layout: NCL}", &sequence, true, 0},
    {"{file: i.npz:nlc, labels: two.csv, layout: NHWC}", &sequence, true, 0},
    {"{file: i.npz:grey, labels: four.csv}", &one_colour, true, 0},
    {"{file: i.npz:grey, labels: four.csv, layout: NCHW}", &one_colour, true, 0},
    {"{file: i.npz:grey_first, labels: four.csv, layout: NCHW}", &one_colour, true, 0},
    {"{file: i.npz:nhwc, labels: two.csv}", &plain, true, 0},
    {"{file: i.npz:nchw, labels: two.csv}", &plain, false, 0},
    {"{file: i.npz:nchw, labels: two.csv, layout: NCHW}", &plain, false, 0},
    {"{file: i.npz:nchw, labels: two.csv}", &chw_net, false, 0},
};

START_TEST(inputs_come_in_the_order_that_the_network_reads)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_images();
    temp_write_text("rows2.txt", "0\n1\n");
    input = good_axes[_i].input;
    EXPECT_OK(create(good_axes[_i].text, &ds, &err), err);
    input = NULL;
    for (size_t k = 0; k < ds->n_rows * ds->n_features; k++) {
        const size_t at = good_axes[_i].first_row * IMAGE + k, in = at % IMAGE;
        const double wanted = good_axes[_i].turned
                                  ? pixel(at / IMAGE, in / (W * C), in / C % W, in % C)
                                  : pixel(at / IMAGE, in / W % H, in % W, in / (H * W));
        ck_assert_msg(ds->inputs[k] == wanted, "%s: value %zu is %g, not %g", good_axes[_i].text, k,
                      ds->inputs[k], wanted);
    }
    stj_dataset_destroy(ds);
}
END_TEST

static const struct {
    const char *text;
    const struct stj_axes *input;
    const char *part;
} bad_axes[] = {
    {"{file: i.npz:nchw, labels: two.csv}", &colour,
     "the array is 2 x 2 x 3 x 4, network.input says 3 x 4 x 2: channels last it has images of 4 "
     "channels, `layout: NCHW` reads it as images of 2 channels; say layout: NCHW"},
    {"{file: i.h5:nchw, label_file: two.csv, rows: last.txt}", &colour, "say layout: NCHW"},
    {"{file: four.csv, rows: rows2.txt, label_file: four.csv, inputs: 'i.npz:nchw'}", &colour,
     "i.npz:nchw: the array is 2 x 2 x 3 x 4"},
    {"{file: i.npz:nhwc, labels: two.csv, layout: NCHW}", &colour, "say layout: NHWC"},
    {"{file: i.npz:nchw, labels: two.csv, layout: NCHW}", &chw_net, "say layout: NHWC"},
    {"{file: i.npz:nhwc, labels: two.csv}", &chw_net, "channels first (layout: NCHW) of 3"},
    {"{file: i.npz:grey_first, labels: four.csv}", &one_colour, "say layout: NCHW"},
    {"{file: i.npz:ncl, labels: two.csv}", &sequence,
     "`layout: NCL` reads it as sequences of 2 channels"},
    {"{file: i.npz:nhwc, labels: two.csv}", &sequence, "change network.input or the shape"},
    {"{file: i.npz:ncl, labels: two.csv, layout: NCHW}", &sequence,
     "layout NCHW is for images [height, width, channels], network.input has 2 dimensions"},
    {"{file: i.npz:nchw, labels: two.csv, layout: NCL}", &colour, "layout NCL is for sequences"},
    {"{file: d.csv, sequence: 2, layout: NCHW}", &plain, "leave out scale and layout"},
};

START_TEST(other_axes_are_refused_with_both_readings)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_images();
    temp_write_text("d.csv", "1,2,3,0\n");
    temp_write_text("rows2.txt", "0\n1\n");
    input = bad_axes[_i].input;
    EXPECT_FAIL(create(bad_axes[_i].text, &ds, &err), STJ_ECONFIG, bad_axes[_i].part, err);
    input = NULL;
    ck_assert_ptr_null(ds);
}
END_TEST

static void write_files(void)
{
    temp_write_text("d.csv", "1,2,3,0\n4,5,6,1\n7,8,9,12\n10,11,12,2\n");
    temp_write_text("one.csv", "1\n2\n");
    temp_write_text("half.csv", "1,0.5\n");
    temp_write_text("minus.csv", "1,-1\n");
    temp_write_text("huge.csv", "1,1e16\n");
    temp_write_text("rows.txt", "3\n0\n");
    temp_write_text("far.txt", "3\n4\n");
    temp_write_text("labels.csv", "5\n6\n");
    temp_write_text("pair.csv", "0.5,1.5\n2.5,-3.5\n");
    temp_write_text("three.csv", "1\n2\n3\n");
}

/* A label that the loss ignores has a mark of its own, whatever its number. */
START_TEST(labels_can_be_ignored)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    temp_write_text("x.csv", "1\n2\n3\n");
    temp_write_text("l.csv", "1\n-100\n2\n");
    EXPECT_FAIL(create("{file: x.csv, labels: l.csv}", &ds, &err), STJ_EFORMAT,
                "give the loss ignore_index: -100", err);
    ignored = -100;
    EXPECT_OK(create("{file: x.csv, labels: l.csv}", &ds, &err), err);
    ck_assert_uint_eq(ds->labels[0], 1);
    ck_assert_uint_eq(ds->labels[1], STJ_IGNORED_LABEL);
    EXPECT_OK(stj_dataset_check_classes(ds, 3, &err), err);
    stj_dataset_destroy(ds);
    ignored = 2;
    temp_write_text("l.csv", "1\n0\n2\n");
    EXPECT_OK(create("{file: x.csv, label_file: l.csv}", &ds, &err), err);
    ck_assert_uint_eq(ds->labels[2], STJ_IGNORED_LABEL);
    ignored = 0;
    stj_dataset_destroy(ds);
}
END_TEST

/* The inputs are exactly these. */
static void expect_inputs(const struct stj_dataset *ds, size_t n_rows, size_t n_features,
                          const double *values)
{
    ck_assert_uint_eq(ds->n_rows, n_rows);
    ck_assert_uint_eq(ds->n_features, n_features);
    for (size_t i = 0; i < n_rows * n_features; i++)
        ck_assert_double_eq(ds->inputs[i], values[i]);
}

START_TEST(rows_labels_and_scale_are_applied)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_files();
    static const double last[] = {5, 5.5, 6, 0.5, 1, 1.5};
    EXPECT_OK(create("{file: d.csv, rows: rows.txt, label_column: 3, scale: 0.5}", &ds, &err), err);
    expect_inputs(ds, 2, 3, last);
    ck_assert_uint_eq(ds->labels[0], 2);
    ck_assert_uint_eq(ds->labels[1], 0);
    ck_assert_ptr_null(ds->targets);
    uint32_t crc = stj_crc32(0, last, sizeof last);
    ck_assert_uint_eq(ds->crc, stj_crc32(crc, (const size_t[]){2, 0}, 2 * sizeof(size_t)));
    stj_dataset_destroy(ds);

    static const double middle[] = {1, 3, 0, 4, 6, 1, 7, 9, 12, 10, 12, 2};
    EXPECT_OK(create("{file: d.csv, label_column: 1}", &ds, &err), err);
    expect_inputs(ds, 4, 3, middle);
    ck_assert_uint_eq(ds->labels[3], 11);
    stj_dataset_destroy(ds);

    EXPECT_OK(create("{file: d.csv, label_column: 0}", &ds, &err), err);
    ck_assert_double_eq(ds->inputs[0], 2);
    ck_assert_uint_eq(ds->labels[0], 1);
    stj_dataset_destroy(ds);
}
END_TEST

START_TEST(inputs_labels_and_targets_can_be_replaced)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_files();
    static const double pair[] = {0.5, 1.5, 2.5, -3.5};
    static const double all[] = {10, 11, 12, 2, 1, 2, 3, 0};
    EXPECT_OK(create("{file: d.csv, rows: rows.txt, label_column: 3, labels: labels.csv, "
                     "inputs: pair.csv, scale: 8}",
                     &ds, &err),
              err);
    expect_inputs(ds, 2, 2, pair); /* unscaled */
    ck_assert_uint_eq(ds->labels[0], 5);
    ck_assert_uint_eq(ds->labels[1], 6);
    stj_dataset_destroy(ds);

    EXPECT_OK(create("{file: d.csv, rows: rows.txt, labels: labels.csv}", &ds, &err), err);
    expect_inputs(ds, 2, 4, all); /* without label_column every column is an input */
    stj_dataset_destroy(ds);

    EXPECT_OK(create("{file: d.csv, rows: rows.txt, targets: pair.csv}", &ds, &err), err);
    ck_assert_ptr_null(ds->labels);
    ck_assert_uint_eq(ds->n_targets, 2);
    ck_assert_double_eq(ds->targets[3], -3.5);
    EXPECT_FAIL(stj_dataset_check_classes(ds, 3, &err), STJ_EINVAL, "real targets", err);
    stj_dataset_destroy(ds);
}
END_TEST

START_TEST(a_range_of_rows_is_taken)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_files();
    temp_write_text("each.csv", "5\n6\n7\n8\n");
    static const double tail[] = {4, 5, 6, 1, 7, 8, 9, 12};
    EXPECT_OK(create("{file: d.csv, first: 1, count: 2, label_file: each.csv}", &ds, &err), err);
    expect_inputs(ds, 2, 4, tail);
    ck_assert_uint_eq(ds->labels[0], 6);
    ck_assert_uint_eq(ds->labels[1], 7);
    EXPECT_FAIL(stj_dataset_check_classes(ds, 7, &err), STJ_EFORMAT, "label 7 in row 2 of ", err);
    stj_dataset_destroy(ds);

    static const double chosen[] = {10, 11, 12, 2, 1, 2, 3, 0};
    EXPECT_OK(create("{file: d.csv, rows: rows.txt, label_file: each.csv}", &ds, &err), err);
    expect_inputs(ds, 2, 4, chosen);
    ck_assert_uint_eq(ds->labels[0], 8);
    ck_assert_uint_eq(ds->labels[1], 5);
    stj_dataset_destroy(ds);

    static const double rest[] = {14, 16, 18, 20, 22, 24};
    EXPECT_OK(create("{file: d.csv, first: 2, label_column: 3, scale: 2}", &ds, &err), err);
    expect_inputs(ds, 2, 3, rest);
    ck_assert_uint_eq(ds->labels[1], 2);
    stj_dataset_destroy(ds);
}
END_TEST

/* Rows of a text begin `stride` apart, and its labels are one token further. */
static void expect_sequences(const struct stj_dataset *ds, const char *text, size_t first,
                             size_t n_rows, size_t length, size_t stride)
{
    ck_assert_uint_eq(ds->n_rows, n_rows);
    ck_assert_uint_eq(ds->n_features, length);
    ck_assert_uint_eq(ds->n_labels, length);
    for (size_t i = 0; i < n_rows; i++)
        for (size_t k = 0; k < length; k++) {
            const size_t at = (first + i) * stride + k;
            ck_assert_double_eq(ds->inputs[i * length + k], (unsigned char)text[at]);
            ck_assert_uint_eq(ds->labels[i * length + k], (unsigned char)text[at + 1]);
        }
}

START_TEST(a_text_becomes_sequences)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    static const char text[] = "to be, or not to be\xC3\xA9\n";
    temp_write_text("t", text);
    temp_write_gz("t.gz", text);
    EXPECT_OK(create("{file: t, sequence: 4}", &ds, &err), err);
    expect_sequences(ds, text, 0, 5, 4, 4); /* 22 bytes: 5 x 4 + 1, one is left over */
    stj_dataset_destroy(ds);
    EXPECT_OK(create("{file: t.gz, sequence: 3, stride: 2, first: 1}", &ds, &err), err);
    expect_sequences(ds, text, 1, 9, 3, 2);
    stj_dataset_destroy(ds);
    EXPECT_OK(create("{file: t, sequence: 21}", &ds, &err), err);
    expect_sequences(ds, text, 0, 1, 21, 21);
    stj_dataset_destroy(ds);
    temp_write_text("ids.csv", "7,8,9\n1,0,300\n");
    EXPECT_OK(create("{file: ids.csv, sequence: 2, tokens: ids, stride: 3}", &ds, &err), err);
    static const double ids[] = {7, 8, 1, 0};
    expect_inputs(ds, 2, 2, ids);
    ck_assert_uint_eq(ds->labels[1], 9);
    ck_assert_uint_eq(ds->labels[3], 300);
    stj_dataset_destroy(ds);
}
END_TEST

static const struct {
    const char *text;
    enum stj_status status;
    const char *message;
} bad_sets[] = {
    {"{label_column: 3}", STJ_ECONFIG, "missing key 'file': expected a file name"},
    {"{file: d.csv, label_colum: 3}", STJ_ECONFIG, "(did you mean 'label_column'?)"},
    {"{file: d.csv, label_column: last}", STJ_ECONFIG,
     "label_column: expected an integer of at least 0"},
    {"{file: absent.csv, label_column: 3}", STJ_EIO, "absent.csv: cannot open: No such file"},
    {"{file: d.csv}", STJ_ECONFIG,
     "d.csv: no labels: give label_column (0 to 3), label_file, labels or targets"},
    {"{file: d.csv, label_column: 4}", STJ_ECONFIG, "d.csv (4 columns, 0 to 3)"},
    {"{file: one.csv, label_column: 0}", STJ_ECONFIG, "one.csv: its only column is the label"},
    {"{file: d.csv, labels: one.csv, targets: one.csv}", STJ_ECONFIG, "exclude each other"},
    {"{file: d.csv, label_column: 3, rows: far.txt}", STJ_EFORMAT, "far.txt:2 is outside "},
    {"{file: d.csv, label_column: 3, rows: absent.txt}", STJ_EIO, "absent.txt: cannot open"},
    {"{file: half.csv, label_column: 1}", STJ_EFORMAT, "label 0.5 in row 0 of "},
    {"{file: minus.csv, label_column: 1}", STJ_EFORMAT, "label -1 in row 0 of "},
    {"{file: huge.csv, label_column: 1}", STJ_EFORMAT, "label 10000000000000000 in row 0 of "},
    {"{file: huge.csv, label_column: 0, scale: 1e300}", STJ_ENONFINITE, "row 0, column 1 (from 0)"},
    {"{file: d.csv, labels: three.csv}", STJ_EFORMAT,
     "three.csv: holds 3 rows of labels, but the "
     "set has 4 rows"},
    {"{file: d.csv, rows: rows.txt, labels: pair.csv}", STJ_EFORMAT, "label 0.5 in row 0 of "},
    {"{file: d.csv, label_column: 3, inputs: pair.csv}", STJ_EFORMAT, "holds 2 rows of inputs"},
    {"{file: d.csv, targets: pair.csv}", STJ_EFORMAT, "holds 2 rows of targets"},
    {"{file: d.csv, label_column: 3, first: 4}", STJ_ECONFIG, "first 4 is outside "},
    {"{file: d.csv, label_column: 3, first: 1, count: 4}", STJ_ECONFIG,
     "count 4 from first 1 on is more than "},
    {"{file: d.csv, label_column: 3, count: 0}", STJ_ECONFIG, "count: expected"},
    {"{file: d.csv, label_column: 3, count: 1, rows: rows.txt}", STJ_ECONFIG,
     "rows excludes first and count"},
    {"{file: d.csv, label_column: 3, label_file: three.csv}", STJ_ECONFIG, "exclude each other"},
    {"{file: d.csv, targets: three.csv, label_file: three.csv}", STJ_ECONFIG, "exclude each"},
    {"{file: d.csv, label_file: three.csv}", STJ_EFORMAT, "holds 3 rows of labels, but "},
    {"{file: d.csv, count: 2, labels: three.csv}", STJ_EFORMAT,
     "label_file is for a label for each row of `file`"},
    {"{file: d.csv, label_column: 3, stride: 2}", STJ_ECONFIG, "give sequence with them"},
    {"{file: d.csv, label_column: 3, tokens: ids}", STJ_ECONFIG, "give sequence with them"},
    {"{file: d.csv, label_column: 3, sequence: 2}", STJ_ECONFIG, "no place beside sequence"},
    {"{file: one.csv, sequence: 4}", STJ_EFORMAT, "has 4 tokens; a sequence of 4 with its next"},
    {"{file: one.csv, sequence: 1, scale: 0.5}", STJ_ECONFIG, "tokens are not scaled"},
    {"{file: one.csv, sequence: 1, count: 4}", STJ_ECONFIG, "(3 sequences)"},
    {"{file: minus.csv, sequence: 1, tokens: ids}", STJ_EFORMAT, "token 1 (from 0) is -1"},
    {"{file: half.csv, sequence: 1, tokens: ids}", STJ_EFORMAT, "token 1 (from 0) is 0.5"},
};

START_TEST(bad_sections_are_explained)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_files();
    EXPECT_FAIL(create(bad_sets[_i].text, &ds, &err), bad_sets[_i].status, bad_sets[_i].message,
                err);
    ck_assert_ptr_null(ds);
}
END_TEST

START_TEST(labels_are_checked_against_the_classes)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    write_files();
    temp_write_text("some.txt", "1\n2\n");
    EXPECT_OK(create("{file: d.csv, label_column: 3, rows: some.txt}", &ds, &err), err);
    EXPECT_OK(stj_dataset_check_classes(ds, 13, &err), err);
    /* The row is the one of the file, not of the list. */
    EXPECT_FAIL(stj_dataset_check_classes(ds, 10, &err), STJ_EFORMAT, "label 12 in row 2 of ", err);
    EXPECT_FAIL(stj_dataset_check_classes(ds, 12, &err), STJ_EFORMAT,
                "d.csv (from 0) is outside the 12 classes of the network's output", err);
    stj_dataset_destroy(ds);

    EXPECT_OK(create("{file: d.csv, rows: rows.txt, labels: labels.csv}", &ds, &err), err);
    EXPECT_FAIL(stj_dataset_check_classes(ds, 6, &err), STJ_EFORMAT, "label 6 in row 1 of ", err);
    EXPECT_FAIL(stj_dataset_check_classes(ds, 6, &err), STJ_EFORMAT, "labels.csv", err);
    stj_dataset_destroy(ds);
}
END_TEST

START_TEST(tokens_have_a_label_each_and_stay_in_the_vocabulary)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    const size_t below_300[] = {300, 300, 300}, below_299[] = {299, 299, 299};
    const size_t some[] = {8, 0, 300};
    temp_write_text("tokens.csv", "7,0,3\n1,2,299\n");
    temp_write_text("next.csv", "0,3,1\n2,9,4\n");
    EXPECT_OK(create("{file: tokens.csv, labels: next.csv}", &ds, &err), err);
    ck_assert_uint_eq(ds->n_labels, 3);
    ck_assert_uint_eq(ds->labels[4], 9);
    EXPECT_OK(stj_dataset_check_classes(ds, 10, &err), err);
    EXPECT_FAIL(stj_dataset_check_classes(ds, 9, &err), STJ_EFORMAT, "label 9 in row 1 of ", err);
    EXPECT_OK(stj_dataset_check_ids(ds, below_300, &err), err);
    EXPECT_FAIL(stj_dataset_check_ids(ds, below_299, &err), STJ_EFORMAT,
                "token id 299 at row 1, position 2 is outside the vocabulary of 299", err);
    EXPECT_OK(stj_dataset_check_ids(ds, some, &err), err);
    stj_dataset_destroy(ds);
    EXPECT_OK(create("{file: tokens.csv, labels: next.csv, scale: 0.5}", &ds, &err), err);
    EXPECT_FAIL(stj_dataset_check_ids(ds, below_300, &err), STJ_EFORMAT,
                "input 3.5 at row 0, position 0", err);
    stj_dataset_destroy(ds);
    const double minus = -1;
    EXPECT_OK(stj_dataset_from_arrays(1, 1, &minus, 1, (const size_t[]){0}, 0, NULL, &ds, &err),
              err);
    EXPECT_FAIL(stj_dataset_check_ids(ds, below_300, &err), STJ_EFORMAT, "input -1 at row 0", err);
    stj_dataset_destroy(ds);
}
END_TEST

START_TEST(datasets_are_made_of_arrays)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    double inputs[] = {1, 2, 3, 4, 5, 6};
    const size_t labels[] = {0, 2};
    EXPECT_OK(stj_dataset_from_arrays(2, 3, inputs, 1, labels, 0, NULL, &ds, &err), err);
    expect_inputs(ds, 2, 3, inputs);
    ck_assert_ptr_ne(ds->inputs, inputs);
    uint32_t crc = ds->crc;
    EXPECT_FAIL(stj_dataset_check_classes(ds, 2, &err), STJ_EFORMAT, "label 2 in row 1 of the data",
                err);
    stj_dataset_destroy(ds);
    EXPECT_OK(stj_dataset_from_arrays(2, 1, inputs, 0, NULL, 2, inputs + 2, &ds, &err), err);
    ck_assert_uint_eq(ds->n_targets, 2);
    ck_assert_double_eq(ds->targets[3], 6);
    ck_assert_uint_ne(ds->crc, crc);
    stj_dataset_destroy(ds);

    EXPECT_FAIL(stj_dataset_from_arrays(2, 3, inputs, 0, NULL, 0, NULL, &ds, &err), STJ_EINVAL,
                "either labels or", err);
    EXPECT_FAIL(stj_dataset_from_arrays(2, 1, inputs, 1, labels, 1, inputs, &ds, &err), STJ_EINVAL,
                "either labels or", err);
    EXPECT_FAIL(stj_dataset_from_arrays(0, 3, inputs, 1, labels, 0, NULL, &ds, &err), STJ_EINVAL,
                "empty", err);
    inputs[4] = NAN;
    EXPECT_FAIL(stj_dataset_from_arrays(2, 3, inputs, 1, labels, 0, NULL, &ds, &err),
                STJ_ENONFINITE, "input of row 1", err);
}
END_TEST

/* The shipped digits: 1797 images of 8 x 8 pixels 0..16, 1600 of them for training. */
START_TEST(the_digits_are_what_their_readme_says)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_dataset *ds = NULL;
    const char *top = getenv("top_srcdir");
    char text[2048];
    const double sixteenth = 0.0625;
    ck_assert_msg(top, "top_srcdir is not set; run this through make check");
    snprintf(text, sizeof text,
             "file: %s/examples/digits/digits.csv.gz\nrows: %s/examples/digits/train_rows.txt\n"
             "label_column: 64\nscale: 0.0625\n",
             top, top);
    EXPECT_OK(create(text, &ds, &err), err);
    ck_assert_uint_eq(ds->n_rows, 1600);
    ck_assert_uint_eq(ds->n_features, 64);
    EXPECT_OK(stj_dataset_check_classes(ds, 10, &err), err);
    double largest = 0;
    for (size_t i = 0; i < ds->n_rows * ds->n_features; i++) {
        double pixels = ds->inputs[i] / sixteenth;
        ck_assert(pixels >= 0 && pixels <= 16 && pixels == floor(pixels));
        largest = fmax(largest, ds->inputs[i]);
    }
    ck_assert_double_eq(largest, 1);
    ck_assert_uint_eq(ds->label_rows[0], 1188);
    stj_dataset_destroy(ds);
}
END_TEST

/* ---- batch order ---- */

static struct stj_batch_order *make_order(size_t n_rows, size_t batch_size, bool drop_last,
                                          bool shuffle, uint64_t seed)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_batch_order *order = NULL;
    const struct stj_batch_order_settings settings = {.n_rows = n_rows,
                                                      .batch_size = batch_size,
                                                      .drop_last = drop_last,
                                                      .shuffle = shuffle,
                                                      .seed = seed};
    EXPECT_OK(stj_batch_order_create(&settings, &order, &err), err);
    return order;
}

static size_t rows_of(struct stj_batch_order *order, size_t step, size_t *rows)
{
    struct stj_error err = STJ_ERROR_INIT;
    const size_t n = stj_batch_order_count(order, step);
    EXPECT_OK(stj_batch_order_rows(order, step, 0, n, rows, &err), err);
    return n;
}

START_TEST(in_order_batches_are_consecutive_and_wrap)
{
    size_t rows[4];
    struct stj_batch_order *order = make_order(10, 4, false, false, 0);
    ck_assert_uint_eq(stj_batch_order_steps_per_epoch(order), 3);
    ck_assert_uint_eq(rows_of(order, 1, rows), 4);
    ck_assert_mem_eq(rows, ((const size_t[]){4, 5, 6, 7}), sizeof rows);
    ck_assert_uint_eq(rows_of(order, 2, rows), 2);
    ck_assert_mem_eq(rows, ((const size_t[]){8, 9}), 2 * sizeof *rows);
    ck_assert_uint_eq(rows_of(order, 3000, rows), 4);
    ck_assert_mem_eq(rows, ((const size_t[]){0, 1, 2, 3}), sizeof rows);
    stj_batch_order_destroy(order);

    order = make_order(10, 4, true, false, 0);
    ck_assert_uint_eq(stj_batch_order_steps_per_epoch(order), 2);
    ck_assert_uint_eq(rows_of(order, 2, rows), 4);
    ck_assert_uint_eq(rows[0], 0);
    stj_batch_order_destroy(order);

    order = make_order(3, 4, false, false, 0); /* one short batch */
    ck_assert_uint_eq(stj_batch_order_steps_per_epoch(order), 1);
    ck_assert_uint_eq(rows_of(order, 7, rows), 3);
    stj_batch_order_destroy(order);
}
END_TEST

/* Those of a training elsewhere: any rows, a shorter batch, and nothing beyond the last. */
START_TEST(listed_batches_are_as_listed)
{
    const size_t listed[] = {9, 0, 9, 4, 2, STJ_NO_ROW, 1, STJ_NO_ROW, STJ_NO_ROW};
    struct stj_batch_order_settings settings = {
        .n_rows = 10, .batch_size = 3, .listed = listed, .n_listed = 3};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_batch_order *order = NULL;
    size_t rows[3];
    EXPECT_OK(stj_batch_order_create(&settings, &order, &err), err);
    ck_assert_uint_eq(stj_batch_order_most(order, 3), 3);
    ck_assert_uint_eq(stj_batch_order_most(order, 1), 3);
    for (size_t t = 3; t-- > 0;) {
        ck_assert_uint_eq(rows_of(order, t, rows), 3 - t);
        ck_assert_mem_eq(rows, listed + 3 * t, (3 - t) * sizeof *rows);
    }
    EXPECT_OK(stj_batch_order_rows(order, 0, 1, 2, rows, &err), err);
    ck_assert_mem_eq(rows, listed + 1, 2 * sizeof *rows);
    EXPECT_FAIL(stj_batch_order_rows(order, 3, 0, 1, rows, &err), STJ_EINVAL, "step 3", err);
    stj_batch_order_destroy(order);

    settings.n_rows = 9;
    EXPECT_FAIL(stj_batch_order_create(&settings, &order, &err), STJ_EINVAL, "step 0 has row 9",
                err);
    const size_t empty[] = {STJ_NO_ROW, 1, 2};
    settings.listed = empty;
    settings.n_listed = 1;
    EXPECT_FAIL(stj_batch_order_create(&settings, &order, &err), STJ_EINVAL, "has no rows", err);
    const size_t gap[] = {1, STJ_NO_ROW, 2};
    settings.listed = gap;
    EXPECT_FAIL(stj_batch_order_create(&settings, &order, &err), STJ_EINVAL, "behind its end", err);
}
END_TEST

/* Steps of several micro-batches: pieces of an epoch, its rest, and lists in which each ends by
 * itself. */
START_TEST(micro_batches_are_parts_of_a_step)
{
    const size_t listed[] = {9, STJ_NO_ROW, 4, 2, 1, 0, STJ_NO_ROW, STJ_NO_ROW};
    struct stj_batch_order_settings settings = {
        .n_rows = 11, .batch_size = 2, .accumulate = 2, .listed = listed, .n_listed = 2};
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_batch_order *order = NULL;
    size_t rows[4], first = 7;
    EXPECT_OK(stj_batch_order_create(&settings, &order, &err), err);
    ck_assert_uint_eq(stj_batch_order_most(order, 2), 3);
    ck_assert_uint_eq(stj_batch_order_most_parts(order, 2), 2);
    ck_assert_uint_eq(stj_batch_order_parts(order, 0), 2);
    ck_assert_uint_eq(stj_batch_order_parts(order, 1), 1);
    ck_assert_uint_eq(stj_batch_order_part(order, 0, 1, &first), 2);
    ck_assert_uint_eq(first, 1);
    ck_assert_uint_eq(rows_of(order, 0, rows), 3);
    ck_assert_uint_eq(rows[0], 9);
    ck_assert_uint_eq(rows[2], 2);
    stj_batch_order_destroy(order);

    settings.listed = NULL;
    settings.n_listed = 0;
    for (int drop = 0; drop < 2; drop++) { /* 6 micro-batches of which one is shorter, or 5 */
        settings.drop_last = drop;
        EXPECT_OK(stj_batch_order_create(&settings, &order, &err), err);
        ck_assert_uint_eq(stj_batch_order_steps_per_epoch(order), 3);
        ck_assert_uint_eq(stj_batch_order_parts(order, 2), drop ? 1 : 2);
        ck_assert_uint_eq(stj_batch_order_count(order, 2), drop ? 2 : 3);
        ck_assert_uint_eq(stj_batch_order_count(order, 3), 4);
        if (!drop)
            ck_assert_uint_eq(stj_batch_order_part(order, 2, 1, &first), 1);
        ck_assert_uint_eq(rows_of(order, 2, rows), drop ? 2 : 3);
        ck_assert_uint_eq(rows[0], 8);
        stj_batch_order_destroy(order);
    }
}
END_TEST

/* all[0 .. count) <- the rows of a whole epoch; returns the count. */
static size_t rows_of_epoch(struct stj_batch_order *order, size_t epoch, size_t *all)
{
    size_t steps = stj_batch_order_steps_per_epoch(order);
    size_t count = 0;
    for (size_t b = 0; b < steps; b++)
        count += rows_of(order, epoch * steps + b, all + count);
    return count;
}

enum { MAX_ROWS = 60 };

/* Every row once per epoch (at most once with drop_last), in another order each epoch. */
START_TEST(shuffled_epochs_are_permutations)
{
    const bool drop_last = _i % 2;
    const size_t n_rows = 37 + (size_t)_i;
    const size_t batch_size = 1 + (size_t)_i;
    const uint64_t seed = 1000 + (uint64_t)_i;
    struct stj_batch_order *order = make_order(n_rows, batch_size, drop_last, true, seed);
    size_t first[MAX_ROWS];
    size_t all[MAX_ROWS];
    for (size_t epoch = 0; epoch < 3; epoch++) {
        size_t seen[MAX_ROWS] = {0};
        size_t count = rows_of_epoch(order, epoch, all);
        ck_assert_uint_eq(count, drop_last ? n_rows / batch_size * batch_size : n_rows);
        for (size_t i = 0; i < count; i++) {
            ck_assert_uint_lt(all[i], n_rows);
            ck_assert_msg(seen[all[i]]++ == 0, "row %zu twice in epoch %zu, seed %llu", all[i],
                          epoch, (unsigned long long)seed);
        }
        /* Equal by chance with probability at most 1 / 20!, since 20 rows are left at least. */
        if (epoch > 0)
            ck_assert(memcmp(first, all, count * sizeof *all) != 0);
        else
            memcpy(first, all, count * sizeof *all);
    }
    stj_batch_order_destroy(order);
}
END_TEST

START_TEST(batches_do_not_depend_on_what_was_asked_before)
{
    struct stj_batch_order *forward = make_order(50, 7, false, true, 11);
    struct stj_batch_order *backward = make_order(50, 7, false, true, 11);
    struct stj_batch_order *other = make_order(50, 7, false, true, 12);
    enum { STEPS = 40 };
    size_t want[STEPS][7] = {{0}};
    size_t n_want[STEPS];
    size_t differences = 0;
    for (size_t t = 0; t < STEPS; t++)
        n_want[t] = rows_of(forward, t, want[t]);
    for (size_t t = STEPS; t-- > 0;) {
        size_t rows[7] = {0};
        ck_assert_uint_eq(rows_of(backward, t, rows), n_want[t]);
        ck_assert_mem_eq(rows, want[t], sizeof rows);
        rows_of(other, t, rows);
        differences += memcmp(rows, want[t], sizeof rows) != 0;
    }
    ck_assert_uint_gt(differences, STEPS / 2); /* another seed, another order */
    stj_batch_order_destroy(forward);
    stj_batch_order_destroy(backward);
    stj_batch_order_destroy(other);
}
END_TEST

/* Each row is equally likely to come first: counts over m epochs are binomial (m, 1/n). */
START_TEST(shuffling_is_uniform)
{
    enum { N = 8, EPOCHS = 8000 };
    size_t count[N][N] = {{0}}; /* [position][row] */
    struct stj_batch_order *order = make_order(N, N, true, true, 5);
    for (size_t epoch = 0; epoch < EPOCHS; epoch++) {
        size_t rows[N];
        rows_of(order, epoch, rows);
        for (size_t i = 0; i < N; i++)
            count[i][rows[i]]++;
    }
    /* Five standard deviations: 64 counts exceed that by chance with probability 4e-5, and the
     * seed is fixed. */
    double mean = (double)EPOCHS / N;
    double bound = 5 * sqrt(mean * (1 - 1.0 / N));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++)
            ck_assert_msg(fabs((double)count[i][j] - mean) <= bound,
                          "row %zu at position %zu: %zu of %d epochs", j, i, count[i][j],
                          (int)EPOCHS);
    stj_batch_order_destroy(order);
}
END_TEST

START_TEST(impossible_batches_are_refused)
{
    struct stj_error err = STJ_ERROR_INIT;
    struct stj_batch_order *order = NULL;
    struct stj_batch_order_settings s = {.n_rows = 10, .batch_size = 11, .drop_last = true};
    EXPECT_FAIL(stj_batch_order_create(&s, &order, &err), STJ_EINVAL,
                "batch_size 11 is larger than the 10 rows", err);
    s.batch_size = 0;
    EXPECT_FAIL(stj_batch_order_create(&s, &order, &err), STJ_EINVAL, "at least 1, got 0", err);
    s.n_rows = 0;
    EXPECT_FAIL(stj_batch_order_create(&s, &order, &err), STJ_EINVAL, "no rows", err);
    ck_assert_ptr_null(order);
    stj_batch_order_destroy(NULL);
}
END_TEST

static TCase *make_data_case(void)
{
    TCase *tc = tcase_create("data");
    tcase_add_checked_fixture(tc, temp_setup, temp_teardown);
    tcase_add_test(tc, crc_has_the_standard_value);
    tcase_add_test(tc, rows_are_read_in_order);
    tcase_add_loop_test(tc, bad_rows_are_named, 0, sizeof bad_rows / sizeof bad_rows[0]);
    tcase_add_test(tc, rows_labels_and_scale_are_applied);
    tcase_add_test(tc, inputs_labels_and_targets_can_be_replaced);
    tcase_add_loop_test(tc, inputs_come_in_the_order_that_the_network_reads, 0,
                        sizeof good_axes / sizeof good_axes[0]);
    tcase_add_test(tc, labels_can_be_ignored);
    tcase_add_loop_test(tc, other_axes_are_refused_with_both_readings, 0,
                        sizeof bad_axes / sizeof bad_axes[0]);
    tcase_add_test(tc, a_range_of_rows_is_taken);
    tcase_add_test(tc, a_text_becomes_sequences);
    tcase_add_loop_test(tc, bad_sections_are_explained, 0, sizeof bad_sets / sizeof bad_sets[0]);
    tcase_add_test(tc, labels_are_checked_against_the_classes);
    tcase_add_test(tc, tokens_have_a_label_each_and_stay_in_the_vocabulary);
    tcase_add_test(tc, datasets_are_made_of_arrays);
    tcase_add_test(tc, the_digits_are_what_their_readme_says);
    return tc;
}

static TCase *make_order_case(void)
{
    TCase *tc = tcase_create("batch order");
    tcase_add_test(tc, in_order_batches_are_consecutive_and_wrap);
    tcase_add_test(tc, listed_batches_are_as_listed);
    tcase_add_test(tc, micro_batches_are_parts_of_a_step);
    tcase_add_loop_test(tc, shuffled_epochs_are_permutations, 0, 17);
    tcase_add_test(tc, batches_do_not_depend_on_what_was_asked_before);
    tcase_add_test(tc, shuffling_is_uniform);
    tcase_add_test(tc, impossible_batches_are_refused);
    return tc;
}

int main(void)
{
    Suite *suite = suite_create("dataset");
    suite_add_tcase(suite, make_data_case());
    suite_add_tcase(suite, make_order_case());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
