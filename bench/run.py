"""Compare tensorcalc with hand-written NumPy and with JAX; write a JSON file and a Markdown table.

    python -m bench.run                                    # everything, one thread, to the terminal
    python -m bench.run --sizes SM --workloads logistic,chain --threads 2
    python -m bench.run --out bench/results.json --markdown bench/RESULTS.md

All peers of a workload run interleaved in one process (`measure` says what that costs), and none
is timed before its results agree with NumPy's. JAX takes part where it is installed.

The process starts itself anew with an environment that treats all peers alike, before anything
loads NumPy: the number of threads for every library; without OPENBLAS_CORETYPE and
OPENBLAS_L2_SIZE, which would hold NumPy and SciPy, but not JAX, to the instructions and cache of
another processor; and with fixed thresholds for malloc, or the page faults of one peer would
depend on what another had freed. With one thread it also pins itself to one processor, the only
limit that JAX's thread pool obeys; where the system cannot pin, JAX may use more than one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THREADS = "OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMBA_NUM_THREADS".split()
DROPPED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
PEERS = ("tensorcalc", "numpy", "jax")
PACKAGES = ("tensorcalc", "numpy", "scipy", "numba", "jax", "jaxlib")


def main() -> int:
    """Run the command line; 1 if a peer failed or was wrong."""
    parser = _parser()
    options = parser.parse_args()
    wanted = environment(os.environ, options.threads)
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)  # noqa: S606
    pinned = _pin() if options.threads == 1 else None

    if str(ROOT) not in sys.path:  # for `python bench/run.py`
        sys.path.insert(0, str(ROOT))
    from bench.workloads import WORKLOADS

    names = options.workloads.split(",") if options.workloads else list(WORKLOADS)
    peers = options.peers.split(",")
    for given, known in ((names, [*WORKLOADS]), (options.sizes, "SML"), (peers, PEERS)):
        for word in given:
            if word not in known:
                parser.error(f"{word!r} is none of {', '.join(known)}")
    report = run(
        names,
        options.sizes,
        peers,
        rounds=options.rounds,
        budget=options.budget,
        clock=options.clock,
    )
    report["settings"].update(threads=options.threads, cpu=pinned)
    table = markdown(report)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    sys.stdout.write(table)
    found = [peer for cell in report["cells"] for peer in cell["peers"].values()]
    return 0 if all(peer["correct"] for peer in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.run", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--workloads", help="names, separated by commas; default: all")
    parser.add_argument("--sizes", default="SML", help="letters out of SML (default: %(default)s)")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=6, help="turns a peer (default: %(default)s)")
    parser.add_argument(
        "--budget", type=float, default=0.2, help="seconds a turn (default: %(default)s)"
    )
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu leaves out what other processes took, and counts all threads (default: wall)",
    )
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--markdown", type=Path, help="the Markdown file to write")
    return parser


def environment(current: Mapping[str, str], threads: int) -> dict[str, str]:
    """The environment in which all peers are treated alike."""
    kept = {name: value for name, value in current.items() if name not in DROPPED}
    return {**kept, **MALLOC, **dict.fromkeys(THREADS, str(threads))}


def _pin() -> int | None:
    """Keep this process, and all threads that it will start, on one processor."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    return cpu


def run(
    names: Sequence[str],
    sizes: str,
    peers: Sequence[str],
    *,
    rounds: int,
    budget: float,
    clock: str = "wall",
) -> dict[str, Any]:
    """Measure workload after workload; the report is what the JSON file holds."""
    from bench.measure import available, measure
    from bench.workloads import FAMILIES, WORKLOADS

    installed = available(peers)
    cells = []
    for name in names:
        for size in sizes:
            cell = measure(
                WORKLOADS[name], size, installed, rounds=rounds, budget=budget, clock=clock
            )
            cells.append(cell)
            _say(_line(cell))
    return {
        "schema": 1,
        "machine": machine(),
        "settings": {"rounds": rounds, "budget": budget, "clock": clock, "peers": installed},
        "titles": {name: WORKLOADS[name].title for name in names},
        "families": {
            family: [workload.name for workload in members if workload.name in names]
            for family, members in FAMILIES.items()
        },
        "cells": cells,
    }


def machine() -> dict[str, Any]:
    """The processor and the versions of everything that takes part."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            if package == "tensorcalc":  # run from a checkout that is not installed
                from tensorcalc import __version__

                versions[package] = __version__
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "unknown"


# ── the table ────────────────────────────────────────────────────────────────────────────────


def markdown(report: Mapping[str, Any]) -> str:
    """The report as a Markdown document: the ratios in short, and all cells."""
    machine, settings = report["machine"], report["settings"]
    peers = settings["peers"]
    rivals = [peer for peer in peers if peer != "tensorcalc"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    header = ["workload", "size", "shapes", *peers, *(f"{rival}/tensorcalc" for rival in rivals)]
    rows = []
    for cell in report["cells"]:
        shapes = " ".join("×".join(map(str, shape)) for shape in cell["shapes"].values())
        times = [_time(cell["peers"][peer]) for peer in peers]
        ratios = [f"{cell['ratios'][r]:.2f}" if r in cell["ratios"] else "–" for r in rivals]
        rows.append([cell["workload"], cell["size"], shapes, *times, *ratios])
    lines = [
        "# Benchmarks",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; "
        f"{settings.get('threads', '?')} thread(s); {versions}.",
        "",
        f"Median {settings['clock']} time of a call, float64, all peers interleaved in one process",
        "and checked against NumPy first. A ratio above 1 means that tensorcalc is faster;",
        "the mean of ratios is the geometric one.",
        "",
        *_table(
            ["workloads", "rival", "cells", "mean ratio", "smallest"], summary(report, rivals), 2
        ),
        "",
        *_table(header, rows, 3),
        "",
        *(f"- `{name}`: {title}" for name, title in report["titles"].items()),
    ]
    return "\n".join(lines) + "\n"


def summary(report: Mapping[str, Any], rivals: Sequence[str]) -> list[list[str]]:
    """For losses and for contractions, and for each rival, the mean and the least of the ratios."""
    rows = []
    for family, names in report["families"].items():
        for rival in rivals:
            ratios = {
                f"{cell['workload']} {cell['size']}": cell["ratios"][rival]
                for cell in report["cells"]
                if cell["workload"] in names and rival in cell["ratios"]
            }
            if ratios:
                mean = statistics.geometric_mean(ratios.values())
                least = min(ratios, key=ratios.__getitem__)
                facts = [str(len(ratios)), f"{mean:.2f}", f"{ratios[least]:.2f} ({least})"]
                rows.append([family, f"{rival}/tensorcalc", *facts])
    return rows


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> list[str]:
    """A table whose first columns hold words and the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return ["| " + " | ".join(row) + " |" for row in (header, rule, *rows)]


def _time(peer: Mapping[str, Any]) -> str:
    if peer["median"] is None:
        return "failed" if peer["error"] is None else "wrong"
    seconds: float = peer["median"]
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"


def _line(cell: Mapping[str, Any]) -> str:
    """One cell for someone who waits."""
    facts = [f"{peer} {found['failure'] or _time(found)}" for peer, found in cell["peers"].items()]
    return f"{cell['workload']} {cell['size']}: {', '.join(facts)}"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
