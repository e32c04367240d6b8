"""Loop program in, compiled kernel out: `source.py` writes it, `cache.py` compiles and keeps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorcalc.emit.cache import load
from tensorcalc.emit.module import kernel_module
from tensorcalc.emit.source import Source, source
from tensorcalc.plan.program import Program


def emit(program: Program, dtype: str) -> tuple[Source, Callable[..., Any]]:
    """The source of a program and its compiled function; it returns a tuple of results."""
    text = source(program, dtype)
    return text, load(kernel_module(text))
