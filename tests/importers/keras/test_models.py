"""Whole Keras models: graphs, names, meanings of outputs."""

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.importers.keras.reference import agree, fill, gradients, in_float64, keras  # noqa: F401

L = keras.layers


def image_model(*layers, shape=(9, 8, 3)):
    return keras.Sequential([keras.Input(shape), *layers])


def residual(inputs):
    """Convolutions with normalisation, padded apart, and shortcuts of both kinds."""
    x = L.ZeroPadding2D(((1, 1), (1, 1)))(inputs)
    x = L.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = L.ReLU()(L.BatchNormalization()(x))
    x = L.MaxPooling2D(3, strides=2)(L.ZeroPadding2D(1)(x))
    for filters, strides in ((8, 1), (12, 2)):
        y = L.Conv2D(filters, 3, strides=strides, padding="same")(x)
        y = L.Activation("relu")(L.BatchNormalization()(y))
        y = L.BatchNormalization()(L.Conv2D(filters, 3, padding="same")(y))
        if strides > 1:
            x = L.Conv2D(filters, 1, strides=strides, padding="same")(x)
        x = L.Activation("relu")(L.Add()([x, y]))
    return L.GlobalAveragePooling2D()(x)


def mobile(inputs):
    """Separable convolutions, ReLU6, squeeze and excite."""
    x = L.Rescaling(2.0, offset=-0.5)(inputs)
    for filters, strides in ((8, 2), (12, 1)):
        x = L.SeparableConv2D(filters, 3, strides=strides, padding="same", use_bias=False)(x)
        x = L.ReLU(6.0)(L.BatchNormalization()(x))
    weights = L.GlobalAveragePooling2D(keepdims=True)(x)
    weights = L.Conv2D(12, 1, activation="hard_sigmoid")(L.Conv2D(4, 1, activation="silu")(weights))
    x = L.Multiply()([x, weights])
    x = L.DepthwiseConv2D(3, padding="same")(x)
    return L.Flatten()(L.Dropout(0.2)(x))


def inception(inputs):
    """Branches that are put together; an image model's classifier with a hidden layer."""
    branches = [
        L.Conv2D(4, 1, activation="elu")(inputs),
        L.Conv2D(4, 3, padding="same", activation="gelu")(inputs),
        L.AveragePooling2D(3, strides=1, padding="same")(inputs),
    ]
    x = L.Concatenate()(branches)
    x = L.MaxPooling2D(2)(L.LayerNormalization()(x))
    return L.Dense(6, activation="tanh")(L.Flatten()(x))


@pytest.mark.parametrize("body", [residual, mobile, inception])
@pytest.mark.parametrize("end", ["softmax", None])
def test_network(body, end, rng):
    inputs = keras.Input((19, 16, 3))
    model = keras.Model(inputs, L.Dense(4, activation=end)(body(inputs)))
    plain = keras.Model(inputs, L.Dense(4)(model.layers[-1].input))
    fill(model, rng)
    plain.layers[-1].set_weights(model.layers[-1].get_weights())
    X = rng.normal(size=(17, 19, 16, 3)).astype(np.float32)
    own = agree(plain, rng, X)
    whole = bl.from_keras(model)
    assert whole.outputs == "classes"
    np.testing.assert_array_equal(whole.logits(X), own.logits(X))
    if end:
        assert_close(whole.predict_proba(X), model.predict(X, verbose=0))


def test_padding_is_the_convolutions_own(rng):
    inputs = keras.Input((19, 16, 3))
    model = keras.Model(inputs, L.Dense(4)(residual(inputs)))
    fill(model, rng)
    kinds = {type(node.layer).__name__ for node in bl.from_keras(model)._programs.graph.nodes}
    assert not kinds & {"AxisMap", "Transpose", "BatchNorm"}


def test_zeros_before_a_maximum_count_where_values_are_negative(rng):
    model = image_model(
        L.Conv2D(3, 3), L.ZeroPadding2D(1), L.MaxPooling2D(3, strides=2), L.Flatten(), L.Dense(3)
    )
    fill(model, rng)
    model.layers[0].bias.assign([-4.0, -2.0, 0.0])
    agree(model, rng)


