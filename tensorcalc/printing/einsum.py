"""IR -> einsum strings, which the parser reads back: `einsum("ij,j->i", A, x)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.functions import OPERATORS
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Delta,
    Einsum,
    Map,
    MatrixFunction,
    Node,
    Size,
    Variable,
)
from tensorcalc.matrix_functions import MATRIX_FUNCTIONS
from tensorcalc.printing import program
from tensorcalc.printing.render import ATOM, COMPARE, NEGATION, POSTFIX, PRODUCT, SUM, Text, fit
from tensorcalc.printing.text import number
from tensorcalc.traverse import variables


def to_einsum(root: Node, size_text: Callable[[Dim], str | None]) -> str:
    """The node as nested einsum calls; shared parts are defined first, one a line."""
    taken = set(variables(root))

    def spelling(node: Node, texts: Sequence[Text]) -> Text:
        return _spell(node, texts, size_text)

    definitions, result = program.lines(root, spelling, taken, "T")
    return "\n".join([*(f"{name} = {text}" for name, text in definitions), result])


def _spell(node: Node, texts: Sequence[Text], size_text: Callable[[Dim], str | None]) -> Text:
    def sized(function: str, dim: Dim) -> str:
        size = size_text(dim)
        return f"{function}, {size})" if size else f"{function})"

    value = canonical.as_number(node)
    if value is not None and node.rank == 0:
        return number(value)
    match node:
        case Variable() | Constant():
            return node.name, ATOM
        case Size():
            return size_text(node.dim) or f"dim({node.dim})", ATOM
        case Delta():
            size = size_text(node.dims[0])
            return f"eye({size})" if size else "eye", ATOM
        case Basis():
            size = size_text(node.dims[0])
            unit = f"eye({size})" if size else "eye"
            return f"({unit}[i,{node.position}] -> [i])", ATOM
        case Einsum():
            free = program.uncovered(node)
            units = [sized("vector(1", node.dims[a]) for a in free]
            if len(node.operands) == 0 and len(units) == 1:
                return units[0], ATOM
            operands = ", ".join([*(text for text, _ in texts), *units])
            return f'einsum("{program.subscripts(node, free)}", {operands})', ATOM
        case Add():
            return _sum(node, texts, sized)
        case Map():
            return _map(node, texts)
        case MatrixFunction():
            return _matrix_function(node, texts[0]), ATOM
    raise TypeError(f"no such node: {node!r}")


def _sum(node: Add, texts: Sequence[Text], sized: Callable[[str, Dim], str]) -> Text:
    pieces: list[str] = []
    for coefficient, operand, text in zip(node.coefficients, node.operands, texts, strict=True):
        if pieces:
            pieces.append(" - " if coefficient < 0 else " + ")
        elif coefficient < 0:
            pieces.append("-")
        spread = canonical.as_number(operand) == 1 and len(node.operands) > 1
        if spread:  # a number is added to every entry
            pieces.append(fit(number(abs(coefficient)), PRODUCT))
        elif abs(coefficient) == 1:
            pieces.append(fit(text, PRODUCT))
        else:
            pieces.append(f"{fit(number(abs(coefficient)), NEGATION)}*{fit(text, NEGATION)}")
    if not pieces:
        units = ", ".join(sized("vector(1", dim) for dim in node.dims)
        names = "ijklmnopqrstuvwxyzabcdefgh"[: node.rank]
        return f'0*einsum("{",".join(names)}->{names}", {units})', PRODUCT
    return "".join(pieces), SUM if len(node.operands) > 1 else PRODUCT


def _matrix_function(node: MatrixFunction, text: Text) -> str:
    """A function of matrices; one that is repeated over leading axes names its axes."""
    count = node.operands[0].rank - MATRIX_FUNCTIONS[node.function].rank
    if not count:
        return f"{node.function}({text[0]})"
    axes = list("ijklmnopqrstuvwxyzabcdefgh"[: node.operands[0].rank])
    entry = f"{fit(text, ATOM)}[{','.join(axes)}]"
    ends = axes[: node.rank]
    rest = f"[{','.join(ends[count:])}]" if len(ends) > count else ""
    inner = f"{entry} -> [{','.join(axes[count:])}]"
    return f"({node.function}({inner}){rest} -> [{','.join(ends)}])"


def _map(node: Map, texts: Sequence[Text]) -> Text:
    shown = [_bare(o, t) for o, t in zip(node.operands, texts, strict=True)]
    if all(canonical.as_number(o) is not None for o in node.operands):
        shown = list(texts)
    if node.function in OPERATORS:
        operator = OPERATORS[node.function]
        return f"{fit(shown[0], SUM)} {operator} {fit(shown[1], SUM)}", COMPARE
    if node.function == "pow":
        operator = "^" if node.rank == 0 else ".^"
        return f"{fit(shown[0], ATOM)}{operator}{fit(shown[1], ATOM)}", POSTFIX
    return f"{node.function}({', '.join(text for text, _ in shown)})", ATOM


def _bare(node: Node, text: Text) -> Text:
    """A number without its shape: scalars are broadcast."""
    value = canonical.as_number(node)
    return text if value is None else number(value)
