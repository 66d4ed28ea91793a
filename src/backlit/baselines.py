"""Baselines: the reference input that paths, differences and masks start from."""

from typing import Any, NamedTuple

import numpy as np

from backlit.checks import as_float32, finite_numbers, real_numbers


class Baseline(NamedTuple):
    """A reference for each sample, or one for all of them."""

    values: np.ndarray  # float32, contiguous: (N, *shape) or (1, *shape)
    per_sample: int  # 1 if each sample has its own, else 0

    def chosen(self, index: np.ndarray | slice) -> "Baseline":
        """The references of some of the samples."""
        return Baseline(self.values[index], 1) if self.per_sample else self


def check_baseline(
    baseline: Any, samples: np.ndarray, input_shape: tuple[int, ...], name: str = "baseline"
) -> Baseline:
    """A number, an array of one sample's shape, or an array with one entry for each sample."""
    array = as_float32(name, finite_numbers(name, baseline))
    for shape in dict.fromkeys((samples.shape[1:], input_shape)):
        if array.ndim == 0:
            array = np.broadcast_to(array, (1, *shape))
        elif array.shape in (shape, (1, *shape)):
            array = array.reshape(1, *shape)
        elif array.shape == (len(samples), *shape):
            return Baseline(array, 1)
        else:
            continue
        return Baseline(np.ascontiguousarray(array), 0)
    raise ValueError(
        f"{name} must be a number, or an array of shape {samples.shape[1:]} or {samples.shape}, "
        f"got shape {array.shape}"
    )


def check_references(
    baseline: Any, background: Any, samples: np.ndarray, input_shape: tuple[int, ...]
) -> list[Baseline]:
    """A baseline or, where there is a background set, all of its entries."""
    if background is None:
        return [check_baseline(baseline, samples, input_shape)]
    if np.ndim(baseline) or baseline != 0:
        raise ValueError("baseline must be left out where there is a background")
    entries = check_background(background, samples, input_shape)
    return [Baseline(entry.reshape(1, *samples.shape[1:]), 0) for entry in entries]


def check_background(
    background: Any, samples: np.ndarray, input_shape: tuple[int, ...], name: str = "background"
) -> np.ndarray:
    """An array of several references, (B, *shape of a sample): float32, contiguous."""
    array = real_numbers(name, background)
    if len(array.shape) == 0 or array.shape[1:] not in (samples.shape[1:], input_shape):
        raise ValueError(
            f"{name} must be an array of shape (B, {', '.join(map(str, samples.shape[1:]))}), "
            f"got shape {array.shape}"
        )
    if not len(array):
        raise ValueError(f"{name} must not be empty")
    return as_float32(name, finite_numbers(name, array))
