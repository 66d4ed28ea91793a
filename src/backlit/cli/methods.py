"""``backlit methods``: the table of methods."""

import click

from backlit.attribution.method_table import METHODS


@click.command("methods")
def command() -> None:
    """List the attribution methods, the other names they go by, and what each does."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("method", no_wrap=True, min_width=max(map(len, METHODS)))
    table.add_column("also")
    table.add_column("what it is")
    for name, entry in sorted(METHODS.items()):
        table.add_row(name, ", ".join(entry.aliases), entry.summary)
    console = Console()
    if not console.is_terminal:
        console.width = 1000  # one line each, for other programs
    console.print(table, soft_wrap=not console.is_terminal)
