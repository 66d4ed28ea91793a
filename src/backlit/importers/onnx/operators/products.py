"""Matrix products."""

import numpy as np

from backlit.importers.builder import UnsupportedError, Value, arithmetic, einsum, products
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, operator


@operator("MatMul", limits="no product of two tensors over the samples' axis")
def matmul(context: Context, node: Operation) -> Outputs:
    return products.matmul(context.builder, *node.given(0, 1))


@operator("Einsum", limits="not over the samples' axis")
def sum_of_products(context: Context, node: Operation) -> Outputs:
    values = [value for value in node.inputs if value is not None]
    return einsum.sum_of_products(context.builder, node.text("equation"), values)


@operator("Gemm", limits="B must be constant, A not transposed")
def gemm(context: Context, node: Operation) -> Outputs:
    """alpha * A @ B + beta * C, with B transposed if asked."""
    b, x = context.builder, node.tensor()
    weights = node.weights(1)
    if node.attributes.get("transA"):
        raise UnsupportedError("transA moves the samples' axis")
    if node.attributes.get("transB"):
        weights = weights.T
    weights = weights * np.float32(node.attributes.get("alpha", 1.0))
    c, beta = node.value(2), float(node.attributes.get("beta", 1.0))
    if c is None:
        return products.dense(b, x, weights)
    if isinstance(c, np.ndarray) and c.size in (1, c.shape[-1] if c.ndim else 1):
        bias = np.broadcast_to(c.reshape(-1), weights.shape[1:])
        return products.dense(b, x, weights, bias * np.float32(beta))
    added: Value = c
    if beta != 1:
        added = c * beta if isinstance(c, np.ndarray) else arithmetic.scale(b, c, beta)
    return arithmetic.binary(b, "add", products.dense(b, x, weights), added)
