#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of docs/python-pytorch.md and of docs/problem-protocol.md runs as it stands there, behind lines that make the
model and the data that the pages take for given, with a tenth of the steps.  JAX's block is left out where there is no JAX.

    pages.py SPECTRAJ LIBRARY [CASE]...
"""
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

GIVEN = """
import torch
from torch import nn
torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
x, y = torch.randn(24, 3), torch.randint(0, 2, (24,))
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
def loss_fn(model, batch):
    return nn.functional.cross_entropy(model(x[batch]), y[batch])
def samples(model, batch, step):
    return batch, nn.functional.cross_entropy(model(x[batch]), y[batch], reduction="none") / len(batch)
batches = steps = [(6 * t + torch.arange(6)) % 18 for t in range(300)]
train_data, test_data = torch.arange(18), torch.arange(18, 24)
sets = {"train": train_data, "test": test_data}
"""

OWN = """
w, m = torch.randn(3, 2), torch.zeros(3, 2)
def train_loss(state):
    return nn.functional.cross_entropy(x @ state["weight"], y)
"""

STEP = """    value = train_loss(state)
    gradient, = torch.autograd.grad(value, state["weight"], create_graph=True)
    m = 0.9 * state["momentum.weight"] + gradient
    return value, {"weight": state["weight"] - 0.1 * m, "momentum.weight": m}
"""

JAX = """
import jax, numpy
given = numpy.random.default_rng(1)
x, params = given.normal(size=(18, 3)), {"layer": {"kernel": given.normal(size=(3, 2))}}
def loss(params, batch):
    return ((jax.numpy.asarray(x)[batch] @ params["layer"]["kernel"]) ** 2).mean()
batches = [(6 * t + numpy.arange(6)) % 18 for t in range(300)]
train_data = test_data = numpy.arange(18)
"""


def blocks(page):
    """Indented and fenced blocks of code, in their order."""
    text = open(os.path.join(TOP, "docs", page), encoding="utf-8").read()
    found = re.findall(r"^```python\n(.*?)^```$|((?:^    [^\n]*\n|^\n(?=    ))+)", text, re.M | re.S)
    return [fenced or re.sub(r"^    ", "", indented, flags=re.M) for fenced, indented in found]


def the(page, words):
    """The one block of the page with these words."""
    found = [block for block in blocks(page) if words in block]
    if len(found) != 1:
        raise SystemExit("FAIL: docs/%s has %d blocks with '%s'" % (page, len(found), words))
    return found[0]


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("FAIL: %s: %s" % (" ".join(command), done.stderr))
    return done.stdout


def recorded(spectraj, folder):
    """The recorded training: its replay, and the pairs that the command prints."""
    code = "".join(block for block in blocks("python-pytorch.md") if "run.unflatten" in block or "record(" in block)
    printed = run(folder, sys.executable, "-c", code + "\nprint(run.info['imported']['deviation'], *pairs.sigma.tolist())")
    deviation, *sigma = map(float, printed.split("\n")[-2].split())
    found = json.loads(run(folder, spectraj, "svd", "mlp-run", "--top", "10", "--json"))["top"]["sigma"]
    return deviation < 1e-12 and found == sigma


def process(code):
    def served(spectraj, folder):
        page = the("problem-protocol.md", "optimizer: own_step") if "serve_steps" in code else ""
        config = the("problem-protocol.md", "command: [python3, my_problem.py]")
        if page:  # what it says instead of the training and of the start
            config = re.sub(r"^(init|training):.*\n(  .*\n)*", "", config, flags=re.M) + page
        with open(folder + "/my_problem.py", "w") as out:
            out.write(code)
        with open(folder + "/c.yaml", "w") as out:
            out.write(config.replace("python3,", sys.executable + ",").replace("steps: 300", "steps: 30"))
        run(folder, spectraj, "train", "c.yaml", "-o", "RUN", "--quiet")
        run(folder, spectraj, "validate", "RUN", "--quiet")
        if page:
            run(folder, spectraj, "dense", "RUN", "--layers", "weight", "--quiet")
        if "samples=" in code:
            run(folder, spectraj, "influence", "RUN", "--quiet")
        return True
    return served


def main():
    spectraj, library, *names = sys.argv[1:]
    os.environ.update(SPECTRAJ_LIBRARY=library, PYTHONPATH=os.path.abspath(os.path.join(TOP, "python")))
    page = "problem-protocol.md"
    cases = {
        "page-recorded": recorded,
        "page-served": process(GIVEN + the(page, "torch.serve(loss_fn")),
        "page-samples": process(GIVEN + "from spectraj.torch import serve\n" + the(page, "samples=samples")),
        "page-steps": process(GIVEN + OWN + "import spectraj.torch\n" +
                              the(page, "serve_steps(step").replace("    ...\n", STEP)),
        "page-jax": process(JAX + the(page, "spectraj.jax.serve")),
    }
    good = True
    for name, case in cases.items():
        if names and name not in names:
            continue
        if name == "page-jax" and subprocess.run([sys.executable, "-c", "import jax"], capture_output=True).returncode:
            print("page-jax       skipped, there is no JAX")
            continue
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_STATE_HOME"] = folder + "/state"
            passed = case(spectraj, folder)
        print("%-14s %s" % (name, "ok" if passed else "FAIL"))
        good = good and passed
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
