"""Segments: which parts of an input are masked together."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backlit.checks import as_array, choice, whole
from backlit.images import as_three_axes


@dataclass(frozen=True)
class Segments:
    """Segment numbers of every pixel, from 0 on, for each sample or for all of them."""

    maps: np.ndarray  # int64, contiguous: (N, channels, height, width) or (1, ...)
    counts: np.ndarray  # int64: how many segments there are, (N,) or (1,)

    @property
    def per_sample(self) -> int:
        return int(len(self.maps) != 1)

    def chosen(self, index: np.ndarray | slice) -> "Segments":
        """Those of some of the samples."""
        return Segments(self.maps[index], self.counts[index]) if self.per_sample else self

    def groups(self, samples: int) -> list[tuple[int, np.ndarray]]:
        """Numbers of segments, each with the samples that have so many."""
        counts = np.broadcast_to(self.counts, (samples,))
        return [(int(n), np.flatnonzero(counts == n)) for n in np.unique(counts)]

    def paint(self, values: np.ndarray, out: np.ndarray) -> None:
        """Write to each pixel of `out` (n, ...) the value (n, count) of its segment."""
        numbers = self.maps.reshape(len(self.maps), -1)
        flat = out.reshape(len(out), prod(out.shape[1:]))
        if self.per_sample:
            flat[:] = np.take_along_axis(values, numbers, axis=1)
        else:
            flat[:] = values[:, numbers[0]]


def check_segments(segments: Any, samples: np.ndarray) -> Segments:
    """Segments as users give them.

    An int n is a grid of n x n (n runs for samples with one axis), or of as many as an axis has
    pixels; a tuple (rows, columns) is a grid, "slic" or "quickshift" a segmentation of each image
    by scikit-image; an integer array has the shape of a sample, of its last two axes, or of either
    of these with an entry for each sample; axes may have one entry that stands for all, and the
    first ones may be missing. Numbers in arrays may be any; segments are ordered by them.
    """
    shape = samples.shape[1:]
    if isinstance(segments, str):
        return _segmented(segments, samples)
    array = as_array("segments", segments)
    if isinstance(segments, tuple) or array.ndim == 0:
        return _number(_grid(segments, shape), 1, shape)
    if array.dtype.kind not in "iub":
        raise TypeError(f"segments must hold ints, not {array.dtype}")
    plane, count = shape[-2:], len(samples)
    if array.shape == shape == (count, *plane) and shape != plane and count > 1:
        raise ValueError(
            f"segments of shape {array.shape} may be those of one sample, or a plane for each of "
            f"{count}: give the shape {(1, *shape)} or {(count, 1, *plane)}"
        )
    if array.shape == plane:
        return _number(array, 1, shape)
    if array.shape == (count, *plane):
        return _number(array, count, shape)
    entries = array.shape[0] if array.ndim > len(shape) else 1
    own = zip(array.shape[::-1], shape[::-1], strict=False)
    if array.ndim <= len(shape) + 1 and entries in (1, count) and all(n in (1, s) for n, s in own):
        return _number(np.broadcast_to(array, (entries, *shape)), entries, shape)
    raise ValueError(
        f"segments must be an int, a tuple (rows, columns) or an array of shape {shape}, {plane}, "
        f"{samples.shape} or {(len(samples), *plane)}, got shape {array.shape}"
    )


def own_segments(samples: np.ndarray) -> Segments:
    """Every pixel of every channel a segment of its own."""
    shape = samples.shape[1:]
    return _number(np.arange(prod(shape)).reshape(shape), 1, shape)


def _grid(segments: Any, shape: tuple[int, ...]) -> np.ndarray:
    sizes = shape[-2:]
    parts = segments if isinstance(segments, tuple) else (segments,) * len(sizes)
    if len(parts) != len(sizes):
        raise ValueError(f"segments must give a number for each of {len(sizes)} axes: {segments}")
    numbers = np.zeros((), np.int64)
    for size, part in zip(sizes, parts, strict=True):
        if whole("segments", part, 1) > size and not isinstance(segments, tuple):
            part = size
        if part > size:
            raise ValueError(f"segments must not exceed the {size} pixels of an axis, got {part}")
        numbers = numbers[..., None] * part + np.arange(size) * part // size
    return numbers


def _number(array: np.ndarray, entries: int, shape: tuple[int, ...]) -> Segments:
    """Number the segments of each entry from 0 on, in order."""
    array = array.reshape(entries, array.size // max(entries, 1))
    maps = np.empty((entries, *as_three_axes(shape)), np.int64)
    counts = np.empty(entries, np.int64)
    for n, entry in enumerate(array):
        names, numbers = np.unique(entry, return_inverse=True)
        counts[n] = len(names)
        # (H, W) stands for all channels
        maps[n] = np.broadcast_to(numbers.reshape(-1, *maps.shape[2:]), maps.shape[1:])
    return Segments(maps, counts)


def _segmented(name: str, samples: np.ndarray) -> Segments:
    choice("segments", name, SEGMENTATIONS)
    try:
        import skimage.segmentation
    except ImportError as error:
        raise ImportError(
            f"segments={name!r} needs scikit-image: pip install 'backlit[segments]'"
        ) from error
    shape = samples.shape[1:]
    if len(shape) < 2:
        raise ValueError(f"segments={name!r} needs images, but a sample has shape {shape}")
    images = np.moveaxis(samples.reshape(-1, *as_three_axes(shape)), 1, -1)
    maps = [SEGMENTATIONS[name](skimage.segmentation, image) for image in images]
    return _number(np.array(maps, np.int64), len(samples), shape)


def _slic(library: Any, image: np.ndarray) -> np.ndarray:
    found: np.ndarray = library.slic(image, n_segments=50, compactness=0.1, channel_axis=-1)
    return found


def _quickshift(library: Any, image: np.ndarray) -> np.ndarray:
    # it takes three channels, and colours only where there are three
    colour = image.shape[-1] == 3
    picture = image if colour else np.repeat(image.mean(-1, keepdims=True), 3, axis=-1)
    kernel = max(1.0, min(image.shape[:2]) / 75)
    found: np.ndarray = library.quickshift(
        picture.astype(np.float64),
        kernel_size=kernel,
        max_dist=4 * kernel,
        ratio=0.5,
        convert2lab=colour,
    )
    return found


SEGMENTATIONS: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "slic": _slic,
    "quickshift": _quickshift,
}
