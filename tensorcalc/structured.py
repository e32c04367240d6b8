"""Derivative by entries -> derivative by the free parameters of a structured matrix.

The entries of a symmetric matrix are not independent: by what stands above the diagonal, an entry
and its mirror image change together. Minka, "Old and New Matrix Algebra Useful for Statistics"
(2000), section 5; Petersen and Pedersen, "The Matrix Cookbook", section 2.8. Used by `api.py`.
"""

from __future__ import annotations

from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.errors import DomainError
from tensorcalc.ir import Delta, Node, Variable

# property: coefficients of G, of its transpose and of its diagonal
FREE = {
    "symmetric": (1, 1, -1),
    "spd": (1, 1, -1),
    "skew": (1, -1, 0),
    "diagonal": (0, 0, 1),
}


def by_free_parameters(derivative: Node, variable: Variable) -> Node:
    """The derivative, whose last axes are the variable's, by its free parameters.

    ``G + G' - G.*eye`` of a symmetric, ``G - G'`` of a skew, ``G.*eye`` of a diagonal matrix; of a
    variable without structure the derivative itself.

    Raises
    ------
    DomainError
        For a structure without such a formula, as that of an orthogonal matrix.
    """
    structure = variable.properties & {"symmetric", "spd", "skew", "diagonal"}
    other = variable.properties & {"lower", "upper", "orthogonal"}
    if other:
        raise DomainError(
            f"the free parameters of {variable.name}, {'and '.join(sorted(other))}, are not those "
            "of a symmetric, skew or diagonal matrix",
            None,
            "differentiate by its entries, without `structured`",
        )
    if not structure:
        return derivative
    n = derivative.rank
    axes = tuple(range(n - 2))
    straight, turned = (*axes, n - 2, n - 1), (*axes, n - 1, n - 2)
    dims = derivative.dims
    unit = Delta.of(variable.dims[0])
    forms = [
        canonical.einsum(n, dims, [(derivative, straight)]),
        canonical.einsum(n, dims, [(derivative, turned)]),
        canonical.einsum(n, dims, [(derivative, straight), (unit, (n - 2, n - 1))]),
    ]
    coefficients = FREE[min(structure)]
    return canonical.add(dims, [(Fraction(c), f) for c, f in zip(coefficients, forms, strict=True)])
