"""Normalisation layers as they are at inference, and preprocessing of values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import (
    Tensor,
    UnsupportedError,
    arithmetic,
    normalization,
    reductions,
)
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.table import array, find, layer, optional
from backlit.layers import BatchNorm


@layer("BatchNormalization")
def batch_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    mean, variance = array(layer.moving_mean), array(layer.moving_variance)
    gamma = array(layer.gamma) if layer.scale else np.ones_like(mean)
    beta = array(layer.beta) if layer.center else np.zeros_like(mean)
    norm = BatchNorm(gamma, beta, mean, variance, layer.epsilon)
    rank = len(x.shape)
    axis = b.axis(layer.axis, rank)
    order = [0, axis, *(i for i in range(1, rank) if i != axis)]
    back = [order.index(i) for i in range(rank)]
    return layout.rearrange(b, b.append(norm, layout.rearrange(b, x, order)), back)


def _along(b: KerasBuilder, values: np.ndarray | None, axes: list[int], x: Tensor) -> Any:
    """A weight with an entry for each place along some of Keras's axes."""
    if values is None:
        return None
    rank = len(x.shape)
    places = sorted(axis % rank for axis in axes)
    shape = b.shape(x)
    return b.broadcast(values.reshape([shape[i] if i in places else 1 for i in range(rank)]), rank)


@layer("LayerNormalization")
def layer_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    if layer.rms_scaling:
        raise UnsupportedError("rms_scaling=True")
    axes, rank = list(layer.axis), len(x.shape)
    gamma, beta = (_along(b, optional(w), axes, x) for w in (layer.gamma, layer.beta))
    held = [b.axis(axis, rank) for axis in axes]
    return normalization.normalize(b, x, held, layer.epsilon, gamma, beta)


@layer("RMSNormalization")
def rms_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    axes, rank = list(layer.axis), len(x.shape)
    held = [b.axis(axis, rank) for axis in axes]
    result = normalization.rms_normalize(b, x, held, float(layer.epsilon))
    return arithmetic.binary(b, "multiply", result, _along(b, array(layer.scale), axes, x))


@layer("GroupNormalization")
def group_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    rank = len(x.shape)
    axis = b.axis(layer.axis, rank)
    order = [0, axis, *(i for i in range(1, rank) if i != axis)]
    front = layout.rearrange(b, x, order)
    result = normalization.normalize_groups(b, front, layer.groups, layer.epsilon)
    result = layout.rearrange(b, result, [order.index(i) for i in range(rank)])
    for function, weight in (("multiply", layer.gamma), ("add", layer.beta)):
        if weight is not None:
            along = _along(b, array(weight), [layer.axis], x)
            result = arithmetic.binary(b, function, result, along)
    return result


def l2_normalize(b: KerasBuilder, x: Tensor, axes: Sequence[int], least: float) -> Tensor:
    """Divided by the L2 norm over held axes, or by the least number if that is larger."""
    total = reductions.reduce(b, "sum", arithmetic.unary(b, "square", x), axes, True)
    kept = arithmetic.clip(b, total, least**2, np.inf, open_ends=False)
    return arithmetic.binary(b, "multiply", x, arithmetic.unary(b, "power", kept, exponent=-0.5))


@layer("UnitNormalization")
def unit_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    axes = [b.axis(axis, len(x.shape)) for axis in np.atleast_1d(layer.axis)]
    return l2_normalize(b, x, axes, 1e-12)  # whose square float32 holds


@layer("SpectralNormalization")
def spectral_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    """The layer inside, whose weights were normalised as it was trained."""
    inner = find(layer.layer)
    if inner is None:
        raise UnsupportedError(f"around a {type(layer.layer).__name__}")
    result: Tensor = inner(b, layer.layer, x)
    return result


@layer("Rescaling")
def rescaling(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    from keras import config

    scale, offset = np.asarray(layer.scale, float), np.asarray(layer.offset, float)
    if scale.ndim and config.image_data_format() == "channels_first":
        scale = scale.reshape(*scale.shape, *[1] * (3 - scale.ndim))
    rank = len(x.shape)
    return _affine(b, x, b.broadcast(scale, rank), b.broadcast(offset, rank))


@layer("LayerScale")  # of keras.applications.convnext
def layer_scale(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    return arithmetic.binary(b, "multiply", x, b.broadcast(array(layer.gamma), len(x.shape)))


@layer("Normalization")
def adapted_normalization(b: KerasBuilder, layer: Any, x: Tensor) -> Tensor:
    if layer.mean is None:
        raise UnsupportedError("it was not adapted")
    rank = len(x.shape)
    mean, variance = (array(v).astype(np.float64) for v in (layer.mean, layer.variance))
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    if layer.invert:
        scale, shift = deviation, mean
    else:
        scale, shift = 1 / deviation, -mean / deviation
    return _affine(b, x, b.broadcast(scale, rank), b.broadcast(shift, rank))


def _affine(b: KerasBuilder, x: Tensor, scale: np.ndarray, shift: np.ndarray) -> Tensor:
    """``scale * x + shift``, in one step where it is the same for all of a channel."""
    sizes = {scale.size, shift.size}
    if sizes == {1}:
        numbers = {"factor": float(scale.reshape(())), "shift": float(shift.reshape(()))}
        return arithmetic.scale(b, x, **numbers)
    channels = x.shape[1]
    if len(x.shape) in (2, 4) and all(
        v.size == 1 or v.size == v.shape[1] == channels for v in (scale, shift)
    ):
        per_channel = (np.broadcast_to(v.reshape(-1), channels) for v in (scale, shift))
        return arithmetic.affine(b, x, *per_channel)
    return arithmetic.binary(b, "add", arithmetic.binary(b, "multiply", x, scale), shift)
