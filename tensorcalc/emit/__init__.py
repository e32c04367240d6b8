"""Loop program in, compiled kernel out: `source.py` writes it, `cache.py` compiles and keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorcalc.emit.cache import load
from tensorcalc.emit.module import kernel_module
from tensorcalc.emit.source import Source, source
from tensorcalc.plan.program import Program


def emit(program: Program, dtype: str) -> tuple[Source, Callable[..., Any]]:
    """The source of a program and its compiled function; it returns a tuple of results.

    The function takes arrays of the very types and ranks of the program, and checks nothing.
    """
    text = source(program, dtype)
    return text, entry(load(kernel_module(text)))


def entry(function: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled code of a Numba function of one signature, without the look at the types.

    It keeps what it needs alive. Without a compiler (``NUMBA_DISABLE_JIT``) the function itself.
    """
    overloads = getattr(function, "overloads", {})
    (found,) = [compiled.entry_point for compiled in overloads.values()] or [function]
    return found  # type: ignore[no-any-return]
