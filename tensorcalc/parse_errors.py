"""What the parser stumbled over -> a `ParseError` in the reader's words. Used by `parse.py`.

An error says what was found and what was expected. The tables are what people write who come from
elsewhere (Matlab, NumPy, LaTeX, …), and how it is written here; `ELSEWHERE`, the functions among
it, is for `elaborate/`. Each hint has an example, which the tests parse.
"""

from __future__ import annotations

import re
import unicodedata
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

COMPARISONS = "comparisons are `<`, `<=`, `>`, `>=`"
OUTSIDE = "a derivative is asked for outside of the formula: `diff(f, x)`, `--wrt x`"
NO_LATEX = "formulas are written without LaTeX: `x'*A*x`"
CONDITIONS = "a condition is 1 or 0: `(a > 0)*(b > 0)` is 1 where both hold"

# operators of other languages, and what to write for them
SIGNS = {
    "**": "write `^` for a power, `.^` for that of each entry",
    "==": f"`=` defines a name; {COMPARISONS}",
    "!=": COMPARISONS,
    "~=": COMPARISONS,
    "<>": COMPARISONS,
    "=>": "write `>=`, or `->` for the axes of a result",
    "=<": "write `<=`",
    ":=": "write `=` to define",
    "//": "write `/` for a quotient; a comment starts with `#`",
    "&&": CONDITIONS,
    "||": CONDITIONS,
    **dict.fromkeys(("+=", "-=", "*=", "/="), "a name is defined once: `r = …`"),
    ".+": "`+` and `-` work entry by entry already",
    ".-": "`+` and `-` work entry by entry already",
}

# words of other languages
LOOPS = "there are no loops: `sum[i](…)` goes over an index, `sum[r=0..k-1](…)` over integers"
CHOICES = "a choice is written `where(condition, a, b)`"
DEFINITIONS = "a definition is written `r = …`"
STATEMENTS = "a program has declarations, definitions and expressions"
FOREIGN_WORDS = {
    **dict.fromkeys(("for", "while", "do", "loop"), LOOPS),
    **dict.fromkeys(("if", "else", "elif", "then", "case", "otherwise"), CHOICES),
    **dict.fromkeys(("and", "or", "not"), CONDITIONS),
    **dict.fromkeys(
        ("let", "def", "var", "const", "function", "return"), "a definition is `r = …`"
    ),
    **dict.fromkeys(("import", "from", "print", "del", "end", "class"), STATEMENTS),
    "where": "write `where(condition, a, b)`",
}

# functions of other languages
ELSEWHERE = {
    "norm": "write `norm2(x)`; there are `norm1` and `normF`, too",
    **dict.fromkeys(("trace", "spur"), "write `tr(A)`"),
    **dict.fromkeys(("transpose", "ctranspose", "t"), "write `A'`"),
    "ln": "write `log(x)`",
    "log2": "write `log(x)/log(2)`",
    "log10": "write `log(x)/log(10)`",
    "exp2": "write `2^x`, or `2.^x` for each entry",
    **dict.fromkeys(("inverse", "matinv"), "write `inv(A)`"),
    **dict.fromkeys(("solve", "linsolve", "mldivide", "lstsq"), "write `inv(A)*b`"),
    **dict.fromkeys(("dot", "inner", "vdot"), "write `x'*y`"),
    **dict.fromkeys(("matmul", "mm", "mtimes", "mult"), "write `A*B`"),
    **dict.fromkeys(("hadamard", "multiply", "times"), "write `x.*y`"),
    "divide": "write `x./y`",
    "ones": "write `vector(1, n)` or `matrix(1, m, n)`",
    "zeros": "write `vector(0, n)` or `matrix(0, m, n)`",
    **dict.fromkeys(("identity", "Id"), "write `eye(n)`"),
    **dict.fromkeys(("pow", "power", "mpower"), "write `a^b`, or `x.^b` for each entry"),
    "square": "write `x.^2`",
    "cbrt": "write `x.^(1/3)`",
    **{a: f"write `arc{a.removeprefix('a')}(x)`" for a in ("asin", "acos", "atan")},
    **{a: f"write `1/{b}(x)`" for a, b in (("sec", "cos"), ("csc", "sin"), ("cot", "tan"))},
    **dict.fromkeys(("maximum", "amax"), "write `max(x, y)`, or `max(x)` for the largest entry"),
    **dict.fromkeys(("minimum", "amin"), "write `min(x, y)`, or `min(x)` for the smallest entry"),
    **dict.fromkeys(("clip", "clamp"), "write `max(a, min(b, x))`"),
    "heaviside": "write `where(x > 0, 1, 0)`",
    **dict.fromkeys(("average", "avg"), "write `mean(x)`"),
    **dict.fromkeys(("var", "variance"), "write `mean((x - mean(x)).^2)`"),
    **dict.fromkeys(("std", "stdev"), "write `sqrt(mean((x - mean(x)).^2))`"),
    **dict.fromkeys(("size", "shape"), "write `rows(A)`, `cols(A)` or `len(x)`"),
    **dict.fromkeys(("length", "numel"), "write `len(x)`"),
    "gamma": "write `exp(lgamma(x))`",
    **dict.fromkeys(("gammaln", "loggamma"), "write `lgamma(x)`"),
    "psi": "write `digamma(x)`",
    **dict.fromkeys(("logistic", "expit"), "write `sigmoid(x)`"),
    "slogdet": "write `logdet(A)`",
    "concat": "write `[x; y]`",
    **dict.fromkeys(("if", "ifelse", "iif"), CHOICES),
    **dict.fromkeys(("diff", "grad", "gradient", "jacobian", "hessian"), OUTSIDE),
}

