# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: small runs of the command `spectraj` (SPECTRAJ, else that on PATH)."""
import atexit
import functools
import os
import shutil
import subprocess
import tempfile

import numpy as np

CONFIG = """\
data:
  train: {{file: {name}-x.npy, label_file: {name}-y.npy}}
network:
  input: {input}
  layers: {layers}
  loss: softmax_cross_entropy
init: {{seed: {seed}}}
training:
  optimizer: {{type: sgd, momentum: 0.9}}
  learning_rate: {{schedule: cosine, peak: 0.2}}
  batch_size: 8
  steps: 12
"""
DENSE = ("[4]", "[{type: dense, units: 5}, tanh, {type: dense, units: 3}]")
IMAGES = ("[4, 4, 2]", "[{type: conv2d, filters: 3, kernel: 3}, gelu, flatten, {type: dense, units: 3}]")


@functools.lru_cache(maxsize=None)
def folder():
    path = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def command(*arguments):
    program = os.environ.get("SPECTRAJ", "spectraj")
    return subprocess.run([program, *arguments], check=True, capture_output=True, text=True, cwd=folder()).stdout


@functools.lru_cache(maxsize=None)
def trained(kind=DENSE, seed=1):
    """The path of a run."""
    shape = [int(n) for n in kind[0].strip("[]").split(",")]
    random = np.random.default_rng(7)
    name = f"run{abs(hash((kind, seed)))}"
    np.save(os.path.join(folder(), f"{name}-x.npy"), random.normal(size=[24, *shape]))
    np.save(os.path.join(folder(), f"{name}-y.npy"), random.integers(0, 3, 24))
    config = os.path.join(folder(), f"{name}.yaml")
    with open(config, "w", encoding="utf-8") as out:
        out.write(CONFIG.format(name=name, input=kind[0], layers=kind[1], seed=seed))
    command("train", config, "-o", name, "--quiet")
    return os.path.join(folder(), name)


def copy_of(path, name):
    """A copy without results of others."""
    there = os.path.join(os.path.dirname(path), name)
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(path, there)
    return there
