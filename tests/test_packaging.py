"""What is installed: the packages, their files, the command, one version everywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

import tensorcalc

ROOT = Path(__file__).parent.parent
SOURCES = ["pyproject.toml", "README.md", "LICENSE", "tensorcalc", "grammar", "kernels"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
TRY = """
import tensorcalc, tensorcalc.grammar, tensorcalc.kernels, importlib.util, sys
assert not any(map(importlib.util.find_spec, ("grammar", "kernels", "cli", "printing")))
print(tensorcalc.__file__)
print(tensorcalc.diff("x'*A*x", "x"))
"""


def _setuptools() -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version("setuptools").split(".")[:1])
    except PackageNotFoundError:
        return (0,)


needs_setuptools = pytest.mark.skipif(
    _setuptools() < (77,), reason="builds without a network need setuptools 77 here"
)


def test_every_folder_with_code_is_a_listed_package() -> None:
    """The list in pyproject.toml is the folders, the two at the top of the repository included."""
    setuptools = PROJECT["tool"]["setuptools"]
    inside = [p.parent for p in (ROOT / "tensorcalc").rglob("*.py")]
    folders = {".".join(p.relative_to(ROOT).parts) for p in inside}
    mapped = set(setuptools["package-dir"])
    assert set(setuptools["packages"]) == folders | mapped
    for package, folder in setuptools["package-dir"].items():
        assert (ROOT / folder / "__init__.py").is_file()
        link = ROOT.joinpath(*package.split("."))
        assert link.is_symlink()
        assert link.resolve() == (ROOT / folder).resolve()


def test_every_room_is_on_the_map() -> None:
    """CONTRIBUTING.md has a line for every module and folder of the package, and no others."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    start = text.index("    tensorcalc/\n")
    lines = text[start : text.index("    tests/", start)].splitlines()[1:]
    on_map = [line.split()[0].removesuffix("/") for line in lines if line]
    rooms = [
        path.name
        for path in (ROOT / "tensorcalc").iterdir()
        if not path.is_symlink() and (path.suffix == ".py" or (path / "__init__.py").is_file())
    ]
    assert sorted(on_map) == sorted(set(rooms) - {"_version.py"})


def test_one_version() -> None:
    """pyproject.toml takes the version from the package; citation and changelog agree."""
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "tensorcalc._version.__version__"
    }
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited
    assert cited[1] == tensorcalc.__version__
    changes = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert changes[:2] == ["Unreleased", tensorcalc.__version__]


def test_public_names_resolve() -> None:
    """Everything in `__all__` is there, and a stranger is an AttributeError."""
    for name in tensorcalc.__all__:
        assert getattr(tensorcalc, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        tensorcalc.nonsense  # noqa: B018


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    """The output of a command that must succeed; no PYTHONPATH lends it anything."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is packaged, so that building leaves nothing in the repository."""
    folder = tmp_path_factory.mktemp("checkout")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=ignore)
        else:
            shutil.copy(source, target)
    return folder


def _environment(folder: Path) -> Path:
    """The interpreter of a new environment that sees the dependencies installed here.

    A path in a .pth file lends the packages without their own .pth files, so an editable install
    of tensorcalc here stays unseen.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    here = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    purelib = _run(python, "-Ic", "import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(purelib.strip()) / "dependencies.pth").write_text("\n".join(here) + "\n")
    return python


def _install(python: Path, *arguments: str | Path) -> None:
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "-q", *offline, *arguments)


@needs_setuptools
def test_wheel(checkout: Path, tmp_path: Path) -> None:
    """The wheel holds both folders inside the package, and works where it is installed."""
    offline = ("--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    _run(sys.executable, "-m", "pip", "wheel", "-q", *offline, "-w", tmp_path, checkout)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"tensorcalc", f"tensorcalc-{tensorcalc.__version__}.dist-info"}
    for folder, pattern in (("grammar", "*.lark"), ("kernels", "*.py"), ("tensorcalc", "**/*.py")):
        inside = "" if folder == "tensorcalc" else "tensorcalc/"
        for path in (checkout / folder).glob(pattern):
            assert f"{inside}{path.relative_to(checkout)}" in names
    assert "tensorcalc/py.typed" in names

    python = _environment(tmp_path / "venv")
    _install(python, wheel)
    file, derivative = _run(python, "-c", TRY, cwd=tmp_path).splitlines()
    assert Path(file).is_relative_to(tmp_path)
    assert derivative == "(A + A')*x"
    command = python.parent / "tensorcalc"
    assert tensorcalc.__version__ in _run(command, "--version", cwd=tmp_path)
    assert "(A + A')*x" in _run(command, "diff", "x'*A*x", "--wrt", "x", cwd=tmp_path)


@needs_setuptools
def test_editable_install(checkout: Path, tmp_path: Path) -> None:
    """An editable install finds both folders where they are, under no other name."""
    python = _environment(tmp_path / "venv")
    _install(python, "-e", checkout)
    file, derivative = _run(python, "-c", TRY, cwd=tmp_path).splitlines()
    assert Path(file).is_relative_to(checkout)
    assert derivative == "(A + A')*x"
    assert tensorcalc.__version__ in _run(python.parent / "tensorcalc", "--version", cwd=tmp_path)
