"""Ranges of work in, done by threads: the pool that `threaded.py` gives the ranges of a pass to.

One caller at a time has the pool; another one, or one while the interpreter ends, does its ranges
itself, which gives the same bits. Nothing is started before it is needed, and a process that was
forked starts anew.

SciPy's BLAS has threads of its own, and one number of them for the process. While a pass runs in
several threads that number is 1. Where no such function is found (SciPy with another BLAS than
OpenBLAS) its number stays, and products in a pass may use more threads than there are processors.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

import scipy.linalg.cython_blas

from tensorcalc.threads import chosen

Task = Callable[[], None]
PREFIXES, SUFFIXES = ("scipy_", ""), ("", "64_")


class _State:
    """What a process has one of."""

    def __init__(self) -> None:
        self.pool: ThreadPoolExecutor | None = None
        self.size = 0
        self.busy = threading.Lock()  # held by the caller that has the pool
        self.lock = threading.Lock()  # of what follows
        self.limited = 0  # how many want BLAS to use one thread now …
        self.wanted = 0  # … and how many it is to use after that


_state = _State()


def run(tasks: Sequence[Sequence[Task]], count: int) -> None:
    """Run every list of tasks, each in its order, on `count` threads: the caller is one of them."""
    state = _state
    rest = iter(tasks)  # threads take from it in turn; a list's iterator can be shared
    stopped: list[bool] = []

    def work() -> None:
        try:
            for task in (task for several in rest for task in several):
                if stopped:
                    return
                task()
        except BaseException:
            stopped.append(True)
            raise

    if count == 1 or not state.busy.acquire(blocking=False):
        work()
        return
    others: list[Future[None]] = []
    try:
        try:
            pool = _pool(state, count - 1)
            others.extend(pool.submit(work) for _ in range(count - 1))
        except RuntimeError:  # the interpreter ends
            pass
        work()
        for other in others:
            other.result()
    except BaseException:  # Ctrl-C, too: a task takes a fraction of a second
        stopped.append(True)
        wait(others)
        raise
    finally:
        state.busy.release()


def _pool(state: _State, size: int) -> ThreadPoolExecutor:
    if state.pool is None or state.size < size:
        if state.pool is not None:
            state.pool.shutdown(wait=False)
        state.pool, state.size = ThreadPoolExecutor(size, "tensorcalc"), size
    return state.pool


# ── BLAS ─────────────────────────────────────────────────────────────────────────────────────


def _functions() -> tuple[Callable[[], int], Callable[[int], Any]]:
    """What gets, and sets, the number of threads of SciPy's OpenBLAS."""
    library = ctypes.CDLL(scipy.linalg.cython_blas.__file__)  # it finds those of its BLAS, too
    for prefix in PREFIXES:
        for suffix in SUFFIXES:
            names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
            if all(hasattr(library, name) for name in names):
                get, put = (library[name] for name in names)
                get.argtypes, put.argtypes = [], [ctypes.c_int]
                return get, put
    return (lambda: 0), (lambda count: None)


_get, _set = _functions()


def set_blas(count: int) -> None:
    """Let SciPy's BLAS use `count` threads, after the passes that run now."""
    with _state.lock:
        _state.wanted = count
        if not _state.limited:
            _set(count)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let SciPy's BLAS use one thread for the length of a ``with`` block."""
    state = _state
    with state.lock:
        if not state.limited:
            state.wanted = _get()
            _set(1)
        state.limited += 1
    try:
        yield
    finally:
        with state.lock:
            state.limited -= 1
            if not state.limited:
                _set(state.wanted)


def _forked() -> None:
    """In a child there is no pool, and nobody runs a pass."""
    global _state
    if _state.limited:
        _set(_state.wanted)
    _state = _State()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
if chosen():
    set_blas(chosen())
