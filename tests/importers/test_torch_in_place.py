"""In-place operations of PyTorch modules are followed, or decomposed where views see them."""

import pytest

import backlit as bl
from backlit.importers.torch.export import is_plain
from tests.importers.torch_modules import Function, assert_agrees, samples, torch


def view_behind(x):
    """A view of what was written."""
    return x.relu_().view(-1, 2, 3).mul(2).flatten(1)


def view_before(x):
    """A view that is read before anything is written."""
    half = 0.5 * x.view(-1, 3, 2).flatten(1)
    return x.relu_() + half


def view_across(x):
    """A view from before a write, read behind it."""
    view = x.view(-1, 3, 2)
    x.relu_()
    return x + view.flatten(1)


def view_across_the_second(x):
    """The same of two writes, the first of which it comes behind."""
    view = x.mul_(2).view(-1, 3, 2)
    x.add_(3)
    return x + view.flatten(1)


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (view_behind, True),
        (view_before, True),
        (view_across, False),
        (view_across_the_second, False),
    ],
)
def test_views_and_writes(function, plain):
    torch.manual_seed(0)
    module = Function(function).eval()
    program = torch.export.export(module, (torch.zeros(2, 6),))
    assert is_plain(program) is plain
    assert_agrees(bl.from_torch(module, torch.zeros(1, 6)), module, samples(17, 6))
