"""Every layer of Keras that can be imported: logits and gradients, over their arguments."""

from inspect import isfunction

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.importers.keras.reference import agree, fill, in_float64, keras  # noqa: F401

L = keras.layers
FIRST = {"data_format": "channels_first"}
ROW, STEPS, IMAGE, PLANES = (6,), (7, 4), (7, 6, 4), (4, 7, 6)


def check(shape, make, rng, classes=3):
    """A layer between two others, so that gradients of all kinds pass through it."""
    inputs = keras.Input(shape)
    x = make(inputs)
    x = L.Dense(classes)(L.Flatten()(x))
    model = keras.Model(inputs, x)
    fill(model, rng)
    return agree(model, rng)


LAYERS = {
    # dense and convolution
    "dense": (ROW, L.Dense, {"units": 5}),
    "dense without bias": (ROW, L.Dense, {"units": 5, "use_bias": False}),
    "dense of steps": (STEPS, L.Dense, {"units": 5}),
    "dense of pixels": (IMAGE, L.Dense, {"units": 5, "activation": "tanh"}),
    "time distributed": (STEPS, lambda: L.TimeDistributed(L.Dense(3)), {}),
    "einsum dense": (
        STEPS,
        L.EinsumDense,
        {"equation": "abc,cde->abde", "output_shape": (7, 2, 3), "bias_axes": "de"},
    ),
    "einsum dense of pixels": (
        IMAGE,
        L.EinsumDense,
        {"equation": "abcd,de->abce", "output_shape": (7, 6, 5), "activation": "relu"},
    ),
    "spectral": (IMAGE, lambda: L.SpectralNormalization(L.Conv2D(3, 2)), {}),
    "conv 1d": (STEPS, L.Conv1D, {"filters": 3, "kernel_size": 3}),
    "conv 1d same": (STEPS, L.Conv1D, {"filters": 3, "kernel_size": 4, "padding": "same"}),
    "conv 1d causal": (
        STEPS,
        L.Conv1D,
        {"filters": 3, "kernel_size": 2, "padding": "causal", "dilation_rate": 2},
    ),
    "conv 1d strided": (
        STEPS,
        L.Conv1D,
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"},
    ),
    "conv": (IMAGE, L.Conv2D, {"filters": 3, "kernel_size": (3, 2)}),
    "conv same": (IMAGE, L.Conv2D, {"filters": 3, "kernel_size": 3, "padding": "same"}),
    "conv same even": (IMAGE, L.Conv2D, {"filters": 3, "kernel_size": (2, 4), "padding": "same"}),
    "conv same strided": (
        IMAGE,
        L.Conv2D,
        {"filters": 3, "kernel_size": 3, "strides": (2, 3), "padding": "same"},
    ),
    "conv dilated": (IMAGE, L.Conv2D, {"filters": 3, "kernel_size": 2, "dilation_rate": (3, 2)}),
    "conv groups": (IMAGE, L.Conv2D, {"filters": 6, "kernel_size": 3, "groups": 2}),
    "conv 1x1 relu": (IMAGE, L.Conv2D, {"filters": 3, "kernel_size": 1, "activation": "relu"}),
    "conv without bias": (IMAGE, L.Conv2D, {"filters": 3, "kernel_size": 3, "use_bias": False}),
    "conv channels first": (PLANES, L.Conv2D, {"filters": 3, "kernel_size": 3, **FIRST}),
    "depthwise": (IMAGE, L.DepthwiseConv2D, {"kernel_size": 3}),
    "depthwise times two": (
        IMAGE,
        L.DepthwiseConv2D,
        {"kernel_size": 3, "depth_multiplier": 2, "strides": 2, "padding": "same"},
    ),
    "depthwise 1d": (STEPS, L.DepthwiseConv1D, {"kernel_size": 3, "depth_multiplier": 2}),
    "separable": (
        IMAGE,
        L.SeparableConv2D,
        {"filters": 3, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"},
    ),
    "separable strided": (
        IMAGE,
        L.SeparableConv2D,
        {"filters": 3, "kernel_size": 3, "strides": 2, "activation": "relu"},
    ),
    "separable 1d": (STEPS, L.SeparableConv1D, {"filters": 3, "kernel_size": 3}),
    # pooling
    "max": (IMAGE, L.MaxPooling2D, {}),
    "max same": (IMAGE, L.MaxPooling2D, {"pool_size": 3, "strides": 2, "padding": "same"}),
    "max same uneven": (IMAGE, L.MaxPooling2D, {"pool_size": (2, 4), "padding": "same"}),
    "max 1d": (STEPS, L.MaxPooling1D, {"pool_size": 3, "strides": 2}),
    "max 1d same": (STEPS, L.MaxPooling1D, {"pool_size": 2, "padding": "same"}),
    "max channels first": (PLANES, L.MaxPooling2D, {"pool_size": 2, **FIRST}),
    "average": (IMAGE, L.AveragePooling2D, {"pool_size": (3, 2), "strides": (1, 2)}),
    "average same": (IMAGE, L.AveragePooling2D, {"pool_size": 3, "strides": 1, "padding": "same"}),
    "average same uneven": (
        IMAGE,
        L.AveragePooling2D,
        {"pool_size": (2, 4), "strides": 1, "padding": "same"},
    ),
    "average 1d": (STEPS, L.AveragePooling1D, {"pool_size": 3, "padding": "same"}),
    "global average": (IMAGE, L.GlobalAveragePooling2D, {}),
    "global average kept": (IMAGE, L.GlobalAveragePooling2D, {"keepdims": True}),
    "global average first": (PLANES, L.GlobalAveragePooling2D, {"keepdims": True, **FIRST}),
    "global average 1d": (STEPS, L.GlobalAveragePooling1D, {}),
    "global max": (IMAGE, L.GlobalMaxPooling2D, {}),
    "global max 1d": (STEPS, L.GlobalMaxPooling1D, {"keepdims": True}),
    # normalisation
    "batch norm": (IMAGE, L.BatchNormalization, {}),
    "batch norm of rows": (ROW, L.BatchNormalization, {"scale": False}),
    "batch norm of steps": (STEPS, L.BatchNormalization, {"center": False}),
    "batch norm of axis 1": (IMAGE, L.BatchNormalization, {"axis": 1}),
    "layer norm": (IMAGE, L.LayerNormalization, {}),
    "layer norm of rows": (ROW, L.LayerNormalization, {"epsilon": 0.1, "center": False}),
    "layer norm of steps": (STEPS, L.LayerNormalization, {"scale": False}),
    "layer norm of all": (IMAGE, L.LayerNormalization, {"axis": (1, 2, 3)}),
    "rms norm": (STEPS, L.RMSNormalization, {}),
    "group norm": (IMAGE, L.GroupNormalization, {"groups": 2}),
    "group norm of rows": (ROW, L.GroupNormalization, {"groups": 2, "epsilon": 0.1}),
    "instance norm": (IMAGE, L.GroupNormalization, {"groups": -1, "scale": False}),
    "group norm of axis 1": (PLANES, L.GroupNormalization, {"groups": 2, "axis": 1}),
    "unit norm": (IMAGE, L.UnitNormalization, {}),
    "unit norm of axes": (IMAGE, L.UnitNormalization, {"axis": (1, 2)}),
    # activations
    "relu 6": (IMAGE, L.ReLU, {"max_value": 6}),
    "relu ceiling": (IMAGE, L.ReLU, {"max_value": 0.7}),
    "relu threshold": (IMAGE, L.ReLU, {"threshold": 0.3, "max_value": 1.5}),
    "relu slope": (IMAGE, L.ReLU, {"negative_slope": 0.2}),
    "relu all": (IMAGE, L.ReLU, {"negative_slope": 0.2, "threshold": 0.4, "max_value": 1.0}),
    "relu slope ceiling": (IMAGE, L.ReLU, {"negative_slope": 0.2, "max_value": 0.5}),
    "leaky": (IMAGE, L.LeakyReLU, {}),
    "prelu": (IMAGE, L.PReLU, {}),
    "prelu shared": (IMAGE, L.PReLU, {"shared_axes": [1, 2]}),
    "prelu of rows": (ROW, L.PReLU, {}),
    "elu": (ROW, L.ELU, {"alpha": 0.7}),
    "softmax": (IMAGE, L.Softmax, {}),
    "softmax of rows": (IMAGE, L.Softmax, {"axis": 1}),
    # shapes
    "reshape": (IMAGE, L.Reshape, {"target_shape": (6, -1, 4)}),
    "reshape to row": (IMAGE, L.Reshape, {"target_shape": (-1,)}),
    "reshape of row": (ROW, L.Reshape, {"target_shape": (3, 2)}),
    "flatten": (IMAGE, L.Flatten, {}),
    "flatten channels first": (PLANES, L.Flatten, FIRST),
    "permute": (IMAGE, L.Permute, {"dims": (3, 1, 2)}),
    "permute steps": (STEPS, L.Permute, {"dims": (2, 1)}),
    "repeat": (ROW, L.RepeatVector, {"n": 3}),
    "zeros": (IMAGE, L.ZeroPadding2D, {"padding": ((1, 2), (0, 3))}),
    "zeros channels first": (PLANES, L.ZeroPadding2D, {"padding": (2, 1), **FIRST}),
    "zeros 1d": (STEPS, L.ZeroPadding1D, {"padding": (2, 1)}),
    "crop": (IMAGE, L.Cropping2D, {"cropping": ((1, 0), (2, 1))}),
    "crop 1d": (STEPS, L.Cropping1D, {"cropping": 2}),
    "up": (IMAGE, L.UpSampling2D, {"size": (2, 3)}),
    "up bilinear": (IMAGE, L.UpSampling2D, {"size": (2, 3), "interpolation": "bilinear"}),
    "up channels first": (PLANES, L.UpSampling2D, {"size": 2, **FIRST}),
    "up bicubic": (IMAGE, L.UpSampling2D, {"size": (2, 3), "interpolation": "bicubic"}),
    "resizing": (IMAGE, L.Resizing, {"height": 5, "width": 9}),
    "resizing nearest": (IMAGE, L.Resizing, {"height": 5, "width": 9, "interpolation": "nearest"}),
    "resizing bicubic": (IMAGE, L.Resizing, {"height": 9, "width": 4, "interpolation": "bicubic"}),
    "resizing channels first": (PLANES, L.Resizing, {"height": 5, "width": 9, **FIRST}),
    "center crop": (IMAGE, L.CenterCrop, {"height": 4, "width": 3}),
    "up 1d": (STEPS, L.UpSampling1D, {"size": 2}),
    # nothing at inference, and preprocessing
    "dropout": (IMAGE, L.Dropout, {"rate": 0.5}),
    "spatial dropout": (IMAGE, L.SpatialDropout2D, {"rate": 0.5}),
    "gaussian noise": (IMAGE, L.GaussianNoise, {"stddev": 0.5}),
    "gaussian dropout": (IMAGE, L.GaussianDropout, {"rate": 0.5}),
    "alpha dropout": (ROW, L.AlphaDropout, {"rate": 0.5}),
    "identity": (ROW, L.Identity, {}),
    "flips": (IMAGE, L.RandomFlip, {}),
    "rescaling": (IMAGE, L.Rescaling, {"scale": 1 / 127.5, "offset": -1}),
    "rescaling channels": (
        IMAGE,
        L.Rescaling,
        {"scale": [1.0, 2.0, 0.5, 3.0], "offset": [0.0, 1.0, 2.0, -1.0]},
    ),
    "normalization": (IMAGE, L.Normalization, {"mean": [0.0, 1, 2, 3], "variance": [1.0, 2, 3, 4]}),
    "normalization inverted": (
        IMAGE,
        L.Normalization,
        {"mean": 0.5, "variance": 2.0, "axis": None, "invert": True},
    ),
    "normalization of rows": (
        ROW,
        L.Normalization,
        {"mean": list(range(6)), "variance": list(range(1, 7))},
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, rng):
    shape, make, options = LAYERS[name]
    check(shape, make(**options), rng)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("size", "stride", "dilation", "extra"),
    [(3, 1, 1, None), (3, 2, 1, None), (2, 3, 1, None), ((4, 3), (2, 1), 1, None), (3, 1, 2, None),
     (3, 2, 1, 1), (4, 3, 1, (2, 1))],
)  # fmt: skip
def test_transposed_convolution(padding, size, stride, dilation, extra, rng):
    layer = L.Conv2DTranspose(
        3, size, stride, padding, dilation_rate=dilation, output_padding=extra, activation="relu"
    )
    check(IMAGE, layer, rng)


def test_transposed_convolution_of_steps(rng):
    check(STEPS, L.Conv1DTranspose(3, 3, 2, "same"), rng)


NAMES = sorted(
    {
        *("relu", "leaky_relu", "relu6", "softmax", "log_softmax", "celu", "elu", "selu"),
        *("softplus", "softsign", "squareplus", "soft_shrink", "sparse_plus", "silu", "gelu"),
        *("tanh", "tanh_shrink", "sigmoid", "sparse_sigmoid", "exponential", "hard_sigmoid"),
        *("hard_silu", "hard_tanh", "hard_shrink", "linear", "mish", "log_sigmoid"),
    }
)


@pytest.mark.parametrize("name", NAMES)
def test_activation(name, rng):
    """Within a network, at its kinks and near them."""
    inputs = keras.Input((3, 5, 4))
    x = L.Activation(name)(inputs)
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))
    fill(model, rng)
    X = rng.normal(size=(17, 3, 5, 4)).astype(np.float32) * 2
    X[3:12] = rng.choice([-3.5, -1.5, -0.75, 0.25, 2.5, 7], size=(9, 3, 5, 4))
    if name not in ("log_softmax", "softmax"):
        X[12:] = rng.choice([-3, -1, -0.5, 0, 0.5, 1, 3, 6], size=(5, 3, 5, 4))
    agree(model, rng, X)


