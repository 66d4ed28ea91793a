"""LIME: a linear model of the score around a sample.

Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016. Random coalitions z of segments are
kept, the others replaced; a weighted linear regression of the score on z, nearer coalitions
weighing more, gives each segment its coefficient.
"""

from typing import Any

import numpy as np

from backlit.attribution.by_segment import (
    Fold,
    Plan,
    explain_segments,
    inverse,
    masks_apart,
    own_seed,
    product,
    random_stream,
    remembered,
)
from backlit.attribution.call import Call
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_baseline
from backlit.checks import choice, number, whole
from backlit.model import Model
from backlit.segments import check_segments
from backlit.streams import check_seed


@any_channels(pictures=True)
def lime(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    segments: Any = 7,
    baseline: Any = 0.0,
    samples: int = 1000,
    kernel_width: float = 0.25,
    regression: str = "ridge",
    alpha: float | None = None,
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
    """Coefficients of a weighted linear regression of the score on which segments are kept.

    Ribeiro, Singh and Guestrin, "Why should I trust you?", 2016. Sampling, weights and ridge
    regression follow the `lime` package (Captum's `Lime` differs in each): a coalition keeps each
    segment with probability 1/2, the first keeps all; its weight is
    ``sqrt(exp(-d**2 / kernel_width**2))``, d being the cosine distance to the full coalition. The
    same coalitions serve all samples with as many segments.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`; None is the class predicted for the input itself.
    segments, baseline, masks, per_segment
        As for `backlit.kernel_shap`. (Unless told its ``hide_color``, the `lime` package replaces
        segments by their mean colours, which may be given here as a baseline.)
    samples : int
        The number of coalitions, at least 2.
    kernel_width : float
        How slowly weights fall with a coalition's distance to the full one; positive.
    regression : {"ridge", "lasso"}
        "lasso" needs scikit-learn.
    alpha : float, optional
        Strength of the penalty, not negative; by default 1 for ridge and 0.01 for lasso.
    seed : int or numpy.random.Generator
        Coalitions are a function of the seed and the number of segments, if `masks` are shared.
    return_details : bool
        Whether to return a dict as well: "intercept" and "r2" (N,), the weighted coefficient of
        determination on the coalitions.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, or (N, S), signed; with details if asked for

    Raises
    ------
    ImportError
        For "lasso" without scikit-learn: ``pip install 'backlit[sklearn]'``.
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    parts = check_segments(segments, call.samples)
    base = check_baseline(baseline, call.samples, model.input_shape)
    samples = whole("samples", samples, 2)
    if number("kernel_width", kernel_width) <= 0:
        raise ValueError(f"kernel_width must be positive, got {kernel_width}")
    choice("regression", regression, ("ridge", "lasso"))
    if alpha is None:
        alpha = 1.0 if regression == "ridge" else 0.01
    if number("alpha", alpha) < 0:
        raise ValueError(f"alpha must not be negative, got {alpha}")
    key = check_seed(seed)

    def plan_for(sample: np.ndarray | None) -> Plan:
        own, fit = own_seed(sample), (kernel_width, regression, alpha, return_details)
        return lambda count: sampled_plan(key, own, count, samples, *fit)

    apart = plan_for if masks_apart(masks, segments) else None
    values, details = explain_segments(
        call, parts, plan_for(None), [base], per_segment, apart=apart
    )
    return (values, details) if return_details else values


@remembered
def sampled_plan(
    seed: int,
    own: int | None,
    count: int,
    samples: int,
    kernel_width: float,
    regression: str,
    alpha: float,
    detailed: bool,
) -> tuple[np.ndarray, Fold]:
    """The masks of `count` segments, the full one first, and the regression on their scores."""
    kept = random_stream(seed, own, count).integers(0, 2, (samples, count)).astype(np.float64)
    kept[0] = 1
    fit = ridge_fold if regression == "ridge" else lasso_fold
    return kept, fit(kept, proximity(kept, kernel_width), alpha, detailed)


def proximity(kept: np.ndarray, kernel_width: float) -> np.ndarray:
    """The weights of coalitions, by their cosine distance to the full one."""
    distance = 1 - np.sqrt(kept.mean(axis=1))
    with np.errstate(over="ignore"):  # of a very narrow kernel
        return np.exp(-0.5 * (distance / kernel_width) ** 2)


def ridge_fold(kept: np.ndarray, weights: np.ndarray, alpha: float, detailed: bool) -> Fold:
    """Weighted least squares with intercept, plus alpha times the squared coefficients.

    The solution is linear in the scores: its matrix is worked out once.
    """
    mean = product(np.ascontiguousarray(kept.T), weights) / weights.sum()
    centred = kept - mean
    weighted = (centred * weights[:, None]).T
    gram = product(weighted, centred) + alpha * np.eye(kept.shape[1])
    try:
        # without a penalty, or a tiny one, too few coalitions leave the matrix singular
        inverted = inverse(gram) if alpha > 0 else np.linalg.pinv(gram, hermitian=True)
    except np.linalg.LinAlgError:
        inverted = np.linalg.pinv(gram, hermitian=True)
    solve = product(inverted, weighted)

    def fold(y: np.ndarray, full: float) -> dict[str, Any]:
        average = product(weights, y) / weights.sum()
        values = product(solve, y - average)
        if not detailed:
            return {"values": values}
        return _details(kept, weights, y, values, average - product(mean, values))

    return fold


def lasso_fold(kept: np.ndarray, weights: np.ndarray, alpha: float, detailed: bool) -> Fold:
    """Weighted least squares plus alpha times the absolute coefficients, by scikit-learn."""
    try:
        from sklearn.linear_model import Lasso
    except ImportError as error:
        raise ImportError(
            "regression='lasso' needs scikit-learn: pip install 'backlit[sklearn]'"
        ) from error

    def fold(y: np.ndarray, full: float) -> dict[str, Any]:
        fitted = Lasso(alpha=alpha).fit(kept, y, sample_weight=weights)
        if not detailed:
            return {"values": fitted.coef_}
        return _details(kept, weights, y, fitted.coef_, fitted.intercept_)

    return fold


def _details(
    kept: np.ndarray, weights: np.ndarray, y: np.ndarray, values: np.ndarray, intercept: float
) -> dict[str, Any]:
    residual = y - product(kept, values) - intercept
    spread = y - product(weights, y) / weights.sum()
    total = product(weights, spread**2)
    r2 = 1 - product(weights, residual**2) / total if total > 0 else 1.0
    return {"values": values, "intercept": intercept, "r2": r2}
