"""Patches of images."""

from backlit.importers.builder import UnsupportedError, patches
from backlit.importers.onnx.operators.convolution import attribute
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator


@operator("Col2Im", limits="2-D; shapes must be constant")
def columns_to_image(context: Context, node: Operation) -> Outputs:
    image, block = (node.weights(i).tolist() for i in (1, 2))
    if len(image) != 2:
        raise UnsupportedError(f"an image of {len(image)} spatial dimensions")
    stride, dilation = (attribute(node, name, 2, 1) for name in ("strides", "dilations"))
    found = patches.places(image, block, stride, attribute(node, "pads", 4, 0), dilation)
    return patches.fold(context.builder, node.tensor(), image, found)
