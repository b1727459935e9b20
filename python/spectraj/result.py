# SPDX-License-Identifier: GPL-3.0-or-later
"""Results: their numbers as attributes, by the names of docs/json.md."""
from __future__ import annotations

import ctypes as C
import json
import re
import weakref
from typing import TYPE_CHECKING, Any, Iterator, Optional, Sequence

import numpy as np

from . import _c

if TYPE_CHECKING:
    from .run import Run


class Group:
    """Numbers, texts, arrays and groups by name: group.sigma or group["sigma"]."""

    def __init__(self, items: dict):
        self.__dict__.update({key: _value(item) for key, item in items.items()})

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def as_dict(self) -> dict:
        """The same as dicts within each other; arrays stay arrays."""
        return {key: item.as_dict() if isinstance(item, Group) else item
                for key, item in self.__dict__.items()}

    def __repr__(self) -> str:
        return f"<{', '.join(self.__dict__)}>"


def _value(item: Any) -> Any:
    """What JSON has, as Python should: arrays of numbers are numpy's, with nan for null."""
    if isinstance(item, dict):
        return Group(item)
    if isinstance(item, list) and all(isinstance(x, (int, float, type(None))) for x in item):
        return np.array([np.nan if x is None else x for x in item], dtype=float)
    if isinstance(item, list):
        return [_value(x) for x in item]
    return item


# What an analysis is asked for most, at hand without its group.
_SHORT = {"svd": {name: f"top.{name}" for name in ("sigma", "residual", "cosine", "u", "v")}}
_PROVENANCE = ("request", "command", "source", "file", "made", "seed", "spent", "applications",
               "seconds", "stop", "self_check", "training", "part")


