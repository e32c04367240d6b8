"""An expression and values for its variables -> the expression with them replaced.

All at the same time, on the IR. The sizes of the expression are unknowns here: the shapes of the
replacements, and of variables that stand on both sides, tell them; those not told keep their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tensorcalc import canonical
from tensorcalc.counting import is_integer
from tensorcalc.declarations import describe
from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.elaborate.range_calls import MAX_WRITTEN_SUM
from tensorcalc.errors import DomainError, KindError, ShapeError, UnknownNameError
from tensorcalc.expression import Expr, build, restored
from tensorcalc.ir import Basis, Map, Node, RangeSum, Unknown, Variable, sizes_of
from tensorcalc.parse import parse as parse_program
from tensorcalc.python_operands import NOWHERE, operand_syntax
from tensorcalc.scope import DECLARATIONS
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import fold, postorder, variables as variables_of
from tensorcalc.variables import known_variable

if TYPE_CHECKING:
    Sizes = dict[str, Dim]


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a variable is replaced by."""

    node: Node
    row: bool
    variables: Mapping[str, Variable]
    assumptions: tuple[str, ...]


def substitute(expression: Expr, values: Mapping[str, Any]) -> Expr:
    """The expression with its variables replaced by `values`; see `Expr.substitute`.

    >>> import tensorcalc as tc
    >>> f = substitute(tc.parse("x, y : vector(n); A*x - y"), {"x": "B*y", "y": "[a; b]"})
    >>> print(f.variables["A"].dims)
    (2, 2)
    """
    root, variables = expression._elaborated.node, expression.variables
    functions = {n.name: n for n in postorder([root]) if isinstance(n, Unknown)}
    replaced: dict[str, Replacement] = {}
    for given, value in values.items():
        if given in functions:
            raise UnknownNameError(f"{given} is an unknown function, not a variable")
        variable = known_variable(given, variables)
        if variable.name in replaced:
            raise UnknownNameError(f"{variable.name} is given twice")
        replaced[variable.name] = _replacement(value, variables)
        _check(variable, replaced[variable.name])
    for function in functions.values():
        _check_independent(function, replaced)
    kept = {name: variable for name, variable in variables.items() if name not in replaced}
    own, theirs = _sizes(root, kept, variables, replaced)
    nodes = {name: r.node for name, r in replaced.items()}
    others = {name: v for r in replaced.values() for name, v in r.variables.items()}
    renamed = canonical.rename_sizes([*nodes.values(), *others.values()], theirs)
    node = _rebuilt(root, {name: renamed[node] for name, node in nodes.items()}, own)
    left = _left(variables, replaced, own, {n: renamed[v] for n, v in others.items()})
    return restored(
        node,
        left,
        expression.groups,
        expression._elaborated.row,
        expression._elaborated.indices if expression._is_open else (),
        _assumptions(expression, replaced, left),
    )


# ── values ───────────────────────────────────────────────────────────────────────────────────


def _replacement(value: Any, variables: Mapping[str, Variable]) -> Replacement:
    if isinstance(value, str):
        return _of_text(value, variables)
    made = value if isinstance(value, Expr) else build("value", (), [operand_syntax(value)], [])
    found = made._elaborated
    return Replacement(found.node, found.row, made.variables, made.assumptions)


def _of_text(text: str, variables: Mapping[str, Variable]) -> Replacement:
    """What a text means in which the names of `variables` stand for them."""
    program = parse_program(text)
    words = set()
    stack = list(program.children)
    while stack:
        syntax = stack.pop()
        stack += syntax.children
        if syntax.kind in ("name", "names"):
            words |= set(syntax.words)
    declared = {
        name
        for statement in program.children
        if statement.kind in DECLARATIONS
        for name in statement.children[0].words
    }
    seeds = [
        operand_syntax(Expr.of(variable, {name: variable}, (variable.rank,)))
        for name, variable in variables.items()
        if name in words and name not in declared
    ]
    sizes = [name for name in _names([*variables.values()]) if name in words - {*variables}]
    for name in sizes:  # a statement in which the name is that of a size
        zero = Syntax("number", ("0",), (), NOWHERE), Syntax("name", (name,), (), NOWHERE)
        seeds.append(Syntax("call", ("vector",), zero, NOWHERE))
    children = (*seeds, *program.children)
    found = Expr(Syntax("program", program.words, children, program.span))
    known = {name: v for name, v in found.variables.items() if name in words}
    return Replacement(found._elaborated.node, found._elaborated.row, known, found.assumptions)


