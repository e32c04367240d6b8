"""IR -> a Python function of NumPy code that runs as printed."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence

from tensorcalc import canonical
from tensorcalc.dims import Dim
from tensorcalc.errors import DomainError
from tensorcalc.functions import COMPARISONS, FUNCTIONS
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
from tensorcalc.printing import program
from tensorcalc.printing.render import ATOM, NEGATION, POSTFIX, PRODUCT, SUM, Text, fit
from tensorcalc.traverse import postorder

MATRIX_FUNCTIONS = {
    "inv": "np.linalg.inv({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
    "norm2": "np.linalg.norm({0}, axis=-1)",
    "normF": "np.linalg.norm({0}, axis=(-2, -1))",
}
SCIPY = frozenset(name for name, entry in FUNCTIONS.items() if "scipy" in entry.numpy)


def to_numpy(root: Node, arguments: Mapping[str, Variable]) -> str:
    """A function ``f`` of all `arguments`, in their order."""
    names = {name: _argument(name) for name in arguments}
    sizes: dict[str, str] = {}
    for name, variable in arguments.items():
        for axis, dim in enumerate(variable.dims):
            shown = f"{names[name]}.shape[{axis}]"
            if dim.product and len(dim.names) == 1:
                number = dim.product[0]
                if number == 1 or dim.names[0] not in sizes:
                    sizes[dim.names[0]] = shown + f" // {number}" * (number != 1)
            sizes.setdefault(str(dim), shown)

    def spelling(node: Node, texts: Sequence[Text]) -> Text:
        return _spell(node, texts, names, sizes)

    taken = {*names.values(), "np", "scipy", "f"}
    definitions, result = program.lines(root, spelling, taken, "t")
    uses_scipy = any(isinstance(n, Map) and n.function in SCIPY for n in postorder([root]))
    body = [f"    {name} = {text}" for name, text in definitions] + [f"    return {result}"]
    head = ["import numpy as np"] + ["import scipy.special"] * uses_scipy
    return "\n".join([*head, "", "", f"def f({', '.join(names.values())}):", *body, ""])


def _argument(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) or name in ("np", "scipy", "f") else name


def _size(dim: Dim, sizes: Mapping[str, str]) -> str:
    if str(dim) in sizes:
        return sizes[str(dim)]
    for name in dim.names:
        if name not in sizes:
            raise DomainError(f"the size {name} is not that of any argument")
    products = [
        " * ".join([str(number)] * (number != 1 or not names) + [sizes[name] for name in names])
        for names, number in dim.terms
    ]
    return " + ".join(products) or "0"


def _spell(
    node: Node, texts: Sequence[Text], names: Mapping[str, str], sizes: Mapping[str, str]
) -> Text:
    value = canonical.as_number(node)
    if value is not None:
        shape = ", ".join(_size(dim, sizes) for dim in node.dims)
        number = repr(float(value))
        return (f"np.full(({shape},), {number})", ATOM) if node.rank else (number, ATOM)
    match node:
        case Variable():
            return names[node.name], ATOM
        case Constant():
            return f"np.{node.name}", ATOM
        case Size():
            return _size(node.dim, sizes), PRODUCT
        case Delta():
            return f"np.eye({_size(node.dims[0], sizes)})", ATOM
        case Basis():
            return f"np.eye({_size(node.dims[0], sizes)})[{node.position}]", ATOM
        case Einsum():
            free = program.uncovered(node)
            units = [f"np.ones({_size(node.dims[a], sizes)})" for a in free]
            operands = ", ".join([*(text for text, _ in texts), *units])
            if all(own == () for own in node.labels) and not free:
                return " * ".join(fit(text, NEGATION) for text in texts), PRODUCT
            string = program.subscripts(node, free)
            return f'np.einsum("{string}", {operands}, optimize=True)', ATOM
        case Add():
            return _sum(node, texts)
        case Map():
            if node.function == "pow":
                return f"{fit(texts[0], ATOM)} ** {_exponent(node, texts[1])}", POSTFIX
            args = [text for text, _ in texts]
            compares = node.function in COMPARISONS.values()
            return FUNCTIONS[node.function].numpy.format(*args), PRODUCT if compares else ATOM
        case MatrixFunction():
            return MATRIX_FUNCTIONS[node.function].format(texts[0][0]), ATOM
    raise TypeError(f"no such node: {node!r}")


def _exponent(node: Map, text: Text) -> str:
    value = canonical.as_number(node.operands[1])
    if value is None:
        return fit(text, ATOM)
    shown = repr(float(value))
    return f"({shown})" if value < 0 else shown


def _sum(node: Add, texts: Sequence[Text]) -> Text:
    pieces: list[str] = []
    for coefficient, text in zip(node.coefficients, texts, strict=True):
        if pieces:
            pieces.append(" - " if coefficient < 0 else " + ")
        elif coefficient < 0:
            pieces.append("-")
        number = "" if abs(coefficient) == 1 else f"{float(abs(coefficient))!r} * "
        pieces.append(number + fit(text, NEGATION if number else PRODUCT))
    return "".join(pieces), SUM if len(texts) > 1 else PRODUCT
