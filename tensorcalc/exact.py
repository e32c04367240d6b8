"""Arithmetic of exact numbers: functions of fractions that are fractions, else None."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from tensorcalc.errors import LimitError
from tensorcalc.limits import current as limits

MAX_EXACT_BITS = 1024  # longer fractions are rounded to a float's value

# functions of exact arguments that are exact themselves
EXACT: dict[tuple[str, Fraction], Fraction] = {
    (name, Fraction(x)): Fraction(y)
    for name, x, y in [
        ("exp", 0, 1), ("log", 1, 0), ("log1p", 0, 0), ("expm1", 0, 0), ("sin", 0, 0),
        ("cos", 0, 1), ("tan", 0, 0), ("arcsin", 0, 0), ("arctan", 0, 0), ("sinh", 0, 0),
        ("cosh", 0, 1), ("tanh", 0, 0), ("erf", 0, 0), ("lgamma", 1, 0), ("lgamma", 2, 0),
    ]
}  # fmt: skip
RATIONAL: dict[str, Callable[..., Fraction | int]] = {
    "abs": abs,
    "sign": lambda x: (x > 0) - (x < 0),
    "relu": lambda x: max(x, Fraction(0)),
    "max": max,
    "min": min,
    "lt": lambda x, y: int(x < y),
    "le": lambda x, y: int(x <= y),
    "gt": lambda x, y: int(x > y),
    "ge": lambda x, y: int(x >= y),
}


def exact(value: Fraction) -> Fraction:
    """The number itself, or the nearest float if its digits have grown out of hand."""
    if value.numerator.bit_length() + value.denominator.bit_length() <= MAX_EXACT_BITS:
        return value
    try:
        rounded = Fraction(float(value))
    except OverflowError:
        rounded = Fraction(0)
    if rounded:
        return rounded
    most = 2 * limits().literal_digits  # beyond floats: as many digits, and not much further
    if max(abs(value), 1 / abs(value)) > 10**most:
        raise LimitError(f"a number is beyond 10^{most} or 10^-{most} (limit literal_digits)")
    unit = Fraction(2) ** (value.numerator.bit_length() - value.denominator.bit_length() - 64)
    return round(value / unit) * unit


def exact_function(function: str, values: Sequence[Fraction]) -> Fraction | None:
    """The value of a function of `functions.py` where it is rational, else None."""
    if function in RATIONAL:
        return Fraction(RATIONAL[function](*values))
    return EXACT.get((function, values[0])) if len(values) == 1 else None


def exact_power(value: Fraction, p: Fraction) -> Fraction | None:
    """``value^p`` where it is rational and not too long, else None."""
    if p.denominator == 2 and value > 0:
        roots = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if (roots[0] ** 2, roots[1] ** 2) != (value.numerator, value.denominator):
            return None
        value, p = Fraction(*roots), 2 * p
    if p.denominator != 1 or (value == 0 and p < 0):
        return None
    bits = value.numerator.bit_length() + value.denominator.bit_length()
    return value ** int(p) if bits * abs(p) <= MAX_EXACT_BITS else None
