"""IR -> the parts of a function in some language: arguments, sizes, checks, lines, results.

Where a node has a matrix form the code is made of that (`code_matrix.py`), else of the node
(`code_nodes.py`); `code.py` makes lines of it. What stands around the parts is the business of each
language (`python_code.py`, `julia_code.py`, `matlab_code.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.errors import DomainError
from tensorcalc.ir import Basis, Constant, Counter, Node, Section, Unknown, Variable, sizes_of
from tensorcalc.limits import metered
from tensorcalc.matrix_algebra import Wording, worded
from tensorcalc.matrix_sizes import placed
from tensorcalc.printing.code import Code, Codes, lines
from tensorcalc.printing.code_matrix import NoCodeError, matrix_code
from tensorcalc.printing.code_nodes import is_entrywise, node_code
from tensorcalc.printing.index_style import letters
from tensorcalc.printing.render import ATOM, PRODUCT
from tensorcalc.printing.target import Spoken, Target, turn_of
from tensorcalc.properties import use_properties
from tensorcalc.recognize import recognize, unknown_text
from tensorcalc.scope import CONSTANTS
from tensorcalc.traverse import postorder

MAX_READ = 500  # nodes of what is looked for a matrix form


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of the function: an array of `extents`, an integer, or a function.

    `extents` are expressions of sizes, None where nothing is known of them. `variable` is what the
    argument stands for, if it is one of the formula, `size` the name of the size, if it is one.
    """

    name: str
    shape: str  # for the reader
    kind: str  # "array", "integer" or "function"
    extents: tuple[str | None, ...]
    is_checked: bool  # whether its extents are more than what sizes are read off
    variable: Variable | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionParts:
    """A function: its arguments, the lines that read sizes off them, its body, its results.

    `least` are pairs of a size and what it must at least be, so that subscripts are inside.
    """

    target: Target
    arguments: tuple[Argument, ...]
    sizes: tuple[tuple[str, str], ...]
    least: tuple[tuple[str, str], ...]
    body: tuple[tuple[str, str], ...]
    results: tuple[str, ...]
    shapes: tuple[str, ...]  # of the results, for the reader

    @property
    def helpers(self) -> list[str]:
        """The helpers that the body calls."""
        text = "\n".join([*[text for _, text in self.body], *self.results])
        return list(self.target.used_helpers(text))


@metered
def function_parts(
    target: Target, roots: Sequence[Node], arguments: Mapping[str, Variable], taken: Sequence[str]
) -> FunctionParts:
    """The parts of a function of all `arguments`, in their order, that computes `roots`.

    Sizes that no argument tells, and unknown functions and their derivatives, are further
    arguments: ``du_dx`` is an array, ``dg`` a function. `taken` are names that
    the arguments must not have: first that of the function.

    Raises
    ------
    DomainError
        The target cannot say a function, or the function cannot have its name.
    """
    name, *others = taken
    if name in target.taken or name in others:
        raise DomainError(f"{name} is a name of its own in {target.title}: name the function else")
    with worded(Wording()):  # what is remembered is of this function only
        return _Function(target, roots, arguments, taken).parts()


