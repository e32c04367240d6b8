"""A program with passes for several threads in, what runs its parts out. Serves `driver.py`.

Every array is made before the first part runs. A pass runs range by range of its index: what has
the index for an axis is one array that each range fills at its place; what is summed over it, or
joined by another operation, is an array or number for each range, and these are joined in order.
So results depend on the number of threads alone, not on which of them was first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np

from tensorcalc.emit.driver import Run, Step, emitted, maker, owner
from tensorcalc.emit.pool import one_blas_thread, run as run_tasks
from tensorcalc.plan.program import Blas, Call, Pass, Program, flat, work_of

JOIN = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def around(program: Program) -> Callable[[], AbstractContextManager[None]]:
    """What a call of the program stands in: BLAS has one thread if passes are most of the work.

    Its threads go on to turn for a while after a product, which would slow the next pass down.
    """
    passes = [step for step in program.steps if isinstance(step, Pass) and step.ranges]
    return one_blas_thread if 2 * work_of(passes) > work_of(program.steps) else nullcontext


def memory(program: Program, dtype: np.dtype[Any]) -> Step:
    """What makes all arrays of the program that its parts are given."""
    buffers = [b for b in (*program.temporaries, *program.results) if b.shape]
    made = [(b.name, maker(b.start, dtype), b.shape) for b in buffers if b.memory is None]
    shared = [(b.name, owner(b.name, program)) for b in buffers if b.memory is not None]

    def make(known: dict[str, Any]) -> None:
        for name, new, shape in made:
            known[name] = new(shape)
        for name, other in shared:
            known[name] = known[other]

    return make


def threaded(part: Program, dtype: np.dtype[Any]) -> Step:
    """What runs a part, and enters its numbers beside what is known."""
    run = emitted(part, dtype)
    names = [buffer.name for buffer in (*part.arguments, *part.passed)]
    numbers = [buffer.name for buffer in part.results]

    def once(known: dict[str, Any]) -> None:
        found = run(*[known[name] for name in names])
        known.update(zip(numbers, found, strict=True))

    return _ranged(part, run, names, numbers, dtype) if part.ranged else once


def _ranged(
    part: Program, run: Run, names: Sequence[str], numbers: Sequence[str], dtype: np.dtype[Any]
) -> Step:
    """What runs a pass in ranges."""
    (step,) = part.steps
    if not isinstance(step, Pass):
        raise AssertionError("only a pass has ranges")
    joined = dict(step.joined)
    calls_blas = any(isinstance(inner, Blas | Call) for inner in flat(step.steps))
    arrays = [
        (names.index(b.name), maker(b.start, dtype), b.shape, JOIN[joined[b.name]])
        for b in part.passed
        if b.name in joined
    ]
    joins = [JOIN[joined[name]] if name in joined else None for name in numbers]

    def compute(known: dict[str, Any]) -> None:
        first = [known[name] for name in names]
        given = [first]
        for _ in step.ranges[1:]:
            own = list(first)
            for place, make, shape, _ in arrays:
                own[place] = make(shape)
            given.append(own)
        found: list[list[Any]] = [[None] * (len(stops) - 1) for stops in step.ranges]

        def task(k: int, n: int) -> None:
            start, stop = step.ranges[k][n : n + 2]
            found[k][n] = run(*given[k], start, stop)

        tasks = [
            [partial(task, k, n) for n in range(len(stops) - 1)]
            for k, stops in enumerate(step.ranges)
        ]
        with one_blas_thread() if calls_blas else nullcontext():
            run_tasks(tasks, step.threads)
        with np.errstate(all="ignore"):
            for own in given[1:]:
                for place, _, _, function in arrays:
                    function(first[place], own[place], out=first[place])
            for place, join in enumerate(joins):
                values = [dtype.type(each[place]) for of_range in found for each in of_range]
                known[numbers[place]] = values[0] if join is None else join.reduce(values)

    return compute
