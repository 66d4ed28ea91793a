"""Input times gradient.

Shrikumar, Greenside, Shcherbina and Kundaje, "Not just a black box: learning important features
through propagating activation differences", 2016:

    attribution = x * d score / d x
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.model import Model


@dataclass(frozen=True)
class InputTimesGradient:
    """The input, element by element times the gradient of the target's score."""

    score: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        lowering = Lowering(graph, lanes)
        x = lowering.load()
        lowering.forward()
        lowering.seed(self.score)
        lowering.backward()
        lowering.store(lowering.multiply(0, x, lowering.gradients[0]), 0)
        return lowering


@any_channels()
def input_x_gradient(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The input times the gradient of the score, element by element.

    Shrikumar et al., "Not just a black box", 2016. For a network of ReLUs without biases the
    attributions add up to the logit. Arguments as for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    result = call.result()
    call.run(InputTimesGradient(call.score), result, label="input x gradient")
    return result
