"""Whatever the text, it ends in a program or in one clean error; what is accepted prints and derives.

``pytest -m slow tests/test_fuzz.py`` tries thousands of texts. Where atheris is installed,
``python tests/test_fuzz.py -runs=100000`` searches by coverage, and ``pytest -m atheris`` does so
for a while. What they found stands in `HOSTILE`, and in the table of `test_messages.py`.
"""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import tensorcalc as tc
from tensorcalc.errors import TensorcalcError

PROGRAMS = [
    "x'*A*x", "X : matrix(m, n)\ny : vector(m); w : vector(n)\nr = X*w - y\nr'*r + c*w'*w",
    "K : spd(n)\nK[i,k] = exp(-(x[i] - x[k])^2) + delta[i,k]\nlogdet(K) + y'*inv(K)*y",
    "sum[i](log(1 + exp(-y[i]*X[i,j]*w[j])))", 'einsum("i,ij,j->", x, A, x)',
    "P[i,j] = exp(S[i,j])/sum[k](exp(S[i,k]))", "g : scalar -> scalar\ng(x'*x)*g'(a)",
    "u : vector(m) of x, a; du/dx*x + du/da", "f : vector(m) -> vector(p); f(A*x)'*f(A*x)",
    "[a, b; c, d]*[x[0]; x[1]]", "[A, x; y', 0]", "sum[r=0..3](X^r)", "tr(A'*B^-1*A)/rows(A)",
    "k : scalar integer; tr(X^k)", "Z : matrix(n,n) complex; tr(Z^H*Z)", "A.*B./(1 + A.^2) + eye",
    "softmax(X, 2)*y + logsumexp(X, 2)", "max(x, 0) - where(x > y, x, -y)", "norm2(A*x - y)^2",
    "A[i,j]*B[j,k] -> [k,i]", "prod[i](x[i]) + max[i](x[i]*y[i])", "eps[i,j,k]*x[j]*y[k]",
    "kron(A, B)*vec(C)", "commutation(2, 3)*vec(matrix(1, 2, 3))", "expm(A)*sqrtm(B'*B)",
    'einsum("...ij,jk", T, B); T : tensor(2, 3, 4)', "σ*λ² − x'*A⁻¹*xᵀ' # Ελλάδα",
    "sum[i=0..n-1](x[i]*x[i]); x : vector(n)", "vector(1, n)'*x/sum(x)/n", "cross(x, y)'*z",
    "S : symmetric(n); D : diagonal(n); L : lower(3); adj(S)*D*S'", "pinv(A)*x + diag(A)*det(B)",
]  # fmt: skip
WORDS = [
    *"+ - * / @ .* ./ ^ .^ ' .T ^H ⊙ ² ⁻¹ ᵀ ( ) [ ] [ ] ( ) , ; : = -> .. < >= \n # \" ' . _ ? \\ {".split(" "),
    *"a b c g x y z u A B T X i j k n 0 1 2 3 0.5 1e3 9".split(),
    *"exp log sqrt abs sum mean prod max softmax tr det inv diag norm2 vec kron einsum where".split(),
    *"eye vector matrix delta eps pi expm rows len du dx d2u g' dg d1 of scalar tensor spd".split(),
    *"positive integer complex lambda σ \ufeff \x00 \u202e \ud800 é ٣ ① ﬁ".split(" "),
]  # fmt: skip


def outcome(text: str, **limits: int) -> str:
    """What becomes of a text: the class of its error, or that it is accepted.

    Raises whatever is no clean error, of the text or of what is done with its formula.
    """
    with tc.limits(**limits):
        try:
            expression = tc.parse(text)
        except TensorcalcError as error:
            check_error(error)
            return type(error).__name__
        uses: list[Callable[[], object]] = [
            lambda: str(expression), lambda: repr(expression), expression.to_latex, expression.to_mathml,
            expression.to_index, expression.to_einsum, lambda: expression.shape,
            lambda: expression.assumptions,
            lambda: check_code(expression.to_code()),
            *[lambda name=name: str(tc.diff(expression, name)) for name in [*expression.variables][:2]],
        ]  # fmt: skip
        for use in uses:
            try:
                use()
            except TensorcalcError as error:
                check_error(error)
        return "accepted"


def check_code(code: str) -> None:
    """Printed code is Python; Python itself takes no more than some hundred parentheses."""
    if len(code) < 1_000:
        compile(code, "<code>", "exec")


