"""Known architectures in plain PyTorch, with random weights.

As published (most as in torchvision). Inputs are smaller than there, and so are the dense layers
of AlexNet and VGG-11, so that tests are quick.
"""

from functools import partial

import torch
from torch import nn

from tests.importers.architectures import attention, classic, hybrids, mobile, residual

# name: (constructor, input shape in the tests)
ARCHITECTURES = {
    "LeNet-5": (classic.LeNet5, (1, 28, 28)),
    "AlexNet": (partial(classic.AlexNet, hidden=256), (3, 67, 67)),
    "VGG-11": (partial(classic.VGG11, hidden=256), (3, 32, 32)),
    "ResNet-18": (residual.resnet18, (3, 32, 32)),
    "ResNet-50": (residual.resnet50, (3, 32, 32)),
    "MobileNetV2": (mobile.MobileNetV2, (3, 32, 32)),
    "MobileNetV3-small": (mobile.MobileNetV3Small, (3, 32, 32)),
    "SqueezeNet": (classic.SqueezeNet, (3, 65, 65)),
    "DenseNet-121": (residual.DenseNet121, (3, 32, 32)),
    "GoogLeNet": (classic.GoogLeNet, (3, 32, 32)),
    "ShuffleNetV2": (mobile.ShuffleNetV2, (3, 32, 32)),
    "EfficientNet-B0": (mobile.EfficientNetB0, (3, 32, 32)),
    "mini-Xception": (mobile.MiniXception, (3, 64, 64)),
    "tabular": (classic.Tabular, (23,)),
    "ConvNeXt": (mobile.ConvNeXt, (3, 64, 64)),
    "U-Net": (residual.UNetClassifier, (3, 32, 32)),
    "CIFAR ResNet-20": (residual.CifarResNet20, (3, 32, 32)),
}


# The same, of networks that move the samples' axis or make one axis of it and another
TRANSFORMERS = {
    "ViT": (attention.VisionTransformer, (3, 32, 32)),
    "Swin": (attention.Swin, (3, 32, 32)),
}
HYBRIDS = {
    "LeViT": (hybrids.LeViT, (3, 32, 32)),
    "VOLO": (hybrids.VOLO, (3, 32, 32)),
    "EMA": (hybrids.EMANet, (3, 32, 32)),
    "BoTNet": (hybrids.BoTNet, (3, 32, 32)),
    "MobileViT": (hybrids.MobileViT, (3, 32, 32)),
}
EVERY = ARCHITECTURES | TRANSFORMERS | HYBRIDS
# Smaller images leave too few values to estimate statistics from
CALIBRATION_SIZE = 64


def build(name):
    """An architecture with random weights, in evaluation mode.

    The statistics of normalisations are those of a random batch, stirred a little, so that
    activations stay in a sane range at every depth; scales and shifts are random too.
    """
    constructor, shape = EVERY[name]
    torch.manual_seed(0)
    module = constructor()
    if name in ARCHITECTURES and any(isinstance(p, nn.BatchNorm2d) for p in module.modules()):
        shape = (3, CALIBRATION_SIZE, CALIBRATION_SIZE)
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm | nn.GroupNorm | nn.LayerNorm):
            nn.init.uniform_(part.weight, 0.6, 1.4)
            nn.init.normal_(part.bias, 0, 0.2)
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.momentum = None  # the mean over batches: here one
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.normal_(part.bias, 0, 0.1)
    with torch.no_grad():
        module.train()(torch.randn(16, *shape))
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean += 0.1 * part.running_var.sqrt() * torch.randn_like(part.running_mean)
            part.running_var *= torch.empty_like(part.running_var).uniform_(0.8, 1.25)
    return module.eval()
