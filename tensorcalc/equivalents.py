"""IR -> the same formula in other forms, of which a printer takes the shortest.

The normal form is made for evaluation: shared sums stay closed, inverses of products stay whole,
``sigmoid(-x)`` is not ``1 - sigmoid(x)``. For a reader another form may be shorter: with products
multiplied out terms cancel, and with ``inv(A*X)`` as ``inv(X)*inv(A)`` factors do. Used by
`printing/document.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from itertools import product

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Einsum, Map, MatrixFunction, Node
from tensorcalc.simplify import simplify
from tensorcalc.traverse import fold, postorder

ONE = Fraction(1)
MAX_NODES = 400  # of a formula for which other forms are looked for
MAX_ROUNDS = 3
MAX_TERMS = 32  # of a product of sums that is multiplied out


def equivalents(node: Node) -> Iterator[Node]:
    """Other forms of a node, in no particular order and without itself."""
    order = postorder([node])
    if len(order) > MAX_NODES:
        return
    forms = [node]
    if any(_is_whole(inner) for inner in order):
        forms.append(_folded(node, _apart))
    # at once, or `simplify` would make the complements whole again
    forms += [_folded(form, _multiplied_out) for form in list(forms)]
    if any(_is_complement(inner) for inner in order):
        forms.append(_folded(node, lambda inner: _multiplied_out(_complemented(inner))))
    seen = {node}
    for form in forms:
        if form not in seen:
            seen.add(form)
            yield form


def _folded(root: Node, change: Callable[[Node], Node]) -> Node:
    """The node with a change made at every node in it, operands first, while there are any."""
    for _ in range(MAX_ROUNDS):
        done = fold([root], lambda node, operands: change(canonical.rebuild(node, operands)))
        (new,) = simplify([done[root]])
        if new is root:
            break
        root = new
    return root


# ── functions of products of square matrices ─────────────────────────────────────────────────


def _is_whole(node: Node) -> bool:
    return isinstance(node, MatrixFunction) and _chain(node) is not None


def _apart(node: Node) -> Node:
    """``inv(A*B)`` as ``inv(B)*inv(A)``, ``det(A*B)`` as ``det(A)*det(B)``."""
    chain = _chain(node) if isinstance(node, MatrixFunction) else None
    if chain is None or not isinstance(node, MatrixFunction):
        return node
    pieces = [canonical.matrix_function(node.function, matrix) for matrix in chain]
    if node.function == "det":
        return canonical.einsum(0, (), [(piece, ()) for piece in pieces])
    if node.function == "logdet":
        return canonical.add((), [(ONE, piece) for piece in pieces])
    size = node.dims[0]
    last = len(pieces)
    labels = [0, *range(2, last + 1), 1]
    factors = [(piece, (labels[k], labels[k + 1])) for k, piece in enumerate(reversed(pieces))]
    return canonical.einsum(2, (size,) * (last + 1), factors)


def _chain(node: MatrixFunction) -> list[Node] | None:
    """The square matrices whose product a function of matrices is of."""
    operand = node.operands[0]
    if node.function not in ("inv", "det", "logdet") or not isinstance(operand, Einsum):
        return None
    factors = list(zip(operand.operands, operand.labels, strict=True))
    if len(factors) < 2 or operand.rank != 2:
        return None
    size = operand.dims[0]
    if any(dim != size for dim in operand.sizes) or any(len(a) != 2 for _, a in factors):
        return None
    chain: list[Node] = []
    at = 0
    while factors:
        step = [(k, factor) for k, factor in enumerate(factors) if at in factor[1]]
        if len(step) != 1:
            return None
        k, (matrix, (a, b)) = step[0]
        del factors[k]
        if a == b:
            return None
        turned = a != at
        at = a if turned else b
        both = [(matrix, (1, 0) if turned else (0, 1))]
        chain.append(canonical.einsum(2, (size, size), both))
    return chain if at == 1 else None


# ── complements ──────────────────────────────────────────────────────────────────────────────


def _is_complement(node: Node) -> bool:
    """Whether the node is ``sigmoid(-x)``: of a sum that is negative in the normal form."""
    if not isinstance(node, Map) or node.function != "sigmoid":
        return False
    (operand,) = node.operands
    return isinstance(operand, Add) and all(c < 0 for c in operand.coefficients)


def _complemented(node: Node) -> Node:
    """``sigmoid(-x)`` as ``1 - sigmoid(x)``."""
    if not _is_complement(node):
        return node
    positive = Map.of("sigmoid", (canonical.scale(-1, node.operands[0]),))
    return Add.of(node.dims, (ONE, -ONE), (canonical.ones(node.dims), positive))


# ── products ─────────────────────────────────────────────────────────────────────────────────


def _multiplied_out(node: Node) -> Node:
    """A product of sums as a sum of products."""
    if not isinstance(node, Einsum):
        return node
    places = [k for k, o in enumerate(node.operands) if isinstance(o, Add) and o.operands]
    count = 1
    for k in places:
        count *= len(node.operands[k].operands)
    if not places or not 1 < count <= MAX_TERMS:
        return node
    sizes: dict[Hashable, Dim] = dict(enumerate(node.sizes))
    terms: list[canonical.Term] = []
    for chosen in product(*[canonical.terms_of(node.operands[k]) for k in places]):
        factors = list(zip(node.operands, node.labels, strict=True))
        coefficient = ONE
        for k, (own, term) in zip(places, chosen, strict=True):
            coefficient *= own
            factors[k] = (term, node.labels[k])
        terms.append((coefficient, canonical.contract(range(node.rank), sizes, factors)))
    return canonical.add(node.dims, terms)
