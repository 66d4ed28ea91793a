"""Max and average pooling, forward and backward, over windows clipped to the image.

Families are made for a window size, so that the loops over whole windows unroll; windows cut by
the image's edge take the same code with their own sizes. A pixel is one vector of samples (or one
float of a single sample): from a pixel to the next is a constant in the code.

# c = channels, (oy, ox) = output position, (y, x) = input position
"""

from typing import Any

from backlit_kernels.finish import relu_rule
from backlit_kernels.kernel import helper
from backlit_kernels.lanes import for_lanes
from backlit_kernels.team import share
from backlit_kernels.vector import larger_of, select, splat


@helper
def whole_windows(
    out_width: int, image_width: int, columns: int, stride: int, left: int
) -> tuple[int, int]:
    """The range of a row's windows that no edge cuts."""
    first = min(-(-left // stride), out_width)
    end = min((image_width + left - columns) // stride + 1, out_width)
    return first, max(first, end)


@for_lanes
def max_pool(load: Any, store: Any, width: int, rows: int, columns: int) -> Any:
    @helper
    def window_maximum(arena: Any, start: int, h: int, w: int, pitch: int) -> Any:
        best = load(arena, start)
        for i in range(h):
            for j in range(w):
                best = larger_of(best, load(arena, start + i * pitch + j * width))
        return best

    def max_pool(
        arena: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
    ) -> None:
        """The maximum of each window; padding never wins. A NaN survives."""
        whole, end = whole_windows(out_width, image_width, columns, stride_x, left)
        for c in range(*share(team, channels)):
            for oy in range(out_height):
                y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - y
                a, b = (whole, end) if h == rows else (0, 0)
                source = x + c * plane + y * pitch
                target = out + c * out_plane + oy * out_pitch
                for ox in range(a, b):
                    at = source + (ox * stride_x - left) * width
                    best = window_maximum(arena, at, rows, columns, pitch)
                    store(arena, target + ox * width, best)
                for n in range(out_width - (b - a)):
                    ox = n if n < a else n + b - a
                    xx = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - xx
                    best = window_maximum(arena, source + xx * width, h, w, pitch)
                    store(arena, target + ox * width, best)

    return max_pool


@for_lanes
def max_pool_backward(load: Any, store: Any, width: int, rows: int, columns: int) -> Any:
    @helper
    def route(
        arena: Any,
        best: Any,
        gradient: Any,
        start: int,
        h: int,
        w: int,
        pitch: int,
        distance: int,
        accumulate: int,
    ) -> None:
        zero = splat(0.0)
        for i in range(h):
            for j in range(w):
                at = start + i * pitch + j * width
                here = load(arena, at) == best
                own = select(here, gradient, zero)
                gradient = select(here, zero, gradient)
                if accumulate != 0:
                    own = own + load(arena, at + distance)
                store(arena, at + distance, own)

    def max_pool_backward(
        arena: Any,
        team: Any,
        x: int,
        y: int,
        g: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
        accumulate: int,
        masked: int,
        rectified: int,
    ) -> None:
        """The gradient goes to the first maximum of a window in row-major order.

        With `accumulate` 0 the windows tile the image exactly; else `out` holds zeros or what is
        to be added to. `masked` and `rectified` apply a preceding ReLU's backward rule as well
        (see `relu_rule`): the maximum is its output.
        """
        distance = out - x
        whole, end = whole_windows(out_width, image_width, columns, stride_x, left)
        for c in range(*share(team, channels)):
            for oy in range(out_height):
                top_y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - top_y
                a, b = (whole, end) if h == rows else (0, 0)
                source = x + c * plane + top_y * pitch
                place = c * out_plane + oy * out_pitch
                for ox in range(a, b):
                    at = place + ox * width
                    best = load(arena, y + at)
                    gradient = relu_rule(load(arena, g + at), best > splat(0.0), masked, rectified)
                    at = source + (ox * stride_x - left) * width
                    route(arena, best, gradient, at, rows, columns, pitch, distance, accumulate)
                for n in range(out_width - (b - a)):
                    ox = n if n < a else n + b - a
                    left_x = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - left_x
                    at = place + ox * width
                    best = load(arena, y + at)
                    gradient = relu_rule(load(arena, g + at), best > splat(0.0), masked, rectified)
                    at = source + left_x * width
                    route(arena, best, gradient, at, h, w, pitch, distance, accumulate)

    return max_pool_backward


@helper
def window_size(
    position: int, stride: int, window: int, before: int, after: int, size: int, padded: int
) -> int:
    """How many entries an average divides by, along one axis."""
    start = position * stride - before
    if padded != 0:
        return min(start + window, size + after) - start
    return min(start + window, size) - max(start, 0)


@for_lanes
def average_pool(load: Any, store: Any, width: int) -> Any:
    def average_pool(
        arena: Any,
        team: Any,
        x: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        rows: int,
        columns: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
        bottom: int,
        right: int,
        padded: int,
    ) -> None:
        """The mean of each window; `padded`: the padding counts as zeros."""
        for c in range(*share(team, channels)):
            for oy in range(out_height):
                y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - y
                n_y = window_size(oy, stride_y, rows, top, bottom, height, padded)
                for ox in range(out_width):
                    xx = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - xx
                    n_x = window_size(ox, stride_x, columns, left, right, image_width, padded)
                    first = x + c * plane + y * pitch + xx * width
                    target = out + c * out_plane + oy * out_pitch + ox * width
                    part = splat(1.0 / (n_y * n_x))
                    total = splat(0.0)
                    for j in range(h):
                        # a sum of rows: one long sum of a large image would lose digits
                        row = splat(0.0)
                        for k in range(w):
                            row = row + load(arena, first + j * pitch + k * width)
                        total = total + row
                    store(arena, target, total * part)

    return average_pool


@for_lanes
def average_pool_backward(load: Any, store: Any, width: int) -> Any:
    def average_pool_backward(
        arena: Any,
        team: Any,
        g: int,
        out: int,
        channels: int,
        height: int,
        image_width: int,
        out_height: int,
        out_width: int,
        plane: int,
        pitch: int,
        out_plane: int,
        out_pitch: int,
        rows: int,
        columns: int,
        stride_y: int,
        stride_x: int,
        top: int,
        left: int,
        bottom: int,
        right: int,
        padded: int,
    ) -> None:
        """Each window's gradient is shared evenly and added to `out`."""
        for c in range(*share(team, channels)):
            for oy in range(out_height):
                y = max(oy * stride_y - top, 0)
                h = min(oy * stride_y - top + rows, height) - y
                n_y = window_size(oy, stride_y, rows, top, bottom, height, padded)
                for ox in range(out_width):
                    xx = max(ox * stride_x - left, 0)
                    w = min(ox * stride_x - left + columns, image_width) - xx
                    n_x = window_size(ox, stride_x, columns, left, right, image_width, padded)
                    first = out + c * plane + y * pitch + xx * width
                    source = g + c * out_plane + oy * out_pitch + ox * width
                    part = splat(1.0 / (n_y * n_x))
                    gradient = load(arena, source) * part
                    for j in range(h):
                        for k in range(w):
                            at = first + j * pitch + k * width
                            store(arena, at, load(arena, at) + gradient)

    return average_pool_backward
