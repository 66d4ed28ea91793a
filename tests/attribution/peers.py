"""Comparison with PyTorch and Captum, in float64."""

from typing import Any

import numpy as np
import pytest

import backlit as bl


def twin(model: bl.Model) -> Any:
    """The model as a PyTorch module of float64; skips the test where PyTorch is missing."""
    pytest.importorskip("torch")
    from benchmarks.torch_models import to_torch

    return to_torch(model).double()


def twin_with_copies(model: bl.Model) -> Any:
    """A twin that Captum's DeepLIFT gets right: a rule is lost where two layers share a tensor.

    (A ReLU that a max pooling reads then takes the plain gradient of the pooling, and the
    attributions do not add up. A copy between the two avoids it.)
    """
    network = twin(model)
    from torch import nn

    class Copy(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.clone()

    def with_copies(module: nn.Module) -> nn.Module:
        return nn.Sequential(module, Copy()) if isinstance(module, nn.ReLU) else module

    return nn.Sequential(*map(with_copies, network))


def tensor(array: np.ndarray) -> Any:
    """A float64 tensor."""
    import torch

    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def assert_maps_agree(ours: np.ndarray, theirs: Any, tolerance: float = 1e-4) -> None:
    """Each map to within `tolerance` of its largest value."""
    theirs = np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert np.isfinite(ours).all()  # NaN would count as less than NaN below
    assert np.isfinite(theirs).all()
    axes = tuple(range(1, ours.ndim))
    difference = np.abs(ours - theirs).max(axis=axes)
    np.testing.assert_array_less(difference, tolerance * np.abs(theirs).max(axis=axes) + 1e-12)
