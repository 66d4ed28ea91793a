"""The score that is explained, of logits that are known."""

import numpy as np

from backlit.model import Model


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
