"""Interning: one node per set of facts, freed when dropped, named alike in every process."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction

import pytest

from tensorcalc import ir
from tensorcalc.dims import Dim
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    Size,
    Variable,
)

N, M = Dim.of("n"), Dim.of("m")
ONE = Fraction(1)
DEPTH = 100_000


def vector(name: str = "x") -> Variable:
    """A vector of n entries."""
    return Variable.of(name, (N,))


def make_all() -> list[Node]:
    """One node of every kind, and near twins that differ in one fact."""
    x, y, a = vector("x"), vector("y"), Variable.of("A", (N, N))
    return [
        x, y, a, Variable.of("x", (M,)), Variable.of("A", (N, N), frozenset({"symmetric"})),
        Constant.of("pi"), Size.of(N), Size.of(M), Delta.of(N), Delta.of(M), Basis.of(N, 0),
        Basis.of(N, 1),
        Einsum.of(0, (N,), (x, y), ((0,), (0,))),
        Einsum.of(1, (N,), (x, y), ((0,), (0,))),
        Einsum.of(0, (N,), (x, x), ((0,), (0,))),
        Einsum.of(1, (N, N), (a, x), ((0, 1), (1,))),
        Einsum.of(1, (N, N), (a, x), ((1, 0), (1,))),
        Add.of((N,), (ONE, ONE), (x, y)), Add.of((N,), (ONE, -ONE), (x, y)), Add.of((N,), (), ()),
        Add.of((M,), (), ()),
        Map.of("exp", (x,)), Map.of("sin", (x,)), Map.of("pow", (x, y)), Map.of("pow", (y, x)),
        MatrixFunction.of("inv", (N, N), (a,)), MatrixFunction.of("det", (), (a,)),
    ]  # fmt: skip


def test_equal_facts_are_one_node() -> None:
    """Made twice, every node is the same object; different facts are different nodes."""
    first, second = make_all(), make_all()
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert len(set(first)) == len({node.key for node in first}) == len(first)


def test_facts_that_print_alike_are_told_apart() -> None:
    """A name that looks like another node's facts makes another node."""
    assert Variable.of("x", (), frozenset({"a"})) is not Variable.of("x a", ())
    assert Variable.of("x", (Dim.of("m*n"),)) is not Variable.of("y", (M * N,))


def test_table_frees_what_is_dropped() -> None:
    """The table of nodes holds none alive."""
    gc.collect()
    before = len(ir._interned)
    kept = Map.of("exp", (Variable.of("only_here", (N,)),))
    assert len(ir._interned) == before + 2
    del kept
    gc.collect()
    assert len(ir._interned) == before


def test_deep_chains_are_built_and_freed() -> None:
    """100,000 functions of functions: no recursion in building, hashing or freeing."""
    gc.collect()
    before = len(ir._interned)
    node: Node = vector("deep")
    for _ in range(DEPTH):
        node = Map.of("sin", (node,))
    assert len(ir._interned) == before + DEPTH + 1
    assert hash(node) == hash(node)
    assert len(repr(node)) < 100
    del node
    gc.collect()
    assert len(ir._interned) == before


def test_wide_sums_are_one_node() -> None:
    """A sum of 100,000 terms is one node."""
    terms = tuple(Variable.of(f"a{k}", ()) for k in range(DEPTH))
    total = Add.of((), (ONE,) * DEPTH, terms)
    assert total is Add.of((), (ONE,) * DEPTH, terms)


PROGRAM = """
from tensorcalc import parse
for text in ["x'*A*x", "sum[i](log(1 + exp(-y[i]*X[i,j]*w[j])))", "tr(A*B*C')", "a*b + c*d - e"]:
    print(parse(text).node.key.hex())
print(parse("S*x", S="spd(n) positive").node.key.hex())
"""


def test_keys_are_the_same_in_every_process() -> None:
    """Keys order nodes, so they must not depend on Python's hash seed."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(outputs) == 1 and len(outputs.pop().split()) == 5


def test_interning_from_many_threads() -> None:
    """Threads that make the same nodes at once get the same objects."""
    found: list[list[Node]] = []
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        found.append([Map.of("exp", (Variable.of(f"t{k}", ()),)) for k in range(300)])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len({id(row[k]) for row in found}) == 1 for k in range(300))


def test_nodes_are_not_pickled_as_twins() -> None:
    """A bare node (`Expr.variables` hands them out) never comes back as a second object."""
    node = vector()
    copies: list[Callable[[Node], Node]] = [
        copy.copy,
        copy.deepcopy,
        lambda n: pickle.loads(pickle.dumps(n)),
    ]
    for again in copies:
        with contextlib.suppress(TypeError):  # refusing is as good
            assert again(node) is node


@pytest.mark.parametrize(
    ("node", "rank"), [(vector(), 1), (Delta.of(N), 2), (Constant.of("pi"), 0), (Basis.of(N, 3), 1)]
)
def test_rank_is_the_number_of_axes(node: Node, rank: int) -> None:
    """The rank counts dims."""
    assert node.rank == len(node.dims) == rank
