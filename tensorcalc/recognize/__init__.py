"""IR -> matrix expression: contraction graphs read as products, traces, diagonals.

A node of rank up to 2 has a form that is made of the forms of its operands (`forms.py`). That of a
contraction is found by `contraction.py` on a `graph.py`, with `merged_axes.py` for `kron` and `vec`
and `totals.py` for traces and sums; `grids.py` writes matrices out. A part without a matrix form
becomes a helper that the printers define in index notation; a whole without one is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from math import inf

from tensorcalc import matrix_algebra as m
from tensorcalc.ir import Add, Basis, Einsum, LeviCivita, Map, Node, Size
from tensorcalc.matrix_algebra import Matrix
from tensorcalc.recognize.forms import Forms, shape_of
from tensorcalc.recognize.graph import SizeText
from tensorcalc.recognize.unknown_names import unknown_text as unknown_text
from tensorcalc.traverse import postorder, users, variables

COUNTERS = "rstuvpqijkl"
# a shared part costing more symbols than this is defined once, before the result
MAX_REPEATED = 60
# a result up to this cost repeats its shared parts, however long
MAX_INLINE = 400


@dataclass(slots=True)
class Recognized:
    """A matrix expression and the helpers it names, in order of definition.

    A helper is a matrix expression too, or None where its node has none.
    """

    result: Matrix | None
    helpers: list[tuple[str, Node, Matrix | None]] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """How many symbols it has; what has no matrix form has the most."""
        forms = [self.result, *[form for *_, form in self.helpers]]
        return sum(inf if form is None else form.cost for form in forms)


def recognize(
    root: Node, size_text: SizeText, layout: str = "mixed", *, crosses: bool = True
) -> Recognized:
    """The matrix form of a node of rank ≤ 2 (a vector as a column).

    `size_text` writes a size in the language, or None where it cannot. Derivatives of unknown
    functions are named as they stand in `layout`. Without `crosses` what is antisymmetric has no
    matrix form.
    """
    if not crosses and any(isinstance(node, LeviCivita) for node in postorder([root])):
        return Recognized(None)
    plain = _recognize(root, size_text, layout, None)
    if plain is not None:
        return plain
    counts = users([root])
    shared = {node for node, count in counts.items() if count > 1}
    return _recognize(root, size_text, layout, shared) or Recognized(None)


def _recognize(
    root: Node, size_text: SizeText, layout: str, shared: set[Node] | None
) -> Recognized | None:
    """The form with long `shared` parts defined first; without them, None if that is too long."""
    recognized = Recognized(None)
    taken = set(variables(root))
    sizes = {name for node in postorder([root]) for dim in node.dims for name in dim.names}
    forms = Forms(size_text, layout, [c for c in COUNTERS if c not in taken | sizes])
    found = forms.found
    names = (f"T{k}" for k in count(1))
    for node in postorder([root]):
        form = forms.form(node) if node.rank <= 2 else None
        cost = 0 if form is None else form.cost
        if shared is None and cost > MAX_INLINE:
            return None
        long = shared is not None and node in shared and cost > MAX_REPEATED
        without = form is None and node.rank <= 2 and not isinstance(node, Basis | Size)
        if node.counters or not isinstance(node, Add | Einsum | Map):
            long = without = False
        if node is not root and (long or without):
            text = next(name for name in names if name not in taken)
            recognized.helpers.append((text, node, form))
            form = m.name(text, shape_of(node))
        found[node] = form
    recognized.result = found[root]
    lost = {name for name, _, form in recognized.helpers if form is None}
    if recognized.result is None or (lost and _names(recognized.result) <= lost):
        return Recognized(None)
    return recognized


def _names(form: Matrix) -> set[str]:
    """The names in an expression."""
    names: set[str] = set()
    stack = [form]
    while stack:
        x = stack.pop()
        stack.extend(x.args)
        if x.op == "name":
            names.add(str(x.data))
    return names
