"""What the parser stumbled over -> a `ParseError` in the reader's words. Used by `parse.py` alone.

An error says what was found and what was expected. `HINTS` and `CHARACTERS` are the tables of bad
inputs with their mending; each hint has an example, which the tests parse.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorcalc.errors import ParseError, Span, TensorcalcError, quote

if TYPE_CHECKING:
    from lark import Lark
    from lark.exceptions import UnexpectedInput

# terminals in the reader's words, in the order in which they are listed
WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "LSQB": "`[`",
    "LPAR": "`(`",
    "ADD": "a sign",
    "OF": "`of`",
    "COLON": "`:`",
    "ARROW": "`->`",
    "RANGE": "`..`",
    "EQUAL": "`=`",
    "COMMA": "`,`",
    "SEMICOLON": "`;`",
    "RPAR": "`)`",
    "RSQB": "`]`",
}
EXPRESSION = frozenset({"NAME", "NUMBER", "STRING", "LSQB", "LPAR", "ADD"})
OPERATOR = frozenset(
    {"ADD", "MUL", "POW", "COMPARE", "TRANSPOSE", "HERMITIAN", "SUPERSCRIPT", "LSQB", "LPAR"}
)
END = frozenset({"_NEWLINE", "$END"})
# beyond this many characters, exact expectations are not worth their time
FAR = 20_000


class Hint(NamedTuple):
    """A bad input and how to mend it. All that is given must hold; the first row that fits wins."""

    example: str
    hint: str
    found: str = ""  # a pattern that the text from the error on starts with
    before: str = ""  # a pattern that the line up to the error ends with
    inside: str = ""  # the innermost open bracket
    accepts: str = ""  # a terminal that would have been right


COMPARISONS = "comparisons are `<`, `<=`, `>`, `>=`"
OPERAND_END = r"[\w.)\]'′’⁰¹²³⁴-⁹ᵀᴴ\"]\s*"
FUNCTION = r"\b(abs|exp|log|sqrt|sin|cos|tan|tanh|tr|det|logdet|inv|sum|diag)\s+"

HINTS = (
    Hint("x**2", "write `^` for a power", r"\*", r"\*"),
    Hint("a == b", f"`=` defines a name; {COMPARISONS}", "=", r"=\s*"),
    Hint("where(a == b, 1, 0)", COMPARISONS, "=="),
    Hint("r := x", "write `=` to define", "=", ":"),
    Hint("a => b", "write `>=`", ">", "="),
    Hint("a =< b", "write `<=`", "<", "="),
    Hint("a <> b", COMPARISONS, "[<>]", "[<>]"),
    Hint("a // b", "write `/` for a quotient", "/", "/"),
    Hint("0 < a < 1", "compare two things at a time", "[<>≤≥]", OPERAND_END),
    Hint("f(a; b)", "`;` separates the rows of `[…]`, `,` arguments", ";", inside="("),
    Hint("f(x=1)", "arguments have no names", "=", inside="("),
    Hint("X[:, 1]", "name the index of every axis: `X[i, 1]`", ":", r"[\[,]\s*", inside="["),
    Hint("sum[r=0:3](r)", "a range is written `0..k-1`", ":", "=.*", inside="["),
    Hint("sum[r=0..3, s=0..3](r)", "one range at a time: `sum[r=0..k-1](…)`", ",", r"\.\..*",
         inside="["),
    Hint("x[0..3]", "a range stands in a sum: `sum[r=0..k-1](…)`", r"\.\."),
    Hint("x[i] -> i", "name the axes in brackets: `… -> [i, j]`", "", r"(->|→)\s*",
         accepts="LSQB"),
    Hint("[x[i] -> [i], 1]", "put an expression and its arrow in parentheses", "->|→"),
    Hint("x*y : vector(n)", "only names are declared: `x : vector(n)`", ":", accepts="EQUAL"),
    Hint("x : vector(n), positive", "properties follow without a comma: `x : vector(n) positive`",
         "", ":.*,.*", accepts="ARROW"),
    Hint("x :", "write a kind: `x : vector(n)`", "", r":\s*"),
    Hint("a = b = c", "one definition at a time", "=", "=.*"),
    Hint("x = ", "write the value: `r = …`", r"\s*(\Z|[\n;])", r"=\s*"),
    Hint("x\n* y", "end the line before with the operator, or put the whole in parentheses",
         "[-*/@^=<>,.⊙⊘·×≤≥]", r"\n[ \t]*"),
    Hint("'ij' + 1", "strings are the first argument of einsum", "[\"'].+[\"']"),
    Hint("exp x", "write the argument in parentheses: `exp(x)`", r"[\w.]", FUNCTION),
    Hint("2x", "write `*` between factors, as in `2*x`", r"[\w(.]", OPERAND_END, accepts="MUL"),
)  # fmt: skip

# characters outside the language, and what to write for them
CHARACTERS = {
    "!": "comparisons are `<`, `<=`, `>`, `>=`",
    "~": "comparisons are `<`, `<=`, `>`, `>=`",
    '"': 'close the string with `"` on the same line',
    "“": 'write `"` around a string',
    "”": 'write `"` around a string',
    "$": "formulas are written without LaTeX: `x'*A*x`",
    "\\": "formulas are written without LaTeX: `x'*A*x`",
    "%": "a comment starts with `#`",
    "{": "write `(…)` to group, `[…]` for subscripts",
    "}": "write `(…)` to group, `[…]` for subscripts",
    "|": "write `abs(x)`, `norm2(x)` or `det(A)`",
    "‖": "write `norm2(x)`",
    "_": "a name starts with a letter",
    ".": "`.*`, `./` and `.^` work entry by entry, `.T` transposes",
    "∑": "write `sum(x)` or `sum[i](x[i])`",
    "∏": "write `prod[i](x[i])`",
    "√": "write `sqrt(x)`",
    "∂": "a derivative is asked for outside of the formula",
    "∇": "a derivative is asked for outside of the formula",
    "⊗": "write `kron(A, B)`",
    "∘": "write `.*` for the product entry by entry",
    "÷": "write `/`",
    "–": "write `-`",
    "—": "write `-`",
}
CLOSING = {"(": ")", "[": "]"}
CLOSERS = {"(": "RPAR", "[": "RSQB"}
LOOKED_BACK = 200


def explain(parser: Lark, text: str, unexpected: UnexpectedInput) -> ParseError:
    """The error for the reader: the place, what was found, what was expected, how to mend it."""
    from lark.exceptions import UnexpectedToken

    if not isinstance(unexpected, UnexpectedToken):
        return _foreign(text, unexpected.pos_in_stream or 0)
    token = unexpected.token
    if token.type == "$END":
        start = end = token.end_pos or 0
        found = "the end of the text"
    elif token.type == "_NEWLINE":
        start = end = token.start_pos or 0
        found = "the end of the line"
    else:
        start, end = token.start_pos or 0, token.end_pos or 0
        kind = {"NAME": "the name ", "NUMBER": "the number ", "STRING": "the string "}
        found = f"{kind.get(token.type, '')}`{quote(token)}`"
    span, opened = Span(text, start, end), _opened(text, start)
    accepted = _accepted(parser, text, start, opened, unexpected)
    if token.type in ("RPAR", "RSQB") and not opened:
        return ParseError(f"`{token}` closes nothing", span)
    if token.type == "$END" and opened and CLOSERS[text[opened[-1]]] in accepted:
        bracket = text[opened[-1]]
        return ParseError(
            f"`{bracket}` is never closed",
            Span(text, opened[-1], opened[-1] + 1),
            f"close it with `{CLOSING[bracket]}`",
        )
    hint = _open_hint(text, opened, start) or _hint(text, start, opened, accepted)
    expected = _listed(accepted)
    return ParseError(f"found {found}" + (f", expected {expected}" if expected else ""), span, hint)


def _foreign(text: str, start: int) -> ParseError:
    """The error for a character that starts no word of the language."""
    character = text[start]
    shown = f"`{character}`" if character.isprintable() else f"the character U+{ord(character):04X}"
    message = f"{shown} is not part of the language"
    if character == '"':
        message = "the string is not closed"
    if character == "." and text[start + 1 : start + 2] in ("+", "-"):
        hint: str | None = "`+` and `-` work entry by entry already"
    else:
        hint = CHARACTERS.get(character)
    return ParseError(message, Span(text, start, start + 1), hint)


def _accepted(
    parser: Lark, text: str, start: int, opened: list[int], unexpected: UnexpectedInput
) -> set[str]:
    """The terminals that would have been right at `start`.

    The state in which the parser stopped has already reduced what it could, and so accepts less
    than the state before: that one is found by parsing again up to here.
    """
    from lark.exceptions import UnexpectedToken

    if start < FAR:
        again: Any = parser.parse_interactive(text[:start])
        try:
            again.exhaust_lexer()
            return {str(name) for name in again.accepts()}
        except (UnexpectedToken, TensorcalcError):
            pass  # the rest of the text had its part in how the end of this one reads
    expected = unexpected.expected if isinstance(unexpected, UnexpectedToken) else ()
    # a lookahead that is right somewhere, but not between these brackets
    inner = text[opened[-1]] if opened else ""
    elsewhere = {"RPAR", "RSQB", "RANGE"} - {CLOSERS.get(inner)}
    if inner:
        elsewhere |= END | ({"SEMICOLON"} if inner == "(" else set())
    return {str(name) for name in expected} - elsewhere


def _listed(accepted: set[str]) -> str:
    """Terminals as a phrase.

    >>> _listed({"NAME", "NUMBER", "LPAR", "RPAR"})
    'an expression or `)`'
    """
    parts = []
    rest = accepted - END
    if "MUL" in accepted:
        parts.append("an operator")
        rest = rest - OPERATOR - {"ARROW", "EQUAL"}
        if accepted & END:  # after a first name a declaration is possible, but hardly meant
            rest = rest - {"COMMA", "COLON"}
    elif {"NAME", "NUMBER"} <= accepted:
        parts.append("an expression")
        rest = rest - EXPRESSION
    if accepted & END:
        rest = rest - {"SEMICOLON"}
    parts += [words for name, words in WORDS.items() if name in rest]
    if accepted & END:
        parts.append("the end of the statement")
    return " or ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _opened(text: str, end: int) -> list[int]:
    """Where the brackets that are open at `end` were opened, outermost first."""
    opened: list[int] = []
    for match in re.finditer(r'"[^"\r\n]*"|#[^\r\n]*|[()\[\]]', text[:end]):
        if match[0] in CLOSING:
            opened.append(match.start())
        elif match[0] in (")", "]") and opened:
            opened.pop()
    return opened


def _open_hint(text: str, opened: list[int], start: int) -> str | None:
    """Says where a bracket was opened if the error is on a later line, or at another bracket."""
    if not opened:
        return None
    bracket = text[opened[-1]]
    span = Span(text, opened[-1], opened[-1] + 1)
    wrong = (
        text[start : start + 1] in (")", "]", "") and text[start : start + 1] != CLOSING[bracket]
    )
    if wrong or "\n" in text[opened[-1] : start]:
        return f"`{bracket}` in line {span.line}, column {span.column} is still open"
    return None


def _hint(text: str, start: int, opened: list[int], accepted: set[str]) -> str | None:
    before = text[max(0, start - LOOKED_BACK) : start]
    line = before[before.rfind("\n", 0, len(before.rstrip())) + 1 :]
    inside = text[opened[-1]] if opened else ""
    for row in HINTS:
        if (
            (not row.inside or row.inside == inside)
            and (not row.accepts or row.accepts in accepted)
            and re.compile(row.found).match(text, start)
            and (not row.before or re.search(f"(?:{row.before})\\Z", line))
        ):
            return row.hint
    return None
