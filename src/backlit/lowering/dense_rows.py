"""Dense layers along the last of several axes."""

import numpy as np
from backlit_kernels.dense_rows import dense_rows
from backlit_kernels.matrices import tile_shape
from backlit_kernels.team import SMALL_ROOMS
from backlit_kernels.vector import LANES, NOWHERE

from backlit.instructions import Buffer
from backlit.lowering.arrange import entries
from backlit.lowering.context import Lowering
from backlit.lowering.fusing import Finish
from backlit.lowering.products import Positions, Weights, count_pieces, emit_product
from backlit.lowering.strided import nest, steps_of


def emit_rows(
    lowering: Lowering,
    x: int,
    y: int,
    source: Buffer,
    out: Buffer,
    matrix: np.ndarray,
    bias: np.ndarray | None,
    finish: Finish,
) -> None:
    """``out = source @ matrix + bias``, from a buffer of tensor `x`'s layout to one of `y`'s."""
    before, behind = lowering.layouts[x], lowering.layouts[y]
    steps = [steps_of(layout)[:-1] for layout in (before, behind)]
    rows = nest(behind.shape[:-1], steps, lowering.lanes, loops=2, run_axes=False)
    extents, x_steps, out_steps = rows.table[:, :2].tolist()
    place, target = entries(lowering, x, source), entries(lowering, y, out)
    if lowering.lanes > 1:
        positions = Positions(
            runs=extents[0],
            length=extents[1],
            last=extents[1],
            x_step=x_steps[1],
            out_step=out_steps[1],
            out_channel=lowering.lanes,
            x_run=x_steps[0],
            out_run=out_steps[0],
        )
        weights = Weights(lowering, matrix.T[None], bias)
        offsets = np.arange(len(matrix)) * lowering.lanes
        for lane in range(0, lowering.lanes, LANES):
            own = place.at(lane), target.at(lane), weights, offsets, positions, finish
            emit_product(lowering, *own, aligned=True)
    else:
        depth, outputs = matrix.shape
        shape = tile_shape(extents[1], max(outputs // LANES, 1), packed=True)
        width = shape[1] * LANES
        padded = np.zeros(max(outputs, LANES), np.float32)
        if bias is not None:
            padded[:outputs] = bias
        lowering.tape.emit(
            dense_rows(*shape),
            out=target,
            x=place,
            weights=place_panels(lowering, matrix, max(outputs, LANES), width),
            bias=NOWHERE if bias is None else lowering.tape.constants.place(padded),
            depth=depth,
            pieces=count_pieces(depth),
            room=lowering.tape.buffer(SMALL_ROOMS * shape[0] * width),
            outputs=outputs,
            height=extents[1],
            x_row=x_steps[1],
            out_row=out_steps[1],
            matrices=extents[0],
            x_matrix=x_steps[0],
            out_matrix=out_steps[0],
            **vars(finish),
        )
    lowering.clear_border(y, out)


def place_panels(lowering: Lowering, matrix: np.ndarray, padded: int, width: int) -> int:
    """A matrix of so many columns, `padded` with zeros, as panels that follow one another.

    The last panel begins early enough to be whole.
    """

    def panels() -> np.ndarray:
        starts = [min(start, padded - width) for start in range(0, padded, width)]
        found = np.zeros((len(starts), len(matrix), width), np.float32)
        for panel, start in zip(found, starts, strict=True):
            part = matrix[:, start : start + width]
            panel[:, : part.shape[1]] = part
        return found

    return lowering.tape.constants.derived(matrix, ("panels", padded, width), panels)
