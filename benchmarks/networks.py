"""Real architectures with random weights, and what is measured on them.

ResNet-18 (He et al., 2015), MobileNetV2 (Sandler et al., 2018), VGG-11 (Simonyan and Zisserman,
2014), and ResNet-20 for small pictures (He et al., 2015).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import backlit as bl
from backlit.layers import Layer


class _Weights:
    """Layers with weights that keep activations of unit size (He et al., 2015)."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def conv(self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1):
        shape = outputs, inputs // groups, size, size
        weights = self.rng.standard_normal(shape, np.float32)
        weights *= np.sqrt(2 / np.prod(shape[1:]))
        return bl.Conv2D(weights, None, stride, size // 2, groups=groups)

    def norm(self, channels: int):
        gamma, variance = self.rng.uniform(0.5, 1.5, (2, channels))
        beta, mean = self.rng.normal(0, 0.1, (2, channels))
        return bl.BatchNorm(gamma, beta, mean, variance)

    def dense(self, inputs: int, outputs: int):
        weights = self.rng.standard_normal((inputs, outputs), np.float32)
        return bl.Dense(weights * np.float32(np.sqrt(2 / inputs)))

    def block(self, inputs: int, outputs: int, stride: int) -> list[Layer]:
        """Two 3x3 convolutions, and what goes past them."""
        plain = stride == 1 and inputs == outputs
        shortcut = [] if plain else [self.conv(inputs, outputs, 1, stride), self.norm(outputs)]
        body = [
            self.conv(inputs, outputs, 3, stride),
            self.norm(outputs),
            bl.ReLU(),
            self.conv(outputs, outputs, 3),
            self.norm(outputs),
        ]
        return [bl.Residual(body, shortcut), bl.ReLU()]

    def inverted(self, inputs: int, outputs: int, stride: int, expansion: int) -> list[Layer]:
        """Wider by a 1x1 convolution, depthwise, and narrow again."""
        wide = inputs * expansion
        body = [self.conv(inputs, wide, 1), self.norm(wide), bl.Clip(0, 6)] * (expansion > 1)
        body += [self.conv(wide, wide, 3, stride, wide), self.norm(wide), bl.Clip(0, 6)]
        body += [self.conv(wide, outputs, 1), self.norm(outputs)]
        return [bl.Residual(body)] if stride == 1 and inputs == outputs else body

    def head(self, channels: int, classes: int) -> list[Layer]:
        return [bl.GlobalAvgPool2D(), bl.Flatten(), self.dense(channels, classes)]


def resnet18() -> bl.Model:
    make = _Weights()
    layers = [make.conv(3, 64, 7, 2), make.norm(64), bl.ReLU(), bl.MaxPool2D(3, 2, 1)]
    channels = 64
    for outputs, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        layers += make.block(channels, outputs, stride) + make.block(outputs, outputs, 1)
        channels = outputs
    return bl.Model(layers + make.head(512, 1000), (3, 224, 224))


def resnet20() -> bl.Model:
    make = _Weights()
    layers = [make.conv(3, 16, 3), make.norm(16), bl.ReLU()]
    channels = 16
    for outputs, stride in [(16, 1), (32, 2), (64, 2)]:
        for first in (stride, 1, 1):
            layers += make.block(channels, outputs, first)
            channels = outputs
    return bl.Model(layers + make.head(64, 10), (3, 32, 32))


def mobilenet_v2() -> bl.Model:
    make = _Weights()
    layers = [make.conv(3, 32, 3, 2), make.norm(32), bl.Clip(0, 6)]
    channels = 32
    for expansion, outputs, count, stride in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]:
        for number in range(count):
            layers += make.inverted(channels, outputs, 1 if number else stride, expansion)
            channels = outputs
    layers += [make.conv(320, 1280, 1), make.norm(1280), bl.Clip(0, 6)]
    return bl.Model(layers + make.head(1280, 1000), (3, 224, 224))


def vgg11() -> bl.Model:
    make = _Weights()
    layers: list[Layer] = []
    channels = 3
    for group in [(64,), (128,), (256, 256), (512, 512), (512, 512)]:
        for outputs in group:
            layers += [make.conv(channels, outputs, 3), bl.ReLU()]
            channels = outputs
        layers.append(bl.MaxPool2D(2))
    layers += [bl.Flatten(), make.dense(512 * 7 * 7, 4096), bl.ReLU()]
    layers += [make.dense(4096, 4096), bl.ReLU(), make.dense(4096, 1000)]
    return bl.Model(layers, (3, 224, 224))


@dataclass(frozen=True, eq=False)
class Network:
    """`batches`: how many images in a call; the best of each contender counts.

    Goals are (at least, aim), by peer: for input gradients, for those of a single image, and for
    the forward pass against onnxruntime.
    """

    name: str
    make: Callable[[], bl.Model]
    batches: tuple[int, ...]
    goals: dict[str, tuple[float, float]]
    single: dict[str, tuple[float, float]]
    forward: tuple[float, float] | None = None

    def __str__(self) -> str:
        return self.name


NETWORKS = [
    Network(
        "ResNet-18",
        resnet18,
        (1, 8, 32),
        {"pytorch": (1.3, 2.5), "captum": (1.8, 3.5)},
        {"pytorch": (1, 2), "captum": (1.4, 2.5)},
        (0.8, 1.2),
    ),
    Network(
        "MobileNetV2",
        mobilenet_v2,
        (1, 8, 32),
        {"pytorch": (3, 6), "captum": (4, 8)},
        {},
        (0.8, 1.2),
    ),
    Network("VGG-11", vgg11, (1, 8, 32), {"pytorch": (1.2, 2.5), "captum": (1.8, 3.5)}, {}),
    Network("ResNet-20", resnet20, (1, 64, 256), {"pytorch": (2.5, 5), "captum": (4, 8)}, {}),
]
