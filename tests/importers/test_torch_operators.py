"""PyTorch's operators, one by one: values and gradients against float64."""

from copy import deepcopy

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.importers.torch_cases import FAMILIES

torch = pytest.importorskip("torch")
F = torch.nn.functional
nn = torch.nn

SAMPLES = 19  # one tile, and three alone


class Function(nn.Module):
    """A function of maps that a small layer makes, so that it is inside of a network."""

    def __init__(self, function, shape, positive=False):
        super().__init__()
        torch.manual_seed(3)
        kinds = {1: nn.Linear(12, 12), 2: nn.Conv1d(shape[0], shape[0], 1)}
        self.first = kinds.get(len(shape), nn.Conv2d(shape[0], shape[0], 1))
        self.function, self.positive = function, positive
        if isinstance(function, nn.Module):
            for weights in function.parameters():
                nn.init.normal_(weights, 0.3, 0.5)

    def forward(self, x):
        x = self.first(x)
        x = self.function(x.square() + 0.3 if self.positive else x)
        return (x if isinstance(x, torch.Tensor) else x[0]).flatten(1)


def check(function, shape, positive=False):
    module = Function(function, shape, positive).eval()
    model = bl.from_torch(module, torch.zeros(2, *shape))
    rng = np.random.default_rng(5)
    X = rng.standard_normal((SAMPLES, *shape)).astype(np.float32)
    exact, x = deepcopy(module).double(), torch.tensor(X, dtype=torch.float64, requires_grad=True)
    with doubled_constants():
        logits = exact(x)
    targets = rng.integers(0, logits.shape[1], SAMPLES)
    if model.outputs == "classes":
        logits[np.arange(SAMPLES), targets].sum().backward()
        assert_close(bl.gradient(model, X, targets), x.grad.numpy(), 1e-5)
    assert_close(model.logits(X), logits.detach().numpy(), 1e-5)


class doubled_constants:  # noqa: N801
    """Constants that functions make are float64 meanwhile."""

    def __enter__(self):
        torch.set_default_dtype(torch.float64)

    def __exit__(self, *_):
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("family", "name"), [(f, name) for f, (cases, *_) in FAMILIES.items() for name in cases]
)
def test_values_and_gradients_are_pytorchs(family, name):
    cases, shape, positive = FAMILIES[family]
    check(cases[name], shape, positive)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.mean((2, 3)),
        lambda x: x.sum((1, 3)),
        lambda x: F.group_norm(x, 1)[:, :, ::100, ::100],
        lambda x: (x * x.mean((1, 2, 3), keepdim=True)).amax((2, 3)),
    ],
    ids=["mean", "sum", "group_norm", "gradient of a broadcast"],
)
def test_sums_over_large_images_keep_their_digits(function):
    class Sum(nn.Module):
        def forward(self, x):
            return function(x).flatten(1)

    model = bl.from_torch(Sum(), torch.zeros(1, 2, 300, 320))
    X = 1 + np.random.default_rng(0).random((1, 2, 300, 320), np.float32)
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    logits = Sum()(x)
    logits[:, 1].sum().backward()
    assert_close(model.logits(X), logits.detach().numpy(), 1e-6)
    assert_close(bl.gradient(model, X, 1), x.grad.numpy(), 1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.norm(dim=1),
        lambda x: torch.linalg.vector_norm(x, 3, dim=(2, 3)),
        lambda x: F.normalize(x, dim=1),
        lambda x: F.cosine_similarity(x, torch.ones_like(x), dim=1),
        lambda x: (x - x.mean((2, 3), keepdim=True)) / (x.std((2, 3), keepdim=True) + 0.1),
    ],
)
def test_roots_of_zero_have_the_derivative_zero(function):
    """Black pixels and flat pictures."""

    class Only(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.LazyLinear(3)

        def forward(self, x):
            return self.last(function(x).flatten(1))

    torch.manual_seed(0)
    module, x = Only(), torch.zeros(3, 3, 4, 5)
    x[1, :, :2] = torch.rand(3, 2, 5)
    x[2] = 0.5
    module(x)
    model = bl.from_torch(module, x)
    x.requires_grad_()
    module(x)[:, 1].sum().backward()
    found = bl.gradient(model, x.detach().numpy(), 1)
    assert np.isfinite(found).all()
    some = np.abs(x.grad.numpy()) < 1e6  # others are made of rounding
    np.testing.assert_allclose(found[some], x.grad.numpy()[some], rtol=1e-4, atol=1e-5)
    assert np.isfinite(bl.deeplift(model, x.detach().numpy(), 1)).all()


def test_the_derivative_of_asinh_at_zero_is_one():
    class Only(nn.Module):
        def forward(self, x):
            return torch.asinh(x)

    model = bl.from_torch(Only(), torch.zeros(1, 3), outputs="classes")
    np.testing.assert_array_equal(bl.gradient(model, np.zeros((1, 3)), [1]), [[0, 1, 0]])


def test_layers_behind_a_mask_of_the_modules_own():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mask", torch.arange(12) % 3 > 0)
            self.last = nn.Linear(16, 3)

        def forward(self, x):
            x = x[:, self.mask]
            return self.last(x.reshape(x.shape[0], x.shape[1] * x.shape[2]).tanh())

    check(Masked(), (12, 2))


@pytest.mark.parametrize("batch_first", [True, False])
def test_queries_of_a_decoder_are_repeated_for_each_sample(batch_first):
    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = nn.Transformer(8, 2, 1, 3, 16, batch_first=batch_first)
            self.queries = nn.Parameter(torch.randn(9, 8))

        def forward(self, x):
            order = (0, 0) if batch_first else (0, 1)
            queries = self.queries.expand(len(x), -1, -1).transpose(*order)
            return self.transformer(x.transpose(*order), queries).transpose(*order)

    check(Decoder(), (6, 8))
