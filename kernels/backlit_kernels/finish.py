"""What is done to results as they are stored: additions, ReLUs and clips, their marks and rules."""

from typing import Any

from backlit_kernels.kernel import helper, pasted
from backlit_kernels.tile import (
    add_tile,
    mark_tile,
    mask_tile,
    rectify_tile,
    shifted_row,
    store_tile,
)
from backlit_kernels.vector import (
    LANES,
    NOWHERE,
    inside,
    load,
    load_marks,
    maximum,
    rectified,
    select,
    splat,
    store_mark,
    store_marks,
    store_one,
)

After = tuple[int, int, int, int, Any]  # initial, rectify, mark, mask, ceiling: as in `product`
RELU, CLIP = 1, 2  # values of `rectify`, beside 0 for neither; a ReLU's ceiling is infinity


@helper
def relu_rule(gradient: Any, positive: Any, masked: int, rectified: int) -> Any:
    """A gradient sent back through a ReLU whose output is positive where a mask holds.

    `masked` lets it pass there: the derivative. `rectified` lets positive gradients pass: the
    deconvnet. Both together are guided backpropagation.
    """
    zero = splat(0.0)
    if masked != 0:
        gradient = select(positive, gradient, zero)
    if rectified != 0:
        gradient = maximum(zero, gradient)
    return gradient


@helper
def finish_unmarked(value: Any, arena: Any, at: int, after: After) -> Any:
    """What the product does to a result as it is stored: see `initial` and what follows there."""
    initial, rectify, _, mask, high = after
    if initial != 0:
        value = value + load(arena, at + initial)
    if rectify != 0:
        value = rectified(value, high)
    if mask != NOWHERE:
        value = select(load_marks(arena, at + mask), value, splat(0.0))
    return value


@helper
def finish(value: Any, arena: Any, at: int, after: After) -> Any:
    """The same, with its marks."""
    value = finish_unmarked(value, arena, at, after)
    _, _, mark, _, high = after
    if mark != NOWHERE:
        store_marks(arena, at + mark, inside(value, high))
    return value


@helper
def store_finished(value: Any, arena: Any, at: int, after: After) -> None:
    """Store the first lane alone of a finished result, and its mark."""
    _, _, mark, _, high = after
    store_one(arena, at, value)
    if mark != NOWHERE:
        store_mark(arena, at + mark, inside(value, high))


@pasted
def finish_tile(tile: Any, arena: Any, at: int, row: int, step: int, after: After) -> Any:
    """What is done to results at the end, in tiles: see `initial` and what follows in `product`."""
    initial, rectify, mark, mask, high = after
    if initial != 0:
        tile = add_tile(tile, arena, at + initial, row, step)
    if rectify != 0:
        tile = rectify_tile(tile, high)
    if mark != NOWHERE:
        mark_tile(tile, arena, at + mark, row, step, high)
    if mask != NOWHERE:
        tile = mask_tile(tile, arena, at + mask, row, step)
    return tile


@pasted
def put_row(arena: Any, at: int, vectors: Any, shift: Any, after: After) -> None:
    """Write neighbouring vectors, each plus a shift and finished."""
    tile = finish_tile(shifted_row(vectors, shift), arena, at, 0, LANES, after)
    store_tile(tile, arena, at, 0, LANES)
