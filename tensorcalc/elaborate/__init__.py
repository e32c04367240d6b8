"""Syntax tree -> index IR: names, sizes, index scopes, orientation. After parse.

The kinds of constructs and the functions that read them are the table of `rules.py`. These call
each other by a `reader.py`, which knows the names of the program and the table; `yield` is
recursion (`traverse.trampoline`). What is written together is read by one module:

    statements.py     definitions, arrows
    names.py          names, numbers, values made elsewhere
    operators.py      sums, transposes, comparisons, matrices written out
    products.py       products, and single factors
    powers.py         powers
    subscripts.py     subscripts, delta and eps
    derivatives.py    du/dx of unknown functions
    calls.py          f(x), with constants.py for vector(1) and eye(n), einsum_call.py, arity.py
    indexed_calls.py  sum[i](…)
    range_calls.py    sum[r=0..k](…)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tensorcalc import canonical
from tensorcalc.elaborate.reader import Reader
from tensorcalc.elaborate.rules import OPENED, VALUES
from tensorcalc.elaborate.statements import define, statement, whole
from tensorcalc.errors import LimitError, ParseError, ShapeError, Span
from tensorcalc.ir import Node, Variable, sizes_of
from tensorcalc.limits import current as limits, metered
from tensorcalc.scope import DECLARATIONS, Scope
from tensorcalc.source import NO_SOURCE, Source
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import postorder
from tensorcalc.value import Value


@dataclass(frozen=True, slots=True)
class Elaborated:
    """A program's meaning: its node, all its variables, and what was assumed."""

    node: Node
    row: bool  # whether a vector stands as a row
    indices: tuple[str, ...]  # the names of the first axes, if they were free indices
    variables: Mapping[str, Variable]
    assumptions: tuple[str, ...]
    source: Source = NO_SOURCE


@metered
def elaborate(program: Syntax) -> Elaborated:
    """The value of a program.

    Raises
    ------
    TensorcalcError
        Names, indices, shapes or sizes that do not fit, with the place in the text.
    """
    reader = Reader(Scope(program), VALUES, OPENED)
    result: Value | None = None
    indices: tuple[str, ...] = ()
    has_bare = any(child.kind == "value" for child in program.children)
    for child in program.children:
        try:
            if child.kind == "define":
                defined = define(reader, child)
                result = result if has_bare else defined
            elif child.kind not in DECLARATIONS:
                opened = statement(reader, child)
                indices, result = opened.indices, whole(opened)
        except LimitError as error:  # a limit passed far down, where no place is known
            if error.span is None:
                raise LimitError(error.message, child.span, error.hint) from None
            raise
    if result is None:
        text = program.span.text.rstrip() or " "
        raise ParseError(
            "the program has no value",
            Span(text, len(text), len(text)) if text.strip() else Span(text, 0, 0),
            "end with an expression or a definition",
        )
    return _finish(result, indices, reader.scope, program)


def _finish(result: Value, indices: tuple[str, ...], scope: Scope, program: Syntax) -> Elaborated:
    """Put what was found of the sizes into all nodes."""
    solution = scope.shapes.solution()
    variables = {**scope.declared, **scope.used}
    defined = {name: node for name, node in scope.inherited.items() if name not in variables}
    defined.update((name, value.node) for name, value in scope.definitions.items())
    roots = [result.node, *variables.values(), *scope.written, *defined.values()]
    if any(node.rank > limits().rank for node in roots):
        raise LimitError(f"a tensor has more than {limits().rank} axes (limit rank)", program.span)
    if not solution and not scope.shapes.has_unknowns:  # keeps building by operators linear
        nodes = dict(zip(roots, roots, strict=True))
    else:
        nodes = canonical.rename_sizes(roots, solution)
    shown = [nodes[root] for root in (result.node, *variables.values())]
    if any(name[0] == "." for n in postorder(shown) for d in sizes_of(n) for name in d.names):
        raise ShapeError(
            "a size cannot be inferred", program.span, "give it: `vector(1, n)`, `eye(n)`"
        )
    renamed: dict[str, Variable] = {}
    for name, variable in variables.items():
        new = nodes[variable]
        if name not in scope.definitions and isinstance(new, Variable):
            renamed[name] = new
    assumptions = tuple(scope.assumptions(renamed))
    source = Source(
        tuple(scope.appeared),
        tuple([nodes[node] for node in scope.written]),
        tuple((name, nodes[node]) for name, node in defined.items()),
        _asserted(scope, nodes),
    )
    return Elaborated(nodes[result.node], result.row, indices, renamed, assumptions, source)


def _asserted(scope: Scope, nodes: Mapping[Node, Node]) -> tuple[tuple[Variable, Node], ...]:
    """The definitions that are declared with properties, as variables that have them."""
    found = []
    for name, value in scope.definitions.items():
        variable = nodes.get(scope.declared.get(name, value.node))
        if isinstance(variable, Variable) and variable.name == name and variable.properties:
            found.append((variable, nodes[value.node]))
    return tuple(found)
