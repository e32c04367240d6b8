"""Formulas in, a function of arrays out whose derivatives are further such functions.

What `torch.py` and `jax.py` hand to the libraries' own differentiation. The derivatives are
symbolic: forward (`Program.jvp`) and reverse (`Program.vjp`) are programs again, so every order
and every mix of the two is there. Nothing is derived or compiled before it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tensorcalc import canonical, differentiate as calculus
from tensorcalc.api import parse
from tensorcalc.binding import FLOATS, Array, as_array, bind_sizes, check_names
from tensorcalc.errors import DomainError, TensorcalcError, quote
from tensorcalc.expression import Expr
from tensorcalc.interop.libraries import library
from tensorcalc.ir import Node, Variable
from tensorcalc.lazy import Lazy
from tensorcalc.properties import use_properties
from tensorcalc.simplify import simplify
from tensorcalc.traverse import variables as variables_of
from tensorcalc.variables import join, known_variable

if TYPE_CHECKING:
    from tensorcalc.kernel import Kernel

Formula = Expr | str
Shape = tuple[int, ...]


class Program:
    """Outputs as functions of `variables`, in order; derivatives are made once."""

    def __init__(self, outputs: Mapping[str, Node], variables: Mapping[str, Variable]) -> None:
        self.outputs = dict(outputs)
        self.variables = dict(variables)
        self._derived: dict[tuple[object, ...], Program] = {}

    @Lazy
    def kernel(self) -> Kernel:
        """What computes all outputs."""
        from tensorcalc.kernel import compile_nodes

        nodes = use_properties(list(self.outputs.values()))
        return compile_nodes(dict(zip(self.outputs, nodes, strict=True)), self.variables, False)

    def shapes(self, arguments: Sequence[Shape]) -> list[Shape]:
        """The shapes of the outputs for those of the arguments."""
        dummies = [np.broadcast_to(0.0, shape) for shape in arguments]
        sizes = bind_sizes(self.variables, dict(zip(self.variables, dummies, strict=True)))
        return [tuple([d.value(sizes) for d in node.dims]) for node in self.outputs.values()]

    def run(self, arrays: Sequence[Array], depth: int = 0) -> list[Array]:
        """The outputs; new arrays.

        All arrays have `depth` more axes in front, which broadcast: the program is repeated over
        them, and the outputs have them, too.
        """
        if not depth:
            return [np.asarray(found) for found in self.kernel(*arrays).values()]
        batch = np.broadcast_shapes(*[array.shape[:depth] for array in arrays])
        shapes = self.shapes([array.shape[depth:] for array in arrays])
        dtype = np.result_type(*arrays)
        results = [np.empty((*batch, *shape), dtype) for shape in shapes]
        spread = [np.broadcast_to(array, (*batch, *array.shape[depth:])) for array in arrays]
        for place in np.ndindex(batch):
            found = self.kernel(*[array[place] for array in spread])
            for result, value in zip(results, found.values(), strict=True):
                result[place] = value
        return results

    def jvp(self, wanted: Sequence[str]) -> Program:
        """The tangents of all outputs; the tangents of `wanted` are further variables."""
        return self._once(("jvp", *wanted), lambda: self._jvp(wanted))

    def _jvp(self, wanted: Sequence[str]) -> Program:
        everything = dict(self.variables)
        tangents: dict[Variable, Node] = {}
        for name in wanted:
            variable = self.variables[name]
            tangent = Variable.of(_new(f"tangent of {name}", everything), variable.dims)
            everything[tangent.name] = tangents[variable] = tangent
        nodes = simplify([calculus.jvp(node, tangents) for node in self.outputs.values()])
        return Program(dict(zip(self.outputs, nodes, strict=True)), everything)

    def vjp(
        self, given: Sequence[str], wanted: Sequence[str], *, transposed: bool = False
    ) -> Program:
        """What cotangents of the outputs `given` pull back to at the variables `wanted`.

        The cotangents are further variables. With `transposed` the program is linear in `wanted`,
        and they are no variables any more.
        """
        key = ("vjp", transposed, len(given), *given, *wanted)
        return self._once(key, lambda: self._vjp(given, wanted, transposed))

    def _vjp(self, given: Sequence[str], wanted: Sequence[str], transposed: bool) -> Program:
        everything = dict(self.variables)
        terms = []
        for name in given:
            node = self.outputs[name]
            seed = Variable.of(_new(f"cotangent of {name}", everything), node.dims)
            everything[seed.name] = seed
            axes = tuple(range(node.rank))
            terms.append(
                (Fraction(1), canonical.einsum(0, node.dims, [(seed, axes), (node, axes)]))
            )
        variables = [self.variables[name] for name in wanted]
        pulled = calculus.vjp(canonical.add((), terms), canonical.number(1), variables)
        nodes = simplify([pulled[variable] for variable in variables])
        if transposed:
            left = [name for name in wanted if name in variables_of(*nodes)]
            if left:
                raise DomainError(f"the formula is not linear in {quote(left[0])}")
            everything = {name: v for name, v in everything.items() if name not in wanted}
        return Program(dict(zip(wanted, nodes, strict=True)), everything)

    def _once(self, key: tuple[object, ...], make: Callable[[], Program]) -> Program:
        if key not in self._derived:
            self._derived[key] = make()
        return self._derived[key]


def _new(name: str, taken: Mapping[str, Variable]) -> str:
    while name in taken:
        name += "'"
    return name


class Signature:
    """How a function of formulas is called: by position in an order of names, or by name."""

    def __init__(
        self, formula: Formula | Mapping[str, Formula], names: Sequence[str], caller: str
    ) -> None:
        self.single = not isinstance(formula, Mapping)
        given = {"value": formula} if not isinstance(formula, Mapping) else formula
        expressions = [_expression(item) for item in given.values()]
        nodes, variables = join(expressions)
        self.outputs = dict(zip(given, nodes, strict=True))
        first = [known_variable(name, variables).name for name in names]
        if len(set(first)) < len(first):
            raise TensorcalcError("a variable is named twice")
        self.variables = {
            n: variables[n] for n in [*first, *[n for n in variables if n not in first]]
        }
        self.needed = [n for n in self.variables if n in variables_of(*nodes)]
        for node in [*nodes, *self.variables.values()]:
            if node.is_complex:
                raise DomainError(f"{caller} has no formulas of complex numbers")
        self._programs: dict[tuple[str, ...], Program] = {}

    def bind(
        self, arguments: Sequence[Any], keywords: Mapping[str, Any]
    ) -> tuple[Program, dict[str, Any]]:
        """The program for these arguments, and the value of each of its variables, in order."""
        if len(arguments) > len(self.variables):
            raise TensorcalcError(
                f"{len(arguments)} values given, but there are {len(self.variables)} variables",
                hint=f"the variables are: {', '.join(self.variables)}",
            )
        values = dict(zip(self.variables, arguments, strict=False))
        for name in keywords:
            if name in values:
                raise TensorcalcError(f"{name} is given twice, by position and by name")
        values.update(keywords)
        check_names(self.variables, values, self.needed)
        given = tuple([name for name in self.variables if name in values])
        if given not in self._programs:
            self._programs[given] = Program(self.outputs, {n: self.variables[n] for n in given})
        return self._programs[given], {name: values[name] for name in given}

    def result(self, found: Sequence[Any]) -> Any:
        """The outputs as the formula was given: one alone, or a dict."""
        return found[0] if self.single else dict(zip(self.outputs, found, strict=True))


class ArrayFunction:
    """What `function` of a library makes: call it with arrays of that library."""

    library_name: ClassVar[str]

    def __init__(self, formula: Formula | Mapping[str, Formula], names: Sequence[str]) -> None:
        library(self.library_name, self.library_name)
        self._signature = Signature(formula, names, f"tensorcalc.interop.{self.library_name}")

    @property
    def variables(self) -> dict[str, Variable]:
        """What it takes, in the order of positional arguments."""
        return dict(self._signature.variables)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The value as an array of the library, or the dict of values."""
        program, values = self._signature.bind(arguments, keywords)
        return self._signature.result(self._run(program, values))

    def _run(self, program: Program, values: Mapping[str, Any]) -> Sequence[Any]:
        """The outputs of the program, as arrays of the library."""
        raise NotImplementedError

    def __repr__(self) -> str:
        outputs, names = self._signature.outputs, self._signature.variables
        return f"<{self.library_name} function of {', '.join(outputs)}({', '.join(names)})>"


def _expression(formula: Formula) -> Expr:
    if isinstance(formula, Expr):
        return formula
    if isinstance(formula, str):
        return parse(formula)
    raise DomainError(f"{type(formula).__name__} is neither an expression nor a program text")


def spread_axes(batch: Shape, shape: Shape) -> Iterator[int]:
    """The leading axes along which an array of `shape` was repeated to make `batch`."""
    return (k for k, size in enumerate(batch) if size != 1 and shape[k] == 1)


def float_array(name: str, value: Any, variable: Variable) -> Array:
    """A value that is no array of the library's own, as one of float32 or float64."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biu":
        refuse_type(name, str(value.dtype), variable)
    return as_array(name, value)


def refuse_type(name: str, found: str, variable: Variable) -> None:
    """An error for a type that has no derivatives, unless the variable is an integer."""
    if "integer" not in variable.properties:
        raise DomainError(
            f"{quote(name)} is of type {found}",
            hint=f"{' and '.join(str(dtype) for dtype in FLOATS)} have derivatives: convert it",
        )
