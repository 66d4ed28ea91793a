"""The table that drives the benchmarks of methods: what is measured, and how fast it has to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import method_peers as peers
import numpy as np

import backlit as bl

BACKGROUND, STEPS = 10, 50
TEST_SET = 10_000  # images, where a peer takes no more than a second or so for them


@dataclass(frozen=True)
class Batch:
    """How a peer takes images: so many in a call, and so many perturbed copies in a pass."""

    images: int
    per_eval: int = 1

    def __str__(self) -> str:
        return f"{self.images}" if self.per_eval == 1 else f"{self.images} × {self.per_eval}"


GRADIENTS = tuple(Batch(n) for n in (32, 128, 256, 512))
PATHS = tuple(Batch(n) for n in (4, 16, 64))
WINDOWS = tuple(Batch(n, m) for n, m in ((1, 49), (8, 8), (16, 16), (64, 1), (64, 4)))
COALITIONS = tuple(Batch(16, m) for m in (50, 125, 250, 500))
ONE = (Batch(16),)
SHAP = tuple(Batch(n) for n in (1, 4, 16, 64))


@dataclass(frozen=True)
class Peer:
    """One peer, the batches tried to find its best on the first `search` images, and the goal.

    The goal is how many times as fast backlit has to be: (at least, aim).
    """

    make: Callable
    batches: tuple[Batch, ...]
    search: int
    goal: tuple[float, float]


@dataclass(frozen=True, eq=False)
class MethodCase:
    """A method of ours and its peers, on the same `images`.

    `random` methods are compared as estimates, others map by map. `visits` gives the points
    of the path between 0 and the input where gradients are taken (1: the input itself). With
    `copies` results are checked on a twin that Captum's DeepLIFT gets right.
    """

    method: str
    model: str
    images: int
    ours: Callable
    peers: Mapping[str, Peer]
    random: bool = False
    visits: tuple[float, ...] = (1.0,)
    copies: bool = False

    def __str__(self) -> str:
        return f"{self.method}-{self.model}".replace(" ", "-").replace(",", "")


def _explain(name: str, background: int = 0, **options) -> Callable:
    """backlit's function of that name, with these options, on two threads."""

    def run(model, x, target, out):
        more = {"background": peers.background(x.shape[1:], background)} if background else {}
        getattr(bl, name)(model, x, target, threads=2, out=out, **options, **more)

    return run


def _captum(make: Callable, batches: tuple[Batch, ...], search: int, goal) -> dict[str, Peer]:
    return {"Captum": Peer(make, batches, search, goal)}


def _integrated_gradients(model: str, images: int, goal: tuple[float, float]) -> MethodCase:
    nodes = (np.polynomial.legendre.leggauss(STEPS)[0] + 1) / 2
    return MethodCase(
        "integrated gradients, 50 steps",
        model,
        images,
        _explain("integrated_gradients", steps=STEPS),
        _captum(peers.integrated_gradients, PATHS, min(images, 64), goal),
        visits=tuple(nodes),
    )


def _cnn(method: str, images: int, ours: Callable, others: dict[str, Peer], **more) -> MethodCase:
    return MethodCase(method, "mnist_cnn", images, ours, others, **more)


CASES = [
    _integrated_gradients("mnist_fc", 64, (20, 40)),
    _integrated_gradients("mnist_cnn", 64, (25, 60)),
    _integrated_gradients("mnist_cnn_wide", 16, (3, 8)),
    _cnn(
        "SmoothGrad, 50 samples",
        64,
        _explain("smoothgrad", samples=50, noise=0.1, relative=False),
        _captum(peers.smoothgrad, PATHS, 64, (20, 40)),
        random=True,
    ),
    _cnn(
        "GradientSHAP, 50 samples, 10 baselines",
        64,
        _explain("expected_gradients", BACKGROUND, samples=50),
        _captum(peers.gradient_shap, PATHS, 64, (20, 60)),
        random=True,
    ),
    _cnn(
        "GradientSHAP, 200 samples, 10 baselines",
        64,
        _explain("expected_gradients", BACKGROUND, samples=200),
        {"shap GradientExplainer": Peer(peers.shap_gradient, SHAP, 64, (100, 500))},
        random=True,
    ),
    _cnn(
        "DeepLIFT",
        1024,
        _explain("deeplift"),
        _captum(peers.deeplift, GRADIENTS, 512, (30, 80)),
        copies=True,
    ),
    _cnn(
        "DeepLIFT-SHAP, 10 baselines",
        64,
        _explain("deeplift_shap", BACKGROUND),
        {
            "Captum": Peer(peers.deeplift_shap, PATHS, 64, (40, 100)),
            "shap DeepExplainer": Peer(peers.shap_deep, (Batch(64),), 64, (100, 500)),
        },
        copies=True,
    ),
    _cnn(
        "Grad-CAM",
        TEST_SET,
        _explain("grad_cam"),
        _captum(peers.grad_cam, GRADIENTS, 512, (20, 60)),
    ),
    _cnn(
        "guided backprop",
        TEST_SET,
        _explain("guided_backprop"),
        _captum(peers.guided_backprop, GRADIENTS, 512, (20, 60)),
    ),
    _cnn(
        "LRP, epsilon rule",
        512,
        _explain("lrp", rule="epsilon", epsilon=peers.EPSILON),
        {
            "Captum": Peer(peers.lrp, GRADIENTS, 512, (20, 60)),
            "zennit": Peer(peers.zennit_lrp, GRADIENTS, 512, (20, 60)),
        },
    ),
    _cnn(
        "occlusion 4x4, stride 1",
        64,
        _explain("occlusion", window=4, stride=1),
        _captum(peers.occlusion(1), WINDOWS, 16, (40, 150)),
    ),
    _cnn(
        "occlusion 4x4, stride 4",
        256,
        _explain("occlusion", window=4, stride=4),
        _captum(peers.occlusion(4), WINDOWS, 64, (40, 150)),
    ),
    _cnn(
        "KernelSHAP, 500 samples, 49 segments",
        32,
        _explain("kernel_shap", segments=peers.GRID, samples=peers.SAMPLES),
        {
            "Captum": Peer(peers.kernel_shap, COALITIONS, 2, (100, 300)),
            "shap KernelExplainer": Peer(peers.shap_kernel, ONE, 2, (100, 300)),
        },
        random=True,
    ),
    _cnn(
        "LIME, 500 samples, 49 segments",
        32,
        _explain("lime", segments=peers.GRID, samples=peers.SAMPLES),
        {
            "Captum": Peer(peers.lime, COALITIONS, 2, (100, 300)),
            "lime": Peer(peers.lime_package, COALITIONS, 2, (100, 300)),
        },
        random=True,
    ),
]
