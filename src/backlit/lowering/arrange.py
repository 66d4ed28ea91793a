"""Operators that arrange, repeat or combine entries linearly, forward and backward."""

from dataclasses import replace

import numpy as np
from backlit_kernels import strided
from backlit_kernels.team import SMALL_ROOMS
from backlit_kernels.transposing import add_columns, transpose_matrices
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Buffer, Operand, Place
from backlit.layers import Flatten
from backlit.layout import Layout
from backlit.lowering.context import BACKWARD, FORWARD, Lowering, Patchwork
from backlit.lowering.strided import Loops, Steps, compact_steps, nest, start_of, steps_of
from backlit.operators import AxisMap, Concatenate, Constant, Reshape, Run, Transpose

LEAST_COLUMNS = 4  # to be added up by transposing them


def copy(
    lowering: Lowering,
    shape: tuple[int, ...],
    x: Place,
    x_steps: Steps,
    out: Place,
    out_steps: Steps,
    accumulate: bool = False,
) -> None:
    """Copy or add a tensor's entries from one grid to another."""
    loops = nest(shape, [x_steps, out_steps], lowering.lanes)
    if matrices := _matrices(loops, accumulate):
        if accumulate:
            room = lowering.tape.buffer(SMALL_ROOMS * LANES * LANES)
            lowering.tape.emit(add_columns, x=x, out=out, room=room, **matrices)
        else:
            lowering.tape.emit(transpose_matrices, x=x, out=out, **matrices)
        return
    lowering.tape.emit(
        strided.copy, x=x, out=out, run=loops.run, accumulate=int(accumulate), loops=loops.table
    )


def _matrices(loops: Loops, added_up: bool) -> dict[str, Operand] | None:
    """What a copy of single floats is, if it transposes large matrices, or adds up their rows."""
    extents, x_steps, out_steps = loops.table
    few = LEAST_COLUMNS if added_up else LANES
    rows = np.flatnonzero((extents >= LANES) & (out_steps == 1) & (x_steps != 1))
    columns = np.flatnonzero((extents >= few) & (x_steps == 1) & (out_steps != 1))
    if loops.run > 1 or not len(rows) or not len(columns):
        return None
    row, column = rows[0], columns[0]
    outer = np.delete(loops.table, [row, column], axis=1)
    repeated = ((outer[0] > 1) & (outer[2] == 0)).any()
    if added_up and (repeated or out_steps[column] != 0):
        return None
    found: dict[str, Operand] = {
        "rows": int(extents[row]),
        "columns": int(extents[column]),
        "x_row": int(x_steps[row]),
        "loops": outer,
    }
    return found if added_up else {**found, "out_row": int(out_steps[column])}


def entries(lowering: Lowering, tensor: int, buffer: Buffer, offset: int = 0) -> Place:
    return buffer.at(start_of(lowering.layouts[tensor]) + offset)


# --- reshaping ----------------------------------------------------------------------------------


def reshape(lowering: Lowering, x: Buffer, source: Layout, target: Layout) -> Buffer:
    """The same values in another shape; the same buffer where neither has a border."""
    if not source.has_border and not target.has_border:
        return x
    out = lowering.tape.buffer(target.size)
    if source.has_border and target.has_border:
        middle = lowering.tape.buffer(int(np.prod(source.shape)) * lowering.lanes)
        flat = compact_steps(source.shape, lowering.lanes)
        origin = x.at(start_of(source))
        copy(lowering, source.shape, origin, steps_of(source), middle.at(0), flat)
        flat = compact_steps(target.shape, lowering.lanes)
        copy(lowering, target.shape, middle.at(0), flat, out.at(start_of(target)), steps_of(target))
        return out
    shape = source.shape if source.has_border else target.shape
    flat = compact_steps(shape, lowering.lanes)
    copy(
        lowering,
        shape,
        x.at(start_of(source)),
        steps_of(source) if source.has_border else flat,
        out.at(start_of(target)),
        steps_of(target) if target.has_border else flat,
    )
    return out


def reshape_forward(lowering: Lowering, node: Node) -> None:
    x, y = node.inputs[0], node.output
    layouts = lowering.layouts
    out = reshape(lowering, lowering.activations[x], layouts[x], layouts[y])
    if out is not lowering.activations[x]:
        lowering.clear_border(y, out)
    lowering.activations[y] = out


