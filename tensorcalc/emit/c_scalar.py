"""The operations of a loop program as text in C, with how tightly each binds."""

from __future__ import annotations

from dataclasses import dataclass

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
NORMS = frozenset({"norm2", "normF"})
