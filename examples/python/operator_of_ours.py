# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest singular values of an operator that Python code multiplies by.

    python3 operator_of_ours.py

The operator takes differences of neighbours, (A x)_i = x_(i+1) - x_i; its singular values are known:
2 sin(k pi / 2n).
"""
import numpy as np

import spectraj

N = 400


def differences(x):
    """A x: [N] -> [N - 1]"""
    return x[1:] - x[:-1]


def transposed(y):
    """A' y: [N - 1] -> [N]"""
    return np.concatenate([[0], y]) - np.concatenate([y, [0]])


pairs = spectraj.svd((differences, transposed), top=5, shape=(N - 1, N), journal="differences.journal")
exact = 2 * np.sin(np.arange(N - 1, N - 6, -1) * np.pi / (2 * N))
for sigma, residual, true in zip(pairs.sigma, pairs.residual, exact):
    print(f"sigma {sigma:.12f}  exactly {true:.12f}  |A'u - sigma v| {residual:.1e}")
print(f"{pairs.stop}; {pairs.applications.jvp} products with A, {pairs.applications.vjp} with A'")
assert np.allclose(pairs.sigma, exact, rtol=1e-10)
