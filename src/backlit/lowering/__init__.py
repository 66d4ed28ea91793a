"""Lowering: from a graph to a tape, one file for each kind of layer."""

from backlit.lowering import activations, linear, normalization, pooling, structure
from backlit.lowering.context import Lowering

__all__ = ["Lowering", "activations", "linear", "normalization", "pooling", "structure"]
