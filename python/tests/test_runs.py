# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs: what is read of them, and their Jacobians."""
import json
import unittest

import numpy as np

import spectraj
from helper import DENSE, IMAGES, command, copy_of, trained

try:
    import scipy.sparse.linalg
except ImportError:
    scipy = None


class Reading(unittest.TestCase):
    def setUp(self):
        self.run_ = spectraj.open(trained())

    def test_what_it_is(self):
        run = self.run_
        self.assertEqual((run.n_params, run.n_steps, run.loss.shape), (43, 12, (12,)))
        self.assertEqual(run.config["training"]["optimizer"]["momentum"], 0.9)
        self.assertEqual(run.config["training"]["batch_size"], 8)
        self.assertIs(run.config["training"]["optimizer"]["nesterov"], False)
        self.assertEqual({name: t.shape for name, t in run.tensors.items()},
                         {"dense0.bias": (5,), "dense0.kernel": (4, 5), "dense2.bias": (3,), "dense2.kernel": (5, 3)})
        with self.assertRaisesRegex(spectraj.Error, "nowhere"):
            spectraj.open("nowhere")

    def test_theta(self):
        run = self.run_
        flat, ours, theirs = (run.theta(5, layout) for layout in ("flat", "network", "pytorch"))
        np.testing.assert_array_equal(np.concatenate([x.ravel() for x in ours.values()]), flat)
        self.assertEqual(list(theirs), ["dense0.bias", "dense0.weight", "dense2.bias", "dense2.weight"])
        np.testing.assert_array_equal(theirs["dense0.weight"], ours["dense0.kernel"].T)
        np.testing.assert_array_equal(run.theta(-1, "flat"), run.theta(12, "flat"))
        for t in (13, -14):
            with self.assertRaises(IndexError):
                run.theta(t)
        with self.assertRaisesRegex(spectraj.Error, "network and pytorch"):
            run.theta(0, "keras")

    def test_images_in_pytorchs_layout(self):
        """Kernels [out, in, height, width]; behind the flattened image the channels come first."""
        run = spectraj.open(trained(IMAGES))
        ours, theirs = run.theta(3), run.theta(3, "pytorch")
        np.testing.assert_array_equal(theirs["conv2d0.weight"], ours["conv2d0.kernel"].transpose(3, 2, 0, 1))
        dense = ours["dense3.kernel"].reshape(2, 2, 3, 3).transpose(3, 2, 0, 1).reshape(3, 12)
        np.testing.assert_array_equal(theirs["dense3.weight"], dense)
        v = np.arange(2 * run.n_params, dtype=float).reshape(2, -1)
        both = run.tensor(v, "conv2d0.weight", layout="pytorch")
        np.testing.assert_array_equal(both[1], run.tensor(v[1], "conv2d0.kernel").transpose(3, 2, 0, 1))

    def test_directions_are_cut_by_tensor(self):
        run = self.run_
        v = np.arange(3 * 43, dtype=float).reshape(3, 43)
        np.testing.assert_array_equal(run.tensor(v, "dense0.kernel"), v[:, 5:25].reshape(3, 4, 5))
        np.testing.assert_array_equal(run.tensor(v[0, 25:], "dense2.kernel", layers="dense2"),
                                      v[0, 28:].reshape(5, 3))
        np.testing.assert_allclose(sum(run.shares(v).values()), 1)
        with self.assertRaisesRegex(KeyError, "did you mean 'dense0.kernel'"):
            run.tensor(v, "dense0.kernal")
        with self.assertRaisesRegex(ValueError, "must be 43"):
            run.tensor(v[:, 1:], "dense0.kernel")
        with self.assertRaisesRegex(KeyError, "not in them"):
            run.tensor(v[0, 25:], "dense0.kernel", layers=["dense2"])


