"""IR and arrays in, arrays out, with plain NumPy: the reference for every compiled result.

One dispatch over the kinds of nodes, one NumPy expression each, no fusion and no planning.
Convention: a norm that is exactly 0 raised to a negative power is 0, so that the derivative of a
norm at 0 is the subgradient of least norm; `kernels` do the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations, permutations, product
from typing import Any

import numpy as np

from tensorcalc.binding import (
    Array,
    all_dims as all_dims,  # also a name of this module
    as_array,
    bind_sizes,
    check_names,
    check_nodes,
    common_dtype,
    to_float,
)
from tensorcalc.errors import DomainError, LimitError
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Data,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Range,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.limits import current as limits
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.traverse import postorder, variables

CONSTANTS = {"pi": np.pi, "e": np.e}
NORMS = ("norm2", "normF")
REAL_ONLY = frozenset({"max", "min", "relu", "lgamma", "polygamma", "sign", "lt", "le", "gt", "ge"})
MAX_LABELS = 52  # of np.einsum
MAX_OPERANDS = 2  # beyond, the order of contraction matters


def interpret(
    roots: Sequence[Node],
    values: Mapping[str, Any],
    declared: Mapping[str, Variable] | None = None,
) -> list[Array]:
    """The arrays that `roots` stand for, given a value for every variable in them.

    `declared` are further variables that may have a value: their shapes tell sizes, too.
    """
    used = variables(*roots)
    known = {**(declared or {}), **used}
    check_names(known, values, used)
    arrays = {
        name: as_array(name, values[name], is_complex=variable.is_complex)
        for name, variable in known.items()
        if name in values
    }
    dtype = common_dtype([values[name] for name in arrays], arrays.values())
    return evaluate(roots, arrays, bind_sizes(known, arrays), dtype)


def evaluate(
    roots: Sequence[Node],
    arrays: Mapping[str, Array],
    sizes: Mapping[str, int],
    dtype: np.dtype[Any],
) -> list[Array]:
    """`interpret` for arrays that are checked already and sizes that are known."""
    check_nodes(roots, sizes)
    complex_dtype = np.result_type(dtype, np.complex64)
    closed: dict[Node, Array] = {}  # what does not depend on a counter is computed once

    def compute(root: Node, counted: dict[Node, Array]) -> Array:
        known = {**closed, **counted} if counted else closed
        stack = [root]
        while stack:
            node = stack[-1]
            if node in known:
                stack.pop()
                continue
            needed = node.operands[1].operands if isinstance(node, RangeSum) else node.operands
            waiting = [operand for operand in needed if operand not in known]
            stack += reversed(waiting)
            if waiting:
                continue
            stack.pop()
            if isinstance(node, RangeSum):
                result = count_sum(node, [known[end] for end in needed], counted)
            else:
                result = visit(node, tuple([known[operand] for operand in node.operands]), known)
            kind = complex_dtype if node.is_complex else dtype
            known[node] = np.asarray(result).astype(kind, copy=False)
            if not node.counters:
                closed[node] = known[node]
        return known[root]

    def count_sum(node: RangeSum, ends: list[Array], counted: dict[Node, Array]) -> Array:
        low, high = (_integer(end) for end in ends)
        sign = 1
        if high < low - 1 and _counts_powers(node):
            low, high, sign = high + 1, low - 1, -1
        if high - low >= limits().terms:
            raise LimitError(f"a sum over {high - low + 1} integers (limit terms)")
        shape = tuple([dim.value(sizes) for dim in node.dims])
        total = np.zeros(shape, complex_dtype if node.is_complex else dtype)
        for number in range(low, high + 1):
            here = {**counted, node.counter: np.asarray(number, dtype)}
            total = total + sign * compute(node.operands[0], here)
        return total

    def visit(node: Node, operands: tuple[Array, ...], known: Mapping[Node, Array]) -> Any:
        shape = tuple([dim.value(sizes) for dim in node.dims])
        match node:
            case Variable():
                return arrays[node.name]
            case Constant():
                return np.asarray(constant(node.name))
            case Size():
                return np.asarray(float(node.dim.value(sizes)))
            case Delta():
                return np.eye(shape[0])
            case Basis():
                return np.asarray(np.arange(shape[0]) == node.position)
            case LeviCivita():
                return _levi_civita(node.rank)
            case Merge():
                return np.eye(shape[0]).reshape(shape)
            case Section():
                return np.eye(shape[0], shape[1], -node.offset.value(sizes))
            case Range():
                return np.arange(shape[0]) + float(node.start.value(sizes))
            case Data():
                return np.asarray(node.array)
            case Unknown():
                raise DomainError(f"{node.name} is unknown: it has no value")
            case Einsum():
                made = _cofactors(node, operands, known)
                solved = _solve(node, operands, known) if made is None else (node, made)
                if solved is not None:
                    return _einsum(*solved, shape, sizes, dtype)
                return _einsum(node, operands, shape, sizes, dtype)
            case Add():
                total = np.zeros(shape, complex_dtype if node.is_complex else dtype)
                for coefficient, operand in zip(node.coefficients, operands, strict=True):
                    total += dtype.type(to_float(coefficient)) * operand
                return total
            case Map():
                return _map(node, operands)
            case MatrixFunction():
                return _matrix_function(node, operands)
        raise TypeError(f"no rule for {node!r}")

    with np.errstate(all="ignore"):
        # copies: never a view of an input
        return [np.array(compute(root, {})) for root in roots]


def _integer(value: Array) -> int:
    """A number that must be an integer."""
    number = complex(value)
    if number.imag or number.real != round(number.real):
        raise DomainError(f"an exponent or the end of a sum is {value}, which is no integer")
    return round(number.real)


def _counts_powers(node: RangeSum) -> bool:
    """Whether a sum is one over powers of a matrix.

    Backwards it is minus the sum over what lies between its ends, as a telescoping sum is (Karr
    1981): so the differential of ``X^k`` is right for negative k, too.
    """
    return any(
        isinstance(inner, MatrixFunction) and inner.function == "power"
        and node.counter in inner.operands[1].counters
        for inner in postorder([node.operands[0]])
    )  # fmt: skip


def _levi_civita(rank: int) -> Array:
    result = np.zeros((rank,) * rank)
    for order in permutations(range(rank)):
        inversions = sum(a > b for a, b in combinations(order, 2))
        result[order] = (-1) ** inversions
    return result


def constant(name: str) -> float:
    """The value of a named number."""
    if name not in CONSTANTS:
        raise DomainError(f"the constant {name} has no value")
    return CONSTANTS[name]


def is_norm(node: Node) -> bool:
    """Whether a node is a norm, perhaps broadcast."""
    if isinstance(node, Einsum) and len(node.operands) == 1 and len(node.sizes) == node.rank:
        node = node.operands[0]
    return isinstance(node, MatrixFunction) and node.function in NORMS


def _einsum(
    node: Einsum,
    operands: tuple[Array, ...],
    shape: tuple[int, ...],
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
        from opt_einsum import contract, get_symbol

        names = ["".join(map(get_symbol, part)) for part in [*labels, output]]
        result = contract(",".join(names[:-1]) + "->" + names[-1], *operands, optimize="auto")
    for label in range(node.rank, len(node.sizes)):  # a sum over a label that no operand has
        if label not in number:
            result = result * dtype.type(node.sizes[label].value(sizes))
    here = tuple([shape[a] if a in number else 1 for a in range(node.rank)])
    return np.array(np.broadcast_to(np.reshape(result, here), shape))


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
                arrays[k] = _adjugate(known[matrix])
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
    from opt_einsum import contract, get_symbol

    names = ["".join(map(get_symbol, part)) for part in [*labels, output]]
    result = contract(",".join(names[:-1]) + "->" + names[-1], *arrays, optimize="auto")
    summed = [
        a for a in range(node.rank, len(node.sizes))
        if a != whole and not any(a in own for own in labels)
    ]  # fmt: skip
    for a in summed:
        result = result * node.sizes[a].value(sizes)
    return np.array(result).reshape([dim.value(sizes) for dim in node.dims])


def _map(node: Map, operands: tuple[Array, ...]) -> Array:
    if node.function == "pow":
        base, exponent = operands
        result = np.power(base, exponent)
        if is_norm(node.operands[0]):
            result = np.where((base == 0) & (exponent < 0), np.zeros((), result.dtype), result)
        return np.asarray(result)
    if node.function in REAL_ONLY and any(operand.is_complex for operand in node.operands):
        raise DomainError(f"{node.function} of complex numbers is not defined")
    return np.asarray(numpy_functions()[node.function](*operands))


@cache
def numpy_functions() -> dict[str, Callable[..., Any]]:
    """The elementwise functions as NumPy and SciPy have them."""
    from scipy import special

    def sigmoid(x: Array) -> Array:
        return np.asarray(1 / (1 + np.exp(-x)) if np.iscomplexobj(x) else special.expit(x))

    def softplus(x: Array) -> Array:
        if np.iscomplexobj(x):
            return np.asarray(np.log1p(np.exp(x)))
        return np.asarray(np.logaddexp(np.zeros((), x.dtype), x))

    def where(condition: Array, x: Array, y: Array) -> Array:
        return np.where(condition != 0, x, y)

    same = "exp log log1p expm1 abs sign sin cos tan arcsin arccos arctan sinh cosh tanh".split()
    return {name: getattr(np, name) for name in same} | {
        "sigmoid": sigmoid,
        "softplus": softplus,
        "relu": lambda x: np.maximum(x, np.zeros((), x.dtype)),
        "erf": special.erf,
        "lgamma": special.gammaln,
        "digamma": special.digamma,
        "polygamma": _polygamma,
        "max": np.maximum,
        "min": np.minimum,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
        "where": where,
        "conj": np.conj,
    }


def _polygamma(order: Array, x: Array) -> Array:
    from scipy import special

    # (-1)^(n+1) n! zeta(n+1, x), Abramowitz and Stegun 6.4.10
    sign = np.where(order % 2 == 0, -1.0, 1.0)
    higher = sign * special.gamma(order + 1.0) * special.zeta(order + 1.0, x)
    return np.asarray(np.where(order == 0, special.digamma(x), higher))


def norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean norm over `axes`, scaled so that squares neither overflow nor vanish."""
    if not x.size:
        return np.asarray(np.sqrt(np.sum(x * x, axis=axes)))
    scale = np.max(np.abs(x), axis=axes, keepdims=True)
    safe = np.where((scale > 0) & np.isfinite(scale), scale, np.ones((), x.dtype))
    scaled = x / safe
    total = np.sum(scaled * scaled, axis=axes)
    return np.asarray(np.sqrt(total) * np.squeeze(safe, axis=axes))


