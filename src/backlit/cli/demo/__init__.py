"""``backlit demo``: the whole MNIST test set through two models, with pictures and a page."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

import backlit as bl
from backlit import metrics
from backlit.cli.demo.all_methods import explain_by_all
from backlit.cli.demo.findings import Summary, describe
from backlit.cli.demo.page import write_page
from backlit.cli.demo.pictures import draw, every_method, one_of_each, write_picture
from backlit.cli.inputs import check_place
from backlit.files import replacing

MODELS = ("mnist_fc", "mnist_cnn")
DIGITS = 8  # that every method explains
BACKGROUND = 10  # images that some methods compare with


@click.command("demo")
@click.option("--out", default="backlit-demo", show_default=True, help="Folder to write to.")
@click.option("--threads", type=click.IntRange(1), help="Default: the cores at hand.")
@click.option("--limit", type=click.IntRange(2), help="Only so many images.")
def command(out: str, threads: int | None, limit: int | None) -> None:
    """Saliency of MNIST's 10,000 test images for a dense and a convolutional network.

    Prints a table and what the comparison found; writes the maps (.npz), pictures (.png) and a
    page that shows them, index.html.
    """
    from rich.console import Console

    console = Console(highlight=False)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    check_place(str(folder / "index.html"), ".html")
    X, y = (array[:limit] for array in bl.datasets.mnist())
    models = {name: bl.models.carried(name) for name in MODELS}

    maps, summaries = {}, []
    for name, model in models.items():
        maps[name], seconds = explained(model, X, threads)
        summaries.append(
            Summary(
                name,
                model.predict(X, threads=threads) == y,
                len(X) / seconds,
                metrics.focus(maps[name], X),
                metrics.gini(maps[name]),
            )
        )
        total = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
        console.print(f"{name}: {len(X)} maps in [bold]{total}[/bold]")
    agreement = metrics.map_agreement(*maps.values())
    columns, rows = tabulate(summaries, agreement)
    print_table(console, columns, rows)
    findings = describe(summaries[0], summaries[1], agreement)
    for sentence in findings:
        console.print(sentence)

    with console.status("drawing"):
        page = partial(
            write_page,
            folder / "index.html",
            title="Where do two MNIST classifiers look?",
            subtitle=f"Saliency, |d logit / d pixel|, of {len(X)} test images.",
            findings=findings,
            table={"columns": columns, "rows": rows},
            arrays=[write_array(folder, name, array) for name, array in maps.items()],
        )
        pictures = [write_picture(folder, picture) for picture in draw(models, X, y)]
        page(pictures=pictures)
    console.print(f"\nWritten to [bold]{folder}[/bold]: open {folder / 'index.html'}")
    digits = X[one_of_each(y)][:DIGITS]
    by_all = explain_by_all(models, digits, X[-BACKGROUND:], threads)
    with console.status("drawing"):
        sheet = every_method(digits, by_all)
        page(pictures=[*pictures, write_picture(folder, sheet)])
    console.print(f"The page has {sheet.title[0].lower()}{sheet.title[1:]} now, too.")


def explained(model: bl.Model, X: np.ndarray, threads: int | None) -> tuple[np.ndarray, float]:
    """The maps, and how long they took once kernels were compiled."""
    maps = np.empty_like(X)
    bl.saliency(model, X[: min(len(X), 64)], threads=threads)  # compiles, on a fresh machine
    begin = time.perf_counter()
    bl.saliency(model, X, threads=threads, progress=True, out=maps)
    return maps, time.perf_counter() - begin


def tabulate(summaries: list[Summary], agreement: np.ndarray) -> tuple[list[str], list[list[str]]]:
    """The table's columns, and its rows with their names first."""

    def row(name: str, value: Callable[[Summary], str]) -> list[str]:
        return [name, *(value(summary) for summary in summaries)]

    rows = [
        row("accuracy", lambda s: f"{s.accuracy:.2%}"),
        row("wrong", lambda s: f"{s.wrong}"),
        row("images per second", lambda s: f"{s.rate:,.0f}"),
        row("focus: map's mass on the stroke", lambda s: f"{s.focus.share.mean():.1%}"),
        row("expected of an even map", lambda s: f"{s.focus.expected.mean():.1%}"),
        row("concentration (Gini)", lambda s: f"{s.concentration.mean():.3f}"),
        row("agreement of the two (rank correlation)", lambda s: f"{agreement.mean():.3f}"),
    ]
    return [summary.name for summary in summaries], rows


def print_table(console: Any, columns: list[str], rows: list[list[str]]) -> None:
    from rich.table import Table

    table = Table("", box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    console.print()
    console.print(table)
    console.print()


def write_array(folder: Path, name: str, maps: np.ndarray) -> str:
    file_name = f"{name}_saliency.npz"
    with replacing(folder / file_name) as aside, open(aside, "wb") as file:
        np.savez(file, attributions=maps)
    return file_name
