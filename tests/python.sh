#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/python.sh: the Python package against the library that was built, and its examples and the page about it.
python=/usr/bin/python3 # Debian's, which has Debian's packages; the one on PATH may be another
case $CORE_FLAGS in *-fsanitize=*) echo 'the library of a build with sanitizers cannot be loaded'; exit 77 ;; esac
[ -e "${top_builddir:?is set by make}/.libs/libspectraj.so.0" ] || { echo 'no shared library was built'; exit 77; }
"$python" -c 'import numpy, sys; sys.exit(sys.version_info < (3, 9))' 2> /dev/null ||
    { echo 'no numpy here (Debian package python3-numpy)'; exit 77; }
SPECTRAJ_LIBRARY=$top_builddir/.libs PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=$top_srcdir/python:$top_srcdir/python/tests${PYTHONPATH:+:$PYTHONPATH}
export SPECTRAJ_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE
if "$python" -c 'import pytest' 2> /dev/null; then
    "$python" -m pytest -q -p no:cacheprovider "$top_srcdir/python/tests" || exit 1
else
    "$python" -m unittest discover -s "$top_srcdir/python/tests" || exit 1
fi
