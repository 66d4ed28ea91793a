"""Points between an input and a baseline, where a pass goes on from."""

from backlit_kernels.vector import LANES
from backlit_kernels.windows import interpolate_windows

from backlit.instructions import Buffer
from backlit.layers import ReLU
from backlit.lowering.context import Lowering
from backlit.lowering.fused_pooling import floor, pooled_output, pooling_of


def start_between(lowering: Lowering, tensor: int, a: Buffer, b: Buffer, position: Buffer) -> None:
    """Let a pass go on from ``a + position * (b - a)`` in place of a tensor.

    If a ReLU alone uses the tensor, or a pooling, its output is made at once.
    """
    users = lowering.graph.consumers(tensor)
    if lowering.lanes == LANES and (pooling := pooling_of(lowering, users)):
        source = lowering.layouts[tensor]
        output = pooled_output(lowering, pooling)
        lowering.tape.emit(
            interpolate_windows,
            a=a.at(source.origin),
            b=b.at(source.origin),
            position=position,
            channels=source.image[0],
            plane=source.plane,
            row=source.pitch,
            floor=floor(lowering, rectify=pooling.inputs[0] != tensor),
            **vars(output),
        )
        lowering.clear_border(pooling.output, output.out.buffer)
        return
    rectify = len(users) == 1 and isinstance(users[0].layer, ReLU)
    at = users[0].output if rectify else tensor
    lowering.activations[at] = lowering.interpolate(at, a, b, position, rectify=rectify)
