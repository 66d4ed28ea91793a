"""Layers and operations of Keras, one file for each kind."""

from backlit.importers.keras.operators import (  # noqa: F401 - importing them fills the table
    activations,
    arithmetic,
    attention,
    comparisons,
    convolution,
    indexing,
    normalization,
    padding,
    patches,
    pooling,
    products,
    reductions,
    resizing,
    shapes,
)
