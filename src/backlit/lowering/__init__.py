"""Lowering: from a graph to a tape, one file for each kind of layer."""

from backlit.lowering import (
    activations,
    arrange,
    binary,
    convolution,
    dense,
    matmul,
    normalization,
    pooling,
    reductions,
    softmax_rows,
)
from backlit.lowering.context import Lowering

__all__ = [
    "Lowering",
    "activations",
    "arrange",
    "binary",
    "convolution",
    "dense",
    "matmul",
    "normalization",
    "pooling",
    "reductions",
    "softmax_rows",
]
