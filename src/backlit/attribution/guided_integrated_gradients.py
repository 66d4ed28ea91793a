"""Guided integrated gradients.

Kapishnikov, Venugopalan, Avci, Wedin, Terry and Bolukbasi, "Guided integrated gradients: an
adaptive path method for removing noise", 2021. The path leads from a baseline to the input, but
at each step those features move first whose gradient is smallest there, so that it keeps away
from where the score changes abruptly; attributions are integrated along it.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from backlit_kernels.guided_path import guided_step

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_baseline
from backlit.checks import number, whole
from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.ports import FIRST_FREE_PORT, INPUT, OUTPUT
from backlit.lowering.step_seed import seed_of_steps
from backlit.model import Model

BASELINE, OPTIONS = FIRST_FREE_PORT, FIRST_FREE_PORT + 1


@dataclass(frozen=True)
class GuidedPath:
    """A gradient a step; each lane then moves on its own way, and attributes what it moved."""

    score: int
    baseline_per_sample: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        end = Lowering(graph, lanes)
        tape, layout = end.tape, end.layouts[0]
        size = prod(layout.shape)
        tape.section = "prologue"
        end.load()
        end.forward()
        targets = end.choose_targets()  # what is predicted for the input itself, if not given
        seed = seed_of_steps(end, self.score, targets)
        point = end.another_pass()
        place = point.load(BASELINE, per_sample=self.baseline_per_sample)
        alphas = tape.buffer(size * lanes)
        end.fill_zero(alphas, size * lanes)

        tape.section = "body"
        point.forward()
        seed.sow(point)
        point.backward()
        tape.emit(
            guided_step,
            ends=INPUT,
            result=OUTPUT,
            baseline=BASELINE,
            per_sample=self.baseline_per_sample,
            options=OPTIONS,
            gradient=point.gradients[0].at(layout.origin),
            point=place.at(layout.origin),
            alphas=alphas,
            scratch=tape.buffer(3 * size),
            **layout.pixels,
        )
        return end


@any_channels()
def guided_integrated_gradients(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int = 50,
    fraction: float = 0.25,
    max_distance: float = 0.02,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Gradients integrated along a path that lets features of small gradient move first.

    Kapishnikov et al., "Guided integrated gradients: an adaptive path method for removing noise",
    2021. The algorithm of PAIR's implementation (there with 200 steps by default): each step brings
    the point nearer to the input by the same L1 distance, moving the `fraction` of features of
    least gradient magnitude, then the next ones, until it has come so far.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`. With `target` None the class is the one predicted for the
        input, all along the path.
    baseline : number, array of a sample's shape, or array of the shape of `X`
        The reference input.
    steps : int
        Gradients along the path, at least 1.
    fraction : float in (0, 1]
        The share of features that move together.
    max_distance : float in [0, 1]
        How far a feature may be ahead of or behind the straight path, as a share of its way. With
        0 the path is straight and this is integrated gradients by the left Riemann rule.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`
        They need not add up to score(x) - score(baseline): the path slides along kinks of the
        network, and gradients are taken on their gentle side. The gap is smaller with a smaller
        `max_distance`, and does not vanish with more steps.

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    steps = whole("steps", steps, 1)
    if not 0 < number("fraction", fraction) <= 1:
        raise ValueError(f"fraction must be in (0, 1], got {fraction}")
    if not 0 <= number("max_distance", max_distance) <= 1:
        raise ValueError(f"max_distance must be in [0, 1], got {max_distance}")
    base = check_baseline(baseline, call.samples, model.input_shape)
    result = call.result()
    call.run(
        GuidedPath(call.score, base.per_sample),
        result,
        [base.values, np.array([steps, fraction, max_distance], np.float32)],
        repeats=steps,
        label="guided integrated gradients",
    )
    return result
