"""Syntax tree -> index IR: names, sizes, index scopes, orientation. After parse."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.array_functions import ARRAY_FUNCTIONS, mean_over
from tensorcalc.declarations import dim_of
from tensorcalc.dims import Dim
from tensorcalc.einsum_string import parse_einsum
from tensorcalc.errors import (
    DomainError,
    IndexNotationError,
    LimitError,
    ParseError,
    ShapeError,
    Span,
    UnknownNameError,
)
from tensorcalc.functions import COMPARISONS, FUNCTIONS
from tensorcalc.ir import Delta, Node, Variable, sizes_of
from tensorcalc.limits import current as limits
from tensorcalc.scope import DECLARATIONS, Scope
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps, fold, trampoline
from tensorcalc.value import Factor, Value

NO_INDICES: frozenset[str] = frozenset()
SIZE_FUNCTIONS = {"rows": (2, 0), "cols": (2, 1), "len": (1, 0)}  # rank and axis
CONSTANT_TENSORS = {"vector": 1, "matrix": 2}
# ^ of matrices up to here is written out as a product, so that it can be contracted freely
MAX_WRITTEN_POWER = 32
# elementwise functions that are written as calls
CALLS = [name for name in FUNCTIONS if name not in ("pow", *COMPARISONS.values())]
# functions of the language that have no meaning here yet
PLANNED = (
    "pinv adj vec kron cross softmax logsumexp expm logm sqrtm sinm cosm commutation conj".split()
)
FUNCTION_NAMES = (*CALLS, *ARRAY_FUNCTIONS, "sqrt", "einsum", "eye", *CONSTANT_TENSORS)


@dataclass(frozen=True, slots=True)
class Elaborated:
    """A program's meaning: its node, all its variables, and what was assumed."""

    node: Node
    row: bool  # whether a vector stands as a row
    indices: tuple[str, ...]  # the names of the first axes, if they were free indices
    variables: Mapping[str, Variable]
    assumptions: tuple[str, ...]


def elaborate(program: Syntax) -> Elaborated:
    """The value of a program.

    Raises
    ------
    TensorcalcError
        Names, indices, shapes or sizes that do not fit, with the place in the text.
    """
    elaborator = _Elaborator(program)
    result: Value | None = None
    indices: tuple[str, ...] = ()
    has_bare = any(statement.kind == "value" for statement in program.children)
    for statement in program.children:
        if statement.kind == "define":
            defined = elaborator.define(statement)
            result = result if has_bare else defined
        elif statement.kind not in DECLARATIONS:
            opened = elaborator.statement(statement)
            indices, result = opened.indices, _whole(opened)
    if result is None:
        raise ParseError(
            "the program has no value",
            program.span,
            "end with an expression or a definition",
        )
    return _finish(result, indices, elaborator.scope, program)


def _whole(value: Value) -> Value:
    """The value with its free indices turned into axes."""
    return replace(v.arrange(value, value.indices, value.span), summed=v.NO_SUMS)


def _finish(result: Value, indices: tuple[str, ...], scope: Scope, program: Syntax) -> Elaborated:
    """Put what was found of the sizes into all nodes."""
    solution = scope.shapes.solution()
    variables = {**scope.declared, **scope.used}
    roots = [result.node, *variables.values()]
    if any(node.rank > limits().rank for node in roots):
        raise LimitError(f"a tensor has more than {limits().rank} axes (limit rank)", program.span)
    if not solution and not scope.shapes.has_unknowns:  # keeps building by operators linear
        nodes = dict(zip(roots, roots, strict=True))
    else:
        nodes = rename_sizes(roots, solution)
    if any(name[0] == "." for n in nodes.values() for d in sizes_of(n) for name in d.names):
        raise ShapeError(
            "a size cannot be inferred", program.span, "give it: `vector(1, n)`, `eye(n)`"
        )
    renamed: dict[str, Variable] = {}
    for name, variable in variables.items():
        new = nodes[variable]
        if name not in scope.definitions and isinstance(new, Variable):
            renamed[name] = new
    assumptions = tuple(scope.assumptions(renamed))
    return Elaborated(nodes[result.node], result.row, indices, renamed, assumptions)


