"""What has no derivative -> the same error with its place in the text. Used by `api.py`.

Nodes do not know where they were written, so the first function of that name in the program is
shown; an expression that was derived from another one has no text, and the error no place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tensorcalc.errors import DomainError, Span
from tensorcalc.syntax import Syntax


@contextmanager
def placed(program: Syntax) -> Iterator[None]:
    """Within, what has no derivative is an error that shows its place in `program`."""
    try:
        yield
    except DomainError as error:
        span = None if error.span else _place(program, error.words)
        if span is None:
            raise
        raise DomainError(error.message, span, error.hint, words=error.words) from None


def _place(program: Syntax, words: tuple[str, ...]) -> Span | None:
    """The first place of a text where one of the functions is called."""
    found: list[Span] = []
    stack = [program]
    while stack:
        syntax = stack.pop()
        stack.extend(syntax.children)
        if syntax.span.text and _is_written(syntax, words):
            found.append(syntax.span)
    return min(found, key=lambda span: span.start, default=None)


def _is_written(syntax: Syntax, words: tuple[str, ...]) -> bool:
    """Whether one of the functions stands here."""
    match syntax.kind:
        case "call" | "indexed_call" | "compare" | "power":
            return syntax.words[0] in words
        case "hermitian":
            return "^H" in words
        case "range_call":
            return "sum[r=…]" in words
    return False
