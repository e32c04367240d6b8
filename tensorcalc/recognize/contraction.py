"""A contraction and the forms of its operands in, its matrix form out: a graph is eliminated.

A contraction over operands of rank at most 2 is a graph: labels are vertices, operands are edges.
Summed labels are eliminated one at a time: a label between two matrices is a matrix product, one
between a matrix and vectors makes a vector, a closed cycle is a trace. What is left at the output
labels are entrywise and outer products.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorcalc import matrix_algebra as m
from tensorcalc.dims import Dim
from tensorcalc.ir import Basis, Einsum, LeviCivita, Merge
from tensorcalc.matrix_algebra import ONE, Matrix
from tensorcalc.recognize.graph import Graph, Pair, SizeText
from tensorcalc.recognize.merged_axes import enter_merges, replace_merge
from tensorcalc.recognize.totals import diagonal, inner_product, trace

SINGLE = Dim.of(1)  # summed over one index only


def contraction_form(
    node: Einsum, operands: Sequence[Matrix | None], size_text: SizeText
) -> Matrix | None:
    """The matrix form of a contraction whose operands have the forms `operands`."""
    graph = _graph(node, operands, size_text)
    if graph is None:
        return None
    done: set[int] = set()
    while True:
        merged = {label for whole, parts in graph.merges for label in (whole, *parts)}
        merged |= {label for labels in graph.signs for label in labels}
        ready = [label for label in graph.fixed if label not in merged]
        if not all(_fix_entry(graph, label) for label in ready):
            return None
        waiting = graph.vectors.keys() | graph.pairs.keys()
        waiting = {label for label in waiting if label >= graph.rank} - done
        waiting -= merged | graph.fixed.keys()
        if waiting:
            choice = min(waiting, key=lambda label: _effort(graph, label))
            if len(graph.ends(choice)) > 2:
                return None
            done.add(choice)
            _eliminate(graph, choice)
        elif any(_cross(graph, labels) for labels in list(graph.signs)):
            continue
        elif graph.signs:
            return None
        elif not graph.merges:
            return None if graph.fixed else _output(graph)
        elif not any(replace_merge(graph, *merge) for merge in list(graph.merges)):
            return None


def _graph(node: Einsum, operands: Sequence[Matrix | None], size_text: SizeText) -> Graph | None:
    """The contraction as a graph; None if an operand has no form."""
    graph = Graph(node.rank, dict(enumerate(node.sizes)), size_text)
    factors = list(zip(node.operands, operands, node.labels, strict=True))
    enter_merges(graph, [labels for o, _, labels in factors if isinstance(o, Merge)])
    parts = {part for _, own in graph.merges for part in own}
    for operand, form, labels in factors:
        if isinstance(operand, Merge):
            continue
        if isinstance(operand, LeviCivita) and operand.rank == 3:
            graph.signs.append(labels)
            continue
        if isinstance(operand, Basis) and labels[0] >= node.rank and labels[0] not in parts:
            graph.fixed[labels[0]] = operand
            if form is not None:
                graph.units[labels[0]] = form
            continue
        if form is None or operand.rank > 2:
            return None
        match labels:
            case ():
                graph.scalars.append(form)
            case (a,):
                graph.add_vector(a, form)
            case (a, b) if form.shape == "column" and b >= node.rank and node.sizes[b] == SINGLE:
                graph.add_vector(a, form)
            case (a, b):
                graph.add_matrix(a, b, form)
    return graph


def _fix_entry(graph: Graph, label: int) -> bool:
    """Entries at a fixed label become scalars; beside a matrix a unit vector stays one."""
    for form in graph.vectors.pop(label, []):
        graph.scalars.append(m.entry(form, (graph.fixed[label].position,)))
    for pair in graph.ends(label):
        if sum(pair) - label in graph.fixed:
            places = [graph.fixed[end].position for end in pair]
            graph.scalars += [m.entry(f, (places[0], places[1])) for f in graph.take(pair)]
    if graph.ends(label):
        if graph.units.get(label) is None:
            return False
        graph.add_vector(label, graph.units[label])
    del graph.fixed[label]
    return True


def _cross(graph: Graph, labels: tuple[int, ...]) -> bool:
    """Replace an antisymmetric factor by the cross product of the vectors at two labels."""
    for turn in range(3):  # turning all three around keeps the sign
        a, b, c = labels[turn:] + labels[:turn]
        if min(b, c) < graph.rank or graph.ends(b) or graph.ends(c):
            continue
        if b in graph.vectors and c in graph.vectors:
            sides = [m.hadamard(graph.vectors.pop(label)) for label in (b, c)]
            graph.signs.remove(labels)
            graph.add_vector(a, m.call("cross", sides, "column"))
            return True
    return False


def _effort(graph: Graph, label: int) -> tuple[int, bool, int]:
    """Ends of chains come first, then plain products, then products around a diagonal."""
    count = len(graph.pairs.get(label, ()))
    return max(1, count), label in graph.vectors and count > 1, label


def _eliminate(graph: Graph, label: int) -> None:
    """Sum over a label: what hung on it becomes a scalar, a vector or a matrix."""
    vectors = graph.vectors.pop(label, [])
    pairs = graph.ends(label)
    if not pairs:
        graph.scalars.append(inner_product(vectors))
    elif len(pairs) == 1 and not vectors and _closes(graph, pairs[0]):
        left, right = graph.take(pairs[0])
        graph.scalars.append(trace(m.product(ONE, [], [m.transpose(left), right])))
        # the other label has nothing left; summing it again adds nothing
        graph.vectors.setdefault(sum(pairs[0]) - label, [])
    elif len(pairs) == 1:
        both = graph.matrices[pairs[0]] if not vectors else []
        other, into = graph.ending(pairs[0], label)
        vector = m.hadamard(vectors) if vectors else m.ones("column")
        form = m.product(ONE, [], [into, vector])
        if len(both) == 2:  # row sums of A.*B are the diagonal of A*B'
            left, right = both if other < label else [m.transpose(x) for x in both]
            along = diagonal(m.product(ONE, [], [left, m.transpose(right)]))
            form = along if along.cost <= form.cost else form
        graph.add_vector(other, form)
    else:
        (a, left), (b, right) = (graph.ending(pair, label) for pair in pairs)
        middle = [m.diag(m.hadamard(vectors))] if vectors else []
        graph.add_matrix(a, b, m.product(ONE, [], [left, *middle, m.transpose(right)]))


def _closes(graph: Graph, pair: Pair) -> bool:
    """Whether the two matrices between two labels are all there is: a trace."""
    return (
        len(graph.matrices[pair]) == 2
        and all(label >= graph.rank for label in pair)
        and all(label not in graph.vectors and len(graph.pairs[label]) == 1 for label in pair)
    )


def _output(graph: Graph) -> Matrix:
    """What is left at the labels of the output."""
    rank = graph.rank
    if rank == 0:
        return m.product(ONE, graph.scalars, [])
    left = graph.vectors.get(0, [])
    if rank == 1:
        column = m.hadamard(left) if left else m.ones("column")
        return m.product(ONE, graph.scalars, [column]) if graph.scalars or left else column
    right = graph.vectors.get(1, [])
    between = graph.matrices.get((0, 1))
    if between is None:
        if not left and not right:
            return m.spread(m.product(ONE, graph.scalars, []), "matrix")
        column = m.hadamard(left) if left else m.ones("column")
        row = m.hadamard(right) if right else m.ones("column")
        return m.product(ONE, graph.scalars, [column, m.transpose(row)])
    middle = m.hadamard(between)
    if middle.op == "eye" and (left or right):
        return m.product(ONE, graph.scalars, [m.diag(m.hadamard([*left, *right]))])
    chain = [m.diag(m.hadamard(left))] if left else []
    chain.append(middle)
    chain += [m.diag(m.hadamard(right))] if right else []
    return m.product(ONE, graph.scalars, chain)
