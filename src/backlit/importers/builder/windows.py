"""Where the windows of convolutions, poolings and patches lie along an axis.

A window is the range of its places; those below 0, or beyond the axis' extent, are padding.
"""

from collections.abc import Iterable, Sequence

from backlit.importers.builder.shapes import Row


def windows_along(
    extent: int,
    size: int,
    stride: int,
    before: int = 0,
    after: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> list[range]:
    """The windows along an axis with so much padding before and after."""
    reach = (size - 1) * dilation + 1
    room = extent + before + after - reach
    count = room // stride + 1
    # a last window that is cut short must still begin inside the image or before it
    if ceil_mode and room % stride:
        count += count * stride < extent + before
    firsts = [place * stride - before for place in range(count)]
    return [range(first, first + reach, dilation) for first in firsts]


def image_windows(
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int] = (1, 1),
    ceil_mode: bool = False,
) -> list[list[range]]:
    """The windows along each axis of an image; padding is (before ..., after ...)."""
    axes = len(size)
    return [
        windows_along(
            extents[axis],
            size[axis],
            stride[axis],
            padding[axis],
            padding[axis + axes],
            dilation[axis],
            ceil_mode,
        )
        for axis in range(axes)
    ]


def places_within(window: range, extent: int) -> list[int]:
    """The places of a window that are not padding."""
    return [place for place in window if 0 <= place < extent]


def sum_rows(windows: Iterable[range], extent: int) -> list[Row]:
    """For each window the (place, weight) entries of its sum."""
    return [[(place, 1.0) for place in places_within(window, extent)] for window in windows]


def mean_rows(windows: Iterable[range], extent: int, after: int | None = None) -> list[Row]:
    """For each window the (place, weight) entries of its mean.

    Padding counts as zeros if it is said how much there is `after`, and else not at all.
    """
    rows = []
    for window in windows:
        inside = places_within(window, extent)
        count = len(inside) if after is None else sum(place < extent + after for place in window)
        rows.append([(place, 1 / count) for place in inside])
    return rows


def same_padding(
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    *,
    odd_after: bool = True,
) -> list[int]:
    """(before ..., after ...), with which a stride s makes ceil(n / s) windows of an extent n."""
    totals = [
        max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        for n, k, s, d in zip(extents, size, stride, dilation, strict=True)
    ]
    return halves(totals, odd_after=odd_after)


def halves(totals: Sequence[int], *, odd_after: bool) -> list[int]:
    """Split into (before ..., after ...); where a total is odd, one of the two has one more."""
    before = [total // 2 if odd_after else total - total // 2 for total in totals]
    return before + [total - b for total, b in zip(totals, before, strict=True)]
