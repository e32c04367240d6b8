"""IR -> a Python function of NumPy code that runs as printed.

Where a node has a matrix form the code is made of that (`numpy_matrix.py`), else of the node
(`numpy_nodes.py`); `code.py` makes lines of it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from itertools import islice

from tensorcalc.dims import Dim, Dims, display_names
from tensorcalc.ir import Counter, Node, Unknown, Variable, sizes_of
from tensorcalc.limits import metered
from tensorcalc.matrix_sizes import placed
from tensorcalc.printing.code import Code, Codes, lines, wrapped
from tensorcalc.printing.index_style import letters
from tensorcalc.printing.numpy_matrix import NoCodeError, matrix_code
from tensorcalc.printing.numpy_nodes import node_code
from tensorcalc.printing.render import ATOM, PRODUCT
from tensorcalc.properties import use_properties
from tensorcalc.recognize import recognize, unknown_text
from tensorcalc.traverse import postorder

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
    "each": '''
def each(function, depth, *arrays):
    """The values of a function, for each place along the first axes of its arguments."""
    if depth == 0:
        return function(*arrays)
    return np.stack([each(function, depth - 1, *parts) for parts in zip(*arrays)])
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
RESERVED = ("np", "scipy", "f", "sum", "int", "float", "range", "zip", "len", *HELPERS)
SCIPY = ("linalg", "special")
MAX_DOCUMENTED = 88  # characters of a line of the docstring
MAX_READ = 500  # nodes of what is looked for a matrix form


@metered
def to_numpy(root: Node, arguments: Mapping[str, Variable]) -> str:
    """A function ``f`` of all `arguments`, in their order.

    Sizes that no argument tells, and unknown functions and their derivatives, are further
    arguments: ``du_dx`` is an array, ``dg`` a function.
    """
    return _Function(root, arguments).text()


class _Function:
    """The names of one function, and its text."""

    def __init__(self, root: Node, arguments: Mapping[str, Variable]) -> None:
        self.root, self.arguments = root, arguments
        self.codes = Codes()
        self.taken = set(RESERVED) | set(keyword.kwlist)
        self.names = {name: self.new(name) for name in arguments}
        order = postorder([root])
        self.unknowns: dict[str, tuple[str, Unknown]] = {}

        for node in sorted(self.unknown_nodes(), key=_order):
            text, _ = unknown_text(node)
            if text not in self.unknowns:
                self.unknowns[text] = self.new(_python_name(text)), node
        given = [(self.names[name], variable.dims) for name, variable in arguments.items()]
        given += [(name, u.dims) for name, u in self.unknowns.values() if not u.is_applied]
        self.told = _sizes(given)
        self.missing = self.untold(order)
        levels = max([node.level + 1 for node in order if isinstance(node, Counter)], default=0)
        self.counters = list(islice(letters("rst", self.taken), levels))
        self.taken |= set(self.counters)

    def new(self, name: str) -> str:
        """A name of Python's that is not taken, like the name."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def untold(self, order: Iterable[Node]) -> list[str]:
        """The sizes that no argument tells, which become arguments."""
        names = [name for node in order for dim in sizes_of(node) for name in dim.names]
        missing = [name for name in dict.fromkeys(names) if name not in self.told]
        shown = display_names([Dim.of(name) for name in missing], self.taken)
        for name in missing:
            self.told[name] = self.new(shown.get(name, name))
        return missing

    def size(self, dim: Dim) -> Code:
        """A size as an expression of Python."""
        codes = self.codes
        if str(dim) in self.told:
            return codes.word(self.told[str(dim)])
        total: Code | None = None
        for names, number in dim.terms:
            words = [str(abs(number))] * (abs(number) != 1 or not names)
            words += [self.told[name] for name in names]
            term = codes.word(" * ".join(words), PRODUCT if len(words) > 1 else ATOM)
            if total is None:
                total = codes.negative(term) if number < 0 else term
            else:
                total = codes.plus(total, term, " - " if number < 0 else " + ")
        return total or codes.word("0")

    def names_of_nodes(self) -> dict[str, Code]:
        """What variables and unknown functions are called."""
        codes = self.codes
        found = {name: codes.word(shown) for name, shown in self.names.items()}
        return found | {text: codes.word(name) for text, (name, _) in self.unknowns.items()}

    def code(self) -> Code:
        """The value, from its matrix form where it has one."""
        names = self.names_of_nodes()
        plain = [node for node in self.unknown_nodes() if node.batch and node.result]
        if self.root.rank <= 2 and not plain and len(postorder([self.root])) <= MAX_READ:
            try:
                return self.of_matrix(dict(names))
            except NoCodeError:
                pass
        return node_code(self.root, self.codes, names, self.counters, self.size)

    def unknown_nodes(self) -> list[Unknown]:
        return [node for node in postorder([self.root]) if isinstance(node, Unknown)]

    def of_matrix(self, names: dict[str, Code]) -> Code:
        """The code of the matrix form."""
        sizes: dict[str, Dim] = {}

        def size_text(dim: Dim) -> str:
            if dim.is_integer:
                return str(dim)
            text = f"{dim}#"
            sizes[text] = dim
            return text

        (node,) = use_properties([self.root])
        found = recognize(node, size_text)
        if found.result is None:
            raise NoCodeError("no matrix form")
        dims = {name: variable.dims for name, variable in self.arguments.items()}
        names["pi"] = self.codes.word("np.pi")
        for name, helper, form in [*found.helpers, ("", node, found.result)]:
            if form is None:
                made = node_code(helper, self.codes, names, self.counters, self.size)
            else:
                place = placed(form, helper.dims, dims)
                if place is None:
                    raise NoCodeError("too long")
                names |= {text: self.size(dim) for text, dim in sizes.items()}
                made = matrix_code(place, self.codes, _Names(names, self.codes), self.size)
            if name:
                names[name], dims[name] = made, helper.dims
        return made

    def text(self) -> str:
        """The module: imports, what the function brings along, the function."""
        definitions, result = lines(self.code(), self.taken)
        body = [f"    {name} = {text}" for name, text in definitions] + [f"    return {result}"]
        body = [wrapped(line) for line in body]
        code = "\n".join(body)
        head = ["import numpy as np"]
        head += [f"import scipy.{part}" for part in SCIPY if f"scipy.{part}." in code]
        helpers = [text + "\n" for name, text in HELPERS.items() if f"{name}(" in code]
        words = set(re.findall(r"\w+", code))
        self.missing = [name for name in self.missing if self.told[name] in words]
        listed = [*self.names.values(), *[self.told[name] for name in self.missing]]
        listed += [name for name, _ in self.unknowns.values()]
        start = f"def f({', '.join(listed)}):"
        return "\n".join([*head, "", *helpers, "", start, *self.docstring(), *body, ""])

    def docstring(self) -> list[str]:
        """What the arguments are, and their shapes."""
        letters_of = display_names(
            [dim for v in self.arguments.values() for dim in v.dims], self.arguments
        )
        dims = {old: Dim.of(new) for old, new in letters_of.items()}

        def shape(of: Dims) -> str:
            inner = ", ".join(str(dim.substitute(dims)) for dim in of)
            return f"({inner},)" if len(of) == 1 else f"({inner})"

        said = [f"{self.names[name]} {shape(v.dims)}" for name, v in self.arguments.items()]
        said += [f"{self.told[name]} an integer" for name in self.missing]
        for name, node in self.unknowns.values():
            said.append(f"{name} a function" if node.is_applied else f"{name} {shape(node.dims)}")
        words = [f"{word}," for word in said[:-1]] + said[-1:]
        rows = ["Shapes:"]
        for word in [*words, f"-> {shape(self.root.dims)}."]:
            if len(rows[-1]) + len(word) > MAX_DOCUMENTED:
                rows.append(word)
            else:
                rows[-1] += f" {word}"
        quotes = '"""'
        if len(rows) == 1:
            return [f"    {quotes}{rows[0]}{quotes}"]
        return [f"    {quotes}{rows[0]}", *[f"    {r}" for r in rows[1:]], f"    {quotes}"]


