"""What several commands take and write."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from backlit.files import replacing
from backlit.model import Model
from backlit.models import NAMES, carried
from backlit.sources import read, read_targets
from backlit.storage import load, only_onnx_takes
from backlit.words import counted

CLASSES = re.compile("-?[0-9]{1,18}(,-?[0-9]{1,18})*")


def common_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """MODEL, DATA, and the options that all attribution commands share."""
    for option in reversed(
        [
            click.argument("model"),
            click.argument("data"),
            click.option("-o", "--out", required=True, help="Where to write: .npy or .npz."),
            click.option(
                "--target",
                default="predicted",
                show_default=True,
                help="What to explain: a class, a list such as 3,1,4 or a file with one for each "
                "sample (.npy, or idx as MNIST's labels), the data set's own labels, or what is "
                "predicted.",
            ),
            click.option(
                "--score",
                type=click.Choice(["logit", "log_probability", "probability", "loss"]),
                default="logit",
                show_default=True,
                help="What is explained.",
            ),
            click.option("--threads", type=click.IntRange(1), help="Default: the cores at hand."),
            click.option("--limit", type=click.IntRange(1), help="Only so many samples."),
        ]
    ):
        function = option(function)
    return function


def find_model(name: str, **options: Any) -> Model:
    """A carried model by its name, or one saved at a path; `options` as for `backlit.load`."""
    if name in NAMES:
        if options:
            raise ValueError(only_onnx_takes(options))
        return carried(name)
    if not name or not Path(name).exists():
        names = ", ".join(NAMES)
        raise FileNotFoundError(f"no file is named {name!r}, and no carried model: {names}")
    return load(name, **options)


def read_samples(data: str, limit: int | None, target: str) -> tuple[np.ndarray, Any]:
    """The samples of a data set, and their targets as `backlit.saliency` takes them."""
    source = read(data)
    X = source.X[:limit]
    if target == "predicted":
        return X, None
    if target == "labels":
        if source.y is None:
            raise ValueError(f"--target labels: {data!r} holds no labels")
        return X, source.y[:limit]
    if CLASSES.fullmatch(target):
        classes = [int(word) for word in target.split(",")]
        if len(classes) == 1:
            return X, classes[0]
        targets = np.array(classes)
    elif os.path.isfile(target):
        targets = read_targets(target)
    else:
        raise click.UsageError(
            "--target must be a class, a list of classes, a file of them, 'labels' or "
            f"'predicted', got {target!r}"
        )
    if targets.shape != (len(source.X),) and targets.shape != (len(X),):
        raise ValueError(
            f"--target must hold a class for each of {len(X)} samples, got shape {targets.shape}"
        )
    return X, targets[:limit]


def as_taken(model: Model, X: np.ndarray) -> np.ndarray:
    """Samples with their channels where the model has them; grey pictures with their one.

    What does not fit by that is left for the model to refuse.
    """
    there, here = (1, -1) if model.channels_last else (-1, 1)
    moved = X
    if X.ndim == 3:
        moved = np.expand_dims(X, here)
    elif X.ndim == 4 and X.shape[1:] != model.input_shape:
        moved = np.moveaxis(X, there, here)
    return moved if moved.shape[1:] == model.input_shape else X


def check_place(out: str, *endings: str) -> None:
    """Before any work is done: can the result be written there?"""
    if not out.lower().endswith(endings):
        raise click.UsageError(f"what is written must end in {' or '.join(endings)}, got {out!r}")
    if Path(out).is_dir():
        raise click.UsageError(f"what is written must be a file, but {out!r} is a folder")
    folder = Path(out).resolve().parent
    if not folder.is_dir():
        raise click.UsageError(f"there is no folder for {out!r}")
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"nothing can be written to the folder of {out!r}")


def explain_to(
    out: str,
    method: Callable[..., Any],
    model: str,
    data: str,
    target: str,
    limit: int | None,
    /,
    **options: Any,
) -> None:
    """Write a method's maps of a data set, and say so."""
    X, targets = read_samples(data, limit, target)
    explained = find_model(model)
    maps = np.asarray(method(explained, as_taken(explained, X), targets, progress=True, **options))
    write_maps(out, maps)
    click.echo(f"{counted(len(maps), 'map')} of shape {maps.shape[1:]} written to {out}")


def write_maps(out: str, maps: np.ndarray) -> None:
    """An ``.npy``, or an ``.npz`` with the maps under ``attributions``; written aside first."""
    with replacing(out) as aside, open(aside, "wb") as file:
        if out.lower().endswith(".npy"):
            np.save(file, maps)
        else:
            np.savez_compressed(file, attributions=maps)
