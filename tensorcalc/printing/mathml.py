"""Matrix expression and entries -> presentation MathML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from xml.sax.saxutils import escape

from tensorcalc.matrix_algebra import Matrix
from tensorcalc.printing.index_style import IndexStyle
from tensorcalc.printing.names import SIZE, WORDS, Derivative, derivative_of, parts_of, shape_of
from tensorcalc.printing.render import ATOM, PRODUCT, Style, Text, decimal, is_decimal, render

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
TIMES = "<mo>&#x2062;</mo>"  # invisible
INVISIBLE = "<mo>&#x2063;</mo>"  # between subscripts
APPLY = "\u2061"  # function application, invisible
COMPARE = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
RAISED = {"inv": "<mo>−</mo><mn>1</mn>", "pinv": "<mo>+</mo>"}
INFIX = {"kron": "⊗", "cross": "×"}
NORMS = {"norm1": "<mn>1</mn>", "norm2": "<mn>2</mn>", "normF": "<mi>F</mi>"}
LETTERS = {"sigmoid": "σ", "digamma": "ψ"}
INVERSE = re.compile(r"<msup>(?:<mrow>)(.*)(?:</mrow>)<mrow><mo>−</mo><mn>1</mn></mrow></msup>")
MAX_OUTLINE = 5000  # characters of a text that is looked at; a longer one gets parentheses
LEAF = r"<(mi|mo|mn|mtext)\b[^<>]*>[^<]*</\1>"
PIECE = re.compile(LEAF + r"|<[^<>]*>|[^<]+")
BARE = re.compile(r"\s*([A-Za-z]\w*|[\d.]+|[^\s\w])\s*")


def markup(x: Matrix) -> str:
    """The expression as presentation markup."""
    return render(x, STYLE)


def document(lines: Sequence[str]) -> str:
    """Lines of presentation markup as one element; several are the rows of a table."""
    lines = [signed(line) for line in lines]
    body = lines[0]
    if len(lines) > 1:
        cells = "".join(f"<mtr><mtd>{line}</mtd></mtr>" for line in lines)
        body = f'<mtable columnalign="left">{cells}</mtable>'
    return f'<math xmlns="{NAMESPACE}" display="block">{row(body)}</math>'


def row(text: str) -> str:
    """Markup as one element."""
    return f"<mrow>{text}</mrow>"


def operator(sign: str) -> str:
    """A sign, escaped."""
    return f"<mo>{escape(sign)}</mo>"


def fenced(text: str, left: str = "(", right: str = ")") -> str:
    """Markup in brackets."""
    return row(operator(left) + text + operator(right))


def signed(text: str) -> str:
    """Markup with every sign, number and name that stands between its elements made an element."""
    return PIECE.sub(lambda found: found[0] if found[0][0] == "<" else _elements(found[0]), text)


def _elements(text: str) -> str:
    return BARE.sub(lambda found: _element(found[1]), text)


def _element(word: str) -> str:
    if word[0].isalpha():
        return symbol(word, "matrix")
    if word == "*":
        return TIMES
    return f"<mn>{word}</mn>" if word[0].isdigit() else operator(word.replace("-", "−"))


def symbol(text: str, shape: str) -> str:
    """A name: Greek letters as such, digits at its end as a subscript, vectors bold."""
    derivative = derivative_of(text)
    if derivative is not None:
        return _quotient(derivative)
    if not re.fullmatch(r"\w+'*", text):  # a size such as len(x) + 1
        shown = SIZE.sub(lambda found: _size(found[1], found[2]), text).replace("*", TIMES)
        return row(signed(shown))
    name = parts_of(text)
    bold = ' mathvariant="bold"' if shape in ("column", "row") else ""
    shown = f"<mi{bold}>{escape(name.letter)}</mi>"
    if name.subscripts:
        below = operator(",").join(
            f"<mn>{part}</mn>" if part.isdigit() else _mi(parts_of(part).letter)
            for part in name.subscripts
        )
        shown = f"<msub>{shown}{row(below)}</msub>"
    return raised(shown, operator("′" * name.primes)) if name.primes else shown


def _size(function: str, name: str) -> str:
    return _mi(function) + operator(APPLY) + fenced(symbol(name, "matrix"))


def _quotient(derivative: Derivative) -> str:
    """A derivative as a quotient; one of a function to apply by its arguments' places."""
    function = symbol(derivative.function, shape_of(derivative.function))
    sign = operator("∂")
    if derivative.is_applied:
        places = [f"<msub>{sign}<mn>{place}</mn></msub>" for place, _ in derivative.variables]
        return row("".join(places) + function)
    below = [
        sign + (raised(shown, f"<mn>{power}</mn>") if power > 1 else shown)
        for shown, power in [
            (symbol(name, shape_of(name)), power) for name, power in derivative.variables
        ]
    ]
    above = f"<msup>{sign}<mn>{derivative.order}</mn></msup>" if derivative.order > 1 else sign
    return f"<mfrac>{row(above + function)}{row(''.join(below))}</mfrac>"


