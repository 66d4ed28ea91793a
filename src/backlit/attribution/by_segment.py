"""What methods that give each segment a value have in common.

Masks are drawn once and serve all samples with the same number of segments; each sample then costs
its forward passes and what the method makes of their scores.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any

import numpy as np
from backlit_kernels.scores import LOG_ODDS

from backlit.attribution.call import Call
from backlit.attribution.masked_scores import Scores, segment_scores
from backlit.baselines import Baseline
from backlit.checks import choice
from backlit.progress import progress_bar
from backlit.segments import Segments
from backlit.streams import check_seed

MOST_REMEMBERED = 1_000_000  # entries of a plan's masks

# Of one sample: its scores under the masks, in float64, and its own score; gives "values", one for
# each segment, and details by name. One sample at a time, so that bits do not depend on the others.
Fold = Callable[[np.ndarray, float], dict[str, Any]]
Plan = Callable[[int], tuple[np.ndarray, Fold]]  # of a number of segments: masks and fold
Mean = Callable[[Sequence[np.ndarray]], np.ndarray]  # of scores with several baselines, float64


def plain_mean(scores: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(sum(scores) / len(scores))


def linked(call: Call, link: str, score: str) -> Mean:
    """Let a call share out a function of its score; returns the mean over several baselines."""
    if choice("link", link, ("identity", "logit")) == "identity":
        return plain_mean
    if score != "probability":
        raise ValueError(f"score must be 'probability' with link='logit', got {score!r}")
    if call.model.classes == 1:
        raise ValueError("link must be 'identity' for one class, whose probability is always 1")
    call.score = LOG_ODDS
    return mean_log_odds


def mean_log_odds(several: Sequence[np.ndarray]) -> np.ndarray:
    """The log-odds of the mean of probabilities that are given by their log-odds."""

    def log_sum(sign: int) -> np.ndarray:
        """Of the probabilities, or of what they leave to 1."""
        return np.asarray(np.logaddexp.reduce([-np.logaddexp(0, -sign * o) for o in several]))

    return log_sum(1) - log_sum(-1)


def explain_segments(
    call: Call,
    segments: Segments,
    plan: Plan,
    baselines: Sequence[Baseline],
    per_segment: bool,
    apart: Callable[[np.ndarray], Plan] | None = None,
    mean: Mean = plain_mean,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The method's values, painted or by segment, and its details.

    Where samples have different numbers of segments, rows are filled up with zeros. Of several
    baselines the mean score under each mask counts. `apart` makes a plan for each sample, from its
    values, in place of one that all of them share.
    """
    samples = len(call.samples)
    most = int(segments.counts.max(initial=0))
    result = call.result(samples, most) if per_segment else call.result()
    details: dict[str, np.ndarray] = {}
    if not samples:
        masks, fold = plan(max(most, 1))
        found = fold(np.zeros(len(masks)), 0.0)
        del found["values"]
        return result, {name: np.zeros((0, *np.shape(value))) for name, value in found.items()}
    groups = [(count, members, plan) for count, members in segments.groups(samples)]
    if apart is not None:
        groups = [
            (count, members[i : i + 1], apart(call.samples[members[i]]))
            for count, members, _ in groups
            for i in range(len(members))
        ]
    with progress_bar(samples * len(baselines), "masked samples", call.progress):
        for where, own, found in _folded(call, segments, groups, baselines, mean):
            values = found.pop("values").astype(np.float32)
            count = values.shape[1]
            if per_segment:
                result[where, :count], result[where, count:] = values, 0
            else:
                painted = np.empty((len(values), *result.shape[1:]), np.float32)
                own.paint(values, painted)
                result[where] = painted
            for name, found_values in found.items():
                if name not in details:
                    details[name] = np.zeros((samples, *(most for _ in found_values.shape[1:])))
                if found_values.ndim == 1:
                    details[name][where] = found_values
                else:
                    details[name][where, :count] = found_values
    return result, details


