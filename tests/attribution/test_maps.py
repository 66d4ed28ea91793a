"""Maps from layers: class activation maps and FullGrad."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.eigen_cam import _components
from backlit.importers.builder import GraphBuilder, arithmetic, finish, products, reductions, shapes
from tests.attribution.networks import NETWORKS, conv, dense, fully_connected, pooled, samples
from tests.attribution.peers import assert_maps_agree, tensor, twin
from tests.reference import maps as reference

BY_GRADIENT = ("grad_cam", "grad_cam_plus_plus", "hires_cam", "layer_cam", "xgrad_cam")
BY_CHANNEL = ("score_cam", "ablation_cam")
CAMS = (*BY_GRADIENT, *BY_CHANNEL, "eigen_cam")
IMAGES = ("pooled", "residual")
LAYERS = (0, 1, 2, 4, 5)  # of the pooled network


@pytest.fixture
def problem():
    model = pooled()
    x = samples(model, 13)
    return model, x, np.arange(13) % model.classes


@pytest.mark.parametrize("name", BY_GRADIENT)
@pytest.mark.parametrize("layer", LAYERS)
def test_gradient_maps_equal_their_formulas(problem, name, layer):
    model, x, target = problem
    expected = getattr(reference, name)(*reference.at_layer(model, x, target, layer))
    found = getattr(bl, name)(model, x, target, layer=layer, upsample=False, relu=False)
    if name == "xgrad_cam" or name == "grad_cam_plus_plus":  # quotients of small differences
        np.testing.assert_allclose(found[:, 0], expected, rtol=2e-3, atol=2e-3)
    else:
        assert_maps_agree(found, expected[:, None])


@pytest.mark.parametrize("score", ["logit", "probability", "log_probability"])
@pytest.mark.parametrize("name", BY_CHANNEL)
@pytest.mark.parametrize("layer", [0, 5])
def test_channel_maps_equal_their_formulas(problem, name, layer, score):
    model, x, target = problem
    expected = getattr(reference, name)(model, x, target, layer, score)
    options = {"layer": layer, "score": score, "upsample": False, "relu": False}
    assert_maps_agree(getattr(bl, name)(model, x, target, **options), expected[:, None], 1e-3)


@pytest.mark.parametrize("logit", [-80, -90, -100])
def test_falls_of_next_to_nothing_count_as_none(logit):
    """Probabilities whose reciprocals are beyond float32; without the first channel, a half."""
    weights = np.array([[logit / 2, 0]] * 2 + [[0, 0]] * 2)
    layers = [bl.Conv2D(np.ones((2, 1, 1, 1))), bl.Flatten(), bl.Dense(weights)]
    model = bl.Model(layers, (1, 1, 2))
    X = np.ones((17, 1, 1, 2))
    X[1:, :, :, 0] = np.linspace(0, 1, 16).reshape(16, 1, 1)
    X[:, :, :, 1] = 2 - X[:, :, :, 0]
    options = {"score": "probability", "layer": 0, "relu": False}
    assert np.isfinite(bl.ablation_cam(model, X, 0, **options)).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", [0, 1, 5])
def test_guided_grad_cam_is_a_product(problem, layer):
    attr = pytest.importorskip("captum.attr")
    model, x, target = problem
    module = twin(model)
    theirs = attr.GuidedGradCam(module, module[layer]).attribute(
        tensor(x), target=tensor(target).long(), interpolate_mode="bilinear"
    )
    found = bl.guided_grad_cam(model, x, target, layer=layer)
    assert_maps_agree(found, theirs.detach())
    factors = bl.guided_backprop(model, x, target), bl.grad_cam(model, x, target, layer=layer)
    np.testing.assert_array_equal(found, factors[0] * factors[1])


@pytest.mark.parametrize("layer", LAYERS)
def test_eigen_cam_is_the_first_principal_component(problem, layer):
    model, x, target = problem
    a, _ = reference.at_layer(model, x, target, layer)
    found = bl.eigen_cam(model, x, layer=layer, upsample=False, relu=False)
    assert_maps_agree(found, reference.eigen_cam(a)[:, None], 1e-3)


def test_full_grad_equals_its_formula(problem):
    model, x, target = problem
    expected = reference.full_grad(model, x, target)
    assert_maps_agree(bl.full_grad(model, x, target), expected[:, None])


@pytest.mark.parametrize("network", IMAGES)
def test_input_and_bias_gradients_add_up_to_the_logit(network):
    """FullGrad's completeness, every bias taken where its layer adds it."""
    model = NETWORKS[network]()
    x = samples(model, 13)
    target = np.arange(13) % model.classes
    total = bl.input_x_gradient(model, x, target).sum(axis=(1, 2, 3), dtype=np.float64)
    for name, layer in named(model.layers):
        if isinstance(layer, bl.BatchNorm):
            bias = layer.beta - layer.gamma * layer.mean / np.sqrt(layer.variance + layer.epsilon)
        elif hasattr(layer, "bias"):
            bias = layer.bias
        else:
            continue
        gradient = bl.layer_gradient(model, x, target, layer=name)
        total += gradient.reshape(13, len(bias), -1).sum(axis=2, dtype=np.float64) @ bias
    logits = model.logits(x)[np.arange(13), target]
    np.testing.assert_allclose(total, logits, rtol=1e-4, atol=1e-4)


