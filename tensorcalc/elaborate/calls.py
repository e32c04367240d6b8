"""A call in, its value out: elementwise and array functions, unknown functions, special forms."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tensorcalc import canonical, unknowns, value as v
from tensorcalc.array_functions import ARRAY_FUNCTIONS
from tensorcalc.dims import Dim
from tensorcalc.elaborate.arity import SERIES, check_arity
from tensorcalc.elaborate.constants import CONSTANT_TENSORS, commutation_matrix, constant, eye
from tensorcalc.elaborate.einsum_call import einsum_call
from tensorcalc.elaborate.reader import Reader, Rule
from tensorcalc.errors import DomainError, LimitError, ShapeError, Span, UnknownNameError
from tensorcalc.functions import COMPARISONS, FUNCTIONS
from tensorcalc.ir import Basis
from tensorcalc.limits import current as limits
from tensorcalc.parse_errors import ELSEWHERE
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps
from tensorcalc.value import Value

# elementwise functions that are written as calls
CALLS = [name for name in FUNCTIONS if name not in ("pow", *COMPARISONS.values())]
# calls whose arguments are not all values: strings and sizes
SPECIAL: Mapping[str, Rule] = {
    "einsum": einsum_call,
    "eye": eye,
    "commutation": commutation_matrix,
    **dict.fromkeys(CONSTANT_TENSORS, constant),
}
FUNCTION_NAMES = (*CALLS, *ARRAY_FUNCTIONS, "sqrt", *SPECIAL)


def call(reader: Reader, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
    """``f(x, y)``: a function of the language, or an unknown one."""
    name = syntax.words[0]
    if name in SPECIAL:
        found: Value = yield SPECIAL[name](reader, syntax, bound)
        return found
    args: list[Value] = []
    for child in syntax.children:
        args.append((yield reader.value(child, bound)))
    if name == "sqrt":
        check_arity(syntax, 1, 1)
        half = Value(canonical.number(Fraction(1, 2)))
        return v.elementwise("pow", [args[0], half], reader.shapes, syntax.span)
    plain = name.rstrip("'")
    if len(name) - len(plain) > limits().derivative_order:
        raise LimitError(
            f"the order of a derivative is at most {limits().derivative_order} "
            "(limit derivative_order)",
            syntax.span,
        )
    function = syntax.payload or reader.unknowns.get(plain)  # payload: called from Python
    if isinstance(function, unknowns.UnknownFunction) and function.is_applied:
        if len(args) > 1 and plain != name:
            raise DomainError(
                f"{plain} has {len(args)} arguments: `'` does not say which is meant",
                syntax.span,
                f"write `d{plain}/d1(…)` for the derivative by the first",
            )
        order = (0,) * (len(name) - len(plain))
        return unknowns.apply(function, args, order, reader.shapes, syntax.span)
    if plain != name and plain in SERIES:
        return _series_derivative(reader, plain, len(name) - len(plain), args, syntax)
    if name in ("max", "min") and (len(args) > 2 or _is_entrywise(reader, name, args)):
        return _pairwise(reader, name, args, syntax.span)
    if name in CALLS and name not in ("max", "min"):
        arity = FUNCTIONS[name].arity
        check_arity(syntax, arity, arity)
        return v.elementwise(name, args, reader.shapes, syntax.span)
    if name in ARRAY_FUNCTIONS:
        entry = ARRAY_FUNCTIONS[name]
        check_arity(syntax, entry.least, entry.most)
        return entry.apply(args, reader.shapes, syntax.span)
    raise UnknownNameError(
        f"unknown function {name}", syntax.span, _instead_of(reader, name, syntax.children)
    )


def _instead_of(reader: Reader, name: str, arguments: Sequence[Syntax]) -> str | None:
    """What to write for a call of a function that is not there."""
    if name in reader.unknowns:
        return f"write `{name}`: it depends on {', '.join(reader.unknowns[name].depends)} already"
    if reader.scope.knows(name) or len(name) == 1:
        entry = f"an entry is `{name}[{', '.join('ijkl'[: len(arguments)])}]`, counted from 0"
        return f"write `{name}*(…)` for a product; {entry}"
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    same = [known for known in FUNCTION_NAMES if known.lower() == name.lower()]
    near = same or difflib.get_close_matches(name, FUNCTION_NAMES, 1, 0.7)
    return f"did you mean {near[0]}?" if near else ELSEWHERE.get(name.lower())


def _is_entrywise(reader: Reader, name: str, args: list[Value]) -> bool:
    """Whether ``max(x, y)`` compares entries; ``max(X, 1)`` of a matrix names an axis."""
    if len(args) != 2:
        return False
    axis = canonical.as_number(args[1].node)
    if args[0].rank < 2 or args[1].rank or axis not in (1, 2):
        return True
    reader.scope.note(
        f"{name}(…, {axis}) of a matrix is along axis {axis}; "
        f"the entrywise one is {name}(…, matrix({axis}))"
    )
    return False


def _pairwise(reader: Reader, name: str, args: list[Value], span: Span) -> Value:
    """``max(a, b, c)``: the largest, entry by entry."""
    if len(args) == 2:
        return v.elementwise(name, args, reader.shapes, span)
    nodes, frame = v.align(args, reader.shapes, span, f"the arguments of {name} have")
    rank, dims = nodes[0].rank, (*nodes[0].dims, Dim.of(len(nodes)))
    axes = tuple(range(rank))
    stacked = [
        (Fraction(1), canonical.einsum(
            rank + 1, dims, [(node, axes), (Basis.of(dims[-1], place), (rank,))]
        ))
        for place, node in enumerate(nodes)
    ]  # fmt: skip
    stack = canonical.add(dims, stacked)
    return replace(frame, node=canonical.matrix_function(name, stack))


def _series_derivative(
    reader: Reader, name: str, order: int, args: list[Value], syntax: Syntax
) -> Value:
    """``expm'(X)[i,j,k,l]``: the derivative of a power series, a tensor."""
    check_arity(syntax, 1, 1)
    (x,) = args
    if not v.make_square(x, reader.shapes):
        raise ShapeError(f"{name} takes a square matrix: {x.describe(reader.shapes)}", syntax.span)
    node = canonical.matrix_function(name, x.node, order=order)
    return replace(x, node=node, row=False, span=syntax.span)
