"""The rewrites that were used, by name: passes note what they change, `noted` hands it over.

Only `steps.py` listens; without a listener a note costs next to nothing. Beside the line of passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tensorcalc.ir import Node


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A change that a pass made: the name of its rule, and the node before and after it."""

    name: str
    before: Node
    after: Node


_NOTES: ContextVar[list[Rewrite] | None] = ContextVar("tensorcalc_rewrites", default=None)


@contextmanager
def noted() -> Iterator[list[Rewrite]]:
    """Within, the rewrites that are used are collected, in order."""
    found: list[Rewrite] = []
    token = _NOTES.set(found)
    try:
        yield found
    finally:
        _NOTES.reset(token)


def note(name: str, before: Node, after: Node | None) -> Node | None:
    """Note a rewrite, if there was one; `after` again."""
    if after is not None and after is not before:
        notes = _NOTES.get()
        if notes is not None:
            notes.append(Rewrite(name, before, after))
    return after
