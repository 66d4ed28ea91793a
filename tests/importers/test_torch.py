"""`bl.from_torch`: modules however they are written, and names of layers."""

from copy import deepcopy

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close, run_python

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

from torch.utils.checkpoint import checkpoint  # noqa: E402

from tests.importers.torch_modules import Function, Net, assert_agrees, samples  # noqa: E402


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture(scope="module")
def model(net):
    return bl.from_torch(net, torch.zeros(1, 3, 8, 9))


def test_modules_called_again_and_in_place(net, model):
    assert_agrees(model, net, samples(17, 3, 8, 9))
    assert model.name == "Net"
    assert model.input_shape == (3, 8, 9)


def test_layers_have_the_modules_names(net, model):
    X = samples(3, 3, 8, 9)
    found = {}
    for name in ("stem", "blocks.0.conv", "blocks.1", "blocks.1.relu", "blocks", "head"):
        part = net.get_submodule(name)
        part.register_forward_hook(
            # a copy: what comes next may be in place
            lambda _, __, out, name=name: found.update({name: out.detach().numpy().copy()})
        )
    net.eval()(torch.tensor(X))
    for name, expected in found.items():
        assert_close(bl.layer_activation(model, X, layer=name), expected)
    names = {
        "relu",
        "blocks.0.conv.1",
        "blocks.0.relu.1",
        "blocks.0.add",
        "mean",
    }
    assert names <= set(model._source.names)
    np.testing.assert_array_equal(
        bl.grad_cam(model, X, layer="blocks"), bl.grad_cam(model, X, layer="blocks.1.relu")
    )
    with pytest.raises(ValueError, match=r"layer must be one of .*blocks\.1\.conv"):
        bl.grad_cam(model, X, layer="blocks.2")


def test_the_module_is_left_as_it_was(net):
    net.train()
    net.blocks[0].eval()
    before = deepcopy(net.state_dict())
    example = torch.ones(2, 3, 8, 9)
    bl.from_torch(net, example)
    assert net.training
    assert not net.blocks[0].training
    assert net.blocks[1].conv.training
    assert (example == 1).all()
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])


def exported(batch=1, training=False, shapes=None):
    """The program of a net like the fixture's, to which no test has added hooks."""
    torch.manual_seed(0)
    example = torch.zeros(batch, 3, 8, 9)
    return torch.export.export(Net().train(training), (example,), dynamic_shapes=shapes)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("shapes", [None, ({0: torch.export.Dim.AUTO},)], ids=["fixed", "open"])
def test_exported_modules_are_imported_as_the_original(model, batch, decomposed, shapes):
    program = exported(batch, shapes=shapes)
    if decomposed:
        program = program.run_decompositions()
    found = bl.from_torch(program.module(), torch.zeros(1, 3, 8, 9))
    X = samples(3, 3, 8, 9)
    np.testing.assert_array_equal(found.logits(X), model.logits(X))
    np.testing.assert_array_equal(bl.gradient(found, X, 1), bl.gradient(model, X, 1))
    assert set(found._source.names) == set(model._source.names)


def test_exported_modules_inside_of_others(model):
    module = nn.Sequential(nn.Dropout(0.5), exported().module(), nn.Dropout(0.5))
    X = samples(3, 3, 8, 9)
    found = bl.from_torch(module, torch.zeros(1, 3, 8, 9))
    np.testing.assert_array_equal(found.logits(X), model.logits(X))
    assert module[0].training
    assert module[2].training


def test_modules_exported_in_training_mode_are_refused():
    with pytest.raises(ValueError, match="at drop: dropout that is on"):
        bl.from_torch(exported(training=True).module(), torch.zeros(1, 3, 8, 9))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_any_floating_dtype(dtype):
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3)).to(dtype)
    model = bl.from_torch(module, np.zeros((1, 6)))
    assert_agrees(model, module, samples(17, 6))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("given", [torch.float64, torch.float32, torch.bfloat16])
def test_examples_of_any_floating_dtype(dtype, given):
    module = nn.Sequential(nn.Conv1d(3, 4, 2), nn.ReLU(), nn.Flatten()).to(dtype)
    model = bl.from_torch(module, torch.zeros(1, 3, 5, dtype=given))
    assert_agrees(model, module, samples(17, 3, 5))
    with pytest.raises(TypeError, match="floating-point numbers"):
        bl.from_torch(module, torch.zeros(1, 3, 5, dtype=torch.int64))


