"""The command that minimises a formula on data: progress on stderr, the optimum on stdout."""

from __future__ import annotations

import shutil
import sys
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tensorcalc.cli.options import (
    debug_option,
    dim_option,
    file_option,
    json_option,
    parse_formula,
    several,
    spelled,
    split_arguments,
    to_json,
    to_lines,
    wrt_option,
)

if TYPE_CHECKING:
    from tensorcalc.binding import Array
    from tensorcalc.expression import Expr
    from tensorcalc.interop.fit import Fit, Progress
    from tensorcalc.interop.scipy import Objective

NOT_CONVERGED, INTERRUPTED = 1, 130
METHODS = ["L-BFGS-B", "BFGS", "CG", "Newton-CG", "trust-ncg", "trust-krylov", "trust-exact"]
OUTPUTS = (".npz", ".npy", ".csv")
PAUSE = 0.1  # seconds between two states of the progress line


def _output(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """A path whose kind is known, before the work is done."""
    if value is None:
        return None
    path = Path(value)
    if path.suffix not in OUTPUTS:
        raise click.BadParameter(f"{value!r} does not end in {', '.join(OUTPUTS)}", ctx, parameter)
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {str(path.parent)!r}", ctx, parameter)
    return path


@click.command("fit")
@click.argument("formula", nargs=-1, metavar="FORMULA [NAME=VALUE]...")
@wrt_option
@click.option(
    "--data",
    multiple=True,
    metavar="FILE.npz|NAME=VALUE",
    help="Values: a .npz file with arrays by name, or one value.",
)
@click.option(
    "--start",
    multiple=True,
    metavar="FILE.npz|NAME=VALUE",
    help="Where to start. [default: a random point]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the start.")
@dim_option
@click.option(
    "--method",
    type=click.Choice(METHODS, case_sensitive=False),
    default=METHODS[0],
    show_default=True,
    help="The method of scipy.optimize.minimize.",
)
@click.option(
    "--tol",
    type=click.FloatRange(0, min_open=True),
    default=1e-6,
    show_default=True,
    help="How large an entry of the gradient may be in the end, relative to a value over 1.",
)
@click.option(
    "--max-iterations",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    metavar="N",
    help="After how many iterations to give up.",
)
@click.option("--maximize", is_flag=True, help="Look for the largest value.")
@click.option(
    "-o",
    "--output",
    callback=_output,
    metavar="FILE",
    help="Write the optimum there: .npz, or for one variable .npy or .csv.",
)
@click.option(
    "--digits",
    type=click.IntRange(1, 17),
    default=10,
    show_default=True,
    help="Significant digits of the numbers printed.",
)
@file_option
@json_option
@debug_option
def fit_command(
    formula: tuple[str, ...],
    wrt: tuple[str, ...],
    data: tuple[str, ...],
    start: tuple[str, ...],
    seed: int,
    sizes: dict[str, int],
    method: str,
    tol: float,
    max_iterations: int,
    maximize: bool,
    output: Path | None,
    digits: int,
    file: Any,
    as_json: bool,
) -> None:
    """Minimise FORMULA, a scalar, over the variables of --wrt.

    A VALUE is a number, entries like [1,2;3,4], or a file, as for eval. The gradient is exact; so
    are products with the Hessian, for the methods that take them. Ctrl-C ends with the best point
    so far. The exit code is 1 if the gradient did not become small.

    \b
      tensorcalc fit model.tc --wrt w --data X=data.csv:1-30 --data y=data.csv:label --data c=1
      tensorcalc fit "normF(T - U*V')^2" T=T.npy --wrt U,V --dim p=5 -o factors.npz
    """  # noqa: D301
    from tensorcalc.interop.fit import fit

    text, arguments = split_arguments(file, formula)
    names = several(wrt)
    if output is not None and output.suffix != ".npz" and len(names) > 1:
        raise click.UsageError(f"{output} has room for one variable; write a .npz file")
    expression = parse_formula(text)
    if output is not None and output.suffix == ".csv":
        ranks = [expression.variables[n].rank for n in names if n in expression.variables]
        if any(rank > 2 for rank in ranks):
            raise click.UsageError(f"{output} has two axes at most; write a .npy file")
    sign = -1 if maximize else 1
    objective = _objective(
        -expression if maximize else expression, names, [*data, *arguments], start, sizes
    )
    x0 = _start(objective, seed)
    line = Line(sign)
    last: list[Progress] = []

    def watch(progress: Progress) -> None:
        last[:] = [progress]
        line.show(progress)

    code = 0
    try:
        line.write("compiling")
        found = fit(
            objective,
            x0,
            method=method,
            tolerance=tol,
            max_iterations=max_iterations,
            callback=watch,
        )
        code = 0 if found.converged else NOT_CONVERGED
    except KeyboardInterrupt:
        if not last:
            raise
        found, code = _interrupted(objective, last[0]), INTERRUPTED
    finally:
        line.write("")
    if output is not None:
        _write(output, found.variables)
    if as_json:
        click.echo(to_json({"command": "fit", "method": method, **_facts(found, sign)}))
    else:
        _report(found, sign, None if output is not None else digits)
    if code:
        sys.exit(code)


def _objective(
    expression: Expr,
    names: tuple[str, ...],
    data: list[str],
    start: tuple[str, ...],
    sizes: dict[str, int],
) -> Objective:
    """The objective with the data, and the starts that are given."""
    from tensorcalc.binding import named_sizes
    from tensorcalc.cli.data import NAME, fill, read_arguments
    from tensorcalc.errors import ShapeError, UnknownNameError
    from tensorcalc.interop.scipy import Objective

    variables = expression.variables
    values: dict[str, Array] = {}
    starts: dict[str, Array] = {}
    for found, texts in ((values, data), (starts, start)):
        for text in texts:
            name, equals, _ = text.partition("=")
            if equals and NAME.fullmatch(name.strip()):
                found.update(read_arguments([text], None, variables))
            else:
                found.update(read_arguments([], text, variables))
    for name in starts:
        if name not in names:
            raise UnknownNameError(f"{name} has a start, but is not in --wrt")
    shown = {spelled(name): size for name, size in sizes.items()}
    values |= starts
    filled = fill(values, variables, named_sizes(variables, shown))
    # of a start that is a number the objective fills the free entries only
    values = {name: (values if name in names else filled)[name] for name in values}
    objective = Objective(expression, list(names), shown, values)
    try:
        objective.packing  # noqa: B018  (are the sizes known?)
    except ShapeError as error:
        hint = "give them a start, --start NAME=VALUE, or sizes, --dim NAME=SIZE"
        raise ShapeError(error.message, None, hint) from None
    return objective


def _start(objective: Objective, seed: int) -> Array:
    """The starts that are given, and random values for the others."""
    import numpy as np

    from tensorcalc.finite_differences import sample

    rng = np.random.default_rng(seed)
    drawn = {
        name: sample(variable, objective.sizes, rng)
        for name, variable in objective.wrt.items()
        if name not in objective.starts
    }
    if drawn:
        click.echo(f"start: {', '.join(drawn)} at random, seed {seed}", err=True)
    return objective.pack(**{**objective.starts, **drawn})


def _interrupted(objective: Objective, progress: Progress) -> Fit:
    from tensorcalc.interop.fit import Fit

    return Fit(objective.unpack(progress.x), progress, False, "interrupted")


# ── what is said ─────────────────────────────────────────────────────────────────────────────


class Line:
    """One line on a terminal that is written again and again; elsewhere nothing."""

    def __init__(self, sign: int) -> None:
        self.sign, self.seen = sign, 0.0
        self.on_terminal = sys.stderr.isatty()

    def show(self, progress: Progress) -> None:
        """Show where the fit is, unless it was shown just now."""
        if time.monotonic() - self.seen > PAUSE:
            self.seen = time.monotonic()
            self.write(_line(progress, self.sign))

    def write(self, text: str) -> None:
        """Replace the line."""
        if self.on_terminal:
            columns = shutil.get_terminal_size().columns - 1
            click.echo(f"\r{text[:columns]:{columns}}" + ("" if text else "\r"), nl=False, err=True)


def _line(progress: Progress, sign: int) -> str:
    return (
        f"{progress.iterations} iterations, {progress.seconds:.1f} s   "
        f"value {sign * progress.value:.8g}   gradient {progress.gradient_norm:.1e}"
    )


def _report(found: Fit, sign: int, digits: int | None) -> None:
    """The end: how it went on stdout, with `digits` the variables, too; what is wrong on stderr."""
    progress = found.progress
    rows = {
        "converged": "yes" if found.converged else "no",
        "iterations": f"{progress.iterations}, {progress.evaluations} evaluations",
        "value": f"{sign * progress.value:.10g}",
        "gradient": f"{progress.gradient_norm:.2e} (largest entry)",
        "time": f"{progress.seconds:.2f} s",
    }
    for name, text in rows.items():
        click.echo(f"{name:<12}{text}")
    if digits is not None:
        for name, value in found.variables.items():
            click.echo(f"{name}:\n{to_lines(value, digits)}")
    if not found.converged:
        click.echo(f"not converged: {found.message}", err=True)


def _facts(found: Fit, sign: int) -> dict[str, Any]:
    progress = found.progress
    return {
        "converged": found.converged,
        "message": found.message,
        "iterations": progress.iterations,
        "evaluations": progress.evaluations,
        "value": sign * progress.value,
        "gradient_norm": progress.gradient_norm,
        "seconds": progress.seconds,
        "variables": found.variables,
    }


def _write(path: Path, variables: dict[str, Array]) -> None:
    """The optimum as a file."""
    import numpy as np

    first = next(iter(variables.values()))
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path, "w") as archive:  # np.savez has no room for the name `file`
                for name, value in variables.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                        np.lib.format.write_array(stream, value, allow_pickle=False)
        elif path.suffix == ".npy":
            np.save(path, first, allow_pickle=False)
        else:
            np.savetxt(path, np.atleast_1d(first), fmt="%.17g", delimiter=",")
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror or error}") from None
    click.echo(f"wrote {path}", err=True)