# commands of LaTeX; Greek letters and functions go by their names
LATEX = {
    **dict.fromkeys(("frac", "dfrac", "tfrac"), "write `a/b`"),
    "sum": "write `sum(x)` or `sum[i](x[i])`",
    "prod": "write `prod[i](x[i])`",
    "sqrt": "write `sqrt(x)`",
    **dict.fromkeys(("cdot", "times", "ast"), "write `*`"),
    **dict.fromkeys(("odot", "circ"), "write `.*` for the product entry by entry"),
    "otimes": "write `kron(A, B)`",
    **dict.fromkeys(("top", "intercal", "mathsf"), "write `x'` for the transpose"),
    **dict.fromkeys(("partial", "nabla"), OUTSIDE),
    **dict.fromkeys(("le", "leq"), "write `<=`"),
    **dict.fromkeys(("ge", "geq"), "write `>=`"),
    **dict.fromkeys(("Vert", "lVert", "rVert"), "write `norm2(x)`"),
    **dict.fromkeys(("to", "mapsto", "rightarrow"), "write `->`"),
    **dict.fromkeys(("left", "right", "big", "mathbf", "boldsymbol", "bm", "mathrm", "text",
                     "operatorname", "ldots", "dots", "cdots", "in", "infty", "begin"), NO_LATEX),
}  # fmt: skip
GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
    "tau upsilon phi chi psi omega"
).split()
MODULES = frozenset({"np", "numpy", "jnp", "math", "torch", "tf", "sp", "scipy", "linalg", "F"})


class Hint(NamedTuple):
    """A bad input and how to mend it. All that is given must hold; the first row that fits wins.

    In the hint, ``{left}`` and ``{right}`` are the words before and after the place.
    """

    example: str
    hint: str
    found: str = ""  # a pattern that the text from the error on starts with
    before: str = ""  # a pattern that the line up to the error ends with
    inside: str = ""  # the innermost open bracket
    accepts: str = ""  # a terminal that would have been right


OPERAND_END = r"[\w.)\]'′’⁰¹²³⁴-⁹ᵀᴴ\"]\s*"
CALLED = (
    r"(abs|exp|log|sqrt|sin|cos|tan|sinh|cosh|tanh|tr|det|logdet|inv|sum|mean|max|min|prod|diag)"
)
FUNCTION = rf"\b{CALLED}\s+"
KIND = r"(scalar|vector|matrix|tensor|symmetric|skew|diagonal|lower|upper|orthogonal|spd)\b"

