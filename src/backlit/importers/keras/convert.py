"""From a Keras model's graph to ours."""

from inspect import signature
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor
from backlit.importers.keras import layout
from backlit.importers.keras.builder import KerasBuilder
from backlit.importers.keras.operators.activations import OwnActivationError
from backlit.importers.keras.operators.table import find, said
from backlit.importers.keras.tracing import TraceError, traced
from backlit.operators import Constant


class Failed:
    """Stands for a value of unknown shape that could not be computed."""


def is_graph(thing: Any) -> bool:
    """Whether a layer is a model whose graph is known (Sequential or functional)."""
    from keras import Model

    return isinstance(thing, Model) and bool(getattr(thing, "outputs", None))


Graph = tuple[list[Any], list[Any]]  # by its first tensors and its last


def graph_of(model: Any) -> Graph:
    return model.inputs, model.outputs


def calls(graph: Graph) -> list[tuple[Any, Any]]:
    """The calls of layers that lead to a graph's last tensors, in order, and their layers."""
    first, last = graph
    inputs = {id(tensor) for tensor in first}
    found: list[tuple[Any, Any]] = []
    done: set[int] = set()
    todo = [(tensor, False) for tensor in reversed(last)]
    while todo:
        tensor, ready = todo.pop()
        operation, index, _ = tensor._keras_history
        node = operation._inbound_nodes[index]
        if id(tensor) in inputs or id(node) in done:
            continue
        if ready:
            done.add(id(node))
            found.append((node, operation))
        else:
            todo.append((tensor, True))
            todo += [(before, False) for before in reversed(node.input_tensors)]
    return found


def all_layers(model: Any) -> list[Any]:
    """The layers of a model, and of models in it."""
    found = []
    for _, layer in calls(graph_of(model)):
        found += all_layers(layer) if is_graph(layer) else [layer]
    return found


def has_channels_last(model: Any, rank: int) -> bool:
    """Whether most layers that know of channels have them last; else whether images have."""
    from keras import config

    formats = [
        layer.data_format
        for layer in all_layers(model)
        if type(layer).__name__ != "Flatten" and getattr(layer, "data_format", None)
    ]
    if formats:
        return 2 * formats.count("channels_last") >= len(formats)
    return rank == 4 and config.image_data_format() == "channels_last"


