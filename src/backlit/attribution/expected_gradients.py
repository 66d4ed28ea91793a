"""Expected gradients, also known as GradientSHAP.

Erion, Janizek, Sturmfels, Lundberg and Lee, "Improving performance of deep learning models with
axiomatic attribution priors and expected gradients", 2021:

    attribution = E[(x - x') * d score(x' + a (x - x')) / dx],   x' ~ background,  a ~ U(0, 1)

In expectation the attributions add up to score(x) less the mean score of the background.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from backlit_kernels.noise import stratified

from backlit.affine_parts import affine_prefix
from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.step_arrays import step_values, step_weights
from backlit.baselines import check_background
from backlit.checks import whole
from backlit.graph import Graph
from backlit.instructions import Buffer
from backlit.lowering import Lowering
from backlit.lowering.baselines import baseline_pass
from backlit.lowering.interpolation import add_gradients, points_together, start_between
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model
from backlit.probes import SumOfSteps
from backlit.rewriting import relu_first
from backlit.streams import check_seed, stream_keys

KEY, OTHER, BASELINES, STRATA, WEIGHTS = range(FIRST_FREE_PORT, FIRST_FREE_PORT + 5)
MOST_PER_STEP = 10


class Draws(NamedTuple):
    """What is drawn for every sample: baselines, and the strata that positions fall into."""

    baselines: np.ndarray  # int64 (S,): places in the background
    strata: np.ndarray  # float32 (S, 2): lowest position and width
    per_step: int  # neighbouring draws that share a baseline


@dataclass(frozen=True)
class BackgroundPaths(SumOfSteps):
    """Gradients at random points of paths from baselines: one baseline, `draws` points a step.

    Before the first non-linearity the network is affine: its pre-activations are interpolated
    between those of baseline and input, and the way back through it is taken once a baseline.
    With `multiply`, each is multiplied by the difference from its baseline.
    """

    score: int
    steps: int
    draws: int
    multiply: bool = True

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        graph = relu_first(graph)
        start = affine_prefix(graph)
        end = self.lowering(graph, lanes)
        end.kept.add(start)
        tape = end.tape

        tape.section = "prologue"
        x = end.load()
        end.forward()
        targets = end.choose_targets()  # what is predicted for the input itself, if not given
        key, other = (end.load_lane_values(port, per_sample=1, per_step=0) for port in (KEY, OTHER))
        total = sum_of_steps(end, 0)
        seed = seed_of_steps(end, self.score, targets, start)

        tape.section = "body"
        begin = baseline_pass(end, BASELINES, steps=self.steps, until=start)
        together = points_together(end, start)
        for first in range(0, self.draws, together):
            draws = range(first, min(first + together, self.draws))
            points = [end.another_pass() for _ in draws]
            positions = [self.position(end, (key, other), draw) for draw in draws]
            start_between(points, start, begin, end, positions)
            add_gradients(points, start, seed, begin)
        begin.backward()
        weight = end.load_lane_values(WEIGHTS)
        if self.multiply:
            total.add_contribution(x, begin.activations[0], begin.gradients[0], weight)
        else:
            total.add(begin.gradients[0], weight)

        tape.section = "epilogue"
        end.store(total.total, 0)
        return end

    def position(self, end: Lowering, keys: tuple[Buffer, Buffer], draw: int) -> Buffer:
        """Where on its path one of a step's draws lies."""
        position, both = end.tape.buffer(end.lanes), 2 * self.draws
        low, width = (
            end.load_lane_values(STRATA, per_step=both, first=2 * draw + i) for i in range(2)
        )
        end.tape.emit(
            stratified,
            low=low,
            width=width,
            key=keys[0],
            other=keys[1],
            draw=draw,
            draws=self.draws,
            out=position,
            lanes=end.lanes,
        )
        return position


def draw(samples: int, background: int, seed: int) -> Draws:
    """The background goes round, each time in another order, while positions rise from 0 to 1.

    So every baseline is taken equally often, at positions spread over its path. With fewer
    samples than baselines, a random part of the background is taken.
    """
    random = np.random.default_rng(seed)
    rounds = -(-samples // background)
    baselines = np.concatenate([random.permutation(background) for _ in range(rounds)])[:samples]
    order = np.argsort(baselines, kind="stable")
    strata = np.stack([np.arange(samples) / samples, np.full(samples, 1 / samples)], axis=1)
    shared = [d for d in range(2, MOST_PER_STEP + 1) if samples % (d * background) == 0]
    return Draws(baselines[order], strata[order].astype(np.float32), max(shared, default=1))


def explain(
    call: Call, background: np.ndarray, draws: Draws, seed: int, multiply: bool = True
) -> np.ndarray:
    """Expected gradients with given draws."""
    result = call.result()
    baselines = background[draws.baselines[:: draws.per_step]]
    strata = step_values(draws.strata, draws.per_step)
    weights = step_weights(np.full(len(baselines), 1 / len(draws.baselines)))
    call.run(
        BackgroundPaths(call.score, len(baselines), draws.per_step, multiply),
        result,
        [*stream_keys(call.samples, seed), step_values(baselines), strata, weights],
        repeats=len(baselines),
        label="expected gradients",
    )
    return result


@any_channels()
def expected_gradients(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    background: Any,
    samples: int = 50,
    multiply_by_inputs: bool = True,
    seed: int | np.random.Generator = 0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Integrated gradients averaged over the baselines of a background set, by sampling.

    Erion, Janizek, Sturmfels, Lundberg and Lee, "Improving performance of deep learning models with
    axiomatic attribution priors and expected gradients", 2021. The attributions add up to score(x)
    less the mean score of the background, up to the error of `samples`.

    Baselines and positions are stratified: every baseline is taken equally often, and each of
    `samples` equal parts of the path once. (Captum's GradientShap and shap's GradientExplainer
    draw both independently; the expectation is the same, the error smaller here. Captum adds
    noise to the input on request; that is not done here.)

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`. With `target` None the class is the one predicted for the
        input, all along the paths.
    background : array of shape (B, *shape of a sample)
        The baselines. If `samples` is less than B, a random part of them is taken, the same for
        all of `X`.
    samples : int
        Points at which the gradient is taken, for each input, at least 1. A multiple of B is
        fastest.
    multiply_by_inputs : bool
        Whether to multiply each gradient by x less its baseline. If not, the result is the mean of
        the gradients themselves, as in Captum, and does not add up to anything.
    seed : int or numpy.random.Generator
        Positions of a sample are a function of the seed and of the sample's values.
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
    baselines = check_background(background, call.samples, model.input_shape)
    key = check_seed(seed)
    draws = draw(whole("samples", samples, 1), len(baselines), key)
    return explain(call, baselines, draws, key, multiply_by_inputs)
