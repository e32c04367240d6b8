"""A program with steps on the host in, those steps and the parts that are compiled out, in order.

A part takes all arguments of the program and what it needs of earlier parts; its results are what
is needed after it. Comes after `plan`, before `emit`.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from tensorcalc.plan.memory import touched
from tensorcalc.plan.program import Host, Program, Step


def segments(program: Program) -> list[Program | Host]:
    """The program's parts; only itself if no step is on the host."""
    if not any(isinstance(step, Host) for step in program.steps):
        return [program]
    parts: list[Program | Host] = []
    done = 0
    for _, group in groupby(program.steps, lambda step: isinstance(step, Host)):
        steps = tuple(group)
        done += len(steps)
        hosted = [step for step in steps if isinstance(step, Host)]
        parts += hosted or [_part(program, steps, program.steps[done:])]
    return parts


def _part(program: Program, steps: tuple[Step, ...], later: tuple[Step, ...]) -> Program:
    """The program of some consecutive steps."""
    buffers = (*program.temporaries, *program.results)
    made = {name for step in steps for name in step.outputs}
    used = {name for step in steps for name in touched(step)}
    wanted = {name for step in later for name in touched(step)}
    wanted |= {buffer.name for buffer in program.results}
    results = tuple([b for b in buffers if b.name in made & wanted])
    return replace(
        program,
        arguments=(*program.arguments, *[b for b in buffers if b.name in used - made]),
        temporaries=tuple([b for b in buffers if b.name in made - wanted]),
        results=results,
        outputs=tuple([buffer.name for buffer in results]),
        steps=steps,
    )
