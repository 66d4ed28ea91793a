"""Tensors whose samples are not along axis 0, as inside of multi-head attention.

There, (samples, places, features) become (places, samples, features), (samples * heads, places,
width) and the like. Such a tensor is kept with the samples in front, and where the framework has
them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import gcd, prod

import numpy as np

from backlit.importers.builder import shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, UnsupportedError, axis_from_front

NOWHERE = -1


@dataclass(frozen=True)
class Moved(Tensor):
    """A tensor of which one axis is (before, samples, after), in row-major order.

    `shape` is the framework's. `inner` has the samples at axis 0, then the framework's axes, of
    which that one has extent ``before * after``. A batch of one sample may be anywhere: `axis` is
    `NOWHERE` then. Only for operators that look at shapes alone it may pass as a tensor.
    """

    inner: Tensor
    axis: int
    before: int
    after: int

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def place(self) -> tuple[int, int, int]:
        return self.axis, self.before, self.after

    @property
    def factors(self) -> list[int]:
        """The extents in order, the samples' as 0."""
        sizes = list(self.inner.sample)
        return [*sizes[: self.axis], self.before, 0, self.after, *sizes[self.axis + 1 :]]


def as_moved(b: GraphBuilder, x: Tensor) -> Moved:
    """Any tensor as a moved one."""
    if isinstance(x, Moved):
        return x
    inner = shapes.reshape(b, x, (b.batch, 1, *x.sample))
    return Moved(inner.number, x.shape, inner, NOWHERE if b.batch == 1 else 0, 1, 1)


def placed(b: GraphBuilder, inner: Tensor, axis: int, before: int = 1, after: int = 1) -> Tensor:
    """A tensor by its `inner` one; an ordinary one, if the samples are along axis 0."""
    sizes = list(inner.sample)
    if axis != NOWHERE:
        sizes[axis] *= b.batch
    if sizes[:1] == [b.batch] and axis <= 0 and before == after == 1:
        return shapes.reshape(b, inner, sizes)
    return Moved(inner.number, tuple(sizes), inner, axis, before, after)


def reshaped(b: GraphBuilder, x: Tensor, shape: Sequence[int]) -> Tensor:
    """The same values in another shape."""
    x = as_moved(b, x)
    if x.axis == NOWHERE:
        return placed(b, shapes.reshape(b, x.inner, (1, *shape)), NOWHERE)
    mixes = f"reshaping {b.shown(x.shape)} to {b.shown(shape)} mixes samples"
    rest = x.factors[::-1]  # what is still to be taken, the next one last
    sizes, place = [], (0, 1, 1)
    for axis, size in enumerate(shape):
        taken: list[int] = []
        while _product(taken, b.batch) < size and rest:
            factor = rest.pop()
            wanted = size // _product(taken, b.batch)
            if factor and wanted % factor:  # the next axis takes the remainder
                common = gcd(factor, wanted)
                rest.append(factor // common)
                factor = common
                if common == 1:
                    break
            taken.append(factor)
        if _product(taken, b.batch) != size:
            raise UnsupportedError(mixes)
        if 0 in taken:
            at = taken.index(0)
            place = (axis, prod(taken[:at]), prod(taken[at + 1 :]))
        sizes.append(prod(n for n in taken if n))
    if 0 in rest or prod(rest) != 1:
        raise UnsupportedError(mixes)
    return placed(b, shapes.reshape(b, x.inner, (b.batch, *sizes)), *place)


def _product(factors: Sequence[int], batch: int) -> int:
    return prod(n or batch for n in factors)


def permuted(b: GraphBuilder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Axis i of the result is axis ``axes[i]`` of x."""
    x = as_moved(b, x)
    order = [axis_from_front(axis, x.rank) for axis in axes]
    inner = shapes.transpose(b, x.inner, [0, *(axis + 1 for axis in order)])
    axis = NOWHERE if x.axis == NOWHERE else order.index(x.axis)
    return placed(b, inner, axis, x.before, x.after)


def expanded(b: GraphBuilder, x: Tensor, shape: Sequence[int]) -> Tensor:
    """With axes of extent 1 repeated, and with new ones in front, perhaps."""
    x = as_moved(b, x)
    sizes = list(b.common_shape(x.shape, shape))
    new = len(sizes) - x.rank
    axis = x.axis if x.axis == NOWHERE else x.axis + new
    if axis != NOWHERE:
        sizes[axis] = x.before * x.after
    wide = shapes.reshape(b, x.inner, (b.batch, *[1] * new, *x.inner.sample))
    return placed(b, shapes.expand(b, wide, (b.batch, *sizes)), axis, x.before, x.after)


def by_channels(b: GraphBuilder, x: Moved, function: Callable[[Tensor], Tensor]) -> Tensor:
    """A function of each channel, with what is joined with the samples taken for places."""
    if x.axis > 0:
        raise UnsupportedError(f"samples along axis {x.axis}")
    order = [0, 2, 1, *range(3, x.rank + 1)]
    result = function(shapes.transpose(b, x.inner, order))
    return placed(b, shapes.transpose(b, result, order), *x.place)


def by_groups(b: GraphBuilder, x: Moved, function: Callable[[Tensor, int], Tensor]) -> Tensor:
    """A function of groups of channels, given how many groups: what is joined with the samples.

    Of an image that is (samples * groups, channels, ...), and the group's maps are made alike.
    """
    if x.axis > 0 or x.before != 1:
        raise UnsupportedError("samples joined with what is before them, or along another axis")
    groups, channels, *image = x.inner.sample
    together = shapes.reshape(b, x.inner, (b.batch, groups * channels, *image))
    result = function(together, groups)
    apart = (b.batch, groups, result.shape[1] // groups, *result.shape[2:])
    return placed(b, shapes.reshape(b, result, apart), *x.place)


def beside(value: np.ndarray, x: Moved, batch: int, *, whole: bool) -> np.ndarray:
    """A constant beside `x.inner`; if it has to be `whole`, with an axis of the samples."""
    own = value.ndim - x.rank + x.axis  # the samples' axis there
    if x.axis == NOWHERE or own < 0 or value.shape[own] == 1:
        return value[None] if whole else value
    sizes = value.shape
    if sizes[own] != x.before * batch * x.after:
        raise UnsupportedError("a constant that differs from sample to sample")
    split = value.reshape(*sizes[:own], x.before, batch, x.after, *sizes[own + 1 :])
    first = np.moveaxis(split, own + 1, 0)
    return first.reshape(batch, *sizes[:own], x.before * x.after, *sizes[own + 1 :])
