"""Class activation maps of one layer, or of several layers in one.

The maps of several layers are brought to the range from 0 to 1, enlarged to the input and averaged,
as in pytorch-grad-cam: layers differ in scale, and one would else count for all.
"""

from collections.abc import Callable, Sequence

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.find_layer import find_image_layer
from backlit.graph import Graph
from backlit.interpolation import interpolation_matrix
from backlit.programs import ProgramStore
from backlit.progress import progress_bar

Layers = int | str | Sequence[int | str] | None
# Writes the maps of a tensor, enlarged or as they are.
Draw = Callable[[ProgramStore, int, np.ndarray, bool], None]


def layer_maps(call: Call, layer: Layers, upsample: bool, relu: bool, draw: Draw) -> np.ndarray:
    """The maps that `draw` makes of a layer, or the mean of those of several."""
    if not isinstance(layer, list | tuple):
        programs, tensor = find_image_layer(call.model, layer)
        result = call.result(*_shape(call, programs, tensor, upsample))
        draw(programs, tensor, result, upsample)
        return result
    if not layer:
        raise ValueError("layer must not be an empty list")
    for name, value in (("upsample", upsample), ("relu", relu)):
        if not value:
            raise ValueError(
                f"{name} must be True with several layers: their maps are averaged at the input's "
                "size, each in the range from 0 to 1"
            )
    found = [find_image_layer(call.model, one) for one in layer]
    result = call.result(*_shape(call, *found[0], upsample))
    result[...] = 0
    with progress_bar(len(found) * len(result), "explaining", call.progress):
        for programs, tensor in found:
            maps = np.empty(_shape(call, programs, tensor, False), np.float32)
            draw(programs, tensor, maps, False)
            rows, columns = enlargement(programs.graph, tensor)
            result += rows @ in_range(maps) @ columns.T
    result /= len(found)
    return result


def _shape(call: Call, programs: ProgramStore, tensor: int, upsample: bool) -> tuple[int, ...]:
    image = programs.graph.shapes[0 if upsample else tensor]
    return (len(call.samples), 1, *image[1:])


def in_range(maps: np.ndarray) -> np.ndarray:
    """Each map between 0, its least value, and 1, its greatest; in float64. Flat ones are 0."""
    maps = maps - maps.min(axis=(2, 3), keepdims=True).astype(np.float64)
    top = maps.max(axis=(2, 3), keepdims=True)
    return np.asarray(maps / np.where(top > 0, top, 1))


def enlargement(graph: Graph, tensor: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrices that enlarge rows and columns of a tensor's maps to the input's."""
    (_, *small), (_, *large) = graph.shapes[tensor], graph.shapes[0]
    rows, columns = map(interpolation_matrix, small, large)
    return rows, columns
