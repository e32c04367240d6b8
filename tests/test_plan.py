"""Planning: classes, fusion and sharing on chosen programs, and random programs run as Python."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import tensorcalc as tc
from tensorcalc import canonical as c
from tensorcalc.dims import Dim, Dims
from tensorcalc.emit import driver
from tensorcalc.errors import LimitError
from tensorcalc.functions import FUNCTIONS
from tensorcalc.interpret import evaluate
from tensorcalc.ir import Basis, Delta, Node, Variable
from tensorcalc.plan import classify, plan, ranges, slices, tasks
from tensorcalc.plan.program import Blas, Load, Loop, Nest, Pass, Program, flat, statements
from tensorcalc.plan.turn import turn
from tensorcalc.traverse import variables

M, N, P = Dim.of("m"), Dim.of("n"), Dim.of("p")
A, B = Variable.of("A", (M, N)), Variable.of("B", (N, P))
T = Variable.of("T", (M, N, P))
x, y, z = Variable.of("x", (N,)), Variable.of("y", (M,)), Variable.of("z", (P,))
SIZES = {"m": 200, "n": 30, "p": 40}

Ax = c.einsum(1, (M, N), [(A, (0, 1)), (x, (1,))])
PAIR = c.scale(-1, c.einsum(1, (M, N), [(y, (0,)), (A, (0, 1)), (x, (1,))]))
VALUE = c.einsum(0, (M,), [(c.elementwise("softplus", (PAIR,)), (0,))])
GRADIENT = c.einsum(1, (N, M), [(A, (1, 0)), (y, (1,)), (c.elementwise("sigmoid", (PAIR,)), (1,))])
KERNEL = c.elementwise(
    "exp", (c.add((M, N), [(Fraction(1), c.einsum(2, (M, N), [(y, (0,))])), (Fraction(-1), A)]),)
)

CLASSES: list[tuple[str, dict[str, Node], list[str]]] = [
    ("matrix times vector", {"o": Ax}, ["GEMV"]),
    ("transposed", {"o": c.einsum(1, (N, M), [(A, (1, 0)), (y, (1,))])}, ["GEMV"]),
    ("product", {"o": c.einsum(2, (M, P, N), [(A, (0, 2)), (B, (2, 1))])}, ["GEMM"]),
    ("Gram", {"o": c.einsum(2, (N, N, M), [(A, (2, 0)), (A, (2, 1))])}, ["SYRK"]),
    ("dot", {"o": c.einsum(0, (N,), [(x, (0,)), (x, (0,))])}, ["LOOP"]),
    ("outer", {"o": c.einsum(2, (M, N), [(y, (0,)), (x, (1,))])}, ["LOOP"]),
    ("tensor times vector, merged axes", {"o": c.einsum(2, (M, N, P), [(T, (0, 1, 2)), (z, (2,))])},
     ["GEMV"]),
    ("middle axis", {"o": c.einsum(2, (M, P, N), [(T, (0, 2, 1)), (x, (2,))])}, ["batched GEMV"]),
    ("batched product", {"o": c.einsum(3, (M, P, P, N), [(T, (0, 3, 1)), (T, (0, 3, 2))])},
     ["batched GEMM"]),
    ("computed matrix is not stored", {"o": c.einsum(1, (M, N), [(KERNEL, (0, 1)), (x, (1,))])},
     ["LOOP"]),
    ("value and residual in one loop", {"v": VALUE, "g": GRADIENT}, ["GEMV", "LOOP", "GEMV"]),
    ("shared contraction", {"a": Ax, "b": c.einsum(0, (M, N), [(y, (0,)), (A, (0, 1)), (x, (1,))])},
     ["GEMV", "LOOP"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "outputs", "kinds"), CLASSES, ids=[case[0] for case in CLASSES])
def test_classes(
    name: str, outputs: dict[str, Node], kinds: list[str], run_source: Callable[..., list[Any]]
) -> None:
    """The steps are of the expected classes, and right."""
    program = plan(outputs, SIZES)
    assert [step.kind for step in program.steps] == kinds
    compare(outputs, SIZES, run_source, 0)


def test_one_pass_over_the_data() -> None:
    """The residual's loop has the value and the residual as its two results."""
    loop = plan({"v": VALUE, "g": GRADIENT}, SIZES).steps[1]
    assert isinstance(loop, Nest)
    assert len(loop.outputs) == 2


