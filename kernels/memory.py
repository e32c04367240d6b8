"""Arrays that kernels make for themselves, by code that compiles faster than NumPy's in Numba."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.npydecl import parse_dtype
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

ALIGNMENT = 64  # bytes: a line of the cache
TOO_LARGE = 1 << 62  # bytes that no machine has


def _fresh(cleared: bool) -> Any:
    """An intrinsic: a C-contiguous array of a shape (a tuple) and type, all 0 if `cleared`."""

    def typing(typingctx, shape, dtype):
        number = parse_dtype(dtype)
        made = types.Array(number, len(shape), "C")

        def codegen(context, builder, signature, args):
            given = zip(cgutils.unpack_tuple(builder, args[0]), signature.args[0], strict=True)
            extents = [context.cast(builder, value, kind, types.intp) for value, kind in given]
            itemsize = context.get_abi_sizeof(context.get_data_type(number))
            size = context.get_constant(types.intp, itemsize)
            overflow = ir.Constant(ir.IntType(1), 0)
            strides: list[Any] = []
            for extent in reversed(extents):
                strides.insert(0, size)
                product = builder.smul_with_overflow(size, extent)
                size = builder.extract_value(product, 0)
                overflow = builder.or_(overflow, builder.extract_value(product, 1))
            asked = builder.select(overflow, ir.Constant(size.type, TOO_LARGE), size)
            info = context.nrt.meminfo_alloc_aligned(builder, asked, ALIGNMENT)
            data = context.nrt.meminfo_data(builder, info)
            if cleared:
                cgutils.memset(builder, data, size, 0)
            array = context.make_array(made)(context, builder)
            populate_array(
                array,
                data=builder.bitcast(data, context.get_data_type(number).as_pointer()),
                shape=cgutils.pack_array(builder, extents),
                strides=cgutils.pack_array(builder, strides),
                itemsize=context.get_constant(types.intp, itemsize),
                meminfo=info,
            )
            return array._getvalue()

        return made(shape, dtype), codegen

    return intrinsic(typing)


empty = _fresh(False)
zeros = _fresh(True)


@intrinsic
def reshaped(typingctx, array, shape):
    """The C-contiguous array under another shape of as many entries; shares its memory."""
    made = array.copy(ndim=len(shape))

    def codegen(context, builder, signature, args):
        given = zip(cgutils.unpack_tuple(builder, args[1]), signature.args[1], strict=True)
        extents = [context.cast(builder, value, kind, types.intp) for value, kind in given]
        old = context.make_array(array)(context, builder, args[0])
        strides: list[Any] = []
        stride = old.itemsize
        for extent in reversed(extents):
            strides.insert(0, stride)
            stride = builder.mul(stride, extent)
        new = context.make_array(made)(context, builder)
        populate_array(
            new,
            data=old.data,
            shape=cgutils.pack_array(builder, extents),
            strides=cgutils.pack_array(builder, strides),
            itemsize=old.itemsize,
            meminfo=old.meminfo,
            parent=old.parent,
        )
        return impl_ret_borrowed(context, builder, made, new._getvalue())

    return made(array, shape), codegen
