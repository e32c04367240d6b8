"""Formulas -> C, or a module for Numba: the code that is made of a loop program."""

from __future__ import annotations

from tensorcalc.printing.takeaway import Request


def c_code(request: Request) -> str:
    """One file of C99."""
    from tensorcalc.emit.c import to_c

    formulas = {output.identifier: output.expression for output in request.outputs}
    return to_c(formulas, request.name)


def numba_code(request: Request) -> str:
    """A Python module that needs NumPy, SciPy and Numba; its function is called ``run``."""
    from tensorcalc.api import compile as compile_kernel

    formulas = {output.name: output.expression for output in request.outputs}
    first = request.outputs[0].expression
    return compile_kernel(formulas if len(formulas) > 1 else first).to_module()
