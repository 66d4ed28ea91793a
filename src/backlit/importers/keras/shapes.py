"""Layers that change shapes, pad, cut or resize, and those that do nothing at inference."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.keras.builder import KerasBuilder, Tensor, UnsupportedError
from backlit.importers.keras.table import layer, operation, pair


@layer(
    "ActivityRegularization",
    "AlphaDropout",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "RandomBrightness",
    "RandomContrast",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "StochasticDepth",  # of keras.applications.convnext
)
def nothing(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    """Training only."""
    return x


@layer("Flatten")
def flatten(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    rank = len(x.shape)
    if layer.data_format == "channels_first" and rank > 2:
        return b.flatten(b.reorder(x, [0, *range(2, rank), 1]))
    return b.flatten(b.reorder(x))


@layer("Reshape")
def reshape(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    sizes = [-1 if n is None else int(n) for n in layer.target_shape]
    if -1 in sizes:
        sizes[sizes.index(-1)] = prod(x.sample) // -prod(sizes)
    if sizes == list(b.shape(x)[1:]):
        return x
    ordered = b.reorder(x)
    if len(sizes) == 1:
        return b.flatten(ordered)
    return b.hold(b.reshape(ordered, (b.batch, *sizes)))


@layer("Permute")
def permute(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return b.hold(b.reorder(x, [0, *layer.dims]))


@layer("RepeatVector")
def repeat_vector(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    row = b.reshape(x, (b.batch, 1, *x.sample))
    return b.hold(b.expand(row, (b.batch, int(layer.n), *x.sample)))


# --- borders --------------------------------------------------------------------------------------


@layer("ZeroPadding1D", "ZeroPadding2D")
def zero_padding(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    image = b.images(x, layer.data_format)
    amounts = _amounts(layer.padding)
    result = _padded(b, image, amounts)
    if result is not image:
        # a convolution behind it takes the zeros as its own padding
        b.padded[result.number] = (
            image,
            tuple(n for side in zip(*amounts, strict=True) for n in side),
        )
    return b.from_images(result, layer.data_format)


@layer("Cropping1D", "Cropping2D")
def cropping(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    order = getattr(layer, "data_format", "channels_last")  # in one dimension there is none
    amounts = [(-before, -after) for before, after in _amounts(layer.cropping)]
    return b.from_images(_padded(b, b.images(x, order), amounts), order)


def _amounts(given: Any) -> list[tuple[int, int]]:
    """(before, after) for every axis of the image."""
    return [given] if isinstance(given[0], int) else list(given)


def _padded(b: KerasBuilder, image: Tensor, amounts: Sequence[tuple[int, int]]) -> Tensor:
    for axis, (before, after) in enumerate(amounts):
        image = b.pad(image, 2 + axis, before, after)
    return image


# --- resizing -------------------------------------------------------------------------------------


@layer("UpSampling1D")
def up_sampling_1d(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    axis = b.axis(1, 3)
    return b.gather(x, axis, _repeated(x.shape[axis], int(layer.size)))


@layer("UpSampling2D")
def up_sampling_2d(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    if layer.interpolation not in ("nearest", "bilinear"):
        raise UnsupportedError(f"interpolation={layer.interpolation!r}")
    image = b.images(x, layer.data_format)
    for axis, factor in enumerate(pair(layer.size, 2), 2):
        extent = image.shape[axis]
        if layer.interpolation == "nearest":
            image = b.gather(image, axis, _repeated(extent, factor))
        elif factor > 1:
            image = b.linear_map(image, axis, _between(extent, factor))
    return b.from_images(image, layer.data_format)


def _repeated(extent: int, factor: int) -> list[int]:
    return [i for i in range(extent) for _ in range(factor)]


def _between(extent: int, factor: int) -> list[list[tuple[int, float]]]:
    """Linear interpolation between pixels' centres; beyond the last ones, these."""
    rows = []
    for i in range(extent * factor):
        place = min(max((i + 0.5) / factor - 0.5, 0.0), extent - 1.0)
        low = int(place)
        share = place - low
        rows.append([(low, 1 - share), (low + 1, share)] if share else [(low, 1.0)])
    return rows


# --- operations -----------------------------------------------------------------------------------


@operation("Reshape")
def reshape_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    sizes = [int(n) for n in op.newshape[1:]]
    return b.hold(b.reshape(b.reorder(x), (b.batch, *sizes)))


@operation("Transpose")
def transpose_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    rank = len(x.shape)
    order = list(op.axes or range(rank - 1, -1, -1))
    if order[0] != 0:
        raise UnsupportedError(f"axes={op.axes} moves the samples' axis")
    return b.hold(b.reorder(x, order))


@operation("ExpandDims")
def expand_dims(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    sizes = list(b.shape(x))
    axis = op.axis % (len(sizes) + 1)
    if axis == 0:
        raise UnsupportedError("an axis before the samples'")
    return b.hold(b.reshape(b.reorder(x), [*sizes[:axis], 1, *sizes[axis:]]))


@operation("Squeeze")
def squeeze(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    sizes = b.shape(x)
    rank = len(sizes)
    asked = range(1, rank) if op.axis is None else [a % rank for a in np.atleast_1d(op.axis)]
    kept = [n for axis, n in enumerate(sizes) if axis == 0 or axis not in asked or n != 1]
    return b.hold(b.reshape(b.reorder(x), kept))


@operation("GetItem")
def get_item(b: KerasBuilder, op: Any, x: Tensor, key: Any) -> Tensor:
    """Slices and single entries, of all samples."""
    sizes, keys = b.shape(x), key if isinstance(key, list | tuple) else [key]
    plain = all(isinstance(part, slice | int | np.integer) for part in keys)
    if not plain or keys[0] != slice(None):
        raise UnsupportedError(f"the index {key}")
    dropped: list[int] = []
    for axis, part in enumerate(keys[1:], 1):
        indices = range(sizes[axis])[part]
        if not isinstance(indices, range):
            indices, dropped = range(indices, indices + 1), [*dropped, axis]
        x = b.gather(x, b.axis(axis, len(sizes)), indices)
    kept = [n for axis, n in enumerate(b.shape(x)) if axis not in dropped]
    return b.hold(b.reshape(b.reorder(x), kept)) if dropped else x
