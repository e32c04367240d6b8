"""Syntax tree -> index IR: names, sizes, index scopes, orientation. After parse."""

from __future__ import annotations

import difflib
from collections import Counter as Counts
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tensorcalc import canonical, unknowns, value as v
from tensorcalc.array_functions import ARRAY_FUNCTIONS
from tensorcalc.blocks import join_blocks
from tensorcalc.counting import Counted, as_dim, is_integer, offset_of, stands_in_subscript
from tensorcalc.declarations import dim_of, joined_size
from tensorcalc.dims import Dim
from tensorcalc.einsum_string import parse_einsum
from tensorcalc.errors import (
    DomainError,
    IndexNotationError,
    KindError,
    LimitError,
    ParseError,
    ShapeError,
    Span,
    UnknownNameError,
)
from tensorcalc.functions import COMPARISONS, FUNCTIONS
from tensorcalc.ir import (
    Basis,
    Counter,
    Delta,
    LeviCivita,
    Node,
    Range,
    Variable,
    sizes_of,
)
from tensorcalc.kronecker import commutation
from tensorcalc.limits import current as limits, metered
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.parse_errors import ELSEWHERE
from tensorcalc.reductions import REDUCTIONS, reduce_indices
from tensorcalc.scope import DECLARATIONS, Scope
from tensorcalc.shapes import Shapes
from tensorcalc.source import NO_SOURCE, Source
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import Steps, fold, postorder, trampoline
from tensorcalc.value import Factor, Value

