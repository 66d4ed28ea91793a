"""What all layers share, and the checks of their arguments."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from backlit.checks import as_array, as_float32, is_int, whole

Shape = tuple[int, ...]


class Layer:
    """A layer of a model: an immutable description, with its weights if it has any."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one sample's output, for one sample's input of `shape`.

        Raises
        ------
        ValueError
            If the layer cannot take such an input.
        """
        return shape

    def __repr__(self) -> str:
        parts = (
            f"{name}=<{'x'.join(map(str, value.shape))}>"
            if isinstance(value, np.ndarray)
            else f"{name}={value!r}"
            for name, value in ((f.name, getattr(self, f.name)) for f in fields(self))  # type: ignore[arg-type]
        )
        return f"{type(self).__name__}({', '.join(parts)})"

    def _set(self, **values: Any) -> None:
        """Store checked values in a frozen dataclass."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def weight_array(name: str, value: Any, dimensions: int, meaning: str) -> np.ndarray:
    """A finite, contiguous, read-only float32 array of so many dimensions."""
    given = as_array(name, value)
    if given.dtype.kind not in "fiub":
        kind = type(value).__name__ if given.dtype == object else given.dtype
        raise TypeError(f"{name} must be an array of numbers of shape {meaning}, not {kind}")
    array = as_float32(name, given).copy()
    if array.ndim != dimensions:
        raise ValueError(f"{name} must have shape {meaning}, got shape {array.shape}")
    if 0 in array.shape:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but holds NaN or infinite values")
    array.flags.writeable = False
    return array


def vector_array(name: str, value: Any, length: int) -> np.ndarray:
    """As `weight_array`, for one value a channel; None stands for zeros."""
    array = weight_array(name, np.zeros(length) if value is None else value, 1, f"({length},)")
    if array.shape != (length,):
        raise ValueError(f"{name} must have shape ({length},), got {array.shape}")
    return array


def pair(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """An int, or a pair (rows, columns)."""
    values = _sequence(name, value, (2,), "an int or a pair (rows, columns)")
    rows, columns = (values * 2)[:2]
    return whole(name, rows, least), whole(name, columns, least)


def border(name: str, value: Any) -> tuple[int, int, int, int]:
    """An int, a pair (rows, columns), or (top, left, bottom, right)."""
    form = "an int, a pair (rows, columns) or (top, left, bottom, right)"
    values = _sequence(name, value, (2, 4), form)
    top, left, bottom, right = (values * 4)[:4]
    return whole(name, top, 0), whole(name, left, 0), whole(name, bottom, 0), whole(name, right, 0)


def _sequence(name: str, value: Any, lengths: tuple[int, ...], form: str) -> tuple[Any, ...]:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, Sequence | np.ndarray) or isinstance(value, str):
        if not is_int(value):
            raise TypeError(f"{name} must be {form}, not {type(value).__name__}: {value!r}")
        return (value,)
    if len(value) not in lengths:
        raise ValueError(f"{name} must be {form}, got {value!r}")
    return tuple(value)


def image_shape(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    """A sample's shape, which must be (channels, height, width)."""
    if len(shape) != 3:
        raise ValueError(
            f"{type(layer).__name__} takes images of shape (channels, height, width), "
            f"but its input has shape {shape}"
        )
    return shape[0], shape[1], shape[2]
