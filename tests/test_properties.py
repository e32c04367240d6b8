"""Properties of random programs: values, notations, derivatives, printed forms, kernels.

Everything is compared with `formulas.value`, which knows nothing of tensorcalc, and derivatives
with its differences. Each property has few programs by default and many with ``-m slow``; the
programs are the same in every run. Of a program that fails its smallest failing part is shown.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from concrete import numbers
from formulas import SERIES, Array, Formula, subformulas
from strategies import FOCUS, Problem, Program, focused, parts, program

import tensorcalc as tc
from tensorcalc.errors import DomainError, TensorcalcError

Data = Mapping[str, Any]
Check = Callable[[Program], None]

# What is not checked yet, by the constructs that a formula has (`constructs`); a check is turned on
# by taking a construct out of its set, all by making the set empty.
NEWER = frozenset(
    "block kron vec commutation cross eps reduce softmax range series pinv adj power-by-name "
    "unknown unknown-map complex".split()
) | frozenset(SERIES)
NO_TEXT = NEWER  # to_text, in every layout
NO_INDEX = NEWER  # to_index and to_einsum
NO_CODE = NEWER  # to_code
NO_KERNELS = frozenset({"unknown", "unknown-map", "complex"})

UNTOLD = "a size cannot be inferred"  # what a printed form may leave to its surroundings


def counts(few: int, many: int) -> pytest.MarkDecorator:
    """A test with the first `few` programs, and a slow one with the next `many`."""
    slow = pytest.param(range(few, few + many), marks=pytest.mark.slow, id="many")
    return pytest.mark.parametrize("seeds", [pytest.param(range(few), id="few"), slow])


def for_all(
    check: Check,
    seeds: Sequence[int],
    rank: int | None = None,
    *,
    is_complex: bool = False,
    make: Callable[[int], Program] | None = None,
) -> None:
    """Check the program of every seed; of the first that fails, show the smallest failing part."""
    for seed in seeds:
        made = make(seed) if make else program(seed, rank, is_complex=is_complex)
        try:
            check(made)
        except Exception as error:
            smallest, error = smaller(check, made, error)
            raise AssertionError(f"seed {seed}\n{smallest}\n{error}") from error


def smaller(check: Check, made: Program, error: Exception) -> tuple[Program, Exception]:
    """The smallest part of a program that fails in the same way, and how."""
    for part in parts(made):
        try:
            check(part)
        except Exception as found:
            if type(found) is type(error):
                return part, found
    return made, error


def constructs(problem: Problem) -> frozenset[str]:
    """The names of the newer constructs in a formula."""

    def names(f: Formula) -> Iterator[str]:
        yield f.kind.replace(" ", "-")
        if f.kind in ("function", "unary"):
            yield f.data
        if f.kind == "symbolic power":
            yield "negative-power" if f.args[1].kind == "negate" else "power-by-name"
        if f.data is not None and "complex" in problem.properties.get(str(f.data), ""):
            yield "complex"

    return frozenset(name for f in subformulas(problem.formula) for name in names(f))


def assert_close(found: Any, expected: Any, tolerance: float = 1e-9, about: object = "") -> None:
    """Equal shapes, and equal entries as measured by the largest."""
    assert np.shape(found) == np.shape(expected), f"{about}\nshapes differ"
    assert near(found, expected, tolerance), f"{about}\nfound {found}\nexpected {expected}"


def near(found: Any, expected: Any, tolerance: float) -> bool:
    """Whether no entry is further off than that part of the largest, or of 1."""
    largest = max(1.0, np.abs(expected).max(initial=0.0))
    return bool(np.all(np.abs(np.asarray(found) - expected) <= tolerance * largest))


# ── values and notations ─────────────────────────────────────────────────────────────────────


@counts(150, 6000)
def test_values(seeds: Sequence[int]) -> None:
    """A program has the value that NumPy finds, in each notation and in a mixture of them."""

    def check(made: Program) -> None:
        expected = made.problem.expected()
        for text in (made.text, *made.pure.values()):
            assert_close(numbers(tc.parse(text), made.problem.data), expected, about=text)

    for_all(check, seeds)


@counts(60, 3000)
def test_complex_values(seeds: Sequence[int]) -> None:
    """A program with complex variables has the value that NumPy finds, in each notation."""

    def check(made: Program) -> None:
        expected = made.problem.expected()
        for text in (made.text, *made.pure.values()):
            assert_close(numbers(tc.parse(text), made.problem.data), expected, about=text)

    for_all(check, seeds, is_complex=True)


LEAVES = ("variable", "number", "constant", "pi", "size", "eye")
LINEAR = ("product", "sum", "negate", "total", "mean", "pick", *LEAVES)


def is_plain(problem: Problem) -> bool:
    """Whether the normal form is one for all notations.

    The same axes in another order are another node inside a function of a product, and in a sum.
    A trace of a sum goes term by term only where nothing else is summed with it; a square of many
    factors is one node where it was one operand; powers go into products by their factors.
    """
    for f in subformulas(problem.formula):
        inner = [a for a in f.args if a.kind not in LEAVES]
        if f.kind == "product" and len(set(inner)) < len(inner):
            return False
        if f.kind == "sum" and f.rank > 1:
            return False
        if f.kind in ("power", "pow", "matrix power", "batch") and inner:
            return False
        if f.kind not in LINEAR and any(a.rank > 1 for a in inner):
            return False
        if f.kind in ("reduce", "softmax") and f.args[0].rank > 2:
            return False
        if f.kind == "range" or (f.kind == "block" and f is not problem.formula):
            return False  # sums of their parts
        if f.kind == "unknown map" and any(a.rank > 1 for a in f.args):
            return False  # diagonals stay outside
    return True


@counts(150, 6000)
def test_notations(seeds: Sequence[int]) -> None:
    """The same formula in matrix notation, index notation and einsum strings is one node."""

    def check(made: Program) -> None:
        if not is_plain(made.problem):
            return
        nodes = {notation: tc.parse(text).node for notation, text in made.pure.items()}
        for notation, node in nodes.items():
            assert node is nodes["matrix"], f"{made.pure['matrix']}\n---\n{made.pure[notation]}"

    for_all(check, seeds)


# ── derivatives against differences ──────────────────────────────────────────────────────────

# steps by order: differences lose digits to small steps, and meet kinks and poles with large ones
STEPS = {1: (4e-3, 1e-3, 1.5e-2, 2e-4), 2: (8e-3, 3e-3, 2e-2, 1e-3), 3: (2e-2, 8e-3, 3e-3, 1e-3)}
PRECISION = {1: 1e-7, 2: 1e-6, 3: 1e-5}


def slope(function: Callable[[float], Array], step: float) -> Array:
    """The derivative at 0, by central differences of three steps extrapolated (Richardson)."""
    wide, middle, narrow = (
        (function(h) - function(-h)) / (2 * h) for h in (step, step / 2, step / 4)
    )
    return (16 * (4 * narrow - middle) - (4 * middle - wide)) / 45


def difference(
    problem: Problem, names: Sequence[str], directions: Sequence[Array], step: float
) -> Array:
    """The derivative of the independent value in directions, one for each name."""

    def along(order: int, data: dict[str, Array]) -> Array:
        if order == len(names):
            return problem.expected(data)
        name = names[order]
        return slope(
            lambda t: along(order + 1, {**data, name: data[name] + t * directions[order]}), step
        )

    with np.errstate(all="ignore"):
        return along(0, dict(problem.data))


def assert_derivative(
    expression: tc.Expr, problem: Problem, names: Sequence[str], turn: complex = 1
) -> None:
    """The derivative of `problem` by `names` has the right shape and entries.

    Directions are real ones times `turn`.
    """
    found = numbers(expression, problem.data)
    shapes = [problem.data[name].shape for name in names]
    assert found.shape == problem.expected().shape + sum(shapes, ()), f"by {names}: shape"
    rng = np.random.default_rng(problem.seed)
    directions = [turn * rng.uniform(-1, 1, shape) for shape in shapes]
    for direction in reversed(directions):
        found = np.tensordot(found, direction, direction.ndim)
    for step in STEPS[len(names)]:
        expected = difference(problem, names, directions, step)
        if near(found, expected, PRECISION[len(names)]):
            return
    about = f"by {', '.join(names)}, in one direction: {expression.to_index()}"
    assert_close(found, expected, PRECISION[len(names)], about)


def rank(problem: Problem, names: Sequence[str]) -> int:
    """How many axes a derivative has."""
    return problem.formula.rank + sum(problem.data[name].ndim for name in names)


def names_of(problem: Problem) -> list[str]:
    """The variables that the formula can be differentiated by."""
    return [v.data for v in problem.variables if v.data not in problem.integers]


@counts(100, 4000)
def test_first_derivatives(seeds: Sequence[int]) -> None:
    """Derivatives by every variable, of any rank, against differences."""

    def check(made: Program) -> None:
        expression = tc.parse(made.text)
        for name in names_of(made.problem):
            if rank(made.problem, [name]) <= 6:
                assert_derivative(tc.diff(expression, name), made.problem, [name])

    for_all(check, seeds)


@counts(60, 2000)
def test_complex_derivatives(seeds: Sequence[int]) -> None:
    """By real variables always; by complex ones, where there is no conjugate, in any direction."""

    def check(made: Program) -> None:
        expression = tc.parse(made.text)
        for name in names_of(made.problem):
            if rank(made.problem, [name]) > 6:
                continue
            is_complex = np.iscomplexobj(made.problem.data[name])
            try:
                derivative = tc.diff(expression, name)
            except DomainError as error:
                if is_complex or "pinv" in error.message:
                    continue
                raise
            for turn in (1, 1j) if is_complex else (1,):
                assert_derivative(derivative, made.problem, [name], turn)

    for_all(check, seeds, is_complex=True)


@counts(60, 2000)
def test_second_derivatives(seeds: Sequence[int]) -> None:
    """Derivatives by every pair of variables, against differences of differences."""

    def check(made: Program) -> None:
        expression = tc.parse(made.text)
        for names in itertools.product(names_of(made.problem)[:3], repeat=2):
            if rank(made.problem, names) <= 5:
                assert_derivative(tc.diff(expression, *names), made.problem, names)

    for_all(check, seeds)


@counts(20, 800)
def test_third_derivatives(seeds: Sequence[int]) -> None:
    """Third derivatives of small scalar programs, against differences."""

    def check(made: Program) -> None:
        expression = tc.parse(made.text)
        for names in itertools.product(names_of(made.problem)[:2], repeat=3):
            if rank(made.problem, names) <= 4 and len(subformulas(made.problem.formula)) <= 15:
                assert_derivative(tc.diff(expression, *names), made.problem, names)

    for_all(check, seeds, 0)


@counts(len(FOCUS), 20 * len(FOCUS))
def test_each_function(seeds: Sequence[int]) -> None:
    """Small programs around each function: derivatives of first to third order by all variables."""

    def check(made: Program) -> None:
        problem, expression = made.problem, tc.parse(made.text)
        for order, limit in ((1, 6), (2, 6), (3, 6)):
            for names in itertools.product(names_of(problem)[:3], repeat=order):
                if list(names) == sorted(names) and rank(problem, names) <= limit:
                    assert_derivative(tc.diff(expression, *names), problem, names)

    for_all(check, seeds, make=focused)


@counts(len(FOCUS), 20 * len(FOCUS))
def test_modes_of_each_function(seeds: Sequence[int]) -> None:
    """Forward and reverse mode of the first two derivatives are adjoint, order does not matter."""

    def check(made: Program) -> None:
        problem, expression = made.problem, tc.parse(made.text)
        names = names_of(problem)
        assert_adjoint(expression, problem)
        for name in names[:2]:
            if rank(problem, [name]) <= 4:
                assert_adjoint(tc.diff(expression, name), problem)
        for one, other in itertools.combinations(names[:3], 2):
            if rank(problem, [one, other]) <= 6:
                k = problem.data[one].ndim
                first = numbers(tc.diff(expression, one, other), problem.data)
                second = numbers(tc.diff(expression, other, one), problem.data)
                at = problem.formula.rank
                moved = np.moveaxis(
                    second,
                    range(second.ndim - k, second.ndim),
                    range(at, at + k),
                )
                assert_close(first, moved, about=f"by {one}, {other}")

    for_all(check, seeds, make=focused)


# ── derivatives against each other ───────────────────────────────────────────────────────────


def assert_adjoint(expression: tc.Expr, problem: Problem) -> None:
    """``<u, J*v> = <J'*u, v>``, and ``J*v`` is the product with the Jacobian."""
    names = names_of(problem)
    rng = np.random.default_rng(problem.seed)
    data: dict[str, Any] = dict(problem.data)
    directions = [f"direction{k}" for k in range(len(names))]
    for name, direction in zip(names, directions, strict=True):
        data[direction] = rng.normal(size=data[name].shape)
    forward = numbers(tc.jvp(expression, names, directions), data)
    data["cotangent"] = rng.normal(size=forward.shape)
    pulled = tc.vjp(expression, names, "cotangent")
    reverse = sum(
        np.sum(numbers(pulled[name], data) * data[direction])
        for name, direction in zip(names, directions, strict=True)
    )
    assert_close(np.sum(forward * data["cotangent"]), reverse, about="jvp and vjp")
    if names and forward.ndim + sum(data[name].ndim for name in names) <= 6:
        whole = sum(
            np.tensordot(numbers(tc.jacobian(expression, n), data), data[d], data[d].ndim)
            for n, d in zip(names, directions, strict=True)
        )
        assert_close(forward, whole, about="jvp and Jacobian")


