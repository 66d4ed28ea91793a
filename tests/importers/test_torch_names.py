"""Layers of modules by their paths: what `layer_activation` finds is what a forward hook sees."""

from copy import deepcopy

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


def samples(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


class Squeezed(nn.Module):
    """Changes of shape between layers, by operators and by modules."""

    def __init__(self):
        super().__init__()
        self.conv, self.pool = nn.Conv1d(3, 4, 3), nn.MaxPool1d(10)
        self.rows = nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (2, 3)))
        self.image = nn.Conv2d(1, 2, 2)
        self.flat = nn.Flatten()

    def forward(self, x):
        x = self.pool(self.conv(x)).squeeze(2)
        x = self.image(self.rows(x).unsqueeze(1))
        return self.flat(x.squeeze(-2))


class Permuted(nn.Module):
    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


class Scaled(nn.Module):
    def forward(self, x):
        return x * 2


class Early(nn.Module):
    """Its result is not the last that it computes."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

    def forward(self, x):
        result = self.attention(x, x, x, need_weights=False)[0]
        result.tanh()
        return result


def signal():
    return nn.Sequential(
        *(nn.Conv1d(3, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(4, 4, 2)),
        *(nn.Flatten(), nn.Linear(16, 3)),
    )


def nested():
    return nn.Sequential(
        nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.BatchNorm1d(4)),
        nn.Sequential(nn.Sequential(nn.AvgPool1d(2), nn.ConvTranspose1d(4, 2, 2)), nn.Dropout()),
        nn.Sequential(nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.Unflatten(1, (3, 2)), nn.Flatten()),
        nn.Linear(6, 3),
    )


def channels_last():
    """As ConvNeXt's blocks are written."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 2),
        *(Permuted(0, 2, 3, 1), nn.LayerNorm(4), nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4)),
        *(Permuted(0, 3, 1, 2), Permuted(0, 1, 3, 2), Scaled(), Scaled()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    )


NETWORKS = {
    "signal": (signal, (3, 12)),
    "nested": (nested, (3, 12)),
    "squeezed": (Squeezed, (3, 12)),
    "channels last": (channels_last, (3, 5, 6)),
    "early": (lambda: nn.Sequential(Early(), nn.Flatten(), nn.Linear(30, 3)), (5, 6)),
    "image at the end": (lambda: nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU()), (3, 5, 5)),
}


def hooked(module, X):
    """What each part of a module returns, of its last call."""
    found = {}

    def keep(name, out):
        if name and isinstance(out, torch.Tensor):
            found[name] = out.numpy().copy()  # what comes next may be in place

    copy = deepcopy(module).eval()
    for name, part in copy.named_modules():
        part.register_forward_hook(lambda _, __, out, name=name: keep(name, out))
    with torch.no_grad():
        copy(torch.tensor(X))
    return found


@pytest.mark.parametrize(
    ("name", "decomposed"),
    [*((name, False) for name in NETWORKS), ("signal", True), ("nested", True), ("squeezed", True)],
)
def test_every_part_is_found_by_its_name(name, decomposed):
    make, shape = NETWORKS[name]
    torch.manual_seed(0)
    module, X = make().eval(), samples(3, *shape)
    source = module
    if decomposed:
        program = torch.export.export(module, (torch.zeros(2, *shape),))
        source = program.run_decompositions().module()
    model = bl.from_torch(source, torch.zeros(1, *shape))
    expected = hooked(module, X)
    assert len(expected) >= 2
    for part, values in expected.items():
        assert_close(bl.layer_activation(model, X, layer=part), values)


def test_every_part_of_a_saved_model(tmp_path):
    module, X = signal().eval(), samples(3, 3, 12)
    bl.save(bl.from_torch(module, torch.zeros(1, 3, 12)), tmp_path / "signal.npz")
    model = bl.load(tmp_path / "signal.npz")
    for part, values in hooked(module, X).items():
        assert_close(bl.layer_activation(model, X, layer=part), values)


def test_gradients_by_every_part():
    """What is found lies on the way to the scores, and is no copy beside it."""
    module, X = signal().eval(), samples(3, 3, 12)
    model, outs = bl.from_torch(module, torch.zeros(1, 3, 12)), {}
    for number, part in enumerate(module):
        part.register_forward_hook(lambda _, __, out, number=number: outs.update({number: out}))
    scores = module(torch.tensor(X))[:, 1].sum()
    for number, out in outs.items():
        (expected,) = torch.autograd.grad(scores, out, retain_graph=True)
        found = bl.layer_gradient(model, X, 1, layer=str(number))
        assert_close(found, expected.numpy())


