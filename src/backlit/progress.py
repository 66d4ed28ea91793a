"""The progress bar that methods show when asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Advance = Callable[[int], None]  # by a number of things done
_open: ContextVar[Advance | None] = ContextVar("open", default=None)


@contextmanager
def progress_bar(total: int, label: str, shown: bool) -> Iterator[Advance | None]:
    """A bar on standard error; gives a callable that takes the number of things done.

    It stays when all is done, with the time that took; on an error it vanishes. What would be a
    bar within another one moves that one, whose total is the sum of theirs.
    """
    if not shown or (outer := _open.get()) is not None:
        yield outer if shown else None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=total)

        def advance(done: int) -> None:
            progress.advance(task, done)

        _open.set(advance)
        try:
            yield advance
        except BaseException:
            progress.live.transient = True
            console.quiet = not console.is_interactive  # a file gets no empty line either
            raise
        finally:
            _open.set(None)
