"""The normal form: facts of a node in, the one node that stands for them out.

Every node is built here, so equal formulas become one object. What is folded is what never makes
an expression larger: units of products and sums, deltas (by renaming labels), numbers (exact
rationals stay exact), equal terms and equal factors, transposes of transposes. Note that ``0*x``
is 0 and ``x/x`` is 1 also where x is infinite or NaN. Larger rewrites are `simplify.py`'s.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, permutations
from typing import TypeGuard

from tensorcalc.contraction import canonical_form
from tensorcalc.dims import Dim, Dims
from tensorcalc.exact import exact, exact_function, exact_power
from tensorcalc.ir import (
    Add,
    Basis,
    Counter,
    Data,
    Delta,
    Einsum,
    Labels,
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
from tensorcalc.limits import spend
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.structure import VanishesError, fold_structure
from tensorcalc.traverse import fold
from tensorcalc.views import common_free_axes, stands_transposed, untransposed

Factor = tuple[Node, Labels]
Term = tuple[Fraction, Node]

ONE = Fraction(1)
NO_SIZES: Mapping[str, Dim] = {}
# f(A') is f(A)'
TRANSPOSABLE = frozenset("inv det logdet adj pinv power expm logm sqrtm sinm cosm".split())
MAX_TURNED = 4  # axes of an antisymmetric factor that are put in order
MAX_VARIANTS = 36  # orders of the axes of several such factors that are tried
# X^n up to here is written out as a product, so that it can be contracted freely
MAX_WRITTEN_POWER = 32
NORMS = ("norm2", "normF")
SMALL = 4  # terms or factors that may be repeated rather than shared
SYMMETRIC = frozenset({"symmetric", "spd", "diagonal"})


# ── numbers ──────────────────────────────────────────────────────────────────────────────────


def ones(dims: Dims) -> Node:
    """The tensor of ones."""
    return Einsum.of(len(dims), dims, (), ())


def zeros(dims: Dims) -> Node:
    """The tensor of zeros."""
    return Add.of(dims, (), ())


def number(value: Fraction | int, dims: Dims = ()) -> Node:
    """The tensor whose entries are all `value`."""
    return add(dims, [(Fraction(value), ones(dims))])


def size(dim: Dim) -> Node:
    """The size of an axis as a number."""
    terms: list[Term] = []
    for names, count in dim.terms:
        factors: list[Factor] = [(Size.of(Dim.of(name)), ()) for name in names]
        terms.append((Fraction(count), einsum(0, (), factors)))
    return add((), terms)


def as_number(node: Node) -> Fraction | None:
    """The value of a tensor whose entries are all the same number, else None."""
    if isinstance(node, Einsum):
        return None if node.operands else ONE
    if isinstance(node, Add):
        if not node.operands:
            return Fraction(0)
        if len(node.operands) == 1 and as_number(node.operands[0]) == 1:
            return node.coefficients[0]
    return None


def is_zero(node: Node) -> bool:
    """Whether the node is the tensor of zeros."""
    return isinstance(node, Add) and not node.operands


def is_symmetric(node: Node) -> bool:
    """Whether a matrix is known to be equal to its transpose."""
    if isinstance(node, Variable) or is_unknown_matrix(node):
        declared = node.rank == 2 and not SYMMETRIC.isdisjoint(node.properties)
        return declared and not node.is_complex
    if isinstance(node, MatrixFunction):
        return node.rank == 2 and is_symmetric(node.operands[0])
    return isinstance(node, Delta) or is_second_derivative(node)


def is_unknown_matrix(node: Node) -> TypeGuard[Unknown]:
    """Whether the node is an unknown function of matrix value, or its derivative by scalars."""
    return isinstance(node, Unknown) and node.rank == node.result == 2


def is_second_derivative(node: Node) -> bool:
    """Whether the node is the Hessian matrix of an unknown function, always symmetric."""
    return (
        isinstance(node, Unknown)
        and node.rank == 2
        and not node.batch
        and not node.result
        and len(node.derivatives) == 2
        and node.derivatives[0] == node.derivatives[1]
    )


def is_skew(node: Node) -> bool:
    """Whether a matrix is known to be its transpose with the other sign."""
    if isinstance(node, Variable) or is_unknown_matrix(node):
        return "skew" in node.properties
    return False


# ── sums ─────────────────────────────────────────────────────────────────────────────────────


def add(dims: Dims, terms: Iterable[Term], *, turn: bool = True) -> Node:
    """The linear combination of `terms`; equal terms merge, zero ones vanish.

    Without `turn` a sum of transposes stays one (see `views.py`).
    """
    merged: dict[Node, Fraction] = {}
    for coefficient, node in terms:
        if isinstance(node, Add) and len(node.operands) <= 1:
            if not node.operands:
                continue
            coefficient, node = coefficient * node.coefficients[0], node.operands[0]
        merged[node] = merged.get(node, Fraction(0)) + coefficient
    kept = sorted(((n, c) for n, c in merged.items() if c), key=lambda item: item[0].key)
    if len(kept) == 1 and kept[0][1] == 1:
        return kept[0][0]
    if len(kept) > 1:
        nodes = [node for node, _ in kept]
        if turn and len(dims) == 2 and stands_transposed(nodes):
            turned = [(c, _transposed(node)) for node, c in kept]
            return _transposed(add((dims[1], dims[0]), turned, turn=False))
        free = common_free_axes(nodes)
        if free:
            smaller = [(c, without_axes(node, free)) for node, c in kept]
            return _repeated(add(smaller[0][1].dims, smaller), dims, free)
    return Add.of(dims, tuple(exact(c) for _, c in kept), tuple(n for n, _ in kept))


def scale(coefficient: Fraction | int, node: Node) -> Node:
    """The node times a number; a short sum is multiplied out."""
    if isinstance(node, Add) and len(node.operands) <= SMALL:
        return _multiplied(Fraction(coefficient), node)
    return add(node.dims, [(Fraction(coefficient), node)])


def _multiplied(coefficient: Fraction, node: Add) -> Node:
    # a number does not change which way round a sum stands
    return add(node.dims, [(coefficient * c, term) for c, term in terms_of(node)], turn=False)


def terms_of(node: Node) -> tuple[Term, ...]:
    """The terms of a sum; of anything else, itself."""
    if isinstance(node, Add):
        return tuple(zip(node.coefficients, node.operands, strict=True))
    return ((ONE, node),)


def _content(node: Node) -> tuple[Fraction, Node]:
    """A sum as a number times a sum that starts with a positive term, so that signs compare."""
    content = ONE
    while isinstance(node, Add) and len(node.operands) == 1:
        content, node = content * node.coefficients[0], node.operands[0]
    if not isinstance(node, Add) or not node.operands:
        return content, node
    first = node.coefficients[0]
    if any(abs(c) != abs(first) for c in node.coefficients):
        first = Fraction(1 if first > 0 else -1)
    return content * first, _multiplied(1 / first, node) if first != 1 else node


# ── products ─────────────────────────────────────────────────────────────────────────────────


def einsum(
    rank: int, sizes: Sequence[Dim], factors: Iterable[Factor], *, properties: bool = False
) -> Node:
    """The product of `factors`, summed over the labels from `rank` on.

    `sizes` gives the dim of every label; labels below `rank` are the axes of the result. A
    summed label that no factor has multiplies by its size. With `properties` the axes of a
    symmetric matrix count as exchangeable, and those of a skew one as turning the sign (see
    `properties.py` for when that may be used).
    """
    dims = tuple(sizes[:rank])
    live = dict(enumerate(sizes))
    coefficient = ONE
    kept: list[Factor] = []
    for node, labels in factors:
        content, node = _content(node)
        if is_zero(node):
            return zeros(dims)
        coefficient *= content
        if isinstance(node, Einsum) and len(node.operands) <= 1:
            kept += expand(node, labels, live)
        else:
            kept.append((node, labels))
    spend(4 + 4 * len(kept))
    kept = _absorb_deltas(rank, live, kept)
    try:
        while (folded := fold_structure(rank, live, kept)) is not None:
            kept = _absorb_deltas(rank, live, folded)
    except VanishesError:
        return zeros(dims)
    inside = [_diagonal(node, labels) for node, labels in kept]
    if inside != kept:
        left: dict[Hashable, Dim] = dict(live.items())
        return scale(coefficient, contract(range(rank), left, inside, properties=properties))
    content, kept = _collect(rank, live, kept, properties)
    if not content:
        return zeros(dims)
    coefficient *= content
    covered = {label for _, labels in kept for label in labels}
    for label in [label for label in live if label >= rank and label not in covered]:
        content, node = _content(size(live.pop(label)))
        coefficient *= content
        kept += expand(node, (), live) if isinstance(node, Einsum) else [(node, ())]
    kept = [(o, tuple(sorted(a)) if is_second_derivative(o) else a) for o, a in kept]
    if properties and len(kept) == 1 and kept[0][1] == (1, 0) and is_skew(kept[0][0]):
        coefficient, kept = -coefficient, [(kept[0][0], (0, 1))]
    if len(kept) == 1 and kept[0][0].rank == rank and kept[0][1] == tuple(range(rank)):
        return scale(coefficient, kept[0][0])
    sign, node = _numbered(rank, live, kept, properties)
    return scale(coefficient * sign, node)


def _numbered(
    rank: int, live: Mapping[int, Dim], factors: list[Factor], properties: bool
) -> tuple[int, Node]:
    """The Einsum with its labels and operands in canonical order, and its sign.

    The axes of an antisymmetric factor stand in the order that gives the smallest node.
    """
    variants: list[tuple[int, list[Factor]]] = [(1, [])]
    for node, labels in factors:
        is_odd = isinstance(node, LeviCivita) or (properties and is_skew(node))
        turned = _turned(labels) if is_odd and len(variants) <= MAX_VARIANTS else [(1, labels)]
        variants = [
            (sign * own, [*done, (node, order)]) for sign, done in variants for own, order in turned
        ]
    sizes = {a: str(d) for a, d in live.items()}
    found: dict[Node, set[int]] = {}
    for sign, kept in variants:
        edges = [(node.key, labels, properties and is_symmetric(node)) for node, labels in kept]
        order, labels_out, old = canonical_form(rank, sizes, edges)
        node = Einsum.of(
            rank,
            tuple([live[label] for label in old]),
            tuple([kept[k][0] for k in order]),
            tuple(labels_out),
        )
        found.setdefault(node, set()).add(sign)
    best = min(found, key=lambda node: node.key) if len(found) > 1 else next(iter(found))
    signs = found[best]
    return (signs.pop(), best) if len(signs) == 1 else (0, best)


def _turned(labels: Labels) -> list[tuple[int, Labels]]:
    """All orders of a few labels, each with the sign of its permutation."""
    if len(labels) > MAX_TURNED:
        return [(1, labels)]
    found = []
    for order in permutations(range(len(labels))):
        inversions = sum(a > b for a, b in combinations(order, 2))
        found.append(((-1) ** inversions, tuple([labels[k] for k in order])))
    return found


def contract(
    output: Sequence[Hashable],
    sizes: Mapping[Hashable, Dim],
    factors: Sequence[tuple[Node, Sequence[Hashable]]],
    *,
    properties: bool = False,
) -> Node:
    """The Einsum of `factors` under any hashable labels, with the axes `output` (all different)."""
    place: dict[Hashable, int] = {label: k for k, label in enumerate(output)}
    labelled: list[Factor] = []
    for node, labels in factors:
        labelled.append((node, tuple([place.setdefault(a, len(place)) for a in labels])))
    for label in sizes:
        place.setdefault(label, len(place))
    ordered = [sizes[label] for label in place]
    return einsum(len(output), ordered, labelled, properties=properties)


def expand(node: Einsum, labels: Labels, live: dict[int, Dim]) -> list[Factor]:
    """The factors of an inner contraction under the labels of the outer one.

    `labels` are the outer labels of the inner axes; summed labels get new numbers in `live`.
    """
    names = list(labels)
    for dim in node.sizes[node.rank :]:
        names.append(_new_label(live, dim))
    return [
        (operand, tuple([names[a] for a in inner]))
        for operand, inner in zip(node.operands, node.labels, strict=True)
    ]


def _new_label(live: dict[int, Dim], dim: Dim) -> int:
    """A label not in use; labels enter `live` in ascending order, so the last is largest."""
    label = next(reversed(live), -1) + 1
    live[label] = dim
    return label


def _absorb_deltas(rank: int, live: dict[int, Dim], factors: list[Factor]) -> list[Factor]:
    """Rename labels that a delta makes equal; only deltas between two outputs remain."""
    deltas = [labels for node, labels in factors if isinstance(node, Delta)]
    if not deltas:
        return factors
    name = {label: label for label in live}
    for a, b in deltas:
        low, high = sorted((name[a], name[b]))
        name = {label: low if n == high else n for label, n in name.items()}
    kept = [
        (node, tuple([name[a] for a in labels]))
        for node, labels in factors
        if not isinstance(node, Delta)
    ]
    for label, low in name.items():
        if label != low and label < rank:
            kept.append((Delta.of(live[label]), (low, label)))
        elif label != low:
            del live[label]
    return kept


def _collect(
    rank: int, live: dict[int, Dim], factors: list[Factor], properties: bool
) -> tuple[Fraction, list[Factor]]:
    """Merge powers of one base under the same labels, and unit vectors."""
    groups: dict[Factor, list[Node]] = {}
    positions: dict[int, set[int]] = {}
    rest: list[Factor] = []
    for node, labels in factors:
        if isinstance(node, Basis):
            positions.setdefault(labels[0], set()).add(node.position)
            continue
        base, exponent = node, ones(node.dims)
        if isinstance(node, Map) and node.function == "pow":
            base, exponent = node.operands
        if properties and is_symmetric(base):
            labels = tuple(sorted(labels))
        groups.setdefault((base, labels), []).append(exponent)
    coefficient = ONE
    for (base, labels), exponents in groups.items():
        total = add(base.dims, [(ONE, exponent) for exponent in exponents])
        power = as_number(total)
        if power == 2 and isinstance(base, MatrixFunction) and base.function in NORMS:
            rest += _norm_squared(base, labels, live)
        elif power in (1, 2):
            rest += [(base, labels)] * int(power)
        elif power != 0:
            content, node = _content(elementwise("pow", (base, total)))
            coefficient *= content
            rest.append((node, labels))
    for label, chosen in positions.items():
        if len(chosen) > 1:
            return Fraction(0), []
        alone = label >= rank and not any(label in labels for _, labels in rest)
        if alone:
            del live[label]
        else:
            rest.append((Basis.of(live[label], *chosen), (label,)))
    return coefficient, rest


def _norm_squared(norm: MatrixFunction, labels: Labels, live: dict[int, Dim]) -> list[Factor]:
    """``norm2(x)^2`` is ``x'*x``: the same without the square root."""
    argument = norm.operands[0]
    summed = []
    for dim in argument.dims[norm.rank :]:
        summed.append(_new_label(live, dim))
    return [(argument, labels + tuple(summed))] * 2


