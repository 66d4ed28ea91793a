"""RISE: the mean of random masks, weighted by the scores under them.

Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models",
2018.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from backlit.attribution.by_segment import product, seeded
from backlit.attribution.call import Call
from backlit.attribution.masked_scores import segment_scores
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_baseline
from backlit.checks import number, whole
from backlit.interpolation import interpolation_matrix
from backlit.model import Model
from backlit.progress import progress_bar
from backlit.segments import check_segments

BLOCK = 512  # masks at a time
BATCH = 2048  # samples at a time


@any_channels(pictures=True)
def rise(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    samples: int = 4000,
    grid: int | tuple[int, int] = 7,
    keep: float = 0.5,
    baseline: Any = 0.0,
    seed: Any = 0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The mean of random masks, weighted by the scores under them.

    Petsiuk, Das and Saenko, "RISE: randomized input sampling for explanation of black-box models",
    2018. A mask is a grid of zeros and ones, upsampled bilinearly to a little more than the input
    and cut out at a random shift; the score is taken of ``mask * x + (1 - mask) * baseline``. A
    pixel's value is the sum over masks of ``score * mask``, over ``samples * keep``. The same masks
    serve all samples.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`, samples having at least two axes; None is the class predicted
        for the input itself.
    samples : int
        The number of masks, at least 1.
    grid : int or tuple (rows, columns)
        Cells of the masks' grid, at least 1 along each axis.
    keep : float in (0, 1]
        The probability of a cell being one.
    baseline : number, array of a sample's shape, or array of the shape of `X`
        What a mask leaves where it is 0.
    seed : int or numpy.random.Generator
        Masks are a function of the seed and of sizes, not of samples.
    score
        As for `backlit.saliency`. The paper's is "probability".
    threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, all channels alike

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    if call.samples.ndim < 3:
        raise ValueError(f"X must hold images, but samples have shape {call.samples.shape[1:]}")
    height, width = call.samples.shape[-2:]
    pixels = check_segments(np.arange(height * width).reshape(height, width), call.samples)
    base = check_baseline(baseline, call.samples, model.input_shape)
    samples = whole("samples", samples, 1)
    cells = grid if isinstance(grid, tuple) else (grid, grid)
    if len(cells) != 2:
        raise ValueError(f"grid must be an int or a tuple (rows, columns), got {grid}")
    cells = whole("grid", cells[0], 1), whole("grid", cells[1], 1)
    if not 0 < number("keep", keep) <= 1:
        raise ValueError(f"keep must be in (0, 1], got {keep}")
    stream = seeded(seed)
    result = call.result()
    blocks = -(-samples // BLOCK)
    with progress_bar(blocks * len(result), "masked samples", call.progress):
        for first in range(0, len(result), BATCH):
            batch = slice(first, first + BATCH)
            part, own = call.chosen(np.arange(len(result))[batch]), base.chosen(batch)
            total = np.zeros((len(part.samples), height * width))
            for masks in random_masks((height, width), cells, keep, samples, stream(0)):
                weights = masks.T.astype(np.float64)
                for index, scores, _ in segment_scores(part, own, pixels, masks):
                    for row, y in zip(total[index], scores.astype(np.float64), strict=True):
                        # one by one: bits do not depend on the other samples
                        row += product(weights, y)
            maps = total.reshape(-1, height, width) / (samples * keep)
            leading = (1,) * (result.ndim - 3)
            result[batch] = maps.reshape(len(maps), *leading, height, width)
    return result


def random_masks(
    shape: tuple[int, int],
    cells: tuple[int, int],
    keep: float,
    samples: int,
    random: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Masks, a block at a time: float32 arrays (n, pixels) with values in [0, 1]."""
    steps = [-(-size // n) for size, n in zip(shape, cells, strict=True)]
    scale = [interpolation_matrix(n, (n + 1) * step) for n, step in zip(cells, steps, strict=True)]
    for first in range(0, samples, BLOCK):
        count = min(BLOCK, samples - first)
        ones = (random.random((count, *cells)) < keep).astype(np.float64)
        rows, columns = (
            matrix[random.integers(0, step, count)[:, None] + np.arange(size)]
            for matrix, step, size in zip(scale, steps, shape, strict=True)
        )
        masks = rows @ ones @ columns.transpose(0, 2, 1)
        yield masks.reshape(count, -1).astype(np.float32)
