"""Text -> syntax tree: precedence, lexing, statements, spans, size and depth."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest
from hypothesis import example, given, settings, strategies as st

from tensorcalc.errors import TensorcalcError
from tensorcalc.parse import GRAMMAR, parse
from tensorcalc.syntax import Syntax


def show(syntax: Syntax) -> str:
    """A tree as a compact s-expression: ``(sum +x -2)``, ``(power ^ x 2)``."""
    match syntax.kind:
        case "name" | "number":
            return syntax.words[0]
        case "string":
            return f'"{syntax.words[0]}"'
        case "names":
            return ",".join(syntax.words)
        case "value":
            return show(syntax.children[0])
        case "program":
            return " ; ".join(map(show, syntax.children))
        case "sum" | "product":
            pairs = zip(syntax.words, syntax.children, strict=True)
            return f"({syntax.kind} {' '.join(word + show(child) for word, child in pairs)})"
    return f"({' '.join([syntax.kind, *syntax.words, *map(show, syntax.children)])})"


EXPRESSIONS = [
    # names and numbers
    ("x", "x"),
    ("x_1", "x_1"),
    ("of", "of"),
    ("3", "3"),
    ("0.5", "0.5"),
    (".5", ".5"),
    ("2.", "2."),
    ("1e-3", "1e-3"),
    ("2.5E10", "2.5E10"),
    ("1.e5", "1.e5"),
    # a point before an operator is the operator's
    ("2.*x", "(product *2 .*x)"),
    ("2./x", "(product *2 ./x)"),
    ("2.^x", "(power .^ 2 x)"),
    ("2.'", "(transpose 2)"),
    ("2.T", "(transpose 2)"),
    ("2.5.*x", "(product *2.5 .*x)"),
    ("2*.5", "(product *2 *.5)"),
    # sums and products are flat, a parenthesised one is an element of its own
    ("a + b - c", "(sum +a +b -c)"),
    ("a - (b + c)", "(sum +a -(sum +b +c))"),
    ("(a + b) + c", "(sum +(sum +a +b) +c)"),
    ("A*B@C.*D/c./E", "(product *A *B @C .*D /c ./E)"),
    ("a*(b*c)", "(product *a *(product *b *c))"),
    ("a*b + c*d", "(sum +(product *a *b) +(product *c *d))"),
    ("((x))", "x"),
    # signs
    ("-x", "(negate x)"),
    ("+x", "x"),
    ("--x", "(negate (negate x))"),
    ("-x^2", "(negate (power ^ x 2))"),
    ("-x'", "(negate (transpose x))"),
    ("-a*b", "(product *(negate a) *b)"),
    ("a*-b", "(product *a *(negate b))"),
    ("-a + b", "(sum +(negate a) +b)"),
    ("a - -b", "(sum +a -(negate b))"),
    # powers and transposes bind alike, left to right
    ("x^2^3", "(power ^ (power ^ x 2) 3)"),
    ("A^-1", "(power ^ A (negate 1))"),
    ("A^-1'", "(transpose (power ^ A (negate 1)))"),
    ("A'^2", "(power ^ (transpose A) 2)"),
    ("A^+2", "(power ^ A 2)"),
    ("A''", "(transpose (transpose A))"),
    ("A.T", "(transpose A)"),
    ("A.'", "(transpose A)"),
    ("A.T.T", "(transpose (transpose A))"),
    ("A^H", "(hermitian A)"),
    ("A^H*B", "(product *(hermitian A) *B)"),
    ("A^Hx", "(power ^ A Hx)"),
    ("A^ H", "(power ^ A H)"),
    ("x.^y.^2", "(power .^ (power .^ x y) 2)"),
    ("x^f(a)", "(power ^ x (call f a))"),
    ("x^(a+b)'", "(transpose (power ^ x (sum +a +b)))"),
    ("2^-x*y", "(product *(power ^ 2 (negate x)) *y)"),
    # subscripts
    ("A[i,j]", "(subscript A i j)"),
    ("A[0, n-1]", "(subscript A 0 (sum +n -1))"),
    ("(X*w)[i]", "(subscript (product *X *w) i)"),
    ("A'[i,j]", "(subscript (transpose A) i j)"),
    ("A[i,j]'", "(transpose (subscript A i j))"),
    ("f(x)[i]", "(subscript (call f x) i)"),
    ("A[i][j]", "(subscript (subscript A i) j)"),
    ("x[i]^2", "(power ^ (subscript x i) 2)"),
    ("x^a[i]", "(power ^ x (subscript a i))"),
    ("x^(a)[i]", "(power ^ x (subscript a i))"),
    ("x^-a[i]", "(power ^ x (negate (subscript a i)))"),
    ("A^2[i,j]", "(subscript (power ^ A 2) i j)"),
    ("A^-1[i,j]", "(subscript (power ^ A (negate 1)) i j)"),
    ("du/dx[a,b]", "(product *du /(subscript dx a b))"),
    ("d2u/dx2[a,b,c]", "(product *d2u /(subscript dx2 a b c))"),
    # calls
    ("exp(x)", "(call exp x)"),
    ("exp (x)", "(call exp x)"),
    ("f()", "(call f)"),
    ("max(a, b)", "(call max a b)"),
    ("g'(u)", "(call g' u)"),
    ("g''(u)", "(call g'' u)"),
    ("g''(u)'", "(transpose (call g'' u))"),
    ("g'*(u)", "(product *(transpose g) *u)"),
    ("where(a < b, a, b)", "(call where (compare < a b) a b)"),
    ("tr(A -> [i,j])", "(call tr (arrow i j A))"),
    ('einsum("ij,j->i", A, x)', '(call einsum "ij,j->i" A x)'),
    ("einsum('ij,j->i', A', x)", '(call einsum "ij,j->i" (transpose A) x)'),
    ('einsum("...i # (", x)', '(call einsum "...i # (" x)'),
    # sums over indices
    ("sum[i,j](A[i,j])", "(indexed_call sum i j (subscript A i j))"),
    ("sum[i](x)[j]", "(subscript (indexed_call sum i x) j)"),
    ("sum[r=0..k-1](x^r)", "(range_call sum r 0 (sum +k -1) (power ^ x r))"),
    ("sum[r=1..3](r)^2", "(power ^ (range_call sum r 1 3 r) 2)"),
    ("prod[r=n..T](r)", "(range_call prod r n T r)"),
    # comparisons bind loosest
    ("a + b <= c*d", "(compare <= (sum +a +b) (product *c *d))"),
    ("a>-1", "(compare > a (negate 1))"),
    ("(a < b) < c", "(compare < (compare < a b) c)"),
    # arrows
    ("x[i]*y[j] -> [j, i]", "(arrow j i (product *(subscript x i) *(subscript y j)))"),
    ("x[i]*x[i] -> []", "(arrow (product *(subscript x i) *(subscript x i)))"),
    ("(x[i] -> [i])'", "(transpose (arrow i (subscript x i)))"),
    ("a->[i]", "(arrow i a)"),
    # explicit matrices
    ("[a]", "(rows (row a))"),
    ("[a, b; c, d]", "(rows (row a b) (row c d))"),
    ("[a; b]'", "(transpose (rows (row a) (row b)))"),
    ("[a, b][i, j]", "(subscript (rows (row a b)) i j)"),
    ("[1, [2; 3]]", "(rows (row 1 (rows (row 2) (row 3))))"),
    ("A*[1; 2]", "(product *A *(rows (row 1) (row 2)))"),
]

UNICODE = [
    ("σ", "sigma"),
    ("σ*sigma", "(product *sigma *sigma)"),
    ("Σ", "Sigma"),
    ("ς", "sigma"),
    ("ϵ + ε", "(sum +epsilon +epsilon)"),
    ("µ", "mu"),  # the micro sign is another character than mu
    ("π", "pi"),
    ("σ_1", "sigma_1"),
    ("Δt", "Deltat"),
    ("x₁", "x1"),
    ("𝐀", "A"),
    ("ﬁt", "fit"),
    ("σ'(x)", "(call sigma' x)"),
    ("λ′(x)", "(call lambda' x)"),
    ("Aᵀ", "(transpose A)"),
    ("A′", "(transpose A)"),
    ("Aᴴ", "(hermitian A)"),
    ("x²", "(power ^ x 2)"),
    ("x¹⁰", "(power ^ x 10)"),
    ("A⁻¹", "(power ^ A (negate 1))"),
    ("A⁻¹ᵀ", "(transpose (power ^ A (negate 1)))"),
    ("x1²", "(power ^ x1 2)"),
    ("−x − y", "(sum +(negate x) -y)"),
    ("A⊙B⊘C", "(product *A .*B ./C)"),
    ("a·b×c", "(product *a *b *c)"),
    ("a ≤ b", "(compare <= a b)"),
    ("a ≥ b", "(compare >= a b)"),
    ("x[i] → [i]", "(arrow i (subscript x i))"),
    ("a\u00a0+\u2009b", "(sum +a +b)"),
]

STATEMENTS = [
    ("", ""),
    ("\n # nothing\n;;\n", ""),
    ("x\ny", "x ; y"),
    ("x; y;", "x ; y"),
    ("\n\nx # comment; (\n\n# more\ny\n", "x ; y"),
    ("x\r\ny\rz", "x ; y ; z"),
    # a newline in brackets, or after an operator, is white space
    ("f(a,\n  b)", "(call f a b)"),
    ("(a\n+ b)\n[c,\n\nd;\ne, f\n]", "(sum +a +b) ; (rows (row c d) (row e f))"),
    ("A[i,\nj]", "(subscript A i j)"),
    ("a +\nb", "(sum +a +b)"),
    ("a * # why\n\n b", "(product *a *b)"),
    ("r =\n x", "(define r x)"),
    ("x\n-y", "x ; (negate y)"),
    ("x'\ny", "(transpose x) ; y"),
    # declarations
    ("c : scalar", "(declaration scalar c)"),
    ("c : scalar positive", "(declaration scalar positive c)"),
    ("k : scalar integer positive", "(declaration scalar integer positive k)"),
    ("x, y : vector(n)", "(declaration vector x,y n)"),
    ("X : matrix(m, 2*n) invertible", "(declaration matrix invertible X m (product *2 *n))"),
    ("K : spd(3)", "(declaration spd K 3)"),
    ("T : tensor(a,b,c)", "(declaration tensor T a b c)"),
    ("σ : scalar", "(declaration scalar sigma)"),
    ("u : vector(m) of x", "(abstract vector u x m)"),
    ("u, v : scalar positive of x, y", "(abstract scalar positive u,v x,y)"),
    ("g : scalar -> scalar", "(function g (type scalar) (type scalar))"),
    ("f : vector(m) -> vector(p)", "(function f (type vector m) (type vector p))"),
    ("h : matrix(m,n), vector(k) → scalar",
     "(function h (type matrix m n) (type vector k) (type scalar))"),
    # definitions
    ("r = X*w - y", "(define r (sum +(product *X *w) -y))"),
    ("g[i] = X[k,i]*r[k]",
     "(define (subscript g i) (product *(subscript X k i) *(subscript r k)))"),
    ("G = x[i]*y[j] -> [j,i]",
     "(define G (arrow j i (product *(subscript x i) *(subscript y j))))"),
    ("y : vector(m); w : vector(n)\nr = w\nr'*r",
     "(declaration vector y m) ; (declaration vector w n) ; (define r w) ; "
     "(product *(transpose r) *r)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), EXPRESSIONS)
def test_expressions(text: str, tree: str) -> None:
    """Each construct of matrix, index and einsum notation."""
    assert show(parse(text)) == tree


@pytest.mark.parametrize(("text", "tree"), UNICODE)
def test_unicode(text: str, tree: str) -> None:
    """Greek letters, operators and superscripts are other spellings of ASCII."""
    assert show(parse(text)) == tree


@pytest.mark.parametrize(("text", "tree"), STATEMENTS)
def test_statements(text: str, tree: str) -> None:
    """Declarations, definitions, separators, comments, newlines."""
    assert show(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("a*b", "a*b"),
        ("  a*b  # comment", "a*b"),
        ("2*(a+b)", "2*(a+b)"),
        ("(a+b)", "(a+b)"),
        ("-x'", "-x'"),
        ("A⁻¹", "A⁻¹"),
        ("ﬁt[i]", "ﬁt[i]"),
        ("f(x, y )", "f(x, y )"),
        ("[a;\nb]", "[a;\\nb]"),
        ("sum[r=0..3](r)", "sum[r=0..3](r)"),
        ("x -> [i]", "x -> [i]"),
        ("x : vector(n) positive ", "x : vector(n) positive"),
        ("u : scalar of x, y ;", "u : scalar of x, y"),
    ],
)
def test_span_of_a_statement(text: str, source: str) -> None:
    """A span is the stretch of the original text, parentheses included."""
    assert parse(text).children[0].span.source == source


def test_spans_after_normalised_names() -> None:
    """Names that grow or shrink under normalisation move no later span."""
    tree = parse("ﬁt + σ + 𝐀 + x").children[0].children[0]
    assert [child.span.source for child in tree.children] == ["ﬁt", "σ", "𝐀", "x"]
    assert [child.span.start for child in tree.children] == [0, 5, 9, 13]


@pytest.mark.parametrize(
    ("text", "kind", "count"),
    [
        ("+".join(f"x{k}*y{k}" for k in range(100_000)), "sum", 100_000),
        ("*".join(["x"] * 100_000), "product", 100_000),
        ("\n".join(["x"] * 50_000), None, 50_000),
        ("f(" + ",".join(["x"] * 50_000) + ")", "call", 50_000),
        ("[" + ";".join(["x, y"] * 20_000) + "]", "rows", 20_000),
    ],
    ids=["sum", "product", "statements", "arguments", "rows"],
)
def test_wide(text: str, kind: str | None, count: int) -> None:
    """Long sums, products and lists are flat, and take linear time."""
    tree = parse(text)
    if kind is not None:
        tree = tree.children[0].children[0]
        assert tree.kind == kind
    assert len(tree.children) == count


@pytest.mark.parametrize(
    ("text", "kind", "depth"),
    [
        ("(" * 100_000 + "x" + ")" * 100_000, "name", 0),
        ("exp(" * 20_000 + "x" + ")" * 20_000, "call", 20_000),
        ("[" * 20_000 + "x" + "]" * 20_000, "rows", 40_000),
        ("-" * 50_000 + "x", "negate", 50_000),
        ("x" + "^x" * 50_000, "power", 50_000),
        ("x" + "^-x" * 20_000, "power", 20_001),
        ("x" + "'" * 100_000, "transpose", 100_000),
        ("x" + "[i]" * 20_000, "subscript", 20_000),
        ("1+(" * 20_000 + "x" + ")" * 20_000, "sum", 20_000),
        ("x" + "+x)" * 20_000, "sum", 20_000),
    ],
    ids=["parentheses", "calls", "brackets", "signs", "powers", "signed powers", "transposes",
         "subscripts", "right sums", "left sums"],
)  # fmt: skip
def test_deep(text: str, kind: str, depth: int) -> None:
    """Nothing recurses on Python's stack, neither parsing nor letting go of the tree."""
    text = "(" * (text.count(")") - text.count("(")) + text
    syntax = parse(text).children[0].children[0]
    assert syntax.kind == kind
    count = 0
    while syntax.children:
        child = next((c for c in syntax.children if c.children), syntax.children[0])
        syntax, count = child, count + 1
    assert count == depth


