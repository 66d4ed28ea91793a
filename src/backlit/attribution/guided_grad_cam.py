"""Guided Grad-CAM: guided backpropagation, where Grad-CAM says that it matters.

Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based
localization", 2017, section 3.2: the product of both, pixel by pixel.
"""

from math import prod
from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.cam_layers import Layers
from backlit.attribution.gradient_cam import grad_cam
from backlit.attribution.relu_rules import guided_backprop
from backlit.attribution.sample_axes import any_channels
from backlit.model import Model
from backlit.progress import progress_bar


@any_channels(pictures=True)
def guided_grad_cam(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    layer: Layers = None,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Guided backpropagation times Grad-CAM, enlarged bilinearly.

    Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based
    localization", 2017. Equal to Captum's `GuidedGradCam` with ``interpolate_mode="bilinear"``
    (its default, "nearest", leaves squares).

    Parameters
    ----------
    layer : int, str, or list of these, optional
        As for `backlit.grad_cam`: the layer whose output makes the map, or several.
    model, X, target, score, threads, progress, out, memory
        As for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range, and models without such a layer.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    result = call.result()
    common: dict[str, Any] = {"score": score, "threads": threads, "memory": memory}
    common["progress"] = progress
    with progress_bar(2 * len(result), "explaining", progress):
        where = grad_cam(model, call.samples, call.targets, layer=layer, **common)
        guided_backprop(model, call.samples, call.targets, out=result, **common)
    channels = prod(result.shape[1:]) // prod(where.shape[2:])
    result *= np.repeat(where, channels, axis=1).reshape(result.shape)
    return result
