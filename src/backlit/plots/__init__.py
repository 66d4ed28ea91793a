"""Pictures of what models look at. Every function returns a matplotlib Figure."""

from backlit.plots.comparison import compare
from backlit.plots.filters import show_filters
from backlit.plots.mistakes import wrong
from backlit.plots.saliency import show_saliency
from backlit.plots.scaling import display_limit, scale

__all__ = ["compare", "display_limit", "scale", "show_filters", "show_saliency", "wrong"]
