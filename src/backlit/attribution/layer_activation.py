"""The output of a layer inside a model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.find_layer import find_layer
from backlit.attribution.sample_axes import any_channels
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.model import Model


@dataclass(frozen=True)
class LayerOutput:
    """The value of a tensor inside the graph."""

    tensor: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept.add(self.tensor)
        own.load()
        own.forward(until=self.tensor)
        own.store(own.activations[self.tensor], self.tensor)
        return own


@any_channels()
def layer_activation(
    model: Model,
    X: Any,
    *,
    layer: int | str,
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """A layer's output.

    Parameters
    ----------
    layer : int or str
        The layer: its index in `model.layers`, from the end if negative, or its name, such as
        ``"3"`` or, in a `Residual`, ``"2.body.0"``.
    model, X, threads, progress, memory
        As for `backlit.saliency`.
    out : float32 array of the result's shape, optional

    Returns
    -------
    float32 array of shape (N, *shape of the layer's output)

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a layer that is not there, as a final
        softmax, which is set aside.
    """
    call = Call(model, X, 0, "logit", threads, progress, out, memory)
    programs, tensor = find_layer(model, layer)
    result = call.result(len(call.samples), *programs.graph.shapes[tensor])
    call.run(LayerOutput(tensor), result, programs=programs)
    return result
