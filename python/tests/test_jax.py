# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings of JAX, where that is installed (by hand, in a virtual environment)."""
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import spectraj

try:
    import spectraj.jax as stj_jax
    import jax
    import jax.numpy as jnp
except ImportError:
    raise unittest.SkipTest("no JAX here") from None


def params():
    rng = np.random.default_rng(1)
    return {"dense0": {"kernel": jnp.array(rng.standard_normal((3, 4)) / 2), "bias": jnp.zeros(4)},
            "dense2": {"kernel": jnp.array(rng.standard_normal((4, 2)) / 2), "bias": jnp.zeros(2)}}


def loss(p, batch):
    x, y = batch
    h = jnp.tanh(x @ p["dense0"]["kernel"] + p["dense0"]["bias"])
    return jnp.mean((h @ p["dense2"]["kernel"] + p["dense2"]["bias"] - y) ** 2)


def data():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((24, 3))
    return x, np.stack([np.sin(x[:, 0]), x[:, 1] * x[:, 2]], 1)


CONFIG = {"data": {"train": {"file": "x.npy", "targets": "y.npy"}},
          "network": {"input": [3], "layers": [{"type": "dense", "units": 4}, "tanh", {"type": "dense", "units": 2}],
                      "loss": "mean_squared_error"},
          "training": {"optimizer": {"type": "sgd", "momentum": 0.5},
                       "learning_rate": {"schedule": "constant", "peak": 0.1}, "batch_size": 6}}


class Jax(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.here = os.getcwd()
        os.chdir(self.folder.name)
        x, y = data()
        np.save("x.npy", x)
        np.save("y.npy", y)

    def tearDown(self):
        os.chdir(self.here)
        self.folder.cleanup()

    def record(self, wrong_rate=0.0):
        x, y = data()
        p = params()
        m = jax.tree_util.tree_map(jnp.zeros_like, p)
        rec = stj_jax.record(CONFIG, p)
        for t in range(8):
            rows = (6 * t + np.arange(6)) % 24
            rate = 0.1 / (1 + t)
            g = jax.grad(loss)(p, (x[rows], y[rows]))
            m = jax.tree_util.tree_map(lambda a, b: 0.5 * a + b, m, g)
            p = jax.tree_util.tree_map(lambda a, b: a - rate * b, p, m)
            rec.step(p, rows=rows, rate=rate + wrong_rate)
        return rec

    def test_a_training_is_recorded(self):
        run = self.record().save("RUN")
        self.assertLess(run.info["imported"]["deviation"], 1e-12)
        self.assertEqual(run.n_steps, 8)
        with self.assertRaisesRegex(spectraj.Error, "lands"):
            self.record(0.01).save("WRONG")

    def test_single_precision_is_refused(self):
        p = jax.tree_util.tree_map(lambda a: a.astype(jnp.float32), params())
        with self.assertRaisesRegex(ValueError, "float32"):
            stj_jax.Problem(loss, p, [data()], {"train": data()})

    def test_products_are_those_of_the_hessian(self):
        problem = stj_jax.Problem(loss, params(), [data()], {"train": data()})
        flat = problem.begin
        dense = jax.hessian(lambda at: loss(problem._tree(at), data()))(jnp.array(flat))
        x = np.random.default_rng(3).standard_normal((3, problem.n))
        found = problem.product(problem.linearize(0, flat), x)
        np.testing.assert_allclose(found, x @ np.asarray(dense), rtol=1e-11, atol=1e-13)

    def test_a_process_is_a_run(self):
        command = os.environ.get("SPECTRAJ")
        if not command:
            self.skipTest("SPECTRAJ names no command")
        with open("problem.py", "w") as out:
            out.write("import sys\nsys.path[:0] = %r\nimport spectraj.jax\nfrom test_jax import *\nx, y = data()\n"
                      "steps = [(x[6 * t:6 * t + 6], y[6 * t:6 * t + 6]) for t in range(4)]\n"
                      "spectraj.jax.serve(loss, params(), steps, {'train': (x, y)})\n" % [p for p in sys.path if p])
        with open("c.yaml", "w") as out:
            out.write("problem: {command: [%s, problem.py]}\ntraining: {optimizer: adam, steps: 4, "
                      "learning_rate: {schedule: constant, peak: 0.01}}\n" % sys.executable)
        env = dict(os.environ, XDG_STATE_HOME=self.folder.name)
        for arguments in (["train", "c.yaml", "-o", "RUN"], ["validate", "RUN"]):
            done = subprocess.run([command, *arguments], env=env, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