class _Function:
    """The names of one function, and its parts."""

    def __init__(
        self,
        target: Target,
        roots: Sequence[Node],
        arguments: Mapping[str, Variable],
        taken: Iterable[str],
    ) -> None:
        self.target, self.roots, self.arguments = target, list(roots), arguments
        self.codes = Codes(turn_of(target))
        self.taken = set(taken) | target.taken
        self.names = {name: self.new(name) for name in arguments}
        order = postorder(self.roots)
        entrywise = [u for u in self.unknown_nodes(self.roots) if u.batch and is_entrywise(u)]
        texts = frozenset(unknown_text(node)[0] for node in entrywise)
        self.spoken = Spoken(self.codes, target, texts)
        self.unknowns: dict[str, tuple[str, Unknown]] = {}
        for node in sorted(self.unknown_nodes(self.roots), key=_order):
            text, _ = unknown_text(node)
            if text not in self.unknowns:
                self.unknowns[text] = self.new(_identifier(text)), node
        self.given = [(self.names[name], variable.dims) for name, variable in arguments.items()]
        self.given += [(name, u.dims) for name, u in self.unknowns.values() if not u.is_applied]
        self.axes = [dim for _, dims in self.given for dim in dims]
        needed = [dim for node in order for dim in sizes_of(node)]
        shown = display_names([*self.axes, *needed], self.taken)
        self.sizes = _sizes(self.given, target)
        self.told: dict[str, str] = {}
        for name in dict.fromkeys(name for dim in [*self.axes, *needed] for name in dim.names):
            self.told[name] = self.new(shown.get(name, name))
        self.shown = {old: Dim.of(new) for old, new in self.told.items()}
        for text in self.sizes:  # whole sizes, such as m*n of which neither part is told
            if text not in self.told:
                self.told[text] = self.new("size")
        self.missing = [
            name for name in dict.fromkeys(name for dim in needed for name in dim.names)
            if name not in self.sizes
        ]  # fmt: skip
        levels = max([node.level + 1 for node in order if isinstance(node, Counter)], default=0)
        self.counters = list(islice(letters("rst", self.taken), levels))
        self.taken |= set(self.counters)

    def new(self, name: str) -> str:
        """A name that is not taken, like the name."""
        name = name if name[0].isalpha() else f"v{name}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def size(self, dim: Dim) -> Code:
        """A size as an expression."""
        codes = self.codes
        if str(dim) in self.sizes:
            return codes.word(self.told[str(dim)])
        total: Code | None = None
        for names, number in dim.terms:
            words = [str(abs(number))] * (abs(number) != 1 or not names)
            words += [self.told[name] for name in names]
            term = codes.word(" * ".join(words), PRODUCT if len(words) > 1 else ATOM)
            if total is None:
                total = self.spoken.negative(term) if number < 0 else term
            else:
                total = self.spoken.plus(total, term, "-" if number < 0 else "+")
        return total or codes.word("0")

    def names_of_nodes(self) -> dict[str, Code]:
        """What variables and unknown functions are called."""
        codes, keeps = self.codes, self.target.static_integers
        found = {}
        for name, variable in self.arguments.items():
            is_plain = keeps and not variable.rank and "integer" in variable.properties
            rank = -1 if is_plain else variable.rank
            found[name] = codes.word(self.names[name], rank=rank)
        for text, (name, node) in self.unknowns.items():
            found[text] = codes.word(name, rank=node.rank)
        return found

    def code(self, root: Node) -> Code:
        """The value, from its matrix form where it has one."""
        names = self.names_of_nodes()
        plain = [node for node in self.unknown_nodes([root]) if node.batch and node.result]
        if root.rank <= 2 and not plain and len(postorder([root])) <= MAX_READ:
            try:
                return self.of_matrix(root, dict(names))
            except NoCodeError:
                pass
        return node_code(root, self.spoken, names, self.counters, self.size)

    def unknown_nodes(self, roots: Sequence[Node]) -> list[Unknown]:
        return [node for node in postorder(roots) if isinstance(node, Unknown)]

    def of_matrix(self, root: Node, names: dict[str, Code]) -> Code:
        """The code of the matrix form."""
        sizes: dict[str, Dim] = {}

        def size_text(dim: Dim) -> str:
            if dim.is_integer:
                return str(dim)
            text = f"{dim}#"
            sizes[text] = dim
            return text

        (node,) = use_properties([root])
        found = recognize(node, size_text)
        if found.result is None:
            raise NoCodeError("no matrix form")
        dims = {name: variable.dims for name, variable in self.arguments.items()}
        for name in CONSTANTS:
            if name not in names:
                names[name] = self.spoken.say(name, rank=-1)
            elif Constant.of(name) in postorder([node]):
                raise NoCodeError(f"{name} is a variable, too")
        for name, helper, form in [*found.helpers, ("", node, found.result)]:
            if form is None:
                made = node_code(helper, self.spoken, names, self.counters, self.size)
            else:
                place = placed(form, helper.dims, dims)
                if place is None:
                    raise NoCodeError("too long")
                names |= {text: self.size(dim) for text, dim in sizes.items()}
                made = matrix_code(place, self.spoken, _Names(names, self.codes), self.size)
            if name:
                names[name], dims[name] = made, helper.dims
        return made

    def parts(self) -> FunctionParts:
        """The parts, of which those that nothing uses are left out."""
        codes = [self.spoken.tensor(self.code(root)) for root in self.roots]
        body, results = lines(codes, self.taken)
        text = "\n".join([*[text for _, text in body], *results])
        least = self.least()
        text = "\n".join([text, *[part for pair in least for part in pair]])
        used = set(re.findall(r"\w+", text))
        missing = [name for name in self.missing if self.told[name] in used]
        arguments = [self.argument(self.names[name], v) for name, v in self.arguments.items()]
        arguments += [
            Argument(self.told[name], "an integer", "integer", (), False, size=name)
            for name in missing
        ]
        for name, node in self.unknowns.values():
            if node.is_applied:
                arguments.append(Argument(name, "a function", "function", (), False))
            else:
                arguments.append(self.argument(name, node))
        checked = [e for a in arguments if a.is_checked for e in a.extents if e is not None]
        used |= set(re.findall(r"\w+", " ".join(checked)))
        sizes: list[tuple[str, str]] = []
        for name, (shown, others) in reversed(self.sizes.items()):
            if self.told[name] in used:
                filled = re.sub(r"<([^<>]*)>", lambda m: self.told[m[1]], shown)
                sizes.append((self.told[name], filled))
                used |= {self.told[other] for other in others}
        read = {name for name, _ in sizes} | {self.told[name] for name in missing}
        return FunctionParts(
            self.target,
            tuple([_without_unread(argument, read) for argument in arguments]),
            tuple(sizes[::-1]),
            least,
            tuple(body),
            tuple(results),
            tuple([self.shape(root.dims) for root in self.roots]),
        )

    def argument(self, name: str, node: Variable | Unknown) -> Argument:
        """An array as an argument."""
        extents: list[str | None] = []
        is_checked = False
        for axis, dim in enumerate(node.dims):
            told = {*self.sizes, *self.missing}
            known = str(dim) in told or told.issuperset(dim.names)
            extents.append(self.text(dim) if known else None)
            source = self.target.words["axis"].format(name, axis + self.target.base)
            read = self.sizes.get(str(dim))
            is_checked |= known and (read is None or read[0] != source)
        variable = node if isinstance(node, Variable) else None
        is_number = variable and not node.rank and "integer" in variable.properties
        kind = "integer" if is_number and self.target.static_integers else "array"
        shown = self.shape(node.dims) + (", an integer" if kind == "integer" else "")
        return Argument(name, shown, kind, tuple(extents), is_checked, variable)

    def least(self) -> tuple[tuple[str, str], ...]:
        """Sizes, and what they must at least be."""
        return tuple([(self.text(size), self.text(low)) for size, low in least_sizes(self.roots)])

    def text(self, dim: Dim) -> str:
        """A size as text."""
        return lines([self.size(dim)], set())[1][0]

    def shape(self, dims: Dims) -> str:
        """A shape for the reader."""
        inner = ", ".join(str(dim.substitute(self.shown)) for dim in dims)
        return f"({inner},)" if len(dims) == 1 else f"({inner})"


