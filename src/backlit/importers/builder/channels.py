"""Where images have their channels."""

from collections.abc import Sequence
from typing import Any

from backlit.importers.builder import shapes
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor

TO_FRONT, TO_END = (0, 3, 1, 2), (0, 2, 3, 1)  # of the channels of a batch of images


def has_channels_last(given: Any, shape: Sequence[int], moves_them: bool) -> bool:
    """Whether samples of a shape have their channels last.

    By default, images do that a model begins with moving the channels of.

    Raises
    ------
    TypeError, ValueError
        If the user's `channels_last` is no bool, or True of samples that are no images.
    """
    if given is None:
        return moves_them and len(shape) == 3
    if not isinstance(given, bool):
        raise TypeError(f"channels_last must be True, False or None, not {type(given).__name__}")
    if given and len(shape) != 3:
        raise ValueError(f"channels_last=True is for images, but a sample has shape {tuple(shape)}")
    return given


def framework_input(b: GraphBuilder) -> Tensor:
    """The input as the framework has it."""
    return shapes.transpose(b, b.input, TO_END) if b.moves_samples else b.input
