"""docs/gallery: its formulas parse, its pages show what is there, its scripts run in time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tensorcalc as tc

GALLERY = Path(__file__).parent.parent / "docs" / "gallery"
FORMULAS = sorted(GALLERY.glob("*.tc"))
PAGES = sorted(GALLERY.glob("*.md"))
SCRIPTS = sorted(GALLERY.glob("*.py"))
SECONDS = 20


def test_every_entry_is_whole() -> None:
    """An entry is a formula, a page and a script of one name, and is on the list of the README."""
    names = {path.stem for path in SCRIPTS}
    assert names == {path.stem for path in PAGES} - {"README"}
    assert names <= {path.stem for path in FORMULAS}
    listed = set(re.findall(r"\]\((\w+)\.md\)", (GALLERY / "README.md").read_text()))
    assert listed == names


@pytest.mark.parametrize("path", FORMULAS, ids=[path.stem for path in FORMULAS])
def test_formula(path: Path) -> None:
    """A file is a program whose variables are all declared; a page and a script use it."""
    text = path.read_text()
    assert not tc.parse(text).assumptions
    assert [page for page in PAGES if f"```text\n{text}```\n" in page.read_text()]
    assert [
        script
        for script in SCRIPTS
        if path.name in script.read_text()
        or (script.stem == path.stem and 'with_suffix(".tc")' in script.read_text())
    ]


@pytest.mark.gallery
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path: Path) -> None:
    """A script runs in time, without a warning, and says in one sentence what it found."""
    pytest.importorskip("sklearn")
    found = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        # one thread: several would wait for each other wherever something else runs
        env={**os.environ, "PYTHONPATH": str(GALLERY.parent.parent), "OMP_NUM_THREADS": "1"},
    )
    assert found.returncode == 0, found.stderr
    assert "gradient" in found.stdout