class Converter:
    """Walks through a model's graph.

    Attributes
    ----------
    problems : list of str
        What cannot be imported, each with its layer's name.
    traces : bool
        Whether layers were traced: these may have made something of the number of samples.
    """

    def __init__(self, builder: KerasBuilder) -> None:
        self.builder = builder
        self.problems: list[str] = []
        self.traces = False
        self.ends: dict[str, list[Tensor]] = {}
        self._times: dict[str, int] = {}

    def run(self, graph: Graph, inputs: list[Any], prefix: str = "") -> list[Any]:
        """The values of a graph's last tensors, given those of its first."""
        first, last = graph
        values: dict[int, Any] = {
            id(tensor): value for tensor, value in zip(first, inputs, strict=True)
        }
        for node, layer in calls(graph):
            results = self.call(node, layer, values, prefix)
            for tensor, value in zip(node.outputs, results, strict=False):
                values[id(tensor)] = value
        return [values[id(tensor)] for tensor in last]

    def call(self, node: Any, layer: Any, values: dict[int, Any], prefix: str) -> list[Any]:
        path = self.label(f"{prefix}{layer.name}")
        place = said(layer) + (f" in {prefix[:-1]!r}" if prefix else "")
        if is_graph(layer):
            return self.inside(graph_of(layer), node, values, path)
        handler = find(layer)
        if handler is None:
            return self.trace(node, layer, values, path, place)
        given, named = self.arguments(node, values)
        if any(isinstance(value, Failed) for value in _leaves([*given, *named.values()])):
            return self.stand_ins(node)
        self.builder.label = path
        try:
            signature(handler).bind(self.builder, layer, *given, **named)
        except TypeError:
            called = ", ".join(named) or f"{len(given)} arguments"
            self.problems.append(f"{place}: called with {called}")
            return self.stand_ins(node)
        try:
            result = handler(self.builder, layer, *given, **named)
        except OwnActivationError:
            return self.trace(node, layer, values, path, place)
        except ValueError as error:  # also of a layer that does not take such arguments
            self.problems.append(f"{place}: {error}")
            return self.stand_ins(node)
        results = result if isinstance(result, list) else [result]
        for value, expected in zip(results, node.outputs, strict=True):
            if not self.problems:  # else some stand in for others
                self.check(value, expected, path)
        self.builder.name_results(results, moves=False)
        return results

    def inside(self, graph: Graph, node: Any, values: dict[int, Any], path: str) -> list[Any]:
        """The values of a graph within a node, whose name stands for its last tensors."""
        inputs = [values[id(tensor)] for tensor in node.input_tensors]
        results = self.run(graph, inputs, f"{path}/")
        if tensors := [value for value in results if isinstance(value, Tensor)]:
            self.ends[path] = tensors
        return results

    def trace(
        self, node: Any, layer: Any, values: dict[int, Any], path: str, place: str
    ) -> list[Any]:
        """A layer that we do not know, by what it calls itself."""
        if not hasattr(layer, "_flatten_layers"):  # an operation
            self.problems.append(place)
            return self.stand_ins(node)
        self.traces = True
        try:
            with traced(layer, node, self.builder.batch) as graph:
                return self.inside(graph, node, values, path)
        except TraceError as error:
            kind = type(layer)
            own = kind.__module__.partition(".")[0] != "keras" or kind.__name__ == "Lambda"
            own |= find(layer) is not None  # but for an activation of one's own
            self.problems.append(f"{place}: its call cannot be traced: {error}" if own else place)
            return self.stand_ins(node)

    def arguments(self, node: Any, values: dict[int, Any]) -> tuple[list[Any], dict[str, Any]]:
        """What a layer is called with, but for what `predict` decides, and what is not given."""
        given = [_resolved(value, values) for value in node.arguments.args]
        named = {
            name: _resolved(value, values)
            for name, value in node.arguments.kwargs.items()
            if name != "training" and value is not None and value is not False
        }
        if not given and named:
            given = [named.pop(next(iter(named)))]
        return given, named

    def stand_ins(self, node: Any) -> list[Any]:
        """Values in place of those that could not be computed, to find what else cannot."""
        shapes = [tuple(tensor.shape)[1:] for tensor in node.outputs]
        zeros = [None if None in shape else Constant(np.zeros(shape)) for shape in shapes]
        b = self.builder
        return [Failed() if zero is None else layout.hold(b, b.append(zero)) for zero in zeros]

    def label(self, path: str) -> str:
        """The name of a call: a layer's second call is layer@2."""
        times = self._times[path] = self._times.get(path, 0) + 1
        return path if times == 1 else f"{path}@{times}"

    def check(self, result: Any, expected: Any, path: str) -> None:
        own, theirs = self.builder.shape(result)[1:], tuple(expected.shape)[1:]
        fits = len(own) == len(theirs) and all(
            b is None or a == b for a, b in zip(own, theirs, strict=True)
        )
        assert fits, (path, own, theirs)

    def enter_names(self) -> None:
        """Let models in the model be found by their names too."""
        for path, tensors in self.ends.items():
            self.builder.entitle(path, tensors)


def _resolved(argument: Any, values: dict[int, Any]) -> Any:
    """An argument of a call with the values of its tensors."""
    if isinstance(argument, list | tuple):
        return [_resolved(entry, values) for entry in argument]
    return values.get(id(argument), argument)


def _leaves(value: Any) -> Any:
    if isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)
    else:
        yield value
