"""Patches, and images in another size."""

from typing import Any

import numpy as np

from backlit.importers.builder.patches import places, unfold
from backlit.importers.builder.resizing import cubic_rows, exact_rows, linear_rows
from backlit.importers.builder.windows import image_windows, same_padding
from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
from backlit.importers.keras.table import layer, operation, pair


@operation("ExtractPatches")
def extract_patches(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    """At each place the pixels of a patch one after the other, each with its channels."""
    image = b.images(x, op.data_format or "channels_last")
    size, dilation = pair(op.size, 2), pair(op.dilation_rate, 2)
    stride = size if op.strides is None else pair(op.strides, 2)
    padding = [0] * 4
    if op.padding == "same":
        padding = same_padding(image.shape[2:], size, stride, dilation)
    found = places(image.shape[2:], size, stride, padding, dilation)
    columns = unfold(b, image, found)
    counts = map(len, image_windows(image.shape[2:], size, stride, padding, dilation))
    apart = b.reshape(columns, (b.batch, image.shape[1], len(found), *counts))
    order = b.transpose(apart, (0, 2, 1, 3, 4))
    result = b.reshape(order, (b.batch, columns.shape[1], *apart.shape[3:]))
    return b.from_images(result, op.data_format or "channels_last")


def resized(b: KerasBuilder, x: Tensor, size: Any, interpolation: str, data_format: str) -> Tensor:
    """Between pixels' centres, as the Keras backend does."""
    from keras import backend

    kinds = {"bilinear": linear_rows, "nearest": exact_rows}
    if backend.backend() == "torch":  # others have another cubic
        kinds["bicubic"] = cubic_rows
    if interpolation not in kinds:
        raise UnsupportedError(f"interpolation={interpolation!r}")
    image = b.images(x, data_format)
    for axis, count in enumerate(size, 2):
        if count != image.shape[axis]:
            image = b.linear_map(image, axis, kinds[interpolation](image.shape[axis], count))
    return b.from_images(image, data_format)


@operation("Resize")
@layer("Resizing")
def resizing(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    size = op.size if hasattr(op, "size") else (op.height, op.width)
    for name in ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio"):
        if getattr(op, name, False):
            raise UnsupportedError(f"{name}=True")
    return resized(b, x, size, op.interpolation, op.data_format or "channels_last")


@layer("UpSampling1D")
def up_sampling_1d(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    axis = b.axis(1, 3)
    return b.gather(x, axis, np.repeat(np.arange(x.shape[axis]), int(layer.size)))


@layer("UpSampling2D")
def up_sampling_2d(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    sizes = b.images(x, layer.data_format).shape[2:]
    wanted = [n * factor for n, factor in zip(sizes, pair(layer.size, 2), strict=True)]
    return resized(b, x, wanted, layer.interpolation, layer.data_format)


@layer("CenterCrop")
def center_crop(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = b.images(x, layer.data_format)
    for axis, count in enumerate((layer.height, layer.width), 2):
        first = (image.shape[axis] - count) // 2
        if first < 0:
            raise UnsupportedError("an image smaller than its crop")
        image = b.gather(image, axis, range(first, first + count))
    return b.from_images(image, layer.data_format)
