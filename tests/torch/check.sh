#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/torch/check.sh [CASE]...: layers, networks and losses against PyTorch, by the programs beside it; with names the
# cases of theirs alone.  77 where there is no PyTorch.
python=${PYTHON:-/usr/bin/python3}
here=$top_srcdir/tests/torch
library=$top_builddir/.libs/libspectraj.so
if ! "$python" -c 'import numpy, torch' 2> /dev/null; then
    echo "check-torch: skipped, $python has no torch (Debian: python3-torch)"
    exit 77
fi
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
rc=0
"$python" "$here/check.py" "$SPECTRAJ" "$library" "$@" || rc=1
"$python" "$here/networks.py" "$SPECTRAJ" "$library" "$@" || rc=1
"$python" "$here/optimizers.py" "$SPECTRAJ" "$library" "$@" || rc=1
"$python" "$here/trainings.py" "$SPECTRAJ" "$library" "$@" || rc=1
"$python" "$here/steps.py" "$SPECTRAJ" "$library" "$@" || rc=1
"$python" "$here/process.py" "$SPECTRAJ" "$library" "$@" || rc=1
"$python" "$here/pages.py" "$SPECTRAJ" "$library" "$@" || rc=1
if "$python" -c 'import h5py' 2> /dev/null; then
    "$python" "$here/losses.py" "$SPECTRAJ" "$@" || rc=1
else
    echo "check-torch: losses skipped, $python has no h5py (Debian: python3-h5py)"
fi
exit $rc
