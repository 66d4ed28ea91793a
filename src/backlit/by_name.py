"""Methods by name: the table, and one function that calls them all."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from backlit.arguments import finite_numbers
from backlit.attribution.axes import any_channels
from backlit.attribution.registry import METHODS
from backlit.baselines import check_baseline
from backlit.model import Model


def methods() -> dict[str, str]:
    """The attribution methods by name, with a line on each."""
    return {name: entry.summary for name, entry in sorted(METHODS.items())}


def find_method(name: str) -> Callable[..., Any]:
    """A method by its name or another name that people know it by.

    Case, spaces, dashes and underscores do not matter; "++" is "plus plus".

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    wanted = _plain(name)
    for own, entry in METHODS.items():
        if wanted in map(_plain, (own, *entry.aliases)):
            found: Callable[..., Any] = getattr(
                import_module(f"backlit.attribution.{entry.module}"), own
            )
            return found
    raise ValueError(f"method must be one of {', '.join(methods())}, got {name!r}")


def attribute(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    method: str = "integrated_gradients",
    **options: Any,
) -> Any:
    """Call a method by name.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`.
    method : str
        A name that `backlit.methods` lists, or another one the method is known by: "ig",
        "gradientshap", ...
    **options
        The method's own arguments, and the common ones.

    Returns
    -------
    What the method returns.

    Raises
    ------
    ValueError
        For a name that no method has, and whatever the method refuses.
    TypeError
        For arguments that the method does not take.
    """
    return find_method(method)(model, X, target, **options)


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
    from backlit.attribution.call import Call

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
    difference = _score(model, logits, targets, score) - _score(
        model, np.broadcast_to(reference, logits.shape), targets, score
    )
    return values.sum(axis=tuple(range(1, values.ndim))) - difference


def _score(model: Model, logits: np.ndarray, targets: np.ndarray, score: str) -> np.ndarray:
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


def _plain(name: str) -> str:
    return "".join(c for c in str(name).lower().replace("+", "plus") if c.isalnum())
