"""Spans, excerpts, quoting, and the exception tree."""

from __future__ import annotations

import pickle

import pytest

from tensorcalc import errors
from tensorcalc.errors import ParseError, Span, TensorcalcError, escape, quote


@pytest.mark.parametrize(
    ("text", "start", "line", "column"),
    [
        ("x", 0, 1, 1),
        ("ab\ncd", 1, 1, 2),
        ("ab\ncd", 2, 1, 3),
        ("ab\ncd", 3, 2, 1),
        ("ab\r\ncd", 5, 2, 2),
        ("ab\rcd", 4, 2, 2),
        ("\n\n\nx", 3, 4, 1),
        ("x\n", 2, 2, 1),
        ("", 0, 1, 1),
        ("σ\u0301x", 2, 1, 3),
    ],
)
def test_line_and_column(text: str, start: int, line: int, column: int) -> None:
    """Lines and columns count from 1, in characters, over every kind of line end."""
    span = Span(text, start, start)
    assert (span.line, span.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "start", "end", "excerpt"),
    [
        ("x + * y", 4, 5, "  1 | x + * y\n    |     ^"),
        ("a\nb + c\nd", 2, 7, "  2 | b + c\n    | ^^^^^"),
        ("x +", 3, 3, "  1 | x +\n    |    ^"),
        ("", 0, 0, "  1 | \n    | ^"),
        ("a\r\nbc\r\nd", 4, 5, "  2 | bc\n    |  ^"),
        # a stretch over lines is marked on the first
        ("f(a,\n b)", 0, 8, "  1 | f(a,\n    | ^^^^"),
        # what cannot be seen is written out, and the caret follows
        ("a\tb $", 4, 5, "  1 | a\\tb $\n    |      ^"),
        ("a\u200bb", 1, 2, "  1 | a\\u200bb\n    |  ^^^^^^"),
        # wide letters take two columns, accents none
        ("变 $", 2, 3, "  1 | 变 $\n    |    ^"),
        ("e\u0301 $", 3, 4, "  1 | e\u0301 $\n    |   ^"),
        ("\n" * 99 + "x", 99, 100, "  100 | x\n      | ^"),
    ],
)
def test_excerpt(text: str, start: int, end: int, excerpt: str) -> None:
    """The line with carets under the stretch."""
    assert Span(text, start, end).excerpt() == excerpt


def test_excerpt_of_a_long_line() -> None:
    """A long line is cut on both sides, with the caret still in place."""
    lines = Span("a" * 500 + "$" + "b" * 500, 500, 501).excerpt().split("\n")
    assert len(lines[0]) < 100
    assert lines[0].index("$") == lines[1].index("^")
    assert lines[0].startswith("  1 | …a")
    assert lines[0].endswith("b…")


def test_join_and_source() -> None:
    """Two spans joined reach from the first start to the last end."""
    text = "x + y"
    joined = Span(text, 4, 5).join(Span(text, 0, 1))
    assert (joined.start, joined.end, joined.source) == (0, 5, "x + y")


def test_quote() -> None:
    """User text is escaped and cut before it stands in a message."""
    assert quote("x\n\x1b[31m\ud800") == "x\\n\\x1b[31m\\ud800"
    assert quote("x" * 80) == "x" * 80
    assert quote("x" * 81) == "x" * 79 + "…"
    assert len(quote("\x00" * 10**6)) == 80
    assert escape("σ é") == "σ é"


def test_long_words() -> None:
    """No word of a program makes a message long, nor do many; other messages stay whole."""
    error = ParseError("unknown " + "x" * 10**6, Span("x", 0, 1), "did you mean " + "y" * 10**6)
    assert error.message == "unknown " + "x" * 79 + "…"
    assert error.hint == "did you mean " + "y" * 79 + "…"
    error = ParseError("ab " * 1000, Span("x", 0, 1))
    assert len(error.message) == 600 and error.message.endswith("…")
    assert ParseError("/folder" * 100).message == "/folder" * 100


def test_text_of_an_error() -> None:
    """The place, the message, the excerpt, the hint; each only where there is one."""
    assert str(TensorcalcError("too much")) == "too much"
    assert str(TensorcalcError("too much", hint="less")) == "too much\nhint: less"
    error = ParseError("no", Span("ab", 1, 2), "yes")
    assert str(error) == "line 1, column 2: no\n  1 | ab\n    |  ^\nhint: yes"


def test_attributes() -> None:
    """Every error has line, column, excerpt and hint, perhaps None."""
    error = TensorcalcError("no")
    assert (error.line, error.column, error.excerpt, error.hint) == (None, None, None, None)
    error = TensorcalcError("no", Span("x", 0, 1))
    assert (error.line, error.column, error.excerpt) == (1, 1, "  1 | x\n    | ^")


def test_pickle() -> None:
    """Errors travel between processes whole."""
    sent = pickle.dumps(ParseError("no", Span("x", 0, 1), "yes"))
    error = pickle.loads(sent)
    assert type(error) is ParseError
    assert (error.message, error.span, error.hint) == ("no", Span("x", 0, 1), "yes")


def test_exception_tree() -> None:
    """The tree in the docstring is the tree there is."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, TensorcalcError)
    ]
    assert len(kinds) == 8
    assert errors.__doc__ is not None
    assert all(kind.__name__ in errors.__doc__ and kind.__doc__ for kind in kinds)
    assert all(kind.__bases__ == (TensorcalcError,) for kind in kinds[1:])