# ── views ────────────────────────────────────────────────────────────────────────────────────


def _transposed(node: Node) -> Node:
    """The transpose of a matrix."""
    return einsum(2, (node.dims[1], node.dims[0]), [(node, (1, 0))])


def without_axes(node: Node, free: frozenset[int]) -> Node:
    """A node without axes along which it is constant."""
    if not free:
        return node
    dims = tuple([dim for axis, dim in enumerate(node.dims) if axis not in free])
    value = as_number(node)
    if value is not None:
        return number(value, dims)
    if isinstance(node, Add):
        return scale(node.coefficients[0], without_axes(node.operands[0], free))
    if not isinstance(node, Einsum):
        raise TypeError(f"{node!r} is not known to be constant along an axis")
    sizes: dict[Hashable, Dim] = dict(enumerate(node.sizes))
    for axis in free:
        del sizes[axis]
    output = [axis for axis in range(node.rank) if axis not in free]
    return contract(output, sizes, list(zip(node.operands, node.labels, strict=True)))


def _repeated(node: Node, dims: Dims, free: frozenset[int]) -> Node:
    """The opposite of `without_axes`."""
    labels = tuple([axis for axis in range(len(dims)) if axis not in free])
    return einsum(len(dims), dims, [(node, labels)])


def _diagonal(root: Node, labels: Labels) -> Factor:
    """A sum or function under repeated labels as that of diagonals, under each label once."""
    if not isinstance(root, Add | Map) or len(set(labels)) == len(labels):
        return root, labels
    places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    axes = tuple([places[label] for label in labels])
    done: dict[Node, Node] = {}
    for node in _inside(root):
        if isinstance(node, Add | Map) and node.operands:
            done[node] = rebuild(node, tuple([done[operand] for operand in node.operands]))
        else:
            sizes = [node.dims[axes.index(place)] for place in range(len(places))]
            done[node] = einsum(len(places), sizes, [(node, axes)])
    return done[root], tuple(places)


