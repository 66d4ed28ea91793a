"""Layers that change or connect shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from backlit.layers.base import Layer, Shape


@dataclass(frozen=True, eq=False, repr=False)
class Flatten(Layer):
    """All of a sample's values as one row of features, channels first."""

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)


@dataclass(frozen=True, eq=False, repr=False)
class Residual(Layer):
    """A residual addition, ``body(x) + shortcut(x)``.

    Parameters
    ----------
    body, shortcut : sequences of layers
        An empty shortcut, the default, is the identity. Both must give outputs of one shape.

    Raises
    ------
    TypeError
        For what is no sequence of layers.
    """

    body: Sequence[Layer]
    shortcut: Sequence[Layer] = ()

    def __post_init__(self) -> None:
        self._set(
            body=layer_sequence("body", self.body),
            shortcut=layer_sequence("shortcut", self.shortcut),
        )

    def output_shape(self, shape: Shape) -> Shape:
        results = []
        for branch in (self.body, self.shortcut):
            result = shape
            for layer in branch:
                result = layer.output_shape(result)
            results.append(result)
        if results[0] != results[1]:
            raise ValueError(
                f"Residual adds outputs of one shape, but its body gives {results[0]} and its "
                f"shortcut {results[1]}"
            )
        return results[0]


def layer_sequence(name: str, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """Check that something is a sequence of layers."""
    if isinstance(layers, Layer) or not isinstance(layers, Sequence):
        raise TypeError(f"{name} must be a sequence of layers, not {type(layers).__name__}")
    for number, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"{name}[{number}] must be a layer, not {type(layer).__name__}")
    return tuple(layers)