def _check(variable: Variable, replacement: Replacement) -> None:
    """Refuse what cannot stand where the variable stands."""
    name, node = variable.name, replacement.node
    if node.rank != variable.rank:
        kinds = ("a scalar", "a vector", "a matrix", "a tensor")
        here, there = (kinds[min(n.rank, 3)] for n in (variable, node))
        hint = None
        if not node.rank:
            letters = display_names(variable.dims, [])
            named = {word: Dim.of(letter) for word, letter in letters.items()}
            sizes = ", ".join(["0", *map(str, _renamed(variable.dims, named))])
            hint = f"write `{kinds[variable.rank][2:]}({sizes})` for one with equal entries"
        raise KindError(
            f"{name} is {here}, its replacement {there}", None, hint if variable.rank < 3 else None
        )
    if replacement.row:
        raise ShapeError(
            f"{name} is a column, its replacement a row", None, "write `x'`, in Python `x.T`"
        )
    if "integer" in variable.properties and not is_integer(node):
        raise DomainError(
            f"{name} is an integer, its replacement may be none",
            None,
            "declare its variables: `k : scalar integer`",
        )
    if node.is_complex and not variable.is_complex:
        raise DomainError(
            f"{name} is real, its replacement is complex",
            None,
            f"declare {name} with the property `complex`",
        )


def _check_independent(function: Unknown, replaced: Mapping[str, Replacement]) -> None:
    if function.is_applied:
        return
    for operand in function.operands:
        if isinstance(operand, Variable) and operand.name in replaced:
            raise DomainError(
                f"{function.name} depends on {operand.name}, which so cannot be replaced",
                None,
                f"declare it as a function to apply: `{function.name} : … -> …`",
            )


# ── sizes ────────────────────────────────────────────────────────────────────────────────────


def _sizes(
    root: Node,
    kept: Mapping[str, Variable],
    variables: Mapping[str, Variable],
    replaced: Mapping[str, Replacement],
) -> tuple[Sizes, Sizes]:
    """What the names of sizes become: those of the expression, those of the replacements.

    All are unknowns. `Shapes` solves first for those of the expression, then for those of the
    replacements that have no name, last for their names, which stay unless they are numbers.
    """
    ours = {name: Dim.of(f".~{name}") for name in _names([root, *variables.values()])}
    nodes = [node for r in replaced.values() for node in (r.node, *r.variables.values())]
    theirs = {n: Dim.of(f".{n}" if "." in n else f"{n}.") for n in _names(nodes)}
    shapes = Shapes()
    pairs: list[tuple[str, Dims, Dims]] = []
    others: dict[str, Variable] = {}
    for replacement in replaced.values():
        for name, variable in replacement.variables.items():
            known = others.setdefault(name, variable)
            _check_same(known, variable)
            pairs.append((name, _renamed(known.dims, theirs), _renamed(variable.dims, theirs)))
    for name, replacement in replaced.items():
        dims = _renamed(replacement.node.dims, theirs)
        pairs.append((name, _renamed(variables[name].dims, ours), dims))
    for name, variable in kept.items():
        if name in others:
            _check_same(variable, others[name])
            dims = _renamed(others[name].dims, theirs)
            pairs.append((name, _renamed(variable.dims, ours), dims))
    back = {str(dim): Dim.of(name) for known in (ours, theirs) for name, dim in known.items()}
    _solve(pairs, shapes, back)
    for name, dim in ours.items():
        found = shapes.resolve(dim)
        same = theirs.get(name, Dim.of(name))  # equal names are equal sizes
        named = "." not in name
        if (
            found == dim  # not told
            or (named and str(found) in back and str(found).startswith("."))  # by one without name
            or (found.is_integer and shapes.resolve(same) == same)
        ):
            shapes.equate(found, same)
    for name, dim in theirs.items():
        others_named = {n for n in shapes.resolve(dim).names if n.endswith(".")} - {str(dim)}
        if "." not in name and others_named:
            other = " and ".join(str(back[n]) for n in sorted(others_named))
            raise ShapeError(f"the sizes {name} and {other} would be the same")
    found_ours, found_theirs = (
        {name: shapes.resolve(dim).substitute(back) for name, dim in known.items()}
        for known in (ours, theirs)
    )
    return found_ours, {n: dim for n, dim in found_theirs.items() if dim != Dim.of(n)}


def _names(roots: Sequence[Node]) -> list[str]:
    """The names in all sizes under `roots`."""
    dims = [dim for node in postorder(roots) for dim in sizes_of(node)]
    return list(dict.fromkeys(name for dim in dims for name in dim.names))


def _renamed(dims: Dims, sizes: Mapping[str, Dim]) -> Dims:
    return tuple([dim.substitute(sizes) for dim in dims])