def _inside(root: Node) -> list[Node]:
    """The sums and functions under `root` and what they are of, operands first."""
    order: list[Node] = []
    stack = [(root, False)]
    seen: set[Node] = set()
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if isinstance(node, Add | Map):
                stack.extend((operand, False) for operand in node.operands)
    return order


# ── functions ────────────────────────────────────────────────────────────────────────────────


def elementwise(function: str, operands: Sequence[Node], *, turn: bool = True) -> Node:
    """The function of `functions.py` applied entry by entry; all operands have the same dims.

    Without `turn` a function of transposes stays one (see `views.py`).
    """
    dims = operands[0].dims
    if function in ("max", "min"):  # in one order
        operands = sorted(operands, key=lambda operand: operand.key)
    numbers = [as_number(operand) for operand in operands]
    if function == "pow":
        folded = _power(operands[0], operands[1])
        if folded is not None:
            return folded
    if function == "where" and numbers[0] is not None:
        return operands[1] if numbers[0] else operands[2]
    if function in ("where", "max", "min") and operands[-1] is operands[-2]:
        return operands[-1]
    values = [value for value in numbers if value is not None]
    known = exact_function(function, values) if len(values) == len(operands) else None
    if known is not None:
        return number(known, dims)
    if function == "conj":
        return conjugate(operands[0])
    if turn and len(dims) == 2 and stands_transposed(operands):
        turned = [_transposed(node) for node in operands]
        return _transposed(elementwise(function, turned, turn=False))
    free = common_free_axes(operands)
    if free:
        return _repeated(
            elementwise(function, [without_axes(o, free) for o in operands]), dims, free
        )
    return Map.of(function, tuple(operands))


