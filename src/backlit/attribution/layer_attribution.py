"""Attributions of the score to the output of a layer inside a model.

gradient_x_activation   a d score / d a
conductance             see `backlit.attribution.conductance`
integrated_gradients    (a - a') times the mean of d score / d a along the path from a' to a,
                        all that does not come from the layer being that of the input
                        Captum's `LayerIntegratedGradients`
deeplift                (a - a') times its multiplier: see `deeplift`

with the layer's output a for the input and a' for the baseline.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.conductance import Conductance
from backlit.attribution.deeplift import DifferenceRule
from backlit.attribution.find_layer import find_layer, independent_of
from backlit.attribution.layer_gradient import LayerGradient
from backlit.attribution.quadrature import quadrature
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.step_arrays import step_values, step_weights
from backlit.baselines import check_baseline
from backlit.checks import choice, whole
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model
from backlit.probes import SumOfSteps

METHODS = ("gradient_x_activation", "conductance", "integrated_gradients", "deeplift")
BASELINE, POSITIONS, WEIGHTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 3)


@dataclass(frozen=True)
class LayerPath(SumOfSteps):
    """Gradients along the path between a layer's outputs, averaged.

    With `multiply`, they are multiplied by the difference of these.
    """

    tensor: int
    score: int
    baseline_per_sample: int
    multiply: bool = True

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
        result = total.total
        if self.multiply:
            difference = end.subtract(self.tensor, *ends[::-1])
            result = end.multiply(self.tensor, difference, result)
        end.store(result, self.tensor)
        return end


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
    multiply_by_inputs: bool = True,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Attributions of the score to a layer's output.

    For the methods' formulas and sources see `backlit.attribution.layer_attribution`.

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
        For conductance and integrated gradients; at least 1.
    multiply_by_inputs : bool
        Whether to multiply by the layer's output, or its difference from that for the baseline. If
        not, the result is the gradient, its mean along the path, or DeepLIFT's multipliers, as in
        Captum. Conductance is a sum of such products and has no other form.
    model, X, target, score, layer, threads, progress, out, memory
        As for `backlit.layer_gradient`.

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
    steps = whole("steps", steps, 1)
    choice("method", method, METHODS)
    if method == "conductance" and not multiply_by_inputs:
        raise ValueError("multiply_by_inputs must be True for conductance, a sum of products")
    base = check_baseline(baseline, call.samples, model.input_shape)
    result = call.result(len(call.samples), *programs.graph.shapes[tensor])
    if method == "conductance":
        probe = Conductance(tensor, call.score, base.per_sample)
        positions = (np.arange(1, steps + 1) / steps).astype(np.float32)
        call.run(probe, result, [base.values, positions], repeats=steps, programs=programs)
    elif method == "integrated_gradients":
        path = LayerPath(tensor, call.score, base.per_sample, multiply_by_inputs)
        nodes, weights = quadrature("gauss_legendre", steps)
        more = [base.values, step_values(nodes), step_weights(weights)]
        call.run(path, result, more, repeats=steps, programs=programs)
    elif method == "deeplift":
        difference = DifferenceRule(
            call.score, base.per_sample, 1, tensor, multiply=multiply_by_inputs
        )
        call.run(difference, result, [base.values], programs=programs)
    else:
        call.run(LayerGradient(tensor, call.score, multiply_by_inputs), result, programs=programs)
    return result
