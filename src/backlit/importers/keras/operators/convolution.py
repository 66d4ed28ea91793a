"""Convolutions."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, products
from backlit.importers.builder.windows import same_padding
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.activations import activate
from backlit.importers.keras.operators.table import (
    constant,
    kernel,
    layer,
    operation,
    optional,
    pair,
)


def convolve(
    b: KerasBuilder, layer: Any, x: Tensor, weights: np.ndarray, bias: np.ndarray | None
) -> Tensor:
    """The convolution of a layer's stride, padding and dilation; weights are (out, in, ...)."""
    size = weights.shape[2:]
    axes = len(size)
    stride, dilation = pair(layer.strides, axes), pair(layer.dilation_rate, axes)
    padding = [0] * 2 * axes
    if layer.padding == "same":
        padding = same_padding(x.shape[2:], size, stride, dilation)
    elif layer.padding == "causal":
        padding[0] = (size[0] - 1) * dilation[0]
    if x.number in b.padded:
        x, zeros = b.padded[x.number]
        padding = [own + more for own, more in zip(padding, zeros, strict=True)]
    groups = x.shape[1] // weights.shape[1]
    return products.convolution(b, x, weights, bias, stride, padding, dilation, groups)


def channels_first(weights: np.ndarray) -> np.ndarray:
    """Keras's (..., in, out) as (out, in, ...)."""
    return np.moveaxis(weights, (-1, -2), (0, 1))


def depthwise_weights(weights: np.ndarray) -> np.ndarray:
    """Keras's (..., in, multiplier) as (in * multiplier, 1, ...)."""
    together = weights.reshape(*weights.shape[:-2], 1, -1)
    return channels_first(together)


@operation("Conv")
def convolution_operation(b: KerasBuilder, op: Any, x: Tensor, weights: Any) -> Tensor:
    return _by_weights(b, op, x, channels_first(constant(weights, "a kernel")))


@operation("DepthwiseConv")
def depthwise_operation(b: KerasBuilder, op: Any, x: Tensor, weights: Any) -> Tensor:
    return _by_weights(b, op, x, depthwise_weights(constant(weights, "a kernel")))


def _by_weights(b: KerasBuilder, op: Any, x: Tensor, weights: np.ndarray) -> Tensor:
    order = op.data_format or "channels_last"
    options = SimpleNamespace(
        strides=op.strides, dilation_rate=op.dilation_rate, padding=op.padding.lower()
    )
    result = convolve(b, options, layout.images(b, x, order), weights, None)
    return layout.from_images(b, result, order)


@layer("Conv1D", "Conv2D")
def convolution(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    weights = channels_first(kernel(layer))
    result = convolve(b, layer, image, weights, optional(layer.bias))
    return activate(b, layout.from_images(b, result, layer.data_format), layer.activation)


@layer("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    weights = depthwise_weights(kernel(layer))
    result = convolve(b, layer, image, weights, optional(layer.bias))
    return activate(b, layout.from_images(b, result, layer.data_format), layer.activation)


@layer("SeparableConv1D", "SeparableConv2D")
def separable(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    middle = convolve(b, layer, image, depthwise_weights(kernel(layer, "depthwise_kernel")), None)
    mixing = channels_first(kernel(layer, "pointwise_kernel"))
    axes = mixing.ndim - 2
    one, none = (1,) * axes, (0,) * 2 * axes
    result = products.convolution(b, middle, mixing, optional(layer.bias), one, none, one)
    return activate(b, layout.from_images(b, result, layer.data_format), layer.activation)


@layer("Conv1DTranspose", "Conv2DTranspose")
def transposed(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    weights = channels_first(kernel(layer))
    axes = weights.ndim - 2
    stride, dilation = pair(layer.strides, axes), pair(layer.dilation_rate, axes)
    extra = layer.output_padding
    extras = (None,) * axes if extra is None else pair(extra, axes)
    cuts = [
        _cuts((k - 1) * d + 1, s, layer.padding, e)
        for k, s, d, e in zip(weights.shape[2:], stride, dilation, extras, strict=True)
    ]
    before, after = zip(*cuts, strict=True)
    zeros = [max(-cut, 0) for cut in after]
    if min(before) < 0 or any(
        n >= max(s, d) for n, s, d in zip(zeros, stride, dilation, strict=True)
    ):
        raise UnsupportedError(f"output_padding={extra}")
    padding = [*before, *(max(cut, 0) for cut in after)]
    bias = optional(layer.bias)
    result = products.transposed_convolution(
        b, image, weights, bias, stride, padding, dilation, 1, zeros
    )
    return activate(b, layout.from_images(b, result, layer.data_format), layer.activation)


def _cuts(reach: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """What is cut off (or, if negative, added) before and after all that a kernel reaches.

    Keras's sizes: with "valid", ``(n - 1) * stride + max(reach, stride)`` or, with output padding,
    ``(n - 1) * stride + reach + extra``; with "same", ``n * stride`` or
    ``(n - 1) * stride + reach % 2 + extra``.
    """
    if padding == "valid":
        return 0, -(max(reach, stride) - reach if extra is None else extra)
    total = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
    before = min(total // 2 + total % 2, reach - 1)
    return reach - 1 - before, reach - 1 - (total - before)
