"""IR in, the same IR with outer products taken apart as long as that is possible.

``T[i,j,b] = x[b,j]*C[i,b]`` is as large as i·j·b though it is made of two small arrays. What
contracts T takes x and C instead, and a sum whose terms all have the factor x keeps it outside.
Comes before `common.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Delta, Einsum, Labels, Node
from tensorcalc.plan.indices import STRUCTURE
from tensorcalc.plan.nodes import contraction_of, with_operands
from tensorcalc.traverse import fold

Factor = tuple[Node, Labels]


@dataclass(frozen=True, slots=True)
class Product:
    """A node as an outer product: factors under the node's axes."""

    factors: tuple[Factor, ...]  # taken out
    core: Node
    axes: Labels  # of the core, among the node's


def take_apart(roots: Sequence[Node]) -> list[Node]:
    """The same roots, where contractions reach through outer products."""
    products: dict[Node, Product] = {}

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        made = with_operands(node, operands)
        if isinstance(made, Einsum):
            made = _inlined(made, products)
            found = _product(made)
        else:
            found = _sum(made, products) if isinstance(made, Add) else None
        if found is not None:
            products[made] = found
        return made

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _inlined(node: Einsum, products: dict[Node, Product]) -> Einsum:
    """The contraction over the factors of operands that are outer products."""
    if not any(operand in products for operand in node.operands):
        return node
    factors: list[Factor] = []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        found = products.get(operand)
        if found is None:
            factors.append((operand, labels))
            continue
        for inner, axes in (*found.factors, (found.core, found.axes)):
            factors.append((inner, tuple([labels[axis] for axis in axes])))
    return Einsum.of(
        node.rank, node.sizes, tuple([f for f, _ in factors]), tuple([own for _, own in factors])
    )


def _product(node: Einsum) -> Product | None:
    """A contraction as an outer product, if a factor alone has an axis of the result."""
    factors = list(zip(node.operands, node.labels, strict=True))
    if any(isinstance(operand, (*STRUCTURE, Delta)) for operand in node.operands):
        return None
    taken: list[Factor] = []
    axes = {*range(node.rank)}
    for factor in sorted(factors, key=lambda factor: (len(factor[1]), factor[0].key)):
        labels = factor[1]
        rest = list(factors)
        rest.remove(factor)
        others = {label for _, own in rest for label in own}
        alone = {*labels} - others
        if not alone or not {*labels} <= {*range(node.rank)} or len({*labels}) < len(labels):
            continue
        if not others or axes == alone:
            continue
        factors, taken = rest, [*taken, factor]
        axes -= alone
    if not taken or not {label for _, own in factors for label in own} >= axes:
        return None
    kept = tuple(sorted(axes))
    core = contraction_of(kept, dict(enumerate(node.sizes)), factors)
    return Product(tuple(taken), core, kept)


def _sum(node: Add, products: dict[Node, Product]) -> Product | None:
    """A sum whose terms have the same factors outside."""
    if not node.operands or any(operand not in products for operand in node.operands):
        return None
    terms = [products[operand] for operand in node.operands]
    common = tuple([f for f in terms[0].factors if all(f in term.factors for term in terms)])
    if not common:
        return None
    sizes = dict(enumerate(node.dims))
    parts = [_without(term, common, sizes) for term in terms]
    axes = parts[0][1]
    if any(own != axes for _, own in parts):
        return None
    dims = tuple([node.dims[axis] for axis in axes])
    core = Add.of(dims, node.coefficients, tuple([part for part, _ in parts]))
    return Product(common, core, axes)


def _without(term: Product, common: Sequence[Factor], sizes: Mapping[int, Dim]) -> Factor:
    """A term without the common factors; what else was taken out of it is put back."""
    rest = [factor for factor in term.factors if factor not in common]
    if not rest:
        return term.core, term.axes
    factors = [(term.core, term.axes), *rest]
    axes = tuple(sorted({label for _, own in factors for label in own}))
    return contraction_of(axes, sizes, factors), axes
