"""Derivative by entries -> derivative by the free parameters of a structured matrix.

The entries of a symmetric matrix are not independent: by what stands above the diagonal, an entry
and its mirror image change together; those of a triangular matrix beyond its diagonal do not
change at all. Minka, "Old and New Matrix Algebra Useful for Statistics"
(2000), section 5; Petersen and Pedersen, "The Matrix Cookbook", section 2.8. Used by `api.py`.
"""

from __future__ import annotations

from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.ir import Delta, Node, Range, Variable

# property: coefficients of G, of its transpose, of its diagonal and of its lower and upper part
FREE = {
    "symmetric": (1, 1, -1, 0, 0),
    "spd": (1, 1, -1, 0, 0),
    "skew": (1, -1, 0, 0, 0),
    "diagonal": (0, 0, 1, 0, 0),
    "lower": (0, 0, 0, 1, 0),
    "upper": (0, 0, 0, 0, 1),
}


def by_free_parameters(derivative: Node, variable: Variable) -> Node:
    """The derivative, whose last axes are the variable's, by its free parameters.

    ``G + G' - G.*eye`` of a symmetric, ``G - G'`` of a skew, ``G.*eye`` of a diagonal matrix; of a
    triangular one G with zeros on the other side of the diagonal; of a variable without structure
    the derivative itself.

    Raises
    ------
    DomainError
        For an orthogonal matrix, and for a complex one.
    """
    name = variable.name
    if "orthogonal" in variable.properties:
        raise DomainError(
            f"{name} is orthogonal: its entries are no functions of free parameters, it moves on a "
            "curved surface",
            None,
            f"differentiate without `structured`; of a scalar, (G - {name}*G'*{name})/2 is the "
            "gradient along the surface",
        )
    structure = sorted(variable.properties & FREE.keys())
    if not structure:
        return derivative
    if variable.is_complex and "spd" in structure:
        raise DomainError(f"{name} is complex: its free parameters are real and imaginary parts")
    n = derivative.rank
    dims = derivative.dims
    axes = tuple(range(n))
    ends = axes[n - 2 :]
    forms = [
        canonical.einsum(n, dims, [(derivative, axes)]),
        canonical.einsum(n, dims, [(derivative, (*axes[: n - 2], *ends[::-1]))]),
        canonical.einsum(n, dims, [(derivative, axes), (Delta.of(dims[-1]), ends)]),
        canonical.einsum(n, dims, [(derivative, axes), (_lower(dims[-1]), ends)]),
        canonical.einsum(n, dims, [(derivative, axes), (_lower(dims[-1]), ends[::-1])]),
    ]
    coefficients = FREE[structure[0]]
    return canonical.add(dims, [(Fraction(c), f) for c, f in zip(coefficients, forms, strict=True)])


def _lower(dim: Dim) -> Node:
    """1 on and below the diagonal, else 0."""
    places = Range.of(dim, Dim.of(0))
    row, column = (canonical.einsum(2, (dim, dim), [(places, (axis,))]) for axis in (0, 1))
    return canonical.elementwise("ge", [row, column])
