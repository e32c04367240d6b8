"""A derivation as a person would write it: an expression in, numbered steps with their rules out.

The differential is built up from the inside out, each step by one line of the tables
(`functions.py`, `matrix_functions.py`); long and repeated parts get letters. What `simplify.py`
rewrites on the way is told by name (`rewrites.py`). Then the differential is brought to its
canonical form (`differential.py`, `rearrangements.py`) and the derivative read off (Magnus and
Neudecker, "Matrix Differential Calculus", chapter 5). Used by `api.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from tensorcalc import canonical, differentiate as calculus
from tensorcalc.differential import (
    as_factor,
    canonical_lines,
    differential,
    function_names,
    tangent,
    with_differentials,
)
from tensorcalc.expression import Expr
from tensorcalc.functions import ARGUMENTS, FUNCTIONS
from tensorcalc.ir import (
    Add,
    Counter,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    RangeSum,
    Unknown,
    Variable,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.places import placed
from tensorcalc.rearrangements import Stage, canonical_stages, without_properties
from tensorcalc.rewrites import noted
from tensorcalc.simplify import simplify
from tensorcalc.source import Source
from tensorcalc.structured import FREE, by_free_parameters
from tensorcalc.syntax import Syntax
from tensorcalc.traverse import postorder, users

MAX_STEPS = 30  # of one differential that are shown
MAX_NODES = 400  # of a formula whose differential is shown as a whole though steps are not
MAX_REPEATED = 6  # characters of a part that may stand twice without a letter
MAX_PART = 28  # characters of a part that has none
LETTERS = {0: "abcgstpq", 1: "rsuvwyz", 2: "YZUVWRS"}
INDENT = "   "


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name, and what it says."""

    name: str
    formula: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.formula}" if self.formula else self.name


@dataclass(frozen=True, slots=True)
class Step:
    """What rules make of a part of the formula: equations, definitions of letters first."""

    rules: tuple[Rule, ...]
    equations: tuple[str, ...]

    def __str__(self) -> str:
        lines = [line for equation in self.equations for line in equation.split("\n")]
        named = "; ".join(map(str, self.rules))
        return "\n".join([f"{named}:", *[INDENT + line for line in lines]])


@dataclass(frozen=True, slots=True)
class Block:
    """The derivation of one derivative."""

    function: str
    steps: tuple[Step, ...]
    omitted: int  # how many steps are not shown, and before which one they stood
    gap: int
    form: str
    canonical: tuple[str, ...]
    layout: str
    answer: str

    def __str__(self) -> str:
        lines = [self.function]
        more = f"... and {self.omitted} more steps"
        for k, step in enumerate(self.steps):
            is_after = bool(self.omitted) and k >= self.gap
            lines += [more] if self.omitted and k == self.gap else []
            lines.append(f"{k + 1 + self.omitted * is_after}. {step}")
        lines += [more] if self.omitted and self.gap >= len(self.steps) else []
        lines.append(f"canonical form, {self.form}:")
        lines += [INDENT + line for line in self.canonical]
        named = "" if self.layout == "mixed" else f" in {self.layout} layout"
        return "\n".join([*lines, f"derivative{named}:", self.answer])


@dataclass(frozen=True, slots=True)
class Derivation:
    """A derivation: a block for each derivative; `str` writes it down."""

    blocks: tuple[Block, ...]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.blocks))


def derive(
    formula: Expr,
    chains: Sequence[Sequence[Variable]],
    *,
    layout: str = "mixed",
    structured: bool = False,
    limit: int = MAX_STEPS,
) -> Derivation:
    """The derivation of the derivatives by each chain of variables, one after the other."""
    made: dict[tuple[Variable, ...], tuple[Expr, Block]] = {}
    for chain in chains:
        for k in range(len(chain)):
            key = tuple(chain[: k + 1])
            if key not in made:
                inner = made[key[:-1]][0] if k else formula
                made[key] = _block(inner, formula, key, layout, structured, limit)
    return Derivation(tuple([block for _, block in made.values()]))


