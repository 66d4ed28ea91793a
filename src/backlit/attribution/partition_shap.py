"""Owen values: Shapley values of segments under a hierarchy.

Owen, "Values of games with a priori unions", 1977; for pictures as in the `shap` package's
`PartitionExplainer`. Segments are halved, between lines, again and again into a binary tree. A
segment's value is what it adds, averaged over all orders of joining in which no half is entered
before its sibling is left: over all contexts made of siblings on the way from the root to it,

    phi_i = mean over unions T of i's siblings-on-the-way of v(T + i) - v(T),

with v(T) = score(x with the segments outside T replaced by the baseline).
"""

from functools import lru_cache
from typing import Any

import numpy as np

from backlit.attribution.by_segment import Fold, explain_segments, linked, product
from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_references
from backlit.model import Model
from backlit.segments import check_segments

MOST_SEGMENTS = 64


@any_channels(pictures=True)
def partition_shap(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any = 7,
    baseline: Any = 0.0,
    background: Any = None,
    link: str = "identity",
    per_segment: bool = False,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Owen values of up to 64 segments, exactly, over a hierarchy of halves.

    Owen, "Values of games with a priori unions", 1977; for the formula see
    `backlit.attribution.partition_shap`. Values always add up to score(x) - score(baseline).
    Nothing is drawn at random: S segments take about S**2 evaluations.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; None is the class predicted for the input itself.
    segments
        As for `backlit.kernel_shap`, but the same for all samples. Sets of segments are halved
        across rows or columns, along which their centres are further apart; those at the same
        place in several channels, across these, as in `shap`.
    baseline, background, link, per_segment
        As for `backlit.kernel_shap`.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for the link "logit" of a score that is no
        probability.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    mean = linked(call, link, score)
    parts = check_segments(segments, call.samples)
    base = check_references(baseline, background, call.samples, model.input_shape)
    if parts.per_sample:
        raise ValueError("segments must be the same for all samples, to share a hierarchy")
    count = int(parts.counts[0])
    if count > MOST_SEGMENTS:
        raise ValueError(f"segments must be at most {MOST_SEGMENTS}, got {count}")
    places = tuple(map(tuple, centres(parts.maps[0], count).tolist()))
    plan = owen_plan(places)
    return explain_segments(call, parts, lambda count: plan, base, per_segment, mean=mean)[0]


def centres(numbers: np.ndarray, count: int) -> np.ndarray:
    """The mean position of each segment's pixels: (count, 3)."""
    flat = numbers.reshape(-1)
    pixels = np.bincount(flat, minlength=count)
    axes = np.indices(numbers.shape).reshape(3, -1)
    return np.stack([np.bincount(flat, axis, count) / pixels for axis in axes], axis=1)


def siblings(places: np.ndarray) -> list[list[np.ndarray]]:
    """For each segment, the siblings of the sets that it is in, from the whole down to itself."""
    found: list[list[np.ndarray]] = [[] for _ in places]

    def halve(members: np.ndarray) -> None:
        if len(members) < 2:
            return
        pixels = np.ptp(places[members, 1:], axis=0).round(6)
        axis = 1 + pixels.argmax() if pixels.any() else 0  # channels come last
        along = places[members, axis].round(6)
        lines = np.unique(along)
        if len(lines) > 1:  # a cut between lines of a grid, the odd one before it
            before = along < lines[(len(lines) + 1) // 2]
        else:
            before = np.arange(len(members)) < (len(members) + 1) // 2
        halves = members[before], members[~before]
        for half, other in (halves, halves[::-1]):
            for segment in half:
                found[segment].append(other)
            halve(half)

    halve(np.arange(len(places)))
    return found


@lru_cache(maxsize=4)
def owen_plan(places: tuple[tuple[float, ...], ...]) -> tuple[np.ndarray, Fold]:
    """All coalitions that the hierarchy needs, each once, and the mean of what segments add."""
    count = len(places)
    kept, owners, signs = [], [], []
    for segment, others in enumerate(siblings(np.array(places))):
        contexts = np.zeros((2 ** len(others), count), bool)
        for level, members in enumerate(others):
            present = np.arange(len(contexts)) >> level & 1 == 1
            contexts[np.ix_(present, members)] = True
        joined = contexts.copy()
        joined[:, segment] = True
        kept += [joined, contexts]
        owners.append(np.full(2 * len(contexts), segment))
        signs.append(np.repeat([1, -1], len(contexts)) / len(contexts))
    masks, place = np.unique(np.concatenate(kept), axis=0, return_inverse=True)
    weights = np.zeros((count, len(masks)))
    np.add.at(weights, (np.concatenate(owners), place.reshape(-1)), np.concatenate(signs))
    # the empty coalition sorts first; taking it away changes nothing but keeps digits
    return masks, lambda y, full: {"values": product(weights, y - y[0])}