def test_flattening_transposes_nothing(rng):
    model = image_model(L.Conv2D(3, 3), L.Flatten(), L.Dense(4))
    fill(model, rng)
    own = agree(model, rng)
    kinds = [type(node.layer).__name__ for node in own._programs.graph.nodes]
    assert kinds == ["Conv2D", "Flatten", "Dense"]


def test_channels_first(rng):
    first = {"data_format": "channels_first"}
    model = image_model(
        L.Conv2D(4, 3, activation="relu", **first),
        L.BatchNormalization(axis=1),
        L.MaxPooling2D(2, **first),
        L.Flatten(),
        L.Dense(3),
        shape=(3, 9, 8),
    )
    fill(model, rng)
    own = agree(model, rng)
    assert own.input_shape == (3, 9, 8)
    assert not own.channels_last


def test_both_orders_in_a_model(rng):
    first = {"data_format": "channels_first"}
    model = image_model(
        L.Conv2D(4, 3, activation="relu"),
        L.Permute((3, 1, 2)),
        L.Conv2D(5, 2, **first),
        L.AveragePooling2D(2, **first),
        L.Permute((2, 3, 1)),
        L.Conv2D(2, 1),
        L.Flatten(),
        L.Dense(3),
    )
    fill(model, rng)
    agree(model, rng)


@pytest.mark.parametrize("shape", [(8, 8), (64,)])
def test_images_made_of_other_samples(shape, rng):
    model = image_model(
        L.Reshape((8, 8, 1)),
        L.Conv2D(3, 3, activation="relu"),
        L.Flatten(),
        L.Dense(3),
        shape=shape,
    )
    fill(model, rng)
    own = agree(model, rng)
    assert own.input_shape == shape


def test_steps_of_time(rng):
    model = image_model(
        L.Conv1D(6, 3, padding="causal", activation="relu"),
        L.MaxPooling1D(2),
        L.Conv1D(5, 2),
        L.GlobalMaxPooling1D(),
        L.Dense(3),
        shape=(12, 4),
    )
    fill(model, rng)
    own = agree(model, rng)
    X = rng.normal(size=(2, 12, 4)).astype(np.float32)
    for layer in model.layers[:4]:
        inner = keras.Model(model.inputs, layer.output)
        expected = inner.predict(X, verbose=0)
        expected = expected.transpose(0, 2, 1) if expected.ndim == 3 else expected
        assert_close(bl.layer_activation(own, X, layer=layer.name), expected)


def test_models_in_a_model_and_shared_layers(rng):
    shared = L.Dense(6, activation="relu", name="shared")
    inner = keras.Sequential([keras.Input((9, 8, 3)), L.Conv2D(4, 3), L.ReLU()], name="inner")
    inputs = keras.Input((9, 8, 3))
    x = L.GlobalAveragePooling2D()(inner(inputs))
    x = shared(shared(L.Dense(6)(x)))
    model = keras.Model(inputs, L.Dense(3)(x))
    fill(model, rng)
    own = agree(model, rng)
    X = rng.normal(size=(3, 9, 8, 3)).astype(np.float32)
    conv = inner.layers[0].name
    expected = inner.predict(X, verbose=0)
    assert_close(bl.layer_activation(own, X, layer="inner"), expected)
    before = bl.layer_activation(own, X, layer=f"inner/{conv}")
    np.testing.assert_array_equal(np.maximum(before, 0), bl.layer_activation(own, X, layer="inner"))
    first, second = (bl.layer_activation(own, X, layer=name) for name in ("shared", "shared@2"))
    again = np.maximum(first @ shared.get_weights()[0] + shared.get_weights()[1], 0)
    assert_close(second, again)


def test_models_that_return_several_tensors_are_no_layers(rng):
    entry = keras.Input((6,))
    parts = [L.Dense(4, name="first")(entry), L.Dense(4, name="second")(entry)]
    inner, inputs = keras.Model(entry, parts, name="inner"), keras.Input((6,))
    model = keras.Model(inputs, L.Dense(3)(L.Concatenate()(inner(inputs))))
    own = agree(model, rng)
    with pytest.raises(ValueError, match=r"'inner' returns 2 .* within: inner/first, inner/second"):
        bl.layer_activation(own, rng.normal(size=(2, 6)), layer="inner")


