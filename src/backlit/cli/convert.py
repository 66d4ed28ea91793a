"""``backlit convert``: a model in another format."""

from typing import Any

import click
import numpy as np

from backlit.cli.inputs import check_place, find_model
from backlit.files import read_array
from backlit.storage import save


@click.command("convert")
@click.argument("model")
@click.argument("out")
@click.option("--output", help="Of an ONNX model with several outputs, the one to keep.")
@click.option(
    "--input-shape", help="Of one sample, such as 3,224,224, where the model leaves it open."
)
@click.option(
    "--constant",
    "constants",
    multiple=True,
    metavar="NAME=FILE.npy",
    help="Values for one of several inputs of an ONNX model; may be given again.",
)
@click.option("--half", is_flag=True, help="Store weights as float16 (.npz).")
def command(
    model: str,
    out: str,
    output: str | None,
    input_shape: str | None,
    constants: tuple[str, ...],
    half: bool,
) -> None:
    """Write a model in another format.

    MODEL is a saved model (.npz), an ONNX model (.onnx) or the name of a carried one: mnist_fc,
    mnist_cnn, mnist_cnn_wide. OUT ends in .npz or .onnx.
    """
    check_place(out, ".npz", ".onnx")
    options: dict[str, Any] = {}
    if output is not None:
        options["output"] = output
    if input_shape is not None:
        options["input_shape"] = sizes(input_shape)
    if constants:
        options["constants"] = dict(map(named_array, constants))
    save(find_model(model, **options), out, half=half)
    click.echo(f"{model} written to {out}")


def sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"--input-shape must be ints such as 3,224,224, got {text!r}"
        ) from None


def named_array(text: str) -> tuple[str, np.ndarray]:
    name, _, path = text.partition("=")
    if not name or not path:
        raise click.UsageError(f"--constant must be NAME=FILE.npy, got {text!r}")
    return name, read_array(path)