NO_INDICES: frozenset[str] = frozenset()
SIZE_FUNCTIONS = {"rows": (2, 0), "cols": (2, 1), "len": (1, 0)}  # rank and axis
CONSTANT_TENSORS = {"vector": 1, "matrix": 2}
# a sum over integers of up to so many terms is written out
MAX_WRITTEN_SUM = 64
MAX_LEVI_CIVITA = 6
SERIES = [name for name, entry in MATRIX_FUNCTIONS.items() if entry.differential is None]
# arguments as they are usually called, for messages
USUAL = {
    "where": "condition, a, b", "eye": "n", "commutation": "m, n", "kron": "A, B",
    "softmax": "X, 2", **dict.fromkeys(("rows", "cols"), "X"),
    **dict.fromkeys(("tr", "det", "logdet", "inv", "pinv", "adj", "vec", *SERIES), "A"),
}  # fmt: skip
# elementwise functions that are written as calls
CALLS = [name for name in FUNCTIONS if name not in ("pow", *COMPARISONS.values())]
FUNCTION_NAMES = (
    *CALLS, *ARRAY_FUNCTIONS, "sqrt", "einsum", "eye", "commutation", *CONSTANT_TENSORS
)  # fmt: skip


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
    elaborator = _Elaborator(program)
    result: Value | None = None
    indices: tuple[str, ...] = ()
    has_bare = any(statement.kind == "value" for statement in program.children)
    for statement in program.children:
        try:
            if statement.kind == "define":
                defined = elaborator.define(statement)
                result = result if has_bare else defined
            elif statement.kind not in DECLARATIONS:
                opened = elaborator.statement(statement)
                indices, result = opened.indices, _whole(opened)
        except LimitError as error:  # a limit passed far down, where no place is known
            if error.span is None:
                raise LimitError(error.message, statement.span, error.hint) from None
            raise
    if result is None:
        text = program.span.text.rstrip() or " "
        raise ParseError(
            "the program has no value",
            Span(text, len(text), len(text)) if text.strip() else Span(text, 0, 0),
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
    defined = {name: node for name, node in scope.inherited.items() if name not in variables}
    defined.update((name, value.node) for name, value in scope.definitions.items())
    roots = [result.node, *variables.values(), *scope.written, *defined.values()]
    if any(node.rank > limits().rank for node in roots):
        raise LimitError(f"a tensor has more than {limits().rank} axes (limit rank)", program.span)
    if not solution and not scope.shapes.has_unknowns:  # keeps building by operators linear
        nodes = dict(zip(roots, roots, strict=True))
    else:
        nodes = rename_sizes(roots, solution)
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


def rename_sizes(roots: list[Node], sizes: dict[str, Dim]) -> dict[Node, Node]:
    """Every node under `roots` with its sizes replaced, again in normal form."""

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        return canonical.rebuild(node, operands, sizes)

    return fold(roots, visit)


def _reserved(syntax: Syntax, shapes: Shapes) -> Node:
    """``delta[i,j]`` or ``eps[i,j,k]`` before its subscripts."""
    word, rank = syntax.children[0].words[0], len(syntax.children) - 1
    least, most = (2, 2) if word == "delta" else (2, MAX_LEVI_CIVITA)
    if not least <= rank <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise IndexNotationError(
            f"{word} takes {wanted} subscripts, {rank} given",
            syntax.span,
            "write `delta[i,j]*delta[j,k]` for three equal indices" if word == "delta" else None,
        )
    return Delta.of(shapes.fresh()) if word == "delta" else LeviCivita.of(rank)


class _Elaborator:
    """Reads statements and expressions in the names of one program."""

    def __init__(self, program: Syntax) -> None:
        self.scope = Scope(program)
        self.shapes = self.scope.shapes
        self.unknowns = self.scope.unknowns
        self.counted: dict[str, Counted] = {}  # the integers that sums count with
        self.counters = 0
        self.around: list[tuple[Syntax, Syntax]] = []  # products, and the factor that is read

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
        twice = [axis for axis, count in Counts(axes).items() if count > 1]
        if twice:
            raise IndexNotationError(
                f"the axis {twice[0]} is named twice",
                span,
                f"for the diagonal, multiply by `delta[{twice[0]},j]` and name the other axis j",
            )
        if len(axes) > limits().rank:
            raise LimitError(f"more than {limits().rank} axes (limit rank)", span)
        value: Value = yield self.value(syntax, outer | frozenset(axes))
        if value.rank:
            entry = f"{value.source}[{','.join('ijklmn'[: value.rank])}]"
            raise IndexNotationError(
                f"an entry is needed where axes are named: {value.describe(self.shapes)}",
                syntax.span,
                f"write `{entry}`" if syntax.kind == "name" else "give it subscripts",
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
                if syntax.words[0] in self.counted:
                    return replace(self.counted[syntax.words[0]].value, span=syntax.span)
                if syntax.payload == "counter":  # from Python: `tensorcalc.counter`
                    raise IndexNotationError(
                        f"{syntax.words[0]} counts only in a sum over it",
                        syntax.span,
                        f'write `tc.sum(…, over={{"{syntax.words[0]}": (0, n)}})`',
                    )
                return self.name(syntax)
            case "number":
                return Value(canonical.number(_literal(syntax)), span=syntax.span)
            case "node":
                return self.scope.given(syntax)
            case "string":
                raise ParseError(
                    "a string stands where a value is needed",
                    syntax.span,
                    'strings are the first argument of einsum: `einsum("ij,j->i", A, x)`',
                )
            case "sum":
                terms = []
                for sign, child in zip(syntax.words, syntax.children, strict=True):
                    term = yield self.value(child, bound)
                    terms.append((Fraction(1 if sign == "+" else -1), term))
                if len({frozenset(term.indices) - bound for _, term in terms}) > 1:
                    bound |= self.indices_around()
                total = v.add(terms, self.shapes, bound, syntax.span)
                self.scope.note_sum(total.node)
                return total
            case "power":
                base = yield self.value(syntax.children[0], bound)
                exponent = yield self.value(syntax.children[1], bound)
                return self.power(base, exponent, syntax)
            case "transpose":
                operand = yield self.value(syntax.children[0], bound)
                return v.transpose(operand, syntax.span)
            case "hermitian":
                operand = yield self.value(syntax.children[0], bound)
                conjugate = replace(operand, node=canonical.conjugate(operand.node))
                return v.transpose(conjugate, syntax.span)
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
            case "range_call":
                found = yield self.range_call(syntax, bound)
                return found
            case "rows":
                rows: list[list[Value]] = []
                for row in syntax.children:
                    rows.append([])
                    for child in row.children:
                        rows[-1].append((yield self.value(child, bound)))
                return join_blocks(rows, self.shapes, syntax.span)
        raise TypeError(f"no such construct: {syntax.kind}")

    def name(self, syntax: Syntax) -> Value:
        """What a name means; one that depends on variables, as a function of them."""
        word = syntax.words[0]
        function = self.unknowns.get(word)
        if function is None or word in self.scope.definitions:
            return self.scope.value(syntax)
        if function.is_applied:
            raise UnknownNameError(
                f"{word} is a function", syntax.span, f"write its argument: `{word}(…)`"
            )
        return unknowns.dependent(function, self.depends(function, syntax.span), (), syntax.span)

    def depends(self, function: unknowns.UnknownFunction, span: Span) -> list[Value]:
        """The variables that an unknown function depends on."""
        values = [self.scope.value(Syntax("name", (name,), (), span)) for name in function.depends]
        for name, value in zip(function.depends, values, strict=True):
            if not isinstance(value.node, Variable):
                raise DomainError(
                    f"{function.name} depends on {name}, which is no variable: it is defined",
                    span,
                    f"declare a function to apply, `{function.name} : … -> …`, "
                    f"and write `{function.name}({name})`",
                )
        return values

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
                if self.is_reserved(syntax, "delta") or self.is_reserved(syntax, "eps"):
                    base = Value(_reserved(syntax, self.shapes), span=syntax.span)
                else:
                    base = yield self.value(syntax.children[0], bound)
                subscripts = [self.subscript(child) for child in syntax.children[1:]]
                return v.subscript(base, subscripts, self.shapes, syntax.span)
        found = yield self.value(syntax, bound)
        return found

    def is_reserved(self, syntax: Syntax, word: str) -> bool:
        """Whether a subscripted name is Kronecker's delta or Levi-Civita's epsilon."""
        base = syntax.children[0]
        spelled = ("eps", "epsilon") if word == "eps" else (word,)
        return (
            base.kind == "name"
            and base.words[0] in spelled
            and (base.words[0] != "epsilon" or len(syntax.children) > 2)
            and not self.scope.knows(base.words[0])
        )

    def factors(self, product: Syntax, bound: frozenset[str]) -> Steps[list[Factor]]:
        factors = []
        parts = list(zip(product.words, product.children, strict=True))
        while parts:
            operator, child = parts.pop(0)
            if self.unknowns and parts and parts[0][0] == "/":
                above, sign = child, 1
                while above.kind == "negate":  # -du/dx
                    above, sign = above.children[0], -sign
                found = unknowns.derivative_of(above, parts[0][1], self.unknowns)
                if found is not None:
                    value = yield self.derivative(found, above, parts.pop(0)[1], bound)
                    value = replace(value, node=canonical.scale(sign, value.node))
                    factors.append(Factor(operator, value))
                    continue
            self.around.append((product, child))
            if operator in ("/", "./"):  # the reciprocal of a product is a place of its own
                value = yield self.value(child, bound)
                if canonical.is_zero(value.node):
                    raise DomainError("division by zero", child.span)
            else:
                value = yield self.open(child, bound)
            self.around.pop()
            factors.append(Factor(operator, value))
        return factors

    def indices_around(self) -> frozenset[str]:
        """The free indices of the other factors of all products around: these sum or keep them."""
        others = [
            (factor, frozenset[str]())
            for product, child in self.around
            for factor in product.children
            if factor is not child
        ]
        found: set[str] = set()
        while others:
            syntax, inside = others.pop()
            match syntax.kind:
                case "arrow" | "range_call":
                    inside |= {*syntax.words}
                case "indexed_call":
                    inside |= {*syntax.words[1:]}
                case "subscript":
                    names = [part.words[0] for part in syntax.children[1:] if part.kind == "name"]
                    found |= {*names} - inside
            others += [(part, inside) for part in syntax.children]
        return frozenset(found)

    def derivative(
        self,
        found: tuple[unknowns.UnknownFunction, tuple[int, ...]],
        above: Syntax,
        below: Syntax,
        bound: frozenset[str],
    ) -> Steps[Value]:
        """``du/dx``, ``du/dx[i,j]`` or ``dg/d1(x)``: a derivative of an unknown function."""
        function, positions = found
        span = Span(above.span.text, above.span.start, below.span.end)
        if below.kind == "transpose":
            found_value: Value = yield self.derivative(found, above, below.children[0], bound)
            return v.transpose(found_value, span)
        inner = below.children[0] if below.kind == "subscript" else below
        if function.is_applied:
            if inner.kind != "call":
                raise UnknownNameError(
                    f"{function.name} is a function", span, f"write `{span.source}(…)`"
                )
            arguments: list[Value] = []
            for child in inner.children:
                arguments.append((yield self.value(child, bound)))
            value = unknowns.apply(function, arguments, positions, self.shapes, span)
        else:
            value = unknowns.dependent(function, self.depends(function, span), positions, span)
        children = (above.children[1:] if above.kind == "subscript" else ()) + (
            below.children[1:] if below.kind == "subscript" else ()
        )
        if not children:
            return value
        subscripts = [self.subscript(child) for child in children]
        return v.subscript(value, subscripts, self.shapes, span)

    def subscript(self, syntax: Syntax) -> v.Subscript:
        if syntax.kind == "number" and syntax.words[0].isdigit():
            return int(syntax.words[0])
        if syntax.kind == "name" and syntax.words[0] not in self.counted:
            return syntax.words[0]
        counted = [
            self.counted[part.words[0]]
            for part in (*syntax.children, syntax)
            if part.kind == "name" and part.words[0] in self.counted
        ]
        if counted:
            offset = offset_of(syntax)
            if offset is not None:
                return counted[0].subscript(offset, syntax.span)
        raise IndexNotationError(
            f"a subscript is an index name or an integer from 0, not {syntax.span.source}",
            syntax.span,
            "for neighbouring entries: `sum[r=0..k-1](x[r]*x[r+1])`"
            if syntax.kind == "sum"
            else None,
        )

    def power(self, base: Value, exponent: Value, syntax: Syntax) -> Value:
        entrywise = syntax.words[0] == ".^"
        if entrywise or (base.rank == 0 and exponent.rank == 0):
            value = canonical.as_number(exponent.node)
            if value is not None and abs(value) > limits().exponent:
                raise LimitError(
                    f"the exponent is over {limits().exponent} (limit exponent)", syntax.span
                )
            if value is not None and value < 0 and canonical.is_zero(base.node):
                raise DomainError("division by zero", syntax.span)
            return v.elementwise("pow", [base, exponent], self.shapes, syntax.span)
        shown, power = base.source, syntax.children[1]
        inner = power.children[0] if power.kind == "negate" else power
        if inner.kind == "name" and inner.words == ("T",) and "T" in self.scope.notes:
            mended = f"inv({shown})'" if inner is not power else f"{shown}'"
            raise KindError("T is taken as a matrix here", inner.span, f"write `{mended}`")
        if base.rank == 0:
            hint = f"write `{shown}.^{exponent.source}` for a power for each entry"
            if shown == "e" and "e" in self.scope.notes:
                hint = f"write `exp({exponent.source})`: e is a name like any other"
            raise KindError(
                f"the exponent of ^ is a scalar: {exponent.describe(self.shapes)}",
                syntax.children[1].span,
                hint,
            )
        if base.rank != 2:
            notes = f"; {base.note}" if base.note else ""
            raise KindError(
                f"^ takes a scalar or a square matrix: {base.describe(self.shapes)}",
                syntax.span,
                f"write `.^` for the power of each entry{notes}",
            )
        if not v.make_square(base, self.shapes):
            raise ShapeError(
                f"only a square matrix has powers: {base.describe(self.shapes)}",
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
                f"the power of a matrix must be an integer: {exponent.describe(self.shapes)}"
                if n is None
                else "the power of a matrix must be an integer",
                syntax.children[1].span,
                hint,
            )
        if n is not None and abs(n) > limits().exponent:
            raise LimitError(
                f"the exponent is over {limits().exponent} (limit exponent)", syntax.span
            )
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
        if name == "commutation":
            _arity(syntax, 2, 2)
            rows = yield self.size(children[0], bound)
            columns = yield self.size(children[1], bound)
            return Value(commutation(rows, columns), span=syntax.span)
        args: list[Value] = []
        for child in children:
            args.append((yield self.value(child, bound)))
        if name == "sqrt":
            _arity(syntax, 1, 1)
            half = Value(canonical.number(Fraction(1, 2)))
            return v.elementwise("pow", [args[0], half], self.shapes, syntax.span)
        plain = name.rstrip("'")
        if len(name) - len(plain) > limits().derivative_order:
            raise LimitError(
                f"the order of a derivative is at most {limits().derivative_order} "
                "(limit derivative_order)",
                syntax.span,
            )
        function = syntax.payload or self.unknowns.get(plain)  # payload: called from Python
        if isinstance(function, unknowns.UnknownFunction) and function.is_applied:
            if len(args) > 1 and plain != name:
                raise DomainError(
                    f"{plain} has {len(args)} arguments: `'` does not say which is meant",
                    syntax.span,
                    f"write `d{plain}/d1(…)` for the derivative by the first",
                )
            order = (0,) * (len(name) - len(plain))
            return unknowns.apply(function, args, order, self.shapes, syntax.span)
        if plain != name and plain in SERIES:
            return self.series_derivative(plain, len(name) - len(plain), args, syntax)
        if name in ("max", "min") and (len(args) > 2 or self.is_entrywise(name, args)):
            return self.pairwise(name, args, syntax.span)
        if name in CALLS and name not in ("max", "min"):
            arity = FUNCTIONS[name].arity
            _arity(syntax, arity, arity)
            return v.elementwise(name, args, self.shapes, syntax.span)
        if name in ARRAY_FUNCTIONS:
            entry = ARRAY_FUNCTIONS[name]
            _arity(syntax, entry.least, entry.most)
            return entry.apply(args, self.shapes, syntax.span)
        raise UnknownNameError(
            f"unknown function {name}", syntax.span, self.instead_of(name, syntax.children)
        )

    def instead_of(self, name: str, arguments: Sequence[Syntax]) -> str | None:
        """What to write for a call of a function that is not there."""
        if name in self.unknowns:
            return f"write `{name}`: it depends on {', '.join(self.unknowns[name].depends)} already"
        if self.scope.knows(name) or len(name) == 1:
            entry = f"an entry is `{name}[{', '.join('ijkl'[: len(arguments)])}]`, counted from 0"
            return f"write `{name}*(…)` for a product; {entry}"
        if name in ELSEWHERE:
            return ELSEWHERE[name]
        same = [known for known in FUNCTION_NAMES if known.lower() == name.lower()]
        near = same or difflib.get_close_matches(name, FUNCTION_NAMES, 1, 0.7)
        return f"did you mean {near[0]}?" if near else ELSEWHERE.get(name.lower())

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
            raise KindError(
                f"{name} takes a scalar: {entry.describe(self.shapes)}",
                children[0].span,
                entry.note or None,
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
        """A size given to a constant: as declared, or a sum of such, of ``rows(X)``, ``len(x)``."""
        dim: Dim = yield self.part_of_size(syntax, bound)
        if dim.terms and all(number < 0 for _, number in dim.terms):
            raise ParseError(f"a size is not negative: {dim}", syntax.span)
        return dim

    def part_of_size(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Dim]:
        parts: list[Dim] = []
        match syntax.kind:
            case "node":
                given = as_dim(self.scope.given(syntax).node, self.shapes)
                if given is not None:
                    return given
            case "call" if syntax.words[0] in SIZE_FUNCTIONS:
                _arity(syntax, 1, 1)
                argument: Value = yield self.value(syntax.children[0], bound)
                rank, axis = SIZE_FUNCTIONS[syntax.words[0]]
                if argument.rank == rank:
                    return self.shapes.resolve(argument.whole[axis])
            case "sum" | "product" | "negate" if set(syntax.words) <= {"+", "-", "*"}:
                for child in syntax.children:
                    parts.append((yield self.part_of_size(child, bound)))
                return joined_size(syntax, parts)
        return self.scope.size(dim_of(syntax), syntax.span)

    def indexed_call(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        name, *indices = syntax.words
        if name not in REDUCTIONS:
            near = difflib.get_close_matches(name, REDUCTIONS, 1)
            raise UnknownNameError(
                f"{name}[…](…) is not a reduction",
                syntax.span,
                f"did you mean {near[0]}?" if near else f"they are {', '.join(REDUCTIONS)}",
            )
        _arity(syntax, 1, 1)
        if len(set(indices)) < len(indices):
            raise IndexNotationError(
                f"{name}[{', '.join(indices)}] names an index twice",
                syntax.span,
                f"write `{name}[{', '.join(dict.fromkeys(indices))}](…)`",
            )
        value = yield self.value(syntax.children[0], bound | frozenset(indices))
        value = replace(value, span=syntax.span)
        return reduce_indices(name, value, indices, syntax.span)

    def is_entrywise(self, name: str, args: list[Value]) -> bool:
        """Whether ``max(x, y)`` compares entries; ``max(X, 1)`` of a matrix names an axis."""
        if len(args) != 2:
            return False
        axis = canonical.as_number(args[1].node)
        if args[0].rank < 2 or args[1].rank or axis not in (1, 2):
            return True
        self.scope.note(
            f"{name}(…, {axis}) of a matrix is along axis {axis}; "
            f"the entrywise one is {name}(…, matrix({axis}))"
        )
        return False

    def pairwise(self, name: str, args: list[Value], span: Span) -> Value:
        """``max(a, b, c)``: the largest, entry by entry."""
        if len(args) == 2:
            return v.elementwise(name, args, self.shapes, span)
        nodes, frame = v.align(args, self.shapes, span, f"the arguments of {name} have")
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

    def series_derivative(self, name: str, order: int, args: list[Value], syntax: Syntax) -> Value:
        """``expm'(X)[i,j,k,l]``: the derivative of a power series, a tensor."""
        _arity(syntax, 1, 1)
        (x,) = args
        if not v.make_square(x, self.shapes):
            raise ShapeError(
                f"{name} takes a square matrix: {x.describe(self.shapes)}", syntax.span
            )
        node = canonical.matrix_function(name, x.node, order=order)
        return replace(x, node=node, row=False, span=syntax.span)

    def range_call(self, syntax: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """``sum[r=0..k-1](…)``: written out, along an axis, or a sum that counts when run."""
        name, index = syntax.words
        start, stop, *arguments = syntax.children
        if name not in ("sum", "prod"):
            raise UnknownNameError(
                f"{name}[…=…](…) is not a sum over integers", syntax.span, "write `sum[r=0..n](…)`"
            )
        if len(arguments) != 1:
            raise ParseError(
                f"{name} takes 1 argument, {len(arguments)} given",
                syntax.span,
                f"write `{name}[{index}=…](…)`",
            )
        low: Value = yield self.value(start, bound)
        high: Value = yield self.value(stop, bound)
        for end, child in ((low, start), (high, stop)):
            if end.node.rank or not is_integer(end.node):
                raise DomainError(
                    "a sum over integers goes from an integer to an integer: "
                    f"{end.describe(self.shapes)}",
                    child.span,
                    "declare it, `k : scalar integer`, or as a size, `x : vector(k)`",
                )
        first, last = canonical.as_number(low.node), canonical.as_number(high.node)
        found: Value
        if first is not None and last is not None and last - first < MAX_WRITTEN_SUM:
            found = yield self.written_sum(syntax, int(first), int(last), bound)
            return found
        if name == "prod":
            raise DomainError(
                f"a product over integers has at most {MAX_WRITTEN_SUM} factors, known in advance",
                syntax.span,
                "write `prod[i](…)` for the product over an index",
            )
        if stands_in_subscript(arguments[0], index):
            found = yield self.axis_sum(syntax, low, high, bound)
            return found
        self.counters += 1
        counter = Counter.of(-self.counters, (low.node, high.node))
        counted = Counted(index, Value(counter))
        found = yield self.counting(counted, arguments[0], bound)
        return replace(found, node=canonical.range_sum(found.node, counter), span=syntax.span)

    def counting(self, counted: Counted, body: Syntax, bound: frozenset[str]) -> Steps[Value]:
        """The value of the body while a name stands for an integer."""
        outer = self.counted.get(counted.name)
        self.counted[counted.name] = counted
        value: Value = yield self.value(body, bound)
        del self.counted[counted.name]
        if outer is not None:
            self.counted[counted.name] = outer
        return value

    def written_sum(
        self, syntax: Syntax, first: int, last: int, bound: frozenset[str]
    ) -> Steps[Value]:
        """The sum or product of the body at each integer; of none, 0 or 1 of its shape."""
        name, index = syntax.words
        terms: list[Value] = []
        for number in range(first, max(first, last) + 1):
            counted = Counted(index, Value(canonical.number(number)), number)
            terms.append((yield self.counting(counted, syntax.children[2], bound)))
        if name == "prod":
            factors = [Factor("*", term) for term in terms]
            if last < first:
                if terms[0].rank:
                    raise DomainError("an empty product of matrices", syntax.span)
                return replace(terms[0], node=canonical.number(1, terms[0].node.dims))
            every = frozenset(i for term in terms for i in term.indices)
            return v.multiply(factors, self.shapes, bound | every, syntax.span)
        coefficient = Fraction(1 if first <= last else 0)
        return v.add([(coefficient, term) for term in terms], self.shapes, bound, syntax.span)

    def axis_sum(
        self, syntax: Syntax, low: Value, high: Value, bound: frozenset[str]
    ) -> Steps[Value]:
        """A sum whose integer is a subscript: it runs along an axis of its own."""
        start, stop = as_dim(low.node, self.shapes), as_dim(high.node, self.shapes)
        if start is None or stop is None:
            raise DomainError(
                "an integer that is a subscript goes from a number or size to another",
                syntax.span,
                "write sizes: `x : vector(n)` and `sum[i=0..n-1](x[i])`",
            )
        index = syntax.words[1]
        size = stop - start + 1
        value = Value(Range.of(size, start), (index,))
        counted = Counted(index, value, None, start, size)
        body: Value = yield self.counting(counted, syntax.children[2], bound | {index})
        if index not in body.indices:
            factor = Factor("*", Value(canonical.size(size)))
            return v.multiply([Factor("*", body), factor], self.shapes, bound, syntax.span)
        return v.reduce_indices(body, [index], syntax.span)

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
        shapes = [self.shapes.resolve_all(value.whole) for value in operands]
        labels, output = parse_einsum(equation, shapes, string)
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
        raise LimitError(
            f"the exponent of a number is over {limits().literal_digits} (limit literal_digits)",
            syntax.span,
        )
    return Fraction(mantissa) * Fraction(10) ** int(exponent or 0)


def _arity(syntax: Syntax, least: int, most: int) -> None:
    count = len(syntax.children)
    if not least <= count <= most:
        between = "or" if most == least + 1 else "to"
        wanted = str(least) if least == most else f"{least} {between} {most}"
        noun = "argument" if most == 1 else "arguments"
        name, usual = syntax.words[0], USUAL.get(syntax.words[0])
        written = usual or ", ".join("xyzuvw"[: max(least, 1)])
        raise ParseError(
            f"{name} takes {wanted} {noun}, {count} given",
            syntax.span,
            f"write `{name}({written})`",
        )
