"""Merged axes of a contraction in, `kron`, `vec` and `commutation` in their place out."""

from __future__ import annotations

from itertools import product

from tensorcalc import matrix_algebra as m
from tensorcalc.matrix_algebra import ONE, Matrix
from tensorcalc.recognize.graph import Graph, Merged, Pair


def enter_merges(graph: Graph, merges: list[tuple[int, ...]]) -> None:
    """Give every merge parts of its own: one that is used elsewhere is joined by a unit."""
    used = set(range(graph.rank))
    for whole, *parts in merges:
        own = []
        for part in parts:
            label = part
            if part in used:
                label = len(graph.sizes)
                graph.sizes[label] = graph.sizes[part]
                graph.add_matrix(part, label, m.eye(graph.size_text(graph.sizes[part])))
            used.add(part)
            own.append(label)
        graph.merges.append((whole, tuple(own)))


def replace_merge(graph: Graph, whole: int, parts: tuple[int, ...]) -> bool:
    """Replace a merged axis by what its parts are of; whether that could be done."""
    ends = [graph.ends(part) for part in parts]
    if len(parts) == 2 and any(len(pairs) > 1 for pairs in ends):
        _enter_between(graph, whole, parts)
        ends = [graph.ends(part) for part in parts]
    if any(len(pairs) > 1 for pairs in ends):
        return False
    if not any(ends):
        graph.merges.remove((whole, parts))
        graph.add_vector(whole, m.call("kron", [_column(graph, part) for part in parts], "column"))
        return True
    if len(parts) == 2 and ends[0] == ends[1]:
        columns, rows = parts
        pair = ends[0][0]
        _, form = graph.ending(pair, columns)
        chain = [_beside(graph, rows), form, _beside(graph, columns)]
        product = m.product(ONE, [], [f for f in chain if f is not None])
        graph.merges.remove((whole, parts))
        graph.add_vector(whole, m.call("vec", [product], "column"))
        return True
    others = [
        sum(pairs[0]) - part if pairs else None for part, pairs in zip(parts, ends, strict=True)
    ]
    match = next((other for other in graph.merges if set(others) == set(other[1])), None)
    if match is not None and len(parts) == len(match[1]):
        # what stands between the parts of the other is not to be summed away
        if any(len(graph.ends(part)) > 1 for part in match[1]):
            _enter_between(graph, *match)
        if any(len(graph.ends(part)) > 1 for part in match[1]):
            return False
        return _kron(graph, whole, parts, others, match)
    if len(parts) == 2 and others[0] == others[1] and others[0] is not None:
        return _khatri_rao(graph, whole, parts, others[0])
    outside = [other for other in others if other is not None]
    inner = {part for _, own in graph.merges for part in own}
    if len(outside) != 1 or outside[0] in inner:
        return False
    forms = []
    for part, pairs in zip(parts, ends, strict=True):
        forms.append(_toward(graph, part, pairs[0]) if pairs else _column(graph, part))
    graph.merges.remove((whole, parts))
    graph.add_matrix(whole, outside[0], m.call("kron", forms, "matrix"))
    return True


def _enter_between(graph: Graph, whole: int, parts: tuple[int, ...]) -> None:
    """Turn a matrix between the two parts of a merged axis into a vector along the axis."""
    for column, row in product(*[_twins(graph, part) for part in parts]):
        pair = (min(column, row), max(column, row))
        if pair in graph.matrices:
            _, form = graph.ending(pair, column)
            graph.add_vector(whole, m.call("vec", [form], "column"))
            return


def _twins(graph: Graph, label: int) -> list[int]:
    """A label and those that a unit makes equal to it."""
    joined = [pair for pair in graph.ends(label) if graph.matrices[pair][0].op == "eye"]
    return [label, *[sum(pair) - label for pair in joined]]


def _khatri_rao(graph: Graph, whole: int, parts: tuple[int, ...], other: int) -> bool:
    """Two parts joined to one label: ``kron(A, vector(1)).*kron(vector(1), B)``."""
    first, second = (_toward(graph, part, graph.ends(part)[0]) for part in parts)
    above, below = (_ones(graph, part) for part in parts)
    forms = [
        m.call("kron", [first, below], "matrix"),
        m.call("kron", [above, second], "matrix"),
    ]
    graph.merges.remove((whole, parts))
    graph.add_matrix(whole, other, m.hadamard(forms))
    return True


def _kron(
    graph: Graph,
    whole: int,
    parts: tuple[int, ...],
    others: list[int | None],
    match: Merged,
) -> bool:
    """Two merged axes whose parts are joined one by one, perhaps in another order."""
    order = [match[1].index(other) for other in others if other is not None]
    straight = order == sorted(order)
    sizes = [graph.size_text(graph.sizes[part]) for part in match[1]]
    if not straight and (len(order) != 2 or None in sizes):
        return False
    forms = []
    for part, other in zip(parts, others, strict=True):
        pair = graph.ends(part)[0]
        middle = _toward(graph, part, pair)
        after = _beside(graph, other) if other is not None else None
        forms.append(middle if after is None else m.product(ONE, [], [middle, after]))
    graph.merges.remove((whole, parts))
    graph.merges.remove(match)
    symmetric = all(form.symmetric for form in forms)
    form = m.call("kron", forms, "matrix", symmetric=symmetric)
    if not straight:
        ends = [m.name(str(size), "scalar") for size in sizes[::-1]]
        turned = m.call("commutation", ends, "matrix", symmetric=ends[0] == ends[1])
        every = all(f.op == "eye" for f in forms)
        form = turned if every else m.product(ONE, [], [form, turned])
    graph.add_matrix(whole, match[0], form)
    return True


def _toward(graph: Graph, part: int, pair: Pair) -> Matrix:
    """What stands between a part and the other label, with rows of the part."""
    before = _beside(graph, part)
    _, form = graph.ending(pair, sum(pair) - part)
    return form if before is None else m.product(ONE, [], [before, form])


def _beside(graph: Graph, part: int) -> Matrix | None:
    """The vectors at a part as a diagonal matrix."""
    vectors = graph.vectors.pop(part, [])
    return m.diag(m.hadamard(vectors)) if vectors else None


def _column(graph: Graph, part: int) -> Matrix:
    """The vectors at a part as one."""
    vectors = graph.vectors.pop(part, [])
    return m.hadamard(vectors) if vectors else _ones(graph, part)


def _ones(graph: Graph, part: int) -> Matrix:
    """Ones along a part."""
    size = graph.size_text(graph.sizes[part])
    return m.call("vector", [m.number(ONE), m.name(size or "?", "scalar")], "column")