def _inv(x: Array) -> Array:
    try:
        return np.asarray(np.linalg.inv(x))
    except np.linalg.LinAlgError:  # one singular matrix must not spoil a batch
        flat = _stacked(x)
        result = np.full_like(flat, np.nan)
        for k, matrix in enumerate(flat):
            if np.linalg.det(matrix) != 0:
                result[k] = np.linalg.inv(matrix)
        return np.asarray(result.reshape(x.shape))


def _logdet(x: Array) -> Array:
    sign, value = np.linalg.slogdet(x)
    return np.asarray(np.where(sign < 0, np.nan, value))


MATRIX: dict[str, Callable[[Array], Array]] = {
    "inv": _inv,
    "det": lambda x: np.asarray(np.linalg.det(x)),
    "logdet": _logdet,
    "norm2": lambda x: norm(x, (-1,)),
    "normF": lambda x: norm(x, (-2, -1)),
    "adj": lambda x: _adjugate(x),
    "pinv": lambda x: np.asarray(np.linalg.pinv(x)) if x.size else np.swapaxes(x, -1, -2),
    "logsumexp": lambda x: _logsumexp(x),
    "max": lambda x: np.max(x, axis=-1),
    "min": lambda x: np.min(x, axis=-1),
    "prod": lambda x: np.prod(x, axis=-1),
}


