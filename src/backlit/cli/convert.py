"""``backlit convert``: a model in another format."""

import click

from backlit.cli.inputs import check_place, find_model
from backlit.storage import save


@click.command("convert")
@click.argument("model")
@click.argument("out")
@click.option("--half", is_flag=True, help="Store weights as float16 (.npz).")
def command(model: str, out: str, half: bool) -> None:
    """Write a model in another format.

    MODEL is a saved model (.npz), an ONNX model (.onnx) or the name of a carried one: mnist_fc,
    mnist_cnn, mnist_cnn_wide. OUT ends in .npz or .onnx.
    """
    check_place(out, ".npz", ".onnx")
    save(find_model(model), out, half=half)
    click.echo(f"{model} written to {out}")
