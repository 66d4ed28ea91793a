"""The gradient of the score by the output of a layer inside a model."""

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
class LayerGradient:
    """The score's gradient by a layer's output, or that times the output."""

    tensor: int
    score: int
    times_activation: bool = False

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept.add(self.tensor)
        own.load()
        own.forward()
        own.seed(self.score)
        own.backward(until=self.tensor)
        result = own.gradients[self.tensor]
        if self.times_activation:
            result = own.multiply(self.tensor, result, own.activations[self.tensor])
        own.store(result, self.tensor)
        return own


@any_channels()
def layer_gradient(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    layer: int | str,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The gradient of the score by a layer's output, d score / d a.

    Parameters
    ----------
    model, X, target, score, threads, progress, memory
        As for `backlit.saliency`.
    layer, out
        As for `backlit.layer_activation`.

    Returns
    -------
    float32 array of shape (N, *shape of the layer's output), signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a layer that is not there.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    programs, tensor = find_layer(model, layer)
    result = call.result(len(call.samples), *programs.graph.shapes[tensor])
    call.run(LayerGradient(tensor, call.score), result, programs=programs)
    return result