def test_table() -> None:
    """A plan prints as a table."""
    assert str(plan({"o": Ax}, SIZES)) == (
        "step  class  result    flops     bytes  time\n"
        "   0  GEMV   o0      1.2e+04  4.98e+04  100%\n"
        "      total          1.2e+04  4.98e+04  100%\n"
        "memory: 0 B between the steps, 1.6 kB of results"
    )


def test_order_of_contraction() -> None:
    """A*(B*z) rather than (A*B)*z."""
    node = c.einsum(1, (M, N, P), [(A, (0, 1)), (B, (1, 2)), (z, (2,))])
    assert [step.kind for step in plan({"o": node}, SIZES).steps] == ["GEMV", "GEMV"]


def test_memory_is_checked_first() -> None:
    """A result that does not fit is refused with its shape."""
    node = c.einsum(2, (M, N), [(y, (0,)), (x, (1,))])
    with pytest.raises(LimitError, match=r"GiB.*\(10000000, 10000000\)"):
        plan({"o": node}, {"m": 10**7, "n": 10**7})


def test_memory_is_taken_over(run_source: Callable[..., list[Any]]) -> None:
    """A residual is written over the product that it is made of; one that is read later is not."""
    product = c.einsum(2, (M, P, N), [(A, (0, 2)), (B, (2, 1))])
    Y = Variable.of("Y", (M, P))
    residual = c.add((M, P), [(Fraction(1), product), (Fraction(-1), Y)])
    outputs = {
        "v": c.einsum(0, (M, P), [(residual, (0, 1)), (residual, (0, 1))]),
        "g": c.einsum(2, (M, N, P), [(residual, (0, 2)), (B, (1, 2))]),
    }
    program = plan(outputs, SIZES)
    assert {b.name: b.memory for b in program.temporaries}["t1"] == "t0"
    compare(outputs, SIZES, run_source, 0)
    outputs["product"] = product
    assert {b.memory for b in plan(outputs, SIZES).temporaries} == {None}
    compare(outputs, SIZES, run_source, 0)


def test_no_memory_is_taken_over_out_of_step() -> None:
    """The transpose of what is read in the same loop needs memory of its own."""
    S = Variable.of("S", (N, N))
    square = c.einsum(2, (N, N, N), [(S, (0, 2)), (S, (2, 1))])
    exp = c.elementwise("exp", (square,))
    total = c.add(
        (N, N), [(Fraction(1), exp), (Fraction(1), c.einsum(2, (N, N), [(square, (1, 0))]))]
    )
    assert [b.memory for b in plan({"o": total}, SIZES).results] == [None]
    assert [b.memory for b in plan({"o": exp}, SIZES).results] == ["t0"]


def test_large_buffers() -> None:
    """They have their shape, for the caller to allocate; small ones do not."""
    node = c.einsum(2, (M, N), [(y, (0,)), (x, (1,))])
    assert [b.shape for b in plan({"o": node}, {"m": 1024, "n": 512}).passed] == [(1024, 512)]
    assert plan({"o": node}, {"m": 1024, "n": 511}).passed == ()


def test_turned_variables() -> None:
    """A program over the transpose: the same classes, and no step that transposes."""
    (turned,) = turn([Ax], ["A"])
    assert [step.kind for step in plan({"o": turned}, SIZES).steps] == ["GEMV"]
    assert variables(turned)["A"].dims == (N, M)
    assert turn([Ax], []) == [Ax]


def test_plans_do_not_depend_on_sizes_alone() -> None:
    """Two sizes of one class give one program, so one compiled kernel."""
    first, second = (plan({"o": Ax}, {"m": m, "n": 50}) for m in (100, 5000))
    assert [s.kind for s in first.steps] == [s.kind for s in second.steps]
    assert first.extents == second.extents


# ── random programs ──────────────────────────────────────────────────────────────────────────

SINGULAR = {"tan", "arcsin", "arccos", "log", "log1p", "lgamma", "digamma", "polygamma"}
UNARY = [n for n, f in FUNCTIONS.items() if f.arity == 1 and n not in SINGULAR]
POWERS = [Fraction(k, 2) for k in (-2, -1, 1, 5, 6)] + [Fraction(1, 3)]
DIMS = (M, N, P)


