"""IR -> IR: derivatives, forward by substitution and in reverse by transposition.

All that is known of a node is its differential, an expression linear in the differential of each
operand: for an Einsum and an Add by their form, for functions from the tables `functions.py` and
`matrix_functions.py`. `_differential` writes it as contractions with a hole where the operand's
differential goes. Filling the hole with a tangent is forward mode; exchanging the hole's labels
with the output's is its transpose, reverse mode. There is no second table.

A derivative by a complex variable is that of a function that is complex differentiable; by a real
one, also what conjugates its complex operand has a derivative (`LinearTerm.turned`).

Laue, Mitterreiter and Giesen, "A Simple and Efficient Tensor Calculus", AAAI 2020.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import DomainError
from tensorcalc.functions import ARGUMENTS, FUNCTIONS, OPERATORS
from tensorcalc.ir import (
    Add,
    Counter,
    Delta,
    Einsum,
    Labels,
    Map,
    MatrixFunction,
    Node,
    RangeSum,
    Unknown,
    Variable,
)
from tensorcalc.limits import metered
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.templates import formula, lift, scalar_formula
from tensorcalc.traverse import postorder

HOLE = "∂"  # not a name of the language
CONJUGATING = ("conj", "^H", "abs", "norm2", "normF", "norm1", "pinv")  # in the words of a text
ORDERED = frozenset({"sign", "max", "min", "relu", "lt", "le", "gt", "ge"})


@dataclass(frozen=True, slots=True)
class LinearTerm:
    """A contraction with a hole: ``coefficient * Σ hole[labels] * factors``.

    Labels below `rank` are the axes of the node whose differential this is a term of. `counters`
    are summed over too, the innermost first. Where it is `turned`, the conjugate of the operand's
    differential goes into the hole.
    """

    coefficient: Fraction
    rank: int
    sizes: Dims
    factors: tuple[canonical.Factor, ...]
    hole: Labels
    counters: tuple[Counter, ...] = ()
    turned: bool = False


def differentiate(output: Node, variable: Variable) -> Node:
    """All partial derivatives; dims are those of `output`, then those of `variable`.

    Reverse where the variable has at least as many axes as the output, else forward.
    """
    if variable.rank < output.rank:
        seed = _unit(variable.dims)
        return jvp(output, {variable: seed}, variable.dims)
    seed = _unit(output.dims)
    return vjp(output, seed, [variable], output.dims)[variable]


@metered
def jvp(output: Node, tangents: Mapping[Variable, Node], extra: Dims = ()) -> Node:
    """The differential of `output` with `tangents` for the differentials of variables.

    A tangent has the dims of its variable, then `extra`; so has the result.
    """
    found: dict[Node, Node] = dict(tangents.items())
    trailing: list[Hashable] = [("extra", k) for k in range(len(extra))]
    for node in postorder([output]):
        if isinstance(node, Variable) or not any(o in found for o in node.operands):
            continue
        if isinstance(node, RangeSum):
            found[node] = canonical.range_sum(found[node.operands[0]], node.counter)
            continue
        parts = []
        for position, operand in enumerate(node.operands):
            if operand not in found:
                continue
            for term, (own, tangent) in product(
                _differential(node, position), _tangents(found[operand])
            ):
                if term.turned:
                    _check_real(tangents)
                    tangent = canonical.conjugate(tangent)
                sizes: dict[Hashable, Dim] = dict(enumerate(term.sizes))
                sizes.update(zip(trailing, extra, strict=True))
                filled = (tangent, (*term.hole, *trailing))
                ends = [*range(term.rank), *trailing]
                made = canonical.contract(ends, sizes, [*term.factors, filled])
                for counter in term.counters:
                    made = canonical.range_sum(made, counter)
                parts.append((own * term.coefficient, made))
        found[node] = canonical.add((*node.dims, *extra), parts)
    return found.get(output) or canonical.zeros((*output.dims, *extra))


def _tangents(tangent: Node) -> Sequence[canonical.Term]:
    """A tangent's terms, if one of them is a delta, which vanishes in a product, else itself."""
    terms = canonical.terms_of(tangent)
    return terms if any(_is_unit(term) for _, term in terms) else [(Fraction(1), tangent)]


