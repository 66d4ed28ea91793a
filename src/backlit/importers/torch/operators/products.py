"""Dense layers and matrix products."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backlit.importers.builder import Tensor, UnsupportedError, Value, arithmetic, einsum, products
from backlit.importers.torch.operators.arithmetic import times
from backlit.importers.torch.operators.table import TorchBuilder, constant, operator


@operator("linear")
def linear(b: TorchBuilder, x: Value, weight: Value, bias: Value | None = None) -> Tensor:
    if isinstance(x, Tensor) and not isinstance(weight, Tensor):
        return products.dense(b, x, weight.T, constant(bias, "a bias"))
    if isinstance(weight, Tensor):
        raise UnsupportedError("a weight that depends on the input")
    raise UnsupportedError("a bias that depends on the input")


operator("matmul", "mm", "bmm", "mv")(products.matmul)


@operator("einsum")
def sum_of_products(
    b: TorchBuilder, equation: str, tensors: Sequence[Value], path: Any = None
) -> Tensor:
    return einsum.sum_of_products(b, equation, tensors)


@operator("addmm", "baddbmm")
def addmm(
    b: TorchBuilder, bias: Value, x: Value, y: Value, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    row = isinstance(x, Tensor) and len(x.shape) == 2 and alpha == 1
    if row and isinstance(bias, np.ndarray) and bias.ndim == 1 and isinstance(y, np.ndarray):
        assert isinstance(x, Tensor)
        return products.dense(b, x, y, np.broadcast_to(bias * beta, y.shape[1:]))
    product = times(b, products.matmul(b, x, y), alpha)
    return arithmetic.binary(b, "add", product, times(b, bias, beta))


@operator("bilinear")
def bilinear(
    b: TorchBuilder, x: Value, y: Value, weight: Value, bias: Value | None = None
) -> Tensor:
    result = einsum.sum_of_products(b, "...i,kij,...j->...k", [x, weight, y])
    return result if bias is None else arithmetic.binary(b, "add", result, bias)
