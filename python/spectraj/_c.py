# SPDX-License-Identifier: GPL-3.0-or-later
"""libspectraj through ctypes: finding it, its functions by name, its errors.

The structs here are those few of the public headers that cross the border as structs;
tests/test_structs.py compiles their sizes and offsets from the headers and compares them.
"""
from __future__ import annotations

import ctypes as C
import ctypes.util
import os
import subprocess
import threading
from typing import Any, Iterator, Optional

size_t, double, text = C.c_size_t, C.c_double, C.c_char_p
doubles = C.POINTER(C.c_double)
byref, sizeof = C.byref, C.sizeof
SONAME = "libspectraj.so.0"


class Error(RuntimeError):
    """What libspectraj refused or could not do: what was wrong, where, the limit, the remedy.

    Attributes:
        status: the identifier of the status, such as "STJ_EINVAL".
    """

    def __init__(self, message: str, status: str = "STJ_EINVAL"):
        super().__init__(message)
        self.status = status


class NotStored(Error, LookupError):
    """A result that is not in the run's folder, and was not to be computed (compute=False)."""


# ---- structs of the public headers ----

class StjError(C.Structure):
    _fields_ = [("code", C.c_int), ("line", C.c_int), ("file", text), ("text", C.c_char * 1024)]


APPLY = C.CFUNCTYPE(C.c_int, C.c_void_p, C.c_int, size_t, doubles, size_t, doubles, size_t,
                    C.POINTER(StjError))
PROGRESS = C.CFUNCTYPE(C.c_int, C.c_void_p, text, double, double)
SAY = C.CFUNCTYPE(None, C.c_void_p, text)


class StjProgress(C.Structure):
    _fields_ = [("fn", PROGRESS), ("ctx", C.c_void_p), ("warn", SAY), ("note", SAY)]


class StjRunPart(C.Structure):
    _fields_ = [("from", size_t), ("to", size_t), ("layers", text), ("full_state", C.c_bool),
                ("precision", C.c_int)]


class StjRunArray(C.Structure):
    _fields_ = [("name", C.c_char * 256), ("n_dims", size_t), ("shape", size_t * 4)]


class StjOpCounts(C.Structure):
    _fields_ = [("jvp", double), ("vjp", double), ("replayed", double), ("seconds", double)]


class StjResultItem(C.Structure):
    _fields_ = [("name", text), ("unit", text), ("doc", text), ("n_dims", size_t),
                ("n", size_t * 2), ("dim", text * 2), ("text", text)]


class StjRunTrainSettings(C.Structure):
    _fields_ = [("size", size_t), ("force", C.c_bool), ("seed_given", C.c_bool), ("seed", C.c_uint64),
                ("accept_deviation", C.c_bool), ("progress", StjProgress), ("keep", C.c_bool),
                ("n_set", size_t), ("set", C.c_void_p)]


STRUCTS = {"stj_error": StjError, "stj_progress": StjProgress, "stj_run_part": StjRunPart,
           "stj_run_array": StjRunArray, "stj_op_counts": StjOpCounts,
           "stj_result_item": StjResultItem, "stj_run_train_settings": StjRunTrainSettings}

# ---- functions ----

_handle = C.c_void_p
_place = C.POINTER(C.c_void_p)
_err = C.POINTER(StjError)
_status = C.c_int
_functions = {
    "stj_version": (text, []),
    "stj_status_name": (text, [C.c_int]),
    "stj_set_threads": (None, [size_t]),
    "stj_free": (None, [C.c_void_p]),
    "stj_error_set": (_status, [_err, C.c_int, text, C.c_int, text, text]),
    "stj_run_open": (_status, [text, _place, _err]),
    "stj_run_destroy": (None, [_handle]),
    "stj_run_train": (_status, [text, text, C.POINTER(StjRunTrainSettings), _place, _err]),
    "stj_run_theta": (_status, [_handle, size_t, doubles, _err]),
    "stj_run_loss_curve": (doubles, [_handle]),
    "stj_run_get_array": (_status, [_handle, text, size_t, doubles, doubles,
                                    C.POINTER(StjRunArray), _err]),
    "stj_run_part_jacobian": (_status, [_handle, C.POINTER(StjRunPart), size_t, _place, _err]),
    "stj_run_part_size": (_status, [_handle, C.POINTER(StjRunPart), C.POINTER(size_t), _place,
                                    _err]),
    "stj_run_config_json": (_status, [_handle, _place, _err]),
    "stj_report_info": (_status, [_handle, C.c_int, _handle, _err]),
    "stj_report_plot_data": (_status, [_handle, C.c_int, _handle, text, text, text, _err]),
    "stj_op_create": (_status, [size_t, size_t, APPLY, C.c_void_p, C.c_void_p, _place, _err]),
    "stj_op_destroy": (None, [_handle]),
    "stj_op_n_rows": (size_t, [_handle]),
    "stj_op_n_cols": (size_t, [_handle]),
    "stj_op_apply": (_status, [_handle, C.c_int, size_t, doubles, size_t, doubles, size_t, _err]),
    "stj_op_get_counts": (StjOpCounts, [_handle]),
    "stj_request_create": (_status, [text, _place, _err]),
    "stj_request_destroy": (None, [_handle]),
    "stj_request_set": (_status, [_handle, text, text, _err]),
    "stj_analyse": (_status, [_handle, _handle, C.POINTER(StjProgress), _place, _err]),
    "stj_analyse_op": (_status, [_handle, _handle, text, C.POINTER(StjProgress), _place, _err]),
    "stj_result_read": (_status, [_handle, text, text, _place, _err]),
    "stj_result_destroy": (None, [_handle]),
    "stj_result_is_stored": (C.c_bool, [_handle]),
    "stj_result_is_complete": (C.c_bool, [_handle, C.POINTER(C.c_bool)]),
    "stj_result_to_go_on": (text, [_handle]),
    "stj_result_get_item": (C.c_bool, [_handle, size_t, C.POINTER(StjResultItem)]),
    "stj_result_numbers": (_status, [_handle, text, _place, C.POINTER(size_t), _err]),
    "stj_result_json": (_status, [_handle, _place, _err]),
}


