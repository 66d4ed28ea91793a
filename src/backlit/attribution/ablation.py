"""Feature ablation and permutation: one segment at a time replaced."""

from typing import Any

import numpy as np

from backlit.attribution.axes import any_channels
from backlit.attribution.by_segment import Fold, explain_segments, seeded
from backlit.attribution.call import Call
from backlit.attribution.masked import Scores, swap_scores
from backlit.baselines import check_baseline
from backlit.model import Model
from backlit.segments import Segments, check_segments, own_segments


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
    parts = _segments(segments, call.samples)
    baseline = check_baseline(fill, call.samples, model.input_shape, "fill")
    return explain_segments(call, parts, _leave_out, [baseline], per_segment)[0]


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
    parts = _segments(segments, call.samples)
    if parts.per_sample:
        raise ValueError("segments must be the same for all samples, to be permuted among them")
    draw = seeded(seed)

    def scores(call: Call, parts: Segments, masks: np.ndarray) -> Scores:
        random = draw(len(masks))
        choice = np.array([_shuffled(samples, random) for _ in masks])
        return swap_scores(call, parts, masks, choice)

    return explain_segments(call, parts, _leave_out, [], per_segment, scores)[0]


def _shuffled(samples: int, random: np.random.Generator) -> np.ndarray:
    """An order of samples in which some are not where they were, as far as there is one."""
    order = np.arange(samples)
    while samples > 1 and (order == np.arange(samples)).all():
        order = random.permutation(samples)
    return order


def _segments(segments: Any, samples: np.ndarray) -> Segments:
    return own_segments(samples) if segments is None else check_segments(segments, samples)


def _leave_out(count: int) -> tuple[np.ndarray, Fold]:
    return 1 - np.eye(count), lambda y, full: {"values": full - y}
