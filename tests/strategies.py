"""Random programs with their values, each from a seed.

Seeds rather than hypothesis: a program takes a hundred choices, and of 300 examples that hypothesis
made of them more than half were repetitions. The parts of a failing tree are the small examples.

A program is grown from its leaves with data at hand, so that every function gets arguments inside
its domain, away from kinks, and every inverse a well-conditioned matrix: derivatives can then be
compared with differences.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from formulas import (
    SERIES,
    Array,
    Draw,
    Formula,
    Printer,
    added,
    chain,
    free_counters,
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
Grow = Callable[[tuple[str, ...], int], Formula]

NAMES = {
    0: ["a", "b", "c", "d", "g", "lambda", "sigma", "alpha2"],
    1: ["x", "y", "z", "w", "u", "v", "h", "weights"],
    2: ["A", "B", "C", "X", "M", "W", "Sigma", "K"],
    3: ["P3", "Q3", "core", "tens"],
    4: ["P4", "Q4", "four"],
}
SIZES = ("m", "n", "p", "q")
FURTHER = [f"v{n}" for n in range(99)]
INTEGERS = ("k", "order")  # names of integer variables
COUNTERS = ("r", "s", "t")
UNKNOWN = ("phi", "psi", "f", "e", "theta", "F", "G")
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
    unknown: dict[str, str] = field(default_factory=dict)  # declarations of unknown functions

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
        found = {v.data: self.declaration(v) for v in [*self.variables, *self.extra]}
        used = {f.data for f in subformulas(self.formula) if f.kind in ("unknown", "unknown map")}
        return found | {name: kind for name, kind in self.unknown.items() if name in used}

    @property
    def integers(self) -> set[str]:
        """The variables by which nothing can be differentiated."""
        return {name for name, words in self.properties.items() if words == "integer"}

    def size(self, dim: str) -> str:
        """A size as an expression."""
        return self.shown[dim]

    def measured(self) -> dict[str, list[str]]:
        """Sizes as calls, ``rows(X)`` and the like."""
        found: dict[str, list[str]] = {}
        for v in [*self.variables, *self.extra]:
            calls = {1: ["len"], 2: ["rows", "cols"]}.get(v.rank, [])
            for dim, call in zip(v.dims, calls, strict=False):
                found.setdefault(dim, []).append(f"{call}({v.data})")
        return found

    def text(self, draw: Draw, notation: str = "mixed", *, define: bool = False) -> str:
        """The program with its declarations."""
        printer = self.printer(draw, notation, define=define)
        lines = printer.program(self.formula)
        head = [f"{name} : {kind}" for name, kind in self.declarations().items()]
        mixed = notation == "mixed"
        if mixed and draw(3) == 2:
            head = self.grouped()
        elif mixed and not (self.properties or self.unknown) and draw(3) == 2:
            head = self.without_defaults(printer, head)
        return ("; " if mixed and draw(4) == 3 else "\n").join([*head, *lines])

    def printer(self, draw: Draw, notation: str, *, define: bool = False) -> Printer:
        """A printer that avoids all names of the problem."""
        taken = [*self.data, *self.shown.values(), *self.sizes, *self.unknown, "result"]
        measured = self.measured()
        return Printer(draw, notation, self.size, define=define, taken=taken, measured=measured)

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
        # products of sizes that only use tells may be equal in many ways
        if any("*" in self.shown[d] for f in subformulas(self.formula) for d in f.dims):
            return list(head)
        if any(self.shown[d] not in "0123456789" for d in needed) and any(
            f.kind in ("size", "mean", "constant", "eye", "commutation", "series")
            for f in subformulas(self.formula)
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
        self.sizes |= {"1": 1, "2": 2, "3": 3}
        self.shown = {d: d for d in self.sizes}
        way = draw(4)
        if way == 2:
            # a matrix of one row is another thing than a row, but not between brackets
            self.shown = {d: d if d in SIZES and n == 1 else str(n) for d, n in self.sizes.items()}
        elif way == 3:
            self.shown["m"] = str(self.sizes["m"]) if self.sizes["m"] > 1 else "m"
            self.sizes["q"] = self.sizes["m"] * self.sizes["n"]
            self.shown["q"] = f"{self.shown['m']}*n"
        self.data: dict[str, Any] = {}
        self.properties: dict[str, str] = {}
        self.unknown: dict[str, str] = {}
        self.made: dict[tuple[str, ...], list[Formula]] = {}
        self.known: dict[tuple[str, ...], list[Formula]] = {}
        self.counting: list[str] = []
        self.budget = 2 + draw(18)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.draw(len(options))]

    def values(self, f: Formula) -> Array:
        return value(f, self.data, self.sizes)

    # leaves

    def variable(self, dims: tuple[str, ...], *, positive: bool = False) -> Formula:
        if any("+" in d for d in dims):  # no variable has such a size
            if len(dims) > 2:
                return self.outer(dims, [self.variable(dims[:1]), self.variable(dims[1:])])
            return self.joined(dims, lambda own: self.variable(own))
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
        name = next(n for n in itertools.chain(NAMES[len(dims)], FURTHER) if n not in self.data)
        self.data[name] = self.rng.uniform(0.3, 1.5, tuple(self.sizes[d] for d in dims))
        return Formula("variable", dims, (), name)

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
        if len(dims) <= 2 and any("+" in d for d in dims):
            return self.joined(dims, self.constant)
        if len(dims) == 1 or (len(dims) == 2 and (dims[0] != dims[1] or self.draw(2))):
            return Formula("constant", dims, (), self.pick(NUMBERS))
        if len(dims) == 2:
            return self.commutation(dims) if "*" in dims[0] and self.draw(2) else self.eye(dims[0])
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
        way = self.draw(16)
        if way in (7, 8):
            return "q"
        if way == 9:
            return self.pick(["2", "3"])
        if way == 10:
            return self.plus(self.pick(SIZES[:3]), self.pick(["1", "1", *SIZES[:3]]))
        if way in (11, 12):
            return self.product(self.pick(SIZES[:3]), self.pick(["2", *SIZES[:3]]))
        return self.pick(SIZES[:3])

    def plus(self, *parts: str) -> str:
        """The name of a sum of sizes."""
        if all(part.isdigit() for part in parts):
            return str(sum(map(int, parts)))
        name = "+".join(sorted(parts))
        self.sizes[name] = sum(self.sizes[d] for d in parts)
        self.shown[name] = " + ".join(self.shown[d] for d in sorted(parts))
        return name

    def product(self, *parts: str) -> str:
        """The name of a product of sizes."""
        name = "*".join(sorted(parts))
        self.sizes[name] = math.prod(self.sizes[d] for d in parts)
        self.shown[name] = "*".join(self.shown[d] for d in sorted(parts))
        return name

    def eye(self, dim: str) -> Formula:
        """The identity; of a sum of sizes, by its blocks."""
        if "+" not in dim:
            return Formula("eye", (dim, dim))
        parts = dim.split("+")
        blocks = [number(1) if d == "1" else self.eye(d) for d in parts]
        filled = [[j == k for k in range(len(parts))] for j in range(len(parts))]
        return Formula("block", (dim, dim), tuple(blocks), grid(parts, parts, filled))

    def commutation(self, dims: tuple[str, ...]) -> Formula:
        return Formula("commutation", dims, (), tuple(dims[0].split("*")))

    def joined(
        self, dims: tuple[str, ...], part: Callable[[tuple[str, ...]], Formula], zeros: int = 0
    ) -> Formula:
        """A matrix or vector of blocks, each made by `part`; one in `zeros` blocks is 0."""
        sides = [d.split("+") if "+" in d else ["1"] * int(d) if d in "23" else [d] for d in dims]
        if len(sides) == 1:
            sides = [sides[0], ["1"]] if self.draw(2) == 0 else [["1"], sides[0]]
        heights, widths = sides
        if self.draw(2):
            heights.reverse()
        filled = [[True for _ in widths] for _ in heights]
        if zeros and min(len(widths), len(heights)) > 1 and self.draw(zeros) == 0:
            filled[self.draw(len(heights))][self.draw(len(widths))] = False
        blocks = [
            part(tuple(d for d in (h, w) if d != "1"))
            for h, row in zip(heights, filled, strict=True)
            for w, here in zip(widths, row, strict=True)
            if here
        ]
        return Formula("block", dims, tuple(blocks), grid(heights, widths, filled))

    def integer(self) -> Formula:
        """An integer variable; no other use is made of it."""
        free = [name for name in INTEGERS if name not in self.data]
        used = [name for name in INTEGERS if name in self.data]
        name = free[0] if free and (not used or self.draw(3) == 2) else self.pick(used)
        if name not in self.data:
            self.data[name] = np.array(float(1 + self.draw(3)))
            self.properties[name] = "integer"
        return Formula("variable", (), (), name)

    # growth

    def grow(self, dims: tuple[str, ...], depth: int) -> Formula:
        """A formula with these axes, its value bounded."""
        if depth > 0 and self.known.get(dims) and self.draw(8) == 7:
            return self.pick(self.known[dims])
        self.budget -= 1
        if depth <= 0 or self.budget < 0:
            return self.variable(dims) if self.draw(8) else self.constant(dims)
        f = self.pick(self.options(len(dims)))(dims, depth - 1)
        f = self.bounded(f)
        self.known.setdefault(dims, []).append(f)
        return f

    def options(self, rank: int) -> list[Grow]:
        """What can grow something of a rank; often named, often taken."""
        either: list[Grow] = [self.sum, self.map, self.map, self.entrywise, self.scale]
        either += [self.contraction, self.range, self.unknown_function]
        either += [self.reduce, self.stable] if rank < 4 else []
        scalar: list[Grow] = [self.inner, self.total, self.function, self.trace, self.inner]
        scalar += [self.pick_entry, self.series, self.product_of_integers]
        scalar += [self.quadratic, self.quadratic, self.measure]
        vector: list[Grow] = [self.times, self.total, self.diagonal, self.pick_entry, self.batch]
        vector += [self.times, self.structured, self.structured, self.softmax, self.quadratic]
        matrix: list[Grow] = [self.times, self.outer_product, self.transpose, self.matrix]
        matrix += [self.diag, self.times, self.structured, self.structured, self.softmax]
        matrix += [self.matrix, self.matrix]
        tensor: list[Grow] = [self.contraction, self.contraction, self.batch, self.softmax]
        more: list[list[Grow]] = [scalar, vector, matrix, tensor, [self.contraction] * 2]
        return [*either, *more[rank]]

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
                # a scalar first: max(X, 1) is along an axis
                left, right = sorted(self.compared(dims, depth), key=lambda f: f.rank)
                return Formula(self.pick(["max", "min"]), right.dims, (left, right))
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
            shifted = added(f, scaled(number(shift), self.eye(dims[0])))
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
        eye = self.eye(f.dims[0])
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
            return product([(x, "a"), (self.eye(dims[0]), "ab")], "ab", "diag")
        matrix = self.grow(dims, depth)
        if self.draw(2):
            return product([(self.grow(dims[:1], depth - 1), "a"), (matrix, "ab")], "ab", "rows")
        return product([(self.grow(dims[1:], depth - 1), "b"), (matrix, "ab")], "ab", "columns")

    def matrix(self, dims: tuple[str, ...], depth: int) -> Formula:
        if dims[0] != dims[1] and self.draw(2):
            return self.times(dims, depth)
        if dims[0] != dims[1]:
            f = self.grow(dims[::-1], depth)
            if self.condition(f) < 20 and min(self.values(f).shape) > 0:
                return Formula("function", dims, (f,), "pinv")
            return self.times(dims, depth)
        match self.draw(7):
            case 0:
                return Formula("function", dims, (self.regular(dims, depth),), "inv")
            case 3 | 4:
                return self.power_series(dims, depth)
            case 5:
                f = self.regular(dims, depth)
                return self.bounded(Formula("function", dims, (f,), self.pick(["adj", "pinv"])))
            case 6:
                return self.symbolic_power(self.regular(dims, depth))
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
        b = scaled(number(shift), self.eye(n))
        name = self.pick(names)
        if name == "det" and float(shift) ** self.sizes[n] > 1e3:
            name = "logdet"
        return Formula("batch", dims, (x, a, b), name)

    # functions of whole vectors and matrices

    def quadratic(self, dims: tuple[str, ...], depth: int) -> Formula:
        """Functions of square matrices, and Kronecker products and blocks, between vectors."""
        n = dims[0] if dims else self.dim()
        wide = [self.plus(n, "1"), self.product(n, self.pick(SIZES[:3]))] if n in SIZES else []
        n = self.pick([n, n, *wide]) if not dims else n
        make = self.structured if "*" in n or "+" in n or self.draw(5) == 4 else self.matrix
        middle = self.bounded(make((n, n), depth))
        if not dims and self.draw(3) == 2:
            return product([(middle, "aa")], "", ("trace", False))
        turned = bool(self.draw(2))
        right = self.grow((n,), depth - 1)
        if dims:
            return chain([(middle, turned)], right=right)
        left = right if self.draw(2) else self.grow((n,), depth - 1)
        return chain([(middle, turned)], left, right)

    def measure(self, dims: tuple[str, ...], depth: int) -> Formula:
        """A scalar of something structured."""
        m, n = self.pick(SIZES[:3]), self.pick(SIZES[:3])
        sums = [self.plus(m, "1"), self.plus(m, n)]
        wide = self.pick([*sums, self.product(m, n), self.product(m, n), "3", "3", "2"])
        inner = self.pick([(wide,), (wide,), (wide, n), (wide, wide)])
        f = self.bounded(self.structured(inner, depth))
        match self.draw(4):
            case 0:
                letters = "ab"[: f.rank]
                other = self.grow(f.dims, depth - 1)
                return product([(f, letters), (other, letters)], "")
            case 1:
                return Formula("function", (), (self.off_origin(f),), "norm2")
            case 2:
                return Formula("total", (), (unary(self.pick(["sin", "tanh"]), f),),
                               tuple(range(f.rank)))  # fmt: skip
        g = self.inside(f, -5.0, 5.0)
        return Formula("reduce", (), (g,), ("logsumexp", tuple(range(f.rank))))

    def power_series(self, dims: tuple[str, ...], depth: int, name: str = "") -> Formula:
        """A function by its power series, of a small matrix near the identity for logarithms."""
        name = name or self.pick(SERIES)
        if self.sizes[dims[0]] > 4:
            return self.symbolic_power(self.regular(dims, depth))
        f = self.grow(dims, depth)
        length = float(np.linalg.norm(self.values(f), 2))
        if name in ("logm", "sqrtm"):
            if length > 0.6:
                f = scaled(number(Fraction(1, int(np.ceil(2 * length)))), f)
            f = added(self.pick([self.eye(dims[0]), scaled(number(2), self.eye(dims[0]))]), f)
        elif length > 1.5:
            f = scaled(number(Fraction(1, int(np.ceil(length)))), f)
        return Formula("function", dims, (f,), name)

    def symbolic_power(self, base: Formula) -> Formula:
        k = self.integer()
        twice = product([(number(2), ""), (k, "")], "", "scale")
        exponent = self.pick(
            [
                k,
                k,
                added(k, number(1), signs=[1, -1]),
                Formula("negate", (), (k,)),
                added(twice, number(1), signs=[1, -1]),
                added(number(1), k, signs=[1, -1]),
            ]
        )
        return self.bounded(Formula("symbolic power", base.dims, (base, exponent)))

    def structured(self, dims: tuple[str, ...], depth: int) -> Formula:
        """Blocks, Kronecker products, vec, cross products: what the sizes allow."""
        ways: list[Callable[[tuple[str, ...], int], Formula]] = []
        if any("+" in d or d in "23" for d in dims):
            ways.append(self.blocks)
        if any("*" in d for d in dims) or (len(dims) == 2 and self.draw(4) == 3):
            ways.append(self.kron)
        if len(dims) == 1 and "*" in dims[0]:
            ways += [self.vec, self.vec, self.commuted]
        if dims == ("3",):
            ways += [self.cross, self.cross]
        if len(dims) == 1 and self.draw(3) == 2:
            ways.append(self.pinv_vector)
        return self.pick(ways or [self.contraction])(dims, depth)

    def blocks(self, dims: tuple[str, ...], depth: int) -> Formula:
        return self.joined(dims, lambda own: self.grow(own, depth - 1), zeros=2)

    def kron(self, dims: tuple[str, ...], depth: int) -> Formula:
        sides: list[tuple[str | None, str | None]] = []
        for dim in dims:
            pair = dim.split("*") if "*" in dim else [dim, None]
            sides.append((pair[0], pair[1]) if self.draw(2) else (pair[1], pair[0]))
        if len(sides) == 1:
            sides = [sides[0], (None, None)] if self.draw(2) else [(None, None), sides[0]]
        owns = [(sides[0][k], sides[1][k]) for k in range(2)]
        args = [self.grow(tuple(d for d in own if d), depth - 1) for own in owns]
        return Formula("kron", dims, tuple(args), tuple(owns))

    def vec(self, dims: tuple[str, ...], depth: int) -> Formula:
        sides = dims[0].split("*")
        if self.draw(2):
            sides.reverse()
        return Formula("vec", dims, (self.grow((sides[0], sides[1]), depth),))

    def commuted(self, dims: tuple[str, ...], depth: int) -> Formula:
        matrix = self.commutation(dims * 2)
        turned = bool(self.draw(2))
        return chain([(matrix, turned)], right=self.grow(dims, depth))

    def cross(self, dims: tuple[str, ...], depth: int) -> Formula:
        args = self.grow(dims, depth), self.grow(dims, depth - 1)
        if self.draw(2):
            return Formula("cross", dims, args)
        return product([(Formula("eps", dims * 3), "abc"), (args[0], "b"), (args[1], "c")], "a")

    def pinv_vector(self, dims: tuple[str, ...], depth: int) -> Formula:
        return Formula("function", dims, (self.off_origin(self.grow(dims, depth)),), "pinv")

    # reductions

    def reduce(self, dims: tuple[str, ...], depth: int) -> Formula:
        """``max min prod logsumexp`` over some axes."""
        name = self.pick(["max", "min", "prod", "logsumexp", "logsumexp"])
        count = 1 + (self.draw(3) == 2 and len(dims) < 3)
        inner, axes = list(dims), []
        for _ in range(count):
            inner.insert(self.draw(len(inner) + 1), "")
        axes = [k for k, d in enumerate(inner) if not d]
        for k in axes:
            inner[k] = self.dim()
        f = self.grow(tuple(inner), depth)
        if name == "prod":
            f = self.inside(f, -1.6, 1.6)
        elif name == "logsumexp":
            f = self.inside(f, -5.0, 5.0)
        elif not self.is_parted(self.values(f), tuple(axes)):
            name = "logsumexp"
            f = self.inside(f, -5.0, 5.0)
        return Formula("reduce", dims, (f,), (name, tuple(axes)))

    def is_parted(self, found: Array, axes: tuple[int, ...]) -> bool:
        """Whether the largest and the smallest entries are far from the next ones."""
        flat = np.moveaxis(found, axes, range(len(axes)))
        flat = flat.reshape(math.prod(flat.shape[: len(axes)]), -1)
        order = np.sort(flat, axis=0)
        if len(order) < 2:
            return True
        return bool(np.all(order[-1] - order[-2] > KINK) and np.all(order[1] - order[0] > KINK))

    def softmax(self, dims: tuple[str, ...], depth: int) -> Formula:
        f = self.inside(self.grow(dims, depth), -5.0, 5.0)
        return Formula("softmax", dims, (f,), self.draw(len(dims)))

    def stable(self, dims: tuple[str, ...], depth: int) -> Formula:
        """What has a stable form, written as it is not stable."""
        axis = self.draw(len(dims) + 1)
        inner = (*dims[:axis], self.dim(), *dims[axis:])
        f = self.grow(inner, depth)
        if self.draw(3) == 2:
            square = power(f, 2) if self.draw(2) else entrywise(f, f)
            total = Formula("total", dims, (square,), (axis,))
            if np.all(self.values(total) > 0.1):
                return power(total, self.pick([Fraction(1, 2), Fraction(-1, 2), Fraction(3, 2)]))
        powers = unary("exp", self.inside(f, -3.0, 3.0))
        total = Formula("total", dims, (powers,), (axis,))
        if self.draw(2) or not dims:
            return unary("log", total)
        powers = unary("exp", self.inside(self.grow(dims, depth), -3.0, 3.0))
        axis = self.draw(len(dims))
        total = Formula("total", dims[:axis] + dims[axis + 1 :], (powers,), (axis,))
        letters = "abcdefgh"[: len(dims)]
        own = letters[:axis] + letters[axis + 1 :]
        return product([(powers, letters), (power(total, -1), own)], letters)

    # sums over integers

    def range(self, dims: tuple[str, ...], depth: int) -> Formula:
        """``sum[r=0..k](…)`` of powers of matrices and numbers."""
        free = [c for c in COUNTERS if c not in self.counting]
        if not free:
            return self.contraction(dims, depth)
        name = free[0]
        counter = Formula("counter", (), (), name)
        low = self.pick([0, 0, 1, -1])
        low_end: Formula = number(low)
        if self.draw(2):
            high = number(low + self.draw(3))
        else:
            k = self.integer()
            high = self.pick([k, added(k, number(1), signs=[1, -1])])
        self.counting.append(name)
        self.data[name] = 1.0
        body = self.counted_body(dims, depth, counter, low, high)
        self.counting.pop()
        del self.data[name]
        return Formula("range", dims, (low_end, high, body), (name, "sum"))

    def counted_body(
        self, dims: tuple[str, ...], depth: int, counter: Formula, low: int, high: Formula
    ) -> Formula:
        weighted = product([(counter, ""), (self.grow(dims, depth), "abcdefgh"[: len(dims)])],
                           "abcdefgh"[: len(dims)], "scale")  # fmt: skip
        if low < 0:
            return weighted
        small = self.inside(self.grow((), depth), 0.3, 1.3)
        match self.draw(5):
            case 0:
                return weighted
            case 1:
                return scaled(Formula("pow", (), (small, counter)), self.grow(dims, depth))
            case 2:
                f = self.inside(self.grow(dims, depth), -1.3, 1.3)
                return Formula("pow", dims, (self.off_zero(f), counter))
            case 3:
                return unary(self.pick(["sin", "cos", "tanh"]), weighted)
        if len(dims) != 2 or dims[0] != dims[1]:
            return weighted
        f = self.grow(dims, depth)
        length = float(np.linalg.norm(self.values(f), 2))
        if length > 1.2:
            f = scaled(number(Fraction(1, int(np.ceil(length)))), f)
        first = Formula("symbolic power", dims, (f, counter))
        if self.draw(2):
            return first
        rest = added(high, counter, signs=[1, -1])
        last = Formula("symbolic power", dims, (f, rest))
        return chain([(first, False), (self.grow(dims, depth - 1), False), (last, False)])

    def product_of_integers(self, dims: tuple[str, ...], depth: int) -> Formula:
        """``prod[r=1..3](a + r)``."""
        counter = Formula("counter", (), (), COUNTERS[-1])
        if COUNTERS[-1] in self.counting:
            return self.inner(dims, depth)
        f = self.inside(self.grow(dims, depth), -1.5, 1.5)
        body = added(f, counter) if self.draw(2) else scaled(counter, f)
        ends = number(1), number(1 + self.draw(3))
        return Formula("range", (), (*ends, body), (COUNTERS[-1], "prod"))

    def series(self, dims: tuple[str, ...], depth: int) -> Formula:
        """``sum[i=1..n-1](x[i]*y[i-1])``."""
        dim = self.pick(SIZES[:3])
        room = self.sizes[dim]
        start, back = self.pick([(0, 0), (0, 0), (1, 0), (0, 1)])
        if start + back >= room:
            start = back = 0
        args = [self.grow((dim,), depth)]
        offsets = [0]
        if self.draw(2):
            args.append(self.grow((dim,), depth - 1))
            offsets.append(self.pick([-start, back]))
        weight = self.pick([0, 1, 1, 2])
        data = tuple(offsets), start, back, weight
        return self.bounded(Formula("series", (), tuple(args), data))

    # unknown functions

    def unknown_function(self, dims: tuple[str, ...], depth: int) -> Formula:
        """A function of which only the name is known: entry by entry, of whole arguments, of x."""
        if any("+" in d for d in dims) or len(dims) > 2:
            return self.map(dims, depth)
        kind = self.kind(dims)
        match self.draw(4):
            case 0:
                count = 1 + self.draw(2)
                types = ", ".join(["scalar"] * count)
                args = [self.grow(dims, depth) for _ in range(count)]
                if len(args) > 1 and self.draw(2):
                    args[1] = self.grow((), depth)
                return Formula("unknown map", dims, tuple(args), self.named(f"{types} -> scalar"))
            case 1 | 2:
                ranks = [(), (self.dim(),), (self.dim(), self.dim())]
                owns = [self.pick(ranks) for _ in range(1 + self.draw(2))]
                if not dims and not any(owns):
                    owns[0] = ranks[1]
                if any("+" in d for own in owns for d in own):
                    owns = [("n",)]
                types = ", ".join(map(self.kind, owns))
                args = [self.grow(own, depth) for own in owns]
                return Formula("unknown", dims, tuple(args), self.named(f"{types} -> {kind}"))
        first = self.variable(self.pick([("n",), ("m",), ()]))
        others = [self.variable(("p",))] if self.draw(3) == 2 else []
        if first.kind != "variable" or any(f.kind != "variable" for f in others):
            return self.map(dims, depth)
        args = list({f.data: f for f in (first, *others)}.values())
        of = ", ".join(f.data for f in args)
        return Formula("unknown", dims, tuple(args), self.named(f"{kind} of {of}"), "of")

    def kind(self, dims: Sequence[str]) -> str:
        """Dims as a declaration writes them."""
        shown = ", ".join(self.shown[d] for d in dims)
        return ("scalar", "vector", "matrix")[len(dims)] + (f"({shown})" if dims else "")

    def named(self, declaration: str) -> str:
        """A name with a declaration; the same one for the same declaration at times."""
        same = [name for name, known in self.unknown.items() if known == declaration]
        if same and self.draw(2):
            return self.pick(same)
        free = [n for n in UNKNOWN if n not in self.unknown and n not in self.data]
        name = free[0] if free else f"f{len(self.unknown)}"
        self.unknown[name] = declaration
        return name


class ComplexGrower(Grower):
    """Grows formulas with complex variables, of functions that are defined for them."""

    def variable(self, dims: tuple[str, ...], *, positive: bool = False) -> Formula:
        known = len(self.data)
        f = super().variable(dims)
        if len(self.data) > known and f.kind == "variable":
            shape = self.data[f.data].shape
            self.properties.pop(f.data, None)
            self.data[f.data] = self.rng.uniform(0.3, 1.2, shape)
            if self.draw(3):
                self.data[f.data] = self.data[f.data] + 1j * self.rng.uniform(-1.2, 1.2, shape)
                self.properties[f.data] = "complex"
        return f

    def options(self, rank: int) -> list[Grow]:
        either: list[Grow] = [self.sum, self.map, self.map, self.entrywise, self.scale]
        either += [self.contraction, self.range, self.conjugate, self.conjugate]
        more: list[list[Grow]] = [
            [self.inner, self.total, self.function, self.trace, self.series, self.quadratic],
            [self.times, self.total, self.diagonal, self.structured, self.times, self.pick_entry],
            [self.times, self.outer_product, self.transpose, self.matrix, self.diag],
            [],
            [],
        ]
        return either + more[rank]

    def conjugate(self, dims: tuple[str, ...], depth: int) -> Formula:
        f = unary("conj", self.grow(dims, depth))
        if len(dims) == 2 and self.draw(2):
            f = product([(unary("conj", self.grow(dims[::-1], depth)), "ba")], "ab", "transpose")
        return f

    def map(self, dims: tuple[str, ...], depth: int) -> Formula:
        f = self.inside(self.grow(dims, depth), -1.5, 1.5)
        match self.draw(4):
            case 0:
                return power(f, self.pick([2, 3]))
            case 1:
                return power(self.off_zero(f), self.pick([-1, -2]))
            case 2:
                return unary("abs", self.off_zero(f))
        return unary(self.pick(["exp", "sin", "cos", "sinh", "cosh", "expm1"]), f)

    def inside(self, f: Formula, low: float, high: float) -> Formula:
        """`f` made no larger than an interval, in any direction."""
        largest = np.max(np.abs(self.values(f)), initial=0.0)
        ratio = largest / min(abs(low), high)
        return scaled(number(Fraction(1, int(np.ceil(ratio)))), f) if ratio > 1 else f

    def off_zero(self, f: Formula) -> Formula:
        for shift in (Fraction(0), Fraction(1), Fraction(-2), Fraction(5)):
            if np.all(np.abs(self.values(f) + float(shift)) > 0.4):
                return added(f, number(shift)) if shift else f
        return added(unary("abs", f), number(1))

    def definite(self, f: Formula) -> Formula:
        return added(scaled(number(40), self.eye(f.dims[0])), self.inside(f, -5, 5))

    def function(self, dims: tuple[str, ...], depth: int) -> Formula:
        name = self.pick(["norm2", "normF", "norm1", "det"])
        if name == "det":
            n = self.dim()
            return self.bounded(Formula("function", (), (self.regular((n, n), depth),), name))
        inner = (self.dim(), self.dim()) if name == "normF" else (self.dim(),)
        return Formula("function", (), (self.off_zero(self.grow(inner, depth)),), name)

    def batch(self, dims: tuple[str, ...], depth: int) -> Formula:
        return self.contraction(dims, depth)


class FocusedGrower(Grower):
    """Grows small formulas around one function, which is differentiated often."""

    def __init__(self, draw: Draw) -> None:
        super().__init__(draw)
        n = 2 + (self.draw(3) == 2)
        self.sizes |= {"m": 5 - n, "n": n, "p": 2, "q": 2}
        self.shown = {d: d for d in self.sizes}
        self.budget = 3

    def dim(self) -> str:
        return self.pick(SIZES[:2])

    def around(self, name: str) -> Formula:
        """A formula around the function of a name of `FOCUS`."""
        return self.context(self.bounded(self.focus(name)))

    def focus(self, name: str) -> Formula:
        """The function of a small argument."""
        n, depth = "n", self.draw(2)
        if name in SMOOTH or name in DOMAINS or name in KINKED:
            dims = self.pick([(), (n,), ("m", n)])
            f = self.grow(dims, 1)
            low, high = DOMAINS.get(name, (-2.5, 2.5))
            f = self.off_kink(f) if name in KINKED else self.inside(f, low, high)
            return unary(name, f)
        if name in SERIES:
            return self.power_series((n, n), 1, name)
        if name in ("inv", "adj", "det", "logdet"):
            f = self.regular((n, n), depth)
            if name == "logdet" and np.linalg.det(self.values(f)) < 0.05:
                f = self.definite(f)
            dims = (n, n) if name in ("inv", "adj") else ()
            return Formula("function", dims, (f,), name)
        if name == "pinv":
            f = self.grow(("n", "m"), depth)
            singular = np.linalg.svd(self.values(f), compute_uv=False)
            if singular.min() < 0.3:
                f = self.fresh(("n", "m"))
            return Formula("function", ("m", "n"), (f,), name)
        if name.startswith("norm"):
            dims = (n,) if name == "norm2" and self.draw(2) else ("m", n)
            f = self.grow(dims, depth)
            f = self.off_kink(f) if name == "norm1" else self.off_origin(f)
            return Formula("function", (), (f,), name)
        if name == "power":
            return Formula(
                "matrix power", (n, n), (self.regular((n, n), depth),), self.pick([2, 3, -1, -2])
            )
        if name == "symbolic power":
            return self.symbolic_power(self.regular((n, n), depth))
        ways: dict[str, Grow] = {
            "reduce": self.reduce, "softmax": self.softmax, "stable": self.stable,
            "range": self.range, "unknown": self.unknown_function, "powered": self.powered,
            "map": self.map, "diag": self.diag, "mean": self.total, "batch": self.batch,
            "cross": self.cross, "kron": self.kron, "vec": self.vec, "commuted": self.commuted,
            "blocks": self.blocks, "series": self.series, "prod": self.product_of_integers,
            "pinv vector": self.pinv_vector, "contraction": self.contraction,
        }  # fmt: skip
        wide = self.product("m", "n")
        allowed: dict[str, list[tuple[str, ...]]] = {
            "softmax": [(n,), ("m", n)], "stable": [(), (n,)], "diag": [("m", n), (n, n)],
            "batch": [(n,), ("m", n, n)], "cross": [("3",)], "vec": [(wide,)], "mean": [(), (n,)],
            "kron": [(wide, n), (wide,)], "commuted": [(wide,)], "series": [()], "prod": [()],
            "blocks": [(self.plus("n", "1"),), (self.plus("m", "n"), n), ("2", "2")],
            "pinv vector": [(n,)], "reduce": [(), (n,)], "contraction": [(), (n,), ("m", n)],
        }  # fmt: skip
        dims = self.pick(allowed.get(name, [(), (n,), ("m", n), (n, n)]))
        return ways[name](dims, depth)

    def context(self, f: Formula) -> Formula:
        """A function's value alone, or in a product, a trace, a norm."""
        way = self.draw(5)
        letters = "abcdefgh"[: f.rank]
        if way == 0 or f.rank > 2:
            return f
        if way == 1 and f.rank:
            return product([(f, letters), (self.variable(f.dims), letters)], "")
        if way == 2 and f.rank == 2:
            return chain([(f, bool(self.draw(2)))], right=None)
        if way == 3 and f.rank == 2:
            return chain([(f, False)], self.variable(f.dims[:1]), self.variable(f.dims[1:]))
        if way == 4 and f.rank == 2 and f.dims[0] == f.dims[1]:
            second = self.variable(f.dims)
            return product([(f, "ab"), (second, "ba")], "", ("trace", False, False))
        if way == 4 and f.rank == 1:
            return chain([(self.variable(("m", *f.dims)), False)], right=f)
        return scaled(self.variable(()), unary(self.pick(["sin", "tanh"]), f))