def test_every_name_of_an_activation_is_tried():
    known = {name for name, f in vars(keras.activations).items() if isfunction(f)}
    known -= {"get", "serialize", "deserialize", "swish", "hard_swish"}
    # sparsemax sorts; threshold needs arguments; of glu Keras's own layers have the shape wrong
    assert known - set(NAMES) == {"sparsemax", "threshold", "glu"}


def test_a_layer_as_an_activation(rng):
    check(IMAGE, L.Conv2D(3, 3, activation=L.LeakyReLU(0.1)), rng)


@pytest.mark.parametrize(
    "make",
    [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate,
     lambda: L.Concatenate(axis=1), lambda: L.Concatenate(axis=2)],
)  # fmt: skip
@pytest.mark.parametrize("shape", [ROW, STEPS, IMAGE])
def test_merging(make, shape, rng):
    layer = make()
    if getattr(layer, "axis", -1) > len(shape):
        layer.axis = -1  # rows have no such axis
    inputs = keras.Input(shape)
    x = L.Dense(4)(inputs)
    y = L.Dense(4, activation="tanh")(inputs)
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(layer([x, y]))))
    fill(model, rng)
    agree(model, rng)


def test_merging_broadcasts(rng):
    """Squeeze and excite: a weight for each channel."""
    inputs = keras.Input(IMAGE)
    squeezed = L.Dense(4, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(inputs))
    x = L.Multiply()([inputs, squeezed])
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))
    fill(model, rng)
    agree(model, rng)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("shapes", "axes"),
    [((5, 5), 1), (((7, 4), (7, 5)), 1), (((7, 4), (6, 4)), 2), (((7, 4), (4,)), (2, 1))],
)
def test_dot(shapes, axes, normalize, rng):
    inputs = keras.Input(ROW)
    sides = []
    for shape in shapes:
        shape = shape if isinstance(shape, tuple) else (shape,)
        sides.append(L.Reshape(shape)(L.Dense(int(np.prod(shape)))(inputs)))
    x = L.Dot(axes, normalize=normalize)(sides)
    model = keras.Model(inputs, L.Dense(3)(L.Flatten()(x)))
    fill(model, rng)
    agree(model, rng)


