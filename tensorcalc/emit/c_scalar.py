"""The operations, sizes and numbers of a loop program as text in C, with how tightly each binds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tensorcalc.dims import Dim

INDENT = "    "
Text = tuple[str, int]  # an expression and how tightly it binds

CHOICE, EQUAL, COMPARISON, SUM, PRODUCT, SIGN, ATOM = range(7)


@dataclass(frozen=True, slots=True)
class Form:
    """A template, how tightly it binds, and how tightly its operands have to."""

    template: str
    binds: int
    needs: tuple[int, ...]


# operation: its form. Sums and products are taken apart from the left only, as they round.
FORMS: dict[str, Form] = {
    "size": Form("(double){0}", SIGN, (ATOM,)),
    "add": Form("{0} + {1}", SUM, (SUM, PRODUCT)),
    "sub": Form("{0} - {1}", SUM, (SUM, PRODUCT)),
    "mul": Form("{0} * {1}", PRODUCT, (PRODUCT, SIGN)),
    "div": Form("{0} / {1}", PRODUCT, (PRODUCT, SIGN)),
    "neg": Form("-{0}", SIGN, (ATOM,)),
    "quotient": Form("{0} / {1}", PRODUCT, (PRODUCT, SIGN)),
    "remainder": Form("{0} % {1}", PRODUCT, (PRODUCT, SIGN)),
    "delta": Form("{0} == {1} ? 1.0 : 0.0", CHOICE, (SUM, SUM)),
    "inside": Form("(0 <= {0} && {0} < {1})", ATOM, (SUM, SUM)),
    "select": Form("{0} ? {1} : {2}", CHOICE, (EQUAL, EQUAL, EQUAL)),
    "range": Form("(double)({0} + {1})", SIGN, (SUM, PRODUCT)),
    "lt": Form("{0} < {1} ? 1.0 : 0.0", CHOICE, (SUM, SUM)),
    "le": Form("{0} <= {1} ? 1.0 : 0.0", CHOICE, (SUM, SUM)),
    "gt": Form("{0} > {1} ? 1.0 : 0.0", CHOICE, (SUM, SUM)),
    "ge": Form("{0} >= {1} ? 1.0 : 0.0", CHOICE, (SUM, SUM)),
    "where": Form("{0} != 0.0 ? {1} : {2}", CHOICE, (SUM, EQUAL, EQUAL)),
}
# operations of indices, if all they are given are such
OF_INDICES = frozenset({"add", "sub", "mul", "quotient", "remainder"})

# operation: the function that computes it, of <math.h> …
LIBRARY: dict[str, str] = {
    name: name
    for name in (
        "exp log log1p expm1 sin cos tan sinh cosh tanh sqrt erf lgamma pow".split()
    )
} | {"abs": "fabs", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}  # fmt: skip
# … or of `c_helpers.py`
HELPED: dict[str, str] = {
    "sigmoid": "sigmoid", "softplus": "softplus", "relu": "relu", "sign": "sign",
    "digamma": "digamma", "polygamma": "polygamma", "norm_power": "norm_power",
    "max": "maximum", "min": "minimum",
}  # fmt: skip

# of functions of whole matrices, the helper that is called with the factors …
FACTORED: dict[str, str] = {"det": "factor_det", "logdet": "factor_logdet", "inv": "factor_inverse"}
# … and what is computed from a matrix itself
SERIES = {"power": 4, "expm": 8}  # the matrices that these need room for
NORMS = frozenset({"norm2", "normF"})

NAMED = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
NAMED |= {f"{sign}{sys.float_info.max!r}": f"{sign}DBL_MAX" for sign in ("", "-")}


def size(dim: Dim, name: Callable[[str], str]) -> Text:
    """A size as an expression.

    >>> size(Dim.of("m") * Dim.of("n") * 2 + 1, str)
    ('2 * m * n + 1', 3)
    """
    text = ""
    for names, number in sorted(dim.terms, key=lambda term: (term[1] < 0, not term[0])):
        factors = [str(abs(number))] * (abs(number) != 1 or not names) + [name(n) for n in names]
        sign = " - " if number < 0 else " + "
        text = f"{text}{sign if text else sign.strip(' +')}{' * '.join(factors)}"
    if len(dim.terms) > 1 or text.startswith("-"):
        return text, SUM
    return text or "0", PRODUCT if " " in text else ATOM


def fitted(expression: Text, place: int) -> str:
    """The text of an expression where it has to bind as tightly as this."""
    text, binds = expression
    return text if binds >= place else f"({text})"


def number(value: object) -> Text:
    """A number as C reads it back."""
    text = repr(float(value))  # type: ignore[arg-type]
    text = NAMED.get(text, text)
    return text, SIGN if text.startswith("-") else ATOM
