"""What a layer's own `call` does, as a graph of layers and operations."""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from threading import RLock
from typing import Any

ONE_AT_A_TIME = RLock()  # operators are changed for all threads


class TraceError(ValueError):
    """A layer's `call` that cannot be followed; the message says why."""


# What a variable does with what is on its right
OPERATORS = ("add", "sub", "mul", "truediv", "pow", "matmul", "gt", "ge", "lt", "le")


@contextmanager
def deferring() -> Iterator[None]:
    """Have variables leave it to a symbolic tensor on their right to note what is computed.

    Their own operators would compute it, and fail.
    """
    from keras import KerasTensor, Variable

    def deferred(method: Any) -> Any:
        def operate(self: Any, other: Any) -> Any:
            return NotImplemented if isinstance(other, KerasTensor) else method(self, other)

        return operate

    originals = {name: getattr(Variable, name) for name in map("__{}__".format, OPERATORS)}
    with ONE_AT_A_TIME:
        for name, method in originals.items():
            setattr(Variable, name, deferred(method))
        try:
            yield
        finally:
            for name, method in originals.items():
                setattr(Variable, name, method)


@contextmanager
def traced(layer: Any, node: Any, batch: int) -> Iterator[tuple[list[Any], list[Any]]]:
    """The tensors that a layer is called with in a node, and those that its `call` makes of them.

    `call` is run once, with symbolic tensors of `batch` samples; afterwards the layers in it have
    forgotten that.
    """
    import keras

    inputs: dict[int, Any] = {}

    def symbolic(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        if id(value) not in inputs:
            shape = (batch, *value.shape[1:])
            inputs[id(value)] = keras.Input(batch_shape=shape, dtype=value.dtype)
        return inputs[id(value)]

    args, named = keras.tree.map_structure(symbolic, (node.arguments.args, node.arguments.kwargs))
    named = {name: value for name, value in named.items() if value is not None}
    if "training" in signature(layer.call).parameters:
        named["training"] = False
    inner = [layer, *layer._flatten_layers(include_self=False)]
    counts = [(len(one._inbound_nodes), len(one._outbound_nodes)) for one in inner]
    try:
        try:
            with deferring():
                results = keras.tree.flatten(layer.call(*args, **named))
        except Exception as error:
            said = str(error).strip().splitlines()
            raise TraceError(f"{type(error).__name__}: {said[0] if said else ''}") from error
        if not all(isinstance(value, keras.KerasTensor) for value in results):
            raise TraceError("its results do not depend on its inputs")
        yield [inputs[id(tensor)] for tensor in node.input_tensors], results
    finally:
        for one, (before, behind) in zip(inner, counts, strict=True):
            del one._inbound_nodes[before:], one._outbound_nodes[behind:]
