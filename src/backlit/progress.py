"""The progress bar that methods show when asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(total: int, label: str, shown: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar on standard error; gives a callable that takes the number of things done.

    It stays when all is done, with the time that took; on an error it vanishes.
    """
    if not shown:
        yield None
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
        try:
            yield lambda done: progress.advance(task, done)
        except BaseException:
            progress.live.transient = True
            console.quiet = not console.is_interactive  # a file gets no empty line either
            raise
