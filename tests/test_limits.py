"""Named limits, and that the parser keeps them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields

import pytest

import tensorcalc as tc
from tensorcalc.errors import LimitError
from tensorcalc.expression import Expr
from tensorcalc.limits import Limits, current, limits, metered, spend
from tensorcalc.parse import parse


def test_defaults() -> None:
    """Without a change the defaults are in force."""
    assert current() == Limits()
    assert current().literal_digits == 400


def test_every_limit_is_described() -> None:
    """The docstring names each limit."""
    assert Limits.__doc__ is not None
    assert all(f"\n    {field.name}\n" in Limits.__doc__ for field in fields(Limits))


def test_frozen() -> None:
    """Limits change only through `limits`."""
    with pytest.raises(FrozenInstanceError):
        current().rank = 3  # type: ignore[misc]


def test_change_and_return() -> None:
    """A change holds inside the block, nests, and ends with it, by an error too."""
    with limits(rank=4) as outer:
        assert (current(), outer.rank) == (outer, 4)
        with limits(terms=7):
            assert (current().rank, current().terms) == (4, 7)
        assert current().terms == Limits().terms
        with pytest.raises(ZeroDivisionError), limits(rank=1):
            raise ZeroDivisionError
        assert current().rank == 4
    assert current() == Limits()


def test_threads_have_their_own() -> None:
    """A change in one thread is not seen in another."""
    seen: list[int] = []
    with limits(rank=4):
        thread = threading.Thread(target=lambda: seen.append(current().rank))
        thread.start()
        thread.join()
    assert seen == [Limits().rank]


@pytest.mark.parametrize(
    "changes", [{"width": 3}, {"literal_digits": 1001}, {"rank": -1}, {"rank": 2.5}, {"rank": True}]
)
def test_wrong_change(changes: dict[str, int]) -> None:
    """An unknown limit or a value that is no size is the caller's mistake."""
    with pytest.raises(TypeError), limits(**changes):
        pass


# limit, text that keeps it, text that passes it, message, column
CASES = [
    ("text_length", 5, "x + y", "x + yz", "the text has 6 characters (limit text_length: 5)", None),
    ("nesting", 2, "((x)) + [[y]]", "((x)) + ((z[i]))",
     "more than 2 brackets are open (limit nesting)", 12),
    ("nesting", 2, "--x + A^2'", "-+-x", "more than 2 signs, powers and transposes in a row "
     "(limit nesting)", 3),
    ("nesting", 2, "x''*y''", "x²^2'", "more than 2 signs, powers and transposes in a row "
     "(limit nesting)", 5),
    ("tokens", 5, "a + b*c", "a + b*c*d", "more than 5 names, numbers and signs (limit tokens)", 8),
    ("terms", 3, "a + b + c*d*e", "a + b + c - d", "a sum of 4 terms (limit terms: 3)", 1),
    ("terms", 3, "a*b*c + a*b*c", "a + b*c*d/e", "a product of 4 factors (limit terms: 3)", 5),
    ("terms", 3, "a\nb\nc", "a\nb\nc\nd", "4 statements (limit terms: 3)", 1),
    ("literal_digits", 3, "x + 12.3", "x + 12.34",
     "a number of more than 3 digits (limit literal_digits)", 5),
    ("literal_digits", 3, "x¹²³", "x⁻¹²³⁴", "a number of more than 3 digits (limit literal_digits)",
     2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "good", "bad", "message", "column"), CASES)
def test_parser_keeps(
    name: str, value: int, good: str, bad: str, message: str, column: int | None
) -> None:
    """A text at the limit is read; one past it gives an error that names the limit."""
    with limits(**{name: value}):
        parse(good)
        with pytest.raises(LimitError) as caught:
            parse(bad)
    assert (caught.value.message, caught.value.column) == (message, column)
    parse(bad)


