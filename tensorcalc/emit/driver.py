"""A loop program in, a function of its arguments out: compiled parts, and between, the host's.

The function of a program without steps on the host is the compiled one itself.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.emit import emit
from tensorcalc.errors import DomainError
from tensorcalc.interpret import evaluate
from tensorcalc.plan.program import Buffer, Call, Host, Program
from tensorcalc.plan.segments import segments

Run = Callable[..., tuple[Any, ...]]
Shapes = Mapping[str, tuple[int, ...]]


def drive(program: Program, dtype: np.dtype[Any], sizes: Mapping[str, int], shapes: Shapes) -> Run:
    """What computes the results of a program, in order, from its arguments that are variables.

    `shapes` are those of the results.
    """
    parts = compiled_parts(program, shapes)
    if _is_whole(program):
        return _compiled(parts[0], dtype, program.results)  # type: ignore[arg-type]
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


def compiled_parts(program: Program, shapes: Shapes) -> list[Program | Host]:
    """The parts of a program in the form that is compiled.

    Numba makes an array for Python in 0.35 µs, NumPy in 0.1: a program that is compiled as a whole
    is given the arrays of its results, and returns its numbers, or for want of such an extent.
    """
    return [_filling(program, shapes)] if _is_whole(program) else segments(program)


def _is_whole(program: Program) -> bool:
    return not program.data and not any(isinstance(step, Host) for step in program.steps)


def _filling(program: Program, shapes: Shapes) -> Program:
    """The program with its results that are arrays among the buffers that are passed in."""
    arrays = [buffer for buffer in program.results if buffer.extents]
    numbers = [buffer for buffer in program.results if not buffer.extents]
    owners = {_owner(b.name, program): shapes[b.name] for b in arrays}
    buffers = [
        replace(b, shape=owners.get(b.name, b.shape)) for b in (*program.temporaries, *arrays)
    ]
    results = numbers or [Buffer(arrays[0].extents[0], ())]
    return replace(program, temporaries=tuple(buffers), results=tuple(results))


def _owner(name: str, program: Program) -> str:
    """The buffer whose memory a buffer has."""
    memory = {b.name: b.memory for b in (*program.temporaries, *program.results)}
    while (taken := memory[name]) is not None:
        name = taken
    return name


def _step(
    part: Program | Host, dtype: np.dtype[Any], sizes: Mapping[str, int]
) -> Callable[[dict[str, Any]], None]:
    """What enters the results of a part beside the buffers that are known."""
    if isinstance(part, Host):

        def interpret(known: dict[str, Any]) -> None:
            arrays = {name: np.asarray(known[buffer]) for name, buffer in part.sources.items()}
            known[part.target] = evaluate([part.body], arrays, sizes, dtype)[0]

        return interpret
    run = _compiled(part, dtype, part.results)
    names = [buffer.name for buffer in part.arguments]
    results = [buffer.name for buffer in part.results]

    def compute(known: dict[str, Any]) -> None:
        found = run(*[known[name] for name in names])
        known.update(zip(results, found, strict=True))

    return compute


def _compiled(program: Program, dtype: np.dtype[Any], results: Sequence[Buffer]) -> Run:
    """The compiled function of a program without steps on the host, with these results."""
    _, run = emit(program, dtype.name)
    if program.passed:
        run = _with_memory(run, program, dtype, results)
    if any(isinstance(step, Call) and step.kind == "power" for step in program.steps):
        run = _with_errors(run)
    return run


def _with_memory(
    run: Run, program: Program, dtype: np.dtype[Any], results: Sequence[Buffer]
) -> Run:
    """The function of the arguments alone: buffers are allocated here, large ones in large pages.

    Its text is written from counts: no list is packed in a call that may take a microsecond.
    """
    # C code that imports, as Numba's for LAPACK does, looks for __builtins__ among these globals
    space: dict[str, Any] = {"__builtins__": builtins, "run": run, "d": dtype}
    given = [f"a{k}" for k in range(len(program.arguments))]
    passed = {buffer.name: f"b{k}" for k, buffer in enumerate(program.passed)}
    lines = []
    for k, buffer in enumerate(program.passed):
        space |= {f"m{k}": _maker(buffer.start), f"s{k}": buffer.shape}
        lines.append(f"    b{k} = m{k}(s{k}, d)")
    returned = [buffer.name for buffer in program.results]
    found = [
        f"r[{returned.index(b.name)}]" if b.name in returned else passed[_owner(b.name, program)]
        for b in results
    ]
    text = "\n".join([
        f"def compute({', '.join(given)}):",
        *lines,
        f"    r = run({', '.join([*given, *passed.values()])})",
        f"    return ({', '.join(found)},)",
    ])  # fmt: skip
    return FunctionType(_code(text), space)


@lru_cache(maxsize=256)
def _code(text: str) -> CodeType:
    """The code of the one function of a text."""
    module = compile(text, "<tensorcalc run>", "exec")
    return next(found for found in module.co_consts if isinstance(found, CodeType))


def _maker(start: float | None) -> Callable[[tuple[int, ...], np.dtype[Any]], Array]:
    """What allocates a buffer that holds `start` first."""
    if start is None:
        return np.empty
    return (lambda shape, dtype: np.full(shape, start, dtype)) if start else np.zeros


def _with_errors(run: Run) -> Run:
    """The function, with what its helpers refuse as our error."""

    def with_errors(*arguments: Any) -> tuple[Any, ...]:
        try:
            return run(*arguments)
        except ValueError as error:
            raise DomainError(str(error)) from None

    return with_errors
