"""A formula in, a function of JAX arrays out, under every transformation of JAX.

The function is one JAX primitive whose parameter is a `Program`: `jax.pure_callback` runs the
kernel, the rule of `jvp` binds the program of our tangents, the rule of transposition that of our
cotangents. A `custom_jvp` around a callback could not be transposed, so it would have no reverse
mode, and a `custom_vjp` has no forward mode; with both rules `grad`, `jvp`, `hessian` and all their
compositions come out, none of which forms a Jacobian.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

from tensorcalc.errors import DomainError, quote
from tensorcalc.interop.libraries import library
from tensorcalc.interop.program import (
    ArrayFunction,
    Formula,
    Program,
    float_array,
    refuse_type,
    spread_axes,
)
from tensorcalc.ir import Variable


class Function(ArrayFunction):
    """What `function` makes: call it with arrays."""

    library_name = "jax"

    def _run(self, program: Program, values: Mapping[str, Any]) -> Sequence[Any]:
        arrays = _arrays(values, program.variables)
        return _primitive().bind(*arrays, program=program, depth=0)  # type: ignore[no-any-return]


def function(formula: Formula | Mapping[str, Formula], *names: str) -> Function:
    """A function of JAX arrays that runs compiled kernels and may be transformed.

    Parameters
    ----------
    formula
        An expression or program text of any rank, or a mapping from names to several, which share
        their work; then a call gives a dict.
    *names
        Variables in the order of positional arguments, as `jax.grad` counts them. All others
        follow as they appear; every variable may be passed by keyword.

    Returns
    -------
    Function
        Its arguments are arrays of shape as declared, float32 or float64. If all are float32 so is
        the result. It may be used under `jit`, `grad`, `value_and_grad`, `jvp`, `vjp`, `jacfwd`,
        `jacrev`, `hessian`, `linearize` and `vmap`, composed and repeated at will. On another
        device than the CPU arrays are moved there and back.

    Raises
    ------
    TensorcalcError
        JAX is not installed.
    DomainError
        An array of integers or of complex numbers; a complex formula.

    Examples
    --------
    >>> from tensorcalc.interop.jax import function
    >>> f = function("sum(log(1 + exp(-y.*(X*w))))", "w")  # doctest: +SKIP
    >>> jax.hessian(f)(w, X=X, y=y)  # doctest: +SKIP
    """
    return Function(formula, names)


def _arrays(values: Mapping[str, Any], variables: Mapping[str, Variable]) -> list[Any]:
    """The values as JAX arrays of one float type."""
    jax = library("jax", "jax")
    jnp = jax.numpy
    arrays: dict[str, Any] = {}
    types = set()
    for name, value in values.items():
        if isinstance(value, jax.Array):
            _check(name, value, variables[name])
            arrays[name] = value
        else:
            arrays[name] = jnp.asarray(float_array(name, value, variables[name]))
        dtype = arrays[name].dtype
        if jnp.issubdtype(dtype, jnp.floating) and not isinstance(value, int | float):
            types.add(dtype)
    target = (
        jnp.float32 if types == {jnp.dtype(jnp.float32)} else jax.dtypes.canonicalize_dtype(float)
    )
    return [a if a.dtype == target else a.astype(target) for a in arrays.values()]


def _check(name: str, array: Any, variable: Variable) -> None:
    found = str(array.dtype)
    if found in ("float32", "float64"):
        return
    if found.startswith(("int", "uint", "bool")):
        refuse_type(name, found, variable)
    else:
        is_complex = found.startswith("complex")
        hint = "use value.real" if is_complex else "use value.astype(jax.numpy.float32)"
        raise DomainError(f"{quote(name)} is of type {found}", hint=hint)


@cache
def _primitive() -> Any:
    """The primitive of all programs: a program repeated over the first `depth` axes."""
    jax = library("jax", "jax")
    core = library("jax.extend.core", "jax")
    ad = library("jax.interpreters.ad", "jax")
    batching = library("jax.interpreters.batching", "jax")
    mlir = library("jax.interpreters.mlir", "jax")
    np = library("numpy", "jax")

    primitive = core.Primitive("tensorcalc")
    primitive.multiple_results = True

    def bind(program: Program, depth: int, *arrays: Any) -> list[Any]:
        found: list[Any] = primitive.bind(*arrays, program=program, depth=depth)
        return found

    def host(program: Program, depth: int, *arrays: Any) -> list[Any]:
        found = program.run([np.asarray(array) for array in arrays], depth)
        return [np.asarray(result, dtype(arrays)) for result in found]

    def dtype(arrays: Sequence[Any]) -> Any:
        return arrays[0].dtype if arrays else jax.dtypes.canonicalize_dtype(float)

    def results(program: Program, depth: int, arrays: Sequence[Any]) -> list[Any]:
        batch = np.broadcast_shapes(*[array.shape[:depth] for array in arrays])
        shapes = program.shapes([array.shape[depth:] for array in arrays])
        return [jax.ShapeDtypeStruct((*batch, *shape), dtype(arrays)) for shape in shapes]

    def evaluate(*arrays: Any, program: Program, depth: int) -> list[Any]:
        return [jax.numpy.asarray(found) for found in host(program, depth, *arrays)]

    def shaped(*arrays: Any, program: Program, depth: int) -> list[Any]:
        found = results(program, depth, arrays)
        return [jax.core.ShapedArray(result.shape, result.dtype) for result in found]

    def called(*arrays: Any, program: Program, depth: int) -> Any:
        call = partial(host, program, depth)
        return jax.pure_callback(call, results(program, depth, arrays), *arrays)

    def jvp(primals: Any, tangents: Any, *, program: Program, depth: int) -> tuple[Any, Any]:
        pairs = zip(program.variables, tangents, strict=True)
        given = {name: tangent for name, tangent in pairs if type(tangent) is not ad.Zero}
        derived = program.jvp(list(given))
        found = bind(derived, depth, *primals, *given.values())
        return bind(program, depth, *primals), found

    def transpose(cotangents: Any, *arrays: Any, program: Program, depth: int) -> list[Any]:
        pairs = zip(program.outputs, cotangents, strict=True)
        given = {name: cotangent for name, cotangent in pairs if type(cotangent) is not ad.Zero}
        names = list(program.variables)
        places = [k for k, array in enumerate(arrays) if ad.is_undefined_primal(array)]
        derived = program.vjp(list(given), [names[k] for k in places], transposed=True)
        known = [array for k, array in enumerate(arrays) if k not in places]
        found = bind(derived, depth, *known, *given.values())
        pulled: list[Any] = [None] * len(arrays)
        for k, cotangent in zip(places, found, strict=True):
            axes = tuple(spread_axes(cotangent.shape[:depth], arrays[k].aval.shape))
            pulled[k] = cotangent.sum(axes, keepdims=True) if axes else cotangent
        return pulled

    def batch(arrays: Any, axes: Any, *, program: Program, depth: int) -> tuple[Any, Any]:
        moved = [
            jax.numpy.expand_dims(array, 0) if axis is None else jax.numpy.moveaxis(array, axis, 0)
            for array, axis in zip(arrays, axes, strict=True)
        ]
        found = bind(program, depth + 1, *moved)
        return found, [0] * len(found)

    def lowered(ctx: Any, *operands: Any, program: Program, depth: int) -> Any:
        # as `pure_callback` does, but it copies all arguments to its device first
        call = partial(host, program, depth)
        found, _, _ = mlir.emit_python_callback(
            ctx, call, None, operands, ctx.avals_in, ctx.avals_out, has_side_effect=False,
            returns_token=False,
        )  # fmt: skip
        return found

    primitive.def_impl(evaluate)
    primitive.def_abstract_eval(shaped)
    mlir.register_lowering(primitive, mlir.lower_fun(called, multiple_results=True))
    mlir.register_lowering(primitive, lowered, platform="cpu")
    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = transpose
    batching.primitive_batchers[primitive] = batch
    return primitive
