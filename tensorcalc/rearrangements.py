"""A differential -> the stages on the way to its canonical form, each with the rules it uses.

First every term by itself gets its ``dX`` last, then the terms are collected, then what is declared
of the variables is used. What happened to a term is told by the rules of a table, by what stands in
it before and after. Used by `steps.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorcalc import canonical, differentiate as calculus
from tensorcalc.differential import added, canonical_lines, differential, tangent
from tensorcalc.expression import Expr
from tensorcalc.ir import Node, Unknown, Variable
from tensorcalc.limits import attempt
from tensorcalc.properties import USED
from tensorcalc.rewrites import noted
from tensorcalc.simplify import simplify
from tensorcalc.source import Source
from tensorcalc.traverse import fold, postorder

MAX_NODES = 300  # of a differential whose terms are looked at one by one
MAX_TERMS = 12
WORK = 400_000  # steps that it may take
SPARE = USED | {"positive", "nonnegative"}


@dataclass(frozen=True, slots=True)
class Stage:
    """An equation, below the definitions in it, and the rules it follows by: name, formula."""

    rules: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rearrangement:
    """A rule by which a term gets its ``dX`` last, and where it is used.

    `ranks` are those of the formula and of the variable; `before` and `after` are searched for in
    the printed term, where ``@`` is ``dX``.
    """

    name: str
    formula: str
    ranks: tuple[tuple[int, int], ...]
    before: str = ""
    after: str = ""


# the first one that fits is told
REARRANGEMENTS = (
    Rearrangement("sums of entries as traces", "sum(A.*X) = tr(A'*X)", ((0, 2),), r"\.\*|sum\("),
    Rearrangement("trace of the transpose", "tr(A') = tr(A)", ((0, 2),), r"tr\(.*@'"),
    Rearrangement("the trace is cyclic", "tr(A*B) = tr(B*A)", ((0, 2),), r"tr\("),
    Rearrangement("a number is its own trace", "x'*A*y = tr(y*x'*A)", ((0, 2),)),
    Rearrangement("sums of entries", "sum(a.*x) = a'*x", ((0, 1),), r"\.\*|sum\("),
    Rearrangement("a number is its own transpose", "x'*A*y = y'*A'*x", ((0, 1),), r"@'"),
    Rearrangement("vec of a transpose", "vec(X') = commutation(m, n)*vec(X)",
                  ((2, 1), (2, 2), (1, 2)), "", r"commutation\("),
    Rearrangement("vec of an entrywise product", "vec(A.*X) = diag(vec(A))*vec(X)",
                  ((2, 1), (2, 2)), r"\.\*", r"diag\("),
    Rearrangement("vec of a product", "vec(A*X*B) = kron(B', A)*vec(X)",
                  ((2, 1), (2, 2), (1, 2)), "", r"kron\("),
    Rearrangement("vec", "vec(a*X) = a*vec(X)", ((2, 1), (2, 2), (1, 2))),
    Rearrangement("entrywise products", "a.*x = diag(a)*x", ((1, 1),), r"\.\*", r"diag\("),
    Rearrangement("numbers change places", "(a'*x)*b = b*a'*x", ((1, 1),)),
)  # fmt: skip
COLLECTED = ("common factors", "A*B + A*C = A*(B + C)")
PROPERTIES = {
    "symmetric": "{0}' = {0}",
    "spd": "{0}' = {0}",
    "diagonal": "{0}' = {0}",
    "skew": "{0}' = -{0}",
    "orthogonal": "{0}'*{0} = eye",
    "positive": "abs({0}) = {0}",
    "nonnegative": "abs({0}) = {0}",
}


def canonical_stages(formula: Expr, variable: Variable, name: str) -> list[Stage]:
    """The stages from the differential of a formula to its canonical form; none if it is long."""
    nothing: list[Stage] = []
    return attempt(WORK, lambda: list(_stages(formula, variable, name)), nothing)


def _stages(formula: Expr, variable: Variable, name: str) -> Iterator[Stage]:
    plain, bare = without_properties(formula, variable)
    found = _undefined(differential(plain, [bare]))
    terms = canonical.terms_of(found.node)
    if not terms or len(terms) > MAX_TERMS or len(postorder([found.node])) > MAX_NODES:
        return
    last = str(found)
    rules: dict[tuple[str, str], None] = {}
    after: list[str] = []
    left = ""
    for coefficient, term in terms:
        node = canonical.scale(coefficient, term)
        one = Expr.of(node, found.variables, found.groups, row=plain._is_row, source=found.source)
        lines = canonical_lines(plain, [bare], nodes=[_read_off(node, bare, plain)], name=name)
        if len(lines) > 1:
            return
        left, _, right = lines[0].partition(" = ")
        after.append(right)
        if right != str(one):
            rule = _rule(str(one), right, plain.node.rank, bare)
            rules.update({rule: None} if rule else {})
    joined = added(after)
    if rules and joined != last:
        yield Stage(tuple(rules), (f"{left} = {joined}",))
        last = joined
    with noted() as rewritten:
        lines = canonical_lines(plain, [bare], name=name)
    if lines[-1] != f"{left} = {last}":
        names = dict.fromkeys([(rewrite.name, "") for rewrite in rewritten])
        told = [COLLECTED] if len(terms) > 1 else []
        if names or told:
            yield Stage((*names, *told), tuple(lines))
    with_properties = canonical_lines(formula, [variable], name=name)
    if with_properties != lines:
        used = tuple(_properties(formula, variable, lines, name))
        if used:
            yield Stage(used, tuple(with_properties))


def _undefined(expression: Expr) -> Expr:
    """The expression, printed without the user's definitions."""
    source = Source(expression.source.order, expression.source.sums)
    return Expr.of(
        expression.node, expression.variables, expression.groups, row=expression._is_row,
        source=source,
    )  # fmt: skip


