"""Kernel text in, a compiled function out; kept on disk so that a second process compiles nothing.

The folder is the user's own (mode 0700, owner checked), for Numba's cache is a pickle, which runs
code when read. Files are named by their content and never rewritten; a checksum beside Numba's
files catches a damaged cache before it is read. Whatever goes wrong with the cache, the kernel is
compiled without it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "TENSORCALC_CACHE_DIR"
STALE_SECONDS = 3600  # a temporary file older than this was left by a process that died
MAX_KERNELS = 4000  # in the folder; the oldest go first

_lock = threading.Lock()
_loaded: dict[str, Callable[..., Any]] = {}  # compiled code is never freed, so neither is this


class CacheWarning(UserWarning):
    """The kernel cache cannot be used; kernels are compiled anew in every process."""


def root() -> Path:
    """The folder of the cache, whether it exists or not."""
    import llvmlite.binding
    import numba
    import platformdirs

    from tensorcalc._version import __version__

    base = os.environ.get(VARIABLE) or platformdirs.user_cache_dir("tensorcalc")
    python = platform.python_version()
    cpu = llvmlite.binding.get_host_cpu_name()
    parts = [__version__, numba.__version__, llvmlite.__version__, python, platform.machine(), cpu]
    return Path(base) / "-".join(parts)


@cache
def _folder(path: Path) -> Path | None:
    """The folder, made private; None (with one warning) if it cannot be ours."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise OSError(f"{path} is not a folder")
        if hasattr(os, "getuid") and found.st_uid != os.getuid():
            raise OSError(f"{path} belongs to another user")
        if found.st_mode & 0o022:  # whoever wrote there before could run code here
            raise OSError(f"others can write to {path}")
        if found.st_mode & 0o077:
            path.chmod(0o700)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        warnings.warn(
            f"kernels are not kept on disk: {error}; set {VARIABLE} to a folder of yours",
            CacheWarning,
            stacklevel=4,
        )
        return None
    _sweep(path)
    return path


def _sweep(path: Path) -> None:
    """Remove what dead processes left, and the oldest kernels beyond `MAX_KERNELS`."""
    now = time.time()
    try:
        for left in [*path.glob("*.tmp*"), *path.glob("__pycache__/*.tmp*")]:
            if now - left.stat().st_mtime > STALE_SECONDS:
                left.unlink(missing_ok=True)
        kernels = sorted(path.glob("k_*.py"), key=lambda p: p.stat().st_mtime)
        for old in kernels[: max(0, len(kernels) - MAX_KERNELS)]:
            _forget(old)
            old.unlink(missing_ok=True)
    except OSError:
        pass  # another process sweeps at the same time


@cache
def helpers_digest() -> str:
    """A digest of the source of every kernel helper: their change makes new kernels."""
    import tensorcalc.kernels

    digest = hashlib.sha256()
    for file in sorted(Path(tensorcalc.kernels.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def load(text: str) -> Callable[..., Any]:
    """The compiled ``kernel`` of a module text made by `module.kernel_module`."""
    with _lock:  # Numba compiles one at a time anyway
        if text not in _loaded:
            _loaded[text] = _load(text)
        return _loaded[text]


def _load(text: str) -> Callable[..., Any]:
    name = "k_" + hashlib.sha256(text.encode()).hexdigest()[:24]
    folder = _folder(root())
    if folder is not None:
        try:
            return _load_cached(folder / f"{name}.py", text)
        except OSError:
            pass  # a full disk, or one that went away
    return _load_uncached(name, text)


def _load_cached(path: Path, text: str) -> Callable[..., Any]:
    if not path.exists() or path.read_text() != text:
        write(path, text)
    if not _checksum_fits(path):
        _forget(path)
    try:
        kernel = _execute(str(path), text)
    except OSError:
        raise
    except Exception:  # whatever a damaged cache makes Numba or pickle raise
        _forget(path)
        kernel = _execute(str(path), text)
    if not _checksum_fits(path):
        write(_checksum(path), _digest(path))
    return kernel


def _load_uncached(name: str, text: str) -> Callable[..., Any]:
    return _execute(f"<{name}>", text.replace("cache=True", "cache=False"))


def _execute(file: str, text: str) -> Callable[..., Any]:
    """The ``kernel`` of a module text; no .pyc is involved, as that is keyed by a coarse time."""
    module = ModuleType(Path(file).stem.strip("<>"))
    sys.modules[module.__name__] = module  # Numba's cache finds the globals again by this name
    exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - what `source.check` passed
    return module.kernel  # type: ignore[no-any-return]


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _numba_files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"__pycache__/{path.stem}.*.nb?"))


def _checksum(path: Path) -> Path:
    return path.with_suffix(".sum")


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for file in _numba_files(path):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _checksum_fits(path: Path) -> bool:
    try:
        return _checksum(path).read_text() == _digest(path)
    except (OSError, ValueError):
        return False


def _forget(path: Path) -> None:
    """Remove what Numba kept for a kernel."""
    for file in [*_numba_files(path), _checksum(path)]:
        file.unlink(missing_ok=True)
