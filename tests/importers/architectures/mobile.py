"""Depthwise convolutions: MobileNets, ShuffleNetV2, EfficientNet-B0, Xception, ConvNeXt."""

import torch
from torch import nn


def whole(value, divisor=8):
    """The nearest multiple, at least nine tenths of the value."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def conv_norm(channels, width, size, stride=1, groups=1, activation=nn.ReLU6, eps=1e-5):
    parts = [
        nn.Conv2d(channels, width, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width, eps=eps),
    ]
    if activation is not None:
        parts.append(activation(inplace=True))
    return nn.Sequential(*parts)


class InvertedResidual(nn.Module):
    def __init__(self, channels, width, stride, expand):
        super().__init__()
        inner = channels * expand
        parts = [conv_norm(channels, inner, 1)] if expand != 1 else []
        parts += [conv_norm(inner, inner, 3, stride, inner)]
        parts += [nn.Conv2d(inner, width, 1, bias=False), nn.BatchNorm2d(width)]
        self.conv = nn.Sequential(*parts)
        self.adds = stride == 1 and channels == width

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018."""

    def __init__(self, classes=1000):
        super().__init__()
        parts, channels = [conv_norm(3, 32, 3, 2)], 32
        table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2))
        for expand, width, depth, stride in (*table, (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
            for number in range(depth):
                parts.append(InvertedResidual(channels, width, 1 if number else stride, expand))
                channels = width
        self.features = nn.Sequential(*parts, conv_norm(320, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(torch.flatten(x, 1))


class SqueezeExcitation(nn.Module):
    def __init__(self, channels, squeezed, activation, gate):
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation, self.gate = activation, gate

    def forward(self, x):
        return self.gate(self.fc2(self.activation(self.fc1(self.avgpool(x))))) * x


class MobileBlock(nn.Module):
    """The block of MobileNetV3."""

    def __init__(self, channels, size, inner, width, squeezes, activation, stride):
        super().__init__()
        eps = 1e-3
        parts = [conv_norm(channels, inner, 1, activation=activation, eps=eps)]
        if inner == channels:
            parts = []
        parts.append(conv_norm(inner, inner, size, stride, inner, activation, eps))
        if squeezes:
            gate = nn.Hardsigmoid()
            parts.append(SqueezeExcitation(inner, whole(inner // 4), nn.ReLU(), gate))
        parts.append(conv_norm(inner, width, 1, activation=None, eps=eps))
        self.block = nn.Sequential(*parts)
        self.adds = stride == 1 and channels == width

    def forward(self, x):
        result = self.block(x)
        if self.adds:
            result += x
        return result


class MobileNetV3Small(nn.Module):
    """Howard et al. 2019."""

    def __init__(self, classes=1000):
        super().__init__()
        R, H = nn.ReLU, nn.Hardswish
        table = (
            (16, 3, 16, 16, True, R, 2),
            (16, 3, 72, 24, False, R, 2),
            (24, 3, 88, 24, False, R, 1),
            (24, 5, 96, 40, True, H, 2),
            (40, 5, 240, 40, True, H, 1),
            (40, 5, 240, 40, True, H, 1),
            (40, 5, 120, 48, True, H, 1),
            (48, 5, 144, 48, True, H, 1),
            (48, 5, 288, 96, True, H, 2),
            (96, 5, 576, 96, True, H, 1),
            (96, 5, 576, 96, True, H, 1),
        )
        self.features = nn.Sequential(
            conv_norm(3, 16, 3, 2, activation=H, eps=1e-3),
            *(MobileBlock(*row) for row in table),
            conv_norm(96, 576, 1, activation=H, eps=1e-3),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(576, 1024), H(inplace=True), nn.Dropout(0.2), nn.Linear(1024, classes)
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class ShuffleUnit(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        half, self.stride = width // 2, stride
        if stride > 1:
            self.branch1 = nn.Sequential(
                conv_norm(channels, channels, 3, stride, channels, None),
                conv_norm(channels, half, 1, activation=nn.ReLU),
            )
        self.branch2 = nn.Sequential(
            conv_norm(channels if stride > 1 else half, half, 1, activation=nn.ReLU),
            conv_norm(half, half, 3, stride, half, None),
            conv_norm(half, half, 1, activation=nn.ReLU),
        )

    def forward(self, x):
        if self.stride == 1:
            x1, x2 = x.chunk(2, dim=1)
            out = torch.cat((x1, self.branch2(x2)), dim=1)
        else:
            out = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
        n, channels, height, width = out.size()
        out = out.view(n, 2, channels // 2, height, width)
        return torch.transpose(out, 1, 2).contiguous().view(n, channels, height, width)


class ShuffleNetV2(nn.Module):
    """Ma et al. 2018, 1.0x."""

    def __init__(self, classes=1000):
        super().__init__()
        self.conv1 = conv_norm(3, 24, 3, 2, activation=nn.ReLU)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        units, channels = [], 24
        for width, depth in ((116, 4), (232, 8), (464, 4)):
            for number in range(depth):
                units.append(ShuffleUnit(channels, width, 1 if number else 2))
                channels = width
        self.stages = nn.Sequential(*units)
        self.conv5 = conv_norm(464, 1024, 1, activation=nn.ReLU)
        self.fc = nn.Linear(1024, classes)

    def forward(self, x):
        x = self.conv5(self.stages(self.maxpool(self.conv1(x))))
        return self.fc(x.mean([2, 3]))


class MBConv(nn.Module):
    """The block of EfficientNet."""

    def __init__(self, channels, width, expand, size, stride):
        super().__init__()
        inner = channels * expand
        parts = [conv_norm(channels, inner, 1, activation=nn.SiLU)] if expand != 1 else []
        parts.append(conv_norm(inner, inner, size, stride, inner, nn.SiLU))
        squeezed = max(1, channels // 4)
        parts.append(SqueezeExcitation(inner, squeezed, nn.SiLU(inplace=True), nn.Sigmoid()))
        parts.append(conv_norm(inner, width, 1, activation=None))
        self.block = nn.Sequential(*parts)
        self.adds = stride == 1 and channels == width

    def forward(self, x):
        return self.block(x) + x if self.adds else self.block(x)


class EfficientNetB0(nn.Module):
    """Tan and Le 2019."""

    def __init__(self, classes=1000):
        super().__init__()
        parts, channels = [conv_norm(3, 32, 3, 2, activation=nn.SiLU)], 32
        table = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3))
        table += ((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
        for expand, size, stride, width, depth in table:
            for number in range(depth):
                parts.append(MBConv(channels, width, expand, size, 1 if number else stride))
                channels = width
        self.features = nn.Sequential(*parts, conv_norm(320, 1280, 1, activation=nn.SiLU))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class SeparableBlock(nn.Module):
    def __init__(self, channels, width):
        super().__init__()
        self.separable = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding="same", groups=channels, bias=False),
            nn.Conv2d(channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding="same", groups=width, bias=False),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.MaxPool2d(3, 2, 1),
        )
        self.skip = nn.Conv2d(channels, width, 1, 2, bias=False)

    def forward(self, x):
        return self.separable(x) + self.skip(x)


class MiniXception(nn.Module):
    """Chollet 2017's entry flow, small."""

    def __init__(self, classes=10):
        super().__init__()
        self.stem = conv_norm(3, 16, 3, 2, activation=nn.ReLU)
        self.blocks = nn.Sequential(
            SeparableBlock(16, 32), SeparableBlock(32, 64), SeparableBlock(64, 96)
        )
        self.head = nn.Conv2d(96, classes, 1)

    def forward(self, x):
        return torch.softmax(self.head(self.blocks(self.stem(x))).amax((2, 3)), 1)


class ConvNeXtBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 4 * width)
        self.pwconv2 = nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x):
        out = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        out = self.gamma * self.pwconv2(nn.functional.gelu(self.pwconv1(out)))
        return x + out.permute(0, 3, 1, 2)


class ChannelNorm(nn.Module):
    """Layer normalisation along the channels, by hand."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        centred = x - x.mean(1, keepdim=True)
        x = centred / torch.sqrt(centred.pow(2).mean(1, keepdim=True) + 1e-6)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class ConvNeXt(nn.Module):
    """Liu et al. 2022, small."""

    def __init__(self, classes=10, depths=(1, 2, 1), widths=(24, 48, 96)):
        super().__init__()
        parts = [nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0])]
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            if stage:
                before = widths[stage - 1]
                parts += [ChannelNorm(before), nn.Conv2d(before, width, 2, 2)]
            parts += [ConvNeXtBlock(width) for _ in range(depth)]
        self.features = nn.Sequential(*parts)
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x):
        return self.head(self.norm(self.features(x).mean([-2, -1])))