HINTS = (
    Hint("0 < a < 1", "compare two things at a time", "[<>≤≥]", OPERAND_END),
    Hint("f(a; b)", "`;` separates the rows of `[…]`, `,` arguments", ";", inside="("),
    Hint("A[i; j]", "`,` separates subscripts", ";", r"[\w'′’)\]]\[[^\[]*", inside="["),
    Hint("where(a = b, 1, 0)", COMPARISONS, "=", r"\bwhere\([^,]*", inside="("),
    Hint("sum(X, axis=0)",
         "an axis is a number: `sum(X, 1)` sums each column, `sum(X, 2)` each row", "=",
         r"\b(axis|dim)\s*", inside="("),
    Hint("f(x=1)", "arguments have no names", "=", inside="("),
    Hint("X[:, 1]", "name the index of every axis: `X[i, 1]`", ":", r"[\[,]\s*", inside="["),
    Hint("sum[r=0:3](r)", "a range is written `0..k-1`", ":", "=.*", inside="["),
    Hint("A[1:2]", "there are no slices: name the index of every axis, `A[i, j]`", ":",
         inside="["),
    Hint("sum[r=0..3, s=0..3](r)", "one range at a time: `sum[r=0..k-1](…)`", ",", r"\.\..*",
         inside="["),
    Hint("x[0..3]", "a range stands in a sum: `sum[r=0..k-1](…)`", r"\.\."),
    Hint("x[i] -> i", "name the axes in brackets: `… -> [i, j]`", "", r"(->|→)\s*",
         accepts="LSQB"),
    Hint("[x[i] -> [i], 1]", "put an expression and its arrow in parentheses", "->|→"),
    Hint("(x, y)", "parentheses hold one expression; `[x; y]` puts one below the other", ",",
         inside="(", accepts="MUL"),
    Hint("x*y : vector(n)", "only names are declared: `x : vector(n)`", ":", accepts="EQUAL"),
    Hint("x : vector(n), positive", "properties follow without a comma: `x : vector(n) positive`",
         "", ":.*,.*", accepts="ARROW"),
    Hint("x : vector[n]", "sizes stand in parentheses: `x : vector(n)`", r"\[", r":\s*\w+\s*"),
    Hint("x : R^n", "write a kind: `x : vector(n)`", r"\^", r":\s*\w+\s*"),
    Hint("x : vector(n) = 3", "declare and define in two statements: `x : vector(n); x = …`", "=",
         ":.*"),
    Hint("x :", "write a kind: `x : vector(n)`", "", r":\s*"),
    Hint("x vector(n)", "a declaration has a colon: `{left} : {right}`", KIND, r"\w\s+"),
    Hint("x, y", "separate expressions by `;`, or declare: `x, y : vector(n)`", "",
         r",\s*\w+\s*", accepts="COLON"),
    Hint("a = b = c", "one definition at a time", "=", "=.*"),
    Hint("x = ", "write the value: `r = …`", r"\s*(\Z|[\n;])", r"=\s*"),
    Hint("x\n* y", "end the line before with the operator, or put the whole in parentheses",
         "[-*/@^=<>,.⊙⊘·×≤≥]", r"\n[ \t]*"),
    Hint("'ij' + 1", "strings are the first argument of einsum", "[\"'].+[\"']"),
    Hint("sin^2(x)", "write the power behind the call: `sin(x)^2`", r"\(", rf"\b{CALLED}\s*\^.*"),
    Hint("exp x", "write the argument in parentheses: `{left}({right})`", r"[\w.]", FUNCTION),
    Hint("sum_i x_i", "write `sum[i](x[i])`", r"\w", r"\bsum_\w+\s+"),
    Hint("d/dx x", OUTSIDE, r"[\w(]", r"\bd/d\w+\s*"),
    Hint("0x10", "numbers are decimal", r"[xXbBoO]\d", r"(?<!\w)0"),
    Hint("1.2.3", "a number has one point", r"\.\d", r"\d\.\d*"),
    Hint("2x", "write `*` between factors: `{left}*{right}`", r"[\w(.\[]", OPERAND_END,
         accepts="MUL"),
)  # fmt: skip

