"""Layers: products, pooling, normalisation."""

import numpy as np

from backlit.exporters.onnx.writing import Writer, form
from backlit.graph import Node
from backlit.layers import (
    AvgPool2D,
    BatchNorm,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    MaxPool2D,
)


@form(Dense)
def dense(writer: Writer, node: Node) -> str:
    layer = node.layer
    assert isinstance(layer, Dense)
    weights, bias = _parameters(writer, weights=layer.weights, bias=layer.bias)
    if len(writer.graph.shapes[node.output]) == 1:
        return writer.emit("Gemm", writer.input(node), weights, bias)
    product = writer.emit("MatMul", writer.input(node), weights)
    return writer.emit("Add", product, bias)


@form(Conv2D)
def convolution(writer: Writer, node: Node) -> str:
    return _convolution(writer, node, "Conv")


@form(ConvTranspose2D)
def transposed_convolution(writer: Writer, node: Node) -> str:
    assert isinstance(node.layer, ConvTranspose2D)
    return _convolution(
        writer, node, "ConvTranspose", output_padding=list(node.layer.output_padding)
    )


def _convolution(writer: Writer, node: Node, kind: str, **more: list[int]) -> str:
    layer = node.layer
    assert isinstance(layer, Conv2D | ConvTranspose2D)
    return writer.emit(
        kind,
        writer.input(node),
        *_parameters(writer, weights=layer.weights, bias=layer.bias),
        kernel_shape=list(layer.weights.shape[2:]),
        strides=list(layer.stride),
        pads=list(layer.padding),
        dilations=list(layer.dilation),
        group=layer.groups,
        **more,
    )


@form(BatchNorm)
def batch_norm(writer: Writer, node: Node) -> str:
    layer = node.layer
    assert isinstance(layer, BatchNorm)
    parameters = _parameters(
        writer, gamma=layer.gamma, beta=layer.beta, mean=layer.mean, variance=layer.variance
    )
    return writer.emit("BatchNormalization", writer.input(node), *parameters, epsilon=layer.epsilon)


def _parameters(writer: Writer, **arrays: np.ndarray) -> list[str]:
    return [writer.constant(name, array) for name, array in arrays.items()]


@form(Flatten)
def flatten(writer: Writer, node: Node) -> str:
    return writer.emit("Flatten", writer.input(node), axis=1)


# --- pooling ------------------------------------------------------------------------------------


@form(GlobalAvgPool2D)
def global_average(writer: Writer, node: Node) -> str:
    return writer.emit("GlobalAveragePool", writer.input(node))


@form(MaxPool2D)
def max_pool(writer: Writer, node: Node) -> str:
    layer = node.layer
    assert isinstance(layer, MaxPool2D)
    before, after, missing = _padding(writer, node)
    ends = [p + m for p, m in zip(after, missing, strict=True)]
    return _pool(writer, writer.input(node), "MaxPool", layer, [*before, *ends])


@form(AvgPool2D)
def average_pool(writer: Writer, node: Node) -> str:
    layer, x = node.layer, writer.input(node)
    assert isinstance(layer, AvgPool2D)
    before, after, missing = _padding(writer, node)
    counted = layer.count_include_pad
    if counted and any(missing):
        # the layer's padding counts, but what a last window lacks beyond it does not
        if any((*before, *after)):
            pads = writer.integers("padding", [0, 0, *before, 0, 0, *after])
            x = writer.emit("Pad", x, pads)
        before, after, counted = [0, 0], [0, 0], False
    ends = [p + m for p, m in zip(after, missing, strict=True)]
    return _pool(writer, x, "AveragePool", layer, [*before, *ends], count_include_pad=int(counted))


def _padding(writer: Writer, node: Node) -> tuple[list[int], list[int], list[int]]:
    """Padding before, after, and what the last windows lack then, along each axis.

    Written out as padding, as versions of ONNX differ in what ``ceil_mode`` means.
    """
    layer, shape = node.layer, writer.shape(node)
    assert isinstance(layer, MaxPool2D | AvgPool2D)
    counts = writer.graph.shapes[node.output][1:]
    before, after = list(layer.padding[:2]), list(layer.padding[2:])
    ends = [
        (n - 1) * step + size
        for n, step, size in zip(counts, layer.stride, layer.size, strict=True)
    ]
    there = [n + p + q for n, p, q in zip(shape[1:], before, after, strict=True)]
    missing = [max(end - n, 0) for end, n in zip(ends, there, strict=True)]
    return before, after, missing


def _pool(
    writer: Writer,
    x: str,
    kind: str,
    layer: MaxPool2D | AvgPool2D,
    padding: list[int],
    **more: int,
) -> str:
    size, stride = list(layer.size), list(layer.stride)
    return writer.emit(kind, x, kernel_shape=size, strides=stride, pads=padding, **more)
