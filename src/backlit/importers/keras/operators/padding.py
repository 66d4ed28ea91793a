"""Padding and cropping."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, shapes
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import layer, operation


@layer("ZeroPadding1D", "ZeroPadding2D")
def zero_padding(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    amounts = _amounts(layer.padding)
    result = _padded(b, image, amounts)
    if result is not image:
        # a convolution behind it takes the zeros as its own padding
        b.padded[result.number] = (
            image,
            tuple(n for side in zip(*amounts, strict=True) for n in side),
        )
    return layout.from_images(b, result, layer.data_format)


@layer("Cropping1D", "Cropping2D")
def cropping(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    order = getattr(layer, "data_format", "channels_last")  # in one dimension there is none
    amounts = [(-before, -after) for before, after in _amounts(layer.cropping)]
    return layout.from_images(b, _padded(b, layout.images(b, x, order), amounts), order)


@layer("CenterCrop")
def center_crop(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = layout.images(b, x, layer.data_format)
    for axis, count in enumerate((layer.height, layer.width), 2):
        first = (image.shape[axis] - count) // 2
        if first < 0:
            raise UnsupportedError("an image smaller than its crop")
        image = shapes.gather(b, image, axis, range(first, first + count))
    return layout.from_images(b, image, layer.data_format)


def _amounts(given: Any) -> list[tuple[int, int]]:
    """(before, after) for every axis of the image."""
    return [given] if isinstance(given[0], int) else list(given)


def _padded(b: KerasBuilder, image: Tensor, amounts: Sequence[tuple[int, int]]) -> Tensor:
    for axis, (before, after) in enumerate(amounts):
        image = shapes.pad(b, image, 2 + axis, before, after)
    return image


@operation("Pad")
def pad(b: KerasBuilder, op: Any, x: Tensor, constant_values: Any = None) -> Tensor:
    from keras import backend

    rank, mode = len(x.shape), op.mode
    if mode == "symmetric" and backend.backend() == "torch":
        mode = "edge"  # what Keras does there
    for axis, (before, after) in enumerate(np.broadcast_to(op.pad_width, (rank, 2)).tolist()):
        value = 0.0 if constant_values is None else float(constant_values)
        if before or after:
            x = shapes.pad(b, x, b.axis(axis, rank), before, after, mode, value)
    return x
