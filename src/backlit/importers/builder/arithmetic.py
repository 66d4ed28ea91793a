"""Functions of one number and of two, with broadcasting."""

from typing import Any

import numpy as np

from backlit.importers.builder.nodes import Tensor, UnsupportedError, Value
from backlit.importers.builder.shapes import ShapeBuilder
from backlit.layers import Activation, BatchNorm, Clip, LeakyReLU, ReLU
from backlit.operators import Add, Binary, Reshape

TINY = float(np.finfo(np.float32).tiny)
HIDDEN = -1e30  # in place of minus infinity: differences of it are 0, its softmax is as small


def finite(function: str, a: Value, b: Value) -> tuple[Value, Value]:
    """A sum's or difference's values, those that mask entries by minus infinity made finite."""
    if function in ("add", "subtract") and not isinstance(a, Tensor):
        a = np.maximum(a, HIDDEN)
    if function == "add" and not isinstance(b, Tensor):
        b = np.maximum(b, HIDDEN)
    if function == "subtract" and not isinstance(b, Tensor):
        b = np.minimum(b, -HIDDEN)
    return a, b


class ArithmeticBuilder(ShapeBuilder):
    """Operations on each entry; constants are taken into affine maps."""

    def activation(self, x: Tensor, name: str, **parameters: float) -> Tensor:
        """A function by its name in `backlit.Activation`; scales of scales are one."""
        if name == "scale":
            return self._scaled(x, parameters.get("factor", 1.0), parameters.get("shift", 0.0))
        return self.append(Activation(name, **parameters), x)

    def _scaled(self, x: Tensor, factor: float, shift: float) -> Tensor:
        node = self.merging(x, Activation)
        if node and isinstance(node.layer, Activation) and node.layer.name == "scale":
            inner, offset = node.layer.parameters
            x = self.of(node.inputs[0])
            factor, shift = inner * factor, offset * factor + shift
        if factor == 1 and shift == 0:
            return x
        return self.append(Activation("scale", factor=factor, shift=shift), x)

    def negative(self, x: Tensor) -> Tensor:
        return self.activation(x, "scale", factor=-1.0)

    def expm1(self, x: Tensor) -> Tensor:
        """``exp(x) - 1``"""
        return self.activation(self.activation(x, "exp"), "scale", shift=-1.0)

    def log1p(self, x: Tensor) -> Tensor:
        """``log(1 + x)``"""
        return self.activation(self.activation(x, "scale", shift=1.0), "log")

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

    def selu(
        self, x: Tensor, alpha: float = 1.6732632423543772, scale: float = 1.0507009873554805
    ) -> Tensor:
        return self.activation(x, "elu", alpha=alpha, scale=scale)

    def celu(self, x: Tensor, alpha: float = 1.0) -> Tensor:
        return self.activation(x, "elu", alpha=alpha, input_scale=1 / alpha)

    def log_sigmoid(self, x: Tensor) -> Tensor:
        return self.negative(self.activation(self.negative(x), "softplus"))

    def prelu(self, x: Tensor, slopes: np.ndarray) -> Tensor:
        """x where it is above 0, else slopes times x; the derivative at 0 is a slope."""
        if (slopes == slopes.flat[0]).all():
            return self.append(LeakyReLU(float(slopes.flat[0])), x)
        below = self.clip(x, -np.inf, 0.0, open_ends=False)
        return self.binary("add", self.append(ReLU(), x), self.binary("multiply", below, slopes))

    def powers(self, x: Tensor, power: float) -> Tensor:
        """``abs(x) ** power``"""
        if power == 2:
            return self.activation(x, "square")
        size = self.activation(x, "abs")
        return size if power == 1 else self.activation(size, "power", exponent=power)

    def root(self, x: Tensor, power: float = 2.0) -> Tensor:
        """The root of a sum of powers; derivative 0 where that is 0, as of PyTorch's norms."""
        if power == 1:
            return x
        x = self.clip(x, TINY, np.inf)
        return self.binary("raise_to", x, np.asarray(1 / power))

    def hard_shrink(self, x: Tensor, bound: float) -> Tensor:
        """x where it is beyond the bound, on either side, else 0."""
        flipped = self.negative(x)
        above = self.activation(x, "thresholded_relu", alpha=bound)
        below = self.activation(flipped, "thresholded_relu", alpha=bound)
        return self.binary("subtract", above, below)

    def soft_shrink(self, x: Tensor, bound: float) -> Tensor:
        """How far x is beyond the bound, on either side."""
        return self.binary("subtract", x, self.clip(x, -bound, bound, open_ends=False))

    def binary(self, function: str, a: Value, b: Value) -> Tensor:
        """add, subtract, multiply, divide, larger, smaller or raise_to, with broadcasting."""
        a, b = finite(function, a, b)
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
                return self.binary("add", self.negative(b), a_)
            elif function == "divide":
                return self.binary("multiply", self.activation(b, "reciprocal"), a_)
        shapes = [np.shape(v) if not isinstance(v, Tensor) else v.shape for v in (a, b)]
        shape = self.common_shape(*shapes)
        for value in (a, b):
            if isinstance(value, Tensor) and len(value.shape) != len(shape):
                raise UnsupportedError(
                    f"broadcasting of {' with '.join(map(self.shown, shapes))} mixes samples"
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
        shape = self.common_shape(x.shape, c.shape)
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

    def pad(
        self,
        x: Tensor,
        axis: int,
        before: int,
        after: int,
        mode: str = "constant",
        value: float = 0,
    ) -> Tensor:
        """Pad an axis by a mode of `numpy.pad`, constant if none; negative amounts crop."""
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
