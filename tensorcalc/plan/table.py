"""Names and numbers of a program's arrays and sizes: buffers, extents, bounds of blocks.

What a step touches is called by these names; they are entered when they are first needed. Used by
`plan`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from tensorcalc.dims import Dim
from tensorcalc.errors import LimitError
from tensorcalc.ir import Node, Unknown, Variable
from tensorcalc.plan.nest import Bounds, Names
from tensorcalc.plan.program import Buffer, Extent
from tensorcalc.plan.tasks import Slice
from tensorcalc.traverse import variables

MEMORY_SHARE = 0.8  # of the machine's memory that intermediates and results may take


class Table:
    """The arrays and sizes of one program. `cuts` are axes of which only a block is kept."""

    def __init__(
        self,
        roots: Sequence[Node],
        sizes: Mapping[str, int],
        declared: Mapping[str, Variable],
        item: int,
        cuts: Mapping[Node, Mapping[int, Slice]],
    ) -> None:
        self.sizes, self.item, self.cuts = sizes, item, cuts
        self.variables = {**declared, **variables(*roots)}
        self.arguments: dict[str, Buffer] = {}
        self.extents: dict[Dim, Extent] = {}
        self.buffers: dict[Node, str] = {}
        self.bounds: dict[Slice, Bounds] = {}
        self.blocks: list[Extent] = []
        self.names = Names(self.buffer, self.extent, self.bounds_of, item)

    def declare(self, node: Node, start: float | None) -> Buffer:
        """The buffer of a stored node."""
        return Buffer(self.buffers[node], self.axes(node), None, start)

    def buffer(self, node: Node) -> str:
        """The name of what a load or store of the node touches."""
        if node in self.buffers:
            return self.buffers[node]
        if not isinstance(node, Variable):
            raise AssertionError(f"{node!r} is not stored")
        return self.argument(node).name

    def argument(self, variable: Variable) -> Buffer:
        """The argument that holds a variable, entered if it is new."""
        found = self.arguments.get(variable.name)
        if found is None:
            name = f"a{len(self.arguments)}"
            found = Buffer(name, (), variable.name)
            self.arguments[variable.name] = found
            extents = tuple([self.extent(dim) for dim in variable.dims])
            found = self.arguments[variable.name] = Buffer(name, extents, variable.name)
        return found

    def axes(self, node: Node) -> tuple[str, ...]:
        """The extents of a node's buffer, which may hold a block only."""
        cuts = self.cuts.get(node, {})
        return tuple(
            [
                self.bounds_of(cuts[axis]).block if axis in cuts else self.extent(dim)
                for axis, dim in enumerate(node.dims)
            ]
        )

    def sized(self, buffer: Buffer, node: Node, least: int) -> Buffer:
        """The buffer, with its shape if the caller is to allocate it: it has `least` bytes."""
        if isinstance(node, Unknown) or node in self.cuts:  # allocated by the host, or small
            return buffer
        if least and (buffer.memory is not None or self.item * self.elements(node) < least):
            return buffer
        return replace(buffer, shape=tuple([dim.value(self.sizes) for dim in node.dims]))

    def extent(self, dim: Dim) -> str:
        """The name of the number of a dim, entered if it is new."""
        found = self.extents.get(dim)
        if found is None:
            factors: tuple[int | str, ...] = ()
            source: tuple[str | None, int] = (None, 0)
            if dim.product == (1, dim.names) and len(dim.names) == 1:
                source, factors = self.source(dim)
            elif dim.product is None:
                factors = tuple([self.extent(Dim((term,))) for term in dim.terms])
            else:
                number, names = dim.product
                one = () if number == 1 and names else (number,)
                factors = (*one, *[self.extent(Dim.of(name)) for name in names])
            if dim in self.extents:  # entered for an argument that was met on the way
                return self.extents[dim].name
            is_sum = dim.product is None
            found = Extent(f"n{len(self.extents)}", factors, *source, is_sum, dim)
            self.extents[dim] = found
        return found.name

    def source(self, dim: Dim) -> tuple[tuple[str | None, int], tuple[int | str, ...]]:
        """Where the number of a name is read off; if from nowhere, its value."""
        for exact in (True, False):
            for variable in self.variables.values():
                for axis, other in enumerate(variable.dims):
                    if exact and other == dim:
                        return (self.argument(variable).name, axis), ()
                    if exact or other.product is None or other.names.count(dim.names[0]) != 1:
                        continue
                    number = other.product[0]
                    rest = tuple([name for name in other.names if name != dim.names[0]])
                    told = number > 0 and all(self.is_told(name) for name in rest)
                    if told and all(self.sizes[name] > 0 for name in rest):
                        buffer = self.argument(variable).name
                        parts = tuple([self.extent(Dim.of(name)) for name in rest])
                        return (buffer, axis), (number, *parts)
        return (None, 0), (self.sizes[dim.names[0]],)

    def is_told(self, name: str) -> bool:
        """Whether some axis has exactly this size."""
        dim = Dim.of(name)
        return any(dim in variable.dims for variable in self.variables.values())

    def bounds_of(self, cut: Slice) -> Bounds:
        """The names of a slice's bounds, entered if they are new."""
        found = self.bounds.get(cut)
        if found is None:
            k = 3 * len(self.bounds)
            self.extent(cut.dim)
            block = f"n{1000 + len(self.blocks)}"
            self.blocks.append(Extent(block, (cut.block,)))
            found = self.bounds[cut] = Bounds(f"c{k}", f"c{k + 1}", f"c{k + 2}", block)
        return found

    def elements(self, node: Node) -> int:
        """The number of entries of a node."""
        return prod(dim.value(self.sizes) for dim in node.dims)

    def kept(self, node: Node) -> int:
        """The number of entries of a node's buffer."""
        cuts = self.cuts.get(node, {})
        return prod(
            cuts[axis].block if axis in cuts else dim.value(self.sizes)
            for axis, dim in enumerate(node.dims)
        )

    def memory(self, nodes: Sequence[Node], made: Sequence[Buffer], count: int) -> tuple[int, int]:
        """The bytes of the first `count` buffers, which lie between steps, and of the results."""
        sizes = [self.item * self.kept(node) for node in nodes]
        own = [b.memory is None for b in made]
        total = sum(size for size, is_own in zip(sizes, own, strict=True) if is_own)
        results = sum(sizes[count:])
        return max(0, total - results), results

    def check_memory(self, nodes: Sequence[Node]) -> None:
        """Refuse a program whose intermediates and results would not fit."""
        largest = max(nodes, key=self.kept)
        total = self.item * sum(self.kept(node) for node in nodes)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if total > MEMORY_SHARE * memory:
            shape = tuple(dim.value(self.sizes) for dim in largest.dims)
            raise LimitError(
                f"the program needs {total / 2**30:.3g} GiB of memory, more than "
                f"{MEMORY_SHARE:.0%} of the machine's {memory / 2**30:.3g} GiB; "
                f"the largest array has shape {shape}"
            )
