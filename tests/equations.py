"""Lines of a derivation -> whether they are true: each is a program text, compared with differences.

A line says ``name = formula`` or ``d(formula) = formula``; the differential of what stands on the
left is taken numerically, in a random direction, with the definitions of the lines above.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tensorcalc as tc
from tensorcalc.errors import ShapeError
from tensorcalc.finite_differences import points, slope

Array = NDArray[Any]
NUMBERED = re.compile(r"\d+\. |canonical form|derivative|\.\.\. ")
DIFFERENTIAL = re.compile(r"d\((?P<inner>.*)\)|vec\(d(?P<vec>\w+)\)|d(?P<name>\w+)(?P<row>'?)")


@dataclass
class Point:
    """Where the equations are compared: values, and a direction for the variables that move."""

    formula: tc.Expr
    values: Mapping[str, Array]
    directions: dict[str, Array]
    known: dict[str, str] = field(default_factory=dict)  # definitions of the lines above

    @staticmethod
    def of(
        formula: tc.Expr, names: Sequence[str], values: Mapping[str, Array] | None = None
    ) -> Point:
        """A point in the formula's domain and of its variables' properties, or at `values`."""
        rng = np.random.default_rng(0)
        if values is None:
            values = next(iter(points([formula], {}, {}, rng)))
        directions = {name: rng.normal(size=np.shape(values[name])) for name in names}
        return Point(formula, values, directions)

    def declarations(self) -> list[str]:
        """All variables and differentials, without their properties: these need not be kept."""
        lines = []
        for name, variable in self.formula.variables.items():
            shape = np.shape(self.values[name])
            sizes = [str(dim) if re.fullmatch(r"[\w*+ ]+", str(dim)) else str(size)
                     for dim, size in zip(variable.dims, shape, strict=True)]  # fmt: skip
            word = ("scalar", "vector", "matrix", "tensor")[min(len(shape), 3)]
            word += f"({', '.join(sizes)})" if sizes else ""
            whole = " integer" if "integer" in variable.properties else ""
            lines.append(f"{name} : {word}{whole}")
            if name in self.directions:
                lines.append(f"d{name} : {word}")
        return lines

    def value(self, text: str, t: float = 0.0) -> Array:
        """The value of a text, `t` along the direction."""
        moved = {n: v + t * self.directions.get(n, np.zeros(())) for n, v in self.values.items()}
        given = moved | {f"d{name}": d for name, d in self.directions.items()}
        lines = self.declarations()
        lines += self.known.values()
        formula = tc.parse("\n".join([*lines, text]))
        return formula.evaluate(**{n: given[n] for n in formula.variables})

    def check(self, line: str) -> None:
        """Compare both sides of an equation."""
        line = line.partition("  #")[0]
        left, _, right = line.partition(" = ")
        found = DIFFERENTIAL.fullmatch(left)
        name = found and (found["vec"] or found["name"])
        if found is None or not (found["inner"] or name in {*self.known, *self.values}):
            self.define(left, right)
            return
        text = found["inner"] or (f"vec({name})" if found["vec"] else f"{name}{found['row']}")
        with np.errstate(all="ignore"):
            value, error = slope(lambda t: self.value(text, t), 0.1)
        found_value = self.value(right)
        if right == "0":  # of whatever shape
            found_value = np.zeros_like(value)
        close(found_value, value, line, float(np.max(error, initial=0)))
        if not (found["inner"] or found["vec"] or found["row"] or right == "0"):
            self.define(left, right)

    def define(self, left: str, right: str) -> None:
        """Enter a definition; a name that is known must keep its meaning."""
        line, name = f"{left} = {right}", left.partition("[")[0]
        if "[" not in left and name in self.known:
            close(self.value(right), self.value(name), line)
        assert self.known.setdefault(name, line) == line or "[" not in left, line


def close(found: Array, expected: Array, about: str, error: float = 0.0) -> None:
    """Equal shapes and entries, as far as differences tell."""
    assert np.shape(found) == np.shape(expected), about
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    off = float(np.max(np.abs(np.asarray(found) - expected), initial=0.0))
    assert off <= 1e-6 * scale + 10 * error, f"{about}\nfound {found}\nexpected {expected}"


def equations(derivation: str) -> list[str]:
    """The lines of one block that are equations."""
    lines = [line for line in derivation.split("\n") if not NUMBERED.match(line)]
    return [line.strip() for line in lines]


@contextmanager
def untold_sizes() -> Iterator[None]:
    """Within, a printed form that leaves the size of a constant to its surroundings is no error."""
    try:
        yield
    except ShapeError as error:
        if "cannot be inferred" not in str(error) and "cannot be told" not in str(error):
            raise


def check_derivation(
    formula: tc.Expr, name: str, derivation: str, values: Mapping[str, Array] | None = None
) -> None:
    """Every equation of a derivation of first order is true, and the last the derivative."""
    point = Point.of(formula, [name], values)
    *lines, answer = equations(derivation)
    for line in lines:
        point.check(line)
    left, _, right = answer.partition(" = ")
    assert "/d" in left, answer
    used = tc.diff(formula, name)
    expected = used.evaluate(**{n: point.values[n] for n in used.variables})
    close(point.value(right), expected, answer)