def test_an_activation_that_is_set_aside_stands_for_the_logits(rng):
    model = image_model(L.Dense(3, activation="softmax", name="scores"), shape=(6,))
    fill(model, rng)
    own, X = bl.from_keras(model), rng.normal(size=(2, 6)).astype(np.float32)
    for name in ("scores", "scores.1"):
        np.testing.assert_array_equal(bl.layer_activation(own, X, layer=name), own.logits(X))


def test_operations_between_layers(rng):
    ops = keras.ops
    inputs = keras.Input((6, 5, 4))
    x = L.Conv2D(4, 1)(inputs)
    x = ops.relu(x) + 0.5 * inputs - np.arange(4.0)
    x = ops.maximum(x, -inputs) / (1.0 + ops.sigmoid(x))
    x = ops.concatenate([x, ops.gelu(x, approximate=True)], axis=1)
    x = ops.transpose(x, (0, 2, 1, 3))
    y = ops.mean(x, axis=(1, 2))
    x = ops.reshape(ops.max(x, axis=-1, keepdims=True), (-1, 60))
    model = keras.Model(inputs, L.Dense(3)(L.Concatenate()([x, y])))
    fill(model, rng)
    agree(model, rng)


@pytest.mark.parametrize(
    "function",
    [
        lambda ops, x: ops.abs(x) + ops.square(x) + x**2 + ops.power(ops.abs(x) + 1, 1.5),
        lambda ops, x: ops.log(ops.sqrt(ops.exp(x) + 1)) + ops.clip(x, -0.5, 0.75),
        lambda ops, x: ops.elu(x, alpha=0.7) + ops.celu(x, 1.5) + ops.leaky_relu(x, 0.3),
        lambda ops, x: x[:, 1:5:2, :, -2:],
        lambda ops, x: ops.concatenate([x[:, 2], x[:, -1, ::2]], axis=1),
        lambda ops, x: ops.squeeze(ops.expand_dims(x[:, :, 0], axis=2), axis=2),
        lambda ops, x: ops.squeeze(ops.mean(x, axis=(1, 2), keepdims=True)),
        lambda ops, x: ops.stack([x[:, 1], ops.tanh(x[:, 0])], axis=-1),
        lambda ops, x: x[..., 1:3] + x[:, :, None, 2][..., :1],
        lambda ops, x: ops.concatenate(ops.split(x, 2, axis=-1)[::-1], axis=2),
        lambda ops, x: ops.split(x, [1, 2], axis=1)[2] + ops.unstack(x, axis=1)[1][:, None],
        lambda ops, x: ops.pad(x, [[0, 0], [1, 0], [0, 2], [1, 1]], constant_values=0.5),
        lambda ops, x: ops.pad(x, [[0, 0], [1, 2], [0, 0], [1, 1]], mode="symmetric"),
        lambda ops, x: ops.roll(ops.flip(x, (1, 3)), (1, -2), (1, 2)) + ops.roll(x, 1, -1),
        lambda ops, x: ops.repeat(ops.tile(x, (1, 2, 1, 1)), 2, axis=-1),
        lambda ops, x: ops.take(x, np.array([[2, 0], [1, -1]]), axis=-1) * 2,
        lambda ops, x: ops.take(ops.swapaxes(x, 1, 3), np.array([0, 2, 2]), axis=2),
        lambda ops, x: ops.moveaxis(x, 3, 1),
        lambda ops, x: ops.matmul(ops.softmax(ops.matmul(x, ops.transpose(x, (0, 1, 3, 2)))), x),
        lambda ops, x: (
            ops.matmul(x, np.ones((4, 5)) * np.arange(5.0)) + ops.dot(x, np.ones((4, 5)))
        ),
        lambda ops, x: ops.matmul(np.arange(18.0).reshape(3, 6)[:, : x.shape[2]], x),
        lambda ops, x: ops.einsum("bhwc,bhvc,cd->bwvd", x, ops.tanh(x), np.eye(4)[:, :3]),
        lambda ops, x: ops.dot_product_attention(x, ops.tanh(x), x, is_causal=True),
        lambda ops, x: ops.where(x > 0.1, x, 0.2 * x) + ops.where(np.eye(4)[0] > 0, x, -1.0),
        lambda ops, x: x * ops.cast((x < 0.5) & (x >= -0.5) | ops.logical_not(x != 0), "float64"),
        lambda ops, x: ops.sign(x) * ops.sqrt(ops.abs(x)) * ops.cast(x <= 1, x.dtype),
        lambda ops, x: ops.sin(3 * x) + ops.cos(x) + ops.erf(x) + ops.expm1(x),
        lambda ops, x: ops.log1p(ops.square(x)) + ops.rsqrt(x * x + 1) + ops.reciprocal(x * x + 1),
        lambda ops, x: ops.var(x, (1, 2), keepdims=True) * x + ops.std(x, -1, keepdims=True),
        lambda ops, x: ops.moments(x, (1, 2))[0] + ops.moments(x, (1, 2))[1],
        lambda ops, x: ops.normalize(x) + ops.norm(x, axis=-1, keepdims=True),
        lambda ops, x: ops.norm(x, axis=(1, 2)) + ops.norm(x, ord=1, axis=1)[:, 0],
        lambda ops, x: ops.logsumexp(x, axis=(1, 3)) + ops.amax(ops.amin(x, 1), -1),
        lambda ops, x: ops.cumsum(x, axis=2) + ops.log_softmax(x),
        lambda ops, x: ops.image.resize(x, (3, 7)) * 2,
        lambda ops, x: ops.image.extract_patches(x, (2, 3), strides=(1, 2)),
        lambda ops, x: ops.image.extract_patches(x, 3, padding="same", strides=2),
        lambda ops, x: ops.conv(x, np.ones((2, 3, 4, 2)) * np.arange(2.0), padding="same"),
        lambda ops, x: ops.depthwise_conv(x, np.ones((2, 2, 4, 2)), strides=2),
        lambda ops, x: ops.concatenate([ops.max_pool(x, 2), ops.average_pool(x, 2)], 1),
    ],
)
def test_more_operations_between_layers(function, rng):
    inputs = keras.Input((6, 5, 4))
    x = function(keras.ops, L.Conv2D(4, 1, activation=keras.ops.softplus)(inputs))
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))
    fill(model, rng)
    agree(model, rng)