def _block(
    inner: Expr,
    formula: Expr,
    chain: tuple[Variable, ...],
    layout: str,
    structured: bool,
    limit: int,
) -> tuple[Expr, Block]:
    """The derivation of the last derivative of a chain from the one before it, and its result."""
    variable = chain[-1]
    names = function_names(inner.variables)
    name = own = next(names)
    for _ in chain[1:]:
        own = next(names)
    with placed(inner.syntax):
        derivative = calculus.differentiate(inner.node, variable)
    plain, bare = without_properties(inner, variable)
    steps = _stable(inner, plain, own)
    building = _Building(plain, bare, own, before=len(steps))
    steps += building.steps(max(limit - len(steps), 1))
    gap = len(steps) - (1 if building.omitted and not building.is_long else 0)
    (node,) = simplify([derivative])
    if building.is_long:
        count_ = len(postorder([inner.node]))
        lines = [f"... left out: the formula has {count_} operations"]
        form = canonical_form(f"d{own} = ", inner.node.rank, variable)
    else:
        steps += [_stage(stage) for stage in canonical_stages(inner, variable, own)]
        lines = canonical_lines(inner, [variable], nodes=[node], name=own)
        form = canonical_form(lines[-1], inner.node.rank, variable)
    if structured and variable.properties & FREE.keys():
        (node,) = simplify([by_free_parameters(node, variable)])
        kind = sorted(variable.properties & FREE.keys())[0]
        form += f"; below by the free parameters of the {kind} {variable.name}"
    groups = (*inner.groups, variable.rank)
    result = Expr.of(node, inner.variables, groups, source=formula.source)
    *definitions, value = result.to_text(layout=layout).split("\n")
    answer = [*definitions, f"{_label(name, chain)} = {value}"]
    known = dict(building.letters)
    shown = [Step(s.rules, _with_one_meaning(s.equations, known)) if k >= building.shown else s
             for k, s in enumerate(steps, -building.before)]  # fmt: skip
    lines = list(_with_one_meaning(lines, known))
    answer = list(_with_one_meaning(answer, known))
    function = _as_written(formula, name, limit)
    if len(chain) > 1:
        *definitions, value = str(inner).split("\n")
        function = "\n".join([*definitions, f"{own} = {value}  # {_label(name, chain[:-1])}"])
    return result, Block(
        function,
        tuple(shown),
        building.omitted,
        gap,
        form,
        tuple(lines),
        layout,
        "\n".join(answer),
    )


def _stable(formula: Expr, plain: Expr, name: str) -> list[Step]:
    """The step from the formula as written to its normal form, if that took any rule."""
    with noted() as rewritten:
        simplify([formula._elaborated.node])
    rules = dict.fromkeys(Rule(rewrite.name) for rewrite in rewritten)
    if not rules:
        return []
    return [Step(tuple(rules), _equation(name, _text(plain, plain.node)))]


def _stage(stage: Stage) -> Step:
    return Step(tuple([Rule(*rule) for rule in stage.rules]), tuple(stage.lines))


def _label(name: str, chain: Sequence[Variable]) -> str:
    """``df/dx``, ``d2f/dx2``, ``d2f/dxdy``."""
    names = [variable.name for variable in chain]
    order = str(len(names)) if len(names) > 1 else ""
    below = "".join(f"d{n}" for n in names)
    if len(names) > 1 and len(set(names)) == 1:
        below = f"d{names[0]}{order}"
    return f"d{order}{name}/{below}"


def canonical_form(line: str, rank: int, variable: Variable) -> str:
    """What the canonical form of a differential looks like."""
    x = variable.name
    left = line.partition(" = ")[0]
    if "->" in line or max(rank, variable.rank) > 2:
        return "entry by entry"
    if not rank:
        return f"{left} = " + (f"g*d{x}", f"g'*d{x}", f"tr(G'*d{x})")[variable.rank]
    if not variable.rank:
        return f"{left} = g*d{x}"
    return f"{left} = J*" + (f"vec(d{x})" if variable.rank == 2 else f"d{x}")


