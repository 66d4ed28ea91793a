"""Operators that importers need besides layers. Shapes and axes are those of one sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backlit.checks import choice
from backlit.layers.activations import Softmax
from backlit.layers.base import Layer, Shape


@dataclass(frozen=True, eq=False, repr=False)
class Add(Layer):
    """The sum of two tensors of one shape."""

    def output_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        if a != b:
            raise ValueError(f"cannot add tensors of shapes {a} and {b}")
        return a


BINARY = ("add", "subtract", "multiply", "divide", "larger", "smaller", "raise_to")


@dataclass(frozen=True, eq=False, repr=False)
class Binary(Layer):
    """A function of two tensors, entry by entry; axes of extent 1 are repeated.

    `function` is one of `BINARY`.
    """

    function: str

    def __post_init__(self) -> None:
        choice("function", self.function, BINARY)

    def output_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        return tuple(np.broadcast_shapes(a, b))


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Layer):
    """A tensor that does not depend on the input."""

    values: np.ndarray

    def __post_init__(self) -> None:
        self._set(values=np.asarray(self.values, np.float32, order="C"))

    def output_shape(self, *shapes: Shape) -> Shape:
        return self.values.shape


@dataclass(frozen=True, eq=False, repr=False)
class Reshape(Layer):
    """The same values in row-major order."""

    shape: Sequence[int]

    def __post_init__(self) -> None:
        self._set(shape=tuple(int(n) for n in self.shape))

    def output_shape(self, *shapes: Shape) -> Shape:
        if prod(shapes[0]) != prod(self.shape):
            raise ValueError(f"cannot reshape {shapes[0]} to {tuple(self.shape)}")
        return tuple(self.shape)


@dataclass(frozen=True, eq=False, repr=False)
class Transpose(Layer):
    """Axis i of the output is axis ``axes[i]`` of the input."""

    axes: Sequence[int]

    def __post_init__(self) -> None:
        self._set(axes=tuple(int(n) for n in self.axes))

    def output_shape(self, *shapes: Shape) -> Shape:
        if sorted(self.axes) != list(range(len(shapes[0]))):
            raise ValueError(f"cannot transpose {shapes[0]} to axes {self.axes}")
        return tuple(shapes[0][axis] for axis in self.axes)


@dataclass(frozen=True, eq=False, repr=False)
class Concatenate(Layer):
    """Tensors one after the other along an axis."""

    axis: int

    def output_shape(self, *shapes: Shape) -> Shape:
        first, axis = shapes[0], self.axis
        total = sum(shape[axis] for shape in shapes)
        if any(s[:axis] + s[axis + 1 :] != first[:axis] + first[axis + 1 :] for s in shapes):
            raise ValueError(f"cannot concatenate {list(shapes)} along axis {axis}")
        return (*first[:axis], total, *first[axis + 1 :])


Entries = Sequence[tuple[int, float]]  # (input, weight)
MOST_RUNS = 16


class Run(NamedTuple):
    """Some entries of an `AxisMap`, and how far their rows and columns are apart."""

    length: int
    row: int
    column: int
    row_step: int
    column_step: int


@dataclass(frozen=True, eq=False, repr=False)
class AxisMap(Layer):
    """A sparse matrix along one axis: slices, gathers, padding, resizing, moving sums.

    Output r is the sum over ``e in range(starts[r], starts[r + 1])`` of
    ``weights[e] * input[columns[e]]``; `size` is the axis's extent in the input.
    """

    axis: int
    size: int
    starts: np.ndarray
    columns: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        self._set(
            starts=np.asarray(self.starts, np.int64),
            columns=np.asarray(self.columns, np.int64),
            weights=np.asarray(self.weights, np.float32),
        )
        starts, columns = self.starts, self.columns
        if starts[0] != 0 or starts[-1] != len(columns) or (np.diff(starts) < 0).any():
            raise ValueError(f"starts must rise from 0 to the {len(columns)} columns")
        if len(columns) != len(self.weights):
            raise ValueError(f"{len(columns)} columns have {len(self.weights)} weights")
        if ((columns < 0) | (columns >= self.size)).any():
            raise ValueError(f"columns must be in 0 ... {self.size - 1}")

    @classmethod
    def of_rows(cls, axis: int, size: int, rows: Sequence[Entries]) -> "AxisMap":
        """From the entries of each output."""
        entries = [entry for row in rows for entry in row]
        starts = np.cumsum([0, *map(len, rows)])
        columns = np.array([column for column, _ in entries], np.int64)
        return cls(axis, size, starts, columns, np.array([w for _, w in entries], np.float32))

    @classmethod
    def gather(cls, axis: int, size: int, indices: Any) -> "AxisMap":
        """The entries at `indices` (-1 for a zero)."""
        wanted = np.asarray(indices, np.int64)
        columns = wanted[wanted >= 0]
        starts = np.concatenate(([0], np.cumsum(wanted >= 0)))
        return cls(axis, size, starts, columns, np.ones(len(columns)))

    def output_shape(self, *shapes: Shape) -> Shape:
        shape = shapes[0]
        if not (0 <= self.axis < len(shape) and shape[self.axis] == self.size):
            raise ValueError(f"an AxisMap of axis {self.axis}, size {self.size}, got {shape}")
        return (*shape[: self.axis], len(self.starts) - 1, *shape[self.axis + 1 :])

    def zeros_around(self) -> tuple[int, int] | None:
        """How many zeros stand before and behind the input, if that is all that changes."""
        counts = self.entries_of_rows
        before = int(np.argmax(counts > 0)) if self.columns.size else 0
        after = len(counts) - before - self.size
        plain = np.array_equal(self.columns, np.arange(self.size)) and (self.weights == 1).all()
        inside = counts[before : before + self.size]
        return (before, after) if plain and after >= 0 and (inside == 1).all() else None

    @property
    def entries_of_rows(self) -> np.ndarray:
        """How many entries each output has."""
        return np.diff(self.starts)

    @property
    def rows(self) -> np.ndarray:
        """The output of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1), self.entries_of_rows)

    def runs(self) -> list[Run] | None:
        """The entries, if all weights are 1, as runs that step evenly along both axes, if few."""
        places = np.stack([self.rows, self.columns], axis=1)
        steps = np.diff(places, axis=0)
        found, first = list[Run](), 0
        while first < len(places):
            if len(found) == MOST_RUNS or self.weights[first] != 1:
                return None
            goes_on = (steps[first:] == steps[first : first + 1]).all(axis=1)
            goes_on &= self.weights[first + 1 :] == 1
            length = 1 + (len(goes_on) if goes_on.all() else int(goes_on.argmin()))
            step = steps[first] if length > 1 else np.zeros(2, np.int64)
            found.append(Run(length, *places[first].tolist(), *step.tolist()))
            first += length
        return found

    def transposed(self) -> "AxisMap":
        rows = self.rows
        order = np.argsort(self.columns, kind="stable")
        starts = np.searchsorted(self.columns[order], np.arange(self.size + 1))
        return AxisMap(self.axis, len(self.starts) - 1, starts, rows[order], self.weights[order])


@dataclass(frozen=True, eq=False, repr=False)
class Reduce(Layer):
    """The sum or the maximum over axes, which keep extent 1.

    Equal maxima share the gradient, as in PyTorch's ``amax``.
    """

    function: str  # "add" or "larger"
    axes: Sequence[int]

    def __post_init__(self) -> None:
        self._set(axes=tuple(int(n) for n in self.axes))
        choice("function", self.function, ("add", "larger"))

    def output_shape(self, *shapes: Shape) -> Shape:
        return tuple(1 if i in self.axes else n for i, n in enumerate(shapes[0]))


@dataclass(frozen=True, eq=False, repr=False)
class RowSoftmax(Softmax):
    """Softmax along the last axis of several."""


@dataclass(frozen=True, eq=False, repr=False)
class MatMul(Layer):
    """The matrix product of two tensors' last axes; axes before are those of both."""

    def output_shape(self, *shapes: Shape) -> Shape:
        a, b = shapes
        if a[:-2] != b[:-2] or a[-1] != b[-2]:
            raise ValueError(f"cannot multiply matrices of shapes {a} and {b}")
        return (*a[:-1], b[-1])
