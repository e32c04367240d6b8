"""Where the axes of a derivative stand: groups of axes in, an orientation out.

A derivative's axes come in groups, those of the function and then those of each variable. A
layout says how they are arranged when they are printed as a matrix (LANGUAGE, "Derivatives").
"""

from __future__ import annotations

from tensorcalc.errors import DomainError

LAYOUTS = ("mixed", "numerator", "denominator")


def is_transposed(groups: tuple[int, ...], layout: str) -> bool:
    """Whether the printed form is the transpose of the array (a column counts as the array).

    `groups` are the numbers of axes of the function and of each variable.

    >>> is_transposed((0, 1), "numerator"), is_transposed((1, 1), "denominator")
    (True, True)

    Raises
    ------
    DomainError
        For an unknown layout.
    """
    if layout not in LAYOUTS:
        raise DomainError(
            f"unknown layout {layout!r}", None, f"the layouts are {', '.join(LAYOUTS)}"
        )
    if len(groups) == 1 or layout == "mixed":
        return False
    # a scalar's second derivative is the derivative of its gradient
    function, variable = sum(groups[:-1]), groups[-1]
    if function and variable:
        return layout == "denominator"
    return (layout == "numerator") == (variable > 0)