def _as_written(formula: Expr, name: str, limit: int) -> str:
    """The formula in the words of its text, with its definitions."""
    statements = formula.syntax.children if formula.syntax.kind == "program" else ()
    statements = tuple([s for s in statements if s.kind in ("value", "define")])
    texts = [s.span.text[s.span.start : s.span.end] for s in statements]
    names = [_target(s) for s in statements if s.kind == "define"]
    if not all(texts) or any("#" in text for text in texts) or name in names or not texts:
        return "\n".join(_equation(name, str(formula)))
    lines = [" ".join(text.split()) for text in texts]
    value = lines.pop() if statements[-1].kind == "value" else names[-1]
    if len(lines) > limit:
        lines[limit:] = [f"... and {len(lines) - limit} more definitions"]
    return "\n".join([*lines, f"{name} = {value}"])


def _target(definition: Syntax) -> str:
    """The name that a statement defines, whole or by entry."""
    target = definition.children[0]
    return (target if target.words else target.children[0]).words[0]


def _text(expression: Expr, node: Node) -> str:
    """A node of the formula, printed in its wording but without its definitions."""
    source = Source(expression.source.order, expression.source.sums)
    row = expression._is_row and node is expression.node
    return Expr.of(node, expression.variables, (node.rank,), row=row, source=source).to_text()


# ── the differential, from the inside out ────────────────────────────────────────────────────


