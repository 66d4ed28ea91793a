"""Figures of merit for maps and models, over whole data sets."""

from backlit.metrics.accuracy import accuracy
from backlit.metrics.agreement import map_agreement
from backlit.metrics.concentration import gini
from backlit.metrics.focus import Focus, focus, stroke_mask

__all__ = ["Focus", "accuracy", "focus", "gini", "map_agreement", "stroke_mask"]