def power(base: Node, exponent: Fraction | int) -> Node:
    """Each entry of `base` to a fixed power."""
    return elementwise("pow", (base, number(exponent, base.dims)))


def _power(base: Node, exponent: Node) -> Node | None:
    """``base^exponent`` where it folds: numbers, small and nested powers, powers of products."""
    p = as_number(exponent)
    if p is None:
        return ones(base.dims) if as_number(base) == 1 else None
    if p in (0, 1):
        return base if p else ones(base.dims)
    value = as_number(base)
    if value is not None:
        folded = exact_power(value, p)
        return None if folded is None else number(folded, base.dims)
    if p.denominator != 1:
        return None
    if p == 2:
        labels = tuple(range(base.rank))
        return einsum(base.rank, base.dims, [(base, labels), (base, labels)])
    content, inner = _content(base)
    if content != 1:
        factor = exact_power(content, p)
        return None if factor is None else scale(factor, power(inner, p))
    if isinstance(base, Map) and base.function == "pow":
        scaled = add(base.dims, [(p, base.operands[1])])
        return elementwise("pow", (base.operands[0], scaled))
    if isinstance(base, Einsum) and len(base.sizes) == base.rank and _is_plain(base):
        factors = [(power(o, p), a) for o, a in zip(base.operands, base.labels, strict=True)]
        return einsum(base.rank, base.sizes, factors)
    return None


