"""Checks of the arguments that public functions share: samples, targets, threads and the like."""

from math import prod
from typing import Any

import numpy as np
from backlit_kernels import scores

from backlit.checks import as_array, as_float32, choice, is_int, real_numbers
from backlit.placement import available_cores

SCORES = {
    "logit": scores.LOGIT,
    "log_probability": scores.LOG_PROBABILITY,
    "probability": scores.PROBABILITY,
    "loss": scores.LOSS,
}


def not_finite(samples: np.ndarray) -> ValueError:
    """What to raise for samples that are not all finite; it names the first."""
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    return ValueError(f"X must be finite, but sample {finite.argmin()} holds NaN or infinity")


def check_samples(X: Any, input_shape: tuple[int, ...], flat: bool) -> np.ndarray:
    """Samples as contiguous float32, of shape (N, *input_shape) or, if `flat`, of that size.

    For features any shape will do; for images rows of them all, or axes of one entry more or less.
    """
    array = real_numbers("X", X)
    shape = array.shape[1:]
    fits = shape == input_shape
    if flat and prod(shape) == prod(input_shape):
        fits |= min(len(shape), len(input_shape)) == 1 or _long(shape) == _long(input_shape)
    if array.ndim < 2 or not fits:
        wanted = f"(N, {', '.join(map(str, input_shape))})"
        if flat and len(input_shape) == 1:
            wanted += f" or (N, ...) with {input_shape[0]} values a sample"
        hint = ""
        if array.shape == input_shape:
            hint = "; a single sample is X[None]"
        elif array.ndim == 1 == prod(input_shape):
            hint = "; samples of one value are X[:, None]"
        elif array.ndim == 4 and np.moveaxis(array, -1, 1).shape[1:] == input_shape:
            hint = "; channels come first by np.moveaxis(X, -1, 1)"
        elif array.ndim == 4 and np.moveaxis(array, 1, -1).shape[1:] == input_shape:
            hint = "; channels come last by np.moveaxis(X, 1, -1)"
        raise ValueError(f"X must have shape {wanted}, got {array.shape}{hint}")
    return as_float32("X", array)


def _long(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size > 1]


def check_targets(
    target: Any, samples: int, classes: int, outputs: str, name: str = "target"
) -> np.ndarray | None:
    """Targets as N int64s; None stands for the predicted classes, or for a single value."""
    if target is None:
        if outputs == "values" and classes > 1:
            raise ValueError(
                f"target must say which of the {classes} outputs is meant, in 0 ... {classes - 1}:"
                " the model's outputs are values, so that none is the predicted one"
            )
        return None
    array = as_array(name, target)
    if not array.size and not samples:
        array = np.empty(0, np.int64)
    if array.ndim == 2 and array.shape[1] == classes > 1:
        raise ValueError(
            f"{name} must be one class or one for each of the {samples} samples, "
            f"got shape {array.shape}: one-hot rows become classes by {name}.argmax(1)"
        )
    if array.dtype.kind not in "iu" and not _large_ints(array):
        what = "None, an int or" if name == "target" else "an int or"
        raise TypeError(f"{name} must be {what} an array of ints, not {array.dtype}")
    if array.shape not in ((), (1,), (samples,)):
        raise ValueError(
            f"{name} must be one class or one for each of the {samples} samples, "
            f"got shape {array.shape}"
        )
    wrong = array[(array < 0) | (array >= classes)]
    if wrong.size:
        raise ValueError(f"{name} must be in 0 ... {classes - 1}, got {wrong[0]}")
    numbers = np.ascontiguousarray(array, dtype=np.int64)
    return numbers if array.shape == (samples,) else np.full(samples, numbers)


def _large_ints(array: np.ndarray) -> bool:
    """Whether an array holds Python's ints, as it does if some are beyond 64 bits."""
    return array.dtype == object and all(type(value) is int for value in array.flat)


def check_score(score: Any, outputs: str) -> int:
    """The number that kernels know a score by."""
    choice("score", score, SCORES)
    if outputs == "values" and score != "logit":
        raise ValueError(
            f"score must be 'logit', the value itself, where a model's outputs are values, "
            f"got {score!r}"
        )
    return SCORES[score]


def check_classifier(outputs: str) -> None:
    """Refuse a model whose outputs are no classes."""
    if outputs not in ("classes", "binary"):
        raise ValueError(f"model must tell classes apart, but its outputs are {outputs!r}")


def check_threads(threads: Any) -> int:
    """How many threads to use; None stands for the cores this process may use."""
    if threads is None:
        return available_cores()
    if not is_int(threads):
        raise TypeError(f"threads must be None or an int, not {type(threads).__name__}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    return int(threads)


def check_memory(memory: Any) -> int | None:
    """A budget in bytes for working memory, or None."""
    if memory is None:
        return None
    if not is_int(memory):
        raise TypeError(f"memory must be None or an int (bytes), not {type(memory).__name__}")
    if memory < 1:
        raise ValueError(f"memory must be at least 1 byte, got {memory}")
    return int(memory)


def check_out(out: Any, shape: tuple[int, ...]) -> np.ndarray:
    """The array to write to: the one given, or a new one."""
    if out is None:
        return np.empty(shape, np.float32)
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != np.float32:
        raise ValueError(
            f"out must be a float32 array of shape {shape}, got {out.dtype} of shape {out.shape}"
        )
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out must be contiguous (in C order) and writable")
    return out
