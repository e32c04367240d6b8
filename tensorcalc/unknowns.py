"""Unknown functions of the language: declarations in, what their names and calls mean out.

``u : vector(m) of x`` is a name that depends on x, ``g : scalar -> scalar`` a function to apply.
``du/dx`` and ``g'(x)`` are their derivatives, ``d2u/dxdy`` and ``g''(x)`` second ones; for several
arguments ``dg/d2(x, y)`` is the derivative by the second one. Used by `scope.py`, `elaborate/`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from tensorcalc import canonical, value as v
from tensorcalc.declarations import declared
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import LimitError, ParseError, ShapeError, Span, UnknownNameError
from tensorcalc.limits import current as limits
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.value import Value

DERIVATIVE = re.compile(r"d(\d*)([A-Za-z]\w*)")


@dataclass(frozen=True, slots=True)
class UnknownFunction:
    """What is declared of an unknown function.

    `arguments` are the dims of each argument of a function to apply; `depends` the names that a
    dependent name depends on. `properties` are those of its value.
    """

    name: str
    result: Dims
    arguments: tuple[Dims, ...] = ()
    depends: tuple[str, ...] = ()
    properties: frozenset[str] = frozenset()

    @property
    def is_applied(self) -> bool:
        """Whether it is a function to apply."""
        return not self.depends


def declare(statement: Syntax) -> list[UnknownFunction]:
    """The functions that an ``abstract`` or ``function`` statement declares."""
    names, *parts = statement.children
    if statement.kind == "abstract":
        depends, *dims = parts
        plain = Syntax("declaration", statement.words, (names, *dims), statement.span)
        result = declared(names.words[0], plain)
        return [
            UnknownFunction(name, result.dims, (), depends.words, result.properties)
            for name in names.words
        ]
    # a kind of an argument says what it is applied to, which nothing follows from but its sizes
    kinds = [declared(names.words[0], _as_declaration(names, part)) for part in parts]
    arguments = tuple([kind.dims for kind in kinds[:-1]])
    facts = kinds[-1].properties
    return [
        UnknownFunction(name, kinds[-1].dims, arguments, properties=facts) for name in names.words
    ]


def _as_declaration(names: Syntax, kind: Syntax) -> Syntax:
    return Syntax("declaration", kind.words, (names, *kind.children), kind.span)


def apply(
    function: UnknownFunction,
    arguments: Sequence[Value],
    derivatives: tuple[int, ...],
    shapes: Shapes,
    span: Span,
) -> Value:
    """The function of its arguments, or its derivative by those at the positions `derivatives`.

    A function of scalars goes entry by entry.
    """
    if len(arguments) != len(function.arguments):
        raise ParseError(
            f"{function.name} takes {len(function.arguments)} "
            f"argument{'s' * (len(function.arguments) != 1)}, {len(arguments)} given",
            span,
            "as many as its declaration has kinds before the arrow",
        )
    order = tuple(sorted(derivatives))
    if not any((*function.arguments, function.result)):
        nodes, frame = v.align(arguments, shapes, span, f"the arguments of {function.name} have")
        node = canonical.unknown(
            function.name, (), tuple(nodes), nodes[0].rank, order, properties=function.properties
        )
        return replace(frame, node=node)
    for argument, dims in zip(arguments, function.arguments, strict=True):
        if argument.rank != len(dims) or not shapes.same_dims(argument.whole, dims):
            wanted = "×".join(map(str, dims)) if dims else "a scalar"
            raise ShapeError(
                f"{function.name} takes {wanted}: {argument.describe(shapes)}",
                argument.span or span,
                argument.note or None,
            )
    summed = v.check_scopes(arguments, span)
    indices = tuple(dict.fromkeys(i for value in arguments for i in value.indices))
    sizes: dict[Hashable, Dim] = {}
    for argument in arguments:
        for index, dim in zip(argument.indices, argument.node.dims, strict=False):
            if not shapes.equate(sizes.setdefault(index, dim), dim):
                raise ShapeError(f"index {index} would have two sizes", span)
    operands = []
    for argument in arguments:
        own = [("own", axis) for axis in range(argument.rank)]
        sizes.update(zip(own, argument.whole, strict=True))
        known: dict[Hashable, Dim] = {label: sizes[label] for label in (*indices, *own)}
        factor = (argument.node, (*argument.indices, *own))
        operands.append(canonical.contract([*indices, *own], known, [factor]))
    node = canonical.unknown(
        function.name, function.result, tuple(operands), len(indices), order,
        properties=function.properties,
    )  # fmt: skip
    return Value(node, indices, False, span, summed)


def dependent(
    function: UnknownFunction, variables: Sequence[Value], derivatives: tuple[int, ...], span: Span
) -> Value:
    """A name that depends on variables, or its derivative, in the mixed layout."""
    operands = tuple([value.node for value in variables])
    order = tuple(sorted(derivatives))
    node = canonical.unknown(
        function.name, function.result, operands, 0, order,
        is_applied=False, properties=function.properties,
    )  # fmt: skip
    return Value(node, span=span)


def derivative_of(
    above: Syntax, below: Syntax, functions: dict[str, UnknownFunction]
) -> tuple[UnknownFunction, tuple[int, ...]] | None:
    """Function and positions that ``du`` over ``dx`` means, if it means a derivative."""
    top = _word(above)
    found = top and DERIVATIVE.fullmatch(top)
    if not found or top in functions:
        return None
    function = functions.get(found[2])
    bottom = _word(below)
    if function is None or not bottom:
        return None
    order = int(found[1][:3] or 1)
    if order > limits().derivative_order:
        raise LimitError(
            f"the order of a derivative is at most {limits().derivative_order} "
            "(limit derivative_order)",
            above.span,
        )
    names = function.depends or tuple(map(str, range(1, len(function.arguments) + 1)))
    positions = _positions(bottom, names, order)
    if positions is None:
        raise UnknownNameError(
            f"{found[0]}/{bottom} is no derivative of order {order} of {function.name}",
            below.span,
            f"{function.name} depends on {', '.join(function.depends)}; write "
            f"`d{function.name}/d{names[0]}` or `d2{function.name}/d{names[0]}2`"
            if function.depends
            else f"write `d{function.name}/d1(…)` for the derivative by the first argument",
        )
    return function, positions


def _word(syntax: Syntax) -> str:
    while syntax.kind in ("subscript", "transpose") and syntax.children:
        syntax = syntax.children[0]
    if syntax.kind == "call":
        return syntax.words[0]
    return syntax.words[0] if syntax.kind == "name" else ""


def _positions(word: str, names: Sequence[str], order: int) -> tuple[int, ...] | None:
    """Which arguments ``dx2``, ``dxdy``, ``dx2dy`` mean."""
    partial: list[tuple[str, tuple[int, ...]]] = [(word, ())]
    dead: set[tuple[int, int]] = set()  # what was left of the word, after how many
    while partial:
        rest, done = partial.pop()
        if (len(rest), len(done)) in dead:
            continue
        dead.add((len(rest), len(done)))
        if not rest and len(done) == order:
            return done
        for position, name in enumerate(names):
            if len(done) == order or not rest.startswith("d" + name):
                continue
            left = rest[len(name) + 1 :]
            partial.append((left, (*done, position)))
            power = re.match(r"([2-9]|[1-9]\d{1,2})(?!\d)", left)
            if power and not name.isdigit() and len(done) + int(power[0]) <= order:
                partial.append((left[power.end() :], (*done, *(position,) * int(power[0]))))
    return None
