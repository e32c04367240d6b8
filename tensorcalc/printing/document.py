"""A node with its layout -> the whole printed result: helper definitions, then the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from xml.sax.saxutils import escape

from tensorcalc import matrix_algebra as matrix
from tensorcalc.dims import Dim
from tensorcalc.ir import Node, Variable
from tensorcalc.layout import is_transposed, vectorized
from tensorcalc.limits import metered
from tensorcalc.matrix_algebra import Matrix, Wording
from tensorcalc.matrix_sizes import say_sizes
from tensorcalc.printing import einsum, latex, mathml, text
from tensorcalc.printing.index import LATEX, TEXT, IndexPrinter, IndexStyle
from tensorcalc.properties import use_properties
from tensorcalc.recognize import recognize
from tensorcalc.simplify import simplify
from tensorcalc.source import NO_SOURCE, Source

SIZE_FUNCTIONS = {(1, 0): "len", (2, 0): "rows", (2, 1): "cols"}
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
    """Presentation MathML; what has no matrix form stands in it as text."""
    sizes = size_text(variables)
    vectorized_node = vectorized(node, groups) if layout == "vec" and len(groups) > 1 else node
    (shown,) = use_properties([vectorized_node])
    found = recognize(shown, sizes, layout) if shown.rank <= 2 else None
    if found is None or found.result is None or any(form is None for *_, form in found.helpers):
        written = to_text(node, variables, groups, layout, row=row)
        return mathml.document([f"<mtext>{escape(line)}</mtext>" for line in written.split("\n")])
    lines = [
        mathml.symbol(name, "matrix") + mathml.operator("=") + mathml.markup(form)
        for name, _, form in found.helpers
        if form is not None
    ]
    transposed = is_transposed(groups, layout) or row
    result = matrix.transpose(found.result) if transposed else found.result
    return mathml.document([*lines, mathml.markup(result)])


@metered
def to_index(node: Node, variables: Mapping[str, Variable]) -> str:
    """Index notation throughout."""
    (node,) = use_properties([node])
    return "\n".join(_index_lines(node, variables, TEXT, text.to_text))


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
    with matrix.worded(_wording(source, size_text(variables))):
        return _lines(node, variables, groups, layout, render, style, row)


def _wording(source: Source, sizes: SizeText) -> Wording:
    """The wording of a text: the order of its names, and its sums with their signs."""
    order = Wording({name: place for place, name in enumerate(source.order)})
    with matrix.worded(order):
        nodes = use_properties(simplify([node for node in source.sums if node.rank <= 2]))
        forms = [recognize(node, sizes).result for node in nodes]
    return replace(order, sums=frozenset(form.key for form in forms if form is not None))


def _lines(
    node: Node,
    variables: Mapping[str, Variable],
    groups: tuple[int, ...],
    layout: str,
    render: Callable[[Matrix], str],
    style: IndexStyle,
    row: bool,
) -> list[str]:
    transposed = is_transposed(groups, layout) or row
    if layout == "vec" and len(groups) > 1:
        node = vectorized(node, groups)
    (node,) = use_properties([node])
    if node.rank > 2:
        return _index_lines(node, variables, style, render)
    sizes = size_text(variables)
    # derivatives of cross products are written with the sign tensor, as in mechanics
    recognized = recognize(node, sizes, layout, crosses=len(groups) == 1)
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
            lines.append(f"{name} = {render(form)}")
        else:
            printer = IndexPrinter([helper], style, sizes, whole, names)
            lines += [printer.definition(n, h) for n, h in printer.helpers]
            names.update(printer.names)
            lines.append(printer.definition(name, helper))
        names[helper] = name
    result = matrix.transpose(recognized.result) if transposed else recognized.result
    ends = node.dims[::-1] if transposed else node.dims
    return [*lines, render(say_sizes(result, ends, dims, sizes))]


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
) -> list[str]:
    sizes = size_text(variables)
    printer = IndexPrinter([node], style, sizes, _whole_text(sizes, render))
    lines = [printer.definition(name, helper) for name, helper in printer.helpers]
    axes = printer.axes(node)
    entry = printer.line(node, axes)
    ends = list(reversed(axes)) if transposed and node.rank == 2 else axes
    return [*lines, style.arrow(entry, ends) if axes else entry]