def _is_plain(node: Einsum) -> bool:
    """Whether a product is no view, and no operand has zeros of its own to divide by."""
    return len(node.operands) > 1 and not any(
        isinstance(operand, Delta | Basis) for operand in node.operands
    )


def conjugate(node: Node) -> Node:
    """The complex conjugate: what is real stays, of anything else that of its variables."""
    if not node.is_complex:
        return node

    def visit(inner: Node, operands: tuple[Node, ...]) -> Node:
        if not inner.is_complex:
            return inner
        if isinstance(inner, Map) and inner.function == "conj":
            return inner.operands[0]
        if isinstance(inner, Variable | Data | Unknown) or _is_diagonal(inner):
            return Map.of("conj", (inner,))
        return rebuild(inner, operands)

    return fold([node], visit)[node]


def _is_diagonal(node: Node) -> bool:
    """Whether a node is the diagonal of a mere name: it stands inside functions of entries."""
    return (
        isinstance(node, Einsum)
        and len(node.operands) == 1
        and isinstance(node.operands[0], Variable | Data | Unknown)
        and len(node.sizes) == node.rank
        and len(set(node.labels[0])) < len(node.labels[0])
    )


def matrix_function(function: str, *operands: Node, order: int = 0) -> Node:
    """A function of `matrix_functions.py` of the last axes, for each place on the others."""
    entry = MATRIX_FUNCTIONS[function]
    operand, *parameters = operands
    batch = operand.rank - entry.rank
    own = operand.dims[batch:]
    value = tuple(reversed(own)) if function == "pinv" else own[: entry.result]
    dims = operand.dims[:batch] + value + own * order
    if function in NORMS:
        if is_zero(operand):
            return zeros(dims)
        content, operand = _content(operand)
        return scale(abs(content), MatrixFunction.of(function, dims, (operand,)))
    free = common_free_axes(operands) & frozenset(range(batch))
    if free:
        smaller = [without_axes(node, free) for node in operands]
        return _repeated(matrix_function(function, *smaller, order=order), dims, free)
    if isinstance(operand, MatrixFunction) and operand.function == "inv":
        if function == "inv":
            return operand.operands[0]
        if function == "logdet":
            return scale(-1, matrix_function("logdet", operand.operands[0]))
    inner = untransposed(operand)
    if inner is not None and function in TRANSPOSABLE and not order:
        node = matrix_function(function, inner, *parameters)
        return _transposed(node) if node.rank else node
    if function == "power":
        folded = _matrix_power(operand, parameters[0])
        if folded is not None:
            return folded
    return MatrixFunction.of(function, dims, operands, order)


