"""Buffers and steps in, the buffers out: one that is dead gives its memory to a later one.

Equal extents only, so nothing depends on the number of a size. A buffer may take over the memory of
one that is read for the last time in the very loop that writes it, entry by entry. Used by `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tensorcalc.plan.program import (
    Blas,
    Buffer,
    Call,
    Host,
    Load,
    Nest,
    Pass,
    Step,
    Store,
    flat,
    statements,
)

Around = tuple[Pass, int, int]  # a pass, the number of its first step and of its last


def share(buffers: Sequence[Buffer], steps: Sequence[Step]) -> list[Buffer]:
    """The buffers (temporaries before results) with `Buffer.memory` filled in."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    order: list[Step] = []
    for step, around in _places(steps, [], order):
        for name in touched(step):
            inside = [k for k, (found, _, _) in enumerate(around) if name in found.local]
            span = around[inside[-1] + 1 if inside else 0 :]
            begin, end = span[0][1:] if span else (len(order) - 1, len(order) - 1)
            first.setdefault(name, begin)
            last[name] = max(end, last.get(name, 0))
    for buffer in buffers:
        if buffer.name.startswith("o"):
            last[buffer.name] = len(order)  # a result outlives the program
    owner: dict[str, str] = {}  # the buffer that allocated a buffer's memory
    free: dict[str, Buffer] = {}  # who is in the memory of an owner now
    made = {}
    for buffer in sorted(buffers, key=lambda b: first.get(b.name, 0)):
        memory = None
        if buffer.extents and buffer.start is None and buffer.name in first:
            for place, other in free.items():
                if other.extents == buffer.extents and _may_follow(
                    buffer.name, first[buffer.name], other.name, last[other.name], order
                ):
                    memory = place
                    break
        made[buffer.name] = replace(buffer, memory=memory)
        owner[buffer.name] = memory or buffer.name
        if buffer.extents and buffer.name in last:
            free[owner[buffer.name]] = buffer
    return [made[buffer.name] for buffer in buffers]


def _places(
    steps: Sequence[Step], around: list[Around], order: list[Step]
) -> Iterator[tuple[Step, list[Around]]]:
    """Every step that is no pass, entered into `order`, and the passes around it, outermost first.

    What is not local to a pass lives as long as the pass.
    """
    for step in steps:
        if isinstance(step, Pass):
            count = sum(not isinstance(inner, Pass) for inner in flat([step]))
            here = (step, len(order), len(order) + count - 1)
            yield from _places(step.steps, [*around, here], order)
        else:
            order.append(step)
            yield step, around


def _may_follow(name: str, first: int, other: str, last: int, steps: Sequence[Step]) -> bool:
    """Whether `other` is dead, entry by entry, before `name` is written."""
    if last != first:
        return last < first
    step = steps[first]
    return isinstance(step, Nest) and _is_pointwise(step, name, other)


def _is_pointwise(step: Nest, name: str, other: str) -> bool:
    """Whether the nest stores each entry once, after it has read the same entry of `other`."""
    found = [s for s in statements(step.body) if isinstance(s, Load | Store)]
    found = [s for s in found if s.buffer in (name, other)]
    *reads, write = found
    return (
        isinstance(write, Store)
        and write.buffer == name
        and write.operation is None
        and all(isinstance(s, Load) and s.buffer == other for s in reads)
        and {s.index for s in reads} == {write.index}
        and len(set(write.index)) == len(write.index)
    )


def touched(step: Step) -> list[str]:
    """The buffers that a step reads or writes."""
    match step:
        case Nest():
            return [s.buffer for s in statements(step.body) if isinstance(s, Load | Store)]
        case Blas():
            return [view.buffer for view in step.views]
        case Call():
            return [buffer for buffer, _ in (*step.sources, step.target)]
        case Host():
            return [*step.sources.values(), step.target]
        case Pass():
            return [name for inner in step.steps for name in touched(inner)]
