"""Integrated gradients.

Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017:

    attribution = (x - x') * integral over a in [0, 1] of d score(x' + a (x - x')) / dx

with the baseline x'. The attributions add up to score(x) - score(x').
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backlit.affine_parts import affine_prefix
from backlit.attribution.blank_start import past_first_pooling, starts_blank
from backlit.attribution.call import Call
from backlit.attribution.exact_path import check_exact, integrate_exactly
from backlit.attribution.quadrature import quadrature
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.step_arrays import step_values, step_weights
from backlit.baselines import Baseline, check_baseline
from backlit.checks import as_array, number, whole_or_exact
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.baselines import baseline_pass
from backlit.lowering.interpolation import start_between
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model
from backlit.probes import SumOfSteps
from backlit.progress import progress_bar
from backlit.rewriting import relu_first

BASELINE, POSITIONS, WEIGHTS, SCORES = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 4)
MOST_STEPS = 4096  # where `tolerance` gives up


@dataclass(frozen=True)
class PathIntegral(SumOfSteps):
    """Gradients along the straight path from a baseline, weighted and added up.

    Before the first non-linearity the network is affine: its pre-activations are interpolated
    between those of baseline and input, and the way back through it is taken once, by the sum.
    The scores at both ends go to a port. With `multiply`, the sum is multiplied by the difference.
    Of paths that start `blank`, see `backlit.attribution.blank_start`.
    """

    score: int
    baseline_per_sample: int
    multiply: bool = True
    blank: bool = False

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        graph = relu_first(graph)
        start = affine_prefix(graph)
        if self.blank:
            graph, start = past_first_pooling(graph)
        end = self.lowering(graph, lanes)
        end.kept.add(start)
        given = self.baseline_per_sample
        begin = baseline_pass(end, BASELINE, per_sample=given, until=graph.output)
        point = end.another_pass()

        end.tape.section = "prologue"
        x, x0 = end.load(), begin.activations[0]
        end.forward()
        targets = end.choose_targets()  # what is predicted for the input itself, if not given
        for which, ends in enumerate((begin, end)):
            values = ends.score_values(self.score, targets)
            ends.store_lane_values(values, SCORES + which)
        total = sum_of_steps(end, start)
        seed = seed_of_steps(end, self.score, targets, start)

        end.tape.section = "body"
        start_between([point], start, begin, end, [point.load_lane_values(POSITIONS)])
        point.forward()
        seed.sow(point)
        point.backward(until=start, to_add=True)
        total.add_gradient(point, point.load_lane_values(WEIGHTS))

        end.tape.section = "epilogue"
        end.gradients = {start: total.total}
        end.backward()
        result = end.gradients[0]
        if self.multiply:
            result = end.multiply(0, end.subtract(0, x, x0), result)
        end.store(result, 0)
        return end


@any_channels()
def integrated_gradients(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int | str = 50,
    rule: str = "gauss_legendre",
    tolerance: float | None = None,
    multiply_by_inputs: bool = True,
    return_delta: bool = False,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> Any:
    """Gradients integrated along the straight path from a baseline, times the difference.

    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", 2017: (x - x') times the
    mean of d score / dx along the path from the baseline x' to x. The attributions add up to
    score(x) - score(x'), up to the error of `steps`.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`. With `target` None the class is the one predicted for the
        input, all along the path.
    baseline : number, array of a sample's shape, array of the shape of `X`, or list of these
        The reference input; the attributions of several are averaged. (A list of numbers that has
        a sample's shape is one reference.)
    steps : int or "exact"
        Points on the path, at least 1 (2 for the trapezoid rule). "exact", for piecewise-linear
        networks and the logit, finds the breakpoints along the path instead and integrates without
        discretisation error (see `backlit.attribution.exact_path`); `rule` and `tolerance` have no
        part in it then. It takes some twenty gradients for each breakpoint, of which wide networks
        have thousands.
    rule : {"gauss_legendre", "trapezoid", "riemann_left", "riemann_right", "riemann_middle"}
        The quadrature. All are the textbook rules, with weights that add up to 1 (Captum's
        trapezoid differs). Along a path the gradient of a ReLU network jumps; Gauss-Legendre is
        then no better than the midpoint rule.
    tolerance : float, optional
        Positive: double the points, from `steps` on, for each sample whose convergence delta
        exceeds this, up to 4096; a warning reports what has not converged then.
    multiply_by_inputs : bool
        Whether to multiply by the difference, x - baseline. If not, the result is the gradient
        averaged along the path, as in Captum; it does not add up to a difference of scores, so
        that there is no delta then, and no tolerance.
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
        For arguments of wrong shape, kind or range; for options that do not go together; for
        "exact" with a network that is not piecewise linear, or another score than the logit.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    count = whole_or_exact("steps", steps)
    if count is None:
        check_exact(model._programs.graph, score)
    _check_options(rule, count, tolerance, multiply_by_inputs, return_delta)
    baselines = _check_baselines(baseline, call)
    result = call.result()
    if count is None:
        exactly = partial(integrate_exactly, call, multiply=multiply_by_inputs)
        delta = _average(call, baselines, result, exactly)
    else:
        delta = _integrate(call, baselines, rule, count, result, multiply_by_inputs)
        if tolerance is not None:
            _refine(call, baselines, rule, count, tolerance, result, delta)
    return (result, delta) if return_delta else result


def _check_options(
    rule: str, steps: int | None, tolerance: Any, multiply: bool, return_delta: bool
) -> None:
    """Refuse options that are wrong or do not go together; `steps` is None for "exact"."""
    if tolerance is not None and number("tolerance", tolerance) <= 0:
        raise ValueError(f"tolerance must be positive, got {tolerance}")
    if not multiply and (return_delta or tolerance is not None):
        raise ValueError(
            "multiply_by_inputs must be True with return_delta or tolerance: averaged gradients "
            "do not add up to a difference of scores"
        )
    quadrature(rule, steps or 2)  # which refuses what it does not know


def _check_baselines(baseline: Any, call: Call) -> list[Baseline]:
    """The one or several baselines that were given."""
    several = [baseline]
    if isinstance(baseline, list | tuple) and not _is_sample(baseline, call):
        several = list(baseline)
    if not several:
        raise ValueError("baseline must not be an empty list")
    return [check_baseline(b, call.samples, call.model.input_shape) for b in several]


def _is_sample(values: Any, call: Call) -> bool:
    """Whether nested lists are one array of a sample's shape."""
    shapes = (call.samples.shape[1:], call.model.input_shape)
    return all(np.ndim(v) == 0 or isinstance(v, list | tuple) for v in values) and (
        as_array("baseline", values).shape in shapes
    )


def _refine(
    call: Call,
    baselines: list[Baseline],
    rule: str,
    steps: int,
    tolerance: float,
    result: np.ndarray,
    delta: np.ndarray,
) -> None:
    """Double the steps of samples whose delta exceeds the tolerance, up to `MOST_STEPS`."""
    while (left := np.flatnonzero(np.abs(delta) > tolerance)).size:
        if steps >= MOST_STEPS:
            warnings.warn(
                f"integrated gradients did not converge to {tolerance} within {steps} steps for "
                f"{left.size} of {len(delta)} samples; the largest delta is "
                f"{np.abs(delta).max():.3g}",
                RuntimeWarning,
                stacklevel=5,  # where the method was called, past what checks arguments
            )
            return
        steps = min(2 * steps, MOST_STEPS)
        part = np.empty((left.size, *result.shape[1:]), np.float32)
        chosen = [b.chosen(left) for b in baselines]
        delta[left] = _integrate(call.chosen(left), chosen, rule, steps, part)
        result[left] = part


def _integrate(
    call: Call,
    baselines: list[Baseline],
    rule: str,
    steps: int,
    result: np.ndarray,
    multiply: bool = True,
) -> np.ndarray:
    """Write the attributions by a rule, averaged; returns the convergence deltas."""
    positions, weights = quadrature(rule, steps)
    points = [step_values(positions), step_weights(weights)]

    def integrate(baseline: Baseline, part: np.ndarray) -> np.ndarray:
        scores = np.empty((2, len(part)), np.float32)
        blank = starts_blank(call.model._programs.graph, baseline, positions)
        call.run(
            PathIntegral(call.score, baseline.per_sample, multiply, blank),
            part,
            [baseline.values, *points, *scores],
            repeats=steps,
        )
        return scores[1].astype(np.float64) - scores[0]

    return _average(call, baselines, result, integrate)


def _average(
    call: Call,
    baselines: list[Baseline],
    result: np.ndarray,
    integrate: Callable[[Baseline, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Write the mean of what `integrate` writes for each baseline; returns the deltas.

    ``integrate(baseline, part)`` returns how much the score rises along each path.
    """
    rise = np.zeros(len(result))
    total = len(result) * len(baselines)
    with progress_bar(total, "integrated gradients", call.progress):
        for n, baseline in enumerate(baselines):
            part = result if n == 0 else np.empty_like(result)
            rise += integrate(baseline, part)
            if n:
                result += part
    if len(baselines) > 1:
        result /= len(baselines)
    sums = result.sum(axis=tuple(range(1, result.ndim)), dtype=np.float64)
    return sums - rise / len(baselines)
