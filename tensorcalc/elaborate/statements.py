"""A statement in, its value out: definitions, the axes that a left side or an arrow names."""

from __future__ import annotations

from collections import Counter as Counts
from dataclasses import replace

from tensorcalc import value as v
from tensorcalc.elaborate.reader import Reader
from tensorcalc.errors import IndexNotationError, LimitError, Span
from tensorcalc.limits import current as limits
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps, trampoline
from tensorcalc.value import Value

NO_INDICES: frozenset[str] = frozenset()


def whole(value: Value) -> Value:
    """The value with its free indices turned into axes."""
    return replace(v.arrange(value, value.indices, value.span), summed=v.NO_SUMS)


def statement(reader: Reader, syntax: Syntax) -> Value:
    """The value of a statement, perhaps with free indices."""
    expression = syntax.children[0] if syntax.kind == "value" else syntax
    value = trampoline(reader.value(expression, NO_INDICES))
    reader.scope.note_sums(value)
    return value


def define(reader: Reader, syntax: Syntax) -> Value:
    """The value of a definition, which its name has from here on."""
    target, right = syntax.children
    if target.kind == "name":
        name, value = target.words[0], whole(statement(reader, right))
    else:
        name = target.children[0].words[0]
        axes = [child.words[0] for child in target.children[1:]]
        value = trampoline(arranged(reader, right, axes, syntax.span))
    return reader.scope.define(name, value, target.span)


def arranged(
    reader: Reader, syntax: Syntax, axes: list[str], span: Span, outer: frozenset[str] = NO_INDICES
) -> Steps[Value]:
    """The value with its axes named by a left side or an arrow.

    Indices that are bound further out (`outer`) stay indices: the value is one for each.
    """
    twice = [axis for axis, count in Counts(axes).items() if count > 1]
    if twice:
        raise IndexNotationError(
            f"the axis {twice[0]} is named twice",
            span,
            f"for the diagonal, multiply by `delta[{twice[0]},j]` and name the other axis j",
        )
    if len(axes) > limits().rank:
        raise LimitError(f"more than {limits().rank} axes (limit rank)", span)
    value: Value = yield reader.value(syntax, outer | frozenset(axes))
    if value.rank:
        entry = f"{value.source}[{','.join('ijklmn'[: value.rank])}]"
        raise IndexNotationError(
            f"an entry is needed where axes are named: {value.describe(reader.shapes)}",
            syntax.span,
            f"write `{entry}`" if syntax.kind == "name" else "give it subscripts",
        )
    reader.scope.note_sums(value)
    return v.arrange(replace(value, summed=v.NO_SUMS), axes, span, outer - frozenset(axes))


def arrow(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``X[i,j] -> [j,i]``: the value with its axes named."""
    return arranged(reader, syntax.children[0], list(syntax.words), syntax.span, bound)
