"""A power in, its value out: of numbers, of entries, of square matrices."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.counting import is_integer
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import DomainError, KindError, LimitError, ShapeError
from tensorcalc.limits import current as limits
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value


def power(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``x^p``, ``x.^p``, ``A^k``."""
    base = yield reader.value(syntax.children[0], bound)
    exponent = yield reader.value(syntax.children[1], bound)
    return _power(reader, base, exponent, syntax)


def _power(reader: Reader, base: Value, exponent: Value, syntax: Syntax) -> Value:
    entrywise = syntax.words[0] == ".^"
    if entrywise or (base.rank == 0 and exponent.rank == 0):
        value = canonical.as_number(exponent.node)
        if value is not None and abs(value) > limits().exponent:
            raise LimitError(
                f"the exponent is over {limits().exponent} (limit exponent)", syntax.span
            )
        if value is not None and value < 0 and canonical.is_zero(base.node):
            raise DomainError("division by zero", syntax.span)
        return v.elementwise("pow", [base, exponent], reader.shapes, syntax.span)
    shown, power = base.source, syntax.children[1]
    inner = power.children[0] if power.kind == "negate" else power
    if inner.kind == "name" and inner.words == ("T",) and "T" in reader.scope.notes:
        mended = f"inv({shown})'" if inner is not power else f"{shown}'"
        raise KindError("T is taken as a matrix here", inner.span, f"write `{mended}`")
    if base.rank == 0:
        hint = f"write `{shown}.^{exponent.source}` for a power for each entry"
        if shown == "e" and "e" in reader.scope.notes:
            hint = f"write `exp({exponent.source})`: e is a name like any other"
        raise KindError(
            f"the exponent of ^ is a scalar: {exponent.describe(reader.shapes)}",
            syntax.children[1].span,
            hint,
        )
    if base.rank != 2:
        notes = f"; {base.note}" if base.note else ""
        raise KindError(
            f"^ takes a scalar or a square matrix: {base.describe(reader.shapes)}",
            syntax.span,
            f"write `.^` for the power of each entry{notes}",
        )
    if not v.make_square(base, reader.shapes):
        raise ShapeError(
            f"only a square matrix has powers: {base.describe(reader.shapes)}",
            syntax.span,
            "write `.^` for the power of each entry",
        )
    n = canonical.as_number(exponent.node)
    if exponent.rank or not is_integer(exponent.node):
        name = exponent.source if syntax.children[1].kind == "name" else "k"
        hint = f"declare it: `{name} : scalar integer`"
        if n is not None:
            half = abs(n) == Fraction(1, 2)
            hint = f"write `sqrtm({shown})`" if half else f"write `expm(p*logm({shown}))`"
        raise DomainError(
            f"the power of a matrix must be an integer: {exponent.describe(reader.shapes)}"
            if n is None
            else "the power of a matrix must be an integer",
            syntax.children[1].span,
            hint,
        )
    if n is not None and abs(n) > limits().exponent:
        raise LimitError(f"the exponent is over {limits().exponent} (limit exponent)", syntax.span)
    indices = tuple(dict.fromkeys((*base.indices, *exponent.indices)))
    batch = [base.node.dims[base.indices.index(i)] if i in base.indices
             else exponent.node.dims[exponent.indices.index(i)] for i in indices]  # fmt: skip
    sizes = (*batch, *base.whole)
    place = {index: axis for axis, index in enumerate(indices)}
    axes = (*[place[i] for i in base.indices], len(indices), len(indices) + 1)
    node = canonical.matrix_function(
        "power",
        canonical.einsum(len(sizes), sizes, [(base.node, axes)]),
        canonical.einsum(
            len(batch), batch, [(exponent.node, tuple([place[i] for i in exponent.indices]))]
        ),
    )
    return replace(base, node=node, indices=indices, span=syntax.span)
