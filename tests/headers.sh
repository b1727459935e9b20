#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/headers.sh: each public header compiles alone, and spectraj.h includes them all.
set -u
: "${top_srcdir:?is set by make}"
fail=0
umbrella=$top_srcdir/include/spectraj.h
for header in "$umbrella" "$top_srcdir"/include/spectraj/*.h; do
    ${CC:-cc} -std=c17 -Wall -Wextra -Werror -I "$top_srcdir/include" -fsyntax-only \
        -x c "$header" -Wno-pragma-once-outside-header || {
        echo "FAIL: $header does not compile alone"
        fail=1
    }
    name=spectraj/$(basename "$header")
    [ "$header" = "$umbrella" ] || grep -q "^#include <$name>" "$umbrella" || {
        echo "FAIL: include/spectraj.h does not include <$name>"
        fail=1
    }
done
exit $fail
