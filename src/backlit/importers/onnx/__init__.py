"""Models from ONNX: opsets 7 to the newest, what does not depend on the input folded away."""

from backlit.importers.onnx import (
    activations,
    arithmetic,
    attention,
    comparisons,
    convolution,
    indexing,
    normalization,
    padding,
    patches,
    pixels,
    pooling,
    products,
    reductions,
    resizing,
    shapes,
)
from backlit.importers.onnx.reading import load_onnx

__all__ = [
    "activations",
    "arithmetic",
    "attention",
    "comparisons",
    "convolution",
    "indexing",
    "load_onnx",
    "normalization",
    "padding",
    "patches",
    "pixels",
    "pooling",
    "products",
    "reductions",
    "resizing",
    "shapes",
]
