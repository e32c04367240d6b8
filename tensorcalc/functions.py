"""The table of elementwise functions: their derivatives, domains, and names in every backend.

A derivative is written in the project's own language, in the arguments ``x``, ``y``, ``z``; it is
the only thing `differentiate.py` knows about a function. One line per function; sources are the
usual tables (Abramowitz and Stegun 4.2 to 4.5, 6.3, 6.4, 7.1). Kinks take the subgradient of least
norm, as LANGUAGE states: sign(0) = 0, relu'(0) = 0, ties of max and min share equally.
"""

from __future__ import annotations

from dataclasses import dataclass

ARGUMENTS = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Function:
    """One elementwise function.

    `derivatives` has one text per argument; None marks an argument it is not differentiable in.
    `domain` is the interval of arguments that `check` and the tests draw from.
    `numpy` and `latex` are templates with ``{0}``, ``{1}``, ``{2}`` for the arguments. `name` is
    what the rule is called, where that is not "derivative of …".
    """

    derivatives: tuple[str | None, ...]
    numpy: str
    latex: str
    domain: tuple[float, float] = (-2.0, 2.0)
    name: str | None = None

    @property
    def arity(self) -> int:
        """The number of arguments."""
        return len(self.derivatives)


FUNCTIONS: dict[str, Function] = {
    "exp": Function(("exp(x)",), "np.exp({0})", r"\exp\left({0}\right)"),
    "log": Function(("1/x",), "np.log({0})", r"\log\left({0}\right)", (0.2, 3.0)),
    "log1p": Function(("1/(1 + x)",), "np.log1p({0})", r"\log\left(1 + {0}\right)", (-0.8, 2.0)),
    "expm1": Function(("exp(x)",), "np.expm1({0})", r"\left(\exp\left({0}\right) - 1\right)"),
    "abs": Function(("sign(x)",), "np.abs({0})", r"\left|{0}\right|"),
    "sign": Function(("0",), "np.sign({0})", r"\operatorname{{sign}}\left({0}\right)"),
    "sin": Function(("cos(x)",), "np.sin({0})", r"\sin\left({0}\right)"),
    "cos": Function(("-sin(x)",), "np.cos({0})", r"\cos\left({0}\right)"),
    "tan": Function(("1 + tan(x)^2",), "np.tan({0})", r"\tan\left({0}\right)", (-1.2, 1.2)),
    "arcsin": Function(
        ("1/sqrt(1 - x^2)",), "np.arcsin({0})", r"\arcsin\left({0}\right)", (-0.9, 0.9)
    ),
    "arccos": Function(
        ("-1/sqrt(1 - x^2)",), "np.arccos({0})", r"\arccos\left({0}\right)", (-0.9, 0.9)
    ),
    "arctan": Function(("1/(1 + x^2)",), "np.arctan({0})", r"\arctan\left({0}\right)"),
    "sinh": Function(("cosh(x)",), "np.sinh({0})", r"\sinh\left({0}\right)"),
    "cosh": Function(("sinh(x)",), "np.cosh({0})", r"\cosh\left({0}\right)"),
    "tanh": Function(("1 - tanh(x)^2",), "np.tanh({0})", r"\tanh\left({0}\right)"),
    # sigmoid(-x) rather than 1 - sigmoid(x): exact to the last digit for large x
    "sigmoid": Function(
        ("sigmoid(x)*sigmoid(-x)",), "scipy.special.expit({0})", r"\sigma\left({0}\right)"
    ),
    "softplus": Function(
        ("sigmoid(x)",), "np.logaddexp(0, {0})", r"\operatorname{{softplus}}\left({0}\right)"
    ),
    "relu": Function(
        ("where(x > 0, 1, 0)",), "np.maximum({0}, 0)", r"\operatorname{{relu}}\left({0}\right)"
    ),
    "erf": Function(
        ("2/sqrt(pi)*exp(-x^2)",), "scipy.special.erf({0})", r"\operatorname{{erf}}\left({0}\right)"
    ),
    "lgamma": Function(
        ("digamma(x)",), "scipy.special.gammaln({0})", r"\log\Gamma\left({0}\right)", (0.5, 4.0)
    ),
    "digamma": Function(
        ("polygamma(1, x)",), "scipy.special.digamma({0})", r"\psi\left({0}\right)", (0.5, 4.0)
    ),
    "polygamma": Function(
        (None, "polygamma(x + 1, y)"),
        "scipy.special.polygamma({0}, {1})",
        r"\psi^{{({0})}}\left({1}\right)",
        (0.5, 4.0),
    ),
    # x^y, entry by entry; sqrt(x) is pow(x, 1/2) and 1/x is pow(x, -1)
    "pow": Function(
        ("y*x^(y - 1)", "x^y*log(x)"), "{0}**{1}", "{0}^{{{1}}}", (0.3, 2.5), "power rule"
    ),
    "max": Function(
        ("(1 + sign(x - y))/2", "(1 - sign(x - y))/2"),
        "np.maximum({0}, {1})",
        r"\max\left({0}, {1}\right)",
    ),
    "min": Function(
        ("(1 - sign(x - y))/2", "(1 + sign(x - y))/2"),
        "np.minimum({0}, {1})",
        r"\min\left({0}, {1}\right)",
    ),
    # not a function of a complex variable that has a derivative; of real ones it is not there
    "conj": Function((None,), "np.conj({0})", r"\overline{{{0}}}"),
    # comparisons are 1 where true, else 0
    "lt": Function(("0", "0"), "1.0 * ({0} < {1})", "{0} < {1}"),
    "le": Function(("0", "0"), "1.0 * ({0} <= {1})", r"{0} \le {1}"),
    "gt": Function(("0", "0"), "1.0 * ({0} > {1})", "{0} > {1}"),
    "ge": Function(("0", "0"), "1.0 * ({0} >= {1})", r"{0} \ge {1}"),
    "where": Function(
        ("0", "where(x, 1, 0)", "where(x, 0, 1)"),
        "np.where(({0}) != 0, {1}, {2})",
        r"\operatorname{{where}}\left({0}, {1}, {2}\right)",
    ),
}

# how a comparison is written
COMPARISONS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
OPERATORS = {function: operator for operator, function in COMPARISONS.items()}