class Results(unittest.TestCase):
    def setUp(self):
        self.path = copy_of(trained(), "results")
        self.run_ = spectraj.open(self.path)

    def test_stored_or_computed(self):
        run = self.run_
        for ask in (run.svd, run.density, run.trace, run.dense, lambda: run.svd("mine")):
            with self.assertRaisesRegex(spectraj.NotStored, "it is made by: spectraj "):
                ask()
        made = run.svd(top=3, compute=True)
        self.assertFalse(made.stored)
        self.assertTrue(run.svd().stored and run.svd(top=2).stored and run.svd(compute=True).stored)
        self.assertEqual(len(run.svd(top=2).sigma), 2)
        with self.assertRaisesRegex(spectraj.NotStored, "--top 4"):
            run.svd(top=4)
        np.testing.assert_array_equal(run.svd().v, made.v)
        said = json.loads(command("svd", self.path, "--top", "3", "--json"))
        np.testing.assert_array_equal(said["top"]["sigma"], run.svd().sigma)
        run.svd("mine", top=2, seed=4, compute=True)
        self.assertEqual((run.svd("mine").seed, run.svd().seed), (4, 0))

    def test_parts_are_found_again(self):
        run = self.run_
        window = run.svd(top=2, from_=2, to=9, compute=True)
        block = run.svd(top=2, layers="dense2", compute=True)
        full = run.svd(top=2, state="full", compute=True)
        self.assertEqual((window.v.shape, block.v.shape, full.v.shape), ((2, 43), (2, 18), (2, 86)))
        np.testing.assert_array_equal(run.svd(from_=2, to=9).sigma, window.sigma)
        np.testing.assert_array_equal(run.svd(layers=["dense2.kernel", "dense2.bias"]).sigma, block.sigma)
        np.testing.assert_array_equal(run.svd(state="full").sigma, full.sigma)
        with self.assertRaises(spectraj.NotStored):
            run.svd()
        with self.assertRaises(spectraj.NotStored):
            run.svd(layers="dense0")
        self.assertEqual(block.tensor(block.v, "dense2.kernel").shape, (2, 5, 3))
        self.assertEqual(full.tensor(full.u, "dense2.weight", layout="pytorch", slot=1).shape, (2, 3, 5))
        np.testing.assert_array_equal(full.tensor(full.u, "dense0.bias", slot=1), full.u[:, 43:48])
        np.testing.assert_allclose(sum(block.shares(block.v).values()), 1)

    def test_all_of_them(self):
        run = self.run_
        dense = run.dense(compute=True)
        self.assertEqual((dense.sigma.shape, dense.v.shape), ((43,), (43, 43)))
        np.testing.assert_allclose(run.svd(top=3, compute=True).sigma, dense.sigma[:3], rtol=1e-10)
        density = run.density(probes=4, steps=43, no_deflation=True, compute=True)
        self.assertAlmostEqual(density.regions.chaotic.estimate + density.regions.bulk.estimate +
                               density.regions.stable.estimate, 43, delta=1e-9)
        self.assertEqual(density.density.sigma.shape, density.density.low.shape)
        trace = run.trace(function="frobenius", products=43, compute=True)
        np.testing.assert_allclose(trace.value, (dense.sigma ** 2).sum(), rtol=1e-10)
        np.testing.assert_array_equal(run.trace(function="frobenius").value, trace.value)
        with self.assertRaises(spectraj.NotStored):
            run.trace()
        self.assertEqual({item["file"] for item in run.results()},
                         {"dense.h5", "svd.h5", "density.h5", "trace-frobenius.h5"})
        self.assertIn("made", dense.provenance)
        with self.assertRaisesRegex(AttributeError, "no 'sigmas'"):
            dense.sigmas
        with self.assertRaisesRegex(KeyError, "not asked for"):
            density["gap.regions.*.low"]

    def test_xarray(self):
        try:
            import xarray  # noqa: F401
        except ImportError:
            self.skipTest("no xarray")
        result = self.run_.svd(top=3, compute=True)
        data = result.to_xarray()
        self.assertEqual(data.v.dims, ("pair", "parameter"))
        np.testing.assert_array_equal(data.v, result.v)
        self.assertEqual(data.attrs["stop"], "converged")

    def test_figures(self):
        class Axes:
            def __init__(self):
                self.done = []

            def __getattr__(self, name):
                return lambda *arguments, **named: self.done.append((name, arguments, named))

        axes = self.run_.plot("loss", ax=Axes())
        (_, (x, y, _), _), = [call for call in axes.done if call[0] == "plot" and call[2]["label"] == "batch"]
        np.testing.assert_array_equal(x, np.arange(1, 13))
        np.testing.assert_array_equal(y, self.run_.loss)
        self.assertIn(("set_ylabel", ("loss",), {}), axes.done)
        with self.assertRaisesRegex(spectraj.Error, "no figure|spectrun"):
            self.run_.plot("spectrun", ax=Axes())

    def test_comparison(self):
        other = spectraj.open(trained(DENSE, 2))
        both = spectraj.compare(self.run_.svd(top=3, compute=True), other.svd(top=2, compute=True))
        self.assertEqual(both.config["init.seed"], (1, 2))
        self.assertEqual({key.split(".")[0] for key in both.config}, {"init", "data"})
        self.assertEqual(both.right.shape, (2,))
        same = spectraj.compare(self.path, self.run_)
        np.testing.assert_allclose(same.left, 1)
        self.assertEqual(same.config, {})


