"""Kernel text in, a compiled function out; kept on disk so that a second process compiles nothing.

The folder is the user's own (mode 0700, owner checked), for Numba's cache is a pickle, which runs
code when read; its name has all that decides on the machine code beside a kernel's text. Files are
named by their content and never rewritten; a checksum beside Numba's files catches a damaged cache
before it is read. Whatever goes wrong with the cache, the kernel is compiled without it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import signal
import stat
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

VARIABLE = "TENSORCALC_CACHE_DIR"
STALE_SECONDS = 3600  # a temporary file older than this was left by a process that died
MAX_KERNELS = 4000  # in the folder; those that were not used for longest go first
KERNEL = re.compile(r"k_[0-9a-f]{24}")  # how the name of every file of a kernel starts

# settings of Numba (from NUMBA_… in the environment, or a file) that change the code it makes
SETTINGS = (
    "BOUNDSCHECK CPU_FEATURES CPU_NAME DEBUGINFO_DEFAULT DEBUG_NRT DISABLE_INTEL_SVML ENABLE_AVX "
    "ENABLE_PROFILING EXTEND_VARIABLE_LIFETIMES LLVM_REFPRUNE_FLAGS LLVM_REFPRUNE_PASS "
    "LOOP_VECTORIZE NRT_STATS OPT SLP_VECTORIZE USING_SVML"
).split()
# those that kernels must not follow: where the cache is, and that nothing is compiled, for the
# helpers have no other form
OURS = {"CACHE_DIR": "", "CACHE_LOCATOR_CLASSES": "InTreeCacheLocator", "DISABLE_JIT": 0}

_lock = threading.RLock()
_loaded: dict[str, Callable[..., Any]] = {}  # compiled code is never freed, so neither is this

if hasattr(os, "register_at_fork"):  # a child that was forked during a compilation would wait for
    # its end for ever
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


class CacheWarning(UserWarning):
    """The kernel cache cannot be used; kernels are compiled anew in every process."""


def base() -> Path:
    """The folder of all kernels of this user, whatever they were compiled with.

    Raises
    ------
    OSError
        If there is no home for it.
    """
    import platformdirs

    given = os.environ.get(VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    found = Path(platformdirs.user_cache_dir("tensorcalc"))
    if not found.is_absolute():  # never into the current folder
        raise OSError("you have no home folder")
    return found


def root() -> Path:
    """The folder of the cache for this machine and these versions, whether it exists or not."""
    import llvmlite
    import numba

    from tensorcalc._version import __version__

    python = platform.python_version()
    versions = [__version__, numba.__version__, llvmlite.__version__, python, platform.machine()]
    return base() / "-".join([*versions, *_target()])


def files(folder: Path) -> list[Path]:
    """The files of the kernels of one target; nothing else that lies in its folder."""
    found = [*folder.glob("k_*"), *folder.glob("__pycache__/k_*")]
    return [path for path in found if KERNEL.match(path.name) and path.is_file()]


def targets() -> list[Path]:
    """The folders of all targets: processors, versions and settings."""
    if not base().is_dir():
        return []
    return sorted(path for path in base().iterdir() if path.is_dir() and not path.is_symlink())


def clear() -> int:
    """Remove the kernels of this user, and nothing else; how many there were."""
    count = 0
    for folder in targets():
        for path in files(folder):
            path.unlink(missing_ok=True)
            count += path.suffix == ".py"
        for empty in (folder / "__pycache__", folder):
            with suppress(OSError):  # it is not there, or holds something else
                empty.rmdir()
    return count


def _target() -> tuple[str, str]:
    """The processor that code is made for, and a digest of its features and of Numba's settings."""
    import llvmlite.binding
    from numba import config

    config.reload_config()  # type: ignore[no-untyped-call]
    features = llvmlite.binding.get_host_cpu_features().flatten()
    settings = [f"{name}={getattr(config, name, None)!r}" for name in SETTINGS]
    facts = "\n".join([llvmlite.binding.get_process_triple(), sys.abiflags, features, *settings])
    return llvmlite.binding.get_host_cpu_name(), hashlib.sha256(facts.encode()).hexdigest()[:12]


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
        above = path.parent.stat().st_mode
        if above & stat.S_IWOTH and not above & stat.S_ISVTX:  # they could put another in its place
            raise OSError(f"others can write to {path.parent}")
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        _warn(error)
        return None
    _sweep(path)
    return path


def _warn(error: OSError) -> None:
    warnings.warn(
        f"kernels are not kept on disk: {error}; set {VARIABLE} to a folder of yours",
        CacheWarning,
        stacklevel=5,
    )


def _sweep(path: Path) -> None:
    """Remove what dead processes left, and the oldest kernels beyond `MAX_KERNELS`."""
    now = time.time()
    try:
        for left in files(path):
            if ".tmp" in left.name and now - left.stat().st_mtime > STALE_SECONDS:
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
    found = _loaded.get(text)
    if found is None:
        with _lock, _interrupts_held():  # Numba compiles one at a time anyway
            found = _loaded.get(text)
            if found is None:
                found = _loaded[text] = _load(text)
    return found


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C counts after the block: amid LLVM's work it would be lost in a callback of ctypes."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    held: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda *received: held.append(received))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])


def _load(text: str) -> Callable[..., Any]:
    name = "k_" + hashlib.sha256(text.encode()).hexdigest()[:24]
    folder = _private()
    if folder is not None:
        with suppress(Exception):  # a full disk, or a folder that went away or cannot be read
            return _load_cached(folder / f"{name}.py", text)
    return _execute(f"<{name}>", text.replace("cache=True", "cache=False"))


@cache
def _homeless() -> None:
    """Warn, once."""
    try:
        base()
    except OSError as error:
        _warn(error)


def _private() -> Path | None:
    """The folder to use, if there is one."""
    try:
        path = root()
    except OSError:
        _homeless()
        return None
    return _folder(path)


def _load_cached(path: Path, text: str) -> Callable[..., Any]:
    if not path.exists() or path.read_bytes() != text.encode():
        write(path, text)
    fits = _checksum_fits(path)
    if fits:
        with suppress(OSError):
            os.utime(path)  # the kernels that were not used for longest go first
    else:
        _forget(path)
    try:
        kernel = _execute(str(path), text)
    except OSError:
        raise
    except Exception:  # whatever a damaged cache makes Numba or pickle raise
        _forget(path)
        kernel = _execute(str(path), text)
    if not fits:
        with suppress(OSError):  # another process may write the same files
            write(_checksum(path), _digest(path))
    return kernel


def _execute(file: str, text: str) -> Callable[..., Any]:
    """The ``kernel`` of a module text; no .pyc is involved, as that is keyed by a coarse time."""
    module = ModuleType(Path(file).stem.strip("<>"))
    sys.modules[module.__name__] = module  # Numba's cache finds the globals again by this name
    with _our_settings():
        exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - what `source.check` passed
    return module.kernel  # type: ignore[no-any-return]


@contextmanager
def _our_settings() -> Iterator[None]:
    """Numba with the settings `OURS`; those from the environment after it."""
    from numba import config

    config.reload_config()  # type: ignore[no-untyped-call]
    before = {name: getattr(config, name) for name in OURS if hasattr(config, name)}
    for name in before:
        setattr(config, name, OURS[name])
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(config, name, value)


def write(path: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
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
        return _checksum(path).read_bytes() == _digest(path).encode()
    except OSError:
        return False


def _forget(path: Path) -> None:
    """Remove what Numba kept for a kernel."""
    for file in [*_numba_files(path), _checksum(path)]:
        file.unlink(missing_ok=True)
