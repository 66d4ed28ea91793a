"""FullGrad: input times gradient, and the gradients of all biases where they arise.

Srinivas and Fleuret, "Full-gradient representation for neural network visualization", 2019. For a
network of piecewise linear activations,

    logit = sum of x d logit/dx + sum over layers and pixels of b d logit/da,

with the biases b and pre-activations a. The map adds up the parts that have pixels, each as
psi(.): magnitudes, brought to the range from 0 to 1, enlarged to the input, summed over channels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.find_layer import programs_of_images
from backlit.attribution.sample_axes import any_channels
from backlit.graph import Graph, Node
from backlit.layers import BatchNorm, Conv2D, ConvTranspose2D
from backlit.lowering import Lowering, maps
from backlit.model import Model


@dataclass(frozen=True)
class FullGradient:
    """The sum of psi of input times gradient and of all bias gradients with pixels."""

    score: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.keep_all()
        x = own.load()
        own.forward()
        own.seed(self.score)
        own.backward()
        total = maps.Map(own, *graph.shapes[0][1:])
        product = own.multiply(0, x, own.gradients[0])
        ones = np.ones(graph.shapes[0][0])
        self.add_channels(own, 0, maps.first_pixel(own, 0, product), total, ones)
        for node in graph.nodes:
            bias = biases(node)
            tensor = node.output
            if bias is not None and bias.any() and len(graph.shapes[tensor]) == 3:
                part = maps.Map(own, *graph.shapes[tensor][1:])
                gradient = maps.first_pixel(own, tensor, own.gradients[tensor])
                self.add_channels(own, tensor, gradient, part, bias)
                maps.upsample(own, part.layout, part.buffer.at(0), total, add=True)
        maps.store(own, total)
        return own

    def add_channels(
        self, own: Lowering, tensor: int, x: Any, out: maps.Map, scale: np.ndarray
    ) -> None:
        layout = own.layouts[tensor]
        maps.sum_channels(own, layout, x, out, scale=scale, magnitude=True, epsilon=1e-6)


def biases(node: Node) -> np.ndarray | None:
    """What a layer adds to each of its channels, if it has biases."""
    if isinstance(node.layer, Conv2D | ConvTranspose2D):
        return node.layer.bias
    if isinstance(node.layer, BatchNorm):
        return node.layer.scale_and_shift()[1]
    return None


@any_channels(pictures=True)
def full_grad(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """FullGrad: input times gradient and all bias gradients, as one map.

    Srinivas and Fleuret, "Full-gradient representation for neural network visualization", 2019.
    As in the authors' implementation, 1e-6 is added to the range that a layer's magnitudes are
    divided by, and only layers with pixels take part. Two things differ: parts are enlarged
    without aligning corners, and a batch normalisation after a convolution counts as one layer
    with it, with one bias.

    pytorch-grad-cam's method of the same name weighs parts otherwise. It brings each
    channel to the range from 0 to 1 by itself, so that each counts as much as the next however
    small its bias gradients are, where here, and in the paper, a layer's channels are scaled
    together. A convolution and the batch normalisation after it are two layers there, with a bias
    each; transposed convolutions have no part; and the map itself is brought to the range from 0
    to 1. Of layers of one channel without normalisation both make the same map, up to that range.

    Parameters
    ----------
    model, X, target, score, threads, progress, memory
        As for `backlit.saliency`; the model's input must be images.
    out : float32 array of the result's shape, optional

    Returns
    -------
    float32 array of shape (N, 1, height, width), not negative

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a model that takes no images.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    programs = programs_of_images(model)
    result = call.result(len(call.samples), 1, *programs.graph.shapes[0][1:])
    call.run(FullGradient(call.score), result, programs=programs)
    return result