def check_error(error: TensorcalcError) -> None:
    """An error is short, fit for a terminal, and marks a place if it has one."""
    lines = str(error).split("\n")
    assert all(line.isprintable() for line in lines), lines
    assert max(map(len, lines)) < 700
    if error.excerpt is not None:
        assert len(error.excerpt.split("\n")) == 2 and "^" in error.excerpt


CALLS: list[str] = []  # what must not be done with a text: code compiled of it, files written
_watching = False


def _watch(event: str, args: tuple[object, ...]) -> None:
    if not _watching:
        return
    wrote = event == "open" and any(c in str(args[1]) for c in "wax+")
    if wrote or event.startswith(("os.", "socket.", "subprocess.", "shutil.")):
        CALLS.append(f"{event} {args!r}"[:200])


@contextmanager
def watched() -> Iterator[None]:
    """Fails if anything is written, started or sent meanwhile."""
    global _watching
    CALLS.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    assert not CALLS


def import_all() -> None:
    """Import now what is imported late."""
    for program in PROGRAMS:
        with suppress(Exception):
            outcome(program)


@pytest.fixture(scope="module", autouse=True)
def _audited() -> None:
    import_all()
    sys.addaudithook(_watch)


# ── texts ────────────────────────────────────────────────────────────────────────────────────


def soup(source: random.Random) -> str:
    """Words of the language in any order."""
    words = source.choices(WORDS, k=source.randint(1, 14))
    return source.choice(["", "", " "]).join(words)


def mutated(source: random.Random) -> str:
    """A program with some of it left out, doubled, put elsewhere or replaced."""
    text = source.choice(PROGRAMS)
    for _ in range(source.randint(1, 4)):
        a, b = sorted(source.choices(range(len(text) + 1), k=2))
        b = min(b, a + source.randint(0, 8))
        kind = source.randint(0, 4)
        if kind == 0:
            text = text[:a] + text[b:]
        elif kind == 1:
            text = text[:b] + text[a:b] * source.randint(1, 3) + text[b:]
        elif kind == 2:
            other = source.choice(PROGRAMS)
            c = source.randrange(len(other))
            text = text[:a] + other[c : c + source.randint(1, 12)] + text[b:]
        else:
            text = text[:a] + source.choice(WORDS) + text[b:]
    return text


def grown(source: random.Random, depth: int = 4) -> str:
    """An expression that the grammar takes, whether or not its shapes fit."""

    def part() -> str:
        return grown(source, depth - 1)

    if depth == 0 or source.random() < 0.15:
        return source.choice(
            ["a", "b", "x", "y", "A", "B", "x[i]", "y[j]", "A[i,j]", "B[j,k]", "T[i,j,k]", "0", "1",
             "2", "0.5", "pi", "eye", "vector(1)", "matrix(0)", "delta[i,j]", "x[0]", "[a, b]"]
        )  # fmt: skip
    joined: list[Callable[[], str]] = [
        lambda: f"{part()} + {part()}", lambda: f"{part()} - {part()}",
        lambda: f"{part()}*{part()}", lambda: f"{part()}*{part()}", lambda: f"{part()}/{part()}",
        lambda: f"({part()}).*({part()})", lambda: f"({part()})./({part()})",
        lambda: f"({part()})^{source.choice(['2', '-1', '3', 'a', '0.5', 'k', '(-2)'])}",
        lambda: f"({part()}).^{source.choice(['2', '-1', 'a', '0.5', 'y'])}",
        lambda: f"({part()})'", lambda: f"-{part()}", lambda: f"({part()})[{source.choice('ijk')}]",
        lambda: f"{source.choice('exp log sin abs sqrt relu tanh sigmoid'.split())}({part()})",
        lambda: f"{source.choice('tr det inv diag vec norm2 expm logdet pinv sum mean'.split())}({part()})",
        lambda: f"{source.choice('max min kron outer cross'.split())}({part()}, {part()})",
        lambda: f"{source.choice('sum mean max softmax logsumexp prod'.split())}({part()}, {source.randint(1, 2)})",
        lambda: f"{source.choice('sum mean prod max softmax'.split())}[{source.choice('ijk')}]({part()})",
        lambda: f"sum[r={source.choice(['0', '1', 'rows(A)'])}..{source.choice(['3', 'len(x)-1', 'n'])}]({part()}*r)",
        lambda: f"where({part()} < {part()}, {part()}, {part()})",
        lambda: f"[{part()}, {part()}; {part()}, {part()}]", lambda: f"[{part()}; {part()}]",
        lambda: f"({part()} -> [{source.choice(['i', 'j', 'i,j', 'j,i', ''])}])",
        lambda: f'einsum("{source.choice(["ij,j", "i,i->", "ij->ji", "...i", "ii", "i,j->ij"])}", {part()}, {part()})',
    ]  # fmt: skip
    return source.choice(joined)()


