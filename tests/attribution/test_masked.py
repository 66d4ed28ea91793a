"""What all methods on masked samples share: bits, targets, scores, empty batches."""

import numpy as np
import pytest

import backlit as bl
from tests.attribution.networks import NETWORKS, samples

METHODS = {
    "occlusion": {"window": 2, "stride": 1},
    "feature_ablation": {},
    "rise": {"samples": 140, "grid": 3},
    "lime": {"segments": 3, "samples": 140},
    "kernel_shap": {"segments": 3, "samples": 140},
    "shapley_sampling": {"segments": 3, "samples": 20},
    "exact_shapley": {"segments": 3},
    "partition_shap": {"segments": 3},
}


def images(network, count):
    model = NETWORKS[network]()
    x = samples(model, count)
    return model, x.reshape(count, 3, 7) if x.ndim == 2 else x


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", METHODS)
def test_bits_do_not_depend_on_threads_or_split(name, network):
    model, x = images(network, 41)

    def run(x, threads):
        return getattr(bl, name)(model, x, threads=threads, **METHODS[name])

    whole = run(x, 1)
    np.testing.assert_array_equal(whole, run(x, 3))
    for part in (slice(0, 1), slice(1, 4), slice(4, 41)):
        np.testing.assert_array_equal(whole[part], run(x[part], 2))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("score", ["logit", "log_probability", "probability", "loss"])
def test_target_is_that_of_the_whole_input(name, score):
    model, x = images("pooled", 3)
    options = {"score": score, **METHODS[name]}
    predicted = getattr(bl, name)(model, x, **options)
    given = getattr(bl, name)(model, x, model.predict(x), **options)
    np.testing.assert_array_equal(predicted, given)
    assert predicted.any()


@pytest.mark.parametrize("name", METHODS)
def test_out_and_no_samples(name):
    model, x = images("pooled", 2)
    out = np.empty_like(x)
    assert getattr(bl, name)(model, x, out=out, **METHODS[name]) is out
    np.testing.assert_array_equal(out, getattr(bl, name)(model, x, **METHODS[name]))
    assert getattr(bl, name)(model, x[:0], **METHODS[name]).shape == x[:0].shape


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("count", [1, 20])
def test_samples_that_are_not_finite(name, count):
    model, x = images("pooled", count)
    x[-1, 1, 3, 4] = np.nan
    with pytest.raises(ValueError, match="X must be finite"):
        getattr(bl, name)(model, x, **METHODS[name])
