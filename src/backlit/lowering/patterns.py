"""The first layers of masked samples by table: an entry sees few segments, so few patterns of them.

Segments that are seen together get different colours. Masks that keep the segments of some colours
and replace the others then show each entry every pattern of its segments: with c colours, 2^c of
them. What the first layers make of these is a table, from which any mask's tensor is put together:
each entry is taken from the pattern that agrees with the mask on the segments it sees.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from backlit.graph import Graph
from backlit.lowering.changed_regions import Stage, next_stage

MOST_COLOURS = 4
TABLE_BYTES = 32 * 1024 * 1024  # of a tile's table
FEWEST_USES = 2  # masks for each pattern, from which on a table is worth making
WINDOW_ENTRIES = 1 << 22  # pixels of all windows that are looked at


@dataclass(frozen=True)
class Patterns:
    """How masks are put together from patterns.

    Attributes
    ----------
    tensor : int
        What is taken from the table.
    masks : float32 array (2^colours, segments)
        The masks that show all patterns.
    choice : int64 array (M, rows * columns)
        Of each mask and each entry of the tensor's image, the number of its pattern.
    """

    tensor: int
    masks: np.ndarray
    choice: np.ndarray


def find_patterns(
    graph: Graph, lanes: int, segments: np.ndarray, masks: np.ndarray
) -> Patterns | None:
    """Patterns for the deepest tensor that they pay for, if there is one.

    `segments` (channels, height, width) are those of all samples, `masks` (M, count) hold zeros and
    ones; a tile has `lanes` samples.
    """
    if len(graph.shapes[0]) != 3 or not ((masks == 0) | (masks == 1)).all():
        return None
    for tensor, seen in reversed(list(seen_segments(graph, segments))):
        colours = colour(seen, masks.shape[1])
        count = int(colours.max()) + 1
        size = lanes * 4 * prod(graph.shapes[tensor]) << count
        if count <= MOST_COLOURS and FEWEST_USES << count <= len(masks) and size <= TABLE_BYTES:
            break
    else:
        return None
    shown = np.arange(1 << count)[:, None] >> colours & 1
    bits = np.zeros((len(masks), masks.shape[1] + 1), np.int64)  # the last stands for -1
    bits[:, :-1] = (masks > 0).astype(np.int64) << colours
    choice = np.zeros((len(masks), len(seen)), np.int64)
    for column in seen.T:
        choice |= np.take(bits, column, axis=1, mode="wrap")
    return Patterns(tensor, shown.astype(np.float32), choice)


def seen_segments(graph: Graph, segments: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Tensors along the first stages, and which segments each entry of their images sees.

    An array (rows * columns, most) of different segment numbers, filled up with -1; up to the
    tensor of which an entry sees more than can be coloured.
    """
    window, stride, padding = np.array([1, 1]), np.array([1, 1]), np.array([0, 0])
    tensor = 0
    stage: Stage | None
    while (stage := next_stage(graph, tensor)) is not None:
        tensor = stage.output
        padding = padding + stage.padding * stride
        window = window + (np.array(stage.window) - 1) * stride
        stride = stride * stage.stride
        rows, columns = graph.shapes[tensor][1:]
        if rows * columns * len(segments) * prod(window) > WINDOW_ENTRIES:
            return
        middle = seen_in_windows(segments, ([rows // 2], [columns // 2]), window, stride, padding)
        if middle.shape[1] > MOST_COLOURS:
            return
        everywhere = np.arange(rows), np.arange(columns)
        seen = seen_in_windows(segments, everywhere, window, stride, padding)
        if seen.shape[1] > MOST_COLOURS:
            return
        yield tensor, seen


def seen_in_windows(
    segments: np.ndarray,
    entries: tuple[Any, Any],
    window: np.ndarray,
    stride: np.ndarray,
    padding: np.ndarray,
) -> np.ndarray:
    """Different segment numbers in the windows of entries (rows, columns), filled up with -1."""
    places = [
        np.array(at)[:, None] * s + np.arange(w) - p
        for at, s, w, p in zip(entries, stride, window, padding, strict=True)
    ]
    y, x = (np.clip(at, -1, n) + 1 for at, n in zip(places, segments.shape[1:], strict=True))
    padded = np.pad(segments, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    seen = padded[:, y[:, None, :, None], x[None, :, None, :]]
    seen = np.sort(seen.transpose(1, 2, 0, 3, 4).reshape(len(y) * len(x), -1), axis=1)
    seen[:, 1:][seen[:, 1:] == seen[:, :-1]] = -1
    seen = -np.sort(-seen, axis=1)
    return seen[:, : int((seen >= 0).sum(axis=1).max())]


def colour(seen: np.ndarray, count: int) -> np.ndarray:
    """A number for each segment, such that segments that are seen together have different ones."""
    together = np.zeros((count + 1, count + 1), bool)  # the last stands for -1
    for column in range(1, seen.shape[1]):
        together[seen[:, :-column].ravel(), seen[:, column:].ravel()] = True
    together |= together.T
    colours = np.full(count, -1)
    for n in range(count):
        taken = set(colours[together[n, :-1]].tolist())
        colours[n] = next(c for c in range(count) if c not in taken)
    return colours
