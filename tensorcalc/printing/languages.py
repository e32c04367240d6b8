"""The table of languages that code can be written in: each names the function that writes it.

The function takes a `takeaway.Request` and gives the text; its module is imported when the language
is asked for.
"""

from __future__ import annotations

WRITERS = {
    "numpy": "tensorcalc.printing.python_code:numpy_code",
    "jax": "tensorcalc.printing.python_code:jax_code",
    "torch": "tensorcalc.printing.python_code:torch_code",
    "julia": "tensorcalc.printing.julia_code:julia_code",
    "matlab": "tensorcalc.printing.matlab_code:matlab_code",
    "octave": "tensorcalc.printing.matlab_code:matlab_code",
    "c": "tensorcalc.printing.compiled_code:c_code",
    "numba": "tensorcalc.printing.compiled_code:numba_code",
    "latex": "tensorcalc.printing.latex_code:latex_code",
}
