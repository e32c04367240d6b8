"""Formulas for property tests: a small typed tree, its value by NumPy, its text in three notations.

Nothing here comes from tensorcalc, so that a mistake there cannot hide here. A `Formula` has an
explicit size name for every axis; vectors have one axis. `value` computes it with plain NumPy.
A `Printer` writes it in matrix notation, index notation, einsum strings, or a random mixture.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import linalg, special

Array = np.ndarray[Any, np.dtype[Any]]
Draw = Callable[[int], int]  # a number below n; 0 is the simplest choice

UNARY: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt,
    "abs": np.abs, "sign": np.sign, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh,
    "cosh": np.cosh, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)), "relu": lambda x: x * (x > 0),
    "erf": special.erf, "lgamma": special.loggamma, "digamma": special.psi, "conj": np.conj,
}  # fmt: skip
COMPARE: dict[str, Callable[[Array, Array], Array]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip
MATRIX: dict[str, Callable[[Array], Array]] = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "logdet": lambda x: np.log(np.linalg.det(x)),
    "norm1": lambda x: np.sum(np.abs(x)),
    "norm2": lambda x: np.sqrt(np.sum(np.abs(x) ** 2)),
    "normF": lambda x: np.sqrt(np.sum(np.abs(x) ** 2)),
    "pinv": lambda x: np.linalg.pinv(x) if x.ndim == 2 else np.conj(x) / np.sum(np.abs(x) ** 2),
    "adj": lambda x: adjugate(x),
    "expm": linalg.expm,
    "logm": lambda x: as_real(linalg.logm(x), x),
    "sqrtm": lambda x: as_real(linalg.sqrtm(x), x),
    "sinm": lambda x: as_real((linalg.expm(1j * x) - linalg.expm(-1j * x)) / 2j, x),
    "cosm": lambda x: as_real((linalg.expm(1j * x) + linalg.expm(-1j * x)) / 2, x),
}
SERIES = ("expm", "logm", "sqrtm", "sinm", "cosm")
REDUCE: dict[str, Callable[..., Array]] = {
    "max": np.max, "min": np.min, "prod": np.prod,
    "logsumexp": lambda x, axis: np.log(np.sum(np.exp(x), axis=axis)),
}  # fmt: skip


def as_real(result: Array, argument: Array) -> Array:
    """The result without the imaginary part that rounding has left."""
    return np.asarray(result if np.iscomplexobj(argument) else np.real(result))


def adjugate(x: Array) -> Array:
    """The transposed matrix of cofactors."""
    n = len(x)
    minors = [
        [np.linalg.det(np.delete(np.delete(x, j, 0), i, 1)) for j in range(n)] for i in range(n)
    ]
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return signs * np.reshape(minors, (n, n))


def levi_civita() -> Array:
    """The symbol of three indices."""
    result = np.zeros((3, 3, 3))
    for i in range(3):
        result[i, (i + 1) % 3, (i + 2) % 3] = 1
        result[i, (i + 2) % 3, (i + 1) % 3] = -1
    return result


@dataclass(eq=False, frozen=True)
class Formula:
    """A node of the tree.

    `dims` names the size of each axis. `data` is what the kind needs: a name, a number, labels.
    `form` says how matrix notation writes a product, None where it cannot.
    """

    kind: str
    dims: tuple[str, ...] = ()
    args: tuple[Formula, ...] = ()
    data: Any = None
    form: Any = None

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.dims)


@dataclass(frozen=True)
class Wave:
    """A smooth function in place of an unknown one, with all its derivatives.

    Each entry of the result is the sine of a sum of all entries of all arguments with weights of
    its own.
    """

    weights: tuple[Array, ...]  # for each argument: the axes of the result, then the argument's
    shift: Array

    @staticmethod
    def of(name: str, result: Sequence[int], arguments: Sequence[Sequence[int]]) -> Wave:
        """A wave for a name: always the same one for the same name and shapes."""
        rng = np.random.default_rng(sum(map(ord, name)))
        spread = [max(1, math.prod(shape)) ** 0.5 for shape in arguments]
        weights = [
            rng.uniform(-1, 1, (*result, *shape)) / s
            for shape, s in zip(arguments, spread, strict=True)
        ]
        return Wave(tuple(weights), np.asarray(rng.uniform(-1, 1, result)))

    def value(self, arguments: Sequence[Array], batch: int = 0, by: Sequence[int] = ()) -> Array:
        """The value, or the derivative by the arguments at the positions `by`.

        The first `batch` axes of every argument go along; those of derivatives stand last.
        """
        rank = self.shift.ndim
        shape = np.shape(arguments[0])[:batch]
        phase = np.zeros((*shape, *self.shift.shape)) + self.shift + len(by) * np.pi / 2
        for weight, argument in zip(self.weights, arguments, strict=True):
            columns = weight.reshape(self.shift.size, -1)
            flat = np.reshape(argument, (*shape, columns.shape[1])) @ columns.T
            phase = phase + flat.reshape(phase.shape)
        result: Array = np.sin(phase)
        for position in by:
            weight = self.weights[position]
            own = weight.ndim - rank
            done = result.ndim - batch - rank
            spread = weight.reshape(weight.shape[:rank] + (1,) * done + weight.shape[rank:])
            result = result.reshape(result.shape + (1,) * own) * spread
        return result


def value(formula: Formula, data: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """The value by NumPy; `data` holds the variables, `sizes` the number of every size."""
    memo: dict[Formula, Array] = {}

    def walk(f: Formula) -> Array:
        if f not in memo:
            if f.kind == "range":
                memo[f] = counted(f)
            else:
                memo[f] = np.asarray(_value(f, [walk(a) for a in f.args], data, sizes))
        return memo[f]

    def counted(f: Formula) -> Array:
        """A sum over integers: its body has a value for each of them."""
        low, high = (round(float(walk(end))) for end in f.args[:2])
        name, how = f.data
        result = np.zeros(tuple(sizes[d] for d in f.dims)) + (how == "prod")
        for number in range(low, high + 1):
            term = value(f.args[2], {**data, name: float(number)}, sizes)
            result = result * term if how == "prod" else result + term
        return np.asarray(result)

    return walk(formula)


def _value(f: Formula, args: list[Array], data: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    shape = tuple(sizes[d] for d in f.dims)
    match f.kind:
        case "variable" | "counter":
            return data[f.data]
        case "number" | "constant":
            return np.full(shape, float(f.data))
        case "pi":
            return np.pi
        case "size":
            return float(sizes[f.data])
        case "eye":
            return np.eye(shape[0])
        case "product":
            labels, output = f.data
            names = {a: k for k, a in enumerate(sorted({*output, *"".join(labels)}))}
            parts: list[Any] = []
            for arg, own in zip(args, labels, strict=True):
                parts += [arg, [names[a] for a in own]]
            return np.einsum(*parts, [names[a] for a in output])
        case "sum":
            return sum(s * a for s, a in zip(f.data, args, strict=True)) + np.zeros(shape)
        case "negate":
            return -args[0]
        case "unary":
            return UNARY[f.data](args[0])
        case "compare":
            return COMPARE[f.data](*args) + np.zeros(shape)
        case "max":
            return functools.reduce(np.maximum, args)
        case "min":
            return functools.reduce(np.minimum, args)
        case "where":
            return np.where(args[0] != 0, args[1], args[2]) + np.zeros(shape)
        case "power":
            return args[0] ** (
                int(f.data) if f.data.denominator == 1 and f.data > 0 else float(f.data)
            )
        case "pow":
            return args[0] ** args[1]
        case "matrix power":
            return np.linalg.matrix_power(args[0], f.data)
        case "symbolic power":
            return np.linalg.matrix_power(args[0], round(float(args[1])))
        case "function":
            return MATRIX[f.data](args[0])
        case "total":
            return np.sum(args[0], axis=f.data)
        case "mean":
            return np.mean(args[0], axis=f.data)
        case "reduce":
            name, axes = f.data
            return REDUCE[name](args[0], axis=axes)
        case "softmax":
            powers = np.exp(args[0])
            return powers / np.sum(powers, axis=f.data, keepdims=True)
        case "pick":
            return args[0][tuple(slice(None) if p is None else p for p in f.data)]
        case "batch":
            stack = [MATRIX[f.data](x * args[1] + args[2]) for x in args[0]]
            return np.array(stack)
        case "block":
            heights, widths, filled = f.data
            remaining = iter(args)
            grid = [
                [
                    np.reshape(next(remaining) if here else np.zeros(sizes[h] * sizes[w]),
                               (sizes[h], sizes[w]))
                    for w, here in zip(widths, row, strict=True)
                ]
                for h, row in zip(heights, filled, strict=True)
            ]  # fmt: skip
            return np.reshape(np.block(grid), shape)
        case "kron":
            first, second = (
                np.reshape(a, [1 if d is None else sizes[d] for d in own])
                for a, own in zip(args, f.data, strict=True)
            )
            return np.reshape(np.kron(first, second), shape)
        case "vec":
            return np.ravel(args[0], order="F")
        case "commutation":
            m, n = (sizes[d] for d in f.data)
            return np.eye(m * n).reshape(m, n, m * n).transpose(1, 0, 2).reshape(m * n, m * n).T
        case "cross":
            return np.asarray(np.cross(np.asarray(args[0]), np.asarray(args[1])))
        case "eps":
            return levi_civita()
        case "unknown":
            return Wave.of(f.data, shape, [np.shape(a) for a in args]).value(args)
        case "unknown map":
            same = list(np.broadcast_arrays(*args))
            return Wave.of(f.data, (), [()] * len(args)).value(same, len(shape))
        case "series":
            offsets, start, back, weight = f.data
            places = np.arange(start, sizes[f.args[0].dims[0]] - back)
            terms = places.astype(float) ** weight
            for arg, offset in zip(args, offsets, strict=True):
                terms = terms * arg[places + offset]
            return np.sum(terms)
    raise AssertionError(f.kind)


# ── building ─────────────────────────────────────────────────────────────────────────────────


def number(x: Fraction | int) -> Formula:
    """A scalar number."""
    return Formula("number", data=Fraction(x))


def product(parts: Sequence[tuple[Formula, str]], output: str, form: Any = None) -> Formula:
    """The contraction of formulas under letters; every output letter is in some part."""
    dims = {a: d for f, own in parts for a, d in zip(own, f.dims, strict=True)}
    labels = tuple(own for _, own in parts)
    args = tuple(f for f, _ in parts)
    return Formula("product", tuple(dims[a] for a in output), args, (labels, output), form)


def scaled(scalar: Formula, f: Formula) -> Formula:
    """A scalar times a formula."""
    letters = "abcdefgh"[: f.rank]
    return product([(scalar, ""), (f, letters)], letters, "scale")


def added(f: Formula, *others: Formula, signs: Sequence[int] = ()) -> Formula:
    """The sum of formulas of one shape and scalars."""
    dims = max((g.dims for g in (f, *others)), key=len)
    signs = tuple(signs) or (1,) * (1 + len(others))
    return Formula("sum", dims, (f, *others), tuple(signs))


def unary(name: str, f: Formula) -> Formula:
    """An elementwise function."""
    return Formula("unary", f.dims, (f,), name)


def power(f: Formula, exponent: Fraction | int) -> Formula:
    """Each entry to a fixed power."""
    return Formula("power", f.dims, (f,), Fraction(exponent))


def chain(
    matrices: Sequence[tuple[Formula, bool]],
    left: Formula | None = None,
    right: Formula | None = None,
) -> Formula:
    """``left'*A*B'*right``; the flags say which matrices are transposed."""
    letters = "abcdefgh"
    parts = []
    for k, (f, turned) in enumerate(matrices):
        own = letters[k : k + 2]
        parts.append((f, own[::-1] if turned else own))
    if left is not None:
        parts.insert(0, (left, letters[0]))
    if right is not None:
        parts.append((right, letters[len(matrices)]))
    output = letters[0] * (left is None) + letters[len(matrices)] * (right is None)
    turns = tuple(turned for _, turned in matrices)
    return product(parts, output, ("chain", left is not None, turns, right is not None))


def variables(formula: Formula) -> list[Formula]:
    """The variables in order of appearance."""
    found: dict[str, Formula] = {}
    seen: set[Formula] = set()
    stack = [formula]
    while stack:
        f = stack.pop()
        if f in seen:
            continue
        seen.add(f)
        if f.kind == "variable":
            found.setdefault(f.data, f)
        stack.extend(reversed(f.args))
    return list(found.values())


def free_counters(formula: Formula) -> frozenset[str]:
    """The integers that sums around the formula count with."""
    memo: dict[Formula, frozenset[str]] = {}

    def walk(f: Formula) -> frozenset[str]:
        if f not in memo:
            found = frozenset[str]().union(*(walk(a) for a in f.args))
            if f.kind == "counter":
                found |= {f.data}
            memo[f] = found - {f.data[0]} if f.kind == "range" else found
        return memo[f]

    return walk(formula)


def subformulas(formula: Formula) -> list[Formula]:
    """Every node once."""
    seen: dict[Formula, None] = {}
    stack = [formula]
    while stack:
        f = stack.pop()
        if f not in seen:
            seen[f] = None
            stack.extend(f.args)
    return list(seen)


def firm(f: Formula) -> bool:
    """Whether the sizes of all axes are told by variables alone."""
    if f.kind in ("eye", "constant"):
        return False
    if f.kind == "product":
        labels, output = f.data
        told = {a for g, own in zip(f.args, labels, strict=True) if firm(g) for a in own}
        return told >= set(output)
    if f.kind == "sum":
        return any(firm(g) for g in f.args if g.rank == f.rank)
    return all(firm(g) for g in f.args)


def settled(f: Formula, known: bool) -> list[bool]:
    """For each argument, whether its sizes are told by what stands around it."""
    if f.kind == "product":
        labels, output = f.data
        told = []
        for k, own in enumerate(labels):
            others = {a for j, g in enumerate(f.args) if j != k and firm(g) for a in labels[j]}
            told.append(set(own) <= (others | set(output if known else "")))
        return told
    if f.kind in ("sum", "max", "min", "where", "compare"):
        firms = [g.rank == f.rank and firm(g) for g in f.args]
        return [known or sum(firms) > own for own in firms]
    return [known and f.kind in ("unary", "negate", "power")] * len(f.args)


# ── printing ─────────────────────────────────────────────────────────────────────────────────

ARROW, COMPARISON, SUM, PRODUCT, SIGNED, POSTFIX, ATOM = range(7)
# kinds that only matrix notation writes; with subscripts they have entries
STRUCTURED = (
    "matrix power", "symbolic power", "function", "block", "kron", "vec", "commutation", "cross",
    "unknown",
)  # fmt: skip
INDICES = ["i", "j", "k", "l", "i1", "j1", "k1", "l1", *(f"i{n}" for n in range(2, 99))]


def reduced(f: Formula) -> tuple[str, tuple[int, ...]]:
    """The name of a reduction and its axes; nothing of another formula."""
    match f.kind:
        case "total":
            return "sum", f.data
        case "mean":
            return "mean", f.data
        case "reduce":
            name, axes = f.data
            return name, axes
    return "", ()


@dataclass(frozen=True)
class Text:
    """A printed part.

    `place` is how tightly it binds. `counts` are the occurrences of index names that a product
    around it sees, in order of appearance; `needs` the names that must be bound, because they
    repeat in an inner place; `names` all names that a product around it may not use otherwise.
    """

    text: str
    place: int = ATOM
    counts: Counter[str] = field(default_factory=Counter)
    needs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


def closed(part: Text) -> tuple[Counter[str], frozenset[str]]:
    """What is seen of a part that is a place of its own."""
    counts = Counter(dict.fromkeys(part.counts, 1))
    return counts, part.needs | {n for n, c in part.counts.items() if c > 1}


def merged(parts: Iterable[Text]) -> tuple[Counter[str], frozenset[str], frozenset[str]]:
    """What is seen of several places side by side."""
    counts: Counter[str] = Counter()
    needs: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    for part in parts:
        own, more = closed(part)
        counts.update({n: 1 for n in own if n not in counts})
        needs, names = needs | more, names | part.names
    return counts, needs, names


class Printer:
    """Writes formulas as program text.

    `notation` is matrix, index, einsum or mixed; with `define`, some parts become definitions.
    `size` writes a size as an expression, `measured` holds others such as ``rows(X)``.
    """

    def __init__(
        self,
        draw: Draw,
        notation: str,
        size: Callable[[str], str],
        *,
        define: bool = False,
        taken: Iterable[str] = (),
        measured: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.draw, self.notation, self.size, self.define = draw, notation, size, define
        self.measured = measured or {}
        self.lines: list[str] = []
        self.defined: dict[Formula, str] = {}
        self.taken = set(taken)
        self.used_whole: set[str] = set()

    # small choices

    def maybe(self, n: int) -> bool:
        """True once in n times; never if the notation is pure."""
        return self.notation == "mixed" and self.draw(n) == n - 1

    def style(self) -> str:
        if self.notation != "mixed":
            return self.notation
        return ("matrix", "index", "einsum")[self.draw(3)]

    def fit(self, part: Text, place: int) -> str:
        if part.place >= place and not self.maybe(12):
            return part.text
        return f"({part.text})"

    def fresh(self, avoid: frozenset[str], count: int) -> list[str]:
        free = [n for n in INDICES if n not in avoid and n not in self.taken]
        if self.maybe(8):
            free = free[2:]
        return free[:count]

    # definitions

    def hoisted(self, f: Formula) -> str | None:
        if f in self.defined:
            return self.defined[f]
        simple = f.kind in ("variable", "number", "constant", "eye", "pi", "size", "counter")
        if not self.define or simple or self.draw(5) != 4 or free_counters(f):
            return None
        name = self.name()
        target, text = self.definition(f, name)
        self.lines.append(f"{target} = {text}")
        self.defined[f] = name
        return name

    def name(self) -> str:
        name = next(f"{c}{k}" for k in range(99) for c in "rSgT" if f"{c}{k}" not in self.taken)
        self.taken.add(name)
        return name

    def definition(self, f: Formula, name: str) -> tuple[str, str]:
        """Left and right side of a definition."""
        if f.rank and self.style() == "index":
            axes = self.fresh(frozenset(), f.rank)
            return f"{name}[{','.join(axes)}]", self.entry(f, axes, frozenset(axes), top=True).text
        return name, self.whole(f, frozenset(), top=True).text

    def program(self, f: Formula) -> list[str]:
        """The lines of definitions and the value."""
        style = self.style()
        if self.define and self.draw(4) == 3:
            target, text = self.definition(f, "result")
            return [*self.lines, f"{target} = {text}", *["result"] * self.draw(2)]
        if style != "index":
            text = self.whole(f, frozenset(), style, top=True).text
            return [*self.lines, text]
        axes = self.fresh(frozenset(), f.rank)
        part = self.entry(f, axes, frozenset(axes), top=True)
        plain = list(part.counts) == axes and not part.needs & set(axes)
        plain = plain and all(part.counts[a] == 1 for a in axes)
        bare = not axes or (plain and (self.notation != "mixed" or self.draw(2)))
        return [*self.lines, part.text if bare else f"{part.text} -> [{', '.join(axes)}]"]

    # whole values: a vector stands as a column

    def whole(
        self,
        f: Formula,
        avoid: frozenset[str],
        style: str | None = None,
        *,
        top: bool = False,
        known: bool = False,
    ) -> Text:
        name = None if top else self.hoisted(f)
        if name:
            return Text(name)
        style = style or self.style()
        if style == "index" and f.kind not in ("variable", "eye", "constant"):
            if not f.rank:
                return self.entry(f, [], avoid, top=True)
            axes = self.fresh(avoid, f.rank)
            part = self.entry(f, axes, avoid | set(axes), top=True)
            return Text(f"{part.text} -> [{','.join(axes)}]", ARROW)
        match f.kind:
            case "variable":
                self.used_whole.add(f.data)
                return Text(f.data)
            case "number":
                return self.literal(f.data)
            case "pi":
                return Text("pi")
            case "counter":
                return Text(f.data)
            case "size":
                others = self.measured.get(f.data, ())
                if others and self.maybe(2):
                    return Text(others[self.draw(len(others))])
                size = self.size(f.data)
                return Text(size, SUM if "+" in size else PRODUCT if "*" in size else ATOM)
            case "constant":
                kind = ("vector", "matrix")[f.rank - 1]
                sizes = "".join(f", {self.size(d)}" for d in f.dims)
                sizes = "" if known and self.maybe(2) else sizes
                return Text(f"{kind}({self.literal(f.data).text}{sizes})")
            case "eye":
                return Text("eye" if known and self.maybe(2) else f"eye({self.size(f.dims[0])})")
            case "product":
                if style == "matrix" and f.form:
                    return self.matrix_product(f, avoid, known=known)
                return self.einsum(f, avoid)
            case "total" | "mean":
                return self.reduction(f, avoid, style)
            case "reduce" if len(f.data[1]) == f.args[0].rank or f.args[0].rank == 2:
                return self.reduction(f, avoid, "matrix")
            case "softmax" if f.rank <= 2:
                part = self.whole(f.args[0], avoid)
                axis = f", {f.data + 1}" * (f.rank == 2)
                return Text(f"softmax({part.text}{axis})", names=part.names)
            case "range":
                return self.counting(f, self.whole(f.args[2], avoid))
            case "series":
                return self.series(f, avoid)
            case _ if f.kind in STRUCTURED:
                part, stands_as_row = self.structured(f, avoid)
                return self.turned(part) if stands_as_row else part
            case "reduce" | "softmax" | "eps" | "pick" | "batch":
                axes = self.fresh(avoid, f.rank)
                part = self.entry(f, axes, avoid | set(axes), top=True)
                return Text(f"{part.text} -> [{','.join(axes)}]", ARROW) if axes else part
        args = [
            self.whole(a, avoid, known=k) for a, k in zip(f.args, settled(f, known), strict=True)
        ]
        return self.pointwise(f, args, entries=False)

    def row(self, f: Formula, avoid: frozenset[str]) -> Text:
        """A vector as a row."""
        if f not in self.defined and self.notation == "mixed":
            if f.kind == "sum" and all(a.rank for a in f.args) and self.draw(2):
                return self.sum(f, [self.row(a, avoid) for a in f.args])
            if f.kind == "unary" and f.data == "conj" and self.draw(2):
                part = self.whole(f.args[0], avoid)
                return Text(self.fit(part, POSTFIX) + "^H", POSTFIX, names=part.names)
            if f.kind in ("unary", "softmax") and self.draw(2):
                name = f.data if f.kind == "unary" else "softmax"
                return self.call(name, [self.row(f.args[0], avoid)])
            name, axes = reduced(f)
            if axes == (0,) and f.args[0].rank == 2:
                part = self.whole(f.args[0], avoid)
                return Text(f"{name}({part.text}, 1)", names=part.names)
        if f not in self.defined and f.kind in STRUCTURED:
            part, stands_as_row = self.structured(f, avoid)
            return part if stands_as_row else self.turned(part)
        return self.turned(self.whole(f, avoid))

    def turned(self, part: Text) -> Text:
        return Text(self.fit(part, POSTFIX) + "'", POSTFIX, names=part.names)

    def structured(self, f: Formula, avoid: frozenset[str]) -> tuple[Text, bool]:
        """What is written in matrix notation only, and whether it is a row as it stands."""
        match f.kind:
            case "matrix power":
                part = self.whole(f.args[0], avoid)
                return Text(f"{self.fit(part, ATOM)}^{f.data}", POSTFIX, names=part.names), False
            case "symbolic power":
                part = self.whole(f.args[0], avoid)
                exponent = self.whole(f.args[1], avoid, "matrix")
                shown = f"{self.fit(part, ATOM)}^{self.fit(exponent, ATOM)}"
                return Text(shown, POSTFIX, names=part.names), False
            case "function":
                if f.rank == 1 and self.maybe(2):  # pinv of a column is a row, of a row a column
                    return self.call(f.data, [self.row(f.args[0], avoid)]), False
                return self.call(f.data, [self.whole(f.args[0], avoid)]), f.rank == 1
            case "block":
                return self.block(f, avoid)
            case "kron":
                args = [
                    self.row(a, avoid) if rows is None and columns else self.whole(a, avoid)
                    for a, (rows, columns) in zip(f.args, f.data, strict=True)
                ]
                is_row = all(rows is None for rows, _ in f.data)
                return self.call("kron", args), is_row and f.rank == 1
            case "commutation":
                rows, columns = (self.size(d) for d in f.data)
                return Text(f"commutation({rows}, {columns})"), False
            case "unknown" if f.form == "of":
                return Text(f.data), False
            case "vec" | "cross" | "unknown":
                name = f.data if f.kind == "unknown" else f.kind
                return self.call(name, [self.whole(a, avoid) for a in f.args]), False
        raise AssertionError(f.kind)

    def block(self, f: Formula, avoid: frozenset[str]) -> tuple[Text, bool]:
        """``[A, x; y', 0]``: blocks of one column are columns, of one row rows."""
        heights, widths, filled = f.data
        args = iter(f.args)
        names = avoid
        lines = []
        for height, row in zip(heights, filled, strict=True):
            line = []
            for width, here in zip(widths, row, strict=True):
                if not here:
                    line.append("0")
                    continue
                arg = next(args)
                as_row = arg.rank == 1 and height == "1" and width != "1"
                part = self.row(arg, names) if as_row else self.whole(arg, names)
                names |= part.names
                line.append(self.fit(part, COMPARISON))
            lines.append(", ".join(line))
        is_row = f.rank == 1 and len(heights) == 1
        return Text(f"[{'; '.join(lines)}]", names=names - avoid), is_row

    def counting(self, f: Formula, body: Text) -> Text:
        """``sum[r=0..k-1](…)``, its body already written."""
        low, high = (self.whole(a, frozenset(), "matrix") for a in f.args[:2])
        name, how = f.data
        counts, needs = closed(body)
        shown = f"{how}[{name}={self.fit(low, SUM)}..{self.fit(high, SUM)}]({body.text})"
        return Text(shown, ATOM, counts, needs, body.names)

    def series(self, f: Formula, avoid: frozenset[str]) -> Text:
        """``sum[i=1..n-1](x[i]*y[i-1]*i)``: an integer that is a subscript."""
        offsets, start, back, weight = f.data
        (index,) = self.fresh(avoid, 1)
        factors, around = [], avoid | {index}
        for arg, offset in zip(f.args, offsets, strict=True):
            part = self.whole(arg, around, "matrix" if self.notation == "mixed" else None)
            around |= part.names
            place = index + (f"{'+' if offset > 0 else '-'}{abs(offset)}" if offset else "")
            factors.append(self.at(part, [place]).text)
        factors += [index] * (weight == 1) + [f"{index}^{weight}"] * (weight > 1)
        size = self.size(f.args[0].dims[0])
        shown = f"sum[{index}={start}..{size}-{1 + back}]({'*'.join(factors)})"
        return Text(shown, ATOM, names=around - avoid)

    def matrix_product(self, f: Formula, avoid: frozenset[str], *, known: bool) -> Text:
        """A product in matrix notation, by its `form`."""
        args = f.args
        sure = dict(zip(args, settled(f, known), strict=True))
        match f.form:
            case "scale":
                order = (
                    list(args)
                    if self.notation != "mixed" or self.draw(2) == 0
                    else list(args[::-1])
                )
                return self.join([(a, False) for a in order], avoid, sure)
            case "chain", left, turns, right:
                flags = [*([True] if left else []), *turns, *([False] if right else [])]
                part = self.join(list(zip(args, flags, strict=True)), avoid, sure)
                if left and not right:
                    return Text(self.fit(part, POSTFIX) + "'", POSTFIX, names=part.names)
                return part
            case "trace", *turns:
                part = self.join(list(zip(args, turns, strict=True)), avoid, sure)
                return self.call("tr", [part])
            case "entrywise":
                return self.join([(a, False) for a in args], avoid, sure, ".")
            case "outer":
                if self.maybe(2):
                    return self.call("outer", [self.whole(a, avoid) for a in args])
                return self.join([(args[0], False), (args[1], True)], avoid, sure)
            case "transpose":
                if args[0].kind == "unary" and args[0].data == "conj" and self.maybe(2):
                    part = self.whole(args[0].args[0], avoid)
                    return Text(self.fit(part, POSTFIX) + "^H", POSTFIX, names=part.names)
                return self.turned(self.whole(args[0], avoid))
            case "diag":
                return self.call("diag", [self.whole(args[0], avoid)])
            case "rows":
                first = self.call("diag", [self.whole(args[0], avoid)])
                second = self.whole(args[1], avoid | first.names)
                return self.joined([("*", first), ("*", second)])
            case "columns":
                second = self.call("diag", [self.whole(args[0], avoid)])
                first = self.whole(args[1], avoid | second.names)
                return self.joined([("*", first), ("*", second)])
        raise AssertionError(f.form)

    def join(
        self,
        factors: Sequence[tuple[Formula, bool]],
        avoid: frozenset[str],
        sure: Mapping[Formula, bool],
        dot: str = "",
    ) -> Text:
        """``a*b'/c``: a flag asks for the transpose."""
        parts = []
        for k, (f, turned) in enumerate(factors):
            operator = "*"
            if (
                k
                and f.kind == "power"
                and f.data == -1
                and (dot or not f.rank)
                and f not in self.defined
            ):
                operator, f = "/", f.args[0]
            if turned and f.rank == 1:
                part = self.row(f, avoid)
            else:
                part = self.whole(f, avoid, known=sure.get(f, False))
                if turned:
                    part = Text(self.fit(part, POSTFIX) + "'", POSTFIX, names=part.names)
            avoid |= part.names
            entrywise = dot if f.rank or self.maybe(2) else ""
            parts.append((entrywise + operator, part))
        return self.joined(parts)

    def joined(self, parts: Sequence[tuple[str, Text]]) -> Text:
        shown = self.fit(parts[0][1], PRODUCT)
        for operator, part in parts[1:]:
            if operator == "*" and self.maybe(6):
                operator = "@"
            space = " " if self.maybe(5) else ""
            shown += space + operator + space + self.fit(part, SIGNED)
        return Text(shown, PRODUCT, names=frozenset().union(*(p.names for _, p in parts)))

    def einsum(self, f: Formula, avoid: frozenset[str]) -> Text:
        labels, output = f.data
        table = dict(zip(sorted({*output, *"".join(labels)}), "ijklmnopq", strict=False))
        spelled = [",".join("".join(table[a] for a in own) for own in labels)]
        spelled.append("".join(table[a] for a in output))
        args = [self.whole(a, avoid) for a in f.args]
        equation = "->".join(spelled)
        texts = ", ".join([f'"{equation}"', *(a.text for a in args)])
        return Text(f"einsum({texts})", names=frozenset().union(*(a.names for a in args)))

    def reduction(self, f: Formula, avoid: frozenset[str], style: str) -> Text:
        (inner,) = f.args
        letters = "ijklmn"[: inner.rank]
        name, axes = reduced(f)
        kept = "".join(a for k, a in enumerate(letters) if k not in axes)
        part = self.whole(inner, avoid)
        extents = [self.size(inner.dims[k]) for k in axes]
        count = "*".join(f"({extent})" if "+" in extent else extent for extent in extents)
        if len(axes) == inner.rank and (style == "matrix" or f.kind == "mean"):
            return self.call(name, [part])
        if style == "matrix" and inner.rank == 2:
            shown = f"{name}({part.text}, {axes[0] + 1})"
            return Text(shown + "'" * (axes[0] == 0), POSTFIX, names=part.names)
        shown = f'einsum("{letters}->{kept}", {part.text})'
        if f.kind == "total":
            return Text(shown, names=part.names)
        return Text(f"{shown}/({count})", PRODUCT, names=part.names)

    def call(self, name: str, args: Sequence[Text]) -> Text:
        counts, needs, names = merged(args)
        return Text(f"{name}({', '.join(a.text for a in args)})", ATOM, counts, needs, names)

    def literal(self, x: Fraction) -> Text:
        if x < 0:
            return Text("-" + self.literal(-x).text, SIGNED if x.denominator == 1 else PRODUCT)
        if x.denominator == 1:
            return Text(str(x.numerator))
        decimal = float(x)
        if Fraction(str(decimal)) != x or self.maybe(3):
            return Text(f"{x.numerator}/{x.denominator}", PRODUCT)
        if self.maybe(4):
            return Text(
                f"{decimal * 10!r}e-1" if Fraction(str(decimal * 10)) == 10 * x else str(decimal)
            )
        return Text(str(decimal).removeprefix("0") if self.maybe(3) else str(decimal))

    # entries

    def entry(
        self,
        f: Formula,
        axes: Sequence[str],
        avoid: frozenset[str],
        *,
        top: bool = False,
        known: bool = False,
    ) -> Text:
        """The entry of `f` at `axes`; `avoid` are the index names that stand around it."""
        name = None if top else self.hoisted(f)
        if name:
            return self.at(Text(name), axes)
        if f.rank and not top and self.maybe(6):
            return self.at(self.whole(f, avoid, top=True), axes)
        match f.kind:
            case "variable":
                return self.at(Text(f.data), axes)
            case "number" | "pi" | "size" | "counter" | "series":
                return self.whole(f, avoid, "matrix", top=True)
            case "constant":
                return self.at(self.whole(f, avoid, "matrix", top=True, known=known), axes)
            case "eye":
                if known and (self.notation != "mixed" or self.draw(2)):
                    return self.at(Text("delta"), axes)
                return self.at(self.whole(f, avoid, "matrix", top=True, known=known), axes)
            case "product":
                return self.product(f, axes, avoid, known=known)
            case "total" | "mean" | "reduce":
                return self.sum_over(f, axes, avoid)
            case "softmax" if len(set(axes)) < len(axes):  # a diagonal of it, not along one
                free = self.fresh(avoid | set(axes), f.rank)
                part = self.entry(f, free, avoid | set(axes) | set(free))
                return self.at(Text(f"({part.text} -> [{','.join(free)}])", names=part.names), axes)
            case "softmax":
                part = self.entry(f.args[0], axes, avoid)
                counts, needs = closed(part)
                along = axes[f.data]
                shown = f"softmax[{along}]({part.text})"
                return Text(shown, ATOM, counts, needs - {along}, part.names)
            case "range":
                return self.counting(f, self.entry(f.args[2], axes, avoid))
            case "eps":
                return self.at(Text("eps"), axes)
            case _ if f.kind in STRUCTURED:
                part, _ = self.structured(f, avoid)
                return self.at(part, axes)
            case "pick":
                base = self.whole(f.args[0], avoid, "matrix" if self.notation == "mixed" else None)
                names = iter(axes)
                return self.at(base, [next(names) if p is None else str(p) for p in f.data])
            case "batch":
                return self.batch(f, axes, avoid)
        sure = settled(f, known)
        args = [
            self.entry(a, axes if a.rank else [], avoid, known=k)
            for a, k in zip(f.args, sure, strict=True)
        ]
        return self.pointwise(f, args, entries=True)

    def at(self, part: Text, subscripts: Sequence[str]) -> Text:
        if not subscripts:
            return part
        counts = Counter(s for s in subscripts if not s.isdigit())
        shown = f"{self.fit(part, ATOM)}[{','.join(subscripts)}]"
        return Text(shown, ATOM, counts, part.needs, part.names)

    def product(
        self, f: Formula, axes: Sequence[str], avoid: frozenset[str], *, known: bool
    ) -> Text:
        labels, output = f.data
        table = dict(zip(output, axes, strict=True))
        inner = [a for a in dict.fromkeys("".join(labels)) if a not in table]
        table.update(zip(inner, self.fresh(avoid | set(axes), len(inner)), strict=True))
        summed = [table[a] for a in inner]
        around = avoid | set(axes) | set(summed)
        order = list(zip(f.args, labels, settled(f, known), strict=True))
        if self.maybe(3):
            order.reverse()
        counts: Counter[str] = Counter()
        needs: frozenset[str] = frozenset()
        shown, names = "", frozenset(summed)
        for arg, own, sure in order:
            place = [table[a] for a in own]
            divides = arg.kind == "power" and arg.data == -1 and arg not in self.defined
            divides = divides and self.notation == "mixed" and self.draw(2) == 1
            part = self.entry(arg.args[0] if divides else arg, place, around, known=sure)
            around |= part.names
            names |= part.names
            seen, more = closed(part) if divides else (part.counts, part.needs)
            for n, c in seen.items():
                counts[n] += c
            needs |= more
            if divides:
                shown = (shown or "1") + "/" + self.fit(part, SIGNED)
            else:
                shown += "*" * bool(shown) + self.fit(part, SIGNED if shown else PRODUCT)
        explicit = [n for n in summed if counts[n] < 2 or n in needs or self.maybe(4)]
        result = Text(
            shown, PRODUCT if len(order) > 1 or "/" in shown else SIGNED, counts, needs, names
        )
        counts = Counter({n: c for n, c in counts.items() if n not in summed})
        if not explicit:
            return Text(result.text, result.place, counts, needs, names)
        counts, needs = closed(Text("", counts=counts, needs=needs))
        text = f"sum[{','.join(explicit)}]({shown})"
        return Text(text, ATOM, counts, needs - set(summed), names - set(explicit))

    def sum_over(self, f: Formula, axes: Sequence[str], avoid: frozenset[str]) -> Text:
        (inner,) = f.args
        word, over = reduced(f)
        new = self.fresh(avoid | set(axes), len(over))
        kept, gone = iter(axes), iter(new)
        place = [next(gone) if k in over else next(kept) for k in range(inner.rank)]
        part = self.entry(inner, place, avoid | set(place))
        counts, needs = closed(part)
        for name in new:
            del counts[name]
        return Text(
            f"{word}[{','.join(new)}]({part.text})", ATOM, counts, needs - set(new), part.names
        )

    def batch(self, f: Formula, axes: Sequence[str], avoid: frozenset[str]) -> Text:
        x, a, b = f.args
        first = self.entry(x, axes[:1], avoid)
        second = self.whole(a, avoid | first.names)
        third = self.whole(b, avoid)
        names = first.names | second.names | third.names
        shown = (
            f"{self.fit(first, PRODUCT)}*{self.fit(second, SIGNED)} + {self.fit(third, PRODUCT)}"
        )
        counts, needs = closed(first)
        part = self.at(Text(f"{f.data}({shown})"), axes[1:])
        return Text(part.text, ATOM, counts + part.counts, needs, names)

    # what is the same for whole values and entries

    def pointwise(self, f: Formula, args: Sequence[Text], *, entries: bool) -> Text:
        counts, needs, names = merged(args)
        dot = "" if entries or not f.rank else "."
        match f.kind:
            case "sum":
                return self.sum(f, args)
            case "negate":
                (part,) = args
                if part.place < PRODUCT or self.maybe(3):
                    part = Text(f"({part.text})", ATOM, part.counts, part.needs, part.names)
                place = min(part.place, SIGNED)
                return Text("-" + part.text, place, part.counts, part.needs, part.names)
            case "compare":
                left, right = (self.fit(a, SUM) for a in args)
                return Text(f"{left} {f.data} {right}", COMPARISON, counts, needs, names)
            case "power":
                (part,) = args
                if f.data == Fraction(1, 2) and not self.maybe(3):
                    return self.call("sqrt", args)
                exponent = self.fit(self.literal(f.data), SIGNED if f.data < 0 else ATOM)
                operator = "." * (bool(dot) or self.maybe(6)) + "^"
                return Text(
                    self.fit(part, ATOM) + operator + exponent, POSTFIX, counts, needs, names
                )
            case "pow":
                operator = (dot or "." * self.maybe(6)) + "^"
                left, right = (self.fit(a, ATOM) for a in args)
                return Text(left + operator + right, POSTFIX, counts, needs, names)
        return self.call(f.data if f.kind in ("unary", "unknown map") else f.kind, args)

    def sum(self, f: Formula, args: Sequence[Text]) -> Text:
        counts, needs, names = merged(args)
        shown = ""
        for sign, part in zip(f.data, args, strict=True):
            operator = (" + " if sign > 0 else " - ") if shown else ("" if sign > 0 else "-")
            shown += operator + self.fit(part, PRODUCT)
        return Text(shown, SUM, counts, needs, names)
