"""Random programs with their values, each from a seed.

Seeds rather than hypothesis: a program takes a hundred choices, and of 300 examples that hypothesis
made of them more than half were repetitions. The parts of a failing tree are the small examples.

A program is grown from its leaves with data at hand, so that every function gets arguments inside
its domain, away from kinks, and every inverse a well-conditioned matrix: derivatives can then be
compared with differences.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from formulas import (
    Array,
    Draw,
    Formula,
    Printer,
    added,
    chain,
    number,
    power,
    product,
    scaled,
    subformulas,
    unary,
    value,
    variables,
)

T = TypeVar("T")

NAMES = {
    0: ["a", "b", "c", "d", "g", "lambda", "sigma", "alpha2"],
    1: ["x", "y", "z", "w", "u", "v", "h", "weights"],
    2: ["A", "B", "C", "X", "M", "W", "Sigma", "K"],
    3: ["P3", "Q3", "core", "tens"],
    4: ["P4", "Q4", "four"],
}
SIZES = ("m", "n", "p", "q")
SMOOTH = "exp sin cos tanh sigmoid softplus arctan erf sinh cosh expm1".split()
KINKED = "abs sign relu".split()
# arguments are kept inside these, away from the ends
DOMAINS = {
    "log": (0.25, 30.0), "log1p": (-0.7, 30.0), "sqrt": (0.25, 60.0), "tan": (-1.2, 1.2),
    "arcsin": (-0.85, 0.85), "arccos": (-0.85, 0.85), "lgamma": (0.4, 20.0), "digamma": (0.5, 20.0),
}  # fmt: skip
KINDS = ("symmetric", "spd", "diagonal", "skew", "lower", "upper", "orthogonal")
LARGEST = 30.0
KINK = 0.08
NUMBERS = [
    Fraction(x) for x in ("2", "1/2", "3", "1", "1/4", "3/2", "1/3", "-1", "-2", "0.1", "-3/7")
]


@dataclass
class Problem:
    """A formula with data for its variables, and how they are declared."""

    formula: Formula
    data: dict[str, Array]
    sizes: dict[str, int]
    shown: dict[str, str]  # a size as a declaration writes it
    properties: dict[str, str]
    seed: int
    extra: list[Formula] = field(default_factory=list)  # declared, but not in the formula

    @property
    def variables(self) -> list[Formula]:
        """The variables of the formula, in order of appearance."""
        return variables(self.formula)

    def expected(self, data: Mapping[str, Any] | None = None) -> Array:
        """The value by NumPy alone."""
        return value(self.formula, self.data if data is None else data, self.sizes)

    def declaration(self, variable: Formula) -> str:
        """What follows the colon in the declaration of a variable."""
        words = self.properties.get(variable.data, "").split()
        dims = [self.shown[d] for d in variable.dims]
        if words and words[0] in KINDS:
            return f"{words[0]}({dims[0]})"
        kind = ("scalar", "vector", "matrix", "tensor", "tensor")[variable.rank]
        return " ".join([kind + (f"({', '.join(dims)})" if dims else ""), *words])

    def declarations(self) -> dict[str, str]:
        """All declarations by name."""
        return {v.data: self.declaration(v) for v in [*self.variables, *self.extra]}

    def size(self, dim: str) -> str:
        """A size as an expression."""
        return self.shown[dim]

    def text(self, draw: Draw, notation: str = "mixed", *, define: bool = False) -> str:
        """The program with its declarations."""
        printer = self.printer(draw, notation, define=define)
        lines = printer.program(self.formula)
        head = [f"{name} : {kind}" for name, kind in self.declarations().items()]
        mixed = notation == "mixed"
        if mixed and draw(3) == 2:
            head = self.grouped()
        elif mixed and not self.properties and draw(3) == 2:
            head = self.without_defaults(printer, head)
        return ("; " if mixed and draw(4) == 3 else "\n").join([*head, *lines])

    def printer(self, draw: Draw, notation: str, *, define: bool = False) -> Printer:
        """A printer that avoids all names of the problem."""
        taken = [*self.data, *self.shown.values(), *self.sizes, "result"]
        return Printer(draw, notation, self.size, define=define, taken=taken)

    def grouped(self) -> list[str]:
        """Declarations with names of one kind on one line."""
        by_kind: dict[str, list[str]] = {}
        for name, kind in self.declarations().items():
            by_kind.setdefault(kind, []).append(name)
        return [f"{', '.join(names)} : {kind}" for kind, names in by_kind.items()]

    def without_defaults(self, printer: Printer, head: Sequence[str]) -> list[str]:
        """Declarations without those that the names or the subscripts say already."""
        kept, told = [], set()
        for v, line in zip([*self.variables, *self.extra], head, strict=True):
            fits = v.rank < 3 and v.data in NAMES[v.rank]
            if v in self.extra or not (fits or (v.rank and v.data not in printer.used_whole)):
                kept.append(line)
                told |= set(v.dims)
        needed = {d for v in self.variables for d in v.dims} - told
        if any(self.shown[d] not in "0123456789" for d in needed) and any(
            f.kind in ("size", "mean", "constant", "eye") for f in subformulas(self.formula)
        ):
            return list(head)
        return kept


class Grower:
    """Grows a formula of wanted axes; all its choices come from `draw`."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.seed = draw(1000)
        self.rng = np.random.default_rng(self.seed)
        extents = [[2, 3, 4, 2], [3, 2, 4, 5], [4, 3, 2, 1], [2, 2, 3, 3], [1, 3, 2, 2]][draw(5)]
        self.sizes = dict(zip(SIZES, extents, strict=True))
        self.shown = {d: d for d in SIZES}
        way = draw(4)
        if way == 2:
            self.shown = {d: str(n) for d, n in self.sizes.items()}
        elif way == 3:
            self.shown["m"] = str(self.sizes["m"])
            self.sizes["q"] = self.sizes["m"] * self.sizes["n"]
            self.shown["q"] = f"{self.shown['m']}*n"
        self.data: dict[str, Array] = {}
        self.properties: dict[str, str] = {}
        self.made: dict[tuple[str, ...], list[Formula]] = {}
        self.known: dict[tuple[str, ...], list[Formula]] = {}
        self.budget = 2 + draw(14)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.draw(len(options))]

    def values(self, f: Formula) -> Array:
        return value(f, self.data, self.sizes)

    # leaves

    def variable(self, dims: tuple[str, ...], *, positive: bool = False) -> Formula:
        known = self.made.setdefault(dims, [])
        if known and self.draw(3) and not positive:
            return self.pick(known)
        free = [n for n in NAMES[len(dims)] if n not in self.data]
        if not free:
            return self.pick(known) if known else self.constant(dims)
        f = Formula("variable", dims, (), free[0])
        shape = tuple(self.sizes[d] for d in dims)
        data = self.rng.uniform(0.3, 1.5, shape)
        way = self.draw(4)
        if positive or way == 3:
            if self.draw(2):
                self.properties[f.data] = self.pick(["positive", "nonnegative"])
        elif len(dims) == 2 and dims[0] == dims[1]:
            data = self.square(f.data, shape[0])
        else:
            data = data * self.rng.choice([-1.0, 1.0], shape)
        self.data[f.data] = np.array(data)
        known.append(f)
        return f

    def fresh(self, dims: tuple[str, ...]) -> Formula:
        """A new variable."""
        self.made.pop(dims, None)
        return self.variable(dims)

    def square(self, name: str, n: int) -> Array:
        noise = self.rng.normal(size=(n, n))
        symmetric = (noise + noise.T) / 2
        match self.draw(10):
            case 2:
                self.properties[name] = "symmetric"
                return symmetric
            case 3 | 4:
                self.properties[name] = "spd"
                return noise @ noise.T / n + 0.7 * np.eye(n)
            case 5:
                self.properties[name] = "diagonal"
                return np.diag(self.rng.uniform(0.5, 1.5, n))
            case 6:
                self.properties[name] = "skew"
                return noise - noise.T
            case 7:
                self.properties[name] = self.pick(["lower", "upper"])
                noise = noise * 0.4 + np.eye(n)
                return np.tril(noise) if self.properties[name] == "lower" else np.triu(noise)
            case 8:
                self.properties[name] = "orthogonal"
                return np.linalg.qr(noise)[0]
        return noise if self.draw(2) else 0.3 * noise + np.eye(n)

    def constant(self, dims: tuple[str, ...]) -> Formula:
        if not dims:
            return self.pick(
                [
                    number(self.pick(NUMBERS)),
                    Formula("pi"),
                    Formula("size", data=self.pick(self.live())),
                ]
            )
        if len(dims) == 1 or (len(dims) == 2 and (dims[0] != dims[1] or self.draw(2))):
            return Formula("constant", dims, (), self.pick(NUMBERS))
        if len(dims) == 2:
            return Formula("eye", dims)
        return self.outer(dims, [self.constant(dims[:1]), self.constant(dims[1:])])

    def outer(self, dims: tuple[str, ...], parts: Sequence[Formula]) -> Formula:
        letters, labels, at = "abcdefgh"[: len(dims)], [], 0
        for part in parts:
            labels.append((part, letters[at : at + part.rank]))
            at += part.rank
        return product(labels, letters)

    def live(self) -> list[str]:
        """Sizes that some variable has."""
        dims = [d for known, fs in self.made.items() if fs for d in known]
        if not dims:
            self.variable((self.dim(),))
            return self.live()
        return list(dict.fromkeys(dims))

    def dim(self) -> str:
        return self.pick(SIZES[:3]) if self.draw(8) else "q"

    # growth

    def grow(self, dims: tuple[str, ...], depth: int) -> Formula:
        """A formula with these axes, its value bounded."""
        if depth > 0 and self.known.get(dims) and self.draw(8) == 7:
            return self.pick(self.known[dims])
        self.budget -= 1
        if depth <= 0 or self.budget < 0:
            return self.variable(dims) if self.draw(8) else self.constant(dims)
        options = [self.sum, self.map, self.map, self.entrywise, self.scale, self.contraction]
        options += [
            [self.inner, self.total, self.function, self.trace, self.inner, self.pick_entry],
            [self.times, self.total, self.diagonal, self.pick_entry, self.batch, self.times],
            [self.times, self.outer_product, self.transpose, self.matrix, self.diag, self.times],
            [self.contraction, self.contraction, self.batch],
            [self.contraction, self.contraction],
        ][len(dims)]
        f = self.pick(options)(dims, depth - 1)
        f = self.bounded(f)
        self.known.setdefault(dims, []).append(f)
        return f

    def bounded(self, f: Formula) -> Formula:
        size = np.max(np.abs(self.values(f)), initial=0.0)
        if not np.isfinite(size):
            raise ArithmeticError(f"{f} is not finite")
        if size <= LARGEST:
            return f
        return scaled(number(Fraction(1, 2 ** int(np.ceil(np.log2(size / 8))))), f)

    def sum(self, dims: tuple[str, ...], depth: int) -> Formula:
        terms = [self.grow(dims, depth)]
        for _ in range(1 + self.draw(3)):
            scalar = self.draw(5) == 4
            terms.append(self.grow((), depth - 1) if scalar else self.grow(dims, depth - 1))
        if self.draw(2):
            terms.reverse()
        return added(*terms, signs=[self.pick([1, -1]) for _ in terms])

    def map(self, dims: tuple[str, ...], depth: int) -> Formula:
        match self.draw(9):
            case 0 | 1:
                return unary(self.pick(SMOOTH), self.inside(self.grow(dims, depth), -2.5, 2.5))
            case 2 | 3:
                name = self.pick(list(DOMAINS))
                return unary(name, self.inside(self.grow(dims, depth), *DOMAINS[name]))
            case 4:
                return unary(self.pick(KINKED), self.off_kink(self.grow(dims, depth)))
            case 5:
                return self.powered(dims, depth)
            case 6:
                left, right = self.compared(dims, depth)
                return Formula(
                    self.pick(["max", "min"]), left.dims if left.rank else right.dims, (left, right)
                )
            case 7:
                left, right = self.compared(dims, depth)
                kept = max(left.dims, right.dims, key=len)
                test = Formula("compare", kept, (left, right), self.pick(["<", ">", "<=", ">="]))
                if self.draw(4) == 3:
                    return test
                branches = [
                    self.grow(dims, depth - 1),
                    self.grow(dims if self.draw(3) else (), depth - 1),
                ]
                return Formula("where", dims, (test, *branches))
        return Formula("negate", dims, (self.grow(dims, depth),))

    def inside(self, f: Formula, low: float, high: float) -> Formula:
        """`f`, or `f` made to stay inside an interval."""
        found = self.values(f)
        if found.size and low + 0.05 <= np.min(found) and np.max(found) <= high - 0.05:
            return f
        if low < 0:
            limit = min(-low, high) - 0.1
            bounded = unary(self.pick(["tanh", "sin"]), f)
            return scaled(number(Fraction(int(limit * 20), 20)), bounded)
        match self.draw(4):
            case 0:
                return self.bounded(added(self.bounded(power(f, 2)), number(1)))
            case 1:
                return added(unary("sigmoid", f), number(Fraction(1, 2)))
            case 2:
                return unary("exp", scaled(number(Fraction(1, 2)), unary("tanh", f)))
        return added(unary("cos", f), number(2))

    def off_kink(self, f: Formula) -> Formula:
        """`f` plus a number that keeps it away from 0."""
        found = self.values(f)
        shifts = [Fraction(k, 8) for k in (0, 1, -1, 2, -2, 3, -3, 5, -5, 9, -9)]
        for shift in shifts:
            if np.all(np.abs(found + float(shift)) > KINK):
                return added(f, number(shift)) if shift else f
        return added(unary("tanh", f), number(self.pick([Fraction(5, 4), Fraction(-5, 4)])))

    def compared(self, dims: tuple[str, ...], depth: int) -> tuple[Formula, Formula]:
        left = self.grow(dims, depth)
        right = self.grow(dims if self.draw(2) else (), depth - 1)
        for f in (
            right,
            added(right, number(Fraction(1, 4))),
            added(right, number(Fraction(-1, 3))),
        ):
            if np.all(np.abs(self.values(left) - self.values(f)) > KINK):
                return (left, f) if self.draw(2) else (f, left)
        return left, added(unary("tanh", right), number(Fraction(64)))

    def powered(self, dims: tuple[str, ...], depth: int) -> Formula:
        match self.draw(4):
            case 0:
                return power(
                    self.inside(self.grow(dims, depth), -2.5, 2.5), self.pick([2, 3, 4, 5])
                )
            case 1:
                return power(self.off_zero(self.grow(dims, depth)), self.pick([-1, -2, -3]))
            case 2:
                exponents = [Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2), Fraction("0.3")]
                return power(self.inside(self.grow(dims, depth), 0.3, 5.0), self.pick(exponents))
        base = self.inside(self.grow(dims, depth), 0.3, 5.0)
        exponent = self.inside(self.grow(dims if self.draw(2) else (), depth - 1), -2.5, 2.5)
        return Formula("pow", dims, (base, exponent))

    def off_zero(self, f: Formula) -> Formula:
        if np.all(np.abs(self.values(f)) > 0.4):
            return f
        return self.inside(f, 0.4, 6.0)

    def entrywise(self, dims: tuple[str, ...], depth: int) -> Formula:
        letters = "abcdefgh"[: len(dims)]
        parts = [(self.grow(dims, depth), letters)]
        for _ in range(1 + self.draw(2)):
            if self.draw(3) == 2:
                parts.append((power(self.off_zero(self.grow(dims, depth - 1)), -1), letters))
            elif self.draw(3) == 2:
                parts.append((self.grow((), depth - 1), ""))
            else:
                parts.append((self.grow(dims, depth - 1), letters))
        return product(parts, letters, "entrywise")

    def scale(self, dims: tuple[str, ...], depth: int) -> Formula:
        scalar = self.grow((), depth - 1)
        if self.draw(2):
            scalar = power(self.off_zero(scalar), -1)
        return scaled(scalar, self.grow(dims, depth))

    def contraction(self, dims: tuple[str, ...], depth: int) -> Formula:
        """Any einsum: repeated letters, letters of many operands, letters of one alone."""
        output = "abcdefgh"[: len(dims)]
        sizes = dict(zip(output, dims, strict=True))
        summed = "stu"[: self.draw(4) if len(dims) < 3 else self.draw(2)]
        sizes.update({a: self.dim() for a in summed})
        letters = output + summed
        if not letters:
            return self.grow(dims, depth)
        parts: list[tuple[Formula, str]] = []
        missing = list(letters)
        while missing or (len(parts) < 4 and self.draw(3) == 0):
            own = missing.pop(self.draw(len(missing))) if missing else self.pick(letters)
            for _ in range(self.draw(3)):
                if missing and self.draw(3):
                    own += missing.pop(self.draw(len(missing)))
                else:
                    own += self.pick(letters)
            wanted = tuple(sizes[a] for a in own)
            # a repeated letter takes the diagonal
            parts.append((self.grow(wanted, depth - 1), own))
        if self.draw(5) == 4:
            parts.append((self.grow((), depth - 1), ""))
        return product(parts, output)

    # scalars

    def inner(self, dims: tuple[str, ...], depth: int) -> Formula:
        m, n = self.dim(), self.dim()
        match self.draw(4):
            case 0:
                return chain([], self.grow((m,), depth), self.grow((m,), depth - 1))
            case 1:
                x = self.grow((m,), depth)
                return chain([], x, x)
            case 2:
                x = self.grow((m,), depth - 1)
                return chain([(self.grow((m, m), depth), bool(self.draw(2)))], x, x)
        turned = bool(self.draw(2))
        a = self.grow((n, m) if turned else (m, n), depth)
        return chain([(a, turned)], self.grow((m,), depth - 1), self.grow((n,), depth - 1))

    def total(self, dims: tuple[str, ...], depth: int) -> Formula:
        kind = self.pick(["total", "total", "mean"])
        if dims:
            axis = self.draw(2)
            inner = (*dims, self.dim()) if axis else (self.dim(), *dims)
            return Formula(kind, dims, (self.grow(inner, depth),), (axis,))
        rank = 1 + self.draw(4 if kind == "total" else 2)
        inner = tuple(self.dim() for _ in range(rank))
        if self.draw(5) == 4 and rank < 3:
            return Formula("function", (), (self.off_kink(self.grow(inner, depth)),), "norm1")
        return Formula(kind, (), (self.grow(inner, depth),), tuple(range(rank)))

    def trace(self, dims: tuple[str, ...], depth: int) -> Formula:
        sizes = [self.dim() for _ in range(1 + self.draw(3))]
        letters = "abcdefgh"
        parts, turns = [], []
        for k in range(len(sizes)):
            ends = sizes[k], sizes[(k + 1) % len(sizes)]
            own = letters[k] + letters[(k + 1) % len(sizes)]
            turned = bool(self.draw(2)) and len(sizes) > 1
            f = self.grow(ends[::-1] if turned else ends, depth - (k > 0))
            parts.append((f, own[::-1] if turned else own))
            turns.append(turned)
        return product(parts, "", ("trace", *turns))

    def function(self, dims: tuple[str, ...], depth: int) -> Formula:
        name = self.pick(["norm2", "normF", "norm2", "logdet", "det"])
        if name == "norm2":
            f = self.grow((self.dim(),) if self.draw(3) else (self.dim(), self.dim()), depth)
            return Formula("function", (), (self.off_origin(f),), name)
        if name == "normF":
            return Formula(
                "function", (), (self.off_origin(self.grow((self.dim(), self.dim()), depth)),), name
            )
        n = self.dim()
        matrix = self.regular((n, n), depth)
        if name == "logdet" and np.linalg.det(self.values(matrix)) < 0.05:
            matrix = self.definite(matrix)
        return Formula("function", (), (matrix,), name)

    def off_origin(self, f: Formula) -> Formula:
        if np.sqrt(np.sum(self.values(f) ** 2)) > 0.3:
            return f
        return added(f, number(1))

    def regular(self, dims: tuple[str, ...], depth: int) -> Formula:
        """A well-conditioned square matrix."""
        f = self.grow(dims, depth)
        if self.condition(f) < 30:
            return f
        for shift in (Fraction(2), Fraction(5), Fraction(-5, 2)):
            shifted = added(f, scaled(number(shift), Formula("eye", dims)))
            if self.condition(shifted) < 30:
                return shifted
        return self.definite(f)

    def condition(self, f: Formula) -> float:
        singular = np.linalg.svd(self.values(f), compute_uv=False)
        if singular.min(initial=np.inf) < 0.25:
            return np.inf
        return float(singular.max() / singular.min())

    def definite(self, f: Formula) -> Formula:
        small = self.bounded(f)
        if np.max(np.abs(self.values(small))) > 3:
            small = unary("tanh", small)
        eye = Formula("eye", f.dims)
        return added(
            chain([(small, True), (small, False)]), self.pick([eye, scaled(number(2), eye)])
        )

    def pick_entry(self, dims: tuple[str, ...], depth: int) -> Formula:
        """Integer subscripts."""
        count = 1 + self.draw(2)
        places: list[int | None] = [None] * len(dims)
        inner = list(dims)
        for _ in range(count):
            dim = self.dim()
            at = self.draw(len(inner) + 1)
            inner.insert(at, dim)
            places.insert(at, self.draw(self.sizes[dim]))
        return Formula("pick", dims, (self.grow(tuple(inner), depth),), tuple(places))

    # vectors and matrices

    def times(self, dims: tuple[str, ...], depth: int) -> Formula:
        sizes = [dims[0], *(self.dim() for _ in range(1 + (self.draw(4) == 3)))]
        if len(dims) == 2:
            sizes.append(dims[1])
        matrices = []
        for k, ends in enumerate(itertools.pairwise(sizes)):
            turned = bool(self.draw(2))
            f = self.grow(ends[::-1] if turned else ends, depth - (k > 0))
            matrices.append((f, turned))
        if len(dims) == 2:
            return chain(matrices)
        vector = self.grow((sizes[-1],), depth - 1)
        if self.draw(3) == 2:
            return chain([(f, not t) for f, t in reversed(matrices)], left=vector)
        return chain(matrices, right=vector)

    def outer_product(self, dims: tuple[str, ...], depth: int) -> Formula:
        x, y = self.grow(dims[:1], depth), self.grow(dims[1:], depth - 1)
        return product([(x, "a"), (y, "b")], "ab", "outer")

    def transpose(self, dims: tuple[str, ...], depth: int) -> Formula:
        return product([(self.grow(dims[::-1], depth), "ba")], "ab", "transpose")

    def diagonal(self, dims: tuple[str, ...], depth: int) -> Formula:
        return product([(self.grow(dims * 2, depth), "aa")], "a", "diag")

    def diag(self, dims: tuple[str, ...], depth: int) -> Formula:
        if dims[0] == dims[1] and self.draw(2):
            x = self.grow(dims[:1], depth)
            return product([(x, "a"), (Formula("eye", dims), "ab")], "ab", "diag")
        matrix = self.grow(dims, depth)
        if self.draw(2):
            return product([(self.grow(dims[:1], depth - 1), "a"), (matrix, "ab")], "ab", "rows")
        return product([(self.grow(dims[1:], depth - 1), "b"), (matrix, "ab")], "ab", "columns")

    def matrix(self, dims: tuple[str, ...], depth: int) -> Formula:
        if dims[0] != dims[1]:
            return self.times(dims, depth)
        match self.draw(3):
            case 0:
                return Formula("function", dims, (self.regular(dims, depth),), "inv")
            case 1:
                return Formula(
                    "matrix power", dims, (self.regular(dims, depth),), self.pick([-1, -2])
                )
        return Formula("matrix power", dims, (self.grow(dims, depth),), self.pick([2, 3]))

    def batch(self, dims: tuple[str, ...], depth: int) -> Formula:
        """A function of one matrix for every entry of a vector: ``logdet(x[i]*A + B)``."""
        if len(dims) == 3 and dims[1] != dims[2]:
            return self.contraction(dims, depth)
        n = dims[1] if len(dims) == 3 else self.dim()
        names = ["inv"] if len(dims) == 3 else ["logdet", "det", "norm2"]
        a = self.grow((n, n), depth - 1)
        x = self.grow(dims[:1], depth)
        reach = float(np.max(np.abs(self.values(x)))) * np.linalg.norm(self.values(a), 2)
        shift = Fraction(int(np.ceil(reach * 1.5)) + 1)
        b = scaled(number(shift), Formula("eye", (n, n)))
        name = self.pick(names)
        if name == "det" and float(shift) ** self.sizes[n] > 1e3:
            name = "logdet"
        return Formula("batch", dims, (x, a, b), name)