def reshape_backward(lowering: Lowering, node: Node) -> None:
    x, y = node.inputs[0], node.output
    layouts = lowering.layouts
    out = reshape(lowering, lowering.gradients[y], layouts[y], layouts[x])
    if out is not lowering.gradients[y]:
        lowering.clear_border(x, out)
    lowering.share(x, out)


# --- transposing --------------------------------------------------------------------------------


def transpose_steps(lowering: Lowering, node: Node) -> tuple[Steps, Steps]:
    """Steps through input and output along the output's axes."""
    x, y = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]
    axes = node.layer.axes  # type: ignore[attr-defined]
    source = steps_of(x)
    return tuple(source[axis] for axis in axes), steps_of(y)


def transpose_forward(lowering: Lowering, node: Node) -> None:
    x, y = node.inputs[0], node.output
    x_steps, y_steps = transpose_steps(lowering, node)
    out = lowering.new_buffer(y)
    source = entries(lowering, x, lowering.activations[x])
    shape = lowering.layouts[y].shape
    copy(lowering, shape, source, x_steps, entries(lowering, y, out), y_steps)
    lowering.clear_border(y, out)
    lowering.activations[y] = out


def transpose_backward(lowering: Lowering, node: Node) -> None:
    x, y = node.inputs[0], node.output
    x_steps, y_steps = transpose_steps(lowering, node)

    def write(out: Buffer) -> None:
        g = entries(lowering, y, lowering.gradients[y])
        shape = lowering.layouts[y].shape
        copy(lowering, shape, g, y_steps, entries(lowering, x, out), x_steps)
        lowering.clear_border(x, out)

    lowering.contribute(x, write)


# --- concatenating ------------------------------------------------------------------------------


def pieces(lowering: Lowering, node: Node) -> list[tuple[int, int]]:
    """Each input, and where it begins in the output, in floats."""
    axis = node.layer.axis  # type: ignore[attr-defined]
    step = steps_of(lowering.layouts[node.output])[axis]
    sizes = [lowering.layouts[tensor].shape[axis] for tensor in node.inputs]
    starts = np.cumsum([0, *sizes[:-1]]) * step
    return list(zip(node.inputs, map(int, starts), strict=True))


def concatenate_forward(lowering: Lowering, node: Node) -> None:
    y = node.output
    out = lowering.new_buffer(y)
    steps = steps_of(lowering.layouts[y])
    for tensor, start in pieces(lowering, node):
        layout = lowering.layouts[tensor]
        source = entries(lowering, tensor, lowering.activations[tensor])
        target = entries(lowering, y, out, start)
        copy(lowering, layout.shape, source, steps_of(layout), target, steps)
    lowering.clear_border(y, out)
    lowering.activations[y] = out


def concatenate_backward(lowering: Lowering, node: Node) -> None:
    y = node.output
    steps = steps_of(lowering.layouts[y])
    for tensor, start in pieces(lowering, node):
        layout = lowering.layouts[tensor]

        def write(
            out: Buffer, tensor: int = tensor, start: int = start, layout: Layout = layout
        ) -> None:
            source = entries(lowering, y, lowering.gradients[y], start)
            target = entries(lowering, tensor, out)
            copy(lowering, layout.shape, source, steps, target, steps_of(layout))
            lowering.clear_border(tensor, out)

        lowering.contribute(tensor, write)


# --- sparse matrices along an axis ----------------------------------------------------------------


def emit_axis_map(
    lowering: Lowering, layer: AxisMap, x: int, y: int, source: Buffer, out: Buffer
) -> None:
    """From a buffer of tensor `x`'s layout to one of tensor `y`'s."""
    runs = layer.runs()
    if runs is None:
        _combine(lowering, layer, x, y, source, out)
    elif (layer.entries_of_rows != 1).any():
        lowering.fill_zero(out, lowering.layouts[y].size)
        _copy_runs(lowering, layer, runs, x, y, source, out)
        return
    else:
        _copy_runs(lowering, layer, runs, x, y, source, out)
    lowering.clear_border(y, out)


