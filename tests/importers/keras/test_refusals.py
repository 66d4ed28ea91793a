"""What `from_keras` refuses, and what it says."""

import subprocess
import sys

import pytest

import backlit as bl
from tests.importers.keras.reference import keras

L = keras.layers


def test_every_problem_is_listed():
    class Own(L.Layer):
        """Computes what cannot be noted."""

        def call(self, x):
            return x if x[0, 0, 0] > 0 else -x

    inner = keras.Sequential([keras.Input((5, 4)), L.LSTM(4, name="memory")], name="inner")
    inputs = keras.Input((5, 4))
    x = L.Lambda(lambda x: keras.ops.sort(x), name="sorts")(inputs)
    x = L.Dense(4, activation="sparsemax", name="sparse")(x)
    x = L.Softmax(axis=(1, 2), name="wide")(Own(name="own")(x))
    model = keras.Model(inputs, L.Dense(3)(inner(x)))
    with pytest.raises(ValueError, match="cannot be imported") as caught:
        bl.from_keras(model)
    reason = "TypeError: A symbolic KerasTensor cannot be used as a boolean."
    assert str(caught.value).split("\n")[1:] == [
        "    Sort 'sort' in 'sorts'",
        "    Dense 'sparse': the activation sparsemax",
        f"    Own 'own': its call cannot be traced: {reason}",
        "    Softmax 'wide': axis=(1, 2): a softmax along several axes",
        "    LSTM 'memory' in 'inner'",
    ]


def test_masks_are_refused():
    inputs = keras.Input((5, 4))
    x = L.Softmax(name="masked")(inputs, mask=keras.ops.greater(inputs, 0.0))
    with pytest.raises(ValueError, match="Softmax 'masked': called with mask"):
        bl.from_keras(keras.Model(inputs, L.Dense(3)(L.Flatten()(x))))


def test_refusals():
    with pytest.raises(TypeError, match="model must be a Keras model, not int"):
        bl.from_keras(3)
    with pytest.raises(ValueError, match="Sequential needs an Input first"):
        bl.from_keras(keras.Sequential([L.Dense(3)]))
    sides = [keras.Input((3,), name="left"), keras.Input((3,), name="right")]
    with pytest.raises(ValueError, match="must have one input, but has 2: 'left', 'right'"):
        bl.from_keras(keras.Model(sides, L.Dense(2)(L.Add()(sides))))


def test_without_keras():
    code = (
        "import sys; sys.modules['keras'] = None; import backlit as bl\n"
        "try: bl.from_keras(None)\n"
        "except ImportError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "backlit[keras]" in run.stdout
