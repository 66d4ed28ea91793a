"""Eigen-CAM: the first principal component of a layer's activations.

Muhammad and Yeasin, "Eigen-CAM: Class activation map using principal components", 2020.
"""

from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.cam_layers import Layers, enlargement, layer_maps
from backlit.attribution.layer_activation import LayerOutput
from backlit.attribution.sample_axes import any_channels
from backlit.model import Model
from backlit.programs import ProgramStore
from backlit.progress import progress_bar

CHUNK_BYTES = 2 << 20  # of activations that are held at a time


@any_channels(pictures=True)
def eigen_cam(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    layer: Layers = None,
    upsample: bool = True,
    relu: bool = True,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Eigen-CAM: a layer's activations along their first principal component.

    Muhammad and Yeasin, "Eigen-CAM: Class activation map using principal components", 2020. As in
    pytorch-grad-cam each channel is centred first. A component has no sign of its own: it is given
    the one with which its entries add up to 0 or more, so that the map is large where activations
    are. `target` and `score` make no difference. Its last digits may depend on LAPACK's number of
    threads, where a layer has some hundred channels and as many pixels.

    Arguments and result are those of `backlit.grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)

    def draw(programs: ProgramStore, tensor: int, result: np.ndarray, upsample: bool) -> None:
        shape = programs.graph.shapes[tensor]
        chunk = max(1, CHUNK_BYTES // (4 * int(np.prod(shape))))
        enlarge = enlargement(programs.graph, tensor) if upsample else None
        with progress_bar(len(result), "explaining", call.progress):
            for first in range(0, len(result), chunk):
                index = slice(first, first + chunk)
                part = call.chosen(index)
                activations = np.empty((len(part.samples), *shape), np.float32)
                part.run(LayerOutput(tensor), activations, programs=programs)
                maps = _components(activations)
                if relu:
                    maps = np.maximum(maps, 0)
                result[index, 0] = maps if enlarge is None else enlarge[0] @ maps @ enlarge[1].T

    return layer_maps(call, layer, upsample, relu, draw)


def _components(activations: np.ndarray) -> np.ndarray:
    """Projections of each pixel's channels on the first principal axis, in float64."""
    samples, channels, height, width = activations.shape
    values = activations.reshape(samples, channels, -1).astype(np.float64)
    values -= values.mean(axis=2, keepdims=True)
    if channels <= height * width:
        axes = np.linalg.eigh(values @ values.transpose(0, 2, 1))[1][:, :, -1]
        maps = (axes[:, None] @ values)[:, 0]
    else:  # the same by way of the smaller matrix, that of pixels
        pixels = np.linalg.eigh(values.transpose(0, 2, 1) @ values)[1][:, :, -1]
        axes = (values @ pixels[..., None])[..., 0]  # as long as the component is strong
        maps = np.linalg.norm(axes, axis=1, keepdims=True) * pixels
    turned = axes.sum(axis=1, keepdims=True) < 0
    return np.where(turned, -maps, maps).reshape(samples, height, width)