FOCUS = [
    *SMOOTH, *DOMAINS, *KINKED, *SERIES, "inv", "adj", "det", "logdet", "pinv", "pinv vector",
    "norm1", "norm2", "normF", "power", "symbolic power", "symbolic power", "reduce", "reduce",
    "reduce", "softmax", "stable", "range", "range", "unknown", "unknown", "unknown", "powered",
    "map", "diag", "mean", "batch", "cross", "kron", "vec", "commuted", "blocks", "series", "prod",
    "contraction",
]  # fmt: skip


def entrywise(left: Formula, right: Formula) -> Formula:
    """The product of each entry with its like."""
    letters = "abcdefgh"[: left.rank]
    return product([(left, letters), (right, letters)], letters, "entrywise")


def grid(
    heights: Sequence[str], widths: Sequence[str], filled: Sequence[Sequence[bool]]
) -> tuple[Any, ...]:
    """What a matrix of blocks needs: the sizes of its rows and columns, which blocks are not 0."""
    return tuple(heights), tuple(widths), tuple(map(tuple, filled))


def grow(draw: Draw, rank: int | None = None, *, is_complex: bool = False) -> Problem:
    """A random problem; its choices come from `draw`."""
    grower = ComplexGrower(draw) if is_complex else Grower(draw)
    rank = (0, 0, 0, 1, 1, 2, 2, 3, 4)[draw(9)] if rank is None else rank
    dims = tuple(grower.dim() for _ in range(rank))
    with np.errstate(all="ignore"):
        formula = grower.grow(dims, 1 + draw(4))
        if not variables(formula):
            formula = added(formula, grower.grow((), 1), grower.variable(()))
    return assembled(grower, formula)


