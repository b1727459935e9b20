#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings whose numbers come from PyTorch in another process (spectraj.torch.serve): every part of validate passes, and
the top pairs are those of the dense matrix.

    process.py SPECTRAJ LIBRARY [CASE]...
"""
import json
import os
import subprocess
import sys
import tempfile

HEAD = """
import sys
sys.path.insert(0, %r)
import torch
from torch import nn
import spectraj.torch
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.manual_seed(5)
"""

CASES = {
    "gru": """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.out = nn.Linear(4, 2)
    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])
x, y = torch.randn(48, 6, 3), torch.randint(0, 2, (48,))
def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
steps = [(x[(8 * t + torch.arange(8)) % 40], y[(8 * t + torch.arange(8)) % 40]) for t in range(30)]
sets = {"train": (x[:40], y[:40]), "test": (x[40:], y[40:])}
spectraj.torch.serve(loss, Model(), steps, sets)
""",
    "pinn": """
model = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 1))
def loss(model, x):
    x = x.clone().requires_grad_()
    u = model(x)
    du, = torch.autograd.grad(u.sum(), x, create_graph=True)
    ddu, = torch.autograd.grad(du.sum(), x, create_graph=True)
    edge = model(torch.tensor([[0.0], [1.0]]))
    return ((ddu + 4 * torch.sin(2 * x)) ** 2).mean() + (edge ** 2).sum()
points = [torch.rand(10, 1) for _ in range(30)]
spectraj.torch.serve(loss, model, points, {"train": torch.linspace(0, 1, 21)[:, None]})
""",
    "residual": """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.norm = nn.GroupNorm(1, 2)
    def forward(self, x):
        return x + self.second(nn.functional.gelu(self.norm(self.first(x))))
model = nn.Sequential(Block(), nn.Flatten(), nn.Linear(32, 3))
x, y = torch.randn(30, 2, 4, 4), torch.randint(0, 3, (30,))
def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
def step(t):
    at = (6 * t + torch.arange(6)) % 24
    return x[at], y[at]
def draw(seed):
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
spectraj.torch.serve(loss, model, step, {"train": (x[:24], y[:24]), "test": (x[24:], y[24:])}, initial=draw, fingerprint=1)
""",
}

# The same network natively, whose influences are known, and through the process.
CASES["samples"] = """
import numpy
numpy.random.seed(3)
x, y = torch.tensor(numpy.random.randn(30, 3)), torch.tensor(numpy.random.randint(0, 2, 30))
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
def rows(t):
    return (6 * t + torch.arange(6)) % 24
def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])
def samples(model, batch, t):
    return rows(t), nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none") / 6
spectraj.torch.serve(loss, model, [(x[rows(t)], y[rows(t)]) for t in range(12)],
                     {"train": (x[:24], y[:24]), "test": (x[24:], y[24:])}, samples=samples)
"""

# Steps of one's own: sharpness-aware descent with momentum, by hand.
CASES["sam_step"] = """
x, y = torch.randn(40, 3), torch.randint(0, 2, (40,))
state = {"w": torch.randn(3, 4) / 2, "v": torch.randn(4, 2) / 2, "m.w": torch.zeros(3, 4), "m.v": torch.zeros(4, 2)}
def loss(w, v, at):
    return nn.functional.cross_entropy(torch.tanh(x[at] @ w) @ v, y[at])
def step(t, s):
    at, w, v = (8 * t + torch.arange(8)) % 40, s["w"], s["v"]
    value = loss(w, v, at)
    g = torch.autograd.grad(value, [w, v], create_graph=True)
    norm = sum((a * a).sum() for a in g).sqrt()
    up = [p + 0.05 * a / norm for p, a in zip((w, v), g)]
    g = torch.autograd.grad(loss(*up, at), up, create_graph=True)
    m = [0.9 * s["m.w"] + g[0], 0.9 * s["m.v"] + g[1]]
    return value, {"w": w - 0.1 * m[0], "v": v - 0.1 * m[1], "m.w": m[0], "m.v": m[1]}
def all_of(s):
    return loss(s["w"], s["v"], torch.arange(40))
spectraj.torch.serve_steps(step, state, {"train": all_of}, fingerprint=1)
"""

CONFIG = """
problem: {command: [%s, problem.py]}
init: {seed: 3}
training:
  optimizer: {type: adam}
  learning_rate: {schedule: constant, peak: 0.01}
  steps: 12
"""

OWN = """
problem: {command: [%s, problem.py]}
training: {optimizer: own_step, steps: 12}
"""


def check(spectraj, name, text, python):
    with tempfile.TemporaryDirectory() as folder:
        env = dict(os.environ, XDG_STATE_HOME=folder + "/state")

        def run(*arguments):
            done = subprocess.run([spectraj, *arguments], cwd=folder, env=env, capture_output=True, text=True)
            if done.returncode not in (0, 2):
                raise SystemExit("FAIL: %s: %s: %s" % (name, " ".join(arguments), done.stderr))
            return done

        with open(folder + "/problem.py", "w") as out:
            out.write(HEAD % python + text)
        with open(folder + "/c.yaml", "w") as out:
            own = "serve_steps" in text
            out.write((OWN if own else CONFIG) % sys.executable)
        run("train", "c.yaml", "-o", "RUN", "--quiet")
        found = run("validate", "RUN", "--json", "--quiet")
        dense = json.loads(run("dense", "RUN", "--json", "--quiet").stdout)
        top = json.loads(run("svd", "RUN", "--top", "5", "--method", "arpack", "--tol", "1e-13", "--json", "--quiet",
                             "--tag", "iterated").stdout)
        ours, exact = top["top"]["sigma"], dense["sigma"]
        error = max(abs(a - b) for a, b in zip(ours, exact)) / exact[0]
        if name == "samples":
            differenced = json.loads(found.stdout)["weights_difference_error"]
            checked = json.loads(run("influence", "RUN", "--check", "6", "--json", "--quiet").stdout)
            ranks = checked["check"]["rank_correlation"]
            print("samples    left out: rank correlation %.3f" % ranks)
            error = max(error, 0 if ranks > 0.8 and differenced is not None and differenced < 1e-6 else 1)
        good = found.returncode == 0 and len(ours) == 5 and error < 1e-10
        print("%-10s validate %s, top pairs within %.1e of dense: %s" % (
            name, "passes" if found.returncode == 0 else "FAILS", error, "ok" if good else "FAIL"))
        if not good:
            print(found.stdout)
        return good


def main():
    spectraj, library, *names = sys.argv[1:]
    os.environ.setdefault("SPECTRAJ_LIBRARY", library)
    python = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python")
    good = [check(spectraj, name, text, python) for name, text in CASES.items() if not names or name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