ATTENTION = {
    "heads": lambda x: L.MultiHeadAttention(2, 3, value_dim=4, output_shape=7)(x, x),
    "heads, causal": lambda x: L.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
    "heads of pixels": lambda x: L.MultiHeadAttention(2, 3, attention_axes=(1, 2))(
        y := L.Reshape((7, 2, 2))(x), y
    ),
    "fewer heads of keys": lambda x: L.GroupQueryAttention(3, 4, 2)(x, x),
    "plain": lambda x: L.Attention()([x, L.Dense(4, "tanh")(x)]),
    "plain, scaled": lambda x: L.Attention(use_scale=True)([x, x, L.Dense(4)(x)]),
    "plain, causal": lambda x: L.Attention()([x, x], use_causal_mask=True),
}


@pytest.mark.parametrize("name", ATTENTION)
def test_attention(name, rng):
    check(STEPS, ATTENTION[name], rng)


@pytest.mark.parametrize(("size", "stride"), [((2, 4), 1), (2, 2), (5, 5), ((3, 2), (2, 1))])
def test_average_pooling_of_other_backends(size, stride, rng, monkeypatch):
    """There, padding is left out of the mean on both sides."""
    pool = L.AveragePooling2D(size, stride, padding="same")
    model = keras.Sequential([keras.Input(IMAGE), pool, L.Flatten()])
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    own = bl.from_keras(model)
    X = rng.normal(size=(17, *IMAGE)).astype(np.float32)
    shape = pool.compute_output_shape(X.shape)
    places = []  # for each axis of the image, where its windows lie
    for axis in range(2):
        n, count, k, s = IMAGE[axis], shape[1 + axis], pool.pool_size[axis], pool.strides[axis]
        first = -(max((count - 1) * s + k - n, 0) // 2)
        places.append([slice(max(first + i * s, 0), first + i * s + k) for i in range(count)])
    expected = [[X[:, r, c].mean(axis=(1, 2)) for c in places[1]] for r in places[0]]
    assert_close(own.logits(X), np.moveaxis(expected, 2, 0).reshape(len(X), -1))


AUGMENTATION = {
    "CutMix": {},
    "MixUp": {},
    "RandomColorDegeneration": {"factor": 0.3},
    "RandomColorJitter": {"brightness_factor": 0.3},
    "RandomElasticTransform": {},
    "RandomErasing": {},
    "RandomGaussianBlur": {},
    "RandomGrayscale": {},
    "RandomHue": {"factor": 0.3},
    "RandomInvert": {},
    "RandomPerspective": {},
    "RandomPosterization": {"factor": 4},
    "RandomSaturation": {"factor": 0.3},
    "RandomSharpness": {"factor": 0.3},
    "RandomShear": {"x_factor": 0.3, "y_factor": 0.3},
}


@pytest.mark.parametrize("name", AUGMENTATION)
def test_augmentation_is_for_training_only(rng, name):
    if not hasattr(L, name):
        pytest.skip("a layer of newer versions of Keras")
    augment = getattr(L, name)(**AUGMENTATION[name])
    images = [keras.Input((6, 5, 3)), augment, L.Flatten(), L.Dense(2)]
    X = 255 * rng.random((3, 6, 5, 3), np.float32)
    model = keras.Sequential(images)
    assert_close(bl.from_keras(model).logits(X), model.predict(X, verbose=0))
