# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of ``spectraj plot``, from their numbers, in matplotlib."""
from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

# Axes of these names are logarithmic, where all values are positive.
_LOGARITHMIC = {"sigma", "density", "loss"}


def read_chart(text: str) -> tuple[tuple[str, str], dict[str, np.ndarray]]:
    """((x name, y name), {series: [n, 2]}) of the CSV of a figure."""
    lines = csv.reader(io.StringIO(text))
    _, x, y = next(lines)
    series: dict[str, list] = {}
    for name, *point in lines:
        series.setdefault(name, []).append([float(value) if value else np.nan for value in point])
    return (x, y), {name: np.array(points) for name, points in series.items()}


def draw(text: str, ax: Any = None) -> Any:
    """The axes with a figure drawn into them."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError:
            raise ImportError("plot needs matplotlib (Debian: python3-matplotlib; pip install matplotlib), or "
                              "give it ax; run.chart has the numbers") from None
        ax = pyplot.gca()
    names, series = read_chart(text)
    for name, points in series.items():
        dots = "o" if names[0] == "index" and len(points) <= 200 else ""
        ax.plot(points[:, 0], points[:, 1], "--" if "band" in name else "-", marker=dots, markersize=3,
                label=name)
    values = np.concatenate(list(series.values())) if series else np.empty((0, 2))
    for k, (name, scale, label) in enumerate(((names[0], ax.set_xscale, ax.set_xlabel),
                                              (names[1], ax.set_yscale, ax.set_ylabel))):
        label(name)
        if name in _LOGARITHMIC and len(values) and np.nanmin(values[:, k]) > 0:
            scale("log")
    if series:
        ax.legend()
    return ax
