"""A program in, the parts that run one after the other out: steps on the host, and compiled parts.

A part takes all arguments of the program and what it needs of earlier parts; its results are what
is needed after it. A pass for several threads is a part of its own. Comes after `plan`, before
`emit`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from tensorcalc.plan.memory import touched
from tensorcalc.plan.program import Host, Pass, Program, Step, flat


def segments(program: Program) -> list[Program | Host]:
    """The program's parts; only itself if there is nothing to cut."""
    if not any(_stands_alone(step) for step in program.steps):
        return [program]
    parts: list[Program | Host] = []
    done = 0
    for _, group in groupby(
        enumerate(program.steps), lambda item: item[0] if _stands_alone(item[1]) else -1
    ):
        steps = tuple([step for _, step in group])
        done += len(steps)
        hosted = [step for step in steps if isinstance(step, Host)]
        parts += hosted or [_part(program, steps, program.steps[done:])]
    return parts


def _stands_alone(step: Step) -> bool:
    return isinstance(step, Host) or (isinstance(step, Pass) and bool(step.ranges))


def _part(program: Program, steps: tuple[Step, ...], later: tuple[Step, ...]) -> Program:
    """The program of some consecutive steps."""
    buffers = (*program.temporaries, *program.results)
    made = {name for step in steps for name in step.outputs}
    used = {name for step in steps for name in touched(step)}
    inside = {name for step in flat(steps) if isinstance(step, Pass) for name in step.local}
    wanted = {name for step in later for name in touched(step)}
    wanted |= {buffer.name for buffer in program.results}
    results = tuple([b for b in buffers if b.name in made & wanted])
    return replace(
        program,
        arguments=(*program.arguments, *[b for b in buffers if b.name in used - made - inside]),
        temporaries=tuple([b for b in buffers if b.name in (made | inside) - wanted]),
        results=results,
        outputs=tuple([buffer.name for buffer in results]),
        steps=steps,
        ranged=any(isinstance(step, Pass) and bool(step.ranges) for step in steps),
    )
