"""The names of one program: declared, assumed, defined; their sizes; what was assumed of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tensorcalc import canonical, unknowns
from tensorcalc.declarations import check_dim_name, declared, describe, undeclared
from tensorcalc.dims import Dim, display_names
from tensorcalc.errors import (
    IndexNotationError,
    LimitError,
    ShapeError,
    Span,
    UnknownNameError,
)
from tensorcalc.functions import FUNCTIONS
from tensorcalc.ir import Add, Constant, Delta, Node, Variable
from tensorcalc.limits import current as limits
from tensorcalc.shapes import Shapes
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import variables as variables_of
from tensorcalc.value import Value

DECLARATIONS = ("declaration", "abstract", "function")
CONSTANTS = ("pi",)
MAX_WRITTEN = 24  # longer sums, and more of them, are not remembered as they were written


class Scope:
    """What every name of a program stands for, and the sizes found equal so far."""

    def __init__(self, program: Syntax) -> None:
        self.shapes = Shapes()
        self.declared: dict[str, Variable] = {}
        self.unknowns: dict[str, unknowns.UnknownFunction] = {}
        self.used: dict[str, Variable] = {}
        self.notes: dict[str, str] = {}
        self.definitions: dict[str, Value] = {}
        self.sizes: dict[str, Dim] = {}
        self.sums: list[str] = []
        self.appeared: dict[str, None] = {}
        self.written: dict[Node, None] = {}
        self.inherited: dict[str, Node] = {}  # definitions of expressions made elsewhere
        self.readings: list[str] = []
        self.subscripts: dict[str, int] = {}
        for statement in program.children:
            if statement.kind in DECLARATIONS:
                self._declare(statement)
        self._count_subscripts(program)

    def _declare(self, statement: Syntax) -> None:
        dims: list[Dim] = []
        for name in statement.children[0].words:
            if name in self.declared or name in self.unknowns:
                raise UnknownNameError(
                    f"{name} is declared twice",
                    statement.children[0].span,
                    "keep one of the declarations",
                )
            if statement.kind == "declaration":
                self.declared[name] = declared(name, statement)
                dims += self.declared[name].dims
        if statement.kind != "declaration":
            for function in unknowns.declare(statement):
                self.unknowns[function.name] = function
                dims += [d for part in (*function.arguments, function.result) for d in part]
        new = {word: Dim.of(word) for dim in dims for word in dim.names}
        self.sizes.update(new)
        for word in (*new, *[name for name in statement.children[0].words if name in self.sizes]):
            check_dim_name(word, self.declared, statement.span)

    def _count_subscripts(self, program: Syntax) -> None:
        """The number of subscripts of every name, which is the rank of an undeclared one."""
        known = {"delta", "eps", *self.declared, *self.unknowns}
        for statement in program.children:
            if statement.kind == "define":
                target = statement.children[0]
                known.add((target if target.kind == "name" else target.children[0]).words[0])
        stack = list(program.children)
        while stack:
            syntax = stack.pop()
            stack.extend(self._outside_derivatives(syntax))
            if syntax.kind != "subscript" or syntax.children[0].kind != "name":
                continue
            name, count = syntax.children[0].words[0], len(syntax.children) - 1
            if count > limits().rank:
                raise LimitError(f"more than {limits().rank} subscripts (limit rank)", syntax.span)
            if name not in known and self.subscripts.setdefault(name, count) != count:
                raise IndexNotationError(
                    f"{name} has {count} subscript{'s' * (count != 1)} here and "
                    f"{self.subscripts[name]} elsewhere",
                    syntax.span,
                    f"declare it: `{name} : tensor(…)`",
                )

    def _outside_derivatives(self, syntax: Syntax) -> list[Syntax]:
        """The children of a construct; of a derivative ``du/dx[i,j]`` only its subscripts."""
        children = list(syntax.children)
        if not self.unknowns or syntax.kind != "product":
            return children
        for k in range(len(children) - 1):
            above = syntax.children[k]
            while above.kind == "negate":
                above = above.children[0]
            below = syntax.children[k + 1]
            if syntax.words[k + 1] == "/" and unknowns.derivative_of(above, below, self.unknowns):
                children[k : k + 2] = [
                    Syntax("row", (), part.children[1:], part.span) for part in (above, below)
                ]
        return children

    def knows(self, name: str) -> bool:
        """Whether the name stands for a variable or a definition."""
        return name in self.used or name in self.declared or name in self.definitions

    def value(self, syntax: Syntax) -> Value:
        """What a name means: a definition, a variable, a size, a constant, or a new variable."""
        word = syntax.words[0]
        self.appeared.setdefault(word)
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
            if word in FUNCTIONS:
                raise UnknownNameError(
                    f"{word} is a function", syntax.span, f"write its argument: `{word}(…)`"
                )
            self.used[word], self.notes[word] = undeclared(word, self.subscripts.get(word))
        return Value(self.used[word], span=syntax.span, note=self.notes.get(word, ""))

    def given(self, syntax: Syntax) -> Value:
        """A value made elsewhere: its variables are those of this program."""
        value = syntax.payload
        if not isinstance(value, Value):
            raise TypeError("a node of syntax carries a Value")
        known = value.variables
        self.appeared.update(dict.fromkeys(value.origin.order))
        for name, variable in (variables_of(value.node) if known is None else known).items():
            here = self.declared.get(name) or self.used.setdefault(name, variable)
            if not self.shapes.same(here, variable):
                raise ShapeError(
                    f"{name} is used with two declarations: `{describe(here, str)}` and "
                    f"`{describe(variable, str)}`",
                    syntax.span,
                )
            self.used.setdefault(name, here)
            self.appeared.setdefault(name)
        for node in value.origin.sums:
            self.note_sum(node)
        if len(self.inherited) < MAX_WRITTEN:
            self.inherited = {**dict(value.origin.definitions), **self.inherited}
        return value

    def size(self, dim: Dim, span: Span) -> Dim:
        """A size given in an expression; its names are sizes from here on."""
        for word in dim.names:
            check_dim_name(word, {**self.declared, **self.used}, span)
            self.sizes.setdefault(word, Dim.of(word))
        return dim

    def define(self, name: str, value: Value, span: Span) -> Value:
        """Give a name to a value; a declaration of the name says its kind."""
        if name in self.definitions:
            raise UnknownNameError(f"{name} is defined twice", span, "give one another name")
        if name in self.sizes or name in CONSTANTS:
            what = "a size" if name in self.sizes else "a constant"
            raise UnknownNameError(f"{name} is {what} already", span, "choose another name")
        if name in self.used:
            raise UnknownNameError(
                f"{name} is used before its definition", span, "define it further up"
            )
        if name in self.declared and not self.shapes.same_dims(
            self.declared[name].dims, value.node.dims
        ):
            raise ShapeError(
                f"`{describe(self.declared[name], str)}` is declared, but "
                f"{value.describe(self.shapes)}",
                span,
            )
        self.definitions[name] = value
        return value

    def note(self, line: str) -> None:
        """Remember how something was read that could be read in two ways."""
        if line not in self.readings:
            self.readings.append(line)

    def note_sum(self, node: Node) -> None:
        """Remember a sum as the user wrote it, with its signs."""
        if (
            isinstance(node, Add)
            and len(node.operands) <= MAX_WRITTEN
            and len(self.written) < MAX_WRITTEN
        ):
            self.written.setdefault(node)

    def note_sums(self, value: Value) -> None:
        """Remember which indices Einstein's convention has summed."""
        self.sums += [index for index in value.summed if index not in self.sums]

    def assumptions(self, variables: Mapping[str, Variable]) -> list[str]:
        """What was assumed, a line each: kinds of undeclared names, and summed indices."""
        dims = [dim for variable in variables.values() for dim in variable.dims]
        letters = display_names(dims, [*variables, *self.sizes])
        named = {word: Dim.of(letter) for word, letter in letters.items()}
        lines = [
            describe(variable, lambda dim: str(dim.substitute(named)))
            for name, variable in variables.items()
            if name in self.notes
        ]
        lines += [f"summed over {', '.join(self.sums)}"] * bool(self.sums)
        return lines + self.readings
