# SPDX-License-Identifier: GPL-3.0-or-later
"""The solvers on operators: singular pairs, densities and traces of whatever has products."""
from __future__ import annotations

import ctypes as C
import os
from typing import Any, Callable, Optional, Tuple, Union

import numpy as np

from . import _c
from ._call import INTERRUPTED, Call, Progress
from .result import Result

Product = Callable[[np.ndarray], Any]
Operator = Any  # a LinearOperator, a matrix, or a pair of callables


class _Products:
    """What is asked of an operator: products of float64 vectors, whatever it is."""

    def __init__(self, op: Operator, shape: Optional[Tuple[int, int]]):
        if isinstance(op, tuple):
            if len(op) != 2 or not all(callable(f) for f in op):
                raise TypeError("a pair of callables is (matvec, rmatvec)")
            if shape is None:
                raise TypeError("a pair of callables needs shape=(rows, columns)")
            self.forward, self.backward = op
            self.blocks: Tuple[Optional[Product], Optional[Product]] = (None, None)
        elif hasattr(op, "matvec") and hasattr(op, "rmatvec"):
            self.forward, self.backward = op.matvec, op.rmatvec
            self.blocks = (getattr(op, "matmat", None), getattr(op, "rmatmat", None))
        elif hasattr(op, "shape") and hasattr(op, "T") and len(op.shape) == 2:
            transposed = op.T
            self.forward = self.blocks_of(op)
            self.backward = self.blocks_of(transposed)
            self.blocks = (self.forward, self.backward)
        else:
            raise TypeError(f"an operator is a scipy LinearOperator (shape, matvec, rmatvec), a matrix, or a "
                            f"pair (matvec, rmatvec) with shape=; this is a {type(op).__name__}")
        kind = getattr(op, "dtype", None)
        if kind is not None and isinstance(kind, np.dtype) and kind.kind == "c":
            raise TypeError("the operator is complex; only real ones have singular values here: give the "
                            "real form [[Re, -Im], [Im, Re]]")
        self.shape = tuple(int(n) for n in (op.shape if shape is None else shape))
        if len(self.shape) != 2 or min(self.shape) < 1:
            raise ValueError(f"shape is {self.shape}: two numbers of at least 1 are needed")
        if shape is not None and hasattr(op, "shape") and tuple(op.shape) != self.shape:
            raise ValueError(f"shape is {self.shape}, and the operator says {tuple(op.shape)}")

    @staticmethod
    def blocks_of(matrix: Any) -> Product:
        return lambda x: matrix @ x

    def product(self, trans: int, x: np.ndarray, y: np.ndarray) -> None:
        """y [n_out, k] <- A x or A' x for x [n_in, k]; both are copies that the operator may keep."""
        block = self.blocks[trans]
        if x.shape[1] > 1 and block is not None:
            y[:] = _real(block(x), y.shape)
            return
        single = self.backward if trans else self.forward
        for j in range(x.shape[1]):
            y[:, j] = _real(single(x[:, j].copy()), (y.shape[0],))


def _real(product: Any, shape: Tuple[int, ...]) -> np.ndarray:
    """What a callable returned, as float64 of the shape."""
    array = np.asarray(product)
    if array.dtype.kind == "c":
        raise TypeError("a product is complex, and must be real")
    if array.shape != shape and array.shape == shape + (1,):
        array = array[:, 0]
    if array.shape != shape:
        raise ValueError(f"a product has shape {array.shape} instead of {shape}")
    return array.astype(float, copy=False)


def _callback(products: _Products, call: Call) -> Any:
    """The products as a callback of the library: done in the caller's thread (see _call.py)."""

    def apply(_: Any, trans: int, k: int, x: Any, ldx: int, y: Any, ldy: int, err: Any) -> int:
        m, n = products.shape if trans == 0 else products.shape[::-1]
        given = np.ctypeslib.as_array(x, (k, ldx))[:, :n].T.copy()
        made = np.empty((m, k))
        if not call.ask(lambda: products.product(trans, given, made)):
            return _c.lib.stj_error_set(err, INTERRUPTED, b"python", 0, b"%s",
                                        b"the operator's product was interrupted")
        np.ctypeslib.as_array(y, (k, ldy))[:, :m] = made.T
        return 0

    return _c.APPLY(apply)


# ---- requests ----