def _is_unit(node: Node) -> bool:
    return isinstance(node, Delta) or (
        isinstance(node, Einsum) and all(isinstance(o, Delta) for o in node.operands)
    )


@metered
def vjp(
    output: Node, cotangent: Node, variables: Sequence[Variable], extra: Dims = ()
) -> dict[Variable, Node]:
    """The transpose: what `cotangent` of the output pulls back to at every variable.

    The cotangent has the dims `extra`, then those of `output`; a result has the dims `extra`,
    then those of its variable.
    """
    order = postorder([output])
    active: set[Node] = set(variables)
    for node in order:
        if any(operand in active for operand in node.operands):
            active.add(node)
    waiting: dict[Node, list[canonical.Term]] = {output: [(Fraction(1), cotangent)]}
    # those whose product with the differential is to be conjugated
    turned: dict[Node, list[canonical.Term]] = {}
    leading: list[Hashable] = [("extra", k) for k in range(len(extra))]
    for node in reversed(order):
        if node not in active or not (node in waiting or node in turned):
            continue
        if not node.is_complex and node in turned:
            back = [(c, canonical.conjugate(term)) for c, term in turned.pop(node)]
            waiting.setdefault(node, []).extend(back)
        if isinstance(node, Variable):
            if node in turned:
                _check_real([node])
            continue
        for here, there in ((waiting, turned), (turned, waiting)):
            if node not in here:
                continue
            arrived = canonical.add((*extra, *node.dims), here.pop(node))
            if canonical.is_zero(arrived):
                continue
            if isinstance(node, RangeSum):
                here.setdefault(node.operands[0], []).append((Fraction(1), arrived))
                continue
            for position, operand in enumerate(node.operands):
                if operand not in active:
                    continue
                for term in _differential(node, position):
                    pulled = _transpose(term, arrived, operand.dims, leading, extra)
                    for counter in (*term.counters, *_left(node, operand)):
                        pulled = canonical.range_sum(pulled, counter)
                    if term.turned:
                        pulled = canonical.conjugate(pulled)
                    to = there if term.turned else here
                    to.setdefault(operand, []).append((term.coefficient, pulled))
    return {
        variable: canonical.add((*extra, *variable.dims), waiting.get(variable, ()))
        for variable in variables
    }


def _check_real(variables: Iterable[Variable]) -> None:
    """Refuse a derivative by a complex variable of what depends on its conjugate."""
    for variable in variables:
        if variable.is_complex:
            name = variable.name
            raise DomainError(
                f"there is no derivative by the complex {name}, which stands inside a conjugate, "
                "a modulus or a norm: that is not complex differentiable",
                None,
                f"write {name} = x + j*y with real x and y (`j : scalar complex` is 1j) and "
                "differentiate by these",
                words=CONJUGATING,
            )


def _left(node: Node, operand: Node) -> list[Counter]:
    """The counters whose sums a cotangent leaves on its way to the operand, innermost first."""
    return sorted(node.counters - operand.counters, key=lambda counter: counter.level)


def _transpose(
    term: LinearTerm, cotangent: Node, dims: Dims, leading: list[Hashable], extra: Dims
) -> Node:
    """The contraction with hole and output exchanged.

    A label that only the hole has becomes a broadcast; one that the hole repeats becomes a delta.
    """
    sizes: dict[Hashable, Dim] = dict(enumerate(term.sizes))
    sizes.update(zip(leading, extra, strict=True))
    factors: list[tuple[Node, Sequence[Hashable]]] = list(term.factors)
    factors.append((cotangent, (*leading, *range(term.rank))))
    ends: list[Hashable] = []
    for axis, (label, dim) in enumerate(zip(term.hole, dims, strict=True)):
        if label not in ends:
            ends.append(label)
            continue
        twin = ("twin", axis)
        sizes[twin] = dim
        factors.append((Delta.of(dim), (label, twin)))
        ends.append(twin)
    return canonical.contract([*leading, *ends], sizes, factors)


