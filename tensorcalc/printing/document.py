"""A node with its layout -> the whole printed result: helper definitions, then the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import inf

from tensorcalc import matrix_algebra as matrix
from tensorcalc.abbreviate import Definition, abbreviate
from tensorcalc.dims import Dim
from tensorcalc.equivalents import equivalents
from tensorcalc.ir import Node, Variable
from tensorcalc.layout import is_transposed, vectorized
from tensorcalc.limits import attempt, metered
from tensorcalc.matrix_algebra import Matrix, Wording
from tensorcalc.matrix_sizes import say_sizes
from tensorcalc.printing import einsum, latex, mathml, text, unicode
from tensorcalc.printing.index import LATEX, TEXT, IndexPrinter, IndexStyle
from tensorcalc.printing.index_form import index_form
from tensorcalc.printing.index_parts import PartTexts
from tensorcalc.printing.names import vectors_known
from tensorcalc.properties import use_properties
from tensorcalc.recognize import Recognized, recognize
from tensorcalc.simplify import simplify
from tensorcalc.source import NO_SOURCE, Source
from tensorcalc.traverse import postorder

SIZE_FUNCTIONS = {(1, 0): "len", (2, 0): "rows", (2, 1): "cols"}
TIDYING = 60_000  # steps that making a result nicer may take
MAX_READ = 500  # nodes of a program whose wording is kept
SizeText = Callable[[Dim], str | None]


def size_text(variables: Mapping[str, Variable]) -> SizeText:
    """How a size is written: its name, or ``len(x)``, ``rows(A)``, ``cols(A)``."""
    ranks = {name: variable.rank for name, variable in variables.items()}

    def write(dim: Dim) -> str | None:
        shown: dict[str, Dim] = {}
        for name in dim.names:
            variable, _, axis = name.rpartition(".")
            if variable:
                function = SIZE_FUNCTIONS.get((ranks.get(variable, 0), int(axis)))
                if function is None:
                    return None
                shown[name] = Dim.of(f"{function}({variable})")
        return str(dim.substitute(shown))

    return write


@metered
def to_text(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    *,
    row: bool = False,
    source: Source = NO_SOURCE,
) -> str:
    """The language's notation."""
    return "\n".join(_document(node, variables, groups, layout, text.to_text, TEXT, row, source))


@metered
def to_latex(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    *,
    row: bool = False,
    source: Source = NO_SOURCE,
) -> str:
    """LaTeX; several lines are the rows of an ``aligned`` environment."""
    lines = _document(node, variables, groups, layout, latex.to_latex, LATEX, row, source)
    if len(lines) == 1:
        return lines[0]
    rows = " \\\\\n".join("& " + line for line in lines)
    return f"\\begin{{aligned}}\n{rows}\n\\end{{aligned}}"


@metered
def to_mathml(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    *,
    row: bool = False,
    source: Source = NO_SOURCE,
) -> str:
    """Presentation MathML; several lines are the rows of a table."""
    lines = _document(node, variables, groups, layout, mathml.markup, mathml.INDEX, row, source)
    return mathml.document(lines)


@metered
def to_unicode(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    *,
    row: bool = False,
    source: Source = NO_SOURCE,
) -> str:
    """Text with mathematical signs, to be read."""
    lines = _document(
        node, variables, groups, layout, unicode.to_unicode, unicode.INDEX, row, source
    )
    return "\n".join(unicode.finished(line) for line in lines)


@metered
def to_index(node: Node, variables: Mapping[str, Variable]) -> str:
    """Index notation throughout."""
    (node,) = use_properties([node])
    return "\n".join(_index_lines(node, variables, TEXT, text.to_text, in_entries=True))


@metered
def to_einsum(node: Node, variables: Mapping[str, Variable]) -> str:
    """Einsum strings throughout."""
    return einsum.to_einsum(node, size_text(variables))


def _document(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    render: Callable[[Matrix], str],
    style: IndexStyle,
    row: bool,
    source: Source,
) -> list[str]:
    wording = attempt(TIDYING, lambda: _wording(source, size_text(variables)), Wording())
    with matrix.worded(wording), vectors_known(node):
        none: list[Definition] = []
        definitions = attempt(TIDYING, lambda: _definitions(source, variables), none)
        return _lines(node, variables, groups, layout, render, style, row, definitions)


def _wording(source: Source, sizes: SizeText) -> Wording:
    """The wording of a text: the order of its names, and its sums with their signs."""
    order = Wording({name: place for place, name in enumerate(source.order)})
    if len(postorder(source.sums)) > MAX_READ:
        return order
    with matrix.worded(order):
        nodes = use_properties(simplify([node for node in source.sums if node.rank <= 2]))
        forms = [recognize(node, sizes).result for node in nodes]
    return replace(order, sums=frozenset(form.key for form in forms if form is not None))


