"""A convolution by Winograd's method: where it goes, and its filters, transformed and packed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from backlit_kernels.winograd import MATRICES
from backlit_kernels.winograd_fused import SIDE

from backlit.instructions import Place
from backlit.lowering.context import Lowering
from backlit.lowering.images import Image
from backlit.lowering.products import Weights


@dataclass(frozen=True)
class Convolution:
    """A 3x3 convolution from an image to `size` pixels (rows, columns) of another.

    The first window's corner lies `shift` (rows, columns) before the first pixel.
    """

    x: Image
    out: Image
    size: tuple[int, ...]
    filters: np.ndarray
    bias: np.ndarray
    shift: tuple[int, ...]

    def corner(self, row: int = 0, column: int = 0) -> Place:
        """Where the window of an output begins."""
        return self.x.at(row - self.shift[0], column - self.shift[1])


class Filters(Weights):
    """A product for each entry of the transformed filters (outputs, inputs, 3, 3)."""

    def __init__(self, lowering: Lowering, filters: np.ndarray, m: int) -> None:
        entries, (outputs, inputs) = (m + 2) ** 2, filters.shape[:2]
        super().__init__(lowering, filters, None, (entries, outputs, inputs))
        self.m = m

    @cached_property
    def weights(self) -> np.ndarray:
        transform = MATRICES[self.m].FILTERS
        transformed = transform @ self.source.astype(np.float64) @ transform.T
        return transformed.transpose(2, 3, 0, 1).reshape(self.shape)


class FusedFilters(Filters):
    """The same for patches of their own: ``(blocks, columns, inputs, entries, rows)``."""

    def __init__(self, lowering: Lowering, filters: np.ndarray) -> None:
        super().__init__(lowering, filters, 2)

    def _tiles(self, rows: int, first: int, blocks: int) -> np.ndarray:
        part = self.weights[:, first : first + rows * blocks]
        entries = part.reshape(SIDE, SIDE, blocks, rows, -1)  # of columns
        return entries.transpose(2, 1, 4, 0, 3)
