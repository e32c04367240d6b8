"""What buffers and sizes of a loop program are called in C, and where an entry stands.

Used by `c_nests.py` and `c_source.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tensorcalc.emit.c_scalar import ATOM, PRODUCT, SUM, Text, fitted, size
from tensorcalc.plan.program import Argument, Index, Program, Run

WORD = re.compile(r"[a-z]+\d+")
BOUNDS = ("low", "high", "count")  # what the names c0, c1, c2 of a block are called


class Names:
    """The names of one program; `given` are those of its arguments and results.

    `sizes` are the names of sizes, by those in the IR.
    """

    def __init__(
        self, program: Program, given: Mapping[str, str], sizes: Mapping[str, str]
    ) -> None:
        self.program, self.sizes = program, sizes
        self.buffers = {
            b.name: b for b in (*program.arguments, *program.temporaries, *program.results)
        }
        self.results = {buffer.name for buffer in program.results}
        self.scalars = {b.name for b in program.arguments if not b.extents}
        self.names = {**self._extents(), **self._shared(given)}

    def __getitem__(self, buffer: str) -> str:
        return self.names[buffer]

    def _extents(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for extent in self.program.extents:
            if extent.dim is None:
                found[extent.name] = str(extent.factors[0])
                continue
            text, binds = size(extent.dim, self.sizes.__getitem__)
            found[extent.name] = text if binds == ATOM else extent.name
        return found

    def _shared(self, names: Mapping[str, str]) -> dict[str, str]:
        """Buffers in the same memory have one name, that of a result if one is among them."""
        owner: dict[str, str] = {}
        for buffer in self.buffers.values():
            name = buffer.name
            while (memory := self.buffers[name].memory) is not None:
                name = memory
            owner[buffer.name] = name
        called = {owner[name]: shown for name, shown in names.items() if name in owner}
        return {name: called.get(first, first) for name, first in owner.items()}

    def word(self, text: str) -> str:
        """A name of the program's, or a sum of two, in C."""

        def shown(found: re.Match[str]) -> str:
            name = found[0]
            if name[0] == "c" and name[1:].isdigit():
                k = int(name[1:])
                return f"{BOUNDS[k % 3]}{k // 3}"
            return self.names.get(name, name)

        return WORD.sub(shown, text)

    def computed(self) -> dict[str, str]:
        """The sizes that have a name of their own, with the expressions that they are."""
        return {
            extent.name: size(extent.dim, self.sizes.__getitem__)[0]
            for extent in self.program.extents
            if extent.dim is not None and self.names[extent.name] == extent.name
        }

    def product(self, extents: Sequence[str]) -> str:
        """The number of entries of an array."""
        return " * ".join(self.word(extent) for extent in extents) or "1"

    def head(self, index: str, extent: str, start: str = "0", block: int = 1) -> str:
        """The first line of a loop."""
        step = f"{index}++" if block == 1 else f"{index} += {block}"
        return f"for (ptrdiff_t {index} = {start}; {index} < {self.word(extent)}; {step})"

    def value(self, argument: Argument) -> Text:
        """An index, a size or a position."""
        if isinstance(argument, str):
            text = self.word(argument)
            return (text[1:-1], SUM) if text.startswith("(") else (text, ATOM)
        return str(int(argument)), ATOM

    def access(
        self, buffer: str, index: Sequence[Index], value: Callable[[Argument], Text] | None = None
    ) -> Text:
        """An entry of a buffer; of a result of rank 0, what the pointer points at.

        `value` says what an index is, where it may be one that is computed.
        """
        shown = self.names[buffer]
        if index:
            return f"{shown}[{self.place(buffer, index, value)}]", ATOM
        return (f"{shown}[0]" if buffer in self.results else shown), ATOM

    def place(
        self, buffer: str, index: Sequence[Index], value: Callable[[Argument], Text] | None = None
    ) -> str:
        """Where an entry stands, counted from the start; `index` may be of the first axes only."""
        text = value or self.value
        extents = self.buffers[buffer].extents
        total: Text = ("0", ATOM)
        given = [*index, *[0] * len(extents)]
        axis = 0
        for k in given:
            count = k.axes if isinstance(k, Run) else 1
            if axis + count > len(extents):
                break
            if total[0] != "0":
                factors = self.product(extents[axis : axis + count])
                total = f"{fitted(total, PRODUCT)} * {factors}", PRODUCT
            axis += count
            here = text(k.index if isinstance(k, Run) else k)
            if here[0] != "0":
                sum_of = f"{total[0]} + {fitted(here, PRODUCT)}", SUM
                total = here if total[0] == "0" else sum_of
        return total[0]

    def start(self, buffer: str, index: Sequence[Index]) -> str:
        """A pointer to an entry."""
        place = self.place(buffer, index)
        return self.names[buffer] if place == "0" else f"{self.names[buffer]} + {place}"
