"""Layers inside a model, found by name or index."""

from typing import Any

from backlit.attribution.as_picture import of_pictures, pictured
from backlit.checks import is_int, not_among
from backlit.instructions import Buffer
from backlit.lowering import Lowering
from backlit.model import Model
from backlit.programs import ProgramStore


def find_layer(model: Model, layer: Any) -> tuple[ProgramStore, int]:
    """The tensor that a layer computes, and programs that compute it.

    A batch normalisation that is folded into the layer before it stays apart where the output of
    that layer is wanted.
    """
    name = layer_name(model, layer)
    for programs in (model._programs, model._unfolded):
        if name in programs.graph.names:
            return programs, programs.graph.names[name]
    raise ValueError(f"layer must not come after the logits, got {layer!r}: a final softmax")


def find_image_layer(model: Model, layer: Any) -> tuple[ProgramStore, int]:
    """The same for a layer whose output is an image; None stands for the last of these."""
    programs_of_images(model)
    if layer is None:
        if not model._picture_layers:
            raise ValueError(
                "model must have a layer whose output has rows and columns, but none has"
            )
        layer = model._picture_layers[-1]
    programs, tensor = find_layer(model, layer)
    programs, tensor = pictured(programs_of_images(model, programs), tensor)
    shape = programs.graph.shapes[tensor]
    if len(shape) != 3:
        raise ValueError(
            f"layer must be one whose output has shape (channels, height, width), or tokens of a "
            f"picture, but that of {layer!r} has shape {shape}"
        )
    return programs, tensor


def programs_of_images(model: Model, programs: ProgramStore | None = None) -> ProgramStore:
    """Programs that take images: the model's, or some of the same network."""
    found = of_pictures(programs or model._programs)
    if found is None:
        raise ValueError(f"model must take images, but its input has shape {model.input_shape}")
    return found


def independent_of(own: Lowering, tensor: int) -> dict[int, Buffer]:
    """The activations that a tensor has no part in."""
    changed = {tensor}
    for node in own.graph.nodes:
        if changed.intersection(node.inputs):
            changed.add(node.output)
    return {t: buffer for t, buffer in own.activations.items() if t not in changed}


def layer_name(model: Model, layer: Any) -> str:
    """The name of the node that a layer, by its index or a name, ends with."""
    count = len(model._layer_names)
    if is_int(layer):
        if not -count <= layer < count:
            raise ValueError(f"layer must be in {-count} ... {count - 1}, got {layer}")
        return model._layer_names[layer]
    if not isinstance(layer, str):
        raise TypeError(f"layer must be an index or a name, not {type(layer).__name__}")
    names, several = model._source.names, model._source.several
    if layer in several:
        raise ValueError(
            f"layer must compute one tensor, but {layer!r} returns {len(several[layer])} tensors; "
            f"name one of the layers within: {', '.join(several[layer])}"
        )
    if layer not in names:
        raise not_among("layer", layer, sorted(names))
    # the name may be one of several that an importer gave to the tensor
    node = model._source.producer(names[layer])
    assert node is not None
    return node.name
