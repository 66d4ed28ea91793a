"""Pooling layers, forward and backward."""

from backlit_kernels import pooling
from backlit_kernels.pooling_pairs import max_pool_pairs, max_pool_pairs_backward
from backlit_kernels.pooling_rows import COLUMNS, STRIDES, max_pool_rows, max_pool_rows_backward

from backlit.graph import Node
from backlit.instructions import Buffer
from backlit.layers import AvgPool2D, GlobalAvgPool2D, MaxPool2D, ReLU
from backlit.lowering.choices import passed_in_one, relu_operands, send_choices, spread_back
from backlit.lowering.context import BACKWARD, FORWARD, Lowering
from backlit.lowering.fused_pooling import by_twos
from backlit.lowering.fusing import through_activation


def grid_operands(lowering: Lowering, node: Node) -> dict[str, int]:
    """How many windows there are, and where channels and rows lie."""
    source, target = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]
    return {
        "channels": source.image[0],
        "out_height": target.image[1],
        "out_width": target.image[2],
        "plane": source.plane,
        "pitch": source.pitch,
        "out_plane": target.plane,
        "out_pitch": target.pitch,
    }


def image_operands(lowering: Lowering, node: Node) -> dict[str, int]:
    """The same, and the size of the image, for windows that may reach beyond it."""
    _, height, width = lowering.layouts[node.inputs[0]].image
    return grid_operands(lowering, node) | {"height": height, "image_width": width}


def max_operands(layer: MaxPool2D) -> dict[str, int]:
    return {
        "stride_y": layer.stride[0],
        "stride_x": layer.stride[1],
        "top": layer.padding[0],
        "left": layer.padding[1],
    }


def takes_pairs(lowering: Lowering, layer: MaxPool2D) -> bool:
    """Whether the kernels for 2x2 windows of single samples apply."""
    return lowering.lanes == 1 and by_twos(layer) and not layer.ceil_mode


def takes_rows(lowering: Lowering, layer: MaxPool2D) -> bool:
    """Whether the kernels that take many windows of a single sample's row apply."""
    return lowering.lanes == 1 and layer.stride[1] in STRIDES and layer.size[1] in COLUMNS


def covers(lowering: Lowering, node: Node) -> bool:
    """Whether the windows tile the image exactly."""
    layer = node.layer
    assert isinstance(layer, MaxPool2D)
    images = (lowering.layouts[t].image[1:] for t in (node.inputs[0], node.output))
    sizes = zip(*images, layer.size, layer.stride, strict=True)
    whole = all(stride == size and n == out * size for n, out, size, stride in sizes)
    return whole and not any(layer.padding)


def max_forward(lowering: Lowering, node: Node) -> None:
    layer = node.layer
    assert isinstance(layer, MaxPool2D)
    source, target = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]
    out = lowering.new_buffer(node.output)
    places = {
        "x": lowering.activations[node.inputs[0]].at(source.origin),
        "out": out.at(target.origin),
    }
    if takes_pairs(lowering, layer):
        lowering.tape.emit(max_pool_pairs, **places, **grid_operands(lowering, node))
    else:
        operands = image_operands(lowering, node) | max_operands(layer)
        if takes_rows(lowering, layer):
            kernel = max_pool_rows(*layer.size)
        else:
            kernel = pooling.max_pool(lowering.lanes, *layer.size)
        lowering.tape.emit(kernel, **places, **operands)
    lowering.clear_border(node.output, out)
    lowering.activations[node.output] = out


def max_backward(lowering: Lowering, node: Node) -> None:
    before = passed_in_one(lowering, node)
    if before is not None:
        send_choices(lowering, before, node)
        return
    tensor, relu = destination(lowering, node)
    known = None
    if node.output in lowering.choices and covers(lowering, node):
        known = lowering.gradients.pop(tensor, None)

    def write(out: Buffer) -> None:
        if node.output in lowering.choices:
            spread_back(lowering, node, out, known, relu=relu)
        else:
            emit_max_backward(lowering, node, out, relu=relu)

    lowering.contribute(tensor, write)


