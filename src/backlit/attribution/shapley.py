"""Shapley values of segments: exact, and by sampling permutations.

Shapley, "A value for n-person games", 1953. The game is v(T) = score(x with the segments outside
T replaced by the baseline); a segment's value is what it adds when it joins, averaged over all
orders of joining:

    phi_i = sum over T without i of |T|! (S - |T| - 1)! / S! * (v(T + i) - v(T)).
"""

from math import comb
from typing import Any

import numpy as np

from backlit.attribution.by_segment import (
    Fold,
    Plan,
    explain_segments,
    linked,
    masks_apart,
    product,
    seeded,
)
from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_references
from backlit.checks import whole
from backlit.model import Model
from backlit.segments import check_segments
from backlit.streams import check_seed

MOST_EXACT = 16  # segments


@any_channels(pictures=True)
def exact_shapley(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any,
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
    """Shapley values of up to 16 segments, from all 2**S coalitions.

    Shapley, "A value for n-person games", 1953: what a segment adds to the score when it joins,
    averaged over all orders of joining. Values add up to score(x) - score(baseline).

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; None is the class predicted for the input itself.
    segments, baseline, background, link, per_segment
        As for `backlit.kernel_shap`.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for more than 16 segments; for the link
        "logit" of a score that is no probability.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    mean = linked(call, link, score)
    parts = check_segments(segments, call.samples)
    base = check_references(baseline, background, call.samples, model.input_shape)
    return explain_segments(call, parts, exact_plan, base, per_segment, mean=mean)[0]


def exact_plan(count: int) -> tuple[np.ndarray, Fold]:
    """All coalitions, and the definition."""
    if count > MOST_EXACT:
        raise ValueError(f"segments must be at most {MOST_EXACT} for exact values, got {count}")
    kept = np.arange(2**count)[:, None] >> np.arange(count) & 1
    size = kept.sum(axis=1)
    with_it = np.array([0.0] + [1 / (count * comb(count - 1, n - 1)) for n in range(1, count + 1)])
    without = np.array([1 / (count * comb(count - 1, n)) for n in range(count)] + [0.0])
    weights = np.ascontiguousarray(np.where(kept, with_it[size, None], -without[size, None]).T)

    def fold(y: np.ndarray, full: float) -> dict[str, Any]:
        # v is taken from v(empty), which changes nothing but keeps digits
        return {"values": product(weights, y - y[0]), "standard_error": np.zeros(count)}

    return kept, fold


@any_channels(pictures=True)
def shapley_sampling(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any = 7,
    baseline: Any = 0.0,
    background: Any = None,
    samples: int = 26,
    antithetic: bool = True,
    link: str = "identity",
    seed: Any = 0,
    masks: str | None = None,
    per_segment: bool = False,
    return_details: bool = False,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> Any:
    """Shapley values of segments, averaged over random orders of joining.

    Castro, Gomez and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009;
    with antithetic pairs (an order and its reverse) as in Mitchell, Cooper, Frank and Holmes,
    "Sampling permutations for Shapley value estimation", 2022. Each order costs S - 1 evaluations.
    Values always add up to score(x) - score(baseline). The same orders serve all samples with as
    many segments.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; None is the class predicted for the input itself.
    segments, baseline, background, link, masks, per_segment
        As for `backlit.kernel_shap`.
    samples : int
        The number of orders, at least 1; even if they are antithetic.
    antithetic : bool
        Whether orders come in pairs with their reverses, which lowers the error.
    seed : int or numpy.random.Generator
        Orders are a function of the seed and the number of segments, if `masks` are shared.
    return_details : bool
        Whether to return a dict as well: "standard_error" (N, S), of the segments' values.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed; with details if asked for

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for an odd number of samples in antithetic
        pairs; for the link "logit" of a score that is no probability.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    mean = linked(call, link, score)
    parts = check_segments(segments, call.samples)
    base = check_references(baseline, background, call.samples, model.input_shape)
    samples = whole("samples", samples, 1)
    if antithetic and samples % 2:
        raise ValueError(f"samples must be even for antithetic pairs, got {samples}")
    key = check_seed(seed)

    def plan_for(sample: np.ndarray | None) -> Plan:
        draw = seeded(key, sample)

        def plan(count: int) -> tuple[np.ndarray, Fold]:
            random = draw(count)
            if not antithetic:
                return sampling_plan(random.random((samples, count)).argsort(axis=1), 1)
            half = random.random((samples // 2, count)).argsort(axis=1)
            return sampling_plan(np.stack([half, half[:, ::-1]], axis=1).reshape(-1, count), 2)

        return plan

    apart = plan_for if masks_apart(masks, segments) else None
    values, details = explain_segments(
        call, parts, plan_for(None), base, per_segment, apart=apart, mean=mean
    )
    return (values, details) if return_details else values


def sampling_plan(orders: np.ndarray, together: int) -> tuple[np.ndarray, Fold]:
    """Coalitions along each order of joining, and the mean of what segments add.

    `together` is how many orders in a row were drawn as one.
    """
    samples, count = orders.shape
    place = orders.argsort(axis=1)  # of each segment in each order
    joined = place[:, None, :] <= np.arange(count - 1)[:, None]
    kept = np.vstack([np.zeros((1, count)), joined.reshape(-1, count)])

    def fold(y: np.ndarray, full: float) -> dict[str, Any]:
        inner = y[1:].reshape(samples, count - 1)
        path = np.hstack([np.full((samples, 1), y[0]), inner, np.full((samples, 1), full)])
        added = np.take_along_axis(np.diff(path, axis=1), place, axis=1)
        draws = added.reshape(-1, together, count).mean(axis=1)
        error = np.zeros(count)
        if len(draws) > 1:
            error = draws.std(axis=0, ddof=1) / np.sqrt(len(draws))
        return {"values": draws.mean(axis=0), "standard_error": error}

    return kept, fold
