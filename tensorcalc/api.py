"""The public functions: parse, derivatives, kernels. Thin: each calls the passes in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, overload

from tensorcalc import differentiate as calculus
from tensorcalc.canonical import number
from tensorcalc.declarations import check_name
from tensorcalc.differential import Differential, differential as _differential
from tensorcalc.errors import (
    DomainError,
    LimitError,
    ParseError,
    ShapeError,
    UnknownNameError,
    quote,
)
from tensorcalc.expression import Expr
from tensorcalc.hessian import Hessian
from tensorcalc.ir import Node, Variable
from tensorcalc.limits import current as limits
from tensorcalc.parse import parse as parse_program
from tensorcalc.places import placed
from tensorcalc.properties import use_properties
from tensorcalc.scope import DECLARATIONS
from tensorcalc.simplify import Opening, simplify
from tensorcalc.steps import MAX_STEPS, Derivation, derive
from tensorcalc.structured import by_free_parameters
from tensorcalc.syntax import Syntax
from tensorcalc.variables import join, known_variable

if TYPE_CHECKING:
    from tensorcalc.kernel import Kernel
    from tensorcalc.operators.operator import Operator

Formula = Expr | str
NameList = list[str] | tuple[str, ...]
Names = str | NameList


def parse(text: str, **declarations: str) -> Expr:
    """The expression that a program text says.

    Parameters
    ----------
    text
        A program in the language: matrix notation, index notation, einsum strings.
    **declarations
        Declarations by name, such as ``A="symmetric(n)"``.

    Raises
    ------
    TensorcalcError
        With line, column and caret, if the text is not a program or its shapes do not fit.

    >>> print(parse("x'*A*x", A="symmetric(n)"))
    x'*A*x
    """
    program = parse_program(text)
    declared: list[Syntax] = []
    for name, declaration in declarations.items():
        statements = parse_program(f"{check_name(name)} : {declaration}").children
        if len(statements) != 1 or statements[0].kind not in DECLARATIONS:
            raise ParseError(f"{quote(declaration)!r} is not one declaration")
        declared += statements
    if declared:
        children = (*declared, *program.children)
        program = Syntax("program", program.words, children, program.span)
    return Expr(program)


def _expression(formula: Formula) -> Expr:
    if isinstance(formula, Expr):
        return formula
    if isinstance(formula, str):
        return parse(formula)
    raise DomainError(f"{type(formula).__name__} is neither an expression nor a program text")


def _variable(expression: Expr, name: str) -> Variable:
    return known_variable(name, expression.variables)


def _names(names: Names) -> list[str]:
    given: Any = names  # what is no text is refused where it is looked up
    several = isinstance(given, Iterable) and not isinstance(given, str)
    return list(given) if several else [given]


def diff(formula: Formula, *names: str, structured: bool = False) -> Expr:
    """The array of all partial derivatives, by one variable after the other.

    Its axes are those of the formula, then those of each variable. By a variable that is declared
    but does not occur the derivative is zero. A variable with a property is differentiated by its
    entries as if independent; with `structured` by its free parameters (`structured.py`).

    Raises
    ------
    UnknownNameError
        A name that is no variable of the formula.
    DomainError
        What has no derivative, as a complex conjugate by a complex variable.

    >>> print(diff("x'*A*x", "x"))
    (A + A')*x
    >>> print(diff("A : symmetric(n); logdet(A)", "A", structured=True))
    2*inv(A) - diag(diag(inv(A)))
    """
    expression = _expression(formula)
    if len(names) > limits().derivative_order:
        raise LimitError(f"the order of a derivative is at most {limits().derivative_order}")
    node, groups = expression.node, expression.groups
    for name in names:
        variable = _variable(expression, name)
        if node.rank + variable.rank > limits().rank:
            raise LimitError(f"the derivative has more than {limits().rank} axes (limit rank)")
        with placed(expression.syntax):
            derivative = calculus.differentiate(node, variable)
        if structured:
            derivative = by_free_parameters(derivative, variable)
        (node,) = simplify([derivative])
        groups = (*groups, variable.rank)
    return Expr.of(node, expression.variables, groups, source=expression.source)


def differential(formula: Formula, *names: Names, order: int = 1) -> Differential:
    """The differential: linear in ``dX`` for each variable X of `names`, with the formula's shape.

    This is the form of Wikipedia's last tables of matrix calculus. The result's `canonical` is the
    form from which the derivative is read off (Magnus and Neudecker): of a scalar ``tr(G'*dX)`` or
    ``g'*dx``, of a vector ``J*dx``, of a matrix ``vec(df) = J*vec(dX)``.

    Parameters
    ----------
    *names
        Names of variables, one, several, or lists of them.
    order
        How often the differential is taken; that of ``dX`` is zero.

    >>> print(differential("inv(X)", "X"))
    -inv(X)*dX*inv(X)
    >>> print(differential("x'*A*y", "x", "y"))
    dx'*A*y + x'*A*dy
    >>> print(differential("x'*A*x", "x").canonical)
    df = x'*(A + A')*dx
    >>> print(differential("A*X*B", "X").canonical)
    vec(df) = kron(B', A)*vec(dX)

    Raises
    ------
    UnknownNameError
        A name that is no variable of the formula, or no name at all.
    """
    expression = _expression(formula)
    wanted = [name for given in names for name in _names(given)]
    if not wanted:
        raise UnknownNameError(
            "no variable is named", None, 'write `differential(f, "X")`, one or several names'
        )
    if order < 1:
        raise DomainError(f"the order of a differential is at least 1, not {order}")
    return _differential(expression, [_variable(expression, name) for name in wanted], order)


def steps(
    formula: Formula,
    *names: Names,
    layout: str = "mixed",
    structured: bool = False,
    limit: int = MAX_STEPS,
) -> Derivation:
    """The derivation as a person would write it: numbered steps, each with the name of its rule.

    Parameters
    ----------
    *names
        The variables of `diff`, one derivative after the other; a list stands for several
        variables, each with a derivation of its own.
    limit
        How many steps of one differential are shown.

    >>> print(steps("logdet(X)", "X"))
    f = logdet(X)
    1. differential of logdet, d(logdet(X)) = tr(inv(X)*dX):
       df = tr(inv(X)*dX)
    canonical form, df = tr(G'*dX):
       df = tr(inv(X)*dX)
    derivative:
    df/dX = inv(X)'
    """
    expression = _expression(formula)
    if not any(names):
        raise UnknownNameError("no variable is named", None, 'write `steps(f, "X")`')
    given = [_names(name) for name in names]
    chains = [given[0]] if len(given) == 1 and len(given[0]) == 1 else list(product(*given))
    return derive(
        expression,
        [[_variable(expression, name) for name in chain] for chain in chains],
        layout=layout,
        structured=structured,
        limit=limit,
    )


@overload
def grad(formula: Formula, names: str) -> Expr: ...
@overload
def grad(formula: Formula, names: NameList) -> dict[str, Expr]: ...
def grad(formula: Formula, names: Names) -> Expr | dict[str, Expr]:
    """The gradient of a scalar: the derivative with the shape of the variable.

    With a list of names, a dict of gradients from one reverse pass.
    """
    expression = _scalar(formula)
    if isinstance(names, str):
        return diff(expression, names)
    variables = [_variable(expression, name) for name in names]
    with placed(expression.syntax):
        pulled = calculus.vjp(expression.node, number(1), variables)
    nodes = simplify([pulled[variable] for variable in variables])
    return {
        variable.name: Expr.of(
            node, expression.variables, (0, variable.rank), source=expression.source
        )
        for variable, node in zip(variables, nodes, strict=True)
    }


def _scalar(formula: Formula) -> Expr:
    expression = _expression(formula)
    if expression.node.rank:
        raise ShapeError(
            f"a gradient is that of a scalar; this has the shape {expression.shape}",
            None,
            "use jacobian or diff",
        )
    return expression


def jacobian(formula: Formula, name: str) -> Expr:
    """The derivative of a tensor by a tensor; axes (of the formula, of the variable)."""
    return diff(formula, name)


@overload
def hessian(formula: Formula, name: str, other: str | None = None, /) -> Hessian: ...
@overload
def hessian(
    formula: Formula, name: str, other: str | None = None, /, **data: Any
) -> Hessian | Operator: ...
def hessian(
    formula: Formula, name: str, other: str | None = None, /, **data: Any
) -> Hessian | Operator:
    """The second derivative of a scalar by one variable, or by two.

    It is an expression; called with arrays by name it gives a linear operator that keeps its
    structure (diagonal, blocks, Kronecker products, low rank), with ``.dense()``, ``@``,
    ``.solve(b)``, ``.diagonal()``, ``.trace()`` and ``.logdet()``. With `data` that operator is
    returned at once.

    >>> import numpy as np
    >>> H = hessian("sum(exp(x)) + a'*x", "x")
    >>> print(H)
    diag(exp(x))
    >>> H(x=np.zeros(3))
    <Operator (3,) x (3,): diagonal (3)>
    """
    second = diff(_scalar(formula), name, other or name)
    made = Hessian.of(second.node, second.variables, second.groups, source=second.source)
    return made(**data) if data else made


def _directions(
    expression: Expr, names: Names, directions: Names
) -> tuple[list[Variable], dict[Variable, Node], dict[str, Variable]]:
    variables = [_variable(expression, name) for name in _names(names)]
    given = _names(directions)
    if len(given) != len(variables):
        raise ShapeError(f"{len(variables)} variables, but {len(given)} directions")
    tangents: dict[Variable, Node] = {}
    everything = dict(expression.variables)
    for variable, name in zip(variables, given, strict=True):
        direction = everything.setdefault(check_name(name), Variable.of(name, variable.dims))
        if direction.dims != variable.dims:
            raise ShapeError(f"the direction {name} has not the shape of {variable.name}")
        tangents[variable] = direction
    return variables, tangents, everything


def jvp(formula: Formula, names: Names, directions: Names) -> Expr:
    """The derivative in given directions: the Jacobian times vectors, never formed.

    `directions` are names of new variables (or of ones that occur) of the same shapes.

    >>> print(jvp("A*x", "x", "v"))
    A*v
    """
    expression = _expression(formula)
    _, tangents, everything = _directions(expression, names, directions)
    with placed(expression.syntax):
        tangent = calculus.jvp(expression.node, tangents)
    (node,) = simplify([tangent])
    return Expr.of(node, everything, expression.groups, source=expression.source)


@overload
def vjp(formula: Formula, names: str, cotangent: str) -> Expr: ...
@overload
def vjp(formula: Formula, names: NameList, cotangent: str) -> dict[str, Expr]: ...
def vjp(formula: Formula, names: Names, cotangent: str) -> Expr | dict[str, Expr]:
    """A vector times the Jacobian, never formed: the gradient of ``<cotangent, formula>``.

    `cotangent` is the name of a variable of the formula's shape. With a list of names, a dict.

    >>> print(vjp("A*x", "x", "u"))
    A'*u
    """
    expression = _expression(formula)
    variables = [_variable(expression, name) for name in _names(names)]
    dims = expression.node.dims
    everything = dict(expression.variables)
    seed = everything.setdefault(check_name(cotangent), Variable.of(cotangent, dims))
    if seed.dims != dims:
        raise ShapeError(f"the cotangent {cotangent} has not the shape of the formula")
    with placed(expression.syntax):
        pulled = calculus.vjp(expression.node, seed, variables)
    nodes = simplify([pulled[variable] for variable in variables])
    results = {
        variable.name: Expr.of(node, everything, (0, variable.rank), source=expression.source)
        for variable, node in zip(variables, nodes, strict=True)
    }
    return results[names] if isinstance(names, str) else results


@overload
def hvp(formula: Formula, names: str, directions: str) -> Expr: ...
@overload
def hvp(formula: Formula, names: NameList, directions: NameList) -> dict[str, Expr]: ...
def hvp(formula: Formula, names: Names, directions: Names) -> Expr | dict[str, Expr]:
    """The Hessian of a scalar times directions, never formed; with lists, jointly, a dict.

    >>> print(hvp("x'*A*x", "x", "v"))
    (A + A')*v
    """
    expression = _scalar(formula)
    variables, tangents, everything = _directions(expression, names, directions)
    with placed(expression.syntax):
        pulled = calculus.vjp(expression.node, number(1), variables)
        gradients = simplify([pulled[v] for v in variables], Opening.ELEMENTWISE)
        products = [calculus.jvp(gradient, tangents) for gradient in gradients]
    source = expression.source
    results = {
        variable.name: Expr.of(node, everything, (0, variable.rank), source=source, is_normal=False)
        for variable, node in zip(variables, simplify(products, Opening.SINGLE), strict=True)
    }
    return results[names] if isinstance(names, str) else results


def to_code(formula: Formula, language: str = "numpy", wrt: Names = (), *, name: str = "f") -> str:
    """The text of a function in another language that computes a formula and its derivatives.

    It stands alone: imports, helpers, a comment with the formulas and the shapes, checks of the
    arguments. With derivatives it brings along ``check_derivatives``, which compares them with
    central differences at random arguments.

    Parameters
    ----------
    language
        ``numpy``, ``jax``, ``torch``, ``julia``, ``matlab`` (or ``octave``), ``c`` (C99 with
        BLAS), ``numba`` (a module of its own), or ``latex``: a document with the formulas and
        their shapes.
    wrt
        The variables by which the derivative is computed, too: ``gradient_w``, or
        ``derivative_w`` of what is no scalar.
    name
        What the function is called.

    Raises
    ------
    DomainError
        There is no such language, or it cannot say a function of the formula.

    >>> print(to_code("x'*A*x", "matlab", "x").splitlines()[0])
    function [value, gradient_x] = f(x, A)
    """
    from tensorcalc.printing.takeaway import Output, Request, write

    expression = _expression(formula)
    kind = "derivative" if expression.node.rank else "gradient"
    outputs = [Output("value", expression)]
    for variable in dict.fromkeys(_variable(expression, given).name for given in _names(wrt)):
        outputs.append(Output(f"{kind} {variable}", diff(expression, variable), variable))
    return write(language, Request(name, tuple(outputs), expression.variables))


def compile(formula: Formula | Mapping[str, Formula]) -> Kernel:  # noqa: A001  (the public name)
    """A compiled kernel of one formula, or of several that share their work.

    Parameters
    ----------
    formula
        An expression or program text, or a mapping from output names to them. A mapping in gives
        a dict out, in the same order.
    """
    from tensorcalc.kernel import compile_nodes

    single = not isinstance(formula, Mapping)
    given = {"value": formula} if not isinstance(formula, Mapping) else formula
    expressions = [_expression(item) for item in given.values()]
    nodes, variables = join(expressions, shared=True)
    stated = dict(zip(given, nodes, strict=True))
    outputs = dict(zip(given, use_properties(nodes, Opening.SINGLE), strict=True))
    return compile_nodes(outputs, variables, single, stated=stated)


def value_and_grad(formula: Formula, names: Names, **data: Any) -> Callable[..., Any]:
    """A compiled function that gives value and gradient together.

    Called with the variables `names` in order, and keywords for all others that are not bound by
    `data`. It returns ``(value, gradient)``, a float and an array as `scipy.optimize.minimize`
    takes with ``jac=True``; for a list of names, a tuple of gradients.

    Raises
    ------
    ShapeError
        If the formula is not a scalar.
    """
    expression = _scalar(formula)
    wanted = _names(names)
    gradients = grad(expression, wanted)
    outputs: dict[str, Formula] = {"value": expression}
    outputs.update({f"gradient {name}": g for name, g in gradients.items()})
    kernel = compile(outputs)
    unknown = [name for name in data if name not in expression.variables]
    if unknown:
        _variable(expression, unknown[0])

    def value_and_gradient(*point: Any, **more: Any) -> tuple[float, Any]:
        if len(point) != len(wanted):
            raise TypeError(f"{len(wanted)} arguments expected ({', '.join(wanted)})")
        results = kernel(**dict(zip(wanted, point, strict=True)), **data, **more)
        value, *pulled = results.values()
        return float(value), pulled[0] if isinstance(names, str) else tuple(pulled)

    return value_and_gradient