def _folded(
    call: Call,
    segments: Segments,
    groups: Sequence[tuple[int, np.ndarray, Plan]],
    baselines: Sequence[Baseline],
    mean: Mean,
) -> Iterator[tuple[np.ndarray, Segments, dict[str, np.ndarray]]]:
    """What a method makes of the scores, some samples at a time: which ones, and their segments."""
    for count, members, plan in groups:
        masks, fold = plan(count)
        alike = len(members) == len(call.samples)
        group, own = (call, segments) if alike else (call.chosen(members), segments.chosen(members))
        references = [b if alike else b.chosen(members) for b in baselines]
        for index, y, full in mean_scores(group, references, own, masks, mean):
            rows = [fold(row, float(f)) for row, f in zip(y.astype(np.float64), full, strict=True)]
            found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            yield members[index], own.chosen(index), found


def mean_scores(
    call: Call, baselines: Sequence[Baseline], segments: Segments, masks: np.ndarray, mean: Mean
) -> Scores:
    """As `segment_scores`, the mean over several baselines: float64 (n, M)."""
    several = [segment_scores(call, baseline, segments, masks) for baseline in baselines]
    for batches in zip(*several, strict=True):
        index, _, full = batches[0]
        yield index, mean([scores.astype(np.float64) for _, scores, _ in batches]), full


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` for matrices and vectors, in one thread and a fixed order.

    Those of BLAS may differ with its threads, which cost more than they save at these sizes.
    """
    if b.ndim == 1:
        return np.asarray(np.einsum("...m,m->...", a, b))
    return np.asarray(np.einsum("sm,tm->st", a, np.ascontiguousarray(b.T)))  # sums run in memory


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The inverse in a fixed order as well, by Gauss-Jordan elimination with pivots.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is singular.
    """
    left = np.array(matrix, np.float64)
    order, update = np.arange(len(left)), np.empty_like(left)
    for k in range(len(left)):
        swapped = [k + int(np.abs(left[k:, k]).argmax()), k]
        if swapped[0] != k:
            left[swapped[::-1]], order[swapped[::-1]] = left[swapped], order[swapped]
        if left[k, k] == 0:
            raise np.linalg.LinAlgError("singular matrix")
        row = left[k] / left[k, k]
        row[k] = 1 / left[k, k]
        column = left[:, k].copy()
        left[:, k] = 0
        left -= np.multiply(column[:, None], row, out=update)
        left[k] = row
    result = np.empty_like(left)
    result[:, order] = left
    return result


def seeded(seed: Any, sample: np.ndarray | None = None) -> Callable[[int], np.random.Generator]:
    """A stream of random numbers for each number of segments, whatever the other samples.

    With a sample, a stream of its own, that depends on its values.
    """
    return partial(random_stream, check_seed(seed), own_seed(sample))


def own_seed(sample: np.ndarray | None) -> int | None:
    """What sets a sample's stream apart, if it has one of its own."""
    if sample is None:
        return None
    return int.from_bytes(blake2b(sample.tobytes(), digest_size=8).digest(), "big")


def random_stream(seed: int, own: int | None, count: int) -> np.random.Generator:
    """The stream for so many segments."""
    words = [seed, count] if own is None else [seed, own, count]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def remembered(plan: Callable[..., tuple[np.ndarray, Fold]]) -> Callable[..., Any]:
    """A function ``plan(seed, own, count, samples, ...)`` that remembers its last few plans.

    Who explains a data set call by call draws the same masks each time. Large plans, and those of
    a single sample, are not kept.
    """
    kept = lru_cache(maxsize=4)(plan)

    def remember(seed: int, own: int | None, count: int, samples: int, *more: Any) -> Any:
        keep = own is None and count * samples <= MOST_REMEMBERED
        return (kept if keep else plan)(seed, own, count, samples, *more)

    return remember


def masks_apart(masks: str | None, segments: Any) -> bool:
    """Whether each image gets masks of its own: as asked, or if its segments are worked out."""
    if masks is None:
        return isinstance(segments, str)
    return choice("masks", masks, ("shared", "per_image")) == "per_image"
