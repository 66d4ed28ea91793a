"""The peers of attribution methods, each as its documentation has it used, in its fastest setting.

A peer is made from the model's PyTorch twin, and explains a batch of inputs for given targets.
`per_eval` is how many perturbed copies of an image share a forward pass, where a peer asks.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from captum import attr
from captum._utils.models.linear_model import SkLearnRidge
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn

import backlit as bl
from tests.torchvision_stand_in import stand_in_for_torchvision

Explain = Callable[[Tensor, Tensor, int], Tensor]

GRID, SEGMENTS = 7, 49  # segments of perturbation methods: a grid of 7 x 7
SAMPLES = 500  # coalitions of KernelSHAP and LIME
KERNEL_WIDTH = 0.25  # of LIME
EPSILON = 1e-6  # of LRP
TINY = 1e-30  # where nothing is to be added: by 0, pooled outputs of 0 give NaN


@cache  # its loading is not to be timed
def background(shape: tuple[int, ...], count: int = 10) -> np.ndarray:
    """Baselines: the last images of the test set."""
    return np.ascontiguousarray(bl.datasets.mnist()[0][-count:]).reshape(count, *shape)


def integrated_gradients(module: nn.Module) -> Explain:
    peer = attr.IntegratedGradients(module)
    return lambda x, t, _: peer.attribute(x, target=t, n_steps=50, method="gausslegendre")


def smoothgrad(module: nn.Module) -> Explain:
    peer = attr.NoiseTunnel(attr.Saliency(module))
    return lambda x, t, _: peer.attribute(x, target=t, nt_samples=50, stdevs=0.1, abs=False)


def gradient_shap(module: nn.Module) -> Explain:
    peer = attr.GradientShap(module)
    return lambda x, t, _: peer.attribute(x, _background(x), n_samples=50, target=t)


def deeplift(module: nn.Module) -> Explain:
    peer = attr.DeepLift(module)
    return lambda x, t, _: peer.attribute(x, target=t)


def deeplift_shap(module: nn.Module) -> Explain:
    peer = attr.DeepLiftShap(module)
    return lambda x, t, _: peer.attribute(x, _background(x), target=t)


def grad_cam(module: nn.Sequential) -> Explain:
    last = [layer for layer in module if isinstance(layer, nn.MaxPool2d)][-1]
    peer = attr.LayerGradCam(module, last)

    def explain(x, t, _):
        small = peer.attribute(x, target=t, relu_attributions=True)
        return attr.LayerAttribution.interpolate(small, x.shape[2:], "bilinear")

    return explain


def guided_backprop(module: nn.Module) -> Explain:
    peer = attr.GuidedBackprop(module)
    return lambda x, t, _: peer.attribute(x, target=t)


def lrp(module: nn.Module) -> Explain:
    peer = attr.LRP(module)

    def explain(x, t, _):
        for layer in module.modules():  # Captum takes the rules away after each call
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.rule = EpsilonRule(EPSILON)
            elif isinstance(layer, nn.Flatten | nn.MaxPool2d):
                layer.rule = EpsilonRule(TINY)
        return peer.attribute(x, target=t)

    return explain


def zennit_lrp(module: nn.Module) -> Explain:
    stand_in_for_torchvision()
    from zennit.attribution import Gradient
    from zennit.composites import LayerMapComposite
    from zennit.rules import Epsilon, Pass

    rules = [(nn.ReLU, Pass()), (nn.Conv2d, Epsilon(EPSILON)), (nn.Linear, Epsilon(EPSILON))]
    composite = LayerMapComposite(rules)

    def explain(x, t, _):
        def score(logits):
            return logits * nn.functional.one_hot(t, logits.shape[1])

        with Gradient(module, composite) as attributor:
            return attributor(x, score)[1]

    return explain


def occlusion(stride: int) -> Callable[[nn.Module], Explain]:
    def make(module: nn.Module) -> Explain:
        peer = attr.Occlusion(module)
        steps = (1, stride, stride)
        return lambda x, t, per_eval: peer.attribute(
            x, (1, 4, 4), steps, target=t, perturbations_per_eval=per_eval
        )

    return make


def kernel_shap(module: nn.Module) -> Explain:
    return _by_segment(attr.KernelShap(module))


def lime(module: nn.Module) -> Explain:
    """With the `lime` package's regression, weights and drawing, which backlit follows."""

    def weight(_original, _perturbed, kept, **_):
        distance = 1 - kept.double().mean().sqrt()
        return torch.exp(-(distance**2) / KERNEL_WIDTH**2).sqrt()

    def draw(_original, **kwargs):
        return torch.randint(2, (1, kwargs["num_interp_features"]))

    ridge = SkLearnRidge(alpha=1.0)
    return _by_segment(attr.Lime(module, ridge, similarity_func=weight, perturb_func=draw))


