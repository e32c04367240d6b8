"""A formula in, a function of PyTorch tensors out, with derivatives of every order.

The kernels are ours, and so are the derivatives: `torch.autograd.Function` is told what a
vector times the Jacobian is (and the Jacobian times a vector, for forward mode), and that is such a
function again. CPU tensors and NumPy arrays share their memory, nothing is copied in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
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
    """What `function` makes: call it with tensors."""

    library_name = "torch"

    def _run(self, program: Program, values: Mapping[str, Any]) -> Sequence[Any]:
        tensors = _tensors(values, program.variables)
        return _autograd().apply(program, 0, *tensors)  # type: ignore[no-any-return]


def function(formula: Formula | Mapping[str, Formula], *names: str) -> Function:
    """A differentiable function of PyTorch tensors that runs compiled kernels.

    Parameters
    ----------
    formula
        An expression or program text of any rank, or a mapping from names to several, which share
        their work; then a call gives a dict.
    *names
        Variables in the order of positional arguments. All others follow as they appear; every
        variable may be passed by keyword.

    Returns
    -------
    Function
        Its arguments are tensors of shape as declared, float32 or float64, contiguous or not, in
        the CPU's memory; numbers and NumPy arrays are constants. If all are float32 so is the
        result, else it is float64. Derivatives of every order, by `backward`, `torch.autograd` and
        `torch.func` (`grad`, `jvp`, `vmap`, `hessian`).

    Raises
    ------
    TensorcalcError
        PyTorch is not installed.
    DomainError
        A tensor of integers, of complex numbers, or on another device; a complex formula.

    Examples
    --------
    >>> from tensorcalc.interop.torch import function
    >>> f = function("sum(log(1 + exp(-y.*(X*w))))", "w")  # doctest: +SKIP
    >>> f(w, X=X, y=y).backward()  # doctest: +SKIP
    """
    return Function(formula, names)


def _tensors(values: Mapping[str, Any], variables: Mapping[str, Variable]) -> list[Any]:
    """The values as tensors of one float type."""
    torch = library("torch", "torch")
    tensors: dict[str, Any] = {}
    types = set()
    for name, value in values.items():
        if isinstance(value, torch.Tensor):
            _check(name, value, variables[name])
            tensors[name] = value
        else:
            tensors[name] = torch.from_numpy(float_array(name, value, variables[name]))
        is_weak = not tensors[name].is_floating_point() or isinstance(value, int | float)
        types |= set() if is_weak else {tensors[name].dtype}
    target = torch.float32 if types == {torch.float32} else torch.float64
    return [tensor.to(target) for tensor in tensors.values()]


def _check(name: str, tensor: Any, variable: Variable) -> None:
    torch = library("torch", "torch")
    if tensor.device.type != "cpu":
        raise DomainError(
            f"{quote(name)} is on another device ({tensor.device})", hint="move it to the CPU first"
        )
    if tensor.layout != torch.strided:
        raise DomainError(f"{quote(name)} is {tensor.layout}", hint="use value.to_dense()")
    if tensor.dtype not in (torch.float32, torch.float64):
        found = str(tensor.dtype).removeprefix("torch.")
        if tensor.is_floating_point() or tensor.is_complex():
            hint = "use value.real" if tensor.is_complex() else "use value.double()"
            raise DomainError(f"{quote(name)} is of type {found}", hint=hint)
        refuse_type(name, found, variable)


@cache
def _autograd() -> Any:
    """The `torch.autograd.Function` of all programs."""
    torch = library("torch", "torch")

    class Compiled(torch.autograd.Function):  # type: ignore[misc, name-defined]
        """A program repeated over the first `depth` axes of its inputs."""

        @staticmethod
        def forward(program: Program, depth: int, *inputs: Any) -> tuple[Any, ...]:
            found = program.run([tensor.numpy(force=True) for tensor in inputs], depth)
            return tuple([torch.from_numpy(array) for array in found])

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
            ctx.program, ctx.depth, *tensors = inputs
            ctx.batch = tuple(output[0].shape[: ctx.depth])
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(*tensors)
            ctx.save_for_forward(*tensors)

        @staticmethod
        def backward(ctx: Any, *cotangents: Any) -> tuple[Any, ...]:
            program, tensors = ctx.program, ctx.saved_tensors
            places = [k for k in range(len(tensors)) if ctx.needs_input_grad[k + 2]]
            pairs = zip(program.outputs, cotangents, strict=True)
            given = {name: cotangent for name, cotangent in pairs if cotangent is not None}
            gradients: list[Any] = [None] * len(tensors)
            if places and given:
                names = list(program.variables)
                derived = program.vjp(list(given), [names[k] for k in places])
                found = Compiled.apply(derived, ctx.depth, *tensors, *given.values())
                for k, gradient in zip(places, found, strict=True):
                    axes = tuple(spread_axes(ctx.batch, tensors[k].shape))
                    gradients[k] = gradient.sum(axes, keepdim=True) if axes else gradient
            return None, None, *gradients

        @staticmethod
        def jvp(ctx: Any, program: None, depth: None, *tangents: Any) -> Any:
            pairs = zip(ctx.program.variables, tangents, strict=True)
            given = {name: tangent for name, tangent in pairs if tangent is not None}
            derived = ctx.program.jvp(list(given))
            return Compiled.apply(derived, ctx.depth, *ctx.saved_tensors, *given.values())

        @staticmethod
        def vmap(
            info: Any, in_dims: tuple[Any, ...], program: Program, depth: int, *inputs: Any
        ) -> tuple[Any, Any]:
            moved = [
                tensor.unsqueeze(0) if axis is None else tensor.movedim(axis, 0)
                for tensor, axis in zip(inputs, in_dims[2:], strict=True)
            ]
            found = Compiled.apply(program, depth + 1, *moved)
            return found, (0,) * len(found)

    return Compiled
