"""Walks: order, once each, deep chains; recursion on an explicit stack."""

from __future__ import annotations

import pytest

from tensorcalc.dims import Dim
from tensorcalc.ir import Map, Node, Variable
from tensorcalc.traverse import Steps, fold, postorder, trampoline, users, variables

X, Y = Variable.of("x", (Dim.of("n"),)), Variable.of("y", (Dim.of("n"),))
EXP = Map.of("exp", (X,))
BOTH = Map.of("max", (EXP, X))
ROOT = Map.of("min", (BOTH, Map.of("pow", (Y, BOTH))))


def test_postorder_is_operands_first_and_once() -> None:
    """Every node once, its operands before it, the first operand's subtree first."""
    assert postorder([ROOT]) == [X, EXP, BOTH, Y, ROOT.operands[1], ROOT]


def test_postorder_of_several_roots() -> None:
    """Roots may share nodes, repeat and contain one another."""
    assert postorder([EXP, ROOT, EXP, X])[:2] == [X, EXP]
    assert len(postorder([EXP, ROOT, EXP, X])) == 6
    assert postorder([]) == []


def test_fold_visits_each_node_once() -> None:
    """`fold` passes the operands' results in order, and keeps a memo."""
    visits: list[Node] = []

    def depth(node: Node, below: tuple[int, ...]) -> int:
        visits.append(node)
        return 1 + max(below, default=0)

    memo: dict[Node, int] = {}
    assert fold([ROOT], depth, memo)[ROOT] == 5
    assert len(visits) == 6
    fold([ROOT, EXP], depth, memo)
    assert len(visits) == 6


def test_variables_are_in_order_of_the_walk() -> None:
    """Names come in the order of first appearance."""
    assert list(variables(ROOT)) == ["x", "y"]
    assert list(variables(Y, ROOT)) == ["y", "x"]


def test_users_counts_places_and_roots() -> None:
    """Each operand place counts, and each time a node is a root."""
    counts = users([ROOT, BOTH])
    assert counts == {ROOT: 1, BOTH: 3, EXP: 1, X: 2, Y: 1, ROOT.operands[1]: 1}
    assert users([Map.of("max", (X, X))])[X] == 2


def test_deep_chains() -> None:
    """100,000 nodes deep, every walk still works."""
    node: Node = X
    for _ in range(100_000):
        node = Map.of("sin", (node,))
    assert len(postorder([node])) == 100_001
    assert fold([node], lambda _, below: 1 + sum(below))[node] == 100_001
    assert users([node])[X] == 1


def test_trampoline_returns_and_raises_through_frames() -> None:
    """Values and exceptions pass through frames as in a recursion, `try` included."""

    def countdown(n: int) -> Steps[int]:
        if n == 0:
            raise ValueError("bottom")
        try:
            below: int = yield countdown(n - 1)
            return 1 + below
        except ValueError:
            if n == 50_000:
                return 0
            raise

    assert trampoline(countdown(100_000)) == 50_000
    with pytest.raises(ValueError, match="bottom"):
        trampoline(countdown(49_999))