def _read_off(node: Node, variable: Variable, formula: Expr) -> Node:
    """The coefficient of ``dX`` in a term that is linear in it."""
    (made,) = simplify([calculus.differentiate(node, tangent(variable, formula.variables))])
    return made


def _rule(before: str, after: str, rank: int, variable: Variable) -> tuple[str, str] | None:
    name = rf"(?<!\w)d{re.escape(variable.name)}"
    for rule in REARRANGEMENTS:
        if (rank, variable.rank) not in rule.ranks:
            continue
        if re.search(rule.before.replace("@", name), before) and re.search(rule.after, after):
            return rule.name, rule.formula
    return None


def _properties(
    formula: Expr, variable: Variable, lines: Sequence[str], own: str
) -> Iterator[tuple[str, str]]:
    """The properties that make a difference to the canonical form, in words."""
    functions = {n.name: n for n in postorder([formula.node]) if isinstance(n, Unknown)}
    named: dict[str, Variable | Unknown] = {**formula.variables, **functions}
    for name, node in named.items():
        for word in sorted(node.properties & PROPERTIES.keys()):
            others, bare = without_properties(formula, variable, but=(name, word))
            if canonical_lines(others, [bare], name=own) != list(lines):
                yield f"{name} is {word}", PROPERTIES[word].format(name)
                break


def without_properties(
    formula: Expr, variable: Variable, but: tuple[str, str] = ("", "")
) -> tuple[Expr, Variable]:
    """The formula and the variable, with no structure known of any; `but` is kept: name, word."""

    def kept(name: str, properties: frozenset[str]) -> frozenset[str]:
        return properties - SPARE | (properties & {but[1]} if name == but[0] else frozenset())

    def bare(old: Variable) -> Variable:
        return Variable.of(old.name, old.dims, kept(old.name, old.properties))

    def visit(node: Node, operands: tuple[Node, ...]) -> Node:
        if isinstance(node, Variable):
            return bare(node)
        if isinstance(node, Unknown):
            return canonical.unknown(
                node.name, node.dims[node.batch : node.batch + node.result], operands, node.batch,
                node.derivatives, is_applied=node.is_applied,
                properties=kept(node.name, node.properties),
            )  # fmt: skip
        return canonical.rebuild(node, operands)

    source = formula.source
    own = [node for _, node in source.definitions]
    done = fold([formula.node, *source.sums, *own], visit)
    (node,) = simplify([done[formula.node]])
    variables = {name: bare(old) for name, old in formula.variables.items()}
    source = Source(
        source.order,
        tuple([done[total] for total in source.sums]),
        tuple([(name, done[node]) for name, node in source.definitions]),
    )
    made = Expr.of(node, variables, formula.groups, row=formula._is_row, source=source)
    return made, bare(variable)
