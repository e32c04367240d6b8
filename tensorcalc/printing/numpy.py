"""IR -> a Python function of NumPy code that runs as printed."""

from __future__ import annotations

import keyword
from collections.abc import Mapping, Sequence
from itertools import islice

from tensorcalc import canonical
from tensorcalc.dims import Dim, Dims
from tensorcalc.errors import DomainError
from tensorcalc.functions import COMPARISONS, FUNCTIONS
from tensorcalc.ir import (
    Add,
    Basis,
    Constant,
    Counter,
    Data,
    Delta,
    Einsum,
    LeviCivita,
    Map,
    MatrixFunction,
    Merge,
    Node,
    Range,
    RangeSum,
    Section,
    Size,
    Unknown,
    Variable,
)
from tensorcalc.printing import program
from tensorcalc.printing.axes import repeated_over
from tensorcalc.printing.index_style import letters
from tensorcalc.printing.render import ATOM, NEGATION, POSTFIX, PRODUCT, SUM, Text, fit
from tensorcalc.traverse import postorder

SERIES = ("expm", "logm", "sqrtm", "sinm", "cosm")
MATRIX_FUNCTIONS = {
    "inv": "np.linalg.inv({0})",
    "det": "np.linalg.det({0})",
    "logdet": "np.linalg.slogdet({0})[1]",
    "norm2": "np.linalg.norm({0}, axis=-1)",
    "normF": "np.linalg.norm({0}, axis=(-2, -1))",
    "adj": "adjugate({0})",
    "pinv": "np.linalg.pinv({0})",
    "logsumexp": "scipy.special.logsumexp({0}, axis=-1)",
    "max": "np.max({0}, axis=-1)",
    "min": "np.min({0}, axis=-1)",
    "prod": "np.prod({0}, axis=-1)",
    **{name: f"scipy.linalg.{name}({{0}})" for name in SERIES},
}
# functions that a printed function brings along, by the names that call them
HELPERS = {
    "adjugate": '''
def adjugate(x):
    """The transposed cofactors, by the singular values."""
    u, s, v = np.linalg.svd(x)
    others = [np.prod(np.delete(s, k, axis=-1), axis=-1) for k in range(s.shape[-1])]
    unit = (np.linalg.det(u) * np.linalg.det(v))[..., None, None]
    turned = np.swapaxes(v.conj(), -1, -2) * np.stack(others, axis=-1)[..., None, :]
    return unit * (turned @ np.swapaxes(u.conj(), -1, -2))
''',
    "power": '''
def power(x, k):
    """A stack of matrices, each to its integer power."""
    if x.ndim > 2:
        return np.stack([power(*pair) for pair in zip(x, k)])
    return np.linalg.matrix_power(x, int(k))
''',
    "series": '''
def series(function, x, order):
    """A power series of matrices or its derivatives, blocks of the series of larger matrices."""
    if x.ndim > 2:
        return np.stack([series(function, a, order) for a in x])
    n = len(x)
    result = np.empty((n, n) + (n * n,) * order, np.result_type(x, float))
    for place in np.ndindex((n * n,) * order):
        large = x
        for k, position in enumerate(place):
            unit = np.zeros((n, n))
            unit[divmod(position, n)] = 1.0
            side = np.kron(np.eye(2**k), unit)
            large = np.block([[large, side], [np.zeros_like(large), large]])
        result[(..., *place)] = function(large)[:n, -n:]
    return result.reshape((n, n) * (1 + order))
''',
}
RESERVED = ("np", "scipy", "f", "sum", "int", "float", *HELPERS)
SCIPY = ("linalg", "special")


def to_numpy(root: Node, arguments: Mapping[str, Variable]) -> str:
    """A function ``f`` of all `arguments`, in their order.

    Raises
    ------
    DomainError
        If it has an unknown function, or a size that no argument tells.
    """
    names = {name: _argument(name) for name in arguments}
    printer = _Printer(root, names, _sizes(arguments, names))
    taken = {*names.values(), *RESERVED, *printer.counters}
    definitions, result = program.lines(root, printer.spell, taken, "t")
    body = [f"    {name} = {text}" for name, text in definitions] + [f"    return {result}"]
    code = "\n".join(body)
    head = ["import numpy as np"]
    head += [f"import scipy.{part}" for part in SCIPY if f"scipy.{part}." in code]
    helpers = [text + "\n" for name, text in HELPERS.items() if f"{name}(" in code]
    return "\n".join([*head, "", *helpers, "", f"def f({', '.join(names.values())}):", *body, ""])


def _argument(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) or name in RESERVED else name