def _matrix_power(base: Node, exponent: Node) -> Node | None:
    """``base^exponent`` of matrices where it folds."""
    n = base.rank
    batch = tuple(range(n - 2))
    p = as_number(exponent)
    if p is not None:
        if p < 0:
            base, p = matrix_function("inv", base), -p
        k = int(p)
        if k > MAX_WRITTEN_POWER:
            half = matrix_function("power", base, number(k // 2, exponent.dims))
            halves: list[Factor] = [(half, (*batch, n - 2, n)), (half, (*batch, n, n - 1))]
            if k % 2:
                halves = [halves[0], (half, (*batch, n, n + 1)), (base, (*batch, n + 1, n - 1))]
            return einsum(n, (*base.dims, *[base.dims[-1]] * (len(halves) - 1)), halves)
        if k == 0:
            return einsum(n, base.dims, [(Delta.of(base.dims[-1]), (n - 2, n - 1))])
        row, inner = n - 2, list(range(n, n + k - 1))
        chain = [row, *inner, n - 1]
        factors: list[Factor] = [(base, (*batch, a, b)) for a, b in pairwise(chain)]
        return einsum(n, (*base.dims, *[base.dims[-1]] * (k - 1)), factors)
    if batch:
        return None
    if isinstance(exponent, Add) and all(c < 0 for c in exponent.coefficients):
        # the derivative of a power is a sum over the factors, of which there must be some
        return matrix_function("power", matrix_function("inv", base), scale(-1, exponent))
    if isinstance(base, MatrixFunction) and base.function == "power":
        product = einsum(0, (), [(base.operands[1], ()), (exponent, ())])
        return matrix_function("power", base.operands[0], product)
    if isinstance(base, Delta):
        return base
    content, base = _content(base)
    scalars = [number(content)] if content != 1 else []
    if isinstance(base, Einsum):
        scalars += [o for o in base.operands if not o.rank]
        rest = [(o, a) for o, a in zip(base.operands, base.labels, strict=True) if o.rank]
        base = einsum(base.rank, base.sizes, rest)
    if not scalars or not base.rank:
        return None
    powers = [(elementwise("pow", (scalar, exponent)), ()) for scalar in scalars]
    return einsum(2, base.dims, [*powers, (matrix_function("power", base, exponent), (0, 1))])


def unknown(
    name: str,
    result: Dims,
    operands: tuple[Node, ...],
    batch: int = 0,
    derivatives: tuple[int, ...] = (),
    *,
    is_applied: bool = True,
    properties: frozenset[str] = frozenset(),
) -> Node:
    """A function that is only known by name, or its derivative by some of its arguments.

    The axes of the derivatives stand in the order of `derivatives`, which is ascending.
    """
    dims = operands[0].dims[:batch] + result
    for position in derivatives:
        dims += operands[position].dims[batch:]
    free = common_free_axes(operands) & frozenset(range(batch))
    if free:
        smaller = tuple([without_axes(node, free) for node in operands])
        made = unknown(
            name, result, smaller, batch - len(free), derivatives,
            is_applied=is_applied, properties=properties,
        )  # fmt: skip
        return _repeated(made, dims, free)
    return Unknown.of(name, dims, operands, batch, derivatives, is_applied, properties)


# ── sums over integers ───────────────────────────────────────────────────────────────────────


def range_sum(body: Node, counter: Counter) -> Node:
    """The sum of `body` over the integers from the counter's first to its last value.

    In the node the counter has the first level that no sum inside has, so that its name does not
    matter. What the counter does not occur in stands outside.
    """
    low, high = counter.operands
    times = add((), [(ONE, high), (Fraction(-1), low), (ONE, number(1))])
    if counter not in body.counters:
        axes = tuple(range(body.rank))
        return einsum(body.rank, body.dims, [(body, axes), (times, ())])
    if isinstance(body, Add) and len(body.operands) == 1:
        return scale(body.coefficients[0], range_sum(body.operands[0], counter))
    if isinstance(body, Einsum):
        outside = [o for o in body.operands if not o.rank and counter not in o.counters]
        if outside:
            inside = [
                (o, a)
                for o, a in zip(body.operands, body.labels, strict=True)
                if o.rank or counter in o.counters
            ]
            inner = range_sum(einsum(body.rank, body.sizes, inside), counter)
            axes = tuple(range(body.rank))
            return einsum(body.rank, body.dims, [(inner, axes), *[(o, ()) for o in outside]])
    taken = {other.level for other in body.counters if other is not counter}
    level = body.height + 1
    while level in taken:
        level += 1
    if level != counter.level:
        renamed = Counter.of(level, counter.operands)
        body, counter = replace_counter(body, counter, renamed), renamed
    return RangeSum.of((body, counter))


def replace_counter(body: Node, counter: Counter, value: Node) -> Node:
    """The body with the counter replaced by another scalar."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if node is counter:
            return value
        return node if counter not in node.counters else rebuild(node, operands)

    return fold([body], visit)[body]


# ── rebuilding ───────────────────────────────────────────────────────────────────────────────


def rebuild(node: Node, operands: tuple[Node, ...], sizes: Mapping[str, Dim] = NO_SIZES) -> Node:
    """The node with other operands, again in normal form; `sizes` replaces names of sizes."""
    if not sizes and all(a is b for a, b in zip(operands, node.operands, strict=True)):
        return node
    dims = tuple([dim.substitute(sizes) for dim in node.dims])
    match node:
        case Variable():
            return Variable.of(node.name, dims, node.properties)
        case Size():
            return size(node.dim.substitute(sizes))
        case Delta():
            return Delta.of(dims[0])
        case Basis():
            return Basis.of(dims[0], node.position)
        case Merge():
            return _leaf(Merge.of(dims[1:]))
        case Section():
            return _leaf(Section.of(dims[0], dims[1], node.offset.substitute(sizes)))
        case Range():
            return Range.of(dims[0], node.start.substitute(sizes))
        case Einsum():
            label_sizes = [dim.substitute(sizes) for dim in node.sizes]
            return einsum(node.rank, label_sizes, zip(operands, node.labels, strict=True))
        case Add():
            dims = operands[0].dims if operands else dims
            return add(dims, zip(node.coefficients, operands, strict=True))
        case Map():
            return elementwise(node.function, operands)
        case MatrixFunction():
            return matrix_function(node.function, *operands, order=node.order)
        case Unknown():
            result = dims[node.batch : node.batch + node.result]
            return unknown(
                node.name,
                result,
                operands,
                node.batch,
                node.derivatives,
                is_applied=node.is_applied,
                properties=node.properties,
            )
        case Counter():
            return Counter.of(node.level, operands)
        case RangeSum():
            counter = operands[1]
            if not isinstance(counter, Counter):
                raise TypeError("a RangeSum counts with a Counter")
            return range_sum(operands[0], counter)
    return node


def _leaf(node: Node) -> Node:
    """A constant of structure in normal form."""
    axes = tuple(range(node.rank))
    return einsum(node.rank, node.dims, [(node, axes)])
