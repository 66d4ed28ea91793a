"""Class activation maps from gradients: a layer's channels, weighted by the score's gradient.

With activations a and gradients g = d score / d a, the map is the sum over channels of w a:

    Grad-CAM     w the channel's mean of g       Selvaraju et al., 2017
    Grad-CAM++   w the channel's sum of alpha max(g, 0), with
                 alpha = g**2 / (2 g**2 + g**3 (sum of a))
                                                 Chattopadhay et al., 2018, equation 19
    XGrad-CAM    w the channel's sum of g a, over its sum of a
                                                 Fu et al., "Axiom-based Grad-CAM", 2020
    HiResCAM     w = g, pixel by pixel           Draelos and Carin, 2020
    LayerCAM     w = max(g, 0), pixel by pixel   Jiang et al., 2021

Sums run over a channel's pixels. Negative values of the map are then set to 0. Definitions are
those of pytorch-grad-cam, whose maps are scaled to [0, 1] besides; ours are not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels import maps as kernels

from backlit.attribution.call import Call
from backlit.attribution.cam_layers import Layers, layer_maps
from backlit.attribution.sample_axes import any_channels
from backlit.graph import Graph
from backlit.lowering import Lowering, maps
from backlit.model import Model
from backlit.programs import ProgramStore

# name: the weights of channels and what the activations are multiplied by
RULES = {
    "grad_cam": (kernels.MEAN, kernels.CHANNELS),
    "grad_cam_plus_plus": (kernels.PLUS_PLUS, kernels.CHANNELS),
    "xgrad_cam": (kernels.AXIOM, kernels.CHANNELS),
    "hires_cam": (None, kernels.PIXELS),
    "layer_cam": (None, kernels.POSITIVE),
}


@dataclass(frozen=True)
class ClassMap:
    """A map of one channel, made of the tensor `tensor`."""

    tensor: int
    score: int
    relu: bool
    upsample: bool


@dataclass(frozen=True)
class GradientMap(ClassMap):
    """Activations weighted by gradients."""

    rule: str

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept.add(self.tensor)
        own.load()
        own.forward()
        own.seed(self.score)
        own.backward(until=self.tensor)
        rule, kind = RULES[self.rule]
        if rule is None:
            weights = own.gradients[self.tensor]
        else:
            weights = maps.channel_weights(own, self.tensor, rule)
        result = maps.weighted_map(own, self.tensor, weights, kind, self.relu)
        maps.finish(own, result, self.upsample)
        return own


def _gradient_map(
    rule: str,
    call: Call,
    layer: Layers,
    upsample: bool,
    relu: bool,
) -> np.ndarray:
    def draw(programs: ProgramStore, tensor: int, result: np.ndarray, upsample: bool) -> None:
        probe = GradientMap(tensor, call.score, relu, upsample, rule)
        call.run(probe, result, programs=programs)

    return layer_maps(call, layer, upsample, relu, draw)


@any_channels(pictures=True)
def grad_cam(
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
    """Grad-CAM: a layer's channels, weighted by the mean of the score's gradient by each.

    Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based
    localization", 2017. Equal to Captum's `LayerGradCam` with `relu_attributions=True`; of a layer
    of features, which has no map, that is the sum of gradient times activation (see
    `backlit.layer_attribution`).

    Parameters
    ----------
    layer : int, str, or list of these, optional
        The layer whose output is used: its index in `model.layers`, from the end if negative, or
        its name, such as ``"3"`` or, in a `Residual`, ``"2.body.0"``. Default: the last one whose
        output has rows and columns. Tokens, (tokens, channels), stand for the patches of the last
        picture before them that has as many; others before those (a class's) have no part.
        Of a list, the layers' maps are averaged, each brought to the range from 0 (its least
        value) to 1 (its greatest), as in pytorch-grad-cam: so each counts as much as the next.
    upsample : bool
        Whether to bring the map to the input's size, bilinearly (as PyTorch's ``interpolate``
        with ``align_corners=False``). Maps of several layers always are.
    relu : bool
        Whether negative values of the map are set to 0, as in the paper. Those of maps of several
        layers always are.
    model, X, target, score, threads, progress, memory
        As for `backlit.saliency`.
    out : float32 array of the result's shape, optional

    Returns
    -------
    float32 array of shape (N, 1, height, width)
        Of the input's height and width, or else of the layer's. Values are the sums that the
        method defines: pytorch-grad-cam brings each map to the range from 0 to 1, PAIR's saliency
        divides those that it enlarges by their maxima. There is one channel, whatever the
        input's. (N, height, width, 1) if the model's channels are last; of a model that takes
        signals (see `backlit.signals`), (N, 1, length) or (N, length, 1). Where the model first
        reshapes its samples, rows of pixels for instance, the height and width are those of the
        picture that it makes of them.

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range, and models without such a layer.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _gradient_map("grad_cam", call, layer, upsample, relu)


@any_channels(pictures=True)
def grad_cam_plus_plus(
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
    """Grad-CAM++: positive gradients, weighted so that every object counts the same.

    Chattopadhay et al., "Grad-CAM++: Generalized gradient-based visual explanations", 2018. As in
    pytorch-grad-cam, the higher derivatives of equation 19 are powers of the first one, and
    1e-6 is added to the denominator.

    Arguments and result are those of `grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _gradient_map("grad_cam_plus_plus", call, layer, upsample, relu)


@any_channels(pictures=True)
def hires_cam(
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
    """HiResCAM: gradient times activation, added up over channels.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations", 2020.

    Arguments and result are those of `grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _gradient_map("hires_cam", call, layer, upsample, relu)


@any_channels(pictures=True)
def layer_cam(
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
    """LayerCAM: positive gradients times activations, added up over channels.

    Jiang et al., "LayerCAM: Exploring hierarchical class activation maps", 2021.

    Arguments and result are those of `grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _gradient_map("layer_cam", call, layer, upsample, relu)


@any_channels(pictures=True)
def xgrad_cam(
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
    """XGrad-CAM: channels weighted by the mean of their gradient, taken over activation.

    Fu et al., "Axiom-based Grad-CAM", 2020. As in pytorch-grad-cam, 1e-7 is added to the sum of
    a channel's activations.

    Arguments and result are those of `grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _gradient_map("xgrad_cam", call, layer, upsample, relu)
