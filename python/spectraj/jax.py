# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of JAX as runs.

The numbers of a run whose config says ``problem: {command: [python3, my_problem.py]}``, by jax.grad:

    # my_problem.py
    import spectraj.jax                                     # before the first array: it asks JAX for float64
    spectraj.jax.serve(loss, params, steps=batches, sets={"train": train_data, "test": test_data})

A training that a config's network can say, as its states were:

    rec = spectraj.jax.record(config, params)               # before the loop; config: data, network, optimizer
    rec.step(params, rows=rows, rate=rate)                  # after each update
    run = rec.save("RUN")                                   # replayed and compared
"""
from __future__ import annotations

import copy
import hashlib
import os
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    raise ImportError("spectraj.jax needs JAX (pip install jax)") from None

from . import _c
from ._call import Progress
from ._frames import answer
from .run import Run, save_recorded

__all__ = ["Problem", "Recorder", "record", "serve"]

jax.config.update("jax_enable_x64", True)


def _key(entry: Any) -> str:
    for name in ("key", "name", "idx"):
        if hasattr(entry, name):
            return str(getattr(entry, name))
    return str(entry)


def _named(params: Any) -> Dict[str, Any]:
    """Leaves by name, "dense0.kernel"; flax's outer "params" is left out."""
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    named: Dict[str, Any] = {}
    for path, leaf in leaves:
        keys = [_key(entry) for entry in path]
        name = ".".join(keys[1:] if len(keys) > 1 and keys[0] == "params" else keys) or "theta"
        if name in named:
            raise ValueError(f"two parameters are called {name}")
        named[name] = leaf
    return named


class Problem:
    """Gradients and Hessian products of loss(params, batch), compiled, at vectors of all parameters."""

    samples = None

    def __init__(self, loss: Callable[[Any, Any], Any], params: Any, steps: Union[Sequence[Any], Callable[[int], Any]],
                 sets: Mapping[str, Any], initial: Optional[Callable[[int], Any]] = None, held: int = 64,
                 fingerprint: int = 0, vmap: bool = False) -> None:
        if "train" not in sets:
            raise ValueError("sets needs a data set 'train', of which the loss is wanted at the end")
        named = _named(params)
        for name, leaf in named.items():
            if np.asarray(leaf).dtype != np.float64:
                raise ValueError(f"{name} is {np.asarray(leaf).dtype}: parameters are float64 here, and the data too: "
                                 "import spectraj.jax before they are made, and give float64")
        self.named = list(named.items())
        self.n = sum(int(np.size(leaf)) for leaf in named.values())
        self.structure = jax.tree_util.tree_structure(params)
        self.begin, self.given, self.held, self.sets = self._flat(params), initial, held, dict(sets)
        self.batch = steps if callable(steps) else steps.__getitem__
        self.n_steps = 0 if callable(steps) else len(steps)
        self.fingerprint = fingerprint or self._fingerprint(steps)

        def scalar(theta: Any, batch: Any) -> Any:
            return loss(self._tree(theta), batch)

        def linear(theta: Any, batch: Any) -> Any:
            return jax.linearize(lambda at: jax.grad(scalar)(at, batch), theta)[1]

        self._loss = jax.jit(scalar)
        self._gradient = jax.jit(jax.value_and_grad(scalar))
        self._linear = jax.jit(linear)  # its residuals are kept, its code is compiled once
        self._one = jax.jit(lambda f, x: f(x))
        self._wide = jax.jit(lambda f, x: jax.vmap(f)(x)) if vmap else None

    def _flat(self, params: Any) -> np.ndarray:
        return np.concatenate([np.asarray(leaf, np.float64).ravel() for leaf in jax.tree_util.tree_leaves(params)])

    def _tree(self, theta: Any) -> Any:
        parts, at = [], 0
        for _, leaf in self.named:
            size = int(np.size(leaf))
            parts.append(theta[at:at + size].reshape(np.shape(leaf)))
            at += size
        return jax.tree_util.tree_unflatten(self.structure, parts)

    def _fingerprint(self, steps: Any) -> int:
        """Of all arrays that are known."""
        digest = hashlib.sha256(repr([(name, np.shape(leaf)) for name, leaf in self.named]).encode())
        for leaf in jax.tree_util.tree_leaves((self.sets, None if callable(steps) else list(steps))):
            value = np.asarray(leaf)
            digest.update(str((value.dtype, value.shape)).encode() + value.tobytes())
        return int.from_bytes(digest.digest()[:8], "little")

    def initial(self, seed: int) -> np.ndarray:
        return self.begin if self.given is None else self._flat(self.given(seed))

    def gradient(self, step: int, theta: np.ndarray) -> Tuple[float, np.ndarray]:
        loss, g = self._gradient(np.array(theta), self.batch(step))
        return float(loss), np.asarray(g)

    def linearize(self, step: int, theta: np.ndarray) -> Any:
        return self._linear(np.array(theta), self.batch(step))

    def product(self, linear: Any, x: np.ndarray) -> np.ndarray:
        """Column by column, so that a product is the same in any block; with vmap, all at once and faster."""
        if self._wide is not None and len(x) > 1:
            return np.asarray(self._wide(linear, np.array(x)))
        return np.stack([np.asarray(self._one(linear, np.array(row))) for row in x])

    def loss(self, name: str, theta: np.ndarray) -> float:
        return float(self._loss(np.array(theta), self.sets[name]))


