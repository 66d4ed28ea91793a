"""Known architectures: logits and input gradients against PyTorch in float64.

A ReLU or a maximum whose inputs tie within rounding may take another side than in float64, and
the gradient is then another one, rightly. So each sample is judged alone: some must agree to 1e-4
of the largest value, and one that does not must be near a kink in PyTorch itself: there, weights
stirred by a millionth change the float64 gradient by as much.
"""

from copy import deepcopy

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

torch = pytest.importorskip("torch")

from tests.importers.architectures import EVERY, build  # noqa: E402

SAMPLES = 8  # one tile; a sample alone takes other kernels
STIRS = 4


class Logits(torch.nn.Module):
    """A module without the softmax at its end."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        functional = torch.nn.functional
        kept = torch.softmax, functional.softmax, functional.log_softmax
        torch.softmax = functional.softmax = functional.log_softmax = lambda x, *_, **__: x
        try:
            return self.module(x)
        finally:
            torch.softmax, functional.softmax, functional.log_softmax = kept


def reference(module, X, targets):
    """The logits and gradients of a float64 module."""
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    logits = Logits(module)(x)
    logits[np.arange(len(X)), targets].sum().backward()
    return logits.detach().numpy(), x.grad.numpy()


def errors(found, expected):
    """Each sample's largest difference, as a share of its largest value."""
    rows = (len(expected), -1)
    scale = np.abs(expected).reshape(rows).max(axis=1)
    return np.abs(found - expected).reshape(rows).max(axis=1) / scale


def near_kink(module, X, targets, expected, enough=1e-4):
    """By how much the gradient of one sample changes where weights are stirred."""
    worst = 0.0
    for seed in range(STIRS):
        torch.manual_seed(seed)
        stirred = deepcopy(module)
        with torch.no_grad():
            for weights in stirred.parameters():
                weights *= 1 + 1e-6 * torch.randn_like(weights)
        worst = max(worst, errors(reference(stirred, X, targets)[1], expected).max())
        if worst > enough:
            break
    return worst


@pytest.mark.parametrize("name", EVERY)
def test_logits_and_gradients_are_pytorchs(name):
    module, shape = build(name), EVERY[name][1]
    model = bl.from_torch(module, torch.zeros(1, *shape))
    rng = np.random.default_rng(1)
    X = rng.standard_normal((SAMPLES, *shape)).astype(np.float32)
    found = model.logits(X)
    # of the best few: where the last layer is a ReLU, the logits of others may all be 0
    targets = found.argsort(axis=1)[np.arange(SAMPLES), -rng.integers(1, 4, SAMPLES)]
    exact = module.double()
    logits, expected = reference(exact, X, targets)
    assert np.abs(logits).max() < 100  # a sane range
    assert_close(found, logits, 1e-4)
    found = bl.gradient(model, X, targets)
    off = errors(found, expected)
    assert np.median(off) < 1e-4, off
    for i in np.flatnonzero(off > 1e-4):
        one = slice(i, i + 1)
        assert near_kink(exact, X[one], targets[one], expected[one]) > 1e-4, (i, off[i])
    np.testing.assert_array_equal(bl.gradient(model, X[:2], targets[:2]), found[:2])
