"""Layers that change shapes, and those that do nothing at inference."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, masks, shapes
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import layer, operation


@layer(
    "ActivityRegularization",
    "AlphaDropout",
    "CutMix",
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "MixUp",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
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
        return layout.flatten(b, layout.reorder(b, x, [0, *range(2, rank), 1]))
    return layout.flatten(b, layout.reorder(b, x))


@layer("Reshape")
def reshape(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    sizes = [-1 if n is None else int(n) for n in layer.target_shape]
    if -1 in sizes:
        sizes[sizes.index(-1)] = prod(x.sample) // -prod(sizes)
    if sizes == list(b.shape(x)[1:]):
        return x
    if len(sizes) == 1:
        return layout.flatten(b, layout.reorder(b, x))
    return layout.reshape(b, x, (b.batch, *sizes))


@layer("Permute")
def permute(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return layout.hold(b, layout.reorder(b, x, [0, *layer.dims]))


@layer("RepeatVector")
def repeat_vector(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    row = shapes.reshape(b, x, (b.batch, 1, *x.sample))
    return layout.hold(b, shapes.expand(b, row, (b.batch, int(layer.n), *x.sample)))


# --- operations -----------------------------------------------------------------------------------


@operation("Reshape")
def reshape_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return layout.reshape(b, x, (b.batch, *map(int, op.newshape[1:])))


@operation("Transpose")
def transpose_operation(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return _ordered(b, x, list(op.axes or range(len(x.shape) - 1, -1, -1)))


@operation("ExpandDims")
def expand_dims(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    sizes = list(b.shape(x))
    axis = op.axis % (len(sizes) + 1)
    if axis == 0:
        raise UnsupportedError("an axis before the samples'")
    return layout.reshape(b, x, [*sizes[:axis], 1, *sizes[axis:]])


@operation("Squeeze")
def squeeze(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    sizes = b.shape(x)
    rank = len(sizes)
    asked = range(1, rank) if op.axis is None else [a % rank for a in np.atleast_1d(op.axis)]
    kept = [n for axis, n in enumerate(sizes) if axis == 0 or axis not in asked or n != 1]
    return layout.reshape(b, x, kept)


@operation("Swapaxes")
def swap_axes(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    order = list(range(len(x.shape)))
    order[op.axis1], order[op.axis2] = order[op.axis2], order[op.axis1]
    return _ordered(b, x, order)


@operation("Moveaxis")
def move_axes(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return _ordered(b, x, shapes.moved_axes(len(x.shape), op.source, op.destination))


def _ordered(b: KerasBuilder, x: Tensor, order: Sequence[int]) -> Tensor:
    if order[0] != 0:
        raise UnsupportedError(f"axes {tuple(order)} move the samples' axis")
    return layout.hold(b, layout.reorder(b, x, order))


@operation("BroadcastTo")
def broadcast_to(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    return layout.hold(b, shapes.expand(b, layout.reorder(b, x), (b.batch, *op.shape[1:])))


@operation("Cast")
def cast(b: KerasBuilder, op: Any, x: Tensor) -> Tensor:
    """Any floating dtype is float32 here, and so are masks."""
    if not str(op.dtype).startswith(("float", "bfloat")) and not masks.is_mask(b, x):
        raise UnsupportedError(f"rounding to {op.dtype}")
    return x
