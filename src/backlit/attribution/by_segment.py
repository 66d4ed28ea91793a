"""What methods that give each segment a value have in common.

Masks are drawn once and serve all samples with the same number of segments; each sample then costs
its forward passes and what the method makes of their scores.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.masked import Scores, segment_scores
from backlit.baselines import Baseline
from backlit.layers.base import whole
from backlit.segments import Segments

# Of one sample: its scores under the masks, in float64, and its own score; gives "values", one for
# each segment, and details by name. One sample at a time, so that bits do not depend on the others.
Fold = Callable[[np.ndarray, float], dict[str, Any]]
Plan = Callable[[int], tuple[np.ndarray, Fold]]  # of a number of segments: masks and fold


def explain_segments(
    call: Call,
    segments: Segments,
    plan: Plan,
    baseline: Baseline | None,
    per_segment: bool,
    scores: Callable[[Call, Segments, np.ndarray], Scores] | None = None,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The method's values, painted or by segment, and its details.

    Where samples have different numbers of segments, rows are filled up with zeros.
    """
    samples = len(call.samples)
    most = int(segments.counts.max(initial=0))
    result = call.result(samples, most) if per_segment else call.result()
    details: dict[str, np.ndarray] = {}
    for count, members in segments.groups(samples):
        masks, fold = plan(count)
        alike = len(members) == samples
        group, own = (call, segments) if alike else (call.chosen(members), segments.chosen(members))
        if scores is not None:
            batches = scores(group, own, masks)
        else:
            assert baseline is not None
            base = baseline if alike else baseline.chosen(members)
            batches = segment_scores(group, base, own, masks)
        for index, y, full in batches:
            rows = [fold(row, float(f)) for row, f in zip(y.astype(np.float64), full, strict=True)]
            found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
            values = found.pop("values").astype(np.float32)
            where = members[index]
            if per_segment:
                result[where, :count], result[where, count:] = values, 0
            else:
                painted = np.empty((len(values), *result.shape[1:]), np.float32)
                own.chosen(index).paint(values, painted)
                result[where] = painted
            for name, found_values in found.items():
                if name not in details:
                    details[name] = np.zeros((samples, *(most for _ in found_values.shape[1:])))
                if found_values.ndim == 1:
                    details[name][where] = found_values
                else:
                    details[name][where, :count] = found_values
    return result, details


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a @ b`` for a matrix and a matrix or vector, in one thread and a fixed order.

    Those of BLAS may differ with its threads, which cost more than they save at these sizes.
    """
    return np.asarray(np.einsum("sm,mt->st" if b.ndim == 2 else "sm,m->s", a, b))


def seeded(seed: Any) -> Callable[[int], np.random.Generator]:
    """A stream of random numbers for each number of segments, whatever the other samples."""
    if isinstance(seed, np.random.Generator):
        seed = int(seed.integers(2**63))
    key = whole("seed", seed, 0)
    return lambda count: np.random.Generator(np.random.Philox(np.random.SeedSequence([key, count])))
