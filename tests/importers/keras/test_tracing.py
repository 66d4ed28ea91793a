"""Layers and models of one's own, by what their `call` does."""

import numpy as np
import pytest

import backlit as bl
from tests.importers.keras.reference import agree, fill, in_float64, keras  # noqa: F401

L, ops = keras.layers, keras.ops


class Patches(L.Layer):
    """As Keras's examples cut images up."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, images):
        batch, height, width, channels = ops.shape(images)
        count = (height // self.size) * (width // self.size)
        patches = ops.image.extract_patches(images, size=self.size)
        return ops.reshape(patches, (batch, count, self.size**2 * channels))


class Places(L.Layer):
    """A token for the class, and what says where each patch lies."""

    def __init__(self, count, width):
        super().__init__()
        self.count, self.width = count, width
        self.projection, self.embedding = L.Dense(width), L.Embedding(count, width)

    def build(self, shape):
        self.projection.build(shape)
        self.embedding.build(None)
        self.token = self.add_weight(shape=(1, 1, self.width))

    def call(self, patches):
        places = ops.expand_dims(ops.arange(0, self.count), axis=0)
        rows = self.projection(patches) + self.embedding(places)
        token = ops.repeat(self.token, ops.shape(patches)[0], axis=0)
        return ops.concatenate([token, rows], axis=1)


class Block(L.Layer):
    def __init__(self, width):
        super().__init__()
        self.first, self.second = L.LayerNormalization(epsilon=1e-6), L.LayerNormalization()
        self.attention = L.MultiHeadAttention(2, width // 2, dropout=0.1)
        self.mlp = keras.Sequential(
            [L.Dense(width, activation="gelu"), L.Dropout(0.1), L.Dense(width)]
        )

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],))

    def call(self, x, training=None):
        y = self.first(x)
        x = x + self.scale * self.attention(y, y, training=training)
        if training:
            x = x * 0
        return x + self.mlp(self.second(x))


def transformer():
    inputs = keras.Input((8, 8, 3))
    x = Block(6)(Block(6)(Places(4, 6)(Patches(4)(inputs))))
    return keras.Model(inputs, L.Dense(5)(L.LayerNormalization()(x)[:, 0]))


def test_a_vision_transformer(rng):
    model = transformer()
    fill(model, rng)
    agree(model, rng)
    assert not model.layers[2].projection._inbound_nodes


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 2 * x,
        lambda x: ops.split(x, 2, axis=-1),
        lambda x: ops.reshape(x, (ops.shape(x)[0], -1, 2)),
    ],
)
def test_lambdas(function, rng):
    inputs = keras.Input((4, 3, 4))
    results = L.Lambda(function)(L.Conv2D(4, 2)(inputs))
    last = results[1] if isinstance(results, list | tuple) else results
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(last)))
    fill(model, rng)
    agree(model, rng)


def gate(x):
    return x * ops.sigmoid(1.702 * x)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: L.Activation(gate, name="own"),
        lambda: L.Dense(4, activation=gate, name="own"),
        lambda: L.Conv2D(4, 2, padding="same", activation=gate, name="own"),
        lambda: L.DepthwiseConv2D(2, activation=lambda x: ops.tanh(x) ** 2, name="own"),
    ],
)
def test_activations_of_ones_own(layer, rng):
    inputs = keras.Input((4, 3, 4))
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(layer()(inputs))))
    fill(model, rng)
    agree(model, rng)
    own = bl.from_keras(model)
    X = rng.normal(size=(2, 4, 3, 4))
    assert bl.layer_activation(own, X, layer="own").shape[0] == 2


def test_layers_made_of_others_of_ones_own(rng):
    class Dense(L.Dense):
        pass

    class Gate(L.Layer):
        def __init__(self):
            super().__init__()
            self.pool, self.dense = L.GlobalAveragePooling2D(keepdims=True), Dense(4, "relu")

        def call(self, x):
            return x * ops.sigmoid(self.dense(self.pool(x)))

    inputs, gate = keras.Input((5, 4, 4)), Gate()
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(gate(gate(inputs)))))
    fill(model, rng)
    agree(model, rng)
    own = bl.from_keras(model)
    assert {"gate", "gate@2", "gate/dense", "gate@2/dense"} <= set(own._source.names)


def test_a_model_of_ones_own(rng):
    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.body, self.head = L.Conv2D(4, 3, activation="relu"), L.Dense(3)

        def call(self, x):
            return self.head(ops.max(self.body(x), axis=(1, 2)))

    model = Own()
    with pytest.raises(ValueError, match=r"a subclass of keras\.Model input_shape"):
        bl.from_keras(model, input_shape=(6, 5, 3))
    X = rng.normal(size=(5, 6, 5, 3)).astype(np.float32)
    expected = keras.ops.convert_to_numpy(model(X))
    with pytest.raises(ValueError, match=r"a subclass of keras\.Model input_shape"):
        bl.from_keras(model)
    own = bl.from_keras(model, input_shape=(6, 5, 3))
    np.testing.assert_allclose(own.logits(X), expected, rtol=1e-5, atol=1e-5)
    assert own.name == "own"
    assert bl.grad_cam(own, X, 0, layer="own/conv2d").shape == (5, 6, 5, 1)


def test_what_depends_on_the_number_of_samples():
    inputs = keras.Input((4,))
    share = L.Lambda(lambda x: x / ops.cast(ops.shape(x)[0], "float64"), name="share")
    with pytest.raises(ValueError, match=r"share/.* depends on the number of samples"):
        bl.from_keras(keras.Model(inputs, L.Dense(3)(share(inputs))))
