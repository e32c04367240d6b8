"""A loop program in, a function of its arguments out: compiled parts, and between, the host's.

The function of a program without steps on the host is the compiled one itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.emit import emit
from tensorcalc.errors import DomainError
from tensorcalc.interpret import evaluate
from tensorcalc.plan.program import Call, Host, Program
from tensorcalc.plan.segments import segments

Run = Callable[..., tuple[Any, ...]]


def drive(program: Program, dtype: np.dtype[Any], sizes: Mapping[str, int]) -> Run:
    """What computes the results of a program, in order, from its arguments that are variables."""
    parts = segments(program)
    if not program.data and len(parts) == 1 and isinstance(parts[0], Program):
        return _compiled(parts[0], dtype)
    names = [b.name for b in program.arguments if b.variable not in program.data]
    data = {
        b.name: np.require(program.data[str(b.variable)], dtype, ["C_CONTIGUOUS", "ALIGNED"])
        for b in program.arguments
        if b.variable in program.data
    }
    steps = [_step(part, dtype, sizes) for part in parts]
    results = [buffer.name for buffer in program.results]

    def run(*arguments: Any) -> tuple[Any, ...]:
        known = {**data, **dict(zip(names, arguments, strict=True))}
        for step in steps:
            step(known)
        return tuple([known[name] for name in results])

    return run


def _step(
    part: Program | Host, dtype: np.dtype[Any], sizes: Mapping[str, int]
) -> Callable[[dict[str, Any]], None]:
    """What enters the results of a part beside the buffers that are known."""
    if isinstance(part, Host):

        def interpret(known: dict[str, Any]) -> None:
            arrays = {name: np.asarray(known[buffer]) for name, buffer in part.sources.items()}
            known[part.target] = evaluate([part.body], arrays, sizes, dtype)[0]

        return interpret
    run = _compiled(part, dtype)
    names = [buffer.name for buffer in part.arguments]
    results = [buffer.name for buffer in part.results]

    def compute(known: dict[str, Any]) -> None:
        found = run(*[known[name] for name in names])
        known.update(zip(results, found, strict=True))

    return compute


def _compiled(program: Program, dtype: np.dtype[Any]) -> Run:
    """The compiled function of a program without steps on the host."""
    _, run = emit(program, dtype.name)
    if program.passed:
        run = _with_memory(run, program, dtype)
    if any(isinstance(step, Call) and step.kind == "power" for step in program.steps):
        run = _with_errors(run)
    return run


def _with_memory(run: Run, program: Program, dtype: np.dtype[Any]) -> Run:
    """The function of the arguments alone: large buffers are allocated here, in large pages."""
    makers = [(_maker(buffer.start), buffer.shape) for buffer in program.passed]

    def with_memory(*arguments: Any) -> tuple[Any, ...]:
        return run(*arguments, *[make(shape, dtype=dtype) for make, shape in makers])

    return with_memory


def _maker(start: float | None) -> Callable[..., Array]:
    """What allocates a buffer that holds `start` first."""
    if start is None:
        return np.empty
    return partial(np.full, fill_value=start) if start else np.zeros


def _with_errors(run: Run) -> Run:
    """The function, with what its helpers refuse as our error."""

    def with_errors(*arguments: Any) -> tuple[Any, ...]:
        try:
            return run(*arguments)
        except ValueError as error:
            raise DomainError(str(error)) from None

    return with_errors
