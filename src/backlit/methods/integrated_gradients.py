"""Integrated gradients."""
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.graph import Graph, affine_prefix
from backlit.lowering import Lowering
from backlit.lowering.context import FIRST_FREE_PORT
from backlit.methods.call import Call
from backlit.model import Model

BASELINE, POSITIONS, WEIGHTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 3)


@dataclass(frozen=True)
class PathIntegral:
    """Gradients along the straight path from a baseline, weighted and added up.

    Before the first non-linearity the network is affine: its pre-activations are interpolated
    between those of baseline and input, and the way back through it is taken once, by the sum.
    """

    score: int
    baseline_per_sample: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        start = affine_prefix(graph)
        lowering = Lowering(graph, lanes)
        lowering.kept.add(start)
        baseline = lowering.another_pass()

        lowering.tape.section = "prologue"
        x = lowering.load()
        x0 = baseline.load(BASELINE, per_sample=self.baseline_per_sample)
        lowering.forward(until=start)
        baseline.forward(until=start)
        end = lowering.another_pass()  # the target is what is predicted for the input itself
        end.activations = dict(lowering.activations)
        end.forward()
        targets = end.choose_targets()
        total = lowering.zeros(start)

        lowering.tape.section = "body"
        ends = baseline.activations[start], lowering.activations[start]
        point = lowering.another_pass()
        position = lowering.load_lane_values(POSITIONS)
        point.activations[start] = lowering.interpolate(start, *ends, position)
        point.forward()
        point.seed(self.score, targets)
        point.backward(until=start)
        weight = lowering.load_lane_values(WEIGHTS)
        lowering.accumulate(start, point.gradients[start], weight, total)

        lowering.tape.section = "epilogue"
        lowering.gradients[start] = total
        lowering.backward()
        difference = lowering.subtract(0, x, x0)
        lowering.store(lowering.multiply(0, difference, lowering.gradients[0]), 0)
        return lowering


def integrated_gradients(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int = 50,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    call = Call(model, X, target, score, threads, progress, out, memory)
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    base = np.ascontiguousarray(np.broadcast_to(np.float32(baseline), model.input_shape))
    result = call.result()
    call.run(PathIntegral(call.score, 0), result, [base, ((nodes + 1) / 2).astype(np.float32), (weights / 2).astype(np.float32)], repeats=steps)
    return result