def test_parsing_again() -> None:
    """The same text gives an equal tree again, built anew."""
    text = "sum[i](log(1 + exp(-y[i]*X[i,j]*w[j])))"
    first, second = parse(text), parse(text)
    assert first is not second
    assert show(first) == show(second)


def test_threads() -> None:
    """Parsing in several threads at once keeps the texts apart."""
    wrong: list[str] = []

    def work(name: str) -> None:
        text = "+".join([name] * 50)
        for _ in range(20):
            span = parse(text).children[0].span
            if span.text != text:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(f"x{k}",)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """The table of the parser needs no choice between shift and reduce, or between terminals."""
    from lark import Lark, logger

    class Everywhere:
        always_accept = ("_NEWLINE",)

        def process(self, stream: object) -> object:
            return stream

    try:
        import interegular  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401

        strict = True
    except ImportError:
        strict = False
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(caplog.handler)
    try:
        Lark.open_from_package(
            *GRAMMAR, ("",), start="program", parser="lalr", strict=strict, debug=True,
            maybe_placeholders=False, postlex=Everywhere(),
        )  # fmt: skip
    finally:
        logger.removeHandler(caplog.handler)
        logger.setLevel(level)
    assert "onflict" not in caplog.text


def test_imports_are_light() -> None:
    """Parsing imports neither NumPy nor SciPy, and importing the module no Lark."""
    code = (
        "import sys; from tensorcalc.parse import parse; assert 'lark' not in sys.modules; "
        "parse('x'); "
        "assert not {'numpy', 'scipy', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ── any text at all ──────────────────────────────────────────────────────────────────────────

WORDS = [
    *"xyAσ_ 0123456789+-*/@^'.,;:=<>()[]#\"\n\t$é²⁻¹ᵀ⊙−→",
    "sum[i](", "sum[r=0..k](", "einsum(\"ij\",", " -> [i]", "A[i,j]", ".*", "2.", "..", "exp(",
    " of ", " : vector(n)", " : scalar -> scalar", "g''(", "^H", ".T", "1e", "\r\n", "\x00",
    "\u200b", "\ud800",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map("".join) | st.text(max_size=12)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
@example("g'")
@example("x -> [i\n")
@example("(" * 50)
def test_any_text_is_a_tree_or_an_error(text: str) -> None:
    """Whatever the text: a tree whose spans nest, or one error with a place inside the text."""
    tree, error = None, None
    try:
        tree = parse(text)
    except TensorcalcError as raised:
        error = raised
    if error is not None:
        assert error.span is not None
        assert 0 <= error.span.start <= error.span.end <= len(text)
        assert str(error).replace("\n", "").isprintable()
        assert max(map(len, str(error).splitlines())) < 1000
    stack = [tree] if tree else []
    while stack:
        syntax = stack.pop()
        assert syntax.span.text == text
        for child in syntax.children:
            assert syntax.span.start <= child.span.start <= child.span.end <= syntax.span.end
            stack.append(child)


def _grow(inner: st.SearchStrategy[tuple[str, str]]) -> st.SearchStrategy[tuple[str, str]]:
    """Texts with their trees, one level deeper: each part is in parentheses or a name."""
    parts = inner.map(lambda pair: pair if pair[0].isalnum() else (f"({pair[0]})", pair[1]))

    def chain(kind: str, first: str, operators: str) -> st.SearchStrategy[tuple[str, str]]:
        pairs = st.tuples(st.sampled_from(operators.split()), parts)
        return st.tuples(parts, st.lists(pairs, min_size=1, max_size=3)).map(
            lambda drawn: (
                drawn[0][0] + "".join(f" {op} {text}" for op, (text, _) in drawn[1]),
                f"({kind} {first}{drawn[0][1]}"
                + "".join(f" {op}{tree}" for op, (_, tree) in drawn[1])
                + ")",
            )
        )

    return st.one_of(
        chain("sum", "+", "+ -"),
        chain("product", "*", "* / .* ./ @"),
        parts.map(lambda p: (f"{p[0]}'", f"(transpose {p[1]})")),
        parts.map(lambda p: (f"-{p[0]}", f"(negate {p[1]})")),
        parts.map(lambda p: (f"f({p[0]})", f"(call f {p[1]})")),
        parts.map(lambda p: (f"[{p[0]}; x]", f"(rows (row {p[1]}) (row x))")),
        st.tuples(parts, parts).map(
            lambda p: (f"{p[0][0]}^{p[1][0]}", f"(power ^ {p[0][1]} {p[1][1]})")
        ),
        parts.map(lambda p: (f"{p[0]}[i, 0]", f"(subscript {p[1]} i 0)")),
    )


ATOMS = st.sampled_from([("x", "x"), ("A", "A"), ("lam", "lam")])


@settings(max_examples=200, deadline=None)
@given(st.recursive(ATOMS, _grow, max_leaves=12))
def test_written_trees_are_read_back(pair: tuple[str, str]) -> None:
    """A tree written with parentheses around every part is read as that tree."""
    text, tree = pair
    assert show(parse(text)) == tree