def rename_sizes(roots: list[Node], sizes: dict[str, Dim]) -> dict[Node, Node]:
    """Every node under `roots` with its sizes replaced, again in normal form."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        return canonical.rebuild(node, operands, sizes)

    return fold(roots, visit)


class _Elaborator:
    """Reads statements and expressions in the names of one program."""

    def __init__(self, program: Syntax) -> None:
        self.scope = Scope(program)
        self.shapes = self.scope.shapes

    # ── statements ───────────────────────────────────────────────────────────────────────────

    def statement(self, syntax: Syntax) -> Value:
        """The value of a statement, perhaps with free indices."""
        expression = syntax.children[0] if syntax.kind == "value" else syntax
        value = trampoline(self.value(expression, NO_INDICES))
        self.scope.note_sums(value)
        return value

    def define(self, statement: Syntax) -> Value:
        target, right = statement.children
        if target.kind == "name":
            name, value = target.words[0], _whole(self.statement(right))
        else:
            name = target.children[0].words[0]
            axes = [child.words[0] for child in target.children[1:]]
            value = trampoline(self.arranged(right, axes, statement.span))
        return self.scope.define(name, value, target.span)

    def arranged(
        self, syntax: Syntax, axes: list[str], span: Span, outer: frozenset[str] = NO_INDICES
    ) -> Steps[Value]:
        """The value with its axes named by a left side or an arrow.

        Indices that are bound further out (`outer`) stay indices: the value is one for each.
        """
        twice = [axis for axis in axes if axes.count(axis) > 1]
        if twice:
            raise IndexNotationError(f"the axis {twice[0]} is named twice", span)
        value: Value = yield self.value(syntax, outer | frozenset(axes))
        if value.rank:
            raise IndexNotationError(
                f"its entry has whole axes: {value.describe(self.shapes)}",
                syntax.span,
                "give it subscripts",
            )
        self.scope.note_sums(value)
        return v.arrange(replace(value, summed=v.NO_SUMS), axes, span, outer - frozenset(axes))

    # ── expressions: each returns a Value; `yield` is recursion (traverse.trampoline) ──────────

    def value(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """The closed value: every repeated index summed or bound."""
        found: Value
        match syntax.kind:
            case "product":
                factors = yield self.factors(syntax, bound)
                return v.multiply(factors, self.shapes, bound, syntax.span)
            case "negate" | "subscript":
                opened = yield self.open(syntax, bound)
                return v.close(opened, self.shapes, bound)
            case "name":
                return self.scope.value(syntax)
            case "number":
                return Value(canonical.number(_literal(syntax)), span=syntax.span)
            case "node":
                return self.scope.given(syntax)
            case "sum":
                terms = []
                for sign, child in zip(syntax.words, syntax.children, strict=True):
                    term = yield self.value(child, bound)
                    terms.append((Fraction(1 if sign == "+" else -1), term))
                return v.add(terms, self.shapes, bound, syntax.span)
            case "power":
                base = yield self.value(syntax.children[0], bound)
                exponent = yield self.value(syntax.children[1], bound)
                return self.power(base, exponent, syntax)
            case "transpose" | "hermitian":
                operand = yield self.value(syntax.children[0], bound)
                return v.transpose(operand, syntax.span)
            case "compare":
                left = yield self.value(syntax.children[0], bound)
                right = yield self.value(syntax.children[1], bound)
                function = COMPARISONS[syntax.words[0]]
                return v.elementwise(function, [left, right], self.shapes, syntax.span)
            case "arrow":
                axes = list(syntax.words)
                found = yield self.arranged(syntax.children[0], axes, syntax.span, bound)
                return found
            case "call":
                found = yield self.call(syntax, bound)
                return found
            case "indexed_call":
                found = yield self.indexed_call(syntax, bound)
                return found
        names = {"rows": "explicit matrices", "range_call": "sums over integers"}
        raise DomainError(
            f"{names.get(syntax.kind, syntax.kind)} are not supported yet", syntax.span
        )

    def open(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """The value as a factor: repeated indices wait for the product around it."""
        found: Value
        match syntax.kind:
            case "product":
                factors = yield self.factors(syntax, bound)
                return v.multiply(factors, self.shapes, bound, syntax.span, keep_open=True)
            case "negate":
                found = yield self.open(syntax.children[0], bound)
                return replace(found, node=canonical.scale(-1, found.node), span=syntax.span)
            case "subscript":
                if self.is_delta(syntax):
                    base = Value(Delta.of(self.shapes.fresh()), span=syntax.span)
                else:
                    base = yield self.value(syntax.children[0], bound)
                subscripts = [self.subscript(child) for child in syntax.children[1:]]
                return v.subscript(base, subscripts, self.shapes, syntax.span)
        found = yield self.value(syntax, bound)
        return found

    def is_delta(self, syntax: Syntax) -> bool:
        """Whether a subscripted name is Kronecker's delta."""
        base = syntax.children[0]
        return base.kind == "name" and base.words[0] == "delta" and not self.scope.knows("delta")

    def factors(self, product: Syntax, bound: frozenset[str]) -> Steps[list[Factor]]:
        factors = []
        for operator, child in zip(product.words, product.children, strict=True):
            if operator in ("/", "./"):  # the reciprocal of a product is a place of its own
                value = yield self.value(child, bound)
                if canonical.is_zero(value.node):
                    raise DomainError("division by zero", child.span)
            else:
                value = yield self.open(child, bound)
            factors.append(Factor(operator, value))
        return factors

    def subscript(self, syntax: Syntax) -> str | int:
        if syntax.kind == "number" and syntax.words[0].isdigit():
            return int(syntax.words[0])
        if syntax.kind == "name":
            return syntax.words[0]
        raise IndexNotationError(
            f"a subscript is an index name or an integer from 0, not {syntax.span.source}",
            syntax.span,
        )

    def power(self, base: Value, exponent: Value, syntax: Syntax) -> Value:
        entrywise = syntax.words[0] == ".^"
        if entrywise or (base.rank == 0 and exponent.rank == 0):
            value = canonical.as_number(exponent.node)
            if value is not None and abs(value) > limits().exponent:
                raise LimitError(f"the exponent is over {limits().exponent}", syntax.span)
            if value is not None and value < 0 and canonical.is_zero(base.node):
                raise DomainError("division by zero", syntax.span)
            return v.elementwise("pow", [base, exponent], self.shapes, syntax.span)
        if base.rank != 2:
            raise ShapeError(
                f"^ takes a scalar or a square matrix: {base.describe(self.shapes)}",
                syntax.span,
                "write `.^` for the power of each entry",
            )
        if not self.shapes.equate(*base.whole):
            raise ShapeError(
                f"only a square matrix has powers: {base.describe(self.shapes)}", syntax.span
            )
        n = canonical.as_number(exponent.node)
        if exponent.rank or n is None or n.denominator != 1:
            raise DomainError("the power of a matrix must be an integer", syntax.children[1].span)
        return self.matrix_power(base, int(n), syntax)

    def matrix_power(self, base: Value, n: int, syntax: Syntax) -> Value:
        if n < 0:
            base = replace(base, node=canonical.matrix_function("inv", base.node))
            n = -n
        if n > limits().exponent:
            raise LimitError(f"the exponent is over {limits().exponent}", syntax.span)
        bound = frozenset(base.indices)
        if n == 0:
            unit = Value(Delta.of(base.whole[0]), span=syntax.span)
            return replace(base, node=v.align([unit, base], self.shapes, syntax.span, "")[0][0])
        if n <= MAX_WRITTEN_POWER:
            return v.multiply([Factor("*", base)] * n, self.shapes, bound, syntax.span)
        half = self.matrix_power(base, n // 2, syntax)
        factors = [Factor("*", half), Factor("*", half)] + [Factor("*", base)] * (n % 2)
        return v.multiply(factors, self.shapes, bound, syntax.span)

    # ── calls ────────────────────────────────────────────────────────────────────────────────

    def call(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        name, children = syntax.words[0], syntax.children
        found: Value
        if name == "einsum":
            found = yield self.einsum(syntax, bound)
            return found
        if name in CONSTANT_TENSORS or name == "eye":
            found = yield self.constant(syntax, bound)
            return found
        args: list[Value] = []
        for child in children:
            args.append((yield self.value(child, bound)))
        if name == "sqrt":
            _arity(syntax, 1, 1)
            half = Value(canonical.number(Fraction(1, 2)))
            return v.elementwise("pow", [args[0], half], self.shapes, syntax.span)
        if name in CALLS:
            arity = FUNCTIONS[name].arity
            _arity(syntax, arity, arity)
            return v.elementwise(name, args, self.shapes, syntax.span)
        if name in ARRAY_FUNCTIONS:
            function = ARRAY_FUNCTIONS[name]
            _arity(syntax, function.least, function.most)
            return function.apply(args, self.shapes, syntax.span)
        if name in PLANNED:
            raise DomainError(f"{name} is not supported yet", syntax.span)
        near = difflib.get_close_matches(name, FUNCTION_NAMES, 1)
        hint = f"did you mean {near[0]}?" if near else None
        if self.scope.knows(name):
            hint = f"write `{name}*(…)` for a product"
        raise UnknownNameError(f"unknown function {name}", syntax.span, hint)

    def constant(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """``vector(1)``, ``matrix(0, m, n)``, ``eye(n)``: sizes given or inferred."""
        name, children = syntax.words[0], list(syntax.children)
        if name == "eye":
            _arity(syntax, 1, 1)
            dim = yield self.size(children[0], bound)
            return Value(Delta.of(dim), span=syntax.span)
        rank = CONSTANT_TENSORS[name]
        if len(children) not in (1, rank + 1):
            raise ParseError(
                f"{name} takes the value of its entries, and perhaps its sizes", syntax.span,
                f"write `{name}(1)` or `{name}(1, {', '.join('mn'[2 - rank:])})`",
            )  # fmt: skip
        entry: Value = yield self.value(children[0], bound)
        if entry.rank:
            raise ShapeError(
                f"{name} takes a scalar: {entry.describe(self.shapes)}", children[0].span
            )
        given = []
        for child in children[1:]:
            given.append((yield self.size(child, bound)))
        dims = tuple(given) or tuple(self.shapes.fresh() for _ in range(rank))
        n = len(entry.indices)
        sizes = (*entry.node.dims, *dims)
        node = canonical.einsum(n + rank, sizes, [(entry.node, tuple(range(n)))])
        return replace(entry, node=node, span=syntax.span)

    def size(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Dim]:
        """A size given to a constant: as declared, or ``rows(X)``, ``cols(X)``, ``len(x)``."""
        if syntax.kind == "call" and syntax.words[0] in SIZE_FUNCTIONS:
            _arity(syntax, 1, 1)
            argument: Value = yield self.value(syntax.children[0], bound)
            rank, axis = SIZE_FUNCTIONS[syntax.words[0]]
            if argument.rank == rank:
                return self.shapes.resolve(argument.whole[axis])
        return self.scope.size(dim_of(syntax), syntax.span)

    def indexed_call(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        name, *indices = syntax.words
        if name not in ("sum", "mean"):
            raise DomainError(f"{name}[…](…) is not supported yet", syntax.span)
        _arity(syntax, 1, 1)
        value = yield self.value(syntax.children[0], bound | frozenset(indices))
        value = replace(value, span=syntax.span)
        if name == "sum":
            return v.reduce_indices(value, indices, syntax.span)
        return mean_over(value, indices, syntax.span)

    def einsum(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """``einsum("ij,j->i", A, x)``: NumPy's letters are labels of the whole axes."""
        if not syntax.children or syntax.children[0].kind != "string":
            raise ParseError(
                "einsum starts with its subscripts as a string",
                syntax.span,
                'write `einsum("ij,j->i", A, x)`',
            )
        operands: list[Value] = []
        for child in syntax.children[1:]:
            operands.append((yield self.value(child, bound)))
        summed = v.check_scopes(operands, syntax.span)
        equation, string = syntax.children[0].words[0], syntax.children[0].span
        labels, output = parse_einsum(equation, [value.rank for value in operands], string)
        indices = list(dict.fromkeys(i for value in operands for i in value.indices))
        factors = [
            (value.node, [*value.indices, *(("einsum", a) for a in own)])
            for value, own in zip(operands, labels, strict=True)
        ]
        ends = [*indices, *(("einsum", a) for a in output)]
        node = v.contract(self.shapes, factors, ends, syntax.span, operands)
        return Value(node, tuple(indices), False, syntax.span, summed)


def _literal(syntax: Syntax) -> Fraction:
    """The exact value of a number as written."""
    mantissa, _, exponent = syntax.words[0].lower().partition("e")
    if exponent and abs(int(exponent)) > limits().literal_digits:
        raise LimitError(f"the exponent of a number is over {limits().literal_digits}", syntax.span)
    return Fraction(mantissa) * Fraction(10) ** int(exponent or 0)


def _arity(syntax: Syntax, least: int, most: int) -> None:
    count = len(syntax.children)
    if not least <= count <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        noun = "argument" if most == 1 else "arguments"
        raise ParseError(f"{syntax.words[0]} takes {wanted} {noun}, {count} given", syntax.span)
