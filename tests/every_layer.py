"""Small models of every layer and operator, for what must hold of all of them."""

import numpy as np

import backlit as bl
from backlit.importers.builder import (
    GraphBuilder,
    activations,
    arithmetic,
    finish,
    normalization,
    products,
    reductions,
    shapes,
)
from backlit.layers import ConvTranspose2D
from backlit.layers.activations import ACTIVATIONS
from backlit.operators import AxisMap, Binary, Reshape

IMAGE = (3, 6, 5)
PARAMETERS = {
    "elu": [{"alpha": 0.7}, {"alpha": 1.6, "scale": 1.1}, {"alpha": 0.5, "input_scale": 2.0},
            {"alpha": 0.5, "scale": 1.5, "input_scale": 3.0}],
    "softplus": [{}, {"beta": 2.5}],
    "hard_sigmoid": [{}, {"alpha": 0.3, "beta": 0.4}],
    "thresholded_relu": [{"alpha": 0.3}],
    "clamp": [{}, {"low": -0.2, "high": 0.6}],
    "power": [{"exponent": 3.0}],
    "step": [{}, {"at_zero": 1.0}],
    "scale": [{"factor": -2.0}, {"shift": 0.5}, {"factor": 3.0, "shift": -1.0}],
}  # fmt: skip
POSITIVE = ("log", "sqrt", "reciprocal")  # functions of positive numbers


def weights(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape) / np.sqrt(np.prod(shape[1:]))


def image_layers():
    """Layers that take images, by a name for the test."""
    statistics = np.random.default_rng(1).normal(size=(3, 3))
    layers = {
        "relu": bl.ReLU(),
        "leaky relu": bl.LeakyReLU(0.2),
        "clip": bl.Clip(-0.5, 0.7),
        "sigmoid": bl.Sigmoid(),
        "tanh": bl.Tanh(),
        "softmax": bl.Softmax(),
        "log-softmax": bl.LogSoftmax(),
        "batch norm": bl.BatchNorm(*statistics, np.array([0.5, 1, 2]), 1e-3),
        "convolution": bl.Conv2D(weights(4, 3, 3, 2), weights(4)),
        "convolution, strided": bl.Conv2D(
            weights(6, 1, 3, 2), weights(6), (2, 1), (1, 0, 2, 1), (1, 2), 3
        ),
        "depthwise, strided": bl.Conv2D(weights(3, 1, 3, 3), weights(3), 2, 1, groups=3),
        "transposed": ConvTranspose2D(weights(3, 2, 3, 2), weights(2)),
        "transposed, strided": ConvTranspose2D(
            weights(3, 2, 3, 2), None, (2, 3), (1, 0, 0, 1), (1, 2), 3, (1, 2)
        ),
        "max pool": bl.MaxPool2D(2),
        "max pool, odd": bl.MaxPool2D((3, 2), (2, 1), (1, 0, 0, 1)),
        "max pool, up": bl.MaxPool2D((2, 3), (4, 3), ceil_mode=True),
        "max pool, up, padded": bl.MaxPool2D(3, (2, 3), 1, ceil_mode=True),
        "max pool, larger than the image": bl.MaxPool2D((7, 6), 3, 0, ceil_mode=True),
        "global average": bl.GlobalAvgPool2D(),
        "flatten": bl.Flatten(),
        "residual": bl.Residual([bl.Tanh(), bl.ReLU()]),
        "residual, shortcut": bl.Residual(
            [bl.Residual([bl.Tanh()], [bl.ReLU()])], [bl.Conv2D(weights(3, 3, 1, 1)), bl.ReLU()]
        ),
    }
    for size, stride, padding in [
        (2, None, 0),
        ((3, 2), (2, 1), (1, 0, 0, 1)),
        ((2, 3), (4, 3), 0),
        (3, (2, 3), 1),
        (3, 3, (1, 1, 0, 1)),
        ((4, 3), 3, (2, 1, 1, 0)),
    ]:
        for up in (False, True):
            for counted in (False, True):
                name = f"average pool {size}, {stride}, {padding}, {up}, {counted}"
                layers[name] = bl.AvgPool2D(size, stride, padding, up, counted)
    return layers


def chains():
    """A model of each layer, made of layers."""
    models = {}
    for name, layer in image_layers().items():
        inner = layer.output_shape(IMAGE)
        flat = [] if len(inner) == 1 else [bl.Flatten()]
        layers = [bl.Conv2D(weights(3, 3, 1, 1)), layer, *flat, dense(np.prod(inner))]
        models[name] = bl.Model(layers, IMAGE)
    heads = {"softmax": bl.Softmax(), "log-softmax": bl.LogSoftmax(), "sigmoid": bl.Sigmoid()}
    for name, head in heads.items():
        models[f"{name} last"] = bl.Model([dense(7), bl.BatchNorm(*np.ones((4, 4))), head], (7,))
    models["binary"] = bl.Model([dense(7, 1), bl.Sigmoid()], (7,), "name")
    models["binary, no sigmoid"] = bl.Model([dense(7, 1)], (7,), outputs="binary")
    models["values"] = bl.Model([dense(7)], (7,), outputs="values")
    return models


