"""A derivative and a function in, by how much it differs from central finite differences out.

Beside the line of passes: it uses `interpret/` only, so it can judge everything that comes from
the differentials. Points are drawn in the domain of the formula and of its variables' properties,
and are moved only in directions that keep the properties (a symmetric matrix stays symmetric).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tensorcalc.binding import Array, bind_sizes
from tensorcalc.errors import DomainError

if TYPE_CHECKING:
    from tensorcalc.expression import Expr
    from tensorcalc.ir import Variable

LEVELS = 24  # steps 1/2, 1/4, ... 6e-8, times the size of the point
ORDER = 3  # how often Richardson's extrapolation is applied
ROUNDING = 8 * np.finfo(float).eps  # of a value, relative to the largest entry
MAX_DIRECTIONS = 200
DRAWS = 4  # points drawn from each distribution before the next is tried


@dataclass(frozen=True, slots=True)
class Comparison:
    """By how much a derivative and finite differences differ.

    Attributes
    ----------
    difference
        The largest difference of two entries.
    scale
        The largest entry of either.
    uncertainty
        How far the finite differences themselves may be off, as estimated.
    directions
        The number of directions compared.
    floor
        Differences that rounding of the formula's value explains.
    """

    difference: float
    scale: float
    uncertainty: float
    directions: int
    floor: float = 0.0

    @property
    def relative(self) -> float:
        """The difference relative to the largest entry."""
        scale = max(self.scale, self.floor)
        return self.difference / scale if scale else self.difference

    @property
    def is_conclusive(self) -> bool:
        """Whether the finite differences are precise enough to judge by."""
        return self.uncertainty <= 1e-3 * self.scale + self.floor

    def agrees(self, tolerance: float = 1e-6) -> bool:
        """Whether the difference is below `tolerance`, allowing for the uncertainty."""
        allowed = tolerance * self.scale + self.uncertainty
        return self.is_conclusive and bool(self.difference <= allowed)


def slope(function: Callable[[float], Array], size: float = 1.0) -> tuple[Array, Array]:
    """The derivative of ``function(t)`` at 0, and an estimate of its error, entry by entry.

    Central differences at steps that are halved `LEVELS` times from ``size/2``, extrapolated after
    Richardson. From the smallest step on, a larger one is taken while it is consistent with all
    before and more precise: so neither rounding nor a step too large for the function decides.

    >>> value, error = slope(lambda t: np.asarray(np.exp(t)))
    >>> abs(value - 1) < 1e-12, error < 1e-9
    (np.True_, np.True_)
    """
    rows: list[list[Array]] = []
    candidates: list[tuple[Array, Array]] = []
    for level in range(1, LEVELS + 1):
        step = size * 0.5**level
        ahead, behind = np.asarray(function(step)), np.asarray(function(-step))
        row = [(ahead - behind) / (2 * step)]
        for k in range(1, min(ORDER, len(rows)) + 1):
            row.append(row[-1] + (row[-1] - rows[-1][k - 1]) / (4**k - 1))
        if len(row) > ORDER:
            noise = ROUNDING * max(_largest(ahead), _largest(behind)) / step
            error = np.abs(row[-1] - row[-2]) + np.abs(row[-1] - rows[-1][-1]) + noise
            candidates.append((row[-1], np.where(np.isfinite(error), error, np.inf)))
        rows.append(row)
    value, error = (np.array(part) for part in candidates.pop())
    trusted = np.ones(value.shape, bool)
    with np.errstate(invalid="ignore"):
        for other, its_error in reversed(candidates):
            trusted &= np.abs(other - value) <= its_error + error
            better = trusted & (its_error < error)
            value, error = np.where(better, other, value), np.where(better, its_error, error)
    return value, error


def _largest(array: Array) -> float:
    return float(np.max(np.abs(array), initial=0.0))


def compare(
    function: Callable[[Array], Array],
    derivative: Array,
    point: Array,
    directions: Iterator[Array] | None = None,
) -> Comparison:
    """Compare a derivative with finite differences of the function at a point.

    `derivative` has the axes of the function's value, then those of `point`. Without `directions`
    every entry of the point is moved.
    """
    difference = scale = uncertainty = 0.0
    count = 0
    size = max(1.0, _largest(point))
    for direction in directions or _units(point.shape):
        count += 1

        def along(t: float, direction: Array = direction) -> Array:
            return function(point + t * direction)

        with np.errstate(all="ignore"):
            numerical, error = slope(along, size)
            exact = np.tensordot(derivative, direction, axes=point.ndim)
            off = _largest(exact - numerical)
        difference = max(difference, off if np.isfinite(off) else np.inf)
        scale = max(scale, *(s for s in map(_largest, (exact, numerical)) if np.isfinite(s)), 0.0)
        uncertainty = max(uncertainty, _largest(error))
    floor = 1e-9 * _largest(function(point)) / size
    return Comparison(difference, scale, uncertainty, count, floor)


def _units(shape: tuple[int, ...]) -> Iterator[Array]:
    for place in np.ndindex(shape):
        direction = np.zeros(shape)
        direction[place] = 1.0
        yield direction


def check(
    expression: Expr,
    names: tuple[str, ...],
    values: Mapping[str, Array] | None = None,
    sizes: Mapping[str, int] | None = None,
    seed: int = 0,
) -> Comparison:
    """Compare ``diff(expression, *names)`` with finite differences of the derivative before it.

    Parameters
    ----------
    values
        Arrays of variables; the others are drawn.
    sizes
        Numbers of sizes, by their names in the IR; the others are small and distinct.

    Raises
    ------
    DomainError
        If the formula is not finite at any of the points drawn.
    """
    from tensorcalc.api import diff

    before, after = diff(expression, *names[:-1]), diff(expression, *names)
    rng = np.random.default_rng(seed)
    variable = expression.variables[names[-1]]
    found: Comparison | None = None
    for point in points([before, after], values or {}, sizes or {}, rng):

        def function(x: Array, point: Mapping[str, Array] = point) -> Array:
            return before.evaluate(**{**point, variable.name: x})

        x = point[variable.name]
        derivative = after.evaluate(**point)
        found = compare(function, derivative, x, tangents(variable, x, rng))
        if found.is_conclusive:
            break
    if found is None:
        raise DomainError(
            "no point was found where the formula and its derivative are finite",
            hint="declare the domain (`x : vector(n) positive`) or give values (`x=[1,2]`)",
        )
    return found


# ── points ───────────────────────────────────────────────────────────────────────────────────


def points(
    expressions: list[Expr],
    values: Mapping[str, Array],
    sizes: Mapping[str, int],
    rng: np.random.Generator,
) -> Iterator[dict[str, Array]]:
    """Points where all `expressions` are finite: `values`, and the other variables drawn."""
    variables = expressions[0].variables
    fixed = {name: np.asarray(value, float) for name, value in values.items()}
    known = {**sizes, **bind_sizes(variables, fixed)}
    for numbers in _default_sizes(variables, known):
        for distribution in DISTRIBUTIONS:
            for _ in range(DRAWS):
                point = {
                    name: fixed[name]
                    if name in fixed
                    else sample(variable, numbers, rng, distribution)
                    for name, variable in variables.items()
                }
                if all(np.isfinite(_largest(e.evaluate(**point))) for e in expressions):
                    yield point
                if len(fixed) == len(variables):
                    return


def _default_sizes(
    variables: Mapping[str, Variable], known: Mapping[str, int]
) -> Iterator[dict[str, int]]:
    """Small distinct numbers for the sizes that are not known: rising, then falling."""
    dims = [dim for variable in variables.values() for dim in variable.dims]
    names = [n for n in dict.fromkeys(name for dim in dims for name in dim.names) if n not in known]
    rising = range(2, 2 + len(names))
    for numbers in (rising, rising[::-1]):
        yield {**known, **dict(zip(names, numbers, strict=True))}


Distribution = Callable[[np.random.Generator, tuple[int, ...]], Array]

# tried in this order
DISTRIBUTIONS: tuple[Distribution, ...] = (
    lambda rng, shape: rng.standard_normal(shape),
    lambda rng, shape: rng.uniform(0.5, 2.0, shape),
    lambda rng, shape: rng.uniform(0.1, 0.9, shape),
    lambda rng, shape: rng.uniform(1.1, 3.0, shape),
    lambda rng, shape: rng.uniform(-0.2, 0.2, shape),
)

# property: how a matrix of it is made of any matrix
MADE: dict[str, Callable[[Array], Array]] = {
    "symmetric": lambda a: (a + a.T) / 2,
    "skew": lambda a: (a - a.T) / 2,
    "diagonal": lambda a: np.diag(np.diag(a)),
    "lower": np.tril,
    "upper": np.triu,
    "orthogonal": lambda a: np.linalg.qr(a)[0],
    "spd": lambda a: a @ a.T / len(a) + np.eye(len(a)),
    "invertible": lambda a: a + len(a) * np.eye(*a.shape),
}


def sample(
    variable: Variable,
    sizes: Mapping[str, int],
    rng: np.random.Generator,
    distribution: Distribution = DISTRIBUTIONS[0],
) -> Array:
    """A random value of a variable that has its properties."""
    shape = tuple(dim.value(sizes) for dim in variable.dims)
    facts = variable.properties
    if "integer" in facts:
        array = rng.integers(1, 5, shape).astype(float)
    elif facts & {"positive", "nonnegative"}:
        array = rng.uniform(0.5, 2.0, shape)
    else:
        array = distribution(rng, shape)
    for fact in MADE:
        if fact in facts and len(shape) == 2:
            array = MADE[fact](array)
    return np.asarray(array)


# property: the part of any matrix that is a direction in which `x` keeps the property
PROJECTED: dict[str, Callable[[Array, Array], Array]] = {
    "symmetric": lambda a, x: (a + a.T) / 2,
    "spd": lambda a, x: (a + a.T) / 2,
    "skew": lambda a, x: (a - a.T) / 2,
    "diagonal": lambda a, x: np.diag(np.diag(a)),
    "lower": lambda a, x: np.tril(a),
    "upper": lambda a, x: np.triu(a),
    "orthogonal": lambda a, x: np.asarray(x @ (a - a.T) / 2),
}


def tangents(variable: Variable, point: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Directions in which the variable keeps its properties.

    They span all of them; for more than `MAX_DIRECTIONS` entries so many are drawn.
    """
    projections = [PROJECTED[fact] for fact in PROJECTED if fact in variable.properties]
    if point.size <= MAX_DIRECTIONS:
        directions = _units(point.shape)
    else:
        directions = (DISTRIBUTIONS[0](rng, point.shape) for _ in range(MAX_DIRECTIONS))
    for direction in directions:
        for project in projections:
            direction = project(direction, point)
        largest = _largest(direction)
        if largest:
            yield direction / largest
