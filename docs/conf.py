"""The settings of Sphinx: the pages of this folder in, a site out.

In a clone, into a folder that git does not see, with warnings as errors:

    python -m pip install -e ".[docs]"
    python -m sphinx -W -n docs build/docs
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # generators.py; bench/

import generators  # noqa: E402

from tensorcalc import __version__  # noqa: E402

project = "tensorcalc"
author = "The tensorcalc developers"
release = version = __version__
html_theme = "furo"
html_title = f"tensorcalc {release}"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3  # links to headings are written as on GitHub
highlight_language = "text"
smartquotes = False  # x' is a transpose, -- an option

default_role = "code"  # one backtick in a docstring is a name
autodoc_typehints = "none"  # what the parameters are, docstrings say in words
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False


def fill(app: Sphinx, name: str, source: list[str]) -> None:
    """Put what is generated into a page that is read."""
    source[0] = generators.fill(source[0])


def prepare(
    app: Sphinx, kind: str, name: str, found: object, options: object, lines: list[str]
) -> None:
    """Make a docstring one that napoleon reads as it is meant.

    A doctest, which stands without a heading here, gets it. What a property says in front of a
    colon is no type: napoleon looks for that in the first line, here a comment. The plural of a
    name, `Idx`s, needs a separation.
    """
    lines[:] = [re.sub(r"((?<!`)`[^`]+`)(?=\w)", r"\1\\ ", line) for line in lines]
    first = next((k for k, line in enumerate(lines) if line.startswith(">>>")), None)
    if first is not None and "Examples" not in lines:
        lines[first:first] = ["Examples", "--------"]
    if kind in ("attribute", "property"):
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> None:
    """Register both; docstrings before napoleon sees them."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", prepare, priority=400)
