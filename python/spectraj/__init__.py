# SPDX-License-Identifier: GPL-3.0-or-later
"""spectraj: the singular spectrum of the training Jacobian of a neural network.

    run = spectraj.open("RUN")                  # what `spectraj train` recorded
    pairs = run.svd(top=20, compute=True)       # stored, or computed and stored
    run.tensor(pairs.v, "dense0.kernel")        # [20, in, out]
    run.jacobian()                              # a scipy LinearOperator
    spectraj.svd(op, top=5)                     # of any operator

Pure Python over libspectraj; scipy, xarray and matplotlib are used where they are asked for.
docs/python.md is the tutorial.
"""
from ._c import Error, NotStored, library_path, set_threads, version
from ._call import SpectrajWarning
from .result import Group, Result
from .run import Comparison, Run, Tensor, compare
from .run import open_run as open  # noqa: A004 as files are
from .solve import density, svd, trace

__all__ = ["Comparison", "Error", "Group", "NotStored", "Result", "Run", "SpectrajWarning", "Tensor", "compare",
           "density", "library_path", "open", "set_threads", "svd", "trace", "version"]
__version__ = "0.1.0"
