"""The disk cache of compiled kernels.

Numba's own index stamps a cached function with the content of that function's file only, so a
changed helper or intrinsic in another file would leave stale machine code in use. Here every
state of this package's sources, and every kind of processor, has a folder of its own: a home
folder shared by different machines is safe, and so is a process that still runs older sources.
"""

import hashlib
import itertools
import os
import shutil
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import config
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.registry import cpu_target

PACKAGE = Path(__file__).parent


def source_digest() -> str:
    """Digest of everything that decides what a kernel compiles to, the processor excepted."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    settings = (config.OPT, config.BOUNDSCHECK, numba.__version__, llvmlite.__version__)
    digest.update(repr(settings).encode())
    return digest.hexdigest()


# Taken when the sources are imported: whoever edits them meanwhile changes files, not this process.
IMPORTED_DIGEST = source_digest()


def number_functions_apart() -> None:
    """Let this process number its functions as no other one does.

    Numba counts functions within a process and puts their numbers into the names of machine
    code. Kernels of one family differ in nothing else: two compiled by different processes under
    one number would, loaded from disk into a third, be taken for the same.
    """
    FunctionIdentity._unique_ids = itertools.count(int.from_bytes(os.urandom(6), "big"))


number_functions_apart()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=number_functions_apart)


@cache
def processor_digest() -> str:
    """Digest of the processor that kernels are compiled for."""
    target = cpu_target.target_context.codegen().magic_tuple()
    return hashlib.sha256(repr(target).encode()).hexdigest()[:12]


def candidate_folders() -> list[Path]:
    """Where compiled kernels may be kept, best first."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    install = hashlib.sha256(str(PACKAGE.resolve()).encode()).hexdigest()[:12]
    folders = [Path(chosen) / f"backlit-{install}"] if chosen else []
    folders.append(PACKAGE / "__pycache__")
    folders.append(Path(home) / "backlit" / install)
    name = f"kernels-{processor_digest()}-{IMPORTED_DIGEST[:12]}"
    return [folder / name for folder in folders]


@cache
def cache_folder() -> Path | None:
    """The first candidate that can be written to; None if there is none."""
    for folder in candidate_folders():
        try:
            new = not folder.exists()
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f"probe-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError:
            continue
        if new:
            _remove_old(folder.parent)
        return folder
    return None


def _remove_old(parent: Path) -> None:
    """Remove folders of kernels that nobody has compiled into for a month."""
    for folder in parent.glob("kernels-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > 30 * 24 * 3600:
                shutil.rmtree(folder)


class _KernelLocator(_CacheLocator):
    def __init__(self, folder: Path, function: Any) -> None:
        self._folder = folder
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return IMPORTED_DIGEST

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_KernelLocator | None":
        folder = cache_folder()
        return None if folder is None else cls(folder, py_func)


class _KernelCacheImpl(CompileResultCacheImpl):
    _locator_classes = [_KernelLocator]  # noqa: RUF012 (Numba's way)


class KernelCache(FunctionCache):
    """Numba's function cache, stamped by all kernel sources; a damaged file is recompiled."""

    _impl_class = _KernelCacheImpl

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # truncated or foreign file: compile again and overwrite it
            found = None
        if found is None:
            _announce_compilation()
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        if source_digest() != IMPORTED_DIGEST:
            return  # the sources were edited under us
        try:
            super().save_overload(sig, data)
        except OSError:  # the disk is full or went read-only: run uncached
            return


def kernel_cache(function: Any) -> KernelCache | None:
    """A disk cache for a function, or None where nothing can be written."""
    if cache_folder() is None:
        _announce_compilation()
        return None
    return KernelCache(function)


@cache
def _announce_compilation() -> None:
    print(
        "backlit: compiling kernels for this processor (once, about ten seconds) ...",
        file=sys.stderr,
        flush=True,
    )
