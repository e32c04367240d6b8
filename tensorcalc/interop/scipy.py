"""A formula and its data in, functions of SciPy's flat vector out: values and exact derivatives.

    obj = objective("norm2(U*V' - T)^2", ["U", "V"], T=T)
    x0 = obj.pack(U=U0, V=V0)
    found = scipy.optimize.minimize(obj.fun_and_grad, x0, jac=True, hessp=obj.hessp, ...)
    best = obj.unpack(found.x)["U"]

Every function is a kernel of its own, compiled when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from math import inf, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorcalc import api
from tensorcalc.binding import (
    Array,
    as_array,
    bind_sizes,
    check_names,
    named_sizes,
    with_sizes,
)
from tensorcalc.errors import ShapeError, UnknownNameError
from tensorcalc.expression import Expr
from tensorcalc.interop.packing import Packing, is_positive_definite, pairs
from tensorcalc.kernel import MIN_TURNED, Kernel
from tensorcalc.traverse import variables as variables_of
from tensorcalc.variables import known_variable

if TYPE_CHECKING:
    from scipy.optimize import Bounds
    from scipy.sparse.linalg import LinearOperator


def objective(
    formula: api.Formula, /, wrt: api.Names, *, sizes: Mapping[str, int] | None = None, **data: Any
) -> Objective:
    """The formula as functions of one flat float64 vector, for `scipy.optimize`.

    Parameters
    ----------
    formula
        An expression or program text. A scalar is minimised; a tensor is a residual of
        `least_squares` and `root`, or the value of a constraint.
    wrt
        The variables that stand in the vector, of any rank, in this order, each by rows. Of a
        symmetric, skew, diagonal or triangular matrix only the free entries stand there, and
        derivatives are by those.
    sizes
        Numbers of sizes that neither data nor starts tell, such as ``{"k": 5}``.
    **data
        All other variables; and, if wanted, starts of those in `wrt`, from which `x0` is made.
        Arrays are not copied if they are float64 and contiguous.

    Raises
    ------
    UnknownNameError
        If a name in `wrt` or `data` is no variable, or a variable has no value.
    ShapeError
        If shapes do not fit each other.
    DomainError
        If a variable of `wrt` is complex or orthogonal.

    >>> obj = objective("(X*w - y)'*(X*w - y)", "w", X=[[1.0, 2], [3, 4]], y=[5.0, 6])
    >>> value, gradient = obj.fun_and_grad(np.zeros(2))
    >>> value, gradient
    (61.0, array([-46., -68.]))
    """
    return Objective(formula, wrt, sizes or {}, data)


class Objective:
    """What `objective` makes. Its functions take the flat vector `x`, of shape ``(size,)``.

    Attributes
    ----------
    expression
        The formula.
    wrt
        The variables in the vector, by name in order.
    starts
        The starts that were given with the data, by name.
    sizes
        The numbers of sizes as far as they are known, by their names in the IR.
    """

    def __init__(
        self,
        formula: api.Formula,
        wrt: api.Names,
        sizes: Mapping[str, int],
        data: Mapping[str, Any],
    ) -> None:
        self.expression = api._expression(formula)
        variables = self.expression.variables
        names = api._names(wrt)
        self.wrt = {v.name: v for v in (known_variable(name, variables) for name in names)}
        if not names or len(self.wrt) < len(names):
            raise UnknownNameError(
                "wrt names a variable twice" if names else "wrt names no variable",
                hint=f"the variables are {', '.join(variables) or 'none'}",
            )
        needed = variables_of(self.expression.node)
        check_names(variables, data, [name for name in needed if name not in self.wrt])
        arrays = {
            name: as_array(name, value, MIN_TURNED, is_complex=variables[name].is_complex)
            for name, value in data.items()
        }
        self.starts = {name: array for name, array in arrays.items() if name in self.wrt}
        # once and for all in the type of the vector, not at every call
        self._data = {
            name: array if array.dtype.kind == "c" else array.astype(np.float64, copy=False)
            for name, array in arrays.items()
            if name not in self.wrt
        }
        self._asked = named_sizes(variables, sizes)
        self._names = Names.of(self.wrt, variables)
        self._definite = [name for name, v in self.wrt.items() if "spd" in v.properties]
        self._packing: Packing | None = None
        self._kernels: dict[str, Kernel] = {}
        self._fix(self.starts)

    # ── the vector ───────────────────────────────────────────────────────────────────────────

    def _fix(self, values: Mapping[str, Array]) -> None:
        """Settle the shapes of the variables, if `values`, data and sizes tell them all."""
        told = {n: v for n, v in values.items() if v.ndim or not self.wrt[n].rank}
        variables = self.expression.variables
        found = bind_sizes(variables, {**self._data, **told})
        self.sizes = found = with_sizes(variables, found, self._asked)
        if all(name in found for v in self.wrt.values() for dim in v.dims for name in dim.names):
            self._packing = Packing(self.wrt.values(), found)

    @property
    def packing(self) -> Packing:
        """Where each variable stands in the vector.

        Raises
        ------
        ShapeError
            If the shapes of the variables are not known yet.
        """
        if self._packing is None:
            raise ShapeError(
                f"the shapes of {', '.join(self.wrt)} cannot be told from the data",
                hint="call `pack` with start values, or give `objective` starts or `sizes`",
            )
        return self._packing

    @property
    def size(self) -> int:
        """The number of entries of the vector."""
        return self.packing.size

    @property
    def x0(self) -> Array:
        """The vector of the starts that were given with the data."""
        return self.pack(**self.starts)

    @property
    def bounds(self) -> Bounds | None:
        """The bounds that variables declared positive or nonnegative have; None without any."""
        from scipy.optimize import Bounds

        low = {"positive": np.finfo(float).tiny, "nonnegative": 0.0}
        lowest = {
            name: max([low[p] for p in v.properties & low.keys()], default=-np.inf)
            for name, v in self.wrt.items()
        }
        if not any(np.isfinite(bound) for bound in lowest.values()):
            return None
        return Bounds(self.pack(**lowest), np.full(self.size, np.inf))

    def pack(self, **values: Any) -> Array:
        """The vector of a value for each variable; a number fills its variable.

        If shapes are not known yet, those of the values are taken from now on.
        """
        check_names(self.wrt, values, self.wrt)
        arrays = {name: as_array(name, value) for name, value in values.items()}
        if self._packing is None:
            self._fix(arrays)
        return self.packing.pack(arrays)

    def unpack(self, x: Any) -> dict[str, Array]:
        """The values by name that stand in the vector, as arrays of their own."""
        return {n: value.copy() for n, value in self.packing.unpack(self._flat(x)).items()}

    def _flat(self, x: Any) -> Array:
        array = as_array("x", x)
        if array.shape != (self.size,):
            needed = ", ".join(f"{n} {part.shape}" for n, part in self.packing.parts.items())
            raise ShapeError(
                f"x has the shape {array.shape}, but ({self.size},) is needed: {needed}"
            )
        return array.astype(np.float64, copy=False)

    # ── scalars ──────────────────────────────────────────────────────────────────────────────

    def fun(self, x: Any) -> float:
        """The value of a scalar formula; inf where a variable is not `spd` as it is declared."""
        return float(self._call("value", x)[0]) if self._is_definite(x) else inf

    def grad(self, x: Any) -> Array:
        """The gradient of a scalar formula, of shape ``(size,)``."""
        return self.packing.gradient(self._call("gradient", x))

    def fun_and_grad(self, x: Any) -> tuple[float, Array]:
        """`fun` and `grad` by one kernel: for ``minimize(..., jac=True)``."""
        value, *gradients = self._call("value and gradient", x)
        value = float(value) if self._is_definite(x) else inf
        return value, self.packing.gradient(gradients)

    def _is_definite(self, x: Any) -> bool:
        """Whether the variables that are declared spd are.

        The formula itself may have a value where they are not: two negative eigenvalues give a
        positive determinant.
        """
        return not self._definite or all(
            is_positive_definite(self.packing.parts[name].unpack(self._flat(x)))
            for name in self._definite
        )

    # ── tensors ──────────────────────────────────────────────────────────────────────────────

    def residual(self, x: Any) -> Array:
        """The entries of the formula by rows, of shape ``(m,)``."""
        return np.reshape(self._call("residual", x)[0], -1)

    def residual_jac(self, x: Any) -> Array:
        """The derivative of `residual`, of shape ``(m, size)``."""
        return self.packing.jacobian(self._call("Jacobian", x), prod(self._shape()))

    def residual_and_jac(self, x: Any) -> tuple[Array, Array]:
        """Both by one kernel: for ``root(..., jac=True)``."""
        value, *derivatives = self._call("residual and Jacobian", x)
        residual = np.reshape(value, -1)
        return residual, self.packing.jacobian(derivatives, residual.size)

    def residual_operator(self, x: Any) -> LinearOperator:
        """The derivative of `residual` as a linear operator, never formed."""
        from scipy.sparse.linalg import LinearOperator

        point = self._flat(x).copy()

        def forward(p: Array) -> Array:
            return np.reshape(self._call("jvp", point, self._directions(p))[0], -1)

        def backward(u: Array) -> Array:
            factor, weights = self._weights(u)
            return factor * self.packing.gradient(self._call("vjp", point, weights))

        shape = (prod(self._shape()), self.size)
        return LinearOperator(shape, matvec=forward, rmatvec=backward, dtype=np.float64)

    # ── second order ─────────────────────────────────────────────────────────────────────────

    def hess(self, x: Any, v: Any = None) -> Array:
        """The Hessian, dense, of shape ``(size, size)``.

        With `v`, weights of the entries of the formula, that of their sum: `NonlinearConstraint`
        asks for it so. A formula that is no scalar needs them.
        """
        factor, weights = self._weights(v)
        return factor * self.packing.hessian(self._call("Hessian", x, weights))

    def hessp(self, x: Any, p: Any, v: Any = None) -> Array:
        """The Hessian times the vector `p`, never formed; `v` as in `hess`."""
        factor, weights = self._weights(v)
        given = {**self._directions(p), **weights}
        return factor * self.packing.gradient(self._call("Hessian product", x, given))

    def operator(self, x: Any, v: Any = None) -> LinearOperator:
        """The Hessian at `x` as a linear operator, which `hessp` computes; `v` as in `hess`."""
        from scipy.sparse.linalg import LinearOperator

        point = self._flat(x).copy()

        def product(p: Array) -> Array:
            return self.hessp(point, p, v)

        shape = (self.size, self.size)
        return LinearOperator(shape, matvec=product, rmatvec=product, dtype=np.float64)

    # ── kernels ──────────────────────────────────────────────────────────────────────────────

    def _shape(self) -> tuple[int, ...]:
        """The shape of the formula."""
        self.packing  # noqa: B018  (refuse sizes that are not known yet)
        return tuple(dim.value(self.sizes) for dim in self.expression.node.dims)

    def _directions(self, p: Any) -> dict[str, Array]:
        """A vector as values of the variables that stand for directions."""
        values = self.packing.unpack(self._flat(np.ravel(p)))
        return dict(zip(self._names.directions, values.values(), strict=True))

    def _weights(self, v: Any) -> tuple[float, dict[str, Array]]:
        """A scalar's one weight as a factor; a tensor's as the value of their variable."""
        shape = self._shape()
        if v is None and shape:
            raise ShapeError(
                f"a Hessian is that of a scalar; this has the shape {shape}",
                hint="give weights of the entries: hess(x, v)",
            )
        weights = np.ascontiguousarray(1.0 if v is None else v, dtype=np.float64)
        if weights.size != prod(shape):
            raise ShapeError(f"{weights.size} weights of a formula of {prod(shape)} entries")
        if shape:
            return 1.0, {self._names.weights: weights.reshape(shape)}
        return float(weights.reshape(())), {}

    def _call(self, name: str, x: Any, more: Mapping[str, Array] | None = None) -> list[Any]:
        """The results of the kernel called `name`, which is compiled when it is first needed."""
        point = self.packing.unpack(self._flat(x))
        kernel = self._kernels.get(name)
        if kernel is None:
            formulas = FORMULAS[name](self.expression, self._names)
            kernel = api.compile({str(k): formula for k, formula in enumerate(formulas)})
            self._kernels[name] = kernel
        return list(kernel(**self._data, **point, **(more or {})).values())

    def __repr__(self) -> str:
        return f"<Objective of {', '.join(self.wrt)}: {self.expression}>"


@dataclass(frozen=True)
class Names:
    """The variables of the vector; and new ones that stand for directions and for weights."""

    wrt: list[str]
    directions: list[str]
    weights: str

    @staticmethod
    def of(wrt: Iterable[str], taken: Container[str]) -> Names:
        """New names that are not `taken`."""
        wrt = list(wrt)

        def new(name: str) -> str:
            return name if name not in taken else new(name + "_")

        return Names(wrt, [new(f"d_{name}") for name in wrt], new("weights"))


def _value(f: Expr, names: Names) -> list[Expr]:
    if f.node.rank:
        raise ShapeError(
            f"what is minimised is a scalar; this has the shape {f.shape}",
            hint="`residual` and `residual_jac` are of tensors",
        )
    return [f]


def _jacobians(f: Expr, names: Names) -> list[Expr]:
    return [api.diff(f, name) for name in names.wrt]


def _gradients(f: Expr, names: Names) -> list[Expr]:
    """Of a tensor, those of the sum of its entries times weights."""
    if f.node.rank:
        return list(api.vjp(f, names.wrt, names.weights).values())
    return list(api.grad(f, names.wrt).values())


def _hessians(f: Expr, names: Names) -> list[Expr]:
    gradients = dict(zip(names.wrt, _gradients(f, names), strict=True))
    return [api.diff(gradients[row], column) for row, column in pairs(names.wrt)]


def _products(f: Expr, names: Names) -> list[Expr]:
    if not f.node.rank:
        return list(api.hvp(f, names.wrt, names.directions).values())
    return [api.jvp(gradient, names.wrt, names.directions) for gradient in _gradients(f, names)]


# kernel: the formulas that it computes
FORMULAS: dict[str, Callable[[Expr, Names], list[Expr]]] = {
    "value": _value,
    "gradient": lambda f, names: _gradients(_value(f, names)[0], names),
    "value and gradient": lambda f, names: [*_value(f, names), *_gradients(f, names)],
    "residual": lambda f, names: [f],
    "Jacobian": _jacobians,
    "residual and Jacobian": lambda f, names: [f, *_jacobians(f, names)],
    "jvp": lambda f, names: [api.jvp(f, names.wrt, names.directions)],
    "vjp": _gradients,
    "Hessian": _hessians,
    "Hessian product": _products,
}
