"""The command line: arguments in, results on stdout and messages on stderr out. The last room.

    main.py       the group of commands, errors to exit codes
    options.py    what commands share: the formula, its derivative, sizes, output
    symbolic.py   diff
    numeric.py    eval, check
    fit.py        fit
    kernels.py    compile, plan
    cache.py      cache info, cache clear
    interrupt.py  Ctrl-C during a kernel
    data.py       NAME=VALUE and data files to arrays

Nothing heavy is imported before a command runs: `tensorcalc --help` loads click and nothing else.
"""

from __future__ import annotations


def main() -> None:
    """Run the command that the process was started with."""
    from tensorcalc.cli.interrupt import end_at_second_interrupt
    from tensorcalc.cli.main import cli

    end_at_second_interrupt()
    cli(prog_name="tensorcalc")
