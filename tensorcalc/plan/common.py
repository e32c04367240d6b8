"""IR in, the same IR with what several contractions have in common contracted once.

The terms of a sum that are contractions with the same operands become one: ``A*C - B*C`` is
``(A - B)*C``. And the gradients of a network's layers, each simplified by itself, are long
contractions that begin alike: the part that is made of the same operands under the same labels
becomes a node of its own. Both are done where they save multiplications. Comes before
`contract.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from fractions import Fraction
from itertools import combinations

from tensorcalc import canonical
from tensorcalc.dims import Dims
from tensorcalc.ir import Add, Delta, Einsum, Labels, Node
from tensorcalc.plan.indices import STRUCTURE
from tensorcalc.plan.nodes import contraction_of, through, with_operands
from tensorcalc.traverse import fold, postorder, users

MAX_CONTRACTIONS = 48  # the longest, among which common parts are looked for
MAX_ROUNDS = 64
MAX_TERMS = 16  # of a sum in which contractions are looked for that are alike
MIN_SAVED = 4  # times as many multiplications, for a sum to be contracted term by term
ONE = Fraction(1)
Term = tuple[Fraction, Node]
Cost = Callable[[Einsum], int]  # multiplications of a contraction


def share_contractions(roots: Sequence[Node], cost: Cost) -> list[Node]:
    """The same roots, where what contractions have in common is a node."""
    known: dict[Node, int] = {}

    def cached(node: Node) -> int:
        if not isinstance(node, Einsum):
            return 0
        if node not in known:
            known[node] = cost(node)
        return known[node]

    found = _factored(_distributed(roots, cached), cached)
    for _ in range(MAX_ROUNDS):
        replaced = _best(found, cached)
        if replaced is None:
            break
        found = _replaced(found, replaced)
    return _scaled(found)


# ── factors ──────────────────────────────────────────────────────────────────────────────────


def _scaled(roots: Sequence[Node]) -> list[Node]:
    """The roots, where a number before a contraction multiplies one of its operands instead."""
    users = Counter(operand for node in postorder(roots) for operand in node.operands)
    kept = set(roots)

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        node, old = with_operands(node, operands), node
        if not isinstance(node, Add) or len(operands) != 1:
            return node
        (whole,) = operands
        if users[old.operands[0]] > 1 or old.operands[0] in kept or not isinstance(whole, Einsum):
            return node
        if any(isinstance(operand, Delta) for operand in whole.operands):
            number = canonical.number(node.coefficients[0])
            factors, labels = (*whole.operands, number), (*whole.labels, ())
            return Einsum.of(whole.rank, whole.sizes, factors, labels)
        if whole.rank == len(whole.sizes) or not _is_plain(whole):
            return node
        place = min(range(len(whole.operands)), key=lambda k: whole.operands[k].rank)
        factor = whole.operands[place]
        if factor.rank + 2 > whole.rank:  # not so much smaller than the result
            return node
        scaled = Add.of(factor.dims, node.coefficients, (factor,))
        factors = (*whole.operands[:place], scaled, *whole.operands[place + 1 :])
        return Einsum.of(whole.rank, whole.sizes, factors, whole.labels)

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _distributed(roots: Sequence[Node], cost: Callable[[Node], int]) -> list[Node]:
    """The roots, where sums of small products are contracted term by term if that is far less.

    ``(A*B' + C*D')*E`` with tall matrices is ``A*(B'*E) + C*(D'*E)``. A sum with a term that costs
    as much as the sum is left alone: residuals are not torn apart. What else is used counts as
    there anyway. But in ``sum[j](P[i,j]*P[k,j] - P[i,j]*delta[i,k])`` the second term is a
    diagonal, and the first a product of matrices.
    """
    roots = list(roots)
    count = users(roots)

    def visit(old: Node, operands: tuple[Node, ...]) -> Node:
        node = with_operands(old, operands)
        if not isinstance(node, Einsum) or not _is_plain(node):
            return node
        for place, operand in enumerate(operands):
            if not isinstance(operand, Add) or not 1 < len(operand.operands) <= MAX_TERMS:
                continue
            terms = [term for term in operand.operands if isinstance(term, Einsum)]
            if len(terms) < len(operand.operands):
                continue
            is_own = count.get(old.operands[place]) == 1
            made = [through(node, place, term) for term in terms]
            if is_own and _has_diagonals(node, place, terms):
                return Add.of(node.dims, operand.coefficients, tuple(made))
            if not all(_is_plain(term) for term in terms):
                continue
            now = cost(node)
            if is_own:
                inner = zip(old.operands[place].operands, operand.operands, strict=True)
                now += sum(cost(term) for before, term in inner if count[before] == 1)
            if MIN_SAVED * sum(map(cost, made)) <= now > 0:
                return Add.of(node.dims, operand.coefficients, tuple(made))
        return node

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _has_diagonals(node: Einsum, place: int, terms: Sequence[Einsum]) -> bool:
    """Whether terms that are summed over some axes are zero but on a diagonal that is kept.

    No other structure is among the terms, and nothing but numbers beside them.
    """
    if any(operand.rank for k, operand in enumerate(node.operands) if k != place):
        return False
    axes = node.labels[place]
    kept = {axis for axis, label in enumerate(axes) if label < node.rank}
    diagonal = 0
    for term in terms:
        for operand, labels in zip(term.operands, term.labels, strict=True):
            if isinstance(operand, STRUCTURE) or (
                isinstance(operand, Delta) and not {*labels} <= kept
            ):
                return False
        diagonal += any(isinstance(operand, Delta) for operand in term.operands)
    return len(kept) < len(axes) and 0 < diagonal < len(terms)


# ── terms of a sum ───────────────────────────────────────────────────────────────────────────


def _factored(roots: Sequence[Node], cost: Callable[[Node], int]) -> list[Node]:
    """The roots with sums of contractions as contractions of sums."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        node = with_operands(node, operands)
        if not isinstance(node, Add) or len(node.operands) > MAX_TERMS:
            return node
        terms = list(canonical.terms_of(node))
        while joined := _joined(terms, cost):
            terms = joined
        return node if len(terms) == len(node.operands) else _sum(node.dims, terms)

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _sum(dims: Dims, terms: Sequence[Term]) -> Node:
    if len(terms) == 1 and terms[0][0] == 1:
        return terms[0][1]
    return Add.of(dims, tuple([c for c, _ in terms]), tuple([node for _, node in terms]))


