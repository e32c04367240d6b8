"""NumPy's einsum subscripts -> labels per operand and of the output.

Both of NumPy's forms: a string, and operands interleaved with lists of integers. Axes under an
ellipsis broadcast as NumPy's do, from the right and where an axis has size 1; an axis under a
letter never does.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError, IndexNotationError, LimitError, ShapeError, Span

Labels = tuple[str, ...]
Size = int | Dim

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
MORE_LETTERS = 0x4E00  # further letters, which sort after those of `LETTERS`
MAX_LETTERS = 20_000
KIND = attrgetter(
    "__class__", "shape", "dtype", "flags.num"
)  # of an array: what decides on its code
DOTS = "…"  # what labels of axes under an ellipsis start with


def parse_einsum(
    equation: str, shapes: Sequence[Sequence[Size]], span: Span | None = None
) -> tuple[list[Labels], Labels]:
    """The labels of ``"ij,j->i"``; axes under an ellipsis are ``…0``, ``…1``, from the right.

    Without an arrow the output is NumPy's: ellipsis axes, then the labels that occur once, sorted.

    >>> parse_einsum("...ij,j", [(2, 3, 4), (4,)])
    ([('…0', 'i', 'j'), ('j',)], ('…0', 'i'))
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ShapeError(
            f"the subscripts name {len(terms)} operands, {len(shapes)} are given", span
        )
    labels = [_labels(term, len(shape), span) for term, shape in zip(terms, shapes, strict=True)]
    ellipsis = sorted({a for own in labels for a in own if a[0] == DOTS}, key=lambda a: -int(a[1:]))
    counts = Counter(a for own in labels for a in own)
    if arrow:
        head, dots, tail = right.partition("...")
        _check_letters(head + tail, span)
        output = (*head, *(ellipsis if dots else ()), *tail)
    else:
        once = sorted(a for a, count in counts.items() if count == 1 and a[0] != DOTS)
        output = (*ellipsis, *once)
    for label in output:
        if label not in counts:
            raise IndexNotationError(f"the output label {_shown(label)} is in no operand", span)
        if output.count(label) > 1:
            raise IndexNotationError(f"the output label {_shown(label)} stands twice", span)
    return _broadcast(labels, shapes) if ellipsis else labels, output


def _labels(term: str, rank: int, span: Span | None) -> Labels:
    head, dots, tail = term.partition("...")
    _check_letters(head + tail, span)
    hidden = rank - len(head) - len(tail)
    if hidden < 0 or (hidden and not dots):
        shown = "".join(map(_shown, head)) + dots + "".join(map(_shown, tail))
        raise ShapeError(
            f"the subscripts `{shown}` name {len(head) + len(tail)} axes, the operand has {rank}",
            span,
        )
    return (*head, *(f"{DOTS}{k}" for k in reversed(range(hidden))), *tail)


FIRST_SYMBOL = 192  # from here on opt_einsum takes every character for a label: `get_symbol`


def _check_letters(letters: str, span: Span | None) -> None:
    for letter in letters:
        if not letter.isalpha() and ord(letter) < FIRST_SYMBOL:
            hint = "an ellipsis is `...`, once in a term" if letter == "." else "labels are letters"
            raise IndexNotationError(f"{letter!r} is not a letter", span, hint)


def _broadcast(labels: Sequence[Labels], shapes: Sequence[Sequence[Size]]) -> list[Labels]:
    """An ellipsis axis of size 1 beside a larger one gets a label of its own: a sum of one term.

    A size that is still to be inferred is that of the axis it meets.
    """
    large = {
        label
        for own, shape in zip(labels, shapes, strict=True)
        for label, size in zip(own, shape, strict=True)
        if label[0] == DOTS and not _is_one(size)
        and not (isinstance(size, Dim) and size.is_inferred)
    }  # fmt: skip
    return [
        tuple(
            f"{label}.{k}" if label in large and _is_one(size) else label
            for label, size in zip(own, shape, strict=True)
        )
        for k, (own, shape) in enumerate(zip(labels, shapes, strict=True))
    ]


def _is_one(size: Size) -> bool:
    return size == Dim.of(1) if isinstance(size, Dim) else size == 1


# ── operands interleaved with their labels ───────────────────────────────────────────────────


def uninterleave(arguments: Sequence[Any]) -> tuple[str, list[Any]]:
    """Subscripts and operands of ``einsum(A, [0, 1], x, [1], [0])``.

    Labels are integers from 0, or an Ellipsis, as in NumPy; there they end at 51.

    >>> uninterleave(["A", [0, 1], "x", [1], [0]])
    ('AB,B->A', ['A', 'x'])
    """
    if len(arguments) < 2:
        raise DomainError(
            "einsum takes its subscripts and its operands",
            None,
            'write `einsum("ij,j->i", A, x)` or `einsum(A, [0, 1], x, [1], [0])`',
        )
    pairs = len(arguments) // 2 * 2
    terms = [_term(arguments[k]) for k in range(1, pairs, 2)]
    equation = ",".join(terms)
    if len(arguments) > pairs:
        equation += "->" + _term(arguments[-1])
    return equation, [arguments[k] for k in range(0, pairs, 2)]


def _term(labels: Any) -> str:
    try:
        return "".join(
            [
                "..." if label is Ellipsis
                else LETTERS[label] if type(label) is int and 0 <= label < len(LETTERS)
                else _letter(operator.index(label))
                for label in labels
            ]
        )  # fmt: skip
    except TypeError:
        raise DomainError(
            "the labels of an operand are a list of integers, or an Ellipsis among them",
            None,
            'write `einsum(A, [0, 1], x, [1], [0])` or `einsum("ij,j->i", A, x)`',
        ) from None


def _letter(number: int) -> str:
    """The letter that an integer label stands for.

    >>> _letter(0), _letter(26), _letter(51)
    ('A', 'a', 'z')
    """
    if number < 0:
        raise IndexNotationError(f"{number} is no label", None, "labels are integers from 0")
    if number < len(LETTERS):
        return LETTERS[number]
    if number >= MAX_LETTERS:
        raise LimitError(f"a label is an integer below {MAX_LETTERS}")
    return chr(MORE_LETTERS + number - len(LETTERS))


def _shown(letter: str) -> str:
    """A label in a message; a letter that stands for a large integer as that."""
    number = ord(letter[0]) - MORE_LETTERS
    if letter[0] == DOTS:
        return "..."
    return f"[{number + len(LETTERS)}]" if 0 <= number < MAX_LETTERS else letter
