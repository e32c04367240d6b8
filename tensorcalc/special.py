"""Functions of matrices of a special form: a node in, a simpler one out.

The inverse of a multiple is a multiple of the inverse, that of a power a power, and what is done
to a diagonal matrix is done to its entries. Used by `simplify.py`.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Delta, Einsum, MatrixFunction, Merge, Node

ONE = Fraction(1)
# of a diagonal matrix: what becomes of an entry
ENTRYWISE = {"expm": "exp", "logm": "log", "sinm": "sin", "cosm": "cos"}
POWERS = {"inv": Fraction(-1), "sqrtm": Fraction(1, 2)}


def special_form(node: Node) -> Node:
    """The simpler form of a node whose operands are in normal form; itself if it has none."""
    if not isinstance(node, MatrixFunction) or node.order or node.operands[0].rank < 2:
        return node
    return (
        _of_diagonal(node) or _of_power(node) or _of_kronecker(node) or _of_multiple(node) or node
    )


def _of_power(node: MatrixFunction) -> Node | None:
    """``inv(X^k)`` as ``X^(-k)``."""
    (inner, *_) = node.operands
    if node.function != "inv" or not isinstance(inner, MatrixFunction) or inner.order:
        return None
    if inner.function != "power":
        return None
    base, exponent = inner.operands
    return canonical.matrix_function("power", canonical.matrix_function("inv", base), exponent)


def _of_multiple(node: MatrixFunction) -> Node | None:
    """``inv(a*X)`` as ``inv(X)/a``."""
    (operand, *_) = node.operands
    if node.function != "inv":
        return None
    if isinstance(operand, Add):
        content = abs(operand.coefficients[0]) if operand.coefficients else ONE
        if any(abs(c) != content for c in operand.coefficients) or content == 1:
            return None
        smaller = [(c / content, term) for c, term in canonical.terms_of(operand)]
        inner = canonical.matrix_function("inv", canonical.add(operand.dims, smaller))
        return canonical.add(node.dims, [(1 / content, inner)])
    if not isinstance(operand, Einsum):
        return None
    factors = list(zip(operand.operands, operand.labels, strict=True))
    scalars = [o for o, labels in factors if not labels]
    rest = [(o, labels) for o, labels in factors if labels]
    if not scalars or not rest:
        return None
    inner = canonical.matrix_function("inv", canonical.einsum(node.rank, operand.sizes, rest))
    reciprocals = [(canonical.power(scalar, -1), ()) for scalar in scalars]
    axes = tuple(range(node.rank))
    return canonical.einsum(node.rank, node.dims, [*reciprocals, (inner, axes)])


def _of_kronecker(node: MatrixFunction) -> Node | None:
    """``inv(kron(A, B))`` as ``kron(inv(A), inv(B))``, and so for determinants."""
    operand, *_ = node.operands
    if node.function not in ("inv", "pinv", "det", "logdet") or operand.rank != 2:
        return None
    blocks = _kronecker_factors(operand)
    if blocks is None:
        return None
    matrices, merges = blocks
    if node.function != "pinv" and any(block.dims[0] != block.dims[1] for block in matrices):
        return None
    if node.function in ("inv", "pinv"):
        turned = merges if node.function == "inv" else merges[::-1]
        sizes: dict[Hashable, Dim] = {}
        factors: list[tuple[Node, tuple[Hashable, ...]]] = []
        for side, merge in enumerate(turned):
            labels = (side, *[(side, k) for k in range(len(matrices))])
            factors.append((merge, labels))
            sizes.update(zip(labels, merge.dims, strict=True))
        for k, block in enumerate(matrices):
            made = canonical.matrix_function(node.function, block)
            factors.append((made, ((0, k), (1, k))))
        return canonical.contract((0, 1), sizes, factors)
    terms: list[canonical.Term] = []
    for k, block in enumerate(matrices):
        others = [(canonical.size(b.dims[0]), ()) for j, b in enumerate(matrices) if j != k]
        times = canonical.einsum(0, (), others)
        value = canonical.matrix_function(node.function, block)
        if node.function == "det":
            terms.append((ONE, canonical.elementwise("pow", [value, times])))
        else:
            terms.append((ONE, canonical.einsum(0, (), [(value, ()), (times, ())])))
    if node.function == "det":
        return canonical.einsum(0, (), [(term, ()) for _, term in terms])
    return canonical.add((), terms)


def _kronecker_factors(node: Node) -> tuple[list[Node], list[Merge]] | None:
    """The matrices of which a node is the Kronecker product, and how rows and columns merge."""
    if not isinstance(node, Einsum):
        return None
    factors = list(zip(node.operands, node.labels, strict=True))
    sides = {a[0]: (o, a[1:]) for o, a in factors if isinstance(o, Merge) and a[0] < 2}
    if set(sides) != {0, 1} or sum(isinstance(o, Merge) for o, _ in factors) != 2:
        return None
    (rows, row_parts), (columns, column_parts) = sides[0], sides[1]
    if len(row_parts) != len(column_parts):
        return None
    rest = [(o, a) for o, a in factors if not isinstance(o, Merge)]
    matrices = []
    for i, j in zip(row_parts, column_parts, strict=True):
        own = [(o, a) for o, a in rest if a and set(a) <= {i, j}]
        rest = [factor for factor in rest if factor not in own]
        if i == j:
            return None
        sizes: dict[Hashable, Dim] = {i: node.sizes[i], j: node.sizes[j]}
        matrices.append(canonical.contract((i, j), sizes, own))
    if rest or len(set(row_parts + column_parts)) < 2 * len(row_parts):
        return None
    return matrices, [rows, columns]


def _of_diagonal(node: MatrixFunction) -> Node | None:
    """``inv(diag(x))`` as ``diag(1./x)``, ``det(diag(x))`` as ``prod(x)``."""
    operand, *parameters = node.operands
    entries = _diagonal_entries(operand)
    if entries is None:
        return None
    if node.function == "det":
        return canonical.matrix_function("prod", entries)
    if node.function == "logdet":
        logarithm = canonical.elementwise("log", [canonical.elementwise("abs", [entries])])
        axes = tuple(range(entries.rank))
        return canonical.einsum(entries.rank - 1, entries.dims, [(logarithm, axes)])
    if node.function in POWERS:
        made = canonical.power(entries, POWERS[node.function])
    elif node.function in ENTRYWISE:
        made = canonical.elementwise(ENTRYWISE[node.function], [entries])
    elif node.function == "power":
        exponent = canonical.einsum(entries.rank, entries.dims, [(parameters[0], ())])
        made = canonical.elementwise("pow", [entries, exponent])
    else:
        return None
    n = node.rank
    unit = (Delta.of(node.dims[-1]), (n - 2, n - 1))
    return canonical.einsum(n, node.dims, [(made, tuple(range(n - 1))), unit])


def _diagonal_entries(node: Node) -> Node | None:
    """The entries on the diagonal of a matrix that is written as a diagonal one."""
    n = node.rank
    if isinstance(node, Delta):
        return canonical.ones(node.dims[:1])
    if isinstance(node, Add) and len(node.operands) == 1:
        inner = _diagonal_entries(node.operands[0])
        return None if inner is None else canonical.scale(node.coefficients[0], inner)
    if not isinstance(node, Einsum):
        return None
    factors = list(zip(node.operands, node.labels, strict=True))
    unit = [k for k, (o, a) in enumerate(factors) if isinstance(o, Delta) and a == (n - 2, n - 1)]
    if not unit or any(n - 1 in a for k, (_, a) in enumerate(factors) if k not in unit):
        return None
    rest = [factor for k, factor in enumerate(factors) if k not in unit]
    sizes: dict[Hashable, Dim] = dict(enumerate(node.sizes))
    del sizes[n - 1]
    return canonical.contract(range(n - 1), sizes, rest)