@counts(100, 3000)
def test_products_with_jacobians(seeds: Sequence[int]) -> None:
    """Forward and reverse mode are adjoint, and both are the Jacobian's products."""
    for_all(lambda made: assert_adjoint(tc.parse(made.text), made.problem), seeds)


@counts(100, 3000)
def test_gradients(seeds: Sequence[int]) -> None:
    """All gradients at once are those one by one."""

    def check(made: Program) -> None:
        expression, names = tc.parse(made.text), names_of(made.problem)
        gradients = tc.grad(expression, names)
        assert list(gradients) == names
        for name, gradient in gradients.items():
            alone = numbers(tc.diff(expression, name), made.problem.data)
            assert_close(numbers(gradient, made.problem.data), alone, about=f"by {name}")

    for_all(check, seeds, 0)


@counts(60, 2000)
def test_hessians(seeds: Sequence[int]) -> None:
    """A Hessian is symmetric, and its product is that of the Hessian never formed."""

    def check(made: Program) -> None:
        expression, names = tc.parse(made.text), names_of(made.problem)
        data: dict[str, Any] = dict(made.problem.data)
        rng = np.random.default_rng(made.problem.seed)
        for name in names:
            axes = data[name].ndim
            if axes > 2:
                continue
            hessian = numbers(tc.hessian(expression, name), data)
            turned = np.transpose(hessian, (*range(axes, 2 * axes), *range(axes)))
            assert_close(hessian, turned, about=f"by {name}: symmetry")
            data["direction"] = rng.normal(size=data[name].shape)
            product = numbers(tc.hvp(expression, name, "direction"), data)
            assert_close(product, np.tensordot(hessian, data["direction"], axes), about=name)

    for_all(check, seeds, 0)


