"""Dense layers, forward and backward, as products."""

import numpy as np
from backlit_kernels.product import matrix_vector
from backlit_kernels.terms import AHEAD, list_terms
from backlit_kernels.tiling import matrix_vector_columns
from backlit_kernels.vector import LANES

from backlit.graph import Node
from backlit.layers import Dense
from backlit.layout import round_up
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.fusing import Finish, fuse_forward, send_back
from backlit.lowering.products import Positions, Weights, count_pieces, emit_product
from backlit.tape import Buffer

LEAST_OUTPUTS = 32  # of fewer, a list of the terms costs what it saves


def dense_forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)
    out = lowering.new_buffer(node.output)
    result, finish = fuse_forward(lowering, node, out)
    x = lowering.activations[node.inputs[0]]
    emit_matrix(lowering, x, out, layer.weights, layer.bias, finish)
    lowering.activations[result] = out


def dense_backward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, Dense)

    def write(out: Buffer, finish: Finish) -> None:
        zeros = np.zeros(layer.weights.shape[0])
        g = lowering.gradients[node.output]
        emit_matrix(lowering, g, out, layer.weights.T, zeros, finish)

    send_back(lowering, node, write)


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
    columns = matrix_vector_columns(padded // LANES)
    width = columns * LANES
    starts = [min(start, padded - width) for start in range(0, padded, width)]

    def streams() -> np.ndarray:
        weights = np.zeros((len(starts), depth, width), np.float32)
        for tile, start in zip(weights, starts, strict=True):
            part = matrix[:, start : start + width]
            tile[:, : part.shape[1]] = part
        return weights

    lowering.tape.emit(
        matrix_vector(columns),
        out=out,
        x=x,
        weights=lowering.tape.constants.derived(matrix, ("streams", width), streams),
        bias=lowering.tape.constants.place(np.pad(bias, (0, padded - outputs))),
        depth=depth,
        pieces=pieces,
        partial=lowering.tape.buffer(len(starts) * width if pieces > 1 else 0),
        outputs=padded,
        **vars(finish),
    )


FORWARD[Dense], BACKWARD[Dense] = dense_forward, dense_backward
