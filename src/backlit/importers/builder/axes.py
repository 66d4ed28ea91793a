"""Operations over axes: reductions, softmax, normalisation."""

from collections.abc import Sequence
from math import prod

import numpy as np

from backlit.importers.builder.comparisons import ComparisonBuilder
from backlit.importers.builder.nodes import Tensor, Value
from backlit.importers.builder.shapes import Row
from backlit.layers import GlobalAvgPool2D, LogSoftmax, Softmax
from backlit.operators import Reduce


class AxisBuilder(ComparisonBuilder):
    """Operations that bring an axis' entries together."""

    def reduce(self, x: Tensor, function: str, axes: Sequence[int], keepdims: bool) -> Tensor:
        """sum, mean, max, min or prod over axes."""
        rank = len(x.shape)
        own = sorted(self._axis(axis, rank) for axis in axes)
        if function == "mean" and rank == 4 and own == [1, 2]:
            result = self.append(GlobalAvgPool2D(), x)
        elif function == "min":
            result = self.negative(self.reduce(self.negative(x), "max", axes, True))
        elif function == "prod":
            result = self._product(x, [axis + 1 for axis in own])
        else:
            result = self.append(Reduce("larger" if function == "max" else "add", own), x)
            if function == "mean":
                count = prod(x.sample[axis] for axis in own)
                result = self.activation(result, "scale", factor=1.0 / count)
        if keepdims:
            return result
        kept = [n for axis, n in enumerate(x.sample) if axis not in own]
        return self.reshape(result, (self.batch, *kept))

    def _product(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """One half of the entries times the other, until one is left; axes keep extent 1."""
        for axis in axes:
            while (size := x.shape[axis]) > 1:
                half = size // 2
                halves = (self.gather(x, axis, range(n, n + half)) for n in (0, half))
                parts: list[Value] = [self.binary("multiply", *halves)]
                if size % 2:
                    parts.append(self.gather(x, axis, [size - 1]))
                x = self.concatenate(parts, axis)
        return x

    def log_sum_exp(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Relative to the maximum, so that nothing overflows; axes keep extent 1."""
        largest = self.reduce(x, "max", axes, True)
        odds = self.activation(self.binary("subtract", x, largest), "exp")
        total = self.activation(self.reduce(odds, "sum", axes, True), "log")
        return self.binary("add", total, largest)

    def running_sum(
        self, x: Tensor, axis: int, exclusive: bool = False, reverse: bool = False
    ) -> Tensor:
        """Sums of all entries up to each, or before it; from the end, if `reverse`."""
        order = range(x.shape[axis])[:: -1 if reverse else 1]
        rows: list[Row] = [[] for _ in order]
        for last, place in enumerate(order):
            rows[place] = [(i, 1.0) for i in order[: last + 1 - exclusive]]
        return self.linear_map(x, axis, rows)

    def centred(self, x: Tensor, axes: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Less the mean over axes; and the variance, whose axes keep extent 1."""
        centred = self.binary("subtract", x, self.reduce(x, "mean", axes, True))
        return centred, self.reduce(self.activation(centred, "square"), "mean", axes, True)

    def softmax(self, x: Tensor, axis: int, logarithm: bool = False) -> Tensor:
        axis = self._axis(axis, len(x.shape))
        layer = LogSoftmax() if logarithm else Softmax()
        if axis == 0:
            return self.append(layer, x)
        order = [axis, *(i for i in range(len(x.sample)) if i != axis)]
        front = self.transpose(x, (0, *(i + 1 for i in order)))
        back = [order.index(i) for i in range(len(order))]
        return self.transpose(self.append(layer, front), (0, *(i + 1 for i in back)))

    def normalize(
        self,
        x: Tensor,
        axes: Sequence[int],
        epsilon: float,
        scale: np.ndarray | None = None,
        shift: np.ndarray | None = None,
    ) -> Tensor:
        """Mean 0 and variance 1 over axes, then scale and shift (arrays that broadcast)."""
        centred, variance = self.centred(x, axes)
        result = self._over_root(centred, variance, epsilon)
        if scale is not None:
            result = self.binary("multiply", result, scale)
        return result if shift is None else self.binary("add", result, shift)

    def normalize_groups(self, x: Tensor, groups: int, epsilon: float) -> Tensor:
        """Mean 0 and variance 1 over the channels (axis 1) of a group, and all their places."""
        last = x.shape[-1] if len(x.shape) > 2 else 1
        rows = prod(x.sample) // (groups * last)
        together = self.reshape(x, (self.batch, groups, rows, last))
        return self.reshape(self.normalize(together, [2, 3], epsilon), x.shape)

    def rms_normalize(self, x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
        """Divided by the root of the mean square over axes (RMS normalisation)."""
        square = self.reduce(self.activation(x, "square"), "mean", axes, True)
        return self._over_root(x, square, epsilon)

    def l2_normalize(self, x: Tensor, axes: Sequence[int], least: float) -> Tensor:
        """Divided by the L2 norm over axes, or by the least number if that is larger."""
        total = self.reduce(self.activation(x, "square"), "sum", axes, True)
        kept = self.clip(total, least**2, np.inf, open_ends=False)
        return self.binary("multiply", x, self.activation(kept, "power", exponent=-0.5))

    def _over_root(self, x: Tensor, square: Tensor, epsilon: float) -> Tensor:
        safe = self.activation(square, "scale", shift=epsilon)
        return self.binary("multiply", x, self.activation(safe, "power", exponent=-0.5))
