"""`bl.from_torch` of modules whose images have their channels last."""

import pytest

import backlit as bl

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

from tests.importers.torch_modules import Net, assert_agrees, samples  # noqa: E402


class ChannelsLast(nn.Module):
    def __init__(self, before, moved):
        super().__init__()
        self.before, self.moved = before, moved
        self.conv, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(F.relu(self.conv(self.moved(self.before(x)))).amax((2, 3)))


@pytest.mark.parametrize(
    "before",
    [
        lambda x: x,
        lambda x: (x.to(x.dtype) / 255 - 0.5) / 0.2,
        lambda x: F.pad(x.clamp(0, 1), (0, 0, 1, 1, 2, 0)),
        lambda x: x.flip(-1) - torch.tensor([0.4, 0.5, 0.6]),
        lambda x: x[:, 1:-1, 1:-1, [2, 0, 1]],
    ],
)
@pytest.mark.parametrize("moved", [lambda x: x.permute(0, 3, 1, 2), lambda x: x.movedim(-1, 1)])
def test_images_with_channels_last(before, moved):
    torch.manual_seed(0)
    module, X = ChannelsLast(before, moved), samples(17, 8, 9, 3)
    model = bl.from_torch(module, torch.zeros(1, 8, 9, 3))
    assert model.channels_last
    assert model.input_shape == (8, 9, 3)
    assert_agrees(model, module, X)
    assert bl.grad_cam(model, X).shape == (17, 8, 9, 1)
    assert not bl.from_torch(module, torch.zeros(1, 8, 9, 3), channels_last=False).channels_last


def test_channels_last_as_told():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(8 * 9 * 3, 3))
    model = bl.from_torch(flat, torch.zeros(1, 8, 9, 3), channels_last=True)
    assert model.channels_last
    assert_agrees(model, flat, samples(17, 8, 9, 3))
    assert not bl.from_torch(flat, torch.zeros(1, 8, 9, 3)).channels_last
    assert not bl.from_torch(Net(), torch.zeros(1, 3, 8, 8)).channels_last
    with pytest.raises(TypeError, match="channels_last must be True, False or None, not int"):
        bl.from_torch(flat, torch.zeros(1, 8, 9, 3), channels_last=1)
    with pytest.raises(ValueError, match=r"channels_last=True is for images.*\(6,\)"):
        bl.from_torch(nn.Linear(6, 2), torch.zeros(1, 6), channels_last=True)