def named(layers, prefix=""):
    for number, layer in enumerate(layers):
        if isinstance(layer, bl.Residual):
            yield from named(layer.body, f"{prefix}{number}.body.")
            yield from named(layer.shortcut, f"{prefix}{number}.shortcut.")
        else:
            yield f"{prefix}{number}", layer


def test_grad_cam_of_pooled_features_is_cam():
    """Before global average pooling and a dense layer: CAM, Zhou et al., 2016, over the pixels."""
    rng = np.random.default_rng(0)
    last = dense(rng, 6, 4)
    layers = [conv(rng, 3, 6, padding=1), bl.ReLU(), bl.GlobalAvgPool2D(), bl.Flatten(), last]
    model = bl.Model(layers, (3, 7, 9))
    x = samples(model, 11)
    a = bl.layer_activation(model, x, layer=1)
    cam = np.einsum("nchw,cn->nhw", a, last.weights[:, model.predict(x)]) / 63
    assert_maps_agree(bl.grad_cam(model, x, relu=False), cam[:, None])
    assert_maps_agree(bl.hires_cam(model, x, relu=False), cam[:, None])
    assert_maps_agree(bl.grad_cam(model, x), np.maximum(cam, 0)[:, None])


@pytest.mark.parametrize("name", CAMS)
@pytest.mark.parametrize("layer", [0, 2, None])
def test_maps_are_rectified_then_enlarged(problem, name, layer):
    model, x, target = problem
    method = getattr(bl, name)
    small = method(model, x, target, layer=layer, upsample=False)
    signed = method(model, x, target, layer=layer, upsample=False, relu=False)
    np.testing.assert_array_equal(small, np.maximum(signed, 0))
    large = method(model, x, target, layer=layer)
    assert large.shape == (13, 1, 9, 11)
    expected = reference.enlarged(small.astype(np.float64), (9, 11))
    np.testing.assert_allclose(large, expected, rtol=1e-4, atol=1e-5 * expected.max())


@pytest.mark.parametrize(
    ("network", "layer"),
    [("pooled", "1"), ("pooled", "2"), ("residual", "3"), ("residual", "7")]
    + [("residual", name) for name in ("0", "1", "3.body.0", "3.body.1", "6.body.1", "6")],
)
def test_grad_cam_equals_captum(network, layer):
    attr = pytest.importorskip("captum.attr")
    model = NETWORKS[network]()
    x = samples(model, 21)
    target = np.arange(21) % model.classes
    module = twin(model)
    peer = attr.LayerGradCam(module, module.get_submodule(layer))
    theirs = peer.attribute(tensor(x), target=tensor(target).long(), relu_attributions=True)
    found = bl.grad_cam(model, x, target, layer=layer, upsample=False)
    np.testing.assert_allclose(found, theirs.detach(), rtol=1e-3, atol=1e-5)
    large = attr.LayerAttribution.interpolate(theirs, model.input_shape[1:], "bilinear")
    found = bl.grad_cam(model, x, target, layer=layer)
    np.testing.assert_allclose(found, large.detach(), rtol=1e-3, atol=1e-5)