def _joined(terms: Sequence[Term], cost: Callable[[Node], int]) -> list[Term] | None:
    """The terms with those two made one that saves most; None if none does."""
    best: list[Term] | None = None
    most = 0
    for (j, (c, first)), (k, (d, second)) in combinations(enumerate(terms), 2):
        if not isinstance(first, Einsum) or not isinstance(second, Einsum):
            continue
        if len(first.operands) < 2 or len(second.operands) < 2 or cost(first) + cost(second) == 0:
            continue
        made = _join(c, first, d, second)
        if made is None:
            continue
        total, parts = made
        saved = cost(first) + cost(second) - cost(total) - sum(map(cost, parts))
        if saved > most:
            rest = [term for n, term in enumerate(terms) if n not in (j, k)]
            best, most = [*rest, (ONE, total)], saved
    return best


def _join(
    c: Fraction, first: Einsum, d: Fraction, second: Einsum
) -> tuple[Einsum, list[Node]] | None:
    """``c*first + d*second`` as one contraction, and the sums' terms that it needs."""
    axes = {axis: axis for axis in range(first.rank)}
    common, same = _alike(first, second, axes)
    if not common or not _is_plain(first) or not _is_plain(second):
        return None
    outer = _labels(first, common) | {*axes}
    inner = [
        (operand, labels)
        for operand, labels in zip(first.operands, first.labels, strict=True)
        if operand not in common
    ]
    other = [
        (operand, labels)
        for operand, labels in zip(second.operands, second.labels, strict=True)
        if operand not in common
    ]
    open_axes = tuple(sorted({a for _, own in inner for a in own} & outer))
    back = {b: a for a, b in same.items()}
    others = {back[b] for _, own in other for b in own if b in back}
    if not inner or not other or {a for a in others if a in outer} != {*open_axes}:
        return None
    sizes = dict(enumerate(first.sizes))
    parts = [
        contraction_of(open_axes, sizes, inner),
        contraction_of(tuple([same[a] for a in open_axes]), dict(enumerate(second.sizes)), other),
    ]
    total = _sum(parts[0].dims, [(c, parts[0]), (d, parts[1])])
    kept = [(n, own) for n, own in zip(first.operands, first.labels, strict=True) if n in common]
    made = contraction_of(tuple(range(first.rank)), sizes, [(total, open_axes), *kept])
    return (made, parts) if isinstance(made, Einsum) else None


def _labels(node: Einsum, operands: Sequence[Node]) -> set[int]:
    pairs = zip(node.operands, node.labels, strict=True)
    return {label for operand, own in pairs if operand in operands for label in own}


# ── parts ────────────────────────────────────────────────────────────────────────────────────


