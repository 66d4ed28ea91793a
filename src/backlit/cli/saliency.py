"""``backlit saliency``: the saliency maps of a data set."""

from typing import Any

import click

import backlit as bl
from backlit.cli.inputs import (
    as_taken,
    check_place,
    common_options,
    find_model,
    read_samples,
    write_maps,
)
from backlit.words import counted


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
    "mnist", the carried test images.
    """
    check_place(out, ".npy", ".npz")
    method = bl.gradient if signed else bl.saliency
    X, targets = read_samples(data, limit, target)
    explained = find_model(model)
    maps = method(explained, as_taken(explained, X), targets, progress=True, **options)
    write_maps(out, maps)
    click.echo(f"{counted(len(maps), 'map')} of shape {maps.shape[1:]} written to {out}")
