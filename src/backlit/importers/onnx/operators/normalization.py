"""Normalisations."""

from math import prod

import numpy as np

from backlit.importers.builder import (
    Tensor,
    UnsupportedError,
    arithmetic,
    normalization,
    reductions,
    shapes,
)
from backlit.importers.builder.windows import sum_rows, windows_along
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator


def per_channel(x: Tensor, values: np.ndarray) -> np.ndarray:
    """One value a channel, with axes that repeat over the image."""
    return values.reshape(-1, *[1] * (len(x.shape) - 2))


@operator("BatchNormalization", limits="inference only; statistics must be constant")
def batch_normalization(context: Context, node: Operation) -> Outputs:
    node.only_first_output()
    if node.attributes.get("training_mode"):
        raise UnsupportedError("it is in training mode")
    gamma, beta, mean, variance = (node.weights(i).astype(np.float64) for i in range(1, 5))
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    shift = beta - mean * scale
    b, x = context.builder, node.tensor()
    if node.attributes.get("spatial", 1) == 0 or len(x.shape) in (2, 4):
        if scale.ndim == 1:
            return arithmetic.affine(b, x, scale, shift)
        return arithmetic.binary(b, "add", arithmetic.binary(b, "multiply", x, scale), shift)
    image = shapes.reshape(b, x, (*x.shape[:2], 1, prod(x.shape[2:])))
    return shapes.reshape(b, arithmetic.affine(b, image, scale, shift), x.shape)


@operator("InstanceNormalization", limits="scale and bias must be constant")
def instance_normalization(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    scale, bias = (per_channel(x, node.weights(i)) for i in (1, 2))
    epsilon = node.number("epsilon", 3, 1e-5)
    return normalization.normalize(context.builder, x, range(2, len(x.shape)), epsilon, scale, bias)


@operator("GroupNormalization", limits="scale and bias must be constant")
def group_normalization(context: Context, node: Operation) -> Outputs:
    """Scale and bias are one a group before version 21, then one a channel."""
    b, x = context.builder, node.tensor()
    groups = int(node.attributes["num_groups"])
    scale, bias = (node.weights(i) for i in (1, 2))
    if context.opset < 21:
        scale, bias = (np.repeat(values, x.shape[1] // groups) for values in (scale, bias))
    normal = normalization.normalize_groups(b, x, groups, node.number("epsilon", 3, 1e-5))
    result = arithmetic.binary(b, "multiply", normal, per_channel(x, scale))
    return arithmetic.binary(b, "add", result, per_channel(x, bias))


def last_axes(node: Operation, x: Tensor) -> list[int]:
    rank = len(x.shape)
    return list(range(node.axis(rank), rank))


@operator("LayerNormalization", limits="scale and bias must be constant; only the first output")
def layer_normalization(context: Context, node: Operation) -> Outputs:
    node.only_first_output()
    x = node.tensor()
    epsilon = node.number("epsilon", 3, 1e-5)
    axes = last_axes(node, x)
    return normalization.normalize(
        context.builder, x, axes, epsilon, node.weights(1), node.constant(2)
    )


@operator("RMSNormalization", limits="the scale must be constant")
def rms_normalization(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    epsilon = node.number("epsilon", 2, 1e-5)
    normal = normalization.rms_normalize(context.builder, x, last_axes(node, x), epsilon)
    return arithmetic.binary(context.builder, "multiply", normal, node.weights(1))


@operator("MeanVarianceNormalization", limits="not over the samples' axis")
def mean_variance_normalization(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    axes = axes_of(node.attributes.get("axes", [0, 2, 3]), len(x.shape))
    return normalization.normalize(context.builder, x, axes, 1e-9)


SMALLEST = 1e-12  # a norm below it counts as it: zeros stay zeros


@operator("LpNormalization")
def lp_normalization(context: Context, node: Operation) -> Outputs:
    b, x = context.builder, node.tensor()
    axes, power = [node.axis(len(x.shape))], int(node.attributes.get("p", 2))
    if power not in (1, 2):
        raise UnsupportedError(f"its p must be 1 or 2, not {power}")
    sizes = arithmetic.unary(b, "square" if power == 2 else "abs", x)
    total = reductions.reduce(b, "sum", sizes, axes, True)
    total = arithmetic.clip(b, total, SMALLEST**power, np.inf, open_ends=False)
    norm = arithmetic.unary(b, "sqrt", total) if power == 2 else total
    return arithmetic.binary(b, "divide", x, norm)


@operator("LRN")
def local_response_normalization(context: Context, node: Operation) -> Outputs:
    """x / (bias + alpha / size * the sum of squares over neighbouring channels) ** beta"""
    b, x = context.builder, node.tensor()
    size, channels = int(node.attributes["size"]), x.shape[1]
    windows = windows_along(channels, size, 1, (size - 1) // 2, size // 2)
    sums = shapes.linear_map(b, arithmetic.unary(b, "square", x), 1, sum_rows(windows, channels))
    factor, shift = node.number("alpha", 1, 1e-4) / size, node.number("bias", 1, 1.0)
    below = arithmetic.scale(b, sums, factor, shift=shift)
    power = arithmetic.unary(b, "power", below, exponent=-node.number("beta", 1, 0.75))
    return arithmetic.binary(b, "multiply", x, power)