def test_names_and_maps(rng):
    model = image_model(L.Conv2D(4, 3, activation="relu", name="conv"), L.Flatten(), L.Dense(3))
    fill(model, rng)
    own = bl.from_keras(model)
    X = rng.normal(size=(5, 9, 8, 3)).astype(np.float32)
    conv = keras.Model(model.inputs, model.get_layer("conv").output).predict(X, verbose=0)
    assert_close(bl.layer_activation(own, X, layer="conv"), conv)
    assert own.name == model.name
    assert bl.from_keras(model, name="mine").name == "mine"
    # Grad-CAM by its definition, from Keras's own values
    dense = model.layers[-1].get_weights()[0][:, 1].reshape(conv.shape[1:])
    expected = np.maximum((conv * (dense).mean(axis=(0, 1))).sum(axis=-1, keepdims=True), 0)
    found = bl.grad_cam(own, X, 1, layer="conv", upsample=False)
    assert_close(found, expected)
    assert bl.grad_cam(own, X, 1, layer="conv").shape == (5, 9, 8, 1)


@pytest.mark.parametrize(
    ("units", "end", "outputs"),
    [(1, "sigmoid", "binary"), (3, "sigmoid", "labels"), (1, None, "values"), (3, None, "classes")],
)
def test_meaning_of_outputs(units, end, outputs, rng):
    model = image_model(L.Dense(4, activation="tanh"), L.Dense(units, activation=end), shape=(6,))
    fill(model, rng)
    own = bl.from_keras(model)
    assert own.outputs == outputs
    X = rng.normal(size=(5, 6)).astype(np.float32)
    expected = model.predict(X, verbose=0)
    if end:
        assert_close(own.predict_proba(X)[:, -units:], expected)
    else:
        assert_close(own.logits(X), expected)
    assert bl.from_keras(model, outputs="values").outputs == "values"


def test_outputs_that_are_no_row(rng):
    """Scores of every pixel are in Keras's order."""
    model = image_model(L.Conv2D(2, 8), shape=(9, 8, 3))
    fill(model, rng)
    agree(model, rng, target=3)