def _sizes(arguments: Mapping[str, Variable], names: Mapping[str, str]) -> dict[str, str]:
    """How names of sizes are told by the shapes of arguments, and whole sizes, too."""
    axes = [
        (dim, f"{names[name]}.shape[{axis}]")
        for name, variable in arguments.items()
        for axis, dim in enumerate(variable.dims)
    ]
    axes.sort(key=lambda axis: axis[0].terms != Dim.of(axis[0].names[0]).terms
              if axis[0].names else True)  # fmt: skip
    sizes: dict[str, str] = {}
    waiting = axes
    while waiting:
        left: list[tuple[Dim, str]] = []
        for dim, shown in waiting:
            unknown = {name for name in dim.names if name not in sizes}
            parts = dim.split(*unknown) if len(unknown) == 1 else None
            if parts is None:
                left.append((dim, shown))
                continue
            slope, rest = [_size(part, sizes) for part in parts]
            shown = shown if rest == "0" else f"({shown} - ({rest}))"
            sizes[unknown.pop()] = shown if slope == "1" else f"({shown} // ({slope}))"
        if len(left) == len(waiting):
            break
        waiting = left
    for dim, shown in axes:
        sizes.setdefault(str(dim), shown)
    return sizes


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


class _Printer:
    """Spells nodes as expressions of Python."""

    def __init__(self, root: Node, names: Mapping[str, str], sizes: Mapping[str, str]) -> None:
        self.names, self.sizes = names, sizes
        order = postorder([root])
        levels = max([node.level + 1 for node in order if isinstance(node, Counter)], default=0)
        self.counters = list(islice(letters("rst", {*names.values(), *RESERVED}), levels))
        self.ends: dict[Node, tuple[str, str]] = {}

    def size(self, dim: Dim) -> str:
        return _size(dim, self.sizes)

    def shape(self, dims: Dims) -> str:
        return "(" + "".join(f"{self.size(dim)}, " for dim in dims).rstrip(" ") + ")"

    def spell(self, node: Node, texts: Sequence[Text]) -> Text:
        value = canonical.as_number(node)
        if value is not None:
            number = repr(float(value))
            return (f"np.full({self.shape(node.dims)}, {number})" if node.rank else number), ATOM
        match node:
            case Variable():
                return self.names[node.name], ATOM
            case Constant():
                return f"np.{node.name}", ATOM
            case Size():
                return self.size(node.dim), PRODUCT
            case Einsum():
                return self.einsum(node, texts)
            case Add():
                return _sum(node, texts)
            case Map():
                if node.function == "pow":
                    return f"{fit(texts[0], ATOM)} ** {_exponent(node, texts[1])}", POSTFIX
                args = [text for text, _ in texts]
                compares = node.function in COMPARISONS.values()
                return FUNCTIONS[node.function].numpy.format(*args), PRODUCT if compares else ATOM
            case MatrixFunction():
                return _matrix_function(node, [text for text, _ in texts]), ATOM
            case Unknown():
                raise DomainError(f"{node.name} is unknown: there is no code for it")
            case Counter():
                self.ends[node] = texts[0][0], texts[1][0]
                return self.counters[node.level], ATOM
            case RangeSum():
                low, high = self.ends[node.counter]
                numbers = f"np.arange({low}, {high} + 1.0)"
                start = f"np.zeros({self.shape(node.dims)})" if node.rank else "0.0"
                return f"sum(({texts[0][0]} for {texts[1][0]} in {numbers}), {start})", ATOM
        return self.constant(node)

    def constant(self, node: Node) -> Text:
        sizes = [self.size(dim) for dim in node.dims]
        match node:
            case Delta():
                return f"np.eye({sizes[0]})", ATOM
            case Basis():
                return f"np.eye({sizes[0]})[{node.position}]", ATOM
            case LeviCivita():  # each entry is the determinant of unit vectors
                vectors = (
                    f"np.eye({node.rank})[np.moveaxis(np.indices({self.shape(node.dims)}), 0, -1)]"
                )
                return f"np.linalg.det({vectors})", ATOM
            case Merge():
                return f"np.eye({sizes[0]}).reshape({', '.join(sizes)})", ATOM
            case Section():
                return f"np.eye({sizes[0]}, {sizes[1]}, -({self.size(node.offset)}))", ATOM
            case Range():
                return f"np.arange({sizes[0]}) + float({self.size(node.start)})", SUM
            case Data():
                return f"np.array({node.array.tolist()!r})", ATOM
        raise TypeError(f"no such node: {node!r}")

    def einsum(self, node: Einsum, texts: Sequence[Text]) -> Text:
        free = program.uncovered(node)
        units = [f"np.ones({self.size(node.dims[a])})" for a in free]
        operands = ", ".join([*(text for text, _ in texts), *units])
        if all(own == () for own in node.labels) and not free:
            return " * ".join(fit(text, NEGATION) for text in texts), PRODUCT
        string = program.subscripts(node, free)
        return f'np.einsum("{string}", {operands}, optimize=True)', ATOM


def _matrix_function(node: MatrixFunction, texts: Sequence[str]) -> str:
    if node.function == "power":
        template = (
            "power({0}, {1})" if repeated_over(node) else "np.linalg.matrix_power({0}, int({1}))"
        )
        return template.format(*texts)
    if node.function in SERIES and (node.order or repeated_over(node)):
        return f"series(scipy.linalg.{node.function}, {texts[0]}, {node.order})"
    return MATRIX_FUNCTIONS[node.function].format(*texts)


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