# ── printed forms ────────────────────────────────────────────────────────────────────────────


def read(text: str, expression: tc.Expr, problem: Problem) -> tc.Expr | None:
    """A printed form parsed with declarations; None where it does not tell a size."""
    declared = problem.declarations()
    names = [name for name in declared if name in {*expression.variables, *problem.unknown}]
    try:
        return tc.parse(text, **{name: declared[name] for name in names})
    except TensorcalcError as error:
        if error.message == UNTOLD:
            return None
        raise


def run(code: str, expression: tc.Expr, data: Data) -> Any:
    """The value of printed NumPy code."""
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102  (our own text)
    with np.errstate(all="ignore"):
        return scope["f"](*[data[name] for name in expression.variables])


def assert_printed(expression: tc.Expr, problem: Problem) -> None:
    """Every printed form means the expression."""
    expected = numbers(expression, problem.data)
    had = constructs(problem)
    texts = [] if had & NO_TEXT else [expression.to_text()]
    if not had & NO_INDEX:
        texts += [expression.to_index(), expression.to_einsum()]
    for text in texts:
        again = read(text, expression, problem)
        if again is not None:
            assert_close(numbers(again, problem.data), expected, 1e-8, text)
    if not had & NO_CODE:
        code = expression.to_code("numpy")
        assert_close(run(code, expression, problem.data), expected, 1e-8, code)
    if not had & NO_TEXT:
        assert expression.to_latex()