def _mi(text: str) -> str:
    return f"<mi>{escape(text)}</mi>"


def number(value: Fraction) -> Text:
    """A number, as a fraction where it is one."""
    if value < 0:
        return operator("−") + number(-value)[0], PRODUCT
    if is_decimal(value):
        return f"<mn>{decimal(value)}</mn>", ATOM
    above, below = value.numerator, value.denominator
    return f"<mfrac><mn>{above}</mn><mn>{below}</mn></mfrac>", ATOM


def raised(base: str, exponent: str) -> str:
    """A superscript."""
    return f"<msup>{row(base)}{row(exponent)}</msup>"


def outline(text: str) -> list[str]:
    """The names of the elements that a text consists of; what stands in them is left out."""
    if len(text) > MAX_OUTLINE:
        return ["mrow", "mrow"]
    found: list[str] = []
    depth = 0
    for tag in re.findall(r"</?\w+", text):
        if tag[1] == "/":
            depth -= 1
        else:
            found += [tag[1:]] * (depth == 0)
            depth += 1
    return found


def is_tight(text: str) -> bool:
    """Whether the text is one name, number, power, entry, or a text in brackets."""
    elements = outline(text)
    alone = len(elements) == 1 and elements[0] in ("mi", "mn", "msub", "msup", "msqrt", "mover")
    return alone or (elements == ["mrow"] and bool(re.match(r"<mrow><mo>[(\[|‖]", text)))


def _grouped(text: str) -> str:
    return text if is_tight(text) else fenced(text)


def based(text: str) -> str:
    """A text that may get a superscript or subscript."""
    return fenced(text) if not is_tight(text) or outline(text)[0] in ("msup", "msub") else text


def power(base: str, exponent: str) -> str:
    """A power; what has a superscript already is grouped."""
    inverse = INVERSE.fullmatch(base) if outline(base) == ["msup"] else None
    if inverse and re.fullmatch(r"(<mn>)?\d+(</mn>)?", exponent):
        return raised(inverse[1], operator("−") + exponent)
    is_call = f"<mo>{APPLY}</mo><mrow><mo>(</mo>" in base and outline(base)[-1:] == ["mrow"]
    is_plain = is_tight(base) and outline(base) != ["msup"]
    return raised(base if is_plain and not is_call else fenced(base), exponent)


def _ones(entry: str, shape: str, size: str | None) -> str:
    one = '<mn mathvariant="bold">1</mn>'
    if entry == "<mn>0</mn>":
        return '<mn mathvariant="bold">0</mn>'
    forms = {"column": one, "row": raised(one, operator("⊤"))}
    shown = forms.get(shape, one + raised(one, operator("⊤")))
    return shown if entry == "<mn>1</mn>" else entry + TIMES + shown


def call(function: str, args: Sequence[str]) -> str:
    """A function applied."""
    if function in NORMS:
        return f"<msub>{fenced(args[0], '‖', '‖')}{NORMS[function]}</msub>"
    if function == "abs":
        return fenced(args[0], "|", "|")
    if function == "sqrt":
        return f"<msqrt>{args[0]}</msqrt>"
    if function in RAISED:
        return power(args[0], RAISED[function])
    if function == "conj":
        return f"<mover>{row(args[0])}{operator('¯')}</mover>"
    if function in INFIX:
        return operator(INFIX[function]).join(_grouped(arg) for arg in args)
    if function == "where":
        return _cases(*args)
    if function in ("vector", "matrix"):
        return _ones(args[0], {"vector": "column"}.get(function, function), None)
    if function == "commutation":
        below = operator(",").join(args)
        return f'<msub><mi mathvariant="bold">K</mi>{row(below)}</msub>'
    if function in ("logdet", "lgamma"):
        inner = _mi("det") + operator(APPLY) if function == "logdet" else _mi("Γ")
        return _mi("log") + operator(APPLY) + inner + fenced(args[0])
    if function == "polygamma":
        return raised(_mi("ψ"), fenced(args[0])) + operator(APPLY) + fenced(args[1])
    shown = (
        _mi(LETTERS.get(function, function)) if function in WORDS else symbol(function, "scalar")
    )
    return shown + operator(APPLY) + fenced(operator(",").join(args))


def _cases(condition: str, then: str, other: str) -> str:
    lines = [[then, f"<mtext>if</mtext>{condition}"], [other, "<mtext>otherwise</mtext>"]]
    body = "".join(f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in line)}</mtr>" for line in lines)
    return fenced(operator("{") + f'<mtable columnalign="left">{body}</mtable>')


