#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""losses.py: every loss, and init.layout: pytorch with images channels first, against PyTorch in double precision.

Each case is trained for three steps by both, from PyTorch's parameters.  Compared are theta_n (1e-12) and the
singular values of d theta_n / d theta_0 (1e-11), which PyTorch gets by differentiating through the training.

    losses.py SPECTRAJ [CASE]...
"""
import json
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.stateless import functional_call

STEPS, BATCH, RATE, MOMENTUM, CLASSES = 3, 5, 0.1, 0.9, 4
WEIGHTS = [0.5, 2, 0.25, 1.25]


class Positions(nn.Module):
    """A dense network at each position, classes put second as PyTorch's losses want them."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(3, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x))).transpose(1, 2)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Convolutional(nn.Module):
    """Layers whose files differ: kernels, a flattened image, normalisations, an attention's projections."""

    def __init__(self):
        super().__init__()
        self.c, self.n = nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.d = nn.Conv2d(3, 3, 3)
        self.a, self.b = nn.Linear(3 * 2 * 4, 6), nn.Linear(6, CLASSES)
        self.l = nn.LayerNorm(6)

    def forward(self, x):
        x = torch.tanh(self.n(self.c(x)))
        x = torch.tanh(self.a(torch.flatten(torch.tanh(self.d(x)), 1)))
        return self.b(self.l(x))


class Attending(nn.Module):
    def __init__(self):
        super().__init__()
        self.t = nn.Embedding(7, 4)
        self.m = nn.MultiheadAttention(4, 2, batch_first=True)
        self.b = nn.Linear(4, CLASSES)

    def forward(self, x):
        x = self.t(x.long())
        return self.b(torch.tanh(self.m(x, x, x, need_weights=False)[0])).transpose(1, 2)


DENSE = ["{type: dense, name: a, units: 6}", "tanh", "{type: dense, name: b, units: 4}"]
MODULES = {  # network.input, layers, shape of an array of PyTorch
    Plain: ([6], DENSE, [6]),
    Positions: ([3, 3], DENSE, [3, 3]),
    Convolutional: ([4, 6, 2], ["{type: conv2d, name: c, filters: 3, kernel: 3, padding: same}",
                                "{type: batch_norm, name: n}", "tanh",
                                "{type: conv2d, name: d, filters: 3, kernel: 3}", "tanh", "flatten",
                                "{type: dense, name: a, units: 6}", "tanh", "{type: layer_norm, name: l, eps: 1e-5}",
                                "{type: dense, name: b, units: 4}"], [2, 4, 6]),
    Attending: ([3], ["{type: embedding, name: t, vocabulary: 7, width: 4}", "{type: attention, name: m, heads: 2}", "tanh",
                      "{type: dense, name: b, units: 4}"], [3]),
}


def labelled(f, ignored=None, **options):
    """Options of PyTorch's loss of labels."""
    if "weight" in options:
        options["weight"] = torch.tensor(WEIGHTS, dtype=torch.float64)
    if ignored is not None:
        options["ignore_index"] = ignored
    return lambda z, t: f(z, t.long(), **options)


def hinge(z, t, p=1, margin=1., weight=None, reduction="mean"):
    """multi_margin_loss, which PyTorch differentiates only once, by its definition."""
    own = z.gather(1, t[:, None])
    within = torch.clamp(margin - own + z, min=0) ** p * (1 - F.one_hot(t, z.shape[1]))
    item = within.sum(1) / z.shape[1] * (1 if weight is None else weight[t])
    value = item.mean() if reduction == "mean" else item.sum()
    exact = F.multi_margin_loss(z.detach(), t, p=p, margin=margin, weight=weight, reduction=reduction)
    assert abs(value - exact) <= 1e-14 * abs(exact), "the definition of multi_margin_loss differs"
    return value


