"""Attention as PyTorch's two exporters write it: logits and input gradients are PyTorch's."""

import contextlib
import io
import warnings

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close

pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from tests.importers.architectures import HYBRIDS, TRANSFORMERS, build  # noqa: E402
from tests.importers.onnx.test_architectures import exported  # noqa: E402

nn = torch.nn
SHAPE = (5, 12)  # places, features


class Attention(nn.Module):
    def __init__(self, batch_first, need_weights):
        super().__init__()
        self.batch_first, self.need_weights = batch_first, need_weights
        self.attention = nn.MultiheadAttention(12, 3, batch_first=batch_first)
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = x if self.batch_first else x.transpose(0, 1)
        x = x + self.attention(x, x, x, need_weights=self.need_weights)[0]
        return self.head(x.mean(1 if self.batch_first else 0))


class Encoder(nn.Module):
    def __init__(self, batch_first, norm_first):
        super().__init__()
        self.batch_first = batch_first
        self.encoder = nn.TransformerEncoderLayer(
            12, 2, 16, batch_first=batch_first, norm_first=norm_first
        )
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        x = x if self.batch_first else x.transpose(0, 1)
        return self.head(self.encoder(x).mean(1 if self.batch_first else 0))


def exported_by_dynamo(module, shape, opset, batch=2):
    pytest.importorskip("onnxscript")
    samples = {0: torch.export.Dim("samples")} if batch > 1 else None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (torch.zeros(batch, *shape),),
            dynamo=True,
            opset_version=opset,
            dynamic_shapes=(samples,) if samples else None,
            verbose=False,
        )
    return program.model_proto.SerializeToString()


MODULES = {
    f"{kind.__name__} {'samples' if first else 'places'} first{', other' * other}": (
        lambda kind=kind, first=first, other=other: kind(first, other),
        SHAPE,
    )
    for kind in (Attention, Encoder)
    for first in (True, False)
    for other in (False, True)
}
# PyTorch's older exporter cannot write the others, but for LeViT, whose gradient by PyTorch 2.13
# of a single sample is not the one that differences show
EXPORTED = TRANSFORMERS | {name: HYBRIDS[name] for name in ("BoTNet", "MobileViT")}
MODULES |= {name: (lambda name=name: build(name), shape) for name, (_, shape) in EXPORTED.items()}


def some(module):
    """With biases that are not zero."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, 0, 0.3)
    return module.eval()


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("batch", [2, 1], ids=["open", "one sample"])
@pytest.mark.parametrize(
    ("export", "opset"),
    [(exported, 14), (exported, 17), (exported_by_dynamo, 18), (exported_by_dynamo, 23)],
)
def test_logits_and_gradients_are_pytorchs(name, batch, export, opset):
    torch.manual_seed(2)
    constructor, shape = MODULES[name]
    module = some(constructor())
    model = bl.load(export(module, shape, opset, batch))
    exact = module.double()
    for count in (1, 3, 17):
        X = np.random.default_rng(count).standard_normal((count, *shape)).astype(np.float32)
        found = model.logits(X)
        targets = found.argmax(axis=1)
        x = torch.tensor(X).double().requires_grad_()
        logits = exact(x)
        logits[np.arange(count), targets].sum().backward()
        assert_close(found, logits.detach().numpy(), 1e-4)
        assert_close(bl.gradient(model, X, targets), x.grad.numpy(), 1e-4)
