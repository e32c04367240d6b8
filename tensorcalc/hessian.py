"""What `tensorcalc.hessian` returns: a formula that becomes a structured operator with data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorcalc.expression import Expr, restored

if TYPE_CHECKING:
    import numpy as np

    from tensorcalc.operators.operator import Operator


class Hessian(Expr):
    """The second derivative of a scalar, an `Expr`, which with data is a linear operator.

    Call it with arrays by name to get the operator; the methods below do that, too. What is
    compiled is the structure's small parts: of ``I ⊗ V'*V`` only ``V'*V``.

    >>> import numpy as np, tensorcalc as tc
    >>> H = tc.hessian("sum((T - U*V').^2)", "U")
    >>> print(H)
    2*eye(rows(T))[i,k]*(V'*V)[j,l] -> [i,j,k,l]
    >>> data = {"U": np.ones((4, 2)), "V": np.eye(3, 2)}
    >>> H(**data) @ np.ones((4, 2)) @ np.ones(2)
    array([4., 4., 4., 4.])
    >>> H.logdet(**data) == 8*np.log(2)
    True
    """

    _evaluator: Callable[..., Operator] | None = None

    def __call__(self, /, **data: Any) -> Operator:
        """The operator at arrays given by name; any that tell the sizes must be among them.

        Its rows are the axes of the first variable of differentiation, its columns those of the
        second.

        Raises
        ------
        TensorcalcError
            A value that is missing, unknown, or of the wrong shape.
        """
        if self._evaluator is None:
            from tensorcalc.operators.evaluate import evaluator

            self._evaluator = evaluator(self.node, self.groups[-2], self.variables)
        return self._evaluator(**data)

    def dense(self, /, **data: Any) -> np.ndarray[Any, Any]:
        """All entries: `Operator.dense`."""
        return self(**data).dense()

    def solve(self, b: Any, /, **data: Any) -> np.ndarray[Any, Any]:
        """The solution of ``H @ x = b``, a Newton step: `Operator.solve`."""
        return self(**data).solve(b)

    def diagonal(self, /, **data: Any) -> np.ndarray[Any, Any]:
        """The diagonal, with the shape of the variable: `Operator.diagonal`."""
        return self(**data).diagonal()

    def trace(self, /, **data: Any) -> float:
        """The trace: `Operator.trace`."""
        return self(**data).trace()

    def logdet(self, /, **data: Any) -> float:
        """The logarithm of the determinant: `Operator.logdet`."""
        return self(**data).logdet()

    def __reduce__(self) -> tuple[Any, ...]:
        _, facts = super().__reduce__()
        return _restored, facts


def _restored(*facts: Any) -> Hessian:
    made = restored(*facts)
    return Hessian.of(made.node, made.variables, made.groups, source=made.source)
