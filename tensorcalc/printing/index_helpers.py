"""Which parts of a long formula are defined before it, and under which names.

Used by `index.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tensorcalc.ir import Add, Einsum, Map, Node
from tensorcalc.printing.index_form import weigh as length
from tensorcalc.printing.index_parts import Part
from tensorcalc.printing.index_style import numbered
from tensorcalc.traverse import fold, postorder, users

MAX_TREE = 400  # nodes of a result that repeats its shared parts
LEAST = 16  # symbols that a name must save
LETTERS = "EFGH"  # for what comes again in a short result


def planned_helpers(
    roots: Sequence[Node], named: Mapping[Node, str], taken: Iterable[str], part: Part | None = None
) -> list[tuple[str, Node]]:
    """The parts to define, in order, each under a name that is not taken.

    What is a `part` with a matrix form stands where it is used.
    """

    def weigh(node: Node, sizes: tuple[int, ...]) -> int:
        return 1 if node in named else 1 + sum(sizes)

    weights, counts = fold(roots, weigh), users(roots)
    is_long = sum(weights[root] for root in roots) > MAX_TREE
    chosen: set[Node] = {
        operand for node in postorder(roots) if isinstance(node, Einsum)
        for operand in node.operands
        if isinstance(operand, Einsum) and (part is None or part(operand) is None)
    }  # fmt: skip
    if part is not None:
        chosen |= _repeated(roots, counts, part)
    found: dict[Node, str] = {}
    if not is_long and not chosen:
        return []
    capitals, letters = numbered("T", taken), (x for x in LETTERS if x not in {*taken})

    def shorten(node: Node, sizes: tuple[int, ...]) -> int:
        weight = weigh(node, sizes)
        is_shared = is_long and counts[node] > 1 and bool(node.operands) and weight > 12
        if (is_shared or node in chosen) and not node.counters and node not in named:
            found[node] = next(capitals) if is_long else next(letters, None) or next(capitals)
            return 1
        return weight

    fold(roots, shorten)
    return [(name, node) for node, name in found.items()]


def _repeated(roots: Sequence[Node], counts: Mapping[Node, int], part: Part) -> set[Node]:
    """Sums and functions of entries that come several times: the largest such, long enough."""
    order = postorder(roots)
    lengths = fold(roots, length)  # without subscripts of what no product stands around
    result: set[Node] = set()
    for node in order:
        times = counts[node] - 1
        if not isinstance(node, Add | Map) or node.rank < 2 or node.counters or node in roots:
            continue
        if times and times * (lengths[node] - node.rank) > LEAST and part(node) is None:
            result.add(node)
    return result
