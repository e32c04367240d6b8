"""IR in, IR without `logsumexp` out: maxima, exponentials and sums that loops compute and share.

``logsumexp(x)`` is ``top + log(sum(exp(x - top)))`` with the largest entry for `top`; the softmax
``exp(x - logsumexp(x))`` is the exponentials over their sum, so that none is computed twice. An
infinite `top` is taken for the largest finite number: then -inf and inf come out as they should.
First part of `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.ir import Add, Einsum, Labels, Map, MatrixFunction, Node
from tensorcalc.plan.nodes import with_operands
from tensorcalc.traverse import fold

ONE = Fraction(1)
MAX_TERMS = 64  # of an exponent: in longer ones no softmax is looked for
LARGEST = {4: float.fromhex("0x1.fffffep127"), 8: float.fromhex("0x1.fffffffffffffp1023")}


def replace_logsumexp(roots: Sequence[Node], item: int) -> list[Node]:
    """The same roots with every `logsumexp` written out; `item` is the bytes of a number."""
    limit = Fraction(LARGEST[item])
    results: dict[Node, Node] = {}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node, MatrixFunction) and node.function == "logsumexp":
            top, _, total = _parts(operands[0], limit)
            return _sum([(ONE, top), (ONE, Map.of("log", (total,)))])
        if isinstance(node, Map) and node.function == "exp":
            softmax = _softmax(node.operands[0], results, limit)
            if softmax is not None:
                return softmax
        return with_operands(node, operands)

    fold(roots, visit, results)
    return [results[root] for root in roots]


def _parts(x: Node, limit: Fraction) -> tuple[Node, Node, Node]:
    """The largest entry, the exponentials of what is below it, and their sum."""
    batch, axes = tuple(range(x.rank - 1)), tuple(range(x.rank))
    dims = x.dims[:-1]
    top: Node = MatrixFunction.of("max", dims, (x,))
    top = Map.of("max", (top, canonical.number(-limit, dims)))
    top = Map.of("min", (top, canonical.number(limit, dims)))
    spread = Einsum.of(x.rank, x.dims, (top,), (batch,))
    below = Map.of("exp", (_sum([(ONE, x), (-ONE, spread)]),))
    return top, below, Einsum.of(len(batch), x.dims, (below,), (axes,))


def _softmax(exponent: Node, results: dict[Node, Node], limit: Fraction) -> Node | None:
    """The exponential of `exponent` if that is ``x - logsumexp(x)``."""
    axes = tuple(range(exponent.rank))
    terms = _terms(exponent, axes) or {}
    for (node, labels), coefficient in terms.items():
        if not isinstance(node, MatrixFunction) or node.function != "logsumexp":
            continue
        left = [axis for axis in axes if axis not in labels]
        if coefficient != -1 or len(left) != 1 or len({*labels}) != len(labels):
            continue
        x = node.operands[0]
        order = (*labels, *left)
        if _terms(x, order) != {term: c for term, c in terms.items() if term[0] is not node}:
            continue
        _, below, total = _parts(results[x], limit)
        factors = (below, Map.of("pow", (total, canonical.number(-1, total.dims))))
        return Einsum.of(exponent.rank, exponent.dims, factors, (order, labels))
    return None


def _terms(root: Node, axes: Labels) -> dict[tuple[Node, Labels], Fraction] | None:
    """A sum as its terms, each under its labels, with their coefficients; None of a long one."""
    found: dict[tuple[Node, Labels], Fraction] = {}
    stack = [(ONE, root, axes)]
    while stack:
        if len(stack) + len(found) > MAX_TERMS:
            return None
        outer, node, labels = stack.pop()
        if isinstance(node, Add):
            for c, term in canonical.terms_of(node):
                stack.append((outer * c, term, labels))
        elif isinstance(node, Einsum) and len(node.operands) == 1 and len(node.sizes) == node.rank:
            stack.append((outer, node.operands[0], tuple([labels[a] for a in node.labels[0]])))
        else:
            found[node, labels] = found.get((node, labels), Fraction(0)) + outer
    return found


def _sum(terms: Sequence[tuple[Fraction, Node]]) -> Node:
    """A sum as it is."""
    dims = terms[0][1].dims
    return Add.of(dims, tuple([c for c, _ in terms]), tuple([node for _, node in terms]))
