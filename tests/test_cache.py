"""The cache of kernels: every way to damage it gives the right value, and what is in its key."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tensorcalc import canonical as c
from tensorcalc.cli.main import cli
from tensorcalc.dims import Dim
from tensorcalc.emit import cache
from tensorcalc.emit.module import kernel_module
from tensorcalc.emit.source import source
from tensorcalc.ir import Variable
from tensorcalc.plan import plan

ROOT = Path(__file__).parent.parent


def module(number: int = 3) -> str:
    """The text of a kernel: `number` times an array of two entries."""
    one = Variable.of("one", (Dim.of("n"),))
    return kernel_module(source(plan({"o": c.scale(number, one)}, {"n": 2}), "float64"))


TEXT = module()


def load() -> Callable[..., Any]:
    """The kernel of `TEXT` as a new process loads it; its value is right."""
    cache._loaded.clear()
    kernel = cache.load(TEXT)
    assert kernel(np.arange(2.0))[0].tolist() == [0, 3]
    return kernel


def compiled(kernel: Any) -> bool:
    """Whether it was compiled rather than read."""
    return not kernel.stats.cache_hits


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of its own."""
    kept = dict(cache._loaded)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "kernels"))
    yield tmp_path / "kernels"
    cache._loaded.clear()
    cache._loaded.update(kept)


def flip(data: bytes) -> bytes:
    """The data with one bit changed in the middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


class Crafted:
    """What a pickle of it runs when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ["CRAFTED"],)


