"""How far attributions are from adding up to what they share out: the completeness gap."""

from typing import Any

import numpy as np

from backlit.arguments import finite_numbers
from backlit.attribution.axes import any_channels
from backlit.attribution.call import Call
from backlit.baselines import check_baseline
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
    logits = model.logits(call.samples, threads=threads)
    targets = model._targets(logits) if call.targets is None else call.targets
    reference = model.logits(base, threads=threads)
    difference = scores_of(model, logits, targets, score) - scores_of(
        model, np.broadcast_to(reference, logits.shape), targets, score
    )
    return values.sum(axis=tuple(range(1, values.ndim))) - difference


def scores_of(model: Model, logits: np.ndarray, targets: np.ndarray, score: str) -> np.ndarray:
    """The targets' scores, in float64."""
    z = logits.astype(np.float64)
    if model.outputs == "binary":
        own = np.where(targets == 1, z[:, 0], -z[:, 0])
    else:
        own = np.take_along_axis(z, targets[:, None], axis=1)[:, 0]
    if score == "logit":
        return own
    if model.outputs in ("binary", "labels"):
        log_probability = -np.logaddexp(0, -own)
    else:
        top = z.max(axis=1)
        log_probability = own - top - np.log(np.exp(z - top[:, None]).sum(axis=1))
    if score == "log_probability":
        return log_probability
    return np.exp(log_probability) if score == "probability" else -log_probability
