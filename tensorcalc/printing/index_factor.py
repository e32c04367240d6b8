"""A sum -> the same with what its terms share before it: numbers, scalars, entries.

Used by `index_form.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction
from math import gcd, lcm

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.ir import Add, Basis, Delta, Einsum, Labels, LeviCivita, Merge, Node, Range, Section

PLACES = (Basis, Merge, Range, Section)  # written as subscripts
MAX_TERMS = 32
MAX_FACTORS = 10  # of a term
Factors = list[tuple[Node, Labels]]
Sizes = dict[Hashable, Dim]


def factored(node: Add, part: Callable[[Node], str | None]) -> Node:
    """The sum with its common factors and numbers in front, as long as that is shorter.

    Of a few terms only the same is done where the rest has a matrix form, which `part` writes.
    """
    terms = canonical.terms_of(node)
    if not 1 < len(terms) <= MAX_TERMS or node.counters:
        return node
    split = [_factors(term) for _, term in terms]
    if max(len(own) for own in split) > MAX_FACTORS:
        return node
    whole = _pulled(node, terms)
    if whole is not None and not (_is_whole(whole, part) or _is_wide(whole)):
        whole = _pulled(node, terms, summed=False)  # a chain is rather left as it is
    if whole is not None:
        return whole
    grouped = _grouped(node, part)
    return _numbered(grouped if grouped is not None else node)


def _factors(term: Node) -> Factors:
    if isinstance(term, Einsum):
        return list(zip(term.operands, term.labels, strict=True))
    return [(term, tuple(range(term.rank)))]


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


def _numbered(node: Add) -> Node:
    """The sum with a common number in front, where fewer numbers then have to be written."""
    content = _content(node.coefficients)
    inner = [c / content for c in node.coefficients]
    before = sum(abs(c) != 1 for c in node.coefficients)
    if len(inner) < 2 or abs(content) == 1 or 1 + sum(abs(c) != 1 for c in inner) >= before:
        return node
    rest = Add.of(node.dims, tuple(inner), node.operands)
    return Add.of(node.dims, (content,), (rest,))


def _content(coefficients: Sequence[Fraction]) -> Fraction:
    """The largest number that leaves integers; negative if all are."""
    top = gcd(*[c.numerator for c in coefficients])
    content = Fraction(top, lcm(*[c.denominator for c in coefficients]))
    return -content if all(c < 0 for c in coefficients) else content


# ── factors ──────────────────────────────────────────────────────────────────────────────────


def _pulled(node: Add, terms: Sequence[canonical.Term], *, summed: bool = True) -> Node | None:
    """The sum with the factors that all terms have before it; None if there are none.

    Without `summed` only factors without summed labels are taken.
    """
    rank = node.rank
    sizes: Sizes = dict(enumerate(node.dims))
    first = _factors(terms[0][1])
    for _, labels in first:
        _enter(sizes, terms[0][1], labels)
    common = [(o, labels) for o, labels in first if summed or all(a < rank for a in labels)]
    common = [factor for factor in common if not isinstance(factor[0], PLACES)]
    if not common:
        return None
    renamed = [first]
    for k, (_, term) in enumerate(terms[1:], 1):
        own = _factors(term)
        found, names = _matched(common, own, rank)
        common = found
        for label in {a for _, labels in own for a in labels if a >= rank}:
            names.setdefault(label, (k, label))  # type: ignore[arg-type]
        fitted = [(o, tuple([names.get(a, a) for a in labels])) for o, labels in own]
        renamed.append(fitted)
        if isinstance(term, Einsum):
            sizes.update({names.get(a, a): d for a, d in enumerate(term.sizes)})
        if not common:
            return None
    common, rests = _open(common, renamed, rank)
    if not common or not any(rests):
        return None
    inside = {a for rest in rests for _, labels in rest for a in labels}
    outside = {a for _, labels in common for a in labels}
    axes = sorted(a for a in inside if isinstance(a, int) and (a < rank or a in outside))
    content = _content([c for c, _ in terms])
    inner_terms = []
    for (coefficient, _), rest in zip(terms, rests, strict=True):
        own_sizes: Sizes = {a: sizes[a] for a in axes}
        own_sizes |= {a: sizes[a] for _, labels in rest for a in labels}
        made = canonical.contract(axes, own_sizes, rest)
        inner_terms.append((coefficient / content, made))
    inner = canonical.add(tuple([sizes[a] for a in axes]), inner_terms)
    number = {a: a for a in range(rank)}
    for label in [*(a for _, labels in common for a in labels), *axes]:
        number.setdefault(label, len(number))
    factors = [*common, (inner, tuple(axes))]
    made = Einsum.of(
        rank,
        tuple([sizes[a] for a in number]),
        tuple([o for o, _ in factors]),
        tuple([tuple([number[a] for a in labels]) for _, labels in factors]),
    )
    return made if content == 1 else Add.of(node.dims, (content,), (made,))


def _enter(sizes: Sizes, term: Node, labels: Labels) -> None:
    if isinstance(term, Einsum):
        sizes.update({a: term.sizes[a] for a in labels})


def _matched(common: Factors, own: Factors, rank: int) -> tuple[Factors, dict[int, int]]:
    """The most factors of `common` that another term has too, and its summed labels renamed.

    All ways are tried: what is summed may be called differently in each term.
    """
    best: tuple[Factors, dict[int, int]] = ([], {})
    stack: list[tuple[int, Factors, frozenset[int], dict[int, int]]] = [(0, [], frozenset(), {})]
    for _ in range(2000):
        if not stack:
            break
        k, found, used, names = stack.pop()
        if len(found) + len(common) - k <= len(best[0]):
            continue
        if k == len(common):
            best = found, names
            continue
        operand, labels = common[k]
        stack.append((k + 1, found, used, names))
        for j, (other, at) in reversed(list(enumerate(own))):
            if j in used or other is not operand:
                continue
            joined = _joined(names, at, labels, rank)
            if joined is not None:
                stack.append((k + 1, [*found, common[k]], used | {j}, joined))
    return best[0], dict(best[1])


def _joined(names: dict[int, int], old: Labels, new: Labels, rank: int) -> dict[int, int] | None:
    """The renaming with `old` labels called `new`, if it can be: axes stay what they are."""
    names = dict(names)
    for a, b in zip(old, new, strict=True):
        if (a < rank or b < rank) and a != b:
            return None
        if a >= rank and names.setdefault(a, b) != b:
            return None
    return names if len(set(names.values())) == len(names) else None


def _open(common: Factors, terms: Sequence[Factors], rank: int) -> tuple[Factors, list[Factors]]:
    """The common factors whose summed labels all terms go on with, or none; and what is left."""
    while True:
        rests = []
        for own in terms:
            rest = list(own)
            for factor in common:
                rest.remove(factor)
            rests.append(rest)
        names = [{a for _, labels in rest for a in labels} for rest in rests]
        summed = {a for _, labels in common for a in labels if a >= rank}
        torn = {a for a in summed if 0 < sum(a in own for own in names) < len(names)}
        if not torn:
            return common, rests
        common = [factor for factor in common if torn.isdisjoint(factor[1])]


def _grouped(node: Add, part: Callable[[Node], str | None]) -> Add | None:
    """The sum with some terms joined that differ only in what has a matrix form together."""
    terms = list(canonical.terms_of(node))
    seen: dict[tuple[Node, Labels], list[canonical.Term]] = {}
    for coefficient, term in terms:
        for operand, labels in dict.fromkeys(_factors(term)):
            if labels and all(a < node.rank for a in labels):
                seen.setdefault((operand, labels), []).append((coefficient, term))
    result: list[canonical.Term] = []
    done: set[Node] = set()
    for sharing in seen.values():
        left = [(c, term) for c, term in sharing if term not in done]
        if len(left) < 2:
            continue
        joined = _pulled(Add.of(node.dims, *_columns(left)), left)
        if joined is None or not _is_whole(joined, part):
            continue
        ((coefficient, term),) = canonical.terms_of(joined)
        result.append((coefficient, term))
        done |= {term for _, term in left}
    if not done:
        return None
    result += [(c, term) for c, term in terms if term not in done]
    return Add.of(node.dims, *_columns(result))


def _columns(terms: Iterable[canonical.Term]) -> tuple[tuple[Fraction, ...], tuple[Node, ...]]:
    terms = list(terms)
    return tuple([c for c, _ in terms]), tuple([term for _, term in terms])


def _is_whole(node: Node, part: Callable[[Node], str | None]) -> bool:
    """Whether a product ends in a sum of entries that has a matrix form."""
    term = canonical.terms_of(node)[0][1]
    if not isinstance(term, Einsum):
        return False
    inner = term.operands[-1]
    return isinstance(inner, Add) and is_matrix_sum(inner) and part(inner) is not None


def _is_wide(node: Node) -> bool:
    """Whether no summed label connects a product with the sum in it, or a tensor is in there."""
    term = canonical.terms_of(node)[0][1]
    if not isinstance(term, Einsum):
        return False
    inner, labels = term.operands[-1], term.labels[-1]
    factors = [o for t in inner.operands for o, _ in _factors(t)]
    tensors = [o for o in factors if o.rank > 2 and not isinstance(o, LeviCivita | Merge)]
    return all(a < term.rank for a in labels) or bool(tensors)


def is_matrix_sum(node: Add) -> bool:
    """Whether the terms are matrices, or vectors, and products of those: not entry by entry."""
    return node.rank in (1, 2) and all(map(_is_chain, node.operands))


def _is_chain(term: Node) -> bool:
    """Whether a term is one part, with scalars before it."""
    if not isinstance(term, Einsum):
        return True
    ends = [{a for a in labels if a < term.rank} for labels in term.labels if labels]
    every = [label for labels in term.labels for label in labels]
    once = all(every.count(a) == 1 for a in range(term.rank))
    spans = any(len(own) == term.rank for own in ends) or len(term.sizes) > term.rank
    return bool(ends) and once and spans and not any(isinstance(o, Delta) for o in term.operands)
