# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of Python through the library's solvers: numbers, and whatever ends them early."""
import os
import signal
import tempfile
import threading
import unittest

import numpy as np

import spectraj

try:
    from scipy.sparse.linalg import LinearOperator, aslinearoperator
except ImportError:
    LinearOperator = None

RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(60, 40))
SIGMA = np.linalg.svd(A)[1]
BIG = RANDOM.normal(size=(400, 300))
ROUNDING = 1e-10  # values of converged pairs are far better than their residuals, of 1e-10 sigma_1


class Counted:
    """A matrix as a pair of callables that counts its products, and raises at one."""

    def __init__(self, a, fail_at=None, why=None):
        self.a, self.n, self.fail_at, self.why = a, 0, fail_at, why

    def _count(self):
        self.n += 1
        if self.n == self.fail_at:
            if callable(self.why):
                self.why()
            else:
                raise self.why

    def pair(self):
        return (lambda x: (self._count(), self.a @ x)[1]), (lambda y: (self._count(), self.a.T @ y)[1])


class Numbers(unittest.TestCase):
    def check_pairs(self, result, k):
        scale = SIGMA[0]
        np.testing.assert_allclose(result.sigma, SIGMA[:k], atol=ROUNDING * scale)
        self.assertEqual((result.u.shape, result.v.shape), ((k, 60), (k, 40)))
        np.testing.assert_allclose(result.v @ A.T, result.sigma[:, None] * result.u, atol=ROUNDING * scale)
        np.testing.assert_allclose(result.v @ result.v.T, np.eye(k), atol=1e-12)
        self.assertEqual(result.stop, "converged")
        self.assertTrue(result.complete and np.all(result.residual <= 1e-10 * scale))

    def test_pairs_of_whatever_has_products(self):
        self.check_pairs(spectraj.svd(A, top=4), 4)
        self.check_pairs(spectraj.svd(Counted(A).pair(), top=4, shape=A.shape), 4)
        if LinearOperator:
            self.check_pairs(spectraj.svd(aslinearoperator(A), top=4), 4)
        self.assertEqual(len(spectraj.svd(A).sigma), 20)
        self.assertEqual(len(spectraj.svd(A[:, :3]).sigma), 3)

    def test_the_products_are_counted_and_the_seed_kept(self):
        counted = Counted(A)
        result = spectraj.svd(counted.pair(), top=3, shape=A.shape, seed=5)
        self.assertEqual(result.seed, 5)
        self.assertEqual(result.applications.jvp + result.applications.vjp, counted.n)

    def test_the_smallest_are_bounds(self):
        result = spectraj.svd(A, bottom=2)
        self.assertTrue(np.all(result.bottom.sigma >= SIGMA[::-1][:2] - 1e-12 * SIGMA[0]))
        self.assertEqual(result.bottom.v.shape, (2, 40))
        with self.assertRaisesRegex(AttributeError, "bottom.sigma"):
            result.sigma
        self.assertEqual(len(spectraj.svd(A, above=SIGMA[0] + 1).sigma), 0)

    def test_trace_and_density(self):
        square = A.T @ A
        self.assertAlmostEqual(spectraj.trace(square).value, np.trace(square), delta=1e-9 * np.trace(square))
        norm = spectraj.trace(A, "frobenius", products=40).value
        self.assertAlmostEqual(norm, (A ** 2).sum(), delta=1e-9 * norm)
        counts = spectraj.density(A, steps=40, probes=4).regions  # all steps: the counts are exact
        for region, true in (("chaotic", (SIGMA > 1.1).sum()), ("stable", (SIGMA < 0.9).sum())):
            self.assertTrue(counts[region].low - 1e-6 <= true <= counts[region].high + 1e-6)

    def test_wrong_operators_are_refused(self):
        for op, shape, error, text in (
                ((lambda x: x, lambda y: y), None, TypeError, "shape"),
                (3, None, TypeError, "LinearOperator"),
                (A.astype(complex), None, TypeError, "complex"),
                ((lambda x: x[:2], lambda y: y), (4, 4), ValueError, r"\(2,\) instead of \(4,\)"),
                ((lambda x: x * 1j, lambda y: y), (4, 4), TypeError, "complex"),
                ((lambda x: x * np.nan, lambda y: y), (4, 4), spectraj.Error, "NaN"),
        ):
            with self.assertRaisesRegex(error, text):
                spectraj.svd(op, top=1, shape=shape)
        with self.assertRaisesRegex(spectraj.Error, "topp"):
            spectraj.svd(A, topp=2)
        with self.assertRaisesRegex(spectraj.Error, "operator by itself"):
            spectraj.svd(A, tag="mine")

    def test_the_operator_may_keep_and_change_its_vectors(self):
        def forward(x):
            y = A @ x
            x[:] = np.nan
            return y

        self.check_pairs(spectraj.svd((forward, lambda y: A.T @ y), top=4, shape=A.shape), 4)


