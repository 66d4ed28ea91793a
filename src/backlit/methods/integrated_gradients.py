"""Integrated gradients.

Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017:

    attribution = (x - x') * integral over a in [0, 1] of d score(x' + a (x - x')) / dx

with the baseline x'. The attributions add up to score(x) - score(x').
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.baselines import Baseline, check_baseline
from backlit.graph import Graph, affine_prefix
from backlit.layers.base import number, whole
from backlit.lowering import Lowering
from backlit.lowering.context import FIRST_FREE_PORT
from backlit.methods.call import Call
from backlit.model import Model

BASELINE, POSITIONS, WEIGHTS, SCORES = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 4)
MOST_STEPS = 4096  # where `tolerance` gives up


@dataclass(frozen=True)
class PathIntegral:
    """Gradients along the straight path from a baseline, weighted and added up.

    Before the first non-linearity the network is affine: its pre-activations are interpolated
    between those of baseline and input, and the way back through it is taken once, by the sum.
    The scores at both ends go to a port.
    """

    score: int
    baseline_per_sample: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        start = affine_prefix(graph)
        end = Lowering(graph, lanes)
        end.kept.add(start)
        begin, point = end.another_pass(), end.another_pass()

        end.tape.section = "prologue"
        x = end.load()
        x0 = begin.load(BASELINE, per_sample=self.baseline_per_sample)
        end.forward()
        begin.forward()
        targets = end.choose_targets()  # what is predicted for the input itself, if not given
        for place, ends in enumerate((begin, end)):
            values = ends.score_values(self.score, targets)
            ends.store_lane_values(values, SCORES + place)
        total = end.zeros(start)

        end.tape.section = "body"
        path = begin.activations[start], end.activations[start]
        point.place(start, *path, point.load_lane_values(POSITIONS))
        point.forward()
        point.seed(self.score, targets)
        point.backward(until=start)
        weight = point.load_lane_values(WEIGHTS)
        point.accumulate(start, point.gradients[start], weight, total)

        end.tape.section = "epilogue"
        end.gradients = {start: total}
        end.backward()
        difference = end.subtract(0, x, x0)
        end.store(end.multiply(0, difference, end.gradients[0]), 0)
        return end


def quadrature(rule: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions in [0, 1] and weights, which add up to 1, of a textbook rule."""
    grid = np.arange(steps)
    even = np.full(steps, 1 / steps)
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(steps)
        return (nodes + 1) / 2, weights / 2
    if rule == "riemann_left":
        return grid / steps, even
    if rule == "riemann_right":
        return (grid + 1) / steps, even
    if rule == "riemann_middle":
        return (grid + 0.5) / steps, even
    if rule == "trapezoid":
        if steps < 2:
            raise ValueError(f"steps must be at least 2 for the trapezoid rule, got {steps}")
        ends = (grid == 0) | (grid == steps - 1)
        return grid / (steps - 1), np.where(ends, 0.5, 1.0) / (steps - 1)
    raise ValueError(
        "rule must be 'gauss_legendre', 'trapezoid', 'riemann_left', 'riemann_right' or "
        f"'riemann_middle', got {rule!r}"
    )


def integrated_gradients(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int = 50,
    rule: str = "gauss_legendre",
    tolerance: float | None = None,
    return_delta: bool = False,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> Any:
    """Gradients integrated along the straight path from a baseline, times the difference.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`. With `target` None the class is the one predicted for the
        input, all along the path.
    baseline : number, array of a sample's shape, array of the shape of `X`, or list of these
        The reference input; the attributions of several are averaged.
    steps : int
        Points on the path.
    rule : {"gauss_legendre", "trapezoid", "riemann_left", "riemann_right", "riemann_middle"}
        The quadrature. All are the textbook rules, with weights that add up to 1 (Captum's
        trapezoid differs). Along a path the gradient of a ReLU network jumps; Gauss-Legendre is
        then no better than the midpoint rule.
    tolerance : float, optional
        Double the points, from `steps` on, for each sample whose convergence delta exceeds this,
        up to 4096; a warning reports what has not converged then.
    return_delta : bool
        Whether to return the convergence deltas as well.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    attributions : float32 array of the shape of `X`
    delta : float64 array of shape (N,), if asked for
        Sum of the attributions minus (score(x) - score(baseline)).

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    steps = whole("steps", steps, 1)
    if tolerance is not None and number("tolerance", tolerance) <= 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")
    quadrature(rule, steps)
    several = baseline if isinstance(baseline, list | tuple) else [baseline]
    if not several:
        raise ValueError("baseline must not be an empty list")
    baselines = [check_baseline(b, call.samples, model.input_shape) for b in several]

    result = call.result()
    delta = _integrate(call, baselines, rule, steps, result)
    while tolerance is not None:
        open_ = np.flatnonzero(np.abs(delta) > tolerance)
        if not open_.size:
            break
        if steps >= MOST_STEPS:
            warnings.warn(
                f"integrated gradients did not converge to {tolerance} within {steps} steps for "
                f"{open_.size} of {len(delta)} samples; the largest delta is "
                f"{np.abs(delta).max():.3g}",
                RuntimeWarning,
                stacklevel=2,
            )
            break
        steps = min(2 * steps, MOST_STEPS)
        part = np.empty((open_.size, *result.shape[1:]), np.float32)
        chosen = [b.chosen(open_) for b in baselines]
        delta[open_] = _integrate(call.chosen(open_), chosen, rule, steps, part)
        result[open_] = part
    return (result, delta) if return_delta else result


def _integrate(
    call: Call, baselines: list[Baseline], rule: str, steps: int, result: np.ndarray
) -> np.ndarray:
    """Write the attributions, averaged over baselines; returns the convergence deltas."""
    points = [np.ascontiguousarray(a, dtype=np.float32) for a in quadrature(rule, steps)]
    delta = np.zeros(len(result))
    for n, baseline in enumerate(baselines):
        part = result if n == 0 else np.empty_like(result)
        scores = np.empty((2, len(result)), np.float32)
        call.run(
            PathIntegral(call.score, baseline.per_sample),
            part,
            [baseline.values, *points, *scores],
            repeats=steps,
            label="integrated gradients",
        )
        if n:
            result += part
        delta -= scores[1].astype(np.float64) - scores[0]
    if len(baselines) > 1:
        result /= len(baselines)
    sums = result.reshape(len(result), -1).sum(axis=1, dtype=np.float64)
    return sums + delta / len(baselines)
