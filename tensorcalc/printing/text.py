"""Matrix expression -> the language's own matrix notation."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorcalc.functions import OPERATORS
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.printing.render import ATOM, PRODUCT, Style, Text, decimal, is_decimal, render


def to_text(x: Matrix) -> str:
    """The expression in matrix notation, which the parser reads back."""
    return render(x, STYLE)


def number(value: Fraction) -> Text:
    """A number as the language writes it."""
    if value < 0:
        text, _ = number(-value)
        return "-" + text, PRODUCT
    if is_decimal(value):
        return decimal(value), ATOM
    return f"{value.numerator}/{value.denominator}", PRODUCT


def _ones(entry: str, shape: str, size: str | None) -> str:
    arguments = f"{entry}, {size}" if size else entry
    if shape == "matrix":
        return f"matrix({arguments})"
    return f"vector({arguments})" + ("'" if shape == "row" else "")


def call(function: str, args: Sequence[str]) -> str:
    """A function of the language applied; a Frobenius norm is `norm2` of a matrix."""
    return f"{function}({', '.join(args)})"


STYLE = Style(
    group=lambda text: f"({text})",
    times="*",
    plus=" + ",
    minus=" - ",
    negative="-",
    name=lambda text, shape: text,
    number=number,
    eye=lambda size: f"eye({size})" if size else "eye",
    ones=_ones,
    rows=lambda table: f"[{'; '.join(', '.join(row) for row in table)}]",
    range_total=lambda counter, low, high, body: f"sum[{counter}={low}..{high}]({body})",
    hermitian=lambda text: text + "^H",
    entry=lambda text, subscripts: f"{text}[{','.join(subscripts)}]",
    transpose=lambda text: text + "'",
    power=lambda base, exponent, entrywise: f"{base}{'.^' if entrywise else '^'}{exponent}",
    root=lambda text: f"sqrt({text})",
    quotient=lambda top, bottom: f"{top}/{bottom}",
    over_is_group=False,
    hadamard=".*",
    divide_entries="./",
    compare=OPERATORS,
    call=call,
)