W = "class_weights: [0.5, 2, 0.25, 1.25]"
# name: loss, PyTorch's, kind of targets, module
CASES = {
    "softmax": ("softmax_cross_entropy", labelled(F.cross_entropy), "labels", Plain),
    "softmax_sum": ("{type: softmax_cross_entropy, reduction: sum}", labelled(F.cross_entropy, reduction="sum"),
                    "labels", Positions),
    "softmax_weights": (f"{{type: softmax_cross_entropy, {W}}}", labelled(F.cross_entropy, weight=1), "labels", Plain),
    "softmax_smooth_weights": (f"{{type: softmax_cross_entropy, {W}, label_smoothing: 0.2, ignore_index: -100}}",
                               labelled(F.cross_entropy, weight=1, label_smoothing=0.2), "ignored", Positions),
    "softmax_ignore": ("{type: softmax_cross_entropy, ignore_index: 2, label_smoothing: 0.1}",
                       labelled(F.cross_entropy, 2, label_smoothing=0.1), "labels", Positions),
    "softmax_ignore_sum": (f"{{type: softmax_cross_entropy, ignore_index: -100, {W}, reduction: sum}}",
                           labelled(F.cross_entropy, weight=1, reduction="sum"), "ignored", Positions),
    "softmax_soft": ("softmax_cross_entropy", F.cross_entropy, "probabilities", Positions),
    "softmax_soft_weights": (f"{{type: softmax_cross_entropy, {W}, label_smoothing: 0.3}}",
                             lambda z, t: F.cross_entropy(z, t, torch.tensor(WEIGHTS), label_smoothing=0.3),
                             "probabilities", Plain),
    "likelihood": ("negative_log_likelihood", labelled(F.nll_loss), "labels", Plain),
    "likelihood_weights": (f"{{type: negative_log_likelihood, ignore_index: -100, {W}}}", labelled(F.nll_loss, weight=1),
                           "ignored", Positions),
    "hinge": ("hinge", labelled(hinge), "labels", Plain),
    "hinge_square": (f"{{type: hinge, p: 2, margin: 1.5, {W}}}",
                     labelled(hinge, p=2, margin=1.5, weight=1), "labels", Plain),
    "hinge_sum": ("{type: hinge, p: 2, reduction: sum}", labelled(hinge, p=2, reduction="sum"), "labels",
                  Plain),
    "squares": ("mean_squared_error", F.mse_loss, "values", Positions),
    "squares_sum": ("{type: mean_squared_error, reduction: sum}", lambda z, t: F.mse_loss(z, t, reduction="sum"), "values",
                    Positions),
    "l1": ("l1", F.l1_loss, "values", Plain),
    "l1_sum": ("{type: l1, reduction: sum}", lambda z, t: F.l1_loss(z, t, reduction="sum"), "values", Positions),
    "huber": ("{type: huber, delta: 0.7}", lambda z, t: F.huber_loss(z, t, delta=0.7), "values", Plain),
    "smooth_l1": ("{type: smooth_l1, beta: 0.7}", lambda z, t: F.smooth_l1_loss(z, t, beta=0.7), "values", Positions),
    "binary": ("binary_cross_entropy", F.binary_cross_entropy_with_logits, "probabilities", Plain),
    "binary_sum": ("{type: binary_cross_entropy, reduction: sum}",
                   lambda z, t: F.binary_cross_entropy_with_logits(z, t, reduction="sum"), "probabilities", Positions),
    "kullback": ("kullback_leibler", lambda z, t: F.kl_div(z, t, reduction="mean"), "probabilities", Plain),
    "kullback_batch": ("{type: kullback_leibler, reduction: batch_mean}", lambda z, t: F.kl_div(z, t, reduction="batchmean"),
                       "probabilities", Positions),
    "kullback_sum": ("{type: kullback_leibler, reduction: sum}", lambda z, t: F.kl_div(z, t, reduction="sum"),
                     "probabilities", Plain),
    "images": ("softmax_cross_entropy", labelled(F.cross_entropy), "labels", Convolutional),
    "projections": ("softmax_cross_entropy", labelled(F.cross_entropy), "labels", Attending),
}


def make_targets(kind, shape, rng):
    """shape: of the outputs, classes last."""
    if kind in ("labels", "ignored"):
        labels = rng.integers(0, CLASSES, shape[:-1]).astype(float)
        if kind == "ignored":
            labels[rng.random(labels.shape) < 0.3] = -100
        return labels
    if kind == "values":
        return rng.normal(size=shape)
    t = rng.random(shape)
    t[rng.random(shape) < 0.1] = 0
    return t / t.sum(-1, keepdims=True)


