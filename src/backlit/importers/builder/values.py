"""What operations take and give: tensors, which depend on the input, and constants."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """A value that depends on the input; `shape` begins with the batch."""

    number: int
    shape: tuple[int, ...]

    @property
    def sample(self) -> tuple[int, ...]:
        return self.shape[1:]


Value = Tensor | np.ndarray


class UnsupportedError(ValueError):
    """Something that cannot be expressed; its message says what."""


def axis_from_front(axis: int, rank: int) -> int:
    """An axis of a tensor of so many, counted from the front.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for a tensor of rank {rank}")
    return int(axis) % rank


def sample_axis(axis: int, rank: int) -> int:
    """An axis of a tensor of so many, as one of a single sample.

    Raises
    ------
    UnsupportedError
        If it is the samples' axis.
    """
    axis = axis_from_front(axis, rank)
    if axis == 0:
        raise UnsupportedError("an operation along the samples' axis")
    return axis - 1
