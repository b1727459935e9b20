#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of docs/problem-protocol.md with numpy alone: ridge regression with a tanh, in batches.

    spectraj train linear.yaml -o RUN; spectraj svd RUN --top 3

A problem is an object with the functions of class Linear; serve() speaks for it.
"""
import mmap
import os
import struct
import sys

import numpy as np

HEADER = struct.Struct("<4sHHQQII")  # magic, version, verb, number, bytes, status, flags
HELLO, SHARE, INITIAL, GRADIENT, LINEARIZE, FORGET, PRODUCT, LOSS = range(1, 9)
WORDS = {HELLO: 1, SHARE: 2, INITIAL: 1, GRADIENT: 1, LINEARIZE: 2, FORGET: 1, PRODUCT: 2, LOSS: 1}
SHARED_FD = 3


class Linear:
    """L_t(theta) = mean over batch t of (tanh(x W + b) . v - y)^2 / 2 + |theta|^2 / 1000"""

    tensors = [("w.weight", (3, 2)), ("w.bias", (2,)), ("out.weight", (2,))]
    n_steps = 0  # any number
    n_held = 64  # linearisations at once
    batch = 8

    def __init__(self):
        rng = np.random.default_rng(7)
        x = rng.standard_normal((60, 3))
        y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] / 2
        self.sets = {"train": (x[:40], y[:40]), "test": (x[40:], y[40:])}
        self.fingerprint = int.from_bytes(b"linear-1", "little")  # another one where numbers change

    def initial(self, seed):
        return np.random.default_rng(seed).standard_normal(10) / 2

    def rows(self, step):
        x, y = self.sets["train"]
        at = np.arange(step * self.batch, (step + 1) * self.batch) % len(y)
        return x[at], y[at]

    @staticmethod
    def forward(theta, x):
        w, b, v = theta[:6].reshape(3, 2), theta[6:8], theta[8:]
        h = np.tanh(x @ w + b)
        return h, v, h @ v

    def loss(self, name, theta):
        x, y = self.sets[name]
        return np.mean((self.forward(theta, x)[2] - y) ** 2) / 2 + theta @ theta / 1000

    def gradient(self, step, theta):
        x, y = self.rows(step)
        h, v, out = self.forward(theta, x)
        r = (out - y) / len(y)
        a = r[:, None] * v * (1 - h * h)
        g = np.concatenate([(x.T @ a).ravel(), a.sum(0), h.T @ r]) + theta / 500
        return np.mean((out - y) ** 2) / 2 + theta @ theta / 1000, g

    def linearize(self, step, theta):
        """What products need: here the whole Hessian, which is small."""
        x, y = self.rows(step)
        h, v, out = self.forward(theta, x)
        hessian = np.eye(10) / 500
        for xi, hi, ri in zip(x, h, out - y):
            d = 1 - hi * hi
            f = np.concatenate([np.outer(xi, v * d).ravel(), v * d, hi])
            one = np.append(xi, 1)
            second = np.zeros((10, 10))
            for k in range(2):
                at = [k, 2 + k, 4 + k, 6 + k]  # the column of w, and its bias
                second[np.ix_(at, at)] = -2 * v[k] * hi[k] * d[k] * np.outer(one, one)
                second[at, 8 + k] = second[8 + k, at] = d[k] * one
            hessian += (np.outer(f, f) + ri * second) / len(y)
        return hessian

    @staticmethod
    def product(held, x):
        return x @ held  # symmetric; a row of x for each vector


def tensor_entry(name, shape):
    return struct.pack("<HH%dQ" % len(shape), len(name), len(shape), *shape) + name.encode()


def set_entry(name, n_rows):
    return struct.pack("<IQ", len(name), n_rows) + name.encode()


def hello(problem):
    names = list(problem.sets)
    head = struct.pack("<IIQQQQ", 1, problem.n_held, problem.n_steps, problem.fingerprint, len(problem.tensors),
                       len(names))
    return (head + b"".join(tensor_entry(*t) for t in problem.tensors)
            + b"".join(set_entry(name, len(problem.sets[name][1])) for name in names))


def serve(problem):
    """Answer requests until there are no more."""
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what prints must not print into the frames
    n = sum(int(np.prod(shape)) for _, shape in problem.tensors)
    held, memory, half = {}, None, 0
    while True:
        head = asked.read(HEADER.size)
        if len(head) < HEADER.size:
            return
        magic, version, verb, number, size, _, _ = HEADER.unpack(head)
        if magic != b"STJP" or version != 1 or verb not in WORDS:
            sys.exit("linear.py: not a request that is known here")
        payload = asked.read(size)
        word = struct.unpack_from("<%dQ" % WORDS[verb], payload)
        if memory is None:
            vectors = np.frombuffer(payload, "<f8", offset=8 * WORDS[verb])
        else:
            vectors = memory[:half]
        words, answer = b"", np.empty(0)
        if verb == HELLO:
            words = hello(problem)
        elif verb == SHARE:
            memory = np.frombuffer(mmap.mmap(SHARED_FD, word[0]), "<f8")
            half = word[1] // 8
        elif verb == INITIAL:
            answer = problem.initial(word[0])
        elif verb == GRADIENT:
            loss, answer = problem.gradient(word[0], vectors[:n])
            words = struct.pack("<d", loss)
        elif verb == LINEARIZE:
            held[word[1]] = problem.linearize(word[0], vectors[:n].copy())
        elif verb == FORGET:
            held.pop(word[0], None)
        elif verb == PRODUCT:
            answer = problem.product(held[word[0]], vectors[:word[1] * n].reshape(-1, n)).ravel()
        else:
            words = struct.pack("<d", problem.loss(list(problem.sets)[word[0]], vectors[:n]))
        if memory is not None:
            memory[half:half + answer.size] = answer
        else:
            words += np.asarray(answer, "<f8").tobytes()
        told.write(HEADER.pack(b"STJP", 1, verb, number, len(words), 0, 0) + words)
        told.flush()


if __name__ == "__main__":
    serve(Linear())
