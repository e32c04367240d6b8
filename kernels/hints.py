"""What LLVM cannot find out by itself, said in a kernel; none of it computes anything."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def hint(typing: Any) -> Any:
    """An intrinsic, which type checkers cannot follow."""
    return intrinsic(typing)


@hint
def wide(typingctx):
    """Lets the function's loops use the widest vectors that the processor has.

    LLVM keeps to half of them by itself, for processors of 2017 that then ran slower.
    """

    def codegen(context, builder, signature, args):
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), codegen


@hint
def natural(typingctx, x):
    """An integer that is not negative: an index from it on needs no test for counting backwards."""

    def codegen(context, builder, signature, args):
        builder.assume(builder.icmp_signed(">=", args[0], ir.Constant(args[0].type, 0)))
        return args[0]

    return x(x), codegen


@hint
def known(typingctx, x, value):
    """Tells that an integer has this value, as the size of an axis that loops were made for."""

    def codegen(context, builder, signature, args):
        builder.assume(builder.icmp_signed("==", args[0], args[1]))
        return context.get_dummy_value()

    return types.void(x, value), codegen
