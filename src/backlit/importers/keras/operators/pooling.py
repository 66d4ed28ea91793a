"""Pooling layers."""

from typing import Any

from backlit.importers.builder import Tensor, pooling, reductions, shapes
from backlit.importers.builder.windows import image_windows, mean_rows, same_padding
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import layer, operation, pair
from backlit.layers import rectifies


def _padding(layer: Any, image: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """A pooling layer's size, stride and padding."""
    axes = len(image.shape) - 2
    size = pair(layer.pool_size, axes)
    stride = size if layer.strides is None else pair(layer.strides, axes)
    if layer.padding != "same":
        return size, stride, [0] * 2 * axes
    return size, stride, same_padding(image.shape[2:], size, stride, (1,) * axes)


@operation("MaxPool")
@layer("MaxPooling1D", "MaxPooling2D")
def max_pooling(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    size, stride, padding = _padding(layer, image)
    if image.number in b.padded and not any(padding):
        # zeros are as good as no values where none is negative, and such a maximum's gradient
        # ends in the rectifier
        source, zeros = b.padded[image.number]
        before = b.graph.producer(source.number)
        narrow = all(n < k for n, k in zip(zeros, (*size, *size), strict=True))
        if narrow and before and rectifies(before.layer):
            image, padding = source, list(zeros)
    result = pooling.max_pool(b, image, size, stride, padding)
    return layout.from_images(b, result, layer.data_format)


@operation("AveragePool")
@layer("AveragePooling1D", "AveragePooling2D")
def average_pooling(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    from keras import backend

    image = layout.images(b, x, layer.data_format)
    size, stride, padding = _padding(layer, image)
    axes = len(size)
    before, after = padding[:axes], padding[axes:]
    if before != after and backend.backend() == "torch":
        # there Keras repeats the edge where the two sides differ; elsewhere padding is left out
        for axis in range(axes):
            image = shapes.pad(b, image, 2 + axis, before[axis], after[axis], "edge")
        padding = [0] * 2 * axes
    elif any(2 * n > k for n, k in zip(padding, (*size, *size), strict=True)):
        return layout.from_images(b, _means(b, image, size, stride, padding), layer.data_format)
    result = pooling.average_pool(b, image, size, stride, padding, count_include_pad=False)
    return layout.from_images(b, result, layer.data_format)


def _means(b: KerasBuilder, x: Tensor, size: Any, stride: Any, padding: list[int]) -> Tensor:
    """Means over windows that may lie in the padding by more than a half, axis by axis."""
    for axis, windows in enumerate(image_windows(x.shape[2:], size, stride, padding), 2):
        x = shapes.linear_map(b, x, axis, mean_rows(windows, x.shape[axis]))
    return x


def _global(b: KerasBuilder, layer: Any, x: Tensor, function: str) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    axes = range(2, len(image.shape))
    result = reductions.reduce(b, function, image, list(axes), layer.keepdims)
    return layout.from_images(b, result, layer.data_format) if layer.keepdims else result


@layer("GlobalAveragePooling1D", "GlobalAveragePooling2D")
def global_average_pooling(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return _global(b, layer, x, "mean")


@layer("GlobalMaxPooling1D", "GlobalMaxPooling2D")
def global_max_pooling(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return _global(b, layer, x, "max")