def crafted(data: bytes) -> bytes:
    """A pickle that makes a folder."""
    import pickle

    return pickle.dumps(Crafted())


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "zeroed": lambda data: bytes(len(data)),
    "random": lambda data: np.random.default_rng(0).bytes(len(data)),
    "one bit": flip,
    "longer": lambda data: data + b"x",
    "no text": lambda data: b"\xff\xfe" + data,
    "crafted": crafted,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files(damage: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of a kernel in turn: the value is right, and the next process finds a whole cache."""
    monkeypatch.setenv("CRAFTED", str(home / "ran"))
    load()
    assert not compiled(load())
    names = [path.relative_to(home) for path in cache.files(cache.root())]
    assert sorted(name.suffix for name in names) == [".nbc", ".nbi", ".py", ".sum"]
    for name in names:
        (home / name).write_bytes(DAMAGE[damage]((home / name).read_bytes()))
        load()
        assert not compiled(load())
    assert not (home / "ran").exists()


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "pattern", ["*.py", "*.sum", "__pycache__/*.nbc", "__pycache__/*.nbi", "__pycache__", "."]
)
def test_missing_files(pattern: str, home: Path) -> None:
    """What another process has removed is made again, or done without."""
    load()
    folder = cache.root()
    for path in [folder] if pattern == "." else list(folder.glob(pattern)):
        remove(path)
    load()
    if pattern != ".":  # the folder is looked at once in a process
        assert not compiled(load())


def test_files_where_folders_should_be(home: Path) -> None:
    """Folders named as the files, a file named as the folder: no cache, the right value."""
    load()
    for path in cache.files(cache.root()):
        path.unlink(missing_ok=True)  # a load may have removed it
        path.mkdir()
        load()
    shutil.rmtree(cache.root() / "__pycache__")
    (cache.root() / "__pycache__").write_text("")
    load()


def make_folder(mode: int) -> None:
    """The folder of the cache, as somebody else made it before."""
    cache.root().mkdir(parents=True)
    cache.root().chmod(mode)


def open_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may write there."""
    make_folder(0o777)


def open_to_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group may write there."""
    make_folder(0o770)


def below_an_open_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may put another in its place."""
    make_folder(0o700)
    cache.base().chmod(0o777)


def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to another user."""
    make_folder(0o700)
    owner = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: owner)


def a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leads elsewhere."""
    make_folder(0o700)
    elsewhere = cache.base().parent / "elsewhere"
    cache.root().rename(elsewhere)
    cache.root().symlink_to(elsewhere)


def a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a file."""
    cache.base().write_text("")


def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written."""

    def refuse(*args: Any, **options: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    make_folder(0o700)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)


def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is neither a home nor a folder that was named."""
    import platformdirs

    cache._homeless.cache_clear()
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")


UNUSABLE = [
    open_to_others, open_to_the_group, below_an_open_folder, foreign, a_link, a_file, read_only, homeless,
]  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes are those of POSIX")
@pytest.mark.parametrize("prepare", UNUSABLE)
def test_unusable_folders(
    prepare: Callable[..., None], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read from it or written to it; one warning, and the right value."""
    prepare(monkeypatch)
    monkeypatch.chdir(home.parent)
    before = sorted(home.parent.rglob("*"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert compiled(load())
        assert compiled(load())
    assert [warning.category for warning in caught] == [cache.CacheWarning]
    assert sorted(home.parent.rglob("*")) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("written", range(4))
def test_failing_writes(
    number: int, written: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full from the first, second … file on; later there is room again."""
    replace, count = os.replace, 0

    def full(*args: Any, **options: Any) -> None:
        nonlocal count
        count += 1
        if count > written:
            raise OSError(number, os.strerror(number))
        replace(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        load()
        load()
    assert count > written
    load()
    assert not compiled(load())
    assert not [path for path in home.rglob("*") if ".tmp" in path.name]


# ── other processes ──────────────────────────────────────────────────────────────────────────

# what a process does: {before}, then a kernel; its value and whether it was read
PROCESS = """
import os, sys
{before}
import numpy as np
import tensorcalc as tc
from tensorcalc.emit import cache
k = tc.compile("sum(exp(x).*x) - 2")
print(k(x=np.zeros(3)), *[sum(f.stats.cache_hits.values()) for f in cache._loaded.values()])
"""
FULL = """
import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""
KILLED = """
import signal
replace, left = os.replace, [{count}]
def dying(*args, **options):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*args, **options)
os.replace = dying
"""


def start(folder: Path, before: str = "", **environment: str) -> subprocess.Popen[str]:
    """A new process with its cache in `folder`."""
    paths = os.pathsep.join([str(ROOT), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS.format(before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, cache.VARIABLE: str(folder), **environment},
    )


def run(folder: Path, before: str = "", **environment: str) -> str:
    """What a new process prints, if it ends well and says nothing else."""
    process = start(folder, before, **environment)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert err == ""
    return out.strip()


@pytest.mark.skipif(os.name != "posix", reason="limits and signals of POSIX")
@pytest.mark.parametrize(
    "before",
    [
        pytest.param(FULL.format(size=0), id="full", marks=pytest.mark.slow),
        pytest.param(FULL.format(size=5_000), id="full after the text"),
        pytest.param(KILLED.format(count=0), id="killed at the text", marks=pytest.mark.slow),
        pytest.param(KILLED.format(count=1), id="killed at the index"),
        pytest.param(KILLED.format(count=2), id="killed at the code", marks=pytest.mark.slow),
        pytest.param(KILLED.format(count=3), id="killed at the checksum"),
    ],
)
def test_full_disk_and_kill(before: str, tmp_path: Path) -> None:
    """A process whose disk is full is right; one that is killed leaves what the next one can use."""
    first = start(tmp_path, before)
    out, err = first.communicate()
    if before.startswith("\nimport resource"):
        assert (out, err) == ("-2.0 0\n", "")
    else:
        assert first.returncode == -9
    assert run(tmp_path).split()[0] == "-2.0"
    for path in tmp_path.rglob("*.tmp*"):  # what was left is swept when it is old
        os.utime(path, (0, 0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(tmp_path))
        cache._sweep(cache.root())
    assert not list(tmp_path.rglob("*.tmp*"))


@pytest.mark.slow
def test_kill_at_any_time(tmp_path: Path) -> None:
    """Whenever a process is killed, the next one is right."""
    for k in range(12):
        process = start(tmp_path / str(k))
        while process.poll() is None and not list(tmp_path.rglob("k_*")):
            time.sleep(0.001)
        time.sleep(0.02 * k)
        process.kill()
        process.communicate()
        assert run(tmp_path / str(k)).split()[0] == "-2.0"


def test_processes_at_once(tmp_path: Path) -> None:
    """Three start with no cache; a later one reads what they left."""
    processes = [start(tmp_path) for _ in range(3)]
    for process in processes:
        out, err = process.communicate()
        assert (out.split()[0], err) == ("-2.0", "")
    run(tmp_path)
    assert run(tmp_path) == "-2.0 1"


SETTINGS = [
    {"NUMBA_CPU_NAME": "generic"},
    {"NUMBA_BOUNDSCHECK": "1"},
    {"NUMBA_LOOP_VECTORIZE": "0"},
    {"NUMBA_CPU_FEATURES": ""},
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_key_has_numba_s_settings(
    setting: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code made with other settings is not taken, and does not replace the one there is."""
    load()
    folder = cache.root()
    with monkeypatch.context() as patch:
        for name, value in setting.items():
            patch.setenv(name, value)
        assert cache.root() != folder
        assert compiled(load())
        assert not compiled(load())
    assert cache.root() == folder
    assert not compiled(load())


def test_the_key_has_versions_and_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Python, Numba, llvmlite and this package; the processor's name and its features."""
    import llvmlite
    import llvmlite.binding
    import numba

    keys = [cache.root()]
    features = llvmlite.binding.get_host_cpu_features()
    first = next(iter(features))
    fewer = type(features)({**features, first: not features[first]})
    changes: list[tuple[Any, str, Any]] = [
        (numba, "__version__", "0.1"),
        (llvmlite, "__version__", "0.1"),
        (platform, "python_version", lambda: "3.99"),
        (platform, "machine", lambda: "pdp11"),
        (llvmlite.binding, "get_host_cpu_name", lambda: "z80"),
        (llvmlite.binding, "get_host_cpu_features", lambda: fewer),
    ]
    for place, name, value in changes:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, value)
            keys.append(cache.root())
    assert len(set(keys)) == len(keys)
    assert cache.root() == keys[0]


def test_the_name_has_the_helpers(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of what kernels call makes another kernel."""
    import tensorcalc.emit.module as modules

    monkeypatch.setattr(modules, "helpers_digest", lambda: "other")
    assert module() != TEXT


def test_numba_s_own_folder_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NUMBA_CACHE_DIR set, kernels are still where their checksums are."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(home.parent / "numba"))
    load()
    assert not compiled(load())
    assert not (home.parent / "numba").exists()
    from numba import config

    assert vars(config)["CACHE_DIR"] == str(home.parent / "numba")


def test_numba_switched_off(tmp_path: Path) -> None:
    """With NUMBA_DISABLE_JIT kernels are compiled all the same: their helpers have no other form."""
    assert run(tmp_path, NUMBA_DISABLE_JIT="1").split()[0] == "-2.0"


# ── upkeep ───────────────────────────────────────────────────────────────────────────────────


def test_sweep(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels that were not used for longest go, and temporary files that are old."""
    for number in (3, 4, 5):
        cache.load(module(number))
    load()
    texts = sorted(cache.root().glob("k_*.py"))
    used = next(path for path in texts if path.read_text() == TEXT)
    for path in texts:
        os.utime(path, (1000, 1000))
    load()
    mine = cache.root() / "mine.tmp.txt"
    mine.write_text("")
    for name, age in [("k_" + "0" * 24 + "x.tmp", 7200), ("k_" + "1" * 24 + "x.tmp", 10)]:
        path = cache.root() / name
        path.write_text("")
        os.utime(path, (time.time() - age,) * 2)
    os.utime(mine, (0, 0))
    monkeypatch.setattr(cache, "MAX_KERNELS", 1)
    cache._sweep(cache.root())
    left = [path.name for path in cache.root().iterdir()]
    assert sorted(left) == sorted(
        [
            "__pycache__",
            "mine.tmp.txt",
            "k_" + "1" * 24 + "x.tmp",
            used.name,
            used.with_suffix(".sum").name,
        ]
    )
    assert not compiled(load())


def test_info_and_clear(home: Path) -> None:
    """The command tells how many kernels there are, and removes them, but no other file."""

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(cli, ["cache", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert "kernels  0, 0.0 MB" in command("info")
    load()
    other = home / "0.0.1-other"
    other.mkdir()
    (other / ("k_" + "0" * 24 + ".py")).write_text("")
    (other / "mine.txt").write_text("")
    text = command("info")
    assert str(cache.root()) in text and "kernels  1," in text and "others   1," in text
    assert '"kernels": 1' in command("info", "--json")
    assert "removed 2 kernels" in command("clear")
    assert [path.name for path in home.rglob("*")] == ["0.0.1-other", "mine.txt"]
    assert "removed 0 kernels" in command("clear")
    load()


def test_command_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to show."""
    homeless(monkeypatch)
    for name in ("info", "clear"):
        done = CliRunner().invoke(cli, ["cache", name])
        assert done.exit_code == 1 and "no home folder" in done.output
