"""Networks between convolutions and attention, small: what they do with windows and groups."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.importers.architectures.mobile import conv_norm


class LeViT(nn.Module):
    """Graham et al. 2021: batch normalisation of places, biases by an index of distances."""

    def __init__(self, classes=10, width=16, heads=2, size=8):
        super().__init__()
        self.heads, self.width = heads, width
        self.stem = nn.Sequential(
            conv_norm(3, width, 3, 2, activation=nn.Hardswish), conv_norm(width, width, 3, 2)
        )
        self.qkv = nn.Linear(width, 4 * width, bias=False)
        self.norm = nn.BatchNorm1d(4 * width)
        self.proj = nn.Linear(2 * width, width)
        steps = torch.arange(size)
        apart = (steps[:, None] - steps).abs()
        distances = apart[:, None, :, None] * size + apart[None, :, None, :]
        self.register_buffer("distances", distances.reshape(size**2, size**2))
        self.biases = nn.Parameter(0.2 * torch.randn(heads, size**2))
        self.last = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        n, places, width = x.shape
        y = self.qkv(x)
        y = self.norm(y.flatten(0, 1)).reshape_as(y).view(n, places, self.heads, -1)
        q, k, v = y.split([width // 2, width // 2, width], dim=3)
        scores = q.permute(0, 2, 1, 3) @ k.permute(0, 2, 3, 1) * (width // 2) ** -0.5
        shares = (scores + self.biases[:, self.distances]).softmax(dim=-1)
        y = (shares @ v.permute(0, 2, 1, 3)).transpose(1, 2).reshape(n, places, -1)
        x = x + self.proj(F.hardswish(y))
        return self.head(self.last(x.mean(1)))


class VOLO(nn.Module):
    """Yuan et al. 2021: outlook attention, whose windows are laid out and added up again."""

    def __init__(self, classes=10, width=12, heads=2, window=3):
        super().__init__()
        self.heads, self.window = heads, window
        self.stem = nn.Conv2d(3, width, 4, 4)
        self.v = nn.Linear(width, width, bias=False)
        self.attention = nn.Linear(width, heads * window**4)
        self.unfold = nn.Unfold(window, padding=1, stride=2)
        self.pool = nn.AvgPool2d(2, 2, ceil_mode=True)
        self.proj, self.head = nn.Linear(width, width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        n, width, high, wide = x.shape
        taps, each = self.window**2, width // self.heads
        v = self.v(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        v = self.unfold(v).reshape(n, self.heads, each, taps, -1).permute(0, 1, 4, 3, 2)
        a = self.attention(self.pool(x).permute(0, 2, 3, 1))
        a = a.reshape(n, -1, self.heads, taps, taps).permute(0, 2, 1, 3, 4) * each**-0.5
        y = (a.softmax(-1) @ v).permute(0, 1, 4, 3, 2).reshape(n, width * taps, -1)
        y = F.fold(y, (high, wide), self.window, padding=1, stride=2)
        return self.head(self.proj(y.permute(0, 2, 3, 1)).mean((1, 2)))


class EMANet(nn.Module):
    """Efficient multi-scale attention (Ouyang et al. 2023): samples and groups are one axis."""

    def __init__(self, classes=10, width=16, groups=4):
        super().__init__()
        self.groups, each = groups, width // groups
        self.stem = conv_norm(3, width, 3, 2, activation=nn.ReLU)
        self.norm = nn.GroupNorm(each, each)
        self.one, self.three = nn.Conv2d(each, each, 1), nn.Conv2d(each, each, 3, 1, 1)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        n, width, high, wide = x.shape
        x = x.reshape(n * self.groups, -1, high, wide)
        rows = F.adaptive_avg_pool2d(x, (None, 1))
        columns = F.adaptive_avg_pool2d(x, (1, None)).permute(0, 1, 3, 2)
        rows, columns = torch.split(self.one(torch.cat([rows, columns], 2)), [high, wide], dim=2)
        first = self.norm(x * rows.sigmoid() * columns.permute(0, 1, 3, 2).sigmoid())
        second = F.max_pool2d(self.three(x), 3, 1, 1)
        total = self.weighed(first, second) + self.weighed(second, first)
        gated = x * total.reshape(n * self.groups, 1, high, wide).sigmoid()
        return self.head(gated.reshape(n, width, high, wide).mean((2, 3)))

    def weighed(self, x, y):
        shares = F.adaptive_avg_pool2d(x, 1).flatten(1)[:, None].softmax(-1)
        return shares @ y.flatten(2)


class BoTNet(nn.Module):
    """Srinivas et al. 2021: attention with relative logits, which padding and reshaping shift."""

    def __init__(self, classes=10, width=16, heads=2, size=8):
        super().__init__()
        self.heads = heads
        self.stem = conv_norm(3, width, 3, 4, activation=nn.ReLU)
        self.qkv = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.down, self.across = (
            nn.Parameter(0.2 * torch.randn(2 * size - 1, width // heads)) for _ in range(2)
        )
        self.head = nn.Linear(width, classes)

    def shifted(self, q, table, order):
        n, high, wide, _ = q.shape
        span = len(table)
        x = F.pad((q @ table.T).reshape(-1, wide, span), [0, 1]).flatten(1)
        x = F.pad(x, [0, span - wide]).reshape(-1, wide + 1, span)[:, :wide, wide - 1 :]
        return x.reshape(n, high, 1, wide, wide).expand(-1, -1, high, -1, -1).permute(order)

    def forward(self, x):
        x = self.stem(x)
        n, width, high, wide = x.shape
        parts = torch.split(self.qkv(x), width, 1)
        q, k, v = (y.reshape(n * self.heads, -1, high * wide).transpose(1, 2) for y in parts)
        grid = q.reshape(-1, high, wide, width // self.heads)
        places = self.shifted(grid, self.across, (0, 1, 3, 2, 4))
        places = places + self.shifted(grid.transpose(1, 2), self.down, (0, 3, 1, 4, 2))
        scores = q @ k.transpose(1, 2) * (width // self.heads) ** -0.5
        shares = (scores + places.reshape(scores.shape)).softmax(-1)
        return self.head((x + (shares @ v).transpose(1, 2).reshape(x.shape)).mean((2, 3)))


class MobileViT(nn.Module):
    """Mehta & Rastegari 2022, with samples and a patch's pixels as one axis of the transformer."""

    def __init__(self, classes=10, width=12, patch=2):
        super().__init__()
        self.patch = patch
        self.stem = conv_norm(3, width, 3, 2, activation=nn.SiLU)
        self.norm, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.fusion = nn.Conv2d(2 * width, width, 3, 1, 1)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = shortcut = self.stem(x)
        n, width, high, wide = x.shape
        p, down, across = self.patch, high // self.patch, wide // self.patch
        x = x.reshape(n * width * down, p, across, p).transpose(1, 2)
        x = x.reshape(n, width, down * across, p * p).transpose(1, 3)
        x = x.reshape(n * p * p, down * across, width)
        q, k, v = self.qkv(self.norm(x)).unflatten(2, (3, 2, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(F.normalize(q, dim=-1), k, v)
        x = x + self.proj(y.transpose(1, 2).flatten(2))
        x = x.view(n, p * p, down * across, width).transpose(1, 3)
        x = x.reshape(n * width * down, across, p, p).transpose(1, 2).reshape(n, width, high, wide)
        return self.head(self.fusion(torch.cat([shortcut, x], 1)).mean((2, 3)))
