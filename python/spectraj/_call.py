# SPDX-License-Identifier: GPL-3.0-or-later
"""Long calls of the library: exceptions pass through them, KeyboardInterrupt among them.

A callback of ctypes cannot raise, and a signal that comes while C works is heard at the first line
of the next callback, before any `try` of it.  So the library works in a thread of its own, where no
signal is delivered, and what is the caller's (products with a Python operator, reports of progress)
is done in the caller's thread, which waits for it meanwhile:

    caller      serve: wait ... product ... wait ... report ... wait ... the end
    worker      stj_analyse_op ... callback: ask, wait ...

What the caller's thread raises is kept, the library is told to stop (the callback returns
STJ_EINTERRUPTED, the next report says stop), and it is raised when the library has returned, which
has closed its journals by then.
"""
from __future__ import annotations

import logging
import queue
import threading
import warnings
from typing import Any, Callable, Optional

from . import _c

INTERRUPTED = 9  # STJ_EINTERRUPTED; tests/test_structs.py compares it
Progress = Callable[[str, float, float], Any]


class SpectrajWarning(UserWarning):
    """What should be read although the work went on."""


class _Item:
    def __init__(self, work: Callable[[], Any]):
        self.work = work
        self.ok = False
        self.done = threading.Event()


class Call:
    """One call; `run` makes it.

    Args:
        progress: called as progress(what, done, total) between products; total is 0 where it is not
            known.  What it raises ends the work.
    """

    def __init__(self, progress: Optional[Progress] = None):
        self.error: Optional[BaseException] = None
        self.stop = self._ended = False
        self._progress = progress
        self._wake: queue.SimpleQueue = queue.SimpleQueue()
        self._pending: Optional[_Item] = None
        self._said: list[str] = []
        self.struct = _c.StjProgress(_c.PROGRESS(self._report), None, _c.SAY(self._warn),
                                     _c.SAY(self._note))

    # ---- in the worker ----

    def ask(self, work: Callable[[], Any]) -> bool:
        """Have `work` done in the caller's thread; False: it raised, or all is to stop."""
        if self.stop:
            return False
        item = self._pending = _Item(work)
        self._wake.put(None)
        item.done.wait()
        return item.ok and not self.stop

    def _report(self, _: Any, what: Optional[bytes], done: float, total: float) -> int:
        progress = self._progress
        if progress and not self.stop:
            self.ask(lambda: progress(_c.from_text(what) or "", done, total))
        return int(self.stop)

    def _warn(self, _: Any, said: Optional[bytes]) -> None:
        self._said.append(_c.from_text(said) or "")

    def _note(self, _: Any, said: Optional[bytes]) -> None:
        logging.getLogger("spectraj").info("%s", _c.from_text(said))

    # ---- in the caller ----

    def _serve_one(self) -> None:
        self._wake.get()
        item = self._pending
        if item is None or item.done.is_set():
            return
        if not self.stop:
            item.work()
            item.ok = True
        item.done.set()

    def _release(self) -> None:
        if self._pending:
            self._pending.done.set()

    def _serve(self) -> None:
        while not self._ended:
            try:
                self._serve_one()
            except BaseException as why:  # it is raised when the library has returned
                self.stop = True
                self.error = self.error or why
                self._release()

    def run(self, function: Callable[[], int]) -> int:
        """The status of function(), which calls the library; what was raised meanwhile is raised."""
        status = []

        def work() -> None:
            try:
                status.append(function())
            except BaseException as why:  # of the binding itself
                self.error = self.error or why
            finally:
                self._ended = True
                self._wake.put(None)

        with _c.working:
            worker = threading.Thread(target=work, name="spectraj", daemon=True)
            worker.start()
            while not self._ended:
                try:
                    self._serve()
                except BaseException as why:  # a second Ctrl-C while the first was noted
                    self.stop = True
                    self.error = self.error or why
                    self._release()
        for said in self._said:
            warnings.warn(said, SpectrajWarning, stacklevel=4)
        return status[0] if status else INTERRUPTED