@unittest.skipUnless(scipy, "no scipy")
class Jacobians(unittest.TestCase):
    def setUp(self):
        self.run_ = spectraj.open(copy_of(trained(), "jacobians"))

    def test_products(self):
        run = self.run_
        dense = run.dense(compute=True)
        matrix = dense.u.T * dense.sigma @ dense.v
        op = run.jacobian()
        self.assertIsInstance(op, scipy.sparse.linalg.LinearOperator)
        near = {"atol": 1e-12 * dense.sigma[0]}
        x = np.random.default_rng(1).normal(size=(43, 3))
        np.testing.assert_allclose(op @ x, matrix @ x, **near)
        np.testing.assert_allclose(op.matvec(x[:, 0]), matrix @ x[:, 0], **near)
        np.testing.assert_allclose(op.rmatvec(x[:, 1]), matrix.T @ x[:, 1], **near)
        np.testing.assert_allclose(op.T @ x, matrix.T @ x, **near)
        block = run.jacobian(layers=["dense2"])
        np.testing.assert_allclose(block @ np.eye(18), matrix[25:, 25:], **near)
        np.testing.assert_array_equal(op @ x.astype(np.float32), op @ x.astype(np.float32).astype(float))
        with self.assertRaisesRegex(TypeError, "real"):
            op @ (x * 1j)
        with self.assertRaises(ValueError):
            op @ x[:5]

    def test_windows_of_the_full_state_compose(self):
        run = self.run_
        whole, first, last = (run.jacobian(*window, state="full") for window in ((0, 12), (0, 7), (7, 12)))
        x = np.random.default_rng(2).normal(size=86)
        np.testing.assert_allclose((last @ first) @ x, whole @ x, rtol=1e-10, atol=1e-12)

    def test_solvers_take_it(self):
        run = self.run_
        mine = spectraj.svd(run.jacobian(), top=3)
        np.testing.assert_array_equal(mine.sigma, run.svd(top=3, compute=True).sigma)
        self.assertEqual(mine.applications.jvp, run.svd().spent.jvp)
        composed = spectraj.svd(run.jacobian(6, 12, state="full") @ run.jacobian(0, 6, state="full"), top=2)
        whole = run.svd(top=2, state="full", compute=True)
        np.testing.assert_allclose(composed.sigma, whole.sigma, rtol=1e-10)
        with self.assertRaisesRegex(spectraj.Error, "did you mean"):
            run.jacobian(layers="dens0")
        with self.assertRaisesRegex(spectraj.Error, "window|steps"):
            run.jacobian(5, 3)


if __name__ == "__main__":
    unittest.main()
