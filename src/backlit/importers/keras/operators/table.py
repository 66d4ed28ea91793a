"""The table of Keras's layers and operations that can be imported.

A handler gets the builder, the layer (or operation) and the arguments that it is called with;
what depends on the input is a `Tensor`, held as `KerasBuilder` says.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError

Handler = Callable[..., Any]
LAYERS: dict[str, Handler] = {}
OPERATIONS: dict[str, Handler] = {}  # of keras.ops


def layer(*names: str) -> Callable[[Handler], Handler]:
    """Enter a layer's handler into the table."""
    return _enter(LAYERS, names)


def operation(*names: str) -> Callable[[Handler], Handler]:
    """Enter the handler of an operation of `keras.ops` into the table."""
    return _enter(OPERATIONS, names)


def _enter(table: dict[str, Handler], names: Sequence[str]) -> Callable[[Handler], Handler]:
    def enter(handler: Handler) -> Handler:
        for name in names:
            assert name not in table, name
            table[name] = handler
        return handler

    return enter


def find(thing: Any) -> Handler | None:
    """The handler of one of Keras's own layers or operations; none for what is derived from it."""
    kind = type(thing)
    table = {"layers": LAYERS, "applications": LAYERS, "ops": OPERATIONS, "activations": OPERATIONS}
    package, *path = kind.__module__.split(".")
    part = next((name for name in path if name in table), None)
    if package != "keras" or part is None:
        return None
    return table[part].get(kind.__name__)


def said(thing: Any) -> str:
    """What a layer is called in errors."""
    return f"{type(thing).__name__} {thing.name!r}"


def array(weight: Any) -> np.ndarray:
    """A weight as a float32 array."""
    from keras import ops

    return np.asarray(ops.convert_to_numpy(weight), np.float32)


def constant(value: Any, what: str) -> np.ndarray:
    """An argument that must not depend on the input, as an array."""
    from keras import ops

    if isinstance(value, Tensor):
        raise UnsupportedError(f"{what} that depends on the input")
    return np.asarray(ops.convert_to_numpy(value))


def optional(weight: Any) -> np.ndarray | None:
    return None if weight is None else array(weight)


def kernel(thing: Any, name: str = "kernel") -> np.ndarray:
    if getattr(thing, "quantization_mode", None):
        raise UnsupportedError(f"weights quantized to {thing.quantization_mode}")
    return array(getattr(thing, name))


def pair(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for every axis."""
    return (value,) * axes if isinstance(value, int) else tuple(int(n) for n in value)
