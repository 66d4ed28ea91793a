"""SmoothGrad and its relatives: gradients at noisy copies of the input.

Smilkov, Thorat, Kim, Viegas and Wattenberg, "SmoothGrad: removing noise by adding noise", 2017:

    mean        1/n * sum over i of g(x + e_i),    g = d score / d x,    e_i ~ N(0, sigma^2)

Hooker, Erhan, Kindermans and Kim, "A benchmark for interpretability methods", 2019 (squared), and
Adebayo, Gilmer, Goodfellow and Kim, "Local explanation methods for deep neural networks lack
sensitivity to parameter values", 2018 (VarGrad):

    squared     1/n * sum over i of g(x + e_i)^2
    variance    1/n * sum over i of (g(x + e_i) - mean)^2
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels.noise import running_variance

from backlit.affine_parts import affine_prefix
from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.step_arrays import step_weights
from backlit.checks import choice, number, whole
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.noise import noisy_input
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model
from backlit.probes import SumOfSteps
from backlit.rewriting import relu_first
from backlit.streams import check_seed, stream_keys

KEY, OTHER, SCALE, WEIGHTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 4)
STATISTICS = ("mean", "squared", "variance")


@dataclass(frozen=True)
class NoisyGradients(SumOfSteps):
    """A statistic of the gradients at noisy copies of the input, one copy at each step.

    Before the first non-linearity the network is affine: the way back through it is taken once,
    by the mean. Squares and variances need each gradient at the input itself.
    """

    score: int
    statistic: str
    antithetic: bool

    @property
    def adds_up(self) -> bool:
        return self.statistic != "variance"

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        graph = relu_first(graph)
        clean = self.lowering(graph, lanes)
        start = affine_prefix(graph) if self.statistic == "mean" else 0

        clean.tape.section = "prologue"
        x = clean.load()
        clean.forward()
        targets = clean.choose_targets()  # what is predicted without noise, if not given
        keys = [clean.load_lane_values(port, per_sample=1, per_step=0) for port in (KEY, OTHER)]
        scale = clean.load_lane_values(SCALE, per_sample=1, per_step=0)
        total = sum_of_steps(clean, start)
        seed = seed_of_steps(clean, self.score, targets, start)

        clean.tape.section = "body"
        noisy = clean.another_pass()
        noisy.activations[0] = noisy_input(noisy, x, (keys[0], keys[1]), scale, self.antithetic)
        noisy.forward()
        seed.sow(noisy)
        noisy.backward(until=start, to_add=self.statistic == "mean")
        if self.statistic == "mean":
            total.add_gradient(noisy, noisy.load_lane_values(WEIGHTS))
        elif self.statistic == "variance":
            with clean.tape.in_section("prologue"):
                mean = clean.zeros(start)
            size = noisy.layouts[start].size
            state = {"mean": mean, "variance": total.total}
            noisy.tape.emit(running_variance, x=noisy.gradients[start], size=size, **state)
        else:
            square = noisy.multiply(start, noisy.gradients[start], noisy.gradients[start])
            total.add(square, noisy.load_lane_values(WEIGHTS))

        clean.tape.section = "epilogue"
        clean.gradients = {start: total.total}
        clean.backward()
        clean.store(clean.gradients[0], 0)
        return clean


def check_noise(
    X: np.ndarray,
    name: str,
    copies: int,
    noise: Any,
    relative: Any,
    statistic: Any,
    antithetic: Any,
) -> np.ndarray:
    """The standard deviation of each input's noise, once all arguments are right."""
    if number("noise", noise) < 0:
        raise ValueError(f"noise must not be negative, got {noise}")
    choice("statistic", statistic, STATISTICS)
    if antithetic and copies % 2:
        raise ValueError(f"{name} must be even for antithetic pairs, got {copies}")
    scale = np.full(len(X), noise, np.float32)
    if relative and len(X):
        flat = X.reshape(len(X), -1)
        scale *= flat.max(axis=1) - flat.min(axis=1)
    return scale


@any_channels()
def smoothgrad(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    samples: int = 50,
    noise: float = 0.1,
    relative: bool = True,
    statistic: str = "mean",
    antithetic: bool = False,
    seed: int | np.random.Generator = 0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """A statistic of the gradients at noisy copies of the input.

    Smilkov, Thorat, Kim, Viegas and Wattenberg, "SmoothGrad: removing noise by adding noise", 2017;
    for the formulas, and the sources of the other statistics, see `backlit.attribution.smoothgrad`.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`. With `target` None the class is the one predicted without
        noise.
    samples : int
        Noisy copies of each input, at least 1.
    noise : float
        The standard deviation of the normal noise, not negative.
    relative : bool
        Whether `noise` is a share of each input's range (maximum - minimum), as in the paper and
        PAIR's implementation. Otherwise it is in units of the input, as Captum's.
    statistic : {"mean", "squared", "variance"}
        The mean (SmoothGrad), the mean square (SmoothGrad-Squared) or the variance (VarGrad) of
        the signed gradients. The variance is divided by `samples`, as in Captum.
    antithetic : bool
        Whether every other copy has the noise of the copy before with its sign changed;
        `samples` must then be even.
    seed : int or numpy.random.Generator
        The noise of a sample is a function of the seed and of the sample's values.
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
    samples = whole("samples", samples, 1)
    noises = noise, relative, statistic, antithetic
    scale = check_noise(call.samples, "samples", samples, *noises)
    result = call.result()
    call.run(
        NoisyGradients(call.score, statistic, antithetic),
        result,
        [
            *stream_keys(call.samples, check_seed(seed)),
            scale,
            step_weights(np.full(samples, 1 / samples)),
        ],
        repeats=samples,
        label="smoothgrad",
    )
    return result
