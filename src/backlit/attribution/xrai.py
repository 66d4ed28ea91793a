"""XRAI: attributions gathered in regions of the image.

Kapishnikov et al., "XRAI: Better attributions through regions", 2019. The image is segmented at
several scales. From nothing on, the segment that brings the greatest mean attribution for the
pixels it adds is taken, until all are; pixels carry the mean that they came with.
"""

from typing import Any

import numpy as np

from backlit.arguments import not_finite
from backlit.attribution.by_segment import product
from backlit.attribution.call import Call
from backlit.attribution.integrated_gradients import integrated_gradients
from backlit.attribution.sample_axes import any_channels
from backlit.checks import finite_numbers
from backlit.images import as_three_axes
from backlit.model import Model

SCALES = (50, 100, 150, 250, 500, 1200)
SIDE = 224  # pixels of the picture that is segmented; other sizes below are for such a picture
LEAST_SEGMENT = 150
LEAST_ADDED = 50
DILATION = 5


@any_channels()
def xrai(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    attributions: Any = None,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """XRAI: the image's regions, ranked by the attribution they hold.

    Kapishnikov et al., "XRAI: Better attributions through regions", 2019. Follows PAIR's saliency
    package ("full"): Felzenszwalb's segments of the image at 224 x 224 pixels at six scales,
    dilated by 5 pixels; segments that would add fewer than 50 pixels are left out, and what no
    other covers is one region. For images of other sizes ours scales the dilation and the 50
    pixels, where PAIR's does not.

    Parameters
    ----------
    attributions : array of the shape of `X`, optional
        From any method, finite. Default: integrated gradients, averaged over two baselines, the
        least and the greatest value of each image.
    model, X, target, score, threads, progress, memory
        As for `backlit.saliency`.
    out : float32 array of the result's shape, optional

    Returns
    -------
    float32 array of shape (N, 1, height, width)

    Raises
    ------
    ImportError
        Without scikit-image: ``pip install 'backlit[segments]'``.
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    shape = call.samples.shape[1:]
    if len(shape) < 2:
        raise ValueError(f"X must be images, but a sample has shape {shape}")
    try:
        import skimage  # noqa: F401
    except ImportError as error:
        raise ImportError("xrai needs scikit-image: pip install 'backlit[segments]'") from error
    if not np.isfinite(call.samples).all():
        raise not_finite(call.samples)
    images = call.samples.reshape(-1, *as_three_axes(shape))
    result = call.result(len(images), 1, *images.shape[2:])
    if attributions is None:
        axes = tuple(range(1, len(shape) + 1))
        ends = [end(call.samples, axis=axes, keepdims=True) for end in (np.min, np.max)]
        attributions = integrated_gradients(
            model,
            call.samples,
            call.targets,
            baseline=[np.broadcast_to(end, call.samples.shape) for end in ends],
            score=score,
            threads=threads,
            progress=progress,
            memory=memory,
        )
    values = finite_numbers("attributions", attributions)
    if values.shape != call.samples.shape:
        raise ValueError(
            f"attributions must have the shape of X, {call.samples.shape}, got {values.shape}"
        )
    for number, (image, value) in enumerate(zip(images, values, strict=True)):
        strongest = value.reshape(image.shape).max(axis=0).astype(np.float64)
        result[number, 0] = gather(segment_masks(image), strongest)
    return result


def segment_masks(image: np.ndarray) -> np.ndarray:
    """The segments of an image (channels, height, width) at all scales: bools (M, H, W)."""
    from skimage.morphology import dilation, disk
    from skimage.segmentation import felzenszwalb
    from skimage.transform import resize

    _, height, width = image.shape
    low, high = image.min(), image.max()
    picture = 2 * (np.moveaxis(image, 0, -1) - low) / (high - low or 1) - 1
    picture = resize(picture.astype(np.float64), (SIDE, SIDE), order=3, mode="constant")
    rows, columns = (((np.arange(n) + 0.5) * SIDE / n).astype(int) for n in (height, width))
    footprint = disk(round(DILATION * np.sqrt(height * width) / SIDE))
    masks = []
    for scale in SCALES:
        segments = felzenszwalb(
            picture, scale=scale, sigma=0.8, min_size=LEAST_SEGMENT, channel_axis=-1
        )[np.ix_(rows, columns)]
        masks += [dilation(segments == n, footprint) for n in np.unique(segments)]
    return np.array(masks)


def gather(masks: np.ndarray, attribution: np.ndarray) -> np.ndarray:
    """The map (H, W): the greatest mean first, over what each segment adds to those before."""
    shape = attribution.shape
    values = attribution.reshape(-1)
    least = max(1, round(LEAST_ADDED * values.size / SIDE**2))
    adds = masks.reshape(len(masks), -1).copy()
    result = np.empty(values.size)
    left = np.ones(values.size, bool)
    while True:
        counts = adds.sum(axis=1)
        adds, counts = adds[counts >= least], counts[counts >= least]
        if not len(adds):
            break
        means = product(adds, values) / counts
        best = int(means.argmax())
        added = adds[best].copy()
        result[added] = means[best]
        left &= ~added
        adds &= ~added
    if left.any():
        result[left] = values[left].mean()
    return result.reshape(shape)
