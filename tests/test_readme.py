"""Every example of README.md is run, and what it prints is compared with what stands there."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tensorcalc.cli.main import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d*(?:e[-+]?\d+)?|-?\d+e[-+]?\d+")
TINY = 1e-9  # rounding: of such numbers only that they are so small is compared


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [text for name, text in BLOCK.findall(README) if name == language]


def same(expected: str, found: str) -> bool:
    """Whether two outputs are equal but for the last digits of numbers."""
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=1e-3, abs=TINY) for a, b in pairs)


class Checker(doctest.OutputChecker):
    """Compares outputs up to the last digits."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return same(want, got)


def commands() -> list[tuple[str, str]]:
    """Command lines of the console blocks, and what they print."""
    parts = [part for text in blocks("console") for part in re.split(r"^\$ ", text, flags=re.M)]
    return [
        (line, printed) for part in parts if part for line, _, printed in [part.partition("\n")]
    ]


@pytest.mark.parametrize(("line", "printed"), commands(), ids=[line for line, _ in commands()])
def test_console(line: str, printed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command prints what the README says, messages included."""
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(line)
    assert program == "tensorcalc"
    found = CliRunner().invoke(cli, arguments).output
    assert same(printed, found), found


def test_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks, one after the other in one session."""
    monkeypatch.chdir(ROOT)
    session: dict[str, Any] = {}
    test = doctest.DocTestParser().get_doctest(
        "\n".join(blocks("python")), session, "README.md", "README.md", 0
    )
    assert len(test.examples) > 20
    printed: list[str] = []
    runner = doctest.DocTestRunner(Checker(), verbose=False)
    runner.run(test, out=printed.append)
    assert not runner.failures, "".join(printed)


def test_commands_of_installation() -> None:
    """The first command installs and runs the main job, the second one runs the tests."""
    first, second = (text.strip() for text in blocks("sh"))
    assert first.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
    assert (ROOT / first.split()[-1]).is_file()
    assert '".[test]"' in second
    # .ci/run takes its command from the first line with this in it
    assert [line for line in README.splitlines() if "-m pytest" in line] == [second]


def test_links() -> None:
    """Files that the README links to are there."""
    targets = re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", README))
    files = [target for target in targets if not target.startswith("http")]
    assert files
    assert all((ROOT / file).exists() for file in files), files
