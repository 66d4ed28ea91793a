"""Class activation maps against pytorch-grad-cam, before or after it scales them to 0 ... 1.

It asks for torchvision but needs it for no more than names: ``pip install --no-deps grad-cam ttach
opencv-python-headless``. (Its Score-CAM enlarges masks in another way than maps, and its FullGrad
scales other things: the docstrings of ours say which.)
"""

from types import MethodType

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.test_peers import twin
from tests.torchvision_stand_in import stand_in_for_torchvision

torch = pytest.importorskip("torch")
stand_in_for_torchvision()
peer = pytest.importorskip("pytorch_grad_cam")
from pytorch_grad_cam.utils.model_targets import (  # noqa: E402
    BinaryClassifierOutputTarget,
    ClassifierOutputSoftmaxTarget,
    ClassifierOutputTarget,
)

METHODS = {
    "grad_cam": peer.GradCAM,
    "grad_cam_plus_plus": peer.GradCAMPlusPlus,
    "hires_cam": peer.HiResCAM,
    "layer_cam": peer.LayerCAM,
    "xgrad_cam": peer.XGradCAM,
    "ablation_cam": peer.AblationCAM,
    "eigen_cam": peer.EigenCAM,
}


def native_maps(cam):
    """Let a peer return its maps as they are, of the layer's size."""

    def per_layer(self, x, targets, eigen_smooth):
        kept = self.activations_and_grads
        arrays = [a[0].detach().numpy() if a else None for a in (kept.activations, kept.gradients)]
        maps = self.get_cam_image(x, self.target_layers[0], targets, *arrays, eigen_smooth)
        return [np.maximum(maps, 0)]

    cam.compute_cam_per_layer = MethodType(per_layer, cam)
    cam.aggregate_multi_layers = lambda maps: maps[0]
    return cam


@pytest.mark.parametrize("layer", [4, 5])
@pytest.mark.parametrize("name", METHODS)
def test_maps(name, layer, models, mnist):
    model, X = models["mnist_cnn"], mnist[0][:8]
    target, network = model.predict(X), twin(models["mnist_cnn"])
    cam = native_maps(METHODS[name](model=network, target_layers=[network[layer]]))
    targets = [ClassifierOutputTarget(int(t)) for t in target]
    expected = cam(input_tensor=torch.tensor(X), targets=targets)
    found = getattr(bl, name)(model, X, target, layer=layer, upsample=False).reshape(expected.shape)
    if name == "eigen_cam":  # a principal component has no sign of its own
        alike = [np.abs(f - e).max() < 1e-4 * e.max() for f, e in zip(found, expected, strict=True)]
        assert sum(alike) >= len(X) // 2
        return
    assert_close(found, expected, 1e-5)


@pytest.mark.parametrize("name", [name for name in METHODS if name != "eigen_cam"])
def test_several_layers(name, models, mnist):
    model, X, layers = models["mnist_cnn"], mnist[0][:8], [1, 4, 5]
    target, network = model.predict(X), twin(models["mnist_cnn"])
    targets = [ClassifierOutputTarget(int(t)) for t in target]
    cam = METHODS[name](model=network, target_layers=[network[layer] for layer in layers])
    expected = cam(input_tensor=torch.tensor(X), targets=targets)
    found = getattr(bl, name)(model, X, target, layer=layers)[:, 0]
    assert_close(in_range(found), expected, 1e-4)


TARGETS = {  # their kind, the model's outputs, and ours
    "predicted": (None, "classes", {}),
    "class 2": (ClassifierOutputTarget, "classes", {"target": 2}),
    "probability": (
        ClassifierOutputSoftmaxTarget,
        "classes",
        {"target": 2, "score": "probability"},
    ),
    "no": (BinaryClassifierOutputTarget, "binary", {"target": 0}),
    "yes": (BinaryClassifierOutputTarget, "binary", {"target": 1}),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", [*sorted(METHODS.keys() - {"eigen_cam"}), "score_cam"])
def test_targets(name, kind, rng):
    """Of layers of the input's size, for which Score-CAM's masks are alike as well."""
    theirs, outputs, ours = TARGETS[kind]
    dense = bl.Dense(rng.normal(size=(120, 4 if outputs == "classes" else 1)) / 20)
    layers = [bl.Conv2D(rng.normal(size=(6, 3, 3, 3)), padding=1), bl.ReLU(), bl.MaxPool2D(2)]
    model = bl.Model([*layers, bl.Flatten(), dense], (3, 8, 10), outputs=outputs)
    X, network = rng.normal(size=(5, 3, 8, 10)).astype(np.float32), twin(model).double()
    targets = theirs and [theirs(ours["target"])] * 5
    for layer in (0, 1):
        if name in ("ablation_cam", "grad_cam_plus_plus") and layer == 0:
            continue  # of negative values one is another method, the other may divide by nearly 0
        of = (METHODS | {"score_cam": peer.ScoreCAM})[name]
        cam = native_maps(of(model=network, target_layers=[network[layer]]))
        expected = cam(input_tensor=torch.tensor(X).double(), targets=targets)
        assert_close(getattr(bl, name)(model, X, layer=layer, **ours)[:, 0], expected, 1e-4)


def in_range(maps):
    maps = maps - maps.min(axis=(1, 2), keepdims=True)
    return maps / maps.max(axis=(1, 2), keepdims=True)


def test_full_grad_of_layers_of_one_channel(rng):
    """Where there is one channel, it makes no difference that theirs scales each by itself."""
    filters = [rng.normal(size=(1, 1, 3, 3)) for _ in range(3)]
    layers = [bl.Conv2D(f, rng.normal(size=1), padding=1) for f in filters]
    layers = [layers[0], bl.ReLU(), bl.MaxPool2D(2), layers[1], bl.ReLU(), layers[2], bl.ReLU()]
    dense = bl.Dense(rng.normal(size=(6 * 5, 4)), rng.normal(size=4))
    model = bl.Model([*layers, bl.Flatten(), dense], (1, 12, 10))
    X = rng.normal(size=(6, 1, 12, 10)).astype(np.float32)
    target = model.predict(X)
    targets = [ClassifierOutputTarget(int(t)) for t in target]
    expected = peer.FullGrad(twin(model), [])(input_tensor=torch.tensor(X), targets=targets)
    assert_close(in_range(bl.full_grad(model, X, target)[:, 0]), expected, 1e-4)
