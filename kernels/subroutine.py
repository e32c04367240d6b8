"""Functions that kernels call, compiled for nothing but that."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.core.compiler import Flags
from numba.extending import intrinsic


def address(context: Any, builder: Any, given: Any, value: Any) -> Any:
    """Where an array starts, or a tuple of integers; an address is one already."""
    if isinstance(given, types.CPointer):
        return value
    if isinstance(given, types.BaseTuple):
        kinds: Any = given
        items = zip(cgutils.unpack_tuple(builder, value), kinds, strict=True)
        numbers = [context.cast(builder, item, kind, types.intp) for item, kind in items]
        place = cgutils.alloca_once_value(builder, cgutils.pack_array(builder, numbers))
        return builder.bitcast(place, numbers[0].type.as_pointer())
    return context.make_array(given)(context, builder, value).data


def subroutine(result: Any, *, addresses: bool = False, inlined: bool = False) -> Any:
    """A decorator: a function of numbers and arrays that kernels call; `result` is its type.

    A tuple of integers is given as the address of the first.

    Numba's `njit` would compile it for callers from Python, too, and once more for every constant
    argument, which takes twice the time. With `addresses` the function is given the addresses of
    arrays, so that it is compiled once for arrays of every rank. It must not write to an array
    that is read-only, which is not checked. If `inlined`, LLVM puts it into its caller's loops.
    """

    def passed(given):
        if isinstance(given, types.Integer):
            return types.intp
        if isinstance(given, types.BaseTuple):
            return types.CPointer(types.intp)
        if isinstance(given, types.Array):
            return types.CPointer(given.dtype) if addresses else given.copy(readonly=False)
        return given

    def decorate(function):
        def typing(typingctx, *arguments):
            inner = result(*[passed(given) for given in arguments])

            def codegen(context, builder, signature, args):
                flags: Any = Flags()
                flags.nrt = True
                flags.error_model = "numpy"
                flags.forceinline = inlined
                made = context.compile_subroutine(builder, function, inner, flags=flags)
                values = [
                    address(context, builder, given, value)
                    if isinstance(taken, types.CPointer)
                    else context.cast(builder, value, given, taken)
                    for given, taken, value in zip(
                        arguments, inner.args, cgutils.unpack_tuple(builder, args[0]), strict=True
                    )
                ]
                return context.call_internal(builder, made.fndesc, inner, values)

            return result(types.StarArgTuple(arguments)), codegen

        return intrinsic(typing)

    return decorate


def _compact(typingctx):
    """Tell LLVM not to inline the function that this stands in, nor to unroll its loops.

    That halves the time to compile a long function.
    """

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        builder.function.attributes.add("optsize")
        return context.get_dummy_value()

    return types.void(), codegen


compact: Any = intrinsic(_compact)