def grow_around(draw: Draw, name: str) -> Problem:
    """A small problem around the function of a name of `FOCUS`."""
    grower = FocusedGrower(draw)
    with np.errstate(all="ignore"):
        formula = grower.around(name)
        if not variables(formula):
            formula = added(formula, grower.variable(()))
    return assembled(grower, formula)


def assembled(grower: Grower, formula: Formula) -> Problem:
    """The problem of a formula that has grown."""
    used = variables(formula)
    told = {d for v in used for d in v.dims if grower.shown[d] in SIZES}
    unused = [f for dims, fs in grower.made.items() for f in fs if f not in used]
    needed = {
        part
        for f in subformulas(formula)
        for d in (*f.dims, *([f.data] if f.kind == "size" else []))
        for part in re.split("[*+ ]+", grower.shown[d])
    }
    loose = {d for d in needed if d in SIZES and d not in told}
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
        grower.unknown,
    )


def seeded(seed: int, rank: int | None = None, *, is_complex: bool = False) -> tuple[Problem, Draw]:
    """The problem of a seed, and choices for its printing."""
    source = random.Random(seed)
    return grow(source.randrange, rank, is_complex=is_complex), source.randrange


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
    found = [f for f in subformulas(problem.formula) if variables(f) and not free_counters(f)]
    for formula in sorted(found, key=lambda f: len(subformulas(f))):
        used = {v.data for v in variables(formula)}
        extra = [v for v in everything if v.data not in used]
        draw = random.Random(problem.seed).randrange
        yield written(replace(problem, formula=formula, extra=extra), draw)


def focused(seed: int) -> Program:
    """The program of a seed around one function: `FOCUS` goes round."""
    source = random.Random(seed)
    return written(grow_around(source.randrange, FOCUS[seed % len(FOCUS)]), source.randrange)


def program(seed: int, rank: int | None = None, *, is_complex: bool = False) -> Program:
    """The program of a seed."""
    return written(*seeded(seed, rank, is_complex=is_complex))