def _unit(dims: Dims) -> Node:
    """The unit tensor with the axes `dims` twice."""
    r = len(dims)
    deltas = [(Delta.of(dim), (k, r + k)) for k, dim in enumerate(dims)]
    return canonical.einsum(2 * r, (*dims, *dims), deltas)


def _differential(node: Node, position: int) -> Iterator[LinearTerm]:
    """The differential of a node in one operand, as contractions with a hole."""
    axes = tuple(range(node.rank))
    match node:
        case Einsum():
            others = list(zip(node.operands, node.labels, strict=True))
            _, hole = others.pop(position)
            yield LinearTerm(Fraction(1), node.rank, node.sizes, tuple(others), hole)
        case Add():
            yield LinearTerm(node.coefficients[position], node.rank, node.dims, (), axes)
        case Map() if node.function == "conj":
            yield LinearTerm(Fraction(1), node.rank, node.dims, (), axes, turned=True)
        case Map() if node.function == "abs" and node.operands[0].is_complex:
            yield from _modulus(node)
        case Map():
            if node.function in ORDERED and any(o.is_complex for o in node.operands):
                _refuse_order(node.function)
            text = FUNCTIONS[node.function].derivatives[position]
            if text is None:
                raise DomainError(
                    f"{node.function} cannot be differentiated by its argument {position + 1}",
                    words=(node.function,),
                )
            arguments = dict(zip(ARGUMENTS, node.operands, strict=False))
            slope = lift(scalar_formula(text), arguments, node.dims, {})
            if not canonical.is_zero(slope):
                yield LinearTerm(Fraction(1), node.rank, node.dims, ((slope, axes),), axes)
        case MatrixFunction():
            yield from _matrix_differential(node, position)
        case Unknown():
            derivatives = tuple(sorted((*node.derivatives, position)))
            result = node.dims[node.batch : node.batch + node.result]
            slope = canonical.unknown(
                node.name, result, node.operands, node.batch, derivatives,
                is_applied=node.is_applied, properties=node.properties,
            )  # fmt: skip
            yield _new_axes(node, slope, position, derivatives.index(position))
        case Counter():
            raise DomainError(
                "the ends of a sum over integers cannot be differentiated", words=("sum[r=…]",)
            )
        case _:
            raise TypeError(f"{node!r} has no operands")


def _modulus(node: Map) -> Iterator[LinearTerm]:
    """``d abs(z) = (conj(z)*dz + z*conj(dz))/(2*abs(z))``."""
    axes = tuple(range(node.rank))
    (z,) = node.operands
    below = (canonical.power(node, -1), axes)
    half = Fraction(1, 2)
    for turned, above in ((False, canonical.conjugate(z)), (True, z)):
        factors = ((above, axes), below)
        yield LinearTerm(half, node.rank, node.dims, factors, axes, turned=turned)


def _refuse_order(function: str) -> None:
    word = OPERATORS.get(function, function)
    raise DomainError(
        f"{word} of complex numbers has no derivative: they have no order", words=(word, function)
    )


def _new_axes(node: Unknown, slope: Node, position: int, place: int) -> LinearTerm:
    """The derivative of an unknown function with its new axes, which stand `place`-th, summed."""
    start = node.batch + node.result
    start += sum(node.operands[k].rank - node.batch for k in node.derivatives[:place])
    own = node.operands[position].dims[node.batch :]
    new = tuple(range(node.rank, node.rank + len(own)))
    axes = tuple(range(node.rank))
    labels = axes[:start] + new + axes[start:]
    hole = axes[: node.batch] + new
    return LinearTerm(Fraction(1), node.rank, node.dims + own, ((slope, labels),), hole)


