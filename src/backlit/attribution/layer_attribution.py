"""Internal layers on their own: activations, gradients, and attributions to their outputs.

gradient_x_activation   a d score / d a
conductance             the sum over steps k of a path from the baseline to the input of
                        d score / d a at x_{k-1}, times (a(x_k) - a(x_{k-1}))
                        Dhamdhere, Sundararajan and Yan, "How important is a neuron?", 2018
integrated_gradients    (a - a') times the mean of d score / d a along the path from a' to a,
                        all that does not come from the layer being that of the input
                        Captum's `LayerIntegratedGradients`
deeplift                (a - a') times its multiplier: see `deeplift`

with the layer's output a for the input and a' for the baseline.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels.elementwise import add

from backlit.attribution.axes import any_channels
from backlit.attribution.call import Call
from backlit.attribution.deeplift import DifferenceRule
from backlit.attribution.inner import find_layer, independent_of
from backlit.attribution.integrated_gradients import quadrature
from backlit.attribution.steps import step_values, step_weights
from backlit.baselines import check_baseline
from backlit.checks import whole
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.context import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model
from backlit.probes import SumOfSteps

METHODS = ("gradient_x_activation", "conductance", "integrated_gradients", "deeplift")
BASELINE, POSITIONS, WEIGHTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 3)


@dataclass(frozen=True)
class Activation:
    """A layer's output."""

    tensor: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept.add(self.tensor)
        own.load()
        own.forward(until=self.tensor)
        own.store(own.activations[self.tensor], self.tensor)
        return own


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


@dataclass(frozen=True)
class Conductance:
    """Gradients along a path, times the rise of the layer's output from step to step."""

    tensor: int
    score: int
    baseline_per_sample: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        end = Lowering(graph, lanes)
        end.kept.add(self.tensor)
        begin, point = end.another_pass(), end.another_pass()

        end.tape.section = "prologue"
        x = end.load()
        x0 = begin.load(BASELINE, per_sample=self.baseline_per_sample)
        end.forward()
        begin.forward()
        targets = end.choose_targets()
        seed = seed_of_steps(end, self.score, targets, self.tensor)
        seed.sow(begin)
        begin.backward(until=self.tensor)
        total, zero = end.zeros(self.tensor), end.zeros(self.tensor)
        value, slope = end.new_buffer(self.tensor), end.new_buffer(self.tensor)

        def remember(this: Lowering) -> None:
            size = end.layouts[self.tensor].size
            end.tape.emit(add, a=this.activations[self.tensor], b=zero, out=value, size=size)
            end.tape.emit(add, a=this.gradients[self.tensor], b=zero, out=slope, size=size)

        remember(begin)

        end.tape.section = "body"
        point.activations[0] = point.interpolate(0, x0, x, point.load_lane_values(POSITIONS))
        point.forward()
        seed.sow(point)
        point.backward(until=self.tensor)
        rise = end.subtract(self.tensor, point.activations[self.tensor], value)
        part = end.multiply(self.tensor, rise, slope)
        end.tape.emit(add, a=total, b=part, out=total, size=end.layouts[self.tensor].size)
        remember(point)

        end.tape.section = "epilogue"
        end.store(total, self.tensor)
        return end


@dataclass(frozen=True)
class LayerPath(SumOfSteps):
    """Gradients along the path between a layer's outputs, times their difference."""

    tensor: int
    score: int
    baseline_per_sample: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        end = self.lowering(graph, lanes)
        end.kept.add(self.tensor)
        begin, point = end.another_pass(), end.another_pass()

        end.tape.section = "prologue"
        end.load()
        begin.load(BASELINE, per_sample=self.baseline_per_sample)
        end.forward()
        begin.forward(until=self.tensor)
        targets = end.choose_targets()
        ends = begin.activations[self.tensor], end.activations[self.tensor]
        total = sum_of_steps(end, self.tensor)
        seed = seed_of_steps(end, self.score, targets, self.tensor)

        end.tape.section = "body"
        point.activations.update(independent_of(end, self.tensor))
        position = point.load_lane_values(POSITIONS)
        point.activations[self.tensor] = point.interpolate(self.tensor, *ends, position)
        point.forward()
        seed.sow(point)
        point.backward(until=self.tensor)
        total.add(point.gradients[self.tensor], point.load_lane_values(WEIGHTS))

        end.tape.section = "epilogue"
        difference = end.subtract(self.tensor, *ends[::-1])
        end.store(end.multiply(self.tensor, difference, total.total), self.tensor)
        return end


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
        For arguments of wrong shape, kind or range; for a final softmax, which is set aside.
    """
    call = Call(model, X, 0, "logit", threads, progress, out, memory)
    programs, tensor = find_layer(model, layer)
    result = call.result(len(call.samples), *programs.graph.shapes[tensor])
    call.run(Activation(tensor), result, programs=programs)
    return result


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
    """The gradient of the score by a layer's output.

    Arguments and result are those of `backlit.layer_activation`; `target` and `score` are those
    of `backlit.saliency`.

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


@any_channels()
def layer_attribution(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    layer: int | str,
    method: str = "gradient_x_activation",
    baseline: Any = 0.0,
    steps: int = 50,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Attributions of the score to a layer's output.

    Parameters
    ----------
    method : {"gradient_x_activation", "conductance", "integrated_gradients", "deeplift"}
        Conductance is taken at equal steps from the baseline to the input, the gradient being
        that at the beginning of each step, as Captum's `LayerConductance` does with
        ``method="riemann_trapezoid"``. If all paths lead through the layer it adds up to
        score(x) - score(baseline) as steps grow. Integrated gradients take the Gauss-Legendre
        rule, as Captum does; they add up as conductance does, to within its error.
    baseline : number, array of a sample's shape, or array of the shape of `X`
        For all but gradient times activation.
    steps : int
        For conductance and integrated gradients.
    model, X, target, score, layer, threads, progress, out, memory
        As for `backlit.layer_gradient`.

    Returns
    -------
    float32 array of shape (N, *shape of the layer's output)

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a layer that is not there.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    programs, tensor = find_layer(model, layer)
    steps = whole("steps", steps, 1)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}, got {method!r}")
    base = check_baseline(baseline, call.samples, model.input_shape)
    result = call.result(len(call.samples), *programs.graph.shapes[tensor])
    if method == "conductance":
        probe = Conductance(tensor, call.score, base.per_sample)
        positions = (np.arange(1, steps + 1) / steps).astype(np.float32)
        call.run(probe, result, [base.values, positions], repeats=steps, programs=programs)
    elif method == "integrated_gradients":
        path = LayerPath(tensor, call.score, base.per_sample)
        nodes, weights = quadrature("gauss_legendre", steps)
        more = [base.values, step_values(nodes), step_weights(weights)]
        call.run(path, result, more, repeats=steps, programs=programs)
    elif method == "deeplift":
        difference = DifferenceRule(call.score, base.per_sample, 1, tensor)
        call.run(difference, result, [base.values], programs=programs)
    else:
        call.run(LayerGradient(tensor, call.score, True), result, programs=programs)
    return result
