"""The canonical numbering of contractions: the same for every order and every naming."""

from __future__ import annotations

import random

import pytest

from tensorcalc import canonical
from tensorcalc.canonical import Factor
from tensorcalc.canonical.contraction import Edge, canonical_form
from tensorcalc.dims import Dim
from tensorcalc.ir import Node, Variable

N, M = Dim.of("n"), Dim.of("m")
A, B, C = (Variable.of(name, (N, N)) for name in "ABC")
S = Variable.of("S", (N, N), frozenset({"symmetric"}))
T = Variable.of("T", (N, N, N))
X = Variable.of("X", (M, N))
x, y = (Variable.of(name, (N,)) for name in "xy")


def cycle(length: int, matrix: Node = A, start: int = 0) -> list[Factor]:
    """The trace of a power."""
    return [(matrix, (start + k, start + (k + 1) % length)) for k in range(length)]


def graph(pairs: list[tuple[int, int]], matrix: Node = A) -> list[Factor]:
    """A matrix on every edge of a graph, vertices summed."""
    return [(matrix, pair) for pair in pairs]


PETERSEN = [*[(k, (k + 1) % 5) for k in range(5)], *[(k, k + 5) for k in range(5)],
            *[(k + 5, (k + 2) % 5 + 5) for k in range(5)]]  # fmt: skip
CUBE = [(a, a ^ bit) for a in range(8) for bit in (1, 2, 4) if a < a ^ bit]

# name, rank, factors; labels from `rank` on are summed
GRAPHS: list[tuple[str, int, list[Factor]]] = [
    ("x'*A*y", 0, [(x, (0,)), (A, (0, 1)), (y, (1,))]),
    ("x'*A*x", 0, [(x, (0,)), (A, (0, 1)), (x, (1,))]),
    ("A*B'*C", 2, [(A, (0, 2)), (B, (3, 2)), (C, (3, 1))]),
    ("diagonal", 1, [(A, (0, 0)), (B, (0, 0))]),
    ("output twice", 2, [(x, (0,)), (x, (0,)), (y, (1,)), (A, (0, 1))]),
    ("cycle of 6", 0, cycle(6)),
    ("cycle of 9", 0, cycle(9)),
    ("cycle with one other", 0, [*cycle(6)[1:], (B, (0, 1))]),
    ("cycle with a reversed edge", 0, [*cycle(6)[1:], (A, (1, 0))]),
    ("two cycles of 3", 0, [*cycle(3), *cycle(3, start=3)]),
    ("three cycles of 4", 0, [*cycle(4), *cycle(4, start=4), *cycle(4, start=8)]),
    ("cycles of 3 and 5", 0, [*cycle(3), *cycle(5, start=3)]),
    ("x'*y four times", 0, [(v, (k,)) for k in range(4) for v in (x, y)]),
    ("star", 0, [(A, (0, k)) for k in range(1, 6)]),
    ("star of chains", 1, [f for k in range(1, 5) for f in [(A, (0, k)), (B, (k, k + 4)), (x, (k + 4,))]]),
    ("cube", 0, graph(CUBE)),
    ("Petersen's graph", 0, graph(PETERSEN)),
    ("complete graph of 5", 0, graph([(a, b) for a in range(5) for b in range(a)])),
    ("rank 3", 1, [(T, (0, 1, 2)), (T, (2, 1, 3)), (x, (3,))]),
    ("rank 3, twice the same label", 1, [(T, (0, 1, 1)), (T, (2, 2, 2))]),
    ("other sizes", 0, [(X, (0, 1)), (X, (0, 2)), (A, (1, 2))]),
]  # fmt: skip


def sizes_of(rank: int, factors: list[Factor]) -> list[Dim]:
    """The size of every label."""
    sizes = {a: d for node, labels in factors for a, d in zip(labels, node.dims, strict=True)}
    return [sizes[a] for a in range(max([rank - 1, *sizes]) + 1)]


def shuffled(rank: int, factors: list[Factor], seed: int) -> Node:
    """The contraction with its operands in another order and its summed labels renamed."""
    rng = random.Random(seed)
    sizes = sizes_of(rank, factors)
    new = [*range(rank), *rng.sample(range(rank, len(sizes)), len(sizes) - rank)]
    moved = [(node, tuple(new[a] for a in labels)) for node, labels in factors]
    rng.shuffle(moved)
    back = {n: k for k, n in enumerate(new)}
    return canonical.einsum(rank, [sizes[back[n]] for n in range(len(sizes))], moved)


@pytest.mark.parametrize(("rank", "factors"), [g[1:] for g in GRAPHS], ids=[g[0] for g in GRAPHS])
def test_form_does_not_depend_on_order_and_names(rank: int, factors: list[Factor]) -> None:
    """Any order of operands and any names of summed labels give one node."""
    assert len({shuffled(rank, factors, seed) for seed in range(20)}) == 1


def test_different_contractions_stay_different() -> None:
    """No two graphs of the table are the same node."""
    assert len({shuffled(rank, factors, 0) for _, rank, factors in GRAPHS}) == len(GRAPHS)


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs(seed: int) -> None:
    """Random contractions of matrices, vectors and a tensor, regular enough to have ties."""
    rng = random.Random(seed)
    labels, rank = rng.randint(3, 7), rng.randint(0, 2)
    factors: list[Factor] = []
    for _ in range(rng.randint(2, 9)):
        node = rng.choice([A, A, A, B, S, x, T])
        factors.append((node, tuple(rng.randrange(labels) for _ in range(node.rank))))
    used = sorted({a for _, own in factors for a in own} | set(range(rank)))
    factors += [(x, (a,)) for a in range(rank)]
    number = {a: k for k, a in enumerate(used)}
    factors = [(node, tuple(number[a] for a in own)) for node, own in factors]
    assert len({shuffled(rank, factors, k) for k in range(8)}) == 1


def test_two_regular_graphs_that_refinement_alone_cannot_tell() -> None:
    """One hexagon and two triangles look alike from every vertex; they are different nodes."""
    symmetric: list[Edge] = [(b"S", (k, (k + 1) % 6), True) for k in range(6)]
    triangles: list[Edge] = [
        (b"S", (3 * t + k, 3 * t + (k + 1) % 3), True) for t in (0, 1) for k in range(3)
    ]
    sizes = dict.fromkeys(range(6), "n")
    assert canonical_form(0, sizes, symmetric)[1] != canonical_form(0, sizes, triangles)[1]


def test_symmetric_operands_may_exchange_axes() -> None:
    """With properties, a symmetric matrix and its transpose are the same operand."""
    forward = [(x, (0,)), (S, (0, 1)), (A, (1, 2)), (y, (2,))]
    backward = [(x, (0,)), (S, (1, 0)), (A, (1, 2)), (y, (2,))]
    sizes = [N, N, N]
    assert canonical.einsum(0, sizes, forward) is not canonical.einsum(0, sizes, backward)
    assert canonical.einsum(0, sizes, forward, properties=True) is canonical.einsum(
        0, sizes, backward, properties=True
    )


def test_labels_of_the_form() -> None:
    """Output labels keep their numbers, summed ones are numbered from the rank without gaps."""
    order, labels, old = canonical_form(
        1, {3: "n", 7: "n"}, [(b"a", (7, 3), False), (b"b", (0, 7), False)]
    )
    assert sorted(order) == [0, 1]
    assert sorted({a for own in labels for a in own}) == [0, 1, 2]
    assert old[0] == 0 and sorted(old[1:]) == [3, 7]
    edges = [(7, 3), (0, 7)]
    assert [tuple(old[a] for a in own) for own in labels] == [edges[k] for k in order]
