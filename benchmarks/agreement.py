"""Do the contenders' maps agree?"""

import numpy as np
import torch
from torch import nn

TOLERANCE = 1e-4  # of the largest value of the image's map
KINK = 1e-6  # of a layer's largest pre-activation: what float32 rounding can carry across zero
SHARE = 0.01  # of the images may sit on a kink


def check(ours: np.ndarray, theirs: np.ndarray, x: np.ndarray, module: nn.Module) -> int:
    """Raise AssertionError unless the maps agree; return how many images sit on a kink.

    Where a pre-activation is zero to the last bit, or two entries of a pooling window are equal,
    the order of a sum decides which side of the kink an implementation takes, and all of them are
    right. Such images are counted, and each must show its kink when the model runs in float64.
    """
    assert np.isfinite(theirs).all(), "the peer's maps are not finite"
    axes = tuple(range(1, ours.ndim))
    largest = np.abs(theirs).max(axis=axes)
    apart = ~(np.abs(ours - theirs).max(axis=axes) <= TOLERANCE * largest)  # or NaN
    count = int(apart.sum())
    assert count <= SHARE * len(x), f"{count} of {len(x)} maps differ by more than {TOLERANCE}"
    if count:
        clear = np.flatnonzero(apart)[margin(module, x[apart]) > KINK]
        assert not len(clear), f"maps of images {clear[:10]} differ, and not because of a kink"
    return count


def margin(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """For each image, the distance of the closest kink, relative to that layer's largest value."""
    closest = np.full(len(x), np.inf)
    kinked = [m for m in module.modules() if isinstance(m, (nn.ReLU, nn.MaxPool2d))]

    def watch(layer, inputs, _):
        z = inputs[0].detach().flatten(1) if isinstance(layer, nn.ReLU) else _gaps(layer, inputs[0])
        scale = inputs[0].abs().flatten(1).amax(1)
        # an exact zero or tie is no question of rounding: everyone has it
        distance = torch.where(z == 0, torch.inf, z.abs()).amin(1) / scale
        np.minimum(closest, distance.numpy(), out=closest)

    hooks = [layer.register_forward_hook(watch) for layer in kinked]
    try:
        module.double()(torch.from_numpy(x).double())
    finally:
        module.float()
        for hook in hooks:
            hook.remove()
    return closest


def _gaps(pool: nn.MaxPool2d, z: torch.Tensor) -> torch.Tensor:
    """By how much the largest entry of each (unpadded) pooling window leads the next."""
    (height, width), (down, right) = pool.kernel_size, pool.stride
    windows = z.unfold(2, height, down).unfold(3, width, right)
    first, second = windows.flatten(4).topk(2).values.unbind(-1)
    return (first - second).flatten(1)
