"""A request -> one file of MATLAB code, for Octave too: the function, and local functions."""

from __future__ import annotations

from tensorcalc.printing.code import wrapped
from tensorcalc.printing.code_function import Argument, FunctionParts, function_parts
from tensorcalc.printing.comments import described
from tensorcalc.printing.matlab_target import MATLAB
from tensorcalc.printing.sampling import (
    INTERVALS,
    POSITIVE,
    check_known,
    compared,
    filled,
    shape_of,
    sizes_of_check,
    structure,
)
from tensorcalc.printing.takeaway import Request


def matlab_code(request: Request) -> str:
    """A file of MATLAB code."""
    is_checked = len(request.outputs) > 1
    if is_checked:
        check_known(request.nodes)
    parts = function_parts(MATLAB, request.nodes, request.variables, request.names)
    function = _function(request, parts)
    check = _check(request, parts) if is_checked else ""
    helpers = list(MATLAB.used_helpers(function))
    return "\n".join([function, *[check] * bool(check), *[h.strip("\n") + "\n" for h in helpers]])


def _function(request: Request, parts: FunctionParts) -> str:
    arguments = [argument.name for argument in parts.arguments]
    outputs = [output.identifier for output in request.outputs]
    shown = outputs[0] if len(outputs) == 1 else f"[{', '.join(outputs)}]"
    rows = [f"function {shown} = {request.name}({', '.join(arguments)})"]
    rows += [f"  % {line}".rstrip() for line in described(request, parts)]
    rows.append("  % Vectors are columns.")
    if len(outputs) > 1:
        rows.append(f"  % {request.name}('check') compares the derivatives with differences.")
        rows += [f"  if nargin == 1 && strcmp({arguments[0]}, 'check')"]
        rows += [f"    {outputs[0]} = check_derivatives();", "    return", "  end"]
    rows += [f"  {name} = {text};" for name, text in parts.sizes]
    for argument in parts.arguments:
        if argument.kind == "array":
            extents = ["NaN" if e is None else e for e in argument.extents]
            extents += ["1"] * (2 - len(extents))
            size = f"[{', '.join(extents)}]"
            rows.append(_line(f"check_size('{argument.name}', {argument.name}, {size})"))
    for size, low in parts.least:
        rows.append(_line(f"check_least('{size}', {size}, {low})"))
    rows += [_line(f"{name} = {text}") for name, text in parts.body]
    rows += [_line(f"{name} = {text}") for name, text in zip(outputs, parts.results, strict=True)]
    return "\n".join([*rows, "end", ""])


def _line(text: str) -> str:
    return wrapped(f"  {text};", MATLAB.goes_on)


# ── the check ────────────────────────────────────────────────────────────────────────────────

MADE = {
    "spd": "a * a.' / {n} + eye({n})",
    "symmetric": "a + a.'",
    "skew": "a - a.'",
    "diagonal": "diag(diag(a))",
    "lower": "tril(a)",
    "upper": "triu(a)",
    "orthogonal": "orth(a)",
    "invertible": "a + {n} * eye({n})",
}
KEPT = {
    "spd": "e + e.'",
    "symmetric": "e + e.'",
    "skew": "e - e.'",
    "diagonal": "diag(diag(e))",
    "lower": "tril(e)",
    "upper": "triu(e)",
    "orthogonal": "x * (e - e.')",
}
CHECK = """function worst = check_derivatives()
  % Compare every derivative with central differences at random arguments.
  % The result is the largest difference, relative to the largest entry.
  rand('twister', 1);
  intervals = [INTERVALS];
  for k = 1:size(intervals, 1)
    draw = @(varargin) intervals(k, 1) + diff(intervals(k, :)) * rand(varargin{:});
    point = { ...
POINT
      };
    results = cell(1, COUNT);
    [results{:}] = NAME(point{:});
    found = all(cellfun(@(r) all(isfinite(r(:))), results));
    if found
      break
    end
  end
  if ~found
    error('the results are not finite at random arguments');
  end
  worst = 0;
TABLE
end

function worst = compared(name, output, position, point, turned)
  % The difference of one derivative and central differences in all directions.
  x = point{position};
  results = cell(1, output);
  [results{:}] = NAME(point{:});
  value = results{1};
  derivative = reshape(results{output}, numel(value), numel(x));
  step = eps ^ (1 / 3);
  worst = 0;
  scale = 0;
  doubt = 0;
  for k = 1:numel(x)
    e = zeros(size(x));
    e(k) = 1;
    e = turned(e, x);
    once = slope(step, e, position, point);
    twice = slope(2 * step, e, position, point);
    worst = max([worst; abs(derivative * e(:) - once(:))]);
    scale = max([scale; abs(once(:))]);
    doubt = max([doubt; abs(twice(:) - once(:))]);  % of the differences themselves
  end
  if ~(worst <= step * scale / 10 + 100 * step ^ 2 * max(abs(value(:))) + doubt)
    error('%s differs from central differences by %.2g', name, worst);
  end
  if scale > 0
    worst = worst / scale;
  end
end

function r = slope(h, e, position, point)
  % The central difference of the value in a direction.
  ahead = point;
  behind = point;
  ahead{position} = point{position} + h * e;
  behind{position} = point{position} - h * e;
  r = (NAME(ahead{:}) - NAME(behind{:})) / (2 * h);
end
"""


def _check(request: Request, parts: FunctionParts) -> str:
    """The function that compares the derivatives with finite differences."""
    sizes = sizes_of_check(parts, request.nodes)
    arguments = parts.arguments
    rows = []
    for name, k, x, kind in compared(request, arguments):
        given = f"'{name}', {k + 1}, {x + 1}, point, @(e, x) {KEPT.get(kind, 'e')}"
        rows.append(f"  worst = max(worst, compared({given}));")
    words = {
        "INTERVALS": "; ".join(f"{low}, {high}" for low, high in INTERVALS),
        "POINT": "\n".join([f"      {_drawn(a, sizes)}, ...  % {a.name}" for a in arguments]),
        "TABLE": "\n".join(rows),
        "COUNT": str(len(request.outputs)),
        "NAME": request.name,
    }
    return filled(CHECK, words)


def _drawn(argument: Argument, sizes: dict[str, int]) -> str:
    """The expression of a random value of an argument."""
    if argument.size:
        return str(sizes[argument.size])
    shape = [*shape_of(argument, sizes), 1, 1]
    extents = ", ".join(map(str, shape[: max(2, len(shape) - 2)]))
    facts = argument.variable.properties if argument.variable else frozenset()
    if "integer" in facts:
        return f"ceil(4 * rand({extents}))"
    if facts & POSITIVE:
        return f"0.5 + abs(draw({extents}))"
    made = f"draw({extents})"
    if "complex" in facts:
        made = f"complex({made}, {made})"
    kind = structure(argument)
    return made if kind is None else f"feval(@(a) {MADE[kind].format(n=shape[0])}, {made})"
