"""Padding."""

from backlit.importers.builder import shapes
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator


def amounts_of(node: Operation, rank: int) -> list[tuple[int, int, int]]:
    """(axis, before, after) of each axis that is padded or cropped."""
    amounts = node.integers("pads", 1) or []
    axes = axes_of(node.integers("axes", 3), rank)
    if len(amounts) != 2 * len(axes):
        raise ValueError(f"its pads {amounts} are not two for each of {len(axes)} axes")
    ends = zip(axes, amounts[: len(axes)], amounts[len(axes) :], strict=True)
    return [(axis, before, after) for axis, before, after in ends if before or after]


@operator("Pad", limits="not along the samples' axis; amounts and value must be constant")
def pad(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    value = node.number("value", 2, 0.0)
    mode = node.choice("mode", "constant", "reflect", "edge", "wrap")
    for axis, before, after in amounts_of(node, len(x.shape)):
        x = shapes.pad(context.builder, x, axis, before, after, mode, value)
    return x
