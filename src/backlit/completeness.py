"""How far attributions are from adding up to what they share out: the completeness gap."""

from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.attribution.scores import scores_of
from backlit.baselines import check_baseline
from backlit.checks import finite_numbers
from backlit.model import Model


@any_channels()
def completeness_gap(
    model: Model,
    X: Any,
    attributions: Any,
    baseline: Any = 0.0,
    target: Any = None,
    *,
    score: str = "logit",
    threads: int | None = None,
) -> np.ndarray:
    """Sum of the attributions minus (score(x) - score(baseline)), for each sample.

    Parameters
    ----------
    model, X, target, score, threads
        As for `backlit.saliency`; a `target` of None is the class predicted for `X`.
    attributions : array of N entries
    baseline : number, array of a sample's shape, or array of the shape of `X`

    Returns
    -------
    float64 array of shape (N,)

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for attributions that are not finite.
    """
    call = Call(model, X, target, score, threads, False, None, None)
    values = finite_numbers("attributions", attributions).astype(np.float64)
    if values.shape[:1] != call.samples.shape[:1]:
        raise ValueError(
            f"attributions must have {len(call.samples)} entries, one a sample, "
            f"got shape {values.shape}"
        )
    base = check_baseline(baseline, call.samples, model.input_shape).values
    logits = call.logits(call.samples)
    targets = model._targets(logits) if call.targets is None else call.targets
    reference = call.logits(base)
    difference = scores_of(model, logits, targets, score) - scores_of(
        model, np.broadcast_to(reference, logits.shape), targets, score
    )
    return values.sum(axis=tuple(range(1, values.ndim))) - difference
