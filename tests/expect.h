/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/expect.h: assertions about status codes and the sentences that come with them. */
#ifndef STJ_TESTS_EXPECT_H
#define STJ_TESTS_EXPECT_H

#include <check.h>
#include <string.h>

#include <spectraj/status.h>

/* The call succeeds; its message is shown when it does not. */
#define EXPECT_OK(status, err)                                                                     \
    do {                                                                                           \
        enum stj_status expect_status = (status);                                                  \
        ck_assert_msg(expect_status == STJ_OK, "%s failed: %s: %s", #status,                       \
                      stj_status_name(expect_status), (err).text);                                 \
    } while (0)

/* The call fails with `wanted`, and its one-line message contains `part`.  The record is cleared
 * for the next call. */
#define EXPECT_FAIL(status, wanted, part, err)                                                     \
    do {                                                                                           \
        enum stj_status expect_status = (status);                                                  \
        ck_assert_msg(expect_status == (wanted) && (err).code == (wanted),                         \
                      "%s gave %s, expected %s (message: %s)", #status,                            \
                      stj_status_name(expect_status), stj_status_name(wanted), (err).text);        \
        ck_assert_msg(strstr((err).text, (part)) && !strchr((err).text, '\n'),                     \
                      "message '%s' lacks '%s' or is not one line", (err).text, (part));           \
        stj_error_clear(&(err));                                                                   \
    } while (0)

#endif