class Ends(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.journal = os.path.join(self.folder.name, "products")

    def solve(self, counted, **options):
        return spectraj.svd(counted.pair(), top=3, shape=BIG.shape, **options)

    def test_an_exception_passes_and_the_next_call_goes_on(self):
        whole = Counted(BIG)
        once = self.solve(whole)
        first = Counted(BIG, 20, ZeroDivisionError("mine"))
        with self.assertRaisesRegex(ZeroDivisionError, "mine"):
            self.solve(first, journal=self.journal)
        self.assertEqual(first.n, 20)
        second = Counted(BIG)
        result = self.solve(second, journal=self.journal)
        self.assertEqual(result.applications.replayed, 19)
        self.assertEqual(second.n, whole.n - 19 + 1)  # the first is made again, to compare
        np.testing.assert_array_equal(result.sigma, once.sigma)
        np.testing.assert_array_equal(result.v, once.v)

    def test_an_interrupt_within_a_product(self):
        # A shell without job control lets its background commands ignore the signal.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        first = Counted(BIG, 15, lambda: os.kill(os.getpid(), signal.SIGINT))
        with self.assertRaises(KeyboardInterrupt):
            self.solve(first, journal=self.journal)
        self.assertEqual(first.n, 15)
        self.assertGreaterEqual(self.solve(Counted(BIG), journal=self.journal).applications.replayed, 14)

    def test_a_signal_between_products(self):
        """Its handler raises while the library computes, or waits for nothing of ours."""
        def raise_mine(*_):
            raise TimeoutError("mine")

        before = signal.signal(signal.SIGALRM, raise_mine)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        slow = Counted(BIG, 10, lambda: threading.Timer(0, os.kill, (os.getpid(), signal.SIGALRM)).start())
        unending = (slow.pair()[0], slow.pair()[1])
        with self.assertRaisesRegex(TimeoutError, "mine"):
            while True:  # as often as it takes for the signal to come
                spectraj.svd(unending, top=3, shape=BIG.shape)

    def test_progress_is_told_and_may_end_it(self):
        told = []
        self.solve(Counted(BIG), progress=lambda *what: told.append(what))
        self.assertTrue(told and all(isinstance(what, str) for what, _, _ in told))

        def enough(what, done, total):
            raise StopIteration(what)

        with self.assertRaises(StopIteration):
            self.solve(Counted(BIG), progress=enough)

    def test_a_journal_knows_its_operator(self):
        self.solve(Counted(BIG), journal=self.journal)
        with self.assertRaisesRegex(spectraj.Error, "another operator"):
            self.solve(Counted(BIG + 1), journal=self.journal)
        with self.assertRaisesRegex(spectraj.Error, "name another file"):
            spectraj.svd(A, top=3, journal=self.journal)
        with open(self.journal, "w", encoding="utf-8") as out:
            out.write("mine")
        with self.assertRaisesRegex(spectraj.Error, "no journal"):
            self.solve(Counted(BIG), journal=self.journal)
        with open(self.journal, encoding="utf-8") as found:
            self.assertEqual(found.read(), "mine")

    def test_other_threads_wait(self):
        results = []
        threads = [threading.Thread(target=lambda: results.append(self.solve(Counted(BIG)).sigma)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(results), 3)
        for sigma in results:
            np.testing.assert_array_equal(sigma, results[0])


if __name__ == "__main__":
    unittest.main()
