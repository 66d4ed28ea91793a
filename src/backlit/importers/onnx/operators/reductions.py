"""Reductions over axes."""

from backlit.importers.builder import arithmetic, reductions, shapes
from backlit.importers.builder.values import axis_from_front
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator

PLAIN = {"ReduceSum": "sum", "ReduceMean": "mean", "ReduceProd": "prod"}
EXTREME = {"ReduceMax": "max", "ReduceMin": "min"}
NOT_SAMPLES = "not over the samples' axis"


def reduced_axes(node: Operation, rank: int) -> list[int]:
    """None given means all, or none if the operation says so."""
    axes = node.integers("axes", 1)
    if not axes:
        return [] if node.attributes.get("noop_with_empty_axes") else list(range(rank))
    return axes_of(axes, rank)


@operator(*PLAIN, limits=NOT_SAMPLES)
@operator(*EXTREME, limits=NOT_SAMPLES + "; equal extremes share the gradient, as in torch.amax")
def plain(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    axes = reduced_axes(node, len(x.shape))
    if not axes:
        return x
    keepdims = bool(node.attributes.get("keepdims", 1))
    return reductions.reduce(context.builder, (PLAIN | EXTREME)[node.kind], x, axes, keepdims)


@operator("CumSum", limits="not along the samples' axis")
def running_sum(context: Context, node: Operation) -> Outputs:
    x, axis = node.tensor(), int(node.weights(1).reshape(()))
    how = (bool(node.attributes.get(name)) for name in ("exclusive", "reverse"))
    return reductions.running_sum(context.builder, x, axis_from_front(axis, len(x.shape)), *how)


BEFORE = {"ReduceL1": "abs", "ReduceL2": "square", "ReduceSumSquare": "square"}


@operator(*BEFORE, "ReduceLogSum", limits=NOT_SAMPLES)
def sum_of_functions(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    axes = reduced_axes(node, len(x.shape))
    if node.kind in BEFORE:
        x = arithmetic.unary(b, BEFORE[node.kind], x)
    if axes:
        x = reductions.reduce(b, "sum", x, axes, bool(node.attributes.get("keepdims", 1)))
    if node.kind == "ReduceL2":
        return arithmetic.root(b, x)
    return arithmetic.unary(b, "log", x) if node.kind == "ReduceLogSum" else x


@operator("ReduceLogSumExp", limits=NOT_SAMPLES)
def log_sum_exp(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    axes = reduced_axes(node, len(x.shape))
    if not axes:
        return x
    keepdims = bool(node.attributes.get("keepdims", 1))
    result = reductions.log_sum_exp(b, x, axes)
    kept = [n for axis, n in enumerate(x.shape) if axis not in axes]
    return result if keepdims else shapes.reshape(b, result, kept)
