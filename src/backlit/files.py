"""Files that are never seen half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place beside `path` to write to; renamed to `path` at the end, removed on an error.

    The place keeps the file's suffix, as many writers choose the format by it.
    """
    final = Path(path)
    aside = final.with_name(f".{final.stem}.{os.getpid()}{final.suffix}")
    try:
        yield aside
        os.replace(aside, final)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
