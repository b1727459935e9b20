# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layers do the chaotic directions live in?

    python3 layers.py RUN            a run of `spectraj train`
"""
import sys

import spectraj

run = spectraj.open(sys.argv[1])
pairs = run.svd(above=1.1, compute=True)  # all singular values above 1.1; kept in RUN
print(f"{len(pairs.sigma)} chaotic directions of {run.n_params}: the tensors' shares of their squared length")
for name, share in pairs.shares(pairs.v).items():
    print(f"{name:24} {share.mean():7.2%}   and of theta {run.tensors[name].size / run.n_params:7.2%}")
