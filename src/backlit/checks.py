"""Checks of single arguments, whichever function they belong to; errors call them `name`."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

import numpy as np


def as_array(name: str, value: Any) -> np.ndarray:
    """What a user gave for an array, as one."""
    if type(value) is np.ndarray:
        return value
    if hasattr(value, "detach"):  # a tensor of PyTorch's, wherever it lies and whatever records it
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):  # which NumPy does not have
            value = value.float()
    if np.ma.is_masked(value):
        raise ValueError(f"{name} must not hold masked values: fill them first")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must be an array, but its rows have different lengths") from error


def real_numbers(name: str, value: Any) -> np.ndarray:
    """The same, of real numbers."""
    array = as_array(name, value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, not {array.dtype}")
    return array


def finite_numbers(name: str, value: Any) -> np.ndarray:
    """The same, none of them NaN or infinite."""
    array = real_numbers(name, value)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, but holds NaN or infinity")
    return array


def as_float32(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers as contiguous float32; those beyond its range are refused."""
    if array.dtype == np.float32 and array.flags.c_contiguous:
        return array
    try:
        with np.errstate(over="raise"):
            return np.require(array, np.float32, "C")
    except FloatingPointError:
        raise ValueError(f"{name} holds values beyond float32, whose largest is 3.4e38") from None


def is_int(value: Any) -> bool:
    """Whether a value is an int, Python's or NumPy's; a bool is none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def whole(name: str, value: Any, least: int) -> int:
    """A whole number, of `least` at least."""
    if not is_int(value):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}: {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def whole_or_exact(name: str, value: Any) -> int | None:
    """A number of at least 1; None stands for "exact"."""
    if isinstance(value, str):
        if value != "exact":
            raise ValueError(f"{name} must be an int or 'exact', got {value!r}")
        return None
    return whole(name, value, 1)


def number(name: str, value: Any) -> float:
    """A finite number, within the range of float32."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number, not {type(value).__name__}")
    if not abs(float(value)) <= float(np.finfo(np.float32).max):
        raise ValueError(f"{name} must be finite and within float32, got {value}")
    return float(value)


def choice(name: str, value: Any, choices: Collection[str]) -> str:
    """One of some words."""
    if not isinstance(value, str) or value not in choices:
        raise not_among(name, value, choices)
    return value


def not_among(name: str, value: Any, choices: Collection[str]) -> ValueError:
    """What to raise for a word that is none of some; it names the one most like it."""
    message = f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}"
    for near in get_close_matches(str(value), choices, 1):
        message += f": did you mean {near!r}?"
    return ValueError(message)


def flag(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}: {value!r}")
    return bool(value)
