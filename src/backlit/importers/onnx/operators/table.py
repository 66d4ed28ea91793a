"""The table of ONNX's operators that can be imported, and what their functions are given.

An operator's function takes a `Context` and an `Operation` of which some input depends on the
model's input, and returns its output, or a tuple of its outputs (None for one that we do not
compute). Operations on constants alone are folded before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, Value
from backlit.importers.builder.values import axis_from_front

Outputs = Value | tuple[Value | None, ...]


@dataclass(frozen=True)
class Context:
    """The graph that is built, and the version of ONNX's operators that the model speaks."""

    builder: GraphBuilder
    opset: int


@dataclass(frozen=True)
class Operation:
    """A node with its inputs' values; an input that is left out is None."""

    kind: str
    inputs: tuple[Value | None, ...]
    attributes: dict[str, Any]
    outputs: tuple[str, ...]  # "" for one that nobody reads

    def value(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def tensor(self, index: int = 0) -> Tensor:
        """An input that must depend on the model's input."""
        value = self.value(index)
        if not isinstance(value, Tensor):
            raise UnsupportedError(f"its input {index} must depend on the model's input")
        return value

    def constant(self, index: int) -> np.ndarray | None:
        """An input that must not depend on the model's input; None if it is left out."""
        value = self.value(index)
        if isinstance(value, Tensor):
            raise UnsupportedError(f"its input {index} depends on the model's input")
        return value

    def given(self, *indices: int) -> list[Value]:
        """Inputs that must not be left out."""
        values = []
        for index in indices:
            value = self.value(index)
            if value is None:
                raise UnsupportedError(f"its input {index} is missing")
            values.append(value)
        return values

    def weights(self, index: int) -> np.ndarray:
        """An input that must neither depend on the model's input nor be left out."""
        value = self.constant(index)
        if value is None:
            raise UnsupportedError(f"its input {index} is missing")
        return value

    def integers(self, name: str, index: int) -> list[int] | None:
        """An attribute that later versions of the operator take as an input; None if neither."""
        given = self.attributes.get(name)
        if given is None:
            given = self.constant(index)
        return None if given is None else [int(n) for n in np.ravel(given)]

    def number(self, name: str, index: int, default: float) -> float:
        """As `integers`, for one number."""
        given = self.attributes.get(name)
        if given is None:
            given = self.constant(index)
        if given is None or not np.size(given):
            return default
        if np.size(given) != 1:
            raise ValueError(f"its {name} must be one number, not {np.size(given)}")
        return float(np.ravel(given)[0])

    def axis(self, rank: int, default: int = -1) -> int:
        """The attribute "axis", counted from the front."""
        return axis_from_front(self.attributes.get("axis", default), rank)

    def text(self, name: str) -> str:
        given = self.attributes.get(name, "")
        return given.decode() if isinstance(given, bytes) else str(given)

    def choice(self, name: str, *choices: str) -> str:
        """An attribute that is one of some words, by default the first."""
        given = self.text(name) or choices[0]
        if given not in choices:
            raise UnsupportedError(f"its {name} must be one of {', '.join(choices)}, not {given!r}")
        return given

    def only_first_output(self) -> None:
        extra = [name for name in self.outputs[1:] if name]
        if extra:
            raise UnsupportedError(f"its outputs {extra} are not computed")


Function = Callable[[Context, Operation], Outputs]
OPERATORS: dict[str, Function] = {}
LIMITS: dict[str, str] = {}


def operator(*kinds: str, limits: str = "") -> Callable[[Function], Function]:
    """Make a function known as that of some operators; `limits` goes into the documentation."""

    def register(function: Function) -> Function:
        for kind in kinds:
            OPERATORS[kind] = function
            LIMITS[kind] = limits
        return function

    return register


def axes_of(axes: Sequence[int] | None, rank: int) -> list[int]:
    """Axes counted from the front; None stands for all."""
    if axes is None:
        return list(range(rank))
    found = [axis_from_front(axis, rank) for axis in axes]
    if len(set(found)) < len(found):
        raise ValueError(f"its axes {list(axes)} name an axis of a tensor of rank {rank} twice")
    return found