def serve(loss: Callable[[Any, Any], Any], params: Any, steps: Union[Sequence[Any], Callable[[int], Any]],
          sets: Mapping[str, Any], initial: Optional[Callable[[int], Any]] = None, held: int = 64, fingerprint: int = 0,
          vmap: bool = False) -> None:
    """Answer the requests of spectraj until there are no more.

    Args:
        loss: loss(params, batch), a number that depends on its arguments alone; it is compiled.
        params: a tree of float64 arrays, where training begins; its keys are the names of the tensors.
        steps: the batch of each step, of equal shapes, or a function of the step (then any number of steps, and
            `fingerprint` should change when its batches do).
        sets: the data of which a mean loss is wanted, "train" among them.
        initial: initial(seed) draws a tree of parameters; without it they are `params`.
        held: linearisations that are kept at once.
        vmap: the products of a block at once.  Faster, and the last bits of a product then depend on the block that it
            is in: with another number of threads an interrupted command may go on to other last digits.
    """
    answer(Problem(loss, params, steps, sets, initial, held, fingerprint, vmap))


class Recorder:
    """See ``record``."""

    def __init__(self, config: Mapping[str, Any], params: Any, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"every is {every}: at least 1")
        for key in ("data", "network", "training"):
            if key not in config:
                raise ValueError(f"config needs the key '{key}', as in a config file")
        self.config, self.every = copy.deepcopy(dict(config)), every
        self._states: List[Dict[str, np.ndarray]] = [self._copy(params)]
        self._rows: List[Optional[List[int]]] = []
        self._rates: List[Optional[float]] = []

    @staticmethod
    def _copy(params: Any) -> Dict[str, np.ndarray]:
        return {name: np.array(leaf) for name, leaf in _named(params).items()}

    def step(self, params: Any, rows: Optional[Sequence[int]] = None, rate: Optional[float] = None) -> None:
        """An update was made: the parameters after it, the rows of its batch in data.train, its learning rate."""
        self._rows.append(None if rows is None else [int(row) for row in np.asarray(rows)])
        self._rates.append(None if rate is None else float(rate))
        self._last = self._copy(params)
        if len(self._rows) % self.every == 0:
            self._states.append(self._last)

    def _given(self, values: List[Any], what: str) -> bool:
        """Was it given at every step, or at none?"""
        if any(value is None for value in values) and any(value is not None for value in values):
            raise ValueError(f"{what} was given for some steps and not for others")
        return values[0] is not None

    def save(self, path: "Union[str, os.PathLike]", *, force: bool = False, accept_deviation: bool = False,
             progress: Optional[Progress] = None) -> Run:
        """Write the training as the run ``path``: every step is replayed by the library and compared.

        Raises:
            Error: the replay lands elsewhere: network, loss, optimizer, rates or batches are not those of the config.
        """
        if not self._rows:
            raise _c.Error("no step was recorded: rec.step(params, ...) comes after each update")
        if not force and os.path.exists(path) and (not os.path.isdir(path) or os.listdir(path)):
            raise _c.Error(f"{os.fspath(path)} is there and not empty; name another, or force=True", "STJ_EEXIST")
        states = self._states + ([self._last] if len(self._rows) % self.every else [])
        files: Dict[str, Any] = {"states.npz": {name: np.stack([s[name] for s in states]) for name in states[0]}}
        config = copy.deepcopy(self.config)
        training = config["training"] = dict(config["training"], steps=len(self._rows))
        training.pop("epochs", None)
        if self._given(self._rows, "rows"):
            width = max(len(rows) for rows in self._rows if rows is not None)
            files["batches.npy"] = np.array([rows + [-1] * (width - len(rows)) for rows in self._rows if rows is not None])
            training.update(batch_size=width, batches="batches.npy")
            training.pop("shuffle", None)
        if self._given(self._rates, "rate"):
            files["rate.npy"] = np.array(self._rates)
            training["learning_rate"] = {"schedule": "file", "file": "rate.npy"}
        init = {key: value for key, value in dict(config.get("init", {"layout": "flax"})).items()
                if key not in ("file", "seed")}
        config.update(init=init, trajectory={"states": "states.npz", **({"every": self.every} if self.every > 1 else {})})
        self._absolute(config["data"])
        files["config.json"] = config
        return save_recorded(path, files, "JAX", force, accept_deviation, progress)

    @staticmethod
    def _absolute(data: Dict[str, Any]) -> None:
        """Files of data are named from where the program runs."""
        for part in data.values():
            for key, value in part.items():
                if key in ("file", "label_file", "targets", "rows") and isinstance(value, str):
                    part[key] = os.path.abspath(value)


def record(config: Mapping[str, Any], params: Any, every: int = 1) -> Recorder:
    """Record a training: before the loop, with its first parameters.

    Args:
        config: what a config file says of data, network, training (optimizer; batches and rates where `step` does not
            get them) and init (`names` and layouts of the parameters' names), as a dict.
        params: a tree of arrays.
        every: keep every so many states; replay makes the others.
    """
    return Recorder(config, params, every)
