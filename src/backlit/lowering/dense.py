"""Dense layers, forward and backward, as products."""

import numpy as np
from backlit_kernels.matrix_vector_back import matrix_vector_back
from backlit_kernels.prefetch import AHEAD
from backlit_kernels.product import matrix_vector
from backlit_kernels.team import SMALL_ROOMS
from backlit_kernels.terms import list_terms
from backlit_kernels.tiling import matrix_vector_columns
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.layers import Dense
from backlit.layout import round_up
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.dense_rows import emit_rows, place_panels
from backlit.lowering.fusing import Finish, fuse_forward, send_back
from backlit.lowering.products import Positions, Weights, count_pieces, emit_product

LARGE = 1 << 20  # weights: what no cache keeps from the way forward to the way back
LEAST_OUTPUTS = 32  # of fewer, a list of the terms costs what it saves


def dense_forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    out = lowering.new_buffer(node.output)
    result, finish = fuse_forward(lowering, node, out)
    x = lowering.activations[node.inputs[0]]
    if has_rows(lowering, node):
        emit_rows(lowering, node.inputs[0], node.output, x, out, layer.weights, layer.bias, finish)
    else:
        emit_matrix(lowering, x, out, layer.weights, layer.bias, finish)
    lowering.activations[result] = out


def dense_backward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    outputs = layer.weights.shape[0]
    read_once = lowering.lanes == 1 and layer.weights.size >= LARGE and outputs >= LANES

    def write(out: Buffer, finish: Finish) -> None:
        g = lowering.gradients[node.output]
        if has_rows(lowering, node):
            emit_rows(lowering, node.output, node.inputs[0], g, out, layer.weights.T, None, finish)
        elif read_once:
            _emit_large_back(lowering, g, out, layer.weights, finish)
        else:
            emit_matrix(lowering, g, out, layer.weights.T, np.zeros(outputs), finish)

    send_back(lowering, node, write)


def has_rows(lowering: Lowering, node: Node) -> bool:
    """Whether features are the last of several axes."""
    return len(lowering.layouts[node.output].shape) > 1


def emit_matrix(
    lowering: Lowering,
    x: Buffer,
    out: Buffer,
    matrix: np.ndarray,
    bias: np.ndarray,
    finish: Finish,
) -> None:
    """``out = x @ matrix + bias`` for the features of a tile."""
    depth, outputs = matrix.shape
    pieces = count_pieces(depth)
    terms = None
    if lowering.lanes > 1 and outputs >= LEAST_OUTPUTS:
        terms = lowering.tape.buffer(pieces + depth + AHEAD)
        lowering.tape.emit(
            list_terms(lowering.lanes),
            x=x,
            terms=terms,
            depth=depth,
            pieces=pieces,
            lanes=lowering.lanes,
        )
    if lowering.lanes > 1:
        emit_product(
            lowering,
            x.at(0),
            out.at(0),
            Weights(lowering, matrix.T[None], bias),
            np.arange(depth) * lowering.lanes,
            Positions.in_one_run(lowering.lanes // LANES, out_channel=lowering.lanes),
            finish,
            aligned=True,
            terms=terms,
        )
        return
    padded = round_up(outputs, LANES)
    weights, width = _streams(lowering, matrix)
    lowering.tape.emit(
        matrix_vector(width // LANES),
        out=out,
        x=x,
        weights=weights,
        bias=lowering.tape.constants.place(np.pad(bias, (0, padded - outputs))),
        depth=depth,
        pieces=pieces,
        partial=lowering.tape.buffer(round_up(padded, width) if pieces > 1 else 0),
        outputs=padded,
        **vars(finish),
    )


def _emit_large_back(
    lowering: Lowering, x: Buffer, out: Buffer, matrix: np.ndarray, finish: Finish
) -> None:
    """``out = x @ matrix.T`` for one sample, by the weights that the way forward reads."""
    outputs, depth = matrix.shape
    weights, width = _streams(lowering, matrix)
    lowering.tape.emit(
        matrix_vector_back,
        out=out,
        x=x,
        weights=weights,
        depth=depth,
        pieces=count_pieces(depth),
        width=width,
        sums=lowering.tape.buffer(2 * round_up(outputs, LANES)),
        room=lowering.tape.buffer(SMALL_ROOMS * LANES * LANES),
        outputs=outputs,
        **vars(finish),
    )


def _streams(lowering: Lowering, matrix: np.ndarray) -> tuple[int, int]:
    """A matrix in panels of as many columns as registers hold, and how many these are."""
    padded = round_up(matrix.shape[1], LANES)
    width = matrix_vector_columns(padded // LANES) * LANES
    return place_panels(lowering, matrix, padded, width), width


FORWARD[Dense], BACKWARD[Dense] = dense_forward, dense_backward
