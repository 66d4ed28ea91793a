"""The operators of ATen, one file for each kind."""

from backlit.importers.torch.operators import (  # noqa: F401 - importing them fills the table
    activations,
    advanced_indexing,
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
