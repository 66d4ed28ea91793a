"""Normalisation layers in evaluation mode."""

from collections.abc import Sequence

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, arithmetic, normalization
from backlit.importers.torch.operators.table import (
    Missing,
    TorchBuilder,
    constant,
    operator,
    weights,
)
from backlit.layers import BatchNorm


@operator("batch_norm")
def batch_norm(
    b: TorchBuilder,
    x: Tensor,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    if training or running_mean is None or running_var is None:
        raise UnsupportedError("statistics of the batch: samples mix")
    mean, variance = weights(running_mean, "a mean"), weights(running_var, "a variance")
    gamma, beta = constant(weight, "a weight"), constant(bias, "a bias")
    gamma = np.ones_like(mean) if gamma is None else gamma
    beta = np.zeros_like(mean) if beta is None else beta
    return b.append(BatchNorm(gamma, beta, mean, variance, eps), x)


@operator("_native_batch_norm_legit_no_training")
def native_batch_norm(
    b: TorchBuilder,
    x: Tensor,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value,
    running_var: Value,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Missing, Missing]:
    result = batch_norm(b, x, weight, bias, running_mean, running_var, False, momentum, eps, False)
    return result, Missing(), Missing()


@operator("layer_norm")
def layer_norm(
    b: TorchBuilder,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    rank = len(x.shape)
    axes = range(rank - len(normalized_shape), rank)
    scale, shift = constant(weight, "a weight"), constant(bias, "a bias")
    return normalization.normalize(b, x, list(axes), eps, scale, shift)


@operator("native_layer_norm")
def native_layer_norm(
    b: TorchBuilder,
    x: Tensor,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    eps: float,
) -> tuple[Tensor, Missing, Missing]:
    return layer_norm(b, x, normalized_shape, weight, bias, eps), Missing(), Missing()


@operator("group_norm")
def group_norm(
    b: TorchBuilder,
    x: Tensor,
    num_groups: int,
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    return _per_channel(b, normalization.normalize_groups(b, x, num_groups, eps), weight, bias)


@operator("instance_norm")
def instance_norm(
    b: TorchBuilder,
    x: Tensor,
    weight: Value | None,
    bias: Value | None,
    running_mean: Value | None,
    running_var: Value | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    if not use_input_stats:
        return batch_norm(
            b, x, weight, bias, running_mean, running_var, False, momentum, eps, False
        )
    result = normalization.normalize(b, x, list(range(2, len(x.shape))), eps)
    return _per_channel(b, result, weight, bias)


def _per_channel(b: TorchBuilder, x: Tensor, weight: Value | None, bias: Value | None) -> Tensor:
    shape = (-1, *[1] * (len(x.shape) - 2))
    scale, shift = constant(weight, "a weight"), constant(bias, "a bias")
    if scale is not None:
        x = arithmetic.binary(b, "multiply", x, scale.reshape(shape))
    return x if shift is None else arithmetic.binary(b, "add", x, shift.reshape(shape))