def test_grad_cam_equals_captum_on_digits():
    attr = pytest.importorskip("captum.attr")
    model = bl.models.mnist_cnn()
    x = bl.datasets.mnist()[0][:40]
    module = twin(model)
    peer = attr.LayerGradCam(module, module[5])
    target = tensor(model.predict(x)).long()
    theirs = peer.attribute(tensor(x), target=target, relu_attributions=True)
    theirs = attr.LayerAttribution.interpolate(theirs, (28, 28), "bilinear")
    assert_maps_agree(bl.grad_cam(model, x), theirs.detach())


@pytest.mark.parametrize("network", IMAGES)
@pytest.mark.parametrize("name", [*CAMS, "full_grad"])
def test_same_bits_whatever_the_split_and_threads(name, network):
    model = NETWORKS[network]()
    x = samples(model, 41)
    method = getattr(bl, name)
    whole = method(model, x, threads=1)
    assert np.ptp(whole) > 0
    np.testing.assert_array_equal(method(model, x, threads=3), whole)
    for part in (slice(0, 1), slice(3, 20), slice(40, 41)):
        np.testing.assert_array_equal(method(model, x[part]), whole[part])


@pytest.mark.parametrize("name", [*CAMS, "full_grad"])
def test_writes_to_out_and_takes_no_samples(problem, name):
    model, x, _ = problem
    method = getattr(bl, name)
    out = np.empty((13, 1, 9, 11), np.float32)
    assert method(model, x, out=out) is out
    np.testing.assert_array_equal(out, method(model, x))
    assert method(model, x[:0]).shape == (0, 1, 9, 11)


def in_range(maps):
    maps = maps - maps.min(axis=(1, 2, 3), keepdims=True)
    return maps / np.maximum(maps.max(axis=(1, 2, 3), keepdims=True), 1e-30)


@pytest.mark.parametrize("layers", [[0, 2, 5], (-4,)])
@pytest.mark.parametrize("name", CAMS)
def test_maps_of_several_layers_are_averaged_in_one_range(problem, name, layers):
    model, x, target = problem
    method = getattr(bl, name)
    small = [method(model, x, target, layer=layer, upsample=False) for layer in layers]
    each = [reference.enlarged(in_range(maps.astype(np.float64)), (9, 11)) for maps in small]
    out = np.full((13, 1, 9, 11), np.nan, np.float32)
    assert method(model, x, target, layer=layers, out=out) is out
    np.testing.assert_allclose(out, np.mean(each, axis=0), atol=1e-5)
    np.testing.assert_array_equal(method(model, x[4:6], target[4:6], layer=layers), out[4:6])


def test_guided_grad_cam_of_several_layers(problem):
    model, x, target = problem
    found = bl.guided_grad_cam(model, x, target, layer=[1, 5])
    maps = bl.grad_cam(model, x, target, layer=[1, 5])
    np.testing.assert_array_equal(found, bl.guided_backprop(model, x, target) * maps)


