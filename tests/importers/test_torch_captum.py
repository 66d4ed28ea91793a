"""The modules of Captum's tests: functional calls, modules called again, signals, several axes."""

import numpy as np
import pytest

import backlit as bl

torch = pytest.importorskip("torch")
modules = pytest.importorskip("captum.testing.helpers.basic_models")

SHAPES = {
    "BasicModel": (3,),
    "BasicModel_MultiLayer": (3,),
    "BasicModel_ConvNet_One_Conv": (1, 4, 4),
    "BasicModel_ConvNetWithPaddingDilation": (1, 5, 5),
    "BasicModel_ConvNet": (1, 10, 10),
    "BasicModel_ConvNet_MaxPool1d": (1, 10),
    "BasicModel_MaxPool_ReLU": (2, 3),
    "BasicModelWithReusedModules": (3,),
    "BasicModelWithReusedLinear": (3,),
    "LinearMaxPoolLinearModel": (4,),
    "Conv1dSeqModel": (4, 1000),
}


@pytest.mark.parametrize("name", SHAPES)
def test_outputs_and_gradients(name):
    torch.manual_seed(0)
    module, x = getattr(modules, name)().eval(), 10 * torch.randn(3, *SHAPES[name])
    model = bl.from_torch(module, x)
    x.requires_grad_()
    outputs = module(x).reshape(3, -1)
    (slopes,) = torch.autograd.grad(outputs[:, 0].sum(), x)
    ends_in_softmax = hasattr(module, "softmax")
    found = model.predict_proba(x) if ends_in_softmax else model.logits(x)
    np.testing.assert_allclose(found, outputs.detach(), rtol=1e-4, atol=1e-4)
    found = bl.gradient(model, x, 0, score="probability" if ends_in_softmax else "logit")
    np.testing.assert_allclose(found, slopes, rtol=1e-3, atol=1e-5)
