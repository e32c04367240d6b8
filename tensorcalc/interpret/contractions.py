"""A contraction and its operands' arrays in, its value out, as exactly as can be.

An inverse times its neighbour is solved for, and the derivative of a determinant is that of a
polynomial; what is left is one `numpy.einsum`, or several ordered by opt_einsum.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tensorcalc.binding import Array
from tensorcalc.interpret.matrix_functions import adjugate
from tensorcalc.ir import Einsum, MatrixFunction, Merge, Node, Variable

MAX_LABELS = 52  # of np.einsum
MAX_OPERANDS = 2  # beyond, the order of contraction matters


def contraction(
    node: Einsum,
    operands: tuple[Array, ...],
    known: Mapping[Node, Array],
    sizes: Mapping[str, int],
    dtype: np.dtype[Any],
) -> Array:
    """The value of a contraction; `known` are the values of its operands' own operands."""
    made = _cofactors(node, operands, known)
    solved = _solve(node, operands, known) if made is None else (node, made)
    return _contraction(*(solved or (node, operands)), sizes, dtype)


def _contraction(
    node: Einsum,
    operands: tuple[Array, ...],
    sizes: Mapping[str, int],
    dtype: np.dtype[Any],
) -> Array:
    if any(isinstance(operand, Merge) for operand in node.operands):
        split = _split(node, operands, sizes)
        if split is not None:
            return split
    covered = sorted({a for labels in node.labels for a in labels})
    number = {label: k for k, label in enumerate(covered)}
    labels = [[number[a] for a in labels] for labels in node.labels]
    output = [number[a] for a in covered if a < node.rank]
    if not operands:
        result = np.ones((), dtype)
    elif len(covered) <= MAX_LABELS and len(operands) <= MAX_OPERANDS:
        pairs = [part for pair in zip(operands, labels, strict=True) for part in pair]
        result = np.einsum(*pairs, output)
    else:
        result = _contracted(operands, labels, output)
    for label in range(node.rank, len(node.sizes)):  # a sum over a label that no operand has
        if label not in number:
            result = result * dtype.type(node.sizes[label].value(sizes))
    shape = tuple([dim.value(sizes) for dim in node.dims])
    here = tuple([shape[a] if a in number else 1 for a in range(node.rank)])
    return np.array(np.broadcast_to(np.reshape(result, here), shape))


def _contracted(
    arrays: Sequence[Array], labels: Sequence[Sequence[int]], output: Sequence[int]
) -> Array:
    """The contraction of arrays, two at a time."""
    from opt_einsum import contract, get_symbol

    names = ["".join(map(get_symbol, part)) for part in [*labels, output]]
    result: Array = contract(",".join(names[:-1]) + "->" + names[-1], *arrays, optimize="auto")
    return result


def _cofactors(
    node: Einsum, operands: tuple[Array, ...], known: Mapping[Node, Array]
) -> tuple[Array, ...] | None:
    """The operands with ``det(X)*inv(X)`` made ``1*adj(X)`` where X is singular; None if none is.

    So the derivative of a determinant, which is a polynomial, has a value everywhere.
    """
    arrays = list(operands)
    made = None
    free = [k for k, o in enumerate(node.operands) if _is_function(o, "det")]
    for k, inverse in enumerate(node.operands):
        if not _is_function(inverse, "inv") or np.all(np.isfinite(arrays[k])):
            continue
        (matrix,) = inverse.operands
        for j in free:
            same = node.operands[j].operands[0] is matrix
            if same and node.labels[j] == node.labels[k][:-2]:
                arrays[j] = np.ones_like(arrays[j])
                arrays[k] = adjugate(known[matrix])
                free.remove(j)
                made = arrays
                break
    return None if made is None else tuple(made)


def _is_function(node: Node, function: str) -> bool:
    return isinstance(node, MatrixFunction) and node.function == function


