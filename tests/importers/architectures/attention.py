"""Networks of attention, small: a vision transformer and a Swin transformer."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class VisionTransformer(nn.Module):
    """Dosovitskiy et al. 2020."""

    def __init__(self, classes=10, width=24, patch=8, size=32):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width))
        layer = nn.TransformerEncoderLayer(
            width, 3, 2 * width, activation=F.gelu, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).permute(0, 2, 1)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        return self.head(self.encoder(x)[:, 0])


class WindowAttention(nn.Module):
    def __init__(self, width, heads, places):
        super().__init__()
        self.heads, self.scale = heads, (width // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(0.1 * torch.randn(heads, places, places))

    def forward(self, x, mask=None):
        n, places, width = x.shape
        qkv = self.qkv(x).reshape(n, places, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q * self.scale) @ k.transpose(-2, -1) + self.bias.unsqueeze(0)
        if mask is not None:
            windows = len(mask)
            weights = weights.view(n // windows, windows, self.heads, places, places)
            weights = (weights + mask[None, :, None]).view(-1, self.heads, places, places)
        mixed = weights.softmax(dim=-1) @ v
        return self.proj(mixed.transpose(1, 2).reshape(n, places, width))


class SwinBlock(nn.Module):
    """Attention in windows, which are one axis with the samples, shifted or not."""

    def __init__(self, width, size, window, shift):
        super().__init__()
        self.size, self.window, self.shift = size, window, shift
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = WindowAttention(width, 3, window**2)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(0.1), nn.Linear(2 * width, width)
        )
        mask = -100.0 * (torch.rand((size // window) ** 2, window**2, window**2) < 0.2)
        self.register_buffer("mask", mask if shift else None)

    def forward(self, x):
        n, places, width = x.shape
        side, window = self.size // self.window, self.window
        y = self.norm1(x).view(n, self.size, self.size, width)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), dims=(1, 2))
        y = y.view(n, side, window, side, window, width).permute(0, 1, 3, 2, 4, 5)
        y = self.attention(y.contiguous().view(-1, window * window, width), self.mask)
        y = y.view(n, side, side, window, window, -1).permute(0, 1, 3, 2, 4, 5).contiguous()
        y = y.view(n, self.size, self.size, -1)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), dims=(1, 2))
        x = x + y.view(n, places, width)
        return x + self.mlp(self.norm2(x))


class Swin(nn.Module):
    """Liu et al. 2021."""

    def __init__(self, classes=10, width=12, size=8):
        super().__init__()
        self.patches, self.size = nn.Conv2d(3, width, 4, 4), size
        self.blocks = nn.Sequential(SwinBlock(width, size, 4, 0), SwinBlock(width, size, 4, 2))
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.last = SwinBlock(2 * width, size // 2, 4, 0)
        self.head = nn.Linear(2 * width, classes)

    def forward(self, x):
        x = self.blocks(self.patches(x).flatten(2).transpose(1, 2))
        x = x.view(x.shape[0], self.size, self.size, -1)
        corners = [x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)]
        x = self.reduction(torch.cat(corners, dim=-1).flatten(1, 2))
        return self.head(self.last(x).mean(1))
