"""Padding."""

from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator


@operator("Pad", limits="not along the samples' axis; amounts and value must be constant")
def pad(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    amounts = node.integers("pads", 1) or []
    value = node.number("value", 2, 0.0)
    axes = axes_of(node.integers("axes", 3), len(x.shape))
    mode = node.text("mode", "constant")
    for i, axis in enumerate(axes):
        before, after = amounts[i], amounts[i + len(axes)]
        if before or after:
            x = context.builder.pad(x, axis, before, after, mode, value)
    return x
