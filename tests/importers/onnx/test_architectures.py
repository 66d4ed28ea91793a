"""Known architectures as PyTorch exports them to ONNX: logits and input gradients are PyTorch's."""

import io
import warnings

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from tests.importers.architectures import ARCHITECTURES, build  # noqa: E402
from tests.importers.test_torch_architectures import (  # noqa: E402
    SAMPLES,
    errors,
    near_kink,
    reference,
)

# Pooling of one pixel to several, which the exporter refuses, repeats it.
REPEATED = {"AlexNet": (6, 6), "VGG-11": (7, 7)}


def exported(module, shape, opset, batch=2):
    """A model of an open number of samples, or of one."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            torch.zeros(batch, *shape),
            file,
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            dynamic_axes={"x": {0: "samples"}} if batch > 1 else None,
        )
    return file.getvalue()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_and_gradients_are_pytorchs(name):
    """As in `test_torch_architectures`, which says why a few samples may differ."""
    module, shape = build(name), ARCHITECTURES[name][1]
    if name in REPEATED:
        module.avgpool = torch.nn.Upsample(REPEATED[name])
    opset = 17 if len(name) % 2 else 11
    model = bl.load(exported(module, shape, opset))
    X = np.random.default_rng(1).standard_normal((SAMPLES, *shape)).astype(np.float32)
    found = model.logits(X)
    targets = found.argsort(axis=1)[:, -2]
    exact = module.double()
    logits, expected = reference(exact, X, targets)
    assert_close(found, logits, 1e-4)
    off = errors(bl.gradient(model, X, targets), expected)
    assert np.median(off) < 1e-4, off
    for i in np.flatnonzero(off > 1e-4):
        one = slice(i, i + 1)
        assert near_kink(exact, X[one], targets[one], expected[one]) > 1e-4, (i, off[i])
