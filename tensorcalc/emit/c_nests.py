"""A nest of a loop program in, loops in C out. Used by `c_source.py`.

Numbers that are used once stand in the expression that uses them, so that a loop reads as a formula
does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import prod

from tensorcalc.emit.c_names import Names
from tensorcalc.emit.c_scalar import (
    ATOM,
    CHOICE,
    FORMS,
    HELPED,
    INDENT,
    LIBRARY,
    OF_INDICES,
    PRODUCT,
    SUM,
    Text,
    fitted,
    number,
)
from tensorcalc.errors import DomainError
from tensorcalc.plan.program import (
    Accumulate,
    Argument,
    Compute,
    Load,
    Loop,
    Nest,
    Statement,
    Store,
    statements,
)

MAX_WIDTH = 64  # characters of an expression that stands within another
JOINED = {"add": "{0} += {1};", "mul": "{0} *= {1};"}
OPERATORS = {"max": "maximum", "min": "minimum"}


def nest(step: Nest, names: Names) -> list[str]:
    """The lines of the loops."""
    return _Nest(step, names).block(step.body)


class _Nest:
    """The values of one nest."""

    def __init__(self, step: Nest, names: Names) -> None:
        self.names = names
        self.kinds: dict[str, str] = {}  # the types of values
        self.folded: dict[str, Text] = {}  # values that stand where they are used
        self.uses = Counter(name for s in statements(step.body) for name in _read(s))
        self.sums = {s.target for s in statements(step.body) if isinstance(s, Accumulate)}

    def block(self, body: Sequence[Statement]) -> list[str]:
        """The lines of statements; nesting is at most 15 deep, so recursion is safe."""
        lines: list[str] = []
        for place, statement in enumerate(body):
            match statement:
                case Loop():
                    inner = self.block(statement.body)
                    head = self.names.head(
                        statement.index, statement.extent, statement.start, statement.block
                    )
                    if statement.stop is not None:
                        inner.insert(0, self.stretch(statement))
                    if len(inner) == 1:
                        lines += [head, INDENT + inner[0]]
                    elif inner:
                        lines += [head + " {", *[INDENT + line for line in inner], "}"]
                case Store():
                    target = self.names.access(statement.buffer, statement.index, self.value)[0]
                    lines.append(self.joined(target, statement.value, statement.operation))
                case Accumulate():
                    lines.append(
                        self.joined(statement.target, statement.value, statement.operation)
                    )
                case Load() | Compute():
                    expression, kind = self.expression(statement)
                    self.kinds[statement.target] = kind
                    if statement.target in self.sums:
                        lines.append(f"{kind} {statement.target} = {expression[0]};")
                    elif self.stands_within(statement, expression[0], body[place + 1 :]):
                        self.folded[statement.target] = expression
                    else:
                        lines.append(f"const {kind} {statement.target} = {expression[0]};")
        return lines

    def stretch(self, loop: Loop) -> str:
        """The end of the stretch that loops in the body of a loop run over."""
        extent, end = self.names.word(loop.extent), f"{loop.index} + {loop.block}"
        return f"const ptrdiff_t {loop.stop} = {end} < {extent} ? {end} : {extent};"

    def stands_within(
        self, statement: Load | Compute, text: str, later: Sequence[Statement]
    ) -> bool:
        """Whether a value is written where it is used rather than given a name."""
        if isinstance(statement, Compute) and statement.operation in ("number", "size"):
            return True
        if isinstance(statement, Load) and statement.buffer in self.names.scalars:
            return True
        if self.uses[statement.target] != 1 or len(text) > MAX_WIDTH:
            return False
        for other in later:
            if statement.target in _read(other):
                return True
            if isinstance(other, Loop | Store | Accumulate):
                return False
        return False

    def expression(self, statement: Load | Compute) -> tuple[Text, str]:
        """The right side, and the type of its value."""
        if isinstance(statement, Load):
            entry = self.names.access(statement.buffer, statement.index, self.value)
            if not statement.guards:
                return entry, "double"
            conditions = " && ".join(fitted(self.value(g), ATOM) for g in statement.guards)
            return (f"{conditions} ? {entry[0]} : 0.0", CHOICE), "double"
        operation = statement.operation
        if operation == "number":
            return number(statement.arguments[0]), "double"
        given = [self.value(a) for a in statement.arguments]
        if operation == "permutation":
            return self.permutation([fitted(a, SUM) for a in given]), "double"
        kinds = {self.kind(a) for a in statement.arguments}
        if operation == "inside":
            kind = "int"
        elif operation in OF_INDICES and kinds == {"ptrdiff_t"}:
            kind = "ptrdiff_t"
        else:
            kind = "double"
        if operation in ("add", "sub") and given[1] == ("0", ATOM):
            return given[0], kind
        if operation == "select" and _has_guard(given):
            return given[1], kind
        if operation in FORMS:
            form = FORMS[operation]
            operands = [fitted(a, need) for a, need in zip(given, form.needs, strict=True)]
            return (form.template.format(*operands), form.binds), kind
        function = LIBRARY.get(operation) or HELPED.get(operation)
        if function is None:
            raise DomainError(f"{operation} has no form in C")
        return (f"{function}({', '.join(text for text, _ in given)})", ATOM), kind

    def permutation(self, indices: Sequence[str]) -> Text:
        """The sign of a permutation: a product of differences over that of the identity."""
        pairs = [f"({b} - {a})" for a, b in combinations(indices, 2)]
        scale = prod(b - a for a, b in combinations(range(len(indices)), 2))
        return f"(double)({' * '.join(pairs) or '1'}) / {float(scale)}", PRODUCT

    def value(self, argument: Argument) -> Text:
        """An argument: a value, an index, a size, a position."""
        if isinstance(argument, float):
            return number(argument)
        if argument in self.folded:
            return self.folded[str(argument)]
        return self.names.value(argument)

    def kind(self, argument: Argument) -> str:
        """The type of an argument."""
        if isinstance(argument, str):
            return self.kinds.get(argument, "ptrdiff_t")
        return "double" if isinstance(argument, float) else "ptrdiff_t"

    def joined(self, target: str, value: str, operation: str | None) -> str:
        """What stores a value, or joins it to what is there."""
        text = self.value(value)[0]
        if operation is None:
            return f"{target} = {text};"
        if operation in JOINED:
            return JOINED[operation].format(target, text)
        return f"{target} = {OPERATORS[operation]}({target}, {text});"


def _has_guard(given: Sequence[Text]) -> bool:
    """Whether a value is 0 where the condition does not hold already, as what was loaded is."""
    (condition, _), (text, binds), (other, _) = given
    guarded = text.startswith(f"{condition} ? ") and text.endswith(" : 0.0")
    return guarded and binds == CHOICE and text.count("?") == 1 and other == "0.0"


def _read(statement: Statement) -> list[str]:
    """The values that a statement itself reads."""
    match statement:
        case Load():
            found: list[object] = [*statement.index, *statement.guards]
        case Compute():
            found = list(statement.arguments)
        case Accumulate():
            found = [statement.value]
        case Store():
            found = [*statement.index, statement.value]
        case Loop():
            found = []
    return [name for name in found if isinstance(name, str)]