@dataclass(slots=True)
class _Building:
    """The differential while it is built up: parts in terms of letters, and letters' tangents."""

    formula: Expr
    variable: Variable
    name: str
    omitted: int = 0
    is_long: bool = False
    before: int = 0  # steps before those of the differential
    shown: int = 0  # steps in which letters are defined
    letters: dict[str, str] = field(default_factory=dict)
    short: dict[Node, Node] = field(default_factory=dict)  # a part with letters for its parts
    tangents: dict[Variable, Node] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def steps(self, limit: int) -> Iterator[Step]:
        """A step for every part that depends on the variable; the last is the whole."""
        formula, variable = self.formula, self.variable
        root = formula.node
        self.variables = dict(formula.variables)
        d = tangent(variable, self.variables)
        self.tangents, self.variables[d.name] = {variable: d}, d
        self.order = list(with_differentials(formula.source, [variable]).order)
        depends: set[Node] = {variable}
        order = postorder([root])
        for node in order:
            if any(operand in depends for operand in node.operands):
                depends.add(node)
        parts = [n for n in order if n in depends and n is not variable and n is not root]
        # what stands inside a sum over integers is no formula of its own
        parts = [node for node in parts if not node.counters and not isinstance(node, Counter)]
        parts = [node for node in parts if not _is_view(node)]
        self.omitted = max(0, len(parts) + 1 - limit)
        self.is_long = bool(self.omitted) and len(order) > MAX_NODES
        counts = users([root])
        shown = parts[: len(parts) - self.omitted + self.is_long]
        last = shown[-1] if shown else None
        self.shown = len(shown) + (not self.omitted)
        written = {node: name for name, node in formula.source.definitions}
        pending: list[Rule] = []
        for node in order:
            operands = tuple([self.short.get(o, o) for o in node.operands])
            self.short[node] = canonical.rebuild(node, operands) if operands else node
            if node in depends and node is not variable:
                pending += _rules(node, depends)
            if node in shown:
                yield self.part(node, pending, counts[node], written.get(node))
                pending = []
            if node is last and self.omitted:
                break
        if self.omitted:
            if not self.is_long:
                yield Step((Rule("all together"),), (self.whole(),))
            return
        yield from self.root(pending)

    def part(self, node: Node, pending: list[Rule], uses: int, name: str | None) -> Step:
        """The step of a part of the formula."""
        short = self.short[node]
        text = self.text(short)
        made, rules = self.differential(short)
        lettered = "\n" in text or "->" in text or len(text) > MAX_PART
        if not lettered and name is None and not (uses > 1 and len(text) > MAX_REPEATED):
            return Step(_distinct([*pending, *rules]), _equation(f"d({text})", self.text(made)))
        name = self.letter(node.rank, name)
        letter = Variable.of(name, node.dims, _kept(node))
        d = Variable.of(f"d{name}", node.dims, _kept(node))
        equations = [*_equation(name, text), *_equation(f"d{name}", self.text(made))]
        self.letters |= {name: text.split("\n")[-1], d.name: ""}
        self.short[node] = letter
        self.tangents[letter] = d
        self.variables |= {name: letter, d.name: d}
        self.order += [d.name, name] if node.rank else [name, d.name]
        return Step(_distinct([*pending, *rules]), tuple(equations))

    def root(self, pending: list[Rule]) -> Iterator[Step]:
        """The last step, and what it is without letters."""
        short = self.short[self.formula.node]
        made, rules = self.differential(short)
        right = self.text(made, is_whole=True)
        equations = list(_equation(f"d{self.name}", right))
        letters = len(self.tangents) > 1
        if letters:
            equations = [*_equation(self.name, self.text(short, is_whole=True)), *equations]
        if not pending and self.variable is not self.formula.node:
            pending = [Rule(f"constant in {self.variable.name}", "d(A) = 0")]
        elif not pending:
            pending = [Rule("the variable itself")]
        yield Step(_distinct([*pending, *rules]), tuple(equations))
        if letters:
            yield Step((Rule("the letters replaced"),), (self.whole(),))

    def whole(self) -> str:
        """The differential without letters."""
        found = differential(self.formula, [self.variable])
        source = Source(found.source.order, found.source.sums)
        plain = Expr.of(
            found.node, found.variables, found.groups, row=self.formula._is_row, source=source
        )
        return "\n".join(_equation(f"d{self.name}", str(plain)))

    def differential(self, short: Node) -> tuple[Node, list[Rule]]:
        """The differential of a part in terms of letters, and the rewrites that it needs."""
        with placed(self.formula.syntax):
            made = calculus.jvp(short, self.tangents)
        with noted() as rewritten:
            (made,) = simplify([made])
        return made, [Rule(rewrite.name) for rewrite in rewritten]

    def text(self, node: Node, *, is_whole: bool = False) -> str:
        source = Source(tuple(self.order), self.formula.source.sums)
        row = is_whole and self.formula._is_row
        return Expr.of(node, self.variables, (node.rank,), row=row, source=source).to_text()

    def letter(self, rank: int, wish: str | None) -> str:
        """A name that is not taken yet: the one of the user's definition, or a letter."""
        options = [wish] if wish is not None else []
        options += LETTERS.get(rank, "T")
        further = (f"{LETTERS.get(rank, 'T')[0]}{k}" for k in count(1))
        taken = {*self.variables, self.name, *self.formula.source.order} - {wish}
        free = (n for n in options if n not in taken and f"d{n}" not in taken)
        return next(free, None) or next(n for n in further if n not in taken)


def _kept(node: Node) -> frozenset[str]:
    return frozenset({"complex"} if node.is_complex else ())


def _equation(left: str, right: str) -> tuple[str, ...]:
    """An equation, below the definitions that its right side needs."""
    *definitions, value = right.split("\n")
    return (*definitions, f"{left} = {value}")


def _with_one_meaning(equations: Sequence[str], known: dict[str, str]) -> tuple[str, ...]:
    """The lines with definitions renamed whose names are known to mean something else."""
    *lines, last = [line for equation in equations for line in equation.split("\n")]
    for k in range(len(lines)):
        left, _, right = lines[k].partition(" = ")
        name = left.partition("[")[0]
        if known.get(name, right) != right:
            new = next(n for n in (f"{name}{j}" for j in count(1)) if known.get(n, right) == right)
            pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
            *lines[k:], last = [re.sub(pattern, new, line) for line in [*lines[k:], last]]
            name = new
        known[name] = lines[k].partition(" = ")[2]
    return (*lines, last)


