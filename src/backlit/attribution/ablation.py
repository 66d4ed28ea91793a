"""Feature ablation and permutation: one segment at a time replaced."""

from math import prod
from typing import Any

import numpy as np

from backlit.attribution.by_segment import Fold, explain_segments, seeded
from backlit.attribution.call import Call
from backlit.attribution.masked_scores import box_scores, swap_scores
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_baseline
from backlit.images import as_three_axes
from backlit.model import Model
from backlit.progress import progress_bar
from backlit.segments import check_segments, own_segments

MASK_BYTES = 4 << 20  # of permuted segments' masks that are held at a time


@any_channels(pictures=True)
def feature_ablation(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any = None,
    fill: Any = 0.0,
    per_segment: bool = False,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """How much the score falls when a segment is replaced: score(x) - score(x without it).

    Every pixel carries its segment's value, as in Captum's `FeatureAblation`.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; None is the class predicted for the input itself.
    segments : optional
        As for `backlit.kernel_shap`; by default every value of a sample is a segment of its own.
    fill : number, array of a sample's shape, or array of the shape of `X`
        What replaces a segment.
    per_segment : bool
        Whether to return an array (N, S) of the segments' values instead of maps.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    baseline = check_baseline(fill, call.samples, model.input_shape, "fill")
    if segments is not None:
        parts = check_segments(segments, call.samples)
        return explain_segments(call, parts, _leave_out, [baseline], per_segment)[0]
    features = prod(call.samples.shape[1:])
    result = call.result(len(call.samples), features) if per_segment else call.result()
    values = result.reshape(len(result), features)
    boxes = [[(i, i + 1) for i in range(n)] for n in as_three_axes(call.samples.shape[1:])]
    for index, scores, full in box_scores(call, baseline, tuple(map(tuple, boxes))):
        values[index] = full[:, None].astype(np.float64) - scores
    return result


@any_channels(pictures=True)
def feature_permutation(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any = None,
    seed: Any = 0,
    per_segment: bool = False,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """How much the score falls when a segment is taken from another sample of `X`.

    For each segment the samples are shuffled once, in an order that is not their own; Breiman,
    "Random forests", 2001, by sample as in Captum's `FeaturePermutation`. Samples explain each
    other here: a value depends on all of `X`.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`, with at least two samples.
    segments : optional
        As for `backlit.feature_ablation`, but the same for all samples.
    seed : int or numpy.random.Generator
        Orders are a function of the seed and of the numbers of samples and segments.
    per_segment : bool
        Whether to return an array (N, S) of the segments' values instead of maps.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a single sample, or
        segments of each sample's own.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    samples = len(call.samples)
    if samples == 1:
        raise ValueError("X must hold at least two samples, to be permuted among them, got 1")
    own = segments is None
    parts = own_segments(call.samples) if own else check_segments(segments, call.samples)
    if parts.per_sample:
        raise ValueError("segments must be the same for all samples, to be permuted among them")
    count = int(parts.counts[0])
    random = seeded(seed)(count)
    result = call.result(samples, count) if per_segment else call.result()
    painted = not (own or per_segment)
    values = np.empty((samples, count), np.float32) if painted else result.reshape(samples, count)
    a_mask = 4 * count + 16 * samples  # bytes, with the samples it is filled from
    at_once = max(1, min(MASK_BYTES, call.memory or MASK_BYTES) // a_mask)
    total = samples * -(-count // at_once)
    with progress_bar(total, "permuted segments", call.progress):
        for first in range(0, count, at_once):
            left_out = np.arange(first, min(first + at_once, count))
            masks = np.ones((len(left_out), count), np.float32)
            masks[left_out - first, left_out] = 0
            choice = np.array([_shuffled(samples, random) for _ in left_out])
            for index, scores, full in swap_scores(call, parts, masks, choice):
                values[index, left_out] = full[:, None].astype(np.float64) - scores
    if painted:
        parts.paint(values, result)
    return result


def _shuffled(samples: int, random: np.random.Generator) -> np.ndarray:
    """An order of samples in which some are not where they were, as far as there is one."""
    order = np.arange(samples)
    while samples > 1 and (order == np.arange(samples)).all():
        order = random.permutation(samples)
    return order


def _leave_out(count: int) -> tuple[np.ndarray, Fold]:
    return 1 - np.eye(count, dtype=np.float32), lambda y, full: {"values": full - y}