def test_examples_of_modules_of_two_dtypes():
    """As given, as nobody knows which part takes it."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(3, 2).double(), nn.Conv1d(3, 3, 1)

        def forward(self, x):
            return self.last(self.first(x).double().sum(2))

    model = bl.from_torch(Two(), torch.zeros(1, 3, 5))
    assert model.classes == 2


def test_modules_written_for_one_batch_size():
    module = Function(lambda x: F.relu(x).view(1, 2, 3).flatten(1) * 2)
    model = bl.from_torch(module, torch.zeros(1, 6))
    X = samples(5, 6)
    each = [module(torch.tensor(row[None])).detach().numpy() for row in X]
    assert_close(model.logits(X), np.concatenate(each))


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("weights", [True, False])
def test_attention_moves_the_samples_axis(batch_first, weights):
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(12, 3, batch_first=batch_first)
            self.encoder = nn.TransformerEncoderLayer(12, 2, 16, batch_first=batch_first)
            self.norm = nn.LayerNorm(12)

        def forward(self, x):
            x = x if batch_first else x.transpose(0, 1)
            x = x + self.attention(x, x, x, need_weights=weights)[0]
            x = self.norm(self.encoder(x))
            return x.mean(1 if batch_first else 0)

    torch.manual_seed(1)
    module = Attention()
    model = bl.from_torch(module, torch.zeros(1, 5, 12))
    assert_agrees(model, module, samples(17, 5, 12))


def test_masks_of_minus_infinity_leave_attributions_finite():
    mask = torch.full((5, 5), -torch.inf).triu(1)

    class Masked(nn.Module):
        def forward(self, x):
            return ((x @ x.transpose(1, 2) + mask).softmax(-1) @ x).mean(1)

    module, X = Masked(), samples(3, 5, 6)
    model = bl.from_torch(module, torch.zeros(1, 5, 6))
    assert_agrees(model, module, X)
    shares = bl.deeplift(model, X, target=1, baseline=0)
    difference = model.logits(X) - model.logits(np.zeros_like(X))
    assert_close(shares.sum(axis=(1, 2)), difference[:, 1], 1e-4)


def test_attention_of_one_sample():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.TransformerEncoderLayer(12, 2, 16)

        def forward(self, x):
            if len(x) != 1:
                raise ValueError("one sample at a time")
            return self.encoder(x.transpose(0, 1)).mean(0)

    torch.manual_seed(1)
    module = One().eval()
    model = bl.from_torch(module, torch.zeros(1, 5, 12))
    X = samples(3, 5, 12)
    each = [module(torch.tensor(row[None])).detach().numpy() for row in X]
    assert_close(model.logits(X), np.concatenate(each))


def test_samples_and_places_in_one_axis():
    module = Function(lambda x: F.relu(x.reshape(-1, 6)).mul(2).tanh().view(-1, 3, 6).sum(1))
    model = bl.from_torch(module, torch.zeros(1, 3, 6))
    assert_agrees(model, module, samples(17, 3, 6))


def test_what_the_end_means():
    heads = {
        "values": nn.Linear(6, 1),
        "binary": nn.Sequential(nn.Linear(6, 1), nn.Sigmoid()),
        "labels": nn.Sequential(nn.Linear(6, 3), nn.Sigmoid()),
        "classes": nn.Sequential(nn.Linear(6, 3), nn.LogSoftmax(-1)),
    }
    for outputs, module in heads.items():
        model = bl.from_torch(module, torch.zeros(1, 6), name=outputs)
        assert model.outputs == model.name == outputs
        last = module if outputs == "values" else module[0]
        X = samples(3, 6)
        assert_close(model.logits(X), last(torch.tensor(X)).detach().numpy())
    assert bl.from_torch(nn.Linear(6, 3), torch.zeros(1, 6), outputs="values").outputs == "values"


def test_one_of_several_outputs():
    module = Function(lambda x: (x, {"scores": x.tanh() * 2}))
    X = samples(3, 6)
    with pytest.raises(ValueError, match="output must be given: the module returns 2 tensors"):
        bl.from_torch(module, torch.zeros(1, 6))
    with pytest.raises(ValueError, match="output must be less than 2, got 2"):
        bl.from_torch(module, torch.zeros(1, 6), output=2)
    model = bl.from_torch(module, torch.zeros(1, 6), output=-1)
    assert_close(model.logits(X), module(torch.tensor(X))[1]["scores"].detach().numpy())


def test_what_is_not_returned_does_not_matter():
    def function(x):
        x.sort()
        return x.relu()

    assert bl.from_torch(Function(function), torch.zeros(1, 6)).classes == 6


def test_numbers_of_samples_that_cancel():
    module = Function(lambda x: (x * len(x) / x.size(0)).view(len(x), 2, -1).sum(2))
    model = bl.from_torch(module, torch.zeros(1, 6))
    assert_agrees(model, module, samples(17, 6))


def test_the_only_tensor_of_several_outputs():
    module = Function(lambda x: (x.tanh(), None))
    model = bl.from_torch(module, torch.zeros(1, 6))
    assert model.classes == 6
    with pytest.raises(TypeError, match="output must be an int, not str: 'a'"):
        bl.from_torch(module, torch.zeros(1, 6), output="a")


def test_saved_and_loaded(net, model, tmp_path):
    bl.save(model, tmp_path / "net.npz")
    again = bl.load(tmp_path / "net.npz")
    X = samples(2, 3, 8, 9)
    np.testing.assert_array_equal(
        bl.grad_cam(again, X, layer="blocks"), bl.grad_cam(model, X, layer="blocks")
    )


def test_without_pytorch():
    code = """
