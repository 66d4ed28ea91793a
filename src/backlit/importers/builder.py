"""Building a graph from another framework's operations.

Shapes and axes here are the framework's own, the batch being axis 0. Values that do not depend
on the input are NumPy arrays, and stay so: only what meets the input becomes a node.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backlit.graph import Graph
from backlit.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Clip,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LogSoftmax,
    MaxPool2D,
    ReLU,
    Sigmoid,
    Softmax,
)
from backlit.model import Model
from backlit.operators import (
    Add,
    AxisMap,
    Binary,
    Concatenate,
    Constant,
    MatMul,
    Reduce,
    Reshape,
    Transpose,
)


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


class GraphBuilder:
    """Appends nodes to a graph, one method for each kind of operation.

    Parameters
    ----------
    shape : tuple of ints
        The shape of one sample.
    batch : int
        The number of samples that the framework's shapes speak of.

    Attributes
    ----------
    input : Tensor
    label : str
        What the next operation is called; an operation of several nodes gives its label to the
        last of them.
    """

    def __init__(self, shape: Sequence[int], batch: int = 1) -> None:
        self.batch = batch
        self.graph = Graph([tuple(int(n) for n in shape)])
        self.input = Tensor(0, (batch, *self.graph.shapes[0]))
        self.label = ""

    def finish(
        self,
        output: Tensor,
        name: str | None = None,
        outputs: str | None = None,
        *,
        channels_last: bool = False,
    ) -> Model:
        """The model whose last layer is `output`; `outputs` as for `backlit.Model`.

        `channels_last` says that people give axis 1 of the builder's input as the last one.
        """
        output = self._head_last(output)
        if len(output.shape) != 2:
            output = self.reshape(output, (self.batch, prod(output.sample)))
        graph = self.graph
        graph.output = output.number
        graph.nodes = graph.leading_to(output.number)
        live = {node.output for node in graph.nodes}
        graph.names = {label: tensor for label, tensor in graph.names.items() if tensor in live}
        return Model.of_graph(self.graph, name, outputs=outputs, channels_last=channels_last)

    def _head_last(self, output: Tensor) -> Tensor:
        """A softmax or sigmoid after which only shapes change, put behind them instead."""
        node = self.graph.producer(output.number)
        while node and isinstance(node.layer, Reshape | Flatten | Transpose):
            own = self.graph.shapes[node.output]
            if isinstance(node.layer, Transpose) and prod(own) != max(own):
                return output  # the order changes
            node = self.graph.producer(node.inputs[0])
        if node is None or not isinstance(node.layer, Softmax | LogSoftmax | Sigmoid):
            return output
        before = self.graph.shapes[node.inputs[0]]
        if not isinstance(node.layer, Sigmoid) and before[0] != prod(before):
            return output  # a softmax at each of several places
        scores = Tensor(node.inputs[0], (self.batch, *before))
        return self.append(node.layer, self.reshape(scores, (self.batch, prod(before))))

    # --- nodes ---------------------------------------------------------------------------

    def append(self, layer: Layer, *inputs: Tensor) -> Tensor:
        """Add a node of any layer or operator (whose shapes are those of one sample)."""
        numbers = tuple(tensor.number for tensor in inputs)
        number = self.graph.append(layer, numbers, self._name(layer))
        return Tensor(number, (self.batch, *self.graph.shapes[number]))

    def _name(self, layer: Layer) -> str:
        """The label; before the last node of an operation, the kind of layer and a number."""
        names = self.graph.names
        label = self.label or type(layer).__name__.lower()
        if label in names:  # an operation's earlier node gives up the label
            tensor = names.pop(label)
            number = 1
            while f"{label}.{number}" in names:
                number += 1
            names[f"{label}.{number}"] = tensor
            at = next(i for i, node in enumerate(self.graph.nodes) if node.output == tensor)
            before = self.graph.nodes[at]
            self.graph.nodes[at] = type(before)(
                before.layer, before.inputs, before.output, f"{label}.{number}"
            )
        return label

    def tensor(self, value: Value, shape: Sequence[int] | None = None) -> Tensor:
        """A value as a tensor; a constant is repeated for all samples if it must be.

        A constant's axis 0 is the batch's where it has as many axes as `shape`.
        """
        if isinstance(value, Tensor):
            return value
        array = np.asarray(value, np.float32)
        if shape is not None and array.ndim == len(shape):
            array = self._of_one_sample(array)
        return self.append(Constant(array))

    def _of_one_sample(self, array: np.ndarray) -> np.ndarray:
        if len(array) > 1 and not (array == array[:1]).all():
            raise UnsupportedError("a constant that differs from sample to sample")
        return array[0]

    # --- arithmetic ----------------------------------------------------------------------

    def activation(self, x: Tensor, name: str, **parameters: float) -> Tensor:
        """A function by its name in `backlit.Activation`; scales of scales are one."""
        if name == "scale":
            return self._scaled(x, parameters.get("factor", 1.0), parameters.get("shift", 0.0))
        return self.append(Activation(name, **parameters), x)

    def _scaled(self, x: Tensor, factor: float, shift: float) -> Tensor:
        node = self.graph.producer(x.number)
        if node and isinstance(node.layer, Activation) and node.layer.name == "scale":
            inner, offset = node.layer.parameters
            x = Tensor(node.inputs[0], x.shape)
            factor, shift = inner * factor, offset * factor + shift
        if factor == 1 and shift == 0:
            return x
        return self.append(Activation("scale", factor=factor, shift=shift), x)

    def clip(self, x: Tensor, low: float, high: float, *, open_ends: bool = True) -> Tensor:
        """Clip; derivative 0 at the bounds if `open_ends` (ReLU6, hardtanh), else 1 (clamp)."""
        if low == 0 and high == np.inf:
            return (
                self.append(ReLU(), x)
                if open_ends
                else self.activation(x, "clamp", low=0.0, high=float(np.finfo(np.float32).max))
            )
        bounds = np.clip([low, high], *np.finfo(np.float32).max * np.array([-1, 1]))
        low, high = (float(bound) for bound in bounds)
        if open_ends:
            return self.append(Clip(low, high), x)
        return self.activation(x, "clamp", low=low, high=high)

    def binary(self, function: str, a: Value, b: Value) -> Tensor:
        """add, subtract, multiply, divide, larger, smaller or raise_to, with broadcasting."""
        if isinstance(a, Tensor) and not isinstance(b, Tensor):
            simple = self._with_constant(function, a, np.asarray(b, np.float64))
            if simple is not None:
                return simple
        if isinstance(b, Tensor) and not isinstance(a, Tensor):
            a_ = np.asarray(a, np.float64)
            if function in ("add", "multiply"):
                simple = self._with_constant(function, b, a_)
                if simple is not None:
                    return simple
            elif function == "subtract":
                return self.binary("add", self.activation(b, "scale", factor=-1.0), a_)
            elif function == "divide":
                return self.binary("multiply", self.activation(b, "reciprocal"), a_)
        shapes = [np.shape(v) if not isinstance(v, Tensor) else v.shape for v in (a, b)]
        shape = np.broadcast_shapes(*shapes)
        for value in (a, b):
            if isinstance(value, Tensor) and len(value.shape) != len(shape):
                raise UnsupportedError(
                    f"broadcasting of {shapes[0]} with {shapes[1]} mixes samples"
                )
        first, second = self._aligned(a, shape), self._aligned(b, shape)
        if first.shape == second.shape and function == "add":
            return self.append(Add(), first, second)
        return self.append(Binary(function), first, second)

    def _aligned(self, value: Value, shape: tuple[int, ...]) -> Tensor:
        tensor = self.tensor(value, shape)
        missing = len(shape) - len(tensor.shape)
        if missing:
            tensor = self.append(Reshape((*[1] * missing, *tensor.sample)), tensor)
        return tensor

    def _with_constant(self, function: str, x: Tensor, c: np.ndarray) -> Tensor | None:
        """x and a constant, as an affine map of channels or a function of one number."""
        shape = np.broadcast_shapes(x.shape, c.shape)
        if shape != x.shape:
            return None
        if function == "raise_to" and c.size == 1:
            number = float(c.reshape(()))
            named = {2.0: "square", 0.5: "sqrt", -1.0: "reciprocal"}.get(number)
            if number == 1.0:
                return x
            return (
                self.activation(x, named) if named else self.activation(x, "power", exponent=number)
            )
        if function not in ("add", "subtract", "multiply", "divide"):
            return None
        scale, shift = {
            "add": (np.ones(()), c),
            "subtract": (np.ones(()), -c),
            "multiply": (c, np.zeros(())),
            "divide": (np.reciprocal(c) if function == "divide" else c, np.zeros(())),
        }[function]
        if c.size == 1:
            factor, offset = float(scale.reshape(-1)[0]), float(shift.reshape(-1)[0])
            return self.activation(x, "scale", factor=factor, shift=offset)
        wide = c.reshape((1,) * (len(x.shape) - c.ndim) + c.shape)
        per_channel = len(x.shape) in (2, 4) and wide.size == wide.shape[1] == x.shape[1]
        if not per_channel:
            return None
        return self.affine(x, np.broadcast_to(scale.reshape(-1), wide.size), shift.reshape(-1))

    def affine(self, x: Tensor, scale: Any, shift: Any) -> Tensor:
        """``scale * x + shift``, for each channel (axis 1) of an image or feature of a row."""
        scale = np.asarray(scale, np.float64).reshape(-1)
        shift = np.broadcast_to(np.asarray(shift, np.float64).reshape(-1), scale.shape)
        zeros, ones = np.zeros(scale.size), np.ones(scale.size)
        return self.append(BatchNorm(scale, shift, zeros, ones, 0.0), x)

    # --- dense and convolution -----------------------------------------------------------

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
            raise UnsupportedError(f"a matrix product of shapes {first.shape} and {second.shape}")
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
            image = self.reshape(x, (*x.shape[:2], 1, x.shape[2]))
            before, after = padding
            result = self.append(
                Conv2D(
                    np.asarray(weights)[:, :, None],
                    bias,
                    (1, stride[0]),
                    (0, before, 0, after),
                    (1, dilation[0]),
                    groups,
                ),
                image,
            )
            return self.reshape(result, (*result.shape[:2], result.shape[3]))
        x, padding = self._with_padding(x, padding)
        layer = Conv2D(weights, bias, tuple(stride), tuple(padding), tuple(dilation), groups)
        return self.append(layer, x)

    def _with_padding(self, x: Tensor, padding: Sequence[int]) -> tuple[Tensor, list[int]]:
        """An image before it was padded with zeros, and all padding together."""
        total = list(padding)
        while (node := self.graph.producer(x.number)) and isinstance(node.layer, AxisMap):
            amounts = node.layer.zeros_around()
            if amounts is None or node.layer.axis == 0:
                break
            total[node.layer.axis - 1] += amounts[0]
            total[node.layer.axis + 1] += amounts[1]
            x = Tensor(node.inputs[0], (self.batch, *self.graph.shapes[node.inputs[0]]))
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
            image = self.reshape(x, (*x.shape[:2], 1, x.shape[2]))
            before, after = padding
            result = self.transposed_convolution(
                image,
                np.asarray(weights)[:, :, None],
                bias,
                (1, stride[0]),
                (0, before, 0, after),
                (1, dilation[0]),
                groups,
                (0, output_padding[0]),
            )
            return self.reshape(result, (*result.shape[:2], result.shape[3]))
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

    # --- pooling -------------------------------------------------------------------------

    def max_pool(
        self,
        x: Tensor,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int] = (1, 1),
        ceil_mode: bool = False,
    ) -> Tensor:
        """Max pooling in one or two dimensions; arguments as in `convolution`."""
        wide = any(2 * p > n for p, n in zip(padding, (*size, *size), strict=True))
        if wide or any(n != 1 for n in dilation):
            return self._dilated_max_pool(x, size, stride, padding, dilation, ceil_mode)
        return self._pool(x, MaxPool2D, size, stride, padding, ceil_mode=ceil_mode)

    def _dilated_max_pool(
        self,
        x: Tensor,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        ceil_mode: bool,
    ) -> Tensor:
        """Windows laid out one after the other; what lies in the padding repeats a neighbour."""
        axes = len(size)
        for axis in range(axes):
            extent = x.shape[2 + axis]
            before, after = padding[axis], padding[axis + axes]
            reach = (size[axis] - 1) * dilation[axis] + 1
            room = extent + before + after - reach
            count = room // stride[axis] + 1
            if ceil_mode and room % stride[axis]:
                count += count * stride[axis] < extent + before
            indices = []
            for position in range(count):
                first = position * stride[axis] - before
                taps = first + np.arange(size[axis]) * dilation[axis]
                inside = taps[(taps >= 0) & (taps < extent)]
                if not len(inside):
                    raise UnsupportedError("a pooling window that lies in the padding")
                outside = (taps < 0) | (taps >= extent)
                indices += np.where(outside, inside[0], taps).tolist()
            x = self.gather(x, 2 + axis, indices)
        return self._pool(x, MaxPool2D, size, size, [0] * 2 * axes)

    def average_pool(
        self,
        x: Tensor,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> Tensor:
        """Average pooling in one or two dimensions; arguments as in `convolution`."""
        more = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
        return self._pool(x, AvgPool2D, size, stride, padding, **more)

    def _pool(
        self,
        x: Tensor,
        kind: Any,
        size: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        **more: Any,
    ) -> Tensor:
        if len(x.shape) == 4:
            return self.append(kind(tuple(size), tuple(stride), tuple(padding), **more), x)
        image = self.reshape(x, (*x.shape[:2], 1, x.shape[2]))
        layer = kind((1, size[0]), (1, stride[0]), (0, padding[0], 0, padding[1]), **more)
        result = self.append(layer, image)
        return self.reshape(result, (*result.shape[:2], result.shape[3]))

    # --- shapes --------------------------------------------------------------------------

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """The same values in another shape, which may hold one -1 and must keep the batch."""
        sizes = [int(n) for n in shape]
        total = prod(x.shape)
        if -1 in sizes:
            known = -prod(sizes)
            sizes[sizes.index(-1)] = total // known if known else 0
        if not sizes or sizes[0] != self.batch or prod(sizes) != total:
            raise UnsupportedError(f"reshaping {x.shape} to {tuple(shape)} mixes samples")
        node = self.graph.producer(x.number)
        if node and isinstance(node.layer, Reshape):  # of a reshaped tensor: one is enough
            x = Tensor(node.inputs[0], (self.batch, *self.graph.shapes[node.inputs[0]]))
        if tuple(sizes) == x.shape:
            return x
        return self.append(Reshape(sizes[1:]), x)

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        """Axis i of the result is axis ``axes[i]`` of x."""
        order = [int(axis) % len(x.shape) for axis in axes]
        if order[0] != 0:
            raise UnsupportedError(f"transposing axes {tuple(axes)} moves the samples' axis")
        node = self.graph.producer(x.number)
        if node and isinstance(node.layer, Transpose):  # of a transposed tensor: one is enough
            x = Tensor(node.inputs[0], (self.batch, *self.graph.shapes[node.inputs[0]]))
            order = [0, *(node.layer.axes[axis - 1] + 1 for axis in order[1:])]
        if order == list(range(len(order))):
            return x
        if sorted(own := [axis for axis in order if x.shape[axis] != 1]) == own:
            return self.reshape(x, [x.shape[axis] for axis in order])
        return self.append(Transpose([axis - 1 for axis in order[1:]]), x)

    def concatenate(self, values: Sequence[Value], axis: int) -> Tensor:
        rank = next(len(v.shape) for v in values if isinstance(v, Tensor))
        axis = self._axis(axis, rank)
        shape = (0,) * rank
        tensors = [self.tensor(value, shape) for value in values]
        return tensors[0] if len(tensors) == 1 else self.append(Concatenate(axis), *tensors)

    def gather(self, x: Tensor, axis: int, indices: Sequence[int] | np.ndarray) -> Tensor:
        """The entries at `indices` along an axis, -1 standing for zeros: slices, padding, flips."""
        axis = self._axis(axis, len(x.shape))
        wanted = [int(index) for index in indices]
        if wanted == list(range(x.sample[axis])):
            return x
        return self.append(AxisMap.gather(axis, x.sample[axis], wanted), x)

    def linear_map(self, x: Tensor, axis: int, rows: Sequence[Any]) -> Tensor:
        """Along an axis, sums of weighted entries: for each output its [(input, weight), ...]."""
        axis = self._axis(axis, len(x.shape))
        return self.append(AxisMap.of_rows(axis, x.sample[axis], rows), x)

    def pad(
        self,
        x: Tensor,
        axis: int,
        before: int,
        after: int,
        mode: str = "constant",
        value: float = 0,
    ) -> Tensor:
        """Pad an axis: "constant", "reflect", "edge" or "wrap"; negative amounts crop."""
        size = x.shape[axis % len(x.shape)]
        if not before and not after:
            return x
        inner = np.arange(size)[max(-before, 0) : size - max(-after, 0)]
        amounts = (max(before, 0), max(after, 0))
        if mode != "constant":
            return self.gather(x, axis, np.pad(inner, amounts, mode=mode))  # type: ignore[call-overload]
        indices = np.pad(inner, amounts, constant_values=-1)
        result = self.gather(x, axis, indices)
        if value:
            shape = [1] * len(x.shape)
            shape[axis % len(x.shape)] = len(indices)
            result = self.binary("add", result, np.where(indices < 0, value, 0.0).reshape(shape))
        return result

    def expand(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """Repeat axes of extent 1 (NumPy's broadcasting)."""
        target = np.broadcast_shapes(x.shape, tuple(int(n) for n in shape))
        if len(target) != len(x.shape) or target[0] != self.batch:
            raise UnsupportedError(f"expanding {x.shape} to {tuple(shape)} mixes samples")
        for axis, (own, wanted) in enumerate(zip(x.shape, target, strict=True)):
            if own != wanted:
                x = self.gather(x, axis, [0] * wanted)
        return x

    # --- over axes -----------------------------------------------------------------------

    def reduce(self, x: Tensor, function: str, axes: Sequence[int], keepdims: bool) -> Tensor:
        """sum, mean, max or min over axes."""
        rank = len(x.shape)
        own = sorted(self._axis(axis, rank) for axis in axes)
        if function == "mean" and rank == 4 and own == [1, 2]:
            result = self.append(GlobalAvgPool2D(), x)
        elif function == "min":
            flipped = self.reduce(self.activation(x, "scale", factor=-1.0), "max", axes, True)
            result = self.activation(flipped, "scale", factor=-1.0)
        else:
            result = self.append(Reduce("larger" if function == "max" else "add", own), x)
            if function == "mean":
                count = prod(x.sample[axis] for axis in own)
                result = self.activation(result, "scale", factor=1.0 / count)
        if keepdims:
            return result
        kept = [n for axis, n in enumerate(x.sample) if axis not in own]
        return self.reshape(result, (self.batch, *kept))

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
        centred = self.binary("subtract", x, self.reduce(x, "mean", axes, True))
        variance = self.reduce(self.activation(centred, "square"), "mean", axes, True)
        deviation = self.activation(
            self.activation(variance, "scale", shift=epsilon), "power", exponent=-0.5
        )
        result = self.binary("multiply", centred, deviation)
        if scale is not None:
            result = self.binary("multiply", result, scale)
        return result if shift is None else self.binary("add", result, shift)

    def _axis(self, axis: int, rank: int) -> int:
        """An axis of one sample."""
        axis = int(axis) % rank
        if axis == 0:
            raise UnsupportedError("an operation along the samples' axis")
        return axis - 1
