"""DeepLIFT, LRP, conductance and occlusion through every layer and operator."""

import numpy as np
import pytest

import backlit as bl
from tests.every_layer import NETWORKS


def setting(name, count=17):
    model = NETWORKS[name]
    rng = np.random.default_rng(len(name))
    x = rng.normal(size=(count, *model.input_shape)).astype(np.float32)
    return model, x, rng.integers(0, model.classes, count)


def rise(model, x, base, target):
    """The difference of the target's logit."""
    values = []
    for samples in (x, base):
        z = model.logits(samples).astype(np.float64)
        z = np.hstack([-z, z]) if model.outputs == "binary" else z
        values.append(z[np.arange(len(z)), target])
    return values[0] - values[1], np.abs(values).max()


def total(maps):
    return maps.reshape(len(maps), -1).sum(axis=1, dtype=np.float64)


@pytest.mark.parametrize("name", NETWORKS)
def test_deeplift_adds_up(name):
    model, x, target = setting(name)
    base = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    base[:3] = x[:3] + 1e-3 * base[:3]
    base[3] = x[3]
    if "raise_to" in name:
        with pytest.raises(ValueError, match="DeepLIFT has a rule for"):
            bl.deeplift(model, x, target, baseline=base)
        return
    maps = bl.deeplift(model, x, target, baseline=base)
    difference, size = rise(model, x, base, target)
    scale = np.abs(maps).reshape(len(maps), -1).sum(axis=1) + size
    assert (np.abs(total(maps) - difference) <= 3e-6 * scale).all()
    assert not maps[3].any()
    for one in (0, 3, 16):
        part = slice(one, one + 1)
        alone = bl.deeplift(model, x[part], target[part], baseline=base[part])
        np.testing.assert_array_equal(alone, maps[part])


# What LRP refuses, and the reason
REFUSED = {
    "softmax": "a rule for, but 1 is Softmax",
    "log-softmax": "a rule for, but 1 is LogSoftmax",
    "softmax of columns": "a rule for, but what is tested is RowSoftmax",
    "raise_to": "a rule for, but what is tested is Binary",
}


@pytest.mark.parametrize("rule", ["epsilon", "epsilon_plus_flat"])
@pytest.mark.parametrize("name", NETWORKS)
def test_lrp(name, rule):
    """Finite, a sample's own whatever the company, or refused for what it is."""
    model, x, target = setting(name)
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            bl.lrp(model, x, target, rule=rule)
        return
    maps = bl.lrp(model, x, target, rule=rule)
    assert np.isfinite(maps).all()
    for one in (0, 16):
        part = slice(one, one + 1)
        np.testing.assert_array_equal(bl.lrp(model, x[part], target[part], rule=rule), maps[part])