def destination(lowering: Lowering, node: Node) -> tuple[int, bool]:
    """The tensor that a max-pooling sends a gradient to: its input, or that of the ReLU before it.

    Returns also whether that ReLU's rule is to be applied on the way.
    """
    x = node.inputs[0]
    # overlapping windows add up before the ReLU's rule may rectify their sum
    overlap = node.output not in lowering.choices and not covers(lowering, node)
    if x in lowering.gradients or (overlap and lowering.relu_rule.rectified):
        return x, False
    tensor, relu = through_activation(lowering, node, (ReLU,))
    return tensor, relu is not None


def emit_max_backward(lowering: Lowering, node: Node, out: Buffer, *, relu: bool) -> None:
    """The gradient of a max-pooling's input, or of that of the ReLU before it, without choices."""
    layer, x, y = node.layer, node.inputs[0], node.output
    assert isinstance(layer, MaxPool2D)
    source, target = lowering.layouts[x], lowering.layouts[y]
    tiles = covers(lowering, node)
    places = {
        "x": lowering.activations[x].at(source.origin),
        "y": lowering.activations[y].at(target.origin),
        "g": lowering.gradients[y].at(target.origin),
        "out": out.at(source.origin),
    }
    rule = relu_operands(lowering, relu=relu)
    if tiles and takes_pairs(lowering, layer):
        operands = grid_operands(lowering, node)
        lowering.tape.emit(max_pool_pairs_backward, **places, **operands, **rule)
        lowering.clear_border(x, out)
        return
    if tiles:
        lowering.clear_border(x, out)
    else:
        lowering.fill_zero(out, source.size)
    operands = image_operands(lowering, node) | max_operands(layer) | rule
    if takes_rows(lowering, layer) and not tiles:
        lowering.tape.emit(max_pool_rows_backward(*layer.size), **places, **operands)
    else:
        kernel = pooling.max_pool_backward(lowering.lanes, *layer.size)
        lowering.tape.emit(kernel, **places, **operands, accumulate=int(not tiles))


def average_operands(lowering: Lowering, node: Node) -> dict[str, int]:
    layer = node.layer
    if isinstance(layer, GlobalAvgPool2D):
        _, height, width = lowering.layouts[node.inputs[0]].image
        layer = AvgPool2D((height, width))
    assert isinstance(layer, AvgPool2D)
    top, left, bottom, right = layer.padding
    return {
        "rows": layer.size[0],
        "columns": layer.size[1],
        "stride_y": layer.stride[0],
        "stride_x": layer.stride[1],
        "top": top,
        "left": left,
        "bottom": bottom,
        "right": right,
        "padded": int(layer.count_include_pad),
    }


def average_forward(lowering: Lowering, node: Node) -> None:
    source, target = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]
    out = lowering.new_buffer(node.output)
    lowering.tape.emit(
        pooling.average_pool(lowering.lanes),
        x=lowering.activations[node.inputs[0]].at(source.origin),
        out=out.at(target.origin),
        **image_operands(lowering, node),
        **average_operands(lowering, node),
    )
    lowering.clear_border(node.output, out)
    lowering.activations[node.output] = out


def average_backward(lowering: Lowering, node: Node) -> None:
    source, target = lowering.layouts[node.inputs[0]], lowering.layouts[node.output]

    def write(out: Buffer) -> None:
        lowering.fill_zero(out, source.size)
        lowering.tape.emit(
            pooling.average_pool_backward(lowering.lanes),
            g=lowering.gradients[node.output].at(target.origin),
            out=out.at(source.origin),
            **image_operands(lowering, node),
            **average_operands(lowering, node),
        )

    lowering.contribute(node.inputs[0], write)


FORWARD[MaxPool2D], BACKWARD[MaxPool2D] = max_forward, max_backward
FORWARD[AvgPool2D], BACKWARD[AvgPool2D] = average_forward, average_backward
FORWARD[GlobalAvgPool2D], BACKWARD[GlobalAvgPool2D] = average_forward, average_backward
