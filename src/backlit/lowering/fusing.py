"""What is computed with a layer as its results are stored, rather than by instructions of its own.

Going forward: the addition of a tensor that is known, and a ReLU (or a clip from 0). Going back:
the addition of what other uses sent, and the rule of the activation before.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from backlit_kernels import elementwise
from backlit_kernels.vector import NOWHERE

from backlit.graph import Node
from backlit.layers import Clip, Layer, ReLU, rectifies
from backlit.lowering.context import Lowering
from backlit.operators import Add
from backlit.tape import Buffer, Distance, Marks


def fuse_forward(lowering: Lowering, node: Node, out: Buffer) -> tuple[int, dict[str, Any]]:
    """What is computed with a layer whose result goes to `out`, as it is stored.

    That is an addition of a tensor that is known by now, and then a ReLU (or clip from 0).
    Returns the tensor that comes out, and operands.
    """
    tensor, after = node.output, after_forward(lowering)
    user = lowering.only_user(tensor)
    if user is not None and isinstance(user.layer, Add):
        others = [t for t in user.inputs if t != tensor and t in lowering.activations]
        if others:
            after["initial"] = Distance(out, lowering.activations[others[0]])
            tensor = user.output
            user = lowering.only_user(tensor)
    if user is not None and rectifies(user.layer):
        tensor = user.output
        after |= {"rectify": 1, "ceiling": _ceiling(lowering, user)}
        after["mark"] = lowering.write_marks(tensor, out)
    return tensor, after


def after_forward(lowering: Lowering) -> dict[str, Any]:
    """Operands that store a result as it is."""
    return {
        "initial": 0,
        "rectify": 0,
        "mark": NOWHERE,
        "mask": NOWHERE,
        "ceiling": _ceiling(lowering, None),
    }


def send_back(
    lowering: Lowering, node: Node, write: Callable[[Buffer, dict[str, Any]], None]
) -> None:
    """Let `write(out, after)` write the gradient of a node's input.

    The operands `after` add what is known of it from other uses; if these are all, they apply
    the rule of the activation before as well.
    """
    x = node.inputs[0]
    target, through = through_activation(lowering, node)
    known = lowering.gradients.pop(x, None)

    def emit(out: Buffer) -> None:
        initial = 0 if known is None else Distance(out, known)
        write(out, after_backward(lowering, x, out, through) | {"initial": initial})

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


def after_backward(
    lowering: Lowering, tensor: int, out: Buffer, through: Node | None
) -> dict[str, Any]:
    """Operands that apply an activation's rule to a gradient of its output as it is stored."""
    after = after_forward(lowering)
    if through is None:
        return after
    is_relu = isinstance(through.layer, ReLU)
    if lowering.relu_rule.masked or not is_relu:
        after["mask"] = _read_marks(lowering, tensor, out, through)
    return after | {"rectify": int(is_relu and lowering.relu_rule.rectified)}


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
