"""Products of small matrices for kernels: tiles of the result that stay in vector registers.

A call of BLAS packs its operands and chooses a way through them, which takes longer than a product
of few entries. Here the tile's code is written as LLVM's vectors: `HIGH` rows by up to `WIDE`
vectors of columns. Of the right operand, a panel as wide as a tile is copied to the stack where it
pays. Without AVX2 there are no tiles, and BLAS serves for all sizes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

from tensorcalc.kernels.hints import hint
from tensorcalc.kernels.subroutine import address, compact, subroutine

WIDE = 3  # vectors of a tile's row
DEPTH = 192  # terms of a sum that are added up at a time: a panel of them stays in the near cache
SHORT = 64  # a side of a product that is short
LEAST, MOST = 1 << 18, 100_000_000  # multiplications between which tiles are faster than BLAS …
NARROW = 3_000_000  # … and up to which they are with AVX2, where BLAS has nothing for small ones
TALL = 8  # rows of a tile with AVX-512
ROWS = 512  # of the left operand that stay in the second cache …
BLOCK = 128  # … and of one that is copied because its rows are not those of memory …
NEAR = 1 << 15  # … if it has so many entries
REUSED = 16  # rows from which on a panel is copied even if it could be read where it is


def _shape(context: Any, number: Any) -> tuple[int, int]:
    """The lanes of a vector and the rows of a tile, for the processor that code is made for."""
    features = context.codegen().magic_tuple()[2].split(",")
    if "+avx512f" in features:
        return 64 * 8 // number.bitwidth, TALL
    if {"+avx2", "+fma"} <= {*features}:
        return 32 * 8 // number.bitwidth, TALL // 2
    return 0, 0


def _number(which: int) -> Any:
    """An intrinsic: one of the numbers of `_shape`, for numbers of the type of an array."""

    def typing(typingctx, array):
        def codegen(context, builder, signature, args):
            return context.get_constant(types.intp, _shape(context, array.dtype)[which])

        return types.intp(array), codegen

    return hint(typing)


lanes: Any = _number(0)
high: Any = _number(1)


def _room(left: bool) -> Any:
    """An intrinsic: room on the stack for a panel of the right operand, or a block of the left."""

    def typing(typingctx, array):
        def codegen(context, builder, signature, args):
            number = context.get_data_type(array.dtype)
            lanes, rows = _shape(context, array.dtype)
            lines = DEPTH + lanes  # a turned copy writes whole vectors
            entries = BLOCK * DEPTH + lanes * max(lanes, rows) if left else lines * WIDE * lanes
            with builder.goto_entry_block():  # Numba's own `alloca_once` fills with zeros
                room = builder.alloca(ir.ArrayType(number, max(1, entries)))
            room.align = 64
            return builder.bitcast(room, number.as_pointer())

        return types.CPointer(array.dtype)(array), codegen

    return hint(typing)


_panel: Any = _room(False)
_block: Any = _room(True)


@hint
def _pack(typingctx, arguments):
    """Copy stretches of vectors: as they are, or turned. Arguments: those of `_pack_function`."""
    number = arguments[1].dtype

    def codegen(context, builder, signature, args):
        lanes = _shape(context, number)[0]
        if lanes:
            kinds, items = signature.args[0], cgutils.unpack_tuple(builder, args[0])
            turned, *given = _lowered(context, builder, kinds, items)
            direct, turning = (_pack_function(builder.module, number, lanes, t) for t in (0, 1))
            chosen = builder.icmp_signed("!=", turned, turned.type(0))
            with builder.if_else(chosen) as (then, otherwise):
                with then:
                    builder.call(turning, given)
                with otherwise:
                    builder.call(direct, given)
        return context.get_dummy_value()

    return types.void(arguments), codegen


def _lowered(context: Any, builder: Any, kinds: Any, items: Any) -> list[Any]:
    """Integers, and addresses of arrays with the offsets that follow them."""
    values: list[Any] = []
    is_array = False
    for kind, value in zip(kinds, items, strict=True):
        if not isinstance(kind, types.Integer | types.Boolean):
            values.append(address(context, builder, kind, value))
        elif is_array:
            offset = context.cast(builder, value, kind, types.intp)
            values[-1] = builder.gep(values[-1], [offset])
        else:
            values.append(context.cast(builder, value, kind, types.intp))
        is_array = not isinstance(kind, types.Integer | types.Boolean)
    return values


class _Vectors:
    """What the functions below have in common: types, intrinsics, and an internal function."""

    def __init__(self, module: Any, of: Any, lanes: int, name: str, takes: str) -> None:
        self.lanes, self.item = lanes, of.bitwidth // 8
        number = ir.DoubleType() if of is types.float64 else ir.FloatType()
        self.size, self.pointer = ir.IntType(64), number.as_pointer()
        self.vector = ir.VectorType(number, lanes)
        self.at = self.vector.as_pointer()
        self.none = ir.Constant(self.vector, [0.0] * lanes)
        half, bits = ir.IntType(32), ir.VectorType(ir.IntType(1), lanes)
        suffix = f"v{lanes}f{of.bitwidth}"
        memory = f"{suffix}.p0{suffix if '*' in str(self.at) else ''}"
        self.aligned = half(self.item)

        def declared(name: str, result: Any, *given: Any) -> Any:
            kind = ir.FunctionType(result, given)
            return cgutils.get_or_insert_function(module, kind, f"llvm.{name}")

        self.fma = declared(f"fma.{suffix}", self.vector, self.vector, self.vector, self.vector)
        self.masked = (
            declared(f"masked.load.{memory}", self.vector, self.at, half, bits, self.vector),
            declared(f"masked.store.{memory}", ir.VoidType(), self.vector, self.at, half, bits),
        )
        byte = ir.IntType(8).as_pointer()
        suffix = "p0" if "*" not in str(byte) else "p0i8"
        self.prefetch = declared(f"prefetch.{suffix}", ir.VoidType(), byte, half, half, half)
        kind = ir.FunctionType(
            ir.VoidType(), [{"n": self.size, "p": self.pointer}[t] for t in takes]
        )
        self.function = ir.Function(module, kind, name)
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        set.add(self.function.attributes, '"prefer-vector-width"="512"')
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def spread(self, value: Any, kind: Any = None) -> Any:
        """A vector of one number."""
        kind = kind or self.vector
        nothing = ir.Constant(kind, ir.Undefined)
        first = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        single = self.builder.insert_element(nothing, value, self.size(0))
        return self.builder.shuffle_vector(single, nothing, first)

    def mask(self, count: Any) -> Any:
        """The first `count` lanes."""
        kind = ir.VectorType(self.size, self.lanes)
        order = ir.Constant(kind, [*range(self.lanes)])
        return self.builder.icmp_signed("<", order, self.spread(count, kind))

    def load(self, start: Any, mask: Any = None) -> Any:
        where = self.builder.bitcast(start, self.at)
        if mask is None:
            return self.builder.load(where, align=self.item)
        return self.builder.call(self.masked[0], [where, self.aligned, mask, self.none])

    def store(self, value: Any, start: Any, mask: Any = None) -> None:
        where = self.builder.bitcast(start, self.at)
        if mask is None:
            self.builder.store(value, where, align=self.item)
        else:
            self.builder.call(self.masked[1], [value, where, self.aligned, mask])

    def least(self, x: Any, y: Any) -> Any:
        return self.builder.select(self.builder.icmp_signed("<", x, y), x, y)


def _pack_function(module: Any, of: Any, lanes: int, turned: int) -> Any:
    """The function that copies a stretch of `count` vectors: ``room[p*line + q] = x[...]``.

    It takes x, its stride, how many entries of a vector there are, count, room, line. If turned, x
    has the entries of a vector `stride` apart, else those of two vectors. It may write up to a
    vector's lanes of vectors more.
    """
    name = f"tensorcalc_pack_{of}_{turned}"
    if name in module.globals:
        return module.globals[name]
    own = _Vectors(module, of, lanes, name, "pnnnpn")
    x, stride, width, count, room, line = own.function.args
    builder, size = own.builder, own.size
    mask = own.mask(width)
    last = builder.sub(width, size(1))
    entry = builder.block
    loop, done = map(own.function.append_basic_block, ("loop", "done"))
    builder.branch(loop)
    builder.position_at_end(loop)
    p = builder.phi(size)
    if turned:
        inside = own.mask(builder.sub(count, p))
        rows = [
            own.load(
                builder.gep(x, [builder.add(builder.mul(own.least(size(r), last), stride), p)]),
                inside,
            )
            for r in range(lanes)
        ]
        step = 1
        while step < lanes:  # blocks beside the diagonal change places
            for r in range(lanes):
                if not r & step:
                    low = [q if not q & step else lanes + q - step for q in range(lanes)]
                    up = [q + step if not q & step else lanes + q for q in range(lanes)]
                    kind = ir.VectorType(ir.IntType(32), lanes)
                    rows[r], rows[r + step] = (
                        builder.shuffle_vector(rows[r], rows[r + step], ir.Constant(kind, order))
                        for order in (low, up)
                    )
            step *= 2
        for r in range(lanes):
            own.store(rows[r], builder.gep(room, [builder.mul(builder.add(p, size(r)), line)]))
    else:
        value = own.load(builder.gep(x, [builder.mul(p, stride)]), mask)
        own.store(value, builder.gep(room, [builder.mul(p, line)]))
    following = builder.add(p, size(lanes if turned else 1))
    p.add_incoming(size(0), entry)
    p.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
    builder.position_at_end(done)
    builder.ret_void()
    return own.function


@hint
def _tile(typingctx, arguments):
    """One tile: its vectors, whether half of the rows do, and what `_function` takes."""
    number = arguments[4].dtype

    def codegen(context, builder, signature, args):
        lanes, rows = _shape(context, number)
        if not lanes:
            return context.get_dummy_value()
        items = cgutils.unpack_tuple(builder, args[0])
        wide, half, *given = _lowered(context, builder, signature.args[0], items)
        end = builder.append_basic_block("tiled")
        choice = builder.add(builder.shl(wide, wide.type(1)), half)
        unknown = builder.append_basic_block("unknown")
        switch = builder.switch(choice, unknown)
        for number_of in range(1, WIDE + 1):
            for halved in (0, 1):
                function = _function(builder.module, number, lanes, rows >> halved, number_of)
                block = builder.append_basic_block(f"tile{number_of}{halved}")
                switch.add_case(wide.type(2 * number_of + halved), block)
                builder.position_at_end(block)
                builder.call(function, given)
                builder.branch(end)
        builder.position_at_end(unknown)
        builder.unreachable()
        builder.position_at_end(end)
        return context.get_dummy_value()

    return types.void(arguments), codegen


def _function(module: Any, of: Any, lanes: int, rows: int, wide: int) -> Any:
    """The function of a tile in its module.

    It takes the number of rows and of terms, a (address, row stride, column stride), b (address,
    row stride), how many columns of the last vector there are, c (address, row stride), and whether
    to add to c. Rows beyond the last are computed as the last again, columns are masked.
    """
    name = f"tensorcalc_tile_{of}_{rows}x{wide}"
    if name in module.globals:
        return module.globals[name]
    own = _Vectors(module, of, lanes, name, "nnpnnpnnpnn")
    given, k, a, ars, acs, b, brs, left, c, crs, adds = own.function.args
    function, builder, size, pointer = own.function, own.builder, own.size, own.pointer
    zero, one, half = size(0), size(1), ir.IntType(32)
    mask = own.mask(left)

    def row_at(start: Any) -> list[Any]:
        """The vectors from an address on."""
        places = [builder.gep(start, [size(v * lanes)]) for v in range(wide)]
        return [*map(own.load, places[:-1]), own.load(places[-1], mask)]

    last = builder.sub(given, one)
    sources, targets = [], []
    for r in range(rows):
        row = own.least(size(r), last)
        sources.append(builder.gep(a, [builder.mul(row, ars)]))
        targets.append(builder.gep(c, [builder.mul(row, crs)]))
    for r in range(rows):
        for v in range(wide):  # the result is wanted at the end only
            where = builder.gep(targets[r], [size(v * lanes)])
            where = builder.bitcast(where, ir.IntType(8).as_pointer())
            builder.call(own.prefetch, [where, half(1), half(3), half(1)])
    entry = builder.block
    loop, done, adding, storing = map(function.append_basic_block, ("loop", "done", "add", "store"))
    builder.branch(loop)
    builder.position_at_end(loop)
    step, column, line = builder.phi(size), builder.phi(size), builder.phi(pointer)
    sums = [[builder.phi(own.vector) for _ in range(wide)] for _ in range(rows)]
    right = row_at(line)
    found = []
    for r in range(rows):
        factor = own.spread(builder.load(builder.gep(sources[r], [column])))
        found.append([builder.call(own.fma, [factor, right[v], sums[r][v]]) for v in range(wide)])
    further = builder.add(step, one)
    for phi, first, later in (
        (step, zero, further),
        (column, zero, builder.add(column, acs)),
        (line, b, builder.gep(line, [brs])),
        *[(sums[r][v], own.none, found[r][v]) for r in range(rows) for v in range(wide)],
    ):
        phi.add_incoming(first, entry)
        phi.add_incoming(later, loop)
    builder.cbranch(builder.icmp_signed("<", further, k), loop, done)
    builder.position_at_end(done)
    builder.cbranch(builder.icmp_signed("!=", adds, zero), adding, storing)
    builder.position_at_end(adding)
    added = []
    for r in range(rows):  # before any is stored: the last row may be there several times
        old = row_at(targets[r])
        added.append([builder.fadd(old[v], found[r][v]) for v in range(wide)])
    builder.branch(storing)
    builder.position_at_end(storing)
    results = [[builder.phi(own.vector) for _ in range(wide)] for _ in range(rows)]
    for r in range(rows):
        for v in range(wide):
            results[r][v].add_incoming(found[r][v], done)
            results[r][v].add_incoming(added[r][v], adding)
    for r in range(rows):
        for v in range(wide):
            where = builder.gep(targets[r], [size(v * lanes)])
            own.store(results[r][v], where, mask if v == wide - 1 else None)
    builder.ret_void()
    return function


@subroutine(types.boolean, addresses=True)
def is_tiled(a, m, n, k, turned):
    """Whether tiles are faster than BLAS for a product of these sizes, as measured.

    `turned` tells whether the columns of the right operand are what lies together in memory.
    """
    compact()
    work, tall = m * n * k, high(a)
    if tall == 0 or m < 5 or n < 8 or k < 1:
        return False
    if tall < TALL:
        return work <= NARROW
    if work < LEAST and not turned:
        return False
    return work <= MOST or n <= SHORT or m * n <= SHORT * 1024


@subroutine(types.void, addresses=True)
def tiled(m, n, k, a, oa, ars, acs, b, ob, brs, bcs, adds, c, oc, crs):
    """``c = a*b``, or added to c, for a (m, k), b (k, n) and c (m, n) by rows; none is empty.

    One of the strides of a is 1, and one of b.
    """
    compact()
    lane, tall = lanes(a), high(a)
    room, block = _panel(a), _block(a)
    panels = (n + WIDE * lane - 1) // (WIDE * lane)
    width = ((n + panels - 1) // panels + lane - 1) // lane * lane
    turned = bcs != 1
    packed = turned or m >= REUSED
    stride = bcs if turned else brs
    blocked = packed and acs != 1 and panels > 1 and m * k >= NEAR
    height = BLOCK if blocked else ROWS
    for low in range(0, k, DEPTH):
        depth = min(DEPTH, k - low)
        add = adds or low > 0
        for start in range(0, m, height):
            stop = min(m, start + height)
            if blocked:
                for i in range(start, stop, tall):
                    rows, x = min(tall, stop - i), oa + i * ars + low * acs
                    _pack((False, a, x, acs, rows, depth, block, (i - start) * DEPTH, tall))
            for j in range(0, n, width):
                columns = min(width, n - j)
                wide = (columns + lane - 1) // lane
                left = columns - (wide - 1) * lane
                y = ob + low * brs + j * bcs
                if packed:
                    for v in range(0, columns, lane):
                        count = min(lane, columns - v)
                        _pack((turned, b, y + v * bcs, stride, count, depth, room, v, wide * lane))
                for i in range(start, stop, tall):
                    rows = min(tall, stop - i)
                    x, z = oa + i * ars + low * acs, oc + i * crs + j
                    of = (wide, 2 * rows <= tall, rows, depth)
                    if blocked:
                        x = (i - start) * DEPTH
                        _tile((*of, block, x, 1, tall, room, 0, wide * lane, left, c, z, crs, add))
                    elif packed:
                        _tile((*of, a, x, ars, acs, room, 0, wide * lane, left, c, z, crs, add))
                    else:
                        _tile((*of, a, x, ars, acs, b, y, brs, left, c, z, crs, add))