def test_layers_by_index_and_name(problem):
    model, x, _ = problem
    expected = bl.grad_cam(model, x, layer=6)
    for layer in (None, "6", -3, np.int64(6)):
        np.testing.assert_array_equal(bl.grad_cam(model, x, layer=layer), expected)


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (9, ValueError, r"layer must be in -9 \.\.\. 8, got 9"),
        ("conv1", ValueError, "layer must be one of '0', '1', .*, got 'conv1'"),
        (1.0, TypeError, "layer must be an index or a name, not float"),
        ([], ValueError, "layer must not be an empty list"),
        ([1, 9], ValueError, r"layer must be in -9 \.\.\. 8, got 9"),
        ([[1]], TypeError, "layer must be an index or a name, not list"),
        (8, ValueError, r"output has shape \(channels, height, width\), .* 8 has shape \(5,\)"),
    ],
)
def test_errors(problem, layer, error, message):
    model, x, _ = problem
    with pytest.raises(error, match=message):
        bl.grad_cam(model, x, layer=layer)


@pytest.mark.parametrize("option", ["upsample", "relu"])
def test_several_layers_are_enlarged_and_rectified(problem, option):
    model, x, _ = problem
    with pytest.raises(ValueError, match=f"{option} must be True with several layers"):
        bl.eigen_cam(model, x, layer=[1, 2], **{option: False})


@pytest.mark.parametrize("name", [*CAMS, "full_grad"])
def test_a_model_without_images_is_refused(name):
    model = fully_connected()
    with pytest.raises(ValueError, match="model must"):
        getattr(bl, name)(model, samples(model, 2))


@pytest.mark.parametrize("shape", [(30, 22), (660,), (1, 2, 30, 11)])
@pytest.mark.parametrize("name", [*CAMS, "full_grad", "guided_grad_cam"])
def test_samples_that_the_model_makes_pictures_of(name, shape):
    """Rows of pixels and the like: the maps are those of the pictures."""
    picture = (1, 30, 22) if shape == (30, 22) else (2, 30, 11)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(4, picture[0], 3, 3)), rng.normal(size=(3, 4, 3, 3))
    models = []
    for first in (shape, picture):
        b = GraphBuilder(first)
        x = b.input if first == picture else shapes.reshape(b, b.input, (1, *picture))
        for filters in weights:
            x = b.append(bl.ReLU(), products.convolution(b, x, filters, np.ones(len(filters)) / 9))
        models.append(finish(b, reductions.reduce(b, "mean", x, [2, 3], False)))
    reshaped, plain = models
    X = rng.normal(size=(5, *picture)).astype(np.float32)
    method = getattr(bl, name)
    expected = method(plain, X, 1)
    found = method(reshaped, X.reshape(5, *shape), 1)
    assert found.shape == ((5, *shape) if name == "guided_grad_cam" else (5, 1, *picture[1:]))
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    none = method(reshaped, X[:0].reshape(0, *shape))
    assert none.shape == (0, *found.shape[1:])
    if name not in ("full_grad", "guided_grad_cam"):
        assert method(reshaped, X.reshape(5, *shape), upsample=False).shape[2] == picture[1] - 4


def test_samples_that_are_read_in_two_ways_are_refused():
    b = GraphBuilder((24,))
    x = products.convolution(b, shapes.reshape(b, b.input, (1, 1, 4, 6)), np.ones((1, 1, 3, 3)))
    row = products.dense(b, b.input, np.ones((24, 8)))
    model = finish(b, arithmetic.binary(b, "add", shapes.reshape(b, x, (1, 8)), row))
    with pytest.raises(ValueError, match=r"model must take images.*\(24,\)"):
        bl.grad_cam(model, np.ones((2, 24)))


@pytest.mark.parametrize("shape", [(30, 4, 5), (20, 4, 5), (3, 4, 5)])
def test_components_are_those_of_a_singular_value_decomposition(shape):
    """Of more channels than pixels, as many, and fewer."""
    values = np.random.default_rng(0).random((2, *shape)).astype(np.float32)
    for found, own in zip(_components(values), values.astype(float), strict=True):
        rows = own.reshape(shape[0], -1)
        u, s, v = np.linalg.svd(rows - rows.mean(axis=1, keepdims=True), full_matrices=False)
        expected = s[0] * v[0] * np.sign(u[:, 0].sum())
        np.testing.assert_allclose(found.reshape(-1), expected, rtol=1e-9, atol=1e-12)
