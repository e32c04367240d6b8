"""NumPy's einsum subscripts -> labels per operand and of the output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tensorcalc.errors import IndexNotationError, ShapeError, Span


def parse_einsum(
    equation: str, ranks: Sequence[int], span: Span | None = None
) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """The labels of ``"ij,j->i"``; axes under an ellipsis are ``…0``, ``…1``, from the right.

    Without an arrow the output is NumPy's: ellipsis axes, then the labels that occur once, sorted.

    >>> parse_einsum("...ij,j", [3, 1])
    ([('…0', 'i', 'j'), ('j',)], ('…0', 'i'))
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ranks):
        raise ShapeError(f"the subscripts name {len(terms)} operands, {len(ranks)} are given", span)
    labels = [_labels(term, rank, span) for term, rank in zip(terms, ranks, strict=True)]
    ellipsis = sorted({a for own in labels for a in own if a[0] == "…"}, key=lambda a: -int(a[1:]))
    counts = Counter(a for own in labels for a in own)
    if not arrow:
        once = sorted(a for a, count in counts.items() if count == 1 and a[0] != "…")
        return labels, (*ellipsis, *once)
    head, dots, tail = right.partition("...")
    output = (*head, *(ellipsis if dots else ()), *tail)
    for label in output:
        if label not in counts:
            raise IndexNotationError(f"the output label {label} is in no operand", span)
        if output.count(label) > 1:
            raise IndexNotationError(f"the output label {label} stands twice", span)
    return labels, output


def _labels(term: str, rank: int, span: Span | None) -> tuple[str, ...]:
    head, dots, tail = term.partition("...")
    for letter in head + tail:
        if not letter.isalpha():
            raise IndexNotationError(f"{letter!r} is not a letter", span, "labels are letters")
    hidden = rank - len(head) - len(tail)
    if hidden < 0 or (hidden and not dots):
        raise ShapeError(
            f"the subscripts `{term}` name {len(head) + len(tail)} axes, the operand has {rank}",
            span,
        )
    return (*head, *(f"…{k}" for k in reversed(range(hidden))), *tail)
