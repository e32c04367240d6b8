"""Factors of a product in, their chain out, not tidied: its shape, its cost, its symmetry."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorcalc.matrix_algebra.expression import ONE, Matrix, Term, number, parts, primed
from tensorcalc.matrix_algebra.transposes import transpose


def chained(coefficient: Fraction, scalars: Sequence[Matrix], chain: Sequence[Matrix]) -> Matrix:
    """``coefficient * scalars * chain`` of factors that are tidy already."""
    if not scalars and not chain:
        return number(coefficient)
    if coefficient == 1 and len(scalars) + len(chain) == 1:
        return (*scalars, *chain)[0]
    shape, symmetric = "scalar", False
    if chain:
        first, last = chain[0].shape, chain[-1].shape
        shape = chain_shape(first, last)
        symmetric = shape == "matrix" and _is_palindrome(chain)
    args = (*scalars, *chain)
    wrapped = sum(arg.op in ("sum", "hadamard", "product") for arg in args)
    cost = len(args) - 1 + (abs(coefficient) != 1) + (coefficient < 0) + wrapped
    data = (coefficient, len(scalars))
    return Matrix("product", shape, args, data, cost=cost, symmetric=symmetric)


def chain_shape(first: str, last: str) -> str:
    """The shape of a chain, by those of its first and last factor."""
    rows, columns = first in ("column", "matrix"), last in ("row", "matrix")
    if rows:
        return "matrix" if columns else "column"
    return "row" if columns else "scalar"


def _is_palindrome(chain: Sequence[Matrix]) -> bool:
    """Whether the chain is its own transpose, such as ``X'*D*X`` or ``X*pinv(X)``."""
    if len(chain) == 2 and any(_is_pseudoinverse(*pair) for pair in (chain, chain[::-1])):
        return True
    return all(left == transpose(right) for left, right in zip(chain, reversed(chain), strict=True))


def _is_pseudoinverse(x: Matrix, of: Matrix) -> bool:
    return x.op == "call" and x.data == "pinv" and x.args[0] == of and not of.is_complex


def times(coefficient: Fraction, x: Matrix) -> Matrix:
    """A number times an expression that is tidy already and stays as it is."""
    own, scalars, chain = parts(x)
    return x if coefficient == 1 else chained(coefficient * own, scalars, chain)


def shorter_turned(chain: list[Matrix]) -> list[Matrix]:
    """``B'*A'*C'`` as ``(C*A*B)'`` where that has fewer symbols."""
    if len(chain) < 2 or chain_shape(chain[0].shape, chain[-1].shape) != "matrix":
        return chain
    flipped = [transpose(factor) for factor in reversed(chain)]
    if sum(f.cost for f in flipped) + 2 >= sum(f.cost for f in chain):
        return chain
    return [primed(chained(ONE, [], flipped))]


def is_mirrored(items: Sequence[Term]) -> bool:
    """Whether every term's transpose is there with the same coefficient, as in ``A + A'``."""
    known = {t.key: c for c, t in items}
    for c, term in items:
        if term.symmetric:
            continue
        if term.op == "transpose":
            flipped = term.args[0]
        elif term.op == "product":
            flipped = transpose(term)
        else:
            flipped = primed(term)
        if known.get(flipped.key) != c:
            return False
    return True