def _check_same(left: Variable, right: Variable) -> None:
    if left.rank != right.rank or left.properties != right.properties:
        raise ShapeError(
            f"{left.name} is used with two declarations: `{describe(left, str)}` and "
            f"`{describe(right, str)}`"
        )


def _solve(pairs: Sequence[tuple[str, Dims, Dims]], shapes: Shapes, back: Sizes) -> None:
    """Make the sizes equal; a product of unknown sizes waits for what else tells them."""
    waiting = [
        (name, left, right)
        for name, ours, theirs in pairs
        for left, right in zip(ours, theirs, strict=True)
    ]
    while waiting:
        failed = [
            (n, a, b) for n, a, b in waiting if not (shapes.equate(a, b) or _root(a, b, shapes))
        ]
        if len(failed) == len(waiting):
            name, left, right = failed[0]
            sides = [shapes.resolve(dim).substitute(back) for dim in (left, right)]
            shown = ["?" if side.is_inferred else str(side) for side in sides]
            raise ShapeError(f"a size of {name} would be both {shown[0]} and {shown[1]}")
        waiting = failed


def _root(left: Dim, right: Dim, shapes: Shapes) -> bool:
    """Whether ``n*n`` is a number, and n so known; then n is made equal to it."""
    right, left = sorted((shapes.resolve(left), shapes.resolve(right)), key=lambda d: bool(d.names))
    number, names = left.product or (0, ())
    if not number or len(set(names)) != 1 or not right.is_integer:
        return False
    root = round((right.constant / number) ** (1 / len(names)))
    return number * root ** len(names) == right.constant and shapes.equate(
        Dim.of(names[0]), Dim.of(root)
    )


# ── nodes ────────────────────────────────────────────────────────────────────────────────────


def _rebuilt(root: Node, values: Mapping[str, Node], sizes: Mapping[str, Dim]) -> Node:
    """The node with variables replaced and sizes renamed, again in normal form."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node, Variable) and node.name in values:
            return values[node.name]
        new = canonical.rebuild(node, operands, sizes)
        match new:
            case Basis() if new.dims[0].is_integer and new.position >= new.dims[0].constant:
                raise ShapeError(
                    f"subscript {new.position} is out of range: "
                    f"the axis has {new.dims[0].constant} entries"
                )
            case Map(function="pow"):
                exponent = canonical.as_number(new.operands[1])
                if exponent is not None and exponent < 0 and canonical.is_zero(new.operands[0]):
                    raise DomainError("division by zero")
        return new

    return _written_out(fold([root], visit)[root])


def _written_out(root: Node) -> Node:
    """The node with sums over a few known integers written out, as the language does."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        new = canonical.rebuild(node, operands)
        return _written(new) if isinstance(new, RangeSum) else new

    while True:  # writing out one may tell the ends of those inside
        new = fold([root], visit)[root]
        if new is root:
            return root
        root = new


def _written(node: RangeSum) -> Node:
    low, high = [canonical.as_number(end) for end in node.counter.operands]
    if low is None or high is None or high - low >= MAX_WRITTEN_SUM:
        return node
    body, counter = node.operands[0], node.counter
    numbers = [canonical.number(r) for r in range(int(low), int(high) + 1)]
    terms = [(Fraction(1), canonical.replace_counter(body, counter, r)) for r in numbers]
    return canonical.add(node.dims, terms)


# ── facts of the result ──────────────────────────────────────────────────────────────────────


def _left(
    variables: Mapping[str, Variable],
    replaced: Mapping[str, Replacement],
    sizes: Mapping[str, Dim],
    others: Mapping[str, Node],
) -> dict[str, Variable]:
    """The variables of the result; those of a replacement stand where it does."""
    left: dict[str, Variable] = {}
    for name, variable in variables.items():
        if name in replaced:
            for new in replaced[name].variables:
                left.update(variables_of(others[new]))
        else:
            dims = _renamed(variable.dims, sizes)
            left[name] = Variable.of(name, dims, variable.properties)
    return left


def _assumptions(
    expression: Expr, replaced: Mapping[str, Replacement], left: Mapping[str, Variable]
) -> tuple[str, ...]:
    """What was assumed of what is left, with the sizes as they are now."""
    letters = display_names([dim for v in left.values() for dim in v.dims], left)
    named = {word: Dim.of(letter) for word, letter in letters.items()}
    lines: list[str] = []
    sources = [(expression.assumptions, {*replaced})]
    sources += [(r.assumptions, set()) for r in replaced.values()]
    for assumptions, gone in sources:
        for line in assumptions:
            name = line.partition(" : ")[0]
            if name in gone:
                continue
            if name in left:
                line = describe(left[name], lambda dim: str(dim.substitute(named)))
            lines.append(line)
    return tuple(dict.fromkeys(lines))