def decoded(data: bytes) -> str:
    """Bytes as text, in one of three encodings."""
    codec, errors = [("latin-1", "strict"), ("utf-8", "surrogateescape"),
                     ("utf-16-le", "replace")][len(data) % 3]  # fmt: skip
    return data.decode(codec, errors)


MAKERS = {"soup": soup, "mutated": mutated, "grown": grown}
quick = settings(
    derandomize=True, deadline=None, max_examples=200, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@quick
@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text(text: str) -> None:
    """Characters of any kind, surrogates too."""
    with watched():
        outcome(text)


@quick
@given(st.binary(max_size=120))
def test_any_bytes(data: bytes) -> None:
    """Bytes, read as text in some encoding."""
    with watched():
        outcome(decoded(data))


@quick
@given(st.lists(st.sampled_from(WORDS), max_size=16), st.sampled_from(["", " "]))
def test_any_words(words: list[str], between: str) -> None:
    """The words of the language in any order."""
    with watched():
        outcome(between.join(words))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("block", range(4))
def test_random_programs(maker: str, block: int) -> None:
    """Soups of words, mutated programs, and expressions that fit the grammar."""
    many(maker, block, 50)


@pytest.mark.slow
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("block", range(100, 120))
def test_many_random_programs(maker: str, block: int) -> None:
    """The same, thousands of them."""
    many(maker, block, 200)


def many(maker: str, block: int, count: int) -> None:
    """Try random texts of one kind; a failure shows the text."""
    for seed in range(block * count, (block + 1) * count):
        text = MAKERS[maker](random.Random(seed))
        try:
            with watched():
                outcome(text, steps=100_000)
        except BaseException as error:
            raise AssertionError(f"{maker} {seed}: {text!r}") from error


def test_programs_are_programs() -> None:
    """The programs that are mutated are accepted as they are."""
    assert {text: outcome(text) for text in PROGRAMS} == dict.fromkeys(PROGRAMS, "accepted")


def test_grown_expressions_often_fit() -> None:
    """Else the search would only see errors."""
    kinds = [outcome(grown(random.Random(seed), 3)) for seed in range(200)]
    assert kinds.count("accepted") > 40


# ── what would run away ──────────────────────────────────────────────────────────────────────


def _chain(start: str, step: str, count: int) -> str:
    return "\n".join([start, *[step.format(k, k - 1) for k in range(1, count)]])


MANY = 150_000
HOSTILE = {
    "signs": "-" * MANY + "x",
    "transposes": "A" + "'" * MANY,
    "powers": "a" + "^2" * MANY,
    "powers of powers": "a" + "^2" * 20_000,
    "inverses": "A" + "^-1" * 20_000,
    "superscripts": "a" + "²" * 5_000,
    "brackets": "(" * MANY,
    "brackets closed": "(" * 50_000 + "a" + ")" * 50_000,
    "nested matrices": "[" * 10_000 + "a" + "]" * 10_000,
    "nested functions": "exp(" * 20_000 + "x" + ")" * 20_000,
    "nested inverses": "inv(A + " * 1_000 + "A" + ")" * 1_000,
    "unknown functions": "foo(" * 10_000 + "x" + ")" * 10_000,
    "words": "a+" * 500_000,
    "length": " " * 3_000_000,
    "newlines": "\r\n" * 500_000 + "a b",
    "a long name": "x" * 500_000,
    "a long unknown name": "x" * 500_000 + "(a)",
    "a long number": "1" * 500_000,
    "a long string": 'einsum("' + "i" * 500_000 + '", x)',
    "operands": 'einsum("' + ",".join(["i"] * 2_000) + '->"' + ", x" * 2_000 + ")",
    "ellipses": 'einsum("' + ",".join(["..."] * 500) + '"' + ", A" * 500 + ")",
    "statements": "a;" * 100_000,
    "declarations": "".join(f"x{k} : vector(n{k})\n" for k in range(10_000)) + "a",
    "names": " + ".join(f"x{k}'*y{k}" for k in range(2_000)),
    "outer products": "*".join(f"x[i{k}]" for k in range(40)),
    "subscripts": "T[" + ",".join(["i"] * 10_000) + "]",
    "axes": "r[" + ",".join(f"i{k}" for k in range(10_000)) + "] = x",
    "sizes": "T : matrix(" + "*".join(["n"] * 20_000) + ", n); T",
    "a size": "x : vector(" + "*".join(["9" * 300] * 50) + "); x",
    "joined vectors": "[" + "; ".join(f"x{k}" for k in range(2_000)) + "]",
    "kron": "kron(A, " * 2_000 + "A" + ")" * 2_000,
    "kron doubled": _chain("B0 = A", "B{0} = kron(B{1}, B{1})", 50),
    "squares": _chain("b0 = a*c", "b{0} = b{1}*b{1}*d{0}", 50),
    "products of sums": _chain("b0 = a + c", "b{0} = (b{1} + d)*(b{1} - e)", 50),
    "numbers": "*".join(["9" * 300] * 1_000),
    "number squared": "1.5" + "^2" * 50,
    "powers of ten": _chain("b0 = 1e300*a", "b{0} = b{1}*b{1}", 50),
    "fractions": " + ".join(f"1/{k}" for k in range(1, 5_000)),
    "small numbers": "1e-400*1e-400*1e-400*a",
    "sums of sums": "sum[r=0..62](" * 8 + "x" + ")" * 8,
    "products of products": "prod[r=0..62](prod[s=0..62](a + r*s))",
    "a long sum": "sum[r=0..10^9](a^r)",
    "a power": "tr(X^1000000)",
    "an inverse power": "X^-1000000",
    "signs of permutations": "*".join(f"eps[i{k},j{k},k{k}]" for k in range(9)),
    "cross products": "cross(x, " * 30 + "y" + ")" * 30,
    "traces": "*".join(["tr(A)"] * 1_000),
    "a chain": "*".join(f"A[i{k},i{k + 1}]" for k in range(1_000)),
    "two cycles": "*".join(f"A[i{k},i{(k + 1) % 50}]*A[j{k},j{(k + 1) % 50}]" for k in range(50)),
    "a graph": "*".join(f"A[i{a},i{b}]" for a in range(20) for b in range(a)),
    "a product to derive": "*".join(f"sin(a + {k})" for k in range(1_000)),
    "a matrix of numbers": "[" + "; ".join([", ".join(["1"] * 100)] * 100) + "]",
    "primes": "g : scalar -> scalar; g" + "'" * 5_000 + "(a)",
    "an order": "u : scalar of a; d" + "9" * 5_000 + "u/da" + "9" * 5_000,
    "a derivative with two readings": "u : scalar of a, ada; d9u/d" + "a" + "da" * 60,
    "arguments": "f : " + ", ".join(["scalar"] * 500) + " -> scalar; f(" + ", ".join("a" * 500) + ")",
    "transposed sums": "(A + B.*" * 700 + "A" + ")'" * 700,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(name: str) -> None:
    """None of these hangs, fills the memory, or raises anything but a clean error."""
    outcome(HOSTILE[name], steps=10_000, tokens=30_000, nesting=10_000)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_with_the_usual_limits(name: str) -> None:
    """Nor with the limits that are in force if nobody changes them."""
    outcome(HOSTILE[name])


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("\ufeffx'*y", "x'*y"), ("x'*\r\ny\r", "x'*y"), ("a\f+\u00a0b", "a + b"), ("𝐱'*𝐀*𝐱", "x'*A*x"),
        ("r = x'*x\r\rr", "x'*x"), ("a +\n\nb\n", "a + b"), ("α*ﬁ", "alpha*fi"),
    ],
)  # fmt: skip
def test_spellings(text: str, same: str) -> None:
    """Marks of byte order, all ends of lines, all spaces, and letters that look like others."""
    assert tc.parse(text) == tc.parse(same)


@pytest.mark.atheris
def test_atheris(tmp_path: Path) -> None:
    """A search by coverage, for a while."""
    pytest.importorskip("atheris")
    command = [sys.executable, str(Path(__file__)), "-runs=100000", "-max_len=120", "-seed=1"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]


def search(arguments: list[str]) -> None:
    """Let atheris look for texts that fail; see its options with ``-help=1``."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["tensorcalc"]):
        import_all()

    def one(data: bytes) -> None:
        source = atheris.FuzzedDataProvider(data)
        if source.ConsumeBool():
            outcome(source.ConsumeUnicode(100))
        else:
            picked = source.ConsumeIntListInRange(20, 0, len(WORDS) - 1)
            outcome("".join([WORDS[k] for k in picked]))

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


if __name__ == "__main__":
    search(sys.argv[1:])
