#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# tests/xarray.sh: xarray opens every file of a run, with names for all dimensions, counts as integers
# and texts as texts.
python=/usr/bin/python3 # Debian's, which has Debian's packages; the one on PATH may be another
"$python" -c 'import xarray, h5netcdf' 2> /dev/null ||
    { echo 'no xarray here (Debian packages python3-xarray and python3-h5netcdf)'; exit 77; }
. "$(dirname "$0")/cli-lib.sh"

short_config short.yaml '/^analysis:/,$d'
run 0 train short.yaml -o R
run 0 svd R --top 3 --quiet
run 0 dense R --quiet
run 0 density R --probes 2 --steps 4 --quiet
run 0 trace R --quiet
run 0 study alignment R --quiet

cat > look.py <<'PYTHON'
import glob, numpy, xarray
for path in sorted(glob.glob("R/*.h5")):
    with xarray.open_dataset(path, engine="h5netcdf") as d:
        assert isinstance(d.attrs["format"], str), path
        assert isinstance(d.attrs["version"], numpy.unsignedinteger), path
        for name in d.data_vars:
            assert not any("phony" in dim for dim in d[name].dims), (path, name)
            d[name].load()
with xarray.open_dataset("R/trajectory.h5", engine="h5netcdf") as d:
    assert d.states.dims == ("state_step", "state_number"), d.states.dims
    assert d.states_crc32.dims == ("state_step",) and d.loss.dims == ("step",)
    assert d.state_step.dtype == numpy.uint64 and "state_step" in d.coords
    n = d.attrs["n_steps"]
    assert d.states.sel(state_step=n).shape == ((1 + d.attrs["n_slots"]) * d.attrs["n_params"],)
    assert "before" in d.states.attrs["long_name"]
PYTHON
"$python" look.py > out 2> err || fail "xarray: $(cat out err)"

finish
