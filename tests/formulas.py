"""Formulas for property tests: a small typed tree, its value by NumPy, its text in three notations.

Nothing here comes from tensorcalc, so that a mistake there cannot hide here. A `Formula` has an
explicit size name for every axis; vectors have one axis. `value` computes it with plain NumPy.
A `Printer` writes it in matrix notation, index notation, einsum strings, or a random mixture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from scipy import special

Array = np.ndarray[Any, np.dtype[Any]]
Draw = Callable[[int], int]  # a number below n; 0 is the simplest choice

UNARY: dict[str, Callable[[Array], Array]] = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt,
    "abs": np.abs, "sign": np.sign, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan, "sinh": np.sinh,
    "cosh": np.cosh, "tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)), "relu": lambda x: x * (x > 0),
    "erf": special.erf, "lgamma": special.loggamma, "digamma": special.psi,
}  # fmt: skip
COMPARE: dict[str, Callable[[Array, Array], Array]] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip
MATRIX: dict[str, Callable[[Array], Array]] = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "logdet": lambda x: np.log(np.linalg.det(x)),
    "norm1": lambda x: np.sum(np.abs(x)),
    "norm2": lambda x: np.sqrt(np.sum(x**2)),
    "normF": lambda x: np.sqrt(np.sum(x**2)),
}


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


def value(formula: Formula, data: Mapping[str, Any], sizes: Mapping[str, int]) -> Array:
    """The value by NumPy; `data` holds the variables, `sizes` the number of every size."""
    memo: dict[Formula, Array] = {}

    def walk(f: Formula) -> Array:
        if f not in memo:
            memo[f] = np.asarray(_value(f, [walk(a) for a in f.args], data, sizes))
        return memo[f]

    return walk(formula)


def _value(f: Formula, args: list[Array], data: Mapping[str, Any], sizes: Mapping[str, int]) -> Any:
    shape = tuple(sizes[d] for d in f.dims)
    match f.kind:
        case "variable":
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
            return np.maximum(*args)
        case "min":
            return np.minimum(*args)
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
        case "function":
            return MATRIX[f.data](args[0])
        case "total":
            return np.sum(args[0], axis=f.data)
        case "mean":
            return np.mean(args[0], axis=f.data)
        case "pick":
            return args[0][tuple(slice(None) if p is None else p for p in f.data)]
        case "batch":
            stack = [MATRIX[f.data](x * args[1] + args[2]) for x in args[0]]
            return np.array(stack)
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
INDICES = ["i", "j", "k", "l", "i1", "j1", "k1", "l1", *(f"i{n}" for n in range(2, 99))]


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
    `size` writes a size as an expression, `extent` where a size is expected.
    """

    def __init__(
        self,
        draw: Draw,
        notation: str,
        size: Callable[[str], str],
        *,
        define: bool = False,
        taken: Iterable[str] = (),
    ) -> None:
        self.draw, self.notation, self.size, self.define = draw, notation, size, define
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
        simple = f.kind in ("variable", "number", "constant", "eye", "pi", "size")
        if not self.define or simple or self.draw(5) != 4:
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
            case "size":
                return Text(self.size(f.data), PRODUCT if "*" in self.size(f.data) else ATOM)
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
            case "matrix power":
                (base,) = f.args
                part = self.whole(base, avoid)
                return Text(f"{self.fit(part, ATOM)}^{f.data}", POSTFIX, names=part.names)
            case "function":
                return self.call(f.data, [self.whole(f.args[0], avoid)])
            case "pick" | "batch":
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
            if f.kind == "unary" and self.draw(2):
                return self.call(f.data, [self.row(f.args[0], avoid)])
            if f.kind in ("total", "mean") and f.data == (0,) and f.args[0].rank == 2:
                name = "sum" if f.kind == "total" else "mean"
                part = self.whole(f.args[0], avoid)
                return Text(f"{name}({part.text}, 1)", names=part.names)
        part = self.whole(f, avoid)
        return Text(self.fit(part, POSTFIX) + "'", POSTFIX, names=part.names)

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
                part = self.whole(args[0], avoid)
                return Text(self.fit(part, POSTFIX) + "'", POSTFIX, names=part.names)
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
        kept = "".join(a for k, a in enumerate(letters) if k not in f.data)
        part = self.whole(inner, avoid)
        count = "*".join(self.size(inner.dims[k]) for k in f.data)
        name = "sum" if f.kind == "total" else "mean"
        if len(f.data) == inner.rank and (style == "matrix" or f.kind == "mean"):
            return self.call(name, [part])
        if style == "matrix" and inner.rank == 2:
            shown = f"{name}({part.text}, {f.data[0] + 1})"
            return Text(shown + "'" * (f.data[0] == 0), POSTFIX, names=part.names)
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
            case "number" | "pi" | "size":
                return self.whole(f, avoid, "matrix", top=True)
            case "constant":
                return self.at(self.whole(f, avoid, "matrix", top=True, known=known), axes)
            case "eye":
                if known and (self.notation != "mixed" or self.draw(2)):
                    return self.at(Text("delta"), axes)
                return self.at(self.whole(f, avoid, "matrix", top=True, known=known), axes)
            case "product":
                return self.product(f, axes, avoid, known=known)
            case "total" | "mean":
                return self.sum_over(f, axes, avoid)
            case "matrix power":
                part = self.whole(f.args[0], avoid)
                shown = f"{self.fit(part, ATOM)}^{f.data}"
                return self.at(Text(f"({shown})", names=part.names), axes)
            case "function":
                return self.at(self.call(f.data, [self.whole(f.args[0], avoid)]), axes)
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
        new = self.fresh(avoid | set(axes), len(f.data))
        kept, gone = iter(axes), iter(new)
        place = [next(gone) if k in f.data else next(kept) for k in range(inner.rank)]
        part = self.entry(inner, place, avoid | set(place))
        counts, needs = closed(part)
        for name in new:
            del counts[name]
        word = "sum" if f.kind == "total" else "mean"
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
        return self.call(f.data if f.kind == "unary" else f.kind, args)

    def sum(self, f: Formula, args: Sequence[Text]) -> Text:
        counts, needs, names = merged(args)
        shown = ""
        for sign, part in zip(f.data, args, strict=True):
            operator = (" + " if sign > 0 else " - ") if shown else ("" if sign > 0 else "-")
            shown += operator + self.fit(part, PRODUCT)
        return Text(shown, SUM, counts, needs, names)
