"""Activation functions and softmax. Derivatives at kinks are PyTorch's."""

from dataclasses import dataclass

from backlit.layers.base import Layer, number


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Layer):
    """max(x, 0); the derivative at 0 is 0."""


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Layer):
    """x where positive, slope * x elsewhere; the derivative at 0 is the slope."""

    slope: float = 0.01

    def __post_init__(self) -> None:
        self._set(slope=number("slope", self.slope))


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Layer):
    """min(max(x, low), high); the derivative at the bounds is 0, so Clip(0, 6) is ReLU6."""

    low: float
    high: float

    def __post_init__(self) -> None:
        self._set(low=number("low", self.low), high=number("high", self.high))
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got {self.low} and {self.high}")


@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Layer):
    """The hyperbolic tangent."""


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Layer):
    """exp(x) over its sum along the channels (or features)."""


@dataclass(frozen=True, eq=False, repr=False)
class LogSoftmax(Layer):
    """The logarithm of `Softmax`."""