def dense(size, classes=4):
    return bl.Dense(weights(int(size), classes), weights(classes))


def activation_functions():
    models = {}
    for name in ACTIVATIONS:
        for parameters in PARAMETERS.get(name, [{}]):
            words = ", ".join(f"{key} {value}" for key, value in parameters.items())
            models[f"{name} {words}".strip()] = graph(
                lambda b, x, name=name, parameters=parameters: b.append(
                    bl.layers.Activation(name, **parameters), positive(b, x, name in POSITIVE)
                )
            )
    return models


def positive(b, x, wanted=True):
    return arithmetic.scale(b, b.append(bl.Sigmoid(), x), shift=0.5) if wanted else x


def operators():
    """A model of each operator, in many forms."""

    def pairs(function):
        def build(b, x):
            base = positive(b, x, function == "raise_to")
            mean = reductions.reduce(b, "mean", x, [3], True)
            both = [base, positive(b, b.append(bl.Tanh(), mean))]
            return b.append(Binary(function), *both[:: -1 if function == "larger" else 1])

        return build

    def constant(b, x):
        values = b.tensor(weights(1, 3, 6, 1), (1,) * 4)
        product = arithmetic.binary(b, "multiply", x, values)
        row = b.tensor(weights(5))  # of lower rank
        return b.append(Binary("add"), product, row)

    def constants_apart(b, x):
        one = b.append(bl.Tanh(), b.tensor(weights(2, 6, 5)))
        joined = b.append(Binary("add"), one, b.tensor(weights(6, 1)))
        return shapes.concatenate(b, [joined, x, shapes.reshape(b, x, (1, 3, 6, 5))], 1)

    def attention(b, x):
        rows = shapes.reshape(b, x, (1, 3, 30))
        scores = products.matmul(b, rows, shapes.transpose(b, rows, (0, 2, 1)))
        return products.matmul(b, activations.softmax(b, scores, -1), rows)

    def constant_product(b, x):
        fixed = b.tensor(weights(3, 4, 6))
        return b.append(bl.layers.Tanh(), products.matmul(b, fixed, x))

    def sums(axis):
        def build(b, x):
            size = x.shape[axis]
            rows = [[(i % size, 0.5), ((2 * i + 1) % size, -1.5)][: i % 3] for i in range(7)]
            return shapes.linear_map(b, x, axis, [*rows, [(0, 1.0), (0, 2.0)]])

        return build

    def twice(b, x):
        wide = shapes.gather(b, x, 2, [0, 0, 1, 2, -1, 5])
        return b.append(AxisMap.gather(2, 5, [1, 1, 1]), wide)

    builds = {
        name: pairs(name)
        for name in ("add", "subtract", "multiply", "divide", "larger", "smaller", "raise_to")
    }
    builds |= {
        "add of one shape": lambda b, x: arithmetic.binary(b, "add", x, b.append(bl.Tanh(), x)),
        "constant": constant,
        "constants apart": constants_apart,
        "reshape": lambda b, x: b.append(Reshape((5, 18)), x),
        "transpose": lambda b, x: shapes.transpose(b, x, (0, 3, 1, 2)),
        "concatenate": lambda b, x: shapes.concatenate(b, [x, b.append(bl.ReLU(), x), x], 2),
        "matmul": attention,
        "matmul of a constant": constant_product,
        "slice": lambda b, x: shapes.gather(b, x, 2, range(1, 6, 2)),
        "slice of channels": lambda b, x: shapes.gather(b, x, 1, [1, 2]),
        "flip": lambda b, x: shapes.gather(b, x, 3, range(4, -1, -1)),
        "gather": twice,
        "pad": lambda b, x: shapes.pad(b, x, 2, 2, 1),
        "pad and crop": lambda b, x: shapes.pad(b, x, 3, 2, -1),
        "pad with a number": lambda b, x: shapes.pad(b, x, 2, 2, 1, value=0.5),
        "pad by reflection": lambda b, x: shapes.pad(b, x, 3, 2, 2, "reflect"),
        "sums over channels": sums(1),
        "sums over rows": sums(2),
        "sums over columns": sums(3),
        "sum": lambda b, x: reductions.reduce(b, "sum", x, [1, 3], True),
        "maximum": lambda b, x: reductions.reduce(b, "max", x, [2], False),
        "layer norm": lambda b, x: normalization.normalize(
            b, x, [1, 2, 3], 1e-5, weights(5), weights(6, 1)
        ),
        "softmax of columns": lambda b, x: activations.softmax(b, x, 3),
    }  # fmt: skip
    return {name: graph(build) for name, build in builds.items()}


def graph(build):
    """A convolution, what `build` makes of it, a dense layer."""
    b = GraphBuilder(IMAGE)
    b.label = "first"
    x = products.convolution(b, b.input, weights(3, 3, 1, 1))
    b.label = "what is tested"
    x = build(b, x)
    b.label = "flat"
    size = int(np.prod(x.sample))
    flat = b.append(bl.Flatten(), x)
    b.label = "last"
    return finish(b, products.dense(b, flat, weights(size, 4)), "a graph")


NETWORKS = chains() | activation_functions() | operators()