# characters outside the language, and what to write for them
CHARACTERS = {
    "!": COMPARISONS,
    "~": COMPARISONS,
    "≠": COMPARISONS,
    "≈": COMPARISONS,
    "&": CONDITIONS,
    "∧": CONDITIONS,
    "∨": CONDITIONS,
    "?": CHOICES,
    '"': 'close the string with `"` on the same line',
    "“": 'write `"` around a string',
    "”": 'write `"` around a string',
    "$": NO_LATEX,
    "\\": NO_LATEX,
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
    "∂": OUTSIDE,
    "∇": OUTSIDE,
    "⊗": "write `kron(A, B)`",
    "∘": "write `.*` for the product entry by entry",
    "÷": "write `/`",
    "–": "write `-`",
    "—": "write `-`",
    "∈": "a declaration is written `x : vector(n)`",
    "∞": "there is no infinity",
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
    for pair in (max(start - 1, 0), start):
        if text[pair : pair + 2] in SIGNS:
            sign = text[pair : pair + 2]
            return _not_ours(sign, Span(text, pair, pair + 2), SIGNS[sign])
    span, opened = Span(text, start, end), _opened(text, start)
    accepted = _accepted(parser, text, start, opened, unexpected)
    if token.type in ("RPAR", "RSQB") and not opened:
        return ParseError(f"`{token}` closes nothing", span, "delete it, or open the bracket")
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


def _not_ours(shown: str, span: Span, hint: str | None) -> ParseError:
    return ParseError(f"`{quote(shown)}` is not part of the language", span, hint)


def _foreign(text: str, start: int) -> ParseError:
    """The error for a character that starts no word of the language."""
    character = text[start]
    span = Span(text, start, start + 1)
    if not character.isprintable():
        shown = f"the character U+{ord(character):04X}"
        return ParseError(f"{shown} is not part of the language", span, "delete the character")
    if character == '"':
        return ParseError("the string is not closed", span, CHARACTERS[character])
    before = text[max(0, start - LOOKED_BACK) : start]
    is_behind = re.search(rf"(?:{OPERAND_END})\Z", before) is not None
    pair = text[start : start + 2]
    if pair in SIGNS and (is_behind or pair != "||"):
        return _not_ours(pair, Span(text, start, start + 2), SIGNS[pair])
    hint: str | None
    word = re.compile(r"(\.\w+)+|\\[A-Za-z]+").match(text, start, start + LOOKED_BACK)
    if word and (character == "\\" or is_behind):
        hint = _latex(word[0][1:], is_behind) if character == "\\" else _member(before, word[0])
        return _not_ours(word[0], Span(text, start, word.end()), hint)
    number = unicodedata.numeric(character, None)
    hint = CHARACTERS.get(character)
    if character == "|" and is_behind:
        hint = CONDITIONS
    elif character == "_" and before[-1:].isdigit():
        hint = "digits stand without `_` between them"
    elif character == "{" and before[-1:] == "_":
        hint = "write `x[i]` for a subscript"
    elif character == "{" and before[-1:] == "^":
        is_transpose = re.match(r"\{\s*(T|\\top)\b", text[start : start + LOOKED_BACK])
        hint = "write `x'` for the transpose" if is_transpose else "write `x^(…)`"
    elif number is not None:
        hint = "numbers are written with the digits 0 to 9"
    return _not_ours(character, span, hint)


def _latex(command: str, is_behind: bool) -> str:
    """What to write for a command of LaTeX, or for Matlab's left division."""
    if command.lower() in GREEK:
        return f"write `{command}`"
    if re.fullmatch(CALLED, command):
        return LATEX.get(command, f"write `{command}(x)`")
    if command in LATEX or not is_behind:
        return LATEX.get(command, NO_LATEX)
    return "write `inv(A)*b` for the solution of `A*x = b`"


def _member(before: str, members: str) -> str:
    """What to write for ``np.exp`` or ``x.sum``."""
    word = members.rpartition(".")[2]
    owner = re.search(r"\w+\Z", before)
    if word in ELSEWHERE:
        return ELSEWHERE[word]
    if owner and owner[0] in MODULES:
        return f"write `{quote(word)}(…)`: functions stand without a module"
    if owner and re.fullmatch(CALLED, word):
        return f"write `{word}({quote(owner[0])})`"
    return CHARACTERS["."]


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
    left, right = _word(before, r"[\w.'′’⁻ᵀᴴ]+\s*\Z"), _word(text[start:], r"[\w.]+")
    for word in (left, right):
        if word in FOREIGN_WORDS and "MUL" in accepted:
            return FOREIGN_WORDS[word]
    for row in HINTS:
        if (
            (not row.inside or row.inside == inside)
            and (not row.accepts or row.accepts in accepted)
            and re.compile(row.found).match(text, start)
            and (not row.before or re.search(f"(?:{row.before})\\Z", line))
        ):
            return row.hint.replace("{left}", left).replace("{right}", right)
    return None


def _word(text: str, pattern: str) -> str:
    """The word at an end of a text, or dots in parentheses."""
    found = re.compile(pattern)
    match = found.search(text) if pattern.endswith("Z") else found.match(text[:LOOKED_BACK])
    return quote(match[0].strip()) if match else "(…)"