@counts(100, 3000)
def test_printed_formulas(seeds: Sequence[int]) -> None:
    """Text, index notation, einsum strings and NumPy code of a formula give its value."""
    for_all(lambda made: assert_printed(tc.parse(made.text), made.problem), seeds)


@counts(60, 2000)
def test_printed_derivatives(seeds: Sequence[int]) -> None:
    """The same of derivatives."""

    def check(made: Program) -> None:
        expression = tc.parse(made.text)
        for name in names_of(made.problem):
            if rank(made.problem, [name]) <= 4:
                assert_printed(tc.diff(expression, name), made.problem)

    for_all(check, seeds)


# the layouts (LANGUAGE, "Derivatives") that print the transpose of the array, by the ranks of
# function and variable; a column counts as the array, a row as its transpose
TRANSPOSED = {
    (0, 1): ["numerator"], (0, 2): ["numerator"], (1, 0): ["denominator"],
    (1, 1): ["denominator"], (2, 0): ["denominator"],
}  # fmt: skip


@counts(100, 3000)
def test_layouts(seeds: Sequence[int]) -> None:
    """Numerator and denominator layout print the transposes that the table of the language says."""

    def check(made: Program) -> None:
        problem = made.problem
        if constructs(problem) & NO_TEXT:
            return
        expression = tc.parse(made.text)
        for name in names_of(problem):
            ranks = problem.formula.rank, problem.data[name].ndim
            if ranks not in TRANSPOSED:
                continue
            derivative = tc.diff(expression, name)
            expected = numbers(derivative, problem.data)
            for layout in ("mixed", "numerator", "denominator"):
                text = derivative.to_text(layout=layout)
                again = read(text, derivative, problem)
                if again is None:
                    continue
                turned = layout in TRANSPOSED[ranks]
                wanted = expected.T if turned else expected
                assert_close(numbers(again, problem.data), wanted, 1e-8, (layout, text))
                if "->" not in text:  # index notation has axes, no rows
                    row = turned and expected.ndim == 1
                    assert again._elaborated.row == row, (layout, text)

    for_all(check, seeds)


# ── kernels ──────────────────────────────────────────────────────────────────────────────────


def outputs(expression: tc.Expr, problem: Problem) -> dict[str, tc.Expr]:
    """A value and its derivatives, to be compiled together."""
    names = [name for name in names_of(problem) if rank(problem, [name]) <= 3]
    return {"value": expression, **{f"by {name}": tc.diff(expression, name) for name in names}}


@counts(12, 150)
def test_kernels(seeds: Sequence[int]) -> None:
    """A compiled kernel of value and derivatives agrees with the interpreter."""

    def check(made: Program) -> None:
        if constructs(made.problem) & NO_KERNELS:
            return
        wanted = outputs(tc.parse(made.text), made.problem)
        kernel = tc.compile(wanted)
        data = made.problem.data
        found = kernel(**{name: data[name] for name in kernel.variables})
        assert list(found) == list(wanted)
        for name, expression in wanted.items():
            assert_close(found[name], numbers(expression, data), 1e-8, name)

    for_all(check, seeds)
