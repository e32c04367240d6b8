"""Every example of README.md and docs/ is run, and its output compared with what stands there."""

from __future__ import annotations

import doctest
import re
import shlex
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tensorcalc.cli.main import cli

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [
    README,
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs").glob("gallery/*.md")),
]
INTEROP = ("interop.md",)  # whose examples need other libraries
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d*(?:e[-+]?\d+)?|-?\d+e[-+]?\d+")
TINY = 1e-9  # rounding: of such numbers only that they are so small is compared


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language on a page."""
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def anchors(page: Path) -> set[str]:
    """The names by which the headings of a page are linked to."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def same(expected: str, found: str) -> bool:
    """Whether two outputs are equal but for the last digits of numbers."""
    lines = zip_longest(expected.splitlines(), found.splitlines(), fillvalue="")
    return all(same_line(*pair) for pair in lines)


def same_line(expected: str, found: str) -> bool:
    """The same of one line; … stands for what differs from run to run, such as a time."""
    start, gap, end = expected.partition("…")
    if gap:
        return found.startswith(start) and found.endswith(end)
    if NUMBER.sub("#", expected) != NUMBER.sub("#", found):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=1e-3, abs=TINY) for a, b in pairs)


class Checker(doctest.OutputChecker):
    """Compares outputs up to the last digits."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return same(want.replace(f"{doctest.BLANKLINE_MARKER}\n", "\n"), got)


def commands() -> list[tuple[str, str]]:
    """Command lines of the console blocks, and what they print."""
    texts = [text for page in PAGES for text in blocks(page, "console")]
    parts = [part for text in texts for part in re.split(r"^\$ ", text, flags=re.M)]
    return [
        (line, printed) for part in parts if part for line, _, printed in [part.partition("\n")]
    ]


@pytest.mark.parametrize(("line", "printed"), commands(), ids=[line for line, _ in commands()])
def test_console(line: str, printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command prints what the page says, messages included; what it writes goes elsewhere."""
    for folder in ("docs", "examples"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(line)
    assert program == "tensorcalc"
    found = CliRunner().invoke(cli, arguments).output
    assert same(printed, found), found


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, id=p.name, marks=[pytest.mark.interop] * (p.name in INTEROP)) for p in PAGES],
)
def test_python(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python blocks of a page, one after the other in one session."""
    monkeypatch.chdir(ROOT)
    session: dict[str, Any] = {}
    test = doctest.DocTestParser().get_doctest(
        "\n".join(blocks(page, "python")), session, page.name, page.name, 0
    )
    assert test.examples or page != README
    printed: list[str] = []
    runner = doctest.DocTestRunner(Checker(), verbose=False)
    runner.run(test, out=printed.append)
    assert not runner.failures, "".join(printed)


def test_commands_of_installation() -> None:
    """The first command installs and runs the main job, the second one runs the tests."""
    first, second = (text.strip() for text in blocks(README, "sh"))
    assert first.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
    assert (ROOT / first.split()[-1]).is_file()
    assert '".[test]"' in second
    # .ci/run takes its command from the first line with this in it
    assert [line for line in README.read_text().splitlines() if "-m pytest" in line] == [second]


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links(page: Path) -> None:
    """Files and headings that a page links to are there."""
    prose = re.sub(r"`[^`]+`", "", BLOCK.sub("", page.read_text()))
    targets = re.findall(r"\]\(([^)]+)\)", prose)
    links = [target.partition("#") for target in targets if not target.startswith("http")]
    assert links
    for file, _, anchor in links:
        target = page.parent / file if file else page
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), (file, anchor)