def expression(rng: random.Random, dims: Dims, depth: int) -> Node:
    """A random node with the given dims."""
    rank = len(dims)
    choice = rng.random() if depth else 0.0
    if choice < 0.15:
        leaf = rng.random()
        if leaf < 0.1 and rank == 2 and dims[0] == dims[1]:
            return Delta.of(dims[0])
        if leaf < 0.15 and rank == 1:
            return Basis.of(dims[0], rng.randrange(2))
        if leaf < 0.2:
            return c.number(Fraction(rng.randrange(-5, 6), 3), dims)
        name = "x" + "".join(dim.names[0] for dim in dims) + str(rng.randrange(2))
        return Variable.of(name, dims)
    if choice < 0.3:
        return c.elementwise(rng.choice(UNARY), [expression(rng, dims, depth - 1)])
    if choice < 0.37:
        function = rng.choice(["max", "min", "lt", "ge", "where"])
        arity = FUNCTIONS[function].arity
        return c.elementwise(function, [expression(rng, dims, depth - 1) for _ in range(arity)])
    if choice < 0.44:
        base = c.elementwise("softplus", [expression(rng, dims, depth - 1)])
        one = c.number(Fraction(1, 2), dims)
        return c.power(c.add(dims, [(Fraction(1), base), (Fraction(1), one)]), rng.choice(POWERS))
    if choice < 0.55:
        terms = [(Fraction(rng.randrange(-3, 4), 2), expression(rng, dims, depth - 1))
                 for _ in range(rng.randrange(1, 4))]  # fmt: skip
        return c.add(dims, terms)
    if choice < 0.62 and rank <= 2:
        extra = tuple([rng.choice(DIMS) for _ in range(2)])
        return c.matrix_function("normF", expression(rng, dims + extra, depth - 1))
    if choice < 0.66 and rank <= 1:
        dim = rng.choice(DIMS)
        return c.matrix_function("det", expression(rng, (*dims, dim, dim), depth - 1))
    sizes = [*dims, *[rng.choice(DIMS) for _ in range(rng.randrange(4))]]
    factors = []
    for _ in range(rng.randrange(1, 5)):
        labels = [rng.randrange(len(sizes)) for _ in range(rng.randrange(4) if sizes else 0)]
        own = tuple([sizes[a] for a in labels])
        factors.append((expression(rng, own, depth - 1), tuple(labels)))
    return c.einsum(rank, sizes, factors)


def compare(
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    run_source: Callable[..., list[Any]],
    seed: int,
    budget: int | None = None,
) -> Program:
    """The program run as Python agrees with the interpreter."""
    program = plan(outputs, sizes, declared(outputs), budget=budget)
    check(outputs, sizes, lambda values: run_source(program, values), seed)
    return program


def declared(outputs: Mapping[str, Node]) -> dict[str, Variable]:
    """What random programs are functions of."""
    return {
        **variables(*outputs.values()),
        **{d.names[0]: Variable.of(d.names[0], (d,)) for d in DIMS},
    }