def grow(draw: Draw, rank: int | None = None) -> Problem:
    """A random problem; its choices come from `draw`."""
    grower = Grower(draw)
    rank = (0, 0, 0, 1, 1, 2, 2, 3, 4)[draw(9)] if rank is None else rank
    dims = tuple(grower.dim() for _ in range(rank))
    with np.errstate(all="ignore"):
        formula = grower.grow(dims, 1 + draw(4))
        if not variables(formula):
            formula = added(formula, grower.grow((), 1), grower.variable(()))
    used = variables(formula)
    sizes = {d for v in used for d in v.dims}
    unused = [f for dims, fs in grower.made.items() for f in fs if f not in used]
    needed = {
        d for f in subformulas(formula) for d in (*f.dims, *([f.data] if f.kind == "size" else []))
    }
    loose = {d for d in needed if d not in sizes}
    extra = [f for f in unused if loose & set(f.dims)]
    for dim in loose - {d for f in extra for d in f.dims}:
        extra.append(grower.fresh((dim,)))
    names = [f.data for f in (*used, *extra)]
    return Problem(
        formula,
        {name: grower.data[name] for name in names},
        grower.sizes,
        grower.shown,
        {name: word for name, word in grower.properties.items() if name in names},
        grower.seed,
        extra,
    )


