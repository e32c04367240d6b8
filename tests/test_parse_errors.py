"""Bad texts and the exact errors that they give."""

from __future__ import annotations

import re

import pytest

from tensorcalc.elaborate.calls import FUNCTION_NAMES
from tensorcalc.errors import LimitError, ParseError, TensorcalcError
from tensorcalc.parse import parse
from tensorcalc.parse_errors import (
    CHARACTERS,
    ELSEWHERE,
    FOREIGN_WORDS,
    HINTS,
    LATEX,
    SIGNS,
    Hint,
)

OPERATOR = "an operator or the end of the statement"

# text, line, column, message
MESSAGES = [
    # a missing part
    ("x +", 1, 4, "found the end of the text, expected an expression"),
    ("x + # more\n\n", 1, 4, "found the end of the text, expected an expression"),
    ("x = ", 1, 4, "found the end of the text, expected an expression"),
    ("x^", 1, 3, "found the end of the text, expected an expression"),
    ("x^*2", 1, 3, "found `*`, expected an expression"),
    ("A[]", 1, 3, "found `]`, expected an expression"),
    ("f(a,)", 1, 5, "found `)`, expected an expression"),
    ("[1, 2; 3;]", 1, 10, "found `]`, expected an expression"),
    ("= 3", 1, 1, "found `=`, expected an expression or the end of the statement"),
    ("a\n* b", 2, 1, "found `*`, expected an expression or the end of the statement"),
    # a missing operator
    ("A x", 1, 3, f"found the name `x`, expected {OPERATOR}"),
    ("2x", 1, 2, f"found the name `x`, expected {OPERATOR}"),
    ("x 2", 1, 3, f"found the number `2`, expected {OPERATOR}"),
    ("(a)(b)", 1, 4, f"found `(`, expected {OPERATOR}"),
    ("x\ny z\n", 2, 3, f"found the name `z`, expected {OPERATOR}"),
    ("x é", 1, 3, f"found the name `é`, expected {OPERATOR}"),
    # brackets
    ("(a", 1, 1, "`(` is never closed"),
    ("f(a, [b", 1, 6, "`[` is never closed"),
    ("x\n  (a\n\n", 2, 3, "`(` is never closed"),
    ("(a +", 1, 5, "found the end of the text, expected an expression"),
    ("a)", 1, 2, "`)` closes nothing"),
    ("]", 1, 1, "`]` closes nothing"),
    ("(a]", 1, 3, "found `]`, expected an operator or `)`"),
    ("A[i)", 1, 4, "found `)`, expected an operator, `,` or `]`"),
    ("(a + b\ny = c", 2, 1, "found the name `y`, expected an operator or `)`"),
    ("f(a; b)", 1, 4, "found `;`, expected an operator, `,` or `)`"),
    ("(a, b)", 1, 3, "found `,`, expected an operator or `)`"),
    # definitions, arrows, sums
    ("2*x = 3", 1, 1, "the left side of a definition is a name or an entry"),
    ("f(x) = 3", 1, 1, "the left side of a definition is a name or an entry"),
    ("x[i][j] = 3", 1, 1, "the left side of a definition is a name or an entry"),
    ("g[0] = 3", 1, 3, "found `0`, expected an index name"),
    ("g[i, 2*j] = 3", 1, 6, "found `2*j`, expected an index name"),
    ("sum[2*i](x)", 1, 5, "found `2*i`, expected an index name"),
    ("x -> [i, 2]", 1, 10, "found the number `2`, expected a name"),
    ("sum[r=0..](x)", 1, 10, "found `]`, expected an expression"),
    ("3..4", 1, 2, f"found `..`, expected {OPERATOR}"),
    # declarations
    ("X : ", 1, 4, "found the end of the text, expected a name"),
    ("X : 3", 1, 5, "found the number `3`, expected a name"),
    ("X : matrix(m) n 3", 1, 17,
     "found the number `3`, expected a name, `of` or the end of the statement"),
    ("X : matrix()", 1, 12, "found `)`, expected an expression"),
    ("u : vector(m) of", 1, 17, "found the end of the text, expected a name"),
    ("g : scalar ->", 1, 14, "found the end of the text, expected a name"),
    ("x, y", 1, 5, "found the end of the text, expected `:` or `,`"),
    ("x, 2 : scalar", 1, 4, "found the number `2`, expected a name"),
    # characters
    ("x $ y", 1, 3, "`$` is not part of the language"),
    ("a\x00b", 1, 2, "the character U+0000 is not part of the language"),
    ("a\u200bb", 1, 2, "the character U+200B is not part of the language"),
    ("a\u202eb", 1, 2, "the character U+202E is not part of the language"),
    ("\ud800", 1, 1, "the character U+D800 is not part of the language"),
    ("x\ufeff", 1, 2, "the character U+FEFF is not part of the language"),
    ("x\n y\u0301", 2, 3, "`\u0301` is not part of the language"),
    ("жx", 1, 1, "a name cannot have `ж` here"),
    ("xé", 1, 2, "a name cannot have `é` here"),
    ("x٣", 1, 2, "a name cannot have `٣` here"),
    ("₁x", 1, 1, "a name cannot have `₁` here"),
    ("½", 1, 1, "a name cannot have `½` here"),
    ('einsum("ij', 1, 8, "the string is not closed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "message"), MESSAGES)
def test_message_and_place(text: str, line: int, column: int, message: str) -> None:
    """What was found and expected, and where."""
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert (caught.value.message, caught.value.line, caught.value.column) == (message, line, column)


@pytest.mark.parametrize("row", HINTS, ids=lambda row: row.example)
def test_hint_of_its_example(row: Hint) -> None:
    """Each row of the table of hints mends its own example."""
    with pytest.raises(ParseError) as caught:
        parse(row.example)
    words = re.sub(r"\\{(left|right)\\}", ".+", re.escape(row.hint))
    assert re.fullmatch(words, caught.value.hint or "")


@pytest.mark.parametrize("character", CHARACTERS)
def test_hint_for_a_character(character: str) -> None:
    """Characters that people are likely to try have a hint."""
    with pytest.raises(ParseError) as caught:
        parse(f"a* {character} b")
    assert caught.value.hint == CHARACTERS[character]
    assert caught.value.column == 4


@pytest.mark.parametrize("sign", SIGNS)
def test_hint_for_a_sign(sign: str) -> None:
    """Operators of other languages are named whole, and have a hint."""
    with pytest.raises(ParseError) as caught:
        parse(f"a {sign} b")
    error = caught.value
    assert error.message == f"`{sign}` is not part of the language"
    assert (error.hint, error.column) == (SIGNS[sign], 3)
    assert error.span is not None and error.span.source == sign


@pytest.mark.parametrize("word", FOREIGN_WORDS)
def test_hint_for_a_word(word: str) -> None:
    """So have their words, before and after an operand."""
    for text in (f"{word} x", f"x {word} y"):
        with pytest.raises(ParseError) as caught:
            parse(text)
        assert caught.value.hint == FOREIGN_WORDS[word]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_functions_of_other_languages_are_not_ours(name: str) -> None:
    """What is shown how to write is really not there."""
    assert name not in FUNCTION_NAMES


@pytest.mark.parametrize("hint", [*ELSEWHERE.values(), *LATEX.values(), *CHARACTERS.values()])
def test_what_is_to_be_written_is_of_the_language(hint: str) -> None:
    """The formulas in the hints are formulas."""
    for formula in re.findall(r"write `([^`]*)`", hint):
        if "…" not in formula and re.search(r"\w", formula):
            parse(formula)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("(a]", "`(` in line 1, column 1 is still open"),
        ("(a +", "`(` in line 1, column 1 is still open"),
        ("x\nf(a,\ny = c", "`(` in line 2, column 2 is still open"),
        ("(a", "close it with `)`"),
        ("a .+ b", "`+` and `-` work entry by entry already"),
        ("g : scalar ->", None),
        ("x^*2", None),
        ("2*x = 3", "write `r = …` or `r[i] = …`"),
        ("y[2](x)", "write `y[i](…)`, or `*` for a product"),
    ],
)
def test_other_hints(text: str, hint: str | None) -> None:
    """Hints that are not in the tables: open brackets, left sides; and no hint at all."""
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.hint == hint


