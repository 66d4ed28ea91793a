"""Blur integrated gradients.

Xu, Venugopalan and Sundararajan, "Attribution in scale and space", 2020: the path leads from a
strongly blurred input to the input itself. With L(s) the input under a Gaussian blur of standard
deviation s,

    attribution = - integral over s in [0, s_max] of d score(L(s)) / dL * dL / ds
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels.blur import gaussian_blur

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.checks import number, whole
from backlit.graph import Graph
from backlit.images import Shape3, as_three_axes
from backlit.instructions import Buffer
from backlit.lowering import Lowering
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps
from backlit.lowering.step_sum import sum_of_steps
from backlit.model import Model

LEVELS, HALF = FIRST_FREE_PORT, FIRST_FREE_PORT + 1
LARGEST_SIGMA = 100_000
TRUNCATE = 4.0  # standard deviations


@dataclass(frozen=True)
class BlurPath:
    """Gradients along the chords between blurs of neighbouring levels, times the chords."""

    score: int
    shape: Shape3

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        end = Lowering(graph, lanes)
        end.tape.section = "prologue"
        x = end.load()
        end.forward()
        targets = end.choose_targets()  # what is predicted for the input itself, if not given
        total = sum_of_steps(end, 0)
        seed = seed_of_steps(end, self.score, targets)
        half = end.load_lane_values(HALF, per_step=0)
        before = self.blur(end, x, 0, 0)

        end.tape.section = "body"
        point = end.another_pass()
        after = self.blur(end, x, 1, 1)
        point.activations[0] = point.interpolate(0, before, after, half)
        point.forward()
        seed.sow(point)
        point.backward()
        total.add_contribution(after, before, point.gradients[0], end.fill_lane_values(1))
        end.copy_to(0, after, before)

        end.tape.section = "epilogue"
        end.store(total.total, 0)
        return end

    def blur(self, lowering: Lowering, x: Buffer, first: int, per_step: int) -> Buffer:
        """The input at the level ``first + step * per_step``."""
        channels, height, width = self.shape
        layout, lanes = lowering.layouts[0], lowering.lanes
        image = len(layout.shape) == 3
        out = lowering.new_buffer(0)
        lowering.tape.emit(
            gaussian_blur(lanes),
            port=LEVELS,
            count=1 + max(height, width),
            first=first,
            per_step=per_step,
            x=x.at(layout.origin),
            middle=lowering.tape.buffer(height * width * lanes),
            out=out.at(layout.origin),
            channels=channels,
            height=height,
            width=width,
            plane=layout.plane if image else height * width * lanes,
            row=layout.pitch if image else width * lanes,
            lanes=lanes,
        )
        lowering.clear_border(0, out)
        return out


def levels(steps: int, max_sigma: float, size: int) -> np.ndarray:
    """Blurs from the strongest to none: reach and weights of each, float32 (steps + 1, 1 + size).

    Standard deviations are spaced as squares, closer where little blur is left.
    """
    table = np.zeros((steps + 1, 1 + size), np.float32)
    for row, sigma in zip(table, max_sigma * np.linspace(1, 0, steps + 1) ** 2, strict=True):
        reach = int(TRUNCATE * sigma + 0.5)
        weights = np.ones(1)
        if reach:
            weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
        weights /= 2 * weights.sum() - weights[0]
        row[0] = min(reach, size - 1)
        row[1:][: reach + 1] = weights[:size]
    return table


@any_channels(pictures=True)
def blur_integrated_gradients(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    steps: int = 50,
    max_sigma: float = 50.0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Gradients integrated along the path from a blurred input to the input.

    Xu, Venugopalan and Sundararajan, "Attribution in scale and space", 2020; for the formula see
    `backlit.attribution.blur_integrated_gradients`.

    The attributions add up to score(x) less the score of the most blurred input, up to the error
    of `steps`. Blurs are those of PAIR's implementation (zero beyond the edges, cut off at four
    standard deviations), and so is the integral; the quadrature differs: between neighbouring
    blurs the path is straight and the gradient taken in the middle, and blurs are spaced as
    squares, so that fewer steps do.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; samples must be images. With `target` None the class is the one
        predicted for the input, all along the path.
    steps : int
        Pieces of the path, at least 1.
    max_sigma : float
        Standard deviation, in pixels, of the strongest blur: positive, at most 100,000.
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
    steps = whole("steps", steps, 1)
    if not 0 < number("max_sigma", max_sigma) <= LARGEST_SIGMA:
        raise ValueError(f"max_sigma must be positive, at most {LARGEST_SIGMA}, got {max_sigma}")
    if call.samples.ndim < 3:
        raise ValueError(
            f"X must hold images to be blurred, (N, ..., height, width), got {call.samples.shape}"
        )
    shape = as_three_axes(call.samples.shape[1:])
    table = levels(steps, max_sigma, max(shape[1:]))
    result = call.result()
    call.run(
        BlurPath(call.score, shape),
        result,
        [table, np.full(1, 0.5, np.float32)],
        repeats=steps,
        label="blur integrated gradients",
    )
    return result
