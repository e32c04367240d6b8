"""Values in; the indices that are summed inside them out, which must not stand outside."""

from __future__ import annotations

from collections.abc import Sequence

from tensorcalc.errors import MAX_QUOTED, IndexNotationError, Span, quote
from tensorcalc.value.operand import Value


def check_scopes(values: Sequence[Value], span: Span | None) -> dict[str, Span | None]:
    """All implicit sums of `values`; an index summed in one must not be free in another."""
    summed: dict[str, Span | None] = {}
    for value in values:
        summed.update(value.summed)
    if summed:
        for value in values:
            for index in value.indices:
                if index in summed:
                    raise IndexNotationError(
                        f"index {index} is summed in an inner product and also stands outside it",
                        summed[index] or span,
                        _readings(index, summed[index], span),
                    )
    return summed


def _readings(index: str, inner: Span | None, outer: Span | None) -> str:
    """The two readings of an index that is summed inside and stands outside, to choose from."""
    if (
        inner is None or outer is None or not outer.text or inner.text != outer.text
        or not outer.start <= inner.start <= inner.end <= outer.end
        or outer.end - outer.start > MAX_QUOTED
    ):  # fmt: skip
        return (
            f"write `sum[{index}](…)` around the inner product to sum there, or "
            f"around the whole to keep {index} inside"
        )
    text = outer.text
    before, after = text[outer.start : inner.start], text[inner.end : outer.end]
    inside = f"{before}sum[{index}]({inner.source}){after}"
    return f"write `{quote(inside)}` to sum inside, or `sum[{index}]({outer.source})` to sum all"
