"""ATen operators, one file for each kind; importing them fills the table."""

from backlit.importers.torch.operators import (
    activations,
    arithmetic,
    attention,
    comparisons,
    convolution,
    indexing,
    normalization,
    patches,
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
    "comparisons",
    "convolution",
    "find",
    "indexing",
    "normalization",
    "patches",
    "pooling",
    "reductions",
    "resize",
    "shapes",
]
