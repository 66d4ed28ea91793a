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
from numba.core.runtime import rtsys

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


@cache
def stocked_folders() -> list[Path]:
    """Those before it, of read-only installs, that hold kernels which were compiled earlier."""
    stocked = []
    for folder in candidate_folders():
        if folder == cache_folder():
            break
        with suppress(OSError):
            stocked += [folder] if any(folder.iterdir()) else []
    return stocked


def _remove_old(parent: Path) -> None:
    """Remove folders of kernels that nobody has compiled into for a month."""
    for folder in parent.glob("kernels-*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > 30 * 24 * 3600:
                shutil.rmtree(folder)


class _KernelLocator(_CacheLocator):
    folder: Path

    def __init__(self, function: Any) -> None:
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(self.folder)

    def get_source_stamp(self) -> str:
        return IMPORTED_DIGEST

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> "_KernelLocator":
        return cls(py_func)


@cache
def _numba_cache(folder: Path) -> type[FunctionCache]:
    """Numba's function cache, stamped by all kernel sources, in a folder."""
    locator = type("Locator", (_KernelLocator,), {"folder": folder})
    implementation = type("Impl", (CompileResultCacheImpl,), {"_locator_classes": [locator]})
    return type("FolderCache", (FunctionCache,), {"_impl_class": implementation})


class KernelCache:
    """What Numba asks of a cache: kernels are loaded from several folders, and saved to one.

    A damaged file is recompiled.
    """

    def __init__(self, function: Any) -> None:
        own = cache_folder()
        self._own = None if own is None else _numba_cache(own)(function)
        self._all = [_numba_cache(folder)(function) for folder in stocked_folders()]
        if self._own is not None:
            self._all.append(self._own)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba's own `load_overload` imports, before it, all that is needed to compile: 0.2 seconds
        rtsys.initialize(target_context)
        for one in self._all:
            with suppress(Exception):  # truncated or foreign file: compile again, overwrite it
                found = one._load_overload(sig, target_context)
                if found is not None:
                    return found
        announce_compilation()
        return None

    def holds_one(self) -> bool:
        """Whether there seems to be something to load."""
        return any(os.path.exists(one._cache_file._index_path) for one in self._all)

    def save_overload(self, sig: Any, data: Any) -> None:
        if source_digest() != IMPORTED_DIGEST:
            return  # the sources were edited under us
        if self._own is None:
            return
        try:
            self._own.save_overload(sig, data)
        except OSError:
            return  # the disk is full or went read-only: run uncached
        except Exception:
            with suppress(Exception):
                os.remove(self._own._cache_file._index_path)  # it is damaged: begin a new one
                self._own.save_overload(sig, data)


@cache
def announce_compilation() -> None:
    """Say, once, that compiling is what takes long."""
    kept = "kept for later, some seconds for all that a method needs"
    if cache_folder() is None:
        kept = "each time, as no folder to keep them in can be written: set NUMBA_CACHE_DIR"
    print(
        f"backlit: compiling kernels for this processor ({kept}) ...",
        file=sys.stderr,
        flush=True,
    )
