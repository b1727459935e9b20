# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs: what was trained, its stored results and the operator of its training Jacobian."""
from __future__ import annotations

import ctypes as C
import difflib
import json
import os
import weakref
from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _c
from ._call import Call, Progress
from .result import Result, rows
from .solve import Request, finish, finish_status

Layers = Union[None, str, Sequence[str]]


@dataclass(frozen=True)
class Tensor:
    """A tensor of the trained parameters: its name, shape and place in theta."""
    name: str
    shape: Tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))


class Run:
    """A run of ``spectraj train``, opened; see ``spectraj.open``.

    Attributes:
        path: its folder.
        info: what ``spectraj info --json`` says of it (docs/json.md).
        config: its config with all defaults filled in, as dicts and lists.
        loss: the batch loss of each step [n_steps].
        n_params, n_steps: N and n.
        tensors: the trained tensors by name, in the order of theta, in the network's layout.
    """

    def __init__(self, path: "Union[str, os.PathLike]"):
        self.path = os.fspath(path)
        self._handle = _c.make("stj_run_open", os.fsencode(self.path))
        weakref.finalize(self, _c.lib.stj_run_destroy, self._handle)
        self.config: dict = json.loads(_c.take_text(_c.make("stj_run_config_json", self._handle)))
        info = self.info
        self.n_params: int = info["n_params"]
        self.n_steps: int = info["n_steps"]
        self.n_slots: int = info["n_slots"]
        self._trained = [item for item in info["parameters"] if not item["frozen"]]
        curve = _c.lib.stj_run_loss_curve(self._handle)
        self.loss: np.ndarray = np.ctypeslib.as_array(curve, (self.n_steps,)).copy()
        self._layouts: dict[str, list[Tensor]] = {}
        self.tensors: dict[str, Tensor] = {t.name: t for t in self._layout("network")}

    def __repr__(self) -> str:
        return f"<spectraj run {self.path}: {self.n_params} parameters, {self.n_steps} steps>"

    @property
    def info(self) -> dict:
        """What ``spectraj info --json`` says now, the stored results among it."""
        with _c.written() as out:
            _c.call("stj_report_info", out.stream, 1, self._handle)
        return json.loads(out.text)

    # ---- parameters ----

    def _array(self, layout: str, i: int, numbers: Optional[np.ndarray] = None,
               items: Optional[np.ndarray] = None) -> _c.StjRunArray:
        array = _c.StjRunArray()
        place = [None if x is None else x.ctypes.data_as(_c.doubles) for x in (numbers, items)]
        _c.call("stj_run_get_array", self._handle, layout.encode(), i, *place, C.byref(array))
        return array

    def _layout(self, layout: str) -> list[Tensor]:
        if layout not in self._layouts:
            arrays = [self._array(layout, i) for i in range(len(self._trained))]
            self._layouts[layout] = [
                Tensor(_c.from_text(a.name) or "", tuple(a.shape[:a.n_dims]), item["offset"])
                for a, item in zip(arrays, self._trained)]
        return self._layouts[layout]

    def theta(self, t: int, layout: str = "network") -> "Union[dict[str, np.ndarray], np.ndarray]":
        """The parameters before step t (t = n_steps, or -1: after the last).

        Args:
            layout: "network": a dict of arrays by name, a dense kernel [in, out], a convolution's
                [height, width, in, out]; "pytorch": by PyTorch's names and in its axes; "flat": all
                of them as one vector [n_params], in the order of every result.
        """
        step = t + self.n_steps + 1 if t < 0 else t
        if not 0 <= step <= self.n_steps:
            raise IndexError(f"state {t} of a run whose states are 0 to {self.n_steps}")
        flat = np.empty(self.n_params)
        with _c.working:
            _c.call("stj_run_theta", self._handle, step, flat.ctypes.data_as(_c.doubles))
        return flat if layout == "flat" else self.unflatten(flat, layout)

    def unflatten(self, v: np.ndarray, layout: str = "network") -> dict[str, np.ndarray]:
        """Vectors ``v`` [..., n_params], directions for instance, as a dict of arrays [..., *shape]."""
        return {t.name: self.tensor(v, t.name, layout) for t in self._layout(layout)}

    def _find(self, name: str, layout: str) -> int:
        names = [t.name for t in self._layout(layout)]
        if name in names:
            return names.index(name)
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(names)}"
        raise KeyError(f"the run has no tensor '{name}'{hint}")

    def _block(self, layers: Layers) -> List[int]:
        """The numbers of the tensors that `layers` names: layers or tensors, as the commands have them."""
        if layers is None:
            return list(range(len(self._trained)))
        part = _c.StjRunPart(0, 0, _layers_text(layers), False)
        n, names = _c.size_t(), C.c_void_p()
        _c.call("stj_run_part_size", self._handle, C.byref(part), C.byref(n), C.byref(names))
        text = _c.take_text(names.value)
        return [self._find(name, "network") for name in text.split(",")] if text \
            else self._block(None)

    def tensor(self, v: np.ndarray, name: str, layout: str = "network", layers: Layers = None,
               slot: Optional[int] = None) -> np.ndarray:
        """What vectors ``v`` [..., N], directions say, have of one tensor: [..., *its shape].

        Args:
            name: "dense0.kernel", or its name in PyTorch with layout="pytorch".
            layers: the layers or tensors that the vectors are of; None: all.
            slot: where they are of the full state: 0 for theta, k for the optimizer's slot k.
        """
        i = self._find(name, layout)
        block = self._block(layers)
        if i not in block:
            raise KeyError(f"the vectors are of {layers}, and '{name}' is not in them")
        sizes = [self._trained[k]["n_params"] for k in block]
        n = sum(sizes)
        v = rows(v, [n if slot is None else (1 + self.n_slots) * n], "v")
        if slot is not None and not 0 <= slot <= self.n_slots:
            raise ValueError(f"slot is {slot}: 0 (theta) to {self.n_slots}")
        first = sum(sizes[:block.index(i)]) + n * (slot or 0)
        tensor = self._layout(layout)[i]
        numbers = np.ascontiguousarray(v[..., first:first + tensor.size])
        if layout == "network":
            return numbers.reshape(v.shape[:-1] + tensor.shape)
        items = np.empty_like(numbers)
        for index in np.ndindex(v.shape[:-1]):
            item = np.empty(tensor.size)
            self._array(layout, i, numbers[index], item)
            items[index] = item
        return items.reshape(v.shape[:-1] + tensor.shape)

    def shares(self, v: np.ndarray, layers: Layers = None,
               slot: Optional[int] = None) -> dict[str, np.ndarray]:
        """By tensor, its share of the squared length of each of ``v`` [..., N]: arrays [...]."""
        total = (np.asarray(v, dtype=float) ** 2).sum(-1)
        names = [self._layout("network")[i].name for i in self._block(layers)]
        parts = {name: self.tensor(v, name, layers=layers, slot=slot) for name in names}
        lead = np.ndim(v) - 1
        return {name: (part ** 2).sum(axis=tuple(range(lead, part.ndim))) / total
                for name, part in parts.items()}

    # ---- results ----

    def results(self) -> List[dict]:
        """The stored results: dicts with file, request, layers, created and version."""
        return [item for item in self.info["requests"] if item["request"]]

    def _stored(self, analysis: str, part: dict, function: Optional[str]) -> Optional[str]:
        """The name of what is stored of a part of the Jacobian, whatever its options; None: nothing."""
        first, last = part["from"] or 0, part["to"] or self.n_steps
        full = part["state"] == "full"
        block = self._block(part["layers"])
        wanted = [] if part["layers"] is None or len(block) == len(self._trained) else \
            [self._layout("network")[i].name for i in block]
        found = []
        for item in self.results():
            words = item["request"].split()
            same = words[0] == analysis and words[1:5] == ["from", str(first), "to", str(last)] and \
                (words[words.index("state") + 1] == "full" if "state" in words else False) == full and \
                [name for name in (item["layers"] or "").split(",") if name] == wanted and \
                (function is None or f" function {function} " in f"{item['request']} ")
            if same:
                found.append(item["file"])
        name = min(found, key=len, default=None)
        return name[:-len(".h5")] if name else None

    def _read(self, name: str, tag: Optional[str] = None) -> Optional[Result]:
        place = _c.make("stj_result_read", self._handle, name.encode(), _c.as_text(tag))
        return Result(place, self) if place else None

    def _request(self, analysis: str, options: dict, progress: Optional[Progress],
                 compute: bool) -> Result:
        call = Call(progress)
        with Request(analysis, {**options, "stored": not compute}) as request:
            err, place = _c.StjError(), C.c_void_p()
            status = call.run(lambda: _c.lib.stj_analyse(self._handle, request, C.byref(call.struct),
                                                         C.byref(place), C.byref(err)))
        if status and not compute and " is not stored in " in (_c.from_text(err.text) or ""):
            _c.check(status, err, _c.NotStored)
        return finish(call, status, err, place, self)

    def analyse(self, analysis: str, *, tag: Optional[str] = None, from_: Optional[int] = None,
                to: Optional[int] = None, layers: Layers = None, state: Optional[str] = None,
                compute: bool = False, progress: Optional[Progress] = None, **options: Any) -> Result:
        """The result of an analysis ("svd", "density", "trace", "dense").

        Without options it is what is stored of that part of the Jacobian (untagged, or under the
        tag).  With options it is the answer to them, from what is stored where that has it.

        Args:
            tag: of a result under a name of its own.
            from_, to: a window of the steps.
            layers: a block: "dense0,dense2.bias" or a list of such names.
            state: "full" for the Jacobian of the full state.
            compute: compute and store what is not stored; else it is NotStored, with the command
                that makes it.
            progress: called as progress(what, done, total) between products.
            options: those of the command, with underscores: top, above, probes, tol, seed, force, ...
        """
        given = {name: value for name, value in options.items() if value is not None}
        part = {"from": from_, "to": to, "state": state,
                "layers": None if layers is None else _c.from_text(_layers_text(layers))}
        function = given.get("function", "trace") if analysis == "trace" else None
        if not set(given) - {"function"}:
            name = f"{analysis}-{function}" if function else analysis
            at = name if tag else self._stored(analysis, part, function)
            found = self._read(at, tag) if at else None
            if found and not (tag and any(part.values())):
                return found
        if function:
            given["function"] = function
        return self._request(analysis, {**given, **part, "tag": tag}, progress, compute)

    def svd(self, tag: Optional[str] = None, *, top: Optional[int] = None,
            bottom: Optional[int] = None, above: Optional[float] = None,
            below: Optional[float] = None, **options: Any) -> Result:
        """The singular pairs: sigma, residual, cosine [k], u, v [k, N]; bottom.sigma, .u, .v, ...

        v[i] is a direction of the initial parameters, u[i] of the final ones, J v[i] = sigma[i] u[i].
        Other arguments are those of ``analyse``.
        """
        return self.analyse("svd", tag=tag, top=top, bottom=bottom, above=above, below=below,
                            **options)

    def density(self, tag: Optional[str] = None, **options: Any) -> Result:
        """How many values are chaotic, bulk and stable: regions.chaotic.estimate, .low, .high, ...; and
        the curve density.sigma, density.density, density.low, density.high.  See ``analyse``."""
        return self.analyse("density", tag=tag, **options)

    def trace(self, tag: Optional[str] = None, function: str = "trace", **options: Any) -> Result:
        """tr J ("trace"), |J|_F^2 ("frobenius") or |J - I|_F^2 ("deviation"): value, error, low, high.  See
        ``analyse``."""
        return self.analyse("trace", tag=tag, function=function, **options)

    def dense(self, tag: Optional[str] = None, **options: Any) -> Result:
        """All singular values, sigma and cosine [N], the vectors u, v [N, N] and regions.  See ``analyse``."""
        return self.analyse("dense", tag=tag, **options)

    # ---- the operator ----

    def jacobian(self, from_: int = 0, to: Optional[int] = None, layers: Layers = None,
                 state: str = "theta", memory: int = 0) -> Any:
        """The training Jacobian J(from_ -> to) as a ``scipy.sparse.linalg.LinearOperator`` [n, n].

        matvec and matmat are J x, rmatvec and rmatmat J' y, each one sweep over the steps, exact.

        Args:
            layers: rows and columns of these layers or tensors alone, as the commands have them.
            state: "full" for that of (theta, slots) with respect to (theta, slots).
            memory: bytes for states and linearisations; 0: a quarter of what is free.
        """
        if state not in ("theta", "full"):
            raise ValueError(f"state is '{state}': theta or full")
        return _jacobian(self, _c.StjRunPart(from_, to or 0, _layers_text(layers), state == "full"),
                         memory)

    # ---- figures ----

    def plot(self, name: str = "spectrum", ax: Any = None, tag: Optional[str] = None) -> Any:
        """Draw a figure of ``spectraj plot`` ("spectrum", "density", "loss", ...) with matplotlib.

        Args:
            ax: the axes to draw into; None: those of matplotlib.pyplot.

        Returns:
            the axes.
        """
        from .plot import draw
        return draw(self.chart(name, tag), ax)

    def chart(self, name: str = "spectrum", tag: Optional[str] = None) -> str:
        """The numbers of a figure as CSV: series,x,y with the names of the axes in the first line."""
        with _c.written() as out:
            _c.call("stj_report_plot_data", out.stream, 0, self._handle, _c.as_text(tag),
                    name.encode(), None)
        return out.text


