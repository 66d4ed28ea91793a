"""KernelSHAP: Shapley values of segments by weighted regression.

Lundberg and Lee, "A unified approach to interpreting model predictions", 2017; paired sampling and
its error as in Covert and Lee, "Improving KernelSHAP", 2021. The game is v(T) = score(x with the
segments outside T replaced by the baseline); Shapley values phi minimise

    sum over coalitions T of k(T) (v(T) - v(empty) - sum of phi over T)**2,
    k(T) = (S - 1) / (C(S, |T|) |T| (S - |T|)),

under the constraint that they add up to v(all) - v(empty). With a link, v is the link of the score.
"""

from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np

from backlit.attribution.by_segment import (
    Fold,
    Plan,
    explain_segments,
    inverse,
    linked,
    masks_apart,
    own_seed,
    product,
    random_stream,
    remembered,
)
from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.shapley import MOST_EXACT, exact_plan
from backlit.baselines import check_references
from backlit.checks import whole_or_exact
from backlit.model import Model
from backlit.segments import check_segments
from backlit.streams import check_seed


@any_channels(pictures=True)
def kernel_shap(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any = 7,
    baseline: Any = 0.0,
    background: Any = None,
    samples: int | str = 1000,
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
    """Shapley values of segments, by regression on a sample of coalitions.

    Lundberg and Lee, "A unified approach to interpreting model predictions", 2017; for the formula
    see `backlit.attribution.kernel_shap`. As in the `shap` package, coalitions of the smallest and
    largest sizes are all taken while the budget covers them, the rest is drawn by the kernel's
    weights, each with its complement. The same coalitions serve all samples with as many segments.
    Values always add up to score(x) - score(baseline). No segment is left out: `shap` keeps the ten
    of a lasso by default, and takes no part of a budget for segments that equal their baseline,
    whose values are 0. Here these are 0 where values are exact, and else up to the standard error.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; None is the class predicted for the input itself.
    segments : int, tuple of two ints, int array, "slic" or "quickshift"
        What is replaced together: n is a grid of n x n (n runs, for rows of features or signals),
        (rows, columns) a grid; an array numbers the pixels' segments and has the shape of a sample,
        of its last two axes, or of either with an entry for each sample; axes may have one entry
        that stands for all. The names are segmentations of each image by scikit-image.
    baseline : number, array of a sample's shape, or array of the shape of `X`
        What replaces segments outside the coalition.
    background : array of shape (B, *shape of a sample), optional
        Instead of a baseline, several: the score under a coalition is the mean over them, and
        values add up to score(x) less their mean score.
    samples : int or "exact"
        How many coalitions to evaluate besides the empty and the full one. If that covers all
        ``2**S - 2`` of them, or for "exact", values are exact.
    link : {"identity", "logit"}
        Which function of the score is shared out. "logit" is for ``score="probability"``: values
        add up to the log-odds ``log(p / (1 - p))`` of x less those of the baseline, or of the
        mean probability over the background, and so do standard errors speak of log-odds. These
        are worked out from the logits and keep their digits where p is nearly 0 or 1 (`shap` takes
        them from p, which it keeps 1e-15 away from both).
    seed : int or numpy.random.Generator
        Coalitions are a function of the seed and the number of segments, if `masks` are shared.
    masks : {"shared", "per_image"}, optional
        Whether masks are drawn once for all images with as many segments, or for each image anew
        (from the seed and the image's values). Default: shared, and per image where segments are
        worked out for each image.
    per_segment : bool
        Whether to return an array (N, S) of the segments' values instead of maps, in which every
        pixel carries its segment's value.
    return_details : bool
        Whether to return a dict as well: "standard_error" (N, S), of the segments' values over
        seeds, estimated from the pairs drawn; 0 where values are exact.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed; with details if asked for

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; if `samples` is too small for the number of
        segments (twice as many will do), or "exact" for more than 16 segments; for the link
        "logit" of a score that is no probability.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    mean = linked(call, link, score)
    parts = check_segments(segments, call.samples)
    base = check_references(baseline, background, call.samples, model.input_shape)
    budget = whole_or_exact("samples", samples)
    key = check_seed(seed)

    def plan_for(sample: np.ndarray | None) -> Plan:
        def plan(count: int) -> tuple[np.ndarray, Fold]:
            few = count <= MOST_EXACT
            if budget is None or (few and budget >= 2**count - 2):
                return exact_plan(count)
            return regression_plan(key, own_seed(sample), count, budget, return_details)

        return plan

    apart = plan_for if masks_apart(masks, segments) else None
    values, details = explain_segments(
        call, parts, plan_for(None), base, per_segment, apart=apart, mean=mean
    )
    return (values, details) if return_details else values


@remembered
def regression_plan(
    seed: int, own: int | None, count: int, samples: int, errors: bool
) -> tuple[np.ndarray, Fold]:
    """The masks of `count` segments, the empty one first, and what solves for the values."""
    chosen = draw_coalitions(count, samples, random_stream(seed, own, count))
    masks = np.vstack([np.zeros(count), chosen.kept])
    return masks, regression_fold(chosen, count, errors)


class Coalitions(NamedTuple):
    """Which segments each coalition keeps (M, S), and its weight; the last are drawn in pairs."""

    kept: np.ndarray
    weights: np.ndarray
    pairs: int


def draw_coalitions(count: int, budget: int, random: np.random.Generator) -> Coalitions:
    """At most `budget` coalitions of `count` segments, without the empty and the full one.

    Those of one segment, and of all but one, are always taken: they make the regression solvable.
    """
    least = min(2 * count, 2**count - 2)
    if budget < least:
        raise ValueError(f"samples must be at least {least} for {count} segments, got {budget}")
    sizes = np.arange(1, count // 2 + 1)
    mass = 1 / (sizes * (count - sizes))  # of all coalitions of a size, up to a factor
    mass[2 * sizes < count] *= 2  # and of their complements
    mass /= mass.sum()
    kept, weights = [], []
    level = 0
    while level < len(sizes):
        size, rest = sizes[level], mass[level:].sum()
        both = 2 * size < count
        members = comb(count, size) * (2 if both else 1)
        if level and budget * mass[level] < members * rest:
            break
        inside = np.array(list(combinations(range(count), size)))
        ones = np.zeros((len(inside), count))
        np.put_along_axis(ones, inside, 1, axis=1)
        kept += [ones, 1 - ones] if both else [ones]
        weights.append(np.full(members, mass[level] / members))
        budget -= members
        level += 1
    pairs = budget // 2 if level < len(sizes) else 0
    if pairs:
        rest = mass[level:].sum()
        drawn = random.choice(sizes[level:], pairs, p=mass[level:] / rest)
        order = random.random((pairs, count)).argsort(axis=1).argsort(axis=1)
        ones = (order < drawn[:, None]).astype(np.float64)
        kept.append(np.stack([ones, 1 - ones], axis=1).reshape(-1, count))
        weights.append(np.full(2 * pairs, rest / (2 * pairs)))
    return Coalitions(np.concatenate(kept), np.concatenate(weights), pairs)


def regression_fold(chosen: Coalitions, count: int, errors: bool = True) -> Fold:
    """The constrained least squares. They are linear in the scores: the matrix is found once.

    The constraint's multiplier joins the normal equations as one more unknown.
    """
    kept, weights, pairs = chosen
    weighted = (kept * weights[:, None]).T
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = product(weighted, kept)
    system[count, count] = 0
    solution = inverse(system)[:count]
    by_score, by_total = product(solution[:, :count], weighted), solution[:, count]
    drawn = slice(len(kept) - 2 * pairs, None)

    def fold(y: np.ndarray, full: float) -> dict[str, Any]:
        gain = y[1:] - y[0]
        values = product(by_score, gain) + by_total * (full - y[0])
        if not errors:
            return {"values": values}
        # each pair's pull on the values; they are independent and alike
        error = np.zeros(count)
        if pairs > 1:
            residual = (gain - product(kept, values))[drawn]
            pull = (by_score[:, drawn] * residual).reshape(count, pairs, 2).sum(axis=2)
            error = np.sqrt(pairs * pull.var(axis=1, ddof=1))
        return {"values": values, "standard_error": error}

    return fold
