"""DeepLIFT.

Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation
differences", 2017. An attribution is (x - x') m, with the multipliers m of the score by the
input. Multipliers follow the chain rule; by the rescale rule, that of a non-linearity is

    m = (f(z) - f(z')) / (z - z')

for the values z that it takes for the input and z' for the baseline; the reveal-cancel rule treats
what raises z and what lowers it apart (`backlit.lowering.reveal_cancel`). The attributions add up
to score(x) - score(x').
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels.scores import LOGIT

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.step_arrays import step_values, step_weights
from backlit.baselines import check_background, check_baseline
from backlit.checks import choice
from backlit.graph import Graph, Node
from backlit.lowering import Lowering
from backlit.lowering.baselines import baseline_pass
from backlit.lowering.context import Emitter
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.rescale import rescale_rule, seed_multipliers
from backlit.lowering.reveal_cancel import RevealCancel
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model
from backlit.probes import SumOfSteps
from backlit.rewriting import centred_classes, pool_first

BASELINE, WEIGHTS = FIRST_FREE_PORT, FIRST_FREE_PORT + 1
RULES: dict[str, Callable[[Lowering], Callable[[Node], Emitter]]] = {
    "rescale": rescale_rule,
    "reveal_cancel": RevealCancel,
}


@dataclass(frozen=True)
class DifferenceRule(SumOfSteps):
    """Differences from `baselines` baselines, one a step, times their multipliers, averaged.

    Those of the input, or of another `tensor`; or the multipliers alone, without `multiply`.
    """

    score: int
    per_sample: int  # 1 where each sample has a baseline of its own
    baselines: int
    tensor: int = 0
    rule: str = "rescale"
    multiply: bool = True

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        # the same function with fewer ReLUs; but tensors inside have other numbers then, and
        # layers before a ReLU other users
        if self.score != LOGIT:
            graph = centred_classes(graph)
        as_it_is = self.tensor or self.rule != "rescale"
        point = self.lowering(graph if as_it_is else pool_first(graph), lanes)
        point.keep_all()
        reference = baseline_pass(point, BASELINE, per_sample=self.per_sample, steps=self.baselines)
        tape = point.tape

        tape.section = "prologue"
        point.load()
        point.forward()
        targets = point.choose_targets()
        total = sum_of_steps(point, self.tensor)

        tape.section = "body"
        seed_multipliers(point, reference, self.score, targets)
        point.backward(until=self.tensor, rule=RULES[self.rule](reference))
        several = self.baselines > 1
        weight = point.load_lane_values(WEIGHTS) if several else point.fill_lane_values(1)
        multipliers = point.gradients[self.tensor]
        if self.multiply:
            ends = point.activations[self.tensor], reference.activations[self.tensor]
            total.add_contribution(*ends, multipliers, weight)
        else:
            total.add(multipliers, weight)

        tape.section = "epilogue"
        point.store(total.total, self.tensor)
        return point


@any_channels()
def deeplift(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    baseline: Any = 0.0,
    rule: str = "rescale",
    multiply_by_inputs: bool = True,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """DeepLIFT: how differences from a baseline make that of the score.

    Shrikumar, Greenside and Kundaje, "Learning important features through propagating activation
    differences", 2017; for the formula see `backlit.attribution.deeplift`. The attributions add up
    to score(x) - score(baseline).

    Additions, convolutions, dense layers, average pooling, batch normalisation and what moves or
    averages values are linear. Any other function of one value is rescaled. A product of two
    tensors is ``(b + b') / 2`` for a and ``(a + a') / 2`` for b, which adds up (matrix products
    alike); a quotient is a product with 1 / b, the larger of two ``a + relu(b - a)``.
    In max pooling a rise of a window's maximum is due to the input's maximum and a fall to the
    baseline's, as in Captum; where windows overlap, contributions add up (Captum keeps one).
    Captum 0.9 loses this rule where a max pooling reads a ReLU's output directly: it takes the
    gradient there, and its attributions do not add up.
    The maximum over axes is treated alike; of equal ones each takes its share. Where z = z' the
    multiplier is the derivative. Softmax, and a score other than the logit, is
    rescaled as exponentials over their sum: with L_j the logarithmic mean of p_j for input and
    baseline, the multiplier of p_k by z_j is L_k (1[j = k] - L_j / sum L). Captum and shap divide
    elementwise there; Captum then takes the mean off, which does not add up.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`.
    baseline : number, array of a sample's shape, or array of the shape of `X`
        The reference input.
    rule : {"rescale", "reveal_cancel"}
        How activation functions that follow a dense layer or convolution are passed. By rescale,
        contributions that cancel each other before a function are forgotten: in
        ``min(a, b) = a - relu(a - b)`` one input gets everything. Reveal-cancel keeps positive and
        negative ones apart, and both get half. It takes several times as long. (The authors use
        it for dense layers only.)
    multiply_by_inputs : bool
        Whether to multiply by the difference, x - baseline. If not, the result is the multipliers,
        as in Captum, and does not add up to a difference of scores. (Where a max pooling's input
        does not differ from the baseline's, Captum 0.9 takes the gradient of the first sample.)
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a model with a layer that there is no rule
        for: a power with an exponent that depends on the input.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    choice("rule", rule, RULES)
    base = check_baseline(baseline, call.samples, model.input_shape)
    result = call.result()
    probe = DifferenceRule(call.score, base.per_sample, 1, rule=rule, multiply=multiply_by_inputs)
    call.run(probe, result, [base.values], label="DeepLIFT")
    return result


@any_channels()
def deeplift_shap(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    background: Any,
    multiply_by_inputs: bool = True,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """DeepLIFT averaged over the baselines of a background set: approximate Shapley values.

    Lundberg and Lee, "A unified approach to interpreting model predictions", 2017. The
    attributions add up to score(x) less the mean score of the background.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`.
    background : array of shape (B, *shape of a sample)
        The baselines, at least one; every one counts the same.
    multiply_by_inputs : bool
        Whether to multiply the multipliers for each baseline by x less that baseline. If not, the
        result is their mean, as in Captum, and does not add up to a difference of scores.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    entries = check_background(background, call.samples, model.input_shape)
    result = call.result()
    probe = DifferenceRule(call.score, 0, len(entries), multiply=multiply_by_inputs)
    weights = step_weights(np.full(len(entries), 1 / len(entries)))
    more = [step_values(entries), weights]
    call.run(probe, result, more, repeats=len(entries), label="DeepLIFT SHAP")
    return result