def _replaced(roots: Sequence[Node], new: Mapping[Node, tuple[Node, Node]]) -> list[Node]:
    """The roots where nodes become contractions over their parts."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if node not in new:
            return with_operands(node, operands)
        part, whole = new[node]
        made = dict(zip(node.operands, operands, strict=True))
        done = with_operands(part, tuple([made[n] for n in part.operands]))
        if whole is part:
            return done
        return with_operands(whole, tuple([done if n is part else made[n] for n in whole.operands]))

    results = fold(roots, visit)
    return [results[root] for root in roots]


def _best(
    roots: Sequence[Node], cost: Callable[[Node], int]
) -> dict[Node, tuple[Node, Node]] | None:
    """The two contractions that save most by sharing a part, with the part and what they become."""
    nodes = [
        node
        for node in postorder(roots)
        if isinstance(node, Einsum) and len(node.operands) > 2 and _is_plain(node)
    ]
    nodes = sorted(nodes, key=lambda node: -len(node.operands))[:MAX_CONTRACTIONS]
    best: dict[Node, tuple[Node, Node]] | None = None
    most = 0
    for first, second in combinations(nodes, 2):
        pair = _split(first, second)
        if pair is None:
            continue
        part, left, right = pair
        after = cost(part) + sum(cost(rest) for rest in (left, right) if rest is not part)
        saved = cost(first) + cost(second) - after
        if saved > most:
            best, most = {first: (part, left), second: (part, right)}, saved
    return best


def _is_plain(node: Einsum) -> bool:
    return not any(isinstance(operand, (*STRUCTURE, Delta)) for operand in node.operands)


def _split(first: Einsum, second: Einsum) -> tuple[Node, Node, Node] | None:
    """What two contractions have in common, and both over it; None if that is too little."""
    common, same = _alike(first, second, {})
    back = {b: a for a, b in same.items()}
    places = [_single(node) for node in (first, second)]
    common = _connected(common, places[0], range(len(first.sizes)))

    def kept_of(common: Sequence[Node]) -> set[int]:
        """The labels of a part that are needed outside of it."""
        inside = {label for operand in common for label in places[0][operand]}
        others = {back[label] for label in _outside(second, common) if label in back}
        return inside & (_outside(first, common) | others)

    kept = kept_of(common)
    inner = {label for operand in common for label in places[0][operand]} - kept
    joined = _connected(common, places[0], inner)
    reached = {label for operand in joined for label in places[0][operand]}
    whole = any(kept <= {*places[0][operand]} for operand in common)
    if not kept <= reached and not whole:
        common, kept = joined, kept_of(joined)  # the rest would make it an outer product
    if len(common) < 2:
        return None
    axes = tuple(sorted(kept))
    part = contraction_of(axes, dict(enumerate(first.sizes)), [(n, places[0][n]) for n in common])
    return (
        part,
        _over(first, common, part, axes),
        _over(second, common, part, tuple([same[a] for a in axes])),
    )


def _alike(
    first: Einsum, second: Einsum, same: Mapping[int, int]
) -> tuple[list[Node], dict[int, int]]:
    """The operands that two contractions have in common, and which labels are then the same."""
    places = [_single(node) for node in (first, second)]
    found = dict(same)
    common: list[Node] = []
    for operand in first.operands:
        if operand not in places[0] or operand not in places[1] or not operand.rank:
            continue
        pairs = list(zip(*[place[operand] for place in places], strict=True))
        trial = {**found, **{a: b for a, b in pairs if a not in found}}
        one_to_one = len({*trial.values()}) == len(trial)
        if one_to_one and all(trial[a] == b for a, b in pairs):
            found = trial
            common.append(operand)
    return common, found


def _single(node: Einsum) -> dict[Node, Labels]:
    """The labels of the operands that occur once."""
    count = Counter(node.operands)
    pairs = zip(node.operands, node.labels, strict=True)
    return {operand: labels for operand, labels in pairs if count[operand] == 1}


def _connected(
    nodes: Sequence[Node], labels: Mapping[Node, Labels], links: Container[int]
) -> list[Node]:
    """The most of the nodes that hang together by labels of `links`."""
    left = list(nodes)
    best: list[Node] = []
    while left:
        group, reached = [left.pop(0)], set[int]()
        reached |= {a for a in labels[group[0]] if a in links}
        while more := [node for node in left if not reached.isdisjoint(labels[node])]:
            group += more
            reached |= {a for node in more for a in labels[node] if a in links}
            left = [node for node in left if node not in more]
        best = max(best, group, key=len)
    return best


def _outside(node: Einsum, common: Sequence[Node]) -> set[int]:
    """The labels of the result and of the other operands."""
    pairs = zip(node.operands, node.labels, strict=True)
    rest = {label for operand, own in pairs if operand not in common for label in own}
    return rest | {*range(node.rank)}


def _over(node: Einsum, common: Sequence[Node], part: Node, axes: Labels) -> Node:
    """The contraction with the common operands replaced by their part."""
    pairs = zip(node.operands, node.labels, strict=True)
    rest = [(operand, own) for operand, own in pairs if operand not in common]
    return contraction_of(
        tuple(range(node.rank)), dict(enumerate(node.sizes)), [(part, axes), *rest]
    )
