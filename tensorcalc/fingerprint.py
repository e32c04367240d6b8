"""IR -> a number that tells formulas apart: the exact value at a random point modulo a prime.

Two formulas that are equal by the laws of addition, multiplication, contraction and inversion have
the same fingerprint; two that are not have different ones but for a chance of about 2^-50 (Schwartz
1980, Zippel 1979). A function that is no polynomial is a random, fixed choice of values: ``exp`` is
the same at the same argument, and nothing else is known of it. Where formulas ask conditions, or
have several sizes, several points decide: at one of them both may take the same branch, and two
sizes may be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from hashlib import blake2b
from itertools import combinations, permutations
from typing import Any

import numpy as np

from tensorcalc.errors import LimitError
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Counter,
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
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.traverse import postorder

PRIME = 2**61 - 1
SIZES = 4  # points, so that two sizes that differ do so at one of them
BRANCHES = 16  # points, so that each branch is taken at one of them
POINT = "?"  # the number of the point, beside the sizes
MAX_ENTRIES = 200_000  # of an intermediate array
Residues = Any  # an object array of integers below PRIME


def fingerprints(*roots: Node) -> list[int]:
    """The fingerprints of nodes that are to be compared; equal names of sizes are equal sizes.

    Raises
    ------
    LimitError
        If an intermediate array would be too large even at the smallest sizes.
    """
    nodes = postorder(roots)
    names = sorted({name for node in nodes for d in _dims(node) for name in d.names})
    asks = any(isinstance(node, Map) and node.function == "where" for node in nodes)
    count = BRANCHES if asks else SIZES if len(names) > 1 else 1
    found: list[list[int]] = [[] for _ in roots]
    for point in range(count):
        sizes = {name: 2 + _oracle("size", name, point) % 3 for name in names}
        for values, root in zip(found, roots, strict=True):
            values.append(_oracle("root", _compute(root, {**sizes, POINT: point}, {})))
    return [_oracle("points", *values) for values in found]


def _dims(node: Node) -> tuple[Any, ...]:
    extra = node.sizes if isinstance(node, Einsum) else ()
    more = (node.dim,) if isinstance(node, Size) else ()
    offset = (node.offset,) if isinstance(node, Section) else ()
    start = (node.start,) if isinstance(node, Range) else ()
    return (*node.dims, *extra, *more, *offset, *start)


def _oracle(*facts: object) -> int:
    """A fixed random number below the prime for any facts."""
    digest = blake2b(repr([_plain(fact) for fact in facts]).encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big") % PRIME


def _plain(fact: object) -> object:
    return (fact.shape, fact.reshape(-1).tolist()) if isinstance(fact, np.ndarray) else fact


def _entries(shape: tuple[int, ...], entry: Callable[..., int]) -> Residues:
    result = np.empty(shape, object)
    for place in np.ndindex(*shape):
        result[place] = entry(*place)
    return result


def _number(value: Fraction) -> int:
    return value.numerator * pow(value.denominator, -1, PRIME) % PRIME


def _compute(root: Node, sizes: Mapping[str, int], counted: dict[Node, Residues]) -> Residues:
    known = dict(counted)
    for node in postorder([root]):
        if node in known or any(counter not in counted for counter in node.counters):
            continue  # what a sum over integers is of has a value for each of them
        shape = tuple([dim.value(sizes) for dim in node.dims])
        if np.prod(shape, dtype=float) > MAX_ENTRIES:
            raise LimitError("a formula with too many axes for its fingerprint")
        if isinstance(node, RangeSum):
            value = _range_sum(node, sizes, {**counted, **_ends(node, known)}, known, shape)
        else:
            value = _value(node, shape, sizes, [known[o] for o in node.operands])
        known[node] = np.asarray(value, object)  # NumPy makes bare integers of scalars
    return known[root]


def _ends(node: RangeSum, known: Mapping[Node, Residues]) -> dict[Node, Residues]:
    return {end: known[end] for end in node.counter.operands}


def _range_sum(
    node: RangeSum,
    sizes: Mapping[str, int],
    counted: dict[Node, Residues],
    known: Mapping[Node, Residues],
    shape: tuple[int, ...],
) -> Residues:
    """The sum where its ends are small numbers; else it stands for itself."""
    low, high = (int(known[end].item()) for end in node.counter.operands)
    if not 0 <= (high - low) % PRIME < 16:
        body = _compute(node.operands[0], sizes, {**counted, node.counter: _scalar(_oracle("r"))})
        return _entries(shape, lambda *place: _oracle("sum", body, low, high, place))
    total = np.zeros(shape, object)
    for step in range((high - low) % PRIME + 1):
        here = {**counted, node.counter: _scalar((low + step) % PRIME)}
        total = (total + _compute(node.operands[0], sizes, here)) % PRIME
    return total


def _scalar(value: int) -> Residues:
    return np.array(value, object)


def _value(
    node: Node, shape: tuple[int, ...], sizes: Mapping[str, int], operands: list[Residues]
) -> Residues:
    match node:
        case Variable():
            return _variable(node, shape)
        case Constant():
            return _scalar(_oracle("constant", node.name))
        case Counter():
            return _scalar(_oracle("counter", node.level, *operands))
        case Size():
            return _scalar(node.dim.value(sizes))
        case Delta():
            return _entries(shape, lambda i, j: int(i == j))
        case Basis():
            return _entries(shape, lambda i: int(i == node.position))
        case LeviCivita():
            result = np.zeros(shape, object)
            for order in permutations(range(node.rank)):
                inversions = sum(a > b for a, b in combinations(order, 2))
                result[order] = (-1) ** inversions % PRIME
            return result
        case Merge():
            return np.eye(shape[0], dtype=int).astype(object).reshape(shape)
        case Section():
            offset = node.offset.value(sizes)
            return _entries(shape, lambda i, j: int(i == j + offset))
        case Range():
            start = node.start.value(sizes)
            return _entries(shape, lambda i: (i + start) % PRIME)
        case Data():
            return _entries(shape, lambda *place: _oracle("data", node.digest, place))
        case Einsum():
            return _einsum(node, shape, sizes, operands)
        case Add():
            total = np.zeros(shape, object)
            for coefficient, operand in zip(node.coefficients, operands, strict=True):
                total = (total + _number(coefficient) * operand) % PRIME
            return total
        case Map():
            return _entries(
                shape, lambda *place: _map(node, [o[place] for o in operands], sizes[POINT])
            )
        case MatrixFunction():
            return _matrix_function(node, shape, operands)
        case Unknown():
            facts = (node.name, node.derivatives, node.is_applied)
            batch = node.batch
            return _entries(
                shape,
                lambda *place: _oracle(
                    "unknown", facts, _own(node, place), *[o[place[:batch]] for o in operands]
                ),
            )
    raise TypeError(f"no rule for {node!r}")


def _own(node: Unknown, place: tuple[int, ...]) -> tuple[object, ...]:
    """The indices of an unknown function; those of derivatives by one argument in one order."""
    start = node.batch + node.result
    derivatives: list[tuple[int, tuple[int, ...]]] = []
    for position in node.derivatives:
        end = start + node.operands[position].rank - node.batch
        derivatives.append((position, place[start:end]))
        start = end
    return (*place[node.batch : node.batch + node.result], *sorted(derivatives))


def _variable(node: Variable, shape: tuple[int, ...]) -> Residues:
    """Random entries that have the declared structure."""
    known = node.properties
    if "orthogonal" in known:  # Cayley's transform of a skew matrix
        skew = Variable.of(node.name, node.dims, frozenset({"skew"}))
        part, unit = _variable(skew, shape), _entries(shape, lambda i, j: int(i == j))
        return (unit - part).dot(_inverse((unit + part) % PRIME)) % PRIME

    def entry(*place: int) -> int:
        if len(place) == 2:
            i, j = place
            if "diagonal" in known and i != j:
                return 0
            if ("lower" in known and i < j) or ("upper" in known and i > j):
                return 0
            if known & {"symmetric", "spd"}:
                place = (min(i, j), max(i, j))
            elif "skew" in known:
                value = _oracle("variable", node.name, (min(i, j), max(i, j)))
                return 0 if i == j else value if i < j else -value % PRIME
        if "integer" in known:
            return 5
        return _oracle("variable", node.name, place)

    return _entries(shape, entry)


def _einsum(
    node: Einsum, shape: tuple[int, ...], sizes: Mapping[str, int], operands: list[Residues]
) -> Residues:
    extents = [dim.value(sizes) for dim in node.sizes]
    waiting = list(zip(operands, node.labels, strict=True))
    result: Residues = np.array(1, object)
    labels: tuple[int, ...] = ()
    while waiting:
        shared = [len(set(own) & set(labels)) for _, own in waiting]
        array, own = waiting.pop(shared.index(max(shared)))
        keep = {a for _, other in waiting for a in other} | set(range(node.rank))
        output = tuple(sorted((set(labels) | set(own)) & keep))
        if np.prod([float(extents[a]) for a in output]) > MAX_ENTRIES:
            raise LimitError("a formula with too many axes for its fingerprint")
        number = {a: k for k, a in enumerate(sorted({*labels, *own}))}
        parts: list[Any] = [result, [number[a] for a in labels], array, [number[a] for a in own]]
        result = np.asarray(np.einsum(*parts, [number[a] for a in output]) % PRIME, object)
        labels = output
    covered = {a for own in node.labels for a in own}
    for label in range(node.rank, len(extents)):
        if label not in covered:
            result = result * extents[label] % PRIME
    here = tuple([shape[a] if a in covered else 1 for a in range(node.rank)])
    return np.broadcast_to(np.reshape(result, here), shape)


def _map(node: Map, arguments: list[int], point: int) -> int:
    if node.function == "pow":
        base, exponent = arguments
        power = node.operands[1]
        value = power.coefficients[0] if isinstance(power, Add) and power.operands else None
        if value is not None and value.denominator == 1 and len(power.operands) == 1:
            return pow(base, int(value), PRIME) if base else 0
        return _oracle("pow", base, exponent)
    if node.function == "where":
        return arguments[1] if _oracle("where", arguments[0], point) % 2 else arguments[2]
    return _oracle(node.function, *arguments)


def _matrix_function(
    node: MatrixFunction, shape: tuple[int, ...], operands: list[Residues]
) -> Residues:
    entry = MATRIX_FUNCTIONS[node.function]
    batch = operands[0].ndim - entry.rank
    result: Residues = np.empty(shape, object)
    for place in np.ndindex(*shape[:batch]):
        argument = operands[0][place]
        more = [operand[place] for operand in operands[1:]]
        result[(*place, ...)] = _of_array(node, argument, more, shape[batch:])
    return result


def _of_array(
    node: MatrixFunction, x: Residues, more: list[int], shape: tuple[int, ...]
) -> Residues:
    """One function of one array; what is not algebraic respects transposes."""
    name = node.function
    if name == "inv":
        return _inverse(x)
    if name == "det":
        return _scalar(_determinant(x))
    if name == "logdet":
        return _scalar(_oracle("log", _determinant(x)))
    if name in ("norm2", "normF"):
        return _scalar(_oracle("norm", int((x * x).sum() % PRIME)))
    if name == "prod":
        result = 1
        for value in x:
            result = result * value % PRIME
        return _scalar(result)
    if name in ("logsumexp", "max", "min"):
        return _scalar(_oracle(name, sorted(x.tolist())))
    if name == "power":
        exponent = int(more[0])
        exponent = exponent - PRIME if exponent > PRIME // 2 else exponent
        base = _inverse(x) if exponent < 0 else x
        result = _entries(x.shape, lambda i, j: int(i == j))
        for _ in range(abs(exponent)):
            result = result.dot(base) % PRIME
        return result
    turned = x.T
    if not node.order and repr(_plain(turned)) < repr(_plain(x)):
        return _of_array(node, turned, more, shape[::-1]).T
    return _entries(shape, lambda *place: _oracle(name, node.order, place, x))


def _determinant(x: Residues) -> int:
    rows = [list(row) for row in x]
    result = 1
    for k in range(len(rows)):
        pivot = next((r for r in range(k, len(rows)) if rows[r][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            rows[k], rows[pivot] = rows[pivot], rows[k]
            result = -result
        result = result * rows[k][k] % PRIME
        inverse = pow(rows[k][k], -1, PRIME)
        for r in range(k + 1, len(rows)):
            factor = rows[r][k] * inverse
            rows[r] = [(a - factor * b) % PRIME for a, b in zip(rows[r], rows[k], strict=True)]
    return result % PRIME


def _inverse(x: Residues) -> Residues:
    n = len(x)
    rows = [[*x[k], *[int(k == j) for j in range(n)]] for k in range(n)]
    for k in range(n):
        pivot = next((r for r in range(k, n) if rows[r][k]), None)
        if pivot is None:
            return _entries(x.shape, lambda *place: _oracle("inv", place, x))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        inverse = pow(int(rows[k][k]), -1, PRIME)
        rows[k] = [a * inverse % PRIME for a in rows[k]]
        for r in range(n):
            if r != k:
                factor = rows[r][k]
                rows[r] = [(a - factor * b) % PRIME for a, b in zip(rows[r], rows[k], strict=True)]
    return np.array([row[n:] for row in rows], object)
