"""``backlit saliency``: the saliency maps of a data set."""

from typing import Any

import click

import backlit as bl
from backlit.cli.inputs import check_place, common_options, explain_to


@click.command("saliency")
@common_options
@click.option("--signed", is_flag=True, help="The signed gradient rather than its magnitude.")
def command(
    model: str,
    data: str,
    out: str,
    target: str,
    limit: int | None,
    signed: bool,
    **options: Any,
) -> None:
    """Write the saliency of each sample, |d score / d input|, as one array.

    MODEL is a saved model (.npz), an ONNX model (.onnx) or the name of a carried one: mnist_fc,
    mnist_cnn, mnist_cnn_wide. DATA is an .npy or .npz, one of MNIST's idx files (.gz too), or
    "mnist", the carried test images; bytes from 0 to 255 are scaled to [0, 1].
    """
    check_place(out, ".npy", ".npz")
    method = bl.gradient if signed else bl.saliency
    explain_to(out, method, model, data, target, limit, **options)
