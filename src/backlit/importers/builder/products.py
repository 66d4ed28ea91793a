"""Dense layers, matrix products, and convolutions in one and two dimensions."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import numpy as np

from backlit.importers.builder.axes import AxisBuilder
from backlit.importers.builder.nodes import Tensor, UnsupportedError, Value
from backlit.layers import Conv2D, ConvTranspose2D, Dense
from backlit.operators import AxisMap, MatMul


class ProductBuilder(AxisBuilder):
    """Operations with weights."""

    def dense(self, x: Tensor, weights: np.ndarray, bias: np.ndarray | None = None) -> Tensor:
        """``x @ weights + bias`` along the last axis; weights are (in, out)."""
        weights = np.asarray(weights, np.float32)
        if len(x.shape) == 2:
            return self.append(Dense(weights, bias), x)
        # along other axes, a matrix is a convolution of one pixel
        rank = len(x.shape)
        x = self.transpose(x, (0, rank - 1, *range(1, rank - 1)))
        rest = x.shape[2:]
        x = self.reshape(x, (self.batch, x.shape[1], 1, prod(rest)))
        x = self.append(Conv2D(weights.T[:, :, None, None], bias), x)
        x = self.reshape(x, (self.batch, weights.shape[1], *rest))
        return self.transpose(x, (0, *range(2, rank), 1))

    def matmul(self, a: Value, b: Value) -> Tensor:
        """NumPy's matmul of a tensor and a constant, or of two tensors of one rank."""
        if isinstance(a, Tensor) and not isinstance(b, Tensor):
            b = np.asarray(b)
            if b.ndim == 1:
                product = self.dense(a, b[:, None])
                return self.reshape(product, product.shape[:-1])
            if b.ndim > 2 and prod(b.shape[:-2]) == 1:
                b = b.reshape(b.shape[-2:])
            if b.ndim == 2:
                return self.dense(a, b)
        if isinstance(b, Tensor) and not isinstance(a, Tensor):
            a = np.asarray(a)
            if len(b.shape) < 3:
                raise UnsupportedError("a matrix product that mixes samples")
            if a.ndim == 2 and len(b.shape) >= 3:
                rank = len(b.shape)
                swap = (*range(rank - 2), rank - 1, rank - 2)
                return self.transpose(self.dense(self.transpose(b, swap), a.T), swap)
        shape = a.shape if isinstance(a, Tensor) else b.shape
        first, second = self.tensor(a, shape), self.tensor(b, shape)
        rank = max(len(first.shape), len(second.shape))
        if len(first.shape) != len(second.shape) or rank < 3:
            shapes = f"{self.shown(first.shape)} and {self.shown(second.shape)}"
            raise UnsupportedError(f"a matrix product of shapes {shapes}")
        outer = np.broadcast_shapes(first.sample[:-2], second.sample[:-2])
        first = self.expand(first, (self.batch, *outer, *first.sample[-2:]))
        second = self.expand(second, (self.batch, *outer, *second.sample[-2:]))
        return self.append(MatMul(), first, second)

    def convolution(
        self,
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None = None,
        stride: Sequence[int] = (1, 1),
        padding: Sequence[int] = (0, 0, 0, 0),
        dilation: Sequence[int] = (1, 1),
        groups: int = 1,
    ) -> Tensor:
        """A convolution in one or two dimensions; weights are (out, in / groups, ...).

        `padding` is (top, left, bottom, right), or (before, after) in one dimension, where
        `stride` and `dilation` have one entry.
        """
        if len(x.shape) == 3:
            return self._of_one_row(
                self.convolution, x, weights, bias, stride, padding, dilation, groups
            )
        x, padding = self._with_padding(x, padding)
        layer = Conv2D(weights, bias, tuple(stride), tuple(padding), tuple(dilation), groups)
        return self.append(layer, x)

    def _of_one_row(
        self,
        convolve: Callable[..., Tensor],
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Tensor:
        """A convolution in one dimension: that of an image of one row."""
        image = self.reshape(x, (*x.shape[:2], 1, x.shape[2]))
        filters = np.asarray(weights)[:, :, None]
        before, after = padding
        row = (1, stride[0]), (0, before, 0, after), (1, dilation[0])
        result = convolve(image, filters, bias, *row, groups)
        return self.reshape(result, (*result.shape[:2], result.shape[3]))

    def _with_padding(self, x: Tensor, padding: Sequence[int]) -> tuple[Tensor, list[int]]:
        """An image before it was padded with zeros, and all padding together."""
        total = list(padding)
        while (node := self.graph.producer(x.number)) and isinstance(node.layer, AxisMap):
            amounts = node.layer.zeros_around()
            if amounts is None or node.layer.axis == 0:
                break
            total[node.layer.axis - 1] += amounts[0]
            total[node.layer.axis + 1] += amounts[1]
            x = self.of(node.inputs[0])
        return x, total

    def transposed_convolution(
        self,
        x: Tensor,
        weights: np.ndarray,
        bias: np.ndarray | None = None,
        stride: Sequence[int] = (1, 1),
        padding: Sequence[int] = (0, 0, 0, 0),
        dilation: Sequence[int] = (1, 1),
        groups: int = 1,
        output_padding: Sequence[int] = (0, 0),
    ) -> Tensor:
        """A transposed convolution; weights are (in, out / groups, ...). Otherwise as above."""
        if len(x.shape) == 3:
            convolve = partial(self.transposed_convolution, output_padding=(0, output_padding[0]))
            return self._of_one_row(convolve, x, weights, bias, stride, padding, dilation, groups)
        layer = ConvTranspose2D(
            weights,
            bias,
            tuple(stride),
            tuple(padding),
            tuple(dilation),
            groups,
            tuple(output_padding),
        )
        return self.append(layer, x)