def _definitions(source: Source, variables: Mapping[str, Variable]) -> list[Definition]:
    """The user's definitions that have a matrix form."""
    own = [(name, node) for name, node in source.definitions if name not in variables]
    if len(postorder([node for _, node in own])) > MAX_READ:
        return []
    nodes = use_properties(simplify([node for _, node in own]))
    found: list[Definition] = []
    for (name, _), node in zip(own, nodes, strict=True):
        form = recognize(node, size_text(variables)) if node.rank <= 2 else None
        if form is not None and form.result is not None and not form.helpers:
            found.append(Definition(name, form.result, node.dims))
    return found


def _lines(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    render: Callable[[Matrix], str],
    style: IndexStyle,
    row: bool,
    definitions: Sequence[Definition],
) -> list[str]:
    transposed = is_transposed(groups, layout) or row
    whole_node = node
    if layout == "vec" and len(groups) > 1:
        node = vectorized(node, groups)
    (node,) = use_properties([node])
    if node.rank > 2:
        return _index_lines(node, variables, style, render)
    sizes = size_text(variables)
    # derivatives of cross products are written with the sign tensor, as in mechanics
    recognized = _shortest(node, sizes, layout, crosses=len(groups) == 1)
    if recognized.result is None and whole_node.rank == 2 and node.rank == 1:
        (shown,) = use_properties([whole_node])
        recognized = _shortest(shown, sizes, layout, crosses=False)
        if recognized.result is not None:
            recognized.result = matrix.call("vec", [recognized.result], "column")
    whole = _whole_text(sizes, render)
    if recognized.result is None:
        return _index_lines(node, variables, style, render, transposed=transposed)
    lines: list[str] = []
    names: dict[Node, str] = {}
    dims = {name: variable.dims for name, variable in variables.items()}
    dims.update({name: helper.dims for name, helper, _ in recognized.helpers})
    for name, helper, form in recognized.helpers:
        if form is not None:
            form = say_sizes(form, helper.dims, dims, sizes)
            lines.append(f"{render(matrix.name(name, form.shape))} = {render(form)}")
        else:
            printer = IndexPrinter([helper], style, sizes, whole, names)
            lines += [printer.definition(n, h) for n, h in printer.helpers]
            names.update(printer.names)
            lines.append(printer.definition(name, helper))
        names[helper] = name
    result = matrix.transpose(recognized.result) if transposed else recognized.result
    ends = node.dims[::-1] if transposed else node.dims
    long = result
    plain: tuple[list[Definition], Matrix] = [], long
    named, result = attempt(TIDYING, lambda: abbreviate(long, definitions, dims), plain)
    dims.update((definition.name, definition.dims) for definition in named)
    for definition in named:
        form = say_sizes(definition.form, definition.dims, dims, sizes)
        lines.append(f"{render(matrix.name(definition.name, form.shape))} = {render(form)}")
    return [*lines, render(say_sizes(result, ends, dims, sizes))]


def _shortest(node: Node, sizes: SizeText, layout: str, *, crosses: bool) -> Recognized:
    """The matrix form of the node, or of one equal to it that saves 6 symbols or 15 % of them."""
    best = recognize(node, sizes, layout, crosses=crosses)

    def shorter() -> Recognized:
        found = best
        for other in use_properties(list(equivalents(node))):
            made = recognize(other, sizes, layout, crosses=crosses)
            if made.cost < inf and found.cost - made.cost >= min(6, max(3, 0.15 * found.cost)):
                found = made
        return found

    return attempt(TIDYING, shorter, best)


def _whole_text(sizes: SizeText, render: Callable[[Matrix], str]) -> Callable[[Node], str | None]:
    """How an argument of a matrix function is written whole, where it has a matrix form."""

    def write(node: Node) -> str | None:
        recognized = recognize(node, sizes)
        if recognized.result is None or recognized.helpers:
            return None
        return render(recognized.result)

    return write


def _index_lines(
    node: Node,
    variables: Mapping[str, Variable],
    style: IndexStyle,
    render: Callable[[Matrix], str],
    *,
    transposed: bool = False,
    in_entries: bool = False,
) -> list[str]:
    sizes = size_text(variables)
    whole = _whole_text(sizes, render)
    part = None if in_entries else PartTexts(whole)
    node = index_form(node, part)
    printer = IndexPrinter([node], style, sizes, whole, part=part)
    lines = [printer.definition(name, helper) for name, helper in printer.helpers]
    axes = printer.axes(node)
    entry = printer.line(node, axes)
    ends = list(reversed(axes)) if transposed and node.rank == 2 else axes
    return [*lines, style.arrow(entry, ends) if axes else entry]
