#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/single.sh: networks and training compile with `real` a float, without a warning.
#
# Left out are train/callback_problem.c, whose callbacks are a public contract in double, and train/single_problem.c,
# which is between the two.
set -u
: "${top_srcdir:?is set by make}"
: "${top_builddir:?is set by make}"
flags=$(pkg-config --cflags openblas gsl 2>/dev/null)
failed=0
n=0
for file in $(find "$top_srcdir/src/net" "$top_srcdir/src/train" -name '*.c' ! -name callback_problem.c ! -name single_problem.c | sort)
do
    n=$((n + 1))
    # shellcheck disable=SC2086
    if ! ${CC:-cc} -std=gnu17 -DSTJ_SINGLE -DHAVE_CONFIG_H -fsyntax-only -fopenmp -Wall -Wextra -Wconversion \
        -Wshadow -Werror -I"$top_srcdir/src" -I"$top_srcdir/include" -I"$top_builddir" $flags "$file"
    then
        failed=$((failed + 1))
    fi
done
echo "$n files compiled with float, $failed failed"
[ "$n" -gt 40 ] && [ "$failed" -eq 0 ]
