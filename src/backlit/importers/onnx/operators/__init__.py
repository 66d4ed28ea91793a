"""The operators of ONNX, one file for each kind."""

from backlit.importers.onnx.operators import (  # noqa: F401 - importing them fills the table
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
