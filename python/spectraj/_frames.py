# SPDX-License-Identifier: GPL-3.0-or-later
"""The frames of docs/problem-protocol.md, for whatever has the numbers.

A problem has named (names and things with a shape), n, n_steps, held, fingerprint, sets, initial, gradient, linearize,
product and loss; or tangent and adjoint in the place of product where its steps are its own; and samples, not None where
it has slope, weigh and unweigh.
"""
import mmap
import os
import struct
import sys
from typing import Any, Dict, Optional

import numpy as np

_HEADER = struct.Struct("<4sHHQQII")  # magic, version, verb, number, bytes, status, flags
_HELLO, _SHARE, _INITIAL, _GRADIENT, _LINEARIZE, _FORGET, _PRODUCT, _LOSS, _STEP, _TANGENT, _ADJOINT = range(1, 12)
_SLOPE, _WEIGH, _UNWEIGH = range(12, 15)
_WORDS = {_HELLO: 1, _SHARE: 2, _INITIAL: 1, _GRADIENT: 1, _LINEARIZE: 2, _FORGET: 1, _PRODUCT: 2, _LOSS: 1,
          _STEP: 1, _TANGENT: 2, _ADJOINT: 2, _SLOPE: 1, _WEIGH: 2, _UNWEIGH: 2}
_SHARED_FD = 3


def _hello(problem: Any) -> bytes:
    named = [(name.encode(), tuple(p.shape)) for name, p in problem.named]
    flags = 3 if hasattr(problem, "adjoint") else 5 if problem.samples else 1
    head = struct.pack("<IIQQQQ", flags, problem.held, problem.n_steps, problem.fingerprint, len(named), len(problem.sets))
    tensors = b"".join(struct.pack("<HH%dQ" % len(shape), len(name), len(shape), *shape) + name
                       for name, shape in named)
    return head + tensors + b"".join(struct.pack("<IQ", len(name.encode()), rows(data)) + name.encode()
                                     for name, data in problem.sets.items())


def rows(data: Any) -> int:
    first = data[0] if isinstance(data, (list, tuple)) and data else data
    return len(first) if hasattr(first, "__len__") else 0


class _Server:
    def __init__(self, problem: Any) -> None:
        self.problem, self.held = problem, {}  # type: Any, Dict[int, Any]
        self.memory, self.half = None, 0  # type: Optional[np.ndarray], int

    def answer(self, verb: int, payload: bytes) -> bytes:
        """The payload of the answer; vectors are in the memory where that is shared."""
        p, n = self.problem, self.problem.n
        word = struct.unpack_from("<%dQ" % _WORDS[verb], payload)
        shared = self.memory is not None
        vectors = self.memory[:self.half] if shared else np.frombuffer(payload, "<f8", offset=8 * _WORDS[verb])
        words, out = b"", np.empty(0)
        if verb == _HELLO:
            words = _hello(p)
        elif verb == _SHARE:
            self.memory, self.half = np.frombuffer(mmap.mmap(_SHARED_FD, word[0]), "<f8"), word[1] // 8
        elif verb == _INITIAL:
            out = p.initial(word[0])
        elif verb in (_GRADIENT, _STEP):
            loss, out = p.gradient(word[0], vectors[:n])
            words = struct.pack("<d", loss)
        elif verb == _LINEARIZE:
            self.held[word[1]] = p.linearize(word[0], vectors[:n])
        elif verb == _FORGET:
            self.held.pop(word[0], None)
        elif verb in (_PRODUCT, _TANGENT, _ADJOINT):
            multiply = p.product if verb == _PRODUCT else p.tangent if verb == _TANGENT else p.adjoint
            out = multiply(self.held[word[0]], vectors[:word[1] * n].reshape(-1, n)).ravel()
        elif verb == _SLOPE:
            loss, out = p.slope(list(p.sets)[word[0]], vectors[:n])
            words = struct.pack("<d", loss)
        elif verb in (_WEIGH, _UNWEIGH):
            block = vectors[:word[1] * (n if verb == _UNWEIGH else rows(p.sets["train"]))].reshape(word[1], -1)
            out = (p.weigh if verb == _WEIGH else p.unweigh)(self.held[word[0]], block).ravel()
        else:
            words = struct.pack("<d", p.loss(list(p.sets)[word[0]], vectors[:n]))
        if shared:
            self.memory[self.half:self.half + out.size] = out
            return words
        return words + np.ascontiguousarray(out, "<f8").tobytes()


def answer(problem: Any) -> None:
    """Answer the requests of spectraj until there are no more."""
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what prints must not print into the frames
    server = _Server(problem)
    while True:
        head = asked.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return
        magic, version, verb, number, size, _, _ = _HEADER.unpack(head)
        if magic != b"STJP" or version != 1 or verb not in _WORDS:
            sys.exit("spectraj: not a request that is known here")
        payload = server.answer(verb, asked.read(size))
        told.write(_HEADER.pack(b"STJP", 1, verb, number, len(payload), 0, 0) + payload)
        told.flush()