def check(
    outputs: Mapping[str, Node],
    sizes: Mapping[str, int],
    run: Callable[[Mapping[str, Any]], Sequence[Any]],
    seed: int,
) -> None:
    """What `run` computes from values agrees with the interpreter."""
    draw = np.random.default_rng(seed)
    values = {
        name: draw.normal(size=[dim.value(sizes) for dim in v.dims]) / 2
        for name, v in declared(outputs).items()
    }
    expected = evaluate(list(outputs.values()), values, sizes, np.dtype(float))
    for found, wanted in zip(run(values), expected, strict=True):
        assert np.shape(found) == wanted.shape
        scale = np.max(np.abs(wanted), initial=1, where=np.isfinite(wanted))
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("threshold", [1, 1000])
def test_random_programs(
    seed: int, threshold: int, run_source: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random programs at random small sizes, with BLAS for everything and for nothing."""
    monkeypatch.setattr(classify, "MIN_GEMV", threshold)
    monkeypatch.setattr(classify, "MIN_GEMM", threshold)
    rng = random.Random(seed)
    outputs = {
        f"o{k}": expression(rng, tuple([rng.choice(DIMS) for _ in range(rng.randrange(4))]), 3)
        for k in range(rng.randrange(1, 4))
    }
    compare(outputs, {name: rng.choice([2, 3, 4]) for name in "mnp"}, run_source, seed)


@pytest.mark.parametrize("seeds", [range(start, start + 20) for start in range(0, 200, 20)])
@pytest.mark.parametrize("threshold", [1, 1000])
def test_random_programs_in_slices(
    seeds: range,
    threshold: int,
    run_source: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same with passes wherever they save a byte, and short loops written out."""
    monkeypatch.setattr(classify, "MIN_GEMV", threshold)
    monkeypatch.setattr(classify, "MIN_GEMM", threshold)
    monkeypatch.setattr(slices, "MIN_SAVED", 0)
    monkeypatch.setattr(slices, "MIN_SHARE", 0)
    monkeypatch.setattr(slices, "STEP_BYTES", 0)
    monkeypatch.setattr(tasks, "MIN_LOOPED", 2)
    passes = 0
    for seed in seeds:
        rng = random.Random(seed)
        outputs = {
            f"o{k}": expression(rng, tuple([rng.choice(DIMS) for _ in range(rng.randrange(3))]), 4)
            for k in range(rng.randrange(1, 4))
        }
        sizes = {name: rng.choice([2, 3, 5, 6]) for name in "mnp"}
        program = compare(outputs, sizes, run_source, seed, rng.choice([60, 300]))
        passes += sum(isinstance(step, Pass) for step in flat(program.steps))
    assert passes > 2


@pytest.mark.parametrize("seeds", [range(start, start + 20) for start in range(0, 200, 20)])
@pytest.mark.parametrize("threads", [2, 3])
def test_random_programs_in_ranges(
    seeds: range,
    threads: int,
    python_kernel: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same for several threads: passes in ranges, each with what is joined for its own."""
    monkeypatch.setattr(driver, "emit", lambda program, dtype: (None, python_kernel(program)))
    monkeypatch.setattr(slices, "MIN_SAVED", 0)
    monkeypatch.setattr(slices, "MIN_SHARE", 0)
    monkeypatch.setattr(slices, "STEP_BYTES", 0)
    monkeypatch.setattr(tasks, "MIN_LOOPED", 2)
    monkeypatch.setattr(ranges, "MIN_WORK", 0)
    monkeypatch.setattr(ranges, "MAX_ADDED", 0)
    monkeypatch.setattr(ranges, "PAUSE", 20)
    passes = 0
    for seed in seeds:
        rng = random.Random(seed)
        outputs = {
            f"o{k}": expression(rng, tuple([rng.choice(DIMS) for _ in range(rng.randrange(3))]), 4)
            for k in range(rng.randrange(1, 4))
        }
        sizes = {name: rng.choice([2, 3, 5, 6]) for name in "mnp"}
        program = plan(outputs, sizes, declared(outputs), 8, rng.choice([60, 300]), threads)
        shapes = {
            name: tuple([dim.value(sizes) for dim in node.dims])
            for name, node in zip(program.outputs, outputs.values(), strict=True)
        }
        run = driver.drive(program, np.dtype(float), sizes, shapes)

        def ordered(values: Mapping[str, Any], run: Any = run, program: Any = program) -> Any:
            found = run(*[values[b.variable] for b in program.arguments])
            return [found[[b.name for b in program.results].index(n)] for n in program.outputs]

        check(outputs, sizes, ordered, seed)
        passes += program.is_threaded
    assert passes > 2


def test_deep_and_wide(run_source: Callable[..., list[Any]]) -> None:
    """No recursion: 300 nested functions; 18 loops run as 14."""
    node: Node = x
    for _ in range(300):
        node = c.elementwise("sin", (node,))
    compare({"o": node}, {"m": 2, "n": 3, "p": 2}, run_source, 1)
    pair = Dim.of(2)
    wide = Variable.of("w", (pair,) * 9)
    labels = tuple(range(9))
    outer = c.einsum(9, [pair] * 9, [(wide, labels), (c.elementwise("exp", (wide,)), labels[::-1])])
    compare({"o": outer}, {"m": 2, "n": 3, "p": 2}, run_source, 1)
    total = c.einsum(0, [pair] * 16, [(wide, tuple(range(9))), (wide, tuple(range(7, 16)))])
    compare({"o": total}, {"m": 2, "n": 3, "p": 2}, run_source, 1)
    big = c.einsum(16, [pair] * 16, [(wide, tuple(range(9))), (wide, tuple(range(7, 16)))])
    compare({"o": big}, {"m": 2, "n": 3, "p": 2}, run_source, 1)


LOOPS: list[tuple[str, tuple[int, ...], str, tuple[int, ...], int]] = [
    ("all axes in order are one loop", (3, 4, 5), "exp(T[i,j,k]) -> [i,j,k]", (), 1),
    ("neighbours that stay so", (3, 4, 5), "exp(T[i,j,k]) -> [k,i,j]", (), 2),
    ("reversed", (3, 4, 5), "exp(T[i,j,k]) -> [k,j,i]", (), 3),
    ("summed with kept ones", (300, 4, 5), "exp(T[i,j,k])*T[i,j,k] -> [i]", (), 2),
    ("a broadcast", (300, 4, 5), "exp(T[i,j,k])*w[k] -> [i,j,k]", (5,), 2),
    ("an outer product is not tiled", (90,), "T[i]*w[j] -> [i,j]", (100,), 2),
    ("tiled", (2, 90, 100), "exp(T[i,j,k]) -> [i,k,j]", (), 4),
]


@pytest.mark.parametrize(
    ("text", "shape", "weights", "count"),
    [(text, shape, weights, count) for _, shape, text, weights, count in LOOPS],
    ids=[case[0] for case in LOOPS],
)
def test_loops(
    run_source: Callable[..., list[Any]],
    text: str,
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    count: int,
) -> None:
    """Neighbouring axes are one loop; walks across each other are tiled; values are right."""
    rng = np.random.default_rng(1)
    values = {"T": rng.normal(size=shape), **({"w": rng.normal(size=weights)} if weights else {})}
    expression = tc.parse(text)
    node = expression.node
    sizes = {
        dim.names[0]: extent
        for name, array in values.items()
        for dim, extent in zip(expression.variables[name].dims, array.shape, strict=True)
    }
    program = plan({"o": node}, sizes)
    nests = [step for step in flat(program.steps) if isinstance(step, Nest)]
    assert [sum(isinstance(s, Loop) for s in statements(nest.body)) for nest in nests] == [count]
    (found,) = run_source(program, values)
    np.testing.assert_allclose(found, expression.evaluate(**values), rtol=1e-13)


@pytest.mark.parametrize(
    ("n", "threads", "whole"), [(300, 1, False), (300, 2, True), (30, 2, False)]
)
def test_products_that_are_left_to_blas(n: int, threads: int, whole: bool) -> None:
    """A large product is BLAS's for several threads, which tiles have not."""
    product = c.einsum(2, (M, P, N), [(A, (0, 2)), (B, (2, 1))])
    (step,) = plan({"o": product}, dict.fromkeys(SIZES, n), threads=threads).steps
    assert isinstance(step, Blas)
    assert (step.kind, step.whole) == ("GEMM", whole)


ORDERS: list[tuple[str, str, int]] = [
    ("each half of a patch", "axcd,bexf,cghi,fhjk->abdegijk", 4),
    ("a product's columns come first", "abcd,cebf,agdh->efgh", 4),
    ("tensors that are contracted over two axes each", "abcd,cebf,agdh,efgh->", 4),
]


@pytest.mark.parametrize(
    ("equation", "extent"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS]
)
def test_what_is_computed_is_not_copied(
    run_source: Callable[..., list[Any]], equation: str, extent: int
) -> None:
    """A contraction is made with its axes as its reader wants them; only arguments are copied."""
    terms, output = equation.split("->")
    dims: dict[Hashable, Dim] = {name: Dim.of(name) for name in terms if name.isalpha()}
    operands = {
        f"T{k}": Variable.of(f"T{k}", tuple(map(dims.__getitem__, term)))
        for k, term in enumerate(terms.split(","))
    }
    node = c.contract(output, dims, list(zip(operands.values(), terms.split(","), strict=True)))
    program = plan({"o": node}, dict.fromkeys(map(str, dims), extent))
    made = {name for step in flat(program.steps) for name in step.outputs}
    for step in flat(program.steps):
        if isinstance(step, Blas) and step.kind == "COPY":
            assert step.views[0].buffer not in made
        if isinstance(step, Nest) and not step.flops:
            loads = [s for s in statements(step.body) if isinstance(s, Load)]
            assert made.isdisjoint(load.buffer for load in loads)
    rng = np.random.default_rng(3)
    values = {name: rng.normal(size=(extent,) * len(v.dims)) for name, v in operands.items()}
    (found,) = run_source(program, values)
    np.testing.assert_allclose(found, np.einsum(equation, *values.values()), rtol=1e-10)


def test_the_first_part_of_an_array(run_source: Callable[..., list[Any]]) -> None:
    """Loops over the first rows and columns of a larger array are not one loop."""
    parts = "A : matrix(m, n); D : matrix(m, q); E : matrix(p, n); C : matrix(p, q); "
    derivative = tc.vjp(parts + "[A, D; E, C]", "A", "bar")
    sizes = {"m": 3, "n": 4, "p": 2, "q": 5}
    bar = np.random.default_rng(0).normal(size=(5, 9))
    program = plan({"o": derivative.node}, sizes, derivative.variables)
    shapes = {"A": (3, 4), "D": (3, 5), "E": (2, 4), "C": (2, 5)}
    (found,) = run_source(program, {"bar": bar, **{n: np.zeros(s) for n, s in shapes.items()}})
    np.testing.assert_array_equal(found, bar[:3, :4])