def _solve(
    node: Einsum, operands: tuple[Array, ...], known: Mapping[Node, Array]
) -> tuple[Einsum, tuple[Array, ...]] | None:
    """The contraction with an inverse times its neighbour solved for; None if it has none.

    A solution has a small residual even where the inverse has lost all its digits.
    """
    factors = list(zip(node.operands, node.labels, operands, strict=True))
    counts = Counter(label for labels in node.labels for label in labels)
    for k, (inverse, own, _) in enumerate(factors):
        if not _is_function(inverse, "inv"):
            continue
        if inverse.rank != 2 or own[0] == own[1]:
            continue
        near = [
            (len(labels), j, side)
            for side in (1, 0)
            for j, (_, labels, _) in enumerate(factors)
            if j != k and labels.count(own[side]) == 1 and counts[own[side]] == 2
            and own[side] >= node.rank and own[1 - side] not in labels
        ]  # fmt: skip
        if not near:
            continue
        _, j, side = min(near)
        matrix = known[inverse.operands[0]]
        _, labels, right = factors[j]
        axis = labels.index(own[side])
        columns = np.moveaxis(right, axis, 0)
        flat = columns.reshape(len(columns), math.prod(columns.shape[1:]))
        solution = _solution(matrix if side else matrix.T, flat).reshape(columns.shape)
        rest = [factor for i, factor in enumerate(factors) if i not in (j, k)]
        new_labels = (own[1 - side], *labels[:axis], *labels[axis + 1 :])
        dims = tuple([node.sizes[label] for label in new_labels])
        stand_in = Variable.of("", dims)  # only its place in the contraction matters
        solved = [*rest, (stand_in, new_labels, solution)]
        smaller = Einsum.of(
            node.rank,
            node.sizes,
            tuple([factor[0] for factor in solved]),
            tuple([factor[1] for factor in solved]),
        )
        return _without_label(smaller, own[side]), tuple([factor[2] for factor in solved])
    return None


def _without_label(node: Einsum, gone: int) -> Einsum:
    """The contraction without a summed label that no operand has any more."""
    sizes = node.sizes[:gone] + node.sizes[gone + 1 :]
    labels = tuple([tuple([a - (a > gone) for a in own]) for own in node.labels])
    return Einsum.of(node.rank, sizes, node.operands, labels)


def _solution(matrix: Array, right: Array) -> Array:
    try:
        return np.asarray(np.linalg.solve(matrix, right))
    except np.linalg.LinAlgError:
        return np.full(right.shape, np.nan, np.result_type(matrix, right))


def _split(node: Einsum, operands: tuple[Array, ...], sizes: Mapping[str, int]) -> Array | None:
    """The contraction with a merged axis taken apart: reshaping instead of a large 0-1 tensor.

    None where the parts of an axis stand in the output beside it, or an axis is merged twice.
    """
    k = next(k for k, operand in enumerate(node.operands) if isinstance(operand, Merge))
    whole, *parts = node.labels[k]
    others = [j for j in range(len(operands)) if j != k]
    twice = any(isinstance(node.operands[j], Merge) and whole in node.labels[j] for j in others)
    if twice or len(set(parts)) < len(parts) or whole in parts:
        return None
    if whole < node.rank and any(part < node.rank for part in parts):
        return None
    extents = [dim.value(sizes) for dim in node.operands[k].dims[1:]]
    arrays, labels = [], []
    for j in others:
        array, own = operands[j], node.labels[j]
        shape: list[int] = []
        new: list[int] = []
        for label, extent in zip(own, array.shape, strict=True):
            shape += extents if label == whole else [extent]
            new += parts if label == whole else [label]
        arrays.append(array.reshape(shape))
        labels.append(new)
    covered = {a for own in labels for a in own}
    for part, extent in zip(parts, extents, strict=True):
        if part not in covered:
            arrays.append(np.ones(extent))
            labels.append([part])
    output = [a for label in range(node.rank) for a in (parts if label == whole else [label])]
    missing = [a for a in output if a not in covered and a not in parts]
    for a in missing:
        arrays.append(np.ones(node.sizes[a].value(sizes)))
        labels.append([a])
    result = _contracted(arrays, labels, output)
    summed = [
        a for a in range(node.rank, len(node.sizes))
        if a != whole and not any(a in own for own in labels)
    ]  # fmt: skip
    for a in summed:
        result = result * node.sizes[a].value(sizes)
    return np.array(result).reshape([dim.value(sizes) for dim in node.dims])
