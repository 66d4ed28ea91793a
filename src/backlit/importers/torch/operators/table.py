"""The table of ATen operators that can be imported.

A handler gets the builder and the operator's arguments as in its ATen schema; what depends on the
input is a `Tensor`, any other tensor a NumPy array. It returns what the operator returns.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, Value


class TorchBuilder(GraphBuilder):
    """The builder, and what PyTorch says of the operation that is being converted.

    Attributes
    ----------
    expected : tuple of ints
        The shape of its (first) result.
    floating : bool
        Whether that holds floating-point numbers.
    """

    expected: tuple[int, ...] = ()
    floating: bool = True

    def _of_one_sample(self, array: np.ndarray) -> np.ndarray:
        """Also of samples that differ by rounding, as PyTorch computes each in its place."""
        least = 1e-6 * np.abs(array).max(initial=0)
        alike = len(array) > 1 and np.allclose(array, array[:1], rtol=1e-6, atol=least)
        return super()._of_one_sample(array[:1] if alike else array)


Handler = Callable[..., Any]
OPERATORS: dict[str, Handler] = {}  # by the operator's name, with its overload where that matters


def operator(*names: str) -> Callable[[Handler], Handler]:
    """Enter a handler into the table."""

    def enter(handler: Handler) -> Handler:
        for name in names:
            assert name not in OPERATORS, name
            OPERATORS[name] = handler
        return handler

    return enter


def find(name: str, overload: str) -> Handler | None:
    """The handler of an operator, if there is one."""
    return OPERATORS.get(f"{name}.{overload}", OPERATORS.get(name))


# --- what handlers need ---------------------------------------------------------------------------


class Missing:
    """A result that is not computed, such as the places of maxima."""


def constant(value: Value | None, what: str) -> np.ndarray | None:
    """A weight, which must not depend on the input."""
    if isinstance(value, Tensor):
        raise UnsupportedError(f"{what} that depends on the input")
    return value


def weights(value: Value, what: str) -> np.ndarray:
    array = constant(value, what)
    assert array is not None
    return array


def spread(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for every axis; ATen takes a single one for all."""
    numbers = [value] if isinstance(value, int) else list(value)
    return tuple(numbers * axes if len(numbers) == 1 else numbers)


def image_axes(x: Tensor, at_most: int = 2) -> int:
    """How many axes come after samples and channels."""
    axes = len(x.shape) - 2
    if not 1 <= axes <= at_most:
        raise UnsupportedError(axes_beside(x))
    return axes


def axes_beside(x: Tensor) -> str:
    """What to say of samples that are neither rows nor images."""
    return f"samples of shape {x.sample}, with {len(x.shape) - 2} axes beside the channels"
