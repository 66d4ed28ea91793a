"""backlit: explains image classifiers on a CPU.

*Light a picture from behind and you see what it is made of.* A model is a list of layers with
their weights; a method takes arrays and returns an array of the input's shape.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backlit.attribution.method_table import METHODS
from backlit.layers import (
    Activation,
    AvgPool2D,
    BatchNorm,
    Clip,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Flatten,
    GlobalAvgPool2D,
    LeakyReLU,
    LogSoftmax,
    MaxPool2D,
    ReLU,
    Residual,
    Sigmoid,
    Softmax,
    Tanh,
)
from backlit.version import VERSION

if TYPE_CHECKING:
    from backlit import datasets, metrics, models, plots
    from backlit.attribution.ablation import feature_ablation, feature_permutation
    from backlit.attribution.blur_integrated_gradients import blur_integrated_gradients
    from backlit.attribution.deeplift import deeplift, deeplift_shap
    from backlit.attribution.eigen_cam import eigen_cam
    from backlit.attribution.expected_gradients import expected_gradients
    from backlit.attribution.full_grad import full_grad
    from backlit.attribution.gradient_cam import (
        grad_cam,
        grad_cam_plus_plus,
        hires_cam,
        layer_cam,
        xgrad_cam,
    )
    from backlit.attribution.gradient_free_cam import ablation_cam, score_cam
    from backlit.attribution.gradients import gradient, saliency
    from backlit.attribution.guided_grad_cam import guided_grad_cam
    from backlit.attribution.guided_integrated_gradients import guided_integrated_gradients
    from backlit.attribution.input_x_gradient import input_x_gradient
    from backlit.attribution.integrated_gradients import integrated_gradients
    from backlit.attribution.jacobian import jacobian
    from backlit.attribution.kernel_shap import kernel_shap
    from backlit.attribution.layer_activation import layer_activation
    from backlit.attribution.layer_attribution import layer_attribution
    from backlit.attribution.layer_gradient import layer_gradient
    from backlit.attribution.lime import lime
    from backlit.attribution.lrp import lrp
    from backlit.attribution.noise_tunnel import noise_tunnel
    from backlit.attribution.occlusion import occlusion
    from backlit.attribution.partition_shap import partition_shap
    from backlit.attribution.relu_rules import deconvnet, guided_backprop
    from backlit.attribution.rise import rise
    from backlit.attribution.shapley import exact_shapley, shapley_sampling
    from backlit.attribution.smoothgrad import smoothgrad
    from backlit.attribution.xrai import xrai
    from backlit.by_name import attribute, methods
    from backlit.completeness import completeness_gap
    from backlit.importers.keras import from_keras
    from backlit.importers.sklearn import from_sklearn
    from backlit.importers.torch import from_torch
    from backlit.model import Model
    from backlit.plots import compare, show_filters, show_saliency, wrong
    from backlit.storage import load, save

__version__ = VERSION

# Found on first use: `import backlit` and `backlit --help` need not wait for what they do not use.
_LATER = {
    "Model": "backlit.model",
    "attribute": "backlit.by_name",
    "compare": "backlit.plots",
    "completeness_gap": "backlit.completeness",
    "datasets": "backlit.datasets",
    "from_keras": "backlit.importers.keras",
    "from_sklearn": "backlit.importers.sklearn",
    "from_torch": "backlit.importers.torch",
    "jacobian": "backlit.attribution.jacobian",
    "layer_activation": "backlit.attribution.layer_activation",
    "layer_attribution": "backlit.attribution.layer_attribution",
    "layer_gradient": "backlit.attribution.layer_gradient",
    "load": "backlit.storage",
    "methods": "backlit.by_name",
    "metrics": "backlit.metrics",
    "models": "backlit.models",
    "noise_tunnel": "backlit.attribution.noise_tunnel",
    "plots": "backlit.plots",
    "save": "backlit.storage",
    "show_filters": "backlit.plots",
    "show_saliency": "backlit.plots",
    "wrong": "backlit.plots",
} | {name: f"backlit.attribution.{entry.module}" for name, entry in METHODS.items()}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'backlit' has no attribute {name!r}")
    module = import_module(_LATER[name])
    found = getattr(module, name, module)
    globals()[name] = found  # over the submodule that an import may have put there
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__all__ = [
    "Activation",
    "AvgPool2D",
    "BatchNorm",
    "Clip",
    "Conv2D",
    "ConvTranspose2D",
    "Dense",
    "Flatten",
    "GlobalAvgPool2D",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool2D",
    "Model",
    "ReLU",
    "Residual",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "ablation_cam",
    "attribute",
    "blur_integrated_gradients",
    "compare",
    "completeness_gap",
    "datasets",
    "deconvnet",
    "deeplift",
    "deeplift_shap",
    "eigen_cam",
    "exact_shapley",
    "expected_gradients",
    "feature_ablation",
    "feature_permutation",
    "from_keras",
    "from_sklearn",
    "from_torch",
    "full_grad",
    "grad_cam",
    "grad_cam_plus_plus",
    "gradient",
    "guided_backprop",
    "guided_grad_cam",
    "guided_integrated_gradients",
    "hires_cam",
    "input_x_gradient",
    "integrated_gradients",
    "jacobian",
    "kernel_shap",
    "layer_activation",
    "layer_attribution",
    "layer_cam",
    "layer_gradient",
    "lime",
    "load",
    "lrp",
    "methods",
    "metrics",
    "models",
    "noise_tunnel",
    "occlusion",
    "partition_shap",
    "plots",
    "rise",
    "saliency",
    "save",
    "score_cam",
    "shapley_sampling",
    "show_filters",
    "show_saliency",
    "smoothgrad",
    "wrong",
    "xgrad_cam",
    "xrai",
]
