"""A small vision transformer (Dosovitskiy et al., 2020: ViT-S/16) with random weights.

It comes from PyTorch, where people have theirs: ours is imported, and the peers run the module.
"""

import torch
from networks import Network
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch_models import imported

WIDTH, HEADS, BLOCKS, PATCH, SIZE = 384, 6, 12, 16, 224


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, x):
        n, tokens, _ = x.shape
        qkv = self.qkv(self.before(x)).reshape(n, tokens, 3, HEADS, WIDTH // HEADS)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(q, k, v)
        x = x + self.mix(mixed.transpose(1, 2).reshape(n, tokens, WIDTH))
        return x + self.mlp(self.between(x))


class VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, PATCH, PATCH)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.places = nn.Parameter(torch.randn(1, (SIZE // PATCH) ** 2 + 1, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


def vit_small():
    torch.manual_seed(0)
    return imported(VisionTransformer(), (3, SIZE, SIZE))


VIT = Network("ViT-S/16", vit_small, (1, 8), {}, {})
