"""Lowering: from a graph to a tape, one file for each kind of layer."""

from backlit.lowering import (
    activations,
    arrange,
    convolution,
    dense,
    entrywise,
    matmul,
    normalization,
    pooling,
)
from backlit.lowering.context import Lowering

__all__ = [
    "Lowering",
    "activations",
    "arrange",
    "convolution",
    "dense",
    "entrywise",
    "matmul",
    "normalization",
    "pooling",
]
