"""Values between Keras's order of axes, the order in which they are held, and that of layers."""

from collections.abc import Sequence

from backlit.importers.builder import Tensor, shapes
from backlit.importers.keras.builder import KerasBuilder
from backlit.layers import Flatten
from backlit.operators import Transpose


def held_input(b: KerasBuilder) -> Tensor:
    """The graph's input, held."""
    return b.input if b.moves_samples else hold(b, b.input)


def hold(b: KerasBuilder, x: Tensor) -> Tensor:
    """A tensor in Keras's order, held."""
    return rearrange(b, x, b.held_axes(len(x.shape)))


def reorder(b: KerasBuilder, x: Tensor, axes: Sequence[int] | None = None) -> Tensor:
    """A value's tensor with Keras's axes in this order; by default as they are."""
    rank = len(x.shape)
    wanted = range(rank) if axes is None else axes
    return rearrange(b, x, [b.axis(axis, rank) for axis in wanted])


def reshape(b: KerasBuilder, x: Tensor, shape: Sequence[int]) -> Tensor:
    """A value with its entries, in Keras's order, in another shape of Keras's."""
    return hold(b, shapes.reshape(b, reorder(b, x), shape))


def images(b: KerasBuilder, x: Tensor, data_format: str) -> Tensor:
    """A value with its channels behind the samples, as a layer of that format sees it."""
    rank = len(x.shape)
    if data_format == "channels_first":
        return reorder(b, x)
    return reorder(b, x, [0, rank - 1, *range(1, rank - 1)])


def from_images(b: KerasBuilder, x: Tensor, data_format: str) -> Tensor:
    """The value whose `images` these are."""
    rank = len(x.shape)
    places = range(rank) if data_format == "channels_first" else [0, *range(2, rank), 1]
    return rearrange(b, x, [places[axis] for axis in b.held_axes(rank)])


def rearrange(b: KerasBuilder, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Transpose; of transposes in a row one, or none, is left."""
    order = list(axes)
    node = b.graph.producer(x.number)
    if node and isinstance(node.layer, Transpose):
        inner = [0, *(axis + 1 for axis in node.layer.axes)]
        order = [inner[axis] for axis in order]
        x = b.of(node.inputs[0])
    long = [axis for axis in order if x.shape[axis] > 1]
    if long == sorted(long):
        return shapes.reshape(b, x, [x.shape[axis] for axis in order])
    return shapes.transpose(b, x, order)


def flatten(b: KerasBuilder, x: Tensor) -> Tensor:
    """All values of a sample, in the order of a tensor's axes."""
    return b.append(Flatten(), x) if len(x.shape) > 2 else x