# ---- finding the library ----

def _beside() -> Iterator[str]:
    """Where `make install` said that it is, then this folder and those above it."""
    try:
        from . import _libdir  # written by make install
        yield os.path.join(_libdir.LIBDIR, SONAME)
    except ImportError:
        pass
    folder = os.path.dirname(os.path.abspath(__file__))
    for _ in range(5):
        for inner in ("", "lib", ".libs", os.path.join("build", ".libs")):
            yield os.path.join(folder, inner, SONAME)
        folder = os.path.dirname(folder)


def _pkg_config() -> Iterator[str]:
    try:
        found = subprocess.run(["pkg-config", "--variable=libdir", "spectraj"], check=True,
                               capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return
    if found:
        yield os.path.join(found, SONAME)


def _candidates() -> Iterator[str]:
    """Paths of files that are there, and last the name that the system's linker looks up."""
    for path in _beside():
        if os.path.exists(path):
            yield path
    yield SONAME
    yield from (path for path in _pkg_config() if os.path.exists(path))


def _open() -> tuple[C.CDLL, str]:
    given = os.environ.get("SPECTRAJ_LIBRARY")
    if given:  # whoever says which one does not want another
        path = os.path.join(given, SONAME) if os.path.isdir(given) else given
        try:
            return C.CDLL(path), path
        except OSError as why:
            raise ImportError(f"SPECTRAJ_LIBRARY is '{given}', which cannot be loaded: {why}") from None
    tried = []
    for path in _candidates():
        try:
            return C.CDLL(path), path
        except OSError as why:
            tried.append(str(why))
    raise ImportError(f"{SONAME} was not found ({'; '.join(tried)}); install libspectraj, or say where "
                      "it is in SPECTRAJ_LIBRARY (the file or its folder)")


def _load() -> tuple[C.CDLL, str]:
    library, path = _open()
    for name, (result, arguments) in _functions.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise ImportError(f"{path} has no {name}: it is older than this package; install the "
                              "library of the same version") from None
        function.restype, function.argtypes = result, arguments
    return library, path


lib, library_path = _load()

# Trainings, products, solves and analyses work one at a time in a process (spectraj/progress.h).  A
# product within a solve of the same thread is part of it.
working = threading.RLock()


def as_text(value: Optional[str]) -> Optional[bytes]:
    return None if value is None else os.fsencode(value)


def from_text(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else value.decode("utf-8", "replace")


def check(status: int, err: StjError, kind: type = Error) -> None:
    """Raise what a function of the library has recorded."""
    if status == 0:
        return
    name = from_text(lib.stj_status_name(status))
    message = from_text(err.text) or f"libspectraj said {name}"
    if name == "STJ_ENOMEM":
        raise MemoryError(message)
    raise kind(message, name)


def call(name: str, *arguments: Any) -> None:
    """lib.NAME(*arguments, &err), its error raised."""
    err = StjError()
    check(getattr(lib, name)(*arguments, C.byref(err)), err)


def make(name: str, *arguments: Any) -> int:
    """The handle, or the memory, that lib.NAME(*arguments, &place, &err) leaves."""
    place = C.c_void_p()
    call(name, *arguments, C.byref(place))
    return place.value


def take_text(memory: Optional[int]) -> str:
    """The text at memory that the library handed out, which is freed."""
    try:
        return C.string_at(memory).decode("utf-8", "replace")
    finally:
        lib.stj_free(memory)


class written:
    """A stream of the C library as a text: `with written() as w: f(w.stream)`, then w.text."""

    def __enter__(self) -> "written":
        self._libc = C.CDLL(None, use_errno=True)
        self._libc.open_memstream.restype = C.c_void_p
        self._libc.open_memstream.argtypes = [C.POINTER(C.c_void_p), C.POINTER(size_t)]
        self._libc.fclose.argtypes = [C.c_void_p]
        self._libc.free.argtypes = [C.c_void_p]
        self._memory, self._size = C.c_void_p(), size_t()
        self.stream = self._libc.open_memstream(C.byref(self._memory), C.byref(self._size))
        if not self.stream:
            raise MemoryError("no memory for a text")
        return self

    def __exit__(self, *_: Any) -> None:
        self._libc.fclose(self.stream)
        self.text = C.string_at(self._memory, self._size.value).decode("utf-8", "replace")
        self._libc.free(self._memory)


def set_threads(n: int) -> None:
    """Threads of the library's products; 0: as OMP_NUM_THREADS says.  The bits do not depend on it."""
    lib.stj_set_threads(n)


def version() -> str:
    """The version of the library that answers."""
    return from_text(lib.stj_version()) or ""
