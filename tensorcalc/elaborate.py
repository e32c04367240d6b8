"""Syntax tree -> index IR: names, sizes, index scopes, orientation. After parse."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import canonical, value as v
from tensorcalc.array_functions import ARRAY_FUNCTIONS, mean_over
from tensorcalc.declarations import check_dim_name, declared, describe, dim_of, undeclared
from tensorcalc.dims import Dim, display_names
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
from tensorcalc.ir import Constant, Delta, Node, Size, Variable
from tensorcalc.limits import current as limits
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps, fold, trampoline, variables as variables_of
from tensorcalc.value import Factor, Value

NO_INDICES: frozenset[str] = frozenset()
CONSTANTS = ("pi",)
SIZE_FUNCTIONS = ("rows", "cols", "len")
CONSTANT_TENSORS = {"vector": 1, "matrix": 2}
# ^ of matrices up to here is written out as a product, so that it can be contracted freely
MAX_WRITTEN_POWER = 32
# elementwise functions that are written as calls
CALLS = [name for name in FUNCTIONS if name not in ("pow", *COMPARISONS.values())]
FUNCTION_NAMES = (*CALLS, *ARRAY_FUNCTIONS, "sqrt", "einsum", "eye", *CONSTANT_TENSORS)


@dataclass(frozen=True, slots=True)
class Elaborated:
    """A program's meaning: its node, all its variables, and what was assumed."""

    node: Node
    row: bool
    variables: Mapping[str, Variable]
    assumptions: tuple[str, ...]


def elaborate(program: Syntax) -> Elaborated:
    """The value of a program.

    Raises
    ------
    TensorcalcError
        Names, indices, shapes or sizes that do not fit, with the place in the text.
    """
    return _Program(program).run()


