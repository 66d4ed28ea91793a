"""What a comparison of two models' maps found, in words, whichever way the numbers come out."""

from typing import NamedTuple

import numpy as np

from backlit.metrics import Focus

NORMAL = 1.96  # standard errors on each side of a mean hold it with 95 %


class Summary(NamedTuple):
    """One model over a data set of N samples."""

    name: str
    right: np.ndarray  # bool (N,): whether the prediction is the label
    rate: float  # images a second
    focus: Focus
    concentration: np.ndarray  # float64 (N,)

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    @property
    def wrong(self) -> int:
        return int((~self.right).sum())


class Interval(NamedTuple):
    """A mean and the bounds that hold it with 95 %."""

    mean: float
    low: float
    high: float

    @property
    def tells(self) -> bool:
        """Whether the data tell the mean from 0."""
        return self.low > 0 or self.high < 0


def interval(values: np.ndarray) -> Interval:
    """The mean of independent values and its normal 95 % confidence interval."""
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, -np.inf, np.inf)
    margin = NORMAL * float(values.std(ddof=1)) / np.sqrt(len(values))
    return Interval(mean, mean - margin, mean + margin)


def describe(a: Summary, b: Summary, agreement: np.ndarray) -> list[str]:
    """Sentences on where two models look.

    Both saw the same samples, so differences are taken sample by sample, and one is claimed only
    where the 95 % confidence interval of its mean leaves out 0.
    """
    return [
        _difference("is right on more of the images", a, b, a.right, b.right),
        *(_against_chance(summary) for summary in (a, b)),
        _difference(
            "puts more of its maps' mass on the strokes", a, b, a.focus.share, b.focus.share
        ),
        _difference(
            "has the more concentrated maps (Gini)",
            a,
            b,
            a.concentration,
            b.concentration,
            percent=False,
        ),
        f"The two models' maps of one image have a rank correlation of {agreement.mean():.2f} on "
        f"average: they {_closeness(float(agreement.mean()))}.",
    ]


def _against_chance(summary: Summary) -> str:
    share, expected = summary.focus
    gap = interval(share - expected)
    start = (
        f"{summary.name} puts {share.mean():.1%} of its maps' mass on the strokes; a map spread "
        f"evenly would put {expected.mean():.1%} there"
    )
    if not gap.tells:
        return f"{start}: these images cannot tell that from chance."
    ratio = share.mean() / expected.mean()
    return f"{start}: {ratio:.2f} times as much{', less than chance' if gap.mean < 0 else ''}."


def _difference(
    claim: str, a: Summary, b: Summary, x: np.ndarray, y: np.ndarray, *, percent: bool = True
) -> str:
    """Which model the claim holds for, or that the data do not tell."""
    gap = interval(y.astype(np.float64) - x)
    scale, digits, sign, unit = (100, 1, "%", " points") if percent else (1, 3, "", "")
    form = f".{digits}f"
    rounded = {s.name: round(scale * float(v.mean()), digits) for s, v in ((a, x), (b, y))}
    means = {name: f"{mean:{form}}{sign}" for name, mean in rounded.items()}
    if not gap.tells:
        both = " or ".join(f"{name} ({mean})" for name, mean in means.items())
        return f"These images do not tell which {claim}: {both}."
    more, less = (b, a) if gap.mean > 0 else (a, b)
    difference = abs(rounded[more.name] - rounded[less.name])  # of the numbers that are shown
    low, high = sorted(abs(scale * bound) for bound in (gap.low, gap.high))
    return (
        f"{more.name} {claim}: {means[more.name]} against {means[less.name]} of {less.name}, "
        f"{difference:{form}}{unit} more (95 % interval {low:{form}} to {high:{form}})."
    )


def _closeness(correlation: float) -> str:
    if correlation > 0.7:
        return "look at much the same pixels"
    if correlation > 0.3:
        return "share some pixels and differ in others"
    return "look at largely different pixels"
