"""backlit: explains image classifiers on a CPU.

*Light a picture from behind and you see what it is made of.* A model is a list of layers with
their weights; a method takes arrays and returns an array of the input's shape.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backlit.layers import (
    AvgPool2D,
    BatchNorm,
    Clip,
    Conv2D,
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
from backlit.methods.registry import METHODS
from backlit.model import Model
from backlit.storage import load, save
from backlit.version import VERSION

if TYPE_CHECKING:
    from backlit import datasets, metrics, models, plots
    from backlit.by_name import attribute, completeness_gap, methods
    from backlit.methods.ablation import feature_ablation, feature_permutation
    from backlit.methods.deeplift import deeplift, deeplift_shap
    from backlit.methods.gradients import gradient, saliency
    from backlit.methods.integrated_gradients import integrated_gradients
    from backlit.methods.kernel_shap import kernel_shap
    from backlit.methods.lime import lime
    from backlit.methods.lrp import lrp
    from backlit.methods.occlusion import occlusion
    from backlit.methods.partition_shap import partition_shap
    from backlit.methods.rise import rise
    from backlit.methods.shapley import exact_shapley, shapley_sampling
    from backlit.plots import compare, show_filters, show_saliency, wrong

__version__ = VERSION

# Found on first use, so that `import backlit` needs numpy and numba alone.
_LATER = {
    "attribute": "backlit.by_name",
    "compare": "backlit.plots",
    "completeness_gap": "backlit.by_name",
    "datasets": "backlit.datasets",
    "jacobian": "backlit.methods.jacobian",
    "layer_activation": "backlit.methods.layer_attribution",
    "layer_attribution": "backlit.methods.layer_attribution",
    "layer_gradient": "backlit.methods.layer_attribution",
    "methods": "backlit.by_name",
    "metrics": "backlit.metrics",
    "models": "backlit.models",
    "plots": "backlit.plots",
    "show_filters": "backlit.plots",
    "show_saliency": "backlit.plots",
    "wrong": "backlit.plots",
} | {name: f"backlit.methods.{entry.module}" for name, entry in METHODS.items()}


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
    "AvgPool2D",
    "BatchNorm",
    "Clip",
    "Conv2D",
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
    "compare",
    "datasets",
    "deeplift",
    "deeplift_shap",
    "exact_shapley",
    "feature_ablation",
    "feature_permutation",
    "gradient",
    "kernel_shap",
    "lime",
    "load",
    "lrp",
    "metrics",
    "models",
    "occlusion",
    "partition_shap",
    "plots",
    "rise",
    "saliency",
    "save",
    "shapley_sampling",
    "show_filters",
    "show_saliency",
    "wrong",
]
