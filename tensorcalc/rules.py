"""Rewrite rules as data: a formula and a better form of it, both in the project's own language.

They choose numerically stable forms before anything is differentiated, so that derivatives are
derived from the stable form. ``x`` stands for anything; in a sum it stands for all terms that
nothing else matches, and a sum may match up to its sign. Each rule is tried at every node, in this
order; the first that matches wins. Sources: Mächler, "Accurately computing log(1 − exp(−|a|))"
(2012); Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 1.14.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

from tensorcalc import canonical
from tensorcalc.dims import Dims
from tensorcalc.ir import Add, Einsum, Labels, Map, Node, Variable
from tensorcalc.rewrites import note
from tensorcalc.templates import formula, lift

RULES: tuple[tuple[str, str, str], ...] = (
    ("x : scalar", "log(1 + exp(x))", "softplus(x)"),
    ("x : scalar", "log1p(exp(x))", "softplus(x)"),
    ("x : scalar", "log(1 + x)", "log1p(x)"),
    ("x : scalar", "exp(x) - 1", "expm1(x)"),
    ("x : scalar", "1/(1 + exp(x))", "sigmoid(-x)"),
    ("x : scalar", "log(sigmoid(x))", "-softplus(-x)"),
    ("x : scalar", "1 - sigmoid(x)", "sigmoid(-x)"),
    ("x : scalar", "exp(x)*sigmoid(-x)", "sigmoid(x)"),
    ("x : scalar", "log(exp(x))", "x"),
    ("x : scalar", "abs(exp(x))", "exp(x)"),
    ("x : scalar", "x*sign(x)", "abs(x)"),
    ("x : scalar", "abs(x)*sign(x)", "x"),
    ("x : scalar", "max(x, 0)*sign(x)", "max(x, 0)"),
    ("x : scalar", "sign(x)/abs(x)", "1/x"),
    ("x : scalar", "sin(x)/cos(x)", "tan(x)"),
    ("x : scalar", "sinh(x)/cosh(x)", "tanh(x)"),
    ("x, y : scalar", "log(exp(x) + exp(y))", "x + softplus(y - x)"),
    ("x : scalar", "2*sigmoid(x) - 1", "tanh(x/2)"),
    ("x : matrix(n, n)", "log(det(x))", "logdet(x)"),
)


@cache
def _compiled() -> dict[str, list[tuple[Node, Node, str]]]:
    """Patterns, replacements and what a rule says, by the head of the pattern."""
    table: dict[str, list[tuple[Node, Node, str]]] = {}
    for declaration, pattern, replacement in RULES:
        head = formula(declaration, pattern)
        rule = head, formula(declaration, replacement), f"{pattern} = {replacement}"
        table.setdefault(_head(head), []).append(rule)
    return table


def _head(node: Node) -> str:
    return getattr(node, "function", type(node).__name__)


def apply_rules(node: Node) -> Node | None:
    """The better form of a node by the first rule that matches, else None."""
    for pattern, replacement, name in _compiled().get(_head(node), ()):
        if isinstance(pattern, Einsum) and isinstance(node, Einsum):
            found = _in_product(pattern, replacement, node)
        elif isinstance(node, Add):
            found = _instance(pattern, replacement, node)
            if found is None:
                found = _instance(pattern, replacement, canonical.scale(-1, node))
                found = found and canonical.scale(-1, found)
        else:
            found = _instance(pattern, replacement, node)
        if found is not None:
            return note(name, node, found)
    return None


def _instance(pattern: Node, replacement: Node, node: Node) -> Node | None:
    """The replacement for a node that is an instance of the pattern."""
    bound: dict[str, Node] = {}
    return _filled(replacement, bound, node.dims) if _match(pattern, node, bound) else None


def _filled(replacement: Node, bound: dict[str, Node], batch: Dims) -> Node:
    sizes = {
        name: dim
        for variable in _variables(replacement)
        for old, dim in zip(
            reversed(variable.dims), reversed(bound[variable.name].dims), strict=False
        )
        for name in old.names
    }
    return lift(replacement, bound, batch, sizes)


def _in_product(pattern: Einsum, replacement: Node, node: Einsum) -> Node | None:
    """The product with factors at one place that match the pattern's replaced."""
    places: dict[Labels, list[int]] = {}
    functions = [part for part in pattern.operands if isinstance(part, Map)]
    names = [part.name for part in pattern.operands if isinstance(part, Variable)]
    heads = {_head(part) for part in functions}
    for k, (operand, labels) in enumerate(zip(node.operands, node.labels, strict=True)):
        if isinstance(operand, Map) and operand.function in heads:
            places.setdefault(labels, []).append(k)
    for labels, members in places.items():
        fitting = [
            [k for k in members if _head(node.operands[k]) == _head(part)] for part in functions
        ]
        for chosen in product(*fitting):
            bound: dict[str, Node] = {}
            factors = [node.operands[k] for k in chosen]
            if not all(_match(p, f, bound) for p, f in zip(functions, factors, strict=True)):
                continue
            own = list(zip(node.operands, node.labels, strict=True))
            wanted = [(bound[name], labels) for name in names]
            if any(factor not in own for factor in wanted):
                continue
            gone = {*chosen, *[own.index(factor) for factor in wanted]}
            new = _filled(replacement, bound, factors[0].dims)
            rest = [factor for k, factor in enumerate(own) if k not in gone]
            return canonical.einsum(node.rank, node.sizes, [*rest, (new, labels)])
    return None


def _variables(pattern: Node) -> Iterator[Variable]:
    stack = [pattern]
    while stack:
        node = stack.pop()
        stack.extend(node.operands)
        if isinstance(node, Variable):
            yield node


def _match(pattern: Node, node: Node, bound: dict[str, Node]) -> bool:
    """Whether the node is an instance of the pattern; patterns are small, so recursion is too.

    The rules are those of real numbers: ``log(exp(z))`` of a complex z need not be z.
    """
    if isinstance(pattern, Variable):
        return not node.is_complex and bound.setdefault(pattern.name, node) is node
    value = canonical.as_number(pattern)
    if value is not None:
        return canonical.as_number(node) == value
    if isinstance(pattern, Add) and len(pattern.operands) == 1:
        return _match(
            pattern.operands[0], canonical.scale(1 / pattern.coefficients[0], node), bound
        )
    if type(pattern) is not type(node) or _head(pattern) != _head(node):
        return False
    if isinstance(pattern, Add) and isinstance(node, Add):
        return _match_sum(pattern, node, bound)
    if _head(pattern) in ("max", "min"):  # in any order
        for order in (node.operands, node.operands[::-1]):
            found = dict(bound)
            pairs = zip(pattern.operands, order, strict=True)
            if all(_match(p, o, found) for p, o in pairs):
                bound.update(found)
                return True
        return False
    return len(pattern.operands) == len(node.operands) and all(
        _match(p, o, bound) for p, o in zip(pattern.operands, node.operands, strict=True)
    )


def _match_sum(pattern: Add, node: Add, bound: dict[str, Node]) -> bool:
    """Every term of the pattern has its own term; a variable takes all that is left."""
    left = list(canonical.terms_of(node))
    rest: Variable | None = None
    for coefficient, part in canonical.terms_of(pattern):
        if isinstance(part, Variable) and coefficient == 1:
            rest = part
            continue
        for k, (own, term) in enumerate(left):
            if own == coefficient and _match(part, term, bound):
                del left[k]
                break
        else:
            return False
    if rest is None:
        return not left
    return bool(left) and _match(rest, canonical.add(node.dims, left), bound)
