"""Points between an input and a baseline, where passes go on from, and what comes back to there.

Points of one path that begin with a pooling are taken together, as far as what lies between them
and their gradients stays in the cache: the ends of the path are then read once for all of them,
and the sum of their gradients is written once.
"""

from collections.abc import Sequence

from backlit_kernels.vector import LANES
from backlit_kernels.windows import interpolate_windows

from backlit.graph import Node
from backlit.instructions import Buffer, Operand
from backlit.layers import ReLU
from backlit.lowering.baselines import StepValues, values_of
from backlit.lowering.choices import sum_choices_back
from backlit.lowering.context import Lowering
from backlit.lowering.fused_pooling import floor, pooled_output, pooling_of
from backlit.lowering.step_seed import StepSeed

# Of pooled outputs, their choices and gradients: processors with longer vectors have larger caches.
MOST_FLOATS = LANES << 14


def points_together(lowering: Lowering, tensor: int) -> int:
    """How many passes may start at points between two values of a tensor, one beside the other."""
    pooling = _pooling_behind(lowering, tensor)
    if pooling is None:
        return 1
    return max(MOST_FLOATS // (3 * lowering.layouts[pooling.output].size), 1)


def start_between(
    points: Sequence[Lowering],
    tensor: int,
    begin: Lowering,
    end: Lowering,
    positions: Sequence[Buffer],
) -> None:
    """Let passes go on from positions between two others' values of a tensor.

    If a ReLU alone uses the tensor, or a pooling, its output is made at once.
    """
    lowering, b = points[0], end.activations[tensor]
    pooling = _pooling_behind(lowering, tensor)
    if pooling is not None:
        _pool_between(points, tensor, pooling, values_of(begin, tensor), b, positions)
        return
    a = begin.activations[tensor]
    users = lowering.graph.consumers(tensor)
    rectify = len(users) == 1 and isinstance(users[0].layer, ReLU)
    at = users[0].output if rectify else tensor
    for point, position in zip(points, positions, strict=True):
        point.activations[at] = point.interpolate(at, a, b, position, rectify=rectify)


def add_gradients(points: Sequence[Lowering], tensor: int, seed: StepSeed, total: Lowering) -> None:
    """Pass such points on and back, and add their gradients of the tensor to that of `total`."""
    pooling = _pooling_behind(total, tensor)
    for point in points:
        point.forward()
        seed.sow(point)
        if pooling is None and tensor in total.gradients:
            point.share(tensor, total.gradients[tensor])
        point.backward(until=tensor, to_add=True)
        if pooling is None:
            total.gradients[tensor] = point.gradients[tensor]
    if pooling is not None:
        sum_choices_back(points, tensor, pooling, total)


def _pooling_behind(lowering: Lowering, tensor: int) -> Node | None:
    """That is computed at once with what goes into it: in tiles of samples."""
    users = lowering.graph.consumers(tensor)
    return pooling_of(lowering, users) if lowering.lanes == LANES else None


def _pool_between(
    points: Sequence[Lowering],
    tensor: int,
    pooling: Node,
    a: StepValues | Buffer,
    b: Buffer,
    positions: Sequence[Buffer],
) -> None:
    lowering = points[0]
    source, layout = lowering.layouts[tensor], lowering.layouts[pooling.output]
    outputs = [pooled_output(point, pooling) for point in points]
    start: dict[str, Operand]
    if isinstance(a, StepValues):
        start = {"a": a.buffer.at(source.origin // LANES), "a_step": a.size}
    else:
        start = {"a": a.at(source.origin), "a_step": 0}
    lowering.tape.emit(
        interpolate_windows(shared=isinstance(a, StepValues)),
        **start,
        b=b.at(source.origin),
        points=len(points),
        positions=tuple(positions),
        outs=tuple(output.out for output in outputs),
        choices=tuple(p.choices[pooling.output].at(layout.origin) for p in points),
        channels=source.image[0],
        height=outputs[0].height,
        width=outputs[0].width,
        plane=source.plane,
        row=source.pitch,
        out_plane=layout.plane,
        out_row=layout.pitch,
        floor=floor(lowering, rectify=pooling.inputs[0] != tensor),
    )
    for output in outputs:
        lowering.clear_border(pooling.output, output.out.buffer)
