"""The trained models carried in the package; `examples/train_mnist.py` trained them.

Each call reads the model anew.
"""

from importlib.resources import as_file, files

from backlit.checks import choice
from backlit.model import Model
from backlit.storage import load

NAMES = ("mnist_fc", "mnist_cnn", "mnist_cnn_wide")


def mnist_fc() -> Model:
    """Dense 784-128-64-10 with ReLU between; takes (N, 784) or image-shaped input."""
    return carried("mnist_fc")


def mnist_cnn() -> Model:
    """Two 3x3 convolutions (4 and 8 channels), each with ReLU and 2x2 max-pooling; dense 10."""
    return carried("mnist_cnn")


def mnist_cnn_wide() -> Model:
    """Two 3x3 convolutions (32 and 64 channels) with ReLU, 2x2 max-pooling; dense 128, ReLU, 10.

    Its weights are stored in half precision.
    """
    return carried("mnist_cnn_wide")


def carried(name: str) -> Model:
    """A carried model by its name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    choice("name", name, NAMES)
    with as_file(files("backlit") / "data" / f"{name}.npz") as path:
        return load(path)