def _logsumexp(x: Array) -> Array:
    if not x.shape[-1]:
        return np.full(x.shape[:-1], -np.inf, x.dtype)
    top = np.max(x.real, axis=-1, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0)
    total = np.log(np.sum(np.exp(x - shift), axis=-1)) + shift[..., 0]
    return np.asarray(total)


def _adjugate(x: Array) -> Array:
    """The transposed cofactors, of singular matrices too, by the singular values."""
    n = x.shape[-1]
    if n == 0:
        return x
    u, s, v = np.linalg.svd(x)
    others = np.stack([np.prod(np.delete(s, k, axis=-1), axis=-1) for k in range(n)], axis=-1)
    unit = np.linalg.det(u) * np.linalg.det(v)
    turned = np.conj(np.swapaxes(v, -1, -2)) * others[..., None, :]
    return np.asarray(unit[..., None, None] * (turned @ np.conj(np.swapaxes(u, -1, -2))))


def _matrix_function(node: MatrixFunction, operands: tuple[Array, ...]) -> Array:
    if node.function == "power":
        return _power(*operands)
    if MATRIX_FUNCTIONS[node.function].differential is None:
        x = operands[0]
        flat = [_series(node.function, matrix, node.order) for matrix in _stacked(x)]
        shape = (*x.shape[:-2], *x.shape[-2:] * (1 + node.order))
        return np.array(flat).reshape(shape)
    x = operands[0]
    if node.function in ("max", "min") and not x.shape[-1]:
        raise DomainError(f"{node.function} of no entries has no value")
    return MATRIX[node.function](x)


