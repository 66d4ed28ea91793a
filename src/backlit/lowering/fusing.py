"""What is computed with a layer as its results are stored, rather than by instructions of its own.

Going forward: the addition of a tensor that is known, and a ReLU (or a clip from 0). Going back:
the addition of what other uses sent, and the rule of the activation before.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from backlit_kernels import elementwise
from backlit_kernels.finish import CLIP, RELU
from backlit_kernels.vector import NOWHERE

from backlit.graph import Node
from backlit.instructions import Buffer, Distance, Marks
from backlit.layers import Clip, Layer, ReLU, rectifies
from backlit.lowering.context import Lowering
from backlit.operators import Add


@dataclass(frozen=True)
class Finish:
    """What is done to results as they are stored. These are operands: see `product`."""

    ceiling: int
    initial: int | Distance = 0
    rectify: int = 0
    mark: int | Marks = NOWHERE
    mask: int | Marks = NOWHERE


def plain_finish(lowering: Lowering) -> Finish:
    """Results are stored as they are."""
    return Finish(_ceiling(lowering, None))


def fuse_forward(lowering: Lowering, node: Node, out: Buffer) -> tuple[int, Finish]:
    """What is computed with a layer whose result goes to `out`, as it is stored.

    That is an addition of a tensor that is known by now, and then a ReLU (or clip from 0).
    Returns the tensor that comes out, too.
    """
    tensor, finish = node.output, plain_finish(lowering)
    user = lowering.only_user(tensor)
    if user is not None and isinstance(user.layer, Add):
        others = [t for t in user.inputs if t != tensor and t in lowering.activations]
        if others:
            finish = replace(finish, initial=Distance(out, lowering.activations[others[0]]))
            tensor = user.output
            user = lowering.only_user(tensor)
    if user is not None and rectifies(user.layer):
        tensor = user.output
        mark = lowering.write_marks(tensor, out)
        kind = CLIP if isinstance(user.layer, Clip) else RELU
        finish = replace(finish, rectify=kind, ceiling=_ceiling(lowering, user), mark=mark)
    return tensor, finish


def send_back(lowering: Lowering, node: Node, write: Callable[[Buffer, Finish], None]) -> None:
    """Let `write(out, finish)` write the gradient of a node's input.

    `finish` adds what is known of it from other uses; if these are all, it applies the rule of the
    activation before as well.
    """
    x = node.inputs[0]
    target, through = through_activation(lowering, node)
    known = lowering.gradients.pop(x, None)

    def emit(out: Buffer) -> None:
        finish = rule_finish(lowering, x, out, through)
        write(out, finish if known is None else replace(finish, initial=Distance(out, known)))

    lowering.contribute(target, emit)


def through_activation(
    lowering: Lowering, node: Node, kinds: tuple[type[Layer], ...] = (ReLU, Clip)
) -> tuple[int, Node | None]:
    """Where the last node to send back to an activation's output may do so: to its input.

    Returns that tensor and the activation, to be applied on the way; or the node's own input.
    """
    tensor = node.inputs[0]
    source = lowering.graph.producer(tensor)
    if (
        source is not None
        and rectifies(source.layer)
        and isinstance(source.layer, kinds)
        and lowering.graph.consumers(tensor)[0] is node
        and tensor not in lowering.kept
    ):
        return source.inputs[0], source
    return tensor, None


def rule_finish(lowering: Lowering, tensor: int, out: Buffer, through: Node | None) -> Finish:
    """An activation's rule is applied to a gradient of its output."""
    finish = plain_finish(lowering)
    if through is None:
        return finish
    is_relu = isinstance(through.layer, ReLU)
    if lowering.relu_rule.masked or not is_relu:
        finish = replace(finish, mask=_read_marks(lowering, tensor, out, through))
    return replace(finish, rectify=RELU if is_relu and lowering.relu_rule.rectified else 0)


def _read_marks(lowering: Lowering, tensor: int, out: Buffer, activation: Node) -> Marks:
    if tensor not in lowering.marks:
        y = lowering.activations[tensor]
        lowering.tape.emit(
            elementwise.mark,
            y=y,
            mark=lowering.write_marks(tensor, y),
            size=lowering.layouts[tensor].size,
            ceiling=_ceiling(lowering, activation),
        )
    return Marks(out, lowering.marks[tensor])


def _ceiling(lowering: Lowering, activation: Node | None) -> int:
    layer = None if activation is None else activation.layer
    return lowering.tape.constants.place([layer.high if isinstance(layer, Clip) else np.inf])
