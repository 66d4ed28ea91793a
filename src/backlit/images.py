"""Samples as pictures: batches brought to (N, C, H, W), whatever shape the model takes them in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from backlit.checks import as_array

if TYPE_CHECKING:
    from backlit.model import Model

Shape3 = tuple[int, int, int]

SMALLEST = 64  # values that make a flat sample a picture: 8x8, as scikit-learn's digits


def as_three_axes(shape: tuple[int, ...]) -> Shape3:
    """Any sample's shape as (channels, height, width): more axes put together, missing ones 1."""
    *_, height, width = (1, 1, *shape)
    return math.prod(shape[:-2]), height, width


def as_images(
    samples: npt.ArrayLike,
    input_shape: tuple[int, ...] | None = None,
    argument: str = "X",
) -> np.ndarray:
    """Samples, or their maps, as pictures.

    Parameters
    ----------
    samples : array
        (N, C, H, W); (N, H, W), taken as one channel; or (N, D), flat.
    input_shape : tuple of ints, optional
        The model's input shape. If it is (C, H, W) with C·H·W = D, flat samples take it;
        otherwise D must be a square number, of 64 at least: one channel of √D × √D. Fewer values
        are taken for a table's columns.
    argument : str
        What the error messages call `samples`.

    Returns
    -------
    ndarray
        (N, C, H, W), a view where possible.

    Raises
    ------
    ValueError
        If the shape cannot be read as pictures.
    """
    array = as_array(argument, samples)
    if array.ndim == 4:
        return array
    if array.ndim == 3:
        return array[:, np.newaxis]
    if array.ndim != 2:
        raise ValueError(
            f"{argument} must be (N, C, H, W), (N, H, W) or (N, D), got shape {array.shape}"
        )
    count, size = array.shape
    if input_shape is not None and len(input_shape) == 3 and math.prod(input_shape) == size:
        return array.reshape(count, *input_shape)
    if size < SMALLEST:
        raise ValueError(
            f"{argument} has {size} values per sample, too few to be taken for a picture; "
            "give samples that are pictures as (N, C, H, W)"
        )
    side = math.isqrt(size)
    if side * side != size:
        raise ValueError(
            f"{argument} has {size} values per sample, which is no square picture; "
            "give the samples as (N, C, H, W)"
        )
    return array.reshape(count, 1, side, side)


def model_images(
    model: Model,
    samples: npt.ArrayLike,
    argument: str = "X",
) -> np.ndarray:
    """Samples of a model, or their maps, as pictures (N, C, H, W), as by `as_images`.

    Of a model whose samples have their channels last, (N, H, W, C), the axis is moved.
    """
    array = as_array(argument, samples)
    if model.channels_last and array.ndim == 4:
        array = np.moveaxis(array, -1, 1)
    return as_images(array, model._channels_first.input_shape, argument)


def as_labels(labels: npt.ArrayLike, count: int, argument: str = "y") -> np.ndarray:
    """Labels as (N,) int64, one for each of `count` samples.

    Raises
    ------
    ValueError
        If there are not `count` of them.
    TypeError
        If they are not integers.
    """
    array = as_array(argument, labels)
    if array.shape != (count,):
        raise ValueError(
            f"{argument} must hold one label for each of the {count} samples, "
            f"got shape {array.shape}"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{argument} must be integers, not {array.dtype}")
    return array.astype(np.int64, copy=False)