def option_text(value: Any) -> str:
    """A value of an option as the command line has it."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    if isinstance(value, (list, tuple, np.ndarray)):
        return ",".join(option_text(item) for item in value)
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


class Request:
    """A request of the library, given back at the end of a `with`."""

    def __init__(self, analysis: str, options: dict):
        self.handle = _c.make("stj_request_create", analysis.encode())
        try:
            for name, value in options.items():
                if value is not None:
                    _c.call("stj_request_set", self.handle, name.rstrip("_").encode(),
                            os.fsencode(option_text(value)))
        except BaseException:
            _c.lib.stj_request_destroy(self.handle)
            raise

    def __enter__(self) -> int:
        return self.handle

    def __exit__(self, *_: Any) -> None:
        _c.lib.stj_request_destroy(self.handle)


def finish_status(call: Call, status: int, err: _c.StjError, said: Optional[str] = None) -> None:
    """Raise what was raised in a call, with what the library says of how to go on, or its error."""
    if call.error:
        said = said or _c.from_text(err.text)
        if said and hasattr(call.error, "add_note"):
            call.error.add_note(said)
        raise call.error
    _c.check(status, err)


def finish(call: Call, status: int, err: _c.StjError, place: C.c_void_p, run: Any = None) -> Result:
    """The result of a call, or what was raised in it, with what the library says of how to go on."""
    said = None
    if status == 0 and call.error:
        said = _c.from_text(_c.lib.stj_result_to_go_on(place))
        _c.lib.stj_result_destroy(place)
    finish_status(call, status, err, said)
    return Result(place.value, run)


def _solve(analysis: str, op: Operator, shape: Optional[Tuple[int, int]],
           journal: "Optional[Union[str, os.PathLike]]", progress: Optional[Progress],
           options: dict) -> Result:
    from .run import handle_of
    call = Call(progress)
    own = handle_of(op)  # a Jacobian of a run needs no callbacks
    handle, apply = own, None
    if own is None:
        products = _Products(op, shape)
        apply = _callback(products, call)
        handle = _c.make("stj_op_create", *products.shape, apply, None, None)
    try:
        with Request(analysis, options) as request:
            err, place = _c.StjError(), C.c_void_p()
            path = None if journal is None else os.fsencode(journal)
            status = call.run(lambda: _c.lib.stj_analyse_op(handle, request, path, C.byref(call.struct),
                                                            C.byref(place), C.byref(err)))
        return finish(call, status, err, place)
    finally:
        if own is None:
            _c.lib.stj_op_destroy(handle)


def svd(op: Operator, top: Optional[int] = None, *, bottom: Optional[int] = None,
        above: Optional[float] = None, below: Optional[float] = None,
        shape: Optional[Tuple[int, int]] = None,
        journal: "Optional[Union[str, os.PathLike]]" = None, progress: Optional[Progress] = None,
        **options: Any) -> Result:
    """Singular pairs of a linear operator, matrix-free.

    Args:
        op: a ``scipy.sparse.linalg.LinearOperator`` [m, n] with matvec and rmatvec (and matmat,
            rmatmat where it has them), a matrix, or a pair ``(matvec, rmatvec)`` of callables, which
            get float64 vectors [n] and [m] and return [m] and [n]; the second is the transpose.
        top: how many of the largest (20, or as many as there are, where nothing else is asked for).
        bottom: how many of the smallest, as upper bounds.
        above, below: all beyond a threshold instead of a number.
        shape: (m, n) of a pair of callables.
        journal: a file that keeps the products: the same call with it goes on from them, after an
            exception, a Ctrl-C or a kill, and with a larger ``top``.  It is yours to remove.  The
            first product is made again and compared, so that another operator is refused.
        progress: called as progress(what, done, total) between products.
        options: those of ``spectraj svd``: tol, seed, ncv, certify, method, max_applications,
            max_seconds, memory.

    Returns:
        a Result: sigma, residual, cosine [k], u [k, m], v [k, n], stop, method, applications, ...

    Products are asked for one at a time, in the thread of the caller.  What they raise, and
    KeyboardInterrupt, ends the call and is raised.
    """
    options.update(top=top, bottom=bottom, above=above, below=below)
    if all(options[name] is None for name in ("top", "bottom", "above", "below")):
        m, n = op.shape if shape is None and hasattr(op, "shape") else shape or (20, 20)
        options["top"] = min(20, int(m), int(n))
    return _solve("svd", op, shape, journal, progress, options)


def density(op: Operator, *, shape: Optional[Tuple[int, int]] = None,
            journal: "Optional[Union[str, os.PathLike]]" = None, progress: Optional[Progress] = None,
            **options: Any) -> Result:
    """How many singular values of an operator lie where, by Lanczos quadrature: see ``svd`` for op,
    shape, journal and progress.  options: those of ``spectraj density``: probes, steps, epsilon,
    confidence, seed, tolerance, edges, curve, gap, max_applications, ...

    Returns:
        a Result: regions.chaotic.estimate, .low, .high, ...; density.sigma, .density, .low, .high.
    """
    return _solve("density", op, shape, journal, progress, options)


def trace(op: Operator, function: str = "trace", *, shape: Optional[Tuple[int, int]] = None,
          journal: "Optional[Union[str, os.PathLike]]" = None, progress: Optional[Progress] = None,
          **options: Any) -> Result:
    """The trace of an operator ("trace"), its squared Frobenius norm ("frobenius") or that of its
    difference from the identity ("deviation"): see ``svd`` for op, shape, journal and progress.
    options: those of ``spectraj trace``: products, method, confidence, seed.

    Returns:
        a Result: value, error, low, high, ...
    """
    return _solve("trace", op, shape, journal, progress, {"function": function, **options})