def _layers_text(layers: Layers) -> Optional[bytes]:
    if layers is None:
        return None
    text = layers if isinstance(layers, str) else ",".join(layers)
    if not text:
        raise ValueError("layers is empty: names of layers or tensors, or None for all")
    return text.encode()


# ---- the operator, which needs scipy ----

_operators: "weakref.WeakKeyDictionary[Any, int]" = weakref.WeakKeyDictionary()


def handle_of(op: Any) -> Optional[int]:
    """The library's operator of a Jacobian; None: it is something else."""
    try:
        return _operators.get(op)
    except TypeError:  # what cannot be hashed or referred to
        return None


def _apply(handle: int, trans: int, x: np.ndarray, n_out: int) -> np.ndarray:
    x = np.asfortranarray(x, dtype=float)
    y = np.empty((n_out, x.shape[1]), order="F")
    with _c.working:
        _c.call("stj_op_apply", handle, trans, x.shape[1], x.ctypes.data_as(_c.doubles), len(x),
                y.ctypes.data_as(_c.doubles), n_out)
    return y


def _real_block(x: np.ndarray) -> np.ndarray:
    if np.iscomplexobj(x):
        raise TypeError("the Jacobian is real: multiply the real and the imaginary part one by one")
    return np.asarray(x, dtype=float)