import sys
import backlit as bl
assert "torch" not in sys.modules
sys.modules["torch"] = None
try:
    bl.from_torch(None, None)
except ImportError as error:
    print(error)
"""
    assert 'pip install "backlit[torch]"' in run_python(code).stdout


class Blocks(nn.Module):
    """Parts of the forward pass under some setting."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        with torch.no_grad():
            norm, half = self.last.weight.norm(), self.last.bias / 2
        with torch.autocast("cpu", enabled=False):
            x = F.relu(self.first(x))
            y = x + 1
        x = checkpoint(lambda x: torch.tanh(x) * y, x, use_reentrant=False)
        return self.last(x.mean((2, 3))) / norm + half


def test_blocks_under_a_setting():
    torch.manual_seed(0)
    module, X = Blocks(), samples(17, 3, 6, 5)
    assert_agrees(bl.from_torch(module, torch.zeros(1, 3, 6, 5)), module, X)


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((4, 3), [nn.Linear(3, 4), nn.MaxPool1d(2)]),
        ((6, 8), [nn.Linear(8, 6), nn.ReLU(), nn.Conv1d(6, 5, 3)]),
        ((8, 8), [nn.Conv1d(8, 8, 3, padding=1), nn.ReLU(), nn.Linear(8, 8)]),
        ((6, 8), [nn.Conv1d(6, 8, 3, padding=1), nn.ReLU(), nn.Linear(8, 6), nn.AvgPool1d(2)]),
    ],
)
def test_signals_as_long_as_they_have_channels(shape, layers):
    """Which axis is which cannot be told by their extents."""
    torch.manual_seed(0)
    module = nn.Sequential(*layers, nn.Flatten())
    model = bl.from_torch(module, torch.zeros(1, *shape))
    assert_agrees(model, module, samples(17, *shape))


@pytest.mark.parametrize(
    "together",
    [
        lambda outputs: torch.stack(outputs).mean(0),
        lambda outputs: torch.stack(outputs).max(0)[0],
        lambda outputs: torch.stack(outputs)[1] - torch.stack(outputs)[0],
        lambda outputs: torch.stack(outputs).permute(1, 0, 2).logsumexp(1),
        lambda outputs: (torch.stack(outputs).softmax(0) * torch.stack(outputs)).sum(0),
    ],
)
def test_ensembles(together):
    torch.manual_seed(0)

    class Ensemble(nn.Module):
        def __init__(self):
            super().__init__()
            self.members = nn.ModuleList(nn.Linear(6, 3) for _ in range(4))

        def forward(self, x):
            return together([member(x) for member in self.members])

    module = Ensemble()
    assert_agrees(bl.from_torch(module, torch.zeros(1, 6)), module, samples(17, 6))


@pytest.mark.parametrize(
    "over",
    [
        lambda y: y.max(-1)[0],
        lambda y: y.min(2).values,
        lambda y: y.logsumexp(-1),
        lambda y: y.cumsum(-1)[..., -2],
    ],
)
def test_views_of_an_object(over):
    """Each passes through the same layers: samples and views in one axis."""
    torch.manual_seed(0)

    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.last = nn.Conv2d(1, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            samples, views, height, width = x.shape
            y = self.conv(x.view(samples * views, 1, height, width)).relu().flatten(2)
            return self.last(over(y).view(samples, views, -1).mean(1))

    module = Views()
    assert_agrees(bl.from_torch(module, torch.zeros(1, 3, 6, 5)), module, samples(17, 3, 6, 5))


def test_black_regions_under_an_lp_pooling():
    """Its root has an infinite slope where all is 0, which a ReLU lets not pass."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3, bias=False), nn.LPPool2d(2, 2), nn.Flatten(), nn.Linear(98, 3)
    )
    X = np.zeros((2, 1, 16, 16), np.float32)
    X[0, 0, 3:5, 3:5] = 1
    model = bl.from_torch(module, torch.zeros(1, 1, 16, 16))
    assert_agrees(model, module, X)
    for method in (bl.integrated_gradients, bl.deeplift, bl.guided_backprop, bl.lrp):
        assert np.isfinite(method(model, X, 0)).all()