def test_several_outputs(rng):
    inputs = keras.Input((6,))
    x = L.Dense(4, activation="relu")(inputs)
    outputs = [L.Dense(3, name="first")(x), L.Dense(2, name="second")(x)]
    model = keras.Model(inputs, outputs)
    fill(model, rng)
    with pytest.raises(ValueError, match="output must be given, one of 'first', 'second'"):
        bl.from_keras(model)
    with pytest.raises(ValueError, match="output must be one of 'first', 'second', got 'third'"):
        bl.from_keras(model, output="third")
    X = rng.normal(size=(5, 6)).astype(np.float32)
    assert_close(bl.from_keras(model, output="second").logits(X), model.predict(X, verbose=0)[1])


def test_open_shapes(rng):
    model = image_model(
        L.Conv2D(4, 3, padding="same"), L.GlobalMaxPooling2D(), L.Dense(3), shape=(None, None, 3)
    )
    fill(model, rng)
    with pytest.raises(ValueError, match=r"input_shape must be given: .* \(None, None, 3\)"):
        bl.from_keras(model)
    for wrong in ((8, 8, 4), (8, 8), (0, 8, 3)):
        with pytest.raises(ValueError, match=r"input_shape must fit the model's"):
            bl.from_keras(model, input_shape=wrong)
    assert agree(model, rng, input_shape=(7, 9, 3)).input_shape == (7, 9, 3)


def test_training_is_over(rng):
    """As for Keras's `predict`, whatever layers are called with."""
    inputs = keras.Input((6,))
    x = L.Dropout(0.5)(inputs, training=True)
    x = L.BatchNormalization()(x, training=True)
    model = keras.Model(inputs, L.Dense(3)(x))
    fill(model, rng)
    X = rng.normal(size=(5, 6)).astype(np.float32)
    assert_close(bl.from_keras(model).logits(X), model.predict(X, verbose=0))


def transformer(inputs):
    """A small vision transformer: patches, attention, dense layers of tokens."""
    x = L.Conv2D(6, 4, strides=4)(inputs)
    x = L.Reshape((-1, 6))(x)
    for _ in range(2):
        y = L.LayerNormalization()(x)
        x = L.Add()([x, L.MultiHeadAttention(2, 3, value_dim=4, dropout=0.1)(y, y)])
        y = L.Dense(12, activation="gelu")(L.LayerNormalization()(x))
        x = L.Add()([x, L.Dense(6)(y)])
    x = L.MultiHeadAttention(2, 3, use_bias=False)(query=x, value=L.Dense(5)(x), key=x)
    return L.GlobalAveragePooling1D()(x)


def test_attention(rng):
    inputs = keras.Input((19, 16, 3))
    model = keras.Model(inputs, L.Dense(4)(transformer(inputs)))
    fill(model, rng)
    agree(model, rng)
    x = L.Reshape((-1, 3))(inputs)
    late = L.MultiHeadAttention(2, 3, name="late")(x, x, attention_mask=np.ones((304, 304)) > 0)
    with pytest.raises(ValueError, match="MultiHeadAttention 'late': called with attention_mask"):
        bl.from_keras(keras.Model(inputs, L.Dense(2)(late)))


def test_saved(rng, tmp_path):
    inputs = keras.Input((19, 16, 3))
    model = keras.Model(inputs, L.Dense(4)(mobile(inputs)))
    fill(model, rng)
    own = bl.from_keras(model)
    bl.save(own, tmp_path / "model.npz")
    again = bl.load(tmp_path / "model.npz")
    X = rng.normal(size=(3, 19, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(again.logits(X), own.logits(X))
    np.testing.assert_array_equal(bl.saliency(again, X), bl.saliency(own, X))
    assert again.channels_last


def test_a_model_built_by_its_first_call(rng):
    model = keras.Sequential([L.Dense(4, activation="relu"), L.Dense(3)])
    model(np.zeros((2, 6)))
    fill(model, rng)
    agree(model, rng, rng.normal(size=(17, 6)).astype(np.float32))


def test_applications(rng):
    """A network that people have: MobileNetV2."""
    model = keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None, classes=5)
    fill(model, rng)
    X = rng.uniform(-1, 1, size=(3, 32, 32, 3)).astype(np.float32)
    own = bl.from_keras(model)
    assert_close(own.predict_proba(X), model.predict(X, verbose=0), 1e-4)
    probability = gradients(model, X, 1)[1]
    assert_close(bl.gradient(own, X, 1, score="probability"), probability, 1e-4)
    assert bl.grad_cam(own, X, layer="out_relu").shape == (3, 32, 32, 1)
