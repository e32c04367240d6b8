"""Contractions of two in, the same with intermediates whose axes stand as loops walk them.

A product of matrices can be written in either order, and so can what is computed entry by entry
for one. In ``W'*E .* f'(Z')`` the loops read all arrays along the rows if the product is stored
like Z, and of ``T[i,j,k]*P[j,k]`` with P as T has its axes one call of BLAS is enough. Comes after
`contract.py`, before `axes.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import prod

from tensorcalc.ir import Add, Delta, Einsum, Labels, Map, Node, Variable
from tensorcalc.plan.classify import classify
from tensorcalc.plan.indices import STRUCTURE, is_reduction, reduced_labels
from tensorcalc.plan.nodes import with_operands
from tensorcalc.plan.schedule import CHEAP_MAPS
from tensorcalc.traverse import fold, postorder

MAX_LEAVES = 64  # accesses of an expression that are looked at
MIN_ENTRIES = 1 << 10  # of an array whose order is worth a thought
MAX_SWEEPS = 4  # over all intermediates: one's order depends on those of others
LOOP = 64  # calls of BLAS that a nest of loops in place of one is as slow as

Access = tuple[Node, Labels]  # an array and the loops of its axes
Orders = dict[Node, Labels]  # the axes of a node in the order in which they are to be stored


def orient(roots: Sequence[Node], sizes: Mapping[str, int]) -> list[Node]:
    """The same roots, where intermediates have the axes last that most of their loops walk."""
    users: dict[Node, list[Node]] = {}
    order = postorder(roots)
    for node in order:
        for operand in dict.fromkeys(node.operands):
            users.setdefault(operand, []).append(node)
    products = {node for node in order if _is_product(node, sizes)}
    free = [
        node
        for node in order
        if node not in roots
        and _entries(node, sizes) >= MIN_ENTRIES
        and _is_free(node, users.get(node, ()), products)
    ]
    if not free:
        return [*roots]
    nests = _nests(order, {*roots}, {*free}, products)
    orders: Orders = {}
    # of matrices the first sweep asks only those whose order is known
    undecided = {node for node in free if node.rank == 2}
    for node in free:
        if isinstance(node, Einsum) and node in products and node.rank == 2:
            orders[node] = _as_operands(node, orders, sizes)
            undecided.discard(node)
    for _ in range(MAX_SWEEPS):
        before = dict(orders)
        for node in free:
            around = (node, *users[node])
            touching = [n for n in around if isinstance(n, Einsum) and n in products]
            votes = _votes(node, nests.get(node, ()), undecided, orders, sizes)
            orders[node] = _wanted(node, touching, votes, orders, sizes)
            undecided.discard(node)
        if orders == before:
            break
    orders = {n: order for n, order in orders.items() if order != tuple(range(n.rank))}
    return _turned(roots, orders)


def _entries(node: Node, sizes: Mapping[str, int]) -> int:
    return prod(dim.value(sizes) for dim in node.dims)


def _is_product(node: Node, sizes: Mapping[str, int]) -> bool:
    """Whether BLAS multiplies two arrays, or as many as a batch has."""
    if not isinstance(node, Einsum) or len(node.operands) != 2 or not reduced_labels(node):
        return False
    return classify(node, sizes, lambda operand: True).kind != "LOOP"


def _is_pointwise(node: Node) -> bool:
    """Whether entries are computed from entries."""
    if isinstance(node, Einsum):
        structure = any(isinstance(operand, (*STRUCTURE, Delta)) for operand in node.operands)
        return len(node.sizes) == node.rank and not structure
    return isinstance(node, (Map, Add))


def _is_free(node: Node, users: Sequence[Node], products: Collection[Node]) -> bool:
    """Whether the node is stored, and its axes may be in any order."""
    if node.rank < 2 or not users or isinstance(node, Variable):
        return False
    if not all(isinstance(user, (Einsum, Map, Add)) for user in users):
        return False
    if node in products:
        return True
    if not _is_pointwise(node) or (isinstance(node, Einsum) and len(node.operands) == 1):
        return False
    is_shared = isinstance(node, Map) and node.function not in CHEAP_MAPS and len(users) > 1
    return is_shared or any(user in products for user in users)


def _nests(
    order: Sequence[Node],
    roots: Collection[Node],
    free: Collection[Node],
    products: Collection[Node],
) -> dict[Node, list[list[Access]]]:
    """For each free node the expressions that read or make it: all their accesses."""
    found: dict[Node, list[list[Access]]] = {}
    for node in order:
        if node in products or isinstance(node, Variable):
            continue
        if not (node in roots or node in free or reduced_labels(node) or is_reduction(node)):
            continue
        accesses = _accesses(node, free, products)
        if node.rank > 1 and (node in free or node in roots):
            accesses.append((node, tuple(range(node.rank))))
        for other in dict.fromkeys(leaf for leaf, _ in accesses):
            if other in free:
                found.setdefault(other, []).append(accesses)
    return found


def _accesses(root: Node, free: Collection[Node], products: Collection[Node]) -> list[Access]:
    """The arrays of more than one axis that an expression reads, with the loops of their axes."""
    found: dict[Access, None] = {}
    seen: set[tuple[Node, Labels]] = set()
    stack: list[tuple[Node, Labels]] = []
    if isinstance(root, Einsum):
        stack += zip(root.operands, root.labels, strict=True)
    else:
        axes = tuple(range(max([operand.rank for operand in root.operands], default=0)))
        stack += [(operand, axes) for operand in root.operands if operand.rank == len(axes)]
    while stack and len(seen) < MAX_LEAVES:
        node, labels = stack.pop()
        if len(labels) < 2 or (node, labels) in seen:
            continue
        seen.add((node, labels))
        if node in free or node in products or not _is_pointwise(node):
            found[node, labels] = None
        elif isinstance(node, Einsum):
            for operand, own in zip(node.operands, node.labels, strict=True):
                stack.append((operand, tuple([labels[a] for a in own])))
        else:
            stack += [(operand, labels) for operand in node.operands]
    return [*found]


def _as_operands(product: Einsum, orders: Orders, sizes: Mapping[str, int]) -> Labels:
    """The axes of a matrix with that first which the larger operand has first."""
    factors = zip(product.operands, product.labels, strict=True)
    operand, own = max(factors, key=lambda factor: _entries(factor[0], sizes))
    first = own[orders[operand][0] if operand in orders else 0]
    return (1, 0) if first == 1 else (0, 1)


def _votes(
    node: Node,
    nests: Sequence[Sequence[Access]],
    undecided: Collection[Node],
    orders: Orders,
    sizes: Mapping[str, int],
) -> Counter[int]:
    """For each axis of the node the entries of what is read beside it with that axis last."""
    votes: Counter[int] = Counter()
    for accesses in nests:
        others = [(n, own) for n, own in accesses if n is not node and n not in undecided]
        for _, labels in [access for access in accesses if access[0] is node]:
            for other, own in others:
                last = own[orders[other][-1] if other in orders else -1]
                if last in labels:
                    votes[labels.index(last)] += _entries(other, sizes)
    return votes


def _wanted(
    node: Node,
    products: Sequence[Einsum],
    votes: Mapping[int, int],
    orders: Orders,
    sizes: Mapping[str, int],
) -> Labels:
    """The order of the axes that needs the fewest calls of BLAS, then that with most votes."""
    axes = tuple(range(node.rank))
    tried = [axes]
    last = max(axes, key=lambda axis: (votes.get(axis, 0), axis))
    tried.append((*[axis for axis in axes if axis != last], last))
    for product in products:
        places = zip(product.operands, product.labels, strict=True)
        labels = axes if product is node else dict(places).get(node, ())
        for other, own in zip(product.operands, product.labels, strict=True):
            if other is not node and len({*labels}) == node.rank:
                found = [own[axis] for axis in orders.get(other, range(len(own)))]
                there = [labels.index(label) for label in found if label in labels]
                rest = [axis for axis in axes if axis not in there]
                tried += [(*there, *rest), (*rest, *there)]

    def cost(order: Labels) -> tuple[int, int, int]:
        calls = sum(_calls(product, {**orders, node: order}, sizes) for product in products)
        return calls, -votes.get(order[-1], 0), tried.index(order)

    return min(dict.fromkeys(tried), key=cost)


def _calls(product: Einsum, orders: Orders, sizes: Mapping[str, int]) -> int:
    """How often BLAS is called for a contraction of arrays in these orders, times its work."""
    views = {n: (_view(n, orders[n]), orders[n]) for n in product.operands if n in orders}
    made = _with(product, views)
    if product in orders:
        made = _relabelled(made, orders[product])
    found = classify(made, sizes, lambda operand: True)
    extents = [dim.value(sizes) for dim in made.sizes]
    calls = prod(extents[label] for label in found.loops)
    if found.kind == "LOOP":
        plain = classify(product, sizes, lambda operand: True)
        calls = LOOP * prod(product.sizes[label].value(sizes) for label in plain.loops)
    halves = 1 if found.kind in ("SYRK", "GEMMT") else 2
    return prod(extents) * calls * halves


def _view(node: Node, order: Labels) -> Node:
    """The node with its axes in this order."""
    labels = tuple([order.index(axis) for axis in range(node.rank)])
    return Einsum.of(node.rank, tuple([node.dims[axis] for axis in order]), (node,), (labels,))


def _along(node: Node, order: Labels) -> Node:
    """What is computed entry by entry, or a contraction, with its axes in this order."""
    if isinstance(node, Einsum):
        return _relabelled(node, order)
    operands = tuple([_view(operand, order) for operand in node.operands])
    if isinstance(node, Add):
        return Add.of(tuple([node.dims[axis] for axis in order]), node.coefficients, operands)
    return with_operands(node, operands)


def _relabelled(node: Einsum, order: Labels) -> Einsum:
    """The contraction with its axes in this order."""
    number = {label: k for k, label in enumerate(order)}
    sizes = (*[node.sizes[axis] for axis in order], *node.sizes[node.rank :])
    labels = [tuple([number.get(a, a) for a in own]) for own in node.labels]
    return Einsum.of(node.rank, sizes, node.operands, tuple(labels))


def _with(node: Einsum, new: Mapping[Node, tuple[Node, Labels]]) -> Einsum:
    """The contraction over operands with their axes in other orders."""
    operands = [new[n][0] if n in new else n for n in node.operands]
    labels = [
        tuple([own[axis] for axis in new[n][1]]) if n in new else own
        for n, own in zip(node.operands, node.labels, strict=True)
    ]
    return Einsum.of(node.rank, node.sizes, tuple(operands), tuple(labels))


def _turned(roots: Sequence[Node], orders: Orders) -> list[Node]:
    """The roots where nodes are stored in these orders."""
    if not orders:
        return [*roots]
    stored: dict[Node, tuple[Node, Labels]] = {}  # views, as what they are views of

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        made = with_operands(node, operands)
        if isinstance(made, Einsum):
            made = _with(made, stored)
        if node not in orders:
            return made
        order = orders[node]
        turned = _along(made, order)
        back = tuple([order.index(axis) for axis in range(node.rank)])
        view = _view(turned, back)
        stored[view] = turned, order
        return view

    results = fold(roots, visit)
    return [results[root] for root in roots]