def _distinct(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    return tuple(dict.fromkeys(rules))


def _is_view(node: Node) -> bool:
    """Whether a node only reorders, repeats or sums what its one operand is."""
    is_multiple = isinstance(node, Add) and len(node.operands) == 1
    return is_multiple or (isinstance(node, Einsum) and len(node.operands) == 1)


# ── the rules ────────────────────────────────────────────────────────────────────────────────

PRODUCT = Rule("product rule", "d(A*B) = dA*B + A*dB")
SUM = Rule("sum rule", "d(A + B) = dA + dB")
OVER_INTEGERS = Rule("sum over integers", "d(sum[r=a..b](A)) = sum[r=a..b](dA)")
TERM = Rule("constant terms", "d(A + X) = dX")
FACTOR = Rule("constant factors", "d(A*X) = A*dX")
TRANSPOSE = Rule("transpose", "d(X') = dX'")
TRACE = Rule("trace", "d(tr(X)) = tr(dX)")
SUM_OF_ENTRIES = Rule("sum of entries", "d(sum(X)) = sum(dX)")
ENTRIES = Rule("entries in other places")


def _rules(node: Node, depends: set[Node]) -> Iterator[Rule]:
    """The rules by which a node's differential follows from those of its operands."""
    inside = [k for k, operand in enumerate(node.operands) if operand in depends]
    match node:
        case Add():
            yield FACTOR if len(node.operands) == 1 else SUM if len(inside) > 1 else TERM
        case RangeSum():
            yield OVER_INTEGERS
        case Einsum():
            yield PRODUCT if len(inside) > 1 else _linear(node)
        case Map():
            yield _entrywise(node, inside)
        case MatrixFunction():
            yield _of_matrix(node)
        case Unknown():
            places = len(node.operands) > 1
            slopes = [f"{node.name}_{k + 1}*dx{k + 1}" for k in inside]
            text = " + ".join(slopes) if places else f"{node.name}'(x)*dx"
            yield Rule("chain rule", f"d({node.name}) = {text}")


def _linear(node: Einsum) -> Rule:
    """The rule for a product with one factor that is not constant."""
    if len(node.operands) > 1:
        return FACTOR
    (labels,) = node.labels
    if labels == (1, 0) and len(node.sizes) == node.rank == 2:
        return TRANSPOSE
    if node.rank == 0 and labels == (0, 0):
        return TRACE
    return SUM_OF_ENTRIES if node.rank < len(set(labels)) == len(labels) else ENTRIES


def _entrywise(node: Map, inside: Sequence[int]) -> Rule:
    function = FUNCTIONS[node.function]
    name = function.name or f"derivative of {node.function}"
    own = ARGUMENTS[: function.arity]
    texts = [(ARGUMENTS[k], function.derivatives[k]) for k in inside]
    slopes = [f"{as_factor(text)}*d{x}" for x, text in texts if text is not None and text != "0"]
    called = "x^y" if node.function == "pow" else f"{node.function}({', '.join(own)})"
    return Rule(name, f"d({called}) = {' + '.join(slopes) or '0'}")


def _of_matrix(node: MatrixFunction) -> Rule:
    entry = MATRIX_FUNCTIONS[node.function]
    argument = entry.argument.partition(" : ")[0]
    name = entry.name or f"differential of {node.function}"
    called = f"{node.function}({argument})" if node.function != "power" else "X^k"
    text = entry.differential
    if text is None:
        text = f"{node.function}'({argument})*d{argument}, where they commute {entry.slope}*dX"
    return Rule(name, f"d({called}) = {text}")
