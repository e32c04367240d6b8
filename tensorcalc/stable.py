"""Stable forms of sums: a node in, one that neither overflows nor loses its digits out.

The logarithm of a sum of exponentials is a `logsumexp`, an exponential over such a sum a softmax,
the root of a sum of squares a norm. What concerns single entries is `rules.py`'s. Sources:
Blanchard, Higham and Higham, "Accurately computing the log-sum-exp and softmax functions" (2021);
Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 27.8 (norms). Used by
`simplify.py`, before anything is differentiated.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorcalc import canonical
from tensorcalc.ir import Einsum, Labels, Map, MatrixFunction, Node, Size
from tensorcalc.rewrites import note

ONE = Fraction(1)
_Term = tuple[Node, Labels]


def stable_form(node: Node) -> Node:
    """The stable form of a node whose operands are in theirs; itself if it has none."""
    if isinstance(node, Map) and node.function == "log":
        return note("logarithm of a sum of exponentials", node, _logarithm(node)) or node
    if isinstance(node, Map) and node.function == "pow":
        return note("root of a sum of squares", node, _norm(node)) or node
    if isinstance(node, Einsum):
        return note("softmax", node, _softmax(node)) or node
    return node


def _logarithm(node: Map) -> Node | None:
    """``log(c*sum[j](exp(x[i,j])))`` as ``logsumexp[j](x[i,j]) + log(c)``."""
    coefficient, inner = ONE, node.operands[0]
    if not isinstance(inner, Einsum):
        terms = canonical.terms_of(inner)
        if len(terms) != 1 or terms[0][0] <= 0:
            return None
        ((coefficient, inner),) = terms
    found = _log_of_sum(inner)
    if found is None:
        return None
    offset = canonical.elementwise("log", [canonical.number(coefficient, node.dims)])
    return canonical.add(node.dims, [(ONE, found), (ONE, offset)])


def _log_of_sum(node: Node) -> Node | None:
    """The logarithm of a sum of exponentials; positive sizes may be among the factors."""
    if not isinstance(node, Einsum) or len(node.sizes) == node.rank:
        return None
    exponents: list[_Term] = []
    sizes: list[Node] = []
    for operand, labels in zip(node.operands, node.labels, strict=True):
        if isinstance(operand, Map) and operand.function == "exp":
            exponents.append((operand.operands[0], labels))
        elif _is_size(operand):
            sizes.append(operand)
        else:
            return None
    covered = {label for _, labels in exponents for label in labels}
    if not set(range(node.rank, len(node.sizes))) <= covered:
        return None
    found = _log_of_product(node, exponents)
    if found is None:
        return None
    total = canonical.einsum(node.rank, node.dims, [found])
    logarithms = [
        (ONE, canonical.einsum(node.rank, node.dims, [(canonical.elementwise("log", [size]), ())]))
        for size in sizes
    ]
    return canonical.add(node.dims, [(ONE, total), *logarithms])


def _log_of_product(node: Einsum, exponents: Sequence[_Term]) -> _Term | None:
    """``log(sum[j,k](exp(x[i,j] + y[j,k])))`` as ``logsumexp[j](x[i,j] + logsumexp[k](y[j,k]))``.

    The exponentials are factors of their own. One label after the other, that with the fewest
    others first. None if no term has all labels of a sum: ``log(sum[j](exp(x[i,j])*exp(y[j,k])))``
    is of a product of matrices, which is far less work.
    """
    terms = list(exponents)
    left = list(range(node.rank, len(node.sizes)))

    def reached(label: int) -> set[int]:
        return {other for _, labels in terms for other in labels if label in labels}

    while left:
        label = min(reversed(left), key=lambda label: len(reached(label)))
        axes = reached(label)
        inside = [term for term in terms if label in term[1]]
        if not any({*labels} == axes for _, labels in inside):
            return None
        kept = tuple(sorted(axes - {label}))
        total = canonical.matrix_function("logsumexp", _sum(inside, (*kept, label), node))
        terms = [*[term for term in terms if label not in term[1]], (total, kept)]
        left.remove(label)
    axes = {label for _, labels in terms for label in labels}
    return _sum(terms, tuple(sorted(axes)), node), tuple(sorted(axes))


def _sum(terms: Sequence[_Term], axes: Labels, node: Einsum) -> Node:
    """The sum of terms under labels of the node, with these axes."""
    place = {label: axis for axis, label in enumerate(axes)}
    dims = tuple([node.sizes[label] for label in axes])
    spread = [
        canonical.einsum(len(axes), dims, [(term, tuple([place[label] for label in own]))])
        for term, own in terms
    ]
    return canonical.add(dims, [(ONE, term) for term in spread])


def _is_size(node: Node) -> bool:
    if isinstance(node, Map) and node.function == "pow":
        node = node.operands[0]
    return isinstance(node, Size)


def _softmax(node: Einsum) -> Node | None:
    """``exp(x[i])/sum[j](exp(x[j]))`` as ``exp(x[i] - logsumexp(x))``."""
    factors = list(zip(node.operands, node.labels, strict=True))
    for k, (divisor, own) in enumerate(factors):
        if not isinstance(divisor, Map) or divisor.function != "pow":
            continue
        power = canonical.as_number(divisor.operands[1])
        if power is None or power.denominator != 1 or power >= 0:
            continue
        total = _log_of_sum(divisor.operands[0])
        if total is None:
            continue
        for j, (factor, labels) in enumerate(factors):
            is_exponential = isinstance(factor, Map) and factor.function == "exp"
            if not is_exponential or not set(own) <= set(labels):
                continue
            place = {label: axis for axis, label in enumerate(labels)}
            axes = tuple([place[label] for label in own])
            spread = canonical.einsum(factor.rank, factor.dims, [(total, axes)])
            exponent = canonical.add(factor.dims, [(ONE, factor.operands[0]), (-ONE, spread)])
            rest = [item for i, item in enumerate(factors) if i not in (j, k)]
            rest.append((canonical.elementwise("exp", [exponent]), labels))
            rest.append((canonical.power(divisor.operands[0], power + 1), own))
            return canonical.einsum(node.rank, node.sizes, rest)
    return None


def softmax_of(node: Node) -> tuple[Node, int] | None:
    """Argument and axis of ``exp(x - logsumexp(x))``, whose sum along the axis is 1."""
    if not isinstance(node, Map) or node.function != "exp":
        return None
    (inner,) = node.operands
    for coefficient, term in canonical.terms_of(inner):
        if coefficient != -1 or not isinstance(term, Einsum) or len(term.operands) != 1:
            continue
        (total,), (own,) = term.operands, term.labels
        if not isinstance(total, MatrixFunction) or total.function != "logsumexp":
            continue
        if not len(own) == len(set(own)) == node.rank - 1 or len(term.sizes) != node.rank:
            continue
        (axis,) = set(range(node.rank)) - set(own)
        rest = [(c, t) for c, t in canonical.terms_of(inner) if t is not term]
        argument = canonical.add(inner.dims, rest)
        place = {a: k for k, a in enumerate((*own, axis))}
        order = tuple([place[a] for a in range(node.rank)])
        dims = total.operands[0].dims
        if canonical.einsum(node.rank, dims, [(argument, order)]) is total.operands[0]:
            return argument, axis
    return None


def _norm(node: Map) -> Node | None:
    """``sum[j](x[i,j]^2)`` to the power q, no integer, as a norm to the power 2*q.

    Of one entry squared, its magnitude.
    """
    inner, exponent = node.operands
    power = canonical.as_number(exponent)
    if power is None or power.denominator == 1 or not isinstance(inner, Einsum):
        return None
    if inner.is_complex or len(inner.operands) != 2:
        return None
    summed = len(inner.sizes) - inner.rank
    (left, right), (at, bt) = inner.operands, inner.labels
    if left is not right or at != bt or len(set(at)) < len(at) or summed > 2:
        return None
    if not summed:
        if at != tuple(range(inner.rank)):
            return None
        return canonical.power(canonical.elementwise("abs", [left]), 2 * power)
    covered = sorted(label for label in at if label < inner.rank)
    if len(at) != len(covered) + summed:
        return None
    order = [*covered, *sorted(label for label in at if label >= inner.rank)]
    place = {label: k for k, label in enumerate(order)}
    sizes = [inner.sizes[label] for label in order]
    turned = canonical.einsum(len(order), sizes, [(left, tuple([place[a] for a in at]))])
    norm = canonical.matrix_function("norm2" if summed == 1 else "normF", turned)
    spread = canonical.einsum(inner.rank, inner.dims, [(norm, tuple(covered))])
    return canonical.power(spread, 2 * power)
