"""tensorcalc: formulas with vectors, matrices and tensors; their derivatives; compiled kernels.

>>> import tensorcalc as tc
>>> print(tc.diff("x'*A*x", "x"))
(A + A')*x

The public names are resolved on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tensorcalc._version import __version__ as __version__

if TYPE_CHECKING:
    from tensorcalc.api import (
        compile,
        diff,
        einsum,
        grad,
        hadamard,
        hessian,
        hvp,
        jacobian,
        jvp,
        matrix,
        parse,
        scalar,
        tensor,
        value_and_grad,
        vector,
        vjp,
    )
    from tensorcalc.errors import (
        DomainError,
        IndexNotationError,
        LimitError,
        ParseError,
        ShapeError,
        TensorcalcError,
        UnknownNameError,
    )
    from tensorcalc.expression import Expr
    from tensorcalc.kernel import Kernel
    from tensorcalc.limits import Limits, limits

_HOMES = {
    "api": (
        "compile diff einsum grad hadamard hessian hvp jacobian jvp matrix parse scalar tensor "
        "value_and_grad vector vjp"
    ),
    "errors": (
        "DomainError IndexNotationError LimitError ParseError ShapeError TensorcalcError "
        "UnknownNameError"
    ),
    "expression": "Expr",
    "kernel": "Kernel",
    "limits": "Limits limits",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

# functions of the language, of expressions: tc.exp(x), tc.sum(a, over="i")
_LANGUAGE = (
    "exp log log1p expm1 abs sign sin cos tan arcsin arccos arctan sinh cosh tanh sigmoid softplus "
    "relu erf lgamma digamma polygamma max min where sqrt sum mean tr diag norm1 norm2 normF inv "
    "det logdet outer rows cols len eye"
).split()

__all__ = [*sorted([*_HOME, *_LANGUAGE]), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"tensorcalc.{_HOME[name]}"), name)
    elif name in _LANGUAGE:
        value = import_module("tensorcalc.expression").function(name)
    else:
        raise AttributeError(f"module 'tensorcalc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Some modules are called like the public function in them (`parse`, `limits`).

    Importing a submodule sets it as an attribute of the package; the public name must win.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
