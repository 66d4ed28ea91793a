"""Occlusion: how much the score falls when a window is covered.

Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014.
"""

from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.masked_probes import Span
from backlit.attribution.masked_scores import box_scores
from backlit.attribution.sample_axes import any_channels
from backlit.baselines import check_baseline
from backlit.checks import whole
from backlit.images import as_three_axes
from backlit.model import Model


@any_channels(pictures=True)
def occlusion(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    window: int | tuple[int, ...] = 4,
    stride: int | tuple[int, ...] | None = None,
    fill: Any = 0.0,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """How much the score falls when a sliding window covers part of the input.

    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014. A window's
    value is ``score(x) - score(x with the window replaced by fill)``, as in Captum's
    `Occlusion`. Each pixel gets the mean of the windows that cover it: overlaps are averaged, where
    PAIR's saliency adds them up. Windows begin at multiples of the stride; the last one along an
    axis is cut off where it would reach past the end.

    Parameters
    ----------
    model, X, target
        As for `backlit.saliency`. With `target` None the class is the one predicted for the
        uncovered input.
    window : int or tuple of ints
        The window's size along the last axes of a sample, at least 1 and at most theirs. An int is
        the size along the last two (or the only one). All of the axes before are covered at once:
        windows of images reach through all channels, unless a tuple of three gives their number.
        (Sizes are in the order of a sample's axes; a tuple of two is rows and columns also where
        channels are last.) Of signals, (channels, length), an int is the length, and all channels
        are covered.
    stride : int or tuple of ints, optional
        The distance of windows, as `window` gives their size; along axes that it does not name it
        is the window's size. So windows tile the input by default (in Captum they move by 1). At
        most the window's size.
    fill : number, array of a sample's shape, or array of the shape of `X`
        What covers a window.
    score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    shape = as_three_axes(call.samples.shape[1:])
    axes = call.samples.ndim - 1
    windows = _sizes("window", window, axes, shape)
    strides = windows if stride is None else _sizes("stride", stride, axes, windows)
    if any(s > w for s, w in zip(strides, windows, strict=True)):
        raise ValueError(f"stride must not exceed the window, {window}, got {stride}")
    for size, length in zip(windows, shape, strict=True):
        if size > length:
            raise ValueError(f"window must fit into a sample, {call.samples.shape[1:]}: {window}")
    baseline = check_baseline(fill, call.samples, model.input_shape, "fill")
    result = call.result()
    spans = tuple(_spans(*axis) for axis in zip(shape, windows, strides, strict=True))
    means = [_means(span, size) for span, size in zip(spans, shape, strict=True)]
    counts = [len(span) for span in spans]
    for index, scores, full in box_scores(call, baseline, spans):
        # windows along one axis do not depend on the others: means may be taken axis by axis;
        # products are those of single samples, whose bits do not depend on how many there are
        falls = full[:, None].astype(np.float64) - scores
        maps = means[1] @ falls.reshape(-1, *counts) @ means[2].T
        maps = means[0] @ maps.reshape(len(falls), counts[0], -1)
        result[index] = maps.reshape(result[index].shape)
    return result


def _sizes(name: str, value: Any, axes: int, usual: tuple[int, ...]) -> tuple[int, int, int]:
    """Sizes along channels, rows and columns; the usual ones along the first, if not given."""
    given = value if isinstance(value, tuple) else (value,) * min(axes, 2)
    if isinstance(value, list) or not 1 <= len(given) <= min(axes, 3):
        raise ValueError(
            f"{name} must be an int or a tuple for the last of a sample's {axes} axes, got {value}"
        )
    sizes = tuple(whole(name, size, 1) for size in given)
    first, second, third = usual[: 3 - len(sizes)] + sizes
    return first, second, third


def _spans(length: int, window: int, stride: int) -> Span:
    """Where windows along an axis begin and end, up to the first that reaches the axis' end."""
    begins = range(0, -(-(length - window) // stride) * stride + 1, stride)
    return tuple((begin, min(begin + window, length)) for begin in begins)


def _means(spans: Span, length: int) -> np.ndarray:
    """The matrix that takes windows' values to pixels: the mean of those that cover each."""
    pixel = np.arange(length)[:, None]
    begins, ends = np.array(spans).T
    covers = (begins <= pixel) & (pixel < ends)
    return np.asarray(covers / covers.sum(axis=1, keepdims=True))
