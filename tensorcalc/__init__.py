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

if TYPE_CHECKING:  # the same names for type checkers; `as` says that they are exported
    from collections.abc import Callable

    from tensorcalc.api import (
        compile as compile,
        diff as diff,
        differential as differential,
        grad as grad,
        hessian as hessian,
        hvp as hvp,
        jacobian as jacobian,
        jvp as jvp,
        parse as parse,
        steps as steps,
        to_code as to_code,
        value_and_grad as value_and_grad,
        vjp as vjp,
    )
    from tensorcalc.construct import (
        block as block,
        commutation as commutation,
        counter as counter,
        delta as delta,
        divide as divide,
        einsum as einsum,
        eps as eps,
        eye as eye,
        function as function,
        hadamard as hadamard,
        matrix as matrix,
        power as power,
        scalar as scalar,
        tensor as tensor,
        vector as vector,
    )
    from tensorcalc.errors import (
        DomainError as DomainError,
        IndexNotationError as IndexNotationError,
        KindError as KindError,
        LimitError as LimitError,
        ParseError as ParseError,
        ShapeError as ShapeError,
        TensorcalcError as TensorcalcError,
        UnknownNameError as UnknownNameError,
    )
    from tensorcalc.expression import Expr as Expr
    from tensorcalc.kernel import Kernel as Kernel
    from tensorcalc.limits import (
        Limits as Limits,
        limits as limits,
    )
    from tensorcalc.threads import threads as threads

    pi: Expr
    exp: Callable[..., Expr]
    log: Callable[..., Expr]
    log1p: Callable[..., Expr]
    expm1: Callable[..., Expr]
    abs: Callable[..., Expr]
    sign: Callable[..., Expr]
    sin: Callable[..., Expr]
    cos: Callable[..., Expr]
    tan: Callable[..., Expr]
    arcsin: Callable[..., Expr]
    arccos: Callable[..., Expr]
    arctan: Callable[..., Expr]
    sinh: Callable[..., Expr]
    cosh: Callable[..., Expr]
    tanh: Callable[..., Expr]
    sigmoid: Callable[..., Expr]
    softplus: Callable[..., Expr]
    relu: Callable[..., Expr]
    erf: Callable[..., Expr]
    lgamma: Callable[..., Expr]
    digamma: Callable[..., Expr]
    polygamma: Callable[..., Expr]
    max: Callable[..., Expr]
    min: Callable[..., Expr]
    where: Callable[..., Expr]
    sqrt: Callable[..., Expr]
    sum: Callable[..., Expr]
    mean: Callable[..., Expr]
    tr: Callable[..., Expr]
    diag: Callable[..., Expr]
    norm1: Callable[..., Expr]
    norm2: Callable[..., Expr]
    normF: Callable[..., Expr]
    inv: Callable[..., Expr]
    det: Callable[..., Expr]
    logdet: Callable[..., Expr]
    outer: Callable[..., Expr]
    rows: Callable[..., Expr]
    cols: Callable[..., Expr]
    len: Callable[..., Expr]
    pinv: Callable[..., Expr]
    adj: Callable[..., Expr]
    kron: Callable[..., Expr]
    vec: Callable[..., Expr]
    cross: Callable[..., Expr]
    prod: Callable[..., Expr]
    softmax: Callable[..., Expr]
    logsumexp: Callable[..., Expr]
    expm: Callable[..., Expr]
    logm: Callable[..., Expr]
    sqrtm: Callable[..., Expr]
    sinm: Callable[..., Expr]
    cosm: Callable[..., Expr]
    conj: Callable[..., Expr]

_HOMES = {
    "api": (
        "compile diff differential grad hessian hvp jacobian jvp parse steps to_code "
        "value_and_grad vjp"
    ),
    "construct": (
        "block commutation counter delta divide einsum eps eye function hadamard matrix power "
        "scalar tensor vector"
    ),
    "errors": (
        "DomainError IndexNotationError KindError LimitError ParseError ShapeError TensorcalcError "
        "UnknownNameError"
    ),
    "expression": "Expr",
    "kernel": "Kernel",
    "language": "pi",
    "limits": "Limits limits",
    "threads": "threads",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

# functions of the language, of expressions: tc.exp(x), tc.sum(a, over="i")
_LANGUAGE = (
    "exp log log1p expm1 abs sign sin cos tan arcsin arccos arctan sinh cosh tanh sigmoid softplus "
    "relu erf lgamma digamma polygamma max min where sqrt sum mean tr diag norm1 norm2 normF inv "
    "det logdet outer rows cols len pinv adj kron vec cross prod softmax logsumexp expm logm sqrtm "
    "sinm cosm conj"
).split()

__all__ = [*sorted([*_HOME, *_LANGUAGE]), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f"tensorcalc.{_HOME[name]}"), name)
    elif name in _LANGUAGE:
        value = import_module("tensorcalc.language").function(name)
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
