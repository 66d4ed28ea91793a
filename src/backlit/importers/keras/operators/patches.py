"""Patches of images."""

from typing import Any

from backlit.importers.builder import Tensor, patches, shapes
from backlit.importers.builder.windows import image_windows, same_padding
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import operation, pair


@operation("ExtractPatches")
def extract_patches(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    """At each place the pixels of a patch one after the other, each with its channels."""
    image = layout.images(b, x, op.data_format or "channels_last")
    size, dilation = pair(op.size, 2), pair(op.dilation_rate, 2)
    stride = size if op.strides is None else pair(op.strides, 2)
    padding = [0] * 4
    if op.padding == "same":
        padding = same_padding(image.shape[2:], size, stride, dilation)
    found = patches.places(image.shape[2:], size, stride, padding, dilation)
    columns = patches.unfold(b, image, found)
    counts = map(len, image_windows(image.shape[2:], size, stride, padding, dilation))
    apart = shapes.reshape(b, columns, (b.batch, image.shape[1], len(found), *counts))
    order = shapes.transpose(b, apart, (0, 2, 1, 3, 4))
    result = shapes.reshape(b, order, (b.batch, columns.shape[1], *apart.shape[3:]))
    return layout.from_images(b, result, op.data_format or "channels_last")
