"""IR in, the same IR with shared contractions opened where it costs less to repeat them.

``M = A*B*A`` is computed once if it is needed as a matrix. If all that use it are contractions such
as ``M*x``, then ``A*(B*(A*x))`` is less, even several times. Comes before `common.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from tensorcalc.ir import Delta, Einsum, Node
from tensorcalc.plan.indices import STRUCTURE
from tensorcalc.plan.nodes import through, with_operands
from tensorcalc.traverse import fold, postorder

MAX_ROUNDS = 64
MAX_OPERANDS = 10  # of a contraction that another was opened in: up to here the best order is found
MAX_USERS = 8
Cost = Callable[[Einsum], int]  # multiplications of a contraction


def reopen(roots: Sequence[Node], cost: Cost) -> list[Node]:
    """The same roots, where contractions are opened in those that use them."""
    known: dict[Einsum, int] = {}

    def cached(node: Einsum) -> int:
        if node not in known:
            known[node] = cost(node)
        return known[node]

    found = list(roots)
    for _ in range(MAX_ROUNDS):
        chosen = _cheaper(found, cached)
        if not chosen:
            break
        found = _opened(found, chosen)
    return found


def _opened(roots: Sequence[Node], chosen: Collection[Node]) -> list[Node]:
    """The roots with the chosen contractions opened wherever they stand."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        made = with_operands(node, operands)
        return _over(made, [k for k, old in enumerate(node.operands) if old in chosen])

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _over(node: Node, places: Sequence[int]) -> Node:
    """The contraction over the operands of those in these places."""
    for place in reversed(places):
        inner = node.operands[place]
        if not isinstance(node, Einsum) or not isinstance(inner, Einsum):
            raise AssertionError("only contractions in contractions are opened")
        node = through(node, place, inner)
    return node


def _cheaper(roots: Sequence[Node], cost: Cost) -> set[Node]:
    """Contractions that cost less when opened, none of which stands inside of another."""
    order = postorder(roots)
    users: dict[Node, list[Node]] = {}
    for node in order:
        for operand in dict.fromkeys(node.operands):
            users.setdefault(operand, []).append(node)
    chosen: set[Node] = set()
    touched: set[Node] = set()
    for node in reversed(order):
        around = users.get(node, [])
        if not _may_open(node) or node in roots or len(around) > MAX_USERS:
            continue
        if any(user in chosen or user in touched for user in around):
            continue
        now = after = 0
        for user in around:
            if not isinstance(user, Einsum) or not _is_plain(user):
                break
            places = [k for k, operand in enumerate(user.operands) if operand is node]
            made = _over(user, places)
            if not isinstance(made, Einsum) or len(made.operands) > MAX_OPERANDS:
                break
            now, after = now + cost(user), after + cost(made)
        else:
            if after < now + cost(node):  # type: ignore[arg-type]
                chosen.add(node)
                touched.update(around)
    return chosen


def _may_open(node: Node) -> bool:
    """Whether a node is a contraction of several operands that sums."""
    if not isinstance(node, Einsum) or len(node.operands) < 2:
        return False
    return len(node.sizes) > node.rank and _is_plain(node)


def _is_plain(node: Einsum) -> bool:
    return not any(isinstance(operand, (*STRUCTURE, Delta)) for operand in node.operands)