def rows(table: Sequence[Sequence[str]]) -> str:
    """A matrix written out."""
    lines = "".join(
        f"<mtr>{''.join(f'<mtd>{entry}</mtd>' for entry in line)}</mtr>" for line in table
    )
    return fenced(f"<mtable>{lines}</mtable>", "[", "]")


def total(below: str, above: str | None, body: str) -> str:
    """A sum with its limits."""
    sign = operator("∑")
    if above is None:
        return f"<munder>{sign}{row(below)}</munder>{row(body)}"
    return f"<munderover>{sign}{row(below)}{row(above)}</munderover>{row(body)}"


def subscripted(text: str, subscripts: Sequence[str]) -> str:
    """An entry."""
    if not subscripts:
        return text
    return f"<msub>{row(based(text))}{row(_indices(subscripts))}</msub>"


def _indices(names: Sequence[str]) -> str:
    separator = operator(",") if any(len(name) > 1 for name in names) else INVISIBLE
    return separator.join(_index(name) for name in names)


def _index(name: str) -> str:
    return symbol(name, "scalar") if name.isidentifier() else signed(name)


def _name(text: str) -> str:
    return symbol(text, "matrix") if re.fullmatch(r"\w+'*", text) else text


def _summand(text: str) -> str:
    """A text after a sum sign: a sum in parentheses."""
    if len(text) > MAX_OUTLINE:
        return fenced(text)
    depth = 0
    for found in PIECE.finditer(text):
        piece = found[0]
        if depth == 0 and re.fullmatch(r"<mo>[+−]</mo>|\s*[+-]\s*", piece):
            return fenced(text)
        if piece[0] == "<" and found[1] is None:
            depth += -1 if piece[1] == "/" else 1
    return row(text)


def _reduction(function: str, index: str, body: str) -> str:
    """A function of all values that an entry takes along an index."""
    sign = operator("∏") if function == "prod" else _mi(function)
    return row(f"<munder>{sign}{row(_index(index))}</munder>{fenced(body)}")


def _section(heights: Sequence[str | None], inner: str) -> str:
    before, _, after = heights
    zero = "<mn>0</mn>"
    return rows([[zero]] * (before != "0") + [[inner or _mi("I")]] + [[zero]] * (after != "0"))


STYLE = Style(
    group=lambda text: fenced(text),
    times=TIMES,
    plus=operator("+"),
    minus=operator("−"),
    negative=operator("−"),
    name=symbol,
    number=number,
    eye=lambda size: "<mi>I</mi>",
    ones=_ones,
    rows=rows,
    range_total=lambda counter, low, high, body: total(
        symbol(counter, "scalar") + operator("=") + low, high, _summand(body)
    ),
    hermitian=lambda text: power(text, "<mi>H</mi>"),
    entry=lambda text, subscripts: subscripted(text, subscripts),
    transpose=lambda text: power(text, operator("⊤")),
    power=lambda base, exponent, entrywise: power(
        base, operator("⊙") + (_grouped(exponent)) if entrywise else exponent
    ),
    root=lambda text: f"<msqrt>{text}</msqrt>",
    quotient=lambda top, bottom: f"<mfrac>{row(top)}{row(bottom)}</mfrac>",
    over_is_group=True,
    hadamard=operator("⊙"),
    divide_entries=operator("⊘"),
    compare={name: operator(sign) for name, sign in COMPARE.items()},
    call=call,
    binding=dict.fromkeys(INFIX, PRODUCT),
    spreads_terms=False,
)
INDEX = IndexStyle(
    is_read_back=False,
    group=lambda text: fenced(text),
    brackets=("<mrow><mo>[</mo>", "<mo>]</mo></mrow>"),
    times=TIMES,
    number=number,
    entry=lambda name, axes: subscripted(_name(name), axes),
    ones=lambda size: '<mn mathvariant="bold">1</mn>',
    delta=lambda i, j: subscripted(_mi("δ"), [i, j]),
    identity=lambda size: _mi("I"),
    eye=lambda size, i, j: subscripted(_mi("δ"), [i, j]),
    unit=lambda size, i, j: subscripted('<mi mathvariant="bold">e</mi>', [j]),
    levi_civita=lambda axes: subscripted(_mi("ε"), axes),
    section=_section,
    total=lambda names, shown: total(_indices(names), None, _summand(shown)),
    range_total=STYLE.range_total,
    reduction=_reduction,
    transpose=STYLE.transpose,
    power=power,
    quotient=STYLE.quotient,
    call=lambda function, args: (
        fenced(call(function, args)) if function in INFIX else row(call(function, args))
    ),
    unknown=lambda name, args, axes: subscripted(
        row(call(name, args)) if args else symbol(name, "matrix"), axes
    ),
    compare=STYLE.compare,
    arrow=lambda shown, axes: (
        shown + operator("→") + fenced(operator(",").join(_index(axis) for axis in axes), "[", "]")
    ),
)
