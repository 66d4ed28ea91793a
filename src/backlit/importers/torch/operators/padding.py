"""Padding."""

from collections.abc import Sequence

from backlit.importers.builder import Tensor, shapes
from backlit.importers.torch.operators.table import TorchBuilder, operator

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@operator("pad")
def pad(
    b: TorchBuilder,
    x: Tensor,
    pad: Sequence[int],
    mode: str = "constant",
    value: float | None = None,
) -> Tensor:
    for number in range(len(pad) // 2):
        before, after = pad[2 * number], pad[2 * number + 1]
        axis = len(x.shape) - 1 - number
        x = shapes.pad(b, x, axis, before, after, MODES[mode], value or 0)
    return x


@operator("constant_pad_nd")
def constant_pad(b: TorchBuilder, x: Tensor, amounts: Sequence[int], value: float = 0) -> Tensor:
    return pad(b, x, amounts, "constant", value)


@operator("reflection_pad1d", "reflection_pad2d")
def reflection_pad(b: TorchBuilder, x: Tensor, amounts: Sequence[int]) -> Tensor:
    return pad(b, x, amounts, "reflect")


@operator("replication_pad1d", "replication_pad2d")
def replication_pad(b: TorchBuilder, x: Tensor, amounts: Sequence[int]) -> Tensor:
    return pad(b, x, amounts, "replicate")