def test_whole_text_of_an_error() -> None:
    """The place, what is wrong, the line with a caret, the fix."""
    with pytest.raises(ParseError) as caught:
        parse("y : vector(m)\nr = 2y  # twice")
    assert str(caught.value) == (
        "line 2, column 6: found the name `y`, expected an operator or the end of the statement\n"
        "  2 | r = 2y  # twice\n"
        "    |      ^\n"
        "hint: write `*` between factors: `2*y`"
    )


@pytest.mark.parametrize(
    "text", ["x " + "y" * 100_000, "é" * 100_000, "A[0" * 30_000, "-" * 90_000]
)
def test_long_bad_texts(text: str) -> None:
    """A long bad text gives a short message soon."""
    with pytest.raises(TensorcalcError) as caught:
        parse(text)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "expected"),
    [("x*" * 20_000 + "x y", OPERATOR), ("f(" + "x*" * 20_000 + "x y", "an operator, `,` or `)`")],
)
def test_far_down_a_text(text: str, expected: str) -> None:
    """Also where parsing again would take long, only what can stand between the brackets."""
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.message == f"found the name `y`, expected {expected}"


@pytest.mark.parametrize("value", [b"x", None, 3])
def test_not_a_text(value: object) -> None:
    """A program is a string."""
    with pytest.raises(ParseError, match="a program is a string, not"):
        parse(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["1" * 401, "0." + "1" * 400, "1e" + "1" * 400])
def test_long_numbers(text: str) -> None:
    """A number of more digits than the limit is refused at its place."""
    with pytest.raises(LimitError, match="400 digits") as caught:
        parse("x + " + text)
    assert caught.value.column == 5
    assert parse(text[:399]).children[0].span.end == 399