def _jacobian(run: Run, part: _c.StjRunPart, memory: int) -> Any:
    try:
        from scipy.sparse.linalg import LinearOperator
    except ImportError:
        raise ImportError("jacobian needs scipy (Debian: python3-scipy; pip install scipy)") from None

    class Jacobian(LinearOperator):
        """A training Jacobian of a run."""

        def __init__(self) -> None:
            self.run = run  # the operator borrows it
            handle = _c.make("stj_run_part_jacobian", run._handle, C.byref(part), memory)
            weakref.finalize(self, _c.lib.stj_op_destroy, handle)
            _operators[self] = handle
            n = _c.lib.stj_op_n_rows(handle)
            super().__init__(np.dtype(float), (n, n))

        def _matmat(self, x: np.ndarray) -> np.ndarray:
            return _apply(_operators[self], 0, _real_block(x), self.shape[0])

        def _rmatmat(self, y: np.ndarray) -> np.ndarray:
            return _apply(_operators[self], 1, _real_block(y), self.shape[1])

        def _matvec(self, x: np.ndarray) -> np.ndarray:
            return self._matmat(np.reshape(x, (-1, 1)))[:, 0]

        def _rmatvec(self, y: np.ndarray) -> np.ndarray:
            return self._rmatmat(np.reshape(y, (-1, 1)))[:, 0]

        @property
        def counts(self) -> dict:
            """Products so far with J (jvp) and J' (vjp) of single vectors, and seconds in them."""
            counts = _c.lib.stj_op_get_counts(_operators[self])
            return {name: getattr(counts, name) for name, _ in counts._fields_}

    return Jacobian()


