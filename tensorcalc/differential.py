"""A formula and variables -> its differential, with the form from which derivatives are read off.

The differential is linear in ``dX`` for each variable X; of the second order it is quadratic, where
the differential of ``dX`` is zero. Its canonical form has every ``dX`` last, once, so that what
stands before it is the derivative: ``tr(G'*dX)``, ``g'*dx``, ``J*dx``, ``J*vec(dX)`` (Magnus and
Neudecker, "Matrix Differential Calculus", chapters 5 and 9). Used by `api.py` and `steps.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, count
from math import factorial, prod
from typing import Any

from tensorcalc import canonical, differentiate as calculus
from tensorcalc.declarations import check_name
from tensorcalc.errors import DomainError, LimitError
from tensorcalc.expression import Expr
from tensorcalc.functions import FUNCTIONS
from tensorcalc.ir import Node, Variable
from tensorcalc.lazy import Lazy
from tensorcalc.limits import current as limits
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.parse import parse
from tensorcalc.places import placed
from tensorcalc.simplify import simplify
from tensorcalc.source import Source
from tensorcalc.syntax import Syntax

UNIT = re.compile(r"(?:(?P<rest>.+)\*)?eye(?:\((?:[^()]|\([^()]*\))*\))?", re.DOTALL)
SCALAR_VALUED = frozenset({"tr", "sum", "mean", "norm1"}) | {
    name for name, entry in MATRIX_FUNCTIONS.items() if not entry.result
}
INDICES = "ijklpqrstuv"


class Differential(Expr):
    """A differential: an expression in the variables and in ``dX`` for each X it is taken by."""

    def __init__(self, differential: Expr, formula: Expr, by: tuple[Variable, ...], order: int):
        self.__dict__.update(differential.__dict__)
        self._formula, self._by, self._order = formula, by, order

    @Lazy
    def canonical(self) -> str:
        """The canonical form: an equation, below the definitions of what is long in it.

        >>> import tensorcalc as tc
        >>> tc.differential("x'*A*x", "x").canonical
        "df = x'*(A + A')*dx"
        """
        return "\n".join(canonical_lines(self._formula, self._by, self._order))

    def __reduce__(self) -> tuple[Any, ...]:
        restored, facts = super().__reduce__()
        return _restored, (restored(*facts), self._formula, self._by, self._order)


def _restored(plain: Expr, formula: Expr, by: tuple[Variable, ...], order: int) -> Differential:
    return Differential(plain, formula, by, order)


def differential(formula: Expr, by: Sequence[Variable], order: int = 1) -> Differential:
    """The differential of a formula, jointly by all variables.

    Raises
    ------
    DomainError
        Where the name ``dX`` is taken, and for what has no derivative.
    """
    if order > limits().derivative_order:
        raise LimitError(f"the order of a derivative is at most {limits().derivative_order}")
    by = tuple(dict.fromkeys(by))
    tangents = {variable: tangent(variable, formula.variables) for variable in by}
    node = formula.node
    for _ in range(order):
        with placed(formula.syntax):
            made = calculus.jvp(node, tangents)
        (node,) = simplify([made])
    everything = dict(formula.variables) | {t.name: t for t in tangents.values()}
    plain = Expr.of(
        node,
        everything,
        formula.groups[:1] if len(formula.groups) == 1 else (formula.node.rank,),
        row=formula._is_row,
        source=with_differentials(formula.source, by),
    )
    return Differential(plain, formula, by, order)


def tangent(variable: Variable, taken: Mapping[str, Variable]) -> Variable:
    """The variable ``dX`` of a variable X."""
    name = f"d{variable.name}"
    if name in taken:
        raise DomainError(
            f"{name} is a variable of the formula, and would be the differential of "
            f"{variable.name} as well",
            None,
            f"call the variable {name} otherwise",
        )
    complex_ = variable.properties & {"complex"}
    return Variable.of(check_name(name), variable.dims, complex_)


def with_differentials(source: Source, by: Sequence[Variable]) -> Source:
    """The source of a differential: ``dx`` comes before x, ``da`` after a, ``dX`` last of all."""
    ranks = {variable.name: variable.rank for variable in by}
    order: list[str] = []
    for name in source.order:
        pair = [f"d{name}", name] if ranks.get(name) == 1 else [name, f"d{name}"]
        order += pair if ranks.get(name, 2) < 2 else [name]
    return Source(tuple(order), source.sums, source.definitions)


def function_names(variables: Mapping[str, Variable]) -> Iterator[str]:
    """Names for the formula itself and for its derivatives: f, g, h, where they are free."""
    options = (f"{letter}{k or ''}" for k in count() for letter in "fgh")
    return (n for n in options if n not in variables and f"d{n}" not in variables)


# ── the canonical form ───────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Term:
    """A derivative times differentials, with the definitions it stands on."""

    definitions: list[str]
    text: str


def canonical_lines(
    formula: Expr,
    by: Sequence[Variable],
    order: int = 1,
    nodes: Sequence[Node] | None = None,
    name: str | None = None,
) -> list[str]:
    """The canonical form of a differential: definitions, then an equation.

    `nodes` are the derivatives, where they are known already; `name` is the formula's.
    """
    # scalars first, matrices last: the last one is multiplied from the right
    ranked = sorted(by, key=lambda variable: variable.rank) if order > 1 else by
    chosen = list(combinations_with_replacement(ranked, order))
    if nodes is None:
        nodes = [_derivative(formula, variables) for variables in chosen]
    by_form = _form(formula, by, order)
    name = name or next(function_names(formula.variables))
    for form in dict.fromkeys([by_form, "index"]):
        names = {*formula.variables, *(f"d{word}" for word in formula.variables)}
        sizes = {n for v in formula.variables.values() for dim in v.dims for n in dim.names}
        taken = names | sizes | {name, f"d{name}"}
        terms = [
            _term(formula, node, variables, form, taken)
            for node, variables in zip(nodes, chosen, strict=True)
            if not canonical.is_zero(node)
        ]
        lines = [line for term in terms for line in term.definitions]
        if not any("->" in line for line in lines):
            break  # else entries rather than rows and columns that are merged
    letter = f"d{order if order > 1 else ''}{name}"
    left = f"vec({letter})" if form == "vec" else letter
    if form == "matrix" and formula._is_row:
        left += "'"
    right = added([term.text for term in terms])
    if form == "index" and formula.node.rank and terms:
        right += f" -> [{','.join(_indices(taken, formula.node.rank))}]"
    return [*lines, f"{left} = {right}"]


def _derivative(formula: Expr, chosen: Sequence[Variable]) -> Node:
    node = formula.node
    for variable in chosen:
        if node.rank + variable.rank > limits().rank:
            raise LimitError(f"the derivative has more than {limits().rank} axes (limit rank)")
        with placed(formula.syntax):
            made = calculus.differentiate(node, variable)
        (node,) = simplify([made])
    return node


def _form(formula: Expr, by: Sequence[Variable], order: int) -> str:
    """How the canonical form is written: by entries, with vec, or with matrices alone."""
    rank, ranks = formula.node.rank, [variable.rank for variable in by]
    if max(rank, *ranks) > 2 or (order > 1 and rank and any(ranks)) or (order > 2 and any(ranks)):
        return "index"
    if any(ranks) and (rank == 2 or (rank and max(ranks) == 2)):
        return "vec" if rank == 2 else "matrix"
    return "matrix"


def _term(
    formula: Expr, node: Node, chosen: Sequence[Variable], form: str, taken: set[str]
) -> _Term:
    """The term of the canonical form with the differentials of the chosen variables."""
    rank = formula.node.rank
    coefficient = factorial(len(chosen)) // prod(map(factorial, Counter(chosen).values()))
    shaped = [variable for variable in chosen if variable.rank]
    plain = Counter(variable.name for variable in chosen if not variable.rank)
    scalars = [f"d{n}^{c}" if c > 1 else f"d{n}" for n, c in plain.items()]
    groups = (rank, *[variable.rank for variable in chosen])
    expression = Expr.of(node, formula.variables, groups, source=formula.source)
    if form == "index":
        return _by_entries(expression, rank, coefficient, chosen, taken)
    is_trace = not rank and len(shaped) == 1 and shaped[0].rank == 2
    layout = "mixed"
    if form == "vec" or (rank and any(v.rank == 2 for v in shaped)) or len(shaped) > 1:
        layout = "vec"
    elif not rank and shaped:
        layout = "numerator"
    lines = expression.to_text(layout=layout).split("\n")
    if form == "vec" and not shaped:
        expression = Expr.of(node, formula.variables, (rank,), source=formula.source)
        lines = expression.to_text().split("\n")
        lines[-1] = f"vec({lines[-1]})"
    definitions, factor = _named(lines, taken)
    sign, numbers, factor = _in_front(factor, formula.variables)
    front = _collected(coefficient, numbers)
    if not shaped:
        parts = [*front, *([] if factor == "1" and front + scalars else [factor]), *scalars]
        return _Term(definitions, sign + "*".join(parts))
    unit = UNIT.fullmatch(factor)
    inside = ([unit["rest"]] if unit["rest"] else []) if unit else [factor]
    text = "*".join([*[f for f in inside if f != "1"], _whole(shaped[-1], layout)])
    before = [f"{_whole(variable, layout)}'" for variable in shaped[:-1]]
    parts = [*front, *scalars, *before, f"tr({text})" if is_trace else text]
    return _Term(definitions, sign + "*".join(parts))


def _in_front(factor: str, variables: Mapping[str, Variable]) -> tuple[str, list[str], str]:
    """The sign of a printed factor, the scalars it begins with, and what is left."""
    sign, factor = ("-", factor[1:]) if factor.startswith("-") else ("", factor)
    syntax = top(factor)
    if syntax.kind != "product" or syntax.span.start:
        return sign, [], factor
    scalars = []
    for k, child in enumerate(syntax.children[:-1]):
        if syntax.words[k + 1] != "*" or not _is_scalar(child, variables):
            break
        scalars.append(factor[child.span.start : syntax.children[k + 1].span.start].rstrip(" *("))
        if scalars[-1].count("(") != scalars[-1].count(")"):
            return sign, [], factor
    rest = factor[len("*".join(scalars)) :].removeprefix("*")
    return (sign, scalars, rest) if factor == "*".join([*scalars, rest]) else (sign, [], factor)


def _is_scalar(syntax: Syntax, variables: Mapping[str, Variable]) -> bool:
    """Whether what is written is clearly a number, not a vector or matrix."""
    stack = [syntax]
    while stack:
        part = stack.pop()
        if part.kind == "name":
            known = variables.get(part.words[0])
            if part.words[0] != "pi" and (known is None or known.rank):
                return False
        elif part.kind == "call" and part.words[0] in SCALAR_VALUED and len(part.children) == 1:
            continue
        elif part.kind in ("number", "sum", "product", "negate", "power") or (
            part.kind == "call" and part.words[0] in (*FUNCTIONS, "sqrt")
        ):
            stack.extend(part.children)
        else:
            return False
    return True


def _collected(coefficient: int, scalars: Sequence[str]) -> list[str]:
    """Scalar factors with whole numbers made one, which stands first."""
    total = prod([int(text) for text in scalars if text.isdecimal()], start=coefficient)
    others = [text for text in scalars if not text.isdecimal()]
    return [str(total), *others] if total > 1 else others


def _whole(variable: Variable, layout: str) -> str:
    is_stacked = variable.rank == 2 and layout == "vec"
    return f"vec(d{variable.name})" if is_stacked else f"d{variable.name}"


def _by_entries(
    expression: Expr, rank: int, coefficient: int, chosen: Sequence[Variable], taken: set[str]
) -> _Term:
    """``J[i,j,k]*dx[k]``, where J is defined by entries."""
    definitions, name = _named(expression.to_text().split("\n"), taken, always=True)
    indices = _indices(taken, expression.node.rank)
    parts = [str(coefficient)] if coefficient > 1 else []
    parts.append(f"{name}[{','.join(indices)}]" if indices else name)
    start = rank
    for variable in chosen:
        own = indices[start : start + variable.rank]
        start += variable.rank
        parts.append(f"d{variable.name}[{','.join(own)}]" if own else f"d{variable.name}")
    return _Term(definitions, "*".join(parts))


def _indices(taken: set[str], rank: int) -> list[str]:
    names = (f"{letter}{k or ''}" for k in count() for letter in INDICES)
    free = (name for name in names if name not in taken)
    return [next(free) for _ in range(rank)]


def _named(lines: list[str], taken: set[str], *, always: bool = False) -> tuple[list[str], str]:
    """Definitions, and a factor that can stand in a product: a name of its own where it must."""
    *definitions, text = _apart(lines, taken)
    taken.update(_defined(definitions))
    if not always and "->" not in text:
        return definitions, as_factor(text)
    name = next(n for n in _letters() if n not in taken)
    taken.add(name)
    return [*definitions, f"{name} = {text}"], name


def _letters() -> Iterator[str]:
    return (f"{letter}{k or ''}" for k in count() for letter in "GHJKLM")


def _defined(definitions: Sequence[str]) -> list[str]:
    return [line.partition(" = ")[0].partition("[")[0] for line in definitions]


def _apart(lines: list[str], taken: set[str]) -> list[str]:
    """The lines with the names that they define made other than those taken."""
    for name in _defined(lines[:-1]):
        if name in taken:
            new = next(n for n in (f"{name}{k}" for k in count(1)) if n not in taken)
            lines = [re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", new, line) for line in lines]
    return lines


def top(text: str) -> Syntax:
    """The outermost construct of a printed formula."""
    return parse(text).children[-1].children[-1]


def as_factor(text: str) -> str:
    """The text as a factor of a product."""
    return f"({text})" if top(text).kind in ("sum", "compare", "arrow") else text


def added(terms: Sequence[str]) -> str:
    """The sum of printed terms."""
    total = terms[0] if terms else "0"
    for term in terms[1:]:
        total += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
    return total
