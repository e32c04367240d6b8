"""An unknown function or its derivative in, the name that it is written with out."""

from __future__ import annotations

from tensorcalc.ir import Unknown


def unknown_text(node: Unknown) -> tuple[str, bool]:
    """The name of an unknown function or of its derivative, and whether arguments follow."""
    order = len(node.derivatives)
    if node.is_applied and len(node.operands) == 1:
        return node.name + "'" * order, True
    if not order:
        return node.name, node.is_applied
    names = [
        str(k + 1) if node.is_applied else getattr(operand, "name", "?")
        for k, operand in enumerate(node.operands)
    ]
    below = ""
    for k in dict.fromkeys(node.derivatives):
        times = node.derivatives.count(k)
        power = "" if times == 1 else str(times)
        below += f"d{names[k]}" * times if node.is_applied else f"d{names[k]}{power}"
    return f"d{order if order > 1 else ''}{node.name}/{below}", node.is_applied