def _combine(
    lowering: Lowering, layer: AxisMap, x: int, y: int, source: Buffer, out: Buffer
) -> None:
    before, behind = lowering.layouts[x], lowering.layouts[y]
    a, b = steps_of(before), steps_of(behind)
    others = [i for i in range(len(before.shape)) if i != layer.axis]
    loops = nest(
        [before.shape[i] for i in others],
        [tuple(a[i] for i in others), tuple(b[i] for i in others)],
        lowering.lanes,
        loops=4,
    )
    lowering.tape.emit(
        strided.axis_map,
        x=entries(lowering, x, source),
        out=entries(lowering, y, out),
        run=loops.run,
        rows=len(layer.starts) - 1,
        starts=layer.starts,
        columns=layer.columns,
        weights=lowering.tape.constants.place(layer.weights),
        x_step=a[layer.axis],
        out_step=b[layer.axis],
        loops=loops.table,
    )


def _copy_runs(
    lowering: Lowering,
    layer: AxisMap,
    runs: list[Run],
    x: int,
    y: int,
    source: Buffer,
    out: Buffer,
) -> None:
    axis, add = layer.axis, bool((layer.entries_of_rows > 1).any())
    shape = lowering.layouts[x].shape
    a, b = (steps_of(lowering.layouts[tensor]) for tensor in (x, y))
    for run in runs:
        copy(
            lowering,
            (*shape[:axis], run.length, *shape[axis + 1 :]),
            entries(lowering, x, source, run.column * a[axis]),
            (*a[:axis], run.column_step * a[axis], *a[axis + 1 :]),
            entries(lowering, y, out, run.row * b[axis]),
            (*b[:axis], run.row_step * b[axis], *b[axis + 1 :]),
            add,
        )


def axis_map_forward(lowering: Lowering, node: Node) -> None:
    assert isinstance(node.layer, AxisMap)
    x, y = node.inputs[0], node.output
    out = lowering.new_buffer(y)
    emit_axis_map(lowering, node.layer, x, y, lowering.activations[x], out)
    lowering.activations[y] = out


def axis_map_backward(lowering: Lowering, node: Node) -> None:
    """Slices of one tensor write to one buffer, as long as they do not overlap."""
    assert isinstance(node.layer, AxisMap)
    x, y, layer = node.inputs[0], node.output, node.layer.transposed()
    g, runs, written = lowering.gradients[y], layer.runs(), layer.entries_of_rows
    known = lowering.patchworks.get(x)
    if (
        known is not None
        and known.buffer is lowering.gradients.get(x)
        and runs is not None
        and known.axis == layer.axis
        and (known.written + written).max() <= 1
    ):
        _copy_runs(lowering, layer, runs, y, x, g, known.buffer)
        lowering.patchworks[x] = replace(known, written=known.written + written)
        return
    alone = x not in lowering.gradients
    lowering.contribute(x, lambda out: emit_axis_map(lowering, layer, y, x, g, out))
    if alone and runs is not None and x in lowering.gradients:
        lowering.patchworks[x] = Patchwork(lowering.gradients[x], layer.axis, written)


# --- constants ------------------------------------------------------------------------------------


def constant_forward(lowering: Lowering, node: Node) -> None:
    """Written once, before the first tile."""
    assert isinstance(node.layer, Constant)
    y = node.output
    out = lowering.new_buffer(y)
    layout = lowering.layouts[y]
    values = lowering.tape.constants.place(node.layer.values)
    steps = compact_steps(layout.shape, 1)
    loops = nest(layout.shape, [steps, steps_of(layout)], 1)
    with lowering.tape.in_section("setup"):
        lowering.fill_zero(out, layout.size)
        lowering.tape.emit(
            strided.spread,
            values=values,
            out=entries(lowering, y, out),
            run=loops.run,
            lanes=lowering.lanes,
            loops=loops.table,
        )
    lowering.activations[y] = out


def constant_backward(lowering: Lowering, node: Node) -> None:
    """Nothing goes back to a constant."""


FORWARD[Flatten], BACKWARD[Flatten] = reshape_forward, reshape_backward
FORWARD[Reshape], BACKWARD[Reshape] = reshape_forward, reshape_backward
FORWARD[Transpose], BACKWARD[Transpose] = transpose_forward, transpose_backward
FORWARD[Concatenate], BACKWARD[Concatenate] = concatenate_forward, concatenate_backward
FORWARD[AxisMap], BACKWARD[AxisMap] = axis_map_forward, axis_map_backward
FORWARD[Constant], BACKWARD[Constant] = constant_forward, constant_backward
