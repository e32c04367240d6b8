"""The operations of a loop program as Python text, and where their functions come from."""

from __future__ import annotations

# operation: its text; `number` is the kernel's float type, and converts to it
TEMPLATES: dict[str, str] = {
    "size": "number({0})",
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "quotient": "{0} // {1}",
    "remainder": "{0} % {1}",
    "delta": "number(1.0) if {0} == {1} else number(0.0)",
    "inside": "0 <= {0} < {1}",
    "select": "{1} if {0} else {2}",
    "range": "number({0} + {1})",
    "lt": "number(1.0) if {0} < {1} else number(0.0)",
    "le": "number(1.0) if {0} <= {1} else number(0.0)",
    "gt": "number(1.0) if {0} > {1} else number(0.0)",
    "ge": "number(1.0) if {0} >= {1} else number(0.0)",
    "where": "{1} if {0} != number(0.0) else {2}",
    "abs": "abs({0})",
}

# operation: the function that computes it, of `kernels/elementwise.py` or of `math`
ELEMENTWISE: dict[str, str] = {
    name: name
    for name in (
        "exp log log1p expm1 sin cos tanh sigmoid softplus erf relu sign lgamma digamma"
        " polygamma".split()
    )
} | {"max": "maximum", "min": "minimum", "norm_power": "norm_power", "pow": "power"}
MATH: dict[str, str] = {name: name for name in "sqrt tan sinh cosh".split()} | {
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
}

# how a loop joins one more value: the function of `kernels/elementwise.py`
JOIN = {"add": "accumulate", "max": "larger", "min": "smaller"}

# of `kernels/linalg.py`
LINALG: dict[str, str] = {
    "inv": "inv", "det": "det", "logdet": "logdet", "norm2": "norm", "normF": "norm",
    "power": "matrix_power", "expm": "expm",
}  # fmt: skip

# of `kernels/factor.py`
FACTORED: dict[str, str] = {
    "inv": "factor_inverse", "det": "factor_det", "logdet": "factor_logdet",
    "solve": "factor_solve", "solve_transposed": "factor_solve",
}  # fmt: skip
