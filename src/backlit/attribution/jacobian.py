"""The gradients of many classes at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.checks import as_array
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.model import Model
from backlit.tape import Steps

CLASSES = FIRST_FREE_PORT


@dataclass(frozen=True)
class Jacobian:
    """One forward pass; a way back for each of `count` classes."""

    score: int
    count: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        lowering = Lowering(graph, lanes)
        lowering.tape.steps = Steps.APART
        lowering.tape.section = "prologue"
        lowering.load()
        lowering.forward()
        lowering.tape.section = "body"
        lowering.seed(self.score, lowering.load_lane_values(CLASSES))
        lowering.backward()
        lowering.store(lowering.gradients[0], 0, per_sample=self.count, per_step=1)
        return lowering


@any_channels(2)
def jacobian(
    model: Model,
    X: Any,
    *,
    classes: Any = None,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The gradients of all classes' scores by the input, from one forward pass.

    Parameters
    ----------
    model, X
        As for `backlit.saliency`.
    classes : sequence of C ints, optional
        The classes (or labels, or values) whose scores are differentiated, in 0 ... K - 1, the same
        for every sample; default: all K, in their order.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of shape (N, C, *shape of a sample)
        Entry ``[n, c]`` equals ``backlit.gradient(model, X[n : n + 1], classes[c])[0]``.

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, 0, score, threads, progress, out, memory)
    chosen = check_classes(classes, model.classes)
    samples, *shape = call.samples.shape
    result = call.result(samples, len(chosen), *shape)
    call.run(
        Jacobian(call.score, len(chosen)),
        result,
        [chosen.astype(np.float32)],
        repeats=len(chosen),
        label="jacobian",
    )
    return result


def check_classes(classes: Any, count: int) -> np.ndarray:
    """Classes as a row of ints; None stands for all `count`."""
    array = as_array("classes", range(count) if classes is None else classes)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"classes must be a sequence of at least one class, got {classes!r}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"classes must be ints, not {array.dtype}")
    if array.min() < 0 or array.max() >= count:
        wrong = array[(array < 0) | (array >= count)][0]
        raise ValueError(f"classes must be in 0 ... {count - 1}, got {wrong}")
    return array
