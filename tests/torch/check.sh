#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/torch/check.sh [CASE]...: the cases of check.py beside it; 77 where there is no PyTorch.
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import numpy, torch' 2> /dev/null; then
    echo "check-torch: skipped, $python has no torch (Debian: python3-torch)"
    exit 77
fi
OMP_NUM_THREADS=1 exec "$python" "$top_srcdir/tests/torch/check.py" "$SPECTRAJ" \
    "$top_builddir/.libs/libspectraj.so" "$@"