# limit, program that keeps it, program that passes it, message, column
PROGRAMS = [
    ("size", 99, "x : vector(9*11); x", "x : vector(10*10); x", "a size is over 99 (limit size)", 12),
    ("size_names", 3, "x : vector(k*m*n); x", "x : vector(k*l*m*n); x",
     "more than 3 factors in a size (limit size_names)", 12),
    ("rank", 2, "A[i,j]*x[j]", "a + T[i,j,k]", "more than 2 subscripts (limit rank)", 5),
    ("rank", 1, "x[i] -> [i]", "x[i]*y[j] -> [i,j]", "more than 1 axes (limit rank)", 1),
    ("rank", 2, "T : matrix(2, 2); T", "T : tensor(2, 2, 2); T", "more than 2 axes (limit rank)", 1),
    ("exponent", 9, "a^9", "1 + a^10", "the exponent is over 9 (limit exponent)", 5),
    ("exponent", 9, "A^-9", "A^-10", "the exponent is over 9 (limit exponent)", 1),
    ("literal_digits", 9, "1e9", "1e10",
     "the exponent of a number is over 9 (limit literal_digits)", 1),
    ("derivative_order", 2, "u : scalar of a; d2u/da2", "u : scalar of a; d3u/da3",
     "the order of a derivative is at most 2 (limit derivative_order)", 18),
    ("derivative_order", 2, "g : scalar -> scalar; g''(a)", "g : scalar -> scalar; g'''(a)",
     "the order of a derivative is at most 2 (limit derivative_order)", 23),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "good", "bad", "message", "column"), PROGRAMS)
def test_elaborator_keeps(
    name: str, value: int, good: str, bad: str, message: str, column: int
) -> None:
    """A program at the limit has a meaning; one past it gives an error that names the limit."""
    with limits(**{name: value}):
        tc.parse(good)
        with pytest.raises(LimitError) as caught:
            tc.parse(bad)
    assert (caught.value.message, caught.value.column) == (message, column)
    tc.parse(bad)


def test_steps_are_those_of_one_pass() -> None:
    """Each pass starts anew; one inside of another does not; outside of any nothing counts."""

    @metered
    def inner(count: int) -> int:
        spend(count)
        return count

    @metered
    def outer(times: int, count: int) -> int:
        return sum(inner(count) for _ in range(times))

    with limits(steps=100):
        assert [inner(60), inner(60), outer(2, 50)] == [60, 60, 100]
        for times, count in [(1, 101), (2, 51)]:
            with pytest.raises(LimitError, match=r"^this takes more than 100 steps \(limit steps"):
                outer(times, count)
        spend(1000)
        assert inner(100) == 100


PASSES: dict[str, Callable[[Expr], object]] = {
    "simplify": lambda expression: expression.node,
    "print": str,
    "differentiate": lambda expression: tc.diff(expression, "x"),
}


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_counts_its_steps(name: str) -> None:
    """Elaboration tells the place; the others have none."""
    text = "a\n" + "*".join(f"(x'*A{k}*x)" for k in range(20))
    with limits(steps=100), pytest.raises(LimitError, match="limit steps") as caught:
        tc.parse(text)
    assert (caught.value.line, caught.value.column) == (2, 1)
    expression = tc.parse(text)
    if name != "simplify":
        assert expression.node
    with limits(steps=100), pytest.raises(LimitError, match="limit steps"):
        PASSES[name](expression)
    assert PASSES[name](expression) is not None


@pytest.mark.parametrize(
    ("text", "same"),
    [("1e300*a*1e300", "1e600*a"), ("a*1e-300/1e300", "1e-600*a")],
)
def test_numbers_beyond_floats(text: str, same: str) -> None:
    """They neither overflow nor vanish; far beyond, they are an error."""
    with limits(literal_digits=1000):
        assert tc.parse(text).node is tc.parse(same).node
    with pytest.raises(LimitError, match=r"beyond 10\^800"):
        tc.parse("1e400*1e400*1e400*a")
    with pytest.raises(LimitError, match=r"beyond 10\^800"):
        tc.parse("1e-400*1e-400*1e-400*a")


@pytest.mark.parametrize("program", ["kron(A, kron(B, kron(C, D)))", "[w; x; y; z]"])
def test_sizes_that_are_made_are_limited(program: str) -> None:
    """Also a size that nobody wrote has not too many names."""
    with limits(size_names=3), pytest.raises(LimitError, match="limit size_names") as caught:
        tc.parse(program)
    assert caught.value.line == 1


@pytest.mark.parametrize("program", ["T : tensor(2, 2, 2); T", "T[i,j,k] -> [k,j,i]"])
def test_rank_is_limited(program: str) -> None:
    """Neither a tensor nor a derivative has more axes than the limit."""
    with limits(rank=2), pytest.raises(LimitError, match="limit rank"):
        tc.parse(program)
    with limits(rank=3), pytest.raises(LimitError, match="limit rank"):
        tc.diff("A*x", "A", "x")
