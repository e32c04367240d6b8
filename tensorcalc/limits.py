"""Named limits: changes in, the limits in force out. Read by every pass that could run away.

A text that passes a limit gives a `LimitError` that names it, never a hang. Most limits bound what
a text says; `steps` bounds what a pass makes of it: a pass is `metered`, and tells by `spend` what
it does where a short text could make that much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import ParamSpec, TypeVar

from tensorcalc.errors import LimitError

MOST_DIGITS = 1_000  # Python itself refuses to read or write integers of some thousand digits

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an input, and what is made of it, may be.

    Attributes
    ----------
    text_length
        Characters of a program.
    tokens
        Names, numbers, operators and brackets of a program.
    nesting
        Brackets open at the same time; signs, powers and transposes in a row.
    terms
        Terms of one sum, factors of one product, statements of a program.
    literal_digits
        Digits of a number as written, and the largest power of ten in it.
    size
        Largest size of an axis that is a number.
    size_names
        Names in one size: ``m*n + 1`` has two.
    rank
        Axes of a tensor.
    derivative_order
        How often a derivative is taken.
    exponent
        Largest exponent that is a number.
    steps
        Steps of one pass: nodes made, operands put in order. 100,000 take about a second.
    """

    text_length: int = 2_000_000
    tokens: int = 600_000
    nesting: int = 100_000
    terms: int = 200_000
    literal_digits: int = 400
    size: int = 2**63 - 1
    size_names: int = 1_000
    rank: int = 32
    derivative_order: int = 10
    exponent: int = 2**31
    steps: int = 600_000


_CURRENT: ContextVar[Limits] = ContextVar("tensorcalc_limits", default=Limits())
_LEFT: ContextVar[list[int] | None] = ContextVar("tensorcalc_steps_left", default=None)


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
        if name == "literal_digits" and value > MOST_DIGITS:
            raise TypeError(f"the limit literal_digits is at most {MOST_DIGITS}, not {value}")
    token = _CURRENT.set(replace(_CURRENT.get(), **changes))
    try:
        yield _CURRENT.get()
    finally:
        _CURRENT.reset(token)


def metered(entry: Callable[P, T]) -> Callable[P, T]:
    """A pass whose steps are counted; inside of another one they are that one's."""

    @wraps(entry)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if _LEFT.get() is not None:
            return entry(*args, **kwargs)
        token = _LEFT.set([current().steps])
        try:
            return entry(*args, **kwargs)
        finally:
            _LEFT.reset(token)

    return run


def attempt(steps: int, work: Callable[[], T], instead: T) -> T:
    """What `work` gives if that takes no more than so many steps, else `instead`.

    For what makes a result nicer: a limit on beauty must not refuse the result.

    >>> attempt(99, lambda: spend(100) or "nice", "plain")
    'plain'
    """
    token = _LEFT.set([steps])
    try:
        return work()
    except LimitError:
        return instead
    finally:
        _LEFT.reset(token)


def spend(steps: int) -> None:
    """Count steps of the pass that is running.

    >>> @metered
    ... def work(rounds):
    ...     for _ in range(rounds):
    ...         spend(10)
    >>> work(10)
    >>> with limits(steps=99):
    ...     work(10)
    Traceback (most recent call last):
    ...
    tensorcalc.errors.LimitError: this takes more than 99 steps (limit steps)
    """
    left = _LEFT.get()
    if left is None:
        return
    left[0] -= steps
    if left[0] < 0:
        raise LimitError(f"this takes more than {current().steps} steps (limit steps)")