class Result:
    """A result of an analysis.

    Every number of it is an attribute, by the names of docs/json.md: ``result.top.sigma``,
    ``result.regions.chaotic.low``, ``result.stop``.  Of svd, ``sigma``, ``residual``, ``cosine`` [k]
    and ``u``, ``v`` [k, N] are those of the largest values: row i is the i-th vector, so that
    J v[0] = sigma[0] u[0].  Those of the smallest are in ``result.bottom``, where ``sigma`` are upper
    bounds.

    Attributes:
        analysis: "svd", "density", "trace" or "dense".
        complete: is it what was asked for?  Else a budget was spent, or pairs did not converge.
        stored: it was read and not computed.
        provenance: what it answers, when, by what and from what it was made, and its cost.
    """

    def __init__(self, handle: int, run: "Optional[Run]" = None):
        self._handle = handle
        self._run = run
        weakref.finalize(self, _c.lib.stj_result_destroy, handle)
        self._json = json.loads(_c.take_text(_c.make("stj_result_json", handle)))
        self._root = Group(self._json)
        self._arrays: dict[str, np.ndarray] = {}
        self._items = {item[0]: item for item in self._describe()}
        self.analysis: str = self._json["analysis"]
        self.complete = bool(_c.lib.stj_result_is_complete(handle, None))
        self.stored = bool(_c.lib.stj_result_is_stored(handle))
        bottom = self._root.__dict__.get("bottom")
        if isinstance(bottom, Group):  # as the largest call them
            bottom.__dict__["sigma"] = bottom["sigma_bound"]

    # ---- by name ----

    def _describe(self) -> Iterator[tuple]:
        """(name, unit, meaning, shape, dimensions) of each item that the library names."""
        item = _c.StjResultItem()
        i = 0
        while _c.lib.stj_result_get_item(self._handle, i, C.byref(item)):
            n = item.n_dims
            yield (_c.from_text(item.name), _c.from_text(item.unit), _c.from_text(item.doc),
                   tuple(item.n[:n]), tuple(_c.from_text(dim) for dim in item.dim[:n]))
            i += 1

    def names(self) -> list[str]:
        """The names that ``result[name]`` takes."""
        return list(self._items)

    def numbers(self, name: str) -> np.ndarray:
        """An array by its name, "top.v" [k, N]; it is read when it is asked for."""
        if not self._is_measured(name):
            raise KeyError(f"'{name}' was not asked for, or not measured")
        if name not in self._arrays:
            place, n = C.c_void_p(), _c.size_t()
            _c.call("stj_result_numbers", self._handle, name.encode(), C.byref(place), C.byref(n))
            try:
                numbers = np.ctypeslib.as_array(C.cast(place, _c.doubles), (n.value,)).copy() \
                    if n.value else np.empty(0)
            finally:
                _c.lib.stj_free(place)
            self._arrays[name] = numbers.reshape(self._items[name][3])
        return self._arrays[name]

    def __getitem__(self, name: str) -> Any:
        """An item by its name in docs/json.md, "top.sigma"."""
        if name in self._items and self._items[name][3]:
            return self.numbers(name)
        at: Any = self._root
        for word in name.split("."):
            try:
                at = at[word]
            except (KeyError, TypeError):
                raise KeyError(f"a result of {self.analysis} has no '{name}'; there are "
                               f"{', '.join(self._items)}") from None
        return at

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        short = _SHORT.get(self.analysis, {}).get(name)
        top = self._json["top"] if short else {}
        if short and not top["requested"] and top["above"] is None:
            raise AttributeError(f"'{name}' is of the largest values, and none were asked for; those of "
                                 f"the smallest are in bottom.{name}")
        if short:
            return self.numbers(short)
        if name in self._root:
            return self._vectors(name)
        if name in self._items and self._items[name][3]:
            return self.numbers(name)
        raise AttributeError(f"a result of {self.analysis} has no '{name}'; there are "
                             f"{', '.join(sorted(set(self._root)))}")

    def _vectors(self, name: str) -> Any:
        """A group of the result, with its matrices, which the JSON does not have."""
        group = self._root[name]
        for inner in ("u", "v"):
            full = f"{name}.{inner}"
            if isinstance(group, Group) and full in self._items and inner not in group:
                group.__dict__[inner] = self.numbers(full)
        return group

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._root, *_SHORT.get(self.analysis, {})})

    def __repr__(self) -> str:
        text = "" if self.complete else ", not complete"
        return f"<spectraj {self._json['request']}{text}>"

    # ---- what it is of ----

    @property
    def n_params(self) -> int:
        """Columns of the operator."""
        return self._json["n_params"]

    @property
    def provenance(self) -> dict:
        """What it answers, when, by what and from what it was made, and what it took."""
        return {name: self._json[name] for name in _PROVENANCE
                if name in self._json and not (self._run is None and name in ("part", "training"))}

    def tensor(self, v: np.ndarray, name: str, layout: str = "network", slot: int = 0) -> np.ndarray:
        """What the vectors ``v`` [..., N] of this result have of one tensor, [..., *its shape].

        Args:
            name: "dense0.kernel", or its name in PyTorch with layout="pytorch".
            layout: "network" or "pytorch", of the shape and the order of the numbers.
            slot: of a result of the full state, 0 for theta and k for slot k of the optimizer.
        """
        return self._need_run().tensor(v, name, layout=layout, layers=self.part.layers,
                                       slot=slot if self.part.state == "full" else None)

    def shares(self, v: np.ndarray) -> dict[str, np.ndarray]:
        """By tensor, the share that it has of the squared length of each of ``v`` [..., N]: [...]."""
        return self._need_run().shares(v, layers=self.part.layers,
                                       slot=0 if self.part.state == "full" else None)

    def _need_run(self) -> "Run":
        if self._run is None:
            raise ValueError("the result is of an operator by itself, which has no tensors")
        return self._run

    # ---- xarray ----

    def to_xarray(self) -> Any:
        """An xarray.Dataset with the names of the result files (sigma, v, bottom_v, density_sigma): arrays with
        their dimensions (pair x parameter), units and meanings; numbers and texts are its attributes."""
        try:
            import xarray
        except ImportError:
            raise ImportError("to_xarray needs xarray (Debian: python3-xarray; pip install xarray)") from None
        variables, attributes = {}, {}
        length: dict[str, int] = {}
        for name, unit, doc, shape, dims in self._items.values():
            short = _flat_name(name)
            if not shape:
                value = self._at_path(name)
                if value is not None and not isinstance(value, (dict, list)):
                    attributes[short] = int(value) if isinstance(value, bool) else value
                continue
            if 0 in shape or not self._is_measured(name):
                continue
            named = [dim if length.setdefault(dim, n) == n else f"{short}_{dim}"
                     for dim, n in zip(dims, shape)]
            variables[short] = (named, self.numbers(name), {"units": unit or "1", "long_name": doc})
        return xarray.Dataset(variables, attrs=attributes)

    def _is_measured(self, name: str) -> bool:
        """Has the JSON the object that an array belongs to?  One that is not there has no numbers."""
        words = re.split(r"\[\]|\.\*|\*\.", name)[0].split(".")
        return len(words) == 1 or self._at_path(".".join(words[:-1])) is not None

    def _at_path(self, name: str) -> Any:
        at: Any = self._json
        for word in name.split("."):
            at = at.get(word) if isinstance(at, dict) else None
        return at


def _flat_name(name: str) -> str:
    """The name of an item as result files have it: "top.sigma" is sigma, "bottom.u" bottom_u."""
    name = name.replace("[]", "").replace("*.", "").replace(".*", "").replace(".", "_")
    return name[len("top_"):] if name.startswith("top_") else name


def rows(v: Any, n: Sequence[int], what: str) -> np.ndarray:
    """v as float64 [..., N], N one of n; else ValueError."""
    array = np.asarray(v, dtype=float)
    if array.ndim == 0 or array.shape[-1] not in n:
        raise ValueError(f"{what} has shape {array.shape}: its last dimension must be "
                         f"{' or '.join(str(k) for k in n)}")
    return array
