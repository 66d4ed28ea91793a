"""Pixels as channels, and channels as pixels."""

from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator


@operator("DepthToSpace")
def depth_to_space(context: Context, node: Operation) -> Outputs:
    builder, x = context.builder, node.tensor()
    n, c, h, w = x.shape
    b = int(node.attributes["blocksize"])
    if node.choice("mode", "DCR", "CRD") == "DCR":
        blocks = builder.reshape(x, (n, b, b, c // b**2, h, w))
        blocks = builder.transpose(blocks, (0, 3, 4, 1, 5, 2))
    else:
        blocks = builder.reshape(x, (n, c // b**2, b, b, h, w))
        blocks = builder.transpose(blocks, (0, 1, 4, 2, 5, 3))
    return builder.reshape(blocks, (n, c // b**2, h * b, w * b))


@operator("SpaceToDepth")
def space_to_depth(context: Context, node: Operation) -> Outputs:
    builder, x = context.builder, node.tensor()
    n, c, h, w = x.shape
    b = int(node.attributes["blocksize"])
    blocks = builder.reshape(x, (n, c, h // b, b, w // b, b))
    crd = node.choice("mode", "DCR", "CRD") == "CRD"
    blocks = builder.transpose(blocks, (0, 1, 3, 5, 2, 4) if crd else (0, 3, 5, 1, 2, 4))
    return builder.reshape(blocks, (n, c * b**2, h // b, w // b))
