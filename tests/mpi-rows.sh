#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/mpi-rows.sh: bases divided among 1 to 4 ranks give what one rank gives; whole on each, its bits.

. "$top_srcdir/tests/mpi.sh"

failed=0
for p in 1 2 3 4; do
    ranks $p "$top_builddir/tests/m-rows" || failed=1
    ranks $p "$top_builddir/tests/m-rows" whole || failed=1
done
exit $failed