class _Program:
    """One program while it is read: its names, and the sizes found equal so far."""

    def __init__(self, program: Syntax) -> None:
        self.program = program
        self.shapes = Shapes()
        self.declared: dict[str, Variable] = {}
        self.used: dict[str, Variable] = {}
        self.notes: dict[str, str] = {}
        self.definitions: dict[str, Value] = {}
        self.sizes: dict[str, Dim] = {}
        self.sums: list[str] = []
        self.subscripts: dict[str, int] = {}

    def run(self) -> Elaborated:
        statements = self.program.children
        for statement in statements:
            if statement.kind in ("declaration", "abstract", "function"):
                self.declare(statement)
        self.count_subscripts()
        result: Value | None = None
        for statement in statements:
            if statement.kind == "define":
                defined = self.define(statement)
                result = defined if result is None or not _is_bare(statements) else result
            elif statement.kind not in ("declaration", "abstract", "function"):
                result = self.whole(statement)
        if result is None:
            raise ParseError(
                "the program has no value: it only declares",
                self.program.span,
                "end with an expression or a definition",
            )
        return self.finish(result)

    # ── names ────────────────────────────────────────────────────────────────────────────────

    def declare(self, statement: Syntax) -> None:
        if statement.kind != "declaration":
            raise DomainError("unknown functions are not supported yet", statement.span)
        for name in statement.children[0].words:
            if name in self.declared:
                raise UnknownNameError(f"{name} is declared twice", statement.span)
            self.declared[name] = declared(name, statement)
        for variable in self.declared.values():
            for dim in variable.dims:
                self.sizes.update({word: Dim.of(word) for word in dim.names})
        for word in self.sizes:
            check_dim_name(word, self.declared, statement.span)

    def count_subscripts(self) -> None:
        """The number of subscripts of every name, which is the rank of an undeclared one."""
        defined = {
            target.words[0] if target.kind == "name" else target.children[0].words[0]
            for statement in self.program.children
            if statement.kind == "define"
            for target in statement.children[:1]
        }
        stack = list(self.program.children)
        while stack:
            syntax = stack.pop()
            stack.extend(syntax.children)
            if syntax.kind == "subscript" and syntax.children[0].kind == "name":
                name, count = syntax.children[0].words[0], len(syntax.children) - 1
                if name in defined or name in self.declared or name == "delta":
                    continue
                if self.subscripts.setdefault(name, count) != count:
                    raise IndexNotationError(
                        f"{name} has {count} subscripts here and {self.subscripts[name]} elsewhere",
                        syntax.span,
                        f"declare it: `{name} : tensor(…)`",
                    )

    def name(self, syntax: Syntax) -> Value:
        word = syntax.words[0]
        if word in self.definitions:
            return replace(self.definitions[word], span=syntax.span)
        if word in self.declared:
            variable = self.used[word] = self.declared[word]
            return Value(variable, span=syntax.span)
        if word in self.sizes:
            return Value(canonical.size(self.sizes[word]), span=syntax.span)
        if word in CONSTANTS:
            return Value(Constant.of(word), span=syntax.span)
        if word == "eye":
            return Value(Delta.of(self.shapes.fresh()), span=syntax.span)
        if word not in self.used:
            if word in FUNCTIONS or word in ARRAY_FUNCTIONS:
                raise UnknownNameError(
                    f"{word} is a function", syntax.span, f"write its argument: `{word}(…)`"
                )
            self.used[word], self.notes[word] = undeclared(word, self.subscripts.get(word))
        return Value(self.used[word], span=syntax.span, note=self.notes.get(word, ""))

    # ── statements ───────────────────────────────────────────────────────────────────────────

    def whole(self, syntax: Syntax) -> Value:
        """The value of a statement, its free indices turned into axes."""
        expression = syntax.children[0] if syntax.kind == "value" else syntax
        value = trampoline(self.value(expression, NO_INDICES))
        self.sums += [i for i in value.summed if i not in self.sums]
        return replace(v.arrange(value, value.indices, value.span), summed=v.NO_SUMS)

    def define(self, statement: Syntax) -> Value:
        target, right = statement.children
        if target.kind == "name":
            name, value = target.words[0], self.whole(right)
        else:
            name = target.children[0].words[0]
            axes = [self.index(child) for child in target.children[1:]]
            value = self.arranged(right, axes, statement.span)
        if name in self.definitions:
            raise UnknownNameError(f"{name} is defined twice", target.span)
        if name in self.used:
            raise UnknownNameError(
                f"{name} is used before its definition", target.span, "define it further up"
            )
        if name in self.declared:
            value = self.assert_kind(self.declared[name], value, target.span)
        self.definitions[name] = value
        return value

    def assert_kind(self, variable: Variable, value: Value, span: Span) -> Value:
        """A declared name that is then defined: the declaration says its sizes."""
        dims = value.node.dims
        fits = len(dims) == variable.rank and all(
            self.shapes.equate(a, b) for a, b in zip(dims, variable.dims, strict=True)
        )
        if not fits:
            raise ShapeError(
                f"{describe(variable, str)} is declared, but {value.describe(self.shapes)}", span
            )
        return value

    def arranged(self, syntax: Syntax, axes: list[str], span: Span) -> Value:
        """The value with its axes named by a left side or an arrow."""
        twice = [axis for axis in axes if axes.count(axis) > 1]
        if twice:
            raise IndexNotationError(f"the axis {twice[0]} is named twice", span)
        value = trampoline(self.value(syntax, frozenset(axes)))
        if value.rank:
            raise IndexNotationError(
                f"its entry has whole axes: {value.describe(self.shapes)}",
                syntax.span,
                "give it subscripts",
            )
        self.sums += [i for i in value.summed if i not in self.sums]
        return v.arrange(replace(value, summed=v.NO_SUMS), axes, span)

    def index(self, syntax: Syntax) -> str:
        if syntax.kind != "name":
            raise IndexNotationError("an axis is named by an index, such as `i`", syntax.span)
        return syntax.words[0]

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
                return self.name(syntax)
            case "number":
                return Value(canonical.number(_literal(syntax)), span=syntax.span)
            case "node":
                return self.given(syntax)
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
                return self.arranged(syntax.children[0], list(syntax.words), syntax.span)
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
        known = base.words and (base.words[0] in self.declared or base.words[0] in self.definitions)
        return base.kind == "name" and base.words[0] == "delta" and not known

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

    def given(self, syntax: Syntax) -> Value:
        """A value made elsewhere: its variables are those of this program."""
        value = syntax.payload
        if not isinstance(value, Value):
            raise TypeError("a node of syntax carries a Value")
        for name, variable in variables_of(value.node).items():
            here = self.declared.get(name) or self.used.setdefault(name, variable)
            same = here.rank == variable.rank and here.properties == variable.properties
            if not same or not all(
                self.shapes.equate(a, b) for a, b in zip(here.dims, variable.dims, strict=True)
            ):
                raise ShapeError(
                    f"{name} is used with two declarations: `{describe(here, str)}` and "
                    f"`{describe(variable, str)}`",
                    syntax.span,
                )
            self.used.setdefault(name, here)
        return value

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
        near = difflib.get_close_matches(name, FUNCTION_NAMES, 1)
        hint = f"did you mean {near[0]}?" if near else None
        if name in self.used or name in self.declared or name in self.definitions:
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
            value = yield self.call(syntax, bound)
            if isinstance(value.node, Size):
                return value.node.dim
        dim = dim_of(syntax)
        for word in dim.names:
            if word in self.used or word in self.declared or word in self.definitions:
                check_dim_name(word, {**self.declared, **self.used}, syntax.span)
            self.sizes.setdefault(word, Dim.of(word))
        return dim

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

    # ── the end ──────────────────────────────────────────────────────────────────────────────

    def finish(self, result: Value) -> Elaborated:
        solution = self.shapes.solution()
        nodes = rename_sizes([result.node, *self.used.values(), *self.declared.values()], solution)
        node = nodes[result.node]
        loose = [d for n in nodes.values() for d in n.dims if any(w[0] == "." for w in d.names)]
        if loose:
            raise ShapeError(
                "a size cannot be inferred",
                self.program.span,
                "give it: `vector(1, n)`, `eye(n)`",
            )
        everything = {**self.declared, **self.used}
        variables = {
            name: renamed
            for name, variable in everything.items()
            if name not in self.definitions
            for renamed in [nodes[variable]]
            if isinstance(renamed, Variable)
        }
        shown = display_names(
            (dim for variable in variables.values() for dim in variable.dims),
            [*variables, *self.sizes],
        )
        named = {word: Dim.of(letter) for word, letter in shown.items()}
        assumptions = [
            describe(variable, lambda dim: str(dim.substitute(named)))
            for name, variable in variables.items()
            if name in self.notes
        ]
        if self.sums:
            assumptions.append(f"summed over {', '.join(self.sums)}")
        return Elaborated(node, result.row, variables, tuple(assumptions))


def rename_sizes(roots: list[Node], sizes: dict[str, Dim]) -> dict[Node, Node]:
    """Every node under `roots` with its sizes replaced, again in normal form."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        return canonical.rebuild(node, operands, sizes)

    return fold(roots, visit)


def _is_bare(statements: tuple[Syntax, ...]) -> bool:
    """Whether a bare expression is among the statements: then no definition is the value."""
    kinds = ("declaration", "abstract", "function", "define")
    return any(statement.kind not in kinds for statement in statements)


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
        raise ParseError(f"{syntax.words[0]} takes {wanted} arguments, {count} given", syntax.span)