class _Names(dict[str, Code]):
    """Names, and numbers, which are sizes that need none."""

    def __init__(self, names: Mapping[str, Code], codes: Codes) -> None:
        super().__init__(names)
        self.codes = codes

    def get(self, key: str, default: Code | None = None) -> Code | None:  # type: ignore[override]
        return self.codes.word(key) if key.isdigit() else super().get(key, default)


def _python_name(text: str) -> str:
    """``du_dx`` for ``du/dx``, ``d2g`` for ``g''``.

    >>> _python_name("d2u/dx2"), _python_name("g''"), _python_name("g")
    ('d2u_dx2', 'd2g', 'g')
    """
    stem = text.rstrip("'")
    order = len(text) - len(stem)
    if order:
        return f"d{order if order > 1 else ''}{stem}"
    return text.replace("/", "_")


def _sizes(given: Iterable[tuple[str, Dims]]) -> dict[str, str]:
    """How names of sizes are told by the shapes of arrays, and whole sizes, too."""
    axes = [(dim, f"{name}.shape[{axis}]") for name, dims in given for axis, dim in enumerate(dims)]
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
            slope, rest = [_told(part, sizes) for part in parts]
            shown = shown if rest == "0" else f"({shown} - ({rest}))"
            sizes[unknown.pop()] = shown if slope == "1" else f"({shown} // ({slope}))"
        if len(left) == len(waiting):
            break
        waiting = left
    for dim, shown in axes:
        sizes.setdefault(str(dim), shown)
    return sizes


def _told(dim: Dim, sizes: Mapping[str, str]) -> str:
    """A size whose names are all told."""
    products = [
        " * ".join([str(number)] * (number != 1 or not names) + [sizes[name] for name in names])
        for names, number in dim.terms
    ]
    return " + ".join(products) or "0"


def _order(node: Unknown) -> tuple[str, int, tuple[int, ...]]:
    """Functions by name, each before its derivatives."""
    return node.name, len(node.derivatives), node.derivatives