def train(module, loss, x, t, theta0, sizes):
    """theta_n as a function of theta_0, a vector."""
    theta, velocity = theta0, torch.zeros_like(theta0)
    for step in range(STEPS):
        rows = slice(step * BATCH, (step + 1) * BATCH)

        def value(theta):
            parts = dict(zip(sizes, [p.view(s) for p, s in zip(theta.split([s.numel() for s in sizes.values()]),
                                                              sizes.values())]))
            return loss(functional_call(module, parts, (x[rows],)), t[rows])
        if not theta.requires_grad:
            theta = theta.requires_grad_()
        g, = torch.autograd.grad(value(theta), theta, create_graph=True)
        velocity = MOMENTUM * velocity + g
        theta = theta - RATE * velocity
    return theta


def run_case(name, spectraj):
    text, loss, kind, kind_of_module = CASES[name]
    seed = sorted(CASES).index(name)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    module = kind_of_module().double()
    shape, layers, own = MODULES[kind_of_module]
    n = STEPS * BATCH
    x = rng.integers(0, 7, [n] + own).astype(float) if kind_of_module is Attending else rng.normal(size=[n] + own)
    for p in module.parameters():
        p.data = p.data + 0.1 * torch.randn_like(p)
    with torch.no_grad():
        out = list(module(torch.tensor(x)).shape)
    last = [out[0], out[2], out[1]] if len(out) == 3 else out
    t = make_targets(kind, last, rng)
    np.save("x.npy", x)
    np.save("t.npy", t)
    state = {k: v.detach().numpy() for k, v in module.named_parameters()}
    np.savez("m.npz", **state)
    key = "labels" if kind in ("labels", "ignored") else "targets"
    with open("c.yaml", "w", encoding="utf-8") as f:
        f.write(f"data: {{train: {{file: x.npy, {key}: t.npy}}}}\nnetwork:\n  input: {shape}\n  layers:\n"
                + "".join(f"    - {layer}\n" for layer in layers) + f"  loss: {text}\n"
                + "init: {file: m.npz, layout: pytorch}\ntraining: {optimizer: {type: sgd, momentum: "
                + f"{MOMENTUM}}}, learning_rate: {{schedule: constant, peak: {RATE}}}, batch_size: {BATCH}, "
                + f"steps: {STEPS}}}\n")
    subprocess.run([spectraj, "train", "-q", "c.yaml", "-o", "R", "--force"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([spectraj, "dense", "-q", "R", "--force"], check=True, stdout=subprocess.DEVNULL)
    sizes = {k: p.shape for k, p in module.named_parameters()}
    theta0 = torch.cat([p.detach().reshape(-1) for p in module.parameters()])
    target = torch.tensor(t)
    if len(out) == 3 and target.dim() == 3:
        target = target.transpose(1, 2)
    data = torch.tensor(x)
    theta_n = train(module, loss, data, target, theta0.clone(), sizes).detach().numpy()
    jacobian = torch.autograd.functional.jacobian(lambda v: train(module, loss, data, target, v, sizes), theta0)
    sigma = np.linalg.svd(jacobian.numpy(), compute_uv=False)
    with h5py.File("R/trajectory.h5", "r") as f:
        ours = f["states"][-1][:theta0.numel()]
    with h5py.File("R/dense.h5", "r") as f:
        found = np.sort(f["sigma"][:])[::-1]
    error = np.abs(np.sort(ours) - np.sort(theta_n)).max() / np.abs(theta_n).max()
    spectral = np.abs(found - sigma).max() / sigma[0]
    moved = np.abs(theta_n - theta0.numpy()).max()
    good = error <= 1e-12 and spectral <= 1e-11 and moved > 1e-3 and np.abs(sigma - 1).max() > 1e-4
    print(f"{'pass' if good else 'FAIL'} {name}: theta {error:.1e}, sigma {spectral:.1e}, moved {moved:.1e}")
    return good


def main():
    spectraj = os.path.abspath(sys.argv[1])
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    chosen = [name for name in CASES if name in sys.argv[2:]] if sys.argv[2:] else CASES
    bad = 0
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                bad += not run_case(name, spectraj)
            except (subprocess.CalledProcessError, RuntimeError, OSError, KeyError) as problem:
                print(f"FAIL {name}: {problem}")
                bad += 1
            os.chdir("/")
    print(f"{bad} of {len(chosen)} cases differ")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