def lime_package(module: nn.Module) -> Explain:
    from lime.lime_image import LimeImageExplainer

    peer = LimeImageExplainer(kernel_width=KERNEL_WIDTH, feature_selection="none")
    parts = segments().numpy()

    def score(images):  # lime explains colour images
        grey = np.ascontiguousarray(images[..., 0], dtype=np.float32)
        with torch.no_grad():
            return module(torch.from_numpy(grey)[:, None]).numpy()

    def explain(x, t, per_eval):
        maps = torch.empty_like(x)
        for image, target, out in zip(x.detach().numpy(), t.tolist(), maps, strict=True):
            found = peer.explain_instance(
                image[0].astype(np.float64),
                score,
                labels=(target,),
                hide_color=0,
                top_labels=None,
                num_samples=SAMPLES,
                batch_size=per_eval,
                segmentation_fn=lambda _: parts,
            )
            values = dict(found.local_exp[target])
            out[0] = torch.tensor([values[s] for s in range(SEGMENTS)])[parts]
        return maps

    return explain


def shap_kernel(module: nn.Module) -> Explain:
    from shap import KernelExplainer

    parts = segments()

    def explain(x, t, _):
        maps = torch.empty_like(x)
        for image, target, out in zip(x.detach(), t.tolist(), maps, strict=True):

            def score(kept, image=image, target=target):
                masks = torch.from_numpy(np.asarray(kept, np.float32))[:, parts]
                with torch.no_grad():
                    return module(masks[:, None] * image)[:, target].numpy()

            peer = KernelExplainer(score, np.zeros((1, SEGMENTS)))
            values = peer.shap_values(
                np.ones((1, SEGMENTS)), nsamples=SAMPLES, l1_reg=False, silent=True
            )
            out[0] = torch.from_numpy(values[0])[parts]
        return maps

    return explain


def shap_deep(module: nn.Module) -> Explain:
    from shap import DeepExplainer

    shape = next(m for m in module if isinstance(m, nn.Conv2d)).in_channels, 28, 28
    peer = DeepExplainer(module, torch.from_numpy(background(shape)))
    return lambda x, t, _: _top(peer.shap_values(x, ranked_outputs=1, check_additivity=False))


def shap_gradient(module: nn.Module) -> Explain:
    from shap import GradientExplainer

    shape = next(m for m in module if isinstance(m, nn.Conv2d)).in_channels, 28, 28
    peer = GradientExplainer(module, torch.from_numpy(background(shape)), batch_size=200)
    return lambda x, t, _: _top(peer.shap_values(x, nsamples=200, ranked_outputs=1))


def segments() -> Tensor:
    """The segment of each pixel."""
    along = torch.arange(28) * GRID // 28
    return along[:, None] * GRID + along


def _by_segment(peer) -> Explain:
    parts = segments()
    return lambda x, t, per_eval: peer.attribute(
        x, target=t, feature_mask=parts, n_samples=SAMPLES, perturbations_per_eval=per_eval
    )


def _background(x: Tensor) -> Tensor:
    return torch.from_numpy(background(tuple(x.shape[1:]))).to(x.dtype)


def _top(found) -> Tensor:
    """shap's maps of the class with the largest score: the targets, being predicted."""
    return torch.from_numpy(np.asarray(found[0])[..., 0])
