#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make.py: the files of tests/imported.sh: trainings done by numpy alone, saved as PyTorch and JAX save theirs.

The network is written in PyTorch's conventions (images [channels][height][width], kernels
[out][in][height][width], dense kernels [out][in], flattened channels first) with derivatives by hand, so that
it shares nothing with spectraj.  Run it in this folder; numpy and h5py are all it needs, and the same
seed gives the same files.
"""
import json

import h5py
import numpy as np

ROWS, STEPS, BATCH = 24, 12, 4


def gradient(p, x, label):
    """The gradient of the mean cross-entropy of conv 3x3 -> tanh -> flatten -> linear."""
    n = len(x)
    patch = np.stack([x[:, i:i + 2, j:j + 2] for i in range(3) for j in range(3)])  # [9][n][2][2]
    w = p["conv.weight"].reshape(2, 9)
    a = np.tanh(np.einsum("ck,knij->ncij", w, patch) + p["conv.bias"][:, None, None])
    flat = a.reshape(n, 8)
    z = flat @ p["fc.weight"].T + p["fc.bias"]
    e = np.exp(z - z.max(1, keepdims=True))
    z_bar = e / e.sum(1, keepdims=True)
    z_bar[np.arange(n), label] -= 1
    z_bar /= np.asarray(n, x.dtype)
    a_bar = (z_bar @ p["fc.weight"]).reshape(a.shape) * (1 - a * a)
    return {"conv.weight": np.einsum("ncij,knij->ck", a_bar, patch).reshape(2, 1, 3, 3),
            "conv.bias": a_bar.sum((0, 2, 3)),
            "fc.weight": z_bar.T @ flat,
            "fc.bias": z_bar.sum(0)}


def train(start, x, label, batches, optimizer):
    """All states, from the first to the one after the last step."""
    p = {k: v.copy() for k, v in start.items()}
    m = {k: np.zeros_like(v) for k, v in p.items()}
    s = {k: np.zeros_like(v) for k, v in p.items()}
    states = [{k: v.copy() for k, v in p.items()}]
    for t, rows in enumerate(batches):
        rows = rows[rows >= 0]
        g = gradient(p, x[rows], label[rows])
        for k in p:
            if optimizer == "momentum":
                m[k] = 0.9 * m[k] + g[k]
                p[k] = p[k] - 0.2 * m[k]
            else:
                m[k] = 0.9 * m[k] + 0.1 * g[k]
                s[k] = 0.999 * s[k] + 0.001 * g[k] * g[k]
                p[k] = p[k] - 0.05 * (m[k] / (1 - 0.9 ** (t + 1))) / (
                    np.sqrt(s[k] / (1 - 0.999 ** (t + 1))) + 1e-6)
            p[k] = p[k].astype(start[k].dtype)
            m[k] = m[k].astype(start[k].dtype)
            s[k] = s[k].astype(start[k].dtype)
        states.append({k: v.copy() for k, v in p.items()})
    return states


def save_safetensors(name, state):
    """As safetensors.numpy.save_file, of float32."""
    header, at = {}, 0
    for k, v in state.items():
        header[k] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [at, at + v.nbytes]}
        at += v.nbytes
    text = json.dumps(header).encode()
    with open(name, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for v in state.values():
            f.write(v.astype("<f4").tobytes())


def jax_vector(state):
    """Bias before kernel, kernels [height][width][in][out] and [in][out], flattened channels last."""
    fc = state["fc.weight"].reshape(3, 2, 2, 2).transpose(2, 3, 1, 0)
    return np.concatenate([state["conv.bias"], state["conv.weight"].transpose(2, 3, 1, 0).ravel(),
                           state["fc.bias"], fc.ravel()])


def main():
    rng = np.random.default_rng(7)
    x = rng.normal(size=(ROWS, 4, 4)).astype(np.float32).astype(np.float64)
    label = rng.integers(0, 3, ROWS)
    batches = np.stack([rng.choice(ROWS, BATCH, replace=False) for _ in range(STEPS)])
    batches[5, 3] = -1  # a shorter batch
    start = {"conv.weight": 0.4 * rng.normal(size=(2, 1, 3, 3)), "conv.bias": 0.1 * rng.normal(size=2),
             "fc.weight": 0.4 * rng.normal(size=(3, 8)), "fc.bias": 0.1 * rng.normal(size=3)}
    np.save("x.npy", x.reshape(ROWS, 16).astype(np.float32))
    np.save("labels.npy", label)
    np.save("batches.npy", batches)

    states = train(start, x, label, batches, "momentum")
    series = {k: np.stack([s[k] for s in states]) for k in start}
    with h5py.File("momentum.h5", "w") as f:
        for k, v in series.items():
            f.create_dataset("states/" + k, data=v, chunks=(1,) + v.shape[1:])
    np.savez_compressed("momentum.npz", **series)
    np.save("momentum.npy", np.stack([jax_vector(s) for s in states]))
    np.save("adam.npy", np.stack([jax_vector(s) for s in train(start, x, label, batches, "adam")]))

    np.save("theta0.npy", jax_vector(start))
    single = {k: v.astype(np.float32) for k, v in start.items()}
    for t, s in enumerate(train(single, x.astype(np.float32), label, batches, "momentum")):
        save_safetensors("step-%03d.safetensors" % t, s)


main()
