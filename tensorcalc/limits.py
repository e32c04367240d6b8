"""Named limits: changes in, the limits in force out. Read by every pass that could run away.

A text that passes a limit gives a `LimitError` that names it, never a hang.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an input, and what is made of it, may be.

    Attributes
    ----------
    text_length
        Characters of a program.
    nesting
        Brackets open at the same time.
    terms
        Terms of one sum, factors of one product, statements of a program.
    literal_digits
        Digits of a number as written, and the largest power of ten in it.
    rank
        Axes of a tensor.
    derivative_order
        How often a derivative is taken.
    exponent
        Largest exponent that is a number.
    """

    text_length: int = 2_000_000
    nesting: int = 100_000
    terms: int = 200_000
    literal_digits: int = 400
    rank: int = 32
    derivative_order: int = 10
    exponent: int = 2**31


_CURRENT: ContextVar[Limits] = ContextVar("tensorcalc_limits", default=Limits())


def current() -> Limits:
    """The limits in force in this thread or task."""
    return _CURRENT.get()


@contextmanager
def limits(**changes: int) -> Iterator[Limits]:
    """Change limits for the length of a ``with`` block.

    >>> with limits(rank=4) as changed:
    ...     current().rank, changed.rank
    (4, 4)
    >>> current().rank
    32
    """
    known = [field.name for field in fields(Limits)]
    for name, value in changes.items():
        if name not in known:
            raise TypeError(f"no limit is called {name!r}; the limits are {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise TypeError(f"the limit {name} must be an integer from 0, not {value!r}")
    token = _CURRENT.set(replace(_CURRENT.get(), **changes))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)
