"""ATen operators, one file for each kind; importing them fills the table."""

from backlit.importers.torch.operators import (
    activations,
    arithmetic,
    attention,
    convolution,
    normalization,
    pooling,
    reductions,
    resize,
    shapes,
)
from backlit.importers.torch.operators.table import OPERATORS, Missing, TorchBuilder, find

__all__ = [
    "OPERATORS",
    "Missing",
    "TorchBuilder",
    "activations",
    "arithmetic",
    "attention",
    "convolution",
    "find",
    "normalization",
    "pooling",
    "reductions",
    "resize",
    "shapes",
]
