"""Table: elementwise functions as SymPy and we write them. Used by `sympy_scalars` and the writers.

A function that one side has and the other has not is a formula there: `READ` is in our language, in
the arguments ``x`` and ``y``; `WRITTEN` in SymPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from tensorcalc.interop.libraries import library

# the classes of SymPy that are a function of ours, or a formula of it
READ = {
    "exp": "exp(x)",
    "log": "log(x)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "tan": "tan(x)",
    "cot": "1/tan(x)",
    "sec": "1/cos(x)",
    "csc": "1/sin(x)",
    "asin": "arcsin(x)",
    "acos": "arccos(x)",
    "atan": "arctan(x)",
    "acot": "arctan(1/x)",
    "asec": "arccos(1/x)",
    "acsc": "arcsin(1/x)",
    "sinh": "sinh(x)",
    "cosh": "cosh(x)",
    "tanh": "tanh(x)",
    "coth": "1/tanh(x)",
    "sech": "1/cosh(x)",
    "csch": "1/sinh(x)",
    "asinh": "sign(x)*log(abs(x) + sqrt(x^2 + 1))",
    "acosh": "log(x + sqrt(x - 1)*sqrt(x + 1))",
    "atanh": "(log1p(x) - log1p(-x))/2",
    "erf": "erf(x)",
    "erfc": "1 - erf(x)",
    "loggamma": "lgamma(x)",
    "polygamma": "polygamma(x, y)",
    "Abs": "abs(x)",
    "sign": "sign(x)",
    "Heaviside": "where(x > 0, 1, where(x < 0, 0, y))",
    "conjugate": "x",  # everything is real
    "re": "x",
    "im": "0*x",
    "Max": "max(x, y)",
    "Min": "min(x, y)",
}
# our functions, in SymPy's words
WRITTEN = {
    "exp": "exp(x)",
    "log": "log(x)",
    "log1p": "log(1 + x)",
    "expm1": "exp(x) - 1",
    "abs": "Abs(x)",
    "sign": "sign(x)",
    "sin": "sin(x)",
    "cos": "cos(x)",
    "tan": "tan(x)",
    "arcsin": "asin(x)",
    "arccos": "acos(x)",
    "arctan": "atan(x)",
    "sinh": "sinh(x)",
    "cosh": "cosh(x)",
    "tanh": "tanh(x)",
    "sigmoid": "1/(1 + exp(-x))",
    "softplus": "log(1 + exp(x))",
    "relu": "Max(0, x)",
    "erf": "erf(x)",
    "lgamma": "loggamma(x)",
    "digamma": "polygamma(0, x)",
    "polygamma": "polygamma(x, y)",
    "pow": "x**y",
    "max": "Max(x, y)",
    "min": "Min(x, y)",
    "conj": "conjugate(x)",
    "lt": "Piecewise((1, x < y), (0, True))",
    "le": "Piecewise((1, x <= y), (0, True))",
    "gt": "Piecewise((1, x > y), (0, True))",
    "ge": "Piecewise((1, x >= y), (0, True))",
}
ARGUMENTS = ("x", "y")


def written(function: str, arguments: Sequence[Any]) -> Any:
    """A function of ours of SymPy's scalars, in SymPy.

    >>> written("sigmoid", [0])  # doctest: +SKIP
    1/2
    """
    sympy = library("sympy", "sympy")
    if function == "where":
        condition, yes, no = arguments
        holds = _condition(sympy, condition)
        return sympy.Piecewise((yes, holds), (no, True))
    given = zip(ARGUMENTS, arguments, strict=False)
    known = {sympy.Symbol(name): sympy.sympify(value) for name, value in given}
    return _formula(function).xreplace(known)


@cache
def _formula(function: str) -> Any:
    return library("sympy", "sympy").parse_expr(WRITTEN[function])


def _condition(sympy: Any, value: Any) -> Any:
    """What must hold for a number not to be 0; a comparison's number says it itself."""
    if isinstance(value, sympy.Piecewise) and len(value.args) == 2:
        (one, holds), (zero, otherwise) = value.args
        if one == 1 and zero == 0 and otherwise == True:  # noqa: E712  (SymPy's true)
            return holds
    return sympy.Ne(value, 0)
