"""What a comparison of two models' maps found, in words, whichever way the numbers come out."""

from typing import NamedTuple

import numpy as np

from backlit.metrics import Focus


class Summary(NamedTuple):
    """One model over a data set."""

    name: str
    accuracy: float
    wrong: int
    rate: float  # images a second
    focus: Focus
    concentration: np.ndarray


def describe(a: Summary, b: Summary, agreement: np.ndarray) -> list[str]:
    """Sentences on where two models look; differences are told from chance by their error.

    The samples are the same, so that differences are taken in pairs; a difference counts where
    it exceeds twice its standard error.
    """
    return [
        _accuracy(a, b),
        *(_against_chance(summary) for summary in (a, b)),
        _difference(a, b, "share of the map on the stroke", a.focus.share, b.focus.share),
        _difference(a, b, "concentration (Gini)", a.concentration, b.concentration),
        f"The two models' maps of one image have a rank correlation of {agreement.mean():.2f} on "
        f"average: they {_closeness(float(agreement.mean()))}.",
    ]


def _accuracy(a: Summary, b: Summary) -> str:
    better, other = sorted((a, b), key=lambda s: -s.accuracy)
    if better.wrong == other.wrong:
        return f"Both models are right on {a.accuracy:.2%} of the images."
    return (
        f"{better.name} is right on {better.accuracy:.2%} of the images, {other.name} on "
        f"{other.accuracy:.2%}."
    )


def _against_chance(summary: Summary) -> str:
    share, expected = summary.focus
    gap, error = mean_and_error(share - expected)
    start = (
        f"{summary.name} puts {share.mean():.1%} of its maps' mass on the strokes; a map spread "
        f"evenly would put {expected.mean():.1%} there"
    )
    if abs(gap) <= 2 * error:
        return f"{start}: no more and no less than chance."
    ratio = share.mean() / expected.mean()
    return f"{start}: {ratio:.2f} times {'as much' if ratio >= 1 else 'that, less than chance'}."


def _difference(a: Summary, b: Summary, what: str, x: np.ndarray, y: np.ndarray) -> str:
    gap, error = mean_and_error(y - x)
    if abs(gap) <= 2 * error:
        return f"In {what} the two do not differ ({x.mean():.3f} and {y.mean():.3f})."
    more, less = (b, a) if gap > 0 else (a, b)
    return (
        f"{more.name} has the higher {what}: {max(x.mean(), y.mean()):.3f} against "
        f"{min(x.mean(), y.mean()):.3f} of {less.name} "
        f"(difference {abs(gap):.3f} with a standard error of {error:.4f})."
    )


def _closeness(correlation: float) -> str:
    if correlation > 0.7:
        return "look at much the same pixels"
    if correlation > 0.3:
        return "share some pixels and differ in others"
    return "look at largely different pixels"


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """A mean and its standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.inf
    return float(values.mean()), float(error)
