"""The gradient of a class score by the input, signed or as a magnitude."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.context import GRADIENT, ReluRule
from backlit.model import Model
from backlit.rewriting import relu_first


@dataclass(frozen=True)
class InputGradient:
    """The gradient of the target's score by the input, or its magnitude."""

    score: int
    magnitude: bool
    relu_rule: ReluRule = GRADIENT

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        # other rules than the gradient's tell how a ReLU lies to a pooling
        plain = relu_first(graph) if self.relu_rule == GRADIENT else graph
        lowering = Lowering(plain, lanes, self.relu_rule)
        lowering.load()
        lowering.forward()
        lowering.seed(self.score)
        lowering.backward()
        lowering.store(lowering.gradients[0], 0, magnitude=self.magnitude)
        return lowering


@any_channels()
def saliency(
    model: Model,
    X: Any,
    target: Any = None,
    score: str = "logit",
    *,
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The magnitude of the gradient, |d score / d input|.

    Simonyan, Vedaldi and Zisserman, "Deep inside convolutional networks", 2013.

    Parameters
    ----------
    model : Model
    X : array of shape (N, *model.input_shape)
        Any real dtype; NaN and infinite values are refused.
    target : None, int, or array of N ints
        The class, label or value whose score is differentiated (see ``outputs`` in
        `backlit.Model`); None stands for the predicted class, the likeliest label or the only
        value.
    score : {"logit", "log_probability", "probability", "loss"}
        The quantity that is differentiated; "loss" is the cross-entropy of the target. Values
        have a "logit" alone: the value itself.
    threads : int, optional
        At least 1; default: the cores this process may use. Results do not depend on it.
    progress : bool
        Whether to show a progress bar.
    out : float32 array of the shape of `X`, optional
        Where to write the result; after an error its contents are undefined.
    memory : int, optional
        A budget for working memory in bytes: within it, fewer samples run side by side, on fewer
        threads, and parts of the network are computed twice. A model's packed weights, and what
        its widest layers take for one sample, are needed all the same.

    Returns
    -------
    float32 array of the shape of `X`, not negative

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _input_gradient(call, magnitude=True)


@any_channels()
def gradient(
    model: Model,
    X: Any,
    target: Any = None,
    score: str = "logit",
    *,
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The signed gradient, d score / d input.

    Baehrens et al., "How to explain individual classification decisions", 2010. Arguments as for
    `saliency`.

    Returns
    -------
    float32 array of the shape of `X`

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _input_gradient(call, magnitude=False)


def _input_gradient(call: Call, magnitude: bool) -> np.ndarray:
    result = call.result()
    call.run(InputGradient(call.score, magnitude), result)
    return result
