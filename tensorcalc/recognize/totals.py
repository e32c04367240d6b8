"""Vectors and matrices in; inner products, totals, diagonals and traces out, the shortest ones."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from tensorcalc import matrix_algebra as m
from tensorcalc.matrix_algebra import ONE, Matrix


def inner_product(vectors: list[Matrix]) -> Matrix:
    """The sum over the entries of a product of vectors."""
    if not vectors:
        return m.number(ONE)
    if len(vectors) == 1:
        return _total(vectors[0])
    first, *rest = sorted(vectors, key=lambda x: (-x.cost, *_reading(x)))
    form = m.product(ONE, [], [m.transpose(first), m.hadamard(rest)])
    coefficient, scalars, chain = m.parts(form)
    turned = m.product(coefficient, scalars, [m.transpose(f) for f in reversed(chain)])
    return min(form, turned, key=lambda f: (f.cost, *_reading(f)))


def _reading(form: Matrix) -> tuple[int, str]:
    """What decides between forms of the same cost: which names come first in the user's text."""
    words = m.sketch(form)
    return m.appearance(words), words


def _of_diagonal(vector: Matrix) -> Matrix | None:
    """The matrix of which the vector is the diagonal, where it is written as one."""
    if vector.op == "call" and vector.data == "diag":
        return vector.args[0]
    if vector.op != "sum":
        return None
    terms: list[tuple[Fraction, Matrix]] = []
    for coefficient, term in m.terms(vector):
        own, scalars, chain = m.parts(term)
        if term.op == "spread":
            matrix, scalars, own = m.eye(), [term.args[0]], ONE
        elif len(chain) == 1 and chain[0].op == "call" and chain[0].data == "diag":
            matrix = chain[0].args[0]
        else:
            return None
        terms.append((coefficient * own, m.product(ONE, scalars, [matrix])))
    return m.sum_(terms)


def _total(vector: Matrix) -> Matrix:
    """The sum of a vector's entries."""
    whole = _total_of_term(vector)
    if vector.op != "sum" or vector.shape not in ("column", "row"):
        return whole
    apart = m.sum_([(c, _total_of_term(term)) for c, term in m.terms(vector)])
    more = -1 if any(term.op == "spread" for _, term in m.terms(vector)) else 3
    return apart if apart.cost <= whole.cost + more else whole


def _is_two(exponent: Matrix) -> bool:
    number = exponent.args[0] if exponent.op == "spread" else exponent
    return number.op == "number" and number.data == 2


def _total_of_term(vector: Matrix) -> Matrix:
    coefficient, scalars, chain = m.parts(vector)
    if len(chain) == 1 and chain[0].op == "power" and _is_two(chain[0].args[1]):
        base = chain[0].args[0]
        return m.product(coefficient, scalars, [m.transpose(base), base])
    if len(chain) == 1 and (matrix := _of_diagonal(chain[0])) is not None:
        total = trace(matrix)
    elif len(chain) == 2 and chain[1].op == "spread":  # the sum of all row sums
        inner = chain[0].args[0] if chain[0].op == "transpose" else chain[0]
        total = m.call("sum", [inner], "scalar")
    else:
        total = m.call("sum", [m.product(ONE, [], chain)], "scalar")
    return m.product(coefficient, [*scalars, total], [])


def diagonal(form: Matrix) -> Matrix:
    """The vector of diagonal entries."""
    coefficient, scalars, chain = m.parts(form)
    if len(chain) == 1 and chain[0].op == "eye":
        return m.product(coefficient, scalars, [m.ones("column")])
    inner = m.product(ONE, [], chain)
    if inner.op == "transpose":
        inner = inner.args[0]
    return m.product(coefficient, scalars, [m.call("diag", [inner], "column")])


def _of_trace(form: Matrix) -> tuple[object, ...]:
    """What decides between the products under a trace: powers and quadratic forms are preferred."""
    _, _, chain = m.parts(form)
    repeated = sum(left.cost for left, right in pairwise(chain) if left == right)
    is_quadratic = len(chain) > 2 and chain[0] == m.transpose(chain[-1])
    first = chain[0] if chain else form
    first = first.args[0] if first.op == "transpose" else first
    is_plain = first.data == "inv" or (first.op == "name" and "/" not in str(first.data))
    return form.cost - repeated, not is_quadratic, not is_plain, *_reading(form)


def trace(form: Matrix) -> Matrix:
    """The trace of a product, in the rotation and transposition of least cost."""
    coefficient, scalars, chain = m.parts(form)
    if not chain:
        return form
    columns = [k for k, factor in enumerate(chain) if factor.shape == "column"]
    if columns:  # a product of vectors among matrices is a scalar already
        k = columns[0] + 1
        inner = m.product(ONE, [], chain[k:] + chain[:k])
        return m.product(coefficient, [*scalars, inner], [])
    turned = [chain[k:] + chain[:k] for k in range(len(chain))] if len(chain) <= 16 else [chain]
    turned += [[m.transpose(f) for f in reversed(c)] for c in turned]
    forms = [m.product(ONE, [], c) for c in turned]
    best = min(forms, key=_of_trace)
    own, more, chain = m.parts(best)
    trace = m.call("tr", [m.product(ONE, [], chain)], "scalar")
    return m.product(coefficient * own, [*scalars, *more, trace], [])
