"""A loop program in, a function of its arguments out: compiled parts, and between, the host's.

The function of a program without steps on the host, and for one thread, is the compiled one itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.emit import emit
from tensorcalc.errors import DomainError
from tensorcalc.interpret import evaluate
from tensorcalc.plan.program import Blas, Buffer, Call, Host, Program, flat
from tensorcalc.plan.segments import segments

Run = Callable[..., tuple[Any, ...]]
Shapes = Mapping[str, tuple[int, ...]]
Step = Callable[[dict[str, Any]], None]  # enters its results beside the buffers that are known


@dataclass(frozen=True, slots=True)
class Filling:
    """A compiled function that is given memory: large buffers get large pages from NumPy.

    Each of `made` is a function of a shape and the shape. `found` says of each result whether it is
    one of the `made`, or what `run` returns, and which. `dispatch.fast` writes such a call out.
    """

    run: Run
    made: tuple[tuple[Callable[[tuple[int, ...]], Array], tuple[int, ...]], ...]
    found: tuple[tuple[bool, int], ...]

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        made = [make(shape) for make, shape in self.made]
        returned = self.run(*arguments, *made)
        return tuple([(made if is_made else returned)[k] for is_made, k in self.found])


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
    steps: list[Step] = []
    guard: Callable[[], AbstractContextManager[None]] = nullcontext
    if program.is_threaded:
        from tensorcalc.emit.threaded import around, memory, threaded

        steps.append(memory(program, dtype))
        compiled = partial(threaded, dtype=dtype)
        guard = around(program)
    else:
        compiled = partial(_step, dtype=dtype)
    steps += [
        _host(part, dtype, sizes) if isinstance(part, Host) else compiled(part) for part in parts
    ]
    results = [buffer.name for buffer in program.results]

    def run(*arguments: Any) -> tuple[Any, ...]:
        known = {**data, **dict(zip(names, arguments, strict=True))}
        with guard():
            for step in steps:
                step(known)
        return tuple([known[name] for name in results])

    return run


def compiled_parts(program: Program, shapes: Shapes) -> list[Program | Host]:
    """The parts of a program in the form that is compiled.

    Numba makes an array for Python in 0.35 µs, NumPy in 0.1: a program that is compiled as a whole
    is given the arrays of its results, and returns its numbers, or for want of such an extent. So
    are the parts of a program for several threads.
    """
    if _is_whole(program):
        return [_filling(program, shapes)]
    parts = segments(program)
    if not program.is_threaded:
        return parts
    return [part if isinstance(part, Host) else _given(part) for part in parts]


def _is_whole(program: Program) -> bool:
    hosted = any(isinstance(step, Host) for step in program.steps)
    return not (program.data or hosted or program.is_threaded)


def _filling(program: Program, shapes: Shapes) -> Program:
    """The program with its results that are arrays among the buffers that are passed in."""
    arrays = [buffer for buffer in program.results if buffer.extents]
    owners = {owner(b.name, program): shapes[b.name] for b in arrays}
    buffers = [
        replace(b, shape=owners.get(b.name, b.shape)) for b in (*program.temporaries, *arrays)
    ]
    return _returning_numbers(program, buffers)


def _given(part: Program) -> Program:
    """The part with all of its arrays, but those for a block only, among what is passed in."""
    arrays = [buffer for buffer in part.results if buffer.extents]
    buffers = [replace(b, memory=None) if b.shape else b for b in (*part.temporaries, *arrays)]
    return _returning_numbers(part, buffers)


def _returning_numbers(program: Program, buffers: Sequence[Buffer]) -> Program:
    """The program with these temporaries that returns its numbers, or an extent."""
    numbers = tuple([buffer for buffer in program.results if not buffer.extents])
    extents = [name for buffer in program.results for name in buffer.extents]
    return replace(
        program, temporaries=tuple(buffers), results=numbers or (Buffer(extents[0], ()),)
    )


def owner(name: str, program: Program) -> str:
    """The buffer whose memory a buffer has."""
    memory = {b.name: b.memory for b in (*program.temporaries, *program.results)}
    while (taken := memory[name]) is not None:
        name = taken
    return name


def _host(part: Host, dtype: np.dtype[Any], sizes: Mapping[str, int]) -> Step:
    def interpret(known: dict[str, Any]) -> None:
        arrays = {name: np.asarray(known[buffer]) for name, buffer in part.sources.items()}
        known[part.target] = evaluate([part.body], arrays, sizes, dtype)[0]

    return interpret


def _step(part: Program, dtype: np.dtype[Any]) -> Step:
    run = _compiled(part, dtype, part.results)
    names = [buffer.name for buffer in part.arguments]
    results = [buffer.name for buffer in part.results]

    def compute(known: dict[str, Any]) -> None:
        found = run(*[known[name] for name in names])
        known.update(zip(results, found, strict=True))

    return compute


def _compiled(program: Program, dtype: np.dtype[Any], results: Sequence[Buffer]) -> Run:
    """The compiled function of a program without steps on the host, with these results."""
    run = emitted(program, dtype)
    if not program.passed:
        return run
    returned = [buffer.name for buffer in program.results]
    passed = [buffer.name for buffer in program.passed]
    owners = [b.name if b.name in returned else owner(b.name, program) for b in results]
    return Filling(
        run,
        tuple([(maker(buffer.start, dtype), buffer.shape) for buffer in program.passed]),
        tuple([(n in passed, (passed if n in passed else returned).index(n)) for n in owners]),
    )


def emitted(program: Program, dtype: np.dtype[Any]) -> Run:
    """The compiled function of the arguments and of the buffers that are passed in."""
    _, run = emit(program, dtype.name)
    if any(isinstance(step, Blas | Call) for step in flat(program.steps)):
        import_module("tensorcalc.emit.pool")  # tells BLAS the number of threads that was set
    if any(isinstance(step, Call) and step.kind == "power" for step in flat(program.steps)):
        return _with_errors(run)
    return run


def maker(start: float | None, dtype: np.dtype[Any]) -> Callable[[tuple[int, ...]], Array]:
    """What allocates a buffer of some shape that holds `start` first."""
    if start is None and dtype == np.float64:
        return np.empty  # the least to do in a call
    make = np.empty if start is None else partial(np.full, fill_value=start) if start else np.zeros
    return partial(make, dtype=dtype)


def _with_errors(run: Run) -> Run:
    """The function, with what its helpers refuse as our error."""

    def with_errors(*arguments: Any) -> tuple[Any, ...]:
        try:
            return run(*arguments)
        except ValueError as error:
            raise DomainError(str(error)) from None

    return with_errors