def seeded(seed: int, rank: int | None = None) -> tuple[Problem, Draw]:
    """The problem of a seed, and choices for its printing."""
    source = random.Random(seed)
    return grow(source.randrange, rank), source.randrange


@dataclass(frozen=True)
class Program:
    """A problem with its texts: a mixture of notations with definitions, and one in each."""

    problem: Problem
    text: str
    pure: Mapping[str, str]

    def __str__(self) -> str:
        data = {name: array.tolist() for name, array in self.problem.data.items()}
        return f"{self.text}\n# data: {data}"


def written(problem: Problem, draw: Draw) -> Program:
    """The texts of a problem."""
    text = problem.text(draw, define=True)
    pure = {notation: problem.text(draw, notation) for notation in ("matrix", "index", "einsum")}
    return Program(problem, text, pure)


def parts(program: Program) -> Iterator[Program]:
    """The programs of the parts of a program, smallest first, with the same variables declared."""
    problem = program.problem
    everything = [*problem.variables, *problem.extra]
    found = [f for f in subformulas(problem.formula) if variables(f)]
    for formula in sorted(found, key=lambda f: len(subformulas(f))):
        used = {v.data for v in variables(formula)}
        extra = [v for v in everything if v.data not in used]
        draw = random.Random(problem.seed).randrange
        yield written(replace(problem, formula=formula, extra=extra), draw)


def program(seed: int, rank: int | None = None) -> Program:
    """The program of a seed."""
    return written(*seeded(seed, rank))
