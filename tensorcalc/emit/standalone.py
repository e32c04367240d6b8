"""A kernel's source and what is known of it in, a Python module that needs no tensorcalc out.

The module has the helpers that the kernel calls (`trim.py`), a plain function ``run`` that checks
the arguments, and ``check`` if some of the outputs are derivatives of others. What the user wrote
stands in it within literals of strings only, but for names of sizes that are identifiers.
"""

from __future__ import annotations

import ast
import base64
import keyword
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from tensorcalc._version import __version__
from tensorcalc.binding import Array
from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.emit.facts import Condition, Derivative, small_sizes
from tensorcalc.emit.module import decorator
from tensorcalc.emit.source import Source
from tensorcalc.emit.trim import Import, helpers, import_lines, needed
from tensorcalc.errors import DomainError
from tensorcalc.ir import Variable

WIDTH = 96
INDENT = "    "
MAX_LITERAL = 400  # numbers of an array constant that are written as numbers …
MAX_CONSTANT = 1_000_000  # … and those that a module may hold
LOCALS = "shapes found name shape axis size expected enumerate zip f ValueError".split()

# what the module may name beside the helpers
IMPORTS = [
    Import("base64", "", "base64"),
    Import("math", "", "math"),
    Import("sys", "", "sys"),
    Import("numpy", "", "np"),
    Import("numpy", "empty", "empty"),
    Import("numpy", "full", "full"),
    Import("numpy", "reshape", "reshaped"),
    Import("numpy", "zeros", "zeros"),
    Import("numba", "float64", "double"),
    Import("numba", "int32", "int32"),
    Import("numba", "njit", "njit"),
    Import("numba", "types", "types"),
]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a module tells of itself.

    `variables` are all that ``run`` takes, `arguments` those of the kernel, in its order, `data`
    the constants among them. `outputs` have the shape of each and say which result of the kernel it
    is; a single one is called "". Of `wanted` pairs of sizes the first should not be smaller where
    derivatives are checked.
    """

    formulas: Sequence[str]
    variables: Mapping[str, Variable]
    arguments: Sequence[str]
    data: Mapping[str, Array]
    outputs: Mapping[str, tuple[int, Dims]]
    derivatives: Sequence[Derivative]
    conditions: Sequence[Condition]
    wanted: Sequence[tuple[Dim, Dim]] = ()


def standalone(source: Source, facts: Facts) -> str:
    """The text of the module."""
    return _Module(source, facts).text()


class _Module:
    """The names of one module, and its text."""

    def __init__(self, source: Source, facts: Facts) -> None:
        self.source, self.facts = source, facts
        self.given = {n: facts.variables[n] for n in facts.arguments if n not in facts.data}
        names = [n for v in facts.variables.values() for dim in v.dims for n in dim.names]
        self.letters = display_names(map(Dim.of, names), facts.variables)
        fresh = (f"size{k}" for k in count())
        for name in dict.fromkeys(names):
            shown = self.letters.get(name, name)
            if not shown.isidentifier():
                shown = next(fresh)
            taken = keyword.iskeyword(shown) or shown in LOCALS
            self.letters[name] = f"{shown}_" if taken else shown
        told = [n for v in self.given.values() for dim in v.dims for n in dim.names]
        self.numbers = small_sizes(list(dict.fromkeys(told)), facts.conditions, facts.wanted)

    def text(self) -> str:
        """All of it."""
        definitions, imports = helpers([name for _, name in self.source.uses])
        texts = [definition.text for definition in definitions]
        kernel = f"{self.legend()}\n{_decorated(self.source)}\n{self.source.body.strip()}"
        parts = [self.tables(), self.shapes(), RUN.strip(), *self.check()]
        parts += [HELPERS + "\n".join(_spaced(texts))] * bool(texts)
        parts += [kernel, *[MAIN.strip()] * ("def check(" in "".join(parts))]
        text = "\n\n\n".join(parts).replace("DTYPE", f"np.{self.source.dtype}")
        wanted = needed(ast.parse(text))
        own = [i for i in IMPORTS if i.alias in wanted]
        own.append(Import("numba", self.source.dtype, "number"))
        own += [Import("math", name, name) for where, name in self.source.uses if where == "math"]
        return "\n".join([self.docstring(), "", *import_lines({*own, *imports}), "", text, ""])

    def legend(self) -> str:
        """What the kernel's names are, as a comment."""
        outputs = {f"o{place}": name for name, (place, _) in self.facts.outputs.items() if name}
        given = {f"a{k}": name for k, name in enumerate(self.facts.arguments)}
        words = [f"{own} is {' '.join(name.split())}" for own, name in (given | outputs).items()]
        text = "; ".join(words) or "the kernel"
        plain = "".join(c for c in text if c.isprintable())
        return "\n".join(textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="# "))

    # ── words ────────────────────────────────────────────────────────────────────────────────

    def docstring(self) -> str:
        """The formulas, the shapes, an example."""
        facts = self.facts
        lines = [f"A kernel written by tensorcalc {__version__}: `run` computes", ""]
        for line in "\n".join(facts.formulas).splitlines():
            lines += textwrap.wrap(
                line, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT * 2,
                break_long_words=False, break_on_hyphens=False,
            )  # fmt: skip
        lines += ["", "for", ""] if facts.variables else []
        for name, variable in facts.variables.items():
            shape = self.shape(variable.dims) if variable.rank else "a number"
            lines.append(f"{INDENT}{name}: {', '.join([shape, *sorted(variable.properties)])}")
        for condition in facts.conditions:
            lines.append(f"{INDENT}where {self.relation(condition)} ({condition.reason})")
        lines += ["", f"in {self.source.dtype}. It needs NumPy, SciPy and Numba."]
        if self.numbers is not None:
            lines += ["", *self.example()]
        if facts.derivatives and self.numbers is not None:
            lines += ["", "`check()` compares derivatives with finite differences, and so does"]
            lines += ["running this file."]
        text = "\n".join(lines).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        return '"""' + "".join(c if c.isprintable() or c == "\n" else " " for c in text) + '\n"""'

    def example(self) -> list[str]:
        """A call with arrays of small sizes."""
        values = []
        for name, variable in self.given.items():
            shape = tuple([dim.value(self.numbers or {}) for dim in variable.dims])
            value = f"np.full({shape}, 0.5)" if shape else "0.5"
            plain = name.isidentifier() and not keyword.iskeyword(name)
            values.append(f"{name}={value}" if plain else f"**{{{name!r}: {value}}}")
        call = textwrap.wrap(
            f">>> result = run({', '.join(v.replace(' ', chr(0)) for v in values)})",
            WIDTH, initial_indent=INDENT, subsequent_indent=f"{INDENT}...{' ' * 14}",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        return [f"{INDENT}>>> import numpy as np", *[line.replace("\0", " ") for line in call]]

    def shape(self, dims: Dims) -> str:
        """A shape as a tuple."""
        return f"({', '.join(map(self.size, dims))}{',' if len(dims) == 1 else ''})"

    def size(self, dim: Dim) -> str:
        """A size as an expression."""
        terms = []
        for names, number in dim.terms:
            factors = [str(abs(number))] * (abs(number) != 1 or not names)
            factors += [self.letters[name] for name in names]
            sign = " - " if number < 0 else " + "
            terms.append(sign + " * ".join(factors))
        text = "".join(terms)
        return text.removeprefix(" + ") or "0"

    def relation(self, condition: Condition) -> str:
        """A condition on sizes, as it should be."""
        sign = "==" if condition.is_equal else ">="
        return f"{self.size(condition.size)} {sign} {self.size(condition.other)}"

    # ── facts ────────────────────────────────────────────────────────────────────────────────

    def tables(self) -> str:
        """The names and ranks of the variables, and where they go."""
        facts = self.facts
        return "\n".join([
            "# the variables, with their numbers of axes",
            _assigned("RANKS", {name: v.rank for name, v in facts.variables.items()}),
            "# what the kernel takes, in order",
            _assigned("ARGUMENTS", list(facts.arguments)),
            "# which of its results an output is",
            _assigned("OUTPUTS", {name: place for name, (place, _) in facts.outputs.items()}),
            "# arguments that are constant",
            _table("CONSTANTS", {name: self.constant(a) for name, a in facts.data.items()}),
        ])  # fmt: skip

    def constant(self, array: Array) -> str:
        """An array constant as an expression."""
        if array.size > MAX_CONSTANT:
            raise DomainError(
                f"an array constant of more than {MAX_CONSTANT} numbers is too long for a module",
                hint="make it a variable of the formula",
            )
        exact = np.ascontiguousarray(array, self.source.dtype)
        end = f".reshape({exact.shape})"
        if exact.size <= MAX_LITERAL and np.all(np.isfinite(exact)):
            numbers = ", ".join(map(repr, exact.reshape(-1).tolist()))
            lines = textwrap.wrap(numbers, WIDTH - 8)
            head, tail = "np.array([", f"], DTYPE){end}"
        else:
            plain = exact.astype(exact.dtype.newbyteorder("<")).tobytes()
            lines = [f'"{k}"' for k in textwrap.wrap(base64.b64encode(plain).decode(), WIDTH - 10)]
            head = "np.frombuffer(base64.b64decode("
            tail = f'), "<f{exact.itemsize}").astype(DTYPE){end}'
        return "\n".join([head, *[INDENT * 2 + line for line in lines], INDENT + tail])

    def shapes(self) -> str:
        """The function that compares shapes, with what they must be as plain expressions."""
        known: list[str] = []
        body: list[str] = []
        axes = [(n, k, dim) for n, v in self.given.items() for k, dim in enumerate(v.dims)]
        progress = True
        while progress:
            progress = False
            for name, axis, dim in axes:
                unknown = [n for n in dict.fromkeys(dim.names) if n not in known]
                parts = dim.split(unknown[0]) if len(unknown) == 1 else None
                if parts is None:
                    continue
                slope, rest = parts
                value = f"shapes[{name!r}][{axis}]"
                if rest.terms:
                    value = f"({value} - ({self.size(rest)}))"
                if slope != Dim.of(1):
                    value = f"{value} // max(1, {self.size(slope)})"
                body.append(f"{self.letters[unknown[0]]} = {value}")
                known.append(unknown[0])
                progress = True
        body.append("expected = {")
        for name, variable in self.given.items():
            sizes = [
                self.size(dim) if set(dim.names) <= set(known) else f"shapes[{name!r}][{axis}]"
                for axis, dim in enumerate(variable.dims)
            ]
            body.append(f"{INDENT}{name!r}: ({', '.join(sizes)}{',' if len(sizes) == 1 else ''}),")
        body.append("}")
        lines = [*body, *COMPARED.strip().splitlines()]
        for condition in self.facts.conditions:
            if {*condition.size.names, *condition.other.names} <= set(known):
                relation = self.relation(condition)
                message = f"it must be that {relation}: {condition.reason}"
                lines += [f"if not {relation}:", f"{INDENT}raise ValueError({message!r})"]
        head = ["def check_shapes(shapes):", f'{INDENT}"""Refuse shapes that do not fit."""']
        return "\n".join([*head, *[INDENT + line for line in lines]])

    def check(self) -> list[str]:
        """What compares derivatives with finite differences, if there are any."""
        facts, numbers = self.facts, self.numbers
        compared = {d.name: (d.of, d.by) for d in facts.derivatives if d.by in self.given}
        if not compared or numbers is None:
            return []
        shapes = {n: tuple([d.value(numbers) for d in v.dims]) for n, v in self.given.items()}
        own = {n: [f for f in PROPERTIES if f in v.properties] for n, v in self.given.items()}
        used = {fact for found in own.values() for fact in found}
        chosen = [(fact, texts) for fact, texts in PROPERTIES.items() if fact in used]
        single = self.source.dtype == "float32"
        tables = [
            "# derivative: the output and the variable that it is of",
            _assigned("DERIVATIVES", compared),
            "# what is drawn for a check: shapes and properties",
            _assigned("DRAWN", {n: (shapes[n], own[n]) for n in shapes}),
            "# property: how an array gets it, and a direction in which x keeps it",
            _table("PROPERTIES", {f: f"({made}, {kept})" for f, (made, kept) in chosen}),
            "RANGES = [(-1.7, 1.7), (0.5, 2.0), (0.1, 0.9), (1.1, 3.0), (-0.2, 0.2)]",
            f"STEP, TOLERANCE = {'2e-2, 2e-2' if single else '1e-4, 1e-6'}",
        ]  # fmt: skip
        return ["\n".join(tables), CHECK.strip()]


SAME = "lambda a, x: a"
# property: the texts of how an array gets it, and of what it makes of a direction
PROPERTIES: dict[str, tuple[str, str]] = {
    "integer": ("lambda a: np.floor(1 + 4 * abs(a) % 4)", SAME),
    "positive": ("lambda a: 0.1 + abs(a)", SAME),
    "nonnegative": ("lambda a: 0.1 + abs(a)", SAME),
    "symmetric": ("lambda a: (a + a.T) / 2", "lambda a, x: (a + a.T) / 2"),
    "skew": ("lambda a: (a - a.T) / 2", "lambda a, x: (a - a.T) / 2"),
    "diagonal": ("lambda a: np.diag(np.diag(a))", "lambda a, x: np.diag(np.diag(a))"),
    "lower": ("np.tril", "lambda a, x: np.tril(a)"),
    "upper": ("np.triu", "lambda a, x: np.triu(a)"),
    "orthogonal": ("lambda a: np.linalg.qr(a)[0]", "lambda a, x: x @ (a - a.T) / 2"),
    "spd": ("lambda a: a @ a.T / len(a) + np.eye(len(a))", "lambda a, x: (a + a.T) / 2"),
    "invertible": ("lambda a: a + len(a) * np.eye(*a.shape)", SAME),
}

COMPARED = """
for name, shape in expected.items():
    for axis, (found, size) in enumerate(zip(shapes[name], shape)):
        if found != size:
            raise ValueError(f"axis {axis} of {name} has size {found}, not {size}")
"""

HELPERS = "# ── what the kernel calls " + "─" * 71 + "\n"

RUN = '''
def run(**values):
    """The output, or a dict of several, for numbers and arrays by name."""
    for name in values:
        if name not in RANKS:
            raise TypeError(f"unknown variable {name!r}; known: {', '.join(RANKS)}")
    arrays = {}
    for name in ARGUMENTS:
        if name in CONSTANTS:
            continue
        if name not in values:
            raise TypeError(f"no value for {name!r}")
        array = np.require(values[name], DTYPE, ["C_CONTIGUOUS", "ALIGNED", "ENSUREARRAY"])
        if array.ndim != RANKS[name]:
            raise ValueError(f"{name} needs {RANKS[name]} axes, not {array.ndim}")
        arrays[name] = array
    check_shapes({name: array.shape for name, array in arrays.items()})
    arrays |= CONSTANTS
    given = [arrays[name] for name in ARGUMENTS]
    results = kernel(*[array if array.ndim else array[()] for array in given])
    results = [r if isinstance(r, np.ndarray) else DTYPE(r) for r in results]
    found = {name: results[place] for name, place in OUTPUTS.items()}
    return found[""] if list(found) == [""] else found
'''

CHECK = '''
def check(seed=0):
    """The largest relative difference of each derivative from central differences.

    It is infinite if no point was found where they can be compared.
    """
    rng = np.random.default_rng(seed)
    found = {}
    for name in DERIVATIVES:
        differences = []
        for attempt in range(40):
            point = {}
            for other, (shape, facts) in DRAWN.items():
                point[other] = np.asarray(rng.uniform(*RANGES[attempt // 8], shape))
                for fact in facts:
                    point[other] = PROPERTIES[fact][0](point[other])
            with np.errstate(all="ignore"):
                differences += compare(name, point, rng)
            if len(differences) == 3:
                break
        found[name] = max(differences, default=np.inf)
    return found


def compare(name, point, rng):
    """The difference at a point; none beside a kink or outside of the domain."""
    function, variable = DERIVATIVES[name]
    x = point[variable]
    direction = np.asarray(rng.uniform(-1, 1, x.shape))
    for fact in DRAWN[variable][1]:
        direction = PROPERTIES[fact][1](direction, x)
    step = STEP * max(1.0, np.max(abs(x)))

    def value(k):
        moved = run(**{**point, variable: x + k * step * direction})
        return np.asarray(moved[function], np.float64)

    exact = np.tensordot(np.asarray(run(**point)[name], np.float64), direction, x.ndim)
    near = (value(1) - value(-1)) / (2 * step)
    far = (value(2) - value(-2)) / (4 * step)
    numerical = (4 * near - far) / 3
    scale = np.max([np.max(abs(a)) for a in (exact, numerical, 1e-3 * value(0))])
    if not np.isfinite(scale) or np.max(abs(near - far)) > max(1e-4, TOLERANCE) * scale:
        return []
    return [float(np.max(abs(exact - numerical)) / scale) if scale else 0.0]
'''

MAIN = """
if __name__ == "__main__":
    checked = check()
    for derivative, difference in checked.items():
        print(f"{derivative}: largest relative difference {difference:.1e}")
    sys.exit(not all(difference <= TOLERANCE for difference in checked.values()))
"""


def _table(name: str, entries: Mapping[str, str]) -> str:
    """A dictionary of expressions as an assignment."""
    lines = [f"{INDENT}{key!r}: {text}," for key, text in entries.items()]
    return "\n".join([f"{name} = {{", *lines, "}"]) if lines else f"{name} = {{}}"


def _decorated(source: Source) -> str:
    """The decorator, in lines that are not too long."""
    line = decorator(source, "False")
    if len(line) <= WIDTH:
        return line
    head, _, rest = line.partition("([")
    signature, _, options = rest.rpartition("], ")
    lines = textwrap.wrap(
        signature.replace(', "C"', ',\0"C"').replace(", readonly", ",\0readonly"), WIDTH - 4,
        initial_indent=INDENT, subsequent_indent=INDENT,
    )  # fmt: skip
    text = "\n".join(lines).replace("\0", " ")
    return f"{head}([\n{text}\n], {options}"


def _assigned(name: str, value: Mapping[str, object] | Sequence[str]) -> str:
    """A table as an assignment, in one line if it is short."""
    line = f"{name} = {value!r}"
    if len(line) <= WIDTH:
        return line
    if isinstance(value, Mapping):
        lines = [f"{INDENT}{key!r}: {item!r}," for key, item in value.items()]
        return "\n".join([f"{name} = {{", *lines, "}"])
    return "\n".join([f"{name} = [", *[f"{INDENT}{item!r}," for item in value], "]"])


def _spaced(texts: Iterable[str]) -> list[str]:
    """Definitions with empty lines between: two around functions, none between constants."""
    lines: list[str] = []
    was_short = False
    for text in texts:
        is_short = "\ndef " not in f"\n{text}" and "\nclass " not in f"\n{text}"
        lines += ([] if lines and is_short and was_short else ["", ""]) + [text]
        was_short = is_short
    return lines
