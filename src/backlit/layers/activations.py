"""Activation functions and softmax. Derivatives at kinks are PyTorch's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.checks import choice, number
from backlit.layers.base import Layer


class Elementwise(Layer):
    """A function of each value on its own.

    Attributes
    ----------
    function : str
        Its name among the kernels (`backlit_kernels.unary_functions`).
    parameters : tuple of floats
    """

    function: str
    parameters: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Layer):
    """max(x, 0); the derivative at 0 is 0."""


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Elementwise):
    """x where positive, slope * x elsewhere; the derivative at 0 is the slope.

    Parameters
    ----------
    slope : float, default 0.01

    Raises
    ------
    ValueError, TypeError
        If `slope` is no finite number.
    """

    slope: float = 0.01
    function = "leaky_relu"

    def __post_init__(self) -> None:
        self._set(slope=number("slope", self.slope))
        self._set(parameters=(self.slope,))


@dataclass(frozen=True, eq=False, repr=False)
class Clip(Elementwise):
    """min(max(x, low), high); the derivative at the bounds is 0, so Clip(0, 6) is ReLU6.

    Parameters
    ----------
    low, high : float

    Raises
    ------
    ValueError, TypeError
        If these are no finite numbers, or `low` exceeds `high`.
    """

    low: float
    high: float
    function = "clip"

    def __post_init__(self) -> None:
        self._set(low=number("low", self.low), high=number("high", self.high))
        if self.low > self.high:
            raise ValueError(f"low must not exceed high, got {self.low} and {self.high}")
        self._set(parameters=(self.low, self.high))


@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Elementwise):
    """1 / (1 + exp(-x))."""

    function = "sigmoid"


@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Elementwise):
    """The hyperbolic tangent."""

    function = "tanh"


# Parameters of each function, in order, and their defaults
ACTIVATIONS: dict[str, tuple[tuple[str, float], ...]] = {
    "elu": (("alpha", 1.0), ("scale", 1.0), ("input_scale", 1.0)),
    "gelu": (),
    "gelu_tanh": (),
    "silu": (),
    "mish": (),
    "softplus": (("beta", 1.0),),
    "softsign": (),
    "hard_sigmoid": (("alpha", 1 / 6), ("beta", 0.5)),
    "hard_swish": (),
    "thresholded_relu": (("alpha", 1.0),),
    "clamp": (("low", -1.0), ("high", 1.0)),
    "erf": (),
    "exp": (),
    "log": (),
    "sqrt": (),
    "abs": (),
    "square": (),
    "reciprocal": (),
    "power": (("exponent", 2.0),),
    "sin": (),
    "cos": (),
    "round": (),
    "step": (("at_zero", 0.0),),
    "scale": (("factor", 1.0), ("shift", 0.0)),
}


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Activation(Elementwise):
    """Any other function of each value, by name.

    Parameters
    ----------
    name : str
        ``"gelu"`` (exact), ``"gelu_tanh"``, ``"silu"``, ``"mish"``, ``"softplus"`` (beta 1),
        ``"softsign"``, ``"hard_sigmoid"`` (alpha 1/6, beta 0.5), ``"hard_swish"``,
        ``"thresholded_relu"`` (alpha 1), ``"clamp"`` (low -1, high 1; as `Clip`, but with
        derivative 1 at the bounds), ``"elu"`` (alpha 1, scale 1, input_scale 1: ``scale * x`` where
        positive, ``scale * alpha * (exp(input_scale * x) - 1)`` elsewhere, which SELU and CELU are
        cases of), ``"erf"``, ``"exp"``, ``"log"``, ``"sqrt"``, ``"abs"``, ``"square"``,
        ``"reciprocal"``, ``"power"`` (exponent 2), ``"sin"``, ``"cos"``, ``"round"`` (halves to
        even, with derivative 0), ``"step"`` (at_zero 0: 1 above 0, 0 below, with derivative 0),
        ``"scale"`` (factor 1, shift 0).
    parameters : sequence of floats, optional
        All those in brackets above, in their order.
    **named : float
        Or some of them by name; the others have their defaults.

    Raises
    ------
    ValueError, TypeError
        For a name or a parameter that there is not, or another number of them.
    """

    name: str
    parameters: tuple[float, ...]

    def __init__(self, name: str, parameters: Any = None, **named: float) -> None:
        choice("name", name, ACTIVATIONS)
        known = dict(ACTIVATIONS[name])
        if wrong := set(named) - set(known):
            raise TypeError(f"{name} takes the parameters {list(known)}, not {sorted(wrong)}")
        if parameters is not None:
            if not isinstance(parameters, Sequence | np.ndarray) or len(parameters) != len(known):
                raise ValueError(f"parameters must be {list(known)} in a row, got {parameters!r}")
            named |= zip(known, parameters, strict=True)
        values = (number(key, named.get(key, default)) for key, default in known.items())
        self._set(name=name, parameters=tuple(values))
        if name == "softplus" and self.parameters == (0.0,):
            raise ValueError("beta must not be 0: softplus divides by it")

    @property
    def function(self) -> str:  # type: ignore[override]
        return self.name


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Layer):
    """exp(x) over its sum along the channels (or features)."""


@dataclass(frozen=True, eq=False, repr=False)
class LogSoftmax(Layer):
    """The logarithm of `Softmax`."""


def scales_up(layer: Layer) -> bool:
    """Whether a layer multiplies by a number above zero, and adds one."""
    return isinstance(layer, Elementwise) and layer.function == "scale" and layer.parameters[0] > 0


def rectifies(layer: Layer) -> bool:
    """Whether a layer is a ReLU, or one with a ceiling."""
    return isinstance(layer, ReLU) or (isinstance(layer, Clip) and layer.low == 0 < layer.high)
