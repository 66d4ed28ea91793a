"""Images in another size."""

from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, shapes
from backlit.importers.builder.resizing import cubic_rows, exact_rows, linear_rows
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import layer, operation, pair


def resized(b: KerasBuilder, x: Tensor, size: Any, interpolation: str, data_format: str) -> Tensor:
    """Between pixels' centres, as the Keras backend does."""
    from keras import backend

    kinds = {"bilinear": linear_rows, "nearest": exact_rows}
    if backend.backend() == "torch":  # others have another cubic
        kinds["bicubic"] = cubic_rows
    if interpolation not in kinds:
        raise UnsupportedError(f"interpolation={interpolation!r}")
    image = layout.images(b, x, data_format)
    for axis, count in enumerate(size, 2):
        if count != image.shape[axis]:
            rows = kinds[interpolation](image.shape[axis], count)
            image = shapes.linear_map(b, image, axis, rows)
    return layout.from_images(b, image, data_format)


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
    return shapes.gather(b, x, axis, np.repeat(np.arange(x.shape[axis]), int(layer.size)))


@layer("UpSampling2D")
def up_sampling_2d(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    sizes = layout.images(b, x, layer.data_format).shape[2:]
    wanted = [n * factor for n, factor in zip(sizes, pair(layer.size, 2), strict=True)]
    return resized(b, x, wanted, layer.interpolation, layer.data_format)