# ---- two of them ----

def open_run(path: "Union[str, os.PathLike]") -> Run:
    """The run in a folder that ``spectraj train`` wrote, checked."""
    return Run(path)


@dataclass(frozen=True)
class Comparison:
    """Two runs, or two results of svd, beside each other.

    Attributes:
        config: the keys that differ, {"training.batch_size": (64, 32), ...}.
        sigma: the largest singular values of each, [k] and [l].
        right, left: cosines of the principal angles between the spans of their right vectors (v, of
            theta_0) and left vectors (u, of theta_n), descending [min(k, l)]; None where their
            parameters are not as many.
        random: what the mean squared cosine of spans of these sizes is by chance.
    """
    config: dict
    sigma: Tuple[np.ndarray, np.ndarray]
    right: Optional[np.ndarray]
    left: Optional[np.ndarray]
    random: Optional[float]

    def __repr__(self) -> str:
        lines = [f"{key}: {a!r} / {b!r}" for key, (a, b) in self.config.items()]
        lines.append("sigma: " + " / ".join(f"{s[0]:.6g} .. {s[-1]:.6g} ({len(s)})" for s in self.sigma))
        if self.right is not None and self.left is not None:
            lines += [f"mean squared cosine of the {name} spans: {np.mean(c ** 2):.4g} (by chance "
                      f"{self.random:.2g})" for name, c in (("right", self.right), ("left", self.left))]
        return "\n".join(lines)


