"""Functions of matrices of a special form: a node in, a simpler one out.

The inverse of a multiple is a multiple of the inverse, that of a power a power, and what is done
to a diagonal matrix is done to its entries. Used by `simplify.py`.
"""

from __future__ import annotations

from collections.abc import Hashable
from fractions import Fraction
from itertools import combinations, permutations

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Basis, Delta, Einsum, MatrixFunction, Merge, Node
from tensorcalc.rewrites import note

ONE = Fraction(1)
# of a diagonal matrix: what becomes of an entry
ENTRYWISE = {"expm": "exp", "logm": "log", "sinm": "sin", "cosm": "cos"}
MAX_DETERMINANT = 3  # rows of a matrix written out whose determinant is multiplied out
POWERS = {"inv": Fraction(-1), "sqrtm": Fraction(1, 2)}


def special_form(node: Node) -> Node:
    """The simpler form of a node whose operands are in normal form; itself if it has none."""
    if not isinstance(node, MatrixFunction) or node.order or node.operands[0].rank < 2:
        return node
    return (
        note("function of a diagonal matrix", node, _of_diagonal(node))
        or note("inverse of a power", node, _of_power(node))
        or note("function of a Kronecker product", node, _of_kronecker(node))
        or note("inverse of a multiple", node, _of_multiple(node))
        or note("function of a small matrix written out", node, _of_entries(node))
        or node
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


def _of_entries(node: MatrixFunction) -> Node | None:
    """``det([a, b; c, d])`` as ``a*d - b*c``; the inverse of such a matrix with it."""
    sizes = {"det": MAX_DETERMINANT, "inv": 2}
    (operand, *_) = node.operands
    if node.function not in sizes or not isinstance(operand, Add) or operand.rank != 2:
        return None
    if any(not dim.is_integer or dim.constant > sizes[node.function] for dim in operand.dims):
        return None
    table = _entries(operand)
    if table is None:
        return None
    n = operand.dims[0].constant
    zero = canonical.zeros(())
    terms = []
    for order in permutations(range(n)):
        sign = (-1) ** sum(a > b for a, b in combinations(order, 2))
        factors = [(table.get((k, place), zero), ()) for k, place in enumerate(order)]
        terms.append((Fraction(sign), canonical.einsum(0, (), factors)))
    determinant = canonical.add((), terms)
    if node.function == "det" or canonical.is_zero(determinant):
        return determinant if node.function == "det" else None
    inverse = []
    for (row, column), entry in table.items():
        place = (row, column) if row != column else (1 - row, 1 - column)
        units = [(Basis.of(operand.dims[0], p), (k,)) for k, p in enumerate(place)]
        over = [(entry, ()), (canonical.power(determinant, -1), ())]
        made = canonical.einsum(2, operand.dims, [*units, *over])
        inverse.append((ONE if row == column else -ONE, made))
    return canonical.add(node.dims, inverse)


def _entries(node: Add) -> dict[tuple[int, int], Node] | None:
    """The entries of a matrix written out, by place; those that are 0 are left out."""
    table: dict[tuple[int, int], list[canonical.Term]] = {}
    for coefficient, term in canonical.terms_of(node):
        if not isinstance(term, Einsum):
            return None
        factors = list(zip(term.operands, term.labels, strict=True))
        units = {a[0]: o for o, a in factors if isinstance(o, Basis) and a[0] < 2}
        rest = [(o, a) for o, a in factors if not (isinstance(o, Basis) and a[0] < 2)]
        if set(units) != {0, 1} or any(label < 2 for _, a in rest for label in a):
            return None
        sizes: dict[Hashable, Dim] = dict(enumerate(term.sizes))
        del sizes[0], sizes[1]
        place = (units[0].position, units[1].position)
        table.setdefault(place, []).append((coefficient, canonical.contract((), sizes, rest)))
    return {place: canonical.add((), terms) for place, terms in table.items()}


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