HEADS = {
    "softmax": (nn.Linear(8, 3), [nn.Softmax(-1)]),
    "log-softmax": (nn.Linear(8, 3), [nn.Dropout(), nn.LogSoftmax(-1)]),
    "sigmoid": (nn.Linear(8, 1), [nn.Sigmoid()]),
    "shapes change behind": (
        nn.Sequential(nn.Unflatten(1, (8, 1, 1)), nn.Conv2d(8, 3, 1)),
        [nn.Softmax(1), nn.Flatten(1, 2), nn.Flatten()],
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_is_set_aside_stands_for_the_logits(name):
    scores, end = HEADS[name]
    head = nn.Sequential(scores, *end)
    module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Sequential(nn.Identity(), head)).eval()
    X = samples(3, 6)
    found = hooked(module, X)
    logits = found["2.1.0"]
    model = bl.from_torch(module, torch.zeros(1, 6))
    assert_close(model.logits(X), logits.reshape(3, -1))
    for part in ("2", "2.1", *(f"2.1.{number}" for number in range(1, 1 + len(end)))):
        values = bl.layer_activation(model, X, layer=part)
        assert_close(values, logits.reshape(found[part].shape))
    # where the probabilities are the values asked for, nothing is set aside
    model = bl.from_torch(module, torch.zeros(1, 6), outputs="values")
    for part, values in found.items():
        if part != "2.0":
            assert_close(bl.layer_activation(model, X, layer=part), values)


class Multi(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu, self.conv = nn.ReLU(), nn.Conv1d(3, 3, 1)

    def forward(self, x):
        return self.relu(x), self.conv(x)


class Several(nn.Module):
    """Uses both results of a part, then the second alone, of another the halves of one."""

    def __init__(self, again=False):
        super().__init__()
        self.multi, self.again = Multi(), again
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        a, b = self.multi(x)
        if self.again:
            _, b = self.multi(b)
        first, second = (a + b).chunk(2, 2)
        return self.head(torch.cat([second, first], 2).flatten(1))


def test_parts_that_return_several_tensors_are_no_layers():
    model, X = bl.from_torch(Several(), torch.zeros(1, 3, 4)), samples(2, 3, 4)
    message = (
        "layer must compute one tensor, but 'multi' returns 2 tensors; name one of the layers "
        "within: multi.relu, multi.conv"
    )
    for method in (bl.layer_activation, bl.layer_gradient, bl.layer_attribution):
        with pytest.raises(ValueError, match=message):
            method(model, X, layer="multi")
    with pytest.raises(ValueError, match=r"'chunk' returns 2 .* within: chunk\.1, chunk\.2"):
        bl.layer_activation(model, X, layer="chunk")
    with pytest.raises(ValueError, match=r"layer must be one of .*chunk\.1.*, got 'multis'"):
        bl.layer_activation(model, X, layer="multis")
    for part, values in hooked(Several().eval(), X).items():
        assert bl.layer_activation(model, X, layer=part).shape == values.shape


def test_a_part_stands_for_the_one_result_that_is_used():
    torch.manual_seed(0)
    module, X = Several(again=True).eval(), samples(2, 3, 4)
    model = bl.from_torch(module, torch.zeros(1, 3, 4))
    found = hooked(module, X)
    assert_close(bl.layer_activation(model, X, layer="multi"), found["multi.conv"])


def test_several_tensors_of_a_saved_model_are_no_layer_either(tmp_path):
    bl.save(bl.from_torch(Several(), torch.zeros(1, 3, 4)), tmp_path / "several.npz")
    with pytest.raises(ValueError, match=r"layer must .*multi\.conv"):
        bl.layer_activation(bl.load(tmp_path / "several.npz"), samples(2, 3, 4), layer="multi")


def test_zero_padding_that_a_convolution_takes_has_no_name():
    module = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 2, 3), nn.Flatten()).eval()
    model, X = bl.from_torch(module, torch.zeros(1, 3, 4, 4)), samples(2, 3, 4, 4)
    with pytest.raises(ValueError, match="layer must be one of"):
        bl.layer_activation(model, X, layer="0")
    assert_close(bl.layer_activation(model, X, layer="1"), hooked(module, X)["1"])