def _matrix_differential(node: MatrixFunction, position: int) -> Iterator[LinearTerm]:
    entry = MATRIX_FUNCTIONS[node.function]
    if position:
        raise DomainError(
            "a matrix power cannot be differentiated by its exponent, an integer", words=("^",)
        )
    operand, *parameters = node.operands
    if operand.is_complex and node.function in ORDERED:
        _refuse_order(node.function)
    if operand.is_complex and node.function == "pinv":
        raise DomainError(
            "there is no derivative of pinv of a complex matrix",
            None,
            "for full column rank write `inv(Z^H*Z)*Z^H`",
            words=("pinv",),
        )
    batch = operand.dims[: operand.rank - entry.rank]
    if entry.differential is None:
        own = operand.dims[len(batch) :]
        slope = canonical.matrix_function(node.function, operand, order=node.order + 1)
        new = tuple(range(node.rank, node.rank + len(own)))
        axes = tuple(range(node.rank))
        hole_axes = axes[: len(batch)] + new
        yield LinearTerm(Fraction(1), node.rank, node.dims + own, ((slope, axes + new),), hole_axes)
        return
    text = entry.differential
    if entry.backwards is not None and _is_negative(parameters[0]):
        text = entry.backwards
    name, _, kind = entry.argument.partition(" : ")
    declarations = f"{name}, d{name} : {kind}"
    arguments: dict[str, Node] = {name: operand}
    if entry.parameter is not None:
        declarations += f"; {entry.parameter}"
        arguments[entry.parameter.partition(" : ")[0]] = parameters[0]
    template = formula(declarations, text)
    variable = formula(f"{name} : {kind}", name).dims
    sizes = dict(zip(map(str, variable), operand.dims[len(batch) :], strict=True))
    hole = Variable.of(HOLE, operand.dims)
    differential = lift(template, {**arguments, f"d{name}": hole}, batch, sizes)
    yield from linear_terms(differential, hole)


def _is_negative(exponent: Node) -> bool:
    """Whether an integer is one that all its names make smaller, such as ``-k``, ``1 - k``."""
    named = [c for c, term in canonical.terms_of(exponent) if canonical.as_number(term) is None]
    return bool(named) and all(c < 0 for c in named)


# on the way to the hole: coefficient, sizes of labels, factors so far, node, its labels, counters
_Path = tuple[
    Fraction, dict[int, Dim], tuple[canonical.Factor, ...], Node, Labels, tuple[Counter, ...]
]


def linear_terms(expression: Node, hole: Variable) -> Iterator[LinearTerm]:
    """An expression linear in `hole` as a sum of contractions with the hole.

    Raises
    ------
    TypeError
        If the expression is not linear in the hole: a mistake in a table.
    """
    depends: set[Node] = {hole}
    for node in postorder([expression]):
        if any(operand in depends for operand in node.operands):
            depends.add(node)
    rank = expression.rank
    start = Fraction(1), dict(enumerate(expression.dims)), (), expression, tuple(range(rank)), ()
    stack: list[_Path] = [start]
    while stack:
        coefficient, live, factors, node, labels, counters = stack.pop()
        if node is hole:
            renumber = {label: k for k, label in enumerate(sorted(live))}
            yield LinearTerm(
                coefficient,
                rank,
                tuple([live[label] for label in sorted(live)]),
                tuple((n, tuple([renumber[a] for a in own])) for n, own in factors),
                tuple([renumber[a] for a in labels]),
                counters,
            )
        elif isinstance(node, RangeSum):
            inside = (node.counter, *counters)
            stack.append((coefficient, live, factors, node.operands[0], labels, inside))
        elif isinstance(node, Add):
            for c, operand in zip(node.coefficients, node.operands, strict=True):
                if operand not in depends:
                    raise TypeError(f"{expression!r} is not linear")
                stack.append((coefficient * c, dict(live), factors, operand, labels, counters))
        elif isinstance(node, Einsum):
            inner = canonical.expand(node, labels, live)
            carriers = [k for k, (operand, _) in enumerate(inner) if operand in depends]
            if len(carriers) != 1:
                raise TypeError(f"{expression!r} is not linear")
            operand, own = inner.pop(carriers[0])
            stack.append((coefficient, live, factors + tuple(inner), operand, own, counters))
        else:
            raise TypeError(f"{expression!r} is not linear")