def _stacked(x: Array) -> Array:
    """Matrices over any leading axes as a stack of them."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def _power(base: Array, exponent: Array) -> Array:
    flat = _stacked(base)
    exponents = [_integer(e) for e in np.broadcast_to(exponent, base.shape[:-2]).reshape(-1)]
    result = [
        np.linalg.matrix_power(_inv(matrix) if n < 0 else matrix, abs(n))
        for matrix, n in zip(flat, exponents, strict=True)
    ]
    return np.array(result).reshape(base.shape)


def _series(function: str, x: Array, order: int) -> Array:
    """A power series of a matrix, or the tensor of its derivatives of some order.

    The derivative in directions E, F, … is a block of the series of a larger matrix (Higham,
    "Functions of Matrices", theorem 3.6; Mathias 1996), one for every choice of unit matrices.
    """
    from scipy import linalg

    apply = getattr(linalg, function)
    n = len(x)
    if not n:
        return np.zeros((0,) * (2 + 2 * order), x.dtype)
    result = np.empty((n, n) + (n * n,) * order, np.result_type(x, float))
    for place in product(range(n * n), repeat=order):
        large = x
        for k, position in enumerate(place):
            unit = np.zeros((n, n), x.dtype)
            unit[divmod(position, n)] = 1
            side = np.kron(np.eye(2**k), unit)
            large = np.block([[large, side], [np.zeros_like(large), large]])
        with np.errstate(all="ignore"):
            block = np.asarray(apply(large))[:n, -n:]
        if np.iscomplexobj(block) and not np.iscomplexobj(result):
            if np.abs(block.imag).max() > 1e-8 * max(1.0, np.abs(block.real).max()):
                block = np.full_like(block.real, np.nan)  # not a real matrix
            block = block.real
        index: Any = (..., *place)
        result[index] = block
    return result.reshape((n, n) * (1 + order))
