"""Pixels as channels, and channels as pixels."""

from backlit.importers.builder import shapes
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator


@operator("DepthToSpace")
def depth_to_space(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    n, c, h, w = x.shape
    s = int(node.attributes["blocksize"])
    if node.choice("mode", "DCR", "CRD") == "DCR":
        blocks = shapes.reshape(b, x, (n, s, s, c // s**2, h, w))
        blocks = shapes.transpose(b, blocks, (0, 3, 4, 1, 5, 2))
    else:
        blocks = shapes.reshape(b, x, (n, c // s**2, s, s, h, w))
        blocks = shapes.transpose(b, blocks, (0, 1, 4, 2, 5, 3))
    return shapes.reshape(b, blocks, (n, c // s**2, h * s, w * s))


@operator("SpaceToDepth")
def space_to_depth(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    n, c, h, w = x.shape
    s = int(node.attributes["blocksize"])
    blocks = shapes.reshape(b, x, (n, c, h // s, s, w // s, s))
    crd = node.choice("mode", "DCR", "CRD") == "CRD"
    blocks = shapes.transpose(b, blocks, (0, 1, 3, 5, 2, 4) if crd else (0, 3, 5, 1, 2, 4))
    return shapes.reshape(b, blocks, (n, c * s**2, h // s, w // s))