def least_sizes(roots: Sequence[Node]) -> list[tuple[Dim, Dim]]:
    """Pairs of a size and what it must at least be for the subscripts to be inside."""
    found: dict[tuple[Dim, Dim], None] = {}
    for node in postorder(roots):
        match node:
            case Basis():
                found[node.dims[0], Dim.of(node.position + 1)] = None
            case Section():
                found[node.dims[0], node.dims[1] + node.offset] = None
                found[node.offset, Dim.of(0)] = None
    # a sum of sizes is never negative
    return [pair for pair in found if any(number < 0 for _, number in (pair[0] - pair[1]).terms)]


def _without_unread(argument: Argument, read: set[str]) -> Argument:
    """The argument without extents of sizes that occur once, and are not read off for that."""
    extents = [
        extent if extent and read.issuperset(re.findall(r"[A-Za-z]\w*", extent)) else None
        for extent in argument.extents
    ]
    return replace(argument, extents=tuple(extents))


class _Names(dict[str, Code]):
    """Names, and numbers, which are sizes that need none."""

    def __init__(self, names: Mapping[str, Code], codes: Codes) -> None:
        super().__init__(names)
        self.codes = codes

    def get(self, key: str, default: Code | None = None) -> Code | None:  # type: ignore[override]
        return self.codes.word(key) if key.isdigit() else super().get(key, default)


def _identifier(text: str) -> str:
    """``du_dx`` for ``du/dx``, ``d2g`` for ``g''``.

    >>> _identifier("d2u/dx2"), _identifier("g''"), _identifier("g")
    ('d2u_dx2', 'd2g', 'g')
    """
    stem = text.rstrip("'")
    order = len(text) - len(stem)
    if order:
        return f"d{order if order > 1 else ''}{stem}"
    return text.replace("/", "_")


def _sizes(
    given: Iterable[tuple[str, Dims]], target: Target
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """How names of sizes are told by the shapes of arrays, and which others they need.

    A text has the others in ``<`` and ``>``; a size that is told comes after those.
    """
    axis_text, quotient = target.words["axis"], target.words["quotient"]
    waiting = [
        (dim, axis_text.format(name, axis + target.base))
        for name, dims in given
        for axis, dim in enumerate(dims)
    ]
    axes = waiting
    waiting.sort(key=lambda axis: axis[0].terms != Dim.of(axis[0].names[0]).terms
                 if axis[0].names else True)  # fmt: skip
    sizes: dict[str, tuple[str, tuple[str, ...]]] = {}
    while waiting:
        left: list[tuple[Dim, str]] = []
        for dim, shown in waiting:
            unknown = {name for name in dim.names if name not in sizes}
            parts = dim.split(*unknown) if len(unknown) == 1 else None
            if parts is None:
                left.append((dim, shown))
                continue
            slope, rest = [_told(part) for part in parts]
            shown = shown if rest == "0" else f"({shown} - ({rest}))"
            others = tuple([name for part in parts for name in part.names])
            found = shown if slope == "1" else quotient.format(shown, slope)
            sizes[unknown.pop()] = found, others
        if len(left) == len(waiting):
            break
        waiting = left
    for dim, shown in axes:
        if not all(name in sizes for name in dim.names):
            sizes.setdefault(str(dim), (shown, ()))
    return sizes


def _told(dim: Dim) -> str:
    """A size whose names are all told."""
    products = [
        " * ".join([str(number)] * (number != 1 or not names) + [f"<{name}>" for name in names])
        for names, number in dim.terms
    ]
    return " + ".join(products) or "0"


def _order(node: Unknown) -> tuple[str, int, tuple[int, ...]]:
    """Functions by name, each before its derivatives."""
    return node.name, len(node.derivatives), node.derivatives