def _leaves(tree: Any, path: str = "") -> Iterable[Tuple[str, Any]]:
    if isinstance(tree, (dict, list)) and tree:
        keys = tree.items() if isinstance(tree, dict) else ((f"[{i}]", x) for i, x in enumerate(tree))
        for key, item in keys:
            dot = "." if path and not key.startswith("[") else ""
            yield from _leaves(item, f"{path}{dot}{key}")
    else:
        yield path, tree


def compare(a: Union[Run, Result, str, os.PathLike], b: Union[Run, Result, str, os.PathLike],
            top: Optional[int] = None) -> Comparison:
    """What differs between two runs (or paths of runs, or results of svd), with their stored pairs.

    Args:
        top: how many of the largest pairs of each are compared; None: all that are stored.
    """
    sides = [x if isinstance(x, (Run, Result)) else Run(x) for x in (a, b)]
    results = [x.svd(top=top) if isinstance(x, Run) else x for x in sides]
    for result in results:
        if result.analysis != "svd":
            raise ValueError(f"pairs are compared, and this is a result of {result.analysis}")
    runs = [x if isinstance(x, Run) else x._run for x in sides]
    configs = [dict(_leaves(run.config)) if run else {} for run in runs]
    differ = {key: (configs[0].get(key), configs[1].get(key)) for key in {**configs[0], **configs[1]}
              if configs[0].get(key) != configs[1].get(key)}
    sigma = tuple(np.array(result.sigma[:top]) for result in results)
    right = left = random = None
    if results[0].n_params == results[1].n_params and min(map(len, sigma)) > 0:
        right, left = (np.clip(np.linalg.svd(x[:top] @ y[:top].T, compute_uv=False), 0, 1)
                       for x, y in ((results[0].v, results[1].v), (results[0].u, results[1].u)))
        random = max(map(len, sigma)) / results[0].n_params
    return Comparison(differ, (sigma[0], sigma[1]), right, left, random)


def save_recorded(path: "Union[str, os.PathLike]", files: dict, of: str, force: bool = False, accept: bool = False,
                  progress: Optional[Progress] = None) -> Run:
    """Write files (arrays by name, and "config.json") into path/recorded, and train its config: states are replayed."""
    folder = os.path.join(os.fspath(path), "recorded")
    os.makedirs(folder, exist_ok=True)
    config = files.pop("config.json")
    for name, content in files.items():
        if isinstance(content, dict):
            np.savez(os.path.join(folder, name), **content)
        else:
            np.save(os.path.join(folder, name), content)
    with open(os.path.join(folder, "config.yaml"), "w", encoding="utf-8") as out:
        out.write(f"# A training of {of}, recorded by spectraj.\n")
        json.dump(config, out, indent=2)
        out.write("\n")
    call = Call(progress)
    settings = _c.StjRunTrainSettings(size=_c.sizeof(_c.StjRunTrainSettings), force=force, accept_deviation=accept,
                                      progress=call.struct)
    err = _c.StjError()
    status = call.run(lambda: _c.lib.stj_run_train(os.fsencode(os.path.join(folder, "config.yaml")), os.fsencode(path),
                                                   _c.byref(settings), None, _c.byref(err)))
    finish_status(call, status, err)
    return Run(path)
